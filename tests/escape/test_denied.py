#!/usr/bin/env python3
"""Denied paths that exist (B2-B4, B7-B9, B11, B12, W4, W5, W22): refused by
every call, through every name, and nothing can be moved out of the way."""

import json
import os
import shutil
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403

SECRET = 'the secret'
DENIED = ['w/repo/.git/config', 'w/keys']


def make_tree():
    """w is granted for writing; a file and a directory in it are denied."""
    shutil.rmtree('w', ignore_errors=True)
    write('w/repo/.git/config', SECRET)
    write('w/keys/id', SECRET)
    write('w/file', 'plain')
    write('w/dir/file', 'plain')


def names():
    """Python text that names the parts of the tree."""
    w = os.path.abspath('w')
    return (f'W = {w!r}; F = W + "/repo/.git/config"; D = W + "/keys"\n'
            'A = -100; f, d, w = F.encode(), D.encode(), W.encode()\n')


def check_untouched():
    eq(read('w/repo/.git/config'), SECRET)
    eq(read('w/keys/id'), SECRET)
    eq(sorted(os.listdir('w')), ['dir', 'file', 'keys', 'repo'])
    eq(sorted(os.listdir('w/keys')), ['id'])


def refused(code, errno, **more):
    make_tree()
    r = attack(names() + code, refused=errno, reset=make_tree, rw='w',
               deny=DENIED, **more)
    lacks(r.out, SECRET)
    check_untouched()


# Renaming and linking: the cover is another mount, which the kernel sees
# first.  Changing its modes, owner or times: its owner has no name in here.
CALLS = {
    'open to read': ('open(F).read()', 'EACCES'),
    'open to write': ('open(F, "r+")', 'EACCES'),
    'open to append': ('open(F, "a")', 'EACCES'),
    'open to truncate': ('open(F, "w")', 'EACCES'),
    'open, O_CREAT': ('os.open(F, os.O_RDWR | os.O_CREAT)', 'EACCES'),
    'creat': ('call("creat", f, 0o600)', 'EACCES'),
    'a path descriptor': ('fd = os.open(F, os.O_PATH)\n'
                          'open(f"/proc/self/fd/{fd}").read()', 'EACCES'),
    'from its directory': ('os.chdir(W + "/repo/.git")\nopen("config")',
                           'EACCES'),
    'truncate': ('os.truncate(F, 0)', 'EACCES'),
    'unlink': ('os.unlink(F)', 'EBUSY'),
    'rename away': ('os.rename(F, W + "/new")', 'EXDEV'),
    'rename over': ('os.rename(W + "/file", F)', 'EXDEV'),
    'exchange': ('call("renameat2", A, w + b"/file", A, f, 2)', 'EXDEV'),
    'link': ('os.link(F, W + "/new")', 'EXDEV'),
    'link by descriptor': (
        'fd = os.open(F, os.O_PATH)\n'
        'call("linkat", A, f"/proc/self/fd/{fd}".encode(), A, w + b"/new", '
        '0x400)', 'EXDEV'),
    'chmod': ('os.chmod(F, 0o777)', 'EOVERFLOW'),
    'chown': ('os.chown(F, os.getuid(), -1)', 'EOVERFLOW'),
    'times': ('os.utime(F, (1, 1))', 'EOVERFLOW'),
    'times, now': ('os.utime(F)', 'EACCES'),
    'set an attribute': ('os.setxattr(F, "user.a", b"1")', 'EPERM'),
    'inotify': ('call("inotify_add_watch", libc.inotify_init1(0), f, 2)',
                'EACCES'),
    'name_to_handle_at': (
        'h = ctypes.create_string_buffer(struct.pack("Ii", 128, 0), 256)\n'
        'm = ctypes.c_int()\n'
        'call(303, A, f, h, ctypes.byref(m), 0)', 'EPERM'),
    'rmdir': ('os.unlink(D + "/id") if os.access(D, os.X_OK) else 0\n'
              'os.rmdir(D)', 'EBUSY'),
    'list': ('os.listdir(D)', 'EACCES'),
    'enter': ('os.chdir(D)', 'EACCES'),
    'read inside': ('open(D + "/id").read()', 'EACCES'),
    'stat inside': ('os.stat(D + "/id")', 'EACCES'),
    'read inside, by descriptor': (
        'fd = os.open(D, os.O_PATH)\n'
        'os.open("id", os.O_RDONLY, dir_fd=fd)', 'EACCES'),
    'create inside': ('open(D + "/new", "w")', 'EACCES'),
    'mkdir inside': ('os.mkdir(D + "/new")', 'EACCES'),
    'a FIFO inside': ('os.mkfifo(D + "/new")', 'EACCES'),
    'a symlink inside': ('os.symlink("x", D + "/new")', 'EACCES'),
    'a nameless file inside': ('os.open(D, os.O_TMPFILE | os.O_RDWR)',
                               'EOVERFLOW'),
    'a socket inside': ('socket.socket(socket.AF_UNIX).bind(D + "/new")',
                        'EACCES'),
    'rename into': ('os.rename(W + "/file", D + "/new")', 'EACCES'),
    'rename out of': ('os.rename(D + "/id", W + "/new")', 'EACCES'),
    'rename the directory': ('os.rename(D, W + "/new")', 'EBUSY'),
    'chmod the directory': ('os.chmod(D, 0o777)', 'EOVERFLOW'),
}


