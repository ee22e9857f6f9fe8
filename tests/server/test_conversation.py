"""What Envoy would ask and do, spoken without an Envoy: the sidecar's own code reads and writes the other side."""

from __future__ import annotations

from authz.core.check import decide
from authz.server import wire
from authz.server.conversation import Answer, Question
from tests.fakes.checks import NOW, Rig, access_token


def _ask(question: Question) -> Answer:
    rig = Rig()
    return wire.read_answer(
        rig.rules.renderer.render(decide(rig.rules, wire.write_request(question), NOW, may_wait=False))
    )


def test_question_is_read_as_it_was_meant() -> None:
    headers = {"authorization": "Bearer abc", "content-type": "application/grpc"}

    request = wire.parse(wire.write_request(Question("reading", "PUT", "/orders?x=1", headers)))

    assert (request.policy, request.method, request.path) == ("reading", "PUT", "/orders?x=1")
    assert request.authorization == ("Bearer abc",)
    assert request.is_grpc


def test_question_of_a_route_without_a_policy_names_none() -> None:
    assert _ask(Question(None)).problem["reason"] == "policy_missing"


def test_good_token_is_forwarded_with_verified_headers_and_the_others_removed() -> None:
    answer = _ask(Question("reading", headers={"authorization": f"Bearer {access_token()}"}))

    assert (answer.is_forwarded, answer.status) == (True, 200)
    assert answer.headers["x-auth-subject"] == "0a1b2c3d-user"
    assert "x_auth_subject" in answer.removed
    assert answer.metadata["reason"] == "ok"
    assert answer.problem == {}


def test_refusal_has_a_status_a_challenge_and_a_body() -> None:
    answer = _ask(Question("reading"))

    assert (answer.is_forwarded, answer.status) == (False, 401)
    assert answer.headers["www-authenticate"] == 'Bearer realm="orders-api"'
    assert answer.problem["reason"] == "token_missing"
    assert answer.metadata["decision"] == "deny"
