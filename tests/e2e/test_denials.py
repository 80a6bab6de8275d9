#!/usr/bin/env python3
"""`--denials`: what was refused of files, programs and system calls, why, and
what would allow it; that nothing else changes; and what is no denial."""

import json
import os
import shlex
import shutil
import signal
import socket
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from event_lines import hidden, read_events  # noqa: E402
from refusals import *  # noqa: E402,F403


# --- causes ----------------------------------------------------------------

def sockets(denials):
    return [d for d in denials if d['what'] == 'socket']


def dial(path):
    return ('import socket\n' + trying(
        f'socket.socket(socket.AF_UNIX).connect({str(path)!r})'))


@test
def a_socket_of_the_host_is_for_nobody():
    os.mkdir('d')
    there = os.path.abspath('d/s')
    with socket.socket(socket.AF_UNIX) as s:
        s.bind('d/s')
        s.listen()
        outside([PYTHON, '-c', f'import socket; socket.socket(socket.AF_UNIX)'
                 f'.connect({there!r})']).ok()
        for flags, errno, by in (([], 'ENOENT', 'mount namespace'),
                                 (['--ro', 'd'], 'EACCES', 'broker'),
                                 (['--rw', 'd'], 'EACCES', 'broker')):
            d = one(told(dial(there), *flags), there)
            eq((d['what'], d['operation'], d['call'], d['errno'], d['reason'],
                d['mechanism'], d['allowable']),
               ('socket', 'connect', 'connect', errno, 'never', by, False))
            lacks(d, 'hint')
            has(d['message'], f'connecting to {there} (')
            has(d['message'], 'a socket of the host')
    eq(sockets(told(dial('/nowhere/s'))), [], 'it is nowhere')


@test
def a_socket_of_its_own_is_no_refusal():
    os.mkdir('d')
    eq(sockets(told('''
import socket
for path in '/tmp/s', 'd/s', '\\0abstract':
    s, c = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen()
    c.connect(path)
    s.accept()[0].send(b'x')
    assert c.recv(1) == b'x'
''', '--rw', 'd', '--cwd', '.')), [])


@test
def what_is_not_granted_is_there_outside():
    key = write('secret/key', 'x')
    d = one(told(trying(f'open({str(key)!r})')), key)
    eq((d['what'], d['operation'], d['errno'], d['reason'], d['call']),
       ('file', 'read', 'ENOENT', 'not_granted', 'openat'))
    eq(d['clause'], f'filesystem.readonlyPaths += "{key}"')
    eq(d['hint'], f'--ro {key}')
    eq((d['allowable'], d['count']), (True, 1))
    check(d['pid'] > 1)
    check(d['process'].startswith('python3'))
    has(d['message'], f'reading {key} (')
    eq(about(told(trying(f'open({str(key)!r})'), '--ro', key), key), [])


@test
def what_is_granted_for_reading():
    os.makedirs('d')
    write('d/f', 'x')
    here = os.path.abspath('d')
    denials = told(trying(f'open("{here}/f", "a")', f'open("{here}/n", "w")',
                          f'os.mkdir("{here}/sub")', f'os.unlink("{here}/f")',
                          f'os.rename("{here}/f", "{here}/g")',
                          f'os.chmod("{here}/f", 0o600)',
                          f'open("{here}/f")'), '--ro', 'd')
    eq({(d['operation'], os.path.basename(d['resolved'])) for d in denials
        if d['resolved'].startswith(here)},
       {('write', 'f'), ('create', 'n'), ('create', 'sub'), ('delete', 'f')} |
       {('create', 'g')})
    for d in denials:
        if d['resolved'].startswith(here):
            eq((d['reason'], d['errno'], d['rule']),
               ('read_only', 'EROFS', 'filesystem.readonlyPaths'))
            eq(d['clause'], f'filesystem.readwritePaths += "{here}/f"'
               if d['operation'] == 'write' else
               f'filesystem.readonlyPaths -= "{here}", '
               f'filesystem.readwritePaths += "{here}"')


@test
def what_is_denied():
    write('d/key', 'x')
    here = os.path.abspath('d')
    denials = told(trying(f'open("{here}/key")', f'open("{here}/new", "w")'),
                   '--rw', 'd', '--deny', 'd/key', '--deny', 'd/new')
    for name in ('key', 'new'):
        d = one(denials, f'd/{name}')
        eq((d['reason'], d['errno'], d['rule']),
           ('denied', 'EACCES', 'filesystem.deniedPaths'))
        eq(d['clause'], f'filesystem.deniedPaths -= "{here}/{name}"')


@test
def a_program_that_is_not_granted():
    tool = write('bin/tool', '#!/bin/sh\n', mode=0o755)
    d = one(told(trying(f'os.execv({str(tool)!r}, ["tool"])')), tool)
    eq((d['what'], d['operation'], d['reason']), ('exec', 'exec',
                                                  'not_granted'))


