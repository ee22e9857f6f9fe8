"""One mapping of an Envoy configuration and where it stands, read field by field in either spelling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from authz.core.mapping_reader import parse_seconds
from authz.core.problems import Path
from authz.envoy.typed import field_name


@dataclass(frozen=True, slots=True)
class View:
    """A mapping with its path; empty where there is none, so that fields below a missing one are missing too."""

    value: Mapping[str, Any]
    path: Path

    def __bool__(self) -> bool:
        return bool(self.value)

    def key(self, name: str) -> str:
        """The key under which a field stands here: protobuf JSON takes `grpcService` for `grpc_service`."""
        if name in self.value:
            return name
        return next((key for key in self.value if field_name(key) == name), name)

    def where(self, name: str) -> Path:
        """The path of a field."""
        return (*self.path, self.key(name))

    def raw(self, name: str) -> Any:
        """A field as it is written, or None."""
        return self.value.get(self.key(name))

    def get(self, *names: str) -> View:
        """The mapping below these fields, one inside the other."""
        view = self
        for name in names:
            value = view.raw(name)
            view = View(value if isinstance(value, dict) else {}, view.where(name))
        return view

    def text(self, name: str) -> str:
        """A string, empty where there is none."""
        value = self.raw(name)
        return value if isinstance(value, str) else ""

    def seconds(self, name: str) -> float | None:
        """A protobuf duration."""
        return parse_seconds(self.raw(name))

    def each(self, name: str) -> Iterator[View]:
        """The mappings of a list."""
        value = self.raw(name)
        for index, item in enumerate(value if isinstance(value, list) else ()):
            if isinstance(item, dict):
                yield View(item, (*self.where(name), index))

    def members(self) -> Iterator[tuple[str, View]]:
        """The mappings of a mapping by key."""
        for key, item in self.value.items():
            if isinstance(item, dict):
                yield key, View(item, (*self.path, key))

    @property
    def kind(self) -> str:
        """The last word of `@type`, such as `ExtAuthz`."""
        return str(self.value.get("@type", "")).rpartition(".")[2]

    def inside(self) -> Iterator[View]:
        """This mapping and every one below it, outermost first."""
        yield from _mappings(self.value, self.path)


def _mappings(value: object, path: Path) -> Iterator[View]:
    if isinstance(value, dict):
        yield View(value, path)
        for key, item in value.items():
            yield from _mappings(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _mappings(item, (*path, index))
