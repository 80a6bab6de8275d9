#!/usr/bin/env python3
"""tap: seconds=900

The calls that libmxc makes, failing one by one: it says so, and nothing is
left; for a sandbox that is nobody's child and for one that is the caller's."""

import os
import pathlib
import re
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403

SOURCE = pathlib.Path(__file__).resolve().parent / 'libmxc.c'
TREE = MXC.parent.parent
# An init that does nothing about SIGCHLD.
SLEEPER = ('Name:\tsleep\nThreads:\t1\nSigBlk:\t0000000000000000\n'
           'SigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n')


def build(*flags):
    need('cc')
    text = SOURCE.read_text()
    names = set(re.findall(r'__wrap_(\w+)\(', text)) | set(
        re.findall(r'^WRAP\([^,]*, (\w+)', text, re.M))
    run(['cc', '-g', '-D_GNU_SOURCE', SOURCE, '-I', TREE / 'include', TREE / 'lib/libmxc.a',
         *(f'-Wl,--wrap={n}' for n in sorted(names)), *flags, '-o',
         'loop']).ok()
    return os.path.abspath('loop')


def check_loop(*args):
    out = run([build(), TREE / 'libexec/mxc', *args], timeout=350).ok().out
    rows = {tuple(line.split()[:2]): int(line.split()[2])
            for line in out.splitlines()[:-1]}
    eq(out.splitlines()[-1], 'ok')
    for name, least in (('malloc', 1), ('calloc', 3), ('realloc', 3),
                        ('pipe2', 3), ('socketpair', 1),
                        ('fcntl64', 10), ('clone', 1), ('execve', 1),
                        ('memfd_create', 2), ('poll', 2)):
        check(rows['run', name] >= least, f'control: {name} {rows}')


@test(seconds=400)
def each_call_fails_once_for_an_orphan():
    check_loop()


@test(seconds=400)
def each_call_fails_once_for_a_child():
    check_loop(write('status', SLEEPER))


if not (TREE / 'lib/libmxc.a').exists():
    print('1..0 # SKIP no libmxc.a')
    sys.exit(0)
main()
