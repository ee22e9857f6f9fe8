"""The header `:path`: the path as the routes compare it, then path parameters and the query."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from authz.tools.access.regions.languages import TooMuchEffort, remembered
from authz.tools.access.regions.parts import TARGET, TARGET_WITH_PARAMETERS, representatives
from authz.tools.access.regions.text_reader import State, shortest
from authz.tools.access.regions.values import Values, has

_PARAMETERS = re.compile(r";[^/]*")

_MARKS = {code + after for code in map(ord, ";?/") for after in (0, 1)}
INVALID_BYTE = 0xDCFF
"""A byte outside of ASCII in a query. RE2's `.` does not match it. Envoy refuses it in HTTP/1."""


@dataclass(frozen=True, slots=True)
class TargetCondition:
    """What a box asks of the request target."""

    path: Values
    target: Values
    without_parameters: bool
    """Whether routes compare the path without the parameters of its segments."""

    def has(self, text: str) -> bool:
        """Whether a request target meets it. Raises TooMuchEffort."""
        path = text.partition("?")[0]
        path = without_parameters(path) if self.without_parameters else path
        return has(self.path, path) and has(self.target, text)


def without_parameters(path: str) -> str:
    """The path as Envoy compares it with `ignore_path_parameters_in_path_matching`, measured: `/a;x/b` is `/a/b`."""
    return _PARAMETERS.sub("", path)


def target_name(*, ignores_parameters: bool) -> str:
    """The part that `:path` is in a table whose routes ignore path parameters, or do not."""
    return TARGET_WITH_PARAMETERS if ignores_parameters else TARGET


def target_member(condition: TargetCondition, query: str | None) -> str | None:
    """A short request target that meets the condition. None if there is none. Raises TooMuchEffort.

    With a `query`, only this one is tried. If none meets the condition with it, but one does with another query, the
    question is open.
    """
    found = _known(condition, query)
    if found is None and query is not None and _known(condition, None) is not None:
        raise TooMuchEffort("a condition on :path together with one on the query")
    return found


@remembered
def _known(condition: TargetCondition, query: str | None) -> str | None:
    return _Search(condition, query).shortest()


@dataclass(frozen=True, slots=True)
class _TwoPlaces:
    """The states of the two automata that read one text."""

    path: State | None
    """None behind the path."""
    target: State
    is_query: bool = False
    is_parameter: bool = False
    """Whether the path reader waits for the end of a segment's parameters."""


class _Search:
    """A walk over the product of the readers of the path and of the whole target."""

    def __init__(self, condition: TargetCondition, query: str | None) -> None:
        self._path, self._target = condition.path.reader(), condition.target.reader()
        self._without_parameters = condition.without_parameters
        self._query = query

    def shortest(self) -> str | None:
        """The shortest member, one of ASCII if there is one. Raises TooMuchEffort."""
        return shortest([_TwoPlaces(self._path.start, self._target.start)], self._end, self._steps)

    def _end(self, text: str, at: _TwoPlaces) -> str | None:
        if at.path is not None and not self._path.accepts(at.path):
            return None
        if not self._query:
            return text if self._target.accepts(at.target) else None
        state: State | None = at.target
        for character in f"?{self._query}":
            state = self._target.step(state, ord(character)) if state is not None else None
        return f"{text}?{self._query}" if state is not None and self._target.accepts(state) else None

    def _steps(self, at: _TwoPlaces) -> Iterator[tuple[int, _TwoPlaces | None]]:
        boundaries = self._target.boundaries(at.target) | _MARKS
        if at.path is not None:
            boundaries |= self._path.boundaries(at.path)
        codes = representatives(TARGET, boundaries)
        for code in (*codes, *([INVALID_BYTE] if at.is_query else [])):
            yield code, self._after(at, code)

    def _after(self, at: _TwoPlaces, code: int) -> _TwoPlaces | None:
        target = self._target.step(at.target, code)
        is_mark = code == ord("?") and not at.is_query
        if target is None or (is_mark and self._query is not None):
            return None
        is_query = at.is_query or is_mark
        if at.path is None:
            return _TwoPlaces(None, target, is_query)
        if is_mark:
            return _TwoPlaces(None, target, is_query) if self._path.accepts(at.path) else None
        if self._without_parameters and (code == ord(";") or (at.is_parameter and code != ord("/"))):
            return _TwoPlaces(at.path, target, is_parameter=True)
        path = self._path.step(at.path, code)
        return _TwoPlaces(path, target) if path is not None else None
