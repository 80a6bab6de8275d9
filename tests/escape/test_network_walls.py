#!/usr/bin/env python3
"""The sandbox's own network namespace, other sandboxes, inherited sockets,
budgets, proxies, and what is left when a part dies (G13, G15-G20, G22, G24).
"""

import contextlib
import os
import signal
import socket
import struct
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403

net = internet()
NAME = ['--allow-host', 'example.test']
CURL = ['curl', '-sS', '--connect-timeout', '5', '-m', '10']
NO = ('EPERM', 'EACCES')


# --- G13: an allowed server that relays ---

@test
def g13_a_proxy_at_the_allowed_host():
    """Its port is one of its own ports: a rule with a port shuts it."""
    relay = [*CURL, '-x', 'http://example.test:3000', 'http://other.test/']
    net.host(*relay).ok()
    net.fresh()
    r = net.inside(relay, '--allow-host', 'example.test:443')
    check(r.status in (5, 7), r)
    eq(net.packets(proto='tcp'), [])
    # And HTTP says whom it means.
    r = net.inside(relay, *NAME)
    check(r.status in (52, 56, 22) or '400' in r.out, r)
    eq(net.requests(), [])


# --- G15: published ports ---

@cases({'udp': 'SOCK_DGRAM', 'tcp': 'SOCK_STREAM'})
def g15_only_the_declared_port(kind):
    code = (f's = socket.socket(socket.AF_INET, socket.{kind})\n'
            's.bind(("0.0.0.0", 5005))\n'
            + ('s.listen()\n' if kind == 'SOCK_STREAM' else '')
            + 'print("ready", flush=True)\ntime.sleep(20)')
    p = spawn([MXC, *mxc_args(pyprobe(code), flags=['--publish', '5006'])])
    eq(p.stdout.readline(), b'ready\n')
    for address in ('127.0.0.1', NIC, LAN_NIC):
        with socket.socket(type=getattr(socket, kind)) as s:
            s.settimeout(1)
            try:
                s.connect((address, 5005))
                s.send(b'x')
                s.recv(1)
                fail(f'{address} answers')
            except (ConnectionRefusedError, TimeoutError):
                pass
    p.kill()
    p.communicate()


@test
def g15_a_privileged_port_is_the_callers_word():
    """What the caller may not bind cannot be published, whoever asks."""
    r = net.inside(['true'], '--publish', '5000:81')
    if IS_ROOT:
        r.ok()
    else:
        r.failed(125, '81')


# --- G16: other sandboxes ---

SERVER = ('for f, a in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):'
          '\n    s = socket.socket(f)\n'
          '    if f == socket.AF_INET6:\n'
          '        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)\n'
          '    s.bind((a, 6000))\n    s.listen()\n    globals()[a] = s\n'
          'print("ready", flush=True)\n'
          'import select\n'
          'r = select.select([globals()["0.0.0.0"], globals()["::"]], [], [], '
          '20)[0]\nprint("connected" if r else "quiet", flush=True)')


@test
def g16_another_sandbox_is_not_reached():
    flags = ['--allow-net', 'internet', *NAME]
    p = spawn([MXC, *mxc_args(pyprobe(SERVER), flags=flags)])
    eq(p.stdout.readline(), b'ready\n')
    for address in ('198.18.0.1', '198.18.0.2', '198.18.0.4', '127.0.0.1',
                    'fd6d:7863:6e65:7400::1', 'fd6d:7863:6e65:7400::4', '::1',
                    NIC, LAN_NIC):
        r = net.inside(connecting(address, 6000, 2), *flags)
        check(not r.done, f'{address}: {r}')
    p.terminate()
    out, _ = p.communicate()
    lacks(out.decode(), 'connected')


@test
def g16_a_published_port_is_the_hosts_alone():
    code = SERVER.replace('20)', '20)')
    p = spawn([MXC, *mxc_args(pyprobe(code), flags=['--publish',
                                                    '6000:6001'])])
    eq(p.stdout.readline(), b'ready\n')
    for flags in ([], NAME, ['--allow-net', 'internet'],
                  ['--publish', '6000:6002']):
        for address in ('127.0.0.1', NIC, LAN_NIC, '::1'):
            r = net.inside(connecting(address, 6001, 2), *flags)
            check(not r.done, f'{address} {flags}: {r}')
    p.terminate()
    lacks(p.communicate()[0].decode(), 'connected')


