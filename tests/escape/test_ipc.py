#!/usr/bin/env python3
"""Daemons that act for whoever asks them, and memory shared with others
(F1-F10): sockets of the host, abstract ones, D-Bus and agents, passed
descriptors, System V and POSIX objects, another sandbox, vsock.

Its controls make System V objects on the host, which other tests count.

tap: alone
"""

import os
import socket
import subprocess
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403


def connect(path, kind='STREAM'):
    return (f's = socket.socket(socket.AF_UNIX, socket.SOCK_{kind})\n'
            f's.connect({path!r})\ns.send(b"hello")')


# --- sockets that a grant shows (F1) ---

@cases({'read-only': 'ro', 'writable': 'rw'})
def f1_a_socket_of_the_host_is_not_connected_to(how):
    os.mkdir('run')
    path = os.path.abspath('run/daemon')
    ear = Listener(path)
    r = attack(connect(path), refused='EACCES', **{how: 'run'})
    has(r.err, 'Permission denied')
    eq(ear.got, [b'hello'], 'only the control')


VIA = {
    'a symlink': 'os.symlink(P, "/tmp/l")\nP = "/tmp/l"',
    'a symlinked directory': 'os.symlink(os.path.dirname(P), "/tmp/d")\n'
                             'P = "/tmp/d/daemon"',
    'a relative name': 'os.chdir(os.path.dirname(P))\nP = "daemon"',
    'a descriptor': 'fd = os.open(P, os.O_PATH)\nP = f"/proc/self/fd/{fd}"',
    'a directory descriptor': (
        'fd = os.open(os.path.dirname(P), os.O_RDONLY)\n'
        'P = f"/proc/self/fd/{fd}/daemon"'),
    'the root': 'P = "/proc/self/root" + P',
    'a hard link': 'os.link(P, P + "2")\nP += "2"',
    'another name': 'os.rename(P, P + "2")\nP += "2"',
}


@cases(VIA)
def f1_by_another_name(code):
    os.mkdir('run')
    path = os.path.abspath('run/daemon')
    ear = Listener(path)
    code = (f'P = {path!r}\n{code}\n'
            's = socket.socket(socket.AF_UNIX)\ns.connect(P)')

    # Names in /tmp would be outside of this test's directory on the host.
    code = code.replace('"/tmp/', f'"{os.getcwd()}/')

    def undo():
        for name in ('l', 'd'):
            if os.path.islink(name):
                os.unlink(name)
        if not os.path.exists(path):
            os.rename(path + '2', path)
        elif os.path.exists(path + '2'):
            os.unlink(path + '2')
    attack(code, refused='EACCES', reset=undo, rw='.')
    eq(len(ear.got), 1, 'only the control')


@test
def f1_a_datagram_needs_no_connection():
    """So these sockets are not made where a host's may be in sight."""
    os.mkdir('run')
    path = os.path.abspath('run/log')
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ear.bind(path)
    ear.settimeout(5)
    code = ('s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n'
            f's.sendto(b"hello", {path!r})')
    eq(outside(code).done, True, 'control')
    eq(ear.recv(10), b'hello', 'control')
    for make in ('socket.socket', 'socket.socketpair'):
        r = inside(code.replace('socket.socket(', make + '(', 1).replace(
            's = socket.socketpair', 's, _ = socket.socketpair'), ro='run')
        eq(r.refused, 'ESOCKTNOSUPPORT', make)
    ear.settimeout(0.2)
    try:
        fail(f'arrived: {ear.recv(10)!r}')
    except TimeoutError:
        pass


# One thread swaps the name between the workload's own socket and the host's.
RACE = r'''
#include <pthread.h>

enum { ROUNDS = 10000 };
static volatile int over;

static void *flip(void *arg)
{
    unsigned long n = 0;

    while (!over) {
        syscall(SYS_renameat2, AT_FDCWD, "own", AT_FDCWD, "daemon", 2);
        n++;
    }
    return (void *)n;
}

int main(int argc, char **argv)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "own" };
    unsigned long joined = 0, denied = 0;
    int ear = TRY(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    pthread_t t;
    void *flips;

    TRY(chdir(argv[1]));
    TRY(bind(ear, (void *)&a, sizeof(a)));
    TRY(listen(ear, 64));
    pthread_create(&t, NULL, flip, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        int s = TRY(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));

        if (connect(s, (void *)&a, sizeof(a)) == 0) {
            joined++;
            close(accept(ear, NULL, NULL));
        } else if (errno == EACCES) {
            denied++;
        }
        close(s);
    }
    over = 1;
    pthread_join(t, &flips);
    printf("%lu %lu %lu\n", joined, denied, (unsigned long)flips);
    return 0;
}
'''


