#!/usr/bin/env python3
"""libmxc, called from Python: questions, structures, mxc_run, examples."""

import ctypes
import json
import os
import sys
import threading
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
import sanitizer  # noqa: E402
from libmxc import *  # noqa: E402,F403
from libmxc import lib, run_it as go  # noqa: E402


# --- questions ---------------------------------------------------------------

@test
def version_and_names():
    eq(lib.library_version().decode(), mxc('--version').out.split()[1])
    eq(lib.error_name(11), b'policy_validation')
    eq(lib.error_name(1), b'malformed_request')
    for code in (0, -1, 13, 99):
        eq(lib.error_name(code), b'backend_error')


@test
def validate_says_what_a_run_would():
    ask('validate')
    e = refused(VALIDATION, '/nope', ask, 'validate', sections={
        'filesystem': {'readonlyPaths': ['/nope']}})
    eq((e.where, e.line), (b'filesystem.readonlyPaths[0]', 1))
    check(e.column > 1 and e.hint)
    refused(MALFORMED, "'line'", ask, 'validate',
            b'{"version": "1.0.0", "line": 1}')
    refused(MALFORMED, '', ask, 'validate', b'')
    refused(MALFORMED, '', ask, 'validate', b'\xff\xfe')
    refused(MALFORMED, '8388608', ask, 'validate', b' ' * (9 << 20))
    refused(CONTAINMENT, 'seatbelt', ask, 'validate', backend=b'seatbelt')
    refused(CONTAINMENT, 'nonsense', ask, 'validate', backend=b'nonsense')
    error = Error()
    eq(lib.validate(None, 0, None, ctypes.byref(error)), -1)
    eq(error.message, b'no request')
    eq(lib.validate(None, 0, None, None), -1)


@test
def a_request_need_not_end_with_nul():
    text = request()
    buffer = ctypes.create_string_buffer(text + b'garbage')
    eq(lib.validate(ctypes.cast(buffer, ctypes.c_char_p), len(text), None,
                    None), 0)


@test
def explain_is_the_command_s():
    write('p.json', request('ls', **NET).decode())
    eq(ask('explain', 'ls', NET), mxc('explain', 'p.json').ok().out)


@test
def receipt_is_the_command_s():
    write('p.json', request('ls').decode())
    mine = json.loads(ask('receipt', 'ls', detached=1))
    theirs = json.loads(mxc('check', '--json', '1', 'p.json').ok().out)
    eq(mine, {k: theirs[k] for k in ('backend', 'tier', 'warnings',
                                     'receipt')})


@test
def probe_is_the_doctor_s():
    out, error = ctypes.c_void_p(), Error()
    eq(lib.probe(ctypes.byref(out), ctypes.byref(error)), 0, error.message)
    mine = json.loads(take(out))
    theirs = json.loads(mxc('doctor', '--json', '1').out)
    eq(set(mine), set(theirs))
    eq([(c['name'], c['state']) for c in mine['checks']],
       [(c['name'], c['state']) for c in theirs['checks']])
    # A sanitized mxc without its options counts what a command that ends
    # leaves to the kernel as a leak, and the self-test as failed.
    if not sanitizer.is_sanitized(LIBRARY):
        eq(mine['selfTest']['worked'], theirs['selfTest']['worked'])


@test
def errors_as_json():
    e = refused(VALIDATION, '', ask, 'validate', sections={
        'filesystem': {'readonlyPaths': ['/nope']}})
    j = json.loads(take(lib.error_json(ctypes.byref(e))))
    eq(j['code'], 'policy_validation')
    eq(j['details']['where'], 'filesystem.readonlyPaths[0]')
    eq(j['details']['line'], 1)
    eq(json.loads(take(lib.error_json(None)))['code'], 'backend_error')


# --- structures that may grow -----------------------------------------------

class Longer(ctypes.Structure):
    _fields_ = [('known', Options), ('new', ctypes.c_uint64)]


