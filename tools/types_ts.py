"""types_ts.py - TypeScript's view of the contract, from `mxc schema`.

One interface for each object of the superset contract; what plain requests
(BASE) lack is marked.  tools/gen-docs writes it to sdk/node/src/wire.ts.
"""

import json
import subprocess
import textwrap

BASE, SUPERSET = '1.0.0', '1.1.0+c1'
PATH = 'sdk/node/src/wire.ts'


def schema(mxc, version):
    return json.loads(subprocess.run([mxc, 'schema', '--version', version],
                                     check=True,
                                     stdout=subprocess.PIPE).stdout)


def interface(ref):
    name = ref.rsplit('/', 1)[-1]
    return name[0].upper() + name[1:]


def words(values):
    return ' | '.join("'" + str(v) + "'" for v in values)


def type_of(prop):
    if '$ref' in prop:
        return interface(prop['$ref'])
    if 'const' in prop:
        return words([prop['const']])
    if 'enum' in prop:
        return words(prop['enum'])
    kind = prop.get('type')
    if kind == 'array':
        item = type_of(prop['items'])
        return f'readonly {item}[]' if ' ' not in item else (
            f'readonly ({item})[]')
    return {'integer': 'number', None: 'unknown'}.get(kind, kind)


def comment(text, indent=''):
    line = f'{indent}/** {text} */'
    if len(line) <= 80:
        return line
    start = indent + ' * '
    return '\n'.join([indent + '/**', textwrap.fill(
        text, 80, initial_indent=start, subsequent_indent=start),
        indent + ' */'])


def wrapped(name, kind):
    """One line, or a union with a line for each of its members."""
    line = f'  {name}: {kind};'
    if len(line) <= 80:
        return [line]
    rows = ['    | ' + k for k in kind.split(' | ')]
    return [f'  {name}:', *rows[:-1], rows[-1] + ';']


def members(name, whole, base):
    required = whole.get('required', [])
    for key, prop in whole['properties'].items():
        doc = prop.get('description', '')
        kind = type_of(prop)
        if key == 'version':
            kind = words([BASE, SUPERSET])
        elif base is not None and key not in base['properties']:
            doc += f' Only in {SUPERSET}.'
        if doc:
            yield comment(doc, '  ')
        shown = key if key.isidentifier() else f"'{key}'"
        yield from wrapped(shown if key in required else shown + '?', kind)


def text(mxc, tables):
    whole, base = schema(mxc, SUPERSET), schema(mxc, BASE)
    out = ['/* What goes over the wire: the contract, as types.  Written by',
           ' * tools/gen-docs from the tables of mxc. */', '']
    for name, obj in whole['$defs'].items():
        known = base['$defs'].get(name)
        if known is None:
            out.append(comment(f'Only in {SUPERSET}.'))
        out += [f'export interface {interface(name)} {{',
                *members(name, obj, known), '}', '']
    out += ['/** Code of an error, and its number. */',
            'export const ERROR_NUMBERS = {',
            *(f'  {e["name"]}: {e["number"]},' for e in tables['errors']),
            '} as const;', '',
            'export type ErrorCode = keyof typeof ERROR_NUMBERS;', '',
            f"export const BASE_VERSION = '{BASE}';",
            f"export const SUPERSET_VERSION = '{SUPERSET}';"]
    return '\n'.join(out) + '\n'
