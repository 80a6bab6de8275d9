#!/usr/bin/env python3
"""libmxc, called from Python: sandboxes, and what the caller does not
notice."""

import ctypes
import hashlib
import json
import os
import select
import signal
import sys
import threading
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
import sanitizer  # noqa: E402
from libmxc import *  # noqa: E402,F403
from libmxc import lib, run_it as go  # noqa: E402


def fds():
    return sorted(os.listdir('/proc/self/fd'))


def resident():
    """Kilobytes of this process's own."""
    for line in open('/proc/self/status', encoding='ascii'):
        if line.startswith('RssAnon:'):
            return int(line.split()[1])


def read_all(fd):
    out = b''
    while piece := os.read(fd, 65536):
        out += piece
    return out


# --- sandboxes ---------------------------------------------------------------

@test
def streams_are_pipes():
    with Box('read x; echo "<$x>"; echo err >&2; cat >/dev/null; exit 4',
             stdio=PIPE) as box:
        os.write(box.fd('stdin'), b'hello\n')
        eq(os.read(box.fd('stdout'), 100), b'<hello>\n')
        eq(os.read(box.fd('stderr'), 100), b'err\n')
        eq(box.wait(0), 0)
        eq(box.json(), None)
        mine = box.fd('take_stdin')
        eq(box.fd('stdin'), -1)
        eq(box.fd('take_stdin'), -1)
        os.close(mine)
        eq((box.wait(), box.status.exit_code), (EXITED, 4))
        eq((box.wait(), box.wait(0)), (EXITED, EXITED), 'the same answer')
        eq(box.json()['exitCode'], 4)
        eq(box.fd('events'), -1)


@test
def streams_are_nothing():
    with Box('readlink /proc/self/fd/0 /proc/self/fd/1; cat; exit 3') as box:
        eq([box.fd(n) for n in ('stdin', 'stdout', 'stderr')], [-1] * 3)
        eq((box.wait(), box.status.exit_code), (EXITED, 3))


@test
def streams_are_the_caller_s():
    r, w = os.pipe()
    with Box('echo out; echo err >&2; cat', stdio=FDS, stdout_fd=w,
             stderr_fd=w) as box:
        os.close(w)
        eq(box.wait(), EXITED)
        eq(read_all(r), b'out\nerr\n')
    os.close(r)


@test
def descriptors_that_stand_in_each_other_s_way():
    """The supervisor's numbers are the caller's too."""
    r, w = os.pipe()
    for low in (0, 1, 2, 3, 4, 5, 6, 7, 8):
        if low not in (r, w):
            os.dup2(w, low)
    with Box('echo one; echo two >&2', stdio=FDS, stdout_fd=2,
             stderr_fd=0) as box:
        eq(box.wait(), EXITED)
    eq(sorted(os.read(r, 100).split()), [b'one', b'two'])


@test
def nothing_of_the_caller_s_is_inherited():
    secret = os.open('secret', os.O_CREAT | os.O_RDWR)
    os.set_inheritable(secret, True)
    os.environ['SECRET'] = 'x'
    with Box('echo up; cat', stdio=PIPE) as box:
        pid = box.fd('pid')
        read_to(box.fd('stdout'), b'up')
        links = [os.readlink(f'/proc/{pid}/fd/{n}')
                 for n in os.listdir(f'/proc/{pid}/fd')]
        lacks(' '.join(links), 'secret')
        eq(open(f'/proc/{pid}/environ').read(), '')
        state = open(f'/proc/{pid}/status').read()
        ignored = int(state.split('SigIgn:')[1].split()[0], 16)
        # libc has 32 and 33 to itself, and offers no way to set them.
        eq(ignored & ~(3 << 31), 0x1001000, 'SIGPIPE, SIGXFSZ alone')


@test
def a_terminal():
    with Box('tty; stty size; read x; stty size; echo "<$x>"; exit 2',
             stdio=PTY, rows=33, columns=111) as box:
        eq(box.fd('stderr'), -1)
        read_to(box.fd('stdout'), b'33 111')
        box.order('resize', 20, 60)
        os.write(box.fd('stdin'), b'typed\r')
        out = read_to(box.fd('stdout'), b'<typed>')
        has(out, b'20 60')
        eq((box.wait(), box.status.exit_code), (EXITED, 2))
    with Box('stty size', stdio=PTY) as box:
        read_to(box.fd('stdout'), b'24 80')
        for rows, columns in ((0, 1), (1, 0), (32768, 1), (1, 65535)):
            refused(MALFORMED, 'size', box.order, 'resize', rows, columns)
    with Box('sleep 9') as box:
        refused(MALFORMED, 'no terminal', box.order, 'resize', 1, 1)


