#!/usr/bin/env python3
# tap: seconds=900
"""`mxc learn`: what it never grants."""

import json
import os
import shutil
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403
from learning import *  # noqa: E402,F403


@test
def secrets_are_left_out():
    """Of a home, and of the directory that the command starts in."""
    here = project()
    secrets = ['home/.ssh/id_ed25519', 'home/.aws/credentials', 'home/.netrc',
               'home/.config/gcloud/x', 'home/.kube/config',
               'home/.docker/config.json', 'home/.mozilla/cookies', 'p/.env',
               'p/deep/er/.env.local', 'p/server.key', 'p/odd']
    for name in secrets:
        write(name, SECRET_TEXT)
    for name in ('p/server.key', 'p/odd'):
        write(name, f'-----BEGIN PRIVATE KEY-----\n{SECRET_TEXT}\n')
    write('p/plain', 'x')
    paths = [os.path.abspath(s) for s in secrets]
    r, report = learn('--out', '../p.json', '--json', '../report', '--',
                      'cat', 'plain', *paths, cwd='p')
    report = json.loads(read('report'))
    check(r.status != 0, r)
    policy = meant('p.json', 'p')
    for path in paths:
        if path.endswith('/odd'):
            continue  # in a granted directory only names are looked at
        got = under('p.json', 'cat', path, cwd='p')
        lacks(got.out, SECRET_TEXT, path)
        has(run(['cat', path]).ok().out, SECRET_TEXT)
        check(got.status != 0, f'{path}: {got} {policy}')
        check(any(path.startswith(what) for what in left_out(report)) or
              path.startswith(here), f'{path} is told of: {report}')
    for name in ('.env', 'deep/er/.env.local', 'server.key'):
        has(policy['filesystem']['deniedPaths'], f'{here}/{name}')
        has(left_out(report)[f'{here}/{name}']['remedy'], '--grant-secret ')


@test
def a_secret_is_granted_by_its_name():
    project()
    key = str(write('home/.ssh/config', 'Host x'))
    other = str(write('home/.ssh/id_rsa', 'x'))
    r, report = learn('--out', 'p.json', '--grant-secret', key, '--', 'cat',
                      key)
    eq((r.status, granted(report, 'read')), (0, [key]), r)
    check(under('p.json', 'cat', other).status != 0)


@test
def wide_directories_are_left_out():
    home = os.path.abspath('home')
    write('home/a', 'x')
    r, report = learn('--out', 'p.json', '--', 'ls', home, '/var')
    check(r.status != 0)
    eq(granted(report, 'read', 'write'), [])
    has(left_out(report)[home]['leftOut'], 'your home')


@test
def what_takes_a_whole_home_is_left_out():
    home = os.path.abspath('home')
    write('home/old', 'x')
    r, report = learn('--out', 'p.json', '--', 'sh', '-c',
                      f'echo y >> {home}/old')
    eq((r.status, granted(report, 'write')), (0, [f'{home}/old']), r)
    r, report = learn('--out', 'q.json', '--', 'sh', '-c',
                      f'echo x > {home}/.foorc')
    check(r.status != 0)
    eq(granted(report, 'write'), [])
    has(left_out(report)[f'{home}/.foorc']['leftOut'], 'a whole home')
    check(not os.path.exists('home/.foorc'))


@test
def a_link_s_name_is_not_judged_for_what_it_leads_to():
    """By its own name .git would be none, and nothing in it denied."""
    here = os.path.abspath('.')
    os.makedirs('repo/.git/hooks')
    write('repo/.git/hooks/x', 'x')
    os.symlink('repo/.git/hooks', 'plain')
    r, report = learn('--out', 'p.json', '--ro', f'{here}/plain', '--', 'sh',
                      '-c', f'echo y > {here}/plain/new')
    check(r.status != 0)
    eq(granted(report, 'write'), [])
    has(left_out(report)[f'{here}/plain']['leftOut'], 'the name of a link')
    eq(os.listdir('repo/.git/hooks'), ['x'])


