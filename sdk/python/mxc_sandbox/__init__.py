"""Run untrusted code in a sandbox, under one policy.

    import mxc_sandbox as mxc

    result = mxc.run(['python3', 'job.py'], filesystem=mxc.read_write('.'),
                     network=mxc.allow_hosts('api.github.com:443'),
                     timeout=60)
    print(result.exit_code, result.stdout, result.denials)

What is not granted is not there: no file of yours, no network, no variable.
This package drives the `mxc` executable; it decides nothing itself.
"""

from ._ask import doctor, explain, validate
from ._contract import (CONTRACT, Filesystem, Guarantees, Limits, Network,
                        Request)
from ._errors import (AlreadyStartedError, AlreadyStoppedError, BackendError,
                      BackendUnavailableError, CommandFailedError,
                      CommandNotRunError, MalformedIdError,
                      MalformedRequestError, MxcError, MxcNotFoundError,
                      NotProvisionedError, NotStartedError,
                      PolicyValidationError, StaleIdError,
                      UnsupportedContainmentError, UnsupportedPhaseError)
from ._policy import (allow_hosts, allow_net, deny, deny_net, host_service,
                      publish, read_only, read_write)
from ._result import (Access, Clause, Denial, LimitReached, Published, Report,
                      Result, Wall)
from ._run import run, run_async
from ._sandbox import DEVNULL, PIPE, AsyncSandbox, Sandbox
from ._session import AsyncSession, Session, SessionInfo, sessions

__version__ = '0.1.0'

__all__ = [
    'AlreadyStartedError', 'AlreadyStoppedError', 'AsyncSandbox',
    'AsyncSession',
    'BackendError', 'BackendUnavailableError', 'CONTRACT', 'Clause',
    'Access', 'CommandFailedError', 'CommandNotRunError', 'DEVNULL', 'Denial',
    'Filesystem', 'Guarantees',
    'Limits', 'MalformedIdError', 'MalformedRequestError', 'MxcError',
    'MxcNotFoundError', 'Network', 'NotProvisionedError', 'NotStartedError',
    'PIPE', 'PolicyValidationError', 'Published', 'Report', 'Request', 'Result',
    'Sandbox', 'Session', 'SessionInfo', 'StaleIdError', 'UnsupportedContainmentError',
    'UnsupportedPhaseError', 'Wall', 'allow_hosts', 'allow_net', 'deny', 'deny_net',
    'doctor', 'explain', 'host_service', 'publish', 'read_only',
    'read_write', 'run', 'run_async', 'sessions', 'validate',
]
