"""Sandbox and AsyncSandbox: a command that runs while one talks to it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import os
import subprocess
import threading
import time
import warnings
from types import TracebackType
from typing import (IO, Any, AsyncIterator, Dict, Iterator, List, Mapping,
                    Optional, Sequence, Tuple, Type, TypeVar, Union)

from ._call import Call, Heard, make_lines, starting
from ._contract import Guarantees, Limits
from ._errors import MxcError
from ._policy import (FilesystemArg, Job, NetworkArg, RequestArg, StrPath,
                      make_job)
from ._result import Captured, Command, Event, Published, Result, build_result, decode
from ._run import (EventsArg, end_async, end_process, input_bytes,
                   read_events, start_async)

PIPE, DEVNULL = subprocess.PIPE, subprocess.DEVNULL
Stream = Union[int, IO[Any], None]
PtyArg = Union[bool, Tuple[int, int]]
S = TypeVar('S', bound='_Common')


def _size(rows: Any, columns: Any) -> Tuple[int, int]:
    for n in (rows, columns):
        if isinstance(n, bool) or not isinstance(n, int):
            raise TypeError(f'expected rows and columns, got {n!r}')
        if not 0 < n < 32768:
            raise ValueError(f'rows and columns are 1 to 32767, not {n}')
    return rows, columns


class _Eager(io.BufferedWriter):
    """What is written is sent, as one who talks expects."""

    def write(self, data: Any) -> int:
        n = super().write(data)
        self.flush()
        return n


class _Ears(Heard):
    """The same, read in a thread of its own."""

    def __init__(self, user: Any) -> None:
        super().__init__(user)
        self.changed = threading.Condition()
        self.is_over = False

    def read(self, fd: int) -> None:
        try:
            while True:
                data = os.read(fd, 1 << 16)
                if not data:
                    return
                self.take(data)
                with self.changed:
                    self.changed.notify_all()
        finally:
            os.close(fd)
            with self.changed:
                self.is_over = True
                self.changed.notify_all()


class _Common:
    """What both kinds share: arguments, control, ports, the result."""

    def __init__(self, command: Optional[Command] = None, *,
                 filesystem: Optional[FilesystemArg] = None,
                 network: Optional[NetworkArg] = None,
                 env: Optional[Mapping[str, str]] = None,
                 cwd: Optional[StrPath] = None,
                 timeout: Optional[float] = None,
                 limits: Optional[Limits] = None,
                 guarantees: Optional[Guarantees] = None,
                 proxy: Optional[str] = None,
                 tools: bool = False,
                 accept_missing: Sequence[str] = (),
                 backend: Optional[str] = None,
                 request: Optional[RequestArg] = None,
                 text: bool = True,
                 events: EventsArg = None,
                 correlation_id: Optional[str] = None,
                 denials: bool = False,
                 accesses: bool = False,
                 verify: bool = False,
                 pty: PtyArg = False,
                 stdin: Stream = PIPE,
                 stdout: Stream = PIPE,
                 stderr: Stream = PIPE,
                 executable: Optional[StrPath] = None) -> None:
        self._set_up(make_job(
            command, request=request, filesystem=filesystem, network=network,
            env=env, cwd=cwd, timeout=timeout, limits=limits,
            guarantees=guarantees, proxy=proxy,
            tools=tools, accept_missing=accept_missing, backend=backend,
            correlation_id=correlation_id, denials=denials,
            accesses=accesses, verify=verify),
            text, events, pty, stdin, stdout, stderr, executable)

    @classmethod
    def of_job(cls: Type[S], job: Job, *, text: bool, pty: PtyArg,
               stdin: Stream, stdout: Stream, stderr: Stream,
               executable: Optional[StrPath]) -> S:
        """For a command of a session."""
        made = cls.__new__(cls)
        made._set_up(job, text, None, pty, stdin, stdout, stderr, executable)
        return made

    def _set_up(self, job: Job, text: bool, events: EventsArg, pty: PtyArg,
                stdin: Stream, stdout: Stream, stderr: Stream,
                executable: Optional[StrPath]) -> None:
        self._job = job
        self._text, self._executable = text, executable
        self._user_lines = make_lines(events)
        self._pty = (None if pty is False else (24, 80) if pty is True
                     else _size(*pty))
        # All output of a terminal is one stream, and what mxc has to say is
        # in the result.
        self._stdio = {'stdin': stdin, 'stdout': stdout,
                       'stderr': DEVNULL if self._pty else stderr}
        self._call: Optional[Call] = None
        self._process: Any = None
        self._killed = False
        self._end: Optional[Result[Any]] = None
        self._error: Optional[MxcError] = None
        self._lock = threading.Lock()
        self._heard = self._make_heard()
        self._was_told = False      # of what a callable raised

    def _make_heard(self) -> Heard:
        return Heard(self._user_lines)

    def _make_call(self) -> Call:
        if self._call is not None:
            raise RuntimeError('it has been started before')
        wants = self._user_lines is not None or self._job.publishes
        self._call = Call(self._job.verb, self._executable, self._job, control=True,
                          events=wants, pty=self._pty)
        return self._call

    def _started(self) -> Any:
        if self._process is None:
            raise RuntimeError('it has not been started')
        return self._process

    def _finish(self, status: int) -> Result[Any]:
        """Once; afterwards the same result, or the same error."""
        with self._lock:
            if self._error is not None:
                raise self._error
            if self._end is None:
                assert self._call is not None
                lines = self._user_lines
                try:
                    self._end = build_result(
                        self._call.result(), command=self._job.command,
                        stdout=Captured(b''), stderr=Captured(b''), text=self._text,
                        events=lines.kept if lines else [], status=status,
                        killed=self._killed)
                except MxcError as e:
                    self._error = e
                    raise
                finally:
                    self._call.close()
            return self._end

    def _answer(self, status: int) -> Result[Any]:
        result = self._finish(status)
        if self._heard.error is not None:
            self._was_told = True
            raise self._heard.error
        return result

    def _complain(self, refused: bool) -> None:
        """That mxc refused, or a callable failed, must not pass in silence."""
        if refused and self._error is not None:
            raise self._error
        if self._heard.error is not None and not self._was_told:
            raise self._heard.error

    @property
    def pid(self) -> int:
        """Of mxc's process; for people, since it may be used again."""
        pid: int = self._started().pid
        return pid

    @property
    def events(self) -> List[Event]:
        """With events=True: what has happened so far."""
        return self._user_lines.kept if self._user_lines else []

    def _kept(self) -> List[Event]:
        self._started()
        if self._user_lines is None or not self._user_lines.keeps:
            raise ValueError('no events are kept: events=True keeps them')
        return self._user_lines.kept

    @property
    def published(self) -> List[Published]:
        """Ports of the host's loopback that it has by now."""
        return [Published(*pair)
                for pair in sorted(self._heard.published.items())]

    def _ended(self) -> bool:
        return self._started().returncode is not None

    def kill(self) -> None:
        """Kill everything in it; wait() tells when that is done."""
        if self._ended():
            return
        self._killed = True
        assert self._call is not None
        self._call.tell('kill')     # nobody hears it: then it has ended

    def send_signal(self, signal: int) -> None:
        """Send a signal to the command's process group."""
        self._started()
        number = int(signal)
        if not 0 < number < 65:
            raise ValueError(f'not a signal: {signal!r}')
        assert self._call is not None
        self._call.tell(f'signal {number}')

    def terminate(self) -> None:
        """SIGTERM, which the command may handle."""
        self.send_signal(15)

    def resize(self, rows: int, columns: int) -> None:
        """Give its terminal another size."""
        if self._pty is None:
            raise ValueError('it has no terminal: pty=True gives it one')
        rows, columns = _size(rows, columns)
        self._started()
        assert self._call is not None
        self._call.tell(f'resize {rows} {columns}')

    def _no_port(self, guest: int) -> MxcError:
        return MxcError(f'port {guest} of the sandbox was not published')


