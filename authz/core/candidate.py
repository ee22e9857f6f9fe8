"""What would change if a policy's candidate took its place: judged beside it, counted, never obeyed.

Compared is whether the request is forwarded, not why it is not. A request that no policy ever judged is not compared:
one whose token was refused before it was verified, or by the list of accepted issuers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from authz.core.identity import Identity
from authz.core.policy import Policy, judge
from authz.core.reasons import Denied, Reason


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


def compare(reason: Reason, candidate: Policy, identity: Identity | None, now: float) -> Comparison | None:
    """Hold a request against the candidate; `reason` is the answer that its policy gave.

    None where the request was not judged: without an identity it was if no token was sent. Issuers that the policy
    does not accept are left out, for whether their tokens were verified depends on what other routes saw.
    """
    if reason is Reason.ISSUER_NOT_ACCEPTED:
        return None
    if identity is None and reason not in {Reason.ANONYMOUS, Reason.TOKEN_MISSING}:
        return None
    verdict, detail = _verdict(candidate, identity, now)
    return Comparison(Agreement.of(reason, verdict), verdict, detail)


def _verdict(candidate: Policy, identity: Identity | None, now: float) -> tuple[Reason, str]:
    try:
        if identity is None:
            return candidate.without_token(), ""
        judge(identity, candidate, now)
    except Denied as denied:
        return denied.reason, denied.detail
    return Reason.OK, ""
