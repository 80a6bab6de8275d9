"""Session and AsyncSession: one sandbox for many commands.

A session is the user's, not this process's: it is kept by mxc, found by its
id, and goes on when Python ends.  Only the commands of this process end with
it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
from dataclasses import dataclass, field
from types import TracebackType
from typing import (TYPE_CHECKING, Any, Callable, Dict, List, Mapping,
                    Optional, Sequence, Tuple, Type, TypeVar, Union, overload)

from ._call import ask
from ._contract import CONTRACT, Guarantees, Limits
from ._errors import MxcError, StaleIdError, error_from
from ._policy import (FilesystemArg, Job, NetworkArg, RequestArg, StrPath,
                      absolute, check_options, make_job, milliseconds,
                      placeholder, section, variables, words_of)
from ._result import Command, Result
from ._run import (MAX_OUTPUT, check_most, input_bytes, run_job, run_job_async,
                   see_through)
from ._sandbox import PIPE, AsyncSandbox, PtyArg, Sandbox, Stream

if TYPE_CHECKING:
    from typing import Literal

    from ._options import CommandOptions, SessionOptions, Unpack

T = TypeVar('T')


@dataclass(frozen=True)
class SessionInfo:
    """One of the sessions that sessions() found.

    state    "provisioned", "started", "paused" or "stale" (its holder is
             gone: deprovision it)
    created  seconds since 1970
    """

    id: str
    state: str
    created: float = 0.0
    raw: Dict[str, Any] = field(default_factory=dict, repr=False)


def sessions(*, executable: Optional[StrPath] = None) -> List[SessionInfo]:
    """All sessions of this user, whoever made them."""
    text = ask('ps', executable, more=('--json', '1'), result=False)[1]
    return [SessionInfo(s['sandboxId'], s['state'],
                        s.get('createdMs', 0) / 1000, s)
            for s in json.loads(text)]


def _phase(verb: str, executable: Optional[StrPath], *more: str,
           job: Optional[Job] = None) -> Dict[str, Any]:
    """One phase, done: the members of its result."""
    raw, _ = ask(verb, executable, job, more=more)
    if 'error' in raw:
        raise error_from(raw['error'])
    found = raw.get('result', raw)
    return found if isinstance(found, dict) else {}


def _duration(name: str, seconds: Optional[float],
              least: float = 0.001) -> List[str]:
    if seconds is None:
        return []
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise TypeError(f'{name}: expected seconds, got {seconds!r}')
    if not least <= seconds < 1e9:
        raise ValueError(f'{name}: expected seconds, got {seconds!r}')
    option = '--' + name.replace('_', '-')
    return [option, f'{math.ceil(seconds * 1000)}ms']


def _limits(limits: Optional[Mapping[str, int]]) -> List[str]:
    options = []
    for name, most in (limits or {}).items():
        if isinstance(most, bool) or not isinstance(most, int) or most < 0:
            raise TypeError(f'limits: {name}: expected a number, got {most!r}')
        options += ['--limit', f'{name}={most}']
    return options


def _job(ident: str, command: Command, *,
         filesystem: Optional[FilesystemArg] = None,
         network: bool = True,
         env: Optional[Mapping[str, str]] = None,
         clear_env: bool = False,
         cwd: Optional[StrPath] = None,
         timeout: Optional[float] = None,
         limits: Optional[Mapping[str, int]] = None) -> Job:
    """An exec request, and what stands on mxc's command line."""
    words = None if isinstance(command, str) else words_of(command)
    process: Dict[str, Any] = {
        'commandLine': command if words is None else placeholder}
    if isinstance(command, str) and (not command or '\0' in command):
        raise ValueError('command: empty, or a NUL in it')
    if env is not None or clear_env:
        process['env'] = variables(env)
        process['inheritDefaultEnv'] = not clear_env
    if cwd is not None:
        process['cwd'] = absolute([cwd])[0]
    if timeout is not None:
        process['timeout'] = milliseconds(timeout)
    document: Dict[str, Any] = {
        'version': CONTRACT, 'phase': 'exec', 'sandboxId': ident,
        'process': process}
    narrowed = section(filesystem, 'filesystem')
    if narrowed is not None:
        document['filesystem'] = narrowed
    if not network:
        document['network'] = {'egress': {'default': 'deny'}}
    return Job(json.dumps(document, ensure_ascii=False).encode(), command,
               _limits(limits), words, session=ident)


