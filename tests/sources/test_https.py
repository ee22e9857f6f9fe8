from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Thread

import pytest

from authz.core import url
from authz.sources import tls
from authz.sources.background import Background
from authz.sources.fetch_result import FetchResult
from authz.sources.https import MAX_HEAD_BYTES, get
from tests.fakes.certificates import authority_pem, old_server_context, server_context
from tests.fakes.keyserver import KeyServer, Mode
from tests.sources.deadlines import AMPLE, GUARD, SHORT, Fetch, failure_of

MAX_BYTES = 512 * 1024


@pytest.fixture
def fetch(background: Background) -> Fetch:
    def run(
        address: str,
        *,
        context: ssl.SSLContext | None = None,
        bearer: str = "",
        found: Sequence[str] = (),
        deadline: float = AMPLE,
    ) -> bytes:
        async def resolve(_host: str, _port: int) -> Sequence[str]:
            return found

        answer = get(
            url.parse(address),
            context=context or tls.context(""),
            resolve=resolve,
            bearer=bearer,
            deadline_seconds=deadline,
            max_bytes=MAX_BYTES,
        )
        return background.submit(answer).result(GUARD)

    return run


@pytest.fixture
def trusting(tmp_path: Path) -> ssl.SSLContext:
    """Trusts the test authority."""
    (tmp_path / "ca.pem").write_bytes(authority_pem())
    return tls.context(str(tmp_path / "ca.pem"))


@pytest.mark.parametrize("mode", [Mode.SERVE, Mode.CHUNKED, Mode.GZIP, Mode.CHANGED_203])
def test_a_good_answer_is_the_body(fetch: Fetch, mode: Mode) -> None:
    with KeyServer(b"k" * 1234) as server:
        server.mode = mode

        assert fetch(server.url) == b"k" * 1234


@pytest.mark.parametrize(
    ("mode", "result", "status"),
    [
        (Mode.HANG, FetchResult.TIMEOUT, 0),
        (Mode.DRIP_HEAD, FetchResult.TIMEOUT, 0),
        (Mode.DRIP_BODY, FetchResult.TIMEOUT, 0),
        (Mode.ERROR_500, FetchResult.HTTP_STATUS, 500),
        (Mode.EMPTY_204, FetchResult.HTTP_STATUS, 204),
        (Mode.BROTLI, FetchResult.MALFORMED, 0),
        (Mode.NOT_GZIP, FetchResult.MALFORMED, 0),
        (Mode.GZIP_CUT, FetchResult.MALFORMED, 0),
        (Mode.GZIP_BOMB, FetchResult.TOO_LARGE, 0),
        (Mode.CUT_SHORT, FetchResult.MALFORMED, 0),
        (Mode.NOT_HTTP, FetchResult.MALFORMED, 0),
        (Mode.CLOSE, FetchResult.MALFORMED, 0),
        (Mode.ANNOUNCE_HUGE, FetchResult.TOO_LARGE, 0),
        (Mode.STREAM, FetchResult.TOO_LARGE, 0),
        (Mode.ENDLESS_HEAD, FetchResult.TOO_LARGE, 0),
        (Mode.ENDLESS_INTERIM, FetchResult.TOO_LARGE, 0),
        (Mode.TINY_CHUNKS, FetchResult.TOO_LARGE, 0),
    ],
)
def test_any_other_answer_is_one_result_within_the_deadline(
    fetch: Fetch, mode: Mode, result: FetchResult, status: int
) -> None:
    with KeyServer(b"secret body " * 100) as server:
        server.mode = mode

        failure = failure_of(fetch, server.url, deadline=SHORT if result is FetchResult.TIMEOUT else AMPLE)

    assert (failure.result, failure.status) == (result, status)
    assert "secret" not in failure.detail


def test_a_stream_of_200_mib_is_stopped_near_the_limit(fetch: Fetch) -> None:
    with KeyServer() as server:
        server.mode = Mode.STREAM

        failure_of(fetch, server.url)

    # Unread bytes are in socket buffers of a few MiB at most.
    assert server.body_bytes_sent < MAX_BYTES + MAX_HEAD_BYTES + 8 * 1024 * 1024


def test_a_body_of_exactly_the_limit_is_taken_and_one_byte_more_is_not(fetch: Fetch) -> None:
    with KeyServer(b"x" * MAX_BYTES) as server:
        assert len(fetch(server.url)) == MAX_BYTES
        server.document += b"x"
        assert failure_of(fetch, server.url).result is FetchResult.TOO_LARGE


def test_a_redirect_is_refused_and_its_target_never_asked(fetch: Fetch) -> None:
    with KeyServer(b"evil") as evil, KeyServer() as server:
        server.mode, server.redirect_to = Mode.REDIRECT, evil.url

        failure = failure_of(fetch, server.url)

    assert (failure.result, failure.status) == (FetchResult.REDIRECT, 302)
    assert evil.connections == 0


