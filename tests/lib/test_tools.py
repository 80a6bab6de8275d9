#!/usr/bin/env python3
"""The tools that judge are judged: each must see what it is there to see."""

import json
import os
import shutil
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import *  # noqa: E402,F403


def tree(files):
    """A source tree of its own in the test's directory, with our tools."""
    shutil.copytree(TOP / 'tools', 'tools')
    for name, text in files.items():
        write(name, text, 0o755)


# --- run-tests -------------------------------------------------------------

SH = '#!/bin/sh\n'


@cases({
    'counts': ('echo 1..3; echo ok 1 - a; echo "ok 2 - b # SKIP no moon"; '
               'echo ok 3 - c', 0, '2 passed, 0 failed, 1 skipped'),
    'a failure': ('echo 1..1; echo "# because"; echo not ok 1 - a; exit 1', 1,
                  '0 passed, 1 failed, 0 skipped'),
    'fewer than planned': ('echo 1..2; echo ok 1 - a', 1,
                           '1 passed, 1 failed, 0 skipped'),
    'a crash': ('kill -SEGV $$', 1, '0 passed, 1 failed, 0 skipped'),
    'a crash after the last test': ('echo 1..1; echo ok 1; kill -SEGV $$', 1,
                                    '1 passed, 1 failed, 0 skipped'),
    'no TAP': ('echo hello', 1, '0 passed, 1 failed, 0 skipped'),
    'a bail-out': ('echo 1..1; echo ok 1; echo "Bail out! gone"', 1,
                   '1 passed, 1 failed, 0 skipped'),
    'a file that is skipped': ('echo "1..0 # SKIP no moon"', 1,
                               '0 passed, 1 failed, 1 skipped'),
    'a time limit': (': tap: seconds=1\necho 1..1; sleep 60 & sleep 60', 1,
                     '0 passed, 1 failed, 0 skipped'),
})
def runner(body, status, last):
    tree({'tests/plan/test_it.sh': SH + body})
    r = run(['tools/run-tests', 'plan']).ok(status)
    eq(r.out.splitlines()[-1], last, 'last line')


@test
def runner_shows_why():
    tree({'tests/plan/test_it.sh': SH + 'echo 1..2; echo "# because of x"; '
          'echo not ok 1 - a; echo "ok 2 - b # SKIP no moon"; exit 1'})
    r = run(['tools/run-tests', 'plan'])
    for piece in ('because of x', 'not ok plan/test_it.sh: a', 'no moon'):
        has(r.out, piece)


@test
def runner_knows_whose_attacks_they_are():
    tree({'tests/escape/test_it.sh': SH + ': tap: backend=gvisor\n'
          'echo 1..1; echo ok 1 - a1_it',
          'tests/lib/backends.py': read(TOP / 'tests/lib/backends.py')})
    os.mkdir('docs')
    r = run(['tools/run-tests', '--once', '--backend', 'lxc', 'escape'])
    has(r.ok(1).out, 'no test ran')
    run(['tools/run-tests', '--once', 'escape'], env={'MXC_BLESS': 1}).ok()
    kept = json.loads(read('docs/backends-results.json'))
    eq(list(kept), ['gvisor'])
    eq([*kept['gvisor'].values()],
       [{'attacks': {'test_it.sh': {'A': {'held': 1}}}}])


@test
def runner_wants_tests():
    tree({})
    r = run(['tools/run-tests', 'plan']).ok(1)
    has(r.out, 'no test ran')


@test(only='root')
def runner_goes_again_as_a_user():
    tree({'tests/e2e/test_it.sh': SH + 'echo 1..1; echo ok 1 - a\n'
          'test "$(id -u)" = 0 || echo "Bail out! uid $(id -u)"'})
    r = run(['tools/run-tests', 'e2e']).ok(1)
    has(r.out, 'test_it.sh (user): Bail out! uid 61234')
    eq(r.out.splitlines()[-1], '2 passed, 1 failed, 0 skipped')


ATTACKS = ('echo 1..3; echo ok 1 - b1_x; echo "ok 2 - b2_y # SKIP no moon"; '
           'echo ok 3 - g1_z')


def seen(body, blessing=False):
    """run-tests over a suite of attacks that ends as `body` says."""
    write('tests/escape/test_it.sh', SH + body, 0o755)
    return run(['tools/run-tests', '--once', 'escape'],
               env={'MXC_BLESS': '1'} if blessing else None)


