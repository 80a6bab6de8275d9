#!/usr/bin/env python3
# tap: seconds=900
"""Containers of the lxc backend that are kept: lifecycle.destroyOnExit,
preservePolicy, containerId, and how they are deleted."""

import glob
import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
import images  # noqa: E402

LIBEXEC = MXC.parent / '../libexec/mxc'
LACK = ''.join(f'this build has no {p}; ' for p in ('mxc-lxc', 'mxc-unpack')
               if not (LIBEXEC / p).exists())
if b'/ld-linux' in (LIBEXEC / 'mxc-launch').read_bytes():
    LACK += 'mxc-launch needs libraries, which an image has not'
images.private_store()
DOOR = MXC.parent / 'lxc-exec'
KEEP = {'destroyOnExit': False}
EGRESS = {'egress': {'default': 'deny', 'allow': [
    {'to': [{'cidr': '192.0.2.0/24'}], 'ports': [{'port': 443}]}]}}


def store():
    return images.store().parent / 'containers'


def place(name):
    return store() / hashlib.sha256(name.encode()).hexdigest()


def ready(name='test/1', **more):
    if LACK:
        skip(LACK)
    if not (images.store() / 'names' / name.replace('/', '+')).exists():
        mxc('image', 'import', name, images.root('root-' + name.replace(
            '/', '-'), **more)).ok()


def request(command, name='one', keep=True, image='test/1', process=None,
            lifecycle=None, **more):
    ready(image)
    distribution, release = image.split('/')
    doc = {'version': '1.1.0+c1', 'containment': 'lxc',
           'lxc': {'distribution': distribution, 'release': release},
           'process': {'commandLine': command, **(process or {})}, **more}
    if name is not None:
        doc['containerId'] = name
    if lifecycle or keep:
        doc['lifecycle'] = lifecycle or KEEP
    return write(f'r-{os.urandom(4).hex()}.json', json.dumps(doc))


def go(command, *args, **more):
    return mxc('run', '--json', 'result.json', request(command, *args, **more))


def refused(r, code, where, *pieces):
    r.failed(125, *pieces)
    eq(r.out, '', 'nothing ran')
    error = json.loads(read('result.json'))['error']
    eq((error['code'], error['details']['where']), (code, where))
    check(error.get('remediation'), 'no remedy')


def left():
    """What stands in the store; beside it nothing of ours is."""
    return sorted(os.listdir(store())) if store().exists() else []


def running(before='true', **more):
    """One that goes on until it is ended."""
    p = spawn([MXC, 'run', request(f'{before}; echo up; sleep 100', **more)])
    eq(p.stdout.readline(), b'up\n')
    return p


# --- what is kept -----------------------------------------------------------

@test
def a_later_run_goes_on():
    ready(files={'srv/d/x': 'of the image', 'srv/gone': 'x'})
    go('echo first >/mine; rm /srv/gone; rm -r /srv/d; mkdir /srv/d; '
       'echo x >/tmp/x; chmod 700 /mine').ok()
    r = go('cat /mine /tmp/x; ls /srv /srv/d; stat -c %a /mine; '
           'echo second >>/mine').ok()
    eq(r.out.split(), ['first', 'x', '/srv:', 'd', '/srv/d:', '700'])
    eq(go('cat /mine').ok().out, 'first\nsecond\n')
    result = json.loads(read('result.json'))
    eq(result['containerId'], 'one')
    row, = (x for x in result['receipt'] if x['clause'] == 'root')
    has(row['by'], "what is written stays with the container 'one', in '")
    eq(read(place('one') / 'upper/mine'), 'first\nsecond\n')
    mxc('image', 'verify', 'test/1').ok()


@test
def names_are_containers_of_their_own():
    go('echo a >/mine', 'a').ok()
    for name in ('b', 'a ', 'A', '../a', 'a/b', '..', 'x' * 4096, 'a\nb', 'é'):
        eq(go('cat /mine; echo b >/mine', name).ok().out, '', repr(name))
        eq(go('cat /mine', name).ok().out, 'b\n', repr(name))
    eq(go('cat /mine', 'a').ok().out, 'a\n')
    eq(left(), sorted(os.listdir(store())))
    check(all(len(n) == 64 for n in left()), left())
    refused(go('echo ran', 'x' * 4097), 'policy_validation', 'containerId',
            'at most 4096 bytes')


