#!/usr/bin/env python3
"""Callers that have less than usual: lower limits, a root without its
capabilities."""

import json
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403


def limited(limits, *argv):
    return run(['bash', '-c', f'ulimit {limits}; exec "$@"', 'bash', MXC,
                'run', *argv])


@test
def lower_ceilings_of_the_caller_stay_and_stop_nothing():
    """Containers and services have them; nobody may raise them."""
    need('bash')
    r = limited('-l 64 -q 0 -c 0 -n 512', '--', 'bash', '-c',
                'ulimit -Hl; ulimit -Hq; ulimit -Hc; ulimit -Hn').ok()
    eq(r.out.split(), ['64', '0', '0', '512'])


@test(only='root')
def without_a_limit_on_cores_a_program_of_the_host_would_run():
    """Hard 0 cannot become the 1 that keeps the kernel from it (core(5))."""
    need('bash', 'unshare')
    write('pattern', '|/bin/false\n')
    r = run(['unshare', '--mount', '--', 'bash', '-c',
             'mount --bind pattern /proc/sys/kernel/core_pattern && '
             'ulimit -c 0 && exec "$@"', 'bash', MXC, 'run', '--', 'true'])
    eq((r.status, r.out), (125, ''))
    has(r.err, "would run the host's core_pattern program")
    has(r.err, 'prlimit --core=1')


def groups_of_receipt(*argv):
    r = run([*argv, MXC, 'run', '--json', 'result', '--', 'true']).ok()
    row, = (row for row in json.loads(read('result'))['receipt']
            if row['clause'] == 'supplementary groups')
    return row['state'], r


@test(only='root')
def a_root_that_keeps_its_groups_is_told_so():
    need('setpriv')
    less = ('--bounding-set=-setgid', '--inh-caps=-all', '--ambient-caps=-all')
    eq(groups_of_receipt('setpriv', '--groups=44')[0], 'enforced', 'control')
    eq(groups_of_receipt('setpriv', '--groups=44', *less)[0],
       'not enforced: they count on granted paths')
    eq(groups_of_receipt('setpriv', '--clear-groups', *less)[0], 'enforced')


main()
