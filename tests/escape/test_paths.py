#!/usr/bin/env python3
"""Names that lead out of what was granted (B1, B5, B6, B13-B15): symlinks,
swaps, spellings, /proc, working directories and descriptors."""

import json
import os
import shutil
import signal
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403

SECRET = 'the secret'


def make_outside():
    for name in ('w', 'out'):
        shutil.rmtree(name, ignore_errors=True)
    write('out/file', SECRET, 0o600)
    os.mkdir('w')
    os.symlink('../out/file', 'w/link')
    os.symlink(os.path.abspath('out/file'), 'w/absolute')
    os.symlink('../out', 'w/dir')


def check_untouched(before):
    s = os.stat('out/file')
    eq(read('out/file'), SECRET)
    eq((s.st_ino, s.st_mode, s.st_mtime_ns, s.st_nlink), before)
    eq(os.listdir('out'), ['file'])


def look():
    s = os.stat('out/file')
    return s.st_ino, s.st_mode, s.st_mtime_ns, s.st_nlink


VIA = {'a relative link': 'link', 'an absolute link': 'absolute',
       'a linked directory': 'dir/file'}
OPS = {'read': 'print(open(P).read())', 'write': 'open(P, "r+").write("x")',
       'empty': 'open(P, "w")', 'truncate': 'os.truncate(P, 0)',
       'chmod': 'os.chmod(P, 0o777)', 'times': 'os.utime(P, (1, 1))',
       'attribute': 'os.setxattr(P, "user.a", b"1")',
       'list attributes': 'os.listxattr(P)', 'stat': 'os.stat(P)',
       'link': 'os.link(os.path.realpath(P), os.path.dirname(P) + "/../w/n")'}


@cases([(f'{o}, {v}', code, name) for o, code in OPS.items()
        for v, name in VIA.items()])
def b1_symlinks_do_not_lead_out(code, name):
    make_outside()
    code = f'P = {os.path.abspath("w/" + name)!r}\n{code}'
    before = []

    def reset():
        make_outside()
        before.append(look())
    attack(code, refused='ENOENT', reset=reset, rw='w')
    check_untouched(before[0])


@cases({'a file': ('link', 'os.unlink(P)'),
        'renamed over': ('link', 'open(P + "2", "w").write("x")\n'
                                 'os.rename(P + "2", P)'),
        'a directory': ('dir', 'os.unlink(P)')})
def b1_what_is_done_to_a_link_is_done_to_the_link(name, code):
    make_outside()
    before = look()
    inside(f'P = {os.path.abspath("w/" + name)!r}\n{code}', rw='w').ok()
    check_untouched(before)


@test
def b1_creating_through_a_dangling_link():
    make_outside()
    os.symlink('../out/new', 'w/new')
    path = os.path.abspath('w/new')
    attack(f'open({path!r}, "w").write("x")', refused='ENOENT', rw='w',
           reset=lambda: os.unlink('out/new'))
    eq(os.listdir('out'), ['file'])


# --- swapped while it is used (B5) ---

# One thread flips d between a directory and a symlink to the outside, the
# other opens d/f again and again.  A kernel that exchanges no names (gVisor)
# has a moment without d.
SWAP = r'''
#include <pthread.h>

static volatile int over, is_in_steps;

static void swap(void)
{
    if (syscall(SYS_renameat2, AT_FDCWD, "d", AT_FDCWD, "l", 2) == 0 ||
        errno != EINVAL)
        return;
    is_in_steps = 1;
    rename("d", "t");
    rename("l", "d");
    rename("d", "l");
    rename("t", "d");
}

static void *flip(void *arg)
{
    unsigned long n = 0;

    while (!over) {
        swap();
        n++;
    }
    return (void *)n;
}

int main(int argc, char **argv)
{
    unsigned long opened = 0, gone = 0, other = 0;
    int rounds = atoi(argv[2]);
    pthread_t t;
    void *flips;

    TRY(chdir(argv[1]));
    pthread_create(&t, NULL, flip, NULL);
    for (int i = 0; i < rounds; i++) {
        int fd = open("d/f", O_RDWR);

        if (fd >= 0) {
            TRY(pwrite(fd, "x", 1, 0));
            close(fd);
            opened++;
        } else if (errno == (argc > 3 ? EROFS : ENOENT)) {
            gone++;
        } else if (errno != ENOENT || !is_in_steps) {
            other = errno;
        }
    }
    over = 1;
    pthread_join(t, &flips);
    printf("%lu %lu %lu %lu\n", opened, gone, other, (unsigned long)flips);
    return 0;
}
'''


