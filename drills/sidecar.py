"""A real `authz serve` for the drills: two workers, a key server of ours, a revocation list, and a gRPC client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import grpc
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from authz.server.methods import CHECK_METHOD
from authz.server.pb import ext_authz_pb2 as pb
from tests.fakes.checks import AUDIENCE, PARTNER, check_request
from tests.fakes.keys import ec_key, jwk, jwks, sign
from tests.fakes.keyserver import KeyServer

WORKERS = 2
REFRESH_SECONDS = 5
READY_SECONDS = 20.0
LONGEST_SECONDS = 60.0
"""The timeout of every step, in seconds."""


def published(*kids: str) -> bytes:
    """A JWKS with these keys; every kid has a key of its own."""
    return jwks(*(jwk(_key(kid), kid) for kid in kids))


def token(kid: str, subject: str = "somebody") -> str:
    """A good token signed with the key of that kid."""
    now = int(time.time())
    claims = {"iss": PARTNER, "aud": AUDIENCE, "sub": subject, "iat": now - 60, "exp": now + 3600, "jti": subject}
    return sign(_key(kid), claims, kid=kid)


def _key(kid: str) -> EllipticCurvePrivateKey:
    return ec_key(crc32(kid.encode()))


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The resources of a drill."""

    keys: KeyServer
    revocations: Path
    channels: tuple[grpc.Channel, ...]

    def ask(self, bearer: str, worker: int = 0) -> Any:
        """One check, as a future of its answer."""
        check = self.channels[worker].unary_unary(CHECK_METHOD, None, pb.CheckResponse.FromString)
        return check.future(check_request(bearer), timeout=LONGEST_SECONDS)

    def status(self, bearer: str, worker: int = 0) -> int:
        """The HTTP status that Envoy would send: 200 if the request is forwarded."""
        answer = self.ask(bearer, worker).result()
        return 200 if answer.HasField("ok_response") else int(answer.denied_response.status.code)

    def seconds_until(self, status: int, bearer: str) -> float:
        """Seconds until every worker returns this status for the token."""
        began = time.monotonic()
        for worker in range(WORKERS):
            while self.status(bearer, worker) != status:
                if time.monotonic() - began > LONGEST_SECONDS:
                    raise TimeoutError(f"not {status} within {LONGEST_SECONDS} s")
                time.sleep(0.01)
        return time.monotonic() - began

    def revoke(self, *entries: dict[str, object]) -> None:
        """Replace the revocation list as an operator should: the whole file at once."""
        new = self.revocations.with_suffix(".new")
        new.write_text(json.dumps({"revoked": entries}), encoding="utf-8")
        new.replace(self.revocations)


@contextmanager
def running() -> Iterator[Sidecar]:
    """Start everything; end everything with the block."""
    with tempfile.TemporaryDirectory(prefix="authz-drills-") as name, KeyServer(published("a")) as keys:
        place = Path(name)
        listen = [f"unix:{place}/{worker}.sock" for worker in range(WORKERS)]
        revocations = place / "revocations.json"
        revocations.write_text('{"revoked": []}', encoding="utf-8")
        issuer = {
            "profile": "oidc",
            "issuer": PARTNER,
            "audiences": [AUDIENCE],
            "jwks_uri": keys.url,
            "refresh": f"{REFRESH_SECONDS}s",
        }
        authz = {"issuers": {"partner": issuer}, "revocations_file": str(revocations)}
        config = place / "envoy.yaml"
        config.write_text(
            json.dumps({"node": {"id": "d", "cluster": "d", "metadata": {"authz": authz}}}), encoding="utf-8"
        )
        command = [sys.executable, "-m", "authz", "serve", "--envoy-config", str(config), "--admin", "off"]
        command += ["--log-level", "error", *(word for address in listen for word in ("--listen", address))]
        log = place / "log"
        with log.open("wb") as stderr:
            process = subprocess.Popen(command, env=os.environ | {"AUTHZ_DRAIN": "1s"}, stderr=stderr)
        try:
            sidecar = Sidecar(keys, revocations, tuple(grpc.insecure_channel(address) for address in listen))
            for channel in sidecar.channels:
                grpc.channel_ready_future(channel).result(READY_SECONDS)
            sidecar.seconds_until(200, token("a"))
            yield sidecar
        except Exception:
            sys.stderr.write(log.read_text("utf-8"))  # otherwise only the failures that the drills want
            raise
        finally:
            process.terminate()
            process.wait(READY_SECONDS)
