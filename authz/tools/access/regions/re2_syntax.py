"""Parse the part of RE2's syntax whose meaning is a regular language over bytes.

Envoy runs RE2 as Latin-1: `.` and `[^a]` match one byte. An expression is read as its bytes too.

Word boundaries, Unicode classes and other rare constructs raise `NotModelled`. A wrong guess would be worse.
"""

from __future__ import annotations

from dataclasses import dataclass

Ranges = tuple[tuple[int, int], ...]
"""Bytes from the first to the last of each pair."""

MAX_REPEAT = 1000
"""RE2 refuses more repetitions."""
MAX_NESTING = 100
"""Levels of parentheses."""

ANY: Ranges = ((0, 0xFF),)
"""Every byte."""

_DIGIT: Ranges = ((48, 57),)
_WORD: Ranges = ((48, 57), (65, 90), (95, 95), (97, 122))
_SPACE: Ranges = ((9, 10), (12, 13), (32, 32))
_CLASSES = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_POSIX: dict[str, Ranges] = {
    "alnum": ((48, 57), (65, 90), (97, 122)),
    "alpha": ((65, 90), (97, 122)),
    "digit": _DIGIT,
    "lower": ((97, 122),),
    "upper": ((65, 90),),
    "word": _WORD,
    "xdigit": ((48, 57), (65, 70), (97, 102)),
}
_CONTROLS = {"n": 10, "t": 9, "r": 13, "f": 12, "v": 11, "a": 7}


class NotModelled(Exception):
    """An expression, or a matcher, whose meaning this package does not compute."""


@dataclass(frozen=True, slots=True)
class Characters:
    """One character out of a set."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same several times. `most` is None without a limit."""

    part: Node
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Edge:
    """The begin or the end of the text."""

    is_begin: bool


Node = Characters | Sequence | Choice | Repeat | Edge


def negated(ranges: Ranges) -> Ranges:
    """Every other byte."""
    found = []
    low = 0
    for start, end in sorted(ranges):
        if low < start:
            found.append((low, start - 1))
        low = max(low, end + 1)
    return (*found, (low, ANY[0][1])) if low <= ANY[0][1] else tuple(found)


def folded(ranges: Ranges) -> Ranges:
    """The bytes and their other cases, as RE2 does with `(?i)`."""
    found = set(ranges)
    for first, last in ranges:
        if last > 127 and (first, last) not in ANY:  # noqa: PLR2004 - the end of ASCII
            raise NotModelled("letters outside of ASCII regardless of case")
        for letter in map(chr, range(max(first, 65), min(last, 122) + 1)):
            if letter.isalpha():
                found.add((ord(letter.swapcase()), ord(letter.swapcase())))
    return tuple(sorted(found))


