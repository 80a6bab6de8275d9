"""internet.py - a test internet of network namespaces, for root and for users.

    from internet import *

    net = internet()          # once per file, before its tests are declared

    @test
    def a_page():
        net.dns['example.test'] = A('203.0.113.10'), AAAA('2001:db8:1::10')
        net.host('curl', '-sS', 'https://example.test/').ok()
        r = net.mxc('run', '--allow-host', 'example.test', '--',
                    'curl', '-sS', 'https://example.test/').ok()
        eq([r['host'] for r in net.requests()], ['example.test'] * 2)

internet() puts the calling process, and so all tests of the file, into a
network and a mount namespace of its own: that is "the host", with a NIC, a
default route, /etc/resolv.conf and /etc/hosts.  Root stays root; an ordinary
user gets there by a user namespace that maps only its own id, so that what it
executes has no capability, as everywhere else.  A helper in a process
namespace of its own is everything beyond the NIC (net_servers.py); it dies
with the test file, and nothing outlives it: the files are on a tmpfs in /srv
that only these processes see.  No packet leaves the machine.

A test begins with an empty log and with the names set before the first test.
"""

import contextlib
import ctypes
import errno
import json
import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess

import net_servers
import tap
from net_http import SECRET, pattern  # noqa: F401

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
CAP_NET_ADMIN = 12

WEB, WEB6 = '203.0.113.10', '2001:db8:1::10'
OTHER, OTHER6 = '198.51.100.20', '2001:db8:1::20'
RESOLVER, RESOLVER6 = '203.0.113.53', '2001:db8:1::53'
NIC, NIC6, LAN_NIC = '203.0.113.1', '2001:db8:ffff::1', '10.9.9.1'
GATEWAY, GATEWAY6 = '203.0.113.254', '2001:db8:ffff::fe'
# Nobody answers there, and nobody says so.
SILENT, SILENT6 = '192.0.2.99', '2001:db8:dead::99'
PRIVATE = ('10.1.2.3', '192.168.77.7', '172.16.5.5', '100.64.3.3',
           'fd12:3456::7')
METADATA = ('169.254.169.254', '100.100.100.200', '168.63.129.16',
            'fd00:ec2::254')
LINK_LOCAL, LINK_LOCAL6 = '169.254.7.7', 'fe80::fe'
# What the "internet" has: every address of these blocks answers.
SERVED = ('203.0.113.8/29', '203.0.113.16/28', '203.0.113.32/27',
          '198.51.100.0/24', '8.8.8.8/32', '10.1.2.0/24', '192.168.77.0/24',
          '172.16.5.0/24', '100.64.3.0/24', '169.254.0.0/16',
          '100.100.100.200/32', '168.63.129.16/32')
SERVED6 = ('2001:db8:1::/64', 'fd12:3456::/64', 'fd00:ec2::254/128',
           '64:ff9b::/96', '2002::/16')
FOLDER = '/srv'
CA = f'{FOLDER}/ca.pem'
# Every client's own way to be told of an authority.
CA_ENV = {name: CA for name in (
    'CURL_CA_BUNDLE', 'SSL_CERT_FILE', 'GIT_SSL_CAINFO', 'PIP_CERT',
    'NODE_EXTRA_CA_CERTS', 'NPM_CONFIG_CAFILE', 'REQUESTS_CA_BUNDLE')}

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name, *args):
    if getattr(_libc, name)(*args) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f'{name}: {os.strerror(code)}')


def _mount(source, target, kind, flags, data=None):
    _call('mount', source and source.encode(), target.encode(),
          kind and kind.encode(), ctypes.c_ulong(flags),
          data and data.encode())


def _put(path, text):
    with open(path, 'w', encoding='ascii') as f:
        f.write(text)


def _again(f, text):
    f.seek(0)
    f.truncate()
    f.write(text)
    f.flush()


