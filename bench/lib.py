"""lib.py - what bench/run and bench/network share: where the measured
programs are, who runs them, and the memory of an idle sandbox."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parents[1]
ORACLE = TOP / 'build/oracle/node_modules/@microsoft/mxc-sdk/bin/x64/lxc-exec'
USER_ID = 61234
# What MXC shows of the system; bubblewrap gets the same here.
BASE = '''/bin /sbin /lib /lib32 /lib64 /libx32 /usr/bin /usr/sbin /usr/lib
/usr/lib32 /usr/lib64 /usr/libexec /usr/share /etc'''.split()


class Bench:
    """The programs in a folder that the measuring user can read."""

    def __init__(self, build, folder):
        self.folder = folder
        shutil.copytree(build / 'tree', folder / 'tree', symlinks=True)
        for program in ('bench_spawn', 'bench_exec', 'net_peer'):
            shutil.copy(build / 'dev/bench' / program, folder)
        self.mxc = str(folder / 'tree/bin/mxc')
        # Who has been given capabilities does not hand them on.
        self.prefix = ['setpriv', '--inh-caps=-all', '--ambient-caps=-all']
        if os.geteuid() == 0:
            self.prefix += [f'--reuid={USER_ID}', f'--regid={USER_ID}',
                            '--clear-groups']
        self.env = {'PATH': '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin',
                    'HOME': str(folder), 'TMPDIR': str(folder)}
        for path in (folder, folder / 'many'):
            path.mkdir(exist_ok=True)
            path.chmod(0o777)
        # Where sessions are kept: the measuring user's alone.
        runtime = folder / 'runtime'
        runtime.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(runtime, USER_ID, USER_ID)
        self.env['XDG_RUNTIME_DIR'] = str(runtime)

    def run(self, argv, **more):
        more = {'check': True, **more}
        return subprocess.run([*self.prefix, *argv], env=self.env,
                              text=True, cwd=self.folder, **more)

    def start(self, argv, **more):
        return subprocess.Popen([*self.prefix, *argv], env=self.env,
                                cwd=self.folder, **more)

    def become_root(self):
        """What follows is measured as root, with sessions of its own."""
        self.prefix = []
        runtime = self.folder / 'runtime-root'
        runtime.mkdir(mode=0o700)
        self.env['XDG_RUNTIME_DIR'] = str(runtime)

    @contextlib.contextmanager
    def session(self):
        """The id of a started session."""
        ident = self.run([self.mxc, 'provision'],
                         stdout=subprocess.PIPE).stdout.strip()
        try:
            self.run([self.mxc, 'start', ident])
            yield ident
        finally:
            self.run([self.mxc, 'deprovision', ident])

    def spawn(self, rounds, width, commands):
        joined = []
        for argv in commands:
            joined += [*argv, ':::']
        out = self.run(['./bench_spawn', str(rounds), str(width),
                        *joined[:-1]], stdout=subprocess.PIPE).stdout
        return figures(out)

    @contextlib.contextmanager
    def pool(self, size):
        """The name of a pool with so many ready."""
        name = self.run([self.mxc, 'pool', 'start', '--size', str(size)],
                        stdout=subprocess.PIPE).stdout.strip()
        try:
            yield name
        finally:
            self.run([self.mxc, 'pool', 'stop', name])

    def exec(self, session, rounds, argv, pool='-'):
        """(p50, p99) of a command by itself, in the session by libmxc, and in
        the pool by libmxc where there is one"""
        return figures(self.run(
            ['env', f'LD_LIBRARY_PATH={self.folder}/tree/lib', './bench_exec',
             session, pool, str(rounds), *argv],
            stdout=subprocess.PIPE).stdout)


def figures(out):
    return [[float(n) for n in line.split()] for line in out.splitlines()]


def request(folder, name, **more):
    path = folder / name
    path.write_text(json.dumps({
        'version': '1.0.0', 'process': {'commandLine': 'true'}, **more}))
    path.chmod(0o644)
    return str(path)


def mxc_one(b, name='mxc.json', **more):
    """MXC itself, if it is here and runs on this host."""
    if not ORACLE.exists():
        return None, 'not here: tools/fetch-oracle gets it'
    shutil.copy(ORACLE, b.folder)
    argv = ['./lxc-exec', request(b.folder, name, **more)]
    try:
        b.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    except (subprocess.CalledProcessError, OSError) as e:
        return None, f'does not run here: {getattr(e, "stderr", e)}'
    return argv, ''


def bwrap(work, more=()):
    """The same walls as MXC's own command line, without a filter."""
    argv = ['bwrap', '--unshare-user', '--unshare-pid', '--unshare-ipc',
            '--unshare-uts', '--unshare-net', '--die-with-parent']
    for path in BASE:
        argv += ['--ro-bind-try', path, path]
    argv += ['--dev', '/dev', '--proc', '/proc', '--tmpfs', '/tmp', *more]
    return [*argv, '--', *work]