@test
def an_execve_like_init_s_own_is_told():
    """With what stands in its sixth register in a plan (src/sys/watched.h)."""
    tool = write('bin/tool', '#!/bin/sh\n', mode=0o755)
    d = one(told(f"""
import ctypes, platform
ctypes.CDLL(None).syscall({{'x86_64': 59, 'aarch64': 221}}[platform.machine()],
                          {os.fsencode(tool)!r}, None, None, 0, 0,
                          ctypes.c_long(0x6d78632d6f776e21))
"""), tool)
    eq((d['what'], d['operation'], d['reason']), ('exec', 'exec',
                                                  'not_granted'))


@test
def a_home_that_is_private():
    home = os.path.abspath('home')
    write('home/.netrc', 'x')
    r = mxc('run', '--denials', '--json', 'r', '--', 'cat',
            '/home/user/.netrc', env={'HOME': home}).ok(1)
    d = one(json.loads(read('r'))['denials'], '/home/user/.netrc')
    eq(d['reason'], 'private_home', f'{r}')
    eq(d['hint'], f'--ro {home}/.netrc --env HOME={home}')


@test
def a_whole_home_is_no_remedy_for_one_file():
    """Who may write to a home writes what its owner executes."""
    os.makedirs('real/d')
    os.symlink('real', 'link')
    write('real/old', 'x')
    real = os.path.abspath('real')
    for home in 'real', 'link':
        home = os.path.abspath(home)
        for options, reason in (([], 'not_granted'),
                                (['--ro', real], 'read_only')):
            mxc('run', '--denials', '--json', 'r', *options, '--env',
                f'HOME={real}', '--', 'sh', '-c',
                'echo x > ~/.foorc; mkdir ~/new; chmod 755 ~; echo x > '
                '~/d/new; echo x > ~/old', env={'HOME': home})
            denials = json.loads(read('r'))['denials']
            for name in '.foorc', 'new':
                d = one(denials, f'{real}/{name}')
                eq((d['operation'], d['reason'], d['allowable']),
                   ('create', reason, False), d)
                check('hint' not in d and 'clause' not in d, d)
                has(d['message'], 'only a grant of a whole home would allow it')
            eq([d for d in about(denials, real) if d['allowable'] and
                d['operation'] != 'read'], [], denials)
            eq(one(denials, f'{real}/old')['hint'], f'--rw {real}/old')
            has(one(denials, f'{real}/d/new')['hint'], f'--rw {real}/d')
    eq(sorted(os.listdir('real')), ['d', 'old'])


@test
def a_system_call():
    denials = told('import ctypes\n'
                   'ctypes.CDLL(None).syscall(101, 0, 0, 0, 0)\n'
                   'ctypes.CDLL(None).syscall(165, 0, 0, 0, 0)')
    calls = {d['call']: d for d in denials if d['what'] == 'syscall'}
    eq(set(calls), {'ptrace', 'mount'})
    for d in calls.values():
        eq((d['reason'], d['mechanism'], d['errno'], d['allowable']),
           ('filter', 'seccomp', 'EPERM', False))
        check('clause' not in d)


@test
def a_socket_of_a_family_that_is_not_there():
    denials = told(trying('__import__("socket").socket(40, 1)'))
    eq([d['call'] for d in denials if d['what'] == 'syscall'], ['socket'])


@test
def the_network_too_where_there_is_none():
    denials = told('import socket\n'
                   'try: socket.getaddrinfo("example.test", 80)\n'
                   'except OSError: pass\n' +
                   trying('socket.create_connection(("192.0.2.9", 80))'))
    hints = {d.get('hint') for d in denials}
    check({'--allow-host example.test', '--allow-net 192.0.2.9:80'} <= hints,
          hints)


# --- how it is told --------------------------------------------------------

@test
def it_is_told_once_and_counted():
    key = write('secret/key', 'x')
    os.makedirs('work')
    code = trying(f'[os.path.exists({str(key)!r}) for _ in range(1000)]')
    denials = told(code, '--events', 'ev')
    eq(one(denials, key)['count'], 1000)
    eq(len([e for e in read_events(read('ev')) if e['event'] == 'denied' and
            e.get('resolved') == str(key)]), 1)
    eq(json.loads(read('r'))['denialCount'], sum(d['count'] for d in denials))
    eq(read_events(read('ev'))[-1]['denials'],
       json.loads(read('r'))['denialCount'])


@test
def relative_names_are_resolved():
    write('a/b/key', 'x')
    os.makedirs('a/c')
    denials = told(
        trying('open("../b/key")', 'os.stat("key", dir_fd=os.open('
               f'{os.path.abspath("a/c")!r}, os.O_RDONLY))'),
        '--ro', 'a/c', '--cwd', os.path.abspath('a/c'))
    d = one(denials, 'a/b/key')
    eq(d['path'], '../b/key')


