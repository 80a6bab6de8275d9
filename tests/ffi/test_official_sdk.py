#!/usr/bin/env python3
# tap: seconds=600
"""The official SDK of MXC 1.0.1 with our library in the place of its own.

A scratch project with the published package, which finds the library by
MXC_FFI_DIR and the executable by MXC_BIN_DIR; tests/ffi/sdk.mjs is its
program.  Skips only where npm cannot get the packages.
"""

import json
import os
import pathlib
import platform
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
from tap import *  # noqa: E402,F403
from ffi import OURS, is_sanitized  # noqa: E402
import sessions  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
MODULES = TOP / 'build/oracle/node_modules'
ARCH = 'arm64' if platform.machine() == 'aarch64' else 'x64'
NODE = TOP / f'build/oracle-node/node_modules/node-linux-{ARCH}/bin/node'
GONE = '\ufffd'
HAS_LXC = (MXC.parent / '../libexec/mxc/mxc-lxc').exists()


def fetch():
    if is_sanitized():
        skip('node is not built with the sanitizers')
    if NODE.exists() and MODULES.exists():
        return
    why = 'not in this copy'
    if (TOP / 'tools/fetch-oracle').exists():
        why = subprocess.run(
            [TOP / 'tools/fetch-oracle'], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT).stdout.strip()[-200:]
    if not NODE.exists() or not MODULES.exists():
        skip(f'no @microsoft/mxc-sdk 1.0.1 and node 24 from npm: {why}')


def scene(name, *args, seconds=60):
    """What the program saw; nothing else of it may be said."""
    fetch()
    pathlib.Path('package.json').write_text('{"type": "module"}')
    pathlib.Path('sdk.mjs').write_text((HERE / 'sdk.mjs').read_text())
    if not os.path.lexists('node_modules'):
        os.symlink(MODULES, 'node_modules')
    binaries = pathlib.Path(f'binaries/{ARCH}')
    binaries.mkdir(parents=True, exist_ok=True)
    for program in (MXC.parent / 'lxc-exec',):
        if not os.path.lexists(binaries / program.name):
            os.symlink(program, binaries / program.name)
    r = run([NODE, 'sdk.mjs', name, *args], timeout=seconds, env={
        'MXC_FFI_DIR': OURS.parent, 'MXC_BIN_DIR': binaries.parent.absolute()})
    eq((r.status, r.err), (0, ''), f'{r}')
    return r.json()


@test
def it_is_our_library():
    """Not the package's own, which lies beside it and would do as well."""
    fetch()
    write('sdk.mjs', (
        "import { loadMxcFfi } from './node_modules/@microsoft/mxc-sdk/dist/"
        "native-library.js';\n"
        'console.log(JSON.stringify(loadMxcFfi().path));\n'))
    os.symlink(MODULES, 'node_modules')
    r = run([NODE, 'sdk.mjs'], env={'MXC_FFI_DIR': OURS.parent})
    eq(r.ok().json(), str(OURS))


# --- run -----------------------------------------------------------------------

@test
def runs():
    eq(scene('run'), {'stdout': 'out\n', 'stderr': 'err\n', 'exitCode': 3,
                      'timedOut': False, 'warnings': []})


@test(seconds=120)
def runs_at_once_and_again():
    eq(scene('runMany'), [[f'{n}\n', n] for n in range(16)])
    eq(scene('runAgain'), list(range(50)))


@test
def run_with_a_timeout():
    r = scene('runTimeout')
    eq((r['timedOut'], r['exitCode'], r['stdout']), (True, -1, 'a\n'))


@test
def output_that_is_no_text():
    eq(''.join(map(chr, scene('runBytes'))),
       f'a{GONE}b{GONE}c{GONE}({GONE}d')
    eq(scene('runLarge'), [2000000, True])


@test
def run_under_a_policy():
    write('data', 'secret\n')
    r = scene('runPolicy')
    eq(r['stdout'], f'secret\nrefused\nb\n{r["here"]}\n')
    eq((r['exitCode'], read('data')), (0, 'secret\n'))


@test
def warnings_of_a_run():
    eq(len(scene('runWarnings')), 1)


@test
def errors():
    got = scene('errors')
    for name, code in {
            'ingress': 'backend_error', 'seatbelt': 'unsupported_containment',
            'processcontainer': 'unsupported_containment',
            'lxc': 'policy_validation' if HAS_LXC else 'backend_unavailable',
            'missing': 'policy_validation',
            'empty': 'malformed_request', 'path': 'malformed_request',
            'cidr': 'malformed_request', 'spawn': 'backend_error',
            'pty': 'unsupported_containment', 'size': 'malformed_request',
    }.items():
        e = got[name]
        check(e and e['message'], f'{name}: {e}')
        eq((e['isMxc'], e['code']), (True, code), f'{name}: {e}')
    has(got['missing']['remediation'], 'create it')
    if HAS_LXC:
        has(got['lxc']['remediation'], 'mxc image import alpine/3.23')


# --- spawn ---------------------------------------------------------------------

