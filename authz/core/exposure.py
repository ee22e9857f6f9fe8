"""Whose workloads can meet a condition: those that the operator named, or anybody's.

Every customer of GitHub or GitLab gets tokens from the same issuer, with an audience of their own choice. A condition
on a branch or an environment alone is met in any repository of the world; only some claims say whose it is.
"""

from __future__ import annotations

from enum import IntEnum

from authz.core.conditions import Conditions, Membership, Scalar
from authz.core.issuers import Issuer
from authz.core.policy import Access, Policy
from authz.core.profiles import OwnerClaim, Profile


class Exposure(IntEnum):
    """How far a condition reaches among the workloads of an issuer, the narrowest first."""

    NOBODY = 0
    """No token of this kind can meet it."""
    IMMUTABLE = 1
    """Workloads of owners that are named for good; or the issuer is not one of workloads."""
    NAME = 2
    """Workloads of owners that are named by a name, which can pass to others."""
    ANYONE = 3
    """Nothing in it says whose: any repository, any project."""


def is_multi_tenant(issuer: Issuer) -> bool:
    """Whether strangers can get tokens from this issuer, with an audience of their own choice."""
    return issuer.profile.is_multi_tenant and not issuer.identifiers.isdisjoint(issuer.profile.issuers)


def exposure_of_conditions(profile: Profile, conditions: Conditions) -> Exposure:
    """How far conditions reach among all workloads of an issuer of this kind."""
    if not profile.is_workload:
        return Exposure.IMMUTABLE
    if _is_impossible(profile, conditions):
        return Exposure.NOBODY
    reaches = [
        Exposure.IMMUTABLE if owner_claim.immutable else Exposure.NAME
        for name, membership in conditions.claims
        for owner_claim in profile.owner_claims
        if owner_claim.claim == name.text and _names_owners(membership, owner_claim)
    ]
    return min(reaches, default=Exposure.ANYONE)


def exposure_of_policy(policy: Policy, issuer: Issuer) -> Exposure:
    """How far a policy reaches among the workloads of an issuer: its grants, issuers and kinds of token counted in."""
    if policy.access is not Access.TOKEN:
        return Exposure.NOBODY if policy.access is Access.CLOSED else Exposure.ANYONE
    if policy.issuers is not None and issuer.alias not in policy.issuers:
        return Exposure.NOBODY
    reach = exposure_of_conditions(issuer.profile, policy.conditions)
    if issuer.profile.is_workload and policy.token_use in {"access", "id"}:
        return Exposure.NOBODY
    if issuer.profile.is_workload and policy.scopes is not None:
        reach = min(reach, _of_scopes(policy.scopes, issuer))
    return reach


def _of_scopes(scopes: Membership, issuer: Issuer) -> Exposure:
    """Workload tokens carry no scopes: who has one has it through a grant."""
    wanted = scopes.all_of | scopes.any_of
    if not wanted:
        return Exposure.ANYONE
    giving = [exposure_of_conditions(issuer.profile, grant.when) for grant in issuer.grants if grant.scopes & wanted]
    return max(giving, default=Exposure.NOBODY)


def _is_impossible(profile: Profile, conditions: Conditions) -> bool:
    """Groups that this kind of token does not have, or a number where it has a string."""
    groups = conditions.groups
    if groups is not None and not profile.groups_claim and (groups.all_of or groups.any_of):
        return True
    strings = {name.text for name in profile.required_claims}
    return any(name.text in strings and not _can_hold(membership) for name, membership in conditions.claims)


def _can_hold(membership: Membership) -> bool:
    """Whether a string can be what is demanded."""
    return all(isinstance(value, str) for value in membership.all_of) and (
        not membership.any_of or any(isinstance(value, str) for value in membership.any_of)
    )


def _names_owners(membership: Membership, owner_claim: OwnerClaim) -> bool:
    """Whether every claim that meets the demand says whose workload it is."""

    def says(value: Scalar) -> bool:
        return isinstance(value, str) and owner_claim.shape.fullmatch(value) is not None

    return any(map(says, membership.all_of)) or (bool(membership.any_of) and all(map(says, membership.any_of)))
