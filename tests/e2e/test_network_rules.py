#!/usr/bin/env python3
"""Rules about addresses, as flags and as requests: blocks, exceptions, ports,
protocols, deny before allow, special addresses, and what is told about it."""

import json
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403

net = internet()


def errno_of(address):
    return 'EACCES' if ':' in address else 'EHOSTUNREACH'


def tries(where, flags=(), allowed=(), refused=(), policy=None):
    """Connections to (address, port): which work, and that no other left."""
    for address, port in allowed:
        r = net.inside(connecting(address, port), *flags, policy=policy)
        check(r.done, f'{where}: {address} {port} is allowed: {r}')
        eq([(s['to'], s['port']) for s in net.seen()], [(address, port)])
        net.fresh()
    for address, port in refused:
        r = net.inside(connecting(address, port), *flags, policy=policy)
        eq(r.refused, errno_of(address), f'{where}: {address} {port}: {r}')
        net.nothing_came()


def request(**network):
    return {'version': '1.1.0+c1', 'network': network}


# --- flags -----------------------------------------------------------------

BLOCKS = {
    'one address': (['--allow-net', WEB], [(WEB, 80), (WEB, 7)],
                    [('203.0.113.11', 80), (WEB6, 80)]),
    'a block': (['--allow-net', '203.0.113.8/29'],
                [('203.0.113.8', 80), ('203.0.113.15', 80)],
                [('203.0.113.16', 80), ('203.0.113.7', 80)]),
    'a port': (['--allow-net', f'{WEB}:80'], [(WEB, 80)],
               [(WEB, 7), (WEB, 443), (OTHER, 80)]),
    'a block and a port': (['--allow-net', '203.0.113.0/24:443'],
                           [(WEB, 443)], [(WEB, 80), (OTHER, 443)]),
    'v6': (['--allow-net', WEB6], [(WEB6, 80)], [(OTHER6, 80), (WEB, 80)]),
    'v6 and a port': (['--allow-net', f'[{WEB6}]:80'], [(WEB6, 80)],
                      [(WEB6, 7), (OTHER6, 80)]),
    'v6 block': (['--allow-net', '2001:db8:1::/124'],
                 [('2001:db8:1::f', 80)], [(WEB6, 80)]),
    'v6 block and a port': (['--allow-net', '[2001:db8:1::]/64:80'],
                            [(WEB6, 80), (OTHER6, 80)], [(WEB6, 7)]),
    'two': (['--allow-net', WEB, '--allow-net', f'[{OTHER6}]:7'],
            [(WEB, 80), (OTHER6, 7)], [(OTHER6, 80), (OTHER, 80)]),
    'deny beats allow': (
        ['--allow-net', WEB, '--deny-net', '203.0.113.0/24'], [],
        [(WEB, 80)]),
    'deny a part': (['--deny-net', f'{WEB}/32', '--allow-net',
                     '203.0.113.0/24'], [('203.0.113.11', 80)], [(WEB, 80)]),
    'deny a port': (['--allow-net', WEB, '--deny-net', f'{WEB}:7'],
                    [(WEB, 80)], [(WEB, 7)]),
    'the internet': (['--allow-net', 'internet'],
                     [(WEB, 80), (OTHER, 7), (WEB6, 80), ('8.8.8.8', 80)],
                     [(a, 80) for a in (*PRIVATE, *METADATA, NIC, NIC6,
                                        LAN_NIC, LINK_LOCAL)]),
    'the internet but': (['--allow-net', 'internet', '--deny-net',
                          '198.51.100.0/24', '--deny-net', '2001:db8::/32'],
                         [(WEB, 80)], [(OTHER, 80), (WEB6, 80)]),
    'all of v4': (['--allow-net', '0.0.0.0/0'], [(WEB, 80)],
                  [(a, 80) for a in (*PRIVATE[:4], *METADATA[:3], NIC,
                                     LAN_NIC, LINK_LOCAL, WEB6)]),
    'half of v6': (['--allow-net', '2000::/3'], [(WEB6, 80)],
                   [('fd12:3456::7', 80), (NIC6, 80), (WEB, 80)]),
    'a private network': (['--allow-net', '10.0.0.0/8'],
                          [('10.1.2.3', 80)],
                          [(LAN_NIC, 80), ('192.168.77.7', 80), (WEB, 80)]),
    'more than private': (['--allow-net', '10.0.0.0/7'], [],
                          [('10.1.2.3', 80)]),
    'a unique local one': (['--allow-net', 'fd12:3456::/32'],
                           [('fd12:3456::7', 80)], [('fd00:ec2::254', 80)]),
    'the metadata service by name': (
        ['--allow-net', '169.254.169.254'], [('169.254.169.254', 80)],
        [(LINK_LOCAL, 80)]),
    'around the metadata service': (
        ['--allow-net', '169.254.0.0/16'], [(LINK_LOCAL, 80)],
        [('169.254.169.254', 80)]),
    'within another block': (['--allow-net', '100.64.0.0/10'],
                             [('100.64.3.3', 80)],
                             [('100.100.100.200', 80)]),
}


