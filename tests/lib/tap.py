"""tap.py - tests in Python: one process, one clock, one directory per test.

    from tap import *

    @test
    def host_key_is_not_readable():
        key = write('home/.ssh/id', 'secret')
        attack(f'print(open({str(key)!r}).read())', refused='ENOENT')

    main()

Each test runs in its own forked process, in a fresh directory that is its
working directory and (as 'home') its HOME, and must leave no process behind.
A test fails by exception, skips with skip('what is missing').  Output is TAP;
what a test printed is shown only when it failed.  Arguments choose tests by
a part of their name; -l lists them.

It starts $MXC (default build/tree/bin/mxc of this source tree).  It does not
judge: a probe says 'done' or 'refused EACCES', the test says which it wants.
$MXC_BACKEND, if there is one, is the backend of each `mxc run`; where a test
ends differently on it, KNOWN of backends.py says how and why.
"""

import contextlib
import ctypes
import errno
import hashlib
import json
import os
import pathlib
import pty as _pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import traceback
import backends

TOP = pathlib.Path(__file__).resolve().parents[2]
MXC = pathlib.Path(os.environ.get('MXC', TOP / 'build/tree/bin/mxc')).absolute()
PROBES = pathlib.Path(os.environ.get('MXC_PROBES', TOP / 'build/probes'))
# Debian's, which the sandbox shows: the first in PATH may be in a home.
PYTHON = '/usr/bin/python3'
IS_ROOT = os.geteuid() == 0
SKIP_STATUS = 77
# What a test, and a command in it, may take that says nothing else; and how
# much more that is on a backend whose system calls take long.
SECONDS, COMMAND_SECONDS, SLOWER = 60, 30, 6
# All limits here are for what hangs.  On a machine whose processors are wanted
# elsewhere everything takes as many times as long, and does not hang.
BUSY = 4
# How long after a test its processes may still be on their way out.
GRACE = 2.0

# Helpers of a whole file, which belong to no test's family, and what each
# test's process calls before the test.
kept, before_each = set(), []

_tests = []
# Keys of KNOWN for which a test ended differently, or need not have.
_found, _spared = set(), set()
_libc = ctypes.CDLL(None, use_errno=True)


# --- declaring tests -------------------------------------------------------

class Skip(Exception):
    pass


class Failed(AssertionError):
    pass


def test(fn=None, *, seconds=None, only=None):
    """Register a test.  only='root' or only='user' ties it to that caller."""
    def add(f):
        _tests.append((f.__name__, f, seconds or _usual(SECONDS), only))
        return f
    return add(fn) if fn else add


def cases(rows, **options):
    """One test per row: {'name': (args...)} or a list of (name, args...)."""
    if isinstance(rows, dict):
        rows = [(k, *(v if isinstance(v, tuple) else (v,)))
                for k, v in rows.items()]

    def add(f):
        for name, *args in rows:
            def run(f=f, args=args):
                return f(*args)
            run.__name__ = f'{f.__name__}: {name}'
            test(run, **options)
        return f
    return add


def skip(reason):
    """Say what is missing; never why the test is not wanted."""
    raise Skip(reason)


def need(*programs):
    for name in programs:
        if not shutil.which(name):
            skip(f'no program {name}')


# --- checks ----------------------------------------------------------------

def fail(why):
    raise Failed(why)


def check(truth, why='not true'):
    if not truth:
        fail(why)


def eq(got, want, what='value'):
    if got != want:
        fail(f'{what}: got {got!r}, want {want!r}')


def has(text, piece, what='text'):
    if piece not in text:
        fail(f'{what}: want it to contain {piece!r}, got {_cut(text)!r}')


def lacks(text, piece, what='text'):
    if piece in text:
        fail(f'{what}: must not contain {piece!r}, got {_cut(text)!r}')


def eventually(condition, seconds=5.0, what='condition'):
    """Wait for something that another process does; answers its value.  Not
    a measure of how long that takes.  `what` may be what says it then."""
    end = time.monotonic() + seconds * BUSY
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            what = what() if callable(what) else what
            fail(f'{what}: still not so after {seconds * BUSY} s')
        time.sleep(0.005)


def _cut(text, most=2000):
    return text if len(text) <= most else text[:most] + type(text)()


# --- running things --------------------------------------------------------

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
                f'stdout: {_cut(self.out)}\nstderr: {_cut(self.err)}')


def _status(code):
    return 128 - code if code < 0 else code


def _bytes(text):
    return text.encode('utf-8', 'surrogateescape') if isinstance(
        text, str) else text


