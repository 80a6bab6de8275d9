#!/usr/bin/env python3
# tap: seconds=900
"""C programs that use the library well and badly: plain, under valgrind and,
with a library that was built so, under the sanitizers; and reloading."""

import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
from tap import *  # noqa: E402,F403
from ffi import OURS, is_sanitized, one_shot  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
HELLO = json.dumps(one_shot('echo hello; exit 5'))


def build(name):
    """Beside no library: found where the test says."""
    sanitizers = ['-fsanitize=address,undefined'] if is_sanitized() else []
    linked = [] if name == 'reload' else [
        f'-L{OURS.parent}', '-lmxc_ffi', f'-Wl,-rpath,{OURS.parent}']
    p = subprocess.run(
        ['gcc', '-std=gnu11', '-g', '-O1', '-Wall', '-Wextra', '-Werror',
         '-pthread', '-rdynamic', *sanitizers, '-D_GNU_SOURCE',
         f'-I{TOP}/include', HERE / f'{name}.c',
         '-o', name, *linked], text=True, stderr=subprocess.PIPE)
    eq(p.returncode, 0, p.stderr)
    return pathlib.Path(name).absolute()


def done(argv, seconds):
    leaks = os.environ.get('ASAN_OPTIONS', '') + ':detect_leaks=1'
    r = run(argv, timeout=seconds, env={'ASAN_OPTIONS': leaks})
    eq((r.status, r.out), (0, 'done\n'), f'{r}')
    lacks(r.err, 'Sanitizer')
    return r


@test(seconds=120)
def misuse():
    done([build('misuse')], 100)


@test(seconds=200)
def misuse_under_valgrind():
    """What runs something is for the sanitizers (`make asan`)."""
    need('valgrind')
    if is_sanitized():
        skip('a sanitizer is at work already')
    done(['valgrind', '--quiet', '--error-exitcode=9', '--leak-check=full',
          '--show-leak-kinds=all', '--errors-for-leak-kinds=all',
          build('misuse'), 'nothing'], 180)


@test(seconds=300)
def each_allocation_fails_once():
    if is_sanitized():
        skip("the allocator is the sanitizer's")
    out = run([build('starve')], timeout=280).ok().out.split('\n')
    eq(out[-2], 'done')
    counts = {name: int(n) for name, n in map(str.split, out[:-2])}
    for name, least in (('refused', 3), ('lifecycle', 5), ('run', 12),
                        ('spawn', 15), ('looking', 5)):
        check(counts[name] >= least, f'control: {counts}')


@test(seconds=120)
def fifty_reloads():
    done([build('reload'), OURS, '50', HELLO], 100)


@test
def works_without_environment():
    """Where the parts of mxc are, it knows from where it is itself."""
    r = run(['env', '-i', build('reload'), OURS, '2', HELLO],
            cwd='/')
    eq((r.status, r.out), (0, 'done\n'), f'{r}')


@test
def works_through_a_symlink():
    link = pathlib.Path('libmxc_ffi.so').absolute()
    link.symlink_to(OURS)
    done([build('reload'), link, '2', HELLO], 60)


main()
