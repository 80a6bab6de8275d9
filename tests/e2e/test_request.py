#!/usr/bin/env python3
"""Requests as documents: versions, what they say, what is refused and why.

A clause that cannot be enforced here ends the run before it begins, with the
clause's place in the request; nothing is accepted and then ignored (W12).
"""

import json
import os
import socket
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403

VERSIONS = ('0.9.0-alpha', '1.0.0', '1.1.0-alpha', '1.1.0+c1')


def request(version='1.0.0', command='echo ran', **sections):
    process = {'commandLine': command, **sections.pop('process', {})}
    return {'version': version, 'process': process, **sections}


def submit(document, *flags):
    """Run it from standard input; the result is in r.json."""
    text = document if isinstance(document, str) else json.dumps(document)
    return mxc('run', '--json', 'r.json', *flags, '-', input=text)


def refused(document, code, where, *pieces, flags=()):
    """Refused before anything ran, naming the clause."""
    r = submit(document, *flags)
    r.failed(125, *pieces)
    lacks(r.out, 'ran')
    error = json.loads(read('r.json'))
    eq(error['outcome'], 'failed')
    eq(error['error']['code'], code, str(r))
    eq(error['error'].get('details', {}).get('where'), where, str(r))
    return error['error']


@cases({v: v for v in VERSIONS})
def each_version_runs(version):
    os.mkdir('w')
    here = os.getcwd() + '/w'
    write('w/input', 'content')
    r = submit(request(version, f'cat input; echo made >{here}/made; exit 3',
                       process={'cwd': here, 'timeout': 10000},
                       filesystem={'readwritePaths': [here]},
                       containment='process', containerId='a label',
                       network={'egress': {'default': 'deny'}}))
    eq(r.ok(3).out, 'content')
    eq(read('w/made'), 'made\n')
    result = json.loads(read('r.json'))
    eq((result['outcome'], result['containerId']), ('exited', 'a label'))


@test
def a_request_from_a_file():
    path = write('request.json', json.dumps(request()))
    eq(mxc('run', path).ok().out, 'ran\n')
    eq(mxc('run', '--policy', path).ok().out, 'ran\n')
    eq(mxc('run', '--policy', path, '--', 'echo', 'other').ok().out,
       'other\n')
    mxc('run', 'none').failed(125, "'none'", 'mxc run -- none')


@test
def a_command_line_is_the_shells():
    r = submit(request(command='X=1; for i in a b; do echo "$i$X"; done | '
                               "tr a-z A-Z; echo 'q \"q\"' $((2+3)) *(x"))
    eq(r.status, 2, 'a syntax error is the shell\'s')
    r = submit(request(command='X=1; for i in a b; do echo "$i$X"; done | '
                               "tr a-z A-Z; echo 'q \"q\"' $((2+3))"))
    eq(r.ok().out, 'A1\nB1\nq "q" 5\n')


@test
def w24_the_shell_is_not_looked_for_in_the_requests_path():
    here = os.getcwd()
    write('bin/sh', '#!/bin/sh\necho fake\n', 0o755)
    grant = {'readonlyPaths': [here]}
    for path, command, want in ((f'{here}/bin:/usr/bin', 'echo real', 'real'),
                                ('/no/such', 'echo real', 'real'),
                                (f'{here}/bin:/usr/bin', 'sh', 'fake')):
        r = submit(request(command=command, filesystem=grant,
                           process={'env': ['PATH=' + path]}))
        eq(r.ok().out, want + '\n', path)


@test
def w26_many_paths_are_granted():
    here = os.getcwd()
    paths = [f'{here}/many/{n}' for n in range(2500)]
    for path in paths:
        write(path, 'x')
    r = submit(request(command='ls many | wc -l; cat many/2499',
                       process={'cwd': here},
                       filesystem={'readonlyPaths': paths}))
    eq(r.ok().out, '2500\nx')


@test
def w26_a_command_that_no_program_can_be_given_is_refused():
    refused(request(command='echo ran; : ' + 'x' * 131072),
            'policy_validation', 'process.commandLine',
            'has a string of', 'put the text into a file')


