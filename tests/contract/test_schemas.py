#!/usr/bin/env python3
# tap: seconds=300
"""What is generated from the contract's tables is current and true.

schemas/ and fuzz/request.dict must be what the tables say now (`--bless`
writes them anew), and a schema must judge documents as the parser does, but
for rules that a schema cannot have.
"""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
from tap import *  # noqa: E402,F403
import json  # noqa: E402
import former  # noqa: E402
import mutations  # noqa: E402
from judging import Judge, TOOLS  # noqa: E402

VERSIONS = (*former.VERSIONS, *mutations.VERSIONS, '1.1.0+c1')
GENERATED = {
    **{f'schemas/mxc-{v}.schema.json': ('schema', v) for v in VERSIONS},
    'schemas/mxc-event.schema.json': ('event',),
    'fuzz/request.dict': ('dictionary',),
}
# Refusals that are about shape alone: the schema must refuse as well.
SHAPE = re.compile(r'unknown field|missing field|unknown value|'
                   r'expected .*, found|array must not be empty|'
                   r'unsupported contract version')


def generate(args):
    return subprocess.run([TOOLS / 'tables', *args], check=True,
                          stdout=subprocess.PIPE).stdout.decode()


if '--bless' in sys.argv:
    for name, how in GENERATED.items():
        (TOP / name).parent.mkdir(exist_ok=True)
        (TOP / name).write_text(generate(how))
    sys.exit()


class Validator:
    """The part of JSON Schema that our schemas use, and nothing else."""

    TYPES = {'object': dict, 'array': list, 'string': str, 'boolean': bool,
             'integer': int}

    def __init__(self, schema):
        self.schema = schema
        self.defs = schema['$defs']

    def accepts(self, v, s=None):
        s = self.schema if s is None else s
        rules = {k: a for k, a in s.items()
                 if k not in ('description', 'title', '$id', '$schema',
                              '$defs')}
        return all(getattr(self, '_' + k.lstrip('$'))(v, a, s)
                   for k, a in rules.items())

    def _ref(self, v, name, s):
        return self.accepts(v, self.defs[name.rsplit('/', 1)[1]])

    def _oneOf(self, v, options, s):
        return sum(self.accepts(v, o) for o in options) == 1

    def _type(self, v, name, s):
        return (isinstance(v, self.TYPES[name])
                and not (name == 'integer' and isinstance(v, bool)))

    def _const(self, v, want, s):
        return v == want and type(v) is type(want)

    def _enum(self, v, names, s):
        return isinstance(v, str) and v in names

    def _required(self, v, names, s):
        return not isinstance(v, dict) or all(n in v for n in names)

    def _properties(self, v, fields, s):
        return not isinstance(v, dict) or all(
            self.accepts(v[k], f) for k, f in fields.items() if k in v)

    def _additionalProperties(self, v, allowed, s):
        return (allowed or not isinstance(v, dict)
                or set(v) <= set(s['properties']))

    def _items(self, v, item, s):
        return not isinstance(v, list) or all(
            self.accepts(x, item) for x in v)

    def _minItems(self, v, n, s):
        return not isinstance(v, list) or len(v) >= n

    def _minLength(self, v, n, s):
        return not isinstance(v, str) or len(v) >= n

    def _pattern(self, v, pattern, s):
        return not isinstance(v, str) or re.search(pattern, v) is not None

    def _minimum(self, v, n, s):
        return isinstance(v, bool) or not isinstance(v, int) or v >= n

    def _maximum(self, v, n, s):
        return isinstance(v, bool) or not isinstance(v, int) or v <= n


