"""The response to a client: status, challenge and body, through real Envoy."""

from __future__ import annotations

import pytest

from authz.core.reasons import USER_POOLS_API_TEXT
from authz.tools.demo.client import Exchange, HttpClient
from tests.e2e.conftest import Tokens


def _ask(home: str, token: str = "", method: str = "GET", path: str = "/orders", **headers: str) -> Exchange:
    sent = {"accept": "application/json", **headers} | ({"authorization": f"Bearer {token}"} if token else {})
    return HttpClient().ask(method, f"{home}{path}", sent)


def test_request_without_token_gets_401_with_a_bare_challenge(home: str) -> None:
    answer = _ask(home)

    assert answer.status == 401
    assert answer.challenge == 'Bearer realm="orders-api"'
    assert answer.json()["reason"] == "token_missing"


def test_refusal_names_its_request_and_must_not_be_cached(home: str) -> None:
    answer = _ask(home)

    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers.get_content_type() == "application/json"


def test_token_with_the_scope_is_forwarded(home: str, bearer: Tokens) -> None:
    answer = _ask(home, bearer.reading)

    assert answer.status == 200
    assert answer.json()["path"] == "/orders"


def test_token_without_the_scope_gets_403_and_is_told_which(home: str, bearer: Tokens) -> None:
    answer = _ask(home, bearer.reading, "POST")

    assert answer.status == 403
    assert 'error="insufficient_scope"' in answer.challenge
    assert 'scope="orders/write"' in answer.challenge
    assert answer.json()["reason"] == "scope_insufficient"


def test_staff_with_the_write_scope_may_write(home: str, bearer: Tokens) -> None:
    assert _ask(home, bearer.writing, "POST").status == 200


def test_api_token_without_a_grant_is_refused_with_the_missing_scope(home: str, bearer: Tokens) -> None:
    answer = _ask(home, bearer.without_scope)

    assert answer.status == 403
    assert answer.json()["error_description"] == USER_POOLS_API_TEXT
    assert USER_POOLS_API_TEXT in answer.challenge


def test_api_token_of_a_group_with_a_grant_is_forwarded(home: str, bearer: Tokens) -> None:
    assert _ask(home, bearer.granted).status == 200


def test_id_token_is_refused_where_an_access_token_is_needed(home: str, bearer: Tokens) -> None:
    answer = _ask(home, bearer.identity)

    assert answer.status == 401
    assert 'error="invalid_token"' in answer.challenge
    assert answer.json()["reason"] == "token_use_mismatch"


def test_token_with_changed_claims_is_refused(home: str, bearer: Tokens) -> None:
    answer = _ask(home, bearer.tampered)

    assert answer.status == 401
    assert answer.json()["reason"] == "signature_invalid"


@pytest.mark.parametrize("token", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."], ids=["word", "three words", "alg none"])
def test_what_is_no_token_is_refused_as_malformed(home: str, token: str) -> None:
    answer = _ask(home, token)

    assert answer.status == 401
    assert answer.json()["reason"] == "token_malformed"


def test_nothing_that_the_client_sent_is_echoed(home: str) -> None:
    answer = _ask(home, "marker-4711", path="/orders/marker-4712?q=marker-4713")

    assert answer.status == 401
    assert b"marker" not in answer.body
    assert "marker" not in str(answer.headers)


def test_path_that_no_route_names_is_closed_to_everybody(home: str, bearer: Tokens) -> None:
    answer = _ask(home, bearer.writing, path="/admin")

    assert answer.status == 403
    assert answer.json()["reason"] == "denied"


@pytest.mark.parametrize(("with_token", "code"), [(False, "16"), (True, "7")], ids=["no token", "no scope"])
def test_grpc_client_gets_a_grpc_status_and_a_plain_message(
    home: str, bearer: Tokens, *, with_token: bool, code: str
) -> None:
    token = bearer.without_scope if with_token else ""

    answer = _ask(home, token, "POST", "/orders", **{"content-type": "application/grpc", "te": "trailers"})

    assert answer.status == 200
    assert answer.headers["grpc-status"] == code
    assert "{" not in answer.headers["grpc-message"]
    assert answer.headers["grpc-message"]
