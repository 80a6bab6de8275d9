#!/usr/bin/env python3
"""Who finds no sandbox ready in a pool waits, is told, or makes one.
tap: seconds=600"""

import contextlib
import os
import resource
import signal
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from sessions import *  # noqa: E402,F403
from pools import *  # noqa: E402,F403


@test
def who_finds_none_waits_or_makes_one():
    os.mkdir('w')
    with Pool(rw='w') as p:
        with Stopped(p):
            p.sh(MARK + 'true').ok()
            p.run('true', flags=('--wait', '50ms')).failed(
                125, 'was ready within 50 ms')
            p.run('true', flags=('--wait', '0')).failed(125, '--cold')
            eq(p.sh(MARK + 'echo made >w/cold; echo $A', cwd='.',
                    flags=('--cold', '--env', 'A=1')).ok().out, '1\n')
            eq(read('w/cold'), 'made\n')
            waits = p.spawn('sh', '-c', 'echo $0', 'served')
            time.sleep(0.05)
            eq(waits.poll(), None, 'it waits')
        eq(waits.communicate(timeout=30)[0], b'served\n')
        p.run('true', flags=('--wait', '10s')).ok()


@test(seconds=60)
def one_whose_keeper_is_stopped_is_listed_as_that():
    with Pool(size=1) as p:
        with Stopped(p):
            out = mxc('pool', 'ls').ok().out
            line = next(x for x in out.splitlines() if x.startswith(p.name))
            has(line, 'started')
            has(line, 'does not answer')
            seen = p.look()
            eq((seen['state'], 'pid' in seen), ('started', False))
        eq(p.look()['pid'], p.keeper())


@cases([
    ('a signal', lambda p, w: p.send_signal(signal.SIGINT), 130),
    ('another', lambda p, w: p.send_signal(signal.SIGHUP), 129),
    ('one after one that ends nothing',
     lambda p, w: [p.send_signal(signal.SIGUSR1), time.sleep(0.1),
                   p.send_signal(signal.SIGTERM)], 143),
    ('an order', lambda p, w: os.write(w, b'signal 15\n'), 143),
    ('a kill', lambda p, w: os.write(w, b'kill\n'), 137),
    ('a kill of what would have a terminal',
     lambda p, w: os.write(w, b'resize 9 99\nkill\n'), 137, '--pty', '24x80'),
])
def who_waits_can_be_interrupted(ask, status, *flags):
    os.mkdir('w')
    r, w = os.pipe()
    with Pool(rw='w') as p:
        with Stopped(p):
            p.run('true').ok()
            waits = p.spawn('touch', os.path.abspath('w/ran'),
                            flags=['--control', str(r), *flags],
                            popen={'pass_fds': (r,)})
            wait_for_answer(waits)
            begun = time.monotonic()
            ask(waits, w)
            said = ended(waits)
            within(time.monotonic() - begun, 1)
            eq(said, (status, '' if status == 137 else 'mxc: interrupted by '
                      f'signal {status - 128}; nothing was run\n'))
        # Behind those at the door.
        for _ in range(3):
            p.run('true').ok()
        eq(os.listdir('w'), [])


@test
def what_ends_nothing_waits_with_who_waits():
    """Each number once, and the later of stop and go on."""
    with Pool() as p:
        with Stopped(p):
            p.run('true').ok()
            waits = p.spawn('sh', '-c', 'echo begun; sleep 60')
            wait_for_answer(waits)
            for _ in range(40):
                for number in (signal.SIGWINCH, signal.SIGUSR2):
                    waits.send_signal(number)
                time.sleep(0.005)
            eq(waits.poll(), None, 'it waits')
        waits.communicate(timeout=20)
        eq(waits.returncode, 128 + signal.SIGUSR2)


@test
def who_ended_in_time_is_not_timed_out():
    """However late its supervisor hears of it."""
    with Pool() as p:
        q = p.spawn('sh', '-c', 'echo up; sleep 0.3', flags=['--timeout', '1s'])
        eq(q.stdout.readline(), b'up\n')
        with contextlib.ExitStack() as stack:
            for slot in p.slots():
                stack.enter_context(stopped(slot))
            time.sleep(1.5)
        eq((q.communicate(timeout=20)[1], q.returncode), (b'', 0))


@test
def who_does_not_wait_gets_what_is_ready():
    least = 1 << 30

    def lower():
        resource.setrlimit(resource.RLIMIT_FSIZE, (least, least))

    def is_warm(flags):
        eventually(lambda: p.look()['ready'] == 1, what='it is ready')
        # The caller's limits are those of a cold one.
        r = p.sh('ulimit -Hf', flags=flags, preexec_fn=lower)
        return r.status == 0 and str(least // 512) not in r.out
    with Pool() as p:
        for flags in ('--wait', '0'), ('--cold',):
            # On a busy machine one that is ready may be slow to say so.
            eventually(lambda: is_warm(flags), what='it gets that')


@test
def who_no_longer_waits_costs_no_sandbox():
    with Pool() as p:
        with Stopped(p):
            p.run('true').ok()
            for _ in range(3):
                p.run('true', flags=('--wait', '10ms')).failed(125, 'within')
        # Behind those at the door.
        p.run('true').ok()
        eventually(lambda: p.look()['claims'] >= 2, what='it is counted')
        eq(p.look()['claims'], 2, 'claims')


@test
def when_none_can_be_made_claims_are_told_why():
    os.mkdir('w')
    with Pool(rw='w') as p:
        os.rename('w', 'v')
        p.run('true').ok()      # the one that is there
        p.run('true').failed(125, 'the pool has no sandbox')
        has(p.look()['error']['message'], "'" + os.path.abspath('w'))
        has(mxc('pool', 'logs', p.name).out, 'cannot open')
        os.rename('v', 'w')
        eventually(lambda: p.look()['ready'] == 1, 20, what='it recovers')
        p.run('true').ok()


main()
