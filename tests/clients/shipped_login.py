"""The shipped Envoy file for OpenID login on loopback, before a provider that rotates refresh tokens."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from authz.tools.demo.echo_service import upstream
from authz.tools.demo.proxy import Place, start_envoy
from authz.tools.demo.stack import start_sidecar
from authz.tools.init import pages
from authz.tools.processes.children import Children, child_environment
from authz.tools.processes.machine import LOOPBACK, free_port
from tests.clients.world import FOLDER, PROGRAMS, node

SHIPPED = FOLDER.parents[1] / "deploy" / "examples" / "oidc-login.yaml"
CLIENT_SECRET = "secret-of-at-least-32-characters-0"
_SECRET = """\
resources:
- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
  name: {name}
  generic_secret: {{ secret: {{ inline_string: "{value}" }} }}
"""


@dataclass(frozen=True, slots=True)
class ShippedLogin:
    """The running processes."""

    place: Place
    provider: str


@contextmanager
def running() -> Iterator[ShippedLogin]:
    """Start provider, service, sidecar and Envoy; end them with the block."""
    with tempfile.TemporaryDirectory(prefix="authz-login-", dir="/tmp") as name, Children(Path(name)) as children:
        place = Place(Path(name), "", free_port(), free_port(), free_port())
        provider = start_provider(children, place.home, "https://orders.example.com")
        place.configuration.write_text(_derived(place, provider), encoding="utf-8")
        with upstream(place.upstream_port):
            start_sidecar(children, place.configuration)
            start_envoy(children, place)
            yield ShippedLogin(place, provider)


def start_provider(children: Children, home: str, resource: str) -> str:
    """Start the provider of programs/short_lived.mjs. Return its address."""
    port = free_port()
    command = [node(), str(PROGRAMS / "short_lived.mjs"), str(port), home, resource]
    child = children.start("provider", command, child_environment())
    children.wait_until_ready(child, f"http://{LOOPBACK}:{port}/jwks", 30)
    return f"http://{LOOPBACK}:{port}"


def _derived(place: Place, provider: str) -> str:
    """The shipped file with other addresses and without TLS. Filters and routes stay."""
    text = SHIPPED.read_text(encoding="utf-8")
    names = {
        "https://idp.example.com/realms/orders/protocol/openid-connect/logout": f"{provider}/session/end",
        "https://idp.example.com/realms/orders/protocol/openid-connect": provider,
        "https://idp.example.com/realms/orders": provider,
        "https://orders.example.com": place.home,
        "orders.example.com": LOOPBACK,
        "/etc/envoy/secrets": str(place.directory),
        "/run/authz/authz.sock": str(place.directory / "authz.sock"),
    }
    for shipped, ours in names.items():
        assert shipped in text, shipped
        text = text.replace(shipped, ours)
    config: dict[str, Any] = yaml.safe_load(pages.local(text, place.directory))
    issuer = config["node"]["metadata"]["authz"]["issuers"]["provider"]
    issuer["audiences"] = ["https://orders.example.com"]
    listener = config["static_resources"]["listeners"][0]
    del listener["filter_chains"][0]["transport_socket"]
    clusters = {cluster["name"]: cluster for cluster in config["static_resources"]["clusters"]}
    clusters["provider"]["type"] = "STATIC"
    del clusters["provider"]["transport_socket"]
    for where, port in ((clusters["app"], place.upstream_port), (clusters["provider"], _port(provider))):
        where["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"] = _address(port)
    listener["address"], config["admin"]["address"] = _address(place.port), _address(place.admin_port)
    pages.write(place.directory)
    for name, value in (("client-secret", CLIENT_SECRET), ("cookie-key", secrets.token_hex(32))):
        (place.directory / f"{name}.yaml").write_text(_SECRET.format(name=name, value=value), encoding="utf-8")
    return yaml.safe_dump(config, sort_keys=False, width=120)


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])
