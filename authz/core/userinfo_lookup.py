"""Look up the userinfo claims of a token, for policies that ask for them: now if cached, later otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from authz.core.forward import Forward
from authz.core.identity import Identity, with_userinfo
from authz.core.key_lookup import FetchPending
from authz.core.reasons import Denied, Reason
from authz.core.userinfo import UserinfoMode

if TYPE_CHECKING:
    from concurrent.futures import Future  # for annotations only

REFUSED = "refused"
"""The result of a request that the issuer answered with 401 or 403."""


@dataclass(frozen=True, slots=True, eq=False)
class UserinfoAnswer:
    """The outcome of one userinfo request: claims, a refusal, or neither if the request failed."""

    result: str
    claims: Mapping[str, Any] | None = None
    detail: str = ""
    """For the operator's log."""
    size: int = 0
    until: float = 0.0
    """Monotonic time at which the answer expires."""
    renew_at: float = 0.0
    """Monotonic time from which the source refreshes the answer."""
    identities: dict[Identity, Identity] = field(default_factory=dict, repr=False)
    """A cache of one entry: the identity with these claims, by the identity without them."""

    @property
    def is_refusal(self) -> bool:
        """Whether the issuer no longer honours the token."""
        return self.result == REFUSED


class AnswerSource(Protocol):
    """The userinfo endpoint of one issuer."""

    def find(self, token: str, subject: str) -> UserinfoAnswer | None:
        """Return the cached answer for a verified token, None if there is none or it has expired. Never blocks."""

    def ask(self, token: str, subject: str) -> Future[None] | None:
        """Start a request or join the running one. None if no request can be made now. Never blocks."""


class UserinfoPending(FetchPending):
    """A userinfo request for the token is running."""


class UserinfoLookup:
    """The userinfo sources by issuer alias. Issuers without an endpoint have none."""

    def __init__(self, sources: Mapping[str, AnswerSource], forward: Forward) -> None:
        self._sources = sources
        self._forward = forward

    def complete(self, identity: Identity, token: str, mode: UserinfoMode, *, may_wait: bool) -> Identity:
        """Return the identity with its userinfo claims, or unchanged if there are none and none are required.

        Raises UserinfoPending if an answer may come and the caller may wait. Raises Denied: TOKEN_REVOKED if the
        issuer refuses the token, USERINFO_UNAVAILABLE, or TOKEN_MALFORMED for a value that cannot be forwarded.
        """
        source = self._sources[identity.issuer.alias]
        answer = source.find(token, identity.subject)
        if answer is None:
            # Ask even if this caller cannot wait: the next request with the token finds the answer.
            request = source.ask(token, identity.subject)
            if request is not None and may_wait:
                raise UserinfoPending(request)
        if answer is not None and answer.is_refusal:
            raise Denied(Reason.TOKEN_REVOKED, answer.detail)
        if answer is not None and answer.claims is not None:
            return self._completed(identity, answer, answer.claims)
        if mode is UserinfoMode.REQUIRED:
            raise Denied(Reason.USERINFO_UNAVAILABLE, answer.detail if answer else "userinfo: no answer in time")
        return identity

    def _completed(self, identity: Identity, answer: UserinfoAnswer, claims: Mapping[str, Any]) -> Identity:
        completed = answer.identities.get(identity)
        if completed is None:
            answer.identities.clear()
            completed = answer.identities[identity] = with_userinfo(identity, claims, self._forward)
        return completed
