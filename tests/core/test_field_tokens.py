"""Tokens as providers make them (Okta, Entra, Auth0, AD FS, Keycloak, Duende, Zitadel), and how they are read."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from authz.core import keyset, token
from authz.core.configuration import compile_configuration
from authz.core.mapping_reader import MappingReader
from authz.core.problems import ConfigurationError, Problem
from authz.core.profiles import cognito_issuers
from authz.core.read_issuer import read_issuer
from authz.core.reasons import Denied, Reason
from authz.core.revocations import parse
from tests.fakes.checks import COGNITO_KEY, NOW, POOL, FixedKeys, Rig, access_claims, access_token, key_set
from tests.fakes.keys import base64url, jwk, jwks, rsa_key, sign

ISSUER = "https://idp.example.com/oauth2/default"
TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
ENTRA = f"https://login.microsoftonline.com/{TENANT}/v2.0"
KEY, KID = rsa_key(), "field"
POLICIES: dict[str, Any] = {
    "read": {"scopes": "orders/read"},
    "write": {"scopes": {"all_of": ["orders/read", "orders/write"]}},
    "staff": {"groups": "staff"},
    "recent": {"max_age": "15m"},
}
MISSING = object()
HEADER = b'{"alg":"RS256"}'


def _rig(profile: str = "oidc", **fields: Any) -> Rig:
    issuer = {"profile": profile, "issuer": ISSUER, "audiences": ["orders"], "jwks_file": "/keys.json", **fields}
    written = {name: value for name, value in issuer.items() if value is not MISSING}
    return Rig({"issuers": {"idp": written}, "policies": POLICIES}, {"idp": FixedKeys(key_set(**{KID: KEY}))})


def _token(typ: str = "JWT", **claims: Any) -> str:
    usual = {"iss": ISSUER, "aud": "orders", "sub": "someone", "iat": NOW - 10, "exp": NOW + 600, **claims}
    return sign(KEY, {name: value for name, value in usual.items() if value is not MISSING}, kid=KID, typ=typ)


def _problems(**fields: Any) -> str:
    with pytest.raises(ConfigurationError) as error:
        _rig(**fields)
    return str(error.value)


@pytest.mark.parametrize(
    ("profile", "claims"),
    [
        ("oidc", {"scope": ["openid", "orders/read", "orders/write"]}),
        ("oidc", {"scope": "openid orders/read orders/write"}),
        ("oidc", {"scp": ["openid", "orders/read", "orders/write"]}),
        ("oidc", {"scp": "orders/read orders/write", "azp": "cl1", "ver": "2.0"}),
        ("oidc", {"scope": "orders/read orders/write", "scp": "other"}),
        ("okta", {"scp": ["openid", "orders/read", "orders/write"], "cid": "0oa1"}),
        ("adfs", {"scp": "openid orders/read orders/write", "appid": "app1", "auth_time": "2026-11-25T17:36:54.191Z"}),
        ("auth0", {"scope": "openid orders/read orders/write", "azp": "client"}),
        ("keycloak", {"scope": "orders/read orders/write", "azp": "client"}),
    ],
)
def test_scopes_are_read_as_the_provider_writes_them(profile: str, claims: dict[str, Any]) -> None:
    assert _rig(profile).reason(_token("at+jwt", **claims), "write") is Reason.OK


@pytest.mark.parametrize(
    "value", [["orders/read orders/write"], ["orders/read", 5], {"orders/read": True}, 7, True, None, [[]], [""]]
)
def test_any_other_scope_claim_gives_no_scope_and_spoils_no_other_route(value: Any) -> None:
    rig, token = _rig(), _token(scope=value)

    assert rig.reason(token) is Reason.OK
    refused = rig.decide(token, "read")
    assert refused.reason is Reason.SCOPE_INSUFFICIENT
    assert _rig().decide(_token(scope=["openid"]), "read").detail == "granted: 'openid'"
    assert re.search(r"; scope (is an? \w+|is null|has an? \w+ in it)", refused.detail)


def test_the_first_present_scope_claim_counts_even_if_it_is_empty() -> None:
    assert _rig().reason(_token(scope="", scp="orders/read"), "read") is Reason.SCOPE_INSUFFICIENT
    assert _rig(scope_claims=["scp", "scope"]).reason(_token(scope="", scp="orders/read"), "read") is Reason.OK


@pytest.mark.parametrize(
    ("fields", "claims"),
    [
        ({}, {"groups": ["staff", "other"]}),
        ({}, {"groups": "staff"}),
        ({}, {"groups": {"staff": {"org": "domain"}}}),
        ({"groups_claim": "/realm_access/roles"}, {"realm_access": {"roles": ["staff"]}}),
        ({"groups_claim": "https://example.com/groups"}, {"https://example.com/groups": ["staff"]}),
        ({"profile": "keycloak"}, {"realm_access": {"roles": ["staff"]}}),
        ({"profile": "auth0"}, {"permissions": ["staff"]}),
    ],
)
def test_groups_are_read_as_the_provider_writes_them(fields: dict[str, Any], claims: dict[str, Any]) -> None:
    assert _rig(**fields).reason(_token(**claims), "staff") is Reason.OK


@pytest.mark.parametrize(
    "value", ["administrators", "staff other", [["staff"]], ["staff", 1], 5, None, {"group": "staff"}, [], {}]
)
def test_a_group_is_compared_whole(value: Any) -> None:
    assert _rig().reason(_token(groups=value), "staff") is Reason.CLAIM_MISMATCH


def test_a_pointer_that_meets_a_list_or_a_string_finds_no_groups() -> None:
    rig = _rig(groups_claim="/realm_access/roles")

    for value in (["roles"], "roles", 5, {"roles": {"a": 1}}):
        assert rig.reason(_token(realm_access=value), "staff") is Reason.CLAIM_MISMATCH


def test_cognito_takes_groups_from_a_list_only() -> None:
    changes: dict[str, Any] = {"cognito:groups": "staff"}

    assert Rig().reason(access_token(**changes), "staff") is Reason.CLAIM_MISMATCH


@pytest.mark.parametrize(
    ("profile", "claims", "client"),
    [
        ("oidc", {"client_id": "a", "azp": "b"}, "a"),
        ("oidc", {"azp": "b"}, "b"),
        ("oidc", {"cid": "c"}, "c"),
        ("oidc", {"appid": "d"}, "d"),
        ("oidc", {"client_id": 5, "azp": "b"}, ""),
        ("okta", {"cid": "0oa1"}, "0oa1"),
        ("adfs", {"appid": "app1"}, "app1"),
    ],
)
def test_the_client_is_in_the_first_present_claim(profile: str, claims: dict[str, Any], client: str) -> None:
    identity = _rig(profile).decide(_token(**claims)).identity

    assert identity is not None
    assert identity.client == client


def test_a_sign_in_time_that_is_a_date_matters_under_max_age_only() -> None:
    token = _token(auth_time="2026-11-25T17:36:54.191Z")

    assert _rig().reason(token) is Reason.OK
    refused = _rig().decide(token, "recent")
    assert (refused.reason, refused.detail) == (Reason.TOKEN_TOO_OLD, "auth_time is not a number")


@pytest.mark.parametrize(
    "issuer",
    [
        "http://adfs.example.com/adfs/services/trust",
        "http://dex.auth.svc.cluster.local:5556/dex",
        "testing@secure.istio.io",
        "accounts.google.com",
        "urn:example:issuer",
    ],
)
def test_an_issuer_is_compared_as_text(issuer: str) -> None:
    rig = _rig(issuer=issuer)

    assert rig.reason(_token(iss=issuer)) is Reason.OK
    assert rig.reason(_token(iss=issuer + "/")) is Reason.ISSUER_UNKNOWN
    assert rig.reason(_token(iss=issuer.upper())) is Reason.ISSUER_UNKNOWN


def test_an_issuer_that_is_no_url_needs_a_place_for_its_keys() -> None:
    said = _problems(issuer="testing@secure.istio.io", jwks_file=MISSING)

    assert "no keys can be fetched from 'testing@secure.istio.io'" in said
    assert "Write `jwks_uri`" in said


def test_a_bound_token_is_refused_unless_the_operator_accepts_it_as_a_bearer_token() -> None:
    token = _token(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})

    assert _rig().reason(token) is Reason.TOKEN_BOUND
    assert _rig().reason(_token(cnf=None)) is Reason.TOKEN_BOUND
    assert _rig(ignore_confirmation=True).reason(token) is Reason.OK


def test_a_token_without_audience_is_refused_if_one_is_required() -> None:
    any_audience = _rig(audiences="any", require_audience=True)

    assert _rig(audiences="any").reason(_token(aud=MISSING)) is Reason.OK
    assert any_audience.reason(_token(aud=MISSING)) is Reason.AUDIENCE_MISMATCH
    assert any_audience.reason(_token(aud=[])) is Reason.AUDIENCE_MISMATCH
    assert any_audience.reason(_token(aud="elsewhere")) is Reason.OK


# Tenants


def _entra(**fields: Any) -> Rig:
    return _rig("entra", issuer=MISSING, **fields)


@pytest.mark.parametrize("issuer", [ENTRA, f"https://sts.windows.net/{TENANT}/"])
@pytest.mark.parametrize("tenants", [[TENANT], "any"])
def test_entra_needs_only_tenants_and_audiences(issuer: str, tenants: Any) -> None:
    token = _token(iss=issuer, tid=TENANT, scp="orders/read", azp="client", roles=["staff"])

    assert _entra(tenants=tenants).reason(token, "read") is Reason.OK
    assert _entra(tenants=tenants).reason(token, "staff") is Reason.OK


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tid": "other"}, Reason.ISSUER_UNKNOWN),
        ({"tid": MISSING}, Reason.TOKEN_MALFORMED),
        ({"tid": ["x"]}, Reason.TOKEN_MALFORMED),
        ({"tid": "v2.0"}, Reason.ISSUER_UNKNOWN),
        ({"iss": ENTRA.replace(TENANT, "other")}, Reason.ISSUER_UNKNOWN),
        ({"iss": ENTRA.replace(TENANT, "../evil"), "tid": "../evil"}, Reason.ISSUER_UNKNOWN),
        ({"iss": ENTRA.replace(TENANT, ""), "tid": ""}, Reason.TOKEN_MALFORMED),
        ({"iss": ENTRA.replace(TENANT, "{tenantid}"), "tid": "{tenantid}"}, Reason.ISSUER_UNKNOWN),
        ({"iss": ENTRA + "/"}, Reason.ISSUER_UNKNOWN),
    ],
)
@pytest.mark.parametrize("tenants", [[TENANT], "any"])
def test_a_token_whose_tenant_does_not_agree_is_refused(tenants: Any, changes: dict[str, Any], reason: Reason) -> None:
    token = _token(**{"iss": ENTRA, "tid": TENANT, **changes})

    assert _entra(tenants=tenants).reason(token) in {reason, Reason.ISSUER_UNKNOWN}


def test_another_tenant_is_accepted_only_with_any() -> None:
    token = _token(iss=ENTRA.replace(TENANT, "other-tenant"), tid="other-tenant")

    assert _entra(tenants=[TENANT]).reason(token) is Reason.ISSUER_UNKNOWN
    assert _entra(tenants="any").reason(token) is Reason.OK


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"issuer": "https://login.microsoftonline.com/{tenantid}/v2.0"},
            "contains {tenantid}, and tenants is missing",
        ),
        ({"tenants": ["a"]}, "tenants needs an issuer that contains {tenantid}"),
        ({"issuer": "https://idp/{tenantid}", "tenants": ["a/../b"]}, "'a/../b' is not a tenant id"),
        ({"issuer": "https://idp/{tenantid}", "tenants": []}, "the list is empty"),
        (
            {"issuer": "https://{tenantid}.idp/{tenantid}", "tenants": "any"},
            "issuers.idp.issuer: the issuer contains {tenantid} twice. Write {tenantid} once.",
        ),
        ({"scope_claims": []}, "the list is empty"),
        ({"scope_claims": [5]}, "5 is not a claim name"),
        ({"groups_claim": "/a/~2"}, "in a JSON Pointer"),
        ({"issuer": ""}, "cannot be an `iss`"),
        ({"issuer": "a\nb"}, "cannot be an `iss`"),
        ({"require_audience": "yes"}, "true or false is needed"),
        ({"replica_regions": ["eu-west-1"]}, "unknown field 'replica_regions'"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], said: str) -> None:
    assert said in _problems(**fields)


def test_workloads_have_neither_scopes_nor_groups_of_their_own() -> None:
    issuer = {"profile": "github-actions", "audiences": ["a"], "scope_claims": ["scope"]}

    with pytest.raises(ConfigurationError, match="unknown field 'scope_claims'"):
        compile_configuration({"issuers": {"ci": issuer}})


# Cognito's partitions and replicas


@pytest.mark.parametrize(
    ("pool", "host"),
    [
        ("eusc-de-east-1_AbC", "cognito-idp.eusc-de-east-1.amazonaws.eu"),
        ("us-gov-west-1_AbC", "cognito-idp.us-gov-west-1.amazonaws.com"),
        ("cn-north-1_AbC", "cognito-idp.cn-north-1.amazonaws.com.cn"),
        ("il-central-1_AbC", "cognito-idp.il-central-1.amazonaws.com"),
    ],
)
def test_a_pool_has_the_domain_of_its_partition(pool: str, host: str) -> None:
    assert cognito_issuers(pool)[0] == f"https://{host}/{pool}"


@pytest.mark.parametrize("pool", ["us-iso-east-1_AbC", "xx-north-1_AbC", "eusc-fr-east-1_AbC"])
def test_a_pool_of_an_unknown_partition_is_an_error(pool: str) -> None:
    with pytest.raises(ValueError, match=r"the AWS partition of the Region .* is not known"):
        cognito_issuers(pool)


def test_a_replicated_pool_has_the_issuers_of_every_region() -> None:
    names = cognito_issuers(POOL, ("eu-west-1",))

    assert names[:2] == cognito_issuers(POOL)
    assert names[2:] == (
        f"https://cognito-idp.eu-west-1.amazonaws.com/{POOL}",
        f"https://issuer-cognito-idp.eu-west-1.amazonaws.com/{POOL}",
    )


# Revocation of a client


@pytest.mark.parametrize(
    ("profile", "claims"),
    [
        ("okta", {"cid": "0oa1"}),
        ("adfs", {"appid": "0oa1"}),
        ("oidc", {"azp": "0oa1"}),
        ("oidc", {"client_id": "0oa1"}),
    ],
)
def test_a_revoked_client_is_refused_in_whichever_claim_it_is(profile: str, claims: dict[str, str]) -> None:
    identity = _rig(profile).decide(_token(**claims)).identity
    assert identity is not None
    entries = {"revoked": [{"issuer": "idp", "client_id": "0oa1"}]}
    listed = parse(json.dumps(entries).encode())

    with pytest.raises(Denied) as refused:
        listed.require_good(identity)

    assert refused.value.reason is Reason.TOKEN_REVOKED


@pytest.mark.parametrize(
    ("profile", "fields", "jwks_uri"),
    [
        ("google", {}, "https://www.googleapis.com/oauth2/v3/certs"),
        (
            "entra",
            {"tenants": "any"},
            "https://login.microsoftonline.com/common/discovery/v2.0/keys",
        ),
    ],
)
def test_a_provider_with_one_place_for_its_keys_needs_no_discovery(
    profile: str, fields: dict[str, Any], jwks_uri: str
) -> None:
    issuer = {"profile": profile, "audiences": ["orders"], **fields}
    problems: list[Problem] = []

    read = read_issuer(MappingReader(issuer, ("issuers", "idp"), problems), "idp")

    assert read is not None
    assert problems == []
    assert (read.keys.jwks_uri, read.keys.discovery) == (jwks_uri, "")


# Authentication context (RFC 9470)


def test_a_token_with_an_accepted_acr_is_allowed() -> None:
    issuer = {"profile": "oidc", "issuer": ISSUER, "audiences": ["orders"], "jwks_file": "/keys.json"}
    policies = {"strong": {"acr": ["phr", "phrh"]}}
    rig = Rig({"issuers": {"idp": issuer}, "policies": policies}, {"idp": FixedKeys(key_set(**{KID: KEY}))})

    assert rig.reason(_token(acr="phr"), "strong") is Reason.OK
    assert rig.reason(_token(acr="weak"), "strong") is Reason.ACR_INSUFFICIENT
    assert rig.reason(_token(), "strong") is Reason.ACR_INSUFFICIENT


# Keys


def _published(*keys: dict[str, Any], profile: str = "oidc", algorithms: tuple[str, ...] = ("RS256",)) -> Rig:
    issuer = {"profile": profile, "issuer": ISSUER, "audiences": ["orders"], "algorithms": list(algorithms)}
    source = FixedKeys(keyset.parse(jwks(*keys), algorithms, distinct_kids=False))
    return Rig({"issuers": {"idp": {**issuer, "jwks_file": "/keys.json"}}}, {"idp": source})


def _by(number: int, kid: str | None, alg: str = "RS256") -> str:
    claims = {"iss": ISSUER, "aud": "orders", "sub": "someone", "exp": NOW + 600}
    return sign(rsa_key(number), claims, kid=kid, alg=alg)


@pytest.mark.parametrize("kid", [None, "k1"])
def test_a_set_with_one_nameless_key_verifies_tokens_with_and_without_a_kid(kid: str | None) -> None:
    rig = _published(jwk(rsa_key(0), None))

    assert rig.reason(_by(0, kid)) is Reason.OK
    assert rig.reason(_by(1, kid)) is Reason.SIGNATURE_INVALID


def test_a_token_without_a_kid_against_several_fitting_keys_is_key_unknown() -> None:
    decision = _published(jwk(rsa_key(0), "a"), jwk(rsa_key(1), "b")).decide(_by(0, None))

    assert (decision.reason, decision.detail) == (
        Reason.KEY_UNKNOWN,
        "there is no kid, and 2 keys of the set fit RS256",
    )


def test_two_keys_of_one_kid_that_differ_are_both_tried() -> None:
    rig = _published(jwk(rsa_key(0), "k"), jwk(rsa_key(1), "k"))

    found = [rig.reason(_by(number, "k")) for number in range(3)]

    assert found == [Reason.OK, Reason.OK, Reason.SIGNATURE_INVALID]


@pytest.mark.parametrize("alg", ["RS256", "RS512"])
def test_a_key_published_for_two_algorithms_under_one_kid_verifies_both(alg: str) -> None:
    both = (jwk(rsa_key(0), "k", alg="RS256"), jwk(rsa_key(0), "k", alg="RS512"))

    assert _published(*both, algorithms=("RS256", "RS512")).reason(_by(0, "k", alg)) is Reason.OK


def test_a_cognito_token_without_a_kid_stays_malformed() -> None:
    decision = Rig().decide(sign(COGNITO_KEY, access_claims(), kid=None))

    assert (decision.reason, decision.detail) == (
        Reason.TOKEN_MALFORMED,
        "kid is missing, and every cognito token has one",
    )


# Long tokens


@pytest.mark.parametrize(
    ("groups", "limit", "reason"),
    [
        (300, 16_384, Reason.OK),
        (360, 16_384, Reason.TOKEN_MALFORMED),
        (360, 20_480, Reason.OK),
        (1_100, 61_440, Reason.OK),
        (1_200, 61_440, Reason.TOKEN_MALFORMED),
    ],
)
def test_a_token_is_as_long_as_the_configuration_allows(groups: int, limit: int, reason: Reason) -> None:
    """Each group is a UUID, as Entra and Keycloak send them. A payload has more than the default of 512 elements."""
    issuer = {"profile": "oidc", "issuer": ISSUER, "audiences": ["orders"], "jwks_file": "/keys.json"}
    sources = {"idp": FixedKeys(key_set(**{KID: KEY}))}
    rig = Rig({"issuers": {"idp": issuer}, "max_token_bytes": limit}, sources)
    token = _token(groups=[f"9188040d-6c67-4c5b-b112-{number:012d}" for number in range(groups)])

    assert rig.reason(token) is reason


@pytest.mark.parametrize("value", [0, 1023, 61_441, "20KiB", True, 16_384.0, None, [16_384]])
def test_a_limit_out_of_bounds_is_an_error(value: object) -> None:
    with pytest.raises(ConfigurationError, match="max_token_bytes: a whole number from 1024 to 61440 is needed"):
        Rig({"issuers": {}, "max_token_bytes": value})


@pytest.mark.parametrize("element", ['{"":0},', '"a":0,', "0,", "{},", "[],"])
def test_a_long_token_of_many_elements_is_refused(element: str) -> None:
    payload = base64url(f'{{"iss":"{ISSUER}","exp":1,"a":[{element * 6000}0]}}'.encode())

    with pytest.raises(Denied) as denied:
        token.parse(f"{base64url(HEADER)}.{payload}.AA")
    assert "too many elements" in denied.value.detail


# Replicated pools


def _pool(**fields: Any) -> Any:
    issuer = {"profile": "cognito", "user_pool_id": POOL, "client_ids": "any", **fields}
    written = {name: value for name, value in issuer.items() if value is not MISSING}
    return compile_configuration({"issuers": {"people": written}}).issuers.by_alias["people"]


def test_the_keys_of_a_replicated_pool_come_from_whichever_host_delivers_them() -> None:
    keys = _pool(replica_regions=["eu-west-1"]).keys

    assert keys.jwks_uri == f"{cognito_issuers(POOL)[0]}/.well-known/jwks.json"
    assert keys.fallbacks == tuple(
        f"https://{host}.amazonaws.com/{POOL}/.well-known/jwks.json"
        for host in ("issuer-cognito-idp.ap-northeast-1", "issuer-cognito-idp.eu-west-1", "cognito-idp.eu-west-1")
    )


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"replica_regions": ["eu-west-1"], "jwks_file": "/keys.json"},
        {"replica_regions": ["eu-west-1"], "jwks_uri": "https://keys.example.com"},
    ],
)
def test_a_pool_without_replicas_or_with_a_location_of_its_own_has_no_fallbacks(fields: dict[str, Any]) -> None:
    assert _pool(**fields).keys.fallbacks == ()


def _pool_problems(**fields: Any) -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationError) as raised:
        _pool(**fields)
    return raised.value.problems


_REGIONS = ("issuers", "people", "replica_regions")


@pytest.mark.parametrize("pool", [POOL, MISSING])
def test_regions_beside_an_issuer_would_be_ignored_and_are_an_error(pool: object) -> None:
    fields = {"replica_regions": ["eu-west-1"], "issuer": "https://idp.example.com", "user_pool_id": pool}

    assert _pool_problems(**fields) == (
        Problem(
            _REGIONS,
            "the Regions need a user pool id, and no issuer beside it",
            "Write `user_pool_id` instead of `issuer`.",
        ),
    )


def test_a_region_of_an_unknown_partition_is_reported_at_the_regions() -> None:
    assert _pool_problems(replica_regions=["xx-north-1"]) == (
        Problem(
            _REGIONS,
            "the AWS partition of the Region 'xx-north-1' is not known",
            "Write the names of AWS Regions, as in `replica_regions: [ap-northeast-3]`.",
        ),
    )


def test_a_wrong_pool_with_regions_is_reported_at_the_pool() -> None:
    assert _pool_problems(user_pool_id="eu-1", replica_regions=["eu-west-1"]) == (
        Problem(
            ("issuers", "people", "user_pool_id"),
            "'eu-1' is not a user pool id",
            "Write it as the console shows it: `ap-northeast-1_AbCdEfGhI`.",
        ),
    )
