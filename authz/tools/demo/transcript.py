"""The output of the tour: numbered steps, each request and response, and whether each promise held."""

from __future__ import annotations

import http.client
import json
import os
import re
import sys
from collections.abc import Iterable
from typing import TextIO
from urllib.parse import urlsplit

from authz.tools.demo.client import Exchange

_SHOWN_BODY_LINES = 16
_LONG_URL = 110
_LONG_VALUE = 400
"""The limits differ: login URLs are long and of little interest, challenges matter to their end."""

_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_COOKIE = re.compile(r"(__Host-[^=]+=)[^;]{9,}")
_PASSWORD = re.compile(r'((?:password|PASSWORD"?)[=:] ?"?)[^&"]+')


class Transcript:
    """Prints the steps, and counts broken promises."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self.surprises = 0
        self._steps = 0
        self._out = out
        self._has_colours = out.isatty() and not os.environ.get("NO_COLOR")

    def step(self, title: str) -> None:
        """Begin a step."""
        self._steps += 1
        self._print(f"\n{self._colour('1', f'{self._steps}. {title}')}")

    def show(self, exchange: Exchange, *, headers: Iterable[str] = (), body: bool = True) -> None:
        """Print one exchange: the named response headers, and the body if it is JSON."""
        place = urlsplit(exchange.url)
        target = f"{place.path or '/'}?{place.query}" if place.query else place.path or "/"
        self._print(f"   {self._colour('36', '>')} {exchange.method} {_short(target, _LONG_URL)}   ({place.netloc})")
        for name, value in exchange.sent.items():
            if name not in {"accept", "sec-fetch-mode"}:
                self._print(f"   {self._colour('36', '>')} {name}: {_short(value)}")
        if exchange.sent_body:
            self._print(f"   {self._colour('36', '>')} {_short(exchange.sent_body.decode(), _LONG_URL + 50)}")
        phrase = http.client.responses.get(exchange.status, "")
        self._print(f"   {self._colour('35', '<')} {exchange.status} {phrase}")
        for name in headers:
            for value in exchange.headers.get_all(name, []):
                if "=deleted;" in value:
                    continue  # Envoy clears the cookies of the login; printing that would only hide the rest
                limit = _LONG_URL if name == "location" else _LONG_VALUE
                self._print(f"   {self._colour('35', '<')} {name}: {_short(value, limit)}")
        if body:
            for line in _body_lines(exchange):
                self._print(f"   {self._colour('35', '<')} {line}")

    def expect(self, promise: str, holds: object) -> None:
        """Print a promise and whether it held. A broken promise counts as a surprise."""
        if holds:
            self._print(f"   {self._colour('32', 'ok')} {promise}")
        else:
            self.surprises += 1
            self._print(f"   {self._colour('31', 'SURPRISE')} not so: {promise}")

    def _colour(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._has_colours else text

    def _print(self, line: str) -> None:
        print(line, file=self._out, flush=True)


def _body_lines(exchange: Exchange) -> list[str]:
    """Return a JSON body with one field per line. For other bodies, return their size."""
    fields = exchange.json()
    if not fields:
        kind = exchange.headers.get_content_type()
        return [f"({kind}, {len(exchange.body)} bytes)"] if exchange.body else []
    lines = json.dumps(fields, indent=2, ensure_ascii=False).splitlines()
    cut = ["  …"] if len(lines) > _SHOWN_BODY_LINES else []
    return [_short(line) for line in lines[:_SHOWN_BODY_LINES]] + cut


def _short(value: str, limit: int = _LONG_VALUE) -> str:
    """The value without whole tokens, cookies and passwords, cut if it is longer than the limit."""
    value = _TOKEN.sub(lambda match: f"{match[0][:8]}…({len(match[0])} characters)", value)
    value = _COOKIE.sub(r"\1…", _PASSWORD.sub(r"\1…", value))
    return value if len(value) <= limit else f"{value[:limit]}…"
