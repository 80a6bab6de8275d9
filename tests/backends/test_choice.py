#!/usr/bin/env python3
"""Which backend runs it: the one that is asked for, or none."""

import json
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
import backends  # noqa: E402
from tap import *  # noqa: E402,F403
from contract import NAME, refused, request, submit  # noqa: E402

# Names of the contract that other systems have.
OTHERS = ('lxc', 'vm', 'microvm', 'hyperlight', 'seatbelt', 'processcontainer',
          'windows_sandbox', 'wslc', 'isolation_session', 'bubblewrap')


def built():
    return [b['name'] for b in mxc('tables').ok().json()['backends']]


@test
def every_backend_of_the_build_is_tested():
    eq(set(built()) - set(backends.BACKENDS), set(),
       'backends without an entry in tests/lib/backends.py')


@cases({name: name for name in OTHERS})
def one_that_this_build_lacks_is_refused(name):
    use_backend(None)
    r = mxc('run', '--backend', name, '--json', 'r.json', '--', 'echo', 'ran')
    if name in built():
        answer = json.loads(read('r.json'))
        eq(answer.get('backend', name), name)
        check(r.status == 0 or answer['error']['code'] in (
            'backend_unavailable', 'policy_validation'), r)
        return
    refused(r, 'unsupported_containment')
    if name != 'isolation_session':   # has clauses of its own, looked at first
        refused(submit(request(containment=name)), 'unsupported_containment')


@test
def an_option_replaces_what_the_request_says():
    r = mxc('run', '--backend', NAME, '--json', 'r.json', '-',
            input=json.dumps(request(containment='microvm')))
    eq(r.ok().out, 'ran\n')
    eq(json.loads(read('r.json'))['backend'], NAME)


@test
def without_a_word_it_is_the_native_one():
    use_backend(None)
    inside(['true'], flags=['--json', 'r.json']).ok()
    eq(json.loads(read('r.json'))['backend'], backends.REFERENCE)


@test
def each_known_end_has_a_kind_a_reason_and_a_sentence():
    for name, entries in backends.KNOWN.items():
        check(name in backends.BACKENDS or name == backends.SESSION, name)
        for key, entry in entries.items():
            check(entry.kind in backends.KINDS, key)
            check(len(entry.why) > 10, key)
            check(all(len(s) > 3 for s in backends.sentences(entry)), key)
            check('*' in key or not entry.some, key)
            check(os.path.exists(TOP / 'tests' / key.split(': ')[0]), key)


main()
