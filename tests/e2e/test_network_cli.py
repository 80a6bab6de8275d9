#!/usr/bin/env python3
"""What check and explain say of the network, by options and by request, and
which values are refused.  Nothing is run here."""

import json
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403


def explain(*args):
    """The lines of explain's section about the network."""
    out = mxc('explain', *args).ok().out
    return out.split('\nNetwork\n')[1].split('\n\n')[0].splitlines()


def shows(lines, name, value, origin):
    want = (name, value, f'({origin})')
    for line in lines:
        if line.split() == ' '.join(want).split():
            return
    fail(f'no line {want} in {lines}')


def policy(network=None, version='1.1.0+c1', **more):
    doc = {'version': version, 'process': {'commandLine': 'true'}, **more}
    if network is not None:
        doc['network'] = network
    return write('policy.json', json.dumps(doc))


# --- values of options -----------------------------------------------------

@cases([(' '.join(row), row) for row in (
    ('--allow-host', 'example.com'), ('--allow-host', 'Example.COM:443'),
    ('--allow-host', '*.example.com:8000-8010'),
    ('--allow-intranet-host', 'wiki.example.com:443'),
    ('--allow-net', '192.0.2.0/24'), ('--allow-net', '192.0.2.0/24:443'),
    ('--allow-net', '192.0.2.1'), ('--allow-net', '192.0.2.1:1-65535'),
    ('--allow-net', '[2001:db8::]/32:443'), ('--allow-net', '[2001:db8::]/32'),
    ('--allow-net', '[2001:db8::1]:443'), ('--allow-net', '2001:db8::/32'),
    ('--allow-net', '2001:db8::1'), ('--allow-net', 'internet'),
    ('--allow-net', 'internet:443'), ('--deny-net', '192.0.2.0/24:25'),
    ('--deny-net', '2001:db8::/32'), ('--publish', '3000'),
    ('--publish', '3000:8080'), ('--publish', '3000:0'),
    ('--host-service', '5432'), ('--host-service', '5432:15432'),
    ('--proxy', 'http://127.0.0.1:8080'), ('--proxy', 'https://[::1]:443/x?y'),
    ('--proxy', 'http://localhost:80'), ('--proxy', 'builtin'))])
def value_is_taken(row):
    has(mxc('check', *row).ok().out, "backend 'native' would run it")


@cases([(' '.join(row[:2]), row) for row in (
    ('--allow-host', '', ''),
    ('--allow-host', 'localhost', ''),
    ('--allow-host', 'a_b.example', ''),
    ('--allow-host', '*.com', ''),
    ('--allow-host', 'a.*.example', ''),
    ('--allow-host', 'example.com.', ''),
    ('--allow-host', 'http://example.com', ''),
    ('--allow-host', '192.0.2.1', 'for an address there is --allow-net'),
    ('--allow-host', '[::1]:443', 'for an address there is --allow-net'),
    ('--allow-host', 'https://example.com/', 'without a scheme or a path'),
    ('--allow-host', 'example.com:', 'expected a port from 1 to 65535'),
    ('--allow-host', 'example.com:0', 'expected a port from 1 to 65535'),
    ('--allow-host', 'example.com:65536', 'expected a port from 1 to 65535'),
    ('--allow-host', 'example.com:https', 'expected a port from 1 to 65535'),
    ('--allow-host', 'example.com:90-80', 'expected a range of ports'),
    ('--allow-host', 'example.com:80-', 'expected a range of ports'),
    ('--allow-intranet-host', '10.0.0.1', 'for an address'),
    ('--allow-net', '', 'expected an IPv4 or IPv6 address'),
    ('--allow-net', 'example.com', 'expected an IPv4 or IPv6 address'),
    ('--allow-net', '192.0.2.1/24', 'has bits set behind the prefix length'),
    ('--allow-net', '192.0.2.0/33', 'expected a prefix length from 0 to 32'),
    ('--allow-net', '2001:db8::/32:443', 'expected a prefix length'),
    ('--allow-net', '[192.0.2.1]:443', 'only an IPv6 address stands in'),
    ('--allow-net', '[2001:db8::1', "expected ']'"),
    ('--allow-net', '[2001:db8::]1/32', "expected '/' or ':' behind ']'"),
    ('--allow-net', 'internet:', 'expected a port from 1 to 65535'),
    ('--deny-net', 'internet', 'it is refused unless something allows it'),
    ('--publish', '0', 'expected ports from 1 to 65535'),
    ('--publish', '3000:', 'expected ports from 1 to 65535'),
    ('--publish', '3000:70000', 'expected ports from 1 to 65535'),
    ('--publish', '127.0.0.1:3000', 'expected ports from 1 to 65535'),
    ('--host-service', '5432:0', 'expected ports from 1 to 65535'),
    ('--host-service', 'db:5432', 'expected ports from 1 to 65535'),
    ('--proxy', 'proxy', 'expected a URL'),
    ('--proxy', 'http://127.0.0.1', 'expected a port'),
    ('--proxy', 'http://192.0.2.1:3128', 'the proxy must be on localhost'))])
