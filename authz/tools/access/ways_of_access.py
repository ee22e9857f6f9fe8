"""Every way in through a policy, in words, and findings about the policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from authz.core.conditions import NONE
from authz.core.configuration import Configuration
from authz.core.issuers import Issuer
from authz.core.policy import Access, Policy, wanted_use
from authz.core.userinfo import UserinfoMode
from authz.tools.access.relation import Change, PolicyComparison, Undecided, accepted, first_admitted
from authz.tools.explain.wording import conditions, demand, listed, span

_USES = {"access": "access tokens", "id": "ID tokens", "any": "tokens"}


def ways_of(configuration: Configuration, policy: Policy) -> list[str]:
    """One line for each way in: an issuer, or no token at all. Empty if nobody gets in."""
    if policy.access is Access.CLOSED:
        return []
    if policy.access is Access.OPEN:
        return ["everybody, with or without a token"]
    ways = [_way(policy, issuer) for issuer in accepted(configuration, policy)]
    return (["requests without a token"] if policy.optional else []) + ways


def _way(policy: Policy, issuer: Issuer) -> str:
    parts = [f"{issuer.alias}: {_USES[wanted_use(policy, issuer)]}"]
    if issuer.profile.audience_is_client_id:
        parts.append(f"of {'any client' if issuer.client_ids is None else 'clients ' + listed(issuer.client_ids)}")
    else:
        audiences = "any audience" if issuer.audiences is None else f"audience {listed(issuer.audiences)}"
        parts.append(f"for {audiences}")
    demands = [conditions(policy.conditions)] if policy.conditions != NONE else []
    demands += [f"acr: {listed(policy.acr)}"] if policy.acr else []
    demands += [f"signed in at most {span(policy.max_age_seconds)} ago"] if policy.max_age_seconds is not None else []
    if policy.userinfo is not None:
        demands.append("a userinfo response" if policy.userinfo is UserinfoMode.REQUIRED else "not revoked at userinfo")
    demands += [_scopes(policy, issuer)] if policy.scopes is not None else []
    # A demand can have a `;` inside.
    return " ".join(parts) + (f" with {', and '.join(demands)}" if demands else "")


def _scopes(policy: Policy, issuer: Issuer) -> str:
    """The demanded scopes, and the grants that give one of them."""
    if policy.scopes is None:
        return ""
    named = policy.scopes.all_of | policy.scopes.any_of | policy.scopes.none_of
    said = f"scopes: {demand(policy.scopes)}"
    if not issuer.scope_claims:
        said += " (the token's own scopes do not count)"
    for grant in issuer.grants:
        if grant.scopes & named:
            said += f" (a grant gives {listed(grant.scopes & named)} for {conditions(grant.when)})"
    return said


def remarks_on(configuration: Configuration, policy: Policy) -> Iterator[str]:
    """What is odd about a policy."""
    if policy.access is not Access.TOKEN:
        return
    try:
        if first_admitted(configuration, policy) is None:
            yield "nobody can meet it"
            return
        without = replace(policy, scopes=None)
        comparison = PolicyComparison(configuration, configuration)
        if policy.scopes is not None and comparison.relation(policy, without).change is Change.EQUAL:
            yield "its scopes demand nothing: grants give them to every token that meets the rest"
    except Undecided as why:
        yield f"undecided: {why}"


def subsumptions(configuration: Configuration, policies: list[Policy]) -> Iterator[str]:
    """Pairs of policies of which one admits everything that the other admits."""
    comparison = PolicyComparison(configuration, configuration)
    for position, first in enumerate(policies):
        for second in policies[position + 1 :]:
            relation = comparison.relation(first, second)
            if relation.undecided or relation.change is Change.BOTH:
                continue
            if relation.change is Change.EQUAL:
                yield f"{first.name} and {second.name} admit the same"
            elif relation.change is Change.WIDER:
                yield f"{second.name} admits all that {first.name} admits, and more"
            else:
                yield f"{first.name} admits all that {second.name} admits, and more"
