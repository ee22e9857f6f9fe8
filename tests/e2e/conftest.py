"""One running stack for the whole session: the demo's parts, real Envoy, the real sidecar, the Cognito emulator."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from authz.tools.demo.login import hosted_token, initiate_auth, tokens
from authz.tools.demo.stack import Stack, running
from tests.e2e.handwritten import Handwritten, handwritten_envoy


@dataclass(frozen=True, slots=True)
class Tokens:
    """Real tokens of the emulator, by their distinguishing property."""

    reading: str
    """Hosted login of a member of staff, scope orders/read."""
    writing: str
    """The same person, scopes orders/read and orders/write."""
    without_scope: str
    """User pools API, of someone in no group."""
    granted: str
    """User pools API, of someone in order-readers."""
    identity: str
    """An ID token of the same person."""

    @property
    def tampered(self) -> str:
        """A token whose claims were changed after it was signed."""
        header, payload, signature = self.granted.split(".")
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
        claims["username"] = "root"
        changed = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
        return f"{header}.{changed}.{signature}"


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def home(stack: Stack) -> str:
    return stack.place.home


@pytest.fixture(scope="session")
def bearer(stack: Stack) -> Tokens:
    place, pool = stack.place, stack.pool
    callback = f"{place.home}/oauth2/callback"
    granted, identity = tokens(initiate_auth(place.cognito, pool.api_client_id, pool.reader))
    return Tokens(
        reading=hosted_token(place.cognito, pool, callback, pool.staff, "openid orders/read"),
        writing=hosted_token(place.cognito, pool, callback, pool.staff, "openid orders/read orders/write"),
        without_scope=tokens(initiate_auth(place.cognito, pool.api_client_id, pool.newcomer))[0],
        granted=granted,
        identity=identity,
    )


@pytest.fixture(scope="session")
def handwritten(stack: Stack) -> Iterator[Handwritten]:
    with handwritten_envoy(stack) as started:
        yield started


@pytest.fixture
def nonce() -> str:
    return secrets.token_hex(8)