def _die_with_parent(parent):
    _call('prctl', 1, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


# --- zone data -------------------------------------------------------------

def _rows(kind, values, ttl):
    return {'records': [[kind, v, ttl] for v in values]}


def A(*addresses, ttl=60):
    return _rows('A', addresses, ttl)


def AAAA(*addresses, ttl=60):
    return _rows('AAAA', addresses, ttl)


def CNAME(name, ttl=60):
    return _rows('CNAME', [name], ttl)


def TXT(text, ttl=60):
    return _rows('TXT', [text], ttl)


def Foreign(owner, kind, value, ttl=60):
    """A record that says to be somebody else's."""
    return {'records': [[kind, value, ttl, owner]]}


def Flip(*steps):
    """Another answer for each query of a type; the last one stays."""
    return {'flip': [_merge(s) for s in steps]}


ROTATE, TRUNCATED, SILENCE = {'rotate': 1}, {'truncate': 1}, {'silent': 1}
NXDOMAIN = {'rcode': net_servers.net_dns.NXDOMAIN}
SERVFAIL = {'rcode': net_servers.net_dns.SERVFAIL}
REFUSED = {'rcode': net_servers.net_dns.REFUSED}


def Mangled(how):
    return {'mangle': how}


def Late(seconds):
    return {'delay': seconds}


def _merge(entry):
    if isinstance(entry, dict):
        return entry
    out = {}
    for part in entry:
        records = out.get('records', []) + part.get('records', [])
        out = {**out, **part, 'records': records}
    return out


# --- probes ----------------------------------------------------------------

# How socket.gaierror says it: no such name, try again, no address.
NO_NAME, TRY_AGAIN, NO_ADDRESS = '-2', '-3', '-5'


def connecting(to, port=80, seconds=5):
    """A probe that connects; prints how many milliseconds that took.

    Linux queues an ICMP error on an IPv4 socket, and wakes who polls it, a
    moment before it sets SO_ERROR: a client may then believe itself connected
    until its first call, so that is made too.  It sends nothing.
    """
    return timed(f'socket.create_connection(({to!r}, {port}), {seconds})'
                 '.send(b"")')


def sending(to, port=7, data=b'x', seconds=5):
    """A probe that wants a datagram back."""
    family = 'AF_INET6' if ':' in to else 'AF_INET'
    return timed(
        f's = socket.socket(socket.{family}, socket.SOCK_DGRAM)\n'
        f's.settimeout({seconds})\ns.connect(({to!r}, {port}))\n'
        f's.send({data!r})\ns.recv(65535)')


def timed(code):
    body = code.replace('\n', '\n    ')
    return (f'start = time.monotonic()\ntry:\n    {body}\nfinally:\n'
            '    print("ms", (time.monotonic() - start) * 1000)')


def ms(r):
    """What a timed() probe printed."""
    return float(next(line.split()[1] for line in r.out.splitlines()
                      if line.startswith('ms ')))


# --- building --------------------------------------------------------------

def _enter():
    """Into namespaces of our own, as who we are."""
    uid, gid = os.geteuid(), os.getegid()
    flags = CLONE_NEWNET | CLONE_NEWNS
    if uid != 0:
        flags |= CLONE_NEWUSER
    _call('unshare', flags)
    if uid != 0:
        _put('/proc/self/setgroups', 'deny')
        _put('/proc/self/uid_map', f'{uid} {uid} 1')
        _put('/proc/self/gid_map', f'{gid} {gid} 1')
    _mount(None, '/', None, MS_REC | MS_PRIVATE)
    _mount('tmpfs', FOLDER, 'tmpfs', 0, 'mode=755')
    os.mkdir(f'{FOLDER}/etc')
    os.mkdir(f'{FOLDER}/git')
    _overlay('resolv.conf', f'nameserver {RESOLVER}\nnameserver {RESOLVER6}\n'
             'options timeout:1 attempts:2\n')
    _overlay('hosts', '127.0.0.1 localhost\n::1 localhost ip6-localhost\n'
             f'{LAN_NIC} this-host\n')
    # ssh wants to know who it is.
    if not _has_account(uid):
        _overlay('passwd', tap.read('/etc/passwd')
                 + f'tester:x:{uid}:{gid}::/nonexistent:/bin/sh\n')


def _has_account(uid):
    with contextlib.suppress(KeyError):
        return bool(pwd.getpwuid(uid))
    return False


def _overlay(name, text):
    _put(f'{FOLDER}/etc/{name}', text)
    _mount(f'{FOLDER}/etc/{name}', os.path.realpath(f'/etc/{name}'), None,
           MS_BIND)


def _ip(lines, netns=None, keep=()):
    """iproute2 needs what only this process, and no other program, has."""
    def prepare():
        if netns is not None:
            _call('setns', netns, CLONE_NEWNET)
        head, data = struct.pack('Ii', 0x20080522, 0), bytearray(24)
        _call('capget', head, (ctypes.c_char * 24).from_buffer(data))
        words = list(struct.unpack('6I', data))
        words[2], words[5] = words[1], words[4]   # inheritable = permitted
        _call('capset', head, struct.pack('6I', *words))
        _call('prctl', 47, 2, CAP_NET_ADMIN, 0, 0)   # PR_CAP_AMBIENT_RAISE
    fds = keep if netns is None else (netns, *keep)
    r = subprocess.run(['ip', '-batch', '-'], input='\n'.join(lines) + '\n',
                       text=True, capture_output=True, check=False,
                       preexec_fn=prepare, pass_fds=fds,
                       env={'PATH': '/usr/sbin:/sbin:/usr/bin:/bin'})
    if r.returncode:
        raise OSError(errno.EINVAL, f'ip: {r.stderr.strip()}')


def _sysctl(group):
    _put('/proc/sys/net/ipv6/conf/default/accept_dad', '0')
    _put('/proc/sys/net/ipv6/conf/all/accept_dad', '0')
    _put('/proc/sys/net/ipv4/ping_group_range', f'{group} {group}')


def _join(host):
    """The wire between the two; called in the internet's namespace."""
    _sysctl(os.getegid())
    for family in ('ipv4', 'ipv6'):
        _put(f'/proc/sys/net/{family}/ip_nonlocal_bind', '1')
    _put('/proc/sys/net/ipv4/ip_unprivileged_port_start', '0')
    with open('/proc/self/ns/net', encoding='ascii') as here:
        _ip([f'link add nic0 type veth peer name wire0 '
             f'netns /proc/self/fd/{here.fileno()}', 'link set lo up',
             f'addr add {NIC}/24 dev nic0', f'addr add {LAN_NIC}/24 dev nic0',
             f'addr add {NIC6}/64 dev nic0 nodad', 'link set nic0 up'],
            host, (here.fileno(),))
    _ip(['link set lo up', f'addr add {GATEWAY}/24 dev wire0',
         'addr add 10.9.9.254/24 dev wire0',
         f'addr add {GATEWAY6}/64 dev wire0 nodad',
         f'addr add {LINK_LOCAL6}/64 dev wire0 nodad', 'link set wire0 up',
         *(f'route add local {block} dev lo' for block in SERVED),
         *(f'route add local {block} dev lo' for block in SERVED6),
         'route add blackhole ::/0'])
    _ip([f'route add default via {GATEWAY}',
         f'route add ::/0 via {GATEWAY6} dev nic0'], host)


class internet:
    """The test internet; one per test file."""

    def __init__(self):
        for program in ('ip', 'openssl'):
            if not shutil.which(program, path=os.environ.get(
                    'PATH', '') + ':/usr/sbin:/sbin'):
                raise SystemExit(f'Bail out! no program {program}')
        _enter()
        _ip(['link set lo up'])
        self.dns = _Names(self)
        self._door, inner = socket.socketpair(socket.AF_UNIX,
                                              socket.SOCK_SEQPACKET)
        self._owner, self._user, self._lines = os.getpid(), 0, None
        ready, done = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._keeper(self._owner, inner, done, (self._door, ready))
        tap.kept.add(pid)
        os.close(done)
        inner.close()
        with os.fdopen(ready) as f:
            said = f.read()
        if said != 'ready':
            raise OSError(errno.EIO, f'no test internet: {said}')
        _sysctl(os.getegid())
        tap.before_each.append(self._begin)
        self.dns['example.test'] = A(WEB), AAAA(WEB6)
        self.dns['other.test'] = A(OTHER), AAAA(OTHER6)

    def _keeper(self, parent, inner, done, ours):
        """Waits for the first process of a process namespace; dies with us."""
        code = 1
        try:
            _die_with_parent(parent)
            for thing in ours:
                thing.close() if hasattr(thing, 'close') else os.close(thing)
            _call('unshare', CLONE_NEWPID)
            pid = os.fork()
            if pid == 0:
                self._serve(inner, done)
            os.close(done)
            inner.close()
            os.waitpid(pid, 0)
            code = 0
        finally:
            os._exit(code)

    @staticmethod
    def _serve(inner, done):
        try:
            # The parent, in another process namespace, has no number here.
            _die_with_parent(0)
            host = os.open('/proc/self/ns/net', os.O_RDONLY | os.O_CLOEXEC)
            servers = net_servers.Servers(FOLDER)
            _call('unshare', CLONE_NEWNS)
            servers.open_all('host')
            _call('unshare', CLONE_NEWNET)
            _join(host)
            servers.open_all('internet')
            servers.sniff('internet', 'wire0')
            os.write(done, b'ready')
            os.close(done)
            servers.attend(inner)
        except BaseException as e:
            with contextlib.suppress(OSError):
                os.write(done, f'{type(e).__name__}: {e}'.encode())
        finally:
            os._exit(1)

    # --- talking with the servers ---

    def _ask(self, *what):
        if self._user != os.getpid():
            mine, theirs = socket.socketpair()
            socket.send_fds(self._door, [b'x'], [theirs.fileno()])
            theirs.close()
            self._lines, self._user = mine.makefile('rwb'), os.getpid()
        self._lines.write(json.dumps(what).encode() + b'\n')
        self._lines.flush()
        return json.loads(self._lines.readline())

    def _set_names(self, names):
        self._ask('names', names, os.getpid() == self._owner)

    def _begin(self):
        self._ask('reset')
        self._ask('forget')

    def fresh(self):
        """Forget what was seen so far."""
        self._ask('forget')

    def log(self, *kinds, **facts):
        """What was seen, oldest first: dictionaries with these facts."""
        return [e for e in self._ask('log')
                if (not kinds or e['kind'] in kinds)
                and all(e.get(k) == v for k, v in facts.items())]

    def seen(self, **facts):
        """Connections and datagrams that a server got."""
        return self.log('tcp', 'udp', **facts)

    def requests(self, **facts):
        """HTTP requests: host, path, method, sni, tls, to, port, side."""
        return self.log('http', **facts)

    def packets(self, **facts):
        """What left the host: TCP SYNs, datagrams, echo requests, others."""
        return self.log('packet', side='internet', **facts)

    def queries(self, **facts):
        """[(name, type)] of every DNS query, in lower case.

        Letters of both cases are a client's guard against forged answers.
        """
        return [(e['name'].lower(), e['type'])
                for e in self.log('query', **facts)]

    def nothing_came(self, *addresses):
        """Nothing went to these addresses; with none, nothing anywhere."""
        got = [p for p in self.packets() + self.seen(side='host')
               if not addresses or p['to'] in addresses]
        if got:
            tap.fail(f'went out and should not: {got}')

    @contextlib.contextmanager
    def file(self, path, text):
        """Another /etc/resolv.conf or /etc/hosts in the host, for a while."""
        with open(path, 'r+', encoding='ascii') as f:
            old = f.read()
            _again(f, text)
            try:
                yield
            finally:
                _again(f, old)

    def ssh(self):
        """Start the ssh server; arguments for an ssh client, user included."""
        self._ask('ssh')
        return ['-F', '/dev/null', '-i', f'{FOLDER}/ssh/key', '-o',
                f'UserKnownHostsFile={FOLDER}/ssh/known', '-o',
                'BatchMode=yes', '-o', 'IdentitiesOnly=yes', '-o',
                'GlobalKnownHostsFile=/dev/null', '-o', 'ConnectTimeout=5']

    # --- running things ---

    def host(self, *argv, env=None, **options):
        """Run outside of any sandbox, in the host: the positive control."""
        return tap.run(argv, env={**CA_ENV, **(env or {})}, **options)

    def mxc(self, command, *args, **options):
        """Run mxc in the host; the authority is granted and told."""
        more = []
        if command == 'run':
            more = ['--ro', CA]
            for key, value in CA_ENV.items():
                more += ['--env', f'{key}={value}']
        r = tap.mxc(command, *more, *args, **options)
        # No refusal of what a test is about.
        tap.lacks(r.err, 'mxc: unknown option', 'stderr')
        return r

    def inside(self, what, *flags, input=b'', timeout=None, env=None,
               **grants):
        """A command (list) or Python probe (str) in a sandbox with flags."""
        args = tap.mxc_args(tap.argv_of(what), flags=flags, **grants)
        return self.mxc(*args, input=input, timeout=timeout, env=env)

    def outside(self, what, **options):
        """The same in the host."""
        return self.host(*tap.argv_of(what), **options)

    def attack(self, what, *flags, refused, to=(), control=True, **grants):
        """The probe works in the host and is refused so inside.

        And nothing of it reaches the addresses `to`: with none, nothing
        leaves the host at all.
        """
        if control:
            r = self.outside(what)
            if not r.done:
                tap.fail(f'outside of the sandbox too: {r}')
            self.fresh()
        r = self.inside(what, *flags, **grants)
        wanted = (refused,) if isinstance(refused, str) else tuple(refused)
        if r.done or r.refused not in wanted:
            tap.fail(f'want refused {" or ".join(wanted)}, got '
                     f'{"done" if r.done else r.refused}: {r}')
        self.nothing_came(*to)
        return r


class _Names:
    """net.dns[name] = A(...), AAAA(...), ROTATE, ...; None: no such name."""

    def __init__(self, net):
        self._net = net

    def __setitem__(self, name, entry):
        entry = NXDOMAIN if entry is None else _merge(entry)
        self._net._set_names({name.lower(): entry})


__all__ = '''internet A AAAA CNAME TXT Foreign Flip Late Mangled ROTATE TRUNCATED
SILENCE NXDOMAIN SERVFAIL REFUSED WEB WEB6 OTHER OTHER6 RESOLVER RESOLVER6 NIC
NIC6 LAN_NIC GATEWAY GATEWAY6 SILENT SILENT6 PRIVATE METADATA LINK_LOCAL
LINK_LOCAL6 connecting sending timed ms NO_NAME TRY_AGAIN NO_ADDRESS CA CA_ENV SECRET pattern FOLDER'''.split()
