#!/usr/bin/env python3
"""What a workload learns of its sandbox's init, of other processes, of the
caller's descriptors and keys, and what it can set through /proc (D1-D9)."""

import fcntl
import hashlib
import json
import os
import select
import signal
import socket
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403

SEARCH = '''
for pid in os.listdir('/proc'):
    if pid.isdigit():
        try:
            if SECRET in open(f'/proc/{{pid}}/{name}', 'rb').read():
                break
        except OSError:
            pass
else:
    raise OSError(errno.ENOENT, 'not found')
'''


def search(name, secret):
    """Probe: is the secret in that file of any process?  The text of the
    probe, which is in its own command line, must not contain it."""
    half = len(secret) // 2
    return (f'SECRET = b"{secret[:half]}" + b"{secret[half:]}"\n'
            + SEARCH.format(name=name))


def canary():
    return 'canary' + os.urandom(12).hex()


@test
def d1_environment_of_the_caller_is_nowhere():
    secret = canary()
    probe = search('environ', secret)
    check(outside(probe, env={'MXC_CANARY': secret}).done, 'control')
    eq(inside(probe, host_env={'MXC_CANARY': secret}).refused, 'ENOENT')


@test
def d1_argument_list_of_the_caller_is_nowhere():
    """Policy, variables and paths stand in mxc's own command line."""
    secret = canary()
    probe = search('cmdline', secret)
    check(outside(['sh', '-c', f'"$@"; : {secret}', 'sh', *pyprobe(probe)])
          .done, 'control')
    granted = os.path.join(os.getcwd(), secret)
    os.mkdir(granted)
    # The workload's own variables are its own; init's are not.
    eq(inside(probe, env={'X': secret}, ro=granted).refused, 'ENOENT')


@test
def w13_init_shows_neither_policy_nor_command():
    r = inside(['sh', '-c', 'cat /proc/1/cmdline | tr "\\0" " "'],
               env={'TOKEN': 'x'}).ok()
    eq(r.out.strip(), 'mxc-init')


# Most files ask for ptrace's permission when opened, some when read; for the
# workload of an ordinary user the file's mode stands before both.
INIT = {
    'environ': ('open(f"/proc/{p}/environ", "rb").read()', 'EACCES'),
    'maps': ('open(f"/proc/{p}/maps").read(1)', 'EACCES'),
    'mem for reading': ('os.open(f"/proc/{p}/mem", os.O_RDONLY)', 'EACCES'),
    'mem for writing': ('os.open(f"/proc/{p}/mem", os.O_RDWR)', 'EROFS'),
    'auxv': ('open(f"/proc/{p}/auxv", "rb").read()', 'EACCES'),
    'exe': ('os.readlink(f"/proc/{p}/exe")', 'EACCES'),
    'exe opened': ('os.open(f"/proc/{p}/exe", os.O_RDONLY)', 'EACCES'),
    'root': ('os.listdir(f"/proc/{p}/root/")', 'EACCES'),
    'namespace': ('os.open(f"/proc/{p}/ns/mnt", os.O_RDONLY)', 'EACCES'),
    'cwd': ('os.listdir(f"/proc/{p}/cwd/")', 'EACCES'),
    'a descriptor': ('os.readlink(f"/proc/{p}/fd/3")', 'EACCES'),
    'a descriptor opened': ('os.open(f"/proc/{p}/fd/4", os.O_RDWR)',
                            'EACCES'),
    'fdinfo': ('os.listdir(f"/proc/{p}/fdinfo")', 'EACCES'),
    'mapped files': ('os.listdir(f"/proc/{p}/map_files")', 'EACCES'),
    'system call': ('open(f"/proc/{p}/syscall").read()', 'EPERM'),
    'io': ('open(f"/proc/{p}/io").read()', 'EACCES'),
}
OWN_CHILD = '''
r, w = os.pipe()
p = os.fork()
if p == 0:
    os.dup2(r, 3); os.dup2(w, 4)
    os.write(w, b'x')
    signal.pause()
os.read(r, 1)
try:
    CODE
finally:
    os.kill(p, 9)
'''


@cases(INIT)
def d2_init_is_closed(code, want):
    control = outside(OWN_CHILD.replace('CODE', code))
    check(control.done, f'control: {control}')
    r = inside(f'p = 1\n{code}')
    eq(r.refused, want if IS_ROOT else 'EACCES', str(r))


@test
def d2_init_cannot_be_entered_by_descriptor():
    r = inside('fd = os.pidfd_open(1)\ncall(438, fd, 3, 0)')
    eq(r.refused, 'EPERM')


def epoll_fd():
    epoll = select.epoll()
    return os.dup(epoll.fileno())


