"""Tokens that are good in every way and no longer honoured: by the list, and by the issuer that is asked."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from authz.tools.demo.client import Exchange, HttpClient
from authz.tools.demo.login import hosted_token, initiate_auth, tokens
from authz.tools.demo.provision import REGION
from authz.tools.demo.stack import Stack
from tests.e2e.conftest import Tokens
from tests.e2e.handwritten import Handwritten
from tests.fakes.log_lines import logged
from tests.fakes.waiting import until

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

WORKERS = 2
ENOUGH_FOR_EVERY_WORKER = 8
"""Requests in a row that all get one answer: Envoy takes the two workers in turn."""


@pytest.fixture
def cognito(stack: Stack) -> CognitoIdentityProviderClient:
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)
    return session.client("cognito-idp", endpoint_url=stack.place.cognito)


@pytest.fixture
def listed(handwritten: Handwritten) -> Iterator[Any]:
    """Puts entries on the list, as a whole new file; in the end it is empty again."""

    def put(*entries: dict[str, Any]) -> None:
        new = handwritten.revocations.with_suffix(".new")
        new.write_text(json.dumps({"revoked": entries}), encoding="utf-8")
        new.replace(handwritten.revocations)

    yield put
    before = _read_as_empty(handwritten)
    put()
    until(lambda: _read_as_empty(handwritten) == before + WORKERS, 10)


def _read_as_empty(handwritten: Handwritten) -> int:
    """How often a worker has read an empty list."""
    lines = logged(handwritten.sidecar.log)
    return sum(line["event"] == "revocations_loaded" and line["entries"] == 0 for line in lines)


def _ask(handwritten: Handwritten, path: str, token: str) -> Exchange:
    headers = {"accept": "application/json", "authorization": f"Bearer {token}"}
    return HttpClient().ask("GET", f"{handwritten.home}{path}", headers)


def _all(handwritten: Handwritten, path: str, token: str) -> set[int]:
    return {_ask(handwritten, path, token).status for _request in range(ENOUGH_FOR_EVERY_WORKER)}


def _claims(token: str) -> dict[str, Any]:
    return dict(json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "==")))


def _metric(handwritten: Handwritten, name: str) -> float | None:
    page = HttpClient().ask("GET", f"{handwritten.admin}/metrics").body.decode()
    found = [line.rpartition(" ")[2] for line in page.splitlines() if line.startswith(f"{name} ")]
    return float(found[0]) if found else None


def _sign_in(stack: Stack) -> str:
    return tokens(initiate_auth(stack.place.cognito, stack.pool.api_client_id, stack.pool.reader))[0]


def _log_in(stack: Stack, scope: str = "openid orders/read") -> str:
    callback = f"{stack.place.home}/oauth2/callback"
    return hosted_token(stack.place.cognito, stack.pool, callback, stack.pool.staff, scope)


def test_user_who_was_signed_out_everywhere_is_refused_once_listed_and_let_in_after_signing_in_again(
    stack: Stack, handwritten: Handwritten, cognito: CognitoIdentityProviderClient, listed: Any
) -> None:
    """The recipe of docs/revocation.md for GlobalSignOut."""
    token = _sign_in(stack)
    assert _all(handwritten, "/orders", token) == {200}

    cognito.admin_user_global_sign_out(UserPoolId=stack.pool.pool_id, Username=stack.pool.reader.name)
    assert _all(handwritten, "/orders", token) == {200}  # verified offline: nothing has changed
    signed_out = int(time.time()) + 1
    listed({"issuer": "cognito", "sub": _claims(token)["sub"], "issued_before": signed_out})

    until(lambda: _all(handwritten, "/orders", token) == {401}, 10)
    answer = _ask(handwritten, "/orders", token)
    assert answer.json()["reason"] == "token_revoked"
    assert 'error="invalid_token"' in answer.challenge
    until(lambda: time.time() >= signed_out, 5)
    assert _all(handwritten, "/orders", _sign_in(stack)) == {200}


def test_every_token_of_one_session_is_refused_and_those_of_others_are_not(
    stack: Stack, handwritten: Handwritten, listed: Any
) -> None:
    lost, other = _sign_in(stack), _sign_in(stack)

    listed({"issuer": "cognito", "origin_jti": _claims(lost)["origin_jti"], "note": "laptop lost"})

    until(lambda: _all(handwritten, "/orders", lost) == {401}, 10)
    assert _all(handwritten, "/orders", other) == {200}


def test_file_that_is_no_list_leaves_the_last_one_in_force(stack: Stack, handwritten: Handwritten, listed: Any) -> None:
    token = _sign_in(stack)
    listed({"jti": _claims(token)["jti"]})
    until(lambda: _all(handwritten, "/orders", token) == {401}, 10)

    handwritten.revocations.write_text('{"revoked": [', encoding="utf-8")

    until(lambda: "revocations_failed" in handwritten.sidecar.log.read_text(), 10)
    assert _all(handwritten, "/orders", token) == {401}
    until(lambda: _metric(handwritten, "authz_revocations_entries") == 1, 10)


def test_issuer_that_is_asked_knows_of_the_sign_out_at_once(
    stack: Stack, handwritten: Handwritten, cognito: CognitoIdentityProviderClient
) -> None:
    token = _log_in(stack)

    cognito.admin_user_global_sign_out(UserPoolId=stack.pool.pool_id, Username=stack.pool.staff.name)
    asked, not_asked = _ask(handwritten, "/asked", token), _ask(handwritten, "/any", token)

    assert (asked.status, asked.json()["reason"]) == (401, "token_revoked")
    assert not_asked.status == 200


def test_claims_that_only_the_issuer_knows_are_demanded_and_forwarded(
    stack: Stack, handwritten: Handwritten, cognito: CognitoIdentityProviderClient
) -> None:
    token = _log_in(stack)
    assert "email" not in _claims(token)
    assert _ask(handwritten, "/verified", token).json()["reason"] == "claim_mismatch"

    cognito.admin_update_user_attributes(
        UserPoolId=stack.pool.pool_id,
        Username=stack.pool.staff.name,
        UserAttributes=[
            {"Name": "email", "Value": "alice@example.com"},
            {"Name": "email_verified", "Value": "true"},
        ],
    )
    another = _log_in(stack)
    answer = _ask(handwritten, "/verified", another)

    assert answer.status == 200
    assert answer.json()["identity"]["x-auth-email"] == "alice@example.com"
    assert "x-auth-email" not in _ask(handwritten, "/any", another).json()["identity"]


def test_token_without_the_scope_openid_is_refused_where_cognito_is_asked(
    handwritten: Handwritten, bearer: Tokens
) -> None:
    """Tokens of the user pools API among them."""
    answer = _ask(handwritten, "/asked", bearer.granted)

    assert (answer.status, answer.json()["reason"]) == (401, "token_revoked")
    assert bearer.granted not in handwritten.sidecar.log.read_text()


def test_candidate_is_counted_and_logged_and_changes_nothing(handwritten: Handwritten, bearer: Tokens) -> None:
    reading, writing = _ask(handwritten, "/shadow", bearer.reading), _ask(handwritten, "/shadow", bearer.writing)

    assert (reading.status, writing.status) == (200, 200)
    page = f"{handwritten.admin}/metrics"

    def counted() -> bool:
        text = HttpClient().ask("GET", page).body.decode()
        return all(
            f'authz_candidate_checks_total{{agreement="{agreement}",policy="shadow"}} {count}' in text
            for agreement, count in (("stricter", "1.0"), ("same", "1.0"), ("looser", "0.0"))
        )

    until(counted, 10)
    (line,) = [line for line in logged(handwritten.sidecar.log) if "candidate" in line]
    assert (line["agreement"], line["candidate"], line["candidate_reason"]) == (
        "stricter",
        "orders-next",
        "scope_insufficient",
    )
