#!/usr/bin/env python3
"""Limits: each is tripped by an attack, ends or refuses it, and is told.

Root has the host's control groups of version 1 here; an ordinary user has
none, or those that root delegates: tests of that are root's to make.

tap: waits
"""

import glob
import json
import os
import subprocess
import signal
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
import sanitizer  # noqa: E402
import victim  # noqa: E402

HOG = ('import sys\n'
       'all = []\n'
       'for i in range(6):\n'
       '    all.append(bytearray(16 << 20))\n'
       'print("done")\n')
# Two, neither of which is large: a limit of each process would not see them.
HOGS = ('import os\n'
        'r, w = os.pipe()\n'
        'child = os.fork()\n'
        'all = [bytearray(4 << 20) for i in range(10)]\n'
        # At the same time, however slow the machine is.
        'os.write(w, b"x") if child else os.read(r, 1)\n'
        'child and os.wait()\n'
        'print("done")\n')
BOMB = ('import os, time\n'
        'made = 0\n'
        'try:\n'
        '    while made < 500:\n'
        '        if os.fork() == 0:\n'
        '            time.sleep(50)\n'
        '            os._exit(0)\n'
        '        made += 1\n'
        'except OSError as e:\n'
        '    print(made, e.errno)\n')
SPIN = 'while :; do :; done'


# Of a kernel that lacks a wall (test_limits_v2.py).
MORE = os.environ.get('MXC_LIMITS_FLAGS', '').split()


def own_groups():
    """Directories in which mxc may make groups: (controllers, directory)."""
    for line in read('/proc/self/cgroup').splitlines():
        _, names, path = line.split(':', 2)
        if names:
            yield names.split(','), f'/sys/fs/cgroup/{names}{path}'
            continue
        for top in ('/sys/fs/cgroup', '/sys/fs/cgroup/unified'):
            while os.path.exists(f'{top}{path}/cgroup.subtree_control'):
                yield ([*read(f'{top}{path}/cgroup.subtree_control').split(),
                        'cpuacct'], top + path)
                if path in ('/', ''):
                    break
                path = os.path.dirname(path)


def groups():
    return sorted({g for _, where in own_groups()
                   for g in glob.glob(where + '/mxc.run-*')})


def has_group(controller):
    """May we make control groups that have this?"""
    return any(controller in names and os.access(where, os.W_OK)
               for names, where in own_groups())


# What others on this machine wait at most for a timer and for a new process, in
# milliseconds, whatever a sandbox does; an emulated machine is slow by itself.
MOST = {'late': 500 * (10 if MORE else 1), 'start': 1000 * (10 if MORE else 1)}


def limited(what, *limits, flags=(), **grants):
    """The run, its result, and what it says of each limit."""
    flags = [*MORE, *flags, *(x for l in limits for x in ('--limit', l))]
    before = set(groups())
    with victim.beside() as others:
        r = inside(what, flags=[*flags, '--json', 'result.json',
                                '--events', 'events.jsonl'], **grants)
    for name, most in MOST.items():
        check(others[name]['most'] < most, others)
    # Those of runs beside this one go, too, sooner or later.
    eventually(lambda: not set(groups()) - before, what='no group left')
    result = json.loads(read('result.json'))
    reached = {x['limit']: x for x in result.get('limits', [])}
    # The same is told by events.
    eq([(e['of'], e['count']) for e in map(
        json.loads, read('events.jsonl').splitlines()) if e['event'] == 'limit'],
       [(x['limit'], x['count']) for x in reached.values()], 'events')
    return r, result, reached


def need_group(controller):
    if not has_group(controller):
        skip(f'no control group of {controller} may be made here')


def ended(result, name, value):
    eq((result['outcome'], result['exitCode']), ('limited', 123))
    eq([(x['limit'], x['value'], x['ended'])
        for x in result['limits'] if x['ended']], [(name, value, True)])
    has(result['error']['message'], name)


