"""Keyword arguments as types, for type checkers alone.

Never imported while a program runs: Unpack is newer than Python 3.9.
"""

from __future__ import annotations

from typing import Mapping, Optional, Sequence, TypedDict, Union

from typing_extensions import Unpack

from ._contract import Guarantees, Limits
from ._policy import FilesystemArg, NetworkArg, RequestArg, StrPath
from ._run import EventsArg


class PolicyOptions(TypedDict, total=False):
    filesystem: Optional[FilesystemArg]
    network: Optional[NetworkArg]
    env: Optional[Mapping[str, str]]
    cwd: Optional[StrPath]
    timeout: Optional[float]
    limits: Optional[Limits]
    guarantees: Optional[Guarantees]
    proxy: Optional[str]
    tools: bool
    accept_missing: Sequence[str]
    backend: Optional[str]


class RunOptions(PolicyOptions, total=False):
    request: Optional[RequestArg]
    input: Union[str, bytes, None]
    capture: bool
    max_output: int
    check: bool
    events: EventsArg
    correlation_id: Optional[str]
    denials: bool
    accesses: bool
    verify: bool
    executable: Optional[StrPath]


class SessionOptions(TypedDict, total=False):
    filesystem: Optional[FilesystemArg]
    network: Optional[NetworkArg]
    cwd: Optional[StrPath]
    timeout: Optional[float]
    limits: Optional[Limits]
    guarantees: Optional[Guarantees]
    proxy: Optional[str]
    tools: bool
    accept_missing: Sequence[str]
    backend: Optional[str]
    request: Optional[RequestArg]
    layer: Optional[str]


class CommandOptions(TypedDict, total=False):
    filesystem: Optional[FilesystemArg]
    network: bool
    env: Optional[Mapping[str, str]]
    clear_env: bool
    cwd: Optional[StrPath]
    timeout: Optional[float]
    limits: Optional[Mapping[str, int]]
    input: Union[str, bytes, None]
    capture: bool
    max_output: int
    check: bool


__all__ = ['CommandOptions', 'PolicyOptions', 'RunOptions', 'SessionOptions',
           'Unpack']