def test_proxies_of_the_environment_are_ignored_unless_configured(
    fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with KeyServer(b"from the proxy") as proxy, KeyServer(b"from the server") as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.origin)
            monkeypatch.setenv(name.lower(), proxy.origin)

        assert fetch(server.url) == b"from the server"

    assert proxy.connections == 0


def test_the_request_asks_for_plain_json_once_with_the_bearer_token(fetch: Fetch) -> None:
    with KeyServer() as server:
        fetch(server.url + "?a=b", bearer="abc.def")

        request_line, *fields = server.heads[0].lower().strip().split("\r\n")

    assert request_line == "get /jwks?a=b http/1.1"
    assert {
        f"host: 127.0.0.1:{server.port}",
        "accept-encoding: identity",
        "connection: close",
        "authorization: bearer abc.def",
    } <= set(fields)


def test_no_authorization_is_sent_where_none_is_configured(fetch: Fetch) -> None:
    with KeyServer() as server:
        fetch(server.url)

        assert "authorization" not in server.heads[0].lower()


def test_a_port_where_nobody_listens_is_connect_failed(fetch: Fetch) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]

    assert failure_of(fetch, f"http://127.0.0.1:{port}/").result is FetchResult.CONNECT_FAILED


@contextmanager
def _never_accepting(address: str, port: int = 0) -> Iterator[int]:
    """A listener whose queue is full, so that connecting hangs; its port."""
    with socket.create_server((address, port), backlog=0) as full, ExitStack() as fillers:
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.settimeout(0)
            filler.connect_ex(full.getsockname())
        yield full.getsockname()[1]


def test_a_server_that_never_accepts_is_timeout(fetch: Fetch) -> None:
    with _never_accepting("127.0.0.1") as port:
        assert failure_of(fetch, f"http://127.0.0.1:{port}/", deadline=SHORT).result is FetchResult.TIMEOUT


def test_localhost_works_where_only_ipv4_listens(fetch: Fetch) -> None:
    with KeyServer(b"here") as server:
        assert fetch(f"http://localhost:{server.port}/") == b"here"


def test_https_with_a_trusted_certificate_is_read(fetch: Fetch, trusting: ssl.SSLContext) -> None:
    with KeyServer(b"keys", tls=server_context()) as server:
        assert fetch(server.url, context=trusting) == b"keys"


def test_the_next_address_is_tried_where_the_first_is_dead(fetch: Fetch, trusting: ssl.SSLContext) -> None:
    with KeyServer(b"keys", tls=server_context(host="idp.test")) as server:
        found = ["127.1.2.3", "127.0.0.1"]  # the server listens on the second only

        assert fetch(f"https://idp.test:{server.port}/", context=trusting, found=found) == b"keys"


def test_the_next_address_is_tried_where_the_first_hangs(fetch: Fetch, trusting: ssl.SSLContext) -> None:
    with KeyServer(b"keys", tls=server_context(host="idp.test")) as server, _never_accepting("127.1.2.3", server.port):
        found = ["127.1.2.3", "127.0.0.1"]

        assert fetch(f"https://idp.test:{server.port}/", context=trusting, found=found) == b"keys"


@pytest.mark.parametrize(
    ("certificate", "word"),
    [
        (server_context(expired=True), "expired"),
        (server_context(host="idp.test"), "mismatch"),
        (server_context(host="127.0.0.2"), "mismatch"),
        (server_context(self_signed=True), "self-signed"),
        (old_server_context(), "protocol"),
    ],
    ids=["expired", "other name", "other address", "self-signed", "TLS 1.1"],
)
def test_a_bad_certificate_is_refused_before_anything_is_sent(
    fetch: Fetch, trusting: ssl.SSLContext, certificate: ssl.SSLContext, word: str
) -> None:
    with KeyServer(b"evil", tls=certificate) as server:
        failure = failure_of(fetch, server.url, context=trusting, bearer="secret")

    assert failure.result is FetchResult.TLS_FAILED
    assert word in failure.detail.lower()
    assert server.heads == []


def test_an_authority_that_the_system_does_not_know_is_refused(fetch: Fetch) -> None:
    with KeyServer(tls=server_context()) as server:
        assert failure_of(fetch, server.url).result is FetchResult.TLS_FAILED


def _answer_in_plain_text(listener: socket.socket) -> None:
    connection = listener.accept()[0]
    with connection:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.recv(4096)


def test_plain_http_behind_an_https_url_is_tls_failed(fetch: Fetch, trusting: ssl.SSLContext) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as plain:
        answering = Thread(target=_answer_in_plain_text, args=(plain,))
        answering.start()

        failure = failure_of(fetch, f"https://127.0.0.1:{plain.getsockname()[1]}/", context=trusting)

        answering.join()
    assert failure.result is FetchResult.TLS_FAILED


def test_a_lookup_that_finds_nothing_is_dns_failed(fetch: Fetch) -> None:
    assert failure_of(fetch, "https://idp.test/").result is FetchResult.DNS_FAILED