def make_swap():
    for name in ('w', 'out'):
        shutil.rmtree(name, ignore_errors=True)
    write('w/d/f', '-')
    write('out/f', '-')
    os.symlink('../out', 'w/l')


@cases({'to what is not granted': ({}, ()),
        'to what is read-only': ({'ro': 'out'}, ('ro',))}, seconds=90)
def b5_a_swapped_directory(grants, args):
    make_swap()
    probe = cprobe(SWAP, os.path.abspath('w'))
    outside([*probe, '100000', *args]).ok()
    eq(read('out/f'), 'x', 'control')
    make_swap()
    opened = gone = flips = 0
    least = rounds(1000)
    # Where the other thread comes too seldom it is no race yet.
    for _ in range(8):
        r = inside([*probe, str(rounds(100000)), *args], rw='w', **grants).ok()
        more, away, other, swaps = map(int, r.out.split())
        eq(read('out/f'), '-')
        eq(other, 0, 'another errno')
        opened, gone, flips = opened + more, gone + away, flips + swaps
        if opened > least and gone > least and flips > rounds(10000):
            return
    fail(f'the race was no race: {opened} {gone} {flips}')


FLIP = r'''
int main(int argc, char **argv)
{
    TRY(chdir(argv[1]));
    for (unsigned long n = 0; ; n++) {
        syscall(SYS_renameat2, AT_FDCWD, "p", AT_FDCWD, "l", 2);
        if (n == 10000)
            write(1, "flipping\n", 9);
    }
}
'''


@cases({'the path itself': 'p', 'a part of it': 'p/sub'}, seconds=120)
def b6_a_path_swapped_during_set_up(grant):
    """Whoever owns a parent of the granted path swaps it for a link to what
    is denied: the run is refused or shows the original, never the other."""
    write('p/sub/f', 'plain')
    write('p/f', 'plain')
    write('secret/sub/f', SECRET)
    write('secret/f', SECRET)
    os.symlink('secret', 'l')
    flipper = spawn(cprobe(FLIP, os.getcwd()))
    seen = {}
    try:
        eq(flipper.stdout.readline(), b'flipping\n')
        host = {run(['cat', grant + '/f']).out for _ in range(100)}
        check({'plain', SECRET} <= host, f'control: {host}')
        for _ in range(200):
            r = mxc('run', '--ro', grant, '--deny', 'secret', '--', 'cat',
                    os.path.abspath(grant) + '/f')
            lacks(r.out, SECRET)
            key = (r.status, r.out or r.err.split('\n')[0].split("'")[-1])
            seen[key] = seen.get(key, 0) + 1
    finally:
        flipper.send_signal(signal.SIGKILL)
        flipper.communicate()
    check((0, 'plain') in seen, f'never started: {seen}')
    check(len(seen) > 1, f'the race was no race: {seen}')


SWAP_BELOW = r'''
int main(void)
{
    for (long n = 0;; n++) {
        syscall(SYS_renameat2, AT_FDCWD, "w/a", AT_FDCWD, "w/b", 2);
        if (n == 1000)
            write(1, "flipping\n", 9);
    }
}
'''


@test(seconds=180)
def b6_nothing_is_made_outside_of_the_grant_during_set_up():
    """Below a hollow the launcher makes a directory of its own; the way there
    leads through a directory that another workload swaps for a link."""
    os.makedirs('w/a/secret/pub')
    os.makedirs('outside/secret')
    os.symlink(os.path.abspath('outside'), 'w/b')
    swapper = spawn(cprobe(SWAP_BELOW))
    seen = set()
    try:
        eq(swapper.stdout.readline(), b'flipping\n')
        for _ in range(600):
            r = mxc('run', '--rw', 'w', '--deny', 'w/a/secret', '--ro',
                    'w/a/secret/pub', '--', 'true')
            seen.add(r.err.split('\n')[0].split(':')[-1])
            eq(os.listdir('outside/secret'), [])
    finally:
        swapper.send_signal(signal.SIGKILL)
        swapper.communicate()
    has(seen, ' Symbolic link loop', 'the race')


