#!/usr/bin/env python3
"""Ends of all kinds: whoever is killed, the workload is gone at once and
nothing is left (H6, H7; W14, W18, W28).

The workload writes the time of day, which is one inside and outside, into
a mapped file without pause: its last heartbeat tells when it stopped running.

tap: quiet  tap: seconds=900
"""

import contextlib
import json
import mmap
import os
import signal
import statistics
import struct
import subprocess
import sys
import threading
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403

TRIES = 7
MEDIAN, WORST = 0.100, 1.0

HEART = '''
#include <time.h>
int main(int argc, char **argv)
{
    int fd = TRY(open(argv[1], O_RDWR));
    volatile uint64_t *beat = TRY(mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                                       MAP_SHARED, fd, 0));
    struct timespec t;

    /* Nothing but SIGKILL ends it, and it has children that beat too. */
    for (int sig = 1; sig < 32; sig++)
        signal(sig, SIG_IGN);
    for (int i = 0; i < 2; i++)
        if (fork() == 0) {
            setsid();
            break;
        }
    for (;;) {
        clock_gettime(CLOCK_REALTIME, &t);
        *beat = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    }
}
'''


class Heart:
    """A file that the workload beats into."""

    def __init__(self):
        os.makedirs('w', exist_ok=True)
        self.path = write('w/heart', bytes(4096).decode())
        with open(self.path, 'r+b') as f:
            self.map = mmap.mmap(f.fileno(), 4096)

    def last(self):
        return struct.unpack('Q', self.map[:8])[0] / 1e9

    def wait_for_start(self):
        self.map[:8] = bytes(8)
        eventually(lambda: self.last() > 0, 10, 'the workload runs')

    def command(self, **grants):
        return [MXC, *mxc_args([*cprobe(HEART), self.path], rw='w', **grants)]

    def stops_after(self, moment):
        """Seconds that it went on after the moment; waits for silence."""
        eventually(lambda: time.time() - self.last() > 0.2, 5,
                   'the workload has stopped')
        return max(0.0, self.last() - moment)


def host_and_files():
    return {**host_state(), 'temporary': temporary()}


def nothing_left(before):
    eventually(lambda: not descendants(), 2,
               lambda: f'all gone: {descendants()}')
    leaves_nothing(before, host_and_files)


def measure(start, kill):
    """start(heart) starts the thing, kill(thing) ends it; a bound on the
    median and on the worst of several tries (other work on the machine can
    delay one)."""
    before = host_and_files()
    spent = []
    for _ in range(TRIES):
        heart = Heart()
        thing = start(heart)
        heart.wait_for_start()
        moment = time.time()
        kill(thing)
        spent.append(heart.stops_after(moment))
        thing.communicate(timeout=10)
    nothing_left(before)
    print(f'gone after {[round(s * 1000, 1) for s in sorted(spent)]} ms')
    within(max(spent), WORST, 'the worst')
    within(statistics.median(spent), MEDIAN, f'median of {spent}')


@test(seconds=120)
def the_heart_beats_and_stops_only_when_killed():
    """Control: what is measured would show a workload that goes on."""
    heart = Heart()
    p = spawn([*cprobe(HEART), heart.path], stdout=subprocess.DEVNULL,
              stderr=subprocess.DEVNULL)
    heart.wait_for_start()
    p.kill()
    p.wait()
    # Its children were not killed, and the heart tells.
    time.sleep(0.3)
    within(time.time() - heart.last(), 0.2, 'the last beat')
    for pid in descendants():
        os.kill(pid, signal.SIGKILL)
    check(heart.stops_after(time.time()) < 1, 'stopped')


@test(seconds=120)
def h6_supervisor_killed():
    measure(lambda heart: spawn(heart.command()),
            lambda p: p.send_signal(signal.SIGKILL))


@test(seconds=120)
def h6_supervisor_killed_with_a_broker():
    measure(lambda heart: spawn(heart.command(deny='w/absent')),
            lambda p: p.send_signal(signal.SIGKILL))


@test(seconds=120)
def h6_supervisor_killed_in_a_terminal():
    measure(lambda heart: spawn(heart.command(flags=['--tty'])),
            lambda p: p.send_signal(signal.SIGKILL))


@test(seconds=120)
def h6_supervisor_stopped_then_killed():
    def kill(p):
        p.send_signal(signal.SIGSTOP)
        p.send_signal(signal.SIGKILL)
    measure(lambda heart: spawn(heart.command()), kill)


@test(seconds=120)
def h6_supervisor_terminated():
    """A signal that it forwards; this workload ignores all of them, so it is
    the caller's second, SIGKILL, that ends it."""
    def kill(p):
        p.terminate()
        p.kill()
    measure(lambda heart: spawn(heart.command()), kill)


