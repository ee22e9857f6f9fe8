from __future__ import annotations

from typing import Any

import pytest

from authz.core import reach
from authz.core.configuration import Configuration, compile_configuration
from authz.core.mistakes import Mistakes
from authz.core.reach import Reach
from tests.fakes.workloads import AUDIENCE, CIRCLECI, CIRCLECI_PROJECT, SUB_BY_ID, SUB_BY_NAME

_PROFILES = ("github-actions", "gitlab-ci", "circleci", "kubernetes")


def _configuration(profile: str, policy: dict[str, Any] | None = None, **issuer: Any) -> Configuration:
    ci: dict[str, Any] = {"profile": profile, "audiences": [AUDIENCE], **issuer}
    if profile == "circleci":
        ci.setdefault("issuer", CIRCLECI)
    return compile_configuration({"issuers": {"ci": ci}, "policies": {"deploy": policy or {}}})


def _reach(profile: str, policy: dict[str, Any], **issuer: Any) -> Reach:
    configuration = _configuration(profile, policy, **issuer)
    return reach.of_policy(configuration.policies["deploy"], configuration.issuers.by_alias["ci"])


def _mistakes(profile: str, when: dict[str, Any], **issuer: Any) -> str:
    with pytest.raises(Mistakes) as raised:
        _configuration(profile, grants=[{"when": when, "scopes": ["orders/deploy"]}], **issuer)
    return str(raised.value)


@pytest.mark.parametrize(
    ("profile", "claims", "expected"),
    [
        ("github-actions", {"repository_id": "4242"}, Reach.LASTING),
        ("github-actions", {"repository_owner_id": "9919", "ref": "refs/heads/main"}, Reach.LASTING),
        ("github-actions", {"repository": "octo-org/orders"}, Reach.NAME),
        ("github-actions", {"repository_owner": "octo-org"}, Reach.NAME),
        ("github-actions", {"sub": SUB_BY_NAME}, Reach.NAME),
        ("github-actions", {"sub": SUB_BY_ID}, Reach.LASTING),
        ("github-actions", {"sub": [SUB_BY_NAME, SUB_BY_ID]}, Reach.NAME),
        ("github-actions", {"sub": "repository_owner_id:9919:environment:production"}, Reach.LASTING),
        ("github-actions", {"sub": "environment:production"}, Reach.ANYONE),
        ("github-actions", {"sub": [SUB_BY_NAME, "ref:refs/heads/main"]}, Reach.ANYONE),
        ("github-actions", {"ref": "refs/heads/main", "environment": "production"}, Reach.ANYONE),
        ("github-actions", {"actor_id": "583231"}, Reach.ANYONE),
        ("github-actions", {"job_workflow_ref": "octo-org/orders/.github/workflows/x.yml@main"}, Reach.ANYONE),
        ("github-actions", {"repository_id": {"none_of": ["1"]}}, Reach.ANYONE),
        ("github-actions", {"repository_id": {"any_of": ["4242"], "none_of": ["1"]}}, Reach.LASTING),
        ("github-actions", {"repository_id": 4242}, Reach.NOBODY),
        ("github-actions", {"enterprise_id": "7"}, Reach.LASTING),
        ("github-actions", {"workflow_ref": "octo-org/orders/.github/workflows/x.yml@refs/heads/main"}, Reach.NAME),
        ("gitlab-ci", {"job_project_id": "20"}, Reach.ANYONE),
        ("gitlab-ci", {"project_id": "20"}, Reach.LASTING),
        ("gitlab-ci", {"namespace_path": "shop"}, Reach.NAME),
        ("gitlab-ci", {"sub": "project_path:shop/orders:ref_type:branch:ref:main"}, Reach.NAME),
        ("gitlab-ci", {"ref": "main", "ref_protected": "true"}, Reach.ANYONE),
        ("gitlab-ci", {"user_id": "1"}, Reach.ANYONE),
        ("circleci", {"oidc.circleci.com/project-id": CIRCLECI_PROJECT}, Reach.LASTING),
        ("circleci", {"oidc.circleci.com/vcs-ref": "refs/heads/main"}, Reach.ANYONE),
        ("kubernetes", {"sub": "system:serviceaccount:shop:checkout"}, Reach.LASTING),
        ("kubernetes", {"/kubernetes.io/namespace": "shop"}, Reach.LASTING),
        ("kubernetes", {"/kubernetes.io/serviceaccount/name": "default"}, Reach.ANYONE),
        ("github-actions", {"repository_id": {"all_of": ["4242"]}}, Reach.LASTING),
    ],
    ids=str,
)
def test_only_some_claims_say_whose_workload_it_is(profile: str, claims: dict[str, Any], expected: Reach) -> None:
    assert _reach(profile, {"claims": claims}) is expected


