"""ffi.py - libmxc_ffi.so through ctypes: ours, and MXC's own.

    lib = Library(path)
    r = lib.run({'version': '1.0.0', ...})      # Result: status, exit, out, ...
    box = lib.spawn({...})                      # Sandbox
    lib.raw.mxc_version()                       # the bare functions

Each wrapper frees what the call gave, so that a test reads values alone.
"""

import ctypes
import json
import os
import pathlib
import sys
from ctypes import (CFUNCTYPE, POINTER, byref, c_char_p, c_int32, c_size_t,
                    c_ssize_t, c_uint16, c_uint32, c_uint8, c_void_p)

import sanitizer

TOP = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = 'node_modules/@microsoft/mxc-sdk'
MXC = pathlib.Path(os.environ.get('MXC', TOP / 'build/tree/bin/mxc'))
OURS = pathlib.Path(os.environ.get(
    'MXC_FFI', MXC.absolute().parents[1] / 'lib/libmxc_ffi.so')).absolute()
ORACLE = pathlib.Path(os.environ.get(
    'MXC_ORACLE_FFI', TOP / 'build/oracle' / PACKAGE / 'bin/x64/libmxc_ffi.so'))


class Detail(ctypes.Structure):
    _fields_ = [(n, c_void_p) for n in (
        'message', 'operation', 'native_code', 'remediation')]


class RunResult(ctypes.Structure):
    _fields_ = [('status', c_int32), ('exit_code', c_int32),
                ('timed_out', c_int32), ('out', c_void_p), ('err', c_void_p),
                ('error', Detail), ('metadata', c_void_p),
                ('warnings', c_void_p)]


class StateResult(ctypes.Structure):
    _fields_ = [('status', c_int32), ('response', c_void_p),
                ('error', Detail)]


class NativeStdio(ctypes.Structure):
    _fields_ = [(n, c_ssize_t) for n in ('stdin', 'stdout', 'stderr')]


class Outcome(ctypes.Structure):
    _fields_ = [('timed_out', c_int32), ('exit_code', c_int32)]


ALLOW_ALL = {'egress': {'default': 'allow'},
             'ingress': {'default': 'allow', 'hostLoopback': 'allow'}}
PRESENTER = CFUNCTYPE(c_int32, c_void_p, c_void_p)
I, P, S, Z = c_int32, c_void_p, c_char_p, c_size_t
OUT, U16 = POINTER(c_void_p), c_uint16
DETAIL = POINTER(Detail)

# name: (what it returns, what it takes)
FUNCTIONS = {
    'mxc_available_backends_json': (P, []),
    'mxc_error_detail_free': (None, [DETAIL]),
    'mxc_exec_state_aware_attached_json':
        (I, [S, I, POINTER(Outcome), DETAIL]),
    'mxc_exec_state_aware_json': (I, [S, I, OUT, DETAIL]),
    'mxc_native_pipe_close': (None, [c_ssize_t]),
    'mxc_platform_support_json': (P, []),
    'mxc_read_stream_free': (None, [P]),
    'mxc_run_json': (I, [S, I, POINTER(RunResult)]),
    'mxc_run_result_free': (None, [POINTER(RunResult)]),
    'mxc_run_state_aware_exec_json': (I, [S, I, POINTER(RunResult)]),
    'mxc_run_state_aware_json': (I, [S, I, I, POINTER(StateResult)]),
    'mxc_sandbox_free': (None, [P]),
    'mxc_sandbox_id': (c_uint32, [P]),
    'mxc_sandbox_kill': (I, [P]),
    'mxc_sandbox_kill_for_timeout': (I, [P]),
    'mxc_sandbox_output_metadata_json': (I, [P, OUT]),
    'mxc_sandbox_pty_resize': (I, [P, U16, U16]),
    'mxc_sandbox_stderr_closer': (P, [P]),
    'mxc_sandbox_stdout_closer': (P, [P]),
    'mxc_sandbox_take_native_stdio': (I, [P, POINTER(NativeStdio)]),
    'mxc_sandbox_take_stderr': (P, [P]),
    'mxc_sandbox_take_stdin': (P, [P]),
    'mxc_sandbox_take_stdout': (P, [P]),
    'mxc_sandbox_try_wait': (I, [P, POINTER(I), POINTER(I), POINTER(I)]),
    'mxc_sandbox_wait': (I, [P, POINTER(I), POINTER(I)]),
    'mxc_sandbox_warnings_json': (I, [P, OUT]),
    'mxc_spawn_json': (I, [S, I, OUT, DETAIL]),
    'mxc_spawn_pty_json': (I, [S, I, U16, U16, OUT, DETAIL]),
    'mxc_state_aware_exec_pty': (I, [S, I, U16, U16, OUT, DETAIL]),
    'mxc_state_aware_result_free': (None, [POINTER(StateResult)]),
    'mxc_stream_closer_close': (I, [P]),
    'mxc_stream_closer_free': (None, [P]),
    'mxc_stream_flush': (I, [P]),
    'mxc_stream_read': (I, [P, P, Z, POINTER(Z)]),
    'mxc_stream_write': (I, [P, S, Z, POINTER(Z)]),
    'mxc_string_free': (None, [P]),
    'mxc_telemetry_get_consent': (I, [OUT]),
    'mxc_telemetry_get_consent_status': (I, [OUT]),
    'mxc_telemetry_get_policy': (I, [OUT]),
    'mxc_telemetry_needs_consent_prompt': (I, [POINTER(I)]),
    'mxc_telemetry_request_consent': (I, [S, PRESENTER, P, OUT]),
    'mxc_telemetry_withdraw_consent': (I, [OUT]),
    'mxc_version': (S, []),
    'mxc_write_stream_free': (None, [P]),
}


