"""The outcome of one check, with what was known of the request when it fell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from authz.core.identity import Identity
from authz.core.policy import Policy
from authz.core.reasons import Reason
from authz.core.request import RequestView


class Agreement(StrEnum):
    """How the candidate's answer relates to the policy's. The value is the metric label."""

    SAME = "same"
    STRICTER = "stricter"
    """The candidate refuses what is forwarded."""
    LOOSER = "looser"
    """The candidate forwards what is refused."""

    @classmethod
    def of(cls, answer: Reason, verdict: Reason) -> Agreement:
        """How a candidate's verdict relates to the answer that was given."""
        forwards, would_forward = answer.row.outcome == "allow", verdict.row.outcome == "allow"
        if forwards == would_forward:
            return cls.SAME
        return cls.LOOSER if would_forward else cls.STRICTER


@dataclass(frozen=True, slots=True)
class Comparison:
    """What the candidate said beside the policy's answer."""

    agreement: Agreement
    reason: Reason
    """The candidate's."""
    detail: str = ""
    """For the operator's log, as a decision's."""


@dataclass(slots=True)
class Decision:
    """Forward or refuse, and why. What was not reached is None or empty.

    Never changed. Not frozen, for every check makes one, and a frozen one takes four times as long to make.
    """

    reason: Reason
    request: RequestView | None = None
    policy: Policy | None = None
    identity: Identity | None = None
    issuer: str = ""
    """Alias of the issuer that the token names: also known where the token is refused later on."""
    unverified_key_id: str = ""
    remembered: bool | None = None
    """Whether the token had been verified before; None where no token was looked at."""
    detail: str = ""
    """For the operator's log, never for the client."""
    text: str = ""
    """What the client reads."""
    comparison: Comparison | None = None
    """What the policy's candidate said; None where it has none or was not asked."""
