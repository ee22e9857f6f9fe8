"""Issuers and policies: unused policies, open policies and candidates."""

from __future__ import annotations

from collections.abc import Iterator

from authz.core.conditions import NONE
from authz.core.exposure import Exposure, exposure_of_conditions, exposure_of_policy, is_multi_tenant
from authz.envoy.settings import AUTHZ_PATH
from authz.tools.lint.envoy_config import EnvoyConfig
from authz.tools.lint.rule import Found, Severity, rule


@rule("AUTHZ201", Severity.WARNING, "no route names the policy")
def never_used(envoy: EnvoyConfig) -> Iterator[Found]:
    """A policy that no route names protects nothing: most often a route was forgotten, or its policy is misspelt."""
    if envoy.configuration is None or envoy.is_partial:
        return
    used = {text for manager in envoy.managers for text, _path in manager.policies}
    used |= {policy.candidate.name for policy in envoy.named_policies if policy.candidate is not None}
    for policy in envoy.named_policies:
        if policy.name not in used:
            fix = "Name it in a route's context_extensions, or remove it."
            path = (*AUTHZ_PATH, "policies", policy.name)
            yield Found(path, f"no route names the policy {policy.name}", fix, on_key=True)


@rule("AUTHZ202", Severity.INFO, "a policy has a candidate that is only counted")
def candidate(envoy: EnvoyConfig) -> Iterator[Found]:
    """A candidate decides nothing. Once `authz_candidate_checks_total` shows that it agrees, replace the
    policy with it. If it stays a candidate, it is a rule that is never enforced.
    """
    for policy in envoy.named_policies:
        if policy.candidate is not None:
            problem = f"{policy.candidate.name} is judged beside {policy.name} and only counted"
            fix = "Put it in the policy's place once the metric shows what it would change."
            yield Found((*AUTHZ_PATH, "policies", policy.name, "candidate"), problem, fix, on_key=True)


@rule("AUTHZ203", Severity.WARNING, "a policy is met by anybody's workload")
def met_by_anyone(envoy: EnvoyConfig) -> Iterator[Found]:
    """Every customer of a CI provider gets tokens of the same issuer, with an audience of their own choice. A policy
    that does not say whose repository or project it means lets all of them in. With `tenants: any`, the administrator
    of a tenant chooses its groups, roles and custom claims, so a condition on them alone restricts nobody.
    """
    if envoy.configuration is None:
        return
    for path, policy in envoy.located_policies:
        for issuer in envoy.configuration.issuers.by_alias.values():
            if not policy.reads_token or exposure_of_policy(policy, issuer) is not Exposure.ANYONE:
                continue
            if is_multi_tenant(issuer):
                problem = f"any workload with a token of {issuer.alias} and the right audience meets {policy.name}"
                fix = "Name the owner in a claim, or name the accepted issuers in the policy."
                yield Found(path, problem, fix, on_key=path[-1] != "policy")
            elif issuer.accepts_any_tenant and policy.conditions != NONE:
                problem = f"the administrator of any tenant of {issuer.alias} can meet the conditions of {policy.name}"
                fix = "Name the tenants in the claim `tid`, or name the accepted issuers in the policy."
                yield Found(path, problem, fix, on_key=path[-1] != "policy")


@rule("AUTHZ204", Severity.WARNING, "an issuer's audience is open")
def open_audience(envoy: EnvoyConfig) -> Iterator[Found]:
    """With `any`, tokens for other applications are accepted. If another application receives a token, its operator can
    use it here (RFC 8725 section 3.9).
    """
    for alias, issuer in envoy.root.get(*AUTHZ_PATH, "issuers").members():
        for name in ("client_ids", "audiences"):
            if issuer.raw(name) == "any":
                problem = f"{alias} takes tokens for any {'client' if name == 'client_ids' else 'audience'}"
                yield Found(issuer.where(name), problem, f"List the accepted values in {name}.")


@rule("AUTHZ205", Severity.WARNING, "a workload's owner is given by a name")
def owner_by_name(envoy: EnvoyConfig) -> Iterator[Found]:
    """If a repository or group is renamed or deleted, its name becomes free. The next owner of the name gets tokens
    with it. An id is never reused.
    """
    if envoy.configuration is None:
        return
    fix = "Compare an id, such as repository_id or project_id."
    for alias, issuer in envoy.configuration.issuers.by_alias.items():
        if not is_multi_tenant(issuer):
            continue
        for index, grant in enumerate(issuer.grants):
            if exposure_of_conditions(issuer, grant.when) is Exposure.NAME:
                path = (*AUTHZ_PATH, "issuers", alias, "grants", index, "when")
                yield Found(path, f"the grant of {alias} holds for whoever has the name", fix)
        for place, policy in envoy.located_policies:
            is_accepted = policy.issuers is None or alias in policy.issuers
            if (
                policy.reads_token
                and is_accepted
                and exposure_of_conditions(issuer, policy.conditions) is Exposure.NAME
            ):
                problem = f"{policy.name} holds for whoever has the name at {alias}"
                yield Found(place, problem, fix, on_key=place[-1] != "policy")
