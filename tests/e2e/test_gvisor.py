#!/usr/bin/env python3
"""Backend gvisor: streams, ends, files, and what it refuses by name."""

import concurrent.futures
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import tap  # noqa: E402
from tap import *  # noqa: E402,F403

GVISOR = ('--backend', 'gvisor')
tap.before_each.append(lambda: need('runsc'))


def gvisor(what, *flags, **options):
    return inside(what, flags=(*GVISOR, *flags), **options)


def sh(script, *flags, **options):
    return gvisor(['sh', '-c', script], *flags, **options)


# --- streams ---------------------------------------------------------------

@test
def output_and_error_stay_apart():
    r = sh('echo out; echo err >&2; exit 3').ok(3)
    eq((r.out, r.err), ('out\n', 'err\n'))


@test
def input_and_its_end():
    eq(gvisor(['cat'], input='a\nb').ok().out, 'a\nb')
    eq(gvisor(['wc', '-c'], input='').ok().out.strip(), '0')


@test
def binary_data_passes_unchanged():
    data = bytes(range(256)) * 4096 + os.urandom(100000)
    eq(gvisor(['cat'], input=data).out_bytes == data, True)


@test
def arguments_and_variables_are_exact():
    odd = ['', ' a  b', "'\"\\", '\n\t\x01', 'ä€𝄞', '--', '<&>\u2028']
    code = 'import os, sys; print(repr((sys.argv[1:], os.environ["ODD"])))'
    r = gvisor([PYTHON, '-c', code, *odd], env={'ODD': 'ä=\n"\\'}).ok()
    eq(r.out.strip(), repr((odd, 'ä=\n"\\')))


@test
def the_directory_it_starts_in():
    os.mkdir('w')
    here = os.path.abspath('w')
    eq(gvisor(['pwd'], ro=[here], cwd=here).ok().out.strip(), here)


@test
def a_file_is_written_on_not_over():
    """runsc alone begins at the start of a regular file."""
    with open('log', 'wb') as f:
        f.write(b'before\n')
        f.flush()
        subprocess.run([MXC, *mxc_args(['sh', '-c', 'echo one; echo two >&2'],
                                       flags=GVISOR)],
                       stdin=subprocess.DEVNULL, stdout=f, stderr=f,
                       check=True, timeout=30)
        f.write(b'after\n')
    said = read('log').splitlines()
    eq((said[0], sorted(said[1:3]), said[3]), ('before', ['one', 'two'],
                                               'after'))
    with open('log', encoding='ascii') as f:
        f.readline()
        f.seek(7)
        p = subprocess.run([MXC, *mxc_args(['head', '-1'], flags=GVISOR)],
                           stdin=f, stdout=subprocess.PIPE, timeout=30,
                           check=True)
    eq(p.stdout.decode(), f'{said[1]}\n')


@test
def the_callers_pipes_still_wait():
    """runsc makes what it is given non-blocking, for whoever holds it too."""
    r, w = os.pipe()
    p = subprocess.Popen([MXC, *mxc_args(['cat'], flags=GVISOR)], stdin=r,
                         stdout=subprocess.PIPE, stderr=w)
    os.write(w, b'x')   # nothing reads it but we
    eventually(lambda: len(processes()) > 3 or p.poll() is not None)
    time.sleep(0.5)
    for end in (r, w):
        eq(fcntl.fcntl(end, fcntl.F_GETFL) & os.O_NONBLOCK, 0)
    p.kill()
    p.communicate()
    os.close(r)
    os.close(w)


@test
def at_a_terminal_an_interrupt_is_the_workloads():
    script = ('trap "echo interrupted; cat; exit 5" INT; echo up; '
              'while :; do sleep 0.1; done')
    # What carries the streams is in the terminal's foreground with mxc, and
    # must go on: the line after the interrupt arrives.
    r = pty([MXC, *mxc_args(['sh', '-c', script], flags=GVISOR)],
            input='\x03hello\n\x04', until='up')
    eq(r.status, 5)
    has(r.out, 'interrupted\r\nhello')


@test
def a_reader_that_goes_away():
    p = spawn([MXC, *mxc_args(['yes'], flags=GVISOR)])
    p.stdout.read(1000)
    p.stdout.close()
    check(p.wait(timeout=15) != 0)


# --- ends ------------------------------------------------------------------

@test
def ends_are_told_as_shells_do():
    eq(gvisor(['true']).status, 0)
    eq(sh('exit 128').status, 128)
    eq(sh('kill -9 $$').status, 137)
    eq(sh('kill -SEGV $$').status, 139)


