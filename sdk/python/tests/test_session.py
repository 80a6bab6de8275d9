"""Session and AsyncSession: one sandbox for many commands."""

import asyncio
import os
import signal
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from tests.common import Case, eventually, mxc, mxc_path, reap_orphans

FOREIGN = 'native:' + '0' * 32


class SessionCase(Case):
    def setUp(self):
        super().setUp()
        self.addCleanup(reap_orphans)   # holders, where they come to us
        # Where sessions are kept, for this test alone.
        self.root = self.folder / 'run'
        self.root.mkdir(0o700)
        before = os.environ.get('XDG_RUNTIME_DIR')
        os.environ['XDG_RUNTIME_DIR'] = str(self.root)

        def back():
            if before is None:
                del os.environ['XDG_RUNTIME_DIR']
            else:
                os.environ['XDG_RUNTIME_DIR'] = before
        self.addCleanup(back)

    def left(self):
        return mxc.sessions()


class Life(SessionCase):
    def test_a_life(self):
        work = self.folder / 'w'
        work.mkdir()
        s = mxc.Session.provision(filesystem=mxc.read_write(work),
                                  idle_timeout=60, max_age=3600.5)
        self.assertRegex(s.id, '^native:[0-9a-f]{32}$')
        self.assertEqual((s.state, s.warnings), ('provisioned', []))
        with self.assertRaisesCode('not_started'):
            s.run('true')
        with self.assertRaises(mxc.AlreadyStoppedError):
            s.stop()
        self.assertIs(s.start(), s)
        with self.assertRaises(mxc.AlreadyStartedError):
            s.start()
        r = s.run('echo out; echo err >&2; echo made >x; exit 3', cwd=work)
        self.assertEqual((r.exit_code, r.stdout, r.stderr, r.outcome),
                         (3, 'out\n', 'err\n', 'exited'))
        self.assertEqual((work / 'x').read_text(), 'made\n')
        found, = mxc.sessions()
        self.assertEqual((found.id, found.state), (s.id, 'started'))
        self.assertGreater(found.created, 1e9)
        seen = s.inspect()
        self.assertEqual((seen['idleTimeoutMs'], seen['maxAgeMs']),
                         (60000, 3600500))
        s.pause()
        self.assertEqual(s.state, 'paused')
        with self.assertRaisesCode('backend_error') as e:
            s.run('true')
        self.assertIn('paused', str(e.error))
        s.resume()
        self.assertIn('started, process', s.logs())
        s.stop(grace=0)
        self.assertEqual(s.state, 'provisioned')
        other = mxc.Session(s.id).start()
        self.assertEqual(other.run(['cat', work / 'x']).stdout, 'made\n')
        s.deprovision()
        for do in (s.start, s.stop, s.deprovision, s.inspect, s.logs,
                   s.pause, lambda: s.run('true')):
            with self.assertRaises(mxc.StaleIdError):
                do()
        self.assertEqual(self.left(), [])

    def test_a_block_that_removes_it_itself(self):
        with mxc.Session.provision() as s:
            s.deprovision(0)
        with self.assertRaises(ZeroDivisionError):
            with mxc.Session.provision() as s:
                s.deprovision(0)
                raise ZeroDivisionError
        with self.assertRaises(mxc.StaleIdError):
            with s:
                pass

        async def go():
            async with await mxc.AsyncSession.provision() as a:
                await a.deprovision(0)
        self.asyncio(go())

    def test_a_layer(self):
        s = mxc.Session.provision(layer='private')
        try:
            s.start().run('echo kept > ~/file', check=True)
            s.stop(0)
            self.assertEqual(s.start().run('cat ~/file').stdout, 'kept\n')
        finally:
            s.deprovision(0)
        with self.assertRaisesCode('malformed_request'):
            mxc.Session.provision(layer='some')
        with self.assertRaises(TypeError):
            mxc.Session.provision(layer=1)

    def test_the_block_starts_and_deprovisions(self):
        with mxc.Session.provision() as s:
            self.assertEqual(s.state, 'started')
            with self.assertRaises(mxc.CommandFailedError):
                s.run('exit 3', check=True)
        self.assertEqual(self.left(), [])
        with self.assertRaises(KeyError):
            with mxc.Session.provision() as s:
                raise KeyError
        self.assertEqual(self.left(), [])

    def test_what_is_refused(self):
        with self.assertRaisesCode('policy_validation') as e:
            mxc.Session.provision(filesystem=mxc.read_only('/nope'))
        self.assertEqual(e.error.where, 'filesystem.readonlyPaths[0]')
        with self.assertRaisesCode('unsupported_phase'):
            mxc.Session.provision(backend='gvisor')
        with self.assertRaisesCode('malformed_request'):
            mxc.Session.provision(request={
                'version': '1.0.0', 'process': {'commandLine': 'true'}})
        for bad in ('', '-x', 'a\0b'):
            with self.assertRaises(ValueError):
                mxc.Session(bad)
        for bad, code in (('abc', 'malformed_id'), ('native:x', 'malformed_id'),
                          ('gvisor:0', 'unsupported_containment'),
                          (FOREIGN, 'stale_id')):
            with self.assertRaisesCode(code):
                mxc.Session(bad).start()
        with self.assertRaises(ValueError):
            mxc.Session.provision(idle_timeout=0)
        with self.assertRaises(TypeError):
            mxc.Session.provision(max_age='1h')
        self.assertEqual(self.left(), [])

    def test_what_is_for_a_single_run(self):
        for name, value in (('denials', True), ('accesses', True),
                            ('verify', True), ('correlation_id', 'word'),
                            ('no_such_option', 1)):
            option = {name: value}
            with self.subTest(name):
                with self.assertRaisesRegex(TypeError, name):
                    mxc.Session.provision(**option)
                with self.assertRaisesRegex(TypeError, name):
                    asyncio.run(mxc.AsyncSession.provision(**option))
        self.assertEqual(self.left(), [])
        with mxc.Session.provision() as s:
            later = mxc.AsyncSession(s.id)
            for name in ('denials', 'accesses', 'verify', 'correlation_id'):
                with self.subTest(name):
                    with self.assertRaisesRegex(TypeError, name):
                        s.run('true', **{name: True})
                    with self.assertRaisesRegex(TypeError, name):
                        s.sandbox('true', **{name: True})
                    with self.assertRaisesRegex(TypeError, name):
                        asyncio.run(later.run('true', **{name: True}))
                    with self.assertRaisesRegex(TypeError, name):
                        later.sandbox('true', **{name: True})
            self.assertEqual(s.run('exit 3').exit_code, 3)

    def test_what_is_no_argument_is_said_of_what_was_called(self):
        s, later = mxc.Session('native:0'), mxc.AsyncSession('native:0')
        for name, call in (
                ('sandbox', lambda: s.sandbox('true', events=print)),
                ('sandbox', lambda: later.sandbox('true', events=print)),
                ('run', lambda: s.run('true', events=print)),
                ('run', lambda: asyncio.run(later.run('true', events=print))),
                ('provision', lambda: mxc.Session.provision(events=print)),
                ('provision', lambda: asyncio.run(
                    mxc.AsyncSession.provision(events=print))),
                ('validate', lambda: mxc.validate(events=print)),
                ('explain', lambda: mxc.explain(events=print))):
            with self.subTest(name):
                # Its class stands before it from Python 3.10 on.
                with self.assertRaisesRegex(
                        TypeError, rf"^(Async)?(Session\.)?{name}\(\) got an "
                        "unexpected keyword argument 'events'$"):
                    call()

    def test_a_request(self):
        request = {'version': mxc.CONTRACT, 'phase': 'provision',
                   'containment': 'native', 'telemetry': {'enabled': True}}
        with mxc.Session.provision(request=request) as s:
            self.assertIn('telemetry', s.warnings[0])
            self.assertEqual(s.run('echo x').stdout, 'x\n')

    def test_a_holder_that_was_killed(self):
        with mxc.Session.provision() as s:
            os.kill(s.inspect()['pid'], signal.SIGKILL)
            self.assertTrue(eventually(lambda: s.state == 'stale'))
            with self.assertRaises(mxc.StaleIdError):
                s.run('true')


