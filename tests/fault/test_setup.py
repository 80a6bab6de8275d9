#!/usr/bin/env python3
"""tap: seconds=900

Set-up that fails, at every step (W3, W8, I12): the workload never runs
unless every wall stands, the status is mxc's own and nothing is left."""

import fcntl
import json
import os
import pathlib
import random
import shutil
import signal
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from walls import (EXIT_MXC, check_clean, check_run, prepare,  # noqa: E402
                   took)

LIBEXEC = MXC.parent.parent / 'libexec/mxc'


@test
def control_the_probe_sees_missing_walls():
    probe, args = prepare()
    check(run(probe).done, 'control')
    missing = took().removeprefix('no ').split(', ')
    for wall in ('filesystem view', 'mask', 'network namespace', 'host name',
                 'Landlock', 'broker'):
        check(wall in missing, f'{wall}: {missing}')
    mxc(*args).ok()
    eq(took(), 'ok')


SETUP = '''
memfd_create fcntl socketpair clone execve close_range mmap
capset prctl dup2 keyctl sethostname prlimit64 setrlimit socket ioctl
fsopen fsconfig fsmount open_tree move_mount mount_setattr
mkdirat symlinkat unlinkat openat2 fchmod pivot_root umount2 chdir fchdir
landlock_create_ruleset landlock_add_rule landlock_restrict_self
seccomp setsid rt_sigprocmask signalfd4 sendmsg sendto recvmsg recvfrom
inotify_init1 inotify_add_watch fstat newfstatat readlink readlinkat
setgroups write read open openat statfs
'''.split()
# Root's supplementary groups; an ordinary user's cannot be dropped at all,
# and both open only what is granted.
HARMLESS = ('setgroups',)
# mxc and its launcher start before the workload does.
LAUNCHES = 2
# So many of one call that each is a run: every one would take too long.
MOST = 40


def known(call):
    r = run(['strace', '-qq', '-e', f'trace={call}', 'true'])
    return 'invalid system call' not in r.err


def is_hit(line):
    return '(INJECTED)' in line or 'killed by SIGKILL' in line


def is_start(line):
    """An execve(2) that worked, also one shown in two parts."""
    return (('execve(' in line or 'execve resumed' in line) and
            line.rstrip().endswith('= 0'))


def steps(call, args, how):
    """Runs with the call failing the first time, the second time, ...  Yields
    the number, the run, whether there was a failure, and whether one came when
    the workload was running already."""
    for n in range(1, MOST + 1):
        r = run(['strace', '-f', '-qq', '-o', 'trace', '-e',
                 f'trace={call},execve', '-e', f'inject={call}:{how}:when={n}',
                 MXC, *args], timeout=30)
        lines = read('trace').splitlines()
        # With when=N the Nth call of each process fails.
        hits = [i for i, x in enumerate(lines) if is_hit(x)]
        starts = [i for i, x in enumerate(lines) if is_start(x)]
        up = starts[LAUNCHES] if len(starts) > LAUNCHES else len(lines)
        yield n, r, bool(hits), bool(hits and hits[-1] > up)
        if not hits or hits[0] > up:
            return


@cases([(c, c) for c in SETUP], seconds=300)
def w3_a_call_that_fails(call):
    need('strace')
    if not known(call):
        skip(f'this machine has no {call}')
    _, args = prepare()
    before = host_state()
    refused = 0
    for n, r, hit, is_late in steps(call, args, 'error=EPERM'):
        said, status = check_run(r, before, f'{call} number {n}', is_late)
        refused += hit and said is None
        if not hit:
            eq((said, status), ('ok', 0), 'the run that met no failure')
    # Calls whose failure changes nothing: what is not there is not used.
    check(refused or n == 1 or call in HARMLESS, f'{call}: none refused')


KILLED = '''
clone execve capset fsopen move_mount mount_setattr pivot_root sethostname
landlock_restrict_self seccomp setsid sendmsg recvfrom signalfd4 inotify_init1
'''.split()


