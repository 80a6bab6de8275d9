#!/usr/bin/env python3
"""What is mounted inside a granted tree (D7, E9): the host's own /proc, /sys
and /dev, as a chroot or a container's root has them, are not granted along."""

import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403

CORE = 'proc/sys/kernel/core_pattern'


def mounted(*argv):
    """argv in a mount namespace where ./tree is as a chroot's root is."""
    for d in ('proc', 'dev', 'sys', 'mine'):
        os.makedirs(f'tree/{d}', exist_ok=True)
    script = ('mount -t proc proc tree/proc && mount --bind /dev tree/dev && '
              'mount -t sysfs sys tree/sys && mount -t tmpfs t tree/mine && '
              'exec "$@"')
    return run(['unshare', '--mount', '--', 'sh', '-c', script, 'sh', *argv])


def sandboxed(code, *flags):
    return [MXC, 'run', *flags, '--', *pyprobe(code)]


DENIED = [f for d in ('proc', 'dev', 'sys') for f in ('--deny', f'tree/{d}')]
# What is there is written back, so that nothing changes.
REWRITE = f'p = os.path.abspath("tree/{CORE}"); f = open(p, "r+"); ' \
          'v = f.read(); f.seek(0); f.write(v)'


@cases({'for writing': '--rw', 'for reading': '--ro'}, only='root')
def d7_the_hosts_proc_is_not_granted_by_another_name(flag):
    r = mounted(*pyprobe(REWRITE))
    check(r.done, f'control: {r}')
    r = mounted(*sandboxed('pass', flag, 'tree'))
    eq((r.status, r.out), (125, ''))
    has(r.err, "tree' cannot be granted: the host's kernel shows itself at")
    has(r.err, "as well")


@test(only='root')
def d7_nor_where_the_list_of_mounts_hides_it():
    """Moved on top of another mount, it stands before that one in the list."""
    os.makedirs('tree/one')
    os.makedirs('aside')
    script = ('mount --make-rprivate / && mount -t proc proc aside && '
              'mount -t tmpfs t tree/one && mount --move aside tree/one && '
              'exec "$@"')

    def moved(*argv):
        return run(['unshare', '--mount', '--', 'sh', '-c', script, 'sh',
                    *argv])
    r = moved('cat', 'tree/one/version')
    has(r.out, 'Linux', 'control')
    r = moved(*sandboxed('pass', '--ro', 'tree'))
    eq((r.status, r.out), (125, ''))
    has(r.err, "tree/one'")
    has(r.err, "the host's kernel shows itself at")


@cases({'the mount itself': 'proc', 'a directory in it': 'proc/sys',
        'a file in it': CORE, 'a device': 'dev/full', 'sysfs': 'sys/kernel'},
       only='root')
def d7_nor_any_part_of_it(part):
    for flags in ([], DENIED):
        r = mounted(*sandboxed('pass', *flags, '--ro', f'tree/{part}'))
        eq(r.status, 125)
        has(r.err, f"{part}' cannot be granted: the host's kernel shows")
        has(r.err, 'the sandbox has a /dev and a /proc of its own')


@test(only='root')
def d7_denied_they_leave_the_rest_of_the_tree():
    path = os.path.abspath('tree')
    r = mounted(*sandboxed(
        f'os.chdir({path!r}); open("mine/file", "w").write("x")\n'
        f'os.open("{CORE}", os.O_RDONLY)', '--rw', 'tree', *DENIED))
    eq(r.refused, 'EACCES')
    r = mounted(*sandboxed(
        f'os.chdir({path!r}); open("mine/file", "w").write("x")',
        '--rw', 'tree', *DENIED))
    check(r.done, r)


@test
def d7_the_root_is_not_granted_through_a_link():
    os.symlink('/', 'link')
    for flags in (['--rw', 'link'], ['--ro', 'link/proc/..'],
                  ['--deny', 'link', '--rw', '.']):
        r = mxc('run', *flags, '--', 'true')
        eq(r.status, 125)
        has(r.err, 'nothing could run' if '--deny' in flags else
            'leads to the root of the host')


main()
