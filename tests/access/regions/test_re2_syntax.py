from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.tools.access.regions.intervals import ALL
from authz.tools.access.regions.languages import Language
from authz.tools.access.regions.re2_syntax import NotModelled, parse
from authz.tools.access.regions.values import Values, has, member

_ATOMS = ["a", "b", "/", ".", "[ab]", "[^a]", r"\d", r"\w", r"\.", "[a-c/]", r"[\d-]", "(?:ab|b)", "(a)", "a|b"]
_TEXTS = st.text("ab/c1.A-_", max_size=6)


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    repeats = st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,}", "*?"])
    return (
        st.lists(inner, min_size=1, max_size=3).map("".join)
        | st.builds(lambda one, times: f"(?:{one}){times}", inner, repeats)
        | st.builds("({}|{})".format, inner, inner)
        | inner.map("(?i:{})".format)
    )


_PATTERNS = st.recursive(st.sampled_from(_ATOMS), _combined, max_leaves=6)


@given(_PATTERNS, st.lists(_TEXTS, min_size=5, max_size=20))
@settings(max_examples=300, deadline=None)
def test_an_automaton_accepts_the_texts_that_the_expression_matches_in_full(pattern: str, texts: list[str]) -> None:
    automaton = Language("regex", pattern).automaton()

    for text in texts:
        assert automaton.matches(text) is (re.fullmatch(pattern, text) is not None)


@given(_PATTERNS, _PATTERNS)
@settings(max_examples=200, deadline=None)
def test_a_member_of_an_intersection_is_in_one_expression_and_not_in_the_other(one: str, other: str) -> None:
    values = Values(ALL, frozenset({(True, Language("regex", one)), (False, Language("regex", other))}))

    found = member("x", values)

    assert found is None or has(values, found)
    if found is not None:
        assert re.fullmatch(one, found)
        assert not re.fullmatch(other, found)


@pytest.mark.parametrize(
    ("pattern", "text", "is_match"),
    [
        ("[[:alpha:]]+", "aB", True),
        ("[[:^digit:]]", "1", False),
        ("(?P<x>a)", "a", True),
        (r"\Aa\z", "a", True),
        ("^$", "", True),
        ("(^a|b)$", "b", True),
        ("a^b", "ab", False),
        ("a{,2}", "a{,2}", True),
        (r"\x41\x{42}", "AB", True),
        ("(?i)k", "K", True),
        ("(?s).", "\n", True),
        (".", "\n", False),
        (".", "\xff", True),
        ("[^a]", "\xff", True),
        ("[^a]", "\xc3\xa9", False),
        ("é", "\xc3\xa9", True),
        (r"\xff", "\xff", True),
        ("[]a]", "]", True),
        ("(?i)a|b", "B", True),
    ],
)
def test_constructs_mean_what_re2_says(pattern: str, text: str, is_match: bool) -> None:  # noqa: FBT001
    assert Language("regex", pattern).automaton().matches(text) is is_match


@pytest.mark.parametrize("pattern", [r"\bx", r"\pL", "(?m)a", "a**", "*a", "(a", "a)", "[a", "a{1001}", r"\1", "(?=a)"])
def test_what_is_not_modelled_is_refused(pattern: str) -> None:
    with pytest.raises(NotModelled):
        parse(pattern)


def test_a_path_that_only_a_byte_above_127_can_have_is_found() -> None:
    printable = Language("regex", r"[\x09\x20-\x7e]*")
    values = Values(ALL, frozenset({(False, printable)}))

    assert all(member(part, values) == "\x80" for part in ("path", "x", "?q"))
    assert member("host", values) is None
