"""backend_results.py - what the suites saw of each backend, kept.

docs/backends-results.json holds, for each backend and caller (root, user),
what tests/backends saw of features and policies and how the attacks of
tests/escape ended.  tools/run-tests writes it with MXC_BLESS=1 and otherwise
compares; tools/gen-docs makes docs/backends.md of it.
"""

import json
import os
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[1]
PATH = TOP / 'docs/backends-results.json'
ATTACKS = 'escape'
OTHER = 'other'
GROUP = re.compile(r'([a-hw])\d+_')


def table():
    """tests/lib/backends.py"""
    sys.path.insert(0, str(TOP / 'tests/lib'))
    import backends
    return backends


def load():
    return json.loads(PATH.read_text()) if PATH.exists() else {}


def group(name, path):
    """The letter of docs/attacks.md that a test's name begins with."""
    m = GROUP.match(name)
    if m:
        return m.group(1).upper()
    return 'G' if path.name.startswith('test_network') else OTHER


def caller(job):
    return 'user' if job.user or os.geteuid() else 'root'


def kept_as(job):
    """The backend, or where else its attacks were made; or None."""
    if job.denials:
        return None
    if job.in_session:
        return table().SESSION if job.suite == ATTACKS else None
    if job.saw or job.suite == ATTACKS:
        return job.backend or job.sole or table().REFERENCE
    return None


def count(place, letter, kind):
    counts = place.setdefault(letter, {})
    counts[kind] = counts.get(kind, 0) + 1


def collect(jobs):
    """{backend: {caller: {'features': .., 'policies': .., 'attacks': ..}}}

    Attacks are counted for each file in which nothing failed.
    """
    seen = {}
    for job in jobs:
        backend = kept_as(job)
        if backend is None:
            continue
        place = seen.setdefault(backend, {}).setdefault(caller(job), {})
        for kind, name, what in job.saw:
            place.setdefault(kind, {})[name] = what
        if job.suite == ATTACKS and not job.failed and not job.is_skipped:
            attacks = place.setdefault('attacks', {}).setdefault(
                job.path.name, {})
            for name in job.passed:
                count(attacks, group(name, job.path),
                      job.known.get(name, 'held'))
            for name in job.skipped:
                count(attacks, group(name, job.path), 'skipped')
    return seen


def same_words(seen, blessed):
    for name, what in seen.items():
        if blessed.get(name) != what:
            yield f'{name}: saw {what!r}, kept is {blessed.get(name)!r}'


def same_attacks(seen, blessed):
    """In meaning: what is held elsewhere too may be more than was counted;
    what is not may neither be more nor less, and no attack disappears."""
    for name in sorted(seen):
        for letter in sorted({*seen[name], *blessed.get(name, {})}):
            new = seen[name].get(letter, {})
            old = blessed.get(name, {}).get(letter, {})
            if sum(new.values()) < sum(old.values()):
                yield (f'{name}: {letter}: {sum(new.values())} tests, '
                       f'{sum(old.values())} are kept')
            for kind in table().KINDS:
                if new.get(kind, 0) != old.get(kind, 0):
                    yield (f'{name}: {letter}: {new.get(kind, 0)} {kind}, '
                           f'{old.get(kind, 0)} are kept')


def differences(seen):
    """Sentences: what was seen now and is not what is kept."""
    kept = load()
    for backend, callers in seen.items():
        for who, kinds in callers.items():
            old = kept.get(backend, {}).get(who, {})
            for kind, found in kinds.items():
                if kind not in old:
                    yield (f'{backend} as {who}, {kind}: nothing is kept so '
                           'far, see MXC_BLESS in docs/testing.md')
                    continue
                compare = same_attacks if kind == 'attacks' else same_words
                for text in compare(found, old.get(kind, {})):
                    yield f'{backend} as {who}, {kind}: {text}'


def bless(seen):
    kept = load()
    for backend, callers in seen.items():
        for who, kinds in callers.items():
            place = kept.setdefault(backend, {}).setdefault(who, {})
            for kind, found in kinds.items():
                place.setdefault(kind, {}).update(found)
    PATH.write_text(json.dumps(kept, indent=1, sort_keys=True) + '\n')
