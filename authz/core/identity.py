"""Who a verified token speaks for: its claims read once, the way its issuer's profile means them.

Nothing here depends on the time or on a policy, so an Identity can be remembered as long as its key is trusted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from authz.core.claims import Claims, is_scope
from authz.core.forward import Forward
from authz.core.grants import granted
from authz.core.issuers import Issuer
from authz.core.keyset import KeySet
from authz.core.profiles import ACCESS_TOKEN_TYPES, PLAIN_TOKEN_TYPES
from authz.core.reasons import Denied, Reason
from authz.core.token import UnverifiedToken
from authz.core.userinfo import NOTHING

USER_POOLS_API_SCOPE = "aws.cognito.signin.user.admin"
"""The one scope of every access token that the user pools API gives out (InitiateAuth and its twins)."""


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """A verified token, ready to be judged."""

    issuer: Issuer
    key_id: str
    key_set: KeySet
    """The snapshot whose key verified it: with another one in force, the token must be verified again."""
    claims: Claims
    use: str
    """`access`, `id`, empty where the token does not say, or in words what it says that is neither."""
    audience_accepted: bool
    """Whether the audience, or Cognito's client, is one that the operator listed."""
    subject: str
    client: str
    groups: frozenset[str] | None
    """None where the groups claim is not a list of strings."""
    scopes: frozenset[str]
    """The scope-tokens in the token and those that grants give."""
    is_from_user_pools_api: bool
    expires_at: float
    not_before: float
    """The later of `nbf` and `iat`; 0 where it has neither."""
    headers: tuple[tuple[str, str], ...]
    """What the upstream is told, by request header."""
    userinfo: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    """What the issuer's userinfo endpoint said, where a policy asks it."""
    written: list[tuple[bytes, bytes]] = field(default_factory=list, repr=False)
    """What an answer tells the upstream of it, and the log, once they have been encoded; never a verdict."""


def identify(token: UnverifiedToken, claims: Claims, issuer: Issuer, key_set: KeySet, forward: Forward) -> Identity:
    """Read verified claims the way the issuer's profile means them.

    Raises Denied(TOKEN_MALFORMED) where a claim of the profile is missing, or a value to forward cannot stand in a
    header.
    """
    _require_claims(issuer, claims)
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
    """The identity with what the userinfo endpoint said of it. Groups from there take the place of the token's.

    Scopes stay as they are: grants are decided by the token alone. Raises Denied(TOKEN_MALFORMED) where a value to
    forward cannot stand in a header.
    """
    issuer = identity.issuer
    is_told = issuer.profile.groups_claim in userinfo
    return replace(
        identity,
        groups=_groups(issuer, userinfo) if is_told else identity.groups,
        headers=forward.headers(identity.claims, _own(issuer, identity.client, identity.scopes), userinfo),
        userinfo=userinfo,
        written=[],
    )


def _own(issuer: Issuer, client: str, scopes: frozenset[str]) -> Mapping[str, str]:
    """The values to forward that are no claims."""
    return {"@issuer": issuer.alias, "@client": client, "@scopes": " ".join(sorted(scopes))}


def _require_claims(issuer: Issuer, claims: Claims) -> None:
    """Refuse what is not a token of the profile's kind, though the issuer signed it."""
    for name in issuer.profile.required_claims:
        present, value = name.find(claims)
        if not present or not isinstance(value, str) or not value:
            raise Denied(Reason.TOKEN_MALFORMED, f"the claim {name.text} is missing or not a string")


def _carried(issuer: Issuer, claims: Claims) -> frozenset[str]:
    """The scopes in the token (RFC 8693 section 4.2): separated by spaces, and by nothing else that looks like one."""
    if issuer.profile.is_workload:
        return frozenset()
    return frozenset(filter(is_scope, claims.get("scope", "").split(" ")))


def _use(issuer: Issuer, claims: Claims, typ: str) -> str:
    """What kind of token it is, from `typ` (RFC 9068, RFC 8725 section 3.11) and the profile's claim."""
    # What is neither must not come out as one of our own words: a header may say `typ: access`.
    typed = "access" if typ in ACCESS_TOKEN_TYPES else "" if typ in PLAIN_TOKEN_TYPES else f"typ {typ}"
    if not issuer.profile.use_claim:
        return typed
    said = claims.get(issuer.profile.use_claim)
    if not isinstance(said, str) or not said:
        return "unsaid"
    return said if typed in {"", said} else f"{typed} and {said}"


def _groups(issuer: Issuer, claims: Mapping[str, Any]) -> frozenset[str] | None:
    name = issuer.profile.groups_claim
    if not name or name not in claims:
        return frozenset()
    value = claims[name]
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return frozenset(value)
    return None


def _audience_accepted(issuer: Issuer, claims: Claims, use: str) -> bool:
    audience = _audience(claims)
    if not issuer.profile.audience_is_client_id:
        return issuer.audiences is None or not issuer.audiences.isdisjoint(audience)
    if use == "id":
        return issuer.client_ids is None or not issuer.client_ids.isdisjoint(audience)
    if issuer.client_ids is not None and claims.get("client_id") not in issuer.client_ids:
        return False
    if "aud" not in claims or issuer.audiences is None:
        return True
    # Bound to a resource (RFC 8707): `client_ids: any` says nothing about which resources are ours.
    return not (issuer.audiences | (issuer.client_ids or frozenset())).isdisjoint(audience)


def _audience(claims: Claims) -> frozenset[str]:
    value = claims.get("aud", ())
    return frozenset([value] if isinstance(value, str) else value)


def _client(issuer: Issuer, claims: Mapping[str, Any]) -> str:
    for name in issuer.profile.client_claims:
        value = claims.get(name)
        if isinstance(value, str):
            return value
    return ""
