"""net_dns.py - the name server of the test internet: zone, wire, transports.

It plays a recursive resolver that knows everything: a CNAME is followed within
its own zone.  What it is asked is logged before it is answered, so a name that
is not in the log was asked by nobody.

A zone maps lower-case names ('*.x' for all below x) to a dictionary:
    records   [[type, value, ttl] or [type, value, ttl, owner], ...]
    rcode     answer with this code and nothing else
    silent    no answer at all
    truncate  over UDP only the header, with TC
    rotate    begin one record later with each query
    flip      [dictionary, ...]: one after the other, the last one for good
    delay     seconds before the answer
    mangle    spoil the answer in one of the ways of MANGLED
"""

import itertools
import socket
import struct

TYPES = {'A': 1, 'NS': 2, 'CNAME': 5, 'SOA': 6, 'NULL': 10, 'PTR': 12,
         'MX': 15, 'TXT': 16, 'AAAA': 28, 'SRV': 33, 'SVCB': 64, 'HTTPS': 65,
         'ANY': 255}
NAMES = {number: name for name, number in TYPES.items()}
NXDOMAIN, SERVFAIL, REFUSED, FORMERR = 3, 2, 5, 1


def pack_name(name):
    out = b''
    for label in name.rstrip('.').split('.') if name.strip('.') else ():
        raw = label.encode('latin-1')
        out += bytes([len(raw)]) + raw
    return out + b'\0'


def read_name(data, at):
    """The name at that offset, as latin-1 text, and where it ends."""
    labels, end, jumps = [], None, 0
    while True:
        n = data[at]
        if n & 0xc0 == 0xc0:
            end = end or at + 2
            at = struct.unpack_from('>H', data, at)[0] & 0x3fff
            jumps += 1
            if jumps > 20:
                raise ValueError('a loop of pointers')
            continue
        at += 1
        if n == 0:
            return '.'.join(labels), end or at
        labels.append(data[at:at + n].decode('latin-1'))
        at += n


def pack_value(kind, value):
    if kind == 'A':
        return socket.inet_aton(value)
    if kind == 'AAAA':
        return socket.inet_pton(socket.AF_INET6, value)
    if kind in ('CNAME', 'NS', 'PTR'):
        return pack_name(value)
    if kind == 'TXT':
        raw = value.encode()
        return b''.join(bytes([len(p)]) + p for p in
                        (raw[i:i + 255] for i in range(0, len(raw), 255)))
    return bytes.fromhex(value)


def make_query(name, kind='A', number=0x1234, edns=False):
    """For tests that ask by hand."""
    head = struct.pack('>6H', number, 0x0100, 1, 0, 0, int(edns))
    ask = pack_name(name) + struct.pack('>HH', TYPES.get(kind, kind), 1)
    opt = b'\0' + struct.pack('>HHIH', 41, 1232, 0, 0) if edns else b''
    return head + ask + opt


def read_answer(data):
    """(rcode, truncated, [(owner, type, value as text or bytes, ttl)])."""
    _, flags, asked, answers, _, _ = struct.unpack_from('>6H', data)
    at, rows = 12, []
    for _ in range(asked):
        at = read_name(data, at)[1] + 4
    for _ in range(answers):
        owner, at = read_name(data, at)
        kind, _, ttl, size = struct.unpack_from('>HHIH', data, at)
        at += 10
        raw = data[at:at + size]
        kind = NAMES.get(kind, kind)
        value = (socket.inet_ntoa(raw) if kind == 'A' else
                 socket.inet_ntop(socket.AF_INET6, raw) if kind == 'AAAA' else
                 read_name(data, at)[0] if kind == 'CNAME' else raw)
        rows.append((owner, kind, value, ttl))
        at += size
    return flags & 15, bool(flags & 0x200), rows