@test
def without_a_word_nothing_is_kept():
    """A label is a label, of as many runs as there are."""
    for lifecycle in (None, {'destroyOnExit': True, 'preservePolicy': False}):
        eq(go('cat /mine; echo x >/mine', keep=False,
              lifecycle=lifecycle).ok().out, '')
    eq(left(), [])


@test
def a_run_with_the_default_is_the_last():
    go('echo x >/mine; mkdir -p /d/e; chmod 0 /d').ok()
    r = go('cat /mine; ls -d /d', keep=False)
    eq(r.ok().out, 'x\n/d\n')
    row, = (x for x in json.loads(read('result.json'))['receipt']
            if x['clause'] == 'root')
    has(row['by'], "with what the container 'one' has in '")
    eq(left(), [])
    eq(go('cat /mine', keep=False).out, '')


@test
def one_without_a_name_gets_one_that_is_told():
    for name in (None, ''):
        r = go('echo x >/mine', name).ok()
        result = json.loads(read('result.json'))
        made = result['containerId']
        check(made.startswith('mxc-') and len(made) == 12, made)
        has(result['warnings'][0], f"kept as '{made}'")
        eq(go('cat /mine', made).ok().out, 'x\n')
    has(mxc('run', request('true', None)).ok().err, "is kept as 'mxc-")


@test
def check_and_explain_change_nothing():
    path = request('true')
    mxc('check', path).ok()
    has(mxc('explain', path).ok().out, "what is written stays with the container 'one'")
    run([DOOR, '--dry-run', path]).ok()
    eq(left(), [], 'a question made something')
    go('true').ok()
    before = read(place('one') / 'record')
    mxc('check', request('true', keep=False)).ok()
    eq((left(), read(place('one') / 'record')), ([place('one').name], before))


@test
def however_the_workload_ends_it_is_kept():
    go('echo 1 >/mine; exit 3').ok(3)
    go('echo 2 >>/mine; kill -9 $$').ok(137)
    r = go('echo 3 >>/mine; sleep 100', process={'timeout': 700}).ok(124)
    eq(json.loads(read('result.json'))['timedOut'], True)
    p = running('echo 4 >>/mine')
    p.send_signal(signal.SIGTERM)
    p.wait(20)
    eq(go('cat /mine').ok().out, '1\n2\n3\n4\n', repr(r))


@test
def a_run_that_was_refused_leaves_nothing():
    """Also in the last moment: set-up fails inside."""
    ready()
    root = images.root('linked')
    (root / 'etc/passwd').unlink()
    (root / 'dev').rmdir()
    (root / 'dev').symlink_to('/tmp')
    mxc('image', 'import', 'linked/1', root).ok()
    r = go('echo ran', image='linked/1')
    eq((r.status, r.out), (125, ''), repr(r))
    eq(left(), [])
    go('echo x >/mine; rm -r /dev; ln -s /tmp /dev', 'two').ok()
    go('cat /mine', 'two', keep=False).ok()


# --- one at a time ----------------------------------------------------------

@test
def a_second_run_at_once_is_refused():
    go('true').ok()
    p = running()
    for keep in (True, False):
        r = go('echo ran', keep=keep)
        refused(r, 'backend_error', 'containerId',
                'another run has this container')
    mxc('container', 'rm', 'one').failed(1, 'another run has this container')
    run([DOOR, '--delete', '--containername', 'one']).failed(
        1, 'another run has this container')
    eq(go('echo ran', 'two').ok().out, 'ran\n')
    p.send_signal(signal.SIGTERM)
    p.wait(20)
    eq(go('echo ran').ok().out, 'ran\n')


