#!/usr/bin/env python3
"""libmxc's pools, called from Python."""

import os
import signal
import sys
import threading
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from libmxc import *  # noqa: E402,F403
from libmxc import lib  # noqa: E402
from sessions import root, stopped  # noqa: E402
from pools import pools  # noqa: E402


def fds():
    return sorted(os.listdir('/proc/self/fd'))


def here(*names):
    return [os.path.abspath(name) for name in names]


@test
def a_life():
    before = fds()
    with Pooled(size=2, name='lab', idle_timeout_ms=60000) as p:
        eq(p.name, 'lab')
        e = p.sh('cat; echo err >&2; touch /tmp/x; exit 7', input=b'in\n')
        eq((e.how, e.code, e.out, e.err), (EXITED, 7, b'in\n', b'err\n'))
        eq((e.json['outcome'], e.json['exitCode']), ('exited', 7))
        eq(p.run('ls', '-A', '/tmp').out, b'')
        eventually(lambda: p.look()['ready'] == 2, what='two are ready')
        eq([(q['pool'], q['idleTimeoutMs']) for q in pools()],
           [('lab', 60000)])
        # The command line's too.
        eq(mxc('pool', 'run', 'lab', '--', 'echo', 'there').ok().out,
           'there\n')
        with Pooled(name='lab', opened=True) as q:
            eq(q.sh('exit 3').code, 3)
            q.stop()
            refused(STALE, 'it was stopped', q.sh, 'true')
            eq(q.look()['state'], 'stale')
    eq(os.listdir(root()), [])
    eq(fds(), before)


@test
def a_command_has_what_it_is_granted():
    write('w/no', '')
    write('r/f', 'read me')
    with Pooled() as p:
        user = p.run('sh', '-c', 'printf "$USER"').out.decode()
        check(user)
        script = (f'cd {os.getcwd()}; cat r/f; echo $USER $B; echo made >w/out; '
                  'cat w/no')
        e = p.sh(script, readwrite=here('w'), readonly=here('r'),
                 denied=here('w/no'), env=['B=claim'], directory=b'/')
        eq(e.out, f'read me{user} claim\n'.encode())
        has(e.err.decode(), 'Permission denied')
        eq(read('w/out'), 'made\n')
        eq(p.run('pwd', readwrite=here('w'), directory=here('w')[0].encode()
                 ).out.decode().strip(), here('w')[0])
        eq(p.run('/usr/bin/env', only_env=1, env=['C=1']).out.split(),
           [b'PWD=/home/user', b'C=1'])
        refused(VALIDATION, 'would change what stands', p.sh, 'true',
                readonly=['/etc'])
        eq(p.sh('ulimit -n', files=99).out, b'99\n')
        e = p.sh('true', files=10**9)
        eq((e.how, e.code), (FAILED, 125))
        has(e.json['error']['message'], "limit 'files' is higher")


@test
def orders_and_ends():
    with Pooled() as p:
        with p.spawn('sleep', '100', stdio=PIPE) as b:
            eq(b.wait(0), 0)
            b.order('kill')
            eq((b.wait(), b.status.exit_code), (KILLED, 137))
        with p.spawn('sh', '-c', 'trap "exit 5" USR1; echo up; '
                     'while :; do sleep 0.02; done', stdio=PIPE) as b:
            read_to(b.fd('stdout'), b'up\n')
            b.order('signal', signal.SIGUSR1)
            eq((b.wait(), b.status.exit_code), (EXITED, 5))
        with p.spawn('sleep', '100', timeout_ms=100) as b:
            eq((b.wait(), b.status.exit_code), (TIMED_OUT, 124))
        with p.spawn('true', timeout_ms=2**64 - 1) as b:
            eq((b.wait(), b.status.exit_code), (EXITED, 0))
        with p.spawn('no-such-command') as b:
            eq((b.wait(), b.status.exit_code), (NEVER_BEGAN, 127))
        with p.spawn('sh', '-c', 'stty size', stdio=PTY, rows=31,
                     columns=97) as b:
            has(read_to(b.fd('stdout'), b'\n').decode(), '31 97')
            eq(b.wait(), EXITED)
        with p.spawn('sleep', '100') as b:
            eq(lib.sandbox_pid(b.box), p.look()['pid'], 'the keeper')
        eventually(lambda: 'sleep' not in descendants().values(),
                   what='it ends with its handle')


@test
def a_time_that_never_comes():
    with Pooled(idle_timeout_ms=2**64 - 1, max_age_ms=2**64 - 1) as p:
        time.sleep(0.3)
        eq(p.run('true', timeout_ms=2**64 - 1).how, EXITED)


@test
def none_is_ready():
    with Pooled() as p:
        keeper = p.look()['pid']
        os.kill(keeper, signal.SIGSTOP)
        try:
            eq(p.run('true', wait_ms=5000).how, EXITED)
            refused(UNAVAILABLE, 'was ready within 30 ms', p.run, 'true',
                    wait_ms=30)
        finally:
            os.kill(keeper, signal.SIGCONT)
        eq(p.run('true', wait_ms=20000).how, EXITED)
        for ever in (2**63 - 1, 2**62, 2**63 // 1000 + 1):
            eq(p.run('true', wait_ms=ever).how, EXITED)


@cases({'for ever': -1, 'for long': 60000})
def who_waits_can_be_cancelled(wait_ms):
    os.mkdir('w')
    r, w = os.pipe()
    with Pooled() as p:
        with stopped(p.look()['pid']):
            eq(p.run('true').how, EXITED)
            timer = threading.Timer(0.2, os.write, (w, b'x'))
            timer.start()
            begun = time.monotonic()
            e = p.run('touch', *here('w/ran'), wait_ms=wait_ms, cancel_fd=r,
                      readwrite=here('w'))
            within(time.monotonic() - begun, 1.2)
            eq((e.how, e.code, e.out), (KILLED, 137, b''))
            timer.join()
        for _ in range(3):
            eq(p.run('true').how, EXITED)
        eq(os.listdir('w'), [])


@test
def what_is_no_pool():
    refused(MALFORMED_ID, 'no name of a pool', Pooled, name='../x')
    refused(MALFORMED, 'at most 64', Pooled, size=65)
    refused(MALFORMED, 'without a command', Pooled,
            {'process': {'commandLine': 'true'}})
    refused(STALE, 'no pool', Pooled, name='none', opened=True)
    with Pooled(name='one'):
        refused(ALREADY_STARTED, "there is a pool 'one'", Pooled, name='one')


@test
def what_is_for_a_single_run_is_refused():
    refused_beyond_a_run(Pooled)
    eq(mxc('pool', 'ls', '--json', '1').ok().out.strip(), '[]')
    with Pooled(name='one') as p:
        refused_beyond_a_run(lambda **o: Pooled(name='one', opened=True, **o))
        refused_beyond_a_run(p.spawn, 'true')
        refused_beyond_a_run(p.run, 'true')
        # No sandbox was taken for any of them.
        eq(p.run('true', wait_ms=0).how, EXITED)


main()
