#!/usr/bin/env python3
"""Sessions on every backend that keeps them: the five phases, commands with
streams and ends of their own, less for one command, and nothing afterwards.
What a session is in detail, tests/e2e/test_session.py asks one backend."""

import json
import os
import signal
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from contract import BACKEND, EXIT_MXC, NAME, by_name, unchanged  # noqa: E402
from sessions import Session, refused  # noqa: E402

KEEPS = BACKEND.sessions


def kept(**only):
    """A test of those that keep sessions."""
    return lambda fn: test(**only)(fn) if KEEPS else fn


def keeps_nothing(work):
    """Runs work(); only the place for sessions is there afterwards."""
    os.mkdir('mxc', 0o700)
    unchanged(work)
    eq(os.listdir('mxc'), [])


@test
def who_keeps_none_says_so():
    if KEEPS:
        Session(start=False).__exit__(None)
        return
    has(refused('unsupported_phase', 'provision')['message'],
        f"backend '{NAME}' keeps no sessions")


@kept()
def phases_and_states():
    def work():
        with Session(start=False) as s:
            eq(s.id.split(':')[0], NAME)
            eq(s.look()['backend'], NAME)
            eq(s.state(), 'provisioned')
            s.exec('true').failed(EXIT_MXC, 'is not started')
            s.do('start').ok()
            eq(s.state(), 'started')
            s.do('start').failed(1, 'already')
            s.exec('true').ok()
            s.do('stop').ok()
            eq(s.state(), 'provisioned')
            s.do('start').ok()
            s.exec('true').ok()
        s.exec('true').failed(EXIT_MXC, 'there is no session')
    keeps_nothing(work)


@kept()
def by_a_request():
    doc = {'version': '1.1.0+c1', 'phase': 'provision', **by_name(),
           'session': {'idleTimeout': 600000}}
    ident = mxc('provision', write('p.json', json.dumps(doc))).ok().out.strip()
    eq(ident.split(':')[0], NAME)
    mxc('start', ident).ok()
    mxc('exec', ident, '--', 'sh', '-c', 'exit 6').ok(6)
    mxc('deprovision', ident).ok()


@kept()
def commands_share_files_and_nothing_else():
    os.mkdir('w')
    with Session(rw='w') as s:
        s.sh(f'echo a >/tmp/f; echo b >{os.getcwd()}/w/g; export SECRET=x; '
             'cd /; sleep 1000 >/dev/null 2>&1 &').ok()
        eq(read('w/g'), 'b\n')
        r = s.sh('cat /tmp/f; echo "$SECRET"; cat; exit 5', input=b'of stdin',
                 env={'MINE': '1'})
        eq((r.status, r.out), (5, 'a\n\nof stdin'))
        eq(s.names(), ['sleep'])
        s.do('stop').ok()
        s.do('start').ok()
        s.sh('test ! -e /tmp/f').ok()
        eq(s.names(), [])


@kept()
def each_command_has_its_own_end():
    with Session() as s:
        s.sh('exit 3').ok(3)
        s.sh('kill -TERM $$').ok(128 + signal.SIGTERM)
        s.sh('sleep 1000 & sleep 1000', flags=['--timeout', '300ms']).failed(
            124, 'timeout')
        s.exec('/no/such').failed(127, '/no/such')
        p = s.spawn('sh', '-c', 'trap "echo got; exit 7" TERM; echo up; '
                    'while :; do sleep 0.05; done')
        eq(p.stdout.readline(), b'up\n')
        p.send_signal(signal.SIGTERM)
        eq((p.communicate(timeout=20)[0], p.returncode), (b'got\n', 7))
        eventually(lambda: not s.names(), what='no command is left')


