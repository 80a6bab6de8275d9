#!/usr/bin/env python3
"""mxc why and mxc test: decided, tried, and told.  tap: seconds=600"""

import json
import os
import signal
import socket
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from sessions import *  # noqa: E402,F403


def ask(*args, status=None):
    """(exit status, the answers)"""
    r, w = os.pipe()
    with os.fdopen(r) as out:
        done = mxc('why', '--json', str(w), *args, pass_fds=(w,))
        os.close(w)
        said = json.load(out)
    if status is not None:
        eq(done.status, status, str(done))
    eq(os.listdir(root()) if os.path.exists(root()) else [], [],
       'no session is left')
    return said['answers']


def one(*args, status):
    return ask(*args, status=status)[0]


def view():
    write('w/in', 'x')
    write('w/deny/secret', 'x')
    write('w/.env', 'x')
    write('r/in', 'x')
    write('r/tool', '#!/bin/sh\n')
    os.chmod('r/tool', 0o755)
    write('other', 'x')
    os.symlink('../other', 'w/out')
    os.symlink('in', 'w/alias')
    os.symlink('.env', 'w/secret-link')
    os.symlink('later', 'w/later-link')
    os.symlink('../other-new', 'w/out-new')
    os.symlink('fresh', 'w/fresh-link')
    os.symlink('../w/fresh', 'r/to-w')
    os.mkfifo('w/fifo')
    write('w/sub/in', 'x')
    os.chmod('w/sub', 0o755)
    return ['--rw', 'w', '--ro', 'r', '--deny', 'w/deny', '--deny', 'w/.env',
            '--deny', 'w/later']


# What is asked, what comes of it, the clause, and what a program is told.
TABLE = [
    ('read', 'w/in', True, '--rw', None),
    ('write', 'w/in', True, '--rw', None),
    ('write', 'w/new', True, '--rw', None),
    ('write', 'w', True, '--rw', None),
    ('read', 'w/alias', True, '--rw', None),
    ('read', 'w/nothing', False, '--rw', 'ENOENT'),
    ('read', 'w/.env', False, '--deny', 'EACCES'),
    ('write', 'w/.env', False, '--deny', 'EACCES'),
    ('read', 'w/deny/secret', False, '--deny', 'EACCES'),
    ('read', 'w/deny', False, '--deny', 'EACCES'),
    ('write', 'w/later', False, '--deny', 'EACCES'),
    ('read', 'w/later', False, '--deny', 'ENOENT'),
    ('read', 'r/in', True, '--ro', None),
    ('write', 'r/in', False, '--ro', 'EROFS'),
    ('write', 'r/new', False, '--ro', 'EROFS'),
    ('exec', 'r/tool', True, '--ro', None),
    ('exec', 'r/in', False, '--ro', 'EACCES'),
    ('exec', 'r', False, '--ro', 'EACCES'),
    ('read', 'w/out', False, 'default', 'ENOENT'),
    # Links, to what is there and to what would be made.
    ('write', 'w/secret-link', False, '--deny', 'EACCES'),
    ('write', 'w/later-link', False, '--deny', 'EACCES'),
    ('write', 'w/fresh-link', True, '--rw', None),
    ('write', 'r/to-w', True, '--rw', None),
    ('write', 'w/nodir/x', False, '--rw', 'ENOENT'),
    # Nobody at the other end notices.
    ('read', 'w/fifo', True, '--rw', None),
    ('write', 'w/fifo', True, '--rw', None),
    # Above what is granted.
    ('read', '.', True, 'base', None),
    ('read', 'other', False, 'default', 'ENOENT'),
    ('exec', '/bin/sh', True, 'base', None),
    ('read', '/usr/bin/env', True, 'base', None),
    ('write', '/usr/bin/env', False, 'base',
     'EACCES' if os.getuid() else 'EROFS'),
    ('write', '/tmp/x', True, 'base', None),
    ('read', '/tmp', True, 'base', None),
    ('read', '/etc/passwd', True, 'base', None),
    ('read', '/root/.ssh', False, 'default', 'ENOENT'),
    ('read', '/etc/shadow', False, 'default', 'ENOENT'),
]


