"""Regular languages as automata whose states are built on demand, so that the effort can be bounded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

from authz.tools.access.regions.re2_syntax import (
    ANY,
    Characters,
    Choice,
    Edge,
    Node,
    NotModelled,
    Ranges,
    Repeat,
    Sequence,
    as_bytes,
    parse,
)

MAX_STATES = 10_000
"""States of one automaton. Counted repetitions multiply them."""

_ASCII_CASES = 127


class TooMuchEffort(Exception):
    """A question that needs more states or steps than allowed."""


_Asked = ParamSpec("_Asked")
_Answer = TypeVar("_Answer")


def remembered(search: Callable[_Asked, _Answer]) -> Callable[_Asked, _Answer]:
    """Cache the answers of a search, and that it needed too much effort: to find that out takes the longest."""

    @lru_cache(maxsize=65536)
    def known(*asked: _Asked.args, **named: _Asked.kwargs) -> _Answer | TooMuchEffort:
        try:
            return search(*asked, **named)
        except TooMuchEffort as error:
            return error

    @wraps(search)
    def answer(*asked: _Asked.args, **named: _Asked.kwargs) -> _Answer:
        found = known(*asked, **named)  # type: ignore[arg-type]  # the caller's arguments are hashable
        if isinstance(found, TooMuchEffort):
            raise found
        return found

    return answer


@dataclass(frozen=True, slots=True)
class Language:
    """A set of texts: `regex`, or `prefix`, `suffix` and `contains`. Other texts are intervals."""

    kind: str
    text: str
    ignore_case: bool = False
    is_reversed: bool = False
    """Whether its members are read backwards, as the names of hosts are."""

    def __str__(self) -> str:
        """The language in words."""
        words = {"regex": "matching", "prefix": "starting with", "suffix": "ending with"}
        case = " in any case" if self.ignore_case else ""
        return f"{words.get(self.kind, self.kind)} {self.text}{case}"

    def automaton(self) -> Automaton:
        """Its automaton. Raises NotModelled or TooMuchEffort."""
        return _automaton(self)

    def literal_prefix(self) -> str:
        """A text with which every member of a `regex` starts. Often the empty text."""
        found = ""
        tree = parse(self.text)
        for part in tree.parts if isinstance(tree, Sequence) else ():
            if isinstance(part, Edge) and part.is_begin:
                continue
            if not isinstance(part, Characters) or len(part.ranges) != 1 or part.ranges[0][0] != part.ranges[0][1]:
                break
            found += chr(part.ranges[0][0])
        return found


class Automaton:
    """A nondeterministic automaton, made deterministic state by state."""

    def __init__(self, tree: Node) -> None:
        self._edges: list[list[tuple[Ranges, int]]] = []
        self._free: list[list[tuple[str, int]]] = []
        first, self._last = self._build(tree)
        self.boundaries = frozenset(
            edge for edges in self._edges for ranges, _to in edges for low, high in ranges for edge in (low, high + 1)
        )
        """The code points at which membership in a range can change."""
        self._numbers: dict[frozenset[int], int] = {}
        self._members: list[frozenset[int]] = []
        self._accepts: list[bool] = []
        self._steps: dict[tuple[int, int], int] = {}
        self.start = self._number(self._closure({first}, "^"))

    def step(self, state: int, code: int) -> int:
        """The state after one more character. Raises TooMuchEffort."""
        following = self._steps.get((state, code))
        if following is None:
            reached = {
                to
                for each in self._members[state]
                for ranges, to in self._edges[each]
                if any(low <= code <= high for low, high in ranges)
            }
            following = self._steps[state, code] = self._number(self._closure(reached, ""))
        return following

    def accepts(self, state: int) -> bool:
        """Whether the text may end here."""
        return self._accepts[state]

    def is_dead(self, state: int) -> bool:
        """Whether no text is accepted from here on."""
        return not self._members[state]

    def matches(self, text: str) -> bool:
        """Whether a text is in the language."""
        state = self.start
        for character in text:
            state = self.step(state, ord(character))
        return self.accepts(state)

    def _number(self, members: frozenset[int]) -> int:
        known = self._numbers.get(members)
        if known is None:
            if len(self._members) >= MAX_STATES:
                raise TooMuchEffort(f"an expression with more than {MAX_STATES} states")
            known = self._numbers[members] = len(self._members)
            self._members.append(members)
            # `^` holds only before the first character, so a text that is empty passes both anchors.
            anchors = "^$" if known == 0 else "$"
            self._accepts.append(self._last in self._closure(set(members), anchors))
        return known

    def _closure(self, states: set[int], anchors: str) -> frozenset[int]:
        waiting = list(states)
        while waiting:
            for anchor, to in self._free[waiting.pop()]:
                if anchor in anchors and to not in states:
                    states.add(to)
                    waiting.append(to)
        return frozenset(states)

    def _state(self) -> int:
        if len(self._edges) >= MAX_STATES:
            raise TooMuchEffort(f"an expression with more than {MAX_STATES} states")
        self._edges.append([])
        self._free.append([])
        return len(self._edges) - 1

    def _build(self, node: Node) -> tuple[int, int]:
        """Add the states of a part. Returns its first and its last state."""
        first, last = self._state(), self._state()
        if isinstance(node, Characters):
            self._edges[first].append((node.ranges, last))
        elif isinstance(node, Edge):
            self._free[first].append(("^" if node.is_begin else "$", last))
        elif isinstance(node, Choice):
            for part in node.parts:
                inner = self._build(part)
                self._free[first].append(("", inner[0]))
                self._free[inner[1]].append(("", last))
        elif isinstance(node, Repeat):
            self._repeat(node, first, last)
        else:
            self._chain(node.parts, first, last)
        return first, last

    def _chain(self, parts: tuple[Node, ...], first: int, last: int) -> None:
        at = first
        for part in parts:
            inner = self._build(part)
            self._free[at].append(("", inner[0]))
            at = inner[1]
        self._free[at].append(("", last))

    def _repeat(self, node: Repeat, first: int, last: int) -> None:
        at = first
        for _ in range(node.least):
            inner = self._build(node.part)
            self._free[at].append(("", inner[0]))
            at = inner[1]
        if node.most is None:
            inner = self._build(node.part)
            self._free[at] += [("", inner[0]), ("", last)]
            self._free[inner[1]] += [("", inner[0]), ("", last)]
            return
        self._free[at].append(("", last))
        for _ in range(node.most - node.least):
            inner = self._build(node.part)
            self._free[at].append(("", inner[0]))
            at = inner[1]
            self._free[at].append(("", last))


@lru_cache(maxsize=4096)
def _automaton(language: Language) -> Automaton:
    return Automaton(_tree(language))


def _tree(language: Language) -> Node:
    tree = _forward_tree(language)
    return _backwards(tree) if language.is_reversed else tree


def _backwards(node: Node) -> Node:
    """The tree of the same texts, each read from its end."""
    if isinstance(node, Sequence):
        return Sequence(tuple(map(_backwards, reversed(node.parts))))
    if isinstance(node, Choice):
        return Choice(tuple(map(_backwards, node.parts)))
    if isinstance(node, Repeat):
        return Repeat(_backwards(node.part), node.least, node.most)
    return Edge(not node.is_begin) if isinstance(node, Edge) else node


def _forward_tree(language: Language) -> Node:
    if language.kind == "regex":
        return parse(language.text)
    text = Sequence(tuple(_letter(each, ignore_case=language.ignore_case) for each in as_bytes(language.text)))
    anything = Repeat(Characters(ANY), 0, None)
    if language.kind == "prefix":
        return Sequence((text, anything))
    if language.kind == "suffix":
        return Sequence((anything, text))
    if language.kind == "contains":
        return Sequence((anything, text, anything))
    raise NotModelled(language.kind)


def _letter(character: str, *, ignore_case: bool) -> Characters:
    """One character. Envoy compares without case in ASCII only, unlike RE2."""
    ranges: Ranges = ((ord(character), ord(character)),)
    if ignore_case and ord(character) <= _ASCII_CASES and character.isalpha():
        other = ord(character.swapcase())
        ranges = tuple(sorted({*ranges, (other, other)}))
    return Characters(ranges)