def child_of(pid):
    """Its first that is no gateway: where refusals are told there is one."""
    with open(f'/proc/{pid}/task/{pid}/children') as f:
        words = f.read().split()
    for word in words:
        with contextlib.suppress(OSError):
            if read(f'/proc/{word}/comm') != 'mxc-gateway\n':
                return int(word)
    return None


@test(seconds=120)
def h6_init_killed():
    def kill(p):
        os.kill(child_of(p.pid), signal.SIGKILL)
    measure(lambda heart: spawn(heart.command()), kill)


@test
def h6_init_killed_is_told():
    heart = Heart()
    p = spawn(heart.command(flags=['--json', 'result.json']))
    heart.wait_for_start()
    os.kill(child_of(p.pid), signal.SIGKILL)
    _, err = p.communicate(timeout=10)
    eq(p.returncode, 125)
    has(err.decode(), 'killed from outside before its workload ended')
    result = json.loads(read('result.json'))
    eq((result['outcome'], result['error']['code']),
       ('failed', 'backend_error'))


# A caller that starts mxc as its own child and tells its number.
CALLER = '''
import os, subprocess, sys, time
p = subprocess.Popen(sys.argv[1:])
time.sleep(1000)
'''


def caller(heart, *flags):
    return spawn([PYTHON, '-c', CALLER, *map(os.fspath, heart.command(
        flags=list(flags)))])


@test(seconds=120)
def h6_caller_killed():
    measure(lambda heart: caller(heart, '--die-with-parent'),
            lambda p: p.send_signal(signal.SIGKILL))


@test(seconds=120)
def h6_caller_killed_in_a_terminal():
    measure(lambda heart: caller(heart, '--die-with-parent', '--tty'),
            lambda p: p.send_signal(signal.SIGKILL))


@test
def h6_without_the_flag_a_sandbox_outlives_its_caller():
    heart = Heart()
    p = caller(heart, '--timeout', '1500ms')
    heart.wait_for_start()
    p.kill()
    p.wait()
    time.sleep(0.3)
    within(time.time() - heart.last(), 0.2, 'the last beat')
    heart.stops_after(time.time())
    eventually(lambda: not descendants(), 2, 'gone after its timeout')


# How the caller asks for it: with its own number, or by its session alone.
FOLLOWED = {'--parent': ('--parent', 'PID'),
            '--die-with-parent': ('--die-with-parent',)}


def short_lived(heart, caller, flags):
    """A caller in a session of its own, which ends by itself."""
    return spawn([PYTHON, '-c', 'import os, subprocess, sys, time\n'
                  'me = str(os.getpid())\n'
                  'argv = [me if x == "PID" else x for x in sys.argv[1:]]\n'
                  + caller, *map(os.fspath, heart.command(flags=flags))],
                 start_new_session=True)


@test(seconds=120)
def h6_a_caller_that_ends_meanwhile():
    """The caller ends while mxc starts: nothing may run on."""
    heart = Heart()
    for delay in range(12):
        for flags in FOLLOWED.values():
            p = short_lived(heart, 'p = subprocess.Popen(argv)\n'
                            f'time.sleep({delay / 1000})\n', flags)
            p.communicate(timeout=10)
            eventually(lambda: not descendants(), 1, f'gone, {delay} ms')


# It ends before mxc has done anything at all.
ORPHAN = '''
if os.fork() == 0:
    while str(os.getppid()) == me:
        time.sleep(0.01)
    os.execv(argv[0], argv)
'''


@test
def h6_a_caller_that_is_gone_already():
    heart = Heart()
    heart.map[:8] = bytes(8)
    for name, flags in FOLLOWED.items():
        p = short_lived(heart, ORPHAN, flags)
        _, err = p.communicate(timeout=10)
        eq(heart.last(), 0, 'nothing ran')
        has(err.decode(), 'the caller has ended', name)
        eventually(lambda: not descendants(), 1, f'gone, {name}')
    # Control: so started it would run.
    p = short_lived(heart, ORPHAN, [])
    heart.wait_for_start()
    for pid in descendants():
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    p.communicate(timeout=10)


@test
def h6_a_caller_that_cannot_be_followed():
    """One of another PID namespace has no number here."""
    heart = Heart()
    for flags, want in ((['--die-with-parent'], 'another PID namespace'),
                        (['--parent', '1'], 'the caller has ended: 1 of '
                         '--parent')):
        run(['unshare', '-Urpf', *heart.command(flags=flags)]).failed(
            125, want)
    for wrong in ('0', '-1', 'me', '4294967297'):
        run([MXC, 'run', '--parent', wrong, '--', 'true']).failed(
            125, 'not the number of a process', wrong)


