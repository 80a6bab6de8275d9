#!/usr/bin/env python3
"""MXC's `processContainer.captureDenials` and `learningMode` in a request for
`process`: refused and recorded, as `--denials`, and never with more rights."""

import json
import os
import socket
import stat
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from libmxc import lib, run_it as go  # noqa: E402

WHERE = 'processContainer.captureDenials'
CHECK_REFUSED = 1


def submit(section, command='cat secret', version='1.0.0', options=(),
           **sections):
    """Run a request with that section."""
    write('request.json', json.dumps({
        'version': version, 'containment': 'process',
        'process': {'commandLine': command, 'cwd': '/tmp'},
        'processContainer': section, **sections}))
    return mxc('run', *options, '--json', 'result', 'request.json')


def result():
    return json.loads(read('result'))


def refused_for(section, where, *pieces, **more):
    before = sorted(os.listdir('.'))
    r = submit(section, **{'command': 'echo ran', **more})
    r.failed(125, *pieces, f'at: {where}')
    eq(r.out, '', 'nothing ran')
    # And a look at it says the same, without a run.
    checked = mxc('check', 'request.json')
    checked.failed(CHECK_REFUSED, *pieces, f'at: {where}')
    eq([n for n in sorted(os.listdir('.')) if n not in before
        and n not in ('request.json', 'result')], [])


def secret():
    return write('secret', 'SECRET')


@cases({v: v for v in ('0.9.0-alpha', '1.0.0', '1.1.0-alpha', '1.1.0+c1')})
def a_record_is_written(version):
    key, out = secret(), os.path.abspath('record.json')
    r = submit({'captureDenials': {'mode': 'block', 'outputPath': out}},
               f'cat {key}; exit 3', version)
    eq((r.status, r.out), (3, ''), f'{r}')
    record = json.loads(read('record.json'))
    meta = {k: record[k] for k in (
        'type', 'outputPath', 'exitCode', 'totalDenials',
        'deniedResourcesTruncated')}
    eq(result()['outputMetadata'], {'captureDenials': meta})
    eq((meta['type'], meta['outputPath'], meta['exitCode'],
        meta['deniedResourcesTruncated']), ('captureDenials', out, 3, False))
    eq(record['deniedResources'], result()['denials'])
    eq(meta['totalDenials'], result()['denialCount'])
    found = [d for d in record['deniedResources'] if d['resolved'] == str(key)]
    eq([(d['operation'], d['errno'], d['hint']) for d in found],
       [('read', 'ENOENT', f'--ro {key}')])
    eq(os.stat('record.json').st_mode & 0o7777, 0o600)
    eq([n for n in os.listdir('.') if n.startswith('.mxc')], [])


@test
def a_list_that_lacks_what_nobody_looked_at_is_not_complete():
    """All looks at the host are used up by names that are nowhere, each deep
    in a directory; then something is refused."""
    key, out = secret(), os.path.abspath('record.json')
    os.makedirs('w')
    deep = os.path.abspath('w') + '/' + '/'.join(['d'] * 100)
    os.makedirs(deep)
    write('code.py', f'''
import os, time
for n in range(4000):
    os.path.exists(f'{deep}/no-{{n}}')
    time.sleep(0.0005)
time.sleep(0.5)
os.path.exists({str(key)!r})
''')
    submit({'captureDenials': {'mode': 'block', 'outputPath': out}},
           f'{PYTHON} -I -S {os.path.abspath("code.py")}',
           filesystem={'readonlyPaths': [os.path.abspath('code.py'),
                                         os.path.abspath('w')]}).ok()
    record = json.loads(read('record.json'))
    eq([d for d in record['deniedResources'] if d['resolved'] == str(key)], [])
    eq(record['deniedResourcesTruncated'], True)
    meta = result()['outputMetadata']['captureDenials']
    eq(meta['deniedResourcesTruncated'], True)
    check(result()['denialsLost'] > 0)
    lacks(result(), 'denialsNotListed')


