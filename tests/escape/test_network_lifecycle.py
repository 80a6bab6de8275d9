#!/usr/bin/env python3
"""Ends of a sandbox with a network: whoever is killed, stopped or interrupted,
no packet goes out any more and nothing is left (G24); the gateway's process as
others see it; and sandboxes side by side (G16).

tap: quiet"""

import json
import os
import re
import signal
import socket
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from term import Term  # noqa: E402

net = internet()
ALLOW = ['--allow-net', WEB, '--json', 'result.json']
# Says "up" when its connection stands; then writes to it, opens others and
# sends datagrams for as long as it lives.
BUSY = f'''
import select, signal
s = socket.create_connection(({WEB!r}, 9), 5)
s.setblocking(False)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print("up", flush=True)
while True:
    try:
        s.send(b"x" * 100)
        u.sendto(b"x", ({WEB!r}, 9))
    except OSError:
        pass
    t = socket.socket()
    t.setblocking(False)
    t.connect_ex(({WEB!r}, 80))
    select.select([], [t], [], 0.02)
    t.close()
'''


def go(code=BUSY, *flags, **popen):
    """mxc with a busy workload, as soon as that is up; and its parts."""
    p = spawn([MXC, *mxc_args(pyprobe(code), flags=[*ALLOW, *flags])],
              **popen)
    eq(p.stdout.readline(), b'up\n')
    return p, part('mxc-gateway'), part('mxc-init')


def part(name):
    return eventually(lambda: [pid for pid, n in descendants().items()
                               if n == name], 5, name)[0]


def ends(p, seconds=1.0):
    """It does so in time, and from then on it is silent on the wire."""
    start = time.monotonic()
    out, err = p.communicate(timeout=10)
    check(time.monotonic() - start < seconds, 'took too long to end')
    silent()
    return err.decode()


def silent():
    eventually(lambda: not descendants(), 1, f'gone: {descendants()}')
    net.fresh()
    time.sleep(0.3)   # not a wait: for so long nothing may come
    net.nothing_came()


def result():
    r = json.loads(read('result.json'))
    return r['outcome'], r['exitCode']


def is_busy():
    """Control: packets do come while it runs."""
    net.fresh()
    eventually(lambda: net.packets(proto='tcp') and net.packets(proto='udp'),
               5, 'packets')


# --- ends ------------------------------------------------------------------

@test
def g24_gateway_killed():
    before = host_state()
    for _ in range(5):
        p, gateway, _ = go()
        is_busy()
        os.kill(gateway, signal.SIGKILL)
        err = ends(p)
        eq((p.returncode, result()), (125, ('stopped', 125)))
        has(err, 'mxc: the gateway ended before the workload did')
    leaves_nothing(before)


@test
def g24_gateway_ended_by_signals_of_others():
    """None of them is ignored in a way that leaves half a gateway."""
    for sig in (signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV, signal.SIGINT):
        p, gateway, _ = go()
        os.kill(gateway, sig)
        has(ends(p), 'the gateway ended before the workload did')
        eq(p.returncode, 125, sig)


@cases({'as it runs': (), 'with the gateway stopped': ('mxc-gateway',),
        'with the sandbox stopped': ('mxc-init',)})
def g24_supervisor_killed(*stopped):
    for _ in range(5):
        p, _, _ = go()
        is_busy()
        for name in stopped:
            os.kill(part(name), signal.SIGSTOP)
        p.kill()
        p.wait()
        silent()
        p.communicate(timeout=10)


@test
def g24_gateway_stopped():
    """Who is stopped lets nothing through; the workload waits, and goes on
    when it does."""
    p, gateway, _ = go()
    is_busy()
    os.kill(gateway, signal.SIGSTOP)
    eventually(lambda: re.search(r'^State:\s+T', read(f'/proc/{gateway}/status'),
                                 re.M), 2, 'stopped')
    net.fresh()
    time.sleep(0.7)   # not a wait: for so long nothing may come
    net.nothing_came()
    eq(p.poll(), None, 'still running')
    os.kill(gateway, signal.SIGCONT)
    is_busy()
    p.terminate()
    ends(p)