@test(seconds=90)
def f1_a_race_between_two_sockets():
    os.mkdir('run')
    path = os.path.abspath('run/daemon')
    ear = Listener(path)
    probe = [*cprobe(RACE), os.path.abspath('run')]
    outside(probe).ok()
    check(len(ear.got) > 0, 'control')
    for name in ('own', 'daemon'):
        os.unlink('run/' + name)
    second = Listener(path)
    r = inside(probe, rw='run', timeout=80).ok()
    joined, denied, flips = map(int, r.out.split())
    eq(second.got, [])
    check(joined > 100 and denied > 100 and flips > 10000,
          f'the race was no race: {r.out}')


@test
def f1_its_own_sockets_work_where_it_may_write():
    os.mkdir('run')
    for path in (os.path.abspath('run/own'), '/tmp/own'):
        r = inside(f'P = {path!r}\n'
                   'a = socket.socket(socket.AF_UNIX)\na.bind(P)\n'
                   'a.listen()\nb = socket.socket(socket.AF_UNIX)\n'
                   'b.connect(P)\nc, _ = a.accept()\nb.send(b"hello")\n'
                   'print(c.recv(10))', rw='run')
        has(r.ok().out, "b'hello'")


# --- abstract names (F2) ---

@cases({'X11': '@/tmp/.X11-unix/X{n}', 'D-Bus': '@/tmp/dbus-{n}',
        'containerd': '@/containerd-shim/{n}.sock', 'short': '@{n}'})
def f2_abstract_names_of_the_host_are_not_there(name):
    name = name.format(n=os.urandom(6).hex())
    ear = Listener(name)
    path = '\0' + name[1:]
    for grants in ({}, {'ro': '.'}):
        r = attack(connect(path), refused='ECONNREFUSED', **grants)
        has(r.err, 'Connection refused')
    eq(ear.got, [b'hello', b'hello'], 'only the controls')


@test
def f2_abstract_names_of_its_own():
    r = inside('a = socket.socket(socket.AF_UNIX)\na.bind("\\0own")\n'
               'a.listen()\nb = socket.socket(socket.AF_UNIX)\n'
               'b.connect("\\0own")')
    check(r.done, str(r))


# --- daemons at well-known places (F3, F4, F5) ---

# The places, in a mount namespace of the test's own, with a listener each.
DAEMONS = {
    'docker': '/run/docker.sock', 'docker, by /var': '/var/run/docker.sock',
    'podman': '/run/podman/podman.sock',
    'containerd': '/run/containerd/containerd.sock',
    'cri-o': '/run/crio/crio.sock', 'libvirt': '/run/libvirt/libvirt-sock',
    'buildkit': '/run/buildkit/buildkitd.sock', 'snapd': '/run/snapd.socket',
    'lxd': '/run/lxd/unix.socket', 'incus': '/run/incus/unix.socket',
    'system bus': '/run/dbus/system_bus_socket',
    'session bus': '/run/user/{u}/bus',
    'systemd': '/run/systemd/private',
    'systemd of the user': '/run/user/{u}/systemd/private',
    'journal': '/run/systemd/journal/stdout',
    'gpg agent': '/run/user/{u}/gnupg/S.gpg-agent',
    'keyring': '/run/user/{u}/keyring/control',
    'Wayland': '/run/user/{u}/wayland-0',
    'PipeWire': '/run/user/{u}/pipewire-0',
    'Pulse': '/run/user/{u}/pulse/native',
    'nscd': '/run/nscd/socket', 'nscd, by /var': '/var/run/nscd/socket',
    'sssd': '/var/lib/sss/pipes/nss', 'ssh agent': '/tmp/ssh-x/agent.1',
    'tmux': '/tmp/tmux-{u}/default', 'screen': '/run/screen/S-x/1',
    'X11': '/tmp/.X11-unix/X0', 'IDE': '/tmp/vscode-ipc-x.sock',
    'WSL': '/run/WSL/1_interop', 'cups': '/run/cups/cups.sock',
}
PLANT = '''
import os, select, socket, sys
path = sys.argv[1]
os.makedirs(os.path.dirname(path), exist_ok=True)
s = socket.socket(socket.AF_UNIX)
s.bind(path)
s.listen()
other = os.pidfd_open(os.getpid())
if os.fork() == 0:
    os.closerange(0, 3)
    while s in (ready := select.select([s, other], [], [])[0]):
        s.accept()[0].close()
        open(sys.argv[2], 'a').write('x')
    os._exit(0)
os.execv(sys.argv[3], sys.argv[3:])
'''


