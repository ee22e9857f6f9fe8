"""Envoy's access log tells what the sidecar decided, and why, and holds no credential."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from authz.tools.demo.client import Exchange, HttpClient
from authz.tools.demo.stack import Stack
from tests.e2e.conftest import Tokens
from tests.fakes.log_lines import complete_lines


def _ask(stack: Stack, token: str = "", path: str = "/orders") -> Exchange:
    authorization = {"authorization": f"Bearer {token}"} if token else {}
    return HttpClient().ask("GET", f"{stack.place.home}{path}", {"accept": "application/json", **authorization})


def _logged(stack: Stack, answer: Exchange) -> dict[str, Any]:
    """The line of this answer's request; Envoy writes it a moment later."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        for line in complete_lines(stack.place.access_log):
            if answer.headers["x-request-id"] in line:
                return dict(json.loads(line))
        time.sleep(0.05)
    raise AssertionError("no line in the access log")


def test_allowed_request_is_logged_with_the_verified_identity(stack: Stack, bearer: Tokens) -> None:
    line = _logged(stack, _ask(stack, bearer.granted, "/orders?page=2"))

    assert line["status"] == 200
    assert line["decision"] == "allow"
    assert line["reason"] == "ok"
    assert line["policy"] == "orders-read"
    assert line["issuer"] == "cognito"
    assert line["client"] == stack.pool.api_client_id
    assert len(line["subject"]) == 36
    assert line["path"] == "/orders"


@pytest.mark.parametrize(
    ("which", "reason", "status"),
    [("", "token_missing", 401), ("without_scope", "scope_insufficient", 403), ("tampered", "signature_invalid", 401)],
)
def test_refused_request_is_logged_with_the_reason(
    stack: Stack, bearer: Tokens, which: str, reason: str, status: int
) -> None:
    line = _logged(stack, _ask(stack, getattr(bearer, which) if which else ""))

    assert line["status"] == status
    assert line["decision"] == "deny"
    assert line["reason"] == reason


def test_refused_token_names_no_subject_until_it_is_verified(stack: Stack, bearer: Tokens) -> None:
    line = _logged(stack, _ask(stack, bearer.tampered))

    assert not line["subject"]


def test_access_log_holds_no_token_and_no_query(stack: Stack, bearer: Tokens) -> None:
    _logged(stack, _ask(stack, bearer.granted, f"/orders?access_token={bearer.reading}"))

    text = stack.place.access_log.read_text()

    assert bearer.granted not in text
    assert bearer.reading not in text
    assert "access_token" not in text