class _Common:
    """What both kinds share: who they are, and what is asked of mxc."""

    def __init__(self, id: str, *, executable: Optional[StrPath] = None
                 ) -> None:
        if not isinstance(id, str):
            raise TypeError(f'id: expected text, got {id!r}')
        if not id or id.startswith('-') or '\0' in id:
            raise ValueError(f'id: not the id of a session: {id!r}')
        self._id, self._executable = id, executable
        self._warnings: List[str] = []

    @property
    def id(self) -> str:
        return self._id

    @property
    def warnings(self) -> List[str]:
        """What mxc warned of when it was provisioned here."""
        return list(self._warnings)

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self._id!r})'

    def _do(self, verb: str, *more: str) -> Dict[str, Any]:
        return _phase(verb, self._executable, self._id, *more)

    def _start_if_needed(self) -> None:
        if self._do('inspect').get('state') == 'provisioned':
            self._do('start')

    def _logs(self) -> str:
        self._do('inspect')      # its error says more than a status
        return ask('logs', self._executable, more=(self._id,),
                   result=False)[1]


def _provision(options: Dict[str, Any], idle_timeout: Optional[float],
               max_age: Optional[float], executable: Optional[StrPath]
               ) -> Tuple[str, List[str]]:
    layer = options.pop('layer', None)
    if layer is not None and not isinstance(layer, str):
        raise TypeError(f'layer: expected text, got {layer!r}')
    job = make_job(None, **options)
    if layer is not None:
        job.options.extend(['--layer', layer])
    made = _phase('provision', executable,
                  *_duration('idle_timeout', idle_timeout),
                  *_duration('max_age', max_age), job=job)
    return made['sandboxId'], list(made.get('warnings', ()))


