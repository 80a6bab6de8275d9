#!/usr/bin/env python3
"""What a session keeps when it stops (mxc provision --layer)."""

import json
import os
import signal
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from sessions import *  # noqa: E402,F403

PLACES = ('~', '/tmp', '/var/tmp', '/opt', '/usr/local')


def again(s):
    s.do('stop', '--grace', '0').ok()
    s.do('start').ok()


def unmount(path):
    """Who held the session is told of its end a moment before its own."""
    eventually(lambda: run(['umount', path]).status == 0, what='umount')


def system(*flags, **kw):
    """A session with that layer, where this host can keep one."""
    done, said = answer('provision', '--layer', 'system', *grants(**kw), *flags)
    if done.status and said['error']['code'] == 'backend_unavailable':
        skip(said['error']['message'])
    s = Session.__new__(Session)
    s.id = said['result']['sandboxId']
    s.do('start').ok()
    return s


@test
def private_places_are_kept():
    with Session('--layer', 'private') as s:
        for place in PLACES:
            s.sh(f'mkdir {place}/d && echo kept >{place}/d/f').ok()
        s.sh('echo gone >/dev/shm/f; mkdir /srv').ok()
        again(s)
        for place in PLACES:
            eq(s.sh(f'cat {place}/d/f').ok().out, 'kept\n', place)
        s.sh('test -e /dev/shm/f || test -e /srv').ok(1)
        s.do('deprovision').ok()
        eq(os.listdir(root()), [])


@test
def without_a_layer_nothing_is():
    with Session() as s:
        s.sh('echo x >/tmp/f').ok()
        check(not os.path.exists(os.path.join(s.dir, 'layer')))
        again(s)
        s.sh('test -e /tmp/f').ok(1)


@test
def by_a_request():
    policy = write('p.json', json.dumps({'version': '1.1.0+c1',
                                         'session': {'layer': 'private'}}))
    with Session(policy) as s:
        s.sh('echo kept >/tmp/f').ok()
        again(s)
        eq(s.sh('cat /tmp/f').ok().out, 'kept\n')
        eq(s.look()['layer'], 'private')
        has(s.do('inspect').ok().out, 'what its layer keeps')
    # A single run keeps nothing, whatever it is told.
    mxc('run', policy, '--', 'true').failed(125, 'only a session', 'provision')
    mxc('check', policy).failed(1, 'only a session')
    mxc('provision', '--layer', 'nonsense').failed(2, 'private or system')


@test
def the_base_can_be_written_over():
    """By root all of it; by others the directories that are listed there."""
    here = sorted(os.listdir('/usr/bin'))
    with system() as s:
        s.sh('echo "echo replaced" >/usr/bin/yes.new && '
             'chmod 755 /usr/bin/yes.new && mv /usr/bin/yes.new /usr/bin/yes && '
             'rm /usr/bin/nl && mkdir /usr/lib/mine && echo kept >/usr/lib/mine/f'
             ).ok()
        r = s.sh('echo x >/usr/lib/os-release')
        eq(r.status == 0, IS_ROOT, r)
        again(s)
        eq(s.sh('yes; cat /usr/lib/mine/f; test -e /usr/bin/nl || echo none').ok()
           .out, 'replaced\nkept\nnone\n')
        # A package that brings its own directories.
        s.sh('mkdir -p /opt/p/bin && cp /usr/bin/env /opt/p/bin && '
             '/opt/p/bin/env true').ok()
    eq(sorted(os.listdir('/usr/bin')), here, "the host's")
    check(not os.path.exists('/usr/lib/mine'))


@test
def what_is_denied_in_the_base():
    with system() as s:
        pass
    said = refused('policy_validation', 'provision', '--layer', 'system',
                   '--deny', '/usr/share/doc')
    has(said['message'], "'/usr/share/doc' cannot be denied")
    has(said['remediation'], 'private')
    eq(os.listdir(root()), [])
    # As a whole it can, and a grant of policy's own stays what it is.
    with system(deny='/usr/share', ro='/usr/libexec') as s:
        s.sh('ls /usr/share').failed(2, 'ermission denied')
        s.sh('>/usr/libexec/x').failed(2, 'ead-only')
        s.sh('>/usr/bin/x').ok()


