#!/usr/bin/env python3
"""The test internet itself (tests/lib/internet.py): what works in its host.

Positive controls only; what a sandbox may do of it is in test_network*.py.
"""

import hashlib
import os
import socket
import subprocess
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403
import net_dns  # noqa: E402

net = internet()


def talk(address, port, data=b'', end=True):
    """Everything that the peer says, after our end (or not)."""
    with socket.create_connection((address, port), 5) as s:
        s.sendall(data)
        if end:
            s.shutdown(socket.SHUT_WR)
        out = b''
        while part := s.recv(1 << 16):
            out += part
        return out


def ask(server, name, kind, tcp=False):
    query = net_dns.make_query(name, kind)
    if tcp:
        with socket.create_connection((server, 53), 5) as s:
            s.sendall(len(query).to_bytes(2, 'big') + query)
            with s.makefile('rb') as f:
                return net_dns.read_answer(
                    f.read(int.from_bytes(f.read(2), 'big')))
    family = socket.AF_INET6 if ':' in server else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect((server, 53))
        s.send(query)
        return net_dns.read_answer(s.recv(65535))


# --- who we are there ------------------------------------------------------

@test
def commands_have_the_callers_id_and_no_new_capability():
    r = net.host('sh', '-c', 'id -u; grep CapEff /proc/self/status').ok()
    uid, caps = r.out.split()[0], int(r.out.split()[-1], 16)
    eq(int(uid), os.geteuid())
    if not IS_ROOT:
        eq(caps, 0)


@test
def a_sandbox_starts_there():
    eq(net.mxc('run', '--', 'echo', 'hello').ok().out, 'hello\n')
    has(net.mxc('run', '--', 'cat', CA).ok().out, 'BEGIN CERTIFICATE')


@test
def nothing_is_left_of_the_helper():
    """It is of no test's family, and dies with the file."""
    eq(descendants(), {})


NESTED = f'''
import sys
sys.path.insert(0, {os.path.dirname(net_dns.__file__)!r})
import internet
net = internet.internet()
net.ssh()
print("up", flush=True)
sys.stdin.read()
'''


@cases({'exit': False, 'SIGKILL': True})
def nothing_outlives_the_file(killed):
    p = spawn([PYTHON, '-c', NESTED], stdin=subprocess.PIPE)
    eq(p.stdout.readline(), b'up\n')
    family = descendants(p.pid)
    check(len(family) >= 3, family)    # keeper, servers, ssh
    if killed:
        p.kill()
    p.communicate()
    eventually(lambda: not set(family) & set(processes()), 2)


# --- web -------------------------------------------------------------------

@cases({'name': ('https://example.test/', 'example.test at', 443),
        'v4': ('-4 https://example.test/', f'at {WEB}:443', 443),
        'v6': ('-6 https://example.test/', f'at [{WEB6}]:443', 443),
        'plain': ('http://example.test/', 'example.test at', 80),
        'address': (f'https://{WEB}/', f'{WEB} at', 443),
        'v6 address': (f'http://[{WEB6}]:8080/', f'[{WEB6}]:8080 at', 8080)})
def a_page(url, said, port):
    r = net.host('curl', '-sS', *url.split()).ok()
    has(r.out, said)
    seen = net.requests()
    eq(len(seen), 1)
    eq((seen[0]['port'], seen[0]['tls']), (port, 'https' in url))
    eq(seen[0]['sni'],
       'example.test' if 'https://ex' in url else None, 'server name')


@test
def a_certificate_is_for_the_name_that_was_asked():
    net.dns['a.b.test'] = A(WEB)
    net.host('curl', '-sS', 'https://a.b.test/').ok()
    r = net.host('curl', '-sS', '--connect-to', '::wrong.test:',
                 'https://a.b.test/')
    r.failed(6)
    r = net.host('curl', '-sS', 'https://a.b.test/',
                 env={'CURL_CA_BUNDLE': '/etc/hostname'})
    check(r.status in (60, 77), r)


@cases({'length': 'bytes', 'chunks': 'chunked'})
def a_download(how):
    r = net.host('curl', '-sS', f'https://example.test/{how}/3000000').ok()
    eq(hashlib.sha256(r.out_bytes).hexdigest(),
       hashlib.sha256(pattern(3000000)).hexdigest())


