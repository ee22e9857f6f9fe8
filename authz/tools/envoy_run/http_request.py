"""Parse a request from a command line or a test: `GET https://orders.example.com/orders`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_METHOD = re.compile(r"[A-Z][A-Z-]{0,31}")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
MAX_CHARACTERS = 8 * 1024
"""A bound on the text. Real request lines are far shorter."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request from a client to Envoy."""

    method: str
    host: str
    """The Host header, with the port if the URL has one."""
    path: str
    """The request target as sent, with the query."""
    port: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def parse_request(text: str) -> HttpRequest:
    """Parse `METHOD URL`. A URL alone means GET. Raises ValueError with a fix."""
    words = text.split()
    method, url = ("GET", words[0]) if len(words) == 1 else tuple(words) if len(words) == 2 else ("", "")  # noqa: PLR2004
    if not _METHOD.fullmatch(method) or not _PRINTABLE.fullmatch(url) or len(text) > MAX_CHARACTERS:
        raise ValueError("write a method and a URL, such as `GET https://orders.example.com/orders`")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"not a URL: {error}") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError("the URL must begin with https:// or http:// and a host")
    # Send the rest unchanged: normalisation here would hide how Envoy treats `//` or `%2f`.
    path = url[url.index("//") + 2 + len(parts.netloc) :].partition("#")[0]
    if not path.startswith("/"):
        path = "/" + path
    return HttpRequest(method, parts.netloc.rpartition("@")[2], path, port)
