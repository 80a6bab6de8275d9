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

HERE = pathlib.Path(__file__).resolve().parent
TREE = MXC.parent.parent
# An init that does nothing about SIGCHLD.
SLEEPER = ('Name:\tsleep\nThreads:\t1\nSigBlk:\t0000000000000000\n'
           'SigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n')


def build(source, *flags):
    need('cc')
    source = HERE / source
    text = source.read_text()
    names = set(re.findall(r'__wrap_(\w+)\(', text)) | set(
        re.findall(r'^WRAP\([^,]*, (\w+)', text, re.M))
    run(['cc', '-g', '-D_GNU_SOURCE', source, '-I', TREE / 'include', TREE / 'lib/libmxc.a',
         *(f'-Wl,--wrap={n}' for n in sorted(names)), *flags, '-o',
         'loop']).ok()
    return os.path.abspath('loop')


def check_loop(*args):
    out = run([build('libmxc.c'), TREE / 'libexec/mxc', *args], timeout=350).ok().out
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


@test(seconds=300)
def what_is_provisioned_without_memory_to_tell_it():
    os.mkdir('run', 0o700)
    out = run([build('lifecycle.c'), TREE / 'libexec/mxc',
               os.path.abspath('run')], timeout=250)
    out.ok()
    failures, kept = map(int, out.out.split())
    check(failures > 10, f'control: {out}')
    eq(kept, 1)


if not (TREE / 'lib/libmxc.a').exists():
    print('1..0 # SKIP no libmxc.a')
    sys.exit(0)
main()
