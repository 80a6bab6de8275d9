#!/usr/bin/env python3
"""Streams and datagrams through the gateway: both directions, ends, resets,
many at once, and how long it takes to be refused.

tap: waits
"""

import hashlib
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403

net = internet()
# What leads to the same servers: a name, and their addresses.
TO = {'name': ('example.test', ['--allow-host', 'example.test']),
      'v4': (WEB, ['--allow-net', WEB]),
      'v6': (WEB6, ['--allow-net', f'[{WEB6}]'])}
READ = '''
def read(s):
    d, n = hashlib.sha256(), 0
    while p := s.recv(1 << 18):
        d.update(p)
        n += len(p)
    return f"{n} {d.hexdigest()}"
'''
IMPORTS = 'import hashlib, threading, select\n'


def both(to, code, *flags, said=''):
    """In the host and inside: both must end and say the same."""
    code = IMPORTS + READ + code
    has(net.outside(code).ok().out, said)
    net.fresh()
    r = net.inside(code, *flags).ok()
    has(r.out, said)
    return r


def digest(size):
    return f'{size} {hashlib.sha256(pattern(size)).hexdigest()}'


# --- both directions -------------------------------------------------------

@cases(TO)
def speaks_when_spoken_to(to, flags):
    both(to, f's = socket.create_connection(({to!r}, 7), 5)\n'
         's.sendall(b"abc")\nprint(s.recv(10))\n', *flags, said="b'abc'")


@cases(TO)
def the_server_speaks_first(to, flags):
    both(to, f's = socket.create_connection(({to!r}, 13), 5)\n'
         'print(s.recv(100))\ns.sendall(b"me\\n")\nprint(s.recv(100))\n',
         *flags, said="b'220 hello\\r\\n'\nb'250 me\\n'")


@cases(TO)
def bulk_to_the_workload(to, flags):
    size = 60_000_000
    both(to, f's = socket.create_connection(({to!r}, 19), 5)\n'
         f's.sendall(b"{size}\\n")\nprint(read(s))\n', *flags,
         said=digest(size))


@cases(TO)
def bulk_from_the_workload(to, flags):
    """And a half-close: the server answers after our end."""
    size = 60_000_000
    both(to, f's = socket.create_connection(({to!r}, 9), 20)\n'
         f'b = (bytes(range(251)) * {size // 251 + 1})[:{size}]\n'
         's.sendall(b)\ns.shutdown(socket.SHUT_WR)\n'
         'print(s.makefile().read())\n', *flags, said=digest(size))


@cases(TO)
def bulk_both_ways_at_once(to, flags):
    size = 20_000_000
    both(to, f's = socket.create_connection(({to!r}, 7), 20)\n'
         f'b = (bytes(range(251)) * {size // 251 + 1})[:{size}]\n'
         'def put():\n    s.sendall(b)\n    s.shutdown(socket.SHUT_WR)\n'
         't = threading.Thread(target=put)\nt.start()\nprint(read(s))\n',
         *flags, said=digest(size))


@test
def a_reader_that_is_slow_gets_all():
    """Back-pressure: the gateway holds little of it."""
    size = 8_000_000
    to, flags = TO['name']
    both(to, f's = socket.create_connection(({to!r}, 19), 20)\n'
         f's.sendall(b"{size}\\n")\ntime.sleep(0.7)\nprint(read(s))\n',
         *flags, said=digest(size))


@test
def small_writes_are_not_held_back():
    to, flags = TO['name']
    r = both(to, f's = socket.create_connection(({to!r}, 7), 5)\n'
             's.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)\n'
             's.sendall(b"x")\ns.recv(1)\nstart = time.monotonic()\n'
             'for _ in range(200):\n    s.sendall(b"x")\n    s.recv(1)\n'
             'print("ms", (time.monotonic() - start) * 1000)\n', *flags)
    within(ms(r), 2000, 'ms for 200')


@test
def an_idle_connection_lives_on():
    to, flags = TO['name']
    both(to, f's = socket.create_connection(({to!r}, 7), 5)\n'
         'time.sleep(3)\ns.sendall(b"x")\nprint(s.recv(1))\n', *flags,
         said="b'x'")


