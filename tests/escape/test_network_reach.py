#!/usr/bin/env python3
"""Where a workload may not get by network: default policy, addresses, names,
encodings, the host's loopback, metadata services (G1-G3, G5, G6, G11, G12,
G14, G21).

Each attack works in the host first; canaries tell what got through."""

import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403

net = internet()
NAME = ['--allow-host', 'example.test']
INTERNET = ['--allow-net', 'internet']
UNREACHABLE = ('EHOSTUNREACH', 'ENETUNREACH', 'EACCES')
CURL = ['curl', '-sS', '--connect-timeout', '5', '-m', '10']


def raw(family, proto, to):
    return (f's = socket.socket(socket.{family}, socket.SOCK_RAW, {proto})\n'
            f's.sendto(bytes([8, 0, 0xf7, 0xff, 0, 0, 0, 0]), ({to!r}, 0))')


# --- G1: the default is nothing ---

NOTHING = {
    'tcp': connecting(WEB, 80), 'tcp6': connecting(WEB6, 80),
    'udp': sending(WEB), 'udp6': sending(WEB6),
    'name': connecting('example.test', 80),
    'private': connecting('10.1.2.3', 80),
    'metadata': connecting('169.254.169.254', 80),
    'resolver': sending(RESOLVER, 53, b'\x124\1\0\0\1\0\0\0\0\0\0\0\0\1\0\1'),
}


# With a report of what is refused there is a gateway, which refuses all.
NO_NETWORK = (('EHOSTUNREACH', 'EACCES') if 'MXC_DENIALS' in os.environ
              else ('ENETUNREACH',))


@cases(NOTHING)
def g1_without_a_word_there_is_no_network(code):
    r = net.attack(code, refused=(*NO_NETWORK, TRY_AGAIN, NO_NAME))
    within(ms(r), slow(50), 'ms')


# Without an answer: what counts is whether a packet leaves.
SHOTS = {
    'broadcast': ('s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n'
                  's.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)\n'
                  's.sendto(b"x", (ADDR, 9999))', ['255.255.255.255',
                                                  '203.0.113.255']),
    'multicast': ('s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n'
                  's.sendto(b"x", (ADDR, PORT))',
                  ['224.0.0.251', '224.0.0.252', '239.255.255.250']),
    'multicast6': ('s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n'
                   'i = max(n for n, _ in socket.if_nameindex())\n'
                   's.sendto(b"x", (ADDR, PORT, 0, i))',
                   ['ff02::1', 'ff02::fb', 'ff05::c']),
    'link-local': ('s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)\n'
                   'i = max(n for n, _ in socket.if_nameindex())\n'
                   's.sendto(b"x", (ADDR, PORT, 0, i))', ['fe80::fe']),
}


@cases(SHOTS)
def g1_a_shot_into_the_dark(code, addresses):
    for address in addresses:
        shot = code.replace('ADDR', repr(address)).replace('PORT', '5353')
        check(net.outside(shot).done, 'control')
        check(net.packets(to=address), f'control: {net.packets()}')
        net.fresh()
        for flags in ([], NAME, INTERNET, ['--allow-net', '0.0.0.0/0',
                                           '--allow-net', '2000::/3']):
            net.inside(shot, *flags)
            net.nothing_came()


@cases({'icmp': ('AF_INET', 1, WEB), 'icmp6': ('AF_INET6', 58, WEB6),
        'tcp': ('AF_INET', 6, WEB), 'any': ('AF_INET', 255, WEB),
        'sctp': ('AF_INET', 132, WEB)})
def g1_raw_sockets(family, proto, to):
    code = raw(family, proto, to)
    if IS_ROOT and proto != 255:
        check(net.outside(code).done, 'control')
    net.fresh()
    for flags in ([], NAME, INTERNET):
        r = net.inside(code, *flags)
        check(r.refused in ('EPERM', 'EACCES', 'EPROTONOSUPPORT',
                            'ESOCKTNOSUPPORT', 'EAFNOSUPPORT'), r)
    net.nothing_came()