def unique(pairs):
    """json's object hook: what a schema cannot see is not compared."""
    keys = [k for k, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError('duplicate key')
    return dict(pairs)


def no_constant(name):
    raise ValueError(f'{name} is not JSON')


@cases({name: (name, how) for name, how in GENERATED.items()})
def generated_file_is_current(name, how):
    eq(generate(how), read(TOP / name), f'{name} (--bless renews it)')


def compare(kind, data, doc, schema, answer):
    """1 when both refuse the shape, else 0."""
    accepted = schema.accepts(doc)
    if answer == 'ok':
        check(accepted, f'[{kind}] the schema refuses {data!r}')
        return 0
    if not SHAPE.search(answer):
        return 0
    # -0 is an integer to a schema, and 0.
    check(not accepted or b':-0' in data,
          f'[{kind}] the schema takes {data!r}: {answer}')
    return 1


@test(seconds=300)
def schemas_judge_as_the_parser_does():
    judge_all(mutations.documents(6000))


@test(seconds=300)
def schemas_of_former_contracts_do():
    judge_all(former.documents(2000))


def judge_all(documents):
    schemas = {v: Validator(json.loads(generate(('schema', v))))
               for v in VERSIONS}
    looked, refused = 0, 0
    with Judge() as ask:
        for kind, data in documents:
            try:
                doc = json.loads(data.decode(), object_pairs_hook=unique,
                                 parse_constant=no_constant)
                schema = schemas[doc['version']]
            except (ValueError, KeyError, TypeError, RecursionError):
                continue
            looked += 1
            refused += compare(kind, data, doc, schema, ask(data))
    print(f'{looked} documents, {refused} refused for their shape')
    check(looked > 4000 and refused > 1000,
          f'too few documents: {looked}, {refused}')


# A value in a network of 1.1.0+c1, and whether its shape is right.
NETWORK_SHAPES = (
    ({'egress': {'allow': [{'to': [{'host': '*.a.example', 'intranet': True}]}],
                 'deny': [{'to': [{'host': 'b.a.example'}]}]}}, True),
    ({'egress': {'allow': [{'to': [{'host': 7}]}]}}, False),
    ({'egress': {'allow': [{'to': [{'host': 'a', 'intranet': 1}]}]}}, False),
    ({'ingress': {'hostLoopback': 'allow', 'ports': [
        {'guest': 65535, 'host': 0, 'protocol': 'tcp'}, {'guest': 1}],
        'hostServices': [{'host': 65534}, {'host': 1, 'guest': 2}]}}, True),
    ({'ingress': {'ports': [{'guest': 0}]}}, False),
    ({'ingress': {'ports': [{'host': 1}]}}, False),
    ({'ingress': {'ports': [{'guest': 1, 'host': 65536}]}}, False),
    ({'ingress': {'ports': [{'guest': 1, 'protocol': 'udp'}]}}, False),
    ({'ingress': {'hostServices': [{'host': 0}]}}, False),
    ({'ingress': {'hostServices': [{'guest': 1}]}}, False),
    ({'ingress': {'hostServices': [{'host': 65536}]}}, False),
)


@test
def superset_network_has_its_shape():
    schema = Validator(json.loads(generate(('schema', '1.1.0+c1'))))
    with Judge() as ask:
        for network, right in NETWORK_SHAPES:
            doc = {'version': '1.1.0+c1', 'network': network}
            eq(schema.accepts(doc), right, f'the schema of {network}')
            eq(ask(json.dumps(doc)) == 'ok', right, f'the parser of {network}')


@test
def superset_has_its_own_fields():
    doc = {'version': '1.1.0+c1', 'process': {'commandLine': 'x'},
           'containment': 'native', 'filesystem': {'hardLinks': 'refuse'},
           'limits': {'memoryBytes': 1, 'advisory': ['pids']},
           'guarantees': {'tier': 'kernel'}}
    schema = Validator(json.loads(generate(('schema', '1.1.0+c1'))))
    with Judge() as ask:
        check(schema.accepts(doc))
        eq(ask(json.dumps(doc)), 'ok')
        doc['limits']['memoryBytes'] = 0
        check(not schema.accepts(doc))
        has(ask(json.dumps(doc)), 'limits.memoryBytes: expected an integer '
            'from 1 to 18446744073709551615, found 0')
        doc['limits']['memoryBytes'] = 1
        doc['guarantees']['tier'] = 'strong'
        check(not schema.accepts(doc))
        has(ask(json.dumps(doc)), "guarantees.tier: unknown value 'strong'")
        doc['version'] = '1.1.0-alpha'
        has(ask(json.dumps(doc)), "unknown value 'native'")


main()
