#!/usr/bin/env python3
"""The harness tests itself: a test that fails, hangs, leaks or skips."""

import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tap import *  # noqa: E402,F403

HEAD = f'import sys, os, time; sys.path.insert(0, {sys.path[0]!r})\n' \
       'from tap import *\n'


def tap(body):
    path = write('sample.py', HEAD + body + '\nmain()\n')
    return run([sys.executable, path])


# A test of this name that is known to end differently here.
KNOWN = """import backends
backends.KNOWN['native'][__file__.split('/')[-2] + '/sample.py: a'] = (
    backends.Known('weaker', 'the moon is full', '{}'{}))
"""


@cases({
    'a pass': ('@test\ndef a(): eq(1, 1)', 0, 'ok 1 - a'),
    'a failure': ('@test\ndef a(): eq(1, 2)', 1, 'got 1, want 2'),
    'an exception': ('@test\ndef a(): int("x")', 1, 'ValueError'),
    'an exit is no pass': ('@test\ndef a(): sys.exit(0)', 1, 'not ok 1 - a'),
    'a signal': ('@test\ndef a(): os.kill(os.getpid(), 9)', 1, 'signal 9'),
    'a hang': ('@test(seconds=1)\ndef a(): time.sleep(30)', 1, 'too long'),
    'a leftover': ('@test\ndef a(): spawn(["setsid", "sleep", "50"])', 1,
                   'left behind'),
    'a skip': ('@test\ndef a(): skip("no moon")', 0, '# SKIP no moon'),
    'a wrong errno': ('@test\ndef a(): eq(outside("open(\'/no\')").refused, '
                      '"EACCES")', 1, "got 'ENOENT', want 'EACCES'"),
})
def harness(body, status, piece):
    r = tap(body).ok(status)
    has(r.out, piece)


TIMED = ('TRIES = os.path.abspath("tries")\n'
         'def n():\n    with open(TRIES, "a") as f:\n'
         '        f.write("x")\n        return f.tell()\n'
         '@test\ndef a(): ')


@cases({
    'at once': ('within(n(), 2)', 0, 1, 'ok 1 - a'),
    'in the end': ('within(9 - n(), 7)', 0, 3, 'ok 1 - a'),
    'never': ('within(9 * n(), 9)', 1, 3, 'took 27, may take 9'),
    'not a number': ('within(n() * float("nan"), 9)', 1, 3, 'may take 9'),
    'then wrong': ('within(9 - n(), 8); eq(1, 9)', 1, 2, 'want 9'),
    'a failure': ('eq(n(), 9)', 1, 1, 'got 1, want 9'),
})
def what_takes_too_long_has_some_tries(body, status, tries, piece):
    has(tap(TIMED + body).ok(status).out, piece)
    eq(len(read('tries')), tries, 'tries')


@cases({
    'as it is known': (KNOWN.format('full moon', ''), 'eq("full moon", "new")',
                       0, 'ok 1 - a # KNOWN weaker: the moon is full'),
    'for another reason': (KNOWN.format('full moon', ''), 'eq(1, 2)', 1,
                           "by 'full moon', which was not seen"),
    'as everywhere': (KNOWN.format('full moon', ''), 'eq(1, 1)', 1,
                      'not ok 1 - a'),
    'skipped': (KNOWN.format('full moon', ''), 'skip("x")', 0, '# SKIP x'),
    'for another caller': (
        KNOWN.format('full', ', "user"' if IS_ROOT else ', "root"'),
        'eq("full moon", "new")', 1, 'not ok 1 - a\n'),
    'of no test': (KNOWN.format('x', '').replace(': a', ': b'), 'eq(1, 1)', 1,
                   'Bail out! KNOWN names what is no test'),
})
def a_known_end(entry, body, status, piece):
    r = tap(f'{entry}@test\ndef a(): {body}').ok(status)
    has(r.out, piece)


ALL = KNOWN.replace(': a', ': a*').format('full moon', '')
SOME = KNOWN.replace(': a', ': a*').format('full moon', ', None, True')
FULL, NEW, OTHER = 'eq("full moon", "new")', 'eq(1, 1)', 'eq(1, 2)'


