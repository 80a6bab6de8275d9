"""backend_docs.py - the parts of docs/backends.md that are made of results.

Of docs/backends-results.json, tests/lib/backends.py (what a backend needs, how
tests are known to end), the headings of docs/attacks.md, the comments of
examples/policies, and each backend's own page.
"""

import json
import re
from backend_results import OTHER, TOP, load, table

POLICIES = TOP / 'examples/policies'
CALLERS = ('root', 'user')
WORDS = {'held': 'held', 'differently': 'held differently',
         'refused': 'refused', 'weaker': 'weaker', 'skipped': 'not tried here'}
MARK = re.compile(r'(^(\.\\"|<!--) begin generated: (\S+)(?: -->)?\n)'
                  r'(.*?)(^(?:\.\\"|<!--) end generated)', re.M | re.S)
PAGES = ('docs/backends.md', 'docs/sessions.md')
TEXTS = {'enforced': 'yes', 'refused': 'no: refused'}


def backends():
    """Names with results, in the order of the table."""
    results = load()
    return [name for name in table().BACKENDS if name in results]


def results(kind, name, word):
    """{caller: what was seen} for one row and backend."""
    of = load().get(name, {})
    return {who: of[who][kind][word] for who in CALLERS
            if word in of.get(who, {}).get(kind, {})}


def seen_or_known(kind, name, word, test):
    """{caller: text}: what was seen, or how the test is known to end."""
    seen = {who: TEXTS.get(what, what)
            for who, what in results(kind, name, word).items()}
    entry = table().KNOWN[name].get(f'backends/{test}: {word}')
    for who in CALLERS if entry else ():
        if entry.only in (None, who):
            seen[who] = f'{WORDS[entry.kind]}: {entry.why}'
    return seen


def cell(texts):
    """One text where both callers got the same."""
    if not texts:
        return 'not tried'
    if len(set(texts.values())) == 1:
        alone = '' if len(texts) == len(CALLERS) else f' (as {[*texts][0]})'
        return [*texts.values()][0] + alone
    return '; '.join(f'as {who}: {what}' for who, what in texts.items())


def grid(first, columns, rows):
    lines = [f'| {first} | ' + ' | '.join(columns) + ' |',
             '|' + '---|' * (len(columns) + 1)]
    lines += ['| ' + ' | '.join([head, *cells]) + ' |' for head, cells in rows]
    return '\n'.join(lines) + '\n'


def features(_tables):
    names = backends()
    return grid('feature', [f'`{n}`' for n in names], [
        (title, [cell(seen_or_known('features', n, feature,
                                    'test_features.py: feature'))
                 for n in names])
        for feature, (_, title) in table().FEATURES.items()])


def policies(_tables):
    names = backends()
    rows = []
    for path in sorted(POLICIES.glob('*.json')):
        what = json.loads(path.read_text())['_comment']
        rows.append((f'[{path.stem}](../examples/policies/{path.name})',
                     [what, *(cell(seen_or_known('policies', n, path.stem,
                                                 'test_policies.py: policy'))
                              for n in names)]))
    return grid('policy', ['what it is', *(f'`{n}`' for n in names)], rows)


def titles():
    """{letter: what the attacks are made on}"""
    page = (TOP / 'docs/attacks.md').read_text()
    found = dict(re.findall(r'^## ([A-H]): (.+)$', page, re.M))
    return {**found, 'W': 'weaknesses known from MXC',
            OTHER: 'controls, and what must go on working'}


def counts(seen):
    return ', '.join(f'{seen[kind]} {word}' for kind, word in WORDS.items()
                     if seen.get(kind)) or 'none'


def attacks_of(name, who, letter):
    """{how: count} over all files."""
    total = {}
    for letters in load()[name][who]['attacks'].values():
        for kind, n in letters.get(letter, {}).items():
            total[kind] = total.get(kind, 0) + n
    return total


def attacks_on(names):
    """A grid of those that were counted, each caller a column."""
    columns = [(n, who) for n in names for who in CALLERS
               if load().get(n, {}).get(who, {}).get('attacks')]
    rows = []
    for letter, title in titles().items():
        seen = [attacks_of(n, who, letter) for n, who in columns]
        if any(seen):
            head = title if letter == OTHER else f'{letter}: {title}'
            rows.append((head, [counts(s) for s in seen]))
    if not rows:
        return 'Not counted so far.\n'
    titled = [f'as {who}' if n == table().SESSION else f'`{n}` as {who}'
              for n, who in columns]
    return grid('attacks', titled, rows)


def attacks(_tables):
    return attacks_on(backends())