@cases([(c, c) for c in KILLED], seconds=200)
def w3_a_kill_at_each_step(call):
    need('strace')
    _, args = prepare()
    before = host_state()
    for n, r, hit, is_late in steps(call, args, 'signal=KILL'):
        said, status = check_run(r, before, f'{call} number {n}', is_late)
        if not hit:
            eq((said, status), ('ok', 0), 'the run that met no kill')
        if n == 12:
            break


@test
def w3_without_the_word_nothing_runs():
    """The supervisor dies when all walls stand and it has not said go: what
    the launcher reads then is an end of file."""
    need('strace')
    _, args = prepare()
    before = host_state()
    p = spawn(['strace', '-f', '-qq', '-o', 'trace', '-e',
               'trace=inotify_init1', '-e',
               'inject=inotify_init1:delay_enter=2000000', MXC, *args])
    eventually(lambda: [n for n in descendants().values()
                        if n == 'mxc-init'], 10, 'the launcher')
    eventually(lambda: os.path.exists('trace') and
               'inotify_init1' in read('trace'), 10, 'walls stand')
    mine = descendants()
    victim = [pid for pid, n in mine.items() if n == 'mxc'][0]
    os.kill(victim, signal.SIGKILL)
    p.communicate(timeout=20)
    eq(took(), None, 'what ran')
    check_clean(before)


# --- parts that are missing or lie ---

def copy_tree():
    shutil.copytree(MXC.parent.parent, 'tree', symlinks=True)
    return os.path.abspath('tree/bin/mxc')


def with_launcher(text):
    mxc_copy = copy_tree()
    os.unlink('tree/libexec/mxc/mxc-launch')
    if text is not None:
        write('tree/libexec/mxc/mxc-launch', text, 0o755)
    return mxc_copy


def result_of(program, args):
    r = run([program, args[0], '--json', 'result.json', *args[1:]])
    return r, json.loads(read('result.json'))


@cases({
    'missing': (None, 'mxc-launch is not installed'),
    'empty': ('', 'cannot execute'),
    'no program': ('\x7fELF nonsense', 'cannot execute'),
    'that ends at once': ('#!/bin/true\n', "the sandbox's set-up died"),
    'that fails': ('#!/bin/false\n', "the sandbox's set-up died"),
    'that says nothing sensible': (
        '#!/bin/sh\nprintf nonsense >&4\nsleep 1\n', 'nothing was run'),
})
def w3_w8_a_launcher(text, want):
    _, args = prepare()
    before = host_state()
    r, result = result_of(with_launcher(text), args)
    r.failed(EXIT_MXC, want)
    eq((result['outcome'], result['exitCode']), ('failed', EXIT_MXC))
    eq(took(), None, 'what ran')
    check_clean(before)


@test
def a_launcher_that_sends_descriptors_nobody_asked_for():
    """It is in the sandbox: what it sends must not pile up outside."""
    size = 4 * 7 + 32 + 160 + 256 + 512   # struct launch_record
    heard = os.path.abspath('heard')
    p = spawn([with_launcher(f'''#!{PYTHON}
import array, fcntl, socket, struct, time
s = socket.socket(fileno=4)
two = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [3, 3]))]
for n in range(64):   # MSG_READY and MSG_STOPPED
    s.sendmsg([struct.pack("I", 4 if n % 2 else 1).ljust({size}, b"\\0")], two)
while fcntl.ioctl(4, 0x5411, bytes(4)) != bytes(4):   # SIOCOUTQ
    time.sleep(0.01)
open({heard!r}, "w")
while s.recv(4096):
    pass
'''), 'run', '--', 'true'])
    eventually(lambda: os.path.exists(heard), what='all is heard')
    kept = [os.readlink(f'/proc/{p.pid}/fd/{f}')
            for f in os.listdir(f'/proc/{p.pid}/fd')]
    p.kill()
    p.communicate()
    check(len([f for f in kept if 'memfd' in f]) < 4, kept)


def plan_bytes(args):
    """The packed plan, as a launcher that keeps it sees it."""
    out = write('plan')
    keep = with_launcher(f'#!/bin/sh\ncat /proc/self/fd/3 >{out}\n')
    run([keep, *args])
    plan = pathlib.Path(out).read_bytes()
    check(len(plan) > 1000, 'a plan')
    return plan


