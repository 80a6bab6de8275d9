#!/usr/bin/env python3
"""Names inside a sandbox: what is answered, what is asked outside, and where
a connection to a name leads.

tap: waits
"""

import os
import re
import subprocess
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403
import net_dns  # noqa: E402

net = internet()
ALLOW = ['--allow-host', 'example.test']
STUB = '198.18.0.2'
OURS = re.compile(r'198\.1[89]\.\d+\.\d+$|fd6d:7863:6e65:7400::[0-9a-f:]+$')
GET = ['curl', '-sS', '--connect-timeout', '8']


def asks(name, kind='A', tcp=False, edns=False):
    """A probe that asks the resolver by hand and prints the answer in hex."""
    query = net_dns.make_query(name, kind, edns=edns)
    if tcp:
        return timed(
            f's = socket.create_connection(({STUB!r}, 53), 5)\n'
            f'q = {query!r}\n'
            's.sendall(len(q).to_bytes(2, "big") + q)\n'
            'f = s.makefile("rb")\n'
            'print("hex", f.read(int.from_bytes(f.read(2), "big")).hex())')
    return timed(
        's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n'
        f's.settimeout(5)\ns.sendto({query!r}, ({STUB!r}, 53))\n'
        'print("hex", s.recv(65535).hex())')


def answered(r):
    r.ok()
    return net_dns.read_answer(bytes.fromhex(
        re.search('^hex (.*)', r.out, re.M).group(1)))


def leads(name, *flags, to, v=''):
    """An HTTP connection to the name ends there."""
    r = net.inside([*GET, *v.split(), f'http://{name}/'], *flags).ok()
    where = f'[{to}]' if ':' in to else to
    has(r.out, f' at {where}:80')
    return r


# --- what is answered ------------------------------------------------------

@test
def the_resolver_of_the_sandbox():
    r = net.inside(['cat', '/etc/resolv.conf'], *ALLOW).ok()
    eq(re.findall(r'^nameserver (.*)', r.out, re.M), [STUB])


@cases({'A': 'A', 'AAAA': 'AAAA'})
def an_address_of_our_own(kind):
    rcode, _, rows = answered(net.inside(asks('example.test', kind), *ALLOW))
    eq((rcode, len(rows)), (0, 1))
    check(OURS.match(rows[0][2]), rows)
    eq(rows[0][:2], ('example.test', kind))


@test
def the_same_for_each_question_another_for_each_name():
    code = ('for _ in range(3):\n'
            '    for n in ("example.test", "other.test"):\n'
            '        for f in (socket.AF_INET, socket.AF_INET6):\n'
            '            print(socket.getaddrinfo(n, 80, f)[0][4][0])')
    r = net.inside(code, *ALLOW, '--allow-host', 'other.test').ok()
    got = r.out.split()[:-1]
    eq(len(set(got)), 4)
    eq(got, got[:4] * 3)
    check(all(OURS.match(a) for a in got), got)


@cases({'udp': False, 'tcp': True})
def by_both_transports(tcp):
    rcode, truncated, rows = answered(
        net.inside(asks('example.test', tcp=tcp), *ALLOW))
    eq((rcode, truncated, len(rows)), (0, False, 1))


@test
def with_edns_too():
    eq(answered(net.inside(asks('example.test', edns=True), *ALLOW))[0], 0)


@cases({'other': 'other.test', 'below': 'a.example.test',
        'beside': 'anexample.test', 'above': 'test', 'none': 'no.such.name'})
def another_name_does_not_exist(name):
    for kind in ('A', 'AAAA'):
        r = net.inside(asks(name, kind), *ALLOW)
        eq(answered(r), (net_dns.NXDOMAIN, False, []))
        within(ms(r), 50, 'ms')
    net.nothing_came()


@cases({k: k for k in ('TXT', 'MX', 'NULL', 'SRV', 'HTTPS', 'SVCB', 'ANY',
                       'CNAME', 'NS', 'SOA', 'PTR')})
def other_types_have_no_answer_and_are_not_asked(kind):
    rcode, _, rows = answered(net.inside(asks('example.test', kind), *ALLOW))
    check(rcode in (0, 3, 4, 5), rcode)
    if kind in ('HTTPS', 'SVCB'):
        eq(rcode, 0, 'so that clients fall back')
    if kind != 'ANY':
        eq(rows, [])
    check(all(t in ('A', 'AAAA') for _, t in net.queries()), net.queries())


@cases({'name': 'getaddrinfo("other.test", 80)',
        'address': 'gethostbyname("other.test")'})
def getaddrinfo_says_so_at_once(call):
    r = net.attack(timed(f'socket.{call}'), *ALLOW, refused=NO_NAME)
    within(ms(r), 50, 'ms')


