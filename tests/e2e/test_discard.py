#!/usr/bin/env python3
"""`--discard-writes`: what is written to grants is seen inside, and the host
has none of it; what is denied and what is for reading stays so."""

import errno
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from tool_commands import tree  # noqa: E402


def copied(what, *args, **grants):
    return inside(what, flags=['--discard-writes', *args], **grants)


def probe(*lines):
    return pyprobe('\n'.join(lines))


@test
def the_host_has_none_of_it():
    write('d/file', 'old')
    write('d/gone', 'x')
    write('d/sub/deep', 'x')
    here = os.path.abspath('d')
    before = tree('d')
    r = copied(probe(
        f'os.chdir({here!r})', 'open("file", "w").write("new")',
        'open("made", "w").write("x")', 'os.unlink("gone")', 'os.mkdir("dir")',
        'os.rename("sub/deep", "sub/other")', 'os.chmod("file", 0o600)',
        'os.symlink("/etc", "link")', 'os.truncate("sub/other", 0)',
        'print(open("file").read(), sorted(os.listdir(".")))'), rw=here)
    check(r.done, r)
    has(r.out, "new ['dir', 'file', 'link', 'made', 'sub']")
    eq(tree('d'), before)


@test
def the_next_run_has_none_of_it_either():
    write('d/file', 'old')
    here = os.path.abspath('d')
    for _ in range(2):
        r = copied(['sh', '-c', f'cat {here}/file; echo new > {here}/file'],
                   rw=here).ok()
        eq(r.out, 'old')


@test
def what_is_denied_stays_denied():
    secret = str(write('d/sub/.env', 'x'))
    write('d/sub/other', 'x')
    here = os.path.abspath('d')
    grants = {'rw': here, 'deny': [secret, f'{here}/sub/new']}
    for line, refused in (
            (f'open({secret!r}).read()', 'EACCES'),
            (f'os.link({secret!r}, "{here}/l")', ('EXDEV', 'EPERM')),
            (f'os.rename("{here}/sub", "{here}/sub2")', 'EBUSY'),
            (f'os.rename({secret!r}, "{here}/l")', ('EBUSY', 'EXDEV')),
            (f'os.unlink({secret!r})', 'EBUSY'),
            (f'open("{here}/sub/new", "w")', 'EACCES')):
        r = copied(probe(line), **grants)
        wanted = (refused,) if isinstance(refused, str) else refused
        check(r.refused in wanted and not r.done, f'{line}: {r}')
    check(run(probe(f'open({secret!r}).read()')).done)


@test
def what_is_for_reading_stays_so():
    write('d/ro/file', 'x')
    here = os.path.abspath('d')
    r = copied(probe(f'open("{here}/ro/file", "w")'), rw=here,
               ro=f'{here}/ro')
    eq(r.refused, 'EROFS', r)


@test
def no_more_than_the_caller_may():
    """A file of another user's is shown, and neither read nor written."""
    if not IS_ROOT:
        skip('giving files away takes root')
    write('d/closed', 'x', mode=0o600)
    write('d/open', 'x', mode=0o666)
    os.chmod('d', 0o777)
    os.chmod('.', 0o755)
    here = os.path.abspath('d')
    for name, mode in (('closed', 'r'), ('closed', 'a')):
        argv = mxc_args(probe(f'open("{here}/{name}", {mode!r})'),
                        flags=['--discard-writes'], rw=here)
        r = run(['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups',
                 MXC, *argv], env={'HOME': '/', 'XDG_RUNTIME_DIR': ''})
        eq(r.refused, 'EACCES', r)
    # The kernel cannot copy it up: its owner is nobody inside.
    argv = mxc_args(probe(f'open("{here}/open", "a")'),
                    flags=['--discard-writes'], rw=here)
    r = run(['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups',
             MXC, *argv], env={'HOME': '/', 'XDG_RUNTIME_DIR': ''})
    eq(r.refused, 'EOVERFLOW', r)


@test
def it_has_a_bound():
    os.makedirs('d')
    here = os.path.abspath('d')
    r = copied(probe(f'f = open("{here}/x", "wb")',
                     'for _ in range(1100): f.write(bytes(1 << 20))',
                     'f.flush()'), rw=here, timeout=60)
    eq(r.refused, 'ENOSPC', r)