def row(result, name):
    for r in result['receipt']:
        if r['clause'].startswith(f'limit {name}:'):
            return r
    return fail(f'no row of {name} in the receipt')


# --- memory ----------------------------------------------------------------

@test
def memory_of_one():
    need_group('memory')
    has(outside([PYTHON, '-c', HOG]).out, 'done')
    r, result, _ = limited([PYTHON, '-c', HOG], 'memory=32M')
    eq(r.status, 123)
    ended(result, 'memoryBytes', 32 << 20)
    has(row(result, 'memoryBytes')['by'], 'control group')
    eq(row(result, 'swapBytes')['state'], 'enforced')


@test
def memory_of_many_is_counted_together():
    need_group('memory')
    r, result, reached = limited([PYTHON, '-c', HOGS], 'memory=64M')
    check(r.status == 123 or reached['memoryBytes']['count'] > 0, repr(r))
    r, _, reached = limited([PYTHON, '-c', HOGS], 'memory=256M')
    eq((r.status, reached), (0, {}))


@test
def memory_of_a_part_is_told_and_the_rest_goes_on():
    need_group('memory')
    r, result, reached = limited(
        ['sh', '-c', f'{PYTHON} -c "$0"; echo next $?', HOG], 'memory=32M')
    eq((r.status, r.out, result['outcome']), (0, 'next 137\n', 'exited'))
    eq((reached['memoryBytes']['count'], reached['memoryBytes']['ended']),
       (1, False))


@test
def memory_of_the_private_root_counts():
    need_group('memory')
    r, result, reached = limited(
        ['sh', '-c', 'head -c 200M /dev/zero >/tmp/x; echo $?'], 'memory=64M')
    check(result['outcome'] == 'limited' or reached['memoryBytes'], repr(r))


# The filter of many a container answers clone3(2) so.
NO_CLONE3 = '''
import ctypes, os, struct, sys
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *i) for i in (
    (0x20, 0, 0, 0), (0x15, 0, 1, 435), (6, 0, 0, 0x50026), (6, 0, 0, 0x7fff0000))))
program = struct.pack("HxxxxxxQ", 4, ctypes.addressof(code))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program):
    sys.exit(os.strerror(ctypes.get_errno()))
if libc.syscall(435, 0, 0) != -1 or ctypes.get_errno() != 38:
    sys.exit("clone3 is there")
os.execv(sys.argv[1], sys.argv[1:])
'''


@test
def memory_where_clone3_is_missing():
    """The sandbox moves into its group instead of beginning there."""
    need_group('memory')
    r = run([PYTHON, '-c', NO_CLONE3, MXC,
             *mxc_args([PYTHON, '-c', HOG], flags=[
                 *MORE, '--limit', 'memory=32M', '--json', 'result.json'])])
    ended(json.loads(read('result.json')), 'memoryBytes', 32 << 20)
    eq(r.status, 123)
    # Those of runs beside this one go, too.
    eventually(lambda: not groups(), what='no group left')


@test
def memory_that_others_took_is_not_put_down_to_the_limit():
    """Of a group above, whose bound is lower."""
    need_group('memory')
    own = next(where for names, where in own_groups() if 'memory' in names)
    if not os.path.exists(own + '/memory.oom_control'):
        skip('a group of version 2 with processes has no groups below it')
    above = f'{own}/mxc-test.{os.getpid()}'
    os.mkdir(above)
    try:
        with open(above + '/memory.limit_in_bytes', 'w') as f:
            f.write(str(48 << 20))
        r = run(['sh', '-c', 'echo $$ >"$0"; exec "$@"', above + '/cgroup.procs',
                 MXC, *mxc_args([PYTHON, '-c', HOG], flags=[
                     *MORE, '--limit', 'memory=512M', '--json', 'result.json'])])
        eventually(lambda: not read(above + '/cgroup.procs'), what='empty')
    finally:
        os.rmdir(above)
    result = json.loads(read('result.json'))
    eq((r.status, result['outcome'], result['signal'], 'limits' in result),
       (137, 'signaled', 9, False))