def supervise(plan, seals=True):
    fd = os.memfd_create('plan', os.MFD_ALLOW_SEALING)
    os.write(fd, plan)
    if seals:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SEAL |
                    fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW |
                    fcntl.F_SEAL_WRITE)
    r = run([LIBEXEC / 'mxc-supervise', str(fd), '-1', '-1', '-1', '-1'],
            pass_fds=(fd,))
    os.close(fd)
    return r


def need_supervisor():
    if not (LIBEXEC / 'mxc-supervise').exists():
        skip('no mxc-supervise beside mxc-launch')


@test
def w3_a_plan_that_could_be_changed_is_refused():
    need_supervisor()
    _, args = prepare()
    before = host_state()
    plan = plan_bytes(args)
    supervise(plan).ok()
    eq(took(), 'ok', 'control')
    r = supervise(plan, seals=False)
    r.failed(EXIT_MXC, 'the plan is not sealed')
    eq(took(), None)
    check_clean(before)


@test(seconds=120)
def w3_a_cut_plan_is_refused():
    need_supervisor()
    _, args = prepare()
    before = host_state()
    plan = plan_bytes(args)
    for n in [0, 1, 8, 100, *range(len(plan) // 40, len(plan),
                                   len(plan) // 40), len(plan) - 1]:
        r = supervise(plan[:n])
        eq(r.status, EXIT_MXC, f'{n} of {len(plan)} bytes: {r}')
        has(r.err, 'plan', f'{n} bytes')
        eq(took(), None, f'{n} bytes')
    r = supervise(plan + b'\0' * 8)
    r.failed(EXIT_MXC, 'plan')
    check_clean(before)


@test(seconds=120)
def w3_a_corrupt_plan_crashes_nothing():
    """Flipped bytes may say another plan, which is not for the launcher to
    know; but neither program crashes, hangs or says something else."""
    need_supervisor()
    _, args = prepare()
    before = host_state()
    plan = plan_bytes(args)
    rnd, refused = random.Random(7), 0
    for i in range(200):
        bad = bytearray(plan)
        # The head and the records first, where the structure is.
        top = 4096 if i % 2 else len(plan)
        for _ in range(rnd.choice((1, 1, 4, 32))):
            bad[rnd.randrange(min(top, len(plan)))] = rnd.randrange(256)
        r = supervise(bytes(bad))
        check(r.status not in (134, 139, 135, 132), f'round {i}: {r}')
        if took() is None:
            refused += 1
            # SIGSYS: it says another filter, which refuses the execve(2).
            check(r.status in (9, 126, 127, EXIT_MXC, 124,
                               128 + signal.SIGSYS), f'round {i}: {r}')
    check(refused > 20, f'only {refused} refused')
    leaves_nothing(before)


@test
def w8_set_up_failures_are_not_the_workloads():
    """Same status from both sides, different outcomes in the result."""
    os.mkdir('w')
    cases_of = {
        'a workload': (['--', 'sh', '-c', 'exit 125'], 'exited', 125),
        'a missing path': (['--ro', 'missing', '--', 'true'], 'failed', 125),
        'a bad start': (['--cwd', '/no', '--', 'true'], 'failed', 125),
        'no such command': (['--', 'no-such-command'], 'not_started', 127),
        'no program': (['--', '/etc/passwd'], 'not_started', 126),
        'a workload that says 127': (['--', 'sh', '-c', 'exit 127'],
                                     'exited', 127),
        'a workload that says 1': (['--', 'false'], 'exited', 1),
    }
    for name, (args, outcome, status) in cases_of.items():
        r = mxc('run', '--json', 'result.json', *args)
        r.ok(status)
        result = json.loads(read('result.json'))
        eq((result['outcome'], result['exitCode']), (outcome, status), name)
        eq('error' in result, outcome != 'exited', name)
        if outcome != 'exited':
            has(r.err, 'mxc: ', name)


main()