@test
def g24_a_connect_waits_for_a_gateway_that_is_stopped():
    p = spawn([MXC, *mxc_args(pyprobe(f'''
        s = socket.create_connection(({WEB!r}, 7), 5)
        print("up", flush=True)
        sys.stdin.readline()
        t = socket.socket()
        t.settimeout(0.5)
        try:
            t.connect(({WEB!r}, 7))
            print("connected", flush=True)
        except TimeoutError:
            print("waits", flush=True)
        s.sendall(b"x")
        print("sent", s.recv(1), flush=True)
    '''), flags=ALLOW)], stdin=-1)
    eq(p.stdout.readline(), b'up\n')
    gateway = part('mxc-gateway')
    os.kill(gateway, signal.SIGSTOP)
    net.fresh()
    p.stdin.write(b'\n')
    p.stdin.flush()
    eq(p.stdout.readline(), b'waits\n')
    net.nothing_came()
    os.kill(gateway, signal.SIGCONT)
    eq(p.stdout.readline(), b"sent b'x'\n")
    p.communicate(timeout=10)
    eq(p.returncode, 0)
    # The kernel sent the first packet of the one that gave up, too.
    check(len(net.packets(proto='tcp')) <= 1, net.packets())


@test
def g24_init_killed():
    p, _, init = go()
    is_busy()
    os.kill(init, signal.SIGKILL)
    has(ends(p), 'killed from outside before its workload ended')
    eq((p.returncode, result()), (125, ('failed', 125)))


@cases({'as it runs': (), 'with the gateway stopped': ('mxc-gateway',),
        'with the sandbox stopped': ('mxc-init',)})
def g24_timeout(*stopped):
    # It must have started by then, on a loaded machine too.
    p, _, _ = go(BUSY, '--timeout', f'{700 + start_ms() * 5}ms')
    for name in stopped:
        os.kill(part(name), signal.SIGSTOP)
    has(ends(p, 3), 'killed after its timeout')
    eq((p.returncode, result()), (124, ('timed_out', 124)))


@test
def g24_the_workloads_end_is_the_gateways():
    net.inside(f's = socket.create_connection(({WEB!r}, 9), 5)\n'
               's.sendall(b"x")\nos._exit(3)', *ALLOW).ok(3)
    silent()


@test
def g24_the_workload_leaves_a_process():
    """That has connections, and is in a session of its own."""
    net.inside('if os.fork():\n    os._exit(4)\nos.setsid()\n' + BUSY,
               *ALLOW).ok(4)
    silent()


# --- a terminal ------------------------------------------------------------

CATCHES = f'''
import signal
def on(*_):
    s = socket.create_connection(({WEB!r}, 7), 5)
    s.sendall(b"x")
    os.write(1, b"still " + s.recv(1))
    os._exit(5)
signal.signal(signal.SIGINT, on)
print("up", flush=True)
while True:
    time.sleep(1)
'''


@cases({'of the caller': (), 'of the sandbox': ('--tty',)})
def g24_ctrl_c(*flags):
    """Typed at the caller's terminal it ends the workload, and with it the
    gateway, that belongs to no terminal."""
    with Term([MXC, *mxc_args(pyprobe(BUSY), flags=[*ALLOW, *flags])]) as t:
        t.expect('up')
        gateway = part('mxc-gateway')
        fields = read(f'/proc/{gateway}/stat').rsplit(')', 1)[1].split()
        eq((int(fields[3]), fields[4]), (gateway, '0'), 'session, terminal')
        is_busy()
        t.type('\x03')
        check(t.end() != 0)
    silent()


@cases({'of the caller': (), 'of the sandbox': ('--tty',)})
def g24_ctrl_c_of_a_workload_that_goes_on(*flags):
    with Term([MXC, *mxc_args(pyprobe(CATCHES), flags=[*ALLOW, *flags])]) as t:
        t.expect('up')
        t.type('\x03')
        t.expect('still x')
        eq(t.end(), 5)
    silent()


# --- the process -----------------------------------------------------------

@test
def g24_the_gateways_process():
    p, gateway, _ = go()
    status = read(f'/proc/{gateway}/status')
    for line in ('NoNewPrivs:\t1', 'Seccomp:\t2', 'CapInh:\t' + '0' * 16,
                 'CapPrm:\t' + '0' * 16, 'CapEff:\t' + '0' * 16,
                 'CapAmb:\t' + '0' * 16, 'Threads:\t1', 'SigBlk:\t' + '0' * 16):
        has(status, f'\n{line}\n')
    # What is told and what may pass, and nothing of the policy.
    eq(read(f'/proc/{gateway}/cmdline'), 'mxc-gateway\0some\x000\x000\0')
    p.terminate()
    ends(p)


ALLOWED_FDS = re.compile(r'socket:\[\d+\]|pipe:\[\d+\]|anon_inode:'
                         r'\[eventpoll\]|/dev/null|/memfd:mxc-rules \(deleted\)')