class Sandbox(_Common):
    """A command in a sandbox, with its streams.

        with Sandbox('cat', timeout=10) as s:
            s.stdin.write('hello')
            s.stdin.close()
            print(s.stdout.read(), s.wait().exit_code)

    Takes the arguments of run() that say what may be touched, and:

    text    False: streams of bytes; else of UTF-8 text
    events  True: keep them in .events; or a callable, which is called in a
            thread of its own.  What it raises comes from wait(), or at the
            end of the block; it is not called again then
    pty     True, or (rows, columns): give it a terminal, whose input is
            .stdin and whose output is .stdout
    stdin, stdout, stderr   as of subprocess.Popen, by default PIPE

    What is left when the block is left is killed, and so is one that nobody
    has closed or waited for, and nobody has a reference to (ResourceWarning):
    one to its streams is enough.  Whoever waits without
    reading may wait for a command that waits to be read: communicate() does
    both.  Methods may be called from several threads.
    """

    stdin: Any = None
    stdout: Any = None
    stderr: Any = None
    _thread: Optional[threading.Thread] = None
    _heard: _Ears

    def _make_heard(self) -> _Ears:
        return _Ears(self._user_lines)

    def start(self) -> Sandbox:
        """Start it, as entering the block does; once."""
        call = self._make_call()
        try:
            with starting(call.executable):
                self._process = subprocess.Popen(
                    call.argv, bufsize=0, pass_fds=call.pass_fds,
                    **self._stdio)
            call.started()
            self._open_streams()
            fd = call.take_events()
            if fd >= 0:
                self._thread = threading.Thread(
                    target=self._heard.read, args=(fd,), daemon=True,
                    name='mxc-events')
                self._thread.start()
        except BaseException:
            self.close()
            raise
        return self

    def _open_streams(self) -> None:
        p = self._process
        if p.stdin is not None:
            self.stdin = _Eager(p.stdin)
            if self._text:
                self.stdin = io.TextIOWrapper(
                    self.stdin, 'utf-8', newline='\n', write_through=True)
        for name in ('stdout', 'stderr'):
            raw = getattr(p, name)
            if raw is None:
                continue
            stream: Any = io.BufferedReader(raw)
            if self._text:
                stream = io.TextIOWrapper(stream, 'utf-8', 'replace', '\n')
            setattr(self, name, stream)
        for one in (self.stdin, self.stdout, self.stderr):
            if one is not None:
                one._sandbox = self      # who has the stream still wants it

    def port(self, guest: int, timeout: float = 10.0) -> int:
        """The port of the host's loopback that its port `guest` has.

        Waits until it is taken; that the command listens is another thing.
        """
        self._started()
        end = time.monotonic() + timeout
        heard = self._heard
        with heard.changed:
            while guest not in heard.published:
                left = end - time.monotonic()
                if self._thread is None or heard.is_over or left <= 0:
                    break
                heard.changed.wait(left)
            if guest in heard.published:
                return heard.published[guest]
        if heard.is_over:
            self.wait(timeout)      # its error says more
        raise self._no_port(guest)

    def follow(self) -> Iterator[Event]:
        """With events=True: each event from the first on, as it comes.

        Ends when the sandbox has; may be called again, and elsewhere."""
        kept = self._kept()
        at = 0
        heard = self._heard
        while True:
            with heard.changed:
                while at == len(kept) and not heard.is_over:
                    heard.changed.wait()
                fresh = kept[at:]
            if not fresh:
                return
            yield from fresh
            at += len(fresh)

    def _ended(self) -> bool:
        return self._started().poll() is not None

    def poll(self) -> Optional[Result[Any]]:
        """The result if it has ended, else None."""
        return self.wait() if self._ended() else None

    def wait(self, timeout: Optional[float] = None) -> Result[Any]:
        """Wait for its end, at most so many seconds (TimeoutError).

        Raises MxcError where mxc refused or failed, and what a callable of
        events= raised.  What came out is in the streams, not in the result.
        """
        return self._answer(self._await_end(timeout))

    def _await_end(self, timeout: Optional[float] = None) -> int:
        process = self._started()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f'it runs after {timeout} s') from None
        if self._thread is not None and (
                self._thread is not threading.current_thread()):
            self._thread.join()
        status: int = process.returncode
        return status

    def communicate(self, input: Union[str, bytes, None] = None
                    ) -> Result[Any]:
        """Send input and its end, read everything, wait."""
        self._started()
        found: Dict[str, Any] = {}

        def read(name: str) -> None:
            found[name] = getattr(self, name).read()

        threads = [threading.Thread(target=read, args=(name,), daemon=True)
                   for name in ('stdout', 'stderr') if getattr(self, name)]
        for thread in threads:
            thread.start()
        if self.stdin is not None and not self.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                binary = self.stdin.buffer if self._text else self.stdin
                if input:
                    binary.write(input_bytes(input))
            with contextlib.suppress(BrokenPipeError):
                self.stdin.close()
        for thread in threads:
            thread.join()
        return dataclasses.replace(self.wait(), **found)

    def close(self) -> None:
        """Kill it if it runs, and free everything."""
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        if self._process is not None:
            if self._process.poll() is None:
                self._killed = True
                assert self._call is not None
                end_process(self._process, self._call)
            with contextlib.suppress(MxcError):
                self._finish(self._await_end())
        if self._call is not None:
            self._call.close()

    def __del__(self) -> None:
        process = getattr(self, '_process', None)
        call = getattr(self, '_call', None)
        if process is None or call is None or process.returncode is not None:
            return
        if call.owner != os.getpid():      # a copy, in a child of os.fork()
            return
        with contextlib.suppress(OSError):
            call.tell('kill')
        warnings.warn(f'a sandbox was not closed: process {process.pid}',
                      ResourceWarning, source=self)

    def __enter__(self) -> Sandbox:
        return self.start()

    def __exit__(self, kind: Optional[Type[BaseException]],
                 error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        refused = (kind is None and self._error is None and self._end is None
                   and self._ended())
        self.close()
        if kind is None:
            self._complain(refused)


class AsyncSandbox(_Common):
    """The same for asyncio.

        async with AsyncSandbox(['cat'], timeout=10) as s:
            s.stdin.write(b'hello')
            s.stdin.close()
            print(await s.stdout.read(), (await s.wait()).exit_code)

    stdin is an asyncio.StreamWriter, stdout and stderr are StreamReaders: of
    bytes always.  text is for what communicate() answers.  A callable of
    events= is called in the loop, and must not block; what it raises comes
    from wait(), or at the end of the block.
    """

    stdin: Optional[asyncio.StreamWriter] = None
    stdout: Optional[asyncio.StreamReader] = None
    stderr: Optional[asyncio.StreamReader] = None
    _task: Optional[asyncio.Task[None]] = None

    async def start(self) -> AsyncSandbox:
        """Start it, as entering the block does; once."""
        call = self._make_call()
        self._news = asyncio.Event()
        try:
            self._process = await start_async(call, **self._stdio)
            self.stdin, self.stdout, self.stderr = (
                self._process.stdin, self._process.stdout,
                self._process.stderr)
            if call.events_fd >= 0:
                self._task = asyncio.ensure_future(
                    read_events(call, _Told(self._heard, self._news)))
        except BaseException:
            await self.close()
            raise
        return self

    async def follow(self) -> AsyncIterator[Event]:
        """As of Sandbox: `async for event in s.follow()`."""
        kept = self._kept()
        at = 0
        while True:
            while at == len(kept) and not (self._task and self._task.done()):
                self._news.clear()
                waiter = asyncio.ensure_future(self._news.wait())
                assert self._task is not None
                await asyncio.wait([waiter, self._task],
                                   return_when=asyncio.FIRST_COMPLETED)
                waiter.cancel()
            fresh = kept[at:]
            if not fresh:
                return
            for event in fresh:
                yield event
            at += len(fresh)

    async def port(self, guest: int, timeout: float = 10.0) -> int:
        """The port of the host's loopback that its port `guest` has."""
        self._started()
        end = time.monotonic() + timeout
        published = self._heard.published
        while guest not in published:
            left = end - time.monotonic()
            if self._task is None or self._task.done() or left <= 0:
                break
            self._news.clear()
            waiter = asyncio.ensure_future(self._news.wait())
            await asyncio.wait([waiter, self._task], timeout=left,
                               return_when=asyncio.FIRST_COMPLETED)
            waiter.cancel()
        if guest in published:
            return published[guest]
        if self._task is not None and self._task.done():
            await self.wait()       # its error says more
        raise self._no_port(guest)

    async def wait(self) -> Result[Any]:
        """Wait for its end; asyncio.wait_for() bounds it.

        Raises MxcError where mxc refused or failed, and what a callable of
        events= raised.
        """
        status = await self._started().wait()
        if self._task is not None:
            await asyncio.shield(self._task)
        return self._answer(status)

    async def communicate(self, input: Union[str, bytes, None] = None
                          ) -> Result[Any]:
        """Send input and its end, read everything, wait."""
        out, err = await self._started().communicate(
            input_bytes(input) if self.stdin is not None else None)
        result = await self.wait()
        return dataclasses.replace(result,
                                   stdout=decode(out or b'', self._text),
                                   stderr=decode(err or b'', self._text))

    async def close(self) -> None:
        """Kill it if it runs, and free everything."""
        try:
            if self._process is not None:
                if self.stdin is not None:
                    self.stdin.close()
                tasks = [asyncio.ensure_future(s.read())
                         for s in (self.stdout, self.stderr) if s is not None]
                if self._task is not None:
                    tasks.append(self._task)  # type: ignore[arg-type]
                if self._process.returncode is None:
                    self._killed = True
                assert self._call is not None
                await end_async(self._process, self._call, tasks)
                with contextlib.suppress(MxcError):
                    self._finish(self._process.returncode)
        finally:
            if self._call is not None:
                self._call.close()

    async def __aenter__(self) -> AsyncSandbox:
        return await self.start()

    async def __aexit__(self, kind: Optional[Type[BaseException]],
                        error: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        refused = (kind is None and self._error is None and self._end is None
                   and self._ended())
        await self.close()
        if kind is None:
            self._complain(refused)


class _Told(Heard):
    """What is heard, and that there is something new."""

    def __init__(self, heard: Heard, news: asyncio.Event) -> None:
        super().__init__(None)
        self._heard, self._news = heard, news

    def take(self, data: bytes) -> None:
        self._heard.take(data)
        self._news.set()
