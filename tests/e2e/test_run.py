#!/usr/bin/env python3
"""mxc run as people use it: streams, exit codes, environment, directory."""

import hashlib
import json
import os
import signal
import subprocess
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403

PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'


# --- streams ---------------------------------------------------------------

@test
def output_and_error_stay_apart():
    r = inside(['sh', '-c', 'echo out; echo err >&2; echo out2']).ok()
    eq((r.out, r.err), ('out\nout2\n', 'err\n'))


@test
def nothing_of_mxcs_own_in_the_streams():
    r = inside(['true']).ok()
    eq((r.out, r.err), ('', ''))
    r = inside(['sh', '-c', 'exit 9']).ok(9)
    eq((r.out, r.err), ('', ''))


@test
def input_and_its_end():
    eq(inside(['cat'], input='a\nb').ok().out, 'a\nb')
    eq(inside(['wc', '-c'], input='').ok().out.strip(), '0')


@test
def binary_data_passes_unchanged():
    data = bytes(range(256)) * 4096 + os.urandom(100000)
    r = inside(['cat'], input=data.decode('latin-1').encode('latin-1')
               .decode('utf-8', 'surrogateescape'))
    eq(hashlib.sha256(r.out_bytes).digest(), hashlib.sha256(data).digest())


@test(seconds=120)
def a_hundred_megabytes():
    """Through a pipe, in both directions at once."""
    size = 100 << 20
    script = (f'head -c {size} /dev/zero | tr "\\0" x | cat')
    p = spawn([MXC, *mxc_args(['sh', '-c', script])])
    digest, n = hashlib.sha256(), 0
    while block := p.stdout.read(1 << 20):
        digest.update(block)
        n += len(block)
    eq((p.wait(timeout=10), n), (0, size))
    want = hashlib.sha256()
    for _ in range(100):
        want.update(b'x' * (1 << 20))
    eq(digest.hexdigest(), want.hexdigest())


@test
def a_file_as_output_is_written_at_once():
    with open('out', 'wb') as f:
        p = spawn([MXC, *mxc_args(['sh', '-c', 'echo line; kill -9 $$'])],
                  stdout=f)
        eq(p.wait(timeout=10), 128 + 9)
    eq(read('out'), 'line\n')


@test
def a_pipeline_of_sandboxes():
    r = run(['sh', '-c', '"$0" run -- seq 1000 | "$0" run -- grep 7 | '
             '"$0" run -- wc -l', MXC]).ok()
    eq(r.out.strip(), '271')


@cases({'input': 0, 'output': 1, 'error': 2, 'all': None})
def closed_streams(which):
    """What mxc opens must not land where the workload writes."""
    os.mkdir('w')
    closed = '<&- >&- 2>&-' if which is None else f'{which}>&-'
    script = 'echo out; echo err >&2; cat; echo "$?" >status; exit 6'
    r = run(['sh', '-c', f'"$@" {closed}', 'sh', MXC, *mxc_args(
        ['sh', '-c', script], rw='w', cwd=os.getcwd() + '/w',
        flags=['--json', 'result.json'])])
    r.ok(6)
    eq(read('w/status'), '0\n')
    eq(sorted(os.listdir('w')), ['status'])
    eq(json.loads(read('result.json'))['exitCode'], 6)
    eq(r.out, '' if which in (1, None) else 'out\n')
    eq(r.err, '' if which in (2, None) else 'err\n')


# --- how it ended ----------------------------------------------------------

@test(seconds=120)
def every_exit_code():
    """In batches, for the sake of time; mxc takes none for itself."""
    for first in range(0, 256, 16):
        batch = [(n, spawn([MXC, *mxc_args(['sh', '-c', f'exit {n}'])]))
                 for n in range(first, first + 16)]
        for n, p in batch:
            out, err = p.communicate(timeout=30)
            eq((p.returncode, out, err), (n, b'', b''))


SIGNALS = [s for s in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
                       24, 25, 26, 27, 29, 30, 31)]


