"""Who is admitted under a generated file, without regions and formulas: first match, then `decide` of the core."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from authz.core.configuration import Configuration, compile_configuration
from authz.core.policy_lookup import PolicyLookup
from authz.envoy.inline_policy import parse_inline_policy
from authz.tools.access.sample_token import SampleToken, admits
from tests.access.generated_files import ANSWERED, DISABLED, INHERITED, Host, Plan, policy_text, virtual_hosts
from tests.access.probe_requests import probe_requests
from tests.access.probe_tokens import probe_tokens
from tests.access.regions.first_match import Request, first_match


class Judge:
    """One file."""

    def __init__(self, plan: Plan) -> None:
        self._configuration: Configuration = compile_configuration(plan.authz)
        self._lookup = PolicyLookup(self._configuration.references, parse_inline_policy)
        self._hosts = virtual_hosts(plan)
        self._texts = {
            f"{host.name}-{number}": _effective(policy, host)
            for host in plan.hosts
            for number, (_match, policy) in enumerate(host.routes)
        }

    def policy_at(self, request: Request) -> str:
        """The text of the policy that the request meets. Without a route nobody is admitted, as with `deny`."""
        route = first_match(self._hosts, request)
        return "deny" if route is None else self._texts[route]

    def admits(self, policy: str, token: SampleToken | None) -> bool:
        """Whether a policy of this file admits the token."""
        return admits(self._configuration, self._lookup.find(policy), token)


def _effective(policy: Any, host: Host) -> str:
    """The text of the policy that decides who reaches the upstream."""
    if policy == INHERITED:
        return host.policy or "deny"
    named = {DISABLED: "public", ANSWERED: "deny"}
    return policy_text(named.get(policy, policy) if isinstance(policy, str) else policy)


@dataclass(frozen=True)
class Verdict:
    """A token that one file admits and the other refuses, with each of some requests."""

    policies: tuple[str, str]
    """The policies that the requests meet in OLD and in NEW."""
    requests: tuple[Request, ...]
    token: SampleToken | None
    new: bool
    """Whether it is NEW that admits it."""


class Judges:
    """Two files, judged independently of the comparison."""

    def __init__(self, old: Plan, new: Plan) -> None:
        self._plans = (old, new)
        self._judges = (Judge(old), Judge(new))

    @cached_property
    def requests(self) -> dict[tuple[str, str], list[Request]]:
        """The probe requests, by the policies that they meet in OLD and in NEW."""
        found: dict[tuple[str, str], list[Request]] = {}
        for request in probe_requests(*self._plans):
            met = (self._judges[0].policy_at(request), self._judges[1].policy_at(request))
            found.setdefault(met, []).append(request)
        return found

    def verdicts(self) -> Iterator[Verdict]:
        """Every probe token whose admission differs, with the requests that meet the same pair of policies."""
        old, new = self._judges
        for (before, after), requests in self.requests.items():
            if self._is_unchanged(before, after):
                continue
            for plan, policy in zip(self._plans, (before, after), strict=True):
                for token in probe_tokens(plan, policy):
                    admitted = (old.admits(before, token), new.admits(after, token))
                    if admitted[0] is not admitted[1]:
                        yield Verdict((before, after), tuple(requests), token, admitted[1])

    def _is_unchanged(self, before: str, after: str) -> bool:
        old, new = self._plans
        return before == after and old.issuers == new.issuers and old.policies.get(before) == new.policies.get(after)

    def witness(self) -> Verdict | None:
        """A request and token that NEW admits and OLD refuses."""
        return next((each for each in self.verdicts() if each.new), None)
