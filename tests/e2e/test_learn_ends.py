#!/usr/bin/env python3
# tap: seconds=900
"""`mxc learn`: how it ends, and what it leaves where."""

import json
import os
import signal
import socket
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from learning import *  # noqa: E402,F403


# --- how it ends -----------------------------------------------------------

@test
def a_command_that_fails_has_its_own_exit_code():
    r, report = learn('--out', 'p.json', '--', 'sh', '-c', 'exit 7')
    eq((r.status, report['passed'], report['exitCode']), (7, False, 7))
    check(os.path.exists('p.json'))


@test
def no_time_is_left():
    path = str(write('data/x', 'x'))
    r, report = learn('--out', 'p.json', '--timeout', '2s', '--', 'sh', '-c',
                      f'cat {path}; sleep 100', timeout=20)
    eq((r.status, report['partial'], report['outcome']),
       (124, True, 'timed_out'), r)
    eq(granted(report, 'read'), [path])
    has(r.err, 'no time was left')
    eq(json.loads(read('p.json')), report['policy'])


@test
def rounds_have_a_bound():
    path = str(write('data/x', 'x'))
    r, report = learn('--out', 'p.json', '--rounds', '1', '--', 'cat', path)
    eq((r.status, report['rounds'], report['tried']), (1, 1, False))
    eq(granted(report, 'read'), [path])
    under('p.json', 'cat', path).ok()


@cases([('SIGTERM', signal.SIGTERM), ('SIGINT', signal.SIGINT)])
def a_signal_ends_it_with_what_there_is(number):
    path = str(write('data/x', 'x'))
    p = spawn([MXC, 'learn', '--out', 'p.json', '--json', 'report', '--', 'sh',
               '-c', f'cat {path}; echo ready; exec sleep 100'],
              env={**os.environ, 'HOME': os.path.abspath('home')})
    eq(p.stdout.readline(), b'ready\n')
    p.send_signal(number)
    _, err = p.communicate(timeout=20)
    eq(p.returncode, 128 + number, err)
    eq(granted(json.loads(read('report')), 'read'), [path])
    has(err.decode(), 'a signal ended it')


@test
def a_signal_at_any_time_leaves_what_there_is():
    """Early in a round, between two, while it looks for secrets."""
    path = str(write('data/x', 'x'))
    for n in range(12):
        p = spawn([MXC, 'learn', '--out', f'{n}.json', '--json', f'r{n}', '--',
                   'sh', '-c', f'cat {path}; sleep 0.05; false'],
                  env={**os.environ, 'HOME': os.path.abspath('home')})
        time.sleep(0.03 + n * 0.03)
        p.send_signal(signal.SIGTERM)
        out, err = p.communicate(timeout=20)
        if p.returncode == -signal.SIGTERM:
            continue  # it had not begun
        if p.returncode == 1:
            break
        eq(p.returncode, 143, err)
        report = json.loads(read(f'r{n}'))
        eq((report['partial'], report['tried']), (True, False), err)
        eq(json.loads(read(f'{n}.json')), report['policy'])


@test
def a_directory_is_looked_through_once():
    """And not for every file in it, in every round."""
    write('data/.env', SECRET_TEXT)
    for n in range(20000):
        os.mknod(f'data/{n}')
    here = os.path.abspath('data')
    started = time.monotonic()
    r, report = learn('--out', 'p.json', '--timeout', '60s', '--', 'sh', '-c',
                      f'cd /; cat $(seq -f {here}/%.0f 1 400)', timeout=100)
    took = time.monotonic() - started
    eq((r.status, len(granted(report, 'read'))), (0, 400), r.err[-500:])
    check(took < 20, took)


@test
def killed_half_way_it_leaves_nothing():
    killed_when_ready('learn', '--out', 'p.json', '--', 'sh', '-c',
                      'echo ready; exec sleep 100')
    eq([n for n in os.listdir('.') if n != 'home'], [])


# --- where it goes ---------------------------------------------------------

@test
def what_is_there_is_not_replaced():
    write('mxc-policy.json', 'mine')
    r, report = learn('--', 'true')
    r.failed(2, "'mxc-policy.json' is there already")
    eq(read('mxc-policy.json'), 'mine')
    r, report = learn('--force', '--', 'true')
    eq(r.status, 0, r)
    eq(json.loads(read('mxc-policy.json'))['version'], '1.1.0+c1')


@test
def a_link_is_not_written_through():
    """It may be an earlier workload's."""
    write('other', 'mine')
    os.symlink('other', 'p.json')
    r, report = learn('--force', '--out', 'p.json', '--', 'true')
    eq((r.status, read('other')), (0, 'mine'), r)
    check(not os.path.islink('p.json'))


@test
def to_standard_output():
    r, report = learn('--out', '-', '--', 'true')
    eq((r.status, json.loads(r.out)), (0, report['policy']))


@test
def the_last_output_is_the_one_that_stays():
    """Of a file; and every round reads its input from the beginning."""
    path = str(write('data/x', 'more\n'))
    write('in', 'given\n')
    with open('in', 'rb') as i, open('out', 'wb') as o:
        p = spawn([MXC, 'learn', '--out', 'p.json', '--', 'sh', '-c',
                   f'cat; cat {path} || exit 1'], stdin=i, stdout=o)
        _, err = p.communicate(timeout=20)
    eq((p.returncode, read('out')), (0, 'given\nmore\n'), err)


