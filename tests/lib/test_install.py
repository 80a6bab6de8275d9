#!/usr/bin/env python3
"""What make install puts where, and that the tree works where it is moved."""

import os
import pathlib
import re
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import *  # noqa: E402,F403

PROGRAMS = ('bin/mxc', 'bin/lxc-exec', 'libexec/mxc/mxc-supervise', 'libexec/mxc/mxc-relay',
            'libexec/mxc/mxc-launch', 'libexec/mxc/mxc-gateway',
            'libexec/mxc/mxc-hold', 'libexec/mxc/mxc-copy',
            'libexec/mxc/mxc-try')


def install(prefix):
    prefix = os.path.join(os.getcwd(), prefix)
    # The runner's own make must not lend this one its job slots.
    run(['make', '-C', TOP, 'install', f'PREFIX={prefix}'], timeout=50,
        env={'MAKEFLAGS': ''}).ok()
    return prefix


@test
def programs_are_there_and_static():
    prefix = install('p')
    for name in PROGRAMS:
        path = os.path.join(prefix, name)
        check(os.access(path, os.X_OK), f'{name} is not an executable')
        r = run(['readelf', '-l', path]).ok()
        lacks(r.out, 'INTERP', name)
        has(r.out, 'GNU_RELRO', name)


@test
def the_library_is_there_and_stripped():
    prefix = install('p')
    for name in ('libmxc.so.1', 'libmxc.so', 'libmxc.a', 'pkgconfig/mxc.pc',
                 'libmxc_ffi.so'):
        check(os.path.exists(os.path.join(prefix, 'lib', name)), name)
    lacks(run(['readelf', '-S', f'{prefix}/lib/libmxc.so.1']).ok().out,
          '.debug_info')
    for name in ('mxc.h', 'mxc_ffi.h'):
        eq(read(f'{prefix}/include/mxc/{name}'),
           read(TOP / 'include/mxc' / name))
    has(read(f'{prefix}/lib/pkgconfig/mxc.pc'), 'prefix=${pcfiledir}/../..')
    # Does the archive survive the stripping?
    write('x.c', read(TOP / 'examples/c/run.c'))
    run(['cc', 'x.c', f'-I{prefix}/include', f'{prefix}/lib/libmxc.a', '-o',
         f'{prefix}/bin/x']).ok()
    has(run([f'{prefix}/bin/x']).ok().out, 'exit code 3')


@test
def what_the_pages_lead_to_is_there():
    """Examples and schemas; sources and tests are not installed."""
    share = pathlib.Path(install('p'), 'share/mxc')
    pages = [*share.glob('docs/*.md'), share / 'examples/README.md']
    links = {(page, link) for page in pages
             for link in re.findall(r'\]\(([\w./-]+)', page.read_text())
             if page.parent.name == 'examples' and '..' not in link
             or re.match(r'\.\./(examples|schemas)/', link)}
    check(len(links) > 5, links)
    eq([f'{p.name}: {link}' for p, link in sorted(links)
        if not (p.parent / link).exists()], [])


@test
def a_moved_tree_runs():
    os.rename(install('p'), 'moved')
    r = run(['moved/bin/mxc', '--version']).ok()
    has(r.out, 'mxc ')
    r = run(['moved/bin/mxc', 'run', '--', 'sh', '-c', 'echo in; exit 3'])
    eq(r.ok(3).out, 'in\n')


@test
def nothing_else_is_touched():
    prefix = install('p')
    eq(sorted(set(os.listdir(prefix)) - {'bin', 'lib', 'libexec', 'include',
                                         'share'}), [], 'folders')


main()