@test
def what_is_above_a_link_is_above_what_it_leads_to():
    """As the kernel goes: the text alone says another file, which may be
    there, granted, or neither."""
    write('data/shared/conf', 'x')
    write('data/shared/other', 'x')
    write('decoy/shared/other', 'x')
    os.makedirs('data/v2')
    os.makedirs('p')
    os.makedirs('decoy/in')
    here = os.path.abspath('.')
    os.symlink(f'{here}/data/v2', 'p/cur')
    os.symlink(f'{here}/data/v2', 'decoy/in/cur')
    run(['cat', 'p/cur/../shared/conf']).ok()
    denials = told(
        trying(f'open("{here}/p/cur/../shared/conf")',
               'open("cur/.././/../data/shared/conf")',
               f'open("{here}/decoy/in/cur/../shared/other")',
               f'open("{here}/p/../p/cur/../../p/cur/..//v2/new", "w")'),
        '--ro', 'p', '--ro', 'data/v2', '--ro', 'decoy/in', '--cwd',
        f'{here}/p')
    d = one(denials, 'data/shared/conf')
    eq((d['path'], d['operation'], d['errno'], d['reason'], d['hint'],
        d['clause'], d['count']),
       (f'{here}/p/cur/../shared/conf', 'read', 'ENOENT', 'not_granted',
        f'--ro {here}/data/shared/conf',
        f'filesystem.readonlyPaths += "{here}/data/shared/conf"', 2))
    eq(one(denials, 'data/shared/other')['hint'],
       f'--ro {here}/data/shared/other')
    eq(one(denials, 'data/v2/new')['hint'],
       f'--rw {here}/data/v2 instead of --ro')
    eq([d for d in denials if 'decoy' in d['resolved'] or
        d['resolved'].startswith(f'{here}/p')], [])


@test
def a_way_that_ends_before_it_goes_up():
    """What is missing there is what is refused, and not what is behind it."""
    write('data/v2/x', 'x')
    write('data/file', 'x')
    write('shut/x', 'x')
    os.makedirs('p')
    here = os.path.abspath('.')
    os.symlink(f'{here}/data/v2', 'p/cur')
    attempts = trying(f'open("{here}/p/cur/../file")',
                      f'open("{here}/data/v2/../../p/new", "w")',
                      f'open("{here}/data/none/../file")',
                      f'open("{here}/p/none/../none")',
                      f'open("{here}/shut/../data/file")')
    denials = told(attempts, '--ro', 'p', '--deny', 'shut')
    d = one(denials, 'data/v2')
    eq((d['path'], d['operation'], d['reason'], d['hint'], d['count']),
       (f'{here}/p/cur/../file', 'read', 'not_granted',
        f'--ro {here}/data/v2', 2))
    eq(one(denials, 'shut')['hint'], f'leave out --deny {here}/shut')
    eq(sorted(d['resolved'] for d in denials
              if d['resolved'].startswith(here)),
       [f'{here}/data/v2', f'{here}/shut'])
    denials = told(attempts, '--ro', 'p', '--ro', 'data/v2')
    eq(one(denials, 'data/file')['hint'], f'--ro {here}/data/file')
    eq(one(denials, 'p/new')['reason'], 'read_only')


@test
def a_way_that_is_another_for_everybody_is_not_told():
    """By a link to /proc/self, which would be the broker's: it is counted."""
    write('p/key', 'x')
    write('data/key', 'x')
    here = os.path.abspath('.')
    os.makedirs('data/cwd')
    os.symlink('/proc/self/cwd', 'p/link')
    denials = told(trying(f'open("{here}/p/link/../key")'), '--ro', 'p',
                   '--ro', 'data/cwd', '--cwd', f'{here}/data/cwd')
    eq([d for d in denials if d['resolved'].startswith(here)], [])
    check(json.loads(read('r')).get('denialsLost', 0) > 0)


@cases({'by a link': 'open("w/l")',
        'by a link on its way': 'open("w/dir/x")',
        'made by one': 'open("w/dir/new", "w")',
        'root': 'open(f"/proc/self/root{here}/secret/x")',
        'cwd': 'os.stat("/proc/self/cwd/secret/x")',
        'another text of it': 'os.stat("/proc//self/cwd/secret/x")',
        'of a descriptor': 'os.stat(f"/dev/fd/{d}/secret/x")'})
def what_is_refused_behind_a_link_of_proc_is_counted(call):
    key = write('secret/x', 'x')
    os.makedirs('w')
    here = os.path.abspath('.')
    denials = told(f'import os\nhere = {here!r}\n'
                   'os.symlink(f"/proc/self/root{here}/secret/x", "w/l")\n'
                   'os.symlink(f"/proc/self/root{here}/secret", "w/dir")\n'
                   'd = os.open(".", os.O_PATH)\n' + trying(call),
                   '--rw', 'w', '--cwd', here, '--events', 'ev')
    eq(about(denials, key), [])
    result = json.loads(read('r'))
    check(result.get('denialsLost', 0) > 0, result)
    eq([e['reason'] for e in read_events(read('ev')) if e['event'] == 'gap'],
       ['broker'])