# --- spellings (B13) ---

SPELLINGS = {
    'plain': '{w}/hook', 'two slashes': '{w}//hook', 'a dot': '{w}/./hook',
    'three slashes first': '//{w}/hook', 'up and down': '{w}/way/../hook',
    'many dots': '{w}' + '/.' * 900 + '/hook',
    'many ups': '{w}' + '/way/..' * 400 + '/hook',
    'by another link': '{w}/self/hook', 'around': '{w}/../{b}/hook',
}


@cases(SPELLINGS)
def b13_spellings_in_access_are_one(text):
    write('w/hook', SECRET)
    os.mkdir('w/way')
    os.symlink('.', 'w/self')
    path = text.format(w=os.path.abspath('w'), b='w')
    code = f'print(open({path!r}).read())'
    r = attack(code, refused='EACCES', rw='w', deny='w/hook')
    lacks(r.out, SECRET)


@cases({**SPELLINGS, 'a slash at the end': '{w}/sub/',
        'slash and dot at the end': '{w}/sub/.'})
def b13_spellings_in_policy_are_one(text):
    write('w/hook', SECRET)
    write('w/sub/hook', SECRET)
    os.mkdir('w/way')
    os.symlink('.', 'w/self')
    denied = text.format(w=os.path.abspath('w'), b='w')
    there = 'w/sub/hook' if '/sub' in text else 'w/hook'
    code = f'print(open({os.path.abspath(there)!r}).read())'
    eq(inside(code, rw='w').done, True, 'control without the denial')
    eq(inside(code, rw='w', deny=denied).refused, 'EACCES')
    policy = {'version': '1.1.0+c1',
              'filesystem': {'readwritePaths': [os.path.abspath('w')],
                             'deniedPaths': [denied]}}
    eq(inside(code, policy=policy).refused, 'EACCES', 'as a request')


@cases({'newline': 'a\nb', 'tab and space': 'a\tb c', 'quotes': '\'"`$(x)',
        'backslash': 'a\\040b', '255 bytes': 'x' * 255, 'a dash': '-rf',
        'NFC': 'caf\u00e9', 'NFD': 'cafe\u0301', 'bidi': 'a\u202eb',
        'escape sequence': '\x1b]52;c;eA==\x07', 'not UTF-8': 'a\udcff'})
def b13_odd_names(name):
    path = write('w/' + name, SECRET)
    other = write('w/other', 'plain')
    code = (f'P = {os.fsencode(path)!r}\n'
            f'print(open({str(other)!r}).read())\nprint(open(P).read())')
    r = attack(code, refused='EACCES', rw='w', deny=path)
    has(r.out, 'plain')
    lacks(r.out, SECRET)
    r = inside(f'print(open({os.fsencode(path)!r}).read())', ro=path)
    has(r.ok().out, SECRET)


@cases({'case': ('Hook', 'hook'), 'composed': ('caf\u00e9', 'cafe\u0301')})
def b13_other_objects_are_other_objects(denied, other):
    """The kernel compares bytes here, so policy does."""
    write('w/' + denied, SECRET)
    write('w/' + other, 'plain')
    r = inside(f'print(open({os.path.abspath("w/" + other)!r}).read())\n'
               f'open({os.path.abspath("w/" + denied)!r})', rw='w',
               deny='w/' + denied)
    has(r.out, 'plain')
    eq(r.refused, 'EACCES')


def policy(**filesystem):
    return {'version': '1.1.0+c1', 'filesystem': filesystem}


@cases({'NUL': '/tmp/a\0b', '4096 bytes': '/' + 'a/' * 2047 + 'bc',
        'relative': 'w', 'relative with a dot': './w', 'home': '~/w',
        'a user\'s home': '~root', 'empty': '', 'a variable': '$HOME/w',
        'up': '../w', 'Windows': 'C:\\w'})
