"""Candidates beside real checks: the answer stays the policy's, the comparison is exact, counted and logged."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest

from authz.core import candidate
from authz.core.configuration import compile_configuration
from authz.core.decision import Agreement
from authz.core.reasons import Reason
from authz.observe.labels import possible_comparisons
from authz.observe.log import Level, Log
from authz.observe.tally import Tally
from tests.fakes.checks import AUTHZ, NOW, Rig, access_token, partner_token
from tests.fakes.handler import Handler, handling

POLICIES = {
    "readers": {"scopes": "read", "candidate": "writers"},
    "writers": {"scopes": "write"},
    "open": {"optional": True, "candidate": "writers"},
    "closed": {"candidate": "relaxed"},
    "relaxed": {"optional": True},
    "one": {"issuers": "cognito", "candidate": "relaxed"},
    "plain": {"scopes": "read"},
}
WRITTEN = {**AUTHZ, "policies": POLICIES}


@pytest.fixture
def handler() -> Iterator[Handler]:
    with handling(Rig(WRITTEN)) as started:
        yield started


@pytest.mark.parametrize(
    ("scope", "reason", "agreement", "candidates_reason"),
    [
        ("read write", Reason.OK, Agreement.SAME, Reason.OK),
        ("read", Reason.OK, Agreement.STRICTER, Reason.SCOPE_INSUFFICIENT),
        ("write", Reason.SCOPE_INSUFFICIENT, Agreement.LOOSER, Reason.OK),
        ("", Reason.SCOPE_INSUFFICIENT, Agreement.SAME, Reason.SCOPE_INSUFFICIENT),
    ],
)
def test_answer_is_the_policys_and_the_candidates_is_noted_beside_it(
    handler: Handler, scope: str, reason: Reason, agreement: Agreement, candidates_reason: Reason
) -> None:
    token = access_token(scope=scope)

    for _remembered in (False, True):
        decision = handler.ask(token, "readers")

        assert decision.reason is reason
        assert decision.comparison is not None
        assert decision.comparison.agreement is agreement
        assert decision.comparison.reason is candidates_reason


def test_request_without_a_token_is_compared_too(handler: Handler) -> None:
    stricter, looser = handler.ask(None, "open").comparison, handler.ask(None, "closed").comparison

    assert stricter is not None
    assert (stricter.agreement, stricter.reason) == (Agreement.STRICTER, Reason.TOKEN_MISSING)
    assert looser is not None
    assert (looser.agreement, looser.reason) == (Agreement.LOOSER, Reason.ANONYMOUS)


@pytest.mark.parametrize(
    "token", ["not-a-jwt", "a.b.c", access_token(iss="https://stranger.example.com"), access_token()[:-8]]
)
def test_token_that_was_never_verified_is_not_compared(handler: Handler, token: str) -> None:
    decision = handler.ask(token, "closed")

    assert decision.reason.row.outcome == "deny"
    assert decision.comparison is None


def test_token_of_an_issuer_that_is_not_accepted_is_never_compared_remembered_or_not(handler: Handler) -> None:
    token = partner_token(scope="read")

    unknown = handler.ask(token, "one")
    handler.ask(token, "plain")
    remembered = handler.ask(token, "one")

    assert unknown.reason is remembered.reason is Reason.ISSUER_NOT_ACCEPTED
    assert unknown.comparison is remembered.comparison is None


def test_expired_token_is_refused_under_both(handler: Handler) -> None:
    decision = handler.ask(access_token(exp=NOW - 60), "readers")

    assert decision.reason is Reason.TOKEN_EXPIRED
    assert decision.comparison is not None
    assert decision.comparison.agreement is Agreement.SAME


def test_policy_without_a_candidate_is_not_compared(handler: Handler) -> None:
    assert handler.ask(access_token(scope="read"), "plain").comparison is None


def test_policy_written_in_place_has_its_candidate_judged(handler: Handler) -> None:
    comparison = handler.ask(access_token(scope="read"), "{scopes: read, candidate: writers, name: orders}").comparison

    assert comparison is not None
    assert comparison.agreement is Agreement.STRICTER


def test_candidate_that_fails_in_an_unforeseen_way_does_not_change_the_answer(
    handler: Handler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(candidate, "judge", fail)

    decision = handler.ask(access_token(scope="read"), "readers")

    assert decision.reason is Reason.OK
    assert decision.comparison is not None
    assert decision.comparison.reason is Reason.INTERNAL_ERROR
    assert "unforeseen" in decision.comparison.detail


def test_comparisons_are_counted_by_policy_and_agreement_and_there_from_the_start(handler: Handler) -> None:
    tally = Tally()
    for scope in ("read", "read write", "read"):
        tally.count(handler.ask(access_token(scope=scope), "readers"), 0.0)

    counts = {(policy, agreement): count for policy, agreement, count in tally.snapshot().candidates}

    assert counts == {("readers", "stricter"): 2, ("readers", "same"): 1}
    possible = possible_comparisons(compile_configuration(WRITTEN))
    assert {policy for policy, _agreement in possible} == {"readers", "open", "closed", "one"}
    assert [agreement for policy, agreement in possible if policy == "readers"] == ["same", "stricter", "looser"]


@pytest.mark.parametrize(
    ("level", "scope", "lines"), [("info", "read", 1), ("info", "read write", 0), ("debug", "read write", 1)]
)
def test_difference_is_a_log_line_at_info_and_agreement_one_at_debug(
    handler: Handler, level: Level, scope: str, lines: int
) -> None:
    stream, decision = io.StringIO(), handler.ask(access_token(scope=scope), "readers")
    log = Log(level, "json", stream)

    assert decision.comparison is not None
    log.comparison(decision, decision.comparison)
    log.close()

    written = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert len(written) == lines
    if scope == "read":
        assert (
            written[0]
            | {
                "event": "candidate",
                "level": "info",
                "policy": "readers",
                "candidate": "writers",
                "agreement": "stricter",
                "reason": "ok",
                "candidate_reason": "scope_insufficient",
                "subject": "0a1b2c3d-user",
                "issuer": "cognito",
                "method": "GET",
                "path": "/orders/7",
            }
            == written[0]
        )