@test
def paths():
    flags = view()
    asked = [a for kind, path, *_ in TABLE for a in (f'--{kind}', path)]
    answers = ask(*flags, *asked, status=1)
    for (kind, path, allowed, clause, error), got in zip(TABLE, answers):
        what = f'{kind} {path}: {got}'
        eq(got[kind], os.path.normpath(os.path.join(os.getcwd(), path)), what)
        eq((got['allowed'], got['clause'], got.get('errno')),
           (allowed, clause, error), what)
        eq(got['tried'], error or '0', what)
        eq(got['agrees'], True, what)
    eq(sorted(os.listdir('w')),
       ['.env', 'alias', 'deny', 'fifo', 'fresh-link', 'in', 'later-link', 'out',
        'out-new', 'secret-link', 'sub'])
    # A link to a place that nobody granted leads to a private one, or nowhere.
    eq(one(*flags, '--write', 'w/out-new', status=0)['where'],
       os.path.dirname(os.path.abspath('w')))
    # The same without a sandbox.
    for (kind, path, allowed, *_), got in zip(
            TABLE, ask(*flags, '--no-try', *asked, status=1)):
        eq((got['allowed'], got['tried']), (allowed, None), f'{kind} {path}')


@test
def a_writer_at_a_fifo_waits_on():
    view()
    p = spawn(['sh', '-c', 'echo hi >w/fifo'])
    one('--rw', 'w', '--read', 'w/fifo', status=0)
    eq(p.poll(), None)
    eq(read('w/fifo'), 'hi\n')
    p.wait()


@test(only='root')
def root_has_no_capability_inside():
    write('w/theirs', 'x')
    os.chmod('w/theirs', 0o600)
    os.chown('w/theirs', 1000, 1000)
    for more in ([], ['--no-try']):
        eq(one('--rw', 'w', *more, '--read', 'w/theirs', status=1)['decision'],
           'refused')


@test
def what_no_clause_is_about_is_open():
    for path in ('/proc/self/status', '/dev/null'):
        got = one('--no-try', '--read', path, status=125)
        eq((got['allowed'], got['decision'], got['tried']),
           (None, 'open', None))
        eq(one('--read', path, status=0)['allowed'], True)
    file = tests({'read': '/proc/self/status', 'expect': 'deny'},
                 {'read': '/proc/self/status', 'expect': 'allow'})
    has(mxc('test', '--no-try', file).out, '0 passed, 2 failed')
    has(mxc('test', file).out, '1 passed, 1 failed')


@test
def a_session_with_a_layer():
    with Session('--layer', 'system') as s:
        def here(*args, status):
            done = mxc('why', '--session', s.id, '--json', '1', *args)
            eq(done.status, status, str(done))
            return json.loads(done.out)['answers'][0]
        eq(here('--read', '/usr/bin/env', status=0)['decision'], 'allowed')
        eq(here('--exec', '/usr/bin/env', status=0)['agrees'], True)
        eq(here('--write', '/usr/bin/new', status=0)['decision'], 'open')
        here('--write', '/usr/bin/new', '--no-try', status=125)


@test
def interrupted():
    for number in (signal.SIGTERM, signal.SIGINT):
        # Nobody answers for a name with the network of nobody.
        p = spawn([MXC, 'why', '--allow-net', '192.0.2.0/24',
                   *sum((['--connect', '192.0.2.1:80'] for _ in range(20)), [])])
        eventually(lambda: os.path.exists(root()) and os.listdir(root()))
        p.send_signal(number)
        p.wait()
        eq(p.returncode in (125, 1, -number), True, p.returncode)
        eq(os.listdir(root()), [], 'nothing is left')