@test
def memory_without_a_group_is_refused():
    if has_group('memory'):
        skip('here it can be held')
    r = inside(['true'], flags=[*MORE, '--limit', 'memory=64M'])
    r.failed(125, "limit 'memoryBytes' cannot be held here", 'control group',
             'at: --limit memory', 'try: ')
    r, result, _ = limited(['true'], 'memory=64M,advisory')
    eq(r.status, 0)
    has(row(result, 'memoryBytes')['state'], 'not enforced')


# --- processes -------------------------------------------------------------

@test
def a_fork_bomb_stops_at_its_number():
    r, result, reached = limited([PYTHON, '-c', BOMB], 'processes=40')
    eq((r.status, r.out), (0, '39 11\n'))
    eq(result['outcome'], 'exited')
    if has_group('pids'):
        check(reached['pids']['count'] >= 1)
        has(row(result, 'pids')['by'], 'control group')
    else:
        has(row(result, 'pids')['by'], 'RLIMIT_NPROC')


@test
def a_fork_bomb_that_nobody_limited_stops_too():
    r = inside([PYTHON, '-c', BOMB.replace('500', '5000')], flags=MORE)
    made, number = r.ok().out.split()
    eq(number, '11')
    check(500 < int(made) < 1100, made)


# --- processor -------------------------------------------------------------

@test
def processor_time_of_all_ends_it():
    need_group('cpuacct')
    begun = time.monotonic()
    r, result, _ = limited(['sh', '-c', f'({SPIN}) & ({SPIN}) & wait'],
                           'cpu-time=1s')
    ended(result, 'cpuTimeMs', 1000)
    check(time.monotonic() - begun < 20, 'late')
    eq(r.status, 123)


@test
def processor_time_of_the_short_lived_counts():
    # Whose parents do not wait for them: no other count has them.
    need_group('cpuacct')
    lives = ('import os, signal, time\n'
             'signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n'
             'while True:\n'
             '    if os.fork() == 0:\n'
             '        for i in range(20000): pass\n'
             '        os._exit(0)\n'
             '    time.sleep(0.0005)\n')
    _, result, _ = limited([PYTHON, '-c', lives], 'cpu-time=500ms')
    ended(result, 'cpuTimeMs', 500)


@test
def a_share_of_a_processor_slows_it():
    need_group('cpu')
    work = ('import time\n'
            'b = time.monotonic()\n'
            'c = time.process_time()\n'
            'while time.monotonic() - b < 1: pass\n'
            'print(time.process_time() - c)\n')
    r, result, reached = limited([PYTHON, '-c', work], 'cpu-share=20%')
    within(float(r.ok().out), 0.35, 'its share')
    check(reached['cpuPercent']['count'] > 0)
    eq(result['outcome'], 'exited')


# --- of each process, and the private root ----------------------------------

@test
def open_files():
    many = ('import os\n'
            'n = 0\n'
            'try:\n'
            '    while True: os.dup(0); n += 1\n'
            'except OSError as e: print(n, e.errno)\n')
    r, _, _ = limited([PYTHON, '-c', many], 'files=50')
    eq(r.ok().out, '47 24\n')


# Both limits, that neither can be raised, and that others' cannot be.
OWN_FILES = (
    'import os, resource\n'
    'n = resource.RLIMIT_NOFILE\n'
    'print(*resource.getrlimit(n))\n'
    'for pid, limits in ((0, (65, 65)), (0, (64, 65)), (1, (9, 9))):\n'
    '    try: resource.prlimit(pid, n, limits)\n'
    '    except (OSError, ValueError): continue\n'
    '    print("changed", pid, limits)\n')


@cases({'plain': (), 'tried': ('--verify',), 'told': ('--denials',),
        'all': ('--verify', '--denials'), 'terminal': ('--tty',)})
