#!/usr/bin/env python3
"""Ends of connections, flows and questions that no other test comes by."""

import json
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403

net = internet()
NAME = ['--allow-host', 'example.test']
STUB = '198.18.0.2'


def no_way_to(block):
    """The host has no route there, and connect(2) fails at once."""
    sys.modules['internet']._ip([f'route add prohibit {block}'])


@test
def a_datagram_to_a_name_without_a_way():
    """The gateway outlives a flow that ends while its first datagram waits."""
    no_way_to('2001:db8:77::/48')
    net.dns['lost.test'] = AAAA('2001:db8:77::1', ttl=1)
    code = ('a = socket.getaddrinfo("lost.test", 7, socket.AF_INET)[0][4]\n'
            # By then it has to be looked up anew.
            'time.sleep(1.5)\n'
            's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n'
            's.settimeout(1)\n'
            's.connect(a)\ns.send(b"x" * 900)\n'
            'try:\n    s.recv(9)\nexcept OSError:\n    pass\n'
            + connecting('example.test'))
    net.inside(code, *NAME, '--allow-host', 'lost.test').ok()


@test
def a_client_of_the_proxy_that_says_too_much():
    """What stands behind its one request keeps nothing open."""
    head = (b'GET http://example.test/ HTTP/1.1\r\nHost: example.test\r\n\r\n')
    code = (f's = socket.create_connection(("127.0.0.1", 3128), 5)\n'
            f's.sendall({head * 2!r})\n'
            'out = b""\n'
            'while p := s.recv(65536):\n    out += p\n'
            's.close()\nprint(out)\ntime.sleep(2)')
    events = write('events', '')
    r = net.inside(code, *NAME, '--proxy', 'builtin', '--events', events).ok()
    eq(r.out.count('200 OK'), 1)
    closed = [json.loads(line) for line in read(events).splitlines()
              if '"closed"' in line]
    eq(len(closed), 1)
    within(closed[0]['durationMs'], 1500, closed)


@test
def the_proxy_says_that_it_is_over_its_budget():
    """Names below a wildcard are the workload's own words."""
    net.dns['*.wild.test'] = A(WEB)
    code = ('for n in range(600):\n'
            '    s = socket.create_connection(("127.0.0.1", 3128), 5)\n'
            '    s.settimeout(5)\n'
            '    s.sendall(b"CONNECT n%d.wild.test:80 HTTP/1.1" % n)\n'
            '    s.sendall(b"\\r\\n\\r\\n")\n'
            '    last = s.recv(999)\n    s.close()\nprint(last)')
    r = net.inside(code, '--allow-host', '*.wild.test', '--proxy',
                   'builtin').ok()
    has(r.out, 'HTTP/1.1 503 ')


@test
def questions_by_tcp_are_bounded():
    """Who opens connections to the resolver and says nothing."""
    code = ('import resource\n'
            'hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n'
            'resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))\n'
            'held = []\n'
            'for n in range(900):\n'
            f'    s = socket.create_connection(({STUB!r}, 53), 5)\n'
            '    held.append(s)\n'
            'time.sleep(0.5)\n'
            'gone = 0\n'
            'for s in held:\n'
            '    s.setblocking(False)\n'
            '    try:\n        gone += s.recv(1) == b""\n'
            '    except BlockingIOError:\n        pass\n'
            '    except ConnectionResetError:\n        gone += 1\n'
            'print("gone", gone)\n'
            + connecting('example.test'))
    r = net.inside(code, *NAME).ok()
    check('gone 0\n' not in r.out, r)


@test
def a_question_by_tcp_under_a_default_of_allow():
    """Big answers are asked for again by TCP: the same names answer."""
    import net_dns
    net.dns['big.test'] = TXT('x' * 200)
    query = net_dns.make_query('big.test', 'TXT')
    code = (f's = socket.create_connection(({STUB!r}, 53), 5)\n'
            f's.sendall(len({query!r}).to_bytes(2, "big") + {query!r})\n'
            's.settimeout(5)\na = s.recv(4096)[2:]\n'
            'print("rcode", a[3] & 15, "answers", a[7])')
    r = net.inside(code, '--allow-net', 'internet').ok()
    has(r.out, 'rcode 0 answers 1')