@test
def all_of_them_have_one_bound():
    """Several grants have no more than one; and limits.scratch* is obeyed."""
    for name in 'abc':
        os.makedirs(name)
    here = os.path.abspath('.')
    fill = ['n = 0', 'try:', '  for d in "abc":',
            f'    f = open(f"{here}/{{d}}/x", "wb", buffering=0)',
            '    for _ in range(6): n += f.write(bytes(1 << 20))',
            'except OSError as e: print(n >> 20, e.errno)']
    r = copied(probe(*fill), '--limit', 'scratch=8M', rw=[f'{here}/a',
               f'{here}/b', f'{here}/c'])
    n, error = r.out.split()[:2]
    eq((error, 6 <= int(n) <= 8), (str(errno.ENOSPC), True), r)
    r = copied(probe(*fill), rw=[f'{here}/{d}' for d in 'abc'])
    lacks(r.out, str(errno.ENOSPC), r)
    fill = ['n = 0', 'try:', '  for i in range(300):',
            f'    for d in "abc": open(f"{here}/{{d}}/{{i}}", "w"); n += 1',
            'except OSError as e: print(n, e.errno)']
    r = copied(probe(*fill), '--limit', 'scratch-files=300',
               rw=[f'{here}/{d}' for d in 'abc'])
    n, error = r.out.split()[:2]
    eq((error, 200 <= int(n) <= 300), (str(errno.ENOSPC), True), r)
    eq([os.listdir(d) for d in 'abc'], [[], [], []])


@test
def each_copy_is_of_its_own_directory():
    for name in 'abc':
        write(f'{name}/f', name)
    here = os.path.abspath('.')
    r = copied(['sh', '-c', f'cd {here}; for d in a b c; do echo new-$d '
                f'>> $d/f; done; cat a/f b/f c/f'],
               rw=[f'{here}/{d}' for d in 'cab']).ok()
    eq(r.out, 'anew-a\nbnew-b\ncnew-c\n')
    eq([read(f'{d}/f') for d in 'abc'], ['a', 'b', 'c'])


@test
def a_file_is_refused():
    path = write('d/file', 'x')
    r = mxc('check', '--rw', path).ok()
    r = mxc('run', '--discard-writes', '--rw', path, '--', 'true')
    r.failed(125, 'only a directory is copied on write',
             'grant the directory that it is in')


@test
def what_is_mounted_further_down_is_refused():
    os.makedirs('d/sub')
    here = os.path.abspath('d')
    r = run([*own_mounts(f'mount -t tmpfs none {here}/sub'), MXC, 'run',
             '--discard-writes', '--rw', here, '--', 'true'])
    if r.status != 125 and 'mount' in r.err:
        skip(f'cannot mount: {r.err}')
    r.failed(125, 'cannot lay a copy over', 'on which nothing else is mounted')


@test
def other_backends_refuse_it():
    os.makedirs('d')
    for backend in ('bubblewrap', 'gvisor'):
        r = mxc('run', '--backend', backend, '--discard-writes', '--rw', 'd',
                '--', 'true')
        r.ok(125)
        has(r.err, 'copied on write')


@test
def killed_half_way_it_leaves_nothing():
    write('d/file', 'old')
    before = tree('d')
    here = os.path.abspath('d')
    killed_when_ready('run', '--discard-writes', '--rw', here, '--', 'sh', '-c',
                      f'echo new > {here}/file; echo ready; exec sleep 100')
    eq(tree('d'), before)


@test
def the_receipt_says_so():
    os.makedirs('d')
    mxc('run', '--discard-writes', '--json', 'r', '--rw', 'd', '--',
        'true').ok()
    has(read('r'), 'nothing that is written to grants is kept')
    has(read('r'), 'as large as the private root')


@test(only='root')
def what_the_host_does_not_execute_a_copy_does_not():
    os.mkdir('d')
    here = os.path.abspath('d')
    script = (f'mount -t tmpfs -o noexec t {here} && cp /bin/true {here}/x && '
              f'exec "$0" run --rw {here} "$@" -- {here}/x')
    for flags in ([], ['--discard-writes']):
        r = run(['unshare', '-m', 'sh', '-c', script, MXC, *flags])
        r.failed(126, 'Permission denied')


main()
