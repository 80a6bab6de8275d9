#!/usr/bin/env python3
"""A hundred runs at once, each right and none in another's way.

tap: quiet
"""

import concurrent.futures
import os
import shutil
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from contract import unchanged  # noqa: E402

CROWD, HOLD = 100, 'echo up; read x; test -e mine-$1 && cat theirs; ' \
    'cat; echo out-$1; echo err-$1 >&2; echo made-$1 >rw/$1; exit $1'


def started(n):
    """A run that waits for a word of the caller's."""
    os.makedirs(f'd{n}/rw')
    write(f'd{n}/mine-{n}')
    write(f'd{n}/theirs', f'secret-{n}')
    here = os.path.abspath(f'd{n}')
    return spawn([MXC, *mxc_args(['sh', '-c', HOLD, 'sh', str(n)], ro=here,
                                 rw=f'{here}/rw', deny=f'{here}/theirs',
                                 cwd=here)], stdin=-1)


@test(seconds=120)
def a_hundred_at_once():
    def work():
        crowd = [started(n) for n in range(CROWD)]
        for p in crowd:
            eq(p.stdout.readline(), b'up\n', 'all run at the same time')
        for n, p in reversed([*enumerate(crowd)]):
            out, err = p.communicate(f'go\ninput-{n}'.encode(), timeout=60)
            eq((p.returncode, out), (n, f'input-{n}out-{n}\n'.encode()))
            has(err.decode(), f'err-{n}\n')
            has(err.decode(), 'theirs: Permission denied')
            eq(read(f'd{n}/rw/{n}'), f'made-{n}\n')
        for n in range(CROWD):
            shutil.rmtree(f'd{n}')
    unchanged(work)


@test(seconds=120)
def starts_from_many_threads():
    def one(n):
        r = inside(['sh', '-c', f'cat; exit {n}'], input=f'{n}')
        return r.status, r.out

    def work():
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            eq([*pool.map(one, range(100))],
               [(n, str(n)) for n in range(100)])
    unchanged(work)


main()
