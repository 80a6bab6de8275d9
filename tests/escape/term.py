"""term.py - a person at a terminal: types, waits for output, resizes.

    with Term([MXC, 'run', '--tty', '--', 'sh']) as t:
        t.expect('$ ')
        t.type('exit 3\\n')
        eq(t.end(), 3)
"""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time

from tap import fail, on_backend

TIOCGPTN = 0x80045430


class Term:
    def __init__(self, argv, rows=24, cols=80, env=None):
        self.out, self.at, self.status = b'', 0, None
        argv = on_backend(argv)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            with contextlib.suppress(OSError):
                termios_size(0, rows, cols)
                os.execvpe(argv[0], argv, {**os.environ, **(env or {})})
            os._exit(127)
        number = fcntl.ioctl(self.fd, TIOCGPTN, bytes(4))
        self.name = f'/dev/pts/{struct.unpack("I", number)[0]}'

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def type(self, text):
        os.write(self.fd, text.encode())

    def resize(self, rows, cols):
        termios_size(self.fd, rows, cols)

    def _more(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            piece = os.read(self.fd, 65536)
        except OSError:         # EIO: nobody has the other end any more
            return False
        self.out += piece
        return bool(piece)

    def expect(self, pattern, seconds=10):
        """Wait for output, after what was expected before; its match."""
        end = time.monotonic() + seconds
        while True:
            m = re.compile(pattern.encode()).search(self.out, self.at)
            if m:
                self.at = m.end()
                return m
            if time.monotonic() > end or not self._more(0.05):
                fail(f'no {pattern!r} in {self.out[self.at:]!r} '
                     f'(before: {self.out[:self.at]!r})')

    def end(self, seconds=10):
        """Wait until it has ended and everything was read; its status."""
        end = time.monotonic() + seconds
        while self._more(0.05):
            if time.monotonic() > end:
                fail(f'no end: {self.out!r}')
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.status = 128 - code if code < 0 else code
        return self.status

    @property
    def text(self):
        return self.out.decode(errors='replace')


def termios_size(fd, rows, cols):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', rows, cols, 0, 0))
