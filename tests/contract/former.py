"""former.py - documents near the edges of the contracts that MXC 1.0.1 has
given up and its product 0.9.0 still takes; as mutations.py.
"""

from mutations import (ALLOW_ALL, BASES, BASES_11, LXC, PROXY, RUN, Raw,
                       backends, dump, edited, one_shot)
import mutations

HOSTS = ('0.6.0-alpha', '0.7.0-alpha', '0.8.0-alpha')
VERSIONS = (*HOSTS, '0.10.0-alpha')

SHARED = {
    'process': {'commandLine': 'echo a', 'cwd': '/work', 'env': ['A=1'],
                'timeout': 1000},
    'containerId': 'c', 'containment': 'bubblewrap',
    'lifecycle': {'destroyOnExit': False, 'preservePolicy': True},
    'filesystem': {'readwritePaths': ['/work'], 'readonlyPaths': ['/in'],
                   'deniedPaths': ['/work/secret']},
    'fallback': {'allowDaclMutation': False},
    'ui': {'disable': True, 'clipboard': 'read', 'injection': True},
    'network': {'defaultPolicy': 'block', 'enforcementMode': 'firewall',
                'allowLocalNetwork': False, 'allowedHosts': ['192.0.2.1'],
                'blockedHosts': ['192.0.2.0/24']}}
CONTAINER = {'leastPrivilege': True, 'capabilities': ['internetClient'],
             'ui': {'isolation': 'desktop', 'desktopSystemControl': True,
                    'systemSettings': 'display', 'ime': True}}
SEATBELT = {'profileOverride': 'p', 'guiAccess': True, 'nestedPty': False,
            'launchMethod': 'open', 'keychainAccess': True,
            'extraMachLookups': ['a.b']}

# (request, contracts)
OLD_BASES = [
    (SHARED, HOSTS),
    ({'process': RUN, 'containment': 'lxc', 'lxc': LXC}, HOSTS),
    ({'process': RUN, '$schema': 's', '_comment': {'a': [1]}}, HOSTS[1:]),
    ({'process': RUN, 'containment': 'processcontainer', 'network': {
        'proxy': {'localhost': 8080}}, 'processContainer': CONTAINER}, HOSTS),
    ({'process': RUN, 'containment': 'appcontainer', 'network': {
        'proxy': {'url': 'http://127.0.0.1:3128'}},
        'appContainer': {'capabilities': []}}, HOSTS),
    ({'process': RUN, 'containment': 'processcontainer',
      'network': {'proxy': {'builtinTestServer': True}}}, HOSTS),
    ({'process': RUN, 'containment': 'seatbelt', 'seatbelt': SEATBELT,
      'network': {'defaultPolicy': 'allow'}}, HOSTS[1:]),
    ({'process': RUN, 'containment': 'macos_sandbox',
      'macos_sandbox': SEATBELT}, HOSTS[1:]),
    ({'process': RUN, 'network': {'egress': {'default': 'deny', 'allow': [
        {'to': [{'cidr': '10.0.0.0/8', 'except': ['10.1.0.0/16']}],
         'ports': [{'protocol': 'tcp', 'port': 80, 'endPort': 90}]}]},
        'ingress': {'default': 'deny', 'hostLoopback': 'deny'}}}, HOSTS[2:]),
    ({'process': RUN, 'runtimeConfig': PROXY}, HOSTS[2:]),
    ({'process': RUN, 'containment': 'processcontainer',
      'runtimeConfig': PROXY,
      'network': {'ingress': {'default': 'allow', 'hostLoopback': 'deny'}},
      'processContainer': {
          **CONTAINER, 'learningMode': False,
          'captureDenials': {'mode': 'allow', 'outputPath': '/tmp/out',
                             'retainEtl': True},
          'network': {'allowedProxyPeer': 'peer'}}}, HOSTS[2:]),
]
# Other contracts' fields and kinds, of which each lacks some.
FOREIGN = BASES + BASES_11


def structural():
    for base, versions in OLD_BASES:
        for v in versions:
            yield from edited({'version': v, **base})
    for base in BASES + BASES_11[:-1]:
        yield from edited({'version': '0.10.0-alpha', **base})


def fields():
    """Each field of each contract in every other one."""
    for v in VERSIONS:
        for base in FOREIGN + [b for b, _ in OLD_BASES]:
            whole = {'version': v, **base}
            yield 'contract', dump(whole)
            for key in base:
                yield 'contract', dump({k: x for k, x in whole.items()
                                        if k != key})
                if isinstance(base[key], dict):
                    for inner in base[key]:
                        yield 'contract', dump({**whole, key: {
                            k: x for k, x in base[key].items()
                            if k != inner}})
                yield 'contract', dump({'version': v, 'process': RUN,
                                        key: base[key]})
        yield 'contract', dump(one_shot(v, experimental={}))
        for section in ('test', 'telemetry', 'wslc', 'windows_sandbox',
                        'seatbelt', 'isolation_session', 'zz'):
            yield 'contract', dump(one_shot(v, experimental={section: {}}))
        for word in ('exec', 'open', 'Exec', '', 'spawn'):
            yield 'contract', dump(one_shot(
                v, containment='seatbelt', seatbelt={'launchMethod': word}))