@test(only='root')
def an_overlay_that_cannot_be():
    """On what can be no upper part of one: refused, and nothing is left."""
    os.mkdir('run/low')
    os.makedirs('o/up')
    os.makedirs('o/work')
    here = os.path.abspath('run')
    run(['mount', '-t', 'overlay', 'none', '-o', f'lowerdir={here}/low,'
         f'upperdir={os.path.abspath("o/up")},workdir={os.path.abspath("o/work")}',
         here]).ok()
    try:
        os.chmod(here, 0o700)
        said = refused('backend_unavailable', 'provision', '--layer', 'system')
        has(said['message'], "overlay over '/")
        eq(os.listdir(root()), [])
        with Session('--layer', 'private') as s:
            s.sh('>/tmp/f').ok()
            again(s)
            s.sh('test -e /tmp/f').ok()
    finally:
        unmount(here)


@test(only='root')
def in_memory():
    """As the usual place for sessions is."""
    here = os.path.abspath('run')
    run(['mount', '-t', 'tmpfs', '-o', 'mode=0700', 'none', here]).ok()
    try:
        for make in (lambda: Session('--layer', 'private'), system):
            with make() as s:
                s.sh('mkdir -p /tmp/a/b && >/tmp/a/b/f').ok()
                again(s)
                s.sh('test -e /tmp/a/b/f').ok()
        eq(os.listdir(root()), [])
    finally:
        unmount(here)


@test
def grants_stand_in_it():
    """A grant below /tmp, where what is kept is, too."""
    write('w/in', 'given\n')
    path = os.path.abspath('w')
    with Session('--layer', 'private', rw='w') as s:
        for _ in range(2):
            eq(s.sh(f'cat {path}/in && echo out >{path}/out').ok().out,
               'given\n')
            eq(read('w/out'), 'out\n')
            again(s)
        # None of the host's files is in it.
        for where, _, files in os.walk(os.path.join(s.dir, 'layer')):
            eq(files, [], where)
        # A command can have less of what is beside the grant, too.
        s.sh('>/tmp/f', ro='w').failed(2, 'ermission denied')
        s.sh(f'cat {path}/in && >/var/tmp/f', ro='w').ok()


@test
def a_killed_holder_takes_none_of_it_along():
    with Session('--layer', 'private') as s:
        s.sh('echo kept >~/f').ok()
        init = s.init()
        os.kill(s.holder(), signal.SIGKILL)
        eventually(lambda: init not in processes(), what='the sandbox gone')
        said = refused('stale_id', 'exec', s.id, '--', 'true', status=125)
        has(said['remediation'], 'mxc start')
        s.do('start').ok()
        eq(s.sh('cat ~/f').ok().out, 'kept\n')


# %r: a directory that is none of its business.
HOSTILE = '''
import os
os.chdir(os.path.expanduser("~"))
os.mkdir("=0"); os.mkdir("=0/=1"); os.mkdir("=1"); open("=1/f", "w").close()
os.mkdir("wide")
for n in range(100):
    open("wide/%d" % n, "w").close()
    os.symlink(%r, "wide/l%d" % n)
os.mkfifo("fifo")
open("x" * 255, "w").close()
os.makedirs("shut/in/side"); open("shut/in/side/f", "w").close()
os.mkdir("ro"); os.mkdir("ro/d"); open("ro/d/f", "w").close()
top = os.getcwd()
for n in range(1200):
    os.mkdir("deep" * 50); os.chdir("deep" * 50)
open("end", "w").close()
os.chmod(".", 0)
os.chdir(top)
os.chmod("ro/d", 0o555); os.chmod("ro", 0o555)
os.chmod("shut/in", 0); os.chmod("shut", 0); os.chmod(".", 0)
os.chmod("/tmp", 0)
'''


