"""oracle.py - MXC's own programs as judges, and the differences that stand.

$MXC_ORACLE and $MXC_ORACLE_FORMER are MXC's `lxc-exec` of the products 1.0.1
and 0.9.0 (tools/fetch-oracle gets them).
"""

import os
import pathlib
import re
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = 'node_modules/@microsoft/mxc-sdk/bin/x64/lxc-exec'
PROGRAM = pathlib.Path(os.environ.get(
    'MXC_ORACLE', TOP / 'build/oracle' / PACKAGE)).absolute()
FORMER_PROGRAM = pathlib.Path(os.environ.get(
    'MXC_ORACLE_FORMER', TOP / 'build/oracle-0.9.0' / PACKAGE)).absolute()
MISSING = 'no package @microsoft/mxc-sdk 1.0.1 (tools/fetch-oracle)'

# name: (our answer must match, MXC's answer must match, products)
BOTH, NOW, FORMER = {'1.0.1', '0.9.0'}, {'1.0.1'}, {'0.9.0'}
DIFFERENCES = {
    'positional-array': (r'expected an object, found an array$', r'^ok$',
                         BOTH),
    'nul-in-string': (r'string holds a NUL character$', r'^ok$', BOTH),
    'proxy-default-port': (r'^ok$', r'must include a port.*:(80|443)$', BOTH),
    'proxy-port-zero': (r'(networkProxy|proxy.url): expected a port from 1',
                        r'^ok$', BOTH),
    'proxy-spelling': (r'(networkProxy|proxy.url): (expected a URL|a URL '
                       r'holds no|expected a host name)', r'^ok$', BOTH),
    'prefix-spelling': (r'expected a prefix length', r'^ok$', BOTH),
    'number-in-comment': (r'^ok$', r'number out of range', BOTH),
    'capture-path': (r'^ok$', r'outputPath (parent directory does not exist|'
                              r'must name a file, not an existing directory|'
                              r"must be an absolute path: '(C:|\\\\))", BOTH),
    'superset': (r'^ok$', r'Unsupported contract version', NOW),
    # Who goes on reading may find another fault.
    'rolling': (r'^ok$|^no ', r'unknown (field `(phase|experimental)`|variant '
                         r'`(vm|microvm|hyperlight|windows_sandbox|wslc|'
                         r'isolation_session)`)', FORMER),
}


def execute(program, *args, **options):
    """A CompletedProcess, with bytes."""
    kw = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
              stderr=subprocess.PIPE, timeout=60)
    kw.update(options)
    return subprocess.run([program, *args], **kw)


def explained(ours, theirs, product):
    """The name of the difference between two answers, or None."""
    for name, (a, b, products) in DIFFERENCES.items():
        if (product in products and re.search(a, ours, re.S)
                and re.search(b, theirs, re.S)):
            return name
    return None
