#!/usr/bin/env python3
"""mxc pause and mxc resume: when their word comes, and what cannot go on then.

tap: waits
"""

import contextlib
import os
import signal
import socket
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from sessions import *  # noqa: E402,F403


def host_pid(s, name):
    return next(p['hostPid'] for p in s.look()['processes']
                if p['name'] == name)


def paused_by(s):
    """How this host does it here; it goes on afterwards."""
    s.do('pause').ok()
    how = s.look()['pausedBy']
    s.do('resume').ok()
    return how


def said(p):
    text = p.communicate(timeout=20)[1].decode()
    return p.returncode, text


@test
def its_word_comes_when_it_is_so():
    with Session() as s:
        s.spawn('sleep', '1000')
        eventually(lambda: 'sleep' in s.names())
        sleep = host_pid(s, 'sleep')
        how = paused_by(s)
        with stopped(s.init()):
            pause = spawn([MXC, 'pause', s.id])
            time.sleep(0.5)
            eq(pause.poll(), None, 'told while init had done nothing')
            # A second one meanwhile waits for the same.
            again = spawn([MXC, 'pause', s.id])
            time.sleep(0.2)
        for p in (pause, again):
            eq(said(p), (0, ''))
        eq(s.look()['pausedBy'], how)
        if how == 'signals':
            eventually(lambda: state_of(sleep) == 'T')


@test
def one_that_cannot_be_is_undone():
    with Session() as s:
        s.spawn('sleep', '1000')
        eventually(lambda: 'sleep' in s.names())
        with stopped(s.init()):
            s.do('pause').failed(1, 'first process does not answer; nothing was '
                                 'paused', 'mxc stop ID')
            eq(s.state(), 'started')
        s.exec('true').ok()
        eq(state_of(host_pid(s, 'sleep')), 'S')
        if paused_by(s) == 'freezer':
            return     # which needs nobody to go on
        s.do('pause').ok()
        with stopped(s.init()):
            s.do('resume').failed(1, 'first process does not answer; all go on '
                                  'as soon as it does')
        s.exec('true').ok()


@test
def the_last_word_counts():
    with Session() as s:
        s.spawn('sleep', '1000')
        eventually(lambda: 'sleep' in s.names())
        with stopped(s.init()):
            pause = spawn([MXC, 'pause', s.id])
            time.sleep(0.3)
            resume = spawn([MXC, 'resume', s.id])
            status, text = said(pause)
            eq(status, 1)
            has(text, 'resumed again meanwhile')
        eq(said(resume), (0, ''))
        eq(s.state(), 'started')
        s.exec('true').ok()
        with stopped(s.init()):
            pause = spawn([MXC, 'pause', s.id])
            time.sleep(0.3)
            s.do('stop', '--grace', '100ms').ok()
            status, text = said(pause)
            eq(status, 1)
            has(text, 'stopped meanwhile')


@test
def what_was_asked_for_before_stands_still_and_nothing_comes_after():
    with Session() as s:
        with stopped(s.init()):
            # More than init's socket takes: the others wait with the holder.
            many = [s.spawn('sleep', '1000', env={'LONG': 'x' * 6000})
                    for _ in range(60)]
            holder = s.holder()
            eventually(lambda: len(os.listdir(f'/proc/{holder}/fd')) > 60)
            time.sleep(0.3)
            pause = spawn([MXC, 'pause', s.id])
            time.sleep(0.3)
        eq(said(pause), (0, ''))
        refused = 0
        look = s.look()
        eq(look['state'], 'paused')
        for p in many:
            if p.poll() is None:
                continue
            status, text = said(p)
            eq(status, 125)
            has(text, 'the session is paused')
            refused += 1
        check(0 < refused < 60, refused)
        eq(len(look['commands']), 60 - refused)
        by_signal = look['pausedBy'] == 'signals'
        for p in look['processes']:
            eq(p['name'], 'sleep')
            if by_signal:
                eventually(lambda: state_of(p['hostPid']) == 'T')
        # Each can be killed meanwhile.
        for p in many:
            if p.poll() is None:
                p.kill()
            p.communicate()
        eventually(lambda: not s.look()['commands'], what='their end')
        eq(s.state(), 'paused')