@test
def a_name_that_is_cut_says_so():
    key = str(write('secret/key', 'x'))
    start = os.path.dirname(key)
    fits = start + '/.' * 400
    fits = fits[:255 - len('/key') - (255 - len('/key') - len(start)) % 2]
    deep = 'd/' + '/'.join(['\u00e9' * 100] * 6)
    os.makedirs(deep)
    os.makedirs('w')
    write(f'else{deep}/x', 'x')
    os.symlink(os.path.abspath(f'else{deep}/x'), 'w/link')
    for name in ('x', 'xx', 'xxx'):
        write(f'{deep}/{name}', '')
    here = os.path.abspath('.')
    long = [f'{start}{"/." * 200}/key', f'{here}/{deep}/x',
            f'{here}/{deep}/xx', f'{here}/{deep}/xxx']
    denials = told(trying(f'open({fits + "/key"!r})',
                          f'open({long[0]!r}, "w")',
                          *[f'open({n!r}, "w")' for n in long[1:]],
                          f'open("{here}/w/link")'),
                   '--ro', 'd', '--rw', 'w')
    eq([d['path'] for d in denials if d['path'] == fits + '/key'],
       [fits + '/key'])
    d = [d for d in denials if d['operation'] == 'create' or
         d['path'].startswith(start) and d['path'] != fits + '/key']
    eq([(len(x['path']), x['path'][-3:], x['path'][:252] == long[0][:252],
         x['resolved']) for x in d], [(255, '...', True, key)])
    cut = [d for d in denials if d['path'].startswith(f'{here}/d/')]
    eq(len(cut), 1, denials)
    for name, most in (('path', 255), ('resolved', 1023)):
        text = cut[0][name]
        eq((len(text.encode()), text[-3:]), (most, '...'))
        check(long[1].startswith(text.rstrip('.')), text)
    cut += [d for d in denials if d['path'] == f'{here}/w/link']
    eq([d['resolved'][-3:] for d in cut], ['...', '...'])
    eq([d['allowable'] for d in cut], [False, False])


@test
def people_read_it_too():
    key = write('secret/key', 'x')
    r = mxc('run', '--denials', '--', 'cat', key).ok(1)
    has(r.err, 'mxc: the policy refused:\n')
    has(r.err, f'reading {key} (cat) was refused: ')
    has(r.err, f'to allow it: --ro {key}')
    lacks(mxc('run', '--', 'cat', key).ok(1).err, 'refused')


@test
def hostile_names_are_harmless():
    name = 'a\x1b[2J\u202e\n"'
    here = os.path.abspath('.')
    write(f'secret/{name}', 'x')
    r = mxc('run', '--denials', '--events', 'ev', '--', PYTHON, '-I', '-S',
            '-c', trying(f'open({here!r} + "/secret/" + {name!r})')).ok()
    eq(hidden(r.err.replace('\n', '')), [])
    denied = [e for e in read_events(read('ev')) if e['event'] == 'denied' and
              'secret' in e.get('resolved', '')]
    eq(len(denied), 1)
    has(denied[0]['resolved'], 'a\\x1b[2J\\u{202e}\\n"')


@test
def a_hint_is_one_word_of_a_shell():
    """What a person pastes grants what it names, and nothing else."""
    here = os.path.abspath('secret')
    names = ['" --rw x; y', "it's", 'a b$(z)']
    for name in names:
        write(f'secret/{name}', 'x')
    os.makedirs(b'secret/\xff')
    denials = told(trying(*[f'open({here!r} + "/" + {n!r})' for n in names],
                          f'open({here!r}.encode() + b"/\\xff")'))
    for name in names:
        path = f'{here}/{name}'
        d = [d for d in denials if shlex.split(d.get('hint', '')) ==
             ['--ro', path]]
        eq(len(d), 1, f'{name} in {denials}')
        before = 'filesystem.readonlyPaths += '
        check(d[0]['clause'].startswith(before))
        eq(json.loads(d[0]['clause'][len(before):]), path)
    cut = [d for d in denials if 'hint' not in d and 'xff' in d['resolved']]
    eq([d['allowable'] for d in cut], [False], denials)


@test
def there_is_a_bound():
    for n in range(100):
        write(f'secret/{n}', 'x')
    here = os.path.abspath('secret')
    denials = told(trying(f'[os.path.exists("{here}/%d" % n) for n in '
                          'range(100)]'))
    eq(len(denials), 64)
    result = json.loads(read('r'))
    lost = result.get('denialsLost', 0)
    check(result['denialsNotListed'] + lost >= 36, result)
    check(result['denialCount'] + lost >= 100, result)


# --- how many --------------------------------------------------------------

def counted():
    """How often something was refused, and how much of it has a name."""
    result = json.loads(read('r'))
    named = sum(d['count'] for d in result.get('denials', []))
    eq(result['denialCount'], named + result.get('denialsNotListed', 0))
    return result['denialCount'], named


def all_counted():
    """With what nobody knows whether it was refused."""
    return counted()[0] + json.loads(read('r')).get('denialsLost', 0)


def refusing(options, code, **more):
    """Run Python that does `code` with t(n), which is refused each time."""
    return spawn([MXC, 'run', '--denials', '--json', 'r', '--events', 'ev',
                  '--ro', 'ro', '--rw', 'rw', '--cwd', os.getcwd(), *options,
                  '--', PYTHON, '-I', '-S', '-c', '''
import os, time
def t(n):
    try: os.mkdir(f'ro/{n}')
    except OSError: pass
''' + code], **more)


def usual():
    """What Python alone is refused, before it begins."""
    os.makedirs('ro')
    os.makedirs('rw')
    eq(refusing([], '').wait(), 0)
    return counted()[0]


