"""Sandbox: streams, signals, terminals, ends; and its twin for asyncio."""

import asyncio
import gc
import os
import signal
import subprocess
import threading
import time
import unittest
import urllib.request
import warnings

from tests.common import Case, about, children, eventually, mxc

HEAR = '''
import os, signal
def hear(n, frame):
    os.write(1, b'got %s\\n' % signal.Signals(n).name.encode())
for n in (signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGRTMIN):
    signal.signal(n, hear)
os.write(1, b'ready\\n')
while True:
    signal.pause()
'''
SIZE = '''
import os, signal
def say(*_):
    columns, rows = os.get_terminal_size(0)
    os.write(1, b'size %d %d\\n' % (rows, columns))
signal.signal(signal.SIGWINCH, say)
say()
while True:
    signal.pause()
'''
SERVE = ['python3', '-u', '-m', 'http.server', '8000', '--directory',
         '/etc/ssl']


class Streams(Case):
    def test_a_conversation_in_text(self):
        with mxc.Sandbox(['cat'], timeout=30) as s:
            for word in ('one\n', 'grüße\n'):
                s.stdin.write(word)
                self.assertEqual(s.stdout.readline(), word)
            s.stdin.close()
            self.assertEqual(s.stdout.read(), '')
            self.assertTrue(s.wait().ok)

    def test_a_conversation_in_bytes(self):
        with mxc.Sandbox(['cat'], text=False) as s:
            s.stdin.write(b'\xff\0')
            self.assertEqual(s.stdout.read(2), b'\xff\0')

    def test_lines(self):
        with mxc.Sandbox('echo a; echo b; echo c >&2') as s:
            self.assertEqual(list(s.stdout), ['a\n', 'b\n'])
            self.assertEqual(s.stderr.read(), 'c\n')

    def test_communicate(self):
        data = os.urandom(1 << 20) * 20
        with mxc.Sandbox('cat; echo err >&2; exit 4', text=False) as s:
            r = s.communicate(data)
        self.assertEqual((r.exit_code, r.stderr), (4, b'err\n'))
        self.assertTrue(r.stdout == data)

    def test_streams_of_the_callers_choice(self):
        path = self.folder / 'out'
        with open(path, 'wb') as f:
            with mxc.Sandbox('echo x; echo y >&2', stdin=mxc.DEVNULL,
                             stdout=f, stderr=mxc.DEVNULL) as s:
                self.assertIsNone(s.stdin)
                self.assertIsNone(s.stdout)
                self.assertTrue(s.wait().ok)
        self.assertEqual(path.read_text(), 'x\n')

    def test_back_pressure(self):
        with mxc.Sandbox('head -c 1000000 /dev/zero; echo done >&2') as s:
            time.sleep(0.3)
            self.assertIsNone(s.poll())
            self.assertEqual(len(s.stdout.read()), 1000000)
            self.assertEqual(s.stderr.read(), 'done\n')
            self.assertTrue(s.wait().ok)


