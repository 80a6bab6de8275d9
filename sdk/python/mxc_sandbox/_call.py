"""One start of the mxc executable: where it is, what it is handed.

The request and the result travel in memory files, which need nobody to read
or write on the other side at the same time; events and control in pipes.
Nothing of the request is on a command line, but the words of the command.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import threading
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from ._errors import MxcError, MxcNotFoundError
from ._policy import Job, StrPath
from ._result import Event


def _on_path(name: str) -> Optional[str]:
    """A relative entry of PATH means whatever the current directory holds,
    which may be what the last sandbox has left there."""
    folders = os.environ.get('PATH', os.defpath).split(os.pathsep)
    return shutil.which(name, path=os.pathsep.join(
        f for f in folders if os.path.isabs(f)))


def find_mxc(executable: Optional[StrPath] = None) -> str:
    """Where mxc is: given, in MXC_BIN, beside this package in an installed
    tree, or on PATH."""
    if executable is not None:
        return os.fspath(executable)
    named = os.environ.get('MXC_BIN')
    if named:
        found = named if '/' in named else _on_path(named)
        if found is None:
            raise MxcNotFoundError(f'MXC_BIN names no program: {named!r}',
                                   hint='write the whole path of mxc')
        return found
    # PREFIX/share/mxc/python/mxc_sandbox, or PREFIX/lib/python3.11/
    # site-packages/mxc_sandbox.  A bin/mxc that is somebody else's has no
    # libexec/mxc beside it.
    for parent in list(pathlib.Path(__file__).resolve().parents)[2:6]:
        found = parent / 'bin/mxc'
        if (parent / 'libexec/mxc').is_dir() and os.access(found, os.X_OK):
            return str(found)
    on_path = _on_path('mxc')
    if on_path:
        return on_path
    raise MxcNotFoundError(
        'no mxc executable was found',
        hint='install mxc and put it on PATH, set MXC_BIN, or give '
             'executable=')


@contextlib.contextmanager
def starting(executable: str) -> Iterator[None]:
    """Errors of execve(2) on mxc itself."""
    try:
        yield
    except (FileNotFoundError, PermissionError, NotADirectoryError) as e:
        raise MxcNotFoundError(
            f'cannot execute mxc {executable!r}: {e.strerror}',
            operation='execve(2)', hint='look at executable= and MXC_BIN'
        ) from e


def _above_stdio(fd: int) -> int:
    """Where a standard stream is closed its number is free, and what has it
    would become a stream of the command."""
    if fd > 2:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    finally:
        os.close(fd)


def _memory(name: str) -> int:
    """A file that mxc can open once more by /dev/fd/N."""
    try:
        return _above_stdio(os.memfd_create(name))
    except (AttributeError, OSError):
        with tempfile.TemporaryFile(buffering=0) as f:
            return _above_stdio(os.dup(f.fileno()))


def _pipe() -> Tuple[int, int]:
    ours, theirs = os.pipe()
    return _above_stdio(ours), _above_stdio(theirs)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


class Call:
    """The descriptors and the argument list of one mxc process."""

    def __init__(self, verb: str, executable: Optional[StrPath],
                 job: Optional[Job] = None, *, result: bool = True,
                 events: bool = False, control: bool = False,
                 pty: Optional[Tuple[int, int]] = None) -> None:
        self.owner = os.getpid()
        self.executable = find_mxc(executable)
        self.argv: List[str] = [self.executable, verb]
        if job is not None and job.session is not None:
            self.argv.append(job.session)
        self.theirs: List[int] = []   # closed here when mxc has them
        self.result_fd = self.events_fd = self._control = -1
        self._lock = threading.Lock()
        try:
            self._open(job, result, events, control)
            if pty is not None:
                self.argv += ['--pty', f'{pty[0]}x{pty[1]}']
            if verb in ('run', 'exec'):
                self.argv += ['--parent', str(self.owner)]
            if job is not None:
                self.argv += job.options
                if job.words is not None:
                    self.argv += ['--', *job.words]
        except BaseException:
            self.close()
            raise

    def _open(self, job: Optional[Job], result: bool, events: bool,
              control: bool) -> None:
        # First, so that what is wrong behind it is told there.
        if result:
            self.result_fd = _memory('mxc-result')
            self.argv += ['--json', str(self.result_fd)]
        if job is not None:
            fd = _memory('mxc-request')
            self.theirs.append(fd)
            _write_all(fd, job.text)
            self.argv += ['--policy' if job.session is None else '--request',
                          f'/dev/fd/{fd}']
        if events:
            self.events_fd, theirs = _pipe()
            self.theirs.append(theirs)
            self.argv += ['--events', str(theirs)]
        if control:
            theirs, self._control = _pipe()
            self.theirs.append(theirs)
            self.argv += ['--control', str(theirs)]

    @property
    def pass_fds(self) -> Tuple[int, ...]:
        mine = () if self.result_fd < 0 else (self.result_fd,)
        return (*self.theirs, *mine)

    def started(self) -> None:
        """mxc has its descriptors: an end of it must show here."""
        while self.theirs:
            os.close(self.theirs.pop())

    def tell(self, line: str) -> bool:
        """A line of control; False when nobody hears it any more."""
        with self._lock:
            if self._control < 0:
                return False
            try:
                os.write(self._control, line.encode() + b'\n')
            except BrokenPipeError:
                return False
            return True

    def result(self) -> Dict[str, Any]:
        """What mxc wrote; {} when it could not."""
        size = os.fstat(self.result_fd).st_size
        data = os.pread(self.result_fd, size, 0)
        try:
            found = json.loads(data)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def take_events(self) -> int:
        """The reading end of the events, from now on the caller's."""
        fd, self.events_fd = self.events_fd, -1
        return fd

    def close(self) -> None:
        self.started()
        with self._lock:
            for name in ('result_fd', 'events_fd', '_control'):
                fd = getattr(self, name)
                setattr(self, name, -1)
                if fd >= 0:
                    os.close(fd)

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError, OSError):
            self.close()


