"""What would change if a policy's candidate took its place: judged beside it, counted, never obeyed.

Compared is whether the request is forwarded, not why it is not. A request that no policy ever judged is not compared:
one whose token was refused before it was verified, or by the list of accepted issuers.
"""

from __future__ import annotations

from authz.core.decision import Agreement, Comparison, Decision
from authz.core.policy import judge
from authz.core.reasons import Denied, Reason
from authz.core.revocations import Revocations


def compare(decision: Decision, now: float, revocations: Revocations | None) -> Comparison | None:
    """Hold a request that was decided against the candidate of its policy.

    None where there is no candidate, or where the request was not judged: without an identity it was if no token was
    sent. Issuers that the policy does not accept are left out, for whether their tokens were verified depends on what
    other routes saw.
    """
    candidate = decision.policy.candidate if decision.policy is not None else None
    if candidate is None or not _was_judged(decision):
        return None
    if decision.reason in _FOR_BOTH:
        return Comparison(Agreement.SAME, decision.reason, decision.detail)
    verdict, detail = Reason.OK, ""
    try:
        if decision.identity is None:
            verdict = candidate.decide_without_token()
        else:
            judge(decision.identity, candidate, now, revocations)
    except Denied as denied:
        verdict, detail = denied.reason, denied.detail
    return Comparison(Agreement.of(decision.reason, verdict), verdict, detail)


_FOR_BOTH = frozenset({Reason.REVOCATIONS_UNAVAILABLE, Reason.USERINFO_UNAVAILABLE, Reason.TOKEN_REVOKED})
"""What the list or the issuer said of the token: a candidate has the same `userinfo`, and would have heard the same."""


def _was_judged(decision: Decision) -> bool:
    if decision.identity is None:
        return decision.reason in {Reason.ANONYMOUS, Reason.TOKEN_MISSING}
    return decision.reason is not Reason.ISSUER_NOT_ACCEPTED
