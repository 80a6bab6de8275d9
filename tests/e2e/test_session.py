#!/usr/bin/env python3
"""Sessions: provision, start, exec, stop, deprovision.  tap: seconds=900"""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from sessions import *  # noqa: E402,F403


# --- the life of one ---------------------------------------------------------

@test
def a_life():
    write('w/in', 'given\n')
    with Session(rw='w') as s:
        eq(s.sh('cat w/in; echo made >w/out; echo said >&2; exit 7',
                cwd='.').ok(7).out, 'given\n')
        eq(read('w/out'), 'made\n')
        eq(s.state(), 'started')
        s.do('stop').ok()
        eq(s.state(), 'provisioned')
        s.do('start').ok()
        eq(s.sh('echo again').ok().out, 'again\n')
    eq(os.listdir(root()), [], 'what is left')


@test
def provision_prints_the_id_alone_and_ids_differ():
    ids = {provision() for _ in range(5)}
    eq(len(ids), 5)
    for i in ids:
        mxc('deprovision', i).ok()


@test
def envelopes():
    done, said = answer('provision', '--rw', '.')
    eq(list(said), ['result'])
    ident = said['result']['sandboxId']
    eq(done.ok().out, ident + '\n')
    for phase in ('start', 'stop', 'deprovision'):
        eq(answer(phase, ident)[1], {'result': {}}, phase)


@test
def a_policy_file():
    os.mkdir('w')
    policy = write('p.json', json.dumps(
        {'version': '1.1.0+c1',
         'filesystem': {'readonlyPaths': [os.path.abspath('w')]}}))
    with Session('--policy', policy, '--env', 'GIVEN=yes') as s:
        r = s.sh(f'echo $GIVEN; touch {os.path.abspath("w")}/x; echo $?')
        has(r.out, 'yes\n')
        lacks(os.listdir('w'), 'x')


@test
def provision_takes_no_command():
    has(refused('malformed_request', 'provision', '--tools', '--', 'ls')
        ['remediation'], 'mxc exec')
    request = write('p.json', json.dumps(
        {'version': '1.1.0+c1', 'process': {'commandLine': 'ls'}}))
    refused('malformed_request', 'provision', request)
    check(not os.path.exists(root()) or os.listdir(root()) == [])


@test
def other_backends_keep_none():
    has(refused('unsupported_phase', 'provision', '--backend', 'gvisor')
        ['message'], 'gvisor')


@test
def the_files_of_a_session_persist_between_commands():
    with Session() as s:
        s.sh('echo kept >/tmp/f; mkdir ~/d').ok()
        eq(s.sh('cat /tmp/f; ls -d ~/d').ok().out, 'kept\n/home/user/d\n'
           if not IS_ROOT else s.sh('cat /tmp/f; ls -d ~/d').out)
        s.sh('mkdir /tmp/a /tmp/b; echo 1 >/tmp/a/f; mv /tmp/a/f /tmp/b/f'
             ).ok()


@test
def it_outlives_its_caller():
    ident = provision()
    # By a shell that is gone when we look.
    run(['sh', '-c', f'{MXC} start {ident} && kill -9 $$'])
    eq(mxc('exec', ident, '--', 'echo', 'there').ok().out, 'there\n')
    mxc('deprovision', ident).ok()


@test
def the_holder_has_nothing_of_its_starter():
    ident = provision()
    r, w = os.pipe()
    secret = os.open('/etc/hostname', os.O_RDONLY)
    run([MXC, 'start', ident], pass_fds=(w, secret),
        env={'SECRET': 'x'}).ok()
    os.close(w)
    # Nobody else has the writing end: the end of file comes at once.
    check(not os.read(r, 1), 'the pipe is open')
    with open(os.path.join(root(), directory(ident), 'running')) as f:
        pid = json.load(f)['pid']
    eq(read(f'/proc/{pid}/environ'), '')
    eq(os.getsid(pid), pid, 'its session')
    lacks(list(descriptors(pid).values()), '/etc/hostname')
    mxc('deprovision', ident).ok()


# --- commands -----------------------------------------------------------------

