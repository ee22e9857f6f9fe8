"""The requirements of one route, and the checks of an identity against them.

The checks follow the order of the reason table, so that a bad token always has the same reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Literal

from authz.core.claims import is_time
from authz.core.conditions import NONE, Conditions, Membership
from authz.core.grants import advice
from authz.core.identity import Identity, scope_problem
from authz.core.issuers import Issuer
from authz.core.reasons import USER_POOLS_API_TEXT, Denied, Reason
from authz.core.revocations import Revocations
from authz.core.userinfo import UserinfoMode

TokenUse = Literal["default", "access", "id", "any"]


class Access(Enum):
    """Whether a policy refuses every request, forwards every request, or reads the token."""

    CLOSED = "deny"
    OPEN = "public"
    TOKEN = "token"  # noqa: S105 - a word, not a secret


PolicyCheck = Callable[[Identity, "Policy", float], None]
"""One check of a verified identity. Raises Denied if it fails."""


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """The requirements of one route. Compiled once from the configuration and used for every request.

    Compared by identity: two policies with equal content are two entries in the configuration.
    """

    name: str
    """The metric label and log field: the configured name, or `inline`."""
    access: Access = Access.TOKEN
    issuers: frozenset[str] | None = None
    """Aliases of accepted issuers, None for all configured issuers."""
    token_use: TokenUse = "default"  # noqa: S105 - a word, not a secret
    scopes: Membership | None = None
    conditions: Conditions = NONE
    max_age_seconds: float | None = None
    acr: frozenset[str] = frozenset()
    """Accepted authentication context classes (OpenID Connect Core section 2). Empty if any will do."""
    optional: bool = False
    userinfo: UserinfoMode | None = None
    """Whether to request userinfo for the token. None if not."""
    candidate: Policy | None = None
    """A policy that may replace this one. Its decisions are counted only. It has no candidate of its own."""

    reads_token: bool = field(init=False)
    """Whether the check reads the credential."""
    token_checks: tuple[PolicyCheck, ...] = field(init=False, repr=False)
    claim_checks: tuple[PolicyCheck, ...] = field(init=False, repr=False)
    """The parts of `TOKEN_CHECKS` and `CLAIM_CHECKS` that this policy needs. All others always pass."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reads_token", self.access is Access.TOKEN)
        object.__setattr__(self, "token_checks", _applicable(self, TOKEN_CHECKS))
        object.__setattr__(self, "claim_checks", _applicable(self, CLAIM_CHECKS))

    def decide_without_token(self) -> Reason:
        """Return the reason to forward a request without a token. Raises Denied if the policy refuses it."""
        if self.access is Access.CLOSED:
            raise Denied(Reason.DENIED)
        if self.access is Access.OPEN:
            return Reason.PUBLIC
        if self.optional:
            return Reason.ANONYMOUS
        raise Denied(Reason.TOKEN_MISSING)

    def accepts_issuer(self, issuer: Issuer) -> bool:
        """Whether the policy accepts tokens of this issuer."""
        return self.issuers is None or issuer.alias in self.issuers

    def require_issuer(self, issuer: Issuer) -> Issuer:
        """Return the issuer if this policy accepts its tokens. Raises Denied(ISSUER_NOT_ACCEPTED)."""
        if self.issuers is not None and not self.accepts_issuer(issuer):
            raise Denied(Reason.ISSUER_NOT_ACCEPTED, f"the policy accepts {', '.join(sorted(self.issuers))}")
        return issuer


def judge(identity: Identity, policy: Policy, now: float, revocations: Revocations | None = None) -> None:
    """Check a verified identity against a policy. `now` is in seconds since 1970. Raises Denied."""
    judge_token(identity, policy, now, revocations)
    judge_claims(identity, policy, now)


def judge_token(identity: Identity, policy: Policy, now: float, revocations: Revocations | None) -> None:
    """Check the token: issuer, time, use, audience, revocation. `revocations` is None if no list is configured.

    Raises Denied.
    """
    for demand in policy.token_checks:
        demand(identity, policy, now)
    if revocations is not None:
        revocations.require_good(identity)


def judge_claims(identity: Identity, policy: Policy, now: float) -> None:
    """Check the claims: age, acr, groups, claims, scopes. Raises Denied."""
    for demand in policy.claim_checks:
        demand(identity, policy, now)


def check_issuer(identity: Identity, policy: Policy, _now: float) -> None:
    """Check the issuer again: the token may be cached from a route whose policy accepts other issuers."""
    policy.require_issuer(identity.issuer)


def check_time(identity: Identity, _policy: Policy, now: float) -> None:
    """Check `exp`, `nbf` and `iat` (RFC 7519 sections 4.1.4 to 4.1.6). A token is expired on and after `exp`."""
    leeway = identity.issuer.leeway_seconds
    if now >= identity.expires_at + leeway:
        raise Denied(Reason.TOKEN_EXPIRED, f"{now - identity.expires_at:.0f} s past exp")
    if identity.not_before > now + leeway:
        raise Denied(Reason.TOKEN_NOT_YET_VALID, "nbf or iat lies in the future")


