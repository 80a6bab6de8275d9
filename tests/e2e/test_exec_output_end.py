#!/usr/bin/env python3
"""The end of a session's command in a terminal whose reader is slow: all that
it showed arrives, or the result says that it did not; and what ends a command
ends the wait as well.

tap: waits
"""

import json
import os
import pty as ptys
import signal
import subprocess
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from sessions import Session  # noqa: E402
from unread import CUT, Unread, is_stopped  # noqa: E402

# The client takes 64 KiB at once, a terminal holds some 8 KiB.
SIZE = 68000
TTY = ['--pty', '24x80']


def unread(session, *flags, before=(), end='exit 7'):
    def argv(*more):
        return [MXC, *session.argv(
            'sh', '-c', f'head -c {SIZE} /dev/zero; {end}',
            flags=[*more, *TTY, *flags])]
    # One that does not end is ended by a flag.
    return Unread(argv, lambda _: not session.look()['commands'], SIZE, before)


@test
def a_reader_that_pauses_gets_all_of_it():
    with Session() as s:
        r = unread(s)
        time.sleep(4)
        eq('error' in r.arrived(), False)


@test
def of_a_signal_too():
    with Session() as s:
        r = unread(s, end='kill -TERM $$')
        time.sleep(3)
        eq('error' in r.arrived(143, 'signaled'), False)


@cases({'its own': ([], ['--timeout', '6s']),
        'that of the policy': (['--timeout', '6s'], []),
        'the shorter one': (['--timeout', '6s'], ['--timeout', '60s'])})
def its_timeout_ends_the_wait(policy, flags):
    with Session(*policy) as s:
        unread(s, *flags).was_cut(
            124, 'timed_out', 'its timeout of 6000 ms is over')


@test
def so_does_an_order():
    with Session() as s:
        r = unread(s)
        r.control.sendall(b'kill\n')
        r.was_cut(137, 'killed')
        os.unlink('result.json')
        r = unread(s)
        r.control.sendall(f'signal {signal.SIGUSR1.value}\n'
                          f'signal {signal.SIGTERM.value}\n'.encode())
        r.was_cut(143, 'stopped', 'ended by signal 15')


@test
def so_does_the_end_of_the_caller():
    with Session() as s:
        r = unread(s, '--die-with-parent', before=['sh', '-c', '"$@"; exit 3',
                                                   'sh'])
        r.process.kill()
        result = r.wait_for_result()
        eq((result['outcome'], result['exitCode']), ('stopped', 125))
        has(result['error']['message'], f'{CUT}: the caller has ended')
        r.process.wait()


@cases([(n.name, n) for n in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT,
                              signal.SIGTERM)])
def so_does_a_signal_that_asks_for_an_end(number):
    with Session() as s:
        r = unread(s)
        os.kill(r.mxc, number)
        r.was_cut(128 + number, 'stopped', f'ended by signal {number.value}')


@test
def other_signals_do_not():
    with Session() as s:
        r = unread(s)
        for number in (signal.SIGWINCH, signal.SIGUSR1, signal.SIGALRM):
            os.kill(r.mxc, number)
        os.kill(r.mxc, signal.SIGTSTP)
        eventually(lambda: is_stopped(r.mxc), what='a stop')
        os.kill(r.mxc, signal.SIGCONT)
        time.sleep(0.3)
        eq('error' in r.arrived(), False)


@test
def one_that_was_ended_waits_two_seconds():
    with Session() as s:
        r = unread(s, '--timeout', '1500ms', end='sleep 1000')
        r.was_cut(124, 'timed_out', 'was killed after its timeout of 1500 ms')


@test
def what_another_goes_on_showing_is_not_waited_for():
    """What it left running has its terminal still."""
    with Session() as s:
        r = s.spawn('sh', '-c', 'yes & exit 7', flags=TTY,
                    popen={'stdout': subprocess.PIPE})
        r.stdout.read()
        eq(r.wait(40), 7)


@test
def what_cannot_be_written_is_a_failure():
    with Session() as s, open('/dev/full', 'wb') as full:
        r = s.spawn('seq', '10', flags=[*TTY, '--json', 'result.json'],
                    popen={'stdout': full})
        eq(r.wait(40), 125)
        result = json.loads(read('result.json'))
        eq((result['outcome'], result['error']['message']),
           ('failed', f'{CUT}: No space left on device'))


@test
def a_reader_that_has_enough_is_no_failure():
    with Session() as s:
        r = run(['sh', '-c', '"$@" | head -n 1', 'sh', MXC, *s.argv(
            'seq', '100000', flags=[*TTY, '--json', 'result.json'])])
        eq((r.out.strip(), r.err), ('1', ''))
        lacks(read('result.json'), CUT)


@test
def a_terminal_that_takes_nothing_can_be_interrupted():
    """It is in raw mode, and ^C was the command's before."""
    with Session() as s:
        pid, fd = ptys.fork()
        if pid == 0:
            args = [MXC, *s.argv('sh', '-c', f'head -c {SIZE} /dev/zero; exit 7',
                                 flags=['--tty', '--json', 'result.json'])]
            os.execv(args[0], list(map(str, args)))
        eq(len(os.read(fd, 1)), 1)
        eventually(lambda: not s.look()['commands'], 20, 'its end')

        def is_heard():
            # Until mxc has heard of the end ^C is still the command's: who
            # sees nothing happen presses it again.
            os.write(fd, b'\x03')
            time.sleep(0.2)
            return os.path.exists('result.json') and read('result.json')
        eventually(is_heard, 10, 'a result')
        result = json.loads(read('result.json'))
        eq((result['outcome'], result['exitCode']), ('stopped', 130))
        os.close(fd)
        os.waitpid(pid, 0)


main()