@test
def uploads_redirects_and_heads():
    data = pattern(1000000)
    r = net.host('curl', '-sS', '--data-binary', '@-',
                 'https://example.test/upload', input=data).ok()
    eq(r.out, f'1000000 {hashlib.sha256(data).hexdigest()}\n')
    r = net.host('curl', '-sSL', 'http://example.test/redirect'
                 '?to=https://other.test/').ok()
    has(r.out, 'other.test at')
    has(net.host('curl', '-sS', '-H', 'X-Thing: 1',
                 'http://example.test/headers').ok().out, 'X-Thing: 1')


@test
def one_connection_for_two_requests():
    net.host('curl', '-sS', *['http://example.test/'] * 2).ok()
    eq((len(net.requests()), len(net.log('tcp'))), (2, 1))


WS = '''
import base64
s = socket.create_connection(("example.test", 80))
s.sendall(b"GET /ws HTTP/1.1\\r\\nHost: example.test\\r\\nUpgrade: websocket"
          b"\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Version: 13\\r\\n"
          b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n")
f = s.makefile("rb")
while (line := f.readline()).strip():
    print(line.decode().strip())
s.sendall(b"\\x81\\x85\\1\\2\\3\\4" + bytes(
    c ^ m for c, m in zip(b"hello", b"\\1\\2\\3\\4\\1")))
print(f.read(7))
'''


