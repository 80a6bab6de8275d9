#!/usr/bin/env python3
# tap: seconds=900
"""mxc image: what goes into the store comes out the same, and nothing that an
archive holds gets anywhere else."""

import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
import images  # noqa: E402
from images import Tar, store  # noqa: E402

UNPACK = MXC.parent / '../libexec/mxc/mxc-unpack'
images.private_store()
LACK = ('' if UNPACK.exists() else
        'this build has no mxc-unpack (libarchive)')


def image(*args, **more):
    if LACK:
        skip(LACK)
    return run([MXC, 'image', *args], **more)


def told(*args, status=0):
    r = image(*args, '--json', '1')
    eq(r.status, status, repr(r))
    return json.loads(r.out)


def tree(name):
    return told('show', name)['image']['path']


def left_in_tmp():
    return os.listdir(store() / 'tmp')


def looks(top):
    """{path: (kind, mode, size, content or target)}, for comparison."""
    found = {}
    for folder, dirs, files in os.walk(top):
        for name in [*dirs, *files, '.']:
            path = os.path.join(folder, name)
            st = os.lstat(path)
            what = (os.readlink(path) if stat.S_ISLNK(st.st_mode) else
                    open(path, 'rb').read() if stat.S_ISREG(st.st_mode)
                    else None)
            found[os.path.relpath(path, top)] = (
                stat.S_IFMT(st.st_mode),
                None if stat.S_ISLNK(st.st_mode) else stat.S_IMODE(st.st_mode),
                what)
    return found


# --- what comes in ---------------------------------------------------------

@cases({'plain': ('', None), 'gzip': ('z', 'gzip'), 'bzip2': ('j', 'bzip2'),
        'xz': ('J', 'xz'), 'zstd': ('-zstd', 'zstd')})
def an_archive_becomes_the_tree_that_was_packed(how, program):
    need('tar', *([program] if program else []))
    top = images.root(files={'etc/é ü': 'name', 'srv/deep/er/x': 'y' * 70000})
    run(['tar', *(['-' + how] if how else []), '-C', top, '-cf', 'a.tar',
         '.']).ok()
    got = told('import', 'test/1', 'a.tar')
    eq(got['notes'], [])
    eq(looks(tree('test/1')), looks(top))
    image('verify', 'test/1').ok()
    eq(left_in_tmp(), [])


@test
def a_directory_and_its_archive_have_one_digest():
    need('tar')
    top = images.root()
    os.link(top / 'etc/passwd', top / 'etc/passwd-')
    run(['tar', '-C', top, '-cf', 'a.tar', '.']).ok()
    a = told('import', 'as/archive', 'a.tar')['image']
    b = told('import', 'as/directory', top)['image']
    eq(a['digest'], b['digest'])
    eq(looks(tree('as/directory')), looks(top))
    eq(os.stat(tree('as/archive') + '/etc/passwd').st_nlink, 2)
    with open('a.tar', 'rb') as f:
        r = image('import', 'as/stdin', '-', input=f.read()).ok()
    has(r.out, a['digest'])


@test
def times_of_files_are_kept():
    top = images.root()
    os.utime(top / 'etc/passwd', (1e9, 1e9))
    told('import', 'a', top)
    eq(os.stat(tree('a') + '/etc/passwd').st_mtime, 1e9)


@test
def list_show_rm():
    eq(image('list').ok().out, 'no images\n')
    eq(told('list')['images'], [])
    check(not store().exists(), 'looking made a store')
    top = images.root()
    told('import', 'b/2', top)
    told('import', 'a', top)
    eq([i['name'] for i in told('list')['images']], ['a', 'b/2'])
    has(image('list').ok().out, 'b/2')
    image('rm', 'a').ok()
    check(os.path.exists(tree('b/2')), 'its other name keeps the tree')
    image('rm', 'b/2').ok()
    eq(os.listdir(store() / 'trees'), [])
    image('rm', 'b/2').failed(1, "no image 'b/2'", 'mxc image import b/2')
    image('show', 'b/2').failed(1, "no image 'b/2'")


@test
def an_import_takes_the_place_of_the_former():
    told('import', 'a', images.root('one'))
    before = told('show', 'a')['image']['digest']
    told('import', 'a', images.root('two', {'etc/more': 'x'}))
    check(told('show', 'a')['image']['digest'] != before, 'same digest')
    eq(len(os.listdir(store() / 'trees')), 1)


