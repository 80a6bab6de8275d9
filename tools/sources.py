"""sources.py - the C sources of this tree, for the checks in this folder."""

import functools
import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parents[1]
DIRS = ('include', 'src', 'tests', 'fuzz', 'bench')
# How every C file is compiled, for tools that do not ask meson.
CFLAGS = ['-std=gnu11', '-D_GNU_SOURCE', '-DMXC_VERSION="0"',
          f'-DSOURCE_ROOT="{TOP}"',
          f'-I{TOP}/src', f'-I{TOP}/include', f'-I{TOP}/tests/lib']

_INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)
_SYSTEM = re.compile(r'^\s*#\s*include\s*<([^>]+)>', re.M)
# A comment, a string or a character constant, whichever begins first.
_NOT_CODE = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def c_files(*suffixes):
    """All .c and .h files, sorted, as paths relative to the top."""
    suffixes = suffixes or ('.c', '.h')
    return sorted(p.relative_to(TOP) for d in DIRS
                  for p in (TOP / d).rglob('*') if p.suffix in suffixes)


@functools.cache
def text(path):
    return (TOP / path).read_text(errors='replace')


def code(path):
    """The text with comments and constants blanked; lines stay in place."""
    def blank(m):
        return re.sub(r'[^\n]', ' ', m.group())
    return _NOT_CODE.sub(blank, text(path))


def system_includes(path):
    return _SYSTEM.findall(text(path))


@functools.cache
def includes(path):
    """(line, resolved path or None, name) for each of our own includes."""
    found = []
    for m in _INCLUDE.finditer(text(path)):
        line = text(path).count('\n', 0, m.start(1)) + 1
        at = None
        for root in (path.parent, pathlib.Path('src'),
                     pathlib.Path('include'), pathlib.Path('tests/lib')):
            if (TOP / root / m.group(1)).is_file():
                at = (TOP / root / m.group(1)).resolve().relative_to(TOP)
                break
        found.append((line, at, m.group(1)))
    return found


def closure(path):
    """The file and all headers of ours that it reads."""
    seen, todo = set(), [path]
    while todo:
        p = todo.pop()
        if p not in seen:
            seen.add(p)
            todo += [at for _, at, _ in includes(p) if at]
    return sorted(seen)
