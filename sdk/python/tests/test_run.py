"""run(): each parameter, what comes back, what is refused."""

import asyncio
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from tests.common import HERE, Case, Server, mxc, mxc_path, reap_orphans

CONNECT = '''
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
try:
    with socket.create_connection((host, port), 5) as s:
        sys.stdout.write(s.recv(100).decode())
except OSError as e:
    print(type(e).__name__, e)
'''


def connect(host, port):
    return ['python3', '-c', CONNECT, host, str(port)]


class Command(Case):
    def test_words_are_executed_as_they_are(self):
        r = mxc.run(['printf', '%s|', 'a b', '$HOME', '*', 'ü'])
        self.assertEqual(r.stdout, 'a b|$HOME|*|ü|')
        self.assertTrue(r.ok)
        self.assertEqual(r.command, ['printf', '%s|', 'a b', '$HOME', '*',
                                     'ü'])

    def test_text_is_a_line_for_the_shell(self):
        self.assertEqual(mxc.run('echo $((6 * 7)) | tr 4 x').stdout, 'x2\n')

    def test_words_that_look_like_options(self):
        self.assertEqual(mxc.run(['echo', '--json', '7']).stdout,
                         '--json 7\n')

    def test_paths_are_words_too(self):
        import pathlib
        self.assertTrue(mxc.run([pathlib.Path('/usr/bin/true')]).ok)

    def test_words_that_are_not_utf_8(self):
        word = os.fsdecode(b'a\xff')
        self.assertEqual(mxc.run(['printf', '%s', word], text=False).stdout,
                         b'a\xff')

    def test_exit_code(self):
        r = mxc.run('exit 7')
        self.assertEqual((r.outcome, r.exit_code, r.signal, r.ok),
                         ('exited', 7, None, False))

    def test_signal(self):
        r = mxc.run('kill -SEGV $$')
        self.assertEqual((r.outcome, r.signal), ('signaled', signal.SIGSEGV))
        self.assertEqual(r.exit_code, 128 + signal.SIGSEGV)

    def test_both_streams(self):
        r = mxc.run('echo out; echo err >&2')
        self.assertEqual((r.stdout, r.stderr), ('out\n', 'err\n'))

    def test_not_found(self):
        with self.assertRaisesCode('backend_error') as raised:
            mxc.run(['no-such-program'])
        self.assertIsInstance(raised.error, mxc.CommandNotRunError)
        self.assertEqual(raised.error.exit_code, 127)
        self.assertEqual(raised.error.native_code, 'ENOENT')
        self.assertEqual(raised.error.operation, 'execve(2)')
        self.assertEqual(raised.error.result.stderr, '')

    def test_not_executable(self):
        with self.assertRaisesCode('backend_error') as raised:
            mxc.run(['/etc/passwd'])
        self.assertEqual(raised.error.exit_code, 126)

    def test_no_command_is_told_by_mxc(self):
        with self.assertRaisesCode('malformed_request') as raised:
            mxc.run()
        self.assertIn('no command', raised.error.message)

    def test_wrong_types(self):
        for wrong in (5, b'true', {'a': 1}, ['true', 5], [b'true'], object()):
            with self.subTest(wrong), self.assertRaises(TypeError):
                mxc.run(wrong)
        for wrong in ([], ['a\0b'], 'a\0b', '\udc80'):
            with self.subTest(wrong), self.assertRaises(ValueError):
                mxc.run(wrong)


