"""mutations.py - documents near the edges of the contract, always the same.

documents() yields (kind, text as bytes).  What a kind stands for is said by
the function that makes it.  Nothing here knows what is right: the tests ask
MXC.
"""

import json
import random

VERSIONS = ('0.9.0-alpha', '1.0.0', '1.1.0-alpha')
ALLOW_ALL = {'egress': {'default': 'allow'},
             'ingress': {'default': 'allow', 'hostLoopback': 'allow'}}
PROXY = {'networkProxy': 'http://127.0.0.1:8080'}
RUN = {'commandLine': 'true'}
LXC = {'distribution': 'alpine', 'release': '3.20'}

# Valid requests that together have every field.  A `vm` has no section.
BASES = [
    {'process': {'commandLine': 'echo a', 'cwd': '/work', 'env': ['A=1'],
                 'inheritDefaultEnv': True, 'timeout': 1000},
     'containerId': 'c', 'containment': 'bubblewrap',
     'lifecycle': {'destroyOnExit': False, 'preservePolicy': True},
     'filesystem': {'readwritePaths': ['/work'], 'readonlyPaths': ['/in'],
                    'deniedPaths': ['/work/secret']},
     'fallback': {'allowDaclMutation': False},
     'ui': {'disable': True, 'clipboard': 'read', 'injection': True},
     'telemetry': {'enabled': False}, '$schema': 's', '_comment': {'a': [1]}},
    {'process': RUN, 'network': {
        'egress': {'default': 'deny', 'allow': [
            {'to': [{'cidr': '10.0.0.0/8', 'except': ['10.1.0.0/16']},
                    {'cidr': 'fe80::/10'}],
             'ports': [{'protocol': 'tcp', 'port': 80, 'endPort': 90}]}],
            'deny': [{'ports': [{'protocol': 'icmp'}]}]},
        'ingress': {'default': 'deny', 'hostLoopback': 'deny'}}},
    {'process': RUN, 'runtimeConfig': PROXY,
     'network': {'egress': {'default': 'deny'}}},
    {'process': RUN, 'containment': 'lxc', 'lxc': LXC},
    {'process': RUN, 'containment': 'seatbelt', 'seatbelt': {
        'profileOverride': 'p', 'guiAccess': True, 'nestedPty': False,
        'keychainAccess': True, 'extraMachLookups': ['a.b']}},
    {'process': RUN, 'containment': 'processcontainer', 'runtimeConfig': PROXY,
     'network': {'ingress': {'default': 'allow', 'hostLoopback': 'deny'}},
     'processContainer': {
         'leastPrivilege': True, 'learningMode': False,
         'capabilities': ['internetClient'],
         'captureDenials': {'mode': 'allow', 'outputPath': '/tmp/out',
                            'retainEtl': True},
         'filesystem': {'enumeratePaths': ['/d']},
         'network': {'allowedProxyPeer': 'peer'},
         'ui': {'isolation': 'desktop', 'desktopSystemControl': True,
                'systemSettings': 'display', 'ime': True}}},
    {'process': RUN, 'containment': 'wslc', 'wslc': {
        'image': 'i', 'imageTarPath': 't', 'storagePath': 's',
        'targetOs': 'linux', 'cpuCount': 2, 'memoryMb': 4096, 'gpu': False,
        'portMappings': [{'windowsPort': 8080, 'containerPort': 80,
                          'protocol': 'tcp'}]}},
    {'process': RUN, 'containment': 'isolation_session',
     'network': ALLOW_ALL},
    {'phase': 'provision', 'containment': 'isolation_session',
     'network': ALLOW_ALL,
     'isolationSession': {'provision': {'appId': 'a'}},
     'telemetry': {'enabled': True}, '_comment': 1, '$schema': ''},
    {'phase': 'provision', 'containment': 'wslc',
     'filesystem': {'readonlyPaths': ['/in']}, 'network': ALLOW_ALL,
     'wslc': {'provision': {'image': 'i', 'imageTarPath': 't'}}},
    {'phase': 'exec', 'sandboxId': 'wslc:0', 'process': RUN,
     'network': {'egress': {'default': 'allow'}}, 'runtimeConfig': PROXY},
    {'phase': 'start', 'sandboxId': 'wslc:0', 'telemetry': {}},
    {'phase': 'stop', 'sandboxId': 'iso:0'},
    {'phase': 'deprovision', 'sandboxId': 'wsb:0', '_comment': None},
]
BASES_11 = [
    {'process': RUN, 'containment': 'hyperlight',
     'hyperlight': {'runtime': 'python-shell'}},
    {'process': RUN, 'containment': 'windows_sandbox', 'windowsSandbox': {
        'idleTimeoutMs': 1, 'idleTimeout': 2, 'daemonPipeName': 'p'}},
    {'process': RUN, 'test': {'message': 'm'}},
    {'process': RUN, 'containment': 'vm'},
    {'process': RUN, 'containment': 'microvm'},
    {'phase': 'provision', 'containment': 'windows_sandbox',
     'filesystem': {'readwritePaths': ['/w']}},
    {'phase': 'provision', 'containment': 'wslc', 'wslc': {'provision': {
        'portMappings': [{'windowsPort': 1, 'containerPort': 2}]}}},
]