@cases({'packet': 'socket.socket(17, socket.SOCK_RAW, 0x300)',
        'packet datagrams': 'socket.socket(17, socket.SOCK_DGRAM, 0x300)',
        'sctp': 'socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)',
        'dccp': 'socket.socket(socket.AF_INET, 6, 33)',
        'mptcp': 'socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)',
        'udplite': 'socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 136)',
        'vsock': 'socket.socket(40, socket.SOCK_STREAM)'})
def g1_other_protocols(code):
    for flags in ([], NAME, INTERNET):
        r = net.inside(code, *flags)
        check(r.refused in ('EPERM', 'EACCES', 'EPROTONOSUPPORT',
                            'ESOCKTNOSUPPORT', 'EAFNOSUPPORT'), r)


# --- G2: what a workload says in its environment ---

@cases({'proxies': {'HTTP_PROXY': f'http://{OTHER}:80', 'NO_PROXY': '*',
                    'https_proxy': f'http://{OTHER}:80',
                    'ALL_PROXY': f'http://{OTHER}:80'},
        'none': {'http_proxy': '', 'https_proxy': ''},
        'resolver': {'RES_OPTIONS': 'use-vc', 'LOCALDOMAIN': 'test',
                     'HOSTALIASES': '/tmp/aliases'}})
def g2_the_environment_changes_nothing(env):
    argv = ['env', *[f'{k}={v}' for k, v in env.items()], *CURL,
            'https://other.test/']
    net.host(*argv)
    net.fresh()
    r = net.inside(argv, *NAME)
    check(r.status in (5, 6, 7), r)
    net.nothing_came()


# --- G3: past the name ---

PAST = {
    'its address': ('http://example.test/', ['http://' + WEB + '/'], 7),
    'its v6 address': ('http://example.test/', [f'http://[{WEB6}]/'], 7),
    'resolve': ('http://other.test/', [
        '--resolve', f'other.test:80:{OTHER}', 'http://other.test/'], 7),
    'a co-tenant': ('http://other.test/', [
        '--connect-to', f'::{WEB}:', 'http://other.test/'], 7),
    'own resolver': ('http://other.test/', [
        '--doh-url', 'https://198.51.100.8/', 'http://other.test/'], 6),
}


@cases(PAST)
def g3_past_the_name(control, args, status):
    net.host(*CURL, control).ok()
    net.fresh()
    net.inside([*CURL, *args], *NAME).failed(status)
    net.nothing_came()


@cases({'another resolver': RESOLVER, 'v6': RESOLVER6, 'public': '8.8.8.8'})
def g3_another_resolver(server):
    import net_dns
    query = net_dns.make_query('other.test')
    for port, tcp in ((53, False), (53, True), (5353, False), (853, True)):
        code = (connecting(server, port) if tcp
                else sending(server, port, query))
        net.attack(code, *NAME, refused=UNREACHABLE, control=port != 853)


@test
def g3_a_name_of_the_workloads_own_hosts_file():
    """/etc/hosts can be written by root inside, at most; it leads nowhere."""
    code = ('try:\n    open("/etc/hosts", "a").write("%s other.test\\n")\n'
            'except OSError:\n    pass\n' % OTHER
            + connecting('other.test', 80))
    r = net.inside(code, *NAME)
    check(r.refused in (NO_NAME, *UNREACHABLE), r)
    net.nothing_came()