def nearly(got, want):
    """What is a number alone may be of things that are nowhere."""
    check(want <= got < want + 20, f'{got}, want {want}')


def until(path, process):
    for _ in range(600):
        if os.path.exists(path):
            return
        check(process.poll() is None, f'it ended before {path}')
        time.sleep(0.05)
    fail(f'{path} never came')


@test
def more_than_init_tells_apart():
    """Its table is full, is told, and begins anew."""
    before = usual()
    eq(refusing([], '''
for n in range(9000): t(n)
for n in range(9000): t(n)
''').wait(), 0)
    nearly(all_counted() - before, 18000)


@test
def what_is_not_listed_is_counted_each_time():
    before = usual()
    eq(refusing([], 'for i in range(100):\n for n in range(100): t(n)')
       .wait(), 0)
    total, named = counted()
    eq(total - before, 10000)
    check(named < total, (named, total))


@test
def what_is_no_refusal_is_never_counted():
    """It is known by its key alone when it comes again."""
    before = usual()
    eq(refusing([], '''
for i in range(50):
    for n in range(100): os.path.exists(f'/nowhere/{n}')
''').wait(), 0)
    eq(counted()[0], before)


@test
def what_is_lost_is_not_said_to_be_refused():
    """More at once than the supervisor hears: most is nowhere."""
    before = usual()
    eq(refusing([], '''
for n in range(5000): os.path.exists(f'/nowhere/{n}')
''').wait(), 0)
    eq(counted()[0], before)
    lost = json.loads(read('r')).get('denialsLost', 0)
    gaps = [e for e in read_events(read('ev')) if e['event'] == 'gap']
    eq(sum(e['count'] for e in gaps), lost)
    eq({e['reason'] for e in gaps}, {'broker'} if lost else set())


@test
def a_supervisor_that_does_not_listen():
    """There is no room to tell: it is told later, or as a number."""
    before = usual()
    p = refusing([], '''
open('rw/up', 'w')
while not os.path.exists('rw/go'): time.sleep(0.02)
for n in range(3000): t(n)
for n in range(3000): t(n)
open('rw/done', 'w')
while not os.path.exists('rw/end'): time.sleep(0.02)
''')
    until('rw/up', p)
    os.kill(p.pid, signal.SIGSTOP)
    write('rw/go', '')
    until('rw/done', p)
    os.kill(p.pid, signal.SIGCONT)
    write('rw/end', '')
    eq(p.wait(), 0)
    nearly(all_counted() - before, 6000)
    check(json.loads(read('r'))['denialsLost'] > 0)
    gaps = [e for e in read_events(read('ev')) if e['event'] == 'gap']
    eq({e['reason'] for e in gaps}, {'broker'}, gaps)


@cases({'timeout': (['--timeout', '1500ms'], 124), 'kill': ([], 137),
        'limit': (['--limit', 'silence=1500ms'], 123)})
def the_end_that_comes_from_outside(options, status):
    """What waits in the socket is read when it is over."""
    before = usual()
    reader, writer = os.pipe()
    p = refusing(options or ['--control', str(reader)], '''
print(flush=True)
open('rw/up', 'w')
while not os.path.exists('rw/go'): time.sleep(0.02)
for n in range(80): t(n)
open('rw/done', 'w')
time.sleep(60)
''', pass_fds=[reader])
    os.close(reader)
    until('rw/up', p)
    os.kill(p.pid, signal.SIGSTOP)
    write('rw/go', '')
    until('rw/done', p)
    time.sleep(2)
    if not options:
        os.write(writer, b'kill\n')
    os.kill(p.pid, signal.SIGCONT)
    eq(p.wait(), status)
    os.close(writer)
    eq(counted()[0] - before, 80)


@cases({'quiet': 'time.sleep(60)', 'busy': 'while True: '
        'os.path.exists("rw"); time.sleep(0.02)'})
def what_happened_before_an_end_from_outside(rest):
    """It is told when it happens for the 512th time, and then in time."""
    usual()
    key = write('secret/key', 'x')
    code = f'for _ in range(1000): os.path.exists({str(key)!r})\n{rest}'
    eq(refusing(['--timeout', '4s'], code).wait(), 124)
    d = one(json.loads(read('r'))['denials'], key)
    eq(d['count'], 1000)


# --- what nobody looks at --------------------------------------------------

# Slowly, so that few are lost before anybody looks.
MANY_LOOKS = '''
import os, time
def miss(top, many):
    for n in range(many):
        os.path.exists(f'{top}/no-{n}')
        time.sleep(0.0005)
    time.sleep(0.5)
'''


@test
def a_name_that_is_nowhere_costs_little():
    key = write('secret/key', 'x')
    denials = told(MANY_LOOKS + 'miss("/usr/lib", 1000)\n' +
                   trying(f'open({str(key)!r})'))
    eq(one(denials, key)['reason'], 'not_granted')