@test
def what_cannot_be_executed():
    write('script', 'echo no first line\n', 0o755)
    write('plain', '#!/bin/sh\n', 0o644)
    ro = [os.path.abspath('script'), os.path.abspath('plain')]
    gvisor(['nosuch']).failed(127, "'nosuch' not found")
    gvisor(['/no/such']).failed(127, "'/no/such' not found")
    gvisor(['/etc']).failed(126, 'Permission denied')
    gvisor([ro[1]], ro=ro).failed(126, 'Permission denied')
    gvisor([ro[0]], ro=ro).failed(126, 'Exec format error')


@test
def what_gvisor_itself_cannot_do_is_a_failure():
    """Not an exit code that could be the workload's."""
    script = write('script', '#!/no/interpreter\n', 0o755)
    r = gvisor([os.path.abspath(script)], ro=[os.path.abspath(script)])
    r.failed(125, 'gVisor failed')


@test
def what_gvisor_warns_of_is_no_failure():
    code = ('import os, socket\n'
            'try: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)\n'
            'except PermissionError: os._exit(2)')
    eq(gvisor([tap.PYTHON, '-c', code]).ok(2).err, '')


@test
def no_directory_is_made_to_start_in():
    os.mkdir('w')
    here = os.path.abspath('w')
    r = gvisor(['true'], rw=[here], cwd=f'{here}/missing')
    r.failed(125, 'cannot start in')
    eq(os.listdir('w'), [])


@test
def a_timeout_reaches_everything():
    start = time.monotonic()
    r = sh('sleep 50 & (setsid sleep 51 &) ; echo up; sleep 52',
           '--timeout', '2s')
    eq((r.status, r.out), (124, 'up\n'))
    check(time.monotonic() - start < 30)


@test
def a_kill_of_mxc_leaves_nothing():
    before = host_state()
    p = spawn([MXC, *mxc_args(['sh', '-c', 'echo up; sleep 50'],
                              flags=GVISOR)])
    eq(p.stdout.readline(), b'up\n')
    check(len(descendants(p.pid)) >= 4, 'init, runsc, gofer and sentry')
    p.kill()
    p.communicate()
    eventually(lambda: not descendants(), what='no process left')
    leaves_nothing(before)


@test
def signals_of_the_caller_arrive():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        script = f'trap "exit 7" {int(number)}; echo up; while :; do sleep 0.1; done'
        p = spawn([MXC, *mxc_args(['sh', '-c', script], flags=GVISOR)])
        eq(p.stdout.readline(), b'up\n')
        p.send_signal(number)
        eq(p.wait(timeout=10), 7, number.name)


@test
def stopped_and_continued():
    script = 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done'
    p = spawn([MXC, *mxc_args(['sh', '-c', script], flags=GVISOR)])
    eq(p.stdout.readline(), b'1\n')
    p.send_signal(signal.SIGTSTP)
    time.sleep(0.5)
    p.send_signal(signal.SIGCONT)
    for _ in range(40):
        check(p.stdout.readline(), 'it goes on')
    p.kill()
    p.communicate()


@test
def one_that_only_computes_stands_still_too():
    """Without a call of the kernel it would not wait for the stopped sentry."""
    p = spawn([MXC, *mxc_args(['sh', '-c', 'echo up; while :; do :; done'],
                              flags=GVISOR)])
    eq(p.stdout.readline(), b'up\n')

    def ticks():
        used = 0
        for pid in descendants(p.pid):
            with contextlib.suppress(OSError):
                for tid in os.listdir(f'/proc/{pid}/task'):
                    text = read(f'/proc/{pid}/task/{tid}/stat')
                    used += sum(map(int, text.rsplit(')', 1)[1].split()[11:13]))
        return used

    def goes_on():
        was = ticks()
        time.sleep(0.4)
        return ticks() > was + 5
    eventually(goes_on, what='it computes')
    for _ in range(3):
        p.send_signal(signal.SIGTSTP)
        eventually(lambda: not goes_on(), what='it stands still')
        p.send_signal(signal.SIGCONT)
        eventually(goes_on, what='it goes on')
    p.kill()
    p.communicate()


@test(seconds=120)
def many_at_once():
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(sh, f'echo {i}; exit {i}', timeout=90)
                for i in range(24)]
        eq([(r.result().status, r.result().out) for r in runs],
           [(i, f'{i}\n') for i in range(24)])


# --- files -----------------------------------------------------------------

def tree():
    for name in ('rw', 'ro', 'rw/deep'):
        os.mkdir(name)
    write('rw/file', 'old\n')
    write('rw/secret', 'secret\n')
    write('ro/file', 'old\n')
    here = os.getcwd()
    return here, {'rw': [f'{here}/rw'], 'ro': [f'{here}/ro'],
                  'deny': [f'{here}/rw/secret']}