@test
def where_it_is_to_go_is_looked_at_first():
    """And where it cannot go at last, the report still has it."""
    r, report = learn('--out', 'none/p.json', '--', 'sh', '-c',
                      'echo ran')
    r.failed(125, "cannot write 'none/p.json'")
    lacks(r.out, 'ran')
    os.makedirs('out')
    here = os.path.abspath('out')
    r, report = learn('--out', 'out/p.json', '--rw', 'out', '--', 'sh', '-c',
                      f'mkdir -p {here}/p.json')
    eq((r.status, report['policy']['version']), (125, '1.1.0+c1'), r)
    has(r.err, "cannot write 'out/p.json'")


@cases([('nothing of the environment', [], 0o640),
        ('a value of it', ['--env', 'TOKEN=x'], 0o600)])
def the_file_has_the_mode_of_its_maker(options, mode):
    old = os.umask(0o027)
    learn('--out', 'p.json', *options, '--', 'true')[0].ok()
    os.umask(old)
    eq(os.stat('p.json').st_mode & 0o7777, mode)


@test
def a_file_behind_the_output_is_not_cut():
    path = str(write('data/x', 'more\n'))
    write('out', 'first\nsecond\nthird line, which is long enough\n')
    with open('out', 'r+b') as o:
        o.seek(6)
        p = spawn([MXC, 'learn', '--out', 'p.json', '--', 'sh', '-c',
                   f'cat {path} || exit 1'], stdout=o)
        p.communicate(timeout=20)
    has(read('out'), 'third line, which is long enough\n')


@test
def what_is_lost_may_be_lacking():
    """Nobody looks any more: it may have been refused, and mostly was not."""
    write('data/x', 'x')
    here = os.path.abspath('.')
    deep = f'{here}/w/' + '/'.join(['d'] * 100)
    os.makedirs(deep)
    code = f"""
import os, time
for n in range(4000):
    os.path.exists(f'{deep}/no-{{n}}')
    time.sleep(0.0005)
time.sleep(0.5)
os.path.exists('{here}/data/x')
"""
    r, report = learn('--out', 'p.json', '--rw', 'w', '--rounds', '1', '--',
                      PYTHON, '-I', '-S', '-c', code)
    eq(r.status, 0, r)
    check(report['denialsLost'] > 0, report)
    eq(report['notListed'], 0)
    has(r.err, f'warning: of {report["denialsLost"]} calls that failed in the '
        'last round it is not known whether they were refused: the policy may '
        'lack something')
    lacks(r.err, 'had no room')
    r, report = learn('--merge', 'p.json', '--', 'true')
    eq(report['denialsLost'], 0)
    lacks(r.err, 'may lack')


@test
def a_socket_of_the_host_has_its_name():
    os.mkdir('d')
    there = os.path.abspath('d/s')
    with socket.socket(socket.AF_UNIX) as s:
        s.bind('d/s')
        s.listen()
        _, report = learn('--out', 'p.json', '--', PYTHON, '-ISc',
                          'import socket; socket.socket(socket.AF_UNIX)'
                          f'.connect({there!r})')
    eq(left_out(report)[there]['leftOut'], 'no policy allows it')
    lacks(left_out(report), '')


@test
def a_command_that_is_not_granted():
    """Nor the interpreter of it."""
    sh = str(write('hidden/sh', '#!/bin/sh\necho it runs\n', mode=0o755))
    tool = str(write('bin/tool', f'#!{sh}\n', mode=0o755))
    cwd = project()
    r, report = learn('--out', f'{cwd}/p.json', '--', tool)
    eq((r.status, r.out), (0, 'it runs\n'), r)
    eq([p for p in granted(report, 'read') if p != cwd], sorted([tool, sh]))
    eq(under(f'{cwd}/p.json', tool).ok().out, 'it runs\n')


@test
def a_file_that_is_replaced():
    """It was granted by itself: its directory is, then."""
    write('d/f', 'x\n')
    file = os.path.abspath('d/f')
    cwd = project()
    code = (f'open({file!r}, "a").close(); import os; '
            f'open({file + ".new"!r}, "w").write("y"); '
            f'os.rename({file + ".new"!r}, {file!r})')
    r, report = learn('--out', f'{cwd}/p.json', '--', PYTHON, '-ISc', code)
    eq((r.status, report['passed']), (0, True), r)
    eq(granted(report, 'write'), [os.path.dirname(file)])
    under(f'{cwd}/p.json', PYTHON, '-ISc', code).ok()
    eq(read('d/f'), 'y')


@test
def a_name_is_not_taken_for_more_of_the_report():
    name = "x; to grant it: --rw "
    write(f'data/{name}/y', 'x')
    path = os.path.abspath(f'data/{name}/y')
    r, report = learn('--out', 'p.json', '--', 'cat', path)
    eq(r.status, 0, r)
    has(r.err, f"--ro '{path}'")
    eq([e['option'] for e in report['granted'] if e['kind'] == 'read' and
        e['what'] == path], [f"--ro '{path}'"])


main()
