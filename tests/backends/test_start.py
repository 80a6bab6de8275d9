#!/usr/bin/env python3
"""Starts on every backend: arguments, environment and directory exactly as
asked for; bad input and an unusable host refused with a remedy."""

import json
import os
import shutil
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403
from contract import (  # noqa: E402
    BACKEND, EXIT_MXC, NAME, by_name, refused, request, submit, unchanged)

ARGUMENTS = {
    'spaces': 'two  words ',
    'quotes': '"double" \'single\' `back`',
    'shell': '$HOME $(id) ; & | > x * ? ~',
    'newlines': 'a\nb\n\n',
    'empty': '',
    'a dash': '--',
    'an option': '--backend',
    'equals': 'A=b',
    'backslash': '\\n\\0 \\',
    'not UTF-8': b'\xff\xfe\x80'.decode('utf-8', 'surrogateescape'),
    'wide': '\u00e9 \u4e16 \U0001f600',
    'control': '\x01\x1b[0m\x7f',
    'long': 'x' * 100000,
}
SHOW = 'import json, os, sys; print(json.dumps({}))'


def shown(expression, *argv, **grants):
    """A Python expression, as the workload sees it."""
    return inside([PYTHON, '-I', '-c', SHOW.replace('{}', expression), *argv],
                  **grants).ok().json()


@cases({name: (text,) for name, text in ARGUMENTS.items()})
def an_argument(text):
    eq(shown('sys.argv[1:]', text), [text])


@test
def many_arguments_in_their_order():
    words = [f'{n} ' * (n % 3) for n in range(3000)]
    eq(shown('sys.argv[1:]', *words), words)


@test
def the_name_of_the_program_is_the_first_word():
    eq(inside(['sh', '-c', 'tr "\\0" "|" </proc/$$/cmdline', 'a b', '', 'c']
              ).ok().out, 'sh|-c|tr "\\0" "|" </proc/$$/cmdline|a b||c|')


@cases({name: (text,) for name, text in ARGUMENTS.items() if text != ''})
def a_variable(text):
    eq(shown('os.environ["V"]', env={'V': text}), text)


@test
def an_empty_variable_is_there():
    eq(shown('os.environ.get("V")', env={'V': ''}), '')


@test
def nothing_of_the_callers_environment():
    mine = {'MXC_SECRET_OF_MINE': 'canary', 'PYTHONPATH': '/canary',
            'BASH_ENV': '/canary',
            'http_proxy': 'http://canary', 'DBUS_SESSION_BUS_ADDRESS': 'canary',
            'LC_CANARY': 'canary', 'container': 'canary'}
    r = inside(['sh', '-c', 'tr "\\0" "\\n" </proc/self/environ'],
               host_env=mine).ok()
    lacks(r.out, 'canary')
    names = {line.split('=')[0] for line in r.out.splitlines()}
    allowed = {'PATH', 'TERM', 'HOME', 'USER', 'LOGNAME', 'LANG', 'TMPDIR',
               'PWD'}
    eq(names - allowed, set(), 'names')


@test
def a_request_says_all_of_the_environment():
    r = submit(request(command='env', process={'env': ['A=1', 'B=x y']}))
    got = dict(line.split('=', 1) for line in r.ok().out.splitlines())
    for name in ('PWD', 'SHLVL', '_', 'OLDPWD'):    # the shell's own
        got.pop(name, None)
    eq(got, {'A': '1', 'B': 'x y'})


@cases({'plain': ('dir',), 'spaces': (' a  b ',), 'newline': ('a\nb',),
        'quotes': ('"\'$x',), 'leading dash': ('-x',)})
def a_directory(name):
    os.mkdir(name)
    path = os.path.realpath(name)
    eq(shown('os.getcwd()', rw=path, cwd=path), path)
    write(f'{name}/file', 'there')
    eq(shown('open("file").read()', ro=path, cwd=path), 'there')


@test
def without_a_directory_it_starts_in_its_home():
    eq(shown('[os.getcwd(), os.environ["HOME"], os.listdir(".")]'),
       ['/home/user', '/home/user', []])


@cases({'not there': 'no/such', 'a file': 'file', 'not granted': 'w'})
def a_directory_that_cannot_be(name):
    write('file')
    os.mkdir('w')
    r = inside(['echo', 'ran'], cwd=os.path.abspath(name))
    r.failed(EXIT_MXC, 'mxc: ')
    eq(r.out, '')


BAD = {
    'an unknown field': ({'filesystem': {'readwrite': ['/tmp']}},
                         'malformed_request'),
    'a wrong type': ({'process': {'timeout': 'soon'}}, 'malformed_request'),
    'a missing path': ({'filesystem': {'readonlyPaths': ['/no/such/path']}},
                       'policy_validation'),
    'a relative path': ({'filesystem': {'readonlyPaths': ['here']}},
                        'policy_validation'),
    'an unknown backend': ({'containment': 'hyperspace'},
                           'malformed_request'),
}


@cases(BAD)
def bad_input(sections, code):
    document = request(**sections)
    document.setdefault('containment', NAME)
    r = submit(document)
    r.failed(EXIT_MXC)
    eq(r.out, '')
    eq(json.loads(read('r.json'))['error']['code'], code, str(r))


@test
def the_request_may_name_the_backend():
    use_backend(None)
    eq(submit(request(**by_name())).ok().out, 'ran\n')
    eq(json.loads(read('r.json'))['backend'], NAME)


@test
def the_result_names_the_backend():
    inside(['true'], flags=['--json', 'r.json']).ok()
    eq(json.loads(read('r.json'))['backend'], NAME)


HIDE = '''
cover=$1; shift
while test "$1" != --; do mount --bind "$cover" "$1" || exit 99; shift; done
shift; exec setpriv --inh-caps=-all --ambient-caps=-all "$@"
'''


def on_a_host_with(cover, *argv):
    """A run where another file stands at each program that is needed."""
    unshare = ['unshare', '--mount'] if IS_ROOT else [
        'unshare', '--user', '--map-current-user', '--keep-caps', '--mount']
    hidden = [os.path.realpath(shutil.which(p)) for p in BACKEND.needs]
    r = run([*unshare, 'sh', '-c', HIDE, 'sh', cover, *hidden, '--', MXC,
             *mxc_args(argv, flags=['--json', os.path.abspath('r.json')])])
    check(r.status != 99, f'cannot be tried here: {r}')
    return r


@test
def a_host_that_lacks_what_it_needs():
    def work():
        r = on_a_host_with('/dev/null', 'echo', 'ran')
        if not BACKEND.needs:
            eq(r.ok().out, 'ran\n')
        else:
            error = refused(r, 'backend_unavailable')
            for name in BACKEND.needs:
                has(error['message'] + error['remediation'], name)
        os.unlink('r.json')
    unchanged(work)


def a_runtime_that_fails():
    def work():
        refused(on_a_host_with('/bin/false', 'echo', 'ran'),
                'backend_error')
        os.unlink('r.json')
    unchanged(work)


if BACKEND.needs:
    test(a_runtime_that_fails)


@test
def nothing_on_the_path_is_needed():
    """mxc's caller may have any PATH: no helper is looked for there."""
    eq(inside(['echo', 'ran'], host_env={'PATH': '/nowhere'}).ok().out,
       'ran\n')


main()