@test
def without_a_path_it_is_in_the_result():
    key = secret()
    for section in ({'captureDenials': {}}, {'learningMode': True},
                    {'learningMode': True, 'captureDenials': {'mode': 'block'}},
                    {'learningMode': True, 'leastPrivilege': False,
                     'capabilities': [], 'ui': {'isolation': 'container',
                                                'ime': False}}):
        submit(section, f'cat {key}').ok(1)
        check(any(d.get('resolved') == str(key)
                  for d in result()['denials']), f'{section}')
        check('outputMetadata' not in result())


@test
def nothing_is_refused_and_an_empty_list_is_written():
    out = os.path.abspath('record.json')
    submit({'captureDenials': {'outputPath': out}}, ':').ok()
    record = json.loads(read('record.json'))
    eq((record['totalDenials'], record['deniedResources']), (0, []))


@test
def what_would_be_less_isolation_is_refused():
    out = os.path.abspath('record.json')
    refused_for({'captureDenials': {'mode': 'allow', 'outputPath': out}},
                WHERE + '.mode', 'rights that the policy does not give it',
                'mxc learn')
    refused_for({'learningMode': True, 'captureDenials': {'mode': 'allow'}},
                WHERE + '.mode', 'mxc learn')
    refused_for({'captureDenials': {'outputPath': out, 'retainEtl': True}},
                WHERE + '.retainEtl', 'no trace to keep', "'retainEtl'")


@cases({
    'leastPrivilege': ({'leastPrivilege': True}, 'leastPrivilege'),
    'capabilities': ({'capabilities': ['internetClient']}, 'capabilities'),
    'enumeratePaths': ({'filesystem': {'enumeratePaths': ['/usr']}},
                       'filesystem.enumeratePaths'),
    'isolation': ({'ui': {'isolation': 'desktop'}}, 'ui.isolation'),
    'desktop': ({'ui': {'desktopSystemControl': True}},
                'ui.desktopSystemControl'),
    'settings': ({'ui': {'systemSettings': 'all'}}, 'ui.systemSettings'),
    'ime': ({'ui': {'ime': True}}, 'ui.ime'),
})
def the_rest_of_the_section_is_refused(section, name):
    refused_for({'captureDenials': {}, **section}, f'processContainer.{name}',
                f"'{name}' is of Windows alone")


@test
def the_section_alone_is_as_it_was():
    """Also for whoever names a backend, as MXC has it."""
    for section in ({}, {'leastPrivilege': True}, {'learningMode': False}):
        submit(section).failed(125, "section 'processContainer' does not "
                                    "belong to containment 'native'")
    write('request.json', json.dumps({
        'version': '1.0.0', 'containment': 'bubblewrap',
        'process': {'commandLine': 'true'},
        'processContainer': {'learningMode': True}}))
    mxc('run', 'request.json').failed(
        125, "section 'processContainer' does not belong")


@cases({
    'no directory': ('{0}/none/record.json', 'the directory must exist'),
    'a file on the way': ('{0}/file/record.json', 'the directory must exist'),
    'a directory': ('{0}/dir', 'is a directory'),
    'dots': ('{0}/dir/../record.json', "without '..'"),
    'Windows': ('C:\\\\x\\\\record.json', 'no file of this system'),
    'a link on the way': ('{0}/link/record.json', 'without a symbolic link'),
    'a FIFO': ('{0}/fifo', 'is no file'),
    'a socket': ('{0}/socket', 'is no file'),
    'a device': ('{0}/device', 'is no file'),
})
def paths_that_cannot_be(path, why):
    os.mkdir('dir')
    os.symlink('dir', 'link')
    os.mkfifo('fifo')
    ear = socket.socket(socket.AF_UNIX)
    ear.bind('socket')
    write('file', '')
    # One of its own: a broken mxc would replace the machine's.
    if path.endswith('/device'):
        try:
            os.mknod('device', stat.S_IFCHR | 0o666, os.makedev(1, 3))
        except PermissionError:
            skip('no device node can be made here')
    refused_for({'captureDenials': {'outputPath': path.format(os.getcwd())}},
                WHERE + '.outputPath', why, command='echo ran')
    check(stat.S_ISFIFO(os.stat('fifo').st_mode))
    if path.endswith('/device'):
        check(stat.S_ISCHR(os.stat('device').st_mode))
    eq(os.listdir('dir'), [])


@cases({'in it': 'w/record.json', 'further below': 'w/dir/record.json',
        'the file itself': 'file'})
