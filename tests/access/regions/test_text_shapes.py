"""Sets of texts as a reader sees them: the shapes mean the same texts, and the words are short."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz.tools.access.regions.in_text import interval_words
from authz.tools.access.regions.intervals import (
    Intervals,
    both,
    complement,
    contains,
    exactly,
    minus,
    starting_with,
    union,
)
from authz.tools.access.regions.parts import HOST, METHOD, PATH
from authz.tools.access.regions.text_shapes import MAX_DEPTH, Shape, ShapeKind, shapes
from authz.tools.access.regions.values import everything

_TEXTS = st.text("/abc", max_size=4).map(lambda text: f"/{text}")
_ATOMS = st.builds(exactly, _TEXTS) | st.builds(starting_with, _TEXTS)
_SETS = st.recursive(
    _ATOMS,
    lambda inner: st.builds(lambda one, other: union((*one, *other)), inner, inner) | st.builds(minus, inner, inner),
    max_leaves=6,
)


def _has(shape: Shape, text: str) -> bool:
    if shape.kind is ShapeKind.EXACT:
        found = text == shape.text
    elif shape.kind is ShapeKind.PREFIX:
        found = text.startswith(shape.text)
    elif shape.kind is ShapeKind.BELOW:
        found = text == shape.text or text.startswith(f"{shape.text}/")
    else:
        found = shape.text <= text < shape.end
    return found and not any(_has(each, text) for each in shape.without)


@given(
    _SETS, st.lists(_TEXTS | st.text("/abcd\x01", max_size=5).map(lambda text: f"/{text}"), min_size=20, max_size=40)
)
def test_shapes_contain_the_same_texts_as_the_intervals(intervals: Intervals, texts: list[str]) -> None:
    for found in (both(intervals, starting_with("/")), minus(starting_with("/"), intervals)):
        described = shapes(found, "/")
        for text in texts:
            assert sum(_has(each, text) for each in described) == contains(found, text)


def _below(path: str) -> Intervals:
    return union((*exactly(path), *starting_with(f"{path}/")))


_ROUTES = union((*exactly("/"), *exactly("/healthz"), *_below("/orders")))


@pytest.mark.parametrize(
    ("intervals", "words"),
    [
        (everything(PATH).intervals, "any path"),
        (exactly("/healthz"), "/healthz"),
        (starting_with("/orders/"), "/orders/*"),
        (starting_with("/ord"), "/ord*"),
        (_below("/orders"), "/orders and below"),
        (minus(_below("/orders"), _below("/orders/admin")), "/orders and below without /orders/admin and below"),
        (minus(everything(PATH).intervals, _ROUTES), "any path without /, /healthz, /orders and below"),
        (union((*exactly("/a"), *starting_with("/b/"))), "/a, /b/*"),
        (minus(starting_with("/a"), exactly("/a")), "/a* without /a"),
        (union((*exactly("/x"), *minus(starting_with("/a"), exactly("/a")))), "/a* without /a; /x"),
        (union((*starting_with("/a"), *starting_with("/b"), *starting_with("/c"))), "/a*, /b*, /c*"),
        (union(each for name in "abcdefgh" for each in exactly(f"/{name}")), "/a, /b, /c, /d, /e, /f and 2 more"),
        (exactly("/\xc3\xa9"), "/é"),
        (exactly("/\xff\x01"), r"'/\\xff\x01'"),
        ((), "nothing"),
    ],
)
def test_paths_in_words(intervals: Intervals, words: str) -> None:
    assert interval_words(PATH, intervals, "any path") == words


@pytest.mark.parametrize(
    ("intervals", "words"),
    [
        (everything(HOST).intervals, "any host"),
        (exactly("example.com"[::-1]), "example.com"),
        (minus(starting_with(".example.com"[::-1]), exactly(".example.com"[::-1])), "*.example.com"),
        (minus(everything(HOST).intervals, exactly("a.test"[::-1])), "any host without a.test"),
    ],
)
def test_hosts_in_words(intervals: Intervals, words: str) -> None:
    assert interval_words(HOST, intervals, "any host") == words


def test_methods_and_values_in_words() -> None:
    assert interval_words(METHOD, exactly("GET"), "any method") == "GET"
    assert interval_words(METHOD, minus(everything(METHOD).intervals, exactly("GET")), "any") == "any without GET"
    assert interval_words("x", complement(exactly("")), "any value") == "any value without ''"


def test_prefixes_that_are_nested_too_deeply_are_shown_as_plain_intervals() -> None:
    deep = union(each for length in range(1, 2 * MAX_DEPTH + 4, 2) for each in exactly("/" + "a" * length))

    assert interval_words(PATH, deep, "any path").startswith("from '/a' to before")