def runsc(work):
    """gVisor as mxc starts it, with the host's root for a view."""
    return ['runsc', '--rootless', '--network=none', '--ignore-cgroups',
            '--platform=ptrace', '--overlay2=none', '--file-access=shared',
            'do', '-force-overlay=false', *work]


def granted():
    """Of the host's programs, what is no link: the rest are links in a root."""
    return [p for p in BASE if os.path.isdir(p) and not os.path.islink(p)
            and p != '/etc']


def root(b, name):
    """A directory of the measuring user's with the host's links to programs
    and nothing else: what a container's root is made of."""
    top = b.folder / name
    for d in ('dev', 'proc', 'sys', 'tmp', 'etc', *(p[1:] for p in granted())):
        (top / d).mkdir(parents=True, exist_ok=True)
    for link in filter(os.path.islink, BASE):
        (top / link[1:]).symlink_to(os.readlink(link))
    if os.geteuid() == 0:
        subprocess.run(['chown', '-R', f'{USER_ID}:{USER_ID}', top],
                       check=True)
    return top


LXC = '''\
lxc.rootfs.path = dir:{root}
lxc.net.0.type = empty
lxc.mount.auto = proc:rw
lxc.pty.max = 0
lxc.tty.max = 0
lxc.console.path = none
'''


def lxc_execute(b, folder):
    """A way around a command: liblxc's own, with what mxc's container has but
    for a root that is copied on write.

    An ordinary user is its root in a namespace like mxc's: LXC returns to the
    network it came from, and drops groups if it can, which is forbidden there.
    """
    top = root(b, 'lxc-root')
    (top / folder[1:]).mkdir(parents=True)
    lines = [f'lxc.mount.entry = {p} {p[1:]} none bind,ro 0 0'
             for p in granted()]
    lines.append(f'lxc.mount.entry = {folder} {folder[1:]} none bind 0 0')
    conf = b.folder / 'lxc.conf'
    conf.write_text(LXC.format(root=top) + '\n'.join(lines) + '\n')
    return lambda work: [
        'unshare', '-Urmn', 'setpriv', '--bounding-set=-setgid',
        'lxc-execute', '-P', str(b.folder), '-n', 'bench', '-f', str(conf),
        '--', *work]


def mxc_image(b):
    """Options that `mxc run` needs for a backend with an image's root."""
    b.run([b.mxc, 'image', 'import', 'bench/1', root(b, 'image')],
          stdout=subprocess.DEVNULL)
    return ['--image', 'bench/1', *(w for p in granted() for w in ('--ro', p))]


def pss_kb(pid):
    text = pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text()
    return int(re.search(r'^Pss:\s+(\d+)', text, re.M).group(1))


def family(pid):
    """pid and everything below it."""
    children = pathlib.Path(f'/proc/{pid}/task/{pid}/children').read_text()
    return [pid] + [d for c in children.split() for d in family(int(c))]


def is_ours(pid, workload):
    """Not the workload, which waits in a read of its own."""
    with open(f'/proc/{pid}/comm') as f:
        return f.read().strip() != workload


def memory(b, *options):
    """PSS in kB of all of our processes around one idle sandbox."""
    return memory_of(b, [b.mxc, 'run', *options, '--', 'cat'])


def memory_of(b, argv):
    """The same of any command that ends in starting cat, which answers when it
    is there: behind gVisor it is no process of this host."""
    with b.start(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
        p.stdin.write(b'x')
        p.stdin.flush()
        if p.stdout.read(1) != b'x':
            raise RuntimeError('the idle sandbox did not start')
        time.sleep(0.1)
        return sum(pss_kb(x) for x in family(p.pid) if is_ours(x, 'cat'))
