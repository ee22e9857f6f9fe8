"""Read YAML as Envoy reads it, and remember the line and column of each value.

Scalars resolve as in Envoy's own reader (yaml-cpp): `yes` and `on` are booleans, `010` is eight, quoted text is text, a
tag other than `!` changes only null, and there are no timestamps or sexagesimals. Two differences are deliberate:

- Fractions and large integers become numbers. Envoy keeps their text until a message needs a type.
- A duplicate key, a merge key (`<<`) and a second document are errors. Envoy accepts them silently, and reads the last
  key, a field called `<<`, and the first document only.

Any input gives a YamlDocument or ConfigurationError.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from authz.core.problems import ConfigurationError, Location, Path

MAX_BYTES = 32 * 1024 * 1024
"""The largest file that is read. Real bootstraps are under 200 kB. A dump with 50,000 routes has about 20 MB."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one document may hold."""

    values: int
    """Values, after aliases are expanded."""

    levels: int
    """Levels of nesting, after aliases are expanded. Each one makes the path of a value longer, which takes time."""


MAX_FILE_VALUES = 2_000_000
"""The values of a file, after aliases are expanded. A small file of nested aliases can expand beyond any memory."""

MAX_FILE_LEVELS = 200
"""The levels of nesting in a file. Envoy's deepest configurations need about 40."""

FILE_BOUNDS = Bounds(MAX_FILE_VALUES, MAX_FILE_LEVELS)

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {
    spelling: word in {"y", "yes", "true", "on"}
    for word in ("y", "yes", "true", "on", "n", "no", "false", "off")
    for spelling in (word, word.upper(), word.capitalize())
}
_INTEGER = re.compile(r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0(?P<octal>[0-7]+)|(?P<decimal>0|[1-9][0-9]*))")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_MAX_NUMBER_CHARACTERS = 64

_TAG = re.compile(r"(?:&\S+\s+)?(?P<tag>!\S*)")
"""A tag before a value or a key. An anchor may come first."""

IGNORED_TAG = "!ignore"
"""Envoy drops a field whose key has this tag. Operators use such fields to define anchors."""

_TEMPLATE = re.compile(r"\{\{-?\s*(?:[.$/]|\w+\b)[^{}\n]{0,200}-?\}\}|\{%-?\s*\w[^{}\n]{0,200}-?%\}")
"""An action of a Go template (Helm), or a Jinja expression or statement."""

_BYTE_ORDER_MARK = "\ufeff"


class _Loader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]
    """PyYAML's parser in C. `_scalar` resolves types, and PyYAML's own resolver took half of the time."""

    def resolve(self, _kind: object, _value: object, _implicit: object) -> str:
        """Return one tag for every node."""
        return "tag:yaml.org,2002:str"


class YamlDocument:
    """One YAML document: plain data, and the position of every value."""

    def __init__(self, data: Any, positions: dict[Path, tuple[yaml.Mark, yaml.Mark]], file: str) -> None:
        self.data = data
        self._positions = positions
        self._file = file

    def locate(self, path: Path, *, on_key: bool = False) -> Location:
        """Return the position of a value, or of its key. If the path does not exist, use its nearest ancestor."""
        for length in range(len(path), -1, -1):
            place = self._positions.get(path[:length])
            if place is not None:
                return _location(self._file, place[1] if on_key and length == len(path) else place[0])
        return Location(self._file, 1, 1)


def read(text: str, file: str, bounds: Bounds = FILE_BOUNDS) -> YamlDocument:
    """Read one YAML document. Raises only ConfigurationError, for any text."""
    text = text.removeprefix(_BYTE_ORDER_MARK)
    with _templates_named(text, file):
        first, *more = _nodes(text, file)
        if more:
            raise second_document(_location(file, more[0].start_mark))
        return _Builder(text, file, bounds).build(first)


def second_document(place: Location) -> ConfigurationError:
    """Return the error for a second document. Envoy ignores it silently."""
    return ConfigurationError.because("a second document begins here", "Keep one. Envoy reads only the first.", place)


def read_all(text: str, file: str) -> tuple[YamlDocument, ...]:
    """Read every document of a stream, as in Kubernetes manifests. Returns at least one.

    Raises only ConfigurationError.
    """
    text = text.removeprefix(_BYTE_ORDER_MARK)
    with _templates_named(text, file):
        return tuple(_Builder(text, file, FILE_BOUNDS).build(node) for node in _nodes(text, file))


@contextmanager
def _templates_named(text: str, file: str) -> Iterator[None]:
    """If the text cannot be read and is a template, say so instead: the position in YAML would explain nothing."""
    try:
        yield
    except ConfigurationError as error:
        found = _TEMPLATE.search(text)
        if found is None:
            raise
        line_start = text.rfind("\n", 0, found.start()) + 1
        place = Location(file, text.count("\n", 0, found.start()) + 1, found.start() - line_start + 1)
        fix = "Render first: `helm template RELEASE CHART | authz lint -`, or with the tool that reads the template."
        raise ConfigurationError.because("this is a template, not YAML", fix, place) from error


