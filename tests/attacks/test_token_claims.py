"""Rows T14 to T22: tokens signed by the right key that are expired, for another audience, or have odd claims."""

from __future__ import annotations

import json
from typing import Any

import pytest

from authz.core.reasons import Reason
from tests.attacks.verdict import RIG, of_partner, of_pool, refused
from tests.fakes.checks import (
    AUDIENCE,
    CLIENT,
    COGNITO,
    COGNITO_KEY,
    COGNITO_KID,
    NOW,
    PARTNER,
    PARTNER_KEY,
    PARTNER_KID,
    FixedKeys,
    Rig,
    access_claims,
    access_token,
    authz_with,
    id_token,
    key_set,
    partner_claims,
    partner_token,
)
from tests.fakes.keys import ec_key, rsa_key, sign

LEEWAY = 10
NO_TIME: list[Any] = [
    None,
    "",
    "soon",
    str(int(NOW) + 60),
    True,
    False,
    [],
    [int(NOW) + 60],
    {},
    -1,
    1e300,
    10**15,
    10**30,
]


def _raw_claims(name: str, value: str) -> bytes:
    """The pool's claims with one as it is written here."""
    return json.dumps(access_claims(**{name: ...}), default=lambda _value: "HERE").replace('"HERE"', value).encode()


@pytest.mark.parametrize("value", NO_TIME, ids=[f"T14-{number}" for number in range(len(NO_TIME))])
@pytest.mark.parametrize("name", ["exp", "nbf", "iat", "auth_time"])
def test_a_time_that_is_no_number_within_the_calendar_is_refused(name: str, value: object) -> None:
    assert refused(of_pool(claims={name: value})) is Reason.TOKEN_MALFORMED


WRITTEN = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "01900000000",
    "+1900000000",
    "1_900_000_000",
    "0x713FB300",
    "1.9e9.0",
]
WRITTEN += [
    "\u0661\u0669\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660",
    "1" * 33,
    "1" * 5000,
    "1900000000.",
    "1900000000f",
]


@pytest.mark.parametrize("value", WRITTEN, ids=[f"T14-written-{number}" for number in range(len(WRITTEN))])
@pytest.mark.parametrize("name", ["exp", "nbf", "iat", "auth_time"])
def test_a_time_that_json_cannot_write_is_refused(name: str, value: str) -> None:
    assert refused(of_pool(claims=_raw_claims(name, value))) is Reason.TOKEN_MALFORMED


def test_t14_a_token_without_an_end_is_refused() -> None:
    assert refused(of_pool(claims={"exp": ...})) is Reason.TOKEN_MALFORMED
    assert refused(of_partner(claims={"exp": ...})) is Reason.TOKEN_MALFORMED


@pytest.mark.parametrize(
    "exp", [NOW - LEEWAY, NOW - LEEWAY - 1, NOW - 3600, 0, -0.0, 1e-300, 0.5], ids=lambda exp: f"T14 {exp}"
)
def test_on_or_after_exp_and_the_leeway_is_expired(exp: float) -> None:
    assert refused(access_token(exp=exp)) is Reason.TOKEN_EXPIRED


def test_t14_the_leeway_is_exact_for_an_end_and_for_a_beginning() -> None:
    assert RIG.reason(access_token(exp=NOW - LEEWAY + 0.001)) is Reason.OK
    assert RIG.reason(access_token(exp=NOW), now=NOW + LEEWAY - 0.001) is Reason.OK
    assert RIG.reason(access_token(exp=NOW), now=NOW + LEEWAY) is Reason.TOKEN_EXPIRED
    for name in ("nbf", "iat"):
        assert RIG.reason(sign(COGNITO_KEY, access_claims(**{name: NOW + LEEWAY}), kid=COGNITO_KID)) is Reason.OK
        late = sign(COGNITO_KEY, access_claims(**{name: NOW + LEEWAY + 0.001}), kid=COGNITO_KID)
        assert refused(late) is Reason.TOKEN_NOT_YET_VALID


def test_t14_a_sign_in_in_the_future_is_not_recent() -> None:
    assert refused(access_token(auth_time=NOW + 3600), "recent") is Reason.TOKEN_TOO_OLD