@test
def g3_the_pool_beside_the_known_names():
    """Synthetic addresses that belong to no name lead nowhere."""
    code = ('import ipaddress\n'
            'own = socket.gethostbyname("example.test")\n'
            'n = int(ipaddress.ip_address(own))\n'
            'for k in [*range(1, 40), *range(-40, 0), 1000, 65536]:\n'
            '    s = socket.socket()\n    s.settimeout(3)\n'
            '    a = str(ipaddress.ip_address(n + k))\n'
            '    try:\n        s.connect((a, 80))\n'
            '        s.sendall(b"GET / HTTP/1.0\\r\\nHost: example.test'
            '\\r\\n\\r\\n")\n'
            '        if s.recv(100):\n            sys.exit(f"{a} answers")\n'
            '    except TimeoutError:\n        sys.exit(f"{a} is silent")\n'
            '    except OSError:\n        pass')
    net.inside(code, *NAME).ok()
    eq(net.requests(), [])


# --- G5: where an allowed name may lead ---

BAD4 = ('127.0.0.1', '127.8.8.8', '0.0.0.0', '0.1.2.3', *METADATA[:3],
        LINK_LOCAL, *PRIVATE[:4], NIC, LAN_NIC, GATEWAY, '10.9.9.254',
        '203.0.113.255', '255.255.255.255', '224.0.0.251', '240.0.0.1',
        '198.18.0.2', '198.18.1.0')
# The neighbour is a public address like any other.
BAD4 = tuple(a for a in BAD4 if a not in (GATEWAY, '203.0.113.255'))
BAD6 = ('::1', '::', 'fe80::fe', METADATA[3], PRIVATE[4], NIC6, 'ff02::1',
        '::ffff:127.0.0.1', '::127.0.0.1', '64:ff9b::7f00:1',
        '64:ff9b::a01:203', '64:ff9b::a9fe:a9fe', '2002:7f00:1::',
        '2002:a01:203::1', '::ffff:10.1.2.3', '::ffff:169.254.169.254',
        'fd6d:7863:6e65:7400::2', 'fec0::1')
NOWHERE = (NO_NAME, NO_ADDRESS, TRY_AGAIN, 'ECONNREFUSED', 'EHOSTUNREACH',
           'EACCES', 'ECONNRESET')


def never_dialled(name, *addresses, tries=1):
    """Whatever port: no packet, no connection of the host's."""
    for port in (80, 443, 7):
        code = ('import socket\n'
                f'for _ in range({tries}):\n'
                '    try:\n'
                f'        s = socket.create_connection(({name!r}, {port}), 5)\n'
                '        s.sendall(b"x\\r\\n\\r\\n")\n'
                '        s.shutdown(socket.SHUT_WR)\n'
                '        while s.recv(1000):\n            pass\n'
                '    except TimeoutError:\n        sys.exit("slow")\n'
                '    except OSError as e:\n        print(e)')
        net.inside(code, '--allow-host', name).ok()
    check({n for n, _ in net.queries()} >= {name}, 'it was looked up')
    net.nothing_came(*addresses)
    eq(net.seen(side='host'), [])


@cases({a: a for a in BAD4})
def g5_a_name_that_leads_to(address):
    net.dns['evil.test'] = A(address)
    never_dialled('evil.test', address)
    eq([p for p in net.packets() if p['port'] != 53], [])


@cases({a: a for a in BAD6})
def g5_a_name_that_leads_to_v6(address):
    net.dns['evil.test'] = AAAA(address)
    never_dialled('evil.test', address)
    eq([p for p in net.packets() if p['port'] != 53], [])


@test
def g5_the_controls_do_reach():
    for address in ('127.0.0.1', '0.0.0.0', NIC, *METADATA[:3], *PRIVATE[:4]):
        net.dns['evil.test'] = A(address)
        net.host(*CURL, 'http://evil.test/').ok()
    for address in ('::1', '::', METADATA[3], NIC6, '64:ff9b::7f00:1',
                    '2002:7f00:1::'):
        net.dns['evil.test'] = AAAA(address)
        net.host(*CURL, 'http://evil.test/').ok()


@test
def g5_an_alias_to_the_inside():
    net.dns['evil.test'] = CNAME('db.internal.test')
    net.dns['db.internal.test'] = A('10.1.2.3')
    never_dialled('evil.test', '10.1.2.3')


