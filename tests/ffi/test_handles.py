#!/usr/bin/env python3
"""Handles: streams, closers, terminals, ends; and threads that end."""

import fcntl
import json
import os
import select
import signal
import stat
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
from tap import *  # noqa: E402,F403
from ffi import OURS, Fault, Library, one_shot  # noqa: E402

lib = Library(OURS)


def ended(box, seconds=10):
    """Poll as the SDK does: what try_wait says at the end."""
    def look():
        r = box.try_wait()
        eq(r[0], 0, 'status of try_wait')
        return None if r[2] else r
    return eventually(look, seconds)


def in_thread(what):
    box = []
    t = threading.Thread(target=lambda: box.append(what()))
    t.start()
    t.join(30)
    check(box, 'the thread did not end')
    return box[0]


def fails(status, what, *args):
    try:
        what(*args)
    except Fault as e:
        eq(e.status, status)
        return e
    fail('it worked')


# --- streams -----------------------------------------------------------------

@test
def streams():
    with lib.spawn(one_shot('cat; echo err >&2; exit 4')) as box:
        i, o, e = box.stdin(), box.stdout(), box.stderr()
        eq([box.stdin(), box.stdout(), box.stderr()], [None] * 3)
        i.write_all(b'hel')
        eq(i.flush(), 0)
        eq(o.read(), b'hel')
        i.write_all(b'lo')
        i.free()
        eq((o.all(), e.all()), (b'lo', b'err\n'))
        eq((o.read(), o.read()), (b'', b''))
        eq((box.wait(), box.wait()), ((0, 4, 0), (0, 4, 0)))
        eq(box.try_wait(), (0, 4, 0, 0))
        eq((box.warnings(), box.metadata()), (None, None))
        o.free()
        e.free()


@test
def streams_carry_bytes():
    data = bytes(range(256)) * 40000
    with lib.spawn(one_shot('cat')) as box:
        i, o = box.stdin(), box.stdout()

        def feed():
            i.write_all(data)
            i.free()
        t = threading.Thread(target=feed)
        t.start()
        check(o.all() == data, 'bytes changed')
        t.join()
        eq(box.wait(), (0, 0, 0))
        o.free()


@test
def reader_that_goes_away():
    with lib.spawn(one_shot('sleep 0.2; echo x; exit 6')) as box:
        box.stdout().free()
        eq(box.wait(), (0, 128 + signal.SIGPIPE, 0))


