"""The admin port: its answers, and the small cost of a bad peer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from authz.server import admin as module
from authz.server.admin import Admin, json_page

LARGE = b"x" * (8 * 1024 * 1024)
HOSTS = ("authz.internal.example",)
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def serving(use: Callable[[int], Awaitable[bytes]]) -> bytes:
    """Use an admin port for a bounded time."""

    async def run() -> bytes:
        pages = {"/page": lambda: json_page(200, {"a": 1}), "/large": lambda: (200, "text/plain", LARGE)}
        admin = Admin(pages, HOSTS)
        port = await admin.start("127.0.0.1", 0)
        try:
            async with asyncio.timeout(20):
                return await use(port)
        finally:
            admin.close()

    return asyncio.run(run())


async def connect(port: int, data: bytes = b"") -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(data)
    return reader, writer


async def fetch(port: int, data: bytes) -> bytes:
    """Send bytes, and get all that comes back."""
    reader, writer = await connect(port, data)
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def ask(data: bytes) -> bytes:
    return serving(lambda port: fetch(port, data))


def get(target: str, method: str = "GET") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode()


def test_page_is_answered_with_its_length_and_the_connection_ends() -> None:
    head, _, body = ask(get("/page?x=1")).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-length: %d\r\n" % len(body) in head
    assert b"connection: close" in head
    assert json.loads(body) == {"a": 1}


def test_large_page_arrives_whole() -> None:
    assert ask(get("/large")).endswith(LARGE)


def test_head_has_the_head_only() -> None:
    head, _, body = ask(get("/page", "HEAD")).partition(b"\r\n\r\n")

    assert b"content-length: 13" in head
    assert body == b""


@pytest.mark.parametrize("target", ["/", "/page/", "/metrics/../page", "/%70age", "*"])
def test_other_path_is_not_found_and_the_pages_are_listed(target: str) -> None:
    answer = ask(get(target))

    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"/page" in answer


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "X"])
def test_other_method_is_not_allowed(method: str) -> None:
    assert ask(get("/page", method)).startswith(b"HTTP/1.1 405 ")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /page HTTP/1.1\r\n\r\n",
        b"GET /page\r\n\r\n",
        b"GET /page HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        b"GET /page HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + b"y" * 20_000 + b"\r\n\r\n",
        b"x" * 100_000,
    ],
)
def test_what_is_not_http_ends_without_a_page(data: bytes) -> None:
    assert b" 200 " not in ask(data)


def test_peer_that_says_nothing_or_little_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.2)

    assert ask(b"") == b""
    assert ask(b"GET /page HTTP/1.1\r\nhost:") == b""


def test_peer_that_does_not_read_its_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise every such peer would keep a page and a connection for as long as it likes."""
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.3)

    async def stall(port: int) -> bytes:
        reader, writer = await connect(port, get("/large"))
        await asyncio.sleep(1)
        received = b""
        try:
            while part := await reader.read(65536):
                received += part
        except ConnectionError:
            pass
        finally:
            writer.close()
        return received

    assert len(serving(stall)) < len(LARGE)


@pytest.mark.parametrize("bound", ["MAX_CONNECTIONS", "MAX_PER_ADDRESS"])
def test_one_connection_more_than_the_bound_drops_the_oldest_unfinished_one(
    monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(module, bound, 3)

    async def crowd(port: int) -> bytes:
        silent = [await connect(port, b"GET /page HTTP/1.1\r\n") for _ in range(3)]
        await asyncio.sleep(0.1)
        page = await fetch(port, get("/page"))
        assert await is_over(silent[0])
        for reader, writer in silent[1:]:
            writer.write(b"host: 127.0.0.1\r\n\r\n")
            assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
        for _reader, writer in silent:
            writer.close()
        return page

    assert serving(crowd).startswith(b"HTTP/1.1 200 ")


def test_a_finished_request_is_not_dropped_for_an_unfinished_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 2)

    async def crowd(port: int) -> bytes:
        reader, writer = await connect(port, get("/large"))  # not read yet, so it stays open
        await asyncio.sleep(0.1)
        silent = [await connect(port) for _ in range(3)]
        await asyncio.sleep(0.1)
        received = await reader.read()
        for _reader, other in [*silent, (reader, writer)]:
            other.close()
        return received

    assert serving(crowd).endswith(LARGE)


def test_a_thousand_half_requests_do_not_keep_a_probe_out() -> None:
    async def crowd(port: int) -> bytes:
        silent = [await connect(port, b"GET /page HTTP/1.1\r\n") for _ in range(1000)]
        answer = await fetch(port, get("/page"))
        for _reader, writer in silent:
            writer.close()
        return answer

    assert serving(crowd).startswith(b"HTTP/1.1 200 ")


async def is_over(streams: Streams) -> bool:
    try:
        return await streams[0].read() == b""
    except ConnectionError:
        return True


# --- the Host header: a page in a browser must not read the port through a name that it resolves to 127.0.0.1


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:9464",
        "10.1.2.3:9464",
        "[::1]",
        "[::1]:9464",
        "[fd00::1]:9464",
        "localhost",
        "LOCALHOST:9464",
        "authz.internal.example",
        "Authz.Internal.Example:9464",
    ],
)
def test_a_request_by_address_or_known_name_is_answered(host: str) -> None:
    assert ask(f"GET /page HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:9464",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.example@127.0.0.1",
        "127.0.0.1@evil.example",
        "127.0.0.1, evil.example",
        "x.authz.internal.example",
        "authz.internal.example.evil.example",
        "127.1",
        "2130706433",
        "0x7f000001",
        "127.0.0.1:x",
        "[::1",
        "::1",
        "[127.0.0.1]",
        "[::1%eth0]",
        "127.0.0.\u0661",
    ],
)
@pytest.mark.parametrize("target", ["/page", "/", "http://127.0.0.1/page"])
def test_a_request_by_any_other_name_is_refused_and_the_name_is_not_repeated(host: str, target: str) -> None:
    answer = ask(f"GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())

    assert b" 200 " not in answer
    assert b"pages" not in answer
    assert b"evil" not in answer


def test_a_request_of_http_1_0_without_a_host_is_refused() -> None:
    assert ask(b"GET /page HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 421 ")


def test_two_hosts_are_refused() -> None:
    assert b" 200 " not in ask(b"GET /page HTTP/1.1\r\nhost: 127.0.0.1\r\nhost: evil.example\r\n\r\n")


def test_a_hundred_silent_peers_do_not_keep_a_probe_waiting_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUEST_SECONDS", 0.3)

    async def crowd(port: int) -> bytes:
        silent = [await connect(port) for _ in range(100)]
        await asyncio.sleep(0.6)
        answer = await fetch(port, get("/page"))
        for _reader, writer in silent:
            writer.close()
        return answer

    assert serving(crowd).startswith(b"HTTP/1.1 200 ")
