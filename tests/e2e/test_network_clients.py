#!/usr/bin/env python3
"""Programs as they are, with a name that policy allows and one that it does
not: web clients, git, package managers, a database, ssh."""

import hashlib
import os
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from internet import *  # noqa: E402,F403

net = internet()
ALLOW = ['--allow-host', 'example.test']
# What a client may take to say so, its own start included.
SOON = 3.0


def works(argv, *flags, said='', control=True, **options):
    """The same outside and inside; answers the inside's."""
    if control:
        has(net.host(*argv, **options).ok().out, said)
    net.fresh()
    r = net.inside(argv, *ALLOW, *flags, **options).ok()
    has(r.out, said)
    eq({name for name, _ in net.queries()}, {'example.test'}, 'queries')
    return r


def is_refused(argv, status, *said, **options):
    """It works outside; inside it fails soon, and nothing leaves."""
    net.host(*argv, **options).ok()
    net.fresh()
    r = net.inside(argv, *ALLOW, **options).failed(status, *said)
    net.nothing_came()
    within(r.seconds, SOON, r)


# --- curl ------------------------------------------------------------------

@cases({'https': 'https://example.test/', 'http': 'http://example.test/',
        'v4': '-4 https://example.test/', 'v6': '-6 https://example.test/',
        'another port': 'https://example.test:8443/',
        'plain on 8080': 'http://example.test:8080/'})
def curl(url):
    works(['curl', '-sS', *url.split()], said='example.test')
    eq([r['host'].split(':')[0] for r in net.requests()], ['example.test'])


@cases({'https': 'https://other.test/', 'http': 'http://other.test/',
        'v6': '-6 http://other.test/'})
def curl_elsewhere(url):
    is_refused(['curl', '-sS', *url.split()], 6, 'Could not resolve host')


@cases({'v4': WEB, 'v6': f'[{WEB6}]'})
def curl_by_address(address):
    is_refused(['curl', '-sS', f'http://{address}/'], 7, 'connect')


@cases({'length': 'bytes', 'chunks': 'chunked'})
def a_download(how):
    size = 20_000_000
    r = works(['curl', '-sS', f'https://example.test/{how}/{size}'],
              control=False)
    eq(hashlib.sha256(r.out_bytes).hexdigest(),
       hashlib.sha256(pattern(size)).hexdigest())


@test
def an_upload():
    data = pattern(20_000_000)
    r = works(['curl', '-sS', '--data-binary', '@-', '-H', 'Expect:',
               'https://example.test/upload'], input=data, control=False)
    eq(r.out, f'{len(data)} {hashlib.sha256(data).hexdigest()}\n')


@test
def an_upload_that_waits_for_100_continue():
    data = pattern(2_000_000)
    r = works(['curl', '-sS', '-T', '-', '-H', 'Expect: 100-continue',
               'http://example.test/upload'], input=data)
    eq(r.out, f'{len(data)} {hashlib.sha256(data).hexdigest()}\n')


@cases({'https': 'https', 'http': 'http'})
def keep_alive(scheme):
    works(['curl', '-sS', *[f'{scheme}://example.test/slow/{n}'
                            for n in (1, 300, 2)]], said='slow\nslow\nslow\n')
    eq(len(net.log('tcp')), 1, 'connections')


@test
def a_redirect_is_followed_where_policy_allows():
    to = 'https://example.test:8443/'
    works(['curl', '-sSL', f'http://example.test/redirect?to={to}'],
          said='example.test:8443 at')


@test
def the_same_name_in_upper_case():
    for scheme in ('http', 'https'):
        works(['curl', '-sS', f'{scheme}://EXAMPLE.Test/'], said=' at ')


@test
def the_answer_of_events_as_they_come():
    r = works(['curl', '-sSN', 'http://example.test/events/100'])
    eq(r.out.count('data: '), 100)


# --- git -------------------------------------------------------------------

CLONE = ['git', '-c', 'advice.detachedHead=false', 'clone', '-q']


@test
def git_over_https():
    need('git')
    r = works(['sh', '-c', f'cd /tmp && rm -rf demo && {" ".join(CLONE)} '
               'https://example.test/git/demo.git && cat demo/README && '
               'rm -rf demo'])
    eq(r.out, 'hello from git\n')


@test
def git_over_https_elsewhere():
    need('git')
    is_refused(['git', 'ls-remote', 'https://other.test/git/demo.git'], 128,
               'Could not resolve host: other.test')


def ssh_command():
    return {'GIT_SSH_COMMAND': ' '.join(['ssh', *net.ssh()])}


@test
def git_over_ssh():
    need('git', 'ssh', 'dropbear')
    env = ssh_command()
    url = f'ssh://git@example.test{FOLDER}/git/demo.git'
    net.host('git', 'ls-remote', url, env=env).ok()
    r = net.inside(['sh', '-c', f'cd /tmp && {" ".join(CLONE)} {url} && '
                    'cat demo/README'], *ALLOW, '--ro', f'{FOLDER}/ssh',
                   '--env', f'GIT_SSH_COMMAND={env["GIT_SSH_COMMAND"]}').ok()
    eq(r.out, 'hello from git\n')


@test
def git_over_ssh_elsewhere():
    need('git', 'ssh', 'dropbear')
    env = ssh_command()
    url = f'ssh://git@other.test{FOLDER}/git/demo.git'
    net.host('git', 'ls-remote', url, env=env).ok()
    net.fresh()
    r = net.inside(['git', 'ls-remote', url], *ALLOW, '--ro', f'{FOLDER}/ssh',
                   '--env', f'GIT_SSH_COMMAND={env["GIT_SSH_COMMAND"]}')
    r.failed(128, 'Could not resolve hostname other.test')
    net.nothing_came()


