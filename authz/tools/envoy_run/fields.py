"""Fields of Envoy's messages as plain data, in either spelling of the protobuf JSON format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def member(value: Any, name: str) -> Any:
    """A field of a message in either spelling of the protobuf JSON format; None where it is not there."""
    if not isinstance(value, Mapping):
        return None
    return value[name] if name in value else value.get(_camel(name))


def without(value: dict[str, Any], *names: str) -> dict[str, Any]:
    """The same mapping, these fields taken out of it."""
    for name in names:
        value.pop(name, None)
        value.pop(_camel(name), None)
    return value


def each_of(value: Any, name: str) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """The mappings of a list: the key as it is written, the index, the mapping."""
    items = member(value, name)
    key = name if isinstance(value, Mapping) and name in value else _camel(name)
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict):
            yield key, index, item


def is_message(config: Any, ending: str) -> bool:
    """Whether it is a message whose `@type` ends so."""
    return isinstance(config, dict) and str(config.get("@type", "")).endswith(ending)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
