#!/usr/bin/env python3
"""lxc-exec as programs use it: streams, exit codes, signals, what is left.

tests/contract/test_lxc_exec.py compares it with MXC's own.
"""

import base64
import json
import os
import re
import signal
import sys
import threading
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403

PROGRAM = MXC.parent / 'lxc-exec'


def request(text='true', process=(), **more):
    doc = {'version': '1.0.0', 'process': {'commandLine': text,
                                           **dict(process)}, **more}
    return write(f'{os.urandom(4).hex()}.json', json.dumps(doc))


def go(text='true', *flags, input=b'', timeout=30, process=(), **more):
    return run([PROGRAM, *flags, request(text, process, **more)], input=input,
               timeout=timeout)


def error_of(r):
    """The last line of standard error: one JSON object."""
    return json.loads(r.err.splitlines()[-1])['error']


def started(text, *flags, **popen):
    p = spawn([PROGRAM, *flags, request(text)], **popen)
    eq(p.stdout.readline(), b'on\n')
    return p


# --- exit codes and streams --------------------------------------------------

@test(seconds=120)
def every_exit_code():
    for code in range(256):
        r = go(f'exit {code}')
        eq((r.status, r.out, r.err), (code, '', ''))


@cases({name: (name,) for name in ('HUP', 'KILL', 'SEGV', 'TERM')})
def killed_by(name):
    go(f'kill -{name} $$').ok(128 + getattr(signal, f'SIG{name}'))


@test
def streams_are_the_callers():
    data = bytes(range(256)) * 4096
    p = spawn([PROGRAM, request('cat; printf "e\\377" >&2')],
              stdin=-1)
    out, err = p.communicate(data)
    check(out == data, 'output is not the input')
    eq((err, p.returncode), (b'e\xff', 0))


@test
def a_terminal_stays_one():
    r = pty([PROGRAM, request('test -t 0 && test -t 1 && echo yes')])
    eq((r.status, r.out), (0, 'yes\r\n'))


@test
def closed_streams_are_not_reused():
    path = request('true')
    r = run(['sh', '-c', f'exec {PROGRAM} --log-file log {path} <&- >&- 2>&-'])
    eq((r.status, r.out, r.err), (0, '', ''))
    lacks(read('log'), 'rror')


@test
def other_descriptors_are_not_handed_on():
    r, w = os.pipe()
    p = run([PROGRAM, '--log-file', 'log',
             request('ls /proc/self/fd | wc -l')], pass_fds=(r, w))
    eq(p.ok().out.strip(), '4', 'descriptors, with that of the listing')


@test
def an_answer_that_cannot_be_written():
    for argv in ('--help', '--available-backends', f'--dry-run {request()}'):
        r = run(['sh', '-c', f'exec {PROGRAM} {argv} >/dev/full'])
        eq(r.status, 255)
        has(r.err, 'cannot write to standard output')


# --- requests ----------------------------------------------------------------

@test
def base64_comes_before_files():
    text = json.dumps({'version': '1.0.0',
                       'process': {'commandLine': 'echo b'}}).encode()
    for argv in (['--config-base64', base64.b64encode(text)],
                 [b'--config-base64=' + base64.b64encode(text + b'  ')],
                 ['nosuch', '--config', 'no', '--config-base64',
                  base64.b64encode(text + b' ')]):
        r = run([PROGRAM, *[os.fsdecode(a) for a in argv]]).ok()
        eq(r.out, 'b\n')


@test
def a_request_by_standard_input():
    doc = read(request('cat; echo end'))
    eq(run([PROGRAM, '/dev/stdin'], input=doc.encode()).ok().out, 'end\n')


@cases({v: (v,) for v in ('0.6.0-alpha', '0.7.0-alpha', '0.8.0-alpha',
                          '0.9.0-alpha', '0.10.0-alpha', '1.0.0',
                          '1.1.0-alpha', '1.1.0+c1')})
def version_is_read(version):
    go('exit 7', version=version).ok(7)


@cases({v: (v,) for v in ('0.5.0-alpha', '1.1.0+c2', '2.0.0')})
def version_is_not(version):
    r = go('true', version=version).ok(1)
    check(r.err.startswith('Request error\nConfiguration parse error: '
                           'unsupported contract version '))
    for known in ('0.6.0-alpha', '1.1.0+c1'):
        has(r.err.split('expected')[1], known)


@test
def former_lists_of_hosts():
    network = {'defaultPolicy': 'block', 'allowedHosts': ['a.example']}
    go('exit 7', version='0.8.0-alpha', network=network).ok(7)
    network['allowedHosts'] = ['a b']
    r = go('true', version='0.8.0-alpha', network=network).ok(255)
    has(r.err, 'network.allowedHosts[0]')


