#!/usr/bin/env python3
"""Limits of the network: bytes, both ways, and connections at one time."""

import contextlib
import errno
import json
import os
import signal
import socket
import sys
import threading
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403
from event_lines import read_events  # noqa: E402
import net_dns  # noqa: E402

net = internet()
STUB = '198.18.0.2'

# Port 19 sends as much as it is asked for, 7 says back what it hears.
FETCH = f'''import socket
s = socket.create_connection(({WEB!r}, 19))
s.sendall(b"%d\\n")
n = 0
while n < %d:
    b = s.recv(65536)
    if not b: break
    n += len(b)
print(n)
'''
SEND = f'''import socket
s = socket.create_connection(({WEB!r}, 9))
for i in range(%d): s.sendall(bytes(1000))
s.shutdown(socket.SHUT_WR)
print(s.recv(100).split()[0].decode())
'''
DATAGRAMS = f'''import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(({WEB!r}, 7))
for i in range(100):
    s.send(bytes(1000))
    s.recv(2000)
print("all")
'''
HOLD = f'''import socket
all = []
for i in range(20):
    s = socket.socket()
    s.settimeout(5)
    try:
        s.connect(({WEB!r}, 7))
        s.sendall(b"x")
        if s.recv(1) != b"x": break
    except OSError as e: break
    all.append(s)
print(len(all))
all.pop().close()
import time
time.sleep(1)
s = socket.create_connection(({WEB!r}, 7))
s.sendall(b"y")
print(s.recv(1).decode())
'''

# What the gateway would tell of these is more than there is room for.
FLOOD = f'''import os, socket, time
held = socket.create_connection(({WEB!r}, 9))
open("rw/up", "w")
while not os.path.exists("rw/go"): time.sleep(0.02)
for i in range(600):
    with socket.create_connection(({WEB!r}, 7)) as s:
        s.sendall(b"x")
        s.recv(1)
open("rw/done", "w")
while not os.path.exists("rw/more"): time.sleep(0.02)
for i in range(60): held.sendall(bytes(1000000))
time.sleep(60)
'''
# Buffers take it, and the server takes its time.
LEAVE = '''import socket
s = socket.create_connection(("127.0.0.1", %d))
s.settimeout(0.3)
n = 0
try:
    while n < 1 << 26: n += s.send(bytes(1 << 16))
except TimeoutError: pass
open("rw/left", "w")
print(n)
'''


def limited(code, *limits):
    flags = ['--allow-net', f'{WEB}/32', '--json', 'result.json']
    for limit in limits:
        flags += ['--limit', limit]
    r = net.inside([PYTHON, '-c', code], *flags)
    result = json.loads(read('result.json'))
    return r, result, {x['limit']: x for x in result.get('limits', [])}


def ended_by_bytes(r, result, value):
    eq((r.status, result['outcome']), (123, 'limited'), repr(r))
    eq([(x['limit'], x['value'], x['ended']) for x in result['limits']],
       [('networkBytes', value, True)])


@cases({'received': FETCH % (900000, 900000), 'sent': SEND % 900,
        'datagrams': DATAGRAMS})
def too_many_bytes(code):
    r, result, _ = limited(code)
    eq((r.ok().out != '', 'limits' in result), (True, False))
    r, result, _ = limited(code, 'network=50000')
    ended_by_bytes(r, result, 50000)
    eq(r.out, '')


@test
def to_the_last_byte():
    # What is asked for, and the number itself.
    r, result, reached = limited(FETCH % (1000, 1000), 'network=1005')
    eq((r.ok().out, reached), ('1000\n', {}))
    r, result, _ = limited(FETCH % (1000, 1000), 'network=1004')
    ended_by_bytes(r, result, 1004)


@test
def connections_at_one_time():
    r, result, reached = limited(HOLD, 'connections=5')
    eq(r.ok().out, '5\ny\n')
    check(reached['connections']['count'] >= 1)
    eq((reached['connections']['ended'], result['outcome']),
       (False, 'exited'))


QUERY = net_dns.make_query('example.test', 'A')
# Each from a port of its own, as a library asks.
ASK = f'''import socket, time
def ask():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5)
    s.connect(({STUB!r}, 53))
    s.send({QUERY!r})
    return s.recv(512)[3] & 15
def ask_by_tcp():
    s = socket.create_connection(({STUB!r}, 53), 5)
    s.sendall(len({QUERY!r}).to_bytes(2, "big") + {QUERY!r})
    return s.recv(512)[5] & 15
'''


@test
def questions_are_no_connections():
    """The resolver's, and not the workload's: before the limit is reached they
    take nothing of it, and behind it they have their answers."""
    code = (ASK + 'print([ask() for _ in range(8)])\n' + HOLD
            + f'''all.append(s)
while len(all) < 3: all.append(socket.create_connection(({WEB!r}, 7)))
try: socket.create_connection(({WEB!r}, 7))
except OSError as e: print(e.errno)
print(ask(), ask_by_tcp())
''')
    r = net.inside([PYTHON, '-c', code], '--allow-net', 'internet', '--limit',
                   'connections=3')
    eq(r.ok().out, f'{8 * [0]}\n3\ny\n{errno.EHOSTUNREACH}\n0 0\n')


