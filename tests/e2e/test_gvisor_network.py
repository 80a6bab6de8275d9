#!/usr/bin/env python3
"""gVisor's network: the gateway's, or its own loopback and nothing else."""

import os
import socket
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import tap  # noqa: E402
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403

net = internet()
net.dns['example.test'] = A(WEB), AAAA(WEB6)
GVISOR = ('--backend', 'gvisor')
UNREACHABLE = ('EHOSTUNREACH', 'ENETUNREACH', 'EACCES', 'ECONNREFUSED')


tap.before_each.append(lambda: need('runsc'))


NOTHING = {'tcp': connecting(WEB, 80), 'tcp6': connecting(WEB6, 80),
           'udp': sending(WEB), 'metadata': connecting('169.254.169.254', 80)}


@cases(NOTHING)
def nothing_is_reached_without_a_word(code):
    net.attack(code, *GVISOR, refused=UNREACHABLE)


def its_loopback(flags):
    r = net.inside('s = socket.create_server(("127.0.0.1", 0))\n'
                   'c = socket.create_connection(s.getsockname(), 5)\n'
                   'c.send(b"x")\ncheck = s.accept()[0].recv(1)\n'
                   'print(check)', *GVISOR, *flags)
    has(r.ok().out, "b'x'")


@test
def its_loopback_without_network():
    its_loopback([])


@test
def its_loopback_with_network():
    its_loopback(['--allow-net', WEB])


@test
def an_address_that_is_allowed_and_others():
    flags = (*GVISOR, '--allow-net', f'{WEB}:80')
    r = net.inside(connecting(WEB, 80), *flags)
    check(r.done, r)
    eq([(s['to'], s['port']) for s in net.seen()], [(WEB, 80)])
    net.fresh()
    for to, port in ((WEB, 7), (OTHER, 80), (WEB6, 80), (NIC, 80)):
        # At the host's own address nobody listens: nothing to prove outside.
        net.attack(connecting(to, port), *flags, refused=UNREACHABLE,
                   control=to != NIC)


@test
def datagrams():
    r = net.inside(sending(WEB), *GVISOR, '--allow-net', WEB)
    check(r.done, r)
    net.fresh()
    net.attack(sending(OTHER), *GVISOR, '--allow-net', WEB,
               refused=UNREACHABLE + ('ETIMEDOUT', 'TimeoutError'))


@test
def a_name_with_tls():
    r = net.inside(['curl', '-sS', 'https://example.test/'], *GVISOR,
                   '--allow-host', 'example.test').ok()
    check(r.out, r)
    eq([q['host'] for q in net.requests()], ['example.test'])
    r = net.inside(['curl', '-sS', '-m', '10', 'https://other.test/'], *GVISOR,
                   '--allow-host', 'example.test')
    check(r.status == 6, r)


@test
def the_hosts_loopback():
    with socket.create_server(('127.0.0.1', 0)) as s:
        port = s.getsockname()[1]
        for flags in ([], ['--allow-net', 'internet']):
            net.attack(connecting('127.0.0.1', port), *GVISOR, *flags,
                       refused='ECONNREFUSED')
        r = net.inside(connecting('127.0.0.1', port), *GVISOR,
                       '--host-service', str(port))
        check(r.done, r)


@test
def a_published_port():
    code = ('s = socket.create_server(("127.0.0.1", 5000))\n'
            'print("up", flush=True)\nc = s.accept()[0]\n'
            'c.sendall(c.recv(9).upper())')
    p = spawn([MXC, *mxc_args(pyprobe(code), flags=(
        *GVISOR, '--publish', '5000:5001'))])
    eq(p.stdout.readline(), b'up\n')
    with socket.create_connection(('127.0.0.1', 5001), 5) as c:
        c.sendall(b'hello')
        eq(c.recv(9), b'HELLO')
    eq(p.wait(timeout=10), 0)


@test
def raw_sockets_and_pings():
    code = ('s = socket.socket(socket.AF_INET, KIND, 1)\n'
            f's.sendto(bytes([8, 0, 0xf7, 0xff, 0, 0, 0, 0]), ({WEB!r}, 0))')
    for kind in ('socket.SOCK_RAW', 'socket.SOCK_DGRAM'):
        for flags in ([], ['--allow-net', 'internet']):
            r = net.inside(code.replace('KIND', kind), *GVISOR, *flags)
            check(r.refused, r)
    net.nothing_came()


main()
