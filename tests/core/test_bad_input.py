"""What strangers and careless providers send: each row ends in its reason, and nothing raises."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from authz.core import keyset
from authz.core.mapping_reader import MappingReader
from authz.core.reasons import Reason
from authz.core.resource import read_resource
from authz.server.pb import ext_authz_pb2 as pb
from tests.fakes.checks import NOW, FixedKeys, Rig
from tests.fakes.keys import jwk, jwks, rsa_key, sign

ISSUER = "https://idp.example.com/oauth2/default"
TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
ENTRA = "https://login.microsoftonline.com/{}/v2.0"
POLICIES = {
    "read": {"scopes": "orders/read"},
    "staff": {"groups": "staff"},
    "not-guests": {"groups": {"none_of": ["guests"]}},
    "first-role": {"claims": {"/roles/0": "staff"}},
    "role": {"claims": {"/realm_access/roles": "staff"}},
    "no-role": {"claims": {"/realm_access/roles": {"none_of": ["guest"]}}},
    "org": {"claims": {"/org/0/id": "1"}},
}


@dataclass(frozen=True)
class Row:
    """One bad input, and the reason that it ends in."""

    claims: dict[str, Any]
    policy: str
    reason: Reason
    detail: str = ""
    """A part of the operator's log line."""
    issuer: dict[str, Any] = field(default_factory=dict)
    keys: tuple[int, ...] = (0,)
    """The numbers of the published keys, all under one `kid`."""
    kids: tuple[str | None, ...] = ()
    """Their `kid`s, if they differ."""
    signer: int = 0
    kid: str | None = "k"


MANY = {f"group-{number}": True for number in range(10_000)}
NESTED = [[["staff"]]]

ROWS: dict[str, Row] = {
    "a scope item with a space": Row(
        {"scope": ["orders/read openid"]}, "read", Reason.SCOPE_INSUFFICIENT, "a string in it that is not one scope"
    ),
    "a scope item with a tab": Row({"scope": ["orders/read\t"]}, "read", Reason.SCOPE_INSUFFICIENT, "not one scope"),
    "a no-break space": Row({"scope": "openid\u00a0orders/read"}, "read", Reason.SCOPE_INSUFFICIENT),
    "a number among scopes": Row({"scope": ["orders/read", 7]}, "read", Reason.SCOPE_INSUFFICIENT, "a number in it"),
    "an object among scopes": Row({"scope": ["orders/read", {}]}, "read", Reason.SCOPE_INSUFFICIENT, "an object in it"),
    "a boolean among scopes": Row({"scope": [True, "orders/read"]}, "read", Reason.SCOPE_INSUFFICIENT, "a boolean"),
    "null among scopes": Row({"scope": [None, "orders/read"]}, "read", Reason.SCOPE_INSUFFICIENT, "null in it"),
    "a list among scopes": Row({"scope": [["orders/read"]]}, "read", Reason.SCOPE_INSUFFICIENT, "a list in it"),
    "an object as scopes": Row({"scope": {"orders/read": 1}}, "read", Reason.SCOPE_INSUFFICIENT, "scope is an object"),
    "scp says more than scope": Row({"scope": "openid", "scp": "orders/read"}, "read", Reason.SCOPE_INSUFFICIENT),
    "scp says less than scope": Row({"scope": "orders/read", "scp": "openid"}, "read", Reason.OK),
    "scope is null, and scp is not": Row({"scope": None, "scp": "orders/read"}, "read", Reason.SCOPE_INSUFFICIENT),
    "a bad scope where none is needed": Row({"scope": [{}]}, "not-guests", Reason.OK),
    "nested groups": Row({"groups": NESTED}, "staff", Reason.CLAIM_MISMATCH),
    "nested groups and none_of": Row({"groups": NESTED}, "not-guests", Reason.CLAIM_MISMATCH),
    "groups with a number": Row({"groups": ["staff", 1]}, "staff", Reason.CLAIM_MISMATCH),
    "groups are a number": Row({"groups": 5}, "not-guests", Reason.CLAIM_MISMATCH),
    "groups are two names in one string": Row({"groups": "staff admins"}, "staff", Reason.CLAIM_MISMATCH),
    "groups with 10,000 members": Row({"groups": MANY}, "staff", Reason.TOKEN_MALFORMED, "longer than"),
    "an index into a list": Row({"roles": ["staff"]}, "first-role", Reason.OK),
    "an index into an object": Row({"roles": {"0": "staff"}}, "first-role", Reason.OK),
    "an index into a string": Row({"roles": "staff"}, "first-role", Reason.CLAIM_MISMATCH),
    "an index past the end": Row({"roles": []}, "first-role", Reason.CLAIM_MISMATCH),
    "a member of a list": Row({"realm_access": [{"roles": ["staff"]}]}, "role", Reason.CLAIM_MISMATCH),
    "a pointer to an object": Row({"realm_access": {"roles": {"staff": 1}}}, "role", Reason.CLAIM_MISMATCH),
    "an object and none_of": Row({"realm_access": {"roles": {"guest": 1}}}, "no-role", Reason.CLAIM_MISMATCH),
    "a pointer through a list of objects": Row({"org": [{"id": "1"}]}, "org", Reason.OK),
    "the second of two keys of one kid": Row({}, "authenticated", Reason.OK, keys=(0, 1), signer=1),
    "none of two keys of one kid": Row({}, "authenticated", Reason.SIGNATURE_INVALID, keys=(0, 1), signer=2),
    "the fourth key of one kid": Row({}, "authenticated", Reason.OK, keys=(0, 1, 2, 3), signer=3),
    "the fifth key of one kid": Row({}, "authenticated", Reason.SIGNATURE_INVALID, keys=(0, 1, 2, 3, 4), signer=4),
    "no kid and one key": Row({}, "authenticated", Reason.OK, kid=None),
    "no kid and two keys": Row(
        {}, "authenticated", Reason.KEY_UNKNOWN, "no kid, and 2 keys", keys=(0, 1), kids=("a", "b"), kid=None
    ),
    "no kid and two keys without kid": Row(
        {}, "authenticated", Reason.KEY_UNKNOWN, "no kid, and 2 keys", keys=(0, 1), kids=(None, None), kid=None
    ),
    "no kid and six keys": Row(
        {},
        "authenticated",
        Reason.KEY_UNKNOWN,
        "no kid, and at least 5 keys",
        keys=tuple(range(6)),
        kids=tuple("abcdef"),
        kid=None,
    ),
    "no kid and two keys of one kid": Row(
        {}, "authenticated", Reason.KEY_UNKNOWN, "no kid, and 2 keys", keys=(0, 1), kid=None
    ),
    "another kid than the only key's": Row({}, "authenticated", Reason.KEY_UNKNOWN, "kid is 'x'", kid="x"),
}

