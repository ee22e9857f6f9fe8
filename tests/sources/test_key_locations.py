"""The locations of key sets: several hosts, a proxy, OAuth metadata, IPv6, compressed bodies, a private authority."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from authz.sources.environment import Environment
from authz.sources.fetch_result import FetchResult
from authz.sources.jwks import JwksSource
from tests.fakes.certificates import authority_pem, server_context
from tests.fakes.clock import FakeClock
from tests.fakes.connect_proxy import ConnectProxy
from tests.fakes.keys import jwk, jwks, rsa_key
from tests.fakes.keyserver import KeyServer, Mode
from tests.fakes.waiting import until
from tests.sources.conftest import Event, MakeSource

KEYS = jwks(jwk(rsa_key(), "a"))
ROTATED = jwks(jwk(rsa_key(1), "b"))
OAUTH_PATH = "/.well-known/oauth-authorization-server"


@pytest.fixture
def first() -> Iterator[KeyServer]:
    with KeyServer(KEYS) as server:
        yield server


@pytest.fixture
def second() -> Iterator[KeyServer]:
    with KeyServer(KEYS) as server:
        yield server


@pytest.fixture
def authority(tmp_path: Path) -> str:
    """The path of a file with the test authority."""
    (tmp_path / "ca.pem").write_bytes(authority_pem())
    return str(tmp_path / "ca.pem")


def _started(source: JwksSource) -> list[str]:
    """Start a source. The names of its keys after the first fetch."""
    source.start()
    until(lambda: source.report().last_result is not None, 5)
    return _names(source)


def _names(source: JwksSource) -> list[str]:
    return list(source.current.keys) if source.current is not None else []


def _ask(source: JwksSource, clock: FakeClock) -> FetchResult | None:
    clock.advance(6)
    fetch = source.ask()
    assert fetch is not None
    fetch.result(5)
    return source.report().last_result


@pytest.mark.parametrize(
    "mode", [Mode.HANG, Mode.DRIP_BODY, Mode.ERROR_500, Mode.CLOSE, Mode.HTML, Mode.STREAM, Mode.REDIRECT]
)
def test_one_host_that_is_down_loses_nothing(
    make_source: MakeSource, first: KeyServer, second: KeyServer, events: list[Event], mode: Mode
) -> None:
    first.mode = mode

    source = make_source(jwks_uri=first.url, fallbacks=(second.url,))

    assert _started(source) == ["a"]
    assert source.report().last_result is FetchResult.OK
    names = [name for name, _ in events]
    assert names == ["jwks_failed_over", "jwks_refreshed"]


def test_the_host_that_was_good_last_is_asked_first(
    make_source: MakeSource, clock: FakeClock, first: KeyServer, second: KeyServer
) -> None:
    first.mode = Mode.ERROR_500
    source = make_source(jwks_uri=first.url, fallbacks=(second.url,))
    _started(source)
    asked = first.requests

    second.document = ROTATED
    assert _ask(source, clock) is FetchResult.OK
    assert (first.requests, _names(source)) == (asked, ["b"])

    first.mode, second.mode = Mode.SERVE, Mode.HANG
    assert _ask(source, clock) is FetchResult.OK
    assert _names(source) == ["a"]


def test_a_name_lookup_that_hangs_does_not_hold_up_the_next_host(
    make_source: MakeSource, quick: Callable[..., Environment], second: KeyServer
) -> None:
    def hang(_host: str, _port: int) -> list[str]:
        second_may_end.wait(5)
        return []

    second_may_end = threading.Event()
    source = make_source(environment=quick(look_up=hang), jwks_uri="https://idp.test/jwks", fallbacks=(second.url,))

    assert _started(source) == ["a"]
    second_may_end.set()


def test_where_every_host_fails_the_last_failure_is_counted_once(
    make_source: MakeSource, first: KeyServer, second: KeyServer
) -> None:
    first.mode, second.mode = Mode.HANG, Mode.ERROR_500
    source = make_source(jwks_uri=first.url, fallbacks=(second.url,))

    assert _started(source) == []
    fetches = source.report().fetches
    assert sum(fetches.values()) == fetches[FetchResult.HTTP_STATUS] == 1


def test_keys_arrive_through_a_proxy_that_the_environment_names(
    make_source: MakeSource, quick: Callable[..., Environment], authority: str
) -> None:
    with (
        KeyServer(KEYS, tls=server_context(host="idp.test")) as server,
        ConnectProxy({"idp.test": "127.0.0.1"}, credentials="alice:pa55") as proxy,
    ):
        variables = {"HTTPS_PROXY": proxy.url.replace("://", "://alice:pa55@"), "NO_PROXY": "other.test"}
        source = make_source(
            environment=quick(variables=variables),
            jwks_uri=f"https://idp.test:{server.port}/jwks",
            ca_file=authority,
            proxy="environment",
        )

        assert _started(source) == ["a"]
        assert proxy.targets == [f"idp.test:{server.port}"]


def test_discovery_through_a_proxy_keeps_the_rule_of_one_host(make_source: MakeSource, authority: str) -> None:
    with (
        KeyServer(KEYS, tls=server_context(host="idp.test")) as server,
        ConnectProxy({"idp.test": "127.0.0.1", "evil.test": "127.0.0.1"}) as proxy,
    ):
        issuer = f"https://idp.test:{server.port}"
        server.discovery = {"issuer": issuer, "jwks_uri": f"https://evil.test:{server.port}/jwks"}
        source = make_source(discovery=issuer, ca_file=authority, proxy=proxy.url)

        assert _started(source) == []
        assert source.report().last_result is FetchResult.ISSUER_MISMATCH
        assert set(proxy.targets) == {f"idp.test:{server.port}"}


@pytest.mark.parametrize("path", ["", "/", "/tenant", "/tenant/"])
@pytest.mark.parametrize("mode", [Mode.NOT_FOUND_404, Mode.REFUSE_401])
def test_oauth_metadata_is_the_fallback_of_openid_discovery(
    make_source: MakeSource, first: KeyServer, path: str, mode: Mode
) -> None:
    issuer = first.origin + path
    first.modes[f"{path.removesuffix('/')}/.well-known/openid-configuration"] = mode
    first.document = json.dumps({"issuer": issuer, "jwks_uri": first.url, **json.loads(KEYS)}).encode()

    assert _started(make_source(discovery=issuer)) == ["a"]
    asked = [head.split(" ")[1] for head in first.heads]
    assert asked[1] == f"{OAUTH_PATH}{path.removesuffix('/')}"


@pytest.mark.parametrize("member", [{"issuer": "https://other.example"}, {"jwks_uri": "https://other.example/jwks"}])
def test_oauth_metadata_is_believed_no_more_than_an_openid_document(
    make_source: MakeSource, first: KeyServer, member: dict[str, str]
) -> None:
    first.modes["/.well-known/openid-configuration"] = Mode.NOT_FOUND_404
    first.document = json.dumps({"issuer": first.origin, "jwks_uri": first.url} | member).encode()
    source = make_source(discovery=first.origin)

    assert _started(source) == []
    assert source.report().last_result is FetchResult.ISSUER_MISMATCH


def test_a_provider_without_either_document_is_told_both(
    make_source: MakeSource, first: KeyServer, events: list[Event]
) -> None:
    first.mode = Mode.NOT_FOUND_404

    assert _started(make_source(discovery=first.origin)) == []
    (failed,) = [fields for name, fields in events if name == "jwks_failed"]
    assert failed["result"] == "http_status"
    assert failed["detail"] == (
        "status 404 instead of 200 for the OpenID document; status 404 instead of 200 for that of RFC 8414"
    )


def test_a_server_error_is_no_reason_to_look_for_another_document(make_source: MakeSource, first: KeyServer) -> None:
    first.mode = Mode.ERROR_500

    _started(make_source(discovery=first.origin))

    assert not any(OAUTH_PATH in head for head in first.heads)


@pytest.mark.parametrize("mode", [Mode.GZIP, Mode.CHANGED_203, Mode.BOM])
def test_what_delivery_networks_do_to_a_key_set_does_no_harm(
    make_source: MakeSource, first: KeyServer, mode: Mode
) -> None:
    first.mode = mode

    assert _started(make_source(jwks_uri=first.url)) == ["a"]


def test_a_key_file_may_begin_with_a_byte_order_mark(make_source: MakeSource, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_bytes(b"\xef\xbb\xbf" + KEYS)

    assert _started(make_source(jwks_file=str(tmp_path / "keys.json"))) == ["a"]


def test_a_host_with_only_an_ipv6_address_is_read(
    make_source: MakeSource, quick: Callable[..., Environment], authority: str
) -> None:
    with KeyServer(KEYS, tls=server_context(host="idp.test"), address="::1") as server:
        source = make_source(
            environment=quick(look_up=lambda _host, _port: ["::1"]),
            jwks_uri=f"https://idp.test:{server.port}/jwks",
            ca_file=authority,
        )

        assert _started(source) == ["a"]


def test_an_ipv6_address_in_the_url_is_verified_against_the_certificate(
    make_source: MakeSource, authority: str
) -> None:
    with KeyServer(KEYS, tls=server_context(host="::1"), address="::1") as server:
        assert _started(make_source(jwks_uri=server.url, ca_file=authority)) == ["a"]
        assert urlsplit(server.url).netloc in server.heads[0]


def test_many_addresses_of_a_family_without_a_route_do_not_hide_the_other(
    make_source: MakeSource, quick: Callable[..., Environment], authority: str
) -> None:
    dead = [f"127.1.2.{number}" for number in range(3, 9)]
    with KeyServer(KEYS, tls=server_context(host="idp.test"), address="::1") as server:
        source = make_source(
            environment=quick(look_up=lambda _host, _port: [*dead, "::1"]),
            jwks_uri=f"https://idp.test:{server.port}/jwks",
            ca_file=authority,
        )

        assert _started(source) == ["a"]


def test_a_private_authority_that_rotates_counts_from_the_next_fetch_on(
    make_source: MakeSource, clock: FakeClock, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    with KeyServer(KEYS, tls=server_context()) as server:
        file.write_bytes(authority_pem(1))
        source = make_source(jwks_uri=server.url, ca_file=str(file))
        assert _started(source) == []
        assert source.report().last_result is FetchResult.TLS_FAILED

        file.write_bytes(authority_pem(1) + authority_pem())  # both, while servers change over
        assert _ask(source, clock) is FetchResult.OK

        file.write_bytes(authority_pem(1))
        assert _ask(source, clock) is FetchResult.TLS_FAILED
        assert _names(source) == ["a"]