@test(seconds=120)
def of_many_first_runs_one_makes_it():
    path = request('echo $$ >>/mine; sleep 0.3; wc -l </mine')
    ps = [spawn([MXC, 'run', path]) for _ in range(12)]
    ends = [(*p.communicate(timeout=100), p.returncode) for p in ps]
    won = [e for e in ends if e[2] == 0]
    check(won, ends)
    for out, err, status in ends:
        if status:
            eq((out, status), (b'', 125))
            check(b'another run has this container' in err
                  or b'changed or removed while' in err, err)
    # Those that came one after the other went on.
    eq(sorted(int(e[0]) for e in won), [*range(1, len(won) + 1)])
    eq(left(), [place('one').name])
    eventually(lambda: not descendants(), what='the end of all processes')


@test(seconds=120)
def names_at_once_do_not_hinder_each_other():
    paths = [request('echo $$ >/mine; cat /mine', f'n{i}') for i in range(12)]
    ps = [spawn([MXC, 'run', p]) for p in paths]
    for p in ps:
        out, err = p.communicate(timeout=100)
        eq((p.returncode, err), (0, b''))
    eq(len(left()), 12)
    eventually(lambda: not descendants(), what='the end of all processes')


@test(seconds=120)
def killed_at_any_moment_it_is_whole():
    """There as before, or not there; what was begun is cleared away."""
    go('echo first >/mine').ok()
    rng = random.Random(11)
    old, new = request('echo x >>/more'), request('true', 'new')
    for n in range(16):
        p = spawn([MXC, 'run', old if n % 2 else new])
        time.sleep(rng.random() * 0.06)
        p.send_signal(signal.SIGKILL)
        p.wait()
        eventually(lambda: not descendants(), what='the end of all processes')
    eq(go('cat /mine').ok().out, 'first\n')
    go('true', 'new', keep=False).ok()
    eq(left(), [place('one').name])


@test
def the_last_run_killed_is_the_last():
    go('echo first >/mine').ok()
    p = running(keep=False)
    p.send_signal(signal.SIGKILL)
    p.wait()
    eventually(lambda: not descendants(), what='the end of all processes')
    eq(go('cat /mine', keep=False).out, '')
    go('true', 'two').ok()
    eq(left(), [place('two').name], 'what was left is cleared away')


# --- the same image ---------------------------------------------------------

@test
def another_image_is_refused():
    go('echo x >/mine').ok()
    ready('other/1', files={'etc/motd': 'another'})
    refused(go('echo ran', image='other/1'), 'policy_validation',
            'containerId', "was made of another image: test/1, sha256:")
    # The same root is the same image, whatever its name.
    mxc('image', 'import', 'twin/1', 'root-test-1').ok()
    eq(go('cat /mine', image='twin/1').ok().out, 'x\n')
    # And the name may lead to another root by now.
    mxc('image', 'import', 'test/1', 'root-other-1').ok()
    refused(go('echo ran'), 'policy_validation', 'containerId',
            "made of another image")


@test
def an_image_stays_as_long_as_a_container_on_it():
    go('echo x >/mine').ok()
    mxc('image', 'rm', 'test/1').failed(
        1, "the container 'one' is kept on the image 'test/1'")
    # Its name may go to another root: the tree stays.
    root = images.root('newer', files={'etc/motd': 'newer'})
    mxc('image', 'import', 'test/1', root).ok()
    eq(len(os.listdir(images.store() / 'trees')), 2)
    old = json.loads(read(place('one') / 'record'))['digest']
    mxc('image', 'import', 'old/1', images.store() / 'trees' / old / 'root'
        ).ok()
    eq(go('cat /mine', image='old/1').ok().out, 'x\n')
    mxc('container', 'rm', 'one').ok()
    mxc('image', 'rm', 'old/1').ok()
    mxc('image', 'rm', 'test/1').ok()
    eq(os.listdir(images.store() / 'trees'), [])


# --- the policy that is kept ------------------------------------------------

PRESERVE = {'destroyOnExit': False, 'preservePolicy': True}