for _tenant in (
    "../evil",
    "a/b",
    "a%2Fb",
    "a?b",
    "a#b",
    "",
    ".",
    "..",
    "a b",
    "{tenantid}",
    "a\n",
    "a\\b",
    "ä",
    "a" * 65,
):
    ROWS[f"tenant {_tenant!r:.20}"] = Row(
        {"iss": ENTRA.format(_tenant), "tid": _tenant},
        "authenticated",
        Reason.ISSUER_UNKNOWN,
        issuer={"profile": "entra", "tenants": "any"},
    )


@pytest.mark.parametrize("name", ROWS)
def test_bad_input_ends_in_its_reason(name: str) -> None:
    row = ROWS[name]
    issuer = {"profile": "oidc", "issuer": ISSUER, "audiences": ["orders"], "jwks_file": "/keys.json", **row.issuer}
    if "tenants" in issuer:
        del issuer["issuer"]
    kids = row.kids or ("k",) * len(row.keys)
    published = jwks(*(jwk(rsa_key(number), kid) for number, kid in zip(row.keys, kids, strict=True)))
    source = FixedKeys(keyset.parse(published, {"RS256"}, distinct_kids=False))
    rig = Rig({"issuers": {"idp": issuer}, "policies": POLICIES}, {"idp": source})
    claims = {"iss": ISSUER, "aud": "orders", "sub": "someone", "exp": NOW + 600, **row.claims}

    decision = rig.decide(sign(rsa_key(row.signer), claims, kid=row.kid), row.policy)

    assert decision.reason is row.reason
    assert row.detail in decision.detail
    answer = pb.CheckResponse.FromString(rig.rules.renderer.render(decision))
    assert answer.WhichOneof("http_response") == ("ok_response" if row.reason is Reason.OK else "denied_response")


@pytest.mark.parametrize("tenants", ["any", [TENANT]])
def test_resource_metadata_can_be_written_for_every_tenant(tenants: Any) -> None:
    issuer = {"profile": "entra", "audiences": ["orders"], "tenants": tenants}
    configuration = Rig({"issuers": {"idp": issuer}}, {"idp": FixedKeys(None)}).configuration
    resource = read_resource(MappingReader({"id": "https://orders.example.com"}, (), []))

    document = resource.document(configuration.issuers.by_alias.values())

    expected = [f"https://sts.windows.net/{TENANT}/"] if tenants != "any" else None
    assert document.get("authorization_servers") == expected