KINDS = {
    'a directory': lambda: os.open('/', os.O_RDONLY | os.O_DIRECTORY),
    'a path': lambda: os.open('/', os.O_PATH),
    'a file': lambda: os.open(write('leak', 'x'), os.O_RDWR),
    'a memfd': lambda: os.memfd_create('leak'),
    'an epoll': lambda: epoll_fd(),
    'an eventfd': lambda: os.eventfd(0),
    'a netlink socket': lambda: socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW).detach(),
    'a listener': lambda: socket.create_server(('127.0.0.1', 0)).detach(),
    'a process': lambda: os.pidfd_open(os.getpid()),
    'a namespace': lambda: os.open('/proc/self/ns/user', os.O_RDONLY),
    'a pipe': lambda: os.pipe()[1],
}


OPEN_FDS = '''
found = []
for n in range(3, 4096):
    try:
        fcntl.fcntl(n, fcntl.F_GETFD)
        found.append(n)
    except OSError:
        pass
if not found:
    raise OSError(errno.EBADF, 'only stdio')
print(found)
'''


@cases(KINDS)
def d3_descriptors_of_the_caller_stop_at_mxc(make):
    """W2: also with numbers that a program does not expect."""
    fd = make()
    high = fcntl.fcntl(fd, fcntl.F_DUPFD, 1000)
    for n in (fd, high):
        os.set_inheritable(n, True)
    check(outside(OPEN_FDS, pass_fds=(fd, high)).done, 'control')
    eq(inside(OPEN_FDS, pass_fds=(fd, high)).refused, 'EBADF')


@test
def d3_a_leaked_directory_opens_nothing():
    key = write('secret/key', 'the key')
    fd = os.open(key.parent, os.O_RDONLY)
    code = f'print(open("/proc/self/fd/{fd}/key").read())'
    check(outside(code, pass_fds=(fd,)).done, 'control')
    r = inside(code, pass_fds=(fd,))
    eq(r.refused, 'ENOENT')
    lacks(r.out, 'the key')


@test
def d3_descriptors_of_init_do_not_reach_the_workload():
    """The broker's listener and the plan are init's alone."""
    os.mkdir('w')
    r = inside(OPEN_FDS, rw='w', deny='w/not-there')
    eq(r.refused, 'EBADF')


def with_stdin(code, file, flags=os.O_RDONLY):
    fd = os.open(file, flags)
    p = spawn([MXC, *mxc_args(pyprobe(code))], stdin=fd)
    out, err = p.communicate(timeout=30)
    os.close(fd)
    return out.decode(), err.decode()


@test
def d4_stdin_that_is_read_only_stays_so():
    """/proc/self/fd/0 is a way to the host's file, past the mount view."""
    path = write('input', 'original')
    code = ('fd = os.open("/proc/self/fd/0", os.O_RDWR)\n'
            'os.write(fd, b"gone")')
    control = spawn(pyprobe(code), stdin=os.open(path, os.O_RDONLY))
    eq(control.communicate()[0].decode().split()[-1], 'done', 'control')
    eq(read(path), 'goneinal', 'control')
    path.write_text('original')
    out, err = with_stdin(code, path)
    has(out, 'refused EACCES', err)
    eq(read(path), 'original')


@test
def d4_stdin_is_no_way_to_its_directory():
    path = write('dir/input', 'x')
    write('dir/other', 'secret')
    # What /proc/self/fd/0 says of the path does not resolve inside.
    out, err = with_stdin(
        'name = os.readlink("/proc/self/fd/0")\n'
        'print(open(os.path.dirname(name) + "/other").read())', path)
    has(out, 'refused ENOENT', err)
    lacks(out, 'secret')


@test
def d4_stdout_cannot_be_read_back():
    """A log that the caller appends to is for writing."""
    log = write('log', 'earlier secrets\n')
    code = 'sys.stderr.write(open("/proc/self/fd/1").read())'
    for args, wanted in ((pyprobe(code), True),
                         ([MXC, *mxc_args(pyprobe(code))], False)):
        fd = os.open(log, os.O_WRONLY | os.O_APPEND)
        err = spawn(args, stdout=fd).communicate(timeout=30)[1]
        os.close(fd)
        eq(b'earlier secrets' in err, wanted, str(args))
    has(read(log), 'refused EACCES')