def open_files_of_the_workload_alone(*flags):
    """Its own two are as the policy says, whatever init has."""
    os.mkdir('w')
    args = ['--rw', 'w', '--deny', 'w/none', *flags, '--limit', 'files=64']
    if '--tty' in flags:
        r = pty([MXC, 'run', *args, '--', PYTHON, '-c', OWN_FILES])
        has(r.out, '64 64\r\n')
        lacks(r.out, 'changed')
        return
    r = mxc('run', *args, '--', PYTHON, '-c', OWN_FILES)
    eq(r.ok().out, '64 64\n')


@test
def open_files_of_a_caller_who_has_few():
    need('prlimit')
    few = ['prlimit', '--nofile=48:48', MXC, 'run']
    for limit in ((), ('--limit', 'files=64')):
        r = run([*few, *limit, '--', PYTHON, '-c', OWN_FILES])
        eq(r.ok().out, '48 48\n')
    r = run([*few, '--limit', 'files=40', '--', PYTHON, '-c', OWN_FILES])
    eq(r.ok().out, '40 40\n')


SOCKETS = f'''import os, socket, sys
def bound():
    s = socket.socket(socket.AF_UNIX)
    s.bind("s")
    s.listen(1)
    return s
for i in range({{}}):
    bound().close()
    os.unlink("s")
kept = bound()
socket.socket(socket.AF_UNIX).connect("s")
print("connected")
'''


@cases({'the limit': (['--limit', 'files=256'], None),
        "the caller's ceiling": ([], 256)})
def sockets_that_are_gone_take_no_descriptors(flags, ceiling):
    """Each that is bound in a grant is init's to know, while it is there."""
    os.mkdir('w')
    start = [f'--nofile={ceiling}:{ceiling}'] if ceiling else []
    if start:
        need('prlimit')
        start.insert(0, 'prlimit')
    r = run([*start, MXC, 'run', '--rw', 'w', '--cwd', os.path.abspath('w'),
             *flags, '--', PYTHON, '-c', SOCKETS.format(700)], timeout=50)
    eq(r.ok().out, 'connected\n')


@cases({'plain': (), 'tried': ('--verify',), 'told': ('--denials',)})
def few_files_and_many_missing_names(*flags):
    """Init has one for the directory of each; and the tries need some too."""
    deny = []
    for n in range(40):
        os.makedirs(f'w/{n}')
        deny += ['--deny', f'w/{n}/x']
    code = (OWN_FILES + 'for n in range(40):\n'
            '    try: open(f"w/{n}/x", "w")\n'
            '    except PermissionError: continue\n'
            '    print("made", n)\n')
    r = mxc('run', *flags, '--rw', 'w', *deny, '--cwd', os.path.abspath('.'),
            '--limit', 'files=32', '--', PYTHON, '-c', code)
    eq(r.ok().out, '32 32\n')


@test
def size_of_a_file():
    r, result, _ = limited(['sh', '-c', 'exec head -c 2M /dev/zero >/tmp/x'],
                           'file-size=1M')
    eq(r.status, 123)
    ended(result, 'fileSizeBytes', 1 << 20)


@test
def a_signal_may_be_anybody_s():
    """Its own, too: what is told is the signal, and who may have sent it."""
    for sends in ('exec head -c 2M /dev/zero >/tmp/x', 'kill -s XFSZ $$'):
        r, result, _ = limited(['sh', '-c', sends], 'file-size=1M')
        eq(r.status, 123)
        ended(result, 'fileSizeBytes', 1 << 20)
        says = result['error']['message']
        has(says, "the workload died of SIGXFSZ, as at its limit "
                  "'fileSizeBytes' of 1048576 bytes (size of one file); a "
                  'process may send that to itself')
        lacks(says, 'it reached')
        has(r.err, says)
        eq([e['message'] for e in map(json.loads,
                                      read('events.jsonl').splitlines())
            if e['event'] == 'limit'], [says])