# --- package managers ------------------------------------------------------

def pip(host):
    return [PYTHON, '-m', 'pip', 'download', '-q', '--no-cache-dir',
            '--disable-pip-version-check', '--no-deps', '--retries', '0',
            '-d', '/tmp/wheels-of-mxc', '--index-url',
            f'https://{host}/simple/', 'demo']


def has_pip():
    if run([PYTHON, '-m', 'pip', '--version']).status:
        skip('no pip')


@test(seconds=90)
def pip_download():
    has_pip()
    line = ' '.join(pip('example.test'))
    end = 'ls /tmp/wheels-of-mxc; rm -r /tmp/wheels-of-mxc'
    r = works(['sh', '-c', f'{line} && {end}'])
    eq(r.out, 'demo-1.0-py3-none-any.whl\n')


@test(seconds=90)
def pip_download_elsewhere():
    has_pip()
    net.host(*pip('other.test')).ok()
    run(['rm', '-r', '/tmp/wheels-of-mxc'])
    net.fresh()
    r = net.inside(pip('other.test'), *ALLOW).ok(1)
    has(r.err, 'No matching distribution')
    net.nothing_came()


NPM = ('mkdir -p "$TMPDIR/n" && cd "$TMPDIR/n" && npm install --no-audit '
       '--no-fund --loglevel error --fetch-retries 0 --cache "$TMPDIR/n/c" '
       '--registry https://{}/npm/ demo >&2 && '
       'node -p "require(\\"demo\\")"')


@test(seconds=90)
def npm_install():
    need('npm')
    os.mkdir('t')
    line = NPM.format('example.test')
    r = net.host('sh', '-c', line, env={'TMPDIR': os.path.abspath('t')}).ok()
    eq(r.out, 'demo from npm\n')
    net.fresh()
    r = net.inside(['sh', '-c', line], *ALLOW).ok()
    eq(r.out, 'demo from npm\n')
    eq({name for name, _ in net.queries()}, {'example.test'}, 'queries')


@test(seconds=90)
def npm_install_elsewhere():
    need('npm')
    r = net.inside(['sh', '-c', NPM.format('other.test')], *ALLOW)
    check(r.status != 0, r)
    has(r.err, 'ENOTFOUND')
    net.nothing_came()


# --- languages -------------------------------------------------------------

FETCH = '''
fetch("https://HOST/").then(async (r) => {
    console.log(await r.text());
}).catch((e) => { console.log(e.cause.code); process.exit(3); });
'''


@test
def node_fetch():
    need('node')
    works(['node', '-e', FETCH.replace('HOST', 'example.test')],
          said='example.test at')


@cases({'name': ('other.test', 'ENOTFOUND'), 'v4': (WEB, 'EHOSTUNREACH'),
        'v6': (f'[{WEB6}]', 'EACCES')})
def node_fetch_elsewhere(host, code):
    need('node')
    r = net.inside(['node', '-e', FETCH.replace('HOST', host)], *ALLOW).ok(3)
    eq(r.out, code + '\n')
    net.nothing_came()


ASYNC = '''
import asyncio, ssl
async def get(tls):
    r, w = await asyncio.open_connection(
        "example.test", 443 if tls else 80,
        ssl=ssl.create_default_context() if tls else None)
    w.write(b"GET /bytes/100000 HTTP/1.1\\r\\nHost: example.test\\r\\n"
            b"Connection: close\\r\\n\\r\\n")
    return len((await r.read()).split(b"\\r\\n\\r\\n", 1)[1])
async def main():
    print(await asyncio.gather(*[get(i % 2) for i in range(20)]))
asyncio.run(main())
'''


@test
def python_asyncio():
    works([PYTHON, '-c', ASYNC], said=str([100000] * 20))


@test
def python_urllib_sends_no_name_elsewhere():
    code = ('import urllib.request as u\n'
            'print(u.urlopen("https://{}/").read())')
    works([PYTHON, '-c', code.format('example.test')], said='example.test at')
    is_refused([PYTHON, '-c', code.format('other.test')], 1,
               'Name or service not known')


# --- others ----------------------------------------------------------------

@test
def a_database():
    need('psql')
    psql = ['psql', '-w', '-U', 'me', '-Atc', 'select 1', '-h']
    works([*psql, 'example.test'], said='you said select 1\n')
    is_refused([*psql, 'other.test'], 2,
               'could not translate host name "other.test"')


@test
def only_the_port_that_is_named():
    get = ['curl', '-sS', '--connect-timeout', '5']
    flags = ['--allow-host', 'example.test:443']
    net.inside([*get, 'https://example.test/'], *flags).ok()
    net.fresh()
    for url in ('http://example.test/', 'https://example.test:8443/'):
        r = net.inside([*get, url], *flags).failed(7)
        within(r.seconds, SOON, r)
    eq(net.packets(proto='tcp'), [])


@test
def two_names():
    for name in ('example.test', 'other.test'):
        r = net.inside(['curl', '-sS', f'https://{name}/'], *ALLOW,
                       '--allow-host', 'other.test').ok()
        has(r.out, f'{name} at')


@test
def a_wildcard():
    flags = ['--allow-host', '*.wild.test']
    net.dns['*.wild.test'] = A(WEB), AAAA(WEB6)
    net.dns['wild.test'] = A(WEB), AAAA(WEB6)
    for name in ('a.wild.test', 'b.a.wild.test'):
        r = net.inside(['curl', '-sS', f'https://{name}/'], *flags).ok()
        has(r.out, f'{name} at')
    net.fresh()
    net.inside(['curl', '-sS', 'https://wild.test/'], *flags).failed(6)
    net.nothing_came()


main()
