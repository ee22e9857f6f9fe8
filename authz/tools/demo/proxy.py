"""Envoy's configuration for the demo: the shipped deploy/envoy.yaml with other names, addresses and no TLS.

A second issuer is added, for an expired token.
Routes, policies and filters stay exactly as shipped. A missing text is an error, so the two cannot drift apart.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from authz.tools.demo import expired
from authz.tools.demo.provision import Pool
from authz.tools.init import pages
from authz.tools.processes.children import Child, Children, child_environment
from authz.tools.processes.machine import LOOPBACK, envoy_command

_SDS_FILE = """\
resources:
- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
  name: {name}
  generic_secret: {{ secret: {{ inline_string: "{value}" }} }}
"""


@dataclass(frozen=True, slots=True)
class Place:
    """The addresses and files of one demo."""

    directory: Path
    cognito: str
    """The emulator's address, `http://127.0.0.1:PORT`."""
    port: int
    """Envoy's."""
    admin_port: int
    upstream_port: int

    @property
    def home(self) -> str:
        """The application's address as clients see it."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def configuration(self) -> Path:
        """The file that Envoy and the sidecar read."""
        return self.directory / "envoy.yaml"

    @property
    def access_log(self) -> Path:
        """Envoy's, one JSON object a line."""
        return self.directory / "access.log"


def derive(shipped: str, place: Place, pool: Pool) -> str:
    """The shipped configuration with this demo's names and addresses. Raises ValueError if a name is missing."""
    names = {
        "https://orders.auth.ap-northeast-1.amazoncognito.com": place.cognito,
        _escaped("https://orders.example.com/"): _escaped(f"{place.home}/"),
        "https://orders.example.com": place.home,
        "orders.example.com": LOOPBACK,
        "ap-northeast-1_AbCdEfGhI": pool.pool_id,
        "5onexampleclientid": pool.web_client_id,
        "/etc/envoy/secrets": str(place.directory),
        "/run/authz/authz.sock": str(place.directory / "authz.sock"),
    }
    config = yaml.safe_load(pages.local(_replace(shipped, names), place.directory))

    issuers = config["node"]["metadata"]["authz"]["issuers"]
    issuers[expired.NAME] = expired.issuer(place.directory)
    cognito = issuers["cognito"]
    cognito["client_ids"].append(pool.api_client_id)
    cognito["jwks_uri"] = f"{place.cognito}/{pool.pool_id}/.well-known/jwks.json"

    listener = config["static_resources"]["listeners"][0]
    listener["address"] = _address(place.port)
    # Without TLS: browsers take the Secure cookies of a loopback address all the same.
    del listener["filter_chains"][0]["transport_socket"]
    config["admin"]["address"] = _address(place.admin_port)

    clusters = {cluster["name"]: cluster for cluster in config["static_resources"]["clusters"]}
    _endpoint(clusters["app"])["address"] = _address(place.upstream_port)
    _endpoint(clusters["cognito"])["address"] = _address(int(place.cognito.rpartition(":")[2]))
    clusters["cognito"]["type"] = "STATIC"
    del clusters["cognito"]["transport_socket"]
    return yaml.safe_dump(config, sort_keys=False, width=120)


def write_configuration(shipped: str, place: Place, pool: Pool) -> None:
    """Write the derived configuration, and the pages and secrets that it names."""
    pages.write(place.directory)
    expired.write(place.directory)
    place.configuration.write_text(derive(shipped, place, pool), encoding="utf-8")
    for name, value in (("client-secret", pool.web_client_secret), ("cookie-key", secrets.token_hex(32))):
        file = place.directory / f"{name}.yaml"
        file.write_text(_SDS_FILE.format(name=name, value=value), encoding="utf-8")
        file.chmod(0o600)


def start_envoy(children: Children, place: Place) -> Child:
    """Start Envoy and wait until it takes requests."""
    command = [envoy_command(), "-c", str(place.configuration), "--disable-hot-restart", "--concurrency", "2"]
    # The access log is there to be read along: the default writes it every ten seconds.
    command += ["--log-level", "warning", "--file-flush-interval-msec", "100"]
    envoy = children.start("envoy", command, child_environment(), output=place.access_log)
    children.wait_until_ready(envoy, f"http://{LOOPBACK}:{place.admin_port}/ready")
    return envoy


def _replace(text: str, names: Mapping[str, str]) -> str:
    for shipped, ours in names.items():
        if shipped not in text:
            raise ValueError(f"deploy/envoy.yaml no longer says {shipped}")
        text = text.replace(shipped, ours)
    return text


def _escaped(url: str) -> str:
    """A URL as a query parameter in an Envoy header value, with each percent sign doubled."""
    return quote(url, safe="").replace("%", "%%")


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


def _endpoint(cluster: dict[str, Any]) -> dict[str, Any]:
    endpoint: dict[str, Any] = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    return endpoint