@test
def a_websocket():
    r = net.outside(WS).ok()
    has(r.out, 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
    has(r.out, "b'\\x81\\x05hello'")


# --- small services --------------------------------------------------------

@cases({'v4': WEB, 'v6': WEB6})
def tcp_services(address):
    eq(talk(address, 7, b'abc'), b'abc', 'echo')
    data = pattern(500000)
    eq(talk(address, 9, data).decode().split(),
       ['500000', hashlib.sha256(data).hexdigest()], 'sink')
    eq(talk(address, 13, b'me\n', end=False), b'220 hello\r\n250 me\n')
    eq(talk(address, 19, b'300000\n'), pattern(300000), 'source')
    try:
        fail(f'no reset: {talk(address, 666, b"x", end=False)!r}')
    except ConnectionResetError:
        pass
    try:
        fail(talk(address, 1, b''))
    except ConnectionRefusedError:
        pass
    eq([p['port'] for p in net.packets()], [7, 9, 13, 19, 666, 1])


@cases({'v4': WEB, 'v6': WEB6, 'link-local': LINK_LOCAL6 + '%nic0'})
def udp_says_it_back(address):
    info = socket.getaddrinfo(address, 7, type=socket.SOCK_DGRAM)[0]
    with socket.socket(info[0], socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect(info[4])
        for size in (0, 1, 1400, 9000):
            s.send(pattern(size))
            eq(s.recv(65535), pattern(size))
    eq([e['size'] for e in net.log('udp')], [0, 1, 1400, 9000])


@cases({'v4': WEB, 'v6': WEB6})
def ping(address):
    net.host('ping', '-c', '1', '-w', '5', address).ok()
    eq([(p['proto'], p['to']) for p in net.packets()], [('icmp', address)])


@cases({'v4': SILENT, 'v6': SILENT6})
def nobody_answers_there(address):
    try:
        socket.create_connection((address, 80), 0.2)
        fail('connected')
    except TimeoutError:
        pass
    eq([p['to'] for p in net.packets()], [address], 'it did leave')


@cases({a: a for a in (*PRIVATE, *METADATA, LINK_LOCAL, OTHER, OTHER6)})
def every_address_answers(address):
    url = f'http://[{address}]/' if ':' in address else f'http://{address}/'
    eq(net.host('curl', '-sS', url + 'latest/meta-data').ok().out,
       SECRET + '\n')
    eq([s['to'] for s in net.seen()], [address])
    eq(net.requests()[0]['side'], 'internet')


@cases({a: a for a in ('127.0.0.1', '::1', NIC, NIC6, LAN_NIC)})
def canaries_of_the_host(address):
    eq(talk(address, 7, b'x'), b'x')
    eq([(s['to'], s['side']) for s in net.seen()], [(address, 'host')])
    eq(net.packets(), [])


@test
def loopback_only_means_loopback_only():
    eq(talk('127.0.0.1', 8001, b'')[:8], b'')
    try:
        fail(talk(NIC, 8001))
    except ConnectionRefusedError:
        pass


# --- names -----------------------------------------------------------------

@cases({'udp': (RESOLVER, False), 'udp v6': (RESOLVER6, False),
        'tcp': (RESOLVER, True), 'tcp v6': (RESOLVER6, True)})
def the_name_server(server, tcp):
    net.dns['x.test'] = A(WEB, OTHER, ttl=5), TXT('text')
    net.dns['alias.test'] = CNAME('x.test')
    net.dns['*.wild.test'] = AAAA(WEB6)
    rows = [('x.test', 'A', WEB, 5), ('x.test', 'A', OTHER, 5)]
    eq(ask(server, 'x.test', 'A', tcp), (0, False, rows))
    eq(ask(server, 'alias.test', 'A', tcp),
       (0, False, [('alias.test', 'CNAME', 'x.test', 60), *rows]))
    eq(ask(server, 'x.test', 'AAAA', tcp), (0, False, []))
    eq(ask(server, 'x.test', 'TXT', tcp)[2][0][2], b'\4text')
    eq(ask(server, 'a.b.wild.test', 'AAAA', tcp)[2][0][2], WEB6)
    eq(ask(server, 'nobody.test', 'A', tcp), (3, False, []))
    eq(net.queries()[-3:], [('x.test', 'TXT'), ('a.b.wild.test', 'AAAA'),
                            ('nobody.test', 'A')])
    eq({q['transport'] for q in net.log('query')}, {'tcp' if tcp else 'udp'})


@test
def answers_that_change():
    def values(name):
        return [r[2] for r in ask(RESOLVER, name, 'A')[2]]
    net.dns['flip.test'] = Flip(A(WEB), SERVFAIL, A(OTHER))
    eq([values('flip.test') for _ in range(4)],
       [[WEB], [], [OTHER], [OTHER]])
    net.dns['turn.test'] = A(WEB, OTHER), ROTATE
    eq([values('turn.test')[0] for _ in range(3)], [WEB, OTHER, WEB])
    net.dns['long.test'] = A(WEB), TRUNCATED
    eq(ask(RESOLVER, 'long.test', 'A'), (0, True, []))
    eq(ask(RESOLVER, 'long.test', 'A', True)[2][0][2], WEB)
    net.dns['many.test'] = A(*[f'198.51.100.{i}' for i in range(100)])
    eq(ask(RESOLVER, 'many.test', 'A'), (0, True, []))
    net.dns['gone.test'] = None
    eq(ask(RESOLVER, 'gone.test', 'A')[0], 3)
    net.dns['late.test'] = A(WEB), Late(0.3)
    eq(values('late.test'), [WEB])
    net.dns['mute.test'] = SILENCE
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.2)
            s.sendto(net_dns.make_query('mute.test'), (RESOLVER, 53))
            fail(s.recv(512))
    except TimeoutError:
        pass


@test
def the_hosts_own_resolver_uses_it():
    has(net.host('getent', 'ahostsv4', 'example.test').ok().out, WEB)
    net.host('getent', 'hosts', 'no.such.test').ok(2)
    eq(net.queries()[0], ('example.test', 'A'))


@test
def a_test_begins_with_nothing_seen():
    eq((net.log(), net.host('getent', 'hosts', 'turn.test').status), ([], 2))


# --- whole clients ---------------------------------------------------------

@test
def git_over_https():
    need('git')
    net.host('git', 'clone', '-q', 'https://example.test/git/demo.git').ok()
    eq(read('demo/README'), 'hello from git\n')


@test
def git_over_ssh():
    need('ssh', 'dropbear')
    ssh = ' '.join(['ssh', *net.ssh()])
    net.host('git', 'clone', '-q', f'ssh://git@example.test{FOLDER}'
             '/git/demo.git', env={'GIT_SSH_COMMAND': ssh}).ok()
    eq(read('demo/README'), 'hello from git\n')


@test
def a_database():
    need('psql')
    r = net.host('psql', '-h', 'example.test', '-U', 'me', '-Atc', 'select 1')
    eq(r.ok().out, 'you said select 1\n')


@test
def a_package_of_pip():
    if run([PYTHON, '-m', 'pip', '--version']).status:
        skip('no pip')
    net.host(PYTHON, '-m', 'pip', 'download', '-q', '--no-cache-dir',
             '--disable-pip-version-check', '--no-deps', '--index-url',
             'https://example.test/simple/', 'demo').ok()
    check(os.path.exists('demo-1.0-py3-none-any.whl'))


@test
def a_package_of_npm():
    need('npm')
    net.host('npm', 'install', '--silent', '--registry',
             'https://example.test/npm/', 'demo').ok()
    check(os.path.exists('node_modules/demo/index.js'))


@test
def node_fetch():
    need('node')
    r = net.host('node', '-e', 'fetch("https://example.test/").then('
                 'r => r.text()).then(t => console.log(t))').ok()
    has(r.out, 'example.test at')


main()