@cases({n: (n,) for n in ('process', 'bubblewrap')})
def containment_is_ours(name):
    secret = write('secret', 'x')
    r = go(f'cat {secret}; cat /proc/self/status', containment=name).ok()
    has(r.out, 'NoNewPrivs:\t1')
    has(r.out, 'CapEff:\t0000000000000000')
    has(r.err, 'No such file')


@test
def mxc_run_stays_strict():
    """Through MXC's own door the native engine stands for bubblewrap."""
    if b'/ld-linux' in (MXC.parent / '../libexec/mxc/mxc-launch').read_bytes():
        skip('mxc-launch needs libraries, which bwrap does not show it yet')
    path = request('cat /proc/self/mountinfo', containment='bubblewrap')
    has(mxc('run', path).ok().out, '/newroot')
    lacks(go('cat /proc/self/mountinfo', containment='bubblewrap').ok().out,
          '/newroot')


@cases({n: (n, why) for n, why in (
    ('seatbelt', 'is not available on Linux'),
    ('vm', 'is not available on Linux'),
    ('hyperlight', 'is experimental'))})
def containment_is_not(name, why):
    for flags in ((), ('--dry-run',), ('--debug',)):
        r = go('true', *flags, containment=name, version='1.1.0-alpha').ok(1)
        has(r.err, f"error: the '{name}' backend {why}")
        has(r.err, 'Script code length: 4\n')
        eq(r.out, '')


@test
def a_tier_is_held():
    tier = {'version': '1.1.0+c1', 'guarantees': {'tier': 'vm'}}
    for containment in 'bubblewrap', 'native':
        r = go('echo ran', containment=containment, **tier).ok(255)
        lacks(r.out, 'ran')
        has(r.err, "backend 'native' is of tier 'process', which is weaker "
            "than 'vm'")
    for containment in 'bubblewrap', 'process':
        r = go('echo ran', containment=containment, version='1.1.0+c1',
               guarantees={'tier': 'process'})
        eq(r.ok(0).out, 'ran\n')


@test
def backends_are_listed_that_can_be_run():
    rows = json.loads(run([PROGRAM, '--available-backends']).ok().out)
    mxc('doctor', '--json', 'd.json')
    known = json.loads(read('d.json'))['backends']
    usable = {b['name'] for b in known if b['state'] == 'ok'}
    # `bubblewrap` is what MXC's callers know the native engine by.
    eq('bubblewrap' in [row['backend'] for row in rows], 'native' in usable)
    for row in rows:
        check(set(row) <= {'backend', 'capabilities', 'warnings'}, str(row))
        check(row['backend'] in usable | {'bubblewrap'}, str(row))


@test
def grants_are_held():
    os.mkdir('w')
    write('r/a', 'text')
    here = os.getcwd()
    r = go('cat r/a && echo x >w/b && ! echo y >r/c', process={'cwd': here},
           filesystem={'readonlyPaths': [f'{here}/r'],
                       'readwritePaths': [f'{here}/w']}).ok()
    eq((r.out, read('w/b')), ('text', 'x\n'))
    check(not os.path.exists('r/c'))


@test
def refusals_of_the_network_are_warnings():
    code = ('import socket; s = socket.socket(); '
            's.connect_ex(("192.0.2.1", 80))')
    rule = {'to': [{'cidr': '198.51.100.7/32'}],
            'ports': [{'protocol': 'tcp', 'port': 80}]}
    r = go(f"{PYTHON} -c '{code}'; echo first >&2", '--log-file', 'log',
           network={'egress': {'allow': [rule]}}).ok()
    check(re.fullmatch(r'first\nWARNING: .*192\.0\.2\.1.*\n', r.err), r.err)
    has(read('log'), '] WARNING: ')


# --- what goes wrong ---------------------------------------------------------

@cases({
    'a directory that is not there': (dict(process={'cwd': '/nosuch'}),
                                      "cannot start in '/nosuch'"),
    'a path that is not there': (
        dict(filesystem={'readonlyPaths': ['/nosuch']}),
        "path '/nosuch' does not exist"),
    'a relative path': (dict(filesystem={'readonlyPaths': ['nosuch']}),
                        "path 'nosuch' is not absolute"),
    'an entry without a value': (dict(process={'env': ['x']}),
                                 'environment entry'),
    'ingress': (dict(network={'ingress': {'default': 'allow'}}), 'cannot'),
    'a user interface': (dict(ui={'disable': False}), 'cannot enforce'),
})
def refused(more, piece):
    r = go('echo ran', '--log-file', 'log', **more).ok(255)
    eq(r.out, '')
    has(r.err.splitlines()[0], piece)
    has(error_of(r)['message'], piece)
    has(read('log'), '] Exit code: -1 (0xFFFFFFFF)\n')
    has(read('log').splitlines()[-1], 'Error: ')


