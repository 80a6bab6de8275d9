#!/usr/bin/env python3
"""The work that people start: scripts, builds, tests, tools.

Each is real, and each sees what it was granted and nothing else.
"""

import json
import os
import shutil
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403


@test
def a_python_script():
    write('project/script.py', '''
import collections, json, pathlib, sqlite3, tempfile
words = pathlib.Path('input.txt').read_text().split()
count = collections.Counter(words)
db = sqlite3.connect('words.db')
db.execute('create table w (word text, n int)')
db.executemany('insert into w values (?, ?)', count.items())
db.commit()
with tempfile.TemporaryFile() as f:
    f.write(b'scratch')
pathlib.Path('out.json').write_text(json.dumps(count))
print(db.execute('select sum(n) from w').fetchone()[0])
''')
    write('project/input.txt', 'the cat and the dog and the bird\n')
    r = inside([PYTHON, 'script.py'], rw='project',
               cwd=os.getcwd() + '/project').ok()
    eq(r.out, '8\n')
    eq(json.loads(read('project/out.json'))['the'], 3)


@test
def python_with_processes_and_threads():
    """Pools need semaphores and shared memory of the sandbox's own."""
    write('p/script.py', '''
import concurrent.futures as cf, multiprocessing as mp, hashlib
from multiprocessing import shared_memory
def work(n):
    return hashlib.sha256(bytes(n)).hexdigest()
if __name__ == '__main__':
    for method in ('fork', 'spawn', 'forkserver'):
        with cf.ProcessPoolExecutor(2, mp.get_context(method)) as pool:
            assert len(set(pool.map(work, range(20)))) == 20
    with cf.ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(work, range(50)))) == 50
    with mp.Lock():
        pass
    m = shared_memory.SharedMemory(create=True, size=4096)
    m.buf[:5] = b'hello'
    m.close()
    m.unlink()
    a, b = mp.Pipe()
    a.send([1, 2])
    print(b.recv())
''')
    r = inside([PYTHON, f'{os.getcwd()}/p/script.py'], ro='p', timeout=60)
    eq(r.ok().out, '[1, 2]\n')


@test
def a_virtual_environment():
    os.mkdir('p')
    r = inside(['sh', '-ec', '''
        python3 -m venv --without-pip v
        . v/bin/activate
        echo 'value = 6 * 7' >"$(echo v/lib/python3*/site-packages)/t.py"
        python -c 'import t, sys; print(t.value, sys.prefix)'
    '''], rw='p', cwd=os.getcwd() + '/p')
    eq(r.ok().out, f'42 {os.getcwd()}/p/v\n')


MAKEFILE = '''
OBJS = main.o part.o
prog: $(OBJS)
\t$(CC) $(LDFLAGS) -o $@ $(OBJS) -lm -lpthread
%.o: %.c part.h
\t$(CC) -O2 -Wall -Werror -c -o $@ $<
test: prog
\t./prog 9 | grep -qx 3
\t@echo passed
'''


@test
def a_build_in_c():
    need('make', 'gcc')
    write('p/Makefile', MAKEFILE)
    write('p/part.h', 'double part(double);\n')
    write('p/part.c', '#include <math.h>\n#include "part.h"\n'
          'double part(double x) { return sqrt(x); }\n')
    write('p/main.c', '#include <pthread.h>\n#include <stdio.h>\n'
          '#include <stdlib.h>\n#include "part.h"\n'
          'static void *go(void *a) { printf("%g\\n", part(atof(a))); '
          'return 0; }\nint main(int c, char **v) { pthread_t t; '
          'pthread_create(&t, 0, go, v[1]); pthread_join(t, 0); return 0; }\n')
    r = inside(['make', '-j4', 'test'], rw='p', cwd=os.getcwd() + '/p')
    has(r.ok().out, 'passed')
    check(os.access('p/prog', os.X_OK), 'the program is there')
    eq(run([os.getcwd() + '/p/prog', '16']).ok().out, '4\n')
    # A compiler error is the build's, not ours.
    write('p/part.c', 'this is no C\n')
    inside(['make'], rw='p', cwd=os.getcwd() + '/p').failed(2, 'part.c:1')


def git(*args, cwd=None):
    return run(['git', '-c', 'user.name=A', '-c', 'user.email=a@example.org',
                '-c', 'init.defaultBranch=main', *args], cwd=cwd).ok()