def where_the_workload_may_write(path):
    """It could put another record in its place, or a link on its way."""
    os.makedirs('w/dir')
    write('file', '')
    grants = [os.path.abspath('w'), os.path.abspath('file')]
    refused_for({'captureDenials': {'outputPath': os.path.abspath(path)}},
                WHERE + '.outputPath', 'where the workload may write',
                command='echo ran', filesystem={'readwritePaths': grants})
    eq(os.listdir('w/dir'), [])


@cases({
    'the directory': ('w/dir', 'a', 'a/record.json'),
    'what it lies in': ('w/dir', 'a', 'a/below/record.json'),
    'another that is mounted there': ('a', 'w/dir', 'a/record.json'),
    'the grant': ('w', 'a', 'a/dir/record.json'),
    'no part of it': ('other', 'a', None),
})
def where_it_may_write_by_another_name(source, target, path):
    """A mount shows the directory once more."""
    os.makedirs('w/dir/below')
    for d in 'a', 'a/below', 'other':
        os.mkdir(d)
    here = os.getcwd()
    way = own_mounts(f'mount --bind {here}/{source} {here}/{target}')
    if run([*way, 'true']).status:
        skip('no mount can be made here')
    out = f'{here}/{path or "a/record.json"}'
    write('request.json', json.dumps({
        'version': '1.0.0', 'containment': 'process',
        'process': {'commandLine': 'echo ran', 'cwd': '/tmp'},
        'filesystem': {'readwritePaths': [f'{here}/w']},
        'processContainer': {'captureDenials': {'outputPath': out}}}))
    for command in ['run'], ['check']:
        r = run([*way, MXC, *command, 'request.json'])
        if not path:
            r.ok()
            continue
        r.failed(125 if command == ['run'] else CHECK_REFUSED,
                 'where the workload may write',
                 f'at: {WHERE}.outputPath')
        eq(r.out, '', 'nothing ran')
    eq([n for _, _, names in os.walk('w') for n in names], [])
    eq(os.listdir('other'), [] if path else ['record.json'])


@test
def a_link_that_a_workload_left():
    """A directory on the way, made a link by a run before."""
    os.makedirs('w/out')
    os.mkdir('victim')
    out = os.path.abspath('w/out/record.json')
    way, victim = os.path.dirname(out), os.path.abspath('victim')
    mxc('run', '--rw', 'w', '--', 'sh', '-c',
        f'rmdir {way} && ln -s {victim} {way}').ok()
    refused_for({'captureDenials': {'outputPath': out}}, WHERE + '.outputPath',
                'without a symbolic link', command='echo ran')
    eq(os.listdir('victim'), [])


@test
def a_directory_that_is_not_the_callers():
    if IS_ROOT:
        skip('root may write there')
    r = submit({'captureDenials': {'outputPath': '/usr/record.json'}}, ':')
    eq(r.status, 0, f'{r}')
    eq(r.err, '', 'who has the result reads it there')
    error = result()['outputMetadata']['captureDenialsError']
    eq(set(error), {'message', 'etlPath'})
    has(error['message'], '/usr/record.json')


@test
def a_link_is_replaced_and_not_followed():
    victim = write('victim', 'mine')
    os.symlink('victim', 'record.json')
    os.symlink('nowhere', 'other.json')
    for name in ('record.json', 'other.json'):
        submit({'captureDenials': {'outputPath': os.path.abspath(name)}},
               ':').ok()
        check(not os.path.islink(name))
        check(json.loads(read(name))['type'])
    eq(victim.read_text(), 'mine')
    check(not os.path.exists('nowhere'))


@test
def a_disk_that_is_full():
    """Path and clause are named, and what was there stays."""
    if not IS_ROOT:
        skip('only root can mount')
    os.mkdir('small')
    run(['mount', '-t', 'tmpfs', '-o', 'size=4k', 'none', 'small']).ok()
    try:
        out = write('small/record.json', '{}')
        os.chmod('small', 0o755)
        submit({'captureDenials': {'outputPath': str(out.absolute())}}, ':')
        message = result()['outputMetadata']['captureDenialsError']['message']
        has(message, f"cannot write the record '{out.absolute()}'")
        has(message, 'No space left')
        eq(read('small/record.json'), '{}')
        # Without a result, a person is told which clause it is of.
        r = mxc('run', 'request.json')
        has(r.err, f"cannot write the record '{out.absolute()}'",
            f'at: {WHERE}.outputPath')
        eq(os.listdir('small'), ['record.json'])
    finally:
        run(['umount', 'small']).ok()