@test
def what_others_execute_is_not_writable():
    write('home/.bashrc', 'x')
    write('set-up', 'git init -q repo && cd repo && echo 1 > f && '
          'git add f && git -c user.name=N -c user.email=e commit -qm one && '
          'git config user.name N && git config user.email e && echo 2 >> f')
    run(['sh', 'set-up']).ok()
    here = os.path.abspath('.')
    r, report = learn('--out', 'p.json', '--', 'git', '-C', f'{here}/repo',
                      'commit', '-qam', 'two')
    eq(r.status, 0, r)
    for code in (f'open("{here}/repo/.git/hooks/pre-commit", "w")',
                 f'open("{here}/repo/.git/config", "a")'):
        eq(under('p.json', *pyprobe(code)).refused, 'EROFS')
        check(run(pyprobe(code)).done)
    home = os.path.abspath('home')
    r, report = learn('--out', 'q.json', '--ro', f'{home}/.bashrc', '--',
                      'sh', '-c', f'echo x >> {home}/.bashrc')
    check(r.status != 0)
    eq(granted(report, 'write'), [])
    has(left_out(report)[f'{home}/.bashrc']['leftOut'], 'shell')


@test
def what_git_would_execute_is_not_writable():
    """Of a repository, whatever it is called, and of what is none yet."""
    write('set-up', 'for r in repo "repo/a sub"; do git init -q "$r"; done; '
          'git init -q --bare bare; mv bare odd; mkdir none; '
          'git init -q linked; mv linked/.git linked/x; '
          'ln -s x linked/.git; echo "gitdir: x" > none/f; '
          'mkdir half; cp odd/HEAD half; echo ../odd > half/commondir')
    run(['sh', 'set-up']).ok()
    here = os.path.abspath('.')
    r, report = learn('--out', 'p.json', '--', 'sh', '-c',
                      f'for d in repo odd none linked half; do cd {here}/$d && '
                      'echo x > new || exit 1; done')
    eq(r.status, 0, r)
    eq(granted(report, 'write'),
       [f'{here}/{d}' for d in ('half', 'linked', 'none', 'odd', 'repo')])
    wrong = []
    for path in ('repo/.git/commondir', 'repo/.git/config',
                 'repo/.git/config.worktree', 'repo/.git/hooks/x',
                 'repo/.git/worktrees', 'repo/a sub/.git/config',
                 'repo/a sub/.git/commondir', 'odd/config', 'odd/hooks/x',
                 'odd/commondir', 'odd/config.worktree', 'none/.git',
                 'none/.envrc', 'none/.vscode', 'none/.husky', 'none/.idea',
                 'none/.claude', 'none/.cursor', 'none/.mcp.json', 'none/HEAD',
                 'linked/x/config', 'linked/x/hooks/y', 'linked/x/commondir',
                 'half/commondir', 'half/config', 'half/config.worktree'):
        for how in (f'open({path!r}, "a").close()', f'os.mkdir({path!r})',
                    f'os.rename("{path.split("/")[0]}/new", {path!r})'):
            got = under('p.json', *pyprobe(f'import os; os.chdir({here!r}); '
                                           + how))
            if got.done or (got.refused == 'EEXIST') and (
                    not os.path.exists(path)):
                wrong.append((path, how, str(got)))
    eq(wrong, [])
    got = under('p.json', *pyprobe(
        f'import os; os.unlink("{here}/linked/.git")'))
    check(not got.done, got)
    got = under('p.json', *pyprobe(
        f'import os; os.rename("{here}/repo/.git", "{here}/repo/y")'))
    check(not got.done, got)
    under('p.json', 'sh', '-c', f'echo y > {here}/repo/.git/index.lock; '
          f'rm {here}/repo/.git/index.lock; git -C {here}/repo status').ok()


