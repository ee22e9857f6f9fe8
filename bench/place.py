"""The folder of a run, with keys, tokens and configurations, and the measured programs started in it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from authz.server.pb import ext_authz_pb2 as pb
from authz.tools.processes.machine import free_port
from bench import traffic
from bench.echo import NOTHING
from bench.inside import answer_to
from bench.peers.build import ONE_THREAD, TOKEN_CACHE_SIZE, Peer, ready
from bench.plan import Plan
from bench.pool import AUDIENCE, CLIENT, ISSUER, PARTNER, POOL
from bench.processes import Program, is_ready, program, until

ROOT = Path(__file__).parents[1]
FALLBACK_ENGINE = "grpc"
"""What `authz serve --engine` calls grpcio's public server. All other rows run the default engine."""

POLICIES: Mapping[str, Any] = {
    "orders-read": {"scopes": {"any_of": ["orders/read", "orders/admin"]}},
    "orders-write": {"scopes": {"all_of": ["orders/write"]}, "groups": {"any_of": ["staff"]}},
}


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A running authz."""

    program: Program
    sockets: tuple[Path, ...]
    admin: int


class Place:
    """Everything that measurements share."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder = folder
        self.plan = plan
        self.key = traffic.new_key()
        self.partner = traffic.Partner()
        self.token = traffic.sign(self.key, traffic.claims())
        self.jwks = self._write("jwks.json", traffic.jwks(self.key))
        self.partner_jwks = self._write("partner-jwks.json", self.partner.jwks())
        self.known = self.frame("known", traffic.check_request(self.token))
        self.refused = self.frame("refused", traffic.check_request(self.token, "orders-write"))

    @cached_property
    def tokens(self) -> list[str]:
        """More different tokens than authz remembers."""
        return traffic.many_tokens(self.key, self.plan.new_tokens)

    @cached_property
    def messages(self) -> list[bytes]:
        """The CheckRequests for them."""
        requests = traffic.Requests(self.token)
        return [requests.of(token) for token in self.tokens]

    def authz(self, **changes: Any) -> dict[str, Any]:
        """`node.metadata.authz`."""
        cognito = {"profile": "cognito", "user_pool_id": POOL, "client_ids": [CLIENT], "jwks_file": str(self.jwks)}
        partner = {
            "profile": "oidc",
            "issuer": PARTNER,
            "audiences": [AUDIENCE],
            "algorithms": ["ES256"],
            "jwks_file": str(self.partner_jwks),
        }
        return {"issuers": {"cognito": cognito, "partner": partner}, "policies": dict(POLICIES), **changes}

    def frame(self, name: str, message: bytes) -> Path:
        """The body that h2load sends for a check."""
        path = self.folder / f"{name}.frame"
        path.write_bytes(traffic.framed(message))
        return path

    @contextlib.contextmanager
    def sidecar(
        self, name: str, authz: Mapping[str, Any] | None = None, *, workers: int = 1, engine: str = ""
    ) -> Iterator[Sidecar]:
        """The sidecar as operators start it, with one worker per socket."""
        node = {"id": "bench", "cluster": "orders-api", "metadata": {"authz": authz or self.authz()}}
        config = self._write(f"{name}.yaml", json.dumps({"node": node}))
        sockets = tuple(self.folder / f"{name}-{number}.sock" for number in range(workers))
        admin = free_port()
        command = [sys.executable, "-m", "authz", "serve", "--envoy-config", str(config)]
        command += ["--engine", engine] if engine else []
        command += ["--admin", f"127.0.0.1:{admin}", "--drain", "1s"]
        command += [f"--listen=unix:{socket}" for socket in sockets]
        with program(name, command, self.folder, sockets) as running:
            until(lambda: is_ready(admin), running)
            yield Sidecar(running, sockets, admin)

    @contextlib.contextmanager
    def baseline(self) -> Iterator[tuple[Program, Path]]:
        """The naive server."""
        socket = self.folder / "baseline.sock"
        command = [sys.executable, "-m", "bench.baseline_aio", f"unix:{socket}", str(self.jwks)]
        with program("baseline", command, self.folder, (socket,)) as running:
            yield running, socket

    @contextlib.contextmanager
    def peer(self, peer: Peer, *, has_cache: bool) -> Iterator[tuple[Program, Path]]:
        """A server in another language, in one of its two modes. Raises NotBuilt."""
        binary = ready(peer, may_build=self.plan.builds_peers)
        name = f"{peer.language}-{'cached' if has_cache else 'verifying'}".lower()
        socket = self.folder / f"{name}.sock"
        socket.unlink(missing_ok=True)  # tokio leaves the socket file behind
        size = TOKEN_CACHE_SIZE if has_cache else 0
        command = [str(binary), str(socket), str(self.peer_settings), str(size)]
        with program(name, command, self.folder, (socket,), ONE_THREAD) as running:
            yield running, socket

    @cached_property
    def peer_settings(self) -> Path:
        """The configuration of every peer: authz's, and the names in its answer, so that answers have equal sizes."""
        answer = pb.CheckResponse.FromString(answer_to(self.authz(), traffic.check_request(self.token)))
        settings = {
            "issuer": ISSUER,
            "issuer_name": "cognito",
            "client_ids": [CLIENT],
            "jwks_file": str(self.jwks),
            "realm": "orders-api",
            "policies": dict(POLICIES),
            "headers_to_remove": list(answer.ok_response.headers_to_remove),
            "metadata": sorted(answer.dynamic_metadata.fields),
        }
        return self.write("peer-settings.json", settings)

    @contextlib.contextmanager
    def echo(self, answer: bytes, step: str = NOTHING, name: str = "echo") -> Iterator[tuple[Program, Path]]:
        """The loop with that much of a check behind it, under the same core settings as a worker."""
        name = f"{name}-{step.partition(':')[0].replace(' ', '-')}"
        socket, path = self.folder / f"{name}.sock", self.folder / f"{name}.bin"
        path.write_bytes(answer)
        authz = self.write(f"{name}.json", self.authz())
        command = [sys.executable, "-m", "bench.echo", f"unix:{socket}", str(path), step, str(authz)]
        with program(name, command, self.folder, (socket,)) as running:
            yield running, socket

    def write(self, name: str, value: Any) -> Path:
        """A configuration file: JSON is YAML, and quick to write."""
        return self._write(name, json.dumps(value))

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path


@contextlib.contextmanager
def place(plan: Plan) -> Iterator[Place]:
    """A place in a folder that goes when the block is left; programs find this repository from there."""
    os.environ["PYTHONPATH"] = str(ROOT)
    with tempfile.TemporaryDirectory(prefix="authz-bench-") as folder:
        yield Place(Path(folder), plan)
