#!/usr/bin/env python3
"""libmxc's sessions and lifecycle requests, called from Python."""

import ctypes
import errno
import fcntl
import json
import os
import pty as terminals
import select
import signal
import struct
import sys
import termios
import threading
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from libmxc import *  # noqa: E402,F403
from libmxc import lib  # noqa: E402
from sessions import (  # noqa: E402
    hanging_start, root, refused as cli_refused, wait_for_end)

C1 = '1.1.0+c1'


def fds():
    return sorted(os.listdir('/proc/self/fd'))


def read_to(fd, piece):
    out = b''
    while piece not in out:
        more = os.read(fd, 4096)
        if not more:
            fail(f'ended: {out}')
        out += more
    return out


def grant(path):
    return {'filesystem': {'readwritePaths': [os.path.abspath(path)]}}


# --- the life of one ---------------------------------------------------------

@test
def a_life():
    os.mkdir('w')
    before = fds()
    with Kept(grant('w'), start=False) as k:
        has(k.id, 'native:')
        refused(NOT_STARTED, 'is not started', k.spawn, 'true')
        refused(ALREADY_STOPPED, 'is not started', k.do, 'stop', 0)
        k.do('start')
        refused(ALREADY_STARTED, 'started already', k.do, 'start')
        e = k.sh('echo out; echo err >&2; echo made >out; exit 7',
                 cwd=os.path.abspath('w').encode())
        eq((e.how, e.code, e.out, e.err), (EXITED, 7, b'out\n', b'err\n'))
        eq((e.json['outcome'], e.json['exitCode']), ('exited', 7))
        eq(read('w/out'), 'made\n')
        k.do('stop', 0)
        refused(NOT_STARTED, 'is not started', k.sh, 'true')
        k.do('start')
        eq(k.run('cat', os.path.abspath('w/out')).out, b'made\n')
        k.do('deprovision', 0)
        for f, *args in ((k.do, 'start'), (k.do, 'stop', 0), (k.do, 'pause'),
                         (k.do, 'deprovision', 0), (k.sh, 'true'),
                         (k.text, 'inspect'), (k.text, 'log')):
            refused(STALE, 'no session', f, *args)
    eq(os.listdir(root()), [])
    eq(fds(), before)


@test
def it_is_the_command_line_s_too():
    made = mxc('provision', '--max-age', '1h').ok().out.strip()
    with Kept(ident=made) as k:
        eq(k.id, made)
        k.do('start')
        eq(mxc('exec', made, '--', 'echo', 'seen').ok().out, 'seen\n')
        seen = json.loads(k.text('inspect'))
        eq((seen['state'], seen['maxAgeMs']), ('started', 3600000))
        eq(seen['provisioned']['backend'], 'native')
        one, = json.loads(listed())
        eq((one['sandboxId'], one['state']), (made, 'started'))
        has(k.text('log'), 'started, process')
        k.do('pause')
        eq(json.loads(k.text('inspect'))['state'], 'paused')
        refused(BACKEND, 'paused', k.sh, 'true')
        k.do('resume')
        eq(k.sh('echo on').out, b'on\n')
    cli_refused('stale_id', 'start', made)


def listed(**fields):
    error, out = Error(), ctypes.c_void_p()
    if lib.session_list(ctypes.byref(Options(**fields)), ctypes.byref(out),
                        ctypes.byref(error)) < 0:
        raise MxcError(error)
    return take(out)


