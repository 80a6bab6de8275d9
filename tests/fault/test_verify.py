#!/usr/bin/env python3
"""tap: seconds=900

`mxc run --verify` where a wall is missing: one of the calls that make them is
left out without a word, or made without what counts.  The sandbox finds it
from inside; nothing of the command runs, and the clause is named."""

import ctypes
import json
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from injector import Injector, numbers  # noqa: E402
from walls import (BACKEND, EXIT_MXC, STANDS, check_clean,  # noqa: E402
                   prepare, took)

PR_CAPBSET_DROP = 24
JOIN_SESSION_KEYRING, SET_MODE_FILTER, KEYCTL = 1, 1, 250
RDONLY, NOSUID, IPC, CGROUP = '0x1', '0x2', '0x08000000', '0x02000000'
NEW = {'user': '0x10000000', 'mnt': '0x00020000', 'pid': '0x20000000',
       'uts': '0x04000000', 'net': '0x40000000'}
ALL = '0xffffffffffffffff'

# What is left out: (program, call, first argument or None, what becomes of
# it, which of several or 0), the clause, and what of the message tells this
# wall from others.
WALLS = {
    'Landlock': (('mxc-launch', 'landlock_restrict_self', None, 'skip'),
                 'filesystem: objects outside the view (Landlock)', 'EPERM'),
    # LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, of struct landlock_ruleset_attr.
    'Landlock scope': (
        ('mxc-launch', 'landlock_create_ruleset', None, 'mem0&~1'),
        'signals and abstract sockets to processes outside (Landlock scopes)',
        'abstract socket from before the domain: expected EPERM, found that '
        'it is let through'),
    'capabilities': (('mxc-launch', 'capset', None, 'skip'),
                     'privileges (', 'capabilities: expected none'),
    'bounding set': (('mxc-launch', 'prctl', PR_CAPBSET_DROP, 'skip'),
                     'privileges (', 'capabilities: expected none'),
    'filter': (('mxc-launch', 'seccomp', None, 'skip'),
               'kernel surface (seccomp', 'mode of seccomp'),
    'ipc namespace': (('mxc', 'clone', None, f'arg0&~{IPC}'),
                      'other processes (', '/proc/self/ns/ipc'),
    'cgroup namespace': (('mxc', 'clone', None, f'arg0&~{CGROUP}'),
                         'other processes (', '/proc/self/ns/cgroup'),
    'host name': (('mxc-launch', 'sethostname', None, 'skip'),
                  'other processes (', 'host name'),
    'session': (('mxc-launch', 'setsid', None, 'skip'),
                'environment, descriptors', 'setsid'),
    'descriptors': (('mxc-launch', 'close_range', None, 'skip'),
                    'environment, descriptors', 'descriptor 3'),
    'rlimits': (('mxc-launch', 'prlimit64', None, f'arg2&~{ALL}'),
                'limits of each process', 'resource limit'),
    'nosuid': (('mxc-launch', 'mount_setattr', None, f'mem3&~{NOSUID}'),
               'filesystem: nothing but what is granted', 'without setuid'),
    'read-only': (('mxc-launch', 'mount_setattr', None, f'mem3&~{RDONLY}'),
                  'filesystem: read-only paths', 'expected a read-only mount'),
    'old root': (('mxc-launch', 'umount2', None, 'skip', 1),
                 'filesystem: nothing but what is granted',
                 'no mount but what the plan has'),
    'keyring': (('mxc-launch', 'keyctl', JOIN_SESSION_KEYRING, 'skip'),
                'environment, descriptors', 'session keyring'),
    'what the filter refuses': (
        ('mxc-launch', 'seccomp', SET_MODE_FILTER, 'filter'),
        'kernel surface (seccomp', 'mincore(2): expected ENOSYS'),
    # "0" is without a limit, and what is left of the two numbers.
    'bytes of the root': (('mxc-launch', 'fsconfig', None, 'mem3&~0xff01', 2),
                          'size of the private root', 'another filesystem'),
    'inodes of the root': (('mxc-launch', 'fsconfig', None, 'mem3&~0xff02', 3),
                           'size of the private root', 'another filesystem'),
}


def injector(*options):
    if BACKEND != 'native':
        skip(f'the walls of {BACKEND} are not made by these calls')
    probe, args = prepare()
    return Injector([args[0], '--verify', '--json', 'result', '--events',
                     'events', *options, *args[1:]],
                    os.path.basename(probe[0]))


def without(here, program, call, first, instead, nth=0):
    nr = {name: n for n, name in numbers().items()}[call]
    return here.run(program, nr if first is None else f'{nr}:{first}', nth,
                    instead)


def fell(r, clause, what):
    """Nothing ran, and that wall is named, everywhere."""
    eq(took(), None, f'the command ran: {r}')
    r.failed(EXIT_MXC, 'a wall of the sandbox does not hold: ' + clause)
    has(r.err, what)
    result = json.loads(read('result'))
    eq((result['outcome'], result['exitCode']), ('failed', EXIT_MXC))
    has(result['error']['message'], clause)
    lacks(json.dumps(result), '"verified"')
    lines = [json.loads(line) for line in read('events').splitlines()]
    eq([x['event'] for x in lines], ['exited'])
    has(lines[0]['message'], clause)


