"""libmxc.py - libmxc as Python's ctypes sees it, for tests."""

import ctypes
import json
import os
import pathlib
from ctypes import (POINTER, byref, c_char, c_char_p, c_int, c_int32, c_size_t,
                    c_int64, c_uint16, c_uint32, c_uint64, c_void_p, sizeof)

import sanitizer
from tap import eq, fail, has

TOP = pathlib.Path(__file__).resolve().parents[2]
TREE = pathlib.Path(os.environ.get('MXC', TOP / 'build/tree/bin/mxc')
                    ).absolute().parent.parent
LIBRARY = pathlib.Path(os.environ.get('LIBMXC', TREE / 'lib/libmxc.so.1'))

NULL, PIPE, FDS, PTY, PTY_PIPES, TERMINAL = range(6)
(EXITED, SIGNALED, TIMED_OUT, KILLED, STOPPED, NEVER_BEGAN,
 FAILED) = range(1, 8)
(MALFORMED, CONTAINMENT, PHASE, UNAVAILABLE) = range(1, 5)
MALFORMED_ID, STALE, _, NOT_STARTED, ALREADY_STARTED = range(5, 10)
ALREADY_STOPPED, VALIDATION, BACKEND = 10, 11, 12


class Error(ctypes.Structure):
    _fields_ = [('size', c_size_t), ('code', c_int32), ('system', c_int32),
                ('line', c_uint32), ('column', c_uint32),
                ('operation', c_char * 32), ('where', c_char * 160),
                ('hint', c_char * 256), ('message', c_char * 512)]

    def __init__(self):
        super().__init__(size=sizeof(Error))


class Options(ctypes.Structure):
    _fields_ = [('size', c_size_t), ('libexec', c_char_p),
                ('backend', c_char_p), ('directory', c_char_p),
                ('stdio', c_uint32), ('stdin_fd', c_int32),
                ('stdout_fd', c_int32), ('stderr_fd', c_int32),
                ('rows', c_uint16), ('columns', c_uint16),
                ('events', c_uint32), ('detached', c_uint32),
                ('cancel_fd', c_int32), ('output_max', c_size_t),
                ('input', c_char_p), ('input_len', c_size_t),
                ('runtime', c_char_p), ('idle_timeout_ms', c_uint64),
                ('max_age_ms', c_uint64), ('data_home', c_char_p),
                ('correlation_id', c_char_p), ('denials', c_uint32),
                ('accesses', c_uint32), ('verify', c_uint32)]

    def __init__(self, **fields):
        if 'input' in fields:
            fields.setdefault('input_len', len(fields['input']))
        super().__init__(**{'size': sizeof(Options), 'stdin_fd': -1,
                            'stdout_fd': -1, 'stderr_fd': -1, **fields})


class Status(ctypes.Structure):
    _fields_ = [('size', c_size_t), ('how', c_uint32), ('exit_code', c_int32),
                ('signal', c_int32), ('duration_ms', c_uint64)]

    def __init__(self):
        super().__init__(size=sizeof(Status))


class Result(ctypes.Structure):
    _fields_ = [('size', c_size_t), ('status', Status), ('out', c_void_p),
                ('out_len', c_size_t), ('err', c_void_p),
                ('err_len', c_size_t), ('out_lost', c_uint64),
                ('err_lost', c_uint64), ('json', c_char_p),
                ('out_truncated', c_uint32), ('err_truncated', c_uint32),
                ('out_gap', c_size_t), ('err_gap', c_size_t),
                ('out_total', c_uint64), ('err_total', c_uint64)]

    def __init__(self):
        super().__init__(size=sizeof(Result))
        self.status.size = sizeof(Status)


LIST = POINTER(c_char_p)


class Command(ctypes.Structure):
    _fields_ = [('size', c_size_t), ('argv', LIST), ('env', LIST),
                ('only_env', c_uint32), ('no_network', c_uint32),
                ('cwd', c_char_p), ('timeout_ms', c_uint64),
                ('readwrite', LIST), ('readonly', LIST), ('denied', LIST),
                ('cpu_seconds', c_uint64), ('files', c_uint64),
                ('processes', c_uint64), ('file_size', c_uint64),
                ('memory', c_uint64)]

    def __init__(self, *argv, **fields):
        for name, value in {'argv': argv, **fields}.items():
            if isinstance(value, (list, tuple)):
                fields[name] = (c_char_p * (len(value) + 1))(
                    *[os.fsencode(v) for v in value], None)
        super().__init__(size=sizeof(Command), **{
            k: ctypes.cast(v, LIST) if isinstance(v, ctypes.Array) else v
            for k, v in fields.items()})
        self.kept = fields