def _in_session(argv):
    """With MXC_IN_SESSION each `mxc run` is a command of a session."""
    if 'MXC_IN_SESSION' not in os.environ:
        return argv
    told = []
    for word in argv:
        if word == 'run' and told and told[-1] == str(MXC):
            told[-1:] = [PYTHON, str(TOP / 'tests/lib/in_session.py'),
                         str(MXC), os.environ['MXC_IN_SESSION']]
        else:
            told.append(word)
    return told


def on_backend(argv):
    """The same command, with each `mxc run` in it told the backend."""
    argv = _in_session([os.fspath(a) for a in argv])
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


def _backend():
    return backends.BACKENDS[use_backend.name or backends.REFERENCE]


def _usual(seconds):
    return seconds * (SLOWER if _backend().pace < 1 else 1) * BUSY


def rounds(n):
    """As many as are tried where that takes long: fewer on a slow backend."""
    return int(n * _backend().pace)


def slow(seconds):
    """So long where a system call takes what it does; longer on a slow one."""
    return int(seconds / _backend().pace)


def start_ms():
    """Within which all parts of a sandbox are there."""
    return int(_backend().start * 1000)


def _environ(env):
    if env is None:
        return None
    return {**os.environ, **{k: str(v) for k, v in env.items()}}


def run(argv, *, input=b'', timeout=None, env=None, cwd=None, pass_fds=(),
        **popen):
    """Run on the host.  Past the timeout it is killed and the test fails."""
    argv = on_backend(argv)
    timeout = timeout * BUSY if timeout else _usual(COMMAND_SECONDS)
    start = time.monotonic()
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=_environ(env), cwd=cwd,
                          pass_fds=pass_fds, **popen) as p:
        try:
            out, err = p.communicate(_bytes(input), timeout)
        except subprocess.TimeoutExpired:
            # Its children first: once orphaned they are no longer its own.
            _kill_descendants(p.pid)
            p.kill()
            out, err = p.communicate()
            fail(f'no end after {timeout} s: '
                 f'{Run(argv, _status(p.returncode), out, err, timeout, True)}')
    _tell_refusal(err)
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
    argv, data = on_backend(argv), _bytes(input)
    timeout = timeout * BUSY if timeout else _usual(COMMAND_SECONDS)
    start, out = time.monotonic(), b''
    pid, fd = _pty.fork()
    if pid == 0:
        with contextlib.suppress(OSError):
            os.execvpe(argv[0], argv, _environ(env) or os.environ)
        os._exit(127)
    while time.monotonic() < start + timeout:
        if data and (until is None or _bytes(until) in out):
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
        fail(f'{argv}: no end after {timeout} s, so far {_cut(out)!r}')
    os.close(fd)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return Run(argv, _status(code), out, b'', time.monotonic() - start)


def mxc(*args, **options):
    """Run the program under test; options as for run(), tty=True for pty()."""
    go = pty if options.pop('tty', False) else run
    return go([MXC, *args], **options)


def mxc_args(argv, *, ro=(), rw=(), deny=(), env=(), cwd=None, policy=None,
             flags=()):
    """`run ... -- argv` with the grants as flags; a dict is a policy file."""
    args = ['run']
    if policy is not None:
        if isinstance(policy, dict):
            policy = write(f'policy-{os.urandom(4).hex()}.json',
                           json.dumps(policy))
        args += ['--policy', policy]
    for flag, paths in (('--ro', ro), ('--rw', rw), ('--deny', deny)):
        for path in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
            args += [flag, path]
    if isinstance(argv[0], Probe):
        args += ['--ro', PROBES.absolute()]
    for key, value in dict(env).items():
        args += ['--env', f'{key}={value}']
    if cwd is not None:
        args += ['--cwd', cwd]
    return [*args, *flags, '--', *argv]


def inside(what, *, input=b'', timeout=None, tty=False, host_env=None,
           until=None, pass_fds=(), **grants):
    """Run a command (list), or Python probe (str), in the sandbox."""
    more = {'until': until} if tty else {'pass_fds': pass_fds}
    return mxc(*mxc_args(_argv(what), **grants), input=input, timeout=timeout,
               tty=tty, env=host_env, **more)


def outside(what, *, input=b'', timeout=None, tty=False, env=None, **more):
    """Run the same on the host: the positive control."""
    go = pty if tty else run
    return go(_argv(what), input=input, timeout=timeout, env=env, **more)


