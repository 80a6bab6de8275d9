#!/usr/bin/env python3
"""What people see: help, mistakes, explain, doctor, examples, completions.

MXC_BLESS=1 writes the goldens anew.
"""

import json
import os
import re
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
import sanitizer  # noqa: E402

GOLDEN = TOP / 'tests/e2e/golden'
WORLD = '/tmp/mxc-examples'
# What `mxc run` of an example ends with, and a piece of what it says.
EXAMPLES = {
    '01-nothing': (0, '42', ''),
    '02-read-only': (0, '42', ''),
    '03-build': (0, 'built', ''),
    '04-layers': (1, 'for everybody', 'No such file'),
    '05-environment': (0, 'hello, Thu Jan  1 00:00:00 UTC 1970', ''),
    '06-not-there-yet': (2, '', 'Permission denied'),
    '07-timeout': (124, '', 'after its timeout of 1000 ms'),
    '08-spelled-out': (0, '3', ''),
    '09-hard-links': (0, '4', ''),
    '10-refused': (125, '', 'network.ingress.default (line 9, column 24)'),
    '11-network': (0, 'no such name\nno way there\n', 'looking up '
                   'elsewhere.example.net was refused: no rule allows this'),
}
COMMANDS = ('run', 'check', 'explain', 'doctor', 'migrate', 'schema')


def example(name):
    """The world of the examples in this test's directory; the policy's path."""
    home = os.getcwd() + '/world'
    run([TOP / 'examples/prepare', home]).ok()
    text = read(TOP / f'examples/{name}.json').replace(WORLD, home)
    return write(f'{name}.json', text), home


def golden(name, text):
    path = GOLDEN / name
    if os.environ.get('MXC_BLESS'):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    eq(text.splitlines(), path.read_text().splitlines(), f'golden {name}')


# --- help and mistakes -----------------------------------------------------

@test
def help_names_every_command():
    r = mxc('--help').ok()
    for name in COMMANDS:
        check(re.search(rf'^  {name} +\w', r.out, re.M), f'no {name}')
    lacks(r.out, 'tables')
    eq(r.err, '')
    check(all(len(line) < 80 for line in r.out.splitlines()), 'a long line')


@cases([(name, name) for name in COMMANDS])
def help_of_a_command(name):
    r = mxc(name, '--help').ok()
    check(r.out.startswith(f'usage: mxc {name} '), 'no usage line')
    check(all(len(line) < 80 for line in r.out.splitlines()), 'a long line')
    eq(mxc('help', name).ok().out, r.out, 'mxc help')


@test
def help_has_the_exit_codes_of_a_run():
    """Those of its page."""
    page = read(TOP / 'docs/errors.md').split('\n## ')[1]
    codes = set(re.findall(r'^\| (1[\d+N]+) \|', page, re.M))
    eq(len(codes), 7, 'the control')
    text = mxc('run', '--help').ok().out.split('Exit code:')[1]
    eq(sorted(c for c in codes if c not in text), [])


@test
def without_arguments_it_helps():
    r = mxc().ok(2)
    has(r.err, 'usage: mxc')
    eq(r.out, '')