@cases(BLOCKS)
def flags(args, allowed, refused):
    tries('flags', args, allowed, refused)


@cases({'loopback': '127.0.0.1', 'all loopback': '127.0.0.0/8',
        'v6 loopback': '::1', 'multicast': '224.0.0.0/4',
        'unspecified': '0.0.0.0', 'own pool': '198.18.0.0/15',
        'mixed': '::/0', 'mapped loopback': '::ffff:127.0.0.1'})
def what_no_rule_can_grant(block):
    r = net.inside(['true'], '--allow-net', block)
    check(r.status == 125, r)
    has(r.err, block.split('/')[0].removeprefix('::ffff:'))


@cases({'text': 'somewhere', 'name': 'example.test', 'mask': '10.0.0.0/33',
        'port 0': '10.0.0.0/8:0', 'port': '10.0.0.0/8:65536',
        'bare v6 and a port': '2001:db8::1:443x', 'octal': '010.1.2.3',
        'short': '10.1/16', 'host bits': '10.1.2.3/8x', 'empty': ''})
def what_is_no_block(text):
    r = net.inside(['true'], '--allow-net', text)
    check(r.status in (2, 125), r)


# --- requests --------------------------------------------------------------

def allow(*rules, deny=(), default='deny'):
    return request(egress={'default': default, 'allow': list(rules),
                           'deny': list(deny)})


def rule(*cidrs, ports=None, **peer):
    out = {'to': [{'cidr': c, **peer} for c in cidrs]}
    return {**out, 'ports': ports} if ports else out


REQUESTS = {
    'cidr': (allow(rule(WEB + '/32')), [(WEB, 80)], [(OTHER, 80)]),
    'except': (allow(rule('203.0.113.0/24', **{'except': ['203.0.113.8/30']})),
               [('203.0.113.12', 80)], [(WEB, 80)]),
    'an exception is no denial': (
        allow(rule('203.0.113.0/24', **{'except': ['203.0.113.8/29']}),
              rule(WEB + '/32')), [(WEB, 80)], [('203.0.113.11', 80)]),
    'a port': (allow(rule(WEB + '/32', ports=[
        {'protocol': 'tcp', 'port': 80}])), [(WEB, 80)], [(WEB, 7)]),
    'a range of ports': (allow(rule(WEB + '/32', ports=[
        {'protocol': 'tcp', 'port': 80, 'endPort': 443}])),
        [(WEB, 80), (WEB, 443)], [(WEB, 7), (WEB, 666)]),
    'udp is not tcp': (allow(rule(WEB + '/32', ports=[
        {'protocol': 'udp', 'port': 80}])), [], [(WEB, 80)]),
    'any protocol': (allow(rule(WEB + '/32', ports=[
        {'protocol': 'any', 'port': 80}])), [(WEB, 80)], [(WEB, 7)]),
    'deny first': (allow(rule('203.0.113.0/24'), deny=[rule(WEB + '/32')]),
                   [('203.0.113.11', 80)], [(WEB, 80)]),
    'default allow': (allow(default='allow', deny=[rule(OTHER + '/32')]),
                      [(WEB, 80), (WEB6, 80)],
                      [(OTHER, 80), *((a, 80) for a in (
                          *PRIVATE, *METADATA, NIC, LAN_NIC, NIC6))]),
    'default allow and a private rule': (
        allow(rule('10.1.2.0/24'), default='allow'),
        [('10.1.2.3', 80), (WEB, 80)], [('192.168.77.7', 80)]),
    'mapped': (allow(rule('::ffff:203.0.113.0/120')), [(WEB, 80)],
               [(WEB6, 80), (OTHER, 80)]),
    'a rule without addresses': (
        allow({'ports': [{'protocol': 'tcp', 'port': 80}]}),
        [(WEB, 80), (WEB6, 80)],
        [(WEB, 7), ('10.1.2.3', 80), ('169.254.169.254', 80)]),
    'a name with its port': (
        allow({'to': [{'host': 'example.test'}],
               'ports': [{'protocol': 'tcp', 'port': 80}]}), [],
        [(WEB, 80), (OTHER, 80)]),
}