@test
def what_is_suggested_helps():
    flags = view()
    for kind, path in (('read', 'other'), ('write', 'r/in'), ('exec', 'other')):
        os.chmod('other', 0o755)
        got = one(*flags, f'--{kind}', path, status=1)
        option, what = got['remedy'].split(' ', 1)
        eq(one(*flags, option, what, f'--{kind}', path, status=0)['allowed'],
           True, f'{kind} {path}')
    got = one(*flags, '--read', 'w/.env', status=1)
    has(got['remedy'], "w/.env' out of --deny")
    # What is not there cannot be granted; its directory can.
    write('r/d/x', 'x')
    got = one(*flags, '--write', 'r/d/new', status=1)
    eq(got['remedy'], '--rw ' + os.path.abspath('r/d'))
    one(*flags, *got['remedy'].split(' ', 1), '--write', 'r/d/new', status=0)
    eq(one('--read', '/nowhere/at/all', status=1)['remedy'], None)
    eq(one('--write', 'r/no/new', status=1)['remedy'], None)
    # As it would be typed.
    write("a b;'c", 'x')
    has(one('--read', "a b;'c", status=1)['remedy'], "a b;'\\''c'")
    flags = [f for f in flags if f != 'w/.env' or flags.remove('--deny')]
    one('--rw', 'w', '--read', 'w/.env', status=0)


@test
def what_is_suggested_is_named_as_the_clause_has_it():
    """By a link, whose target nobody wrote."""
    write('data/x/f', 'x')
    here = os.path.abspath('.')
    os.symlink('data/x', 'link')
    os.symlink(f'{here}/data/later', 'llink')
    for name, what in ('link', 'data/x/f'), ('llink', 'data/later'):
        got = one('--rw', 'data', '--deny', name, '--write', what, status=1)
        eq(got['remedy'], f"take '{here}/{name}' out of --deny")
    # Of two grants of one path the one for reading wins.
    for options in (['--ro', 'link'], ['--rw', 'data', '--ro', 'link']):
        at = 'link' if len(options) == 2 else 'data/x'
        for what in f'{at}/new', at:
            got = one(*options, '--write', what, status=1)
            eq(got['remedy'], f'--rw {here}/link instead of --ro')
            one(*options[:-2], '--rw', 'link', '--write', what, status=0)
    got = one('--ro', 'link', '--write', 'link/f', status=1)
    eq(got['remedy'], f'--rw {here}/link/f')
    one('--ro', 'link', '--rw', 'link/f', '--write', 'link/f', status=0)
    # A secret stays one.
    write('keys/.ssh/id', 'x')
    os.symlink('keys/.ssh', 'innocent')
    eq(one('--ro', 'innocent', '--write', 'innocent/new',
           status=1).get('secret'), True)


@test
def a_home_is_never_suggested_for_writing():
    os.makedirs('home/d')
    os.symlink('home', 'link')
    real = os.path.abspath('home')
    for home in real, os.path.abspath('link'):
        os.environ['HOME'] = home
        for options in [], ['--ro', real]:
            for path in ('.foorc', 'a/b/c', '.'):
                got = one('--no-try', *options, '--write', f'{real}/{path}',
                          status=1)
                eq((got['decision'], got['remedy']), ('refused', None), got)
            got = one('--no-try', *options, '--write', f'{real}/d/new',
                      status=1)
            eq(got['remedy'], f'--rw {real}/d')
    eq(one('--no-try', '--read', real, status=1)['remedy'], f'--ro {real}')


@test
def a_remedy_that_shows_a_secret_says_so():
    key = str(write('home/.ssh/id_x', 'x'))
    write('w/.env', 'x')
    write('other', 'x')
    for options in (['--read', key], ['--rw', 'w', '--deny', 'w/.env', '--read',
                                      'w/.env']):
        got = one('--no-try', *options, status=1)
        check(got['remedy'] and got['secret'] is True, got)
        has(mxc('why', *options).out, 'careful   that shows what may be a secret')
    got = one('--no-try', '--read', 'other', status=1)
    check(got['remedy'])
    lacks(got, 'secret')
    lacks(mxc('why', '--read', 'other').out, 'careful')


