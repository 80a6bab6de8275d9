#!/usr/bin/env python3
"""The stream of events: its rules, and readers and workloads that mean ill."""

import json
import os
import signal
import socket
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from event_lines import SCHEMA, hidden, read_events  # noqa: E402

NET = ('--allow-net', '192.0.2.1')
DIAL = ('import socket, time\n'
        'def dial(port=80):\n'
        '    s = socket.socket(); s.settimeout(5)\n'
        '    try: s.connect(("192.0.2.9", port))\n'
        '    except OSError: pass\n'
        '    s.close()\n')
# More than a pipe and the queue have room for.
FLOOD = DIAL + 'for n in range(3000): dial(1 + n){}\n'
# The same, and then a word and a wait.
THEN = FLOOD.format('; time.sleep(0.0005)') + 'print(flush=True)\ninput()\ndial()\n'


def kinds(events):
    return [e['event'] for e in events]


def run_python(code, *options):
    return mxc('run', *options, '--', 'python3', '-c', code)


# --- what is told ----------------------------------------------------------

@test
def a_run_begins_and_ends():
    run_python('raise SystemExit(3)', '--events', 'ev').ok(3)
    started, exited = read_events(read('ev'))
    eq(started['event'], 'started')
    eq(started['command'], 'python3')
    eq(started['backend'], use_backend.name or 'native')
    eq((exited['outcome'], exited['exitCode']), ('exited', 3))
    eq(exited['denials'], 0)


@test
def what_ends_it_is_told():
    mxc('run', '--timeout', '200ms', '--events', 'ev', '--', 'sleep',
        '60').ok(124)
    last = read_events(read('ev'))[-1]
    eq((last['outcome'], last['exitCode']), ('timed_out', 124))
    has(last['message'], 'timeout of 200 ms')
    mxc('run', '--events', 'ev', '--', 'sh', '-c', 'kill -9 $$').ok(137)
    last = read_events(read('ev'))[-1]
    eq((last['outcome'], last['signal']), ('signaled', 9))
    mxc('run', '--events', 'ev', '--', '/nope').ok(127)
    last = read_events(read('ev'))[-1]
    eq((last['outcome'], last['exitCode']), ('not_started', 127))
    has(last['message'], '/nope')


@test
def refusals_are_told_and_counted():
    run_python(DIAL + 'dial(); dial(); dial(81)', *NET, '--events', 'ev',
               '--json', 'r').ok()
    events = read_events(read('ev'))
    eq(kinds(events), ['started', 'denied', 'denied', 'denied', 'exited'])
    eq(events[1]['address'], '192.0.2.9')
    eq(events[1]['hint'], '--allow-net 192.0.2.9:80')
    eq(events[-1]['denials'], 3)
    result = json.loads(read('r'))
    eq(result['denialCount'], 3)
    eq(sorted(d['count'] for d in result['denials']), [1, 2])


@test
def without_a_refusal_the_count_is_there():
    mxc('run', '--json', 'r', '--', 'true').ok()
    eq(json.loads(read('r'))['denialCount'], 0)


@test
def warnings_come_first():
    os.makedirs('d/sub')
    # What is granted twice is worth a word to nobody; a missing wall is.
    r = mxc('run', '--accept-missing', 'landlock', '--events', 'ev', '--json',
            'r', '--', 'true').ok()
    warnings = json.loads(read('r'))['warnings']
    told = [e['message'] for e in read_events(read('ev'))
            if e['event'] == 'warning']
    eq(told, warnings, f'{r}')


@test
def the_callers_word_is_in_all_of_it():
    run_python(DIAL + 'dial()', *NET, '--events', 'ev', '--json', 'r',
               '--correlation-id', 'job-7 \u00fc').ok()
    eq({e['correlationId'] for e in read_events(read('ev'))}, {'job-7 \u00fc'})
    eq(json.loads(read('r'))['correlationId'], 'job-7 \u00fc')


@cases({'empty': '', 'long': 'x' * 129, 'newline': 'a\nb',
        'escape': 'a\x1b[31m', 'bidi': 'a\u202e', 'zero width': 'a\u200bb',
        'not utf-8': b'a\xff'})
