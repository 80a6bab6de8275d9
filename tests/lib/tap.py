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
With $MXC_DENIALS each `mxc run` has --denials.
$MXC_BACKEND, if there is one, is the backend of each `mxc run`; where a test
ends differently on it, KNOWN of backends.py says how and why.  With
$MXC_IN_SESSION each `mxc run` is a command of a session of its own.

This file runs the tests.  What they are given by it comes from checks.py,
host.py, running.py and probes.py; what each `mxc run` is told, from each_run.py.
"""

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import backends
import checks
import each_run
import host
import probes
import running
from checks import (
    BUSY, Failed, Skip, TooSlow, check, eq, eventually, fail, has, lacks, need,
    skip, within)
from each_run import (
    MXC, TOP, InSession, on_backend, own_base, rounds, slow, start_ms,
    use_backend, usual)
from host import (
    IS_ROOT, Listener, descendants, descriptors, host_state, kept,
    kill_descendants, leaves_nothing, processes, read, temporary, write)
from probes import (
    PYTHON, Probe, argv_of, attack, cprobe, inside, killed_when_ready, mxc_args,
    outside, pyprobe)
from running import Run, mxc, own_mounts, pty, run, spawn

SKIP_STATUS = 77
SLOW_STATUS = 78
# How often one that took longer than it may is tried.
TRIES = 3
# What a test may take that says nothing else.
SECONDS = 60
# How long after a test its processes may still be on their way out.
GRACE = 2.0

# What each test's process calls before the test.
before_each = []

_tests = []
# Keys of KNOWN for which a test ended differently, or need not have.
_found, _spared = set(), set()
_libc = ctypes.CDLL(None, use_errno=True)
# Their lines say nothing of where a test failed.
_OURS = {__file__, *(m.__file__ for m in (checks, each_run, host, probes,
                                          running))}


# --- declaring tests -------------------------------------------------------

def test(fn=None, *, seconds=None, only=None):
    """Register a test.  only='root' or only='user' ties it to that caller."""
    def add(f):
        _tests.append((f.__name__, f, seconds or usual(SECONDS), only))
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


def saw(kind, name, what):
    """Tell tools/run-tests what was observed, for the pages made of it."""
    print('saw: ' + json.dumps([kind, name, what]))


# --- the harness -----------------------------------------------------------

def _prctl(option, value):
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), 'prctl')


def _reap():
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _no_leftovers():
    end = time.monotonic() + GRACE * BUSY
    while left := descendants():
        if time.monotonic() > end:
            kill_descendants()
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
        InSession.check()
        status = 0
    except Skip as e:
        print(f'skip: {e}')
        status = SKIP_STATUS
    except Failed as e:
        if isinstance(e, TooSlow):
            status = SLOW_STATUS
        frames = [f for f in traceback.extract_tb(e.__traceback__)
                  if f.filename not in _OURS]
        at = frames[-1] if frames else None
        print(f'{at.filename}:{at.lineno}: {at.line}' if at else '?')
        print(e)
    except BaseException:  # SystemExit too: only a return is a pass
        traceback.print_exc(file=sys.stdout)
    kill_descendants()
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


def _try(fn, seconds):
    """One run of a test: its exit code and what it printed."""
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
        kill_descendants()
        _reap()
        log.seek(0)
        text = log.read()
    _remove(home)
    return code, text


def _run_test(number, name, fn, seconds):
    for _ in range(TRIES):
        code, text = _try(fn, seconds)
        if code != SLOW_STATUS:
            break
    known = backends.known(_kept_as(), sys.argv[0], name)
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


def _kept_as():
    """The key of KNOWN."""
    return backends.SESSION if InSession.program else use_backend.name


def _prepare_sessions():
    InSession.program = str(cprobe(str(TOP / 'tests/lib/in_session.c'))[0])
    before_each.insert(0, InSession.own_places)


def main():
    if 'MXC_IN_SESSION' in os.environ:
        reason = backends.not_in_session(sys.argv[0])
        if reason:
            print(f'1..0 # SKIP {reason}')
            return
        _prepare_sessions()
    words = [a for a in sys.argv[1:] if a != '-l']
    chosen = list(_chosen(words))
    if backends.has_image(use_backend.name):
        import images
        images.serve(use_backend.name)
    if '-l' in sys.argv:
        print(*(name for name, _, _ in chosen), sep='\n')
        return
    gone = backends.stale(_kept_as(), sys.argv[0],
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
__all__ = '''test cases skip need fail check eq has lacks eventually within Run run
spawn own_mounts pty mxc mxc_args inside outside attack killed_when_ready Probe
pyprobe cprobe write read Listener processes descriptors descendants host_state leaves_nothing temporary saw
use_backend own_base on_backend rounds slow start_ms main TOP MXC IS_ROOT PYTHON'''.split()