@test
def what_git_does_is_not_writable_by_its_own_name():
    """No directory is granted: the workload asks for the very file."""
    write('set-up', 'git init -q --bare bare; mv bare odd; '
          'echo x > odd/hooks/post-receive; git init -q linked; '
          'mv linked/.git linked/x; echo "gitdir: x" > linked/.git; '
          'git init -q --separate-git-dir apart work; '
          'git init -q near; git clone -q --bare odd near/sub')
    run(['sh', 'set-up']).ok()
    here = os.path.abspath('.')
    does, goes = 'git does what it says', 'git goes where it says'
    wrong = []
    for path, asked, why in (
            ('linked/.git', 'linked/.git', goes),
            ('work/.git', 'work/.git', goes),
            ('linked/x/config', 'linked/x/config', does),
            ('odd/config', 'odd/config', does),
            ('odd/hooks/post-receive', 'odd/hooks/post-receive', does),
            ('odd/hooks/new', 'odd/hooks', does),
            ('apart/config', 'apart/config', does),
            ('near/sub/hooks/new', 'near/sub/hooks', does),
            ('near/.git/config', 'near/.git/config', does)):
        before = os.path.exists(path) and read(path)
        code = f'open("{here}/{path}", "r+").write("x")' if before else (
            f'open("{here}/{path}", "w").write("x")')
        r, report = learn('--force', '--out', 'p.json', '--ro', here, '--',
                          *pyprobe(code))
        got = left_out(report).get(f'{here}/{asked}', {})
        if (granted(report, 'write') or got.get('leftOut') != why or
                not got['remedy'].startswith('--grant-secret ') or
                (os.path.exists(path) and read(path)) != before):
            wrong.append((path, granted(report, 'write'), left_out(report)))
        check(r.refused == 'EROFS', r)
    eq(wrong, [])
    r, report = learn('--force', '--out', 'p.json', '--ro', here,
                      '--grant-secret', f'{here}/odd/config', '--',
                      *pyprobe(f'open("{here}/odd/config", "r+")'))
    eq(granted(report, 'write'), [f'{here}/odd/config'], r)


@test
def what_lies_in_what_stays_for_reading_is_not_granted():
    """The directory is granted, and then is one of git's no more, until the
    workload makes it one again."""
    run(['git', 'init', '-q', '--bare', 'odd.git']).ok()
    os.rename('odd.git', 'odd')
    write('odd/hooks/post-receive', 'x')
    here = os.path.abspath('odd')
    r, report = learn('--out', 'p.json', '--ro', here, '--', 'sh', '-c',
                      f'cd {here} && mv HEAD H && echo y > '
                      'hooks/post-receive')
    check(r.status != 0, r)
    eq((granted(report, 'write'), os.path.exists('odd/HEAD')),
       ([here], False), r)
    eq(left_out(report)[f'{here}/hooks/post-receive']['leftOut'],
       'git does what it says')
    eq(read('odd/hooks/post-receive'), 'x')


# At the top of what becomes writable.
NOT_THERE = ('.git', '.envrc', '.vscode', '.husky', '.idea', '.claude',
             '.cursor', '.mcp.json', 'HEAD')
PIECES = {
    'HEAD': 'ref: refs/heads/x\n', 'objects/': None, 'refs/': None,
    'config': '[core]\n repositoryformatversion = 0\n bare = false\n '
              'worktree = .\n fsmonitor = ./x\n'
              '[extensions]\n worktreeConfig = true\n'}
# All of it in the directory, or most of it where another file says.
HERE = {**PIECES, 'x': '#!/bin/sh\necho >fired\n'}
ELSEWHERE = {'HEAD': PIECES['HEAD'], 'commondir': 'sub\n', 'sub/': None,
             **{f'sub/{n}': t for n, t in PIECES.items() if n != 'HEAD'},
             'x': HERE['x']}


def becomes_gits(here, pieces):
    """A probe that makes as much of a repository as it may, and says what it
    may not."""
    return pyprobe(f'import os; os.chdir({here!r})\n'
                   f'for name, text in {pieces!r}.items():\n'
                   '    for how in "straight", "renamed":\n'
                   '        at = name\n'
                   '        if how == "renamed":\n'
                   '            at = "new." + name.replace("/", ".")\n'
                   '        try:\n'
                   '            if text is None:\n'
                   '                os.makedirs(at, exist_ok=True)\n'
                   '            else:\n'
                   '                open(at, "w").write(text)\n'
                   '                os.chmod(at, 0o755)\n'
                   '            if at == name: break\n'
                   '            os.rename(at, name)\n'
                   '        except OSError as e:\n'
                   '            print("no", name, how, '
                   'errno.errorcode[e.errno])\n')


def fires(where):
    """Does git execute what was put there?"""
    run(['git', 'status'], cwd=where)
    return os.path.exists(f'{where}/fired')


