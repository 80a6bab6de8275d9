#!/usr/bin/env python3
"""The standard streams as a way out (D3, G19): sockets that lead further than
to their peer, devices of the host, names that are opened again."""

import os
import socket
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403

ELSEWHERE = 'is a socket that can reach more than its peer'


def tcp_pair():
    a = socket.create_server(('127.0.0.1', 0))
    return socket.create_connection(a.getsockname()), a


def on_stdin(code, stream, *, sandboxed):
    argv = pyprobe(code)
    with spawn([MXC, 'run', '--', *argv] if sandboxed else argv,
               stdin=stream) as p:
        out, err = p.communicate(timeout=30)
    return out.decode(), err.decode(), p.returncode


def check_refused(code, stream):
    out, err, status = on_stdin(code, stream, sandboxed=True)
    has(err, 'standard input ' + ELSEWHERE)
    eq((out, status), ('', 125))


@test
def g19_a_connected_tcp_socket_is_not_connected_again():
    stream, _peer = tcp_pair()
    secret = socket.create_server(('127.0.0.1', 0))
    secret.settimeout(1)
    port = secret.getsockname()[1]
    # AF_UNSPEC dissolves the association (connect(2)).
    code = ('call("connect", 0, bytes(16), 16)\n'
            f's = socket.socket(fileno=0); s.connect(("127.0.0.1", {port}))')
    has(on_stdin(code, stream, sandboxed=False)[0], 'done', 'control')
    secret.accept()
    stream, _peer = tcp_pair()
    check_refused(code, stream)
    try:
        secret.accept()
        fail('the host was reached')
    except TimeoutError:
        pass


DATAGRAMS = {
    'udp': (socket.AF_INET, ('127.0.0.1', 0)),
    'unix, abstract': (socket.AF_UNIX, f'\0mxc-test-{os.getpid()}'),
}


@cases(DATAGRAMS)
def g19_a_datagram_socket_does_not_send_to_anybody(family, name):
    secret = socket.socket(family, socket.SOCK_DGRAM)
    secret.bind(name)
    secret.settimeout(1)
    code = ('s = socket.socket(fileno=0); '
            f's.sendto(b"secret", {secret.getsockname()!r})')
    stream = socket.socket(family, socket.SOCK_DGRAM)
    has(on_stdin(code, stream, sandboxed=False)[0], 'done', 'control')
    eq(secret.recv(16), b'secret', 'control')
    check_refused(code, stream)
    try:
        fail(f'the host heard {secret.recv(16)}')
    except TimeoutError:
        pass


@cases({'not connected': lambda: socket.socket(socket.AF_UNIX),
        'of a netlink family': lambda: socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW, 0),
        'that listens': lambda: socket.create_server(('127.0.0.1', 0))})
def g19_no_other_socket_that_could_find_a_peer(make):
    check_refused('pass', make())


@test
def a_connected_unix_socket_is_a_stream_like_any():
    """What node and sshd give to their children."""
    ours, theirs = socket.socketpair()
    with spawn([MXC, 'run', '--', 'cat'], stdin=theirs, stdout=theirs) as p:
        theirs.close()
        ours.sendall(b'to and fro')
        ours.shutdown(socket.SHUT_WR)
        eq(ours.recv(64), b'to and fro')
        eq(p.wait(30), 0)


@cases({name: name for name in ('null', 'zero', 'full', 'random', 'urandom')},
       only='root')
def w1_standard_streams_are_no_way_to_a_device_of_the_host(name):
    mode = os.stat(f'/dev/{name}').st_mode & 0o7777
    code = f'os.fchmod(0, {mode})'
    with open(f'/dev/{name}', 'r+b', buffering=0) as f:
        has(on_stdin(code, f, sandboxed=False)[0], 'done', 'control')
        has(on_stdin(code, f, sandboxed=True)[0], 'refused EROFS')


@test
def streams_can_be_opened_again_by_their_names():
    """As scripts do; on a terminal, a named pipe and a file."""
    text = 'echo out >/dev/stdout; echo err >/dev/stderr'
    # Two descriptors: one may be passed on before the other.
    eq(sorted(inside(['sh', '-c', text], tty=True).out.split()),
       ['err', 'out'])
    eq(inside(['sh', '-c', text]).out, 'out\n')
    os.mkfifo('pipe')
    with open('pipe', 'r+b', buffering=0) as f:
        spawn([MXC, 'run', '--', 'sh', '-c', text], stdout=f).communicate()
        eq(f.read(4), b'out\n')
    with open('file', 'wb') as f:
        spawn([MXC, 'run', '--', 'sh', '-c', text], stdout=f).communicate()
    eq(read('file'), 'out\n')


@test
def a_stream_gives_no_more_than_its_descriptor():
    """Opened again for writing, what was given for reading, and a log that
    may only grow."""
    write('file', 'as it was')
    code = 'os.open("/proc/self/fd/0", os.O_WRONLY | os.O_TRUNC)'
    with open('file', 'rb') as f:
        out = on_stdin(code, f, sandboxed=True)[0]
        eq(read('file'), 'as it was')
        has(out, 'refused EACCES')
        has(on_stdin(code, f, sandboxed=False)[0], 'done', 'control')
    write('file', 'as it was')
    with open('file', 'ab') as f:
        has(on_stdin(code, f, sandboxed=True)[0], 'refused EACCES')
    eq(read('file'), 'as it was')


@test
def a_name_that_was_not_opened_is_no_stream():
    """To open by /proc what the caller did not, and to change its mode."""
    write('file', 'secret', 0o600)
    code = 'print(os.read(os.open("/proc/self/fd/0", os.O_RDONLY), 9))'
    path = os.open('file', os.O_PATH)
    has(on_stdin(code, path, sandboxed=False)[0], 'secret', 'control')
    out, err, status = on_stdin(code, path, sandboxed=True)
    eq((out, status), ('', 125))
    has(err, 'standard input names an object that was not opened (O_PATH)')


main()
