#!/usr/bin/env python3
"""Many runs leave nothing behind.  tap: alone  tap: seconds=3600

MXC_SOAK=long is for `make soak`; make test runs a short form.
"""

import os
import signal
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403

LONG = os.environ.get('MXC_SOAK') == 'long'
BATCH, PARALLEL = 10, 500 if LONG else 60
SEQUENCE = 10000 if LONG else 300
KILLS = 200 if LONG else 20


# Policies that use different parts: none, a grant, masks, the broker, a
# terminal, a timeout.
KINDS = ({}, {'rw': 'w'}, {'rw': 'w', 'deny': 'w/secret'},
         {'rw': 'w', 'deny': 'w/absent/deep'}, {'flags': ['--tty']},
         {'flags': ['--timeout', '60s', '--die-with-parent']})


def unchanged(work):
    """Runs work(); the host is afterwards as it was."""
    before, files = host_state(), temporary()
    fds = len(os.listdir('/proc/self/fd'))
    work()
    eventually(lambda: not descendants(), 2, 'every process gone')
    leaves_nothing(before)
    eq(temporary(), files, 'temporary files')
    # A namespace lives by a process, a mount or a descriptor only
    # (namespaces(7)), so with those gone none of ours is left.
    eq(len(os.listdir('/proc/self/fd')), fds, 'descriptors')


@test(seconds=3000)
def runs_in_sequence_leave_nothing():
    def work():
        for n in range(SEQUENCE):
            inside(['sh', '-c', f'exit {n % 200}'],
                   **KINDS[n % len(KINDS)]).ok(n % 200)
    os.makedirs('w/secret')
    write('w/secret/key')
    unchanged(work)
    eq(sorted(os.listdir('w')), ['secret'], 'granted directory')


@test(seconds=3000)
def runs_in_parallel_leave_nothing():
    def work():
        for _ in range(PARALLEL // BATCH):
            batch = [spawn([MXC, *mxc_args(['sh', '-c', 'sleep 0.1; exit 7'])])
                     for _ in range(BATCH)]
            for p in batch:
                _, err = p.communicate(timeout=60)
                eq(p.returncode, 7, f'status, stderr {err!r}')
    unchanged(work)


@test(seconds=3000)
def killed_commands_leave_nothing():
    """SIGKILL at a moment that moves through the whole of a start."""
    def work():
        for n in range(KILLS):
            p = spawn([MXC, *mxc_args(['sleep', '1000'])])
            # Not a wait for an event: the moment is what is tried.
            time.sleep(0.0002 * (n % 40))
            os.kill(p.pid, signal.SIGKILL)
            p.communicate()
            eventually(lambda: not descendants(), 0.5,
                       f'run {n}: all gone after SIGKILL')
    unchanged(work)


main()
