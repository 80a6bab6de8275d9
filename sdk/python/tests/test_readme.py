"""The examples of README.md, run as they are printed."""

import os
import re
import subprocess
import sys
import unittest

from tests.common import HERE, Case, reap_orphans

EXAMPLES = re.findall(r'^## (.*?)$|^```python\n(.*?)^```$',
                      (HERE / 'README.md').read_text(), re.M | re.S)
# What the examples say that they print.
SAYS = ['42', 'Permission denied', 'example.org', 'no/such/folder',
        'exited with code 3', 'hello', '50 132', '200', "b'hello",
        'killed, with everything', 'native', 'What enforces it',
        'the session says 42', 'still here', "['started']"]


class Readme(Case):
    def test_examples(self):
        title, said, count = 'first', '', 0
        runtime = self.folder / 'runtime'
        runtime.mkdir(0o700)
        env = {**os.environ, 'PYTHONPATH': str(HERE),
               'XDG_RUNTIME_DIR': str(runtime)}
        for heading, code in EXAMPLES:
            title = heading or title
            if not code:
                continue
            with self.subTest(title):
                p = subprocess.run(
                    [sys.executable, '-W', 'error', '-c', code], env=env,
                    cwd=self.folder, stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                    timeout=120)
                said += p.stdout.decode()
                count += 1
                self.assertEqual(p.returncode, 0, p.stdout.decode())
        # A session's holder has no parent but this process.
        reap_orphans()
        self.assertGreaterEqual(count, 9)
        for piece in SAYS:
            self.assertIn(piece, said)


if __name__ == '__main__':
    unittest.main()
