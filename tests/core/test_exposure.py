from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from authz.core import exposure
from authz.core.configuration import Configuration, compile_configuration
from authz.core.exposure import Exposure
from authz.core.problems import ConfigurationError
from tests.fakes.workloads import AUDIENCE, CIRCLECI, CIRCLECI_PROJECT, SUB_BY_ID, SUB_BY_NAME

_PROFILES = ("github-actions", "gitlab-ci", "circleci", "kubernetes")


def _configuration(profile: str, policy: dict[str, Any] | None = None, **issuer: Any) -> Configuration:
    ci: dict[str, Any] = {"profile": profile, "audiences": [AUDIENCE], **issuer}
    if profile == "circleci":
        ci.setdefault("issuer", CIRCLECI)
    return compile_configuration({"issuers": {"ci": ci}, "policies": {"deploy": policy or {}}})


def _reach(profile: str, policy: dict[str, Any], **issuer: Any) -> Exposure:
    configuration = _configuration(profile, policy, **issuer)
    return exposure.exposure_of_policy(configuration.policies["deploy"], configuration.issuers.by_alias["ci"])


def _mistakes(profile: str, when: dict[str, Any], **issuer: Any) -> str:
    with pytest.raises(ConfigurationError) as raised:
        _configuration(profile, grants=[{"when": when, "scopes": ["orders/deploy"]}], **issuer)
    return str(raised.value)


@pytest.mark.parametrize(
    ("profile", "claims", "expected"),
    [
        ("github-actions", {"repository_id": "4242"}, Exposure.IMMUTABLE),
        ("github-actions", {"repository_owner_id": "9919", "ref": "refs/heads/main"}, Exposure.IMMUTABLE),
        ("github-actions", {"repository": "octo-org/orders"}, Exposure.NAME),
        ("github-actions", {"repository_owner": "octo-org"}, Exposure.NAME),
        ("github-actions", {"sub": SUB_BY_NAME}, Exposure.NAME),
        ("github-actions", {"sub": SUB_BY_ID}, Exposure.IMMUTABLE),
        ("github-actions", {"sub": [SUB_BY_NAME, SUB_BY_ID]}, Exposure.NAME),
        ("github-actions", {"sub": "repository_owner_id:9919:environment:production"}, Exposure.IMMUTABLE),
        ("github-actions", {"sub": "environment:production"}, Exposure.ANYONE),
        ("github-actions", {"sub": [SUB_BY_NAME, "ref:refs/heads/main"]}, Exposure.ANYONE),
        ("github-actions", {"ref": "refs/heads/main", "environment": "production"}, Exposure.ANYONE),
        ("github-actions", {"actor_id": "583231"}, Exposure.ANYONE),
        ("github-actions", {"job_workflow_ref": "octo-org/orders/.github/workflows/x.yml@main"}, Exposure.ANYONE),
        ("github-actions", {"repository_id": {"none_of": ["1"]}}, Exposure.ANYONE),
        ("github-actions", {"repository_id": {"any_of": ["4242"], "none_of": ["1"]}}, Exposure.IMMUTABLE),
        ("github-actions", {"repository_id": 4242}, Exposure.NOBODY),
        ("github-actions", {"enterprise_id": "7"}, Exposure.IMMUTABLE),
        ("github-actions", {"workflow_ref": "octo-org/orders/.github/workflows/x.yml@refs/heads/main"}, Exposure.NAME),
        ("gitlab-ci", {"job_project_id": "20"}, Exposure.ANYONE),
        ("gitlab-ci", {"project_id": "20"}, Exposure.IMMUTABLE),
        ("gitlab-ci", {"namespace_path": "shop"}, Exposure.NAME),
        ("gitlab-ci", {"sub": "project_path:shop/orders:ref_type:branch:ref:main"}, Exposure.NAME),
        ("gitlab-ci", {"ref": "main", "ref_protected": "true"}, Exposure.ANYONE),
        ("gitlab-ci", {"user_id": "1"}, Exposure.ANYONE),
        ("circleci", {"oidc.circleci.com/project-id": CIRCLECI_PROJECT}, Exposure.IMMUTABLE),
        ("circleci", {"oidc.circleci.com/vcs-ref": "refs/heads/main"}, Exposure.ANYONE),
        ("kubernetes", {"sub": "system:serviceaccount:shop:checkout"}, Exposure.IMMUTABLE),
        ("kubernetes", {"/kubernetes.io/namespace": "shop"}, Exposure.IMMUTABLE),
        ("kubernetes", {"/kubernetes.io/serviceaccount/name": "default"}, Exposure.ANYONE),
        ("github-actions", {"repository_id": {"all_of": ["4242"]}}, Exposure.IMMUTABLE),
    ],
    ids=str,
)
def test_only_some_claims_say_whose_workload_it_is(profile: str, claims: dict[str, Any], expected: Exposure) -> None:
    assert _reach(profile, {"claims": claims}) is expected