@test
def the_store_is_its_owners_alone():
    told('import', 'a', images.root())
    eq(stat.S_IMODE(os.stat(store()).st_mode), 0o700)
    for part in ('names', 'trees', 'tmp'):
        eq(stat.S_IMODE(os.stat(store() / part).st_mode), 0o700, part)


@test(only='user')
def where_the_store_of_a_user_is():
    r = run([MXC, 'image', 'import', 'a', images.root()],
            env={'XDG_DATA_HOME': os.getcwd() + '/data'})
    if LACK:
        skip(LACK)
    r.ok()
    check(os.path.isdir('data/mxc/images/names'), repr(r))
    r = run([MXC, 'image', 'list'], env={'XDG_DATA_HOME': 'relative',
                                         'HOME': ''})
    r.failed(1, 'no place for images', 'XDG_DATA_HOME')


# --- words that are none ---------------------------------------------------

@cases({'dots': '../x', 'absolute': '/x', 'empty': '', 'hidden': '.x',
        'option': 'a/-x', 'space': 'a b', 'end': 'a/', 'four': 'a/b/c/d',
        'plus': 'a+b', 'long': 'x' * 129, 'newline': 'a\nb'})
def names_that_are_none(name):
    r = image('import', '--', name, images.root())
    r.failed(1, 'is no name of an image', 'debian/12')
    check(not store().exists(), 'a store was made')
    image('rm', '--', name).failed(1, 'is no name of an image')


@cases({'nothing': ((), 'no verb'), 'verb': (('bla',), "no such verb 'bla'"),
        'few': (('import', 'a'), 'operand is missing'),
        'many': (('list', 'a'), 'too many operands'),
        'option': (('list', '--rw', 'x'), 'unknown option')})
def wrong_command_lines(args, said):
    image(*args).failed(2, said)


@test
def sources_that_are_none():
    write('text', 'no archive\n' * 100)
    write('empty')
    image('import', 'a', 'text').failed(1, 'no tar archive')
    image('import', 'a', 'empty').failed(1, 'archive')
    image('import', 'a', 'absent').failed(1, "cannot read 'absent'")
    image('import', 'a', '/dev/null').failed(1, 'archive')
    Tar('none.tar').done()
    image('import', 'a', 'none.tar').failed(1, 'archive is empty')
    eq(told('import', 'a', 'absent', status=1)['error']['code'],
       'malformed_request')
    eq(left_in_tmp(), [])
    eq(told('list')['images'], [])


