"""Which proxy a URL is fetched through: the configured one, or `HTTPS_PROXY` with the exceptions in `NO_PROXY`.

The rules of NO_PROXY are those of Go's golang.org/x/net/http/httpproxy, which most programs in a cluster follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network

from authz.core.egress_proxy import FROM_ENVIRONMENT, EgressProxy, ProxyRefused, parse
from authz.core.url import Url
from authz.sources.fetch_result import FetchFailed, FetchResult


def proxy_for(url: Url, setting: str, variables: Mapping[str, str]) -> EgressProxy | None:
    """Return the proxy for a URL, or None for a direct connection. Raises FetchFailed(PROXY_FAILED).

    A loopback host is always fetched directly: a proxy would connect to itself. So http URLs never use a proxy.
    """
    if not setting or url.is_loopback:
        return None
    if setting != FROM_ENVIRONMENT:
        return _parsed(setting, "proxy")
    name, address = https_proxy(variables)
    if not address or _is_excepted(url, _variable(variables, "NO_PROXY")[1]):
        return None
    return _parsed(address, name)


def https_proxy(variables: Mapping[str, str]) -> tuple[str, str]:
    """Return the name and the value of the variable with the proxy. Both are empty if none is set."""
    return _variable(variables, "HTTPS_PROXY")


def _variable(variables: Mapping[str, str], name: str) -> tuple[str, str]:
    for spelling in (name, name.lower()):
        if value := variables.get(spelling, "").strip():
            return spelling, value
    return "", ""


def _parsed(text: str, field: str) -> EgressProxy:
    try:
        return parse(text)
    except ProxyRefused as refused:
        raise FetchFailed(FetchResult.PROXY_FAILED, f"{field} cannot be used: {refused}") from refused


def _is_excepted(url: Url, no_proxy: str) -> bool:
    return any(_matches(entry.strip().lower(), url) for entry in no_proxy.replace(",", " ").split())


def _matches(entry: str, url: Url) -> bool:
    """Return whether an entry of NO_PROXY names the host.

    An entry is `*`, an IP address, a network, a domain with its subdomains, or `.domain` for the subdomains alone. All
    but a network can have a port.
    """
    if entry == "*":
        return True
    host = url.host.removesuffix(".")
    if "/" in entry:
        return _is_in_network(host, entry)
    name, port = _split_port(entry)
    if port and port != str(url.port):
        return False
    if _same_address(host, name):
        return True
    name = name.removeprefix("*").removesuffix(".")
    if name.startswith("."):
        return len(name) > 1 and host.endswith(name)
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _split_port(entry: str) -> tuple[str, str]:
    """Split `host:port`. An IPv6 address has a port only behind brackets."""
    if entry.startswith("["):
        name, _, port = entry[1:].partition("]")
        return name, port.removeprefix(":")
    return (entry, "") if entry.count(":") > 1 else (entry.partition(":")[0], entry.partition(":")[2])


def _same_address(host: str, name: str) -> bool:
    try:
        return ip_address(host) == ip_address(name)
    except ValueError:
        return False


def _is_in_network(host: str, network: str) -> bool:
    try:
        return ip_address(host) in ip_network(network, strict=False)
    except ValueError:
        return False
