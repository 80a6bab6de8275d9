#!/usr/bin/env python3
"""Attacks by what a session keeps: on the host when it starts again and when
it is removed, on grants and masks, and on other sessions."""

import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from sessions import *  # noqa: E402,F403


def probe(s, code, **kw):
    return s.exec(*pyprobe(code), **kw)


def refused_with(r, *names):
    if r.done or r.refused not in names:
        fail(f'want refused {" or ".join(names)}: {r}')


def kept(*flags, layer='private', **kw):
    done, said = answer('provision', '--layer', layer, *grants(**kw), *flags)
    if done.status and said['error']['code'] == 'backend_unavailable':
        skip(said['error']['message'])
    s = Session.__new__(Session)
    s.id = said['result']['sandboxId']
    s.do('start').ok()
    return s


WAYS = {
    # what stands where the way to a mount point was, {where} and {to}
    'a link': 'os.rename({where!r}, "/tmp/old"); os.symlink({to!r}, {where!r})',
    'a link in between': 'os.rename({where!r}, "/tmp/old"); '
                         'os.mkdir({where!r}); '
                         'os.symlink({to!r}, {where!r} + "/x")',
    'a file': 'os.rename({where!r}, "/tmp/old"); '
              'open({where!r}, "w").close()',
}


@cases(WAYS)
def the_way_to_a_mount_point(code):
    """Mount points of grants below /tmp are made in what was kept."""
    here = os.getcwd()
    check(here.startswith('/tmp/') or here.startswith('/var/tmp/'),
          'this test needs its directory below /tmp')
    os.makedirs('x/y/w')
    write('x/y/file', 'host')
    os.mkdir('canary')
    canary = os.path.abspath('canary')
    # The control: a path that leads through such a link makes something there.
    os.symlink(canary, 'link')
    os.makedirs('link/x')
    check(os.path.isdir('canary/x'), 'the control')
    os.rmdir('canary/x')
    with kept(rw='x/y/w', ro='x/y/file') as s:
        # The first component of the test's own directory, inside.
        top = '/'.join(here.split('/')[:here.split('/').index('tmp') + 2])
        r = probe(s, code.format(where=top, to=canary))
        check(r.done, f'the control: {r}')
        s.do('stop', '--grace', '0').ok()
        said = refused('backend_error', 'start', s.id)
        has(said['message'], 'cannot set up')
        has(said['remediation'], "the session's layer")
        eq(os.listdir('canary'), [], 'made on the host')
        eq(sorted(os.listdir('x/y')), ['file', 'w'])
        # Nothing worse than that: it can be removed.
        s.do('deprovision').ok()
        eq(os.listdir(root()), [])
        eq(os.listdir('canary'), [])
        eq(read('x/y/file'), 'host')


@test
def the_names_of_its_own_places():
    with kept() as s:
        for place in ('/tmp', '/usr/local', '/opt'):
            check(probe(s, f'os.mkdir({place!r} + "/a"); '
                        f'os.rename({place!r} + "/a", {place!r} + "/b")').done,
                  'the control')
            refused_with(probe(s, f'os.rename({place!r}, "/x")'), 'EBUSY')
            refused_with(probe(s, f'os.rmdir({place!r})'), 'EBUSY', 'ENOTEMPTY')


@test
def another_sessions_files():
    with kept() as victim:
        victim.sh('echo secret >/tmp/f; echo secret >~/f').ok()
        path = os.path.join(victim.dir, 'layer/tmp/f')
        eq(read(path), 'secret\n')    # the control
        for flags in (dict(rw=os.environ['XDG_RUNTIME_DIR']), dict(rw='.')):
            with Session(**flags) as s:
                refused_with(probe(s, f'print(open({path!r}).read())'),
                             'EACCES')
                refused_with(probe(s, f'open({victim.dir!r} + "/layer/tmp/new",'
                                      ' "w")'), 'EACCES')
        # Nor its own, by another way than it has.
        with kept(rw='.') as s:
            s.sh('>/tmp/f').ok()
            refused_with(probe(s, f'os.listdir({s.dir!r} + "/layer")'),
                         'EACCES')


