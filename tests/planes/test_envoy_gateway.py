"""What only Envoy Gateway does: SecurityPolicies that are forgotten, misspelt, or point at something else."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Callable

import pytest

from tests.fakes.sidecar import fresh_token
from tests.planes.envoy_gateway import EnvoyGateway
from tests.planes.plane import find, remove
from tests.planes.scene import Document

_TOKEN = fresh_token(scope="orders/read")


def test_without_the_gateways_policy_a_forgotten_route_is_open_and_forged_headers_still_go(
    gateway: EnvoyGateway,
) -> None:
    """Why deploy/envoy-gateway has that policy."""
    gateway.change(lambda documents: remove(documents, "SecurityPolicy", "closed"))

    forgotten = gateway.ask("GET", f"/applied/{gateway.number}", x_auth_subject="root")
    named = gateway.ask("GET", "/orders")

    assert forgotten.status == 200
    assert "root" not in forgotten.received.values()
    assert named.reason == "token_missing"


def test_route_policy_without_context_extensions_is_closed_by_the_gateways(gateway: EnvoyGateway) -> None:
    def change(documents: list[Document]) -> None:
        del find(documents, "SecurityPolicy", "orders-read")["spec"]["extAuth"]["contextExtensions"]

    gateway.change(change)
    answer = gateway.ask("GET", "/orders", _TOKEN)

    assert (answer.status, answer.reason) == (403, "denied")


def test_route_policy_that_is_not_merged_and_names_no_policy_is_refused(gateway: EnvoyGateway) -> None:
    def change(documents: list[Document]) -> None:
        spec = find(documents, "SecurityPolicy", "orders-read")["spec"]
        del spec["mergeType"], spec["extAuth"]["contextExtensions"]

    gateway.change(change)
    answer = gateway.ask("GET", "/orders", _TOKEN)

    assert (answer.status, answer.reason) == (500, "policy_missing")


def test_route_policy_for_a_rule_that_is_not_there_leaves_the_rule_closed(gateway: EnvoyGateway) -> None:
    def change(documents: list[Document]) -> None:
        find(documents, "SecurityPolicy", "orders-read")["spec"]["targetRefs"][0]["sectionName"] = "raed"

    gateway.change(change)
    answer = gateway.ask("GET", "/orders", _TOKEN)

    assert (answer.status, answer.reason) == (403, "denied")


def test_route_policy_with_a_backend_that_is_not_there_refuses_the_route(gateway: EnvoyGateway) -> None:
    def change(documents: list[Document]) -> None:
        grpc = find(documents, "SecurityPolicy", "orders-read")["spec"]["extAuth"]["grpc"]
        grpc["backendRefs"][0]["name"] = "auhtz"

    gateway.change(change)
    answer = gateway.ask("GET", "/orders", _TOKEN)

    assert (answer.status, answer.received) == (403, {})
    assert gateway.ask("GET", "/healthz").status == 200


def test_no_request_passes_unchecked_while_a_route_policy_is_replaced(gateway: EnvoyGateway) -> None:
    """Without `authorization` in gateway.yaml some do: a filter goes before the routes that name it."""
    gateway.restore()
    statuses: Counter[int] = Counter()
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            statuses[gateway.ask("GET", "/orders").status] += 1

    clients = [threading.Thread(target=ask, daemon=True) for _ in range(2)]
    for client in clients:
        client.start()
    for _ in range(2):
        gateway.change(lambda documents: gateway.name_policy(documents, "orders-read", "orders-write"))
        gateway.restore()
    stop.set()
    for client in clients:
        client.join()

    assert statuses[401] > 20
    assert statuses.keys() <= {401, 403, 503}


def _misspell_context_extensions(documents: list[Document]) -> None:
    auth = find(documents, "SecurityPolicy", "orders-read")["spec"]["extAuth"]
    auth["contextExtension"] = auth.pop("contextExtensions")


def _misspell_the_sidecars_container(documents: list[Document]) -> None:
    """The shipped EnvoyProxy is validated, although Envoy runs as a process here."""
    deployment = find(documents, "EnvoyProxy", "orders")["spec"]["provider"]["kubernetes"]["envoyDeployment"]
    deployment["initContainers"][0]["restartPolcy"] = "Always"


@pytest.mark.parametrize(
    ("change", "field"),
    [(_misspell_context_extensions, "contextExtension"), (_misspell_the_sidecars_container, "restartPolcy")],
)
def test_misspelt_field_is_named_and_the_running_configuration_stays(
    gateway: EnvoyGateway, change: Callable[[list[Document]], None], field: str
) -> None:
    gateway.restore()
    documents = copy.deepcopy(gateway.shipped)
    change(documents)

    gateway.refuse(documents, field, "unknown field")

    assert gateway.ask("GET", "/never").status == 404
    assert gateway.ask("GET", "/orders").reason == "token_missing"
    assert gateway.ask("GET", "/orders", _TOKEN).status == 200
