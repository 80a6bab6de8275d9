#!/usr/bin/env python3
"""`--denials`, call by call: attributes of files, by a path or a descriptor,
sockets and devices that are made, what is a mount, and what a script or a
program is executed by."""

import json
import os
import re
import shutil
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from refusals import *  # noqa: E402,F403

CALLS = '''
import ctypes, os, socket, stat, sys
libc = ctypes.CDLL(None, use_errno=True)
here = os.getcwd()
def call(number, *args):
    if libc.syscall(number, *args) < 0:
        raise OSError(ctypes.get_errno(), 'it')
def opened(path='f'):
    return os.open(path, os.O_RDONLY)
cwd = ctypes.c_int(-100)
me = os.getuid(), os.getgid()
'''

# By their numbers, which libraries need not have: of x86-64 where there is no
# other that every architecture has.
ATTRIBUTES = {
    'chmod': "os.chmod('f', 0o600)",
    'fchmod': "os.chmod(opened(), 0o600)",
    'fchmodat2': "call(452, cwd, b'f', 0o600, 0)",
    'fchmodat2, of a descriptor': "call(452, opened(), b'', 0o600, 0x1000)",
    'chown': "os.chown('f', *me)",
    'lchown': "os.lchown('f', *me)",
    'fchown': "os.chown(opened(), *me)",
    'utimensat': "os.utime('f')",
    'futimens': "os.utime(opened())",
    'setxattr': "os.setxattr('f', 'user.a', b'x')",
    'lsetxattr': "os.setxattr('f', 'user.a', b'x', follow_symlinks=False)",
    'fsetxattr': "os.setxattr(opened(), 'user.a', b'x')",
    'removexattr': "os.removexattr('f', 'user.a')",
    'lremovexattr': "os.removexattr('f', 'user.a', follow_symlinks=False)",
    'fremovexattr': "os.removexattr(opened(), 'user.a')",
    'removexattrat': "call(466, cwd, b'f', 0, b'user.a')",
}


@cases(ATTRIBUTES)
def an_attribute_of_what_is_there_for_reading(code):
    write('d/f', 'x')
    file = 'd/f'
    options = ['--cwd', os.path.abspath('d')]
    said = mxc('run', '--ro', 'd', *options, '--', PYTHON, '-ISc',
               CALLS + trying(code)).ok()
    if 'ENOSYS' in said.out:
        skip('a kernel without it')
    denials = told(CALLS + trying(code), '--ro', 'd', *options)
    eq(said.out, 'EROFS\n')
    d = one(denials, file)
    eq((d['operation'], d['errno'], d['reason'], d['count']),
       ('write', 'EROFS', 'read_only', 1))
    eq(d['hint'], f'--rw {os.path.abspath("d/f")}')
    eq(about(told(CALLS + trying(code), '--rw', 'd', *options), file), [])


@test
def an_attribute_of_what_is_not_granted():
    key = str(write('secret/key', 'x'))
    for code in (f'os.getxattr({key!r}, "user.a")',
                 f'os.listxattr({key!r})', f'os.statvfs({key!r})',
                 f'os.listxattr({key!r}, follow_symlinks=False)',
                 f'libc.inotify_add_watch(libc.inotify_init1(0), '
                 f'{os.fsencode(key)!r}, 2)'):
        d = one(told(CALLS + trying(code)), key)
        eq((d['operation'], d['errno'], d['reason'], d['hint']),
           ('read', 'ENOENT', 'not_granted', f'--ro {key}'), code)
    d = one(told(CALLS + trying(f'os.setxattr({key!r}, "user.a", b"x")')), key)
    eq(d['hint'], f'--rw {key}')