@cases({
    'the same': (ATTACKS, None),
    'more of them': (ATTACKS.replace('..3', '..4') + '; echo ok 4 - b3_x',
                     None),
    'one that now holds here': (ATTACKS.replace(' # SKIP no moon', ''), None),
    'one that is gone': (ATTACKS.replace('..3', '..2')
                         .replace('; echo ok 3 - g1_z', ''),
                         'attacks: test_it.sh: G: 0 tests, 1 are kept'),
    'weaker': (ATTACKS.replace('SKIP', 'KNOWN weaker:'),
               'attacks: test_it.sh: B: 1 weaker, 0 are kept'),
    'another feature': ('echo "# saw: [\\"features\\", \\"a\\", \\"x\\"]"; '
                        + ATTACKS, "features: nothing is kept so far"),
})
def runner_compares_what_was_seen(body, complaint):
    tree({'docs/x': ''})
    shutil.copytree(TOP / 'tests/lib', 'tests/lib')
    seen(ATTACKS, blessing=True).ok()
    me = 'root' if IS_ROOT else 'user'
    eq(json.loads(read('docs/backends-results.json')), {'native': {me: {
        'attacks': {'test_it.sh': {'B': {'held': 1, 'skipped': 1},
                                   'G': {'held': 1}}}}}})
    if complaint is None:
        seen(body).ok()
    else:
        has(seen(body).ok(1).out, complaint)


@test
def runner_tells_the_backend():
    tree({'tests/e2e/test_it.sh': SH + 'echo 1..1; echo "ok 1 - $MXC_BACKEND"; '
          'test "$MXC_BACKEND" = lxc'})
    shutil.copytree(TOP / 'tests/lib', 'tests/lib')
    r = run(['tools/run-tests', '--once', '--backend', 'lxc', 'e2e']).ok()
    has(r.out, 'e2e/test_it.sh [lxc]')


@test
def runner_keeps_what_was_held_in_a_session_apart():
    tree({'tests/escape/test_it.sh': SH + 'echo 1..1; echo ok 1 - a1_it; '
          'test "$MXC_IN_SESSION" = 1',
          'tests/escape/test_no.sh': SH + 'echo "1..0 # SKIP no session"',
          'docs/x': ''})
    shutil.copytree(TOP / 'tests/lib', 'tests/lib')
    run(['tools/run-tests', '--in-session', '--backend', 'lxc', 'escape']).failed(
        2, 'not allowed with')
    r = run(['tools/run-tests', '--once', '--in-session', 'escape'],
            env={'MXC_BLESS': '1'}).ok()
    has(r.out, 'escape/test_it.sh [in a session]')
    kept = json.loads(read('docs/backends-results.json'))
    eq([*kept], ['session'])
    eq([*kept['session'].values()],
       [{'attacks': {'test_it.sh': {'A': {'held': 1}}}}])


@test
def runner_makes_attacks_with_a_report():
    """They count for no backend, and one that is about gVisor is none."""
    tree({'tests/escape/test_absent.sh': SH + 'echo 1..1; '
          'echo "ok 1 - a1_it$MXC_DENIALS"',
          'tests/escape/test_gvisor.sh': SH + ': tap: backend=gvisor\n'
          'echo 1..1; echo ok 1 - a1_it', 'docs/x': ''})
    shutil.copytree(TOP / 'tests/lib', 'tests/lib')
    r = run(['tools/run-tests', '--once', '--denials', 'escape'],
            env={'MXC_BLESS': '1'}).ok()
    has(r.out, 'escape/test_absent.sh [denials]')
    has(r.out, '1 passed, 0 failed')
    check(not os.path.exists('docs/backends-results.json'))


# --- the checks ------------------------------------------------------------

HEAD = '/* What it is for. */\n'
GUARD = HEAD + '#ifndef MXC_A_H\n#define MXC_A_H\n'


