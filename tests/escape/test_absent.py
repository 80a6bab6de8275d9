#!/usr/bin/env python3
"""Denied paths that do not exist (B10, W6), and a host that changes denied
names while the sandbox runs: refused by every creating call, nothing left on
the host, and a run that can no longer be held is stopped."""

import contextlib
import json
import os
import shutil
import signal
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403

SHALLOW = 'w/hook'
DEEP = 'w/1/2/3/4/5/6/7/8/hook'          # nine levels below the grant


def make_tree():
    shutil.rmtree('w', ignore_errors=True)
    write('w/file', 'evil')
    write('w/dir/hook', 'evil')
    os.mkdir('w/way')


def names():
    w = os.path.abspath('w')
    return (f'W = {w!r}; H = W + "/hook"; h = H.encode(); A = -100\n'
            'F = W + "/file"; f = F.encode()\n')


def check_nothing_left():
    """Not a placeholder either."""
    eq(sorted(os.listdir('w')), ['dir', 'file', 'way'])
    eq(os.listdir('w/way'), [])


CREATING = {
    'open': 'open(H, "w")',
    'open, O_EXCL': 'os.open(H, os.O_CREAT | os.O_EXCL | os.O_WRONLY)',
    'open by a directory': 'd = os.open(W, os.O_RDONLY)\n'
                           'os.open("hook", os.O_CREAT, dir_fd=d)',
    'open by a path descriptor': 'd = os.open(W, os.O_PATH)\n'
                                 'os.open("hook", os.O_CREAT, dir_fd=d)',
    'open from inside': 'os.chdir(W)\nopen("hook", "w")',
    'creat': 'call("creat", h, 0o600)',
    'mkdir': 'os.mkdir(H)',
    'mkdir, with a slash': 'os.mkdir(H + "/")',
    'mknod': 'os.mknod(H)',
    'mkfifo': 'os.mkfifo(H)',
    'symlink': 'os.symlink("file", H)',
    'link': 'os.link(F, H)',
    'link of a nameless file': (
        'd = os.open(W, os.O_TMPFILE | os.O_RDWR)\n'
        'call("linkat", A, f"/proc/self/fd/{d}".encode(), A, h, 0x400)'),
    'rename': 'os.rename(F, H)',
    'rename of a directory': 'os.rename(W + "/dir", H)',
    'renameat2, no replacing': 'call("renameat2", A, f, A, h, 1)',
    'a socket': 'socket.socket(socket.AF_UNIX).bind(H)',
    'a socket, relative': 'os.chdir(W)\n'
                          'socket.socket(socket.AF_UNIX).bind("hook")',
    'through a symlink': 'os.symlink("../hook", W + "/way/l")\n'
                         'try:\n    open(W + "/way/l", "w")\n'
                         'finally:\n    os.unlink(W + "/way/l")',
    'through a symlinked directory': (
        'os.symlink("..", W + "/way/l")\n'
        'try:\n    open(W + "/way/l/hook", "w")\n'
        'finally:\n    os.unlink(W + "/way/l")'),
    'with dots': 'open(W + "/./way/..//hook", "w")',
    'by /proc/self/cwd': 'os.chdir(W)\nopen("/proc/self/cwd/hook", "w")',
    'by /proc/self/fd': 'd = os.open(W, os.O_RDONLY)\n'
                        'open(f"/proc/self/fd/{d}/hook", "w")',
    'by /proc/self/root': 'open("/proc/self/root" + H, "w")',
    'by a thread': ('import threading\n'
                    'why = []\n'
                    'def go():\n'
                    '    try:\n        open(H, "w")\n'
                    '    except OSError as e:\n        why.append(e)\n'
                    't = threading.Thread(target=go)\n'
                    't.start(); t.join()\n'
                    'if why: raise why[0]'),
}


@cases(CREATING)
def b10_a_missing_denied_name_is_not_made(code):
    make_tree()
    attack(names() + code, refused='EACCES', reset=make_tree, rw='w',
           deny=SHALLOW)
    check_nothing_left()


# What programs do; each makes w/hook when it is not denied.
PROGRAMS = {
    'cp': 'cp file hook', 'mv': 'mv file hook', 'tee': 'tee hook <file',
    'install': 'install -D file hook', 'ln': 'ln -s file hook',
    'tar': 'tar -C dir -cf way.tar hook && tar -xf way.tar',
    'git': 'git init -q dir/g && cd dir/g && echo x >f && '
           'git config core.hooksPath x && git clone -q . "$OLDPWD/hook"',
    'unzip': '/usr/bin/python3 -m zipfile -c way.zip dir/hook && '
             'unzip -qj way.zip',
    'sh': 'echo evil >hook', 'sh, append': 'echo evil >>hook',
    'mkdir -p': 'mkdir -p hook/deeper',
}


