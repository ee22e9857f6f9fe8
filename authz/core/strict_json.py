"""JSON as RFC 8259 means it and RFC 7515/7519 demand it: UTF-8, no duplicate members, no surprises.

The standard library parses; what it tolerates is refused here: duplicate members (RFC 7519 section 4), NaN and
Infinity, numbers too long or too large to be exact, deep nesting, byte order marks and lone surrogates.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from itertools import accumulate
from math import isinf
from typing import Any

MAX_NESTING = 32
"""Levels of arrays and objects. Real tokens and key sets need four; a C stack needs a bound."""

MAX_NUMBER_CHARACTERS = 32
"""Long enough for every number a token means, short enough that converting it costs nothing."""

# A string, closed or not, is passed over as one: the possessive `*+` never gives back what it took, so that a text of
# nothing but quotes costs no more than its length.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}

NAMES_KEPT = 256
MAX_NAME_KEPT_CHARACTERS = 64
"""Member names of which one copy serves all tokens that are remembered: a sixth of their memory otherwise."""


class NotStrictJson(ValueError):
    """The bytes are not one JSON text in the strict sense. The message says which rule was broken, not the input."""


def loads(data: bytes) -> Any:
    """Parse one JSON text.

    Raises NotStrictJson, and nothing else, whatever the bytes are.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotStrictJson("not UTF-8") from error
    if text.count("[") + text.count("{") > MAX_NESTING and _depth(text) > MAX_NESTING:
        raise NotStrictJson("nested too deeply")
    try:
        value = _DECODER.decode(text)
    except NotStrictJson:
        raise
    except (ValueError, RecursionError) as error:
        raise NotStrictJson("not JSON") from error
    if "\\u" in text and _has_lone_surrogate(value):
        raise NotStrictJson("a lone surrogate")
    return value


def _depth(text: str) -> int:
    """How deep brackets nest outside of strings. Only called for texts with many brackets."""
    steps = (_STEP.get(found, 0) for found in _STRING_OR_BRACKET.findall(text))
    return max(accumulate(steps))


def _has_lone_surrogate(value: object) -> bool:
    """Whether any string inside cannot be written as UTF-8 (RFC 8259 section 8.2)."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


@lru_cache(maxsize=NAMES_KEPT)
def _one_copy(name: str) -> str:
    """The name, as the very object that came before."""
    return name


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = {_one_copy(name) if len(name) <= MAX_NAME_KEPT_CHARACTERS else name: value for name, value in pairs}
    if len(members) != len(pairs):
        raise NotStrictJson("a duplicate member")
    return members


def _constant(_name: str) -> float:
    raise NotStrictJson("NaN or Infinity")


def _integer(digits: str) -> int:
    if len(digits) > MAX_NUMBER_CHARACTERS:
        raise NotStrictJson("a number too long")
    return int(digits)


def _float(digits: str) -> float:
    if len(digits) > MAX_NUMBER_CHARACTERS:
        raise NotStrictJson("a number too long")
    value = float(digits)
    if isinf(value):
        raise NotStrictJson("a number too large")
    return value


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_float)
