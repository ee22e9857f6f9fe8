"""A sidecar with an admin address, and requests of every kind that the dashboard shows, for a minute."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from authz.server.methods import CHECK_METHOD
from authz.tools.processes.machine import LOOPBACK, free_port
from drills.sidecar import LONGEST_SECONDS, READY_SECONDS, WORKERS, published, token
from tests.fakes.checks import AUDIENCE, CLIENT, COGNITO, PARTNER, POOL, check_request
from tests.fakes.keys import jwk, jwks, rsa_key, sign
from tests.fakes.keyserver import KeyServer, Mode

SECONDS = 60.0
_SUBJECT = "somebody"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The running parts."""

    admin: str
    """HOST:PORT of the metrics."""
    config: Path
    revocations: Path
    keys: KeyServer
    sockets: tuple[str, ...]


@contextmanager
def running(place: Path) -> Iterator[Loaded]:
    """Start the sidecar, its key server and its userinfo endpoint; end them with the block."""
    userinfo = json.dumps({"sub": _SUBJECT}).encode()
    with KeyServer(published("a")) as keys, KeyServer(jwks(jwk(rsa_key(), "c"))) as pool, KeyServer(userinfo) as info:
        sockets = tuple(f"{place}/{worker}.sock" for worker in range(WORKERS))
        revocations, config = place / "revocations.json", place / "envoy.yaml"
        revocations.write_text('{"revoked": []}', encoding="utf-8")
        authz = _authz(keys.url, pool.url, info.url, revocations)
        config.write_text(json.dumps({"node": {"id": "d", "cluster": "d", "metadata": {"authz": authz}}}), "utf-8")
        admin = f"{LOOPBACK}:{free_port()}"
        command = [sys.executable, "-m", "authz", "serve", "--envoy-config", str(config), "--admin", admin]
        command += [word for name in sockets for word in ("--listen", f"unix:{name}")]
        with (place / "log").open("wb") as stderr:
            process = subprocess.Popen(command, env=os.environ | {"AUTHZ_DRAIN": "1s"}, stderr=stderr, stdout=stderr)
        try:
            for channel in _channels(sockets):
                grpc.channel_ready_future(channel).result(READY_SECONDS)
            yield Loaded(admin, config, revocations, keys, sockets)
        except Exception:
            sys.stderr.write((place / "log").read_text("utf-8")[-4000:])
            raise
        finally:
            process.terminate()
            process.wait(READY_SECONDS)


def send(loaded: Loaded, seconds: float = SECONDS) -> None:
    """All kinds of requests; in the middle third the key endpoint fails, and a configuration is refused."""
    checks = [c.unary_unary(CHECK_METHOD, None, lambda answer: answer) for c in _channels(loaded.sockets)]
    known = token("a", _SUBJECT)
    good = loaded.config.read_text("utf-8")
    began, rounds, is_broken, was_broken = time.monotonic(), 0, False, False
    while (passed := time.monotonic() - began) < seconds:
        if not was_broken and passed > seconds / 3:
            is_broken = was_broken = True
            loaded.keys.mode = Mode.ERROR_500
            loaded.config.write_text("node: [", "utf-8")
        elif is_broken and passed > seconds / 2:
            is_broken = False
            loaded.keys.mode = Mode.SERVE
            loaded.config.write_text(good, "utf-8")
        for question in _questions(rounds, known):
            calls = [check.future(question, timeout=LONGEST_SECONDS) for check in checks]
            for call in calls:
                call.result()
        if rounds % 40 == 0:
            _revoke(loaded.revocations, rounds)
            _break_http2(loaded.sockets[0])
        rounds += 1
        time.sleep(0.02)


def _questions(rounds: int, known: str) -> Iterator[bytes]:
    """One round of requests."""
    for _ in range(6):
        yield check_request(known, "reading")
        yield check_request(None, "public")
    yield check_request(token("a", secrets.token_hex(4)), "reading")
    yield check_request(None, "reading")
    yield check_request(_pool_token(), "reading")
    yield check_request(known, "member")
    if rounds % 10 == 0:
        yield check_request(token(secrets.token_hex(4)), "reading")
        yield check_request(token("a"), "no-such-policy")


def _authz(keys: str, pool: str, userinfo: str, revocations: Path) -> dict[str, Any]:
    partner: dict[str, Any] = {
        "profile": "oidc",
        "issuer": PARTNER,
        "audiences": [AUDIENCE],
        "jwks_uri": keys,
        "refresh": "5s",
    }
    partner |= {
        "userinfo_uri": userinfo,
        "grants": [{"when": {"claims": {"sub": _SUBJECT}}, "scopes": ["orders/read"]}],
    }
    cognito = {"profile": "cognito", "user_pool_id": POOL, "client_ids": [CLIENT], "jwks_uri": pool, "refresh": "5s"}
    return {
        "issuers": {"partner": partner, "cognito": cognito},
        "policies": {
            "reading": {"scopes": {"any_of": ["orders/read"]}, "candidate": "reading-next"},
            "reading-next": {"scopes": {"any_of": ["orders/read"]}, "groups": ["staff"]},
            "member": {"issuers": ["partner"], "userinfo": True},
        },
        "revocations_file": str(revocations),
    }


def _pool_token() -> str:
    """A token of the user pools API: signed by the pool, without a scope of the application."""
    now = int(time.time())
    claims = {"iss": COGNITO, "client_id": CLIENT, "token_use": "access", "sub": "carol", "username": "carol"}
    claims |= {"scope": "aws.cognito.signin.user.admin", "jti": secrets.token_hex(4)}
    return sign(rsa_key(), claims | {"iat": now - 60, "auth_time": now - 60, "exp": now + 3600}, kid="c", typ=None)


def _revoke(file: Path, number: int) -> None:
    new = file.with_suffix(".new")
    new.write_text(json.dumps({"revoked": [{"jti": f"gone-{each}"} for each in range(number // 40)]}), "utf-8")
    new.replace(file)


def _break_http2(name: str) -> None:
    """Send HTTP/1.1 to the HTTP/2 socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(name)
        connection.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n" * 4)


def _channels(sockets: tuple[str, ...]) -> list[grpc.Channel]:
    return [grpc.insecure_channel(f"unix:{name}") for name in sockets]
