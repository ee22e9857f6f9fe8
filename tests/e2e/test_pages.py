"""People in a browser read a page for a refusal, in their language; programs keep the JSON."""

from __future__ import annotations

import re

import pytest

from authz.tools.demo.client import Exchange, HttpClient
from authz.tools.init import pages
from tests.e2e.conftest import Tokens

NAVIGATION = {"accept": "text/html", "sec-fetch-mode": "navigate"}


def _open(url: str, token: str = "", **headers: str) -> Exchange:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    authorization = {"authorization": f"Bearer {token}"} if token else {}
    return HttpClient().ask("GET", url, {**NAVIGATION, **authorization, **sent})


def _text(exchange: Exchange) -> str:
    return exchange.body.decode("utf-8")


@pytest.mark.parametrize(
    ("language", "page", "word"),
    [
        ("en-US,en;q=0.9", "en", "You do not have access to this page"),
        ("ja", "ja", "このページを開く権限がありません"),
        ("ja-JP,ja;q=0.9,en;q=0.8", "ja", "このページを開く権限がありません"),
        ("en,ja;q=0.5", "en", "You do not have access to this page"),
        ("jam", "en", "You do not have access to this page"),
        ("", "en", "You do not have access to this page"),
    ],
)
def test_a_person_who_lacks_access_reads_why_in_their_language(
    home: str, bearer: Tokens, language: str, page: str, word: str
) -> None:
    answer = _open(f"{home}/admin", bearer.granted, accept_language=language)

    assert answer.status == 403
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert f'<html lang="{page}">' in _text(answer)
    assert word in _text(answer)


def test_a_person_whose_session_ended_is_asked_to_sign_in(home: str) -> None:
    answer = _open(f"{home}/orders")

    assert answer.status == 401
    assert "You need to sign in" in _text(answer)
    assert answer.challenge == 'Bearer realm="orders-api"'


def test_a_failed_login_callback_is_a_page_too(home: str) -> None:
    answer = _open(f"{home}/oauth2/callback?code=x&state=y")

    assert answer.status == 401
    assert "You need to sign in" in _text(answer)
    assert "OAuth flow failed" not in _text(answer)


def test_a_page_names_the_request_and_repeats_nothing_of_it(home: str, bearer: Tokens) -> None:
    answer = _open(f"{home}/admin?<script>", bearer.granted, x_request_id="<script>alert(1)</script>")

    assert "<script>" not in _text(answer)
    assert re.search(r"Request id: [0-9a-f]{8}-[0-9a-f-]{27}<", _text(answer))
    assert "%" not in re.sub(r"width: 100%", "", _text(answer))


def test_a_page_may_load_nothing_and_is_not_kept(home: str, bearer: Tokens) -> None:
    answer = _open(f"{home}/admin", bearer.granted)

    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("mode", ["cors", "same-origin", ""])
def test_a_script_keeps_the_json_of_a_refusal(home: str, bearer: Tokens, mode: str) -> None:
    sent = {"authorization": f"Bearer {bearer.granted}"} | ({"sec-fetch-mode": mode} if mode else {})

    answer = HttpClient().ask("GET", f"{home}/admin", sent)

    assert answer.status == 403
    assert answer.json()["reason"] == "denied"


@pytest.mark.parametrize("name", list(pages.files()))
def test_every_page_is_whole_and_loads_nothing(name: str) -> None:
    text = pages.files()[name]

    assert text.startswith("<!doctype html>")
    assert f'lang="{name.split(".")[1]}"' in text
    assert text.count("<h1>") == 1
    assert not re.search(r"(src|@import|url\()", text)
    assert "%REQ(X-REQUEST-ID)%" in text