def repository():
    """A project with a test-suite, under version control."""
    os.mkdir('origin')
    write('origin/calc.py', 'def add(a, b):\n    return a + b\n')
    write('origin/test_calc.py', 'import unittest\nfrom calc import add\n'
          'class T(unittest.TestCase):\n'
          '    def test_add(self):\n        self.assertEqual(add(2, 3), 5)\n')
    git('init', '-q', cwd='origin')
    git('add', '.', cwd='origin')
    git('commit', '-q', '-m', 'first', cwd='origin')


@test
def a_clone_and_its_test_suite():
    need('git')
    repository()
    os.mkdir('work')
    here = os.getcwd()
    r = inside(['sh', '-ec', f'''
        git clone -q {here}/origin copy
        cd copy
        python3 -B -m unittest -q
        git config user.name A
        git config user.email a@example.org
        echo '# more' >>calc.py
        git commit -q -a -m second
        git log --oneline | wc -l
        git status --short
    '''], ro='origin', rw='work', cwd=f'{here}/work').ok()
    eq(r.out.split(), ['2'])
    has(r.err, 'OK')
    # The clone is good outside too, and the origin is as it was.
    eq(git('log', '--format=%s', cwd='work/copy').out.split(),
       ['second', 'first'])
    eq(git('log', '--format=%s', cwd='origin').out.split(), ['first'])
    git('fsck', '--strict', cwd='work/copy')


@test
def a_failing_test_suite_fails():
    need('git')
    repository()
    write('origin/calc.py', 'def add(a, b):\n    return a - b\n')
    r = inside([PYTHON, '-B', '-m', 'unittest', '-q'], ro='origin',
               cwd=os.getcwd() + '/origin')
    r.failed(1, 'AssertionError: -1 != 5')


NODE = '''
const fs = require('fs'), path = require('path'), zlib = require('zlib');
const { Worker, isMainThread, parentPort } = require('worker_threads');
if (!isMainThread) { parentPort.postMessage(6 * 7); return; }
(async () => {
  await fs.promises.mkdir('out/deep', { recursive: true });
  const data = Buffer.alloc(1 << 20, 'x');
  await fs.promises.writeFile('out/deep/data.gz', zlib.gzipSync(data));
  const back = zlib.gunzipSync(await fs.promises.readFile('out/deep/data.gz'));
  const { spawnSync } = require('child_process');
  const child = spawnSync('sh', ['-c', 'echo $((1+1))']);
  const answer = await new Promise((ok) =>
    new Worker(__filename).on('message', ok));
  let refused = '';
  try { fs.readFileSync(process.argv[2]); } catch (e) { refused = e.code; }
  console.log(JSON.stringify([back.length, child.stdout.toString(), answer,
    refused]));
})();
'''


@test
def a_node_script():
    node = shutil.which('node')
    if not node:
        skip('no program node')
    if not os.access(os.path.realpath(node), os.X_OK):
        skip('node is not executable for this user')
    write('p/script.js', NODE)
    secret = write('secret', 'x')
    r = inside([node, 'script.js', secret], rw='p', flags=['--tools'],
               cwd=os.getcwd() + '/p', timeout=60).ok()
    eq(json.loads(r.out), [1 << 20, '2\n', 42, 'ENOENT'])
    check(os.path.getsize('p/out/deep/data.gz') > 100, 'written')


@test
def tools_of_the_base():
    """What scripts use without thinking."""
    r = inside(['bash', '-euc', '''
        seq 100 | awk '{ s += $1 } END { print s }'
        printf 'b\\na\\n' | sort | tr '\\n' ' '
        find /usr/bin -maxdepth 1 -name 'env' | xargs basename
        tar c -C /etc hostname | tar t
        date -u -d @0 +%Y
        mktemp | grep -c /tmp/
        echo hi | gzip | gunzip
        diff <(echo a) <(echo a) && echo same
        perl -e 'print "perl\\n"'
        cat <<< "here"
        (exit 3) || echo "status $?"
        sed 's/a/b/' <<EOF
a
EOF
    ''']).ok()
    eq(r.out.split('\n'), ['5050', 'a b env', 'hostname', '1970', '1', 'hi',
                           'same', 'perl', 'here', 'status 3', 'b', ''])


