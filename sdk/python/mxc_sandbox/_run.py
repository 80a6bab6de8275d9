"""run() and run_async(): to the end, with everything that came out."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import select
import subprocess
import sys
import termios
from typing import (TYPE_CHECKING, Any, Callable, Dict, List, Mapping,
                    Optional, Sequence, Union, overload)

from ._call import Call, Heard, Lines, make_lines, starting
from ._contract import Guarantees, Limits
from ._policy import (FilesystemArg, Job, NetworkArg, RequestArg, StrPath,
                      make_job)
from ._result import Captured, Command, Event, Result, build_result

if TYPE_CHECKING:
    from typing import Literal

    from ._options import RunOptions, Unpack

EventsArg = Union[bool, Callable[[Event], Any], None]
_PIECE = 1 << 16
# Of each stream: what a command says shall not fill the caller's memory.
MAX_OUTPUT = 64 << 20
# How long mxc may take to end a sandbox, before it is killed itself.
PATIENCE = 5.0


def input_bytes(data: Union[str, bytes, None]) -> bytes:
    if data is None:
        return b''
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f'input: expected text or bytes, got {data!r}')


def _send(fd: int, rest: memoryview) -> memoryview:
    """What the pipe takes now; an empty rest where nobody reads it."""
    try:
        return rest[os.write(fd, rest):]
    except BlockingIOError:
        return rest
    except BrokenPipeError:
        return rest[:0]


def check_most(most: int) -> int:
    if isinstance(most, bool) or not isinstance(most, int):
        raise TypeError(f'max_output: expected bytes, got {most!r}')
    if most < 0:
        raise ValueError(f'max_output: expected 0 or more, got {most!r}')
    return most


class Output:
    """What a stream says: of more than a bound the first and the last half;
    what is left out between them is counted."""

    def __init__(self, most: int) -> None:
        self._first, self._last = most - most // 2, most // 2
        self._head, self._tail = bytearray(), bytearray()
        self.size = 0

    def take(self, data: bytes) -> None:
        room = self._first - len(self._head)
        self.size += len(data)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        if len(self._tail) > self._last:
            del self._tail[:len(self._tail) - self._last]

    def all(self) -> Captured:
        head, tail = bytes(self._head), bytes(self._tail)
        return Captured(head, tail, self.size - len(head) - len(tail))


def take_rest(fd: int, output: Output) -> None:
    """What lies in a pipe now, and nothing that comes later."""
    found = bytearray(4)
    fcntl.ioctl(fd, termios.FIONREAD, found)
    left = int.from_bytes(found, sys.byteorder)
    while left > 0:
        data = os.read(fd, min(left, _PIECE))
        output.take(data)
        left = left - len(data) if data else 0


class _Pump:
    """All streams of one run, until each has ended; or, with `end` (a pidfd),
    until mxc has: what a command leaves running may keep its streams."""

    def __init__(self, process: subprocess.Popen[bytes], data: bytes,
                 events: int, lines: Optional[Lines], most: int,
                 end: int = -1) -> None:
        self._end = end
        self.got: Dict[int, Output] = {}
        self._process, self._lines = process, lines
        self._events, self._rest = events, memoryview(data)
        self._poll = select.poll()
        self._open = 0
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                self.got[stream.fileno()] = Output(most)
                self._watch(stream.fileno(), select.POLLIN)
        if events >= 0:
            self._watch(events, select.POLLIN)
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            self._watch(process.stdin.fileno(), select.POLLOUT)
        if end >= 0:
            self._poll.register(end, select.POLLIN)

    def _watch(self, fd: int, what: int) -> None:
        self._poll.register(fd, what)
        self._open += 1

    def _drop(self, fd: int) -> None:
        self._poll.unregister(fd)
        self._open -= 1

    def run(self) -> None:
        stdin = self._process.stdin
        while self._open:
            ready = self._poll.poll()
            if any(fd == self._end for fd, _ in ready):
                for fd, output in self.got.items():
                    take_rest(fd, output)
                return
            for fd, _ in ready:
                if stdin is not None and fd == stdin.fileno():
                    self._rest = _send(fd, self._rest)
                    if not self._rest:
                        self._drop(fd)
                        stdin.close()
                        stdin = None
                    continue
                data = os.read(fd, _PIECE)
                if not data:
                    self._drop(fd)
                elif fd == self._events:
                    assert self._lines is not None
                    self._lines.take(data)
                else:
                    self.got[fd].take(data)

    def output(self, stream: Any) -> Output:
        return Output(0) if stream is None else self.got[stream.fileno()]


def close_streams(process: subprocess.Popen[Any]) -> None:
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def end_process(process: subprocess.Popen[Any], call: Call) -> None:
    """Everything in the sandbox gone, whatever it is doing.

    mxc is asked first: it waits for the last process, and reaps it.
    """
    try:
        if process.poll() is None:
            call.tell('kill')
            process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        pass
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def run_job(job: Job, executable: Optional[StrPath], data: Optional[bytes],
            capture: bool, text: bool, most: int, events: EventsArg
            ) -> Result[Any]:
    lines = make_lines(events)
    call = Call(job.verb, executable, job, events=lines is not None,
                control=True)
    process = None
    pipe = subprocess.PIPE if capture else None
    fd = end = -1
    try:
        with starting(call.executable):
            process = subprocess.Popen(
                call.argv, bufsize=0, pass_fds=call.pass_fds,
                stdin=subprocess.PIPE if data else subprocess.DEVNULL,
                stdout=pipe, stderr=pipe)
        call.started()
        fd = call.take_events()
        if job.session is not None:
            end = os.pidfd_open(process.pid)
        pump = _Pump(process, data or b'', fd, lines, most, end)
        pump.run()
        process.wait()
        out, err = pump.output(process.stdout), pump.output(process.stderr)
        return build_result(
            call.result(), command=job.command,
            stdout=out.all(), stderr=err.all(), text=text,
            events=lines.kept if lines else [], status=process.returncode)
    finally:
        if process is not None:
            # Nobody reads them any more, and mxc must not wait for it.
            close_streams(process)
            if process.returncode is None:
                end_process(process, call)
        for one in (fd, end):
            if one >= 0:
                os.close(one)
        call.close()


@overload
def run(command: Optional[Command] = ..., *, text: Literal[True] = ...,
        **options: Unpack[RunOptions]) -> Result[str]: ...


@overload
def run(command: Optional[Command] = ..., *, text: Literal[False],
        **options: Unpack[RunOptions]) -> Result[bytes]: ...


def run(command: Optional[Command] = None, *,
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
        input: Union[str, bytes, None] = None,
        capture: bool = True,
        text: bool = True,
        max_output: int = MAX_OUTPUT,
        check: bool = False,
        events: EventsArg = None,
        correlation_id: Optional[str] = None,
        denials: bool = False,
        accesses: bool = False,
        verify: bool = False,
        executable: Optional[StrPath] = None) -> Result[Any]:
    """Run a command in a sandbox, and wait for its end.

    command     a sequence of words, executed as they are; or text, a line
                for /bin/sh
    filesystem  what it may touch: read_only(...), read_write(...),
                deny(...), a section of the contract, or a sequence of these
    network     whom it may talk to: allow_hosts(...), allow_net(...),
                deny_net(...), publish(...), host_service(...), a section of
                the contract, or a sequence of these; nobody without it
    env         variables beside PATH, TERM, PWD and HOME=/tmp
    cwd         where it starts
    timeout     seconds, after which everything in it is killed
    limits      section of the contract
    guarantees  section of the contract: {'tier': 'kernel'} wants isolation of
                at least that tier
    proxy       URL of the only way out, or "builtin"
    tools       grant the programs on PATH for reading
    accept_missing  walls that this host may lack (see doctor())
    backend     containment to use
    request     a whole request, as a mapping or JSON, instead of filesystem,
                network, env, limits, guarantees and proxy; it goes to mxc
                unchanged
    input       its standard input; empty without it
    capture     False: its output goes where this program's goes
    max_output  bytes that are kept of each stream, 64 MiB; of more the first
                and the last half, and Result.stdout_lost and stderr_lost
                tell how many are left out, stdout_gap and stderr_gap where
    text        False: output as bytes; else as UTF-8, with U+FFFD for what
                is not
    check       True: raise CommandFailedError unless it exits with 0
    events      True: keep what happens in Result.events; or a callable that
                gets each event while it happens
    correlation_id   your word for this run, in every event
    denials     True: Result.denials tells what was refused of files, programs
                and system calls too
    accesses    True: that, and Result.accesses tells what was used of what is
                granted
    verify      True: the sandbox tries its walls from inside before the
                command starts, Result.verified tells which; MxcError where
                one does not hold
    executable  the mxc to use

    Raises MxcError where mxc refuses or fails.  A timeout, an exit code and
    a refusal by the network policy are no errors: the result has them.  An
    exception that comes while it waits, as KeyboardInterrupt, kills the
    sandbox and goes on.
    """
    job = make_job(command, request=request, filesystem=filesystem,
                   network=network, env=env, cwd=cwd, timeout=timeout,
                   limits=limits, guarantees=guarantees, proxy=proxy,
                   tools=tools, accept_missing=accept_missing,
                   backend=backend, correlation_id=correlation_id,
                   denials=denials, accesses=accesses, verify=verify)
    result = run_job(job, executable, input_bytes(input), capture, text,
                  check_most(max_output), events)
    return result.check() if check else result


# --- asyncio -------------------------------------------------------------------

async def read_events(call: Call, lines: Union[Lines, Heard]) -> None:
    """Until their end.  Taken here: a task may end before it begins."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    pipe = os.fdopen(call.take_events(), 'rb', 0)
    try:
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe)
    except BaseException:
        pipe.close()
        raise
    try:
        while True:
            data = await reader.read(_PIECE)
            if not data:
                return
            lines.take(data)
    finally:
        transport.close()


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> None:
    stdin = process.stdin
    if stdin is None:
        return
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            stdin.write(data)
            await stdin.drain()
        stdin.close()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await stdin.wait_closed()
    except asyncio.CancelledError:
        # Who holds the other end and reads nothing must not be waited for.
        stdin.transport.abort()
        raise


