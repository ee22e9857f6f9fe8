"""The rows that say what kinds of issuers there are."""

from __future__ import annotations

import pytest

from authz.core.profiles import ACCESS_TOKEN_TYPES, PLAIN_TOKEN_TYPES, PROFILES, cognito_issuers
from authz.core.signature_algorithms import ALGORITHMS


def test_the_profiles_are_those_that_the_documentation_promises() -> None:
    people = ["cognito", "oidc", "entra", "okta", "auth0", "keycloak", "google", "adfs"]
    assert list(PROFILES) == [*people, "spiffe", "github-actions", "gitlab-ci", "circleci", "kubernetes"]
    assert [name for name in PROFILES if not PROFILES[name].is_workload] == people
    assert all(PROFILES[name].name == name for name in PROFILES)


def test_every_profile_accepts_asymmetric_algorithms_only() -> None:
    assert all(profile.algorithms and profile.algorithms <= set(ALGORITHMS) for profile in PROFILES.values())
    others = {name for name, profile in PROFILES.items() if profile.algorithms != {"RS256"}}
    assert others == {"oidc", "kubernetes", "keycloak", "spiffe"}
    assert PROFILES["oidc"].algorithms == PROFILES["kubernetes"].algorithms == {"RS256", "ES256"}


def test_only_cognito_has_tokens_for_clients_and_says_what_each_is_for() -> None:
    assert [name for name, profile in PROFILES.items() if profile.audience_is_client_id] == ["cognito"]
    assert [name for name, profile in PROFILES.items() if profile.use_claim] == ["cognito"]


def test_types_are_written_in_lower_case_as_headers_are_compared() -> None:
    assert {"at+jwt", "application/at+jwt"} == ACCESS_TOKEN_TYPES
    assert {"", "jwt", "application/jwt"} == PLAIN_TOKEN_TYPES


@pytest.mark.parametrize(
    ("pool", "names"),
    [
        (
            "ap-northeast-1_AbCdEfGhI",
            (
                "https://cognito-idp.ap-northeast-1.amazonaws.com/ap-northeast-1_AbCdEfGhI",
                "https://issuer-cognito-idp.ap-northeast-1.amazonaws.com/ap-northeast-1_AbCdEfGhI",
            ),
        ),
        (
            "us-gov-west-1_a",
            (
                "https://cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_a",
                "https://issuer-cognito-idp.us-gov-west-1.amazonaws.com/us-gov-west-1_a",
            ),
        ),
        (
            "cn-north-1_Zz9",
            ("https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_Zz9",),
        ),
    ],
)
def test_a_user_pool_has_its_own_issuer_first_and_the_replicated_one_second(pool: str, names: tuple[str, ...]) -> None:
    assert cognito_issuers(pool) == names


@pytest.mark.parametrize(
    "pool",
    [
        *("", "_", "AbCdEfGhI", "ap-northeast-1", "ap-northeast-1_", "_AbCdEfGhI", "ap-northeast_AbC", "ap-1_AbC"),
        *("AP-NORTHEAST-1_AbC", "ap-northeast-1_Ab/C", "ap-northeast-1_Ab C", "ap-northeast-1_AbC\n", "a-b-1_AbC"),
        *("ap-northeast-1.evil.example/_AbC", "evil.example/#ap-northeast-1_AbC", "ap-northeast-1_Ab\u0661"),
        *("ap-northeast-123_AbC", "ap-northeast-1_" + "a" * 56, "ap-northeast-1_Ab?C", "ap--1_A", "x@ap-northeast-1_A"),
    ],
)
def test_what_is_no_user_pool_id_makes_no_issuer(pool: str) -> None:
    with pytest.raises(ValueError, match=r"is not a user pool id|is not known"):
        cognito_issuers(pool)
