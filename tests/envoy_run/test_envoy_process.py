"""The real Envoy's own route match, with the user's own file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from authz.envoy.document import YamlDocument, read
from authz.tools.envoy_run.envoy_process import Decide, EnvoyRun, run_envoy, run_files
from authz.tools.envoy_run.http_request import HttpRequest, parse_request
from authz.tools.processes.machine import CannotRunError
from tests.envoy_run.conftest import SHIPPED, policy_of


@pytest.mark.parametrize(
    ("request_", "policy"),
    [
        ("GET https://orders.example.com/orders", "orders-read"),
        ("GET https://orders.example.com:8443/orders/7?full=1", "orders-read"),
        ("POST https://orders.example.com/orders", "orders-write"),
        ("GET https://orders.example.com//orders", "orders-read"),
        ("GET https://orders.example.com/ordersX", "deny"),
        ("GET https://orders.example.com/healthz", "public"),
        ("GET https://orders.example.com/", "authenticated"),
        ("GET https://orders.example.com/%2525", "deny"),
        ("GET https://orders.example.com/x%2fy", "not asked"),
        ("GET https://elsewhere.example.com/orders", "not asked"),
    ],
)
def test_envoy_itself_says_which_policy_a_request_meets(run: EnvoyRun, request_: str, policy: str) -> None:
    assert policy_of(run.ask(parse_request(request_)).question) == policy


def test_public_route_reaches_the_fixed_upstream_and_a_forged_header_does_not(run: EnvoyRun) -> None:
    request = HttpRequest("GET", "orders.example.com", "/healthz", headers={"x_auth_subject": "a", "x-other": "kept"})

    refused = run.ask(request)
    reply = run.ask(HttpRequest("GET", "orders.example.com", "/healthz", headers={"x-other": "kept"}))

    assert refused.status == 400  # headers_with_underscores_action: REJECT_REQUEST of the user's file
    assert reply.reached_upstream
    assert reply.upstream_headers["x-other"] == "kept"
    assert "x-auth-subject" not in reply.upstream_headers


@pytest.mark.parametrize("method", ["HEAD", "PATCH", "PURGE"])
def test_any_method_is_answered(run: EnvoyRun, method: str) -> None:
    assert run.ask(HttpRequest(method, "orders.example.com", "/healthz")).status == 200


def test_refusal_is_the_sidecars_own(run: EnvoyRun) -> None:
    reply = run.ask(parse_request("GET https://orders.example.com/orders"))

    assert (reply.status, reply.reached_upstream) == (401, False)
    assert reply.headers["www-authenticate"] == 'Bearer realm="orders-api"'


def test_what_does_not_run_is_named(run: EnvoyRun) -> None:
    assert run.left_out == ("envoy.filters.http.oauth2",)


def test_access_log_tells_which_line_each_request_met(shipped: YamlDocument) -> None:
    with run_envoy(shipped, lambda _message: b"") as running:
        running.ask(parse_request("GET https://orders.example.com/healthz"))
        running.ask(parse_request("GET https://orders.example.com/x%2fy"))
        running.ask(parse_request("GET https://other/"))

    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    met = next(route for route in running.routes if running.traces[0] and route.name == running.traces[0].route)
    assert "match: { path: /healthz }" in lines[met.location.line - 1]
    assert [trace.details for trace in running.traces if trace] == [
        "via_upstream",
        "path_normalization_failed",
        "route_not_found",
    ]


def test_file_that_envoy_refuses_is_a_sentence_with_envoys_own_words() -> None:
    text = SHIPPED.read_text(encoding="utf-8").replace("normalize_path: true", "normalise_path: true")

    with pytest.raises(CannotRunError, match="normalise_path"), run_envoy(read(text, "e"), lambda _message: b""):
        pass


def test_missing_envoy_is_a_sentence(shipped: YamlDocument, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(CannotRunError, match="Envoy is not installed"), run_envoy(shipped, lambda _message: b""):
        pass


_BY_HAND = """\
static_resources:
  listeners:
  - address: { socket_address: { address: 0.0.0.0, port_value: 80 } }
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          http_filters:
          - name: envoy.filters.http.ext_authz
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz
              grpc_service: { envoy_grpc: { cluster_name: authz } }
          - name: envoy.filters.http.router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
          route_config:
            virtual_hosts:
            - name: app
              domains: ["*"]
              require_tls: ALL
              routes:
              - match: { prefix: /open }
                route: { cluster: not-in-this-file }
                typed_per_filter_config:
                  envoy.filters.http.ext_authz:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
                    disabled: true
              - match: { prefix: /split }
                route: { weighted_clusters: { clusters: [{ name: one, weight: 1 }, { name: two, weight: 1 }] } }
              - match: { prefix: /away }
                redirect: { path_redirect: / }
"""


def test_file_written_by_hand_runs_with_every_cluster_it_names() -> None:
    """No login, no TLS except `require_tls`, clusters from another file, a route without a check."""
    with run_envoy(read(_BY_HAND, "e"), lambda _message: b"") as running:
        unasked = running.ask(parse_request("GET http://anything/open"))
        split = running.ask(parse_request("GET http://anything/split"))
        redirected = running.ask(parse_request("GET http://anything/away"))

    assert (unasked.question, unasked.reached_upstream) == (None, True)
    assert (policy_of(split.question), split.reached_upstream) == ("", True)
    assert redirected.status == 301
    assert running.left_out == ()


def test_two_files_run_at_the_same_time_each_with_its_own_routes_and_sidecar(shipped: YamlDocument) -> None:
    by_hand = read(_BY_HAND, "e")
    other_runtime = read(f"{_BY_HAND}layered_runtime: {{ layers: [{{ name: a, static_layer: {{ a.b: 1 }} }}] }}\n", "o")
    asked: list[str] = []

    def sidecar(name: str) -> Decide:
        def answer(_message: bytes) -> bytes:
            asked.append(name)
            return b""

        return answer

    documents = {"shipped": shipped, "by hand": by_hand, "other runtime": other_runtime}
    with run_files([(document, sidecar(name)) for name, document in documents.items()]) as running:
        orders = [each.ask(parse_request("GET https://orders.example.com/orders")).status for each in running]
        split = [each.ask(parse_request("GET https://orders.example.com/split")).status for each in running]

    assert orders == [200, 404, 404]
    assert split == [200, 200, 200]
    assert asked == ["shipped", "shipped", "by hand", "other runtime"]
    assert [[each.details for each in run.traces if each] for run in running] == [
        ["via_upstream", "via_upstream"],
        ["route_not_found", "via_upstream"],
        ["route_not_found", "via_upstream"],
    ]


def test_a_check_that_fails_has_other_details_than_a_refusal() -> None:
    """`authz diff --confirm` counts only a refusal as one."""
    with run_envoy(read(_BY_HAND, "e"), lambda _message: b"\xff") as running:
        failed = running.ask(parse_request("GET http://anything/split"))

    assert failed.status == 403
    assert [each.details for each in running.traces if each] == ["ext_authz_error"]
