#!/usr/bin/env python3
"""mxc cp: files into a session and out of it."""

import io
import json
import os
import random
import signal
import stat
import sys
import tarfile
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from sessions import *  # noqa: E402,F403


def make_tree(top='src'):
    rng = random.Random(5)
    os.makedirs(f'{top}/a/b')
    write(f'{top}/a/f', 'of f\n')
    os.chmod(f'{top}/a/f', 0o751)
    with open(f'{top}/a/b/random', 'wb') as f:
        f.write(rng.randbytes(200_000))
    write(f'{top}/empty', '')
    write(f'{top}/with space\nand line', 'x')
    write(f'{top}/' + 'n' * 200, 'long')
    os.makedirs(f'{top}/' + '/'.join(['deep' * 20] * 8))
    write(f'{top}/' + '/'.join(['deep' * 20] * 8) + '/f', 'deep')
    os.symlink('a/f', f'{top}/link')
    os.symlink('../f', f'{top}/a/b/up')
    os.mkdir(f'{top}/shut', 0o700)
    write(f'{top}/' + 'ü' * 60, 'bytes')
    os.utime(f'{top}/a/f', (1e9, 1e9))


def read_bytes(path):
    with open(path, 'rb') as f:
        return f.read()


def seen(top):
    """What can be told of a tree: modes, sizes, contents, targets."""
    out = {}
    for where, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(where, name)
            st = os.lstat(path)
            what = (os.readlink(path) if stat.S_ISLNK(st.st_mode) else
                    open(path, 'rb').read() if stat.S_ISREG(st.st_mode) else '')
            mode = 0 if stat.S_ISLNK(st.st_mode) else st.st_mode
            out[os.path.relpath(path, top)] = (mode, what)
    return out


def cp(*args, **kw):
    return mxc('cp', *args, **kw)


@test
def there_and_back():
    make_tree()
    with Session() as s:
        cp('src', f'{s.id}:/tmp').ok()
        eq(s.sh('cat /tmp/src/a/f; cat /tmp/src/link').ok().out,
           'of f\nof f\n')
        cp(f'{s.id}:/tmp/src', 'back').ok()
        eq(seen('back'), seen('src'))
        eq(os.stat('back/a/f').st_mtime, 1e9)
        eq(os.stat('back/a/f').st_uid, os.getuid())
        # Nothing else has been left here.
        eq(sorted(os.listdir('.')), ['back', 'home', 'run', 'src'])


@test
def names_as_of_cp():
    make_tree()
    write('f', 'one\n')
    with Session() as s:
        def inside(path):
            return s.sh(f'cat {path}').ok().out
        s.sh('mkdir /tmp/d').ok()
        for to, at in (('/tmp/d', '/tmp/d/f'), ('/tmp/d/', '/tmp/d/f'),
                       ('/tmp/new', '/tmp/new'), ('/tmp/d/other', '/tmp/d/other'),
                       ('', None)):
            r = cp('f', f'{s.id}:{to}')
            if at:
                r.ok()
                eq(inside(at), 'one\n', to)
            else:
                r.failed(2, 'a path is empty')
        # A relative path is of where commands start.
        home = s.sh('pwd').ok().out.strip()
        cp('f', f'{s.id}:here').ok()
        eq(inside(f'{home}/here'), 'one\n')
        cp('src/a/.', f'{s.id}:/tmp/content').ok()
        eq(inside('/tmp/content/f'), 'of f\n')
        cp('f', f'{s.id}:/tmp/none/').failed(1, "no directory '/tmp/none/'")
        cp('f', f'{s.id}:/tmp/none/x').failed(1, "cannot open '/tmp/none/'")
        # And out.
        os.mkdir('d')
        cp(f'{s.id}:/tmp/new', 'd').ok()
        cp(f'{s.id}:/tmp/new', 'd/other').ok()
        cp(f'{s.id}:/tmp/d', 'd').ok()
        cp(f'{s.id}:/tmp/d/.', 'd').ok()
        cp(f'{s.id}:/tmp/d/.', 'e').ok()
        eq(sorted(os.listdir('d')), ['d', 'f', 'new', 'other'])
        eq(sorted(os.listdir('d/d')), ['f', 'other'])
        eq(sorted(os.listdir('e')), ['f', 'other'])
        cp(f'{s.id}:/tmp/new', 'none/').failed(1, "no directory 'none/'")
        cp(f'{s.id}:/tmp/new', 'none/x').failed(1, "copy to 'none/x'")
        cp(f'{s.id}:/tmp/d', 'f').failed(1, "cannot copy to 'f'")
        eq(read('f'), 'one\n')