@test
def writing_to_nobody():
    """An error, and not the signal that would end this process."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    with lib.spawn(one_shot('exec <&-; sleep 0.1')) as box:
        i = box.stdin()
        eq(box.wait(), (0, 0, 0))
        fails(12, i.write, b'x')
        eq(signal.sigpending(), set())
        i.free()


@test
def a_pending_sigpipe_stays():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGPIPE})
    signal.pthread_kill(threading.get_ident(), signal.SIGPIPE)
    with lib.spawn(one_shot('true')) as box:
        i = box.stdin()
        eq(box.wait(), (0, 0, 0))
        fails(12, i.write, b'x')
        i.free()
    eq(signal.sigpending(), {signal.SIGPIPE})


@test
def streams_outlive_the_handle():
    box = lib.spawn(one_shot('echo a; sleep 30'))
    i, o, e = box.stdin(), box.stdout(), box.stderr()
    c = box.stdout_closer()
    eq(o.read(), b'a\n')
    box.free()
    eq((o.read(), e.read()), (b'', b''))
    fails(12, i.write, b'x')
    eq(c.close(), 0)
    for s in (i, o, e, c):
        s.free()


@test
def wait_drains_and_ends_the_input():
    with lib.spawn(one_shot('head -c 3000000 /dev/zero; '
                            'head -c 3000000 /dev/zero >&2; cat; exit 5')) as b:
        eq(b.wait(), (0, 5, 0))
        eq([b.stdin(), b.stdout(), b.stderr()], [None] * 3)
        eq(b.native(), (4, -1, -1, -1))


# --- native stdio --------------------------------------------------------------

def kind(fd):
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    check(stat.S_ISFIFO(os.fstat(fd).st_mode), 'a pipe')
    eq(fcntl.fcntl(fd, fcntl.F_GETFD), fcntl.FD_CLOEXEC)
    return flags & os.O_ACCMODE, bool(flags & os.O_NONBLOCK)


@test
def native_stdio():
    with lib.spawn(one_shot('cat; echo err >&2; exit 4')) as box:
        status, i, o, e = box.native()
        eq(status, 0)
        eq(kind(i), (os.O_WRONLY, False))
        eq(kind(o), (os.O_RDONLY, True))
        eq(kind(e), (os.O_RDONLY, True))
        eq(box.native(), (4, -1, -1, -1))
        eq([box.stdin(), box.stdout(), box.stderr()], [None] * 3)
        eq([box.stdout_closer(), box.stderr_closer()], [None] * 2)
        os.write(i, b'abc')
        lib.raw.mxc_native_pipe_close(i)
        for none in (-1, -2, 1 << 40):
            lib.raw.mxc_native_pipe_close(none)
        eq(box.wait(), (0, 4, 0))
        eq((os.read(o, 99), os.read(e, 99)), (b'abc', b'err\n'))
        os.close(o)
        os.close(e)


@test
def native_stdio_after_a_stream():
    saved = os.dup(2)
    with open('said', 'wb') as f:
        os.dup2(f.fileno(), 2)
    with lib.spawn(one_shot('true')) as box:
        box.stdout().free()
        eq(box.native(), (12, -1, -1, -1))
        eq(box.wait(), (0, 0, 0))
    os.dup2(saved, 2)
    eq(read('said'), '', 'what the library said on standard error')


@test
def descriptors_outlive_the_handle():
    box = lib.spawn(one_shot('echo a; sleep 30'))
    _, i, o, e = box.native()
    select.select([o], [], [], 10)
    eq(os.read(o, 9), b'a\n')
    box.free()
    eq((os.read(o, 9), os.read(e, 9)), (b'', b''))
    for fd in (i, o, e):
        os.close(fd)


# --- closers --------------------------------------------------------------------

@test
def closer_ends_a_read():
    with lib.spawn(one_shot('read x; exit 6')) as box:
        i, o, e = box.stdin(), box.stdout(), box.stderr()
        c, other = box.stdout_closer(), box.stdout_closer()
        t = threading.Timer(0.3, lambda: [c.close(), other.close()])
        t.start()
        start = time.monotonic()
        eq(o.read(), b'')
        check(0.2 < time.monotonic() - start < 20)
        t.join()
        eq((o.read(), c.close(), other.close()), (b'', 0, 0))
        eq(box.try_wait(), (0, 0, 1, 0), 'it runs on')
        i.free()
        eq(e.read(), b'', 'the other stream ends with it')
        eq(box.wait(), (0, 6, 0))
        for s in (c, other, o, e):
            s.free()


@test
def closer_before_the_stream_and_after():
    with lib.spawn(one_shot('echo x; exit 6')) as box:
        c = box.stdout_closer()
        eq(c.close(), 0)
        o = box.stdout()
        eq(o.read(), b'')
        o.free()
        late = box.stdout_closer()
        eq((late.close(), c.close()), (0, 0))
        c.free()
        late.free()
        eq(box.wait()[0], 0)


@test
def many_closers_at_once():
    for _ in range(30):
        with lib.spawn(one_shot('sleep 30')) as box:
            o = box.stdout()
            closers = [box.stdout_closer() for _ in range(8)]
            readers = [threading.Thread(target=o.read)]
            closing = [threading.Thread(target=c.close) for c in closers]
            for t in readers + closing:
                t.start()
            for t in readers + closing:
                t.join(10)
                check(not t.is_alive(), 'a read did not end')
            for s in (o, *closers):
                s.free()


# --- the end --------------------------------------------------------------------

@test
def kill():
    with lib.spawn(one_shot('sleep 100 & sleep 100')) as box:
        eq(box.try_wait(), (0, 0, 1, 0))
        check(box.id > 1)
        eq(box.kill(), 0)
        eq(ended(box), (0, -1, 0, 0))
        eq((box.wait(), box.kill(), box.wait()),
           ((0, -1, 0), 0, (0, -1, 0)))
        eq((box.kill_for_timeout(), box.wait()), (0, (0, -1, 0)))


@test
def kill_for_timeout():
    with lib.spawn(one_shot('sleep 100')) as box:
        eq(box.kill_for_timeout(), 0)
        eq(ended(box), (0, -1, 0, 1))
        eq((box.wait(), box.kill(), box.wait()), ((0, -1, 1), 0, (0, -1, 1)))


@test
def killing_what_has_ended_changes_nothing():
    for word in ('kill', 'kill_for_timeout'):
        with lib.spawn(one_shot('exit 9')) as box:
            o = box.stdout()
            eq(o.all(), b'')
            time.sleep(1)
            eq(getattr(box, word)(), 0)
            eq((box.try_wait(), box.wait()), ((0, 9, 0, 0), (0, 9, 0)))
            o.free()


@test
def kill_while_another_thread_waits():
    with lib.spawn(one_shot('sleep 100')) as box:
        t = threading.Timer(0.3, box.kill)
        t.start()
        start = time.monotonic()
        eq(box.wait(), (0, -1, 0))
        check(time.monotonic() - start < 20)
        t.join()


@test
def timeouts():
    with lib.spawn(one_shot('echo a; sleep 100', timeout=300)) as box:
        eq(ended(box), (0, -1, 0, 1))
        eq(box.wait(), (0, -1, 1))
    with lib.spawn(one_shot('sleep 100', timeout=300)) as box:
        eq((box.wait(), box.try_wait()), ((0, -1, 1), (0, -1, 0, 1)))


@test
def a_timeout_ends_reads_too():
    """Nobody has to ask for it: the supervisor keeps the time."""
    with lib.spawn(one_shot('echo a; sleep 100', timeout=300)) as box:
        o = box.stdout()
        eq(o.all(), b'a\n')
        eq(box.wait(), (0, -1, 1))
        o.free()


@test
def signal_inside():
    with lib.spawn(one_shot('kill -9 $$')) as box:
        eq(box.wait(), (0, 137, 0))


@test
def free_kills():
    box = lib.spawn(one_shot('sleep 100'))
    pid = box.id
    start = time.monotonic()
    box.free()
    check(time.monotonic() - start < 20)
    check(not os.path.exists(f'/proc/{pid}'), 'the supervisor lives')


@test
def what_fails_after_the_start_is_a_warning():
    with lib.spawn(one_shot('true', process={
            'commandLine': 'true', 'cwd': '/no/such'})) as box:
        status, code, late = box.wait()
        eq((status, late), (0, 0))
        eq(code, -1)
        has(json.dumps(box.warnings()), '/no/such')


@test
def warnings_come_with_the_end():
    with lib.spawn(one_shot('sleep 0.3', telemetry={'enabled': True})) as box:
        eq(box.warnings(), None)
        eq(box.wait(), (0, 0, 0))
        eq(len(box.warnings()), 1)
        eq(box.warnings(), box.warnings())


# --- terminals ------------------------------------------------------------------

@test
def terminal():
    with lib.spawn_pty(one_shot('stty size; read x; stty size; echo got $x; '
                                'exit 3'), 30, 100) as box:
        eq((box.stderr(), box.stdout_closer(), box.stderr_closer()),
           (None, None, None))
        i, o = box.stdin(), box.stdout()
        out = b''
        while b'30 100\r\n' not in out:
            out += o.read()
        eq(box.resize(40, 120), 0)
        i.write_all(b'yo\n')
        out += o.all()
        has(out, b'40 120\r\n')
        has(out, b'got yo\r\n')
        eq((box.wait(), box.resize(1, 1)), ((0, 3, 0), 0))
        i.free()
        o.free()


@test
def terminal_natively():
    with lib.spawn_pty(one_shot('cat; exit 2')) as box:
        status, i, o, e = box.native()
        eq((status, e), (0, -1))
        eq(kind(i), (os.O_WRONLY, False))
        eq(kind(o), (os.O_RDONLY, False))
        os.write(i, b'abc\n')
        out = b''
        while out.count(b'abc') < 2:
            out += os.read(o, 999)
        os.close(i)
        eq(box.wait(), (0, 2, 0), 'the end of the input is typed')
        os.close(o)


@test
def terminal_that_nobody_reads():
    with lib.spawn_pty(one_shot('head -c 1000000 /dev/zero; exit 5')) as box:
        eq(box.wait(), (0, 5, 0))


@test
def sizes():
    for rows, columns in ((0, 80), (24, 0), (32768, 80), (24, 65535)):
        e = fails(1, lib.spawn_pty, one_shot('true'), rows, columns)
        has(e.message, 'between 1 and 32767')
    with lib.spawn_pty(one_shot('stty size'), 32767, 32767) as box:
        o = box.stdout()
        eq(o.all(), b'32767 32767\r\n')
        eq((box.resize(0, 1), box.resize(1, 32768)), (1, 1))
        o.free()
    with lib.spawn(one_shot('true')) as box:
        eq((box.resize(3, 3), box.resize(0, 0)), (12, 1))


# --- threads --------------------------------------------------------------------

@test
def the_spawning_thread_may_end():
    box = in_thread(lambda: lib.spawn(one_shot('sleep 1; echo ok; exit 8')))
    time.sleep(0.3)
    eq(box.try_wait(), (0, 0, 1, 0))
    o = box.stdout()
    eq(o.all(), b'ok\n')
    eq(in_thread(box.wait), (0, 8, 0))
    in_thread(o.free)
    in_thread(box.free)


@test
def waiting_from_several_threads():
    with lib.spawn(one_shot('sleep 0.3; exit 8')) as box:
        ends = []
        threads = [threading.Thread(target=lambda: ends.append(box.wait()))
                   for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        eq(ends, [(0, 8, 0)] * 4)


@test
def sixteen_handles_at_once():
    failures = []

    def go(n):
        try:
            with lib.spawn(one_shot(f'cat; exit {n}')) as box:
                i, o = box.stdin(), box.stdout()
                i.write_all(b'%d' % n * 1000)
                i.free()
                eq((o.all(), box.wait()), (b'%d' % n * 1000, (0, n, 0)))
                o.free()
        except Exception as e:
            failures.append(f'{n}: {e}')
    threads = [threading.Thread(target=go, args=(n,)) for n in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    eq(failures, [])


@test
def spawn_fails_as_run_does():
    e = fails(1, lib.spawn, one_shot('true', zz=1))
    has(e.message, 'Configuration parse error: Invalid one-shot request: ')
    e = fails(2, lib.spawn, one_shot('true', containment='seatbelt'))
    e = fails(11, lib.spawn, one_shot('true', filesystem={
        'readonlyPaths': ['/no/such']}))
    has(e.remediation, 'create it')
    fails(100, lib.spawn, None)
    fails(101, lib.spawn, b'\xff')
    fails(101, lib.spawn_pty, b'\xff')


main()