REQUEST = (c_char_p, c_size_t, POINTER(Options))
BOX, ERR = c_void_p, POINTER(Error)
TEXT, OPTIONS = POINTER(c_void_p), POINTER(Options)
SESSION = POOL = c_void_p
FUNCTIONS = {
    'library_version': (c_char_p,),
    'free': (None, c_void_p),
    'error_name': (c_char_p, c_int32),
    'error_json': (c_void_p, ERR),
    'validate': (c_int, *REQUEST, ERR),
    'explain': (c_int, *REQUEST, POINTER(c_void_p), ERR),
    'receipt': (c_int, *REQUEST, POINTER(c_void_p), ERR),
    'probe': (c_int, POINTER(c_void_p), ERR),
    'run': (c_int, *REQUEST, POINTER(Result), ERR),
    'result_clear': (None, POINTER(Result)),
    'spawn': (c_int, *REQUEST, POINTER(BOX), ERR),
    'sandbox_stdin': (c_int, BOX),
    'sandbox_stdout': (c_int, BOX),
    'sandbox_stderr': (c_int, BOX),
    'sandbox_take_stdin': (c_int, BOX),
    'sandbox_take_stdout': (c_int, BOX),
    'sandbox_take_stderr': (c_int, BOX),
    'sandbox_events': (c_int, BOX),
    'sandbox_pid': (c_int32, BOX),
    'sandbox_wait_fd': (c_int, BOX),
    'sandbox_wait': (c_int, BOX, c_int, POINTER(Status), ERR),
    'sandbox_result_json': (c_char_p, BOX),
    'sandbox_signal': (c_int, BOX, c_int, ERR),
    'sandbox_kill': (c_int, BOX, ERR),
    'sandbox_resize': (c_int, BOX, c_uint16, c_uint16, ERR),
    'sandbox_destroy': (None, BOX),
    'sandbox_forget': (None, BOX),
    'session_provision': (c_int, *REQUEST, POINTER(SESSION), ERR),
    'session_open': (c_int, c_char_p, OPTIONS, POINTER(SESSION), ERR),
    'session_close': (None, SESSION),
    'session_id': (c_char_p, SESSION),
    'session_warnings': (c_char_p, SESSION),
    'session_start': (c_int, SESSION, ERR),
    'session_stop': (c_int, SESSION, c_uint64, ERR),
    'session_deprovision': (c_int, SESSION, c_uint64, ERR),
    'session_pause': (c_int, SESSION, ERR),
    'session_resume': (c_int, SESSION, ERR),
    'session_inspect': (c_int, SESSION, TEXT, ERR),
    'session_log': (c_int, SESSION, TEXT, ERR),
    'session_list': (c_int, OPTIONS, TEXT, ERR),
    'session_exec': (c_int, SESSION, POINTER(Command), OPTIONS, POINTER(BOX),
                     ERR),
    'session_run': (c_int, SESSION, POINTER(Command), OPTIONS, POINTER(Result),
                    ERR),
    'pool_start': (c_int, c_char_p, c_size_t, c_char_p, c_uint32, OPTIONS,
                   POINTER(POOL), ERR),
    'pool_open': (c_int, c_char_p, OPTIONS, POINTER(POOL), ERR),
    'pool_close': (None, POOL),
    'pool_name': (c_char_p, POOL),
    'pool_stop': (c_int, POOL, c_uint64, ERR),
    'pool_inspect': (c_int, POOL, TEXT, ERR),
    'pool_exec': (c_int, POOL, POINTER(Command), c_int64, OPTIONS,
                  POINTER(BOX), ERR),
    'pool_run': (c_int, POOL, POINTER(Command), c_int64, OPTIONS,
                 POINTER(Result), ERR),
    'lifecycle': (c_int, *REQUEST, TEXT, ERR),
    'lifecycle_check': (c_int, *REQUEST, TEXT, ERR),
    'lifecycle_exec': (c_int, *REQUEST, POINTER(BOX), ERR),
    'lifecycle_run': (c_int, *REQUEST, POINTER(Result), ERR),
}


class Lib:
    """The functions, without their prefix."""

    def __init__(self, path=LIBRARY):
        sanitizer.preload(pathlib.Path(path))
        dll = ctypes.CDLL(os.fspath(path))
        for name, (result, *args) in FUNCTIONS.items():
            f = getattr(dll, 'mxc_' + name)
            f.restype, f.argtypes = result, args
            setattr(self, name, f)