class Raw(str):
    """Text that goes into the document as it is."""


class Pairs(list):
    """An object as a list of pairs, so that keys can repeat."""


def dump(v):
    if isinstance(v, Raw):
        return str(v)
    if isinstance(v, dict):
        v = Pairs(v.items())
    if isinstance(v, Pairs):
        return '{' + ','.join(
            f'{k if isinstance(k, Raw) else json.dumps(k)}:{dump(x)}'
            for k, x in v) + '}'
    if isinstance(v, list):
        return '[' + ','.join(map(dump, v)) + ']'
    return json.dumps(v)


def encode(text):
    return text if isinstance(text, bytes) else text.encode(
        'utf-8', 'surrogatepass')


def one_shot(version='1.0.0', **more):
    return {'version': version, 'process': RUN, **more}


def places(v, path=()):
    """The path of every value below v, its own excepted."""
    items = v.items() if isinstance(v, dict) else \
        enumerate(v) if isinstance(v, list) else ()
    for key, child in items:
        yield (*path, key)
        yield from places(child, (*path, key))


def at(v, path):
    for key in path:
        v = v[key]
    return v


def changed(v, path, change):
    """A copy in which change(parent as list of pairs or list, key) was made
    at path."""
    if len(path) == 1:
        return change(v, path[0])
    if isinstance(v, dict):
        return {k: changed(x, path[1:], change) if k == path[0] else x
                for k, x in v.items()}
    return [changed(x, path[1:], change) if i == path[0] else x
            for i, x in enumerate(v)]


def put(value):
    def change(parent, key):
        if isinstance(parent, dict):
            return {k: value if k == key else x for k, x in parent.items()}
        return [value if i == key else x for i, x in enumerate(parent)]
    return change


def pairs(edit):
    """Edit the (key, value) of an object's member: answers several."""
    def change(parent, key):
        if not isinstance(parent, dict):
            return parent[:key] + [parent[key], *[
                x for _, x in edit('', parent[key])][1:]] + parent[key + 1:]
        return Pairs(p for k, x in parent.items()
                     for p in (edit(k, x) if k == key else [(k, x)]))
    return change


OTHER_VALUES = [None, True, 0, -1, '', 'x', [], {}, [None], [[]], {'a': 1},
                Raw('1.5'), Raw('-0'), Raw('1e2'), Raw('18446744073709551616'),
                Raw('-9223372036854775809')]
NUMBERS = [Raw(n) for n in (
    '0', '1', '65535', '65536', '4294967295', '4294967296', '-1', '-0', '1.0',
    '1e1', '1E+2', '9223372036854775808', '18446744073709551615',
    '18446744073709551616', '99999999999999999999999999', '01', '+1', '0x1',
    '1.', '.5', '1e', '"1"', '1e400', '-1e400', 'Infinity')]
MEMBER_EDITS = {
    'gone': lambda k, x: [],
    'twice': lambda k, x: [(k, x), (k, x)],
    'twice, escaped': lambda k, x: [(k, x), (escaped(k), x)],
    'escaped': lambda k, x: [(escaped(k), x)],
    'upper case': lambda k, x: [(k[:1].upper() + k[1:], x)],
    'lower case': lambda k, x: [(k.lower(), x)],
    'space behind': lambda k, x: [(k + ' ', x)],
    'a neighbour': lambda k, x: [(k, x), ('zz', x)],
    'an empty neighbour': lambda k, x: [(k, x), ('', x)],
    'legacy neighbour': lambda k, x: [(k, x), ('proxy', x)],
}


def escaped(key):
    return Raw('"\\u%04x%s"' % (ord(key[0]), key[1:])) if key else key


