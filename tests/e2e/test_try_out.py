"""The buttons of the demo's page: each sends a real request, and its result names decision, reason and log line."""

from __future__ import annotations

import html
import re
from urllib.parse import quote

import pytest

from authz.tools.demo.client import HttpClient
from authz.tools.demo.login import log_in
from authz.tools.demo.stack import Stack
from authz.tools.demo.try_out import CALLERS, ROUTES, TryOut


@pytest.fixture(scope="module")
def try_out(stack: Stack) -> TryOut:
    made = TryOut(stack.place, stack.pool)
    made.sidecar = stack.sidecar
    return made


@pytest.mark.parametrize(
    ("caller", "route", "status", "reason"),
    [
        ("hosted", "GET /orders", 200, ""),
        ("hosted", "POST /orders", 403, "scope_insufficient"),
        ("granted", "GET /orders", 200, ""),
        ("ungranted", "GET /orders", 403, "scope_insufficient"),
        ("none", "GET /orders", 401, "token_missing"),
        ("forged", "GET /orders", 401, "token_missing"),
        ("forged", "GET /healthz", 200, ""),
        ("tampered", "GET /orders", 401, "signature_invalid"),
        ("expired", "GET /orders", 401, "token_expired"),
        ("expired", "GET /healthz", 200, ""),
        ("hosted", "GET /admin", 403, "denied"),
    ],
)
def test_a_button_shows_decision_reason_and_log_line(
    try_out: TryOut, caller: str, route: str, status: int, reason: str
) -> None:
    seen = try_out.send(caller, route)

    assert (seen.status, seen.reason) == (status, reason)
    assert seen.decision == ("refused" if reason else "forwarded")
    assert (f'"reason": "{reason}"' in seen.log_line) is bool(reason)


def test_a_signed_in_person_sees_every_caller_side_by_side(stack: Stack) -> None:
    browser = HttpClient()
    log_in(browser, f"{stack.place.home}/", stack.pool.staff)

    page = browser.ask("GET", f"{stack.place.home}/?try={quote('everybody GET /orders')}", {"accept": "text/html"})

    text = html.unescape(page.body.decode())
    results = text.partition('id="results"')[2]
    assert text.count("<button") == (len(CALLERS) + 1) * len(ROUTES)
    assert len(re.findall("<td>(?:forwarded|refused)</td>", results)) == len(CALLERS)
    assert 'error="insufficient_scope"' in results
    assert "<td>token_expired</td>" in results
    assert "eyJ" not in text  # no token


@pytest.mark.parametrize("query", ["", "try=", "try=root+GET+/orders", "try=none+GET+/x", "try=%3Cscript%3E+GET+/"])
def test_a_query_that_names_no_button_sends_nothing(try_out: TryOut, query: str) -> None:
    page = try_out.page(query)

    assert "results" not in page.replace("/#results", "")
    assert "<script>" not in page