@cases(PROGRAMS)
def b10_by_programs(line):
    program = line.split()[0]
    for p in {program, 'unzip' if 'unzip' in line else program}:
        need(p)
    make_tree()
    run(['sh', '-c', line], cwd='w', env={'HOME': os.getcwd()}).ok()
    check(os.path.lexists('w/hook'), 'control')
    make_tree()
    r = inside(['sh', '-c', line], rw='w', deny=SHALLOW,
               cwd=os.path.abspath('w'))
    check(r.status not in (0, 125), str(r))
    check('denied' in r.err, str(r))
    check(not os.path.lexists('w/hook'), 'made on the host')


@cases({
    'the whole path': 'os.makedirs(os.path.dirname(P))\nopen(P, "w")',
    'rename the last': ('os.makedirs(os.path.dirname(P))\n'
                        'os.rename(W + "/file", P)'),
    'a chain brought along': (
        'os.makedirs(W + "/way/2/3/4/5/6/7/8")\n'
        'open(W + "/way/2/3/4/5/6/7/8/hook", "w")\n'
        'os.rename(W + "/way", W + "/1")'),
    'the end of a chain brought along': (
        'os.makedirs(W + "/1/2/3/4/5/6/7")\n'
        'os.rename(W + "/dir", W + "/1/2/3/4/5/6/7/8")'),
    'moved away, filled, moved back': (
        'os.makedirs(W + "/1/2/3/4/5/6/7/8")\n'
        'os.rename(W + "/1/2", W + "/away")\n'
        'open(W + "/away/3/4/5/6/7/8/hook", "w")\n'
        'os.rename(W + "/away", W + "/1/2")'),
    'exchanged into place': (
        'os.makedirs(W + "/1/2/3/4/5/6/7/8")\n'
        'os.makedirs(W + "/away/3/4/5/6/7/8")\n'
        'open(W + "/away/3/4/5/6/7/8/hook", "w")\n'
        'call("renameat2", -100, (W + "/away").encode(), -100, '
        '(W + "/1/2").encode(), 2)'),
    'a symlink on the way': (
        'os.makedirs(W + "/away/2/3/4/5/6/7/8")\n'
        'open(W + "/away/2/3/4/5/6/7/8/hook", "w")\n'
        'os.symlink("away", W + "/1")'),
})
def b10_nine_levels_deep(code):
    make_tree()
    path = os.path.abspath(DEEP)
    code = names() + f'P = {path!r}\n' + code
    check(outside(code + '\nos.stat(P)').done, 'control')
    make_tree()
    eq(inside(code, rw='w', deny=DEEP).refused, 'EACCES')
    check(not os.path.lexists(DEEP), 'made on the host')


@test
def b10_the_way_there_stays_usable():
    make_tree()
    inside(names() + 'os.makedirs(W + "/1/2/3/4/5/6/7/8")\n'
           'open(W + "/1/2/3/4/5/6/7/8/other", "w").write("x")\n'
           'open(W + "/1/hook", "w").write("x")', rw='w', deny=DEEP).ok()
    eq(read('w/1/2/3/4/5/6/7/8/other'), 'x')


@test
def b10_the_name_stays_missing_for_those_who_look():
    make_tree()
    for code in ('open(H)', 'os.stat(H)', 'os.unlink(H)', 'os.listdir(H)'):
        r = inside(names() + code, rw='w', deny=SHALLOW)
        check(r.refused in ('ENOENT', 'EACCES'), f'{code}: {r}')
    r = inside(names() + 'print(sorted(os.listdir(W)))', rw='w',
               deny=SHALLOW)
    has(r.ok().out, "['dir', 'file', 'way']")


@test
def b10_w6_nothing_is_left_however_it_ends():
    """MXC makes an empty directory on the host."""
    make_tree()
    for denied in (SHALLOW, DEEP, 'w/way/x/y'):
        inside(['true'], rw='w', deny=denied).ok()
        check_nothing_left()
        inside(['sh', '-c', 'kill -9 $$'], rw='w', deny=denied).ok(137)
        check_nothing_left()