def attack(what, *, refused, control=True, reset=None, **grants):
    """The attack must work outside and be refused with that errno inside.

    refused is an errno name or a tuple of them.  reset() is called between
    the two, to undo what the control did.  control=False is for what would
    harm this host or what only a test's own comment can justify; say why.
    """
    if control:
        r = outside(what)
        if not r.done:
            said = r.err.strip().splitlines()[-1:] or [repr(r)]
            skip(f'outside the sandbox too: {said[0]}')
        if reset:
            reset()
    r = inside(what, **grants)
    wanted = (refused,) if isinstance(refused, str) else tuple(refused)
    if r.done or r.refused not in wanted:
        fail(f'want refused {" or ".join(wanted)}, got '
             f'{"done" if r.done else r.refused}: {r}')
    return r


# --- probes ----------------------------------------------------------------

_PRELUDE = '''\
import ctypes, errno, fcntl, os, signal, socket, stat, struct, sys, time
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    """A libc function or, by number, a system call; raises OSError."""
    args = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    if isinstance(name, int):
        r = libc.syscall(ctypes.c_long(name), *args)
    else:
        r = getattr(libc, name)(*args)
    if r == -1:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))
    return r
try:
'''
_EPILOGUE = '''
except OSError as e:
    print("refused", errno.errorcode.get(e.errno, e.errno or type(e).__name__))
    print(e, file=sys.stderr)
    sys.exit(9)
print("done")
'''


class Probe(str):
    """A compiled probe: granted read-only to the sandbox where it runs."""


def pyprobe(code):
    """argv of a Python probe: 'done', or 'refused ENAME' and status 9."""
    body = textwrap.indent(textwrap.dedent(code).strip(), '    ')
    return [PYTHON, '-I', '-c', _PRELUDE + body + _EPILOGUE]


def cprobe(source, *args):
    """argv of a static C probe, from a file name or from the text itself.

    tests/lib/probe.h (included for you in text) has TRY() and DONE().
    """
    if source.endswith('.c'):
        source = (pathlib.Path(sys.argv[0]).resolve().parent /
                  source).read_text()
    elif '#include "probe.h"' not in source:
        source = '#include "probe.h"\n' + source
    header = TOP / 'tests/lib/probe.h'
    key = hashlib.sha256((source + header.read_text()).encode()).hexdigest()
    target = PROBES / key[:16]
    if not target.exists():
        PROBES.mkdir(parents=True, exist_ok=True)
        new = PROBES / f'{key[:16]}.{os.getpid()}'
        # Static: the sandbox under test may have no libraries to show.
        r = run(['gcc', '-std=gnu11', '-O1', '-static', '-pthread', '-w',
                 f'-I{header.parent}', '-x', 'c', '-', '-o', new],
                input=source)
        r.ok()
        new.rename(target)
    return [Probe(target.absolute()), *args]


def _argv(what):
    if isinstance(what, Probe):
        return [what]
    return pyprobe(what) if isinstance(what, str) else list(what)


# --- the host's side -------------------------------------------------------

def write(name, text='', mode=None):
    """A file below the test's directory (or anywhere); answers its path."""
    path = pathlib.Path.cwd() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_bytes(text))
    if mode is not None:
        path.chmod(mode)
    return path


def read(name):
    return pathlib.Path(name).read_text(errors='surrogateescape')


