"""A request as people write it on a command line or in a test: `GET https://orders.example.com/orders`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_METHOD = re.compile(r"[A-Z][A-Z-]{0,31}")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
MAX_CHARACTERS = 8 * 1024
"""Longer than any request line that Envoy takes by default together with its headers."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What a client sends to Envoy."""

    method: str
    host: str
    """The Host header: with the port where the URL has one."""
    path: str
    """As it goes over the wire, with the query."""
    port: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def parse_request(text: str) -> HttpRequest:
    """Read `METHOD URL`, or a URL alone for GET. Raises ValueError with the fix in words."""
    words = text.split()
    method, url = ("GET", words[0]) if len(words) == 1 else tuple(words) if len(words) == 2 else ("", "")  # noqa: PLR2004
    if not _METHOD.fullmatch(method) or not _PRINTABLE.fullmatch(url) or len(text) > MAX_CHARACTERS:
        raise ValueError("write a method and a URL, such as `GET https://orders.example.com/orders`")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"this is no URL: {error}") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError("the URL begins with https:// or http:// and a host, as a client would write it")
    # Whatever follows the host goes out as it was written: no rule of a client's may change what Envoy is asked.
    path = url[url.index("//") + 2 + len(parts.netloc) :].partition("#")[0]
    if not path.startswith("/"):
        path = "/" + path
    return HttpRequest(method, parts.netloc.rpartition("@")[2], path, port)
