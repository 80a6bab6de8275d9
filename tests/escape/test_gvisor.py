#!/usr/bin/env python3
"""What a workload of the gvisor backend cannot reach, and what stands around
the kernel that it does reach.

tap: backend=gvisor
"""

import errno
import os
import platform
import signal
import socket
import stat
import subprocess
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import tap  # noqa: E402
from tap import *  # noqa: E402,F403

GVISOR = ('--backend', 'gvisor')
X86 = platform.machine() == 'x86_64'
tap.before_each.append(lambda: need('runsc'))


def refuse(code, refused, **grants):
    return attack(code, refused=refused, flags=GVISOR, **grants)


# --- files -----------------------------------------------------------------

@test
def a_file_that_is_not_granted():
    key = write('home/.ssh/id', 'secret')
    refuse(f'open({os.path.abspath(key)!r}).read()', 'ENOENT')


@cases({'through a symlink': 'os.symlink(SECRET, W + "/l"); open(W + "/l")',
        'through dots': 'open(W + "/../home/secret")',
        'through /proc/self/root': 'open("/proc/self/root" + SECRET)',
        'through /proc/1/root': 'open("/proc/1/root" + SECRET)',
        'through a descriptor': 'fd = os.open(W, os.O_RDONLY)\n'
                                '    os.open("../home/secret", 0, dir_fd=fd)'})
def a_way_around(code):
    secret = os.path.abspath(write('home/secret', 'secret'))
    os.mkdir('w')
    work = os.path.abspath('w')
    if '/proc/1/' in code and not IS_ROOT:
        code = code.replace('/proc/1/root', '/proc/self/root')
    refuse(f'SECRET, W = {secret!r}, {work!r}\n{code}'.replace('\n    ', '\n'),
           'ENOENT', rw=[work],
           reset=lambda: [os.unlink(f'w/{f}') for f in os.listdir('w')])


@cases({'reading': 'open(P)', 'writing': 'open(P, "w")',
        'appending': 'open(P, "a")', 'truncating': 'os.truncate(P, 0)',
        'executing': 'os.execv(P, ["x"])'})
def a_denied_file(code):
    os.mkdir('w')
    path = os.path.abspath(write('w/secret', '#!/bin/true\n', 0o755))
    refuse(f'P = {path!r}\n{code}\n', 'EACCES', rw=[os.path.abspath('w')],
           deny=[path], reset=lambda: write('w/secret', '#!/bin/true\n', 0o755),
           control='execv' not in code)
    eq(read('w/secret'), '#!/bin/true\n')


@cases({'writing': ('open(P, "a")', 'EROFS'),
        'removing': ('os.unlink(P)', 'EROFS'),
        'renaming': ('os.rename(P, P + "2")', 'EROFS'),
        'a new name': ('open(P + "2", "w")', 'EROFS'),
        'a hard link': ('os.link(P, P + "2")', 'EROFS')})
def a_read_only_file(code, refused):
    os.mkdir('r')
    path = os.path.abspath(write('r/f', 'text\n'))

    def reset():
        for name in os.listdir('r'):
            os.unlink(f'r/{name}')
        write('r/f', 'text\n')
    refuse(f'P = {path!r}\n{code}', refused, ro=[os.path.abspath('r')],
           reset=reset)
    eq((os.listdir('r'), read('r/f')), (['f'], 'text\n'))


@test
def what_gvisor_says_yes_to_stays_as_it_was():
    """chmod(2), utime(2), truncate(2): the host's file keeps all of it."""
    os.mkdir('r')
    path = os.path.abspath(write('r/f', 'text\n', 0o644))
    os.utime(path, (1, 1))
    for code in ('os.chmod(P, 0o777)', 'os.utime(P, (5, 5))',
                 'os.truncate(P, 0)'):
        code = f'P = {path!r}\n{code}'
        check(outside(code).done, 'control')
        st = os.stat(path)
        check((st.st_mode & 0o777, st.st_mtime, st.st_size)
              != (0o644, 1, 5), 'control')
        write('r/f', 'text\n', 0o644)
        os.utime(path, (1, 1))
        inside(code, ro=[os.path.abspath('r')], flags=GVISOR)
        st = os.stat(path)
        eq((st.st_mode & 0o777, st.st_mtime, st.st_size), (0o644, 1, 5))
    eq(read('r/f'), 'text\n')


@cases({name: name for name in ('null', 'zero', 'tty')})
def devices_of_the_host_keep_their_modes(name):
    """gVisor has its own; the mode tried is one that harms nobody."""
    path = f'/dev/{name}'
    before = os.stat(path)
    check(before.st_mode & 0o777 != 0o667, 'the mode tried')
    inside(f'os.chmod({path!r}, 0o667)\nos.utime({path!r}, (1, 1))',
           flags=GVISOR)
    after = os.stat(path)
    eq((after.st_mode, after.st_uid, after.st_mtime),
       (before.st_mode, before.st_uid, before.st_mtime))


