#!/usr/bin/env python3
"""`--verify`: what the sandbox says that it tried, for every kind of policy;
that nothing else changes, and nothing is left.  tests/fault/test_verify.py has
the walls that are missing."""

import json
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from event_lines import read_events  # noqa: E402
from libmxc import lib, run_it as go, refused, Kept, MALFORMED  # noqa: E402

VIEW = 'filesystem: nothing but what is granted'
READ_ONLY = 'filesystem: read-only paths'
WRITABLE = 'filesystem: writable paths'
COPIES = 'filesystem: nothing that is written to grants is kept'
DENIED = 'filesystem: denied paths'
KERNEL_FILES = 'filesystem: what /proc tells of host and kernel'
ABSENT = 'filesystem: denied paths that do not exist yet'
DAEMONS = 'filesystem: no daemon behind a socket of a granted path'
OUTSIDE = 'filesystem: objects outside the view'
NO_NETWORK, GATEWAY = 'network: none', 'network: no way but the gateway'
RULES, PRIVILEGES, KERNEL = 'network: rules', 'privileges', 'kernel surface'
PROCESSES = 'other processes'
INHERITED = 'environment, descriptors, keys, terminal'
SCRATCH = 'size of the private root'
CEILINGS = 'limits of each process and of the namespaces'
GROUP = 'limits of all processes: in their control groups'
SCOPES = 'signals and abstract sockets to processes outside'
GROUPS, PIDS = 'supplementary groups', 'number of processes'
ALWAYS = {VIEW, READ_ONLY, OUTSIDE, PRIVILEGES, KERNEL, PROCESSES, INHERITED,
          SCRATCH, CEILINGS, PIDS, KERNEL_FILES}
if IS_ROOT or not os.getgroups():
    ALWAYS |= {GROUPS}


def verified(*options, command=('echo', 'ran'), status=0):
    """{clause: its row} of a run that says nothing besides."""
    r = mxc('run', '--verify', '--json', 'r', *options, '--', *command)
    eq((r.status, r.err), (status, ''), f'{r}')
    result = json.loads(read('r'))
    rows = {row['clause']: row for row in result['verified']}
    eq(len(rows), len(result['verified']), 'each once')
    for row in rows.values():
        check(row['mechanism'])
        if row['result'] == 'held':
            eq(set(row), {'clause', 'mechanism', 'result', 'tries'})
            check(row['tries'] > 0)
        else:
            eq(row['result'], 'not tried')
            eq(set(row) - {'tries'},
               {'clause', 'mechanism', 'result', 'reason'})
            check(row['reason'])
    receipt = {row['clause'] for row in result['receipt']}
    eq(receipt - set(rows), set(), 'each clause of the receipt')
    return rows


def held(rows):
    return {c for c, row in rows.items() if row['result'] == 'held'}


def reason(rows, clause):
    eq(rows[clause]['result'], 'not tried')
    return rows[clause]['reason']


@test
def nothing_granted():
    eq(held(verified()), ALWAYS | {NO_NETWORK})
    r = mxc('run', '--verify', '--', 'echo', 'ran')
    eq((r.status, r.out, r.err), (0, 'ran\n', ''))


@test
def without_it_nothing_is_said():
    mxc('run', '--json', 'r', '--events', 'e', '--', 'true').ok()
    lacks(read('r'), '"verified"')
    lacks(read('e'), '"verified"')


@test
def every_kind_of_place():
    write('w/way/no', 'SECRET')
    write('w/open/in', 'x')
    write('seen/file', 'x')
    write('one', 'x')
    os.mkfifo('seen/fifo')
    before = sorted(os.walk('.'))
    rows = verified('--rw', 'w', '--ro', 'seen', '--ro', 'one',
                    '--rw', 'w/open/in', '--deny', 'w/way/no',
                    '--deny', 'w/absent')
    eq(held(rows), ALWAYS | {NO_NETWORK, WRITABLE, DENIED})
    has(reason(rows, ABSENT), 'broker')
    has(reason(rows, DAEMONS), 'broker')
    os.unlink('r')
    eq(sorted(os.walk('.')), before, 'what is there')
    check(rows[DENIED]['tries'] > 1, 'it, and what leads there')