@pytest.mark.parametrize("profile", _PROFILES)
def test_policy_without_conditions_can_be_met_by_anyone(profile: str) -> None:
    assert _reach(profile, {}) is Exposure.ANYONE


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({"scopes": "orders/deploy"}, Exposure.IMMUTABLE),
        ({"scopes": {"any_of": ["orders/deploy", "orders/name"]}}, Exposure.NAME),
        ({"scopes": "orders/never"}, Exposure.NOBODY),
        ({"scopes": {"none_of": ["readonly"]}}, Exposure.ANYONE),
        ({"scopes": {"none_of": ["readonly"]}, "claims": {"repository_id": "1"}}, Exposure.IMMUTABLE),
        ({"groups": "staff"}, Exposure.NOBODY),
        ({"groups": {"none_of": ["staff"]}}, Exposure.ANYONE),
        ({"token_use": "access"}, Exposure.NOBODY),
        ({"token_use": "id"}, Exposure.NOBODY),
    ],
    ids=str,
)
def test_policy_reaches_as_far_as_the_grants_it_needs(policy: dict[str, Any], expected: Exposure) -> None:
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

    assert exposure.exposure_of_policy(policies["staff"], issuers["ci"]) is Exposure.NOBODY
    assert exposure.exposure_of_policy(policies["staff"], issuers["people"]) is Exposure.IMMUTABLE
    assert exposure.exposure_of_policy(policies["deny"], issuers["ci"]) is Exposure.NOBODY
    assert exposure.exposure_of_policy(policies["public"], issuers["ci"]) is Exposure.ANYONE


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

    assert "issuers.ci.grants.0.when: the workloads of any customer of the issuer meet the condition" in told
    assert "_id`" in told


@pytest.mark.parametrize("profile", ["github-actions", "gitlab-ci"])
def test_grant_to_every_workload_of_an_issuer_of_ones_own_is_no_mistake(profile: str) -> None:
    grants = [{"when": {"claims": {"ref_protected": "true"}}, "scopes": ["orders/deploy"]}]

    configuration = _configuration(profile, issuer="https://ci.example.com/_services/token", grants=grants)

    assert not exposure.is_multi_tenant(configuration.issuers.by_alias["ci"])


@pytest.mark.parametrize("when", [{"groups": ["staff"]}, {"claims": {"repository_id": 4242}}], ids=str)
def test_grant_that_no_token_of_the_kind_can_meet_is_a_mistake(when: dict[str, Any]) -> None:
    assert "no github-actions token can meet the condition" in _mistakes("github-actions", when)


def test_grant_that_depends_on_scopes_could_grant_itself_and_is_a_mistake() -> None:
    told = _mistakes("github-actions", {"claims": {"repository_id": "1"}, "scopes": ["orders/deploy"]})

    assert "a grant cannot depend on scopes" in told


# Issuers that accept every tenant. The administrator of a tenant chooses groups, roles and custom claims.

