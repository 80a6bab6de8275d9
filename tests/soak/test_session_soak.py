#!/usr/bin/env python3
"""Sessions and pools under many clients and random kills.  tap: alone
tap: seconds=3600

No result is lost, no exit code is wrong, and nothing is left.  MXC_SOAK=long
is for `make soak`: as many commands as below, for ten minutes at least
(MXC_SOAK_SECONDS).  make test runs a short form.
"""

import collections
import os
import random
import signal
import sys
import threading
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from sessions import *  # noqa: E402,F403
from pools import *  # noqa: E402,F403

LONG = os.environ.get('MXC_SOAK') == 'long'
SESSIONS, CLIENTS, EXECS = (200, 8, 20000) if LONG else (8, 4, 150)
POOLS, CLAIMS = (4, 4000) if LONG else (1, 60)
SECONDS = int(os.environ.get('MXC_SOAK_SECONDS', 600)) if LONG else 0
SEED = int(os.environ.get('MXC_SEED', time.time_ns() % 1000000))


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, TypeError):
        pass


def end(victim):
    """Kill it, and wait until it is gone: until then a claim can come to what
    is about to die."""
    kill(victim)
    if victim:
        eventually(lambda: not os.path.exists(f'/proc/{victim}'), 20,
                   'it is gone')


