"""From Python's arguments to a request, and small builders of its parts.

Nothing is decided here: whether a request makes sense is mxc's to say, with
the place and the remedy.  Only what could not be written as JSON at all, or
would be ambiguous, is an error of Python's (TypeError, ValueError).
"""

from __future__ import annotations

import inspect
import json
import math
import os
from dataclasses import dataclass, field
from typing import (Any, Callable, Dict, Iterable, List, Mapping, Optional,
                    Sequence, Tuple, Union, cast)

from ._contract import (CONTRACT, Filesystem, Guarantees, Limits, Network,
                        Request)
from ._result import Command

StrPath = Union[str, 'os.PathLike[str]']
FilesystemArg = Union[Filesystem, Sequence[Filesystem]]
NetworkArg = Union[Network, Sequence[Network]]
RequestArg = Union[Request, Mapping[str, Any], str, bytes]

# The private /tmp: the contract's own default environment has no home, and
# many programs want to write into one.
_HOME = 'HOME=/tmp'
# Stands in a request whose command is given as words, which replace it.
placeholder = ':'


# --- builders ----------------------------------------------------------------

def absolute(paths: Iterable[StrPath]) -> List[str]:
    """Absolute, and otherwise as they are: mxc resolves symlinks and '..'."""
    found = []
    for path in paths:
        text = os.fspath(path)
        if not isinstance(text, str):
            raise TypeError(f'expected a path as text, got {path!r}')
        if not text:
            raise ValueError('a path is empty')
        found.append(os.path.join(os.getcwd(), text))
    return found


def read_only(*paths: StrPath) -> Filesystem:
    """These paths, and all below them, for reading."""
    return {'readonlyPaths': absolute(paths)}


def read_write(*paths: StrPath) -> Filesystem:
    """These paths, and all below them, for reading and writing."""
    return {'readwritePaths': absolute(paths)}


def deny(*paths: StrPath) -> Filesystem:
    """Refuse these paths inside of granted ones."""
    return {'deniedPaths': absolute(paths)}


