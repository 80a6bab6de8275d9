"""victim.py - what others on a machine notice of an attack beside them.

As a program it does over and over what is noticed: it sleeps for a while and
is woken late, and it starts a process and waits for its end.  When its
standard input ends it prints, in milliseconds, how long both took."""

import contextlib
import json
import os
import pathlib
import select
import subprocess
import time

PAUSE = 0.005
SOURCE = pathlib.Path(__file__).read_text() if '__file__' in globals() else ''


def measure():
    late, start = [], []
    print(flush=True)
    over = False
    while not over:
        over = bool(select.select([0], [], [], 0)[0])
        begun = time.monotonic()
        time.sleep(PAUSE)
        late.append(time.monotonic() - begun - PAUSE)
        begun = time.monotonic()
        os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)
        start.append(time.monotonic() - begun)
    print(json.dumps({'late': figures(late), 'start': figures(start)}))


def figures(seconds):
    ms = sorted(1000 * s for s in seconds)
    return {'n': len(ms), 'p50': ms[len(ms) // 2],
            'p99': ms[len(ms) * 99 // 100], 'most': ms[-1]}


@contextlib.contextmanager
def beside(prefix=()):
    """A dictionary that is filled when it is over."""
    seen = {}
    # As text: others need not be able to read this file.
    p = subprocess.Popen([*prefix, '/usr/bin/python3', '-c', SOURCE],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    p.stdout.readline()
    try:
        yield seen
    finally:
        seen.update(json.loads(p.communicate()[0]))


if __name__ == '__main__':
    measure()