@test
def rules_of_the_network_are_kept():
    go('true', lifecycle=PRESERVE, network=EGRESS).ok()
    row, = (x for x in json.loads(read('result.json'))['receipt']
            if x['clause'] == 'lifecycle.preservePolicy')
    eq(row['state'], 'enforced')
    other = json.loads(json.dumps(EGRESS))
    other['egress']['allow'][0]['ports'] = [{'port': 443, 'endPort': 444}]
    for network in (other, {'egress': {'default': 'allow'}},
                    {'ingress': {'hostLoopback': 'allow',
                                 'hostServices': [{'host': 8080}]}}):
        for lifecycle in (PRESERVE, KEEP, {'destroyOnExit': True}):
            refused(go('echo ran', lifecycle=lifecycle, network=network),
                    'policy_validation', 'network',
                    'keeps the network rules that it ran under')
    for more in ({'network': EGRESS}, {}, {'network': {'egress': {
            'default': 'deny'}}}):
        eq(go('echo ran', **more).ok().out, 'ran\n', str(more))
    shown = mxc('container', 'show', 'one').ok().out
    has(shown, 'allow 192.0.2.0/24 any:443-443')
    go('true', keep=False, network=EGRESS).ok()
    eq(left(), [])
    go('true', network=other).ok()


@test
def none_at_all_is_kept_too():
    """And may be asked for later, of a container that there is."""
    go('true', network=EGRESS).ok()
    go('true', lifecycle=PRESERVE).ok()
    refused(go('echo ran', network=EGRESS), 'policy_validation', 'network',
            'keeps the network rules')
    has(mxc('container', 'show', 'one').ok().out, 'of all later runs: none')
    eq(go('echo ran').ok().out, 'ran\n')


@test(seconds=120)
def any_number_of_rules_where_none_are_kept():
    def of(first):
        return {'egress': {'default': 'deny', 'allow': [
            {'to': [{'cidr': f'{first}.{i >> 8}.{i & 255}.0/24', 'except': [
                f'{first}.{i >> 8}.{i & 255}.{k * 8}/29' for k in range(8)]}]}
            for i in range(9000)]}}
    for keep in (False, True, True, False):
        eq(go('echo ran', keep=keep, network=of(10)).ok().out, 'ran\n')
    refused(go('echo ran', lifecycle=PRESERVE, network=of(10)),
            'policy_validation', 'lifecycle.preservePolicy',
            'too many to be kept')
    eq(left(), [])
    go('true', lifecycle=PRESERVE, network=EGRESS).ok()
    refused(go('echo ran', network=of(10)), 'policy_validation', 'network',
            'keeps the network rules')


@test
def grants_are_each_runs_own():
    """As in MXC, which writes them anew for every run."""
    write('a/x', 'a')
    write('b/x', 'b')
    here = os.getcwd()
    for name in ('a', 'b'):
        r = go(f'cat {here}/*/x', lifecycle=PRESERVE, filesystem={
            'readonlyPaths': [f'{here}/{name}']}).ok()
        eq(r.out, name)


@test
def a_policy_without_its_container_is_refused_by_name():
    for lifecycle in ({'preservePolicy': True},
                      {'destroyOnExit': True, 'preservePolicy': True}):
        refused(go('echo ran', lifecycle=lifecycle), 'policy_validation',
                'lifecycle.preservePolicy', 'this one ends with its run')
    eq(left(), [])


@test
def a_session_is_no_container():
    """And nothing of the containers is its business, whatever it is called."""
    go('echo x >/mine').ok()
    before = read(place('one') / 'record')
    os.mkdir('run', 0o700)
    os.environ['XDG_RUNTIME_DIR'] = os.path.abspath('run')
    for lifecycle, clause in ((KEEP, 'destroyOnExit'),
                              (PRESERVE, 'destroyOnExit'),
                              ({'preservePolicy': True}, 'preservePolicy')):
        path = request('true', lifecycle=lifecycle)
        doc = json.loads(read(path))
        del doc['process']
        write(path, json.dumps(doc))
        r = mxc('provision', '--json', 'result.json', path)
        r.failed(1, 'a session is no container that is kept')
        error = json.loads(read('result.json'))['error']
        eq((error['code'], error['details']['where']),
           ('policy_validation', f'lifecycle.{clause}'))
    eq((left(), read(place('one') / 'record')), ([place('one').name], before))
    eq(os.listdir('run/mxc'), [])


# --- list, show, delete -----------------------------------------------------