OTHER_ISSUERS: list[Any] = [
    *(COGNITO + "/", COGNITO + "x", COGNITO[:-1], COGNITO.upper(), COGNITO.lower(), " " + COGNITO, COGNITO + "\n"),
    *(
        COGNITO + "\x00",
        COGNITO.replace("https", "http"),
        COGNITO.replace("https://", ""),
        COGNITO + "?",
        COGNITO + "#",
    ),
    *(
        COGNITO.replace("cognito-idp", "x.cognito-idp"),
        COGNITO.replace(".com/", ".com.evil.example/"),
        COGNITO + "/../x",
    ),
    *(
        COGNITO.replace("https://", "https://evil.example#"),
        COGNITO.replace("https://", "https://evil@"),
        "cognito",
        "",
    ),
    *(
        COGNITO.replace("_AbCdEfGhI", "_ZyXwVuTsR"),
        COGNITO.replace("ap-northeast-1", "us-east-1"),
        "*",
        COGNITO + "%00",
    ),
    *(
        COGNITO.replace("c", "\u0441"),
        COGNITO.replace("/ap", "//ap"),
        "evil.example/" + COGNITO,
        f"{COGNITO} {PARTNER}",
    ),
]


@pytest.mark.parametrize("iss", OTHER_ISSUERS, ids=[f"T15-{number}" for number in range(len(OTHER_ISSUERS))])
def test_an_issuer_that_is_not_exactly_a_configured_one_is_unknown(iss: str) -> None:
    assert refused(access_token(iss=iss)) is Reason.ISSUER_UNKNOWN


@pytest.mark.parametrize(
    "iss", [..., None, 1, True, [COGNITO], {COGNITO: 1}, [COGNITO, PARTNER]], ids=lambda iss: f"T15 {iss}"
)
def test_an_issuer_that_is_no_text_is_refused(iss: object) -> None:
    assert refused(of_pool(claims={"iss": iss})) is Reason.TOKEN_MALFORMED


def _two_issuers_with_one_kid() -> Rig:
    """Both publish a key called `same`, and the keys are two."""
    sources = {"cognito": FixedKeys(key_set(same=COGNITO_KEY)), "partner": FixedKeys(key_set(same=rsa_key(5)))}
    return Rig(authz_with(), sources)


def test_t16_the_key_of_one_issuer_signs_nothing_of_another() -> None:
    assert refused(sign(COGNITO_KEY, partner_claims(), kid=COGNITO_KID)) is Reason.ALGORITHM_NOT_ALLOWED
    assert refused(sign(ec_key(5), partner_claims(), kid=COGNITO_KID)) is Reason.KEY_UNKNOWN
    assert refused(sign(PARTNER_KEY, access_claims(), kid=PARTNER_KID)) is Reason.ALGORITHM_NOT_ALLOWED

    rig = _two_issuers_with_one_kid()
    assert rig.reason(sign(COGNITO_KEY, access_claims(), kid="same")) is Reason.OK
    assert rig.reason(sign(rsa_key(5), partner_claims(), kid="same")) is Reason.OK
    assert refused(sign(COGNITO_KEY, partner_claims(), kid="same"), rig=rig) is Reason.SIGNATURE_INVALID
    assert refused(sign(rsa_key(5), access_claims(), kid="same"), rig=rig) is Reason.SIGNATURE_INVALID


def test_t16_a_token_is_refused_on_a_route_of_another_issuer_remembered_or_not() -> None:
    rig = Rig()
    token = partner_token()

    assert refused(token, "cognito-only", rig) is Reason.ISSUER_NOT_ACCEPTED
    assert rig.reason(token) is Reason.OK
    assert rig.decide(token).remembered
    assert refused(token, "cognito-only", rig) is Reason.ISSUER_NOT_ACCEPTED


def test_t16_a_remembered_token_is_verified_again_when_the_keys_have_changed() -> None:
    rig = Rig()
    token = access_token()
    assert rig.reason(token) is Reason.OK

    rig.sources["cognito"].current = key_set(**{COGNITO_KID: rsa_key(9)})

    assert refused(token, rig=rig) is Reason.SIGNATURE_INVALID