@test
def programs_with_a_set_user_id():
    """They are of no use inside, and nobody else can come to them."""
    with kept() as s:
        s.sh('cp /usr/bin/id /tmp/id && chmod 755 /tmp/id').ok()
        path = os.path.join(s.dir, 'layer/tmp/id')
        refused_with(probe(s, 'os.chmod("/tmp/id", 0o6755)'), 'EPERM')
        os.chmod(path, 0o6755)    # as if it could
        for where in (root(), s.dir, os.path.join(s.dir, 'layer')):
            eq(os.stat(where).st_mode & 0o77, 0, where)
        if IS_ROOT:
            other = ['setpriv', '--reuid=61234', '--regid=61234',
                     '--clear-groups', 'sh', '-c']
            run([*other, 'id -u']).ok()
            run([*other, path]).failed(126, 'ermission denied')
        refused_with(probe(s, 'os.mknod("/tmp/null", 0o20666, '
                              'os.makedev(1, 3))'), 'EPERM', 'EACCES')


@test
def a_link_of_the_bases_is_as_read_only_as_its_end():
    """/bin/yes is /usr/bin/yes where /bin is a link."""
    replace = 'rm /usr/bin/yes && ln -s nl /usr/bin/yes'
    if not os.path.islink('/bin'):
        skip('/bin is no link on this host')
    with kept(layer='system') as s:
        s.sh(replace).ok()
    with kept(layer='system', ro='/bin/yes') as s:
        s.sh(replace).failed(1, 'busy')
        s.sh('echo x >/usr/bin/yes').failed(2, 'Read-only file system')


@test
def what_is_granted_in_the_base():
    """An overlay stands around it, and gives nothing of it."""
    with kept(layer='system', ro=['/usr/share/doc', '/usr/share/man/man1']
              ) as s:
        check(probe(s, 'open("/usr/share/new", "w").close()').done,
              'the control')
        refused_with(probe(s, 'open("/usr/share/doc/new", "w")'), 'EROFS')
        refused_with(probe(s, 'os.rename("/usr/share/man", "/usr/share/x")'),
                     'EBUSY', 'EXDEV', 'EACCES')
        refused_with(probe(s, 'os.rename("/usr/share/doc", "/usr/share/x")'),
                     'EBUSY', 'EXDEV')
        refused_with(probe(s, 'os.rename("/usr/share", "/usr/x")'), 'EBUSY')
        s.do('stop', '--grace', '0').ok()
        s.do('start').ok()
        refused_with(probe(s, 'open("/usr/share/doc/new", "w")'), 'EROFS')
    check(not os.path.exists('/usr/share/new'))


@test
def the_host_below_an_overlay():
    """Writing, truncating, linking, changing modes and times: all of it ends
    in the session's own part."""
    before = {name: os.stat(f'/usr/bin/{name}') for name in ('env', 'true')}
    code = '''
os.chmod("/usr/bin/env", 0o777)
os.utime("/usr/bin/env", (1, 1))
open("/usr/bin/env", "w").write("gone")
os.link("/usr/bin/true", "/usr/bin/true2")
open("/usr/bin/true2", "a").write("more")
'''
    with kept(layer='system') as s:
        r = probe(s, code)
        # Who is not root may not: these are another's files.
        check(r.done if IS_ROOT else r.refused in ('EPERM', 'EACCES'), r)
        s.sh('rm -f /usr/bin/true; echo "exit 3" >/usr/bin/true; '
             'chmod 755 /usr/bin/true').ok()
        eq(s.exec('true').status, 3)
    for name, was in before.items():
        now = os.stat(f'/usr/bin/{name}')
        eq((now.st_ino, now.st_mode, now.st_size, now.st_mtime_ns, now.st_nlink),
           (was.st_ino, was.st_mode, was.st_size, was.st_mtime_ns, was.st_nlink),
           name)


@test
def links_across_what_is_kept():
    """To a file that is granted for reading, to write to it later."""
    write('w/f', 'mine')
    path = os.path.abspath('w/f')
    with kept(ro='w') as s:
        check(probe(s, 'open("/tmp/a", "w").close(); '
                       'os.link("/tmp/a", "/tmp/b")').done, 'the control')
        for to in ('/tmp/got', '/var/tmp/got'):
            refused_with(probe(s, f'os.link({path!r}, {to!r})'), 'EXDEV')
            refused_with(probe(s, f'os.rename({path!r}, {to!r})'), 'EXDEV',
                         'EROFS')
    eq(read('w/f'), 'mine')


main()