@test
def signals_of_its_own():
    for first in range(0, len(SIGNALS), 8):
        batch = [(n, spawn([MXC, *mxc_args(['sh', '-c', f'kill -{n} $$'],
                                           flags=['--json', f'{n}.json'])]))
                 for n in SIGNALS[first:first + 8]]
        for n, p in batch:
            p.communicate(timeout=30)
            eq(p.returncode, 128 + n)
            result = json.loads(read(f'{n}.json'))
            eq((result['outcome'], result['signal']), ('signaled', n))


@test
def commands_that_are_not_there():
    r = inside(['no-such-command', 'x']).failed(
        127, "command 'no-such-command' not found in the sandbox", 'try:')
    eq(r.out, '')
    inside(['/no/such']).failed(127, "'/no/such' not found")
    inside(['sh', '-c', 'no-such-command']).ok(127)


@test
def commands_that_are_none():
    write('p/data', 'text', mode=0o644)
    here = os.getcwd()
    inside([f'{here}/p/data'], ro='p').failed(126, f"'{here}/p/data'")
    inside([f'{here}/p'], ro='p').failed(126, f"'{here}/p'")
    # A broken interpreter is, as in a shell, not found.
    write('p/script', '#!/no/such/interpreter\n', mode=0o755)
    inside([f'{here}/p/script'], ro='p').failed(127, 'script')


@test
def a_timeout_keeps_what_was_said():
    r = inside(['sh', '-c', 'echo partial; echo bad >&2; sleep 60 & sleep 60'],
               flags=['--timeout', '300ms', '--json', 'r.json'])
    r.failed(124, 'bad', 'killed after its timeout of 300 ms')
    eq(r.out, 'partial\n')
    check(0.3 <= r.seconds < 20, f'{r.seconds} s')
    result = json.loads(read('r.json'))
    eq((result['outcome'], result['exitCode'], result['timedOut']),
       ('timed_out', 124, True))
    check(300 <= result['durationMs'], result)
    within(result['durationMs'], 1500, result)


def result_of(what, **grants):
    r = inside(what, flags=['--json', 'r.json'], **grants)
    return r, json.loads(read('r.json'))


@test
def results_are_one_json_object():
    r, result = result_of(['sh', '-c', 'exit 3'])
    eq((r.status, result['outcome'], result['exitCode']), (3, 'exited', 3))
    eq((result['timedOut'], result['backend']), (False, 'native'))
    check(result['receipt'] and all(
        set(row) == {'clause', 'by', 'state'} for row in result['receipt']),
        result['receipt'])
    # To a descriptor too, which the workload does not get.
    a, b = os.pipe()
    r = run([MXC, *mxc_args(['ls', '/proc/self/fd'],
                            flags=['--json', str(b)])], pass_fds=(b,)).ok()
    os.close(b)
    eq(r.out.split(), ['0', '1', '2', '3'])      # 3 is ls's own
    eq(json.loads(os.read(a, 1 << 20))['exitCode'], 0)


@test
def failures_of_mxc_are_told_as_such():
    r, result = result_of(['true'], ro='/no/such/path')
    r.failed(125, "'/no/such/path'")
    eq((result['outcome'], result['exitCode']), ('failed', 125))
    eq(result['error']['code'], 'policy_validation')
    eq(result['error']['details']['where'], '--ro')


@test
def wrong_usage_is_told_as_such():
    for args in (['--no-such-option'], ['--ro'], ['--timeout', 'soon'],
                 ['--json']):
        mxc('run', *args).failed(125, '  try: ')
    mxc('run').failed(125, 'no command to run')
    mxc('no-such-command').failed(2, 'no such command')
    mxc().ok(2)


# --- environment -----------------------------------------------------------

def environment(r):
    return dict(line.split('=', 1) for line in
                r.ok().out.split('\0') if line)


def request(command='true', **process):
    return json.dumps({'version': '1.0.0',
                       'process': {'commandLine': command, **process}})


ENV = 'exec env -0'