@test
def options_of_other_sizes():
    text = request()
    error = Error()

    def validate(options):
        return lib.validate(text, len(text), ctypes.cast(
            ctypes.byref(options), ctypes.POINTER(Options)),
            ctypes.byref(error))
    longer = Longer(known=Options(size=ctypes.sizeof(Longer)))
    eq(validate(longer), 0, 'what is unknown is zero')
    longer.new = 1
    eq(validate(longer), -1)
    has(error.message, b'does not know')
    shorter = Options(size=16, backend=b'nonsense')
    eq(validate(shorter), 0, 'what is cut off is not read')
    for size in (0, 7, 4097, 1 << 60):
        eq(validate(Options(size=size)), -1)
        has(error.message, b'mxc_options.size')


@test
def errors_of_other_sizes():
    for size in range(0, ctypes.sizeof(Error) + 1, 4):
        error = Error()
        ctypes.memset(ctypes.byref(error), 0x5a, ctypes.sizeof(error))
        error.size = size
        eq(lib.validate(b'{', 1, None, ctypes.byref(error)), -1)
        raw = ctypes.string_at(ctypes.byref(error), ctypes.sizeof(error))
        eq(raw[max(size, 8):], b'\x5a' * (len(raw) - max(size, 8)))
        if size >= 12:
            eq(error.code, MALFORMED)
        if size > 24:
            eq(raw[size - 1], 0, f'a text that is cut ends: {size}')


@test
def outputs_of_other_sizes():
    refused(MALFORMED, 'sizeof', lambda: bad_result(8))
    with Box('true') as box:
        box.status.size = 8
        eq(box.wait(), 0)
        eq((box.failed, box.error.code), (-1, MALFORMED))
        box.status.size = 200
        eq(box.wait(), EXITED)
        eq(lib.sandbox_wait(box.box, -1, None, None), 0)


def bad_result(size):
    result, error = Result(), Error()
    result.size = size
    text = request()
    if lib.run(text, len(text), None, ctypes.byref(result),
               ctypes.byref(error)) < 0:
        raise MxcError(error)


@test
def options_are_checked():
    for fields, why in (({'stdio': 6}, 'stdio'), ({'libexec': b'x'}, 'abs'),
                        ({'directory': b'x'}, 'abs'), ({'rows': 40000}, 'large'),
                        ({'columns': 40000}, 'large')):
        refused(MALFORMED, why, ask, 'validate', **fields)
        refused(MALFORMED, why, Box, **fields)
    for fields in ({'input': b'x'}, {'cancel_fd': 9}, {'output_max': 1}):
        refused(MALFORMED, 'mxc_run', Box, **fields)
    for fields in ({'events': 1}, {'detached': 1}, {'stdio': PTY},
                   {'stdio': FDS}):
        refused(MALFORMED, 'mxc_spawn', go, **fields)
    refused(UNAVAILABLE, '/nowhere', go, libexec=b'/nowhere')
    refused(BACKEND, 'not open', Box, stdio=FDS, stdin_fd=777)
    eq(go(libexec=os.fsencode(TREE / 'libexec/mxc')).how, EXITED)


# --- mxc_run -----------------------------------------------------------------

@test
def run_captures_everything():
    e = go('cat; echo err >&2; exit 7', input=b'a\0b\n')
    eq((e.r, e.how, e.code, e.out, e.err), (0, EXITED, 7, b'a\0b\n', b'err\n'))
    eq((e.out_lost, e.err_lost, e.json['outcome']), (0, 0, 'exited'))
    check(e.json['receipt'] and e.json['backend'] == 'native')


@test
def run_tells_how_it_ended():
    e = go('true')
    eq((e.how, e.code, e.out, e.err), (EXITED, 0, b'', b''))
    e = go('kill -9 $$')
    eq((e.how, e.code, e.signal), (SIGNALED, 137, 9))
    e = go({'commandLine': 'sleep 50', 'timeout': 200})
    eq((e.r, e.how, e.code, e.err), (0, TIMED_OUT, 124, b''))
    check(190 <= e.ms, e.ms)
    within(e.ms, 5000, 'ms')
    e = go('/no/such/program')
    eq((e.how, e.code), (EXITED, 127), "the shell's own word")
    e = go({'commandLine': 'true', 'cwd': '/nowhere'})
    eq((e.r, e.how), (-1, FAILED))
    has(e.error.message, b'/nowhere')
    eq(e.json['error']['message'].encode(), e.error.message)