class Streams(Case):
    def test_input_text(self):
        self.assertEqual(mxc.run(['cat'], input='grüße\n').stdout, 'grüße\n')

    def test_input_bytes(self):
        data = bytes(range(256))
        r = mxc.run(['cat'], input=data, text=False)
        self.assertEqual((r.stdout, r.stderr), (data, b''))

    def test_without_input_it_is_empty(self):
        self.assertEqual(mxc.run(['wc', '-c']).stdout.strip(), '0')

    def test_input_that_nobody_reads(self):
        self.assertTrue(mxc.run(['true'], input=b'x' * (5 << 20)).ok)

    def test_fifty_megabytes_there_and_back(self):
        data = os.urandom(1 << 20) * 50
        r = mxc.run(['cat'], input=data, text=False)
        self.assertEqual(len(r.stdout), len(data))
        self.assertTrue(r.stdout == data, 'other bytes came back')

    def test_more_output_than_is_kept(self):
        line = 'head -c 3000000 /dev/zero; head -c 5 /dev/zero >&2'
        for r in (mxc.run(line, max_output=1000),
                  asyncio.run(mxc.run_async(line, max_output=1000))):
            self.assertEqual((len(r.stdout), r.stdout_lost), (1000, 2999000))
            self.assertEqual((len(r.stderr), r.stderr_lost), (5, 0))
            self.assertEqual((r.stdout_truncated, r.stdout_gap, r.stdout_total),
                             (True, 500, 3000000))
            self.assertEqual((r.stderr_truncated, r.stderr_gap, r.stderr_total),
                             (False, None, 5))
        for wrong in (-1, 1.5, True, None):
            with self.assertRaises((TypeError, ValueError)):
                mxc.run('true', max_output=wrong)

    def test_both_ends_are_kept(self):
        whole = b''.join(b'%d\n' % n for n in range(30000))
        for most in (0, 1, 2, 999, 65537, len(whole) - 1, len(whole)):
            first, last = most - most // 2, most // 2
            for r in (mxc.run(['cat'], input=whole, text=False,
                              max_output=most),
                      asyncio.run(mxc.run_async(['cat'], input=whole,
                                                text=False, max_output=most))):
                self.assertTrue(
                    r.stdout == whole[:first] + whole[len(whole) - last:], most)
                self.assertEqual(
                    (r.stdout_lost, r.stdout_gap, r.stdout_truncated),
                    (len(whole) - most, first, True) if most < len(whole)
                    else (0, None, False))

    def test_the_gap_is_an_index_into_the_text(self):
        r = mxc.run("printf 'ää1234öö'", max_output=8)
        self.assertEqual((r.stdout, r.stdout_gap), ('ääöö', 2))
        r = mxc.run("printf 'ää1234öö'", max_output=6)
        self.assertEqual((r.stdout, r.stdout_gap), ('ä\ufffd\ufffdö', 2))

    # In a session of its own, with the streams, minding no signal.
    LINGERS = ("setsid sh -c 'trap \"\" HUP INT QUIT TERM USR1 PIPE; "
               "while :; do sleep 1; done' & echo early; ")

    def test_who_holds_the_streams_holds_nothing_up(self):
        begin = time.monotonic()
        for r in (mxc.run(self.LINGERS + 'exit 3'),
                  asyncio.run(mxc.run_async(self.LINGERS + 'exit 3'))):
            self.assertEqual((r.exit_code, r.stdout), (3, 'early\n'))
        for r in (mxc.run(self.LINGERS + 'sleep 60', timeout=0.5),
                  asyncio.run(mxc.run_async(self.LINGERS + 'sleep 60',
                                            timeout=0.5))):
            self.assertEqual((r.outcome, r.stdout), ('timed_out', 'early\n'))
        r = mxc.run(self.LINGERS + 'while :; do echo more; done',
                    limits={'outputBytes': 100000}, max_output=1000)
        self.assertEqual((r.outcome, len(r.stdout), r.stdout[:6]),
                         ('limited', 1000, 'early\n'))
        self.assertLess(time.monotonic() - begin, 40)

    def test_verify(self):
        for r in (mxc.run(['true'], verify=True),
                  asyncio.run(mxc.run_async(['true'], verify=True))):
            held = [w for w in r.verified if w.result == 'held']
            self.assertGreater(len(held), 8)
            self.assertTrue(all(w.tries and w.mechanism for w in held))
        self.assertEqual(mxc.run(['true']).verified, [])
        with mxc.Sandbox(['true'], verify=True) as box:
            self.assertTrue(box.wait().verified)

    def test_fifty_megabytes_on_both_streams(self):
        r = mxc.run('head -c 25000000 /dev/zero & '
                    'head -c 25000000 /dev/zero >&2; wait', text=False)
        self.assertEqual((len(r.stdout), len(r.stderr)),
                         (25000000, 25000000))

    def test_what_is_not_utf_8(self):
        self.assertEqual(mxc.run(r"printf 'a\377\r\nb'").stdout,
                         'a\ufffd\r\nb')

    def test_not_captured(self):
        code = ('import sys; sys.path.insert(0, sys.argv[1])\n'
                'import mxc_sandbox\n'
                'r = mxc_sandbox.run("echo out; echo err >&2", '
                'capture=False)\n'
                'assert (r.stdout, r.stderr, r.exit_code) == ("", "", 0)')
        from tests.common import HERE
        p = subprocess.run([sys.executable, '-c', code, str(HERE)],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual((p.stdout, p.stderr), (b'out\n', b'err\n'))

    def test_wrong_input(self):
        with self.assertRaises(TypeError):
            mxc.run(['cat'], input=5)


class Files(Case):
    def test_nothing_of_the_host(self):
        (self.folder / 'secret').write_text('x')
        r = mxc.run(['cat', str(self.folder / 'secret')])
        self.assertEqual(r.exit_code, 1)
        self.assertIn('No such file', r.stderr)

    def test_read_only(self):
        (self.folder / 'f').write_text('seen')
        r = mxc.run(f'cat {self.folder}/f; echo x >{self.folder}/g',
                    filesystem=mxc.read_only(self.folder))
        self.assertEqual(r.stdout, 'seen')
        self.assertNotEqual(r.exit_code, 0)
        self.assertFalse((self.folder / 'g').exists())

    def test_read_write_and_deny(self):
        (self.folder / 'f').write_text('secret')
        r = mxc.run('echo x >g; cat f', cwd=self.folder, filesystem=[
            mxc.read_write(self.folder), mxc.deny(self.folder / 'f')])
        self.assertEqual((self.folder / 'g').read_text(), 'x\n')
        self.assertIn('Permission denied', r.stderr)

    def test_relative_paths(self):
        before = os.getcwd()
        os.chdir(self.folder)
        try:
            (self.folder / 'd').mkdir()
            r = mxc.run(['pwd'], filesystem=mxc.read_write('.'), cwd='d')
        finally:
            os.chdir(before)
        self.assertEqual(r.stdout, f'{self.folder}/d\n')

    def test_a_section_as_in_the_contract(self):
        r = mxc.run(['ls', '-d', str(self.folder)],
                    filesystem={'readonlyPaths': [str(self.folder)]})
        self.assertTrue(r.ok, r.stderr)

    def test_place_and_hint(self):
        with self.assertRaisesCode('policy_validation') as raised:
            mxc.run(['true'], filesystem=[mxc.read_only('/usr'),
                                          mxc.read_only('/nope')])
        e = raised.error
        self.assertIsInstance(e, mxc.PolicyValidationError)
        self.assertEqual(e.where, 'filesystem.readonlyPaths[1]')
        self.assertEqual(e.line, 1)
        self.assertGreater(e.column, 1)
        self.assertIn("'/nope' does not exist", e.message)
        self.assertIn('create it', e.hint)
        self.assertIn('at: filesystem.readonlyPaths[1]', str(e))

    def test_unknown_field_of_a_section(self):
        with self.assertRaisesCode('malformed_request') as raised:
            mxc.run(['true'], filesystem={'readonlyPath': ['/usr']})
        self.assertEqual(raised.error.where, 'filesystem.readonlyPath')
        self.assertIn('readonlyPaths', raised.error.hint)

    def test_wrong_types(self):
        for wrong in ('/usr', 5, ['/usr'], [mxc.read_only('/usr'), 5]):
            with self.subTest(wrong), self.assertRaises(TypeError):
                mxc.run(['true'], filesystem=wrong)
        with self.assertRaises(TypeError):
            mxc.read_only(b'/usr')
        with self.assertRaises(ValueError):
            mxc.read_only('')
        with self.assertRaises(ValueError):
            mxc.run(['true'], filesystem=[{'hardLinks': 'refuse'},
                                          {'hardLinks': 'other'}])

    def test_tools(self):
        self.assertTrue(mxc.run(['sh', '-c', ':'], tools=True).ok)


class Settings(Case):
    def test_environment(self):
        os.environ['MXC_TEST_SECRET'] = 'x'
        self.addCleanup(os.environ.pop, 'MXC_TEST_SECRET')
        r = mxc.run(['env'], env={'A': '1', 'B': 'a=b c'})
        found = dict(line.split('=', 1) for line in r.stdout.splitlines())
        self.assertEqual(set(found), {'A', 'B', 'HOME', 'PATH', 'PWD',
                                      'TERM'})
        self.assertEqual((found['A'], found['B'], found['HOME']),
                         ('1', 'a=b c', '/tmp'))

    def test_text_and_words_see_the_same(self):
        self.assertEqual(sorted(mxc.run('env').stdout.split()),
                         sorted(mxc.run(['env']).stdout.split()))

    def test_environment_of_ones_own(self):
        r = mxc.run('echo $HOME $PATH', env={'HOME': '/', 'PATH': '/bin'})
        self.assertEqual(r.stdout, '/ /bin\n')

    def test_environment_is_not_on_the_command_line(self):
        s = mxc.Sandbox(['sleep', '10'], env={'KEY': 'hidden-value'})
        with s:
            with open(f'/proc/{s.pid}/cmdline', 'rb') as f:
                self.assertNotIn(b'hidden-value', f.read())

    def test_wrong_environment(self):
        for wrong in ('A=1', {'A': 1}, {1: 'A'}, ['A=1']):
            with self.subTest(wrong), self.assertRaises(TypeError):
                mxc.run(['env'], env=wrong)
        for wrong in ({'': 'x'}, {'A=B': 'x'}, {'A': '\0'}):
            with self.subTest(wrong), self.assertRaises(ValueError):
                mxc.run(['env'], env=wrong)

    def test_cwd(self):
        self.assertEqual(mxc.run(['pwd'], cwd='/usr').stdout, '/usr\n')

    def test_timeout(self):
        start = time.monotonic()
        r = mxc.run('echo begun; sleep 60', timeout=0.25)
        self.assertLess(time.monotonic() - start, 10)
        self.assertEqual((r.timed_out, r.outcome, r.exit_code, r.ok),
                         (True, 'timed_out', 124, False))
        self.assertEqual((r.stdout, r.stderr), ('begun\n', ''))
        self.assertGreaterEqual(r.duration, 0.25)

    def test_wrong_timeout(self):
        for wrong in ('5', True, [1]):
            with self.subTest(wrong), self.assertRaises(TypeError):
                mxc.run(['true'], timeout=wrong)
        for wrong in (0, -1, float('nan'), float('inf')):
            with self.subTest(wrong), self.assertRaises(ValueError):
                mxc.run(['true'], timeout=wrong)

    def test_limits_are_held_or_refused(self):
        try:
            r = mxc.run(['true'], limits={'fileSizeBytes': 1 << 20})
        except mxc.MxcError as e:
            self.assertEqual(e.code, 'policy_validation')
            self.assertIn('limits', e.message)
        else:
            self.assertTrue(any('limit' in c.clause or 'size' in c.clause
                                for c in r.receipt))

    def test_unknown_limit(self):
        with self.assertRaisesCode('malformed_request') as raised:
            mxc.run(['true'], limits={'memory': 1})
        self.assertEqual(raised.error.where, 'limits.memory')

    def test_backend(self):
        self.assertEqual(mxc.run(['true'], backend='native').backend,
                         'native')
        with self.assertRaisesCode('unsupported_containment') as raised:
            mxc.run(['true'], backend='nonsense')
        self.assertIsInstance(raised.error, mxc.UnsupportedContainmentError)

    def test_guarantees(self):
        r = mxc.run(['true'], guarantees={'tier': 'process'})
        self.assertEqual((r.ok, r.tier), (True, 'process'))
        self.assertTrue(any("tier 'process'" in c.clause for c in r.receipt))
        self.assertEqual(mxc.validate(command=['true']).tier, 'process')
        with self.assertRaisesCode('policy_validation') as raised:
            mxc.run(['true'], backend='native', guarantees={'tier': 'vm'})
        self.assertEqual(raised.error.where, 'guarantees.tier')
        with self.assertRaises(TypeError):
            mxc.run(request={'version': mxc.CONTRACT},
                    guarantees={'tier': 'vm'})

    def test_accept_missing(self):
        self.assertTrue(mxc.run(['true'], accept_missing=['landlock']).ok)
        with self.assertRaises(mxc.MxcError):
            mxc.run(['true'], accept_missing='nonsense')

    def test_check(self):
        with self.assertRaises(mxc.CommandFailedError) as raised:
            mxc.run('echo said; exit 3', check=True)
        self.assertEqual(raised.exception.result.stdout, 'said\n')
        self.assertIn('code 3', str(raised.exception))
        self.assertNotIsInstance(raised.exception, mxc.MxcError)
        with self.assertRaises(mxc.CommandFailedError) as raised:
            mxc.run(['sleep', '9'], timeout=0.1, check=True)
        self.assertIn('timed out', str(raised.exception))
        self.assertTrue(mxc.run(['true'], check=True).check().ok)

    def test_receipt_and_warnings(self):
        r = mxc.run(['true'], timeout=5)
        self.assertIn('enforced', {c.state for c in r.receipt})
        self.assertTrue(any('timeout' in c.clause for c in r.receipt))
        self.assertEqual(r.warnings, [])
        r = mxc.run('echo err >&2', request={
            'version': mxc.CONTRACT, 'telemetry': {'enabled': True}})
        self.assertEqual(len(r.warnings), 1)
        self.assertIn('telemetry', r.warnings[0])
        # What mxc says beside is in the result, not in the command's output.
        self.assertEqual(r.stderr, 'err\n')

    def test_unknown_argument(self):
        with self.assertRaises(TypeError):
            mxc.run(['true'], filesytem={})


class Requests(Case):
    def request(self, **more):
        return {'version': '1.0.0', 'process': {
            'commandLine': 'echo $A', 'env': ['A=raw']}, **more}

    def test_mapping_text_and_bytes(self):
        request = self.request()
        for form in (request, json.dumps(request),
                     json.dumps(request).encode()):
            self.assertEqual(mxc.run(request=form).stdout, 'raw\n')

    def test_with_a_command_of_ones_own(self):
        self.assertEqual(mxc.run(['echo', 'x'],
                                 request=self.request()).stdout, 'x\n')
        self.assertEqual(mxc.run('echo $A; exit 1',
                                 request=self.request()).stdout, 'raw\n')

    def test_the_shorter_timeout_counts(self):
        request = self.request()
        request['process'].update(commandLine='sleep 60', timeout=200)
        self.assertTrue(mxc.run(request=request, timeout=30).timed_out)

    def test_unknown_field(self):
        with self.assertRaisesCode('malformed_request') as raised:
            mxc.run(request=self.request(filsystem={}))
        e = raised.error
        self.assertIsInstance(e, mxc.MalformedRequestError)
        self.assertEqual(e.where, 'filsystem')
        self.assertIn("did you mean 'filesystem'", e.hint)

    def test_wrong_type_inside(self):
        with self.assertRaisesCode('malformed_request') as raised:
            mxc.run(request=self.request(filesystem={'readonlyPaths': '/'}))
        self.assertEqual(raised.error.where, 'filesystem.readonlyPaths')

    def test_not_json(self):
        with self.assertRaisesCode('malformed_request'):
            mxc.run(request='{"version": ')

    def test_large(self):
        request = self.request(_comment='x' * (2 << 20))
        self.assertEqual(mxc.run(request=request).stdout, 'raw\n')

    def test_beside_sections(self):
        for name, value in (('filesystem', {}), ('network', {}),
                            ('env', {}), ('limits', {}), ('proxy', 'x')):
            with self.subTest(name), self.assertRaises(TypeError):
                mxc.run(request=self.request(), **{name: value})
        with self.assertRaises(TypeError):
            mxc.run(request=5)


class Network(Case):
    def test_none(self):
        r = mxc.run(connect('192.0.2.1', 80))
        self.assertIn('unreachable', r.stdout)
        self.assertEqual(r.denials, [])

    def test_denials_with_names_and_rules(self):
        r = mxc.run('getent hosts other.test; getent hosts other.test; '
                    + ' '.join(f"'{w}'" for w in connect('192.0.2.9', 8080)),
                    network=mxc.allow_hosts('example.test:443'))
        names = {d.name: d for d in r.denials if d.what == 'query'}
        d = names['other.test']
        self.assertIsInstance(d, mxc.Denial)
        self.assertEqual((d.reason, d.rule), ('default',
                                              'network.egress.default'))
        self.assertGreaterEqual(d.count, 2)
        self.assertIn('other.test', d.message)
        d = next(d for d in r.denials if d.what == 'connect')
        self.assertEqual((d.address, d.port, d.protocol),
                         ('192.0.2.9', 8080, 'tcp'))
        self.assertEqual(d.hint, '--allow-net 192.0.2.9:8080')

    def test_a_deny_rule_is_named(self):
        r = mxc.run(connect('192.0.2.9', 80), network=[
            mxc.allow_net('192.0.2.0/24'), mxc.deny_net('192.0.2.9:1-100')])
        self.assertEqual(r.denials[0].rule, 'network.egress.deny[0]')
        self.assertEqual(r.denials[0].reason, 'rule')

    def test_host_service(self):
        server = Server()
        self.addCleanup(server.close)
        r = mxc.run(connect('127.0.0.1', server.port),
                    network=mxc.host_service(server.port))
        self.assertEqual(r.stdout, 'hello from the host\n')
        r = mxc.run(connect('127.0.0.1', 81),
                    network=mxc.host_service(server.port, 81))
        self.assertEqual(r.stdout, 'hello from the host\n')

    def test_events_kept(self):
        r = mxc.run(connect('192.0.2.9', 80), events=True,
                    network=mxc.allow_net('192.0.2.1'))
        self.assertEqual([(e['event'], e.get('address')) for e in r.events],
                         [('started', None), ('denied', '192.0.2.9'),
                          ('exited', None)])

    def test_events_heard(self):
        heard = []
        r = mxc.run(connect('192.0.2.9', 80), events=heard.append,
                    network=mxc.allow_net('192.0.2.1'))
        self.assertEqual(heard[1]['reason'], 'default')
        self.assertEqual(r.events, [])

    def test_events_come_while_it_runs(self):
        when = []
        start = time.monotonic()
        mxc.run(' '.join(f"'{w}'" for w in connect('192.0.2.9', 80))
                + '; sleep 1', network=mxc.allow_net('192.0.2.1'),
                events=lambda e: when.append(time.monotonic()))
        self.assertGreater(time.monotonic() - when[0], 0.9)
        self.assertGreater(when[0], start)

    def test_an_exception_of_the_listener_ends_it(self):
        def hear(event):
            raise KeyError('mine')
        start = time.monotonic()
        with self.assertRaises(KeyError):
            mxc.run(' '.join(f"'{w}'" for w in connect('192.0.2.9', 80))
                    + '; sleep 60', network=mxc.allow_net('192.0.2.1'),
                    events=hear)
        self.assertLess(time.monotonic() - start, 20)

    def test_denials_of_files(self):
        with tempfile.NamedTemporaryFile() as f:
            r = mxc.run(['cat', f.name], denials=True)
            d, = [d for d in r.denials if d.resolved == f.name]
        self.assertEqual((d.what, d.operation, d.path, d.hint, d.allowable),
                         ('file', 'read', f.name, f'--ro {f.name}', True))
        self.assertEqual((d.clause, d.process, d.errno, d.secret),
                         (f'filesystem.readonlyPaths += "{f.name}"', 'cat',
                          'ENOENT', False))
        self.assertGreaterEqual(r.denial_count, 1)
        self.assertEqual(mxc.run(['true']).denial_count, 0)

    def test_accesses(self):
        with tempfile.NamedTemporaryFile() as f:
            r = mxc.run(['cat', f.name, f.name],
                        filesystem=mxc.read_only(f.name), accesses=True)
        self.assertEqual(
            [(a.what, a.operation, a.resolved, a.count) for a in r.accesses],
            [('file', 'read', f.name, 2)])
        self.assertEqual(r.accesses_not_listed, 0)
        self.assertEqual(mxc.run(['true']).accesses, [])

    def test_wrong_listener(self):
        with self.assertRaises(TypeError):
            mxc.run(['true'], events='yes')

    def test_published_ports(self):
        r = mxc.run(['true'], network=[mxc.publish(80), mxc.publish(81)])
        self.assertEqual([p.guest for p in r.published], [80, 81])
        self.assertTrue(all(p.host > 0 for p in r.published))

    def test_port_that_is_taken(self):
        with socket.create_server(('127.0.0.1', 0)) as s:
            port = s.getsockname()[1]
            with self.assertRaisesCode('backend_error'):
                mxc.run(['true'], network=mxc.publish(80, port))

    def test_proxy(self):
        r = mxc.run('echo $HTTPS_PROXY', proxy='http://127.0.0.1:9')
        self.assertEqual(r.stdout, 'http://127.0.0.1:9\n')
        r = mxc.run('echo $HTTPS_PROXY', proxy='builtin')
        self.assertIn('127.0.0.1:3128', r.stdout)
        with self.assertRaises(mxc.MxcError):
            mxc.run(['true'], proxy='http://example.com:1')
        with self.assertRaises(TypeError):
            mxc.run(['true'], proxy=80)

    def test_builders(self):
        self.assertEqual(
            mxc.allow_hosts('a.test', '*.b.test:443', 'c.test:1-9'),
            {'egress': {'allow': [
                {'to': [{'host': 'a.test'}]},
                {'to': [{'host': '*.b.test'}], 'ports': [{'port': 443}]},
                {'to': [{'host': 'c.test'}],
                 'ports': [{'port': 1, 'endPort': 9}]}]}})
        self.assertEqual(
            mxc.allow_hosts('w.test', intranet=True),
            {'egress': {'allow': [{'to': [{'host': 'w.test',
                                           'intranet': True}]}]}})
        self.assertEqual(
            mxc.allow_net('internet', 'internet:443', '192.0.2.0/24:80',
                          '2001:db8::/32', '[2001:db8::1]/64:443',
                          '[2001:db8::1]:443'),
            {'egress': {'default': 'allow', 'allow': [
                {'ports': [{'port': 443}]},
                {'to': [{'cidr': '192.0.2.0/24'}], 'ports': [{'port': 80}]},
                {'to': [{'cidr': '2001:db8::/32'}]},
                {'to': [{'cidr': '2001:db8::1/64'}],
                 'ports': [{'port': 443}]},
                {'to': [{'cidr': '2001:db8::1'}],
                 'ports': [{'port': 443}]}]}})
        for wrong in ('a.test:', 'a.test:0', 'a.test:65536', 'a.test:x',
                      'a.test:1-', '[2001:db8::1'):
            with self.subTest(wrong), self.assertRaises(ValueError):
                mxc.allow_hosts(wrong)
        with self.assertRaises(TypeError):
            mxc.allow_hosts(5)
        for part in (mxc.allow_hosts('a.test', '*.b.test:443', 'c.test:1-9'),
                     mxc.allow_net('internet', '2001:db8::/32',
                                   '[2606:4700::]/32:443'),
                     mxc.allow_net('internet:443'),
                     mxc.deny_net('192.0.2.0/24', '192.0.2.1:80')):
            self.assertEqual(mxc.validate(network=part).backend, 'native')

    def test_wrong_name_is_told_by_mxc(self):
        with self.assertRaisesCode('malformed_request') as raised:
            mxc.run(['true'], network=mxc.allow_hosts('not a name'))
        self.assertIn('network.egress.allow[0]', raised.error.where)


class Errors(Case):
    def test_no_executable(self):
        with self.assertRaisesCode('backend_unavailable') as raised:
            mxc.run(['true'], executable=self.folder / 'mxc')
        self.assertIsInstance(raised.error, mxc.MxcNotFoundError)
        self.assertIn('MXC_BIN', raised.error.hint)

    def test_another_program(self):
        with self.assertRaises(mxc.MxcError) as raised:
            mxc.run(['true'], executable='/bin/false')
        self.assertIn('no result', str(raised.exception))

    def test_found_by_variable_and_path(self):
        import os
        here = mxc_path()
        saved = os.environ.pop('MXC_BIN', None), os.environ['PATH']
        try:
            os.environ['PATH'] = os.path.dirname(here)
            self.assertEqual(mxc_path(), here)
            os.environ['PATH'] = '/nowhere'
            with self.assertRaises(mxc.MxcNotFoundError):
                mxc.run(['true'])
            os.environ['MXC_BIN'] = here
            self.assertTrue(mxc.run(['true']).ok)
        finally:
            os.environ['PATH'] = saved[1]
            os.environ.pop('MXC_BIN', None)
            if saved[0] is not None:
                os.environ['MXC_BIN'] = saved[0]

    def test_not_found_in_the_current_directory(self):
        script = ('import os, sys; os.chdir(sys.argv[1])\n'
                  'import mxc_sandbox as mxc\n'
                  'try: print(mxc.run(["echo", "in"]).stdout)\n'
                  'except mxc.MxcNotFoundError: print("none")\n')
        fake = self.folder / 'mxc'
        fake.write_text('#!/bin/sh\necho taken >&2\n')
        fake.chmod(0o755)
        for more in ({}, {'MXC_BIN': 'mxc'}):
            said = subprocess.run(
                [sys.executable, '-c', script, str(self.folder)],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                env={'PATH': ':.:/nowhere', 'PYTHONPATH': str(HERE), **more})
            self.assertNotIn('taken', said.stdout)

    def test_without_standard_streams(self):
        script = ('import os, sys\n'
                  'import mxc_sandbox as mxc\n'
                  'out = os.dup(1)\n'
                  'for fd in range(3): os.close(fd)\n'
                  'r = mxc.run("cat; echo e >&2", input="kill\\n",\n'
                  '            events=True)\n'
                  'os.write(out, repr((r.stdout, r.stderr)).encode())\n')
        said = subprocess.run(
            [sys.executable, '-c', script], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            env={**os.environ, 'PYTHONPATH': str(HERE)})
        self.assertEqual(said.stdout, repr(('kill\n', 'e\n')), said.stderr)

    def test_errors_travel_between_processes(self):
        with self.assertRaisesCode('policy_validation') as raised:
            mxc.run(['true'], filesystem=mxc.read_only('/nope'))
        again = pickle.loads(pickle.dumps(raised.error))
        self.assertEqual((type(again), str(again), again.where),
                         (type(raised.error), str(raised.error),
                          raised.error.where))
        r = mxc.run('exit 1')
        again = pickle.loads(pickle.dumps(mxc.CommandFailedError(r)))
        self.assertEqual(again.result.exit_code, 1)

    def test_killed_from_outside(self):
        self.addCleanup(reap_orphans)
        threading.Timer(0.5, lambda: [
            os.kill(int(p), signal.SIGKILL) for p in _mxc_children()]).start()
        with self.assertRaises(mxc.MxcError) as raised:
            mxc.run(['sleep', '60'])
        self.assertIn('signal 9', str(raised.exception))

    def test_interrupt_kills_and_goes_on(self):
        code = ('import sys; sys.path.insert(0, sys.argv[1])\n'
                'import mxc_sandbox, os\n'
                'try:\n'
                '    mxc_sandbox.run("echo begun >f; sleep 60; echo x >g", '
                'cwd=sys.argv[2], '
                'filesystem=mxc_sandbox.read_write(sys.argv[2]))\n'
                'except KeyboardInterrupt:\n'
                '    print("interrupted", open("/proc/self/task/%d/children"'
                ' % os.getpid()).read())\n')
        from tests.common import HERE, eventually
        p = subprocess.Popen(
            [sys.executable, '-c', code, str(HERE), str(self.folder)],
            stdout=subprocess.PIPE)
        self.assertTrue(eventually((self.folder / 'f').exists))
        p.send_signal(signal.SIGINT)
        out, _ = p.communicate(timeout=20)
        self.assertEqual(out.split(), [b'interrupted'])

    def test_the_sandbox_ends_with_its_caller(self):
        self.addCleanup(reap_orphans)
        code = ('import sys; sys.path.insert(0, sys.argv[1])\n'
                'import mxc_sandbox\n'
                'mxc_sandbox.run("while :; do date >f; sleep .05; done", '
                'cwd=sys.argv[2], '
                'filesystem=mxc_sandbox.read_write(sys.argv[2]))\n')
        from tests.common import HERE, eventually
        p = subprocess.Popen([sys.executable, '-c', code, str(HERE),
                              str(self.folder)])
        f = self.folder / 'f'
        self.assertTrue(eventually(f.exists))
        p.kill()
        p.wait()

        def is_quiet():
            before = f.stat().st_mtime_ns
            time.sleep(0.3)
            return f.stat().st_mtime_ns == before
        self.assertTrue(eventually(is_quiet))


def _mxc_children():
    from tests.common import children
    return children()


class Questions(Case):
    def test_validate(self):
        report = mxc.validate({'version': '1.0.0',
                               'process': {'commandLine': 'x'}})
        self.assertEqual(report.backend, 'native')
        self.assertTrue(report.receipt)
        self.assertEqual(mxc.validate(
            command=['x'], filesystem=mxc.read_only('/usr')).warnings, [])
        with self.assertRaisesCode('policy_validation') as raised:
            mxc.validate(filesystem=mxc.read_only('/nope'))
        self.assertEqual(raised.error.where, 'filesystem.readonlyPaths[0]')
        with self.assertRaisesCode('malformed_request') as raised:
            mxc.validate('{"version": "1.0.0",\n "x": 1}')
        self.assertEqual((raised.error.line, raised.error.where), (2, 'x'))
        with self.assertRaises(TypeError):
            mxc.validate(nonsense=1)

    def test_explain(self):
        text = mxc.explain(command=['ls', '/'], timeout=5,
                           filesystem=mxc.read_only(self.folder))
        self.assertIn(str(self.folder), text)
        self.assertIn('What enforces it', text)
        with self.assertRaisesCode('malformed_request'):
            mxc.explain({'version': '1.0.0', 'x': 1})

    def test_doctor(self):
        found = mxc.doctor()
        self.assertIsInstance(found['ready'], bool)
        self.assertIn('user-namespace', {c['name'] for c in found['checks']})


if __name__ == '__main__':
    unittest.main()
