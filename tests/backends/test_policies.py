#!/usr/bin/env python3
"""Ten policies, as a user would write them (examples/policies): the same
outcome on every backend, or a refusal that names the clause.

Each policy runs its own command, and then a probe that tries everything that
any of them is about.  What native does is checked against what the policy
means (MEANT), and what the others do against native, field by field.
"""

import json
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import backends  # noqa: E402
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403
from contract import NAME, unenforced  # noqa: E402

net = internet()
FOLDER_OF = TOP / 'examples/policies'
WORLD = '/tmp/mxc-examples'
SYSTEM = ('/usr/bin', '/tmp')

PROBE = '''
import errno, json, os, socket, sys
top, other, project = sys.argv[1], sys.argv[2], sys.argv[1] + "/project"
seen = {}
def name(e):
    if isinstance(e, socket.gaierror):
        return "no such name"
    return errno.errorcode.get(e.errno, type(e).__name__)
def attempt(field, f):
    try:
        got = f()
        seen[field] = got if isinstance(got, (str, list, dict)) else "done"
    except OSError as e:
        seen[field] = name(e)
def write(path, mode="a"):
    with open(path, mode) as f:
        f.write("x")
def touch(path):
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
def connect(host, port):
    socket.create_connection((host, port), 5).close()
def abstract():
    socket.socket(socket.AF_UNIX).connect("\\0" + other)
def status(word):
    for line in open("/proc/self/status"):
        if line.startswith(word + ":"):
            return line.split()[1]
attempt("read source", lambda: open(project + "/main.c").readline())
attempt("write source", lambda: write(project + "/main.c"))
attempt("replace source", lambda: os.rename(project + "/main.c",
                                            project + "/main.c.old"))
attempt("remove script", lambda: os.unlink(project + "/build.sh"))
attempt("make file", lambda: touch(project + "/new"))
attempt("list project", lambda: sorted(os.listdir(project)))
attempt("read secret", lambda: open(project + "/.env").read())
attempt("write secret", lambda: write(project + "/.env"))
attempt("remove secret", lambda: os.unlink(project + "/.env"))
attempt("list history", lambda: os.listdir(project + "/.git"))
attempt("write history", lambda: write(project + "/.git/config"))
attempt("move history", lambda: os.rename(project + "/.git", project + "/git"))
attempt("make hooks", lambda: os.makedirs(project + "/hooks", exist_ok=True))
attempt("make hook", lambda: touch(project + "/hooks/pre-commit"))
attempt("move over hook", lambda: (touch(project + "/hooks/x"),
    os.rename(project + "/hooks/x", project + "/hooks/pre-commit")))
attempt("read beside", lambda: open(top + "/notes/private/public.txt").read())
attempt("make beside", lambda: touch(top + "/notes/new"))
attempt("write system", lambda: touch(sys.argv[4] + "/new"))
attempt("own temporary files", lambda: touch(sys.argv[5] + "/new"))
for host, port in (("example.com", 443), ("example.com", 80),
                   ("other.test", 443), ("203.0.113.10", 8080),
                   ("203.0.113.10", 80), ("198.51.100.7", 8080),
                   ("127.0.0.1", int(sys.argv[3]))):
    where = "the host" if host == "127.0.0.1" else "%s:%d" % (host, port)
    attempt("connect to " + where, lambda: connect(host, port))
attempt("socket of the host", abstract)
attempt("screen", lambda: os.environ["DISPLAY"]
        if "DISPLAY" in os.environ else "none")
attempt("environment", lambda: {k: v for k, v in os.environ.items()
                                if k not in ("PWD", "LC_CTYPE")})
attempt("directory", os.getcwd)
attempt("terminal", lambda: os.close(os.open("/dev/tty", os.O_RDWR)))
attempt("capabilities", lambda: status("CapEff") + status("CapBnd"))
attempt("privileges", lambda: status("NoNewPrivs"))
attempt("filter", lambda: status("Seccomp"))
attempt("processes", lambda: [p for p in os.listdir("/proc") if p.isdigit()])
attempt("user", lambda: str(os.getuid()))
print(json.dumps(seen))
'''

NOTHING = ('example.com:443', 'example.com:80', 'other.test:443',
           '203.0.113.10:8080', '203.0.113.10:80', '198.51.100.7:8080')
NO_NET = {**{f'connect to {host}': 'ENETUNREACH' for host in NOTHING},
          **{f'connect to {host}': 'no such name' for host in NOTHING[:3]},
          'connect to the host': 'ECONNREFUSED'}
