"""The `Host` of a request to the admin port (RFC 9112 section 3.2), against DNS rebinding.

A page in an operator's browser can resolve its own name to 127.0.0.1 and read whatever answers there. Its requests then
have that name in `Host`. An IP address in `Host` cannot be resolved to anything else.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import AddressValueError, IPv4Address, IPv6Address

_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::[0-9]{1,5})?", re.ASCII)
_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII)


def is_name(text: str) -> bool:
    """Whether it is a host name without port, in lower case."""
    return _NAME.fullmatch(text) is not None


def is_allowed(value: bytes, names: Collection[str]) -> bool:
    """Whether `Host` is an IP address, localhost or one of the names, with any port."""
    match = _HOST.fullmatch(value.decode("latin-1").lower())
    if match is None:
        return False
    try:
        if match["v6"] is not None:
            IPv6Address(match["v6"])
        elif match["name"] != "localhost" and match["name"] not in names:
            IPv4Address(match["name"])
    except AddressValueError:
        return False
    return True