@test
def a_denied_path_is_refused_inside():
    secret = write('w/secret/key', 'k')
    here = os.getcwd()
    r = submit(request(command=f'cat {secret}; echo $?; ls w', process={
        'cwd': here}, filesystem={'readonlyPaths': [here],
                                  'deniedPaths': [str(secret.parent)]}))
    eq(r.ok().out, '1\nsecret\n')
    has(r.err, 'Permission denied')


@test
def comments_and_schema_are_no_policy():
    document = request(_comment={'any': [1, None]})
    document['$schema'] = 'https://example.org/x.json'
    eq(submit(document).ok().out, 'ran\n')


CLAUSES = {
    'network.ingress.default':
        {'network': {'ingress': {'default': 'allow'}}},
    'network.ingress.hostLoopback':
        {'network': {'ingress': {'hostLoopback': 'allow'}}},
    'ui.disable': {'ui': {'disable': False}},
    'ui.clipboard': {'ui': {'clipboard': 'read'}},
    'ui.injection': {'ui': {'injection': True}},
    'lifecycle.destroyOnExit': {'lifecycle': {'destroyOnExit': False}},
    'lifecycle.preservePolicy': {'lifecycle': {'preservePolicy': True}},
}


@cases({f'{v} {where}': (v, where) for v in VERSIONS for where in CLAUSES})
def clauses_that_cannot_be_enforced(version, where):
    error = refused(request(version, **CLAUSES[where]),
                    'policy_validation', where)
    check(error.get('remediation'), f'no remedy: {error}')


@test
def a_limit_that_nothing_can_hold_is_refused():
    error = refused(request('1.1.0+c1', limits={'writtenBytes': 1 << 26}),
                    'policy_validation', 'limits.writtenBytes')
    has(error['remediation'], 'scratchBytes')


DENIALS = {
    'the network': {'network': {'egress': {'default': 'deny'},
                                'ingress': {'default': 'deny',
                                            'hostLoopback': 'deny'}}},
    'a rule under deny': {'network': {'egress': {'deny': [
        {'to': [{'cidr': '192.0.2.0/24'}]}]}}},
    'the user interface': {'ui': {'disable': True, 'clipboard': 'none',
                                  'injection': False}},
    'the default of lifecycle': {'lifecycle': {'destroyOnExit': True,
                                               'preservePolicy': False}},
}


@cases(DENIALS)
def clauses_that_deny_are_enforced(sections):
    eq(submit(request(**sections)).ok().out, 'ran\n')


BACKENDS = {'seatbelt': 'seatbelt', 'wslc': 'wslc',
            'processcontainer': 'processcontainer'}


@cases(BACKENDS)
def other_backends_are_not_replaced(name):
    """No fallback to another containment."""
    r = submit(request(containment=name))
    r.failed(125, f"'{name}'")
    lacks(r.out, 'ran')


MALFORMED = {
    'no JSON': ('{', None),
    'nothing': ('', None),
    'a byte order mark': ('\ufeff' + json.dumps(request()), None),
    'an array': ('[]', None),
    'trailing text': (json.dumps(request()) + 'x', None),
    'no version': ('{"process":{"commandLine":"echo ran"}}', ''),
    'a version that is none': (json.dumps(request('2.0.0')), 'version'),
    'an older version': (json.dumps(request('0.5.0')), 'version'),
    'an unknown field': (json.dumps(request(netwrok={})), 'netwrok'),
    'an unknown field below': (json.dumps(request(
        process={'timeuot': 1})), 'process.timeuot'),
    'a null': (json.dumps(request(filesystem=None)), 'filesystem'),
    'a list for an object': (json.dumps(request(filesystem=[])),
                             'filesystem'),
    'a number for a string': (json.dumps(request(containerId=1)),
                              'containerId'),
    'an empty command': (json.dumps(request(command='')),
                         'process.commandLine'),
    'a command with NUL': (json.dumps(request(command='a\0b')),
                           'process.commandLine'),
    'a field twice': ('{"version":"1.0.0","process":{"commandLine":"true",'
                      '"commandLine":"echo ran"}}', 'process.commandLine'),
    'a section twice': ('{"version":"1.0.0","process":{"commandLine":"true"},'
                        '"process":{"commandLine":"echo ran"}}', 'process'),
}