@cases({
    'good': ({'src/base/a.c': HEAD + 'int a;\n'}, None),
    'long line': ({'src/base/a.c': HEAD + 'int ' + 'a' * 80 + ';\n'},
                  'src/base/a.c:2: 85 columns'),
    'tab': ({'src/base/a.c': HEAD + '\tint a;\n'}, 'a.c:2: a tab'),
    'banned': ({'src/base/a.c': HEAD + 'int f(void)\n{\n'
                '    return system("x");\n}\n'}, 'a.c:4: system is banned'),
    'banned name in a comment': ({'src/base/a.c': HEAD +
                                  '/* not strcpy(a, b) */\n'}, None),
    'getenv in the command': ({'src/cli/a.c': HEAD +
                               'char *a = getenv("A");\n'}, None),
    'getenv elsewhere': ({'src/sys/a.c': HEAD + 'char *a = getenv("A");\n'},
                         'getenv is banned'),
    'no purpose': ({'src/base/a.c': 'int a;\n'}, 'no comment that says'),
    'no guard': ({'src/base/a.h': HEAD}, 'no include guard'),
    'long function': ({'src/base/a.c': HEAD + 'int f(void)\n{\n' +
                       '    f();\n' * 90 + '}\n'}, 'f has 93 lines'),
    'long header': ({'src/base/a.h': GUARD + '\n' * 300 + '#endif\n'},
                    'at most 300'),
})
def style(files, complaint):
    need('ctags')
    tree(files)
    verdict('tools/check-style', complaint)


@cases({
    'good': ({'src/sys/a.c': '#include "sys/a.h"\n#include "base/b.h"\n',
              'src/sys/a.h': '', 'src/base/b.h': ''}, None),
    'upwards': ({'src/base/a.c': '#include "sys/b.h"\n', 'src/sys/b.h': ''},
                'base may not include sys'),
    'the launcher and policy': ({'src/launch/a.c': '#include "policy/b.h"\n',
                                 'src/policy/b.h': ''},
                                'launch may not include policy'),
    'a system header in pure code': ({'src/plan/a.c': '#include <unistd.h>\n'},
                                     'may not include <unistd.h>'),
    'another backend': ({'src/backends/x/a.c': '#include "backends/y/b.h"\n',
                         'src/backends/y/b.h': ''},
                        'may not include another'),
    'own header second': ({'src/base/a.c': '#include "base/b.h"\n'
                           '#include "base/a.h"\n', 'src/base/a.h': '',
                           'src/base/b.h': ''}, 'must come first'),
    'no such file': ({'src/base/a.c': '#include "base/x.h"\n'},
                     'not a file of ours'),
    'a new folder': ({'src/new/a.c': ''}, 'not in the table'),
})
def borders(files, complaint):
    tree(files)
    verdict('tools/check-includes', complaint)


def compiled(files):
    tree(files)
    for name in files:
        run(['gcc', '-c', name, '-o', name + '.o']).ok()


@cases({
    'good': ({'src/policy/a.c': '#include <string.h>\n'
              'unsigned long f(const char *s) { return strlen(s); }\n'}, None),
    'a system call': ({'src/policy/a.c': '#include <unistd.h>\n'
                       'int f(void) { return getpid(); }\n'}, 'uses getpid'),
    'a system call through base': (
        {'src/plan/a.c': 'int g(void); int f(void) { return g(); }\n',
         'src/base/b.c': '#include <unistd.h>\n'
         'int g(void) { return getpid(); }\n'},
        'src/base/b.c.o: uses getpid'),
    'hidden state': ({'src/plan/a.c': 'int f(void) '
                      '{ static int n; return ++n; }\n'},
                     'is a mutable variable'),
    'hidden pointer': ({'src/sys/a.c': 'const char *name = "x";\n',
                        'src/plan/b.c': ''}, 'name is a mutable variable'),
    'a table': ({'src/plan/a.c': 'const char *const t[] = { "a", "b" };\n'},
                None),
    'nothing to look at': ({}, 'no object of'),
})
def purity(files, complaint):
    compiled(files)
    verdict(['tools/check-purity', '.'], complaint)


@cases({
    'good': ({'a.md': '[b](docs/b.md#what-it-does)',
              'docs/b.md': '# What it *does*'}, None),
    'no file': ({'a.md': '\n[b](docs/b.md)'}, 'a.md:2: no such file'),
    'no heading': ({'a.md': '[b](docs/b.md#c)', 'docs/b.md': '# B'},
                   'has no heading #c'),
    'not a link': ({'a.md': '```\n[x](y.md)\n```\n'}, None),
    'a bad manual': ({'man/a.1': '.TH A 1\n.SH NAME\n'}, 'man/a.1'),
})
def documents(files, complaint):
    need('mandoc')
    tree(files)
    verdict('tools/check-docs', complaint)


def verdict(tool, complaint):
    r = run([tool] if isinstance(tool, str) else tool)
    if complaint is None:
        eq((r.status, r.out, r.err), (0, '', ''), str(tool))
    else:
        r.ok(1)
        has(r.out, complaint)


main()
