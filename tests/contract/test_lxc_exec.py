#!/usr/bin/env python3
# tap: seconds=900
"""Our lxc-exec beside MXC's: the same arguments, exit codes and streams.

Every command line and document goes to both programs.  What differs must be
named in RENDERINGS or DRY_RUNS, which docs/compatibility.md lists under the
same names; a name that no longer occurs is a failure too.  Nothing here
needs a network tool of MXC's.  tests/e2e/test_lxc_exec.py has what only ours
must do.
"""

import base64
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
from tap import *  # noqa: E402,F403
import mutations  # noqa: E402
import oracle  # noqa: E402

OURS = MXC.parent / 'lxc-exec'
STRUCTURAL = 1500
LOG = r'(?:WARNING: .*\n)?Script code length: '

# name: (stream, what ours matches, what MXC's matches[, both exit codes]).
# With exit codes that differ, either stream may.
RENDERINGS = {
    'help-text': ('out', r'usage: lxc-exec \[.*', r'Linux Container Exec.*'),
    'usage-text': ('err', r"error: .*\n\nFor more information, try '--help'.\n",
                   r"error: .*\n\nFor more information, try '--help'.\n"),
    'message-text': ('err', r'Request error\nConfiguration parse error: .*|'
                            r'\{"error":\{"code":"backend_error",.*\}\}\n',
                     r'Request error\nConfiguration parse error: [^\n]*\n|'
                     r'\{"error":\{"code":"backend_error",[^\n]*\}\}\n'),
    'said-once': ('err', r'Request error\nConfiguration parse error: .*',
                  r'Request error\n([^\n]*)\nConfiguration parse error: '
                  r'\1\n'),
    'own-line': ('err', r'[^{]+\n\{"error":\{.*\}\}\n',
                 r'[^{\n]+\{"error":\{.*\}\}\n'),
    'debug-stream': ('out', r'(?!Script).*',
                     r'(telemetry: .*\n)?Script code length: .*|'
                     r'Configuration parse error: .*'),
    'debug-stream ': ('err', r'Script code length: .*|Request error\nConf.*',
                      r'.*'),
    'dry-run-reason': ('out', r'Script .*\n.*validation failed: .*',
                       r'Script .*\n.*validation failed: .*'),
    'escapes': ('out', r'Script .*\\n.*', r'Script .*\x1b.*'),
    'lxc-image': (None, r"Script .*\n.*failed: LXC distribution and release are "
                        r"required: they .*", r'Script .*\n.*passed\n',
                  (255, 0)),
    'lxc-image ': ('err', r'LXC distribution and release are required: they .*',
                   r'LXC distribution and release are required \(e\.g\..*'),
    'absent-backend': (None, r"error: the 'hyperlight' backend is not "
                             r"available in this build\n.*",
                       r'|.*\{"error":.*', (1, 1), (1, 255), (1, 0)),
    'no-kvm': ('err', r"Error: unknown hyperlight runtime .*"
                      r"|error: the 'hyperlight' backend is not available .*",
               r'[Ee]rror: (--setup-hyperlight|Hyperlight) requires KVM: .*'),
    'microvm-text': ('err', r"error: the 'microvm' backend is not available "
                            r"in this build\n.*",
                     r'error: MicroVM backend not compiled in .*'),
    'backends-list': ('out', r'\[\n  \{\n    "backend": "bubblewrap",.*',
                      r'\[.*"hyperlight".*|\[.*"bubblewrap".*'),
    'former-contract': (None, r'', r'Request error\n.*Unsupported contract '
                                  r'version.*', (0, 1)),
    'not-ignored': (None, r"backend 'native' cannot enforce .*", r'', (255, 0)),
    'setup-status': (None, r'(?!WARN).*\n\{"error":\{.*\}\}\n', r'bwrap: .*|',
                     (255, 1), (255, 0)),
    'shell-name': ('err', r'/bin/sh: 1: .*', r'sh: 1: .*'),
    'telemetry-warning': ('err', r'WARNING: telemetry.*', r''),
}
# Where MXC lists what we list, as on a host without KVM and LXC.
MAY_BE_UNUSED = {'backends-list'}
# Tested one by one below.
DIRECT = {'signal-mask', 'signal-end', 'log-lines'}
# Where there is none, MXC says so before anything else about Hyperlight.
HAS_KVM = os.access('/dev/kvm', os.R_OK | os.W_OK)
NOT_HERE = {'no-kvm' if HAS_KVM else 'absent-backend'}
# name: (what ours says, what MXC says) of a document, each as answer() has it.
DRY_RUNS = {
    'absent-backend': (r"1 unavailable .*'hyperlight' backend is not "
                       r'available in this build', r'0 passed'),
    'lxc-image': (r'255 failed: (LXC distribution and release are required: '
                  r"they|there is no image '|.* is no name of an image|"
                  r'this build has no lxc)', r'0 passed|255 failed: LXC'),
    'dry-run-looks': (r'255 failed: .*(path |environment|bytes; a program)',
                      r'0 passed'),
    'not-ignored': (r'255 failed: .*cannot enforce .*\((ui|lifecycle)\.|'
                    # MXC says so too, when it runs.
                    r"255 failed: backend 'lxc' cannot enforce .*"
                    r'\(network\.ingress\.',
                    r'0 passed'),
    'network': (r'255 failed: .*(no rule can grant|credentials)|0 passed',
                r'0 passed|255 failed: Bubblewrap: (network rule|proxy addr)'),
}


