#!/usr/bin/env python3
"""That the pages say what the program does: generated parts, commands."""

import os
import re
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import *  # noqa: E402,F403


@test
def generated_parts_are_current():
    r = run([TOP / 'tools/gen-docs', '--check', MXC])
    eq(r.out, '')
    eq(r.status, 0)


@test
def a_stale_part_is_found():
    """The check above can fail: on a copy with one word changed."""
    for name in ('tools', 'completions', 'man', 'docs', 'include'):
        run(['cp', '-r', TOP / name, '.']).ok()
    for name in ('tests/lib/backends.py', 'examples/policies'):
        os.makedirs(os.path.dirname(name))
        run(['cp', '-r', TOP / name, name]).ok()
    path = write('man/mxc.1', read('man/mxc.1').replace(
        'Grant PATH', 'Grant a PATH'))
    r = run(['tools/gen-docs', '--check', MXC]).ok(1)
    has(r.out, 'man/mxc.1: not what')
    lacks(r.out, 'docs/backends.md')
    results = read('docs/backends-results.json')
    write('docs/backends-results.json', results.replace(
        '"filesystem": "enforced"', '"filesystem": "refused"'))
    has(run(['tools/gen-docs', '--check', MXC]).ok(1).out,
        'docs/backends.md: not what')
    write('docs/backends-results.json', results)
    run(['tools/gen-docs', MXC]).ok()
    check(read(path) == read(TOP / 'man/mxc.1'), 'not restored')


def pages():
    return [TOP / 'README.md', TOP / 'examples/README.md',
            *sorted((TOP / 'docs').glob('*.md'))]


@test
def pages_name_only_options_that_exist():
    known = set(re.findall(r'--[a-z-]+', ''.join(
        mxc(c, '--help').ok().out for c in
        ('run', 'check', 'explain', 'doctor', 'schema'))))
    for page in pages():
        for line in re.findall(r'mxc (?:run|check|explain|doctor|schema)'
                               r'([^`\n]*)', read(page)):
            for option in re.findall(r'(?<!\S)--[a-z-]+',
                                     line.split(' -- ')[0]):
                check(option in known | {'--help', '--version'},
                      f'{page.name}: no option {option}')


main()