lib = Lib() if LIBRARY.exists() else None


class MxcError(Exception):
    def __init__(self, error):
        super().__init__(error.message.decode())
        self.error, self.code = error, error.code


def request(command='true', **sections):
    """The text of one; a command that is a dictionary is its `process`."""
    process = command if isinstance(command, dict) else {
        'commandLine': command}
    return json.dumps({'version': '1.1.0+c1', 'process': process,
                       **sections}).encode()


def _args(what, fields, sections):
    text = what if isinstance(what, bytes) else request(what, **sections)
    return text, len(text), byref(Options(**fields))


def ask(name, what='true', sections=(), **fields):
    """validate, explain, receipt, lifecycle: the text, or MxcError."""
    error, out = Error(), c_void_p()
    f = getattr(lib, name)
    args = _args(what, fields, dict(sections))
    r = f(*args, *([] if name == 'validate' else [byref(out)]), byref(error))
    if r < 0:
        raise MxcError(error)
    return take(out) if name != 'validate' else None


def take(pointer):
    text = ctypes.string_at(pointer).decode()
    lib.free(pointer)
    return text


class Ended:
    """What mxc_run gave."""


def run_it(what='true', sections=(), f=None, **fields):
    f = f or lib.run
    error, result = Error(), Result()
    r = f(*_args(what, fields, dict(sections)), byref(result), byref(error))
    return ended(r, result, error)


def ended(r, result, error):
    e = Ended()
    e.r, e.error = r, error
    e.how, e.code = result.status.how, result.status.exit_code
    e.signal, e.ms = result.status.signal, result.status.duration_ms
    e.out = ctypes.string_at(result.out, result.out_len) if result.out else None
    e.err = ctypes.string_at(result.err, result.err_len) if result.err else None
    e.out_lost, e.err_lost = result.out_lost, result.err_lost
    e.out_gap, e.err_gap = result.out_gap, result.err_gap
    e.out_total, e.err_total = result.out_total, result.err_total
    e.cut = result.out_truncated, result.err_truncated
    e.json = json.loads(result.json) if result.json else None
    lib.result_clear(byref(result))
    if r < 0 and not e.how:
        raise MxcError(error)
    return e


class Box:
    """A sandbox; `with` destroys it."""

    def __init__(self, what='true', sections=(), **fields):
        self.error, self.box, self.status = Error(), BOX(), Status()
        if self.start(what, sections, fields) < 0:
            raise MxcError(self.error)

    def start(self, what, sections, fields):
        return lib.spawn(*_args(what, fields, dict(sections)), byref(self.box),
                         byref(self.error))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.destroy()

    def destroy(self):
        lib.sandbox_destroy(self.box)
        self.box = None

    def fd(self, name):
        return getattr(lib, 'sandbox_' + name)(self.box)

    def wait(self, ms=20000):
        """`how`; 0 while it runs.  self.failed: what the call returned."""
        self.failed = lib.sandbox_wait(self.box, ms, byref(self.status),
                                       byref(self.error))
        return self.status.how

    def order(self, name, *args):
        if getattr(lib, 'sandbox_' + name)(self.box, *args,
                                           byref(self.error)) < 0:
            raise MxcError(self.error)

    def json(self):
        text = lib.sandbox_result_json(self.box)
        return json.loads(text) if text else None


class InSession(Box):
    """A command of a session, of Kept.spawn."""

    def start(self, what, sections, fields):
        return lib.session_exec(sections, byref(what), byref(Options(**fields)),
                                byref(self.box), byref(self.error))


class Exec(Box):
    """The command of an exec request."""

    def start(self, what, sections, fields):
        return lib.lifecycle_exec(what, len(what), byref(Options(**fields)),
                                  byref(self.box), byref(self.error))


def split(fields):
    """Those of the command, and those of the options."""
    mine = {name for name, _ in Command._fields_}
    return ({k: v for k, v in fields.items() if k in mine},
            {k: v for k, v in fields.items() if k not in mine})


