#!/usr/bin/env python3
# tap: seconds=900
"""The lxc backend: a container with a root of an image, and with the walls of
the native backend."""

import json
import os
import random
import signal
import socket
import sys
import shutil
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
import images  # noqa: E402
import libmxc  # noqa: E402  not later: it may start this program anew

LIBEXEC = MXC.parent / '../libexec/mxc'
LACK = ''.join(f'this build has no {p}; ' for p in ('mxc-lxc', 'mxc-unpack')
               if not (LIBEXEC / p).exists())
if b'/ld-linux' in (LIBEXEC / 'mxc-launch').read_bytes():
    LACK += 'mxc-launch needs libraries, which an image has not'
images.private_store()
IMAGE = {'distribution': 'test', 'release': '1'}


def imported(source=None, name='test/1'):
    if LACK:
        skip(LACK)
    mxc('image', 'import', name, source or images.root()).ok()


def policy(**more):
    return {'version': '1.1.0+c1', 'containment': 'lxc', 'lxc': IMAGE, **more}


def go(command, *flags, source=None, timeout=30, input=b'', tty=False,
       process=None, **more):
    """A shell's line in a container of a fresh image."""
    if not os.path.exists(str(images.store() / 'names/test+1')):
        imported(source)
    path = write(f'request-{os.urandom(4).hex()}.json', json.dumps(policy(
        process={'commandLine': command, **(process or {})}, **more)))
    return mxc('run', *flags, path, timeout=timeout, input=input, tty=tty)


def result(command, **more):
    r = go(command, '--json', 'result.json', **more)
    return r, json.loads(read('result.json'))


# --- what a run is ---------------------------------------------------------

@test
def streams_and_exit_code():
    r = go('cat; echo out; echo err >&2; exit 7', input='in\n')
    eq((r.status, r.out, r.err), (7, 'in\nout\n', 'err\n'))
    eq(go('kill -9 $$').status, 137)
    eq(go('exec nothing-of-that-name').status, 127)


@test
def a_hundred_kilobytes_each_way():
    r = go('wc -c; seq 20000; echo end', input='x' * 300000).ok()
    eq(r.out.splitlines()[0], '300000')
    eq(r.out.splitlines()[-1], 'end')
    eq(len(r.out.splitlines()), 20002)


@test
def root_of_the_image_without_any_power():
    r = go('id -u; id -g; grep -E "^(Cap|NoNewPrivs|Seccomp:)" '
           '/proc/self/status').ok()
    lines = r.out.split('\n')
    eq(lines[:2], ['0', '0'])
    caps = dict(line.split(':\t') for line in lines[2:] if line)
    eq(caps, {**{c: '0' * 16 for c in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd',
                                       'CapAmb')},
              'NoNewPrivs': '1', 'Seccomp': '2'})


@test
def env_and_directory():
    r = go('env; pwd', process={'env': ['A=b c'], 'cwd': '/tmp'}).ok()
    lacks(r.out, 'container')
    has(r.out, 'A=b c\n')
    has(r.out, '\n/tmp\n')
    lacks(r.out, str(os.getcwd()))
    has(go('env', process={'env': ['container=lxc']}).ok().out,
        'container=lxc\n')


@test
def it_is_the_image():
    imported(images.root(files={'etc/motd': 'of the image'}))
    r = go('cat /etc/motd; ls /; cat /etc/hostname; cat /proc/1/comm').ok()
    has(r.out, 'of the image')
    lacks(r.out, 'sbin')
    has(r.out, 'sandbox')
    check(not r.out.endswith('mxc-lxc\n'))
    r = go('ls /dev; ls /proc | wc -l').ok()
    has(r.out, 'null')
    lacks(r.out, 'sda')