@test
def options_of_a_session():
    os.mkdir('else', 0o700)
    where = os.path.abspath('else').encode()
    with Kept(runtime=where, idle_timeout_ms=60000, max_age_ms=70000) as k:
        seen = json.loads(k.text('inspect'))
        eq((seen['idleTimeoutMs'], seen['maxAgeMs']), (60000, 70000))
        eq(json.loads(listed()), [])
        eq(len(json.loads(listed(runtime=where))), 1)
        eq(lib.session_warnings(k.s), b'[]')
        refused(STALE, 'no session', Kept, ident=k.id)
    refused(MALFORMED, 'runtime is not absolute', Kept, runtime=b'else')
    refused(UNAVAILABLE, 'no place', Kept, runtime=b'/nope')
    refused(MALFORMED, 'events', k.spawn, 'true', events=1)
    refused(MALFORMED, 'mxc_run', k.spawn, 'true', input=b'x')
    for bad in ('idle_timeout_ms', 'max_age_ms'):
        refused(MALFORMED, 'for a session', Box, 'true', **{bad: 1})
        refused(MALFORMED, 'for a session', run_it, 'true', **{bad: 1})


@test
def what_is_for_a_single_run_is_refused():
    for name, value in OF_A_RUN.items():
        eq(run_it('exit 3', **{name: value}).code, 3)
    refused_beyond_a_run(Kept)
    refused_beyond_a_run(listed)
    eq(json.loads(listed()), [])
    ident = mxc('provision').ok().out.strip()
    refused_beyond_a_run(lambda **o: Kept(ident=ident, **o))
    run_in = say('exec', ident, process={'commandLine': 'touch made'})
    refused_beyond_a_run(ask, 'lifecycle', say('start', ident))
    refused_beyond_a_run(ask, 'lifecycle_check', say('start', ident))
    refused_beyond_a_run(Exec, run_in)
    refused_beyond_a_run(lambda **o: run_it(run_in, f=lib.lifecycle_run, **o))
    with Kept(ident=ident) as k:
        # None of these came so far as to miss a session that runs.
        refused_beyond_a_run(k.spawn, 'true')
        refused_beyond_a_run(k.run, 'true')
        k.do('start')
        refused_beyond_a_run(k.spawn, 'touch', '/tmp/made')
        refused_beyond_a_run(k.run, 'touch', '/tmp/made')
        eq(k.run('ls', '/tmp').out, b'')
        eq(k.sh('exit 4').code, 4)


@test
def what_cannot_be_provisioned():
    refused(MALFORMED, 'without a command', Kept,
            {'process': {'commandLine': 'true'}})
    refused(VALIDATION, '/nope', Kept,
            {'filesystem': {'readonlyPaths': ['/nope']}})
    refused(PHASE, 'keeps no sessions', Kept, {}, backend=b'gvisor')
    for bad, code in (('abc', MALFORMED_ID), (':x', MALFORMED_ID),
                      ('native:0', MALFORMED_ID), ('gvisor:' + '0' * 32,
                                                   CONTAINMENT),
                      ('native:' + '0' * 32, STALE)):
        refused(code, '', Kept, ident=bad)
    check(not os.path.exists(root()) or os.listdir(root()) == [])


# --- commands ----------------------------------------------------------------

@test
def what_is_no_id_and_no_command():
    error, s = Error(), SESSION()
    check(lib.session_open(None, byref(Options()), byref(s), byref(error)) < 0)
    has(error.message, b'no id')
    check(lib.pool_open(None, byref(Options()), byref(POOL()),
                        byref(error)) < 0)
    has(error.message, b'no name')
    with Kept() as k:
        for size in 9, 12, 7:
            command, box = Command('true'), c_void_p()
            command.size = size
            check(lib.session_exec(k.s, byref(command), byref(Options()),
                                   byref(box), byref(error)) < 0)
            has(error.message, b'mxc_command.size')


