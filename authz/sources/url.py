"""Which URLs may be fetched at all: https to anywhere, http to loopback hosts, nothing that reads two ways."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from authz.sources.fetch_result import FetchFailed, FetchResult

MAX_URL_CHARACTERS = 2048
"""No endpoint needs more; a discovery document could hold anything."""

LOCALHOST_ADDRESSES = ("127.0.0.1", "::1")
"""What `localhost` means (RFC 6761 section 6.3). Never looked up: a name server must not decide where http goes."""

_DEFAULT_PORTS = {"https": 443, "http": 80}
_CLEAN_TEXT = re.compile(r"[!-~]+")
_HOST_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")


@dataclass(frozen=True, slots=True)
class Url:
    """A URL that may be fetched, taken apart."""

    scheme: str
    host: str
    """Lower case; an IPv6 address without its brackets."""
    port: int
    target: str
    """Path and query, as sent in the request line."""

    @property
    def authority(self) -> str:
        """The value of the Host header (RFC 9110 section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: equal for URLs that one party answers (RFC 6454 section 4)."""
        return self.scheme, self.host, self.port

    @property
    def fixed_addresses(self) -> tuple[str, ...]:
        """The addresses where none has to be looked up: of localhost, and of a host that is an address."""
        if self.host == "localhost":
            return LOCALHOST_ADDRESSES
        return (self.host,) if _is_address(self.host) else ()


def parse(text: str) -> Url:
    """Take a URL apart. Raises FetchFailed(URL_REFUSED) for one that may not be fetched."""
    if len(text) > MAX_URL_CHARACTERS or not _CLEAN_TEXT.fullmatch(text) or "\\" in text:
        raise _refused("it is too long, or has spaces, control or non-ASCII characters")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise _refused("its host or port is not valid") from error
    if "@" in parts.netloc or "#" in text:
        raise _refused("it has a user name or a fragment")
    if not (_is_address(host) or _HOST_NAME.fullmatch(host)):
        raise _refused("its host is not valid")
    if parts.scheme not in _DEFAULT_PORTS:
        raise _refused("it is not an https URL")
    if parts.scheme == "http" and not _is_loopback(host):
        raise _refused("http is accepted for loopback hosts only: use https")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(parts.scheme, host, _DEFAULT_PORTS[parts.scheme] if port is None else port, target)


def _refused(why: str) -> FetchFailed:
    return FetchFailed(FetchResult.URL_REFUSED, f"the URL is refused: {why}")


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        return "%" not in host and bool(ip_address(host))
    except ValueError:
        return False
