#!/usr/bin/env python3
"""The record of what was refused, and a supervisor that is killed at each call
that makes it: an old record or a new one, whole."""

import json
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from injector import Injector  # noqa: E402

CALLS = ('openat', 'write', 'linkat', 'renameat', 'unlinkat')
NOBODY = 'nobody-of-that'   # who is executed never: looked at to the end


def injector():
    os.mkdir('out')
    write('request.json', json.dumps({
        'version': '1.0.0', 'containment': 'process',
        'process': {'commandLine': 'true', 'cwd': '/tmp'},
        'processContainer': {'captureDenials': {
            'outputPath': os.path.abspath('out/record.json')}}}))
    return Injector(['run', 'request.json'], NOBODY)


def whole(name):
    eq(json.loads(read(name))['type'], 'captureDenials')


@test(seconds=300)
def killed_where_there_was_none():
    here = injector()
    r, places = here.places()
    whole('out/record.json')
    last = [p for p in places if p[0] == 'mxc' and p[3] in CALLS][-8:]
    check(any(p[3] == 'linkat' for p in last), f'{last}')
    for program, number, nth, name in last:
        if os.path.exists('out/record.json'):
            os.unlink('out/record.json')
        r, hit = here.run(program, number, nth)
        check('hit' in hit, f'{name} {nth}: {r}')
        left = os.listdir('out')
        check(left in ([], ['record.json']), f'{name} {nth}: {left}')
        if left:
            whole('out/record.json')
    check(not [n for n in os.listdir('out') if n != 'record.json'])


@test(seconds=300)
def killed_where_there_was_one():
    """Between two names of the new one, the old one is still there."""
    here = injector()
    here.run()
    r, places = here.places()
    old = write('out/record.json', 'an earlier one')
    last = [p for p in places if p[0] == 'mxc' and p[3] in CALLS][-8:]
    check(any(p[3] == 'renameat' for p in last), f'{last}')
    for program, number, nth, name in last:
        old.write_text('an earlier one')
        r, hit = here.run(program, number, nth)
        check('hit' in hit, f'{name} {nth}: {r}')
        if old.read_text() != 'an earlier one':
            whole('out/record.json')
        more = [n for n in os.listdir('out') if n != 'record.json']
        check(not more or name == 'renameat', f'{name} {nth}: {more}')
        for n in more:
            os.unlink(f'out/{n}')


main()
