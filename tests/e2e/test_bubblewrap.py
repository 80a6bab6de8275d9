#!/usr/bin/env python3
"""The backend that bwrap(1) makes: what it is told, that nothing it says is
believed, and how it looks when it cannot."""

import json
import os
import subprocess
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403

BWRAP = '/usr/bin/bwrap'
OURS = ['--backend', 'bubblewrap']
IS_ROOT = os.getuid() == 0


def go(argv, flags=(), **grants):
    return mxc(*mxc_args(argv, flags=[*OURS, *flags], **grants))


def with_bwrap(program, *args):
    """mxc in a mount namespace of its own, where `program` is bwrap."""
    need('unshare')
    enter = ['unshare', '-m'] if IS_ROOT else ['unshare', '-Urm']
    return run([*enter, 'sh', '-c',
                'mount --bind "$1" "$2" && shift 2 && exec "$@"', 'sh',
                program, BWRAP, MXC, *args])


# Speaks bwrap's language to the real one, after a change to what it was told.
FALSE_BWRAP = '''#!/usr/bin/python3 -I
import os, sys
args = os.read(9, 1 << 20).split(b"\\0")[:-1]
while more := os.read(9, 1 << 20):
    args = (b"\\0".join(args) + more).split(b"\\0")[:-1]
def drop(*words):
    n = len(words)
    at = [i for i in range(len(args)) if args[i:i + n] == list(words)]
    assert at, words
    del args[at[0]:at[0] + n]
def swap(old, new):
    args[args.index(old)] = new
%s
fd = os.memfd_create("args", 0)
os.write(fd, b"".join(a + b"\\0" for a in args))
os.lseek(fd, 0, 0)
os.dup2(fd, 9)
os.execv(%r, [%r, *sys.argv[1:]])
'''


def lying(change):
    """A bwrap that was changed; the real one is beside it."""
    real = os.path.abspath('real-bwrap')
    with open(BWRAP, 'rb') as f, open(real, 'wb') as out:
        out.write(f.read())
    os.chmod(real, 0o755)
    path = write('false-bwrap', FALSE_BWRAP % (change, real, real), 0o755)
    return os.path.abspath(path)


# --- what it is -----------------------------------------------------------

@test
def it_is_bwrap_with_our_walls():
    r = go(['sh', '-c', 'cat /proc/self/status /proc/1/cmdline; echo $$'],
           ['--json', 'r.json']).ok()
    for line in ('CapEff:\t0000000000000000', 'CapBnd:\t0000000000000000',
                 'CapAmb:\t0000000000000000', 'NoNewPrivs:\t1', 'Seccomp:\t2'):
        has(r.out, line)
    has(r.out, 'mxc-init\0')
    lacks(r.out, 'bwrap')
    result = json.loads(read('r.json'))
    eq((result['backend'], result['outcome']), ('bubblewrap', 'exited'))
    has(json.dumps(result['receipt']), f'made by {BWRAP}')


@test
def nothing_of_a_policy_is_in_the_list_of_processes():
    write('my-secret-project/x')
    p = spawn([MXC, *mxc_args(['sh', '-c', 'echo up; read x'], flags=OURS,
                              rw='my-secret-project', env={'TOKEN': 'hunter2'})],
              stdin=subprocess.PIPE)
    eq(p.stdout.readline(), b'up\n')
    found = [read(f'/proc/{pid}/cmdline') for pid in descendants(p.pid)
             if os.path.exists(f'/proc/{pid}/cmdline')]
    bwrap = [c for c in found if c.startswith(BWRAP)]
    eq(set(bwrap), {f'{BWRAP}\0--args\x009\0/proc/self/fd/10\0'})
    lacks('\n'.join(found), 'my-secret')
    p.communicate(b'\n', timeout=10)
    eq(p.returncode, 0)


@test
def its_streams_are_not_the_workloads():
    """What bwrap has for itself is closed before the workload starts."""
    r = go(['sh', '-c', 'ls /proc/self/fd | tr "\\n" " "; echo e >&2']).ok()
    eq(r.out, '0 1 2 3 ')      # 3 is the directory that ls(1) reads
    eq(r.err, 'e\n')


# --- weaknesses of others that run bwrap -----------------------------------

@test
def w4_a_denied_program_has_no_other_name():
    r = go(['sh', '-c', '/bin/id; /usr/bin/id'], deny='/usr/bin/id')
    eq(r.status, 126)
    eq(r.err.count('Permission denied'), 2, r)


@test
def w5_a_second_name_of_a_denied_file():
    write('w/secret', 'SECRET')
    os.link('w/secret', 'w/other')
    go(['cat', 'w/other'], rw='w', deny='w/secret').failed(125, 'hard links')


@test
def w6_a_denied_name_that_is_not_there_yet():
    os.makedirs('w')
    r = go(['sh', '-c', 'echo x > absent; echo y > present'], rw='w', cwd='w',
           deny='w/absent').ok()
    has(r.err, 'absent: Permission denied')
    eq(os.listdir('w'), ['present'])


