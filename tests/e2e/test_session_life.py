#!/usr/bin/env python3
"""Life and death of sessions: kills, time, two at once, the host.
tap: seconds=900
tap: waits
"""

import contextlib
import fcntl
import json
import os
import random
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from sessions import *  # noqa: E402,F403


@test
def a_killed_holder_takes_all_along_and_is_stale():
    with Session() as s:
        s.sh('sleep 1234 >/dev/null 2>&1 &').ok()
        p = s.spawn('sleep', '4321')
        eventually(lambda: len(s.names()) == 2)
        init = s.init()
        kill_and_wait(s.holder())
        eventually(lambda: init not in processes(), what='the sandbox gone')
        p.communicate(timeout=10)
        eq(p.returncode, 125)
        for args in (['start'], ['stop'], ['pause']):
            refused('stale_id', *args, s.id)
        refused('stale_id', 'exec', s.id, '--', 'true', status=125)
        has(mxc('ps').ok().out, 'stale')
        s.do('deprovision').ok()
        eq(os.listdir(root()), [])


@test
def a_killed_init_ends_the_session():
    with Session() as s:
        p = s.spawn('sleep', '4321')
        eventually(lambda: s.names())
        os.kill(s.init(), signal.SIGKILL)
        p.communicate(timeout=10)
        eq(p.returncode, 125)
        eventually(lambda: s.state() == 'provisioned')
        has(s.do('logs').ok().out, 'killed from outside')
        s.do('start').ok()
        s.exec('true').ok()


@test
def gc_removes_what_is_stale_and_nothing_else():
    with Session() as live, Session(start=False) as rest, Session() as dead:
        kill_and_wait(dead.holder())
        os.mkdir(os.path.join(root(), '.new-' + 'a' * 32))
        os.mkdir(os.path.join(root(), '.gone-' + 'b' * 32))
        eq(mxc('gc').ok().out, dead.id + '\n')
        eq(sorted(os.listdir(root())),
           sorted(directory(x.id) for x in (live, rest)))
        live.exec('true').ok()


@test
def gc_removes_nothing_that_it_cannot_look_at():
    with Session() as s:
        for n in range(5, 14):
            run(['bash', '-c', f'ulimit -n {n}; exec "$0" gc', MXC])
            check(os.path.exists(s.dir), f'with {n} descriptors: removed')
        s.exec('true').ok()


@cases({f'{n} descriptors': n for n in range(5, 14)})
def deprovision_removes_nothing_that_it_cannot_look_at(n):
    """What is removed does not run on."""
    with Session() as s:
        holder = s.holder()
        s.sh('sleep 1234 >/dev/null 2>&1 &').ok()
        r = run(['bash', '-c', f'ulimit -n {n}; exec "$0" "$@"', MXC,
                 'deprovision', s.id, '--grace', '0'])
        if r.status:
            r.failed(1, 'cannot ')
            check(re.search('No file descriptors|Too many open files', r.err),
                  r)
        if os.path.exists(s.dir):
            eq((r.status, goes_on(holder)), (1, True))
            eq(s.names(), ['sleep'])
        else:
            # Its socket is closed a moment before it has ended (_exit(2)).
            eventually(lambda: not goes_on(holder), 2, f'no holder: {r}')


@test
def deprovision_keeps_what_hangs_and_cannot_be_found():
    with Session() as s:
        record = os.path.join(s.dir, 'running')
        was = read(record)
        with a_full_queue(s):
            write(record, '{"version":99}')
            s.do('deprovision', '--grace', '0').failed(
                1, 'no record tells which process it is')
            write(record, was)
        s.exec('true').ok()


def unreadable(s):
    """What another version of mxc may have written."""
    write(os.path.join(s.dir, 'session'), '{"version":99}')


