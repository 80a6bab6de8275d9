#!/usr/bin/env python3
"""What libmxc_ffi.so exports, needs and leaves behind, and its layouts."""

import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '..', 'lib'))
from tap import *  # noqa: E402,F403
from ffi import FUNCTIONS, ORACLE, OURS, is_sanitized  # noqa: E402


def tool(*argv):
    return subprocess.run(argv, check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def exported(path):
    rows = [r.split() for r in
            tool('nm', '-D', '--defined-only', path).splitlines()]
    return sorted(r[-1] for r in rows)


@test
def exports_the_44_of_the_original():
    eq(exported(OURS), sorted(FUNCTIONS), 'symbols')
    eq(len(FUNCTIONS), 44)


@test
def exports_what_the_original_does():
    if not ORACLE.exists():
        skip('no package @microsoft/mxc-sdk 1.0.1 (tools/fetch-oracle)')
    eq(exported(OURS), exported(ORACLE), 'symbols')


@test
def header_declares_them_all():
    text = (TOP / 'include/mxc/mxc_ffi.h').read_text()
    names = re.findall(r'^MXC_FFI_API[^;(]*?\b(mxc_\w+)\(', text, re.M)
    eq(sorted(names), sorted(FUNCTIONS))


@test
def needs_nothing_but_libc():
    if is_sanitized():
        skip('a sanitizer brings its own libraries')
    needed = re.findall(r'\(NEEDED\).*\[(.*)\]', tool('readelf', '-d', OURS))
    eq(needed, ['libc.so.6'])


@test
def can_be_unloaded():
    """No thread, and nothing that libc would call after dlclose(3)."""
    if is_sanitized():
        skip('a sanitizer does all of this')
    undefined = tool('nm', '-D', '--undefined-only', OURS)
    for name in ('pthread_create', 'atexit', 'on_exit', '__cxa_atexit',
                 '__cxa_thread_atexit_impl', 'pthread_key_create',
                 'pthread_atfork', '__register_atfork', 'signal',
                 'tss_create', 'thrd_create'):
        check(not re.search(rf'\b{name}(@|$)', undefined, re.M), name)
    headers = tool('readelf', '-lW', OURS)
    lacks(headers, ' TLS ')
    lacks(tool('readelf', '-d', OURS), 'NODELETE')
    has(headers, 'GNU_RELRO')
    lacks(headers, 'RWE')


@test
def layouts_are_those_of_the_original():
    source = '''
        #include <stddef.h>
        #include <mxc/mxc_ffi.h>
        #define IS(s, f, at) _Static_assert(offsetof(s, f) == (at), #s "." #f)
        _Static_assert(sizeof(MxcErrorDetail) == 32, "");
        IS(MxcErrorDetail, message_utf8, 0);
        IS(MxcErrorDetail, operation_utf8, 8);
        IS(MxcErrorDetail, native_code_utf8, 16);
        IS(MxcErrorDetail, remediation_utf8, 24);
        _Static_assert(sizeof(MxcRunResult) == 80, "");
        IS(MxcRunResult, status, 0);
        IS(MxcRunResult, exit_code, 4);
        IS(MxcRunResult, timed_out, 8);
        IS(MxcRunResult, stdout_utf8, 16);
        IS(MxcRunResult, stderr_utf8, 24);
        IS(MxcRunResult, error, 32);
        IS(MxcRunResult, output_metadata_json_utf8, 64);
        IS(MxcRunResult, warnings_json_utf8, 72);
        _Static_assert(sizeof(MxcStateAwareResult) == 48, "");
        IS(MxcStateAwareResult, status, 0);
        IS(MxcStateAwareResult, response_json_utf8, 8);
        IS(MxcStateAwareResult, error, 16);
        _Static_assert(sizeof(MxcNativeStdio) == 24, "");
        IS(MxcNativeStdio, stdin_handle, 0);
        IS(MxcNativeStdio, stdout_handle, 8);
        IS(MxcNativeStdio, stderr_handle, 16);
        _Static_assert(sizeof(MxcExecOutcome) == 8, "");
        IS(MxcExecOutcome, timed_out, 0);
        IS(MxcExecOutcome, exit_code, 4);
        int main(void) { return 0; }
    '''
    for language in (['gcc', '-std=c11'], ['gcc', '-std=c99', '-include',
                                           'assert.h'], ['g++']):
        text = source
        if language[0] == 'g++':
            text = source.replace('_Static_assert', 'static_assert')
        kind = 'c++' if language[0] == 'g++' else 'c'
        p = subprocess.run(
            [*language, '-Wall', '-Werror', f'-I{TOP}/include', '-x', kind,
             '-fsyntax-only', '-'], input=text, text=True,
            stderr=subprocess.PIPE)
        eq(p.returncode, 0, p.stderr)


@test
def cannot_be_mixed_with_libmxc():
    p = subprocess.run(
        ['gcc', f'-I{TOP}/include', '-x', 'c', '-fsyntax-only', '-'],
        input='#include <mxc/mxc.h>\n#include <mxc/mxc_ffi.h>\n', text=True,
        stderr=subprocess.PIPE)
    check(p.returncode != 0)
    has(p.stderr, 'functions of the same names')


main()