# --- ends ------------------------------------------------------------------

@cases(TO)
def a_reset_of_the_server(to, flags):
    code = (f's = socket.create_connection(({to!r}, 666), 5)\n'
            's.sendall(b"x")\ns.recv(10)')
    eq(net.outside(code).refused, 'ECONNRESET')
    eq(net.inside(code, *flags).refused, 'ECONNRESET')


@cases(TO)
def a_port_that_nobody_has(to, flags):
    code = connecting(to, 1)
    eq(net.outside(code).refused, 'ECONNREFUSED')
    r = net.inside(code, *flags)
    eq(r.refused, 'ECONNREFUSED')
    within(ms(r), 300, 'ms')


@cases({'v4': TO['v4'], 'v6': TO['v6']})
def a_reset_of_the_client(to, flags):
    """The server sees it, and not an orderly end."""
    code = (f's = socket.create_connection(({to!r}, 9), 5)\n'
            's.sendall(b"x")\ntime.sleep(0.2)\n'
            's.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, '
            'struct.pack("ii", 1, 0))\ns.close()\ntime.sleep(0.3)')
    for go in (lambda: net.outside(code), lambda: net.inside(code, *flags)):
        net.fresh()
        go().ok()
        broken = eventually(lambda: net.log('broken'), 3)
        has(broken[0]['why'], 'reset')


@cases(TO)
def what_the_server_has_got_is_not_lost_by_the_end(to, flags):
    """A workload that waits for the answer may end at once after it."""
    size = 2_000_000
    code = (f's = socket.create_connection(({to!r}, 9), 5)\n'
            f's.sendall(bytes({size}))\ns.shutdown(socket.SHUT_WR)\n'
            's.recv(100)\nos._exit(0)')
    for go in (net.outside, lambda c: net.inside(c, *flags)):
        net.fresh()
        go(code).ok()
        eq([e['size'] for e in net.log('sunk')], [size])


# --- many ------------------------------------------------------------------

MANY = '''
import asyncio
async def one(i):
    r, w = await asyncio.open_connection(TO, 7)
    data = b"\\0" + os.urandom(5000) + bytes([i % 256])
    w.write(data)
    assert await r.readexactly(len(data)) == data
    await ready.wait()
    w.write_eof()
    assert await r.read() == b""
async def main():
    global ready
    ready = asyncio.Event()
    tasks = [asyncio.create_task(one(i)) for i in range(200)]
    await asyncio.sleep(1)
    ready.set()
    await asyncio.gather(*tasks)
    print("all", len(tasks))
asyncio.run(main())
'''


@cases(TO)
def two_hundred_at_once(to, flags):
    both(to, f'TO = {to!r}\n{MANY}', *flags, said='all 200')
    eq(len(net.seen(port=7)), 200)


BULKS = '''
import asyncio
async def one(i):
    size = 3000000 + i
    r, w = await asyncio.open_connection(TO, 7)
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    async def put():
        w.write(data)
        await w.drain()
        w.write_eof()
    _, back = await asyncio.gather(put(), r.read())
    assert back == data, (len(back), size)
async def main():
    await asyncio.gather(*[one(i) for i in range(32)])
    print("all")
asyncio.run(main())
'''


@test(seconds=120)
def bulk_on_32_at_once():
    to, flags = TO['name']
    both(to, f'TO = {to!r}\n{BULKS}', *flags, said='all')


@test
def a_thousand_one_after_the_other():
    to, flags = TO['v4']
    both(to, 'for i in range(1000):\n'
         f'    s = socket.create_connection(({to!r}, 7), 5)\n'
         '    s.sendall(b"x")\n    assert s.recv(1) == b"x"\n    s.close()\n'
         'print("all")', *flags, said='all')


# --- datagrams and echo ----------------------------------------------------

@cases(TO)
def datagrams(to, flags):
    both(to, f'for f, _, _, _, a in socket.getaddrinfo({to!r}, 7, type=2):\n'
         '    s = socket.socket(f, socket.SOCK_DGRAM)\n    s.settimeout(5)\n'
         '    s.connect(a)\n'
         '    for n in (0, 1, 1200, 8000):\n'
         '        s.send(bytes(n))\n        assert s.recv(65535) == bytes(n)\n'
         '    print("flow", s.getpeername()[1])', *flags, said='flow 7')


