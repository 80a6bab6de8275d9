"""probes.py - commands in the sandbox and outside of it, and what they try
there: part of tap.py."""

import hashlib
import json
import os
import pathlib
import re
import sys
import textwrap
from checks import eq, eventually, fail, skip
from each_run import MXC, TOP
from host import descendants, host_state, leaves_nothing, write
from running import mxc, pty, run, spawn

PROBES = pathlib.Path(os.environ.get('MXC_PROBES', TOP / 'build/probes'))
# Debian's, which the sandbox shows: the first in PATH may be in a home.
PYTHON = '/usr/bin/python3'


# --- probes ----------------------------------------------------------------

# Modules that a probe may name; loading all of them takes longer than most
# probes do.
_MODULES = ('ctypes', 'errno', 'fcntl', 'os', 'signal', 'socket', 'stat',
            'struct', 'sys', 'time')
_CALL = '''\
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *args):
    """A libc function or, by number, a system call; raises OSError."""
    args = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    if isinstance(name, int):
        r = libc.syscall(ctypes.c_long(name), *args)
    else:
        r = getattr(libc, name)(*args)
    if r == -1:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))
    return r
'''
_EPILOGUE = '''
except OSError as e:
    print("refused", errno.errorcode.get(e.errno, e.errno or type(e).__name__))
    print(e, file=sys.stderr)
    sys.exit(9)
print("done")
'''


class Probe(str):
    """A compiled probe: granted read-only to the sandbox where it runs."""


def pyprobe(code):
    """argv of a Python probe: 'done', or 'refused ENAME' and status 9."""
    body = textwrap.indent(textwrap.dedent(code).strip(), '    ')
    named = set(re.findall(r'\w+', body))
    calls = _CALL if named & {'call', 'libc', 'exec'} else ''
    text = f'{calls}try:\n{body}{_EPILOGUE}'
    words = set(re.findall(r'\w+', text))
    # What it executes may name any.
    modules = ', '.join(m for m in _MODULES if m in words or 'exec' in named)
    return [PYTHON, '-IS', '-c', f'import {modules}\n{text}']


def cprobe(source, *args):
    """argv of a static C probe, from a file name or from the text itself.

    tests/lib/probe.h (included for you in text) has TRY() and DONE().
    """
    if source.endswith('.c'):
        source = (pathlib.Path(sys.argv[0]).resolve().parent /
                  source).read_text()
    elif '#include "probe.h"' not in source:
        source = '#include "probe.h"\n' + source
    header = TOP / 'tests/lib/probe.h'
    key = hashlib.sha256((source + header.read_text()).encode()).hexdigest()
    target = PROBES / key[:16]
    if not target.exists():
        PROBES.mkdir(parents=True, exist_ok=True)
        new = PROBES / f'{key[:16]}.{os.getpid()}'
        # Static: the sandbox under test may have no libraries to show.
        r = run(['gcc', '-std=gnu11', '-O1', '-static', '-pthread', '-w',
                 f'-I{header.parent}', '-x', 'c', '-', '-o', new],
                input=source)
        r.ok()
        new.rename(target)
    return [Probe(target.absolute()), *args]


def argv_of(what):
    if isinstance(what, Probe):
        return [what]
    return pyprobe(what) if isinstance(what, str) else list(what)


# --- inside and outside ----------------------------------------------------

def mxc_args(argv, *, ro=(), rw=(), deny=(), env=(), cwd=None, policy=None,
             flags=()):
    """`run ... -- argv` with the grants as flags; a dict is a policy file."""
    args = ['run']
    if policy is not None:
        if isinstance(policy, dict):
            policy = write(f'policy-{os.urandom(4).hex()}.json',
                           json.dumps(policy))
        args += ['--policy', policy]
    for flag, paths in (('--ro', ro), ('--rw', rw), ('--deny', deny)):
        for path in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
            args += [flag, path]
    if isinstance(argv[0], Probe):
        args += ['--ro', PROBES.absolute()]
    for key, value in dict(env).items():
        args += ['--env', f'{key}={value}']
    if cwd is not None:
        args += ['--cwd', cwd]
    return [*args, *flags, '--', *argv]


def inside(what, *, input=b'', timeout=None, tty=False, host_env=None,
           until=None, pass_fds=(), **grants):
    """Run a command (list), or Python probe (str), in the sandbox."""
    more = {'until': until} if tty else {'pass_fds': pass_fds}
    return mxc(*mxc_args(argv_of(what), **grants), input=input, timeout=timeout,
               tty=tty, env=host_env, **more)


def outside(what, *, input=b'', timeout=None, tty=False, env=None, **more):
    """Run the same on the host: the positive control."""
    go = pty if tty else run
    return go(argv_of(what), input=input, timeout=timeout, env=env, **more)


def attack(what, *, refused, control=True, reset=None, **grants):
    """The attack must work outside and be refused with that errno inside.

    refused is an errno name or a tuple of them.  reset() is called between
    the two, to undo what the control did.  control=False is for what would
    harm this host or what only a test's own comment can justify; say why.
    """
    if control:
        r = outside(what)
        if not r.done:
            said = r.err.strip().splitlines()[-1:] or [repr(r)]
            skip(f'outside the sandbox too: {said[0]}')
        if reset:
            reset()
    r = inside(what, **grants)
    wanted = (refused,) if isinstance(refused, str) else tuple(refused)
    if r.done or r.refused not in wanted:
        fail(f'want refused {" or ".join(wanted)}, got '
             f'{"done" if r.done else r.refused}: {r}')
    return r


def killed_when_ready(*args):
    """Kill mxc as soon as its command says 'ready': it leaves nothing."""
    before = host_state()
    p = spawn([MXC, *args])
    eq(p.stdout.readline(), b'ready\n')
    p.kill()
    p.communicate(timeout=20)
    eventually(lambda: not descendants(), what='processes are gone')
    leaves_nothing(before)