@test
def by_the_command_line_of_mxc():
    run([DOOR, '--delete', '--containername', 'one']).failed(1)
    r = run([DOOR, request('echo x >/mine')]).ok()
    eq((r.out, r.err), ('', ''))
    eq(run([DOOR, request('cat /mine')]).ok().out, 'x\n')
    # A dry run changes nothing.
    dry = [DOOR, '--dry-run', '--delete', '--containername']
    r = run([*dry, 'one'])
    eq((r.status, r.out, r.err),
       (0, 'Dry run completed. Would delete LXC container: one\n', ''))
    r = run([*dry, 'two'])
    eq((r.status, r.out), (1, "Container 'two' does not exist.\n"))
    has(mxc('container', 'list').ok().out, 'one', 'what is kept')
    r = run([DOOR, '--delete', '--containername', 'two'])
    eq((r.status, r.out, r.err), (1, "Container 'two' does not exist.\n", ''))
    r = run([DOOR, '--delete', '--containername', 'one'])
    eq((r.status, r.out, r.err), (0, 'Deleted LXC container: one\n', ''))
    eq(left(), [])
    r = run([DOOR, '--delete', '--containername', 'one'])
    eq((r.status, r.out), (1, "Container 'one' does not exist.\n"))


@test
def by_the_command():
    ready()
    has(mxc('container', 'list').ok().out, 'no containers')
    mxc('container', 'rm', 'one').failed(1, "there is no container 'one'")
    mxc('container', 'show', 'one').failed(1, "there is no container 'one'")
    go('true', 'b\x1b').ok()
    go('true', 'a', lifecycle=PRESERVE).ok()
    r = mxc('container', 'list', '--json', 'list.json').ok()
    lines = r.out.splitlines()
    eq([line.split()[0] for line in lines], ['a', 'b\\x1b'])
    has(lines[0], 'network kept')
    listed = json.loads(read('list.json'))['containers']
    eq([(c['name'], c['image'], c['network']) for c in listed],
       [('a', 'test/1', ''), ('b\x1b', 'test/1', None)])
    eq(listed[0]['path'], str(place('a')))
    mxc('container', 'rm', 'b\x1b').ok()
    eq(left(), [place('a').name])
    mxc('container', 'rm', 'a').ok()
    eq(left(), [])
    mxc('container').failed(2, 'no verb')
    mxc('container', 'rm').failed(2, 'an operand is missing')


@test(seconds=120)
def whatever_was_written_can_be_removed():
    """Deeper than there are descriptors, and closed to its owner."""
    go('i=0; while [ $i -lt 1500 ]; do mkdir 0 && cd -P 0 || exit 1; '
       'i=$((i+1)); done; touch x', process={'cwd': '/tmp'}).ok()
    go('mkdir -p /d/0/0 /d/1; touch /d/0/0/f /d/2; chmod 0 /d/0/0 /d/1 /d; '
       'chmod 0 /etc; ln -s / /d2; rm -r /bin; exit 0').ok()
    mxc('container', 'rm', 'one').ok()
    eq(left(), [])


@test(seconds=120)
def removed_by_two_at_once_it_is_removed_once():
    for _ in range(5):
        go('i=0; while [ $i -lt 200 ]; do echo x >/tmp/$i; i=$((i+1)); done'
           ).ok()
        ps = [spawn([DOOR, '--delete', '--containername', 'one'])
              for _ in range(4)]
        ends = sorted((p.communicate(timeout=30), p.returncode) for p in ps)
        eq([e for e in ends if e[1] == 0],
           [((b'Deleted LXC container: one\n', b''), 0)])
        for (out, err), status in ends:
            if status:
                eq((out, err, status),
                   (b"Container 'one' does not exist.\n", b'', 1))
        eq(left(), [])


