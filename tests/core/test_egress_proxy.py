"""The field `proxy`, of an issuer and at the top, and the addresses it accepts."""

from __future__ import annotations

from typing import Any

import pytest

from authz.core.configuration import compile_configuration
from authz.core.egress_proxy import EgressProxy, ProxyRefused, parse
from authz.core.issuers import Issuer
from authz.core.problems import ConfigurationError
from authz.core.url import MAX_URL_CHARACTERS
from tests.fakes.checks import PARTNER

ISSUER = {"profile": "oidc", "issuer": PARTNER, "audiences": ["orders"]}
PROXY = "http://proxy.corp:3128"


def _issuer(issuer: dict[str, Any], **top: Any) -> Issuer:
    return compile_configuration({"issuers": {"idp": issuer}, **top}).issuers.by_alias["idp"]


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        (PROXY, EgressProxy("proxy.corp", 3128)),
        ("http://PROXY.corp:3128/", EgressProxy("proxy.corp", 3128)),
        ("proxy.corp:3128", EgressProxy("proxy.corp", 3128)),
        ("http://proxy.corp", EgressProxy("proxy.corp", 80)),
        ("http://10.0.0.1:3128", EgressProxy("10.0.0.1", 3128)),
        ("http://[2001:db8::1]:3128", EgressProxy("2001:db8::1", 3128)),
        ("http://alice:p%40ss@proxy.corp:3128", EgressProxy("proxy.corp", 3128, "alice", "p@ss")),
        ("http://alice@proxy.corp:3128", EgressProxy("proxy.corp", 3128, "alice")),
    ],
)
def test_a_proxy_is_host_and_port_and_maybe_credentials(text: str, proxy: EgressProxy) -> None:
    assert parse(text) == proxy


def test_messages_show_host_and_port_and_no_credentials() -> None:
    assert parse("http://alice:secret@proxy.corp:3128").authority == "proxy.corp:3128"
    assert parse("http://[2001:db8::1]:3128").authority == "[2001:db8::1]:3128"


ONLY_HTTP = "only http:// proxies are supported: TLS to the target runs inside of the tunnel"
HOST_OR_PORT = "its host or port is not valid"
NOT_AN_ORIGIN = "it has a path, a query or a fragment"
NOT_CLEAN = "it is too long, or has spaces, control or non-ASCII characters"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("https://proxy.corp:3128", ONLY_HTTP),
        ("socks5://proxy.corp:1080", ONLY_HTTP),
        ("http://proxy.corp:99999", HOST_OR_PORT),
        ("http://proxy.corp:x", HOST_OR_PORT),
        ("http://[::1", HOST_OR_PORT),
        ("http://[fe80::1%25eth0]:1", HOST_OR_PORT),
        ("http://:3128", HOST_OR_PORT),
        ("http://", HOST_OR_PORT),
        ("http://proxy.corp\\evil:1", HOST_OR_PORT),
        ("http://proxy.corp:3128/path", NOT_AN_ORIGIN),
        ("http://proxy.corp:3128?a=b", NOT_AN_ORIGIN),
        ("http://proxy.corp:3128#f", NOT_AN_ORIGIN),
        ("http://a%3Ab:c@proxy.corp:3128", "its user name contains a colon"),
        ("http://proxy corp:3128", NOT_CLEAN),
        ("http://proxy.corp:3128\r\nx: y", NOT_CLEAN),
        ("http://pröxy.corp:3128", NOT_CLEAN),
        ("http://" + "p" * 3000, NOT_CLEAN),
    ],
)
def test_anything_else_is_refused_and_not_repeated(text: str, why: str) -> None:
    with pytest.raises(ProxyRefused) as refused:
        parse(text)

    assert str(refused.value) == why


def test_the_longest_address_is_accepted_and_a_longer_one_is_not() -> None:
    host = "p" * (MAX_URL_CHARACTERS - len("http://"))

    assert parse(f"http://{host}") == EgressProxy(host, 80)
    with pytest.raises(ProxyRefused):
        parse(f"http://{host}p")


def test_the_top_level_proxy_is_for_every_issuer_that_names_none() -> None:
    assert _issuer(ISSUER).keys.proxy == ""
    assert _issuer(ISSUER, proxy=PROXY).keys.proxy == PROXY
    assert _issuer({**ISSUER, "proxy": "environment"}, proxy=PROXY).keys.proxy == "environment"
    assert _issuer({**ISSUER, "proxy": "none"}, proxy=PROXY).keys.proxy == ""


def test_userinfo_is_asked_through_the_same_proxy() -> None:
    userinfo = _issuer(ISSUER, proxy=PROXY).userinfo

    assert userinfo is not None
    assert userinfo.proxy == PROXY


def test_the_clusters_own_api_server_is_not_behind_the_top_level_proxy() -> None:
    cluster = {"profile": "kubernetes", "audiences": ["https://orders.example.com"]}

    assert _issuer(cluster, proxy=PROXY).keys.proxy == ""
    assert _issuer({**cluster, "proxy": "environment"}).keys.proxy == "environment"


@pytest.mark.parametrize(
    ("written", "message", "fix"),
    [
        ("socks5://proxy.corp:1080", "the proxy cannot be used: only http://", "`proxy: environment`"),
        ("http://alice:secret@proxy.corp:3128", "must not be in this file", "`proxy: environment`"),
        ("http://alice@proxy.corp:3128", "must not be in this file", "`proxy: environment`"),
        ("http://:secret@proxy.corp:3128", "must not be in this file", "`proxy: environment`"),
        (3128, "a string is needed", "Write `proxy:"),
        ("", "a string is needed", "Write `proxy:"),
    ],
)
@pytest.mark.parametrize("path", [("proxy",), ("issuers", "idp", "proxy")])
def test_a_wrong_field_is_reported_at_its_place(written: object, message: str, fix: str, path: tuple[str, ...]) -> None:
    at_the_top = {"proxy": written} if len(path) == 1 else {}
    of_issuer = {} if at_the_top else {"proxy": written}

    with pytest.raises(ConfigurationError) as refused:
        _issuer(ISSUER | of_issuer, **at_the_top)

    (problem,) = refused.value.problems
    assert problem.path == path
    assert message in problem.message
    assert fix in problem.fix
    assert "secret" not in f"{problem.message}{problem.fix}"


@pytest.mark.parametrize("url", ["http://user:secret@proxy.corp:3128", "http://user@proxy.corp", "http://@proxy.corp"])
def test_a_proxy_with_credentials_is_a_mistake_that_says_where_they_belong(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        _issuer({**ISSUER, "proxy": url})

    (problem,) = refused.value.problems
    assert str(problem) == (
        "issuers.idp.proxy: the proxy's password must not be in this file: Envoy shows node.metadata in its "
        "config dump. Put the URL with the password into HTTPS_PROXY, and write `proxy: environment`."
    )
