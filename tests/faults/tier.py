"""The shared tier on loopback: replicas as the Helm chart renders them, and deploy/shared-tier/client.yaml before them.

Replaced are addresses, paths and the protected service; DNS names become three loopback endpoints. mTLS, retries,
health checks, priorities and routes are those of the files.
"""

from __future__ import annotations

import http.client
import json
import signal
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from authz.envoy import document
from authz.tools.processes.children import Child, Children, child_environment
from authz.tools.processes.machine import LOOPBACK, envoy_command, free_ports
from tests.deploy.helm import CHART, templated
from tests.deploy.manifests import ROOT, containers, one, pod_template
from tests.docs.markdown import blocks
from tests.fakes.authority import Authority, MountedSecret
from tests.fakes.sidecar import SECONDS, command, fresh_token, sidecar_environment, write_keys
from tests.fakes.waiting import until
from tests.faults import http2

TIER, SERVICE = "authz.shared.svc.cluster.local", "orders.example.com"
"""The names in the certificates of the tier and of the client."""

_PAGE = ROOT / "docs" / "shared-tier.md"
CLIENT_FILE = ROOT / "deploy" / "shared-tier" / "client.yaml"


@dataclass
class Replica:
    """One pod of the tier: Envoy and authz."""

    name: str
    directory: Path
    children: Children
    secret: MountedSecret
    port: int
    metrics: int
    arguments: list[str]
    running: dict[str, Child] = field(default_factory=dict)

    def start(self) -> None:
        """In the order of Kubernetes: authz first, then Envoy. Returns when both are ready."""
        admin = self.arguments[self.arguments.index("--admin") + 1]
        self.running["authz"] = self.children.start(f"{self.name}-authz", self.arguments, sidecar_environment())
        self.children.wait_until_ready(self.running["authz"], f"http://{admin}/readyz", SECONDS)
        line = [envoy_command(), "-c", str(self.directory / "envoy.yaml"), "--log-level", "error"]
        line += ["--concurrency", "1", "--use-dynamic-base-id"]
        self.running["envoy"] = self.children.start(f"{self.name}-envoy", line, child_environment())
        self.children.wait_until_ready(self.running["envoy"], f"http://{LOOPBACK}:{self.metrics}/ready", SECONDS)

    def end(self, *names: str, number: int = signal.SIGTERM) -> None:
        """Signal Envoy, then authz, each after the one before has ended; or only the named ones."""
        for name in names or ("envoy", "authz"):
            self.running[name].process.send_signal(number)
            self.running[name].process.wait(SECONDS)


@dataclass
class Tier:
    """Three replicas and a client."""

    authority: Authority
    replicas: list[Replica]
    client_secret: MountedSecret
    port: int
    admin: int
    token: str = field(default_factory=fresh_token)

    def status(self, token: str | None = None, path: str = "/orders/1") -> int:
        """The status of one request through the client's Envoy."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=SECONDS)
        try:
            headers = {"host": SERVICE, "authorization": f"Bearer {token or self.token}"}
            connection.request("GET", path, headers=headers)
            return connection.getresponse().status
        finally:
            connection.close()

    def healthy(self) -> int:
        """How many replicas the client's health checks find healthy."""
        connection = http.client.HTTPConnection(LOOPBACK, self.admin, timeout=SECONDS)
        try:
            connection.request("GET", "/clusters?format=json")
            clusters = json.loads(connection.getresponse().read())["cluster_statuses"]
            hosts = next(each for each in clusters if each["name"] == "authz")["host_statuses"]
            # The first replica is in two priorities, as one host.
            good = [each for each in hosts if "failed_active_health_check" not in each["health_status"]]
            return len({each["address"]["socket_address"]["port_value"] for each in good})
        finally:
            connection.close()

    def expect(self, healthy: int) -> None:
        """Wait until the client sees this number of healthy replicas."""
        until(lambda: self.healthy() == healthy, SECONDS)

    def handshake(self, replica: Replica, authority: Authority, certificate: dict[str, bytes] | None) -> str:
        """How the tier's Envoy answers a client that trusts this authority: `ok`, or why not."""
        context = ssl.create_default_context(cadata=authority.pem.decode())
        context.set_alpn_protocols(["h2"])
        if certificate is not None:
            with tempfile.NamedTemporaryFile() as file:
                file.write(certificate["tls.key"] + certificate["tls.crt"])
                file.flush()
                context.load_cert_chain(file.name)
        connection = http.client.HTTPConnection(LOOPBACK, replica.port, timeout=SECONDS)
        connection.connect()
        try:
            with context.wrap_socket(connection.sock, server_hostname=TIER) as tls:
                # TLS 1.3: the server looks at the client's certificate after the client has finished, and Envoy's
                # codec says nothing before the client's preface.
                tls.sendall(http2.PREFACE + http2.frame(4, 0, 0))
                return "ok" if tls.recv(1) else "closed"
        except ssl.SSLError as error:
            return error.reason or "closed"
        except (ConnectionResetError, BrokenPipeError):
            return "closed"