@test
def what_a_workload_left_in_the_way_is_told_with_a_remedy():
    for line in ('rm /etc/hosts; mkdir -p /etc/hosts/x',
                 'rm -r /etc; ln -s /tmp /etc',
                 f'mkdir -p {os.path.dirname(os.getcwd())}; '
                 f'echo x >{os.getcwd()}',
                 f'mkdir -p {os.path.dirname(os.getcwd())}; '
                 f'ln -s /tmp {os.getcwd()}'):
        go(line).ok()
        r = go('echo ran', filesystem={'readonlyPaths': [os.getcwd()]})
        r.failed(125, 'mxc container rm')
        eq(r.out, '', line)
        mxc('container', 'rm', 'one').ok()
        go('echo ran', filesystem={'readonlyPaths': [os.getcwd()]}).ok()
        mxc('container', 'rm', 'one').ok()


@test
def links_that_it_keeps_lead_no_mount_to_the_host():
    """A mount point of a later run, beyond a link into what that is granted."""
    here = os.getcwd()
    for name in ('granted', 'deep/x/y'):
        os.makedirs(name)
    write('deep/x/y/f', 'deep')
    grants = {'readwritePaths': [f'{here}/granted'],
              'readonlyPaths': [f'{here}/deep/x/y']}
    for link in (f'{here}/deep', f'{here}/deep/x'):
        go(f'mkdir -p {os.path.dirname(link)}; ln -s {here}/granted {link}'
           ).ok()
        r = go('echo ran', filesystem=grants)
        r.failed(125, 'mxc container rm')
        eq((r.out, os.listdir('granted')), ('', []), link)
        mxc('container', 'rm', 'one').ok()
    eq(go(f'cat {here}/deep/x/y/f', filesystem=grants).ok().out, 'deep')
    eq(os.listdir('granted'), [])


@test
def a_damaged_one_is_refused_and_can_be_removed():
    go('true').ok()
    good = json.loads(read(place('one') / 'record'))
    for bad in ({'version': 99}, {**good, 'name': 'two'},
                {**good, 'digest': '"' * 64}, {**good, 'digest': '0'}):
        write(place('one') / 'record', json.dumps(bad))
        r = go('echo ran')
        refused(r, 'policy_validation', 'containerId', 'is damaged')
        r = mxc('container', 'list', '--json', 'list.json').ok()
        eq(r.out, 'and 1 that cannot be understood\n')
        eq(json.loads(read('list.json'))['containers'], [])
    run([DOOR, '--delete', '--containername', 'one']).ok()
    eq(left(), [])


# --- whose they are ---------------------------------------------------------

@test
def only_their_owner_enters():
    go('echo x >/mine; cp /bin/busybox /s; chmod 6755 /s; exit 0').ok()
    for path in (store(), place('one')):
        eq(path.stat().st_mode & 0o777, 0o700, str(path))
    for path in (store(), place('one')):
        path.chmod(0o755)
        r = go('echo ran')
        r.failed(125)
        eq(r.out, '')
        check('others own it' in r.err or 'is damaged' in r.err, r.err)
        path.chmod(0o700)
    eq(go('cat /mine').ok().out, 'x\n')


@test(only='root')
def of_another_owner_there_is_none():
    """Not by its name, and not by the way there either."""
    go('echo x >/mine').ok()
    home = pathlib.Path('their-home').absolute()
    home.mkdir()
    os.chown(home, 65534, 65534)
    for path in (home.parent, pathlib.Path('/var/lib')):
        os.chmod(path, 0o755)

    def theirs(*command, **env):
        return subprocess.run(
            command, user=65534, group=65534, extra_groups=[], cwd='/',
            capture_output=True, text=True, stdin=subprocess.DEVNULL,
            env={'HOME': str(home), **env})
    for env in ({}, {'XDG_DATA_HOME': '/var/lib'}):
        r = theirs(DOOR, '--delete', '--containername', 'one', **env)
        eq(r.returncode, 1, str(r))
        check('does not exist' in r.stdout or 'cannot open' in r.stderr
              or 'others own it' in r.stderr, str(r))
        r = theirs(MXC, 'container', 'list', **env)
        lacks(r.stdout, 'one')
    eq(go('cat /mine').ok().out, 'x\n')


