"""Many runs: at a time, and one after the other without growth."""

import asyncio
import concurrent.futures
import gc
import threading
import unittest

from tests.common import Case, children, descriptors, mxc, resident_kb

AT_ONCE = 200
RUNS = 300


class AtOnce(Case):
    def test_threads(self):
        barrier = threading.Barrier(AT_ONCE)

        def one(n):
            barrier.wait(30)
            return mxc.run(['cat'], input=f'number {n}').stdout
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            said = list(pool.map(one, range(AT_ONCE)))
        self.assertEqual(said, [f'number {n}' for n in range(AT_ONCE)])

    def test_tasks(self):
        async def main():
            return await asyncio.gather(*(
                mxc.run_async(['cat'], input=f'number {n}')
                for n in range(AT_ONCE)))
        said = [r.stdout for r in self.asyncio(main())]
        self.assertEqual(said, [f'number {n}' for n in range(AT_ONCE)])


class InARow(Case):
    def grows_not(self, one):
        for _ in range(30):
            one()
        gc.collect()
        before = descriptors(), resident_kb()
        for _ in range(RUNS):
            one()
        gc.collect()
        self.assertEqual(descriptors(), before[0])
        self.assertLess(resident_kb() - before[1], 2048)
        self.assertEqual(children(), [])

    def test_run(self):
        self.grows_not(lambda: mxc.run('echo x; echo y >&2', input='z',
                                       timeout=20, events=True))

    def test_refused(self):
        def one():
            try:
                mxc.run(['true'], filesystem=mxc.read_only('/nope'))
            except mxc.PolicyValidationError:
                return
            self.fail('not refused')
        self.grows_not(one)

    def test_sandbox(self):
        def one():
            with mxc.Sandbox('cat') as s:
                s.stdin.write('x')
        self.grows_not(one)

    def test_run_async(self):
        async def main():
            async def one():
                await mxc.run_async('echo x', input='z', events=True)
            for _ in range(30):
                await one()
            gc.collect()
            before = descriptors(), resident_kb()
            for _ in range(RUNS):
                await one()
            gc.collect()
            return before
        before = None

        async def watched():
            nonlocal before
            before = await main()
            return descriptors(), resident_kb()
        after = self.asyncio(watched())
        self.assertLessEqual(after[0], before[0])
        self.assertLess(after[1] - before[1], 2048)


if __name__ == '__main__':
    unittest.main()
