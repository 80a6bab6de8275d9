"""pools.py - a pool of its own for a test, in a runtime directory of its own.

    with Pool(size=2, ro='w') as p:
        p.run('cat', 'w/file').ok()

Import it after tap and sessions.  The pool is stopped at the end of the block.
"""

import json
import os
import signal
from tap import MXC, fail, mxc, processes, spawn
from sessions import grants, root

# Succeeds once in a sandbox.
MARK = 'mkdir /tmp/mark && '


class Pool:
    def __init__(self, *flags, size=1, name=None, **kw):
        named = ['--name', name] if name else []
        r = mxc('pool', 'start', '--size', str(size), *named, *grants(**kw),
                *flags).ok()
        if r.out.count('\n') != 1:
            fail(f'not a name alone: {r}')
        self.name = r.out.strip()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        r = mxc('pool', 'stop', self.name, '--grace', '0')
        if kind is None and r.status not in (0, 1):
            fail(f'{r}')

    @property
    def dir(self):
        return os.path.join(root(), f'pool.{self.name}')

    def argv(self, *command, flags=(), env=(), cwd=None, **kw):
        more = [a for k, v in dict(env).items() for a in ('--env', f'{k}={v}')]
        if cwd is not None:
            more += ['--cwd', str(cwd)]
        return ['pool', 'run', self.name, *grants(**kw), *more, *flags, '--',
                *command]

    def run(self, *command, flags=(), env=(), cwd=None, ro=(), rw=(), deny=(),
            **options):
        return mxc(*self.argv(*command, flags=flags, env=env, cwd=cwd, ro=ro,
                              rw=rw, deny=deny), **options)

    def sh(self, script, **kw):
        return self.run('sh', '-c', script, **kw)

    def spawn(self, *command, popen=None, **kw):
        return spawn([MXC, *self.argv(*command, **kw)], **(popen or {}))

    def look(self):
        found = [p for p in pools() if p['pool'] == self.name]
        return found[0] if found else None

    def keeper(self):
        return self.look()['pid']

    def slots(self):
        """Who supervises its sandboxes."""
        return children(self.keeper(), 'mxc-slot')

    def inits(self):
        return [i for s in self.slots() for i in children(s, 'mxc-init')]


def children(pid, name):
    return [p for p, (parent, what) in processes().items()
            if parent == pid and what == name]


def pools():
    r, w = os.pipe()
    with os.fdopen(r) as out:
        mxc('pool', 'ls', '--json', str(w), pass_fds=(w,)).ok()
        os.close(w)
        return json.load(out)


class Stopped:
    """No sandbox is replaced meanwhile."""

    def __init__(self, p):
        self.keeper = p.keeper()

    def __enter__(self):
        os.kill(self.keeper, signal.SIGSTOP)

    def __exit__(self, *_):
        os.kill(self.keeper, signal.SIGCONT)


__all__ = 'MARK Pool Stopped pools children'.split()