def session_attacks(_tables):
    return attacks_on([table().SESSION])


def names_of(tests):
    """'suite/file.py: name' of each, by file."""
    files = {}
    for test in tests:
        file, _, name = test.partition(': ')
        files.setdefault(file, []).append(f'`{name}`')
    return '; '.join(f'`{file}`: {", ".join(of)}'
                     for file, of in files.items())


def reasons(name):
    """{(how, why, as whom): [tests]}, what is weaker first"""
    found = {}
    for test, entry in sorted(table().KNOWN[name].items()):
        found.setdefault((entry.kind, entry.why, entry.only or ''),
                         []).append(test)
    for field in table().FIELDS.get(name, []):
        found.setdefault(('differently', field.why, ''), []).append(
            f'backends/test_policies.py: {field.name}')
    order = ('weaker', 'refused', 'differently')
    return sorted(found.items(), key=lambda item: order.index(item[0][0]))


def known(_tables):
    rows = []
    for name in backends():
        for (kind, why, only), tests in reasons(name):
            who = f' as {only}' if only else ''
            rows.append((f'`{name}`{who}', [WORDS[kind], why,
                                            names_of(tests)]))
    if not rows:
        return 'None: every test ends the same on every backend.\n'
    return grid('backend', ['how', 'why', 'tests'], rows)


def session_known(_tables):
    return grid('how', ['why', 'tests'], [
        (WORDS[kind] + (f' as {only}' if only else ''), [why, names_of(tests)])
        for (kind, why, only), tests in reasons(table().SESSION)])


def page_of(name):
    for path in (f'backends/{name}.md', f'{name}.md'):
        if (TOP / 'docs' / path).exists():
            return path
    return None


def from_docs(text, page):
    """Links of a page below docs, as they are said in docs itself."""
    folder = page.rpartition('/')[0]
    if not folder:
        return re.sub(r'\]\(#', f']({page}#', text)
    text = re.sub(r'\]\((?!#|[a-z]+:|\.\./)', f']({folder}/', text)
    return re.sub(r'\]\(#', f']({page}#', text).replace('](../', '](')


def section(text, heading):
    m = re.search(rf'^## {heading}\n(.*?)(?=^## |\Z)', text, re.M | re.S)
    return m.group(1).strip() if m else ''


def first(text):
    """The first paragraph, and the list that it announces."""
    parts = text.split('\n\n')
    return '\n\n'.join(parts[:2 if parts[0].endswith(':') else 1])


def titled(title, text):
    """A list or a table stands below its title."""
    return f'*{title}:*' + ('\n\n' if text[0] in '-|' else ' ') + text


# Of a backend's own page: heading, and title here.
SECTIONS = {'What it does not(?: do)?': 'Does not',
            'What is refused by name': 'Refuses by name',
            'What is otherwise than with native': 'Otherwise than native'}


def note(name):
    """What it is, enforces, does not do and needs, of its own page."""
    page = page_of(name)
    programs = ' and '.join(f'the program `{p}`'
                            for p in table().BACKENDS[name].needs)
    if not page:
        return f'### {name}\n\n*Needs* {programs or "no program"}.\n'
    text = from_docs((TOP / 'docs' / page).read_text(), page)
    body = text.partition('\n')[2]
    parts = [f'### {name}', first(body.strip()) + f' More: [{page}]({page}).']
    enforces = first(section(text, 'What it enforces'))
    if enforces:
        parts.append(titled('Enforces', enforces))
    parts += [titled(title, section(text, heading))
              for heading, title in SECTIONS.items() if section(text, heading)]
    needs = section(text, 'What it needs').split('\n\n')[0]
    if needs.endswith(':'):   # a table of its own follows there
        needs = f'{programs or "no program"}; what `mxc doctor` tries.'
    parts.append(titled('Needs', needs))
    return '\n\n'.join(parts) + '\n'


def notes(_tables):
    return '\n'.join(note(name) for name in backends())


PARTS = {'features': features, 'policies': policies, 'attacks': attacks,
         'known': known, 'backend-notes': notes,
         'session-attacks': session_attacks, 'session-known': session_known}


def fill(text, tables, parts):
    """A page with its generated parts made anew, those that are in parts."""
    def part(m):
        make = parts.get(m.group(3))
        return m.group(1) + make(tables) + m.group(5) if make else m.group()
    return MARK.sub(part, text)


def stale():
    """'' or a complaint: a page is not what the results make of it."""
    return ''.join(f'{page}: not what tools/gen-docs makes of the results\n'
                   for page in PAGES
                   if fill(text := (TOP / page).read_text(), None, PARTS)
                   != text)
