"""Stands in for every service behind Envoy: it answers with the method, path and headers that reached it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from authz.tools.processes.machine import LOOPBACK

MARK = "x-authz-rehearsal"
"""A response header that tells the stand-in's answers from Envoy's own."""

_DROPPED = frozenset({"content-length", "content-type", "connection"})


@contextmanager
def echo() -> Iterator[int]:
    """Serve on a loopback port of the system's choice, as long as the block lasts."""
    server = ThreadingHTTPServer((LOOPBACK, 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Every method and path gets the same kind of answer."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one piece: in two, the second waits for an acknowledgement

    def do_GET(self) -> None:
        """Answer with what was received."""
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
        """Any method: http.server looks for `do_METHOD`."""
        if name.startswith("do_"):
            return self.do_GET
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Stay quiet."""
