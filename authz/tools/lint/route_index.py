"""Find the routes whose path covers another one, without comparing every pair.

50,000 routes have more than a billion pairs. Only routes with one of a few keys can cover a path: each prefix of its
text, its own text, and `/`. So each route looks up these keys.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from authz.tools.lint.match import Match

_Key = tuple[str, str, bool]
_MAX_SUBSET_CONDITIONS = 6
"""A match with more conditions is compared with each match of the same key: 2**6 subsets are still cheap."""


class RouteIndex:
    """The matches of one virtual host by path, in the order in which Envoy tries them."""

    def __init__(self, matches: Sequence[Match]) -> None:
        self._matches = matches
        self._by_path: dict[_Key, dict[tuple[str, str], list[int]]] = defaultdict(dict)
        self._first: dict[_Key, dict[frozenset[str], int]] = defaultdict(dict)
        self._unconditional: dict[_Key, list[int]] = defaultdict(list)
        for index, match in enumerate(matches):
            key = _key(match)
            self._by_path[key].setdefault(match.path, []).append(index)
            self._first[key].setdefault(match.conditions, index)
            if not match.conditions:
                self._unconditional[key].append(index)

    def first_cover(self, index: int) -> int | None:
        """The first route before this route that matches every request of this one."""
        match = self._matches[index]
        found = (
            earlier
            for key in self._covering_keys(match)
            for earlier in self._with_fewer_conditions(key, match)
            if earlier < index and self._matches[earlier].covers(match)
        )
        return min(found, default=None)

    def other_paths_before(self, index: int) -> list[int]:
        """Every route before this route that has another path and matches every path of this one, in order."""
        match = self._matches[index]
        found: list[int] = []
        for key in self._covering_keys(match):
            for path, indexes in self._by_path[key].items():
                if path != match.path and self._matches[indexes[0]].covers_path_of(match):
                    found += indexes[: bisect_left(indexes, index)]
        return sorted(found)

    def next_unconditional(self, index: int) -> int | None:
        """The first route after this route that matches every path of this one and has no conditions."""
        match = self._matches[index]
        found = []
        for key in self._covering_keys(match):
            indexes = self._unconditional[key]
            later = indexes[bisect_right(indexes, index) :][:1]
            found += [each for each in later if self._matches[each].covers_path_of(match)]
        return min(found, default=None)

    def _with_fewer_conditions(self, key: _Key, match: Match) -> Iterator[int]:
        first = self._first[key]
        if len(match.conditions) > _MAX_SUBSET_CONDITIONS:
            yield from first.values()
            return
        for size in range(len(match.conditions) + 1):
            for subset in combinations(match.conditions, size):
                index = first.get(frozenset(subset))
                if index is not None:
                    yield index

    def _covering_keys(self, match: Match) -> Iterator[_Key]:
        """The keys in use that can cover the path of a match."""
        return (key for key in dict.fromkeys(_candidates(match)) if key in self._by_path)


def _key(match: Match) -> _Key:
    kind, text = match.path
    return kind, text if match.is_case_sensitive else text.lower(), match.is_case_sensitive


def _candidates(match: Match) -> Iterator[_Key]:
    kind, original = match.path
    for is_case_sensitive in (True, False):
        text = original if is_case_sensitive else original.lower()
        yield "prefix", "/", is_case_sensitive
        yield kind, text, is_case_sensitive
        if kind in {"prefix", "path_separated_prefix", "path"}:
            for length in range(1, len(text) + 1):
                yield "prefix", text[:length], is_case_sensitive
                if length == len(text) or text[length] == "/":
                    yield "path_separated_prefix", text[:length], is_case_sensitive
