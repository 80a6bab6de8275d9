#!/usr/bin/env python3
"""What a backend claims it enforces; what it does not claim it refuses, and
names the clause."""

import json
import os
import socket
import sys
import threading
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import backends  # noqa: E402
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403
from contract import (  # noqa: E402
    BACKEND, NAME, by_name, claims, request, submit, unenforced)

net = internet()
# The last is how IPv6 says it.
NO_WAY = ('EHOSTUNREACH', 'ENETUNREACH', 'EACCES')


def filesystem():
    home = os.getcwd()
    for name in ('rw/no/key', 'ro/file', 'other/file'):
        write(name, 'content')
    grants = {'rw': home + '/rw', 'ro': home + '/ro', 'deny': home + '/rw/no'}
    attack(f'open("{home}/other/file").read()', refused='ENOENT', **grants)
    attack(f'open("{home}/rw/no/key").read()', refused='EACCES', **grants)
    attack(f'open("{home}/ro/file", "w").write("x")', refused='EROFS', **grants)
    eq(inside(f'open("{home}/rw/new", "w").write("made")', **grants).done, True)
    eq(read('rw/new'), 'made')


def no_network():
    ear = Listener()
    attack(f'socket.create_connection(("127.0.0.1", {ear.port}), 5)',
           refused='ECONNREFUSED')
    net.attack(connecting(WEB, 80), refused=NO_WAY)
    net.attack(connecting('example.test', 80), refused=(NO_NAME, TRY_AGAIN))


def egress():
    flags = ['--allow-net', f'{WEB}/32:80']
    eq(net.inside(connecting(WEB, 80), *flags).done, True)
    for host, port in ((WEB, 8080), (OTHER, 80), (WEB6, 80)):
        net.attack(connecting(host, port), *flags, refused=NO_WAY, to=[host])


def names():
    flags = ['--allow-host', 'example.test:443']
    has(net.inside(['curl', '-sS', 'https://example.test/'],
                   *flags).ok().out, 'example.test at')
    net.fresh()
    net.attack(connecting('other.test', 443), *flags,
               refused=(NO_NAME, TRY_AGAIN))
    net.attack(connecting(WEB, 443), *flags, refused=NO_WAY)


def say(port):
    with socket.create_connection(('127.0.0.1', port), 5) as s:
        s.sendall(b'hello\n')
        return s.makefile('rb').readline()


ECHO = '''
s = socket.create_server(("127.0.0.1", 5000))
print("listening", flush=True)
c, _ = s.accept()
c.sendall(c.recv(100).upper())
'''


def forward():
    p = spawn([MXC, *mxc_args(pyprobe(ECHO), flags=['--publish',
                                                    '5000:5001'])])
    eq(p.stdout.readline(), b'listening\n')
    eq(say(5001), b'HELLO\n')
    p.communicate(timeout=10)
    ear, other = Listener(), Listener()
    code = 'socket.create_connection(("127.0.0.1", %d), 5).sendall(b"x")'
    flags = ['--host-service', str(ear.port)]
    eq(net.inside(code % ear.port, *flags).done, True)
    eventually(lambda: ear.got == [b'x'], what='heard')
    eq(net.inside(code % other.port, *flags).refused, 'ECONNREFUSED')
    eq(other.got, [])


def answer_once(server):
    peer, _ = server.accept()
    peer.recv(4096)
    peer.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n'
                 b'Connection: close\r\n\r\nproxy\n')
    peer.close()


def proxy():
    server = socket.create_server(('127.0.0.1', 0))
    threading.Thread(target=answer_once, args=(server,), daemon=True).start()
    flags = ['--proxy', f'http://127.0.0.1:{server.getsockname()[1]}']
    eq(net.inside(['curl', '-sS', 'http://example.test/'], *flags).ok().out,
       'proxy\n')
    net.attack(connecting(WEB, 80), *flags, refused=NO_WAY)


def built_in_proxy():
    flags = ['--proxy', 'builtin', '--allow-host', 'example.test']
    get = ['curl', '-sS', '-f', '-x', 'http://127.0.0.1:3128']
    has(net.inside([*get, 'http://example.test/'], *flags).ok().out,
        'example.test at')
    net.fresh()
    eq(net.inside([*get, 'http://other.test/'], *flags).status, 22)
    net.nothing_came()


def denials():
    """A file that it has not, named with what would allow it."""
    key = write('secret', 'x')
    r = mxc('run', '--denials', '--json', 'told', '--', 'cat', key).ok(1)
    told = [d for d in json.loads(read('told'))['denials']
            if d.get('resolved') == str(key)]
    eq([d['hint'] for d in told], [f'--ro {key}'], f'{r}')


def verify():
    """Each wall that it says it tried held."""
    mxc('run', '--verify', '--json', 'told', '--', 'true').ok()
    told = json.loads(read('told'))['verified']
    check(any(w['result'] == 'held' for w in told), f'{told}')


def copies():
    """It sees what it has written, and the host does not."""
    write('d/f', 'old')
    r = mxc('run', '--rw', 'd', '--discard-writes', '--', 'sh', '-c',
            f'echo new >{os.path.abspath("d")}/f; cat {os.path.abspath("d")}/f')
    eq((r.ok().out, read('d/f')), ('new\n', 'old'))