READ = {'read source': 'int main(void)\n', 'read beside': 'ENOENT'}
# What the policy means, in fields of the probe and of its own command.
MEANT = {
    '01-review': {
        **READ, **NO_NET, 'status': 0, 'write source': 'EROFS',
        'replace source': 'EROFS', 'remove script': 'EROFS',
        'make file': 'EROFS', 'read secret': 'TOKEN=not-for-you\n',
        'write system': 'EROFS', 'own temporary files': 'done',
        'changed': []},
    '02-build': {
        **READ, 'status': 0, 'output': 'built\n', 'write source': 'done',
        'make file': 'done', 'remove script': 'done', 'make beside': 'ENOENT'},
    '03-secrets': {
        **READ, 'status': 0, 'output': 'built\n', 'make file': 'done',
        'read secret': 'EACCES', 'write secret': 'EACCES',
        'remove secret': 'EBUSY', 'list history': 'EACCES',
        'write history': 'EACCES', 'move history': 'EBUSY'},
    '04-hooks': {
        **READ, 'status': 0, 'make hooks': 'done', 'make hook': 'EACCES',
        'move over hook': 'EACCES', 'make file': 'done'},
    '05-no-network': {
        **NO_NET, 'status': 0, 'output': 'built\n',
        'socket of the host': 'ECONNREFUSED'},
    '06-one-host': {
        'status': 0, 'connect to example.com:443': 'done',
        'connect to example.com:80': 'EHOSTUNREACH',
        'connect to other.test:443': 'no such name',
        'connect to 203.0.113.10:8080': 'EHOSTUNREACH',
        'connect to the host': 'ECONNREFUSED'},
    '07-one-network': {
        'status': 0, 'connect to 203.0.113.10:8080': 'done',
        'connect to 203.0.113.10:80': 'EHOSTUNREACH',
        'connect to 198.51.100.7:8080': 'EHOSTUNREACH',
        'connect to example.com:443': 'no such name'},
    '08-clock': {'status': 124, 'output': ''},
    '09-environment': {
        'status': 0,
        'environment': {'MODE': 'check', 'LC_ALL': 'C', 'EMPTY': ''}},
    '10-no-screen': {
        'status': 0, 'output': 'none\n', 'screen': 'none',
        'socket of the host': 'ECONNREFUSED', 'terminal': 'ENXIO'},
}


def world(place):
    """A fresh copy of what the policies speak of."""
    run([TOP / 'examples/prepare', place]).ok()
    return os.path.abspath(place)


def content(top):
    return {os.path.relpath(os.path.join(d, f), top):
            read(os.path.join(d, f)) for d, _, files in os.walk(top)
            for f in files}


def with_policy(backend, name, place, *argv, env=None):
    """A run of the policy in its own world: its command, or another."""
    use_backend(backend)
    text = read(FOLDER_OF / f'{name}.json').replace(WORLD, place)
    policy = write(f'{place}.json', text)
    flags = ['--json', 'r.json', '--policy', policy]
    if name == '06-one-host' and not argv:   # an authority of the tests' own
        flags += ['--ro', CA, '--env', f'CURL_CA_BUNDLE={CA}']
    return mxc('run', *flags, *(['--', *argv] if argv else []), env=env)


def observed(backend, name):
    """All that can be seen of one policy on one backend; None: refused."""
    place, ear = world(f'{backend}-{name}'), Listener()
    canary = Listener(f'@mxc-test-{os.path.basename(os.getcwd())}-{backend}')
    before = content(place)
    r = with_policy(backend, name, place)
    if r.status == 125 and backend != backends.REFERENCE:
        clause = json.loads(read('r.json'))['error']['details']['where']
        unenforced(r, clause)
        return clause
    fields = {'status': r.status,
              'output': r.out.replace(place, WORLD),
              'errors': r.err.replace(place, WORLD)}
    if r.status == 124:   # nor has the probe the time
        return {**fields, 'reached': len(ear.got) + len(canary.got)}
    probe = with_policy(
        backend, name, place, PYTHON, '-I', '-c', PROBE, place,
        canary.sock.getsockname()[1:].decode(), str(ear.port), *SYSTEM,
        env={'DISPLAY': ':0', 'SECRET_OF_MINE': 'canary'})
    fields.update({k: json.loads(json.dumps(v).replace(place, WORLD))
                   for k, v in probe.ok().json().items()})
    after = content(place)
    fields['changed'] = sorted(f for f in {*before, *after}
                               if before.get(f) != after.get(f))
    fields['reached'] = len(ear.got) + len(canary.got)
    return fields


def differences(got, want):
    return {field: (got.get(field), want[field]) for field in want
            if got.get(field) != want[field]}


@cases({name: name for name in MEANT}, seconds=60)
def policy(name):
    net.dns['example.com'] = A(WEB), AAAA(WEB6)
    meant = observed(backends.REFERENCE, name)
    eq(differences(meant, {**MEANT[name], 'reached': 0}), {},
       'native, (got, want)')
    if NAME == backends.REFERENCE:
        saw('policies', name, 'as written')
        return
    got = observed(NAME, name)
    if isinstance(got, str):
        saw('policies', name, f'refused: `{got}`')
        return
    others = {field: (theirs, native, backends.meant(NAME, field, native,
                                                     theirs))
              for field, (theirs, native) in differences(got, meant).items()}
    wrong = {field: pair for field, pair in others.items() if not pair[2]}
    eq(wrong, {}, f'{NAME} and native, (got, want)')
    but = ', '.join(sorted({entry for *_, entry in others.values()}))
    saw('policies', name, f'the same, but for: {but}' if but else 'the same')


@test
def control_without_a_sandbox_the_probe_succeeds():
    net.dns['example.com'] = A(WEB), AAAA(WEB6)
    place, ear = world('world'), Listener()
    name = f'mxc-test-{os.path.basename(os.getcwd())}'
    Listener('@' + name)
    for path in ('bin', 'tmp'):   # not this machine's own
        os.mkdir(path)
    got = run([PYTHON, '-I', '-c', PROBE, place, name, str(ear.port), 'bin',
               'tmp'], env={'DISPLAY': ':0'}).ok().json()
    failed = {k: v for k, v in got.items() if isinstance(v, str)
              and v.startswith('E') or v == 'no such name'}
    failed.pop('terminal', None)   # whoever starts the tests may have none
    eq(failed, {}, 'what the host refuses')
    eq(got['screen'], ':0')


@test
def every_policy_is_tested_and_listed():
    names = sorted(p.stem for p in FOLDER_OF.glob('*.json'))
    eq(names, sorted(MEANT))
    page = read(TOP / 'examples/README.md')
    for name in names:
        has(page, f'(policies/{name}.json)')


main()