@cases(REQUESTS)
def requests(policy, allowed, refused):
    tries('request', (), allowed, refused, policy)


@test
def an_older_contract():
    policy = {**allow(rule(WEB + '/32')), 'version': '1.0.0',
              'process': {'commandLine': 'true'}}
    tries('request', (), [(WEB, 80)], [(OTHER, 80)], policy)


FORMER = {'process': {'commandLine': 'true'}}


@test
def host_lists_of_a_former_contract():
    for version in ('0.6.0-alpha', '0.7.0-alpha', '0.8.0-alpha'):
        policy = {**FORMER, 'version': version, 'network': {
            'allowedHosts': ['203.0.113.0/24'], 'blockedHosts': [OTHER]}}
        tries(version, (), [(WEB, 80), (WEB, 7)], [(OTHER, 80), (WEB6, 80)],
              policy)


@test
def a_former_default():
    policy = {**FORMER, 'version': '0.7.0-alpha', 'network': {
        'defaultPolicy': 'allow', 'blockedHosts': [OTHER]}}
    tries('allow', (), [(WEB, 80), (WEB6, 80)],
          [(OTHER, 80), (PRIVATE[0], 80)], policy)
    policy['network'] = {'defaultPolicy': 'block', 'enforcementMode': 'both'}
    r = net.inside(connecting(WEB, 80), policy=policy)
    eq(r.refused, 'ENETUNREACH', f'block: {r}')


@cases({'as it is': False, 'by the built-in proxy': True})
def names_of_a_former_contract(proxy):
    network = {'allowedHosts': ['example.test'],
               **({'proxy': {'builtinTestServer': True}} if proxy else {})}
    policy = {**FORMER, 'version': '0.8.0-alpha', 'network': network}
    get = ['curl', '-sS', 'https://example.test/']
    has(net.inside(get, policy=policy).ok().out, 'example.test at')
    net.fresh()
    r = net.inside([*get[:2], 'https://other.test/'], policy=policy)
    check(r.status != 0, f'another name: {r}')
    net.nothing_came()


@test
def names_in_a_request():
    policy = allow({'to': [{'host': 'example.test'}]})
    get = ['curl', '-sS', 'https://example.test/']
    has(net.inside(get, policy=policy).ok().out, 'example.test at')
    net.fresh()
    net.inside([*get[:2], 'https://other.test/'], policy=policy).failed(6)
    net.nothing_came()


@test
def flags_add_to_a_request():
    policy = allow(rule(WEB + '/32'))
    tries('both', ['--allow-net', OTHER, '--deny-net', f'{WEB}:7'],
          [(WEB, 80), (OTHER, 7)], [(WEB, 7)], policy)


@cases({'v4': (WEB, 'icmp'), 'v6': (WEB6, 'icmp')})
def echo_by_protocol(to, protocol):
    def policy(which):
        return allow(rule(to, ports=[{'protocol': which}]))
    ping = ['ping', '-n', '-c', '1', '-w', '3', to]
    net.inside(ping, policy=policy(protocol)).ok()
    net.fresh()
    tries('icmp is not tcp', (), [], [(to, 80)], policy(protocol))
    net.fresh()
    check(net.inside(ping, policy=policy('tcp')).status in (1, 2))
    net.nothing_came()


@cases({'v4': WEB, 'v6': WEB6})
def datagrams_by_port(to):
    policy = allow(rule(to, ports=[{'protocol': 'udp', 'port': 7}]))
    check(net.inside(sending(to, 7), policy=policy).done)
    net.fresh()
    eq(net.inside(sending(to, 123), policy=policy).refused, errno_of(to))
    eq(net.inside(connecting(to, 7), policy=policy).refused, errno_of(to))
    net.nothing_came()


@cases({'v4': WEB, 'v6': WEB6}, seconds=120)
def every_refusal_says_why(address):
    """The kernel drops an ICMP error for a socket that its owner still holds,
    about one in 1,500; the reset alone would say ECONNREFUSED."""
    code = (
        'import collections\n'
        'def go(n):\n'
        '    got = collections.Counter()\n'
        '    for _ in range(n):\n'
        f'        s = socket.socket({"socket.AF_INET6" if ":" in address else ""})\n'
        f'        got[errno.errorcode[s.connect_ex(({address!r}, 853))]] += 1\n'
        '        s.close()\n'
        '    return got\n'
        'kids = []\n'
        'for _ in range(4):\n'
        '    r, w = os.pipe()\n'
        '    if os.fork() == 0:\n'
        '        os.write(w, repr(dict(go(2500))).encode())\n'
        '        os._exit(0)\n'
        '    kids.append(r)\n'
        'for r in kids:\n'
        '    print(os.read(r, 1000).decode())\n'
        'for _ in kids:\n'
        '    os.wait()\n')
    r = net.inside(code, '--allow-net', '198.51.100.200:80', timeout=120)
    eq(r.out.count('{'), 4, r)
    for line in r.out.split('\n')[:4]:
        eq(line, repr({errno_of(address): 2500}))
    net.nothing_came()


