#!/usr/bin/env python3
# tap: seconds=900
"""Our library and MXC's own, side by side: equal answers to equal calls.

A difference is allowed when it is in DIFFERENCES, whose names stand in
docs/compatibility.md with the reason; one that no longer occurs is a failure
too.  Documents of tests/contract/mutations.py go through both as far as
nothing is run: lifecycle requests by dry runs, one-shot requests when ours
refuses them or they are for a backend of another system.
"""

import collections
import ctypes
import json
import os
import re
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'contract'))
from tap import *  # noqa: E402,F403
import mutations  # noqa: E402
from ffi import (ALLOW_ALL, ORACLE, OURS, Detail, Fault,  # noqa: E402
                 Library, NativeStdio, Outcome, byref, c_void_p,
                 is_sanitized, one_shot, peek)

STRUCTURAL = 4000

# name: (our answer must match, MXC's answer must match); an answer is the
# status and the message, or how a run ended.
DIFFERENCES = {
    'positional-array': (r'^1 .*expected an object, found an array', r'^(?!1 )'),
    'nul-in-string': (r'^1 .*string holds a NUL character', r'^(?!1 )'),
    'proxy-default-port': (r'^(?!1 )', r'^1 .*must include a port.*:(80|443)$'),
    'proxy-port-zero': (r'^1 .*expected a port from 1', r'^(?!1 )'),
    'proxy-spelling': (r'^1 .*(expected a URL|a URL holds no|expected a host '
                       r'name)', r'^(?!1 )'),
    'prefix-spelling': (r'^1 .*expected a prefix length', r'^(?!1 )'),
    'number-in-comment': (r'^(?!1 )', r'^1 .*number out of range'),
    'capture-path': (r'^(?!1 )', r'^1 .*outputPath (parent directory does not '
                               r"exist|must name a file|must be an absolute)"),
    'superset': (r'^(?!1 )', r'^1 .*Unsupported contract version'),
    'ffi-intent-section': (r"^2 .*'(vm|microvm)' backend",
                           r'^1 .*Multiple containment backends'),
    'ffi-record': (r'^0 exit|^11 .*(is of Windows alone|rights that the policy '
                   r'does not give|no trace to keep|processContainer\.capture)',
                   r'^1 .*Multiple containment backends .*processContainer'),
    'ffi-lxc': (r'^11 .*(LXC distribution and release are required|there is no '
                r'image)|^4 this build has no lxc', r'^12 '),
    'ffi-missing-path': (r'^11 .*does not exist', r'^0 exit 1'),
    'ffi-cwd': (r"^12 cannot start in '/no/such'", r'^0 exit 1'),
    'ffi-kill-for-timeout': (r'^0 exit 9 late 0', r'^0 exit -1 late 1'),
    'ffi-telemetry': (r'^0 exit 0 .*telemetry', r'^0 exit 0 .*warnings None'),
}
used = collections.Counter()


def need_oracle():
    if not ORACLE.exists():
        skip('no package @microsoft/mxc-sdk 1.0.1 (tools/fetch-oracle)')
    need('bwrap')
    if is_sanitized():
        skip("a sanitizer and MXC's library do not share a process")
    return Library(OURS), Library(ORACLE)


def explained(ours, theirs):
    for name, (a, b) in DIFFERENCES.items():
        if re.search(a, ours, re.S) and re.search(b, theirs, re.S):
            used[name] += 1
            return True
    return False


def status_of(answer):
    return answer.split(' ', 1)[0]


# --- calls --------------------------------------------------------------------

def ran(lib, request, experimental=0):
    r = lib.run(request, experimental)
    if r.status:
        return f'{r.status} {r.message}'
    return (f'0 exit {r.exit_code} late {r.timed_out} out {r.out!r} '
            f'err {r.err!r} warnings {r.warnings}')


def caught(what, *args):
    try:
        return what(*args)
    except Fault as e:
        return f'{e.status} {e.message}'


def life(lib, request, dry_run, experimental):
    status, response, fault = lib.lifecycle(request, dry_run, experimental)
    return f'{status} {fault.message or response}'


EXEC = {'version': '1.1.0-alpha', 'phase': 'exec',
        'process': {'commandLine': 'true'}}
