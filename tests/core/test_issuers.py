"""The unverified `iss` chooses among the configured issuers by exact comparison, and does nothing else."""

from __future__ import annotations

import pytest

from authz.core.configuration import compile_configuration
from authz.core.reasons import Denied, Reason
from tests.fakes.checks import AUTHZ, COGNITO, PARTNER, POOL

ISSUERS = compile_configuration(AUTHZ).issuers


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        (COGNITO, "cognito"),
        (f"https://issuer-cognito-idp.ap-northeast-1.amazonaws.com/{POOL}", "cognito"),
        (PARTNER, "partner"),
    ],
)
def test_every_configured_name_leads_to_its_issuer(name: str, alias: str) -> None:
    assert ISSUERS.find(name) is ISSUERS.by_alias[alias]


@pytest.mark.parametrize(
    "name",
    [
        "",
        COGNITO + "/",
        COGNITO + " ",
        " " + COGNITO,
        COGNITO + "\n",
        COGNITO + "\x00",
        COGNITO + "x",
        COGNITO[:-1],
        COGNITO.upper(),
        COGNITO.lower(),
        COGNITO.replace("https", "http"),
        COGNITO.replace("https://", "https://x@"),
        COGNITO.replace(".com/", ".com:443/"),
        COGNITO.replace("ap-northeast-1_AbC", "ap-northeast-1_aBC"),
        COGNITO.replace("cognito-idp.", "cognito-idp-fips."),
        COGNITO.replace(".com/", ".com.evil.example/"),
        COGNITO.replace(".com/", ".com//"),
        COGNITO.replace("o", "\u043e"),
        PARTNER.replace("realms", "%72ealms"),
        PARTNER + "?",
        PARTNER + "#",
        "cognito",
        "partner",
        POOL,
        "*",
    ],
)
def test_any_other_name_is_unknown(name: str) -> None:
    with pytest.raises(Denied) as denied:
        ISSUERS.find(name)

    assert denied.value.reason is Reason.ISSUER_UNKNOWN
    assert denied.value.detail == f"iss is {name!r:.200}"


@pytest.mark.parametrize(
    ("name", "is_found"),
    [
        ("https://idp.example.com/acme/v2.0", True),
        ("https://idp.example.com/acme/v3.0", False),
        ("https://idp.evil.example/acme/v2.0", False),
        ("https://idp.example.net/acme/v2.0", False),
        ("https://idp.example.com//v2.0", False),
        ("https://idp.example.com/v2.0", False),
        ("https://idp.example.com/acme/x/v2.0", False),
    ],
)
def test_with_any_tenant_the_name_before_and_after_the_tenant_is_exact(name: str, is_found: bool) -> None:  # noqa: FBT001
    issuer = {"profile": "oidc", "issuer": "https://idp.example.com/{tenantid}/v2.0", "tenants": "any"}
    more = {"audiences": ["orders"], "jwks_file": "/keys.json"}
    issuers = compile_configuration({"issuers": {"idp": {**issuer, **more}}}).issuers

    if is_found:
        assert issuers.find(name) is issuers.by_alias["idp"]
    else:
        with pytest.raises(Denied) as denied:
            issuers.find(name)
        assert denied.value.reason is Reason.ISSUER_UNKNOWN


def test_a_long_name_is_shortened_for_the_log() -> None:
    with pytest.raises(Denied) as denied:
        ISSUERS.find("x" * 10_000)

    assert len(denied.value.detail) == len("iss is ") + 200
