#!/usr/bin/env python3
"""What a workload can use up, and for how long it stays (H1-H5, H8).

tap: seconds=3600
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from unread import is_stopped  # noqa: E402
import victim  # noqa: E402

PROCESSES = 1024        # the native backend's own ceiling
ROOT_BYTES = 1 << 30

# FORKS MOST wait|end [stay]: children that wait for the end of the probe, or
# that end and are not waited for; says how many there were, and then stays.
# In C, where a fork costs little.
FORKS = '''
int main(int argc, char **argv)
{
    int n, why = 0, held[2], most = atoi(argv[1]);
    char c;

    TRY(pipe(held));
    for (n = 0; n < most && !why; n++) {
        int pid = fork();

        if (pid == 0) {
            close(held[1]);
            _exit(*argv[2] == 'w' ? read(held[0], &c, 1) : 0);
        }
        if (pid < 0)
            why = errno;
    }
    dprintf(1, "%d\\n", why ? n - 1 : n);
    if (argc > 3)
        read(0, &c, 1);
    if (why)
        probe_refused(why, "fork");
    DONE();
}
'''

# ORPHANS N: makes N that end without a parent; says how many processes there
# are when that is what init and the workload are, or after two seconds.
ORPHANS = '''
#include <dirent.h>

static int count(void)
{
    DIR *d = opendir("/proc");
    int n = 0;

    for (struct dirent *e; (e = readdir(d));)
        n += *e->d_name >= '0' && *e->d_name <= '9';
    closedir(d);
    return n;
}

int main(int argc, char **argv)
{
    for (int i = 0; i < atoi(argv[1]); i++) {
        int pid = TRY(fork());

        if (pid == 0)
            _exit(fork() < 0);
        TRY(waitpid(pid, NULL, 0));
    }
    for (int i = 0; i < 200 && count() > 2; i++)
        usleep(10000);
    printf("%d\\n", count());
    DONE();
}
'''


def forks(most, *how):
    return cprobe(FORKS, str(most), *how)


THREADS = '''
import threading
threading.stack_size(65536)
go = threading.Event()
n = 0
try:
    while n < LIMIT:
        threading.Thread(target=go.wait, daemon=True).start()
        n += 1
except RuntimeError:
    raise OSError(errno.EAGAIN, 'no thread')
finally:
    print(n, flush=True)
    go.set()
'''


def bounded(what):
    """More than the ceiling works outside; inside it ends at the ceiling."""
    control = outside(what)
    if not control.done:
        skip('positive control does not work on this host: '
             f'{control.refused} after {control.out.split()[0]}')
    r = inside(what, timeout=slow(30))
    eq(r.refused, 'EAGAIN', str(r))
    n = int(r.out.split()[0])
    check(PROCESSES // 2 < n < PROCESSES, f'{n} of {PROCESSES}')


@test(seconds=slow(60))
def h1_processes_are_bounded():
    bounded(forks(PROCESSES + 200, 'wait'))


@test
def h1_no_policy_lifts_the_bound():
    """It is set through /proc, which policy may deny."""
    r = inside(forks(PROCESSES + 200, 'wait'), deny='/proc')
    eq(r.refused, 'EAGAIN', str(r))


@test(seconds=slow(60))
def h1_threads_are_bounded():
    bounded(THREADS.replace('LIMIT', str(PROCESSES + 200)))


@test(seconds=slow(60))
def h1_zombies_are_reaped_by_init():
    """Orphans that end are init's to wait for: none stays."""
    r = inside(cprobe(ORPHANS, str(rounds(PROCESSES + 200))),
               timeout=slow(50)).ok()
    eq(r.out.splitlines()[0], '2', 'init and the workload')


@test(seconds=slow(60))
def h1_own_zombies_are_bounded():
    r = inside(forks(PROCESSES + 200, 'end'), timeout=slow(30))
    eq(r.refused, 'EAGAIN', str(r))
    check(int(r.out.split()[0]) < PROCESSES, r.out)


@test(seconds=120)
def h1_the_host_stays_responsive_under_a_fork_bomb():
    """The bomb never stops by itself; the host starts processes meanwhile, one
    upon the other, and the timeout ends all of it."""
    bomb = pyprobe('''
        print('up', flush=True)
        while True:
            try:
                os.fork()
            except BlockingIOError:
                pass
    ''')
    p = spawn([MXC, *mxc_args(bomb, flags=['--timeout', '4s',
                                           '--json', 'result.json'])])
    eq(p.stdout.readline(), b'up\n')
    with victim.beside() as others:
        p.communicate(timeout=30)
    eq(p.returncode, 124)
    check(others['start']['n'] > 10, others)
    within(others['start']['most'] / 1000, slow(2), 'a process of the host')
    within(others['late']['most'] / 1000, slow(2), 'a timer of the host')
    eventually(lambda: not descendants(), 2, 'nothing left')
    eq(json.loads(read('result.json'))['outcome'], 'timed_out')