def networks():
    """The host lists, modes and proxies in all combinations that differ."""
    def choice(key, values):
        return [{}] + [{key: v} for v in values]
    lists = [{}, {'allowedHosts': []}, {'allowedHosts': ['a.example']},
             {'blockedHosts': ['192.0.2.1']},
             {'allowedHosts': ['a b', '', '*', '1.2.3.4/99'],
              'blockedHosts': ['http://x', '::1', '[::1]:80']}]
    proxy = [{}, {'proxy': {'localhost': 8080}},
             {'proxy': {'url': 'http://127.0.0.1:8080'}},
             {'proxy': {'url': 'http://proxy.example:8080'}},
             {'proxy': {'builtinTestServer': True}}]
    for v in HOSTS:
        for name in ('process', 'lxc', 'processcontainer', 'seatbelt'):
            more = {'containment': name}
            if name == 'lxc':
                more['lxc'] = LXC
            for d in choice('defaultPolicy', ('allow', 'block')):
                for m in choice('enforcementMode', ('capabilities', 'both')):
                    for x in choice('allowLocalNetwork', (True,)):
                        for n in lists:
                            for p in proxy:
                                yield 'hosts', dump(one_shot(v, **more, network={
                                    **d, **m, **x, **n, **p}))
    for v in HOSTS[2:]:
        for new in ({'egress': {}}, {'ingress': {}}, {'egress': {
                'default': 'allow'}}):
            for old in ({'defaultPolicy': 'block'}, {'allowedHosts': []},
                        {'blockedHosts': []}, {'enforcementMode': 'both'},
                        {'allowLocalNetwork': False}, proxy[1]):
                yield 'mixed', dump(one_shot(v, network={**new, **old}))
                yield 'mixed', dump(one_shot(
                    v, network=old, runtimeConfig={}))
                yield 'mixed', dump(one_shot(
                    v, network=old, runtimeConfig=PROXY))
                for inner in ({}, {'allowedProxyPeer': 'p'}):
                    yield 'mixed', dump(one_shot(
                        v, network=old, containment='processcontainer',
                        processContainer={'network': inner}))


def proxies():
    values = [None, True, 0, '', 'localhost', [], {}, {'localhost': None},
              {'localhost': 1, 'url': 'http://localhost:1'},
              {'localhost': 1, 'builtinTestServer': True},
              {'url': 'http://localhost:1', 'builtinTestServer': True},
              {'builtinTestServer': False}, {'builtinTestServer': 1},
              {'localhost': '8080'}, {'port': 1}, {'url': 1},
              {'localhost': 0}, {'localhost': 65535}, {'localhost': 65536},
              {'localhost': -1}, {'localhost': Raw('1.0')}]
    urls = ('''http://127.0.0.1:8080 https://localhost:1 http://localhost
        http://localhost:80 https://localhost:443 http://localhost:0
        http://proxy.example:3128 http://[::1]:1 http://10.0.0.1:3128
        http://u:p@localhost:1 http://@localhost:1 socks5://localhost:1 x
        http:// http://:1 localhost:1 http://localhost:1/a?b#c
        http://127.1:1 http://%6cocalhost:1 http://localhost:65536'''.split()
            + ['', ' ', 'http://a b:1', 'http://localhost:1 '])
    for v in HOSTS:
        for p in values + [{'url': u} for u in urls]:
            yield 'proxy', dump(one_shot(v, network={'proxy': p}))
            yield 'proxy', dump(one_shot(
                v, containment='processcontainer', network={'proxy': p}))


def kinds():
    """Lifecycle requests, and what provisioning is there."""
    for v in VERSIONS:
        for phase in ('provision', 'start', 'exec', 'stop', 'deprovision',
                      'run', '', None):
            for more in ({}, {'sandboxId': 'wslc:0'},
                         {'sandboxId': 'wslc:0', 'process': RUN},
                         {'sandboxId': 'wslc:0', 'correlationVector': 'c'},
                         {'containment': 'windows_sandbox'},
                         {'containment': 'wslc', 'network': ALLOW_ALL},
                         {'containment': 'isolation_session', 'network': {
                             'defaultPolicy': 'allow',
                             'allowLocalNetwork': True}},
                         {'process': RUN}):
                yield 'phase', dump({'version': v, 'phase': phase, **more})


def texts():
    for v in VERSIONS:
        t = dump(one_shot(v))
        for x in (t[:-1], t + 'x', '\ufeff' + t, t.replace('"', "'"),
                  t.replace(',', ',,', 1), t.replace('true', 'tr\\u0000')):
            yield 'text', x
    for v in VERSIONS[1:]:
        yield 'comment', dump(one_shot(v, _comment=Raw('1e400')))
    for v in VERSIONS[2:]:
        for path in ('/no/such/x', '/tmp', 'rel', 'C:\\x', '/'):
            yield 'capture', dump(one_shot(
                v, containment='processcontainer', processContainer={
                    'captureDenials': {'outputPath': path}}))
        for block in ('10.0.0.0/08', '10.0.0.0/8', '::/0', '10.0.0.1/8'):
            yield 'cidr', dump(one_shot(v, network={'egress': {'allow': [
                {'to': [{'cidr': block}]}]}}))


def targeted():
    yield from backends(VERSIONS)
    for make in (fields, networks, proxies, kinds, texts):
        yield from make()


def documents(most_structural):
    return mutations.documents(most_structural, targeted, structural)
