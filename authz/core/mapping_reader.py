"""Read one mapping of the configuration and collect all problems.

Values are returned typed. If a value is wrong, the problem is recorded and a harmless default is returned, so that one
run reports every problem.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from authz.core.problems import Path, Problem

MAX_SECONDS = 1e15
"""Above the bound of every field, and small enough for exact floats. NaN fails the comparison."""

MAX_UNKNOWN_FIELDS = 20
"""Unknown fields of one mapping that are named, each with a proposal. To find one is slow, and a mapping with more of
them is wrong as a whole."""

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_SPELT_OUT = re.compile(
    r"([0-9]+(?:\.[0-9]+)?) ?(?:(?P<ms>ms|msecs?|milliseconds?)|(?P<s>s|secs?|seconds?)|(?P<m>m|mins?|minutes?)"
    r"|(?P<h>h|hrs?|hours?)|(?P<d>d|days?))",
    re.ASCII | re.IGNORECASE,
)
"""A duration in a spelling of other programs. It is not accepted, but the message shows the right spelling."""


class MappingReader:
    """Reads one mapping field by field. `finish` then reports the unknown fields."""

    def __init__(self, value: object, path: Path, problems: list[Problem]) -> None:
        self.path = path
        self._problems = problems
        self._read: set[str] = set()
        self._known: set[str] = set()
        if not isinstance(value, Mapping):
            self.wrong((), f"a mapping is needed here, not {describe(value)}", "Write `name: value` lines.")
            value = {}
        self._fields: Mapping[str, Any] = value

    def __contains__(self, name: str) -> bool:
        self._known.add(name)
        return name in self._fields

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all fields in the mapping."""
        return tuple(self._fields)

    def wrong(self, below: Path, problem: str, fix: str, *, on_key: bool = False) -> None:
        """Record a problem at a position below this mapping."""
        self._problems.append(Problem(self.path + below, problem, fix, on_key))

    def raw(self, name: str) -> Any:
        """Return the field unchanged, or None. It counts as read."""
        self._read.add(name)
        return self._fields.get(name)

    def text(self, name: str, default: str = "") -> str:
        """Return a non-empty string."""
        value = self.raw(name)
        if name not in self._fields:
            return default
        if isinstance(value, str) and value:
            return value
        self.wrong((name,), f"a string is needed, not {describe(value)}", f'Write `{name}: "..."`.')
        return default

    def flag(self, name: str) -> bool:
        """Return a boolean, false if the field is missing."""
        value = self.raw(name)
        if name in self._fields and not isinstance(value, bool):
            self.wrong((name,), f"true or false is needed, not {describe(value)}", f"Write `{name}: true`.")
        return value is True

    def one_of(self, name: str, choices: tuple[str, ...], default: str) -> str:
        """Return one of the choices."""
        value = self.raw(name)
        if name not in self._fields:
            return default
        if isinstance(value, str) and value in choices:
            return value
        self.wrong((name,), f"{describe(value)} is not one of {listed(choices)}", _instead(value, choices))
        return default

    def texts(self, name: str) -> frozenset[str]:
        """Return the strings of a string or a non-empty list of strings. Empty if the field is missing."""
        if name not in self:
            return frozenset()
        return frozenset(item for item in self.items(name, self.raw(name)) if self._is_text(name, item))

    def items(self, name: str, value: object) -> list[Any]:
        """Return a non-empty list, or a single value as a list."""
        if isinstance(value, list):
            if not value:
                self.wrong((name,), "the list is empty", "Name at least one value, or leave the field out.")
            return value
        return [value]

    def _is_text(self, name: str, item: object) -> bool:
        if isinstance(item, str) and item:
            return True
        self.wrong((name,), f"strings are needed, not {describe(item)}", 'Put quotes around it: `"..."`.')
        return False

    def seconds(self, name: str, default: float, at_least: float, at_most: float) -> float:
        """Return a duration within bounds: a number with a unit (`10s`, `15m`, `24h`) or a number of seconds."""
        value = self.raw(name)
        if name not in self._fields:
            return default
        seconds = parse_seconds(value)
        if seconds is None or not at_least <= seconds <= at_most:
            bounds = f"from {_shown(at_least)} to {_shown(at_most)}"
            meant = _meant_duration(value, at_least, at_most)
            fix = f"Did you mean `{meant}`?" if meant else f"For example, write `{name}: 30s`."
            self.wrong((name,), f"a duration {bounds} is needed, not {describe(value)}", fix)
            return default
        return seconds

    def whole_number(self, name: str, default: int, at_least: int, at_most: int) -> int:
        """Return a whole number within bounds."""
        value = self.raw(name)
        if name not in self._fields:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not at_least <= value <= at_most:
            bounds = f"a whole number from {at_least} to {at_most} is needed"
            self.wrong((name,), f"{bounds}, not {describe(value)}", f"For example, write `{name}: {default}`.")
            return default
        return value

    def section(self, name: str) -> MappingReader:
        """Return a reader of the mapping in this field."""
        return MappingReader(self.raw(name), (*self.path, name), self._problems)

    def named(self, name: str, wellformed: Callable[[str], bool], shape: str) -> Iterator[tuple[str, MappingReader]]:
        """Yield the mappings of a mapping, each with its name. Report names that are not well-formed."""
        whole = self.section(name)
        for key in whole.names:
            if not wellformed(key):
                whole.wrong((key,), f"{key!r:.60} cannot be a name here", f"Names are {shape}.", on_key=True)
            yield key, whole.section(key)

    def each(self, name: str) -> Iterator[MappingReader]:
        """Yield a reader for each mapping of a list."""
        value = self.raw(name)
        if name not in self._fields:
            return
        if not isinstance(value, list) or not value:
            self.wrong((name,), f"a list is needed, not {describe(value)}", "Write one `- ` line per entry.")
            return
        for index, item in enumerate(value):
            yield MappingReader(item, (*self.path, name, index), self._problems)

    def finish(self, *, also: tuple[str, ...] = ()) -> None:
        """Report every field that was not read, because an ignored typo could widen access."""
        known = tuple(sorted(self._known | self._read | set(also)))
        unknown = [key for key in self._fields if key not in self._read]
        for key in unknown[:MAX_UNKNOWN_FIELDS]:
            self.wrong((key,), f"unknown field {key!r:.60}", _instead(key, known), on_key=True)
        if more := unknown[MAX_UNKNOWN_FIELDS:]:
            self.wrong((more[0],), f"more unknown fields from here on: {len(more)}", "Remove them.", on_key=True)


