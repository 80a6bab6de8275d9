#!/usr/bin/env python3
# tap: seconds=900
"""`mxc learn`: what its policy means elsewhere, what becomes of one that is
there already, and usage."""

import json
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from learning import *  # noqa: E402,F403


# --- another place, another user -------------------------------------------

@test
def a_policy_goes_along_with_its_project():
    write('a/data/x', 'of a')
    write('home/notes', 'n')
    script = f'cat data/x; cat {os.environ["HOME"]}/notes'
    r, _ = learn('--out', '../p.json', '--', 'sh', '-c', script, cwd='a')
    eq((r.status, r.out[-5:]), (0, 'of an'), r)
    lists = json.loads(read('p.json'))['filesystem']['readonlyPaths']
    eq(lists, ['${workspace}', '${home}/notes'])
    write('b/data/x', 'of b')
    write('other/notes', 'm')
    policy = os.path.abspath('p.json')
    r = net.mxc('run', '--policy', policy, '--', 'sh', '-c',
                script.replace(os.environ['HOME'], os.path.abspath('other')),
                cwd='b', env={'HOME': os.path.abspath('other')})
    eq((r.status, r.out), (0, 'of bm'), r)
    r = net.mxc('run', '--policy', policy, '--', 'cat',
                os.path.abspath('a/data/x'), cwd='b')
    check(r.status != 0 and r.out == '', r)
    has(r.err, 'No such file')


@cases([(x, x) for x in ('${place}/x', '${workspace}x', '${home', '${HOME}')])
def a_variable_that_there_is_not(name):
    for where, members in (
            ('filesystem.deniedPaths[0]', {'filesystem': {'deniedPaths': [name]}}),
            ('process.cwd', {'process': {'cwd': name}})):
        write('p.json', json.dumps({'version': '1.1.0+c1', **members}))
        mxc('run', '--policy', 'p.json', '--', 'true').failed(
            125, f"'{name}' has no variable that there is", f'at: {where}',
            '${workspace}, the directory of the call')
    # Where all of a home would be it.
    write('p.json', json.dumps({'version': '1.1.0+c1', 'filesystem': {
        'readwritePaths': ['${workspace}']}}))
    for place in '/', os.environ['HOME'], '.':
        mxc('run', '--policy', os.path.abspath('p.json'), '--', 'true',
            cwd=place).failed(125, 'holds all of a home', 'of the project')
    # In MXC's own contracts it is a name like any other.
    write('p.json', json.dumps({
        'version': '1.0.0', 'process': {'commandLine': 'true'},
        'filesystem': {'readonlyPaths': ['${workspace}/x']}}))
    mxc('run', 'p.json').failed(125, "path '${workspace}/x' is not absolute")


# --- on top of a policy ----------------------------------------------------

@test
def a_policy_is_merged_with():
    old = str(write('data/old', 'x'))
    new = str(write('data/new', 'x'))
    no = str(write('data/no', 'x'))
    mine = {'version': '1.1.0+c1', '_comment': 'mine', 'filesystem':
            {'readonlyPaths': [old], 'deniedPaths': [no]}}
    text = json.dumps(mine, indent=2) + '\n'
    write('mine.json', text)
    r, report = learn('--merge', 'mine.json', '--', 'cat', old, new)
    eq((r.status, read('mine.json')), (0, text), r)
    has(r.out, '--- mine.json\n+++ learnt\n@@ ')
    has(r.out, f'+      "{new}"\n')
    lacks(r.out, f'-      "{no}"')
    r, report = learn('--merge', 'mine.json', '--write', '--', 'cat', new, no)
    check(r.status != 0)
    got = meant('mine.json')
    grants = got['filesystem'].pop('readonlyPaths')
    eq([g for g in grants if not g.startswith('/etc/')], [old, new])
    eq(got, {**mine, 'filesystem': {'deniedPaths': [no]}})
    eq(left_out(report)[no]['leftOut'], 'your policy denies it')


