"""Read texts into sets of values, and find a shortest text for readers of several parts of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterator
from typing import TypeVar

from authz.tools.access.regions.languages import Automaton, TooMuchEffort
from authz.tools.access.regions.values import MAX_STEPS, SEARCHES, Ends, Read, Values, all_accept, is_dead

State = tuple[Read, tuple[int, ...]]
Place = TypeVar("Place", bound=Hashable)


class Reader:
    """Read a text into a set of values, character by character."""

    def __init__(self, values: Values) -> None:
        self._ends = Ends(values.intervals)
        languages = sorted(values.languages, key=str)
        self._automata: list[tuple[bool, Automaton]] = [(is_member, each.automaton()) for is_member, each in languages]
        self.start: State = ("", tuple(each.start for _is_member, each in self._automata))
        self._fixed = {edge for _is_member, each in self._automata for edge in each.boundaries}

    def step(self, state: State, code: int) -> State | None:
        """The state after one more character. None if nothing that follows is in the set."""
        place = self._ends.step(state[0], chr(code))
        reached = tuple(each.step(at, code) for (_is_member, each), at in zip(self._automata, state[1], strict=True))
        return None if place is False or is_dead(self._automata, reached) else (place, reached)

    def accepts(self, state: State) -> bool:
        """Whether the text may end here."""
        return self._ends.accepts(state[0]) and all_accept(self._automata, state[1])

    def boundaries(self, state: State) -> set[int]:
        """The code points of the next character at which membership can change."""
        return self._fixed | set(self._ends.boundaries(state[0]))


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