@test(only='root')
def g24_what_the_gateway_holds():
    """No file, no directory, no stream of the caller's; no environment."""
    with open(write('open'), 'rb') as f, socket.socket() as s:
        fds = f.fileno(), s.fileno()
        p, gateway, _ = go(pass_fds=fds)
        held = descriptors(gateway)
        for name in held.values():
            check(ALLOWED_FDS.fullmatch(name), held)
        eq({held[k] for k in '012'}, {'/dev/null'})
        eq(sorted(held.values()).count('/dev/null'), 3)
        for fd in (*fds, p.stdout.fileno(), p.stderr.fileno()):
            check(os.readlink(f'/proc/self/fd/{fd}') not in held.values(), fd)
        eq(read(f'/proc/{gateway}/environ'), '')
        check(os.readlink(f'/proc/{gateway}/ns/net')
              == os.readlink('/proc/self/ns/net'), 'in the host')
        p.terminate()
        ends(p)


LOOKS = {'descriptors': 'os.listdir("/proc/PID/fd")',
         'environment': 'open("/proc/PID/environ").read()',
         'memory': 'open("/proc/PID/mem", "rb")',
         'root': 'os.listdir("/proc/PID/root")',
         # PTRACE_SEIZE, which does not stop it
         'ptrace': 'call("ptrace", 0x4206, PID, 0, 0)'}


@test(only='user')
def g24_nobody_looks_into_the_gateway():
    """Nobody who is not root, the same user included (PR_SET_DUMPABLE)."""
    other = spawn(['sleep', '100'])
    p, gateway, _ = go()
    for name, look in LOOKS.items():
        r = outside(look.replace('PID', str(other.pid)))
        check(r.done, f'control, {name}: {r}')
        r = outside(look.replace('PID', str(gateway)))
        check(r.refused in ('EACCES', 'EPERM'), f'{name}: {r}')
    other.kill()
    other.communicate()
    p.terminate()
    ends(p)


# --- side by side ----------------------------------------------------------

SERVES = '''
s = socket.socket()
s.bind(("127.0.0.1", 8000))
s.listen(8)
print("up", flush=True)
while True:
    c, _ = s.accept()
    c.sendall(os.readlink("/proc/self/ns/net").encode())
    c.close()
'''


def listening():
    """TCP ports of the host's loopback that somebody listens on."""
    rows = [line.split() for line in read('/proc/net/tcp').splitlines()[1:]]
    return {int(r[1].split(':')[1], 16) for r in rows if r[3] == '0A'}


def ask(port):
    with socket.create_connection(('127.0.0.1', port), 5) as s:
        return s.makefile().read()


@test
def g16_sandboxes_side_by_side():
    """Each has its own network; another's published port is the host's."""
    before = listening()
    a, _, _ = go(SERVES, '--publish', '8000')
    port_a = (listening() - before).pop()
    b = spawn([MXC, *mxc_args(pyprobe(SERVES), flags=[
        '--allow-net', WEB, '--publish', '8000'])])
    eq(b.stdout.readline(), b'up\n')
    port_b = (listening() - before - {port_a}).pop()
    ns_a, ns_b = ask(port_a), ask(port_b)
    for to in ('127.0.0.1', '127.0.0.2', '0.0.0.0', '198.18.0.1', LAN_NIC, NIC,
               NIC6, '::1'):
        for port in (port_a, 8000):
            r = net.inside(connecting(to, port, 2), *ALLOW)
            check(r.refused in ('ECONNREFUSED', 'EHOSTUNREACH', 'EACCES',
                                'ENETUNREACH'), f'{to}:{port}: {r}')
    for p in (a, b):
        p.terminate()
        p.communicate(timeout=10)
    silent()
    eq(listening(), before, 'published ports')
    check(ns_a != ns_b and os.readlink('/proc/self/ns/net') not in (ns_a, ns_b),
          f'{ns_a} {ns_b}')


@test
def g16_a_port_that_is_published_already():
    before = listening()
    a, _, _ = go(SERVES, '--publish', '8000')
    port = (listening() - before).pop()
    r = net.inside(SERVES, *ALLOW, '--publish', f'8000:{port}')
    r.failed(125, f'cannot publish port 8000 at 127.0.0.1:{port}')
    check(ask(port), 'the first one still has it')
    a.terminate()
    a.communicate(timeout=10)


@test
def g16_another_sandboxs_end_is_not_ours():
    a, gateway, _ = go()
    b = spawn([MXC, *mxc_args(pyprobe(BUSY), flags=['--allow-net', WEB])])
    eq(b.stdout.readline(), b'up\n')
    os.kill(gateway, signal.SIGKILL)
    a.communicate(timeout=10)
    eq(a.returncode, 125)
    is_busy()
    eq(b.poll(), None)
    b.terminate()
    ends(b)


main()