def need_oracle():
    if not oracle.PROGRAM.exists():
        skip(oracle.MISSING)
    need('bwrap')


def document(**more):
    process = {'commandLine': 'true', **more.pop('process', {})}
    return {'version': '1.0.0', 'process': process, **more}


def command(text, **more):
    return document(process={'commandLine': text, **more})


def b64(doc):
    text = doc if isinstance(doc, bytes) else json.dumps(doc).encode()
    return base64.b64encode(text).decode()


# --- command lines -----------------------------------------------------------

def flags():
    """Command lines; ok.json runs `true`, out.json prints and exits with 3."""
    for line in (
        '', '-h', '--help', '--debug --help', '--help --bogus', '-hx',
        '--bogus -h', 'a b --help', '--help=1', '--bogus', '--debugg', '--deb',
        '-x', '-d', '-V', '--version', '--Debug', '--=x', '---', 'a b',
        '-- a b', 'ok.json -- --debug', 'ok.json --', '-- ok.json', '-- --',
        '--', '-', '-- --config', '--config', '--config-base64', '--log-file',
        '--containername', '--config --debug', '--config -x', '--config -',
        '--config -- x', '--config= ', '--config=ok.json', '--config ok.json',
        '--config ok.json nosuch', '--config nosuch ok.json',
        '--config a --config b', '--config a --config=b', '--debug --debug',
        '--dry-run --dry-run', '--experimental --experimental',
        '--log-file a --log-file b', '--debug=1', '--dry-run=yes', '--force',
        '--force ok.json', '--force=1', '--setup-hyperlight=foo',
        '--setup-hyperlight=', '--setup-hyperlight=agent,foo',
        '--setup-hyperlight foo', '--setup-hyperlight --force --dry-run x',
        '--setup-hyperlight=foo ok.json',
        '--setup-hyperlight=foo --delete --containername x',
        '--setup-hyperlight=agent --log-file',
        '--delete', '--delete x', '--delete --containername',
        '--delete --containername x', '--delete --containername=-x',
        '--delete --containername x ok.json', '--delete --delete',
        '--containername x ok.json', '--available-backends',
        '--available-backends nosuch --debug', '--available-backends --bogus',
        '--available-backends --delete', '--available-backends x y',
        '--setup-hyperlight=foo --available-backends',
        'ok.json', 'ok.json --dry-run', 'out.json', '--dry-run out.json',
        '--dry-run', 'nosuch', '--dry-run nosuch', '/tmp', '--debug nosuch',
        '--log-file l ok.json', '--log-file /nosuch/l out.json',
        '--debug out.json', '--debug --dry-run out.json',
        'ok.json --experimental', 'empty.json'):
        yield [a.strip() for a in line.split()]
    for argv in (
        ['', 'ok.json'], [''], ['no\nsuch'], ['a\tb'],
        ['--config-base64', ''], ['--config-base64', '@@@'],
        ['--config-base64', b64(document())],
        ['--config-base64=' + b64(document())],
        ['--config-base64', b64(document()), 'nosuch', '--config', 'nosuch'],
        ['--config-base64', b64(document()) + '\n'],
        ['--config-base64', b64(b'\xff')], ['--config-base64', '_-8='],
        ['--config-base64', 'e30'], ['--config-base64', 'e31='],
        ['--config-base64', 'e30=e30='], ['--config-base64', '===='],
        ['--config-base64', b64(b'{}')], ['--config-base64', b64(b'\xef\xbb')],
        [b'\xff'], ['--config', b'\xff'], ['--config-base64', b'\xff'],
        ['--log-file', b'\xff', 'ok.json'], ['--bog\xff'], [b'--\xff']):
        yield argv


