"""Who a verified token speaks for: the profile's reading of its claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from authz.core import token
from authz.core.claims import Claims
from authz.core.configuration import compile_configuration
from authz.core.identity import Identity, identify, scope_problem
from authz.core.keyset import KeySet
from authz.core.reasons import Denied, Reason
from tests.fakes.checks import (
    AUDIENCE,
    CLIENT,
    COGNITO_KEY,
    COGNITO_KID,
    NOW,
    access_claims,
    authz_with,
    id_claims,
    key_set,
    partner_claims,
)
from tests.fakes.keys import sign

KEYS = key_set(**{COGNITO_KID: COGNITO_KEY})
OTHER = "another-client"


def _identity(
    claims: Mapping[str, Any],
    typ: str | None = "JWT",
    alias: str = "cognito",
    keys: KeySet = KEYS,
    **issuers: Mapping[str, Any],
) -> Identity:
    """The identity of these claims under the rig's configuration with some fields of its issuers changed."""
    configuration = compile_configuration(authz_with(**issuers))
    unverified = token.parse(sign(COGNITO_KEY, claims, kid=COGNITO_KID, typ=typ))
    issuer = configuration.issuers.by_alias[alias]
    return identify(unverified, Claims(unverified.unverified_claims), issuer, keys, configuration.forward)


@pytest.mark.parametrize(
    ("nbf", "iat", "not_before"),
    [(NOW - 5, NOW - 9, NOW - 5), (NOW - 9, NOW - 5, NOW - 5), (None, NOW, NOW), (NOW, None, NOW), (None, None, 0)],
)
def test_a_token_counts_from_the_later_of_its_two_times(
    nbf: float | None, iat: float | None, not_before: float
) -> None:
    assert _identity(access_claims(nbf=nbf, iat=iat)).not_before == not_before


def test_an_access_token_of_the_pool_says_who_for_what_and_until_when() -> None:
    claims = access_claims()

    identity = _identity(claims)

    assert (identity.issuer.alias, identity.key_id, identity.key_set) == ("cognito", COGNITO_KID, KEYS)
    assert identity.claims == claims
    assert (identity.use, identity.audience_accepted) == ("access", True)
    assert (identity.subject, identity.client) == (claims["sub"], CLIENT)
    assert (identity.groups, identity.scopes) == (frozenset({"staff"}), frozenset({"openid", "orders/read"}))
    assert (identity.expires_at, identity.not_before) == (claims["exp"], claims["iat"])
    assert not identity.is_from_user_pools_api
    assert identity.headers == (
        ("x-auth-subject", claims["sub"]),
        ("x-auth-issuer", "cognito"),
        ("x-auth-client", CLIENT),
        ("x-auth-scopes", "openid orders/read"),
    )


def test_a_token_without_a_subject_or_a_client_speaks_for_nobody_and_names_no_header() -> None:
    identity = _identity(access_claims(sub=None, client_id=None, scope=None))

    assert (identity.subject, identity.client, identity.scopes) == ("", "", frozenset())
    assert identity.headers == (("x-auth-issuer", "cognito"),)


@pytest.mark.parametrize("typ", [None, "", "JWT", "jwt", "application/jwt", "APPLICATION/JWT"])
def test_a_plain_type_leaves_it_to_the_claim(typ: str | None) -> None:
    assert _identity(access_claims(), typ).use == "access"
    assert _identity(id_claims(), typ).use == "id"


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_an_access_token_type_must_agree_with_the_claim(typ: str) -> None:
    assert _identity(access_claims(), typ).use == "access"
    assert _identity(id_claims(), typ).use == "access and id"
    assert _identity(access_claims(token_use=None), typ).use == "unsaid"


@pytest.mark.parametrize(
    "typ", ["access", "id", "logout+jwt", "dpop+jwt", "secevent+jwt", "refresh", "JOSE", " jwt", "jwt,"]
)
def test_any_other_type_is_another_use_and_never_access_or_id(typ: str) -> None:
    assert _identity(access_claims(), typ).use == f"typ {typ.lower()} and access"
    assert _identity(partner_claims(), typ, alias="partner").use == f"typ {typ.lower()}"