@test
def streams_keep_their_modes():
    """Of a file given as a stream, and of /dev/null where none is."""
    code = 'for fd in 0, 1, 2: os.fchmod(fd, 0o667)'
    places = ['/dev/null', *(os.path.abspath(write(n)) for n in 'io')]
    before = [os.stat(p).st_mode for p in places]
    for null in False, True:
        with open(places[1]) as i, open(places[2], 'w') as o:
            files = {} if null else {'stdin': i, 'stdout': o}
            p = spawn([MXC, 'run', *GVISOR, '--', *tap.pyprobe(code)],
                      **{'stdin': subprocess.DEVNULL, 'stderr':
                         subprocess.DEVNULL, **files})
            p.communicate(timeout=30)
            check(p.returncode in (0, 9), p.returncode)
        eq([os.stat(p).st_mode for p in places], before)
    with open(places[1]) as i:   # control: whoever has it open can
        spawn(tap.pyprobe('os.fchmod(0, 0o667)'), stdin=i).communicate()
    check(os.stat(places[1]).st_mode != before[1], 'control')


@test
def no_set_user_id_file_is_left():
    os.mkdir('w')
    path = os.path.abspath('w/f')
    code = (f'p = {path!r}\nopen(p, "w").close()\nos.chmod(p, 0o4755)\n'
            'assert os.stat(p).st_mode & 0o4000')
    check(outside(code).done, 'control')
    os.unlink(path)
    inside(code, rw=[os.path.abspath('w')], flags=GVISOR)
    eq(os.stat(path).st_mode & stat.S_ISUID, 0)


@test
def no_device_is_made():
    if not IS_ROOT:
        skip('only root makes devices')
    os.mkdir('w')
    path = os.path.abspath('w/zero')
    code = f'os.mknod({path!r}, 0o666 | stat.S_IFCHR, os.makedev(1, 5))'
    refuse(code, 'EPERM', rw=[os.path.abspath('w')],
           reset=lambda: os.unlink(path))
    eq(os.listdir('w'), [])


@test
def a_socket_of_the_host_below_a_grant():
    os.mkdir('w')
    canary = Listener(os.path.abspath('w/s'))
    code = (f's = socket.socket(socket.AF_UNIX)\n'
            f's.connect({os.path.abspath("w/s")!r})\ns.send(b"hello")')
    check(outside(code).done, 'control')
    eventually(lambda: canary.got == [b'hello'], what='control')
    r = inside(code, rw=[os.path.abspath('w')], flags=GVISOR)
    check(r.refused, r)
    eq(canary.got, [b'hello'])


@test
def an_abstract_socket_of_the_host():
    name = f'mxc-{os.getpid()}'
    canary = Listener('@' + name)
    code = (f's = socket.socket(socket.AF_UNIX)\ns.connect("\\0{name}")\n'
            's.send(b"hello")')
    refuse(code, 'ECONNREFUSED')
    eventually(lambda: len(canary.got) == 1, what='the control alone')


@test
def groups_give_nothing():
    """Of the caller's supplementary groups gVisor knows none."""
    if not IS_ROOT:
        skip('only root has groups of its choice')
    need('setpriv')
    os.mkdir('g')
    write('g/f', 'shared\n', 0o640)
    os.chown('g/f', 0, 4242)
    for name in ('.', 'g'):
        os.chmod(name, 0o755)
    path = os.path.abspath('g')
    as_user = ['setpriv', '--reuid=65533', '--regid=65533', '--groups=4242']
    r = run([*as_user, 'cat', f'{path}/f'])
    if r.status:
        skip(f'outside too: {r.err}')
    r = run([*as_user, MXC, *mxc_args(['cat', f'{path}/f'], ro=[path],
                                      flags=GVISOR)])
    has(r.err, 'Permission denied')
    eq(r.out, '')


# --- processes and the kernel ----------------------------------------------

@test
def processes_of_the_host():
    p = subprocess.Popen(['sleep', '60'])
    refuse(f'os.kill({p.pid}, 0)', 'ESRCH')
    r = inside('print(sorted(int(n) for n in os.listdir("/proc") '
               'if n.isdigit()))', flags=GVISOR).ok()
    eq(r.out.splitlines()[0], '[1]')
    p.kill()
    p.wait()


