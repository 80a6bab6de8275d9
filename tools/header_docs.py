"""header_docs.py - docs/c-api.md from include/mxc/mxc.h, for gen-docs.

The header is written so that this can be simple: sections are named by a
comment with dashes, blank lines separate pieces, and a piece is a comment,
then what it is about.
"""

import re

SECTION = re.compile(r'/\* --- (.*?) -+ \*/')
COMMENT = re.compile(r'\A/\*(.*?)\*/\n?', re.S)
NAME = re.compile(r'\b(mxc_\w+)\(')
WORD = re.compile(r'\b(?:mxc_\w+\*?|MXC_\w+\*?)|(?<![\w*])\*[a-z]\w+|'
                  r'\b_[A-Z]+\b|\b\w+->\w+')
# What a reader of the page does not need: guards, and words for compilers.
MACHINERY = re.compile(
    r'^#(?:ifndef MXC_MXC_H|define MXC_MXC_H|include|ifdef __cplusplus|endif'
    r'|if defined|else|define MXC_API).*\n|^extern "C" \{\n|^\}\n', re.M)

HEAD = '''\
# The C library

<!-- Written by tools/gen-docs from include/mxc/mxc.h. -->

    cc program.c $(pkg-config --cflags --libs mxc)

`libmxc.so.1` and `libmxc.a` need libc and, beside them, the programs of
`libexec/mxc`. [examples/c](../examples/c) has a program for each group of
calls.

'''


def prose(comment):
    """A comment's text: lines joined, paragraphs kept."""
    lines = [re.sub(r'^ ?\* ?', '', line).rstrip()
             for line in comment.strip().split('\n')]
    text = '\n'.join(lines).strip()
    # What is code already stays; names and outputs become code.
    parts = re.split(r'(`[^`]*`)', text)
    parts[::2] = [WORD.sub(r'`\g<0>`', p) for p in parts[::2]]
    return ''.join(parts) + '\n'


def title(code):
    names = NAME.findall(code) or re.findall(r'^(?:struct|#define) (\w+)', code,
                                             re.M)
    return ', '.join(f'`{n}`' for n in names[:3]) + (
        ', ...' if len(names) > 3 else '')


def piece(text):
    """One comment and what it is about, as a part of the page."""
    m = COMMENT.match(text)
    words = prose(m.group(1)) if m else ''
    code = MACHINERY.sub('', text[m.end():] if m else text).strip('\n')
    # Lines that go on stand below what the word for compilers moved.
    code = re.sub(r'^MXC_API (.*?;)', lambda m: m.group(1).replace(
        '\n' + ' ' * 8, '\n'), code, flags=re.M | re.S)
    code = re.sub(r' +\\$', ' \\\\', code, flags=re.M)
    if not code:
        return words + '\n' if words else ''
    head = title(code)
    return ((f'### {head}\n\n' if head else '') + (words + '\n' if words else '')
            + f'```c\n{code}\n```\n\n')


def page(header):
    first = COMMENT.match(header)
    about = re.sub(r'^ *mxc\.h - ', '', first.group(1))
    out = HEAD + prose(about[0].upper() + about[1:]) + '\n'
    body = MACHINERY.sub('', header[first.end():])
    for text in re.split(r'\n\n+', body):
        section = SECTION.match(text.strip('\n'))
        if section:
            name = section.group(1).strip()
            out += f'## {name[0].upper()}{name[1:]}\n\n'
            text = text.strip('\n')[section.end():]
        if text.strip():
            out += piece(text.strip('\n'))
    return out.rstrip('\n') + '\n'
