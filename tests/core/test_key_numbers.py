"""Keys that share a `kid`, or have none."""

from __future__ import annotations

from authz.core.key_numbers import numbered


def test_each_kid_has_its_number_among_the_equal_ones_in_their_order() -> None:
    assert list(numbered(["a", "", "a", "b", ""])) == [("a", 1), ("", 1), ("a", 2), ("b", 1), ("", 2)]
    assert list(numbered([])) == []
