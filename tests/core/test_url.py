from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz.core import url
from authz.core.mapping_reader import MappingReader
from authz.core.problems import Problem
from authz.core.read_issuer import read_issuer
from authz.sources import discovery
from authz.sources.fetch_result import fetchable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://idp.example.com/keys", ("https", "idp.example.com", 443, "/keys", "idp.example.com")),
        ("https://IDP.example.com:8443/a?b=c", ("https", "idp.example.com", 8443, "/a?b=c", "idp.example.com:8443")),
        ("https://idp.example.com", ("https", "idp.example.com", 443, "/", "idp.example.com")),
        ("http://127.0.0.1:80/", ("http", "127.0.0.1", 80, "/", "127.0.0.1")),
        ("http://127.9.9.9/", ("http", "127.9.9.9", 80, "/", "127.9.9.9")),
        ("http://localhost:1234/", ("http", "localhost", 1234, "/", "localhost:1234")),
        ("http://[::1]:1234/", ("http", "::1", 1234, "/", "[::1]:1234")),
    ],
)
def test_a_fetchable_url_is_taken_apart(text: str, expected: tuple[object, ...]) -> None:
    parsed = url.parse(text)

    assert (parsed.scheme, parsed.host, parsed.port, parsed.target, parsed.authority) == expected


@pytest.mark.parametrize(
    "text",
    [
        "http://idp.example.com/keys",
        "http://localhost.example.com/",
        "http://127.0.0.1.example.com/",
        "http://10.0.0.1/",
        "http://0.0.0.0/",
        "http://2130706433/",
        "http://127.1/",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "ftp://idp.example.com/",
        "//idp.example.com/",
        "idp.example.com",
        "",
        "https://",
        "https:///keys",
        "https://user:password@idp.example.com/",
        "https://idp.example.com@evil.example.com/",
        "https://idp.example.com/#fragment",
        "https://idp.example.com\\@evil.example.com/",
        "https://idp.example.com/\\evil.example.com",
        "https://idp.example.com/a b",
        "https://idp.example.com/\r\nx-injected: 1",
        "https://idp.example.com/\t",
        "https://idp.example.com:port/",
        "https://idp.example.com:99999/",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://\uff49dp.example.com/",
        "https://idp..example.com/",
        "https://a!b.example/",
        "http://127.999.0.1/",
        "https://[::1]x.example.com/",
        "https://idp.example.com/" + "a" * 3000,
    ],
)
def test_any_other_url_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(url.UrlRefused) as refused:
        url.parse(text)

    assert "example" not in str(refused.value)


_UNCLEAN = "it is too long, or has spaces, control or non-ASCII characters"
_LONGEST = "https://idp.example.com/".ljust(url.MAX_URL_CHARACTERS, "a")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{_LONGEST}a", _UNCLEAN),
        ("https://idp.example.com/a b", _UNCLEAN),
        ("https://idp.example.com\\a", _UNCLEAN),
        ("https://idp.example.com:port/", "its host or port is not valid"),
        ("https://user@idp.example.com/", "it has a user name or a fragment"),
        ("https://idp.example.com/#fragment", "it has a user name or a fragment"),
        ("https:///keys", "its host is not valid"),
        ("https://idp..example.com/", "its host is not valid"),
        ("ftp://idp.example.com/", "it is not an https URL"),
        ("http://idp.example.com/", "http is accepted for loopback hosts only: use https"),
        (_LONGEST, ""),
    ],
    ids=range(11),
)
def test_refusal_says_why(text: str, why: str) -> None:
    assert url.refusal(text) == why


def test_host_with_colons_must_be_an_ipv6_address() -> None:
    assert url.is_host_and_port("[::1]:443", "::1")
    assert not url.is_host_and_port("[1::2::3]:443", "1::2::3")


def test_localhost_and_addresses_need_no_lookup() -> None:
    assert url.fixed_addresses(url.parse("http://localhost/").host) == ("127.0.0.1", "::1")
    assert url.fixed_addresses(url.parse("https://192.0.2.1/").host) == ("192.0.2.1",)
    assert url.fixed_addresses(url.parse("https://[2001:db8::1]/").host) == ("2001:db8::1",)
    assert url.fixed_addresses(url.parse("https://idp.example.com/").host) == ()


def test_the_default_port_written_out_is_the_same_origin() -> None:
    assert url.parse("https://a.example/x").origin == url.parse("https://A.example:443/y").origin
    assert url.parse("https://a.example/").origin != url.parse("https://a.example:8443/").origin