@test
def an_attribute_that_is_not_refused():
    """That there is none, or a wrong descriptor, is nobody's refusal."""
    write('d/f', 'x')
    os.symlink('f', 'd/l')
    denials = told(CALLS + trying(
        "os.getxattr('f', 'user.none')", "os.fchmod(99, 0o600)",
        "os.setxattr('f', 'no.such', b'x')", "os.utime('f')",
        "os.utime(opened())", "os.fchmod(1, 0o600)",
        "os.fchmod(os.pipe()[0], 0o600)", "call(452, cwd, b'', 0o600, 0)",
        "os.fchmod(os.memfd_create('m'), 0o600)"), '--rw', 'd', '--cwd', 'd')
    eq(denials, [])
    # A grant of what a link leads to is no remedy for the link.
    eq(told(CALLS + trying("os.utime('l', follow_symlinks=False)",
                           "os.lchown('l', *me)"), '--ro', 'd', '--cwd', 'd'),
       [])


@test
def a_mode_is_the_owner_s_to_set():
    """Who may not write to it; a grant that is suggested helps."""
    write('d/f', 'x', mode=0o400)
    for code in ("os.chmod('f', 0o600)", "os.utime('f')",
                 "os.utime('f', (1, 1))"):
        options = ['--cwd', os.path.abspath('d')]
        d = one(told(CALLS + trying(code), '--ro', 'd', *options), 'd/f')
        if not IS_ROOT:
            # Who may not write to it cannot grant it so, either.
            eq((d['reason'], d['allowable']), ('host', False), code)
            mxc('run', '--rw', 'd/f', '--', 'true').failed(125, 'write access')
            continue
        eq((d['reason'], d['hint']),
           ('read_only', f'--rw {os.path.abspath("d/f")}'), code)
        r = mxc('run', '--ro', 'd', *d['hint'].split(), *options, '--', PYTHON,
                '-ISc', CALLS + trying(code)).ok()
        eq(r.out, '', code)
        os.chmod('d/f', 0o400)
    d = one(told(CALLS + trying("open('f', 'w')"), '--ro', 'd', '--cwd', 'd'),
            'd/f')
    eq((d['reason'], d['allowable']), ('host', False))


# --- what a grant does not give --------------------------------------------

@test
def what_you_may_not_read_yourself():
    """No grant gives it: none is suggested."""
    if IS_ROOT:
        write('d/file', 'x', mode=0o600)
        os.mkdir('d/dir', mode=0o700)
        os.chown('d/file', 1, 1)
        os.chown('d/dir', 1, 1)
        file, place = (os.path.abspath(f'd/{n}') for n in ('file', 'dir'))
    else:
        file, place = '/etc/shadow', '/root'
    denials = told(trying(f'open({file!r})', f'os.listdir({place!r})',
                          f'os.execv({file!r}, ["x"])'))
    for d in denials:
        eq((d['errno'], d['reason'], d['mechanism'], d['allowable']),
           ('ENOENT', 'host', 'permissions of the host', False), d)
        has(d['message'], 'the policy does not grant it, and your user may not')
    eq({d['resolved'] for d in denials}, {file, place})
    r = mxc('run', '--ro', file, '--', 'cat', file)
    has(r.err, 'Permission denied' if IS_ROOT else 'cannot be granted')


@test
def where_mxc_keeps_its_own():
    """No clause of the policy is about it, and none is suggested."""
    os.mkdir('run', 0o700)
    env = {'XDG_RUNTIME_DIR': os.path.abspath('run')}
    ident = mxc('provision', env=env).ok().out.strip()
    place = os.path.abspath('run/mxc')
    for option in '--ro', '--rw':
        mxc('run', '--denials', '--json', 'r', option, 'run', '--', PYTHON,
            '-ISc', trying(f'os.listdir({place!r})',
                           f'os.mkdir({place!r} + "/x")',
                           f'os.rename({place!r}, {place!r} + "-")'),
            env=env).ok()
        for d in json.loads(read('r'))['denials']:
            if d['reason'] != 'read_only':
                eq((d['reason'], d['allowable']), ('never', False), d)
                has(d['message'], 'mxc keeps its own files there')
        got = json.loads(mxc('why', '--no-try', '--json', '1', option, 'run',
                             '--read', place, env=env).out)['answers'][0]
        eq((got['decision'], got['remedy']), ('refused', None))
        has(got['reason'], 'mxc keeps its own files there')
    mxc('deprovision', ident, env=env).ok()