def parse_seconds(value: object) -> float | None:
    """Return the seconds of `10s`, `15m`, `1.5h` or a finite number. None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if abs(value) <= MAX_SECONDS else None
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    return float(match[1]) * _UNIT_SECONDS[match[2]] if match else None


def _meant_duration(value: object, at_least: float, at_most: float) -> str:
    """Return `15m` for `15min` or `15 minutes` if it is within the bounds. Empty for anything else."""
    match = _SPELT_OUT.fullmatch(value) if isinstance(value, str) else None
    if match is None or match.lastgroup is None:
        return ""
    seconds = float(match[1]) * _UNIT_SECONDS[match.lastgroup]
    return f"{match[1]}{match.lastgroup}" if at_least <= seconds <= at_most else ""


def describe(value: object) -> str:
    """Return a description of a wrong value for a message."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value!r:.60}"


def listed(words: tuple[str, ...]) -> str:
    """Return the words as `a, b, c`."""
    return ", ".join(words)


def _shown(seconds: float) -> str:
    return f"{seconds / 86_400:g}d" if seconds >= 86_400 else f"{seconds:g}s"  # noqa: PLR2004 - a day


def _instead(word: object, known: tuple[str, ...]) -> str:
    close = get_close_matches(word, known, n=1) if isinstance(word, str) else []
    return f"Did you mean `{close[0]}`?" if close else f"Known: {listed(known)}."
