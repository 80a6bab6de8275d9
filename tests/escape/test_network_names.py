#!/usr/bin/env python3
"""Names as a way out: queries for what policy does not allow, names written in
odd ways, in queries and in policies (G4, G7)."""

import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403
import net_dns  # noqa: E402

net = internet()
NAME = ['--allow-host', 'example.test']
STUB = '198.18.0.2'
CURL = ['curl', '-sS', '--connect-timeout', '5', '-m', '10']

# Sends each query and prints the code of its answer, "none", or an errno.
ASK = '''
def ask(server, query, tcp=False, port=53):
    try:
        if tcp:
            s = socket.create_connection((server, port), 2)
            s.sendall(len(query).to_bytes(2, "big") + query)
            a = s.recv(4096)[2:]
        else:
            s = socket.socket(socket.AF_INET6 if ":" in server
                              else socket.AF_INET, socket.SOCK_DGRAM)
            s.settimeout(2)
            s.connect((server, port))
            s.send(query)
            a = s.recv(4096)
    except TimeoutError:
        return "none"
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))
    return str(a[3] & 15) if len(a) > 3 else "none"
'''


def answers(queries, *flags, server=STUB, tcp=False, port=53):
    code = ASK + (f'for q in {queries!r}:\n'
                  f'    print("=", ask({server!r}, q, {tcp}, {port}))')
    r = net.inside(code, *flags, timeout=60).ok()
    return [line[2:] for line in r.out.splitlines() if line[:2] == '= ']


KINDS = ['A', 'AAAA', 'TXT', 'NULL', 'CNAME', 'HTTPS', 'SVCB', 'ANY', 'MX',
         'SRV', 'NS', 'SOA', 'PTR', 41, 251, 252, 65535]


# --- G4: what is not allowed is not asked ---

@cases({'udp': False, 'tcp': True})
def g4_no_query_of_any_type_leaves(tcp):
    queries = [net_dns.make_query('other.test', k) for k in KINDS]
    got = answers(queries, *NAME, tcp=tcp)
    check(all(a in ('3', '5', '4', '1') for a in got), got)
    eq(got[:2], ['3', '3'], 'A, AAAA')
    net.nothing_came()


@test
def g4_the_control():
    for kind in KINDS[:10]:
        query = net_dns.make_query('secret.other.test', kind)
        net.outside(ASK + f'ask({RESOLVER!r}, {query!r})').ok()
    eq(len([n for n, _ in net.queries() if n == 'secret.other.test']), 10)


@cases({'inside': STUB, 'real': RESOLVER, 'real v6': RESOLVER6,
        'public': '8.8.8.8'})
def g4_other_ports(server):
    query = net_dns.make_query('other.test')
    for port in (53, 5353, 853, 5355, 443):
        for tcp in (False, True):
            got = answers([query], *NAME, server=server, tcp=tcp, port=port)
            check(got[0] in ('3', 'none', 'ECONNREFUSED', 'EHOSTUNREACH',
                             'EACCES'), f'{port} {tcp} {got}')
    net.nothing_came()


@test
def g4_data_in_labels():
    """A name below an allowed one is another name."""
    queries = [net_dns.make_query(f'{n:x}secret.example.test')
               for n in range(200)]
    eq(set(answers(queries, *NAME)), {'3'})
    net.nothing_came()


@test
def g4_the_budget_of_a_wildcard():
    """Each label under a wildcard is the workload's own word."""
    net.dns['*.wild.test'] = A(WEB)
    queries = [net_dns.make_query(f'x{n:x}.wild.test') for n in range(1000)]
    got = answers(queries, '--allow-host', '*.wild.test')
    # Names are answered without asking; to ask, one must connect.
    code = ('for n in range(1000):\n    try:\n'
            '        s = socket.create_connection((f"x{n:x}.wild.test", 13), '
            '2)\n        s.close()\n    except OSError as e:\n'
            '        print(n, e)\n        break')
    net.inside(code, '--allow-host', '*.wild.test', timeout=60).ok()
    asked = {n for n, _ in net.queries()}
    check(len(asked) < 1000, f'{len(asked)} names were asked outside')
    check(set(got) - {'0'} or len(asked) < 1000, 'no budget')


@test
def g4_many_queries_in_one_message():
    one = net_dns.make_query('example.test')
    two = (one[:4] + b'\0\2' + one[6:] + net_dns.pack_name('other.test')
           + b'\0\1\0\1')
    got = answers([two], *NAME)
    check(got[0] in ('1', '4', '5', 'none'), got)
    eq([q for q in net.queries() if 'other' in q[0]], [])


MALFORMED = {
    'empty': b'', 'short': b'\x124\1\0\0\1', 'no question':
        b'\x124\1\0\0\0\0\0\0\0\0\0',
    'a loop': b'\x124\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1',
    'ahead': b'\x124\1\0\0\1\0\0\0\0\0\0\xc0\x20\0\1\0\1',
    'past the end': b'\x124\1\0\0\1\0\0\0\0\0\0\x3fabc',
    'label type': b'\x124\1\0\0\1\0\0\0\0\0\0\x41a\0\0\1\0\1',
    'an answer': b'\x124\x81\x80\0\1\0\0\0\0\0\0\7example\4test\0\0\1\0\1',
    'update': b'\x124\x28\0\0\1\0\0\0\0\0\0\7example\4test\0\0\6\0\1',
    'chaos': b'\x124\1\0\0\1\0\0\0\0\0\0\7version\4bind\0\0\x10\0\3',
    'no type': b'\x124\1\0\0\1\0\0\0\0\0\0\7example\4test\0',
}