@test
def g5_good_and_bad_together():
    """The good one is dialled, the bad ones are not."""
    net.dns['evil.test'] = A('10.1.2.3', '127.0.0.1', WEB,
                             '169.254.169.254'), AAAA('::1', 'fd12:3456::7')
    for _ in range(3):
        r = net.inside([*CURL, 'http://evil.test/'], '--allow-host',
                       'evil.test').ok()
        has(r.out, f'at {WEB}:80')
    net.nothing_came('10.1.2.3', '169.254.169.254', 'fd12:3456::7')
    eq(net.seen(side='host'), [])


@cases({'flip': Flip(A(WEB, ttl=0), A('127.0.0.1', ttl=0)),
        'flip to metadata': Flip(A(WEB, ttl=0),
                                 A('169.254.169.254', ttl=0)),
        'rotation': [A(WEB, '10.1.2.3', '127.0.0.1', ttl=0), ROTATE],
        'split': [A(WEB, ttl=0), AAAA('::1', ttl=0)]})
def g5_answers_that_change(entry):
    net.dns['evil.test'] = entry
    code = ('for i in range(30):\n    try:\n'
            '        s = socket.create_connection(("evil.test", 80), 5)\n'
            '        s.sendall(b"GET / HTTP/1.1\\r\\nHost: evil.test\\r\\n'
            'Connection: close\\r\\n\\r\\n")\n        s.recv(10000)\n'
            '        s.close()\n    except OSError as e:\n        print(e)\n'
            '    time.sleep(0.02)')
    net.inside(code, '--allow-host', 'evil.test').ok()
    net.nothing_came('10.1.2.3', '169.254.169.254')
    eq(net.seen(side='host'), [])
    check({r['to'] for r in net.requests()} <= {WEB}, net.requests())


@test
def g5_records_of_another_name():
    """A resolver that adds what was not asked is not believed."""
    net.dns['evil.test'] = A(WEB), Foreign('other.test', 'A', OTHER)
    net.dns['other.test'] = A(OTHER)
    r = net.inside([*CURL, 'http://evil.test/'], '--allow-host',
                   'evil.test').ok()
    has(r.out, f'at {WEB}:80')
    net.nothing_came(OTHER)


# --- G6: ways to write an address ---

WRITTEN = ('127.0.0.1', '0x7f.1', '2130706433', '127.1', '0177.0.0.1',
           '0x7f000001', '0', '0.0.0.0', '[::1]', '[::]', '[::ffff:127.0.0.1]',
           '[::ffff:7f00:1]', '[::127.0.0.1]', '[64:ff9b::7f00:1]',
           '[2002:7f00:1::]', 'localhost', 'LOCALHOST', 'localhost.',
           'foo.localhost', 'host.docker.internal', 'this-host', 'ip6-localhost',
           NIC, LAN_NIC, f'[{NIC6}]', f'[::ffff:{NIC}]', '3405803777')


@cases({w: w for w in WRITTEN})
def g6_the_host_by_another_spelling(host):
    for flags in (NAME, INTERNET):
        for port in (80, 8080):
            r = net.inside([*CURL, f'http://{host}:{port}/'], *flags)
            check(r.status in (3, 6, 7, 45, 56), r)
    # With 'internet' any name may be asked for; localhost's are the host's.
    eq([p for p in net.packets() if p['port'] != 53], [])
    eq(net.seen(side='host'), [])
    eq([n for n, _ in net.queries() if 'localhost' in n.split('.')], [])


@cases({w: w for w in WRITTEN if not w[0] == '['
        and w not in ('host.docker.internal', 'this-host', 'ip6-localhost')})
def g6_no_name_in_a_policy(text):
    r = net.inside(['true'], '--allow-host', text)
    check(r.status in (2, 125), r)


# --- G11: v6 denied, v4 allowed ---

