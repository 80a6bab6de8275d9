#!/usr/bin/env python3
"""Ports shared with the host's loopback, and proxies: --publish,
--host-service, --proxy."""

import json
import os
import signal
import socket
import sys
import threading
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403
from event_lines import read_events  # noqa: E402

net = internet()

# Says back the first line, in upper case, until it is told to end.
SERVER = '''
import socketserver
class H(socketserver.StreamRequestHandler):
    def handle(self):
        line = self.rfile.readline()
        self.wfile.write(line.upper())
        if line == b"end\\n":
            self.rfile.read()
            os._exit(0)
class S(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 128
    address_family = socket.AF_INET6 if ":" in HOST else socket.AF_INET
s = S((HOST, PORT), H)
print("listening", flush=True)
s.serve_forever()
'''


def say(port, text=b'hello\n', address='127.0.0.1'):
    with socket.create_connection((address, port), 5) as s:
        s.sendall(text)
        return s.makefile('rb').readline()


def refused(port, address='127.0.0.1'):
    try:
        fail(f'{address} {port} answers {say(port, b"x", address)!r}')
    except ConnectionRefusedError:
        pass


def serving(host, port, *flags):
    code = f'HOST, PORT = {host!r}, {port}\n{SERVER}'
    p = spawn([MXC, *mxc_args(pyprobe(code), flags=flags)])
    line = p.stdout.readline()
    if line != b'listening\n':
        fail(f'{line!r} {p.communicate()}')
    return p


# --- published ports -------------------------------------------------------

@cases({'loopback': '127.0.0.1', 'everywhere': '0.0.0.0', 'v6': '::',
        'v6 loopback': '::1'})
def a_published_port(bound):
    p = serving(bound, 5000, '--publish', '5000:5001')
    eq(say(5001), b'HELLO\n')
    refused(5000)
    for address in (NIC, LAN_NIC, NIC6):
        refused(5001, address)
    eq(say(5001, b'end\n'), b'END\n')
    eq(p.wait(timeout=10), 0)
    refused(5001)


@test
def a_free_port_is_picked_and_told():
    p = serving('0.0.0.0', 5000, '--publish', '5000', '--events', 'events')
    told = [json.loads(line) for line in read('events').splitlines()]
    ports = [e['host'] for e in told if e.get('guest') == 5000]
    eq(len(ports), 1, f'{told}')
    eq(say(ports[0]), b'HELLO\n')
    say(ports[0], b'end\n')
    eq(p.wait(timeout=10), 0)


@test
def what_is_not_published_is_not_reached():
    p = serving('0.0.0.0', 5002, '--publish', '5000:5001')
    refused(5002)
    try:
        # Reset as soon as it is accepted: connect(2) may tell that, too.
        with socket.create_connection(('127.0.0.1', 5001), 20) as s:
            s.settimeout(20)
            eq(s.recv(1), b'', 'nobody listens inside')
    except ConnectionResetError:
        pass
    p.kill()
    p.communicate()