@test
def spawns():
    r = scene('spawn')
    check(r.pop('id') > 1)
    eq(r, {'end': {'exitCode': 4, 'timedOut': False}, 'out': 'hello there',
           'err': 'err\n', 'warnings': []})


@test
def streams_carry_bytes():
    eq(scene('spawnBytes'), {'end': {'exitCode': 0, 'timedOut': False},
                             'same': True})


@test
def waits_without_reading():
    eq(scene('spawnUnread'), {'exitCode': 5, 'timedOut': False})


@test
def spawn_with_a_timeout():
    eq(scene('spawnTimeout'), {'end': {'exitCode': -1, 'timedOut': True},
                               'out': 'a\n'})


@test
def kills():
    eq(scene('spawnKill'), {'exitCode': -1, 'timedOut': False})


@test
def disposes():
    pid = scene('spawnDispose')

    def is_gone():
        try:       # dead, and to be buried by whoever adopted it
            return ') Z ' in read(f'/proc/{pid}/stat')
        except OSError:
            return True
    eventually(is_gone, what='the end of the supervisor')


@test
def spawns_at_once():
    eq(scene('spawnMany'), True)


# --- terminals -----------------------------------------------------------------

@test
def terminal_with_resize():
    r = scene('pty')
    eq(r['end'], {'exitCode': 3, 'timedOut': False})
    for piece in ('/dev/', '30 100\r\n', '41 121\r\n', 'got yo\r\n'):
        has(r['out'], piece)


@test
def terminal_ends():
    eq(scene('ptyEof'), {'exitCode': 6, 'timedOut': False})
    eq(scene('ptyKill'), {'exitCode': -1, 'timedOut': False})
    eq(scene('ptyTimeout'), {'exitCode': -1, 'timedOut': True})


# --- looking -------------------------------------------------------------------

@test
def discovers():
    r = scene('discovery')
    eq(r['backends'], [{'backend': name, 'warnings': [],
                        'capabilities': ['proxyEnforcement']}
                       for name in ('bubblewrap', *['lxc'] * HAS_LXC)])
    eq(r['consent']['effectiveState'], 'not-applicable')


@test
def platform_support():
    need('bwrap')
    if not (MXC.parent / 'lxc-exec').exists():
        skip('no lxc-exec in the tree')
    r = scene('platform')
    eq((r['isSupported'], 'bubblewrap' in r['availableMethods']),
       (True, True), r)
    eq(r['bubblewrapNetwork'], {'proxyEnforcement': 'supported',
                                'warnings': []})


@test
def lifecycle():
    got = scene('lifecycle')
    for name, code in {'provision': 'backend_unavailable',
                       'wslc': 'backend_unavailable',
                       'start': 'backend_unavailable',
                       'stop': 'backend_unavailable',
                       'prefix': 'malformed_id',
                       'run': 'backend_unavailable'}.items():
        eq((got[name]['isMxc'], got[name]['code']), (True, code),
           f'{name}: {got[name]}')


@test
def a_warning_does_not_end_the_process():
    """The SDK cannot read a warning, says so, and frees another string than it
    was given: with MXC's own library it dies of that."""
    eq(scene('spawnWarnings'), ['TypeError'] * 5)


@test
def a_container_of_ours():
    """Every lifecycle call of the SDK, and each error of the contract."""
    os.mkdir('w')
    folder = os.path.abspath('w')
    r = scene('container', folder)
    done = {'warnings': []}
    for name in ('validated', 'made', 'started', 'process', 'stopped',
                 'restarted', 'gone'):
        eq(r[name], done, name)
    check(re.fullmatch('wslc:[0-9a-f]{32}', r['id']), r['id'])
    for name, code, piece in (
            ('early', 'not_started', 'is not started'),
            ('stoppedEarly', 'already_stopped', 'is not started'),
            ('startedAgain', 'already_started', 'started already'),
            ('stoppedAgain', 'already_stopped', 'is not started'),
            ('proxied', 'policy_validation', 'proxy'),
            ('goneAgain', 'stale_id', 'no session'),
            ('stale', 'stale_id', 'no session'),
            ('noPath', 'policy_validation', '/no/such'),
            ('archive', 'policy_validation', 'archive')):
        eq((r[name]['isMxc'], r[name]['code']), (True, code), f'{name} {r}')
        has(r[name]['message'], piece)
    eq(r['ran'], {'stdout': 'out\n', 'stderr': 'err\n', 'exitCode': 3,
                  'timedOut': False, 'warnings': []})
    eq(read('w/file'), 'made\n')
    eq(r['late'], {'stdout': 'before\n', 'stderr': '', 'exitCode': -1,
                   'timedOut': True, 'warnings': []})
    eq(r['fed'], ['fed', {'exitCode': 4, 'timedOut': False}])
    eq(r['killed'], {'exitCode': -1, 'timedOut': False})
    end, shown = r['pty']
    eq(end, {'exitCode': 0, 'timedOut': False})
    for piece in ('/dev/pts/', '30 90', '20 60'):
        has(shown, piece)
    eq(os.listdir(sessions.root()), [])


main()
