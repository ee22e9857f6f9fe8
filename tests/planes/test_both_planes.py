"""What holds behind either control plane, with the files of deploy/ as `kubectl apply -k` sends them."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml

from tests.fakes.checks import CLIENT
from tests.fakes.sidecar import fresh_token
from tests.fakes.waiting import until
from tests.planes.plane import Plane, values
from tests.planes.scene import ROOT

_EXT_AUTHZ = "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz"
_READING = {"scope": "openid orders/read"}
_WRITING = {"scope": "openid orders/read orders/write"}

_FORGED = {
    "x-auth-subject": "root",
    "x-auth-scopes": "orders/write",
    "X-Auth-Tenant": "root",
    "x-auth.subject": "root",
    "x-remote-user": "root",
    "x-original-url": "/admin",
    "x-http-method-override": "DELETE",
}


def test_request_without_a_token_is_401_with_a_challenge(shipped: Plane) -> None:
    answer = shipped.ask("GET", "/orders")

    assert (answer.status, answer.reason) == (401, "token_missing")
    assert answer.headers["www-authenticate"] == 'Bearer realm="orders-api"'


def test_good_token_reaches_the_upstream_with_verified_headers(shipped: Plane) -> None:
    answer = shipped.ask("GET", "/orders/7", fresh_token(**_READING, username="jo"))

    assert answer.status == 200
    assert answer.received["x-auth-username"] == "jo"
    assert answer.received["x-auth-issuer"] == "cognito"
    assert answer.received["x-auth-scopes"] == "openid orders/read"


def test_token_without_the_scope_is_403(shipped: Plane) -> None:
    answer = shipped.ask("GET", "/orders", fresh_token(scope="openid"))

    assert (answer.status, answer.reason) == (403, "scope_insufficient")


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (fresh_token()[:-8] + "AAAAAAAA", "signature_invalid"),
        (fresh_token(exp=1_000_000_000), "token_expired"),
        (fresh_token(client_id="another"), "audience_mismatch"),
        ("not-a-token", "token_malformed"),
    ],
    ids=["forged", "expired", "another client's", "no token"],
)
def test_bad_token_is_401(shipped: Plane, token: str, reason: str) -> None:
    answer = shipped.ask("GET", "/orders", token)

    assert (answer.status, answer.reason) == (401, reason)
    assert CLIENT not in answer.body.decode()


def test_two_routes_have_two_policies(shipped: Plane) -> None:
    reading, writing = fresh_token(**_READING), fresh_token(**_WRITING)

    assert shipped.ask("POST", "/orders", writing).status == 200
    assert shipped.ask("POST", "/orders", reading).reason == "scope_insufficient"
    assert shipped.ask("DELETE", "/orders/7", reading).reason == "scope_insufficient"


@pytest.mark.parametrize(("path", "token"), [("/orders", fresh_token(**_READING, username="jo")), ("/healthz", None)])
def test_forged_identity_headers_do_not_reach_the_upstream(shipped: Plane, path: str, token: str | None) -> None:
    authorization = {"authorization": f"Bearer {token}"} if token else {}

    answer = shipped.send("GET", path, authorization | _FORGED)

    assert answer.status == 200
    assert "root" not in answer.received.values()
    assert answer.received.keys().isdisjoint({"x-auth.subject", "x-remote-user", "x-original-url"})


@pytest.mark.parametrize("path", ["/", "/admin", "/ordersX", "/healthz/x"])
def test_path_that_no_route_names_is_not_served(shipped: Plane, path: str) -> None:
    answer = shipped.ask("GET", path, fresh_token(**_WRITING))

    assert answer.status in {403, 404}
    assert answer.received == {}


def test_forgotten_route_is_closed(plane: Plane) -> None:
    """The marker is a route that no policy names."""
    plane.apply(plane.shipped)

    answer = plane.ask("GET", f"/applied/{plane.number}", fresh_token(**_WRITING))

    assert (answer.status, answer.reason) == (403, "denied")


@pytest.mark.parametrize("path", ["/orders%2f7", "/orders%5c7", "/healthz/..%2forders"])
def test_escaped_slash_is_refused_before_any_route_is_chosen(shipped: Plane, path: str) -> None:
    assert shipped.ask("GET", path, fresh_token(**_WRITING)).status == 400


@pytest.mark.parametrize("path", ["//orders", "/x/../orders", "/./orders"])
def test_another_spelling_of_a_path_has_the_policy_of_that_path(shipped: Plane, path: str) -> None:
    assert shipped.ask("GET", path).reason == "token_missing"
    assert shipped.ask("GET", path, fresh_token(**_READING)).status == 200


@pytest.mark.parametrize("path", ["/orders/..;/admin", "/orders/.%2e;/x", "/orders/%252e%252e/admin", "/orders/%c0%af"])
def test_path_that_another_reader_takes_for_another_path_is_closed(shipped: Plane, path: str) -> None:
    """Envoy itself takes `/orders/..;/admin` for `/admin`, which is no route here."""
    answer = shipped.ask("GET", path, fresh_token(**_WRITING))

    assert answer.status in {403, 404}
    assert answer.received == {}


def test_header_with_an_underscore_is_refused(shipped: Plane) -> None:
    assert shipped.send("GET", "/healthz", {"x_auth_subject": "root"}).status == 400


def test_filter_asks_as_the_one_in_deploy_envoy_yaml_does(shipped: Plane) -> None:
    envoy_yaml = yaml.safe_load((ROOT / "deploy" / "envoy.yaml").read_text(encoding="utf-8"))
    (expected,) = _filters(envoy_yaml)

    made = _filters(shipped.config_dump())

    assert made
    assert [_asked(each) for each in made] == [_asked(expected)] * len(made)
    assert not any(each.get("failure_mode_allow") or each.get("clear_route_cache") for each in made)


def _filters(data: object) -> list[dict[str, Any]]:
    chains = values(data, "http_filters")
    return [each["typed_config"] for chain in chains for each in chain if each["typed_config"]["@type"] == _EXT_AUTHZ]


def _asked(each: dict[str, Any]) -> tuple[object, ...]:
    retry = each["grpc_service"]["retry_policy"]
    headers = {pattern["exact"] for pattern in each["allowed_headers"]["patterns"]}
    tried = (retry["num_retries"], retry["retry_on"], retry["retry_back_off"]["max_interval"].rstrip("0s"))
    return headers, tried, each["grpc_service"]["timeout"], each["status_on_error"]


def test_sidecar_that_is_down_closes_every_route_with_503(shipped: Plane) -> None:
    shipped.scene.sidecar.end()
    try:
        answers = [shipped.ask("GET", path, fresh_token(**_READING)) for path in ("/orders", "/healthz")]
    finally:
        shipped.scene.start_sidecar()

    assert [answer.status for answer in answers] == [503, 503]
    until(lambda: shipped.ask("GET", "/orders", fresh_token(**_READING)).status == 200)


def test_policy_that_changes_in_the_sidecars_file_is_in_effect_without_a_restart(shipped: Plane) -> None:
    token, before = fresh_token(**_READING), shipped.scene.authz
    stricter = copy.deepcopy(before)
    stricter["node"]["metadata"]["authz"]["policies"]["orders-read"] = {"scopes": ["orders/admin"]}

    shipped.scene.sidecar.write(json.dumps(stricter).encode())
    until(lambda: shipped.ask("GET", "/orders", token).reason == "scope_insufficient", 10)
    shipped.scene.sidecar.write(json.dumps(before).encode())

    until(lambda: shipped.ask("GET", "/orders", token).status == 200, 10)


def test_route_can_be_moved_to_another_policy_while_envoy_runs(plane: Plane) -> None:
    plane.change(lambda documents: plane.name_policy(documents, "orders-read", "orders-write"))

    assert plane.ask("GET", "/orders", fresh_token(**_READING)).reason == "scope_insufficient"
    assert plane.ask("GET", "/orders", fresh_token(**_WRITING)).status == 200

    plane.restore()
    assert plane.ask("GET", "/orders", fresh_token(**_READING)).status == 200


@pytest.mark.parametrize("text", ["no-such-policy", "{scpoes: [orders/read]}"])
def test_policy_that_authz_does_not_know_closes_its_route_alone(plane: Plane, text: str) -> None:
    plane.change(lambda documents: plane.name_policy(documents, "orders-read", text))

    answer = plane.ask("GET", "/orders", fresh_token(**_READING))

    assert (answer.status, answer.reason) == (500, "policy_invalid")
    assert plane.ask("POST", "/orders", fresh_token(**_WRITING)).status == 200


def test_misspelt_key_in_the_context_extensions_leaves_the_route_closed(plane: Plane) -> None:
    plane.change(lambda documents: plane.name_policy(documents, "orders-read", "orders-read", key="polcy"))

    answer = plane.ask("GET", "/orders", fresh_token(**_READING))

    assert (answer.status, answer.reason) == (403, "denied")
