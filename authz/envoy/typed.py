"""Envoy's own messages, through envoy-data-plane: which of its fields a piece of YAML gets wrong, and where.

The package's own reading stops at the first mistake and does not say where it is; this walk goes on, and names each by
its path. It reads what the package knows of a message's fields, so it is as new as the package and no newer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from typing import Any

from authz.core.mapping_reader import describe
from authz.core.problems import Path, Problem

_COMPARE = "Compare it with Envoy's documentation of the message."
_TYPE_URL = re.compile(r"type\.googleapis\.com/(?P<package>envoy(?:\.[a-z0-9_]+)+)\.(?P<name>[A-Z][A-Za-z0-9]*)")
_WELL_KNOWN = "google.protobuf"
_WRONG_VALUE = (TypeError, ValueError, AttributeError, AssertionError, KeyError, OverflowError)
"""What the package raises for a value that does not fit its field."""


@lru_cache(maxsize=4096)
def field_name(key: str) -> str:
    """A field's name in the spelling of the .proto file: protobuf JSON takes `grpcService` as well."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower()


def message_of(type_url: object) -> Any:
    """The message of a `@type`, or None where the package does not have it."""
    match = _TYPE_URL.fullmatch(type_url) if isinstance(type_url, str) else None
    if match is None:
        return None
    try:
        return getattr(import_module(f"envoy_data_plane.{match['package']}"), match["name"], None)
    except ImportError:
        return None


def unknown_types(value: object, path: Path = ()) -> Iterator[Problem]:
    """Every `@type` that the package does not have, in what is otherwise read as plain data."""
    if isinstance(value, Mapping):
        if "@type" in value and message_of(value["@type"]) is None:
            yield Problem((*path, "@type"), f"the type {value['@type']!r:.120} is not known here", _COMPARE)
        for key, item in value.items():
            yield from unknown_types(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from unknown_types(item, (*path, index))


def mistakes_in(message: Any, value: object, path: Path = ()) -> Iterator[Problem]:
    """Every field of a message, and of the messages in it, that its type does not have or whose value does not fit."""
    if message.__module__.endswith(_WELL_KNOWN):
        yield from _well_known(message, value, path)
        return
    if not isinstance(value, Mapping):
        yield Problem(path, f"{message.__name__} is a mapping, not {describe(value)}", "Write `name: value` lines.")
        return
    known = message._betterproto  # noqa: SLF001 - the only place where the package says which fields there are
    names = {name.rstrip("_"): name for name in known.meta_by_field_name}
    chosen: dict[str, str] = {}
    for key, item in value.items():
        name = names.get(field_name(key))
        if name is None:
            close = get_close_matches(field_name(key), names, n=1, cutoff=0.75)
            fix = f"Did you mean `{close[0]}`?" if close else _COMPARE
            yield Problem((*path, key), f"unknown field {key!r:.60} in {message.__name__}", fix, on_key=True)
            continue
        group = known.meta_by_field_name[name].group
        if group and item is not None and chosen.setdefault(group, key) != key:
            problem = f"{chosen[group]} and {key} cannot both be set"
            yield Problem((*path, key), problem, "Keep one of them.", on_key=True)
        yield from _field(message, name, item, (*path, key))


def _well_known(message: Any, value: object, path: Path) -> Iterator[Problem]:
    """Struct is free, Any says what it is, and the others have a form of their own."""
    if message.__name__ == "Any" and isinstance(value, Mapping):
        packed = message_of(value.get("@type"))
        if packed is not None:
            yield from mistakes_in(packed, {key: item for key, item in value.items() if key != "@type"}, path)
    elif message.__name__ in {"Any", "Struct"}:
        if not isinstance(value, Mapping):
            yield Problem(path, f"a mapping is needed here, not {describe(value)}", "Write `name: value` lines.")
    elif message.__name__ not in {"Value", "ListValue", "Empty"} and not _fits(message, value):
        yield Problem(path, f"{describe(value)} is not a {message.__name__}", _COMPARE)


def _fits(message: Any, value: object) -> bool:
    try:
        message.from_dict(value)
    except _WRONG_VALUE:
        return False
    return True


def _field(message: Any, name: str, value: object, path: Path) -> Iterator[Problem]:
    """One field of a known name. Nothing (`~`) stands for the default of every field."""
    meta = message._betterproto.meta_by_field_name[name]  # noqa: SLF001 - see above
    kind = message._betterproto.cls_by_field  # noqa: SLF001 - see above
    if value is None:
        return
    if meta.map_meta is not None:
        if not isinstance(value, Mapping):
            yield Problem(path, f"a mapping is needed here, not {describe(value)}", "Write `name: value` lines.")
            return
        inner = _Inner(message, name, meta.map_meta[1], kind.get(f"{name}.value"))
        for key, item in value.items():
            yield from inner.mistakes(item, {key: item}, (*path, key))
        return
    inner = _Inner(message, name, meta, kind[name])
    if not meta.repeated:
        yield from inner.mistakes(value, value, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from inner.mistakes(item, [item], (*path, index))
    else:
        yield Problem(path, f"a list is needed here, not {describe(value)}", "Write one `- ` line per entry.")


@dataclass(frozen=True, slots=True)
class _Inner:
    """The type of a field's value, or of one entry of it."""

    message: Any
    name: str
    meta: Any
    kind: Any

    def mistakes(self, item: object, alone: object, path: Path) -> Iterator[Problem]:
        """What is wrong with one entry; `alone` is the field's value with this entry only."""
        if self.meta.proto_type == "message":
            yield from mistakes_in(self.meta.unwrap() if self.meta.unwrap else self.kind, item, path)
        elif not _fits(self.message, {self.name: alone}):
            fix = 'Put quotes around it: `"..."`.' if self.meta.proto_type == "string" else _COMPARE
            yield Problem(path, f"{describe(item)} does not fit {self.name} of {self.message.__name__}", fix)