@test
def streams_and_exit_codes():
    with Session() as s:
        r = s.exec('cat', input='through\n')
        eq((r.status, r.out), (0, 'through\n'))
        r = s.sh('echo out; echo err >&2; exit 3')
        eq((r.status, r.out, r.err), (3, 'out\n', 'err\n'))
        eq(s.sh('kill -9 $$').status, 137)
        s.exec('no-such-command').failed(127, 'not found')
        s.exec('/etc/passwd').failed(126, 'cannot execute')
        s.exec('true', cwd='/nowhere').failed(125, "cannot start in '/nowhere'")


@test
def results_as_json():
    with Session() as s:
        def result(*command, flags=()):
            r, w = os.pipe()
            with os.fdopen(r) as out:
                s.exec(*command, flags=['--json', str(w), *flags],
                       pass_fds=(w,))
                os.close(w)
                return json.load(out)
        said = result('sh', '-c', 'exit 9')
        eq((said['outcome'], said['exitCode']), ('exited', 9))
        said = result('sh', '-c', 'kill -15 $$')
        eq((said['outcome'], said['signal']), ('signaled', 15))
        said = result('sleep', '60', flags=['--timeout', '100ms'])
        eq((said['outcome'], said['timedOut'], said['exitCode']),
           ('timed_out', True, 124))
        eq(result('nothing-there')['outcome'], 'not_started')


@test
def environment_and_directory():
    os.mkdir('w')
    with Session('--env', 'A=1', '--env', 'B=2', rw='w') as s:
        r = s.sh('echo $A $B $C; pwd; echo $PWD', env={'B': 'two', 'C': '3'},
                 cwd='w')
        here = os.path.abspath('w')
        eq(r.ok().out, f'1 two 3\n{here}\n{here}\n')
        eq(s.sh('echo $A $B $C').ok().out, '1 2\n')
        s.exec('true', flags=['--env', 'nothing']).failed(125, 'KEY=VALUE')


@test
def a_timeout_ends_the_command_and_not_the_session():
    with Session() as s:
        r = s.sh('sleep 60 & sleep 60', flags=['--timeout', '200ms'])
        r.failed(124, 'timeout')
        check(r.seconds < 20, f'took {r.seconds} s')
        # The group of the command, all of it.
        eventually(lambda: not s.names(), what='nothing left')
        s.exec('true').ok()


@test
def the_policys_timeout_is_the_most():
    with Session('--timeout', '300ms') as s:
        s.exec('sleep', '60', flags=['--timeout', '1h']).failed(124)


@test
def commands_at_once():
    with Session() as s:
        runs = [s.spawn('sh', '-c', f'sleep 0.3; echo {n}; exit {n}')
                for n in range(20)]
        for n, p in enumerate(runs):
            out, err = p.communicate(timeout=30)
            eq((p.returncode, out, err), (n, f'{n}\n'.encode(), b''))


@test
def signals_belong_to_one_command():
    with Session() as s:
        ready = 'trap "echo got; exit 5" USR1; echo up; while :; do sleep 0.02; done'
        one, two = (s.spawn('sh', '-c', ready) for _ in range(2))
        for p in (one, two):
            eq(p.stdout.readline(), b'up\n')
        one.send_signal(signal.SIGUSR1)
        eq((one.communicate(timeout=10)[0], one.returncode), (b'got\n', 5))
        check(two.poll() is None, 'the other one ended too')
        two.send_signal(signal.SIGTERM)
        two.communicate(timeout=10)
        eq(two.returncode, 143)


@test
def the_end_of_a_client_is_the_commands():
    with Session() as s:
        p = s.spawn('sh', '-c', 'sleep 1234 & echo up; sleep 4321')
        eq(p.stdout.readline(), b'up\n')
        eventually(lambda: 'sleep' in s.names(), what='it runs')
        p.kill()
        p.communicate()
        eventually(lambda: not s.names(), what='the command gone')
        s.exec('true').ok()


@test
def what_is_left_running_goes_on_and_is_listed():
    with Session() as s:
        s.sh('sleep 1234 >/dev/null 2>&1 & echo $! >/tmp/pid').ok()
        eventually(lambda: s.names() == ['sleep'], what='it runs')
        has(mxc('ps', s.id).ok().out, 'sleep')
        s.sh('kill $(cat /tmp/pid)').ok()
        eventually(lambda: not s.names(), what='it ended')


