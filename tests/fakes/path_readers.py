"""How the servers behind an Envoy read a path: what each takes a raw request target for.

Each reader returns the path of the resource that its family serves for the target, with dot segments resolved. They
follow what the servers document or do by default, and lean to the reading that would let more through.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

_UNICODE_ESCAPE = re.compile(r"%[uU]([0-9a-fA-F]{4})")


def _segments(path: str) -> str:
    """Merge slashes and resolve dot segments (RFC 3986 section 5.2.4)."""
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in {"", "."}:
            kept.append(segment)
    return "/" + "/".join(kept)


def _decoded(path: str) -> str:
    """Percent-decode once. Overlong UTF-8 forms of ASCII are taken for ASCII, as lenient decoders do."""
    data = unquote_to_bytes(path)
    data = re.sub(rb"[\xc0\xc1][\x80-\xbf]", lambda two: bytes([((two[0][0] & 0x1F) << 6) | (two[0][1] & 0x3F)]), data)
    return data.decode("utf-8", "replace")


def _before_query(target: str) -> str:
    return target.partition("?")[0].partition("#")[0]


def servlet(target: str) -> str:
    """Tomcat, Jetty, Spring: path parameters are taken off each segment before dot segments are resolved."""
    path = "/".join(segment.partition(";")[0] for segment in _before_query(target).split("/"))
    return _segments(_decoded(path).replace("\\", "/"))


def servlet_after_decoding(target: str) -> str:
    """A servlet filter or framework that decodes first and then removes path parameters."""
    decoded = _decoded(_before_query(target)).replace("\\", "/")
    return _segments("/".join(segment.partition(";")[0] for segment in decoded.split("/")))


def php(target: str) -> str:
    """PHP behind a web server: decoded, and C code that opens files stops at a NUL."""
    return _segments(_decoded(_before_query(target)).partition("\0")[0])


def dot_net(target: str) -> str:
    """ASP.NET on Windows: `%uXXXX`, backslashes, no case, and Win32 drops dots and blanks at the end of a name."""
    path = _UNICODE_ESCAPE.sub(lambda match: chr(int(match[1], 16)), _before_query(target))
    path = _decoded(path).replace("\\", "/").lower()
    return _segments(
        "/".join(part if part in {".", ".."} else part.rstrip(". ") or part[:2] for part in path.split("/"))
    )


def nginx(target: str) -> str:
    """nginx as one more proxy: it passes on the decoded path, whose `?` and `#` then end it for the next reader."""
    return _segments(_before_query(_segments(_decoded(_before_query(target)))))


def decoded_twice(target: str) -> str:
    """Two decoding servers in a row."""
    return _segments(_decoded(_decoded(_before_query(target))))


READERS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "servlet": servlet,
        "servlet after decoding": servlet_after_decoding,
        "PHP": php,
        ".NET": dot_net,
        "nginx": nginx,
        "decoded twice": decoded_twice,
    }
)


def readings(target: str) -> Iterator[tuple[str, str]]:
    """Every family with the path it reads."""
    return ((name, read(target)) for name, read in READERS.items())
