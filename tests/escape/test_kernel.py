#!/usr/bin/env python3
"""Kernel surface, tried by a real workload in a whole sandbox (E1-E20).

The filter alone has its own tests; here every wall stands, and what answers
first is what a workload meets.  Each call is made outside too, with the same
harmless arguments, and must end there otherwise than inside; rows for which
it does not are told as notes, and a group without any such row is skipped.
"""

import json
import os
import pathlib
import platform
import subprocess
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403

X86 = platform.machine() == 'x86_64'

# Prints {label: errno name or 'ok'} of calls given as JSON, each of them in
# a child: some would stop or change the process that makes them.
CALLS = '''
import json
results = {}
for label, code in json.loads(sys.argv[1]):
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            exec(code)
            word = 'ok'
        except OSError as e:
            word = errno.errorcode.get(e.errno, str(e.errno))
        os.write(w, word.encode())
        os._exit(0)
    os.close(w)
    _, st = os.waitpid(pid, 0)
    results[label] = (os.read(r, 64).decode() if os.WIFEXITED(st)
                      else f'signal {os.WTERMSIG(st)}')
    os.close(r)
print(json.dumps(results))
'''

# System call numbers: x86-64, aarch64.
NR = {
    'io_uring_setup': (425, 425), 'io_uring_enter': (426, 426),
    'io_uring_register': (427, 427), 'userfaultfd': (323, 282),
    'bpf': (321, 280), 'perf_event_open': (298, 241), 'keyctl': (250, 219),
    'add_key': (248, 217), 'request_key': (249, 218), 'ptrace': (101, 117),
    'process_vm_readv': (310, 270), 'process_vm_writev': (311, 271),
    'pidfd_getfd': (438, 438), 'kcmp': (312, 272),
    'process_madvise': (440, 440), 'mount': (165, 40), 'umount2': (166, 39),
    'pivot_root': (155, 41), 'chroot': (161, 51), 'fsopen': (430, 430),
    'fsconfig': (431, 431), 'fsmount': (432, 432), 'fspick': (433, 433),
    'move_mount': (429, 429), 'open_tree': (428, 428),
    'mount_setattr': (442, 442), 'unshare': (272, 97), 'setns': (308, 268),
    'clone': (56, 220), 'clone3': (435, 435), 'init_module': (175, 105),
    'finit_module': (313, 273), 'delete_module': (176, 106),
    'kexec_load': (246, 104), 'kexec_file_load': (320, 294),
    'reboot': (169, 142), 'swapon': (167, 224), 'swapoff': (168, 225),
    'acct': (163, 89), 'quotactl': (179, 60), 'syslog': (103, 116),
    'settimeofday': (164, 170), 'clock_settime': (227, 112),
    'adjtimex': (159, 171), 'clock_adjtime': (305, 266),
    'sethostname': (170, 161), 'setdomainname': (171, 162),
    'vhangup': (153, 58), 'name_to_handle_at': (303, 264),
    'open_by_handle_at': (304, 265), 'seccomp': (317, 277),
    'personality': (135, 92), 'fanotify_init': (300, 262),
    'memfd_secret': (447, 447), 'statmount': (457, 457),
    'listmount': (458, 458), 'mincore': (27, 232), 'cachestat': (451, 451),
    'io_setup': (206, 0), 'openat2': (437, 437), 'prlimit64': (302, 261),
    'iopl': (172, None), 'ioperm': (173, None), 'modify_ldt': (154, None),
    'create_module': (174, None), 'uselib': (134, None),
    'nfsservctl': (180, 42), 'lookup_dcookie': (212, 18),
}


def nr(name):
    return NR[name][0 if X86 else 1]


def sc(name, *args):
    """Label and code of a call; None where the architecture lacks it."""
    if nr(name) is None:
        return None
    shown = ', '.join(str(a) for a in args)
    return f'{name}({shown})', f'call({nr(name)}, {shown})'


def both(rows):
    """Makes every call on both sides; rows are (label, code)."""
    argv = [*pyprobe(CALLS), json.dumps(rows)]
    host = json.loads(outside(argv).ok().out.splitlines()[0])
    sandbox = json.loads(inside(argv).ok().out.splitlines()[0])
    return host, sandbox


