"""What groups and claims can be held to: exact comparison, and nothing met by what cannot be compared."""

from __future__ import annotations

import math
from typing import Any

import pytest

from authz.core.claims import ClaimName
from authz.core.conditions import NONE, Conditions, Membership, Scalar, scalar


def _of(*values: Any) -> frozenset[Scalar]:
    compared = [scalar(value) for value in values]
    assert None not in compared
    return frozenset(value for value in compared if value is not None)


def _meets(claim: Any, **parts: list[Any]) -> bool:
    """Whether a claim of this value meets the demand."""
    demand = Membership(**{part: _of(*values) for part, values in parts.items()})
    return not Conditions(claims=((ClaimName.parse("x"), demand),)).unmet({"x": claim}, frozenset())


@pytest.mark.parametrize(
    ("parts", "values", "met"),
    [
        ({}, "", True),
        ({"all_of": "ab"}, "abc", True),
        ({"all_of": "ab"}, "a", False),
        ({"all_of": "ab"}, "", False),
        ({"any_of": "ab"}, "bc", True),
        ({"any_of": "ab"}, "c", False),
        ({"any_of": "ab"}, "", False),
        ({"none_of": "ab"}, "c", True),
        ({"none_of": "ab"}, "", True),
        ({"none_of": "ab"}, "bc", False),
        ({"all_of": "a", "any_of": "bc", "none_of": "d"}, "ab", True),
        ({"all_of": "a", "any_of": "bc", "none_of": "d"}, "bc", False),
        ({"all_of": "a", "any_of": "bc", "none_of": "d"}, "a", False),
        ({"all_of": "a", "any_of": "bc", "none_of": "d"}, "abd", False),
    ],
)
def test_a_demand_is_met_where_every_part_of_it_is(parts: dict[str, str], values: str, *, met: bool) -> None:
    demand = Membership(**{part: frozenset(letters) for part, letters in parts.items()})

    assert demand.met_by(frozenset(values)) is met


@pytest.mark.parametrize(
    ("wanted", "claim"),
    [("1", "1"), (1, 1), (1, 1.0), (1.5, 1.5), (True, True), (False, False), ("", ""), ("é", "é"), (0, -0.0)],
)
def test_a_claim_meets_a_value_that_is_the_same_in_json(wanted: object, claim: object) -> None:
    assert _meets(claim, any_of=[wanted])
    assert _meets(["other", claim], any_of=[wanted])
    assert not _meets(claim, none_of=[wanted])


@pytest.mark.parametrize(
    ("wanted", "claim"),
    [
        (1, True),
        (0, False),
        (True, 1),
        (True, 1.0),
        (False, 0),
        (False, ""),
        ("1", 1),
        (1, "1"),
        ("true", True),
        (True, "true"),
        ("admin", "administrators"),
        ("admin", "ADMIN"),
        ("admin", " admin"),
        ("admin", "admin\x00"),
        ("e\u0301", "\u00e9"),
        (2**53, float(2**53) + 2),
        (2**53 + 1, float(2**53)),
    ],
)
def test_a_claim_does_not_meet_a_value_that_only_looks_like_it(wanted: object, claim: object) -> None:
    assert not _meets(claim, any_of=[wanted])
    assert not _meets([claim], all_of=[wanted])
    assert _meets(claim, none_of=[wanted])


@pytest.mark.parametrize("claim", [None, {}, {"a": 1}, [None], ["a", None], [["a"]], ["a", {"b": 1}]])
def test_a_claim_that_cannot_be_compared_meets_nothing_not_even_none_of(claim: object) -> None:
    assert not _meets(claim, any_of=["a"])
    assert not _meets(claim, all_of=["a"])
    assert not _meets(claim, none_of=["z"])


def test_a_claim_that_is_absent_or_an_empty_list_has_no_values() -> None:
    assert not _meets([], any_of=["a"])
    assert _meets([], none_of=["a"])
    absent = Conditions(claims=((ClaimName.parse("/a/b"), Membership(none_of=_of("a"))),))
    assert absent.unmet({}, frozenset()) == ""
    assert Conditions(claims=((ClaimName.parse("a"), Membership(any_of=_of("a"))),)).unmet({}, frozenset()) == "claim a"


def test_groups_that_nobody_knows_meet_no_demand() -> None:
    unwanted = Conditions(groups=Membership(none_of=frozenset({"guests"})))

    assert unwanted.unmet({}, frozenset()) == ""
    assert unwanted.unmet({}, frozenset({"guests"})) == "groups"
    assert unwanted.unmet({}, None) == "groups"
    assert NONE.unmet({}, None) == ""


def test_the_first_demand_that_is_not_met_is_named_groups_first() -> None:
    demands = Conditions(
        groups=Membership(all_of=frozenset({"staff"})),
        claims=(
            (ClaimName.parse("a"), Membership(any_of=_of(1))),
            (ClaimName.parse("/b/c"), Membership(any_of=_of(2))),
        ),
    )

    assert demands.unmet({}, frozenset()) == "groups"
    assert demands.unmet({"b": {"c": 2}}, frozenset({"staff"})) == "claim a"
    assert demands.unmet({"a": 1}, frozenset({"staff"})) == "claim /b/c"
    assert demands.unmet({"a": 1, "b": {"c": 2}}, frozenset({"staff"})) == ""


@pytest.mark.parametrize("value", [None, [], {}, (), math.nan, math.inf, -math.inf, b"x"])
def test_what_json_cannot_say_in_one_value_is_no_scalar(value: object) -> None:
    assert scalar(value) is None


@pytest.mark.parametrize("value", ["", "x", 0, -1, 1.5, 10**30])
def test_text_and_numbers_are_compared_as_they_are(value: object) -> None:
    assert scalar(value) == value


def test_booleans_are_kept_apart_from_numbers() -> None:
    for value in (True, False):
        assert scalar(value) == ("boolean", value)