@test
def output_that_is_too_much_is_counted():
    e = go('head -c 300000 /dev/zero; echo x >&2', output_max=1000)
    eq((len(e.out), e.out_lost, e.err), (1000, 299000, b'x\n'))
    e = go('printf 12345', output_max=5)
    eq((e.out, e.out_lost), (b'12345', 0))
    e = go('printf 123456', output_max=5)
    eq((e.out, e.out_lost), (b'12356', 1))
    e = go('printf 123456', output_max=1)
    eq((e.out, e.out_lost, e.out_gap), (b'1', 5, 1))


@test
def of_too_much_output_both_ends_are_kept():
    """Bytes are left out in the middle: their number and place are told, and
    nothing stands for them."""
    whole = b''.join(b'%d\n' % n for n in range(60000))
    write('all', whole)
    rw = {'filesystem': {'readonlyPaths': [os.path.abspath('all')]}}
    for most in (2, 3, 999, 4096, 65536, 100001, len(whole) - 1):
        e = go({'commandLine': f'cat {os.path.abspath("all")}; echo x >&2'}, rw,
               output_max=most)
        first, last = most - most // 2, most // 2
        eq(e.out == whole[:first] + whole[len(whole) - last:], True, most)
        eq((e.out_gap, e.out_lost, e.out_total, e.cut),
           (first, len(whole) - most, len(whole), (1, 0)))
        eq((e.err, e.err_gap, e.err_lost, e.err_total), (b'x\n'[:most], 0, 0, 2))
    for most in (0, len(whole), len(whole) + 1):
        e = go({'commandLine': f'cat {os.path.abspath("all")}'}, rw,
               output_max=most)
        eq((e.out == whole, e.out_gap, e.out_lost, e.out_total, e.cut),
           (True, 0, 0, len(whole), (0, 0)))


@test
def little_that_is_kept_costs_no_more_than_much():
    """Not a read for each byte."""
    took = {}
    for most in (2, 1 << 20):
        start = os.times()
        e = go('head -c 3000000 /dev/zero', output_max=most)
        end = os.times()
        eq((len(e.out), e.out_total), (most, 3000000))
        took[most] = (end.user + end.system) - (start.user + start.system)
    within(took[2], took[1 << 20] + 0.5, f'{took}')


@test
def of_a_structure_as_it_was_the_rest_is_left_alone():
    result, error = Result(), Error()
    result.size = Result.out_truncated.offset
    result.out_total = 77
    text = request('printf 123456')
    o = Options(output_max=5)
    eq(lib.run(text, len(text), ctypes.byref(o), ctypes.byref(result),
               ctypes.byref(error)), 0, error.message)
    eq((result.out_len, result.out_lost, result.out_total), (5, 1, 77))
    lib.result_clear(ctypes.byref(result))
    eq((result.out_len, result.out_total), (0, 77))


# A process in a session of its own, which holds the streams and minds no
# signal.
LINGERS = ("setsid sh -c 'trap \"\" HUP INT QUIT TERM USR1 PIPE; "
           "while :; do sleep 1; done' & echo early; ")


@test
def a_grandchild_that_holds_the_streams_holds_nothing_up():
    for line, how, code in (('exit 3', EXITED, 3), ('kill -9 $$', SIGNALED, 137)):
        begin = time.monotonic()
        e = go(LINGERS + line)
        eq((e.how, e.code, e.out, e.err), (how, code, b'early\n', b''))
        check(time.monotonic() - begin < 10, 'much later')
    with Box(LINGERS + 'exit 4', stdio=PIPE) as box:
        begin = time.monotonic()
        eq((box.wait(), box.status.exit_code), (EXITED, 4))
        eq(os.read(box.fd('stdout'), 99), b'early\n')
        eq(os.read(box.fd('stdout'), 99), b'', 'the end of the stream')
        check(time.monotonic() - begin < 10, 'much later')