def refuse(want, rows):
    rows = [row for row in rows if row]
    host, sandbox = both(rows)
    wrong = {k: v for k, v in sandbox.items() if v != want}
    check(not wrong, f'want {want}, got {wrong}, outside {host}')
    controls = [k for k, v in host.items() if v != want]
    for label in sorted(set(host) - set(controls)):
        print(f'no control: outside too {label} gives {want}')
    if not controls:
        skip('positive control does not work on this host: '
             f'each of these calls gives {want} by itself')


BAD = 1     # an address where nothing is
ALL = 0xffffffff


@test
def e1_io_uring():
    refuse('EPERM', [sc('io_uring_setup', 1, BAD),
                     sc('io_uring_enter', -1, 0, 0, 0, 0, 0),
                     sc('io_uring_register', -1, 0, 0, 0)])


@test
def e2_userfaultfd():
    refuse('EPERM', [sc('userfaultfd', 1), sc('userfaultfd', 0)])


@test
def e3_bpf():
    refuse('EPERM', [sc('bpf', n, BAD, 48) for n in range(37)])


@test
def e4_perf_event_open():
    refuse('EPERM', [sc('perf_event_open', BAD, 0, -1, -1, 0)])


@test
def e5_keys():
    refuse('EPERM', [sc('keyctl', n, -3, 0, 0, 0) for n in range(0, 33)
                     if n not in (2, 3, 18)] +
           [sc('add_key', BAD, BAD, 0, 0, 0),
            sc('request_key', BAD, BAD, 0, 0)])


@test
def e6_other_processes():
    rows = [(label, 'c = os.fork()\n'
             'if c == 0: signal.pause()\n'
             f'try: {code}\n'
             'finally: os.kill(c, 9)')
            for label, code in (
                sc('ptrace', 16, 'c', 0, 0), sc('ptrace', 0x4206, 'c', 0, 0),
                sc('process_vm_readv', 'c', 0, 0, 0, 0, 0),
                sc('process_vm_writev', 'c', 0, 0, 0, 0, 0),
                sc('pidfd_getfd', 'os.pidfd_open(c)', 0, 0),
                sc('kcmp', 'os.getpid()', 'c', 0, 0, 0))]
    refuse('EPERM', [*rows, sc('ptrace', 0, 0, 0, 0),
                     sc('process_madvise', -1, 0, 0, 0, 0)])


@test
def e7_mounts():
    refuse('EPERM', [
        sc('mount', 0, BAD, 0, 0, 0), sc('umount2', 'b"/none"', 0),
        sc('pivot_root', BAD, BAD), sc('chroot', 'b"/tmp"'),
        sc('fsopen', BAD, 0), sc('fsconfig', -1, 0, 0, 0, 0),
        sc('fsmount', -1, 0, 0), sc('fspick', -1, BAD, 0),
        sc('move_mount', -1, BAD, -1, BAD, 0),
        sc('open_tree', -100, 'b"/"', 0), sc('open_tree', -100, 'b"/"', 1),
        sc('mount_setattr', -1, BAD, 0, 0, 0)])


NEW = {'time': 0x80, 'mount': 0x20000, 'cgroup': 0x2000000, 'uts': 0x4000000,
       'ipc': 0x8000000, 'user': 0x10000000, 'pid': 0x20000000,
       'network': 0x40000000}


@test
def e8_new_namespaces():
    rows = [(f'unshare {k}', f'call({nr("unshare")}, {flag})')
            for k, flag in NEW.items()]
    # With a user namespace the rest is there for everybody.
    rows += [(f'unshare user and {k}',
              f'call({nr("unshare")}, {flag | NEW["user"]})')
             for k, flag in NEW.items()]
    rows += [(f'unshare {k}, high bits',
              f'call({nr("unshare")}, {flag | NEW["user"] | 1 << 40})')
             for k, flag in NEW.items()]
    rows += [sc('setns', -1, 0),
             sc('setns', 'os.pidfd_open(os.getpid())', NEW['uts'])]
    refuse('EPERM', rows)


@test
def e8_clone_into_new_namespaces():
    """The child ends at once: the probe's os._exit is not reached by it."""
    def row(label, flags):
        return (f'clone {label}', f'r = call({nr("clone")}, {flags}, 0, 0, 0, '
                '0)\nif r == 0: os._exit(0)\nos.waitpid(r, 0)')
    rows = [row(k, flag | NEW['user'] | 17) for k, flag in NEW.items()
            if k != 'time']
    rows += [row('user, high bits', NEW['user'] | 17 | 1 << 40)]
    refuse('EPERM', rows)


