#!/usr/bin/env python3
"""A terminal of its own: mxc run --tty, typed at through a terminal."""

import fcntl
import json
import os
import pty as ptys
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403


class Terminal:
    """A program with a terminal that the test holds the other side of."""

    def __init__(self, *argv, rows=31, columns=97):
        self.out = b''
        self.pid, self.fd = ptys.fork()
        if self.pid == 0:
            argv = on_backend(argv)
            os.execv(argv[0], argv)
        self.resize(rows, columns)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ,
                    struct.pack('4H', rows, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def pump(self, seconds=0.05):
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            piece = os.read(self.fd, 65536)
        except OSError:         # EIO: nobody holds the other side
            piece = b''
        self.out += piece
        return bool(piece)

    def expect(self, pattern, seconds=10):
        """Wait for it in the output; what came up to it is consumed."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern.encode(), self.out)
            if found:
                self.out = self.out[found.end():]
                return found
            if time.monotonic() > end or not self.pump():
                fail(f'no {pattern!r} in {self.out!r}')

    def modes(self):
        return termios.tcgetattr(self.fd)

    def end(self, seconds=10):
        """Its exit code, as a shell would say it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.pump(0.01)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                return 128 - code if code < 0 else code
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        fail(f'no end after {seconds} s: {self.out!r}')


def terminal(*command, flags=(), **grants):
    return Terminal(MXC, *mxc_args(list(command), flags=['--tty', *flags],
                                   **grants))


@test
def it_is_a_terminal_of_its_own():
    t = terminal('sh', '-c', 'tty; test -t 0 && test -t 1 && test -t 2 && '
                 'exec 3</dev/tty && echo all; ls -l /proc/self/fd | '
                 'grep -c "pts/0"; exit 5')
    t.expect('/dev/pts/0\r\n')
    t.expect('all\r\n')
    eq(t.end(), 5)


@test
def what_is_typed_arrives_and_echoes():
    t = terminal('sh', '-c', 'echo ready; read x; echo "<$x>"')
    t.expect('ready')
    t.type('hello\r')
    t.expect('hello\r\n')
    t.expect('<hello>\r\n')
    eq(t.end(), 0)


@test
def end_of_file_ends_the_input():
    t = terminal('sh', '-c', 'echo ready; cat; echo end')
    t.expect('ready')
    t.type('a\r\x04')
    t.expect('a\r\na\r\nend')
    eq(t.end(), 0)


@test
def ctrl_c_interrupts_the_workload_only():
    t = terminal('sh', '-c', 'trap "echo caught; exit 4" INT; echo ready; '
                 'while :; do sleep 0.05; done')
    t.expect('ready')
    t.type('\x03')
    t.expect('caught')
    eq(t.end(), 4)
    t = terminal('sh', '-c', 'echo ready; exec sleep 60')
    t.expect('ready')
    t.type('\x03')
    eq(t.end(), 130)
    t = terminal('sh', '-c', 'echo ready; exec sleep 60')
    t.expect('ready')
    t.type('\x1c')
    eq(t.end(), 131)


@test
def job_control():
    """A shell inside stops, lists, resumes and kills what it started."""
    t = terminal('bash', '--norc', '-i', env={'PS1': '[%]'})
    t.expect(r'\[%\]')
    t.type('sleep 1000\r')
    time.sleep(0.3)
    t.type('\x1a')
    t.expect(r'\[1\]\+ +Stopped +sleep 1000')
    t.type('jobs\r')
    t.expect('Stopped')
    t.type('bg\r')
    t.expect(r'\[1\]\+ sleep 1000 &')
    t.type('fg\r')
    t.expect('sleep 1000\r\n')
    time.sleep(0.2)
    t.type('\x03')
    t.expect(r'\[%\]')
    t.type('exit 6\r')
    eq(t.end(), 6)


@test
def it_has_the_size_of_the_callers():
    t = terminal('sh', '-c', 'stty size; trap "stty size" WINCH; '
                 'echo ready; while :; do sleep 0.05; done')
    t.expect('31 97\r\n')
    t.expect('ready')
    t.resize(40, 120)
    t.expect('40 120\r\n')
    t.resize(10, 20)
    t.expect('10 20\r\n')
    t.type('\x03')
    eq(t.end(), 130)


@cases({'an exit': ('exit 3', None, 3),
        'a signal': ('kill -9 $$', None, 137),
        'SIGTERM to mxc': ('exec sleep 60', signal.SIGTERM, 143),
        'SIGINT to mxc': ('exec sleep 60', signal.SIGINT, 130),
        'SIGHUP to mxc': ('exec sleep 60', signal.SIGHUP, 129),
        'a terminal left raw': ('stty raw -echo; exit 3', None, 3)})
def modes_are_as_they_were(script, number, status):
    """The caller's terminal is raw meanwhile, and its own again after."""
    t = Terminal('/bin/sh', '-c', 'stty -ixon; "$@"; echo "status $?"; '
                 'read x; exit 7', 'sh', MXC,
                 *mxc_args(['sh', '-c', f'echo ready; sleep 0.2; {script}'],
                           flags=['--tty']))
    before = t.modes()
    t.expect('ready')
    check(not t.modes()[3] & (termios.ICANON | termios.ECHO), 'raw')
    if number:
        eventually(lambda: any(name == 'mxc' for name in
                               descendants(t.pid).values()), 5, 'mxc')
        [child] = [p for p, name in descendants(t.pid).items()
                   if name == 'mxc']
        os.kill(child, number)
    t.expect(f'status {status}')
    after = t.modes()
    want = before[:]
    want[0] &= ~termios.IXON
    eq(after, want)
    t.type('\r')
    eq(t.end(), 7)


@test
def modes_are_as_they_were_after_a_timeout_and_a_refusal():
    for flags, grants, status in ((['--timeout', '200ms'], {}, 124),
                                  ([], {'ro': '/no/such'}, 125)):
        t = Terminal('/bin/sh', '-c', '"$@"; echo "status $?"; read x', 'sh',
                     MXC, *mxc_args(['sleep', '60'], flags=['--tty', *flags],
                                    **grants))
        before = t.modes()
        t.expect(f'status {status}')
        eq(t.modes(), before)
        t.type('\r')
        eq(t.end(), 0)


@test
def without_tty_a_workload_cannot_keep_the_terminal_changed():
    """It was given the terminal as its streams."""
    t = Terminal('/bin/sh', '-c', '"$@"; echo "status $?"; read x', 'sh',
                 MXC, *mxc_args(['sh', '-c', 'stty raw -echo; exit 3']))
    before = t.modes()
    t.expect('status 3')
    eq(t.modes(), before)
    t.type('\r')
    eq(t.end(), 0)


@test
def without_tty_ctrl_c_and_ctrl_z_work():
    """mxc is the terminal's foreground job and passes them on."""
    t = Terminal('/bin/bash', '--norc', '-i')
    t.type('PS1="[%]"\r')
    t.expect(r'[^"]\[%\]')
    line = ' '.join(f"'{a}'" for a in (MXC, *mxc_args(
        ['sh', '-c', 'echo rea""dy; exec sleep 1000'])))
    t.type(line + '; echo "status $?"\r')
    t.expect(r'\rready')
    t.type('\x03')
    t.expect('status 130')
    t.expect(r'\[%\]')
    t.type(line + '\r')
    t.expect(r'\rready')
    t.type('\x1a')
    t.expect('Stopped')
    # Named sh as long as it has not come to exec.
    eventually(lambda: [
        1 for pid, name in descendants(t.pid).items()
        if name in ('sh', 'sleep')
        and read(f'/proc/{pid}/stat').rsplit(')', 1)[1].split()[0] == 'T'],
        what='the workload is stopped too')
    t.type('fg\r')
    eventually(lambda: [
        1 for pid, name in descendants(t.pid).items() if name == 'sleep'
        and read(f'/proc/{pid}/stat').rsplit(')', 1)[1].split()[0] == 'S'],
        what='running again')
    t.type('\x03')
    t.expect(r'\[%\]')
    t.type('exit 9\r')
    eq(t.end(), 9)


@test
def full_screen_programs():
    """vi, less and top ask the terminal for much."""
    need('less')
    write('w/text', ''.join(f'line {n}\n' for n in range(500)))
    t = terminal('less', f'{os.getcwd()}/w/text', ro='w',
                 env={'TERM': 'xterm', 'LESS': ''})
    t.expect('line 20')
    t.type('G')
    t.expect('line 499')
    t.type('q')
    eq(t.end(), 0)


@test
def much_output_keeps_its_order():
    t = terminal('sh', '-c', 'i=0; while [ $i -lt 20000 ]; do echo $i; '
                 'i=$((i+1)); done')
    eq(t.end(seconds=30), 0)
    while t.pump(0.2) and len(t.out) < 1 << 20:
        if t.out.endswith(b'19999\r\n'):
            break
    eq(t.out.decode().split('\r\n'), [str(n) for n in range(20000)] + [''])


@test
def streams_that_are_no_terminal():
    """--tty in a script: the workload has a terminal all the same."""
    p = spawn([MXC, *mxc_args(['sh', '-c', 'test -t 0 && cat; exit 3'],
                              flags=['--tty'])], stdin=subprocess.PIPE)
    out, _ = p.communicate(b'piped\n', timeout=10)
    eq(p.returncode, 3)
    has(out.decode(), 'piped\r\n')


@test
def a_terminal_that_is_gone_ends_it():
    """As ssh does when the connection drops: the workload gets SIGHUP."""
    t = terminal('sh', '-c', 'echo ready; exec sleep 1000')
    t.expect('ready')
    os.close(t.fd)
    eventually(lambda: os.waitpid(t.pid, os.WNOHANG)[0], 10, 'mxc ended')
    eventually(lambda: not descendants(), 2, 'nothing left')


@test
def results_of_a_terminal_run():
    path = os.getcwd() + '/r.json'
    t = terminal('sh', '-c', 'exit 12', flags=['--json', path])
    eq(t.end(), 12)
    eq(json.loads(read(path))['exitCode'], 12)


main()