class Zone:
    def __init__(self):
        self.base, self.names = {}, {}
        self.turns = {}

    def fresh(self):
        """Back to what was set before the first test."""
        self.names = dict(self.base)
        self.turns = {}

    def find(self, name):
        name = name.lower()
        if name in self.names:
            return name, self.names[name]
        labels = name.split('.')
        for i in range(1, len(labels)):
            star = '.'.join(['*', *labels[i:]])
            if star in self.names:
                return name, self.names[star]
        return name, None

    def turn(self, *key):
        return next(self.turns.setdefault(key, itertools.count()))

    def look_up(self, name, kind):
        """(rcode, rows of the answer, the entry that the name itself has)."""
        first, rows = None, []
        for _ in range(12):
            key, entry = self.find(name)
            if entry and 'flip' in entry:
                steps = entry['flip']
                entry = steps[min(self.turn(key, kind), len(steps) - 1)]
            first = first or entry or {}
            if entry is None or entry.get('rcode') == NXDOMAIN:
                return (0 if rows else NXDOMAIN), rows, first
            if entry.get('rcode'):
                return entry['rcode'], [], first
            records = [[*r, name][:4] for r in entry.get('records', ())]
            mine = [r for r in records if kind in (r[0], 'ANY')]
            if entry.get('rotate') and mine:
                by = self.turn(key, kind) % len(mine)
                mine = mine[by:] + mine[:by]
            rows += mine
            alias = next((r for r in records if r[0] == 'CNAME'), None)
            if mine or not alias:
                break
            rows.append(alias)
            name = alias[1]
        return 0, rows, first


def answer(zone, data, udp, note):
    """(answer to one message or None, seconds until then); logs it first."""
    try:
        number, flags, asked, _, _, more = struct.unpack_from('>6H', data)
        name, at = read_name(data, 12)
        kind = struct.unpack_from('>H', data, at)[0]
    except (struct.error, IndexError, ValueError):
        note('', 'malformed')
        return None, 0
    kind = NAMES.get(kind, f'TYPE{kind}')
    note(name, kind)
    rcode, rows, entry = zone.look_up(name, kind)
    if entry.get('silent'):
        return None, 0
    question = data[12:at + 4]
    room, opt = 512, b''
    if more and data[at + 4:at + 7] == b'\0\0\x29':
        room = max(512, struct.unpack_from('>H', data, at + 7)[0])
        opt = b'\0' + struct.pack('>HHIH', 41, 1232, 0, 0)
    body = b''
    for what, value, ttl, owner in rows:
        value = pack_value(what, value)
        body += pack_name(owner) + struct.pack(
            '>HHIH', TYPES[what], 1, ttl, len(value)) + value
    flags = 0x8180 | (flags & 0x0100) | rcode
    if udp and (entry.get('truncate')
                or 12 + len(question) + len(body) + len(opt) > room):
        flags, body, rows = flags | 0x0200, b'', []
    said = struct.pack('>6H', number, flags, asked, len(rows), 0,
                       int(bool(opt))) + question + body + opt
    if entry.get('mangle'):
        said = MANGLED[entry['mangle']](said, 12 + len(question))
    return said, entry.get('delay', 0)


def _put(said, at, new):
    return said[:at] + new + said[at + len(new):]


# What is made of a message whose answers begin at that offset.
MANGLED = {
    'number': lambda m, at: bytes([m[0] ^ 1]) + m[1:],
    'no answer but a query': lambda m, at: _put(m, 2, bytes([m[2] & 0x7f])),
    'case': lambda m, at: m[:12] + m[12:at].swapcase() + m[at:],
    'question': lambda m, at: _put(m, 13, b'X'),
    'no question': lambda m, at: _put(m[:12] + m[at:], 4, b'\0\0'),
    'cut': lambda m, at: m[:at + 7],
    'cut head': lambda m, at: m[:7],
    'loop': lambda m, at: m[:at] + struct.pack('>H', 0xc000 | at) + m[at:],
    'pointer ahead': lambda m, at: m[:at] + b'\xff\xff' + m[at:],
    'count': lambda m, at: _put(m, 6, b'\xff\xff'),
    'length': lambda m, at: _put(m, read_name(m, at)[1] + 8, b'\0\3'),
    'long length': lambda m, at: _put(m, read_name(m, at)[1] + 8,
                                      b'\xff\xff'),
    'tail': lambda m, at: m + bytes(300),
    'label type': lambda m, at: m[:at] + b'\x80' + m[at + 1:],
}
