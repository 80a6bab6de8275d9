#!/usr/bin/env python3
"""Ends on every backend: statuses, signals, the clock, and kills of any part
at any moment.  Nothing survives and nothing is left.

tap: waits
"""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from contract import BACKEND, EXIT_MXC, unchanged  # noqa: E402

KILLS = 40


@test
def every_exit_code_is_the_workloads():
    for first in range(0, 256, 16):
        codes = range(first, first + 16)
        batch = [(n, spawn([MXC, *mxc_args(['sh', '-c', f'exit {n}'])]))
                 for n in codes]
        for n, p in batch:
            eq(p.communicate(timeout=30), (b'', b''), f'exit {n}')
            eq(p.returncode, n, 'status')


@cases({name: name for name in 'TERM KILL SEGV HUP INT PIPE USR1'.split()})
def death_by_a_signal(name):
    r = inside(['sh', '-c', f'kill -{name} $$; sleep 5'],
               flags=['--json', 'r.json'])
    number = getattr(signal, f'SIG{name}')
    eq(r.status, 128 + number, str(r))
    eq(json.loads(read('r.json'))['exitCode'], 128 + number)


@cases({name: name for name in 'TERM INT HUP USR1 USR2 QUIT'.split()})
def a_signal_is_passed_on(name):
    script = f'trap "echo got {name}; exit 7" {name}; echo up; ' \
             'while :; do sleep 0.05; done'
    for _ in range(10):   # at once: it was running when it said so
        p = spawn([MXC, *mxc_args(['sh', '-c', script])])
        eq(p.stdout.readline(), b'up\n')
        p.send_signal(getattr(signal, f'SIG{name}'))
        out, err = p.communicate(timeout=10)
        eq((p.returncode, out), (7, f'got {name}\n'.encode()), f'{err}')
        lacks(err, b'mxc')


@cases({'not there': (['/no/such'], 127), 'no program': (['/etc/passwd'], 126),
        'not found': (['no-such-command-of-mine'], 127)})
def a_command_that_cannot_start(argv, status):
    inside(argv, flags=['--json', 'r.json']).failed(status, 'mxc: ')
    eq(json.loads(read('r.json'))['outcome'], 'not_started')


FAMILY = ('trap "" TERM HUP INT; (setsid sh -c '
          '"trap \\"\\" TERM HUP; echo up; sleep 1000" &) ; sleep 1000')


@test
def the_clock_ends_grandchildren():
    def work():
        start = time.monotonic()
        r = inside(['sh', '-c', FAMILY],
                   flags=['--timeout', '4s', '--json', '/dev/null'])
        r.failed(124, 'killed after its timeout')
        # A user-space kernel may take a second to start, and more when busy.
        eq(r.out, 'up\n')
        check(time.monotonic() - start < 24, 'much later')
    unchanged(work)


@test
def what_the_workload_leaves_running_ends_with_it():
    def work():
        r = inside(['sh', '-c', 'setsid sleep 1000 & setsid sleep 1000 & '
                    'exit 5'])
        r.ok(5)
    unchanged(work)


def kill_any(rnd, p, started):
    """Kills one process of the family that is there at this moment."""
    table = {p.pid: 'mxc', **descendants(p.pid)}
    victim = rnd.choice(sorted(table))
    started[table[victim]] = started.get(table[victim], 0) + 1
    try:
        os.kill(victim, signal.SIGKILL)
    except ProcessLookupError:
        pass
    return victim, table


@test(seconds=120)
def a_kill_of_any_part_at_any_moment():
    """The status tells: mxc's own, or that of a killed workload; never
    success."""
    rnd, struck = random.Random(11), {}

    def work():
        for n in range(KILLS):
            p = spawn([MXC, *mxc_args(['sh', '-c', FAMILY], rw='w',
                                      deny='w/no')])
            # Not a wait for an event: the moment is what is tried.
            time.sleep(rnd.random() * BACKEND.start)
            victim, table = kill_any(rnd, p, struck)
            try:
                p.communicate(timeout=0.2)
            except subprocess.TimeoutExpired:
                # A part without which the sandbox goes on, such as a process
                # of the workload's: the caller's kill ends it.
                p.kill()
                p.communicate(timeout=10)
            check(p.returncode != 0, f'{n}: success, {victim} of {table}')
            eventually(lambda: not descendants(), 2, f'{n}: all gone, '
                       f'killed {victim} of {table}')
    os.makedirs('w')
    there = [] if BACKEND.absent else ['no']
    for name in there:
        write(f'w/{name}')
    unchanged(work)
    eq(os.listdir('w'), there, 'granted directory')
    check(len(struck) > 1, f'only {struck}')
    print(struck)


def runtime(p):
    """Processes of the backend's runtime below p."""
    return [pid for pid, name in descendants(p.pid).items()
            if name in BACKEND.runtime]


def a_kill_of_the_runtime_while_the_workload_runs():
    """One that has gone by then, having built everything, is fine as well."""
    def work():
        for n in range(6):
            p = spawn([MXC, *mxc_args(['sh', '-c', FAMILY])])
            eq(p.stdout.readline(), b'up\n')
            victims = runtime(p)[n % 2:][:1] or [p.pid]
            os.kill(victims[0], signal.SIGKILL)
            p.communicate(timeout=10)
            check(p.returncode in (EXIT_MXC, 137, -9), p.returncode)
            eventually(lambda: not descendants(), 2, f'{n}: all gone')
    unchanged(work)


if BACKEND.runtime:
    test(a_kill_of_the_runtime_while_the_workload_runs)


@test(seconds=60)
def a_kill_of_mxc_while_the_workload_runs():
    def work():
        for _ in range(5):
            p = spawn([MXC, *mxc_args(['sh', '-c', FAMILY])])
            eq(p.stdout.readline(), b'up\n')
            p.kill()
            p.communicate(timeout=10)
            eventually(lambda: not descendants(), 1, 'all gone')
    unchanged(work)


LEFT = {
    'a file': lambda: write('left'),
    'a descriptor': lambda: os.open('/dev/null', os.O_RDONLY),
    'a process': lambda: spawn(['sleep', '1000']),
}


@cases(LEFT)
def control_what_is_left_is_seen(leave):
    try:
        unchanged(leave, seconds=0.1)
    except AssertionError as e:
        print(e)
    else:
        fail('not seen')
    for pid in descendants():
        os.kill(pid, signal.SIGKILL)


@test
def control_the_family_outlives_its_parent():
    p = spawn(['sh', '-c', FAMILY])
    eq(p.stdout.readline(), b'up\n')
    p.kill()
    p.wait()
    check(descendants(), 'nobody outlived it')
    eventually(end_them, what='all ended')
    p.communicate()


def end_them():
    """Some may have forked since the last look."""
    for pid in descendants():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return not descendants()


main()
