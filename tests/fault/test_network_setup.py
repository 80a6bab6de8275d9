#!/usr/bin/env python3
"""tap: seconds=1800

The set-up of a sandbox with a network fails, at every system call of each of
its programs, or one of them is killed there: the workload never runs unless
every wall stands, no packet leaves the host, the status is mxc's own and
nothing is left (W3, G24)."""

import errno
import json
import os
import pathlib
import shutil
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403
from injector import Injector, numbers  # noqa: E402

net = internet()
HERE = pathlib.Path(__file__).resolve().parent
EXIT_MXC, KILLED = 125, 137
# What calls of set-up are named as, and what their failure is.
PROGRAMS = ('mxc', 'mxc-launch', 'mxc-gateway')
# Every place of these, and so many of the others, which test_setup.py has.
NETWORK = ('socket bind listen setsockopt sendto sendmsg recvfrom recvmsg '
           'shutdown socketpair memfd_create epoll_create1 epoll_ctl connect '
           'getsockname seccomp clone execve capset').split()
PLACES = 10
# None of these may fail unnoticed, whoever calls it.
NEEDED = ('memfd_create socketpair clone execve setsid dup2 capset seccomp '
          'landlock_create_ruleset landlock_add_rule landlock_restrict_self '
          'epoll_create1 epoll_ctl sendto sendmsg recvmsg recvfrom listen '
          'getsockname signalfd4').split()
# Rules of every kind, so that every part of set-up has something to do.
FLAGS = ['--allow-net', WEB, '--allow-host', 'example.test', '--publish',
         '8000', '--host-service', '8001', '--timeout', '20s']


def prepare():
    os.mkdir('w')
    canary = os.path.abspath('w/canary')
    probe = [*cprobe((HERE / 'reach.c').read_text()), canary, WEB, OTHER,
             OTHER6]
    args = mxc_args(probe, rw='w', flags=FLAGS)
    return Injector(args, os.path.basename(probe[0])), args


def took():
    """What the workload said; None: it did not run."""
    try:
        text = read('w/canary')
        os.unlink('w/canary')
        return text
    except FileNotFoundError:
        return None


def places(injector):
    """[(program, number, nth, name)] of calls until the workload starts."""
    net.fresh()
    r, every = injector.places()
    eq((took(), r.status), ('ok', 0), 'the run that met no failure')
    eq({program for program, *_ in every}, set(PROGRAMS))
    return [place for place in every
            if place[3] in NETWORK or place[2] <= PLACES]


def check_clean(before):
    eventually(lambda: not descendants(), 5, f'gone: {descendants()}')
    leaves_nothing(before)
    eq(os.listdir('w'), [])


def check_run(r, before, where, may_be_mute, is_kill):
    """Either it was refused: then nothing ran and nothing went out.  Or it
    ran: then behind all walls."""
    said = took()
    if said == '':
        # Its first step, and then the failure was noticed, or it was mxc's own
        # death and so the sandbox's.
        check(r.status == EXIT_MXC or (is_kill and r.status == KILLED),
              f'{where}: {r}')
        net.nothing_came(OTHER, OTHER6, RESOLVER, RESOLVER6)
    elif said is not None:
        eq(said.split()[0], 'ok', f'walls, {where}: {r}')
        net.nothing_came(OTHER, OTHER6, RESOLVER, RESOLVER6)
    else:
        net.nothing_came()
        # Who is about to be the workload ends as that would.
        check(r.status in (EXIT_MXC, 126, 127) or
              (is_kill and r.status == KILLED), f'{where}: {r}')
        if not may_be_mute and r.status != KILLED:
            has(r.err, 'mxc: ', f'{where}: {r}')
    check_clean(before)
    return said


# What mxc does once it has given the word, beside the workload.
WAITING = ('poll', 'recvfrom', 'recvmsg', 'read')


def each_place(program, code):
    """So many were tried, so many of those refused, and the places of the
    others; and which of all come after the program's last execve(2)."""
    injector, _ = prepare()
    before = host_state()
    tried = refused = 0
    ran, late = [], []
    for owner, number, nth, name in places(injector):
        if owner != program:
            continue
        late = [] if name == 'execve' else [*late, (name, nth)]
        where = f'{program}: {name} number {nth}'
        net.fresh()
        r, report = injector.run(program, number, nth, code)
        if report != ['hit']:
            print(f'# {where}: not met')
            continue
        # Who is dead, or has no stderr to write to, says nothing.
        mute = program == 'mxc' and (code == 0 or name in ('write', 'writev'))
        tried += 1
        is_refused = not check_run(r, before, where, mute, code == 0)
        check(is_refused or name not in NEEDED, f'went unnoticed, {where}')
        refused += is_refused
        ran += [] if is_refused else [(name, nth)]
    print(f'# {refused} of {tried} refused')
    check(tried > 20 and refused > tried / 3, f'{refused} of {tried}')
    return tried, ran, late


@cases([(p, p) for p in PROGRAMS], seconds=600)
def g24_a_call_that_fails(program):
    each_place(program, errno.EPERM)


@cases([(p, p) for p in PROGRAMS], seconds=600)
def g24_a_program_killed_at_each_call(program):
    tried, ran, late = each_place(program, 0)
    # Its death before the workload's start is always too early for that.  Which
    # of mxc's waits is the last before it hangs on who was quicker, and a
    # workload that is let go may be done before it is killed.  The launcher
    # goes on when the workload's program is there, beside it.
    if program == 'mxc':
        names = {name for name, _ in ran}
        check(len(ran) <= 2 and names <= set(WAITING), f'{ran}')
    elif program == 'mxc-launch':
        check(len(late) < 20 and set(ran) <= set(late), f'{ran}')
    else:
        eq(ran, [])


@cases([(e, e) for e in ('ENOENT', 'EOPNOTSUPP', 'EPROTONOSUPPORT')])
def g24_a_kernel_that_lacks_nf_tables(name):
    """Its errno at the launcher's second message, which has the rules."""
    injector, args = prepare()
    number = {n: k for k, n in numbers().items()}['sendto']
    args[1:1] = ['--json', 'result.json']
    r, report = injector.run('mxc-launch', number, 2, getattr(errno, name))
    eq(report, ['hit'])
    r.failed(EXIT_MXC, 'this kernel lacks nf_tables', 'modprobe nft_tproxy')
    told = json.loads(read('result.json'))['error']
    eq((told['code'], told['operation']), ('backend_unavailable', 'nf_tables'))
    eq(took(), None, 'what ran')
    net.nothing_came()


@cases({
    'missing': (None, 'mxc-gateway is not installed'),
    'empty': ('', 'cannot start the gateway'),
    'no program': ('\x7fELF nonsense', 'cannot start the gateway'),
    'that ends at once': ('#!/bin/true\n', 'the gateway ended during set-up'),
    'that fails': ('#!/bin/false\n', 'the gateway ended during set-up'),
    'that says nothing sensible': ('#!/bin/sh\nprintf nonsense >&4\nsleep 1\n',
                                   'the gateway ended during set-up'),
})
def g24_a_gateway(text, want):
    _, args = prepare()
    before = host_state()
    shutil.copytree(MXC.parent.parent, 'tree', symlinks=True)
    os.unlink('tree/libexec/mxc/mxc-gateway')
    if text is not None:
        write('tree/libexec/mxc/mxc-gateway', text, 0o755)
    args[1:1] = ['--json', 'result.json']
    r = run(['tree/bin/mxc', *args]).failed(EXIT_MXC, want)
    eq(json.loads(read('result.json'))['outcome'], 'failed')
    check_run(r, before, 'start', False, False)


main()