class Lines:
    """Events from pieces of bytes, handed on as they come."""

    def __init__(self, hear: Optional[Callable[[Event], Any]] = None,
                 keep: bool = False) -> None:
        self.kept: List[Event] = []
        self._hear, self.keeps, self._rest = hear, keep, b''

    def take(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b'\n')
        for line in whole:
            try:
                event = json.loads(line)
            except ValueError:
                continue      # cut short by the end of mxc
            if self.keeps:
                self.kept.append(event)
            if self._hear is not None:
                self._hear(event)


class Heard:
    """What the events of a sandbox tell, for itself and for who asked.

    No way leads from here to the sandbox: who reads its events must not keep
    one that nobody wants any more.
    """

    def __init__(self, user: Optional[Lines]) -> None:
        self.published: Dict[int, int] = {}
        self.error: Optional[Exception] = None    # what a callable raised
        self._own, self._user = Lines(self._hear), user

    def _hear(self, event: Event) -> None:
        if event.get('event') == 'published':
            self.published[event['guest']] = event['host']

    def take(self, data: bytes) -> None:
        self._own.take(data)
        if self._user is not None and self.error is None:
            try:
                self._user.take(data)
            except Exception as e:
                self.error = e


def make_lines(events: Any) -> Optional[Lines]:
    """events=: nothing, True to keep them, or who is to hear them."""
    if events is None or events is False:
        return None
    if events is True:
        return Lines(keep=True)
    if callable(events):
        return Lines(events)
    raise TypeError(f'events: expected True or a callable, got {events!r}')


def ask(verb: str, executable: Optional[StrPath], job: Optional[Job] = None,
        *, more: Tuple[str, ...] = (), result: bool = True
        ) -> Tuple[Dict[str, Any], str]:
    """A question to mxc that runs nothing: its JSON, and its text."""
    call = Call(verb, executable, job, result=result)
    try:
        call.argv[2:2] = more
        with starting(call.executable):
            p = subprocess.run(call.argv, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               pass_fds=call.pass_fds)
        raw = call.result() if result else {}
        if (result and not raw) or (not result and p.returncode != 0):
            said = p.stderr.decode('utf-8', 'replace').strip()
            raise MxcError(said or f'mxc {verb} ended with status '
                                   f'{p.returncode}')
        return raw, p.stdout.decode('utf-8', 'replace')
    finally:
        call.close()


__all__ = ['Call', 'Heard', 'Lines', 'ask', 'find_mxc', 'make_lines',
           'starting']
