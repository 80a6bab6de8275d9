"""What a run leaves, in Python's words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import (Any, AnyStr, Dict, Generic, List, Mapping, Optional,
                    Sequence, TypeVar, Union)

from ._errors import (CommandFailedError, CommandNotRunError, MxcError,
                      error_from)

Command = Union[str, Sequence[str]]
Event = Dict[str, Any]
R = TypeVar('R', bound='Result[Any]')


@dataclass(frozen=True)
class Denial:
    """A refusal, and how often it happened.

    `what` is, of the network, "connect", "datagram", "query" (of a name),
    "tls", "http" or "proxy"; with denials=True also "file", "exec", "socket"
    (a Unix socket) and "syscall".  `reason` is a word for programs, `message`
    a sentence; `errno` what the program was told.

    rule       the place in the policy that refused it
    hint       the option of `mxc run` that would allow it
    clause     the smallest clause of a request that would
    allowable  whether a policy can
    secret     whether what the hint grants may be a secret
    operation  of a path: "read", "write", "create", "delete", "exec",
               "connect"
    path, resolved  as the program named it, and from the root of the sandbox
    call, process, pid, mechanism  who tried it how, and what refused it

    What does not apply is None.
    """

    what: str
    message: str
    reason: str
    rule: Optional[str] = None
    hint: Optional[str] = None
    name: Optional[str] = None
    address: Optional[str] = None
    port: Optional[int] = None
    protocol: Optional[str] = None
    query_type: Optional[int] = None
    asked: Optional[str] = None
    errno: Optional[str] = None
    count: int = 1
    operation: Optional[str] = None
    path: Optional[str] = None
    resolved: Optional[str] = None
    call: Optional[str] = None
    mechanism: Optional[str] = None
    process: Optional[str] = None
    pid: Optional[int] = None
    allowable: Optional[bool] = None
    clause: Optional[str] = None
    secret: bool = False


@dataclass(frozen=True)
class Access:
    """A use of what the policy grants, and how often it happened.

    `what` is "file" or "exec"; `operation` "look", "read", "write",
    "create", "delete" or "exec"; `path` as the program named it, `resolved`
    what that led to; `call`, `process` and `pid` of the first time; `lost` is
    True where it was in the sandbox's memory, and is gone with it.
    """

    what: str
    operation: str
    path: str
    resolved: str
    call: Optional[str] = None
    process: Optional[str] = None
    pid: Optional[int] = None
    count: int = 1
    lost: bool = False


@dataclass(frozen=True)
class Clause:
    """A line of the receipt: a clause of the policy, and what enforces it."""

    clause: str
    by: str
    state: str


@dataclass(frozen=True)
class Wall:
    """A clause that the sandbox tried itself, with verify=True.

    `result` is "held" or "not tried", and then `reason` says why; `tries` is
    how often it was tried.
    """

    clause: str
    mechanism: str
    result: str
    tries: int = 0
    reason: Optional[str] = None


@dataclass(frozen=True)
class Captured:
    """A stream: its beginning, its end, and the bytes that are left out
    between them."""

    head: bytes
    tail: bytes = b''
    lost: int = 0


@dataclass(frozen=True)
class Published:
    """A port of the sandbox, and the port of the host's loopback it has."""

    guest: int
    host: int


@dataclass(frozen=True)
class Report:
    """What validate() found: the request would run, and how."""

    backend: str
    warnings: List[str] = field(default_factory=list)
    receipt: List[Clause] = field(default_factory=list)
    tier: str = ''


@dataclass(frozen=True)
class LimitReached:
    """A limit that was reached: how often, and whether it ended the run."""

    limit: str
    value: int
    count: int
    ended: bool


