#!/usr/bin/env python3
"""test_node - the SDK for node: built, then its own tests by node's runner.

tap: quiet
tap: seconds=1200

A name given as argument chooses a file of sdk/node/test.  An ordinary user's
pass has no compiler and takes what the other one, or tools/build-sdk-node,
has built.
"""

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import MXC, TOP, descendants  # noqa: E402

SDK = TOP / 'build/sdk/node'
OLDEST = 20
SECONDS = 500
LINE = re.compile(r'(ok|not ok) \d+ - (.*)')


def why_not():
    """What is missing, or None."""
    if not shutil.which('node'):
        return "no program 'node'"
    said = subprocess.run(['node', '--version'], stdout=subprocess.PIPE,
                          text=True).stdout
    if int(re.match(r'v(\d+)', said).group(1)) < OLDEST:
        return f'node is {said.strip()}, and {OLDEST} is the oldest that does'
    tool = TOP / 'tools/build-sdk-node'
    if not tool.exists():
        return None if (SDK / 'dist').exists() else 'not built'
    r = subprocess.run([tool], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    if r.returncode == 0:
        return None
    if 'cannot fetch' in r.stdout or "no program 'npm'" in r.stdout:
        return r.stdout.strip()
    return Exception(r.stdout)


def left_behind():
    end = time.monotonic() + 5
    while left := descendants():
        if time.monotonic() > end:
            return left
        while True:
            try:
                if not os.waitpid(-1, os.WNOHANG)[0]:
                    break
            except ChildProcessError:
                break
        time.sleep(0.02)
    return None


class Report:
    """Lines of TAP, numbered anew."""

    def __init__(self):
        self.n = 0
        self.failed = False

    def line(self, good, name, why=''):
        self.n += 1
        self.failed |= not good
        for text in why.splitlines():
            print(f'# {text}')
        print(f'{"ok" if good else "not ok"} {self.n} - {name}', flush=True)

    def file(self, path, home):
        env = {**os.environ, 'MXC_BIN': str(MXC), 'HOME': home,
               'NO_COLOR': '1'}
        name, late = path.name.split('.')[0], False
        p = subprocess.Popen(
            ['node', '--test', '--test-reporter=tap', path], cwd=home,
            env=env, text=True, errors='replace', stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            out, _ = p.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            late = True
            p.terminate()
            out, _ = p.communicate()
        self.convert(name, out)
        if late:
            self.line(False, f'{name}: no end after {SECONDS} s')
        elif p.returncode and '\nnot ok ' not in out:
            self.line(False, f'{name}: status {p.returncode}', out)
        left = left_behind()
        self.line(not left, f'{name}: nothing is left behind', str(left or ''))

    def convert(self, name, out):
        """A test's diagnostics follow its line and are indented."""
        at, seen = None, []
        for text in [*out.splitlines(), '1..0']:
            m = LINE.match(text)
            if at and (m or not text.startswith(' ')):
                self.line(at.group(1) == 'ok', f'{name}: {at.group(2)}',
                          '' if at.group(1) == 'ok' else '\n'.join(seen))
                at, seen = None, []
            if m:
                at = m
            else:
                seen.append(text)


def untyped():
    """Members of events that the package has no type for."""
    types = (SDK / 'dist/types.d.ts').read_text()
    schema = json.loads((TOP / 'schemas/mxc-event.schema.json').read_text())
    return sorted({name for kind in schema['$defs'].values()
                   for name in kind['properties']
                   if not re.search(rf'^    {name}\??:', types, re.M)})


def main():
    words = sys.argv[1:]
    ctypes.CDLL(None).prctl(36, 1)   # PR_SET_CHILD_SUBREAPER
    why = why_not()
    if why:
        if isinstance(why, str):
            print(f'1..1\nok 1 - the SDK for node # SKIP {why}')
            return 0
        print(*(f'# {t}' for t in str(why).splitlines()), sep='\n')
        print('1..1\nnot ok 1 - the SDK for node can be built')
        return 1
    print('TAP version 13')
    report = Report()
    report.line(True, 'the SDK for node is built, and its types hold')
    if (TOP / 'schemas').is_dir():
        report.line(not untyped(), 'each member of an event has a type',
                    ', '.join(untyped()))
    for path in sorted((SDK / 'test').glob('*.test.mjs')):
        if words and not any(w in path.name for w in words):
            continue
        with tempfile.TemporaryDirectory(prefix='mxc-node-') as home:
            report.file(path, home)
    print(f'1..{report.n}')
    return 1 if report.failed else 0


if __name__ == '__main__':
    sys.exit(main())
