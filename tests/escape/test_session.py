#!/usr/bin/env python3
"""Attacks of one command of a session on another, on the session's init and
holder, and on what its own narrowed policy took away."""

import ctypes
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from sessions import *  # noqa: E402,F403
from pools import *  # noqa: E402,F403


class Victim:
    """A command with a secret; .pid is its number inside."""

    def __init__(self, s, **kw):
        self.p = s.spawn('sh', '-c', 'echo $$; exec sleep 1000',
                         env={'SECRET': 'hunter2'}, **kw)
        self.pid = int(self.p.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.kill()
        self.p.communicate()

    def lives(self):
        return self.p.poll() is None

    def on_host(self, s):
        pid, = (p for p in descendants(s.holder()) if re.search(
            rf'\nNSpid:.*\t{self.pid}\n', read(f'/proc/{p}/status')))
        return pid


def probe(s, code, **kw):
    return s.exec(*pyprobe(code), **kw)


def refused_with(r, *names):
    if r.done or r.refused not in names:
        fail(f'want refused {" or ".join(names)}: {r}')


# What a process may do to another of its user, as long as nothing stands
# between them.  {pid} is the victim.
LOOKS = {
    'environ': 'print(open("/proc/{pid}/environ").read())',
    'mem': 'open("/proc/{pid}/mem", "rb")',
    'fd': 'print(os.readlink("/proc/{pid}/fd/0"))',
    'a stream': 'os.open("/proc/{pid}/fd/1", os.O_WRONLY)',
    'root': 'print(os.listdir("/proc/{pid}/root/"))',
    'cwd': 'print(os.readlink("/proc/{pid}/cwd"))',
    'exe': 'print(os.readlink("/proc/{pid}/exe"))',
    'environ of a thread': 'open("/proc/{pid}/task/{pid}/environ").read()',
    'mem of a thread': 'open("/proc/{pid}/task/{pid}/mem", "rb")',
    'a stream of a thread': 'os.open("/proc/{pid}/task/{pid}/fd/1", '
                            'os.O_WRONLY)',
    'a namespace': 'os.open("/proc/{pid}/ns/user", os.O_RDONLY)',
    'map_files': 'os.listdir("/proc/{pid}/map_files")',
    'fdinfo': 'open("/proc/{pid}/fdinfo/0").read()',
    **{name: f'open("/proc/{{pid}}/{name}", "rb").read(1)'
       for name in ('auxv', 'io', 'maps', 'pagemap', 'smaps', 'timers')},
}


# What is tried on another, on a child of one's own.
OF_A_CHILD = '''
child = os.fork()
if child == 0:
    time.sleep(5)
    os._exit(0)
try:
    exec({code!r}.format(pid=child))
finally:
    os.kill(child, 9)
'''


@cases(LOOKS)
def another_commands(code):
    # The control: a child of one's own, by the same path.
    with Session() as s, Victim(s) as v:
        r = probe(s, OF_A_CHILD.format(code=code))
        check(r.done, f'the control: {r}')
        refused_with(probe(s, code.format(pid=v.pid)), 'EACCES', 'EPERM')
        lacks(probe(s, code.format(pid=v.pid)).out, 'hunter2')
        # Nor the other way round: what came first is no better.
        refused_with(probe(s, code.format(pid=v.pid), ro='/usr'), 'EACCES',
                     'EPERM')


# Of a process that waits, on x86-64 and by number where libc has no name.
CALLS = {
    'ptrace': 'call("ptrace", 0x4206, {pid}, 0, 0)',
    'process_vm_readv': '''
class V(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
buf = ctypes.create_string_buffer(16)
here = V(ctypes.addressof(buf), 16)
call("process_vm_readv", {pid}, ctypes.byref(here), 1, ctypes.byref(here), 1, 0)
''',
    'process_vm_writev': 'call("process_vm_writev", {pid}, 0, 0, 0, 0, 0)',
    'pidfd_getfd': 'call(438, os.pidfd_open({pid}), 0, 0)',
    'process_madvise':
        'call(440, os.pidfd_open({pid}), ctypes.addressof('
        '(ctypes.c_size_t * 2)()), 1, 20, 0)',
    'get_robust_list': '''
at = (ctypes.c_size_t * 2)()
call(274, {pid}, ctypes.addressof(at), ctypes.addressof(at) + 8)
''',
    'move_pages': 'call(279, {pid}, 0, 0, 0, 0, 0)',
    'setting its limits': '''
import resource
resource.prlimit({pid}, resource.RLIMIT_CPU, (9, 9))
''',
}


@cases(CALLS)
def another_commands_memory_by_system_call(code):
    # No command may do it to any process: the control is the host.
    if os.uname().machine != 'x86_64' and 'call(' in code:
        skip('not an x86-64')
    r = outside(OF_A_CHILD.format(code=code))
    if not r.done:
        skip(f'outside too: {r.refused}')
    with Session() as s, Victim(s) as v:
        for narrow in {}, {'ro': '/usr'}:
            refused_with(probe(s, code.format(pid=v.pid), **narrow), 'EPERM')
        check(v.lives(), 'the victim ended')


@test
def nobody_reads_an_environment_before_its_command_begins():
    """Init has it, hands it to a process of its own, and that becomes the
    command: at each moment somebody else tries to read it."""
    code = '''
import os
def newest():
    pid = os.fork()
    if pid == 0: os._exit(0)
    os.waitpid(pid, 0)
    return pid
met = 0
print("up", flush=True)
while not os.path.exists("/tmp/enough"):
    next = newest() + 1
    for look in range(300):
        for pid in range(next, next + 4):
            for name in "environ", "mem":
                try:
                    with open(f"/proc/{{pid}}/{{name}}", "rb") as f:
                        print("read", name,
                              f.read(4096) if name == "environ" else "")
                except FileNotFoundError:
                    pass
                except OSError:
                    met += 1
                    if met == 10: open("/tmp/met", "w").close()
                    {after}
print("met" if met >= 10 else met)
'''
    # Each looked at until its end, or left at once for the next.
    for after in 'pass', 'next = pid + 1':
        with Session() as s:
            spy = s.spawn(PYTHON, '-I', '-c', code.format(after=after))
            eq(spy.stdout.readline(), b'up\n')
            # At least so many, and until it was there in time for some.
            for n in range(2000):
                s.exec('true', env={'SECRET': 'hunter2'}).ok()
                if n >= 40 and n % 10 == 0 and \
                        s.exec('test', '-e', '/tmp/met').status == 0:
                    break
            s.exec('touch', '/tmp/enough').ok()
            out, err = spy.communicate(timeout=30)
            eq((out.decode(), err), ('met\n', b''))


# Each ends the victim, of whoever may send it a signal.
SIGNALS = {
    'kill': 'os.kill({pid}, 9)',
    'kill a group': 'os.killpg({pid}, 9)',
    'kill all': 'os.kill(-1, 9)',
    'stop': 'os.kill({pid}, 19); os.kill({pid}, 9)',
    'tkill': 'call(200, {pid}, 9)',
    'tgkill': 'call(234, {pid}, {pid}, 9)',
    'rt_sigqueueinfo': '''
info = ctypes.create_string_buffer(128)
struct.pack_into("iii", info, 0, 0, 0, -1)
call(129, {pid}, 15, ctypes.addressof(info))
''',
    'pidfd': 'signal.pidfd_send_signal(os.pidfd_open({pid}), 9)',
    'descriptor of /proc':
        'signal.pidfd_send_signal(os.open("/proc/{pid}", os.O_DIRECTORY), 9)',
    'input that is told': '''
r, w = os.pipe()
fcntl.fcntl(r, fcntl.F_SETOWN, {pid})
fcntl.fcntl(r, 10, 9)     # F_SETSIG
fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
os.write(w, b"x")
time.sleep(0.1)
os.kill({pid}, 0)
''',
}


@cases(SIGNALS)
def signals_of_a_narrowed_command(code):
    if os.uname().machine != 'x86_64' and 'call(' in code:
        skip('not an x86-64')
    with Session() as s, Victim(s) as v:
        r = probe(s, code.format(pid=v.pid), ro='/usr')
        if '-1' not in code:   # which is said to have hit the others
            refused_with(r, 'EPERM')
        with open(f'/proc/{v.on_host(s)}/stat') as f:
            eq(f.read().rsplit(')', 1)[1].split()[0], 'S', 'it waits still')
        check(v.lives(), 'the victim was killed')
        probe(s, code.format(pid=v.pid))
        v.p.communicate(timeout=10)   # the control


@test
def what_a_narrowed_command_lost_stays_lost_by_other_ways():
    write('w/f', 'of w\n')
    path = os.path.abspath('w/f')
    with Session(rw='w') as s, Victim(s, cwd='w') as v:
        eq(s.exec('cat', path).ok().out, 'of w\n')
        ways = (path, f'/proc/{v.pid}/root{path}', f'/proc/{v.pid}/cwd/f',
                '/proc/1/root' + path, f'/proc/self/root{path}',
                f'/proc/thread-self/root{path}')
        for way in ways:
            r = probe(s, f'print(open({way!r}).read())', deny='w')
            refused_with(r, 'EACCES', 'EPERM')
        for name in ('link', 'symlink', 'rename'):
            r = probe(s, f'os.{name}({path!r}, "/tmp/got")\n'
                         f'print(open("/tmp/got").read())', deny='w')
            check(not r.done, f'{name}: {r}')
            lacks(r.out, 'of w')


@test(only='root')
def what_a_narrowed_command_lost_has_no_other_name():
    """A rule of Landlock's is about an object: for the second name of it, or of
    a part, the rule would give back what the first has lost."""
    libc = ctypes.CDLL(None, use_errno=True)
    write('a/sub/f', 'of a\n')
    os.mkdir('b')
    os.mkdir('c')
    own = [libc.unshare(0x20000),   # CLONE_NEWNS
           libc.mount(b'none', b'/', None, 16384 | 1 << 18, None)]
    check(own == [0, 0] and 0 == libc.mount(b'a', b'b', None, 4096, None)
          and 0 == libc.mount(b'a/sub', b'c', None, 4096, None))
    here = os.getcwd()
    with Session(rw=['a', 'b']) as s:
        s.exec('cat', here + '/a/sub/f').ok()
        s.exec('true', deny='a').failed(125, f"'{here}/b' is another name")
        s.exec('true', ro='b').failed(125, f"'{here}/a' is another name")
        s.exec('true', ro='/', rw='b').failed(125, 'is another name')
        s.exec('cat', here + '/a/sub/f', deny=['a', 'b']
               ).failed(1, 'Permission denied')
    with Session(rw=['a', 'c']) as s:
        s.exec('true', deny='a').failed(125, f"'{here}/c' is another name")
        s.exec('true', deny='c').failed(125, f"'{here}/a/sub' is another")
        s.exec('cat', here + '/c/f', ro=['a', 'c']).ok()


@test
def what_init_does_for_others_it_does_not_for_a_narrowed_one():
    """Init decides on names and sockets in a domain wider than the command's:
    a socket's name in a directory that is read-only now, and somebody who
    listens."""
    os.mkdir('w')
    path = os.path.abspath('w/s')
    serve = (f'import socket; s = socket.socket(socket.AF_UNIX); '
             's.bind("/tmp/s"); s.listen(); print("up", flush=True)\n'
             'while True: s.accept()')
    bind = f's = socket.socket(socket.AF_UNIX); s.bind({path!r})'
    reach = 's = socket.socket(socket.AF_UNIX); s.connect("/tmp/s")'
    with Session(rw='w') as s:
        server = s.spawn(PYTHON, '-c', serve)
        eq(server.stdout.readline(), b'up\n')
        check(probe(s, bind).done and os.path.exists(path), 'the control')
        os.unlink(path)
        check(probe(s, reach).done, 'the control')
        refused_with(probe(s, bind, ro='w'), 'EACCES')
        check(not os.path.exists(path))
        refused_with(probe(s, reach, ro='w'), 'EACCES')
        refused_with(probe(s, 's = socket.socket(socket.AF_UNIX); '
                              's.connect("\\0nobody")', ro='w'), 'EACCES')
        # Both kinds at once: each is judged by its own.
        check(probe(s, reach).done)
        server.kill()
        server.communicate()
    with Session(rw='w', deny='w/.git/hooks') as s:
        s.exec('true', ro='w').failed(125, 'w/.git/hooks', 'cannot narrow')
        s.sh('>w/new', cwd='.').ok()


@test
def what_it_leaves_running_stays_narrowed():
    os.mkdir('w')
    with Session(rw='w') as s:
        s.sh('(sleep 0.3; echo late >w/f; echo tried >/dev/shm/tried) '
             '>/dev/null 2>&1 &', cwd='.', ro='w').ok()
        eventually(lambda: s.exec('cat', '/dev/shm/tried').status == 0,
                   what='it tried')
        check(not os.path.exists('w/f'), 'it could write')


@test
def the_sessions_init():
    with Session() as s:
        for code in ('print(open("/proc/1/environ").read())',
                     'open("/proc/1/mem", "rb")',
                     'print(os.readlink("/proc/1/fd/4"))',
                     'os.open("/proc/1/fd/4", os.O_RDWR)'):
            refused_with(probe(s, code), 'EACCES', 'EPERM')
        # A signal that it has no handler for does not reach pid 1.
        for n in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
            probe(s, f'os.kill(1, {int(n)})')
        eq(s.exec('echo', 'lives').ok().out, 'lives\n')


FILTERS = 'grep ^Seccomp /proc/self/status; ' \
    '[ ! -t 0 ] || tty; ls /usr/share >/dev/null'


@test
def init_stands_behind_the_filter_where_it_decides_nothing():
    """Then it has no call that its commands have not, and does for them what it
    does elsewhere; where it is asked, each of them has the filter."""
    os.mkdir('w')
    for granted, of_init in (((), '2\t1'), ('w', '0\t0')):
        with Session(rw=granted) as s:
            mode, count = of_init.split('\t')
            found = read(f'/proc/{s.init()}/status')
            has(found, f'\nSeccomp:\t{mode}\n')
            has(found, f'\nSeccomp_filters:\t{count}\n')
            own = 'Seccomp:\t2\nSeccomp_filters:\t'
            eq(s.sh(FILTERS).ok().out, own + '1\n')
            eq(s.sh(FILTERS, flags=['--no-network']).ok().out, own + '2\n')
            has(s.sh(FILTERS, flags=['--tty']).ok().out, '/dev/pts/')
            # Too long to come along: in a memory file.
            eq(len(s.sh('echo $LONG', env={'LONG': 'x' * 9999}).ok().out),
               10000)
            s.sh(FILTERS, deny='/usr/share').failed(2, 'Permission denied')
            s.sh('ln -s /var /tmp/way').ok()
            s.exec('true', ro='/', rw='/tmp/way/tmp').failed(
                125, "cannot allow '/tmp/way/tmp'")
            s.sh('mv /var /away && ln -s /away /var').ok()
            s.exec('true', ro='/', rw='/var/tmp').failed(
                125, "a command before this one has moved '/var'")
            s.exec('not-there').failed(127, 'not found')
            s.sh('ulimit -n', flags=['--limit', 'files=20']).ok()
            refused_with(probe(s, 'call(437, -1, 0, 0, 0)'), 'ENOSYS')


@test
def init_of_a_claimed_sandbox_does_too():
    os.mkdir('w')
    script = 'grep ^Seccomp /proc/self/status; exec sleep 1000'
    for granted, mode in (((), '2'), ('w', '0')):
        with Pool() as p:
            command = p.spawn('sh', '-c', script, rw=granted)
            own, count = (command.stdout.readline() for _ in range(2))
            eq((own, count), (b'Seccomp:\t2\n', b'Seccomp_filters:\t1\n'))
            # The next one, which is made meanwhile, has no second process.
            claimed, = eventually(lambda: [
                i for i in p.inits() if 'sleep' in descendants(i).values()])
            has(read(f'/proc/{claimed}/status'), f'\nSeccomp:\t{mode}\n')
            command.terminate()
            eq(command.wait(), 143)


@test
def descriptors_of_a_command():
    code = 'print(sorted(int(f) for f in os.listdir("/proc/self/fd")))'
    with Session() as s, Victim(s):
        r = probe(s, code)
        # The last is the directory that is listed.
        eq(r.ok().out.splitlines()[0], '[0, 1, 2, 3]')


@test
def the_holders_socket():
    # Granted above and below: the session's own, and another's.
    here = os.getcwd()
    with Session(rw=here) as s, Session() as other:
        for victim in (s, other):
            path = os.path.join(victim.dir, 'control')
            code = f'''
c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
c.connect({path!r})
c.send(bytes([1, 0, 0, 0, 3, 0, 0, 0]) + bytes(16))
'''
            r = outside(f'''
c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
c.connect({path!r})''')
            check(r.done, f'the control: {r}')
            refused_with(probe(s, code), 'EACCES')
            refused_with(probe(s, f'open({victim.dir!r} + "/plan", "r+b")'),
                         'EACCES')
            refused_with(probe(s, f'os.rename({victim.dir!r}, {here!r} + "/x")'),
                         'EACCES', 'EBUSY', 'EXDEV', 'EPERM')
        eq((s.state(), other.state()), ('started', 'started'))


@test
def a_stream_that_leads_elsewhere():
    """A directory, and a socket of the host's network, as standard input."""
    with Session() as s:
        fd = os.open('/', os.O_RDONLY | os.O_DIRECTORY)
        p = s.spawn('ls', '/proc/self/fd/0', popen={'stdin': fd})
        err = p.communicate(timeout=10)[1].decode()
        eq(p.returncode, 125, err)
        has(err, 'is a directory')
        canary = Listener()
        with socket.create_connection(('127.0.0.1', canary.port)) as c:
            p = s.spawn('true', popen={'stdin': c.fileno()})
            err = p.communicate(timeout=10)[1].decode()
        eq(p.returncode, 125, err)
        has(err, 'reach more than its peer')
        # The next command has none of it.
        eq(s.exec('cat', input='fine').ok().out, 'fine')


@test
def a_device_that_was_replaced():
    """Init opens the sandbox's own for a command, and waits for no FIFO that
    another command has put there."""
    with Session() as s:
        s.sh('mv /dev /gone && mkdir /dev && mkfifo /dev/null', input='').ok()
        with open('/dev/null', 'rb') as null:
            p = s.spawn('true', popen={'stdin': null})
            err = p.communicate(timeout=10)[1].decode()
        eq(p.returncode, 125, err)
        has(err, "cannot open '/dev/null' inside")
        eq(s.exec('cat', input='lives').ok().out, 'lives')


# Stops whatever is started next, before it is a command.  Who came and went
# unseen leaves a number behind that nobody has again.
STOP_THE_NEXT = '''
import os
next = os.getpid() + 1
print("up", flush=True)
while True:
    for pid in range(next, next + 8):
        try:
            os.kill(pid, 19)
            next = pid + 1
        except ProcessLookupError:
            pass
'''


@test(seconds=120)
def who_stops_init_does_not_outlive_its_time():
    """What init has started and what is not the command yet can be stopped by
    others, and init waits for it."""
    with Session() as s:
        init, others = s.init(), []

        def waits():
            others.append(s.spawn('true'))
            time.sleep(0.2)
            with open(f'/proc/{init}/stat') as f:
                return f.read().rsplit(')', 1)[1].split()[0] == 'D'

        # Before its time is over; where nobody was met in it, once more.
        for _ in range(10):
            mean = s.spawn(PYTHON, '-c', STOP_THE_NEXT,
                           flags=['--timeout', '6s'])
            eq(mean.stdout.readline(), b'up\n')
            end = time.monotonic() + 4
            while not (met := waits()) and time.monotonic() < end:
                pass
            if met:
                break
            mean.kill()
            mean.communicate()
        check(met, 'the control: init waits')
        err = mean.communicate(timeout=30)[1].decode()
        eq(mean.returncode, 124, err)
        for p in others:
            p.communicate(timeout=10)
        check(init not in processes())
        has(s.do('logs').ok().out, 'did not end; the session was ended')


@test(only='root')
def what_moved_away_is_not_given_back():
    """Rules of a narrowed command are found by path: one before it can have
    moved the directories above what the session was granted."""
    top = tempfile.mkdtemp(prefix='mxc-test-', dir='/srv')
    try:
        write(f'{top}/w/f', 'of w\n')
        with Session(rw=f'{top}/w') as s:
            narrow = {'deny': f'{top}/w'}
            read = f'print(open({top!r} + "/w/f").read())'
            refused_with(probe(s, read, **narrow), 'EACCES')
            s.sh('mkdir /away && mv /srv /away/').ok()
            eq(s.exec('cat', f'/away{top}/w/f').ok().out, 'of w\n',
               'the control')
            s.exec('cat', f'/away{top}/w/f', **narrow).failed(
                125, f"a command before this one has moved '{top}/w'")
            s.sh(f'mkdir -p {top}/w').ok()
            s.exec('true', **narrow).failed(125, 'has moved')
    finally:
        shutil.rmtree(top)


@test
def what_moved_away_of_the_sandbox_s_own_is_not_given_back():
    """The same of what is nobody's on the host: its own directories, and what
    a layer keeps."""
    for layer, kept, top in (('private', '/var/tmp', '/var'),
                             (None, '/tmp', '/tmp')):
        with Session(*(['--layer', layer] if layer else [])) as s:
            narrow = {'deny': kept}
            s.sh(f'echo secret >{kept}/f').ok()
            refused_with(probe(s, f'print(open("{kept}/f").read())', **narrow),
                         'EACCES')
            s.sh(f'mv {top} /etc/').ok()
            eq(s.exec('cat', f'/etc{kept}/f').ok().out, 'secret\n', 'control')
            s.exec('cat', f'/etc{kept}/f', **narrow).failed(
                125, 'a command before this one has moved')


def ends_with_the_stuck():
    """Whether one of a few was met before its exec; others end like any."""
    with Session() as s:
        mean = s.spawn(PYTHON, '-c', STOP_THE_NEXT)
        eq(mean.stdout.readline(), b'up\n')
        for _ in range(5):
            victim = s.spawn('true', flags=['--timeout', '1s'])
            err = victim.communicate(timeout=30)[1].decode()
            check(victim.returncode in (0, 124), err)
            if victim.returncode == 124 and s.state() != 'started':
                mean.communicate(timeout=10)
                has(s.do('logs').ok().out,
                    'did not end; the session was ended')
                return True
        mean.kill()
        mean.communicate()
    return False


@test(seconds=240)
def time_counts_from_when_a_command_was_asked_for():
    """Init that others keep from starting it cannot keep it from its end."""
    check(any(ends_with_the_stuck() for _ in range(12)), 'the control')


@test
def who_goes_on_writing_to_a_terminal_keeps_nobody():
    """The terminal of a command that ended is shown as it was then."""
    code = '''
import fcntl, os, signal, termios, time
signal.signal(signal.SIGHUP, signal.SIG_IGN)
fcntl.ioctl(0, termios.TIOCNOTTY)
r, w = os.pipe()
me = os.getpid()
if os.fork() == 0:
    os.write(1, b"y" * 1024)
    os.write(w, b"x")
    while os.getppid() == me:
        pass
    while True:
        try:
            os.write(1, b"y" * 4096)
        except OSError:         # nobody has its other side any more
            time.sleep(0.01)
os.read(r, 1)
'''
    with Session() as s:
        p = s.spawn(PYTHON, '-c', code, flags=['--tty'])
        out = p.communicate(timeout=20)[0]
        eq(p.returncode, 0)
        check(0 < len(out) < 4 << 20, len(out))
        has(s.do('ps').ok().out, 'python', 'the control: it writes still')


@test
def another_commands_terminal():
    """Open to who may have it, and to nobody who was denied it."""
    code = 'os.open("/dev/pts/0", os.O_RDWR | os.O_NOCTTY)'
    with Session() as s:
        p = s.spawn('sh', '-c', 'echo up; exec sleep 1000', flags=['--tty'])
        has(p.stdout.readline(), b'up')
        check(probe(s, code).done, 'the control')
        refused_with(probe(s, code, deny='/dev/pts'), 'EACCES')
        has(s.exec('sh', '-c', 'echo mine >&2', deny='/dev/pts',
                   flags=['--tty']).ok().out, 'mine')
        p.kill()
        p.communicate()


@test
def a_flood_of_processes_ends_with_the_session():
    """Each goes off into a session of its own, and is found all the same."""
    code = '''
for n in range(60):
    if os.fork() == 0:
        os.setsid()
        os.closerange(0, 3)
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            while True:
                time.sleep(1)
        os._exit(0)
'''
    with Session() as s:
        check(probe(s, code).done)
        check(len(s.names()) >= 60, 'the control: they run')
        init = s.init()
        s.do('stop', '--grace', '100ms').ok()
        check(init not in processes())
        eq([n for _, n in descendants().items()], [])


@test
def what_the_session_may_reach_a_command_without_a_network_does_not():
    """Nor by the socket of another command, by its descriptors in /proc."""
    canary = Listener()
    connect = f'c = socket.create_connection(("127.0.0.1", {canary.port}))'
    hold = (f'import socket, time\n{connect}\nprint(c.fileno(), flush=True)\n'
            'time.sleep(1000)')
    with Session('--host-service', str(canary.port)) as s:
        check(probe(s, connect).done, 'the control')
        other = s.spawn('sh', '-c', 'echo $$; exec "$@"', 'sh', PYTHON, '-c',
                        hold)
        pid, fd = int(other.stdout.readline()), int(other.stdout.readline())
        eventually(lambda: len(canary.got) == 2, what='it is connected')
        for code in (connect, 'socket.socket()',
                     f'call(438, os.pidfd_open({pid}), {fd}, 0)',
                     f'os.open("/proc/{pid}/fd/{fd}", os.O_RDWR)'):
            refused_with(probe(s, code, flags=['--no-network']), 'EACCES',
                         'EPERM')
        eq(len(canary.got), 2, 'connections')
        other.kill()
        other.communicate()


@test
def no_sockets_by_other_ways():
    with Session() as s:
        for number in (41, 53) if os.uname().machine == 'x86_64' else ():
            # socket(2) of the 32-bit table's number in the x32 form.
            r = probe(s, f'call({number} | 0x40000000, 2, 1, 0)',
                      flags=['--no-network'])
            check(not r.done, r)
        refused_with(probe(s, 'socket.socket(socket.AF_UNIX)',
                           flags=['--no-network']), 'EACCES')
        r = probe(s, 'a, b = socket.socketpair(); a.send(b"x"); b.recv(1)',
                  flags=['--no-network'])
        check(r.done, r)


main()
