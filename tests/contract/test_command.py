#!/usr/bin/env python3
"""The contract as the shipped command shows it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
from tap import *  # noqa: E402,F403
import json  # noqa: E402

VERSIONS = ('0.6.0-alpha', '0.7.0-alpha', '0.8.0-alpha', '0.9.0-alpha',
            '0.10.0-alpha', '1.0.0', '1.1.0-alpha', '1.1.0+c1')


@cases({v: v for v in VERSIONS})
def schema_is_the_committed_one(version):
    r = mxc('schema', '--version', version).ok()
    eq(r.out, read(TOP / f'schemas/mxc-{version}.schema.json'))


@test
def section_of_another_backend_is_refused():
    """`process` is the native backend here, which has no section."""
    doc = {'version': '1.0.0', 'process': {'commandLine': 'true'}}
    mxc('check', write('good.json', json.dumps(doc))).ok()
    doc['processContainer'] = {}
    r = mxc('check', write('bad.json', json.dumps(doc, indent=1)))
    check(r.status != 0)
    has(r.err, "section 'processContainer' does not belong to containment "
               "'native'")
    has(r.err, 'line 6, column 22')


main()