@test
def b10_w6_nothing_is_left_after_a_kill():
    make_tree()
    p = spawn([MXC, *mxc_args(['sh', '-c', 'echo up; sleep 60'], rw='w',
                              deny=[SHALLOW, DEEP])])
    eq(p.stdout.readline(), b'up\n')
    check_nothing_left()                        # while it runs, too
    p.kill()
    p.communicate(timeout=10)
    eventually(lambda: not descendants(), 2)
    check_nothing_left()


@cases({'read-only': ('r/x', 'EROFS'), 'base': ('/usr/share/no', 'EROFS'),
        'nothing': ('q/x', 'EACCES')})
def w6_missing_below_what_cannot_be_written(path, want):
    """MXC aborts."""
    os.mkdir('r')
    path = os.path.abspath(path)
    r = inside(f'os.mkdir({path!r} + "/y") if {want == "EACCES"} else '
               f'open({path!r}, "w")', deny=path, ro='r')
    eq(r.refused, want, str(r))
    check(not os.path.lexists(path), 'made on the host')
    eq(sorted(os.listdir('.')), ['home', 'r'])


# Two threads: one flips a name between a directory and a symlink that leads
# to the parent of the denied name, the other creates through it.
RACE = r'''
#include <pthread.h>

enum { ROUNDS = 10000 };
static volatile int over;
static const char *tree;

static void *flip(void *arg)
{
    unsigned long n = 0;

    while (!over) {
        syscall(SYS_renameat2, AT_FDCWD, "way", AT_FDCWD, "lnk", 2);
        n++;
    }
    return (void *)n;
}

int main(int argc, char **argv)
{
    unsigned long denied = 0, made = 0, flips;
    pthread_t t;
    void *r;

    TRY(chdir(argv[1]));
    TRY(symlink(".", "lnk"));
    pthread_create(&t, NULL, flip, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        int fd = -1;

        switch (i % 4) {
        case 0: fd = open("way/hook", O_CREAT | O_WRONLY, 0600); break;
        case 1: fd = mkdir("way/hook", 0700); break;
        case 2: fd = link("file", "way/hook"); break;
        case 3: fd = rename("spare", "way/hook"); break;
        }
        if (fd < 0 && errno == EACCES)
            denied++;
        made += fd >= 0;
        if (i % 4 == 0 && fd >= 0)
            close(fd);
        unlink("dir/../way/hook");
        rmdir("way/hook");
        if (access("spare", F_OK) < 0)
            close(open("spare", O_CREAT | O_WRONLY, 0600));
        if (access("hook", F_OK) == 0) {
            printf("escaped in round %d\n", i);
            break;
        }
    }
    over = 1;
    pthread_join(t, &r);
    flips = (unsigned long)r;
    printf("denied %lu made %lu flips %lu\n", denied, made, flips);
    return 0;
}
'''


@test(seconds=120)
def b5_b10_a_race_does_not_make_the_name():
    make_tree()
    probe = cprobe(RACE, os.path.abspath('w'))
    has(outside(probe).ok().out, 'escaped', 'control')
    make_tree()
    r = inside(probe, rw='w', deny=SHALLOW, timeout=100).ok()
    lacks(r.out, 'escaped')
    words = r.out.split()
    denied, made, flips = int(words[1]), int(words[3]), int(words[5])
    check(denied > 100 and made > 100 and flips > 1000,
          f'the race was no race: {r.out}')
    check(not os.path.lexists(SHALLOW), 'made on the host')


# --- the host changes a denied name while the sandbox runs ---

LOOK = '''
import time
print("up", flush=True)
for i in range(3000):
    try:
        t = open(H).read()
        print("read", t, time.time(), flush=True)
    except OSError:
        pass
    time.sleep(0.001)
'''
# How long the new object may show before the run is stopped.  Not zero: a
# rename detaches the cover in the kernel, and who watches is told afterwards.
# On an idle machine it is below a millisecond.
MOMENT = 0.1


def while_running(act, denied=SHALLOW, code=LOOK, **grants):
    '''Start, act on the host when it is up; how it ended and the result.'''
    path = os.path.abspath(denied)
    probe = pyprobe(f'H = {path!r}\n' + code)
    p = spawn([MXC, *mxc_args(probe, deny=denied, **grants,
                              flags=['--json', 'result.json'])])
    eq(p.stdout.readline(), b'up\n')
    start = time.time()
    act()
    out, err = (b.decode() for b in p.communicate(timeout=30))
    for line in out.splitlines():
        if line.startswith('read'):
            when = float(line.split()[-1]) - start
            check(when >= 0, out)
            within(when, MOMENT, 'read after the change')
    return p.returncode, out, err, json.loads(read('result.json'))


