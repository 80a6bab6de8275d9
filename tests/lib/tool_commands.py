"""tool_commands.py - commands that people run, as they fail in a sandbox that
grants nothing: for tests of what is told of that, and of what is learnt."""

import os
import pathlib
import re
import shutil
import tap
from internet import WEB

REPO = ('git init -q repo && cd repo && git config user.name N && '
        'git config user.email e@x && echo 1 > f && git add f && '
        'git commit -qm one && echo 2 >> f')
WHEEL = '''
import zipfile
w = zipfile.ZipFile('wheels/demo-1-py3-none-any.whl', 'w')
for name, text in (('demo.py', 'x = 1'),
        ('demo-1.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: demo\\nVersion: 1\\n'),
        ('demo-1.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'),
        ('demo-1.dist-info/RECORD', '')):
    w.writestr(name, text)
'''

# name: (set-up on the host, the command, what the first report must name,
# options that it has from the start); {d} is the test's own directory.
ROWS = {
    'cat a file': ('echo x > notes', 'cat {d}/notes', '{d}/notes'),
    'cp to a directory': ('mkdir out; echo x > a', 'cp {d}/a {d}/out/b',
                          '{d}/a'),
    'git log': (REPO, 'git -C {d}/repo log --oneline', '{d}/repo'),
    'git commit': (REPO, 'git -C {d}/repo commit -qam two',
                   '{d}/repo/.git/index.lock', '--ro {d}/repo'),
    'git, for its user': ('mkdir -p home; git config --file home/.gitconfig '
                          'user.name Me', 'git config user.name',
                          '/home/user/.gitconfig'),
    'make': ('mkdir p; printf "out: ; echo x > out\\n" > p/Makefile',
             'make -s -C {d}/p', '{d}/p/out', '--ro {d}/p'),
    'make, nothing granted': ('mkdir p; printf "all: ; @echo ok\\n" > '
                              'p/Makefile', 'make -s -C {d}/p', '{d}/p'),
    'gcc': ('mkdir out; echo "int f(void) {{ return 1; }}" > a.c',
            'gcc -c {d}/a.c -o {d}/out/a.o', '{d}/a.c'),
    'python, a script': ('echo "print(1)" > s.py', '/usr/bin/python3 {d}/s.py',
                         '{d}/s.py'),
    'python, a module': ('mkdir lib; echo x=1 > lib/mine.py',
                         'env PYTHONPATH={d}/lib /usr/bin/python3 -c '
                         '"import mine"', '{d}/lib'),
    'python, sqlite': ('mkdir db; sqlite3 db/x "create table t (a)"',
                       '/usr/bin/python3 -c "import sqlite3; c = '
                       'sqlite3.connect(\'{d}/db/x\'); c.execute(\'insert '
                       'into t values (1)\'); c.commit()"', '{d}/db/x',
                       '--ro {d}/db'),
    'node, a script': ('echo "console.log(1)" > s.js', 'node {d}/s.js',
                       '{d}/s.js'),
    'node, a log': ('mkdir log; echo x > log/l', 'node -e "require(\'fs\')'
                    '.appendFileSync(\'{d}/log/l\', \'x\')"', '{d}/log/l',
                    '--ro {d}/log'),
    'npm run': ('mkdir app; echo \'{{"scripts":{{"hi":"echo hi"}}}}\' > '
                'app/package.json', 'npm --prefix {d}/app run -s hi',
                '{d}/app/package.json'),
    'pip install': ('mkdir wheels site; /usr/bin/python3 -c "{wheel}"',
                    '/usr/bin/python3 -m pip install -q --no-index '
                    '--root-user-action ignore --disable-pip-version-check '
                    '--find-links {d}/wheels --target {d}/site demo',
                    '{d}/wheels'),
    'perl': ('echo "print 1" > s.pl', 'perl {d}/s.pl', '{d}/s.pl'),
    'a tool of one\'s own': ('mkdir bin; printf "#!/bin/sh\\necho hi\\n" > '
                             'bin/tool; chmod +x bin/tool',
                             'sh -c {d}/bin/tool', '{d}/bin/tool'),
    'tar': ('mkdir out; echo x > f; tar cf a.tar f',
            'tar -C {d}/out -xf {d}/a.tar', '{d}/a.tar'),
    'unzip': ('mkdir out; echo x > f; zip -q a.zip f',
              'unzip -q {d}/a.zip -d {d}/out', '{d}/a.zip'),
    'gzip': ('mkdir d; echo x > d/f', 'gzip {d}/d/f', '{d}/d/f.gz',
             '--ro {d}/d'),
    'rm': ('mkdir d; echo x > d/f', 'rm {d}/d/f', '{d}/d/f', '--ro {d}/d'),
    'mv': ('mkdir d; echo x > d/f', 'mv {d}/d/f {d}/d/g', '{d}/d/f',
           '--ro {d}/d'),
    'sed -i': ('mkdir d; echo x > d/f', 'sed -i s/x/y/ {d}/d/f', None,
               '--ro {d}/d'),
    'sed -i, of one file': ('mkdir d; echo x > d/f', 'sed -i s/x/y/ {d}/d/f',
                            '{d}/d/f', '--rw {d}/d/f'),
    'touch': ('mkdir d; echo x > d/f', 'touch -c -d 2020-01-01 {d}/d/f',
              '{d}/d/f', '--ro {d}/d'),
    'a script with an interpreter': (
        'mkdir bin run; printf "#!/bin/sh\\necho hi\\n" > run/it; '
        'printf "#!$PWD/run/it\\n" > bin/tool; chmod +x run/it bin/tool',
        'sh -c {d}/bin/tool', '{d}/run/it', '--ro {d}/bin'),
    'a server at a socket': (
        'mkdir d', '/usr/bin/python3 -c "import socket; '
        'socket.socket(socket.AF_UNIX).bind(\'{d}/d/s\')"', '{d}/d/s',
        '--ro {d}/d'),
    'find': ('mkdir -p d/e', 'find {d}/d', '{d}/d'),
    'jq': ('echo "{{}}" > j', 'jq . {d}/j', '{d}/j'),
    'openssl': ('openssl genrsa -out key 2048 2>/dev/null',
                'openssl rsa -in {d}/key -noout -check', '{d}/key'),
    'ssh': ('mkdir .ssh; echo "Host x" > .ssh/config',
            'ssh -F {d}/.ssh/config -G x', '{d}/.ssh/config'),
    'less, which says nothing of it': ('echo x > f', 'less {d}/f | grep -x x',
                                       '{d}/f'),
    'vim': ('mkdir d; echo x > d/f', 'vim -u NONE -es -c "normal Ay" -c wq! '
            '{d}/d/f', '{d}/d/f', '--ro {d}/d'),
    'a denied file': ('mkdir d; echo x > d/.env', 'cat {d}/d/.env',
                      '{d}/d/.env', '--ro {d}/d --deny {d}/d/.env'),
    'curl': ('true', 'curl -sSf http://example.test/', 'example.test'),
    'curl, by address': ('true', f'curl -sSf http://{WEB}/', WEB),
    'wget': ('true', 'wget -qO- http://example.test/', 'example.test'),
    'python, a page': ('true', '/usr/bin/python3 -c "import urllib.request as '
                       'u; u.urlopen(\'http://example.test/\').read()"',
                       'example.test'),
    'node, a page': ('true', 'node -e "fetch(\'http://example.test/\').then('
                     'r => r.text())"', 'example.test'),
}