@test
def what_is_there_is_replaced_or_added_to():
    write('d/f', 'new\n')
    write('to/d/f', 'old\n')
    write('to/d/kept', 'kept\n')
    os.chmod('to/d', 0o711)
    with Session() as s:
        s.sh('mkdir /tmp/d; echo older >/tmp/d/f; echo kept >/tmp/d/kept').ok()
        cp('d', f'{s.id}:/tmp').ok()
        eq(s.sh('cat /tmp/d/f /tmp/d/kept').ok().out, 'new\nkept\n')
        s.sh('rm /tmp/d/kept; chmod 777 /tmp/d').ok()
        cp(f'{s.id}:/tmp/d', 'to').ok()
        eq((read('to/d/f'), read('to/d/kept')), ('new\n', 'kept\n'))
        # The mode of a directory of ours is not the session's to change.
        eq(os.stat('to/d').st_mode & 0o777, 0o711)
        cp(f'{s.id}:/tmp/d/f', 'to/d/kept').ok()
        eq(read('to/d/kept'), 'new\n')


@test
def what_is_of_another_kind_stays():
    """As of cp(1): no directory in the place of a file, and no file in its."""
    write('d/sub/f', 'x')
    write('f', 'x')
    write('to/d/sub', 'mine')
    os.makedirs('other/f/x')
    with Session() as s:
        s.sh('mkdir /tmp/e /tmp/e/f; echo mine | tee /tmp/d /tmp/e/d').ok()
        for path in ('/tmp/d', '/tmp/e', '/tmp/e/d'):
            cp('d', f'{s.id}:{path}').failed(
                1, "in the session: 'd' is there, and is no directory")
        cp('f', f'{s.id}:/tmp/e').failed(1, 'is a directory and something')
        eq(s.sh('cat /tmp/d /tmp/e/d; ls /tmp/e').ok().out,
           'mine\nmine\nd\nf\n')
        s.sh('rm /tmp/d; mkdir -p /tmp/d/sub; echo x | tee /tmp/d/sub/f >/tmp/f'
             ).ok()
        cp(f'{s.id}:/tmp/d', 'to').failed(
            1, "'d/sub' is there, and is no directory")
        cp(f'{s.id}:/tmp/f', 'other').failed(1, 'is a directory and something')
        eq((read('to/d/sub'), os.listdir('other/f')), ('mine', ['x']))


@test
def devices_and_pipes_stay():
    """As a place to copy to: no file is put there instead."""
    os.makedirs('to/d')
    for name in ('pipe', 'to/pipe', 'to/d/pipe'):
        os.mkfifo(name)
    os.symlink('pipe', 'link')
    write('src/pipe', 'x')
    with Session() as s:
        s.sh('mkdir /tmp/d; echo x | tee /tmp/pipe >/tmp/d/pipe; mkfifo /tmp/p'
             ).ok()
        for path in ('pipe', 'link', '/dev/null', '/dev/stdout', 'to'):
            cp(f'{s.id}:/tmp/pipe', path).failed(
                1, 'neither a file nor a directory', "'-' gives a tar stream")
        cp(f'{s.id}:/tmp/d', 'to').failed(
            1, "'d/pipe' is there, and is no file")
        for name in ('pipe', 'to/pipe', 'to/d/pipe', '/dev/null'):
            check(not stat.S_ISREG(os.stat(name).st_mode), name)
        cp('src/pipe', f'{s.id}:/tmp/p').failed(
            1, "in the session: 'p' is there, and is no file")
        eq(sorted(os.listdir('.')), ['home', 'link', 'pipe', 'run', 'src', 'to'])


