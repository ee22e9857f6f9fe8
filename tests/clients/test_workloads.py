"""Jobs and pods, through real Envoy. Their tokens have the documented shapes and local keys: no test can ask the real
providers for one here.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.world import SERVICE_ACCOUNT_TOKEN, World, signed
from tests.fakes import workloads

DEPLOY = {
    "/orders": "403 scope_insufficient",
    "/staff": "403 claim_mismatch",
    "/me": "200",
    "/profile": "401 token_use_mismatch",
    "/deploy": "200",
}
STRANGER = DEPLOY | {"/deploy": "403 scope_insufficient"}


@pytest.mark.parametrize(
    ("alias", "issuer", "client", "claims"),
    [
        ("github", "GitHub Actions", "job, sub by name", workloads.github()),
        ("github", "GitHub Actions", "job, sub by id", workloads.github(sub=workloads.SUB_BY_ID)),
        ("gitlab", "GitLab CI", "job", workloads.gitlab()),
        ("circleci", "CircleCI", "job", workloads.circleci()),
        ("cluster", "Kubernetes", "pod", workloads.kubernetes()),
    ],
    ids=["github by name", "github by id", "gitlab", "circleci", "kubernetes"],
)
def test_workload_that_the_grant_names_may_deploy(
    world: World, alias: str, issuer: str, client: str, claims: dict[str, Any]
) -> None:
    assert world.put_down(issuer, "workload identity", client, "id", signed(alias, claims)) == DEPLOY


@pytest.mark.parametrize(
    ("alias", "issuer", "client", "claims"),
    [
        (
            "github",
            "GitHub Actions",
            "job of a stranger",
            workloads.github(repository_id="1", repository="evil/orders"),
        ),
        ("gitlab", "GitLab CI", "job of a stranger", workloads.gitlab(project_id="1", project_path="evil/orders")),
        (
            "cluster",
            "Kubernetes",
            "pod of another namespace",
            workloads.kubernetes(**{"kubernetes.io": {"namespace": "other", "serviceaccount": {"name": "checkout"}}}),
        ),
    ],
    ids=["github", "gitlab", "kubernetes"],
)
def test_workload_of_a_stranger_has_no_scope(
    world: World, alias: str, issuer: str, client: str, claims: dict[str, Any]
) -> None:
    assert world.put_down(issuer, "workload identity", client, "id", signed(alias, claims)) == STRANGER


def test_workload_token_for_another_service_is_refused(world: World) -> None:
    token = signed("github", workloads.github(aud="https://github.com/octo-org"))

    assert world.decision("/deploy", token) == "401 audience_mismatch"


def test_token_signed_by_another_issuers_key_of_the_same_name_is_refused(world: World) -> None:
    assert world.decision("/deploy", signed("gitlab", workloads.github())) == "401 signature_invalid"


def test_keys_of_the_cluster_are_asked_for_with_its_authority_and_the_service_accounts_token(world: World) -> None:
    heads = [head.lower() for head in world.api_server.heads]

    assert heads
    assert all(head.startswith("get /openid/v1/jwks ") for head in heads)
    assert all(f"authorization: bearer {SERVICE_ACCOUNT_TOKEN}\r\n" in head for head in heads)