USES: list[Any] = [
    ...,
    None,
    "",
    "refresh",
    "Access",
    "ACCESS",
    "access ",
    "access,id",
    "id_token",
    ["access"],
    {},
    True,
    1,
]


@pytest.mark.parametrize("use", USES, ids=[f"T17-{number}" for number in range(len(USES))])
def test_a_use_that_is_neither_access_nor_id_is_refused_by_every_policy(use: object) -> None:
    for policy in ("authenticated", "any-use", "identity"):
        assert refused(of_pool(claims={"token_use": use}), policy) is Reason.TOKEN_USE_MISMATCH


def test_t17_access_and_id_tokens_do_not_stand_in_for_each_other() -> None:
    assert refused(id_token()) is Reason.TOKEN_USE_MISMATCH
    assert refused(access_token(), "identity") is Reason.TOKEN_USE_MISMATCH
    assert (
        refused(of_pool({"typ": "at+jwt"}, {"token_use": "id", "aud": CLIENT}), "identity") is Reason.TOKEN_USE_MISMATCH
    )
    assert refused(id_token(token_use="access", aud=None)) is Reason.AUDIENCE_MISMATCH


OTHERS = [
    "",
    CLIENT[:-1],
    CLIENT + "x",
    CLIENT.upper(),
    " " + CLIENT,
    CLIENT + " ",
    f"{CLIENT},x",
    "x",
    CLIENT + "\x00",
    "*",
]


@pytest.mark.parametrize("name", OTHERS, ids=[f"T18-{number}" for number in range(len(OTHERS))])
def test_another_client_or_audience_is_refused_by_one_character(name: str) -> None:
    ours = name.replace(CLIENT, AUDIENCE).replace(CLIENT[:-1], AUDIENCE[:-1]).replace(CLIENT.upper(), AUDIENCE.upper())

    # The client is forwarded, and a header cannot contain a trailing blank or a NUL: that is found first.
    assert refused(access_token(client_id=name)) in {Reason.AUDIENCE_MISMATCH, Reason.TOKEN_MALFORMED}
    assert refused(access_token(aud=name)) is Reason.AUDIENCE_MISMATCH
    assert refused(id_token(aud=name), "identity") in {Reason.AUDIENCE_MISMATCH, Reason.TOKEN_MALFORMED}
    assert refused(id_token(aud=[name]), "identity") is Reason.AUDIENCE_MISMATCH
    assert refused(partner_token(aud=ours)) is Reason.AUDIENCE_MISMATCH
    assert refused(partner_token(aud=[ours, "x"])) is Reason.AUDIENCE_MISMATCH


def test_t18_a_client_or_audience_that_is_absent_empty_or_of_another_type_is_refused() -> None:
    for value in ([CLIENT], 1, True, None, {}, {CLIENT: 1}):
        assert refused(of_pool(claims={"client_id": value})) is Reason.TOKEN_MALFORMED
    audiences: list[Any] = [1, True, None, {}, {AUDIENCE: 1}, [1], [AUDIENCE, 1], [[AUDIENCE]], [None]]
    for value in audiences:
        assert refused(of_partner(claims={"aud": value})) is Reason.TOKEN_MALFORMED
    for token in (
        access_token(client_id=None),
        access_token(client_id=None, aud=CLIENT),
        access_token(azp=CLIENT, client_id=None),
    ):
        assert refused(token) is Reason.AUDIENCE_MISMATCH
    for token in (partner_token(aud=None), partner_token(aud=[]), partner_token(aud=None, client_id=AUDIENCE)):
        assert refused(token) is Reason.AUDIENCE_MISMATCH


WITHOUT = [
    *("", " ", "orders", "orders/rea", "orders/read2", "xorders/read", "ORDERS/READ", "orders/read,orders/admin"),
    *(
        "orders/read\topenid",
        "orders/read\nopenid",
        "orders/read\u00a0openid",
        "orders/read\u2003openid",
        "orders/read;x",
    ),
    *(
        "orders/read\x00",
        "orders/read\x0b",
        '"orders/read"',
        "orders/*",
        "*",
        "orders\\/read",
        "orders%2Fread",
        "orders/r\u0435ad",
    ),
    "aws.cognito.signin.user.admin",
]