@test
def where_nobody_looks_any_more_nothing_is_suggested():
    """What a grant of a name would give is not known: it may be a link.  Each
    look is one of more than a hundred components."""
    write('secret/before', 'x')
    key = write('secret/after', 'x')
    here = os.path.abspath('.')
    deep = f'{here}/w/' + '/'.join(['d'] * 100)
    os.makedirs(deep)
    os.makedirs('shown')
    denials = told(
        trying(f'open("{here}/secret/before")') + MANY_LOOKS +
        f'miss({deep!r}, 4000)\n' +
        trying(f'os.symlink("{here}/shown", "{here}/w/cache")',
               f'open("{here}/w/cache/new", "w")',
               *[f'open({str(key)!r})'] * 3),
        '--rw', 'w', '--ro', 'shown', '--events', 'ev')
    eq(one(denials, 'secret/before')['allowable'], True)
    d = one(denials, 'w/cache/new')
    eq((d['errno'], d['reason'], d['allowable']),
       ('EROFS', 'read_only', False))
    check('hint' not in d and 'clause' not in d, d)
    eq(about(denials, key), [])
    result = json.loads(read('r'))
    check(result['denialsLost'] >= 3, result)
    gaps = [e for e in read_events(read('ev')) if e['event'] == 'gap']
    eq({e['reason'] for e in gaps}, {'broker'})
    eq(sum(e['count'] for e in gaps), result['denialsLost'])
    r = mxc('run', '--denials', '--rw', 'w', '--', PYTHON, '-I', '-S', '-c',
            MANY_LOOKS + f'miss({deep!r}, 4000)').ok()
    has(r.err, 'it is not known whether the policy refused them')


@test
def what_cannot_be_seen_is_not_suggested():
    """So deep that nobody looks."""
    deep = os.path.abspath('w') + '/d' * 130
    os.makedirs(deep)
    os.makedirs('shown')
    shown = os.path.abspath('shown')
    denials = told(trying(f'os.symlink({shown!r}, "{deep}/cache")',
                          f'open("{deep}/cache/new", "w")'),
                   '--rw', 'w', '--ro', 'shown')
    d = one(denials, f'{deep}/cache/new')
    eq((d['errno'], d['reason'], d['allowable']),
       ('EROFS', 'read_only', False))
    check('hint' not in d and 'clause' not in d, d)
    lacks(json.loads(read('r')), 'denialsLost')


# --- what is none ----------------------------------------------------------

@test
def what_is_nowhere_is_no_denial():
    here = os.path.abspath('.')
    os.makedirs('d')
    denials = told(trying(f'open("{here}/nope")', f'open("{here}/d/nope")',
                          f'os.mkdir("{here}/x/y")', 'open("/proc/self/nope")',
                          f'os.mkdir("{here}/d")', f'open("{here}/d/new","w")',
                          f'os.listdir("{here}/d")'), '--rw', 'd')
    eq([d for d in denials if d['resolved'].startswith(here + '/')], [])


@test
def a_mode_is_changed_without_leave_to_write():
    os.makedirs('d')
    write('d/own', 'x', mode=0o400)
    write('shown/file', 'x')
    here = os.path.abspath('.')
    denials = told(trying(f'os.chmod("{here}/d/own", 0o444)',
                          f'os.chmod("{here}/shown/file", 0o600)'),
                   '--rw', 'd', '--ro', 'shown')
    eq(about(denials, 'd/own'), [])
    eq(one(denials, 'shown/file')['errno'], 'EROFS')


@test
def a_directory_is_entered_by_leave_to_search():
    os.makedirs('d/closed', mode=0o600)
    here = os.path.abspath('.')
    denials = told(trying(f'os.chdir("{here}/d/closed")'), '--rw', 'd')
    d = one(denials, 'd/closed')
    eq((d['operation'], d['errno'], d['reason']), ('read', 'EACCES', 'host'))


@test
def the_host_is_looked_at_and_not_touched():
    """Names, links and pipes that the workload has chosen."""
    os.makedirs('d')
    os.makedirs('secret')
    os.mkfifo('secret/pipe')
    write('secret/file', 'x')
    before = os.stat('secret/file').st_atime_ns
    here = os.path.abspath('.')
    denials = told(
        trying(f'os.symlink("{here}/secret/pipe", "{here}/d/link")',
               f'os.symlink("loop", "{here}/d/loop")',
               f'open("{here}/d/link")', f'open("{here}/d/loop")',
               f'open("{here}/secret/pipe")', f'open("{here}/secret/file")'),
        '--rw', 'd')
    eq(os.stat('secret/file').st_atime_ns, before)
    eq({d['reason'] for d in about(denials, 'secret/pipe')}, {'not_granted'})


UNANSWERED = """
import ctypes, os, sys
fd = os.open('/dev/fuse', os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = f'fd={fd},rootmode=40000,user_id=0,group_id=0'.encode()
if libc.mount(b'nobody', sys.argv[1].encode(), b'fuse', 0, options) < 0:
    raise OSError(ctypes.get_errno(), 'mount')
os.set_inheritable(fd, True)
os.execv(sys.argv[2], sys.argv[2:])
"""