# --- G17: SOCKS and proxies that are not there, or are misused ---

def socks(*pieces, port=3128):
    return (f's = socket.create_connection(("127.0.0.1", {port}), 5)\n'
            's.settimeout(5)\n'
            f'for p in {pieces!r}:\n    s.sendall(p)\n'
            '    a = s.recv(4096)\n    print("<", a.hex())\n'
            '    if not a:\n        raise OSError(errno.ECONNRESET, "closed")')


def name5(name, port, command=1):
    raw = name.encode('latin-1')
    return (bytes([5, command, 0, 3, len(raw)]) + raw
            + struct.pack('>H', port))


HELLO5 = b'\5\1\0'
BUILT_IN = ['--proxy', 'builtin', *NAME]


@test
def g17_the_control():
    r = net.inside(socks(HELLO5, name5('example.test', 13)), *BUILT_IN).ok()
    has(r.out, '< 0500\n< 0500')


@cases({
    'socks4': (b'\4\1\0\x50' + socket.inet_aton(OTHER) + b'me\0',),
    'socks4a': (b'\4\1\0\x50\0\0\0\1me\0other.test\0',),
    'socks4 of the allowed': (b'\4\1\0\x50' + socket.inet_aton(WEB) + b'\0',),
    'another name': (HELLO5, name5('other.test', 80)),
    'bind': (HELLO5, name5('example.test', 80, 2)),
    'udp associate': (HELLO5, name5('example.test', 80, 3)),
    'resolve': (HELLO5, name5('example.test', 0, 0xf0)),
    'address': (HELLO5, b'\5\1\0\1' + socket.inet_aton(OTHER) + b'\0\x50'),
    'loopback': (HELLO5, b'\5\1\0\1\x7f\0\0\1\0\x50'),
    'nul': (HELLO5, name5('other.test\0.example.test', 80)),
    'nul after': (HELLO5, name5('example.test\0.other.test', 80)),
    'two dots': (HELLO5, name5('example.test..', 80)),
    'number': (HELLO5, name5('2130706433', 80)),
    'hex': (HELLO5, name5('0x7f.1', 80)),
    'password': (b'\5\1\2',),
    'no length': (HELLO5, b'\5\1\0\3\0\0\x50')})
def g17_socks(*pieces):
    r = net.inside(socks(*pieces), *BUILT_IN)
    answers = [line for line in r.out.splitlines() if line[:2] == '< ']
    check(r.refused or not answers[-1].startswith('< 0500')
          or len(answers) < len(pieces), r)
    net.nothing_came()


@cases({'connect': 'CONNECT other.test:80', 'loopback': 'CONNECT 127.0.0.1:80',
        'encoded': 'CONNECT %31.0.0.1:80', 'user': 'CONNECT '
        'example.test:80@other.test:80', 'two ports':
        'CONNECT example.test:80:81', 'number': 'CONNECT 2130706433:80',
        'mapped': 'CONNECT [::ffff:127.0.0.1]:80', 'get':
        'GET http://other.test/', 'get user': 'GET http://example.test@'
        'other.test/', 'origin form': 'GET /', 'ftp': 'GET ftp://example.test/',
        'metadata': 'GET http://169.254.169.254/'})
def g17_http_proxy(line):
    host = line.split()[1].split('//')[-1].split('/')[0] or 'other.test'
    data = f'{line} HTTP/1.1\r\nHost: {host}\r\n\r\n'.encode()
    r = net.inside(socks(data), *BUILT_IN)
    check(r.refused or bytes.fromhex(r.out.split()[1])[9:10] in b'45', r)
    net.nothing_came()


