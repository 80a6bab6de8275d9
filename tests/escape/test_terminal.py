#!/usr/bin/env python3
"""The caller's terminal (A1-A6): nothing is typed into it, nobody takes it
over, it is given back as it was; and a workload still gets a usable one."""

import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from term import Term  # noqa: E402

TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD = 0x5412, 0x541c, 0x541d, 0x5423
TIOCSCTTY, TIOCEXCL = 0x540e, 0x540c

# Runs "$@" on the caller's terminal, then tells what it finds typed there.
HOST_SHELL = '''
    "$@"
    while IFS= read -r -t 0.1 line; do echo "the host read <$line>"; done
    echo over
'''
EVIL = 'touch canary\n'


def on_terminal(argv, script=HOST_SHELL):
    """What the terminal of a host's shell shows that runs this."""
    with Term(['bash', '-c', script, 'bash', *argv]) as t:
        eq(t.end(), 0, 'host shell')
        return t.text


# FILE REQUEST [TEXT]: a text is typed one byte per call, as TIOCSTI wants it.
# Not through the library's ioctl, whose request may be narrower.
IOCTL = '''
static int open_file(const char *name)
{
    if (name[0] >= '0' && name[0] <= '9')
        return atoi(name);
    return (int)TRY(open(name, O_RDWR | O_NOCTTY));
}

int main(int argc, char **argv)
{
    int fd = open_file(argv[1]), zero = 0;
    unsigned long request = strtoul(argv[2], NULL, 0);
    const char *text = argc > 3 ? argv[3] : "";

    if (!*text)
        TRY(syscall(SYS_ioctl, fd, request, &zero));
    for (; *text; text++)
        TRY(syscall(SYS_ioctl, fd, request, text));
    DONE();
}
'''


def ioctl_probe(file, request, *text):
    return cprobe(IOCTL, file, hex(request), *text)


def sandboxed(probe, *flags):
    return [MXC, *mxc_args(probe, flags=flags)]


def legacy_tiocsti():
    try:
        return read('/proc/sys/dev/tty/legacy_tiocsti').strip() == '1'
    except FileNotFoundError:           # before Linux 6.2: always
        return True


def check_typing_works(probe):
    """The same probe on the same kind of terminal types into the shell."""
    text = on_terminal(probe)
    if not IS_ROOT and not legacy_tiocsti():
        # The kernel's own switch answers EIO: the call did get that far, and
        # the walls under test would have said EPERM before.
        has(text, 'refused EIO', 'control')
        return
    has(text, 'the host read <touch canary>', 'control')


def check_nothing_typed(text, errno):
    has(text, f'refused {errno}')
    lacks(text, 'the host read')
    has(text, 'over')


FILES = {'standard input': '0', 'standard output': '1',
         'standard error': '2', '/dev/tty': '/dev/tty'}


@cases(FILES)
def a1_nothing_is_typed_into_the_callers_terminal(file):
    need('bash')
    probe = ioctl_probe(file, TIOCSTI, EVIL)
    check_typing_works(probe)
    # No controlling terminal: /dev/tty has nothing to stand for (tty(4)).
    want = 'ENXIO' if file == '/dev/tty' else 'EPERM'
    check_nothing_typed(on_terminal(sandboxed(probe)), want)


@cases(FILES)
def a1_nothing_is_typed_into_a_terminal_of_its_own(file):
    need('bash')
    probe = ioctl_probe(file, TIOCSTI, EVIL)
    check_typing_works(probe)
    check_nothing_typed(on_terminal(sandboxed(probe, '--tty')), 'EPERM')


@test
def a1_the_terminal_behind_pipes_is_not_there():
    """Standard streams are pipes, but the caller has a terminal."""
    need('bash')
    probe = ioctl_probe('/dev/tty', TIOCSTI, EVIL)
    script = '"$@" </dev/null 2>&1 | cat; ' + HOST_SHELL.split('\n', 2)[2]
    control = on_terminal(ioctl_probe('/dev/tty', 0x5413), script)
    has(control, 'done', 'control: /dev/tty opens')
    check_nothing_typed(on_terminal(sandboxed(probe), script), 'ENXIO')


@cases({'one bit': 1 << 32, 'sign': 0xffffffff << 32, 'top': 1 << 63})
def a2_the_upper_half_of_the_request_hides_nothing(bits):
    """The kernel drops it; a filter that compares 64 bits is passed by
    (CVE-2019-10063)."""
    need('bash')
    for flags in ((), ('--tty',)):
        probe = ioctl_probe('0', TIOCSTI | bits, EVIL)
        check_typing_works(probe)
        check_nothing_typed(on_terminal(sandboxed(probe, *flags)), 'EPERM')