@test
def changes_end_with_the_run_and_the_image_stays():
    imported(images.root(files={'etc/motd': 'first', 'srv/d/x': 'x'}))
    go('echo second >/etc/motd && echo x >/new && rm /bin/cat && '
       'rm -r /srv/d && mkdir /srv/d && test ! -e /srv/d/x && '
       'ls /srv/d && cp /bin/busybox /busybox').ok()
    r = go('cat /etc/motd; ls / /srv/d').ok()
    has(r.out, 'first')
    has(r.out, 'x')
    lacks(r.out, 'new')
    mxc('image', 'verify', 'test/1').ok()


@test
def what_may_be_written_has_a_ceiling():
    """One for the root and for memory that is shared by name."""
    r = go('dd if=/dev/zero of=/dev/shm/half bs=1M count=600 2>/dev/null && '
           'echo half; dd if=/dev/zero of=/big bs=1M count=2000; ls -l /big',
           timeout=60)
    has(r.out, 'half\n')
    has(r.err, 'No space left')
    check(int(r.out.split()[5]) < 425 << 20, r.out)


@test
def a_terminal():
    r = go('tty; test -t 0 && echo is a terminal', '--tty', tty=True)
    has(r.out, '/dev/pts/0')
    has(r.out, 'is a terminal')


@test
def the_receipt_names_the_image():
    r, said = result('true')
    eq(said['outcome'], 'exited')
    eq(said['backend'], 'lxc')
    row, = (x for x in said['receipt'] if x['clause'] == 'root')
    has(row['by'], 'image test/1 (sha256:')
    r = mxc('explain', next(p for p in os.listdir('.')
                            if p.startswith('request-'))).ok()
    has(r.out, 'lxc')
    lacks(r.out, '/usr/lib')


# --- grants ----------------------------------------------------------------

@test
def directories():
    write('work/in', 'in')
    write('work/sub/deep', 'deep')
    write('lib/x', 'x')
    here = os.getcwd()
    r = go(f'cat {here}/work/in {here}/lib/x; echo out >{here}/work/out; '
           f'echo no >{here}/lib/y', filesystem={
               'readwritePaths': [f'{here}/work'],
               'readonlyPaths': [f'{here}/lib']})
    eq(r.out, 'inx')
    has(r.err, 'ead-only file system')
    eq(read('work/out'), 'out\n')
    check(not os.path.exists('lib/y'))


@test
def single_files():
    """MXC's fail; with blanks and commas in their names, too."""
    here = os.getcwd()
    for name in ('a', 'b c', 'd,e=f', 'é'):
        write(name, 'old')
    r = go(f'cd {here}; for f in *; do echo "$f"; done; echo new >"b c"; echo new >é; cat a d,e=f; '
           'echo new >a', filesystem={
               'readonlyPaths': [f'{here}/a', f'{here}/d,e=f'],
               'readwritePaths': [f'{here}/b c', f'{here}/é']})
    eq(sorted(r.out.split('\n')[:4]), ['a', 'b c', 'd,e=f', 'é'])
    has(r.out, 'oldold')
    eq((read('a'), read('b c'), read('é')), ('old', 'new\n', 'new\n'))


@test
def what_is_denied():
    write('work/secret/key', 'secret')
    write('work/token', 'secret')
    write('work/free', 'free')
    here = os.getcwd()
    r = go(f'cd {here}/work; ls; cat free; cat token; cat secret/key; '
           'echo x >not-yet; mv secret other; rm -f token; mount',
           filesystem={'readwritePaths': [f'{here}/work'],
                       'deniedPaths': [f'{here}/work/{n}' for n in
                                       ('secret', 'token', 'not-yet')]})
    eq(r.out.split('\n')[:3], ['free', 'secret', 'token'])
    has(r.out, 'free')
    lacks(r.out, 'secret\n' * 2)
    eq(r.err.count('ermission denied'), 3, r.err)
    eq(sorted(os.listdir('work')), ['free', 'secret', 'token'])
    eq(read('work/token'), 'secret')


