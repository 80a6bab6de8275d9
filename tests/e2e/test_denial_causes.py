#!/usr/bin/env python3
# tap: seconds=900
"""Commands that people run, and that fail in a sandbox: the report of
`--denials` names the cause, and what it suggests makes them work.

docs/denials.md has what came of it as a table: MXC_BLESS=1 writes it, and each
test holds its row to it."""

import json
import os
import re
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403
from tool_commands import ROWS, page_row, prepare, short  # noqa: E402

net = internet()
PAGE = TOP / 'docs/denials.md'
ROUNDS = 8


def named(denial):
    return (denial.get('resolved'), denial.get('name'), denial.get('address'))


def is_ours(denial, here):
    """Of this test, and not of what the base of a host has or lacks."""
    what = [n for n in named(denial) if n]
    return any(n.startswith((here, '/home/user/.git')) or 'example' in n or
               n == WEB for n in what)


def apply(options, hint):
    """The options, with what a hint says."""
    if hint.startswith('leave out '):
        option, path = hint.removeprefix('leave out ').split(' ', 1)
        at = options.index(path)
        eq(options[at - 1], option)
        return options[:at - 1] + options[at + 1:]
    of_its_own = re.fullmatch(r'--rw (\S+) instead of (--r[ow]) (\S+)', hint)
    if of_its_own:
        at = options.index(of_its_own[3])
        eq(options[at - 1], of_its_own[2])
        return options[:at - 1] + options[at + 1:] + ['--rw', of_its_own[1]]
    if hint.endswith(' instead of --ro'):
        path = hint.split(' ')[1]
        options = list(options)
        options[options.index(path) - 1] = '--rw'
        return options
    return options if hint in ' '.join(options) else options + hint.split(' ')


def attempt(command, options):
    # The shell finds what it is to run in the sandbox's own directories.
    r = net.mxc('run', '--denials', '--json', 'r', *options, '--', 'sh', '-c',
                command, env={'HOME': os.path.abspath('home')})
    return r, json.loads(read('r')).get('denials', [])


def cause_of(denials, cause):
    for d in denials:
        if cause in named(d):
            return d
    fail(f'no refusal of {cause} among {denials}')


def row_of(name, command, first, hints, here):
    said = re.sub(r' \([^)]*\)', '', first['message'], count=1)
    return (f'| {name} | `{short(command, here)}` | '
            f'{short(said, here)} | '
            f'{"<br>".join(f"`{short(h, here)}`" for h in hints)} |\n')


@cases([(name, name, row) for name, row in ROWS.items()])
def its_cause_is_named_and_its_remedy_works(name, row):
    here = os.path.abspath('.')
    command, cause, options = prepare(row)
    r, denials = attempt(command, options)
    check(r.status != 0, f'it works without: {r}')
    ours = [d for d in denials if is_ours(d, here)]
    first = (cause_of(ours, cause) if cause else ours[0])
    hints = []
    for _ in range(ROUNDS):
        for d in ours:
            hint = d.get('hint') if d['allowable' if 'allowable' in d else
                                      'hint'] else None
            if hint and hint not in hints:
                hints.append(hint)
                options = apply(options, hint)
                if d['what'] in ('file', 'exec'):
                    break
        r, denials = attempt(command, options)
        if r.status == 0:
            break
        ours = [d for d in denials if is_ours(d, here) and 'hint' in d]
        check(ours, f'it fails, and nothing is suggested: {r} {denials}')
    eq(r.status, 0, f'{hints}: {r}')
    page_row(PAGE, 'causes', list(ROWS), name,
             row_of(name, command, first, hints, here))


main()