@cases({'on the caller\'s': (), 'on its own': ('--tty',)})
def a3_the_line_discipline_stays(*flags):
    need('bash')
    probe = ioctl_probe('0', TIOCSETD)
    has(on_terminal(probe), 'done', 'control')
    has(on_terminal(sandboxed(probe, *flags)), 'refused EPERM')


@cases({'paste': TIOCLINUX, 'paste, upper half': 1 << 32 | TIOCLINUX})
def a3_no_paste_from_a_console(request):
    """No virtual console here to paste on: outside, the pty's driver is
    reached and says that it has no such call."""
    need('bash')
    probe = ioctl_probe('0', request)
    has(on_terminal(probe), 'refused ENOTTY', 'control')
    for flags in ((), ('--tty',)):
        has(on_terminal(sandboxed(probe, *flags)), 'refused EPERM')


@test
def a3_the_console_is_not_diverted():
    """Without the control, which would divert this host's console; for an
    ordinary user the kernel refuses it as well."""
    need('bash')
    for flags in ((), ('--tty',)):
        has(on_terminal(sandboxed(ioctl_probe('0', TIOCCONS), *flags)),
            'refused EPERM')


STEAL = '''
#include <termios.h>
int main(void)
{
    if (fork() != 0) {
        int st;
        wait(&st);
        _exit(WEXITSTATUS(st));
    }
    setsid();
    TRY(ioctl(0, TIOCSCTTY, 1));
    DONE();
}
'''


@test(only='root')
def a5_root_does_not_take_the_terminal_over():
    """What CAP_SYS_ADMIN may do (ioctl_tty(2), TIOCSCTTY with 1)."""
    need('bash')
    probe = cprobe(STEAL)
    has(on_terminal(probe, '"$@"; :'), 'done', 'control')
    has(on_terminal(sandboxed(probe)), 'refused EPERM')


@test
def a5_the_terminal_is_of_another_session():
    need('bash')
    probe = pyprobe('print(os.tcgetpgrp(0))\nos.tcsetpgrp(0, os.getpgrp())')
    has(on_terminal(probe, 'set -m; "$@"; :'), 'done', 'control')
    has(on_terminal(sandboxed(probe)), 'refused ENOTTY')


@test
def a5_the_terminals_of_the_host_have_no_name():
    need('bash')
    code = 'print(sorted(os.listdir("/dev/pts")), os.stat("/dev/pts").st_dev)'
    with Term([*sandboxed(pyprobe(code))]) as t:
        t.expect(r"\['ptmx'\] \d+")
        t.end()
    with Term([*sandboxed(pyprobe(code), '--tty')]) as t:
        dev = int(t.expect(r"\['0', 'ptmx'\] (\d+)").group(1))
        t.end()
    check(dev != os.stat('/dev/pts').st_dev, 'a devpts of its own')


@test
def a5_the_host_terminal_is_not_opened_by_its_name():
    """With a terminal of its own, not even as an inherited stream."""
    with Term(['sleep', '30']) as other:
        path = other.name
        code = (f'fd = os.open({path!r}, os.O_RDWR | os.O_NOCTTY)\n'
                'os.write(fd, b"canary")')
        eq(outside(code).done, True, 'control')
        other.expect('canary')
        r = inside(code)
        eq(r.refused, 'ENOENT')
        code = ('import glob\n'
                'for p in glob.glob("/proc/self/fd/*") + ["/dev/tty"]:\n'
                '    try:\n'
                f'        if os.stat(p).st_rdev == os.makedev(5, 0): continue\n'
                f'        print(os.readlink(p), os.stat(p).st_dev)\n'
                '    except OSError: pass')
        with Term(sandboxed(pyprobe(code), '--tty')) as t:
            t.end()
            lacks(t.text, f' {os.stat("/dev/pts").st_dev}\r\n')
            has(t.text, '/dev/pts/0 ', 'its own terminal')


# --- given back as it was ---

MODES = 'a=$(stty -g); "$@"; b=$(stty -g); [ "$a" = "$b" ] && echo the same; :'


@cases({'on the caller\'s': (), 'on its own': ('--tty',)})
def a5_modes_of_the_terminal_are_given_back(*flags):
    need('bash', 'stty')
    probe = ['sh', '-c', 'stty raw -echo; echo done']
    lacks(on_terminal(probe, MODES), 'the same', 'control')
    text = on_terminal(sandboxed(probe, *flags), MODES)
    has(text, 'done')
    has(text, 'the same')


@test
def a5_modes_are_given_back_after_a_kill_of_the_workload():
    need('bash', 'stty')
    text = on_terminal(sandboxed(['sh', '-c', 'stty raw -echo; echo done; '
                                  'kill -9 $$']), MODES)
    has(text, 'done')
    has(text, 'the same')