@test
def streams_of_a_command():
    with Kept() as k:
        with k.spawn('sh', '-c', 'read x; echo "<$x>"; cat >&2; exit 4',
                     stdio=PIPE) as box:
            eq(box.wait(0), 0)
            os.write(box.fd('stdin'), b'hello\n')
            eq(os.read(box.fd('stdout'), 100), b'<hello>\n')
            os.write(box.fd('stdin'), b'more')
            os.close(box.fd('take_stdin'))
            eq(read_to(box.fd('stderr'), b'more'), b'more')
            eq((box.wait(), box.status.exit_code), (EXITED, 4))
            eq((box.wait(), box.wait(0)), (EXITED, EXITED), 'the same answer')
            eq(box.json()['exitCode'], 4)
        r, w = os.pipe()
        with k.spawn('sh', '-c', 'echo a; echo b >&2; cat', stdio=FDS,
                     stdout_fd=w, stderr_fd=w) as box:
            os.close(w)
            eq(box.wait(), EXITED)
            eq(read_to(r, b'b\n'), b'a\nb\n')
        os.close(r)
        with k.spawn('readlink', '/proc/self/fd/0') as box:
            eq([box.fd(n) for n in ('stdin', 'stdout', 'stderr')], [-1] * 3)
            eq(box.wait(), EXITED)
        # What it leaves running holds nothing up.
        e = k.sh('sleep 99 & yes & head -c 60000 /dev/zero; exit 4')
        eq((e.code, e.out.count(b'\0')), (4, 60000))
        data = os.urandom(3 << 20)
        e = k.run('cat', input=data)
        eq((e.out == data, e.code), (True, 0))
        e = k.run('cat', input=data, output_max=10)
        eq((e.out, e.out_lost), (data[:5] + data[-5:], len(data) - 10))


@test
def a_terminal_of_a_command():
    script = ('tty; stty size; read x; stty size; echo "<$x>"; cat; '
              'seq 1 9999; exit 2')
    with Kept() as k:
        for stdio in (PTY, PTY_PIPES):
            with k.spawn('sh', '-c', script, stdio=stdio, rows=33,
                         columns=111) as box:
                out = box.fd('stdout')
                read_to(out, b'33 111')
                eq(box.fd('stderr'), -1)
                box.order('resize', 20, 60)
                os.write(box.fd('stdin'), b'typed\r')
                has(read_to(out, b'<typed>'), b'20 60')
                if stdio == PTY:
                    os.write(box.fd('stdin'), b'\4')
                else:
                    os.close(box.fd('take_stdin'))
                read_to(out, b'9999\r\n')
                try:
                    eq(os.read(out, 9), b'', 'the end')
                except OSError as e:
                    eq((e.errno, stdio), (errno.EIO, PTY))
                eq((box.wait(), box.status.exit_code), (EXITED, 2))
            with k.spawn('sleep', '99', stdio=stdio) as box:
                pass
        with k.spawn('sh', '-c', 'seq 1 9999; sleep 99',
                     stdio=PTY_PIPES) as box:
            os.close(box.fd('take_stdout'))
            # As when the window of a terminal is closed.
            eq((box.wait(), box.status.signal), (SIGNALED, signal.SIGHUP))
        with k.spawn('true') as box:
            refused(MALFORMED, 'no terminal', box.order, 'resize', 1, 1)
        refused(MALFORMED, 'without a terminal', k.spawn, 'true',
                stdio=TERMINAL)
        refused(MALFORMED, 'mxc_session_exec', Box, 'true', stdio=TERMINAL)


@test
def a_terminal_of_pipes_is_read_whenever_its_reader_likes():
    with Kept() as k:
        # A pipe holds 64 KiB, the relay the rest.
        with k.spawn('sh', '-c', 'head -c 70000 /dev/zero; exit 3',
                     stdio=PTY_PIPES) as box:
            out = box.fd('stdout')
            eq((box.wait(), box.status.exit_code), (EXITED, 3))
            time.sleep(3)
            got = 0
            while piece := os.read(out, 65536):
                got += len(piece)
            eq(got, 70000)