class Commands(SessionCase):
    def setUp(self):
        super().setUp()
        self.work = self.folder / 'w'
        self.work.mkdir()
        self.s = mxc.Session.provision(filesystem=mxc.read_write(self.work))
        self.addCleanup(self.s.deprovision, 0)
        self.s.start()

    def test_words_and_variables(self):
        r = self.s.run(['sh', '-c', 'echo "$0 $A $HOME"', 'a b'],
                       env={'A': '1'})
        self.assertEqual(r.stdout, 'a b 1 /home/user\n')
        r = self.s.run(['/usr/bin/env'], env={'A': '1'}, clear_env=True)
        self.assertEqual(sorted(r.stdout.split()), ['A=1', 'PWD=/home/user'])
        self.assertEqual(self.s.run('cat', input='fed').stdout, 'fed')
        self.assertEqual(self.s.run('cat', input=b'\xff', text=False).stdout,
                         b'\xff')
        r = self.s.run('echo 123456', max_output=3)
        self.assertEqual((r.stdout, r.stdout_lost), ('12\n', 4))
        with self.assertRaisesCode('backend_error') as e:
            self.s.run(['/nope'])
        self.assertIsInstance(e.error, mxc.CommandNotRunError)
        self.assertEqual(e.error.exit_code, 127)
        with self.assertRaises(ValueError):
            self.s.run('')

    def test_secrets_are_on_no_command_line(self):
        with self.s.sandbox('echo up; cat', env={'TOKEN': 'sesame'}) as p:
            p.stdout.readline()
            with open(f'/proc/{p.pid}/cmdline') as f:
                self.assertNotIn('sesame', f.read())

    def test_less(self):
        r = self.s.run('ulimit -n', limits={'files': 17})
        self.assertEqual(r.stdout, '17\n')
        python = 'python3 -c "import socket; socket.socket()"'
        self.assertEqual(self.s.run(python).exit_code, 0)
        self.assertEqual(self.s.run(python, network=False).exit_code, 1)
        r = self.s.run('sleep 60', timeout=0.2)
        self.assertEqual((r.outcome, r.exit_code), ('timed_out', 124))
        r = self.s.run(['touch', self.work / 'x'],
                       filesystem=mxc.read_only(self.work))
        self.assertNotEqual(r.exit_code, 0)
        self.assertFalse((self.work / 'x').exists())
        with self.assertRaisesCode('policy_validation'):
            self.s.run('true', filesystem=mxc.read_write('/usr/lib'))

    def test_streams_and_orders(self):
        with self.s.sandbox('read x; echo "<$x>"; exec cat') as p:
            p.stdin.write('hello\n')
            self.assertEqual(p.stdout.readline(), '<hello>\n')
            p.stdin.close()
            self.assertEqual(p.wait().exit_code, 0)
        with self.s.sandbox("trap 'exit 9' TERM; echo up; "
                            'while :; do sleep 0.01; done') as p:
            p.stdout.readline()
            p.terminate()
            self.assertEqual(p.wait(20).exit_code, 9)
        with self.s.sandbox('echo up; sleep 60') as p:
            p.stdout.readline()
            p.kill()
            self.assertEqual(p.wait(20).outcome, 'killed')
        with self.s.sandbox('stty size; read x; stty size',
                            pty=(33, 111)) as p:
            self.assertEqual(p.stdout.readline().strip(), '33 111')
            p.resize(20, 60)
            p.stdin.write('x\n')
            self.assertIn('20 60', p.stdout.read())
        with self.s.sandbox('sleep 60'):
            pass
        self.assertTrue(eventually(
            lambda: not self.s.inspect()['commands']))

    def test_what_goes_on_holds_nothing_up(self):
        r = self.s.run('sleep 60 & yes & head -c 100000 /dev/zero; exit 4',
                       text=False)
        self.assertEqual(r.exit_code, 4)
        self.assertGreaterEqual(r.stdout.count(b'\0'), 100000)
        self.assertIn('sleep', [p['name'] for p in self.s.processes()])

    def test_side_by_side(self):
        wrong = []

        def some(i):
            for n in range(3):
                r = self.s.run(f'echo {i}.{n}; exit {i}')
                if (r.stdout, r.exit_code) != (f'{i}.{n}\n', i):
                    wrong.append(r)
        threads = [threading.Thread(target=some, args=(i,)) for i in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(wrong, [])


class Async(SessionCase):
    def test_a_life(self):
        async def main():
            async with await mxc.AsyncSession.provision(
                    idle_timeout=60) as s:
                seen = await s.inspect()
                self.assertEqual(seen['state'], 'started')
                some = await asyncio.gather(*(
                    s.run(f'echo {n}', env={'N': str(n)}) for n in range(4)))
                self.assertEqual([r.stdout for r in some],
                                 [f'{n}\n' for n in range(4)])
                async with s.sandbox('cat; exit 2') as p:
                    p.stdin.write(b'fed')
                    p.stdin.close()
                    self.assertEqual(await p.stdout.read(), b'fed')
                    self.assertEqual((await p.wait()).exit_code, 2)
                r = await s.run('sleep 60 & echo said; exit 4')
                self.assertEqual((r.stdout, r.exit_code), ('said\n', 4))
                with self.assertRaises(asyncio.TimeoutError):
                    await asyncio.wait_for(s.run('sleep 60'), 0.3)
                await s.pause()
                await s.resume()
                self.assertIn('started', await s.logs())
                await s.stop(grace=0)
                with self.assertRaises(mxc.NotStartedError):
                    await s.run('true')
                self.assertIs(await s.start(), s)
            with self.assertRaises(mxc.StaleIdError):
                await s.inspect()
        self.asyncio(main())
        self.assertEqual(self.left(), [])

    def test_what_was_written_before_the_end_has_come(self):
        async def main():
            async with await mxc.AsyncSession.provision() as s:
                for _ in range(100):
                    some = await asyncio.gather(*(
                        s.run(f'echo {n}') for n in range(4)))
                    self.assertEqual([r.stdout for r in some],
                                     [f'{n}\n' for n in range(4)])
                # All of a full pipe, though what holds it goes on.
                r = await s.run('sleep 60 & head -c 60000 /dev/zero')
                self.assertEqual(len(r.stdout), 60000)
        self.asyncio(main())
        self.assertEqual(self.left(), [])

    def test_input_that_nobody_reads(self):
        async def main():
            async with await mxc.AsyncSession.provision() as s:
                r = await s.run('exec 3<&0; sleep 60 <&3 & echo x',
                                input=b'y' * 10_000_000)
                self.assertEqual((r.stdout, r.exit_code), ('x\n', 0))
        self.asyncio(main())
        self.assertEqual(self.left(), [])

    def test_a_cancelled_provision_leaves_nothing(self):
        async def main():
            cancelled = 0
            for ms in range(0, 20, 2):
                task = asyncio.ensure_future(mxc.AsyncSession.provision())
                await asyncio.sleep(ms / 1000)
                task.cancel()
                try:
                    await (await task).deprovision(0)
                except asyncio.CancelledError:
                    cancelled += 1
            self.assertGreater(cancelled, 0)
        self.asyncio(main())
        self.assertEqual(self.left(), [])

    def slow(self):
        """An mxc that takes its time before it does anything."""
        path = self.folder / 'slow'
        path.write_text(f'#!/bin/sh\nsleep 0.5\nexec {mxc_path()} "$@"\n')
        path.chmod(0o755)
        return path

    def test_a_provision_that_is_cancelled_again_and_again(self):
        async def main():
            for times in (2, 3):
                task = asyncio.ensure_future(
                    mxc.AsyncSession.provision(executable=self.slow()))
                for _ in range(times):
                    await asyncio.sleep(0.05)
                    task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
                self.assertEqual(self.left(), [])
            # At the loop's end, which cancels everything.
            asyncio.ensure_future(
                mxc.AsyncSession.provision(executable=self.slow()))
            await asyncio.sleep(0.05)

        async def while_it_is_undone():
            task = asyncio.ensure_future(
                mxc.AsyncSession.provision(executable=self.slow()))
            for seconds in (0.2, 0.6):
                await asyncio.sleep(seconds)
                task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            self.assertEqual(self.left(), [])
        for case in (main, while_it_is_undone):
            self.asyncio(case())
            self.assertEqual(self.left(), [])

    def test_a_deprovision_that_is_cancelled_goes_on(self):
        async def main():
            loop = asyncio.get_running_loop()
            s = await mxc.AsyncSession.provision()
            loop.set_default_executor(ThreadPoolExecutor(1))
            busy = loop.run_in_executor(None, time.sleep, 0.3)
            task = asyncio.ensure_future(s.deprovision())
            await asyncio.sleep(0.05)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            await busy
        self.asyncio(main())    # whose end waits for the threads
        self.assertEqual(self.left(), [])


if __name__ == '__main__':
    unittest.main()