def _values(directory: Path, *, any_name: bool) -> Path:
    """The values of docs/shared-tier.md, with keys from a file."""
    (recipe,) = blocks(_PAGE, "yaml")
    values = yaml.safe_load(recipe.text)
    values["tier"]["authz"]["issuers"]["cognito"]["jwks_file"] = f"{directory}/jwks.json"
    if any_name:
        values["tier"]["tls"]["clients"] = []
    file = directory / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


@contextmanager
def tier(*, expired: bool = False, any_name: bool = False) -> Iterator[Tier]:
    """Start the replicas and the client.

    With `expired`, the tier's certificate is no longer valid. With `any_name`, the values name no clients.
    """
    with tempfile.TemporaryDirectory(prefix="tier-", dir="/tmp") as name, Children(Path(name)) as children:
        directory, authority = Path(name), Authority("first authority")
        write_keys(directory)
        rendered = templated(CHART, "--values", str(_values(directory, any_name=any_name)))
        data = one(rendered, "ConfigMap")["data"]
        arguments: list[str] = containers(pod_template(rendered)["spec"])["authz"]["args"]
        replicas = []
        for number in range(3):
            folder = directory / f"replica-{number}"
            folder.mkdir()
            port, metrics, envoy_admin, admin = free_ports(4)
            files = authority.issue(TIER, expired=expired) | {"ca.crt": authority.pem}
            files |= {name: text.encode() for name, text in data.items() if name != "envoy.yaml"}
            local = {
                "/etc/envoy/secrets": f"{folder}/secrets",
                "/run/authz": str(folder),
                "address: 0.0.0.0": f"address: {LOOPBACK}",
            }
            local |= {"9443": str(port), "9902": str(metrics), "9901": str(envoy_admin)}
            (folder / "envoy.yaml").write_text(_replaced(data["envoy.yaml"], local))
            mounted = {name: _replaced(text.decode(), local).encode() for name, text in files.items()}
            secret = MountedSecret(folder / "secrets", mounted)
            listen = [_replaced(word, local) for word in arguments if word.startswith("unix:")]
            line = command(
                folder, "--admin", f"{LOOPBACK}:{admin}", *(w for each in listen for w in ("--listen", each))
            )
            replicas.append(Replica(f"replica-{number}", folder, children, secret, port, metrics, line))
        for replica in replicas:
            replica.start()
        yield _client(directory, children, authority, replicas)


def _replaced(text: str, changes: dict[str, str]) -> str:
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


def _client(directory: Path, children: Children, authority: Authority, replicas: list[Replica]) -> Tier:
    folder = directory / "client"
    folder.mkdir()
    port, admin = free_ports(2)
    text = CLIENT_FILE.read_text(encoding="utf-8").replace("/etc/envoy/secrets", f"{folder}/secrets")
    config: Any = document.read(text, "client.yaml").data
    config["admin"]["address"]["socket_address"]["port_value"] = admin
    (listener,) = config["static_resources"]["listeners"]
    listener["address"]["socket_address"] = {"address": LOOPBACK, "port_value": port}
    del listener["filter_chains"][0]["transport_socket"]
    for route in listener["filter_chains"][0]["filters"][0]["typed_config"]["route_config"]["virtual_hosts"][0][
        "routes"
    ]:
        del route["route"]
        route["direct_response"] = {"status": 200}
    cluster = next(each for each in config["static_resources"]["clusters"] if each["name"] == "authz")
    cluster["type"] = "STATIC"
    del cluster["dns_refresh_rate"]
    first, second = cluster["load_assignment"]["endpoints"]
    first["lb_endpoints"] = [_endpoint(replicas[0].port)]
    second["lb_endpoints"] = [_endpoint(replica.port) for replica in replicas]
    (folder / "envoy.yaml").write_text(json.dumps(config))
    files = authority.issue(SERVICE) | {"ca.crt": authority.pem, "server-certificate.yaml": b"resources: []"}
    secret = MountedSecret(folder / "secrets", files | _references(folder / "secrets"))
    line = [envoy_command(), "-c", str(folder / "envoy.yaml"), "--log-level", "error", "--concurrency", "1"]
    envoy = children.start("client", [*line, "--use-dynamic-base-id"], child_environment())
    children.wait_until_ready(envoy, f"http://{LOOPBACK}:{admin}/ready", SECONDS)
    return Tier(authority, replicas, secret, port, admin)


def _endpoint(port: int) -> dict[str, Any]:
    return {"endpoint": {"address": {"socket_address": {"address": LOOPBACK, "port_value": port}}}}


def _references(folder: Path) -> dict[str, bytes]:
    """The two SDS files of docs/shared-tier.md."""
    texts = [block.text.replace("/etc/envoy/secrets", str(folder)) for block in blocks(_PAGE, "text")]
    return {text.split("# ")[1].split("\n")[0]: text.encode() for text in texts}
