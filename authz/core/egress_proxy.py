"""The HTTP proxy through which an issuer's endpoints are fetched: its address, and how the configuration names it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from authz.core.mapping_reader import MappingReader
from authz.core.url import MAX_URL_CHARACTERS, bracketed, is_host_and_port

DIRECT = "none"
"""The word for no proxy: an issuer can leave the one of the top level."""

FROM_ENVIRONMENT = "environment"
"""The word for the proxy in `HTTPS_PROXY`, with the exceptions in `NO_PROXY`."""

_DEFAULT_PORT = 80
_FIX = "Write `proxy: http://HOST:PORT`, or `proxy: environment` for HTTPS_PROXY and NO_PROXY."


class ProxyRefused(ValueError):
    """The text is not the address of a usable proxy. The message says why and does not repeat the text."""


@dataclass(frozen=True, slots=True)
class EgressProxy:
    """A proxy that opens tunnels with CONNECT (RFC 9110 section 9.3.6)."""

    host: str
    """Lower case; an IPv6 address without its brackets."""
    port: int
    user: str = ""
    password: str = ""
    """Sent as Basic credentials (RFC 7617) if the user name is not empty."""

    @property
    def authority(self) -> str:
        """Host and port, for messages: never the credentials."""
        return f"{bracketed(self.host)}:{self.port}"


def parse(text: str) -> EgressProxy:
    """Return the proxy of a URL such as `http://user:password@host:3128`. Raises ProxyRefused.

    `host:3128` means the same as `http://host:3128`, as in curl and Go. Port 80 is the default.
    """
    if len(text) > MAX_URL_CHARACTERS or not text.isascii() or not text.isprintable() or " " in text:
        raise ProxyRefused("it is too long, or has spaces, control or non-ASCII characters")
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ProxyRefused("its host or port is not valid") from error
    if parts.scheme != "http":
        raise ProxyRefused("only http:// proxies are supported: TLS to the target runs inside of the tunnel")
    credentials, _, address = parts.netloc.rpartition("@")
    if not is_host_and_port(address, host):
        raise ProxyRefused("its host or port is not valid")
    if parts.path not in {"", "/"} or parts.query or "#" in text:
        raise ProxyRefused("it has a path, a query or a fragment")
    user, _, password = credentials.partition(":")
    if ":" in unquote(user):  # RFC 7617 section 2: the first colon ends the user name
        raise ProxyRefused("its user name contains a colon")
    return EgressProxy(host, _DEFAULT_PORT if port is None else port, unquote(user), unquote(password))


def read_proxy(reader: MappingReader, default: str = "") -> str:
    """Read the field `proxy`: a URL, `environment`, or empty for no proxy. Report a value that cannot be used."""
    if "proxy" not in reader:
        return default
    written = reader.text("proxy")
    if written == DIRECT:
        return ""
    if written in {"", FROM_ENVIRONMENT}:  # an empty text is reported already
        return written
    try:
        proxy = parse(written)
    except ProxyRefused as refused:
        reader.wrong(("proxy",), f"the proxy cannot be used: {refused}", _FIX)
        return ""
    if proxy.user or "@" in written:
        problem = "the proxy's password must not be in this file: Envoy shows node.metadata in its config dump"
        fix = "Put the URL with the password into HTTPS_PROXY, and write `proxy: environment`."
        reader.wrong(("proxy",), problem, fix)
        return ""
    return written