@test
def signals_and_kill():
    with Box('trap "exit 5" USR1; ' + LOOP, stdio=PIPE) as box:
        read_to(box.fd('stdout'), b'up')
        for bad in (0, -1, 65, 1 << 20):
            refused(MALFORMED, 'signal', box.order, 'signal', bad)
        box.order('signal', signal.SIGUSR1)
        eq((box.wait(), box.status.exit_code), (EXITED, 5))
        refused(ALREADY_STOPPED, 'ended', box.order, 'signal', 9)
        box.order('kill')
    with Box('sleep 50') as box:
        box.order('kill')
        eq((box.wait(), box.status.exit_code), (KILLED, 137))
        box.order('kill')


@test
def a_kill_ends_the_wait_for_a_slow_reader():
    """The workload has ended, and its supervisor holds what nobody reads."""
    with Box('head -c 300000 /dev/zero; exit 7', stdio=PIPE,
             sections={'limits': {'outputBytes': 10 << 20}}) as box:
        supervisor = box.fd('pid')
        os.read(box.fd('stdout'), 1)
        eventually(lambda: not descendants(supervisor), 20, 'its end')
        eq((box.wait(500), box.json()), (0, None), 'nobody has read it')
        start = time.monotonic()
        box.order('kill')
        eq((box.wait(), box.status.exit_code), (KILLED, 137))
        check(time.monotonic() - start < 10, 'the order is followed at once')
        said = box.json()
        eq((said['outcome'], said['exitCode']), ('killed', 137))
        has(said['error']['message'], 'not all of the output was passed on')
        check(len(read_all(box.fd('stdout'))) < 300000, 'all of it arrived')
        box.order('kill')


@test
def wait_fd_is_readable_at_the_end_and_not_before():
    with Box('sleep 0.4; exit 1', stdio=PIPE) as box:
        fd = box.fd('wait_fd')
        eq(select.select([fd], [], [], 0.1)[0], [])
        eq(box.wait(0), 0)
        eq(select.select([fd], [], [], 10)[0], [fd])
        eq((box.wait(0), box.status.exit_code), (EXITED, 1))
        eq(select.select([fd], [], [], 0)[0], [fd])


@test
def wait_takes_no_longer_than_it_is_told():
    with Box('sleep 50') as box:
        start = time.monotonic()
        eq(box.wait(200), 0)
        check(0.19 < time.monotonic() - start < 20)


@test
def failures_are_the_wait_s():
    with Box({'commandLine': 'true', 'cwd': '/nowhere'}) as box:
        eq(box.wait(), FAILED)
        eq((box.failed, box.error.code), (-1, BACKEND))
        has(box.error.message, b'/nowhere')
        eq(box.status.exit_code, 125)
    with Box('sleep 50') as box:
        os.kill(box.fd('pid'), signal.SIGKILL)
        eq((box.wait(), box.failed), (FAILED, -1))
        has(box.error.message, b'without a result')
        eq(box.json()['outcome'], 'failed')


@test
def events_come_while_it_runs():
    with Box("bash -c 'exec 3<>/dev/tcp/198.51.100.7/80'; sleep 50", NET,
             events=1) as box:
        lines = read_to(box.fd('events'), b'"denied"').splitlines()
        eq(json.loads(lines[0])['event'], 'started')
        eq(box.wait(0), 0)
        box.order('kill')
        eq(box.wait(), KILLED)
        eq(box.json()['denials'][0]['port'], 80)


@test
def what_was_used_and_what_was_refused():
    file, other = str(write('in/file', 'x')), str(write('other', 'x'))
    grant = {'filesystem': {'readonlyPaths': [file]}}
    for option in ('denials', 'accesses'):
        with Box(f'cat {file} {other}', grant, **{option: 1}) as box:
            eq(box.wait(), EXITED)
            result = box.json()
        has([d.get('resolved') for d in result['denials']], other)
        eq([(a['operation'], a['resolved']) for a in
            result.get('accesses', [])],
           [('read', file)] if option == 'accesses' else [])


