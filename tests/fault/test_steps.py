#!/usr/bin/env python3
"""tap: seconds=7200

The set-up of every backend fails at a system call of one of its programs, or
one of them is killed there (W3, H6): the workload never runs unless every wall
stands, the status is mxc's own and nothing is left.

Some calls of each kind are tried; with MXC_SOAK=long all of them."""

import errno
import os
import random
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from injector import KILL, Injector  # noqa: E402
from walls import (BACKEND, EXIT_MXC, STANDS, check_clean,  # noqa: E402
                   check_run, prepare, took)

IS_LONG = os.environ.get('MXC_SOAK') == 'long'
SECONDS = 7000 if IS_LONG else 120
FAILS, KILLS = 25, 10
# Behind this program there is a tracer of its own (gVisor), or the workload.
UNTIL = {'gvisor': 'runsc'}


def injector():
    probe, args = prepare()
    return Injector(args, UNTIL.get(BACKEND, os.path.basename(probe[0])))


def chosen(places, most):
    """Of each kind of call one, and of the kinds so many."""
    if IS_LONG:
        return places
    kinds, rnd = {}, random.Random(5)
    for place in places:
        kinds.setdefault((place[0], place[3]), []).append(place)
    return [rnd.choice(kinds[k])
            for k in rnd.sample(sorted(kinds), min(most, len(kinds)))]


def at_each(code, most):
    """{program: [places met, of these refused]}"""
    here = injector()
    before = host_state()
    r, places = here.places()
    eq((took(), r.status), (STANDS, 0), f'the run that met no failure: {r}')
    check_clean(before)
    met = {}
    for program, number, nth, name in chosen(places, most):
        where = f'{name} number {nth} of {program}'
        r, report = here.run(program, number, nth, code)
        said, _ = check_run(r, before, where, False)
        count = met.setdefault(program, [0, 0])
        count[0] += report == ['hit']
        count[1] += said is None
    print(met)
    return met


@test(seconds=SECONDS)
def w3_a_call_that_fails():
    met = at_each(errno.EPERM, FAILS)
    tried, refused = (sum(n) for n in zip(*met.values()))
    check(len(met) > 1, met)
    check(tried > FAILS * 0.7 and refused > tried / 3, met)


@test(seconds=SECONDS)
def w3_h6_a_program_that_is_killed():
    met = at_each(KILL, KILLS)
    tried, refused = (sum(n) for n in zip(*met.values()))
    check(tried > KILLS * 0.7, met)
    # Its death before the workload's start is always too early for that.
    check(refused >= tried, met)


main()