@pytest.mark.parametrize("said", [None, "", ["access"], {"access": 1}, True, 1])
def test_a_token_of_the_pool_that_does_not_say_one_use_says_none(said: object) -> None:
    assert _identity(access_claims(token_use=said)).use == "unsaid"


@pytest.mark.parametrize("said", ["refresh", "Access", "ID", "access ", "access id"])
def test_any_use_in_words_is_kept_for_the_judge(said: str) -> None:
    assert _identity(access_claims(token_use=said)).use == said


def test_where_the_profile_has_no_claim_for_it_only_the_type_says_the_use() -> None:
    assert _identity(partner_claims(token_use="id"), alias="partner").use == ""
    assert _identity(partner_claims(token_use="id"), "at+jwt", alias="partner").use == "access"


@pytest.mark.parametrize(
    ("claimed", "groups"),
    [
        (None, frozenset()),
        ([], frozenset()),
        (["a", "b", "a"], {"a", "b"}),
        (["a b"], {"a b"}),
        ("administrators", None),
        ("", None),
        ({"admin": True}, None),
        (["admin", 1], None),
        (["admin", None], None),
        ([["admin"]], None),
        (True, None),
    ],
)
def test_groups_are_a_list_of_strings_or_nobody_knows_them(claimed: object, groups: frozenset[str] | None) -> None:
    assert _identity(access_claims(**{"cognito:groups": claimed})).groups == groups


def test_groups_are_read_from_the_claim_of_the_profile_alone() -> None:
    assert _identity(access_claims(groups=["admin"])).groups == frozenset({"staff"})
    assert _identity(
        partner_claims(groups=["admin"], **{"cognito:groups": ["staff"]}), alias="partner"
    ).groups == frozenset({"admin"})


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("", set()),
        (" ", set()),
        ("orders/read", {"orders/read"}),
        ("  orders/read   openid ", {"orders/read", "openid"}),
        ("orders/read orders/read", {"orders/read"}),
        ("orders/read,orders/write", {"orders/read,orders/write"}),
        ("orders/read\torders/write", set()),
        ("orders/read\u00a0orders/write openid", {"openid"}),
        ("orders/read\norders/write", set()),
        ("orders/read\u2028x", set()),
        ('"orders/read"', set()),
        ("orders/read\x00", set()),
    ],
)
def test_scopes_are_split_on_the_blank_alone_and_what_is_no_scope_token_grants_nothing(
    scope: str, scopes: set[str]
) -> None:
    identity = _identity(access_claims(scope=scope))

    assert identity.scopes == scopes
    assert dict(identity.headers).get("x-auth-scopes", "") == " ".join(sorted(scopes))


@pytest.mark.parametrize(
    ("client_id", "aud", "audience_accepted"),
    [
        (CLIENT, None, True),
        (OTHER, None, False),
        (None, None, False),
        ("", None, False),
        (CLIENT[:-1], None, False),
        (CLIENT + "x", None, False),
        (CLIENT.upper(), None, False),
        (CLIENT, CLIENT, True),
        (CLIENT, [OTHER, CLIENT], True),
        (CLIENT, [CLIENT, CLIENT], True),
        (CLIENT, OTHER, False),
        (CLIENT, [], False),
        (CLIENT, "", False),
        (OTHER, CLIENT, False),
        (None, CLIENT, False),
    ],
)
def test_an_access_token_of_the_pool_is_for_us_where_its_client_is_listed_and_its_audience_if_it_has_one(
    client_id: str | None, aud: object, *, audience_accepted: bool
) -> None:
    assert _identity(access_claims(client_id=client_id, aud=aud)).audience_accepted is audience_accepted


@pytest.mark.parametrize(
    ("client_id", "aud", "audience_accepted"),
    [
        (None, CLIENT, True),
        (None, [CLIENT], True),
        (OTHER, CLIENT, True),
        (None, OTHER, False),
        (None, [], False),
        (None, None, False),
        (CLIENT, OTHER, False),
        (CLIENT, None, False),
    ],
)
def test_an_id_token_of_the_pool_is_for_us_where_its_audience_is_a_listed_client(
    client_id: str | None, aud: object, *, audience_accepted: bool
) -> None:
    assert _identity(id_claims(client_id=client_id, aud=aud)).audience_accepted is audience_accepted