def a_word_that_is_none_is_refused(word):
    r = mxc('run', '--correlation-id', word, '--', 'true').ok(125)
    has(r.err, '--correlation-id: not a word for a run')


# --- where it goes ---------------------------------------------------------

@test
def to_standard_output():
    r = mxc('run', '--events', '-', '--', 'true').ok()
    eq(kinds(read_events(r.out)), ['started', 'exited'])


@test
def to_a_descriptor_and_behind_what_a_file_has():
    fd = os.open('ev', os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(fd, b'{"mine":1}\n')
    run([str(MXC), 'run', '--events', str(fd), '--', 'true'],
        pass_fds=(fd,)).ok()
    os.write(fd, b'{"mine":2}\n')
    os.close(fd)
    lines = read('ev').splitlines(keepends=True)
    eq((lines[0], lines[-1]), ('{"mine":1}\n', '{"mine":2}\n'))
    eq(kinds(read_events(''.join(lines[1:-1]))), ['started', 'exited'])


@test
def the_callers_descriptor_stays_as_it_was():
    """It is shared: O_NONBLOCK would be the caller's too."""
    import fcntl
    reader, writer = os.pipe()
    before = fcntl.fcntl(writer, fcntl.F_GETFL)
    run([str(MXC), 'run', '--events', str(writer), '--', 'true'],
        pass_fds=(writer,)).ok()
    eq(fcntl.fcntl(writer, fcntl.F_GETFL), before)
    os.close(writer)
    with open(reader) as f:
        eq(kinds(read_events(f.read())), ['started', 'exited'])


def one_place(json_to, events_to, **kw):
    os.path.exists('ran') and os.unlink('ran')
    return run([str(MXC), 'run', '--rw', '.', '--json', json_to, '--events',
                events_to, '--', 'touch', os.path.abspath('ran')], **kw)


def not_in_one_place(json_to, events_to, **kw):
    r = one_place(json_to, events_to, **kw)
    r.failed(125, f'--json {json_to} and --events {events_to} are the same')
    check(not os.path.exists('ran'), 'it ran')
    return r


@test
def not_where_the_result_goes():
    """By whatever name; who reads the result is told there too."""
    message = 'the same file'
    os.mkdir('d')
    write('f', '')
    os.link('f', 'd/other')
    for json_to, events_to in (('f', 'f'), ('f', './d/../f'),
                               ('d/other', 'f'), ('new', 'new')):
        not_in_one_place(json_to, events_to)
        has(json.loads(read(json_to))['error']['message'], message)
    for to in ('-', '1', '/dev/stdout'):
        r = not_in_one_place('-', to)
        has(json.loads(r.out)['error']['message'], message)
    reader, writer = os.pipe()
    not_in_one_place(str(writer), f'/dev/fd/{writer}', pass_fds=(writer,))
    os.close(writer)
    with open(reader) as f:
        has(json.loads(f.read())['error']['message'], message)


@test
def two_places_are_two():
    write('a', '')
    for places in (('a', 'b'), ('a', '-'), ('-', 'b'), ('1', '2'),
                   ('/dev/null', '/dev/null')):
        one_place(*places).ok()
        check(os.path.exists('ran'), places)
    eq(kinds(read_events(read('b'))), ['started', 'exited'])


@test
def a_full_disk_ends_the_stream_and_not_the_run():
    mxc('run', '--events', '/dev/full', '--', 'sh', '-c', 'exit 4').ok(4)


# --- readers ---------------------------------------------------------------

def flooded(make, code, read_all):
    """A flood into `make`'s writer; `read_all` of what its reader gets."""
    reader, writer = make()
    with spawn([str(MXC), 'run', '--timeout', '60', *NET, '--events',
                str(writer.fileno()), '--', 'python3', '-c', code],
               pass_fds=(writer.fileno(),), stdin=-1, stdout=-1) as p:
        writer.close()
        text = read_all(p, reader)
        status = p.wait(timeout=60)
    reader.close()
    eq(status, 0)
    return read_events(text)


def pipe():
    reader, writer = os.pipe()
    return open(reader, 'rb', 0), open(writer, 'wb', 0)


def pair():
    class End:
        def __init__(self, s):
            self.s, self.fileno, self.close = s, s.fileno, s.close

        def read(self, n):
            return self.s.recv(n)
    return [End(s) for s in socket.socketpair()]


def to_the_end(_, reader):
    found = b''
    while piece := reader.read(1 << 16):
        found += piece
    return found.decode()


@cases({'pipe': pipe, 'socket': pair})
def a_reader_that_reads_misses_nothing(make):
    events = flooded(make, FLOOD.format('; time.sleep(0.0005)'), to_the_end)
    eq([e for e in events if e['event'] == 'gap'], [])
    eq(kinds(events).count('denied'), 3000)
    eq(events[-1]['event'], 'exited')
    eq(events[-1]['denials'], 3000)


@cases({'pipe': pipe, 'socket': pair})
def a_slow_reader_is_told_what_it_missed(make):
    def late(p, reader):
        p.stdout.readline()
        p.stdin.write(b'\n')
        p.stdin.close()
        return to_the_end(p, reader)
    events = flooded(make, THEN, late)
    missing = sum(e['count'] for e in events if e['event'] == 'gap')
    told = kinds(events).count('denied')
    check(missing > 0, f'nothing is missing of {told}')
    eq(told + missing, 3001, 'told and missing')
    has([e['reason'] for e in events if e['event'] == 'gap'], 'reader')
    eq(events[-1]['event'], 'exited')


@cases({'pipe': pipe, 'socket': pair})
def a_reader_that_never_reads_holds_nothing(make):
    reader, writer = make()
    start = time.monotonic()
    with spawn([str(MXC), 'run', '--timeout', '2', *NET, '--events',
                str(writer.fileno()), '--', 'python3', '-c',
                DIAL + 'while True: dial()'],
               pass_fds=(writer.fileno(),)) as p:
        eq(p.wait(timeout=30), 124)
    check(time.monotonic() - start < 20, 'it took too long')
    writer.close()
    # What is there is whole up to where it was cut.
    check(len(read_events(to_the_end(None, reader))) > 1)
    reader.close()


def named_pipe():
    os.mkfifo('pipe', 0o600)
    reader = open(os.open('pipe', os.O_RDONLY | os.O_NONBLOCK), 'rb', 0)
    writer = open('pipe', 'wb', 0)
    os.set_blocking(reader.fileno(), True)
    return reader, writer


STRANGERS = {'without a name': pipe, 'with a name': named_pipe}


def as_stranger(writer, code, *flags, **popen):
    """By a caller who cannot open the pipe a second time."""
    return spawn([str(MXC), 'run', *flags, *NET, '--events',
                  str(writer.fileno()), '--', 'python3', '-c', code],
                 pass_fds=(writer.fileno(),), user=65534, group=65534,
                 extra_groups=[], cwd='/', **popen)


@cases(STRANGERS, only='root')
def a_strangers_pipe_misses_nothing(make):
    reader, writer = make()
    with as_stranger(writer, FLOOD.format('; time.sleep(0.0005)')) as p:
        writer.close()
        events = read_events(to_the_end(None, reader))
        eq(p.wait(timeout=60), 0)
    reader.close()
    eq([e for e in events if e['event'] == 'gap'], [])
    eq(kinds(events).count('denied'), 3000)
    eq(events[-1]['denials'], 3000)


@cases(STRANGERS, only='root')
def a_workload_that_fills_a_strangers_pipe_holds_nothing(make):
    """It has it as its own output, takes all room that a reader makes, and
    then there is none any more."""
    code = ('import os\n'
            'for n in range(3):\n'
            '    if os.fork() == 0:\n'
            '        while True: os.write(1, b"x" * 512)\n'
            + DIAL + 'while True: dial()')
    reader, writer = make()
    start = time.monotonic()
    with as_stranger(writer, code, '--timeout', '3', stdout=writer) as p:
        while time.monotonic() - start < 1.5:
            reader.read(700)
        eq(p.wait(timeout=30), 124)
    check(time.monotonic() - start < 15, 'it took too long')
    reader.close()
    writer.close()


@test
def a_terminal_that_is_stopped_holds_nothing():
    import pty as ptys
    master, slave = ptys.openpty()
    with spawn([str(MXC), 'run', '--timeout', '1', *NET, '--events',
                str(slave), '--', 'python3', '-c',
                DIAL + 'while True: dial()'], pass_fds=(slave,)) as p:
        eq(p.wait(timeout=30), 124)
    os.close(master)
    os.close(slave)


@cases({'pipe': pipe, 'socket': pair})
def a_reader_that_closes_ends_the_stream_and_not_the_run(make):
    reader, writer = make()
    with spawn([str(MXC), 'run', *NET, '--events', str(writer.fileno()), '--',
                'python3', '-c',
                DIAL + 'dial()\nimport sys; sys.stdin.read()\n'
                'for n in range(50): dial()\nraise SystemExit(5)'],
               pass_fds=(writer.fileno(),), stdin=-1) as p:
        writer.close()
        found = reader.read(100)
        reader.close()
        p.stdin.close()
        eq(p.wait(timeout=30), 5)
    check(found)


@test
def a_session_has_a_stream():
    env = {'XDG_RUNTIME_DIR': os.getcwd()}
    os.chmod('.', 0o700)
    id = mxc('provision', *NET, env=env).ok().out.strip()
    try:
        mxc('start', id, env=env).ok()
        mxc('exec', id, '--', 'python3', '-c', DIAL + 'dial()', env=env).ok()
        eventually(lambda: 'denied' in mxc('tail', '--once', id, env=env).out,
                   what='the refusal')
        mxc('stop', id, env=env).ok()
        lines = mxc('tail', id, env=env).ok().out.splitlines()
    finally:
        mxc('deprovision', id, env=env).ok()
    eq([line.split()[1] for line in lines], ['started', 'denied', 'exited'])
    mxc('tail', id, env=env).failed(1, f"cannot read '{id}'")


@test
def a_stream_without_an_end():
    """Its holder was killed: nobody writes any more, and nobody waits."""
    env = {'XDG_RUNTIME_DIR': os.getcwd()}
    os.chmod('.', 0o700)
    id = mxc('provision', env=env).ok().out.strip()
    try:
        mxc('start', id, env=env).ok()
        holder = json.loads(mxc('inspect', id, env=env).ok().out)['pid']
        with spawn([MXC, 'tail', id], stdout=-1, stderr=-1,
                   env={**os.environ, **env}) as p:
            has(p.stdout.readline().decode(), 'started')
            os.kill(holder, signal.SIGKILL)
            err = p.communicate(timeout=20)[1].decode()
        eq(p.returncode, 1, err)
        has(err, "the session's holder was killed")
        mxc('tail', id, env=env).failed(1, "the session's holder was killed")
        eq(mxc('tail', '--once', id, env=env).ok().out.split()[1], 'started')
    finally:
        mxc('deprovision', id, env=env).ok()


# --- what the sandbox says -------------------------------------------------

NASTY = 'a\x1b[2J\u202e\u200b\x7f\n"\\'


@test
def hostile_text_is_made_harmless():
    """The command's own name, which is as bad as any path of a workload."""
    mxc('run', '--events', 'ev', '--', f'/{NASTY}').ok(127)
    started, exited = read_events(read('ev'))
    eq(started['command'], '/a\\x1b[2J\\u{202e}\\u{200b}\\x7f\\n"\\')
    eq(hidden(exited['message']), [])
    mxc('run', '--events', 'ev', '--', b'/\xff\xfe\xc3').ok(127)
    eq(read_events(read('ev'))[0]['command'], '/\\xff\\xfe\\xc3')


@test
def long_text_is_cut():
    mxc('run', '--events', 'ev', '--', ('/' + '\u00fc' * 120) * 8).ok(127)
    command = read_events(read('ev'))[0]['command']
    check(command.endswith('\u00fc...'), command[-20:])
    check(len(command.encode()) <= 1024, len(command))


@test
def the_workload_cannot_write_there():
    """Not even to the file: its own descriptors are three."""
    write('ev')
    r = mxc('run', '--events', 'ev', '--', 'python3', '-c',
            'import os; print(sorted(os.listdir("/proc/self/fd")))').ok()
    eq(len(eval(r.out)), 4, r.out)


# --- mxc tail --------------------------------------------------------------

@test
def every_kind_of_event_is_shown():
    examples = {'string': 'word', 'integer': 7, 'boolean': True}
    for kind, schema in SCHEMA['$defs'].items():
        event = {name: examples[schema['properties'][name].get('type', 'string')]
                 for name in schema['properties']} | {'event': kind}
        write('all', json.dumps(event) + '\n')
        r = mxc('tail', '--once', 'all').ok()
        eq(r.out.split()[1], kind)
        check(len(r.out.split()) > 2, r.out)


@test
def tail_shows_it_to_people():
    run_python(DIAL + 'dial()', *NET, '--events', 'ev', '--correlation-id',
               'job').ok()
    lines = mxc('tail', 'ev').ok().out.splitlines()
    eq([line.split()[1] for line in lines], ['started', 'denied', 'exited'])
    has(lines[0], 'python3, by the backend ')
    has(lines[0], 'as job')
    has(lines[1], 'connecting to 192.0.2.9:80 (tcp) was refused')
    has(lines[1], 'to allow it: --allow-net 192.0.2.9:80')
    has(lines[2], 'exit code 0')
    eq(mxc('tail', '-', input=read('ev')).ok().out.splitlines(), lines)


@test
def tail_follows_until_the_end():
    write('ev')
    with spawn([str(MXC), 'tail', 'ev'], stdout=-1) as p:
        mxc('run', '--events', 'ev', '--', 'true').ok()
        out = p.communicate(timeout=30)[0].decode()
    eq(p.returncode, 0)
    eq([line.split()[1] for line in out.splitlines()], ['started', 'exited'])


@test
def tail_once_does_not_wait():
    run_python('pass', '--events', 'ev').ok()
    write('half', read('ev').splitlines(keepends=True)[0])
    eq(len(mxc('tail', '--once', 'half').ok().out.splitlines()), 1)


@test
def tail_passes_over_what_it_does_not_know():
    """Kinds and members of a later mxc."""
    head = '"timeMs":1,"monotonicUs":1'
    write('ev', '{"event":"later","seq":1,%s,"x":1}\n'
          '{"event":"started","seq":2,%s,"backend":"native","x":[]}\n'
          '{"event":"gap","seq":4,%s,"count":1,"reason":"broker"}\n'
          '{"event":"exited","seq":5,%s,"outcome":"exited"}\n' % ((head,) * 4))
    lines = mxc('tail', 'ev').ok().out.splitlines()
    eq([line.split()[1] for line in lines], ['started', 'gap', 'exited'])
    has(lines[0], 'a session, by the backend native')
    has(lines[1], '1 event is missing: broker')


@test
def tail_sends_nothing_to_the_terminal():
    head = '"seq":1,"timeMs":1,"monotonicUs":1'
    nasty = '\\u001b[2J\\u202e\\u200b\\n\\u0007'
    write('ev', '{"event":"warning",%s,"message":"%s"}\n' % (head, nasty))
    out = mxc('tail', '--once', 'ev').ok().out
    eq(hidden(out.rstrip('\n')), [])
    has(out, '\\x1b[2J\\u{202e}\\u{200b}\\n\\x07')


@cases({'not JSON': 'hello\n', 'no event': '{}\n', 'a list': '[1]\n',
        'another kind': '{"event":"nope"}\n', 'long': 'x' * 200000})
def tail_refuses_what_is_no_stream(text):
    write('ev', text)
    mxc('tail', '--once', 'ev').failed(1, 'mxc: ')
    mxc('tail', '--once', 'missing').failed(1, "cannot read 'missing'")
    mxc('tail').failed(2, 'no FILE to read')


@test
def a_link_is_not_written_through():
    """An earlier workload may have put it where it could write."""
    write('mine', 'precious')
    os.symlink('mine', 'ev')
    for option in '--events', '--json':
        mxc('run', option, 'ev', '--', 'true').failed(
            125, 'name the file that it leads to')
    eq(read('mine'), 'precious')
    has(mxc('run', '--events', '/dev/stderr', '--', 'true').ok().err,
        '"exited"')


main()