@test
def datagrams_of_one_socket_to_two_peers():
    code = ('s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n'
            's.settimeout(5)\n'
            f'for a in ({WEB!r}, {OTHER!r}) * 2:\n'
            '    s.sendto(a.encode(), (a, 7))\n'
            '    assert s.recvfrom(100) == (a.encode(), (a, 7))')
    both(None, code, '--allow-net', WEB, '--allow-net', OTHER)


@cases({'name': TO['name'], 'v4': TO['v4'], 'v6': TO['v6']})
def ping(to, flags):
    argv = ['ping', '-n', '-c', '2', '-i', '0.2', '-w', '5', to]
    net.host(*argv).ok()
    net.fresh()
    has(net.inside(argv, *flags).ok().out, ' 0% packet loss')
    check({p['to'] for p in net.packets(proto='icmp')} <= {WEB, WEB6})


ECHO = '''
f = socket.AF_INET6 if ":" in TO else socket.AF_INET
s = socket.socket(f, socket.SOCK_DGRAM, 58 if ":" in TO else 1)
s.settimeout(3)
s.connect((TO, 0))
for n in range(3):
    s.send(struct.pack(">BBHHH", 128 if ":" in TO else 8, 0, 0, 0, n) + b"hi")
    a = s.recv(100)
    assert a[0] in (0, 129) and a[6:] == struct.pack(">H", n) + b"hi", a
'''


@cases({'v4': WEB, 'v6': WEB6})
def echo_by_hand(to):
    code = f'TO = {to!r}\n{ECHO}'
    check(net.outside(code).done, 'control')
    net.fresh()
    net.inside(code, '--allow-net', to).ok()
    eq([p['to'] for p in net.packets(proto='icmp')], [to] * 3)
    net.fresh()
    r = net.inside(code, '--allow-net', OTHER)
    check(r.refused in ('EHOSTUNREACH', 'EACCES'), r)
    net.nothing_came()


@cases({'v4': OTHER, 'v6': OTHER6})
def ping_elsewhere(to):
    argv = ['ping', '-n', '-c', '1', '-w', '3', to]
    net.host(*argv).ok()
    net.fresh()
    r = net.inside(argv, '--allow-net', WEB)
    check(r.status in (1, 2), r)
    net.nothing_came()


# --- refused at once -------------------------------------------------------

REFUSED = {'v4': (OTHER, 'EHOSTUNREACH'), 'v6': (OTHER6, 'EACCES'),
           'v4 private': ('10.1.2.3', 'EHOSTUNREACH'),
           'v6 private': ('fd12:3456::7', 'EACCES'),
           'v4 of no server': (SILENT, 'EHOSTUNREACH')}


@cases(REFUSED)
def a_connection_is_refused_at_once(to, errno):
    code = connecting(to, 80, 5)
    for flags in TO['name'][1], TO['v4'][1]:
        r = net.attack(code, *flags, refused=errno, control=to != SILENT)
        within(ms(r), 50, 'ms')


@cases({k: v for k, v in REFUSED.items() if v[0] != SILENT})
def a_datagram_is_refused_at_once(to, errno):
    code = sending(to, 7)
    r = net.attack(code, *TO['v4'][1], refused=errno)
    within(ms(r), 50, 'ms')


@test
def a_refusal_does_not_disturb_others():
    code = (f'a = socket.create_connection(({WEB!r}, 7), 5)\n'
            'for _ in range(200):\n    s = socket.socket()\n'
            '    s.settimeout(2)\n    try:\n'
            f'        s.connect(({OTHER!r}, 7))\n        s.send(b"")\n'
            '        raise OSError(0, "?")\n'
            '    except OSError as e:\n'
            '        assert e.errno == errno.EHOSTUNREACH, e\n'
            '    a.sendall(b"x")\n    assert a.recv(1) == b"x"')
    net.inside(code, *TO['v4'][1]).ok()
    net.nothing_came(OTHER)


main()
