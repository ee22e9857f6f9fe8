"""A simple HTTP client: one request, one response, redirects not followed, cookies kept.

The standard library's urllib hides refusals in exceptions and follows redirects by itself. The tour needs to show both.
"""

from __future__ import annotations

import http.client
import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 10.0

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its response, as sent and received."""

    method: str
    url: str
    sent: Mapping[str, str]
    sent_body: bytes
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def location(self) -> str:
        """The redirect target. Empty if the response is no redirect."""
        return self.headers.get("location", "")

    @property
    def challenge(self) -> str:
        """The `WWW-Authenticate` header; empty if there is none."""
        return self.headers.get("www-authenticate", "")

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty if it is not one."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class HttpClient:
    """A browser or an API client. It keeps the cookies it receives."""

    def __init__(self) -> None:
        # Loopback counts as secure, as it does in browsers: the session cookies are marked Secure.
        self.cookies = CookieJar(DefaultCookiePolicy(secure_protocols=("http", "https")))

    def ask(self, method: str, url: str, headers: Mapping[str, str] = _NONE, body: bytes = b"") -> Exchange:
        """Send one request. Raises OSError if the server does not respond."""
        place = urlsplit(url)
        request = urllib.request.Request(url, headers=dict(headers), method=method)  # noqa: S310 - carries cookies only
        self.cookies.add_cookie_header(request)
        connection = http.client.HTTPConnection(place.netloc, timeout=TIMEOUT_SECONDS)
        try:
            target = f"{place.path or '/'}?{place.query}" if place.query else place.path or "/"
            connection.request(method, target, body or None, dict(request.header_items()))
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        self.cookies.extract_cookies(response, request)
        return Exchange(method, url, headers, body, response.status, response.headers, content)