def no_ui():
    """Neither a display's name, nor its socket."""
    ear = Listener('@/tmp/.X11-unix/X' + str(os.getpid()))
    code = f'''
    s = socket.socket(socket.AF_UNIX)
    s.connect("\\0/tmp/.X11-unix/X{os.getpid()}")
    '''
    attack(code, refused='ECONNREFUSED')
    eq(len(ear.got), 1, 'the control alone')
    r = inside(['env'], host_env={'DISPLAY': ':0', 'WAYLAND_DISPLAY': 'w'})
    lacks(r.ok().out, 'DISPLAY')


def timeout():
    start = time.monotonic()
    inside(['sleep', '60'], flags=['--timeout', '300ms']).failed(
        124, 'killed after its timeout of 300 ms')
    check(time.monotonic() - start < 20, 'much later')


def tty():
    code = '''
    assert os.isatty(0) and os.isatty(1) and os.isatty(2)
    assert os.tcgetpgrp(0) == os.getpgrp()
    print(os.ttyname(0), input(), flush=True)
    '''
    r = inside(code, tty=True, input='typed\n', flags=['--tty']).ok()
    has(r.out, '/dev/pts/0 typed')
    host = outside('print(os.ttyname(0))', tty=True)
    lacks(host.ok().out, '/dev/pts/0 ', 'control')


def keep():
    """What a run wrote is there for the next of the same name, and for no
    other; the last run ends it."""
    def ran(name, stays=True):
        r = submit(request(
            command='cat /mine; echo x >>/mine', containerId=name,
            lifecycle={'destroyOnExit': not stays}, **by_name()))
        eq(r.status, 0, str(r))
        return r.out
    eq([ran('a'), ran('a'), ran('b'), ran('a', False), ran('a', False)],
       ['', 'x\n', '', 'x\nx\n', ''])
    mxc('container', 'rm', 'b').ok()


def no_such_feature():
    fail('claimed by no backend so far: there is no probe of it')


def limits():
    """Those that every backend can hold; tests/e2e has the others."""
    many = ('import os\n'
            'n = 0\n'
            'try:\n'
            '    while True: os.dup(0); n += 1\n'
            'except OSError as e: print(n, e.errno)\n')
    eq(inside([PYTHON, '-c', many], flags=['--limit', 'files=50']).out,
       '47 24\n')
    inside(['true'], flags=['--limit', 'written=1M']).failed(
        125, "limit 'writtenBytes' cannot be held")


PROBES = {
    'denials': denials, 'verify': verify, 'copies': copies,
    'filesystem': filesystem, 'no network': no_network, 'egress': egress,
    'names': names, 'forward': forward, 'proxy': proxy,
    'built-in proxy': built_in_proxy, 'no ui': no_ui, 'timeout': timeout,
    'tty': tty, 'keep': keep, 'limits': limits,
}

NET = '192.0.2.0/24'
# feature: {clause: (sections of a request, flags)}
CLAUSES = {
    'filesystem': {'filesystem': (
        {'filesystem': {'readonlyPaths': ['/usr/share']}}, ())},
    'no network': {'network': (
        {'network': {'egress': {'default': 'deny'}}}, ())},
    'egress': {'network.egress.allow[0]': (
        {'network': {'egress': {'default': 'deny', 'allow': [
            {'to': [{'cidr': NET}]}]}}}, ())},
    'names': {'network.egress.allow[0]': (
        {'network': {'egress': {'default': 'deny', 'allow': [
            {'to': [{'host': 'example.test'}]}]}}}, ())},
    'forward': {'--publish': ({}, ('--publish', '5000'))},
    'proxy': {'--proxy': ({}, ('--proxy', 'http://127.0.0.1:3128'))},
    'built-in proxy': {'--proxy': ({}, ('--proxy', 'builtin'))},
    'ingress': {'network.ingress.default': (
        {'network': {'ingress': {'default': 'allow'}}}, ())},
    'loopback': {'network.ingress.hostLoopback': (
        {'network': {'ingress': {'hostLoopback': 'allow'}}}, ())},
    'no ui': {'ui': ({'ui': {'disable': True}}, ())},
    'ui': {'ui.disable': ({'ui': {'disable': False}}, ()),
           'ui.clipboard': ({'ui': {'clipboard': 'read'}}, ()),
           'ui.injection': ({'ui': {'injection': True}}, ())},
    'timeout': {'process.timeout': ({'process': {'timeout': 1000}}, ())},
    'tty': {'--tty': ({}, ('--tty',))},
    'denials': {'--denials': ({}, ('--denials',))},
    'verify': {'--verify': ({}, ('--verify',))},
    'copies': {'--discard-writes': ({}, ('--discard-writes',))},
    'limits': {'limits': ({'limits': {'memoryBytes': 1 << 26}}, ())},
    'keep': {'lifecycle.destroyOnExit': (
                 {'lifecycle': {'destroyOnExit': False}}, ()),
             'lifecycle.preservePolicy': (
                 {'lifecycle': {'preservePolicy': True}}, ())},
}


@cases({feature: feature for feature in backends.FEATURES}, seconds=40)
def feature(name):
    if claims(name):
        PROBES.get(name, no_such_feature)()
        saw('features', name, 'enforced')
        return
    for clause, (sections, flags) in CLAUSES[name].items():
        unenforced(submit(request(**sections), *flags), clause)
    saw('features', name, 'refused')


@test
def the_program_says_the_same():
    row = {b['name']: b for b in mxc('tables').ok().json()['backends']}[NAME]
    told = {f for f, (bit, _) in backends.FEATURES.items()
            if row['features'] >> bit & 1}
    eq(told, BACKEND.features)
    eq(row['features'] >> len(backends.FEATURES), 0, 'features without a name')


main()
