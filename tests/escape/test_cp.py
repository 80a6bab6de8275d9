#!/usr/bin/env python3
"""Attacks by `mxc cp`: by what comes out of a session on the host, and by a copy
on what the policy refuses.  What comes out is unpacked by `mxc-copy receive`,
which is given here what a workload that took the other side over could send."""

import io
import os
import re
import sys
import tarfile
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from sessions import *  # noqa: E402,F403

COPY = MXC.parents[1] / 'libexec/mxc/mxc-copy'
if not COPY.exists():      # a build tree
    COPY = MXC.parents[1] / 'copy/mxc-copy'


class Tar:
    """An archive as one writes it who means no good."""

    def __init__(self):
        self.file = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.file, mode='w',
                                format=tarfile.PAX_FORMAT)

    def add(self, name, kind=tarfile.REGTYPE, data=b'', mode=0o644, link='',
            **more):
        i = tarfile.TarInfo(name)
        i.type, i.mode, i.linkname, i.size = kind, mode, link, len(data)
        for key, value in more.items():
            setattr(i, key, value)
        self.tar.addfile(i, io.BytesIO(data))
        return self

    def dir(self, name, mode=0o755):
        return self.add(name, tarfile.DIRTYPE, mode=mode)

    def symlink(self, name, to):
        return self.add(name, tarfile.SYMTYPE, link=to)

    def hardlink(self, name, to):
        return self.add(name, tarfile.LNKTYPE, link=to)

    def bytes(self):
        self.tar.close()
        return self.file.getvalue()


def receive(data, into, name='got', most=1 << 20, entries=1000, seconds=20):
    """(whether it took all of it, its words)"""
    os.makedirs(into, exist_ok=True)
    r, w = os.pipe()
    target = os.open(into, os.O_RDONLY | os.O_DIRECTORY)

    def place():
        os.dup2(w, 1)
        os.dup2(target, 3)
    done = run([COPY, 'receive', name, str(most), str(entries)], input=data,
               timeout=seconds, preexec_fn=place, close_fds=False)
    os.close(w)
    os.close(target)
    with os.fdopen(r, 'rb') as f:
        report = f.read()
    if not report:
        return False, f'status {done.status}'
    words = ' '.join(x.decode() for x in re.findall(rb'[ -~]{4,}', report))
    return report[:4] == bytes(4), words


def tree(top):
    return sorted(os.path.relpath(os.path.join(w, n), top)
                  for w, dirs, files in os.walk(top) for n in dirs + files)


@test
def the_control():
    data = (Tar().dir('x').add('x/f', data=b'one').symlink('x/l', 'f')
            .dir('x/d').symlink('x/d/up', '../f').bytes())
    eq(receive(data, 'out')[0], True)
    eq(tree('out'), ['got', 'got/d', 'got/d/up', 'got/f', 'got/l'])


NAMES = {
    'dots': (lambda t: t.dir('x').add('x/../../canary/f', data=b'x'),
             'leads out of the copy'),
    'dots first': (lambda t: t.add('../canary/f', data=b'x'),
                   'leads out of the copy'),
    'absolute': (lambda t: t.add('{canary}/f', data=b'x'), "begins with '/'"),
    'two things': (lambda t: t.dir('x').add('y', data=b'x'),
                   'more than one thing'),
    'through a link': (lambda t: t.dir('x').symlink('x/l', 'd').dir('x/d')
                       .add('x/l/f', data=b'x'), 'is no directory of the copy'),
    'a link for all of it': (lambda t: t.symlink('x', '{canary}')
                             .add('x/f', data=b'x'), None),
    'a link, then a directory': (
        lambda t: t.dir('x').symlink('x/l', '../canary').dir('x/l')
        .add('x/l/f', data=b'x'), None),
    'a directory, then a link': (
        lambda t: t.dir('x').dir('x/l').add('x/l/g').symlink('x/l', 'd')
        .add('x/l/f', data=b'x'), 'is a directory and something else'),
    'a hard link': (lambda t: t.dir('x').hardlink('x/l', '../canary/secret'),
                    'a second name of a file'),
    'a hard link inside': (lambda t: t.dir('x').add('x/f')
                           .hardlink('x/l', 'x/f'), 'a second name of a file'),
    'no name': (lambda t: t.add('', data=b'x'), 'has no name'),
    'a dot': (lambda t: t.add('.', data=b'x'), 'more than one thing'),
    'deep': (lambda t: t.dir('x/' + 'd/' * 200), 'is too deep'),
    'long': (lambda t: t.add('x/' + 'n' * 300), 'is too long'),
    'very long': (lambda t: t.add('x/' + 'n/' * 2500), 'too long'),
}


