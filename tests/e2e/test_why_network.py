#!/usr/bin/env python3
"""mxc why and mxc test of connections: what the gateway refuses is refused, and
what the network does not answer is not.  tap: seconds=300"""

import json
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403
from sessions import *  # noqa: E402,F403

net = internet()
# Of the host's own network, and nobody is there.
NOBODY = '203.0.113.2'
BLOCKS = ('--allow-net', '203.0.113.0/24', '--allow-net', '2001:db8:ffff::/64',
          '--allow-net', '10.9.9.0/24')


def why(*args, status):
    r = mxc('why', '--json', '1', *args)
    eq(r.status, status, r)
    got, = json.loads(r.out)['answers']
    return got


def peer(address, port=80):
    return f'[{address}]:{port}' if ':' in address else f'{address}:{port}'


def without_ipv6(session):
    """As a host is that has none; the sandbox's own namespace alone."""
    kinds = ['net'] if os.getuid() == 0 else ['user', 'net']
    # In one process: what a user executes there has no capability.
    run([PYTHON, '-I', '-S', '-c',
         'import ctypes, os\n'
         'libc = ctypes.CDLL(None, use_errno=True)\n'
         f'for fd in [os.open(f"/proc/{session.init()}/ns/{{kind}}", '
         f'os.O_RDONLY) for kind in {kinds}]:\n'
         '    assert libc.setns(fd, 0) == 0, ctypes.get_errno()\n'
         'with open("/proc/sys/net/ipv6/conf/all/disable_ipv6", "w") as f:\n'
         '    f.write("1")\n']).ok()


# --- this host ---------------------------------------------------------------

@cases({a: a for a in (NIC, NIC6, LAN_NIC)})
def an_address_of_the_host_itself(address):
    """A block that holds it is no word for it."""
    for more in ([], ['--no-try']):
        got = why(*BLOCKS, *more, '--connect', peer(address), status=1)
        eq((got['decision'], got['allowed']), ('refused', False))
        has(got['clause'], '--allow-net')
        has(got['reason'], "an address of this host's own")
        eq((got['remedy'], got.get('agrees', True)), (None, True))
    net.nothing_came(address)
    got = why('--allow-net', address, '--connect', peer(address), status=0)
    eq((got['tried'], got['agrees']), ('0', True))
    got = why('--connect', peer(address), status=1)
    has(got['reason'], "an address of this host's own")
    eq(got['remedy'], None)


@test
def a_test_of_this_host():
    file = write('t.json', json.dumps({'version': 1, 'tests': [
        {'connect': peer(a), 'expect': 'deny'} for a in (NIC, NIC6, LAN_NIC)]}))
    has(mxc('test', *BLOCKS, file).ok().out, '3 passed, 0 failed')
    write('t.json', read('t.json').replace('deny', 'allow'))
    has(mxc('test', *BLOCKS, file).out, '0 passed, 3 failed')


# --- names -------------------------------------------------------------------

ASTRAY = {a: (a, hint) for a, hint in (
    (PRIVATE[0], '--allow-intranet-host in.test'),
    (PRIVATE[4], '--allow-intranet-host in.test'), (NIC, None), (NIC6, None),
    (METADATA[0], None))}


def astray(got, address, hint):
    eq((got['decision'], got['allowed'], got['agrees'], got['remedy']),
       ('allowed', False, True, hint), got)
    has(got['reason'], f'it may not lead to ({address})')


@cases(ASTRAY)
def a_name_that_leads_astray(address, hint):
    net.dns['in.test'] = AAAA(address) if ':' in address else A(address)
    flags = ['--allow-host', 'in.test']
    astray(why(*flags, '--connect', 'in.test:80', status=1), address, hint)
    file = write('t.json', json.dumps({'version': 1, 'tests': [
        {'connect': 'in.test:80', 'expect': 'deny'}]}))
    has(mxc('test', *flags, file).ok().out, '1 passed')
    if hint:
        eq(why(*hint.split(), '--connect', 'in.test:80', status=0)['tried'],
           '0')


@cases(ASTRAY)
def a_name_that_leads_astray_without_ipv6(address, hint):
    """A program is told what a network says that does not answer."""
    net.dns['in.test'] = AAAA(address) if ':' in address else A(address)
    with Session('--allow-host', 'in.test') as s:
        without_ipv6(s)
        got = why('--session', s.id, '--connect', 'in.test:80', status=1)
        eq(got['tried'], 'EHOSTUNREACH', got)
        astray(got, address, hint)


@test
def a_name_that_is_answered_without_ipv6():
    with Session('--allow-host', 'example.test') as s:
        without_ipv6(s)
        got = why('--session', s.id, '--connect', 'Example.TEST.:80', status=0)
        eq((got['tried'], got['agrees']), ('0', True))


# --- what is outside ---------------------------------------------------------

def let_through(got, *tried):
    eq((got['allowed'], got['decision'], got['agrees']),
       (True, 'allowed', True), got)
    check(got['tried'] in tried, got)


@test
def what_does_not_answer_is_allowed():
    net.dns['dead.test'] = A(NOBODY)
    net.dns['none.test'] = None
    flags = ['--allow-net', '203.0.113.0/24', '--allow-host', 'dead.test',
             '--allow-host', 'none.test']
    has(mxc('why', *flags, '--connect', f'{NOBODY}:80').ok().out,
        'what is outside did not answer')
    let_through(why(*flags, '--connect', f'{NOBODY}:80', status=0),
                'EHOSTUNREACH')
    let_through(why(*flags, '--connect', f'{WEB}:4', status=0), 'ECONNREFUSED')
    let_through(why(*flags, '--connect', 'dead.test:80', status=0),
                'EHOSTUNREACH')
    let_through(why(*flags, '--connect', 'none.test:80', status=0),
                'EAI_NONAME')
    with Session(*flags, '--allow-net', WEB6) as s:
        without_ipv6(s)
        let_through(why('--session', s.id, '--connect', 'dead.test:80',
                        status=0), 'EHOSTUNREACH')
        let_through(why('--session', s.id, '--connect', f'[{WEB6}]:80',
                        status=0), 'ENETUNREACH', 'EADDRNOTAVAIL')


@test
def one_question_is_not_anothers():
    """Each is told what was said of itself."""
    net.dns['in.test'] = A(PRIVATE[0])
    net.dns['dead.test'] = A(NOBODY)
    r = mxc('why', '--json', '1', '--allow-host', 'in.test', '--allow-host',
            'dead.test', '--connect', 'dead.test:80', '--connect', 'in.test:80',
            '--connect', 'in.test:81', '--connect', 'dead.test:81')
    eq(r.status, 1, r)
    eq([a['allowed'] for a in json.loads(r.out)['answers']],
       [True, False, False, True])


@test
def a_session_that_tells_no_more():
    """Nobody knows then who refused it: that is no answer."""
    net.dns['in.test'] = A(PRIVATE[0])
    with Session('--allow-host', 'in.test', '--allow-net', WEB,
                 '--allow-net', NOBODY) as s:
        without_ipv6(s)
        with open(os.path.join(s.dir, 'events'), 'r+b') as f:
            f.truncate(4 << 20)
        for to in ('in.test:80', f'{NOBODY}:80'):
            got = why('--session', s.id, '--connect', to, status=125)
            eq((got['allowed'], got['agrees']), (None, True))
            has(got['reason'], 'is not known')
        eq(why('--session', s.id, '--connect', f'{WEB}:80',
               status=0)['tried'], '0')
        eq(why('--session', s.id, '--connect', f'{WEB}:4',
               status=0)['tried'], 'ECONNREFUSED')


main()