@cases({name: (has, pieces, refused) for name, has, pieces, refused in (
    ('nothing', (), HERE, ('HEAD',)),
    ('nothing, and the rest elsewhere', (), ELSEWHERE, ('HEAD',)),
    ('a HEAD', ('HEAD',), HERE, ('objects/', 'refs/', 'config')),
    ('a HEAD, and the rest elsewhere', ('HEAD',), ELSEWHERE, ('commondir',)),
    ('all but refs', ('HEAD', 'objects/', 'config'), HERE, ('refs/',)),
    ('all but objects', ('HEAD', 'refs/', 'config'), HERE, ('objects/',)))})
def a_directory_does_not_become_one_of_gits(there, pieces, refused):
    """It is one where HEAD, objects and refs are in it, whatever its name; and
    git does what its config says, as soon as somebody asks for its status."""
    for name in ('p', 'control'):
        for piece in there:
            if piece.endswith('/'):
                os.makedirs(f'{name}/{piece}')
            else:
                write(f'{name}/{piece}', 'x\n')
        os.makedirs(name, exist_ok=True)
    here, control = os.path.abspath('p'), os.path.abspath('control')
    r, report = learn('--out', '../p.json', '--json', '../report', '--', 'sh',
                      '-c', 'echo x > out.txt', cwd='p')
    report = json.loads(read('report'))
    eq((r.status, granted(report, 'write')), (0, [here]), r)
    r = net.mxc('run', '--rw', control, '--', *becomes_gits(control, pieces))
    eq((r.done, 'no ' in r.out), (True, False), r)
    check(fires('control'), 'git executes it where nothing is denied')
    r = under('p.json', *becomes_gits(here, pieces), cwd='p')
    eq([line for line in r.out.splitlines() if line.startswith('no ')],
       [f'no {name} {how} EACCES' for name in pieces if name in refused
        for how in ('straight', 'renamed')], r)
    check(not fires('p'), os.listdir('p'))
    # The rest of it is no matter.
    check(read('p/x'))


@test
def a_command_that_makes_a_repository_of_its_directory():
    """It is told what that takes, and a repository below is nothing to it."""
    here = project()
    init = ('--json', '../report', '--', 'git', 'init', '-q', '--bare')
    r, _ = learn('--out', '../p.json', *init, '.', cwd='p')
    report = json.loads(read('report'))
    check(r.status != 0, r)
    got = left_out(report)[f'{here}/HEAD']
    eq((got['leftOut'], got['remedy']),
       ('git would take the directory for its own',
        f'--grant-secret {here}/HEAD'), report)
    shutil.rmtree('p')
    project()
    r, _ = learn('--out', '../q.json', *got['remedy'].split(), *init, '.',
                 cwd='p')
    eq((r.status, os.path.exists('p/HEAD')), (0, True), r)
    shutil.rmtree('p')
    project()
    r, _ = learn('--out', '../r.json', *init, 'sub.git', cwd='p')
    eq((r.status, os.path.exists('p/sub.git/HEAD')), (0, True), r)
    for policy, path in (('q.json', '.'), ('r.json', 'sub.git')):
        shutil.rmtree('p')
        project()
        under(policy, 'git', 'init', '-q', '--bare', path, cwd='p').ok()


@test
def what_becomes_a_directory_has_its_denials():
    """Four files of one, for which it stands: as if it were asked for."""
    files = [str(write(f'p/{n}', 'x')) for n in 'abcd']
    here = os.path.abspath('p')
    r, report = learn('--out', 'p.json', '--ro', here, '--', 'sh', '-c',
                      '; '.join(f'echo y > {f}' for f in files))
    eq((r.status, granted(report, 'write')), (0, [here]), r)
    eq(granted(report, 'deny'), [f'{here}/{n}' for n in sorted(NOT_THERE)])
    wrong = []
    for name in NOT_THERE:
        for code in (f'open("{here}/{name}", "w")',
                     f'os.mkdir("{here}/{name}")'):
            got = under('p.json', *pyprobe(f'import os; {code}'))
            if got.refused != 'EACCES':
                wrong.append((code, str(got)))
    eq(wrong, [])
    check(run(pyprobe(f'import os; os.mkdir("{here}/.husky")')).done)
    under('p.json', 'sh', '-c', f'echo z > {here}/e').ok()


