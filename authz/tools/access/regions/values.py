"""The values that one part of a request can have: a method, a header, a query parameter, the host or the path.

A set of values is an intersection: intervals, and regular languages that contain the value or do not. An operand that
needs a union becomes several boxes in `request_set`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from string import ascii_lowercase, ascii_uppercase

from authz.tools.access.regions.intervals import ALL, Intervals, both, complement, contains, starting_with
from authz.tools.access.regions.languages import Automaton, Language, TooMuchEffort

HOST, PATH, METHOD = "host", "path", ":method"
TARGET, TARGET_WITH_PARAMETERS = ":path", ":path with parameters"
"""The header `:path`. The second one is that of a table whose routes ignore path parameters."""
TARGETS = frozenset({TARGET, TARGET_WITH_PARAMETERS})
AUTHORITY, AUTHORITY_WITH_PORT = ":authority", ":authority with port"
"""The header `:authority`, which `host` is another name of, reversed like the host. The second one is that of a table
that ignores the port."""
AUTHORITIES = frozenset({AUTHORITY, AUTHORITY_WITH_PORT})

LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
"""Envoy compares without case in ASCII only."""

MAX_STEPS = 50_000
"""Steps of one search for a member."""

MAX_LANGUAGES = 32
"""Expressions of one search. Every route adds its own to those of the routes after it on the same paths."""


@dataclass(slots=True)
class Searches:
    """The effort of all searches of this process, for callers that have a limit for many searches together."""

    steps: int = 0


SEARCHES = Searches()

_NOT_IN_HOSTS = "/?#@ "
_FORBIDDEN = {
    PATH: "?#",
    TARGET: "#",
    HOST: _NOT_IN_HOSTS + ascii_uppercase,
    METHOD: '"(),/:;<=>?@[\\]{}',
    **dict.fromkeys(AUTHORITIES, _NOT_IN_HOSTS),
}
_ASCII_ONLY = frozenset({HOST, METHOD, *AUTHORITIES})
PREFERRED = {METHOD: ("GET", "POST", "PUT", "DELETE"), HOST: ("moc.elpmaxe", "tset.elpmaxe.rehto"), PATH: ("/",)}
_TAB, _SPACE, _DELETE, _LAST = 0x09, 0x20, 0x7F, 0xFF


@dataclass(frozen=True, slots=True)
class Values:
    """A set of values of one part."""

    intervals: Intervals = ALL
    languages: frozenset[tuple[bool, Language]] = frozenset()
    """Languages that contain the value (True), or do not (False)."""
    absent: bool = False
    """Whether the part may be missing from the request."""

    def __and__(self, other: Values) -> Values:
        """The values in both sets."""
        if self == other:
            return self
        return Values(
            both(self.intervals, other.intervals),
            self.languages | other.languages,
            self.absent and other.absent,
        )

    def without(self, other: Values) -> Iterator[Values]:
        """Disjoint sets that together are the values outside of the other set."""
        outside = both(self.intervals, complement(other.intervals))
        absent = self.absent and not other.absent
        if outside or absent:
            yield replace(self, intervals=outside, absent=absent)
        inside = Values(both(self.intervals, other.intervals), self.languages)
        for is_member, language in sorted(other.languages, key=str):
            yield replace(inside, languages=inside.languages | {(not is_member, language)})
            inside = replace(inside, languages=inside.languages | {(is_member, language)})


def everything(part: str) -> Values:
    """Every value that a part can have."""
    if part == PATH or part in TARGETS:
        return Values(starting_with("/"))
    if part in _ASCII_ONLY:
        return Values(complement((("", "\0"),)))
    return Values(absent=not part.startswith(":"))


def is_empty(part: str, values: Values) -> bool:
    """Whether the set has no member. Raises TooMuchEffort if that takes too long to find out."""
    return not values.absent and member(part, values) is None


def member(part: str, values: Values) -> str | None:
    """A short member that is present. None if there is none. Raises TooMuchEffort."""
    found = _member(part, values)
    if isinstance(found, TooMuchEffort):
        raise found
    return found


@lru_cache(maxsize=65536)
def _member(part: str, values: Values) -> str | TooMuchEffort | None:
    for text in PREFERRED.get(part, ()):
        try:
            if has(values, text):
                return text
        except TooMuchEffort as error:
            return error
    if values.languages:
        try:
            return _search(part, values)
        except TooMuchEffort as error:
            return error
    return min(_first_members(part, values.intervals), key=len, default=None)


def has(values: Values, text: str | None) -> bool:
    """Whether a value, or its absence (None), is in the set. Raises TooMuchEffort."""
    if text is None:
        return values.absent
    return contains(values.intervals, text) and all(
        language.automaton().matches(text) is is_member for is_member, language in values.languages
    )


def _is_valid(part: str, code: int) -> bool:
    """Whether a byte reaches the matchers. Paths and queries get bytes above 127 by HTTP/2, headers by HTTP/1 too."""
    is_header = part not in {PATH, *_ASCII_ONLY, *TARGETS} and not part.startswith("?")
    if code in {_TAB, _SPACE}:
        return is_header
    if code < _SPACE or code == _DELETE or code > _LAST or (code > _DELETE and part in _ASCII_ONLY):
        return False
    return chr(code) not in ("&#" if part.startswith("?") else _FORBIDDEN.get(part, ""))


def _next_valid(part: str, code: int) -> int | None:
    return next((each for each in range(code, _LAST + 1) if _is_valid(part, each)), None)


def _first_members(part: str, intervals: Intervals) -> Iterator[str]:
    for low, high in intervals:
        text = _first_from(part, low)
        if text is not None and text < high:
            yield text


def _first_from(part: str, low: str) -> str | None:
    """The first text at or after `low` whose characters can all be in this part."""
    wrong = next((index for index, each in enumerate(low) if not _is_valid(part, ord(each))), None)
    if wrong is None:
        return low
    for index in range(wrong, -1, -1):
        code = _next_valid(part, ord(low[index]) + (index < wrong))
        if code is not None:
            return low[:index] + chr(code)
    return None


Read = str | bool
"""The text so far, or whether every continuation is in the set."""


class Ends:
    """Whether a text is in the intervals, read character by character."""

    def __init__(self, intervals: Intervals) -> None:
        self._intervals = intervals
        self._ends = sorted({end for each in intervals for end in each})

    def step(self, state: Read, character: str) -> Read:
        """The state after one more character: the text so far, or whether every continuation is in the set."""
        if isinstance(state, bool):
            return state
        text = state + character
        index = bisect_left(self._ends, text)
        # `text` itself as an end splits nothing: all continuations are behind it.
        following = index + (index < len(self._ends) and self._ends[index] == text)
        if following < len(self._ends) and self._ends[following].startswith(text):
            return text
        return contains(self._intervals, text)

    def accepts(self, state: Read) -> bool:
        """Whether the text may end here."""
        return state if isinstance(state, bool) else contains(self._intervals, state)

    def boundaries(self, state: Read) -> Iterator[int]:
        """The code points of the next character at which membership can change."""
        if isinstance(state, bool):
            return
        for index in range(bisect_right(self._ends, state), len(self._ends)):
            end = self._ends[index]
            if not end.startswith(state):
                break
            yield ord(end[len(state)])
            yield ord(end[len(state)]) + 1


def _search(part: str, values: Values) -> str | None:
    """The shortest member, by a walk over the product of the automata."""
    if len(values.languages) > MAX_LANGUAGES:
        raise TooMuchEffort(f"a comparison of more than {MAX_LANGUAGES} expressions")
    ends = Ends(values.intervals)
    languages = sorted(values.languages, key=str)
    automata = [(is_member, language.automaton()) for is_member, language in languages]
    fixed = {edge for _is_member, each in automata for edge in each.boundaries}
    start = ("", tuple(each.start for _is_member, each in automata))
    seen: set[tuple[Read, tuple[int, ...]]] = {start}
    waiting: deque[tuple[str, Read, tuple[int, ...]]] = deque([("", *start)])
    steps = 0
    while waiting:
        text, place, states = waiting.popleft()
        if ends.accepts(place) and all_accept(automata, states):
            return text
        for code in representatives(part, fixed | set(ends.boundaries(place))):
            steps += 1
            SEARCHES.steps += 1
            if steps > MAX_STEPS:
                raise TooMuchEffort(f"a comparison of expressions that needs more than {MAX_STEPS} steps")
            following = ends.step(place, chr(code))
            reached = tuple(each.step(state, code) for (_is, each), state in zip(automata, states, strict=True))
            if following is False or is_dead(automata, reached) or (following, reached) in seen:
                continue
            seen.add((following, reached))
            waiting.append((text + chr(code), following, reached))
    return None


def all_accept(automata: list[tuple[bool, Automaton]], states: tuple[int, ...]) -> bool:
    """Whether the text may end in these states."""
    return all(each.accepts(state) is is_member for (is_member, each), state in zip(automata, states, strict=True))


def is_dead(automata: list[tuple[bool, Automaton]], states: tuple[int, ...]) -> bool:
    """Whether no text that continues from these states is in every language."""
    return any(is_member and each.is_dead(state) for (is_member, each), state in zip(automata, states, strict=True))


def with_both_cases(boundaries: set[int]) -> set[int]:
    """The boundaries between characters of which some are compared in lower case."""
    upper = {each - ord("a") + ord("A") for each in boundaries if ord("a") <= each <= ord("z") + 1}
    return boundaries | upper | {ord("A"), ord("Z") + 1, ord("a"), ord("z") + 1}


def representatives(part: str, boundaries: set[int]) -> list[int]:
    """One valid character for each class of characters that no automaton tells apart."""
    ordered = sorted({_TAB, *(each for each in boundaries if _TAB < each <= _LAST), _LAST + 1})
    found = []
    for low, high in pairwise(ordered):
        first = max(low, min(_SPACE, high - 1))
        # A header loses the spaces at its ends on the way.
        first += first == _SPACE and high > _SPACE + 1
        code = ord("a") if low <= ord("a") < high else _next_valid(part, first)
        code = code if code is not None and code < high else _next_valid(part, low)
        if code is not None and code < high:
            found.append(code)
    return found