def prepare(row):
    """Do a row's set-up in the current directory; its command, what the first
    report must name (None: anything), and the options from the start."""
    setup, command, cause, *more = row
    here = os.path.abspath('.')
    setup = setup.replace('{wheel}', WHEEL).replace('{{', '{').replace(
        '}}', '}')
    command = command.format(d=here)
    for word in re.findall(r'[\w/.]+', command)[:1]:
        if not shutil.which(word) and not word.startswith(here):
            tap.skip(f'no program {word}')
    os.makedirs('home', exist_ok=True)
    tap.write('set-up', setup)
    tap.run(['sh', 'set-up']).ok()
    options = more[0].format(d=here).split(' ') if more else []
    return command, cause and cause.format(d=here), options


def tree(top):
    """All of it, with contents and times."""
    found = {}
    for at, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(at, name)
            st = os.lstat(path)
            found[path] = (st.st_mode, st.st_mtime_ns, st.st_ino,
                           pathlib.Path(path).read_bytes()
                           if name in files and not os.path.islink(path)
                           else b'')
    return found


def short(text, here):
    """As it stands in a table of the documents."""
    text = str(text).replace(here, 'DIR').replace('|', '\\|')
    # A temporary name is another each time.
    return re.sub(r'/sed\w{6}\b', '/sedXXXXXX', ' '.join(text.split()))


def page_row(page, mark, names, name, row):
    """Hold a row of a page's table to what came of it; MXC_BLESS=1 writes it.
    The rows stand in the order of `names`."""
    begin, end = f'<!-- begin {mark} -->\n', f'<!-- end {mark} -->\n'
    head, rest = page.read_text().split(begin)
    table, tail = rest.split(end)
    if 'MXC_BLESS' not in os.environ:
        tap.has(table, row, f'{page.name} (MXC_BLESS=1 writes it)')
        return
    lines = [line + '\n' for line in table.splitlines()]
    rows = {line.split(' | ')[0] + ' |': line for line in lines[2:]}
    rows[f'| {name} |'] = row
    order = [f'| {n} |' for n in names]
    lines[2:] = [rows[k] for k in order if k in rows]
    page.write_text(head + begin + ''.join(lines) + end + tail)