@test
def a_terminal():
    with Session() as s:
        r = mxc(*s.argv('sh', '-c', 'tty; stty size; test -t 0 && echo yes',
                        flags=['--tty']), tty=True)
        has(r.ok().out, '/dev/pts/')
        has(r.out, 'yes')
        r = mxc(*s.argv('sh', '-c', 'stty size; read x; echo "<$x>"',
                        flags=['--pty', '31x97']), input='typed\n')
        has(r.ok().out, '31 97')
        has(r.out, '<typed>')


@test
def a_terminals_interrupt_reaches_the_command():
    with Session() as s:
        r = mxc(*s.argv('sh', '-c',
                        'trap "echo caught; exit 4" INT; echo up; '
                        'while :; do sleep 0.05; done', flags=['--tty']),
                tty=True, input='\x03', until='up')
        eq(r.status, 4)
        has(r.out, 'caught')


@test
def limits():
    with Session() as s:
        eq(s.sh('ulimit -n; ulimit -t',
                flags=['--limit', 'files=32', '--limit', 'cpu=7']).ok().out,
           '32\n7\n')
        s.exec('true', flags=['--limit', 'files=100000000']).failed(
            125, "higher than the session's")
        s.exec('true', flags=['--limit', 'nonsense=1']).failed(
            125, 'not a limit')
        s.exec('true').ok()


# --- narrowing ------------------------------------------------------------------

def narrow_session():
    write('a/f', 'of a\n')
    write('b/f', 'of b\n')
    write('b/out/x', '')
    write('c/f', 'of c\n')
    return Session(rw=['a', 'b'], ro='c')


@test
def read_only_for_one_command():
    with narrow_session() as s:
        r = s.sh('cat a/f; echo no >a/g; echo yes >b/g', cwd='.', ro='a')
        eq(r.out, 'of a\n')
        has(r.err, 'ermission denied')
        eq((os.path.exists('a/g'), read('b/g')), (False, 'yes\n'))
        s.sh('echo now >a/g', cwd='.').ok()


@test
def denied_for_one_command():
    with narrow_session() as s:
        r = s.sh('cat a/f; ls a; cat c/f', cwd='.', deny='a')
        eq(r.out, 'of c\n')
        has(r.err, 'ermission denied')
        lacks(r.err, 'No such file')


@test
def parts_are_given_back():
    with narrow_session() as s:
        r = s.sh('echo 1 >b/out/y; echo 2 >b/z', cwd='.', ro='b', rw='b/out')
        eq((read('b/out/y'), os.path.exists('b/z')), ('1\n', False), r)


@test
def wider_is_refused_by_name():
    with narrow_session() as s:
        s.exec('true', rw='c').failed(125, 'may only read it')
        s.exec('true', ro='/etc/shadow').failed(125, '/etc/shadow')
        s.exec('true', deny='a/f').failed(125, 'a/f')
        s.exec('true', deny='/bin').failed(125, 'is a link')


@test
def a_link_that_a_command_left_gives_nothing_back():
    """b/way leads to a, which this command shall only read."""
    with narrow_session() as s:
        s.sh('rm -r b/out; ln -s ../a b/way', cwd='.').ok()
        r = s.sh('echo no >a/g', cwd='.', ro=['a', 'b'], rw='b/way/sub')
        check(r.status != 0, r)
        check(not os.path.exists('a/g'))
        s.sh('mkdir a/sub', cwd='.').ok()
        s.sh('echo no >a/sub/g', cwd='.', ro=['a', 'b'], rw='b/way/sub'
             ).failed(125, 'b/way/sub')


@test
def no_sockets_for_one_command():
    code = 'import socket; socket.socket(); print("made")'
    with Session() as s:
        eq(s.exec(PYTHON, '-c', code).ok().out, 'made\n')
        has(s.exec(PYTHON, '-c', code, flags=['--no-network']).err,
            'PermissionError')


# --- errors ---------------------------------------------------------------------

