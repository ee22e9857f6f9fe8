"""The values that one part of a request can have: a method, a header, a query parameter, the host or the path.

A set of values is an intersection: intervals of the text, intervals of the text in lower case, and regular languages
that contain the value or do not. An operand that needs a union becomes several boxes in `request_set`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice

from authz.tools.access.regions.intervals import ALL, Intervals, both, complement, contains, starting_with
from authz.tools.access.regions.languages import Language, TooMuchEffort, remembered
from authz.tools.access.regions.parts import (
    ASCII_ONLY,
    LOWER,
    METHOD,
    PATH,
    PREFERRED,
    TARGETS,
    UPPER,
    representatives,
    texts_from,
)
from authz.tools.access.regions.text_reader import Reader, shortest

MAX_LANGUAGES = 32
"""Expressions of one search. Every route adds its own to those of the routes after it on the same paths."""


_TRIED = 8
"""Beginnings of intervals that are tried before a search."""


@dataclass(frozen=True, slots=True)
class Values:
    """A set of values of one part."""

    intervals: Intervals = ALL
    languages: frozenset[tuple[bool, Language]] = frozenset()
    """Languages that contain the value (True), or do not (False)."""
    absent: bool = False
    """Whether the part may be missing from the request."""
    folded: Intervals = ALL
    """Intervals of the text in lower case, for matchers that ignore the case."""

    def reader(self) -> Reader:
        """A reader that accepts the members."""
        return Reader(self.intervals, self.folded, self.languages)

    def __and__(self, other: Values) -> Values:
        """The values in both sets."""
        if self == other:
            return self
        return Values(
            both(self.intervals, other.intervals),
            self.languages | other.languages,
            self.absent and other.absent,
            both(self.folded, other.folded),
        )

    def without(self, other: Values) -> Iterator[Values]:
        """Disjoint sets that together are the values outside of the other set."""
        outside = both(self.intervals, complement(other.intervals))
        absent = self.absent and not other.absent
        if outside or absent:
            yield replace(self, intervals=outside, absent=absent)
        inside = replace(self, intervals=both(self.intervals, other.intervals), absent=False)
        outside = both(self.folded, complement(other.folded))
        if outside:
            yield replace(inside, folded=outside)
        inside = replace(inside, folded=both(self.folded, other.folded))
        for is_member, language in sorted(other.languages, key=str):
            yield replace(inside, languages=inside.languages | {(not is_member, language)})
            inside = replace(inside, languages=inside.languages | {(is_member, language)})


ANY_TEXT = Values()
"""Every text, and never absent."""


@lru_cache(maxsize=4096)
def everything(part: str) -> Values:
    """Every value that a part can have."""
    if part == PATH or part in TARGETS:
        return Values(starting_with("/"))
    if part == METHOD:
        return Values(complement((("", "\0"),)))
    if part in ASCII_ONLY:
        return ANY_TEXT  # Envoy routes an empty host too, to the domain `*`
    return Values(absent=not part.startswith(":"))


def is_empty(part: str, values: Values) -> bool:
    """Whether the set has no member. Raises TooMuchEffort if that takes too long to find out."""
    return not values.absent and member(part, values) is None


@remembered
def member(part: str, values: Values) -> str | None:
    """A short member that is present. None if there is none. Raises TooMuchEffort."""
    for text in PREFERRED.get(part, ()):
        if has(values, text):
            return text
    if not values.languages and values.folded == ALL:
        return min(_first_members(part, values.intervals), key=len, default=None)
    return _guessed(part, values) or _search(part, values)


def has(values: Values, text: str | None) -> bool:
    """Whether a value, or its absence (None), is in the set. Raises TooMuchEffort."""
    if text is None:
        return values.absent
    if not contains(values.intervals, text) or not contains(values.folded, text.translate(LOWER)):
        return False
    return all(language.automaton().matches(text) is is_member for is_member, language in values.languages)


def _first_members(part: str, intervals: Intervals) -> Iterator[str]:
    for low, high in intervals:
        text = next((each for each in texts_from(part, low) if each < high), None)
        if text is not None:
            yield text


def _guessed(part: str, values: Values) -> str | None:
    """A member that is the beginning of an interval, if no language is asked for. Often there is one."""
    if values.languages:
        return None
    lower = list(islice(_first_members(part, values.folded), _TRIED))
    texts = [
        *lower,
        *(each.translate(UPPER) for each in lower),
        *islice(_first_members(part, values.intervals), _TRIED),
    ]
    return min((each for each in texts if has(values, each)), key=len, default=None)


def _search(part: str, values: Values) -> str | None:
    """The shortest member, by a walk over the product of the automata."""
    if len(values.languages) > MAX_LANGUAGES:
        raise TooMuchEffort(f"a comparison of more than {MAX_LANGUAGES} expressions")
    reader = values.reader()
    return shortest(
        [reader.start],
        lambda text, at: text if reader.accepts(at) else None,
        lambda at: ((code, reader.step(at, code)) for code in representatives(part, reader.boundaries(at))),
    )
