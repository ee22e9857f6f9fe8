"""What the issuer itself says of a token, for policies that want to know: at once where it was asked, later else."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Protocol

from authz.core.forward import Forward
from authz.core.identity import Identity, with_userinfo
from authz.core.reasons import Denied, Reason
from authz.core.userinfo import UserinfoMode
from authz.server.keys import FetchPending
from authz.sources.userinfo_source import Answer


class AnswerSource(Protocol):
    """One issuer's userinfo endpoint, as far as a check needs it."""

    def find(self, token: str, subject: str) -> Answer | None:
        """What is known of a verified token and still counts. Never blocks."""

    def ask(self, token: str, subject: str) -> Future[None] | None:
        """The question about it, begun or under way; None where there can be none now. Never blocks."""


class UserinfoPending(FetchPending):
    """The issuer is being asked."""


class Userinfo:
    """The userinfo sources of all issuers that have one, by alias."""

    def __init__(self, sources: Mapping[str, AnswerSource], forward: Forward) -> None:
        self._sources = sources
        self._forward = forward

    def complete(self, identity: Identity, token: str, asking: UserinfoMode, *, may_wait: bool) -> Identity:
        """The identity with what its issuer says of it; as it is, where there is no answer and none is required.

        Raises UserinfoPending where the answer may come and the caller may wait. Raises Denied: TOKEN_REVOKED where the
        issuer refuses the token, USERINFO_UNAVAILABLE, or TOKEN_MALFORMED for a value that cannot be forwarded.
        """
        source = self._sources[identity.issuer.alias]
        answer = source.find(token, identity.subject)
        if answer is None:
            asked = source.ask(token, identity.subject)
            if asked is not None and may_wait:
                raise UserinfoPending(asked)
        if answer is not None and answer.is_refusal:
            raise Denied(Reason.TOKEN_REVOKED, answer.detail)
        if answer is not None and answer.claims is not None:
            return self._completed(identity, answer, answer.claims)
        if asking is UserinfoMode.REQUIRED:
            raise Denied(Reason.USERINFO_UNAVAILABLE, answer.detail if answer else "userinfo: no answer in time")
        return identity

    def _completed(self, identity: Identity, answer: Answer, claims: Mapping[str, Any]) -> Identity:
        completed = answer.identities.get(identity)
        if completed is None:
            answer.identities.clear()
            completed = answer.identities[identity] = with_userinfo(identity, claims, self._forward)
        return completed