@cases(DAEMONS)
def f3_f4_f5_daemons_are_absent(path):
    path = path.format(u=os.getuid())
    heard = write('heard')
    code = f's = socket.socket(socket.AF_UNIX)\ns.connect({path!r})'
    # Nothing of this host's own daemons is touched: all of it on new tmpfs.
    own = own_mounts('', fresh=['/run', '/var/lib'])
    if path.startswith('/tmp'):
        path_in = os.getcwd() + '/tmp-stand-in'
        os.mkdir('tmp-stand-in')
        skip_tmp = path.replace('/tmp', path_in, 1)
        control = code.replace(path, skip_tmp)
    else:
        skip_tmp, control = path, code

    def go(*argv):
        return run([*own, PYTHON, '-c', PLANT, skip_tmp, str(heard),
                    *map(str, argv)])
    r = go(*pyprobe(control))
    check(r.done, f'control: {r}')
    eventually(lambda: read(heard) == 'x', what='control heard')
    if path.startswith('/tmp'):
        run(['rm', '-rf', 'tmp-stand-in']).ok()
        os.mkdir('tmp-stand-in')
    r = go(MXC, 'run', '--', *pyprobe(code))
    eq(r.refused, 'ENOENT', str(r))
    eq(read(heard), 'x')


POINTERS = ['DBUS_SESSION_BUS_ADDRESS', 'SSH_AUTH_SOCK', 'GPG_AGENT_INFO',
            'DOCKER_HOST', 'XDG_RUNTIME_DIR', 'DISPLAY', 'WAYLAND_DISPLAY',
            'TMUX', 'STY', 'VSCODE_IPC_HOOK_CLI', 'XAUTHORITY',
            'WSL_INTEROP', 'PULSE_SERVER', 'NOTIFY_SOCKET',
            'GIT_ASKPASS', 'SSH_ASKPASS']


@test
def f3_f5_nothing_points_to_them():
    env = {name: '/canary' for name in POINTERS}
    check('/canary' in outside(['env'], env=env).out, 'control')
    r = inside(['env'], host_env=env).ok()
    lacks(r.out, 'canary')


@test
def f4_delegating_commands_find_nobody():
    for line in (['systemd-run', '--user', 'true'],
                 ['busctl', 'list'], ['loginctl']):
        if not os.path.exists('/usr/bin/' + line[0]):
            continue
        r = inside(line)
        check(r.status not in (0, 125), str(r))


# --- descriptors by message (F6) ---

PASS = '''
a, b = socket.socketpair()
fd = os.open("/etc/passwd", os.O_RDONLY)
socket.send_fds(a, [b"x"], [fd])
_, fds, _, _ = socket.recv_fds(b, 1, 1)
print(len(os.read(fds[0], 100)) > 0)
'''


@test
def f6_descriptors_pass_among_its_own():
    has(inside(PASS).ok().out, 'True')