@cases({
    'no prefix': ('nothing', 'malformed_id'),
    'empty prefix': (':abc', 'malformed_id'),
    'unknown prefix': ('iso:' + '0' * 32, 'unsupported_containment'),
    'too short': ('native:12', 'malformed_id'),
    'not hexadecimal': ('native:' + 'g' * 32, 'malformed_id'),
    'upper case': ('native:' + 'A' * 32, 'malformed_id'),
    'a path': ('native:../../../../../../../etc/passwd/aaa', 'malformed_id'),
    'with a newline': (FOREIGN + '\n', 'malformed_id'),
    'never was': (FOREIGN, 'stale_id'),
})
def ids(ident, code):
    provision()    # the root is there
    for phase in ('start', 'stop', 'deprovision', 'pause', 'resume', 'inspect'):
        refused(code, phase, ident)
    refused(code, 'exec', ident, '--', 'true', status=125)


@test
def phases_in_the_wrong_order():
    with Session(start=False) as s:
        refused('not_started', 'exec', s.id, '--', 'true', status=125)
        refused('not_started', 'pause', s.id)
        refused('already_stopped', 'stop', s.id)
        s.do('start').ok()
        refused('already_started', 'start', s.id)
        s.do('stop').ok()
        refused('already_stopped', 'stop', s.id)
        refused('not_started', 'exec', s.id, '--', 'true', status=125)
        s.do('deprovision').ok()
        for phase in ('start', 'stop', 'deprovision'):
            refused('stale_id', phase, s.id)


@test
def wrong_command_lines():
    for args in (['start'], ['exec'], ['stop', '--'], ['start', 'a', 'b']):
        r = mxc(*args)
        eq(r.status, 125 if args[0] == 'exec' else 2, args)
    with Session() as s:
        mxc('exec', s.id, 'true').failed(125, "write '--'")
        mxc('exec', s.id).failed(125, 'no command')
        mxc('exec', s.id, '--').failed(125, 'no command')


@test
def no_place_for_sessions():
    del os.environ['XDG_RUNTIME_DIR']
    if not IS_ROOT:
        has(refused('backend_unavailable', 'provision')['remediation'],
            'XDG_RUNTIME_DIR')
    os.mkdir('open', 0o755)
    os.environ['XDG_RUNTIME_DIR'] = os.path.abspath('open')
    os.mkdir('open/mxc')
    os.chmod('open/mxc', 0o755)
    has(refused('backend_unavailable', 'provision')['message'], 'may enter it')
    os.rmdir('open/mxc')
    os.mkdir('elsewhere', 0o700)
    os.symlink('../elsewhere', 'open/mxc')
    refused('backend_error', 'provision')


@test
def others_who_could_put_another_in_its_place():
    for mode, is_good in ((0o775, False), (0o757, False), (0o1777, True)):
        os.mkdir('open')
        os.chmod('open', mode)
        os.environ['XDG_RUNTIME_DIR'] = os.path.abspath('open')
        if is_good:
            with Session() as s:
                s.exec('true').ok()
            shutil.rmtree('open')
        else:
            said = refused('backend_unavailable', 'provision')
            has(said['message'], 'may write to it')
            has(said['remediation'], 'mode 0700')
            refused('backend_unavailable', 'start', FOREIGN)
            eq(os.listdir('open'), [])
            os.rmdir('open')
    if IS_ROOT:
        # Root's own place is what another's is ignored for (sudo).
        return
    os.environ['XDG_RUNTIME_DIR'] = '/usr'
    refused('backend_unavailable', 'provision')


@test
def a_session_that_nobody_is_told_of():
    """What cannot be answered leaves none."""
    for status, says, *args in (
            (125, "cannot tell the session's id"),
            (1, 'cannot write the result', '--json', '1')):
        run(['sh', '-c', 'exec "$@" >/dev/full', '-', MXC, 'provision', *args]
            ).failed(status, says)
        eq(os.listdir(root()), [])


@test
def another_version():
    with Session(start=False) as s:
        for name in ('session', 'plan'):
            path = os.path.join(s.dir, name)
            text = open(path, 'rb').read()
            with open(path, 'wb') as f:
                f.write(text.replace(b'"version":1', b'"version":9')
                        if name == 'session' else text[:8] + b'\xff' + text[9:])
            refused('stale_id', 'start', s.id)
            with open(path, 'wb') as f:
                f.write(text)
        s.do('start').ok()