def test_audiences_of_a_pool_are_judged_beside_its_clients() -> None:
    audiences = {"audiences": [AUDIENCE]}

    assert _identity(access_claims(aud=AUDIENCE), cognito=audiences).audience_accepted
    assert _identity(access_claims(aud=CLIENT), cognito=audiences).audience_accepted
    assert _identity(access_claims(), cognito=audiences).audience_accepted
    assert not _identity(access_claims(aud=OTHER), cognito=audiences).audience_accepted
    assert not _identity(access_claims(aud=AUDIENCE, client_id=OTHER), cognito=audiences).audience_accepted
    assert not _identity(id_claims(aud=AUDIENCE), cognito=audiences).audience_accepted


def test_any_client_of_a_pool_is_for_us_where_the_operator_wrote_any() -> None:
    anybody = {"client_ids": "any"}

    assert _identity(access_claims(client_id=OTHER), cognito=anybody).audience_accepted
    assert not _identity(access_claims(client_id=None, aud=OTHER), cognito=anybody).audience_accepted
    assert _identity(id_claims(aud=OTHER), cognito=anybody).audience_accepted
    assert _identity(access_claims(aud=AUDIENCE), cognito={**anybody, "audiences": [AUDIENCE]}).audience_accepted
    assert not _identity(access_claims(aud=OTHER), cognito={**anybody, "audiences": [AUDIENCE]}).audience_accepted


def test_any_audience_of_a_pools_access_token_does_where_the_operator_wrote_any() -> None:
    any_audience = {"audiences": "any"}

    assert _identity(access_claims(aud=OTHER), cognito=any_audience).audience_accepted
    assert not _identity(access_claims(aud=OTHER, client_id=OTHER), cognito=any_audience).audience_accepted
    assert not _identity(id_claims(aud=OTHER), cognito=any_audience).audience_accepted


@pytest.mark.parametrize(
    ("aud", "audience_accepted"),
    [
        (AUDIENCE, True),
        ([AUDIENCE], True),
        (["x", AUDIENCE], True),
        ("x", False),
        (["x"], False),
        ([], False),
        (None, False),
        ("", False),
        (AUDIENCE.upper(), False),
        (AUDIENCE[:-1], False),
        (AUDIENCE + "/", False),
        (f"{AUDIENCE} x", False),
        (f"x,{AUDIENCE}", False),
    ],
)
def test_a_token_of_another_provider_is_for_us_where_one_audience_is_exactly_ours(
    aud: object, *, audience_accepted: bool
) -> None:
    assert _identity(partner_claims(aud=aud, client_id=CLIENT), alias="partner").audience_accepted is audience_accepted
    assert _identity(partner_claims(aud=aud), alias="partner", partner={"audiences": "any"}).audience_accepted


@pytest.mark.parametrize(
    ("claims", "alias", "client"),
    [
        (access_claims(), "cognito", CLIENT),
        (id_claims(), "cognito", CLIENT),
        (id_claims(aud=[CLIENT]), "cognito", ""),
        (partner_claims(azp="a", client_id="c"), "partner", "c"),
        (partner_claims(azp="a"), "partner", "a"),
        (partner_claims(azp=1), "partner", ""),
        (partner_claims(azp=["a"]), "partner", ""),
    ],
)
def test_the_client_is_the_first_claim_of_the_profile_that_names_one(
    claims: dict[str, Any], alias: str, client: str
) -> None:
    assert _identity(claims, alias=alias).client == client


def test_grants_give_scopes_to_tokens_that_meet_their_conditions_and_to_no_others() -> None:
    grants = [
        {"when": {"groups": {"any_of": ["staff"]}}, "scopes": ["orders/write", "orders/read"]},
        {"when": {"claims": {"sub": "nobody"}}, "scopes": ["orders/admin"]},
        {"when": {"groups": "staff", "claims": {"client_id": CLIENT}}, "scopes": "orders/list"},
    ]

    assert _identity(access_claims(scope="openid"), cognito={"grants": grants}).scopes == {
        "openid",
        "orders/read",
        "orders/write",
        "orders/list",
    }
    assert _identity(access_claims(**{"cognito:groups": "staff"}), cognito={"grants": grants}).scopes == {
        "openid",
        "orders/read",
    }