@test
def the_caller_s_terminal():
    """Its modes, its size, its keys; given back as it was."""
    with Kept() as k:
        code = f'''if 1:
            import sys, termios
            sys.path[:0] = {sys.path[:3]!r}
            from libmxc import *
            before = termios.tcgetattr(0)
            k = Kept(ident={k.id!r})
            box = k.spawn('sh', '-c', "trap 'stty size; exit 9' INT; stty size;"
                          "echo up; while :; do sleep 0.02; done",
                          stdio=TERMINAL, stdin_fd=0, stdout_fd=1)
            how = box.wait(60000), box.status.exit_code
            assert termios.tcgetattr(0) == before
            print('ended', how)
        '''
        pid, master = terminals.fork()
        if pid == 0:
            os.execv(sys.executable, [sys.executable, '-c', code])
        out = read_to(master, b'up')
        fcntl.ioctl(master, termios.TIOCSWINSZ,
                    struct.pack('4H', 33, 111, 0, 0))
        os.write(master, b'\3')
        out = read_to(master, b')\r\n')
        has(out, b'33 111')
        has(out, b'ended (1, 9)')
        os.waitpid(pid, 0)
        os.close(master)


@test
def how_a_command_ends():
    with Kept() as k:
        e = k.run('sh', '-c', 'kill -TERM $$')
        eq((e.how, e.code, e.signal), (SIGNALED, 143, 15))
        e = k.run('sleep', '99', timeout_ms=200)
        eq((e.how, e.code, e.json['timedOut']), (TIMED_OUT, 124, True))
        e = k.run('true', timeout_ms=2**64 - 1)
        eq((e.how, e.code), (EXITED, 0), 'for ever')
        e = k.run('/nope')
        eq((e.r, e.how, e.code), (0, NEVER_BEGAN, 127))
        has(e.json['error']['message'], '/nope')
        with k.spawn('/nope') as box:
            eq((box.wait(), box.failed), (NEVER_BEGAN, -1))
            refused(ALREADY_STOPPED, 'ended', box.order, 'signal', 15)
            box.order('kill')
        with k.spawn('sh', '-c', 'trap "exit 9" USR1; echo up; '
                     'while :; do sleep 0.01; done', stdio=PIPE) as box:
            read_to(box.fd('stdout'), b'up')
            refused(MALFORMED, 'no such signal', box.order, 'signal', 65)
            box.order('signal', signal.SIGUSR1)
            eq((box.wait(), box.status.exit_code), (EXITED, 9))
        refused(MALFORMED, 'no command', k.run)


@test
def a_kill_reaches_all_and_is_told_as_one():
    with Kept() as k:
        with k.spawn('sh', '-c', 'sleep 1000 & sleep 1000 & echo up; wait',
                     stdio=PIPE) as box:
            read_to(box.fd('stdout'), b'up')
            box.order('kill')
            eq((box.wait(), box.status.exit_code), (KILLED, 137))
            eq(box.json()['outcome'], 'killed')
        eventually(lambda: json.loads(k.text('inspect'))['processes'] == [])
        r, w = os.pipe()
        threading.Timer(0.2, os.close, [w]).start()
        e = k.sh('echo up; sleep 99', cancel_fd=r)
        eq((e.how, e.out), (KILLED, b'up\n'))
        os.close(r)
        # A handle that goes takes its command along.
        with k.spawn('sleep', '1000'):
            # Until it is executed it has init's name.
            eventually(lambda: [p['name'] for p in json.loads(
                k.text('inspect'))['processes']] == ['sleep'])
        eventually(lambda: json.loads(k.text('inspect'))['processes'] == [])


@test
def the_wait_descriptor():
    with Kept() as k:
        with k.spawn('sh', '-c', 'kill -STOP $$; exit 3') as box:
            fd = box.fd('wait_fd')
            # That it was halted is not its end.
            eventually(lambda: 'T' in [p['state'] for p in json.loads(
                k.text('inspect'))['processes']])
            eq(select.select([fd], [], [], 0)[0], [])
            box.order('signal', signal.SIGCONT)
            eq(select.select([fd], [], [], 20)[0], [fd])
            eq((box.wait(0), box.status.exit_code), (EXITED, 3))
            eq(select.select([fd], [], [], 0)[0], [fd], 'for good')