@cases({
    'run without dashes': (['run', 'ls'], 125, "mxc run -- ls"),
    'run with an argument': (['run', 'ls', '-l'], 125,
                             "to run 'ls', write '--' before it"),
    'a missing file': (['run', 'no.json'], 125,
                       "cannot read the request 'no.json'"),
    'a second file': (['run', 'a.json', 'b.json'], 125,
                      "a second policy 'b.json'"),
    'a file and a command': (['run', 'a.json', 'ls'], 125,
                             "to run 'ls', write '--' before it"),
    'no command': (['run'], 125, 'no command to run'),
    'nothing after the dashes': (['run', '--'], 125, "no command after '--'"),
    'options first': (['--rw', '.', 'ls'], 2,
                      "option '--rw' stands before a command"),
    'a command of the system': (['ls'], 2, 'mxc run -- ls'),
    'a slip': (['explian'], 2, 'mxc explain'),
    'an unknown option': (['run', '--foo', '--', 'ls'], 125,
                          "unknown option '--foo'"),
    'a slip in an option': (['run', '--ttyy', '--', 'ls'], 125, 'try: --tty'),
    'one dash too few': (['run', '-rw', '.', '--', 'ls'], 125,
                         "unknown option '-rw'\n  try: --rw, or"),
    'one dash too few, in what takes options anywhere': (
        ['image', 'list', '-json', '-'], 2,
        "unknown option '-json'\n  try: --json, or"),
    'one dash too few, behind an id': (
        ['exec', 'native:' + '0' * 32, '-deny=x', '--', 'ls'], 125,
        "unknown option '-deny=x'\n  try: --deny, or"),
    'letters that are none': (['run', '-tx', '--', 'ls'], 125,
                              "unknown option '-tx'"),
    'a letter that is none, before others': (['run', '-tzi', '--', 'ls'], 125,
                                             "unknown option '-tzi'"),
    'a forgotten value': (['run', '--rw', '--', 'ls'], 125,
                          "this option needs a value: '--rw'"),
    'a value at the end': (['run', '--json'], 125,
                           "this option needs a value: '--json'"),
    'a bad duration': (['run', '--timeout', '0', '--', 'ls'], 125,
                       "--timeout: not a duration: '0'"),
    'no time to live': (['provision', '--max-age', '0'], 2,
                        "--max-age: not a duration: '0'"),
    'a bad grace': (['stop', 'native:' + '0' * 32, '--grace', 'x'], 2,
                    "--grace: not a duration: 'x'"),
    'no size of a pool': (['pool', 'start', '--size', '0'], 2,
                          "--size: not a size: '0'"),
    'no name of a pool': (['pool', 'stop'], 2, 'no NAME of a pool'),
    'no id of a session': (['stop'], 2, 'no ID of a session'),
    'no such wall': (['run', '--accept-missing', 'x', '--', 'ls'], 125,
                     "no wall of that name: 'x'"),
    'no such tier': (['run', '--tier', 'hard', '--', 'ls'], 125,
                     "no tier of that name: 'hard'"),
    'help on nothing': (['help', 'nosuch'], 2, "no such command 'nosuch'"),
    'too much': (['doctor', 'x'], 2, "unexpected 'x'"),
    'no such contract': (['schema', '--version', '7'], 1,
                         "contract version '7' is not known"),
    'no such path': (['run', '--ro', 'nosuch', '--', 'ls'], 125,
                     'does not exist'),
})
def mistake(argv, status, piece):
    r = mxc(*argv).ok(status)
    has(r.err, piece)
    check(r.err.startswith('mxc: '), 'not said by mxc')
    eq(r.out, '')


@test
def one_dash_takes_a_letter_and_its_value():
    write('w/x', 'read\n')
    cat = ['--', 'cat', os.path.abspath('w/x')]
    eq(mxc('run', '-rw/x', *cat).ok().out, 'read\n')
    eq(mxc('run', '-r', 'w', *cat).ok().out, 'read\n')
    # A value is one, whatever it looks like.
    has(mxc('run', '-r', 'w', '--env', '-rw=1', '--', 'env').ok().out,
        '-rw=1\n')
    check(mxc('run', '-help').ok().out.startswith('usage: mxc run '))


OF_A_RUN = (['--denials'], ['--accesses'], ['--verify'],
            ['--correlation-id', 'word'], ['--events', 'file'])


@cases({' '.join(argv): argv for argv in (
    ['provision'], ['start', 'native:0'], ['exec', 'native:0'],
    ['pool', 'start'], ['pool', 'run', 'lab'], ['check'], ['explain'])})
def what_is_for_a_single_run_is_no_option_of(argv):
    for option in OF_A_RUN:
        r = mxc(*argv, *option, '--', 'true')
        check(r.status in (1, 2, 125), r.status)
        has(r.err, f"mxc: unknown option '{option[0]}'")
        eq(r.out, '')


@test
def a_missing_request_is_not_taken_for_a_command():
    lacks(mxc('run', 'no.json').ok(125).err, "write '--'")
    has(mxc('run', 'no').ok(125).err, 'mxc run -- no')


@test
def what_goes_to_standard_output_is_one_object():
    for argv, status in (('--', 'ls'), 0), (('--ro', '/no/such'), 1):
        for out in '1', '-':
            r = mxc('check', '--json', out, *argv).ok(status)
            eq(json.loads(r.out)['exitCode'], status)
    r = mxc('run', '--json', '-', '--', 'sh', '-c', 'echo mine; exit 3').ok(3)
    mine, result = r.out.splitlines()
    eq((mine, json.loads(result)['exitCode']), ('mine', 3))
    check(not os.path.exists('-'), 'a file of that name')


