#!/usr/bin/env python3
"""Readers that go away or stand still, and a shell that stops us: the run
still ends as it should, and the terminal is the shell's."""

import os
import pty as ptys
import signal
import subprocess
import sys
import termios
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403


def without_reader():
    r, w = os.pipe()
    os.close(r)
    return w


@test
def a_result_that_nobody_reads_does_not_change_the_exit_code():
    w = without_reader()
    r = run([MXC, 'run', '--json', str(w), '--', 'sh', '-c', 'exit 7'],
            pass_fds=[w])
    eq((r.status, r.err), (7, ''))


@test
def an_error_that_nobody_reads_is_still_an_error():
    with spawn([MXC, 'run', '--', '/nowhere'], stderr=without_reader()) as p:
        eq(p.wait(30), 127)


@cases({name: name for name in ('doctor', 'explain', 'schema', '--version',
                                '--help')})
def an_answer_that_cannot_be_written_is_a_failure(command):
    with open('/dev/full', 'w') as full:
        p = subprocess.run([MXC, command], stdout=full, text=True,
                           stderr=subprocess.PIPE, timeout=30)
    eq((p.returncode, p.stderr), (125, 'mxc: cannot write to standard output'
                                       '\n'))


@cases({'run': ['run', '--', 'true'], 'check': ['check', '--', 'true'],
        'doctor': ['doctor']})
def a_result_that_cannot_be_written_is_a_failure(argv):
    with open('/dev/full', 'w') as full:
        fd = str(full.fileno())
        r = run([MXC, argv[0], '--json', fd, *argv[1:]],
                pass_fds=[full.fileno()])
    eq(r.status, 125)
    has(r.err, 'mxc: cannot write the result (--json): No space left')


@test
def a_limit_on_file_sizes_is_not_an_end_of_the_workload():
    r = run(['sh', '-c', 'ulimit -f 0; exec "$@"', 'sh', MXC, 'run', '--',
             'true'])
    eq(r.status, 125)
    has(r.err, 'cannot pass the plan: File too large')


@test
def a_terminal_whose_reader_is_gone_is_hung_up_and_given_back():
    ours, theirs = ptys.openpty()
    r, w = os.pipe()
    with spawn([MXC, 'run', '--tty', '--', 'yes'], stdin=theirs,
               stdout=w) as p:
        os.close(w)
        os.read(r, 1)
        check(not termios.tcgetattr(theirs)[3] & termios.ICANON, 'control')
        os.close(r)
        eq(p.wait(30), 128 + signal.SIGHUP)
        check(termios.tcgetattr(theirs)[3] & termios.ICANON, 'left raw')


@cases({'line by line': subprocess.DEVNULL, 'raw': None})
def a_terminal_that_nobody_reads_does_not_stop_the_clock(stdin):
    _ours, theirs = ptys.openpty()
    with spawn([MXC, 'run', '--tty', '--timeout', '1s', '--', 'yes', 'abc'],
               stdin=theirs if stdin is None else stdin, stdout=theirs) as p:
        try:
            eq(p.wait(20), 124)
        finally:
            p.kill()


def states(pid):
    return {name: read(f'/proc/{p}/stat').rpartition(') ')[2][0]
            for p, name in descendants(pid).items()}


@test
def what_a_shell_stops_is_stopped_as_a_whole():
    """A session of its own would read on from the shell's terminal."""
    with spawn([MXC, 'run', '--', 'sh', '-c',
                'setsid sleep 100 & echo ready; wait']) as p:
        eq(p.stdout.readline(), b'ready\n')
        eventually(lambda: states(p.pid).get('sleep') == 'S')
        p.send_signal(signal.SIGTSTP)
        eventually(lambda: states(p.pid).get('sleep') == 'T' and
                   states(p.pid).get('sh') == 'T', what='stopped')
        eventually(lambda: states(os.getpid()).get('mxc') == 'T')
        p.send_signal(signal.SIGCONT)
        eventually(lambda: states(p.pid).get('sleep') == 'S' and
                   states(p.pid).get('sh') == 'S', what='going on')
        p.send_signal(signal.SIGTERM)
        eq(p.wait(30), 128 + signal.SIGTERM)


main()
