"""The defaults and the demands of each workload profile, on tokens of the documented shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from authz.core.configuration import compile_configuration
from authz.core.issuers import Issuer
from authz.core.problems import ConfigurationError
from tests.fakes import workloads
from tests.fakes.court import Court
from tests.fakes.keys import ec_key, jwk, jwks, rsa_key, sign
from tests.fakes.workloads import AUDIENCE, CIRCLECI, CIRCLECI_ORGANIZATION, CIRCLECI_PROJECT, SUB_BY_ID, SUB_BY_NAME

Shape = Callable[..., dict[str, Any]]

_ISSUERS: dict[str, dict[str, Any]] = {
    "github": {
        "profile": "github-actions",
        "audiences": [AUDIENCE],
        "grants": [
            {"when": {"claims": {"repository_id": "4242", "ref": "refs/heads/main"}}, "scopes": ["orders/deploy"]}
        ],
    },
    "gitlab": {
        "profile": "gitlab-ci",
        "audiences": [AUDIENCE],
        "grants": [{"when": {"claims": {"project_id": "20", "ref_protected": "true"}}, "scopes": ["orders/deploy"]}],
    },
    "circle": {
        "profile": "circleci",
        "issuer": CIRCLECI,
        "audiences": [CIRCLECI_ORGANIZATION],
        "grants": [
            {"when": {"claims": {"oidc.circleci.com/project-id": CIRCLECI_PROJECT}}, "scopes": ["orders/deploy"]}
        ],
    },
    "cluster": {
        "profile": "kubernetes",
        "audiences": [AUDIENCE],
        "grants": [
            {
                "when": {
                    "claims": {
                        "/kubernetes.io/namespace": "shop",
                        "/kubernetes.io/serviceaccount/name": {"any_of": ["checkout", "worker"]},
                    }
                },
                "scopes": ["orders/deploy"],
            }
        ],
    },
}
_SHAPES: dict[str, Shape] = {
    "github": workloads.github,
    "gitlab": workloads.gitlab,
    "circle": workloads.circleci,
    "cluster": workloads.kubernetes,
}
_EACH = pytest.mark.parametrize("alias", list(_SHAPES))


def _court(**policies: Any) -> Court:
    documents = {alias: jwks(jwk(rsa_key(number), "1")) for number, alias in enumerate(_SHAPES)}
    return Court({"issuers": _ISSUERS, "policies": {"deploy": {"scopes": "orders/deploy"}, **policies}}, documents)


def _token(alias: str, **changes: Any) -> str:
    claims = {name: value for name, value in _SHAPES[alias](**changes).items() if value is not None}
    return sign(rsa_key(list(_SHAPES).index(alias)), claims, kid="1")


def _issuer(**fields: Any) -> Issuer:
    return compile_configuration({"issuers": {"it": {"audiences": [AUDIENCE], **fields}}}).issuers.by_alias["it"]


def _mistakes(**fields: Any) -> str:
    with pytest.raises(ConfigurationError) as raised:
        compile_configuration({"issuers": {"it": fields}})
    return str(raised.value)


@_EACH
def test_documented_token_gets_its_scope_through_the_grant(alias: str) -> None:
    assert _court().reason(_token(alias), "deploy") == "ok"


@pytest.mark.parametrize(
    ("alias", "changes"),
    [
        ("github", {"repository_id": "4243"}),
        ("github", {"ref": "refs/heads/attack"}),
        ("gitlab", {"project_id": "21"}),
        ("gitlab", {"ref_protected": "false"}),
        ("circle", {"oidc.circleci.com/project-id": "00000000-0000-0000-0000-000000000000"}),
        ("cluster", {"kubernetes.io": {"namespace": "other", "serviceaccount": {"name": "checkout"}}}),
        ("cluster", {"kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "default"}}}),
    ],
    ids=str,
)
def test_token_of_another_workload_has_no_scope(alias: str, changes: dict[str, Any]) -> None:
    assert _court().reason(_token(alias, **changes), "deploy") == "scope_insufficient"


@_EACH
def test_token_for_another_service_is_refused(alias: str) -> None:
    assert _court().reason(_token(alias, aud="https://payments.example.com"), "deploy") == "audience_mismatch"
    assert _court().reason(_token(alias, aud=None), "deploy") == "audience_mismatch"


@_EACH
def test_scope_claim_of_a_workload_counts_for_nothing(alias: str) -> None:
    court = _court()

    assert court.reason(_token(alias, scope="orders/admin"), "deploy") == "ok"
    assert court.identity(_token(alias, scope="orders/admin")).scopes == {"orders/deploy"}


@pytest.mark.parametrize(
    ("alias", "changes"),
    [
        ("github", {"repository_id": None}),
        ("github", {"repository_id": 4242}),
        ("github", {"repository_owner_id": ["9919"]}),
        ("github", {"sub": None}),
        ("gitlab", {"project_id": None}),
        ("gitlab", {"namespace_id": ""}),
        ("circle", {"oidc.circleci.com/project-id": None}),
        ("cluster", {"kubernetes.io": None}),
        ("cluster", {"kubernetes.io": {"namespace": ["shop"], "serviceaccount": {"name": "checkout"}}}),
        ("cluster", {"kubernetes.io": "shop", "kubernetes.io/namespace": "shop"}),
    ],
    ids=str,
)
def test_token_without_the_claims_of_its_kind_is_malformed(alias: str, changes: dict[str, Any]) -> None:
    assert _court().reason(_token(alias, **changes), "authenticated") == "token_malformed"


@_EACH
def test_claims_that_nobody_documented_change_nothing(alias: str) -> None:
    strange = {"https://example.com/x": {"deep": [1, None]}, "groups": "staff", "admin": True}

    assert _court().reason(_token(alias, **strange), "deploy") == "ok"


@_EACH
def test_token_of_one_issuer_is_never_judged_with_the_keys_of_another(alias: str) -> None:
    """Every set has a key of the same `kid`."""
    other = (list(_SHAPES).index(alias) + 1) % len(_SHAPES)

    forged = sign(rsa_key(other), _SHAPES[alias](), kid="1")

    assert _court().reason(forged, "deploy") == "signature_invalid"


@pytest.mark.parametrize("sub", [SUB_BY_NAME, SUB_BY_ID])
def test_both_forms_of_githubs_subject_can_be_named(sub: str) -> None:
    court = _court(
        both={"claims": {"sub": [SUB_BY_NAME, SUB_BY_ID]}}, one={"claims": {"sub": sub}}, other={"claims": {"sub": "x"}}
    )

    assert court.reason(_token("github", sub=sub), "both") == "ok"
    assert court.reason(_token("github", sub=sub), "one") == "ok"
    assert court.reason(_token("github", sub=sub), "other") == "claim_mismatch"
    assert court.reason(_token("github", sub=sub + ":more"), "both") == "claim_mismatch"


def test_kubernetes_token_of_a_cluster_with_ecdsa_keys_is_taken() -> None:
    court = Court(
        {"issuers": {"cluster": _ISSUERS["cluster"]}, "policies": {"deploy": {"scopes": "orders/deploy"}}},
        {"cluster": jwks(jwk(ec_key(), "1"))},
    )

    assert court.reason(sign(ec_key(), workloads.kubernetes(), kid="1"), "deploy") == "ok"


def test_kubernetes_issuer_without_a_name_is_the_cluster_around_us() -> None:
    issuer = _issuer(profile="kubernetes")

    assert issuer.identifiers == {"https://kubernetes.default.svc.cluster.local", "https://kubernetes.default.svc"}
    assert issuer.keys.jwks_uri == "https://kubernetes.default.svc/openid/v1/jwks"
    assert issuer.keys.ca_file == "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
    assert issuer.keys.bearer_token_file == "/var/run/secrets/kubernetes.io/serviceaccount/token"


def test_kubernetes_issuer_of_a_provider_is_discovered_and_never_sent_our_service_account_token() -> None:
    issuer = _issuer(profile="kubernetes", issuer="https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE")

    assert issuer.keys.discovery == "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"
    assert (issuer.keys.jwks_uri, issuer.keys.ca_file, issuer.keys.bearer_token_file) == ("", "", "")


def test_keys_of_a_provider_can_be_read_from_the_api_server_next_door() -> None:
    uri = "https://kubernetes.default.svc/openid/v1/jwks"

    issuer = _issuer(profile="kubernetes", issuer="https://oidc.example.com/id", jwks_uri=uri, ca_file="/ca.pem")

    assert issuer.identifiers == {"https://oidc.example.com/id"}
    assert issuer.keys.ca_file == "/ca.pem"
    assert issuer.keys.bearer_token_file == "/var/run/secrets/kubernetes.io/serviceaccount/token"


def test_github_and_gitlab_are_known_by_name() -> None:
    github, gitlab = _issuer(profile="github-actions"), _issuer(profile="gitlab-ci")

    assert github.keys.jwks_uri == "https://token.actions.githubusercontent.com/.well-known/jwks"
    assert gitlab.keys.discovery == "https://gitlab.com"


@pytest.mark.parametrize("profile", ["github-actions", "gitlab-ci", "kubernetes"])
def test_workload_issuer_without_an_audience_is_a_mistake(profile: str) -> None:
    assert "audiences is missing" in _mistakes(profile=profile)
    assert "tokens for other services" in _mistakes(profile=profile, audiences="any")


@pytest.mark.parametrize(
    "name", ["https://oidc.circleci.com", "https://oidc.circleci.com/org/orders", f"{CIRCLECI}/project"]
)
def test_circleci_issuer_must_name_its_organization(name: str) -> None:
    assert "is not the URL of a circleci issuer" in _mistakes(profile="circleci", issuer=name, audiences=["x"])
    assert "oidc.circleci.com/org/ORGANIZATION_ID" in _mistakes(profile="circleci", audiences=["x"])
