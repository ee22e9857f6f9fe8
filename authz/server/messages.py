"""The messages between supervisor and workers, and their JSON form.

Each message is one line of JSON: `{"<type>": {<fields>}}`. The supervisor sends `Configure` and `Drain`, a worker sends
`WorkerStatus`, and `WorkerStart` is a worker's only command-line argument. `decode` is strict although both ends are
ours: a field that is missing or has the wrong type must fail here with its name, not later as a wrong metric.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from authz.observe.log import Format, Level
from authz.observe.worker_status import WorkerStatus

MAX_CONTROL_LINE_BYTES = 16 * 1024 * 1024
"""The longest line that either side reads. A configuration or a status is a small part of it."""


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """Options that are the same for every worker."""

    engine: str
    log_level: Level
    log_format: Format
    drain_seconds: float
    """Drain time when the worker itself receives SIGTERM."""


@dataclass(frozen=True, slots=True)
class WorkerStart:
    """What a worker needs before the first message: its address, its sockets and its end of the control channel."""

    address: str
    control_fd: int
    listen_fd: int
    """The listening socket, -1 if the worker binds its own."""
    inode: int
    """Of the listening socket's file, 0 if there is none or the worker binds its own."""
    options: WorkerOptions


@dataclass(frozen=True, slots=True)
class Configure:
    """Compile this configuration and put it into force."""

    authz: Mapping[str, Any]
    """`node.metadata.authz` as read from the Envoy YAML."""
    realm: str


@dataclass(frozen=True, slots=True)
class Drain:
    """Fail health checks, keep serving until idle or until the time is over, then stop."""

    seconds: float


Message = WorkerStart | Configure | Drain | WorkerStatus

_TYPES: Mapping[str, type[Message]] = {kind.__name__: kind for kind in (WorkerStart, Configure, Drain, WorkerStatus)}


class MalformedMessage(ValueError):
    """A line is not a message. The text names the field, never its value: a value can contain a secret."""


def encode(message: Message) -> bytes:
    """Return the message as one line of JSON, with the line break."""
    return json.dumps({type(message).__name__: _members(message)}, default=_members).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Return the message in a line. Raises MalformedMessage if it is none."""
    try:
        document = json.loads(line)
    except ValueError as error:
        raise MalformedMessage("not JSON") from error
    if not isinstance(document, dict) or len(document) != 1:
        raise MalformedMessage("not an object with one member")
    ((name, members),) = document.items()
    kind = _TYPES.get(name)
    if kind is None:
        raise MalformedMessage(f"unknown message {name!r:.80}")
    message: Message = _read_dataclass(kind, members, name)
    return message


def _members(value: Any) -> dict[str, Any]:
    """The fields of a dataclass. json.dumps calls it for nested ones, so nothing is copied deeply."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _read(kind: Any, value: Any, place: str) -> Any:
    """Convert a JSON value to the annotated type. Raises MalformedMessage."""
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _read_dataclass(kind, value, place)
    reader = _READERS.get(get_origin(kind) or kind)
    if reader is not None:
        return reader(kind, value, place)
    if issubclass(kind, StrEnum):
        return _read_enum(kind, value, place)
    raise TypeError(f"{place}: the codec does not know {kind}")


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _read_dataclass(kind: Any, value: Any, place: str) -> Any:
    hints = _hints(kind)
    _require(isinstance(value, dict) and value.keys() == hints.keys(), place)
    return kind(**{name: _read(hint, value[name], f"{place}.{name}") for name, hint in hints.items()})


def _read_tuple(kind: Any, value: Any, place: str) -> tuple[Any, ...]:
    kinds = get_args(kind)
    _require(isinstance(value, list), place)
    if kinds[-1] is Ellipsis:
        return tuple(_read(kinds[0], item, place) for item in value)
    _require(len(value) == len(kinds), place)
    return tuple(_read(each, item, place) for each, item in zip(kinds, value, strict=True))


def _read_mapping(kind: Any, value: Any, place: str) -> dict[Any, Any]:
    keys, values = get_args(kind)
    _require(isinstance(value, dict), place)
    return {_read(keys, key, place): _read(values, item, place) for key, item in value.items()}


def _read_optional(kind: Any, value: Any, place: str) -> Any:
    """A union: the codec supports `T | None` only."""
    (some,) = (each for each in get_args(kind) if each is not types.NoneType)
    return None if value is None else _read(some, value, place)


def _read_literal(kind: Any, value: Any, place: str) -> Any:
    _require(value in get_args(kind), place)
    return value


def _read_enum(kind: type[StrEnum], value: Any, place: str) -> StrEnum:
    try:
        return kind(value)
    except ValueError as error:
        raise MalformedMessage(place) from error


def _read_number(_kind: Any, value: Any, place: str) -> float:
    _require(type(value) in {int, float}, place)
    return float(value)


def _read_plain(kind: Any, value: Any, place: str) -> Any:
    """A str, int or bool. The exact type, because bool is a subclass of int."""
    _require(type(value) is kind, place)
    return value


def _require(condition: object, place: str) -> None:
    if not condition:
        raise MalformedMessage(place)


_READERS: Mapping[Any, Callable[[Any, Any, str], Any]] = {
    str: _read_plain,
    int: _read_plain,
    bool: _read_plain,
    float: _read_number,
    tuple: _read_tuple,
    get_origin(Mapping[str, str]): _read_mapping,
    types.UnionType: _read_optional,
    get_origin(Level): _read_literal,
}
