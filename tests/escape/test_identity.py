#!/usr/bin/env python3
"""Who the workload is and what it learns of the machine (D8, D10, D13), and
what it inherits or keeps of its caller (W1, W7, W14, W31)."""

import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403

MASKED = {name: name for name in (
    'kallsyms', 'keys', 'key-users', 'config.gz', 'cmdline', 'modules',
    'sched_debug')}
MASKED_FOR_ROOT = {name: name for name in (
    'kcore', 'kmsg', 'kpagecount', 'kpageflags', 'kpagecgroup', 'timer_list',
    'vmallocinfo', 'slabinfo')}


@cases(MASKED)
def d8_kernel_details_are_masked(name):
    attack(f'open("/proc/{name}", "rb").read(64)', refused='EACCES')


@cases(MASKED_FOR_ROOT, only='root')
def d8_what_root_could_read_is_masked(name):
    if name == 'kmsg':
        attack('os.open("/proc/kmsg", os.O_RDONLY)', refused='EACCES')
    else:
        attack(f'open("/proc/{name}", "rb").read(64)', refused='EACCES')


@cases({'acpi': 'acpi', 'scsi': 'scsi', 'asound': 'asound'})
def d8_device_trees_are_masked(name):
    attack(f'os.listdir("/proc/{name}")', refused='EACCES')


@cases({'bus': 'bus', 'driver': 'driver', 'fs': 'fs', 'irq': 'irq'},
       only='root')
def d8_device_trees_of_root_are_masked(name):
    attack(f'os.listdir("/proc/{name}")', refused='EACCES')


@test
def d8_masks_cannot_be_taken_off():
    r = inside('call("umount2", b"/proc/kallsyms", 2)')
    eq(r.refused, 'EPERM')


@cases({'/sys/kernel': '/sys/kernel', '/sys/firmware': '/sys/firmware',
        '/sys/class/net': '/sys/class/net', '/sys/fs/cgroup': '/sys/fs/cgroup',
        '/boot': '/boot', '/lib/modules': '/lib/modules', '/root': '/root',
        '/var/log': '/var/log', '/var/lib': '/var/lib', '/etc/ssh': '/etc/ssh',
        '/etc/cron.d': '/etc/cron.d', '/dev/vda': '/dev/vda',
        '/dev/mem': '/dev/mem', '/dev/kmsg': '/dev/kmsg',
        '/dev/disk': '/dev/disk', '/etc/shadow': '/etc/shadow',
        '/run/systemd': '/run/systemd', '/run/user': '/run/user',
        '/tmp/.X11-unix': '/tmp/.X11-unix'})
def d8_places_of_the_host_are_not_there(path):
    attack(f'os.stat({path!r})', refused='ENOENT')


@test
def d8_dmi_is_not_there():
    attack('os.listdir("/sys/class/dmi/id")', refused='ENOENT')


def in_and_out(command):
    """What it prints on the host and inside."""
    host = outside(['sh', '-c', command])
    return host.out.strip(), inside(['sh', '-c', command]).ok().out.strip()


@cases({'host name': 'uname -n',
        'host name file': 'cat /etc/hostname',
        'host name setting': 'cat /proc/sys/kernel/hostname',
        'boot id': 'cat /proc/sys/kernel/random/boot_id',
        'machine id': 'cat /etc/machine-id'})
def d8_names_of_the_machine_are_synthetic(command):
    host, sandbox = in_and_out(command)
    if not host:
        skip('the host has none')
    check(sandbox and sandbox != host, f'host {host!r}, inside {sandbox!r}')


@test
def d13_ids_differ_from_run_to_run():
    command = 'cat /etc/machine-id /proc/sys/kernel/random/boot_id'
    seen = {inside(['sh', '-c', command]).ok().out for _ in range(4)}
    eq(len(seen), 4, 'different identities')
    for text in seen:
        machine, boot = text.split()
        check(re.fullmatch('[0-9a-f]{32}', machine), machine)
        check(re.fullmatch(r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}',
                           boot), boot)


@test
def d13_random_numbers_differ_from_run_to_run():
    seen = {inside('print(os.urandom(16).hex())').ok().out for _ in range(4)}
    eq(len(seen), 4)