@test
def gc_leaves_what_runs_whatever_is_written_of_it():
    with Session() as s:
        pid = s.holder()
        unreadable(s)
        r = mxc('gc').ok()
        eq((r.out, r.err), ('', ''))
        eq((s.state(), s.look()['pid']), ('started', pid))
        s.exec('true').ok()


def is_kept(r, s):
    has(r.err, f"mxc: note: session '{s.id}' is kept: its record cannot be "
        'understood')
    has(r.err, f'mxc deprovision {s.id} removes it\n')
    lacks(r.out, s.id)
    check(os.path.exists(s.dir), 'removed')


@test
def gc_keeps_what_another_version_made_and_names_it():
    with Session(start=False) as rest, Session() as held, Session() as dead:
        unreadable(rest)
        # Its holder was killed; a record of that which is not ours.
        pid = held.holder()
        kill_and_wait(pid)
        write(os.path.join(held.dir, 'running'), '{"version":99}')
        kill_and_wait(dead.holder())
        r = mxc('gc').ok()
        eq(r.out, dead.id + '\n', 'what is ours, and only that')
        is_kept(r, rest)
        is_kept(r, held)
        for s in (rest, held):
            s.do('deprovision').ok()
        r = mxc('gc').ok()
        eq((r.out, r.err), ('', ''))
        eq(os.listdir(root()), [])


@test
def gc_does_not_wait_for_who_stops_one():
    with Session() as s, Session() as dead:
        s.sh('trap "" TERM; sleep 30 >/dev/null 2>&1 &')
        kill_and_wait(dead.holder())
        p = spawn([MXC, 'stop', s.id, '--grace', '25s'])
        eventually(lambda: 'told to stop' in s.do('logs').out, what='its start')
        r = mxc('gc').ok()
        eq(r.out, dead.id + '\n')
        eq(p.poll(), None, f'the stop goes on: {r}')
        p.kill()
        p.communicate()


@test(only='root')
def gc_goes_on_behind_what_cannot_be_removed():
    with contextlib.ExitStack() as stack:
        dead = [stack.enter_context(Session()) for _ in range(4)]
        for s in dead:
            kill_and_wait(s.holder())
        stuck = ident_of(os.listdir(root())[0])
        busy = os.path.join(root(), directory(stuck), 'busy')
        os.mkdir(busy)
        # A mount keeps its place, for those who see it.
        r = run(['unshare', '-m', 'sh', '-c',
                 'mount -t tmpfs none "$1" && exec "$0" gc', MXC, busy])
        r.failed(1, 'cannot remove the session')
        eq(sorted(r.out.split()),
           sorted(s.id for s in dead if s.id != stuck))
        eq(os.listdir(root()), ['.gone-' + directory(stuck)])
        eq(mxc('gc').ok().out, '')
        eq(os.listdir(root()), [])


@test
def another_boot_is_told():
    with Session() as s:
        kill_and_wait(s.holder())
        path = os.path.join(s.dir, 'running')
        text = re.sub('"boot":"[^"]*"', '"boot":"1111"', read(path))
        write(path, text)
        has(refused('stale_id', 'start', s.id)['message'],
            'machine was started anew')


@test
def a_shell_that_allows_few_descriptors():
    """The holder's limit is its own; one that it cannot raise is told."""
    ident = provision()
    low = ['sh', '-c', 'ulimit -Sn 32; exec "$@"', 'sh']
    run([*low, MXC, 'start', ident]).ok()
    many = [spawn([MXC, 'exec', ident, '--', 'cat'], stdin=subprocess.PIPE)
            for _ in range(40)]
    for p in many:
        eq((p.communicate(b'x')[0], p.returncode), (b'x', 0))
    eq(mxc('exec', ident, '--', 'sh', '-c', 'ulimit -Sn').ok().out,
       mxc('run', '--', 'sh', '-c', 'ulimit -Sn').ok().out)
    mxc('stop', ident).ok()
    run(['sh', '-c', 'ulimit -n 32; exec "$@"', 'sh', MXC, 'start',
         ident]).failed(1, 'raise the hard limit of open files')
    mxc('deprovision', ident).ok()


