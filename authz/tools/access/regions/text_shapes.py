"""Intervals of texts as shapes that a reader knows: a text, a prefix, or a path and all below it, without others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from authz.tools.access.regions.intervals import TOP, Intervals, contains, starting_with

MAX_DEPTH = 50
"""Prefixes within each other. Deeper sets are shown as plain intervals."""


class ShapeKind(Enum):
    """How the text of a shape is meant."""

    EXACT = "this text"
    PREFIX = "what begins with it"
    BELOW = "it, and what begins with it and a slash"
    RANGE = "from it to before another text"


@dataclass(frozen=True, slots=True)
class Shape:
    """A set of texts."""

    text: str
    kind: ShapeKind = ShapeKind.EXACT
    without: tuple[Shape, ...] = ()
    end: str = ""
    """The text before which a RANGE ends."""


@dataclass(slots=True)
class _Branch:
    """A text at which something changes, with the longer such texts that begin with it."""

    text: str
    children: list[_Branch] = field(default_factory=list)
    depth: int = 0

    @property
    def end(self) -> str:
        """The first text that does not begin with this one and comes after it."""
        ((_low, high),) = starting_with(self.text)
        return high


def shapes(intervals: Intervals, root: str) -> tuple[Shape, ...]:
    """The shapes that together are the intervals, of which every text begins with `root`."""
    trunk = _tree(intervals, root)
    if trunk is None:
        return tuple(Shape(low, ShapeKind.RANGE, end=high) for low, high in intervals)
    return tuple(_parts(trunk, intervals, wanted=True))


def _tree(intervals: Intervals, root: str) -> _Branch | None:
    """The tree of all texts at which something changes. None if it is too deep."""
    trunk = _Branch(root)
    line = [trunk]
    for text in sorted({each for interval in intervals for end in interval for each in _texts_at(end)} - {root}):
        if not text.startswith(root):
            continue
        while not text.startswith(line[-1].text):
            line.pop()
        if len(line) > MAX_DEPTH:
            return None
        branch = _Branch(text)
        line[-1].children.append(branch)
        line.append(branch)
    return trunk


def _texts_at(end: str) -> Iterator[str]:
    """The texts that an end of an interval can be about: it is before or behind a text, or behind a prefix."""
    if end.endswith("\0"):
        yield end[:-1]
    elif end and end != TOP:
        yield end
        yield end[:-1] + chr(ord(end[-1]) - 1)


def _parts(branch: _Branch, intervals: Intervals, *, wanted: bool) -> list[Shape]:
    """The texts of a branch that are in the intervals, or the others."""
    gaps = list(_gaps(branch))
    inside = [contains(intervals, low) for low, _high in gaps]
    is_exact = contains(intervals, branch.text) is wanted
    if all(each is wanted for each in inside):
        without = [] if is_exact else [Shape(branch.text)]
        without += [part for child in branch.children for part in _parts(child, intervals, wanted=not wanted)]
        return [Shape(branch.text, ShapeKind.PREFIX, tuple(_joined(without)))]
    found = [Shape(branch.text)] if is_exact else []
    found += [part for child in branch.children for part in _parts(child, intervals, wanted=wanted)]
    for (low, high), is_in in zip(gaps, inside, strict=True):
        if is_in is wanted:
            is_prefix = ((low, high),) == starting_with(low)
            found.append(Shape(low, ShapeKind.PREFIX if is_prefix else ShapeKind.RANGE, end="" if is_prefix else high))
    return list(_joined(sorted(found, key=lambda each: each.text)))


def _gaps(branch: _Branch) -> Iterator[tuple[str, str]]:
    """The intervals of a branch between its own text and its children."""
    low = f"{branch.text}\0"
    for child in branch.children:
        if low < child.text:
            yield low, child.text
        low = child.end
    if low < branch.end:
        yield low, branch.end


def _joined(found: Iterable[Shape]) -> Iterator[Shape]:
    """The same shapes, but a path and the prefix with a slash behind it are one."""
    waiting: Shape | None = None
    for each in found:
        if waiting is not None:
            if each.kind is ShapeKind.PREFIX and each.text == f"{waiting.text}/":
                yield Shape(waiting.text, ShapeKind.BELOW, each.without)
                waiting = None
                continue
            yield waiting
        waiting = each if each.kind is ShapeKind.EXACT else None
        if waiting is None:
            yield each
    if waiting is not None:
        yield waiting
