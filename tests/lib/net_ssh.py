"""net_ssh.py - an ssh server in the test internet, with keys of its own.

It is Dropbear's, whose Debian package brings no service that would start, and
runs without privilege: as the caller or, for root, as nobody.  Its only user
is 'git'.  The port is 22, of the namespace in which start() is called.
"""

import contextlib
import ctypes
import os
import socket
import subprocess
import time

NOBODY = 65534


def start(folder):
    """Once; the second call does nothing."""
    place = f'{folder}/ssh'
    if os.path.isdir(place):
        return
    os.makedirs(f'{place}/.ssh')
    uid, gid = os.geteuid() or NOBODY, os.getegid() or NOBODY
    quiet = dict(check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f',
                    f'{place}/key'], **quiet)
    made = subprocess.run(['dropbearkey', '-t', 'ed25519', '-f',
                           f'{place}/host'], **quiet).stdout.decode()
    public = next(x for x in made.splitlines() if x.startswith('ssh-'))
    _put(f'{place}/known', '* ' + ' '.join(public.split()[:2]) + '\n')
    with open(f'{place}/key.pub', encoding='ascii') as f:
        _put(f'{place}/.ssh/authorized_keys', f.read())
    with open('/etc/passwd', encoding='utf-8') as f:
        accounts = f.read()
    _put(f'{place}/passwd',
         accounts + f'git:x:{uid}:{gid}::{place}:/bin/sh\n')
    # Seen by the internet's side alone.
    if ctypes.CDLL(None).mount(f'{place}/passwd'.encode(), b'/etc/passwd',
                               None, 0x1000, None) != 0:
        raise OSError('cannot give the ssh server an account')
    if os.geteuid() == 0:
        os.chown(f'{place}/host', uid, gid)

    def drop():
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
    subprocess.Popen(
        ['dropbear', '-F', '-e', '-m', '-s', '-P', '/dev/null', '-p', '22',
         '-r', f'{place}/host'], preexec_fn=drop, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={'PATH': '/usr/bin:/bin:/usr/sbin:/sbin', 'GIT_CONFIG_COUNT': '1',
             'GIT_CONFIG_KEY_0': 'safe.directory', 'GIT_CONFIG_VALUE_0': '*'})
    end = time.monotonic() + 5
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            socket.create_connection(('127.0.0.1', 22), 1).close()
            return
        time.sleep(0.01)
    raise OSError('the ssh server does not listen')


def _put(path, text):
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)
