"""The fields of Envoy's messages: from a generated table, or from the classes of envoy-data-plane.

To import the classes of one bootstrap takes more than a second, to read the table of all of them some milliseconds.
The table holds for one version of the package. With another version installed, the classes are read instead.
`python -m deploy.message_table` writes the table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

PACKAGE = "envoy_data_plane"
TABLE = Path(__file__).with_name("message_table.json")


@dataclass(frozen=True, slots=True)
class MessageField:
    """One field: `type` is a word of protobuf such as `uint32`, `enum` or `message`."""

    type: str
    kind: str = ""
    """The full name of the message or enum."""
    form: str = ""
    """`list`, `map`, or empty for one value. For a map, `type` and `kind` are those of its values."""
    group: str = ""
    """The oneof that the field belongs to."""

    def __str__(self) -> str:
        return f"{self.type}:{self.kind}:{self.form}:{self.group}".rstrip(":")


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Any]:
    table: dict[str, Any] = json.loads(TABLE.read_text(encoding="utf-8"))
    return table if table["version"] == installed_version() else {"messages": {}, "enums": {}}


def installed_version() -> str:
    """The version of envoy-data-plane that is installed."""
    return metadata.version("envoy-data-plane")


@lru_cache(maxsize=4096)
def fields_of(name: str) -> Mapping[str, MessageField]:
    """The fields of a message by their attribute: `from_` for `from`."""
    row = _table()["messages"].get(name)
    if row is None:
        return described(class_of(name))
    return {field: MessageField(*text.split(":")) for field, text in row.items()}


@lru_cache(maxsize=1024)
def enum_names(kind: str) -> frozenset[str]:
    """The value names of an enum that the table has. Empty if it does not have the enum."""
    return frozenset(_table()["enums"].get(kind, ()))


@lru_cache(maxsize=4096)
def is_message(name: str) -> bool:
    """Whether the package has the message."""
    if name in _table()["messages"]:
        return True
    try:
        found = class_of(name)
    except (ImportError, AttributeError):
        return False
    return hasattr(found, "from_dict")


def class_of(name: str) -> Any:
    """The class of a message or enum. Slow: it imports the classes of the package."""
    package, _, short = name.rpartition(".")
    return getattr(import_module(f"{PACKAGE}.{package}"), short)


def name_of(kind: type) -> str:
    """The full name of a class of the package, as `class_of` takes it."""
    return f"{kind.__module__.removeprefix(f'{PACKAGE}.')}.{kind.__name__}"


def described(message: Any) -> Mapping[str, MessageField]:
    """The fields of a class of the package."""
    known = message._betterproto  # noqa: SLF001 - the package has no public list of fields
    return {name: _described(known, name) for name in known.meta_by_field_name}


def _described(known: Any, name: str) -> MessageField:
    meta, kinds, form = known.meta_by_field_name[name], known.cls_by_field, ""
    group = meta.group or ""
    if meta.map_meta is not None:
        meta, kind, form = meta.map_meta[1], kinds.get(f"{name}.value"), "map"
    else:
        kind, form = kinds[name], "list" if meta.repeated else ""
    if meta.proto_type not in {"message", "enum"}:
        return MessageField(meta.proto_type, "", form, group)
    return MessageField(meta.proto_type, name_of(meta.unwrap() if meta.unwrap else kind), form, group)