def _port(text: str, whole: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise ValueError(f'{whole!r}: expected a port from 1 to 65535, or a '
                         f'range as 8000-8010')
    return int(text)


def _split(text: str) -> Tuple[str, List[Dict[str, Any]]]:
    """"name:443", "192.0.2.0/24:8000-8010", "[2001:db8::]/32:443"."""
    if not isinstance(text, str):
        raise TypeError(f'expected text, got {text!r}')
    head, colon, ports = text.rpartition(':')
    if text.startswith('['):
        inner, bracket, rest = text[1:].partition(']')
        block, colon, ports = rest.partition(':')
        if not bracket:
            raise ValueError(f'{text!r}: no closing bracket')
        head = inner + block
    elif not colon or ':' in head:
        return text, []       # a name, or IPv6 without a port
    if not colon:
        return head, []
    first, dash, last = ports.partition('-')
    port: Dict[str, Any] = {'port': _port(first, text)}
    if dash:
        port['endPort'] = _port(last, text)
    return head, [port]


def _rule(peer: Dict[str, Any], ports: List[Dict[str, Any]]) -> Dict[str, Any]:
    rule: Dict[str, Any] = {}
    if peer:
        rule['to'] = [peer]
    if ports:
        rule['ports'] = ports
    return rule


def allow_hosts(*hosts: str, intranet: bool = False) -> Network:
    """Let it talk to names: "example.com", "example.com:443",
    "*.example.com:8000-8010".

    A port means TCP and UDP; without one every port is meant.  With intranet
    the names may lead to private addresses.
    """
    rules = []
    for text in hosts:
        host, ports = _split(text)
        peer: Dict[str, Any] = {'host': host}
        if intranet:
            peer['intranet'] = True
        rules.append(_rule(peer, ports))
    return cast(Network, {'egress': {'allow': rules}})


def allow_net(*blocks: str) -> Network:
    """Let it talk to addresses: "192.0.2.1", "192.0.2.0/24:443",
    "[2001:db8::]/32:443", or "internet" for all public ones."""
    rules, egress = [], {}  # type: List[Dict[str, Any]], Dict[str, Any]
    for text in blocks:
        block, ports = _split(text)
        if block != 'internet':
            rules.append(_rule({'cidr': block}, ports))
        elif ports:
            rules.append(_rule({}, ports))
        else:
            egress['default'] = 'allow'
    if rules:
        egress['allow'] = rules
    return cast(Network, {'egress': egress})


def deny_net(*blocks: str) -> Network:
    """Refuse addresses that something else allows."""
    rules = []
    for text in blocks:
        block, ports = _split(text)
        rules.append(_rule({'cidr': block}, ports))
    return cast(Network, {'egress': {'deny': rules}})


def publish(guest: int, host: int = 0) -> Network:
    """Make its port `guest` the port `host` of this host's loopback.

    0 takes a free one: see Result.published, Sandbox.published.
    """
    return cast(Network, {'ingress': {
        'hostLoopback': 'allow', 'ports': [{'guest': guest, 'host': host}]}})


def host_service(host: int, guest: Optional[int] = None) -> Network:
    """Give it the port `host` of this host's loopback, as its own `guest`."""
    service = {'host': host}
    if guest is not None:
        service['guest'] = guest
    return cast(Network, {'ingress': {
        'hostLoopback': 'allow', 'hostServices': [service]}})


# --- the request ---------------------------------------------------------------

def _merge(into: Dict[str, Any], more: Mapping[str, Any], where: str) -> None:
    for key, value in more.items():
        at = f'{where}.{key}'
        have = into.get(key)
        if key not in into:
            into[key] = (dict(value) if isinstance(value, Mapping) else
                         list(value) if isinstance(value, list) else value)
        elif isinstance(have, dict) and isinstance(value, Mapping):
            _merge(have, value, at)
        elif isinstance(have, list) and isinstance(value, list):
            into[key] = have + value
        elif have != value:
            raise ValueError(f'{at} is given twice: {have!r} and {value!r}')


def section(value: Any, name: str) -> Optional[Dict[str, Any]]:
    """One mapping, or several that are put together."""
    if value is None:
        return None
    parts = [value] if isinstance(value, Mapping) else value
    if isinstance(parts, (str, bytes)) or not isinstance(parts, Sequence):
        raise TypeError(f'{name}: expected a mapping or a sequence of '
                        f'mappings, got {value!r}')
    whole: Dict[str, Any] = {}
    for part in parts:
        if not isinstance(part, Mapping):
            raise TypeError(f'{name}: expected mappings, got {part!r}')
        _merge(whole, part, name)
    return whole


def variables(env: Optional[Mapping[str, str]]) -> List[str]:
    """The entries of the contract, checked."""
    if env is None:
        return []
    if not isinstance(env, Mapping):
        raise TypeError(f'env: expected a mapping, got {env!r}')
    entries = []
    for key, value in env.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f'env: expected text, got {key!r}: {value!r}')
        if not key or '=' in key or '\0' in key + value:
            raise ValueError(f'env: not a variable: {key!r}')
        entries.append(f'{key}={value}')
    return entries


def _environment(env: Optional[Mapping[str, str]]) -> List[str]:
    entries = variables(env)
    return entries if env and 'HOME' in env else [_HOME, *entries]


def words_of(command: Any) -> List[str]:
    """A command given as words, checked."""
    if isinstance(command, (bytes, Mapping)) or not isinstance(
            command, Sequence):
        raise TypeError(f'command: expected text (a line for the shell) or a '
                        f'sequence of text, got {command!r}')
    words = []
    for word in command:
        text = os.fspath(word) if isinstance(word, os.PathLike) else word
        if not isinstance(text, str):
            raise TypeError(f'command: expected text, got {word!r}')
        if '\0' in text:
            raise ValueError(f'command: a NUL in {word!r}')
        words.append(text)
    if not words:
        raise ValueError('command is empty')
    return words


def milliseconds(timeout: Optional[float]) -> Optional[int]:
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f'timeout: expected seconds, got {timeout!r}')
    if not 0 < timeout < 1e12:
        raise ValueError(f'timeout: expected seconds above 0, got {timeout!r}')
    return math.ceil(timeout * 1000)


