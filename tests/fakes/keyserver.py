"""A small key server on loopback that behaves as badly as a test wants, over HTTP or HTTPS.

    with KeyServer(jwks(jwk(rsa_key(), "a"))) as server:
        server.mode = Mode.HANG          # from the next request on
        server.document = jwks(...)      # rotation

Every path but the discovery one answers with the document. Each connection has one request and one thread; all
threads have ended when the `with` block is left.
"""

from __future__ import annotations

import gzip
import json
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from threading import Event, Lock, Thread
from typing import Any, Self

DISCOVERY_PATH = "/.well-known/openid-configuration"
STREAM_BYTES = 200 * 1024 * 1024


class Mode(StrEnum):
    """How requests are answered."""

    SERVE = "serve"
    HANG = "hang"
    DRIP_HEAD = "drip_head"
    DRIP_BODY = "drip_body"
    ERROR_500 = "error_500"
    REFUSE_401 = "refuse_401"
    REFUSE_403 = "refuse_403"
    EMPTY_204 = "empty_204"
    HTML = "html"
    REDIRECT = "redirect"
    GZIP = "gzip"
    GZIP_CUT = "gzip_cut"
    GZIP_BOMB = "gzip_bomb"
    NOT_GZIP = "not_gzip"
    BROTLI = "brotli"
    CHANGED_203 = "changed_203"
    NOT_FOUND_404 = "not_found_404"
    BOM = "bom"
    STREAM = "stream"
    ANNOUNCE_HUGE = "announce_huge"
    MANY_KEYS = "many_keys"
    ENDLESS_HEAD = "endless_head"
    ENDLESS_INTERIM = "endless_interim"
    CHUNKED = "chunked"
    TINY_CHUNKS = "tiny_chunks"
    CUT_SHORT = "cut_short"
    NOT_HTTP = "not_http"
    CLOSE = "close"


