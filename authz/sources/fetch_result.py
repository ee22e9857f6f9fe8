"""The results of a fetch: the fixed label values of `authz_jwks_fetches_total{result}`."""

from __future__ import annotations

from enum import StrEnum

from authz.core.url import Url, UrlRefused, parse


class FetchResult(StrEnum):
    """The result of a fetch. The value is the metric label, and appears in logs and in /keys."""

    OK = "ok"
    TIMEOUT = "timeout"
    """No complete response within the deadline for lookup, connect, TLS, header and body."""
    DNS_FAILED = "dns_failed"
    CONNECT_FAILED = "connect_failed"
    """Refused, unreachable, reset or closed early."""
    PROXY_FAILED = "proxy_failed"
    """The proxy cannot be reached, or did not open a tunnel to the endpoint."""
    TLS_FAILED = "tls_failed"
    """The certificate, its host name, or the protocol version."""
    URL_REFUSED = "url_refused"
    """Not an https URL (http is for loopback hosts), or an ambiguous URL."""
    REDIRECT = "redirect"
    """Status 3xx. Redirects are never followed, because only the configuration selects the source of keys."""
    HTTP_STATUS = "http_status"
    """Any status except 200, 203 and 3xx."""
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    """Not HTTP/1.1, a body encoded with anything but gzip, or a document of the wrong form."""
    NO_USABLE_KEY = "no_usable_key"
    """The body is not a JWKS, or none of its keys is usable."""
    ISSUER_MISMATCH = "issuer_mismatch"
    """The discovery document names another issuer, or an endpoint at another host."""
    FILE_UNREADABLE = "file_unreadable"
    """`jwks_file`, `ca_file` or `bearer_token_file`."""
    INTERNAL_ERROR = "internal_error"
    """An unexpected exception in authz. Please report it."""


class FetchFailed(Exception):
    """A failed fetch.

    `detail` is for the operator's log. It contains no secret and no part of a body. `status` is the HTTP status if the
    endpoint's response had one other than 200, else 0: a proxy's status does not count.
    """

    def __init__(self, result: FetchResult, detail: str, *, status: int = 0) -> None:
        super().__init__(result, detail)
        self.result = result
        self.detail = detail
        self.status = status


def fetchable(text: str) -> Url:
    """Return the parts of a URL. Raises FetchFailed(URL_REFUSED) if it must not be fetched."""
    try:
        return parse(text)
    except UrlRefused as refused:
        raise FetchFailed(FetchResult.URL_REFUSED, f"the URL is refused: {refused}") from refused
