"""Compare policies by meaning. The core's own judgement of random tokens is the oracle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from authz.core.configuration import Configuration, compile_configuration
from authz.core.problems import ConfigurationError
from authz.tools.access.relation import Change, Example, PolicyComparison
from authz.tools.access.sample_token import NOW, SampleToken, admits

POOL = {"profile": "cognito", "user_pool_id": "ap-northeast-1_AbCdEfGhI", "client_ids": ["c1", "c2"]}
KEYCLOAK = {"profile": "keycloak", "issuer": "https://id.example/realms/a", "audiences": ["api"]}
GRANTS = [
    {"when": {"groups": ["admins"]}, "scopes": ["read", "write"]},
    {"when": {"groups": {"any_of": ["readers"], "none_of": ["guests"]}}, "scopes": ["read"]},
]

_GROUPS = ["admins", "readers", "guests", "others"]
_SCOPES = ["read", "write", "other"]


def _membership(values: list[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)
    parts = st.fixed_dictionaries({}, optional={"all_of": some, "any_of": some, "none_of": some})
    return some | parts.filter(bool)


POLICIES = st.fixed_dictionaries(
    {},
    optional={
        "issuers": st.sampled_from([["pool"], ["realm"], ["pool", "realm"]]),
        "token_use": st.sampled_from(["access", "id", "any"]),
        "scopes": _membership(_SCOPES[:2]),
        "groups": _membership(_GROUPS[:3]),
        "claims": st.fixed_dictionaries(
            {},
            optional={
                "client_id": _membership(["c1", "c2", "c3"]),
                "aud": _membership(["api", "c1"]),
                "cognito:groups": _membership(["admins", "guests", 1]),
                "sub": _membership(["alice", "bob"]),
                "/deep/level": _membership(["x", True, 1]),
                "acr": _membership(["strong"]),
                "iss": _membership(["https://id.example/realms/a", "https://other.example"]),
                "scope": _membership(["read", "read write"]),
            },
        ).filter(bool),
        "max_age": st.sampled_from([60, 300]),
        "acr": st.sampled_from([["strong"], ["strong", "weak"]]),
        "optional": st.booleans(),
    },
)
ISSUERS = st.fixed_dictionaries(
    {
        "client_ids": st.sampled_from([["c1"], ["c1", "c2"], "any"]),
        "leeway": st.sampled_from([0, 30]),
        "grants": st.sampled_from([GRANTS, GRANTS[:1], GRANTS[1:]]),
    }
)


def configuration(policy: dict[str, Any], pool: dict[str, Any] | None = None) -> Configuration:
    """A configuration of two issuers with one policy of the name `p`."""
    return compile_configuration(
        {"issuers": {"pool": POOL | (pool or {}), "realm": KEYCLOAK}, "policies": {"p": policy}}
    )


def _values(pool: list[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from(pool) | st.lists(st.sampled_from(pool), max_size=3, unique_by=repr)


TOKENS = st.fixed_dictionaries(
    {
        "iss": st.sampled_from(
            ["https://cognito-idp.ap-northeast-1.amazonaws.com/ap-northeast-1_AbCdEfGhI", "https://id.example/realms/a"]
        ),
        "exp": st.sampled_from([NOW + 100, NOW + 100, NOW - 20, NOW - 40]),
        "sub": st.sampled_from(["alice", "bob", "carol"]),
    },
    optional={
        "nbf": st.sampled_from([NOW - 5, NOW + 20, NOW + 40]),
        "iat": st.sampled_from([NOW - 5, NOW - 200]),
        "auth_time": st.sampled_from([NOW, NOW - 60, NOW - 100, NOW - 400, NOW + 10]),
        "token_use": st.sampled_from(["access", "access", "id", "other"]),
        "client_id": st.sampled_from(["c1", "c2", "c3"]),
        "aud": st.sampled_from(["api", "c1", "c2", ["api", "c1"], ["zzz"]]),
        "scope": st.sampled_from(["read", "write", "read write", "other", ""]),
        "cognito:groups": _values([*_GROUPS, 1]),
        "realm_access": st.fixed_dictionaries({"roles": _values(_GROUPS)}),
        "deep": st.fixed_dictionaries({"level": _values(["x", True, 1, "y", 1.0])}),
        "acr": _values(["strong", "weak"]),
        "cnf": st.just({"jkt": "k"}),
    },
).map(SampleToken)


def _judged(example: Example | None, admitting: Configuration, refusing: Configuration) -> None:
    if example is None or example.kind == "unreadable":
        return
    assert admits(admitting, admitting.policies["p"], example.token)
    assert not admits(refusing, refusing.policies["p"], example.token)


@settings(deadline=None, max_examples=150)
@given(POLICIES, POLICIES, ISSUERS, ISSUERS, st.lists(TOKENS, max_size=30))
def test_no_token_contradicts_a_relation_and_the_core_confirms_each_example(
    first: dict[str, Any], second: dict[str, Any], one: Any, other: Any, tokens: list[SampleToken]
) -> None:
    old, new = configuration(first, one), configuration(second, other)
    relation = PolicyComparison(old, new).relation(old.policies["p"], new.policies["p"])
    _judged(relation.wider, new, old)
    _judged(relation.narrower, old, new)
    for token in (None, *tokens):
        before, after = (admits(each, each.policies["p"], token) for each in (old, new))
        if after and not before:
            assert relation.change.is_wider, token
        if before and not after:
            assert relation.narrower is not None or relation.undecided, token


def _relation(old: dict[str, Any], new: dict[str, Any], **pool: Any) -> Any:
    before, after = configuration(old), configuration(new, pool)
    return PolicyComparison(before, after).relation(before.policies["p"], after.policies["p"])


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ({"scopes": ["read"]}, {"scopes": {"all_of": ["read"]}}, Change.EQUAL),
        ({"scopes": ["read", "write"]}, {"scopes": ["read"]}, Change.WIDER),
        ({"scopes": ["read"]}, {"scopes": ["write"]}, Change.BOTH),
        ({"groups": {"any_of": ["a"]}}, {"groups": {"any_of": ["a", "b"]}}, Change.WIDER),
        ({"groups": {"none_of": ["a"]}}, {"groups": {"none_of": ["a", "b"]}}, Change.NARROWER),
        ({"max_age": 60}, {"max_age": 300}, Change.WIDER),
        ({"max_age": 60}, {}, Change.WIDER),
        ({"token_use": "access", "issuers": ["pool"]}, {"issuers": ["pool"]}, Change.EQUAL),
        ({"issuers": ["pool", "realm"]}, {}, Change.EQUAL),
        ({"optional": True}, {}, Change.NARROWER),
        ({"claims": {"client_id": ["c1", "c2"]}, "issuers": ["pool"]}, {"issuers": ["pool"]}, Change.EQUAL),
        ({"claims": {"client_id": ["c1", "c2", "c3"]}, "issuers": ["pool"]}, {"issuers": ["pool"]}, Change.EQUAL),
        ({"claims": {"sub": {"all_of": ["a", "b"]}}}, {"claims": {"sub": {"all_of": ["a", "c"]}}}, Change.EQUAL),
    ],
)
def test_two_policies_compare_by_the_tokens_that_they_admit(
    old: dict[str, Any], new: dict[str, Any], change: Change
) -> None:
    assert _relation(old, new).change is change


@pytest.mark.parametrize(
    ("pool", "change"),
    [
        ({"client_ids": ["c1", "c2", "c3"]}, Change.WIDER),
        ({"client_ids": ["c1"]}, Change.NARROWER),
        ({"grants": GRANTS}, Change.WIDER),
        ({"leeway": 100}, Change.WIDER),
        ({"user_pool_id": "ap-northeast-1_ZZZZZZZZZ"}, Change.BOTH),
    ],
)
def test_a_changed_issuer_changes_an_unchanged_policy(pool: dict[str, Any], change: Change) -> None:
    assert _relation({"scopes": ["read"]}, {"scopes": ["read"]}, **pool).change is change


_ANSWERS = st.none() | st.fixed_dictionaries(
    {"sub": st.sampled_from(["alice", "bob"])},
    optional={
        "cognito:groups": _values(_GROUPS),
        "acr": _values(["strong", "weak"]),
        "scope": st.sampled_from(["read", "write"]),
    },
)
_WITH_USERINFO = st.builds(
    lambda policy, mode: {**policy, "issuers": ["pool"], "userinfo": mode},
    POLICIES,
    st.sampled_from([True, {"required": False}]),
)


@given(
    _WITH_USERINFO,
    _WITH_USERINFO,
    st.lists(st.builds(replace, TOKENS, userinfo=_ANSWERS, userinfo_refuses=st.booleans()), max_size=30),
)
@settings(max_examples=60, deadline=None)
def test_no_token_with_a_userinfo_answer_contradicts_a_relation(
    first: dict[str, Any], second: dict[str, Any], tokens: list[SampleToken]
) -> None:
    endpoint = {"userinfo_uri": "https://id.example/userinfo"}
    try:
        old, new = configuration(first, endpoint), configuration(second, endpoint)
    except ConfigurationError:
        reject()  # an optional answer cannot be demanded
    relation = PolicyComparison(old, new).relation(old.policies["p"], new.policies["p"])
    _judged(relation.wider, new, old)
    _judged(relation.narrower, old, new)
    for token in tokens:
        before, after = (admits(each, each.policies["p"], token) for each in (old, new))
        assert relation.change.is_wider or not after or before, token
        assert relation.narrower is not None or relation.undecided or not before or after, token