@test
def a_link_in_the_place_of_one_leads_nowhere():
    """Made by a workload, say, that was given the whole home to write."""
    go('true').ok()
    os.makedirs('victim/upper')
    os.makedirs('victim/work')
    write('victim/upper/file', 'mine')
    os.chmod('victim', 0o700)
    for name in glob.glob(str(place('one') / '*')):
        run(['rm', '-rf', name]).ok()
    place('one').rmdir()
    place('one').symlink_to(os.path.abspath('victim'))
    r = go('echo ran')
    refused(r, 'policy_validation', 'containerId', 'is damaged')
    mxc('container', 'rm', 'one').ok()
    eq((left(), read('victim/upper/file')), ([], 'mine'))
    go('true').ok()
    run(['rm', '-rf', place('one') / 'upper']).ok()
    (place('one') / 'upper').symlink_to(os.path.abspath('victim/upper'))
    go('echo ran').failed(125, 'the container is damaged')
    mxc('container', 'rm', 'one').ok()
    eq(read('victim/upper/file'), 'mine')


@test
def no_sandbox_sees_where_they_are_kept():
    """On the backend that shows the host: what could be written there would be
    a later container's programs."""
    go('echo x >/mine').ok()
    above = store().parents[1]
    (above / 'link').symlink_to('mxc')
    upper = place('one') / 'upper'
    attack = (f'ls {store()}; cat {upper}/mine {above}/link/containers/*/*/mine;'
              f'echo x >{upper}/x; mv {store().parent} {above}/mine')
    os.chdir('/')
    r = mxc('run', '--rw', above, '--', 'sh', '-c', attack)
    eq(r.out, '', 'nothing is listed or read')
    check(r.err.count('ermission denied') >= 3 and 'busy' in r.err, r.err)
    check(not (upper / 'x').exists() and store().exists(), repr(r))
    for path in (store(), upper):
        for flag in ('--ro', '--rw'):
            mxc('run', flag, path, '--', 'true').failed(
                125, 'is where mxc keeps its containers')
    # Outside nothing is in the way.
    eq(run(['sh', '-c', f'cat {upper}/mine && echo x >{upper}/x']).ok().out,
       'x\n')


@test
def none_can_be_made_for_a_later_run():
    """By a sandbox that may write above, before there is any."""
    ready()
    above, at = store().parents[1], place('one')
    digest, = os.listdir(images.store() / 'trees')
    plant = (f'mkdir -p -m 700 {store()}; mkdir -p -m 700 {at} && '
             f'mkdir {at}/upper {at}/work; echo planted >{at}/upper/mine; '
             f"echo '" + json.dumps({
                 'version': 1, 'name': 'one', 'image': 'test/1',
                 'digest': digest, 'created': 1}) + f"' >{at}/record")
    os.chdir('/')
    r = mxc('run', '--rw', above, '--', 'sh', '-c', plant)
    has(r.err, 'ermission denied')
    os.chdir(os.environ['HOME'])
    eq((left(), go('cat /mine', keep=False).out), ([], ''))
    # Outside it works, or this shows nothing.
    run(['sh', '-c', plant]).ok()
    eq(go('cat /mine', keep=False).ok().out, 'planted\n')


@test
def long_rules_are_shown_whole():
    hosts = [f'{"x" * 60}{n}.example.com' for n in range(20)]
    go('true', lifecycle=PRESERVE, network={'egress': {
        'default': 'deny', 'allow': [{'to': [{'host': h} for h in hosts],
                                      'ports': [{'port': 443}]}]}}).ok()
    shown = mxc('container', 'show', 'one').ok().out
    for h in hosts:
        has(shown, h)


@test(only='root')
def a_place_that_is_not_fit_for_it_is_told():
    """In the mount namespace of this test."""
    ready()
    for name in ('lower', 'upper', 'work'):
        os.mkdir(name, 0o700)
    run(['mount', '-t', 'overlay', 'none', '-o',
         'lowerdir=lower,upperdir=upper,workdir=work', store()]).ok()
    r = go('echo ran')
    r.failed(125, 'what is kept of the container', 'not another overlay')
    eq((r.out, left()), ('', []))


@test
def the_workload_does_not_see_where_it_is_kept():
    r = go('cat /proc/self/mountinfo /proc/mounts; ls -l /proc/self/fd').ok()
    for piece in (str(store()), place('one').name, 'containers'):
        lacks(r.out, piece)


main()