@cases({
    'all rows': (ALL, FULL, FULL, 0, 'ok 2 - ab # KNOWN weaker'),
    'all but one': (ALL, FULL, NEW, 1, 'not ok 2 - ab'),
    'for another reason': (ALL, FULL, OTHER, 1, 'not ok 2 - ab'),
    'some': (SOME, FULL, NEW, 0, 'ok 2 - ab\n'),
    'some for another reason': (SOME, FULL, OTHER, 1, 'not ok 2 - ab'),
    'some, but none': (SOME, NEW, NEW, 1, 'Bail out! KNOWN has what ends as'),
    'one of two sentences': (
        ALL.replace("'full moon'", "('half', 'full moon')"), FULL, FULL, 0,
        'ok 1 - a # KNOWN weaker'),
    'of no test': (ALL.replace('a*', 'b*'), NEW, NEW, 1,
                   'Bail out! KNOWN names what is no test'),
})
def known_ends_of_a_pattern(entry, one, two, status, piece):
    r = tap(f'{entry}@test\ndef a(): {one}\n@test\ndef ab(): {two}')
    has(r.ok(status).out, piece)


@test(only='root')
def what_cannot_be_removed_changes_nothing_above_it():
    os.mkdir('places')
    os.chmod('places', 0o1777)
    body = ('@test\ndef a():\n    os.mkdir("m")\n'
            '    run(["mount", "-t", "tmpfs", "none", "m"]).ok()\n'
            '    write("m/file")')
    path = write('sample.py', HEAD + body + '\nmain()\n')
    r = run([sys.executable, path], env={'TMPDIR': os.path.abspath('places')})
    mode, left = os.stat('places').st_mode & 0o7777, os.listdir('places')
    for name in left:
        run(['umount', f'places/{name}/m'])
    eq((r.status, len(left)), (0, 1), f'the busy directory: {r}')
    eq(mode, 0o1777, 'mode of what is above')


@test
def what_was_seen_is_told():
    has(tap('@test\ndef a(): saw("k", "n", {"x": [1]}); print("other")'
            ).ok().out, '# saw: ["k", "n", {"x": [1]}]\nok 1 - a\n')


@cases({
    'none': (None, ['{mxc}', 'run', '--', 'x'], ['{mxc}', 'run', '--', 'x']),
    'a run': ('b', ['{mxc}', 'run', '--', '-b'],
              ['{mxc}', 'run', '--backend', 'b', '--', '-b']),
    'below others': ('b', ['sh', '-c', 'x', '{mxc}', 'run', 'f'],
                     ['sh', '-c', 'x', '{mxc}', 'run', '--backend', 'b', 'f']),
    'with its own': ('b', ['{mxc}', 'run', '--backend', 'c'],
                     ['{mxc}', 'run', '--backend', 'c']),
    'another command': ('b', ['{mxc}', 'check'], ['{mxc}', 'check']),
    'a word run': ('b', ['x', 'run'], ['x', 'run']),
})
def a_backend_is_told(name, argv, want):
    use_backend(name)
    eq(on_backend([a.format(mxc=MXC) for a in argv]),
       [a.format(mxc=MXC) for a in want])


@test
def a_python_probe_reports():
    eq(outside('pass').done, True)
    eq(outside('open("/does/not/exist")').refused, 'ENOENT')
    eq(outside('call("chdir", b"/does/not/exist")').refused, 'ENOENT')
    eq(outside('raise ValueError').refused, None)


@test
def a_c_probe_reports():
    probe = cprobe('int main(int c, char **v)\n'
                   '{ TRY(open(v[1], O_RDONLY)); DONE(); }')
    eq(outside([*probe, '/dev/null']).done, True)
    eq(outside([*probe, '/does/not/exist']).refused, 'ENOENT')


@test
def a_terminal_is_a_terminal():
    r = pty(['sh', '-c', 'test -t 0 && read x && echo "<$x>"'], input='hi\n')
    has(r.ok().out, '<hi>')


@test
def a_timeout_ends_the_whole_family():
    try:
        run(['sh', '-c', 'sleep 60 & sleep 60'], timeout=0.2)
    except AssertionError as e:
        has(str(e), 'no end after')
    else:
        fail('no failure')
    eventually(lambda: not descendants(), 2, 'all gone')


@test
def listeners_hear():
    ear = Listener()
    outside(f'socket.create_connection(("127.0.0.1", {ear.port})).send(b"x")')
    eventually(lambda: ear.got == [b'x'], what='heard')
    ear = Listener('@mxc-test-' + os.urandom(4).hex())
    eq(ear.got, [])


main()
