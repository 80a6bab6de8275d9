"""sessions.py - a session of its own for a test, in a runtime directory of
its own.

    with Session(rw='w') as s:
        s.exec('cat', 'w/file').ok()

Import it after tap.  The session is deprovisioned at the end of the block.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import time
import tap
from tap import (
    MXC, eventually, fail, has, mxc, processes, read, run, spawn, write)

ID = re.compile(r'(native|bubblewrap|lxc):[0-9a-f]{32}\n')
# The id of none.
FOREIGN = 'native:' + '0' * 32


def runtime():
    """Each test has its own; a session's socket is found by it."""
    path = os.path.join(os.getcwd(), 'run')
    os.mkdir(path, 0o700)
    os.environ['XDG_RUNTIME_DIR'] = path


tap.before_each.append(runtime)


def root():
    return os.path.join(os.environ['XDG_RUNTIME_DIR'], 'mxc')


def directory(ident):
    """The name of its directory below root()."""
    return ident.removeprefix('native:').replace(':', '-')


def ident_of(name):
    return name.replace('-', ':') if '-' in name else f'native:{name}'


def grants(ro=(), rw=(), deny=()):
    args = []
    for flag, paths in (('--ro', ro), ('--rw', rw), ('--deny', deny)):
        for path in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
            args += [flag, path]
    return args


def provision(*flags, **kw):
    r = mxc('provision', *grants(**kw), *flags).ok()
    if not ID.fullmatch(r.out):
        fail(f'not an ID alone: {r}')
    return r.out.strip()


class Session:
    def __init__(self, *flags, start=True, **kw):
        self.id = provision(*flags, **kw)
        if start:
            mxc('start', self.id).ok()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        r = mxc('deprovision', self.id, '--grace', '0')
        if kind is None and r.status not in (0, 1):
            fail(f'{r}')

    @property
    def dir(self):
        return os.path.join(root(), directory(self.id))

    def argv(self, *command, flags=(), env=(), cwd=None, **kw):
        more = [a for k, v in dict(env).items() for a in ('--env', f'{k}={v}')]
        if cwd is not None:
            more += ['--cwd', cwd]
        return ['exec', self.id, *grants(**kw), *more, *flags, '--', *command]

    def exec(self, *command, flags=(), env=(), cwd=None, ro=(), rw=(), deny=(),
             **options):
        return mxc(*self.argv(*command, flags=flags, env=env, cwd=cwd, ro=ro,
                              rw=rw, deny=deny), **options)

    def sh(self, script, **kw):
        return self.exec('sh', '-c', script, **kw)

    def spawn(self, *command, flags=(), popen=None, **kw):
        return spawn([MXC, *self.argv(*command, flags=flags, **kw)],
                     **(popen or {}))

    def do(self, word, *args, **kw):
        return mxc(word, self.id, *args, **kw)

    def holder(self):
        with open(os.path.join(self.dir, 'running')) as f:
            return json.load(f)['pid']

    def init(self):
        """Its first process, on the host."""
        me = self.holder()
        found = [p for p, name in tap.descendants(me).items()
                 if name == 'mxc-init']
        return found[0] if found else None

    def look(self):
        r, w = os.pipe()
        with os.fdopen(r) as out:
            mxc('ps', self.id, '--json', str(w), pass_fds=(w,)).ok()
            os.close(w)
            return json.load(out)

    def names(self):
        return sorted(p['name'] for p in self.look()['processes'])

    def state(self):
        return self.look()['state']


def hanging_start(ident):
    """A start whose first process never says a word, and its holder."""
    if not os.path.exists('other'):
        shutil.copytree(MXC.parent, 'other/bin')
        shutil.copytree(MXC.parent / '../libexec', 'other/libexec')
        launch = 'other/libexec/mxc/mxc-launch'
        os.unlink(launch)
        write(launch, '#!/bin/sh\nexec sleep 1000\n')
        os.chmod(launch, 0o755)
    p = spawn(['other/bin/mxc', 'start', ident])
    eventually(lambda: 'sleep' in tap.descendants().values(), what='it hangs')
    [holder] = [n for n, name in tap.descendants().items() if name == 'mxc-hold']
    return p, holder


def kill_and_wait(pid):
    os.kill(pid, signal.SIGKILL)

    def gone():
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            pass
        return pid not in processes()

    eventually(gone, what='the killed one gone')


def state_of(pid):
    return read(f'/proc/{pid}/stat').rsplit(')', 1)[1].split()[0]


@contextlib.contextmanager
def stopped(pid):
    """Nothing that it is told is done meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: state_of(pid) == 'T', what='it stands still')
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def wait_for_answer(p):
    """Of whom it has asked something."""
    eventually(lambda: 'poll' in read(f'/proc/{p.pid}/wchan'),
               what='it has asked')


def goes_on(pid):
    """Does it run, and will it?"""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return state_of(pid) not in 'ZX'
    return False


def ended(p):
    """Its status and what it said.  The other ends of its streams may be with
    who is to hold it, and has not read what it was sent."""
    status = p.wait(timeout=20)
    os.set_blocking(p.stderr.fileno(), False)
    return status, (p.stderr.read() or b'').decode()


def wait_for_end(holder):
    """Of a killed one: its socket listens a little longer than it speaks."""
    eventually(lambda: not goes_on(holder), what='the killed holder is gone')


def answer(*args, **kw):
    """The JSON that a command gives to --json."""
    r, w = os.pipe()
    with os.fdopen(r) as out:
        at = 1 if args[0] == 'provision' else 2
        done = mxc(*args[:at], '--json', str(w), *args[at:], pass_fds=(w,),
                   **kw)
        os.close(w)
        return done, json.load(out)


def refused(code, *args, status=1):
    """A command that is refused with this code of the contract's."""
    done, said = answer(*args)
    done.ok(status)
    if said['error']['code'] != code:
        fail(f'want {code}: {said}')
    if '\n' not in said['error']['message']:
        has(done.err, said['error']['message'], 'stderr')
    return said['error']


__all__ = '''ID FOREIGN directory ident_of root grants provision Session answer refused
hanging_start kill_and_wait state_of stopped goes_on ended wait_for_answer'''.split()
