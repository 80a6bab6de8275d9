#!/usr/bin/env python3
"""Sessions under many clients and random kills.  tap: alone  tap: seconds=3600

No result is lost, no exit code is wrong, and nothing is left.  MXC_SOAK=long
is for `make soak`; make test runs a short form.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from sessions import *  # noqa: E402,F403

LONG = os.environ.get('MXC_SOAK') == 'long'
SESSIONS, CLIENTS, EXECS = (200, 8, 20000) if LONG else (20, 4, 500)
SEED = int(os.environ.get('MXC_SEED', time.time_ns() % 1000000))


class Kept:
    """A session, and whether somebody does something violent to it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.troubles = 0      # odd: one is going on
        self.s = Session()

    def trouble(self, work):
        with self.lock:
            self.troubles += 1
            try:
                work()
            finally:
                self.troubles += 1


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, TypeError):
        pass


def renew(kept):
    kept.s.do('deprovision', '--grace', '0').ok()
    kept.s = Session()


def kill_holder(kept):
    kill(kept.s.holder())
    renew(kept)


def kill_init(kept):
    kill(kept.s.init())
    renew(kept)


def restart(kept):
    kept.s.do('stop', '--grace', '0').ok()
    kept.s.do('start').ok()


def one_command(kept, rng, n):
    """Its code and its output are its own, unless there was trouble."""
    before, s = kept.troubles, kept.s
    code = n % 100
    r = s.sh(f'echo {n}; exit {code}')
    if (r.status, r.out) == (code, f'{n}\n'):
        return
    if before % 2 == 0 and kept.troubles == before:
        fail(f'without any trouble: {r}')
    if r.status != 125:
        fail(f'neither its own end nor an error of ours: {r}')


def one_killed_client(kept, rng, n):
    s = kept.s
    p = s.spawn('sh', '-c', f'sleep {1000 + n} & sleep {1000 + n}')
    time.sleep(rng.random() * 0.02)
    p.kill()
    p.communicate()


def client(number, sessions, todo, failures):
    rng = random.Random(SEED * 100 + number)
    try:
        while not failures:
            n = next(todo, None)
            if n is None:
                return
            kept = rng.choice(sessions)
            dice = rng.random()
            if dice < 0.02:
                kept.trouble(lambda: rng.choice(
                    (kill_holder, kill_init, restart))(kept))
            elif dice < 0.12:
                one_killed_client(kept, rng, n)
            else:
                one_command(kept, rng, n)
    except BaseException as e:  # told by the test's own thread
        failures.append(f'client {number}: {e!r} {e}')


class Counter:
    def __init__(self, n):
        self.lock, self.left = threading.Lock(), iter(range(n))

    def __next__(self):
        with self.lock:
            return next(self.left)


@test(seconds=3000)
def many_clients_and_random_kills():
    print(f'seed {SEED}')
    before = host_state()
    sessions = [Kept() for _ in range(SESSIONS)]
    todo, failures = Counter(EXECS), []
    threads = [threading.Thread(target=client,
                                args=(n, sessions, todo, failures))
               for n in range(CLIENTS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    eq(failures, [])
    # No command of a killed client goes on: only init is left in each.
    for kept in sessions:
        eventually(lambda: not kept.s.names(), what='no process left')
    for kept in sessions:
        kept.s.do('deprovision', '--grace', '0').ok()
    eq(os.listdir(root()), [], 'what is left')
    eventually(lambda: not descendants(), what='every process gone')
    leaves_nothing(before)


@test
def one_session_many_commands():
    with Session() as s:
        holder, init = s.holder(), s.init()
        s.exec('true').ok()
        fds = [len(descriptors(pid)) for pid in (holder, init)]
        for n in range(2000 if LONG else 200):
            s.sh(f'exit {n % 50}').ok(n % 50)
        eventually(lambda: [len(descriptors(pid)) for pid in (holder, init)]
                   == fds, what='descriptors as before')


main()
