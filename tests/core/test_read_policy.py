"""A policy as operators write it: the meaning of each field, and the problem reported if it is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from authz.core.claims import ClaimName
from authz.core.conditions import NONE, Conditions, Membership
from authz.core.policy import BUILT_IN, Access, Policy
from authz.core.problems import ConfigurationError
from authz.core.read_policy import References, can_be_candidate, is_name, read_inline

KNOWN = References(frozenset({"cognito", "partner"}))


def _read(fields: Any) -> Policy:
    return read_inline(fields, KNOWN)


def _wrong(fields: Any) -> list[tuple[Any, str, str]]:
    with pytest.raises(ConfigurationError) as mistakes:
        _read(fields)
    return [(mistake.path, mistake.message, mistake.fix) for mistake in mistakes.value.problems]


def test_a_policy_that_says_nothing_takes_any_good_access_token() -> None:
    policy = _read({})

    assert (policy.name, policy.access, policy.issuers, policy.token_use) == ("inline", Access.TOKEN, None, "default")
    assert (policy.scopes, policy.conditions, policy.max_age_seconds) == (None, NONE, None)
    assert (policy.optional, policy.candidate) == (False, None)


def test_every_field_is_read() -> None:
    policy = _read(
        {
            "name": "orders-write",
            "issuers": ["cognito", "partner"],
            "token_use": "any",
            "scopes": {"all_of": ["a", "b"], "any_of": "c", "none_of": ["d"]},
            "groups": ["staff", "admins"],
            "claims": {"tenant": "t", "/a/b": [1, True], "x": {"none_of": [2.5]}},
            "max_age": "15m",
            "optional": True,
            "candidate": "authenticated",
        }
    )

    assert (policy.name, policy.issuers, policy.token_use) == ("orders-write", frozenset({"cognito", "partner"}), "any")
    assert policy.scopes == Membership(frozenset("ab"), frozenset("c"), frozenset("d"))
    assert policy.conditions == Conditions(
        Membership(all_of=frozenset({"staff", "admins"})),
        (
            (ClaimName("tenant", ("tenant",)), Membership(any_of=frozenset({"t"}))),
            (ClaimName("/a/b", ("a", "b")), Membership(any_of=frozenset({1, ("boolean", True)}))),
            (ClaimName("x", ("x",)), Membership(none_of=frozenset({2.5}))),
        ),
    )
    assert (policy.max_age_seconds, policy.optional) == (900, True)
    assert policy.candidate is BUILT_IN["authenticated"]


@pytest.mark.parametrize("written", ["a", ["a"], {"all_of": "a"}, {"all_of": ["a"]}])
def test_a_scope_or_a_group_alone_is_demanded_altogether(written: object) -> None:
    assert _read({"scopes": written}).scopes == Membership(all_of=frozenset("a"))
    assert _read({"groups": written}).conditions.groups == Membership(all_of=frozenset("a"))


PARTS = "all_of, any_of, none_of"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (None, ((), "a mapping is needed here, not nothing", "Write `name: value` lines.")),
        ("orders", ((), "a mapping is needed here, not 'orders'", "Write `name: value` lines.")),
        (
            {"name": "a b"},
            (
                ("name",),
                "'a b' cannot be a policy's name",
                "Names are letters, digits, `.`, `_` and `-`, at most 64, starting with a letter or digit.",
            ),
        ),
        ({"scpoes": "a"}, (("scpoes",), "unknown field 'scpoes'", "Did you mean `scopes`?")),
        ({"issuers": []}, (("issuers",), "the list is empty", "Name at least one value, or leave the field out.")),
        (
            {"issuers": ["okta"]},
            (("issuers",), "there is no issuer 'okta'", "Configured issuers: cognito, partner."),
        ),
        (
            {"token_use": "refresh"},
            (("token_use",), "'refresh' is not one of access, id, any", "Known: access, id, any."),
        ),
        (
            {"token_use": "default"},
            (("token_use",), "'default' is not one of access, id, any", "Known: access, id, any."),
        ),
        ({"scopes": []}, (("scopes",), "the list is empty", "Name at least one value, or leave the field out.")),
        ({"scopes": {}}, (("scopes",), "the mapping is empty", f"Write one or more of {PARTS}.")),
        (
            {"scopes": {"any_of": []}},
            (("scopes", "any_of"), "the list is empty", "Name at least one value, or leave the field out."),
        ),
        ({"scopes": {"any": "a"}}, (("scopes", "any"), "unknown field 'any'", "Did you mean `any_of`?")),
        ({"scopes": {"x": "a"}}, (("scopes", "x"), "unknown field 'x'", f"Known: {PARTS}.")),
        (
            {"scopes": "a b"},
            (("scopes",), "'a b' cannot be compared here", "Write one scope per entry, without spaces."),
        ),
        (
            {"scopes": ["a", 1]},
            (("scopes",), "1 cannot be compared here", "Write one scope per entry, without spaces."),
        ),
        (
            {"scopes": None},
            (("scopes",), "nothing cannot be compared here", "Write one scope per entry, without spaces."),
        ),
        ({"groups": ""}, (("groups",), "'' cannot be compared here", "Write a plain value.")),
        ({"groups": [True]}, (("groups",), "true cannot be compared here", "Write a plain value.")),
        (
            {"groups": {"any_of": [["a"]]}},
            (("groups", "any_of"), "a list cannot be compared here", "Write a plain value."),
        ),
        (
            {"claims": {}},
            (("claims",), "the mapping is empty", "Name at least one claim, or leave `claims` out."),
        ),
        ({"claims": []}, (("claims",), "a mapping is needed here, not an empty list", "Write `name: value` lines.")),
        ({"claims": {"x": None}}, (("claims", "x"), "nothing cannot be compared here", "Write a plain value.")),
        (
            {"claims": {"x": []}},
            (("claims", "x"), "the list is empty", "Name at least one value, or leave the field out."),
        ),
        ({"claims": {"x": [["a"]]}}, (("claims", "x"), "a list cannot be compared here", "Write a plain value.")),
        ({"claims": {"x": float("nan")}}, (("claims", "x"), "nan cannot be compared here", "Write a plain value.")),
        (
            {"claims": {"x": {"y": "z"}}},
            (("claims", "x", "y"), "unknown field 'y'", f"Known: {PARTS}."),
        ),
        (
            {"claims": {"": "a"}},
            (("claims", ""), "a claim name is empty", "Write a claim's name, or a JSON Pointer such as `/a/b`."),
        ),
        (
            {"max_age": 0},
            (("max_age",), "a duration from 1s to 3650d is needed, not 0", "For example, write `max_age: 30s`."),
        ),
        ({"optional": "yes"}, (("optional",), "true or false is needed, not 'yes'", "Write `optional: true`.")),
        (
            {"candidate": "deny"},
            (
                ("candidate",),
                "'deny' cannot be the candidate",
                "Name a policy that has no candidate: authenticated.",
            ),
        ),
        ({"candidate": 5}, (("candidate",), "a string is needed, not 5", 'Write `candidate: "..."`.')),
    ],
)
def test_a_wrong_field_is_named_with_its_cure(fields: Any, expected: tuple[Any, str, str]) -> None:
    assert expected in _wrong(fields)


def test_a_wrong_claim_name_is_one_mistake_at_the_key_and_hides_none_after_it() -> None:
    with pytest.raises(ConfigurationError) as mistakes:
        _read({"claims": {"/~": "a", "x": []}})

    wrong_name, empty = mistakes.value.problems
    assert (wrong_name.path, wrong_name.on_key) == (("claims", "/~"), True)
    assert empty.path == ("claims", "x")


def test_a_claim_of_userinfo_that_the_policy_does_not_ask_for_is_a_mistake_at_the_key() -> None:
    with pytest.raises(ConfigurationError) as mistakes:
        _read({"claims": {"@userinfo/department": "sales"}})

    (mistake,) = mistakes.value.problems
    assert (mistake.path, mistake.on_key) == (("claims", "@userinfo/department"), True)
    assert mistake.message == "the policy does not request userinfo"
    assert mistake.fix == "Add `userinfo: true` to it."


def test_each_mistake_is_reported_once_and_all_at_once() -> None:
    fields = {
        "issuers": "x",
        "token_use": 1,
        "scopes": "a b",
        "groups": [],
        "claims": {"/~": 1},
        "max_age": "x",
        "z": 1,
    }

    assert sorted(path for path, _problem, _cure in _wrong(fields)) == [
        ("claims", "/~"),
        ("groups",),
        ("issuers",),
        ("max_age",),
        ("scopes",),
        ("token_use",),
        ("z",),
    ]


def test_without_issuers_the_cure_says_that_there_are_none() -> None:
    with pytest.raises(ConfigurationError) as mistakes:
        read_inline({"issuers": "x"}, References(frozenset()))

    assert mistakes.value.problems[0].fix == "Configured issuers: none."


@pytest.mark.parametrize("name", ["deny", "public", "authenticated"])
def test_a_policy_in_place_cannot_take_the_name_of_a_built_in_one(name: str) -> None:
    assert _wrong({"name": name})[0][:2] == (("name",), f"'{name}' cannot be a policy's name")


@pytest.mark.parametrize("name", ["a", "0", "orders-read", "A.b_c-1", "a" * 64])
def test_a_name_is_short_and_safe_as_a_label(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "-a", ".a", "_a", "a b", "a\n", "a/b", "a{}", "é", "a" * 65, 'a"', "a:b"])
def test_any_other_text_is_no_name(name: str) -> None:
    assert not is_name(name)


def test_a_longest_max_age_is_ten_years() -> None:
    assert _read({"max_age": "3650d"}).max_age_seconds == 3650 * 86_400
    assert _wrong({"max_age": "3651d"})


def test_a_candidate_judges_tokens_and_has_no_candidate_of_its_own() -> None:
    assert can_be_candidate(BUILT_IN["authenticated"])
    assert not can_be_candidate(BUILT_IN["deny"])
    assert not can_be_candidate(BUILT_IN["public"])
    assert not can_be_candidate(Policy("a", candidate=Policy("b")))


def test_an_acr_value_with_a_space_is_named_with_its_fix() -> None:
    fix = "Write one value per entry, without spaces."

    assert _wrong({"acr": ["phr", "two words"]}) == [(("acr",), "'two words' is not one acr value", fix)]
