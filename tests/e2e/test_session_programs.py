#!/usr/bin/env python3
"""Sessions for programs that run others: mxc exec by a request, and orders
while it runs.  tap: seconds=300"""

import json
import os
import socket
import subprocess
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from sessions import *  # noqa: E402,F403


def asked(s, command, **more):
    process = more.pop('process', {})
    return json.dumps({'version': '1.1.0+c1', 'phase': 'exec',
                       'sandboxId': s.id,
                       'process': {'commandLine': command, **process}, **more})


def by_request(s, text, *flags, **kw):
    return mxc('exec', s.id, '--request', '-', *flags, input=text, **kw)


@test
def a_command_by_a_request():
    os.mkdir('w')
    w = os.path.abspath('w')
    with Session(rw='w') as s:
        r = by_request(s, asked(s, 'echo "$A$B"; pwd; exit 4', process={
            'env': ['A=1'], 'cwd': w}), '--env', 'B=2')
        eq(r.ok(4).out, f'12\n{w}\n')
        r = by_request(s, asked(s, 'sleep 9', process={'timeout': 9000}),
                       '--timeout', '200ms')
        r.ok(124)
        r = by_request(s, asked(s, "python3 -c 'import socket;socket.socket()'",
                                network={'egress': {'default': 'deny'}}))
        eq(r.status, 1)
        has(r.err, 'PermissionError')
        for text, piece in (
                (asked(s, 'true').replace(s.id, FOREIGN), 'another session'),
                (asked(s, 'true', process={'cwd': 'w'}), 'not absolute'),
                (asked(s, 'true').replace('exec', 'start'), "'process'"),
                ('{"version": "1.0.0"}', "'process'"), ('x', 'line 1')):
            has(by_request(s, text).ok(125).err, piece)
        eq(mxc('exec', s.id, '--request', '-', '--', 'pwd', input=asked(
            s, 'true', process={'cwd': w})).ok().out, f'{w}\n')
        eq(by_request(s, asked(s, 'cat')).ok().out, '')


@test
def check_looks_at_requests_of_a_session():
    def check_it(phase, **more):
        return mxc('check', '--json', '1', '-', input=json.dumps(
            {'version': '1.1.0+c1', 'phase': phase, **more}))

    r = check_it('provision', containment='native').ok().json()
    eq((r['outcome'], r['backend']), ('valid', 'native'))
    check(not os.path.exists(root()), 'it keeps nothing')
    r = check_it('provision', containment='native',
                 filesystem={'readonlyPaths': ['/nope']}).ok(1).json()
    eq(r['error']['details']['where'], 'filesystem.readonlyPaths[0]')
    with Session() as s:
        for phase in ('start', 'stop', 'deprovision'):
            eq(check_it(phase, sandboxId=s.id).ok().json()['warnings'], [])
            r = check_it(phase, sandboxId=FOREIGN).ok(1).json()
            eq(r['error']['code'], 'stale_id')
        run_it = {'sandboxId': s.id, 'process': {'commandLine': 'true'}}
        check_it('exec', **run_it).ok()
        r = check_it('exec', **run_it, network={'egress': {
            'default': 'allow'}}).ok(1).json()
        eq(r['error']['code'], 'policy_validation')
        eq(s.state(), 'started')
    has(mxc('check', '--json', '1', '-', input='{"version": "1.0.0", "process":'
            ' {"commandLine": "true"}}').ok().out, 'valid')


@test
def orders_while_it_runs():
    with Session() as s:
        def start(script, *flags):
            orders_r, orders = os.pipe()
            out, out_w = os.pipe()
            argv = [MXC, 'exec', s.id, '--json', str(out_w), '--control',
                    str(orders_r), *flags, '--', 'sh', '-c', script]
            p = spawn(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                      pass_fds=(orders_r, out_w))
            os.close(orders_r)
            os.close(out_w)
            return p, orders, os.fdopen(out)

        loop = 'while :; do sleep 0.01; done'
        p, orders, out = start(f"trap 'exit 7' USR1; echo up; {loop}")
        eq(p.stdout.readline().strip(), b'up')
        os.write(orders, b'signal 10\n')
        eq((p.wait(20), json.load(out)['exitCode']), (7, 7))
        p, orders, out = start(f'echo up; sleep 99 & {loop}')
        p.stdout.readline()
        os.write(orders, b'kill\n')
        eq((p.wait(20), json.load(out)['outcome']), (137, 'killed'))
        eventually(lambda: s.names() == [])
        p, orders, out = start('stty size; read x; stty size', '--pty', '20x50')
        eq(p.stdout.readline().strip(), b'20 50')
        os.write(orders, b'resize 30 70\n')
        p.stdin.write(b'x\n')
        p.stdin.flush()
        has(p.stdout.read(), b'30 70')
        eq(p.wait(20), 0)
        p, orders, out = start(f'echo up; {loop}')
        p.stdout.readline()
        os.write(orders, b'nonsense\n')
        eq(p.wait(20), 125)
        has(json.load(out)['error']['message'], 'no order')
        eventually(lambda: s.names() == [])


@test
def it_ends_with_its_caller():
    with Session() as s:
        p = subprocess.Popen(['sh', '-c', f'{MXC} exec {s.id} --die-with-parent '
                              '-- sleep 1000 & echo up; read x'],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        p.stdout.readline()
        eventually(lambda: s.names() == ['sleep'])
        p.kill()
        p.wait()
        eventually(lambda: s.names() == [])


@test
def what_the_caller_left_open_is_let_go():
    """A descriptor of the caller's is not kept for as long as it runs."""
    with Session() as s:
        r, w = os.pipe()
        p = s.spawn('sleep', '1000', popen={'pass_fds': (w,)})
        os.close(w)
        eq(os.read(r, 1), b'', 'its end')
        eq(p.poll(), None)
        p.kill()
        p.wait()


main()
