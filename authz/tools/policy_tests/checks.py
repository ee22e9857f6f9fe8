"""One check in this process: the user's own configuration, tokens minted here, the sidecar's own `decide`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from authz.core.check import decide
from authz.core.decision import Decision
from authz.core.key_lookup import KeyLookup
from authz.envoy.settings import Settings
from authz.server import wire
from authz.server.conversation import Answer, Question
from authz.server.served_rules import ServedRules
from authz.tools.fixed_sources import PresetUserinfo
from authz.tools.policy_tests.mint import TestKeys, Token, mint


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one request."""

    decision: str
    """`allow`, `deny` or `error`; `none` if Envoy responded without a check."""
    reason: str
    """The label of the reason table; empty if there was no check."""
    policy: str
    """The policy's name; empty if it was not found."""
    status: int
    headers: Mapping[str, str]
    """The headers to the upstream if the request is forwarded, else those to the client."""
    body: str = ""
    detail: str = ""
    """The detail that the sidecar would log."""

    @property
    def is_allowed(self) -> bool:
        """Whether the request is forwarded."""
        return self.decision == "allow"


class UnknownIssuer(LookupError):
    """The issuer alias is unknown, or it is missing and several issuers exist. The message lists the aliases."""


class Checks:
    """Checks against one configuration. Create it once and use it for many requests."""

    def __init__(self, settings: Settings, jwks: Mapping[str, bytes] | None = None) -> None:
        """`jwks` are documents by issuer alias, for real tokens. Raises UnusableKeySet if one has no usable key."""
        self.configuration = settings.configuration
        self._issuers = settings.configuration.issuers.by_alias
        sources = {alias: TestKeys(issuer, (jwks or {}).get(alias)) for alias, issuer in self._issuers.items()}
        self._userinfo = PresetUserinfo()
        userinfo = dict.fromkeys(self._issuers, self._userinfo)
        self.rules = ServedRules.of(settings.configuration, settings.realm, KeyLookup(sources), userinfo=userinfo)

    def mint(self, issuer: str | None, token: Token, now: float) -> str:
        """A token of the issuer of that alias, or of the only one there is. Raises UnknownIssuer."""
        known = ", ".join(self._issuers)
        if issuer is None and len(self._issuers) > 1:
            raise UnknownIssuer(f"say which issuer the token is from: {known}")
        alias = issuer if issuer is not None else next(iter(self._issuers))
        if alias not in self._issuers:
            raise UnknownIssuer(f"no issuer is called {alias!r:.60}: there are {known}")
        text = mint(self._issuers[alias], token, now)
        self._userinfo.preset(text, token.userinfo, is_refused=token.is_refused)
        return text

    def ask(self, question: Question, now: float) -> Outcome:
        """Decide one request."""
        return outcome(*self.answer(wire.write_request(question), now))

    def answer(self, message: bytes, now: float) -> tuple[Decision, bytes]:
        """Decide one CheckRequest: the decision and the CheckResponse."""
        decision = decide(self.rules, message, now, may_wait=False)
        return decision, self.rules.renderer.render(decision)


def outcome(decision: Decision, response: bytes) -> Outcome:
    """A decision and its answer as an outcome."""
    answer: Answer = wire.read_answer(response)
    return Outcome(
        decision=decision.reason.row.outcome,
        reason=decision.reason.row.label,
        policy=decision.policy.name if decision.policy else "",
        status=answer.status,
        headers=answer.headers,
        body=answer.body,
        detail=decision.detail,
    )
