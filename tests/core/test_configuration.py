"""`node.metadata.authz` as a whole: compiled once, or refused with everything that is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest

from authz.core.configuration import compile_configuration
from authz.core.forward import DEFAULT
from authz.core.metadata_fields import METADATA_FIELDS
from authz.core.policy import BUILT_IN
from authz.core.problems import ConfigurationError, Problem
from tests.fakes.checks import AUTHZ, COGNITO, PARTNER, authz_with


def _found(authz: Any) -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationError) as mistakes:
        compile_configuration(authz)
    return mistakes.value.problems


def test_everything_that_is_written_is_there_and_the_built_in_policies_too() -> None:
    configuration = compile_configuration(AUTHZ)

    assert list(configuration.issuers.by_alias) == ["cognito", "partner"]
    assert set(configuration.policies) == {*BUILT_IN, *AUTHZ["policies"]}
    assert all(configuration.policies[name] is BUILT_IN[name] for name in BUILT_IN)
    assert all(policy.name == name for name, policy in configuration.policies.items())
    assert [name for name, _source in configuration.forward.sources] == list(DEFAULT)
    assert configuration.revocations_file == ""


def test_issuers_are_all_that_must_be_written() -> None:
    configuration = compile_configuration({"issuers": AUTHZ["issuers"]})

    assert dict(configuration.policies) == dict(BUILT_IN)


@pytest.mark.parametrize(
    ("written", "fields"),
    [
        ({}, frozenset(METADATA_FIELDS)),
        ({"metadata": "reason"}, {"reason"}),
        ({"metadata": ["reason", "policy"]}, {"reason", "policy"}),
        ({"metadata": "none"}, frozenset()),
    ],
)
def test_metadata_fields_can_be_chosen(written: dict[str, Any], fields: frozenset[str]) -> None:
    assert compile_configuration({**AUTHZ, **written}).metadata_fields == fields


@pytest.mark.parametrize("written", [["reason", "none"], "reasons", [], [1], {"reason": True}, None, ""])
def test_wrong_metadata_field_is_a_problem_that_lists_the_fields(written: Any) -> None:
    (problem,) = _found({**AUTHZ, "metadata": written})

    assert problem.path == ("metadata",)
    assert problem.fix


def test_headers_and_the_revocation_list_can_be_chosen() -> None:
    configuration = compile_configuration({**AUTHZ, "forward": {"x-who": "sub"}, "revocations_file": "/revoked.yaml"})

    assert [name for name, _source in configuration.forward.sources] == ["x-who"]
    assert configuration.revocations_file == "/revoked.yaml"


def test_a_configuration_cannot_be_changed_afterwards() -> None:
    configuration = compile_configuration(AUTHZ)

    with pytest.raises(TypeError):
        configuration.policies["deny"] = BUILT_IN["public"]  # type: ignore[index]
    with pytest.raises(TypeError):
        configuration.issuers.by_alias["x"] = configuration.issuers.by_alias["cognito"]  # type: ignore[index]


def test_a_policy_in_place_may_refer_to_the_configured_issuers_and_policies() -> None:
    known = compile_configuration(AUTHZ).references

    assert known.issuers == {"cognito", "partner"}
    assert set(known.policies) == {*BUILT_IN, *AUTHZ["policies"]}


@pytest.mark.parametrize(
    ("authz", "mistake"),
    [
        ([], Problem((), "a mapping is needed here, not an empty list", "Write `name: value` lines.")),
        ({}, Problem((), "issuers is missing", "Name at least one issuer whose tokens are accepted.")),
        ({"issuers": {}}, Problem(("issuers",), "no issuer is configured", "Name at least one issuer.")),
        (
            {"issuers": None},
            Problem(("issuers",), "a mapping is needed here, not nothing", "Write `name: value` lines."),
        ),
        (
            {"issuers": {"a b": AUTHZ["issuers"]["partner"]}},
            Problem(
                ("issuers", "a b"),
                "'a b' cannot be a name here",
                "Names are letters, digits, `.`, `_` and `-`, at most 64, starting with a letter or digit.",
                on_key=True,
            ),
        ),
        (
            {**AUTHZ, "policies": {"x/y": {}}},
            Problem(
                ("policies", "x/y"),
                "'x/y' cannot be a name here",
                "Names are letters, digits, `.`, `_` and `-`, at most 64, starting with a letter or digit.",
                on_key=True,
            ),
        ),
        (
            {**AUTHZ, "policies": {"public": {"scopes": "a"}}},
            Problem(
                ("policies", "public"),
                "'public' is a built-in policy",
                "Choose another name: deny, public, authenticated always exist.",
                on_key=True,
            ),
        ),
        (
            {**AUTHZ, "policy": {}},
            Problem(("policy",), "unknown field 'policy'", "Did you mean `policies`?", on_key=True),
        ),
        (
            {**AUTHZ, "revocations_file": 5},
            Problem(("revocations_file",), "a string is needed, not 5", 'Write `revocations_file: "..."`.'),
        ),
    ],
)
def test_a_wrong_field_is_named_with_its_cure(authz: Any, mistake: Problem) -> None:
    assert mistake in _found(authz)


@pytest.mark.parametrize("twice", [PARTNER, COGNITO])
def test_one_name_cannot_be_two_issuers(twice: str) -> None:
    authz = authz_with(another={"profile": "oidc", "issuer": ["https://a.example", twice], "audiences": "any"})
    owner = "partner" if twice == PARTNER else "cognito"

    assert _found(authz) == (
        Problem(
            ("issuers", "another"),
            f"the issuer {twice!r} is configured twice, also as {owner}",
            "Merge the two.",
            on_key=True,
        ),
    )


def test_two_issuers_that_share_several_names_are_reported_once() -> None:
    authz = authz_with(another={**AUTHZ["issuers"]["cognito"]})

    assert len(_found(authz)) == 1


def test_each_issuer_with_the_name_of_another_is_reported() -> None:
    authz = authz_with(third=AUTHZ["issuers"]["partner"], fourth=AUTHZ["issuers"]["partner"])

    assert [mistake.path for mistake in _found(authz)] == [("issuers", "third"), ("issuers", "fourth")]


def test_without_issuers_there_is_one_mistake_and_a_typo_is_told_what_it_might_be() -> None:
    assert [mistake.message for mistake in _found({})] == ["issuers is missing"]
    assert _found({"issuer": {}})[1].fix == "Did you mean `issuers`?"


def test_one_issuer_may_say_its_name_twice() -> None:
    assert compile_configuration(authz_with(partner={"issuer": [PARTNER, PARTNER]}))


def test_all_mistakes_are_found_in_one_reading() -> None:
    """An issuer that cannot be read does not hide the problems of other issuers, of policies and of headers."""
    authz = {
        "issuers": {"a": {"profile": "x"}, "b": {"profile": "oidc"}},
        "policies": {"p": {"issuers": ["c"]}, "q": {"scopes": []}},
        "forward": {"Host": "sub"},
        "extra": 1,
    }

    assert [mistake.path for mistake in _found(authz)] == [
        ("issuers", "a", "profile"),
        ("issuers", "b"),
        ("issuers", "b"),
        ("policies", "p", "issuers"),
        ("policies", "q", "scopes"),
        ("forward", "Host"),
        ("extra",),
    ]


def test_a_candidate_can_be_written_before_the_policy_that_it_names_is() -> None:
    policies = {"new": {"candidate": "old"}, "old": {"scopes": "a"}}

    compiled = compile_configuration({**AUTHZ, "policies": policies}).policies

    assert compiled["new"].candidate is compiled["old"]


@pytest.mark.parametrize("other", ["new", "second", "missing", "deny"])
def test_a_candidate_cannot_be_itself_or_have_one_or_be_missing(other: str) -> None:
    policies = {"new": {"candidate": other}, "second": {"candidate": "authenticated"}}

    assert [mistake.path for mistake in _found({**AUTHZ, "policies": policies})] == [("policies", "new", "candidate")]