@test
def many_connections_to_a_published_port():
    p = serving('127.0.0.1', 5000, '--publish', '5000:5001')
    results = []
    threads = [threading.Thread(
        target=lambda n=n: results.append(say(5001, b'n%d\n' % n)))
        for n in range(100)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    eq(sorted(results), sorted(b'N%d\n' % n for n in range(100)))
    say(5001, b'end\n')
    eq(p.wait(timeout=10), 0)


@test
def a_published_port_that_is_taken():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        s.listen()
        port = s.getsockname()[1]
        r = net.inside(['true'], '--publish', f'5000:{port}')
        r.failed(125, str(port))


@cases({'zero': '0', 'too big': '65536', 'text': 'x', 'three': '1:2:3',
        'empty': '', 'negative': '-1'})
def what_is_no_port(text):
    for flag in ('--publish', '--host-service'):
        r = net.inside(['true'], flag, text)
        check(r.status in (2, 125), r)
    

@test
def publishing_lets_nothing_out():
    net.attack(connecting(WEB, 80), '--publish', '5000:5001',
               refused=('EHOSTUNREACH', 'ENETUNREACH'))
    net.attack(connecting('example.test', 80), '--publish', '5000:5001',
               refused=(NO_NAME, TRY_AGAIN))


# --- services of the host --------------------------------------------------

GET = ['curl', '-sS', '--connect-timeout', '5']


@test
def a_host_service():
    r = net.inside([*GET, 'http://127.0.0.1:8001/'], '--host-service', '8001')
    has(r.ok().out, 'at 127.0.0.1:8001')
    eq([(s['side'], s['port']) for s in net.seen()], [('host', 8001)])


@test
def a_host_service_by_localhost():
    r = net.inside([*GET, 'http://localhost:8001/'], '--host-service', '8001')
    has(r.ok().out, 'at 127.0.0.1:8001')


@test
def at_another_port():
    r = net.inside([*GET, 'http://127.0.0.1:9000/'], '--host-service',
                   '8001:9000')
    has(r.ok().out, 'at 127.0.0.1:8001')
    net.fresh()
    net.inside([*GET, 'http://127.0.0.1:8001/'], '--host-service',
               '8001:9000').failed(7)
    net.nothing_came()


@test
def a_host_service_is_no_other_service():
    for port in (80, 7, 5432, 8080):
        eq(net.inside(connecting('127.0.0.1', port), '--host-service',
                      '8001').refused, 'ECONNREFUSED')
    for address in (NIC, LAN_NIC, WEB):
        check(net.inside(connecting(address, 8001), '--host-service',
                         '8001').refused in ('EHOSTUNREACH', 'ENETUNREACH'))
    net.nothing_came()


@test
def a_host_service_that_nobody_offers():
    """As far as the workload can tell: refused, or closed at once."""
    r = net.inside(connecting('127.0.0.1', 8009) + '\ns.recv(1)',
                   '--host-service', '8009')
    check(not r.done, r)


@cases({'none is refused': 0, 'some are': 3})
def more_than_the_supervisor_hears(refused_each):
    """What was allowed and could not be told is no denial."""
    code = f'''import os, socket, time
open("rw/up", "w")
while not os.path.exists("rw/go"): time.sleep(0.02)
for i in range(200):
    socket.create_connection(("127.0.0.1", 8001)).close()
    for n in range({refused_each}):
        try: socket.create_connection(({WEB!r}, 80))
        except OSError: pass
open("rw/done", "w")
while not os.path.exists("rw/end"): time.sleep(0.02)
'''
    os.mkdir('rw')
    p = spawn([MXC, *mxc_args([PYTHON, '-c', code], flags=[
        '--rw', 'rw', '--cwd', os.getcwd(), '--host-service', '8001',
        '--allow-net', f'{OTHER}/32', '--events', 'events', '--json',
        'result.json'])])

    def until(path):
        eventually(lambda: os.path.exists(path) or p.poll() is not None, 20,
                   what=path)
        check(p.poll() is None, f'it ended before {path}')
    until('rw/up')
    os.kill(p.pid, signal.SIGSTOP)
    write('rw/go', '')
    until('rw/done')
    os.kill(p.pid, signal.SIGCONT)
    write('rw/end', '')
    eq(p.wait(20), 0)
    events = read_events(read('events'))
    eq({e['reason'] for e in events if e['event'] == 'gap'}, {'gateway'})
    result = json.loads(read('result.json'))
    told = sum(e['event'] == 'denied' for e in events)
    eq((result['denialCount'], result.get('denialsNotListed', 0)),
       (200 * refused_each, 200 * refused_each - told))


@test
def own_loopback_beside_a_host_service():
    code = ('a = socket.create_server(("127.0.0.1", 4000))\n'
            'b = socket.create_connection(("127.0.0.1", 4000))\n'
            'c, _ = a.accept()\nb.sendall(b"x")\nassert c.recv(1) == b"x"')
    net.inside(code, '--host-service', '8001').ok()
    net.inside(code, '--allow-host', 'example.test').ok()
    net.inside(code, '--allow-net', 'internet').ok()


# --- a proxy of the caller -------------------------------------------------

class Proxy:
    """On the host's loopback: answers everything with one line."""

    def __init__(self, port=0):
        self.sock = socket.create_server(('127.0.0.1', port))
        self.port, self.got = self.sock.getsockname()[1], []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            peer, _ = self.sock.accept()
            with peer:
                self.got.append(peer.recv(4096))
                peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n'
                             b'Connection: close\r\n\r\nby proxy\n')