@test
def a_script_is_not_a_request():
    write('x.sh', '#!/bin/sh\ntrue\n', 0o755)
    has(mxc('run', 'x.sh').ok(125).err, "mxc run --ro . -- ./x.sh")
    mxc('run', '--ro', '.', '--', './x.sh').ok()


@test
def an_option_after_the_file():
    write('p.json', '{}')
    has(mxc('run', 'p.json', '--tty').ok(125).err,
        'options come before the file')


@test
def wrong_usage_as_json():
    mxc('run', '--json', 'r', '--timeout', 'x', '--', 'ls').ok(125)
    r = json.loads(read('r'))
    eq((r['outcome'], r['exitCode'], r['error']['code']),
       ('failed', 125, 'malformed_request'))


@test
def messages_cannot_steer_a_terminal():
    r = mxc('run', '--ro', '\x1b]0;x\x07', '--', 'ls').ok(125)
    lacks(r.err, '\x1b')
    lacks(r.err, '\x07')


# --- explain ---------------------------------------------------------------

def clauses(text, home):
    """explain's text without what differs from host to host."""
    head, tail = text.split('\nWhat enforces it:', 1)
    lines = tail.splitlines()
    for at, line in enumerate(lines[1:], 1):
        if line.startswith('  ') and not line.startswith('      '):
            check(lines[at + 1].startswith('      '),
                  f'nothing enforces {line.strip()!r}')
    kept = [line for line in lines if not line.startswith('      ')]
    # The column of origins depends on how long this directory's name is.
    head = re.sub(r' +\(', '  (', head.replace(home, WORLD))
    return head + '\nWhat enforces it:' + '\n'.join(kept) + '\n'


@cases([(name, name) for name in EXAMPLES])
def explain_example(name):
    policy, home = example(name)
    r = mxc('explain', policy)
    if EXAMPLES[name][0] == 125:
        eq(r.status, 1)
        golden(f'explain-{name}.txt', r.err.replace(home, WORLD))
        return
    eq(r.status, 0, 'status')
    eq(r.err, '')
    golden(f'explain-{name}.txt', clauses(r.out, home))
    has(mxc('check', policy).ok().out, "backend 'native' would run it")


@test
def explain_by_options():
    run([TOP / 'examples/prepare', 'world']).ok()
    os.chdir('world/project')
    r = mxc('explain', '--rw', '.', '--deny', '.env', '--env', 'A=b',
            '--timeout', '5m', '--', 'make', 'test',
            env={'TERM': 'dumb'}).ok()
    home = os.path.dirname(os.getcwd())
    golden('explain-options.txt', clauses(r.out, home))


@test
def explain_all_lists_the_base():
    lacks(mxc('explain').ok().out, '/usr/bin ')
    check(re.search(r'read-only +/usr/bin +\(base\)',
                    mxc('explain', '--all').ok().out), 'no /usr/bin')


@test
def explain_plan_ends_with_the_command():
    r = mxc('explain', '--plan', '--', 'my-program').ok()
    has(r.out.split('\nPlan\n')[1].splitlines()[0], 'root')
    has(r.out.split('\nPlan\n')[1], 'my-program')


# --- examples --------------------------------------------------------------

@cases([(name, name) for name in EXAMPLES])
def run_example(name):
    policy, home = example(name)
    status, out, err = EXAMPLES[name]
    r = mxc('run', policy).ok(status)
    has(r.out, out)
    has(r.err, err)
    check(not os.path.exists(f'{home}/project/hooks/pre-commit'), 'created')


@test
def every_example_is_tested_and_listed():
    names = sorted(p.stem for p in (TOP / 'examples').glob('*.json'))
    eq(names, sorted(EXAMPLES))
    page = read(TOP / 'examples/README.md')
    for name, (status, _, _) in EXAMPLES.items():
        check(re.search(rf'\[{name}\]\({name}\.json\) \|.*\| {status}\b',
                        page), f'{name} in the README')