@test
def what_is_denied_of_the_image():
    """By its name in the image, where links lead elsewhere than here; the
    control is the same run without the list."""
    imported(images.root(files={'etc/shadow': 'of the image',
                                'data/real/key': 'of the image'}))
    command = ('cat /etc/shadow; cat /data/real/key; ls /data/real; '
               'cp -r /etc /etc2; cat /etc2/shadow; mv /data /data2; '
               'cat /data2/real/key; umount /etc/shadow; rm -f /etc/shadow; '
               'chmod 644 /etc/shadow; cat /etc/shadow; echo end')
    eq(go(command).out.count('of the image'), 4, 'control')
    r = go(command, filesystem={'deniedPaths': [
        '/etc/shadow', '/data/real', '/nothing/there']})
    lacks(r.out, 'of the image')
    has(r.out, 'end', repr(r))
    # A name denies what it leads to: here busybox, and so the shell.
    r = go('echo ran', filesystem={'deniedPaths': ['/bin/ls']})
    eq((r.status, r.out), (126, ''), repr(r))
    r = go('true', filesystem={'deniedPaths': ['/']})
    r.failed(125, "'/' cannot be denied")


@test
def a_denied_name_that_is_a_link_in_the_image():
    def make(root):
        (root / 'etc/alias').symlink_to('/data/real')
        (root / 'data').mkdir()
        (root / 'data/real').write_text('of the image')
    imported(hostile(make))
    eq(go('cat /etc/alias').out, 'of the image', 'control')
    r = go('cat /etc/alias; cat /data/real',
           filesystem={'deniedPaths': ['/etc/alias']})
    eq((r.out, r.err.count('ermission denied')), ('', 2), r.err)


@test
def a_name_that_leads_to_what_is_denied_already():
    write('work/real/key', 'secret')
    os.symlink('real', 'work/link')
    here = os.getcwd()
    r = go(f'cat {here}/work/link/key; cat {here}/work/real/key; echo ran',
           filesystem={'readwritePaths': [f'{here}/work'],
                       'deniedPaths': [f'{here}/work/link/key']}).ok()
    eq((r.out, r.err.count('ermission denied')), ('ran\n', 2), r.err)


@test(only='user')
def a_denied_name_behind_what_is_masked_already():
    """A parent that nobody can look into is masked as a whole; the name that
    the policy wrote, by a link too, leads to behind that."""
    write('work/closed/key', 'secret')
    os.symlink('closed', 'work/link')
    os.chmod('work/closed', 0)
    here = os.getcwd() + '/work'
    script = f'chmod 700 {here}/closed; cat {here}/closed/key; echo ran'
    imported()
    for name, denied in (('none', []), ('closed', [f'{here}/closed/key']),
                         ('link', [f'{here}/link/key'])):
        r = go(script, filesystem={'readwritePaths': [here],
                                   'deniedPaths': denied}).ok()
        os.chmod('work/closed', 0)
        eq(r.out, 'secretran\n' if name == 'none' else 'ran\n', repr(r))
    os.chmod('work/closed', 0o700)


@test
def a_grant_covers_what_the_image_has_there():
    here = os.getcwd()
    write('etc/motd', 'of the host')
    imported(images.root(files={here.lstrip('/') + '/etc/motd': 'of the image',
                                here.lstrip('/') + '/more': 'image'}))
    r = go(f'cat {here}/etc/motd {here}/more',
           filesystem={'readonlyPaths': [f'{here}/etc']}).ok()
    eq(r.out, 'of the hostimage')


@test
def a_path_that_is_not_there_is_refused():
    r = go('true', filesystem={'readonlyPaths': ['/nothing/there']})
    r.failed(125, '/nothing/there')


# --- network ---------------------------------------------------------------

@test
def no_network_unless_allowed():
    listener = Listener()
    r = go(f'nc 127.0.0.1 {listener.port} </dev/null; echo $?; '
           'ls /sys/class/net; cat /proc/net/dev', source=images.root())
    lacks(r.out, 'eth')
    eq(r.out.split('\n')[0], '1')
    eq(listener.got, [])


