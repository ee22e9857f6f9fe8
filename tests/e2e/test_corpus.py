"""The whole corpus of tokens through real Envoy: the good ones arrive, and no bad one makes anything but a refusal."""

from __future__ import annotations

import http.client
import socket
import time

import pytest

from tests.differential.corpus import bad_tokens, good_tokens
from tests.differential.corpus.minting import OTHER_KEY, claims, header, signed
from tests.e2e.handwritten import Handwritten
from tests.e2e.raw import RawAnswer, send

NOW = int(time.time())
ENVOYS_LIMIT_BYTES = 60 * 1024
"""Envoy's own limit for all request headers together (max_request_headers_kb); past it the sidecar is never asked."""

GOOD = good_tokens(NOW)
BAD = {
    name: token
    for name, token in bad_tokens(NOW).items()
    # White space behind a field value is not part of it (RFC 9110 section 5.5): such a token arrives as a good one.
    if len(token) < 2 * ENVOYS_LIMIT_BYTES and token == token.rstrip()
}


def _ask(envoy: Handwritten, token: str) -> RawAnswer:
    return send(envoy.home, "/corpus", b"accept: application/json", b"authorization: Bearer " + token.encode())


def test_every_good_token_arrives(handwritten: Handwritten) -> None:
    assert {name: _ask(handwritten, token).status for name, token in GOOD.items()} == dict.fromkeys(GOOD, 200)


def test_every_bad_token_is_refused_and_none_makes_an_error(handwritten: Handwritten) -> None:
    seen = {name: _ask(handwritten, token).status for name, token in BAD.items()}

    assert {name: status for name, status in seen.items() if status not in {400, 401, 431}} == {}
    assert {name for name, status in seen.items() if status == 431} <= {
        name for name, token in BAD.items() if len(token) > ENVOYS_LIMIT_BYTES / 2
    }


@pytest.mark.parametrize("name", ["jku", "x5u"])
def test_address_in_a_token_is_never_asked(handwritten: Handwritten, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.3)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/keys"
        for kid in ("own", header()["kid"]):
            token = signed(header(kid=kid, **{name: address}), claims(NOW), key=OTHER_KEY)
            assert _ask(handwritten, token).status == 401

        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize("path", ["/corpus", "/public", "/any"])
def test_health_checkers_user_agent_opens_nothing(handwritten: Handwritten, path: str) -> None:
    answers = {
        agent: send(handwritten.home, path, b"user-agent: " + agent).status
        for agent in (b"Envoy/HC", b"kube-probe/1.30", b"GoogleHC/1.0", b"ELB-HealthChecker/2.0")
    }

    assert set(answers.values()) == {200 if path == "/public" else 401}


def test_headers_past_envoys_limit_are_refused_before_anybody_is_asked(handwritten: Handwritten) -> None:
    try:
        status = send(handwritten.home, "/corpus", b"x-filler: " + b"a" * 70_000).status
    except (ConnectionError, http.client.HTTPException):
        status = 431  # Envoy closed the connection while the header was still on its way

    assert status == 431