@test
def what_was_said_survives_the_end():
    """A timeout, a kill, a limit; with one who lingers."""
    begin = time.monotonic()
    e = go({'commandLine': LINGERS + 'echo said >&2; sleep 60', 'timeout': 500})
    eq((e.r, e.how, e.out, e.err), (0, TIMED_OUT, b'early\n', b'said\n'))
    end = os.pipe()
    threading.Timer(0.5, os.close, (end[1],)).start()
    e = go(LINGERS + 'sleep 60', cancel_fd=end[0])
    os.close(end[0])
    eq((e.r, e.how, e.out), (0, KILLED, b'early\n'))
    e = go(LINGERS + 'while :; do echo more; done',
           {'limits': {'outputBytes': 100000}}, output_max=1000)
    eq((e.r, e.how, len(e.out), e.out[:6]), (0, 8, 1000, b'early\n'))
    check(e.out_total <= 100000 and e.out_gap == 500, e.out_total)
    check(time.monotonic() - begin < 30, 'much later')


@test
def input_that_nobody_reads():
    e = go('exec <&-; sleep 0.1', input=b'x' * (4 << 20))
    eq((e.how, e.code), (EXITED, 0))
    e = go('head -c 3', input=b'x' * (4 << 20))
    eq(e.out, b'xxx')


@test
def input_and_output_at_once():
    data = os.urandom(3 << 20)
    eq(go('cat', input=data).out, data)


@test
def devices_of_streams_can_be_opened():
    eq(go('cat /dev/stdin > /dev/stdout', input=b'pipe').out, b'pipe')


@test
def cancel_ends_it():
    r, w = os.pipe()
    threading.Timer(0.3, os.close, [w]).start()
    e = go(LOOP, cancel_fd=r)
    eq((e.r, e.how, e.code, e.out), (0, KILLED, 137, b'up\n'))
    eq(e.json['outcome'], 'killed')
    os.close(r)
    # What is no descriptor is a mistake, and no word to stop.
    refused(MALFORMED, f'cancel_fd {r} is not open', go, 'true', cancel_fd=r)


@test
def denials_are_in_the_result():
    e = go("bash -c 'exec 3<>/dev/tcp/198.51.100.7/80'", NET)
    d, = e.json['denials']
    eq((d['address'], d['port'], d['count']), ('198.51.100.7', 80, 1))


# --- examples -------------------------------------------------------------------

def compiled(name):
    need('cc')
    out = os.path.abspath(name)
    run(['cc', '-std=gnu11', '-pedantic', '-Wall', '-Wextra', '-Werror',
         TOP / f'examples/c/{name}.c', '-I', TREE / 'include', '-L',
         TREE / 'lib', f'-Wl,-rpath,{TREE}/lib', '-lmxc', '-o', out]).ok()
    os.mkdir('run-time', 0o700)
    return run([out], env={'XDG_RUNTIME_DIR': os.path.abspath('run-time')})


@cases([
    ('look', 'look', 'the first would run', 'the second would not: ',
     '"details":{"where":"filesystem.readonlyPaths[0]","line":3',
     "ls /usr/share/doc", 'receipt: {"backend":"native"',
     'host: {"ready":'),
    ('run', 'run', 'exit code 3\n4\n30\n200\nit also said: done\n'),
    ('pipes', 'pipes', 'you said: hello\nyou said: good bye\nended: 1, exit code 0\n'),
    ('terminal', 'terminal', '/dev/pts/0', '40 120', '25 80', 'bye'),
    ('events', 'events', 'refused', 'event: {', '"event":"denied"',
     'in the end: "denials":[{'),
    ('session', 'session', 'started native:', 'first says: one\nsecond says: two\n',
     'exit code 124', 'not_started', 'gone: stale_id'),
    ('pool', 'pool', 'pool p', '\nmine\nexit code 1\n'),
    ('lifecycle', 'lifecycle', 'provision: {"result":{"sandboxId":"native:',
     'start: {"result":{}}\nexec: 3, hello\nstop: {"result":{}}\n'
     'deprovision: {"result":{}}\n'),
    ('stop', 'stop', 'signal 15 ended it\nkilled, exit code 137\ncancelled: 1\n'),
])
def example(name, *pieces):
    out = compiled(name).ok().out
    for piece in pieces:
        has(out, piece)

if lib is None:
    print(f'1..0 # SKIP no {LIBRARY}')
    sys.exit(0)
main()
