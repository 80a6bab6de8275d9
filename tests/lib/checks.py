"""checks.py - what a test says of what it got: part of tap.py."""

import shutil
import time

# All limits here are for what hangs.  On a machine whose processors are wanted
# elsewhere everything takes as many times as long, and does not hang.
BUSY = 4


class Skip(Exception):
    pass


class Failed(AssertionError):
    pass


class TooSlow(Failed):
    """It took longer than it may: the test is tried anew (tap.py, TRIES)."""


def skip(reason):
    """Say what is missing; never why the test is not wanted."""
    raise Skip(reason)


def need(*programs):
    for name in programs:
        if not shutil.which(name):
            skip(f'no program {name}')


def fail(why):
    raise Failed(why)


def check(truth, why='not true'):
    if not truth:
        fail(why)


def eq(got, want, what='value'):
    if got != want:
        fail(f'{what}: got {got!r}, want {want!r}')


def has(text, piece, what='text'):
    if piece not in text:
        fail(f'{what}: want it to contain {piece!r}, got {cut(text)!r}')


def lacks(text, piece, what='text'):
    if piece in text:
        fail(f'{what}: must not contain {piece!r}, got {cut(text)!r}')


def eventually(condition, seconds=5.0, what='condition'):
    """Wait for something that another process does; answers its value.  Not
    a measure of how long that takes.  `what` may be what says it then."""
    end = time.monotonic() + seconds * BUSY
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            what = what() if callable(what) else what
            fail(f'{what}: still not so after {seconds * BUSY} s')
        time.sleep(0.005)


def within(took, most, what='time'):
    """Of what a user waits for: less than so long, in any unit.  Where others
    keep it from the processor that does not hold each time, so the test has
    some tries.  Not for what hangs: see BUSY."""
    if not took < most:
        raise TooSlow(f'{what}: took {took}, may take {most}')


def cut(text, most=2000):
    return text if len(text) <= most else text[:most] + type(text)()