@test(only='user')
def a5_the_terminal_can_be_opened_again():
    """TIOCEXCL stays until the last close: every later program of the
    caller's would get EBUSY."""
    need('bash')
    probe = ioctl_probe('0', TIOCEXCL)
    after = '"$@"; (: </dev/tty) && echo it opens; :'
    lacks(on_terminal(probe, after), 'it opens', 'control')
    text = on_terminal(sandboxed(probe), after)
    has(text, 'done')
    has(text, 'it opens')


@test
def a5_output_is_not_left_stopped():
    """tcflow(3) with TCOOFF is as if somebody had pressed ^S."""
    need('bash')
    probe = pyprobe('import termios\ntermios.tcflow(0, termios.TCOOFF)')
    out = write('out')

    def is_stopped(argv):
        with Term(['bash', '-c', f'"$@" >{out}; echo o""ver', 'bash',
                   *argv]) as t:
            try:
                t.expect('over', 2)
            except AssertionError:
                return True
            finally:
                eq(read(out), 'done\n', 'what the probe says')
            t.end()
            return False
    check(is_stopped(probe), 'control')
    check(not is_stopped(sandboxed(probe)), "the caller's output is stopped")


@test
def a5_what_nobody_read_is_not_left_for_the_shell():
    """Answers of the terminal to what the workload printed arrive late."""
    need('bash')
    work = ['sh', '-c', 'stty raw -echo; echo asked; sleep 0.5']
    with Term(['bash', '-c', HOST_SHELL, 'bash', *work]) as t:
        t.expect('asked')
        t.type(EVIL)
        t.expect('the host read', 5)    # the control
        t.end()
    with Term(['bash', '-c', HOST_SHELL, 'bash',
               *sandboxed(work, '--tty')]) as t:
        t.expect('asked')
        t.type(EVIL)
        t.expect('over')
        lacks(t.text, 'the host read')
        t.end()


# --- usable all the same (A6) ---

ASK = 'stty -echo; echo ready; while read -r x; do echo "<$x>"; done; exit 4'


@test
def a6_lines_and_the_end_of_input():
    with Term(sandboxed(['sh', '-c', ASK], '--tty')) as t:
        t.expect('ready')
        t.type('hello\n')
        t.expect('<hello>')
        t.type('\x04')
        eq(t.end(), 4)


LOOP = 'echo ready; while :; do sleep 0.02; done'


@cases({'on the caller\'s': (), 'on its own': ('--tty',)})
def a6_interrupt(*flags):
    work = ['sh', '-c', 'trap "echo heard; exit 3" INT; ' + LOOP]
    with Term(sandboxed(work, *flags)) as t:
        t.expect('ready')
        t.type('\x03')
        t.expect('heard')
        eq(t.end(), 3)


@test
def a6_an_interrupt_without_a_handler_is_a_signal():
    with Term(sandboxed(['sh', '-c', LOOP], '--tty')) as t:
        t.expect('ready')
        t.type('\x03')
        eq(t.end(), 130)


@test
def a6_resize():
    work = ['sh', '-c', 'stty size; trap "stty size" WINCH; ' + LOOP]
    with Term(sandboxed(work, '--tty'), rows=31, cols=77) as t:
        t.expect('31 77')
        t.expect('ready')
        t.resize(40, 101)
        t.expect('40 101')


@test
def a6_job_control_inside():
    work = ['bash', '--norc', '--noprofile', '-i']
    with Term(sandboxed(work, '--tty')) as t:
        t.type('PS1="rea""dy> "\n')
        t.expect('ready> ')
        t.type('sleep 100\n')
        t.expect('sleep 100\r\n')
        eventually(lambda: 'sleep' in descendants().values())
        t.type('\x1a')
        t.expect('Stopped')
        t.type('kill %1; fg\n')
        t.expect('Terminated')
        t.type('exit 5\n')
        eq(t.end(), 5)


@test
def a6_stopped_and_continued_by_the_hosts_shell():
    need('bash')
    work = sandboxed(['sh', '-c', 'echo ready; read x; echo "<$x>"; exit 6'])
    with Term(['bash', '--norc', '--noprofile', '-i']) as t:
        t.type('PS1="ho""st> "\n')
        t.expect('host> ')
        t.type(' '.join(f"'{a}'" for a in map(str, work)) + '\n')
        t.expect('\rready\r|\nready\r')
        t.type('\x1a')
        t.expect('Stopped')
        t.type('fg\n')
        t.type('on\n')
        t.expect('<on>')
        t.type('echo status $?\n')
        t.expect('status 6')
        t.type('exit\n')
        t.end()


@test
def a6_in_the_background():
    """Its end leaves the terminal to the shell, and is not stopped by it."""
    need('bash')
    script = 'set -m; "$@" & wait $!; echo status $?'
    with Term(['bash', '-c', script, 'bash',
               *sandboxed(['sh', '-c', 'exit 7'])]) as t:
        t.expect('status 7')
        eq(t.end(), 0)


main()
