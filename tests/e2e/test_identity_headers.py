"""The verified facts about the caller that the service receives, and forged ones that it must not."""

from __future__ import annotations

from typing import Any

import pytest

from authz.tools.demo.client import HttpClient
from authz.tools.demo.stack import Stack
from tests.e2e.conftest import Tokens
from tests.e2e.handwritten import Handwritten
from tests.e2e.raw import send

_FORGED = {"x-auth-subject": "root", "x-auth-username": "root", "x-auth-scopes": "orders/admin"}


def _received(url: str, token: str = "", **headers: str) -> dict[str, Any]:
    authorization = {"authorization": f"Bearer {token}"} if token else {}
    answer = HttpClient().ask("GET", url, {"accept": "application/json", **authorization, **headers})
    assert answer.status == 200
    return answer.json()


def test_service_receives_the_verified_identity(stack: Stack, bearer: Tokens) -> None:
    identity = _received(f"{stack.place.home}/orders", bearer.granted)["identity"]

    assert identity["x-auth-username"] == stack.pool.reader.name
    assert identity["x-auth-issuer"] == "cognito"
    assert "orders/read" in identity["x-auth-scopes"].split(" ")
    assert len(identity["x-auth-subject"]) == 36


def test_forged_identity_headers_are_replaced_where_a_token_is_good(stack: Stack, bearer: Tokens) -> None:
    identity = _received(f"{stack.place.home}/orders", bearer.granted, **_FORGED)["identity"]

    assert identity["x-auth-username"] == stack.pool.reader.name
    assert not set(_FORGED.values()) & set(identity.values())


def test_forged_identity_headers_are_removed_on_a_public_route(home: str) -> None:
    assert _received(f"{home}/healthz", **_FORGED)["identity"] == {}


def test_made_up_identity_header_that_authz_does_not_know_is_removed_by_envoy(home: str, bearer: Tokens) -> None:
    identity = _received(f"{home}/orders", bearer.granted, **{"x-auth-role": "admin"})["identity"]

    assert "x-auth-role" not in identity


def test_sidecar_alone_replaces_forged_headers(handwritten: Handwritten, bearer: Tokens) -> None:
    identity = _received(f"{handwritten.home}/orders", bearer.granted, **_FORGED)["identity"]

    assert not set(_FORGED.values()) & set(identity.values())


@pytest.mark.parametrize("path", ["/public", "/optional"])
def test_sidecar_alone_removes_forged_headers_without_a_token(handwritten: Handwritten, path: str) -> None:
    assert _received(f"{handwritten.home}{path}", **_FORGED)["identity"] == {}


def test_identity_header_sent_twice_is_replaced_as_a_whole(handwritten: Handwritten, bearer: Tokens) -> None:
    answer = send(
        handwritten.home,
        "/orders",
        b"accept: application/json",
        b"authorization: Bearer " + bearer.granted.encode(),
        b"x-auth-username: root",
        b"X-Auth-Username: admin",
    )

    assert answer.status == 200
    assert b"root" not in answer.body
    assert b"admin" not in answer.body.replace(b"signin.user.admin", b"")


def test_header_with_an_underscore_is_refused_by_envoy(home: str, bearer: Tokens) -> None:
    answer = send(home, "/orders", b"authorization: Bearer " + bearer.granted.encode(), b"x_auth_subject: root")

    assert answer.status == 400


def test_spoofed_path_and_method_headers_change_nothing(home: str, bearer: Tokens) -> None:
    spoofed = {"x-original-path": "/healthz", "x-forwarded-uri": "/healthz", "x-http-method-override": "GET"}
    headers = {"authorization": f"Bearer {bearer.reading}", **spoofed}

    answer = HttpClient().ask("POST", f"{home}/orders", headers)

    assert answer.status == 403
    assert answer.json()["reason"] == "scope_insufficient"