@test
def a_service_of_the_host_by_the_gateway():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        s.listen()
        port = s.getsockname()[1]
        imported()
        path = write('r.json', json.dumps(policy(
            process={'commandLine': f'nc 127.0.0.1 {port}'},
            network={'ingress': {'hostLoopback': 'allow',
                                 'hostServices': [{'host': port}]}})))
        p = spawn([MXC, 'run', path])
        s.settimeout(20)
        peer, _ = s.accept()
        with peer:
            peer.sendall(b'hello from outside\n')
        out, err = p.communicate(timeout=20)
        eq((p.returncode, out), (0, b'hello from outside\n'), err)


# --- what is refused -------------------------------------------------------

@test
def without_an_image_there_is_no_container():
    if LACK:
        skip(LACK)
    for section, said in (
            ({'distribution': 'no', 'release': 'where'},
             "there is no image 'no/where'"),
            ({'distribution': '', 'release': ''},
             'distribution and release are required'),
            ({'distribution': '..', 'release': 'x'}, 'no name of an image')):
        path = write('r.json', json.dumps(policy(
            lxc=section, process={'commandLine': 'true'})))
        for verb in ('run', 'check'):
            r = mxc(verb, '--json', 'out.json', path)
            check(r.status in (1, 125), repr(r))
            has(r.err, said)
            eq(json.loads(read('out.json'))['error']['details']['where'],
               'lxc')
    r = mxc('run', '--backend', 'lxc', '--', 'true')
    r.failed(125, 'distribution and release are required')


@test
def a_build_without_liblxc_says_so():
    """And one without libarchive, of importing."""
    imported()
    shutil.copytree(MXC.parent, 'other/bin')
    shutil.copytree(LIBEXEC, 'other/libexec/mxc')
    os.unlink('other/libexec/mxc/mxc-lxc')
    path = write('r.json', json.dumps(policy(
        process={'commandLine': 'echo ran'})))
    other = 'other/bin/mxc'
    for verb, status in (('run', 125), ('check', 1)):
        r = run([other, verb, path]).failed(
            status, 'this build has no lxc: mxc-lxc is not installed')
        eq(r.out, '')
    os.unlink('other/libexec/mxc/mxc-unpack')
    run([other, 'image', 'import', 'a', 'root']).failed(
        1, 'mxc-unpack is not installed')
    has(run([other, 'image', 'list']).ok().out, 'test/1')


@test
def by_the_command_line_of_mxc():
    imported(images.root(files={'etc/motd': 'of the image'}))
    path = write('r.json', json.dumps({
        'version': '1.0.0', 'containment': 'lxc', 'lxc': IMAGE,
        'containerId': 'name',
        'process': {'commandLine': 'cat /etc/motd; echo err >&2; exit 3'}}))
    door = MXC.parent / 'lxc-exec'
    r = run([door, path])
    eq((r.status, r.out, r.err), (3, 'of the image', 'err\n'))
    r = run([door, '--dry-run', path]).ok()
    has(r.out, 'validation passed')
    has(run([door, '--available-backends']).ok().out, '"lxc"')


@test
def by_the_library():
    """It finds the store as the command does, or where it is told."""
    if not libmxc.lib:
        skip('no libmxc')
    imported(images.root(files={'etc/motd': 'of the image'}))
    sections = {k: v for k, v in policy().items() if k != 'version'}
    r = libmxc.run_it('cat /etc/motd; exit 3', sections)
    eq((r.out, r.code), (b'of the image', 3))
    with libmxc.Box('cat /etc/motd', sections, stdio=libmxc.PIPE) as box:
        eq(os.read(box.fd('stdout'), 100), b'of the image')
        eq(box.wait(), libmxc.EXITED)
    kept = {**sections, 'containerId': 'one',
            'lifecycle': {'destroyOnExit': False}}
    for want in (b'', b'x\n'):
        eq(libmxc.run_it('cat /mine; echo x >/mine', kept).out, want)
    has(mxc('container', 'list').ok().out, 'one  test/1')
    mxc('container', 'rm', 'one').ok()
    if IS_ROOT:
        return
    home = os.environ.pop('HOME')
    libmxc.refused(12, 'no place for images', libmxc.ask, 'validate',
                   sections=sections)
    libmxc.ask('validate', sections=sections,
               data_home=f'{home}/.local/share'.encode())
    libmxc.refused(1, 'not absolute', libmxc.ask, 'validate', data_home=b'x')