@test
def a_thousand_rules():
    rules = [rule(f'11.{n // 256}.{n % 256}.0/24') for n in range(1000)]
    tries('many', (), [(WEB, 80)], [(OTHER, 80)],
          allow(*rules, rule(WEB + '/32')))


# --- names that lead to special addresses ----------------------------------

INTRANET = {a: a for a in PRIVATE}


@cases(INTRANET)
def an_intranet_host(address):
    net.dns['in.test'] = AAAA(address) if ':' in address else A(address)
    get = ['curl', '-sS', '--connect-timeout', '5', 'http://in.test/']
    r = net.inside(get, '--allow-intranet-host', 'in.test').ok()
    has(r.out, 'in.test at')
    net.fresh()
    check(net.inside(get, '--allow-host', 'in.test').status in (6, 7, 52, 56))
    net.nothing_came(address)


@cases({a: a for a in (*METADATA, NIC, LAN_NIC, NIC6, LINK_LOCAL, '127.0.0.1',
                       '::1')})
def an_intranet_host_may_not_be(address):
    net.dns['in.test'] = AAAA(address) if ':' in address else A(address)
    get = ['curl', '-sS', '--connect-timeout', '5', 'http://in.test/']
    check(net.inside(get, '--allow-intranet-host', 'in.test').status
          in (6, 7, 52, 56))
    net.nothing_came(address)


# --- what is told ----------------------------------------------------------

def denials(code, *flags):
    r = net.inside(code, *flags, '--json', 'result.json')
    result = json.loads(read('result.json'))
    check(result.get('denials'), f'{result} {r}')
    return result['denials']


@cases({'v4': (connecting(OTHER, 80), OTHER, '80'),
        'v6': (connecting(OTHER6, 443), OTHER6, '443'),
        'udp': (sending(OTHER, 7), OTHER, '7'),
        'name': (connecting('other.test', 80), 'other.test', ''),
        'metadata': (connecting('169.254.169.254', 80), '169.254.169.254',
                     '80')})
def a_denial_is_in_the_result(code, what, port):
    told = json.dumps(denials(code, '--allow-host', 'example.test'))
    has(told, what)
    has(told, port)


@cases({f'{name} {to}': (flags, to, rule) for to in (NIC, NIC6, LAN_NIC)
        for name, flags, rule in (
            ('nothing', ('--allow-host', 'example.test'),
             'network.egress.default'),
            ('a block', ('--allow-net', '203.0.113.0/24', '--allow-net',
                         '2001:db8:ffff::/64', '--allow-net', '10.9.9.0/24'),
             '--allow-net'))})
def a_denial_says_that_it_is_this_host(flags, to, rule):
    """And does not say how to reach it."""
    got, = denials(connecting(to, 80), *flags)
    eq((got['reason'], got['address']), ('own', to))
    has(got['rule'], rule)
    has(got['message'], "an address of this host's own")
    lacks(got, 'hint')


@test
def a_denial_names_its_rule():
    told = json.dumps(denials(connecting(WEB, 80), '--allow-net', 'internet',
                              '--deny-net', OTHER, '--deny-net',
                              '203.0.113.0/24'))
    has(told, '--deny-net')
    has(told, '2')


@test
def nothing_denied_nothing_told():
    net.inside(connecting(WEB, 80), '--allow-net', WEB, '--json',
               'result.json').ok()
    check(not json.loads(read('result.json')).get('denials'))


@test
def events_as_they_come():
    net.inside(f'{connecting(WEB, 80)}\n{connecting(OTHER, 80)}',
               '--allow-net', WEB, '--events', 'events').ok(9)
    lines = [json.loads(line) for line in read('events').splitlines()]
    told = [json.dumps(line) for line in lines]
    check(any(WEB in t for t in told), told)
    check(any(OTHER in t for t in told), told)


@test
def explain_shows_it():
    r = net.mxc('explain', '--allow-host', 'example.test:443', '--allow-net',
                '203.0.113.0/24', '--deny-net', WEB, '--', 'true').ok()
    for word in ('example.test', '443', '203.0.113.0/24', WEB):
        has(r.out, word)


main()
