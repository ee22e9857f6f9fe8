"""Compare a decision with the decision of the policy's candidate. The result is counted and never changes the response.

Only the outcome is compared, not the reason. There is no comparison if no policy judged the request: if its token was
refused before it was verified, or because the policy does not accept its issuer.
"""

from __future__ import annotations

from authz.core.decision import Agreement, Comparison, Decision
from authz.core.policy import judge
from authz.core.reasons import Denied, Reason
from authz.core.revocations import Revocations


def compare(decision: Decision, now: float, revocations: Revocations | None) -> Comparison | None:
    """Return the comparison of a decision with the candidate of its policy.

    None if there is no candidate, or if no policy judged the request. A request without an identity was judged only if
    it has no token. Issuers that the policy does not accept are skipped, because whether their tokens were verified
    depends on the requests to other routes.
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
"""Reasons from the revocation list or the issuer. They hold for the candidate too, with its equal `userinfo` field."""


def _was_judged(decision: Decision) -> bool:
    if decision.identity is None:
        return decision.reason in {Reason.ANONYMOUS, Reason.TOKEN_MISSING}
    return decision.reason is not Reason.ISSUER_NOT_ACCEPTED