@test
def a_file_system_that_does_not_answer_is_not_asked():
    if not IS_ROOT or not os.path.exists('/dev/fuse'):
        skip('mounting takes root, and /dev/fuse')
    os.makedirs('mount')
    place = os.path.abspath('mount')
    r = run(['unshare', '-m', PYTHON, '-c', UNANSWERED, place, MXC, 'run',
            '--denials', '--json', 'r', '--timeout', '2s', '--', 'sh', '-c',
            f'cat {place}/x; sleep 20'], timeout=15)
    eq(r.status, 124, r)
    result = json.loads(read('r'))
    eq(result['outcome'], 'timed_out', result)
    eq([d for d in result.get('denials', []) if 'mount' in
        d.get('resolved', '')], [])


@test
def a_link_is_told_by_what_it_leads_to():
    """It may be the workload's: a grant of its name would give the target."""
    write('other/file', 'x')
    write('shown/file', 'x')
    os.makedirs('d')
    here = os.path.abspath('.')
    denials = told(trying(f'os.symlink("../other/file", "{here}/d/l")',
                          f'os.symlink("{here}/shown", "{here}/d/s")',
                          f'open("{here}/d/l")',
                          f'open("{here}/d/s/file", "a")',
                          f'open("{here}/d/s/new", "w")'),
                   '--rw', 'd', '--ro', 'shown')
    d = one(denials, 'other/file')
    eq((d['reason'], d['hint']), ('not_granted', f'--ro {here}/other/file'))
    eq(d['path'], f'{here}/d/l')
    d = one(denials, 'shown/file')
    eq((d['reason'], d['hint']), ('read_only', f'--rw {here}/shown/file'))
    d = one(denials, 'shown/new')
    eq((d['reason'], d['hint']),
       ('read_only', f'--rw {here}/shown instead of --ro'))


def follow(d, options):
    """The options, with what the hint says in the place of what they say."""
    option, path, *more = shlex.split(d['hint'])
    if option == 'leave':
        at = options.index(path := more[-1])
        return options[:at - 1] + options[at + 1:]
    if more:
        eq(more, ['instead', 'of', '--ro'])
        at = options.index(path)
        eq(options[at - 1], '--ro')
        options = options[:at - 1] + options[at + 1:]
    return options + [option, path]


@cases({'made': ('touch {p}/new', 'p', 'new', '--rw {p} instead of --ro'),
        'written': ('echo y >> {p}/f', 'p', 'f', '--rw {p}/f'),
        'made in it': ('touch {p}/sub/new', 'p', 'sub/new', '--rw {p}/sub'),
        'by a link of it': ('echo y >> {p}/in', 'p', 'f', '--rw {p}/f'),
        'by a link to it': ('touch {p}/lsub/new', 'p', 'sub/new',
                            '--rw {p}/sub')})
def what_is_granted_by_a_link(command, place, resolved, hint):
    """It stands at the link's own name, as the clause says."""
    write('disk/p/f', 'x')
    write('disk/p/sub/f', 'x')
    os.symlink('f', 'disk/p/in')
    os.symlink('sub', 'disk/p/lsub')
    os.symlink(os.path.abspath('disk/p'), 'p')
    here = os.path.abspath('.')
    place = f'{here}/{place}'
    command, hint = command.format(p=place), hint.format(p=place)
    options = ['--ro', place]
    r = mxc('run', '--denials', '--json', 'r', *options, '--', 'sh', '-c',
            command)
    check(r.status != 0, r)
    d = one(json.loads(read('r'))['denials'], f'{place}/{resolved}')
    eq((d['reason'], d['rule'], d['errno'], d['hint']),
       ('read_only', 'filesystem.readonlyPaths', 'EROFS', hint))
    has(d['message'], 'the policy grants it for reading')
    eq(d['clause'], f'filesystem.readonlyPaths -= "{place}", '
       f'filesystem.readwritePaths += "{place}"' if hint.endswith('--ro') else
       f'filesystem.readwritePaths += "{hint[5:]}"')
    mxc('run', *follow(d, options), '--', 'sh', '-c', command).ok()


@test
def a_clause_that_names_a_link_is_told_as_it_stands():
    """Where the object stands by a name that nobody wrote."""
    write('data/x/f', 'x')
    write('data/file', 'x')
    here = os.path.abspath('.')
    os.symlink(f'{here}/data/x', 'link')
    os.symlink(f'{here}/data/file', 'flink')
    os.symlink(f'{here}/data/later', 'llink')
    write('keys/.ssh/id', 'x')
    os.symlink(f'{here}/keys/.ssh', 'innocent')
    for access, link, command, resolved, errno in (
            ('deny', 'link', 'cat data/x/f', 'data/x/f', 'EACCES'),
            ('deny', 'link', 'ls data/x', 'data/x', 'EACCES'),
            ('deny', 'flink', 'cat data/file', 'data/file', 'EACCES'),
            ('deny', 'llink', 'touch data/later', 'data/later', 'EACCES'),
            ('ro', 'link', 'touch data/x/new', 'data/x/new', 'EROFS')):
        options = ['--rw', f'{here}/data', f'--{access}', f'{here}/{link}']
        r = mxc('run', '--denials', '--json', 'r', '--cwd', here, *options,
                '--', 'sh', '-c', command)
        check(r.status != 0, r)
        d = one(json.loads(read('r'))['denials'], resolved)
        eq(d['errno'], errno, d)
        named = f'{here}/{link}'
        eq((d['hint'], d['clause']),
           (f'leave out --deny {named}',
            f'filesystem.deniedPaths -= "{named}"') if access == 'deny' else
           (f'--rw {named} instead of --ro',
            f'filesystem.readonlyPaths -= "{named}", '
            f'filesystem.readwritePaths += "{named}"'), d)
        mxc('run', '--cwd', here, *follow(d, options), '--', 'sh', '-c',
            command).ok()
        for name in 'data/later', 'data/x/new':
            if os.path.exists(name):
                os.unlink(name)
    # A secret stays one by another name.
    mxc('run', '--denials', '--json', 'r', '--ro', 'keys', '--deny',
        f'{here}/innocent', '--', 'ls', f'{here}/keys/.ssh')
    d = one(json.loads(read('r'))['denials'], 'keys/.ssh')
    eq((d['hint'], d.get('secret')), (f'leave out --deny {here}/innocent',
                                      True))