@test
def a_policy_file_names_its_clauses():
    view()
    here = os.getcwd()
    policy = write('p.json', json.dumps(
        {'version': '1.1.0+c1', 'process': {'commandLine': 'false'},
         'filesystem': {'readonlyPaths': [f'{here}/r'],
                        'deniedPaths': [f'{here}/w/.env'],
                        'readwritePaths': [f'{here}/w']}}))
    got = ask('--read', 'r/in', '--write', 'w/in', '--read', 'w/.env', policy,
              status=1)
    eq([a['clause'] for a in got],
       ['filesystem.readonlyPaths[0]', 'filesystem.readwritePaths[0]',
        'filesystem.deniedPaths[0]'])


def listening():
    s = socket.socket()
    s.bind(('127.0.0.1', 0))
    s.listen(5)
    return s, s.getsockname()[1]


@test
def connections():
    table = [
        ([], 'example.com:443', 'network.egress.default'),
        ([], '192.0.2.1:80', 'network.egress.default'),
        ([], '[2001:db8::1]:80', 'network.egress.default'),
        (['--allow-host', 'example.com'], 'example.org:443',
         'network.egress.default'),
        (['--allow-net', 'internet', '--deny-net', '203.0.113.0/24'],
         '203.0.113.7:80', '--deny-net (1st)'),
        (['--allow-net', 'internet'], '169.254.169.254:80',
         '--allow-net (1st)'),
    ]
    for flags, peer, clause in table:
        got = one(*flags, '--connect', peer, status=1)
        eq((got['allowed'], got['decision'], got['agrees']),
           (False, 'refused', True), f'{got}')
        eq(got['clause'] in (clause, 'network.egress.default'), True, f'{got}')
        if not flags:
            has(got['remedy'], peer.rsplit(':', 1)[0])
    got = one('--allow-host', 'example.com', '--no-try', '--connect',
              'example.com:443', status=0)
    eq(got['clause'], '--allow-host (1st)')
    # The sandbox's own loopback is nobody's clause.
    s, port = listening()
    with s:
        got = one('--connect', f'127.0.0.1:{port}', status=1)
        eq((got['decision'], got['tried']), ('open', 'ECONNREFUSED'))
        got = one('--host-service', str(port), '--connect', f'127.0.0.1:{port}',
                  status=0)
        eq((got['decision'], got['tried']), ('open', '0'))


@test
def a_session():
    view()
    with Session('--deny', 'w/.env', rw='w') as s:
        def here(*args, status):
            done = mxc('why', '--session', s.id, '--json', '1', *args)
            eq(done.status, status, str(done))
            return json.loads(done.out)['answers'][0]
        eq(here('--write', 'w/in', status=0)['agrees'], True)
        eq(here('--read', 'w/.env', status=1)['tried'], 'EACCES')
        # What a command left in its private places is there.
        s.sh('echo x >/tmp/left').ok()
        got = here('--read', '/tmp/left', status=0)
        eq((got['allowed'], got['tried'], got['decision'], got['agrees']),
           (True, '0', 'open', True))
        s.do('stop').ok()
        mxc('why', '--session', s.id, '--read', '/tmp').failed(125,
                                                               'not started')
        here('--read', 'w/in', '--no-try', status=0)
    mxc('why', '--session', FOREIGN, '--read', '/tmp').failed(125, 'no session')