@test
def locales_and_times():
    r = inside(['python3', '-c', 'import sys; print(sys.stdout.encoding, '
                '"\\u00e4\\u4e2d")']).ok()
    eq(r.out, 'utf-8 \u00e4\u4e2d\n')
    eq(inside(['date', '-d', '@0', '+%H:%M'], env={'TZ': 'Asia/Tokyo'})
       .ok().out, '09:00\n')


@test
def sockets_of_its_own():
    """There is no network, but a loopback that is all its own."""
    r = inside('''
        import threading
        server = socket.create_server(('127.0.0.1', 8080))
        six = socket.create_server(('::1', 8080), family=socket.AF_INET6)
        def serve(s):
            c, _ = s.accept()
            c.sendall(b'hello')
            c.close()
        for s, address in ((server, ('localhost', 8080)), (six, ('::1', 8080))):
            threading.Thread(target=serve, args=(s,)).start()
            print(socket.create_connection(address).recv(9).decode())
        a, b = socket.socketpair()
        a.send(b'pair')
        print(b.recv(9).decode())
        u = socket.socket(socket.AF_UNIX)
        u.bind('/tmp/s')
        print(stat.S_ISSOCK(os.stat('/tmp/s').st_mode))
    ''').ok()
    eq(r.out.split(), ['hello', 'hello', 'pair', 'True', 'done'])


@test
def a_name_server_that_is_not_there_fails_at_once():
    r = inside('try:\n    socket.getaddrinfo("example.org", 80)\n'
               'except socket.gaierror as e:\n    print("none", e)')
    has(r.ok().out, 'none')
    within(r.seconds, 5, 's')


@test
def large_files_and_trees():
    os.mkdir('w')
    r = inside(['sh', '-ec', '''
        mkdir -p a/b/c && cd a/b/c
        for i in $(seq 300); do echo $i >f$i; done
        head -c 20000000 /dev/urandom >big
        cp big copy && cmp big copy && ln big link && ln -s big sym
        mv copy moved && rm moved && truncate -s 10G sparse
        ls | wc -l
    '''], rw='w', cwd=os.getcwd() + '/w').ok()
    eq(r.out.strip(), '304')
    eq(os.stat('w/a/b/c/big').st_nlink, 2)
    eq(os.stat('w/a/b/c/sparse').st_size, 10 << 30)


@test
def a_program_of_the_granted_directory():
    write('p/tool', '#!/bin/sh\necho "tool $1"\n', mode=0o755)
    here = os.getcwd()
    eq(inside([f'{here}/p/tool', 'x'], ro='p').ok().out, 'tool x\n')
    eq(inside(['./tool', 'y'], ro='p', cwd=f'{here}/p').ok().out, 'tool y\n')
    eq(inside(['tool', 'z'], ro='p', env={'PATH': f'{here}/p:/bin'}).ok().out,
       'tool z\n')
    # Without "#!" too, as a shell would do.
    write('p/bare', 'echo bare $1\n', mode=0o755)
    eq(inside([f'{here}/p/bare', 'x'], ro='p').ok().out, 'bare x\n')


@test
def two_at_once_in_the_same_directory():
    os.mkdir('w')
    script = ('for i in $(seq 200); do echo $0$i >>log; done; '
              'hostname >host$0; echo $$ >pid$0')
    both = [spawn([MXC, *mxc_args(['sh', '-c', script, name], rw='w',
                                  cwd=os.getcwd() + '/w')])
            for name in ('a', 'b')]
    for p in both:
        eq((p.communicate(timeout=30)[1], p.returncode), (b'', 0))
    lines = read('w/log').split()
    eq(len(lines), 400)
    for name in ('a', 'b'):
        eq([x for x in lines if x[0] == name],
           [f'{name}{i}' for i in range(1, 201)])


@test
def a_sandbox_in_a_sandbox_is_refused_with_the_reason():
    """The first thing that is missing inside is named, and what helps."""
    # A sanitizer would look for leaks by ptrace(2), which is not allowed.
    quiet = {'ASAN_OPTIONS': 'detect_leaks=0'}
    r = inside([MXC, 'run', '--', 'true'], ro=MXC.parent.parent, env=quiet)
    eq(r.out, '')
    r.failed(125, 'no sandbox can be made here: user.max_user_namespaces is 0',
             'inside of a sandbox none can be made')


main()
