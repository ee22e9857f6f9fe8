"""Examples of the values of a part."""

from __future__ import annotations

import pytest

from authz.tools.access.regions.intervals import exactly, minus, starting_with
from authz.tools.access.regions.parts import PATH
from authz.tools.access.regions.values import Values, member


@pytest.mark.parametrize(
    ("before", "example"), [("", ""), ("a", "a!"), ("a b", "a b!"), ("a\t", "a\t!"), ("a ", "a !")]
)
def test_the_example_of_a_header_has_no_blank_at_its_ends_that_would_be_lost_on_the_way(
    before: str, example: str
) -> None:
    behind = minus(starting_with(before), exactly(before)) if before else starting_with("")
    assert member("x-one", Values(behind)) == example


def test_an_interval_before_the_visible_characters_keeps_a_member() -> None:
    assert member("x-one", Values((("\0", "a"),))) == "!"
    assert member("x-one", Values((("a\0", "a!"),))) == "a\t!"
    assert member("x-one", Values((("a\0", "a\t!"),))) == "a\t"


def test_a_path_has_no_blanks_to_lose() -> None:
    assert member(PATH, Values(minus(starting_with("/a"), exactly("/a")))) == "/a!"