@test
def w18_the_thread_that_started_it_may_end():
    """A parent-death signal is about threads (prctl(2)); mxc's caller is a
    process."""
    found = {}

    def start():
        found['p'] = spawn([MXC, *mxc_args(
            ['sh', '-c', 'echo up; read x; exit 9'],
            flags=['--die-with-parent'])], stdin=subprocess.PIPE)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    p = found['p']
    eq(p.stdout.readline(), b'up\n')
    time.sleep(0.2)
    eq(p.poll(), None, 'still running')
    p.communicate(b'\n', timeout=10)
    eq(p.returncode, 9)


@test(seconds=180)
def h6_supervisor_killed_during_set_up():
    """At moments that move through a whole start: nothing runs, or it ends
    at once, and nothing is left."""
    before = host_and_files()
    heart = Heart()
    started = 0
    for n in range(60):
        heart.map[:8] = bytes(8)
        p = spawn(heart.command(deny='w/absent'))
        time.sleep(0.0002 * n)
        moment = time.time()
        p.kill()
        p.communicate()
        eventually(lambda: not descendants(), 1, f'all gone, try {n}')
        if heart.last():
            started += 1
            within(heart.last() - moment, WORST, f'try {n}')
    print(f'{started} of 60 had started')
    nothing_left(before)


@test(seconds=180)
def h6_launcher_killed_during_set_up():
    """pid 1 dies while it builds: mxc says so, and the workload never ran."""
    before = host_and_files()
    not_run = 0
    for n in range(60):
        if os.path.exists('w/ran'):
            os.unlink('w/ran')
        os.makedirs('w', exist_ok=True)
        result = write('result.json')
        p = spawn([MXC, *mxc_args(
            ['sh', '-c', f'touch {os.getcwd()}/w/ran; exec sleep 100'],
            rw='w', flags=['--json', result])])
        child = None
        while not child and p.poll() is None:
            try:
                child = child_of(p.pid)
            except OSError:
                pass
        time.sleep(0.0001 * n)
        os.kill(child, signal.SIGKILL)
        _, err = p.communicate(timeout=10)
        eq(p.returncode, 125, f'try {n}')
        told = json.loads(read('result.json'))
        # It may have been the gateway, before it had its name.
        has(('failed', 'stopped'), told['outcome'], f'try {n}')
        if 'nothing was run' in told['error']['message']:
            check(not os.path.exists('w/ran'), f'try {n}: {told}')
            not_run += 1
        else:
            has(told['error']['message'], 'the gateway ended before'
                if told['outcome'] == 'stopped' else 'before its workload ended')
        has(err.decode(), told['error']['message'])
    check(not_run > 0, 'some were killed before the start')
    print(f'{not_run} of 60 had not started')
    nothing_left(before)


@test
def h6_closing_stdin_ends_nothing():
    r = run([MXC, *mxc_args(['sh', '-c', 'cat; exit 4'])]).ok(4)
    eq(r.out, '')


@test
def h6_a_reader_that_goes_away():
    """As in `mxc run -- yes | head`: the workload gets SIGPIPE."""
    p = spawn([MXC, *mxc_args(['yes'])])
    p.stdout.readline()
    p.stdout.close()
    eq(p.wait(timeout=10), 128 + signal.SIGPIPE)


# A file system (fuse(4)) of one file, which is never read: READ is heard and
# has no answer, and then even SIGKILL waits for one (state D).
SERVER = '''
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
fd = os.open("/dev/fuse", os.O_RDWR)
data = f"fd={fd},rootmode=40000,user_id=0,group_id=0".encode()
if libc.mount(b"t", sys.argv[1].encode(), b"fuse", 0, data):
    sys.exit("no fuse")
print("up", flush=True)
ATTR = "QQQQQQIIIIIIIIII"
def attr(node):
    mode = 0o40755 if node == 1 else 0o100644
    return struct.pack(ATTR, node, 64, 1, *[0] * 6, mode, 1, 0, 0, 0, 64, 0)
while True:
    try:
        words = os.read(fd, 1 << 17)
    except OSError:
        break
    _, op, unique, node = struct.unpack_from("IIQQ", words)
    if op in (2, 15, 36, 42):
        continue
    answer, error = b"", 0
    if op == 26:
        answer = struct.pack("IIIIHHIIHHIIIIII", 7, 31, 0, 0, 12, 12, 1 << 16,
                             1, *[0] * 8)
    elif op == 1:
        answer = struct.pack("QQQQII", 2, 0, 0, 0, 0, 0) + attr(2)
    elif op == 3:
        answer = struct.pack("QII", 0, 0, 0) + attr(node)
    elif op in (14, 27):
        answer = struct.pack("QII", 1, 1, 0)
    elif op not in (18, 25, 29):
        error = -38
    os.write(fd, struct.pack("IiQ", 16 + len(answer), error, unique) + answer)
'''


