"""Errors as exceptions: one class for each code of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Type

if TYPE_CHECKING:
    from ._result import Result


class MxcError(Exception):
    """mxc refused, or failed.

    code         one of the contract's, as "policy_validation"
    message      what happened
    where        the place in the request, as "filesystem.readonlyPaths[0]"
    line, column of that place in the request's text, from 1
    hint         what would mend it
    operation    the call that failed, as "mount(2)"
    native_code  its errno, as "ENOENT"
    details      the error as mxc gave it
    result       what the run left where it had begun, else None
    """

    code = 'backend_error'

    def __init__(self, message: str, *, code: Optional[str] = None,
                 where: str = '', line: int = 0, column: int = 0,
                 hint: str = '', operation: str = '', native_code: str = '',
                 details: Optional[Mapping[str, Any]] = None,
                 result: Optional[Result[Any]] = None) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.message = message
        self.where, self.line, self.column = where, line, column
        self.hint, self.operation = hint, operation
        self.native_code = native_code
        self.details: Dict[str, Any] = dict(details or {})
        self.result = result

    def __str__(self) -> str:
        text = f'{self.message} [{self.code}]'
        if self.where:
            text += f'\n  at: {self.where}'
        if self.hint:
            text += f'\n  try: {self.hint}'
        return text

    def __reduce__(self) -> Any:
        return _rebuild, (type(self), self.message, dict(self.__dict__))


def _rebuild(cls: Type[MxcError], message: str,
             state: Dict[str, Any]) -> MxcError:
    error = cls(message)
    error.__dict__.update(state)
    return error


class MalformedRequestError(MxcError):
    """The request cannot be understood."""

    code = 'malformed_request'


class UnsupportedContainmentError(MxcError):
    """This build has no such backend."""

    code = 'unsupported_containment'


class UnsupportedPhaseError(MxcError):
    """The backend has no such step of a lifecycle."""

    code = 'unsupported_phase'


class BackendUnavailableError(MxcError):
    """This host lacks something; doctor() tells what and why."""

    code = 'backend_unavailable'


class MalformedIdError(MxcError):
    """That is no id of a session."""

    code = 'malformed_id'


class StaleIdError(MxcError):
    """There is no such session any more, or its holder is gone."""

    code = 'stale_id'


class NotProvisionedError(MxcError):
    """There is no such sandbox."""

    code = 'not_provisioned'


class NotStartedError(MxcError):
    """The session is not started."""

    code = 'not_started'


class AlreadyStartedError(MxcError):
    """The session is started already."""

    code = 'already_started'


class AlreadyStoppedError(MxcError):
    """The session is not started, so there is nothing to stop."""

    code = 'already_stopped'


class PolicyValidationError(MxcError):
    """Understood, and it cannot be enforced or makes no sense here."""

    code = 'policy_validation'


class BackendError(MxcError):
    """Something failed while it was done."""

    code = 'backend_error'


class CommandNotRunError(BackendError):
    """The command was not found in the sandbox, or could not be executed.

    exit_code is 127 or 126.
    """

    exit_code = 127


class MxcNotFoundError(BackendUnavailableError):
    """There is no mxc executable where it was looked for."""


class CommandFailedError(Exception):
    """check=True, and the command did not end with exit code 0.

    mxc did its work, so this is no MxcError.  `result` has everything.
    """

    def __init__(self, result: Result[Any]) -> None:
        super().__init__(result)
        self.result = result

    def __str__(self) -> str:
        r = self.result
        if r.timed_out:
            what = f'timed out after {r.duration:.3f} s'
        elif r.outcome == 'killed':
            what = 'was killed'
        elif r.outcome == 'limited':
            what = 'reached a limit: ' + ', '.join(
                x.limit for x in r.limits if x.ended)
        elif r.signal is not None:
            what = f'was ended by signal {r.signal}'
        else:
            what = f'exited with code {r.exit_code}'
        return f'the command {what}'


_BY_CODE: Dict[str, Type[MxcError]] = {
    c.code: c for c in (
        MalformedRequestError, UnsupportedContainmentError,
        UnsupportedPhaseError, BackendUnavailableError, MalformedIdError,
        StaleIdError, NotProvisionedError, NotStartedError,
        AlreadyStartedError, AlreadyStoppedError, PolicyValidationError,
        BackendError)}


def error_from(error: Mapping[str, Any], *, not_run: bool = False,
               result: Optional[Result[Any]] = None) -> MxcError:
    """The exception for the error object of a result."""
    code = str(error.get('code', 'backend_error'))
    cls = CommandNotRunError if not_run else _BY_CODE.get(code, MxcError)
    details = error.get('details') or {}
    return cls(str(error.get('message', 'unknown error')), code=code,
               where=details.get('where', ''), line=details.get('line', 0),
               column=details.get('column', 0),
               hint=error.get('remediation', ''),
               operation=error.get('operation', ''),
               native_code=error.get('nativeCode', ''),
               details=error, result=result)
