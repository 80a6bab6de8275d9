#!/usr/bin/env python3
"""Orders while it runs: mxc run --control FD, and --pty without a terminal."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403


class Run:
    """A run that the test holds the other ends of."""

    def __init__(self, *command, flags=(), stdin=subprocess.DEVNULL):
        self.out = b''
        self.control, theirs = socket.socketpair()
        self.result, result = os.pipe()
        self.process = subprocess.Popen(on_backend(
            [MXC, *mxc_args(list(command), flags=[
                '--control', str(theirs.fileno()), '--json', str(result),
                *flags])]),
            pass_fds=(theirs.fileno(), result), stdin=stdin,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        theirs.close()
        os.close(result)

    def say(self, text):
        self.control.sendall(text.encode())

    def expect(self, text):
        """Reads its output up to a text, and gives that."""
        while text.encode() not in self.out:
            piece = os.read(self.process.stdout.fileno(), 4096)
            if not piece:
                fail(f'no {text!r} in {self.out!r}')
            self.out += piece
        at = self.out.index(text.encode()) + len(text)
        out, self.out = self.out[:at], self.out[at:]
        return out.decode()

    def end(self):
        if self.process.stdin:
            self.process.stdin.close()
        with open(self.result, encoding='utf-8') as f:
            self.json = json.load(f)
        self.err = self.process.stderr.read().decode()
        return self.process.wait(), self.json['outcome']


LOOP = 'echo up; while :; do sleep 0.02; done'


@test
def kill_ends_it_and_everything_in_it():
    r = Run('sh', '-c', 'sleep 50 & ' + LOOP)
    r.expect('up')
    r.say('kill\n')
    eq(r.end(), (137, 'killed'))
    eq((r.json['exitCode'], r.json['timedOut'], r.err), (137, False, ''))


@test
def kill_works_before_it_started_too():
    r = Run('sleep', '50')
    r.say('kill\n')
    eq(r.end(), (137, 'killed'))


@test
def a_signal_reaches_the_workload():
    r = Run('sh', '-c', 'trap "echo got; exit 7" USR1; ' + LOOP)
    r.expect('up')
    r.say(f'signal {signal.SIGUSR1.value}\n')
    r.expect('got')
    eq(r.end(), (7, 'exited'))


@test
def a_signal_that_comes_early_waits():
    r = Run('sleep', '50')
    r.say(f'signal {signal.SIGTERM.value}\n')
    eq(r.end(), (143, 'signaled'))
    eq(r.json['signal'], signal.SIGTERM.value)


@test
def stopped_and_continued():
    r = Run('sh', '-c', 'trap "exit 3" TERM; ' + LOOP)
    r.expect('up')
    r.say(f'signal {signal.SIGSTOP.value}\nsignal {signal.SIGTERM.value}\n')
    time.sleep(0.3)
    eq(r.process.poll(), None, 'it is stopped, and so is not we')
    r.say(f'signal {signal.SIGCONT.value}\n')
    eq(r.end(), (3, 'exited'))


@test
def the_end_of_the_channel_is_nothing_special():
    r = Run('sh', '-c', 'sleep 0.3; exit 5')
    r.control.close()
    eq(r.end(), (5, 'exited'))


@test
def orders_come_in_pieces_and_together():
    r = Run('sh', '-c', 'trap "echo one" USR1; trap "exit 9" USR2; ' + LOOP)
    r.expect('up')
    for piece in ('sig', 'nal 1', '0', '\n'):
        r.say(piece)
        time.sleep(0.02)
    r.expect('one')
    r.say('signal 10\n' * 300 + 'signal 12\n')
    eq(r.end(), (9, 'exited'))


@test
def what_is_no_order_ends_it():
    for said in ('hello\n', '\n', 'signal\n', 'signal 0\n', 'signal 65\n',
                 'signal TERM\n', 'signal -9\n', ' kill\n', 'kill \n',
                 'kill\r\n', 'KILL\n', 'kill\0\n', 'resize 1\n',
                 'resize 0 80\n', 'resize 24 32768\n', 'resize 24  80\n',
                 'resize 24 80 1\n', 'resize 24 80\n', 'x' * 300):
        r = Run('sh', '-c', LOOP)
        r.expect('up')
        r.say(said)
        eq(r.end(), (125, 'stopped'), repr(said))
        eq(r.json['error']['code'], 'malformed_request')
        has(r.err, 'the control channel')


@test
def a_pipe_will_do_and_descriptors_are_checked():
    fd, ours = os.pipe()
    os.write(ours, b'kill\n')
    flags = ['--control', str(fd)]
    eq(run([MXC, *mxc_args(['sleep', '9'], flags=flags)],
           pass_fds=(fd,)).status, 137)
    for bad, why in ((str(ours), 'cannot be read'), ('77', 'is not open'),
                     ('x', 'not a descriptor'),
                     ('0', "is the command's")):
        r = run([MXC, *mxc_args(['true'], flags=['--control', bad])],
                pass_fds=(fd, ours))
        eq(r.status, 125)
        has(r.err, why)


@test
def the_workload_does_not_get_the_channel():
    r = Run('ls', '/proc/self/fd')
    eq(r.expect('3').split(), ['0', '1', '2', '3'])
    eq(r.end(), (0, 'exited'))


# --- --pty -----------------------------------------------------------------

def terminal(*command, size='31x97'):
    return Run(*command, flags=['--pty', size], stdin=subprocess.PIPE)


@test
def a_terminal_between_pipes_has_its_size_from_the_start():
    r = terminal('sh', '-c', 'tty; stty size; test -t 0 -a -t 1 -a -t 2')
    r.expect('31 97')
    eq(r.end(), (0, 'exited'))


@test
def it_is_resized_and_told():
    r = terminal('bash', '-c', 'trap "stty size; exit 4" WINCH; ' + LOOP)
    r.expect('up')
    r.say('resize 50 132\n')
    r.expect('50 132')
    eq(r.end(), (4, 'exited'))


@test
def a_size_that_comes_early_counts():
    r = terminal('sh', '-c', 'sleep 0.2; stty size')
    r.say('resize 1 32767\n')
    r.expect('1 32767')
    eq(r.end(), (0, 'exited'))


@test
def it_echoes_reads_lines_and_understands_control_characters():
    r = terminal('sh', '-c', 'trap "echo interrupted; exit 6" INT; '
                 'read line; echo "<$line>"; ' + LOOP)
    r.process.stdin.write(b'hello\r')
    r.process.stdin.flush()
    out = r.expect('<hello>')
    has(out, 'hello\r\n<hello>', 'echo, and newlines as terminals have them')
    r.expect('up')
    r.process.stdin.write(b'\x03')
    r.process.stdin.flush()
    r.expect('interrupted')
    eq(r.end(), (6, 'exited'))


@test
def the_end_of_the_input_is_control_d():
    r = terminal('cat')
    r.process.stdin.write(b'last words\n')
    r.process.stdin.close()
    r.process.stdin = None
    r.expect('last words\r\nlast words\r\n')
    eq(r.end(), (0, 'exited'))


@test
def much_output_arrives_whole():
    r = terminal('sh', '-c', 'stty -onlcr; seq 1 200000')
    out = r.process.stdout.read()
    eq(r.end(), (0, 'exited'))
    eq(out, b''.join(b'%d\n' % i for i in range(1, 200001)))


@test
def sizes_are_checked():
    for size in ('24', '24x', 'x80', '0x80', '24x0', '24x32768', '24x80x1',
                 ' 24x80', '24 80', '-1x80', '111111111111x2'):
        r = run([MXC, *mxc_args(['true'], flags=['--pty', size])])
        eq(r.status, 125, size)
        has(r.err, '--pty')
    r = run([MXC, *mxc_args(['true'], flags=['--pty', '24x80', '--tty'])])
    eq(r.status, 125)
    has(r.err, 'exclude each other')


main()