@test
def dry_run_finds_what_a_run_would():
    r = go('true', '--dry-run', filesystem={'readonlyPaths': ['/nosuch']})
    eq((r.ok(255).err, r.out.splitlines()[-1]), (
        '', "Dry run completed. Result: validation failed: path '/nosuch' "
        'does not exist (at filesystem.readonlyPaths[0], line 1, column 91)'))
    mark = os.path.join(os.getcwd(), 'mark')
    go(f'touch {mark}', '--dry-run',
       filesystem={'readwritePaths': [os.getcwd()]}).ok()
    check(not os.path.exists(mark), 'it ran')


@test
def timeout():
    r = go('echo so far; sleep 60', process={'timeout': 300}).ok(255)
    eq(r.out, 'so far\n')
    eq(len(r.err.splitlines()), 1, 'lines')
    eq(error_of(r)['code'], 'backend_error')
    has(error_of(r)['message'], '300 ms')
    check(r.seconds < 20, 'it waited')


@test
def a_long_request_is_told_whole():
    label = 'x\x1b' * 1000000
    r = go('true', '--dry-run', '--log-file', 'log', containerId=label).ok()
    eq(r.out.splitlines()[3], 'Container name: ' + 'x\\x1b' * 1000000)
    eq(r.out.splitlines()[-1], 'Dry run completed. Result: validation passed')
    eq(len(read('log').splitlines()), 7)


@test
def a_parse_error_is_told_once():
    r = go('true', '--debug', '--log-file', 'log', zz=1).ok(1)
    eq(r.out, '')
    eq(r.err.count('unknown field'), 1)
    eq(read('log').count('unknown field'), 1)


@test
def a_request_cannot_steer_a_terminal():
    for more in ({'containerId': '\x1b[1m\n'}, {'zz\x1b': 1},
                 {'process': {'cwd': '/\x1b\n'}}):
        r = go('true', '--debug', '--log-file', 'log', **more)
        lacks(r.err + r.out + read('log'), '\x1b')


# --- signals, and what is left -----------------------------------------------

@cases({n: (n,) for n in ('TERM', 'INT', 'HUP', 'QUIT')})
def signal_ends_it(name):
    before = host_state()
    p = started('trap "" HUP INT QUIT TERM; echo on; sleep 60 & wait; '
                'sleep 60', '--log-file', 'log')
    p.send_signal(getattr(signal, f'SIG{name}'))
    out, err = p.communicate(timeout=10)
    eq((p.returncode, out, err),
       (128 + getattr(signal, f'SIG{name}'), b'', b''))
    eq(descendants(), {}, 'processes')
    leaves_nothing(before)
    has(read('log'), 'ended by signal')


@test
def interrupt_at_a_terminal():
    r = pty([PROGRAM, request('trap "" INT; echo on; sleep 60')],
            input='\x03', until='on')
    eq(r.status, 130)


@test
def killed_it_takes_the_workload_along():
    p = started('echo on; sleep 60')
    p.kill()
    p.wait()
    eventually(lambda: not descendants(), what='the end of the sandbox')


@test
def it_lives_on_without_its_caller():
    """As MXC's: bound to the workload, not to who started it."""
    os.mkdir('w')
    path = request('sleep 0.5; echo late >w/late', process={
        'cwd': os.getcwd()}, filesystem={
            'readwritePaths': [os.getcwd() + '/w']})
    run(['sh', '-c', f'{PROGRAM} {path} </dev/null >/dev/null 2>&1 &']).ok()
    eventually(lambda: os.path.exists('w/late'), what='its work')
    eventually(lambda: not descendants(), what='its end')


# --- the log file ------------------------------------------------------------

@test
def log_file_is_appended_whole_lines():
    def one():
        go('exit 3', '--log-file', 'log', process={'cwd': '/tmp'}).ok(3)
    threads = [threading.Thread(target=one) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    lines = read('log').splitlines()
    eq(len(lines), 64)
    for line in lines:
        check(re.fullmatch(r'\[\d{10,}\] [^\[]*', line), line)
    events = [json.loads(line.split(' ', 1)[1])
              for line in lines if '"event"' in line]
    eq(len(events), 8)
    eq({e['event'] for e in events}, {'mxc.PolicyHash'})
    eq(len({e['policy_hash'] for e in events}), 1)


@test
def log_file_cannot_be_opened():
    r = go('echo on', '--log-file', '/nosuch/log').ok()
    eq((r.out, r.err), ('on\n', "Warning: could not open log file "
                        "'/nosuch/log': No such file or directory "
                        '(os error 2)\n'))


# --- pages -------------------------------------------------------------------

@test
def manual_has_every_option():
    page = read(TOP / 'man/lxc-exec.1').replace('\\-', '-')
    options = re.findall(r'^  (--[a-z0-9-]+)', run([PROGRAM, '-h']).ok().out,
                         re.M)
    check(len(options) > 10, 'no options')
    for option in options:
        check(re.search(rf'^\.(B|BR|BI) {option}\b', page, re.M), option)


main()
