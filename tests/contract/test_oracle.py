#!/usr/bin/env python3
# tap: seconds=900
"""Our contract against the published MXC: accepted and refused alike.

MXC's program reads each document with --dry-run.  "Request error" is a
refusal by its parse phase; everything else (a backend that this machine does
not have, a policy that a backend cannot enforce) comes after the contract
accepted.  The only differences allowed are those of oracle.DIFFERENCES, which
stand in docs/compatibility.md under the same names; one that no longer occurs
is a failure too.  Product 1.0.1 judges the contracts that it has, product
0.9.0 the former ones.

Without arguments enough documents for the suite; --all for all.
"""

import collections
import concurrent.futures
import os
import pathlib
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
from tap import *  # noqa: E402,F403
import former  # noqa: E402
import mutations  # noqa: E402
import oracle  # noqa: E402
from judging import Judge  # noqa: E402

STRUCTURAL = 1500
ALL = '--all' in sys.argv
if ALL:
    sys.argv.remove('--all')

# Refusals by the backend of the machine, which 0.9.0 looks at first: what it
# read was right.
BACKEND = re.compile(r"(Bubblewrap|LXC): |.*LXC and Bubblewrap pass|"
                     r".*names the container's own n", re.S)


def ask_mxc(program, number, data):
    """'ok', or the text of the refusal."""
    path = pathlib.Path(f'{number}.json')
    path.write_bytes(data)
    p = oracle.execute(program, '--dry-run', path)
    path.unlink()
    err = p.stderr.decode('utf-8', 'replace')
    if 'Request error' not in err:
        check(p.returncode in (0, 1, 255), f'{p.returncode}: {err}')
        return 'ok'
    if 'got a state-aware lifecycle request' in err:
        return 'ok'
    err = err.split('Configuration parse error: ', 1)[-1].strip()
    return 'ok' if BACKEND.match(err) else err


def same_place(ours, theirs):
    """Both refuse: MXC must not name another field than we do."""
    mxc = re.search(r'Invalid configuration at `([^`]*)`', theirs)
    our = re.match(r'no \d+:\d+ (.*?): (.*)', ours, re.S)
    if not mxc or 'invalid JSON' in ours:
        return True
    where, message = our.groups()
    if message.startswith('duplicate field'):    # MXC names the parent
        where = where.rpartition('.')[0]
    if message.endswith('found an array'):       # MXC goes into it
        return mxc.group(1).startswith(where)
    if where == 'phase':                         # `rolling`: ours has phases
        return True
    if where.startswith('network.proxy'):        # it reads one of three
        return mxc.group(1).startswith('network.proxy')
    return where == mxc.group(1)


def judged(program, docs):
    """(kind, data, our answer, MXC's answer) of each, two at a time."""
    with Judge() as ask, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(lambda n, d: ask_mxc(program, n, d),
                           range(len(docs)), [d for _, d in docs])
        for (kind, data), theirs in zip(docs, answers):
            yield kind, data, ask(data), theirs


def compare(program, product, docs):
    used, wrong, accepted = collections.Counter(), [], 0
    for kind, data, ours, theirs in judged(program, docs):
        accepted += ours == 'ok'
        if (ours == 'ok') == (theirs == 'ok'):
            good = ours == 'ok' or same_place(ours, theirs)
        else:
            good = False
        if not good:
            name = oracle.explained(ours, theirs, product)
            used[name] += 1
            good = name is not None
        if not good:
            wrong.append(f'[{kind}] {data[:300]!r}\n  ours: {ours[:200]}\n'
                         f'  MXC:  {theirs[:200]}')
    print(f'{len(docs)} documents, {accepted} accepted by ours; '
          f'differences {dict(used)}')
    check(not wrong, f'{len(wrong)} differences without a name:\n'
          + '\n'.join(wrong[:40]))
    check(200 < accepted < len(docs) - 200, 'the documents are one-sided')
    unused = {name for name, (_, _, products) in oracle.DIFFERENCES.items()
              if product in products} - set(used)
    check(not unused, f'differences that do not occur: {sorted(unused)}')


@test(seconds=900)
def agrees_with_mxc():
    if not oracle.PROGRAM.exists():
        skip(oracle.MISSING)
    docs = list(mutations.documents(None if ALL else STRUCTURAL))
    check(len(docs) >= 2000, f'only {len(docs)} documents')
    compare(oracle.PROGRAM, '1.0.1', docs)


@test(seconds=900)
def agrees_with_the_former_mxc():
    if not oracle.FORMER_PROGRAM.exists():
        skip('no package @microsoft/mxc-sdk 0.9.0 (tools/fetch-oracle)')
    docs = list(former.documents(None if ALL else STRUCTURAL))
    check(len(docs) >= 5000, f'only {len(docs)} documents')
    compare(oracle.FORMER_PROGRAM, '0.9.0', docs)


@test
def every_difference_is_documented():
    text = read(TOP / 'docs/compatibility.md')
    section = text.split('## Contract', 1)[-1].split('\n## ', 1)[0]
    written = set(re.findall(r'^\| `([a-z-]+)` \|', section, re.M))
    eq(written, set(oracle.DIFFERENCES), 'names in docs/compatibility.md')


main()