def documents():
    """(arguments, document): one of each kind of outcome."""
    doc = document
    for n in (0, 1, 2, 125, 126, 127, 128, 255, 256):
        yield [], command(f'exit {n}')
    for name in ('KILL', 'SEGV', 'ABRT', 'PIPE', 'USR1'):
        yield [], command(f'kill -{name} $$')
    yield [], command('nosuch-program')
    yield [], command('/etc/passwd')
    yield [], command('printf "a\\0\\377b"; printf "c\\0\\376" >&2')
    yield [], command('echo $PATH $TERM; pwd')
    yield [], command('pwd', cwd='/usr')
    yield [], command('pwd', cwd='/nosuch')
    yield [], command('true', env=['=x'])
    yield [], command('true', env=['x'])
    yield [], command('echo $A', env=['A=1', 'PATH=/bin', 'A=2'])
    yield [], command('echo so far; sleep 9', timeout=250)
    yield [], command('exit 7', timeout=5000)
    yield ['--debug'], command('echo so far; sleep 9', timeout=250)
    yield [], doc(filesystem={'readonlyPaths': ['/nosuch']})
    yield ['--dry-run'], doc(containerId='a\nb\x1b')
    yield ['--dry-run'], doc(process={'commandLine': 'h\u00e9'})
    yield [], doc(ui={'clipboard': 'read'})
    yield [], doc(telemetry={'enabled': True})
    for flag in ([], ['--dry-run'], ['--debug']):
        yield flag, doc(network={'ingress': {'default': 'allow'}})
        yield flag, doc(zz=1)
        yield flag, doc(lxc={'distribution': 'a', 'release': 'b'})
        yield flag, {'version': '1.0.0', 'phase': 'start',
                     'sandboxId': 'wslc:0'}
        yield flag, doc(containment='bubblewrap')
        yield flag, doc(containment='seatbelt')
    yield [], doc(containment='processcontainer', processContainer={
        'captureDenials': {'outputPath': 'rel'}})
    for version in ('0.8.0-alpha', '0.9.0-alpha', '1.1.0-alpha', '1.1.0+c1'):
        yield [], doc(version=version)
    for name in ('vm', 'microvm', 'lxc', 'hyperlight', 'seatbelt', 'wslc',
                 'windows_sandbox', 'processcontainer', 'isolation_session'):
        network = ({'network': mutations.ALLOW_ALL}
                   if name == 'isolation_session' else {})
        for flag in ([], ['--experimental'], ['--dry-run'],
                     ['--experimental', '--dry-run']):
            yield flag, doc(version='1.1.0-alpha', containment=name,
                            **network)


def plain(data):
    return re.sub(r'completed in \d+ms', 'completed in 0ms',
                  data.decode('utf-8', 'backslashreplace'))


def named(ours, theirs):
    """The names of what differs between two results; None where one has
    none."""
    codes = (ours.returncode, theirs.returncode)
    pairs = {'out': (plain(ours.stdout), plain(theirs.stdout)),
             'err': (plain(ours.stderr), plain(theirs.stderr))}
    names = set()
    for name, (stream, a, b, *allowed) in RENDERINGS.items():
        if stream is None and codes in allowed and any(
                re.fullmatch(a, x, re.S) and re.fullmatch(b, y, re.S)
                for x, y in pairs.values()):
            return {name}
    if codes[0] != codes[1]:
        return {None}
    for at, (a, b) in pairs.items():
        if a != b:
            names.add(next(
                (name.strip() for name, (stream, x, y, *_)
                 in RENDERINGS.items() if stream == at
                 and re.fullmatch(x, a, re.S) and re.fullmatch(y, b, re.S)),
                None))
    return names


@test(seconds=300)
def renderings():
    need_oracle()
    write('ok.json', json.dumps(document()))
    write('out.json', json.dumps(command('echo out; echo err >&2; exit 3',
                                         cwd='/tmp', timeout=5000)))
    write('empty.json', '')
    rows = [(argv, None) for argv in flags()] + list(documents())
    used, wrong = collections.Counter(), []
    for argv, doc in rows:
        if doc is not None:
            write('doc.json', json.dumps(doc))
            argv = [*argv, 'doc.json']
        ours = oracle.execute(OURS, *argv)
        theirs = oracle.execute(oracle.PROGRAM, *argv)
        names = named(ours, theirs)
        used.update(names)
        if None in names:
            wrong.append(f'{argv} {json.dumps(doc)[:200]}\n'
                         f'  ours {ours.returncode} {ours.stdout} '
                         f'{ours.stderr}\n  MXC  {theirs.returncode} '
                         f'{theirs.stdout} {theirs.stderr}')
    print(f'{len(rows)} rows, differences {dict(used)}')
    check(not wrong, f'{len(wrong)} differences without a name:\n'
          + '\n'.join(wrong))
    unused = {n.strip() for n in RENDERINGS} - set(used) - (
        MAY_BE_UNUSED | NOT_HERE)
    check(not unused, f'differences that do not occur: {sorted(unused)}')