@test
def programs_of_the_caller_are_not_writable():
    os.makedirs('tool/bin')
    here = os.path.abspath('.')
    write('home/.vim/x', 'x')
    r = net.mxc('learn', '--json', 'report', '--out', 'p.json', '--', 'sh',
                '-c', f'echo x > {here}/tool/bin/y; echo x > {here}/tool/z; '
                f'echo x > {here}/home/.vim/x; echo x > /usr/local/bin/z.tst',
                env={'HOME': f'{here}/home',
                     'PATH': f'{here}/tool/bin:' + os.environ['PATH']})
    report = json.loads(read('report'))
    check(r.status != 0, r)
    eq(granted(report, 'write'), [f'{here}/tool'])
    check(f'{here}/tool/bin' in granted(report, 'guard'), report)
    check(not os.path.exists('/usr/local/bin/z.tst'))
    got = under('p.json', *pyprobe(f'open("{here}/tool/bin/y", "w")'))
    eq(got.refused, 'EROFS', got)
    has(left_out(report)[f'{here}/home/.vim']['leftOut'], 'your programs')


@cases([(m[1], m) for m in (
    ['--mode', 'deny'], ['--mode', 'observe'],
    ['--mode', 'permissive', '--allow-everything-while-learning'])])
def what_the_caller_denies_stays_so(mode):
    here = project()
    no = str(write('p/no/x', SECRET_TEXT))
    also = str(write('home/no/x', SECRET_TEXT))
    write('p/yes', 'x')
    r, _ = learn(*mode, '--json', '../report', '--out', '../p.json', '--deny',
                 'no', '--deny', '../home/no', '--', 'sh', '-c',
                 f'cat yes; cat {no}; cat {also}', cwd='p')
    check(r.status != 0, r)
    lacks(r.out, SECRET_TEXT)
    policy = meant('p.json', 'p')['filesystem']
    eq([p for p in policy.get('readonlyPaths', []) if '/no' in p], [])
    for path in (no, also):
        check(under('p.json', 'cat', path, cwd='p').status != 0, path)
        check(run(['cat', path]).ok())
    if 'deny' in mode:
        return
    for denied in (here, os.path.dirname(here)):
        r, _ = learn(*mode, '--out', '../q.json', '--deny', denied, '--',
                     'cat', 'yes', cwd='p')
        r.failed(125, 'the policy denies')


@test
def what_cannot_be_looked_into_is_denied():
    """Its owner may open it later."""
    if os.getuid() == 0:
        return skip('root may look into everything')
    here = os.path.abspath('data')
    write('data/a', 'x')
    write('data/shut/.ssh/id_rsa', SECRET_TEXT)
    os.chmod('data/shut', 0)
    r, report = learn('--out', 'p.json', '--', 'ls', here)
    os.chmod('data/shut', 0o700)
    eq((r.status, granted(report, 'read'), granted(report, 'deny')),
       (0, [here], [f'{here}/shut']), r)
    check(under('p.json', 'cat', f'{here}/shut/.ssh/id_rsa').status != 0)
    os.chmod('data', 0o100)
    r, report = learn('--out', 'q.json', '--', 'sh', '-c',
                      f'chmod 700 {here}; ls {here}')
    os.chmod('data', 0o700)
    eq(granted(report, 'read', 'write'), [], report)


@cases([(a, a) for a in (PRIVATE[0], METADATA[0], LINK_LOCAL, '127.0.0.1')])
def an_address_that_is_not_public(address):
    r, report = learn('--out', 'p.json', '--', *pyprobe(connecting(address)))
    check(r.status != 0)
    eq(granted(report, 'net', 'host'), [])
    if address != '127.0.0.1':
        has(left_out(report), address)
    net.nothing_came(address)


@cases({f'{mode} {how} {to}': (['--mode', mode, *more], to, probe(to))
        for mode, *more in (('deny',), ('permissive',
                                        '--allow-everything-while-learning'))
        for to in (NIC, NIC6, LAN_NIC)
        for how, probe in (('tcp', connecting), ('udp', sending))})
