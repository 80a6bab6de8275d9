"""running.py - commands on the host, the program under test among them: part
of tap.py."""

import contextlib
import json
import os
import pty as _pty
import select
import signal
import subprocess
import time
import backends
from checks import BUSY, cut, fail, has
from each_run import MXC, InSession, on_backend, use_backend, usual
from host import IS_ROOT, as_bytes, kill_descendants

# What a command may take where a test says nothing else.
COMMAND_SECONDS = 30


class Run:
    """How a command ended: status as the shell says it, out, err, seconds."""

    def __init__(self, argv, status, out, err, seconds, timed_out=False):
        self.argv, self.status, self.seconds = argv, status, seconds
        self.out_bytes, self.err_bytes = out, err
        self.out = out.decode('utf-8', 'surrogateescape')
        self.err = err.decode('utf-8', 'surrogateescape')
        self.timed_out = timed_out

    @property
    def done(self):
        """The probe says that what it tried worked."""
        return 'done' in self.out.splitlines()

    @property
    def refused(self):
        """The errno name with which the probe says it was refused, or None."""
        for line in self.out.splitlines():
            if line.startswith('refused '):
                return line.split()[1]
        return None

    def json(self):
        return json.loads(self.out)

    def ok(self, status=0):
        if self.status != status:
            fail(f'want status {status}: {self}')
        return self

    def failed(self, status, *pieces):
        """Ended with this status, and stderr says all the pieces."""
        self.ok(status)
        for piece in pieces:
            has(self.err, piece, f'stderr of {self.argv}')
        return self

    def __repr__(self):
        late = ' (timed out)' if self.timed_out else ''
        return (f'{self.argv} -> {self.status}{late}\n'
                f'stdout: {cut(self.out)}\nstderr: {cut(self.err)}')


def _status(code):
    return 128 - code if code < 0 else code


def _environ(env):
    if env is None:
        return None
    return {**os.environ, **{k: str(v) for k, v in env.items()}}


def run(argv, *, input=b'', timeout=None, env=None, cwd=None, pass_fds=(),
        **popen):
    """Run on the host.  Past the timeout it is killed and the test fails."""
    argv = on_backend(argv)
    timeout = timeout * BUSY if timeout else usual(COMMAND_SECONDS)
    start = time.monotonic()
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=_environ(env), cwd=cwd,
                          pass_fds=pass_fds, **popen) as p:
        try:
            out, err = p.communicate(as_bytes(input), timeout)
        except subprocess.TimeoutExpired:
            # Its children first: once orphaned they are no longer its own.
            kill_descendants(p.pid)
            p.kill()
            out, err = p.communicate()
            fail(f'no end after {timeout} s: '
                 f'{Run(argv, _status(p.returncode), out, err, timeout, True)}')
    _tell_refusal(err)
    InSession.wait(p.pid)
    return Run(argv, _status(p.returncode), out, err,
               time.monotonic() - start)


def _tell_refusal(err):
    """For KNOWN, whatever the test itself says of it."""
    for line in err.decode(errors='replace').splitlines():
        if line.startswith(f"mxc: backend '{use_backend.name}' "):
            print(f'told: {line}')


def own_mounts(script, *, fresh=()):
    """argv before a command: as root of a mount namespace of its own, with
    something empty mounted on each of fresh, after this shell script."""
    lines = ''.join(f'mount -t tmpfs none {d}\n' for d in fresh)
    if backends.has_image(use_backend.name):
        import images
        lines += images.for_root()
    return ['unshare', '-m' if IS_ROOT else '-Urm', 'sh', '-ec',
            f'{lines}{script}\nexec "$@"', 'sh']


class Process(subprocess.Popen):
    """One whose end is waited for longer where the machine is busy.  What
    expects that it does not end says less than a second."""

    def wait(self, timeout=None):
        return super().wait(_patient(timeout))

    def communicate(self, input=None, timeout=None):
        return super().communicate(input, _patient(timeout))


def _patient(timeout):
    return timeout * BUSY if timeout and timeout >= 1 else timeout


def spawn(argv, **popen):
    """Start in the background; the caller waits for it or kills it."""
    kw = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
              stderr=subprocess.PIPE)
    kw.update(popen)
    return Process(on_backend(argv), **kw)


def pty(argv, *, input=b'', timeout=None, env=None, until=None):
    """Run with a fresh terminal as stdio and controlling terminal.

    What comes out is in .out.  The input is typed at once, or, with until=,
    as soon as the output contains that text.
    """
    argv, data = on_backend(argv), as_bytes(input)
    timeout = timeout * BUSY if timeout else usual(COMMAND_SECONDS)
    start, out = time.monotonic(), b''
    pid, fd = _pty.fork()
    if pid == 0:
        with contextlib.suppress(OSError):
            os.execvpe(argv[0], argv, _environ(env) or os.environ)
        os._exit(127)
    while time.monotonic() < start + timeout:
        if data and (until is None or as_bytes(until) in out):
            os.write(fd, data)
            data = b''
        if not select.select([fd], [], [], 0.05)[0]:
            continue
        try:
            piece = os.read(fd, 65536)
        except OSError:  # EIO: the last holder of the other end is gone
            piece = b''
        if not piece:
            break
        out += piece
    else:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        fail(f'{argv}: no end after {timeout} s, so far {cut(out)!r}')
    os.close(fd)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    InSession.wait(pid)
    return Run(argv, _status(code), out, b'', time.monotonic() - start)


def mxc(*args, **options):
    """Run the program under test; options as for run(), tty=True for pty()."""
    go = pty if options.pop('tty', False) else run
    return go([MXC, *args], **options)
