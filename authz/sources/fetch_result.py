"""How a fetch of keys can end: the closed set of label values of `authz_jwks_fetches_total{result}`."""

from __future__ import annotations

from enum import StrEnum

from authz.core.url import Url, UrlRefused, parse


class FetchResult(StrEnum):
    """One word per kind of end. The value is the metric label, and stands in logs and in /keys."""

    OK = "ok"
    TIMEOUT = "timeout"
    """No whole answer within the deadline, wherever the time went: lookup, connect, TLS, header or body."""
    DNS_FAILED = "dns_failed"
    CONNECT_FAILED = "connect_failed"
    """Refused, unreachable, reset or closed early."""
    TLS_FAILED = "tls_failed"
    """The certificate, its host name, or the protocol version."""
    URL_REFUSED = "url_refused"
    """Not an https URL (http is for loopback hosts), or not a clean one."""
    REDIRECT = "redirect"
    """The endpoint answered 3xx. Redirects are never followed: they let others say what the keys are."""
    HTTP_STATUS = "http_status"
    """Any other status than 200."""
    TOO_LARGE = "too_large"
    MALFORMED = "malformed"
    """Not HTTP/1.1, an encoded body, or a document that is not what it should be."""
    NO_USABLE_KEY = "no_usable_key"
    """The body is not a JWKS, or none of its keys can be used."""
    ISSUER_MISMATCH = "issuer_mismatch"
    """The discovery document names another issuer, or keys at another host."""
    FILE_UNREADABLE = "file_unreadable"
    """`jwks_file`, `ca_file` or `bearer_token_file`."""
    INTERNAL_ERROR = "internal_error"
    """Something unforeseen in our own code. Please report it."""


class FetchFailed(Exception):
    """A fetch that brought nothing.

    `detail` is for the operator's log: it holds no secret and nothing of a body. `status` is the HTTP status where the
    endpoint answered with one other than 200, else 0.
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
