"""The sidecar beside an Envoy that was configured by hand, with `context_extensions` as the documentation shows."""

from __future__ import annotations

import time

import pytest

from authz.tools.demo.client import Exchange, HttpClient
from tests.e2e.conftest import Tokens
from tests.e2e.handwritten import Handwritten
from tests.fakes.log_lines import logged


def _ask(handwritten: Handwritten, path: str, token: str = "") -> Exchange:
    authorization = {"authorization": f"Bearer {token}"} if token else {}
    return HttpClient().ask("GET", f"{handwritten.home}{path}", {"accept": "application/json", **authorization})


def test_named_policy_is_judged(handwritten: Handwritten, bearer: Tokens) -> None:
    assert _ask(handwritten, "/orders", bearer.granted).status == 200
    assert _ask(handwritten, "/orders/17", bearer.granted).status == 200
    assert _ask(handwritten, "/orders", bearer.without_scope).status == 403
    assert _ask(handwritten, "/orders").status == 401


def test_route_without_a_policy_of_its_own_inherits_deny(handwritten: Handwritten, bearer: Tokens) -> None:
    answer = _ask(handwritten, "/elsewhere", bearer.writing)

    assert answer.status == 403
    assert answer.json()["reason"] == "denied"


def test_public_route_looks_at_no_token(handwritten: Handwritten) -> None:
    assert _ask(handwritten, "/public").status == 200
    assert _ask(handwritten, "/public", "not-a-token").status == 200


def test_authenticated_route_takes_any_good_token(handwritten: Handwritten, bearer: Tokens) -> None:
    assert _ask(handwritten, "/any", bearer.without_scope).status == 200
    assert _ask(handwritten, "/any", bearer.tampered).status == 401
    assert _ask(handwritten, "/any").status == 401


def test_optional_route_is_open_without_a_token_and_strict_with_one(handwritten: Handwritten, bearer: Tokens) -> None:
    anonymous = _ask(handwritten, "/optional")
    known = _ask(handwritten, "/optional", bearer.without_scope)
    forged = _ask(handwritten, "/optional", bearer.tampered)

    assert anonymous.status == 200
    assert anonymous.json()["identity"] == {}
    assert known.json()["identity"]["x-auth-username"] == "bob"
    assert forged.status == 401


def test_policy_written_in_place_is_judged(handwritten: Handwritten, bearer: Tokens) -> None:
    assert _ask(handwritten, "/write", bearer.writing).status == 200
    refused = _ask(handwritten, "/write", bearer.reading)

    assert refused.status == 403
    assert 'scope="orders/write"' in refused.challenge


def test_group_condition_that_is_not_met_is_403(handwritten: Handwritten, bearer: Tokens) -> None:
    answer = _ask(handwritten, "/write", bearer.granted)

    assert answer.status == 403
    assert answer.json()["reason"] == "claim_mismatch"


def test_policy_for_id_tokens_takes_them_and_no_others(handwritten: Handwritten, bearer: Tokens) -> None:
    assert _ask(handwritten, "/identity", bearer.identity).status == 200
    assert _ask(handwritten, "/identity", bearer.granted).status == 401


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/unknown", "policy_invalid"),
        ("/mistyped", "policy_invalid"),
        ("/empty", "policy_missing"),
        ("/misnamed", "denied"),
    ],
)
def test_operator_error_closes_the_route(handwritten: Handwritten, bearer: Tokens, path: str, reason: str) -> None:
    answer = _ask(handwritten, path, bearer.writing)

    assert answer.status == (403 if reason == "denied" else 500)
    assert answer.json()["reason"] == reason


def test_refusal_log_line_names_the_request_and_holds_no_token(handwritten: Handwritten, bearer: Tokens) -> None:
    answer = _ask(handwritten, "/orders", bearer.without_scope)

    line = _log_line(handwritten, answer.json()["request_id"])

    assert line["reason"] == "scope_insufficient"
    assert line["policy"] == "orders-read"
    assert line["issuer"] == "cognito"
    assert bearer.without_scope not in handwritten.sidecar.log.read_text()
    assert bearer.without_scope.rpartition(".")[2] not in handwritten.sidecar.log.read_text()


def _log_line(handwritten: Handwritten, request_id: str) -> dict[str, object]:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        for line in logged(handwritten.sidecar.log):
            if line.get("request_id") == request_id:
                return dict(line)
        time.sleep(0.05)
    raise AssertionError(f"no log line for request {request_id}")
