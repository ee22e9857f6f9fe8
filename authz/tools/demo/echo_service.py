"""The upstream of the demo. It returns the request it received, as HTML to browsers and as JSON to API clients.

It verifies nothing: an upstream of authz can trust the identity headers.
"""

from __future__ import annotations

import html
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template
from typing import ClassVar
from urllib.parse import urlsplit

from authz.tools.processes.machine import LOOPBACK

IDENTITY_PREFIX = "x-auth-"

_PAGE = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
_QUIET = ("accept", "sec-", "upgrade-insecure", "user-agent", "x-envoy-", "x-forwarded-", "x-request-id", "content-")
"""Headers left out of the response because the demo does not need them."""


def _nothing(_query: str) -> str:
    return ""


@contextmanager
def upstream(port: int, more: Callable[[str], str] = _nothing) -> Iterator[None]:
    """Serve on this loopback port, in a thread, as long as the block lasts.

    `more` returns further HTML of the start page for a query string.
    """
    server = ThreadingHTTPServer((LOOPBACK, port), type("_Handler", (_EchoHandler,), {"more": staticmethod(more)}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _EchoHandler(BaseHTTPRequestHandler):
    """Responds the same way to every method and path."""

    protocol_version = "HTTP/1.1"
    more: ClassVar[Callable[[str], str]] = staticmethod(_nothing)

    def do_GET(self) -> None:
        """Return the received request."""
        self.rfile.read(int(self.headers.get("content-length") or 0))
        received = [(name.lower(), _shown(name, value)) for name, value in self.headers.items()]
        identity = {name: value for name, value in received if name.startswith(IDENTITY_PREFIX)}
        others = {name: value for name, value in received if not name.startswith((IDENTITY_PREFIX, *_QUIET))}
        if "text/html" in self.headers.get("accept", ""):
            place = urlsplit(self.path)
            more = type(self).more(place.query) if place.path == "/" else ""
            self._answer("text/html; charset=utf-8", _page(identity, others, more))
        else:
            what = {"method": self.command, "path": self.path, "identity": identity, "others": others}
            self._answer("application/json", json.dumps(what, indent=2) + "\n")

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET  # noqa: N815 - http.server's names

    def _answer(self, content_type: str, body: str) -> None:
        content = body.encode()
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(content)))
        self.send_header("cache-control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Stay quiet: Envoy has the access log."""


def _shown(name: str, value: str) -> str:
    """Return the value. If it is a credential, return its length instead."""
    if name.lower() in {"authorization", "cookie"}:
        return f"{value[:7].strip()} … ({len(value)} characters, not shown)"
    return value


def _page(identity: Mapping[str, str], others: Mapping[str, str], more: str) -> str:
    name = identity.get("x-auth-username") or identity.get("x-auth-subject")
    return _PAGE.substitute(
        title="Orders",
        heading=f"Signed in as {html.escape(name)}" if name else "Not signed in",
        explanation=(
            "Envoy ran the login, authz verified the access token, and the headers below were set from its claims."
            if name
            else "No identity headers arrived: this page is open to everybody."
        ),
        identity=_rows(identity.items(), "verified") or "<tr><td>none</td></tr>",
        more=more,
        others=_rows(others.items(), "") or "<tr><td>nothing</td></tr>",
    )


def _rows(pairs: Iterable[tuple[str, str]], style: str) -> str:
    return "".join(
        f'<tr><th scope="row">{html.escape(name)}</th><td class="{style}">{html.escape(value)}</td></tr>'
        for name, value in sorted(pairs)
    )