def into_file(*argv):
    """A pipe would be held open by what does not end."""
    with open('out', 'w+') as f:
        argv = on_backend([MXC, 'run', '--timeout', '1s', '--ro', 'm', '--',
                           *argv])
        status = subprocess.call(argv, stdin=subprocess.DEVNULL, stdout=f,
                                 stderr=f, timeout=20)
        f.seek(0)
        return status, f.read()


@test(only='root')
def h6_a_process_that_cannot_die_does_not_keep_its_caller():
    os.mkdir('m')
    server = spawn([PYTHON, '-c', SERVER, os.path.abspath('m')])
    try:
        if server.stdout.readline() != b'up\n':
            skip('no fuse here')
        m = os.path.abspath('m')
        eq(into_file('ls', '-d', m), (0, m + '\n'), 'control: an answer')
        status, text = into_file('cat', m + '/file')
        eq(status, 124)
        has(text, 'killed after its timeout')
        has(text, 'waits in the kernel')
        status, text = into_file('sh', '-c', f'cat {m}/file & sleep 0.3')
        eq(status, 0)
        has(text, 'was killed, but has not ended yet')
    finally:
        server.send_signal(signal.SIGKILL)
        server.communicate()
        subprocess.run(['umount', '-f', 'm'], check=False, capture_output=True)


@test
def w14_a_run_leaves_no_file_and_no_directory():
    """Nor does it while it runs, so a power cut leaves none either."""
    def listing():
        return {top: sorted(os.listdir(top)) for top in (
            os.environ['HOME'], os.getcwd())}, temporary()
    before = listing()
    p = spawn([MXC, *mxc_args(['sh', '-c', 'echo up; read x'])],
              stdin=subprocess.PIPE)
    eq(p.stdout.readline(), b'up\n')
    during = listing()
    p.communicate(b'\n', timeout=10)
    eq(during, before, 'while it runs')
    eq(listing(), before, 'afterwards')


@test
def w28_a_workload_that_says_what_mxc_says():
    """Exit codes can be the same; the result tells them apart."""
    for status, why in ((124, 'exited'), (125, 'exited'), (126, 'exited'),
                        (127, 'exited'), (255, 'exited'), (143, 'exited')):
        inside(['sh', '-c', f'exit {status}'],
               flags=['--json', 'r.json']).ok(status)
        result = json.loads(read('r.json'))
        eq((result['outcome'], result['exitCode'], result['timedOut']),
           (why, status, False))
        check('error' not in result, result)
    inside(['sleep', '9'], flags=['--json', 'r.json', '--timeout',
                                  '100ms']).ok(124)
    eq(json.loads(read('r.json'))['outcome'], 'timed_out')
    inside(['/no/such'], flags=['--json', 'r.json']).ok(127)
    eq(json.loads(read('r.json'))['outcome'], 'not_started')
    inside(['/etc/passwd'], flags=['--json', 'r.json']).ok(126)
    eq(json.loads(read('r.json'))['outcome'], 'not_started')
    inside(['true'], ro='/no/such', flags=['--json', 'r.json']).ok(125)
    eq(json.loads(read('r.json'))['outcome'], 'failed')
    inside(['sh', '-c', 'kill -TERM $$'], flags=['--json', 'r.json']).ok(143)
    result = json.loads(read('r.json'))
    eq((result['outcome'], result['signal']), ('signaled', 15))


@test
def w28_a_workload_cannot_end_as_mxc_fails():
    """Whatever it does to its init, the result is about the workload."""
    r = inside('''
        import resource
        for pid in (1, os.getppid()):
            for limit in range(16):
                try:
                    resource.prlimit(pid, limit, (0, 0))
                except (OSError, ValueError):
                    pass
            for sig in range(1, 65):
                try:
                    os.kill(pid or 1, sig)
                except OSError:
                    pass
        os._exit(42)
    ''', flags=['--json', 'r.json']).ok(42)
    eq(json.loads(read('r.json'))['outcome'], 'exited', str(r))


@test(seconds=180)
def h7_sandboxes_side_by_side():
    """More than there are processors by far; each has its own answer."""
    before = host_and_files()
    fds = len(os.listdir('/proc/self/fd'))
    many = [spawn([MXC, *mxc_args(['sh', '-c', f'echo {n}; exit {n}'])])
            for n in range(100)]
    for n, p in enumerate(many):
        out, err = p.communicate(timeout=120)
        eq((p.returncode, out), (n, b'%d\n' % n), str(err))
    nothing_left(before)
    eq(len(os.listdir('/proc/self/fd')), fds)


main()
