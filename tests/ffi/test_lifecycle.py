#!/usr/bin/env python3
"""Requests with a phase, that act: sessions by MXC's C interface."""

import json
import os
import pty as terminals
import select
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
from tap import *  # noqa: E402,F403
from ffi import OURS, Fault, Library, is_sanitized  # noqa: E402
import sessions  # noqa: E402

lib = Library(OURS)
C1 = '1.1.0+c1'
STALE = 'native:' + '0' * 32


def request(phase, ident=None, version='1.0.0', **more):
    if ident is not None:
        more['sandboxId'] = ident
    return {'version': version, 'phase': phase, **more}


def sh(ident, command, **process):
    return request('exec', ident, process={'commandLine': command, **process})


def act(*args, dry=0, **kw):
    """The envelope, or the Fault."""
    status, response, fault = lib.lifecycle(request(*args, **kw), dry)
    if status:
        check(response is None, response)
        raise fault
    return json.loads(response)


def refused(status, piece, what, *args, **kw):
    try:
        got = what(*args, **kw)
    except Fault as e:
        got = e
    eq(got.status, status, f'{args} {got}')
    has(got.message or '', piece)
    return got


class Started:
    """A session, provisioned and started by requests."""

    def __init__(self, start=True, **more):
        self.id = act('provision', version=C1, containment='native',
                      **more)['result']['sandboxId']
        if start:
            act('start', self.id)

    def __enter__(self):
        return self.id

    def __exit__(self, *_):
        lib.lifecycle(request('deprovision', self.id))


# --- phases --------------------------------------------------------------------

@test
def a_life():
    os.mkdir('w')
    grant = {'filesystem': {'readwritePaths': [os.path.abspath('w')]}}
    eq(act('provision', version=C1, containment='process', dry=1, **grant),
       {'result': {}})
    eq(os.path.exists(sessions.root()), False, 'a dry run keeps nothing')
    said = act('provision', version=C1, containment='process', **grant)
    eq(list(said), ['result'])
    eq(list(said['result']), ['sandboxId'])
    ident = said['result']['sandboxId']
    has(ident, 'native:')
    run_it = sh(ident, f'echo made | tee {os.path.abspath("w")}/x; exit 3')
    refused(8, 'is not started', lib.exec, run_it)
    refused(8, 'is not started', lib.run_exec, run_it)
    refused(10, 'is not started', act, 'stop', ident)
    eq(act('start', ident), {'result': {}})
    refused(9, 'started already', act, 'start', ident)
    r = lib.run_exec(run_it)
    eq((r.status, r.exit_code, r.timed_out, r.out, r.err, r.warnings),
       (0, 3, 0, b'made\n', b'', None))
    eq(read('w/x'), 'made\n')
    eq(act('stop', ident), {'result': {}})
    refused(10, 'is not started', act, 'stop', ident)
    eq(act('start', ident, version=C1), {'result': {}})
    eq(act('deprovision', ident), {'result': {}})
    for phase in ('start', 'stop', 'deprovision'):
        refused(6, 'no session', act, phase, ident)
        refused(6, 'no session', act, phase, ident, dry=1)
    refused(6, 'no session', lib.exec, run_it)
    eq(os.listdir(sessions.root()), [])


@test
def on_another_backend():
    need('bwrap')
    if is_sanitized():
        skip('what bubblewrap starts has to be linked statically')
    ident = act('provision', version=C1,
                containment='bubblewrap')['result']['sandboxId']
    has(ident, 'bubblewrap:')
    eq(act('start', ident), {'result': {}})
    eq(lib.run_exec(sh(ident, 'exit 5')).exit_code, 5)
    eq(act('deprovision', ident), {'result': {}})
    refused(6, 'no session', act, 'start', ident)