@test
def copies():
    write('d/sub/file', 'x')
    write('more/file', 'x')
    options = '--discard-writes', '--rw', 'd', '--rw', 'more'
    for more in ((), ('--ro', 'd/sub/file', '--limit', 'scratch=64M'),
                 ('--deny', 'd/sub'), ('--denials',)):
        rows = verified(*options, *more)
        check({COPIES, WRITABLE, READ_ONLY, SCRATCH} <= held(rows), f'{rows}')
        eq(rows[COPIES]['tries'], 2, 'each of them')
    check(COPIES not in verified('--rw', 'd'))


@test
def a_denied_directory_with_a_grant_in_it():
    write('d/in/f', 'x')
    write('d/no', 'x')
    rows = verified('--ro', 'd/in', '--deny', 'd')
    check(DENIED in held(rows), f'{rows}')


@test
def a_file_that_runs_and_one_that_is_locked_away():
    write('tool', '#!/bin/sh\necho ran\n', mode=0o755)
    write('secret', 'x', mode=0o000)
    os.chmod('secret', 0o400)
    rows = verified('--ro', 'tool', '--ro', 'secret', '--rw', '.',
                    command=[os.path.abspath('tool')])
    check({READ_ONLY, WRITABLE} <= held(rows))


@test
def networks():
    rows = verified('--allow-net', '192.0.2.9:80')
    check(GATEWAY in held(rows) and NO_NETWORK not in rows, f'{rows}')
    has(reason(rows, RULES), 'mxc why')
    for options in (('--proxy', 'builtin', '--allow-host', 'example.test'),
                    ('--publish', '5000'), ('--allow-net', 'internet'),
                    ('--allow-host', 'example.test')):
        rows = verified(*options)
        check(GATEWAY in held(rows), f'{options}: {rows}')
    # Settings of the network are tried as all others.
    more = verified('--allow-net', 'internet')[CEILINGS]['tries']
    check(more > verified()[CEILINGS]['tries'])
    # What it tried is no denial of the command's.
    verified('--allow-host', 'example.test')
    eq(json.loads(read('r'))['denialCount'], 0)


@test
def limits():
    rows = verified('--limit', 'files=100', '--limit', 'file-size=1M')
    eq(held(rows), ALWAYS | {NO_NETWORK})
    more = rows[CEILINGS]['tries']
    check(more > verified()[CEILINGS]['tries'])


@test
def limits_of_a_group():
    r = mxc('run', '--verify', '--json', 'r', '--limit', 'memory=64M', '--',
            'true')
    if r.status == 125 and 'cannot be held' in r.err:
        skip('no control group can be made here')
    r.ok()
    rows = {w['clause']: w for w in json.loads(read('r'))['verified']}
    if use_backend.name == 'bubblewrap':
        has(reason(rows, GROUP), 'has no name for it')
    else:
        eq(rows[GROUP]['result'], 'held')


@test
def with_a_terminal():
    r = mxc('run', '--verify', '--tty', '--json', 'r', '--', 'tty')
    eq((r.status, r.out.strip()), (0, '/dev/pts/0'), f'{r}')
    check(json.loads(read('r'))['verified'])


@test
def denied_parts_of_the_system():
    rows = verified('--deny', '/proc', '--deny', '/tmp')
    check({DENIED, OUTSIDE, KERNEL, SCRATCH, INHERITED} <= held(rows))
    eq(rows[DENIED]['tries'], 2)
    # What the mask over /proc answers is no try of what is below.
    for clause in (VIEW, KERNEL_FILES, PROCESSES, PRIVILEGES, NO_NETWORK,
                   CEILINGS, PIDS):
        eq(reason(rows, clause), 'policy denies /proc, which would tell')


@test
def parts_of_proc_that_policy_denies():
    rows = verified('--deny', '/proc/sys')
    check(DENIED in held(rows) and KERNEL_FILES in held(rows), f'{rows}')
    has(reason(rows, CEILINGS), 'policy denies /proc')


@test
def clauses_that_nobody_inside_can_try():
    rows = verified('--timeout', '60s', '--limit', 'output=1M')
    for clause in ('timeout', 'ui: none'):
        has(reason(rows, clause), 'before its command runs')
    if SCOPES in rows:
        has(reason(rows, SCOPES), 'signals are not')
        eq(rows[SCOPES]['tries'], 1, 'an abstract socket')