@test
def d4_a_directory_is_no_stream():
    """From it fchdir(2) leads past the view, and chmod(2) needs no open."""
    write('dir/file', mode=0o644)
    for n, (stream, name) in enumerate((('stdin', 'input'),
                                        ('stdout', 'output'),
                                        ('stderr', 'error'))):
        command = ['sh', '-c', f'cd /proc/self/fd/{n} && chmod 600 file']
        fd = os.open('dir', os.O_RDONLY | os.O_DIRECTORY)
        spawn(command, **{stream: fd}).communicate(timeout=30)
        eq(os.stat('dir/file').st_mode & 0o777, 0o600, 'control')
        os.chmod('dir/file', 0o644)
        p = spawn([MXC, *mxc_args(command, flags=['--json', 'r.json'])],
                  **{stream: fd})
        p.communicate(timeout=30)
        os.close(fd)
        eq(p.returncode, 125)
        eq(json.loads(read('r.json'))['error']['message'],
           f'standard {name} is a directory')
        eq(os.stat('dir/file').st_mode & 0o777, 0o644)


@test
def d5_programs_of_the_sandbox_are_out_of_reach():
    """The runc way: write to the program that set the sandbox up."""
    tree = MXC.parent.parent
    before = {p: hashlib.sha256(p.read_bytes()).hexdigest()
              for p in tree.rglob('*') if p.is_file()}
    check(len(before) >= 2, 'found the programs')
    for code, want in (
            ('os.open("/proc/1/exe", os.O_RDWR)', 'EACCES'),
            ('os.open("/proc/1/exe", os.O_PATH)', 'EACCES'),
            ('os.execv("/proc/1/exe", ["x"])', 'EACCES'),
            (f'os.open({str(MXC)!r}, os.O_RDWR)', 'ENOENT')):
        eq(inside(code).refused, want, code)
    after = {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in before}
    eq(after, before)


KEYS = '''
import platform
nr = {'x86_64': (248, 249, 250), 'aarch64': (217, 218, 219)}
add_key, request_key, keyctl = nr[platform.machine()]
'''


@test
def d6_keys_of_the_caller_are_not_found():
    """The control plants a key in a session keyring of its own and finds it
    from a child, as a workload would."""
    find = (KEYS + 'call(request_key, b"user", b"mxc-canary", None, -3)')
    plant = (KEYS + 'call(keyctl, 1, None)\n'
             'call(add_key, b"user", b"mxc-canary", b"secret", 6, -3)\n'
             'import subprocess\n'
             'r = subprocess.run(sys.argv[1:], capture_output=True)\n'
             'sys.stdout.write(r.stdout.decode())\n'
             'sys.stderr.write(r.stderr.decode())\n'
             'sys.exit(r.returncode)')
    control = outside([*pyprobe(plant), *pyprobe(find)])
    if not control.done:
        skip(f'no keyrings on this host: {control.err}')
    r = outside([*pyprobe(plant), MXC, *mxc_args(pyprobe(find))])
    eq(r.refused, 'EPERM')
    eq(inside(KEYS + 'call(keyctl, 0, -3, 0)').refused, 'EPERM')
    eq(inside(KEYS + 'call(add_key, b"user", b"a", b"b", 1, -3)').refused,
       'EPERM')
    attack('open("/proc/keys").read()', refused='EACCES')
    attack('open("/proc/key-users").read()', refused='EACCES')


SETTINGS = ['kernel/core_pattern', 'kernel/modprobe', 'kernel/hostname',
            'kernel/sysrq', 'vm/overcommit_memory', 'vm/drop_caches',
            'net/ipv4/ip_forward', 'kernel/domainname', 'fs/file-max',
            'user/max_user_namespaces', 'kernel/pid_max', 'kernel/shmmax',
            'kernel/randomize_va_space', 'kernel/ns_last_pid']


@cases({name: name for name in SETTINGS}, only='root')
def d7_settings_are_read_only(name):
    """For a root caller, who could; opened only, nothing is written."""
    attack(f'os.open("/proc/sys/{name}", os.O_WRONLY)', refused='EROFS')


@test(only='root')
def d7_system_requests_are_out_of_reach():
    attack('os.open("/proc/sysrq-trigger", os.O_WRONLY)', refused='EACCES')
    eq(inside('open("/proc/sys/fs/binfmt_misc/register", "w")').refused,
       'ENOENT')
    eq(inside('open("/sys/kernel/uevent_helper", "w")').refused, 'ENOENT')


@cases({'oom_score_adj': ('oom_score_adj', '500'),
        'coredump_filter': ('coredump_filter', '0x33'),
        'comm': ('comm', 'other'),
        'timerslack_ns': ('timerslack_ns', '50000'),
        'clear_refs': ('clear_refs', '1')})
def d7_own_proc_files_are_read_only(name, value):
    attack(f'with open("/proc/self/{name}", "w") as f: f.write("{value}")',
           refused='EROFS')