@test
def a_proxy_is_used_and_is_all_there_is():
    proxy = Proxy()
    flags = ['--proxy', f'http://127.0.0.1:{proxy.port}']
    r = net.inside([*GET, 'http://example.test/'], *flags).ok()
    eq(r.out, 'by proxy\n')
    has(proxy.got[0].decode(), 'GET http://example.test/')
    eq(net.packets(), [])
    check(net.inside([*GET, '--noproxy', '*', f'http://{WEB}/'],
                     *flags).status == 7)
    check(net.inside([*GET, '--noproxy', '*', 'http://example.test/'],
                     *flags).status == 6)
    net.nothing_came()


@cases({'the caller': {'https_proxy': 'http://evil.test:1',
                       'NO_PROXY': '*', 'no_proxy': '*'}})
def proxy_variables(env):
    proxy = Proxy()
    args = [x for k, v in env.items() for x in ('--env', f'{k}={v}')]
    r = net.inside(['env'], *args, '--proxy', f'http://127.0.0.1:{proxy.port}')
    got = dict(line.split('=', 1) for line in r.ok().out.splitlines()
               if 'proxy' in line.lower().split('=')[0])
    eq(sorted(got), sorted(
        n for k in ('http', 'https', 'all', 'ftp')
        for n in (f'{k}_proxy', f'{k.upper()}_PROXY')))
    eq({v.rstrip('/') for v in got.values()},
       {f'http://127.0.0.1:{proxy.port}'})


@cases({'elsewhere': 'http://203.0.113.10:80', 'a name': 'http://x.test:80',
        'no port': 'http://127.0.0.1', 'a scheme': 'ftp://127.0.0.1:80',
        'credentials': 'http://u:p@127.0.0.1:80', 'a word': 'other'})
def what_is_no_proxy(url):
    r = net.inside(['true'], '--proxy', url)
    check(r.status in (2, 125), r)


@cases({'with a name': ['--allow-host', 'example.test'],
        'with a block': ['--allow-net', 'internet']})
def a_proxy_excludes_rules(flags):
    r = net.inside(['true'], '--proxy', 'http://127.0.0.1:3128', *flags)
    check(r.status in (2, 125), r)


# --- the built-in one ------------------------------------------------------

BUILT_IN = ['--proxy', 'builtin', '--allow-host', 'example.test']


@cases({'http': 'http://example.test/', 'https': 'https://example.test/'})
def through_the_built_in_proxy(url):
    for more in ([], ['-x', 'http://127.0.0.1:3128'],
                 ['-x', 'socks5h://127.0.0.1:3128']):
        r = net.inside([*GET, *more, url], *BUILT_IN).ok()
        has(r.out, 'example.test at')


@cases({'http': ('http://other.test/', ()),
        'https': ('https://other.test/', ()),
        'address': (f'http://{WEB}/', ()),
        'socks': ('http://other.test/', ('-x', 'socks5h://127.0.0.1:3128')),
        'socks by address': (f'http://{OTHER}/',
                             ('-x', 'socks5://127.0.0.1:3128')),
        'loopback': ('http://127.0.0.1:80/', ('-x', 'http://127.0.0.1:3128')),
        'metadata': ('http://169.254.169.254/', ())})
def the_built_in_proxy_has_the_same_rules(url, more):
    r = net.inside([*GET, '-f', *more, url], *BUILT_IN)
    check(r.status in (7, 22, 56, 97), r)
    net.nothing_came()


@test
def without_it_nobody_listens_there():
    eq(net.inside(connecting('127.0.0.1', 3128), '--allow-host',
                  'example.test').refused, 'ECONNREFUSED')


main()