@test
def a_holder_that_hangs_can_be_deprovisioned():
    ident = provision()
    mxc('start', ident).ok()
    with open(os.path.join(root(), directory(ident), 'running')) as f:
        pid = json.load(f)['pid']
    os.kill(pid, signal.SIGSTOP)
    mxc('deprovision', ident, '--grace', '0').ok()
    eventually(lambda: pid not in processes(), what='the holder gone')
    eq(os.listdir(root()), [])


@test
def a_holder_that_hangs_is_listed_and_asked_once():
    with Session() as s, Session() as other:
        pid = s.holder()
        os.kill(pid, signal.SIGSTOP)
        try:
            r = mxc('ps').ok()
            has(r.out, f'{s.id:42}  started      0  does not answer\n')
            has(r.out, f'{other.id:42}  started      0\n')
            check(r.seconds < 25, f'one answer is awaited for 10 s: {r}')
            [said] = [x for x in all_of_them() if x['sandboxId'] == s.id]
            eq((said['state'], said['pid']), ('started', pid))
            lacks(said, 'idleMs', 'nobody knows')
            r = s.do('ps')
            r.failed(1, 'does not answer')
            has(r.err, '`mxc deprovision` ends it')
        finally:
            os.kill(pid, signal.SIGCONT)
        eq(s.state(), 'started')


@contextlib.contextmanager
def a_full_queue(s):
    """Of a holder that hangs: nobody gets a connection any more."""
    open_ones = []
    path = os.path.join(s.dir, 'control')
    with stopped(s.holder()):
        while True:
            c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            c.setblocking(False)
            open_ones.append(c)
            at = os.open(os.path.dirname(path), os.O_PATH)
            try:
                c.connect(f'/proc/self/fd/{at}/control')
            except BlockingIOError:
                break
            finally:
                os.close(at)
        yield
    for c in open_ones:
        c.close()


@test
def one_that_hangs_and_takes_no_connection():
    with Session() as s, Session() as other:
        with a_full_queue(s):
            p = spawn([MXC, 'ps'])
            q = spawn([MXC, 'gc'])
            x = spawn([MXC, 'exec', s.id, '--', 'true'])
            refused('already_started', 'start', s.id)
            out = p.communicate(timeout=25)[0].decode()
            has(out, f'{s.id:42}  started      0  does not answer\n')
            has(out, f'{other.id:42}  started      0\n')
            eq(q.communicate(timeout=25), (b'', b''))
            has(x.communicate(timeout=25)[1].decode(), 'does not answer')
            eq(x.returncode, 125)
        eq(s.state(), 'started')
    s = Session()
    pid = s.holder()
    with contextlib.suppress(ProcessLookupError), a_full_queue(s):
        s.do('deprovision', '--grace', '0').ok()
        eventually(lambda: pid not in processes(), what='the holder gone')
        eq(os.listdir(root()), [])


@test
def more_commands_than_it_takes_leave_room_for_other_words():
    """256, and sixteen places more for stop, ps and pause."""
    with Session() as s:
        with stopped(s.init()):
            many = [s.spawn('true', popen={'stdout': subprocess.DEVNULL})
                    for _ in range(280)]
            ended = lambda: [p for p in many if p.poll() is not None]
            eventually(lambda: len(ended()) == 24, 40, 'refusals')
            for p in ended():
                eq(p.returncode, 125)
                has(p.stderr.read().decode(), 'too many commands run in this '
                    'session', 'at most 256 at once')
            eq(s.state(), 'started')
        for p in many:
            p.communicate(timeout=60)
        eq(sorted(p.returncode for p in many), [0] * 256 + [125] * 24)


def is_told(p, s):
    check(select.select([p.stderr], [], [], 20)[0], 'not a word')
    eq(p.stderr.readline().decode(),
       "mxc: note: the session's holder does not answer; waiting for it (mxc "
       f"deprovision {s.id} ends it)\n")