@dataclass(frozen=True)
class Job:
    """What to give to mxc: the request, options, and words after '--'."""

    text: bytes
    command: Optional[Command]
    options: List[str] = field(default_factory=list)
    words: Optional[List[str]] = None
    publishes: bool = False
    session: Optional[str] = None   # an exec request, for this one

    @property
    def verb(self) -> str:
        return 'run' if self.session is None else 'exec'


def _raw(request: RequestArg) -> bytes:
    if isinstance(request, bytes):
        return request
    if isinstance(request, str):
        return request.encode()
    if isinstance(request, Mapping):
        return json.dumps(request, ensure_ascii=False).encode()
    raise TypeError(f'request: expected a mapping or JSON text, '
                    f'got {request!r}')


def _publishes(text: bytes, sections: Optional[Mapping[str, Any]]) -> bool:
    """Are there ports whose number on the host is news?"""
    if sections is None:
        return b'"ports"' in text and b'"guest"' in text
    network = sections.get('network') or {}
    ingress = network.get('ingress')
    return isinstance(ingress, Mapping) and bool(ingress.get('ports'))


def check_options(name: str, taken: Callable[..., Any],
                  options: Mapping[str, Any]) -> None:
    """TypeError for what `taken` has no argument for, in the name of what was
    called."""
    try:
        inspect.signature(taken).bind_partial(**options)
    except TypeError as e:
        raise TypeError(f'{name}() {e}') from None


def make_job(command: Optional[Command] = None, *,
             request: Optional[RequestArg] = None,
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
             correlation_id: Optional[str] = None,
             denials: bool = False,
             accesses: bool = False,
             verify: bool = False) -> Job:
    """All arguments that say what runs, and what it may touch."""
    words = None if command is None or isinstance(
        command, str) else words_of(command)
    if isinstance(command, str) and '\0' in command:
        raise ValueError('command: a NUL in it')
    sections: Optional[Dict[str, Any]] = None
    if request is not None:
        for name, value in (('filesystem', filesystem), ('network', network),
                            ('env', env), ('limits', limits),
                            ('guarantees', guarantees),
                            ('proxy', proxy)):
            if value is not None:
                raise TypeError(f'{name}: not beside a request, which has a '
                                f'place for it')
        text = _raw(request)
        if isinstance(command, str):
            words = ['/bin/sh', '-c', command]
    else:
        sections = {'version': CONTRACT, 'process': {
            'commandLine': command if isinstance(command, str) else placeholder,
            'env': _environment(env), 'inheritDefaultEnv': True}}
        if command is None:
            del sections['process']
        for name, part in (('filesystem', section(filesystem, 'filesystem')),
                           ('network', section(network, 'network')),
                           ('limits', section(limits, 'limits')),
                           ('guarantees',
                            section(guarantees, 'guarantees'))):
            if part is not None:
                sections[name] = part
        if proxy is not None:
            if not isinstance(proxy, str):
                raise TypeError(f'proxy: expected text, got {proxy!r}')
            sections['runtimeConfig'] = (
                {'filteringProxy': True} if proxy == 'builtin'
                else {'networkProxy': proxy})
        text = json.dumps(sections, ensure_ascii=False).encode()
    options = []
    most = milliseconds(timeout)
    if most is not None:
        options += ['--timeout', f'{most}ms']
    if cwd is not None:
        options += ['--cwd', absolute([cwd])[0]]
    if backend is not None:
        if not isinstance(backend, str):
            raise TypeError(f'backend: expected text, got {backend!r}')
        options += ['--backend', backend]
    if correlation_id is not None:
        if not isinstance(correlation_id, str):
            raise TypeError(f'correlation_id: expected text, got '
                            f'{correlation_id!r}')
        options += ['--correlation-id', correlation_id]
    if denials:
        options.append('--denials')
    if accesses:
        options.append('--accesses')
    if verify:
        options.append('--verify')
    if tools:
        options.append('--tools')
    if isinstance(accept_missing, str):
        accept_missing = (accept_missing,)
    for wall in accept_missing:
        options += ['--accept-missing', wall]
    return Job(text, command, options, words, _publishes(text, sections))