@cases(CALLS)
def b9_every_call_is_refused(code, errno):
    refused(code, errno)


@test
def b9_executing_it():
    make_tree()
    shutil.copy('/bin/true', 'w/repo/.git/config')
    code = names() + 'os.execv(F, ["x"])'
    inside(code, rw='w').ok()                               # the control
    eq(inside(code, rw='w', deny=DENIED).refused, 'EACCES')


@cases({'mount over': ('call("mount", b"none", d, b"tmpfs", 0, 0)', 'EPERM'),
        'take the cover off': ('call("umount2", f, 2)', 'EPERM'),
        'move the cover': ('call("mount", f, w + b"/file", 0, 8192, 0)',
                           'EPERM'),
        'clone the tree': ('call(428, A, w, 1)', 'EPERM')})
def b17_masks_are_not_the_workloads_to_move(code, errno):
    """The control is in the kernel's calls (E7); here the masks count."""
    make_tree()
    r = inside(names() + code, rw='w', deny=DENIED)
    eq(r.refused, errno)
    check_untouched()


@test
def b17_no_nested_user_namespace_to_unmask_in():
    attack('call("unshare", 0x10020000)', refused='EPERM')
    make_tree()
    r = inside(['unshare', '-Urm', 'umount', os.path.abspath(DENIED[1])],
               rw='w', deny=DENIED)
    r.failed(1, 'unshare failed: Operation not permitted')


# --- still there to see, and looking like nothing else (W22) ---

@test
def w22_denied_is_visible_and_plain():
    make_tree()
    r = inside(names() + 'print(sorted(os.listdir(W + "/repo/.git")), '
               'sorted(os.listdir(W)))\n'
               'for p in (F, D):\n'
               '    s = os.lstat(p)\n'
               '    print(stat.filemode(s.st_mode), s.st_size)\n'
               'print(os.access(F, os.R_OK), os.access(D, os.X_OK))',
               rw='w', deny=DENIED)
    has(r.out, "['config'] ['dir', 'file', 'keys', 'repo']")
    has(r.out, '---------- 0\n')        # no device node
    has(r.out, 'd--------- ')           # no writable tmpfs
    has(r.out, 'False False')


@test
def w22_denied_without_a_grant_is_denied_too():
    """Not "no such file": what policy names is refused, not hidden."""
    make_tree()
    r = inside(names() + 'open(F)', deny=DENIED)
    eq(r.refused, 'EACCES')
    r = inside(names() + 'open(D + "/id")', deny=DENIED)
    eq(r.refused, 'EACCES')