@test
def environment_of_a_command():
    got = environment(inside(['env', '-0'], host_env={
        'TERM': 'vt100', 'SECRET': 'x', 'LD_PRELOAD': '', 'LC_ALL': 'C',
        'SSH_AUTH_SOCK': '/x', 'http_proxy': 'http://p:1'}))
    eq(got, {'PATH': PATH, 'TERM': 'vt100', 'HOME': '/home/user',
             'USER': 'user', 'LOGNAME': 'user', 'LANG': 'C.UTF-8',
             'TMPDIR': '/tmp', 'PWD': '/home/user'})


@test
def environment_of_a_request_is_the_contracts():
    """Exactly this, and PWD; sh adds OLDPWD and _ only when it must."""
    r = mxc('run', '-', input=request(ENV), env={'SECRET': 'x'})
    eq(environment(r), {'PATH': PATH, 'TERM': 'xterm-256color', 'PWD': '/'})


@test
def environment_given_by_a_request_is_all_there_is():
    r = mxc('run', '-', input=request('/usr/bin/env -0', env=[]))
    eq(environment(r), {'PWD': '/'})
    r = mxc('run', '-', input=request(
        '/usr/bin/env -0', env=['A=1', 'B=x=y', 'A=2', 'E=', 'N=a\nb']))
    eq(environment(r), {'A': '2', 'B': 'x=y', 'E': '', 'N': 'a\nb',
                        'PWD': '/'})
    r = mxc('run', '-', input=request(ENV, env=['TERM=dumb', 'A=1'],
                                      inheritDefaultEnv=True))
    eq(environment(r), {'PATH': PATH, 'TERM': 'dumb', 'A': '1', 'PWD': '/'})


@test
def environment_by_flags():
    got = environment(inside(['env', '-0'], env={'A': '1', 'HOME': '/tmp',
                                                 'LANG': 'C'}))
    eq((got['A'], got['HOME'], got['LANG']), ('1', '/tmp', 'C'))
    got = environment(mxc('run', '--policy', '-', '--env', 'B=2', '--', 'env',
                          '-0', input=request(env=['A=1'])))
    eq(got, {'A': '1', 'B': '2', 'PWD': '/'})


@cases({'no equals sign': 'A', 'no name': '=A', 'nothing': ''})
def entries_that_are_none_are_refused(entry):
    """W12: MXC drops the first kind and breaks on the second."""
    r = mxc('run', '--json', 'r.json', '-', input=request(env=['X=1', entry]))
    r.failed(125, 'environment entry')
    eq(json.loads(read('r.json'))['error']['details']['where'],
       'process.env[1]')
    mxc('run', '--env', entry, '--', 'true').failed(125, 'environment entry')


@test
def a_long_environment():
    """More than a pipe or a page holds."""
    env = [f'V{n}={"x" * 1000}' for n in range(1000)]
    r = mxc('run', '-', input=request('/usr/bin/env | grep -c ^V', env=env))
    eq(r.ok().out.strip(), '1000')


# --- directory -------------------------------------------------------------

@test
def the_directory_is_the_callers_where_granted():
    os.mkdir('w')
    here = os.getcwd()
    eq(run([MXC, 'run', '--rw', '.', '--', 'pwd'], cwd='w').ok().out,
       f'{here}/w\n')
    eq(run([MXC, 'run', '--ro', here, '--', 'pwd'], cwd='w').ok().out,
       f'{here}/w\n')
    eq(run([MXC, 'run', '--', 'pwd'], cwd='w').ok().out, '/home/user\n')
    eq(run([MXC, 'run', '-'], input=request('pwd'), cwd='w').ok().out, '/\n')


@test
def the_directory_can_be_given():
    os.mkdir('w')
    here = os.getcwd()
    eq(inside(['pwd'], cwd='/tmp').ok().out, '/tmp\n')
    eq(inside(['pwd'], ro='w', cwd='w').ok().out, f'{here}/w\n')
    eq(mxc('run', '-', input=request('pwd', cwd='/usr/bin')).ok().out,
       '/usr/bin\n')
    eq(mxc('run', '-', input=request('pwd', cwd='')).ok().out, '/\n')
    env = environment(inside(['env', '-0'], cwd='/usr'))
    eq(env['PWD'], '/usr')


