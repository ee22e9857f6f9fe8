"""A real Keycloak: its roles, its keys, and tokens that are bound to a key, through the running sidecar.

Noted for later, not tested: back-channel logout and pushed revocation (Keycloak sends both).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.clients import keycloak
from tests.clients.keycloak import Keycloak
from tests.clients.matrix import claims_of
from tests.fakes.sidecar import Sidecar, bootstrap, sidecar
from tests.fakes.waiting import until

POLICIES: Mapping[str, Any] = {
    "reading": {"scopes": ["orders.read"]},
    "realm-role": {"claims": {"/realm_access/roles": "staff"}},
    "client-role": {"claims": {"/resource_access/orders/roles": "reader"}},
    "other-role": {"claims": {"/realm_access/roles": "admin"}},
    "realm-role-as-group": {"groups": ["staff"]},
    "portal-only": {"claims": {"azp": "portal"}},
}


@pytest.fixture(scope="module")
def running() -> Iterator[Keycloak]:
    if reason := keycloak.why_not():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="authz-", dir="/tmp") as name, keycloak.running(Path(name)) as one:
        yield one


@pytest.fixture(scope="module")
def served(running: Keycloak) -> Iterator[Sidecar]:
    realm = {
        "profile": "oidc",
        "issuer": running.issuer,
        "audiences": ["orders"],
        "algorithms": ["RS256", "PS256"],
        "groups_claim": "/realm_access/roles",
    }
    # The sidecar's directory is not known yet, and its other issuer is not needed.
    with tempfile.TemporaryDirectory(prefix="authz-", dir="/tmp") as name:
        configuration = bootstrap(Path(name), 1, policies=POLICIES)
        configuration["node"]["metadata"]["authz"]["issuers"] = {"keycloak": realm}
        listen = ("--listen", f"unix:{name}/authz-0.sock")
        with sidecar(1, *listen, configuration=configuration) as one:
            yield Sidecar(one.directory, one.child, one.admin, (listen[1],))


def test_scopes_and_audience_of_a_client_scope(running: Keycloak, served: Sidecar) -> None:
    token = running.token()

    assert "orders" in claims_of(token)["aud"]
    assert served.check(token) == "ok"


@pytest.mark.parametrize(
    ("policy", "reason"),
    [("realm-role", "ok"), ("client-role", "ok"), ("other-role", "claim_mismatch"), ("portal-only", "ok")],
)
def test_roles_are_found_by_json_pointer(running: Keycloak, served: Sidecar, policy: str, reason: str) -> None:
    assert served.check(running.token(), policy) == reason


def test_realm_roles_are_groups_if_the_issuer_says_so(running: Keycloak, served: Sidecar) -> None:
    assert served.check(running.token(), "realm-role-as-group") == "ok"


def test_a_second_algorithm_with_a_key_of_its_own(running: Keycloak, served: Sidecar) -> None:
    token = running.token("portal-ps256")

    assert claims_of(f".{token}")["alg"] == "PS256"
    until(lambda: served.check(token) == "ok", 15)


def test_a_token_bound_to_a_dpop_key_is_refused(running: Keycloak, served: Sidecar) -> None:
    token = running.token("portal-dpop", dpop=True)

    assert "jkt" in claims_of(token)["cnf"]
    assert served.check(token) == "token_bound"


def test_a_token_bound_to_a_client_certificate_is_refused(running: Keycloak, served: Sidecar) -> None:
    token = running.token("portal-mtls", certificate=True)

    assert claims_of(token)["cnf"] == {"x5t#S256": keycloak.thumbprint_of_certificate(running.folder)}
    assert served.check(token) == "token_bound"


def test_rotation_is_followed_and_old_tokens_stay_good(running: Keycloak, served: Sidecar) -> None:
    old = running.token()
    running.add_key("rsa-generated", "rotated", "RS256", priority=300)
    new = running.token()

    assert claims_of(f".{new}")["kid"] != claims_of(f".{old}")["kid"]
    until(lambda: served.check(new) == "ok", 15)
    assert served.check(old) == "ok"


def test_one_kid_that_stands_for_two_algorithms_loses_no_other_key(running: Keycloak, served: Sidecar) -> None:
    """Keycloak derives `kid` from the key, so one key used with two algorithms is published twice."""
    before = running.token()
    running.add_key("rsa", "one-rs", "RS256", priority=400, key=60)
    running.add_key("rsa", "one-ps", "PS256", priority=401, key=60)
    rs256, ps256 = running.token(), running.token("portal-ps256")

    heads = [claims_of(f".{token}") for token in (rs256, ps256)]
    assert [head["alg"] for head in heads] == ["RS256", "PS256"]
    assert heads[0]["kid"] == heads[1]["kid"]
    assert served.check(before) == "ok"
    until(lambda: [served.check(token) for token in (rs256, ps256)] == ["ok", "ok"], 15)
