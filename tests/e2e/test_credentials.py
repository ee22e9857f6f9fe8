"""The accepted place of a token, and the ignored places (RFC 6750 section 2.1 only)."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Tokens
from tests.e2e.raw import send


def _line(scheme: str, token: str) -> bytes:
    return f"authorization: {scheme}{token}".encode()


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "bEaReR "])
def test_scheme_is_compared_without_case(home: str, bearer: Tokens, scheme: str) -> None:
    assert send(home, "/orders", _line(scheme, bearer.granted)).status == 200


@pytest.mark.parametrize("second", ["Bearer x", "Basic eDp5", "Bearer "], ids=["bearer", "basic", "empty"])
def test_two_authorization_headers_are_refused(home: str, bearer: Tokens, second: str) -> None:
    good = _line("Bearer ", bearer.granted)

    answer = send(home, "/orders", good, f"authorization: {second}".encode())

    assert answer.status in {400, 401}
    assert answer.reason in {"request_malformed", "token_missing"}


def test_the_same_token_twice_is_refused(home: str, bearer: Tokens) -> None:
    good = _line("Bearer ", bearer.granted)

    answer = send(home, "/orders", good, good)

    assert answer.status == 400
    assert answer.reason == "request_malformed"
    assert 'error="invalid_request"' in answer.head


@pytest.mark.parametrize("credential", ["Basic eDp5", "Bearer", "Digest x"])
def test_other_schemes_are_no_token(home: str, credential: str) -> None:
    answer = send(home, "/orders", f"authorization: {credential}".encode())

    assert answer.status in {400, 401}
    assert answer.path == ""


@pytest.mark.parametrize("name", ["access_token", "token"])
def test_token_in_the_query_is_not_read(home: str, bearer: Tokens, name: str) -> None:
    answer = send(home, f"/orders?{name}={bearer.granted}")

    assert answer.status == 401
    assert answer.reason == "token_missing"


@pytest.mark.parametrize("name", ["access_token", "BearerToken", "__Host-session"])
def test_token_in_a_cookie_is_not_read(home: str, bearer: Tokens, name: str) -> None:
    answer = send(home, "/orders", f"cookie: {name}={bearer.granted}".encode())

    assert answer.status == 401
    assert answer.reason == "token_missing"


def test_bytes_that_are_not_utf8_in_another_header_do_not_matter(home: str, bearer: Tokens) -> None:
    good = _line("Bearer ", bearer.granted)

    assert send(home, "/orders", good, b"x-other: \xff\xfe", b"content-type: \xff").status == 200


def test_bytes_that_are_not_utf8_in_the_credential_are_refused(home: str) -> None:
    answer = send(home, "/orders", b"authorization: Bearer \xff\xfe")

    assert answer.status in {400, 401}
    assert answer.reason in {"request_malformed", "token_malformed"}


def test_token_larger_than_any_real_one_is_refused(home: str) -> None:
    answer = send(home, "/orders", b"authorization: Bearer " + b"a." * 25_000)

    assert answer.status in {400, 401}
    assert answer.reason in {"request_malformed", "token_malformed"}
