#!/usr/bin/env python3
"""in_session.py - what `mxc run` would run, as a command of a session.

    in_session.py MXC NOTES [OPTION...] [FILE] [-- COMMAND...]

Provisions and starts a session with the options of `mxc run`, becomes `mxc
exec`, and leaves the session to its idle timeout.  So each attack of
tests/escape can be tried inside a session: MXC_IN_SESSION=1.  What has no
session is run as it is, and said in NOTES, which MXC_IN_SESSION names.
"""

import json
import os
import subprocess
import sys

MXC, NOTES = sys.argv[1:3]
# Of the command; all others are the session's.
OF_EXEC = {'--timeout': 1, '-T': 1, '--tty': 0, '-i': 0, '--pty': 1, '--json': 1,
           '-j': 1, '--control': 1, '--die-with-parent': 0}
# The session's, without a value.
FLAGS = {'--tools', '-t'}
# A session has no such thing.
RUN_ONLY = {'--events', '-p', '--policy', '--help', '-h'}


def split(args):
    """(of provision, of exec, command), or None: it has no session."""
    ours, theirs = [], []
    while args and args[0] != '--':
        word = args.pop(0)
        if not word.startswith('-') or word in RUN_ONLY or '=' in word:
            return None
        if word in OF_EXEC:
            theirs.append(word)
            theirs += [args.pop(0)] if OF_EXEC[word] else []
        else:
            ours.append(word)
            ours += [args.pop(0)] if word not in FLAGS else []
    return (ours, theirs, args[1:]) if len(args) > 1 else None


def refuse(r, ours, theirs):
    """As a run says it."""
    sys.stderr.write(r.stderr)
    if '--json' in theirs:
        where = theirs[theirs.index('--json') + 1]
        said = phase('provision', '--json', '/dev/stdout', *ours).stdout
        with open(int(where) if where.isdigit() else where, 'w') as f:
            json.dump({'outcome': 'failed', 'exitCode': 125,
                       **json.loads(said)}, f)
    sys.exit(125)


def phase(*args, **kw):
    return subprocess.run([MXC, *args], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          errors='surrogateescape', **kw)


def main():
    found = split(sys.argv[3:])
    if not found:
        with open(NOTES, 'a') as f:
            print(json.dumps(sys.argv[3:]), file=f)
        os.execv(MXC, [MXC, 'run', *sys.argv[3:]])
    ours, theirs, command = found
    r = phase('provision', '--idle-timeout', '1s', *ours)
    if r.returncode == 0:
        ident = r.stdout.strip()
        r = phase('start', ident)
    if r.returncode != 0:
        refuse(r, ours, theirs)
    os.execv(MXC, [MXC, 'exec', ident, *theirs, '--', *command])


main()
