#!/usr/bin/env python3
"""mxc_run_json, the requests it takes, and what is told of the host."""

import json
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
from tap import *  # noqa: E402,F403
import images  # noqa: E402
from ffi import (ALLOW_ALL, OURS, PRESENTER, Library, byref,  # noqa: E402
                 c_int32, c_void_p, is_sanitized, one_shot, peek)

lib = Library(OURS)
HAS_LXC = (MXC.parent / '../libexec/mxc/mxc-lxc').exists()
images.private_store()
MARK = '\ufffd'.encode()


def ran(request, **want):
    r = lib.run(request)
    eq((r.returned, r.status), (0, 0), r.message)
    check(r.cleared, 'not cleared')
    for name, value in want.items():
        eq(getattr(r, name), value, f'{name} of {r}')
    return r


def refused(request, status, *pieces, experimental=0):
    r = lib.run(request, experimental)
    eq((r.returned, r.status), (status, status), f'status of {r}')
    eq((r.out, r.err, r.exit_code, r.timed_out), (None, None, 0, 0))
    for piece in pieces:
        has(r.message, piece)
    check(r.cleared, 'not cleared')
    return r


@test
def output_and_status():
    ran(one_shot('echo out; echo err >&2; exit 3'), exit_code=3, timed_out=0,
        out=b'out\n', err=b'err\n', warnings=None, metadata=None)


@test
def versions():
    known = ('0.6.0-alpha', '0.7.0-alpha', '0.8.0-alpha', '0.9.0-alpha',
             '0.10.0-alpha', '1.0.0', '1.1.0-alpha', '1.1.0+c1')
    has(run([MXC, 'schema', '--version', 'x']).err, ', '.join(map(repr, known)),
        'the library has a list of its own: those of the executable')
    for v in known:
        ran(one_shot('exit 3', v), exit_code=3)
    for v in ('1.1.0+c2', '0.5.0-alpha', '1.0', '', '1.0.0 ', '0.8.0'):
        refused(one_shot('true', v), 1, 'Configuration parse error: ',
                ', '.join(known))


@test
def former_lists_of_hosts():
    ran(one_shot('true', '0.8.0-alpha', network={
        'defaultPolicy': 'block', 'allowedHosts': ['a.example']}),
        exit_code=0)
    refused(one_shot('true', '0.8.0-alpha', network={
        'defaultPolicy': 'block', 'allowedHosts': ['a b']}), 1,
        'network.allowedHosts[0]')


@cases({
    'process': ('process',),
    'bubblewrap': ('bubblewrap',),
})
def runs_on_our_engine(name):
    ran(one_shot('cat /proc/1/comm; exit 7', containment=name), exit_code=7,
        out=b'mxc-init\n')


@cases([('signal', 'kill -9 $$', 137), ('not found', 'no-such-thing', 127),
        ('not executable', '/etc/passwd', 126), ('255', 'exit 255', 255)])
def ends(command, status):
    ran(one_shot(command), exit_code=status, timed_out=0)


@test
def timeout():
    start = time.monotonic()
    r = ran(one_shot('echo a; sleep 30', timeout=300), exit_code=-1,
            timed_out=1, out=b'a\n')
    check(0.2 < time.monotonic() - start < 20, r)


@test
def input_is_empty():
    ran(one_shot('cat; echo done'), out=b'done\n')


@test
def text_is_lossy():
    """As Python's own decoder, and NUL too."""
    rng = random.Random(7)
    alphabet = [b'a', b'\0', b'\xc3', b'\xa9', b'\xe2', b'\x82', b'\xac',
                b'\xf0', b'\x9f', b'\x98', b'\x80', b'\xed', b'\xa0', b'\xf4',
                b'\x90', b'\xc0', b'\xff', b'\xe0', b'\xf5', b'\xbf',
                '\u20ac'.encode(), '\U0001f600'.encode()]
    data = b'\n'.join(b''.join(rng.choices(alphabet, k=rng.randrange(1, 7)))
                      for _ in range(3000))
    write('data', data)
    r = ran(one_shot('cat data >&2; cat data', filesystem={
        'readonlyPaths': [os.getcwd()]}, process={
            'commandLine': 'cat data >&2; cat data', 'cwd': os.getcwd()}))
    want = data.decode('utf-8', 'replace').encode().replace(b'\0', MARK)
    eq(r.out, want)
    eq(r.err, want)


@test
def several_megabytes():
    r = ran(one_shot("head -c 6000000 /dev/zero; yes '\u20ac' | head -c 4000000"
                     " >&2; head -c 300000 /dev/zero | tr '\\000' '\\377'"))
    eq(len(r.out), 3 * 6300000)
    check(r.out == MARK * 6300000)
    eq(r.err, ('\u20ac\n' * 1000000).encode())


