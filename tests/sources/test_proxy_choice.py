"""Which URLs go through a proxy: `proxy`, HTTPS_PROXY, and the rules of NO_PROXY."""

from __future__ import annotations

import pytest

from authz.core import url
from authz.core.egress_proxy import EgressProxy
from authz.sources.fetch_result import FetchFailed, FetchResult
from authz.sources.proxy_choice import proxy_for

PROXY = EgressProxy("proxy.corp", 3128)
SET = {"HTTPS_PROXY": "http://proxy.corp:3128"}


def _chosen(address: str, setting: str, **variables: str) -> EgressProxy | None:
    return proxy_for(url.parse(address), setting, variables)


def test_without_the_field_the_environment_changes_nothing() -> None:
    assert _chosen("https://idp.example.com/", "", **SET) is None


def test_a_written_proxy_does_not_look_at_the_environment() -> None:
    variables = {"HTTPS_PROXY": "http://other.corp:1", "NO_PROXY": "*"}

    assert _chosen("https://idp.example.com/", "http://proxy.corp:3128", **variables) == PROXY


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_the_variable_counts_in_both_spellings(name: str) -> None:
    assert _chosen("https://idp.example.com/", "environment", **{name: "proxy.corp:3128"}) == PROXY


def test_without_the_variable_the_environment_has_no_proxy() -> None:
    assert _chosen("https://idp.example.com/", "environment", HTTPS_PROXY=" ", HTTP_PROXY="http://p:1") is None


@pytest.mark.parametrize(
    "address",
    [
        "https://localhost/",
        "https://localhost./",
        "https://keys.localhost/",
        "https://127.0.0.1/",
        "https://127.9.9.9/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://0.0.0.0/",
        "https://[::]/",
        "http://127.0.0.1:8080/",
    ],
)
@pytest.mark.parametrize("setting", ["http://proxy.corp:3128", "environment"])
def test_this_machine_is_never_reached_through_a_proxy(address: str, setting: str) -> None:
    assert _chosen(address, setting, **SET) is None


@pytest.mark.parametrize(
    ("no_proxy", "address"),
    [
        ("*", "https://idp.example.com/"),
        ("idp.example.com", "https://idp.example.com/"),
        ("example.com", "https://idp.example.com/"),
        (".example.com", "https://idp.example.com/"),
        ("*.example.com", "https://idp.example.com/"),
        ("IDP.Example.COM", "https://idp.example.com/"),
        ("idp.example.com", "https://idp.example.com./"),
        ("other.test, idp.example.com", "https://idp.example.com/"),
        ("other.test idp.example.com", "https://idp.example.com/"),
        ("idp.example.com:443", "https://idp.example.com/"),
        ("10.0.0.0/8", "https://10.1.2.3/"),
        ("10.1.2.3", "https://10.1.2.3/"),
        ("10.1.2.3:8443", "https://10.1.2.3:8443/"),
        ("2001:db8::1", "https://[2001:DB8:0::1]/"),
        ("[2001:db8::1]:443", "https://[2001:db8::1]/"),
        ("2001:db8::/32", "https://[2001:db8::1]/"),
        (".svc,.cluster.local", "https://dex.auth.svc/"),
    ],
)
def test_no_proxy_matches(no_proxy: str, address: str) -> None:
    assert _chosen(address, "environment", NO_PROXY=no_proxy, **SET) is None
    assert _chosen(address, "environment", no_proxy=no_proxy, **SET) is None


@pytest.mark.parametrize(
    ("no_proxy", "address"),
    [
        ("", "https://idp.example.com/"),
        (",  ,", "https://idp.example.com/"),
        (".", "https://idp.example.com/"),
        ("[]", "https://idp.example.com/"),
        ("ample.com", "https://idp.example.com/"),
        ("idp.example.com.evil.test", "https://idp.example.com/"),
        (".idp.example.com", "https://idp.example.com/"),
        ("*.idp.example.com", "https://idp.example.com/"),
        ("idp.example.com:8443", "https://idp.example.com/"),
        ("10.0.0.0/8", "https://11.1.2.3/"),
        ("10.0.0.0/8", "https://idp.example.com/"),
        ("10.0.0.0/99", "https://10.1.2.3/"),
        ("2001:db8::/32", "https://10.1.2.3/"),
        ("0.2.3", "https://10.1.2.3/"),
    ],
)
def test_no_proxy_does_not_match(no_proxy: str, address: str) -> None:
    assert _chosen(address, "environment", NO_PROXY=no_proxy, **SET) == PROXY


@pytest.mark.parametrize("value", ["https://proxy.corp:3128", "socks5://proxy.corp:1080", "http://proxy.corp:x", "::"])
def test_a_variable_that_is_no_proxy_is_named_and_not_quoted(value: str) -> None:
    with pytest.raises(FetchFailed) as failed:
        _chosen("https://idp.example.com/", "environment", HTTPS_PROXY=value)

    assert failed.value.result is FetchResult.PROXY_FAILED
    assert failed.value.detail.startswith("HTTPS_PROXY cannot be used: ")
    assert value not in failed.value.detail