class Ends(Case):
    def test_wait_and_poll(self):
        with mxc.Sandbox('sleep .2; exit 3') as s:
            self.assertIsNone(s.poll())
            with self.assertRaises(TimeoutError):
                s.wait(0.01)
            r = s.wait()
            self.assertEqual(r.exit_code, 3)
            self.assertIs(s.wait(), r)
            self.assertIs(s.poll(), r)

    def test_timeout(self):
        with mxc.Sandbox('sleep 60', timeout=0.2) as s:
            self.assertTrue(s.wait().timed_out)

    def test_kill(self):
        with mxc.Sandbox('trap "" TERM; echo begun; sleep 60 & sleep 60') as s:
            s.stdout.readline()
            s.kill()
            r = s.wait(20)
            self.assertEqual((r.outcome, r.exit_code, r.signal, r.ok),
                             ('killed', 137, 9, False))
            # It was asked, and so could tell.
            self.assertTrue(r.receipt)
            s.kill()
            s.send_signal(15)

    def test_kill_at_once(self):
        for _ in range(20):
            with mxc.Sandbox('sleep 60') as s:
                s.kill()
                self.assertEqual(s.wait(20).outcome, 'killed')

    def test_kill_while_nobody_reads(self):
        with mxc.Sandbox('yes & yes >&2') as s:
            time.sleep(0.2)
            s.kill()
            self.assertEqual(s.wait(20).outcome, 'killed')

    def test_leaving_the_block_kills(self):
        with mxc.Sandbox('sleep 60'):
            pass
        with self.assertRaises(KeyError):
            with mxc.Sandbox('yes'):
                raise KeyError
        with mxc.Sandbox(['sleep', '60']) as s:
            pass
        self.assertEqual(s.wait().outcome, 'killed')

    def test_signals(self):
        with mxc.Sandbox(['python3', '-c', HEAR]) as s:
            self.assertEqual(s.stdout.readline(), 'ready\n')
            for n in (signal.SIGUSR1, signal.SIGHUP, signal.SIGRTMIN):
                s.send_signal(n)
                self.assertEqual(s.stdout.readline(), f'got {n.name}\n')
            s.terminate()
            self.assertEqual(s.stdout.readline(), 'got SIGTERM\n')
            s.send_signal(signal.SIGKILL)
            r = s.wait(20)
            self.assertEqual((r.outcome, r.signal), ('signaled', 9))

    def test_wrong_signals(self):
        with mxc.Sandbox(['sleep', '60']) as s:
            for wrong in (0, -1, 65):
                with self.subTest(wrong), self.assertRaises(ValueError):
                    s.send_signal(wrong)
            with self.assertRaises(ValueError):
                s.send_signal('TERM')
            self.assertIsNone(s.poll())

    def test_refusals_are_not_silent(self):
        with self.assertRaisesCode('policy_validation'):
            with mxc.Sandbox('true', filesystem=mxc.read_only('/nope')) as s:
                self.assertEqual(s.stdout.read(), '')
                s._process.wait()
        with self.assertRaisesCode('backend_error'):
            with mxc.Sandbox(['no-such-program']) as s:
                s.wait()

    def test_wrong_use(self):
        s = mxc.Sandbox('true')
        for call in (s.wait, s.kill, s.poll, s.communicate, s.terminate):
            with self.subTest(call), self.assertRaises(RuntimeError):
                call()
        with s:
            with self.assertRaises(RuntimeError):
                s.start()
        with self.assertRaises(TypeError):
            mxc.Sandbox(5)
        with self.assertRaises(mxc.MxcNotFoundError):
            mxc.Sandbox('true', executable='/nope/mxc').start()

    def test_several_threads(self):
        ends = []
        with mxc.Sandbox('sleep 60') as s:
            threads = [threading.Thread(
                target=lambda: ends.append(s.wait().outcome))
                for _ in range(8)]
            for t in threads:
                t.start()
            for t in [threading.Thread(target=s.kill) for _ in range(8)]:
                t.start()
            for t in threads:
                t.join(20)
        self.assertEqual(ends, ['killed'] * 8)


class Left(Case):
    """What nobody closes."""

    @staticmethod
    def dropped(**options):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter('always')
            mxc.Sandbox('sleep 60', **options).start()
            gc.collect()
        return [str(w.message) for w in found
                if w.category is ResourceWarning]

    @staticmethod
    def reaped():
        """subprocess reaps what nobody waits for when it starts another."""
        return eventually(lambda: subprocess.run(['true']) and not children())

    def test_it_is_killed(self):
        # Its descriptors and processes are looked for behind each test.
        for options in ({}, {'events': True}, {'events': lambda e: None},
                        {'text': False}, {'pty': True}):
            said = self.dropped(**options)
            self.assertTrue(any('a sandbox was not closed' in s
                                for s in said), (options, said))
        self.assertTrue(self.reaped(), [about(p) for p in children()])

    def test_not_by_a_child_of_fork(self):
        with mxc.Sandbox(['cat']) as s:
            child = os.fork()
            if child == 0:
                try:
                    s.__del__()
                finally:
                    os._exit(0)
            os.waitpid(child, 0)
            time.sleep(0.1)
            self.assertIsNone(s.poll())

    def test_a_stream_is_enough(self):
        self.assertEqual(
            mxc.Sandbox('sleep 0.2; echo x').start().stdout.read(), 'x\n')
        gc.collect()
        self.assertTrue(self.reaped())

    def test_what_was_waited_for(self):
        with warnings.catch_warnings():
            warnings.simplefilter('error')
            s = mxc.Sandbox('true', stdin=mxc.DEVNULL, stdout=mxc.DEVNULL,
                            stderr=mxc.DEVNULL).start()
            self.assertTrue(s.wait().ok)
            del s
            gc.collect()