class Kept:
    """The handle of a session; `with` deprovisions it."""

    def __init__(self, policy=None, start=True, ident=None, **fields):
        error, self.s = Error(), SESSION()
        o = byref(Options(**fields))
        if ident:
            r = lib.session_open(ident.encode(), o, byref(self.s),
                                 byref(error))
        else:
            text = None if policy is None else json.dumps(
                {'version': '1.1.0+c1', **policy}).encode()
            r = lib.session_provision(text, len(text or b''), o, byref(self.s),
                                      byref(error))
        if r < 0:
            raise MxcError(error)
        if start and not ident:
            self.do('start')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        lib.session_deprovision(self.s, 0, None)
        lib.session_close(self.s)

    @property
    def id(self):
        return lib.session_id(self.s).decode()

    def do(self, name, *args):
        error = Error()
        if getattr(lib, 'session_' + name)(self.s, *args, byref(error)) < 0:
            raise MxcError(error)

    def text(self, name):
        error, out = Error(), c_void_p()
        if getattr(lib, 'session_' + name)(self.s, byref(out),
                                           byref(error)) < 0:
            raise MxcError(error)
        return take(out)

    def spawn(self, *argv, **fields):
        command, options = split(fields)
        return InSession(Command(*argv, **command), self.s, **options)

    def run(self, *argv, **fields):
        command, options = split(fields)
        error, result = Error(), Result()
        r = lib.session_run(self.s, byref(Command(*argv, **command)),
                            byref(Options(**options)), byref(result),
                            byref(error))
        return ended(r, result, error)

    def sh(self, script, **fields):
        return self.run('sh', '-c', script, **fields)


class InPool(Box):
    """A command in a pool, of Pooled.spawn."""

    def start(self, what, sections, fields):
        pool, wait_ms = sections
        return lib.pool_exec(pool, byref(what), wait_ms,
                             byref(Options(**fields)), byref(self.box),
                             byref(self.error))


class Pooled:
    """The handle of a pool; `with` stops it."""

    def __init__(self, policy=None, size=1, name=None, opened=False, **fields):
        error, self.p = Error(), POOL()
        o, name = byref(Options(**fields)), name and name.encode()
        text = None if policy is None else json.dumps(
            {'version': '1.1.0+c1', **policy}).encode()
        r = (lib.pool_open(name, o, byref(self.p), byref(error)) if opened else
             lib.pool_start(text, len(text or b''), name, size, o,
                            byref(self.p), byref(error)))
        if r < 0:
            raise MxcError(error)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        lib.pool_stop(self.p, 0, None)
        lib.pool_close(self.p)

    @property
    def name(self):
        return lib.pool_name(self.p).decode()

    def stop(self, grace_ms=0):
        error = Error()
        if lib.pool_stop(self.p, grace_ms, byref(error)) < 0:
            raise MxcError(error)

    def look(self):
        error, out = Error(), c_void_p()
        if lib.pool_inspect(self.p, byref(out), byref(error)) < 0:
            raise MxcError(error)
        return json.loads(take(out))

    def spawn(self, *argv, wait_ms=-1, **fields):
        command, options = split(fields)
        return InPool(Command(*argv, **command), (self.p, wait_ms), **options)

    def run(self, *argv, wait_ms=-1, **fields):
        command, options = split(fields)
        error, result = Error(), Result()
        r = lib.pool_run(self.p, byref(Command(*argv, **command)), wait_ms,
                         byref(Options(**options)), byref(result),
                         byref(error))
        return ended(r, result, error)

    def sh(self, script, **fields):
        return self.run('sh', '-c', script, **fields)


# --- for tests of both files -------------------------------------------------

NET = {'network': {'egress': {'allow': [{'to': [{'host': 'example.com'}]}]}}}
LOOP = 'echo up; while :; do sleep 0.02; done'


def refused(code, piece, f, *args, **options):
    """The error of a call that must fail so."""
    try:
        f(*args, **options)
    except MxcError as e:
        eq(e.code, code, str(e))
        has(str(e) + ' ' + e.error.hint.decode(), piece)
        return e.error
    return fail(f'not refused: {args} {options}')


OF_A_RUN = {'denials': 1, 'accesses': 1, 'verify': 1,
            'correlation_id': b'word'}


def refused_beyond_a_run(f, *args):
    """What is for mxc_run and mxc_spawn alone, by another function."""
    for name, value in OF_A_RUN.items():
        e = refused(MALFORMED, 'a single run', f, *args, **{name: value})
        has(e.message.decode(), f'options: {name} ')
        has(e.hint.decode(), 'mxc_run or mxc_spawn')


def read_to(fd, text):
    out = b''
    while text not in out:
        piece = os.read(fd, 65536)
        if not piece:
            fail(f'no {text!r} in {out!r}')
        out += piece
    return out
