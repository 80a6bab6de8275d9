"""What a run leaves, in Python's words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import (Any, AnyStr, Dict, Generic, List, Mapping, Optional,
                    Sequence, Tuple, TypeVar, Union)

from ._errors import (CommandFailedError, CommandNotRunError, MxcError,
                      error_from)

Command = Union[str, Sequence[str]]
Event = Dict[str, Any]
R = TypeVar('R', bound='Result[Any]')


@dataclass(frozen=True)
class Denial:
    """One refusal by the network policy, and how often it happened.

    `what` is "connect", "datagram", "query" (of a name), "tls", "http" or
    "proxy"; `rule` the place of the rule that refused it; `hint` the option
    of `mxc run` that would allow it.  What does not apply is None.
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


@dataclass(frozen=True)
class Clause:
    """A line of the receipt: a clause of the policy, and what enforces it."""

    clause: str
    by: str
    state: str


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
class Result(Generic[AnyStr]):
    """How a command ended.

    outcome    "exited", "signaled", "timed_out" or "killed" (by kill())
    exit_code  its own; 128 + signal; 124 after the timeout
    duration   seconds, of the command from its start
    stdout and stderr are empty where they were not captured; stdout_lost and
    stderr_lost are bytes beyond max_output.
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
        asked=d.get('asked'), errno=d.get('errno'), count=d.get('count', 1))


def clauses(raw: Mapping[str, Any]) -> List[Clause]:
    return [Clause(c.get('clause', ''), c.get('by', ''), c.get('state', ''))
            for c in raw.get('receipt', ())]


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


def build_result(raw: Dict[str, Any], *, command: Optional[Command],
                 stdout: bytes, stderr: bytes, text: bool,
                 events: List[Event], status: int,
                 killed: bool = False,
                 lost: Tuple[int, int] = (0, 0)) -> Result[Any]:
    """The result of a run that has ended, or its error raised.

    status is the exit status of mxc itself, below 0 for a signal.
    """
    if not raw and not killed:
        said = stderr.decode('utf-8', 'replace').strip()
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
        stdout=decode(stdout, text),
        stderr=decode(_own_words(raw, stderr), text),
        command=command, signal=signal,
        timed_out=bool(raw.get('timedOut')),
        duration=raw.get('durationMs', 0) / 1000,
        backend=raw.get('backend', ''),
        denials=[denial(d) for d in raw.get('denials', ())],
        denials_not_listed=raw.get('denialsNotListed', 0),
        receipt=clauses(raw), warnings=list(raw.get('warnings', ())),
        published=[Published(p['guest'], p['host'])
                   for p in raw.get('published', ())],
        events=events, raw=raw, stdout_lost=lost[0], stderr_lost=lost[1],
        tier=raw.get('tier', ''))
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