@test
def names_that_are_no_text():
    """What is said of them holds nothing that a terminal would obey."""
    name = b'\xff\x1b]0;x\x07\n'
    with Session() as s:
        s.sh("""mkdir /tmp/d; n=$(printf '\\377\\033]0;x\\007\\nz')
                mkfifo "/tmp/d/$n"; ln -s /etc "/tmp/d/l$n"; >/tmp/d/f$n""").ok()
        r, w = os.pipe()
        done = cp(f'{s.id}:/tmp/d', 'd', '--json', str(w), pass_fds=(w,)).ok()
        os.close(w)
        with os.fdopen(r) as f:
            eq(json.load(f)['result']['notes'][0]['count'], 1)
        has(done.err, 'such as d/')
        check(not set(done.err_bytes) & set(b'\x1b\x07'), done.err)
        eq([n[:5] for n in os.listdir(b'd')], [b'f' + name[:4]])
        s.sh("""rm -r /tmp/d; mkdir -p "/tmp/$(printf '\\033]0;x')/x"
                chmod 0 /tmp/*/x""").ok()
        done = cp(f'{s.id}:/tmp/.', 'e')
        if not IS_ROOT:
            done.failed(1, 'Permission denied')
        check(not set(done.err_bytes) & set(b'\x1b\x07'), done.err)


@test
def a_link_that_is_named():
    """It is copied, unless it is asked for what is behind it."""
    write('d/f', 'of f\n')
    write('secret', 'hunter2')
    os.symlink('d', 'l')
    os.symlink('secret', 'report')
    with Session() as s:
        cp('report', f'{s.id}:/tmp').ok()
        cp('l', f'{s.id}:/tmp').ok()
        cp('l/.', f'{s.id}:/tmp/content').ok()
        eq(s.sh('readlink /tmp/report /tmp/l; cat /tmp/content/f').ok().out,
           'secret\nd\nof f\n')
        # Inside it leads to nothing that the session has not.
        s.sh('ln -s content /tmp/c; ln -s content/f /tmp/f').ok()
        cp(f'{s.id}:/tmp/c', 'got').ok()
        cp(f'{s.id}:/tmp/f', 'got2').ok()
        eq((read('got/f'), read('got2')), ('of f\n', 'of f\n'))


@test(only='root')
def a_full_disk():
    os.mkdir('small')
    run(['mount', '-t', 'tmpfs', '-o', 'size=256k', 'none', 'small']).ok()
    try:
        with open('big', 'wb') as f:
            f.write(bytes(range(256)) * 4096)
        with Session(rw='small') as s:
            here = os.path.abspath('small')
            cp('big', f'{s.id}:/tmp').ok()
            cp(f'{s.id}:/tmp/big', 'small').failed(1, 'No space left')
            eq(os.listdir('small'), [])
            cp('big', f'{s.id}:{here}').failed(
                1, 'in the session: cannot write', 'No space left')
    finally:
        run(['umount', 'small']).ok()


@test
def many_at_once():
    make_tree()
    with Session() as s:
        work = [spawn([MXC, 'cp', 'src', f'{s.id}:/tmp/{n}']) for n in range(6)]
        for p in work:
            err = p.communicate(timeout=60)[1]
            eq(p.returncode, 0, err)
        # Of one name: each is whole, whoever is the last.
        work = [spawn([MXC, 'cp', f'{s.id}:/tmp/{n % 6}/a/b/random', 'one'])
                for n in range(8)]
        work += [spawn([MXC, 'cp', f'{s.id}:/tmp/{n}', f'out{n}'])
                 for n in range(6)]
        for p in work:
            err = p.communicate(timeout=60)[1]
            eq(p.returncode, 0, err)
        eq(read_bytes('one'), read_bytes('src/a/b/random'))
        for n in range(6):
            eq(seen(f'out{n}'), seen('src'))
        eq([n for n in os.listdir('.') if n.startswith('.mxc')], [])


@test
def a_pause_meanwhile():
    with Session() as s:
        p = spawn([MXC, 'cp', '-', f'{s.id}:/tmp'], stdin=-1)
        eventually(lambda: s.names(), what='it runs')
        s.do('pause').ok()
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode='w') as t:
            t.addfile(tarfile.TarInfo('f'), io.BytesIO())
        p.stdin.write(archive.getvalue())
        p.stdin.close()
        time.sleep(0.3)
        eq(p.poll(), None)
        s.do('resume').ok()
        eq(p.wait(20), 0)
        s.sh('test -e /tmp/f').ok()
        p.stdout.close()
        p.stderr.close()


