#!/usr/bin/env python3
"""Sessions: provision, start, exec, stop, deprovision.  tap: seconds=900"""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from sessions import *  # noqa: E402,F403
from pools import Pool  # noqa: E402


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
        s.exec('sh', '-c', 'echo "#!/nowhere/sh" >/tmp/x; chmod +x /tmp/x').ok()
        s.exec('/tmp/x').failed(127, "'/tmp/x' is there, and what executes it "
                                "is not: '/nowhere/sh'")
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
def short_and_long_command_lines():
    with Session() as s:
        for size in (1, 1000, 8000, 8192, 9000, 100000):
            word = 'x' * size
            r = s.exec('sh', '-c', 'echo ${#1} ${#V}', 'sh', word,
                       env={'V': word})
            eq(r.ok().out, f'{size} {size}\n')


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
def the_callers_umask_does_not_count():
    was = os.umask(0o777)
    try:
        with Session() as s:
            eq(s.sh('umask').ok().out.strip(), '0022')
            eq(sorted({os.stat(os.path.join(s.dir, n)).st_mode & 0o777
                       for n in os.listdir(s.dir)} - {0o700}), [0o600])
        with Session('--layer', 'private') as s:
            s.sh('echo x >~/x').ok()
            s.do('stop').ok()
            s.do('start').ok()
            eq(s.sh('cat ~/x').ok().out, 'x\n')
    finally:
        os.umask(was)


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
        # That of the test has none, and this is not what it follows.
        r = mxc(*s.argv('sh', '-c', 'sleep 0.5; stty size', flags=['--tty']),
                tty=True)
        has(r.ok().out, '24 80')
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
def an_answer_on_standard_output_stands_alone():
    r = mxc('provision', '--json', '-').ok()
    ident = json.loads(r.out)['result']['sandboxId']
    eq(json.loads(mxc('start', ident, '--json', '-').ok().out), {'result': {}})
    mxc('deprovision', ident).ok()


@test
def a_stop_of_what_stands_still_is_one_when_asked_twice():
    with Session() as s:
        p = s.spawn('sh', '-c', 'echo up; kill -STOP $$; exit 6')
        eq(p.stdout.readline(), b'up\n')
        eventually(lambda: [q['state'] for q in s.look()['processes']] == ['T'],
                   what='it stands still')
        for _ in range(2):
            p.send_signal(signal.SIGTSTP)
            time.sleep(0.3)
        eventually(lambda: read(f'/proc/{p.pid}/stat').rsplit(')', 1)[1]
                   .split()[0] == 'T', what='a stop of mxc')
        p.send_signal(signal.SIGCONT)
        eq(p.wait(20), 6)


@test
def limits():
    with Session() as s:
        eq(s.sh('ulimit -n; ulimit -t',
                flags=['--limit', 'files=32', '--limit', 'cpu=7']).ok().out,
           '32\n7\n')
        s.exec('true', flags=['--limit', 'files=100000000']).failed(
            125, "limit 'files' is higher than the sandbox's")
        s.exec('true', flags=['--limit', 'nonsense=1']).failed(
            125, "a command has no limit of that name: 'nonsense=1'")
        for wrong in ('files=many', 'cpu=1M', 'memory=', 'file-size=1X'):
            s.exec('true', flags=['--limit', wrong]).failed(
                125, f"not a value of that limit: '{wrong}'", 'memory=512M')
        r = s.sh('ulimit -v; ulimit -f', flags=['--limit', 'memory=512M',
                                                '--limit', 'file-size=1M'])
        eq(r.ok().out, f'{512 * 1024}\n{1024 * 1024 // 512}\n')
        s.exec('true').ok()


THREE = 'sleep 1 & sleep 1 & sleep 1 & wait; echo three'


@test
def processes_of_a_command():
    """The kernel counts none of root's: what is not held is refused."""
    one = ['--limit', 'processes=1']
    with Session() as s:
        if not IS_ROOT:
            r = s.sh(THREE, flags=one)
            has(r.err, 'Cannot fork')
            lacks(r.out, 'three')
            return
        s.sh(THREE, flags=one).failed(
            125, "the limit 'processes' of a command cannot be held",
            'mxc provision')
    with Pool() as p:
        p.run('true', flags=one).failed(125, "'processes' of a command cannot")


@test
def open_files_of_a_session():
    """Its limit is each command's, and not that of the init which starts
    them: that has a broker, and a descriptor for each."""
    os.mkdir('w')
    show = 'ulimit -Sn; ulimit -Hn; ulimit -n 49 2>/dev/null && echo raised'
    with Session('--limit', 'files=48', '--deny', 'w/none', rw='w') as s:
        eq(s.sh(f'{show}; true').ok().out, '48\n48\n')
        eq(s.sh(f'{show}; true', flags=['--limit', 'files=33']).ok().out,
           '33\n33\n')
        s.exec('true', flags=['--limit', 'files=49']).failed(
            125, "limit 'files' is higher than the sandbox's")
        many = [s.spawn('sh', '-c', 'echo; read x; ulimit -n',
                        popen={'stdin': -1, 'stdout': -1}) for _ in range(60)]
        for p in many:
            eq(p.stdout.readline(), b'\n')
        for p in many:
            eq(p.communicate(b'\n', timeout=30)[0], b'48\n')


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
def less_inside_of_a_part_is_refused_by_name():
    with narrow_session() as s:
        s.sh('echo no >b/out/x', cwd='.', deny='b', rw='b/out', ro='b/out/x'
             ).failed(125, "b/out/x': it lies inside of '", "b/out'")
        r = s.sh('echo no >b/out/x', cwd='.', deny='b', rw='b/out',
                 ro='b/out')
        has(r.err, 'ermission denied')
        eq(read('b/out/x'), '')


@test
def wider_is_refused_by_name():
    with narrow_session() as s:
        s.exec('true', rw='c').failed(125, 'may only read it')
        for path in ('/root', '/nope', '/srv/x'):
            s.exec('true', rw=path).failed(
                125, f"--rw '{path}': the session grants no such path")
        s.exec('true', rw=['a', 'b/out', '/tmp/x']).ok()
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
    path, ids = os.path.abspath('small'), []
    os.mkdir(path, 0o700)
    run(['mount', '-t', 'tmpfs', '-o', 'size=64k,mode=0700', 'none', path]).ok()
    try:
        os.environ['XDG_RUNTIME_DIR'] = path
        while len(ids) < 100:
            done, said = answer('provision', '--ro', '/usr')
            if 'error' in said:
                break
            ids.append(said['result']['sandboxId'])
        has(said['error']['remediation'], 'full')
        check(ids, 'not even one')
        # Nothing half-made is there.
        eq(len(os.listdir(f'{path}/mxc')), len(ids))
        with open(f'{path}/rest', 'wb', 0) as f:
            with contextlib.suppress(OSError):
                while True:
                    f.write(bytes(4096))
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
        for i in ids:
            mxc('deprovision', i)
        # The last holder may be about to end.
        eventually(lambda: run(['umount', path]).status == 0)


main()