@test
def a_device_of_the_host():
    """A grant of it is refused, so none is suggested."""
    names = [n for n in ('/dev/kmsg', '/dev/fuse', '/dev/kvm', '/dev/loop0')
             if os.path.exists(n)]
    if not names:
        skip('no device that a sandbox does not have')
    d = one(told(trying(f'open({names[0]!r})')), names[0])
    eq((d['errno'], d['reason'], d['allowable']), ('ENOENT', 'never', False))
    has(d['message'], 'a /dev and a /proc of its own')
    mxc('run', '--ro', names[0], '--', 'true').failed(125, 'cannot be granted')


@test
def an_owner_that_the_sandbox_does_not_have():
    write('d/f', 'x')
    os.symlink('f', 'd/l')
    code = trying("os.chown('f', 1, -1)", "os.chown('f', -1, 65000)",
                  "os.chown(opened(), 1, 1)", "os.lchown('l', 1, 1)",
                  "call(260, cwd, b'f', 1, 1, 0)")
    options = ['--rw', 'd', '--cwd', 'd']
    if os.uname().machine != 'x86_64':
        code = code.replace('call(260', 'call(54')
    eq(mxc('run', *options, '--', PYTHON, '-ISc', CALLS + code).ok().out,
       'EINVAL\n' * 5)
    denials = told(CALLS + code, *options)
    d = one(denials, 'd/f')
    eq((d['operation'], d['errno'], d['reason'], d['mechanism'],
        d['allowable']),
       ('write', 'EINVAL', 'never', 'user namespace', False), d)
    has(d['message'], f'changing the owner of {os.path.abspath("d/f")} (')
    eq(sum(d['count'] for d in denials), 5)
    eq(told(CALLS + trying("os.chown('f', *me)", "os.chown('f', -1, -1)",
                           "os.chown('no', 1, 1)", "os.chown(99, 1, 1)"),
            *options), [])
    d = one(told(CALLS + trying("os.chown('f', 1, 1)"), '--ro', 'd', '--cwd',
                 'd'), 'd/f')
    eq((d['errno'], d['reason']), ('EROFS', 'read_only'))


BIND = "socket.socket(socket.AF_UNIX).bind('s')"


@test
def a_socket_that_is_made():
    os.mkdir('d')
    os.mkdir('hidden')
    hidden = os.path.abspath('hidden/s')
    d = one(told(CALLS + trying(BIND), '--ro', 'd', '--cwd', 'd'), 'd/s')
    eq((d['what'], d['operation'], d['call'], d['errno'], d['reason']),
       ('file', 'create', 'bind', 'EROFS', 'read_only'))
    eq(d['hint'], f'--rw {os.path.abspath("d")} instead of --ro')
    d = one(told(CALLS + trying(BIND.replace("'s'", repr(hidden)))), hidden)
    eq((d['reason'], d['hint']),
       ('not_granted', f'--rw {os.path.dirname(hidden)}'))
    for code in (BIND, "socket.socket().bind(('127.0.0.1', 0))",
                 "socket.socket(socket.AF_UNIX).bind('\\0name')"):
        eq(told(CALLS + trying(code), '--rw', 'd', '--cwd', 'd'), [], code)
    # It is there already (EADDRINUSE).
    eq(told(CALLS + trying(BIND), '--rw', 'd', '--cwd', 'd'), [])
    # What the broker makes, where something is denied that is not there yet.
    d = one(told(CALLS + trying(BIND.replace("'s'", "'no'")), '--rw', 'd',
                 '--deny', 'd/no', '--cwd', 'd'), 'd/no')
    eq((d['errno'], d['reason']), ('EACCES', 'denied'))