@test
def e8_clone3_does_not_exist():
    """Its flags are in memory, out of a filter's sight."""
    refuse('ENOSYS', [sc('clone3', BAD, 88), sc('clone3', BAD, 64),
                      ('clone3 user namespace',
                       'a = (ctypes.c_ulonglong * 11)(); '
                       f'a[0] = {NEW["user"]}; a[4] = 17\n'
                       f'if call({nr("clone3")}, a, 88) == 0: os._exit(0)')])


@test
def e8_no_descriptor_leads_to_another_namespace():
    for name in ('mnt', 'net', 'pid', 'ipc', 'uts', 'user', 'cgroup'):
        r = inside(f'fd = os.open("/proc/self/ns/{name}", os.O_RDONLY)\n'
                   f'call({nr("setns")}, fd, 0)')
        eq(r.refused, 'EPERM', name)


@test
def e9_kernel_code_and_the_machine():
    """Bad addresses and magic numbers: harmless to who has the privilege."""
    refuse('EPERM', [
        sc('init_module', BAD, 0, BAD), sc('finit_module', -1, BAD, 0),
        sc('delete_module', BAD, 0), sc('kexec_load', 0, 0, 0, ALL),
        sc('kexec_file_load', -1, -1, 0, 0, ALL), sc('reboot', 0, 0, 0, 0),
        sc('swapon', BAD, 0), sc('swapoff', BAD), sc('acct', BAD),
        sc('quotactl', ALL, BAD, 0, 0), sc('syslog', 9, 0, 0),
        sc('settimeofday', BAD, 0), sc('clock_settime', 0, BAD),
        sc('adjtimex', BAD), sc('clock_adjtime', 0, BAD),
        sc('sethostname', BAD, -1), sc('setdomainname', BAD, -1),
        sc('iopl', 4), sc('ioperm', -1, 1, 1)])


@test
def e9_calls_of_old_kernels():
    """These do not exist; a kernel that has them must not show them."""
    _, sandbox = both([row for row in (
        sc('nfsservctl', 0, 0, 0), sc('lookup_dcookie', 0, 0, 0),
        sc('create_module', BAD, 0), sc('uselib', BAD),
        sc('memfd_secret', 0), sc('statmount', BAD, BAD, 0, 0),
        sc('listmount', BAD, BAD, 0, 0), sc('mincore', 0, 0, BAD),
        sc('cachestat', 0, BAD, BAD, 0), sc('io_setup', 1, BAD),
        sc('openat2', -100, BAD, BAD, 24)) if row])
    eq(set(sandbox.values()), {'ENOSYS'}, str(sandbox))


@test
def e9_calls_of_new_kernels():
    """Numbers that no kernel has yet, and numbers that are none."""
    rows = [(str(n), f'call({n}, 0, 0, 0, 0, 0, 0)')
            for n in [*range(470, 512), 600, 1023, 4096, 0x3fffffff]]
    _, sandbox = both(rows)
    eq(set(sandbox.values()), {'ENOSYS'}, str(sandbox))


@test
def e10_file_handles():
    """A handle names a file past every mount (the shocker attack)."""
    refuse('EPERM', [
        sc('name_to_handle_at', -100, 'b"/"', BAD, BAD, 0),
        sc('open_by_handle_at', -100, BAD, 0)])


FILTER = '''
class Insn(ctypes.Structure):
    _fields_ = [('code', ctypes.c_uint16), ('jt', ctypes.c_uint8),
                ('jf', ctypes.c_uint8), ('k', ctypes.c_uint32)]
class Prog(ctypes.Structure):
    _fields_ = [('len', ctypes.c_uint16), ('insn', ctypes.POINTER(Insn))]
insn = (Insn * 1)(Insn(6, 0, 0, 0x7fff0000))
prog = Prog(1, insn)
'''


@test
def e11_a_second_filter_does_not_weaken_the_first():
    load = (f'{FILTER}call("prctl", 38, 1, 0, 0, 0)\n'
            f'call({nr("seccomp")}, 1, FLAGS, ctypes.byref(prog))\n')
    allow_all = load.replace('FLAGS', '0')
    check(inside(allow_all).done, 'a workload may filter itself')
    r = inside(allow_all + 'call(%d, %d)' % (nr('unshare'), NEW['user']))
    eq(r.refused, 'EPERM')
    # A listener of its own would be asked before the broker is.
    attack(load.replace('FLAGS', '8'), refused='EBUSY')


