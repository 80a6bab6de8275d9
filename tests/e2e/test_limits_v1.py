#!/usr/bin/env python3
"""test_limits.py as an ordinary user to whom root has delegated control groups
of version 1: a directory in each hierarchy that is the user's."""

import os
import signal
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403

USER = 1001
CONTROLLERS = 'memory', 'pids', 'cpu', 'cpuacct'
TESTS = os.path.dirname(os.path.abspath(__file__)) + '/test_limits.py'
WORDS = ('memory_', 'a_fork_bomb_stops', 'processor_', 'a_share', 'request_and')
# Those alone that look for a group that another version has.
MOST_SKIPS = 1


def own_directories():
    """Of each controller, our own group's; skips where there is none."""
    own = {}
    for line in read('/proc/self/cgroup').splitlines():
        _, names, path = line.split(':', 2)
        for name in names.split(','):
            if name in CONTROLLERS:
                own[name] = f'/sys/fs/cgroup/{name}{path}'
    for name in CONTROLLERS:
        if not os.access(own.get(name, '/nowhere'), os.W_OK):
            skip(f'no hierarchy of version 1 with {name} may be written to')
    return own


@test(only='root', seconds=300)
def version_1_delegated_to_a_user():
    made = [f'{where}/mxc-test.{os.getpid()}'
            for where in own_directories().values()]
    os.chmod('.', 0o755)
    os.mkdir('user')
    os.chown('user', USER, USER)
    try:
        for where in made:
            os.mkdir(where)
            for path in (where, where + '/cgroup.procs'):
                os.chown(path, USER, USER)
        enter = '; '.join(f'echo $$ >{where}/cgroup.procs' for where in made)
        r = run(['sh', '-ec', enter + '; exec "$@"', 'sh', 'setpriv',
                 f'--reuid={USER}', f'--regid={USER}', '--clear-groups',
                 'env', f'MXC={MXC}', f'HOME={os.path.abspath("user")}',
                 f'TMPDIR={os.path.abspath("user")}', PYTHON, TESTS, *WORDS],
                timeout=slow(200))
        # Of a run that went well nothing is left; nobody else is in there.
        for where in made:
            eventually(lambda where=where: not read(where + '/cgroup.procs'),
                       what=f'nobody in {where}')
            eq([n for n in os.listdir(where) if n.startswith('mxc.run-')], [])
    finally:
        for where in made:
            if os.path.exists(where):
                for pid in read(where + '/cgroup.procs').split():
                    os.kill(int(pid), signal.SIGKILL)
                os.rmdir(where)
    r.ok()
    lines = r.out.splitlines()
    done = [x for x in lines if x.startswith('ok')]
    skipped = [x for x in done if '# SKIP' in x]
    check(len(done) > 8 and len(skipped) <= MOST_SKIPS, r.out)
    eq([x for x in lines if x.startswith('not ok')], [], r.out)


main()