def states(pid):
    """Of the processes of a sandbox, but for its first."""
    found = []
    for child, name in descendants(pid).items():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if not name.startswith('mxc'):
                found.append(read(f'/proc/{child}/stat').rsplit(')', 1)[1].split()[0])
    return found


BUSY = """
    r, w = os.pipe()
    pids = []
    for n in range(COUNT):
        pid = os.fork()
        if pid == 0:
            os.close(w)
            os.read(r, 1)
            while True:
                pass
        pids.append(pid)
    os.close(w)
    print('up', flush=True)
    sys.stdin.read()
    for pid in pids:
        os.kill(pid, 9)
    for pid in pids:
        if os.waitpid(pid, 0)[1] != 9:
            raise OSError(errno.EINVAL, 'it has not ended')
"""


def busy(count):
    return spawn([MXC, *mxc_args(pyprobe(BUSY.replace('COUNT', str(count))))],
                 stdin=subprocess.PIPE)


@test(seconds=slow(60))
def h1_a_crowd_of_busy_processes_pauses_again_and_again():
    """So that nothing which they have locked stays so; and they end as ever."""
    if os.environ.get('MXC_BACKEND') == 'gvisor':
        skip('its processes are those of its own kernel')
    crowd = 64 * os.cpu_count() + 40
    if crowd > PROCESSES // 2:
        skip(f'{os.cpu_count()} processors have room for all that there may be')
    p = busy(crowd)
    eq(p.stdout.readline(), b'up\n')
    for _ in range(3):
        eventually(lambda: states(p.pid).count('T') > crowd // 2,
                   what='they pause')
        eventually(lambda: 'R' in states(p.pid), what='they go on')
    out = p.communicate(timeout=30)
    eq((p.returncode, out[0]), (0, b'done\n'), str(out))


@test(seconds=slow(60))
def h1_a_crowd_is_stopped_when_it_is_asked_to():
    """By ^Z, whether it pauses by itself or not."""
    p = busy(64 * os.cpu_count() + 40)
    eq(p.stdout.readline(), b'up\n')
    for n in range(8):
        time.sleep(0.05 * n)
        p.send_signal(signal.SIGTSTP)
        eventually(lambda: is_stopped(p.pid), what='mxc stops')
        # So does all that it runs, and stays so.
        eventually(lambda: set(states(p.pid)) == {'T'}, what='all stopped')
        time.sleep(0.2)
        eq(set(states(p.pid)), {'T'})
        p.send_signal(signal.SIGCONT)
        eventually(lambda: not is_stopped(p.pid), what='mxc goes on')
        eventually(lambda: 'R' in states(p.pid), what='they go on')
    out = p.communicate(timeout=30)
    eq((p.returncode, out[0]), (0, b'done\n'), str(out))


@test(seconds=slow(60))
def h1_few_busy_processes_never_pause():
    p = busy(20)
    eq(p.stdout.readline(), b'up\n')
    end = time.monotonic() + 2
    while time.monotonic() < end:
        lacks(states(p.pid), 'T', 'states')
    out = p.communicate(timeout=30)
    eq((p.returncode, out[0]), (0, b'done\n'), str(out))