@test
def every_difference_is_documented():
    text = read(TOP / 'docs/compatibility.md')
    section = text.split('## lxc-exec', 1)[-1].split('\n## ', 1)[0]
    written = set(re.findall(r'^\| `([a-z-]+)` \|', section, re.M))
    eq(written, {n.strip() for n in RENDERINGS} | set(DRY_RUNS) | DIRECT,
       'names in docs/compatibility.md')


# --- documents ---------------------------------------------------------------

def answer(program, path, extra):
    """'CODE KIND: TEXT', and for the parse phase what oracle.explained()
    takes."""
    p = oracle.execute(program, '--dry-run', *extra, path)
    out = p.stdout.decode('utf-8', 'replace')
    err = p.stderr.decode('utf-8', 'replace')
    if err.startswith('Request error'):
        text = err.split('Configuration parse error: ', 1)[-1].rstrip('\n')
        ours = re.match(r'(.*?)\n  at: (?:(\S*) \()?line', text, re.S)
        if ours:
            text = f'no 0:0 {ours.group(2) or ""}: {ours.group(1)}'
        return f'{p.returncode} parse', text
    found = re.search(r'^Dry run completed. Result: validation (.*)', out,
                      re.M | re.S)
    if found:
        return f'{p.returncode} {found.group(1).rstrip()}', 'ok'
    kind = 'experimental' if 'is experimental' in err else 'unavailable'
    return f'{p.returncode} {kind} {err}', 'ok'


def both(job):
    number, (kind, data) = job
    path = write(f'{number}.json', data)
    extra = ['--experimental'] if number % 2 else []
    results = [answer(p, path, extra) for p in (OURS, oracle.PROGRAM)]
    path.unlink()
    return kind, data, *results


def agreed(ours, theirs):
    """'' when alike, the name of the difference, or None."""
    if ours[1] == 'ok' and theirs[1] == 'ok':
        if ours[0].split()[:2] == theirs[0].split()[:2]:
            return ''
        if re.search(r"requires '\S+' on PATH", theirs[0]):
            return 'nothing to compare: no network tools for MXC'
        for name, (a, b) in DRY_RUNS.items():
            if re.match(a, ours[0], re.S) and re.match(b, theirs[0], re.S):
                return name
        return None
    if ours[1] != 'ok' and theirs[1] != 'ok':
        return '' if ours[0] == theirs[0] == '1 parse' else None
    return oracle.explained(ours[1], theirs[1], '1.0.1')


@test(seconds=900)
def documents_are_judged_alike():
    need_oracle()
    docs = list(mutations.documents(STRUCTURAL))
    check(len(docs) >= 5000, f'only {len(docs)} documents')
    used, wrong = collections.Counter(), []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for kind, data, ours, theirs in pool.map(both, enumerate(docs)):
            name = agreed(ours, theirs)
            used[name] += 1
            if name is None:
                wrong.append(f'[{kind}] {data[:300]!r}\n  ours: {ours}\n'
                             f'  MXC:  {theirs}')
    print(f'{len(docs)} documents, differences {dict(used)}')
    check(not wrong, f'{len(wrong)} differences without a name:\n'
          + '\n'.join(wrong[:40]))
    unused = set(DRY_RUNS) - set(used) - NOT_HERE
    check(not unused, f'differences that do not occur: {sorted(unused)}')


# --- what needs more than two outputs ----------------------------------------

@test
def debug_says_the_same_lines():
    """On another stream, and of another engine."""
    need_oracle()
    path = write('doc.json', json.dumps(command('exit 3', cwd='/tmp')))
    ours = oracle.execute(OURS, '--debug', path)
    theirs = oracle.execute(oracle.PROGRAM, '--debug', path)
    a, b = plain(ours.stderr).splitlines(), plain(theirs.stdout).splitlines()
    eq((ours.stdout, theirs.stderr), (b'', b''))
    eq([x for x in a if not x.startswith('Native: ')],
       [x for x in b if not x.startswith('Bubblewrap: ')])


def logged(program, *argv):
    name = f'log-{len(os.listdir("."))}'
    oracle.execute(program, '--log-file', name, *argv)
    return read(name).splitlines()


