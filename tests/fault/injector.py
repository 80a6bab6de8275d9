"""injector.py - every system call of a set-up, and runs in which one of them
fails or is the last of its program: see inject.c."""

import pathlib
import platform
import re
import tap

SOURCE = pathlib.Path(__file__).resolve().parent / 'inject.c'
# No call that can fail, or none that a libc survives.
NO_CALL = ('exit', 'exit_group', 'arch_prctl', 'set_tid_address')
KILL = 0


def numbers():
    """{number: name}"""
    r = tap.run(['gcc', '-E', '-dM', '-x', 'c', '-'],
                input='#include <asm/unistd.h>\n').ok()
    return {int(n): name for name, n in
            re.findall(r'#define __NR_(\w+) (\d+)$', r.out, re.M)}


class Injector:
    """For mxc with these arguments, until the program of this name is
    executed."""

    def __init__(self, args, until):
        if platform.machine() != 'x86_64':
            tap.skip('inject.c knows x86_64 only')
        self.program = tap.cprobe(SOURCE.read_text())
        self.args = args
        self.until = until[:15]   # TASK_COMM_LEN

    def run(self, program='-', number=0, nth=0, code=KILL):
        """The run, and what inject reports."""
        r = tap.run([*self.program, 'report', self.until, program,
                     str(number), str(nth), str(code), tap.MXC, *self.args],
                    timeout=100)
        return r, tap.read('report').splitlines()

    def places(self):
        """A run in which nothing fails, and [(program, number, nth, name)] of
        every call that can."""
        r, lines = self.run()
        names, count, out = numbers(), {}, []
        for line in lines:
            program, _, number = line.rpartition(' ')
            key = (program, int(number))
            count[key] = nth = count.get(key, 0) + 1
            name = names.get(int(number), number)
            if name not in NO_CALL:
                out.append((*key, nth, name))
        return r, out