def _nodes(text: str, file: str) -> list[yaml.Node]:
    """Return the root node of every document that is not blank. Raises if there is none."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise ConfigurationError.because(f"larger than {MAX_BYTES} bytes", "Name the Envoy YAML.", Location(file, 1, 1))
    try:
        nodes: list[yaml.Node] = [node for node in yaml.compose_all(text, Loader=_Loader) if not _is_blank(node)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = _location(file, mark) if mark else Location(file, 1, 1)
        if mark and text[mark.index : mark.index + 1] == "\t":
            fix = "Indent with spaces. YAML does not allow tabs."
            raise ConfigurationError.because("not YAML: this is a tab", fix, place) from error
        problem = error.problem or "it cannot be parsed"
        raise ConfigurationError.because(f"not YAML: {problem}", "Fix the YAML syntax.", place) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError.because(
            "not YAML text", "Name a text file in YAML or JSON.", Location(file, 1, 1)
        ) from error
    if not nodes:
        raise ConfigurationError.because("the file is empty", "Name the Envoy YAML.", Location(file, 1, 1))
    return nodes


def _is_blank(node: yaml.Node) -> bool:
    """Whether a document has only comments between two `---`."""
    return isinstance(node, yaml.ScalarNode) and not node.value and not node.style


def _location(file: str, mark: yaml.Mark) -> Location:
    return Location(file, mark.line + 1, mark.column + 1)


class _Builder:
    """Turns PyYAML's nodes into data and positions."""

    def __init__(self, text: str, file: str, bounds: Bounds) -> None:
        self._text = text
        self._file = file
        self._positions: dict[Path, tuple[yaml.Mark, yaml.Mark]] = {}
        self._bounds = bounds
        self._values = 0
        self._unfinished: set[int] = set()

    def build(self, node: yaml.Node) -> YamlDocument:
        self._positions[()] = (node.start_mark, node.start_mark)
        return YamlDocument(self._value(node, ()), self._positions, self._file)

    def _refuse(self, node: yaml.Node, problem: str, fix: str) -> ConfigurationError:
        return ConfigurationError.because(problem, fix, _location(self._file, node.start_mark))

    def _tag(self, node: yaml.Node) -> str:
        """Return the tag from the text, or the empty string. PyYAML does not keep the tag of every node."""
        if self._text[node.start_mark.index : node.start_mark.index + 1] not in {"!", "&"}:
            return ""
        match = _TAG.match(self._text, node.start_mark.index)
        return match["tag"] if match else ""

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._values += 1
        if self._values > self._bounds.values:
            problem = f"more than {self._bounds.values} values, after aliases are expanded"
            raise self._refuse(node, problem, "Use fewer aliases.")
        if len(path) > self._bounds.levels:
            raise self._refuse(node, f"nested deeper than {self._bounds.levels} levels", "Use fewer levels.")
        if isinstance(node, yaml.ScalarNode):
            return _scalar(str(node.value), self._tag(node), is_plain=not node.style)
        if id(node) in self._unfinished:
            raise self._refuse(node, "a value contains itself, through an alias", "Write the value out.")
        self._unfinished.add(id(node))
        data = self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._sequence(node, path)
        self._unfinished.remove(id(node))
        return data

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        return {key: self._value(value, (*path, key)) for key, value in self._members(node, path)}

    def _sequence(self, node: yaml.Node, path: Path) -> list[Any]:
        return [self._value(item, self._place((*path, index), item)) for index, item in enumerate(node.value)]

    def _place(self, path: Path, node: yaml.Node) -> Path:
        self._positions[path] = (node.start_mark, node.start_mark)
        return path

    def _members(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, yaml.Node]]:
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._refuse(key_node, "a key is a list or a mapping", "Write a plain key.")
            key = str(key_node.value)
            if self._tag(key_node) == IGNORED_TAG:
                continue
            if key == "<<" and not key_node.style:
                raise self._refuse(key_node, "Envoy does not merge keys (`<<`)", "Write the fields out.")
            if key in seen:
                problem = f"duplicate key {key!r:.80}, first {_above(key_node.start_mark.line - seen[key])}"
                raise self._refuse(key_node, problem, "Keep one of them.")
            seen[key] = key_node.start_mark.line
            self._positions[*path, key] = (value_node.start_mark, key_node.start_mark)
            yield key, value_node


def _above(lines: int) -> str:
    """Say where an earlier line is. Relative, because a document can be inside of another file (a ConfigMap)."""
    if not lines:
        return "in the same line"
    return f"{lines} line{'s' if lines != 1 else ''} above"


def _scalar(text: str, tag: str, *, is_plain: bool) -> Any:
    """Resolve a scalar as Envoy does. Quoted text, block text and `!` are text; plain text can be another type."""
    if tag == "!" or not (is_plain or tag):
        return text
    if not tag and text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    return _number(text) if len(text) <= _MAX_NUMBER_CHARACTERS else text


def _number(text: str) -> Any:
    match = _INTEGER.fullmatch(text)
    if match is None:
        return float(text) if _FLOAT.fullmatch(text) else text
    base = 16 if match["hex"] else 8 if match["octal"] else 10
    return int(match["sign"] + (match["hex"] or match["octal"] or match["decimal"]), base)