def w30_b13_what_is_no_absolute_path_is_refused(path):
    """W30: each backend does something different with it."""
    os.mkdir('w')
    for field in ('readwritePaths', 'readonlyPaths', 'deniedPaths'):
        request = write('request.json', json.dumps(
            {**policy(**{field: [path]}), 'process': {'commandLine': 'echo ran'}}))
        r = mxc('run', '--json', 'result.json', request)
        r.ok(125)
        lacks(r.out, 'ran')
        j = json.loads(read('result.json'))
        eq(j['outcome'], 'failed')
        has(r.err, f'filesystem.{field}[0]')
        check(j['error']['code'] in ('malformed_request',
                                     'policy_validation'), str(j))


@test
def w30_up_in_a_path_means_what_the_kernel_means():
    """Or it is refused; never text that is cut."""
    write('a/real/f', 'right')
    os.symlink('a/real', 'link')
    write('f', 'wrong')
    path = os.path.abspath('link') + '/../real/f'
    code = f'print(open({os.path.abspath("a/real/f")!r}).read())'
    has(inside(code, policy=policy(readonlyPaths=[path])).ok().out, 'right')
    path = os.path.abspath('no') + '/../f'
    r = inside(['true'], policy=policy(readonlyPaths=[path]))
    r.failed(125, "has '..' and does not exist")


# --- by way of /proc (B14) ---

PROC = {
    '/proc/self/root': 'P = "/proc/self/root" + P',
    '/proc/PID/root': 'P = f"/proc/{os.getpid()}/root{P}"',
    '/proc/thread-self/root': 'P = "/proc/thread-self/root" + P',
    '/proc/self/task/TID/root': 'P = f"/proc/self/task/{os.getpid()}/root{P}"',
    'a working directory': 'os.chdir(D)\nP = "/proc/self/cwd/" + B',
    'up from it': 'os.mkdir(D + "/x") if not os.path.isdir(D + "/x") else 0\n'
                  'os.chdir(D + "/x")\nP = "/proc/self/cwd/../" + B',
    'a descriptor': 'P = f"/proc/self/fd/{os.open(D, os.O_RDONLY)}/{B}"',
    'a path descriptor': 'P = f"/proc/self/fd/{os.open(D, os.O_PATH)}/{B}"',
    '/dev/fd': 'P = f"/dev/fd/{os.open(D, os.O_RDONLY)}/{B}"',
    'of the thing itself': 'P = f"/proc/self/fd/{os.open(P, os.O_PATH)}"',
    'of a child': 'c = os.fork()\n'
                  'if c == 0: signal.pause()\n'
                  'P = f"/proc/{c}/root{P}"\n'
                  'import atexit; atexit.register(os.kill, c, 9)',
}


@cases(PROC)
def b14_denied_stays_denied_through_proc(code):
    write('w/hook', SECRET)
    path = os.path.abspath('w/hook')
    code = (f'P = {path!r}; D, B = os.path.split(P)\n{code}\n'
            'print(open(P).read())')
    r = attack(code, refused='EACCES', rw='w', deny='w/hook')
    lacks(r.out, SECRET)


@cases({'root': '/proc/{p}/root{f}', 'working directory': '/proc/{p}/cwd/{b}',
        'up': '/proc/{p}/cwd/../../../../..{f}'})
def b14_the_outside_is_not_reached_through_proc(text):
    """Of any process that the sandbox shows."""
    path = write('secret', SECRET)
    code = f'''
why = None
for p in [p for p in os.listdir("/proc") if p.isdigit()]:
    try:
        print(open({text!r}.format(p=p, f={str(path)!r}, b="secret")).read())
        break
    except OSError as e:
        why = e
else:
    raise OSError(errno.ENOENT, "nowhere")
'''
    r = attack(code, refused='ENOENT')
    lacks(r.out, SECRET)


@test
def b14_mapped_files():
    """map_files would open what is mapped, by an address, past the names."""
    write('w/f', 'x' * 5000)
    code = (f'import mmap\nf = open({os.path.abspath("w/f")!r}, "r+")\n'
            'm = mmap.mmap(f.fileno(), 0)\n'
            'n = [n for n in os.listdir("/proc/self/map_files")'
            ' if os.readlink("/proc/self/map_files/" + n).endswith("w/f")]\n'
            'os.open("/proc/self/map_files/" + n[0], os.O_RDWR)')
    if IS_ROOT:
        eq(outside(code).done, True, 'control')
    # Asks for CAP_CHECKPOINT_RESTORE (proc_pid_map_files(5)).
    eq(inside(code, rw='w').refused, 'EPERM')


