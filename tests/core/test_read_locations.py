"""Where an issuer's keys and its userinfo endpoint are: said, derived from the name, or asked for."""

from __future__ import annotations

import pytest

from authz.core.issuers import KeyLocation
from authz.core.url import MAX_URL_CHARACTERS
from tests.fakes.checks import PARTNER
from tests.fakes.written_issuers import HTTP, PARTNER_FIELDS, POOL_FIELDS, good, wrong


def test_where_and_how_long_keys_may_be_had_can_be_said() -> None:
    given = {"ca_file": "/ca.pem", "bearer_token_file": "/token", "refresh": "1m", "max_stale": "2h", "leeway": 0}

    issuer = good({**PARTNER_FIELDS, **given, "jwks_uri": "https://keys.example.com/jwks"})

    assert issuer.leeway_seconds == 0
    assert issuer.keys == KeyLocation(
        jwks_uri="https://keys.example.com/jwks",
        ca_file="/ca.pem",
        bearer_token_file="/token",
        refresh_seconds=60,
        max_stale_seconds=7200,
    )
    assert good({**POOL_FIELDS, "jwks_file": "/keys.json"}).keys == KeyLocation(
        jwks_file="/keys.json", distinct_kids=True
    )


def test_the_times_are_five_minutes_and_a_day_where_nothing_is_said() -> None:
    keys = good(PARTNER_FIELDS).keys

    assert (keys.refresh_seconds, keys.max_stale_seconds) == (300, 86_400)


@pytest.mark.parametrize("name", ["https://b.example/X", "https://b.example/X/", "https://b.example/X//"])
def test_keys_of_a_pool_are_below_its_name_whether_or_not_it_ends_in_a_slash(name: str) -> None:
    keys = good({"profile": "cognito", "issuer": name, "client_ids": "any"}).keys

    assert keys == KeyLocation(jwks_uri="https://b.example/X/.well-known/jwks.json", distinct_kids=True)


def test_keys_of_the_cluster_are_had_from_its_api_server_alone() -> None:
    keys = good({"profile": "kubernetes", "audiences": ["orders"]}).keys

    assert (keys.jwks_uri, keys.discovery) == ("https://kubernetes.default.svc/openid/v1/jwks", "")


def test_where_userinfo_is_can_be_said_or_is_asked_for_with_the_keys() -> None:
    uri = "https://idp.example.com/userinfo"
    said = good({**PARTNER_FIELDS, "userinfo_uri": uri, "ca_file": "/ca.pem"}).userinfo
    asked = good(PARTNER_FIELDS).userinfo

    assert said is not None
    assert (said.uri, said.discovery, said.ca_file) == (uri, "", "/ca.pem")
    assert asked is not None
    assert (asked.uri, asked.discovery, asked.ca_file) == ("", PARTNER, "")
    assert good(POOL_FIELDS).userinfo is None
    assert wrong({**PARTNER_FIELDS, "userinfo_uri": "http://idp.example.com"}) == [
        (
            ("userinfo_uri",),
            f"'http://idp.example.com' cannot be fetched: {HTTP}",
            "Write an https URL.",
        )
    ]


def test_an_issuer_whose_derived_address_is_too_long_needs_a_jwks_uri() -> None:
    issuer = "https://idp.example.com/" + "a" * (MAX_URL_CHARACTERS - 30)
    [(path, problem, fix)] = wrong({**PARTNER_FIELDS, "issuer": issuer})

    assert (path, fix) == (("issuer",), "Write `jwks_uri`, the https URL of its keys, or `jwks_file`.")
    assert problem.startswith("no keys can be fetched from ")