@test
def a_link_and_its_target_are_one_refusal():
    write('other/file', 'x')
    os.makedirs('d')
    here = os.path.abspath('.')
    link, file = f'{here}/d/l', f'{here}/other/file'
    denials = told(trying(f'os.symlink({file!r}, {link!r})',
                          f'open({link!r})', f'open({file!r})',
                          f'open("{here}/d/../other/file")',
                          f'[os.path.exists({link!r}) for _ in range(5)]'),
                   '--rw', 'd', '--events', 'ev')
    d = one(denials, 'other/file')
    eq((d['path'], d['count']), (link, 8))
    eq([e['path'] for e in read_events(read('ev')) if e['event'] == 'denied' and
        e['resolved'] == file], [link])


@cases({'a key': '.ssh/id_x', 'a token': '.aws/credentials', 'env': 'p/.env',
        'env of a kind': 'p/.env.local', 'kube': '.kube/config',
        'gcloud': '.config/gcloud/x', 'docker': '.docker/config.json'})
def a_secret_is_named_as_one(name):
    key = write(f'home/{name}', 'x')
    denials = told(trying(f'open({str(key)!r})'), '--events', 'ev')
    d = one(denials, key)
    eq(d['secret'], True)
    has(d['message'], 'careful: what would allow it shows what may be a secret')
    eq([e['secret'] for e in read_events(read('ev'))
        if e.get('resolved') == str(key)], [True])


@test
def a_home_of_somebody_else_is_named_as_a_secret():
    if not IS_ROOT:
        skip('making a home takes root')
    home = f'/home/mxc-test-{os.getpid()}'
    os.makedirs(f'{home}/p')
    try:
        for path in home, f'{home}/p':
            r = mxc('run', '--denials', '--json', 'r', '--', 'ls', path)
            d = one(json.loads(read('r'))['denials'], path)
            eq((d['hint'], d.get('secret')), (f'--ro {path}', True), r)
        mxc('run', '--denials', '--json', 'r', '--', 'ls', f'{home}/p',
            env={'HOME': home})
        d = one(json.loads(read('r'))['denials'], f'{home}/p')
        check('secret' not in d, d)
    finally:
        shutil.rmtree(home)


@test
def what_is_none_is_not():
    for name in ('p/.env.example', 'p/environment', 'p/ssh', 'p/x'):
        key = write(name, 'x')
        d = one(told(trying(f'open({str(key)!r})')), key)
        check('secret' not in d, d)
        lacks(d['message'], 'careful')


@test
def nothing_else_changes():
    """The same errno, with and without."""
    key = write('secret/key', 'x')
    os.makedirs('d')
    code = trying(
        f'open({str(key)!r})', 'open("/usr/lib/x", "w")', 'os.mkdir("/x/y")',
        'open("/proc/1/mem")', 'os.chroot("/")', 'os.execv("/nope", ["x"])',
        'os.stat("")', 'os.rename("/a", "/b")', 'open("d/f", "w")',
        'os.symlink("f", "d/l")', 'os.unlink("d/l")', 'os.setuid(4294967)',
        '__import__("socket").socket(40, 1)', 'os.open("d/f", os.O_TMPFILE)')
    plain = mxc('run', '--rw', 'd', '--cwd', os.getcwd() + '/d', '--', PYTHON,
                '-I', '-S', '-c', code).ok()
    os.unlink('d/f') if os.path.exists('d/f') else None
    told_of = mxc('run', '--denials', '--json', 'r', '--rw', 'd', '--cwd',
                  os.getcwd() + '/d', '--', PYTHON, '-I', '-S', '-c',
                  code).ok()
    eq(told_of.out, plain.out)


@test
def it_is_refused_where_it_cannot_be():
    r = mxc('check', '--json', 'r', '--backend', 'gvisor', '--', 'true')
    options = ('--denials', '--backend', 'gvisor', '--', 'true')
    r = mxc('run', *options).ok(125)
    has(r.err, 'a report of what was refused')
    has(mxc('check', '--denials').ok(2).err, "unknown option '--denials'")


main()