@test
def f6_a_socket_of_the_host_that_passes_them_is_not_reached():
    """The daemon would hand out a descriptor of a host's file."""
    write('secret', 'SECRET')
    os.mkdir('run')
    path = os.path.abspath('run/giver')
    server = f'''
import socket, os
s = socket.socket(socket.AF_UNIX)
s.bind({path!r})
s.listen()
print("up", flush=True)
while True:
    c, _ = s.accept()
    socket.send_fds(c, [b"x"], [os.open("secret", os.O_RDONLY)])
'''
    p = spawn([PYTHON, '-c', server])
    eq(p.stdout.readline(), b'up\n')
    code = ('s = socket.socket(socket.AF_UNIX)\n'
            f's.connect({path!r})\n_, fds, _, _ = socket.recv_fds(s, 1, 1)\n'
            'print(os.read(fds[0], 100))')
    r = attack(code, refused='EACCES', rw='run')
    lacks(r.out, 'SECRET')
    p.kill()
    p.communicate()


@test
def f6_a_socket_as_a_stream_is_the_callers_word():
    """Documented: who gives a socket as standard input can be sent what the
    sandbox has, and send what it shall have.  What arrives from inside stays
    what it was there: of a denied file, the cover."""
    write('w/hook', 'SECRET')
    ours, theirs = socket.socketpair()
    path = os.path.abspath('w/hook')
    code = ('s = socket.socket(fileno=os.dup(0))\n'
            f'fd = os.open({path!r}, os.O_PATH)\n'
            'socket.send_fds(s, [b"x"], [fd])')
    p = spawn([MXC, *mxc_args(pyprobe(code), rw='w', deny='w/hook')],
              stdin=theirs)
    out, err = p.communicate(timeout=20)
    has(out.decode(), 'done', err.decode())
    _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    check(os.fstat(fds[0]).st_ino != os.stat('w/hook').st_ino, 'the cover')
    if not IS_ROOT:
        try:
            open(f'/proc/self/fd/{fds[0]}').read()
            fail('the cover opened')
        except PermissionError:
            pass


# --- shared memory and queues (F7) ---

SHM = '''
n = libc.shmget(KEY, 4096, FLAGS)
if n < 0: raise OSError(ctypes.get_errno(), "shmget")
print(n)
'''


@test
def f7_system_v_objects_of_the_host_are_not_there():
    key = 0x6d780000 | os.getpid() & 0xffff
    for make, find in (
            ('libc.shmget({k}, 4096, {f})', 'shm'),
            ('libc.semget({k}, 1, {f})', 'sem'),
            ('libc.msgget({k}, {f})', 'msg')):
        find_it = ('n = ' + make.format(k=key, f=0) + '\nif n < 0: raise '
                   f'OSError(ctypes.get_errno(), "{find}")\nprint(n)')
        made = outside('n = ' + make.format(k=key, f=0o1666) +
                       '\nprint(n)').ok().out.split()[0]
        try:
            r = outside(find_it)
            check(r.done, f'control: {r}')
            eq(inside(find_it).refused, 'ENOENT')
            r = inside(f'print(open("/proc/sysvipc/{find}").read())')
            lacks(r.out, str(key))
        finally:
            run(['ipcrm', {'shm': '-m', 'sem': '-s', 'msg': '-q'}[find],
                 made]).ok()


@test
def f7_its_own_system_v_objects_die_with_it():
    before = host_state()
    r = inside('for f, a in ((libc.shmget, (77, 4096, 0o1666)), '
               '(libc.semget, (77, 1, 0o1666)), (libc.msgget, (77, 0o1666)))'
               ':\n    if f(*a) < 0: raise OSError(ctypes.get_errno(), "")')
    check(r.done, str(r))
    leaves_nothing(before)


@test
def f7_posix_queues_and_memory():
    name = f'mxc-test-{os.getpid()}'
    # Outside: a file of the host's /dev/shm; inside, another file system.
    path = '/dev/shm/' + name
    with open(path, 'w') as f:
        f.write('SECRET')
    try:
        r = attack(f'print(open({path!r}).read())', refused='ENOENT')
        lacks(r.out, 'SECRET')
    finally:
        os.unlink(path)
    queue = ('import ctypes.util\nrt = ctypes.CDLL("librt.so.1", '
             'use_errno=True)\nq = rt.mq_open(b"/%s", {f}, 0o600, None)\n'
             'if q < 0: raise OSError(ctypes.get_errno(), "mq_open")' % name)
    unlink = ('rt = ctypes.CDLL("librt.so.1", use_errno=True)\n'
              f'rt.mq_unlink(b"/{name}")')
    if not outside(queue.format(f='os.O_CREAT | os.O_RDWR')).done:
        skip('no POSIX message queues here')
    try:
        eq(outside(queue.format(f='os.O_RDWR')).done, True, 'control')
        eq(inside(queue.format(f='os.O_RDWR')).refused, 'ENOENT')
    finally:
        outside(unlink)