LIFE = [
    *({'version': v, 'phase': p, 'sandboxId': i}
      for v in ('1.0.0', '1.1.0-alpha') for p in ('start', 'stop',
                                                  'deprovision')
      for i in ('wslc:0', 'iso:0', 'iso:', 'wsb:0', 'abc', ':abc', '', 'x:y',
                'wslc', 'WSLC:0', 'isox:0', 'a\nb:c', 'a\nb')),
    *({**EXEC, 'sandboxId': i} for i in ('wslc:0', 'iso:0', 'wsb:0', 'x:0',
                                         'abc')),
    *({'version': '1.1.0-alpha', 'phase': 'provision', **more} for more in (
        {'containment': 'wslc'}, {'containment': 'bubblewrap'}, {},
        {'containment': 'windows_sandbox'}, {'containment': 'process'},
        {'containment': 'isolation_session', 'network': ALLOW_ALL},
        {'containment': 'isolation_session'})),
    {'version': '1.0.0', 'phase': 'bogus'}, {'version': '1.0.0', 'phase': 1},
    {'version': '1.0.0', 'phase': None}, {'phase': 'start'}, {},
    {'version': '0.8.0-alpha', 'phase': 'start', 'sandboxId': 'wslc:0'},
    one_shot('true'), b'', b'{', b'[]', b'null', None, b'\xff',
]


def vectors():
    """(name, call of a library)"""
    for r in (None, b'', b'x', b'{', b'[]', b'null', b'\xff', {},
              {'version': 1}, one_shot('true', '1.0'), one_shot('true', zz=1),
              one_shot('true', network=None), one_shot(''),
              one_shot('true', containment='native'),
              one_shot('true', lxc={'distribution': 'a', 'release': 'b'}),
              *LIFE[:3]):
        yield f'run {r}', lambda lib, r=r: ran(lib, r)
        yield f'spawn {r}', lambda lib, r=r: caught(lib.spawn, r)
        yield f'spawn_pty {r}', lambda lib, r=r: caught(lib.spawn_pty, r)
    for name in ('seatbelt', 'processcontainer', 'wslc', 'isolation_session',
                 'vm', 'microvm', 'hyperlight', 'windows_sandbox', 'lxc'):
        more = {'network': ALLOW_ALL} if 'iso' in name else {}
        r = one_shot('true', '1.1.0-alpha', containment=name, **more)
        for e in (0, 1):
            yield f'run {name} {e}', lambda lib, r=r, e=e: ran(lib, r, e)
            yield f'spawn {name} {e}', lambda lib, r=r, e=e: caught(
                lib.spawn, r, e)
    for r in LIFE:
        for e in (0, 1):
            for dry in (0, 1):
                yield f'life {r} {dry} {e}', lambda lib, r=r, d=dry, e=e: life(
                    lib, r, d, e)
            yield f'exec {r} {e}', lambda lib, r=r, e=e: caught(lib.exec, r, e)
            yield f'exec_pty {r} {e}', lambda lib, r=r, e=e: caught(
                lib.exec_pty, r, 24, 80, e)
            yield f'run_exec {r} {e}', lambda lib, r=r, e=e: (
                lambda x: f'{x.status} {x.message}')(lib.run_exec(r, e))
            yield f'attached {r} {e}', lambda lib, r=r, e=e: (
                lambda x: f'{x.status} {x.message}')(lib.exec_attached(r, e))
    for rows, columns in ((0, 1), (1, 0), (32768, 1), (1, 65535)):
        for r in (None, b'x', one_shot('true'), {**EXEC, 'sandboxId': 'a:b'}):
            yield f'pty {rows} {r}', lambda lib, r=r, a=rows, b=columns: \
                caught(lib.spawn_pty, r, a, b)
            yield f'exec_pty {rows} {r}', lambda lib, r=r, a=rows, b=columns: \
                caught(lib.exec_pty, r, a, b)
    for name in ('mxc_telemetry_get_consent', 'mxc_telemetry_get_policy',
                 'mxc_telemetry_get_consent_status',
                 'mxc_telemetry_withdraw_consent'):
        yield name, lambda lib, n=name: '%d %s' % lib.said(n)
    yield 'ingress', lambda lib: ran(lib, one_shot(
        'true', network={'ingress': {'default': 'allow'}}))
    yield 'loopback', lambda lib: ran(lib, one_shot(
        'true', network={'ingress': {'hostLoopback': 'allow'}}))


RUNS = {
    'status': one_shot('echo out; echo err >&2; exit 3'),
    'input': one_shot('cat; echo done'),
    'bytes': one_shot(r"printf 'a\000b\377c\303\050\360\237\230d\355\240\200'"),
    'signal': one_shot('kill -9 $$'),
    'timeout': one_shot('echo a; sleep 30', timeout=300),
    'bubblewrap': one_shot('exit 4', containment='bubblewrap'),
    'large': one_shot('head -c 1000000 /dev/zero'),
    'environment': one_shot('echo $A $HOME $TERM', process={
        'commandLine': 'echo $A $TERM', 'env': ['A=1'],
        'inheritDefaultEnv': True}),
    'missing path': one_shot('true', filesystem={
        'readonlyPaths': ['/no/such']}),
    'cwd': one_shot('true', process={'commandLine': 'true',
                                     'cwd': '/no/such'}),
    'telemetry': one_shot('true', telemetry={'enabled': True}),
}