@test
def w22_a_denied_directory_is_no_place_to_write():
    os.makedirs('w/keys')
    r = go(['sh', '-c', 'echo x > keys/new; ls keys; chmod 777 keys'],
           rw='w', cwd='w', deny='w/keys')
    check(r.status != 0, r)
    eq(r.err.count('Permission denied'), 2, r)
    eq(os.listdir('w/keys'), [])


@test
def w26_too_many_paths_are_refused_by_name():
    files = [write(f'many/{n}') for n in range(3100)]
    policy = {'version': '1.1.0+c1', 'filesystem':
              {'readonlyPaths': [os.path.abspath(f) for f in files]}}
    r = go(['true'], policy=policy).failed(125, 'more than the 9000 arguments')
    has(r.err, "'native'")
    go(['true'], policy={**policy, 'filesystem': {
        'readonlyPaths': policy['filesystem']['readonlyPaths'][:1600]}}).ok()


@test
def w8_its_failure_is_not_the_workloads():
    """What bwrap says stands in our error; the status is our own."""
    path = os.path.abspath(write('failing', '#!/bin/sh\necho "bwrap: No '
                                 'luck today" >&2\nexit 1\n', 0o755))
    r = with_bwrap(path, 'run', *OURS, '--', 'echo', 'ran')
    r.failed(125, 'bwrap: No luck today')
    has(r.err, 'nothing was run')
    eq(r.out, '')


# --- it is not believed -----------------------------------------------------

LIES = {
    'a mount that is missing': (
        'drop(b"--bind", W, W)', "cannot set up bind '{w}'"),
    'another directory': (
        'i = args.index(b"--bind"); args[i + 1] = OTHER',
        "did not mount '{w}': it is another object than the one looked at"),
    'only its parent': (
        'i = args.index(b"--bind"); '
        'args[i + 1] = args[i + 2] = os.path.dirname(W)',
        "did not mount '{w}': nothing is mounted there"),
    'no /proc': ('drop(b"--proc", b"/proc")',
                 'nothing was run: bwrap: execvp'),
    'a /proc of others': (
        'i = args.index(b"--proc"); args[i:i + 2] = '
        '[b"--dev-bind", b"/proc", b"/proc"]',
        "did not mount '/proc': it is not that of the sandbox's processes"),
    'a device that is none': (
        'i = args.index(b"/dev/zero"); args[i] = W + b"/x"',
        "did not mount '/dev/zero': it is no device"),
    'no first process': ('drop(b"--as-pid-1")',
                         'first process of a namespace'),
    'no capability to build with': (
        'drop(b"--cap-add", b"CAP_SYS_ADMIN")',
        'cannot set the name: Operation not permitted'),
}


@cases({n: (n,) for n in LIES})
def a_lie_is_refused(name):
    """The control is the same program without its lie."""
    change, why = LIES[name]
    write('w/x', 'x')
    write('other/x', 'y')
    places = (f'W = {os.fsencode(os.path.abspath("w"))!r}\n'
              f'OTHER = {os.fsencode(os.path.abspath("other"))!r}\n')
    args = mxc_args(['sh', '-c', 'echo ran'], flags=OURS,
                    rw=os.path.abspath('w'))
    with_bwrap(lying(''), *args).ok()
    r = with_bwrap(lying(places + change), *args)
    eq((r.status, r.out), (125, ''), r)
    has(r.err, why.format(w=os.path.abspath('w')))


@test
def a_writable_mount_is_made_read_only():
    """A grant that bwrap mounts for writing is not, in the end."""
    write('r/x', 'x')
    place = os.fsencode(os.path.abspath('r'))
    change = (f'args[args.index({place!r}) - 1] = b"--bind"')
    args = mxc_args(['sh', '-c', 'echo y > x'], flags=OURS, ro='r', cwd='r')
    r = with_bwrap(lying(change), *args)
    has(r.err, 'Read-only file system')
    eq(read('r/x'), 'x')


# --- and when it is not there ------------------------------------------------

@test
def without_it_nothing_else_takes_its_place():
    path = os.path.abspath(write('no-program', '', 0o644))
    r = with_bwrap(path, 'run', *OURS, '--', 'echo', 'ran')
    r.failed(125, 'bubblewrap is not installed')
    has(r.err, "install the package 'bubblewrap'")
    eq(r.out, '')
    r = with_bwrap(path, 'doctor')
    has(r.out, 'bubblewrap is not installed')


@test
def a_setuid_one_is_refused():
    if not IS_ROOT:
        skip('making a file set-user-ID for root needs root')
    path = os.path.abspath(write('setuid', 'x', 0o4755))
    with_bwrap(path, 'run', *OURS, '--', 'true').failed(125, 'is setuid')


if not os.path.exists(BWRAP):
    print('1..0 # SKIP no bubblewrap')
    sys.exit(0)
# The launcher comes into a root where its loader would not be yet.
if b'/ld-linux' in (MXC.parent.parent / 'libexec/mxc/mxc-launch').read_bytes():
    print('1..0 # SKIP the launcher of this build is not static')
    sys.exit(0)
main()