class Listener:
    """A canary socket of the host; .got is what reached it.

    Listener() is TCP on 127.0.0.1, Listener('/path') a unix socket, with a
    leading '@' an abstract one; udp=True for datagrams on 127.0.0.1.
    """

    def __init__(self, name=None, udp=False):
        family = socket.AF_UNIX if name else socket.AF_INET
        self.sock = socket.socket(
            family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        self.udp, self.got = udp, []
        if name:
            name = os.fspath(name)
            self.sock.bind('\0' + name[1:] if name[0] == '@' else name)
        else:
            self.sock.bind(('127.0.0.1', 0))
            self.port = self.sock.getsockname()[1]
        if not udp:
            self.sock.listen(16)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                if self.udp:
                    self.got.append(self.sock.recv(4096))
                    continue
                peer, _ = self.sock.accept()
                self.got.append(b'')
                peer.settimeout(1)
                with peer, contextlib.suppress(OSError):
                    self.got[-1] = peer.recv(4096)


def descriptors(pid):
    """{number: what it leads to} of a process; some close meanwhile."""
    found = {}
    for fd in os.listdir(f'/proc/{pid}/fd'):
        with contextlib.suppress(FileNotFoundError):
            found[fd] = os.readlink(f'/proc/{pid}/fd/{fd}')
    return found


def processes():
    """{pid: (ppid, name)} of every process on this host."""
    table = {}
    for entry in os.listdir('/proc'):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            text = read(f'/proc/{entry}/stat')
            name, rest = text[text.index('(') + 1:].rsplit(')', 1)
            if rest.split()[0] not in 'ZX':
                table[int(entry)] = (int(rest.split()[1]), name)
    return table


def descendants(pid=None):
    """{pid: name} of all living processes that this test started.

    The test is a subreaper, so that an orphan too stays in its family.
    """
    table, family = processes(), {}
    seen = {pid or os.getpid()}
    while True:
        new = {p for p, (parent, _) in table.items()
               if parent in seen and p not in seen | kept}
        if not new:
            return family
        seen |= new
        family.update({p: table[p][1] for p in new})


def _is_anothers(path):
    """In the directory of a test that runs beside this one?"""
    m = re.match(r'/tmp/mxc-test-\w+/', path)
    return m and not os.environ['HOME'].startswith(m.group())


def host_state():
    """What a sandbox must not leave on the host: see leaves_nothing().

    Mounts of this namespace, System V objects, and cgroups with our name.
    """
    mounts = sorted(path for line in read('/proc/self/mountinfo').splitlines()
                    if not _is_anothers(path := line.split()[4]))
    ipc = [f'{k} {line.split()[1]}' for k in ('shm', 'sem', 'msg')
           for line in read(f'/proc/sysvipc/{k}').splitlines()[1:]]
    groups = sorted(d for d, _, _ in os.walk('/sys/fs/cgroup')
                    if 'mxc' in os.path.basename(d))
    return {'mounts': mounts, 'ipc': ipc, 'cgroups': groups}


def leaves_nothing(before, look=host_state):
    """The host has nothing that it had not when look() was `before`.  What
    others make on it meanwhile goes again."""
    def more():
        return {k: new for k, now in look().items()
                if (new := [x for x in now if x not in before[k]])}
    eventually(lambda: not more(), 5, lambda: f'left on the host: {more()}')


def temporary():
    """Files of ours where programs like to leave some."""
    runtime = os.environ.get('XDG_RUNTIME_DIR', f'/run/user/{os.geteuid()}')
    return sorted(os.path.join(d, name)
                  for d in ('/tmp', '/dev/shm', '/run', runtime)
                  if os.path.isdir(d) and os.access(d, os.R_OK)
                  for name in os.listdir(d) if name.startswith('mxc')
                  # Folders of tests, a bench or a demo that run beside us.
                  and not re.fullmatch(r'mxc-[a-z]+-\w{6,8}', name))


def saw(kind, name, what):
    """Tell tools/run-tests what was observed, for the pages made of it."""
    print('saw: ' + json.dumps([kind, name, what]))


# --- the harness -----------------------------------------------------------

def _prctl(option, value):
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), 'prctl')


def _kill_descendants(pid=None):
    for victim in descendants(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)


def _reap():
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _no_leftovers():
    end = time.monotonic() + GRACE * BUSY
    while left := descendants():
        if time.monotonic() > end:
            _kill_descendants()
            fail(f'processes left behind: {left}')
        time.sleep(0.005)
        _reap()


def _one(fn, home, seconds):
    """In the test's own process: run it and exit."""
    # Linux keeps orphans of the test under it, and ends it with the harness.
    _prctl(36, 1)                # PR_SET_CHILD_SUBREAPER
    _prctl(1, signal.SIGKILL)    # PR_SET_PDEATHSIG
    # nohup(1) has it ignored, which is handed on to all that starts here.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # The harness waits a little longer; this one shows where a test hangs.
    signal.signal(signal.SIGALRM, _late)
    signal.alarm(seconds * BUSY)
    os.chdir(home)
    os.mkdir('home')
    os.environ['HOME'] = os.path.join(home, 'home')
    status = 1
    try:
        for begin in before_each:
            begin()
        fn()
        _no_leftovers()
        status = 0
    except Skip as e:
        print(f'skip: {e}')
        status = SKIP_STATUS
    except Failed as e:
        frames = [f for f in traceback.extract_tb(e.__traceback__)
                  if f.filename != __file__]
        at = frames[-1] if frames else None
        print(f'{at.filename}:{at.lineno}: {at.line}' if at else '?')
        print(e)
    except BaseException:  # SystemExit too: only a return is a pass
        traceback.print_exc(file=sys.stdout)
    _kill_descendants()
    sys.stdout.flush()
    os._exit(status)


def _late(*_):
    raise Failed('the test took too long')