@test
def localhost_stays_itself():
    r = net.inside('print(socket.gethostbyname("localhost"))', *ALLOW).ok()
    has(r.out, '127.0.0.1')
    eq(net.queries(), [])


# --- where it leads --------------------------------------------------------

@test
def a_name_with_v4_only():
    net.dns['four.test'] = A(OTHER)
    leads('four.test', '--allow-host', 'four.test', to=OTHER)
    leads('four.test', '--allow-host', 'four.test', to=OTHER, v='-4')


@test
def a_name_with_v6_only():
    net.dns['six.test'] = AAAA(OTHER6)
    leads('six.test', '--allow-host', 'six.test', to=OTHER6)
    leads('six.test', '--allow-host', 'six.test', to=OTHER6, v='-6')


@test
def an_alias():
    """The target need not be allowed: the name is what policy allows."""
    net.dns['alias.test'] = CNAME('cdn.elsewhere.test')
    net.dns['cdn.elsewhere.test'] = A(OTHER)
    leads('alias.test', '--allow-host', 'alias.test', to=OTHER)
    net.fresh()
    net.inside([*GET, 'http://cdn.elsewhere.test/'], '--allow-host',
               'alias.test').failed(6)
    net.nothing_came()


def connects_in(name, seconds, *addresses):
    """Time to connect to that name, inside; the server seen is one of them."""
    flags = ['--allow-host', name]
    r = net.inside(timed(
        f's = socket.create_connection(({name!r}, 13), 10)\n'
        'print(s.recv(100))'), *flags).ok()
    within(ms(r), seconds * 1000, 'ms')
    eq([s['to'] in addresses for s in net.seen(port=13)], [True])


@test
def v6_is_broken():
    """Happy eyeballs, outside: RFC 8305 waits 250 ms for the first."""
    net.dns['broken.test'] = A(WEB), AAAA(SILENT6)
    connects_in('broken.test', 0.5, WEB)


@test
def v4_is_broken():
    net.dns['broken.test'] = A(SILENT), AAAA(WEB6)
    connects_in('broken.test', 0.5, WEB6)


@test
def the_first_of_many_is_broken():
    net.dns['broken.test'] = A(SILENT, '192.0.2.98', WEB)
    connects_in('broken.test', 1.5, WEB)


@test
def the_first_of_two_has_no_such_port():
    """The gateway itself and not the client tries the next address."""
    net.dns['part.test'] = A(NIC.rsplit('.', 1)[0] + '.9', WEB)
    connects_in('part.test', 0.5, WEB, '203.0.113.9')


@test
def v6_is_answered_late():
    net.dns['late.test'] = A(WEB), Late(0.3)
    connects_in('late.test', 2, WEB)


@test
def a_truncated_answer():
    net.dns['long.test'] = A(WEB), TRUNCATED
    leads('long.test', '--allow-host', 'long.test', to=WEB)
    check({q['transport'] for q in net.log('query')} >= {'udp', 'tcp'})


@test
def a_hundred_addresses():
    net.dns['many.test'] = A(*[f'198.51.100.{n}' for n in range(1, 101)])
    r = net.inside([*GET, 'http://many.test/'], '--allow-host',
                   'many.test').ok()
    has(r.out, ' at 198.51.100.')


@test
def addresses_that_change_are_followed():
    net.dns['moves.test'] = Flip(A(WEB, ttl=0), A(OTHER, ttl=0))
    # No TTL is so short that each connection asks anew: 5 s at least.
    code = ('for _ in range(14):\n'
            '    s = socket.create_connection(("moves.test", 13), 5)\n'
            '    s.close()\n    time.sleep(0.5)')
    net.inside(code, '--allow-host', 'moves.test').ok()
    seen = [s['to'] for s in net.seen(port=13)]
    check(seen[-1] == OTHER, seen)


# --- the host's resolvers ---------------------------------------------------

RESOLVERS = {
    'on loopback': ('nameserver 127.0.0.53\n', '127.0.0.53', 2),
    'on v6 loopback': ('nameserver ::1\n', '::1', 2),
    'of the network': (f'nameserver {OTHER}\n', OTHER, 2),
    'v6': (f'nameserver {RESOLVER6}\n', RESOLVER6, 2),
    'the first is silent': (f'nameserver {SILENT}\nnameserver {RESOLVER}\n'
                            'options timeout:1 attempts:1\n', RESOLVER, 8),
    'words around': (f'# a comment\n; and another\nsearch a.test b.test\n'
                     f'sortlist 10.0.0.0\noptions rotate ndots:5 edns0\n'
                     f'nameserver\t {RESOLVER} \t\n', RESOLVER, 2),
    'without an end': (f'nameserver {RESOLVER}', RESOLVER, 2),
}


