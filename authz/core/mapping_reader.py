"""Reading one mapping of the configuration: every mistake is collected, none stops the reading.

Values come back typed; where one was wrong, a harmless stand-in comes back and the mistake is on the list, so that
one run shows an operator everything there is to mend.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from authz.core.problems import Path, Problem

MAX_SECONDS = 1e15
"""More than any bound of a field, and less than what a float cannot count exactly. Not a number is not less."""

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_SPELT_OUT = re.compile(
    r"([0-9]+(?:\.[0-9]+)?) ?(?:(?P<ms>ms|msecs?|milliseconds?)|(?P<s>s|secs?|seconds?)|(?P<m>m|mins?|minutes?)"
    r"|(?P<h>h|hrs?|hours?)|(?P<d>d|days?))",
    re.ASCII | re.IGNORECASE,
)
"""A duration as people write it elsewhere: never taken, but told how it is written here."""


class MappingReader:
    """One mapping, read field by field; `finish` then reports the fields that nobody read."""

    def __init__(self, value: object, path: Path, found: list[Problem]) -> None:
        self.path = path
        self._found = found
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
        """The fields that are there."""
        return tuple(self._fields)

    def wrong(self, below: Path, problem: str, fix: str, *, on_key: bool = False) -> None:
        """Put a mistake on the list, at a place below this mapping."""
        self._found.append(Problem(self.path + below, problem, fix, on_key))

    def raw(self, name: str) -> Any:
        """The field as it was written, or None; it counts as read."""
        self._read.add(name)
        return self._fields.get(name)

    def text(self, name: str, default: str = "") -> str:
        """A non-empty string."""
        value = self.raw(name)
        if name not in self._fields:
            return default
        if isinstance(value, str) and value:
            return value
        self.wrong((name,), f"a string is needed, not {describe(value)}", f'Write `{name}: "..."`.')
        return default

    def flag(self, name: str) -> bool:
        """Whether it is true; false where it is missing."""
        value = self.raw(name)
        if name in self._fields and not isinstance(value, bool):
            self.wrong((name,), f"true or false is needed, not {describe(value)}", f"Write `{name}: true`.")
        return value is True

    def one_of(self, name: str, choices: tuple[str, ...], default: str) -> str:
        """One of a few words."""
        value = self.raw(name)
        if name not in self._fields:
            return default
        if isinstance(value, str) and value in choices:
            return value
        self.wrong((name,), f"{describe(value)} is not one of {listed(choices)}", _instead(value, choices))
        return default

    def texts(self, name: str) -> frozenset[str]:
        """A string, or a list of strings that is not empty; nothing where the field is missing."""
        if name not in self._fields:
            return frozenset()
        return frozenset(item for item in self.items(name, self.raw(name)) if self._is_text(name, item))

    def items(self, name: str, value: object) -> list[Any]:
        """A value, or a list that is not empty, as a list."""
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
        """A duration with a unit (`10s`, `15m`, `24h`), or a plain number of seconds, within bounds."""
        value = self.raw(name)
        if name not in self._fields:
            return default
        seconds = parse_seconds(value)
        if seconds is None or not at_least <= seconds <= at_most:
            bounds = f"from {_shown(at_least)} to {_shown(at_most)}"
            meant = _meant_duration(value, at_least, at_most)
            fix = f"Did you mean `{meant}`?" if meant else f"Write `{name}: 30s`, say."
            self.wrong((name,), f"a duration {bounds} is needed, not {describe(value)}", fix)
            return default
        return seconds

    def section(self, name: str) -> MappingReader:
        """A mapping below this one."""
        return MappingReader(self.raw(name), (*self.path, name), self._found)

    def named(self, name: str, wellformed: Callable[[str], bool], shape: str) -> Iterator[tuple[str, MappingReader]]:
        """The mappings of a mapping, each with its name; names must have the given shape."""
        whole = self.section(name)
        for key in whole.names:
            if not wellformed(key):
                whole.wrong((key,), f"{key!r:.60} cannot be a name here", f"Names are {shape}.", on_key=True)
            yield key, whole.section(key)

    def each(self, name: str) -> Iterator[MappingReader]:
        """The mappings of a list."""
        value = self.raw(name)
        if name not in self._fields:
            return
        if not isinstance(value, list) or not value:
            self.wrong((name,), f"a list is needed, not {describe(value)}", "Write one `- ` line per entry.")
            return
        for index, item in enumerate(value):
            yield MappingReader(item, (*self.path, name, index), self._found)

    def finish(self, *, also: tuple[str, ...] = ()) -> None:
        """Report every field that was not read: a typo must never widen access."""
        known = sorted(self._known | self._read | set(also))
        for key in self._fields:
            if key not in self._read:
                self.wrong((key,), f"unknown field {key!r:.60}", _instead(key, tuple(known)), on_key=True)


def parse_seconds(value: object) -> float | None:
    """Seconds of `10s`, `15m`, `1.5h` or of a finite number; None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if abs(value) <= MAX_SECONDS else None
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    return float(match[1]) * _UNIT_SECONDS[match[2]] if match else None


def _meant_duration(value: object, at_least: float, at_most: float) -> str:
    """`15m` for `15min` or `15 minutes`, where that is within the bounds; empty for anything else."""
    match = _SPELT_OUT.fullmatch(value) if isinstance(value, str) else None
    if match is None or match.lastgroup is None:
        return ""
    seconds = float(match[1]) * _UNIT_SECONDS[match.lastgroup]
    return f"{match[1]}{match.lastgroup}" if at_least <= seconds <= at_most else ""


def describe(value: object) -> str:
    """A wrong value as an operator reads it."""
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
    """Words for a sentence: `a, b, c`."""
    return ", ".join(words)


def _shown(seconds: float) -> str:
    return f"{seconds / 86_400:g}d" if seconds >= 86_400 else f"{seconds:g}s"  # noqa: PLR2004 - a day


def _instead(word: object, known: tuple[str, ...]) -> str:
    close = get_close_matches(word, known, n=1) if isinstance(word, str) else []
    return f"Did you mean `{close[0]}`?" if close else f"Known here: {listed(known)}."