@test
def w22_neighbours_stay_usable():
    make_tree()
    inside('open("w/repo/.git/HEAD", "w").write("x")\n'
           'os.rename("w/dir", "w/dir2")\nopen("w/file", "a").write("+")',
           rw='w', deny=DENIED, cwd=os.getcwd()).ok()
    eq(read('w/repo/.git/HEAD'), 'x')
    eq(read('w/dir2/file'), 'plain')
    eq(read('w/file'), 'plain+')


# --- ancestors stay where they are (B7) ---

@cases({
    'the parent': ('os.rename(W + "/repo/.git", W + "/repo/old")', 'EBUSY'),
    'further up': ('os.rename(W + "/repo", W + "/old")', 'EBUSY'),
    'swapped': ('call("renameat2", A, w + b"/repo", A, w + b"/dir", 2)',
                'EBUSY'),
    # What is pinned is another mount, which the kernel sees first.
    'swapped, the other way': (
        'call("renameat2", A, w + b"/dir", A, w + b"/repo/.git", 2)',
        'EXDEV'),
    'moved by the shell': (
        'r = os.system(f"mv {W}/repo {W}/old 2>/dev/null")\n'
        'if r or not os.path.exists(W + "/old"): '
        'raise OSError(errno.EBUSY, "mv")', 'EBUSY'),
})
def b7_ancestors_are_pinned(code, errno):
    refused(code, errno)


@test
def b7_the_grant_itself_is_pinned():
    make_tree()
    r = inside(names() + 'os.rename(W, os.path.dirname(W) + "/old")',
               rw='w', deny=DENIED)
    eq(r.refused, 'EBUSY')


@test
def b7_read_only_inside_writable_is_pinned_too():
    """Not only denials: what is read-only must not be moved aside."""
    make_tree()
    where = dict(rw='w', ro='w/repo/.git')
    for code, want in (
            ('os.rename(W + "/repo", W + "/old")', 'EBUSY'),
            ('os.rename(W + "/repo/.git", W + "/repo/old")', 'EBUSY'),
            ('open(F, "a")', 'EROFS'), ('os.unlink(F)', 'EROFS'),
            ('os.chmod(F, 0o777)', 'EROFS'),
            ('os.setxattr(F, "user.a", b"1")', 'EROFS')):
        eq(outside(names() + code).done, True, f'control of {code}')
        make_tree()
        eq(inside(names() + code, **where).refused, want, code)
        check_untouched()


# --- between regions (B3, B8) ---

def make_regions():
    for name in ('ro', 'rw', 'no'):
        shutil.rmtree(name, ignore_errors=True)
        write(f'{name}/file', name)


@cases({
    'link from read-only': ('os.link("ro/file", "rw/new")', 'EXDEV'),
    'link from denied': ('os.link("no/file", "rw/new")', 'EACCES'),
    'link by descriptor': (
        'fd = os.open("ro/file", os.O_RDONLY)\n'
        'call("linkat", -100, f"/proc/self/fd/{fd}".encode(), -100, '
        'b"rw/new", 0x400)', 'EXDEV'),
    'link into read-only': ('os.link("rw/file", "ro/new")',
                            ('EXDEV', 'EROFS')),
    'rename from read-only': ('os.rename("ro/file", "rw/new")', 'EXDEV'),
    'rename from denied': ('os.rename("no/file", "rw/new")', 'EACCES'),
    'rename into read-only': ('os.rename("rw/file", "ro/new")', 'EXDEV'),
    'exchange with read-only': (
        'call("renameat2", -100, b"rw/file", -100, b"ro/file", 2)', 'EXDEV'),
    'exchange with denied': (
        'call("renameat2", -100, b"rw/file", -100, b"no/file", 2)',
        'EACCES'),
    'mv, which falls back to copying': (
        'if os.system("mv no/file rw/new 2>/dev/null"): '
        'raise OSError(errno.EACCES, "mv")', 'EACCES'),
})
def b3_b8_nothing_crosses(code, errno):
    make_regions()
    code = f'os.chdir({os.getcwd()!r})\n{code}'
    attack(code, refused=errno, reset=make_regions, ro='ro', rw='rw',
           deny='no')
    for name in ('ro', 'rw', 'no'):
        eq(os.listdir(name), ['file'])
        eq(read(f'{name}/file'), name)


