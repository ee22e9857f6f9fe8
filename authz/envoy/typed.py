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
from importlib import import_module
from typing import Any

from authz.core.mapping_reader import describe
from authz.core.problems import Path, Problem
from authz.envoy.fields import Fields, field_name

_COMPARE = "Compare it with Envoy's documentation of the message."
_TYPE_URL = re.compile(r"type\.googleapis\.com/(?P<package>envoy(?:\.[a-z0-9_]+)+)\.(?P<name>[A-Z][A-Za-z0-9]*)")
_WELL_KNOWN = "google.protobuf"
_OBVIOUS = {"string": str, "bool": bool}
"""Values that need no try: `from_dict` for each took most of the time of a file with thousands of routes."""

_WRONG_VALUE = (TypeError, ValueError, AttributeError, AssertionError, KeyError, OverflowError)
"""Exceptions of the package for a value that does not fit its field."""


def message_of(type_url: object) -> Any:
    """Return the message class of a `@type`, or None if the package does not have it."""
    match = _TYPE_URL.fullmatch(type_url) if isinstance(type_url, str) else None
    if match is None:
        return None
    try:
        return getattr(import_module(f"envoy_data_plane.{match['package']}"), match["name"], None)
    except ImportError:
        return None


def config_message(package: str, name: str) -> Any:
    """Return a message class of `envoy.config`. Imported on demand: the package is slow to import."""
    return getattr(import_module(f"envoy_data_plane.envoy.config.{package}"), name)


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


def field_problems(message: Any, value: object, path: Path = ()) -> Iterator[Problem]:
    """Yield a problem for every unknown field and every wrong value, also in nested messages."""
    if message.__module__.endswith(_WELL_KNOWN):
        yield from _well_known(message, value, path)
        return
    if not isinstance(value, Mapping):
        yield Problem(path, f"{message.__name__} is a mapping, not {describe(value)}", "Write `name: value` lines.")
        return
    known = message._betterproto  # noqa: SLF001 - the package has no public list of fields
    names = _names(message)
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


@lru_cache(maxsize=1024)
def _names(message: Any) -> Mapping[str, str]:
    """The attribute of each field: `from_` for `from`."""
    known = message._betterproto  # noqa: SLF001 - the package has no public list of fields
    return {name.rstrip("_"): name for name in known.meta_by_field_name}


def _well_known(message: Any, value: object, path: Path) -> Iterator[Problem]:
    """Check a well-known type. Any names its type; others, such as Duration, have a text form."""
    if message.__name__ == "Any" and isinstance(value, Mapping):
        packed = message_of(value.get("@type"))
        if packed is not None:
            yield from field_problems(packed, {key: item for key, item in value.items() if key != "@type"}, path)
    elif message.__name__ in {"Any", "Struct"}:
        if not isinstance(value, Mapping):
            yield Problem(path, f"this must be a mapping, not {describe(value)}", "Write `name: value` lines.")
    elif message.__name__ not in {"Value", "ListValue", "Empty"} and not _fits(message, value):
        yield Problem(path, f"{describe(value)} is not a {message.__name__}", _COMPARE)


def _fits(message: Any, value: object) -> bool:
    try:
        message.from_dict(value)
    except _WRONG_VALUE:
        return False
    return True


def _field(message: Any, name: str, value: object, path: Path) -> Iterator[Problem]:
    """Check one field. Null (`~`) means the default value, for every type."""
    meta = message._betterproto.meta_by_field_name[name]  # noqa: SLF001 - see above
    kind = message._betterproto.cls_by_field  # noqa: SLF001 - see above
    if value is None:
        return
    if meta.map_meta is not None:
        if not isinstance(value, Mapping):
            yield Problem(path, f"this must be a mapping, not {describe(value)}", "Write `name: value` lines.")
            return
        inner = _Inner(message, name, meta.map_meta[1], kind.get(f"{name}.value"))
        for key, item in value.items():
            yield from inner.problems(item, {key: item}, (*path, key))
        return
    inner = _Inner(message, name, meta, kind[name])
    if not meta.repeated:
        yield from inner.problems(value, value, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from inner.problems(item, [item], (*path, index))
    else:
        yield Problem(path, f"this must be a list, not {describe(value)}", "Write one `- ` line per entry.")


@dataclass(frozen=True, slots=True)
class _Inner:
    """The type of a field's value, or of one entry of a list or map."""

    message: Any
    name: str
    meta: Any
    kind: Any

    def problems(self, item: object, alone: object, path: Path) -> Iterator[Problem]:
        """Check one entry. `alone` is the field's value with only this entry."""
        if type(item) is _OBVIOUS.get(self.meta.proto_type):
            return
        if self.meta.proto_type == "message":
            yield from field_problems(self.meta.unwrap() if self.meta.unwrap else self.kind, item, path)
        elif not _fits(self.message, {self.name: alone}):
            fix = 'Put quotes around it: `"..."`.' if self.meta.proto_type == "string" else _COMPARE
            yield Problem(path, f"{describe(item)} does not fit {self.name} of {self.message.__name__}", fix)