@test
def less_for_one_command():
    os.mkdir('w')
    w = os.path.abspath('w')
    with Kept(grant('w')) as k:
        e = k.sh(f'echo "$A-$B"; pwd; touch {w}/x', env=['A=1', 'B=2', 'A=3'],
                 cwd=w.encode())
        eq((e.out.decode(), e.code), (f'3-2\n{w}\n', 0))
        has(k.run('env').out, b'HOME=')
        eq(sorted(x.split(b'=')[0] for x in k.run(
            '/usr/bin/env', env=['ONLY=1'], only_env=1).out.split()),
            [b'ONLY', b'PWD'])
        e = k.sh('ulimit -n; ulimit -v', files=17, memory=1 << 30)
        eq(e.out, b'17\n%d\n' % (1 << 20))
        eq(k.run('python3', '-c', 'import socket; socket.socket()',
                 no_network=1).code, 1)
        refused(MALFORMED, 'not from /', k.sh, 'true', cwd=b'w')
        refused(MALFORMED, "with '..'", k.sh, 'true', readonly=['/a/../b'])
        if json.loads(mxc('doctor', '--json', '1').out).get(
                'landlockAbi', 6) < 6:
            skip('Landlock ABI 6 is needed')
        e = k.sh(f'touch {w}/y', readonly=[w])
        eq((e.code, os.path.exists('w/y')), (1, False), e.err)
        e = k.sh(f'ls {w}', denied=[w])
        check(e.code != 0, e.err)
        refused(VALIDATION, 'no such path', k.sh, 'true', denied=['/nope'])