def test_only_a_pools_token_with_that_one_scope_comes_from_the_user_pools_api() -> None:
    only = "aws.cognito.signin.user.admin"

    assert _identity(access_claims(scope=only)).is_from_user_pools_api
    assert not _identity(access_claims(scope=f"{only} openid")).is_from_user_pools_api
    assert not _identity(access_claims(scope=None)).is_from_user_pools_api
    assert not _identity(partner_claims(scope=only), alias="partner").is_from_user_pools_api


def test_it_still_comes_from_there_when_a_grant_gave_it_more() -> None:
    grants = [{"when": {"groups": "staff"}, "scopes": ["orders/read"]}]

    identity = _identity(access_claims(scope="aws.cognito.signin.user.admin"), cognito={"grants": grants})

    assert identity.is_from_user_pools_api
    assert identity.scopes == {"aws.cognito.signin.user.admin", "orders/read"}


def test_a_value_that_cannot_stand_in_a_header_refuses_the_token() -> None:
    with pytest.raises(Denied) as denied:
        _identity(access_claims(sub="a\r\nx-auth-scopes: admin"))

    assert denied.value.reason is Reason.TOKEN_MALFORMED
    assert denied.value.detail == "the value for x-auth-subject is not safe in a header"


def test_a_token_without_a_claim_of_its_kind_is_refused_with_the_name_for_the_log() -> None:
    ci = {"profile": "github-actions", "audiences": ["orders"]}

    with pytest.raises(Denied) as denied:
        _identity(partner_claims(repository_id="1", repository_owner_id=2), alias="ci", ci=ci)

    assert denied.value.reason is Reason.TOKEN_MALFORMED
    assert denied.value.detail == "the claim repository_owner_id is missing or not a string"


def test_a_bound_token_is_refused_with_the_claim_for_the_log() -> None:
    with pytest.raises(Denied) as denied:
        _identity(access_claims(cnf={"jkt": "x"}))

    assert (denied.value.reason, denied.value.detail) == (Reason.TOKEN_BOUND, "the token has cnf")


TENANT, ANOTHER = "5f0c7d2e-0000-4000-8000-000000000001", "5f0c7d2e-0000-4000-8000-000000000002"
FORMS = ["https://idp.example.com/{tenantid}/v2.0", "https://v1.example.com/{tenantid}/"]
TENANTS = {"profile": "oidc", "issuer": FORMS, "tenants": [TENANT], "audiences": ["orders"], "jwks_file": "/keys.json"}


@pytest.mark.parametrize("tid", ["", ANOTHER, TENANT.upper(), None, [TENANT], [], {}, 1])
def test_a_token_whose_tid_is_not_the_tenant_of_its_iss_is_from_an_unknown_issuer(tid: object) -> None:
    claims = partner_claims(iss=FORMS[0].format(tenantid=TENANT), tid=tid)

    with pytest.raises(Denied) as denied:
        _identity(claims, alias="idp", idp=TENANTS)

    assert denied.value.reason is Reason.ISSUER_UNKNOWN
    assert denied.value.detail == f"tid is {tid!r}, and iss names another tenant"
    assert _identity({**claims, "tid": TENANT}, alias="idp", idp=TENANTS).issuer.alias == "idp"


@pytest.mark.parametrize(
    ("claims", "problem"),
    [
        ({"scope": "orders/read"}, ""),
        ({"scope": ["orders/read"]}, ""),
        ({"scope": None}, ""),
        ({"scope": {"orders/read": True}}, "scope is an object, not a string or a list"),
        ({"scope": ["orders/read", "a b"]}, "scope has a string in it that is not one scope"),
        ({"scope": ["orders/read", 7]}, "scope has a number in it"),
        ({"scope": None, "scp": 7}, "scp is a number, not a string or a list"),
    ],
)
def test_the_log_says_why_a_scope_claim_gives_no_scope(claims: dict[str, Any], problem: str) -> None:
    identity = _identity(partner_claims(**claims), alias="partner")

    assert scope_problem(identity.issuer, identity.claims) == problem