class KeyServer:
    """Serves `document` and a discovery document, as `mode` says. All public attributes may be set live."""

    def __init__(
        self, document: bytes = b'{"keys":[]}', *, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1"
    ) -> None:
        self.document = document
        self.mode = Mode.SERVE
        self.modes: dict[str, Mode] = {}
        """By path, if it differs from `mode`."""
        self.discovery: dict[str, Any] = {}
        """Members of the discovery document that differ from the true ones."""
        self.redirect_to = ""
        self.fields: tuple[str, ...] = ()
        """Further header fields of good answers, such as `date: …`."""
        self.heads: list[str] = []
        """The head of every request seen, in order."""
        self.connections = 0
        self.body_bytes_sent = 0
        self._tls = tls
        self._lock = Lock()
        self._stopping = Event()
        self._threads: list[Thread] = []
        self._open: set[socket.socket] = set()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, 0), family=family)
        self._host = f"[{address}]" if ":" in address else address
        self.port: int = self._listener.getsockname()[1]

    @property
    def origin(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}"

    @property
    def url(self) -> str:
        """Of the key set."""
        return f"{self.origin}/jwks"

    @property
    def requests(self) -> int:
        """How many requests for a key set were seen; those for the discovery document are not counted."""
        return sum(DISCOVERY_PATH not in head.split("\r\n")[0] for head in self.heads)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = Thread(target=target, args=arguments, name="fake-key-server", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while not self._stopping.is_set():
                connection = self._listener.accept()[0]
                self.connections += 1
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.settimeout(4)
            stream = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
            with stream:
                with self._lock:
                    self._open.add(stream)
                self._answer(stream)
                with self._lock:
                    self._open.discard(stream)

    def _answer(self, stream: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            data = stream.recv(4096)
            if not data:
                return
            head += data
        self.heads.append(head.decode("latin-1"))
        path = head.split(b" ")[1].decode("latin-1")
        body = self._described() if path.endswith(DISCOVERY_PATH) else self.document
        _ANSWERS[self.modes.get(path, self.mode)](self, stream, body)

    def _described(self) -> bytes:
        return json.dumps({"issuer": self.origin, "jwks_uri": self.url} | self.discovery).encode()

    def hang(self) -> None:
        """Until the server stops."""
        self._stopping.wait(30)

    def drip(self, stream: socket.socket, data: bytes) -> None:
        """A byte now and then, so that no timeout between bytes ever fires."""
        for position in range(len(data)):
            stream.sendall(data[position : position + 1])
            if self._stopping.wait(0.02):
                return

    def pour(self, stream: socket.socket, piece: bytes, total: int) -> None:
        """The same piece again and again, as long as the client takes it."""
        while self.body_bytes_sent < total and not self._stopping.is_set():
            stream.sendall(piece)
            self.body_bytes_sent += len(piece)


def _head(status: str, *fields: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, "connection: close", "", ""]).encode()


def _whole(body: bytes, *fields: str, status: str = "200 OK") -> bytes:
    return _head(status, f"content-length: {len(body)}", *fields) + body


def _hang(server: KeyServer, _stream: socket.socket, _body: bytes) -> None:
    server.hang()


def _drip_body(server: KeyServer, stream: socket.socket, body: bytes) -> None:
    stream.sendall(_head("200 OK", f"content-length: {len(body)}"))
    server.drip(stream, body)


def _stream(server: KeyServer, stream: socket.socket, _body: bytes) -> None:
    stream.sendall(_head("200 OK"))
    server.pour(stream, b" " * 65536, STREAM_BYTES)


def _announce_huge(server: KeyServer, stream: socket.socket, _body: bytes) -> None:
    stream.sendall(_head("200 OK", f"content-length: {STREAM_BYTES}"))
    server.hang()


def _many_keys(_server: KeyServer, stream: socket.socket, _body: bytes) -> None:
    stream.sendall(_whole(b'{"keys":[' + b",".join([b"{}"] * 20_000) + b"]}"))


def _endless_head(server: KeyServer, stream: socket.socket, _body: bytes) -> None:
    stream.sendall(b"HTTP/1.1 200 OK\r\n")
    server.pour(stream, b"x-more: " + b"y" * 4096 + b"\r\n", STREAM_BYTES)


def _endless_interim(server: KeyServer, stream: socket.socket, _body: bytes) -> None:
    server.pour(stream, b"HTTP/1.1 100 Continue\r\n\r\n" * 100, STREAM_BYTES)


def _chunked(_server: KeyServer, stream: socket.socket, body: bytes) -> None:
    stream.sendall(_head("200 OK", "transfer-encoding: chunked"))
    for start in range(0, len(body), 100):
        piece = body[start : start + 100]
        stream.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
    stream.sendall(b"0\r\n\r\n")


def _tiny_chunks(server: KeyServer, stream: socket.socket, _body: bytes) -> None:
    stream.sendall(_head("200 OK", "transfer-encoding: chunked"))
    server.pour(stream, b"1\r\nx\r\n" * 1000, STREAM_BYTES)


def _cut_short(_server: KeyServer, stream: socket.socket, body: bytes) -> None:
    stream.sendall(_whole(body)[:-10])


def _redirect(server: KeyServer, stream: socket.socket, _body: bytes) -> None:
    stream.sendall(_whole(b"", f"location: {server.redirect_to}", status="302 Found"))


def _serve(server: KeyServer, stream: socket.socket, body: bytes) -> None:
    stream.sendall(_whole(body, *server.fields))


def _fixed(answer: Callable[[bytes], bytes]) -> Callable[[KeyServer, socket.socket, bytes], None]:
    return lambda _server, stream, body: stream.sendall(answer(body))


_ANSWERS: dict[Mode, Callable[[KeyServer, socket.socket, bytes], None]] = {
    Mode.SERVE: _serve,
    Mode.HANG: _hang,
    Mode.DRIP_HEAD: lambda server, stream, body: server.drip(stream, _whole(body)),
    Mode.DRIP_BODY: _drip_body,
    Mode.ERROR_500: _fixed(lambda _: _whole(b"secret stack trace", status="500 Internal Server Error")),
    Mode.REFUSE_401: _fixed(lambda _: _whole(b"{}", "www-authenticate: Bearer", status="401 Unauthorized")),
    Mode.REFUSE_403: _fixed(lambda _: _whole(b"{}", status="403 Forbidden")),
    Mode.EMPTY_204: _fixed(lambda _: _head("204 No Content")),
    Mode.HTML: _fixed(lambda _: _whole(b"<html>captive portal</html>", "content-type: text/html")),
    Mode.REDIRECT: _redirect,
    Mode.GZIP: _fixed(lambda body: _whole(gzip.compress(body), "content-encoding: gzip")),
    Mode.GZIP_CUT: _fixed(lambda body: _whole(gzip.compress(body)[:-12], "content-encoding: gzip")),
    Mode.GZIP_BOMB: _fixed(lambda _: _whole(gzip.compress(b" " * 4_000_000), "content-encoding: gzip")),
    Mode.NOT_GZIP: _fixed(lambda body: _whole(body, "content-encoding: gzip")),
    Mode.BROTLI: _fixed(lambda body: _whole(body, "content-encoding: br")),
    Mode.CHANGED_203: _fixed(lambda body: _whole(body, status="203 Non-Authoritative Information")),
    Mode.NOT_FOUND_404: _fixed(lambda _: _whole(b"<html>secret</html>", status="404 Not Found")),
    Mode.BOM: _fixed(lambda body: _whole(b"\xef\xbb\xbf" + body)),
    Mode.STREAM: _stream,
    Mode.ANNOUNCE_HUGE: _announce_huge,
    Mode.MANY_KEYS: _many_keys,
    Mode.ENDLESS_HEAD: _endless_head,
    Mode.ENDLESS_INTERIM: _endless_interim,
    Mode.CHUNKED: _chunked,
    Mode.TINY_CHUNKS: _tiny_chunks,
    Mode.CUT_SHORT: _cut_short,
    Mode.NOT_HTTP: _fixed(lambda _: b"SSH-2.0-OpenSSH_9.2\r\n"),
    Mode.CLOSE: lambda _server, _stream, _body: None,
}
