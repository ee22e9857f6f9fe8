"""Findings that the operator allows, with a reason, and comments that are wrong."""

from __future__ import annotations

import pytest

from authz.tools.lint.suppression import suppressions
from tests.lint.cases import CLEAN, changed, codes

_LINE = "clear_route_cache: false"
_REASON = "because no route differs by an identity header"


def _allowed(comment: str, *, above: str = "") -> list[str]:
    line = f"{above}clear_route_cache: true{comment}"
    return codes(changed((_LINE, line)))


def test_a_comment_beside_the_line_allows_its_finding() -> None:
    assert _allowed(f"  # authz-lint: allow AUTHZ502 {_REASON}") == []


def test_a_comment_above_the_line_allows_its_finding_also_past_other_comments_and_blank_lines() -> None:
    above = f"# authz-lint: allow AUTHZ502 {_REASON}\n\n              # another comment\n              "

    assert _allowed("", above=above) == []


def test_several_codes_are_separated_by_commas() -> None:
    text = changed((_LINE, f"clear_route_cache: true  # authz-lint: allow AUTHZ501, AUTHZ502 {_REASON}"))

    assert codes(text) == ["AUTHZ903"]


@pytest.mark.parametrize(
    "said",
    [
        "allow AUTHZ502",
        "allow AUTHZ502 because",
        "allow AUTHZ502 because  ",
        f"allow {_REASON}",
        f"allow AUTHZ5 {_REASON}",
        f"allow AUTHZ502 AUTHZ501 {_REASON}",
        f"allow all {_REASON}",
        f"disable AUTHZ502 {_REASON}",
        "",
    ],
)
def test_a_comment_without_codes_or_reason_allows_nothing_and_is_a_finding(said: str) -> None:
    assert _allowed(f"  # authz-lint: {said}") == ["AUTHZ502", "AUTHZ902"]


def test_a_comment_for_another_code_or_line_allows_nothing_and_is_unused() -> None:
    assert _allowed(f"  # authz-lint: allow AUTHZ501 {_REASON}") == ["AUTHZ502", "AUTHZ903"]
    assert codes(CLEAN + f"# authz-lint: allow AUTHZ502 {_REASON}\n") == ["AUTHZ903"]


def test_an_unknown_code_is_unused() -> None:
    assert codes(CLEAN + f"# authz-lint: allow AUTHZ999 {_REASON}\n") == ["AUTHZ903"]


def test_the_reason_is_kept_and_the_place_is_that_of_the_comment() -> None:
    (found,) = suppressions(f"a: 1   # authz-lint: allow AUTHZ101,AUTHZ102 {_REASON}\n")

    assert (found.line, found.column, found.about) == (1, 8, 1)
    assert found.codes == ("AUTHZ101", "AUTHZ102")
    assert found.reason == "no route differs by an identity header"


def test_the_words_in_a_value_are_no_comment() -> None:
    assert list(suppressions("a: authz-lint:allow#authz-lint: x\n")) == []
