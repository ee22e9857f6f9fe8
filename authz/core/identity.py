"""The identity of a verified token: its claims, interpreted once according to the issuer's profile.

It does not depend on the time or on a policy, so it can be cached as long as its key is trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from authz.core.claims import Claims, is_scope, kind_of, require_types_of
from authz.core.forward import Forward
from authz.core.grants import granted
from authz.core.issuers import Issuer, tenant_of
from authz.core.keyset import KeySet
from authz.core.profiles import ACCESS_TOKEN_TYPES, PLAIN_TOKEN_TYPES
from authz.core.reasons import Denied, Reason
from authz.core.token import UnverifiedToken
from authz.core.userinfo import NOTHING

USER_POOLS_API_SCOPE = "aws.cognito.signin.user.admin"
"""The only scope of every access token from the user pools API (InitiateAuth and similar calls)."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Identity:
    """A verified token, ready for the checks of a policy."""

    issuer: Issuer
    key_id: str
    key_set: KeySet
    """The key set whose key verified it. If another key set is in force, the token must be verified again."""
    claims: Claims
    use: str
    """`access`, `id`, empty if the token has no such claim, or a description of any other value."""
    audience_accepted: bool
    """Whether the configuration lists the audience, or Cognito's client."""
    subject: str
    client: str
    groups: frozenset[str] | None
    """None if the groups claim is not a list of strings."""
    scopes: frozenset[str]
    """The scope-tokens of the token and of its grants."""
    is_from_user_pools_api: bool
    expires_at: float
    not_before: float
    """The later of `nbf` and `iat`, 0 if it has neither."""
    headers: tuple[tuple[str, str], ...]
    """Name and value of the request headers for the upstream."""
    userinfo: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """The userinfo claims, if the policy requests them."""


def identify(token: UnverifiedToken, claims: Claims, issuer: Issuer, key_set: KeySet, forward: Forward) -> Identity:
    """Interpret verified claims according to the issuer's profile.

    Raises Denied: TOKEN_MALFORMED if a claim that the profile requires is missing or has a wrong type, or if a value to
    forward is not safe in a header; ISSUER_UNKNOWN if `tid` is not the tenant of `iss`; TOKEN_BOUND if the token has
    `cnf`.
    """
    _require_claims(issuer, claims)
    if issuer.templates:
        _require_tenant(issuer, claims)
    if "cnf" in claims and not issuer.ignore_confirmation:
        raise Denied(Reason.TOKEN_BOUND, "the token has cnf")
    use = _use(issuer, claims, token.header.type)
    groups = _groups(issuer, claims)
    client = _client(issuer, claims)
    carried = _carried(issuer, claims)
    scopes = carried | granted(issuer, claims, groups)
    return Identity(
        issuer=issuer,
        key_id=token.header.key_id,
        key_set=key_set,
        claims=claims,
        use=use,
        audience_accepted=_audience_accepted(issuer, claims, use),
        subject=claims.get("sub", ""),
        client=client,
        groups=groups,
        scopes=scopes,
        is_from_user_pools_api=bool(issuer.profile.use_claim) and carried == {USER_POOLS_API_SCOPE},
        expires_at=claims["exp"],
        not_before=max(claims.get("nbf", 0), claims.get("iat", 0)),
        headers=forward.headers(claims, _own(issuer, client, scopes)),
    )


def with_userinfo(identity: Identity, userinfo: Mapping[str, Any], forward: Forward) -> Identity:
    """Return the identity with its userinfo claims. Groups from userinfo replace the groups of the token.

    Scopes do not change, because grants depend on the token alone. Raises Denied(TOKEN_MALFORMED) if a value to
    forward is not safe in a header.
    """
    issuer = identity.issuer
    has_groups = issuer.groups_claim is not None and issuer.groups_claim.find(userinfo)[0]
    return replace(
        identity,
        groups=_groups(issuer, userinfo) if has_groups else identity.groups,
        headers=forward.headers(identity.claims, _own(issuer, identity.client, identity.scopes), userinfo),
        userinfo=userinfo,
    )


def _own(issuer: Issuer, client: str, scopes: frozenset[str]) -> Mapping[str, str]:
    """Return the forwarded values that are not claims."""
    return {"@issuer": issuer.alias, "@client": client, "@scopes": " ".join(sorted(scopes))}


