"""The tour's print shows requests and answers, and no secret."""

from __future__ import annotations

import io
from email.message import Message
from http.client import HTTPMessage

import pytest

from authz.tools.demo.client import Exchange
from authz.tools.demo.transcript import Transcript

_TOKEN = f"eyJ{'a' * 40}.{'b' * 40}.{'c' * 40}"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _exchange(**changed: object) -> Exchange:
    headers: Message = HTTPMessage()
    headers["www-authenticate"] = f'Bearer realm="orders", error_description="{"long " * 50}end"'
    headers["set-cookie"] = "__Host-session=0123456789abcdef; path=/"
    values = {
        "method": "POST",
        "url": "http://127.0.0.1:1/orders?page=2",
        "sent": {"authorization": f"Bearer {_TOKEN}"},
        "sent_body": b"username=alice&password=open-sesame",
        "status": 401,
        "headers": headers,
        "body": b'{"reason": "token_missing"}',
    }
    return Exchange(**(values | changed))  # type: ignore[arg-type]


def _printed(exchange: Exchange) -> str:
    out = io.StringIO()
    Transcript(out).show(exchange, headers=["www-authenticate", "set-cookie"])
    return out.getvalue()


def test_request_and_answer_are_shown() -> None:
    text = _printed(_exchange())

    assert "POST /orders?page=2" in text
    assert "401 Unauthorized" in text
    assert '"reason": "token_missing"' in text


def test_challenge_is_shown_to_its_end() -> None:
    assert 'long end"' in _printed(_exchange())


@pytest.mark.parametrize("secret", [_TOKEN, "open-sesame", "0123456789abcdef"], ids=["token", "password", "cookie"])
def test_secret_is_not_shown(secret: str) -> None:
    assert secret not in _printed(_exchange())


def test_promise_that_does_not_hold_is_a_surprise() -> None:
    transcript = Transcript(io.StringIO())

    transcript.expect("it works", holds=True)
    transcript.expect("it works twice", holds=False)

    assert transcript.surprises == 1


def test_colours_are_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal, file = _Terminal(), io.StringIO()

    Transcript(terminal).step("one")
    Transcript(file).step("one")

    assert "\033[" in terminal.getvalue()
    assert "\033[" not in file.getvalue()


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = _Terminal()

    Transcript(terminal).step("one")

    assert "\033[" not in terminal.getvalue()