@test
def b8_mv_of_what_is_only_read_leaves_it():
    """mv then copies and fails to remove: no write to the original."""
    make_regions()
    r = inside(['mv', 'ro/file', 'rw/new'], ro='ro', rw='rw', cwd=os.getcwd())
    r.failed(1, "cannot remove 'ro/file': Read-only file system")
    eq(read('ro/file'), 'ro')


# --- other names of the object (B2, B4, B11, W4, W5) ---

@cases({'file by /usr/bin': ('/usr/bin/id', '/bin/id'),
        'file by /bin': ('/bin/id', '/usr/bin/id'),
        'library data': ('/usr/lib/os-release', '/lib/os-release'),
        'linked from /etc': ('/usr/lib/os-release', '/etc/os-release'),
        'directory by /sbin': ('/sbin', '/usr/sbin/nologin'),
        'directory': ('/usr/sbin', '/sbin/nologin')})
def w4_merged_usr_names_are_one(denied, alias):
    if not os.path.exists(alias):
        skip(f'no {alias}')
    code = f'open({alias!r}, "rb").read(1)'
    eq(outside(code).done, True, 'control')
    eq(inside(code).done, True, 'control without the denial')
    eq(inside(code, deny=denied).refused, 'EACCES')
    code = code.replace(alias, denied)
    if os.path.isdir(denied):
        code = f'os.listdir({denied!r})'
    eq(inside(code, deny=denied).refused, 'EACCES')


@test
def w4_a_denied_bin_is_denied_by_both_names():
    """Without any program, so that the probe must be a file of its own."""
    probe = cprobe('int main(int c, char **v)\n'
                   '{ TRY(open(v[1], O_RDONLY)); DONE(); }')
    for denied in ('/bin', '/usr/bin'):
        for path in ('/bin', '/usr/bin/id', '/bin/id'):
            eq(inside([*probe, path]).done, True, 'control')
            eq(inside([*probe, path], deny=denied).refused, 'EACCES',
               f'{path} under a denied {denied}')


@cases({'/usr': ('/usr', '/usr/bin/true'), '/etc': ('/etc', '/etc/services'),
        'by a link': ('link', '/usr/share/zoneinfo')})
def w4_the_base_has_no_word_against_a_denial(denied, path):
    os.symlink('/usr', 'link')
    probe = cprobe('int main(int c, char **v)\n'
                   '{ TRY(open(v[1], O_RDONLY)); DONE(); }')
    own_base(path)
    eq(inside([*probe, path]).done, True, 'control')
    eq(inside([*probe, path], deny=denied).refused, 'EACCES')
    said = mxc('explain', '--deny', denied, '--', 'true').out
    eq('the programs and libraries' in said, denied == '/etc', said)


@test
def b4_symlinks_on_either_side():
    make_tree()
    os.symlink('repo', 'w/link')
    os.symlink('w', 'other')
    for denied in ('w/link/.git/config', 'other/repo/.git/config',
                   'other/link/.git/config'):
        for path in ('w/repo/.git/config', 'w/link/.git/config'):
            code = f'open({os.path.abspath(path)!r}).read()'
            eq(outside(code).done, True, 'control')
            eq(inside(code, rw='w', deny=denied).refused, 'EACCES',
               f'{path} with {denied} denied')