@test
def e11_walls_cannot_be_taken_down():
    eq(inside('call("prctl", 38, 0, 0, 0, 0)').refused, 'EINVAL')
    r = inside('print(libc.prctl(39, 0, 0, 0, 0), libc.prctl(21, 0, 0, 0, 0))')
    eq(r.ok().out.splitlines()[0], '1 2', 'no_new_privs, seccomp mode')
    # PR_CAP_AMBIENT_RAISE of CAP_SYS_ADMIN, and keeping capabilities.
    eq(inside('call("prctl", 47, 2, 21, 0, 0)').refused, 'EPERM')


@test
def e11_setuid_programs_give_nothing():
    """su and mount are setuid root on every Debian."""
    r = inside('''
        found = []
        for top in ('/usr/bin', '/usr/sbin', '/usr/libexec'):
            for name in os.listdir(top):
                path = f'{top}/{name}'
                if os.path.isfile(path) and os.stat(path).st_mode & 0o6000:
                    found.append(path)
        print(len(found), bool(os.statvfs('/usr/bin').f_flag & 2))
    ''').ok()
    count, nosuid = r.out.splitlines()[0].split()
    check(int(count) > 0, 'control: some setuid programs')
    eq(nosuid, 'True', 'nosuid')


@test
def e12_personality_and_descriptor_tables():
    refuse('EPERM', [sc('personality', 0x0040000), sc('personality', 0x400000),
                     sc('modify_ldt', 0, 0, 0), sc('modify_ldt', 1, BAD, 16)])
    check(inside(f'call({nr("personality")}, 0xffffffff)').done, 'query')


@test
def e13_programs_without_a_file_run():
    """Allowed: what they can do is what any program here can."""
    code = '''
        fd = os.memfd_create('x', 0)
        os.write(fd, b'#!/bin/sh\\necho without a file\\n')
        os.execv(f'/proc/self/fd/{fd}', ['x'])
    '''
    has(outside(code).ok().out, 'without a file')
    has(inside(code).ok().out, 'without a file')


FAMILIES = {
    1: 'unix', 2: 'inet', 3: 'ax25', 4: 'ipx', 9: 'x25', 10: 'inet6',
    15: 'key', 16: 'netlink', 17: 'packet', 21: 'rds', 22: 'sna', 23: 'irda',
    24: 'pppox', 26: 'llc', 27: 'ib', 28: 'mpls', 29: 'can', 30: 'tipc',
    31: 'bluetooth', 32: 'iucv', 33: 'rxrpc', 34: 'isdn', 35: 'phonet',
    36: 'ieee802154', 37: 'caif', 38: 'alg', 39: 'nfc', 40: 'vsock',
    41: 'kcm', 42: 'qipcrtr', 43: 'smc', 44: 'xdp', 45: 'mctp',
}
ALLOWED_FAMILIES = ('unix', 'inet', 'inet6', 'netlink')


@test
def e14_socket_families():
    rows = [(f'{name} {kind}',
             f'socket.socket({n}, {kind}, 0).close()')
            for n, name in FAMILIES.items() if name not in ALLOWED_FAMILIES
            for kind in (1, 2, 3, 5)]
    refuse('EAFNOSUPPORT', rows)


@test
def e14_netlink_protocols():
    """Route is needed by getifaddrs(3); audit, nfnetlink, xfrm, generic and
    the rest are kernel code that is not."""
    refuse('EPROTONOSUPPORT', [
        (f'netlink {n}', f'socket.socket(16, 3, {n}).close()')
        for n in range(1, 23)])
    check(inside('socket.socket(16, 3, 0)').done, 'route')


@test
def e14_raw_sockets():
    refuse('EPERM', [(f'raw {p}', f'socket.socket(2, 3, {p}).close()')
                     for p in (0, 1, 6, 255)])


@test
def e14_rare_protocols():
    refuse('EPROTONOSUPPORT', [
        ('mptcp', 'socket.socket(2, 1, 262).close()'),
        ('sctp stream', 'socket.socket(2, 1, 132).close()'),
        ('ping', 'socket.socket(2, 2, 1).close()'),
        ('udplite', 'socket.socket(2, 2, 136).close()')])


