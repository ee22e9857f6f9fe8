"""The parts of a request, and the characters that each can have when it reaches the matchers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from string import ascii_lowercase, ascii_uppercase

HOST, PATH, METHOD = "host", "path", ":method"
TARGET, TARGET_WITH_PARAMETERS = ":path", ":path with parameters"
"""The header `:path`. The second one is that of a table whose routes ignore path parameters."""
TARGETS = frozenset({TARGET, TARGET_WITH_PARAMETERS})
AUTHORITY, AUTHORITY_WITH_PORT = ":authority", ":authority with port"
"""The header `:authority`, which `host` is another name of, reversed like the host. The second one is that of a table
that ignores the port."""
AUTHORITIES = frozenset({AUTHORITY, AUTHORITY_WITH_PORT})

LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)
"""Envoy compares without case in ASCII only."""

_NOT_IN_HOSTS = "/?# "
_FORBIDDEN = {
    PATH: "?#",
    TARGET: "#",
    HOST: _NOT_IN_HOSTS + ascii_uppercase,
    METHOD: '"(),/:;<=>?@[\\]{}',
    **dict.fromkeys(AUTHORITIES, _NOT_IN_HOSTS),
}
ASCII_ONLY = frozenset({HOST, METHOD, *AUTHORITIES})
PREFERRED = {METHOD: ("GET", "POST", "PUT", "DELETE"), HOST: ("moc.elpmaxe", "tset.elpmaxe.rehto", "a"), PATH: ("/",)}
_TAB, _SPACE, _DELETE, _LAST = 0x09, 0x20, 0x7F, 0xFF
_BLANKS = "\t "


def _is_valid(part: str, code: int) -> bool:
    """Whether a byte reaches the matchers. Paths and queries get bytes above 127 by HTTP/2, headers by HTTP/1 too."""
    if code in {_TAB, _SPACE}:
        return _is_header(part)
    if code < _SPACE or code == _DELETE or code > _LAST or (code > _DELETE and part in ASCII_ONLY):
        return False
    return chr(code) not in ("&#" if part.startswith("?") else _FORBIDDEN.get(part, ""))


def _is_header(part: str) -> bool:
    return part not in {PATH, *ASCII_ONLY, *TARGETS} and not part.startswith("?")


def _next_valid(part: str, code: int) -> int | None:
    return next((each for each in range(code, _LAST + 1) if _is_valid(part, each)), None)


def texts_from(part: str, low: str) -> Iterator[str]:
    """Texts at or after `low` whose characters can all be in this part, the best example first.

    A header loses the blanks at its ends on the way (RFC 9110 section 5.5), so a text with some is the last resort.
    """
    first = _first_from(part, low)
    if first is None:
        return
    if _is_header(part) and first != first.strip(_BLANKS):
        # `!` is the first visible character.
        changed = [f"{first[:index]}!" for index, each in enumerate(first) if each in _BLANKS]
        yield from (each for each in (*reversed(changed), f"{first}!") if each == each.strip(_BLANKS))
    yield first


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
