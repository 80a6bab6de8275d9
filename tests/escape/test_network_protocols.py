#!/usr/bin/env python3
"""What a connection to an allowed name says: another name in TLS or HTTP, none
at all, in pieces, smuggled, by UDP (G8, G9), and floods (G10)."""

import os
import subprocess
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403

net = internet()
NAME = ['--allow-host', 'example.test']
CURL = ['curl', '-sS', '--connect-timeout', '5', '-m', '10']
GONE = ('ECONNRESET', 'EPIPE')

# Sends the pieces, prints what comes back; a closed connection is refused.
SAY = '''
def say(pieces, port, wait=0.0):
    s = socket.create_connection(("example.test", port), 5)
    s.settimeout(5)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces:
        s.sendall(piece)
        time.sleep(wait)
    s.settimeout(1.5)
    out = b""
    try:
        while p := s.recv(65536):
            out += p
            if b" at " in out and len(pieces) < 3:
                break
    except TimeoutError:
        pass
    if not out:
        raise OSError(errno.ECONNRESET, "closed without a word")
    return out
'''


def says(pieces, port=80, wait=0.0):
    pieces = [pieces] if isinstance(pieces, bytes) else list(pieces)
    return SAY + f'print(say({pieces!r}, {port}, {wait}))'


def refused(pieces, port=80, wait=0.0, control=True):
    """The server would answer; through the gateway it sees no request."""
    code = says(pieces, port, wait)
    if control:
        check(net.outside(code).done, 'control')
        check(net.requests(), 'control')
    net.fresh()
    r = net.inside(code, *NAME)
    check(r.refused in GONE or ' 400 ' in r.out, r)
    eq(net.requests(), [])


def request(host, path='/', *fields, method='GET', body=b''):
    lines = [f'{method} {path} HTTP/1.1', *([f'Host: {host}'] if host else []),
             *fields]
    return '\r\n'.join(lines).encode() + b'\r\n\r\n' + body


CLOSE = 'Connection: close'


# --- G8: HTTP ---

@test
def g8_the_right_name_passes():
    for host in ('example.test', 'example.test:80', 'EXAMPLE.test'):
        r = net.inside(says(request(host, '/', CLOSE)), *NAME).ok()
        has(r.out, f'{host} at')


HOSTS = {
    'another': 'other.test', 'below': 'a.example.test',
    'beside': 'example.test.evil.test', 'port': 'example.test:81',
    'address': WEB, 'user': 'user@example.test',
    'two dots': 'example.test..',
    'list': 'example.test, other.test', 'nothing': ' ',
    'prefix': 'xexample.test', 'nul': 'example.test\0.other.test',
    'odd port': 'example.test:080', 'tail': 'example.test#other.test',
}


@cases(HOSTS)
def g8_another_host(host):
    refused(request(host, '/', CLOSE), control=host in ('other.test', WEB))


RAW = {
    'no host': b'GET / HTTP/1.1\r\nConnection: close\r\n\r\n',
    'two hosts': request('example.test', '/', 'Host: other.test', CLOSE),
    'the other first': request('other.test', '/', 'Host: example.test', CLOSE),
    'absolute form': request('example.test', 'http://other.test/', CLOSE),
    'folded': request('example.test', '/', 'X: a', ' b', CLOSE),
    'space before colon': b'GET / HTTP/1.1\r\nHost : other.test\r\n'
                          b'Host: example.test\r\n\r\n',
    'bare line feeds': b'GET / HTTP/1.1\nHost: other.test\n\n',
    'first field folded': b'GET / HTTP/1.1\r\n Host: other.test\r\n'
                          b'Host: example.test\r\n\r\n',
    'length and chunks': request(
        'example.test', '/echo', 'Content-Length: 5',
        'Transfer-Encoding: chunked', method='POST', body=b'0\r\n\r\n'),
    'two lengths': request('example.test', '/echo', 'Content-Length: 5',
                           'Content-Length: 6', method='POST', body=b'123456'),
    'odd length': request('example.test', '/echo', 'Content-Length: +5',
                          method='POST', body=b'12345'),
    'odd coding': request('example.test', '/echo',
                          'Transfer-Encoding: xchunked', method='POST',
                          body=b'0\r\n\r\n'),
    'hidden coding': request('example.test', '/echo',
                             'Transfer-Encoding:\x0bchunked', method='POST',
                             body=b'0\r\n\r\n'),
    'connect': request('example.test:443', 'example.test:443',
                       method='CONNECT'),
    'connect elsewhere': request('other.test:443', 'other.test:443',
                                 method='CONNECT'),
    'h2c': request('example.test', '/', 'Connection: Upgrade, HTTP2-Settings',
                   'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'),
    'http/2 at once': b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' + bytes(9),
    'http/0.9': b'GET /\r\n\r\n',
}


