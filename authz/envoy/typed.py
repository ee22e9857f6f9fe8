"""Check a part of the YAML against Envoy's own messages (envoy-data-plane): unknown fields and wrong values.

The package's `from_dict` stops at the first error and does not report its position. This walk continues and reports the
path of each error. It knows the fields of the installed package version; newer fields are reported as unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, cast

from authz.core.mapping_reader import describe
from authz.core.problems import Path, Problem
from authz.envoy.fields import Fields, field_name
from authz.envoy.message_fields import MessageField, class_of, enum_names, fields_of, is_message

_COMPARE = "Compare it with Envoy's documentation of the message."
_TYPE_URL = re.compile(r"type\.googleapis\.com/(?P<package>envoy(?:\.[a-z0-9_]+)+)\.(?P<name>[A-Z][A-Za-z0-9]*)")
_WELL_KNOWN = "google.protobuf"
_NUMBERS = frozenset({"int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64"})
_WRAPPED = {
    "BoolValue": "bool",
    "StringValue": "string",
    "Int32Value": "int32",
    "Int64Value": "int64",
    "UInt32Value": "uint32",
    "UInt64Value": "uint64",
    "FloatValue": "float",
    "DoubleValue": "double",
}

_WRONG_VALUE = (TypeError, ValueError, AttributeError, AssertionError, KeyError, OverflowError)
"""Exceptions of the package for a value that does not fit its field."""


def message_of(type_url: object) -> str | None:
    """Return the name of the message of a `@type`, or None if the package does not have it."""
    match = _TYPE_URL.fullmatch(type_url) if isinstance(type_url, str) else None
    if match is None:
        return None
    name = f"{match['package']}.{match['name']}"
    return name if is_message(name) else None


def unknown_types(value: Mapping[str, Any], path: Path = ()) -> Iterator[Problem]:
    """Yield a problem for every `@type` that the package does not have."""
    known: dict[str, bool] = {}
    for each in Fields(value, path).inside():
        if "@type" in each.value:
            url = each.value["@type"]
            if str(url) not in known:
                known[str(url)] = message_of(url) is not None
            if not known[str(url)]:
                yield Problem(each.where("@type"), f"unknown type {url!r:.120}", _COMPARE)


def field_problems(message: str, value: object, path: Path = ()) -> Iterator[Problem]:
    """Yield a problem for every unknown field and every wrong value, also in nested messages."""
    package, _, short = message.rpartition(".")
    if package == _WELL_KNOWN:
        yield from _well_known(short, value, path)
        return
    if not isinstance(value, Mapping):
        yield Problem(path, f"{short} is a mapping, not {describe(value)}", "Write `name: value` lines.")
        return
    known, names = fields_of(message), _names(message)
    chosen: dict[str, str] = {}
    for key, item in value.items():
        name = names.get(field_name(key))
        if name is None:
            close = get_close_matches(field_name(key), names, n=1, cutoff=0.75)
            fix = f"Did you mean `{close[0]}`?" if close else _COMPARE
            yield Problem((*path, key), f"unknown field {key!r:.60} in {short}", fix, on_key=True)
            continue
        group = known[name].group
        if group and item is not None and chosen.setdefault(group, key) != key:
            problem = f"{chosen[group]} and {key} cannot both be set"
            yield Problem((*path, key), problem, "Keep one of them.", on_key=True)
        yield from _Inner(message, name, known[name]).all_problems(item, (*path, key))


@lru_cache(maxsize=1024)
def _names(message: str) -> Mapping[str, str]:
    """The attribute of each field: `from_` for `from`."""
    return {name.rstrip("_"): name for name in fields_of(message)}


def _well_known(short: str, value: object, path: Path) -> Iterator[Problem]:
    """Check a well-known type. Any names its type; others, such as Duration, have a text form."""
    if short == "Any" and isinstance(value, Mapping):
        packed = message_of(value.get("@type"))
        if packed is not None:
            yield from field_problems(packed, {key: item for key, item in value.items() if key != "@type"}, path)
    elif short in {"Any", "Struct"}:
        if not isinstance(value, Mapping):
            yield Problem(path, f"this must be a mapping, not {describe(value)}", "Write `name: value` lines.")
    elif short not in {"Value", "ListValue", "Empty"} and not (
        is_plain(MessageField(_WRAPPED.get(short, "")), value)
        or (short == "Duration" and is_duration(value))
        or _fits(f"{_WELL_KNOWN}.{short}", value)
    ):
        yield Problem(path, f"{describe(value)} is not a {short}", _COMPARE)


def is_plain(field: MessageField, value: object) -> bool:
    """Whether the value surely fits. `from_dict` judges all others: it needs the classes, which are slow to import."""
    kind = type(value)
    if field.type in _NUMBERS:
        return kind is int and 0 <= cast("int", value) < 2**31
    if field.type in {"double", "float"}:
        return kind in {int, float} and 0 <= cast("float", value) < 2**31
    if field.type == "enum":
        return kind is str and value in enum_names(field.kind)
    return kind is {"string": str, "bool": bool}.get(field.type)


def is_duration(value: object) -> bool:
    """Whether the value surely is a Duration."""
    return isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?s", value) is not None


def _fits(message: str, value: object) -> bool:
    try:
        class_of(message).from_dict(value)
    except _WRONG_VALUE:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Inner:
    """The type of a field's value, or of one entry of a list or map."""

    message: str
    name: str
    field: MessageField

    def all_problems(self, value: object, path: Path) -> Iterator[Problem]:
        """Check one field. Null (`~`) means the default value, for every type."""
        if value is None:
            return
        if self.field.form == "map":
            if not isinstance(value, Mapping):
                yield Problem(path, f"this must be a mapping, not {describe(value)}", "Write `name: value` lines.")
                return
            for key, item in value.items():
                yield from self.problems(item, {key: item}, (*path, key))
        elif not self.field.form:
            yield from self.problems(value, value, path)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from self.problems(item, [item], (*path, index))
        else:
            yield Problem(path, f"this must be a list, not {describe(value)}", "Write one `- ` line per entry.")

    def problems(self, item: object, alone: object, path: Path) -> Iterator[Problem]:
        """Check one entry. `alone` is the field's value with only this entry."""
        if self.field.type == "message":
            yield from field_problems(self.field.kind, item, path)
        elif not is_plain(self.field, item) and not _fits(self.message, {self.name: alone}):
            fix = 'Put quotes around it: `"..."`.' if self.field.type == "string" else _COMPARE
            short = self.message.rpartition(".")[2]
            yield Problem(path, f"{describe(item)} does not fit {self.name} of {short}", fix)