@cases({'names': 'container-1', 'with anything': '../../x y\n'})
def a_container_id_is_a_label(name):
    r, said = result('hostname', containerId=name)
    r.ok()
    eq(said['containerId'], name)


@test
def a_damaged_image_is_refused():
    imported()
    names = images.store() / 'trees'
    tree = names / os.listdir(names)[0]
    tree.chmod(0o777)
    go('echo ran').failed(125, 'damaged')
    tree.chmod(0o700)
    (tree / 'seal').unlink()
    r = go('echo ran').failed(125, 'damaged')
    eq(r.out, '')


# --- images that want more than to be a root -------------------------------

def hostile(make):
    root = images.root()
    make(root)
    return root


def link_over(root, name, target):
    path = root / name
    if path.is_dir():
        shutil.rmtree(path)
    path.symlink_to(target)


@cases({n: (n,) for n in ('dev', 'proc', 'etc', 'tmp', 'home', 'var', 'run',
                          'dev/pts')})
def a_link_in_the_image_leads_nowhere_of_the_host(name):
    os.mkdir('out')
    os.chmod('out', 0o777)
    out = os.getcwd() + '/out'
    r = go('id >/dev/null; echo x >/etc/hosts; echo x >/tmp/x; echo ran',
           source=hostile(lambda root: link_over(root, name, out)))
    eq(os.listdir('out'), [], repr(r))
    if r.status:
        eq((r.status, r.out), (125, ''), repr(r))


@test
def files_of_ours_take_the_place_of_the_images():
    os.mkdir('out')
    write('out/victim', 'of the host')

    def make(root):
        for name in ('hosts', 'hostname', 'resolv.conf', 'machine-id'):
            (root / 'etc' / name).symlink_to(os.getcwd() + '/out/victim')
    r = go('cat /etc/hostname', source=hostile(make)).ok()
    eq(r.out, 'sandbox\n')
    eq(read('out/victim'), 'of the host')


@cases({'.void': '.void', '.file': '.file', '.cover': '.cover'})
def names_of_set_up_may_be_the_images(name):
    go('echo ran', source=hostile(
        lambda root: (root / name).symlink_to('/etc'))).ok()


@test
def an_image_without_a_shell_is_told():
    os.mkdir('empty')
    write('empty/file')
    r = go('echo ran', source='empty')
    eq((r.status, r.out), (127, ''), repr(r))


# --- escapes: each works outside -------------------------------------------

def attack_inside(what, refused, **more):
    imported()
    attack(what, refused=refused, policy=policy(**more))


@test
def the_hosts_files_do_not_exist():
    secret = write('secret', 'of the host')
    attack_inside(cprobe(f'''
        int main(void) {{
            TRY(open("{secret}", O_RDONLY));
            DONE();
        }}'''), 'ENOENT')


@cases({
    'unshare': ('unshare(CLONE_NEWUSER)', ('EPERM', 'ENOSPC')),
    'mount': ('unshare(CLONE_NEWUSER | CLONE_NEWNS) ? -1 : '
              'mount("none", "/tmp", "tmpfs", 0, NULL)', ('EPERM', 'ENOSPC')),
    'keys': ('syscall(SYS_add_key, "user", "mxc-test", "x", 1, -3)',
            ('EPERM', 'ENOSYS')),
})
def calls_that_make_walls(call, refused):
    imported()
    attack(cprobe(f'''
        #define _GNU_SOURCE
        #include <sched.h>
        #include <sys/mount.h>
        #include <sys/syscall.h>
        int main(void) {{
            TRY({call});
            DONE();
        }}'''), refused=refused, policy=policy())