@cases({'udp': False, 'tcp': True})
def g4_malformed_queries(tcp):
    """No answer or an error; the next one is answered."""
    good = net_dns.make_query('example.test')
    queries = [q for m in MALFORMED.values() for q in (m, good)]
    got = answers(queries, *NAME, tcp=tcp)
    eq(set(got[1::2]), {'0'}, 'the good ones')
    check('0' not in got[::2], list(zip(MALFORMED, got[::2])))
    check({n for n, _ in net.queries()} <= {'example.test'}, net.queries())


# --- answers of a resolver that lies ---

@cases({how: how for how in net_dns.MANGLED})
def g4_a_spoilt_answer(how):
    """It is not believed, and the next name is served."""
    net.dns['evil.test'] = A(WEB), AAAA(WEB6), Mangled(how)
    code = ('for name in ("evil.test", "example.test"):\n    try:\n'
            '        s = socket.create_connection((name, 13), 12)\n'
            '        print(name, s.recv(10), flush=True)\n'
            '    except OSError as e:\n        print(name, e)')
    r = net.inside(code, *NAME, '--allow-host', 'evil.test').ok()
    has(r.out, "example.test b'220 hello")
    if how not in ('tail', 'case'):
        lacks(r.out, "evil.test b'220")
    eq([p['to'] for p in net.packets(proto='tcp') if p['to'] not in (
        WEB, WEB6, RESOLVER, RESOLVER6)], [])


# --- G7: how a name is written ---

ODD = {
    'nul': b'\x0cexample\0test', 'nul at the end': b'\7example\5test\0',
    'a dot in a label': b'\x0cexample.test', 'space': b'\7example\5test ',
    'underscore': b'\x08_example\4test', 'percent': b'\x0aexample%00\4test',
    'at': b'\x0cuser@example\4test', 'utf-8': b'\x08ex\xc3\xa4mple\4test',
    'high bytes': b'\7\xe5xample\4test',
    'punycode': b'\x0exn--exmple-cua\4test',
    'long': b''.join(b'\x3f' + b'a' * 63 for _ in range(3)) + b'\7example\4test',
    'port': b'\7example\x08test:443', 'slash': b'\7example\6test/x',
    'newline': b'\7example\5test\n', 'hyphen': b'\x08-example\4test',
    'quote': b'\7example\5test"',
}


@test
def g7_odd_names_in_queries():
    queries = [b'\x124\1\0\0\1\0\0\0\0\0\0' + n + b'\0\0\1\0\1'
               for n in ODD.values()]
    got = answers(queries, *NAME)
    check(all(a in ('3', '1', '5') for a in got), list(zip(ODD, got)))
    net.nothing_came()


@test
def g7_case_makes_no_difference():
    for name in ('EXAMPLE.TEST', 'eXaMpLe.TeSt'):
        has(net.inside([*CURL, f'http://{name}/'], *NAME).ok().out, ' at ')
    for name in ('Example.Test', 'EXAMPLE.TEST', 'example.test'):
        has(net.inside([*CURL, 'http://example.test/'], '--allow-host',
                       name).ok().out, ' at ')


WRONG = {
    'nothing': '', 'a dot': '.', 'trailing dot': 'example.test.',
    'two dots': 'example..test', 'leading dot': '.example.test',
    'star alone': '*', 'star of all': '*.', 'wide star': '*.com',
    'star inside': 'a.*.test', 'star in a label': 'a*.example.test',
    'two stars': '*.*.test', 'user': 'user@example.test',
    'port and more': 'example.test:443@evil', 'port 0': 'example.test:0',
    'port too big': 'example.test:65536', 'two ports': 'example.test:1:2',
    'no port': 'example.test:', 'url': 'https://example.test',
    'path': 'example.test/x', 'percent': 'example%00.test',
    'space': 'example .test', 'newline': 'example.test\n',
    'utf-8': 'exämple.test', 'homoglyph': 'ехample.test',
    'underscore': 'exa_mple.test', 'hyphen': '-example.test',
    'hyphen after': 'example-.test', 'a long label': 'a' * 64 + '.test',
    'long': '.'.join(['a' * 60] * 5), 'address': '203.0.113.10',
    'v6': '2001:db8::1', 'bracketed': '[2001:db8::1]', 'number': '1.2.3',
    'hex': '0x7f.1', 'localhost': 'localhost', 'below it': 'a.localhost',
    'quote': "example.test'", 'full-width dot': 'example。test',
}


@cases(WRONG)
def g7_no_such_name_in_a_policy(text):
    for flag in ('--allow-host', '--allow-intranet-host'):
        r = net.inside(['true'], flag, text)
        check(r.status in (2, 125), r)


@cases({k: v for k, v in WRONG.items() if ':' not in v})
def g7_nor_in_a_request(text):
    def policy(name):
        return {'version': '1.1.0+c1', 'network': {'egress': {
            'allow': [{'to': [{'host': name}]}]}}}
    net.inside(['true'], policy=policy('example.test')).ok()
    net.inside(['true'], policy=policy(text)).ok(125)


@cases({'underscore label': '_dmarc.example.test', 'wildcard': '*.a.test',
        'punycode': 'xn--exmple-cua.test', 'digits': '1.example.test',
        'one label': 'intranet', 'long': '.'.join(['a' * 60] * 4)})
def g7_names_that_are_names(text):
    r = net.inside(['true'], '--allow-host', text)
    check(r.status == 0 or '_' in text, r)


main()