@test
def e14_rare_socket_types():
    refuse('ESOCKTNOSUPPORT', [
        ('sctp seqpacket', 'socket.socket(2, 5, 132).close()'),
        ('dccp', 'socket.socket(2, 6, 33).close()')])


@test
def e15_nothing_behind_a_user_namespace():
    """The way to packet sockets, nf_tables and the rest of the kernel."""
    code = (f'call({nr("unshare")}, {NEW["user"] | NEW["network"]})\n'
            'socket.socket(17, 3, 0)')
    attack(code, refused='EPERM')
    r = inside('print(open("/proc/sys/user/max_user_namespaces").read())')
    eq(r.ok().out.split()[0], '0', 'the second wall: the kernel\'s own limit')


TERMINAL = '''
master, slave = os.openpty()
'''


@test
def e16_terminal_requests():
    """On a terminal of the workload's own, which is all it could do it to."""
    rows = [(f'{name} {high:#x}', TERMINAL +
             f'call("ioctl", slave, {high | request}, '
             'ctypes.byref(ctypes.c_int(10)))')
            for name, request in (('TIOCSTI', 0x5412), ('TIOCLINUX', 0x541c),
                                  ('TIOCCONS', 0x541d), ('TIOCSETD', 0x5423))
            for high in (0, 1 << 32, 0xdeadbeef << 32)]
    refuse('EPERM', rows)


@test
def e16_file_requests():
    """The flag is FS_NODUMP_FL: of no effect, had it been set."""
    os.mkdir('w')
    path = f'{os.getcwd()}/w/f'
    head = f'fd = os.open({path!r}, os.O_RDWR | os.O_CREAT)\n'
    for request in (0x40086602, 0x40086602 | 1 << 40):
        attack(head + f'call("ioctl", fd, {request}, '
               'ctypes.byref(ctypes.c_int(0x40)))', refused='ENOTSUP',
               rw='w')


@cases({'kvm': '/dev/kvm', 'tun': '/dev/net/tun', 'fuse': '/dev/fuse',
        'loop': '/dev/loop-control', 'vsock': '/dev/vsock',
        'uinput': '/dev/uinput', 'mem': '/dev/mem'})
def e16_devices_are_not_there(path):
    attack(f'os.stat({path!r})', refused='ENOENT')


@test
def e16_devices_cannot_be_made():
    os.mkdir('w')
    for where in (f'{os.getcwd()}/w/d', '/tmp/d', '/dev/d'):
        for kind in ('stat.S_IFCHR', 'stat.S_IFBLK'):
            r = inside(f'os.mknod({where!r}, {kind} | 0o666, '
                       'os.makedev(1, 1))', rw='w')
            check(r.refused in ('EPERM', 'EACCES'), r)
    eq(os.listdir('w'), [])


@test
def e17_fanotify():
    refuse('EPERM', [sc('fanotify_init', 0xfff, 0), sc('fanotify_init', 0, 0)])


@test
def e17_inotify_flood_is_bounded():
    """The kernel counts instances per user of the host, sandboxes included:
    used up inside, they would be missing outside."""
    code = '''
        made = 0
        try:
            while made < 100:
                call('inotify_init1', 0)
                made += 1
        finally:
            print(made, flush=True)
            sys.stdin.read()
    '''
    check(outside(code).done, 'control')
    p = spawn([MXC, *mxc_args(pyprobe(code))], stdin=subprocess.PIPE)
    made = int(p.stdout.readline())
    here = outside('call("inotify_init1", 0)')
    out, _ = p.communicate(b'', timeout=10)
    has(out.decode(), 'refused EMFILE')
    eq(made, 64)
    check(here.done, f'the host, meanwhile: {here}')


@test
def e18_doors_of_other_architectures():
    if not X86:
        skip('int 0x80 is for x86-64')
    probe = cprobe('''
        int main(int argc, char **argv)
        {
            long r;

            if (atoi(argv[1]) == 32)          /* getpid of i386 */
                __asm__ volatile("int $0x80" : "=a"(r)
                                 : "a"(20L) : "memory", "r8", "r9", "r10",
                                 "r11");
            else                              /* getpid of x32 */
                r = syscall(0x40000000 | 39);
            printf("%ld\\n", r);
            if (r < 0)
                TRY(-1);
            DONE();
        }
    ''')
    controls = 0
    for door in ('32', '64'):
        r = outside([*probe, door])
        controls += r.done
        # 128 + SIGSYS; SIGSEGV where the processor finds no such door.
        inside([*probe, door]).ok(139 if r.status == 139 else 159)
    if not controls:
        skip('positive control does not work on this host: this kernel has '
             'neither i386 nor x32')