def check_stopped(status, out, err, result, word):
    eq(status, 125, f'status, with {out} {err}')
    eq(result['outcome'], 'stopped')
    eq(result['exitCode'], 125)
    said = result['error']['message']
    check(any(f"' was {w} on the host while the sandbox ran" in said
              for w in word.split(' or ')), said)
    has(err, 'could no longer be held, so the run was stopped')


def replace_file():
    """As editors and git do."""
    write('w/new', 'SECRET')
    os.rename('w/new', 'w/hook')


def replace_dir():
    os.rename('w/way/sub', 'w/way/old')
    write('w/way/sub/hook', 'SECRET')


@test
def w3_replacing_without_a_denial_is_seen_inside():
    """The control of what follows: the new file shows at once."""
    write('w/hook', 'old')
    probe = pyprobe(f'H = {os.path.abspath("w/hook")!r}\n' + LOOK.replace(
        'print("read"', 'if "SECRET" in t: print("read"'))
    p = spawn([MXC, *mxc_args(probe, rw='w')])
    eq(p.stdout.readline(), b'up\n')
    replace_file()
    out, _ = p.communicate(timeout=30)
    has(out.decode(), 'read SECRET ')


@cases({'writable': 'rw', 'read-only': 'ro'})
def b10_a_denied_file_that_the_host_replaces_stops_the_run(how):
    write('w/hook', 'SECRET, old')
    check_stopped(*while_running(replace_file, **{how: 'w'}),
                  word='replaced')


@test
def b10_a_directory_on_the_way_that_the_host_replaces():
    write('w/way/sub/hook', 'SECRET, old')
    check_stopped(*while_running(replace_dir, denied='w/way/sub/hook',
                                 rw='w'), word='removed or replaced')


@cases({'depth 1': (SHALLOW, 'rw'), 'depth 9': (DEEP, 'rw'),
        'read-only': (SHALLOW, 'ro')})
def b10_a_missing_denied_name_that_the_host_makes(denied, how):
    os.mkdir('w')
    check_stopped(*while_running(lambda: write(denied, 'SECRET'),
                                 denied=denied, **{how: 'w'}),
                  word='created')


@test
def b10_other_changes_of_the_host_stop_nothing():
    write('w/hook', 'SECRET, old')

    def act():
        write('w/other', 'x')
        os.rename('w/other', 'w/another')
        os.unlink('w/another')
        os.utime('w/hook')
    status, out, err, result = while_running(act, rw='w', code=LOOK.replace(
        '3000', '300'))
    eq((status, result['outcome']), (0, 'exited'), err)
    lacks(out, 'SECRET')


@test
def b10_a_denied_name_that_the_host_frees_is_not_taken():
    """The cover went with the file; the workload could make its own."""
    write('w/hook', 'SECRET, old')
    code = LOOK.replace('3000', '300') + 'open(H, "w").write("evil")'
    check_stopped(*while_running(lambda: os.unlink('w/hook'), rw='w',
                                 code=code), word='removed')
    check(not os.path.lexists('w/hook'), 'made on the host')


@test
def b10_a_denied_file_that_the_host_moves_away():
    write('w/hook', 'SECRET, old')
    check_stopped(*while_running(lambda: os.rename('w/hook', 'moved'),
                                 rw='w'), word='removed')


CLOSING = '''
end = time.monotonic() + 3
print("up", flush=True)
while time.monotonic() < end:
    os.chmod(W, 0o700)
    try:
        open(H).read()
        os.chmod(W, 0)
        time.sleep(0.5)
        os.chmod(W, 0o700)
        print("kept", open(H).read())
        break
    except OSError:
        os.chmod(W, 0)
'''


@test(only='user', seconds=120)
def b10_closing_the_directory_hides_no_replacing():
    """The workload shuts the watcher out, in time to be in doubt; a grant
    without the denial is the control: there it reads and goes on."""
    for denied in ('none', *8 * [SHALLOW]):
        write('w/hook', '')
        flags = ['--deny', denied] if denied == SHALLOW else []
        probe = pyprobe(f'W = {os.path.abspath("w")!r}; H = W + "/hook"\n'
                        'import time\n' + CLOSING)
        p = spawn([MXC, 'run', '--rw', 'w', *flags, '--', *probe])
        eq(p.stdout.readline(), b'up\n')
        write('new', 'SECRET')
        eventually(lambda: replaced('new', 'w/hook'))
        out, err = (t.decode() for t in p.communicate(timeout=30))
        os.chmod('w', 0o700)
        if flags:
            lacks(out, 'kept')
            eq(p.returncode, 125, err)
            has(err, 'on the host while the sandbox ran')
        else:
            has(out, 'kept')