@test
def destroy_kills_what_runs():
    box = Box('sleep 50', stdio=PIPE)
    pid, before = box.fd('pid'), time.monotonic()
    box.destroy()
    check(time.monotonic() - before < 20)
    check(not os.path.exists(f'/proc/{pid}') or
          eventually(lambda: not os.path.exists(f'/proc/{pid}')))
    lib.sandbox_destroy(None)
    lib.sandbox_forget(None)


@test
def a_supervisor_that_was_stopped_is_no_hindrance():
    box = Box('sleep 50')
    os.kill(box.fd('pid'), signal.SIGSTOP)
    eq(box.wait(200), 0, 'it cannot tell of an end')
    eq(lib.sandbox_kill(box.box, None), 0)
    eq(box.wait(), KILLED, 'it goes on, and obeys')
    box.destroy()


# --- the process that calls --------------------------------------------------

@test
def nothing_of_the_process_changes():
    class Sigset(ctypes.Structure):
        _fields_ = [('bits', ctypes.c_ulong * 16)]
    seen = []
    signal.signal(signal.SIGCHLD, lambda *_: seen.append(1))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)

    def state():
        keep = ('Sig', 'Shd', 'Threads', 'NoNewPrivs', 'Seccomp', 'Cap')
        with open('/proc/self/status', encoding='ascii') as f:
            # Not what all processes of the user have queued.
            rows = [s for s in f
                    if s.startswith(keep) and not s.startswith('SigQ')]
        return rows, fds(), os.getcwd(), dict(os.environ), os.umask(0o22)
    go('true')
    before = state()
    go('cat', input=b'x' * (1 << 20))
    go('exec <&-', input=b'x' * (1 << 20))
    with Box('cat', stdio=PIPE) as box:
        eq(box.wait(0), 0)
        if init_buries():
            try:
                fail(f'a child that shows: {os.waitpid(-1, os.WNOHANG)}')
            except ChildProcessError:
                pass
    eq(state(), before)
    if init_buries():
        eq(seen, [], 'SIGCHLD')


def init_buries():
    """Unless the test's own process is whom orphans go to."""
    PR_GET_CHILD_SUBREAPER = 37
    value = ctypes.c_int()
    ctypes.CDLL(None).prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(value))
    with open('/proc/1/status', encoding='ascii') as f:
        text = f.read()
    rows = dict(s.split(':\t', 1) for s in text.splitlines() if ':\t' in s)
    sees = any(int(rows[k], 16) >> 16 & 1
               for k in ('SigCgt', 'SigBlk', 'SigIgn'))
    return not value.value and (sees or rows['Threads'].strip() != '1')


@test
def a_limit_on_files_is_an_error_and_no_signal():
    import resource
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    e = refused(BACKEND, 'plan', go)
    eq(e.operation, b'write(2)')


@test
def a_signal_that_was_pending_stays_so():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPIPE])
    os.kill(os.getpid(), signal.SIGPIPE)
    go('exec <&-', input=b'x' * (1 << 20))
    eq(signal.sigpending(), {signal.SIGPIPE})


@test
def directory_stands_for_the_caller_s():
    os.mkdir('w')
    here = {'filesystem': {'readonlyPaths': [os.getcwd()]}}
    eq(go('pwd', here).out.decode().strip(), os.getcwd())
    eq(go('pwd', here, directory=os.fsencode(os.path.abspath('w'))
          ).out.decode().strip(), os.path.abspath('w'))
    os.mkdir('gone')
    os.chdir('gone')
    os.rmdir('../gone')
    eq(go('pwd').code, 0)


@test
def a_thread_may_end_and_its_sandbox_goes_on():
    boxes = []
    t = threading.Thread(target=lambda: boxes.append(
        Box('sleep 0.5; exit 6', stdio=PIPE)))
    t.start()
    t.join()
    with boxes[0] as box:
        eq((box.wait(), box.status.exit_code), (EXITED, 6))


