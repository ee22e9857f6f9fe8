"""Facts about an endpoint that its responses show besides the body: certificate, clock, kind of content.

Fetches do not depend on them. `authz check` reports them.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from authz.core.url import Url

_MAX_AGE_DIGITS = 9


@dataclass(frozen=True, slots=True)
class ResponseFacts:
    """The facts of one response."""

    time: float | None
    """The endpoint's clock, in seconds since 1970: `Date` plus `Age`, which a cache adds (RFC 9111 section 5.1). None
    if the response has no valid `Date`."""
    is_html: bool
    """Whether the body is declared as HTML: a web page, such as the login page of a captive portal."""
    certificate_end: float | None
    """`notAfter` of the server's certificate, in seconds since 1970. None without TLS."""


Observe = Callable[[Url, ResponseFacts], None]
"""Called with the URL and the facts of every response, before the status is checked. Must not raise."""


def ignore(_url: Url, _facts: ResponseFacts) -> None:
    """Drop the facts."""


def facts_of(headers: Iterable[tuple[bytes, bytes]], tls: ssl.SSLObject | None) -> ResponseFacts:
    """Return the facts of a response. `headers` have lower-case names, and `tls` is None for plain HTTP."""
    fields = {name: value.decode("latin-1") for name, value in headers}
    end = (tls.getpeercert() or {}).get("notAfter") if tls is not None else None
    return ResponseFacts(
        time=_time(fields.get(b"date", ""), fields.get(b"age", "")),
        is_html=fields.get(b"content-type", "").lower().startswith(("text/html", "application/xhtml")),
        certificate_end=ssl.cert_time_to_seconds(end) if isinstance(end, str) else None,
    )


def _time(date: str, age: str) -> float | None:
    try:
        seconds = parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None
    is_age = age.isascii() and age.isdigit() and len(age) <= _MAX_AGE_DIGITS
    return seconds + (int(age) if is_age else 0)
