"""The upstream returns the received request as HTML and JSON, without credentials."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from authz.tools.demo.client import HttpClient
from authz.tools.demo.echo_service import upstream
from authz.tools.processes.machine import free_port

_IDENTITY = {"x-auth-username": "<b>alice</b>", "x-auth-scopes": "orders/read"}


@pytest.fixture
def service() -> Iterator[str]:
    port = free_port()
    with upstream(port):
        yield f"http://127.0.0.1:{port}"


def test_program_gets_json(service: str) -> None:
    received = HttpClient().ask("POST", f"{service}/orders?page=2", _IDENTITY, b"{}").json()

    assert received["method"] == "POST"
    assert received["path"] == "/orders?page=2"
    assert received["identity"] == _IDENTITY


def test_browser_gets_a_page_with_the_identity_as_text(service: str) -> None:
    page = HttpClient().ask("GET", f"{service}/", {"accept": "text/html", **_IDENTITY}).body.decode()

    assert "Signed in as &lt;b&gt;alice&lt;/b&gt;" in page
    assert "orders/read" in page
    assert "<b>" not in page


def test_page_without_identity_says_so(service: str) -> None:
    page = HttpClient().ask("GET", f"{service}/", {"accept": "text/html"}).body.decode()

    assert "Not signed in" in page


@pytest.mark.parametrize("name", ["authorization", "cookie"])
def test_credential_is_counted_and_not_shown(service: str, name: str) -> None:
    answer = HttpClient().ask("GET", f"{service}/", {name: "Bearer open-sesame"})

    assert b"sesame" not in answer.body
    assert "18 characters" in answer.json()["others"][name]
