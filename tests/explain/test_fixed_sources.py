"""Policies with `userinfo`, explained: what the issuer says now, or that it was not asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from authz.core.issuers import UserinfoLocation
from authz.core.reasons import Reason
from authz.core.userinfo_lookup import AnswerSource
from authz.sources.background import Background
from authz.sources.userinfo_source import UserinfoSource
from authz.tools.explain.explanation import Line, explain
from authz.tools.fixed_sources import FetchedUserinfo, NoUserinfo
from tests.fakes.checks import NOW, Rig, access_token, authz_with, check_request
from tests.fakes.keyserver import KeyServer, Mode

WRITTEN: dict[str, Any] = {
    **authz_with(cognito={"userinfo_uri": "https://auth.example.com/me"}),
    "policies": {
        "sales": {"issuers": "cognito", "userinfo": True, "claims": {"@userinfo/department": "sales"}},
        "lenient": {"issuers": "cognito", "userinfo": {"required": False}},
        "plain": {},
    },
}


@pytest.fixture
def endpoint() -> Iterator[KeyServer]:
    with KeyServer(json.dumps({"sub": "0a1b2c3d-user", "department": "support"}).encode()) as server:
        yield server


@pytest.fixture
def asked(endpoint: KeyServer) -> Iterator[FetchedUserinfo]:
    background = Background()
    location = UserinfoLocation(uri=f"{endpoint.origin}/me")
    yield FetchedUserinfo(UserinfoSource("cognito", location, background, log=lambda _event, _fields: None))
    background.stop()


def _explained(source: AnswerSource, policy: str) -> tuple[Reason, dict[str, Line]]:
    rules = Rig(WRITTEN, userinfo={"cognito": source}).rules
    explanation = explain(rules, check_request(access_token(), policy), NOW)
    return explanation.decision.reason, {line.step: line for line in explanation.lines}


def test_issuer_is_asked_once_and_its_claims_are_shown_beside_the_demand(
    asked: FetchedUserinfo, endpoint: KeyServer
) -> None:
    reason, lines = _explained(asked, "sales")

    assert reason is Reason.CLAIM_MISMATCH
    assert lines["userinfo"].verdict == "pass"
    assert "department" in lines["userinfo"].value
    assert "@userinfo/department 'support'" in lines["claims, groups"].value
    assert endpoint.requests == 1


def test_refusal_of_the_issuer_is_the_step_that_fails(asked: FetchedUserinfo, endpoint: KeyServer) -> None:
    endpoint.mode = Mode.REFUSE_401

    reason, lines = _explained(asked, "sales")

    assert reason is Reason.TOKEN_REVOKED
    assert lines["userinfo"].verdict == "fail"


def test_without_the_network_the_issuer_is_not_asked_and_the_step_says_so() -> None:
    reason, lines = _explained(NoUserinfo(), "sales")

    assert reason is Reason.USERINFO_UNAVAILABLE
    assert "--jwks" in lines["userinfo"].detail
    assert _explained(NoUserinfo(), "lenient")[0] is Reason.OK


def test_policy_that_does_not_ask_shows_that_nobody_was(asked: FetchedUserinfo, endpoint: KeyServer) -> None:
    reason, lines = _explained(asked, "plain")

    assert reason is Reason.OK
    assert lines["userinfo"].rule == "not asked"
    assert endpoint.connections == 0
