"""host.py - the host's side of a test: files, sockets, processes, and what
must not be left of them.  Part of tap.py."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import threading
from checks import eventually

IS_ROOT = os.geteuid() == 0
# Helpers of a whole file, which belong to no test's family.
kept = set()


def as_bytes(text):
    return text.encode('utf-8', 'surrogateescape') if isinstance(
        text, str) else text


def write(name, text='', mode=None):
    """A file below the test's directory (or anywhere); answers its path."""
    path = pathlib.Path.cwd() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(as_bytes(text))
    if mode is not None:
        path.chmod(mode)
    return path


def read(name):
    return pathlib.Path(name).read_text(errors='surrogateescape')


class Listener:
    """A canary socket of the host; .got is what reached it.

    Listener() is TCP on 127.0.0.1, Listener('/path') a unix socket, with a
    leading '@' an abstract one; udp=True for datagrams on 127.0.0.1.
    """

    def __init__(self, name=None, udp=False):
        family = socket.AF_UNIX if name else socket.AF_INET
        self.sock = socket.socket(
            family, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM)
        self.udp, self.got = udp, []
        if name:
            name = os.fspath(name)
            self.sock.bind('\0' + name[1:] if name[0] == '@' else name)
        else:
            self.sock.bind(('127.0.0.1', 0))
            self.port = self.sock.getsockname()[1]
        if not udp:
            self.sock.listen(16)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                if self.udp:
                    self.got.append(self.sock.recv(4096))
                    continue
                peer, _ = self.sock.accept()
                self.got.append(b'')
                peer.settimeout(1)
                with peer, contextlib.suppress(OSError):
                    self.got[-1] = peer.recv(4096)


def descriptors(pid):
    """{number: what it leads to} of a process; some close meanwhile."""
    found = {}
    for fd in os.listdir(f'/proc/{pid}/fd'):
        with contextlib.suppress(FileNotFoundError):
            found[fd] = os.readlink(f'/proc/{pid}/fd/{fd}')
    return found


def processes():
    """{pid: (ppid, name)} of every process on this host."""
    table = {}
    for entry in os.listdir('/proc'):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError):
            text = read(f'/proc/{entry}/stat')
            name, rest = text[text.index('(') + 1:].rsplit(')', 1)
            if rest.split()[0] not in 'ZX':
                table[int(entry)] = (int(rest.split()[1]), name)
    return table


def is_leaving(pid):
    """On its way out: no code of its own will run again."""
    pf_exiting = 4   # <linux/sched.h>; proc(5), /proc/pid/stat, flags
    try:
        text = read(f'/proc/{pid}/stat')
    except OSError:
        return False
    return bool(int(text.rsplit(')', 1)[1].split()[6]) & pf_exiting)


def descendants(pid=None):
    """{pid: name} of all living processes that this test started.

    The test is a subreaper, so that an orphan too stays in its family.
    """
    table, family = processes(), {}
    seen = {pid or os.getpid()}
    while True:
        new = {p for p, (parent, _) in table.items()
               if parent in seen and p not in seen | kept}
        if not new:
            return family
        seen |= new
        family.update({p: table[p][1] for p in new})


def kill_descendants(pid=None):
    for victim in descendants(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)


def _is_anothers(path):
    """In the directory of a test that runs beside this one?"""
    m = re.match(r'/tmp/mxc-test-\w+/', path)
    return m and not os.environ['HOME'].startswith(m.group())


def _is_anothers_group(path):
    """Locked (flock(2)) by a living maker that this test did not start?"""
    try:
        st = os.stat(path)
    except FileNotFoundError:
        return True   # gone meanwhile
    file = f'{os.major(st.st_dev):02x}:{os.minor(st.st_dev):02x}:{st.st_ino}'
    # proc_locks(5); one that waits for it has an arrow in front.
    makers = {int(f[-4]) for line in read('/proc/locks').splitlines()
              if (f := line.split())[-7] == 'FLOCK' and f[-3] == file}
    living = makers & processes().keys()
    return bool(living) and not living & {os.getpid(), *descendants()}


def host_state():
    """What a sandbox must not leave on the host: see leaves_nothing().

    Mounts of this namespace, System V objects, and cgroups with our name.
    """
    mounts = sorted(path for line in read('/proc/self/mountinfo').splitlines()
                    if not _is_anothers(path := line.split()[4]))
    ipc = [f'{k} {line.split()[1]}' for k in ('shm', 'sem', 'msg')
           for line in read(f'/proc/sysvipc/{k}').splitlines()[1:]]
    groups = sorted(d for d, _, _ in os.walk('/sys/fs/cgroup')
                    if 'mxc' in os.path.basename(d)
                    and not _is_anothers_group(d))
    return {'mounts': mounts, 'ipc': ipc, 'cgroups': groups}


def leaves_nothing(before, look=host_state):
    """The host has nothing that it had not when look() was `before`.  What
    others make on it meanwhile goes again: left is what stays all the time."""
    def more():
        return {(k, x) for k, now in look().items()
                for x in now if x not in before[k]}
    left = more()

    def is_gone():
        left.intersection_update(more())
        return not left
    eventually(is_gone, 5, lambda: f'left on the host: {sorted(left)}')


def temporary():
    """Files of ours where programs like to leave some."""
    runtime = os.environ.get('XDG_RUNTIME_DIR', f'/run/user/{os.geteuid()}')
    return sorted(os.path.join(d, name)
                  for d in ('/tmp', '/dev/shm', '/run', runtime)
                  if os.path.isdir(d) and os.access(d, os.R_OK)
                  for name in os.listdir(d) if name.startswith('mxc')
                  # Folders of tests, a bench or a demo that run beside us.
                  and not re.fullmatch(r'mxc-[a-z]+-\w{6,8}', name))
