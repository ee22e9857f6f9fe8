"""Encoded answers are cached: a cached answer must equal a fresh one."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations, product
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from hypothesis import given
from hypothesis import strategies as st

from authz.core.decision import Decision
from authz.core.forward import read_forward
from authz.core.identity import with_userinfo
from authz.core.mapping_reader import MappingReader
from authz.core.metadata_fields import METADATA_FIELDS
from authz.core.reasons import Reason
from authz.server.check_response import Renderer, _field, _header, _length_prefix
from authz.server.pb import ext_authz_pb2 as pb
from tests.fakes.checks import AUTHZ, Rig, access_token, partner_token

UUIDS = ("4f3c2b1a-9d8e-4c7b-a6f5-0123456789ab", "00000000-0000-4000-8000-000000000001")
GOOD, WITHOUT_SCOPE = access_token(), access_token(scope="openid")


@pytest.fixture
def rig() -> Rig:
    return Rig()


def metadata(answer: pb.CheckResponse) -> dict[str, str]:
    return {name: str(value.string_value) for name, value in answer.dynamic_metadata.fields.items()}


def said(answer: pb.CheckResponse) -> Any:
    return json.loads(str(answer.denied_response.body))


@pytest.mark.parametrize("token", [GOOD, WITHOUT_SCOPE, "a.b.c", None], ids=["allow", "scope", "malformed", "missing"])
def test_answer_that_is_used_again_is_the_one_a_fresh_renderer_writes(rig: Rig, token: str | None) -> None:
    for request_id in (*UUIDS, "not an id", *UUIDS):
        decision = rig.decide(token, "reading", x_request_id=request_id)
        fresh = Renderer("orders-api", rig.configuration.forward)
        written = fresh.render(decision)

        assert rig.rules.renderer.render(decision) == written
        assert rig.rules.renderer.render(decision) == written


@pytest.mark.parametrize("request_id", UUIDS)
def test_every_answer_carries_the_id_of_its_own_request(rig: Rig, request_id: str) -> None:
    for token in (GOOD, None):
        rig.rules.renderer.render(rig.decide(token, "reading", x_request_id="11111111-2222-4333-8444-555555555555"))

    allowed, refused = (
        pb.CheckResponse.FromString(rig.rules.renderer.render(rig.decide(token, "reading", x_request_id=request_id)))
        for token in (GOOD, None)
    )

    assert metadata(allowed)["request_id"] == request_id
    assert metadata(refused)["request_id"] == said(refused)["request_id"] == request_id


def test_id_of_another_length_gets_an_answer_of_its_own(rig: Rig) -> None:
    """The stream id is used if x-request-id is no UUID; lengths are part of the bytes around an id."""
    ids = [
        said(pb.CheckResponse.FromString(rig.rules.renderer.render(rig.decide(None, "reading", x_request_id=value))))
        for value in (UUIDS[0], "", UUIDS[1])
    ]

    assert [body["request_id"] for body in ids] == [UUIDS[0], "4242", UUIDS[1]]


def test_decision_without_a_request_has_an_empty_id(rig: Rig) -> None:
    answer = pb.CheckResponse.FromString(rig.rules.renderer.render(Decision(Reason.OVERLOADED)))

    assert said(answer)["request_id"] == metadata(answer)["request_id"] == ""


def test_claim_that_looks_like_the_place_of_an_id_is_left_alone(rig: Rig) -> None:
    subject = "~" * 36
    token = access_token(sub=subject)

    for request_id in UUIDS:
        for policy in ("reading", "identity"):
            decision = rig.decide(token, policy, x_request_id=request_id)
            answer = pb.CheckResponse.FromString(rig.rules.renderer.render(decision))

            assert metadata(answer)["subject"] == subject
            assert metadata(answer)["request_id"] == request_id


def test_realm_that_looks_like_the_place_of_an_id_is_left_alone(rig: Rig) -> None:
    realm = "~" * 36
    renderer = Renderer(realm, rig.configuration.forward)

    answer = pb.CheckResponse.FromString(renderer.render(rig.decide(None, "reading", x_request_id=UUIDS[0])))

    headers = {str(option.header.key): str(option.header.value) for option in answer.denied_response.headers}
    assert headers["www-authenticate"] == f'Bearer realm="{realm}"'
    assert said(answer)["request_id"] == UUIDS[0]


def test_refusal_of_one_person_does_not_name_another(rig: Rig) -> None:
    first = rig.answer(access_token(sub="first", scope="openid"), "reading")
    second = rig.answer(access_token(sub="second", scope="openid"), "reading")

    assert [metadata(answer)["subject"] for answer in (first, second)] == ["first", "second"]


def test_refusal_of_a_grpc_request_is_not_used_for_another(rig: Rig) -> None:
    bodies = [
        str(
            pb.CheckResponse.FromString(
                rig.rules.renderer.render(rig.decide(None, "reading", content_type=kind))
            ).denied_response.body
        )
        for kind in ("application/grpc", "text/html", "application/grpc+proto")
    ]

    assert bodies[0] == bodies[2] == Reason.TOKEN_MISSING.row.text
    assert json.loads(bodies[1])["reason"] == "token_missing"


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
def test_a_header_is_the_one_that_protobuf_writes(name: str, value: str) -> None:
    theirs = pb.OkHttpResponse()
    option = theirs.headers.add()
    option.append_action = pb.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
    option.header.key, option.header.value = name, value

    assert _header(name, value) == theirs.SerializeToString()


@given(st.text(max_size=300), st.text(max_size=300))
def test_a_metadata_field_is_the_one_that_protobuf_writes(name: str, value: str) -> None:
    theirs = Struct()
    theirs.fields[name].string_value = value

    assert _field(name, value) == theirs.SerializeToString()


@pytest.mark.parametrize("length", [127, 128, 255, 256, 16_384])
def test_long_values_are_written_as_protobuf_writes_them(length: int) -> None:
    theirs = Struct()
    theirs.fields["subject"].string_value = "s" * length

    assert _field("subject", "s" * length) == theirs.SerializeToString()


@pytest.mark.parametrize("length", [1, 127, 128, 16_383, 16_384, 70_000])
def test_length_before_a_part_is_the_one_that_protobuf_writes(length: int) -> None:
    part = b"x" * length

    assert _length_prefix(3, length) + part == pb.HeaderValue(raw_value=part).SerializeToString()


def test_every_kind_of_verdict_in_turn_is_the_one_a_fresh_renderer_writes(rig: Rig) -> None:
    """Cached parts of one answer are used in others: of another reason, policy, issuer, subject, kind or id."""
    tokens = (GOOD, WITHOUT_SCOPE, access_token(sub="other"), partner_token(), "a.b.c", None)
    kinds: tuple[dict[str, Any], ...] = ({}, {"content_type": "application/grpc"}, {"x_request_id": UUIDS[0]})
    for token, policy, headers in product(tokens, ("reading", "authenticated", "public", "deny"), kinds):
        decision = rig.decide(token, policy, **headers)
        said_now = rig.rules.renderer.render(decision)

        assert Renderer("orders-api", rig.configuration.forward).render(decision) == said_now


@pytest.mark.parametrize("size", range(len(METADATA_FIELDS) + 1))
def test_every_choice_of_metadata_fields_returns_exactly_these_and_changes_nothing_else(rig: Rig, size: int) -> None:
    tokens = (GOOD, WITHOUT_SCOPE, "a.b.c", None)
    for chosen, token in product(combinations(METADATA_FIELDS, size), tokens):
        renderer = Renderer("orders-api", rig.configuration.forward, metadata_fields=frozenset(chosen))
        decision = rig.decide(token, "reading", x_request_id=UUIDS[0])
        whole = pb.CheckResponse.FromString(rig.rules.renderer.render(decision))
        answer = pb.CheckResponse.FromString(renderer.render(decision))

        assert metadata(answer) == {name: value for name, value in metadata(whole).items() if name in chosen}
        assert answer.HasField("dynamic_metadata") == bool(metadata(answer))
        for each in (whole, answer):
            each.ClearField("dynamic_metadata")
        assert answer == whole


def test_served_rules_return_the_metadata_fields_of_the_configuration() -> None:
    answer = Rig({**AUTHZ, "metadata": ["reason", "policy"]}).answer(GOOD, "reading")

    assert metadata(answer) == {"reason": "ok", "policy": "reading"}


def test_userinfo_changes_the_headers_that_the_same_renderer_wrote_before(rig: Rig) -> None:
    """The identity with userinfo is another object, so it must not get the bytes cached for the first."""
    forward = read_forward(MappingReader({"x-email": "@userinfo/email"}, (), []))
    renderer, decision = Renderer("orders-api", forward), rig.decide(GOOD)
    assert decision.identity is not None
    completed = with_userinfo(decision.identity, {"sub": "a", "email": "jo@example.com"}, forward)

    answers = [
        pb.CheckResponse.FromString(renderer.render(replace(decision, identity=identity)))
        for identity in (replace(decision.identity, headers=()), completed)
    ]

    sent = [{str(option.header.key) for option in answer.ok_response.headers} for answer in answers]
    assert sent == [set(), {"x-email"}]


def test_what_is_cached_for_an_identity_goes_with_it_and_does_not_grow_with_policies(rig: Rig) -> None:
    renderer = Renderer("orders-api", rig.configuration.forward)
    decisions = [rig.decide(GOOD, policy) for policy in ("reading", "authenticated", "staff")]
    for decision in decisions:
        renderer.render(decision)
    assert len(renderer._encoded_identities) == 1

    decisions.clear()
    del decision
    rig.rules.token_cache.forget(GOOD)

    assert len(renderer._encoded_identities) == 0
