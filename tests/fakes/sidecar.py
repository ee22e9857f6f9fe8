"""The whole sidecar as processes: a configuration of its own, `authz serve` on it, and what Envoy and an operator ask.

Keys come from a file beside the configuration, so nothing is fetched.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from authz.server.methods import CHECK_METHOD, HEALTH_METHOD
from authz.server.pb import ext_authz_pb2 as pb
from authz.server.pb import health_pb2
from authz.tools.processes.children import Child, Children, child_environment
from authz.tools.processes.machine import LOOPBACK, free_port
from tests.fakes.checks import CLIENT, COGNITO_KEY, COGNITO_KID, POOL, access_token, check_request
from tests.fakes.keys import jwk, jwks
from tests.fakes.log_lines import logged
from tests.fakes.waiting import until

SECONDS = 60.0
"""The bound of every wait: a busy machine needs some of it to start three processes."""

_EXT_AUTHZ = "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz"
_ROUTE = "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute"


def fresh_token(**changes: Any) -> str:
    """An access token of the pool that is good now."""
    now = int(time.time())
    return access_token(**({"iat": now - 60, "auth_time": now - 60, "exp": now + 3600} | changes))


def bootstrap(directory: Path, workers: int = 2, *, policies: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An Envoy bootstrap, as far as the sidecar reads it, with sockets and keys in the directory."""
    cognito = {
        "profile": "cognito",
        "user_pool_id": POOL,
        "client_ids": [CLIENT],
        "jwks_file": f"{directory}/jwks.json",
    }
    named = {"reading": {"scopes": ["orders/read"]}} if policies is None else policies
    endpoints = [
        {"endpoint": {"address": {"pipe": {"path": f"{directory}/authz-{number}.sock"}}}} for number in range(workers)
    ]
    written = {
        "@type": _ROUTE,
        "check_settings": {"context_extensions": {"policy": "{scopes: [orders/x], name: extra}"}},
    }
    return {
        "node": {
            "id": "orders",
            "cluster": "orders-api",
            "metadata": {"authz": {"issuers": {"cognito": cognito}, "policies": dict(named)}},
        },
        "static_resources": {
            "listeners": [
                {"filter": {"@type": _EXT_AUTHZ, "grpc_service": {"envoy_grpc": {"cluster_name": "authz"}}}},
                {"route": written},
            ],
            "clusters": [
                {
                    "name": "authz",
                    "load_assignment": {"cluster_name": "authz", "endpoints": [{"lb_endpoints": endpoints}]},
                }
            ],
        },
    }


def write_keys(directory: Path) -> None:
    """The key set that the configuration's issuer names."""
    (directory / "jwks.json").write_bytes(jwks(jwk(COGNITO_KEY, COGNITO_KID)))


@dataclass(frozen=True, slots=True)
class Page:
    """An answer of the admin port."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A running `authz serve`."""

    directory: Path
    child: Child
    admin: str
    addresses: tuple[str, ...]
    channels: dict[str, grpc.Channel] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.directory / "envoy.yaml"

    def check(self, token: str | None, policy: str = "reading", worker: int = 0) -> str:
        """The reason that one worker answers with."""
        answer = pb.CheckResponse.FromString(self.call(CHECK_METHOD, check_request(token, policy), worker))
        return str(answer.dynamic_metadata.fields["reason"].string_value)

    def health(self, worker: int = 0, service: str = "") -> str:
        """SERVING, NOT_SERVING, or the gRPC status if there is no answer."""
        request = health_pb2.HealthCheckRequest(service=service).SerializeToString()
        try:
            answer = health_pb2.HealthCheckResponse.FromString(self.call(HEALTH_METHOD, request, worker))
        except grpc.RpcError as error:
            return str(error.code().name)
        return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)

    def call(self, method: str, message: bytes, worker: int = 0) -> bytes:
        """One gRPC call on a connection of its own."""
        options = (("grpc.use_local_subchannel_pool", 1),)
        with grpc.insecure_channel(self.addresses[worker], options) as channel:
            answer: bytes = channel.unary_unary(method, None, None)(message, timeout=SECONDS)
            return answer

    def page(self, path: str, method: str = "GET") -> Page:
        """A page of the admin port."""
        connection = http.client.HTTPConnection(self.admin, timeout=SECONDS)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return Page(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def metrics(self) -> dict[str, float]:
        """Every sample of /metrics, by its name and labels as written."""
        lines = self.page("/metrics").body.decode().splitlines()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}

    def workers(self) -> list[int]:
        """Process ids of the workers, in the order of their start."""
        pid = self.child.process.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """Log lines, each of which must be a JSON object."""
        return [event for event in logged(self.child.log) if not name or event["event"] == name]

    def first(self, name: str, wanted: int = 1) -> dict[str, Any]:
        """The first event of this name, once `wanted` of them are there: a thread writes the log in its own time."""
        until(lambda: len(self.events(name)) >= wanted, SECONDS)
        return self.events(name)[0]

    def write(self, configuration: object) -> None:
        """Replace the configuration, or its bytes, in one step, as editors and deployments do."""
        new = self.directory / "envoy.yaml.new"
        new.write_bytes(configuration if isinstance(configuration, bytes) else json.dumps(configuration).encode())
        new.replace(self.file)

    def is_ready(self) -> bool:
        """Whether /readyz says so."""
        try:
            return self.page("/readyz").status == http.HTTPStatus.OK
        except OSError:
            return False

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end. Returns the exit code."""
        os.kill(self.child.process.pid, number)
        return self.child.process.wait(SECONDS)


@contextmanager
def sidecar(workers: int = 2, *arguments: str, configuration: object = None, **environment: str) -> Iterator[Sidecar]:
    """Start `authz serve` and wait until every worker can verify tokens."""
    with tempfile.TemporaryDirectory(prefix="authz-", dir="/tmp") as name, Children(Path(name)) as children:
        directory = Path(name)
        write_keys(directory)
        text = json.dumps(configuration or bootstrap(directory, workers))
        (directory / "envoy.yaml").write_text(text, encoding="utf-8")
        admin = f"{LOOPBACK}:{free_port()}"
        child = children.start(
            "authz", command(directory, "--admin", admin, *arguments), sidecar_environment(**environment)
        )
        addresses = tuple(f"unix:{directory}/authz-{number}.sock" for number in range(workers))
        served = Sidecar(directory, child, admin, addresses)
        until(lambda: child.process.poll() is not None or served.is_ready(), SECONDS)
        child.check()
        yield served


def command(directory: Path, *arguments: str) -> list[str]:
    """`authz serve` on the directory's configuration."""
    return [sys.executable, "-m", "authz", "serve", "--envoy-config", str(directory / "envoy.yaml"), *arguments]


def sidecar_environment(**settings: str) -> dict[str, str]:
    """The environment of a sidecar: this process's, without settings that would change it."""
    return child_environment(PYTHONPATH=str(Path(__file__).parents[2]), **settings)
