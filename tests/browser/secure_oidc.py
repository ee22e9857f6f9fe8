"""The file of `authz init` for generic OpenID Connect, over TLS before a certified provider, which init asks itself.

The sidecar, Envoy and init trust the provider's certificate through its authority, as with an authority of one's own.
"""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from authz.tools.demo.echo_service import upstream
from authz.tools.demo.proxy import start_envoy
from authz.tools.demo.stack import start_sidecar
from authz.tools.init import pages
from authz.tools.processes.children import Child, Children, child_environment
from authz.tools.processes.machine import LOOPBACK, envoy_command, free_port
from tests.browser import chromium
from tests.browser.secure_demo import SecurePlace, add_group_route
from tests.fakes.certificates import authority_pem, server_pem
from tests.fakes.waiting import until

CLIENT, CLIENT_SECRET = "orders-web", "secret-of-at-least-32-characters-0"
_SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
_SECRETS = """\
resources:
- "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret
  name: {name}
  {content}
"""


@dataclass(frozen=True, slots=True)
class Person:
    """A person at the provider."""

    name: str
    password: str
    groups: tuple[str, ...] = ()
    seconds: int = 3600
    """The lifetime of their access tokens."""
    refreshes: bool = True
    """Whether the provider gives them refresh tokens."""


PEOPLE = {
    "staff": Person("alice", "alice's own password", ("staff",)),
    "newcomer": Person("bob", "bob's own password"),
    "brief": Person("carol", "carol's own password", seconds=2),
    "unrefreshed": Person("dave", "dave's own password", seconds=2, refreshes=False),
}


@dataclass(frozen=True, slots=True)
class SecureOidc:
    """The running processes."""

    place: SecurePlace
    provider: str
    """Its address, on another host name than the application: browsers keep cookies by host, whatever the port."""
    sidecar: Child
    page_port: int
    """The port for a page of another origin, which CORS allows. The browser's script serves it."""


@contextmanager
def running() -> Iterator[SecureOidc]:
    """Start all processes, and stop them when the block ends."""
    envoy_command()
    with tempfile.TemporaryDirectory(prefix="authz-oidc-", dir="/tmp") as folder, Children(Path(folder)) as children:
        place = SecurePlace(Path(folder), "", free_port(), admin_port=free_port(), upstream_port=free_port())
        page_port = free_port()
        (place.directory / "ca.crt").write_bytes(authority_pem())
        for name, host in (("tls", LOOPBACK), ("provider", "localhost")):
            for kind, content in zip(("crt", "key"), server_pem(host), strict=True):
                (place.directory / f"{name}.{kind}").write_bytes(content)
        provider = _start_provider(children, place)
        written = _init(place, provider, f"https://{LOOPBACK}:{page_port}")
        place.configuration.write_text(_on_this_machine(written, place), encoding="utf-8")
        _write_secrets(place.directory)
        pages.write(place.directory)
        with upstream(place.upstream_port):
            sidecar, _admin = start_sidecar(children, place.configuration)
            start_envoy(children, place)
            yield SecureOidc(place, provider, sidecar, page_port)


def _start_provider(children: Children, place: SecurePlace) -> str:
    port = free_port()
    given = {
        "module": chromium.package("oidc-provider"),
        "port": port,
        "home": place.home,
        "cert": str(place.directory / "provider.crt"),
        "key": str(place.directory / "provider.key"),
        "secret": CLIENT_SECRET,
        "people": [asdict(person) for person in PEOPLE.values()],
    }
    script = Path(__file__).with_name("provider.mjs")
    child = children.start("provider", [chromium.node(), str(script), json.dumps(given)], child_environment())
    until(lambda: child.process.poll() is not None or _listens(port), 30)
    child.check()
    return f"https://localhost:{port}"


def _listens(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), 1).close()
    except OSError:
        return False
    return True


def _init(place: SecurePlace, provider: str, origin: str) -> str:
    """What `authz init` writes after it has asked the provider for its endpoints."""
    options = {
        "--profile": "oidc",
        "--issuer": provider,
        "--client-id": CLIENT,
        "--audience": "orders",
        "--host": LOOPBACK,
        "--upstream": f"/orders={LOOPBACK}:{place.upstream_port}",
        "--name": "orders-api",
        "--cors": origin,
        "--output": "-",
    }
    pairs = [word for pair in options.items() for word in pair]
    done = subprocess.run(
        [sys.executable, "-m", "authz", "init", "--login", *pairs],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
        env=child_environment(PYTHONPATH=str(Path(__file__).parents[2]), SSL_CERT_FILE=str(place.directory / "ca.crt")),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _on_this_machine(text: str, place: SecurePlace) -> str:
    """The written file with ports, folders and an authority of this machine, and a route for one group."""
    names = {
        _escaped(f"https://{LOOPBACK}/"): _escaped(f"{place.home}/"),
        f"https://{LOOPBACK}/": f"{place.home}/",
        "/etc/envoy/secrets": str(place.directory),
        "/run/authz/authz.sock": str(place.directory / "authz.sock"),
        _SYSTEM_AUTHORITIES: str(place.directory / "ca.crt"),
    }
    for written, ours in names.items():
        assert written in text, written
        text = text.replace(written, ours)
    config: dict[str, Any] = yaml.safe_load(pages.local(text, place.directory))
    config["node"]["metadata"]["authz"]["issuers"]["provider"]["ca_file"] = str(place.directory / "ca.crt")
    _address(config["static_resources"]["listeners"][0]).update(address=LOOPBACK, port_value=place.port)
    _address(config["admin"])["port_value"] = place.admin_port
    provider = next(each for each in config["static_resources"]["clusters"] if each["name"] == "provider")
    endpoint = provider["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
    _address(endpoint)["address"] = LOOPBACK  # `localhost` is ::1 on some machines
    add_group_route(config)
    return yaml.safe_dump(config, sort_keys=False, width=120)


def _address(owner: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = owner["address"]["socket_address"]
    return found


def _escaped(url: str) -> str:
    """A URL as a query parameter in an Envoy header value, with each percent sign doubled."""
    return quote(url, safe="").replace("%", "%%")


def _write_secrets(folder: Path) -> None:
    def generic(value: str) -> str:
        return f'generic_secret: {{ secret: {{ inline_string: "{value}" }} }}'

    pair = f'certificate_chain: {{ filename: "{folder}/tls.crt" }}, private_key: {{ filename: "{folder}/tls.key" }}'
    contents = {
        "client-secret": generic(CLIENT_SECRET),
        "cookie-key": generic(secrets.token_hex(32)),
        "server-certificate": f"tls_certificate: {{ {pair} }}",
    }
    for name, content in contents.items():
        (folder / f"{name}.yaml").write_text(_SECRETS.format(name=name, content=content), encoding="utf-8")