@cases(RAW)
def g8_a_request_that_two_may_read_differently(data):
    refused(data, control=False)


@cases({'with it': 0.0, 'after it': 0.2})
def g8_a_second_request_for_another(wait):
    """The first is answered, the second is not seen by the server."""
    pieces = [request('example.test'), request('other.test', '/second', CLOSE)]
    code = says(pieces if wait else [b''.join(pieces)], 80, wait)
    check(net.outside(code).done)
    eventually(lambda: len(net.requests()) == 2, 5, 'control')
    net.fresh()
    net.inside(code, *NAME)
    eq([r['host'] for r in net.requests() if r['host'] != 'example.test'], [])


def smuggled(head, hidden):
    return [request('example.test', '/echo', *head, method='POST',
                    body=hidden)]


@cases({
    'in a body': (['Content-Length: 10'], b'0123456789'),
    'in chunks': (['Transfer-Encoding: chunked'], b'5\r\n01234\r\n0\r\n\r\n'),
    'chunk extension': (['Transfer-Encoding: chunked'],
                        b'5;x=y\r\n01234\r\n0\r\n\r\n'),
    'trailer': (['Transfer-Encoding: chunked'],
                b'1\r\nx\r\n0\r\nX-T: 1\r\n\r\n')})
def g8_behind_a_body(head, body):
    """A body is passed; what follows it is a request again."""
    pieces = [request('example.test', '/echo', *head, method='POST',
                      body=body) + request('other.test', '/second', CLOSE)]
    net.inside(says(pieces), *NAME)
    eq([r for r in net.requests() if r['host'] != 'example.test'], [])


@test
def g8_a_body_may_look_like_a_request():
    body = request('other.test', '/inner')
    r = net.inside(says(request(
        'example.test', '/echo', f'Content-Length: {len(body)}', CLOSE,
        method='POST', body=body)), *NAME).ok()
    has(r.out, 'Host: other.test')
    eq([q['path'] for q in net.requests()], ['/echo'])


@test
def g8_a_head_in_single_bytes():
    data = request('example.test', '/', CLOSE)
    r = net.inside(says([data[i:i + 1] for i in range(len(data))], 80, 0.002),
                   *NAME).ok()
    has(r.out, 'example.test at')
    bad = request('other.test', '/', CLOSE)
    refused([bad[i:i + 1] for i in range(len(bad))], 80, 0.002)


@cases({'8080': 8080, '3000': 3000, '7': 7})
def g8_http_at_another_port(port):
    """HTTP is recognised at any port: shared servers are at any port."""
    r = net.inside(says(request('example.test', '/', CLOSE), port), *NAME).ok()
    has(r.out, 'example.test')
    net.fresh()
    r = net.inside(says(request('other.test', '/', CLOSE), port), *NAME)
    check(r.refused in GONE or ' 400 ' in r.out, r)
    eq(net.requests(), [])


FIELDS = b'Host: other.test\r\n\r\n'
LENIENT = {
    'an empty line first': b'\r\nGET / HTTP/1.1\r\n',
    'line feeds first': b'\n\nGET / HTTP/1.1\r\n',
    'a return first': b'\rGET / HTTP/1.1\r\n',
    'space first': b' GET / HTTP/1.1\r\n', 'tab first': b'\tGET / HTTP/1.1\r\n',
    'lower case': b'get / http/1.1\r\n', 'method': b'get / HTTP/1.1\r\n',
    'unknown method': b'FOO / HTTP/1.1\r\n', 'tabs': b'GET\t/\tHTTP/1.1\r\n',
    'spaces': b'GET  /  HTTP/1.1\r\n', 'version': b'GET / HTTP/2.0\r\n',
    'long method': b'A' * 300 + b' / HTTP/1.1\r\n',
    'long path': b'GET /' + b'a' * 9000 + b' HTTP/1.1\r\n',
    'bare line feed': b'GET / HTTP/1.1\n', 'star': b'OPTIONS * HTTP/1.1\r\n',
}


