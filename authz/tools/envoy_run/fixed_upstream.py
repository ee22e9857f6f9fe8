"""The upstream of every cluster in the run. It responds with the method, path and headers that it received."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from authz.tools.processes.machine import LOOPBACK

MARK = "x-authz-run"
"""A response header that distinguishes this upstream's responses from Envoy's own."""

_DROPPED = frozenset({"content-length", "content-type", "connection"})


@contextmanager
def echo() -> Iterator[int]:
    """Serve on a free loopback port until the block ends."""
    server = ThreadingHTTPServer((LOOPBACK, 0), _FixedResponse)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _FixedResponse(BaseHTTPRequestHandler):
    """Responds the same way to every method and path."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write per response: with two, Nagle's algorithm delays the second

    def do_GET(self) -> None:
        """Respond with the received request as JSON."""
        self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items() if name.lower() not in _DROPPED}
        content = json.dumps({"method": self.command, "path": self.path, "headers": headers}).encode()
        self.send_response(200)
        self.send_header(MARK, "upstream")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def __getattr__(self, name: str) -> object:
        """Accept any method. http.server looks for `do_METHOD`."""
        if name.startswith("do_"):
            return self.do_GET
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Log nothing."""