@cases({'by the kernel': (), 'by the broker': ('--deny', 'd/denied')})
def a_device_is_made_by_nobody(*more):
    os.mkdir('d')
    code = trying("os.mknod('c', stat.S_IFCHR | 0o600, os.makedev(1, 3))",
                  "os.mknod('b', stat.S_IFBLK | 0o600, os.makedev(7, 0))",
                  "os.mkfifo('p')", "os.mknod('f')")
    options = ['--rw', 'd', '--cwd', 'd', *more]
    eq(mxc('run', *options, '--', PYTHON, '-ISc', CALLS + code).ok().out,
       'EACCES\nEACCES\n')
    shutil.rmtree('d')
    os.mkdir('d')
    denials = told(CALLS + code, *options)
    eq(sorted(os.path.basename(d['resolved']) for d in denials), ['b', 'c'])
    for d in denials:
        eq((d['operation'], d['errno'], d['reason'], d['mechanism'],
            d['allowable']),
           ('create', 'EACCES', 'never', 'Landlock', False))
        has(d['message'], f'making the device {d["resolved"]} (')


# --- what is a mount -------------------------------------------------------

@cases({'for writing': '--rw', 'for reading': '--ro'})
def a_file_that_is_granted_by_itself(option):
    """Editors and git write another file, and rename it."""
    write('d/f', 'x')
    file, above = os.path.abspath('d/f'), os.path.abspath('d')
    code = trying(f'open("{above}/new", "w")',
                  f'os.rename("{above}/new", {file!r})',
                  f'os.unlink({file!r})',
                  f'os.rename({file!r}, "{above}/old")')
    said = mxc('run', option, file, '--', PYTHON, '-ISc', code).ok()
    eq(said.out, 'EBUSY\n' * 3)
    denials = about(told(code, option, file), file)
    eq({(d['operation'], d['count']) for d in denials},
       {('create', 1), ('delete', 2)})
    for d in denials:
        eq((d['errno'], d['reason'], d['mechanism']),
           ('EBUSY', 'mounted', 'mount'))
        eq(d['hint'], f'--rw {above} instead of {option} {file}')
        has(d['message'], 'granted by itself')
    has(' '.join(d['message'] for d in denials), f'replacing {file} (')
    # That is what helps; beside the other it does not.
    eq(about(told(code, '--rw', above), file), [])


@test
def a_mount_whose_directory_is_no_remedy():
    """A directory, what is at the top of a home, and what a clause names."""
    os.makedirs('d/sub')
    write('d/sub/key', 'x')
    write('home/.rc', 'x')
    here = os.path.abspath('.')
    d = one(told(trying(f'os.rmdir("{here}/d/sub")'), '--rw', 'd/sub'), 'd/sub')
    eq((d['reason'], d['allowable']), ('mounted', False))
    d = one(told(trying(f'os.unlink("{here}/home/.rc")'), '--rw', 'home/.rc'),
            'home/.rc')
    eq((d['reason'], d['allowable']), ('mounted', False))
    d = one(told(trying(f'os.rename("{here}/d/sub", "{here}/d/b")'), '--rw',
                 'd', '--deny', 'd/sub/key'), 'd/sub')
    eq((d['reason'], d['allowable']), ('mounted', False))
    has(d['message'], 'a clause of the policy names it, or something in it')


# --- what executes it ------------------------------------------------------

def script(interpreter, name='bin/tool'):
    return str(write(name, f'#!{interpreter}\nhello\n', mode=0o755))


@test
def the_interpreter_of_a_script():
    echo = script('/bin/sh', 'hidden/sh')
    write('hidden/sh', '#!/bin/sh\necho it runs\n', mode=0o755)
    tool = script(f' {echo} -e')
    for command in ([tool], ['sh', '-c', tool], ['env', tool]):
        r = mxc('run', '--denials', '--json', 'r', '--ro', tool, '--', *command)
        check(r.status in (126, 127), r)
        d = one(json.loads(read('r'))['denials'], echo)
        eq((d['what'], d['operation'], d['call'], d['reason'], d['hint']),
           ('exec', 'exec', 'execve', 'not_granted', f'--ro {echo}'))
        mxc('run', '--ro', tool, *d['hint'].split(), '--', *command).ok()
    denials = told(trying(f'os.execv({tool!r}, ["x"])'), '--ro', 'bin', '--ro',
                   'hidden', '--deny', echo)
    eq(one(denials, echo)['reason'], 'denied')


