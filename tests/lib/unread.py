"""unread.py - the end of a command whose reader is slow.  Import it after tap."""

import contextlib
import fcntl
import json
import os
import socket
import subprocess
from tap import check, descendants, eq, eventually, has, read, spawn

# Less than what the command writes: the rest stays with who follows it.
PIPE = 4096
CUT = 'not all of the output was passed on'


def is_stopped(pid):
    return read(f'/proc/{pid}/stat').rsplit(')', 1)[1].split()[0] == 'T'


class Unread:
    """A command that has written so much, and has ended, while nobody read more
    than the first byte.  argv(flags...) is its command line, and has_ended(self)
    says that it is gone."""

    def __init__(self, argv, has_ended, size, before=()):
        self.size = size
        self.control, theirs = socket.socketpair()
        self.reader, out = os.pipe()
        fcntl.fcntl(out, fcntl.F_SETPIPE_SZ, PIPE)
        args = argv('--json', 'result.json', '--control', str(theirs.fileno()))
        self.process = spawn([*before, *map(str, args)], stdout=out,
                             pass_fds=[theirs.fileno()])
        theirs.close()
        os.close(out)
        self.got = len(os.read(self.reader, 1))
        self.mxc = self.process.pid
        if before:
            eventually(lambda: self._children('mxc'), what='mxc')
            [self.mxc] = self._children('mxc')
        eventually(lambda: has_ended(self), 20, 'its end')

    def _children(self, name):
        return [pid for pid, n in descendants(self.process.pid).items()
                if n == name]

    def read(self):
        while piece := os.read(self.reader, 65536):
            self.got += len(piece)

    def wait_for_result(self):
        eventually(lambda: os.path.exists('result.json') and read('result.json'),
                   10, 'a result')
        return json.loads(read('result.json'))

    def result(self):
        result = self.wait_for_result()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.said = self.process.stderr.read().decode()
        return self.process.returncode, result

    def arrived(self, status=7, outcome='exited', size=None):
        self.read()
        code, result = self.result()
        eq((self.got, code, result['outcome']),
           (size or self.size, status, outcome))
        return result

    def was_cut(self, status, outcome, *pieces):
        code, result = self.result()
        eq((code, result['outcome'], result['exitCode']),
           (status, outcome, status))
        for piece in (CUT, *pieces):
            has(result['error']['message'], piece)
            has(self.said, piece)
        self.read()
        check(self.got < self.size, self.got)