def hostile(s):
    write('canary/f', 'mine')
    s.exec(PYTHON, '-c', HOSTILE.replace(
        '%r', repr(os.path.abspath('canary')))).ok()


def unharmed():
    eq(read('canary/f'), 'mine')
    eq(os.listdir('canary'), ['f'])


@test
def whatever_is_in_it_is_removed():
    with Session('--layer', 'private') as s:
        hostile(s)
        again(s)   # its own places can be entered again
        s.sh('>~/f && >/tmp/f').ok()
        s.sh('chmod 0 ~ /tmp').ok()
        s.do('deprovision', '--grace', '0').ok()
        eq(os.listdir(root()), [])
        unharmed()


@test
def gc_removes_it_with_a_stale_session():
    with Session('--layer', 'private') as s:
        hostile(s)
        init = s.init()
        os.kill(s.holder(), signal.SIGKILL)
        eventually(lambda: init not in processes(), what='the sandbox gone')
        eq(mxc('gc').ok().out, s.id + '\n')
        eq(os.listdir(root()), [])
        unharmed()


@test
def a_removal_that_was_cut_off_is_finished():
    with Session('--layer', 'private') as s:
        hostile(s)
        s.do('stop', '--grace', '0').ok()
        p = spawn([MXC, 'deprovision', s.id])
        eventually(lambda: not os.path.exists(s.dir), what='it has begun')
        p.kill()
        p.communicate()
        mxc('gc').ok()
        eq(os.listdir(root()), [])
        unharmed()


@test(only='root')
def a_full_place():
    path = os.path.abspath('small')
    os.mkdir(path, 0o700)
    run(['mount', '-t', 'tmpfs', '-o', 'size=1m,nr_inodes=60,mode=0700',
         'none', path]).ok()
    try:
        os.environ['XDG_RUNTIME_DIR'] = path
        with Session('--layer', 'private') as s:
            r = s.sh('head -c 2000000 /dev/zero >/tmp/f')
            has(r.err, 'No space left')
            # What was asked of the session goes on.
            s.sh('rm /tmp/f').ok()
            s.sh('i=0; while : >/tmp/$i; do i=$((i+1)); done 2>/dev/null')
            done, said = answer('provision', '--layer', 'private')
            eq(said['error']['code'], 'backend_error', said)
            has(said['error']['remediation'], 'full')
        eq(os.listdir(f'{path}/mxc'), [])
    finally:
        unmount(path)


@test(only='root')
def a_layer_that_others_have_put_there():
    for layer, name in (('private', 'tmp'), ('system', 'base+usr+lib')):
        done, said = answer('provision', '--layer', layer)
        if done.status:
            eq(said['error']['code'], 'backend_unavailable', said)
            continue
        s = Session.__new__(Session)
        s.id = said['result']['sandboxId']
        with s:
            os.chown(f'{s.dir}/layer/{name}', 12345, 12345)
            s.do('start').failed(1, f'layer/{name}', "is not its owner's")
            os.chown(f'{s.dir}/layer/{name}', 0, 0)
            s.do('start').ok()
            s.exec('true').ok()


@test(only='root')
def each_directory_of_the_base_is_tried():
    """One that no further overlay can lie over, and is not the first."""
    need('unshare')
    system().do('deprovision').ok()     # the control
    script = '''mount -t tmpfs none /mnt
for i in 1 2; do
    mkdir -p /mnt/$i/up /mnt/$i/work
    mount -t overlay -o lowerdir=/usr,upperdir=/mnt/$i/up,workdir=/mnt/$i/work \\
        none /usr || exit 99
done
exec "$@"'''
    r = run(['unshare', '-m', 'sh', '-c', script, '-', MXC, 'provision',
             '--layer', 'system'])
    if r.status == 99:
        skip(r.err)
    r.failed(1, "over '/usr/", 'private')
    eq(os.listdir(root()), [])


main()
