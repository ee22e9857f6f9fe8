"""Read texts into sets, character by character, and find a shortest text for readers of several parts of it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from authz.tools.access.regions.intervals import ALL, Intervals, contains
from authz.tools.access.regions.languages import Automaton, Language, TooMuchEffort
from authz.tools.access.regions.parts import LOWER, with_both_cases

MAX_STEPS = 50_000
"""Steps of one search for a member."""


@dataclass(slots=True)
class Searches:
    """The effort of all searches of this process, for callers that have a limit for many searches together."""

    steps: int = 0


SEARCHES = Searches()

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


State = tuple[tuple[Read, ...], tuple[int, ...]]
"""The texts so far in the text and in lower case, and the states of the automata."""
Place = TypeVar("Place", bound=Hashable)


class Reader:
    """Read a text into a set of values, which has intervals, intervals in lower case, and languages."""

    def __init__(self, intervals: Intervals, folded: Intervals, languages: Collection[tuple[bool, Language]]) -> None:
        self._ends = [Ends(intervals)] if folded == ALL else [Ends(intervals), Ends(folded)]
        ordered = sorted(languages, key=str)
        self._automata: list[tuple[bool, Automaton]] = [(is_member, each.automaton()) for is_member, each in ordered]
        self.start: State = tuple("" for _ in self._ends), tuple(each.start for _is_member, each in self._automata)
        self._fixed = {edge for _is_member, each in self._automata for edge in each.boundaries}

    def step(self, state: State, code: int) -> State | None:
        """The state after one more character. None if nothing that follows is in the set."""
        characters = chr(code), chr(LOWER.get(code, code))
        places = tuple(
            ends.step(at, character) for ends, at, character in zip(self._ends, state[0], characters, strict=False)
        )
        if False in places:
            return None
        reached = tuple(each.step(at, code) for (_is_member, each), at in zip(self._automata, state[1], strict=True))
        return None if _is_dead(self._automata, reached) else (places, reached)

    def accepts(self, state: State) -> bool:
        """Whether the text may end here."""
        places, states = state
        return all(ends.accepts(at) for ends, at in zip(self._ends, places, strict=True)) and all(
            each.accepts(at) is is_member for (is_member, each), at in zip(self._automata, states, strict=True)
        )

    def boundaries(self, state: State) -> set[int]:
        """The code points of the next character at which membership can change."""
        exact, *folded = (set(ends.boundaries(at)) for ends, at in zip(self._ends, state[0], strict=True))
        return self._fixed.union(exact, *map(with_both_cases, folded))


def _is_dead(automata: list[tuple[bool, Automaton]], states: tuple[int, ...]) -> bool:
    """Whether no text that continues from these states is in every language."""
    return any(is_member and each.is_dead(state) for (is_member, each), state in zip(automata, states, strict=True))


def shortest(
    starts: Collection[Place],
    whole: Callable[[str, Place], str | None],
    steps: Callable[[Place], Iterator[tuple[int, Place | None]]],
) -> str | None:
    """The shortest text, one of ASCII if there is one. Raises TooMuchEffort.

    `whole` returns the text that ends at a place, or None. `steps` returns each next character and its place, None if
    nothing that follows is wanted.
    """
    seen = set(starts)
    waiting, beyond_ascii = deque(("", each) for each in starts), deque[tuple[str, Place]]()
    count = 0
    while waiting or beyond_ascii:
        text, at = (waiting or beyond_ascii).popleft()
        found = whole(text, at)
        if found is not None:
            return found
        for code, following in steps(at):
            count += 1
            SEARCHES.steps += 1
            if count > MAX_STEPS:
                raise TooMuchEffort(f"a comparison of expressions that needs more than {MAX_STEPS} steps")
            if following is not None and following not in seen:
                seen.add(following)
                longer = text + chr(code)
                (waiting if longer.isascii() else beyond_ascii).append((longer, following))
    return None