class Session(_Common):
    """A sandbox that is kept: provisioned, started, and used many times.

        with Session.provision(filesystem=mxc.read_write('.')) as s:
            s.run(['npm', 'ci'], check=True)
            print(s.run('npm test', network=False).stdout)

    Session(id) is one that is there already, by its id.  The block starts it
    if need be, and deprovisions what is left of it.  Methods may be called
    from several threads, and commands may run side by side.
    """

    @classmethod
    def provision(cls, *,
                  filesystem: Optional[FilesystemArg] = None,
                  network: Optional[NetworkArg] = None,
                  cwd: Optional[StrPath] = None,
                  timeout: Optional[float] = None,
                  limits: Optional[Limits] = None,
                  guarantees: Optional[Guarantees] = None,
                  proxy: Optional[str] = None,
                  tools: bool = False,
                  accept_missing: Sequence[str] = (),
                  backend: Optional[str] = None,
                  request: Optional[RequestArg] = None,
                  layer: Optional[str] = None,
                  idle_timeout: Optional[float] = None,
                  max_age: Optional[float] = None,
                  executable: Optional[StrPath] = None) -> Session:
        """Make one; nothing runs in it yet.

        The arguments are those of run() that say what may be touched, fixed
        from here on; timeout is the most that a command may take.

        layer         what is kept when it stops, until it is deprovisioned;
                      without it nothing.  "private": home, /tmp, /var/tmp,
                      /opt and /usr/local; "system": these, and what is
                      written over the base system
        idle_timeout  seconds without a process in it, after which it stops
        max_age       seconds from its start, after which it stops
        """
        ident, warnings = _provision(
            dict(filesystem=filesystem, network=network, cwd=cwd,
                 timeout=timeout, limits=limits, guarantees=guarantees,
                 proxy=proxy, tools=tools, accept_missing=accept_missing,
                 backend=backend, request=request, layer=layer),
            idle_timeout, max_age, executable)
        made = cls(ident, executable=executable)
        made._warnings = warnings
        return made

    def start(self) -> Session:
        """Make the sandbox; AlreadyStartedError where there is one."""
        self._do('start')
        return self

    def stop(self, grace: Optional[float] = None) -> None:
        """End what runs in it: SIGTERM, and after `grace` seconds (2)
        SIGKILL.  It stays provisioned."""
        self._do('stop', *_duration('grace', grace, 0))

    def deprovision(self, grace: Optional[float] = None) -> None:
        """Stop it if it runs, and remove it."""
        self._do('deprovision', *_duration('grace', grace, 0))

    def pause(self) -> None:
        """Hold everything in it."""
        self._do('pause')

    def resume(self) -> None:
        """Let it go on."""
        self._do('resume')

    def inspect(self) -> Dict[str, Any]:
        """All about it, as `mxc inspect` has it."""
        return self._do('inspect')

    def processes(self) -> List[Dict[str, Any]]:
        """What runs in it: pid inside, hostPid, state and name of each."""
        return list(self._do('ps')['processes'])

    @property
    def state(self) -> str:
        """"provisioned", "started", "paused" or "stale"."""
        return str(self._do('inspect')['state'])

    def logs(self) -> str:
        """What its holder had to say since the last start: refused
        connections, and why it stopped."""
        return self._logs()

    @overload
    def run(self, command: Command, *, text: Literal[True] = ...,
            **options: Unpack[CommandOptions]) -> Result[str]: ...

    @overload
    def run(self, command: Command, *, text: Literal[False],
            **options: Unpack[CommandOptions]) -> Result[bytes]: ...

    def run(self, command: Command, *,
            filesystem: Optional[FilesystemArg] = None,
            network: bool = True,
            env: Optional[Mapping[str, str]] = None,
            clear_env: bool = False,
            cwd: Optional[StrPath] = None,
            timeout: Optional[float] = None,
            limits: Optional[Mapping[str, int]] = None,
            input: Union[str, bytes, None] = None,
            capture: bool = True,
            text: bool = True,
            max_output: int = MAX_OUTPUT,
            check: bool = False) -> Result[Any]:
        """Run a command in it, and wait for its end.

        What it may touch is the session's, or less:

        filesystem  what is taken away: deny(...), read_only(...), and what is
                    given back below that
        network     False: no sockets
        env         variables over the session's; with clear_env instead of
                    them
        limits      "cpu" (seconds), "files", "processes", "file-size" or
                    "memory" (bytes), at most so many
        The others are those of run().
        """
        job = _job(self._id, command, filesystem=filesystem, network=network,
                   env=env, clear_env=clear_env, cwd=cwd, timeout=timeout,
                   limits=limits)
        result = run_job(job, self._executable, input_bytes(input), capture,
                         text, check_most(max_output), None)
        return result.check() if check else result

    def sandbox(self, command: Command, *,
                filesystem: Optional[FilesystemArg] = None,
                network: bool = True,
                env: Optional[Mapping[str, str]] = None,
                clear_env: bool = False,
                cwd: Optional[StrPath] = None,
                timeout: Optional[float] = None,
                limits: Optional[Mapping[str, int]] = None,
                text: bool = True,
                pty: PtyArg = False,
                stdin: Stream = PIPE,
                stdout: Stream = PIPE,
                stderr: Stream = PIPE) -> Sandbox:
        """A command in it with its streams: `with s.sandbox(...) as p`.

        What the command leaves running in the background goes on.
        """
        job = _job(self._id, command, filesystem=filesystem, network=network,
                   env=env, clear_env=clear_env, cwd=cwd, timeout=timeout,
                   limits=limits)
        return Sandbox.of_job(job, text=text, pty=pty, stdin=stdin,
                              stdout=stdout, stderr=stderr,
                              executable=self._executable)

    def __enter__(self) -> Session:
        try:
            self._start_if_needed()
        except BaseException:
            with contextlib.suppress(StaleIdError):
                self.deprovision(0)
            raise
        return self

    def __exit__(self, kind: Optional[Type[BaseException]],
                 error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        with contextlib.suppress(StaleIdError):    # the block did it itself
            self.deprovision()


def _in_thread(call: Callable[..., T], *args: Any) -> asyncio.Future[T]:
    """No task, which asyncio.run() would cancel at its end."""
    return asyncio.get_running_loop().run_in_executor(None, call, *args)


class AsyncSession(_Common):
    """The same for asyncio.

        async with await AsyncSession.provision() as s:
            print((await s.run('echo hello')).stdout)

    What is not said here is as with Session.  A phase (start, stop, ...) that
    is cancelled goes on, in a thread; a command that is cancelled is killed.
    """

    @classmethod
    async def provision(cls, *, idle_timeout: Optional[float] = None,
                        max_age: Optional[float] = None,
                        executable: Optional[StrPath] = None,
                        **policy: Unpack[SessionOptions]) -> AsyncSession:
        """Make one, as Session.provision() does; cancelled, it makes none."""
        check_options('AsyncSession.provision', Session.provision, policy)
        making = _in_thread(_provision, dict(policy), idle_timeout, max_age,
                            executable)
        cancelled = await see_through(making)
        if cancelled is not None:
            # The thread went on, and what it has made would be nobody's.
            with contextlib.suppress(MxcError):
                undoing = _in_thread(_phase, 'deprovision', executable,
                                     making.result()[0])
                await see_through(undoing)
                undoing.result()
            raise cancelled
        ident, warnings = making.result()
        made = cls(ident, executable=executable)
        made._warnings = warnings
        return made

    async def _ask(self, verb: str, *more: str) -> Dict[str, Any]:
        # Not taken back where it waits for a thread.
        return await asyncio.shield(_in_thread(self._do, verb, *more))

    async def start(self) -> AsyncSession:
        await self._ask('start')
        return self

    async def stop(self, grace: Optional[float] = None) -> None:
        await self._ask('stop', *_duration('grace', grace, 0))

    async def deprovision(self, grace: Optional[float] = None) -> None:
        await self._ask('deprovision', *_duration('grace', grace, 0))

    async def pause(self) -> None:
        await self._ask('pause')

    async def resume(self) -> None:
        await self._ask('resume')

    async def inspect(self) -> Dict[str, Any]:
        return await self._ask('inspect')

    async def processes(self) -> List[Dict[str, Any]]:
        return list((await self._ask('ps'))['processes'])

    async def logs(self) -> str:
        return await asyncio.to_thread(self._logs)

    @overload
    async def run(self, command: Command, *, text: Literal[True] = ...,
                  **options: Unpack[CommandOptions]) -> Result[str]: ...

    @overload
    async def run(self, command: Command, *, text: Literal[False],
                  **options: Unpack[CommandOptions]) -> Result[bytes]: ...

    async def run(self, command: Command, *,
                  filesystem: Optional[FilesystemArg] = None,
                  network: bool = True,
                  env: Optional[Mapping[str, str]] = None,
                  clear_env: bool = False,
                  cwd: Optional[StrPath] = None,
                  timeout: Optional[float] = None,
                  limits: Optional[Mapping[str, int]] = None,
                  input: Union[str, bytes, None] = None,
                  capture: bool = True,
                  text: bool = True,
                  max_output: int = MAX_OUTPUT,
                  check: bool = False) -> Result[Any]:
        """As Session.run(); cancelled, it kills the command."""
        job = _job(self._id, command, filesystem=filesystem, network=network,
                   env=env, clear_env=clear_env, cwd=cwd, timeout=timeout,
                   limits=limits)
        result = await run_job_async(
            job, self._executable, input_bytes(input), capture, text,
            check_most(max_output), None)
        return result.check() if check else result

    def sandbox(self, command: Command, *,
                filesystem: Optional[FilesystemArg] = None,
                network: bool = True,
                env: Optional[Mapping[str, str]] = None,
                clear_env: bool = False,
                cwd: Optional[StrPath] = None,
                timeout: Optional[float] = None,
                limits: Optional[Mapping[str, int]] = None,
                text: bool = True,
                pty: PtyArg = False,
                stdin: Stream = PIPE,
                stdout: Stream = PIPE,
                stderr: Stream = PIPE) -> AsyncSandbox:
        """A command in it with its streams: `async with s.sandbox(...)`."""
        job = _job(self._id, command, filesystem=filesystem, network=network,
                   env=env, clear_env=clear_env, cwd=cwd, timeout=timeout,
                   limits=limits)
        return AsyncSandbox.of_job(job, text=text, pty=pty, stdin=stdin,
                                   stdout=stdout, stderr=stderr,
                                   executable=self._executable)

    async def __aenter__(self) -> AsyncSession:
        try:
            await asyncio.to_thread(self._start_if_needed)
        except BaseException:
            with contextlib.suppress(StaleIdError):
                await self.deprovision(0)
            raise
        return self

    async def __aexit__(self, kind: Optional[Type[BaseException]],
                        error: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        with contextlib.suppress(StaleIdError):
            await self.deprovision()


__all__ = ['AsyncSession', 'Session', 'SessionInfo', 'sessions']
