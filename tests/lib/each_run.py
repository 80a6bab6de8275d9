"""each_run.py - what each `mxc run` of a test is told besides: the backend,
that it tells what is refused, a session of its own.  Part of tap.py."""

import contextlib
import fcntl
import os
import pathlib
import backends
from checks import BUSY, eventually, skip
from host import descendants, is_leaving, read

TOP = pathlib.Path(__file__).resolve().parents[2]
MXC = pathlib.Path(os.environ.get('MXC', TOP / 'build/tree/bin/mxc')).absolute()
# How much more time everything has on a backend whose system calls take long.
SLOWER = 6


class InSession:
    """With $MXC_IN_SESSION each `mxc run` is a command of a session."""
    program = None   # from tests/lib/in_session.c

    @classmethod
    def own_places(cls):
        """Of sessions, and of the notes, in the test's own directory."""
        path = os.path.join(os.getcwd(), 'home', '.runtime')
        os.mkdir(path, 0o700)
        os.environ['XDG_RUNTIME_DIR'] = path
        cls.notes = os.path.join(path, 'notes')

    @classmethod
    def argv(cls, argv):
        told = []
        for word in argv:
            if cls.program and told and told[-1] == str(MXC) and word == 'run':
                told[-1:] = [cls.program, cls.notes, str(MXC)]
            told.append(word)
        return told

    @classmethod
    def wait(cls, pid):
        """Until the session of that run is gone, as a run itself is."""
        if not cls.program:
            return
        with contextlib.suppress(FileNotFoundError):
            with open(f'{cls.notes}.{pid}', 'rb') as f:
                fcntl.flock(f, fcntl.LOCK_SH)
            # Who removed it lets go of the lock a moment before it is gone.
            eventually(lambda: not any(map(is_leaving, descendants())))

    @classmethod
    def check(cls):
        """What had no session proves nothing about one."""
        if cls.program and os.path.exists(cls.notes):
            skip(f'has no session: mxc run {read(cls.notes).splitlines()[0]}')


def _told_of(argv):
    """With MXC_DENIALS each `mxc run` tells what is refused."""
    if 'MXC_DENIALS' not in os.environ:
        return argv
    told = []
    for before, word in zip(['', *argv], argv):
        told.append(word)
        if before == str(MXC) and word == 'run':
            told.append('--denials')
    return told


def on_backend(argv):
    """The same command, with each `mxc run` in it told the backend."""
    argv = _told_of(InSession.argv([os.fspath(a) for a in argv]))
    if not use_backend.name:
        return argv
    told = []
    for before, word in zip(['', *argv], argv):
        told.append(word)
        if before != str(MXC) or word not in ('run', 'provision'):
            continue
        name = _backend_of(argv)
        if not name:
            name = use_backend.name
            told += ['--backend', name]
        told += use_backend.more.get(name, [])
    return told


def _backend_of(argv):
    """The one that the command names, or None."""
    options = argv[:argv.index('--')] if '--' in argv else argv
    for word, value in zip(options, options[1:]):
        if word in ('--backend', '-b'):
            return value
    return None


def use_backend(name):
    """From now on in this process: the backend of $MXC_BACKEND, or another."""
    use_backend.name = name


use_backend.name = os.environ.get('MXC_BACKEND')
# {backend: options that each run on it needs besides}
use_backend.more = {}


def own_base(*paths):
    """From now on these are of what each sandbox has without a grant.  On a
    backend with an image, they and nothing else."""
    if backends.has_image(use_backend.name):
        import images
        images.base_image(paths)


def backend():
    return backends.BACKENDS[use_backend.name or backends.REFERENCE]


def usual(seconds):
    return seconds * (SLOWER if backend().pace < 1 else 1) * BUSY


def rounds(n):
    """As many as are tried where that takes long: fewer on a slow backend."""
    return int(n * backend().pace)


def slow(seconds):
    """So long where a system call takes what it does; longer on a slow one."""
    return int(seconds / backend().pace)


def start_ms():
    """Within which all parts of a sandbox are there."""
    return int(backend().start * 1000)
