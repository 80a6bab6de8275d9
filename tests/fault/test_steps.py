#!/usr/bin/env python3
"""tap: waits  tap: seconds=7300

The set-up of every backend fails at a system call of one of its programs, or
one of them is killed there (W3, H6): the workload never runs unless every wall
stands, the status is mxc's own and nothing is left.

Of some kinds of calls one is tried; with MXC_SOAK=long several of each kind."""

import errno
import json
import os
import random
import shutil
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from injector import KILL, Injector  # noqa: E402
from walls import (BACKEND, EXIT_MXC, STANDS, check_clean,  # noqa: E402
                   check_run, prepare, took)

IS_LONG = os.environ.get('MXC_SOAK') == 'long'
SECONDS = 3600 if IS_LONG else 200
FAILS, KILLS = 25, 10
# In the long form: so many of one kind, since more are of the same loop, and
# kills of so many kinds; liblxc answers some by waiting for a minute.
MOST, KILLS_LONG = 8, 40
# Behind this program there is a tracer of its own (gVisor), or the workload.
UNTIL = {'gvisor': 'runsc'}


def injector():
    probe, args = prepare()
    return Injector(args, UNTIL.get(BACKEND, os.path.basename(probe[0])))


def chosen(places, most):
    """Of so many kinds, a kind being a call of a program, one each; of all
    kinds several."""
    kinds, rnd = {}, random.Random(5)
    for place in places:
        kinds.setdefault((place[0], place[3]), []).append(place)
    if most >= len(kinds):
        return [place for of in kinds.values()
                for place in rnd.sample(of, min(MOST, len(of)))]
    return [rnd.choice(kinds[k]) for k in rnd.sample(sorted(kinds), most)]


def at_each(code, most):
    """{program: [places met, of these refused]}"""
    here = injector()
    before = host_state()
    r, places = here.places()
    eq((took(), r.status), (STANDS, 0), f'the run that met no failure: {r}')
    check_clean(before)
    met, wrong = {}, []
    for program, number, nth, name in chosen(places, most):
        where = f'{name} number {nth} of {program}'
        count = met.setdefault(program, [0, 0])
        try:
            r, report = here.run(program, number, nth, code)
            said, _ = check_run(r, before, where, False)
        except AssertionError as e:
            wrong.append(f'{where}: {e}')
            continue
        count[0] += report == ['hit']
        count[1] += said is None
    print(met)
    check(not wrong, '\n'.join(wrong))
    return met


@test(seconds=SECONDS)
def w3_a_call_that_fails():
    met = at_each(errno.EPERM, 1000 if IS_LONG else FAILS)
    tried, refused = (sum(n) for n in zip(*met.values()))
    check(len(met) > 1, met)
    check(tried > FAILS * 0.7 and refused > tried / 3, met)


@test(seconds=SECONDS)
def w3_h6_a_program_that_is_killed():
    met = at_each(KILL, KILLS_LONG if IS_LONG else KILLS)
    tried, refused = (sum(n) for n in zip(*met.values()))
    check(tried > KILLS * 0.7, met)
    # Its death before the workload's start is always too early for that; but
    # mxc itself has its last calls while the workload is started, which may
    # run then, behind all walls.
    own = met.get('mxc', [0, 0])
    check(refused - own[1] >= tried - own[0], met)


def w3_a_runtime_that_never_makes_the_sandbox():
    shutil.copytree(MXC.parent.parent, 'tree', symlinks=True)
    write('tree/libexec/mxc/mxc-lxc', '#!/bin/sh\nexec sleep 1000\n')
    _, args = prepare()
    before = host_state()
    told = on_backend([MXC, args[0], '--json', 'r.json', *args[1:]])
    r = run(['tree/bin/mxc', *told[1:]], timeout=90)
    r.failed(EXIT_MXC, 'did not make the sandbox within 60 s')
    eq(json.loads(read('r.json'))['outcome'], 'failed')
    eq(took(), None, 'what ran')
    check_clean(before)


if IS_LONG and BACKEND == 'lxc':   # mxc waits a minute
    test(seconds=120)(w3_a_runtime_that_never_makes_the_sandbox)

main()