@test
def a_session_names_its_clauses():
    """Those that it was provisioned with, by options and by a request."""
    view()
    write('q/in', 'x')
    here = os.getcwd()
    policy = write('p.json', json.dumps(
        {'version': '1.1.0+c1',
         'filesystem': {'readonlyPaths': [f'{here}/r'],
                        'readwritePaths': [f'{here}/w'],
                        'deniedPaths': [f'{here}/w/.env', f'{here}/w/later']},
         'network': {'egress': {'allow': [
             {'to': [{'host': 'example.com'}]}]}}}))
    asked = [('read', 'r/in', 'filesystem.readonlyPaths[0]'),
             ('write', 'r/in', 'filesystem.readonlyPaths[0]'),
             ('write', 'w/in', 'filesystem.readwritePaths[0]'),
             ('read', 'w/.env', 'filesystem.deniedPaths[0]'),
             ('write', 'w/later', 'filesystem.deniedPaths[1]'),
             ('read', 'q/in', '--ro'), ('read', '/root/.ssh', 'default'),
             ('read', '/usr/bin/env', 'base'), ('read', '/tmp', 'base'),
             ('connect', 'example.org:80', 'network.egress.default')]
    words = [a for kind, path, _ in asked for a in (f'--{kind}', path)]
    with Session('--policy', policy, '--ro', 'q') as s:
        for more in ([], ['--no-try']):
            r = mxc('why', '--session', s.id, '--json', '1', *more, *words)
            got = json.loads(r.out)['answers']
            eq([a['clause'] for a in got], [c for *_, c in asked], r)
            check(all(a.get('agrees', True) for a in got), got)
        eq(got[3]['remedy'],
           f"take '{here}/w/.env' out of filesystem.deniedPaths[0]")
        # One that an older mxc made still answers.
        os.unlink(os.path.join(s.dir, 'clauses'))
        got = json.loads(mxc('why', '--session', s.id, '--json', '1',
                             *words).out)['answers']
        eq(got[0]['clause'], "the session's policy")
        write(os.path.join(s.dir, 'clauses'), 'g\0x')
        mxc('why', '--session', s.id, *words).failed(
            125, "'clauses' cannot be understood")


@test
def told_to_people():
    view()
    r = mxc('why', '--ro', 'r', '--write', 'r/in')
    eq(r.status, 1)
    for text in ('refused  write ', 'clause    --ro', 'tried     open: EROFS',
                 'try       --rw '):
        has(r.out, text)
    eq(mxc('why', '--ro', 'r', '--read', 'r/in').ok().out.split()[0], 'allowed')


@test
def wrong_questions():
    mxc('why').failed(2, 'no question')
    mxc('why', '--read').failed(2, 'needs a value')
    mxc('why', '--read', '').failed(125, 'an empty question')
    mxc('why', '--connect', 'nobody').failed(125, 'no HOST:PORT')
    mxc('why', '--connect', 'a b:1').failed(125, 'no HOST:PORT')
    mxc('why', '--connect', 'example.com:0').failed(125, 'no HOST:PORT')
    mxc('why', '--connect', 'example.com:65536').failed(125, 'no HOST:PORT')
    mxc('why', '--ro', '/nowhere/at/all', '--read', '/x').failed(
        125, 'does not exist')
    for option in (['--ro', '.'], ['--tools'], ['--env', 'A=B'],
                   ['--timeout', '3'], ['--host-service', '80']):
        mxc('why', '--session', FOREIGN, *option, '--read', '/x').failed(
            2, 'has its policy already')
    for peer in ('127.1:80', '0x7f000001:80', '2130706433:80'):
        mxc('why', '--connect', peer).failed(125, 'no HOST:PORT')


@test
def many_at_once():
    view()
    running = [spawn([MXC, 'why', '--rw', 'w', '--write', 'w/new'])
               for _ in range(6)]
    for p in running:
        p.communicate()
        eq(p.returncode, 0)
    eq(os.listdir(root()), [])
    lacks(os.listdir('w'), 'new')


@test
def killed_half_way():
    p = spawn([MXC, 'why', *sum((['--read', '/usr/bin/env'] for _ in
                                 range(3000)), [])])
    # Whole, and not just begun.
    eventually(lambda: os.path.exists(root()) and
               [n for n in os.listdir(root())
                if os.path.exists(os.path.join(root(), n, 'session')) and
                not n.startswith('.')])
    p.send_signal(signal.SIGKILL)
    p.wait()
    # It ends by itself, being idle; what is left then is gc's.
    for name in os.listdir(root()):
        ident, facts = ident_of(name), os.path.join(root(), name, 'session')
        mxc('stop', ident, '--grace', '0')
        eq(mxc('gc').ok().out, '', 'its maker may be about to start it')
        said = json.loads(read(facts))
        write(facts, json.dumps({**said, 'created': said['created'] - 61000}))
        eq(mxc('gc').ok().out, ident + '\n')
    eq(os.listdir(root()), [])
    # Others stay.
    with Session(start=False) as s:
        facts = os.path.join(s.dir, 'session')
        said = json.loads(read(facts))
        write(facts, json.dumps({**said, 'created': said['created'] - 61000}))
        eq(mxc('gc').ok().out, '')


