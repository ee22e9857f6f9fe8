"""The outcome of one check, with the values that the check had found until then."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from authz.core.identity import Identity
from authz.core.policy import Policy
from authz.core.reasons import Reason
from authz.core.request import RequestView


class Agreement(StrEnum):
    """How the candidate's decision compares with the policy's. The value is the metric label."""

    SAME = "same"
    STRICTER = "stricter"
    """The policy forwards the request, the candidate refuses it."""
    LOOSER = "looser"
    """The policy refuses the request, the candidate forwards it."""

    @classmethod
    def of(cls, answer: Reason, verdict: Reason) -> Agreement:
        """Compare a candidate's verdict with the reason of the response."""
        forwards, would_forward = answer.row.outcome == "allow", verdict.row.outcome == "allow"
        if forwards == would_forward:
            return cls.SAME
        return cls.LOOSER if would_forward else cls.STRICTER


@dataclass(frozen=True, slots=True)
class Comparison:
    """The candidate's decision, compared with the policy's."""

    agreement: Agreement
    reason: Reason
    """The candidate's."""
    detail: str = ""
    """For the operator's log."""


@dataclass(slots=True)
class Decision:
    """Forward or refuse, and why. Values of steps that did not run are None or empty.

    Never changed after construction. Not frozen, because every check creates one and a frozen dataclass takes four
    times as long to create.
    """

    reason: Reason
    request: RequestView | None = None
    policy: Policy | None = None
    identity: Identity | None = None
    issuer: str = ""
    """Alias of the issuer that the token names, also if a later step refuses the token."""
    unverified_key_id: str = ""
    remembered: bool | None = None
    """Whether the token came from the token cache. None if the check read no token."""
    detail: str = ""
    """For the operator's log, never for the client."""
    text: str = ""
    """What the client reads."""
    comparison: Comparison | None = None
    """None if the policy has no candidate or there is nothing to compare."""
