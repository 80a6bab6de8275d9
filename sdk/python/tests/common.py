"""What the tests share: a folder of their own, a server, the executable."""

import asyncio
import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(HERE))

import mxc_sandbox as mxc  # noqa: E402

# The tests of the tree name the program under test so; else what was built.
BUILT = HERE.parents[1] / 'build/tree/bin/mxc'
if 'MXC' in os.environ:
    os.environ['MXC_BIN'] = os.environ['MXC']
elif 'MXC_BIN' not in os.environ and BUILT.exists():
    os.environ['MXC_BIN'] = str(BUILT)


def has_option(name):
    """Does this mxc have the option?"""
    said = subprocess.run([mxc_path(), 'run', '--help'],
                          stdout=subprocess.PIPE).stdout.decode()
    return f' {name} ' in said


def mxc_path():
    from mxc_sandbox._call import find_mxc
    return find_mxc()


def descriptors():
    return len(os.listdir('/proc/self/fd'))


def resident_kb():
    with open('/proc/self/status') as f:
        return next(int(line.split()[1]) for line in f
                    if line.startswith('VmRSS'))


def children():
    """Processes that this one has started, and that have not been reaped."""
    found = []
    for task in os.listdir('/proc/self/task'):
        with contextlib.suppress(OSError):
            with open(f'/proc/self/task/{task}/children') as f:
                found += f.read().split()
    return found


def about(pid):
    """What a process is, for who finds it left."""
    found = [pid]
    for name in ('cmdline', 'stat', 'wchan'):
        with contextlib.suppress(OSError):
            with open(f'/proc/{pid}/{name}') as f:
                found.append(f.read(400).replace('\0', ' '))
    return found


def reap_orphans():
    """Where orphans come to this process: those of a killed mxc."""
    end = time.monotonic() + 2
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < end:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.01)


def eventually(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


class Case(unittest.TestCase):
    """A fresh folder, and nothing left behind."""

    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='mxc-sdk-')
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name).resolve()
        self.addCleanup(self._nothing_left, descriptors(), children())

    def _nothing_left(self, before, others):
        def left():
            return [p for p in children() if p not in others]
        self.assertTrue(eventually(lambda: not left()),
                        f'processes left: {[about(p) for p in left()]}')
        self.assertTrue(eventually(lambda: descriptors() <= before, 2),
                        f'{descriptors()} descriptors, {before} before')

    def assertRaisesCode(self, code):
        return _Raises(self, code)

    def asyncio(self, coroutine):
        return asyncio.run(asyncio.wait_for(coroutine, 60))


class _Raises:
    def __init__(self, case, code):
        self.case, self.code = case, code

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is None:
            self.case.fail(f'no MxcError {self.code}')
        if not isinstance(error, mxc.MxcError):
            return False
        self.case.assertEqual(error.code, self.code, error)
        self.error = error
        return True


class Server:
    """Answers each connection to 127.0.0.1 with one line."""

    def __init__(self, line=b'hello from the host\n'):
        self._socket = socket.create_server(('127.0.0.1', 0))
        self.port = self._socket.getsockname()[1]
        self._line = line
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._socket.accept()
                with peer:
                    peer.sendall(self._line)

    def close(self):
        # A thread that waits in accept() holds a closed socket open.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
