"""Decide which URLs may be fetched: https, or http to a loopback host, with only one possible reading.

The configuration is checked with it at start, and every URL is checked with it again before a fetch.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

MAX_URL_CHARACTERS = 2048
"""No endpoint needs more; a discovery document could hold anything."""

LOCALHOST_ADDRESSES = ("127.0.0.1", "::1")
"""The addresses of `localhost` (RFC 6761 section 6.3). It is never resolved, so that a name server cannot redirect http
to another host."""

_DEFAULT_PORTS = {"https": 443, "http": 80}
_CLEAN_TEXT = re.compile(r"[!-~]+")
# `urlsplit` ignores text behind an IPv6 address, so the authority is matched as a whole (RFC 3986 section 3.2).
_AUTHORITY = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?)(?::[0-9]*)?", re.IGNORECASE)
WELL_KNOWN = "/.well-known/openid-configuration"
_AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server"


class UrlRefused(ValueError):
    """The URL must not be fetched. The message says why and does not repeat the URL."""


@dataclass(frozen=True, slots=True)
class Url:
    """The parts of a URL that may be fetched."""

    scheme: str
    host: str
    """Lower case; an IPv6 address without its brackets."""
    port: int
    target: str
    """Path and query, as sent in the request line."""

    @property
    def authority(self) -> str:
        """The value of the Host header (RFC 9110 section 7.2)."""
        is_default = self.port == _DEFAULT_PORTS[self.scheme]
        return bracketed(self.host) if is_default else self.connect_target

    @property
    def connect_target(self) -> str:
        """Host and port, as CONNECT names them (RFC 9110 section 9.3.6): the port is never left out."""
        return f"{bracketed(self.host)}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine. A proxy would take it for the proxy's machine."""
        name = self.host.removesuffix(".")
        return _is_loopback(name) or name.endswith(".localhost") or _is_this_machine(name)

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: equal for URLs that one party answers (RFC 6454 section 4)."""
        return self.scheme, self.host, self.port


def bracketed(host: str) -> str:
    """Return the host as an authority has it: an IPv6 address in brackets (RFC 3986 section 3.2.2)."""
    return f"[{host}]" if ":" in host else host


def parse(text: str) -> Url:
    """Return the parts of a URL. Raises UrlRefused if it must not be fetched."""
    if len(text) > MAX_URL_CHARACTERS or not _CLEAN_TEXT.fullmatch(text) or "\\" in text:
        raise UrlRefused("it is too long, or has spaces, control or non-ASCII characters")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise UrlRefused("its host or port is not valid") from error
    if "@" in parts.netloc or "#" in text:
        raise UrlRefused("it has a user name or a fragment")
    if not is_host_and_port(parts.netloc, host):
        raise UrlRefused("its host is not valid")
    if parts.scheme not in _DEFAULT_PORTS:
        raise UrlRefused("it is not an https URL")
    if parts.scheme == "http" and not _is_loopback(host):
        raise UrlRefused("http is accepted for loopback hosts only: use https")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Url(parts.scheme, host, _DEFAULT_PORTS[parts.scheme] if port is None else port, target)


def refusal(text: str) -> str:
    """Return why a URL must not be fetched, empty if it may be."""
    try:
        parse(text)
    except UrlRefused as refused:
        return str(refused)
    return ""


def fixed_addresses(host: str) -> tuple[str, ...]:
    """Return the addresses of localhost or of an IP address. Empty if the host must be resolved."""
    if host == "localhost":
        return LOCALHOST_ADDRESSES
    return (host,) if _is_address(host) else ()


def discovery_url(issuer: str) -> str:
    """Return the URL of an issuer's discovery document (OpenID Connect Discovery 1.0 section 4.1)."""
    return issuer.removesuffix("/") + WELL_KNOWN


def authorization_server_url(issuer: str) -> str:
    """Return the URL of an issuer's OAuth metadata: the well-known path goes before the issuer's (RFC 8414 3.1)."""
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}{_AUTHORIZATION_SERVER}{parts.path.removesuffix('/')}"


def is_host_and_port(authority: str, host: str) -> bool:
    """Return whether an authority has one reading: a host name or IP address, and maybe a port."""
    return bool(_AUTHORITY.fullmatch(authority)) and (":" not in host or _is_address(host))


def _is_loopback(host: str) -> bool:
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


def _is_this_machine(host: str) -> bool:
    """Other spellings of this machine's addresses: 0.0.0.0, and IPv4 inside of IPv6."""
    if not _is_address(host):
        return False
    address = ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address.is_unspecified or (mapped is not None and (mapped.is_loopback or mapped.is_unspecified))


def _is_address(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False