@test
def b4_a_grant_through_a_symlink_does_not_reach_a_denial():
    """The link may have been planted by an earlier run."""
    write('secret/key', SECRET)
    os.mkdir('w')
    os.symlink('../secret/key', 'w/link')
    os.symlink('../secret', 'w/dir')
    for grant, path in (('w/link', 'w/link'), ('w/dir', 'w/dir/key')):
        code = f'print(open({os.path.abspath(path)!r}).read())'
        eq(outside(code).done, True, 'control')
        eq(inside(code, ro=grant).done, True, 'control without the denial')
        r = inside(code, ro=grant, deny='secret')
        # A grant that became a denial may have no name in the view at all.
        check(r.refused in ('EACCES', 'ENOENT'), str(r))
        lacks(r.out, SECRET)


def with_mounts(script, *argv, **more):
    """Run a shell script, then argv, in a mount namespace of their own."""
    return run([*own_mounts(script), *argv], **more)


BIND = 'mkdir -p a/x b c; mount --bind a/x b'


@cases({'the mount is denied': ('a', 'b'), 'the source is denied':
        ('a', 'a/x'), 'the mount is granted': ('b', 'a/x'),
        'both are granted': ('a b', 'b')})
def b4_bind_mounts_are_aliases(granted, denied):
    write('a/x/f', SECRET)
    grants = granted.split()
    there = [p for p in ('a/x/f', 'b/f')
             if any(p.startswith(g + '/') for g in grants)]
    for path in there:
        code = f'print(open({os.path.abspath(path)!r}).read())'
        r = with_mounts(BIND, *pyprobe(code))
        check(r.done and SECRET in r.out, f'control: {r}')
        r = with_mounts(BIND, MXC, *mxc_args(pyprobe(code), rw=grants,
                                             deny=denied))
        eq(r.refused, 'EACCES', str(r))
        lacks(r.out, SECRET)


@test
def b4_a_file_below_a_bind_mount():
    """The denied object is reached through a mount of a directory above."""
    write('a/x/deep/key', SECRET)
    code = f'open({os.path.abspath("b/deep/key")!r}).read()'
    r = with_mounts(BIND, MXC, *mxc_args(pyprobe(code), rw=['a', 'b']))
    eq(r.done, True, 'control')
    for op in (code, code.replace('.read()', '').replace('")', '", "w")')):
        r = with_mounts(BIND, MXC, *mxc_args(pyprobe(op), rw=['a', 'b'],
                                             deny='a/x/deep/key'))
        eq(r.refused, 'EACCES', str(r))
    eq(read('a/x/deep/key'), SECRET)


@test
def b4_a_bind_mount_inside_a_grant():
    """W5: the alias lies inside of what was granted; policy names only the
    other end."""
    write('secret/key', SECRET)
    os.makedirs('w/mnt')
    script = 'mount --bind secret w/mnt'
    code = f'print(open({os.path.abspath("w/mnt/key")!r}).read())'
    r = with_mounts(script, MXC, *mxc_args(pyprobe(code), rw='w'))
    check(r.done and SECRET in r.out, 'control without the denial')
    for denied in ('secret', 'secret/key'):
        r = with_mounts(script, MXC, *mxc_args(pyprobe(code), rw='w',
                                               deny=denied))
        eq(r.refused, 'EACCES', str(r))
        lacks(r.out, SECRET)


def outcome(*args, status):
    """The JSON result of a run that must end with that status."""
    r = mxc('run', '--json', 'result.json', *args)
    r.ok(status)
    return json.loads(read('result.json'))


@test
def b2_w5_a_denied_file_with_further_links_is_refused():
    make_tree()
    os.link('w/keys/id', 'w/alias')
    code = f'print(open({os.path.abspath("w/alias")!r}).read())'
    r = inside(code, rw='w')
    check(r.done and SECRET in r.out, 'control without the denial')
    r = inside(code, rw='w', deny='w/keys/id')
    r.failed(125, "denied file '", "/w/keys/id' has 2 hard links: its other "
             "names cannot be known", 'break the links')
    lacks(r.out, SECRET)
    j = outcome('--rw', 'w', '--deny', 'w/keys/id', '--', 'true', status=125)
    eq(j['outcome'], 'failed')
    eq(j['error']['code'], 'policy_validation')