def check_token_use(identity: Identity, policy: Policy, _now: float) -> None:
    """Check the token use. Access and ID tokens differ (RFC 8725 section 3.12, OpenID Connect Core section 2)."""
    use = identity.use
    if use not in {"access", "id", ""}:
        raise Denied(Reason.TOKEN_USE_MISMATCH, f"the token's use is {use!r:.40}")
    wanted = wanted_use(policy, identity.issuer)
    if wanted not in {"any", use}:
        raise Denied(Reason.TOKEN_USE_MISMATCH, f"the token's use is {use!r}, the policy takes {wanted}")


def wanted_use(policy: Policy, issuer: Issuer) -> TokenUse:
    """Return the token use that a policy accepts from an issuer: `access`, or `any` if its profile has no use claim."""
    if policy.token_use != "default":  # noqa: S105 - a word, not a secret
        return policy.token_use
    return "access" if issuer.profile.use_claim else "any"


def check_audience(identity: Identity, _policy: Policy, _now: float) -> None:
    """Refuse a token for another audience (RFC 7519 section 4.1.3, RFC 8725 section 3.9)."""
    if not identity.audience_accepted:
        raise Denied(Reason.AUDIENCE_MISMATCH, "aud or client_id is not configured for the issuer")


def check_max_age(identity: Identity, policy: Policy, now: float) -> None:
    """Check the time since the user signed in, or else since the token was issued (RFC 9470 section 4).

    A sign-in time in the future is refused: its age would stay below the limit for years.
    """
    if policy.max_age_seconds is None:
        return
    since = identity.claims.get("auth_time", identity.claims.get("iat"))
    if not is_time(since):
        problem = "the token has neither auth_time nor iat" if since is None else "auth_time is not a number"
        raise Denied(Reason.TOKEN_TOO_OLD, problem)
    if not -identity.issuer.leeway_seconds <= now - since <= policy.max_age_seconds:
        raise Denied(Reason.TOKEN_TOO_OLD, f"{now - since:.0f} s since sign-in")


def check_acr(identity: Identity, policy: Policy, _now: float) -> None:
    """Check how strongly the user signed in (RFC 9470 section 4): `acr` must be one of the policy's values."""
    acr = identity.claims.get("acr")
    if policy.acr and not (isinstance(acr, str) and acr in policy.acr):
        raise Denied(Reason.ACR_INSUFFICIENT, f"acr is {acr!r:.80}" if "acr" in identity.claims else "there is no acr")


def check_claims(identity: Identity, policy: Policy, _now: float) -> None:
    """Check the policy's `groups` and `claims`."""
    unmet = policy.conditions.unmet(identity.claims, identity.groups, identity.userinfo)
    if unmet:
        raise Denied(Reason.CLAIM_MISMATCH, f"{unmet} does not meet the policy")


def check_scopes(identity: Identity, policy: Policy, _now: float) -> None:
    """Check the policy's `scopes` against the scopes of the token and of its grants."""
    if policy.scopes is None or policy.scopes.met_by(identity.scopes):
        return
    missing = policy.scopes.missing_from(identity.scopes)
    if identity.is_from_user_pools_api and missing:
        detail = advice(identity.issuer, identity.groups, missing)
        raise Denied(Reason.SCOPE_INSUFFICIENT, detail, text=USER_POOLS_API_TEXT)
    held = " ".join(sorted(identity.scopes))
    problem = scope_problem(identity.issuer, identity.claims)
    raise Denied(Reason.SCOPE_INSUFFICIENT, f"granted: {held!r:.200}" + (f"; {problem}" if problem else ""))


TOKEN_CHECKS: tuple[PolicyCheck, ...] = (check_issuer, check_time, check_token_use, check_audience)
CLAIM_CHECKS: tuple[PolicyCheck, ...] = (check_max_age, check_acr, check_claims, check_scopes)
POLICY_CHECKS = (*TOKEN_CHECKS, *CLAIM_CHECKS)
"""All checks in their order. `judge` runs them, and `authz explain` shows each."""

_APPLIES: Mapping[PolicyCheck, Callable[[Policy], bool]] = MappingProxyType(
    {
        check_issuer: lambda policy: policy.issuers is not None,
        check_max_age: lambda policy: policy.max_age_seconds is not None,
        check_acr: lambda policy: bool(policy.acr),
        check_claims: lambda policy: policy.conditions != NONE,
        check_scopes: lambda policy: policy.scopes is not None,
    }
)
"""Which policies need a check. Checks that every policy needs are not listed."""


def _applicable(policy: Policy, demands: tuple[PolicyCheck, ...]) -> tuple[PolicyCheck, ...]:
    return tuple(demand for demand in demands if demand not in _APPLIES or _APPLIES[demand](policy))


BUILT_IN: Mapping[str, Policy] = MappingProxyType(
    {
        "deny": Policy("deny", Access.CLOSED),
        "public": Policy("public", Access.OPEN),
        "authenticated": Policy("authenticated"),
    }
)
"""Policies that always exist. Their names are reserved."""
