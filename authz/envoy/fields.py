"""Read one mapping of an Envoy configuration field by field, in both spellings of protobuf JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from authz.core.mapping_reader import parse_seconds
from authz.core.problems import Path


@lru_cache(maxsize=4096)
def field_name(key: str) -> str:
    """Return a key in the spelling of the .proto file: `grpc_service` for `grpcService`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", key).lower()


@lru_cache(maxsize=4096)
def json_name(name: str) -> str:
    """Return a field name in the spelling of protobuf JSON: `grpcService` for `grpc_service`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


class Fields:
    """A mapping of the document and its path.

    A missing mapping is an empty `Fields`, so a chain of `get` needs no check at each step.
    """

    __slots__ = ("path", "value")

    def __init__(self, value: Mapping[str, Any], path: Path = ()) -> None:
        self.value = value
        self.path = path

    @classmethod
    def root(cls, data: object) -> Fields:
        """The fields of a whole document. Empty if the document is not a mapping."""
        return cls(data if isinstance(data, dict) else {})

    def __bool__(self) -> bool:
        return bool(self.value)

    def key(self, name: str) -> str:
        """The key that this mapping uses for a field. Envoy accepts `grpcService` for `grpc_service`."""
        if name in self.value:
            return name
        other = json_name(name)
        return other if other in self.value else name

    def where(self, name: str) -> Path:
        """The path of a field."""
        return (*self.path, self.key(name))

    def raw(self, name: str) -> Any:
        """The value of a field without any conversion, or None."""
        return self.value.get(self.key(name))

    def get(self, *names: str) -> Fields:
        """The mapping below these fields, each inside the one before."""
        value, path = self.value, self.path
        for name in names:
            key = name if name in value else json_name(name)
            if key not in value:
                key = name
            inner = value.get(key)
            value, path = inner if isinstance(inner, dict) else {}, (*path, key)
        return Fields(value, path)

    def text(self, name: str) -> str:
        """The string in a field, or the empty string."""
        value = self.raw(name)
        return value if isinstance(value, str) else ""

    def seconds(self, name: str) -> float | None:
        """The protobuf duration in a field, in seconds."""
        return parse_seconds(self.raw(name))

    def each(self, name: str) -> Iterator[Fields]:
        """The mappings of a list field."""
        value = self.raw(name)
        if isinstance(value, list):
            path = self.where(name)
            for index, item in enumerate(value):
                if isinstance(item, dict):
                    yield Fields(item, (*path, index))

    def members(self) -> Iterator[tuple[str, Fields]]:
        """The mappings in this mapping, each with its key."""
        for key, item in self.value.items():
            if isinstance(item, dict):
                yield key, Fields(item, (*self.path, key))

    @property
    def type_url(self) -> str:
        """The `@type` of the message, or the empty string."""
        return str(self.value.get("@type", ""))

    @property
    def kind(self) -> str:
        """The last part of `@type`, such as `ExtAuthz`."""
        return self.type_url.rpartition(".")[2]

    def editable(self) -> dict[str, Any]:
        """The mapping itself, for changes to a copy of a document. Raises TypeError if it is read-only."""
        if not isinstance(self.value, dict):
            raise TypeError("this mapping is read-only")
        return self.value

    def inside(self) -> Iterator[Fields]:
        """This mapping and every mapping below it, in the order of the document."""
        yield from _mappings(self.value, self.path)


def _mappings(value: object, path: Path) -> Iterator[Fields]:
    # A stack instead of nested generators: each level of `yield from` costs time for every mapping below it.
    waiting: list[tuple[object, Path]] = [(value, path)]
    while waiting:
        item, place = waiting.pop()
        if isinstance(item, dict):
            yield Fields(item, place)
            below = [(inner, (*place, key)) for key, inner in item.items() if isinstance(inner, dict | list)]
        else:
            below = [
                (inner, (*place, index))
                for index, inner in enumerate(item if isinstance(item, list) else ())
                if isinstance(inner, dict | list)
            ]
        waiting.extend(reversed(below))


def drop_fields(value: dict[str, Any], *names: str) -> dict[str, Any]:
    """Remove fields from a mapping, in both spellings, and return the mapping."""
    for name in names:
        value.pop(name, None)
        value.pop(json_name(name), None)
    return value