@test
def an_exit_status_is_no_signal():
    """The workload's own word for an end by a limit stays its own."""
    for status in (153, 137, 152):
        r, result, reached = limited(['sh', '-c', f'exit {status}'],
                                     'file-size=1M')
        eq((r.status, result['outcome'], result['exitCode'], reached),
           (status, 'exited', status, {}))
        lacks(r.err, 'limit')
    # Nor is what a shell tells of a child that was killed for one.
    r, result, reached = limited(
        ['sh', '-c', 'head -c 2M /dev/zero >/tmp/x; exit $?'], 'file-size=1M')
    eq((r.status, result['outcome'], reached), (153, 'exited', {}))


@test
def size_and_number_in_the_private_root():
    r, _, _ = limited(
        ['sh', '-c', 'head -c 5M /dev/zero >/tmp/x; stat -c %s /tmp/x'],
        'scratch=3M')
    check(0 < int(r.out) <= 3 << 20, r.out)
    has(r.err, 'No space left')
    r, _, _ = limited(
        ['sh', '-c', 'for i in $(seq 900); do : >/tmp/$i || exit 9; done'],
        'scratch-files=600')
    eq(r.status, 2)
    has(r.err, 'No space left')


# --- output ------------------------------------------------------------------

@test
def output_of_both_streams_is_cut_where_it_is_too_much():
    r, result, _ = limited(
        ['sh', '-c', 'head -c 60000 /dev/zero >&2; yes'], 'output=100000')
    ended(result, 'outputBytes', 100000)
    err = r.err.split('mxc: ')[0]
    eq((r.status, len(r.out) + len(err)), (123, 100000))


@test
def output_up_to_the_last_byte_is_no_fault():
    for more, want in ((0, 0), (1, 123)):
        r, result, reached = limited(
            ['sh', '-c', f'head -c {50000 + more} /dev/zero'], 'output=50000')
        eq((r.status, len(r.out_bytes)), (want, 50000))
        eq('outputBytes' in reached, bool(more))


@test
def one_stream_takes_all_of_it_and_the_other_more():
    for first, then in (('', ' >&2'), (' >&2', '')):
        r, result, _ = limited(
            ['sh', '-c', f'head -c 1000 /dev/zero{first}; sleep 1; '
             f'head -c 300000 /dev/zero{then}'], 'output=1000')
        ended(result, 'outputBytes', 1000)
        eq((r.status, len(r.out) + len(r.err.split('mxc: ')[0])), (123, 1000))


@test
def a_slow_reader_gets_all_of_it():
    for limit in ('output=10M', 'silence=2s'):
        r = run(['bash', '-c', '"$@" | (sleep 4; wc -c)', 'bash', MXC,
                 *mxc_args(['seq', '100000'], flags=[*MORE, '--limit', limit])])
        eq((r.out.strip(), r.err), ('588895', ''), limit)
    # Who interrupts it does not wait for the reader.
    r, w = os.pipe()
    p = spawn([MXC, *mxc_args(['seq', '100000'],
                              flags=[*MORE, '--limit', 'output=10M'])],
              stdout=w)
    os.close(w)
    time.sleep(1)
    p.send_signal(signal.SIGTERM)
    p.wait()
    os.close(r)


@test
def a_terminal_as_input_is_no_way_out():
    flags = [*MORE, '--limit', 'output=10']
    r = inside(['sh', '-c', 'for i in 1 2 3; do echo way-out >&0; done; echo x'],
               flags=flags, tty=True)
    lacks(r.out.replace('way-out >&0', ''), 'way-out')


@test
def all_that_were_reached_are_told():
    r, result, reached = limited(
        ['sh', '-c', '(for i in 1 2 3 4 5 6 7 8; do sleep 1 & done) 2>/dev/null; '
         'sleep 2; head -c 5000 /dev/zero'], 'processes=4', 'output=2000')
    ended(result, 'outputBytes', 2000)
    if has_group('pids'):
        check(reached['pids']['count'] >= 1)