@cases({'no such command': ('/no/such/command', 127),
        'no such directory': (None, 125)})
def a_run_in_which_nothing_ran(command, status):
    """What an earlier one recorded stays, and the result says so."""
    out = write('record.json', 'an earlier one')
    section = {'captureDenials': {'outputPath': str(out.absolute())}}
    write('request.json', json.dumps({
        'version': '1.0.0', 'containment': 'process',
        'process': {'commandLine': 'true', 'cwd': '/tmp'},
        'processContainer': section}))
    options = (('--', command) if command else ('--cwd', '/no/such/place'))
    r = mxc('run', '--json', 'result', 'request.json', *options)
    eq((r.status, r.out), (status, ''), f'{r}')
    eq(read('record.json'), 'an earlier one')
    if command:
        has(result()['outputMetadata']['captureDenialsError']['message'],
            'nothing was run')


@test
def what_was_there_is_replaced_whole():
    out = write('record.json', 'x' * 100000)
    submit({'captureDenials': {'outputPath': str(out)}}, ':').ok()
    check(json.loads(read('record.json'))['type'])


@test
def explain_and_check_write_nothing():
    out = os.path.abspath('record.json')
    submit({'captureDenials': {'outputPath': out}}, ':').ok()
    os.unlink('record.json')
    mxc('check', 'request.json').ok()
    has(mxc('explain', '--plan', 'request.json').ok().out, f'capture {out}')
    check(not os.path.exists('record.json'))


@cases({'a record': {'captureDenials': {}}, 'learning': {'learningMode': True}})
def of_single_runs_alone(section):
    """A session and a pool refuse it by its clause; what asks a policy answers
    as if it were not there."""
    name = next(iter(section))
    os.mkdir('runtime', 0o700)
    env = {**os.environ, 'XDG_RUNTIME_DIR': os.path.abspath('runtime')}
    policy = {'version': '1.1.0+c1', 'containment': 'process',
              'processContainer': section}
    write('policy.json', json.dumps(policy))
    write('provision.json', json.dumps({**policy, 'phase': 'provision'}))
    for command in (['pool', 'start', '--policy', 'policy.json'],
                    ['run', 'provision.json'],
                    ['provision', '--policy', 'policy.json']):
        r = mxc(*command, env=env)
        check(r.status not in (0, 124), f'{command}: {r}')
        lacks(r.err, 'plan refused')
        if command[0] != 'run':
            has(r.err, 'recorded of a single run',
                f'at: processContainer.{name}')
    write('tests.json', json.dumps({'version': 1, 'tests': [
        {'read': '/etc/shadow', 'expect': 'deny'}]}))
    mxc('test', 'policy.json', 'tests.json', env=env).ok()
    r = mxc('why', '--policy', 'policy.json', '--read', '/etc/shadow',
            env=env)
    check(r.status in (0, 1), f'{r}')
    lacks(r.out + r.err, 'plan refused')
    has(r.out, '/etc/shadow')


@test
def by_the_library():
    key, out = secret(), os.path.abspath('record.json')
    e = go(f'cat {key}', {'processContainer': {'captureDenials': {
        'outputPath': out}}})
    eq((e.r, e.code), (0, 1))
    meta = e.json['outputMetadata']['captureDenials']
    eq((meta['outputPath'], meta['exitCode']), (out, 1))
    check(meta['totalDenials'] >= 1)
    eq(json.loads(read('record.json'))['totalDenials'], meta['totalDenials'])


@test
def after_a_timeout_too():
    key, out = secret(), os.path.abspath('record.json')
    submit({'captureDenials': {'outputPath': out}}, f'cat {key}; sleep 60',
           options=('--timeout', '500ms')).ok(124)
    record = json.loads(read('record.json'))
    eq(record['exitCode'], 124)
    check(record['totalDenials'] >= 1)


main()