@test
def an_abstract_socket_of_the_host_is_not_there():
    name = f'mxc-lxc-{os.getpid()}'
    listener = Listener('@' + name)
    attack_inside(cprobe(f'''
        #include <sys/socket.h>
        #include <sys/un.h>
        #include <stddef.h>
        int main(void) {{
            struct sockaddr_un a = {{ .sun_family = AF_UNIX }};
            int s = socket(AF_UNIX, SOCK_STREAM, 0);
            size_t n = strlen("{name}");
            memcpy(a.sun_path + 1, "{name}", n);
            TRY(s);
            TRY(connect(s, (void *)&a,
                        offsetof(struct sockaddr_un, sun_path) + 1 + n));
            DONE();
        }}'''), ('ECONNREFUSED', 'EPERM', 'EACCES'))
    eq(len(listener.got), 1)


@test
def neither_lxc_nor_the_host_is_reached_by_proc():
    r = go('ls /proc | grep -E "^[0-9]+$"; cat /proc/1/root/run/state/x; '
           'ls /run /sys; grep -c . /proc/net/unix').out
    pids = [x for x in r.split() if x.isdigit()]
    check(len(pids) < 12, r)
    lacks(r, 'state')


@test
def a_device_cannot_be_made():
    attack_here = ('mknod /tmp/null c 1 3 && echo made')
    if IS_ROOT:
        run(['mknod', 'null', 'c', '1', '3']).ok()
        os.unlink('null')
    r = go(attack_here)
    lacks(r.out, 'made')
    has(r.err, 'mknod: ')


# --- ends ------------------------------------------------------------------

@test
def a_timeout_ends_all_of_it():
    start = time.monotonic()
    r, said = result('sleep 100 & sleep 100', process={'timeout': 700})
    eq((r.status, said['timedOut']), (124, True))
    check(time.monotonic() - start < 30)


@test
def nothing_is_left_on_the_host():
    imported()
    before = host_state()
    listing = sorted(os.listdir('/run')), sorted(os.listdir('/tmp'))
    go('echo x >/tmp/x; echo x >/run/x').ok()
    leaves_nothing(before)
    eq((sorted(os.listdir('/run')), [n for n in sorted(os.listdir('/tmp'))
                                     if n == 'x']), (listing[0], []))
    # By name: others on this machine may run LXC as well.
    groups = [d for d, _, _ in os.walk('/sys/fs/cgroup')
              if os.path.basename(d).startswith('lxc.')
              and os.path.basename(d).endswith('.mxc')]
    eq(groups, [])


@test(seconds=120)
def killed_at_any_moment_nothing_is_left():
    imported()
    before = host_state()
    path = write('r.json', json.dumps(policy(
        process={'commandLine': 'sleep 100'})))
    rng = random.Random(7)
    for n in range(25):
        p = spawn([MXC, 'run', path])
        time.sleep(rng.random() * 0.04)
        p.send_signal(signal.SIGKILL)
        p.wait()
    eventually(lambda: not descendants(), what='the end of all processes')
    leaves_nothing(before)
    mxc('image', 'rm', 'test/1').ok()


@test
def an_image_in_use_stays():
    imported()
    path = write('r.json', json.dumps(policy(
        process={'commandLine': 'echo up; sleep 100'})))
    p = spawn([MXC, 'run', path])
    eq(p.stdout.readline(), b'up\n')
    mxc('image', 'rm', 'test/1').failed(1, 'container runs on')
    p.send_signal(signal.SIGTERM)
    p.wait(20)
    eventually(lambda: mxc('image', 'rm', 'test/1').status == 0,
               what='the image is free')


@test(seconds=120)
def many_at_once():
    imported()
    path = write('r.json', json.dumps(policy(
        containerId='the-same',
        process={'commandLine': 'echo $$ >/mine; sleep 0.2; cat /mine'})))
    ps = [spawn([MXC, 'run', path]) for _ in range(40)]
    for p in ps:
        out, err = p.communicate(timeout=100)
        eq((p.returncode, err), (0, b''))
    eventually(lambda: not descendants(), what='the end of all processes')


main()