def an_address_of_the_host_itself(mode, address, call):
    """Public or not: services are there that a firewall keeps from others."""
    call = pyprobe(call)
    check(net.host(*call).done, 'the service answers outside')
    net.fresh()
    r, report = learn(*mode, '--out', 'p.json', '--', *call)
    check(r.status != 0, r)
    eq(granted(report, 'net', 'host'), [], report)
    got = left_out(report)[address]
    eq((got['leftOut'], got['remedy']), ("this host's own address", None))
    has(got['message'], "an address of this host's own")
    lacks(read('p.json'), address)
    check(not under('p.json', *call).done)
    net.nothing_came(address)


@test
def names_that_do_harm():
    """A path is text of the workload's."""
    name = 'a\x1b[2J\u202e\n"'
    write(f'data/{name}', 'x')
    write("data/fine 'quoted' $(x)", 'x')
    here = os.path.abspath('data')
    code = ('import sys\nfor n in sys.argv[1:]:\n try: open(n)\n'
            ' except OSError as e: print(e)')
    r, report = learn('--out', 'p.json', '--', PYTHON, '-I', '-S', '-c', code,
                      f'{here}/{name}', f"{here}/fine 'quoted' $(x)")
    eq(r.status, 0, r)
    eq(granted(report, 'read'), [f"{here}/fine 'quoted' $(x)"])
    lacks(r.err, '\x1b')
    lacks(read('p.json'), '\\u001b')
    lacks(json.dumps(left_out(report)), '\\u001b')


def between_rounds(change):
    """Learn a command to which one file has been granted, which it is to read
    again with another; change(its path) comes between.  Status, what it wrote
    from then on, both paths, the report."""
    path, other = (str(write(f'd{n}/file', 'plain')) for n in '12')
    p = spawn([MXC, 'learn', '--out', 'p.json', '--json', 'report', '--', 'sh',
               '-c', f'if cat {path}; then echo; sleep 1; cat {other}; fi; '
               'false'])
    eq(p.stdout.readline(), b'plain\n')
    change(path)
    out, err = p.communicate(timeout=30)
    print(err.decode())
    return p.returncode, out.decode(), path, other, json.loads(read('report'))


@test
def a_link_that_comes_between_two_rounds_grants_nothing():
    """What was granted has become a link to a secret."""
    secret = str(write('home/.ssh/id_rsa', SECRET_TEXT))

    def swap(path):
        os.unlink(path)
        os.symlink(secret, path)
    _, out, path, _, report = between_rounds(swap)
    lacks(out, SECRET_TEXT)
    has(left_out(report)[path]['leftOut'], 'a link has come into its place')
    lacks(read('p.json'), path)
    lacks(read('p.json'), '.ssh/id_rsa')
    eq(run(['cat', path]).ok().out, SECRET_TEXT)
    check(under('p.json', 'cat', path).status != 0)


@test
def what_a_round_is_refused_for_is_left_out():
    """It was granted, and the user may not do it any more."""
    if IS_ROOT:
        skip('root may do it')
    status, out, path, other, report = between_rounds(
        lambda path: os.chmod(path, 0))
    eq((status, out), (1, ''))
    has(left_out(report)[path]['leftOut'], 'a run with it is refused')
    eq(granted(report, 'read'), [other])


@test
def what_the_user_may_not_do_is_left_out():
    """It does not end the learning of the rest."""
    if IS_ROOT:
        skip('root may do it')
    path = str(write('data/x', 'x'))
    shut = str(write('data/shut', 'x'))
    os.chmod(shut, 0)
    r, report = learn('--out', 'p.json', '--', 'sh', '-c',
                      f'cat {path}; cat {shut}; cat /etc/shadow; '
                      f'echo x >> /usr/bin/env; echo y > /var/lib/y; ls /root')
    os.chmod(shut, 0o600)
    check(r.status not in (0, 125), r)
    eq(granted(report, 'read', 'write'), [path])
    under('p.json', 'cat', path).ok()


@test
def what_a_passing_round_did_without_is_not_granted():
    r, report = learn('--out', 'p.json', '--', 'sh', '-c',
                      'cat /etc/login.defs || true')
    eq((r.status, report['rounds'], report['tried']), (0, 1, True), r)
    check(all(e['what'] != '/etc/login.defs' for e in report['granted']), report)
    has(left_out(report)['/etc/login.defs']['leftOut'], 'passed without it')


main()