def value_is_refused(row):
    option, value, why = row
    for command, status in (('check', 2), ('run', 125)):
        r = mxc(command, option, value, *(('--', 'true')
                                          if command == 'run' else ()))
        eq(r.status, status, 'status')
        eq(r.out, '')
        has(r.err, f'mxc: {option}: ')
        has(r.err, why)
        has(r.err, f"'{value}'")
        has(r.err, f'try: {option} ')


@test
def second_proxy_is_refused():
    for other in ('builtin', 'http://127.0.0.1:1'):
        r = mxc('check', '--proxy', 'builtin', '--proxy', other).ok(2)
        has(r.err, f"--proxy: a second proxy: '{other}'")


@test
def options_are_in_help_and_only_where_they_belong():
    for command in ('run', 'check', 'explain'):
        text = mxc(command, '--help').ok().out
        for name in ('allow-host', 'allow-intranet-host', 'allow-net',
                     'deny-net', 'publish', 'host-service', 'proxy'):
            has(text, f'--{name} ')
    has(mxc('run', '--help').ok().out, '--events FILE|FD')
    has(mxc('check', '--events', 'x').ok(2).err, "unknown option '--events'")


# --- what is said of them --------------------------------------------------

@test
def without_a_rule_there_is_no_network():
    eq(explain(), ['  none: no connection leaves the sandbox, and none comes '
                   'in'])
    eq(explain('--deny-net', '192.0.2.0/24'),
       explain(), 'with a denial alone')


@test
def options_are_explained():
    lines = explain(
        '--allow-host', 'api.example.com:443', '--allow-host',
        '*.example.org', '--allow-intranet-host', 'wiki.example.net:80-90',
        '--allow-net', '192.0.2.0/24:443', '--allow-net',
        '[2001:db8::]/32:443', '--deny-net', '192.0.2.7', '--publish', '3000',
        '--publish', '3001:8081', '--host-service', '5432', '--proxy',
        'builtin')
    shows(lines, 'default', 'refused', 'default')
    shows(lines, 'deny', '192.0.2.7', '--deny-net (1st)')
    shows(lines, 'allow', 'api.example.com: 443', '--allow-host (1st)')
    shows(lines, 'allow', '*.example.org', '--allow-host (2nd)')
    shows(lines, 'allow', 'wiki.example.net (also at private addresses): '
          '80-90', '--allow-intranet-host (1st)')
    shows(lines, 'allow', '192.0.2.0/24: 443', '--allow-net (1st)')
    shows(lines, 'allow', '2001:db8::/32: 443', '--allow-net (2nd)')
    shows(lines, 'publish', '3000 as a free port of the host', '--publish')
    shows(lines, 'publish', "3001 as the host's 8081", '--publish')
    shows(lines, 'service', "the host's 5432 as its own 5432",
          '--host-service')
    shows(lines, 'proxy', 'built in, obeys the rules', '--proxy')
    shows(explain('--allow-net', 'internet'), 'default',
          'the public internet is allowed', '--allow-net')


@test
def requests_are_explained():
    path = policy({
        'egress': {'default': 'allow', 'allow': [
            {'to': [{'cidr': '10.0.0.0/8', 'except': ['10.1.0.0/16']},
                    {'host': 'a.example'}],
             'ports': [{'protocol': 'tcp', 'port': 443},
                       {'protocol': 'udp'}, {'protocol': 'icmp'}]},
            {'to': [{'cidr': f'192.0.2.{n}'} for n in range(12)]}],
            'deny': [{'ports': [{'protocol': 'tcp', 'port': 25}]}]},
        'ingress': {'hostLoopback': 'allow',
                    'ports': [{'guest': 3000, 'host': 80}],
                    'hostServices': [{'host': 5432, 'guest': 1}]}})
    lines = explain(path)
    shows(lines, 'default', 'the public internet is allowed',
          'network.egress.default')
    shows(lines, 'deny', 'every address: tcp 25', 'network.egress.deny[0]')
    shows(lines, 'allow', '10.0.0.0/8 except 10.1.0.0/16: tcp 443, udp, icmp',
          'network.egress.allow[0]')
    shows(lines, 'allow', 'a.example: tcp 443, udp, icmp',
          'network.egress.allow[0]')
    shows(lines, 'publish', "3000 as the host's 80",
          'network.ingress.ports[0]')
    shows(lines, 'service', "the host's 5432 as its own 1",
          'network.ingress.hostServices[0]')
    check(any('and 2 more' in line for line in lines), 'all are listed')
    lines = explain('--all', path)
    shows(lines, 'allow', '192.0.2.11', 'network.egress.allow[1]')


@test
def options_add_to_a_request():
    path = policy({'egress': {'allow': [{'to': [{'cidr': '192.0.2.0/24'}]}]}},
                  version='1.0.0')
    lines = explain('--allow-host', 'a.example', '--publish', '80',
                    '--policy', path)
    shows(lines, 'allow', '192.0.2.0/24', 'network.egress.allow[0]')
    shows(lines, 'allow', 'a.example', '--allow-host (1st)')
    shows(lines, 'publish', '80 as a free port of the host', '--publish')