@test
def a_client_does_not_let_its_command_go_on():
    with Session() as s:
        ours, theirs = socket.socketpair()
        p = s.spawn('sleep', '1000', flags=['--control', str(theirs.fileno())],
                    popen={'pass_fds': [theirs.fileno()]})
        theirs.close()
        eventually(lambda: 'sleep' in s.names())
        pid = host_pid(s, 'sleep')
        ours.sendall(b'signal 19\n')
        eventually(lambda: state_of(pid) == 'T')
        s.do('pause').ok()
        ours.sendall(b'signal 18\n')
        time.sleep(0.4)
        if s.look()['pausedBy'] == 'signals':
            eq(state_of(pid), 'T')
        s.do('resume').ok()
        eventually(lambda: state_of(pid) == 'S', what='it goes on')
        ours.sendall(b'kill\n')
        eq(p.wait(20), 137)
        p.communicate()
        ours.close()


@test
def one_whose_first_thread_has_ended():
    """It is a zombie for proc(5), and its other threads go on."""
    with Session() as s:
        s.spawn('python3', '-c', '''
import ctypes, threading
def busy():
    while True:
        pass
threading.Thread(target=busy).start()
ctypes.CDLL(None).syscall(60, 0)
''')

        def threads():
            # Of one that has no first thread any more.
            for p in s.look()['processes']:
                at = f'/proc/{p["hostPid"]}'
                with contextlib.suppress(OSError):
                    if state_of(p['hostPid']) == 'Z':
                        return [f'{at}/task/{t}' for t in
                                os.listdir(f'{at}/task')]
            return []
        eventually(lambda: len(threads()) > 1, what='its end')

        def ticks():
            return [read(f'{t}/stat').rsplit(')', 1)[1].split()[11]
                    for t in threads()]
        was = ticks()
        eventually(lambda: ticks() != was, what='its other thread at work')
        s.do('pause').ok()
        time.sleep(0.2)
        was = ticks()
        time.sleep(0.5)
        eq(ticks(), was)
        s.do('resume').ok()
        eventually(lambda: ticks() != was, what='it goes on')


@test
def pause_and_resume():
    with Session() as s:
        p = s.spawn('sh', '-c', 'n=0; while :; do n=$((n+1)); echo $n; '
                    'sleep 0.02; done', popen={'bufsize': 0})
        p.stdout.readline()
        s.do('pause').ok()
        eq(s.state(), 'paused')
        s.exec('true').failed(125, 'paused')
        time.sleep(0.2)
        os.set_blocking(p.stdout.fileno(), False)
        p.stdout.read(1 << 20)
        time.sleep(0.3)
        eq(p.stdout.read(1 << 20), None, 'output while it was paused')
        s.do('resume').ok()
        eventually(lambda: p.stdout.read(100), what='it goes on')
        p.kill()
        p.communicate()


CGROUP = '/sys/fs/cgroup/unified' if os.path.exists(
    '/sys/fs/cgroup/unified/cgroup.procs') else '/sys/fs/cgroup'


def in_a_group():
    """A control group that the caller may use, and how to start in it."""
    if not os.path.exists(f'{CGROUP}/cgroup.procs'):
        skip('no control groups of version 2')
    path = f'{CGROUP}/mxc-test-{os.getpid()}'
    try:
        os.mkdir(path)
    except OSError as e:
        skip(f'a control group can be made ({e})')

    def enter():
        with open(f'{path}/cgroup.procs', 'w') as f:
            f.write('0')
    return path, enter


