"""A real HTTP proxy on loopback that opens tunnels with CONNECT, or refuses in one of the ways that proxies do.

with ConnectProxy({"idp.test": "127.0.0.1"}) as proxy:
    proxy.mode = ProxyMode.HTML
"""

from __future__ import annotations

import base64
import socket
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from threading import Event, Lock, Thread
from typing import Self


class ProxyMode(StrEnum):
    """How CONNECT is answered."""

    SERVE = "serve"
    SERVE_1_0 = "serve_1_0"
    INJECT = "inject"
    HTML = "html"
    HTML_LATER = "html_later"
    HTML_INSTEAD_OF_HTTP = "html_instead_of_http"
    FORBIDDEN = "forbidden"
    BAD_GATEWAY = "bad_gateway"
    REDIRECT = "redirect"
    HANG = "hang"
    CLOSE = "close"
    ENDLESS_HEAD = "endless_head"
    ENDLESS_INTERIM = "endless_interim"


_PAGE = b"<html>secret sign-in page</html>"
_OPEN = b"HTTP/1.1 200 Connection established\r\nx-pad: "
_INJECTED = _OPEN + b"y" * (4096 - len(_OPEN) - 4) + b"\r\n\r\n" + b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged"
"""A head of exactly the 4 KiB that are read at a time, followed by bytes that look like the endpoint's body."""

_FIXED = {
    ProxyMode.HTML: b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 32\r\n\r\n" + _PAGE,
    ProxyMode.HTML_INSTEAD_OF_HTTP: _PAGE + b"\r\n\r\n",
    ProxyMode.FORBIDDEN: b"HTTP/1.1 403 Forbidden\r\ncontent-length: 32\r\n\r\n" + _PAGE,
    ProxyMode.BAD_GATEWAY: b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
    ProxyMode.REDIRECT: b"HTTP/1.1 302 Found\r\nlocation: https://evil.example/\r\ncontent-length: 0\r\n\r\n",
    ProxyMode.CLOSE: b"",
}
_POURED = {
    ProxyMode.ENDLESS_HEAD: b"HTTP/1.1 200 OK\r\n" + b"x-more: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n" * 4000,
    ProxyMode.ENDLESS_INTERIM: b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000,
}


class ConnectProxy:
    """Connects to the addresses of a table of host names, and to no other host. Attributes may be set live."""

    def __init__(self, hosts: Mapping[str, str], *, credentials: str = "", address: str = "127.0.0.1") -> None:
        self.mode = ProxyMode.SERVE
        self.hosts = dict(hosts)
        self.credentials = credentials
        """`user:password` that must be sent; empty if none is needed."""
        self.heads: list[str] = []
        """The head of every request seen, in order."""
        self._address = address
        self._stopping = Event()
        self._lock = Lock()
        self._sockets: list[socket.socket] = []
        self._threads: list[Thread] = []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, 0), family=family)
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        """What operators write, without credentials."""
        return f"http://{f'[{self._address}]' if ':' in self._address else self._address}:{self.port}"

    @property
    def targets(self) -> list[str]:
        """What CONNECT named, in order."""
        return [head.split(" ")[1] for head in self.heads]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with self._lock:
            for open_socket in (self._listener, *self._sockets):
                with suppress(OSError):
                    open_socket.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in list(self._threads):
            thread.join(5)
            assert not thread.is_alive()

    def _start(self, target: object, *arguments: object) -> None:
        thread = Thread(target=target, args=arguments, name="fake-proxy", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while not self._stopping.is_set():
                client = self._listener.accept()[0]
                self._keep(client)
                self._start(self._serve, client)

    def _keep(self, opened: socket.socket) -> None:
        with self._lock:
            self._sockets.append(opened)

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            head = b""
            while b"\r\n\r\n" not in head:
                data = client.recv(4096)
                if not data:
                    return
                head += data
            self.heads.append(head.decode("latin-1"))
            if self.mode is ProxyMode.HANG:
                self._stopping.wait(30)
            elif self.mode is ProxyMode.HTML_LATER:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                client.recv(4096)  # the beginning of TLS
                client.sendall(_PAGE)
            elif self.mode in _POURED:
                client.sendall(_POURED[self.mode])
                self._stopping.wait(30)
            elif self.mode in _FIXED:
                client.sendall(_FIXED[self.mode])
            elif not self._knows(head):
                client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n")
            else:
                self._tunnel(client, head.split(b" ")[1].decode())

    def _knows(self, head: bytes) -> bool:
        encoded = base64.b64encode(self.credentials.encode())
        return not self.credentials or b"proxy-authorization: basic " + encoded.lower() in head.lower()

    def _tunnel(self, client: socket.socket, target: str) -> None:
        host, _, port = target.rpartition(":")
        with socket.create_connection((self.hosts[host.strip("[]")], int(port))) as upstream:
            self._keep(upstream)
            if self.mode is ProxyMode.INJECT:
                client.sendall(_INJECTED)
                self._start(_copy, upstream, client)
                _copy(client, upstream)
                return
            version = "1.0" if self.mode is ProxyMode.SERVE_1_0 else "1.1"
            client.sendall(f"HTTP/{version} 200 Connection established\r\n\r\n".encode())
            self._start(_copy, upstream, client)
            _copy(client, upstream)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(16384):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