@test
def the_demo_stops_everything():
    r = run([TOP / 'examples/demo', MXC], timeout=50).ok()
    has(r.out, '11 attempts stopped')
    lacks(r.out, 'GOT THROUGH')


@test
def proc_can_be_denied():
    r = inside('import os; os.listdir("/proc")', flags=['--deny', '/proc'])
    eq(r.refused, 'EACCES')
    eq(inside(['echo', 'in'], flags=['--deny', '/proc']).ok().out, 'in\n')


# --- doctor ----------------------------------------------------------------

@test
def doctor_agrees_with_a_run():
    ready = mxc('run', '--', 'true').status == 0
    r = mxc('doctor', '--json', 'd.json')
    d = json.loads(read('d.json'))
    eq(d['ready'], ready, 'ready')
    eq(d['selfTest']['worked'], ready, 'self-test')
    eq(r.status, 0 if ready else 1)
    eq(d['kernel'], os.uname().release)
    eq(d['uid'], os.geteuid())
    has(r.out, 'A default run has all its walls' if ready else
        'A default run is refused')
    for c in d['checks']:
        has(r.out, c['what'])
        if c['state'] == 'missing':
            check(c['cause'], f'{c["name"]} without a cause')


@test
def doctor_writes_to_a_descriptor():
    d = json.loads(mxc('doctor', '--json', '1').out)
    check(len(d['checks']) > 15, 'few checks')


@test
def doctor_lists_each_backend():
    r = mxc('doctor', '--json', 'd.json')
    d = json.loads(read('d.json'))
    rows = {b['name']: b for b in d['backends']}
    eq((d['backends'][0]['name'], rows['native']['tier']),
       ('native', 'process'))
    eq(rows['native']['state'], 'ok' if d['ready'] else 'missing')
    has(' '.join(rows['native']['enforces']), 'networkDeny')
    for name, row in rows.items():
        has(r.out, f'{name}, tier \'{row["tier"]}\'\n')
        # By name it runs exactly where it is said to be usable; with an image,
        # where it needs one (test_lxc.py).
        if name == 'lxc':
            if row['state'] == 'ok':
                mxc('run', '--backend', name, '--', 'true').failed(
                    125, 'distribution and release are required')
            continue
        if name == 'bubblewrap' and sanitizer.is_sanitized(MXC):
            continue   # what it starts has to be linked statically
        run_it = mxc('run', '--backend', name, '--', 'true')
        eq(run_it.status == 0, row['state'] == 'ok', f'{name}: {run_it.err}')
        if row['state'] != 'ok':
            has(r.out, row['cause'])
            check(row['remedy'], f'{name}: no remedy')


def states():
    return {c['name']: c for c in json.loads(read('d.json'))['checks']}


@test
def doctor_inside_a_sandbox_names_the_cause():
    """There is no user namespace to be had in there."""
    tree = MXC.parents[1]
    r = inside([MXC, 'doctor', '--json', 'd.json'], ro=[tree], rw=['.']).ok(1)
    has(r.out, 'Nothing can do without: user namespace')
    has(r.out, 'user.max_user_namespaces is 0')
    s = states()
    eq(s['user-namespace']['state'], 'missing')
    eq(s['proc']['cause'], 'needs a user namespace')
    eq(s['landlock']['state'], 'missing')
    eq(s['seccomp']['state'], 'ok', 'a filter under a filter')
    native = json.loads(read('d.json'))['backends'][0]
    eq((native['name'], native['state']), ('native', 'missing'))
    has(native['cause'], 'user.max_user_namespaces is 0')
    check(native['remedy'])
    has(r.out, "  no       native, tier 'process'\n")


@test
def doctor_sees_a_covered_proc():
    need('unshare')
    r = run(['unshare', '-Urm', 'sh', '-c',
             f'mount --bind /dev/null /proc/version || exit 77;'
             f'{MXC} doctor --json d.json'])
    if r.status == 77:
        skip('cannot mount here')
    eq(r.status, 1)
    has(states()['proc']['cause'], 'covered by other mounts')
    eq(states()['proc']['detail'], 'EPERM')
    has(r.out, 'FAILED   `mxc run -- true` said:')
    has(r.out, 'Nothing can do without: own /proc')