class Kept:
    """Something that runs commands, and whether somebody does something
    violent to it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.troubles = 0      # odd: one is going on
        self.it = self.make()

    def trouble(self, work):
        with self.lock:
            self.troubles += 1
            try:
                work()
            finally:
                self.troubles += 1

    def is_calm(self, since):
        return since % 2 == 0 and self.troubles == since


class KeptSession(Kept):
    make = staticmethod(Session)

    def renew(self):
        self.it.do('deprovision', '--grace', '0').ok()
        self.it = Session()

    def kill_holder(self):
        kill(self.it.holder())
        self.renew()

    def kill_init(self):
        kill(self.it.init())
        self.renew()

    def restart(self):
        self.it.do('stop', '--grace', '0').ok()
        self.it.do('start').ok()

    violence = kill_holder, kill_init, restart

    def exec(self, *command):
        return self.it.exec(*command)

    def spawn(self, *command):
        return self.it.spawn(*command)


class KeptPool(Kept):
    @staticmethod
    def make():
        return Pool(size=3)

    def kill_keeper(self):
        kill(self.it.keeper())
        mxc('pool', 'stop', self.it.name).ok()
        self.it = self.make()

    def kill_slot(self):
        end(next(iter(self.it.slots()), None))

    def kill_init(self):
        slot = next(iter(self.it.slots()), None)
        for init in children(slot, 'mxc-init')[:1]:
            end(init)
            # Both end together, but where its command had ended just before:
            # then there is another sandbox by now.
            eventually(lambda init=init: not os.path.exists(f'/proc/{slot}') or
                       children(slot, 'mxc-init') not in ([], [init]), 20,
                       'its slot is gone, or has another')

    violence = kill_keeper, kill_slot, kill_slot, kill_init, kill_init

    def exec(self, *command):
        return self.it.run(*command)

    def spawn(self, *command):
        return self.it.spawn(*command)


# --- what a client does: each says how it ended -------------------------------

def one_command(kept, rng, n):
    """Its code and its output are its own, unless there was trouble."""
    since, code = kept.troubles, n % 100
    r = kept.exec('sh', '-c', f'echo {n}; exit {code}')
    if (r.status, r.out) == (code, f'{n}\n'):
        return 'ended'
    if kept.is_calm(since):
        fail(f'without any trouble: {r}')
    if r.status != 125:
        fail(f'neither its own end nor an error of ours: {r}')
    return 'told of trouble'


def one_killed_client(kept, rng, n):
    p = kept.spawn('sh', '-c', f'sleep {1000 + n} & sleep {1000 + n}')
    time.sleep(rng.random() * 0.02)
    p.kill()
    p.communicate()
    return 'client killed'


def one_killed_command(kept, rng, n):
    """By another command of its session; the first of a pool kills itself."""
    since = kept.troubles
    if isinstance(kept, KeptPool):
        p = kept.spawn('sh', '-c', 'echo $$; kill -9 $$')
        pid = p.stdout.readline()
    else:
        p = kept.spawn('sh', '-c', f'echo $$; exec sleep {1000 + n}')
        pid = p.stdout.readline()
        if pid:
            kept.exec('kill', '-9', pid.decode().strip())
    if kept.is_calm(since) and not pid:
        fail('it did not start')
    if not kept.is_calm(since):
        p.kill()
    _, err = p.communicate(timeout=60)
    if p.returncode != 137 and kept.is_calm(since):
        fail(f'killed, and told {p.returncode}: {err}')
    return 'command killed'


def client(number, all_kept, todo, seen, failures):
    rng = random.Random(SEED * 100 + number)
    try:
        while not failures:
            n = todo()
            if n is None:
                return
            kept = rng.choice(all_kept)
            dice = rng.random()
            if dice < 0.02:
                kept.trouble(lambda: rng.choice(kept.violence)(kept))
                seen['trouble'] += 1
            elif dice < 0.08:
                seen[one_killed_client(kept, rng, n)] += 1
            elif dice < 0.12:
                seen[one_killed_command(kept, rng, n)] += 1
            else:
                seen[one_command(kept, rng, n)] += 1
    except BaseException as e:  # told by the test's own thread
        failures.append(f'client {number}: {e!r} {e}')


def counter(count, seconds):
    """Numbers, until there were enough of them and enough time is over."""
    lock, until, numbers = threading.Lock(), time.monotonic() + seconds, [0]

    def number():
        with lock:
            if numbers[0] >= count and time.monotonic() >= until:
                return None
            numbers[0] += 1
            return numbers[0] - 1
    return number


def soak(all_kept, count, seconds):
    seen, failures = collections.Counter(), []
    todo, began = counter(count, seconds), time.monotonic()
    threads = [threading.Thread(target=client, args=(n, all_kept, todo, seen,
                                                     failures))
               for n in range(CLIENTS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    eq(failures, [])
    took = time.monotonic() - began
    print(f'seed {SEED}: {sum(seen.values())} in {took:.0f} s, '
          + ', '.join(f'{n} {what}' for what, n in sorted(seen.items())))


@test(seconds=3000)
def many_clients_and_random_kills():
    before = host_state()
    sessions = [KeptSession() for _ in range(SESSIONS)]
    soak(sessions, EXECS, SECONDS)
    # No command of a killed client goes on: only init is left in each.
    for kept in sessions:
        eventually(lambda: not kept.it.names(), what='no process left')
    for kept in sessions:
        kept.it.do('deprovision', '--grace', '0').ok()
    eq(os.listdir(root()), [], 'what is left')
    eventually(lambda: not descendants(), what='every process gone')
    leaves_nothing(before)


@test(seconds=3000)
def many_claims_and_random_kills():
    before = host_state()
    all_kept = [KeptPool() for _ in range(POOLS)]
    soak(all_kept, CLAIMS, SECONDS // 4)
    for kept in all_kept:
        eventually(lambda: kept.it.look()['busy'] == 0 and
                   kept.it.look()['ready'] == 3, 20, 'all are ready again')
        mxc('pool', 'stop', kept.it.name).ok()
    eq(os.listdir(root()), [], 'what is left')
    eventually(lambda: not descendants(), what='every process gone')
    leaves_nothing(before)


@test
def one_session_many_commands():
    with Session() as s:
        holder, init = s.holder(), s.init()
        s.exec('true').ok()
        fds = [len(descriptors(pid)) for pid in (holder, init)]
        for n in range(2000 if LONG else 50):
            s.sh(f'exit {n % 50}').ok(n % 50)
        eventually(lambda: [len(descriptors(pid)) for pid in (holder, init)]
                   == fds, what='descriptors as before')


main()
