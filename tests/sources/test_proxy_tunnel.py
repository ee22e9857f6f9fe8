"""Fetching through an HTTP proxy: the bytes it sees, its attacks, and the report of each refusal."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from authz.core import egress_proxy, url
from authz.sources import tls
from authz.sources.background import Background
from authz.sources.fetch_result import FetchFailed, FetchResult
from authz.sources.https import get
from tests.fakes.certificates import authority_pem, server_context
from tests.fakes.connect_proxy import ConnectProxy, ProxyMode
from tests.fakes.keyserver import KeyServer
from tests.sources.deadlines import AMPLE, GUARD, SHORT, Fetch, failure_of


@pytest.fixture
def idp() -> Iterator[KeyServer]:
    with KeyServer(b"keys", tls=server_context(host="idp.test")) as server:
        yield server


@pytest.fixture
def proxy() -> Iterator[ConnectProxy]:
    with ConnectProxy({"idp.test": "127.0.0.1"}) as running:
        yield running


@pytest.fixture
def fetch(background: Background, tmp_path: Path) -> Fetch:
    """GET through a proxy. A direct name lookup is an error: only the proxy looks the target up."""
    (tmp_path / "ca.pem").write_bytes(authority_pem())

    async def resolve(host: str, _port: int) -> Sequence[str]:
        assert host == "proxy.test"
        return ["127.0.0.1"]

    def run(
        address: str,
        proxy: str,
        *,
        context: ssl.SSLContext | None = None,
        bearer: str = "",
        deadline: float = AMPLE,
    ) -> bytes:
        answer = get(
            url.parse(address),
            context=context or tls.context(str(tmp_path / "ca.pem")),
            resolve=resolve,
            proxy=egress_proxy.parse(proxy),
            bearer=bearer,
            deadline_seconds=deadline,
            max_bytes=1024,
        )
        return background.submit(answer).result(GUARD)

    return run


@pytest.mark.parametrize("mode", [ProxyMode.SERVE, ProxyMode.SERVE_1_0])
def test_the_body_arrives_through_the_tunnel(
    fetch: Fetch, idp: KeyServer, proxy: ConnectProxy, mode: ProxyMode
) -> None:
    proxy.mode = mode

    assert fetch(f"https://idp.test:{idp.port}/jwks", proxy.url) == b"keys"
    assert proxy.targets == [f"idp.test:{idp.port}"]


def test_a_proxy_cannot_slip_a_body_in_before_tls(fetch: Fetch, idp: KeyServer, proxy: ConnectProxy) -> None:
    """Plain text sent before the handshake must never be read as the decrypted response."""
    proxy.mode = ProxyMode.INJECT

    try:
        body = fetch(f"https://idp.test:{idp.port}/jwks", proxy.url)
    except FetchFailed as failure:
        body = failure.result.value.encode()

    assert body in {b"keys", b"proxy_failed", b"tls_failed"}


def test_the_proxy_sees_host_and_port_and_neither_path_nor_bearer_token(
    fetch: Fetch, idp: KeyServer, proxy: ConnectProxy
) -> None:
    fetch(f"https://idp.test:{idp.port}/secret-path", proxy.url, bearer="secret-token")

    assert "secret" not in "".join(proxy.heads)
    assert "authorization: bearer secret-token" in idp.heads[0].lower()
    assert "proxy" not in idp.heads[0].lower()


def test_the_proxy_itself_can_have_a_name_and_no_scheme(fetch: Fetch, idp: KeyServer, proxy: ConnectProxy) -> None:
    assert fetch(f"https://idp.test:{idp.port}/", f"proxy.test:{proxy.port}") == b"keys"


def test_the_proxy_can_have_an_ipv6_address(fetch: Fetch, idp: KeyServer) -> None:
    with ConnectProxy({"idp.test": "127.0.0.1"}, address="::1") as proxy:
        assert fetch(f"https://idp.test:{idp.port}/", proxy.url) == b"keys"


def test_an_ipv6_target_is_named_in_brackets(fetch: Fetch) -> None:
    with (
        KeyServer(b"keys", tls=server_context(host="2001:db8::1")) as server,
        ConnectProxy({"2001:db8::1": "127.0.0.1"}) as proxy,
    ):
        assert fetch(f"https://[2001:db8::1]:{server.port}/", proxy.url) == b"keys"
        assert proxy.targets == [f"[2001:db8::1]:{server.port}"]


@pytest.mark.parametrize("credentials", ["alice:pa55", "alice:p:a:ss", "al ice:p@/ss"])
def test_basic_credentials_are_sent_as_they_were_before_percent_encoding(
    fetch: Fetch, idp: KeyServer, proxy: ConnectProxy, credentials: str
) -> None:
    proxy.credentials = credentials
    encoded = credentials.replace("@", "%40").replace("/", "%2F").replace(" ", "%20")

    assert fetch(f"https://idp.test:{idp.port}/", proxy.url.replace("://", f"://{encoded}@")) == b"keys"


@pytest.mark.parametrize("given", ["", "alice:wrong@"])
def test_a_proxy_that_wants_credentials_says_where_to_write_them(
    fetch: Fetch, idp: KeyServer, proxy: ConnectProxy, given: str
) -> None:
    proxy.credentials = "alice:pa55"

    failure = failure_of(fetch, f"https://idp.test:{idp.port}/", proxy.url.replace("://", f"://{given}"))

    assert (failure.result, failure.status) == (FetchResult.PROXY_FAILED, 0)
    assert "status 407" in failure.detail
    assert "HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT" in failure.detail
    assert "wrong" not in failure.detail


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        (ProxyMode.HTML, "sent a page instead of a tunnel"),
        (ProxyMode.HTML_INSTEAD_OF_HTTP, "not HTTP/1.1"),
        (ProxyMode.FORBIDDEN, "status 403 for CONNECT"),
        (ProxyMode.BAD_GATEWAY, "status 502 for CONNECT"),
        (ProxyMode.REDIRECT, "status 302 for CONNECT"),
        (ProxyMode.CLOSE, "closed the connection"),
        (ProxyMode.ENDLESS_HEAD, "larger than"),
        (ProxyMode.ENDLESS_INTERIM, "larger than"),
    ],
)
def test_a_proxy_that_opens_no_tunnel_is_one_result_that_names_it(
    fetch: Fetch, idp: KeyServer, proxy: ConnectProxy, mode: ProxyMode, words: str
) -> None:
    proxy.mode = mode

    failure = failure_of(fetch, f"https://idp.test:{idp.port}/", proxy.url)

    assert (failure.result, failure.status) == (FetchResult.PROXY_FAILED, 0)
    assert f"the proxy 127.0.0.1:{proxy.port}: " in failure.detail
    assert words in failure.detail
    assert "secret" not in failure.detail
    assert idp.connections == 0


def test_a_proxy_that_hangs_is_timeout(fetch: Fetch, idp: KeyServer, proxy: ConnectProxy) -> None:
    proxy.mode = ProxyMode.HANG

    assert failure_of(fetch, f"https://idp.test:{idp.port}/", proxy.url, deadline=SHORT).result is FetchResult.TIMEOUT


def test_a_proxy_that_is_not_there_is_proxy_failed(fetch: Fetch) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]

    failure = failure_of(fetch, "https://idp.test/", f"http://127.0.0.1:{port}")

    assert failure.result is FetchResult.PROXY_FAILED
    assert failure.detail == f"the proxy 127.0.0.1:{port}: it cannot be reached: Connection refused"


def test_the_certificate_in_the_tunnel_must_be_the_targets(fetch: Fetch, proxy: ConnectProxy) -> None:
    with KeyServer(b"evil", tls=server_context(host="127.0.0.1")) as other:
        failure = failure_of(fetch, f"https://idp.test:{other.port}/", proxy.url, bearer="secret")

    assert failure.result is FetchResult.TLS_FAILED
    assert "mismatch" in failure.detail.lower()
    assert other.heads == []


def test_a_page_that_comes_a_moment_later_is_tls_failed(fetch: Fetch, idp: KeyServer, proxy: ConnectProxy) -> None:
    proxy.mode = ProxyMode.HTML_LATER

    failure = failure_of(fetch, f"https://idp.test:{idp.port}/", proxy.url)

    assert failure.result is FetchResult.TLS_FAILED
    assert "secret" not in failure.detail


def test_http_is_never_sent_to_a_proxy(fetch: Fetch, proxy: ConnectProxy) -> None:
    assert failure_of(fetch, "http://127.0.0.1/", proxy.url).result is FetchResult.URL_REFUSED
    assert proxy.heads == []