def links_policy(links, denied=()):
    return {'version': '1.1.0+c1',
            'filesystem': {'readwritePaths': [os.path.abspath('w')],
                           'deniedPaths': [os.path.abspath(d)
                                           for d in denied],
                           **({'hardLinks': links} if links else {})}}


@test
def b2_links_that_lead_outside_are_refused_for_those_who_ask():
    write('outside', SECRET)
    os.mkdir('w')
    os.makedirs('w/deep/er')
    os.link('outside', 'w/deep/er/link')
    code = f'open({os.path.abspath("w/deep/er/link")!r}, "a").write("+")'
    r = inside(code, policy=links_policy(None))
    check(r.done and read('outside') == SECRET + '+',
          f'control: without asking, the link is the same file: {r}')
    r = inside(code, policy=links_policy('refuse'))
    r.failed(125, "w/deep/er/link' has hard links outside of the writable "
             "paths", 'break the link')
    eq(read('outside'), SECRET + '+')


@test
def b2_links_that_stay_inside_are_no_reason():
    write('w/a', 'x')
    os.link('w/a', 'w/b')
    inside('pass', policy=links_policy('refuse')).ok()


@test
def b2_links_in_what_is_denied_do_not_count_as_inside():
    """The other name lies below the grant, but where the workload may not
    write: changing the first would change it there."""
    write('w/no/a', 'x')
    os.link('w/no/a', 'w/b')
    inside('pass', policy=links_policy('refuse')).ok()
    r = inside('pass', policy=links_policy('refuse', ['w/no']))
    r.failed(125, "w/b' has hard links outside of the writable paths")


@cases({'to a file': ('../target', 'file'), 'to a directory':
        ('../target', 'dir')})
def b11_a_denied_symlink_denies_what_it_leads_to(text, kind):
    os.mkdir('w')
    os.mkdir('w/sub')
    if kind == 'dir':
        write('w/target/f', SECRET)
    else:
        write('w/target', SECRET)
    os.symlink(text, 'w/sub/link')
    tail = '/f' if kind == 'dir' else ''
    for path in ('w/target', 'w/sub/link'):
        code = f'print(open({os.path.abspath(path) + tail!r}).read())'
        check(inside(code, rw='w').done, 'control without the denial')
        eq(inside(code, rw='w', deny='w/sub/link').refused, 'EACCES', path)


@test
def b11_the_name_of_a_denied_symlink_is_not_taken_over():
    """A host tool that reads the denied name must not find what the workload
    put there (CVE-2026-25725)."""
    write('w/target', SECRET)
    os.mkdir('w/sub')
    link = os.path.abspath('w/sub/link')
    for code in (f'os.unlink({link!r})\nopen({link!r}, "w").write("evil")',
                 f'open({link!r} + "2", "w").write("evil")\n'
                 f'os.rename({link!r} + "2", {link!r})'):
        shutil.rmtree('w/sub')
        os.mkdir('w/sub')
        os.symlink('../target', link)
        inside(code, rw='w').ok()
        eq(read(link), 'evil', 'control without the denial')
        shutil.rmtree('w/sub')
        os.mkdir('w/sub')
        os.symlink('../target', link)
        r = inside(code, rw='w', deny='w/sub/link')
        eq(r.refused, 'EBUSY', f'{code}: {r}')
        eq(os.readlink(link), '../target')


@test
def b11_a_denied_dangling_symlink():
    os.makedirs('w/sub')
    os.symlink('../target', 'w/sub/link')
    for path in ('w/target', 'w/sub/link'):
        code = f'open({os.path.abspath(path)!r}, "w").write("x")'
        eq(inside(code, rw='w').done, True, 'control without the denial')
        os.unlink('w/target')
        r = inside(code, rw='w', deny='w/sub/link')
        eq(r.refused, 'EACCES', f'{path}: {r}')
        check(not os.path.lexists('w/target'), 'made on the host')