@test(only='root')
def another_users_id():
    with Session() as s:
        os.chmod('.', 0o755)
        r = run(['setpriv', '--reuid=61234', '--clear-groups', MXC, 'exec',
                 s.id, '--', 'id'])
        check(r.status != 0, r)
        # Its own runtime directory has no such session.
        os.mkdir('other', 0o700)
        os.chown('other', 61234, -1)
        run(['setpriv', '--reuid=61234', '--clear-groups', MXC, 'exec', s.id,
             '--', 'id'], env={'XDG_RUNTIME_DIR': os.path.abspath('other')}
            ).failed(125, 'there is no session')
        # With the directories open to it, the holder asks who it is.
        for path in (os.environ['XDG_RUNTIME_DIR'], root(), s.dir):
            os.chmod(path, 0o755)
        os.chmod(os.path.join(s.dir, 'control'), 0o777)
        code = ('import socket, os, sys; s = socket.socket(socket.AF_UNIX, '
                'socket.SOCK_SEQPACKET); s.connect(sys.argv[1]); '
                'print("connected"); print(s.recv(4096))')
        r = run(['setpriv', '--reuid=61234', '--clear-groups', PYTHON, '-c',
                 code, os.path.join(s.dir, 'control')])
        has(r.out, 'connected')
        lacks(r.out, 'b"\\')
        has(r.out + r.err, "b''" if r.status == 0 else 'reset')
        for path in (os.environ['XDG_RUNTIME_DIR'], root(), s.dir):
            os.chmod(path, 0o700)


@test
def nonsense_to_the_holder():
    with Session() as s:
        path = os.path.join(s.dir, 'control')

        def say(data):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as c:
                c.connect(path)
                c.settimeout(5)
                c.send(data)
                return c.recv(8192)
        rng = random.Random(6)
        for n in range(200):
            data = rng.randbytes(rng.choice([1, 7, 24, 24, 24, 500]))
            if n % 2:      # a right version, and the rest is nonsense
                data = b'\1\0\0\0' + rng.choice([0, 1, 2, 7, 200]).to_bytes(
                    4, 'little') + rng.randbytes(16)
            try:
                say(data)
            except ConnectionResetError:
                pass
        eq(s.exec('echo', 'alive').ok().out, 'alive\n')


@test(only='root')
def a_full_runtime_directory():
    path = os.path.abspath('small')
    os.mkdir(path, 0o700)
    run(['mount', '-t', 'tmpfs', '-o', 'size=64k,mode=0700', 'none', path]).ok()
    try:
        os.environ['XDG_RUNTIME_DIR'] = path
        ids = []
        while len(ids) < 100:
            done, said = answer('provision', '--ro', '/usr')
            if 'error' in said:
                break
            ids.append(said['result']['sandboxId'])
        has(said['error']['remediation'], 'full')
        check(ids, 'not even one')
        # Nothing half-made is there.
        eq(len(os.listdir(f'{path}/mxc')), len(ids))
        # No room for the record of who holds it: it is not started.
        done, said = answer('start', ids[0])
        eq(said['error']['code'], 'backend_error', said)
        mxc('deprovision', ids.pop()).ok()
        mxc('start', ids[0]).ok()
        mxc('exec', ids[0], '--', 'true').ok()
        for i in ids:
            mxc('deprovision', i).ok()
        eq(os.listdir(f'{path}/mxc'), [])
    finally:
        # The last holder may be about to end.
        eventually(lambda: run(['umount', path]).status == 0)


# --- life and death ---------------------------------------------------------------

def kill_and_wait(pid):
    os.kill(pid, signal.SIGKILL)
    def gone():
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            pass
        return pid not in processes()
    eventually(gone, what='the killed one gone')


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


@test
def a_maximum_age():
    with Session('--max-age', '400ms') as s:
        p = s.spawn('sleep', '60')
        p.communicate(timeout=10)
        eventually(lambda: s.state() == 'provisioned', what='it stopped')
        has(s.do('logs').out, 'maximum age')


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