@test
def streams():
    make_tree()
    with Session() as s:
        cp('src', f'{s.id}:/tmp').ok()
        out = cp(f'{s.id}:/tmp/src/a', '-').ok().out_bytes
        with tarfile.open(fileobj=io.BytesIO(out)) as t:
            eq(sorted(m.name for m in t), ['a', 'a/b', 'a/b/random', 'a/b/up',
                                           'a/f'])
            eq(t.extractfile('a/f').read(), b'of f\n')
            eq((t.getmember('a/f').uid, t.getmember('a/f').mode), (0, 0o751))
        for form in ('gnu', 'pax', 'ustar'):
            archive = run(['tar', f'--format={form}', '-cf', '-', '-C', 'src',
                           '--exclude=deep*' if form == 'ustar' else '--',
                           *(['n' * 200][:form != 'ustar']), 'a', 'link',
                           'shut']).ok().out_bytes
            s.sh(f'mkdir /var/tmp/{form}').ok()
            cp('-', f'{s.id}:/var/tmp/{form}', input=archive).ok()
            eq(s.sh(f'cat /var/tmp/{form}/link').ok().out, 'of f\n', form)
            if form != 'ustar':
                s.sh(f'test -f /var/tmp/{form}/' + 'n' * 200).ok()
        # From one session into another.
        with Session() as other:
            run(['sh', '-c', f'{MXC} cp {s.id}:/tmp/src - | '
                 f'{MXC} cp - {other.id}:/tmp']).ok()
            eq(other.sh('cat /tmp/src/a/f').ok().out, 'of f\n')
        cp('-', f'{s.id}:/tmp/none', input=archive).failed(
            1, "no directory '/tmp/none'")
        cp('-', f'{s.id}:/tmp', input='nothing of the kind' * 100).failed(
            1, 'no tar archive')
        cp('-', f'{s.id}:/tmp', input=b'').failed(1, 'ends too soon')
        cp('-', f'{s.id}:/tmp', input=archive[:1000]).failed(
            1, 'ends too soon')
        cp('-', f'{s.id}:/tmp', input=bytes(10240)).failed(1, 'is empty')
        mxc('cp', f'{s.id}:/tmp/src', '-', tty=True).failed(2)


@test
def a_large_file():
    size = 30_000_000
    with open('big', 'wb') as f:
        f.write(b'start')
        f.seek(size - 3)
        f.write(b'end')
    with Session() as s:
        cp('big', f'{s.id}:/tmp').ok()
        eq(s.sh('stat -c %s /tmp/big; tail -c 3 /tmp/big').ok().out,
           f'{size}\nend')
        cp(f'{s.id}:/tmp/big', 'back').ok()
        eq(run(['cmp', 'big', 'back']).status, 0)
        # More than it may: nothing of it stays.
        r = cp('--max-size', '20M', f'{s.id}:/tmp/big', 'less')
        r.failed(1, 'more than 20971520 bytes', '--max-size')
        eq(sorted(os.listdir('.')), ['back', 'big', 'home', 'run'])
        # A hole counts as what it would be.
        s.sh('truncate -s 3G /tmp/hole').ok()
        cp('--max-size', '1G', f'{s.id}:/tmp/hole', 'less').failed(
            1, 'more than')
        cp('--max-size', '1X', f'{s.id}:/tmp/hole', 'less').failed(
            2, 'not a size')


@test
def a_name_does_not_tell_what_it_likes():
    """What is told of a name is one line, and mxc's own."""
    with Session() as s:
        s.sh("""mkdir /tmp/d /tmp/e; mkfifo '/tmp/d/a
note: all is well'; cd /tmp/e; : >'b
all is well'; mkfifo 'c
note: all is well'; mkdir d; cd d; for i in $(seq 130); do mkdir 'd
note: x'; cd 'd
note: x'; done""").ok()
        note = 'mxc: note: devices, pipes and sockets were left out: 1, such '
        r = cp(f'{s.id}:/tmp/d', 'out').ok()
        eq(r.err, f'{note}as d/a\\nnote: all is well\n')
        os.mkdir('in')
        os.mkfifo('in/a\nnote: all is well')
        r = cp('in', f'{s.id}:/tmp').ok()
        eq(r.err, f'{note}as in/a\\nnote: all is well\n')
        r = cp(f'{s.id}:/tmp/e', 'deep')
        r.failed(1, 'in the session: ')
        has(r.err, 'is too deep')
        lacks(r.err, 'note: x\n')