@cases(LENIENT)
def g8_what_some_server_takes_for_a_request(line):
    """To a server that says back whatever came through."""
    for port in (7, 8080):
        r = net.inside(says(line + FIELDS, port), *NAME)
        check(r.refused in (*GONE, 'ENOTCONN'), r)
    eq(net.requests(), [])


@test
def g8_after_the_server_spoke():
    code = ('s = socket.create_connection(("example.test", 13), 5)\n'
            's.recv(100)\ns.sendall(b"GET / HTTP/1.1\\r\\nHost: other.test'
            '\\r\\n\\r\\n")\nif not s.recv(100):\n'
            '    raise OSError(errno.ECONNRESET, "closed")')
    check(net.outside(code).done)
    check(net.inside(code, *NAME).refused in GONE)


@test
def g8_another_name_that_is_allowed_too():
    """A connection is to one name."""
    for code in (says(request('other.test', '/', CLOSE)), tls('other.test')):
        r = net.inside(code, *NAME, '--allow-host', 'other.test')
        check(r.refused and not r.done, r)
    eq(net.requests(), [])


@cases({'a method': (b'GET ', 7), 'no version': (b'GET /\r\n', 80),
        'a type': (b'\x16', 7), 'a version': (b'\x16\x03', 443),
        'a field': (b'GET / HTTP/1.1\r\nHost: other.test\r\n', 80)})
def g8_a_head_that_will_never_end(data, port):
    """The client has closed its side: decided at once, not by a clock."""
    r = net.inside(timed(
        f's = socket.create_connection(("example.test", {port}), 5)\n'
        f's.settimeout(20)\ns.sendall({data!r})\ns.shutdown(1)\n'
        'if not s.recv(100):\n    raise OSError(errno.ECONNRESET, "end")'),
        *NAME)
    check(r.refused in GONE, r)
    check(ms(r) < 2000, ms(r))
    eq(net.requests(), [])


@cases({'zero': b'\0', 'high': b'\xff', 'letter': b'hello', 'bang': b'!',
        'ssh': b'SSH-2.0-x\r\n', 'smtp': b'EHLO me\r\n',
        'words': b'POST_ and more', 'git': b'0032git-upload-pack /x\0'})
def g8_what_is_neither_passes(first):
    r = net.inside(says(first + b' hello \xff', 7), *NAME).ok()
    has(r.out, 'hello')


