#!/usr/bin/env python3
"""The end of a workload whose reader is slow: all that it wrote arrives, or the
result says that it did not; and what ends a run ends the wait as well.

tap: waits
"""

import fcntl
import json
import os
import pty as ptys
import signal
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from unread import CUT, PIPE, Unread, is_stopped  # noqa: E402

PIPES = ['--limit', 'output=10M']
TTY = ['--pty', '24x80']


def unread(size, *flags, before=()):
    def argv(*more):
        return on_backend([MXC, *mxc_args(
            ['sh', '-c', f'head -c {size} /dev/zero; exit 7'],
            flags=[*more, *flags])])
    return Unread(argv, lambda r: not descendants(r.mxc), size, before)


# The supervisor takes 64 KiB at once, and a terminal holds some 8 KiB.
KINDS = [('pipes', 300000, PIPES), ('silence', 300000, ['--limit',
                                                        'silence=9s']),
         ('a terminal', 68000, TTY),
         ('a limited terminal', 68000, [*TTY, *PIPES])]


@cases(KINDS)
def a_timeout_ends_the_wait_for_a_reader(size, flags):
    r = unread(size, *flags, '--timeout', '4s')
    r.was_cut(124, 'timed_out', 'its timeout of 4000 ms is over')


@cases(KINDS)
def so_does_an_order_to_kill(size, flags):
    r = unread(size, *flags)
    r.control.sendall(b'kill\n')
    r.was_cut(137, 'killed')


@cases(KINDS)
def so_does_the_end_of_the_caller(size, flags):
    r = unread(size, *flags, '--die-with-parent',
               before=['sh', '-c', '"$@"; exit 3', 'sh'])
    r.process.kill()
    eventually(lambda: os.path.exists('result.json') and read('result.json'),
               10, 'a result')
    result = json.loads(read('result.json'))
    eq((result['outcome'], result['exitCode']), ('stopped', 125))
    has(result['error']['message'], f'{CUT}: the caller has ended')


@cases([(f'{s.name}, {kind}', s, flags)
        for s in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
        for kind, flags in (('pipes', PIPES), ('a terminal', TTY))])
def so_does_a_signal_that_asks_for_an_end(number, flags):
    r = unread(68000, *flags)
    os.kill(r.mxc, number)
    r.was_cut(128 + number, 'stopped', f'ended by signal {number.value}')


@test
def so_does_such_an_order():
    for number in (signal.SIGTERM, signal.SIGKILL):
        r = unread(68000, *PIPES)
        r.control.sendall(f'signal {signal.SIGUSR1.value}\n'
                          f'signal {number.value}\n'.encode())
        r.was_cut(128 + number, 'stopped', f'ended by signal {number.value}')
        os.unlink('result.json')


@cases(KINDS)
def other_signals_do_not(size, flags):
    r = unread(size, *flags)
    for number in (signal.SIGWINCH, signal.SIGUSR1, signal.SIGUSR2,
                   signal.SIGALRM):
        os.kill(r.mxc, number)
    time.sleep(0.3)
    eq('error' in r.arrived(), False)
    eq(r.said, '')


@cases([k for k in KINDS if k[0] in ('pipes', 'a terminal')])
def a_stop_is_one_and_it_goes_on(size, flags):
    r = unread(size, *flags)
    os.kill(r.mxc, signal.SIGTSTP)
    eventually(lambda: is_stopped(r.mxc), what='a stop')
    os.kill(r.mxc, signal.SIGCONT)
    r.arrived()


@cases(KINDS)
def a_reader_that_pauses_gets_all_of_it(size, flags):
    r = unread(size, *flags)
    time.sleep(4)
    eq('error' in r.arrived(), False)


@cases([('pipes', []), ('a terminal', TTY)])
def what_was_too_much_is_told_however_late_it_is_read(flags):
    # Seen when there is room for more than the supervisor takes at once.
    r = unread(67000, *flags, '--limit', 'output=66000')
    time.sleep(1.5)
    result = r.arrived(123, 'limited', 66000)
    eq([(x['limit'], x['count'], x['ended']) for x in result['limits']],
       [('outputBytes', 1, True)])


@test
def a_run_that_was_ended_says_what_it_cut():
    """After two seconds, in which its reader took nothing."""
    out = os.pipe()
    fcntl.fcntl(out[1], fcntl.F_SETPIPE_SZ, PIPE)
    p = spawn([MXC, *mxc_args(['yes'], flags=[
        '--json', 'result.json', '--limit', 'output=50000'])], stdout=out[1])
    os.close(out[1])
    eq(p.wait(20), 123)
    has(json.loads(read('result.json'))['error']['message'],
        f"{CUT}: the workload was ended: it reached its limit 'outputBytes'")
    has(p.stderr.read().decode(), CUT)
    eq(len(os.read(out[0], 65536)), PIPE)


@cases([(f'{n} lines, {k[0]}', n, k[2])
        for n in (10, 100000) for k in KINDS])
def what_cannot_be_written_is_a_failure(lines, flags):
    """As where the workload writes it itself, and sees that."""
    with open('/dev/full', 'wb') as full:
        p = spawn([MXC, *mxc_args(['seq', str(lines)], flags=[
            '--json', 'result.json', *flags])], stdout=full)
    eq(p.wait(20), 125)
    result = json.loads(read('result.json'))
    eq(result['outcome'], 'failed')
    eq(result['error']['message'], f'{CUT}: No space left on device')
    has(p.stderr.read().decode(), CUT)


@test
def a_reader_that_has_enough_is_no_failure():
    for flags in (PIPES, TTY):
        r = run(['sh', '-c', '"$@" | head -n 1', 'sh', MXC, *mxc_args(
            ['seq', '100000'], flags=[*flags, '--json', 'result.json'])])
        eq((r.out.strip(), r.err), ('1', ''))
        lacks(read('result.json'), CUT)


@test
def a_terminal_that_takes_nothing_can_be_interrupted():
    """It is in raw mode, and ^C was the workload's before."""
    pid, fd = ptys.fork()
    if pid == 0:
        args = on_backend([MXC, *mxc_args(
            ['sh', '-c', 'head -c 68000 /dev/zero; exit 7'],
            flags=['--tty', '--json', 'result.json'])])
        os.execv(args[0], list(map(str, args)))
    eq(len(os.read(fd, 1)), 1)
    eventually(lambda: not descendants(pid), 20, 'its end')
    os.write(fd, b'\x03')
    eventually(lambda: os.path.exists('result.json') and read('result.json'),
               10, 'a result')
    result = json.loads(read('result.json'))
    eq((result['outcome'], result['exitCode']), ('stopped', 130))
    os.close(fd)
    os.waitpid(pid, 0)


main()