@test
def receipt_names_what_enforces():
    mxc('check', '--json', 'out.json', '--allow-host', 'a.example', '--publish',
        '80', '--host-service', '443').ok()
    rows = {r['clause']: r for r in json.loads(read('out.json'))['receipt']
            if r['clause'].startswith('network')}
    has(rows['network: no way but the gateway']['by'],
        'network namespace whose only peer is mxc-gateway')
    has(rows['network: host names: a.example']['by'], 'name server')
    check('network: published ports: 80 at a free one' in rows, rows)
    check("network: ports of the host's loopback: 443 at 443" in rows, rows)
    check(all(r['state'] == 'enforced' for r in rows.values()), rows)
    mxc('check', '--json', 'out.json').ok()
    clauses = [r['clause'] for r in json.loads(read('out.json'))['receipt']]
    check('network: none' in clauses, clauses)


@test
def proxy_variables_are_the_proxys():
    out = mxc('explain', '--proxy', 'http://127.0.0.1:8080/x', '--env',
              'no_proxy=*', '--env', 'Https_Proxy=y', '--env',
              'RSYNC_PROXY=z').ok().out
    lines = out.split('\nEnvironment\n')[1].split('\n\n')[0].splitlines()
    found = dict(line.split()[:2] for line in lines)
    for name in ('http_proxy', 'https_proxy', 'all_proxy', 'ftp_proxy'):
        eq(found[name], 'http://127.0.0.1:8080/x', name)
        eq(found[name.upper()], 'http://127.0.0.1:8080/x', name.upper())
    eq(found['RSYNC_PROXY'], 'z')
    check(not {'no_proxy', 'Https_Proxy'} & set(found), found)


# --- refused as a whole ----------------------------------------------------

@cases([(row[0], row) for row in (
    ('a proxy beside a rule',
     ('--proxy', 'http://127.0.0.1:1', '--allow-host', 'a.example'),
     'proxy: it is the only way out', '--proxy'),
    ('a proxy beside the internet',
     ('--proxy', 'http://127.0.0.1:1', '--allow-net', 'internet'),
     'proxy: it is the only way out', '--proxy'),
    ('credentials', ('--proxy', 'http://u:p@127.0.0.1:1'),
     'proxy: its URL holds credentials', '--proxy'),
    ('a port twice', ('--publish', '80', '--publish', '80:1'),
     'port 80 of the sandbox has two meanings', '--publish'),
    ("the host's port twice", ('--publish', '80:1', '--publish', '81:1'),
     'port 1 of the host has two meanings', '--publish'),
    ('published and served', ('--publish', '80', '--host-service', '80'),
     'port 80 of the sandbox has two meanings', '--host-service'),
    ("the built-in proxy's port", ('--proxy', 'builtin', '--publish', '3128'),
     'port 3128 of the sandbox has two meanings', '--publish'),
    ('all of IPv6 and of IPv4', ('--allow-net', '::/0'),
     "IPv6 block '::/0'", '--allow-net (1st)'),
    ("the host's loopback", ('--allow-net', '127.0.0.0/8'),
     "no rule can grant '127.0.0.0/8'", '--allow-net (1st)'))])
def options_contradict(row):
    _, args, why, where = row
    r = mxc('check', *args).ok(1)
    has(r.err, why)
    has(r.err, f'at: {where}')


@cases([(row[0], row) for row in (
    ('inbound', {'ingress': {'default': 'allow'}}, '1.0.0',
     'network.ingress.default', '--publish'),
    ('every port of the loopback', {'ingress': {'hostLoopback': 'allow'}},
     '1.0.0', 'network.ingress.hostLoopback', 'which ports?'),
    ('a bad name', {'egress': {'allow': [{}, {'to': [{'host': 'a..b'}]}]}},
     '1.1.0+c1', 'network.egress.allow[1].to[0].host', ''),
    ('names in an older contract',
     {'egress': {'allow': [{'to': [{'host': 'a.b'}]}]}}, '1.1.0-alpha',
     'network.egress.allow[0].to[0].host', "contract '1.1.0+c1' has this"),
    ('two kinds of peer', {'egress': {'deny': [{'to': [
        {'host': 'a.b', 'cidr': '::1'}]}]}}, '1.1.0+c1',
     'network.egress.deny[0].to[0]', ''),
    ('ports without a word',
     {'ingress': {'ports': [{'guest': 1}]}}, '1.1.0+c1',
     'network.ingress.ports', ''),
    ('mapped addresses', {'egress': {'allow': [{'to': [
        {'cidr': '2001:db8::/32'}, {'cidr': '::/0'}]}]}}, '1.0.0',
     'network.egress.allow[0].to[1]', ''))])
def request_is_refused(row):
    _, network, version, where, hint = row
    r = mxc('check', policy(network, version)).ok(1)
    has(r.err, f'at: {where} (line 1, column ')
    has(r.err, hint)


main()
