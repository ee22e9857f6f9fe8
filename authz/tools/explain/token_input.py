"""Parse the pasted input of `authz explain`: a token, an Authorization header, or a curl command line."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field

from authz.core.problems import ConfigurationError
from authz.tools.envoy_run.http_request import HttpRequest, parse_request

MAX_CHARACTERS = 128 * 1024
"""The longest input: more than Envoy accepts as headers."""

_WITH_VALUE = frozenset("AbcCdeEFHhKmoPQrTtuUwxXyYz")
"""Short options of curl that take a value (curl(1)); a word such as `-sSH` ends with one of them."""

_LONG = """
header request url data data-raw data-binary data-ascii data-urlencode json oauth2-bearer user user-agent referer cookie
cookie-jar output connect-timeout max-time retry retry-delay retry-max-time cacert cert key resolve connect-to proxy
interface form upload-file write-out unix-socket aws-sigv4 range limit-rate dump-header trace trace-ascii stderr
"""
_LONG_WITH_VALUE = frozenset(f"--{name}" for name in _LONG.split())
_BODY = ("-d", "--data", "--data-raw", "--data-binary", "--data-ascii", "--data-urlencode", "--json", "-F", "--form")


@dataclass(frozen=True, slots=True)
class Pasted:
    """What the text holds."""

    authorization: str | None = field(default=None, repr=False)
    """The value of the Authorization header, None if there is none."""
    request: HttpRequest | None = None
    """The request of a curl command line, without its Authorization header."""


def read_pasted(text: str) -> Pasted:
    """Detect the form of the pasted text, and parse it. Raises ConfigurationError."""
    if len(text) > MAX_CHARACTERS:
        raise ConfigurationError.because(
            f"longer than {MAX_CHARACTERS} characters: paste a token or a curl command line"
        )
    text = text.strip()
    if text.startswith("curl ") or text == "curl":
        return read_curl(text)
    if text.lower().startswith("authorization:"):
        text = text.partition(":")[2].strip()
    if not text:
        return Pasted()
    if len(text.splitlines()) > 1:
        raise ConfigurationError.because(
            "more than one line: paste one token, or a curl command line that begins with `curl`"
        )
    if not text.isprintable():
        raise ConfigurationError.because("it holds characters that cannot be printed: paste one token as text")
    return Pasted(text if text.lower().startswith(("bearer ", "basic ", "dpop ")) else f"Bearer {text}")


def read_curl(text: str) -> Pasted:
    """The request that a curl command line makes. Raises ConfigurationError."""
    try:
        words = shlex.split(text.replace("\\\r\n", " ").replace("\\\n", " "))[1:]
    except ValueError as error:
        raise ConfigurationError.because(f"the curl command line is cut off: {error}") from error
    options = list(_options(words))
    urls = [value for name, value in options if name in {"", "--url"}]
    if not urls:
        raise ConfigurationError.because("the curl command line has no URL")
    url = urls[0] if "://" in urls[0] else f"http://{urls[0]}"
    method = next((value for name, value in options if name in {"-X", "--request"}), "")
    if not method:
        has_body = any(name in _BODY for name, _value in options)
        method = "HEAD" if any(name in {"-I", "--head"} for name, _value in options) else "POST" if has_body else "GET"
    try:
        request = parse_request(f"{method} {url}")
    except ValueError as error:
        raise ConfigurationError.because(f"the request of the curl command line: {error}") from error
    headers = dict(_headers(options))
    authorization = headers.pop("authorization", None)
    host = headers.pop("host", request.host)
    return Pasted(authorization, HttpRequest(request.method, host, request.path, request.port, headers))


def _options(words: list[str]) -> Iterator[tuple[str, str]]:
    """Options and their values; plain words come with an empty name."""
    rest = iter(words)
    for word in rest:
        if word.startswith("--"):
            name, joined, value = word.partition("=")
            yield name, value if joined else (next(rest, "") if name in _LONG_WITH_VALUE else "")
        elif word.startswith("-") and len(word) > 1:
            yield from _short(word, rest)
        else:
            yield "", word


def _short(word: str, rest: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Short options run together: `-sXPOST` is `-s -X POST`."""
    for index, letter in enumerate(word[1:], 2):
        if letter in _WITH_VALUE:
            yield f"-{letter}", word[index:] or next(rest, "")
            return
        yield f"-{letter}", ""


def _headers(options: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    seen: dict[str, str] = {}
    for name, value in options:
        if name == "--oauth2-bearer":
            seen["authorization"] = f"Bearer {value}"
        elif name in {"-H", "--header"} and ":" in value:
            key, _, content = value.partition(":")
            key = key.strip().lower()
            # Two headers of one name reach the sidecar as Envoy joins them.
            seen[key] = f"{seen[key]},{content.strip()}" if key in seen else content.strip()
        elif name in {"-b", "--cookie"} and "=" in value:
            seen["cookie"] = value
    yield from seen.items()