def string_edits(s):
    quoted = json.dumps(s)[1:-1]
    return [s + ' ', ' ' + s, s.upper(), s + '\n', s + s, s[:-1],
            s + '\u00e9', s + '\u202e', s + '\U0001f600', Raw(f"'{quoted}'"),
            Raw(f'"{quoted}\\u0000"'), Raw(f'"{quoted}\\ud800"'),
            Raw(f'"{quoted}\\udc00\\ud800"'), Raw(f'"{quoted}\\x41"'),
            Raw(f'"{quoted}\t"'), Raw(f'"{quoted}'), Raw(quoted)]


def edited(doc):
    """Every value of a request changed in every way above."""
    yield 'valid', dump(doc)
    for path in places(doc):
        value = at(doc, path)
        news = list(OTHER_VALUES)
        if isinstance(value, str):
            news += string_edits(value)
        if isinstance(value, int) and not isinstance(value, bool):
            news += NUMBERS
        if isinstance(value, dict):
            news.append(list(value.values()))
        for new in news:
            yield 'value', dump(changed(doc, path, put(new)))
        for edit in MEMBER_EDITS.values():
            yield 'member', dump(changed(doc, path, pairs(edit)))


def structural():
    for base, versions in [(b, VERSIONS) for b in BASES] + [
            (b, VERSIONS[2:]) for b in BASES_11]:
        for version in versions:
            yield from edited({'version': version, **base})


def texts():
    """The encoding, not the content."""
    t = dump(one_shot())
    for x in (
        '', ' ', '{', '}', '[]', '[1]', 'null', '"x"', '1', t + ' \n\t\r',
        ' \n\t\r' + t, t + 'x', t + t, t + ',', t + '\0', '\ufeff' + t,
        t[:-1], t[:-2], t[1:], t.replace(':', '=', 1), t.replace('"', "'"),
        t.replace(',', ',,', 1), t.replace('}', ',}', 1),
        t.replace(',', ' /**/,', 1), t.replace(',', ',\u00a0', 1),
        t.replace(',', ',\f', 1), t.replace(',', ',\v', 1),
        t.replace(',', '\r\n,', 1), t.replace('true', 'tr\\u0075e'),
        t.replace('true', 'tr\\u0075E\\n\\t\\/\\b\\f\\r\\"\\\\'),
        encode(t).replace(b'true', b'\xff'),
        encode(t).replace(b'true', b'\xed\xa0\x80'),
        encode(t).replace(b'true', b'\xc0\x80'),
        encode(t).replace(b'true', b'\xf4\x90\x80\x80'),
        encode(t).replace(b'true', '\u20ac\U0010ffff'.encode()),
        encode(t).decode().encode('utf-16-le'),
        encode(t).decode().encode('utf-16'), encode(t).replace(b'"', b'\x84'),
        t.replace('"true"', 'True'), t.replace('"true"', 'NaN'),
        t.replace('"true"', 'tru'), t.replace('"true"', 'nul')):
        yield 'text', x
    for n in (1, 60, 124, 125, 126, 127, 128, 129, 500):
        for left, right in (('[', ']'), ('{"a":', '}')):
            deep = Raw(left * n + '1' + right * n)
            yield 'depth', dump(one_shot(_comment=deep))
            yield 'depth', dump(one_shot(zz=deep))
    for raw in ('1e400', '-1e309', '1e308', '0e9999', '1e-9999', '9' * 400,
                '0.' + '0' * 400, '{"a":1,"a":2}', '"\\u0000"', '"\\ud800"',
                '"\\udbff\\udfff"', '{"\\ud800":1}', 'tru', '[1,]', '-', '--1',
                '[1 2]', '{1:2}', '{"a"}', '{"a":}', "{'a':1}", '[,]'):
        yield 'comment', dump(one_shot(_comment=Raw(raw)))


def versions():
    for v in ('', '1', '1.0', '1.0.0 ', ' 1.0.0', 'v1.0.0', '1.0.0-alpha',
              '1.0.0+x', '01.0.0', '1.0.1', '1.1.0', '1.1.0-ALPHA', '0.9.0',
              '0.6.0-alpha', '0.7.0-alpha', '0.8.0-alpha', '0.10.0-alpha',
              '1.2.0', '2.0.0', '1.1.0-alpha\0', '1.1.0+c1', '1.1.0+c2'):
        yield 'version', dump(one_shot(v))
        yield 'version', dump({'version': v, 'phase': 'start',
                               'sandboxId': 'wslc:0'})