@test
def g11_a_denied_family_costs_no_time():
    flags = ['--allow-net', WEB, '--deny-net', '2001:db8::/32']
    code = timed('for a in ("%s", "%s"):\n'
                 '    try:\n'
                 '        socket.create_connection((a, 80), 5)\n'
                 '        break\n    except OSError:\n        pass'
                 % (WEB6, WEB))
    r = net.inside(code, *flags).ok()
    within(ms(r), min(slow(300), 4000), 'ms')   # 5 s: not at all
    net.nothing_came(WEB6)
    eq(len(net.seen(to=WEB)), 1)


# --- G12: sent elsewhere by an allowed server ---

@cases({'name': 'https://other.test/', 'address': f'http://{OTHER}/',
        'loopback': 'http://127.0.0.1/', 'v6': f'http://[{OTHER6}]/',
        'metadata': 'http://169.254.169.254/latest/meta-data/',
        'nic': f'http://{NIC}/'})
def g12_a_redirect_to_the_denied(to):
    argv = [*CURL, '-L', f'http://example.test/redirect?to={to}']
    net.host(*argv).ok()
    net.fresh()
    r = net.inside(argv, *NAME)
    check(r.status in (6, 7), r)
    eq([p['to'] for p in net.packets() if p['to'] not in (
        WEB, WEB6, RESOLVER, RESOLVER6)], [])
    eq(net.seen(side='host'), [])


# --- G14: the host itself ---

HOSTS = ('127.0.0.1', '127.0.0.2', '0.0.0.0', NIC, LAN_NIC, '::1', '::', NIC6)


@cases({a: a for a in HOSTS})
def g14_the_host_is_not_reached(address):
    refused = (*UNREACHABLE, 'ECONNREFUSED', 'EADDRNOTAVAIL')
    for flags in ([], NAME, INTERNET, ['--allow-net', '0.0.0.0/0'],
                  ['--allow-net', '2000::/3'], ['--allow-net', '10.0.0.0/8']):
        for port in (7, 80):
            net.attack(connecting(address, port), *flags, refused=refused)
        r = net.inside(sending(address, 7, seconds=0.3), *flags)
        check(not r.done, r)
        net.nothing_came()


@test
def g14_own_address_only_by_its_own_rule():
    """An allow rule for exactly that address is a word, loopback's is not."""
    check(net.inside(connecting(NIC, 80), '--allow-net', NIC).done)
    net.fresh()
    r = net.inside(connecting(NIC, 80), '--allow-net', '203.0.113.0/30')
    eq(r.refused, 'EHOSTUNREACH')
    net.nothing_came()


# --- G21: IPv6's own ways ---

@cases({'mapped': ('::ffff:203.0.113.10', ['--allow-net', OTHER]),
        'mapped private': ('::ffff:10.1.2.3', INTERNET),
        'mapped metadata': ('::ffff:169.254.169.254', INTERNET),
        'nat64': ('64:ff9b::a01:203', INTERNET),
        '6to4': ('2002:a01:203::1', INTERNET),
        'nat64 of loopback': ('64:ff9b::7f00:1', INTERNET),
        'site-local': ('fec0::1', INTERNET),
        'link-local': ('fe80::fe', INTERNET)})
def g21_v6_forms(address, flags):
    r = net.inside(connecting(address, 80), *flags)
    check(r.refused in ('EHOSTUNREACH', 'EACCES', 'ENETUNREACH', 'EINVAL',
                        'EADDRNOTAVAIL'), r)
    net.nothing_came()


@test
def g21_the_interface_has_no_neighbours():
    """No router is asked for, none is believed."""
    code = ('for n, name in socket.if_nameindex():\n    print(name)\n'
            'print(open("/proc/net/if_inet6").read())')
    r = net.inside(code, *INTERNET).ok()
    names = [x for x in r.out.split('\n') if x and ' ' not in x]
    eq([n for n in names if n not in ('lo', 'done')], [], 'interfaces')


main()