@test
def output_keeps_its_order_and_its_ends():
    both = 'for i in $(seq 500); do echo o$i; echo e$i >&2; done'
    args = [MXC, *mxc_args(['sh', '-c', both],
                           flags=[*MORE, '--limit', 'output=1M'])]
    want = [f'{x}{i}' for i in range(1, 501) for x in 'oe']
    r = run(['sh', '-c', '"$@" 2>&1', 'sh', *map(str, args)])
    eq(r.ok().out.split(), want)
    # Whoever has read enough ends it, as without us.
    r = run(['bash', '-o', 'pipefail', '-c', '"$@" | head -n 1', 'bash', MXC,
             *mxc_args(['yes'], flags=[*MORE, '--limit', 'output=100M'])])
    eq((r.out, r.status), ('y\n', 128 + 13))


@test
def silence_ends_it():
    r, result, _ = limited(['sh', '-c', 'echo a; sleep 0.5; echo b >&2; '
                            'sleep 50'], 'silence=2s')
    ended(result, 'idleOutputMs', 2000)
    eq((r.out, r.err.split('mxc: ')[0], r.status), ('a\n', 'b\n', 123))
    r, _, _ = limited(['sh', '-c', 'for i in 1 2 3; do sleep 1; echo $i; done'],
                      'silence=3s')
    eq(r.ok().out, '1\n2\n3\n')


@test
def output_of_a_terminal_too():
    flags = [*MORE, '--limit', 'output=1000', '--tty']
    r = inside(['sh', '-c', 'while :; do echo 123456789; done'], flags=flags,
               tty=True)
    eq(r.status, 123)
    # Its lines end in two bytes.
    eq(r.out.split('mxc: ')[0].count('123456789'), 91)
    flags = [*MORE, '--limit', 'silence=1s', '--tty']
    eq(inside(['sleep', '50'], flags=flags, tty=True).status, 123)


# --- words -------------------------------------------------------------------

@test
def what_was_written_to_grants_is_refused():
    os.mkdir('d')
    r = inside(['true'], rw=['d'], flags=[*MORE, '--limit', 'written=1M'])
    r.failed(125, "limit 'writtenBytes' cannot be held", 'quota',
             'at: --limit written')


@cases([('memory', 'memory', '1000K', '1M', 'memoryBytes'),
        ('files', 'files', '31', '32', 'openFiles'),
        ('size of a file', 'file-size', '4095', '4K', 'fileSizeBytes'),
        ('scratch', 'scratch', '100K', '128K', 'scratchBytes'),
        ('scratch files', 'scratch-files', '255', '256', 'scratchInodes')])
def less_than_a_sandbox_needs_is_refused(word, less, enough, name):
    inside(['true'], flags=[*MORE, '--limit', f'{word}={less},advisory']).failed(
        125, f"limit '{name}' is less than a sandbox needs for itself",
        f'at: --limit {word}', 'try: raise it')
    if word == 'memory' and sanitizer.is_sanitized(MXC):
        skip('a sanitizer needs more for itself')
    eq(inside(['true'], flags=[*MORE, '--limit',
                               f'{word}={enough},advisory']).status, 0)


@test
def names_and_values():
    for word, text in (('memori=1M', 'no limit of that name'),
                       ('memory', 'not a value'), ('memory=0', 'not a value'),
                       ('processes=-1', 'not a value'),
                       ('cpu-time=5x', 'not a value'),
                       ('memory=1M,advisor', 'not a value')):
        inside(['true'], flags=[*MORE, '--limit', word]).failed(125, text)
    inside(['true'], flags=[*MORE, '--limit', 'swap=1M']).failed(
        125, 'swap is limited, and memory is not')


@test
def request_and_flag_the_lower_counts():
    policy = {'version': '1.1.0+c1', 'limits': {'pids': 30}}
    for flag, want in (('processes=20', '19 11\n'), ('processes=90',
                                                     '29 11\n')):
        r, _, _ = limited([PYTHON, '-c', BOMB], flag, policy=policy)
        eq(r.ok().out, want)


