"""What only Istio does: patches that find nothing, and a gateway that no AuthorizationPolicy selects."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.sidecar import fresh_token
from tests.planes.istio_generator import Istio
from tests.planes.plane import find, remove
from tests.planes.scene import Document

_TOKEN = fresh_token(scope="orders/read")


def _select_no_pod(documents: list[Document]) -> None:
    find(documents, "AuthorizationPolicy", "authz")["spec"]["selector"]["matchLabels"]["app"] = "orders-gatewya"


def _narrow(documents: list[Document]) -> None:
    operation = {"operation": {"paths": ["/admin*"]}}
    find(documents, "AuthorizationPolicy", "authz")["spec"]["rules"] = [{"to": [operation]}]


@pytest.mark.parametrize(
    "change", [lambda documents: remove(documents, "AuthorizationPolicy", "authz"), _select_no_pod, _narrow]
)
def test_where_the_authorization_policy_does_not_reach_routes_are_open_and_forged_headers_still_go(
    mesh: Istio, change: Callable[[list[Document]], None]
) -> None:
    """The reason why that of deploy/istio selects the gateway and has `rules: [{}]`."""
    mesh.change(change)

    answer = mesh.ask("GET", "/orders", x_auth_subject="root")

    assert answer.status == 200
    assert "root" not in answer.received.values()


def test_authorization_policy_with_an_unknown_provider_refuses_everything(mesh: Istio) -> None:
    def change(documents: list[Document]) -> None:
        find(documents, "AuthorizationPolicy", "authz")["spec"]["provider"]["name"] = "auhtz"

    mesh.change(change)
    answers = [mesh.ask("GET", path, _TOKEN) for path in ("/orders", "/healthz")]

    assert [answer.status for answer in answers] == [403, 403]
    assert [answer.received for answer in answers] == [{}, {}]


def test_without_deny_on_the_virtual_host_a_forgotten_route_is_still_refused(mesh: Istio) -> None:
    def change(documents: list[Document]) -> None:
        patches = find(documents, "EnvoyFilter", "orders-gateway")["spec"]["configPatches"]
        patches[:] = [patch for patch in patches if patch["applyTo"] != "VIRTUAL_HOST"]

    mesh.change(change)
    answer = mesh.ask("GET", f"/applied/{mesh.number}", _TOKEN)

    assert (answer.status, answer.reason) == (500, "policy_missing")


def test_route_that_is_renamed_loses_its_policy_and_is_closed(mesh: Istio) -> None:
    def change(documents: list[Document]) -> None:
        find(documents, "VirtualService", "orders")["spec"]["http"][1]["name"] = "orders-list"

    mesh.change(change)
    answer = mesh.ask("GET", "/orders", _TOKEN)

    assert (answer.status, answer.reason) == (403, "denied")


def test_patch_under_another_filters_name_leaves_the_route_closed(mesh: Istio) -> None:
    def change(documents: list[Document]) -> None:
        config = _read_patch(documents)["typed_per_filter_config"]
        config["envoy.filters.http.ext_auth"] = config.pop("envoy.filters.http.ext_authz")

    mesh.change(change)
    answer = mesh.ask("GET", "/orders", _TOKEN)

    assert (answer.status, answer.reason) == (403, "denied")


def test_misspelt_field_of_a_resource_is_named_and_the_running_configuration_stays(mesh: Istio) -> None:
    mesh.restore()
    documents = copy.deepcopy(mesh.shipped)
    find(documents, "AuthorizationPolicy", "authz")["spec"]["providr"] = {"name": "authz"}

    mesh.refuse(documents, "AuthorizationPolicy", "providr")

    assert mesh.ask("GET", "/never").status == 404
    assert mesh.ask("GET", "/orders").reason == "token_missing"
    assert mesh.ask("GET", "/orders", _TOKEN).status == 200


def _read_patch(documents: list[Document]) -> dict[str, Any]:
    patches = find(documents, "EnvoyFilter", "orders-policies")["spec"]["configPatches"]
    value: dict[str, Any] = patches[0]["patch"]["value"]
    return value