def _require_claims(issuer: Issuer, claims: Claims) -> None:
    """Refuse a token whose claims are not those of the profile, although the issuer signed it."""
    require_types_of(issuer.profile.typed_claims, claims)
    for name in issuer.profile.required_claims:
        present, value = name.find(claims)
        if not present or not isinstance(value, str) or not value:
            raise Denied(Reason.TOKEN_MALFORMED, f"the claim {name.text} is missing or not a string")


def _require_tenant(issuer: Issuer, claims: Claims) -> None:
    """Refuse a token whose `tid` is not the tenant in `iss`: conditions on either must mean the same tenant."""
    tenants = {tenant_of(template, claims["iss"]) for template in issuer.templates} - {""}
    if claims.get("tid") not in list(tenants):
        raise Denied(Reason.ISSUER_UNKNOWN, f"tid is {claims.get('tid')!r:.80}, and iss names another tenant")


def _carried(issuer: Issuer, claims: Mapping[str, Any]) -> frozenset[str]:
    """Return the scopes in the token: those of the first present claim (RFC 8693 section 4.2)."""
    for name in issuer.scope_claims:
        if name in claims:
            return _scopes_in(claims[name])
    return frozenset()


def _scopes_in(value: object) -> frozenset[str]:
    """Return the scopes of a claim: a string separated by U+0020 only, or a list with one scope per item.

    Anything else gives no scope. It does not spoil the token for routes that require none.
    """
    if isinstance(value, str):
        return frozenset(filter(is_scope, value.split(" ")))
    if isinstance(value, list) and all(isinstance(item, str) and is_scope(item) for item in value):
        return frozenset(value)
    return frozenset()


def scope_problem(issuer: Issuer, claims: Mapping[str, Any]) -> str:
    """Say why the scope claim gives no scope although it is present. Empty if nothing is wrong with it."""
    name = next((name for name in issuer.scope_claims if name in claims), None)
    if name is None or isinstance(claims[name], str):
        return ""
    value = claims[name]
    if not isinstance(value, list):
        return f"{name} is {kind_of(value)}, not a string or a list"
    wrong = [item for item in value if not (isinstance(item, str) and is_scope(item))]
    if not wrong:
        return ""
    return f"{name} has {kind_of(wrong[0])} in it" + (" that is not one scope" if isinstance(wrong[0], str) else "")


def _use(issuer: Issuer, claims: Claims, typ: str) -> str:
    """Return the token use, from `typ` (RFC 9068, RFC 8725 section 3.11) and the profile's claim."""
    # An unknown `typ` must not look like a known use: a header can contain `typ: access`.
    typed = "access" if typ in ACCESS_TOKEN_TYPES else "" if typ in PLAIN_TOKEN_TYPES else f"typ {typ}"
    if not issuer.profile.use_claim:
        return typed
    claimed = claims.get(issuer.profile.use_claim)
    if not isinstance(claimed, str) or not claimed:
        return "unsaid"
    return claimed if typed in {"", claimed} else f"{typed} and {claimed}"


def _groups(issuer: Issuer, claims: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the groups: a list of strings, a string as one group, or the member names of an object."""
    if issuer.groups_claim is None:
        return frozenset()
    present, value = issuer.groups_claim.find(claims)
    if not present:
        return frozenset()
    if isinstance(value, list):
        return frozenset(value) if all(isinstance(item, str) for item in value) else None
    if issuer.profile.groups_are_a_list:
        return None
    if isinstance(value, str):
        return frozenset({value})
    return frozenset(value) if isinstance(value, Mapping) else None


def _audience_accepted(issuer: Issuer, claims: Claims, use: str) -> bool:
    audience = _audience(claims)
    if issuer.require_audience and not audience:
        return False
    if not issuer.profile.audience_is_client_id:
        return issuer.audiences is None or not issuer.audiences.isdisjoint(audience)
    if use == "id":
        return issuer.client_ids is None or not issuer.client_ids.isdisjoint(audience)
    client = claims.get("client_id")
    if issuer.client_ids is not None and not (isinstance(client, str) and client in issuer.client_ids):
        return False
    if "aud" not in claims or issuer.audiences is None:
        return True
    # The token is bound to a resource (RFC 8707), and `client_ids: any` does not list accepted resources.
    return not (issuer.audiences | (issuer.client_ids or frozenset())).isdisjoint(audience)


def _audience(claims: Claims) -> frozenset[str]:
    value = claims.get("aud", ())
    return frozenset([value] if isinstance(value, str) else value)


def _client(issuer: Issuer, claims: Mapping[str, Any]) -> str:
    """Return the first present client claim if it is a string."""
    value = next((claims[name] for name in issuer.client_claims if name in claims), None)
    return value if isinstance(value, str) else ""
