"""refusals.py - what `mxc run --denials` lists of a program of Python's."""

import json
import os
from tap import PYTHON, eq, mxc, read


def told(code, *options, status=0):
    """The refusals that the result lists of a program of Python's."""
    r = mxc('run', '--denials', '--json', 'r', *options, '--', PYTHON, '-I',
            '-S', '-c', code)
    eq(r.status, status, r)
    return json.loads(read('r')).get('denials', [])


def about(denials, path):
    return [d for d in denials if d.get('resolved') == os.path.abspath(path)]


def one(denials, path):
    found = about(denials, path)
    eq(len(found), 1, f'{path} in {denials}')
    return found[0]


def trying(*calls):
    """Python that makes the calls, whatever they come to."""
    return 'import os, errno\n' + ''.join(
        f'try: {c}\nexcept OSError as e: print(errno.errorcode[e.errno])\n'
        for c in calls)