@cases(NAMES)
def hostile_names(make, says):
    os.mkdir('canary')
    write('canary/secret', 'mine')
    here = os.path.abspath('canary')
    archive = Tar()
    add = archive.add
    archive.add = lambda name, *a, link='', **kw: add(
        name.format(canary=here), *a, link=link.format(canary=here), **kw)
    data = make(archive).bytes()
    good, words = receive(data, 'out')
    eq(tree('canary'), ['secret'])
    eq((read('canary/secret'), os.stat('canary/secret').st_nlink), ('mine', 1))
    eq(good, says is None, words)
    if says:
        has(words, says)
    for name in tree('out'):
        check(not os.path.islink(f'out/{name}') or
              os.path.realpath(f'out/{name}').startswith(
                  os.path.realpath('out/got') + '/'), f'{name} leads out')


LINKS = {
    'absolute': ('x/l', '/etc/passwd', False),
    'above': ('x/l', '..', False),
    'above and beside': ('x/l', '../secret', False),
    'itself': ('x/l', '.', True),
    'inside': ('x/a/b/l', '../../f', True),
    'one more': ('x/a/b/l', '../../../f', False),
    'down and up': ('x/l', 'a/../../secret', False),
    'down and up inside': ('x/l', 'a/../f', False),
    'dots between': ('x/a/l', './../f', True),
    'doubled': ('x/a/l', '..//..//f', False),
    'all of it': ('x', 'f', False),
}


@cases(LINKS)
def links_that_lead_out(name, to, stays):
    data = (Tar().dir('x').dir('x/a').dir('x/a/b').add('x/f', data=b'f')
            if name != 'x' else Tar()).symlink(name, to).bytes()
    good, words = receive(data, 'out')
    eq(good, True, words)
    eq(os.path.islink('out/got' + name[1:]), stays)


@test
def links_that_lead_out_together():
    """Each stays inside by itself: d/e is d, so d/e/.. would be outside."""
    data = (Tar().dir('x').dir('x/d').symlink('x/d/e', '.')
            .symlink('x/l', 'd/e/../../secret').bytes())
    eq(receive(data, 'out')[0], True)
    eq(tree('out'), ['got', 'got/d', 'got/d/e'])
    # The control: it would lead out.
    os.symlink('d/e/../../secret', 'out/got/l')
    write('out/secret', 'x')
    eq(read('out/got/l'), 'x')


@test
def devices_and_bits():
    t = Tar().dir('x', mode=0o7777)
    t.add('x/suid', data=b'x', mode=0o7755)
    t.add('x/null', tarfile.CHRTYPE, devmajor=1, devminor=3)
    t.add('x/disk', tarfile.BLKTYPE, devmajor=8, devminor=0)
    t.add('x/pipe', tarfile.FIFOTYPE)
    t.add('x/owned', data=b'x', uid=12345, gid=12345, uname='root')
    good, words = receive(t.bytes(), 'out')
    eq(good, True, words)
    eq(tree('out'), ['got', 'got/owned', 'got/suid'])
    eq(os.stat('out/got/suid').st_mode & 0o7777, 0o1755)
    eq(os.stat('out/got').st_mode & 0o6000, 0)
    eq((os.stat('out/got/owned').st_uid, os.stat('out/got/owned').st_gid),
       (os.geteuid(), os.stat('out').st_gid))


@test
def into_what_is_there():
    """Files of ours that the names of an archive meet."""
    write('secret', 'mine')
    os.makedirs('out/got/d', 0o755)
    os.symlink('../../secret', 'out/got/to_file')
    os.symlink('../..', 'out/got/to_dir')
    os.chmod('out/got/d', 0o700)
    t = (Tar().dir('x', mode=0o777).add('x/to_file', data=b'theirs')
         .dir('x/d', mode=0o777))
    eq(receive(t.bytes(), 'out')[0], True)
    eq(read('secret'), 'mine')
    eq((read('out/got/to_file'), os.path.islink('out/got/to_file')),
       ('theirs', False))
    eq(os.stat('out/got/d').st_mode & 0o777, 0o700)
    good, words = receive(Tar().dir('x').add('x/to_dir/secret', data=b'x')
                          .bytes(), 'out')
    has(words, 'is no directory of the copy')
    eq((good, read('secret')), (False, 'mine'))