# What a kernel says that lacks a part of what the gateway needs: no netlink
# of that kind, no nf_tables or no such expression, no such chain.
@cases([(e, e) for e in ('EPROTONOSUPPORT', 'EOPNOTSUPP', 'ENOENT')])
def doctor_tells_what_the_gateway_lacks(name):
    need('strace')
    eq((mxc('doctor', '--json', 'd.json').status,
        states()['network']['state']), (0, 'ok'), 'control')
    call = 'socket' if name == 'EPROTONOSUPPORT' else 'sendto'
    r = run(['strace', '-f', '-qq', '-o', '/dev/null', '-e', f'trace={call}',
             '-e', f'inject={call}:error={name}', MXC, 'doctor', '--json',
             'd.json'])
    row = states()['network']
    eq((row['state'], row['kind'], row['detail']), ('missing', 'policy', name))
    has(row['cause'], 'nft_tproxy')
    has(row['remedy'], 'modprobe nft_tproxy')
    has(r.out, 'no       connections by rules')


@test
def doctor_tells_whether_the_caller_may_ping():
    need('unshare')
    # A new network namespace allows it to nobody.
    run(['unshare', '-Urn', MXC, 'doctor', '--json', 'd.json'])
    row = states()['ping']
    eq((row['state'], row['kind']), ('missing', 'extra'))
    has(row['detail'], ', EACCES')
    has(row['cause'], 'net.ipv4.ping_group_range')
    run(['unshare', '-Urn', 'sh', '-c',
         'echo 0 0 >/proc/sys/net/ipv4/ping_group_range; '
         f'{MXC} doctor --json d.json'])
    eq((states()['ping']['state'], states()['ping']['detail']),
       ('ok', 'groups 0-0'))


@test
def doctor_changes_nothing():
    before, pid_max = host_state(), read('/proc/sys/kernel/pid_max')
    mxc('doctor')
    leaves_nothing(before)
    eq(read('/proc/sys/kernel/pid_max'), pid_max)


# --- completions and man pages ---------------------------------------------

def completion(name):
    path = TOP / 'completions' / name
    installed = MXC.parents[1] / 'share' / {
        'mxc.bash': 'bash-completion/completions/mxc',
        '_mxc': 'zsh/site-functions/_mxc',
        'mxc.fish': 'fish/vendor_completions.d/mxc.fish'}[name]
    for p in (path, installed):
        if p.exists():
            return p
    skip('no completions here')


def complete(*words):
    r = run(['bash', '-c', '''source "$0"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _mxc
        printf '%s\\n' "${COMPREPLY[@]}"''', completion('mxc.bash'),
             *words]).ok()
    return r.out.split()


@cases([(name, name, shell) for name, shell in (
    ('mxc.bash', 'bash'), ('_mxc', 'zsh'), ('mxc.fish', 'fish'))])
def completion_parses(name, shell):
    path = completion(name)
    need(shell)
    eq(run([shell, '-n', path]).ok().err, '')


@test
def bash_completes():
    eq(sorted(set(complete('mxc', '')) & set(COMMANDS)), sorted(COMMANDS))
    eq(complete('mxc', 'run', '--r'), ['--ro', '--rw'])
    eq(complete('mxc', 'run', '--accept-missing', 'l'), ['landlock'])
    eq(complete('mxc', 'schema', '--version', '1.1.0+'), ['1.1.0+c1'])
    check('bash' in complete('mxc', 'run', '--', 'bas'), 'a command')
    lacks(complete('mxc', 'doctor', '--'), '--ro')


@test
def fish_completes():
    path = completion('mxc.fish')
    need('fish')
    r = run(['fish', '-c', f'source {path}; complete -C "mxc run --r"']).ok()
    has(r.out, '--ro\t')
    has(r.out, '--rw\t')


@test
def man_pages_are_clean():
    need('mandoc')
    for page in sorted((TOP / 'man').glob('*.[1-8]')):
        r = run(['mandoc', '-T', 'lint', '-W', 'warning', page])
        eq(r.out, '', page.name)
        eq(r.status, 0, page.name)


@test
def every_option_is_in_the_man_page():
    page = read(TOP / 'man/mxc.1').replace('\\-', '-')
    for cmd in json.loads(mxc('tables').ok().out)['commands']:
        for o in cmd['options']:
            has(page, f'--{o["name"]}', 'mxc.1')


main()
