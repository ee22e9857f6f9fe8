"""What people paste is understood: a token, a header, a curl line as a browser copies it."""

from __future__ import annotations

import pytest

from authz.core.problems import ConfigurationError
from authz.tools.envoy_run.http_request import HttpRequest
from authz.tools.explain.token_input import Pasted, read_pasted


@pytest.mark.parametrize(
    ("text", "authorization"),
    [
        ("a.b.c\n", "Bearer a.b.c"),
        ("  Bearer a.b.c", "Bearer a.b.c"),
        ("Authorization: bearer a.b.c\r\n", "bearer a.b.c"),
        ("Basic YTpi", "Basic YTpi"),
        ("", None),
    ],
)
def test_token_or_header_is_taken_as_it_would_be_sent(text: str, authorization: str | None) -> None:
    assert read_pasted(text) == Pasted(authorization)


@pytest.mark.parametrize(
    ("text", "request_", "authorization"),
    [
        (
            "curl https://a/orders -H 'authorization: Bearer x.y.z'",
            HttpRequest("GET", "a", "/orders"),
            "Bearer x.y.z",
        ),
        (
            "curl 'https://a/orders?q=1' \\\n  -X 'DELETE' \\\n  -H 'Authorization: Bearer x' --compressed",
            HttpRequest("DELETE", "a", "/orders?q=1"),
            "Bearer x",
        ),
        ("curl -sXPUT a:8080/x", HttpRequest("PUT", "a:8080", "/x", 8080), None),
        ("curl -d '{}' --url=https://a/ --oauth2-bearer t", HttpRequest("POST", "a", "/"), "Bearer t"),
        (
            "curl https://a/ -H 'Authorization: Bearer x' -H 'authorization: Bearer y'",
            HttpRequest("GET", "a", "/"),
            "Bearer x,Bearer y",
        ),
        ("curl -I https://a/ -H 'Host: b'", HttpRequest("HEAD", "b", "/"), None),
        ("curl https://a/ -b s=1 -o out", HttpRequest("GET", "a", "/", headers={"cookie": "s=1"}), None),
    ],
)
def test_curl_command_line_is_the_request_it_makes(text: str, request_: HttpRequest, authorization: str | None) -> None:
    assert read_pasted(text) == Pasted(authorization, request_)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("curl", "has no URL"),
        ("curl 'https://a/", "cut off"),
        ("curl ftp://a/", "must begin with https"),
        ("a\nb", "more than one line"),
        ("a\x00b", "cannot be printed"),
        ("x" * 200_000, "longer than"),
    ],
)
def test_what_is_neither_is_a_sentence(text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        read_pasted(text)


def test_pasted_credential_is_not_in_a_repr() -> None:
    assert "x.y.z" not in repr(read_pasted("x.y.z"))
