"""Questions that run nothing: validate(), explain(), doctor()."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Optional

from ._call import ask
from ._policy import RequestArg, StrPath, check_options, make_job
from ._result import Command, Report, report_from

if TYPE_CHECKING:
    from ._options import PolicyOptions, Unpack


def validate(request: Optional[RequestArg] = None, *,
             command: Optional[Command] = None,
             executable: Optional[StrPath] = None,
             **policy: Unpack[PolicyOptions]) -> Report:
    """Would this run here?  Raises MxcError, with place and remedy, if not.

    Takes a request, or the arguments of run() that say what is allowed.  The
    host is looked at as for a run; nothing is run or changed.
    """
    check_options('validate', make_job, policy)
    job = make_job(command, request=request, **policy)
    raw, _ = ask('check', executable, job)
    return report_from(raw)


def explain(request: Optional[RequestArg] = None, *,
            command: Optional[Command] = None,
            executable: Optional[StrPath] = None,
            **policy: Unpack[PolicyOptions]) -> str:
    """What would be enforced, and by what: text for people.

    Raises MxcError where a run would be refused.
    """
    check_options('explain', make_job, policy)
    job = make_job(command, request=request, **policy)
    report_from(ask('check', executable, job)[0])
    return ask('explain', executable, job, result=False)[1]


def doctor(*, executable: Optional[StrPath] = None) -> Dict[str, Any]:
    """What this host can enforce; `ready` tells whether it is everything.

    `checks` has name, kind and state of each mechanism, and where it is
    missing cause, what it means, and the remedy.
    """
    return ask('doctor', executable)[0]