@test
def f7_processes_of_its_own_share_memory():
    r = inside('''
import multiprocessing as m, multiprocessing.shared_memory as s
lock = m.Lock()
b = s.SharedMemory(create=True, size=100)
def work(name):
    c = s.SharedMemory(name=name)
    with lock:
        c.buf[0] = 42
    c.close()
p = m.get_context("fork").Process(target=work, args=(b.name,))
p.start(); p.join()
print(b.buf[0], p.exitcode)
b.close(); b.unlink()
''')
    has(r.ok().out, '42 0')


# --- another sandbox (F8) ---

MAKE = '''
import mmap
open("/dev/shm/common", "w").write("SECRET")
open("/tmp/common", "w").write("SECRET")
libc.shmget(4242, 4096, 0o1666)
a = socket.socket(socket.AF_UNIX); a.bind("\\0common"); a.listen()
b = socket.create_server(("127.0.0.1", 4242))
print(os.getpid(), flush=True)
sys.stdin.read()
'''
FIND = {'/dev/shm': ('open("/dev/shm/common")', 'ENOENT'),
        '/tmp': ('open("/tmp/common")', 'ENOENT'),
        'System V': ('if libc.shmget(4242, 4096, 0) < 0: raise OSError('
                     'ctypes.get_errno(), "shmget")', 'ENOENT'),
        'abstract socket': ('socket.socket(socket.AF_UNIX)'
                            '.connect("\\0common")', 'ECONNREFUSED'),
        'loopback': ('socket.create_connection(("127.0.0.1", 4242))',
                     'ECONNREFUSED'),
        'signals': ('[os.kill(p, 9) for p in range(2, 300) '
                    'if p not in (os.getpid(), os.getppid())]', 'ESRCH')}


@test
def f8_two_sandboxes_share_nothing():
    for name, (code, want) in FIND.items():
        if name != 'signals':
            body = MAKE.replace('sys.stdin.read()', code)
            check(inside(body).done, f'control, in one sandbox: {name}')
    p = spawn([MXC, *mxc_args(pyprobe(MAKE))], stdin=subprocess.PIPE)
    check(p.stdout.readline().strip().isdigit(), 'up')
    for name, (code, want) in FIND.items():
        eq(inside(code).refused, want, name)
    eq(p.poll(), None, 'the other sandbox lives')
    p.communicate(timeout=10)
    eq(p.returncode, 0)


# --- other ways to a machine's host (F9, F10) ---

@test
def f9_no_windows_programs():
    """On WSL a *.exe is run by the Windows host, through binfmt_misc and a
    socket; here no format but the kernel's own is."""
    exe = write('w/run.exe', b'MZ' + b'\0' * 100, 0o755)
    r = inside([str(exe)], rw='w')
    check(r.status in (126, 127), str(r))
    for path in ('/init', '/run/WSL', '/mnt/c', '/dev/vsock',
                 '/proc/sys/fs/binfmt_misc/register'):
        r = inside(f'os.open({path!r}, os.O_RDONLY)')
        check(r.refused in ('ENOENT', 'EACCES'), f'{path}: {r}')


@test
def f10_no_vsock():
    """AF_VSOCK is not confined by a network namespace."""
    code = 'socket.socket(40, socket.SOCK_STREAM).connect((2, 1))'
    control = outside('socket.socket(40, socket.SOCK_STREAM)')
    r = inside(code)
    eq(r.refused, 'EAFNOSUPPORT')
    if not control.done:
        skip(f'this kernel has none: {control.refused}')


main()