@test
def what_stays_behind_is_told():
    with Session() as s:
        s.sh('mkdir /tmp/d; cd /tmp/d; mkfifo pipe; ln -s /etc/passwd out; '
             'ln -s ../../x up; ln -s f in; echo x >f; chmod 4755 f 2>&1 ; true'
             ).ok()
        r, w = os.pipe()
        done = cp(f'{s.id}:/tmp/d', 'd', '--json', str(w), pass_fds=(w,)).ok()
        os.close(w)
        with os.fdopen(r) as f:
            said = json.load(f)['result']
        eq((said['entries'], said['bytes']), (5, 2))
        eq([(n['kind'], n['count'], n['first'].split('/')[0])
            for n in said['notes']], [('link', 2, 'd')])
        has(done.err, 'note: devices, pipes and sockets were left out: 1, such '
                      'as d/pipe')
        has(done.err, 'note: symbolic links that lead out of it were left out: 2')
        eq(sorted(os.listdir('d')), ['f', 'in'])
        # The other way nothing is kept from those who can read it anyway.
        os.mkfifo('d/pipe')
        os.symlink('/etc/passwd', 'd/out')
        r = cp('d', f'{s.id}:/var/tmp').ok()
        has(r.err, 'note: devices, pipes and sockets were left out: 1, such as '
                   'd/pipe')
        eq(s.sh('readlink /var/tmp/d/out').ok().out, '/etc/passwd\n')


@test
def errors():
    write('f', 'x')
    with Session() as s:
        cp(f'{s.id}:/nowhere', 'x').failed(
            1, "in the session: cannot read '/nowhere': No such file")
        cp('nowhere', f'{s.id}:/tmp').failed(1, "cannot read 'nowhere'")
        cp('f', f'{s.id}:/proc').failed(1, 'in the session: cannot make')
        cp(f'{s.id}:/dev/null', 'x').failed(1, 'neither a file nor a directory')
        cp('/dev/null', f'{s.id}:/tmp').failed(1, 'neither a file')
        cp('f', 'g').failed(2, 'neither is in a session')
        cp(f'{s.id}:/a', f'{s.id}:/b').failed(2, 'both are in a session')
        cp('f').failed(2, 'operand is missing')
        for args in (('f', f'{s.id}:/tmp'), (f'{s.id}:/tmp', '-')):
            cp('--max-size', '1M', *args).failed(2, '--max-size is for files')
        cp('f', 'g', f'{s.id}:/x').failed(2, 'too many operands')
        check(not os.path.exists('x'))
        os.mkdir('ro', 0o555)
        if not IS_ROOT:
            cp(f'{s.id}:/etc/passwd', 'ro').failed(1, 'Permission denied')
        s.do('pause').ok()
        cp('f', f'{s.id}:/tmp').failed(1, 'paused')
        s.do('resume').ok()
        s.do('stop').ok()
        for code, args in (('not_started', ['f', f'{s.id}:/tmp']),
                           ('not_started', [f'{s.id}:/tmp', 'x']),
                           ('stale_id', ['f', 'native:' + '0' * 32 + ':/x']),
                           ('malformed_id', ['f', 'native:12:/x']),
                           ('malformed_id', ['f', s.id + '0:/x'])):
            r, w = os.pipe()
            cp('--json', str(w), *args, pass_fds=(w,)).ok(1)
            os.close(w)
            with os.fdopen(r) as f:
                eq(json.load(f)['error']['code'], code, args)
        check(not os.path.exists('x'))


@test
def it_is_a_command_of_the_session():
    with Session('--timeout', '500ms') as s:
        # One whose input does not end.
        p = spawn([MXC, 'cp', '-', f'{s.id}:/tmp'], stdin=-1)
        eventually(lambda: 'memfd:mxc-copy' in s.names() or
                   any('mxc-copy' in n or n.isdigit() for n in s.names()),
                   what='it runs')
        err = p.stderr.read().decode()
        p.wait()
        eq(p.returncode, 1)
        has(err, "policy's timeout")
        p.stdin.close()
    with Session() as s:
        p = spawn([MXC, 'cp', '-', f'{s.id}:/tmp'], stdin=-1)
        eventually(lambda: s.names(), what='it runs')
        s.sh('kill -9 -1')
        err = p.stderr.read().decode()
        p.wait()
        eq(p.returncode, 1)
        has(err, 'killed by signal 9')
        p.stdin.close()