@test
def who_waits_for_a_holder_that_hangs_is_told():
    os.mkdir('w')
    mark = os.path.abspath('w/ran')
    with Session(rw='w') as s:
        with stopped(s.holder()):
            goes_on = s.spawn('sh', '-c', 'echo out; exit 3')
            ends = s.spawn('touch', mark)
            r, w = os.pipe()
            killed = s.spawn('touch', mark, flags=['--control', str(r)],
                             popen={'pass_fds': (r,)})
            for p in (goes_on, ends, killed):
                is_told(p, s)
                eq(p.poll(), None, 'it waits')
            # What asks for no end waits with it.
            ends.send_signal(signal.SIGUSR1)
            ends.send_signal(signal.SIGINT)
            eq(ended(ends), (130, 'mxc: interrupted by signal 2; nothing was '
                             'run\n'))
            os.write(w, b'kill\n')
            eq(ended(killed), (137, ''))
        eq((goes_on.communicate(timeout=20), goes_on.returncode),
           ((b'out\n', b''), 3))
        s.exec('true').ok()
        check(not os.path.exists(mark), 'who had left was served')


@cases({'of the command': ([], ['--timeout', '3s']),
        'of the policy': (['--timeout', '3s'], []),
        'shorter than what is waited before a word':
            ([], ['--timeout', '500ms'])})
def a_timeout_ends_the_wait_for_a_holder_that_hangs(policy, flags):
    os.mkdir('w')
    mark = os.path.abspath('w/ran')
    with Session(*policy, rw='w') as s:
        with stopped(s.holder()):
            p = s.spawn('touch', mark, flags=['--json', 'r', *flags])
            is_told(p, s)
            status, err = ended(p)
            eq(status, 124)
            has(err, 'has not taken the command within its timeout of')
            has(err, f'mxc deprovision {s.id}')
        said = json.loads(read('r'))
        eq((said['outcome'], said['timedOut'], said['exitCode']),
           ('timed_out', True, 124))
        s.exec('true').ok()
        check(not os.path.exists(mark), 'who had left was served')


@test
def a_holder_that_hangs_later():
    """The command's time limit is its work; here nobody does it."""
    with Session() as s:
        asked = s.spawn('sh', '-c', 'echo up; sleep 1000')
        timed = s.spawn('sh', '-c', 'echo up; sleep 1000',
                        flags=['--timeout', '6s'])
        for p in (asked, timed):
            eq(p.stdout.readline(), b'up\n')
        with stopped(s.holder()):
            asked.send_signal(signal.SIGTERM)
            for p in (timed, asked):
                is_told(p, s)
            asked.send_signal(signal.SIGTERM)
            eq(ended(asked), (143, 'mxc: ended by signal 15\n'))
            status, err = ended(timed)
            eq(status, 124)
            has(err, 'timeout of 6000 ms is over, and the session\'s holder '
                'does not answer')
        eventually(lambda: not s.names(), what='both are ended then')


@test
def who_ended_in_time_is_not_timed_out():
    """However late its holder hears of it."""
    with Session() as s:
        both = [s.spawn('sh', '-c', 'echo up; sleep 0.3',
                        flags=['--timeout', '1s']) for _ in range(2)]
        for p in both:
            eq(p.stdout.readline(), b'up\n')
        with stopped(s.holder()):
            time.sleep(1.5)
        for p in both:
            eq((p.communicate(timeout=20)[1], p.returncode), (b'', 0))


@test
def a_long_command_is_no_reason_for_a_word():
    with Session() as s:
        p = s.spawn('sleep', '3', flags=['--timeout', '60s'])
        eq((p.communicate(timeout=20), p.returncode), ((b'', b''), 0))


def all_of_them():
    mxc('ps', '--json', 'all.json').ok()
    return json.loads(read('all.json'))


