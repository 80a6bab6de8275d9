"""learning.py - `mxc learn` in a test, and what it wrote there.

    r, report = learn('--out', 'p.json', '--', 'cat', path)
    eq(granted(report, 'read'), [path])
    under('p.json', 'cat', path).ok()

Each test has the test internet, as `net`."""

import json
import os
from tap import check, pyprobe, read, run, write
from internet import OTHER, connecting, internet

net = internet()
SECRET_TEXT = 'not for a sandbox'


def learn(*args, home='home', **options):
    r = net.mxc('learn', '--json', 'report', *args,
                env={'HOME': os.path.abspath(home)}, **options)
    return r, (json.loads(read('report')) if os.path.exists('report')
               else None)


def meant(name, cwd='.'):
    """A policy with what its variables are there."""
    return json.loads(read(name).replace('${workspace}', os.path.abspath(cwd))
                      .replace('${home}', os.environ['HOME']))


def granted(report, *kinds):
    """But what of the host a command of its own accord looks for."""
    return sorted(e['what'] for e in report['granted'] if e['kind'] in kinds
                  and not e['what'].startswith(('/etc/', '/usr/')))


def left_out(report):
    return {e['what']: e for e in report['leftOut']}


def under(policy, *command, cwd=None):
    return net.mxc('run', '--policy', os.path.abspath(policy), '--', *command,
                   cwd=cwd,
                   env={'HOME': os.path.abspath('home')})


def is_held(policy, cwd=None):
    """Two attacks that work outside: a key of the home, and a server."""
    key = os.path.abspath('home/.ssh/id_rsa')
    write(key, SECRET_TEXT)
    steal = pyprobe(f'open({key!r}).read()')
    check(run(steal).done, 'the key can be read outside')
    check(under(policy, *steal, cwd=cwd).refused in ('ENOENT', 'EACCES'),
          f'a key: {under(policy, *steal, cwd=cwd)}')
    call = pyprobe(connecting(OTHER))
    check(net.host(*call).done, 'the server answers outside')
    net.fresh()
    r = under(policy, *call, cwd=cwd)
    check(r.refused in ('ENETUNREACH', 'EHOSTUNREACH', 'EACCES'),
          f'a server: {r}')
    net.nothing_came(OTHER)


def project(name='p'):
    """A directory that a command starts in, beside a home."""
    os.makedirs(name)
    return os.path.abspath(name)


__all__ = '''net SECRET_TEXT learn meant granted left_out under is_held
project'''.split()