@dataclass(frozen=True)
class Result(Generic[AnyStr]):
    """How a command ended.

    outcome    "exited", "signaled", "timed_out", "killed" (by kill()) or
               "limited" (a limit ended it: see limits)
    exit_code  its own; 128 + signal; 124 after the timeout; 123 by a limit
    duration   seconds, of the command from its start
    stdout and stderr are empty where they were not captured.  Of more than
    max_output they are the first and the last half: stdout_lost bytes are
    left out at stdout[stdout_gap], which is None where nothing is.
    output_metadata  what became of a record that the request asked for
               (processContainer.captureDenials)
    verified   with verify=True: what the sandbox tried of its walls
    denials    each different refusal once: of the network, and with
               denials=True of files, programs and system calls
    denial_count  how often something was refused, in all
    denials_not_listed  refusals that have no room in denials
    denials_lost  failed calls of which it is not known whether they were
               refused; they are not in denial_count
    accesses   with accesses=True: what was used of what is granted;
               accesses_not_listed have no room
    warnings   what mxc warned of
    raw        the object that mxc wrote
    """

    outcome: str
    exit_code: int
    stdout: AnyStr
    stderr: AnyStr
    command: Optional[Command] = None
    signal: Optional[int] = None
    timed_out: bool = False
    duration: float = 0.0
    backend: str = ''
    denials: List[Denial] = field(default_factory=list)
    denials_not_listed: int = 0
    receipt: List[Clause] = field(default_factory=list, repr=False)
    warnings: List[str] = field(default_factory=list)
    published: List[Published] = field(default_factory=list)
    events: List[Event] = field(default_factory=list)
    raw: Dict[str, Any] = field(default_factory=dict, repr=False)
    stdout_lost: int = 0
    stderr_lost: int = 0
    tier: str = ''
    limits: List[LimitReached] = field(default_factory=list)
    accesses: List[Access] = field(default_factory=list)
    accesses_not_listed: int = 0
    verified: List[Wall] = field(default_factory=list, repr=False)
    output_metadata: Dict[str, Any] = field(default_factory=dict, repr=False)
    stdout_gap: Optional[int] = None
    stderr_gap: Optional[int] = None
    stdout_total: int = 0
    stderr_total: int = 0
    denials_lost: int = 0
    denial_count: int = 0

    @property
    def stdout_truncated(self) -> bool:
        """Is something left out of stdout?"""
        return self.stdout_lost > 0

    @property
    def stderr_truncated(self) -> bool:
        """Is something left out of stderr?"""
        return self.stderr_lost > 0

    @property
    def ok(self) -> bool:
        return self.outcome == 'exited' and self.exit_code == 0

    def check(self: R) -> R:
        """Raise CommandFailedError unless it exited with 0."""
        if not self.ok:
            raise CommandFailedError(self)
        return self


def denial(d: Mapping[str, Any]) -> Denial:
    return Denial(
        what=d.get('what', ''), message=d.get('message', ''),
        reason=d.get('reason', ''), rule=d.get('rule'), hint=d.get('hint'),
        name=d.get('name'), address=d.get('address'), port=d.get('port'),
        protocol=d.get('protocol'), query_type=d.get('queryType'),
        asked=d.get('asked'), errno=d.get('errno'), count=d.get('count', 1),
        operation=d.get('operation'), path=d.get('path'),
        resolved=d.get('resolved'), call=d.get('call'),
        mechanism=d.get('mechanism'), process=d.get('process'),
        pid=d.get('pid'), allowable=d.get('allowable'),
        clause=d.get('clause'), secret=d.get('secret', False))


def access(d: Mapping[str, Any]) -> Access:
    return Access(
        what=d.get('what', ''), operation=d.get('operation', ''),
        path=d.get('path', ''), resolved=d.get('resolved', ''),
        call=d.get('call'), process=d.get('process'), pid=d.get('pid'),
        count=d.get('count', 1), lost=d.get('lost', False))


def clauses(raw: Mapping[str, Any]) -> List[Clause]:
    return [Clause(c.get('clause', ''), c.get('by', ''), c.get('state', ''))
            for c in raw.get('receipt', ())]


def walls(raw: Mapping[str, Any]) -> List[Wall]:
    return [Wall(w.get('clause', ''), w.get('mechanism', ''),
                 w.get('result', ''), w.get('tries', 0), w.get('reason'))
            for w in raw.get('verified', ())]