@test
def d8_no_address_of_the_host():
    r = inside('''
        names = os.listdir('/proc/sys/net/ipv4/conf')
        print(sorted(set(names) - {'all', 'default'}))
        print(open('/proc/net/dev').read().count(':'))
        print(open('/proc/net/route').read().count('\\n'))
    ''').ok()
    names, devices, routes = r.out.splitlines()[:3]
    eq(names, "['lo']")
    eq(devices, '1', 'interfaces')
    eq(routes, '1', 'lines of the route table: its head only')


OWN_ROOTS = ('/', '/null', '/zero', '/full', '/random', '/urandom', '/tty')


@test
def d8_mounts_name_no_place_that_was_not_granted():
    """mountinfo shows for each mount where in its file system it starts."""
    os.mkdir('w')
    granted = os.getcwd() + '/w'
    r = inside(['cat', '/proc/self/mountinfo'], rw='w').ok()
    roots = {line.split()[3] for line in r.out.splitlines()}
    # Masks and covers are nameless files of the sandbox's own root.
    strange = [root for root in roots
               if root not in (*OWN_ROOTS, granted)
               and not root.startswith(('/usr/', '/etc/'))
               and not root.endswith('//deleted')]
    eq(strange, [])
    has(r.out, granted)


@test
def d10_the_users_of_the_host_are_unknown():
    names = {p.pw_name for p in pwd.getpwall()} - {'root', 'nobody'}
    r = inside('''
        import grp, pwd
        print([p.pw_name for p in pwd.getpwall()])
        print([g.gr_name for g in grp.getgrall()])
        print(pwd.getpwuid(os.getuid()).pw_dir)
    ''').ok()
    users, groups, home = r.out.splitlines()[:3]
    eq(users, "['root', 'nobody']" if IS_ROOT else "['user', 'nobody']")
    for name in names:
        lacks(groups, f"'{name}'")
    eq(home, '/home/user')


@cases({f: f for f in ('/etc/shadow', '/etc/gshadow', '/etc/sudoers',
                       '/etc/passwd-', '/etc/ssl/private', '/etc/crontab',
                       '/etc/fstab', '/etc/environment', '/etc/profile.d',
                       '/etc/apt/auth.conf.d', '/etc/docker')})
def d10_secrets_of_etc_are_not_in_the_base(path):
    attack(f'os.stat({path!r})', refused='ENOENT')


@test
def d10_the_private_home_is_empty_and_own():
    r = inside('print(sorted(os.listdir(os.environ["HOME"])), os.getcwd())\n'
               'open(os.environ["HOME"] + "/f", "w").write("x")').ok()
    eq(r.out.splitlines()[0], "[] /home/user")
    # A second run finds nothing of the first.
    r = inside('print(os.listdir("/home/user"), os.listdir("/tmp"))').ok()
    eq(r.out.splitlines()[0], '[] []')


@test
def w1_no_capability_for_any_caller():
    r = inside(['grep', '^Cap', '/proc/self/status']).ok()
    eq({line.split()[1] for line in r.out.splitlines()}, {'0' * 16})
    eq(len(r.out.splitlines()), 5)
    r = inside(['sh', '-c', 'grep -E "^(NoNewPrivs|Seccomp):" '
                '/proc/self/status | tr -d "\\t\\n "']).ok()
    eq(r.out, 'NoNewPrivs:1Seccomp:2')


@cases({'remount a grant': ('call("mount", None, PATH, None, 0x1020, None)'),
        'unmount a grant': ('call("umount2", PATH, 2)'),
        'unmount the base': ('call("umount2", b"/usr/bin", 2)'),
        'mount a tmpfs': ('call("mount", b"x", PATH, b"tmpfs", 0, None)'),
        'bind the root': ('call("mount", b"/", PATH, None, 0x5000, None)'),
        'pivot the root': ('call(155, PATH, PATH)'),
        'change the root': ('call("chroot", PATH)')})
def w1_what_root_would_do_to_the_view(code):
    os.mkdir('r')
    here = os.getcwd() + '/r'
    path = f'{here!r}.encode()'
    eq(inside(code.replace('PATH', path), ro='r').refused, 'EPERM')