async def _forget(stream: Optional[asyncio.StreamReader]) -> None:
    while stream is not None and await stream.read(_PIECE):
        pass


class _Tap:
    """A stream that the command writes to `inner`, read by the loop itself:
    asyncio's own streams do not tell whether all of it has come."""

    def __init__(self, output: Output) -> None:
        self._loop, self._output = asyncio.get_running_loop(), output
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._fd, self.inner = os.pipe()
        self._loop.add_reader(self._fd, self._take)

    def _take(self) -> None:
        data = os.read(self._fd, _PIECE)
        self._output.take(data)
        if not data:
            self._stop()

    def _stop(self) -> None:
        self._loop.remove_reader(self._fd)
        if not self.ended.done():
            self.ended.set_result(None)

    def started(self) -> None:
        """Another process has `inner` now, and its end is the stream's."""
        if self.inner >= 0:
            os.close(self.inner)
        self.inner = -1

    def take_rest(self) -> None:
        self._stop()
        take_rest(self._fd, self._output)

    def close(self) -> None:
        self.started()
        self._stop()
        os.close(self._fd)


async def _exit_of(pid: int) -> None:
    """asyncio's own wait() also waits for the ends of the streams."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    try:
        loop.add_reader(
            fd, lambda: None if ended.done() else ended.set_result(None))
        await ended
    finally:
        loop.remove_reader(fd)
        os.close(fd)


async def end_async(process: asyncio.subprocess.Process, call: Call,
                    tasks: Sequence[asyncio.Future[Any]]) -> None:
    """As end_process(); the tasks go on reading until everything ended."""
    waiter = asyncio.ensure_future(process.wait())
    waiting: List[asyncio.Future[Any]] = [waiter, *tasks]
    try:
        if process.returncode is None:
            call.tell('kill')
            await asyncio.wait(waiting, timeout=PATIENCE)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await asyncio.wait(waiting, timeout=PATIENCE)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def see_through(work: asyncio.Future[Any]
                      ) -> Optional[asyncio.CancelledError]:
    """Wait for its end, however often we are cancelled meanwhile: then the
    last of these.  For what has to be undone, and cannot be before."""
    cancelled = None
    while not work.done():
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError as error:
            cancelled = error
    return cancelled


async def start_async(call: Call, **stdio: Any
                      ) -> asyncio.subprocess.Process:
    """mxc begun; cancelled meanwhile, it is ended as at any other time.

    asyncio would kill it, and nobody would reap what it has started.
    """
    starter = asyncio.ensure_future(asyncio.create_subprocess_exec(
        *call.argv, pass_fds=call.pass_fds, limit=1 << 20, **stdio))
    try:
        with starting(call.executable):
            process = await asyncio.shield(starter)
        call.started()
        return process
    except asyncio.CancelledError:
        with contextlib.suppress(OSError):
            await see_through(starter)
            process = starter.result()
            call.started()
            await end_async(process, call, [
                asyncio.ensure_future(_forget(s))
                for s in (process.stdout, process.stderr)])
        raise


async def run_job_async(job: Job, executable: Optional[StrPath],
                        data: Optional[bytes], capture: bool, text: bool,
                        most: int, events: EventsArg) -> Result[Any]:
    lines = make_lines(events)
    call = Call(job.verb, executable, job, events=lines is not None,
                control=True)
    outputs = (Output(most), Output(most))
    taps: List[_Tap] = []
    waiting: List[asyncio.Future[Any]] = []
    process = None
    try:
        for output in outputs if capture else ():
            taps.append(_Tap(output))
        waiting += [t.ended for t in taps]
        process = await start_async(
            call, stdin=subprocess.PIPE if data else subprocess.DEVNULL,
            **{name: tap.inner
               for name, tap in zip(('stdout', 'stderr'), taps)})
        for tap in taps:
            tap.started()
        waiting.append(asyncio.ensure_future(_feed(process, data or b'')))
        if lines is not None:
            waiting.append(asyncio.ensure_future(read_events(call, lines)))
        if job.session is not None:
            # What it leaves running may keep its streams, and write on.
            await _exit_of(process.pid)
            for tap in taps:
                tap.take_rest()
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        else:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
            for one in waiting:
                if one.done():
                    one.result()
        status = await process.wait()
        out, err = outputs
        return build_result(
            call.result(), command=job.command, stdout=out.all(),
            stderr=err.all(), text=text,
            events=lines.kept if lines else [], status=status)
    finally:
        try:
            if process is not None and process.returncode is None:
                await end_async(process, call, waiting)
        finally:
            for tap in taps:
                tap.close()
            call.close()


@overload
async def run_async(command: Optional[Command] = ..., *,
                    text: Literal[True] = ...,
                    **options: Unpack[RunOptions]) -> Result[str]: ...


@overload
async def run_async(command: Optional[Command] = ..., *,
                    text: Literal[False],
                    **options: Unpack[RunOptions]) -> Result[bytes]: ...


async def run_async(command: Optional[Command] = None, *,
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
                    input: Union[str, bytes, None] = None,
                    capture: bool = True,
                    text: bool = True,
                    max_output: int = MAX_OUTPUT,
                    check: bool = False,
                    events: EventsArg = None,
                    correlation_id: Optional[str] = None,
                    denials: bool = False,
                    accesses: bool = False,
                    verify: bool = False,
                    executable: Optional[StrPath] = None) -> Result[Any]:
    """As run(), for asyncio.  Cancelling it kills the sandbox."""
    job = make_job(command, request=request, filesystem=filesystem,
                   network=network, env=env, cwd=cwd, timeout=timeout,
                   limits=limits, guarantees=guarantees, proxy=proxy,
                   tools=tools, accept_missing=accept_missing,
                   backend=backend, correlation_id=correlation_id,
                   denials=denials, accesses=accesses, verify=verify)
    result = await run_job_async(job, executable, input_bytes(input), capture,
                              text, check_most(max_output), events)
    return result.check() if check else result