def processor_ms(pid):
    fields = read(f'/proc/{pid}/stat').rsplit(')', 1)[1].split()
    return sum(map(int, fields[11:13])) * 1000 // os.sysconf('SC_CLK_TCK')


@test
def a_holder_without_a_descriptor_left_goes_on():
    """It serves whom it has, waits without being busy, and takes who came
    meanwhile when there is room again."""
    def control():
        c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        c.connect(f'{s.dir}/control')
        return c

    with Session() as s:
        pid = s.holder()
        first = s.spawn('sh', '-c', 'trap "echo heard; exit 3" USR1; echo up; '
                        'while :; do sleep 0.05; done')
        eq(first.stdout.readline(), b'up\n')
        most = max(map(int, descriptors(pid))) + 9
        hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, hard))
        idle = [control() for _ in range(most - len(descriptors(pid)))]
        eventually(lambda: len(descriptors(pid)) == most, what='none left')
        late = [s.spawn('sh', '-c', 'echo late; exit 4') for _ in range(3)]
        was = processor_ms(pid)
        time.sleep(2)
        check(processor_ms(pid) - was < 1000, 'it is busy with waiting')
        eq([p.poll() for p in late], [None] * 3, 'who is not taken yet')
        first.send_signal(signal.SIGUSR1)
        eq(first.stdout.readline(), b'heard\n')
        # All at once: who is taken needs room for its streams, too.
        os.kill(pid, signal.SIGSTOP)
        for c in idle:
            c.close()
        os.kill(pid, signal.SIGCONT)
        eq((first.wait(20), first.communicate()[0]), (3, b''))
        for p in late:
            eq((p.communicate(timeout=20)[0], p.returncode), (b'late\n', 4))
        s.exec('true').ok()
        eq(s.do('stop').ok().err, '')


@test
def who_has_left_is_served_no_more():
    os.mkdir('w')
    here = os.path.abspath('w')
    with Session(rw='w') as s:
        holder = s.holder()
        os.kill(holder, signal.SIGSTOP)
        try:
            left = [s.spawn('sh', '-c', f': >{here}/{n}') for n in range(30)]
            # They have asked, and wait for an answer.
            for p in left:
                eventually(lambda: '__skb_wait' in (at := read(
                    f'/proc/{p.pid}/wchan')) or 'poll' in at, what='its wait')
                p.kill()
                p.wait(timeout=10)
        finally:
            os.kill(holder, signal.SIGCONT)
        for p in left:
            p.communicate(timeout=10)
        s.exec('touch', f'{here}/last').ok()
        eq(os.listdir('w'), ['last'])


@test
def a_command_that_stops_over_and_over():
    """Its client does not read meanwhile, and yet hears how it ended."""
    os.mkdir('w')
    script = """cd "$1"; (until [ -e go ]; do sleep 0.05; done; n=0
        while [ $n -lt 250 ]; do kill -STOP $$; sleep 0.01; kill -CONT $$
        n=$((n + 1)); done; : >done) & echo up; wait; exit 7"""
    with Session(rw='w') as s:
        p = s.spawn('sh', '-c', script, 'sh', os.path.abspath('w'))
        eq(p.stdout.readline(), b'up\n')
        os.kill(p.pid, signal.SIGSTOP)
        write('w/go', '')
        eventually(lambda: os.path.exists('w/done') and not s.names(), 20,
                   'its end')
        os.kill(p.pid, signal.SIGCONT)
        err = p.communicate(timeout=20)[1].decode()
        eq((p.returncode, err), (7, ''))