@test
def bombs():
    many = Tar().dir('x')
    for n in range(1100):
        many.add(f'x/{n}')
    good, words = receive(many.bytes(), 'many')
    eq(good, False)
    has(words, 'more than 1000 entries')
    # Directories that no entry names count too.
    ways = Tar().dir('x')
    for n in range(30):
        ways.dir(f'x/{n}/' + 'd/' * 90)
    has(receive(ways.bytes(), 'ways')[1], 'more than 1000 entries')
    # Said to be large, and said to be larger than it is.
    large = bytearray(Tar().add('x', data=b'a' * 600).bytes())
    good, words = receive(bytes(large), 'large', most=599)
    has(words, 'more than 599 bytes')
    huge = tarfile.TarInfo('x')
    huge.size = 1 << 50
    head = huge.tobuf(tarfile.GNU_FORMAT)
    has(receive(head + b'x' * 5000, 'huge', most=1 << 60)[1], 'ends too soon')
    check(os.stat('huge/got').st_blocks < 100, 'room for what did not come')
    # An extended header without an end.
    pax = tarfile.TarInfo('x')
    pax.type, pax.size = b'x', 1 << 40
    has(receive(pax.tobuf(tarfile.GNU_FORMAT) + b'1 ' * 5000, 'pax')[1],
        'a header is too long')
    # Bytes without an end, after the end.
    data = Tar().dir('x').bytes() + bytes(64 << 20)
    eq(receive(data, 'after')[0], True)


@test
def nothing_but_tar():
    for data in (b'', b'x' * 100, b'x' * 100_000, bytes(100), b'\x1f\x8b' * 600):
        good, words = receive(data, 'out')
        eq(good, False, words)
    eq(tree('out'), [])


# --- by the command itself ---------------------------------------------------

@test
def what_the_policy_refuses():
    write('w/secret', 'hunter2')
    write('w/open', 'open')
    write('ro/f', 'mine')
    w, ro = os.path.abspath('w'), os.path.abspath('ro')
    with Session(rw='w', ro='ro', deny='w/secret') as s:
        mxc('cp', f'{s.id}:{w}/open', 'got').ok()     # the control
        eq(read('got'), 'open')
        for path in (f'{w}/secret', '/proc/1/environ', '/etc/shadow',
                     f'/proc/1/root{w}/secret'):
            r = mxc('cp', f'{s.id}:{path}', 'got2')
            check(r.status == 1 and 'in the session' in r.err, r)
            check(not os.path.exists('got2'))
        # By a link that the workload has left.
        s.sh(f'ln -s {w}/secret /tmp/l; ln -s {w} /tmp/d').ok()
        r = mxc('cp', f'{s.id}:/tmp/l', 'got2').failed(1, 'ermission denied')
        mxc('cp', f'{s.id}:/tmp/d', 'got3').failed(1, 'ermission denied')
        check(not os.path.exists('got2') and not os.path.exists('got3'))
        # And in.
        for to in (f'{ro}/f', f'{ro}/new', '/usr/bin/new', f'{w}/secret'):
            mxc('cp', 'got', f'{s.id}:{to}').failed(1, 'in the session')
        eq((read('ro/f'), os.listdir('ro'), read('w/secret')),
           ('mine', ['f'], 'hunter2'))
        s.sh(f'ln -s {ro} /tmp/r').ok()
        mxc('cp', 'got', f'{s.id}:/tmp/r').failed(1, 'ead-only')
        eq(os.listdir('ro'), ['f'])