@cases(MALFORMED)
def malformed_requests(text, where):
    r = submit(text)
    r.failed(125)
    lacks(r.out, 'ran')
    error = json.loads(read('r.json'))['error']
    check(error['code'].startswith('malformed'), error)
    if where is not None:
        eq(error['details']['where'], where, str(error))


@test
def depth_and_size_are_bounded():
    deep = '{"version":"1.0.0","_comment":' + '[' * 200000
    for text in (deep, '[' * 1000000, '{"a":' * 100000):
        r = submit(text)
        r.failed(125)
        check(r.seconds < 20, f'{r.seconds} s')
    r = submit('{"version":"1.0.0","_comment":"' + 'x' * (40 << 20))
    r.failed(125, 'larger than')


PATHS = {
    'relative': ('some/where', 'not absolute'),
    'home': ('~/x', 'not absolute'),
    'empty': ('', ''),
    'missing': ('/no/such/place', "'/no/such/place'"),
    'proc': ('/proc', 'belongs to the sandbox'),
    'devices': ('/dev/null', 'belongs to the sandbox'),
}


@cases({f'{field} {name}': (field, *row) for name, row in PATHS.items()
        for field in ('readonlyPaths', 'readwritePaths')})
def paths_that_cannot_be_granted(field, path, piece):
    r = submit(request(filesystem={field: [path]}))
    r.failed(125, piece)
    lacks(r.out, 'ran')
    error = json.loads(read('r.json'))['error']
    has(error['details']['where'], f'filesystem.{field}[0]')


@test(only='user')
def nobody_gives_more_than_it_has():
    refused(request(filesystem={'readwritePaths': ['/etc']}),
            'policy_validation', 'filesystem.readwritePaths[0]',
            'does not have read and write access')
    refused(request(filesystem={'readonlyPaths': ['/root']}),
            'policy_validation', 'filesystem.readonlyPaths[0]')


@test
def lifecycle_phases_are_not_one_shot():
    for phase in ('provision', 'start', 'exec', 'stop', 'deprovision'):
        r = submit({'version': '1.0.0', 'phase': phase,
                    'process': {'commandLine': 'echo ran'}})
        r.failed(125)
        lacks(r.out, 'ran')


@test
def flags_narrow_and_add():
    os.mkdir('w')
    here = os.getcwd()
    write('w/sub/key', 'k')
    document = request(command=f'cat {here}/w/sub/key',
                       process={'timeout': 60000},
                       filesystem={'readonlyPaths': [f'{here}/w']})
    eq(submit(document).ok().out, 'k')
    r = submit(document, '--deny', 'w/sub')
    r.failed(1, 'Permission denied')
    r = submit(request(command='sleep 50', process={'timeout': 60000}),
               '--timeout', '200ms')
    r.failed(124, 'timeout of 200 ms')
    r = submit(request(command='sleep 50', process={'timeout': 200}),
               '--timeout', '60s')
    r.failed(124, 'timeout of 200 ms')


@test
def check_says_what_run_does():
    """W10: a document that passes the check can run, path checks included."""
    good = write('good.json', json.dumps(request()))
    mxc('check', good).ok()
    for document in (request(filesystem={'readonlyPaths': ['/no/such']}),
                     request(ui={'disable': False}),
                     request('9.9.9')):
        path = write('bad.json', json.dumps(document))
        check_error = mxc('check', path).failed(1).err
        eq(mxc('run', path).failed(125).err, check_error)


# --- where it comes from ---------------------------------------------------

def by_socket(text, *flags):
    """The policy by a socket at descriptor N, as node's child processes have
    it; answers the run and our end."""
    ours, theirs = socket.socketpair()
    ours.sendall(text.encode())
    ours.shutdown(socket.SHUT_WR)
    p = spawn([MXC, 'run', '--json', 'r.json', '--policy',
               f'/dev/fd/{theirs.fileno()}', *flags],
              pass_fds=[theirs.fileno()])
    theirs.close()
    return p, ours


@test
def a_request_comes_by_a_socket():
    p, _ = by_socket(json.dumps(request(command='ls /proc/self/fd; exit 4')))
    out, _ = p.communicate()
    eq((out.split(), p.returncode), ([b'0', b'1', b'2', b'3'], 4))


