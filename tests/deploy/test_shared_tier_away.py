"""A service with a login that asks a tier which is away: people read a page, programs get 503, no route is open."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from authz.envoy import document
from authz.tools.demo.client import Exchange, HttpClient
from authz.tools.init import pages
from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import LOOPBACK, envoy_command, free_ports
from tests.deploy.manifests import ROOT
from tests.fakes.authority import Authority

_GATE = "envoy.filters.http.ext_authz"
_LOGIN = "envoy.filters.http.oauth2"
_SERVICE = "orders.example.com"
_SDS = '{{"resources": [{{"@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret", {0}}}]}}'


def _manager(config: Any) -> Any:
    listener = config["static_resources"]["listeners"][0]
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


def _read(file: Path, folder: Path) -> Any:
    text = pages.local(file.read_text(encoding="utf-8"), folder).replace("/etc/envoy/secrets", str(folder))
    return document.read(text, file.name).data


def _config(folder: Path, port: int, admin: int, away: int) -> dict[str, Any]:
    """deploy/envoy.yaml with the two parts that docs/shared-tier.md says to copy, and nobody at the tier's address."""
    config: dict[str, Any] = _read(ROOT / "deploy" / "envoy.yaml", folder)
    client = _read(ROOT / "deploy" / "shared-tier" / "client.yaml", folder)
    (gate,) = (each for each in _manager(client)["http_filters"] if each["name"] == _GATE)
    (tier,) = (each for each in client["static_resources"]["clusters"] if each["name"] == "authz")
    tier["type"] = "STATIC"
    del tier["dns_refresh_rate"]
    for group in tier["load_assignment"]["endpoints"]:
        for endpoint in group["lb_endpoints"]:
            endpoint["endpoint"]["address"]["socket_address"] = {"address": LOOPBACK, "port_value": away}
    manager = _manager(config)
    # Without the login, whose provider is not here either: a request without a token then reaches the check.
    found = [gate if each["name"] == _GATE else each for each in manager["http_filters"]]
    manager["http_filters"] = [each for each in found if each["name"] != _LOGIN]
    for host in manager["route_config"]["virtual_hosts"]:
        host["domains"] = ["*"]
        for route in host["routes"]:
            route.pop("route", None)
            route["direct_response"] = {"status": 200}  # whatever passes the check would be seen
            route.pop("request_headers_to_add", None)
    listener = config["static_resources"]["listeners"][0]
    listener["address"]["socket_address"] = {"address": LOOPBACK, "port_value": port}
    del listener["filter_chains"][0]["transport_socket"]
    config["admin"]["address"]["socket_address"]["port_value"] = admin
    config["static_resources"] = {"listeners": [listener], "clusters": [tier]}
    return config


def _write_certificates(folder: Path) -> None:
    authority = Authority("tier")
    for name, content in (authority.issue(_SERVICE) | {"ca.crt": authority.pem}).items():
        (folder / name).write_bytes(content)
    pair = {"certificate_chain": {"filename": f"{folder}/tls.crt"}, "private_key": {"filename": f"{folder}/tls.key"}}
    trust = {"trusted_ca": {"filename": f"{folder}/ca.crt"}}
    for name, field, value in (
        ("client-certificate", "tls_certificate", pair),
        ("tier-authority", "validation_context", trust),
    ):
        text = _SDS.format(f'"name": "{name}", "{field}": {json.dumps(value)}')
        (folder / f"{name}.yaml").write_text(text)


@pytest.fixture(scope="module")
def home() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="away-", dir="/tmp") as name, Children(Path(name)) as children:
        folder = Path(name)
        port, admin, away = free_ports(3)
        pages.write(folder)
        _write_certificates(folder)
        (folder / "envoy.yaml").write_text(json.dumps(_config(folder, port, admin, away)))
        line = [envoy_command(), "-c", f"{folder}/envoy.yaml", "--log-level", "error", "--concurrency", "1"]
        envoy = children.start("envoy", [*line, "--use-dynamic-base-id"], child_environment())
        children.wait_until_ready(envoy, f"http://{LOOPBACK}:{admin}/ready", 60.0)
        yield f"http://{LOOPBACK}:{port}"


def _ask(url: str, **headers: str) -> Exchange:
    sent = {"authorization": "Bearer a.b.c"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpClient().ask("GET", url, sent)


_PATHS = ("/", "/orders/1", "/healthz", "/oauth2/signout", "/elsewhere", "/orders/..;/admin")


@pytest.mark.parametrize("path", _PATHS)
def test_program_gets_503_on_every_route(home: str, path: str) -> None:
    answer = _ask(home + path)

    assert answer.status == 503
    assert "text/html" not in answer.headers.get("content-type", "")


@pytest.mark.parametrize("path", _PATHS)
def test_person_reads_that_the_service_is_not_available(home: str, path: str) -> None:
    answer = _ask(home + path, sec_fetch_mode="navigate", accept="text/html", accept_language="en")

    assert answer.status == 503
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "This service is not available right now" in answer.body.decode()


def test_person_reads_it_in_japanese(home: str) -> None:
    answer = _ask(f"{home}/orders/1", sec_fetch_mode="navigate", accept="text/html", accept_language="ja")

    assert answer.status == 503
    assert '<html lang="ja">' in answer.body.decode()