@test
def an_archive_that_ends_too_soon():
    need('tar', 'gzip')
    top = images.root()
    run(['tar', '-C', top, '-czf', 'a.tgz', '.']).ok()
    whole = open('a.tgz', 'rb').read()
    write('cut.tgz', whole[:len(whole) // 2])
    image('import', 'a', 'cut.tgz').failed(1, 'damaged')
    eq((left_in_tmp(), os.listdir(store() / 'trees')), ([], []))


# --- hostile archives ------------------------------------------------------

def escapes():
    """name: (entries, what mxc says).  Each writes `out/canary` for a tar
    that does as it is told, from a directory beside `out`."""
    out = os.getcwd() + '/out'
    return {
        'dots': (lambda t: t.add('../out/canary', data=b'x'),
                 'leads out of the image'),
        'absolute': (lambda t: t.add(out + '/canary', data=b'x'),
                     "begins with '/'"),
        'link': (lambda t: t.symlink('d', out).add('d/canary', data=b'x'),
                 'is no directory of the image'),
        'dotted link': (lambda t: t.symlink('d', '../out').add(
            'd/canary', data=b'x'), 'is no directory of the image'),
        'chain': (lambda t: t.dir('a').symlink('a/b', '..').symlink(
            'c', 'a/b/../out').add('c/canary', data=b'x'),
            'is no directory of the image'),
        'hard link': (lambda t: t.link('l', '../out/secret'),
                      'leads out of the image'),
        'hard link, absolute': (lambda t: t.link('l', out + '/secret'),
                                "begins with '/'"),
        'hard link by link': (lambda t: t.symlink('d', out).link(
            'l', 'd/secret'), 'is no directory of the image'),
    }


ESCAPES = list(escapes())


@cases({name: name for name in ESCAPES})
def no_entry_gets_out(name):
    need('tar')
    os.mkdir('out')
    os.mkdir('in')
    write('out/secret', 'of the host')
    make, said = escapes()[name]
    t = Tar()
    make(t)
    t.done()
    # The control: GNU tar told to trust it.
    run(['tar', '-P', '-C', 'in', '-xf', t.path])
    check(os.path.exists('out/canary') or os.stat('out/secret').st_nlink > 1,
          'the control did not get out')
    run(['rm', '-rf', 'out/canary', 'in']).ok()
    image('import', 'a', t.path).failed(1, said)
    eq(os.listdir('out'), ['secret'])
    eq((read('out/secret'), os.stat('out/secret').st_nlink), ('of the host', 1))
    eq((left_in_tmp(), told('list')['images']), ([], []))


@test
def devices_are_left_out_and_setuid_is_taken_away():
    t = Tar().add('dev/null', tarfile.CHRTYPE, devmajor=1, devminor=3)
    t.add('dev/sda', tarfile.BLKTYPE, devmajor=8, devminor=0)
    t.add('fifo', tarfile.FIFOTYPE).add('su', data=b'#!', mode=0o6755)
    t.dir('group', mode=0o2775)
    notes = {n['kind']: n for n in
             told('import', 'a', t.done())['notes']}
    eq((notes['device']['count'], notes['device']['first']), (3, 'dev/null'))
    eq((notes['setuid']['count'], notes['setuid']['first']), (2, 'su'))
    eq({k: v[:2] for k, v in looks(tree('a')).items() if k in
        ('su', 'group')}, {'su': (stat.S_IFREG, 0o755),
                           'group': (stat.S_IFDIR, 0o775)})
    eq(sorted(os.listdir(tree('a'))), ['group', 'su'])
    has(image('import', 'b', t.path).out, 'devices, pipes and sockets were '
        'left out: 3, such as dev/null')


@test
def everything_is_the_importers_who_can_read_it():
    t = Tar().dir('closed', mode=0, uid=33, gid=44)
    t.add('closed/file', data=b'x', mode=0, uid=33, gid=44)
    told('import', 'a', t.done())
    for path in ('closed', 'closed/file'):
        st = os.stat(f'{tree("a")}/{path}')
        eq((st.st_uid, st.st_gid), (os.geteuid(), os.getegid()))
    eq(read(tree('a') + '/closed/file'), 'x')


@test
def what_comes_twice_is_what_came_last():
    t = Tar().add('a', data=b'1').add('a', data=b'2').symlink('b', 'a')
    t.add('b', data=b'3').add('c', data=b'4').dir('c')
    told('import', 'a', t.done())
    eq((read(tree('a') + '/a'), read(tree('a') + '/b')), ('2', '3'))
    check(os.path.isdir(tree('a') + '/c'))
    t = Tar().dir('a').add('a/b', data=b'1').add('a', data=b'2')
    image('import', 'b', t.done()).failed(1, 'directory and something else')


@test
def strange_names_are_kept_and_told_apart():
    names = ['a b', 'new\nline', 'esc\x1b[31m', 'per%20cent', '-rf', 'é', '\\n']
    t = Tar()
    for name in names:
        t.add(name, data=name.encode())
    told('import', 'a', t.done())
    eq(sorted(os.listdir(tree('a'))), sorted(names))
    image('verify', 'a').ok()
    r = image('import', 'b', Tar().add('/esc\x1b[31m').done())
    lacks(r.failed(1, 'esc').err, '\x1b')


@cases({'too deep': ('/'.join(['d'] * 101), 'too deep'),
        'too long a word': ('x' * 256, 'too long'),
        'too long': ('/'.join(['x' * 200] * 21), 'too long')})
def names_beyond_measure(name, said):
    image('import', 'a', Tar().add(name).done()).failed(1, said)


# --- bombs -----------------------------------------------------------------

@test
def a_hole_counts_as_what_it_would_be():
    """40 GiB of nothing in a few kilobytes, as GNU tar packs it."""
    need('tar')
    write('hole')
    os.truncate('hole', 40 << 30)
    run(['tar', '-S', '-cf', 'hole.tar', 'hole']).ok()
    check(os.stat('hole.tar').st_size < 100000, 'control: a small archive')
    image('import', 'a', 'hole.tar').failed(1, 'more than 34359738368 bytes')
    os.mkdir('dir')
    os.rename('hole', 'dir/hole')
    image('import', 'a', 'dir').failed(1, 'more than 34359738368 bytes')
    eq(left_in_tmp(), [])


@test
def a_small_hole_stays_a_hole():
    os.mkdir('dir')
    write('dir/hole', 'begin')
    os.truncate('dir/hole', 64 << 20)
    told('import', 'a', 'dir')
    st = os.stat(tree('a') + '/hole')
    eq(st.st_size, 64 << 20)
    check(st.st_blocks * 512 < 1 << 20, f'{st.st_blocks} blocks')


def unpack(source, max_bytes, max_entries):
    """mxc-unpack itself, with other limits; answers its first words."""
    if LACK:
        skip(LACK)
    os.makedirs('target', exist_ok=True)
    with open(source, 'rb') as f:
        target = os.open('target', os.O_RDONLY)
        r = subprocess.run(
            ['bash', '-c', f'exec 3</dev/fd/{target}; exec "$0" "$@"', UNPACK,
             str(max_bytes), str(max_entries)], stdin=f,
            stdout=subprocess.PIPE, pass_fds=[target])
        os.close(target)
    return int.from_bytes(r.stdout[:4], 'little'), r.stdout


@test
def limits_are_exact():
    t = Tar()
    for n in range(10):
        t.add(f'f{n}', data=b'x' * 100)
    t.done()
    eq(unpack(t.path, 1000, 10)[0], 0, 'control')
    failed, said = unpack(t.path, 1000, 9)
    eq((failed, b'more than 9 entries' in said), (1, True))
    failed, said = unpack(t.path, 999, 10)
    eq((failed, b'more than 999 bytes' in said), (1, True))


@test
def directories_that_no_entry_names_count_too():
    path = Tar().add('a/b/c/f').add('a/b/d/f').done()
    eq(unpack(path, 1000, 6)[0], 0, 'control')
    shutil.rmtree('target')
    failed, said = unpack(path, 1000, 5)
    eq((failed, b'more than 5 entries' in said), (1, True))


@test
def a_header_that_lies_about_its_size():
    """An octal size near 2^63, and a negative one."""
    info = tarfile.TarInfo('big')
    for size in (b'777777777777', b'\x80' + b'\x7f' + b'\xff' * 10,
                 b'\xff' * 12):
        head = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
        head[124:136] = size
        head[148:156] = b' ' * 8
        head[148:156] = b'%06o\0 ' % sum(head)
        write('lie.tar', bytes(head) + bytes(1024))
        r = image('import', 'a', 'lie.tar')
        eq((r.status, left_in_tmp()), (1, []), repr(r))


# --- two at once, and one that is killed -----------------------------------

@test
def two_imports_at_once_are_one_after_the_other():
    tops = [images.root(f'r{n}', {'etc/n': str(n)}) for n in range(4)]
    ps = [spawn([MXC, 'image', 'import', f'name/{n % 2}', top])
          for n, top in enumerate(tops)]
    if LACK:
        for p in ps:
            p.wait()
        skip(LACK)
    for p in ps:
        eq((p.wait(60), p.stderr.read()), (0, b''))
    for n in range(2):
        image('verify', f'name/{n}').ok()
        check(read(tree(f'name/{n}') + '/etc/n') in (str(n), str(n + 2)))
    eq((len(os.listdir(store() / 'trees')), left_in_tmp()), (2, []))


def half_an_import(name='a', **popen):
    """One that waits for the rest of its archive: (process, pipe)."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode='w') as t:
        for n in range(20):
            info = tarfile.TarInfo(f'file{n}')
            info.size = 4096
            t.addfile(info, io.BytesIO(b'x' * 4096))
    p = spawn([MXC, 'image', 'import', name, '-'], stdin=subprocess.PIPE,
              **popen)
    p.stdin.write(data.getvalue()[:70000])
    p.stdin.flush()
    if LACK:
        p.kill()
        skip(LACK)
    eventually(lambda: any(files for _, _, files in os.walk(store() / 'tmp')),
               what='the first files')
    return p


@test
def what_unpacks_has_nothing_of_the_caller():
    with open(write('secret', 'hunter2')) as secret:
        p = half_an_import(pass_fds=(secret.fileno(),))
        pid, = [n for n, (parent, name) in processes().items()
                if parent == p.pid and name == 'mxc-unpack']
        has(descriptors(p.pid).values(), os.path.abspath('secret'), 'control')
        lacks(descriptors(pid).values(), os.path.abspath('secret'))
        p.terminate()
        p.communicate()


@cases({'import': lambda: told('import', 'b', images.root()),
        'rm': lambda: image('rm', 'old').ok()})
def what_a_killed_import_left_goes_with_the_next(following):
    told('import', 'old', images.root('old'))
    p = half_an_import()
    p.send_signal(signal.SIGKILL)
    p.wait()
    check(left_in_tmp(), 'control: something was left')
    image('show', 'a').failed(1, 'no image')
    following()
    eq(left_in_tmp(), [])
    image('show', 'a').failed(1, 'no image')


@test
def an_import_waits_for_one_that_is_under_way():
    p = half_an_import()
    later = spawn([MXC, 'image', 'import', 'b', images.root()])
    try:
        later.wait(0.5)
        fail('it did not wait')
    except subprocess.TimeoutExpired:
        pass
    # Looking does not wait.
    eq(told('list')['images'], [])
    p.send_signal(signal.SIGTERM)
    p.wait()
    eq(later.wait(30), 0)
    eq(left_in_tmp(), [])
    image('verify', 'b').ok()


# --- what is not what was imported -----------------------------------------

def damage(how):
    told('import', 'a', images.root())
    top = store() / 'trees' / os.listdir(store() / 'trees')[0]
    how(top)
    return top


@cases({'content': (lambda t: (t / 'root/etc/passwd').write_text('x'),
                    '/etc/passwd'),
        'mode': (lambda t: (t / 'root/etc/passwd').chmod(0o666),
                 '/etc/passwd'),
        'more': (lambda t: (t / 'root/etc/more').write_text(''), '/etc/more'),
        'fewer': (lambda t: (t / 'root/bin/cat').unlink(), '/bin/chmod'),
        'link': (lambda t: ((t / 'root/bin/sh').unlink(),
                            (t / 'root/bin/sh').symlink_to('/tmp/x')),
                 '/bin/sh'),
        'fifo': (lambda t: os.mkfifo(t / 'root/etc/fifo'), '/etc/fifo')})
def verify_finds_what_changed(how, where):
    damage(how)
    image('verify', 'a').failed(1, where)
    # Importing it again mends it.
    told('import', 'a', 'root')
    image('verify', 'a').ok()


@cases({'no seal': (lambda t: (t / 'seal').unlink(), 'seal is missing'),
        'other seal': (lambda t: (t / 'seal').write_text('sha256:0\n'),
                       'seal is of another tree'),
        'seal for all': (lambda t: (t / 'seal').chmod(0o666), 'not yours'),
        'seal is a link': (lambda t: ((t / 'seal').rename(t / 's'),
                                      (t / 'seal').symlink_to('s')),
                           'seal is missing'),
        'tree for all': (lambda t: t.chmod(0o777), 'tree is missing or not '
                         'yours'),
        'no root': (lambda t: (t / 'root').rename(t / 'other'),
                    'tree is missing'),
        'no tree': (lambda t: t.rename(store() / 'gone'), 'tree is missing')})
def a_damaged_image_is_refused_and_can_go(how, said):
    damage(how)
    image('show', 'a').failed(1, "'a' is damaged", said, 'mxc image rm a')
    has(image('list').ok().out, 'DAMAGED')
    image('rm', 'a').ok()
    eq(told('list')['images'], [])


@test
def a_store_that_others_can_write_to_is_refused():
    told('import', 'a', images.root())
    store().chmod(0o777)
    for verb in (('show', 'a'), ('list',), ('import', 'a', 'root'),
                 ('rm', 'a')):
        image(*verb).failed(1, 'cannot be trusted', 'writable by nobody else')
    store().chmod(0o700)
    (store() / 'names').chmod(0o770)
    image('show', 'a').failed(1, 'cannot be trusted')


@test(only='root')
def a_store_of_somebody_else_is_refused():
    told('import', 'a', images.root())
    os.chown(store(), 1, 1)
    image('show', 'a').failed(1, 'cannot be trusted', 'user 1')


@test
def a_name_cannot_lead_out_of_the_store():
    told('import', 'a', images.root())
    name = store() / 'names/a'
    for text in ('sha256:../../../etc\n', 'x', '', 'sha256:' + 'g' * 64 + '\n',
                 name.read_text() * 2):
        name.write_text(text)
        image('show', 'a').failed(1, 'leads nowhere')
    name.unlink()
    name.symlink_to('/etc/passwd')
    image('show', 'a').failed(1, 'damaged')
    image('rm', 'a').ok()
    check(os.path.exists('/etc/passwd'))


@test
def an_image_in_use_stays():
    import fcntl
    told('import', 'a', images.root())
    path = tree('a')
    with open(os.path.dirname(path) + '/seal') as seal:
        fcntl.flock(seal, fcntl.LOCK_SH)
        image('rm', 'a').failed(1, 'container runs on')
        told('import', 'a', images.root('other', {'x': ''}))
        check(os.path.exists(path), 'the tree in use is gone')
    told('import', 'b', 'other')
    check(not os.path.exists(path), 'the next import takes it')


@test
def nobody_begins_to_use_an_image_that_is_going():
    """Between the question and the rename, held up here."""
    import fcntl
    need('strace')
    told('import', 'a', images.root())
    seal = os.path.dirname(tree('a')) + '/seal'
    p = spawn(['strace', '-o', 'calls', '-e', 'trace=renameat', '-e',
               'inject=renameat:delay_enter=1000000', MXC, 'image', 'rm', 'a'])
    with open(seal) as f:
        eventually(lambda: 'renameat' in read('calls') if
                   os.path.exists('calls') else False, what='it renames')
        try:
            fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fail('it can be held still')
        except BlockingIOError:
            pass
    eq((p.wait(30), os.path.exists(seal)), (0, False))


@test
def no_sandbox_writes_to_the_store():
    """What it could write there would be the root of the next container."""
    told('import', 'a', images.root())
    evil = os.path.join(tree('a'), 'bin/evil')
    above = store().parents[1]
    (above / 'link').symlink_to('mxc')
    os.chdir('/')
    r = mxc('run', '--rw', above, '--', 'sh', '-c', f'echo >{above}/own && '
            f'ls {os.path.dirname(evil)}; echo >{evil}')
    has(r.ok(2).out, 'busybox')
    has(r.err, 'Read-only file system')
    check((above / 'own').exists() and not os.path.exists(evil))
    mxc('run', '--rw', above, '--', 'mv', above / 'mxc', above / 'mine'
        ).failed(1, 'busy')
    mxc('run', '--rw', store() / 'trees', '--', 'true'
        ).failed(125, 'where mxc keeps its images')
    mxc('run', '--ro', store() / 'trees', '--', 'ls', os.path.dirname(evil)
        ).ok()
    # A stricter word than ours stands.
    r = mxc('run', '--rw', above, '--deny', above / 'mxc', '--',
            'ls', os.path.dirname(evil))
    has(r.ok(2).err, 'Permission denied')
    image('verify', 'a').ok()


@test
def the_store_itself_is_no_image():
    told('import', 'a', images.root())
    image('import', 'b', store()).failed(1, 'holds the image store itself')
    eq(left_in_tmp(), [])


# --- download --------------------------------------------------------------

TEMPLATE = r"""#!/bin/sh
# LXC's program, as far as mxc knows it.
set -eu
said=$*
while [ $# -gt 0 ]; do
    case $1 in
        --dist=*) d=${1#*=} ;; --release=*) r=${1#*=} ;;
        --arch=*) a=${1#*=} ;; --variant=*) v=${1#*=} ;;
        --rootfs=*) root=${1#*=} ;; --path=*) p=${1#*=} ;;
    esac
    shift
done
c=$LXC_CACHE_PATH/download/$d/$r/$a/$v
mkdir -p "$c" "$p/x/bin" "$p/x/etc"
echo '#!/bin/sh' >"$p/x/bin/hello"
echo "$said" >"$p/x/etc/said"
id -u >"$p/x/etc/uid"
grep CapEff /proc/self/status >"$p/x/etc/caps"
{ @BODY@
} >"$p/x/etc/body" 2>&1 || true
tar -C "$p/x" -cJf "$c/rootfs.tar.xz" .
@END@
echo 20260101 >"$c/build_id"
mkdir -p "$HOME/out"
tar -C "$root" -xf "$c/rootfs.tar.xz"
"""


def downloaded(name, body='true', end='', status=0):
    path = write('template', TEMPLATE.replace('@BODY@', body).replace(
        '@END@', end))
    path.chmod(0o755)
    r = image('download', name, '--template', path)
    eq(r.status, status, repr(r))
    return r


def text(name, file):
    return read(f'{tree(name)}/etc/{file}').strip()


@test
def a_distribution_is_downloaded_by_the_program_of_the_host():
    need('tar', 'xz')
    downloaded('alpine/3.23')
    machine = os.uname().machine
    arch = {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine)
    said = text('alpine/3.23', 'said')
    for piece in ('--dist=alpine --release=3.23', f'--arch={arch} ',
                  '--variant=default'):
        has(said, piece)
    check(os.access(f'{tree("alpine/3.23")}/bin/hello', os.R_OK))
    image('verify', 'alpine/3.23').ok()
    downloaded('debian/bookworm/cloud')
    has(text('debian/bookworm/cloud', 'said'),
        '--dist=debian --release=bookworm')
    has(text('debian/bookworm/cloud', 'said'), '--variant=cloud')
    eq(left_in_tmp(), [])


@test
def what_downloads_is_in_a_sandbox():
    """Each works outside; no capability, and no file but its own."""
    need('tar', 'xz')
    secret = write('secret', 'of the caller')
    os.chmod(secret, 0o644)
    attack_it = f'cat {secret}; echo x >{os.getcwd()}/made'
    has(run(['sh', '-c', attack_it]).ok().out, 'of the caller')
    os.unlink('made')
    downloaded('a/b', body=attack_it)
    lacks(text('a/b', 'body'), 'of the caller')
    check(not os.path.exists('made'), 'a file outside')
    eq(text('a/b', 'caps').split()[1], '0' * 16)
    eq(text('a/b', 'uid'), str(os.geteuid()))


@cases({
    'a link': ('rm "$c/rootfs.tar.xz"; ln -s @HERE@/mine.tar '
               '"$c/rootfs.tar.xz"'),
    'a link on the way': ('mv "$c" "$c.real"; ln -s "$c.real" "$c"'),
    'a pipe': ('rm "$c/rootfs.tar.xz"; mkfifo "$c/rootfs.tar.xz"; '
               'echo 1 >"$c/build_id"; exit'),
    'nothing': 'rm "$c/rootfs.tar.xz"',
    'half of it': 'exit 3',
})
def what_it_leaves_is_an_archive_or_nothing(end):
    need('tar', 'xz')
    Tar('mine.tar').add('etc/mine', data=b'x').done()
    r = downloaded('a/b', end=end.replace('@HERE@', os.getcwd()), status=1)
    has(r.err, 'lxc-download brought no archive of a/b/')
    image('show', 'a/b').failed(1, 'there is no image')
    eq(left_in_tmp(), [])


@test
def what_it_said_is_shown_without_its_bytes():
    r = downloaded('a/b', end=r"""printf 'no \033[31mroute\n' >&2; exit 7""",
                   status=1)
    has(r.err, '| no \\x1b[31mroute')
    has(r.err, 'it ended with status 7')


@test
def a_hostile_archive_is_unpacked_behind_walls():
    need('tar', 'xz')
    downloaded('a/b', end=(
        'mkdir -p "$p/y"; ln -s / "$p/y/out"; '
        'tar -C "$p/y" -cf "$p/y.tar" out; rm "$p/y/out"; mkdir "$p/y/out"; '
        'echo x >"$p/y/out/mxc-test-escape"; '
        'tar -C "$p/y" -rf "$p/y.tar" out/mxc-test-escape; '
        'xz <"$p/y.tar" >"$c/rootfs.tar.xz"'), status=1)
    check(not os.path.exists('/mxc-test-escape'), 'through the link')
    eq(left_in_tmp(), [])


@test
def nothing_is_downloaded_without_the_program_or_a_word():
    """Not by a run, and not without the program."""
    image('download', 'a/b', '--template', '/no/such/lxc-download').failed(
        1, '/no/such/lxc-download is not there', 'install LXC')
    for template in ('relative', '/', '/usr'):
        image('download', 'a/b', '--template', template).failed(
            1, f'{template} is not there, or not executable', 'install LXC')
    image('download', 'debian').failed(1, 'names no release')
    image('download', '../x').failed(1, 'no name of an image')
    image('list', '--template', '/x').failed(2, '--template is for download')
    image('download').failed(2, 'an operand is missing')
    eq(told('list')['images'], [])


main()
