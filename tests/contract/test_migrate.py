#!/usr/bin/env python3
# tap: seconds=600
"""mxc migrate: the new request means what the old one did."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
from tap import *  # noqa: E402,F403
import json  # noqa: E402
import re  # noqa: E402
import former  # noqa: E402
from judging import Judge  # noqa: E402
from mutations import RUN  # noqa: E402

OLD = ('0.6.0-alpha', '0.7.0-alpha', '0.8.0-alpha')


def old(version='0.7.0-alpha', **more):
    return {'version': version, 'process': RUN, **more}


def hosts(version='0.7.0-alpha', **network):
    return old(version, network=network)


def migrate(doc, *options, status=0):
    """The new request, the paths that were noted, those that were dropped."""
    text = doc if isinstance(doc, str) else json.dumps(doc, indent=1)
    r = mxc('migrate', *options, write('old.json', text))
    eq(r.status, status, f'status for {text}: {r.err}')
    notes = re.findall(r'^warning: (\S+) \(line (\d+), column \d+\): (.*)$',
                       r.err, re.M)
    check(all(int(line) for _, line, _ in notes), f'a note has no place: {r.err}')
    dropped = {p for p, _, why in notes if why.startswith('dropped: ')}
    return json.loads(r.out), {p for p, _, _ in notes} - dropped, dropped


def plan(doc):
    """What would be done, without the places it comes from."""
    text = doc if isinstance(doc, str) else json.dumps(doc)
    r = mxc('explain', '--plan', write('explained.json', text))
    if r.status != 0:
        return 'refused'
    text = re.sub(r'\n\nWarning\n.*?(?=\n\n)', '', r.out, flags=re.S)
    return re.sub(r' *\([^()]*\)$', '', text, flags=re.M)


# Requests that run here, and the contract they come to.
SAME = {
    'nothing said': (old(), '1.0.0'),
    'the whole process': (
        {'version': '0.6.0-alpha', 'process': {
            'commandLine': 'id', 'cwd': '/tmp', 'env': ['A=1'],
            'timeout': 10}}, '1.0.0'),
    'files': (old(filesystem={'readonlyPaths': ['/usr/local'],
                              'deniedPaths': ['/usr/local/share']}), '1.0.0'),
    'nothing goes out': (hosts(defaultPolicy='block', allowedHosts=[]),
                         '1.0.0'),
    'all goes out': (hosts(defaultPolicy='allow'), '1.0.0'),
    'all but a block': (hosts(defaultPolicy='allow',
                              blockedHosts=['192.0.2.0/24']), '1.0.0'),
    'blocks': (hosts('0.6.0-alpha', allowedHosts=['192.0.2.0/24', '2001:db8::1'],
                     blockedHosts=['192.0.2.7']), '1.0.0'),
    'names': (hosts(allowedHosts=['api.example.com', '*.example.org'],
                    blockedHosts=['b.example.org']), '1.1.0+c1'),
    'names and blocks': (hosts('0.8.0-alpha', enforcementMode='both',
                               allowedHosts=['a.example', '192.0.2.1']),
                         '1.1.0+c1'),
    'a proxy': (hosts(proxy={'localhost': 3128}), '1.0.0'),
    'a proxy by its URL': (hosts(
        '0.8.0-alpha', proxy={'url': 'http://localhost:3128'}), '1.0.0'),
    'a proxy and all': (hosts(defaultPolicy='allow',
                              proxy={'localhost': 3128}), '1.0.0'),
    'the built-in proxy': (hosts(allowedHosts=['a.example'],
                                 proxy={'builtinTestServer': True}),
                           '1.1.0+c1'),
    'the later shape': (old('0.8.0-alpha', network={
        'egress': {'allow': [{'to': [{'cidr': '192.0.2.0/24'}]}]}}), '1.0.0'),
    'the later proxy': (old('0.8.0-alpha', runtimeConfig={
        'networkProxy': 'http://127.0.0.1:3128'}), '1.0.0'),
    'experimental': (old('0.8.0-alpha', experimental={
        'telemetry': {'enabled': False}, 'test': {}}), '1.0.0'),
    'a development contract': (old('0.10.0-alpha', test={'message': 'm'}),
                               '1.0.0'),
    'the present one': (old('1.0.0'), '1.0.0'),
}


@cases(SAME)
def plan_is_the_same(doc, contract):
    new, _, dropped = migrate(doc)
    eq(new['version'], contract)
    eq(dropped, set())
    before = plan(doc)
    check(before != 'refused', 'the old request would not run')
    eq(plan(new), before)
    again, notes, _ = migrate(new)
    eq((again, notes), (new, set()), 'a second time')
    later, _, _ = migrate(doc, '--to', '1.1.0+c1')
    eq(plan(later), before, 'in 1.1.0+c1')


@test
def text_for_people_is_kept():
    text = ('{"_comment":{"n":1e400,"s":"a\\u0000\\"b","a":1,"a":[]},'
            '"$schema":"x/y","version":"0.7.0-alpha","containerId":"caf\u00e9",'
            '"process":{"commandLine":"true"}}')
    r = mxc('migrate', write('old.json', text)).ok()
    has(r.out, '"n": 1e400')
    has(r.out, '"s": "a\\u0000\\"b"')
    has(r.out, '"$schema": "x/y"')
    has(r.out, '"containerId": "caf\u00e9"')
    eq(list(json.loads(r.out)), ['_comment', '$schema', 'version',
                                 'containerId', 'process'])
    check(r.out.startswith('{\n  "_comment": {\n') and r.out.endswith('}\n'))


@test
def names_and_places_change():
    new, notes, _ = migrate(old(
        containment='macos_sandbox',
        macos_sandbox={'launchMethod': 'exec', 'guiAccess': True},
        network={'defaultPolicy': 'allow', 'enforcementMode': 'capabilities'}))
    eq(new, {'version': '1.0.0', 'process': RUN, 'containment': 'seatbelt',
             'seatbelt': {'guiAccess': True},
             'network': {'egress': {'default': 'allow'}}})
    eq(notes, {'network.enforcementMode'})
    new, _, _ = migrate(old('0.6.0-alpha', containment='appcontainer',
                            appContainer={'capabilities': ['a']}))
    eq(new['containment'], 'processcontainer')
    eq(new['processContainer'], {'capabilities': ['a']})
    new, _, _ = migrate({
        'version': '0.8.0-alpha', 'phase': 'provision',
        'containment': 'isolation_session',
        'network': {'defaultPolicy': 'allow', 'allowLocalNetwork': True},
        'experimental': {'isolation_session': {'provision': {'appId': 'a'}},
                         'telemetry': {'enabled': True}}})
    eq(new, {'version': '1.0.0', 'phase': 'provision',
             'containment': 'isolation_session',
             'network': {'egress': {'default': 'allow'}, 'ingress': {
                 'default': 'allow', 'hostLoopback': 'allow'}},
             'telemetry': {'enabled': True},
             'isolationSession': {'provision': {'appId': 'a'}}})


# name: (request, options, what is dropped)
DROPS = {
    'an allowed name in 1.0.0': (
        hosts(allowedHosts=['192.0.2.1', 'a.example']), ('--to', '1.0.0'),
        {'network.allowedHosts[1]'}),
    'a denied name among none': (
        hosts(blockedHosts=['a.example']), ('--to', '1.0.0'),
        {'network.blockedHosts[0]'}),
    'no name at all': (hosts(allowedHosts=['a b']), (),
                       {'network.allowedHosts[0]'}),
    'permissions beside a proxy': (
        hosts(proxy={'localhost': 1}, allowedHosts=['a.example']), (),
        {'network.allowedHosts'}),
    'a proxy elsewhere': (
        hosts(defaultPolicy='allow', proxy={'url': 'http://10.0.0.1:3128'}),
        (), {'network.proxy.url'}),
    'the built-in proxy in 1.0.0': (
        hosts(proxy={'builtinTestServer': True}), ('--to', '1.0.0'),
        {'network.proxy.builtinTestServer'}),
    'another launch': (
        old(containment='seatbelt', seatbelt={'launchMethod': 'open'}), (),
        {'seatbelt.launchMethod'}),
    'the mark of a caller': (
        {'version': '0.8.0-alpha', 'phase': 'stop', 'sandboxId': 'wslc:0',
         'correlationVector': 'c'}, (), {'correlationVector'}),
    'a setting of no name': (
        old(containment='processcontainer',
            processContainer={'ui': {'systemSettings': 'some'}}),
        ('--to', '1.1.0+c1'), {'processContainer.ui.systemSettings'}),
}


@cases(DROPS)
def what_is_dropped_is_said(doc, options, want):
    new, _, dropped = migrate(doc, *options, status=1)
    eq(dropped, want)
    with Judge('--anywhere') as ask:
        eq(ask(json.dumps(new)), 'ok')
    text = json.dumps(new)
    check('"allow"' not in text.replace('"allow": [', ''),
          f'something is allowed: {text}')


# name: (request, options, a part of the refusal)
REFUSALS = {
    'a denied name under allow': (
        hosts(defaultPolicy='allow', blockedHosts=['a.example']),
        ('--to', '1.0.0'), "denied host 'a.example' cannot be carried over"),
    'a denial that is no host': (
        hosts(blockedHosts=['192.0.2.1/33']), (),
        "denied host '192.0.2.1/33' cannot be carried over"),
    'denials beside a proxy': (
        hosts(proxy={'localhost': 1}, blockedHosts=['127.0.0.1']), (),
        'denied hosts cannot be carried over'),
    'a backend that 1.0.0 lacks': (
        old('0.10.0-alpha', containment='vm'), ('--to', '1.0.0'),
        "cannot be said in contract '1.0.0'"),
    'limits': ({'version': '1.1.0+c1', 'process': RUN,
                'limits': {'pids': 1}}, ('--to', '1.0.0'),
               "unknown field 'limits'"),
    'what is no request': ({'version': '0.6.0-alpha'}, (),
                           "missing field 'process'"),
}


@cases(REFUSALS)
def nothing_more_is_allowed(doc, options, part):
    r = mxc('migrate', *options, write('old.json', json.dumps(doc)))
    eq((r.status, r.out), (1, ''))
    has(r.err, part)


@test
def usage():
    file = write('old.json', json.dumps(old()))
    for args, part in (
            ((), 'no request to rewrite'),
            (('--to', '0.9.0-alpha', file), '1.0.0 or 1.1.0+c1'),
            ((file, file), "unexpected '"),
            (('--rw', '/tmp', file), 'unknown option')):
        r = mxc('migrate', *args)
        eq((r.status, r.out), (2, ''))
        has(r.err, part)
    r = mxc('migrate', '--json', '1', file).ok()
    got = json.loads(r.out)
    eq((got['outcome'], got['exitCode'], got['version']),
       ('migrated', 0, '1.0.0'))
    eq(got['request'], {'version': '1.0.0', 'process': RUN})


@test(seconds=60)
def long_lists_cost_little():
    names = [f'h{i}.example' if i % 2 else f'no host {i}'
             for i in range(100000)]
    r = mxc('migrate', '--json', 'result.json',
            write('old.json', json.dumps(hosts(allowedHosts=names))))
    eq(r.status, 1)
    eq(len(json.loads(r.out)['network']['egress']['allow']), 50000)
    eq(len(r.err.splitlines()), 65)
    has(r.err, 'warning: and 49936 more like these')
    eq(json.loads(read('result.json'))['notesNotListed'], 49936)


@test(seconds=300)
def every_accepted_request_has_a_later_one():
    """What the generator's requests come to is a request, and allows nothing
    where the old one allowed nothing."""
    seen, done, refused = set(), 0, 0
    with Judge('--anywhere') as ask:
        for kind, data in former.documents(600):
            if kind not in ('valid', 'value', 'hosts', 'contract', 'phase'):
                continue
            if ask(data) != 'ok' or sum(data) % 6:
                continue
            r = mxc('migrate', write('old.json', data))
            check(r.status in (0, 1), f'{data}: {r.status} {r.err}')
            if r.out == '':
                refused += 1
                check(re.search('cannot be (said|carried over)', r.err),
                      f'{data}: {r.err}')
                continue
            done += 1
            eq(ask(r.out), 'ok', f'{data} became {r.out}')
            seen.add(json.loads(r.out)['version'])
    print(f'{done} rewritten, {refused} refused')
    check(done > 100 and seen == {'1.0.0', '1.1.0+c1'}, f'{done} {seen}')


main()
