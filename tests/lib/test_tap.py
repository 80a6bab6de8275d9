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