@test
def g17_a_tunnel_is_checked_too():
    """CONNECT says one name, TLS or HTTP in it another."""
    data = b'CONNECT example.test:80 HTTP/1.1\r\nHost: example.test:80\r\n\r\n'
    evil = b'GET / HTTP/1.1\r\nHost: other.test\r\n\r\n'
    r = net.inside(socks(data, evil), *BUILT_IN)
    check(r.refused or '< 485454502f312e3120343030' in r.out, r)
    eq(net.requests(), [])


# --- G18: the namespace itself ---

NAMESPACE = {
    'a new one': 'call("unshare", 0x40000000)',
    'a user and a new one': 'call("unshare", 0x50000000)',
    'init\'s': 'call("setns", os.open("/proc/1/ns/net", os.O_RDONLY), 0)',
    'bind to device': 's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n'
                      's.setsockopt(1, 25, b"lo")\n'
                      's.settimeout(2)\n'
                      f's.connect(({OTHER!r}, 7))\ns.send(b"x")\ns.recv(1)',
    'mark': 's = socket.socket()\ns.setsockopt(1, 36, 1)',
    'transparent': 's = socket.socket()\ns.setsockopt(0, 19, 1)',
    'transparent6': 's = socket.socket(10)\ns.setsockopt(41, 75, 1)',
    'priority': 's = socket.socket()\ns.setsockopt(1, 12, 7)',
    'tun': 'fcntl.ioctl(os.open("/dev/net/tun", os.O_RDWR), 0x400454ca, '
           'struct.pack("16sH22x", b"t0", 1))',
    'interface down': 's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n'
                      'fcntl.ioctl(s, 0x8914, struct.pack("16sH22x", b"lo", 0))',
    'route by ioctl': 's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n'
                      'fcntl.ioctl(s, 0x890b, bytes(120))',
    'sysctl': 'open("/proc/sys/net/ipv4/ip_forward", "w").write("1")',
    'sysctl of ping': 'open("/proc/sys/net/ipv4/ping_group_range", "w")'
                      '.write("0 9")',
    'sysctl of ports': 'open("/proc/sys/net/ipv4/ip_unprivileged_port_start", '
                       '"w").write("0")',
    'filter': 's = socket.socket()\ns.setsockopt(0, 64, bytes(84))',
}


@cases(NAMESPACE)
def g18_it_cannot_be_changed(code):
    for flags in (NAME, ['--allow-net', 'internet', '--deny-net', OTHER]):
        r = net.inside(code, *flags)
        net.nothing_came()
        check(not r.done, r)
        check(r.refused in (*NO, 'EINVAL', 'ENOSYS', 'ENOENT', 'EROFS',
                            'ENOPROTOOPT', 'EHOSTUNREACH', 'ENXIO'), r)


# A request to the kernel's routing code, with what it answers.
NETLINK = '''
def netlink(kind, flags, body, family=0):
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
    s.send(struct.pack("IHHII", 16 + len(body), kind, flags, 1, 0) + body)
    data = s.recv(65536)
    size, what = struct.unpack_from("IH", data)
    code = struct.unpack_from("i", data, 16)[0]
    if what == 2 and code:
        raise OSError(-code, os.strerror(-code))
'''
CHANGES = {
    'a route': 'netlink(24, 0x605, struct.pack("8BI", 2, 0, 0, 0, 254, 4, 0, '
               '1, 0) + struct.pack("HHI", 8, 4, 1))',
    'deleting routes': 'netlink(25, 5, struct.pack("8BI", 2, 0, 0, 0, 255, 0, '
                       '0, 2, 0))',
    'an address': 'netlink(20, 0x605, struct.pack("4BI", 2, 32, 0, 0, 1) + '
                  'struct.pack("HH", 8, 2) + socket.inet_aton("10.1.2.3"))',
    'a rule': 'netlink(32, 0x605, struct.pack("8BI", 2, 0, 0, 0, 254, 0, 0, 1,'
              ' 0))',
    'a link': 'netlink(16, 0x605, struct.pack("BBHiII", 0, 0, 0, 0, 0, 0) + '
              'struct.pack("HH", 7, 3) + b"x0\\0\\0" + struct.pack('
              '"HHHH", 16, 18, 9, 1) + b"dummy\\0\\0\\0")',
    'a link down': 'netlink(16, 5, struct.pack("BBHiII", 0, 0, 0, 1, 0, 1))',
    'a neighbour': 'netlink(28, 0x605, struct.pack("BBHiHBB", 2, 0, 0, 1, '
                   '0x80, 0, 0))',
    'nftables': 'netlink(2560, 5, bytes(4), 12)',
    'xfrm': 'netlink(19, 5, bytes(4), 6)',
    'audit': 'netlink(1000, 5, b"", 9)',
    'socket destruction': 'netlink(21, 5, bytes(56), 4)',
    'generic': 'netlink(16, 5, bytes(4), 16)',
}