def is_sanitized():
    """Was ours built with the sanitizers (`make asan`)?"""
    return sanitizer.is_sanitized(OURS)


def text(request):
    """What stands for a request: a dict, text, bytes, or None."""
    if isinstance(request, dict):
        request = json.dumps(request)
    return request.encode() if isinstance(request, str) else request


def peek(pointer):
    """The bytes at a pointer, or None."""
    return ctypes.string_at(pointer) if pointer else None


def one_shot(command, version='1.0.0', timeout=None, **more):
    process = {'commandLine': command}
    if timeout is not None:
        process['timeout'] = timeout
    return {'version': version, 'process': process, **more}


class Fault(Exception):
    """A call that failed: .status, .message and the others of its detail."""

    def __init__(self, status, detail=None):
        self.status = status
        for name, _ in Detail._fields_:
            value = peek(getattr(detail, name)) if detail else None
            setattr(self, name, value.decode() if value else value)
        super().__init__(f'status {status}: {self.message}')


class Result:
    """What mxc_run_json left, read and freed."""

    def __init__(self, lib, returned, r):
        self.returned, self.status = returned, r.status
        self.exit_code, self.timed_out = r.exit_code, r.timed_out
        self.out, self.err = peek(r.out), peek(r.err)
        self.metadata, self.warnings = peek(r.metadata), peek(r.warnings)
        self.fault = Fault(r.status, r.error)
        self.message = self.fault.message
        lib.mxc_run_result_free(byref(r))
        self.freed_twice = lib.mxc_run_result_free(byref(r))
        self.cleared = not any((r.out, r.err, r.metadata, r.warnings,
                                r.error.message))

    def __repr__(self):
        return str({k: v for k, v in vars(self).items() if k != 'fault'})


class Sandbox:
    """A handle; free() it, or let `with` do that."""

    def __init__(self, lib, handle):
        self.lib, self.handle = lib, handle

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.free()

    def free(self):
        self.lib.mxc_sandbox_free(self.handle)
        self.handle = None

    @property
    def id(self):
        return self.lib.mxc_sandbox_id(self.handle)

    def wait(self):
        """(status, exit code, timed out)"""
        code, late = I(77), I(77)
        status = self.lib.mxc_sandbox_wait(self.handle, byref(code),
                                           byref(late))
        return status, code.value, late.value

    def try_wait(self):
        """(status, exit code, running, timed out)"""
        code, running, late = I(77), I(77), I(77)
        status = self.lib.mxc_sandbox_try_wait(
            self.handle, byref(code), byref(running), byref(late))
        return status, code.value, running.value, late.value

    def kill(self):
        return self.lib.mxc_sandbox_kill(self.handle)

    def kill_for_timeout(self):
        return self.lib.mxc_sandbox_kill_for_timeout(self.handle)

    def resize(self, rows, columns):
        return self.lib.mxc_sandbox_pty_resize(self.handle, rows, columns)

    def stdin(self):
        return WriteStream.of(self.lib,
                              self.lib.mxc_sandbox_take_stdin(self.handle))

    def stdout(self):
        return ReadStream.of(self.lib,
                             self.lib.mxc_sandbox_take_stdout(self.handle))

    def stderr(self):
        return ReadStream.of(self.lib,
                             self.lib.mxc_sandbox_take_stderr(self.handle))

    def stdout_closer(self):
        return Closer.of(self.lib,
                         self.lib.mxc_sandbox_stdout_closer(self.handle))

    def stderr_closer(self):
        return Closer.of(self.lib,
                         self.lib.mxc_sandbox_stderr_closer(self.handle))

    def native(self):
        """(status, stdin, stdout, stderr)"""
        n = NativeStdio(99, 99, 99)
        status = self.lib.mxc_sandbox_take_native_stdio(self.handle, byref(n))
        return status, n.stdin, n.stdout, n.stderr

    def warnings(self):
        return self._json('mxc_sandbox_warnings_json')

    def metadata(self):
        return self._json('mxc_sandbox_output_metadata_json')

    def _json(self, name):
        out = c_void_p(99)
        status = getattr(self.lib, name)(self.handle, byref(out))
        if status:
            raise Fault(status)
        value = peek(out.value)
        self.lib.mxc_string_free(out)
        return json.loads(value) if value is not None else None