@test
def what_is_refused():
    for ident, status, piece in (
            ('lxc:abc', 5, 'not the id'),
            ('native:abc', 5, 'not the id'), ('native:', 5, 'not the id'),
            (STALE, 6, 'no session'), ('abc', 5, '`<prefix>:...` form'),
            ('x:0', 2, 'prefix "x"'), ('wslc:0', 4, 'WSLc'),
            ('iso:0', 4, 'IsolationSession'), ('wsb:0', 4, 'experimental'),
            ('wslc:' + '0' * 32, 6, 'no session')):
        for phase in ('start', 'stop', 'deprovision'):
            for dry in (0, 1):
                refused(status, piece, act, phase, ident, dry=dry)
        refused(status, piece, lib.exec, sh(ident, 'true'))
        refused(status, piece, lib.run_exec, sh(ident, 'true'))
    with Started() as ident:
        refused(1, 'does not return an envelope', act, 'exec', ident,
                process={'commandLine': 'true'})
        eq(act('exec', ident, dry=1, process={'commandLine': 'true'}),
           {'result': {}})
        refused(1, 'Invalid exec request', act, 'exec', ident, dry=1)
        refused(1, 'Invalid exec request', lib.exec,
                request('exec', ident, process={'command': 'true'}))
        refused(1, 'requires the exec phase, got start', lib.exec,
                request('start', ident))
        refused(1, 'requires the exec phase, got stop', lib.run_exec,
                request('stop', ident))
        refused(1, 'to be terminals', lib.exec_attached, sh(ident, 'true'))
        refused(1, 'one-shot', lib.spawn, request('start', ident))
        refused(1, 'one-shot', lib.run, sh(ident, 'true'))
        e = refused(11, 'or none', lib.exec, {
            **sh(ident, 'true'), 'network': {'egress': {'default': 'allow'}}})
        has(e.message, 'at network')
        mxc('pause', ident).ok()
        refused(12, 'paused', lib.exec, sh(ident, 'true'))
    e = refused(11, '/nope', act, 'provision', version=C1,
                containment='native',
                filesystem={'readonlyPaths': ['/nope']})
    has(e.message, 'filesystem.readonlyPaths[0]')
    check(e.remediation)
    refused(1, 'Invalid provision request', act, 'provision', version=C1,
            containment='native', process={'commandLine': 'true'})
    refused(1, 'cannot be provisioned', act, 'provision', version=C1,
            containment='gvisor')
    refused(4, 'WSLc', act, 'provision', containment='wslc')


@test
def a_holder_that_was_killed():
    with Started() as ident:
        holder = json.loads(read(os.path.join(
            sessions.root(), ident.split(':')[1], 'running')))['pid']
        with lib.exec(sh(ident, 'sleep 99')) as box:
            os.kill(holder, 9)
            eq(box.wait(), (0, -1, 0))
            has(box.warnings()[0], 'holder was killed')
        sessions.wait_for_end(holder)
        for phase in ('start', 'stop'):
            refused(6, 'holder was killed', act, phase, ident)
        refused(6, 'holder was killed', lib.exec, sh(ident, 'true'))
        eq(act('deprovision', ident), {'result': {}})


# --- commands ------------------------------------------------------------------

@test
def streams_of_a_command():
    with Started() as ident:
        with lib.exec(sh(ident, 'cat; echo err >&2; exit 4')) as box:
            i, o, e = box.stdin(), box.stdout(), box.stderr()
            i.write_all(b'hello')
            eq(o.read(), b'hello')
            i.free()
            eq((o.all(), e.all(), box.wait()), (b'', b'err\n', (0, 4, 0)))
            eq(box.wait(), (0, 4, 0))
            check(box.id > 1)
        with lib.exec(sh(ident, 'echo out')) as box:
            status, i, o, e = box.native()
            eq(status, 0)
            select.select([o], [], [])
            eq(os.read(o, 9), b'out\n')
            for fd in (i, o, e):
                os.close(fd)
            eq(box.wait(), (0, 0, 0))
        with lib.exec(sh(ident, 'sleep 99')) as box:
            eq(box.try_wait(), (0, 0, 1, 0))
            eq((box.kill(), box.wait()), (0, (0, -1, 0)))
        with lib.exec(sh(ident, 'sleep 99')) as box:
            eq((box.kill_for_timeout(), box.wait()), (0, (0, -1, 1)))
        with lib.exec(sh(ident, 'sleep 99', timeout=200)) as box:
            eq(box.wait(), (0, -1, 1))
        r = lib.run_exec(sh(ident, 'kill -9 $$'))
        eq((r.status, r.exit_code), (0, 137))
        r = lib.run_exec(sh(ident, 'echo before; sleep 99', timeout=300))
        eq((r.exit_code, r.timed_out, r.out), (-1, 1, b'before\n'))
        r = lib.run_exec(sh(ident, 'env', env=['A=1']))
        eq(sorted(r.out.split(b'\n')), [b'', b'A=1', b'PWD=/home/user'], r)


