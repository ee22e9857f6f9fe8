"""Parse JSON strictly (RFC 8259, RFC 7515, RFC 7519): UTF-8 without duplicate members.

The parser is the standard library's. This file also refuses input that the library accepts: duplicate members (RFC 7519
section 4), NaN and Infinity, numbers too long or too large to be exact, deep nesting, byte order marks and lone
surrogates.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from itertools import accumulate
from math import isinf
from typing import Any

MAX_NESTING = 32
"""Levels of arrays and objects. Real tokens and key sets have four. The parser's C stack needs a bound."""

MAX_ELEMENTS = 512
"""Opening brackets, colons and commas in one text, those inside strings included. Real tokens have under 100. The cost
of parsing follows this count, not the size: 16 KiB of `{"":0},` took 5.7 ms, 512 of any kind take 0.4 ms."""

MAX_NUMBER_CHARACTERS = 32
"""Enough for every number in a real token. The time to convert a number grows with its length."""

# A string, closed or not, is one match. The possessive `*+` prevents backtracking, so that the time for a text of only
# quotes grows linearly with its length.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_STARTS_ELEMENT = b"[{:,"
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}

NAMES_KEPT = 256
MAX_NAME_KEPT_CHARACTERS = 64
"""Member names that all cached tokens share. Separate copies would take a sixth of the cache's memory."""


class NotStrictJson(ValueError):
    """The bytes are not strict JSON. The message names the broken rule and never quotes the input."""


def loads(data: bytes, max_elements: int = MAX_ELEMENTS) -> Any:
    """Parse one JSON text. Documents that are larger than tokens have their own `max_elements`.

    Raises NotStrictJson for any other bytes, and nothing else.
    """
    # One pass of translate takes 8 us for 16 KiB, four of bytes.count take 37 us.
    if len(data) - len(data.translate(None, _STARTS_ELEMENT)) > max_elements:
        raise NotStrictJson("too many elements")
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
    """Return the nesting depth of brackets outside of strings. Only called for texts with many brackets."""
    steps = (_STEP.get(match, 0) for match in _STRING_OR_BRACKET.findall(text))
    return max(accumulate(steps))


def _has_lone_surrogate(value: object) -> bool:
    """Whether any string in the value cannot be encoded as UTF-8 (RFC 8259 section 8.2)."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


@lru_cache(maxsize=NAMES_KEPT)
def _one_copy(name: str) -> str:
    """Return the cached object that is equal to the name."""
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