_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
_ISS = f"https://login.microsoftonline.com/{_TENANT}/v2.0"
_NAMING = st.sampled_from(
    [
        {name: condition}
        for value, names in ((_TENANT, ("tid", "/tid")), (_ISS, ("iss", "/iss")))
        for name in names
        for condition in (value, [value, value + "x"], {"any_of": [value]}, {"all_of": [value]})
    ]
)
_NOT_NAMING = st.sampled_from(
    [
        {"tid": {"none_of": [_TENANT]}},
        {"/iss": {"none_of": [_ISS]}},
        {"tid": [_TENANT, 5]},
        {"TID": _TENANT},
        {"/tid/0": _TENANT},
        {"/a/tid": _TENANT},
        {"oid": "1"},
        {"azp": "client"},
        {"wids": ["62e90394-69f5-4237-9190-012177145e10"]},
    ]
)
_GROUPS = st.none() | st.sampled_from(["admins", ["a", "b"], {"any_of": ["a", "b"]}, {"none_of": ["guests"]}])
_ISSUERS = st.sampled_from(
    [
        {"profile": "entra"},
        {"profile": "entra", "groups_claim": "groups"},
        {"profile": "entra", "groups_claim": "/tid"},
        {"profile": "oidc", "issuer": "https://idp.example.com/{tenantid}/v2.0", "jwks_file": "/keys.json"},
        {"profile": "keycloak", "issuer": ["https://{tenantid}.a.com", "b:{tenantid}"], "jwks_file": "/keys.json"},
        {"profile": "google", "issuer": "urn:{tenantid}", "groups_claim": "groups"},
        {"profile": "spiffe", "issuer": "https://{tenantid}.example.com", "jwks_file": "/keys.json"},
    ]
)


def _tenants_problems(issuer: dict[str, Any], tenants: object, groups: object, *claims: dict[str, Any]) -> str:
    when = {"groups": groups, "claims": {name: each for part in claims for name, each in part.items()}}
    when = {name: value for name, value in when.items() if value}
    grants = [{"when": {"claims": {"tid": _TENANT}}, "scopes": ["read"]}, {"when": when, "scopes": ["admin"]}]
    document = {**issuer, "audiences": ["orders"], "tenants": tenants, "grants": grants}
    try:
        compile_configuration({"issuers": {"idp": document}})
    except ConfigurationError as error:
        return str(error)
    return ""


_ANY_TENANT = "issuers.idp.grants.1.when: the administrator of any tenant can meet the condition"


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(_ISSUERS, _GROUPS, st.lists(_NOT_NAMING, max_size=3))
def test_a_grant_without_a_tenant_is_a_mistake_if_every_tenant_is_accepted(
    issuer: dict[str, Any], groups: object, claims: list[dict[str, Any]]
) -> None:
    assume(groups or claims)
    assume(issuer["profile"] != "spiffe" or not groups)  # workloads have no groups

    assert _ANY_TENANT in _tenants_problems(issuer, "any", groups, *claims)
    assert not _tenants_problems(issuer, [_TENANT], groups, {"a": 1})


def test_a_grant_that_every_tenant_can_meet_is_reported_with_the_condition_to_add() -> None:
    assert _tenants_problems({"profile": "entra"}, "any", "admins") == (
        f"{_ANY_TENANT}. Add a condition on the tenant: `claims: {{ tid: TENANT_ID }}`."
    )


@settings(max_examples=200, derandomize=True, deadline=None, database=None)
@given(_ISSUERS, _GROUPS, st.lists(_NOT_NAMING, max_size=2), _NAMING)
def test_a_grant_with_a_tenant_is_accepted_however_it_is_written(
    issuer: dict[str, Any], groups: object, claims: list[dict[str, Any]], naming: dict[str, Any]
) -> None:
    assume(issuer["profile"] != "spiffe" or not groups)

    assert not _tenants_problems(issuer, "any", groups, *claims, naming)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, Exposure.ANYONE),
        ({"groups": "admins"}, Exposure.ANYONE),
        ({"claims": {"tid": {"none_of": [_TENANT]}}}, Exposure.ANYONE),
        ({"userinfo": True, "claims": {"@userinfo/tid": _TENANT}}, Exposure.ANYONE),
        ({"groups": "admins", "claims": {"/tid": _TENANT}}, Exposure.IMMUTABLE),
    ],
)
def test_a_policy_for_every_tenant_is_met_by_anyone_unless_it_names_the_tenant(
    policy: dict[str, Any], expected: Exposure
) -> None:
    issuer = {"profile": "entra", "audiences": ["a"], "tenants": "any", "userinfo_uri": "https://idp.example.com/u"}
    configuration = compile_configuration({"issuers": {"idp": issuer}, "policies": {"p": policy}})

    found = exposure.exposure_of_policy(configuration.policies["p"], configuration.issuers.by_alias["idp"])

    assert found is expected


@pytest.mark.parametrize("name", ["/repository_id", "repository_id"])
def test_an_owner_claim_counts_in_both_spellings(name: str) -> None:
    assert _reach("github-actions", {"claims": {name: "4242"}}) is Exposure.IMMUTABLE