@cases({'a datagram': sending(WEB),
        'an echo': 's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1)\n'
                   f's.settimeout(5)\ns.connect(({WEB!r}, 0))\n'
                   's.send(b"\\x08" + bytes(7))\ns.recv(99)'})
def what_is_no_connection_is_refused_too(code):
    """At once: no refusal is a timeout."""
    held = f'held = socket.create_connection(({WEB!r}, 7))\n'
    flags = ['--allow-net', f'{WEB}/32', '--events', 'events', '--limit']
    net.inside(held + code, *flags, 'connections=2').ok()
    r = net.inside(held + code, *flags, 'connections=1')
    eq(r.refused, 'EHOSTUNREACH', r)
    denied = [e for e in read_events(read('events')) if e['event'] == 'denied']
    eq([(e['what'], e['address'], e['reason']) for e in denied],
       [('datagram', WEB, 'budget')])


@test
def a_question_by_tcp_beyond_the_bound():
    """Of the gateway itself: that is told, and not that the policy denies it.
    A hard limit of 256 descriptors leaves it 21 connections."""
    need('prlimit')
    code = ('held = []\ntry:\n    while len(held) < 99:\n'
            f'        s = socket.create_connection(({WEB!r}, 7), 5)\n'
            '        s.send(b"x")\n        held.append(s)\n'
            'except OSError:\n    print("held", len(held))\n'
            + connecting(STUB, 53))
    args = mxc_args(pyprobe(code), flags=[
        '--allow-host', 'example.test', '--allow-net', f'{WEB}/32',
        '--events', 'events'])
    r = net.host('prlimit', '--nofile=256:256', MXC, *args)
    has(r.out, 'held 21')
    has(r.out, 'EHOSTUNREACH')
    denied = [e for e in read_events(read('events')) if e['event'] == 'denied']
    eq([(e['what'], e['port'], e['reason']) for e in denied[-1:]],
       [('connect', 53, 'budget')])


def until(path, process):
    eventually(lambda: os.path.exists(path) or process.poll() is not None,
               what=path)
    check(process.poll() is None, f'it ended before {path}')


@test(seconds=120)
def a_supervisor_that_is_behind():
    """There is no room to tell it: it is told later, though no further byte
    comes."""
    os.mkdir('rw')
    p = spawn([MXC, *mxc_args([PYTHON, '-c', FLOOD], flags=[
        '--rw', 'rw', '--cwd', os.getcwd(), '--allow-net', f'{WEB}/32',
        '--limit', 'network=1M', '--events', 'events', '--json',
        'result.json'])])
    until('rw/up', p)
    os.kill(p.pid, signal.SIGSTOP)
    write('rw/go', '')
    until('rw/done', p)
    write('rw/more', '')
    time.sleep(2)
    os.kill(p.pid, signal.SIGCONT)
    eq(p.wait(10), 123)
    events = read_events(read('events'))
    eq([e['of'] for e in events if e['event'] == 'limit'],
       ['networkBytes'])
    eq([e['reason'] for e in events if e['event'] == 'gap'], ['gateway'])
    result = json.loads(read('result.json'))
    eq([(x['limit'], x['count'], x['ended']) for x in result['limits']],
       [('networkBytes', 1, True)])
    eq(result['denialCount'], 0)


@test
def what_it_left_behind():
    """The workload has ended, and the gateway passes on what it sent."""
    os.mkdir('rw')
    got, most = [], 4 << 20

    def serve(ear):
        peer = ear.accept()[0]
        with peer, contextlib.suppress(ConnectionError):
            eventually(lambda: os.path.exists('rw/left'), 10)
            time.sleep(0.3)
            while block := peer.recv(1 << 16):
                got.append(len(block))
    with socket.create_server(('127.0.0.1', 0)) as ear:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        port = ear.getsockname()[1]
        server = threading.Thread(target=serve, args=[ear])
        server.start()
        r = net.inside([PYTHON, '-c', LEAVE % port], '--rw', 'rw',
                       '--cwd', os.getcwd(), '--host-service', str(port),
                       '--limit', f'network={most}', '--events', 'events',
                       '--json', 'result.json')
        server.join()
    check(int(r.out) > most, f'it left {r.out}')
    eq(sum(got), most)
    result = json.loads(read('result.json'))
    ended_by_bytes(r, result, most)
    events = [e for e in read_events(read('events'))
              if e['event'] in ('limit', 'exited')]
    eq([(e['event'], e.get('of'), e.get('outcome')) for e in events],
       [('limit', 'networkBytes', None), ('exited', None, 'limited')])


@test
def without_a_network_there_is_nothing_to_count():
    r = inside(['true'], flags=['--limit', 'network=10', '--limit',
                                'connections=1', '--json', 'result.json'])
    r.ok()
    for row in json.loads(read('result.json'))['receipt']:
        if row['clause'].startswith('limit network'):
            eq((row['by'], row['state']), ('there is no network', 'enforced'))
            return
    fail('no row in the receipt')


main()