@pytest.mark.parametrize("profile", _PROFILES)
def test_policy_without_conditions_can_be_met_by_anyone(profile: str) -> None:
    assert _reach(profile, {}) is Reach.ANYONE


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"scopes": "orders/deploy"}, Reach.LASTING),
        ({"scopes": {"any_of": ["orders/deploy", "orders/name"]}}, Reach.NAME),
        ({"scopes": "orders/never"}, Reach.NOBODY),
        ({"scopes": {"none_of": ["readonly"]}}, Reach.ANYONE),
        ({"scopes": {"none_of": ["readonly"]}, "claims": {"repository_id": "1"}}, Reach.LASTING),
        ({"groups": "staff"}, Reach.NOBODY),
        ({"groups": {"none_of": ["staff"]}}, Reach.ANYONE),
        ({"token_use": "access"}, Reach.NOBODY),
        ({"token_use": "id"}, Reach.NOBODY),
    ],
    ids=str,
)
def test_policy_reaches_as_far_as_the_grants_it_needs(policy: dict[str, Any], expected: Reach) -> None:
    grants = [
        {"when": {"claims": {"repository_id": "4242"}}, "scopes": ["orders/deploy"]},
        {"when": {"claims": {"repository": "octo-org/orders"}}, "scopes": ["orders/name"]},
    ]

    assert _reach("github-actions", policy, grants=grants) is expected


def test_policy_for_other_issuers_reaches_nobody_here() -> None:
    configuration = compile_configuration(
        {
            "issuers": {
                "ci": {"profile": "github-actions", "audiences": [AUDIENCE]},
                "people": {"profile": "cognito", "user_pool_id": "eu-west-1_AbC", "client_ids": "any"},
            },
            "policies": {"staff": {"issuers": ["people"]}},
        }
    )
    policies, issuers = configuration.policies, configuration.issuers.by_alias

    assert reach.of_policy(policies["staff"], issuers["ci"]) is Reach.NOBODY
    assert reach.of_policy(policies["staff"], issuers["people"]) is Reach.LASTING
    assert reach.of_policy(policies["deny"], issuers["ci"]) is Reach.NOBODY
    assert reach.of_policy(policies["public"], issuers["ci"]) is Reach.ANYONE


@pytest.mark.parametrize(
    ("profile", "when"),
    [
        ("github-actions", {"claims": {"ref": "refs/heads/main"}}),
        ("github-actions", {"claims": {"repository_owner_id": {"none_of": ["1"]}}}),
        ("gitlab-ci", {"claims": {"ref_protected": "true"}}),
    ],
    ids=str,
)
def test_grant_that_any_customer_of_a_shared_issuer_can_meet_is_a_mistake(profile: str, when: dict[str, Any]) -> None:
    told = _mistakes(profile, when)

    assert "issuers.ci.grants.0.when: the condition can be met by anyone's workload" in told
    assert "_id`" in told


@pytest.mark.parametrize("profile", ["github-actions", "gitlab-ci"])
def test_grant_to_every_workload_of_an_issuer_of_ones_own_is_no_mistake(profile: str) -> None:
    grants = [{"when": {"claims": {"ref_protected": "true"}}, "scopes": ["orders/deploy"]}]

    configuration = _configuration(profile, issuer="https://ci.example.com/_services/token", grants=grants)

    assert not reach.is_shared(configuration.issuers.by_alias["ci"])


@pytest.mark.parametrize("when", [{"groups": ["staff"]}, {"claims": {"repository_id": 4242}}], ids=str)
def test_grant_that_no_token_of_the_kind_can_meet_is_a_mistake(when: dict[str, Any]) -> None:
    assert "no github-actions token can meet the condition" in _mistakes("github-actions", when)


def test_grant_that_depends_on_scopes_could_grant_itself_and_is_a_mistake() -> None:
    told = _mistakes("github-actions", {"claims": {"repository_id": "1"}, "scopes": ["orders/deploy"]})

    assert "a grant cannot depend on scopes" in told