@test
def what_is_granted_is_the_hosts():
    here, grants = tree()
    sh(f'cd {here} && cat rw/file ro/file && echo new > rw/made && '
       'mkdir rw/dir && mv rw/file rw/dir/moved && chmod 700 rw/dir',
       **grants).ok()
    eq(read('rw/made'), 'new\n')
    eq(read('rw/dir/moved'), 'old\n')
    st = os.stat('rw/made')
    eq((st.st_uid, st.st_gid, os.stat('rw/dir').st_mode & 0o777),
       (os.geteuid(), os.getegid(), 0o700))


@test
def what_the_host_changes_is_seen():
    here, grants = tree()
    p = spawn([MXC, *mxc_args(
        ['sh', '-c', f'cat {here}/rw/file; echo up; read x; '
                     f'cat {here}/rw/file {here}/rw/later'], flags=GVISOR,
        **grants)], stdin=subprocess.PIPE)
    eq((p.stdout.readline(), p.stdout.readline()), (b'old\n', b'up\n'))
    write('rw/file', 'changed\n')
    write('rw/later', 'later\n')
    eq(p.communicate(b'\n', timeout=15)[0], b'changed\nlater\n')


@test
def a_tmp_of_the_policys_is_not_covered():
    """gVisor would put memory of its own over an empty /tmp."""
    os.mkdir('w')
    here = os.path.abspath('w')
    if not here.startswith('/tmp/'):
        skip('the tests run elsewhere than below /tmp')
    r = sh(f'echo new > {here}/made; echo x > /tmp/made', rw=[here],
           deny=['/tmp'])
    eq((r.status, read('w/made')), (2, 'new\n'))
    has(r.err, '/tmp/made: Permission denied')


@test
def the_root_is_its_own():
    mine = os.listdir('/')
    r = sh('echo x > /tmp/x; echo y > ~/y; mkdir /z; cat /tmp/x ~/y').ok()
    eq(r.out, 'x\ny\n')
    eq(os.listdir('/'), mine)
    check(not os.path.exists('/tmp/x'))


@test
def the_caller_is_number_0_and_has_its_name():
    r = sh('id -u; id -g; id -un; grep ^Cap /proc/self/status').ok()
    lines = r.out.splitlines()
    eq(lines[:3], ['0', '0', 'root' if IS_ROOT else 'user'])
    eq({line.split()[1] for line in lines[3:]}, {'0' * 16})


# --- what it refuses -------------------------------------------------------

@test
def what_it_cannot_do_is_refused_by_name():
    here, _ = tree()
    rows = (
        (['--tty'], 'a terminal of its own'),
        (['--deny', f'{here}/rw/none', '--rw', f'{here}/rw'],
         'does not exist yet'),
        (['--deny', '/proc/version'], '/proc of its own'),
        (['--deny', '/dev/zero'], '/dev of its own'),
        (['--deny', '/tmp'], "all of '/tmp'"),
    )
    for flags, words in rows:
        r = sh(f'touch {here}/rw/ran', *flags)
        r.failed(125, "backend 'gvisor'", words)
        check(not os.path.exists('rw/ran'))
    r = run([MXC, 'run', *GVISOR, '--', 'echo', b'\xff'])
    r.failed(125, 'not UTF-8')


def request(**more):
    return {'version': '1.1.0+c1', 'containment': 'gvisor',
            'process': {'commandLine': 'uname -r'}, **more}


@test
def rules_for_icmp_are_refused():
    rule = {'to': [{'cidr': '203.0.113.0/24'}],
            'ports': [{'protocol': 'icmp'}]}
    path = write('icmp.json', json.dumps(request(
        network={'egress': {'allow': [rule]}})))
    mxc('run', path).failed(125, 'has no ICMP')


@test
def a_request_names_it():
    path = write('request.json', json.dumps(request()))
    r = mxc('run', path).ok()
    check(r.out.strip() != os.uname().release, r.out)


@test
def a_tier_chooses_it():
    """No weaker one is of that tier, and it is the caller's own word."""
    path = write('request.json', json.dumps({
        **request(), 'containment': 'process',
        'guarantees': {'tier': 'kernel'}}))
    for r in (mxc('run', path), mxc('run', '--tier', 'kernel', '--', 'uname',
                                    '-r')):
        check(r.ok().out.strip() != os.uname().release, r.out)


@cases({v: v for v in ('1.0.0', '0.9.0-alpha', '1.1.0-alpha')})
def no_version_of_mxcs_knows_the_name(version):
    path = write('request.json', json.dumps({**request(),
                                             'version': version}))
    mxc('run', path).failed(125, 'gvisor')


@test
def explain_tells_the_plan_and_the_receipt():
    r = mxc('explain', *GVISOR, '--', 'true').ok()
    has(r.out, 'gvisor')
    has(r.out, 'gVisor answers every system call')
    r = gvisor(['true'], '--json', 'result').ok()
    eq(r.out + r.err, '')
    rows = {row['clause']: row for row in json.loads(read('result'))['receipt']}
    eq(rows['kernel surface']['state'], 'enforced')


main()