def as_bytes(text: str) -> str:
    """The text as Envoy compares it: one character for each byte of its UTF-8 form."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def parse(pattern: str) -> Node:
    """Return the tree of an expression. Raises NotModelled."""
    pattern = as_bytes(pattern)
    parser = _Parser(pattern)
    node = parser.choice(ignore_case=False, any_line=False)
    if parser.at < len(pattern):
        raise NotModelled("an unmatched parenthesis")
    return node


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.at = 0
        self._depth = 0
        self._flags = (False, False)

    def _peek(self, text: str) -> bool:
        return self._pattern.startswith(text, self.at)

    def _take(self) -> str:
        if self.at >= len(self._pattern):
            raise NotModelled("an expression that ends early")
        self.at += 1
        return self._pattern[self.at - 1]

    def choice(self, *, ignore_case: bool, any_line: bool) -> Node:
        """Alternatives up to a closing parenthesis or the end. Flags inside of a group end with it."""
        before, self._flags = self._flags, (ignore_case, any_line)
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise NotModelled("deeply nested groups")
        parts = [self._sequence()]
        while self._peek("|"):
            self.at += 1
            parts.append(self._sequence())
        self._depth -= 1
        self._flags = before
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self.at < len(self._pattern) and self._pattern[self.at] not in "|)":
            node = self._atom()
            if node is not None:
                parts.append(self._repeated(node))
        return Sequence(tuple(parts))

    def _repeated(self, node: Node) -> Node:
        bounds = self._bounds()
        if bounds is None:
            return node
        if isinstance(node, Edge):
            raise NotModelled("a repeated anchor")
        if self._peek("?"):  # lazy: the language is the same
            self.at += 1
        if self._bounds() is not None:
            raise NotModelled("a repetition of a repetition")
        return Repeat(node, *bounds)

    def _bounds(self) -> tuple[int, int | None] | None:
        if self.at >= len(self._pattern):
            return None
        simple = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(self._pattern[self.at])
        if simple is not None:
            self.at += 1
            return simple
        if not self._peek("{"):
            return None
        inner, brace, _rest = self._pattern[self.at + 1 :].partition("}")
        low, comma, high = inner.partition(",")
        if not brace or not _is_number(low) or not (_is_number(high) or not high):
            return None  # RE2 reads such a brace as itself
        self.at += len(inner) + 2
        least = int(low)
        most = int(high) if high else None if comma else least
        if least > MAX_REPEAT or (most is not None and (most > MAX_REPEAT or most < least)):
            raise NotModelled("a repetition that RE2 refuses")
        return least, most

    def _atom(self) -> Node | None:
        character = self._take()
        ignore_case, any_line = self._flags
        if character == "(":
            return self._group()
        if character in "^$":
            return Edge(character == "^")
        if character == ".":
            return Characters(ANY if any_line else negated(((10, 10),)))
        if character == "[":
            return Characters(self._class())
        if character in "*+?":
            raise NotModelled("a repetition of nothing")
        if character == "\\":
            if self._peek("A") or self._peek("z"):
                return Edge(self._take() == "A")
            ranges = self._escape()
        else:
            ranges = ((ord(character), ord(character)),)
        return Characters(folded(ranges) if ignore_case else ranges)

    def _group(self) -> Node | None:
        ignore_case, any_line = self._flags
        if self._peek("?"):
            self.at += 1
            if self._peek("P<") or self._peek("<"):
                name, found, _rest = self._pattern[self.at :].partition(">")
                if not found or not name.removeprefix("P").removeprefix("<").isidentifier():
                    raise NotModelled("a group with an odd name")
                self.at += len(name) + 1
            else:
                return self._flag_group(ignore_case=ignore_case, any_line=any_line)
        return self._closed(ignore_case=ignore_case, any_line=any_line)

    def _closed(self, *, ignore_case: bool, any_line: bool) -> Node:
        node = self.choice(ignore_case=ignore_case, any_line=any_line)
        if self.at >= len(self._pattern) or self._take() != ")":
            raise NotModelled("an unmatched parenthesis")
        return node

    def _flag_group(self, *, ignore_case: bool, any_line: bool) -> Node | None:
        while True:
            character = self._take()
            if character == "i":
                ignore_case = True
            elif character == "s":
                any_line = True
            elif character == ":":
                return self._closed(ignore_case=ignore_case, any_line=any_line)
            elif character == ")":
                self._flags = (ignore_case, any_line)
                return None
            else:
                raise NotModelled(f"the flag or group (?{character}")

    def _escape(self) -> Ranges:
        character = self._take()
        if character.lower() in _CLASSES:
            ranges = _CLASSES[character.lower()]
            return negated(ranges) if character.isupper() else ranges
        if character == "x":
            digits = self._take() + self._take()
            if digits.startswith("{"):
                inner, _brace, _rest = self._pattern[self.at - 1 :].partition("}")
                self.at += len(inner)
                digits = inner
            try:
                code = int(digits, 16)
            except ValueError as error:
                raise NotModelled("an odd escape") from error
            if code > ANY[0][1]:
                raise NotModelled("an escape of more than one byte")
            return ((code, code),)
        if character in _CONTROLS:
            return ((_CONTROLS[character], _CONTROLS[character]),)
        if character.isalnum() or ord(character) > 127:  # noqa: PLR2004 - the end of ASCII
            raise NotModelled(f"the escape \\{character}")
        return ((ord(character), ord(character)),)

    def _class(self) -> Ranges:
        is_negated = self._peek("^")
        self.at += is_negated
        found: list[tuple[int, int]] = []
        is_first = True
        while is_first or not self._peek("]"):
            is_first = False
            if self._peek("[:"):
                found += self._posix()
                continue
            ranges = self._member()
            if self._peek("-") and not self._peek("-]"):
                self.at += 1
                last = self._member()
                if len(ranges) != 1 or len(last) != 1 or ranges[0][0] != ranges[0][1] or last[0][0] != last[0][1]:
                    raise NotModelled("an odd range")
                if last[0][0] < ranges[0][0]:
                    raise NotModelled("a range that RE2 refuses")
                ranges = ((ranges[0][0], last[0][0]),)
            found += ranges
        self.at += 1
        ranges = tuple(sorted(found))
        if self._flags[0]:
            ranges = folded(ranges)
        return negated(ranges) if is_negated else ranges

    def _member(self) -> Ranges:
        character = self._take()
        return self._escape() if character == "\\" else ((ord(character), ord(character)),)

    def _posix(self) -> Ranges:
        inner, found, _rest = self._pattern[self.at + 2 :].partition(":]")
        ranges = _POSIX.get(inner.removeprefix("^"))
        if not found or ranges is None:
            raise NotModelled("an unknown class")
        self.at += len(inner) + 4
        return negated(ranges) if inner.startswith("^") else ranges


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= len(str(MAX_REPEAT))