@kept()
def a_command_can_have_less():
    for d in 'abc':
        os.mkdir(d)
        write(f'{d}/f', d)
    with Session(rw=['a', 'b'], ro='c') as s:
        here = {'cwd': os.getcwd()}
        r = s.sh('cat a/f; cat b/f; echo no >a/new', deny='b', ro='a', **here)
        if 'Landlock ABI 6' in r.err:
            skip('this kernel cannot narrow a command')
        eq(r.out, 'a', str(r))
        check(not os.path.exists('a/new'))
        s.sh('cat b/f >a/new', **here).ok()
        eq(read('a/new'), 'b')
        s.exec('true', rw='c').failed(EXIT_MXC, f'{os.getcwd()}/c')


@kept(seconds=120)
def twenty_at_once():
    with Session() as s:
        many = [s.spawn('sh', '-c', f'echo {n}; exit {n}') for n in range(20)]
        for n, p in enumerate(many):
            out, err = p.communicate(timeout=60)
            eq((out, p.returncode), (b'%d\n' % n, n), err)


@kept()
def killed_in_any_part_nothing_is_left():
    def work():
        with Session() as s:
            s.sh('sleep 1000 >/dev/null 2>&1 & sleep 1000 >/dev/null 2>&1 &')
            os.kill(s.holder(), signal.SIGKILL)
            eventually(lambda: s.state() == 'stale', what='it is stale')
            s.exec('true').failed(EXIT_MXC, 'is gone')
        with Session() as s:
            os.kill(s.init(), signal.SIGKILL)
            eventually(lambda: s.state() == 'provisioned', what='it ended')
            has(s.do('logs').ok().out, 'killed from outside')
    keeps_nothing(work)


@kept()
def a_layer_is_refused_where_none_is_kept():
    r = mxc('provision', '--layer', 'private', '--json', 'r.json')
    if NAME == 'native':
        mxc('deprovision', r.ok().out.strip()).ok()
        return
    r.failed(1, 'keeps nothing of a session that has stopped')
    eq(json.loads(read('r.json'))['error']['code'], 'policy_validation')


@kept()
def a_pause_is_of_the_commands_and_not_of_init():
    with Session() as s:
        count = 'while :; do echo x >>/tmp/n; sleep 0.02; done'
        s.sh(f'({count}) >/dev/null 2>&1 &').ok()
        late = s.spawn('sleep', '1000', flags=['--timeout', '1s'])
        eventually(lambda: s.exec('test', '-s', '/tmp/n').status == 0,
                   what='it counts')
        s.do('pause').ok()
        has(('freezer', 'signals'), s.look()['pausedBy'])
        s.exec('true').failed(EXIT_MXC, 'paused')
        # Who ends a command in time is not held.
        late.communicate(timeout=20)
        eq(late.returncode, 124)
        eq(s.state(), 'paused')
        s.do('resume').ok()
        n = s.sh('wc -l </tmp/n').ok().out
        eventually(lambda: s.sh('wc -l </tmp/n').out != n, what='it goes on')
        # A holder that is killed meanwhile takes all along.
        s.do('pause').ok()
        mine = descendants(s.holder())
        os.kill(s.holder(), signal.SIGKILL)
        eventually(lambda: not set(mine) & set(processes()), what='all gone')


@kept()
def files_in_and_out():
    os.makedirs('w')
    write('w/secret', 'hunter2')
    write('src/d/f', 'of f\n')
    with Session(rw='w', deny='w/secret') as s:
        mxc('cp', 'src', f'{s.id}:/tmp').ok()
        eq(s.exec('cat', '/tmp/src/d/f').ok().out, 'of f\n')
        mxc('cp', f'{s.id}:/tmp/src', 'back').ok()
        eq(read('back/d/f'), 'of f\n')
        mxc('cp', f'{s.id}:{os.getcwd()}/w/secret', 'got').failed(
            1, 'in the session: cannot read', 'ermission denied')
        mxc('cp', 'src/d/f', f'{s.id}:/usr/bin/f').failed(1, 'in the session')
        eq(sorted(n for n in os.listdir('.') if n in ('back', 'got')), ['back'])


main()
