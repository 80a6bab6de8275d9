#!/usr/bin/env python3
# tap: seconds=900
"""The Python package's own tests, each as a case of ours; and its shape."""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'lib'))
from tap import *  # noqa: E402

SDK = TOP / 'sdk/python'
sys.path.insert(0, str(SDK))
sys.dont_write_bytecode = True
os.environ['MXC'] = str(MXC)
# Where 'PYTHON' is not the interpreter that runs this, the examples' is.
SECONDS = 240


def found(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from found(item)
        else:
            yield item


def one(item):
    result = unittest.TestResult()
    item.run(result)
    for _, reason in result.skipped:
        skip(reason)
    for _, trace in [*result.errors, *result.failures]:
        print(trace)
    check(result.wasSuccessful(), f'{item.id()} failed')


for item in found(unittest.defaultTestLoader.discover(
        str(SDK / 'tests'), top_level_dir=str(SDK))):
    def run_item(item=item):
        one(item)
    run_item.__name__ = item.id().replace('tests.test_', '')
    test(run_item, seconds=SECONDS)


@test
def types_are_those_of_the_contract():
    if not (TOP / 'tools').is_dir():
        skip('no sources here')
    run([sys.executable, TOP / 'tools/gen-python-types', '--check',
         MXC]).ok()


@test
def refusals_have_all_that_mxc_tells():
    if not (TOP / 'schemas').is_dir():
        skip('no sources here')
    import mxc_sandbox
    kinds = json.loads((TOP / 'schemas/mxc-event.schema.json').read_text()
                       )['$defs']
    for kind, made in (('denied', mxc_sandbox.Denial),
                       ('access', mxc_sandbox.Access)):
        told = {re.sub('[A-Z]', lambda m: '_' + m.group().lower(), name)
                for name in kinds[kind]['properties']}
        told -= {'event', 'seq', 'time_ms', 'monotonic_us', 'correlation_id'}
        eq(sorted(told - {f.name for f in dataclasses.fields(made)}), [])


@test
def compiles_with_every_python_here():
    shutil.copytree(SDK / 'mxc_sandbox', 'mxc_sandbox')
    for name in ['python3', *(f'python3.{n}' for n in range(9, 20))]:
        if shutil.which(name):
            r = run([name, '-c', 'import sys; print(sys.version_info >= (3, '
                     '9))'])
            if r.status == 0 and r.out.strip() == 'True':
                run([name, '-m', 'compileall', '-q', '-f',
                     'mxc_sandbox']).ok()


@test
def an_installed_tree_is_enough():
    """bin/mxc is found from share/mxc/python and from lib/python3."""
    tree = pathlib.Path(MXC).resolve().parents[1]
    shutil.copytree(tree, 'tree', symlinks=True)
    code = ('import mxc_sandbox as m; print(m.run(["echo", "x"]).stdout, '
            'm.__file__)')
    env = {k: v for k, v in os.environ.items()
           if k not in ('MXC', 'MXC_BIN', 'PYTHONPATH')}
    for place in ('share/mxc/python', 'lib/python3/site-packages'):
        home = pathlib.Path('tree', place).resolve()
        if not (home / 'mxc_sandbox').exists():
            shutil.copytree(SDK / 'mxc_sandbox', home / 'mxc_sandbox')
        p = subprocess.run([sys.executable, '-c', code], env={
            **env, 'PYTHONPATH': str(home), 'PATH': '/nowhere'},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        eq(p.returncode, 0, p.stdout)
        has(p.stdout, 'x\n')
        has(p.stdout, str(home))


main()