@test(seconds=180)
def eight_threads():
    wrong = []

    def work(n):
        for i in range(25):
            e = go(f'cat; exit {n}', input=b'%d %d' % (n, i))
            if (e.code, e.out) != (n, b'%d %d' % (n, i)):
                wrong.append((n, i, e.code, e.out, e.err))
    before = fds()
    threads = [threading.Thread(target=work, args=[n]) for n in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    eq(wrong, [])
    eq(fds(), before)


@test
def several_threads_wait_for_one():
    with Box('sleep 0.3; exit 9', stdio=PIPE) as box:
        got = []

        def wait():
            status, error = Status(), Error()
            lib.sandbox_wait(box.box, -1, ctypes.byref(status),
                             ctypes.byref(error))
            got.append(status.exit_code)
        threads = [threading.Thread(target=wait) for _ in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        eq(got, [9] * 6)


def in_child(what):
    pid = os.fork()
    if pid == 0:
        try:
            what()
        finally:
            os._exit(0)
    return pid


@test
def a_fork_may_forget():
    with Box('cat; exit 8', stdio=PIPE) as box:
        before = fds()
        pid = in_child(lambda: lib.sandbox_forget(box.box))
        eq(os.waitpid(pid, 0)[1], 0)
        eq(fds(), before)
        eq(box.wait(100), 0, 'it runs on')
        os.close(box.fd('take_stdin'))
        eq((box.wait(), box.status.exit_code), (EXITED, 8))


def heart(**fields):
    """A sandbox of a child of ours; answers the child and its supervisor."""
    r, w = os.pipe()

    def live():
        box = Box('sleep 50', **fields)
        os.write(w, str(box.fd('pid')).encode())
        if 'detached' in fields:
            lib.sandbox_forget(box.box)
            os._exit(0)
        signal.signal(signal.SIGUSR1, lambda *_: os.execv(
            '/bin/sleep', ['sleep', '50']))
        while True:
            signal.pause()
    pid = in_child(live)
    supervisor = int(os.read(r, 100))
    os.close(r)
    os.close(w)
    return pid, supervisor


def is_running(pid):
    try:
        with open(f'/proc/{pid}/stat', encoding='ascii') as f:
            return f.read().rsplit(')')[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False


@test
def it_ends_with_its_caller():
    for how in (signal.SIGKILL, signal.SIGUSR1):
        pid, supervisor = heart()
        check(is_running(supervisor))
        time.sleep(0.1)
        os.kill(pid, how)
        eventually(lambda: not is_running(supervisor), 5, f'after {how}')
        if how == signal.SIGUSR1:
            check(is_running(pid), 'control: it executed another program')
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@test
def detached_it_goes_on():
    pid, supervisor = heart(detached=1)
    os.waitpid(pid, 0)
    time.sleep(0.3)
    check(is_running(supervisor))
    os.kill(supervisor, signal.SIGTERM)
    eventually(lambda: not is_running(supervisor))


# --- much ----------------------------------------------------------------------

@test(seconds=120)
def a_hundred_megabytes_arrive_whole():
    with Box('head -c 100000000 /dev/zero | tr "\\0" x', stdio=PIPE) as box:
        sum_, n = hashlib.sha256(), 0
        while piece := os.read(box.fd('stdout'), 1 << 20):
            sum_.update(piece)
            n += len(piece)
        eq((n, box.wait()), (100000000, EXITED))
        eq(sum_.hexdigest(),
           hashlib.sha256(b'x' * 100000000).hexdigest())


@test(seconds=240)
def five_hundred_runs_leave_nothing():
    def some(n):
        for i in range(n):
            e = go('cat', input=b'%d' % i)
            eq(e.out, b'%d' % i)
            if i % 25 == 0:
                with Box('cat', stdio=PIPE, events=1) as box:
                    eq(box.wait(0), 0)
                refused(VALIDATION, '', go, sections={
                    'filesystem': {'readonlyPaths': ['/nope']}})
    some(50)
    before, memory = fds(), resident()
    some(500)
    eq(fds(), before)
    after = resident()
    # ASan keeps what was freed, so that its use is seen.
    if not sanitizer.is_sanitized(LIBRARY):
        check(after < memory + 512, f'{memory} kB became {after} kB')

if lib is None:
    print(f'1..0 # SKIP no {LIBRARY}')
    sys.exit(0)
main()