@test
def log_lines_are_whole():
    need_oracle()
    doc = command('echo out; exit 3', cwd='/tmp', timeout=5000)
    path = write('doc.json', json.dumps(doc))
    ours, theirs = (logged(p, path) for p in (OURS, oracle.PROGRAM))
    eq(len(ours), len(theirs), 'lines')
    for a, b in zip(ours, theirs):
        check(re.fullmatch(r'\[\d+\] .*', a), a)
        lacks(a[1:], '[1', 'a second time')
        b = re.sub(r'(?<!^)\[\d+\] ', '', b)
        if 'Native: ' in a or 'completed in' in a:
            continue
        if '"event"' not in a:
            eq(a.split(' ', 1)[1].rstrip(), b.split(' ', 1)[1].rstrip())
    events = [json.loads(line.split(' ', 1)[1])
              for line in ours + theirs if '"event"' in line]
    eq(set(events[0]), set(events[1]), 'members')
    eq(events[0]['event'], events[1]['event'])
    for e in events:
        check(re.fullmatch('sha256:[0-9a-f]{64}', e['policy_hash']))


@cases({
    'command': (command('false'), True),
    'environment': (command('true', env=['A=1']), True),
    'inherited environment': (command('true', inheritDefaultEnv=True), True),
    'version': (document(version='1.1.0-alpha'), True),
    'telemetry': (document(telemetry={'enabled': True}), True),
    'comment': (document(_comment=1), True),
    'named backend': (document(containment='bubblewrap'), True),
    'cwd': (command('true', cwd='/tmp'), False),
    'timeout': (command('true', timeout=1000), False),
    'containerId': (document(containerId='c'), False),
    'an empty network': (document(network={}), True),
    'an empty egress': (document(network={'egress': {}}), False),
    'an ingress that is denied': (document(network={
        'ingress': {'default': 'deny'}}), True),
    'an ingress that is not': (document(network={
        'ingress': {'default': 'allow'}}), False),
    'an egress that is denied': (document(network={
        'egress': {'default': 'deny'}}), False),
    'a rule': (document(network={'egress': {'allow': [{'to': [
        {'cidr': '10.0.0.0/8'}]}]}}), False),
    'paths': (document(filesystem={'readonlyPaths': ['/usr', '/tmp']}), False),
    'paths of another kind': (document(filesystem={
        'readwritePaths': ['/usr', '/tmp']}), False),
    'lifecycle': (document(lifecycle={'destroyOnExit': False}), False),
    'fallback': (document(fallback={'allowDaclMutation': False}), False),
    'ui': (document(ui={'clipboard': 'read'}), False),
    'proxy': (document(runtimeConfig={
        'networkProxy': 'http://localhost:8080'}), False),
})
def policy_hash(doc, is_same):
    """The same fields move our hash and MXC's."""
    def hashes(program):
        found = []
        for n, d in enumerate((document(), doc)):
            lines = logged(program, '--dry-run',
                           write(f'{n}.json', json.dumps(d)))
            found += re.findall('sha256:[0-9a-f]+', '\n'.join(lines))
        eq(len(found), 2, 'hashes')
        return found[0] == found[1]
    eq(hashes(OURS), is_same, 'ours')
    if oracle.PROGRAM.exists():
        eq(hashes(oracle.PROGRAM), is_same, 'MXC')


@cases({name: (name,) for name in ('TERM', 'INT', 'HUP', 'QUIT', 'USR1')})
def signal_end(name):
    """HUP, INT and TERM are exit codes for both, the others for ours alone:
    MXC dies of them, which is the same number in a shell."""
    need_oracle()
    number = getattr(signal, f'SIG{name}')
    doc = command('trap "" HUP INT QUIT TERM USR1; echo on; sleep 30')
    path = write('doc.json', json.dumps(doc))
    for program in (OURS, oracle.PROGRAM):
        with subprocess.Popen([program, path], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as p:
            eq(p.stdout.readline(), b'on\n')
            p.send_signal(number)
            code = p.wait(20)
            eq(p.stderr.read(), b'', 'standard error')
        if program is OURS or name in ('TERM', 'INT', 'HUP'):
            eq(code, 128 + number, program)
        else:
            eq(code, -number, program)


@test
def signal_mask_is_not_handed_on():
    need_oracle()
    path = write('doc.json', json.dumps(command('kill -TERM $$; echo alive')))
    eq(oracle.execute(OURS, path).returncode, 143)
    eq(oracle.execute(oracle.PROGRAM, path).stdout, b'alive\n')


main()
