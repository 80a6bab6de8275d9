#!/usr/bin/env python3
"""The last word of a sandbox is heard, also when it ended with a word of the
supervisor's unheard (unix(7), ECONNRESET)."""

import os
import re
import signal
import subprocess
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403


def state(pid):
    return read(f'/proc/{pid}/stat').rpartition(') ')[2][0]


def stop(pid):
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: state(pid) in 'TZ', what='stopped or ended')


@test
def an_exit_status_outlives_a_signal_that_came_too_late():
    with spawn([MXC, 'run', '--', 'sh', '-c',
                'trap "" USR1; echo ready; read x; exit 7'],
               stdin=subprocess.PIPE) as p:
        eq(p.stdout.readline(), b'ready\n')
        init = int(read(f'/proc/{p.pid}/task/{p.pid}/children').split()[0])
        stop(init)
        p.send_signal(signal.SIGUSR1)
        eventually(lambda: not os.path.exists(f'/proc/{p.pid}/status') or
                   '0000000000000000' in re.search(
                       'ShdPnd:.*', read(f'/proc/{p.pid}/status'))[0],
                   what='signal passed on')
        # It looks for ended children before it hears the supervisor.
        p.stdin.close()
        eventually(lambda: all(state(c) == 'Z' for c in
                   read(f'/proc/{init}/task/{init}/children').split()),
                   what='workload ended')
        stop(p.pid)
        os.kill(init, signal.SIGCONT)
        eventually(lambda: state(init) == 'Z', what='sandbox ended')
        p.send_signal(signal.SIGCONT)
        eq((p.wait(30), p.stderr.read()), (7, b''))


@test
def a_reason_outlives_the_word_that_was_given_in_advance():
    """Stopped at many moments; at some the word lies unread."""
    root = os.open('/', os.O_RDONLY)
    for delay in range(60):
        p = spawn([MXC, 'run', '--', 'true'], stdin=root)
        time.sleep(delay / 10000)
        stop(p.pid)
        time.sleep(0.02)
        p.send_signal(signal.SIGCONT)
        has(p.communicate(timeout=30)[1].decode(),
            'standard input is a directory')
        eq(p.returncode, 125)


main()