def _own_words(raw: Mapping[str, Any], stderr: bytes) -> bytes:
    """stderr without what mxc itself wrote there and the result has too.

    Warnings come before everything else, the error after it, and nothing is
    taken away but exactly that.
    """
    for warning in raw.get('warnings', ()):
        line = f'mxc: warning: {warning}\n'.encode()
        if not stderr.startswith(line):
            break
        stderr = stderr[len(line):]
    error = raw.get('error')
    if error:
        text = f'mxc: {error.get("message", "")}\n'
        details = error.get('details') or {}
        if details.get('where'):
            text += f'  at: {details["where"]}'
            if details.get('line'):
                text += (f' (line {details["line"]}, column '
                         f'{details.get("column", 0)})')
            text += '\n'
        if error.get('remediation'):
            text += f'  try: {error["remediation"]}\n'
        last = text.encode()
        if stderr.endswith(last):
            stderr = stderr[:len(stderr) - len(last)]
    return stderr


def decode(data: bytes, text: bool) -> Any:
    return data.decode('utf-8', 'replace') if text else data


def _without_own(raw: Mapping[str, Any], stderr: Captured) -> Captured:
    """Where bytes are left out, both ends are looked at apart."""
    if not stderr.lost:
        return Captured(_own_words(raw, stderr.head + stderr.tail))
    warnings = {'warnings': raw.get('warnings', ())}
    error = {'error': raw.get('error')}
    return Captured(_own_words(warnings, stderr.head),
                    _own_words(error, stderr.tail), stderr.lost)


def _stream(name: str, found: Captured, text: bool) -> Dict[str, Any]:
    """The fields of a result."""
    whole = found.head + found.tail
    if not found.lost:
        return {name: decode(whole, text), f'{name}_total': len(whole)}
    head = decode(found.head, text)
    return {name: head + decode(found.tail, text),
            f'{name}_gap': len(head), f'{name}_lost': found.lost,
            f'{name}_total': len(whole) + found.lost}


def build_result(raw: Dict[str, Any], *, command: Optional[Command],
                 stdout: Captured, stderr: Captured, text: bool,
                 events: List[Event], status: int,
                 killed: bool = False) -> Result[Any]:
    """The result of a run that has ended, or its error raised.

    status is the exit status of mxc itself, below 0 for a signal.
    """
    if not raw and not killed:
        said = (stderr.head + stderr.tail).decode('utf-8', 'replace').strip()
        how = (f'was killed by signal {-status}' if status < 0
               else f'ended with status {status}')
        raise MxcError(f'mxc {how} and gave no result'
                       + (f': {said[-500:]}' if said else ''))
    outcome = raw.get('outcome', 'killed')
    if killed and (outcome in ('failed', 'stopped') or outcome == 'signaled'
                   and raw.get('signal') == 9):
        outcome = 'killed'
    exit_code = raw.get('exitCode', 137)
    signal = raw.get('signal')
    if outcome == 'killed':
        exit_code, signal = 137, 9
    result: Result[Any] = Result(
        outcome=outcome, exit_code=exit_code,
        **_stream('stdout', stdout, text),
        **_stream('stderr', _without_own(raw, stderr), text),
        command=command, signal=signal,
        timed_out=bool(raw.get('timedOut')),
        duration=raw.get('durationMs', 0) / 1000,
        backend=raw.get('backend', ''),
        denials=[denial(d) for d in raw.get('denials', ())],
        denials_not_listed=raw.get('denialsNotListed', 0),
        denials_lost=raw.get('denialsLost', 0),
        denial_count=raw.get('denialCount', 0),
        receipt=clauses(raw), warnings=list(raw.get('warnings', ())),
        published=[Published(p['guest'], p['host'])
                   for p in raw.get('published', ())],
        events=events, raw=raw, tier=raw.get('tier', ''),
        verified=walls(raw),
        output_metadata=raw.get('outputMetadata', {}),
        limits=[LimitReached(x['limit'], x['value'], x['count'], x['ended'])
                for x in raw.get('limits', ())],
        accesses=[access(d) for d in raw.get('accesses', ())],
        accesses_not_listed=raw.get('accessesNotListed', 0))
    if outcome in ('failed', 'stopped', 'not_started'):
        error = error_from(raw.get('error', {}), result=result,
                           not_run=outcome == 'not_started')
        if isinstance(error, CommandNotRunError):
            error.exit_code = exit_code
        raise error
    return result


def report_from(raw: Mapping[str, Any]) -> Report:
    if raw.get('outcome') != 'valid':
        raise error_from(raw.get('error', {}))
    return Report(raw.get('backend', ''), list(raw.get('warnings', ())),
                  clauses(raw), raw.get('tier', ''))