@test
def a_terminal_of_a_command():
    with Started() as ident:
        with lib.exec_pty(sh(ident, 'stty size; read x; stty size; '
                             'echo "<$x>"; cat; exit 3'), 33, 111) as box:
            i, o = box.stdin(), box.stdout()
            eq(box.stderr(), None)
            eq(box.stdout_closer(), None)
            out = b''
            while b'33 111' not in out:
                out += o.read()
            eq(box.resize(20, 60), 0)
            i.write_all(b'typed\r')
            while b'<typed>' not in out:
                out += o.read()
            has(out, b'20 60')
            i.free()   # ^D
            o.all()
            eq(box.wait(), (0, 3, 0))
            eq(box.resize(1, 1), 0)
        # Large output arrives whole; a reader that goes has hung up.
        with lib.exec_pty(sh(ident, 'seq 1 30000')) as box:
            out = box.stdout()
            eq(out.all().split()[-1], b'30000')
            eq(box.wait(), (0, 0, 0))
        with lib.exec_pty(sh(ident, 'seq 1 30000; sleep 99')) as box:
            box.stdout().free()
            eq(box.wait(), (0, 129, 0))
        with lib.exec_pty(sh(ident, 'sleep 99')) as box:
            status, i, o, e = box.native()
            eq((status, e), (0, -1))
            eq([stat.S_ISFIFO(os.fstat(x).st_mode) for x in (i, o)],
               [True] * 2)
        for fd in (i, o):
            os.close(fd)
        with lib.exec_pty(sh(ident, 'exit 1')) as box:
            eq(box.wait(), (0, 1, 0))
        refused(1, 'PTY rows', lib.exec_pty, sh(ident, 'true'), 0, 1)
        refused(1, 'PTY rows', lib.exec_pty, sh(ident, 'true'), 40000, 1)
    eq([t for t in os.listdir('/proc/self/task')], [str(os.getpid())],
       'no thread is left')


@test
def on_the_caller_s_terminal():
    """What is typed goes to the command, ^C too, and modes come back."""
    with Started() as ident:
        code = f'''if 1:
            import ctypes, sys, termios
            sys.path[:0] = {sys.path[:3]!r}
            from ffi import *
            lib = Library(OURS)
            before = termios.tcgetattr(0)
            out, detail = Outcome(77, 77), Detail()
            request = {sh(ident, "trap 'echo INT; exit 9' INT; stty size; "
                          "echo up; while :; do sleep 0.02; done")!r}
            status = lib.raw.mxc_exec_state_aware_attached_json(
                text(request), 0, byref(out), byref(detail))
            assert termios.tcgetattr(0) == before
            print('ended', status, out.exit_code, out.timed_out)
        '''
        pid, master = terminals.fork()
        if pid == 0:
            os.execv(sys.executable, [sys.executable, '-c', code])
        seen = b''
        while b'up' not in seen:
            seen += os.read(master, 1000)
        os.write(master, b'\3')
        while b'ended 0 9 0' not in seen:
            seen += os.read(master, 1000)
        has(seen, b'INT')
        os.waitpid(pid, 0)
        os.close(master)


# --- what MXC's SDK can ask for ---------------------------------------------------

def container(version='1.0.0', **more):
    more = {'wslc': {'provision': {'image': 'mxc://native'}}, **more}
    return request('provision', version=version, containment='wslc', **more)


@test
def a_container_by_the_name_of_another_backend():
    os.mkdir('w')
    status, response, _ = lib.lifecycle(container(
        filesystem={'readwritePaths': [os.path.abspath('w')]},
        network={'egress': {'default': 'allow'}}))
    eq(status, 0)
    ident = json.loads(response)['result']['sandboxId']
    eq((ident[:5], len(ident)), ('wslc:', 37))
    refused(8, 'not started', lib.exec, sh(ident, 'true'))
    act('start', ident)
    refused(9, 'started already', act, 'start', ident)
    refused(9, 'started already', act, 'start', 'native:' + ident[5:])
    r = lib.run_exec(sh(ident, f'cd {os.path.abspath("w")}; echo x >y; exit 2'))
    eq((r.exit_code, read('w/y')), (2, 'x\n'))
    with lib.exec_pty(sh(ident, 'tty')) as box:
        has(box.stdout().all(), b'/dev/pts/')
    refused(11, 'the proxy', lib.exec, {**sh(ident, 'true'), 'runtimeConfig': {
        'networkProxy': 'http://10.0.0.1:80'}})
    act('stop', ident)
    refused(10, 'not started', act, 'stop', ident)
    act('deprovision', ident)
    refused(6, 'no session', act, 'start', ident)
    for more, piece in (({'image': 'mxc://native', 'imageTarPath': '/x'},
                         'imageTarPath'),):
        status, _, fault = lib.lifecycle(container(wslc={'provision': more}))
        eq(status, 11)
        has(fault.message, piece)
    for image in ('alpine:latest', 'native', 'mxc://other', ''):
        status, _, fault = lib.lifecycle(
            container(wslc={'provision': {'image': image}}))
        eq(status, 4, image)
    status, _, fault = lib.lifecycle(container(network={
        'egress': {'default': 'allow'},
        'ingress': {'default': 'allow', 'hostLoopback': 'allow'}}))
    eq(status, 11, fault)


main()
