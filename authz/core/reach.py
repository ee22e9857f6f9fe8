"""Whose workloads can meet a condition: those that the operator named, or anybody's.

Every customer of GitHub or GitLab gets tokens from the same issuer, with an audience of their own choice. A condition
on a branch or an environment alone is met in any repository of the world; only some claims say whose it is.
"""

from __future__ import annotations

from enum import IntEnum

from authz.core.conditions import Conditions, Membership, Scalar
from authz.core.issuers import Issuer
from authz.core.policy import Gate, Policy
from authz.core.profiles import Anchor, Profile


class Reach(IntEnum):
    """How far a condition reaches among the workloads of an issuer, the narrowest first."""

    NOBODY = 0
    """No token of this kind can meet it."""
    LASTING = 1
    """Workloads of owners that are named for good; or the issuer is not one of workloads."""
    NAME = 2
    """Workloads of owners that are named by a name, which can pass to others."""
    ANYONE = 3
    """Nothing in it says whose: any repository, any project."""


def is_shared(issuer: Issuer) -> bool:
    """Whether strangers can get tokens from this issuer, with an audience of their own choice."""
    return issuer.profile.is_shared and not issuer.names.isdisjoint(issuer.profile.issuers)


def of_conditions(profile: Profile, conditions: Conditions) -> Reach:
    """How far conditions reach among all workloads of an issuer of this kind."""
    if not profile.is_workload:
        return Reach.LASTING
    if _is_impossible(profile, conditions):
        return Reach.NOBODY
    reaches = [
        Reach.LASTING if anchor.lasting else Reach.NAME
        for name, membership in conditions.claims
        for anchor in profile.anchors
        if anchor.claim == name.text and _names_owners(membership, anchor)
    ]
    return min(reaches, default=Reach.ANYONE)


def of_policy(policy: Policy, issuer: Issuer) -> Reach:
    """How far a policy reaches among the workloads of an issuer: its grants, issuers and kinds of token counted in."""
    if policy.gate is not Gate.TOKEN:
        return Reach.NOBODY if policy.gate is Gate.CLOSED else Reach.ANYONE
    if policy.issuers is not None and issuer.alias not in policy.issuers:
        return Reach.NOBODY
    reach = of_conditions(issuer.profile, policy.conditions)
    if issuer.profile.is_workload and policy.token_use in {"access", "id"}:
        return Reach.NOBODY
    if issuer.profile.is_workload and policy.scopes is not None:
        reach = min(reach, _of_scopes(policy.scopes, issuer))
    return reach


def _of_scopes(scopes: Membership, issuer: Issuer) -> Reach:
    """Workload tokens carry no scopes: who has one has it through a grant."""
    wanted = scopes.all_of | scopes.any_of
    if not wanted:
        return Reach.ANYONE
    giving = [of_conditions(issuer.profile, grant.when) for grant in issuer.grants if grant.scopes & wanted]
    return max(giving, default=Reach.NOBODY)


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


def _names_owners(membership: Membership, anchor: Anchor) -> bool:
    """Whether every claim that meets the demand says whose workload it is."""

    def says(value: Scalar) -> bool:
        return isinstance(value, str) and anchor.shape.fullmatch(value) is not None

    return any(map(says, membership.all_of)) or (bool(membership.any_of) and all(map(says, membership.any_of)))