def replaced(new, old):
    with contextlib.suppress(PermissionError):
        os.rename(new, old)
        return True
    return False


# A filesystem that has directories alone, in which d and D are the same.
FOLDING = """
import ctypes, os, struct, sys, threading
fd = os.open('/dev/fuse', os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
options = f'fd={fd},rootmode=40000,user_id=0,group_id=0'.encode()
if libc.mount(b'folding', sys.argv[1].encode(), b'fuse', 0, options) < 0:
    raise OSError(ctypes.get_errno(), 'mount')
NAMES = {1: {b'full': 2, b'empty': 3}, 2: {b'way': 4}, 3: {}, 4: {}}

def attr(ino):
    return struct.pack('6Q10I', ino, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2,
                       0, 0, 0, 512, 0)

def answer(op, node, body):
    if op == 26:    # init
        return struct.pack('4I2H10I', 7, 31, 0, 0, 0, 0, 4096, *9 * [0])
    if op == 1:     # lookup
        ino = NAMES[node].get(body.rstrip(b'\\0').lower())
        return ino and struct.pack('4Q2I', ino, 0, 0, 0, 0, 0) + attr(ino)
    if op == 3:     # getattr
        return struct.pack('Q2I', 0, 0, 0) + attr(node)
    if op == 17:    # statfs
        return bytes(80)
    if op == 27:    # opendir
        return struct.pack('Q2I', 0, 0, 0)
    if op == 28:    # readdir
        out = b''
        for i, (name, ino) in enumerate(NAMES[node].items()):
            if i >= struct.unpack_from('Q', body, 8)[0]:
                out += struct.pack('2Q2I', ino, i + 1, len(name), 4)
                out += name + bytes(-len(name) % 8)
        return out
    return b'' if op in (29, 34) else None

def serve():
    while True:
        asked = os.read(fd, 1 << 18)
        _, op, unique, node = struct.unpack_from('2I2Q', asked)
        if op in (2, 36, 42):   # forget, interrupt
            continue
        out = answer(op, node, asked[40:])
        error = 0 if out is not None else -2 if op == 1 else -38
        out = out or b''
        os.write(fd, struct.pack('IiQ', 16 + len(out), error, unique) + out)

threading.Thread(target=serve, daemon=True).start()
r = os.spawnv(os.P_WAIT, sys.argv[2], sys.argv[2:])
os._exit(r)
"""


@cases({'full': ('full', 'full'), 'empty': ('empty', 'empty'),
        'a directory on the way': ('full', 'full/way')})
def b10_a_directory_that_folds_case(granted, above):
    """For the host .ENV there is .env, and for the broker it is not."""
    if not IS_ROOT or not os.path.exists('/dev/fuse'):
        skip('mounting takes root, and /dev/fuse')
    os.mkdir('m')
    at = os.path.abspath('m')
    start = ['unshare', '-m', PYTHON, '-c', FOLDING, at]
    control = run([*start, shutil.which('sh'), '-c',
                   f'cd {at} && ls && test {granted} -ef {granted.upper()}'])
    eq((control.status, control.out), (0, 'empty\nfull\n'), control)
    r = run([*start, MXC, 'run', '--rw', f'{at}/{granted}', '--deny',
             f'{at}/{above}/.env', '--', 'true'])
    eq(r.status, 125, r)
    has(r.err, f"denied path '{at}/{above}/.env' does not exist, and cannot be "
        f"held: '{at}/{above}' takes names in upper and lower case for the "
        'same')
    has(r.err, '--deny')


SAVER = """
import os
while True:
    with open("w/new", "w") as f:
        f.write("SECRET")
    os.rename("w/new", "w/hook")
"""


@test(seconds=120)
def b6_a_file_that_is_replaced_during_set_up():
    """Run after run against an editor that saves it in a loop: each is
    refused or stopped, none ends by itself.  (What an open finds between the
    kernel's rename and the stop is the test before.)"""
    write('w/hook', 'SECRET')
    saver = spawn([PYTHON, '-c', SAVER])
    told = set()
    try:
        for _ in range(100):
            r = inside(['sleep', '5'], rw='w', deny=SHALLOW).ok(125)
            told |= {w for w in ('replaced', 'removed', 'being set up')
                     if w in r.err}
    finally:
        saver.send_signal(signal.SIGKILL)
        saver.communicate()
    has(told, 'replaced', 'reasons')


main()