@test
def the_socket_ends_when_the_request_is_accepted():
    """Not later, and never before a refusal has been told."""
    p, ours = by_socket(json.dumps(request(command='sleep 60')))
    ours.settimeout(20)
    eq(ours.recv(1), b'')
    eq(read('r.json'), '')
    eq(p.poll(), None)
    p.kill()
    p.communicate()
    p, ours = by_socket('{}')
    ours.settimeout(20)
    eq(ours.recv(1), b'')
    has(read('r.json'), 'malformed_request')
    p.communicate()
    eq(p.returncode, 125)


@cases({'nothing there': '/dev/fd/99', 'no number': '/dev/fd/x',
        'out of range': '/dev/fd/99999999999'})
def a_descriptor_that_holds_no_request(name):
    mxc('run', '--policy', name).failed(125, f"request '{name}'")


@test
def telemetry_is_said_to_be_nothing_once():
    """In the result, or to people: standard error is the command's, too."""
    document = request(telemetry={'enabled': True})
    r = submit(document).ok()
    eq((r.out, r.err), ('ran\n', ''))
    has(json.loads(read('r.json'))['warnings'][0], 'no telemetry')
    has(mxc('run', '-', input=json.dumps(document)).ok().err, 'mxc: warning:')


# --- tiers -------------------------------------------------------------------

TIERS = ('process', 'kernel', 'vm')


def tiered(tier, **more):
    return request('1.1.0+c1', guarantees={'tier': tier}, **more)


def chosen(tier):
    """The row that `process` means with this tier, or None; and whether there
    is any that is strong enough."""
    mxc('doctor', '--json', 'd.json')
    rows = [b for b in json.loads(read('d.json'))['backends']
            if TIERS.index(b['tier']) >= TIERS.index(tier)]
    return next((b for b in rows if b['state'] == 'ok'), None), bool(rows)


def refused_tier(tier, document, where, flags=()):
    code = 'backend_unavailable' if chosen(tier)[1] else 'policy_validation'
    refused(document, code, where, f"of tier '{tier}' or stronger",
            flags=flags)


@cases({t: t for t in TIERS})
def a_tier_is_had_or_refused(tier):
    row = chosen(tier)[0]
    if not row:
        refused_tier(tier, tiered(tier), 'guarantees.tier')
        refused_tier(tier, request(), '--tier', ('--tier', tier))
        return
    eq(submit(tiered(tier)).ok().out, 'ran\n')
    result = json.loads(read('r.json'))
    eq((result['backend'], result['tier']), (row['name'], row['tier']))
    eq(result['receipt'][0],
       {'clause': f"isolation: tier '{tier}' or stronger",
        'by': f"backend '{row['name']}', which is of tier '{row['tier']}'",
        'state': 'enforced'})
    has(mxc('explain', '--tier', tier, '--', 'true').ok().out,
        f"backend '{row['name']}', tier '{row['tier']}'")


@test
def a_weaker_backend_is_refused_by_name():
    for tier in 'kernel', 'vm':
        for asked in 'native', 'process':
            document = tiered(tier, containment=asked)
            flags = ('--backend', 'native') if asked == 'process' else ()
            refused(document, 'policy_validation', 'guarantees.tier',
                    "backend 'native' is of tier 'process', which is weaker "
                    f"than '{tier}'", flags=flags)


@test
def a_flag_can_only_ask_for_more():
    weak = tiered('process', containment='native')
    refused(weak, 'policy_validation', '--tier', "weaker than 'vm'",
            flags=('--tier', 'vm'))
    refused(weak, 'policy_validation', '--tier', "weaker than 'vm'",
            flags=('--tier', 'vm', '--tier', 'process'))
    refused(tiered('kernel', containment='native'), 'policy_validation',
            'guarantees.tier', "weaker than 'kernel'",
            flags=('--tier', 'process'))


@test
def without_a_tier_nothing_is_said_of_one():
    for document in request(), request('1.1.0+c1', guarantees={}):
        submit(document).ok()
        result = json.loads(read('r.json'))
        eq((result['backend'], result['tier']), ('native', 'process'))
        lacks(json.dumps(result['receipt']), 'or stronger')


@test
def the_former_words_have_no_tier():
    refused(request('1.1.0-alpha', guarantees={'tier': 'process'}),
            'malformed_request', 'guarantees', "contract '1.1.0+c1'")


main()