class Terminals(Case):
    def test_it_is_a_terminal(self):
        with mxc.Sandbox('tty; test -t 0 && test -t 2 && stty size',
                         pty=True) as s:
            self.assertRegex(s.stdout.read(),
                             r'^/dev/pts/\d+\r\n24 80\r\n$')
            self.assertTrue(s.wait().ok)

    def test_size_and_resize(self):
        with mxc.Sandbox(['python3', '-c', SIZE], pty=(31, 97)) as s:
            self.assertEqual(s.stdout.readline(), 'size 31 97\r\n')
            s.resize(5, 200)
            self.assertEqual(s.stdout.readline(), 'size 5 200\r\n')

    def test_typing(self):
        with mxc.Sandbox('read x; echo "<$x>"', pty=True) as s:
            s.stdin.write('abc\n')
            self.assertEqual(s.stdout.read(), 'abc\r\n<abc>\r\n')

    def test_interrupt_key(self):
        with mxc.Sandbox(['sleep', '60'], pty=True) as s:
            time.sleep(0.3)
            s.stdin.write('\x03')
            self.assertEqual(s.wait(20).signal, signal.SIGINT)

    def test_wrong_sizes(self):
        for wrong in ((0, 80), (24, 40000)):
            with self.subTest(wrong), self.assertRaises(ValueError):
                mxc.Sandbox('true', pty=wrong)
        with self.assertRaises(TypeError):
            mxc.Sandbox('true', pty=('24', 80))
        with mxc.Sandbox(['sleep', '60']) as s:
            with self.assertRaises(ValueError):
                s.resize(24, 80)
        with mxc.Sandbox(['sleep', '60'], pty=True) as s:
            with self.assertRaises(ValueError):
                s.resize(0, 80)
            self.assertIsNone(s.poll())


def fetch(port):
    url = f'http://127.0.0.1:{port}/'

    def answers():
        try:
            with urllib.request.urlopen(url, timeout=5) as r:
                return r.status
        except OSError:
            return None
    return answers


class Ports(Case):
    def test_port(self):
        with mxc.Sandbox(SERVE, network=mxc.publish(8000),
                         filesystem=mxc.read_only('/etc/ssl')) as s:
            port = s.port(8000)
            self.assertTrue(eventually(lambda: fetch(port)() == 200, 20))
            self.assertEqual([(p.guest, p.host) for p in s.published],
                             [(8000, port)])
            with self.assertRaises(mxc.MxcError):
                s.port(81, timeout=0.1)

    def test_port_of_what_has_ended(self):
        with mxc.Sandbox('true', network=mxc.publish(8000)) as s:
            with self.assertRaises(mxc.MxcError):
                s.port(81)

    def test_events(self):
        heard = []
        code = 'import socket; socket.create_connection(("192.0.2.9", 80))'
        for events in (True, heard.append):
            with mxc.Sandbox(['python3', '-c', code], events=events,
                             network=mxc.allow_net('192.0.2.1')) as s:
                s.communicate()
            for found in (s.events, s.wait().events) if events is True else (
                    heard,):
                self.assertEqual([e.get('address') for e in found],
                                 [None, '192.0.2.9', None])

    def test_follow(self):
        code = ('import socket\n'
                'try: socket.create_connection(("192.0.2.9", 80))\n'
                'except OSError: pass\n'
                'input()')
        kinds = []
        with mxc.Sandbox(['python3', '-c', code], events=True,
                         correlation_id='job 7',
                         network=mxc.allow_net('192.0.2.1')) as s:
            for event in s.follow():
                kinds.append(event['event'])
                self.assertEqual(event['correlationId'], 'job 7')
                if event['event'] == 'denied':
                    s.stdin.write('go\n')      # it waits: this came meanwhile
            self.assertEqual([e['event'] for e in s.follow()], kinds)
        self.assertEqual(kinds, ['started', 'denied', 'exited'])
        with mxc.Sandbox('true') as s:
            with self.assertRaises(ValueError):
                next(s.follow())


