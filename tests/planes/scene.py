"""The surroundings of a control plane: the upstream, the sidecar with the shipped file, tokens, and a client."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from authz.tools.demo.echo_service import upstream
from authz.tools.processes.children import Child, Children
from authz.tools.processes.machine import LOOPBACK, free_port
from tests.fakes.certificates import authority_pem
from tests.fakes.sidecar import SECONDS, Sidecar, command, sidecar_environment, write_keys
from tests.fakes.waiting import until

ROOT = Path(__file__).parents[2]
HOST = "orders.example.com"

Document = dict[str, Any]


def rendered(folder: str) -> list[Document]:
    """What `kubectl apply -k deploy/FOLDER` sends."""
    kubectl = str(Path(sys.executable).with_name("kubectl"))
    done = subprocess.run(
        [kubectl, "kustomize", f"deploy/{folder}"], check=True, capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    return list(yaml.safe_load_all(done.stdout))


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def reason(self) -> str:
        """authz's reason; empty if the response is not authz's."""
        return str(self._json().get("reason", ""))

    @property
    def received(self) -> dict[str, str]:
        """The headers that reached the upstream, as far as the upstream shows them."""
        return {**self._json().get("identity", {}), **self._json().get("others", {})}

    def _json(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self.body))
        except ValueError:
            return {}


@dataclass
class Scene:
    """One folder of deploy/ as it runs: its documents, the sidecar and the upstream."""

    directory: Path
    children: Children
    documents: list[Document]
    upstream_port: int
    sidecar: Sidecar
    tls: bool
    authz: Document = field(default_factory=dict)
    """The sidecar's own file, with the keys in a file."""

    @property
    def port(self) -> int:
        """The address on which Envoy listens. The two planes can run side by side."""
        return 443 if self.tls else 80

    def start_sidecar(self) -> None:
        """Start `authz serve` (again) and wait until it can verify tokens."""
        self.sidecar = _start_sidecar(self.directory, self.children)

    def ask(self, method: str, path: str, token: str | None = None, **headers: str) -> Answer:
        """Send one request to Envoy as a client of the host would. `x_y` is the header x-y."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send(method, path, sent if token is None else sent | {"authorization": f"Bearer {token}"})

    def send(self, method: str, path: str, headers: Mapping[str, str]) -> Answer:
        """Send one request with exactly these headers. Status 0 if there is no response."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=SECONDS)
        try:
            connection.sock = socket.create_connection((LOOPBACK, self.port), SECONDS)
            if self.tls:
                context = ssl.create_default_context(cadata=authority_pem().decode())
                connection.sock = context.wrap_socket(connection.sock, server_hostname=HOST)
            connection.request(method, path, headers={"host": HOST, **headers})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        except (OSError, http.client.HTTPException):
            return Answer(0, {}, b"")
        finally:
            connection.close()


def _start_sidecar(directory: Path, children: Children) -> Sidecar:
    admin, address = f"{LOOPBACK}:{free_port()}", f"unix:{directory}/authz.sock"
    arguments = command(directory, "--listen", address, "--admin", admin, "--drain", "0s")
    child: Child = children.start("authz", arguments, sidecar_environment())
    started = Sidecar(directory, child, admin, (address,))
    until(lambda: child.process.poll() is not None or started.is_ready(), SECONDS)
    child.check()
    return started


@contextmanager
def scene(folder: str, *, tls: bool) -> Iterator[Scene]:
    """The documents of deploy/FOLDER with the socket in a folder of this run, a sidecar and an upstream."""
    # A short path: pytest's own can be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="planes-", dir="/tmp") as name, Children(Path(name)) as children:
        directory, port = Path(name), free_port()
        text = json.dumps(rendered(folder)).replace("/run/authz/authz.sock", f"{directory}/authz.sock")
        documents: list[Document] = json.loads(text)
        (config,) = [each for each in documents if each["kind"] == "ConfigMap"]
        authz = yaml.safe_load(config["data"]["authz.yaml"])
        authz["node"]["metadata"]["authz"]["issuers"]["cognito"]["jwks_file"] = f"{directory}/jwks.json"
        write_keys(directory)
        (directory / "envoy.yaml").write_text(json.dumps(authz), encoding="utf-8")
        with upstream(port):
            started = _start_sidecar(directory, children)
            yield Scene(directory, children, documents, port, started, tls, authz)