@test
def advisory_of_nothing_is_an_error():
    policy = {'version': '1.1.0+c1',
              'limits': {'pids': 30, 'advisory': ['memoryBytes']}}
    inside(['true'], policy=policy, flags=MORE).failed(
        125, "'memoryBytes' is advisory, and the request does not set it",
        'limits.advisory[0]')


@test
def no_swap_is_a_limit_too():
    """Not held alone, by a request as by an option."""
    for value in 0, 1:
        policy = {'version': '1.1.0+c1', 'limits': {'swapBytes': value}}
        inside(['true'], policy=policy,
               flags=[*MORE, '--json', 'result.json']).failed(125, '')
        error = json.loads(read('result.json'))['error']
        eq((error['code'], error['details']['where']),
           ('policy_validation', 'limits.swapBytes'), error)
        has(error['message'], 'swap is limited, and memory is not')
    inside(['true'], flags=[*MORE, '--limit', 'swap=0']).failed(
        125, 'swap is limited, and memory is not')


@test
def doctor_says_which_can_be_held():
    told = {x['limit']: x for x in mxc('doctor', '--json', '1').json()['limits']}
    eq(len(told), 15)
    eq(told['writtenBytes'], {'limit': 'writtenBytes', 'state': 'missing'})
    for name, word in (('memoryBytes', 'memory=64M'),
                       ('cpuTimeMs', 'cpu-time=9s'), ('pids', 'processes=99')):
        r, result, _ = limited(['true'], word + ',advisory')
        enforced = row(result, name)['state'] == 'enforced'
        eq(told[name]['state'], 'ok' if enforced else 'missing')
        eq(told[name].get('by', 'nothing'), row(result, name)['by'])


@test
def a_session_has_them_for_all_its_commands():
    if MORE:
        skip('a session of this kernel needs more words')
    os.mkdir('runtime', 0o700)
    os.environ['XDG_RUNTIME_DIR'] = os.path.abspath('runtime')
    id = mxc('provision', '--limit', 'processes=30', '--limit',
             'scratch=1M').ok().out.strip()
    before = set(groups())
    mxc('start', id).ok()
    try:
        r = mxc('exec', id, '--', PYTHON, '-c', BOMB)
        made, number = r.ok().out.split()
        check(20 < int(made) < 30, made)
        eq(number, '11')
        has(mxc('exec', id, '--', 'sh', '-c', 'head -c 2M /dev/zero >/tmp/x'
                ).err, 'No space left')
        eq(mxc('pause', id).status, 0)
        eq(mxc('resume', id).status, 0)
    finally:
        mxc('deprovision', id, '--grace', '0').ok()
    eventually(lambda: not set(groups()) - before, what='no group left')
    for word in ('cpu-time=1s', 'output=5K', 'silence=5s', 'network=5M'):
        mxc('provision', '--limit', word).failed(1, 'single run')


# --- residue -----------------------------------------------------------------

@test
def a_killed_supervisor_leaves_a_group_that_the_next_removes():
    need_group('pids')
    args = [str(a) for a in (MXC, *mxc_args(
        ['sleep', '50'], flags=[*MORE, '--limit', 'processes=9']))]
    p = spawn(on_backend(args))
    eventually(groups, what='a group')
    left = groups()
    eventually(lambda: read(left[0] + '/cgroup.procs'), what='a process')
    p.kill()
    p.wait()
    eventually(lambda: not read(left[0] + '/cgroup.procs'),
               what='the end of its processes')
    eq(groups(), left)
    limited(['true'], 'processes=9')
    eq(groups(), [], 'groups left')


@test
def the_next_leaves_those_that_are_in_use():
    need_group('pids')
    args = [str(a) for a in (MXC, *mxc_args(
        ['sh', '-c', 'sleep 1; echo alive'], flags=[*MORE, '--limit', 'processes=9']))]
    p = spawn(on_backend(args), stdout=subprocess.PIPE)
    eventually(groups, what='a group')
    for _ in range(3):
        limited(['true'], 'processes=9')
    eq(p.communicate()[0], b'alive\n')
    eq(p.returncode, 0)


main()
