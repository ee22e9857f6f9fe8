"""Determine whose workloads can meet a condition: the named owners', or those of any customer of the issuer.

Every customer of GitHub or GitLab gets tokens from the same issuer, with an audience of their choice. A condition on a
branch or an environment alone can be met in any repository of the world. Only some claims identify the owner. The same
holds for an issuer with `tenants: any`: the administrator of a tenant chooses its groups, roles and custom claims.
"""

from __future__ import annotations

from enum import IntEnum

from authz.core.conditions import Conditions, Membership, Scalar
from authz.core.issuers import Issuer
from authz.core.policy import Access, Policy
from authz.core.profiles import OwnerClaim, Profile


class Exposure(IntEnum):
    """The set of workloads of an issuer that can meet a condition, the narrowest first."""

    NOBODY = 0
    """No token of this kind can meet it."""
    IMMUTABLE = 1
    """Workloads of owners with an immutable id, or the issuer does not issue workload tokens."""
    NAME = 2
    """Workloads of owners identified by a name. A name can be taken by another owner later."""
    ANYONE = 3
    """No owner is identified: any repository, any project."""


_TENANT_CLAIMS = (OwnerClaim("tid", immutable=True), OwnerClaim("iss", immutable=True))
"""The verified claims that name the tenant of an issuer with `tenants: any`: `tid` agrees with `iss` in every token."""


def admits_strangers(issuer: Issuer) -> bool:
    """Whether strangers can get tokens from this issuer and choose their groups or audience."""
    return is_multi_tenant(issuer) or issuer.accepts_any_tenant


def is_multi_tenant(issuer: Issuer) -> bool:
    """Whether strangers can get workload tokens from this issuer with an audience of their choice."""
    return issuer.profile.is_multi_tenant and not issuer.identifiers.isdisjoint(issuer.profile.issuers)


def exposure_of_conditions(issuer: Issuer, conditions: Conditions) -> Exposure:
    """Return the exposure of conditions for the tokens of this issuer."""
    if not issuer.profile.is_workload and not issuer.accepts_any_tenant:
        return Exposure.IMMUTABLE
    if issuer.profile.is_workload and is_impossible(issuer.profile, conditions):
        return Exposure.NOBODY
    owner_claims = _TENANT_CLAIMS if issuer.accepts_any_tenant else issuer.profile.owner_claims
    reaches = [
        Exposure.IMMUTABLE if owner_claim.immutable else Exposure.NAME
        for name, membership in conditions.claims
        for owner_claim in owner_claims
        if name.is_same_claim(owner_claim.claim) and _names_owners(membership, owner_claim)
    ]
    return min(reaches, default=Exposure.ANYONE)


def exposure_of_policy(policy: Policy, issuer: Issuer) -> Exposure:
    """Return the exposure of a policy to the workloads of an issuer. Grants, issuers and token use count as well."""
    if policy.access is not Access.TOKEN:
        return Exposure.NOBODY if policy.access is Access.CLOSED else Exposure.ANYONE
    if policy.issuers is not None and issuer.alias not in policy.issuers:
        return Exposure.NOBODY
    reach = exposure_of_conditions(issuer, policy.conditions)
    if issuer.profile.is_workload and policy.token_use in {"access", "id"}:
        return Exposure.NOBODY
    if issuer.profile.is_workload and policy.scopes is not None:
        reach = min(reach, _of_scopes(policy.scopes, issuer))
    return reach


def _of_scopes(scopes: Membership, issuer: Issuer) -> Exposure:
    """Return the exposure through grants. Workload tokens carry no scopes, so every scope comes from a grant."""
    wanted = scopes.all_of | scopes.any_of
    if not wanted:
        return Exposure.ANYONE
    giving = [exposure_of_conditions(issuer, grant.when) for grant in issuer.grants if grant.scopes & wanted]
    return max(giving, default=Exposure.NOBODY)


def is_impossible(profile: Profile, conditions: Conditions) -> bool:
    """Whether no workload token can meet it: it needs groups, or a number in a claim that is a string."""
    groups = conditions.groups
    if groups is not None and not profile.groups_claim and (groups.all_of or groups.any_of):
        return True
    strings = {name.text for name in profile.required_claims}
    return any(name.text in strings and not _can_hold(membership) for name, membership in conditions.claims)


def _can_hold(membership: Membership) -> bool:
    """Whether a string can meet the condition."""
    return all(isinstance(value, str) for value in membership.all_of) and (
        not membership.any_of or any(isinstance(value, str) for value in membership.any_of)
    )


def _names_owners(membership: Membership, owner_claim: OwnerClaim) -> bool:
    """Whether every value that meets the condition identifies the owner of the workload."""

    def identifies(value: Scalar) -> bool:
        return isinstance(value, str) and owner_claim.shape.fullmatch(value) is not None

    return any(map(identifies, membership.all_of)) or (
        bool(membership.any_of) and all(map(identifies, membership.any_of))
    )