def handles(lib):
    """(name, answer) of what handles do, step by step."""
    with lib.spawn(one_shot('cat; echo err >&2; exit 4')) as b:
        i, o, e = b.stdin(), b.stdout(), b.stderr()
        yield 'again', str([b.stdin(), b.stdout(), b.stderr()])
        i.write_all(b'hello')
        yield 'flush', i.flush()
        i.free()
        yield 'read', str((o.all(), e.all(), o.read()))
        yield 'wait', str((b.wait(), b.wait(), b.try_wait()))
        yield 'left', str((b.warnings(), b.metadata(), b.kill(), b.wait()))
    with lib.spawn(one_shot('sleep 100')) as b:
        yield 'native null', lib.lib.mxc_sandbox_take_native_stdio(
            b.handle, None)
        yield 'runs', str((b.try_wait(), b.kill(), b.wait(), b.try_wait()))
        yield 'native late', str(b.native())
    with lib.spawn(one_shot('sleep 100')) as b:
        yield 'for timeout', str((b.kill_for_timeout(), b.wait(),
                                  b.try_wait(), b.kill(), b.wait()))
    with lib.spawn(one_shot('exit 9')) as b:
        time.sleep(1)
        status = b.kill_for_timeout()
        _, code, late = b.wait()
        yield 'for timeout, late', f'{status} exit {code} late {late}'
    with lib.spawn(one_shot('sleep 100', timeout=300)) as b:
        yield 'timeout', str((b.wait(), b.try_wait()))
    with lib.spawn(one_shot('head -c 3000000 /dev/zero; cat; exit 5')) as b:
        yield 'drain', str((b.wait(), b.stdout(), b.stdin(), b.native()))
    with lib.spawn(one_shot('sleep 0.5; exit 6')) as b:
        c, o = b.stdout_closer(), b.stdout()
        yield 'closer', str((c.close(), o.read(), c.close(), o.read(),
                             b.try_wait(), b.wait()))
    with lib.spawn(one_shot('true')) as b:
        b.wait()
        yield 'resize', str((b.resize(3, 3), b.resize(0, 3)))
    with lib.spawn_pty(one_shot('sleep 0.3; stty size; exit 3')) as b:
        yield 'terminal', str((b.resize(41, 121), b.resize(0, 1),
                               b.stdout_closer(), b.stderr_closer(),
                               b.stderr()))
        o = b.stdout()
        yield 'terminal says', str((o.all(), b.wait(), b.resize(1, 1)))


def nulls(lib):
    raw, out = lib.lib, c_void_p(7)
    i = [ctypes.c_int32(7) for _ in range(3)]
    yield 'wait', raw.mxc_sandbox_wait(None, byref(i[0]), byref(i[1]))
    yield 'try_wait', raw.mxc_sandbox_try_wait(None, *map(byref, i))
    yield 'untouched', str([x.value for x in i])
    for name in ('id', 'kill', 'kill_for_timeout', 'take_stdin',
                 'take_stdout', 'take_stderr', 'stdout_closer',
                 'stderr_closer', 'free'):
        yield name, str(getattr(raw, f'mxc_sandbox_{name}')(None))
    for name in ('stream_flush', 'stream_closer_close', 'string_free',
                 'error_detail_free', 'run_result_free', 'read_stream_free',
                 'state_aware_result_free'):
        yield name, str(getattr(raw, f'mxc_{name}')(None))
    yield 'native', raw.mxc_sandbox_take_native_stdio(None,
                                                      byref(NativeStdio()))
    yield 'warnings', (raw.mxc_sandbox_warnings_json(None, byref(out)),
                       out.value)
    detail, outcome = Detail(), Outcome(5, 5)
    for name, args in (('mxc_spawn_json', ()), ('mxc_spawn_pty_json', (0, 0)),
                       ('mxc_exec_state_aware_json', ()),
                       ('mxc_state_aware_exec_pty', (0, 0))):
        yield name, (getattr(raw, name)(b'{}', 0, *args, None, byref(detail)),
                     peek(detail.message))
    yield 'attached', (raw.mxc_exec_state_aware_attached_json(
        b'{}', 0, None, byref(detail)), peek(detail.message))
    yield 'attached', (raw.mxc_exec_state_aware_attached_json(
        b'x', 0, byref(outcome), None), outcome.exit_code)


def thread_that_ends(lib):
    """MXC's may die of it (bwrap --die-with-parent), so ours alone counts."""
    boxes = []
    t = threading.Thread(target=lambda: boxes.append(
        lib.spawn(one_shot('sleep 0.5; exit 8'))))
    t.start()
    t.join()
    time.sleep(0.1)
    with boxes[0] as b:
        end = b.wait()
        yield 'thread', end if lib.path == OURS else (0, 8, 0)


