#!/usr/bin/env python3
# tap: waits  tap: seconds=5400
"""test_limits.py on control groups of version 2, in a kernel that has them.

User-mode Linux boots in a second, with this host's files as its root: root
has the whole hierarchy there, and an ordinary user one that is delegated, as
systemd does it, or nothing.  Its 6.1 lacks two walls, which has nothing to do
with limits."""

import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
import sanitizer  # noqa: E402

USER = 1001
# The kernel has a /tmp of its own: where this tree, or mxc's, lies there, it is
# seen by another name.
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TREE = os.path.dirname(os.path.dirname(os.path.abspath(str(MXC))))
TESTS = '/run/tests/tests/e2e/test_limits.py'
# Those that a control group has a part in: the kernel is slow.
WORDS = ('memory_ fork_bomb_stops processor_ a_share killed_supervisor '
         'request_and')
INIT = f'''#!/bin/sh
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs -o mode=0755 run /run
mkdir /run/tests /run/tree
mount --bind {TOP} /run/tests
mount --bind {TREE} /run/tree
mount -t tmpfs -o mode=1777 tmp /tmp
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts
mount -t cgroup2 cgroup /sys/fs/cgroup
cd /sys/fs/cgroup
echo '+memory +pids +cpu' >cgroup.subtree_control
ip link set lo up
mkdir -p /tmp/home /run/user/{USER}
chown {USER}:{USER} /tmp/home /run/user/{USER}
export MXC=/run/tree/bin/mxc MXC_LIMITS_FLAGS='@FLAGS@' HOME=/tmp/home
@BEFORE@
cd /tmp/home
@AS@ {PYTHON} {TESTS} {WORDS}
echo "END $?"
cd /sys/fs/cgroup
find . -name 'mxc*' -printf 'LEFT %p\\n'
halt -f
'''
DELEGATED = f'''mkdir user user/shell
echo '+memory +pids +cpu' >user/cgroup.subtree_control
chown {USER}:{USER} user user/cgroup.procs user/cgroup.subtree_control \\
    user/shell user/shell/cgroup.procs
echo $$ >user/shell/cgroup.procs'''
BARE = '''mkdir bare
echo $$ >bare/cgroup.procs'''
AS_USER = (f'setpriv --reuid={USER} --regid={USER} --clear-groups '
           f'env XDG_RUNTIME_DIR=/run/user/{USER}')
LANDLOCK = '--accept-missing landlock'


# What is skipped: a test of version 1, and all that needs a group where there is
# none.
@cases({'root': ('', f'{LANDLOCK} --accept-missing pid-limit', '', 2),
        'delegated to a user': (DELEGATED, LANDLOCK, AS_USER, 2),
        'a user without a group': (BARE, LANDLOCK, AS_USER, 10)},
       only='root', seconds=1000)
def version_2(before, flags, who, most_skips):
    need('linux.uml')
    if sanitizer.is_sanitized(MXC):
        skip('a sanitizer has no room in the memory of that kernel')
    init = write('init', INIT.replace('@BEFORE@', before).replace('@FLAGS@', flags)
                 .replace('@AS@', who), 0o755)
    os.chmod('.', 0o755)
    r = run(['linux.uml', 'mem=768M', 'rootfstype=hostfs', 'ro', 'hostfs=/',
             f'init={os.path.abspath(init)}', 'con=null', 'con0=null,fd:1',
             'quiet', 'uml_dir=' + os.getcwd()],
            env={'TMPDIR': '/dev/shm'}, timeout=400)
    lines = r.out.replace('\r', '').splitlines()
    eq([x for x in lines if x.startswith('not ok')], [], r.out)
    has(r.out, 'END 0')
    lacks(r.out, 'LEFT')
    done = [x for x in lines if x.startswith('ok')]
    skipped = [x for x in done if '# SKIP' in x]
    check(len(done) > 8 and len(skipped) <= most_skips, r.out)


main()
