"""No spelling of a path reaches a resource through a weaker route: paths are made plain first."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import Tokens
from tests.e2e.raw import RawAnswer, send


def _get(home: str, bearer: Tokens, target: str) -> RawAnswer:
    return send(home, target, b"authorization: Bearer " + bearer.granted.encode())


@pytest.mark.parametrize(
    "target",
    [
        "//admin",
        "/x/../admin",
        "/orders/../admin",
        "/orders/%2e%2e/admin",
        "/orders/..;/admin",
        "/orders/..;a=b/admin",
        "/orders;/../admin",
        "/orders/..\\admin",
        "/orders/%252e%252e/admin",
        "/orders/..%252fadmin",
        "/orders/..%c0%afadmin",
        "/healthz/../admin",
        "/healthz/",
        "/ORDERS",
        "/ordersx",
        "http://127.0.0.1/admin",
    ],
)
def test_disguised_path_is_closed(home: str, bearer: Tokens, target: str) -> None:
    answer = _get(home, bearer, target)

    assert answer.status == 403
    assert answer.reason == "denied"


@pytest.mark.parametrize(
    "target",
    ["/orders/..%2fadmin", "/orders%2f..%2fadmin", "/orders/..%5cadmin", "/orders/..%00/admin", "/a#/../admin"],
)
def test_path_with_escaped_delimiters_is_refused_by_envoy(home: str, bearer: Tokens, target: str) -> None:
    assert _get(home, bearer, target).status == 400


@pytest.mark.parametrize(
    ("target", "served"),
    [
        ("//orders", "/orders"),
        ("/./orders", "/orders"),
        ("/x/../orders", "/orders"),
        ("/orders?a=/../b", "/orders?a=/../b"),
    ],
)
def test_plain_path_in_another_spelling_is_served_as_the_plain_path(
    home: str, bearer: Tokens, target: str, served: str
) -> None:
    answer = _get(home, bearer, target)

    assert answer.status == 200
    assert answer.path == served


@pytest.mark.parametrize("host", ["http://other.example/", "http://127.0.0.1.other.example/"])
def test_host_that_is_not_ours_has_no_route_and_no_login(home: str, bearer: Tokens, host: str) -> None:
    assert _get(home, bearer, f"{host}orders").status == 404

    without = send(home, host)

    assert without.status == 401
    assert "location" not in without.head
