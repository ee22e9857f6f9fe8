"""The warning of startup: a proxy is in the environment and no field mentions it."""

from __future__ import annotations

from typing import Any

import pytest

from authz.core.configuration import compile_configuration
from authz.server.unused_proxy import unused_proxy
from tests.fakes.checks import PARTNER

SET = {"HTTPS_PROXY": "http://proxy.corp:3128"}
DISCOVERED = {"profile": "oidc", "issuer": PARTNER, "audiences": ["orders"]}
FETCHED = DISCOVERED | {"jwks_uri": f"{PARTNER}/jwks"}
LOCAL = DISCOVERED | {"jwks_uri": "http://127.0.0.1:1/jwks"}
FILE = DISCOVERED | {"jwks_file": "/keys.json"}


def _unused(issuer: dict[str, Any], variables: dict[str, str], **top: Any) -> str:
    section = {"issuers": {"idp": issuer}, **top}
    return unused_proxy(section, compile_configuration(section), variables)


@pytest.mark.parametrize("issuer", [DISCOVERED, FETCHED], ids=["discovered", "fetched"])
def test_a_proxy_that_fetches_go_around_is_named(issuer: dict[str, Any]) -> None:
    assert _unused(issuer, SET) == "HTTPS_PROXY"
    assert _unused(issuer, {"https_proxy": "proxy.corp:3128"}) == "https_proxy"
    assert _unused(issuer, {"HTTPS_PROXY": "socks5://proxy.corp:1080"}) == "HTTPS_PROXY"


@pytest.mark.parametrize("value", ["environment", "none", "http://proxy.corp:3128"])
def test_any_field_that_mentions_proxies_ends_the_warning(value: str) -> None:
    assert _unused(DISCOVERED, SET, proxy=value) == ""
    assert _unused(DISCOVERED | {"proxy": value}, SET) == ""


@pytest.mark.parametrize("issuer", [LOCAL, FILE], ids=["loopback", "file"])
def test_where_nothing_would_use_the_proxy_there_is_no_warning(issuer: dict[str, Any]) -> None:
    assert _unused(issuer, SET) == ""


@pytest.mark.parametrize(
    "variables", [{}, {"HTTPS_PROXY": ""}, {"HTTP_PROXY": "http://proxy.corp:3128"}, SET | {"NO_PROXY": "*"}]
)
def test_a_variable_without_effect_is_no_reason_for_a_warning(variables: dict[str, str]) -> None:
    assert _unused(DISCOVERED, variables) == ""