# --- tests --------------------------------------------------------------------

def tell(wrong, what):
    check(not wrong, f'{len(wrong)} {what} differ:\n' + '\n'.join(
        f'{name}\n  ours: {a}\n  MXC:  {b}' for name, a, b in wrong[:40]))


@test(seconds=300)
def statuses_are_equal():
    ours, theirs = need_oracle()
    wrong, n = [], 0
    for name, call in vectors():
        a, b = str(call(ours)), str(call(theirs))
        n += 1
        if status_of(a) != status_of(b) and not explained(a, b):
            wrong.append((name[:200], a[:300], b[:300]))
    tell(wrong, f'of {n} calls')
    check(n > 400, f'only {n} calls')


@test(seconds=120)
def runs_are_equal():
    ours, theirs = need_oracle()
    wrong = []
    for name, request in RUNS.items():
        a, b = ran(ours, request), ran(theirs, request)
        if a != b and not explained(a, b):
            wrong.append((name, a[:500], b[:500]))
    tell(wrong, 'runs')
    for name in ('missing-path', 'cwd', 'telemetry'):
        check(used[f'ffi-{name}'], f'ffi-{name} does not occur')


@test(seconds=120)
def handles_are_equal():
    ours, theirs = need_oracle()
    wrong = []
    for what in (handles, nulls, thread_that_ends):
        for (name, a), (_, b) in zip(what(ours), what(theirs)):
            a, b = (re.sub(r' object at 0x\w+', '', str(x)) for x in (a, b))
            if a != b and not explained(a, b):
                wrong.append((f'{what.__name__}: {name}', a, b))
    tell(wrong, 'steps')
    check(used['ffi-kill-for-timeout'], 'ffi-kill-for-timeout does not occur')


@test(seconds=60)
def discovery_is_equal():
    ours, theirs = need_oracle()
    for name in ('mxc_available_backends_json', 'mxc_platform_support_json'):
        a, b = (json.loads(x.owned(name)) for x in (ours, theirs))
        eq(type(a), type(b))
        if isinstance(a, dict):
            eq(set(a), set(b), 'members')
        # MXC's lists what it found on the host, ours what it can do.
        eq(a[0]['backend'] if isinstance(a, list) else a['isSupported'],
           'bubblewrap' if isinstance(a, list) else True)


def runs_nothing(ours, judge, doc, data):
    """Our answer, or None where it could be the start of something."""
    if isinstance(doc, dict) and 'phase' in doc:
        return None
    other = isinstance(doc, dict) and isinstance(
        doc.get('containment'), str) and doc['containment'] not in (
            'process', 'bubblewrap', 'lxc')
    judged = judge(data)
    if judged != 'ok' or other:
        return ran(ours, data)
    return None


@test(seconds=900)
def mutated_requests():
    ours, theirs = need_oracle()
    from judging import Judge
    wrong, n, kinds = [], 0, collections.Counter()
    with Judge() as judge:
        for kind, data in mutations.documents(STRUCTURAL):
            if b'\0' in data:
                continue      # no C string
            try:
                doc = json.loads(data)
            except ValueError:
                doc = None
            if isinstance(doc, dict) and 'phase' in doc:
                a, b = life(ours, data, 1, 1), life(theirs, data, 1, 1)
                kinds['lifecycle'] += 1
            else:
                a = runs_nothing(ours, judge, doc, data)
                if a is None:
                    kinds['left out'] += 1
                    continue
                b = ran(theirs, data)
                kinds['one-shot'] += 1
            n += 1
            if status_of(a) != status_of(b) and not explained(a, b):
                wrong.append((f'[{kind}] {data[:300]!r}', a[:300], b[:300]))
    print(f'{n} documents, {dict(kinds)}; differences {dict(used)}')
    tell(wrong, f'of {n} documents')
    check(n >= 5000, f'only {n} documents')
    for name in DIFFERENCES:
        check(used[name] or name.startswith('ffi-')
              and name not in ('ffi-intent-section', 'ffi-record'), f'{name} does not occur')


@test
def every_difference_is_documented():
    text = read(TOP / 'docs/compatibility.md')
    written = set(re.findall(r'^\| `([a-z-]+)` \|', text, re.M))
    eq(set(DIFFERENCES) - written, set(), 'missing in docs/compatibility.md')
    section = text.split('## libmxc_ffi', 1)[-1].split('\n## ', 1)[0]
    eq({n for n in re.findall(r'^\| `(ffi-[a-z-]+)` \|', section, re.M)},
       {n for n in DIFFERENCES if n.startswith('ffi-')}, 'names there')


main()