def backends(versions=VERSIONS):
    """Every containment name with every section."""
    names = ('process', 'vm', 'microvm', 'native', 'bubblewrap', 'lxc',
             'hyperlight', 'seatbelt', 'macos_sandbox', 'processcontainer',
             'appcontainer', 'windows_sandbox', 'wslc', 'isolation_session',
             'docker', '', 'Process', 'process ')
    sections = ('processContainer', 'appContainer', 'lxc', 'seatbelt',
                'macos_sandbox', 'wslc', 'hyperlight', 'windowsSandbox',
                'test', 'experimental', 'bubblewrap', 'native', 'vm',
                'isolationSession', 'platform', 'sandboxId', 'limits',
                'correlationVector', 'phase')
    for v in versions:
        for name in names:
            more = {'network': ALLOW_ALL} if 'iso' in name else {}
            doc = one_shot(v, containment=name, **more)
            yield 'backend', dump(doc)
            for s in sections:
                section = LXC if s == 'lxc' else {}
                yield 'section', dump({**doc, s: section})
            yield 'provision', dump({'version': v, 'phase': 'provision',
                                     'containment': name, **more})
        for a, b in (('processContainer', 'appContainer'),
                     ('seatbelt', 'macos_sandbox'),
                     ('processContainer', 'seatbelt')):
            owner = 'seatbelt' if 'sandbox' in b else 'processcontainer'
            yield 'section', dump(one_shot(v, containment=owner,
                                           **{a: {}, b: {}}))


def cidrs():
    blocks = '''10.0.0.0/8 10.0.0.1/8 10.0.0.1 10.0.0.1/32 0.0.0.0/0 0.0.0.0
        10.0.0.0/08 10.0.0.0/33 10.0.0.0/-1 10.0.0.0/+8 10.0.0.0/ 010.0.0.0/8
        10.0.0/8 10/8 10.0.0.0/8/8 10.0.0.0/255.0.0.0 ::/0 :: ::1 ::1/128
        ::1/64 fe80::1%eth0 fe80::/10 FE80::/10 ::ffff:10.0.0.0/104
        ::ffff:10.0.0.1 ::ffff:0:0/96 ::ffff:0:0/95 [::1] 1::2::3
        1:2:3:4:5:6:7:8 1:2:3:4:5:6:7:: ::1:2:3:4:5:6:7 1::2:3:4:5:6:7
        1::2:3:4:5:6:7:8 1:2:3:4:5:6:7:8:: 1:2:3:4:5:6:7:8:9 12345:: ::g / /8
        localhost 256.0.0.0/8 1.2.3.4.5 0x7f.0.0.1 1:2:3:4:5:6:1.2.3.4
        1:2:3:4:5:6:7:1.2.3.4 ::1.2.3.4 ::1.2.3 1.2.3.4:: ::1.2.3.4:5
        1:1.2.3.4::2 ::/129 ::/000 0010:0:0:0:0:0:0:1 00010:: 1:2:3:4:5:6:7
        ::ffff:10.0.0.1/96 0.0.0.0/00 ::01.2.3.4 ::: : 1: :1 1:: ::1/ ::/1
        8000::/1 127.0.0.1/32/ 1.2.3.4/31 1.2.3.4/30 255.255.255.255
        ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ::/128 .1.2.3 1..2.3 1.2.3.
        1.2.3.4/3 192.0.2.128/25 192.0.2.128/24 2001:db8::/29 2001:db8::/28
        0/0 1.2.3.4/256 1.2.3.4/4294967328'''.split()
    blocks += ['', ' ', ' 10.0.0.0/8', '10.0.0.0/8 ', '10.0.0.0 /8',
               '\uff11.2.3.4', '1.2.3.4\0', '1.2.3.4/8\n']
    for b in blocks:
        rule = {'to': [{'cidr': b}]}
        yield 'cidr', dump(one_shot(network={'egress': {'allow': [rule]}}))
        yield 'cidr', dump(one_shot(network={'egress': {'deny': [
            {}, {'to': [{'cidr': '::/0', 'except': ['::1', b]}]}]}}))
    outer = ('10.0.0.0/8', '0.0.0.0/0', '::/0', '::ffff:10.0.0.0/104',
             '10.0.0.1', '2001:db8::/33')
    inner = ('10.0.0.0/8', '10.0.0.0/7', '10.0.0.0/9', '10.128.0.0/9',
             '11.0.0.0/8', '10.0.0.1', '::/0', '::1', '2001:db8::/32',
             '2001:db8::/34', '2001:db8:8000::/34', '::ffff:10.0.0.0/105',
             '::ffff:10.0.0.1')
    for o in outer:
        for i in inner:
            rule = {'to': [{'cidr': o, 'except': [i]}]}
            yield 'except', dump(one_shot(
                network={'egress': {'default': 'allow', 'deny': [rule]}}))