@test
def an_interpreter_by_a_relative_name():
    write('hidden/run', '#!/bin/sh\n', mode=0o755)
    os.makedirs('w')
    tool = script('../hidden/run')
    d = one(told(trying(f'os.execv({tool!r}, ["x"])'), '--ro', 'bin', '--ro',
                 'w', '--cwd', 'w'), 'hidden/run')
    eq((d['reason'], d['path']), ('not_granted', '../hidden/run'))


@test
def the_loader_of_a_program():
    need('readelf')
    real = re.search(r'interpreter: (\S+)\]',
                     run(['readelf', '-l', '/bin/true']).ok().out)
    # As long as the one that it stands for, so that nothing moves.
    loader = '/tmp/' + 'l' * (len(real[1]) - 5)
    shutil.copy(os.path.realpath(real[1]), loader)
    try:
        with open('/bin/true', 'rb') as f:
            text = f.read().replace(real[1].encode() + b'\0',
                                    loader.encode() + b'\0')
        os.makedirs('bin')
        with open('bin/true', 'wb') as f:
            f.write(text)
        os.chmod('bin/true', 0o755)
        outside([os.path.abspath('bin/true')]).ok()
        d = one(told(trying('os.execv("bin/true", ["x"])'), '--ro', 'bin',
                     '--cwd', '.'), loader)
        eq((d['operation'], d['reason'], d['hint']),
           ('exec', 'not_granted', f'--ro {loader}'))
    finally:
        os.unlink(loader)


@test
def what_executes_nothing_is_not_told():
    """No program, none that can be read, an interpreter that is nowhere."""
    write('bin/text', 'hello', mode=0o755)
    write('bin/short', '#!', mode=0o755)
    write('bin/elf', '\x7fELF', mode=0o755)
    write('bin/long', '#!' + 'x' * 5000, mode=0o755)
    write('bin/nowhere', '#!/nowhere/at/all\n', mode=0o755)
    write('bin/loop', f'#!{os.path.abspath("bin/loop")}\n', mode=0o755)
    write('bin/blind', '#!/bin/sh\n', mode=0o111)
    os.mkfifo('bin/pipe', 0o755)
    names = 'text short elf long nowhere loop blind pipe'.split()
    code = trying(*[f'os.execv("{os.path.abspath("bin")}/{n}", ["x"])'
                    for n in names if n != 'blind'])
    denials = told(code, '--ro', 'bin')
    # A pipe is no program, whoever asks.
    eq([d for d in denials if not d['resolved'].endswith('/pipe')], [])


@test
def a_command_that_is_not_granted():
    tool = script('/bin/sh')
    r = mxc('run', '--denials', '--json', 'r', '--', tool).failed(127,
                                                                  'not found')
    d = one(json.loads(read('r'))['denials'], tool)
    eq((d['operation'], d['reason'], d['hint']),
       ('exec', 'not_granted', f'--ro {tool}'), r)


@test
def a_command_whose_interpreter_is_not_there():
    tool = script('/nowhere/at/all')
    r = mxc('run', '--ro', tool, '--', tool)
    eq(r.status, 127)
    has(r.err, f"command '{tool}' is there, and what executes it is not: "
        "'/nowhere/at/all'")
    lacks(r.err, 'it may exist outside')


# --- in words --------------------------------------------------------------

@test
def the_reason_of_a_call_is_a_reason():
    """And not "as clone", or one that is about another call."""
    denials = told(CALLS + trying(
        'call({"x86_64": 272, "aarch64": 97}[os.uname().machine], 0x10000000)',
        'call({"x86_64": 165, "aarch64": 40}[os.uname().machine], 0, 0, 0, 0)',
        'call({"x86_64": 101, "aarch64": 117}[os.uname().machine], 0, 0, 0)'))
    why = {d['call']: d['message'].split(' was refused: ')[1] for d in denials}
    eq(why, {'unshare': 'a new namespace opens much of the kernel',
             'mount': 'changes the view of the file system',
             'ptrace': 'reads or steers another process'})


main()