class Listeners(Case):
    """Who hears of events, and fails."""

    @staticmethod
    def fail(event):
        raise KeyError(event['event'])

    def test_wait_raises_it(self):
        with mxc.Sandbox('echo x', events=self.fail) as s:
            self.assertEqual(s.stdout.read(), 'x\n')
            for _ in range(2):
                with self.assertRaisesRegex(KeyError, 'started'):
                    s.wait()

    def test_the_end_of_the_block_raises_it(self):
        with self.assertRaisesRegex(KeyError, 'started'):
            with mxc.Sandbox('echo x', events=self.fail) as s:
                s.stdout.read()
                self.assertTrue(eventually(s._ended))
        with self.assertRaises(ZeroDivisionError):
            with mxc.Sandbox('echo x', events=self.fail) as s:
                s.stdout.read()
                raise ZeroDivisionError

    def test_it_hears_itself(self):
        with mxc.Sandbox(SERVE, network=mxc.publish(8000),
                         events=self.fail) as s:
            self.assertGreater(s.port(8000), 0)
            s.kill()
            with self.assertRaises(KeyError):
                s.wait()

    def test_asyncio(self):
        async def go():
            async with mxc.AsyncSandbox('echo x', events=self.fail) as s:
                self.assertEqual(await s.stdout.read(), b'x\n')
                with self.assertRaisesRegex(KeyError, 'started'):
                    await s.wait()
            with self.assertRaisesRegex(KeyError, 'started'):
                async with mxc.AsyncSandbox('echo x', events=self.fail) as s:
                    await s.stdout.read()
        self.asyncio(go())