def join_keyring():
    """One that the sandbox would have from us."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(KEYCTL, JOIN_SESSION_KEYRING, None) < 0:
        skip('no keyring can be made here')


@cases(WALLS, seconds=60)
def a_missing_wall_is_found(wall, clause, what):
    here = injector()
    if wall[1] == 'keyctl':
        join_keyring()
    before = host_state()
    r, hit = without(here, *wall)
    check('hit' in hit, f'{wall} did not occur: {r}')
    fell(r, clause, what)
    check_clean(before)


@cases(NEW, seconds=60)
def a_namespace_that_is_the_callers(bit):
    """The set-up itself cannot go on there."""
    here = injector()
    before = host_state()
    r, hit = without(here, 'mxc', 'clone', None, f'arg0&~{bit}')
    check('hit' in hit, f'{r}')
    eq((took(), r.status), (None, EXIT_MXC), f'{r}')
    has(r.err, 'mxc: ')
    check_clean(before)


COPIES = 'filesystem: nothing that is written to grants is kept'


def copying():
    """Its command would be seen by what it says."""
    if BACKEND != 'native':
        skip('none but native copies grants')
    write('w/file', 'old')
    return Injector(['run', '--verify', '--json', 'result', '--events',
                     'events', '--discard-writes', '--rw', 'w', '--',
                     '/bin/echo', 'ran'], 'echo')


def fell_of_copies(r, what):
    fell(r, COPIES, what)
    lacks(r.out, 'ran')


# Behind the four of the root: of the copies' memory.
@cases({'bytes': (5, 'mem3&~0xff01'), 'inodes': (6, 'mem3&~0xff02')},
       seconds=60)
def memory_of_copies_without_an_end(nth, instead):
    here = copying()
    r, hit = without(here, 'mxc-launch', 'fsconfig', None, instead, nth)
    check('hit' in hit, f'{r}')
    fell_of_copies(r, 'memory of the planned size')


@test(seconds=300)
def a_copy_that_is_none():
    here = copying()
    r, places = here.places()
    eq((r.status, r.out), (0, 'ran\n'), f'the run that met nothing: {r}')
    eq([w['tries'] for w in json.loads(read('result'))['verified']
        if (w['clause'], w['result']) == (COPIES, 'held')], [1])
    for nth in range(1, 1 + sum(p[3] == 'move_mount' for p in places)):
        r, hit = without(here, 'mxc-launch', 'move_mount', None, 'skip', nth)
        check('hit' in hit, f'{r}')
        if COPIES in r.err:
            break
    fell_of_copies(r, 'expected an overlay, found another filesystem')
    eq(read('w/file'), 'old')


@test
def groups_of_roots():
    if not IS_ROOT:
        skip('only root can drop them')
    here = injector()
    os.setgroups([4242])
    r, hit = without(here, 'mxc', 'setgroups', None, 'skip')
    check('hit' in hit, f'{r}')
    fell(r, 'supplementary groups (', 'getgroups(2): expected none')


@test
def the_old_root_without_a_list_of_mounts():
    here = injector('--deny', '/proc')
    r, hit = without(here, 'mxc-launch', 'umount2', None, 'skip', 1)
    check('hit' in hit, f'{r}')
    fell(r, 'filesystem: nothing but what is granted', '/..: expected')


def last(here, call):
    """Which of these calls of the launcher's is its last."""
    _, places = here.places()
    return max(p[2] for p in places if (p[0], p[3]) == ('mxc-launch', call))


@test
def nobody_hears_that_they_hold():
    here = injector()
    nth = last(here, 'sendto')
    took()
    r, hit = without(here, 'mxc-launch', 'sendto', None, 'skip', nth)
    check('hit' in hit, f'{r}')
    eq(took(), None, f'the command ran: {r}')
    r.failed(EXIT_MXC, 'cannot tell that the walls of the sandbox hold')
    lacks(read('result'), '"verified"')


@test(seconds=100)
def a_try_that_does_not_end():
    """As of a path whose server does not answer."""
    here = injector()
    before = host_state()
    r, hit = without(here, 'mxc-launch', 'getgroups', None, 'hang')
    check('hit' in hit, f'{r}')
    eq(took(), None, f'the command ran: {r}')
    r.failed(EXIT_MXC, 'had not tried its walls after 20 s')
    check_clean(before)


@cases({'Landlock': WALLS['Landlock'], 'read-only': WALLS['read-only'],
        'filter': WALLS['filter']},
       seconds=60)
def with_denials_too(wall, clause, what):
    here = injector('--denials')
    r, hit = without(here, *wall)
    check('hit' in hit, f'{wall} did not occur: {r}')
    fell(r, clause, what)


@test(seconds=600)
def each_mount_that_is_not_attached():
    """Of each mount of the view it is left out that it gets its place: either
    that is found, or nothing stands open that would be denied."""
    here = injector()
    r, places = here.places()
    eq((took(), r.status), (STANDS, 0), f'the run that met nothing: {r}')
    found = set()
    for nth in range(1, 1 + sum(p[3] == 'move_mount' for p in places)):
        r, hit = without(here, 'mxc-launch', 'move_mount', None, 'skip', nth)
        said = took()
        check(said in (None, STANDS), f'move_mount number {nth}: {said} {r}')
        if said is None and 'does not hold' in r.err:
            found.add(r.err.split('hold: ')[1].split(' (')[0])
    check('filesystem: denied paths' in found, f'{found}')


@test
def all_walls_hold():
    here = injector()
    before = host_state()
    r, _ = here.run()
    eq((took(), r.status), (STANDS, 0), f'{r}')
    check(json.loads(read('result'))['verified'])
    check_clean(before)


main()
