#!/usr/bin/env python3
"""Whole requests with their verdicts, whatever the machine.

CASES are ours.  A file of [path, text] lines beside the checkout, with
'/valid/' or '/invalid/' in each path, is judged as labelled as well.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
from tap import *  # noqa: E402,F403
import json  # noqa: E402
from judging import Judge  # noqa: E402

BESIDE = TOP.parent / 'shared/contract-fixtures.jsonl'
OPEN = {'egress': {'default': 'allow'},
        'ingress': {'default': 'allow', 'hostLoopback': 'allow'}}
PROXY = {'networkProxy': 'http://127.0.0.1:3128'}
FAR_PROXY = {'networkProxy': 'http://cache.example:3128'}
ID = 'wslc:00112233445566778899aabbccddeeff'


def shot(version='1.0.0', command='id', **more):
    return {'version': version, 'process': {'commandLine': command}, **more}


def step(phase, version='1.0.0', **more):
    return {'version': version, 'phase': phase, **more}


def iso(network):
    more = {} if network is None else {'network': network}
    return shot(containment='isolation_session', **more)


# name: (document, None or the place and a part of the refusal)
CASES = {
    'every shared field': (shot(
        containerId='job-7', containment='processcontainer',
        lifecycle={'destroyOnExit': False, 'preservePolicy': True},
        process={'commandLine': 'make test', 'cwd': '/src', 'timeout': 5000,
                 'env': ['CI=1'], 'inheritDefaultEnv': True},
        filesystem={'readwritePaths': ['/src'], 'readonlyPaths': ['/deps'],
                    'deniedPaths': ['/src/.git']},
        fallback={'allowDaclMutation': False},
        network={'egress': {'default': 'deny'}, 'ingress': OPEN['ingress']},
        runtimeConfig=PROXY,
        ui={'disable': False, 'clipboard': 'write', 'injection': True},
        processContainer={
            'leastPrivilege': True, 'learningMode': True,
            'capabilities': ['registryRead'],
            'ui': {'isolation': 'atoms', 'desktopSystemControl': True,
                   'systemSettings': 'display', 'ime': True}}), None),
    'annotations': (shot(_comment=[{'why': None}], **{'$schema': 'x'}), None),
    'minimal': (shot(), None),
    'proxy': (shot(runtimeConfig=PROXY), None),
    'session': (iso(OPEN), None),
    'seatbelt': (shot(containment='seatbelt', seatbelt={
        'profileOverride': '(version 1)', 'guiAccess': True,
        'nestedPty': False, 'keychainAccess': True,
        'extraMachLookups': ['com.example.a', 'com.example.b']}), None),
    'seatbelt, empty': (shot(containment='seatbelt', seatbelt={}), None),
    'wslc': (shot(containment='wslc', wslc={
        'targetOs': 'linux', 'image': 'debian:12', 'imageTarPath': 'D:\\i.tar',
        'cpuCount': 4, 'memoryMb': 512, 'gpu': True, 'storagePath': 'D:\\s',
        'portMappings': [{'windowsPort': 1, 'containerPort': 65535,
                          'protocol': 'tcp'}]}), None),
    'empty objects': (shot(
        '1.1.0-alpha', lifecycle={}, filesystem={}, fallback={}, network={},
        ui={}, processContainer={'ui': {}}), None),
    'test section': (shot('1.1.0-alpha', test={}), None),
    'alias appContainer': (shot(appContainer={'leastPrivilege': True}),
                           'appContainer: unknown field'),
    'both container names': (shot(processContainer={}, appContainer={}),
                             'appContainer: unknown field'),
    'both container names, 0.9': (
        shot('0.9.0-alpha', processContainer={}, appContainer={}),
        'appContainer: duplicate field'),
    'both seatbelt names': (shot(seatbelt={}, macos_sandbox={}),
                            'macos_sandbox: unknown field'),
    'alias macos_sandbox': (
        shot(containment='macos_sandbox', macos_sandbox={}),
        "containment: unknown value 'macos_sandbox'"),
    'reserved capability': (
        shot(processContainer={'capabilities': ['LEARNINGmodeLOGGING']}),
        'processContainer.capabilities[0]: this capability is reserved'),
    'comma in a capability': (
        shot(processContainer={'capabilities': ['a', 'b,c']}),
        'processContainer.capabilities[1]: a capability holds no comma'),
    'hyperlight in 1.0': (shot(hyperlight={}), 'hyperlight: unknown field'),
    'vm in 1.0': (shot(containment='vm'), "containment: unknown value 'vm'"),
    'session, rules': (iso({**OPEN, 'egress': {'default': 'allow',
                                               'deny': []}}),
                       'network: an isolation session needs'),
    'session, loopback': (iso({**OPEN, 'ingress': {'default': 'allow'}}),
                          'network: an isolation session needs'),
    'session, no egress': (iso({'ingress': OPEN['ingress']}),
                           'network: an isolation session needs'),
    'session, no ingress': (iso({'egress': OPEN['egress']}),
                            'network: an isolation session needs'),
    'session, no network': (iso(None), 'network: an isolation session needs'),
    'session, mixed': (iso({**OPEN, 'ingress': {'default': 'deny'}}),
                       'network: an isolation session needs'),
    'session, legacy': (iso({'defaultPolicy': 'allow'}),
                        'network.defaultPolicy: unknown field'),
    'legacy proxy': (shot(network={'proxy': {'localhost': 3128}}),
                     'network.proxy: unknown field'),
    'launchMethod': (shot(containment='seatbelt',
                          seatbelt={'launchMethod': 'exec'}),
                     'seatbelt.launchMethod: unknown field'),
    'unknown in seatbelt': (shot('1.1.0-alpha', containment='seatbelt',
                                 seatbelt={'x': 1}),
                            'seatbelt.x: unknown field'),
    'unknown in network': (shot(network={'x': 1}), 'network.x: unknown field'),
    'port out of range': (
        shot(containment='wslc', wslc={'portMappings': [
            {'windowsPort': 70000, 'containerPort': 1}]}),
        'wslc.portMappings[0].windowsPort: expected an integer from 1 to'),
    'start': (step('start', sandboxId='any:1'), None),
    'stop': (step('stop', sandboxId='any:1'), None),
    'deprovision': (step('deprovision', sandboxId='any:1'), None),
    'exec': (step('exec', sandboxId='any:1',
                  process={'commandLine': 'id'}), None),
    'exec, proxy': (step('exec', sandboxId=ID, process={'commandLine': 'id'},
                         runtimeConfig=FAR_PROXY), None),
    'exec, proxy elsewhere': (
        step('exec', sandboxId='any:1', process={'commandLine': 'id'},
             runtimeConfig=FAR_PROXY),
        'runtimeConfig.networkProxy: proxy must be on localhost'),
    'exec, no process': (step('exec', sandboxId='any:1'),
                         "missing field 'process'"),
    'exec, legacy proxy': (
        step('exec', '1.1.0-alpha', sandboxId=ID,
             process={'commandLine': 'id'}, network={'proxy': {'url': 'x'}}),
        'network.proxy: unknown field'),
    'start, process': (step('start', sandboxId='any:1',
                            process={'commandLine': 'id'}),
                       'process: unknown field'),
    'stop, unknown': (step('stop', sandboxId='any:1', x=True),
                      'x: unknown field'),
    'deprovision, containment': (
        step('deprovision', '1.1.0-alpha', sandboxId='any:1',
             containment='windows_sandbox'), 'containment: unknown field'),
    'former lists': (shot('0.6.0-alpha', network={
        'defaultPolicy': 'block', 'enforcementMode': 'firewall',
        'allowedHosts': ['a.example', '192.0.2.0/24'],
        'blockedHosts': ['192.0.2.9'], 'allowLocalNetwork': False}), None),
    'former proxy': (shot('0.7.0-alpha', network={
        'proxy': {'localhost': 3128}}), None),
    'former proxy, two': (
        shot('0.7.0-alpha', network={'proxy': {
            'localhost': 1, 'url': 'http://localhost:1'}}),
        'network.proxy: expected exactly one of'),
    'former proxy, false': (
        shot('0.8.0-alpha', network={'proxy': {'builtinTestServer': False}}),
        'network.proxy.builtinTestServer: expected true, found false'),
    'both kinds of network': (
        shot('0.8.0-alpha', network={'egress': {}, 'allowedHosts': []}),
        "network: 'egress', 'ingress', 'networkProxy' and 'allowedProxyPeer' "
        'exclude'),
    'launchMethod, 0.7': (shot(
        '0.7.0-alpha', containment='macos_sandbox',
        macos_sandbox={'launchMethod': 'open'}), None),
    'experimental': (shot('0.8.0-alpha', containment='wslc', experimental={
        'wslc': {'image': 'i'}, 'telemetry': {'enabled': True}}), None),
    'experimental of another': (
        shot('0.8.0-alpha', experimental={'wslc': {}}, containment='lxc'),
        "experimental.wslc: section 'experimental.wslc' does not belong"),
    'experimental, 1.0': (shot(experimental={}),
                          'experimental: unknown field'),
    'annotations, 0.6': (shot('0.6.0-alpha', _comment=''),
                         '_comment: unknown field'),
    'phase, 0.7': (step('start', '0.7.0-alpha', sandboxId='any:1'),
                   'phase: unknown field'),
    'phase, 0.8': (step('start', '0.8.0-alpha', sandboxId='any:1',
                        correlationVector='c'), None),
    'provision session, 0.8': (step(
        'provision', '0.8.0-alpha', containment='isolation_session',
        network={'defaultPolicy': 'allow', 'allowLocalNetwork': True}), None),
    'provision session, 0.8, later shape': (step(
        'provision', '0.8.0-alpha', containment='isolation_session',
        network=OPEN), 'network.egress: unknown field'),
    'provision windows_sandbox, 0.10': (step(
        'provision', '0.10.0-alpha', containment='windows_sandbox'), None),
    'portMappings in provision, 0.10': (
        step('provision', '0.10.0-alpha', containment='wslc',
             wslc={'provision': {'portMappings': []}}),
        'wslc.provision.portMappings: unknown field'),
    'provision session': (step('provision', network=OPEN,
                               containment='isolation_session'), None),
    'provision session, appId': (
        step('provision', network=OPEN, containment='isolation_session',
             isolationSession={'provision': {'appId': 'a'}}), None),
    'provision wslc': (step('provision', containment='wslc'), None),
    'provision wslc, network': (step('provision', containment='wslc',
                                     network=OPEN), None),
    'provision wslc, sandboxId': (
        step('provision', containment='wslc', sandboxId=ID),
        'sandboxId: unknown field'),
    'provision wslc, proxy': (
        step('provision', '1.1.0-alpha', containment='wslc',
             runtimeConfig=FAR_PROXY), 'runtimeConfig: unknown field'),
    'provision windows_sandbox': (
        step('provision', '1.1.0-alpha', containment='windows_sandbox'), None),
    'provision windows_sandbox in 1.0': (
        step('provision', containment='windows_sandbox'),
        "containment: containment 'windows_sandbox' cannot be provisioned"),
}


@test
def our_cases():
    with Judge('--anywhere') as ask:
        for name, (doc, refusal) in CASES.items():
            answer = ask(json.dumps(doc, indent=2))
            if refusal is None:
                eq(answer, 'ok', name)
            else:
                has(answer, refusal, name)
                check(answer.startswith('no '), name)


@test
def cases_beside_the_checkout():
    if not BESIDE.exists():
        skip(f'no file {os.path.relpath(BESIDE, TOP)}')
    lines = BESIDE.read_text().splitlines()
    wrong = []
    with Judge('--anywhere') as ask:
        for line in lines:
            path, text = json.loads(line)
            answer = ask(text)
            if (answer == 'ok') != ('/valid/' in path):
                wrong.append(f'{path}: {answer}')
    check(not wrong, '\n'.join(wrong))
    check(len(lines) >= 48, f'only {len(lines)} documents')


main()