@test
def what_the_policy_keeps_for_reading_stays_so():
    """However it is spelt."""
    keep = str(write('w/keep/f', 'x'))
    here = os.path.abspath('.')
    write('mine.json', json.dumps({
        'version': '1.1.0+c1', 'filesystem': {
            'readwritePaths': [f'{here}//w/'],
            'readonlyPaths': [f'{here}/w/./keep/']}}))
    r, report = learn('--merge', 'mine.json', '--write', '--', 'sh', '-c',
                      f'echo y > {here}/w/new; echo y > {keep}')
    check(r.status != 0, r)
    eq((read('w/new'), read(keep)), ('y\n', 'x'))
    fs = json.loads(read('mine.json'))['filesystem']
    eq(fs['readwritePaths'], [f'{here}//w/'])
    check(f'{here}/w/./keep/' in fs['readonlyPaths'], fs)
    has(json.dumps(left_out(report)), 'keeps it for reading')


@test
def the_place_that_the_policy_names_counts():
    """Its home is the only one, and its directory the one that it starts in."""
    other = project('other')
    write('other/f', 'x')
    write('home/.toolrc', 'x')
    write('mine.json', json.dumps({
        'version': '1.1.0+c1',
        'process': {'cwd': other, 'env': ['HOME=/nowhere'],
                    'inheritDefaultEnv': True}}))
    for mode in ([], ['--mode', 'observe']):
        r, report = learn(*mode, '--policy', 'mine.json', '--force', '--out',
                          'p.json', '--', 'sh', '-c',
                          f'cat f {os.path.abspath("home/.toolrc")}')
        eq(r.status, 0, r)
        policy = json.loads(read('p.json'))['process']
        eq((policy['env'], policy['cwd']), (['HOME=/nowhere'], other))
        eq(granted(report, 'env'), [])


@test
def a_policy_of_an_older_contract_is_carried_over():
    path = str(write('data/x', 'x'))
    write('old.json', json.dumps({
        'version': '1.0.0', 'process': {'commandLine': f'cat {path}'},
        'filesystem': {'deniedPaths': ['/nowhere']}}))
    r, report = learn('--policy', 'old.json', '--out', 'p.json')
    eq((r.status, r.out), (0, 'x'), r)
    policy = meant('p.json')
    eq((policy['version'], policy['process']['commandLine'],
        policy['filesystem']['deniedPaths']),
       ('1.1.0+c1', f'cat {path}', ['/nowhere']))
    has(policy['filesystem']['readonlyPaths'], path)
    net.mxc('run', '--policy', 'p.json').ok()


@cases([(m[0], m) for m in (
    ('moved', 'mv policies x; mkdir policies; echo "{}" > policies/app.json',
     'policies/app.json'),
    ('linked', 'mkdir x; echo "{}" > x/app.json; rm link; ln -s x link',
     'link/app.json'),
    ('gone', 'rmdir policies', 'policies/app.json'))])
def a_command_that_puts_another_directory_there(case):
    """Its owner would be told a policy that the command wrote."""
    _, code, out = case
    here = project()
    os.makedirs('p/policies')
    os.symlink('policies', 'p/link')
    for more in ([], ['--force']):
        r, report = learn('--rw', here, '--json', '../report', '--out', out,
                          *more, '--', 'sh', '-c', code, cwd='p')
        report = json.loads(read('report'))
        r.failed(125, 'is another one since the command ran')
        lacks(r.err, 'the policy is in')
        has(report['policy']['filesystem']['readwritePaths'], here)
        found = [os.path.join(d, f) for d, _, fs in os.walk('p') for f in fs]
        eq([f for f in found if os.path.exists(f) and read(f) != '{}\n'], [])
        run(['sh', '-c', 'rm -r p; mkdir -p p/policies; ln -s policies '
             'p/link']).ok()