@test
def with_denials_nothing_more_is_told():
    write('w/no', 'x')
    options = ('--denials', '--rw', 'w', '--deny', 'w/no')
    command = ('sh', '-c', f'cat {os.path.abspath("w/no")} 2>/dev/null; :')
    rows = verified(*options, command=command)
    eq(held(rows), ALWAYS | {GATEWAY, WRITABLE, DENIED})
    told = json.loads(read('r'))
    mxc('run', *options, '--json', 'r', '--', *command).ok()
    bare = json.loads(read('r'))
    check([d for d in told['denials'] if d['resolved'].endswith('w/no')],
          f'{told}')
    eq([(d['resolved'], d['count']) for d in told['denials']],
       [(d['resolved'], d['count']) for d in bare['denials']])
    eq(told['denialCount'], bare['denialCount'])


@test
def with_descriptors_that_the_caller_left_open():
    here = os.open('.', os.O_RDONLY)
    os.set_inheritable(here, True)
    high = 700
    os.dup2(here, high)
    r = run([MXC, 'run', '--verify', '--', 'ls', '/proc/self/fd'],
            pass_fds=(here, high))
    eq((r.status, r.err), (0, ''), f'{r}')
    # Its own look at the directory is the fourth.
    eq(r.out.split(), ['0', '1', '2', '3'])


@cases({'no network': (), 'gateway': ('--allow-net', '192.0.2.9:80'),
        'denials': ('--denials',)})
def the_socket_that_it_is_tried_with_is_gone(*options):
    """As is what else was opened for a try: nothing of it is seen inside."""
    for _ in range(20):
        r = mxc('run', '--verify', *options, '--', 'cat', '/proc/net/unix')
        eq(r.ok().out.count('\n'), 1, r.out)


@test
def accepted_as_missing():
    rows = verified('--accept-missing', 'landlock')
    check(OUTSIDE in rows)


@test
def a_command_that_is_not_there():
    r = mxc('run', '--verify', '--json', 'r', '--', 'no-such-command')
    r.failed(127, 'not found')
    check(json.loads(read('r'))['verified'], 'the walls held all the same')


@test
def events_come_before_the_start():
    mxc('run', '--verify', '--json', 'r', '--events', 'e', '--rw', '.', '--',
        'true').ok()
    events = read_events(read('e'))
    kinds = [e['event'] for e in events]
    n = kinds.count('verified')
    check(n >= len(ALWAYS))
    eq(kinds, ['verified'] * n + ['started', 'exited'])
    rows = json.loads(read('r'))['verified']
    eq([(e['clause'], e['mechanism'], e['state']) for e in events[:n]],
       [(w['clause'], w['mechanism'], w['result']) for w in rows])


CONNECT = r"""
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
int main(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(80),
                              .sin_addr = { htonl(0xc6336401) } };
    return connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&to, sizeof(to))
               == 0;
}
"""


@test(seconds=120)
def nothing_of_the_workload_is_told_before():
    probe = cprobe(CONNECT)
    for _ in range(60):
        mxc('run', '--verify', '--events', 'e', '--ro',
            os.path.dirname(probe[0]), '--allow-net', '192.0.2.9:80', '--',
            *probe).ok()
        kinds = [e['event'] for e in read_events(read('e'))]
        n = kinds.count('verified')
        eq(kinds, ['verified'] * n + ['started', 'denied', 'exited'])


@test
def clauses_are_those_of_the_receipt():
    mxc('run', '--verify', '--json', 'r', '--rw', '.', '--', 'true').ok()
    result = json.loads(read('r'))
    receipt = {row['clause'] for row in result['receipt']}
    own = {WRITABLE, CEILINGS, GROUP, RULES, KERNEL_FILES, SCOPES}
    eq({w['clause'] for w in result['verified']} - receipt - own, set())


@cases({'gvisor': 'gvisor', 'lxc': 'lxc'})
def other_backends_refuse_it(name):
    r = mxc('run', '--backend', name, '--verify', '--', 'true')
    eq(r.status, 125)
    if "backend 'lxc' needs an image" in r.err or 'no image' in r.err:
        skip('no image')
    has(r.err, f"backend '{name}' cannot enforce a test of the sandbox's walls")


@test
def by_the_library():
    e = go('echo ran', verify=1)
    eq((e.r, e.code, e.out), (0, 0, b'ran\n'))
    check(ALWAYS <= {w['clause'] for w in e.json['verified']})
    check('verified' not in go('true').json)


@test
def a_session_has_no_such_test():
    refused(MALFORMED, 'single run', Kept, verify=1)


main()
