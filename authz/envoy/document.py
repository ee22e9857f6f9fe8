"""YAML text with positions: what Envoy would read, and where each value stands.

Scalars resolve as Envoy's own reader resolves them: `yes` and `on` are booleans, quoted text is text, and there are no
timestamps or sexagesimals. Whatever the bytes are, the outcome is a Document or Unreadable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from authz.core.mistakes import Path

MAX_BYTES = 4 * 1024 * 1024
"""The largest file that is read. Real bootstraps are under 200 kB."""

MAX_NODES = 400_000
"""Values after aliases are expanded: a file of nested aliases can mean more than any memory holds."""

MAX_DEPTH = 200
"""Levels of nesting. Envoy's deepest configurations need about 40."""

_TRUE = frozenset({"y", "yes", "true", "on"})
_FALSE = frozenset({"n", "no", "false", "off"})
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?")
_SPECIAL_FLOATS = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}
_MAX_NUMBER_CHARACTERS = 64

_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file, counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Unreadable(Exception):
    """The text is not one YAML document. Says where, what, and what to do."""

    def __init__(self, location: Location, problem: str, cure: str) -> None:
        super().__init__(f"{location}: {problem}. {cure}")
        self.location = location
        self.problem = problem
        self.cure = cure


class Document:
    """One YAML document: plain data, and the place of every value."""

    def __init__(self, data: Any, places: dict[Path, tuple[Location, Location]], file: str) -> None:
        self.data = data
        self._places = places
        self._file = file

    def locate(self, path: Path, *, on_key: bool = False) -> Location:
        """Where a value stands, or its key; for a path that is not there, its nearest ancestor."""
        for length in range(len(path), -1, -1):
            place = self._places.get(path[:length])
            if place is not None:
                return place[1] if on_key and length == len(path) else place[0]
        return Location(self._file, 1, 1)


def read(text: str, file: str) -> Document:
    """Read one YAML document. Raises Unreadable, and nothing else, whatever the text is."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise Unreadable(Location(file, 1, 1), f"larger than {MAX_BYTES} bytes", "Name the Envoy YAML.")
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Location(file, mark.line + 1, mark.column + 1) if mark else Location(file, 1, 1)
        problem = error.problem or "not YAML"
        raise Unreadable(place, f"not YAML: {problem}", "Mend the YAML syntax there.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(Location(file, 1, 1), "not YAML text", "Name a text file in YAML or JSON.") from error
    if node is None:
        raise Unreadable(Location(file, 1, 1), "the file is empty", "Name the Envoy YAML.")
    return _Builder(file).build(node)


class _Builder:
    """Turns PyYAML's nodes into data and places."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._places: dict[Path, tuple[Location, Location]] = {}
        self._nodes = 0

    def build(self, node: yaml.Node) -> Document:
        here = self._at(node)
        self._places[()] = (here, here)
        return Document(self._value(node, ()), self._places, self._file)

    def _at(self, node: yaml.Node) -> Location:
        return Location(self._file, node.start_mark.line + 1, node.start_mark.column + 1)

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES or len(path) > MAX_DEPTH:
            raise Unreadable(self._at(node), "too much is nested or repeated here", "Write less with aliases.")
        if isinstance(node, yaml.MappingNode):
            return {key: self._value(value, (*path, key)) for key, value in self._members(node, path)}
        if isinstance(node, yaml.SequenceNode):
            return [
                self._value(self._item(item, (*path, index)), (*path, index)) for index, item in enumerate(node.value)
            ]
        return _scalar(str(node.value), is_plain=not getattr(node, "style", None))

    def _item(self, node: yaml.Node, path: Path) -> yaml.Node:
        self._places[path] = (self._at(node), self._at(node))
        return node

    def _members(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, yaml.Node]]:
        seen = set()
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise Unreadable(self._at(key_node), "a key is a list or a mapping", "Write a plain key.")
            key = str(key_node.value)
            if key == "<<" and not key_node.style:
                raise Unreadable(self._at(key_node), "merge keys (`<<`) are not read", "Write the fields out.")
            if key in seen:
                raise Unreadable(self._at(key_node), f"the key {key!r:.80} stands here twice", "Keep one of them.")
            seen.add(key)
            self._places[*path, key] = (self._at(value_node), self._at(key_node))
            yield key, value_node


def _scalar(text: str, *, is_plain: bool) -> Any:
    """A scalar as Envoy's reader resolves it: quoted or block text is text, plain text may be more."""
    if not is_plain:
        return text
    lower = text.lower()
    if lower in {"", "~", "null"}:
        return None
    if lower in _TRUE | _FALSE:
        return lower in _TRUE
    return _number(text) if len(text) <= _MAX_NUMBER_CHARACTERS else text


def _number(text: str) -> Any:
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    special = _SPECIAL_FLOATS.get(text.lower())
    return float(special) if special else text
