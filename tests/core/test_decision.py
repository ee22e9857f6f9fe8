"""How a candidate's answer relates to the decision; the contents of a decision that ended early."""

from __future__ import annotations

import itertools

from authz.core.decision import Agreement, Decision
from authz.core.reasons import Reason

ALLOWING = [reason for reason in Reason if reason.row.outcome == "allow"]
REFUSING = [reason for reason in Reason if reason.row.outcome != "allow"]


def test_two_answers_agree_where_both_forward_or_both_refuse_whatever_the_reasons() -> None:
    for answer, verdict in (*itertools.product(ALLOWING, ALLOWING), *itertools.product(REFUSING, REFUSING)):
        assert Agreement.of(answer, verdict) is Agreement.SAME


def test_a_candidate_that_refuses_what_is_forwarded_is_stricter_and_the_reverse_is_looser() -> None:
    for allowing, refusing in itertools.product(ALLOWING, REFUSING):
        assert Agreement.of(allowing, refusing) is Agreement.STRICTER
        assert Agreement.of(refusing, allowing) is Agreement.LOOSER


def test_the_labels_are_those_of_the_metric() -> None:
    assert [agreement.value for agreement in Agreement] == ["same", "stricter", "looser"]


def test_of_what_was_not_reached_a_decision_knows_nothing() -> None:
    decision = Decision(Reason.OVERLOADED)

    assert (decision.request, decision.policy, decision.identity, decision.comparison) == (None, None, None, None)
    assert (decision.issuer, decision.unverified_key_id, decision.detail, decision.text) == ("", "", "", "")
    assert decision.remembered is None