@test
def null_and_no_text():
    eq(refused(None, 100).message, 'request JSON pointer is null')
    eq(refused(b'{"a":"\xff"}', 101).message, 'request JSON is not UTF-8')
    eq(refused(b'\xed\xa0\x80', 101).message, 'request JSON is not UTF-8')
    eq(lib.raw.mxc_run_json(b'{}', 0, None), 100)


@cases({
    'empty': (b'',), 'no JSON': (b'x',), 'cut': (b'{"version":',),
    'array': (b'[]',), 'null': (b'null',), 'no version': ({},),
    'version is a number': ({'version': 1},),
    'deep': (b'[' * 100000,), 'unknown field': (one_shot('true', zz=1),),
    'no command': ({'version': '1.0.0', 'process': {}},),
    'null field': (one_shot('true', network=None),),
    'foreign section': (one_shot('true', lxc={'distribution': 'a',
                                              'release': 'b'}),),
    'ours': (one_shot('true', containment='native'),),
    'twice': (b'{"version":"1.0.0","version":"1.0.0",'
              b'"process":{"commandLine":"true"}}',),
})
def malformed(request):
    r = refused(request, 1, 'Configuration parse error: ')
    lacks(r.message, '\n')


@test
def malformed_says_where():
    r = refused(one_shot('true', zz=1), 1, 'zz', 'line 1, column')
    has(r.message, 'Invalid one-shot request: ')
    refused({'version': '1.0.0', 'phase': 'start', 'sandboxId': 'wslc:0'}, 1,
            'expected a one-shot request; lifecycle requests')


@cases({name: (name, status) for name, status in {
    'seatbelt': 2, 'processcontainer': 2, 'wslc': 2, 'isolation_session': 2,
    'vm': 2, 'microvm': 2, 'hyperlight': 2, 'windows_sandbox': 2}.items()})
def other_backends(name, status):
    more = {'network': ALLOW_ALL} if name == 'isolation_session' else {}
    request = one_shot('true', '1.1.0-alpha', containment=name, **more)
    for experimental in (0, 1, -1):
        refused(request, status, experimental=experimental)
    refused({**request, 'zz': 1}, 1)


@test
def a_container_of_an_image():
    """As by lxc-exec: what is missing is said, what is kept is kept."""
    if not HAS_LXC:
        skip('this build has no mxc-lxc')
    if b'/ld-linux' in (MXC.parent / '../libexec/mxc/mxc-launch').read_bytes():
        skip('mxc-launch needs libraries, which an image has not')

    def asked(command, **more):
        return one_shot(command, containment='lxc', lxc={
            'distribution': 'test', 'release': '1'}, **more)
    refused(asked('true'), 11, "there is no image 'test/1'")
    refused(one_shot('true', containment='lxc', lxc={
        'distribution': '', 'release': ''}), 11,
        'LXC distribution and release are required')
    mxc('image', 'import', 'test/1', images.root(
        files={'etc/motd': 'of the image'})).ok()
    ran(asked('cat /etc/motd; echo err >&2; exit 3'), exit_code=3,
        out=b'of the image', err=b'err\n')
    with lib.spawn(asked('cat; exit 5')) as box:
        i, o = box.stdin(), box.stdout()
        i.write_all(b'typed')
        i.free()
        eq((o.all(), box.wait()), (b'typed', (0, 5, 0)))
        o.free()
    more = {'containerId': 'one', 'lifecycle': {'destroyOnExit': False}}
    for want in (b'', b'x\n'):
        ran(asked('cat /mine; echo x >/mine', **more), out=want)
    run([MXC.parent / 'lxc-exec', '--delete', '--containername', 'one']).ok()


@test
def refusals_of_policy():
    r = refused(one_shot('true', network={'ingress': {'default': 'allow'}}),
                12, 'network.ingress.default')
    r = refused(one_shot('true', filesystem={'readonlyPaths': ['/no/such']}),
                11, "'/no/such'", 'filesystem.readonlyPaths[0]')
    has(r.fault.remediation, 'create it')


@test
def warnings_are_text():
    r = ran(one_shot('true', telemetry={'enabled': True}))
    warnings = json.loads(r.warnings)
    eq(len(warnings), 1)
    has(warnings[0], 'telemetry')
    eq(r.err, b'')