class Async(Case):
    def test_run_async(self):
        async def main():
            r = await mxc.run_async(
                'cat; echo $A; echo err >&2; exit 3', input='in',
                env={'A': 'a'}, timeout=30)
            self.assertEqual((r.stdout, r.stderr, r.exit_code),
                             ('ina\n', 'err\n', 3))
            r = await mxc.run_async(['cat'], input=b'\xff', text=False)
            self.assertEqual(r.stdout, b'\xff')
            r = await mxc.run_async('sleep 60', timeout=0.2)
            self.assertTrue(r.timed_out)
            with self.assertRaises(mxc.CommandFailedError):
                await mxc.run_async('exit 1', check=True)
            with self.assertRaisesCode('policy_validation') as raised:
                await mxc.run_async(['true'],
                                    filesystem=mxc.read_only('/nope'))
            self.assertEqual(raised.error.where,
                             'filesystem.readonlyPaths[0]')
            with self.assertRaises(mxc.MxcNotFoundError):
                await mxc.run_async(['true'], executable='/nope')
            await mxc.run_async('true', capture=False)
        self.asyncio(main())

    def test_fifty_megabytes(self):
        data = os.urandom(1 << 20) * 50
        r = self.asyncio(mxc.run_async(['cat'], input=data, text=False))
        self.assertTrue(r.stdout == data)

    def test_events(self):
        heard = []
        code = 'import socket; socket.create_connection(("192.0.2.9", 80))'
        self.asyncio(mxc.run_async(
            ['python3', '-c', code], events=heard.append,
            network=mxc.allow_net('192.0.2.1')))
        self.assertEqual([e.get('address') for e in heard],
                         [None, '192.0.2.9', None])

    def test_follow(self):
        async def main():
            kinds = []
            async with mxc.AsyncSandbox(['cat'], events=True) as s:
                async for event in s.follow():
                    kinds.append(event['event'])
                    if event['event'] == 'started':
                        s.stdin.close()
            return kinds
        self.assertEqual(self.asyncio(main()), ['started', 'exited'])

    def test_an_exception_of_the_listener_ends_it(self):
        def hear(event):
            raise KeyError('mine')
        code = ('import socket, time\n'
                'try: socket.create_connection(("192.0.2.9", 80))\n'
                'except OSError: time.sleep(60)')
        with self.assertRaises(KeyError):
            self.asyncio(mxc.run_async(['python3', '-c', code], events=hear,
                                       network=mxc.allow_net('192.0.2.1')))

    def test_cancelled(self):
        async def main():
            for command in ('sleep 60', 'yes', 'yes >&2 & sleep 60'):
                task = asyncio.ensure_future(mxc.run_async(command))
                await asyncio.sleep(0.3)
                task.cancel()
                start = time.monotonic()
                with self.assertRaises(asyncio.CancelledError):
                    await task
                self.assertLess(time.monotonic() - start, 10)
                self.assertEqual(children(), [])
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(mxc.run_async('sleep 60'), 0.2)
        self.asyncio(main())

    def test_cancelled_at_any_time(self):
        async def main():
            for n in range(30):
                task = asyncio.ensure_future(mxc.run_async('sleep 60'))
                await asyncio.sleep(n / 3000)
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
        self.asyncio(main())

    def test_streams(self):
        async def main():
            async with mxc.AsyncSandbox(['cat']) as s:
                s.stdin.write(b'one\n')
                self.assertEqual(await s.stdout.readline(), b'one\n')
                s.stdin.close()
                r = await s.wait()
                self.assertTrue(r.ok)
                self.assertIs(await s.wait(), r)
            async with mxc.AsyncSandbox('cat; echo e >&2') as s:
                r = await s.communicate('in')
                self.assertEqual((r.stdout, r.stderr), ('in', 'e\n'))
        self.asyncio(main())

    def test_ends(self):
        async def main():
            async with mxc.AsyncSandbox('yes') as s:
                s.kill()
                self.assertEqual((await s.wait()).outcome, 'killed')
            async with mxc.AsyncSandbox('yes') as s:
                pass
            self.assertEqual((await s.wait()).outcome, 'killed')
            async with mxc.AsyncSandbox(['python3', '-c', HEAR]) as s:
                await s.stdout.readline()
                s.send_signal(signal.SIGUSR1)
                self.assertEqual(await s.stdout.readline(),
                                 b'got SIGUSR1\n')
            with self.assertRaisesCode('policy_validation'):
                async with mxc.AsyncSandbox(
                        'true', filesystem=mxc.read_only('/nope')) as s:
                    await s.wait()
        self.asyncio(main())

    def test_terminal(self):
        async def main():
            async with mxc.AsyncSandbox(['python3', '-c', SIZE],
                                        pty=(31, 97)) as s:
                self.assertEqual(await s.stdout.readline(),
                                 b'size 31 97\r\n')
                s.resize(5, 200)
                self.assertEqual(await s.stdout.readline(),
                                 b'size 5 200\r\n')
        self.asyncio(main())

    def test_port(self):
        async def main():
            async with mxc.AsyncSandbox(
                    SERVE, network=mxc.publish(8000),
                    filesystem=mxc.read_only('/etc/ssl')) as s:
                port = await s.port(8000)
                self.assertGreater(port, 0)
                for _ in range(400):
                    if await asyncio.to_thread(fetch(port)):
                        return
                    await asyncio.sleep(0.05)
                s.kill()
                self.fail(f'no answer: {await s.communicate()}')
        self.asyncio(main())


if __name__ == '__main__':
    unittest.main()