# --- where it starts (B15, W23) ---

def pwd_of(start, *flags, **grants):
    r = mxc(*mxc_args(['sh', '-c', 'pwd; cd ..; ls'], flags=flags, **grants),
            cwd=start)
    return r.ok().out.split('\n')[0]


@test
def w23_the_start_does_not_depend_on_what_happens_to_exist():
    """MXC starts in the caller's directory when the sandbox has one of that
    name: /etc, yes; /home/u, no."""
    os.makedirs('w/sub')
    os.mkdir('no')
    for start in ('/', '/etc', '/tmp', '/var', '/proc', os.getcwd(), 'no'):
        eq(pwd_of(start), '/home/user', f'from {start}')
    here = os.path.abspath('w')
    eq(pwd_of('w', rw=here), here)
    eq(pwd_of('w/sub', rw=here), here + '/sub')
    eq(pwd_of('no', rw=here), '/home/user')
    eq(pwd_of('w/sub', rw=here, deny=here + '/sub'), '/home/user')


@test
def w23_a_directory_that_is_not_there_is_an_error():
    os.mkdir('w')
    for cwd in ('/no/such', os.path.abspath('w'), '/root'):
        r = inside(['sh', '-c', 'echo ran'], cwd=cwd)
        r.failed(125, f"cannot start in '{cwd}'", '--cwd')
        lacks(r.out, 'ran')


@test
def b15_a_deleted_directory():
    os.mkdir('gone')
    script = 'cd gone && rmdir "$PWD" && exec "$@"'
    r = run(['sh', '-c', script, 'sh', MXC, 'run', '--', 'pwd'])
    eq(r.ok().out, '/home/user\n')


@cases({'up': '..', 'far up': '../../../../../..'})
def b15_up_from_the_start_ends_at_the_root(up):
    write('secret', SECRET)
    os.mkdir('w')
    code = (f'os.chdir({os.path.abspath("w")!r})\n'
            f'print(open("{up}/" + {{}}).read())')
    name = 'secret' if up == '..' else os.path.abspath('secret')[1:]
    r = attack(code.format(repr(name)), refused='ENOENT', rw='w')
    lacks(r.out, SECRET)


# Python itself does not start with a directory as a stream.
MOVED = ['sh', '-c', 'exec 3<&0 </dev/null; exec "$@"', 'sh']
STDIN_DIR = {
    'read': 'print(open(os.open("secret", os.O_RDONLY, dir_fd=3)).read())',
    'enter': 'os.fchdir(3)\nprint(open("secret").read())',
    'up': 'print(os.stat("..", dir_fd=3))',
    'chmod': 'os.chmod("secret", 0o777, dir_fd=3)',
    'list': 'print(os.listdir(3))',
}


@cases(STDIN_DIR)
def b15_a_directory_as_a_stream(code):
    """`<DIR` is an open door to a tree that no mount of ours covers; chmod,
    stat and the like are no matter of Landlock's."""
    write('d/secret', SECRET, 0o600)
    fd = os.open('d', os.O_RDONLY | os.O_DIRECTORY)
    argv = [*MOVED, *pyprobe(code)]
    p = spawn(argv, stdin=fd)
    has(p.communicate()[0].decode(), 'done', 'control')
    os.chmod('d/secret', 0o600)
    p = spawn([MXC, *mxc_args(argv)], stdin=fd)
    out, err = (b.decode() for b in p.communicate(timeout=20))
    lacks(out, 'done')
    eq(p.returncode, 125, err)
    has(err, 'standard input is a directory')
    eq(os.stat('d/secret').st_mode & 0o777, 0o600)


@cases({'output': 'stdout', 'error': 'stderr'})
def b15_a_directory_as_another_stream(stream):
    mark = write('w/mark')
    fd = os.open('.', os.O_RDONLY | os.O_DIRECTORY)
    p = spawn([MXC, *mxc_args(['sh', '-c', f'echo ran >{mark}'], rw='w')],
              **{stream: fd})
    p.communicate(timeout=20)
    eq(p.returncode, 125)
    eq(read(mark), '')


main()