@test(seconds=slow(60))
def h1_the_bound_is_of_each_sandbox():
    """One that is full does not keep another from starting."""
    hold = spawn([MXC, *mxc_args(forks(5000, 'wait', 'stay'))],
                 stdin=subprocess.PIPE)
    line = hold.stdout.readline()
    if not line:
        fail(f'it ended: {hold.communicate(timeout=30)}')
    check(int(line) > PROCESSES // 2, line)
    r = inside(forks(100, 'wait'))
    hold.stdin.close()
    hold.wait(timeout=30)
    check(r.done, str(r))


FILL = '''
top = os.statvfs("/tmp")
print(top.f_blocks * top.f_frsize)
block = bytes(1 << 20)
def fill(where):
    with open(where + '/fill', 'wb', 0) as f:
        for _ in range(1100):
            f.write(block)
for where in PLACES:
    try:
        fill(where)
        print(where, 'no end')
    except OSError as e:
        size = os.stat(where + '/fill').st_size >> 20
        print(where, errno.errorcode[e.errno], size, 'MiB')
for where in PLACES:
    os.truncate(where + '/fill', 0)
'''


@test(seconds=slow(120))
def h2_temporary_files_are_bounded():
    """/tmp, /dev/shm and the home are one bounded file system: when it is
    full, there is no room in any of them."""
    places = ['/tmp', '/home/user', '/var/tmp', '/dev/shm']
    if IS_ROOT:             # who alone may fill these directories
        places += ['/run', '']
    r = inside(FILL.replace('PLACES', repr(places)), timeout=slow(90)).ok()
    size, first, *others = r.out.splitlines()[:-1]
    eq(int(size), ROOT_BYTES)
    has(first, '/tmp ENOSPC ')
    check(ROOT_BYTES - (64 << 20) <= int(first.split()[2]) << 20 <= ROOT_BYTES,
          first)
    eq(others, [f'{p} ENOSPC 0 MiB' for p in places[1:]])


@test(seconds=slow(60))
def h2_inodes_are_bounded():
    r = inside('''
        os.mkdir('/tmp/d')
        n = 0
        try:
            for n in range(300000):
                os.mknod(f'/tmp/d/{n}')
        finally:
            print(n)
    ''', timeout=slow(50))
    eq(r.refused, 'ENOSPC')
    check(200000 < int(r.out.split()[0]) <= 1 << 18, r.out)


@test
def h2_the_workload_is_the_first_to_be_killed_for_memory():
    """oom_score_adj at its ceiling, for init and all that it starts."""
    r = inside(['cat', '/proc/self/oom_score_adj', '/proc/1/oom_score_adj'])
    eq(r.ok().out.split(), ['1000', '1000'])
    attack('with open("/proc/self/oom_score_adj", "w") as f: f.write("1000")',
           refused='EROFS')


@test
def h2_locked_memory_is_bounded():
    code = ('import mmap\n'
            'm = mmap.mmap(-1, 64 << 20)\n'
            'a = ctypes.addressof(ctypes.c_char.from_buffer(m))\n'
            'call("mlock", a, 64 << 20)')
    if IS_ROOT:
        check(outside(code).done, 'control')
    eq(inside(code).refused, 'ENOMEM')


@test
def h2_message_queues_are_bounded():
    r = inside('''
        class Attr(ctypes.Structure):
            _fields_ = [(n, ctypes.c_long) for n in
                        ('flags', 'maxmsg', 'msgsize', 'cur', 'a', 'b', 'c',
                         'd')]
        rt = ctypes.CDLL('librt.so.1', use_errno=True)
        for n in range(4096):
            attr = Attr(0, 10, 8192)
            q = rt.mq_open(f'/q{n}'.encode(), os.O_CREAT | os.O_RDWR, 0o600,
                           ctypes.byref(attr))
            if q < 0:
                print(n)
                raise OSError(ctypes.get_errno(), 'mq_open')
    ''')
    # Landlock refuses them all: their file system has no place in the view.
    check(r.refused in ('EACCES', 'EMFILE', 'ENOSPC'), str(r))
    check(int(r.out.split()[0]) < 300, r.out)


@test
def h2_open_files_are_bounded():
    r = inside('''
        n = 0
        try:
            while True:
                os.dup(0)
                n += 1
        finally:
            print(n)
    ''', timeout=50)
    eq(r.refused, 'EMFILE')
    check(int(r.out.split()[0]) <= 65536, r.out)


@test
def h3_no_real_time_and_no_higher_priority():
    code = 'os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))'
    eq(inside(code).refused, 'EPERM')
    eq(inside('os.nice(5); os.setpriority(os.PRIO_PROCESS, 0, -5)').refused,
       'EACCES')
    if IS_ROOT:
        check(outside(code).done, 'control')
        check(outside('os.setpriority(os.PRIO_PROCESS, 0, -5)').done,
              'control')


@test
def h4_output_costs_the_supervisor_nothing():
    """It never touches the streams: its memory stays as it was."""
    most = max(rounds(300), 40) << 20
    p = spawn([MXC, *mxc_args(['sh', '-c',
                               f'head -c {most} /dev/zero; read x'])],
              stdin=subprocess.PIPE)
    got = 0
    while got < most:
        got += len(p.stdout.read1(1 << 20))
    status = read(f'/proc/{p.pid}/status')
    peak = int(status.split('VmHWM:')[1].split()[0])
    p.stdin.close()
    p.wait(timeout=10)
    check(peak < 16 * 1024, f'{peak} kB')


LEFTOVERS = {
    'a child in the background': '(sleep 1000 &)',
    'nohup': 'nohup sleep 1000 >/dev/null 2>&1 &',
    'a session of its own': 'setsid sleep 1000 & sleep 0.1',
    'a daemon': 'setsid sh -c "setsid sleep 1000 & setsid sleep 1000 &"',
    'holding the output': 'sleep 1000 &',
    'ignoring signals': '(trap "" TERM HUP INT; sleep 1000) &',
    'a stopped child': 'sleep 1000 & kill -STOP $!',
    'a tree': 'for i in 1 2 3; do (sleep 1000 & sleep 1000) & done',
}


@cases(LEFTOVERS)
def h5_nothing_survives_the_workload(script):
    start = time.monotonic()
    r = inside(['sh', '-c', script + '\necho end; exit 3']).ok(3)
    has(r.out, 'end')
    check(time.monotonic() - start < 20, 'ended at once')
    eq(descendants(), {})


@cases({name: script for name, script in LEFTOVERS.items()})
def h5_nothing_survives_the_timeout(script):
    ms = max(500, 10 * start_ms())
    r = inside(['sh', '-c', script + '\necho begun; trap "" TERM; sleep 1000'],
               flags=['--timeout', f'{ms}ms'])
    r.failed(124, f'killed after its timeout of {ms} ms')
    has(r.out, 'begun')
    check(ms <= r.seconds * 1000, f'{r.seconds} s')
    within(r.seconds * 1000, ms + 2500, 'ms')
    eq(descendants(), {})


def timed(ms, command, **more):
    request = {'version': '1.0.0',
               'process': {'commandLine': command, 'timeout': ms}}
    return mxc('run', '-', input=json.dumps(request), **more)


@test
def h8_a_timeout_of_zero_is_none():
    timed(0, 'sleep 0.3; exit 7').ok(7)


@test
def h8_a_timeout_of_one_millisecond():
    timed(1, 'sleep 30').failed(124, 'timeout of 1 ms')


@cases({'2^31 - 1': 2**31 - 1, '2^31': 2**31, '2^31 + 1': 2**31 + 1,
        '2^32 - 1': 2**32 - 1})
def h8_long_timeouts_do_not_wrap(ms):
    timed(ms, 'sleep 0.3; exit 7').ok(7)
    mxc('run', '--timeout', f'{ms}ms', '--', 'sh', '-c',
        'sleep 0.3; exit 7').ok(7)


@cases({'2^32': 2**32, '2^63': 2**63, '2^64': 2**64, '10^30': 10**30,
        'negative': -1})
def h8_timeouts_out_of_range_are_refused(ms):
    r = timed(ms, 'touch /never')
    r.failed(125, 'process.timeout')


@cases({'a fraction': '0.5', 'an exponent': '1e3', 'a string': '"5"',
        'null': 'null', 'true': 'true'})
def h8_timeouts_of_another_type_are_refused(text):
    request = ('{"version":"1.0.0","process":{"commandLine":"true",'
               f'"timeout":{text}}}}}')
    mxc('run', '-', input=request).failed(125, 'process.timeout')


@cases({name: name for name in (
    '0', '0s', '-1s', '1.5s', '', 's', '5 s', '5x', '1e3s', '+5s', '0x10s',
    '99999999999999999999s', '18446744073709551616ms', '5s5s')})
def h8_durations_that_are_none(text):
    r = mxc('run', '--timeout', text, '--', 'true')
    r.failed(125, 'not a duration', f"'{text}'")


@test
def h8_the_time_is_the_workloads_own():
    """Set-up is not counted, and a suspended workload's time is."""
    r = inside(['sh', '-c', 'kill -STOP $$'], flags=['--timeout', '300ms'])
    r.failed(124, 'timeout of 300 ms')
    check(r.seconds < 20, f'{r.seconds} s')


@test
def h8_a_workload_that_ends_in_time_is_not_late():
    for _ in range(20):
        inside(['sh', '-c', 'exit 5'], flags=['--timeout', '10s']).ok(5)


@test
def h8_only_the_workload_can_be_late():
    """Ends about when the time does: one of the two outcomes, never a mix."""
    seen = set()
    for _ in range(30):
        r = inside(['sleep', '0.05'],
                   flags=['--timeout', '52ms', '--json', 'r.json'])
        result = json.loads(read('r.json'))
        seen.add((r.status, result['outcome'], result['timedOut']))
    check(seen <= {(0, 'exited', False), (124, 'timed_out', True)}, seen)


main()