@cases(CHANGES)
def g18_netlink(code):
    for flags in ([], NAME):
        r = net.inside(NETLINK + code, *flags)
        check(r.refused in (*NO, 'EOPNOTSUPP', 'EPROTONOSUPPORT',
                            'EAFNOSUPPORT', 'ESOCKTNOSUPPORT'), r)


@test
def g18_nobody_else_is_in_it():
    """Neither the gateway nor its sockets are seen in /proc."""
    r = net.inside('print(sorted(p for p in os.listdir("/proc") if '
                   'p.isdigit()))', *NAME).ok()
    eq(r.out.splitlines()[0], "['1', '2']")


# --- G19: sockets of the caller ---

@cases({'connected': True, 'listening': False})
def g19_an_inherited_socket(connected):
    s = (socket.create_connection((OTHER, 7), 5) if connected
         else socket.create_server(('127.0.0.1', 0)))
    fd = s.fileno()
    os.set_inheritable(fd, True)
    code = f's = socket.socket(fileno={fd})\nprint(s.getsockname())'
    check(outside(code, pass_fds=[fd]).done, 'control')
    for flags in ([], NAME):
        r = inside(code, pass_fds=[fd], flags=flags)
        eq(r.refused, 'EBADF')


# --- G20: budgets ---

@test(seconds=120)
def g20_many_connections_are_bounded():
    """More than it may have: refused one by one; those it has go on."""
    code = ('import resource\n'
            'n = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n'
            'resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))\n'
            'held, why = [], ""\n'
            'for i in range(min(n - 50, 12000)):\n    try:\n'
            '        held.append(socket.create_connection(("example.test", '
            '9), 5))\n    except OSError as e:\n        why = str(e)\n'
            '        break\n'
            'print(len(held), why)\n'
            's = held[0]\ns.sendall(b"abc")\ns.shutdown(1)\n'
            'assert s.recv(10)[:2] == b"3 "')
    r = net.inside(code, *NAME, timeout=100).ok()
    check(int(r.out.split()[0]) >= 200, r)


@test(seconds=120)
def g20_many_datagram_flows_are_bounded():
    code = ('held = []\nfor i in range(3000):\n'
            '    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n'
            '    s.settimeout(0.05)\n    held.append(s)\n    try:\n'
            '        s.sendto(b"x", (%r, 7))\n'
            '    except OSError as e:\n        print(e)\n        break\n'
            '    if len(held) > 900:\n        held.pop(0).close()\n'
            's = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n'
            's.settimeout(1)\nfor _ in range(20):\n    try:\n'
            '        s.sendto(b"last", (%r, 7))\n'
            '        assert s.recv(10) == b"last"\n        break\n'
            '    except OSError:\n        pass\n'
            'else:\n    sys.exit("no flow any more")' % (WEB, WEB))
    net.inside(code, '--allow-net', WEB, timeout=100).ok()


# --- G22: proxies by environment ---

@cases({'caller': ['--env', 'HTTP_PROXY=http://198.51.100.20:80', '--env',
                   'http_proxy=http://198.51.100.20:80']})
def g22_a_proxy_elsewhere(flags):
    """A variable is no rule: the proxy that it names is not reached."""
    argv = [*CURL, 'http://example.test/']
    net.host(*argv, env={'http_proxy': f'http://{OTHER}:80'}).ok()
    check(net.packets(to=OTHER), 'control')
    net.fresh()
    net.inside(argv, *NAME, *flags).failed(7)
    net.nothing_came()