@test
def stop_asks_waits_and_kills():
    with Session() as s:
        s.sh('(trap "sleep 0.3; exit" TERM; >/tmp/up; '
             'while :; do sleep 0.05; done) >/dev/null 2>&1 & '
             'until test -e /tmp/up; do sleep 0.01; done').ok()
        r = s.do('stop', '--grace', '60s').ok()
        check(0.2 < r.seconds < 20, f'took {r.seconds} s')
        s.do('start').ok()
        s.sh('(trap "" TERM; >/tmp/up; while :; do sleep 0.05; done) '
             '>/dev/null 2>&1 & '
             'until test -e /tmp/up; do sleep 0.01; done').ok()
        r = s.do('stop', '--grace', '300ms').ok()
        check(0.3 <= r.seconds < 20, f'took {r.seconds} s')


@test
def a_command_is_told_that_its_session_stopped():
    with Session() as s:
        p = s.spawn('sh', '-c', 'trap "" TERM; echo up; '
                    'while :; do sleep 0.05; done')
        eq(p.stdout.readline(), b'up\n')
        s.do('stop', '--grace', '0').ok()
        err = p.communicate(timeout=10)[1]
        eq(p.returncode, 125)
        has(err.decode(), 'stopped while the command ran')


@test
def an_idle_session_stops_and_a_busy_one_does_not():
    with Session('--idle-timeout', '400ms') as s:
        s.sh('sleep 1.2 >/dev/null 2>&1 &').ok()
        time.sleep(0.8)
        eq(s.state(), 'started')
        eventually(lambda: s.state() == 'provisioned', what='it stopped')
        has(s.do('logs').out, 'idle')


@cases({'stop': ('stop', None), 'pause': ('pause', 'not_started'),
        'resume': ('resume', 'not_started')})
def who_asks_one_that_ends_by_itself(word, code):
    with Session() as s:
        init = s.init()
        with stopped(s.holder()):
            p = spawn([MXC, word, s.id, '--json', '1'])
            wait_for_answer(p)
            os.kill(init, signal.SIGKILL)
            eventually(lambda: not goes_on(init), what='its end')
        out, err = p.communicate(timeout=20)
        said = json.loads(out)
        eq((said.get('error', {}).get('code'), p.returncode),
           (code, 1 if code else 0), err)
        eq(s.state(), 'provisioned')
        refused('already_stopped', 'stop', s.id)


@test
def a_stop_beside_the_end_of_an_idle_one():
    with Session('--idle-timeout', '50ms', start=False) as s:
        for n in range(20):
            s.do('start').ok()
            time.sleep(n * 0.003)
            done, said = answer('stop', s.id)
            if done.status:
                eq((said['error']['code'], done.status), ('already_stopped', 1))


@test
def a_stop_of_one_that_is_killed_meanwhile():
    with Session() as s:
        holder = s.holder()
        with stopped(holder):
            p = spawn([MXC, 'stop', s.id, '--json', '1'])
            wait_for_answer(p)
            os.kill(holder, signal.SIGKILL)
        said = json.loads(p.communicate(timeout=20)[0])
        eq((said['error']['code'], p.returncode), ('stale_id', 1))


@cases({name: name for name in ('maxAge', 'idleTimeout')})
def a_time_that_never_comes(member):
    write('request', json.dumps({
        'version': '1.1.0+c1', 'session': {member: 2**64 - 1}}))
    ident = mxc('provision', 'request').ok().out.strip()
    mxc('start', ident).ok()
    time.sleep(0.3)
    [said] = all_of_them()
    eq((said['state'], said[member + 'Ms']),
       ('started', 2**64 - 1))
    mxc('deprovision', ident).ok()


@test
def a_maximum_age():
    with Session('--max-age', '400ms') as s:
        p = s.spawn('sleep', '60')
        p.communicate(timeout=10)
        eventually(lambda: s.state() == 'provisioned', what='it stopped')
        has(s.do('logs').out, 'maximum age')


@test
def a_deleted_directory_is_not_the_root():
    def say(*args):
        os.mkdir('gone')
        r = run(['sh', '-c', 'cd gone && rmdir ../gone && exec "$@"', 'sh',
                 MXC, *args])
        has(r.err, 'the current directory is gone')
        return r.status
    with Session() as s:
        eq(say('provision', '--rw', '.'), 1)
        eq(say('exec', s.id, '--deny', 'tmp', '--', 'true'), 125)
        eq(say('exec', s.id, '--cwd', '.', '--', 'true'), 125)