_URLS = st.tuples(
    st.sampled_from(["https://", "http://", "HTTP://", "ftp://", "//", ""]),
    st.text(alphabet="aA1.:[]@!_-%\\ \u00e9", max_size=12)
    | st.sampled_from(["localhost", "127.0.0.1", "127.999.0.1", "[::1]", "idp.example.com"]),
    st.sampled_from(["", ":", ":8443", ":x", ":99999"]),
    st.sampled_from(["", "/", "/a?b=c", "/#f", "/a b", "/" + "a" * 2000, "/" + "a" * 2030, "/" + "a" * 3000]),
).map("".join)


@given(_URLS, st.sampled_from(["issuer", "jwks_uri", "userinfo_uri"]))
def test_url_accepted_at_start_is_accepted_at_fetch(text: str, field: str) -> None:
    found: list[Problem] = []
    fields = {"profile": "oidc", "issuer": "https://idp.example.com", "audiences": ["a"], field: text}
    issuer = read_issuer(MappingReader(fields, (), found), "it")

    if not found:
        assert issuer is not None
        keys, userinfo = issuer.keys, issuer.userinfo
        assert fetchable(keys.jwks_uri) if keys.jwks_uri else discovery.document_url(keys.discovery)
        if userinfo is not None:
            assert fetchable(userinfo.uri) if userinfo.uri else discovery.document_url(userinfo.discovery)


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost.", "keys.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "0.0.0.0", "[::]"],  # noqa: S104
)
def test_every_spelling_of_this_machine_is_loopback(host: str) -> None:
    assert url.parse(f"https://{host}/").is_loopback


def test_this_machine_is_seen_inside_of_an_ipv6_address() -> None:
    assert url.parse("https://[::ffff:127.0.0.1]/").is_loopback
    assert url.parse("https://[::ffff:0.0.0.0]/").is_loopback
    assert not url.parse("https://[::ffff:192.0.2.1]/").is_loopback


@pytest.mark.parametrize("host", ["idp.example.com", "localhost.example.com", "10.0.0.1", "[2001:db8::1]"])
def test_other_hosts_are_not_loopback(host: str) -> None:
    assert not url.parse(f"https://{host}/").is_loopback


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("https://idp.example.com/keys", "idp.example.com:443"),
        ("https://idp.example.com:8443/keys", "idp.example.com:8443"),
        ("https://[2001:db8::1]/keys", "[2001:db8::1]:443"),
    ],
)
def test_connect_names_host_and_port(address: str, target: str) -> None:
    assert url.parse(address).connect_target == target


@pytest.mark.parametrize(
    ("issuer", "address"),
    [
        ("https://idp.example.com", "https://idp.example.com/.well-known/oauth-authorization-server"),
        ("https://idp.example.com/", "https://idp.example.com/.well-known/oauth-authorization-server"),
        ("https://idp.example.com:8443/a/b", "https://idp.example.com:8443/.well-known/oauth-authorization-server/a/b"),
        ("https://idp.example.com/a/", "https://idp.example.com/.well-known/oauth-authorization-server/a"),
    ],
)
def test_oauth_metadata_is_before_the_issuers_path(issuer: str, address: str) -> None:
    assert url.authorization_server_url(issuer) == address


@pytest.mark.parametrize("issuer", ["https://idp.example.com/a", "https://idp.example.com/a/"])
def test_discovery_document_is_below_the_issuer_whether_or_not_it_ends_in_a_slash(issuer: str) -> None:
    assert url.discovery_url(issuer) == "https://idp.example.com/a/.well-known/openid-configuration"


@pytest.mark.parametrize(
    "text",
    [
        "https://idp.example.com",
        "https://idp.example.com:8443/a/b?c=d",
        "https://[2001:db8::1]/x",
        "http://localhost:9000/x",
        "http://127.0.0.1/x",
        "http://127.255.0.1:1",
        "http://[::1]:9000",
        "HTTPS://idp.example.com",
    ],
)
def test_an_https_url_or_a_loopback_one_is_a_web_url(text: str) -> None:
    assert not url.refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "https", "https://", "https:///x", "idp.example.com", "//idp.example.com", "/x", "file:///etc/passwd"),
        *("ftp://localhost", "http://idp.example.com", "http://localhost.example.com", "http://127.0.0.1.example.com"),
        *("http://127.1", "http://127.0.0.1234", "http://2130706433", "http://[::2]", "http://0.0.0.0", "http://127."),
        *("https://user@idp.example.com", "https://u:p@idp.example.com", "https://idp.example.com/#a", "https://a b"),
        *("https://idp.example.com/\n", "https://idp.example.com/\t", "https://idp.example.com/\u00e9", "https://[::1"),
        *("https://idp.example.com:port", "https://idp.example.com:99999", " https://idp.example.com", "https://a\x7f"),
        *("https://idp.example.com/#", "https://@idp.example.com", "http://127.0.0.\u0661"),
    ],
)
def test_any_other_url_is_none(text: str) -> None:
    assert url.refusal(text)