@test
def b11_a_symlink_on_the_way_stays():
    """Not only the last component: what leads there is part of the name."""
    def make():
        shutil.rmtree('w', ignore_errors=True)
        write('w/repo/.git/hooks/x', SECRET)
        os.symlink('repo', 'w/one')
        os.symlink(os.path.abspath('w/one'), 'w/two')
        write('w/other')
    w = os.path.abspath('w')
    for code in ('os.unlink("one")', 'os.rename("one", "three")',
                 'os.rename("two", "three")', 'os.rename("other", "two")',
                 'call("renameat2", -100, b"other", -100, b"one", 2)'):
        make()
        code = f'os.chdir({w!r})\n' + code
        check(outside(code).done, f'control of {code}')
        make()
        r = inside(code, rw='w', deny='w/two/.git/hooks')
        eq(r.refused, 'EBUSY', f'{code}: {r}')
        eq(os.path.realpath('w/two'), w + '/repo')
    for path in ('w/repo', 'w/one', 'w/two'):
        code = f'os.listdir({os.path.abspath(path) + "/.git/hooks"!r})'
        eq(inside(code, rw='w', deny='w/two/.git/hooks').refused, 'EACCES')


@cases({'a directory': ('w/sub', 'os.rmdir'), 'a link': ('w/link', 'os.unlink'),
        'a file': ('w/out', 'os.unlink'),
        'a directory above': ('w/up', 'os.removedirs')})
def b11_a_grant_in_a_grant_leads_where_it_led(path, remove):
    """With a symlink of the workload's in its place, the next run under the
    same policy would grant what that leads to (CVE-2026-25725)."""
    def make():
        shutil.rmtree('w', ignore_errors=True)
        os.makedirs('w/sub')
        os.makedirs('w/up/sub')
        os.makedirs('target', exist_ok=True)
        os.symlink('../target', 'w/link')
        write('w/out', 'plain')
    write('home/.ssh/id', SECRET)
    keys = os.path.abspath('home/.ssh')
    full = os.path.abspath(path)
    last = path + '/sub' if path == 'w/up' else path
    code = (f'{remove}({os.path.abspath(last)!r})\n'
            f'os.symlink({keys!r}, {full!r})')
    make()
    inside(code, rw='w').ok()
    eq(os.path.realpath(path), keys, 'control without the second grant')
    for how in ('rw', 'ro'):
        make()
        before = os.path.realpath(path)
        flags = ['--rw', 'w', f'--{how}', last]
        r = run([MXC, 'run', *flags, '--', *pyprobe(code)])
        eq(r.refused, 'EBUSY', r)
        eq(os.path.realpath(path), before)


@test(only='user')
def b11_a_denied_path_in_an_unreadable_parent():
    """The caller cannot look at it, so it cannot say what it is."""
    write('w/closed/key', SECRET)
    os.chmod('w/closed', 0)
    path = os.path.abspath('w/closed/key')
    r = inside(f'os.chmod({os.path.dirname(path)!r}, 0o700)\n'
               f'print(open({path!r}).read())', rw='w')
    check(r.done and SECRET in r.out, f'control without the denial: {r}')
    os.chmod('w/closed', 0)
    r = inside(f'os.chmod({os.path.dirname(path)!r}, 0o700)', rw='w',
               deny=path)
    other = inside(f'open({path!r})', rw='w', deny=path)
    os.chmod('w/closed', 0o700)
    eq(r.refused, 'EOVERFLOW', str(r))
    eq(other.refused, 'EACCES', str(other))


@test
def b12_a_pattern_is_a_name():
    """No globs in the contract: a star stands for itself and nothing is
    silently left uncovered by "not matching"."""
    make_tree()
    star = write('w/*', SECRET)
    r = inside(f'print(open({str(star)!r}).read())', rw='w', deny='w/*')
    eq(r.refused, 'EACCES')
    r = inside(names() + 'print(open(W + "/file").read())', rw='w',
               deny='w/*')
    has(r.ok().out, 'plain')


main()