@pytest.mark.parametrize("scope", WITHOUT, ids=[f"T19-{number}" for number in range(len(WITHOUT))])
def test_what_only_looks_like_a_scope_grants_nothing(scope: str) -> None:
    assert refused(access_token(scope=scope), "reading") is Reason.SCOPE_INSUFFICIENT


@pytest.mark.parametrize(
    "scope", [["orders/read"], {"orders/read": 1}, 1, True, None], ids=lambda scope: f"T19 {scope}"
)
def test_scopes_of_another_type_are_refused(scope: object) -> None:
    assert refused(of_pool(claims={"scope": scope}), "reading") is Reason.TOKEN_MALFORMED


def test_t19_scopes_elsewhere_than_in_scope_grant_nothing() -> None:
    claims: dict[str, Any] = {
        "scope": "",
        "scp": ["orders/read"],
        "scopes": "orders/read",
        "permissions": ["orders/read"],
    }

    assert refused(of_pool(claims=claims), "reading") is Reason.SCOPE_INSUFFICIENT


GROUPS: list[Any] = [
    "staff",
    "staffing",
    "a staff b",
    "",
    {"staff": True},
    ["staff", 1],
    ["staff", None],
    [["staff"]],
    True,
    1,
]
GROUPS += [
    ...,
    None,
    [],
    ["Staff"],
    ["staff "],
    ["staffing"],
    ["sta", "ff"],
    ["staff\x00"],
    ["\u0455taff"],
    ["staff,admin"],
]


@pytest.mark.parametrize("groups", GROUPS, ids=[f"T20-{number}" for number in range(len(GROUPS))])
def test_a_group_is_one_of_a_list_of_texts_and_nothing_else(groups: object) -> None:
    assert refused(of_pool(claims={"cognito:groups": groups}), "staff") is Reason.CLAIM_MISMATCH


UNSAFE = [
    "a\r\nx-admin: 1",
    "a\nb",
    "a\x00b",
    "\x7f",
    "\u00e9",
    "\u4e2d",
    " a",
    "a ",
    "a\tb",
    "\u202e",
    "x" * 4097,
    "\u2028",
]


@pytest.mark.parametrize("sub", UNSAFE, ids=[f"T21-{number}" for number in range(len(UNSAFE))])
def test_a_subject_that_cannot_stand_in_a_header_is_refused_on_every_route(sub: str) -> None:
    assert refused(access_token(sub=sub)) is Reason.TOKEN_MALFORMED
    assert refused(partner_token(sub=sub), "reading") is Reason.TOKEN_MALFORMED
    assert refused(access_token(sub="a" * 100_000)) is Reason.TOKEN_MALFORMED
    assert refused(of_pool(claims=_raw_claims("sub", '"\\ud800"'))) is Reason.TOKEN_MALFORMED


def test_t21_a_subject_that_is_not_forwarded_may_be_any_text() -> None:
    rig = Rig({**authz_with(), "forward": {"x-auth-issuer": "@issuer"}})

    assert rig.reason(access_token(sub="\u00e9\r\n\u4e2d")) is Reason.OK


@pytest.mark.parametrize("sub", [1, True, None, [], ["a"], {}], ids=lambda sub: f"T21 {sub}")
def test_a_subject_of_another_type_is_refused(sub: object) -> None:
    assert refused(of_pool(claims={"sub": sub})) is Reason.TOKEN_MALFORMED


def test_t22_what_changed_at_the_provider_counts_when_the_token_ends_or_max_age_is_over() -> None:
    """A signature cannot be taken back: the claims hold until `exp`, or as long as a policy's `max_age` says."""
    rig, token = Rig(), access_token(exp=int(NOW) + 3600, auth_time=int(NOW) - 60)

    assert rig.reason(token, "staff") is Reason.OK
    assert rig.reason(token, "staff", now=NOW + 3600) is Reason.OK
    assert rig.reason(token, "staff", now=NOW + 3600 + LEEWAY) is Reason.TOKEN_EXPIRED
    assert rig.reason(token, "recent", now=NOW + 800) is Reason.OK
    assert rig.reason(token, "recent", now=NOW + 900) is Reason.TOKEN_TOO_OLD