@test
def an_interrupted_copy_leaves_nothing():
    with Session() as s:
        s.sh('truncate -s 3G /tmp/hole').ok()
        for name in ('TERM', 'INT', 'HUP'):
            p = spawn([MXC, 'cp', f'{s.id}:/tmp', 'out'])
            eventually(lambda: [n for n in os.listdir('.')
                                if n.startswith('.mxc-cp-')], what='it began')
            p.send_signal(getattr(signal, 'SIG' + name))
            err = p.communicate(timeout=20)[1].decode()
            eq(p.returncode, 128 + getattr(signal, 'SIG' + name), err)
            has(err, 'interrupted')
            eq(sorted(os.listdir('.')), ['home', 'run'])
            eventually(lambda: not s.names(), what='nor inside')
        s.exec('true').ok()


@test
def files_that_change_meanwhile():
    with Session() as s:
        p = s.spawn('sh', '-c', 'mkdir /tmp/d; echo up; while :; do '
                    'echo more >>/tmp/d/log; mv /tmp/d/log /tmp/d/log2; '
                    'ln -s /etc/passwd /tmp/d/x; rm /tmp/d/x; mkdir /tmp/d/x; '
                    'rmdir /tmp/d/x; rm -f /tmp/d/log2; done')
        p.stdout.readline()
        for n in range(10):
            r = cp(f'{s.id}:/tmp/d', f'd{n}')
            # A name may go, and a file may get shorter, but no worse.
            if r.status:
                check('got shorter' in r.err or 'cannot read' in r.err, r)
            for where, dirs, files in os.walk('.'):
                # Links of an image's root are no copies.
                dirs[:] = [d for d in dirs if d != 'home']
                for f in dirs + files:
                    check(not os.path.islink(os.path.join(where, f)), f)
        p.kill()
        p.communicate()


# Takes the place of the directory in which a copy is made, with another one.
SWAP = """cd "$1"
until set -- .mxc-cp-* && [ -d "$1" ]; do :; done
mv "$1" taken && mv data "$1" && echo "$1"
"""


def swapped(s):
    """Copy out while the session has put `w/data` in the stage's place: where
    that is now."""
    s.sh('head -c 50000000 /dev/zero >/tmp/big').ok()
    p = s.spawn('sh', '-c', SWAP, 'sh', os.path.abspath('w'))
    cp(f'{s.id}:/tmp/big', 'w')
    stage = p.communicate(timeout=20)[0].decode().strip()
    check(stage.startswith('.mxc-cp-'), 'it was not swapped')
    return os.path.join('w', stage)


@test(only='root')
def the_stage_is_not_what_it_was_what_others_own():
    os.makedirs('w/data/theirs/deep')
    write('w/data/theirs/f', 'kept')
    write('w/data/theirs/deep/f', 'kept')
    for path in ('deep/f', 'deep', 'f', ''):
        os.chown(os.path.join('w/data/theirs', path), 12345, 12345)
    os.chmod('w/data/theirs', 0o700)
    with Session(rw='w') as s:
        # The sandbox has no part in it, whoever calls.
        s.sh(f'cd {os.path.abspath("w")}; rm -rf data/theirs; '
             'cat data/theirs/f').failed(1)
        stage = swapped(s)
        eq((read(f'{stage}/theirs/f'), read(f'{stage}/theirs/deep/f')),
           ('kept', 'kept'))


@test(only='root')
def the_stage_is_not_what_it_was_what_is_mounted():
    for path in ('w/data/mnt', 'vault/deep'):
        os.makedirs(path)
    write('vault/f', 'kept')
    write('vault/deep/f', 'kept')
    os.chmod('vault', 0o750)
    with Session(rw='w') as s:
        run(['mount', '--bind', 'vault', 'w/data/mnt']).ok()
        stage = 'w/data'
        try:
            stage = swapped(s)
            eq((read('vault/f'), read('vault/deep/f')), ('kept', 'kept'))
            eq(stat.S_IMODE(os.stat('vault').st_mode), 0o750)
        finally:
            run(['umount', f'{stage}/mnt']).ok()


@test(only='root')
def where_no_memory_can_be_executed():
    write('f', 'x')
    limit = '/proc/sys/vm/memfd_noexec'
    if not os.path.exists(limit):
        skip('a kernel with vm.memfd_noexec (Linux 6.3)')
    need('unshare')
    with Session() as s:
        for value, status in ((2, 1), (1, 0)):
            r = run(['unshare', '-pf', '--mount-proc', 'sh', '-c',
                     f'echo {value} >{limit} && exec {MXC} cp f {s.id}:/tmp'])
            r.ok(status)
            if status:
                has(r.err, 'sysctl vm.memfd_noexec')


main()