@test
def a_directory_that_is_not_inside_is_refused():
    """W8: never mistaken for the workload's own exit."""
    os.mkdir('w')
    here = os.getcwd()
    r, result = result_of(['true'], cwd=f'{here}/w')
    r.failed(125, f"cannot start in '{here}/w'", '--cwd')
    eq(result['outcome'], 'failed')
    mxc('run', '-', input=request(cwd='/no/such')).failed(
        125, "cannot start in '/no/such'")


@test
def a_deleted_directory_of_the_caller():
    os.mkdir('gone')
    r = run(['sh', '-c', 'cd gone && rmdir ../gone && exec "$0" run -- pwd',
             MXC])
    eq(r.ok().out, '/home/user\n')


def from_a_deleted_directory(*args):
    os.makedirs('gone')
    return run(['sh', '-c', 'cd gone && rmdir ../gone && exec "$@"', 'sh', MXC,
                *args])


@cases([(' '.join(flags), flags) for flags in (
    ['--rw', '.'], ['--ro', 'tmp'], ['--deny', '.'], ['--cwd', '.'])])
def a_deleted_directory_is_not_the_root(flags):
    for words in ('run', *flags, '--', 'true'), ('explain', *flags, '--', 'true'):
        r = from_a_deleted_directory(*words)
        check(r.status in (1, 125), r)
        has(r.err, f"{flags[0]} '{flags[1]}': the current directory is gone")
    r = from_a_deleted_directory('run', '--ro', TOP, '--', 'true').ok()
    eq(r.err, '')


# --- signals ---------------------------------------------------------------

FORWARDED = ('HUP', 'INT', 'QUIT', 'TERM', 'USR1', 'USR2', 'ALRM')


@cases({name: name for name in FORWARDED})
def signals_are_forwarded(name):
    """To the whole group, as a terminal would; the workload may clean up."""
    number = signal.Signals['SIG' + name]
    p = spawn([MXC, *mxc_args(['sh', '-c', f'trap "echo caught; exit 5" {name}'
                               '; echo up; while :; do sleep 0.02; done'])])
    eq(p.stdout.readline(), b'up\n')
    p.send_signal(number)
    out, _ = p.communicate(timeout=10)
    eq((p.returncode, out), (5, b'caught\n'))
    p = spawn([MXC, *mxc_args(['sh', '-c', 'echo up; exec sleep 60'])])
    eq(p.stdout.readline(), b'up\n')
    p.send_signal(number)
    p.communicate(timeout=10)
    eq(p.returncode, 128 + number)


@test
def signals_that_are_ignored_inside_do_not_end_it():
    p = spawn([MXC, *mxc_args(['sh', '-c', 'trap "" TERM; echo up; read x; '
                               'exit 8'])], stdin=subprocess.PIPE)
    eq(p.stdout.readline(), b'up\n')
    p.terminate()
    p.terminate()
    p.communicate(b'\n', timeout=10)
    eq(p.returncode, 8)


@test
def stopping_stops_both():
    """As a shell's Ctrl-Z does, and fg after it."""
    p = spawn([MXC, *mxc_args(['sh', '-c', 'echo up; read x; exit 4'])],
              stdin=subprocess.PIPE)
    eq(p.stdout.readline(), b'up\n')
    p.send_signal(signal.SIGTSTP)

    def state():
        return read(f'/proc/{p.pid}/stat').rsplit(')', 1)[1].split()[0]
    eventually(lambda: state() == 'T', what='stopped')
    p.send_signal(signal.SIGCONT)
    p.communicate(b'\n', timeout=10)
    eq(p.returncode, 4)


@test
def nohup_runs_on():
    r = run(['nohup', MXC, *mxc_args(['sh', '-c', 'echo on; exit 2'])])
    eq(r.ok(2).out, 'on\n')


@test
def many_children():
    """Fast forks, each reaped, and the right one's status is told."""
    r = inside(['sh', '-c', 'i=0; while [ $i -lt 2000 ]; do (exit 1) & '
                'i=$((i+1)); [ $((i % 50)) = 0 ] && wait; done; wait; '
                'exit 33'], timeout=60)
    r.ok(33)


main()