def ports():
    values = [None, Raw('0'), Raw('1'), Raw('80'), Raw('65535'), Raw('65536'),
              Raw('1.0'), '80', Raw('null')]
    for protocol in (None, 'tcp', 'udp', 'icmp', 'any', 'TCP', 'sctp', ''):
        for port in values:
            for end in values[:6]:
                p = {k: v for k, v in (('protocol', protocol), ('port', port),
                                       ('endPort', end)) if v is not None}
                yield 'port', dump(one_shot(
                    network={'egress': {'allow': [{'ports': [p]}]}}))
    for a in (1, 2):
        for b in (1, 2):
            maps = [{'windowsPort': a, 'containerPort': b},
                    {'windowsPort': 1, 'containerPort': 1}]
            yield 'port', dump(one_shot(containment='wslc',
                                        wslc={'portMappings': maps}))


def proxies():
    urls = '''http://127.0.0.1:8080 https://localhost:1 HTTP://LOCALHOST:1
        http://localhost http://localhost:80 https://localhost:443
        http://localhost:443 https://localhost:80 http://localhost:0
        http://localhost:65535 http://localhost:65536 http://localhost:
        http://localhost:08080 http://127.1:1 http://2130706433:1
        http://0x7f.1:1 http://0177.0.0.1:1 http://127.0.0.2:1
        http://localhost.:1 http://127.0.0.1.:1 http://[::1]:1
        http://[0:0:0:0:0:0:0:1]:1 http://[::0001]:1 http://[::1]
        http://[::ffff:127.0.0.1]:1 http://u:p@localhost:1 http://u@localhost:1
        http://@localhost:1 http://x@y@localhost:1 http://localhost@proxy:1
        http://localhost:1/ http://localhost:1/a?b#c http://localhost:1?x
        http://localhost:1#f http:/localhost:1 http:localhost:1
        http:///localhost:1 http:\\\\localhost:1 http://localhost\\@x:1
        http://%6cocalhost:1 http://proxy.example:1 http://proxy.example:80
        http://a_b.c-d:1 http://xn--bcher-kva.example:1 http://10.0.0.1:3128
        http://[fe80::1]:1 http://1.2.3:1 http://a.1:1 socks5://localhost:1
        ftp://localhost:1 x http:// http://:1 localhost:1 //localhost:1
        http://[::1:1 http://::1:1 http://localhost:1/%zz http://127.0.0.1:+1
        http://127.0.0.1:-1 http://127.0.0.1:1a http://[::1%25lo]:1
        http://localhost:1:2 http://localhost:99999999999999999999
        http://localhostx:1 http://xlocalhost:1 http://127.0.0.1x:1
        http://localhost:1@x:2 http://localhost..:1 file:///x data:, http'''
    urls = urls.split() + [
        '', ' ', ' http://localhost:1', 'http://localhost:1 ',
        'http://loc\talhost:1', 'http://loc\nalhost:1', 'http://a b:1',
        'http://localhost:1/ x', 'http://localhost:1/\x01',
        'http://\uff4cocalhost:1', 'http://b\u00fccher.example:1',
        'http://localhost:1/\u00e9', 'http://localhost:1/\0',
        'http://localhost:1/' + 'a' * 3000]
    for u in urls:
        config = {'networkProxy': u}
        yield 'proxy', dump(one_shot(runtimeConfig=config))
        yield 'proxy', dump(one_shot(runtimeConfig=config,
                                     containment='wslc'))
        for sandbox in ('wslc:0', 'iso:0', 'x'):
            yield 'proxy', dump({
                'version': '1.0.0', 'phase': 'exec', 'sandboxId': sandbox,
                'process': RUN, 'runtimeConfig': config})