# Label: x86-64, aarch64, arguments, what gVisor says.
CALLS = {
    'perf_event_open': (298, 241, '0, 0, -1, -1, 0', ('ENODEV', 'EPERM')),
    'bpf': (321, 280, '0, None, 0', ('EPERM', 'ENOSYS')),
    'userfaultfd': (323, 282, '1', ('ENOSYS', 'EPERM')),
    'name_to_handle_at': (303, 264, '-100, b"/", None, None, 0',
                          ('ENOTSUP', 'ENOSYS', 'EPERM')),
    'fsopen': (430, 430, 'b"tmpfs", 0', ('ENOSYS', 'EPERM')),
    'open_tree': (428, 428, '-100, b"/", 0', ('ENOSYS', 'EPERM')),
    'pidfd_getfd': (438, 438, '0, 0, 0', ('ENOSYS', 'EPERM')),
}


@cases({name: (name,) for name in CALLS})
def a_call_that_the_hosts_kernel_does_not_get(name):
    """The host's answer is another: its code was reached."""
    x86, arm, args, said = CALLS[name]
    code = f'call({x86 if X86 else arm}, {args})'
    r = outside(code)
    if not r.done and r.refused in said:
        skip(f'the host says {r.refused} too')
    r = inside(code, flags=GVISOR)
    check(r.refused in said, r)


@test
def it_is_another_kernel():
    code = 'print(os.uname().release, open("/proc/version").read())'
    own, seen = (f(code, **o).ok().out for f, o in (
        (outside, {}), (inside, {'flags': GVISOR})))
    check(own.split()[0] not in seen, seen)


@test
def mounting_and_changing_root():
    for code in ('call("mount", b"x", b"/tmp", b"tmpfs", 0, None)',
                 'call("chroot", b"/tmp")'):
        refuse(code, 'EPERM', control=IS_ROOT and 'chroot' in code)


@test
def what_is_around_the_kernel():
    """Of runsc, gofer and sentry: filter, privileges, and what they see."""
    if not IS_ROOT:
        skip('only root may look at them')
    os.mkdir('w')
    p = spawn([MXC, *mxc_args(['sh', '-c', 'echo up; sleep 50'],
                              ro=[os.path.abspath('w')], flags=GVISOR)])
    eq(p.stdout.readline(), b'up\n')
    named = {}
    for pid in descendants(p.pid):
        line = read(f'/proc/{pid}/cmdline').split('\0')[0]
        if line.startswith('runsc'):
            named.setdefault(line, pid)
    eq(sorted(named), ['runsc', 'runsc-gofer', 'runsc-sandbox'])
    own = os.readlink('/proc/self/ns/user')
    for line, pid in named.items():
        status = dict(row.split(':\t', 1) for row in
                      read(f'/proc/{pid}/status').splitlines() if ':\t' in row)
        eq((status['Seccomp'], status['NoNewPrivs']), ('2', '1'), line)
        check(os.readlink(f'/proc/{pid}/ns/user') != own, line)
        check(os.readlink(f'/proc/{pid}/ns/net')
              != os.readlink('/proc/self/ns/net'), line)
        lacks(' '.join(os.listdir(f'/proc/{pid}/root')), 'root', line)
    eq(sorted(os.listdir(f'/proc/{named["runsc"]}/root')),
       ['bundle', 'dev', 'proc', 'runsc', 'state', 'tmp', 'view', 'visible'])
    root = f'/proc/{named["runsc"]}/root'
    # Root's number is root's: what it might set it must not be able to.
    r = run(['nsenter', '-t', str(named['runsc']), '-m', '-U',
             '--preserve-credentials', PYTHON, '-c', '1'])
    check(r.status != 0, 'it sees no program of the host')
    for name in ('proc/sys/kernel/core_pattern', 'proc/sysrq-trigger'):
        if not os.path.exists(f'/{name}'):
            continue
        try:
            os.close(os.open(f'{root}/{name}', os.O_WRONLY))
            fail(f'{name} can be written')
        except OSError as e:
            eq(errno.errorcode[e.errno], 'EROFS', name)
    p.send_signal(signal.SIGKILL)
    p.communicate()


@test(seconds=120)
def a_fork_bomb_ends_with_the_sandbox():
    """The ceiling is met by gVisor itself, which is told as its end, or by a
    fork of the shell's, which then ends: whichever has the last number."""
    r = inside(['sh', '-c', 'f() { f | f & }; f; sleep 55'], timeout=90,
               flags=(*GVISOR, '--timeout', '60s'))
    within(r.seconds, 50, 's')
    if r.status != 2:
        r.failed(125, 'gVisor failed', 'errno=11' if 'errno' in r.err
                 else 'temporarily unavailable')
    eventually(lambda: not descendants(), what='no process left')


main()