@test
def many_at_once_from_many_threads():
    with Kept() as k:
        wrong = []

        def some(i):
            for n in range(5):
                e = k.sh(f'echo {i}.{n}; exit {i}')
                if (e.out, e.code) != (b'%d.%d\n' % (i, n), i):
                    wrong.append((i, n, e.out, e.code))
        threads = [threading.Thread(target=some, args=[i]) for i in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        eq(wrong, [])


def in_threads(k, n):
    """Commands at once by one handle: the exit codes."""
    codes = [None] * n

    def one(i):
        codes[i] = k.sh(f'exit {i}').code
    threads = [threading.Thread(target=one, args=[i]) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return codes


@test
def a_handle_outlives_a_holder():
    """What it is connected to ends, and all its threads find the next one."""
    with Kept() as k:
        eq(in_threads(k, 6), list(range(6)))
        before = fds()
        for _ in range(5):
            k.do('stop', 0)
            refused(NOT_STARTED, 'is not started', k.sh, 'true')
            k.do('start')
            eq(in_threads(k, 6), list(range(6)))
        eq(fds(), before)


@test
def a_start_that_hangs_is_ended_with_its_session():
    with Kept(start=False) as k:
        p, holder = hanging_start(k.id)
        k.do('deprovision', 0)
        has(p.communicate(timeout=10)[1].decode(), 'interrupted by signal 15')
        eventually(lambda: holder not in processes(), what='the holder gone')
        eq(os.listdir(root()), [])


@test
def a_handle_after_a_fork():
    with Kept() as k:
        eq(k.sh('exit 3').code, 3)
        pid = os.fork()
        if pid == 0:
            os._exit(k.sh('exit 4').code)
        eq(k.sh('exit 5').code, 5)
        eq(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 4)
        eq(k.sh('exit 6').code, 6)


def descriptors_of(pid):
    return len(os.listdir(f'/proc/{pid}/fd'))


@test(seconds=120)
def more_handles_than_a_holder_keeps_connected():
    with Kept() as k:
        with k.spawn('true') as box:
            holder = box.fd('pid')
            box.wait()
        before = descriptors_of(holder)
        more = [Kept(ident=k.id) for _ in range(80)]
        for _ in range(2):
            eq([m.sh(f'exit {i}').code for i, m in enumerate(more)],
               list(range(80)))
        check(descriptors_of(holder) <= before + 64, descriptors_of(holder))
        k.do('stop', 0)
        refused(NOT_STARTED, 'is not started', more[0].sh, 'true')
        k.do('start')
        eq([m.sh('exit 7').code for m in more], [7] * 80)
        for m in more:
            lib.session_close(m.s)
        with k.spawn('true') as box:
            holder = box.fd('pid')
            box.wait()
        eventually(lambda: descriptors_of(holder) <= before, 5,
                   'its connections gone')


@test
def a_session_that_ends_takes_its_commands_along():
    with Kept() as k:
        with k.spawn('sleep', '99') as box:
            k.do('stop', 0)
            eq((box.wait(), box.failed), (STOPPED, -1))
            has(box.error.message, b'was stopped')
        k.do('start')
        with k.spawn('sleep', '99') as box:
            pid = box.fd('pid')
            os.kill(pid, signal.SIGKILL)
            eq((box.wait(), box.failed), (FAILED, -1))
            has(box.error.message, b'holder was killed')
            eq(box.json()['outcome'], 'failed')
        wait_for_end(pid)
        refused(STALE, 'holder was killed', k.sh, 'true')
        refused(STALE, 'holder was killed', k.do, 'start')


# --- requests ----------------------------------------------------------------

def say(phase, ident=None, version=C1, **more):
    if ident:
        more['sandboxId'] = ident
    return json.dumps({'version': version, 'phase': phase, **more}).encode()


def act(*args, check_only=False, **kw):
    return json.loads(ask('lifecycle_check' if check_only else 'lifecycle',
                          say(*args, **kw)))


@test
def a_life_by_requests():
    os.mkdir('w')
    eq(act('provision', containment='process', check_only=True, **grant('w')),
       {'result': {}})
    check(not os.path.exists(root()))
    said = act('provision', containment='native', telemetry={'enabled': True},
               session={'idleTimeout': 50000, 'maxAge': 60000}, **grant('w'))
    ident = said['result']['sandboxId']
    has(said['result']['warnings'][0], 'telemetry')
    with Kept(ident=ident) as k:
        seen = json.loads(k.text('inspect'))
        eq((seen['idleTimeoutMs'], seen['maxAgeMs']), (50000, 60000))
        run_in = say('exec', ident, process={'commandLine': 'exit 5'})
        refused(NOT_STARTED, '', Exec, run_in)
        for phase in ('start', 'stop', 'deprovision'):
            eq(act(phase, ident, check_only=True), {'result': {}})
        for version in ('1.0.0', '1.1.0-alpha', C1):
            eq(act('start', ident, version=version), {'result': {}})
            refused(ALREADY_STARTED, '', act, 'start', ident)
            with Exec(run_in, stdio=PIPE) as box:
                eq((box.wait(), box.status.exit_code), (EXITED, 5))
            e = run_it(say('exec', ident, process={'commandLine': 'cat'}),
                       f=lib.lifecycle_run, input=b'in')
            eq((e.code, e.out), (0, b'in'))
            eq(act('exec', ident, process={'commandLine': 'exit 5'},
                   check_only=True), {'result': {}})
            eq(act('stop', ident), {'result': {}})
            refused(ALREADY_STOPPED, '', act, 'stop', ident)
        eq(act('deprovision', ident), {'result': {}})
        for phase in ('start', 'stop', 'deprovision'):
            refused(STALE, 'no session', act, phase, ident)
            refused(STALE, 'no session', act, phase, ident, check_only=True)
        refused(STALE, 'no session', Exec, run_in)


@test
def requests_that_are_none():
    refused(MALFORMED, 'phase', ask, 'lifecycle', request())
    refused(MALFORMED, '', ask, 'lifecycle', b'nonsense')
    refused(MALFORMED, 'mxc_lifecycle_exec', act, 'exec', 'native:0',
            process={'commandLine': 'true'})
    refused(MALFORMED, "phase 'exec'", Exec, say('start', 'native:0'))
    refused(MALFORMED, 'sandboxId', act, 'start')
    refused(MALFORMED, "'process'", act, 'provision', containment='native',
            process={'commandLine': 'true'})
    refused(MALFORMED, 'cannot be provisioned', act, 'provision',
            containment='native', version='1.0.0')
    refused(MALFORMED, "'containment'", act, 'provision')
    refused(CONTAINMENT, 'wslc', act, 'provision', containment='wslc')
    refused(MALFORMED, 'lifecycle request', run_it,
            say('provision', containment='native'))
    for bad, code in (('abc', MALFORMED_ID), ('native:1', MALFORMED_ID),
                      ('iso:x', CONTAINMENT), ('wslc:x', CONTAINMENT)):
        refused(code, '', act, 'start', bad)
    e = refused(VALIDATION, '/nope', act, 'provision', containment='native',
                filesystem={'readonlyPaths': ['/nope']})
    eq((e.where, e.line), (b'filesystem.readonlyPaths[0]', 1))


@test
def what_an_exec_may_ask_for():
    os.mkdir('w')
    with Kept(grant('w')) as k:
        def sh(command, process=(), **more):
            text = say('exec', k.id, process={'commandLine': command,
                                              **dict(process)}, **more)
            with Exec(text, stdio=PIPE) as box:
                box.wait()
                return box.status.exit_code, os.read(box.fd('stdout'), 999)

        names = 'env | cut -d= -f1 | sort | tr "\\n" " "'
        eq(sh(names, {'env': ['A=1']})[1].split(), [b'A', b'PWD'])
        has(sh(names)[1], b'HOME')
        code, out = sh(names, {'env': ['A=1'], 'inheritDefaultEnv': True})
        has(out, b'HOME')
        has(out, b'A ')
        eq(sh('pwd', {'cwd': os.path.abspath('w')})[1].decode().strip(),
           os.path.abspath('w'))
        deny = {'egress': {'default': 'deny'}}
        py = "python3 -c 'import socket; socket.socket()' 2>/dev/null"
        eq((sh(py)[0], sh(py, network=deny)[0]), (0, 1))
        refused(VALIDATION, 'or none', sh, 'true',
                network={'egress': {'default': 'allow'}})
        refused(VALIDATION, 'the proxy', sh, 'true', runtimeConfig={
            'networkProxy': 'http://127.0.0.1:9'})
        e = refused(VALIDATION, 'KEY=VALUE', sh, 'true', {'env': ['A']})
        eq(e.where, b'process.env[0]')
        e = refused(VALIDATION, 'absolute', sh, 'true',
                    filesystem={'deniedPaths': ['w']})
        eq(e.where, b'filesystem.deniedPaths[0]')
        refused(VALIDATION, 'hard links', sh, 'true',
                filesystem={'hardLinks': 'refuse'})


@test
def a_container_of_mxc_s_sdk():
    """`wslc` with the image that stands for this host's programs."""
    ours = {'containment': 'wslc', 'version': '1.0.0',
            'wslc': {'provision': {'image': 'mxc://native'}}}
    for more in ({'imageTarPath': '/x'},):
        refused(VALIDATION, 'mxc://native', act, 'provision', **{
            **ours, 'wslc': {'provision': {'image': 'mxc://native', **more}}})
    refused(VALIDATION, 'port mappings', act, 'provision', **{
        **ours, 'version': '1.1.0-alpha', 'wslc': {'provision': {
            'image': 'mxc://native', 'portMappings': [
                {'windowsPort': 80, 'containerPort': 80}]}}})
    refused(CONTAINMENT, 'wslc', act, 'provision', **{
        **ours, 'wslc': {'provision': {'image': 'alpine:latest'}}})
    ident = act('provision', **ours)['result']['sandboxId']
    eq(ident[:5], 'wslc:')
    with Kept(ident='native:' + ident[5:]):
        act('start', ident)
        with Exec(say('exec', ident, process={'commandLine': 'exit 6'})) as b:
            eq((b.wait(), b.status.exit_code), (EXITED, 6))
        eq(act('deprovision', ident), {'result': {}})
        refused(STALE, 'no session', act, 'start', ident)


if lib is None:
    print(f'1..0 # SKIP no {LIBRARY}')
    sys.exit(0)
main()