class Stream:
    free_with = None

    def __init__(self, lib, pointer):
        self.lib, self.pointer = lib, pointer

    @classmethod
    def of(cls, lib, pointer):
        return cls(lib, pointer) if pointer else None

    def free(self):
        getattr(self.lib, self.free_with)(self.pointer)
        self.pointer = None


class ReadStream(Stream):
    free_with = 'mxc_read_stream_free'

    def read(self, most=65536):
        buf, n = ctypes.create_string_buffer(most), c_size_t(9999)
        status = self.lib.mxc_stream_read(self.pointer, buf, most, byref(n))
        if status:
            raise Fault(status)
        return buf.raw[:n.value]

    def all(self):
        pieces = []
        while piece := self.read():
            pieces.append(piece)
        return b''.join(pieces)


class WriteStream(Stream):
    free_with = 'mxc_write_stream_free'

    def write(self, data):
        """Some of it: how many bytes."""
        n = c_size_t(9999)
        status = self.lib.mxc_stream_write(self.pointer, data, len(data),
                                           byref(n))
        if status:
            raise Fault(status)
        return n.value

    def write_all(self, data):
        while data:
            data = data[self.write(data):]

    def flush(self):
        return self.lib.mxc_stream_flush(self.pointer)


class Closer(Stream):
    free_with = 'mxc_stream_closer_free'

    def close(self):
        return self.lib.mxc_stream_closer_close(self.pointer)


class Library:
    def __init__(self, path):
        self.path = path
        sanitizer.preload(OURS)
        self.raw = self.lib = ctypes.CDLL(os.fspath(path))
        for name, (returns, takes) in FUNCTIONS.items():
            function = getattr(self.raw, name)
            function.restype, function.argtypes = returns, takes

    def run(self, request, experimental=0):
        r = RunResult(77, 77, 77)
        returned = self.raw.mxc_run_json(text(request), experimental, byref(r))
        return Result(self.raw, returned, r)

    def run_exec(self, request, experimental=0):
        r = RunResult(77, 77, 77)
        returned = self.raw.mxc_run_state_aware_exec_json(
            text(request), experimental, byref(r))
        return Result(self.raw, returned, r)

    def _start(self, name, *args):
        handle, detail = c_void_p(99), Detail()
        status = getattr(self.raw, name)(*args, byref(handle), byref(detail))
        fault = Fault(status, detail)
        self.raw.mxc_error_detail_free(byref(detail))
        self.raw.mxc_error_detail_free(byref(detail))
        if status:
            assert not handle.value, 'a handle beside an error'
            raise fault
        assert fault.message is None, fault.message
        return Sandbox(self.raw, handle.value)

    def spawn(self, request, experimental=0):
        return self._start('mxc_spawn_json', text(request), experimental)

    def spawn_pty(self, request, rows=24, columns=80, experimental=0):
        return self._start('mxc_spawn_pty_json', text(request), experimental,
                           rows, columns)

    def exec(self, request, experimental=0):
        return self._start('mxc_exec_state_aware_json', text(request),
                           experimental)

    def exec_pty(self, request, rows=24, columns=80, experimental=0):
        return self._start('mxc_state_aware_exec_pty', text(request),
                           experimental, rows, columns)

    def exec_attached(self, request, experimental=0):
        out, detail = Outcome(77, 77), Detail()
        status = self.raw.mxc_exec_state_aware_attached_json(
            text(request), experimental, byref(out), byref(detail))
        fault = Fault(status, detail)
        self.raw.mxc_error_detail_free(byref(detail))
        return fault

    def lifecycle(self, request, dry_run=0, experimental=0):
        """(status, response or None, fault)"""
        r = StateResult(77)
        status = self.raw.mxc_run_state_aware_json(
            text(request), dry_run, experimental, byref(r))
        assert status == r.status, (status, r.status)
        response, fault = peek(r.response), Fault(status, r.error)
        self.raw.mxc_state_aware_result_free(byref(r))
        self.raw.mxc_state_aware_result_free(byref(r))
        assert not r.response and not r.error.message
        return status, response, fault

    def owned(self, name):
        """A function that answers with a string of the caller's."""
        pointer = getattr(self.raw, name)()
        value = peek(pointer)
        self.raw.mxc_string_free(pointer)
        return value

    def said(self, name):
        """A function (char **) and its status: (status, text)."""
        out = c_void_p(99)
        status = getattr(self.raw, name)(byref(out))
        value = peek(out.value)
        self.raw.mxc_string_free(out)
        return status, value