@test
def only_questions_reach_the_hosts_resolver():
    """It may be a service of the host's loopback."""
    code = (f's = socket.create_connection(({STUB!r}, 53), 5)\n'
            's.sendall(b"\\0\\x20" + b"GET / HTTP/1.1\\r\\n" * 9)\n'
            's.settimeout(2)\ns.recv(4096)')
    net.inside(code, '--allow-net', 'internet')
    net.nothing_came()


@test
def what_was_said_before_a_reset_arrives():
    """As it does without a gateway (tcp(7): data first, the error behind)."""
    import socket as so
    import threading
    s = so.create_server(('127.0.0.1', 0))

    def serve():
        for _ in range(40):
            c, _ = s.accept()
            c.recv(1)
            c.sendall(b'y' * 5000)
            # Unread bytes make it a reset (RFC 9293, 3.6.1).
            c.close()
    threading.Thread(target=serve, daemon=True).start()
    port = s.getsockname()[1]
    code = ('got = []\nfor n in range(20):\n'
            f'    s = socket.create_connection(("127.0.0.1", {port}), 5)\n'
            '    s.sendall(b"z" * 5000)\n    n = 0\n'
            '    try:\n        while p := s.recv(65536):\n'
            '            n += len(p)\n'
            '    except ConnectionResetError:\n        pass\n'
            '    got.append(n)\nprint(got)')
    direct = net.outside(code).ok()
    r = net.inside(code, '--host-service', str(port)).ok()
    eq(r.out, direct.out)


@cases({'form feed': b'\f', 'separator': b'\x1c', 'next line': b'\x85',
        'no-break space': b'\xa0', 'two': b'\v\xa0'})
def a_request_behind_a_strange_space(before):
    """Python's split() passes over it; so does its HTTP server."""
    text = before + (b'GET / HTTP/1.1\r\nHost: other.test\r\n'
                     b'Connection: close\r\n\r\n')
    code = ('s = socket.create_connection(("example.test", 80), 5)\n'
            f's.sendall({text!r})\ns.settimeout(3)\nprint(s.recv(999))')
    net.outside(code).ok()
    eq([q['host'] for q in net.requests()], ['other.test'])
    net.fresh()
    r = net.inside(code, *NAME)
    check(r.refused in ('ECONNRESET', 'EPIPE'), r)
    eq(net.requests(), [])


def few_descriptors():
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1024))


@test
def an_end_while_there_is_no_pipe():
    """One direction holds a pipe, the other waits for one; then a reset."""
    import socket as so
    import threading
    import time
    server = so.create_server(('127.0.0.1', 0))

    def serve():
        c, _ = server.accept()
        time.sleep(4)
        c.sendall(b'now')
        time.sleep(4)
    threading.Thread(target=serve, daemon=True).start()
    port = server.getsockname()[1]
    code = (f's = socket.create_connection(("127.0.0.1", {port}), 5)\n'
            's.setblocking(False)\n'
            'end = time.monotonic() + 1\n'
            'while time.monotonic() < end:\n'
            '    try:\n        s.send(b"z" * 65536)\n'
            '    except BlockingIOError:\n        time.sleep(0.02)\n'
            'held = []\n'
            'for k in range(2):\n'
            '    if os.fork() == 0:\n'
            '        for n in range(510):\n'
            '            a = "127.0.0.1", 3128\n'
            '            held.append(socket.create_connection(a, 5))\n'
            '        time.sleep(5)\n'
            '        os._exit(0)\n'
            'time.sleep(5)\n'
            's.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, '
            'struct.pack("ii", 1, 0))\n'
            's.close()\nos.wait()\nos.wait()\ntime.sleep(1)\n'
            + connecting('example.test'))
    flags = [*NAME, '--proxy', 'builtin', '--host-service', str(port)]
    run([str(MXC), *mxc_args(pyprobe(code), flags=flags)],
        preexec_fn=few_descriptors).ok()


@test
def events_that_nobody_reads_do_not_hold_a_run():
    """A pipe that is full: the timeout still counts."""
    reader, writer = os.pipe()
    code = ('end = time.monotonic() + 20\n'
            'while time.monotonic() < end:\n'
            '    try:\n'
            '        socket.create_connection(("192.0.2.9", 80), 1)\n'
            '    except OSError:\n        pass')
    r = run([str(MXC), 'run', '--timeout', '3', *NAME, '--events',
             str(writer), '--', 'python3', '-c',
             'import socket, time\n' + code], pass_fds=(writer,), timeout=15)
    os.close(reader)
    check(not r.timed_out, r)
    eq(r.status, 124)


main()