@test
def a_record_of_refusals():
    """As MXC's processContainer has it, for `process`."""
    out = os.path.abspath('record.json')
    key = write('secret', 'x')
    request = one_shot(f'cat {key}; exit 3', processContainer={
        'captureDenials': {'outputPath': out}})
    r = ran(request, exit_code=3)
    meta = json.loads(r.metadata)['captureDenials']
    eq({k: type(v) for k, v in meta.items()},
       {'type': str, 'outputPath': str, 'exitCode': int, 'totalDenials': int,
        'deniedResourcesTruncated': bool})
    eq((meta['type'], meta['outputPath'], meta['exitCode']),
       ('captureDenials', out, 3))
    record = json.loads(read('record.json'))
    check(any(d['resolved'] == str(key) for d in record['deniedResources']))
    os.unlink(out)
    with lib.spawn(request) as box:
        eq(box.metadata(), None)
        box.wait()
        eq(box.metadata()['captureDenials'], meta)
    check(os.path.exists(out))
    refused(one_shot('true', processContainer={'captureDenials': {
        'mode': 'allow', 'outputPath': out}}), 11,
            'rights that the policy does not give it')


@test
def what_failed_after_the_start():
    r = refused(one_shot('true', process={
        'commandLine': 'true', 'cwd': '/no/such'}), 12, "'/no/such'")
    check(r.fault.message)


@test
def sixteen_at_once():
    results = [None] * 16

    def go(n):
        results[n] = lib.run(one_shot(f'echo {n}; exit {n}'))
    threads = [threading.Thread(target=go, args=(n,)) for n in range(16)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for n, r in enumerate(results):
        eq((r.status, r.exit_code, r.out), (0, n, f'{n}\n'.encode()), r)


@test
def leaves_the_process_as_it_was():
    def state():
        return (sorted(os.listdir('/proc/self/fd')), os.getcwd(),
                [line for line in read('/proc/self/status').splitlines()
                 if line.startswith(('SigP', 'SigB', 'SigI', 'SigC', 'Threads'))])
    before = state()
    ran(one_shot('echo a'))
    lib.run(b'{')
    with lib.spawn(one_shot('cat')) as box:
        box.wait()
    eq(state(), before)
    try:
        os.waitpid(-1, os.WNOHANG)
        fail('a child is left')
    except ChildProcessError:
        pass


@test
def signals_of_the_workload_are_not_ours():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    r = ran(one_shot('grep SigBlk /proc/self/status'))
    eq(r.out.split()[1].strip(b'0'), b'')


# --- looking -----------------------------------------------------------------

@test
def backends_and_platform():
    if is_sanitized():
        skip('the programs leak, and so fail their own test')
    names = ['bubblewrap', *['lxc'] * HAS_LXC]
    eq(json.loads(lib.owned('mxc_available_backends_json')),
       [{'backend': n, 'capabilities': ['proxyEnforcement']} for n in names])
    eq(json.loads(lib.owned('mxc_platform_support_json')),
       {'isSupported': True, 'reason': None,
        'availableMethods': sorted(names, reverse=True),
        'bubblewrapNetwork': {'proxyEnforcement': 'supported',
                              'warnings': []}})
    eq(lib.raw.mxc_version(), b'1.0.1')


@test
def telemetry_is_not_applicable():
    eq(lib.said('mxc_telemetry_get_consent'), (0, b'not-applicable'))
    eq(lib.said('mxc_telemetry_get_policy'), (0, b'not-applicable'))
    status, text = lib.said('mxc_telemetry_get_consent_status')
    want = dict.fromkeys(('storedState', 'effectiveState', 'policy',
                          'reason'), 'not-applicable')
    eq((status, json.loads(text)), (0, want))
    status, text = lib.said('mxc_telemetry_withdraw_consent')
    want['result'] = 'notApplicable'
    eq((status, json.loads(text)), (0, want))
    prompt = c_int32(9)
    eq(lib.raw.mxc_telemetry_needs_consent_prompt(byref(prompt)), 0)
    eq(prompt.value, 0)

    called = []
    presenter = PRESENTER(lambda text, context: called.append(1) or 0)
    request, out = lib.raw.mxc_telemetry_request_consent, c_void_p()
    for locale in (b'en', None, b''):
        eq(request(locale, presenter, None, byref(out)), 0)
        eq(json.loads(peek(out.value)), want)
        lib.raw.mxc_string_free(out)
    eq(called, [])
    eq(request(b'\xff', presenter, None, byref(out)), 101)
    eq(request(b'en', PRESENTER(), None, byref(out)), 100)
    eq(request(b'en', presenter, None, None), 100)
    for name in ('get_consent', 'get_policy', 'get_consent_status',
                 'needs_consent_prompt', 'withdraw_consent'):
        eq(getattr(lib.raw, f'mxc_telemetry_{name}')(None), 100)


main()