@test
def e18_widths_of_arguments():
    """What an attacker adds in the upper half changes nothing."""
    high = 1 << 32
    refuse('EPERM', [
        ('unshare', f'call({nr("unshare")}, {NEW["user"] | high << 8})'),
        ('set-user-ID', 'fd = os.open("/tmp", 0o20200001, 0o600)\n'
         f'call({91 if X86 else 52}, fd, {0o4755 | high})'),
        ('personality', f'call({nr("personality")}, {0x400000 | high})')])
    refuse('EPROTONOSUPPORT', [
        ('netlink audit', f'call({41 if X86 else 198}, {16 | high}, '
         f'{3 | high}, {9 | high})')])


@test
def e19_processes_of_the_host_have_no_number_inside():
    for code in (f'os.kill({os.getpid()}, 0)',
                 f'os.pidfd_open({os.getpid()})',
                 f'os.sched_setparam({os.getpid()}, os.sched_param(0))'):
        attack(code.replace(str(os.getpid()), str(os.getppid())),
               refused='ESRCH')


@test
def e19_signals_to_all_reach_only_the_sandbox():
    canary = spawn(['sleep', '60'])
    code = '''
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        c = os.fork()
        if c == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pause()
        time.sleep(0.1)
        os.kill(-1, signal.SIGTERM)
        print('child ended by', os.waitpid(c, 0)[1])
        os.kill(1, signal.SIGKILL)
        os.kill(1, signal.SIGSTOP)
        os.kill(1, signal.SIGTERM)
    '''
    has(inside(code).ok().out, 'child ended by 15')
    eq(canary.poll(), None, 'a process of the host')
    canary.kill()
    canary.wait()


@test
def e19_init_survives_what_it_can_be_sent():
    """Every signal there is, and what else works on a process of one's own
    user; the run then ends as if nothing had been."""
    r = inside('''
        for sig in range(1, 65):
            try:
                os.kill(1, sig)
            except OSError:
                pass
        fd = os.pidfd_open(1)
        for sig in (2, 9, 15, 17, 19):
            call('syscall', PIDFD_SEND_SIGNAL, fd, sig, None, 0)
        for attempt in (lambda: os.setpriority(os.PRIO_PROCESS, 1, 19),
                        lambda: os.sched_setaffinity(1, {0}),
                        lambda: os.setpgid(1, 0)):
            try:
                attempt()
            except OSError:
                pass
    '''.replace('PIDFD_SEND_SIGNAL', '424'))
    eq(r.status, 0, str(r))
    check(r.done, str(r))


@test
def e19_limits_of_init_cannot_be_set():
    code = ('import resource\n'
            'resource.prlimit(PID, resource.RLIMIT_NOFILE, (0, 0))')
    control = outside('c = os.fork()\nif c == 0: signal.pause()\ntry:\n'
                      '    import resource\n'
                      '    resource.prlimit(c, resource.RLIMIT_NOFILE, (0, 0))'
                      '\nfinally:\n    os.kill(c, 9)')
    check(control.done, f'control: {control}')
    eq(inside(code.replace('PID', '1')).refused, 'EPERM')


@test(seconds=120)
def e20_random_calls():
    """The supervisor survives, the host is as it was, and the run ends in
    time, whatever the workload's threads did to each other."""
    seconds = 600 if os.environ.get('MXC_SOAK') == 'long' else 4
    canary = write('canary', 'untouched')
    other = spawn(['sleep', '100'])
    before = host_state()
    probe = cprobe(pathlib.Path(__file__).with_name('fuzz_calls.c')
                   .read_text())
    os.mkdir('w')
    p = spawn([MXC, *mxc_args([*probe, str(seconds), '1'], rw='w',
                              flags=['--timeout', f'{seconds + 20}s',
                                     '--json', 'result.json'])],
              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    status = p.wait(timeout=seconds + 60)
    result = json.loads(read('result.json'))
    check(result['outcome'] in ('exited', 'signaled', 'timed_out'),
          f'{status} {result}')
    eq(read(canary), 'untouched')
    eq(other.poll(), None, 'a process of the host')
    other.kill()
    other.wait()
    eventually(lambda: not descendants(), 3, 'all gone')
    leaves_nothing(before)


main()