@test(only='root')
def a_pause_that_nobody_sees():
    """By a freezer: parents are told nothing, and who was stopped stays so."""
    path, enter = in_a_group()
    count = ('n=0; while :; do n=$((n+1)); echo $n >/tmp/n; '
             'sleep 0.02; done')
    try:
        with Session(start=False) as s:
            run([MXC, 'start', s.id], preexec_fn=enter).ok()
            s.sh('exec >/dev/null 2>&1; sleep 1000 & kill -STOP $!; '
                 f'(trap "echo seen >/tmp/seen" CONT; {count}) &').ok()
            eventually(lambda: s.exec('cat', '/tmp/n').status == 0)
            s.do('pause').ok()
            eq((s.look()['state'], s.look()['pausedBy']), ('paused', 'freezer'))
            has(mxc('ps').ok().out, 'by a freezer')
            eq(len(os.listdir(path)) > 0, True)
            s.do('pause').ok()
            ticks = lambda: [read(f'/proc/{p["hostPid"]}/stat').split()[13:15]
                             for p in s.look()['processes']]
            was = ticks()
            time.sleep(0.3)
            eq(ticks(), was)
            s.exec('true').failed(125, 'paused')
            s.do('resume').ok()
            lacks(s.look(), 'pausedBy')
            n = s.exec('cat', '/tmp/n').ok().out
            eventually(lambda: s.exec('cat', '/tmp/n').out not in (n, ''),
                       what='it goes on')
            check(s.exec('cat', '/tmp/seen').status, 'a signal was seen')
            has([p['state'] for p in s.look()['processes']], 'T')
            # Again, with what has come since; and its end while it is paused.
            p = s.spawn('sleep', '1000')
            eventually(lambda: 'sleep' in s.names())
            s.do('pause').ok()
            s.do('stop', '--grace', '300ms').ok()
            p.communicate(timeout=10)
            eq(p.returncode, 143)
            eq([d for d in os.listdir(path) if d.startswith('mxc-')], [])
            # A holder that is killed meanwhile takes all along.
            run([MXC, 'start', s.id], preexec_fn=enter).ok()
            s.sh('sleep 1000 >/dev/null 2>&1 &').ok()
            s.do('pause').ok()
            eq(s.look()['pausedBy'], 'freezer')
            init = s.init()
            kill_and_wait(s.holder())
            eventually(lambda: init not in processes(), what='the sandbox gone')
            eq(read(f'{path}/cgroup.events').split()[1], '0', 'populated')
            s.do('deprovision').ok()
            eq([d for d in os.listdir(path) if d.startswith('mxc-')], [])
    finally:
        os.rmdir(path)


@test(only='root')
def a_paused_command_meets_its_timeout():
    path, enter = in_a_group()
    try:
        with Session(start=False) as s:
            run([MXC, 'start', s.id], preexec_fn=enter).ok()
            p = s.spawn('sleep', '1000', flags=['--timeout', '700ms'])
            eventually(lambda: 'sleep' in s.names())
            s.do('pause').ok()
            eq(s.look()['pausedBy'], 'freezer')
            p.communicate(timeout=10)
            eq(p.returncode, 124)
    finally:
        eventually(lambda: not read(f'{path}/cgroup.procs'), what='empty')
        os.rmdir(path)


@test(only='root')
def the_group_of_a_killed_holder():
    """Is not forgotten when the session's next holder makes another."""
    path, enter = in_a_group()

    def groups():
        return [d for d in os.listdir(path) if d.startswith('mxc-')]
    try:
        with Session('--layer', 'private', start=False) as s:
            for _ in range(2):
                run([MXC, 'start', s.id], preexec_fn=enter).ok()
                s.sh('sleep 1000 >/dev/null 2>&1 &').ok()
                s.do('pause').ok()
                eq((s.look()['pausedBy'], len(groups())), ('freezer', 1))
                init = s.init()
                kill_and_wait(s.holder())
                eventually(lambda: init not in processes(), what='it gone')
        eq(groups(), [])
    finally:
        os.rmdir(path)


@test(only='root')
def a_paused_session_meets_its_age():
    """And its commands the end of those who asked for them."""
    path, enter = in_a_group()
    try:
        with Session('--max-age', '2s', start=False) as s:
            run([MXC, 'start', s.id], preexec_fn=enter).ok()
            p = s.spawn('sleep', '1000')
            eventually(lambda: 'sleep' in s.names())
            s.do('pause').ok()
            eq(s.look()['pausedBy'], 'freezer')
            p.kill()
            p.communicate()
            eventually(lambda: not s.names(), what='the command gone')
            eq(s.state(), 'paused')
            eventually(lambda: s.state() == 'provisioned', what='it stopped')
            has(s.do('logs').ok().out, 'maximum age')
            eventually(lambda: not [d for d in os.listdir(path)
                                    if d.startswith('mxc-')], what='no group')
    finally:
        eventually(lambda: not read(f'{path}/cgroup.procs'), what='empty')
        os.rmdir(path)


@test(only='user')
def without_a_group_of_its_own_it_is_signals():
    with Session() as s:
        p = s.spawn('sleep', '1000')
        eventually(lambda: 'sleep' in s.names())
        s.do('pause').ok()
        eq(s.look()['pausedBy'], 'signals')
        eventually(lambda: [q['state'] for q in s.look()['processes']] == ['T'])
        s.do('resume').ok()
        p.kill()
        p.communicate()


main()