@cases(RESOLVERS)
def a_resolver_of_the_host(text, used, seconds):
    net.dns['four.test'] = A(WEB)
    with net.file('/etc/resolv.conf', text):
        r = leads('four.test', '--allow-host', 'four.test', to=WEB)
    within(r.seconds, seconds, r)
    check(used in {q['to'] for q in net.log('query')}, net.log('query'))
    eq({name for name, _ in net.queries()}, {'four.test'},
       'no search list')


@cases({'empty': '', 'junk': 'nameserver x\nnameserver\n\0\xff'})
def no_resolver(text):
    """resolv.conf(5): then it is the one on loopback."""
    with net.file('/etc/resolv.conf', text.replace('\xff', '?')):
        r = net.inside(connecting('example.test', 80, 20), *ALLOW)
    check(r.done or r.refused and ms(r) < 8000, r)


HOSTS = (f'127.0.0.1 localhost\n::1 localhost\n{OTHER} pinned.test alias.x\n'
         f'10.1.2.3 db.corp.test # ours\n127.0.0.1 evil.test\n'
         f'{LAN_NIC} me.test\n{OTHER6} six.test\n')


@test
def the_hosts_own_hosts_file():
    """It is asked before a resolver, and believed no more than one."""
    with net.file('/etc/hosts', HOSTS):
        leads('pinned.test', '--allow-host', 'pinned.test', to=OTHER)
        leads('six.test', '--allow-host', 'six.test', to=OTHER6)
        leads('db.corp.test', '--allow-intranet-host', 'db.corp.test',
              to='10.1.2.3')
        net.fresh()
        for name in ('db.corp.test', 'evil.test', 'me.test'):
            r = net.inside([*GET, f'http://{name}/'], '--allow-host', name)
            check(r.status in (6, 7, 52, 56), r)
        for name in ('evil.test', 'me.test'):
            r = net.inside([*GET, f'http://{name}/'], '--allow-intranet-host',
                           name)
            check(r.status in (6, 7, 52, 56), r)
    eq(net.packets(proto='tcp'), [])
    eq(net.seen(side='host'), [])


@test
def a_resolver_that_changes_meanwhile():
    """Laptops do that.  What the gateway read at its start may stay."""
    code = ('a = socket.create_connection(("example.test", 13), 8)\n'
            'print("one", flush=True)\nsys.stdin.readline()\n'
            'b = socket.create_connection(("other.test", 13), 8)\n')
    p = spawn([MXC, *mxc_args(pyprobe(code), flags=[
        *ALLOW, '--allow-host', 'other.test'])], stdin=subprocess.PIPE)
    eq(p.stdout.readline(), b'one\n')
    with net.file('/etc/resolv.conf', f'nameserver {OTHER}\n'):
        out, err = p.communicate(b'\n')
    has(out.decode(), 'done', err)


# --- names that lead nowhere -----------------------------------------------

@cases({'no such name': None, 'failure': SERVFAIL, 'refused': REFUSED,
        'no address': TXT('x')})
def a_name_that_does_not_resolve(entry):
    """Soon, and the client is told that there is no such thing."""
    net.dns['bad.test'] = entry
    r = net.inside(connecting('bad.test', 80, 8), '--allow-host', 'bad.test')
    check(r.refused in (NO_NAME, TRY_AGAIN, NO_ADDRESS, 'EHOSTUNREACH',
                        'EACCES', 'ECONNREFUSED', 'ECONNRESET'), r)
    within(ms(r), 2500, 'ms')
    eq(net.packets(proto='tcp'), [p for p in net.packets(proto='tcp')
                                  if p['port'] == 53])


@test
def a_resolver_that_says_nothing():
    net.dns['mute.test'] = SILENCE
    r = net.inside(connecting('mute.test', 80, 25), '--allow-host',
                   'mute.test')
    check(not r.done and ms(r) < 20000, r)


@test
def nobody_answers_at_the_address():
    """That is the server's silence: the client's own patience decides."""
    net.dns['far.test'] = A(SILENT)
    r = net.inside(connecting('far.test', 80, 1), '--allow-host', 'far.test')
    check(not r.done, r)
    eq({p['to'] for p in net.packets(proto='tcp')}, {SILENT})


@test
def it_asks_outside_only_for_what_was_asked_inside():
    net.inside(['true'], *ALLOW, '--allow-host', 'other.test').ok()
    eq(net.queries(), [])
    net.inside([*GET, 'http://example.test/'], *ALLOW, '--allow-host',
               'other.test').ok()
    eq({name for name, _ in net.queries()}, {'example.test'})


main()
