#!/usr/bin/env python3
# tap: seconds=900
"""Our contract against the published MXC: accepted and refused alike.

MXC's program reads each document with --dry-run.  "Request error" is a
refusal by its parse phase; everything else (a backend that this machine does
not have, a policy that a backend cannot enforce) comes after the contract
accepted.  The only differences allowed are those of DIFFERENCES, which stand
in docs/compatibility.md under the same names; one that no longer occurs is a
failure too.

$MXC_ORACLE is MXC's `lxc-exec` (tools/fetch-oracle gets it).  Without
arguments enough documents for the suite; --all for all.
"""

import collections
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
from tap import *  # noqa: E402,F403
import mutations  # noqa: E402
from judging import Judge  # noqa: E402

PACKAGE = 'node_modules/@microsoft/mxc-sdk/bin/x64/lxc-exec'
MXC_PROGRAM = pathlib.Path(os.environ.get(
    'MXC_ORACLE', TOP / 'build/oracle' / PACKAGE))
STRUCTURAL = 1500
ALL = '--all' in sys.argv
if ALL:
    sys.argv.remove('--all')

# name: (our answer must match, MXC's answer must match)
DIFFERENCES = {
    'positional-array': (r'expected an object, found an array$', r'^ok$'),
    'nul-in-string': (r'string holds a NUL character$', r'^ok$'),
    'proxy-default-port': (r'^ok$', r'must include a port.*:(80|443)$'),
    'proxy-port-zero': (r'networkProxy: expected a port from 1', r'^ok$'),
    'proxy-spelling': (r'networkProxy: (expected a URL|a URL holds no|'
                       r'expected a host name)', r'^ok$'),
    'prefix-spelling': (r'expected a prefix length', r'^ok$'),
    'number-in-comment': (r'^ok$', r'number out of range'),
    'capture-path': (r'^ok$', r'outputPath (parent directory does not exist|'
                              r'must name a file, not an existing directory|'
                              r"must be an absolute path: '(C:|\\\\))"),
    'superset': (r'^ok$', r'Unsupported contract version'),
}


def ask_mxc(number, data):
    """'ok', or the text of the refusal."""
    path = pathlib.Path(f'{number}.json')
    path.write_bytes(data)
    p = subprocess.run([MXC_PROGRAM, '--dry-run', path],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=60)
    path.unlink()
    err = p.stderr.decode('utf-8', 'replace')
    if not err.startswith('Request error'):
        check(p.returncode in (0, 1, 255), f'{p.returncode}: {err}')
        return 'ok'
    if 'got a state-aware lifecycle request' in err:
        return 'ok'
    return err.split('Configuration parse error: ', 1)[-1].strip()


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
    return where == mxc.group(1)


def explained(ours, theirs):
    for name, (a, b) in DIFFERENCES.items():
        if re.search(a, ours, re.S) and re.search(b, theirs, re.S):
            return name
    return None


def judged(docs):
    """(kind, data, our answer, MXC's answer) of each, two at a time."""
    with Judge() as ask, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        answers = pool.map(ask_mxc, range(len(docs)), [d for _, d in docs])
        for (kind, data), theirs in zip(docs, answers):
            yield kind, data, ask(data), theirs


@test(seconds=900)
def agrees_with_mxc():
    if not MXC_PROGRAM.exists():
        skip('no package @microsoft/mxc-sdk 1.0.1 (tools/fetch-oracle)')
    docs = list(mutations.documents(None if ALL else STRUCTURAL))
    check(len(docs) >= 2000, f'only {len(docs)} documents')
    used, wrong, accepted = collections.Counter(), [], 0
    for kind, data, ours, theirs in judged(docs):
        accepted += ours == 'ok'
        if (ours == 'ok') == (theirs == 'ok'):
            good = ours == 'ok' or same_place(ours, theirs)
        else:
            name = explained(ours, theirs)
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
    unused = set(DIFFERENCES) - set(used)
    check(not unused, f'differences that do not occur: {sorted(unused)}')


@test
def every_difference_is_documented():
    text = read(TOP / 'docs/compatibility.md')
    section = text.split('## Contract', 1)[-1].split('\n## ', 1)[0]
    written = set(re.findall(r'^\| `([a-z-]+)` \|', section, re.M))
    eq(written, set(DIFFERENCES), 'names in docs/compatibility.md')


main()
