#!/usr/bin/env python3
"""libmxc's face: header, symbols, layouts, pkg-config, the static archive."""

import os
import re
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import *  # noqa: E402,F403
from libmxc import FUNCTIONS, LIBRARY, TREE  # noqa: E402
import libmxc  # noqa: E402

HEADER = TREE / 'include/mxc/mxc.h'
ALL = '''
#include <mxc/mxc.h>
struct mxc_error e = MXC_ERROR_INIT;
struct mxc_options o = MXC_OPTIONS_INIT;
struct mxc_result r = MXC_RESULT_INIT;
struct mxc_command c = MXC_COMMAND_INIT;
int main(void) { return mxc_library_version() == 0; }
'''


def declared():
    return set(re.findall(r'^MXC_API [^;]*?(mxc_\w+)\(', HEADER.read_text(),
                          re.M))


def cc(source, *flags, language='c', compiler='cc'):
    need(compiler)
    write(f'x.{language}', source)
    return run([compiler, *flags, f'x.{language}', '-I', TREE / 'include',
                '-o', 'x'])


@test
def exported_is_what_the_header_declares():
    need('nm')
    lines = run(['nm', '-D', '--defined-only', LIBRARY]).ok().out.splitlines()
    names = {line.split()[-1].split('@')[0] for line in lines}
    eq(names - {'LIBMXC_1'}, declared())
    eq({line.split()[-1].split('@@')[1] for line in lines
        if '@' in line}, {'LIBMXC_1'})


@test
def the_archive_names_nothing_else():
    need('nm')
    lines = run(['nm', '-g', '--defined-only',
                 LIBRARY.parent / 'libmxc.a']).ok().out.splitlines()
    names = {line.split()[-1] for line in lines if len(line.split()) == 3}
    eq(names, declared())


@test
def the_tests_call_every_function():
    eq({'mxc_' + n for n in FUNCTIONS}, declared())


@test
def layouts_are_what_others_bind_to():
    rows = []
    for name, of in (('mxc_error', libmxc.Error),
                     ('mxc_options', libmxc.Options),
                     ('mxc_status', libmxc.Status),
                     ('mxc_result', libmxc.Result),
                     ('mxc_command', libmxc.Command)):
        rows.append((f'sizeof(struct {name})', libmxc.sizeof(of)))
        rows += [(f'offsetof(struct {name}, {f})', getattr(of, f).offset)
                 for f, _ in of._fields_]
    asserts = '\n'.join(f'_Static_assert({e} == {n}, "{e}");'
                        for e, n in rows)
    cc('#include <stddef.h>\n#include <mxc/mxc.h>\n' + asserts, '-c').ok()


@cases([(f'{std}', std) for std in ('c99', 'c11', 'c17', 'gnu11')])
def header_as_c(std):
    cc(ALL, f'-std={std}', '-pedantic', '-Wall', '-Wextra', '-Werror',
       '-c').ok()


@cases([(f'{std}', std) for std in ('c++98', 'c++11', 'c++20')])
def header_as_cxx(std):
    cc(ALL, f'-std={std}', '-pedantic', '-Wall', '-Wextra', '-Werror',
       '-Wno-long-long', '-c', language='cc', compiler='g++').ok()


@test
def the_library_needs_libc_alone():
    need('readelf')
    out = run(['readelf', '-d', LIBRARY]).ok().out
    eq(re.findall(r'NEEDED.*\[(.*)\]', out), ['libc.so.6'])
    has(out, 'Library soname: [libmxc.so.1]')
    has(out, 'BIND_NOW')
    eq(os.readlink(LIBRARY.parent / 'libmxc.so'), 'libmxc.so.1')


@test
def pkg_config_finds_it_where_it_was_moved():
    need('pkg-config', 'cp')
    run(['cp', '-a', TREE, 'moved']).ok()
    env = {'PKG_CONFIG_PATH': os.path.abspath('moved/lib/pkgconfig')}
    flags = run(['pkg-config', '--cflags', '--libs', 'mxc'],
                env=env).ok().out.split()
    write('x.c', (libmxc.TOP / 'examples/c/run.c').read_text())
    run(['cc', 'x.c', *flags, '-Wl,-rpath,$ORIGIN/moved/lib', '-o', 'x']).ok()
    has(run(['./x']).ok().out, 'exit code 3')


@test
def a_link_to_the_library_leads_to_its_programs():
    os.mkdir('else')
    os.symlink(LIBRARY, 'else/libmxc.so.1')
    write('x.c', (libmxc.TOP / 'examples/c/run.c').read_text())
    run(['cc', 'x.c', LIBRARY, '-I', TREE / 'include', '-o', 'x']).ok()
    for path in (os.path.abspath('else'), 'else'):
        r = run(['./x'], env={'LD_LIBRARY_PATH': path}).ok()
        has(r.out, 'exit code 3')


@test
def a_program_may_hold_the_archive():
    """Beside whose functions its own may have the names that ours have."""
    text = (libmxc.TOP / 'examples/c/run.c').read_text()
    write('x.c', text + 'void buf_add(void); void buf_add(void) {}\n'
          'int prepare(void); int prepare(void) { return 1; }\n')
    run(['cp', '-a', TREE, 'moved']).ok()
    run(['cc', 'x.c', LIBRARY.parent / 'libmxc.a', '-I', TREE / 'include',
         '-o', 'moved/bin/x']).ok()
    for argv, cwd in ((['moved/bin/x'], None), (['./x'], 'moved/bin'),
                      (['bin/../bin/x'], 'moved')):
        has(run(argv, cwd=cwd).ok().out, 'exit code 3')


if not LIBRARY.exists():
    print(f'1..0 # SKIP no {LIBRARY}')
    sys.exit(0)
main()