@test
def a_grant_that_was_replaced_since_is_told_what_helps():
    os.mkdir('w')
    with Session(rw='w', start=False) as s:
        os.rename('w', 'was')
        os.mkdir('w')
        r = s.do('start')
        r.failed(1, "'%s'" % os.path.abspath('w'))
        has(' '.join(r.err.split()), 'make it anew')


@test
def two_calls_at_once():
    """Of many starts one wins; deprovision beside them leaves nothing."""
    with Session(start=False) as s:
        runs = [spawn([MXC, 'start', s.id]) for _ in range(8)]
        ends = [(p.communicate(timeout=30)[1], p.returncode) for p in runs]
        eq(sorted(code for _, code in ends), [0] + [1] * 7)
        for err, code in ends:
            if code:
                has(err.decode(), 'started already')
        runs = [spawn([MXC, w, s.id, '--grace', '0'])
                for w in ('stop', 'deprovision', 'stop', 'deprovision')]
        ends = [(p.communicate(timeout=30), p.returncode) for p in runs]
        check(0 in (ends[1][1], ends[3][1]), ends)
        eq(os.listdir(root()), [])


@test
def who_waits_for_another_call_is_told():
    with Session() as s:
        lock = os.open(s.dir, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        p = spawn([MXC, 'stop', s.id])
        check(select.select([p.stderr], [], [], 20)[0], 'not a word')
        has(p.stderr.readline().decode(), 'another start, stop or deprovision')
        eq(p.poll(), None, 'it waits')
        os.close(lock)
        eq((p.wait(20), p.communicate()[1]), (0, b''))


@test
def a_start_that_hangs_can_be_deprovisioned():
    ident = provision()
    p, holder = hanging_start(ident)
    # Others wait for it, and are told what helps.
    other = spawn([MXC, 'stop', ident])
    check(select.select([other.stderr], [], [], 20)[0], 'not a word')
    has(other.stderr.readline().decode(), '(mxc deprovision ends a start)')
    r = mxc('deprovision', ident).ok()
    check(r.seconds < 20, f'took {r.seconds} s')
    eq(r.err, '', 'nobody is waited for')
    has(p.communicate(timeout=10)[1].decode(), 'interrupted by signal 15')
    eq(p.returncode, 1)
    err = other.communicate(timeout=10)[1].decode()
    # Whichever of the two gets the lock next.
    check('there is no session' in err or 'is not started' in err, err)
    eventually(lambda: holder not in processes(), what='the holder gone')
    eq(os.listdir(root()), [])


@test
def so_can_one_whose_caller_is_gone_and_whose_holder_hangs():
    ident = provision()
    p, holder = hanging_start(ident)
    p.kill()
    p.communicate()
    os.kill(holder, signal.SIGSTOP)
    mxc('deprovision', ident).ok()
    eventually(lambda: holder not in processes(), what='the holder gone')
    eq(os.listdir(root()), [])
    # A launcher of ours would have gone with it (PR_SET_PDEATHSIG).
    for sleep in [n for n, name in descendants().items() if name == 'sleep']:
        os.kill(sleep, signal.SIGKILL)


@test
def a_killed_caller_leaves_a_session_that_can_be_removed():
    """Whatever the moment: provision, start and stop are killed in between."""
    rng = random.Random(11)
    whole = mxc('provision').ok().seconds
    for _ in range(25):
        p = spawn([MXC, 'provision'])
        time.sleep(rng.random() * whole)
        p.kill()
        p.communicate()
    for name in [n for n in os.listdir(root()) if n[0] != '.']:
        for word in ('start', 'stop'):
            p = spawn([MXC, word, ident_of(name)])
            time.sleep(rng.random() * 0.01)
            p.kill()
            p.communicate()
        mxc('deprovision', ident_of(name)).ok()
    mxc('gc').ok()
    eq(os.listdir(root()), [])


@test
def a_changed_grant_ends_the_session():
    write('w/secret', 'x')
    with Session(rw='w', deny='w/secret') as s:
        s.exec('cat', os.path.abspath('w/secret')).failed(1, 'ermission')
        os.rename('w/secret', 'w/other')
        eventually(lambda: s.state() == 'provisioned', what='it stopped')


@test
def absent_denied_names_hold_for_every_command():
    """The broker serves many commands, at once and one after another."""
    os.mkdir('w')
    with Session(rw='w', deny='w/.git/hooks') as s:
        script = 'mkdir -p w/.git/hooks; mkdir w/$1 && echo $1'
        runs = [s.spawn('sh', '-c', script, '-', str(n), cwd='.')
                for n in range(12)]
        for n, p in enumerate(runs):
            out, err = p.communicate(timeout=30)
            eq(out, f'{n}\n'.encode(), err)
            has(err.decode(), 'ermission denied')
        check(not os.path.exists('w/.git/hooks'))


@test
def the_network_belongs_to_the_session():
    server = socket.create_server(('127.0.0.1', 0))
    port = server.getsockname()[1]

    def serve():
        while True:
            try:
                c, _ = server.accept()
            except OSError:
                return
            c.sendall(b'hello')
            c.close()
    threading.Thread(target=serve, daemon=True).start()
    code = ('import socket; s = socket.create_connection(("127.0.0.1", '
            f'{port})); print(s.recv(5).decode())')
    with Session('--host-service', str(port)) as s:
        for _ in range(3):
            eq(s.exec(PYTHON, '-c', code).ok().out, 'hello\n')
        has(s.exec(PYTHON, '-c', code, flags=['--no-network']).err,
            'PermissionError')
    server.close()


@test
def a_published_port():
    code = ('import socket; s = socket.create_server(("127.0.0.1", 8080)); '
            'print("up", flush=True); c, _ = s.accept(); c.sendall(b"hello")')
    with Session('--publish', '8080') as s:
        p = s.spawn(PYTHON, '-c', code)
        eq(p.stdout.readline(), b'up\n')
        port = re.search(r'port 8080 is port (\d+) of', s.do('logs').out)
        check(port, s.do('logs').out)
        with socket.create_connection(('127.0.0.1', int(port[1]))) as c:
            eq(c.recv(5), b'hello')
        p.communicate(timeout=10)


@test
def refusals_of_the_network_are_in_the_log():
    with Session('--allow-net', '192.0.2.0/24:443') as s:
        s.exec(PYTHON, '-c', 'import socket; socket.create_connection('
               '("198.51.100.7", 80), 5)')
        s.do('stop').ok()
        has(s.do('logs').ok().out, '198.51.100.7')


@test
def no_sandbox_sees_the_sessions():
    with Session('--env', 'SECRET=1') as s:
        for how in (['--ro', '.'], ['--rw', '.'],
                    ['--rw', os.environ['XDG_RUNTIME_DIR']]):
            r = mxc('run', *how, '--', 'ls', root())
            has(r.err, 'ermission denied', how)
        mxc('run', '--ro', s.dir, '--', 'true').failed(
            125, 'where mxc keeps its sessions')
        # Nor by a name that a mount of the host's gives it.
        own = own_mounts('mkdir -p other && mount --bind run other')
        eq(run([*own, 'ls', 'other']).ok().out, 'mxc\n', 'the control')
        r = run([*own, MXC, 'run', '--rw', 'other', '--', 'ls',
                 os.path.abspath('other/mxc')])
        has(r.err, 'ermission denied')
        run([*own, MXC, 'run', '--ro', f'other/mxc/{directory(s.id)}', '--',
             'true']).failed(125, 'where mxc keeps its sessions')


main()
