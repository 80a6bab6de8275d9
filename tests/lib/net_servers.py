"""net_servers.py - the servers of the test internet, and what they saw.

One process serves two network namespaces: the "internet", where every address
of SERVED is a local one, and the "host", where the same services are canaries
on loopback and on the host's own addresses.  A service is chosen by port:

    7     says back what it hears (TCP, UDP), until the client's end
    9     takes everything to the client's end, then says "BYTES SHA256\\n"
    13    speaks first: "220 hello\\r\\n", then says one line back
    19    hears "BYTES\\n" and sends so much of net_http.pattern()
    22    ssh, once asked for
    53    name server (TCP, UDP)
    80 8080 3000   HTTP
    443 8443       HTTPS, a certificate for whatever name is asked
    666   resets the connection after the first byte
    5432  enough of PostgreSQL's protocol for `psql -c "select 1"`
    UDP 123 443 3478 5353 51820   says back what it hears

The host listens on LOOPBACK_ONLY's ports at 127.0.0.1 and ::1 only.
"""

import contextlib
import hashlib
import json
import os
import selectors
import socket
import ssl
import struct
import subprocess
import threading
import time

import net_dns
import net_http
import net_ssh

SOL_IP, IP_PKTINFO, IPV6_PKTINFO, IPV6_RECVPKTINFO = 0, 8, 50, 49
SOL_PACKET, OUTGOING = 263, 4
ECHO_UDP = (7, 123, 443, 3478, 5353, 51820)
LOOPBACK_ONLY = (8001, 5353)


class Log:
    """Events in the order in which they came; each test begins anew."""

    def __init__(self):
        self.events, self.lock = [], threading.Lock()

    def add(self, kind, **facts):
        with self.lock:
            self.events.append({'kind': kind, **facts})


def where(sock):
    to = sock.getsockname()
    return {'to': to[0].split('%')[0], 'port': to[1]}


# --- certificates ----------------------------------------------------------

