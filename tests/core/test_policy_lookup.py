"""Named and inline policies: found, refused, and bounded."""

from __future__ import annotations

import pytest

from authz.core import policy_lookup as module
from authz.core.configuration import compile_configuration
from authz.core.policy import Policy
from authz.core.policy_lookup import PolicyLookup
from authz.core.reasons import Denied, Reason
from authz.envoy.inline_policy import parse_inline_policy
from tests.fakes.checks import AUTHZ


@pytest.fixture
def policies() -> PolicyLookup:
    return PolicyLookup(compile_configuration(AUTHZ).references, parse_inline_policy)


def refused(policies: PolicyLookup, text: str) -> Denied:
    with pytest.raises(Denied) as caught:
        policies.find(text)
    return caught.value


@pytest.mark.parametrize("name", ["reading", "deny", "public", "authenticated"])
def test_named_policy_is_found(policies: PolicyLookup, name: str) -> None:
    assert policies.find(name).name == name


@pytest.mark.parametrize("text", ["{scopes: [a]}", "scopes: a", '{"scopes": ["a"]}'])
def test_policy_written_in_place_is_read_once(policies: PolicyLookup, text: str) -> None:
    policy = policies.find(text)

    assert policy.name == "inline"
    assert policies.find(text) is policy


def test_route_without_a_policy_is_the_operators_mistake(policies: PolicyLookup) -> None:
    denied = refused(policies, "")

    assert denied.reason is Reason.POLICY_MISSING
    assert denied.detail == "context_extensions has no `policy`"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no-such-policy", "no policy is called 'no-such-policy'"),
        ("{scpoes: [a]}", "scpoes"),
        ("{scopes: []}", "scopes"),
        ("{name: deny}", "'deny' cannot be a policy's name"),
        ('{name: "a\\nb"}', "cannot be a policy's name"),
        ("{issuers: [nobody]}", "there is no issuer 'nobody'"),
        ("{unclosed", "not YAML"),
        ("[]", ""),
        ("42 43", ""),
        ("x" * 20_000 + ":", "longer than 16384 characters"),
    ],
)
def test_wrong_policy_is_invalid_and_the_detail_says_why(policies: PolicyLookup, text: str, said: str) -> None:
    for _ in range(2):  # read, and remembered
        denied = refused(policies, text)
        assert denied.reason is Reason.POLICY_INVALID
        assert said in denied.detail


def test_the_detail_has_all_problems_of_an_inline_policy(policies: PolicyLookup) -> None:
    assert refused(policies, "{scopes: [], scpoes: [a]}").detail == (
        "scopes: the list is empty. Name at least one value, or leave the field out."
        "; scpoes: unknown field 'scpoes'. Did you mean `scopes`?"
    )


def test_of_many_problems_the_detail_names_the_first_and_counts_the_others(policies: PolicyLookup) -> None:
    """It is in the log of every request to the route."""
    one_more = ", ".join(["1"] * (module.MAX_PROBLEMS + 1))

    whole = refused(policies, f"{{groups: [{one_more.removesuffix(', 1')}]}}").detail
    cut = refused(policies, f"{{groups: [{one_more}]}}").detail

    assert cut == f"{whole}; and 1 more"
    assert whole.count("1 cannot be compared here") == module.MAX_PROBLEMS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100 + "]" * 100, "nested deeper than 20 levels"),
        ("{scopes: &s [*s]}", "a value contains itself, through an alias"),
        ("{claims: {a: &a [1,1,1,1,1,1,1,1], b: [*a,*a,*a,*a,*a,*a,*a,*a,*a]}}", "after aliases are expanded"),
    ],
    ids=["deep", "in itself", "many"],
)
def test_a_short_inline_policy_cannot_become_a_large_one(policies: PolicyLookup, text: str, said: str) -> None:
    assert said in refused(policies, text).detail


def test_the_longest_inline_policy_is_read_and_a_longer_one_is_not(policies: PolicyLookup) -> None:
    text = "{scopes: [a]}".ljust(module.MAX_INLINE_CHARACTERS)

    assert policies.find(text).name == "inline"
    assert refused(policies, text + " ").detail == "the policy is longer than 16384 characters"


def test_policies_written_in_place_are_remembered_up_to_a_bound(
    policies: PolicyLookup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_INLINE_POLICIES", 10)

    kept = []
    for number in range(100):
        assert isinstance(policies.find(f"{{scopes: [s{number}]}}"), Policy)
        kept.append(len(policies._inline))

    assert max(kept) == 10


def test_their_names_become_labels_up_to_a_bound(policies: PolicyLookup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_INLINE_POLICIES", 10)
    monkeypatch.setattr(module, "MAX_INLINE_NAMES", 5)

    names = {policies.find(f"{{name: n{number}}}").name for number in range(100)}

    assert names == {"n0", "n1", "n2", "n3", "n4", "inline"}
    assert policies.find("{name: n3}").name == "n3"
