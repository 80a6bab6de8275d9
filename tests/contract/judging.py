"""judging.py - our own answers to documents, from one process."""

import os
import pathlib
import struct
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
TOOLS = pathlib.Path(os.environ.get(
    'MXC_CONTRACT_TOOLS', TOP / 'build/dev/tests/contract'))


class Judge:
    """with Judge() as ask: ask(data) is 'ok' or 'no LINE:COL WHERE: WHY'.

    Judge('--anywhere') leaves out what depends on the machine.
    """

    def __init__(self, *flags):
        self.flags = flags

    def __enter__(self):
        self.process = subprocess.Popen(
            [TOOLS / 'judge', *self.flags], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        return self.ask

    def ask(self, data):
        if isinstance(data, str):
            data = data.encode('utf-8', 'surrogatepass')
        self.process.stdin.write(struct.pack('<I', len(data)) + data)
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        return answer.decode('utf-8', 'replace').rstrip('\n')

    def __exit__(self, *problem):
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.wait(10) != 0 and not any(problem):
            raise AssertionError(f'judge ended {self.process.returncode}')
