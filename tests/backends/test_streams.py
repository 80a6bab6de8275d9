#!/usr/bin/env python3
"""Standard streams on every backend: apart, whole, byte by byte, ended."""

import hashlib
import os
import signal
import subprocess
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
import contract  # noqa: E402,F401

EVERY_BYTE = bytes(range(256)) * 16


@test
def output_and_errors_stay_apart():
    r = inside(['sh', '-c', 'echo one; echo two >&2; echo three; exit 3'])
    eq((r.status, r.out, r.err), (3, 'one\nthree\n', 'two\n'))


@test
def every_byte_arrives_both_ways():
    r = inside(['sh', '-c', 'tee /dev/stderr'], input=EVERY_BYTE).ok()
    eq(r.out_bytes, EVERY_BYTE, 'output')
    eq(r.err_bytes, EVERY_BYTE, 'errors')


@test
def a_last_line_without_its_end():
    r = inside(['printf', '%s', 'no newline']).ok()
    eq((r.out, r.err), ('no newline', ''))


@test
def the_end_of_the_input_is_seen():
    r = inside(['sh', '-c', 'cat; echo end'], input='text\n').ok()
    eq(r.out, 'text\nend\n')
    eq(inside(['sh', '-c', 'cat; echo end']).ok().out, 'end\n')


@test
def input_comes_when_it_is_given():
    """Nobody waits for more than a line of it."""
    p = spawn([MXC, *mxc_args(['sh', '-c', 'read a; echo "<$a>"; cat'])],
              stdin=subprocess.PIPE)
    p.stdin.write(b'now\n')
    p.stdin.flush()
    eq(p.stdout.readline(), b'<now>\n')
    eq(p.communicate(b'later\n', timeout=10), (b'later\n', b''))
    eq(p.returncode, 0)


@test
def ten_megabytes_come_through():
    data = os.urandom(1 << 20) * 10
    want = hashlib.sha256(data).hexdigest()
    r = inside(['cat'], input=data).ok()
    eq(hashlib.sha256(r.out_bytes).hexdigest(), want, 'through cat')
    r = inside(['sha256sum'], input=data).ok()
    eq(r.out.split()[0], want, 'as it arrives')


@test
def a_reader_that_goes_away_ends_the_writer():
    p = spawn([MXC, *mxc_args(['yes'])])
    p.stdout.readline()
    p.stdout.close()
    eq(p.wait(timeout=10), 128 + signal.SIGPIPE)
    p.stderr.close()


@test
def a_file_as_output_is_appended_to():
    """Neither cut nor written over from its start."""
    for n in range(3):
        with open('log', 'ab') as f:
            p = spawn([MXC, *mxc_args(['echo', f'line {n}'])], stdout=f)
            _, err = p.communicate(timeout=20)
            eq((p.returncode, err), (0, b''))
    eq(read('log'), 'line 0\nline 1\nline 2\n')


@test
def files_as_all_three_streams():
    write('in', 'first\nsecond\n')
    with open('in', 'rb') as i, open('out', 'wb') as o, open('err', 'wb') as e:
        p = spawn([MXC, *mxc_args(['sh', '-c', 'cat; echo bad >&2'])],
                  stdin=i, stdout=o, stderr=e)
        eq(p.wait(timeout=20), 0)
    eq((read('out'), read('err')), ('first\nsecond\n', 'bad\n'))


@test
def closed_streams_are_no_descriptors_of_somebody_else():
    """What the caller closed is /dev/null or closed inside, nothing else."""
    code = ('for fd in 0, 1:\n'
            '    try: name = os.readlink(f"/proc/self/fd/{fd}")\n'
            '    except OSError: name = "closed"\n'
            '    print(fd, name, file=sys.stderr)')
    argv = on_backend([MXC, *mxc_args(pyprobe(code))])
    r = run(['sh', '-c', '"$@" <&- >&-', 'sh', *argv])
    for line in r.err.splitlines():
        check(line.split(' ', 1)[1] in ('/dev/null', 'closed')
              or line.startswith('mxc: '), r)
    eq(r.out, '')


main()