@test
def d7_nothing_in_proc_can_be_written():
    """Whatever file a later kernel adds: none opens for writing."""
    r = inside('''
        opened = []
        for top, dirs, files in os.walk('/proc'):
            dirs[:] = [d for d in dirs if not d.isdigit() or d == '1']
            for name in files:
                try:
                    os.close(os.open(f'{top}/{name}',
                                     os.O_WRONLY | os.O_NONBLOCK))
                    opened.append(f'{top}/{name}')
                except OSError:
                    pass
        print(opened)
    ''')
    eq(r.ok().out.splitlines()[0], '[]')


@cases({'/proc': ('/proc', 'os.listdir("/proc")'),
        '/proc/sys': ('/proc/sys', 'os.listdir("/proc/sys")'),
        '/proc/version': ('/proc/version', 'open("/proc/version").read()'),
        '/dev/pts': ('/dev/pts', 'os.listdir("/dev/pts")'),
        '/dev/urandom': ('/dev/urandom', 'open("/dev/urandom", "rb").read(1)'),
        '/dev/shm': ('/dev/shm', 'open("/dev/shm/x", "w")')})
def d7_what_is_denied_of_the_sandboxs_own(path, code):
    """Its /proc and /dev are made by mxc, above what else is at that path."""
    check(inside(code).done, 'control: there without the denial')
    eq(inside(code, deny=path).refused, 'EACCES')


@test
def d7_a_denial_that_would_do_nothing_is_refused():
    """Entries of processes are other ones inside."""
    r = inside(['true'], deny='/proc/self/environ')
    r.failed(125, 'cannot set up mask', "/environ'")


def crash(how):
    """WCOREDUMP and the limits of a child that dies of SIGSEGV."""
    return f'''
        import resource
        print('limit', *resource.getrlimit(resource.RLIMIT_CORE))
        c = os.fork()
        if c == 0:
            {how}
            os.kill(os.getpid(), signal.SIGSEGV)
        _, st = os.waitpid(c, 0)
        print('core' if os.WCOREDUMP(st) else 'no core', os.WTERMSIG(st))
    '''


@test
def d9_a_crash_leaves_no_core():
    os.mkdir('w')
    r = inside(crash('pass'), rw='w', cwd=os.getcwd() + '/w').ok()
    has(r.out, 'no core 11')
    eq(os.listdir('w'), [])


@test
def d9_a_crash_starts_no_program_of_the_host():
    """core(5): a core_pattern with a pipe is run by the kernel, on the host,
    as root, whatever RLIMIT_CORE is - except when it is exactly 1."""
    for how in ('pass',
                'resource.setrlimit(resource.RLIMIT_CORE, (0, 0))',
                'resource.setrlimit(resource.RLIMIT_CORE, (0, 1))',
                'call("prctl", 4, 1, 0, 0, 0)'):
        r = inside(crash(how + '; print("now", *resource.getrlimit('
                         'resource.RLIMIT_CORE), flush=True)')).ok()
        has(r.out, 'limit 1 1', how)
        has(r.out, 'now 1 1', how)
        has(r.out, 'no core 11', how)


@test
def d9_core_limit_cannot_be_raised():
    r = inside('import resource\n'
               'try:\n'
               '    resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))\n'
               'except (OSError, ValueError):\n'
               '    pass\n'
               'print(resource.getrlimit(resource.RLIMIT_CORE))').ok()
    eq(r.out.splitlines()[0], '(1, 1)')


@test
def d11_nothing_is_gained_by_prctl():
    eq(inside('call("prctl", 35, 1, 0, 0, 0)').refused, 'EPERM')  # SET_MM
    r = inside(['sh', '-c', 'od -An -td8 -w16 -v /proc/self/auxv']).ok()
    secure = [line.split()[1] for line in r.out.splitlines()
              if line.split()[0] == '23']
    eq(secure, ['0'], 'AT_SECURE')


@test
def d12_variables_of_a_request_are_on_no_command_line():
    """/proc/<pid>/cmdline is for every user of the host to read."""
    secret = canary()
    os.mkdir('w')
    request = {'version': '1.0.0', 'process': {
        'commandLine': 'touch "$PWD/up"; exec sleep 30.0625',
        'cwd': os.getcwd() + '/w', 'env': ['PATH=/bin:/usr/bin',
                                           f'TOKEN={secret}']},
        'filesystem': {'readwritePaths': [os.getcwd() + '/w']}}
    p = spawn([MXC, 'run', write('r.json', json.dumps(request))])
    eventually(lambda: os.path.exists('w/up'), what='started')
    lines = b''
    for pid in processes():
        try:
            with open(f'/proc/{pid}/cmdline', 'rb') as f:
                lines += f.read()
        except OSError:
            pass
    p.send_signal(signal.SIGTERM)
    p.communicate(timeout=10)
    check(secret.encode() not in lines, 'the secret is on a command line')
    check(b'sleep\x0030.0625' in lines, 'found the workload')


main()
