"""Example requests and tokens in words. Times are relative, because only their distance to the check matters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from authz.tools.access.regions.request_set import ExampleRequest
from authz.tools.access.relation import Example
from authz.tools.access.sample_token import NOW

_TIMES = ("exp", "nbf", "iat", "auth_time")


def request_in_words(request: ExampleRequest | None) -> str:
    """One line: method, URL and headers."""
    if request is None:
        return "a request that cannot be written down"
    headers = "".join(f" {name}: {value}" for name, value in sorted(request.headers.items()))
    return f"{request.method} {request.scheme}://{request.host}{request.path}{headers}"


def example_in_words(example: Example) -> str:
    """One line: the claims of a token, or what is sent instead."""
    if example.token is None:
        return "no token" if example.kind == "none" else "a text that is not a valid token"
    words = json.dumps(claims_of(example), ensure_ascii=True)
    if example.token.type != "jwt":
        words += f", typ {example.token.type}"
    if example.token.userinfo is not None:
        words += f", userinfo {json.dumps(dict(example.token.userinfo))}"
    return words + (", refused by the userinfo endpoint" if example.token.userinfo_refuses else "")


def claims_of(example: Example) -> Mapping[str, Any]:
    """The claims of the token, with times as `now+3600`."""
    claims = dict(example.token.claims) if example.token is not None else {}
    return {name: _relative(value) if name in _TIMES else value for name, value in claims.items()}


def _relative(value: object) -> object:
    if not isinstance(value, int | float):
        return value
    return f"now{value - NOW:+g}" if value != NOW else "now"