# --- mxc test ----------------------------------------------------------------

def tests(*rows, name='tests.json'):
    return write(name, json.dumps({'version': 1, 'tests': list(rows)}))


@test
def a_policy_is_tested():
    flags = view()
    file = tests({'read': 'w/in', 'expect': 'allow'},
                 {'read': 'w/.env', 'expect': 'deny', 'name': 'secrets'},
                 {'connect': 'example.com:443', 'expect': 'deny'},
                 {'exec': '/bin/sh', 'expect': 'allow'},
                 {'write': 'r/in', 'expect': 'deny'})
    r = mxc('test', *flags, file).ok()
    has(r.out, '5 passed, 0 failed')
    has(r.out, '# secrets')
    # It can fail, each way.
    file = tests({'read': 'w/in', 'expect': 'deny'},
                 {'read': 'w/.env', 'expect': 'allow'},
                 {'read': 'r/in', 'expect': 'allow'})
    r = mxc('test', *flags, file)
    eq(r.status, 1)
    has(r.out, '1 passed, 2 failed')
    has(r.out, 'it is allowed')
    has(r.out, 'it is refused: the policy denies it (--deny; tried: EACCES)')
    said = json.loads(mxc('test', *flags, '--json', '1', file).out)
    eq((said['passed'], said['failed']), (1, 2))
    eq([t['holds'] for t in said['tests']], [False, False, True])


@test
def with_a_policy_file():
    view()
    policy = write('p.json', json.dumps(
        {'version': '1.0.0', 'process': {'commandLine': 'make'},
         'filesystem': {'readonlyPaths': [os.path.abspath('r')]}}))
    file = tests({'read': 'r/in', 'expect': 'allow'},
                 {'write': 'r/in', 'expect': 'deny'})
    mxc('test', policy, file).ok()
    mxc('test', '--policy', policy, file).ok()
    eq(mxc('test', '--rw', 'r/in', policy, file).status, 1, 'more is granted')
    has(mxc('test', '--no-try', policy, file).ok().out, '2 passed')


@test
def wrong_tests():
    wrong = [
        ('{}', '"version" must be 1'),
        ('[]', '"version" must be 1'),
        ('{"version":2,"tests":[]}', '"version" must be 1'),
        ('{"version":1,"tests":[]}', 'a list, and not empty'),
        ('{"version":1,"tests":[1]}', 'a test is an object'),
        ('{"version":1,"tests":[{"expect":"deny"}]}', 'without a question'),
        ('{"version":1,"tests":[{"read":"/x"}]}', 'without "expect"'),
        ('{"version":1,"tests":[{"read":"/x","expect":"maybe"}]}',
         '"allow" or "deny"'),
        ('{"version":1,"tests":[{"read":"/x","write":"/x","expect":"deny"}]}',
         'a second question'),
        ('{"version":1,"tests":[{"raed":"/x","expect":"deny"}]}',
         'unknown member of a test'),
        ('{"version":1,"tests":[{"read":1,"expect":"deny"}]}', 'is a text'),
        ('{"version":1,"more":1,"tests":[{"read":"/x","expect":"deny"}]}',
         'unknown member'),
        ('{"version":1,', 'line 1'),
    ]
    for text, says in wrong:
        r = mxc('test', write('t.json', text)).failed(125, '')
        has(r.out + r.err, says, text)
    mxc('test').failed(2, 'no file of tests')
    mxc('test', 'a', 'b', 'c').failed(2, 'too many files')
    mxc('test', 'nowhere.json').failed(125, 'cannot read the tests')


main()
