"""walls.py - a sandbox with every kind of step in its set-up, whose workload
says which walls stand; and what a run of it may leave."""

import os
import pathlib
import backends
import tap
from tap import check, eq, has, read, write

WALLS = pathlib.Path(__file__).resolve().parent / 'walls.c'
EXIT_MXC = 125
BACKEND = tap.use_backend.name or backends.REFERENCE
# What walls.c says when all stand.  gVisor's are the host's, which inside of it
# are not told of: there it sees views, masks, namespaces and descriptors.
STANDS = {
    'gvisor': 'no new privileges, filter, Landlock, limit of namespaces, limit '
              'of processes, mask in /proc, closed init, nosuid, read-only '
              'base, read-only /proc, volunteering, broker',
}.get(BACKEND, 'ok')


def prepare():
    """A policy with every kind of step: grants, a mask, a pin, a watch, a
    missing name; the walls' own probe as its command."""
    write('secret', 'SECRET')
    write('w/way/no', 'SECRET')
    write('r/file')
    ear = tap.Listener()
    probe = [*tap.cprobe(WALLS.read_text()), os.path.abspath('w'),
             os.path.abspath('secret'), os.path.abspath('w/way/no'),
             str(ear.port)]
    missing = ['w/absent'] if backends.BACKENDS[BACKEND].absent else []
    # A broker whose answers fail keeps its callers waiting: no longer than so.
    return probe, tap.mxc_args(probe, rw='w', ro='r',
                               flags=['--timeout', '5s'],
                               deny=['w/way/no', *missing])


def took():
    """What the workload said of the walls; None: it did not run."""
    try:
        text = read('w/canary')
        os.unlink('w/canary')
        return text
    except FileNotFoundError:
        return None


def check_clean(before):
    tap.eventually(lambda: not tap.descendants(), 5, 'all processes gone')
    tap.leaves_nothing(before)
    eq(sorted(os.listdir('w')), ['way'])
    eq(os.listdir('w/way'), ['no'])


def check_run(r, before, where, is_late):
    """Either refused, and nothing ran; or it ran, behind all walls.  A
    failure that comes late, while the workload runs, may end it."""
    said = took()
    if is_late:
        pass
    elif said is not None:
        eq(said, STANDS, f'walls, {where}: {r}')
    elif r.status == EXIT_MXC:
        # Whatever failed is named, or what died.
        if not where.startswith('write '):
            has(r.err, 'mxc', f'{where}: {r}')
    else:
        # The workload could not be executed, or itself met the failure; or
        # a signal that was sent to mxc itself.
        check(r.status in (9, 126, 127, 137), f'{where}: {r}')
    check_clean(before)
    return said, r.status