@test
def the_program_that_copies():
    """It is a process like every other: what it has is no more than they."""
    with Session() as s:
        p = spawn([MXC, 'cp', '-', f'{s.id}:/tmp'], stdin=-1)
        eventually(lambda: s.names(), what='it runs')
        code = '''
for pid in os.listdir("/proc"):
    if pid.isdigit() and pid != "1" and int(pid) != os.getpid():
        for what in ("exe", "cwd", "root", "fd/0", "fd/3"):
            try:
                print(pid, what, os.readlink(f"/proc/{pid}/{what}"))
            except OSError as e:
                print(pid, what, errno.errorcode[e.errno])
'''
        out = s.exec(*pyprobe(code)).ok().out
        has(out, 'exe EACCES')
        lacks(out, 'mxc-copy')
        status = [read(f'/proc/{q["hostPid"]}/status')
                  for q in s.look()['processes']]
        for text in status:
            eq(re.search(r'CapEff:\s*(\w+)', text)[1], '0' * 16)
            eq(re.search(r'NoNewPrivs:\s*(\d)', text)[1], '1')
            eq(re.search(r'Seccomp:\s*(\d)', text)[1], '2')
        fds = descriptors(s.look()['processes'][0]['hostPid'])
        check(set(fds) <= {'0', '1', '2', '3'}, fds)
        p.kill()
        p.communicate()


@test
def the_program_that_receives():
    """It has the stream, its words and one directory; nothing of its caller."""
    write('secret', 'hunter2')
    with Session() as s, open('secret') as secret:
        s.sh('truncate -s 3G /tmp/hole').ok()
        p = spawn([MXC, 'cp', f'{s.id}:/tmp/hole', 'out'],
                  pass_fds=(secret.fileno(),))

        def receiver():
            found = [pid for pid, (parent, name) in processes().items()
                     if parent == p.pid and name == 'mxc-copy']
            return found and re.search(r'Seccomp:\s*2', read(
                f'/proc/{found[0]}/status')) and found[0]
        pid = eventually(receiver, what='it receives')
        # Besides what it is given, the directory and the file that it fills.
        for n, to in descriptors(pid).items():
            check(re.match(r'pipe:|/dev/null$', to) if n in '012' else
                  '/.mxc-cp-' in to, (n, to))
        status = read(f'/proc/{pid}/status')
        eq(re.search(r'CapEff:\s*(\w+)', status)[1], '0' * 16)
        eq(re.search(r'NoNewPrivs:\s*(\d)', status)[1], '1')
        p.terminate()
        p.communicate(timeout=20)
        eq(os.path.exists('out'), False)


@test
def a_place_that_is_swapped():
    """The workload changes what is copied in, between directory and link."""
    os.mkdir('rw')
    os.makedirs('canary/d')
    rw = os.path.abspath('rw')
    write('f', 'x')
    with Session(rw='rw') as s:
        p = s.spawn('sh', '-c', f'cd {rw}; mkdir a; echo up; while :; do '
                    f'mv a b; ln -s {os.path.abspath("canary")} a; rm a; '
                    'mv b a; done')
        p.stdout.readline()
        for _ in range(30):
            mxc('cp', 'f', f'{s.id}:{rw}/a/d')
        p.kill()
        p.communicate()
    eq(tree('canary'), ['d'])


LANDS = {
    'a file': ('/tmp/x', 'rw/', 'rw/x'),
    'under a new name': ('/tmp/x', 'rw/new', 'rw/new'),
    'what is in a directory': ('/tmp/d/.', 'rw/new', 'rw/new'),
}


@cases(LANDS)
def where_it_lands_is_swapped(path, to, made):
    """The workload may write where a copy is made until it is whole, and puts
    a link to the host's files in its place."""
    os.mkdir('rw')
    for name in ('canary/x', 'canary/content/secret'):
        write(name, 'mine')
    rw, canary = os.path.abspath('rw'), os.path.abspath('canary')
    swap = f'''cd {rw}; echo up; while :; do
        for i in .mxc-cp-*; do
            test -d "$i" && ! test -L "$i" && mv "$i" moved &&
                ln -s {canary} "$i" && echo swapped && exit
        done
    done'''
    with Session(rw='rw') as s:
        s.sh('mkdir /tmp/d; truncate -s 300M /tmp/x /tmp/d/x').ok()
        p = s.spawn('sh', '-c', swap)
        p.stdout.readline()
        r = mxc('cp', f'{s.id}:{path}', to)
        eq(p.stdout.readline(), b'swapped\n')
        p.communicate()
        eq(tree('canary'), ['content', 'content/secret', 'x'])
        eq((read('canary/x'), read('canary/content/secret')), ('mine', 'mine'))
        # What the session moved is the session's; what is a link before it was
        # opened, or between its two commands nothing at all, is refused.
        if r.status:
            r.failed(1, "cannot copy to '")
            check('ot a directory' in r.err or 'No such file' in r.err, r)
        else:
            check(os.path.lexists(made), tree('rw'))


main()