@test(only='root')
def w1_a_root_caller_cannot_write_what_is_read_only():
    victim = write('r/file', 'original')
    code = f'open({str(victim)!r}, "w").write("changed")'
    check(outside(code).done, 'control')
    eq(read(victim), 'changed', 'control')
    victim.write_text('original')
    eq(inside(code, ro='r').refused, 'EROFS')
    eq(inside(f'os.chmod({str(victim)!r}, 0o777)', ro='r').refused, 'EROFS')
    eq(read(victim), 'original')


@test(only='root')
def w1_a_root_caller_does_not_read_files_of_others():
    """Without capabilities uid 0 is one user among others: mode bits count."""
    key = write('r/key', 'secret', mode=0o400)
    os.chown(key, 61235, 61235)
    code = f'print(open({str(key)!r}).read())'
    check(outside(code).done, 'control')
    eq(inside(code, ro='r').refused, 'EACCES')


@test(only='root')
def w1_a_root_caller_gives_nothing_away():
    os.mkdir('w')
    there = f'{os.getcwd()}/w/f'
    code = f'open({there!r}, "w").close(); os.chown({there!r}, 61235, 61235)'
    check(outside(code).done, 'control')
    os.unlink(there)
    # An id that is not mapped into the sandbox (user_namespaces(7)).
    eq(inside(code, rw='w').refused, 'EINVAL')


@cases({name: name for name in ('null', 'zero', 'full', 'random', 'urandom',
                                'tty')})
def w1_device_files_of_the_host_keep_their_modes(name):
    """A root caller's workload owns them; the mode tried is what they have."""
    attack_by = f'os.chmod("/dev/{name}", 0o666)'
    if IS_ROOT:
        check(outside(attack_by).done, 'control')
    eq(inside(attack_by).refused, 'EROFS')
    eq(inside(f'os.utime("/dev/{name}", (1, 1))').refused, 'EROFS')
    eq(inside(f'os.rename("/dev/{name}", "/dev/other")').refused, 'EBUSY')


@test(only='root')
def w1_standard_streams_are_no_way_to_dev_null():
    code = 'os.fchmod(0, 0o666); os.fchmod(2, 0o666)'
    for argv, want in ((pyprobe(code), 'done'),
                       ([MXC, *mxc_args(pyprobe(code))], 'refused EROFS')):
        p = spawn(argv, stderr=subprocess.DEVNULL)
        eq(p.communicate(timeout=30)[0].decode().splitlines()[-1], want)


@test
def identity_cannot_be_changed():
    r = inside('os.setuid(12345)')
    eq(r.refused, 'EINVAL', 'an id that is not mapped')
    eq(inside('os.setgid(12345)').refused, 'EINVAL')
    eq(inside('os.setgroups([])').refused, 'EPERM')
    if IS_ROOT:
        check(outside('os.setgroups([]); os.setgid(12345); '
                      'os.setuid(12345)').done, 'control')


@test
def identity_is_the_callers():
    """Files that the workload writes belong to who called."""
    os.mkdir('w')
    inside(['touch', f'{os.getcwd()}/w/f'], rw='w').ok()
    st = os.stat('w/f')
    eq((st.st_uid, st.st_gid), (os.geteuid(), os.getegid()))
    r = inside(['id', '-u']).ok()
    eq(r.out.strip(), str(os.geteuid()))


def ignoring(*argv):
    """argv, started with signals blocked and ignored as a bad caller may."""
    return ([PYTHON, '-c',
             'import os, signal, sys\n'
             'signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n'
             'for s in (1, 2, 3, 13, 15, 17, 20):\n'
             '    signal.signal(s, signal.SIG_IGN)\n'
             'os.umask(0o777)\n'
             'os.execv(sys.argv[1], sys.argv[1:])', *map(str, argv)])


@test
def w7_signal_masks_of_the_caller_do_not_reach_the_workload():
    status = ['grep', '^Sig[BI]', '/proc/self/status']
    want = 'SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n'
    check(run(ignoring('/usr/bin/env', *status)).out != want, 'control')
    eq(run(ignoring(MXC, *mxc_args(status))).ok().out, want)