@test
def g8_a_websocket_and_nothing_else():
    up = request('example.test', '/ws', 'Upgrade: websocket',
                 'Connection: Upgrade', 'Sec-WebSocket-Version: 13',
                 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==')
    frame = b'\x81\x85\1\2\3\4' + bytes(
        c ^ m for c, m in zip(b'hello', b'\1\2\3\4\1'))
    r = net.inside(says([up, frame, b''], 80, 0.3), *NAME).ok()
    has(r.out, '\\x81\\x05hello')
    net.fresh()
    # An upgrade that the server did not grant opens nothing.
    no = up.replace(b'/ws', b'/').replace(b'websocket', b'nothing')
    net.inside(says([no, request('other.test', '/second', CLOSE), b''], 80,
                    0.3), *NAME)
    eq([q for q in net.requests() if q['host'] != 'example.test'], [])


# --- G8: TLS ---

TLS = '''
import ssl
c = ssl.create_default_context()
c.check_hostname = False
c.verify_mode = ssl.CERT_NONE
s = socket.create_connection(("example.test", PORT), 5)
s = c.wrap_socket(s, server_hostname=SNI)
s.sendall(b"GET / HTTP/1.1\\r\\nHost: HOST\\r\\nConnection: close\\r\\n\\r\\n")
got = b""
while (more := s.recv(65536)):
    got += more
print(got)
'''


def tls(sni, host='example.test', port=443):
    return TLS.replace('SNI', repr(sni)).replace('PORT', str(port)).replace(
        'HOST', host)


@test
def g8_the_right_server_name_passes():
    for port in (443, 8443):
        r = net.inside(tls('example.test', port=port), *NAME).ok()
        has(r.out, 'example.test at')
        net.inside(tls('EXAMPLE.test', port=port), *NAME).ok()


@cases({'another': 'other.test', 'below': 'a.example.test', 'none': None,
        'address': WEB, 'longer': 'example.test.evil.test'})
def g8_another_server_name(sni):
    for port in (443, 8443, 80, 7):
        code = tls(sni, port=port)
        if port in (443, 8443):
            check(net.outside(code).done, 'control')
        net.fresh()
        r = net.inside(code, *NAME)
        check(r.refused in (*GONE, '8', 'SSLEOFError', 'SSLZeroReturnError')
              or r.refused and not r.done, r)
        eq(net.log('tls') + net.requests(), [])


# A ClientHello with a list of extensions, in as many records as wanted.
HELLO = '''
def ext(kind, body):
    return struct.pack(">HH", kind, len(body)) + body
def sni(*names):
    rows = b"".join(b"\\0" + struct.pack(">H", len(n)) + n for n in names)
    return ext(0, struct.pack(">H", len(rows)) + rows)
REST = (ext(10, b"\\0\\4\\0\\x1d\\0\\x17") + ext(11, b"\\1\\0")
        + ext(13, b"\\0\\6\\4\\3\\8\\4\\4\\1") + ext(43, b"\\2\\3\\3"))
def hello(*extensions):
    e = b"".join(extensions) + REST
    body = (b"\\3\\3" + bytes(32) + b"\\0" + b"\\0\\4\\xc0\\x2b\\xc0\\x2f"
            + b"\\1\\0" + struct.pack(">H", len(e)) + e)
    return b"\\1" + struct.pack(">I", len(body))[1:] + body
def records(data, size=16000):
    return b"".join(b"\\x16\\3\\1" + struct.pack(">H", len(p)) + p for p in
                    (data[i:i + size] for i in range(0, len(data), size)))
def go(data, step=None, port=443):
    s = socket.create_connection(("example.test", port), 5)
    s.settimeout(3)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for i in range(0, len(data), step or len(data)):
        s.sendall(data[i:i + (step or len(data))])
        if step:
            time.sleep(0.003)
    got = s.recv(5)
    if got[:1] != b"\\x16":
        raise OSError(errno.ECONNRESET, f"no ServerHello: {got}")
    print("ServerHello")
'''.replace('\\8', '\\x08')
OK, EVIL = 'b"example.test"', 'b"other.test"'


@cases({'whole': f'go(records(hello(sni({OK}))))',
        'in 50 records': f'go(records(hello(sni({OK})), 3))',
        'byte by byte': f'go(records(hello(sni({OK}))), 1)',
        'both': f'go(records(hello(sni({OK})), 5), 2)',
        'long': f'go(records(hello(ext(21, bytes(9000)), sni({OK}))))'})
def g8_a_hello_in_pieces(call):
    for go in (net.outside, lambda c: net.inside(c, *NAME)):
        net.fresh()
        has(go(HELLO + call).ok().out, 'ServerHello')


@cases({'another': f'go(records(hello(sni({EVIL}))))',
        'in pieces': f'go(records(hello(sni({EVIL})), 3), 2)',
        'none': 'go(records(hello()))',
        'two names': f'go(records(hello(sni({OK}, {EVIL}))))',
        'two extensions': f'go(records(hello(sni({OK}), sni({EVIL}))))',
        'the other first': f'go(records(hello(sni({EVIL}), sni({OK}))))',
        'encrypted': f'go(records(hello(sni({OK}), ext(0xfe0d, bytes(60)))))',
        'nul': 'go(records(hello(sni(b"example.test\\0.evil.test"))))',
        'dot': 'go(records(hello(sni(b"example.test.."))))',
        'empty': 'go(records(hello(sni(b""))))',
        'at port 80': f'go(records(hello(sni({EVIL}))), None, 80)'})
def g8_a_hello_for_another(call):
    net.fresh()
    r = net.inside(HELLO + call, *NAME)
    check(r.refused in GONE, r)
    eq(net.log('tls'), [])


@test
def g8_certain_fronting_by_curl():
    """The name in TLS is right, the Host inside is another: not seen by a
    gateway that does not decrypt; the name's own server is what answers."""
    r = net.inside([*CURL, '-H', 'Host: other.test', 'https://example.test/'],
                   *NAME).ok()
    eq([q['to'] in (WEB, WEB6) for q in net.requests()], [True])


# --- G9: not by UDP ---

@cases({'quic': 443})
def g9_quic_towards_a_name(port):
    code = ('for f, _, _, _, a in socket.getaddrinfo("example.test", '
            f'{port}, type=2):\n'
            '    s = socket.socket(f, socket.SOCK_DGRAM)\n'
            '    s.settimeout(3)\n    s.connect(a)\n    s.send(bytes(1200))\n'
            '    s.recv(10)')
    net.attack(code, *NAME, refused=('EHOSTUNREACH', 'EACCES'),
               to=(WEB, WEB6))
    net.inside([*CURL, 'https://example.test/'], *NAME).ok()


@cases({'stun': 3478, 'wireguard': 51820, 'ntp': 123, 'quic': 443})
def g9_datagrams_to_others(port):
    for to, errno in ((OTHER, 'EHOSTUNREACH'), (OTHER6, 'EACCES')):
        net.attack(sending(to, port), *NAME, refused=errno)


# --- G10: floods and odd openings ---

@test
def g10_data_with_the_first_segment():
    """Fast open: nothing leaves before the decision."""
    code = ('s = socket.socket()\ns.settimeout(3)\n'
            f's.sendto(b"GET / HTTP/1.0\\r\\n\\r\\n", 0x20000000, '
            f'({OTHER!r}, 80))\ns.recv(100)')
    r = net.inside(code, *NAME)
    check(r.refused in ('EHOSTUNREACH', 'EOPNOTSUPP', 'EACCES', 'EPIPE',
                        'EINPROGRESS', 'ENOTCONN'), r)
    net.nothing_came()


@test(seconds=120)
def g10_many_refused_connections():
    code = ('bad = 0\n'
            'for i in range(20000):\n    s = socket.socket()\n'
            '    s.setblocking(False)\n    try:\n'
            f'        s.connect(({OTHER!r}, i % 60000 + 1))\n'
            '    except OSError:\n        pass\n    s.close()\n'
            's = socket.create_connection(("example.test", 7), 5)\n'
            's.sendall(b"x")\nassert s.recv(1) == b"x"')
    net.inside(code, *NAME, timeout=100).ok()
    net.nothing_came(OTHER)


@test(seconds=120)
def g10_slow_heads():
    """Hundreds of unfinished requests; another is served all the same."""
    code = ('import resource\nheld = []\n'
            'for i in range(400):\n'
            '    s = socket.create_connection(("example.test", 80), 5)\n'
            '    s.sendall(b"GET / HTTP/1.1\\r\\nX: ")\n    held.append(s)\n'
            's = socket.create_connection(("example.test", 80), 5)\n'
            's.sendall(b"GET / HTTP/1.1\\r\\nHost: example.test\\r\\n'
            'Connection: close\\r\\n\\r\\n")\n'
            'assert b"200 OK" in s.recv(1000)')
    net.inside(code, *NAME, timeout=100).ok()
    eq(len(net.requests()), 1)


@test(seconds=120)
def g10_memory_is_bounded():
    """Hundreds of readers that do not read, thousands that come and go."""
    code = ('held = []\n'
            'def go():\n'
            '    s = socket.create_connection(("example.test", 19), 5)\n'
            '    s.sendall(b"2000000\\n")\n    return s\n'
            'held = [go() for _ in range(20)]\n'
            'print("few", flush=True)\nsys.stdin.readline()\n'
            'held += [go() for _ in range(300)]\n'
            'for _ in range(2000):\n'
            '    socket.create_connection(("example.test", 7), 5).close()\n'
            'print("many", flush=True)\nsys.stdin.readline()')
    p = spawn([MXC, *mxc_args(pyprobe(code), flags=NAME)],
              stdin=subprocess.PIPE)

    def used():
        pid = next(n for n, name in descendants(p.pid).items()
                   if 'gateway' in name)
        return sum(int(line.split()[1]) for line in
                   read(f'/proc/{pid}/status').splitlines()
                   if line.startswith(('VmRSS', 'VmSwap')))
    eq(p.stdout.readline(), b'few\n')
    few = used()
    p.stdin.write(b'\n')
    p.stdin.flush()
    eq(p.stdout.readline(), b'many\n')
    many = used()
    p.communicate(b'\n')
    check(many < few + 24000, f'{few} kB, then {many} kB')


@test(seconds=120)
def g10_simultaneous_open_and_self_connection():
    code = ('for _ in range(3):\n    s = socket.socket()\n'
            '    s.settimeout(1)\n    s.bind(("0.0.0.0", 40000))\n'
            f'    try:\n        s.connect(({OTHER!r}, 40000))\n'
            '        s.send(b"")\n        sys.exit("connected")\n    except OSError:\n'
            '        pass\n    s.close()')
    net.inside(code, *NAME).ok()
    net.nothing_came()


main()