class Certificates:
    """An authority in the folder, and a certificate for each name when needed."""

    def __init__(self, folder):
        self.folder, self.lock = folder, threading.Lock()
        self.contexts = {}
        self.ca, self.key = f'{folder}/ca.pem', f'{folder}/private.pem'
        self._openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout',
                      '-out', self.key)
        self._openssl('req', '-x509', '-new', '-key', self.key, '-days', '30',
                      '-subj', '/CN=test authority', '-out', self.ca)

    @staticmethod
    def _openssl(*args):
        subprocess.run(['openssl', *args], check=True,
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def context(self, name):
        with self.lock:
            if name not in self.contexts:
                self.contexts[name] = self._make(name)
            return self.contexts[name]

    def _make(self, name):
        path = f'{self.folder}/cert-{len(self.contexts)}.pem'
        what = 'IP' if ':' in name or name.replace('.', '').isdigit() else 'DNS'
        self._openssl('req', '-x509', '-new', '-key', self.key, '-days', '30',
                      '-CA', self.ca, '-CAkey', self.key, '-subj', '/CN=server',
                      '-addext', f'subjectAltName={what}:{name}',
                      '-addext', 'basicConstraints=critical,CA:FALSE',
                      '-out', path)
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(path, self.key)
        made.set_alpn_protocols(['http/1.1'])
        return made

    def wrap(self, sock, to):
        """(TLS socket, name the client asked for or None)."""
        def choose(tls, name, _):
            tls.asked = name
            if name:
                tls.context = self.context(name)
        first = self.context(to)
        first.sni_callback = choose
        tls = first.wrap_socket(sock, server_side=True)
        return tls, getattr(tls, 'asked', None)


# --- small services --------------------------------------------------------

def echo(sock, *_):
    while data := sock.recv(1 << 16):
        sock.sendall(data)


def sink(sock, note):
    digest, size = hashlib.sha256(), 0
    while data := sock.recv(1 << 18):
        digest.update(data)
        size += len(data)
    note('sunk', size=size)
    sock.sendall(f'{size} {digest.hexdigest()}\n'.encode())


def banner(sock, *_):
    sock.sendall(b'220 hello\r\n')
    with sock.makefile('rb') as lines:
        sock.sendall(b'250 ' + lines.readline())


def source(sock, *_):
    with sock.makefile('rb') as lines:
        left = int(lines.readline())
    block = net_http.pattern(251 << 10)
    while left > 0:
        sock.sendall(block[:left])
        left -= len(block)


def reset(sock, *_):
    sock.recv(1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack('ii', 1, 0))


def postgres(sock, *_):
    """PostgreSQL's protocol 3.0: start-up without password, simple query."""
    def say(kind, body=b''):
        sock.sendall(kind + struct.pack('>I', len(body) + 4) + body)

    def read(n):
        data = b''
        while len(data) < n:
            part = sock.recv(n - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    with contextlib.suppress(EOFError):
        while True:
            size, code = struct.unpack('>II', read(8))
            read(size - 8)
            if code == 196608:
                break
            sock.sendall(b'N')   # no TLS, no GSS
        say(b'R', struct.pack('>I', 0))
        say(b'S', b'server_version\x0015.0\0')
        say(b'S', b'client_encoding\0UTF8\0')
        say(b'Z', b'I')
        while True:
            kind, size = read(1), struct.unpack('>I', read(4))[0]
            text = read(size - 4)
            if kind == b'X':
                return
            say(b'T', struct.pack('>H', 1) + b'answer\0'
                + struct.pack('>IHIhiH', 0, 0, 25, -1, -1, 0))
            row = b'you said ' + text.rstrip(b'\0')
            say(b'D', struct.pack('>HI', 1, len(row)) + row)
            say(b'C', b'SELECT 1\0')
            say(b'Z', b'I')


PLAIN = {7: echo, 9: sink, 13: banner, 19: source, 666: reset, 5432: postgres}
HTTP, HTTPS = (80, 8080, 3000), (443, 8443)
HOST_TCP = (7, 9, 13, 19, 53, 80, 443, 5432, 8080, 8001)


# --- the process -----------------------------------------------------------

class Servers:
    def __init__(self, folder):
        self.folder = folder
        self.log, self.zone = Log(), net_dns.Zone()
        self.certificates = Certificates(folder)
        self.selector = selectors.DefaultSelector()
        self.sniffers = []
        self.drain, self.settling = threading.Lock(), threading.Lock()
        self.bell, self.idle = os.pipe(), threading.Event()

    # Sockets belong to the network namespace in which they are made.

    def open_all(self, side):
        tcp = HOST_TCP if side == 'host' else (*PLAIN, *HTTP, *HTTPS, 53)
        udp = (*ECHO_UDP, 53)
        for family in (socket.AF_INET, socket.AF_INET6):
            for kind, ports in ((socket.SOCK_STREAM, tcp),
                                (socket.SOCK_DGRAM, udp)):
                for port in ports:
                    self._open(side, family, kind, port)

    def _open(self, side, family, kind, port):
        s = socket.socket(family, kind)
        v6 = family == socket.AF_INET6
        if v6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            s.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
        else:
            s.setsockopt(SOL_IP, IP_PKTINFO, 1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        only = side == 'host' and port in LOOPBACK_ONLY
        s.bind((('::1' if v6 else '127.0.0.1') if only else
                '::' if v6 else '0.0.0.0', port))
        if kind == socket.SOCK_STREAM:
            s.listen(1024)
            ready = self._accept
        else:
            ready = self._datagram
        s.setblocking(False)
        self.selector.register(s, selectors.EVENT_READ, (ready, side))

    def sniff(self, side, device):
        """Log what begins something: no TCP segment but a SYN."""
        s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        _attach(s, SYN_ONLY)
        s.bind((device, 3))   # ETH_P_ALL
        s.setblocking(False)
        self.sniffers.append((s, side))
        self.selector.register(s, selectors.EVENT_READ,
                               (lambda *_: self.read_packets(), side))

    def read_packets(self):
        with self.drain:
            for s, side in self.sniffers:
                with contextlib.suppress(BlockingIOError, OSError):
                    while True:
                        data, at = s.recvfrom(256)
                        facts = at[2] != OUTGOING and read_packet(data)
                        if facts:
                            self.log.add('packet', side=side, **facts)

    def serve(self):
        self.selector.register(self.bell[0], selectors.EVENT_READ, None)
        while True:
            if not self._serve(None):
                while self._serve(0):
                    pass
                self.idle.set()

    def _serve(self, wait):
        """One round; false when somebody rang, or nothing was there."""
        ready = self.selector.select(wait)
        for key, _ in ready:
            if not key.data:
                os.read(self.bell[0], 1)
                return False
            call, side = key.data
            with contextlib.suppress(OSError):
                call(key.fileobj, side)
        return bool(ready)

    def settle(self):
        """All that has arrived until now is in the log."""
        with self.settling:
            self.idle.clear()
            os.write(self.bell[1], b'x')
            self.idle.wait(5)
            self.read_packets()

    def _accept(self, s, side):
        sock, peer = s.accept()
        sock.setblocking(True)
        facts = where(sock)
        self.log.add('tcp', side=side, peer=peer[0], **facts)
        threading.Thread(target=self._talk, args=(sock, peer, side, facts),
                         daemon=True).start()

    def _talk(self, sock, peer, side, facts):
        port = facts['port']
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if port in PLAIN:
                PLAIN[port](sock, lambda kind, **more: self.log.add(
                    kind, side=side, **facts, **more))
            elif port == 53:
                self._dns_stream(sock, side, facts)
            elif port in HTTPS:
                sock, name = self.certificates.wrap(sock, facts['to'])
                self._http(sock, peer, side, facts, name, True)
            else:
                self._http(sock, peer, side, facts, None, False)
        except (OSError, ValueError, struct.error) as e:
            self.log.add('broken', side=side, why=str(e), **facts)
        finally:
            # The client may be gone already.
            with contextlib.suppress(OSError):
                if port != 666:
                    # What the client still says must not make the close a
                    # reset, which might overtake the answer.
                    sock.shutdown(socket.SHUT_WR)
                    sock.settimeout(1)
                    while sock.recv(65536):
                        pass
            sock.close()

    def _http(self, sock, peer, side, facts, sni, tls):
        if tls:
            self.log.add('tls', side=side, sni=sni, **facts)
        net_http.serve(sock, peer, side, lambda **more: self.log.add(
            'http', side=side, **facts, **more), sni, tls)

    def _dns_note(self, side, facts, transport):
        return lambda name, kind: self.log.add(
            'query', side=side, name=name, type=kind, transport=transport,
            **facts)

    def _dns_stream(self, sock, side, facts):
        note = self._dns_note(side, facts, 'tcp')
        with sock.makefile('rb') as lines:
            while len(head := lines.read(2)) == 2:
                data = lines.read(struct.unpack('>H', head)[0])
                said, late = net_dns.answer(self.zone, data, False, note)
                if said is None:
                    return
                time.sleep(late)
                sock.sendall(struct.pack('>H', len(said)) + said)

    def _datagram(self, s, side):
        data, control, _, peer = s.recvmsg(65535, 256)
        v6 = s.family == socket.AF_INET6
        to, back = None, []
        for level, kind, raw in control:
            if v6 and kind == IPV6_PKTINFO:
                to = socket.inet_ntop(socket.AF_INET6, raw[:16])
                back = [(level, kind, raw if to.startswith('fe80') else
                         raw[:16] + bytes(4))]
            elif not v6 and kind == IP_PKTINFO:
                to = socket.inet_ntoa(raw[8:12])
                back = [(level, kind, bytes(4) + raw[4:8] + bytes(4))]
        port = s.getsockname()[1]
        facts = {'to': to, 'port': port}

        def say():
            with contextlib.suppress(OSError):
                s.sendmsg([said], back, 0, peer)
        said, late = data, 0
        if port == 53:
            note = self._dns_note(side, facts, 'udp')
            said, late = net_dns.answer(self.zone, data, True, note)
        else:
            self.log.add('udp', side=side, size=len(data), **facts)
        if late:
            threading.Timer(late, say).start()
        elif said is not None:
            say()

    # --- what tests ask for ---

    def command(self, op, *args):
        if op == 'forget':
            self.settle()
            with self.log.lock:
                self.log.events.clear()
        elif op == 'reset':
            self.zone.fresh()
        elif op == 'names':
            names, is_base = args
            self.zone.names.update(names)
            if is_base:
                self.zone.base.update(names)
        elif op == 'log':
            self.settle()
            with self.log.lock:
                return list(self.log.events)
        elif op == 'ssh':
            net_http.make_git()
            net_ssh.start(self.folder)
        return None

    def attend(self, door):
        """Each test brings a connection of its own; ends with the last one."""
        threading.Thread(target=self.serve, daemon=True).start()
        while True:
            _, fds, _, _ = socket.recv_fds(door, 1, 1)
            if not fds:
                return
            threading.Thread(target=self._attend, args=(fds[0],),
                             daemon=True).start()

    def _attend(self, fd):
        with socket.socket(fileno=fd) as s, s.makefile('rwb') as lines:
            for line in lines:
                lines.write(json.dumps(self.command(*json.loads(line)))
                            .encode() + b'\n')
                lines.flush()


# --- packets ---------------------------------------------------------------

# Classic BPF on a packet that begins with its IP header.
SYN_ONLY = [
    (0x30, 0, 0, 0),            # A = version and header length
    (0x54, 0, 0, 0xf0),
    (0x15, 0, 5, 0x40),         # not version 4: to the other branch
    (0x30, 0, 0, 9),
    (0x15, 0, 8, 6),            # not TCP: take it
    (0xb1, 0, 0, 0),            # X = length of the header
    (0x50, 0, 0, 13),
    (0x05, 0, 0, 3),            # to the flags
    (0x30, 0, 0, 6),
    (0x15, 0, 3, 6),            # not TCP: take it
    (0x30, 0, 0, 53),
    (0x54, 0, 0, 0x12),         # SYN and ACK
    (0x15, 0, 1, 0x02),
    (0x06, 0, 0, 256),
    (0x06, 0, 0, 0),
]


def _attach(sock, program):
    import ctypes
    code = b''.join(struct.pack('HBBI', c, jt, jf, k)
                    for c, jt, jf, k in program)
    buf = ctypes.create_string_buffer(code)
    sock.setsockopt(socket.SOL_SOCKET, 26, struct.pack(
        'HxxxxxxQ', len(program), ctypes.addressof(buf)))


PROTOCOLS = {1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmp', 132: 'sctp'}
# Neighbour discovery and multicast listening are the kernel's own talk.
OWN_TALK, IGMP = range(130, 144), 2


def read_packet(data):
    if data[0] >> 4 == 4:
        size, number = (data[0] & 15) * 4, data[9]
        if int.from_bytes(data[6:8], 'big') & 0x1fff:
            return None   # the rest of a datagram that was seen
        fro, to = (socket.inet_ntoa(data[a:a + 4]) for a in (12, 16))
    elif data[0] >> 4 == 6:
        size, number = 40, data[6]
        if number == 0:
            size, number = 40 + (data[41] + 1) * 8, data[40]
        fro, to = (socket.inet_ntop(socket.AF_INET6, data[a:a + 16])
                   for a in (8, 24))
        if number == 58 and data[size] in OWN_TALK:
            return None
    else:
        return None
    if number == IGMP:
        return None
    proto, port = PROTOCOLS.get(number, str(number)), 0
    if proto in ('tcp', 'udp', 'sctp'):
        port, = struct.unpack_from('>H', data, size + 2)
    elif proto == 'icmp':
        if data[size] not in (8, 128):
            return None
    return {'proto': proto, 'peer': fro, 'to': to, 'port': port}