@test
def a_policy_in_what_the_command_may_write():
    here = project()
    os.makedirs('p/deep')
    r, _ = learn('--rw', here, '--json', '../report', '--out', 'deep/p.json',
                 '--', 'sh', '-c', 'echo x > f', cwd='p')
    eq(r.status, 0, r)
    has(r.err, "the policy is in 'deep/p.json'")
    under('p/deep/p.json', 'cat', 'f', cwd='p').ok()


@test
def a_command_that_changes_its_policy():
    os.makedirs('d')
    here = os.path.abspath('d')
    write('d/mine.json', '{"version": "1.1.0+c1", "filesystem": '
          f'{{"readwritePaths": ["{here}"]}}}}')
    evil = '{"version": "1.1.0+c1"}'
    r, report = learn('--merge', 'd/mine.json', '--write', '--', 'sh', '-c',
                      f"echo '{evil}' > {here}/mine.json")
    r.failed(125, 'has changed while the command ran')
    eq(read('d/mine.json'), evil + '\n')


@test
def options_become_part_of_the_policy():
    path = str(write('data/x', 'x'))
    os.makedirs('out')
    write('out/no', 'x')
    r, report = learn('--out', 'p.json', '--ro', 'data', '--rw', 'out',
                      '--deny', 'out/no', '--env', 'A=b', '--allow-host',
                      'example.test:80', '--allow-net', '192.0.2.0/24:443',
                      '--', 'sh', '-c', 'echo $A; curl -sSf -o /dev/null '
                      'http://example.test/')
    eq((r.status, r.out), (0, 'b\n'), r)
    here = os.path.abspath('.')
    policy = meant('p.json')
    fs = policy['filesystem']
    eq(fs['readonlyPaths'][0], f'{here}/data')
    eq((fs['readwritePaths'], fs['deniedPaths']),
       ([f'{here}/out'], [f'{here}/out/no']))
    eq(policy['process'], {'inheritDefaultEnv': True, 'env': ['A=b']})
    eq(policy['network']['egress']['allow'],
       [{'to': [{'host': 'example.test'}],
         'ports': [{'protocol': 'any', 'port': 80}]},
        {'to': [{'cidr': '192.0.2.0/24'}],
         'ports': [{'protocol': 'any', 'port': 443}]}])
    eq(under('p.json', 'sh', '-c', f'echo $A; cat {path}').ok().out, 'b\nx')


# --- usage -----------------------------------------------------------------

@cases([
    ('no command', [], 'no command'),
    ('a mode', ['--mode', 'x', '--', 'true'], 'no mode'),
    ('rounds', ['--rounds', '0', '--', 'true'], 'not a number of rounds'),
    ('write alone', ['--write', '--', 'true'], '--write without --merge'),
    ('permissive alone', ['--mode', 'permissive', '--', 'true'],
     'not held back'),
    ('reach and permissive', ['--reach', '--mode', 'permissive',
                              '--allow-everything-while-learning', '--',
                              'true'], '--reach with --mode permissive'),
    ('force and standard output', ['--force', '--out', '-', '--', 'true'],
     '--force with --out -'),
    ('rounds and permissive', ['--rounds', '2', '--mode', 'permissive',
                               '--allow-everything-while-learning', '--',
                               'true'], '--rounds with --mode permissive'),
    ('everything as a secret', ['--grant-secret', '/', '--', 'true'],
     'it holds too much'),
    ('one file for both', ['--out', 'report', '--', 'true'],
     'in one file'),
    ('everything alone', ['--allow-everything-while-learning', '--', 'true'],
     'without --mode permissive'),
    ('two policies', ['--policy', 'a', '--merge', 'b', '--', 'true'],
     'another one to merge with'),
])
def usage(args, text):
    r, report = learn(*args)
    r.failed(2, text)
    eq([n for n in os.listdir('.') if n.endswith('.json')], [])


main()