def proxy_policies():
    """A proxy beside every network, on every backend."""
    def choice(key, values):
        return [{}] + [{key: v} for v in values]
    rules = [{}, {'allow': []}, {'deny': []}, {'allow': [{}]}, {'deny': [{}]}]
    for name in ('process', 'lxc', 'seatbelt', 'processcontainer', 'wslc',
                 'isolation_session'):
        for e in choice('default', ('allow', 'deny')):
            for r in rules:
                for i in choice('default', ('allow', 'deny')):
                    for h in choice('hostLoopback', ('allow', 'deny')):
                        doc = one_shot(containment=name, runtimeConfig=PROXY,
                                       network={'egress': {**e, **r},
                                                'ingress': {**i, **h}})
                        yield 'network', dump(doc)
                        bare = {k: v for k, v in doc.items()
                                if k != 'runtimeConfig'}
                        yield 'network', dump(bare)
                        if name == 'processcontainer':
                            peer = {'allowedProxyPeer': 'p'}
                            yield 'network', dump({
                                **doc, 'processContainer': {'network': peer}})
    for sandbox in ('wslc:0', 'iso:0', 'wsb:0', 'x', '', 'wslc'):
        for e in choice('default', ('allow', 'deny')):
            for r in rules:
                yield 'network', dump({
                    'version': '1.1.0-alpha', 'phase': 'exec',
                    'sandboxId': sandbox, 'process': RUN,
                    'network': {'egress': {**e, **r}},
                    'runtimeConfig': PROXY})


def strings():
    """Texts with rules of their own."""
    paths = ['', ' ', '\t', '\v', '\u00a0', '\u200b', '\u3000', '\u0085',
             '\ufeff', 'a\0', 'a"', 'rel', '~', '..', 'C:\\x', '/a\nb', '/',
             '//', ' /a', '\u2003\u2028', '/' + 'x' * 5000, '\u00e9']
    for p in paths:
        for field in ('readwritePaths', 'readonlyPaths', 'deniedPaths'):
            yield 'path', dump(one_shot(filesystem={field: ['/ok', p]}))
        yield 'path', dump(one_shot(
            containment='processcontainer',
            processContainer={'filesystem': {'enumeratePaths': [p]}}))
        yield 'path', dump({'version': '1.0.0', 'phase': 'provision',
                            'containment': 'wslc',
                            'filesystem': {'deniedPaths': [p]}})
        yield 'peer', dump(one_shot(
            containment='processcontainer', runtimeConfig=PROXY,
            network={'ingress': {'default': 'allow'}},
            processContainer={'network': {'allowedProxyPeer': p}}))
    for c in ('a,b', ',', 'learningModeLogging', 'LEARNINGMODELOGGING',
              ' learningModeLogging', 'permissiveLearningMode', '', 'x\0',
              'learningMode', 'learn\u0131ngModeLogging'):
        yield 'capability', dump(one_shot(
            containment='processcontainer',
            processContainer={'capabilities': ['ok', c]}))
    for peer in ('MXC-Loopback', 'mxc-loopback', 'MXC-Loopback '):
        yield 'peer', dump(one_shot(
            containment='processcontainer', runtimeConfig=PROXY,
            network={'ingress': {'default': 'allow'}},
            processContainer={'network': {'allowedProxyPeer': peer}}))
    for path in ('rel', '/tmp/x', '/no/such/x', '', ' ', 'C:\\x', 'C:x',
                 '\\\\host\\share', '/', '/tmp', '~/x', '/tmp/\0'):
        yield 'capture', dump(one_shot(
            containment='processcontainer',
            processContainer={'captureDenials': {'outputPath': path}}))
    for c in ('', ' ', 'a\0', '\0', '\n', '\u202e', 'x' * 200000):
        yield 'command', dump(one_shot(process={'commandLine': c}))
        yield 'command', dump({'version': '1.0.0', 'phase': 'exec',
                               'sandboxId': 'wslc:0',
                               'process': {'commandLine': c}})
    for s in ('Bogus', 'none', 'parameters', 'all', 'None', ''):
        for v in VERSIONS:
            yield 'enum', dump(one_shot(
                v, containment='processcontainer',
                processContainer={'ui': {'systemSettings': s}}))


def targeted():
    for make in (texts, versions, backends, cidrs, ports, proxies,
                 proxy_policies, strings):
        yield from make()


def documents(most_structural, targeted=targeted, structural=structural):
    """All of the targeted ones and so many of the others."""
    seen = set()
    rest = list(structural())
    random.Random(20251101).shuffle(rest)
    for source, most in ((targeted(), None), (rest, most_structural)):
        for kind, text in source:
            data = encode(text)
            if data in seen or most == 0:
                continue
            seen.add(data)
            if most is not None:
                most -= 1
            yield kind, data
