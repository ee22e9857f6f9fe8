"""A sidecar behind real Envoy, with the ext_authz filter and the authz cluster of deploy/envoy.yaml as shipped.

Their surroundings are minimal: one plain listener, one route that Envoy answers itself.
"""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from authz.tools.processes.children import Child, Children, child_environment
from authz.tools.processes.machine import LOOPBACK, envoy_command, free_port
from tests.fakes.sidecar import SECONDS, Sidecar, bootstrap, command, fresh_token, sidecar_environment, write_keys
from tests.fakes.waiting import until

SHIPPED = Path(__file__).parents[2] / "deploy" / "envoy.yaml"
_HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_PER_ROUTE = "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


def proxied_bootstrap(directory: Path, port: int, admin: int, *, retry: bool = True) -> dict[str, Any]:
    """The bootstrap of both programs, with two workers."""
    shipped = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))
    manager = shipped["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    (gate,) = [each for each in manager["http_filters"] if each["name"] == "envoy.filters.http.ext_authz"]
    (cluster,) = [each for each in shipped["static_resources"]["clusters"] if each["name"] == "authz"]
    own = bootstrap(directory)
    cluster["load_assignment"] = own["static_resources"]["clusters"][0]["load_assignment"]
    if not retry:
        del gate["typed_config"]["grpc_service"]["retry_policy"]
    policy = {"@type": _PER_ROUTE, "check_settings": {"context_extensions": {"policy": "reading"}}}
    host = {
        "name": "app",
        "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}],
        "typed_per_filter_config": {"envoy.filters.http.ext_authz": policy},
    }
    hcm = {
        "@type": _HCM,
        "stat_prefix": "ingress",
        "http_filters": [gate, {"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}}],
        "route_config": {"virtual_hosts": [host]},
    }
    network = {"name": "envoy.filters.network.http_connection_manager", "typed_config": hcm}
    return {
        "node": own["node"],
        "admin": {"address": _address(admin)},
        "static_resources": {
            "listeners": [{"address": _address(port), "filter_chains": [{"filters": [network]}]}],
            "clusters": [cluster],
        },
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


@dataclass
class Proxied:
    """What runs, and how to ask it something."""

    sidecar: Sidecar
    children: Children
    envoy: Child
    port: int
    admin: int
    token: str = field(default_factory=fresh_token)

    def start_envoy(self) -> None:
        """Start it (again) and wait until it serves and its health checks have passed."""
        self.envoy = start_envoy(self.children, self.sidecar.file, self.admin)
        until(lambda: self.status() == http.HTTPStatus.OK, SECONDS)

    def restart_sidecar(self) -> None:
        """Start `authz serve` again after its end, and wait until it can verify tokens."""
        arguments = command(self.sidecar.directory, "--admin", self.sidecar.admin)
        child = self.children.start("authz-again", arguments, sidecar_environment())
        self.sidecar = replace(self.sidecar, child=child)
        until(self.sidecar.is_ready, SECONDS)

    def status(self) -> int:
        """The HTTP status of one request; 0 if there is no answer."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=SECONDS)
        try:
            connection.request("GET", "/", headers={"authorization": f"Bearer {self.token}"})
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


@dataclass
class Load:
    """Requests on keep-alive connections, at a steady pace, until a number of them was sent."""

    port: int
    token: str
    requests: int = 10_000
    clients: int = 16
    per_second: int = 1500
    usual: int = 200
    """The status of a request that nothing happens to."""
    path: str = "/"
    host: str = LOOPBACK
    statuses: Counter[int] = field(default_factory=Counter)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send while the block runs, and to the end of the number after it."""
        threads = [threading.Thread(target=self._client, daemon=True) for _ in range(self.clients)]
        for thread in threads:
            thread.start()
        until(lambda: self.statuses[self.usual] > self.requests // 20, SECONDS)
        yield
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()

    def _client(self) -> None:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=SECONDS)
        headers = {"host": self.host, "authorization": f"Bearer {self.token}"}
        begin, pause = time.monotonic(), self.clients / self.per_second
        for number in range(self.requests // self.clients):
            time.sleep(max(0.0, begin + number * pause - time.monotonic()))
            try:
                connection.request("GET", self.path, headers=headers)
                answer = connection.getresponse()
                answer.read()
                self.statuses[answer.status] += 1
            except (OSError, http.client.HTTPException):
                self.statuses[0] += 1
                connection.close()
        connection.close()


def start_envoy(children: Children, file: Path, admin: int) -> Child:
    """Start Envoy on a configuration and wait until it is ready."""
    arguments = ["-c", str(file), "--log-level", "error", "--concurrency", "2", "--use-dynamic-base-id"]
    envoy = children.start("envoy", [envoy_command(), *arguments], child_environment())
    children.wait_until_ready(envoy, f"http://{LOOPBACK}:{admin}/ready", seconds=SECONDS)
    return envoy


@contextmanager
def proxied(*arguments: str, retry: bool = True) -> Iterator[Proxied]:
    """Two workers and Envoy in front of them."""
    with tempfile.TemporaryDirectory(prefix="authz-", dir="/tmp") as name, Children(Path(name)) as children:
        directory = Path(name)
        write_keys(directory)
        port, envoy_admin, admin = free_port(), free_port(), f"{LOOPBACK}:{free_port()}"
        text = json.dumps(proxied_bootstrap(directory, port, envoy_admin, retry=retry))
        (directory / "envoy.yaml").write_text(text, encoding="utf-8")
        child = children.start("authz", command(directory, "--admin", admin, *arguments), sidecar_environment())
        one = Sidecar(directory, child, admin, tuple(f"unix:{directory}/authz-{number}.sock" for number in (0, 1)))
        until(lambda: child.process.poll() is not None or one.is_ready(), SECONDS)
        child.check()
        envoy = start_envoy(children, one.file, envoy_admin)
        both = Proxied(one, children, envoy, port, envoy_admin)
        until(lambda: both.status() == http.HTTPStatus.OK, SECONDS)
        yield both