@test
def w7_the_workload_can_be_terminated():
    r = run(ignoring(MXC, *mxc_args(['sh', '-c', 'kill -TERM $$; echo no'])))
    r.ok(128 + signal.SIGTERM)
    lacks(r.out, 'no')


@test
def w31_umask_of_the_caller_does_not_count():
    os.mkdir('w')
    os.chmod('w', 0o755)
    r = run(ignoring(MXC, *mxc_args(['sh', '-c', 'umask'])))
    eq(r.ok().out.strip(), '0022')


@test
def w31_own_session_and_no_terminal():
    r = inside('print(os.getsid(0) == os.getpid() == os.getpgid(0))\n'
               'os.open("/dev/tty", os.O_RDWR)', tty=False)
    has(r.out, 'True')
    eq(r.refused, 'ENXIO')
    # With the caller's terminal as its streams too.
    shell = ['sh', '-c', 'test -t 0 && exec 3</dev/tty']
    pty(shell).ok()
    r = pty([MXC, *mxc_args(shell)]).ok(2)
    has(r.out, 'cannot open /dev/tty: No such device or address')


@test
def w31_limits_of_the_caller_do_not_count():
    """Its soft limits are not the workload's; what it must not exceed is."""
    r = run(['sh', '-c', 'ulimit -Sn 64; ulimit -Sc unlimited 2>/dev/null; '
             'exec "$@"', 'sh', MXC, *mxc_args(['sh', '-c',
                                               'ulimit -Sn; ulimit -Sc'])])
    files, _ = r.ok().out.split()
    check(int(files) > 64, files)


@test(only='root')
def w31_groups_of_a_root_caller_are_dropped():
    key = write('r/key', 'for the group', mode=0o040)
    os.chown(key, 61235, 61236)
    code = f'print(open({str(key)!r}).read(), os.getgroups())'
    # A caller without CAP_DAC_OVERRIDE, so that only its group opens it.
    caller = ['setpriv', '--groups', '61236', '--bounding-set',
              '-dac_override,-dac_read_search']
    check(run([*caller, *pyprobe(code)]).done, 'control')
    r = run([*caller, MXC, *mxc_args(pyprobe(code), ro='r')])
    eq(r.refused, 'EACCES')


@test(only='root')
def w31_groups_of_a_user_count_only_on_grants():
    """The kernel does not let an unprivileged caller drop its groups; the
    receipt says so."""
    key = write('r/key', 'for the group', mode=0o040)
    os.chown(key, 61235, 61236)
    os.chmod('.', 0o755)
    tree = os.getcwd() + '/tree'
    shutil.copytree(MXC.parent.parent, tree)
    caller = ['setpriv', '--reuid=61234', '--regid=61234', '--groups',
              '61236', '--inh-caps=-all']
    result = write('result.json', mode=0o666)
    code = f'open({str(key)!r}).read()'
    r = run([*caller, f'{tree}/bin/mxc', *mxc_args(pyprobe(code))])
    eq(r.refused, 'ENOENT', 'not granted')
    args = mxc_args(pyprobe(code), ro='r', flags=['--json', result])
    check(run([*caller, f'{tree}/bin/mxc', *args]).done,
          'granted: the group counts')
    has(read(result), 'not enforced: they count on granted paths')


@test
def w31_cgroup_of_the_caller_is_not_shown():
    r = inside(['cat', '/proc/self/cgroup']).ok()
    for line in r.out.splitlines():
        eq(line.split(':')[2], '/', 'own cgroup namespace')


@test
def w14_nothing_is_left_after_a_signal():
    def left():
        return [n for n in os.listdir('/tmp') if n.startswith('mxc')
                and not re.fullmatch(r'mxc-[a-z]+-\w{6,8}', n)]
    before, files = host_state(), left()
    for sig in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT):
        p = spawn([MXC, *mxc_args(['sh', '-c', 'echo up; exec sleep 60'])])
        eq(p.stdout.readline(), b'up\n')
        p.send_signal(sig)
        p.communicate(timeout=10)
    eventually(lambda: not descendants(), 2, 'all gone')
    leaves_nothing(before)
    eq(left(), files)


main()
