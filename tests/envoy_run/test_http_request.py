"""What people write as a request is what goes out, byte for byte after the host."""

from __future__ import annotations

import pytest

from authz.tools.envoy_run.http_request import HttpRequest, parse_request


@pytest.mark.parametrize(
    ("text", "request_"),
    [
        ("GET https://orders.example.com/orders", HttpRequest("GET", "orders.example.com", "/orders")),
        ("https://orders.example.com", HttpRequest("GET", "orders.example.com", "/")),
        ("POST http://a:8443/x/../y?q=%2f#part", HttpRequest("POST", "a:8443", "/x/../y?q=%2f", 8443)),
        ("  DELETE   https://user@a//b  ", HttpRequest("DELETE", "a", "//b")),
        ("GET https://a?q=1", HttpRequest("GET", "a", "/?q=1")),
    ],
)
def test_request_is_read_as_it_was_written(text: str, request_: HttpRequest) -> None:
    assert parse_request(text) == request_


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/orders",
        "get https://a/",
        "GET ftp://a/",
        "GET https://",
        "GET https://a:99999/",
        "A B C",
        "GET https://a/ü",
    ],
)
def test_what_is_no_request_is_a_sentence_that_shows_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"https://|not a URL"):
        parse_request(text)


def test_overlong_request_is_refused() -> None:
    with pytest.raises(ValueError, match="write a method and a URL"):
        parse_request("GET https://a/" + "x" * 9000)