@test
def g22_the_callers_environment_is_not_inherited():
    r = net.inside(['env'], *NAME, env={'HTTP_PROXY': f'http://{OTHER}:80',
                                        'no_proxy': '*'}).ok()
    lacks(r.out.lower(), '_proxy')


# --- the gateway itself ---

@test
def the_gateway_can_do_nothing_but_relay():
    """No capability, no other file or program, its own filter."""
    p = spawn([MXC, *mxc_args(['sleep', '20'], flags=[
        '--allow-net', 'internet', *NAME])])
    pid = eventually(lambda: next(
        (n for n, name in descendants(p.pid).items() if 'gateway' in name),
        None))

    def facts():
        return dict(line.split(':\t', 1) for line in
                    read(f'/proc/{pid}/status').splitlines() if ':\t' in line)
    eventually(lambda: facts()['Seccomp'] == '2', 3, 'a filter')
    got = facts()
    for name in ('CapEff', 'CapPrm', 'CapInh', 'CapAmb'):
        eq(int(got[name], 16), 0, name)
    eq(got['NoNewPrivs'], '1')
    if IS_ROOT:
        kinds = {os.readlink(f'/proc/{pid}/fd/{n}').split(':')[0]
                 for n in os.listdir(f'/proc/{pid}/fd')}
        check(kinds <= {'socket', 'pipe', 'anon_inode', '/dev/null',
                        '/memfd'} or not any(
            k.startswith('/') and k != '/dev/null' and 'memfd' not in k
            for k in kinds), kinds)
    p.kill()
    p.communicate()


# --- G24: when a part dies ---

LOOP = ('while True:\n    try:\n'
        f'        s = socket.create_connection(("example.test", 13), 2)\n'
        '        s.recv(10)\n        s.close()\n        print("up", flush=True)'
        '\n    except OSError as e:\n        print("down", e, flush=True)\n'
        '    time.sleep(0.02)')


def role(pid):
    with contextlib.suppress(OSError):
        return os.path.basename(os.readlink(f'/proc/{pid}/exe'))
    return ''


def family(p):
    return {pid: (name, role(pid)) for pid, name in
            {p.pid: 'mxc', **descendants(p.pid)}.items()}


def victims(p):
    """Every process of mxc's; not the workload, nor the nameless ones whose
    memory gVisor runs it in."""
    return [pid for pid, (_, exe) in family(p).items()
            if 'python' not in exe and read(f'/proc/{pid}/cmdline')]


@test(seconds=120)
def g24_the_death_of_any_part():
    """Nothing leaves any more, and the sandbox ends; one part at a time."""
    index, names = 0, []
    while True:
        p = spawn([MXC, *mxc_args(pyprobe(LOOP), flags=NAME)])
        eq(p.stdout.readline(), b'up\n')
        parts = sorted(victims(p))
        if index >= len(parts):
            p.kill()
            p.communicate()
            break
        pid = parts[index]
        names.append(family(p)[pid])
        members = set(family(p))
        os.kill(pid, signal.SIGKILL)
        eventually(lambda m=members: not m & set(descendants()) or None, 5,
                   f'{names[-1]} killed, others go on')
        with contextlib.suppress(ProcessLookupError):
            p.kill()
        p.communicate()
        net.fresh()
        time.sleep(0.1)   # no event to wait for: silence is the result
        net.nothing_came()
        index += 1
    check(len(names) >= 2, names)


@test
def g24_a_stopped_gateway_lets_nothing_out():
    p = spawn([MXC, *mxc_args(pyprobe(LOOP), flags=NAME)])
    eq(p.stdout.readline(), b'up\n')
    gateways = [pid for pid, (name, exe) in family(p).items()
                if 'gateway' in name + exe]
    eq(len(gateways), 1, f'{family(p)}')
    os.kill(gateways[0], signal.SIGSTOP)
    time.sleep(0.1)
    net.fresh()
    time.sleep(0.3)
    net.nothing_came()
    os.kill(gateways[0], signal.SIGCONT)
    p.kill()
    p.communicate()


main()
