"""contract.py - what the tests of every backend share.

The backend is $MXC_BACKEND's, or the first; tools/run-tests starts each file
once for each backend that this build has.
"""

import collections
import json
import os
import backends
import tap
from tap import descendants, eq, eventually, fail, has, lacks, mxc, read

NAME = tap.use_backend.name or backends.REFERENCE
BACKEND = backends.BACKENDS[NAME]
EXIT_MXC = 125


def _needs():
    tap.need(*BACKEND.needs)


tap.before_each.append(_needs)


def claims(feature):
    return feature in BACKEND.features


def request(version='1.1.0+c1', command='echo ran', **sections):
    process = {'commandLine': command, **sections.pop('process', {})}
    return {'version': version, 'process': process, **sections}


def by_name():
    """What a request says to run on this backend, with nothing else."""
    if not BACKEND.has_image:
        return {'containment': NAME}
    import images
    return {'containment': NAME, **images.sections()}


def refused(r, code, where=None):
    """Refused before anything ran: why, and what to do, are said."""
    r.failed(EXIT_MXC)
    lacks(r.out, 'ran')
    result = json.loads(read('r.json'))
    eq(result['outcome'], 'failed')
    error = result['error']
    eq(error['code'], code, str(r))
    if where:
        eq(error.get('details', {}).get('where'), where, str(r))
    if not error.get('remediation'):
        fail(f'no remedy: {error}')
    return error


def unenforced(r, clause):
    """Refused since this backend does not enforce the clause."""
    error = refused(r, 'policy_validation', clause)
    has(error['message'], f"backend '{NAME}' cannot ")


def submit(document, *flags):
    """A request from standard input; the result is in r.json."""
    return mxc('run', '--json', 'r.json', *flags, '-',
               input=json.dumps(document))


def files_below(top):
    return sorted(os.path.join(d, name) for d, dirs, files in os.walk(top)
                  for name in dirs + files)


def host():
    """All that a run could leave: mounts, System V objects, groups, files in
    the places for such, and in this directory, which is the caller's home,
    temporary and runtime directory too.  A namespace lives by a process, a
    mount or a descriptor only (namespaces(7))."""
    return {**tap.host_state(), 'temporary': tap.temporary(),
            'here': files_below('.'),
            'descriptors': os.listdir('/proc/self/fd')}


def added(before):
    """What is there now and was not.  What others on this machine make and
    take away meanwhile is not ours to count: it goes again."""
    now = host()
    new = {what: collections.Counter(map(str, now[what]))
           - collections.Counter(map(str, before[what])) for what in now}
    return {what: [*names] for what, names in new.items() if names}


def unchanged(work, seconds=5):
    """Runs work(); afterwards nothing is new, and nobody lives on."""
    os.environ['TMPDIR'] = os.environ['XDG_RUNTIME_DIR'] = os.getcwd()
    before = host()
    work()
    eventually(lambda: not descendants(), seconds,
               f'every process gone: {descendants()}')
    eventually(lambda: not added(before), seconds,
               f'left: {added(before)}')