def _wait(pid, seconds):
    fd = os.pidfd_open(pid)
    ready = select.select([fd], [], [], seconds)[0]
    os.close(fd)
    if not ready:
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _remove(path):
    """A test may leave directories without permissions."""
    seen = set()

    def again(fn, name, _):
        with contextlib.suppress(OSError):
            if name != path:   # above it nothing is the test's
                os.chmod(os.path.dirname(name), 0o700)
            os.chmod(name, 0o700)
            if fn is not os.open:
                fn(name)
            elif name not in seen:   # a directory that it would have entered
                seen.add(name)
                shutil.rmtree(name, onerror=again)
    shutil.rmtree(path, onerror=again)


def _run_test(number, name, fn, seconds):
    home = os.path.realpath(tempfile.mkdtemp(prefix='mxc-test-'))
    os.chmod(home, 0o755)
    with tempfile.TemporaryFile('w+', errors='replace') as log:
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            os.dup2(os.open('/dev/null', os.O_RDONLY), 0)
            _one(fn, home, seconds)
        code = _wait(pid, seconds * BUSY + 10)
        _kill_descendants()
        _reap()
        log.seek(0)
        text = log.read()
    _remove(home)
    known = backends.known(use_backend.name, sys.argv[0], name)
    for key, entry in known.items():
        if entry.some and code == 0:
            _spared.add(key)
    known = {key: entry for key, entry in known.items()
             if code != SKIP_STATUS and not (entry.some and code == 0)}
    if known:
        return _verdict(number, name, known, code, text)
    if code == SKIP_STATUS:
        reason = text.rsplit('skip: ', 1)[-1].strip().replace('\n', ' ')
        print(f'ok {number} - {name} # SKIP {reason}', flush=True)
        return True
    _tell(text, code)
    print(f'{"ok" if code == 0 else "not ok"} {number} - {name}', flush=True)
    return code == 0


def _tell(text, code):
    if code < 0:
        print(f'# ended by signal {-code}')
    for line in text.splitlines():
        if code != 0 or line.startswith('saw: '):
            print(f'# {line}')


def _verdict(number, name, known, code, text):
    """Of a test that is known to end differently: so, and for that reason."""
    for key, entry in known.items():
        if code != 0 and backends.is_seen(entry, text):
            _found.add(key)
            print(f'ok {number} - {name} # KNOWN {entry.kind}: {entry.why}',
                  flush=True)
            return True
    _tell(text, code)
    for entry in known.values():
        print(f'# known as {entry.kind} by {entry.says!r}, which was not seen: '
              'see KNOWN in tests/lib/backends.py')
    print(f'not ok {number} - {name}', flush=True)
    return False


def _chosen(words):
    """Leave out what another pass of tools/run-tests does run."""
    me, sole = 'root' if IS_ROOT else 'user', 'MXC_TEST_PASSES' not in os.environ
    for name, fn, seconds, only in _tests:
        if words and not any(w in name for w in words):
            continue
        if only in (None, me):
            yield name, fn, seconds
        elif sole:
            yield name, lambda o=only: skip(f'runs as {o} only'), seconds


def _own_runtime():
    """A session's place is in the test's own directory."""
    path = os.path.join(os.getcwd(), 'home', '.runtime')
    os.mkdir(path, 0o700)
    os.environ['XDG_RUNTIME_DIR'] = path


def main():
    if 'MXC_IN_SESSION' in os.environ:
        before_each.insert(0, _own_runtime)
    words = [a for a in sys.argv[1:] if a != '-l']
    chosen = list(_chosen(words))
    if backends.has_image(use_backend.name):
        import images
        images.serve(use_backend.name)
    if '-l' in sys.argv:
        print(*(name for name, _, _ in chosen), sep='\n')
        return
    gone = backends.stale(use_backend.name, sys.argv[0],
                          [name for name, *_ in _tests])
    if gone:
        print(f'Bail out! KNOWN names what is no test: {gone}')
        sys.exit(1)
    _prctl(36, 1)
    os.umask(0o022)
    print(f'TAP version 13\n1..{len(chosen)}', flush=True)
    results = [_run_test(n, *case) for n, case in enumerate(chosen, 1)]
    if not words and _spared - _found:
        print('Bail out! KNOWN has what ends as everywhere: '
              f'{sorted(_spared - _found)}')
        sys.exit(1)
    sys.exit(0 if all(results) else 1)


# Not errno, os, json and the like: a test file imports what it uses.
__all__ = '''test cases skip need fail check eq has lacks eventually Run run
spawn own_mounts pty mxc mxc_args inside outside attack Probe pyprobe cprobe write read
Listener processes descriptors descendants host_state leaves_nothing temporary saw
use_backend own_base on_backend rounds slow start_ms main TOP MXC IS_ROOT PYTHON'''.split()
