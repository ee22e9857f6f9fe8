"""Bytes against a second protobuf binding, and what strangers may put into them."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from envoy_data_plane.envoy.config.core.v3 import HeaderMap, HeaderValue, HeaderValueOptionHeaderAppendAction
from envoy_data_plane.envoy.service.auth.v3 import (
    AttributeContext,
    AttributeContextHttpRequest,
    AttributeContextPeer,
    AttributeContextRequest,
    CheckRequest,
    CheckResponse,
)
from hypothesis import given
from hypothesis import strategies as some

from authz.core.check import decide
from authz.core.configuration import compile_configuration
from authz.core.decision import Agreement, Comparison, Decision
from authz.core.forward import read_forward
from authz.core.reasons import Denied, Reason
from authz.server import wire
from authz.server.check_response import Renderer
from authz.server.conversation import Question
from authz.server.pb import ext_authz_pb2 as pb
from fuzz.rig import with_entry
from tests.fakes.checks import AUTHZ, NOW, Rig, access_token

UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
RENDERER = Renderer("orders-api", read_forward(None))


def request_bytes(*, extensions: dict[str, str] | None = None, **http: Any) -> bytes:
    """A CheckRequest as the second binding writes it, with fields around ours that the sidecar does not read."""
    request = AttributeContextHttpRequest(**{"method": "GET", "path": "/orders?x=1", "host": "h", "size": -1, **http})
    attributes = AttributeContext(
        source=AttributeContextPeer(principal="spiffe://x", labels={"a": "b"}),
        request=AttributeContextRequest(http=request),
        context_extensions={"policy": "reading", "other": "x"} if extensions is None else extensions,
    )
    return bytes(CheckRequest(attributes=attributes))


def header_map(*headers: tuple[str, bytes]) -> HeaderMap:
    return HeaderMap(headers=[HeaderValue(key=name, raw_value=value) for name, value in headers])


def decode(answer: bytes) -> CheckResponse:
    return CheckResponse().parse(answer)


def refused(message: bytes) -> Reason:
    with pytest.raises(Denied) as caught:
        wire.parse(message)
    return caught.value.reason


UNREAD = b"\x50\x01"
"""Field 10, a number: an entry of a map has only the fields 1 and 2."""


# --- requests


def test_request_of_the_other_binding_is_read_field_by_field() -> None:
    headers = {"authorization": "Bearer a", "content-type": "application/grpc+proto", "x-request-id": UUID}

    view = wire.parse(request_bytes(id="77", headers=headers))

    assert view.policy == "reading"
    assert view.authorization == ("Bearer a",)
    assert (view.method, view.path) == ("GET", "/orders?x=1")
    assert view.is_grpc
    assert view.request_id == UUID


def test_request_that_we_write_is_read_by_the_other_binding() -> None:
    message = wire.write_request(Question("reading", "PUT", "/orders", {"authorization": "Bearer a"}))

    http = CheckRequest().parse(message).attributes.request.http  # type: ignore[union-attr]

    assert (http.method, http.path, http.headers["authorization"]) == ("PUT", "/orders", "Bearer a")  # type: ignore[union-attr]


def test_raw_headers_are_read_like_headers() -> None:
    raw = header_map((b"authorization".decode(), b"Bearer a"), ("content-type", b"application/grpc"))

    view = wire.parse(request_bytes(header_map=raw))

    assert view.authorization == ("Bearer a",)
    assert view.is_grpc


def test_credentials_in_both_encodings_are_two_credentials() -> None:
    message = request_bytes(
        headers={"authorization": "Bearer a"}, header_map=header_map(("authorization", b"Bearer b"))
    )

    assert wire.parse(message).authorization == ("Bearer a", "Bearer b")
    assert Rig().rules.renderer.render(Decision(Reason.OK)) is not None


@pytest.mark.parametrize("http", [{}, {"header_map": header_map(("x", b"y"))}, {"headers": {"x-request-id": UUID}}])
@pytest.mark.parametrize("entry", [b"\n\rauthorization\x12\x08Bearer a" + UNREAD, UNREAD, b"\x08\x01"])
def test_a_header_that_protobuf_does_not_read_cannot_hide_a_credential(http: dict[str, Any], entry: bytes) -> None:
    assert refused(with_entry(request_bytes(**http), entry)) is Reason.REQUEST_MALFORMED


def test_fields_that_authz_does_not_know_hide_nothing() -> None:
    """Envoy sends more than authz reads, and later versions send more still."""
    theirs = request_bytes(host="orders.example.com", scheme="https", size=5, protocol="HTTP/2", query="a=b")

    assert wire.parse(theirs + UNREAD).authorization == ()


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ((("authorization", b"Bearer a"), ("authorization", b"Bearer b")), "request_malformed"),
        ((("authorization", b"Bearer a,Bearer b"),), "request_malformed"),
        ((("authorization", b"Bearer \xff\xfe"),), "request_malformed"),
        ((("authorization", b""),), "token_missing"),
        ((("Authorization", b"Bearer a"),), "token_missing"),
        ((("x-other", b"\xff\xfe"),), "token_missing"),
    ],
)
def test_raw_headers_are_refused_for_what_is_wrong_with_them(headers: Any, reason: str) -> None:
    assert _reason_of(request_bytes(header_map=header_map(*headers))) == reason


def test_bytes_outside_utf8_in_one_header_do_not_matter_to_the_others() -> None:
    request = pb.CheckRequest()
    http = request.attributes.request.http
    http.method = "GET"
    http.headers["authorization"] = f"Bearer {access_token()}"
    http.headers["x-broken"] = "PLACEHOLDER"
    http.path = "/BROKENPATH"
    request.attributes.context_extensions["policy"] = "reading"
    message = request.SerializeToString().replace(b"PLACEHOLDER", b"\xff" * 11).replace(b"BROKENPATH", b"\xfe" * 10)

    assert _reason_of(message) == "ok"


def test_credential_outside_utf8_is_refused() -> None:
    message = request_bytes(headers={"authorization": "Bearer PLACEHOLDER"}).replace(b"PLACEHOLDER", b"\xff" * 11)

    assert _reason_of(message) == "request_malformed"


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x00",
        b"\xff" * 40,
        b"not protobuf",
        b"\x0a\x00",
        b"\x0a\x02\x22\x00",
        b"\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    ],
)
def test_what_is_no_request_about_http_is_malformed(message: bytes) -> None:
    assert refused(message) is Reason.REQUEST_MALFORMED


def test_truncated_request_is_never_allowed() -> None:
    """Envoy ends an incomplete message with a stream error; a half of one must not be read as a smaller whole."""
    whole = request_bytes(headers={"authorization": f"Bearer {access_token()}"}, extensions={"policy": "reading"})
    rig = Rig()
    allowed = {length for length in range(len(whole)) if _decision(whole[:length], rig).reason.row.outcome == "allow"}

    assert _decision(whole, rig).reason is Reason.OK
    assert allowed == set()


@given(some.binary(max_size=300))
def test_no_bytes_make_reading_raise_anything_but_denied(message: bytes) -> None:
    with contextlib.suppress(Denied):
        wire.parse(message)


@pytest.mark.parametrize(
    ("request_id", "stream_id", "expected"),
    [
        (UUID, "77", UUID),
        ("<script>", "77", "77"),
        ("a\r\nb: c", "", ""),
        (UUID + "0", "12345678901234567890", "12345678901234567890"),
        ("", "1; drop", ""),
        ("", "123456789012345678901", ""),
    ],
)
def test_only_an_id_that_is_safe_to_repeat_is_taken(request_id: str, stream_id: str, expected: str) -> None:
    view = wire.parse(request_bytes(id=stream_id, headers={"x-request-id": request_id}))

    assert view.request_id == expected


def _decision(message: bytes, rig: Rig) -> Decision:
    return decide(rig.rules, message, NOW, may_wait=False)


def _reason_of(message: bytes) -> str:
    return _decision(message, Rig()).reason.row.label


# --- answers


@pytest.mark.parametrize("reason", list(Reason), ids=lambda reason: reason.row.label)
@pytest.mark.parametrize("is_grpc", [False, True], ids=["http", "grpc"])
def test_every_answer_can_be_read_in_one_way_only(reason: Reason, is_grpc: bool) -> None:  # noqa: FBT001
    headers = {"content-type": "application/grpc"} if is_grpc else {}
    view = wire.parse(request_bytes(headers=headers | {"x-request-id": UUID}))
    policy = compile_configuration(AUTHZ).policies["reading"]

    response = decode(RENDERER.render(Decision(reason, view, policy, text=reason.row.text)))

    assert response.status is not None
    assert (response.ok_response is None) != (response.denied_response is None)
    assert response.error_response is None
    if reason.row.outcome == "allow":
        assert response.status.code == 0
        assert response.ok_response is not None
        return
    denied = response.denied_response
    assert response.status.code != 0
    assert denied is not None
    assert denied.status is not None
    assert int(denied.status.code) == reason.row.http_status
    assert denied.body == reason.row.text if is_grpc else json.loads(denied.body)["reason"] == reason.row.label


@pytest.mark.parametrize("reason", list(Reason), ids=lambda reason: reason.row.label)
def test_every_answer_is_written_without_anything_known_of_the_request(reason: Reason) -> None:
    response = decode(RENDERER.render(Decision(reason)))

    assert (response.ok_response is None) != (response.denied_response is None)


def headers_of(decision: Decision, renderer: Renderer = RENDERER) -> dict[str, str]:
    denied = decode(renderer.render(decision)).denied_response
    assert denied is not None
    found = {}
    for option in denied.headers:
        assert option.header is not None
        assert option.append_action is HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
        found[option.header.key] = option.header.value
    return found


def test_bare_challenge_where_no_token_was_sent() -> None:
    """RFC 6750 section 3.1: without credentials there is no error code."""
    assert headers_of(Decision(Reason.TOKEN_MISSING))["www-authenticate"] == 'Bearer realm="orders-api"'


@pytest.mark.parametrize(
    ("reason", "policy", "expected"),
    [
        (Reason.REQUEST_MALFORMED, None, 'error="invalid_request"'),
        (Reason.TOKEN_EXPIRED, None, 'error="invalid_token", error_description="The access token has expired"'),
        (Reason.SCOPE_INSUFFICIENT, "reading", 'scope="orders/admin orders/read"'),
        (Reason.TOKEN_TOO_OLD, "recent", 'error="insufficient_user_authentication"'),
        (Reason.TOKEN_TOO_OLD, "recent", 'max_age="900"'),
    ],
)
def test_challenge_says_what_the_standard_wants(reason: Reason, policy: str | None, expected: str) -> None:
    named = compile_configuration(AUTHZ).policies[policy] if policy else None

    assert expected in headers_of(Decision(reason, policy=named))["www-authenticate"]


@pytest.mark.parametrize("reason", [Reason.DENIED, Reason.POLICY_MISSING, Reason.OVERLOADED, Reason.INTERNAL_ERROR])
def test_refusal_that_no_other_token_would_mend_has_no_challenge(reason: Reason) -> None:
    assert "www-authenticate" not in headers_of(Decision(reason))


@pytest.mark.parametrize("reason", [Reason.KEYS_UNAVAILABLE, Reason.OVERLOADED])
def test_refusal_that_time_mends_says_when_to_come_back(reason: Reason) -> None:
    assert headers_of(Decision(reason))["retry-after"] == "2"


def test_every_refusal_forbids_caches_to_keep_it() -> None:
    refusals = [reason for reason in Reason if reason.row.outcome != "allow"]

    assert {headers_of(Decision(reason))["cache-control"] for reason in refusals} == {"no-store"}


@pytest.mark.parametrize(
    ("realm", "quoted"),
    [
        ("orders-api", '"orders-api"'),
        ('a"b', '"a\\"b"'),
        ("a\\b", '"a\\\\b"'),
        ('x", error="none', '"x\\", error=\\"none"'),
        ("a\r\nset-cookie: x", '"a??set-cookie: x"'),
        ("a\0\x7f\x1b[0m", '"a???[0m"'),
        ("注文", '"??"'),
        ("", '""'),
    ],
)
def test_realm_is_one_quoted_string_whatever_the_cluster_is_called(realm: str, quoted: str) -> None:
    renderer = Renderer(realm, read_forward(None))

    assert headers_of(Decision(Reason.TOKEN_MISSING), renderer)["www-authenticate"] == f"Bearer realm={quoted}"


def test_allowed_request_gets_verified_headers_and_loses_those_that_a_client_sent() -> None:
    rig = Rig()
    response = decode(rig.rules.renderer.render(rig.decide(access_token(), "reading")))

    ok = response.ok_response
    assert ok is not None
    written = {option.header.key: option.header.value for option in ok.headers if option.header is not None}
    assert written["x-auth-subject"] == "0a1b2c3d-user"
    assert written["x-auth-scopes"] == "openid orders/read"
    assert "x_auth_subject" in ok.headers_to_remove
    assert "x-envoy-auth-failure-mode-allowed" in ok.headers_to_remove
    assert not set(written) & set(ok.headers_to_remove)


@pytest.mark.parametrize("policy", ["public", "optional"])
def test_request_without_identity_loses_every_identity_header(policy: str) -> None:
    ok = decode(Rig().rules.renderer.render(Rig().decide(None, policy))).ok_response

    assert ok is not None
    assert not ok.headers
    assert {"x-auth-subject", "x-auth-issuer", "x-auth-client", "x-auth-scopes"} <= set(ok.headers_to_remove)


def metadata_of(answer: bytes) -> dict[str, Any]:
    """As protobuf itself reads it: an embedded message that comes twice is merged, which betterproto2 leaves out."""
    return dict(pb.CheckResponse.FromString(answer).dynamic_metadata)


def test_metadata_says_who_and_why_on_an_allow() -> None:
    rig = Rig()

    assert metadata_of(rig.rules.renderer.render(rig.decide(access_token(), "reading"))) == {
        "decision": "allow",
        "reason": "ok",
        "policy": "reading",
        "issuer": "cognito",
        "subject": "0a1b2c3d-user",
        "client": "5onexampleclientid",
        "request_id": "4242",
    }


def test_remembered_answer_is_the_same_but_for_the_request_id() -> None:
    rig = Rig()
    token = access_token()
    first = rig.rules.renderer.render(rig.decide(token, "reading", x_request_id=UUID))

    again = rig.rules.renderer.render(rig.decide(token, "reading"))

    assert metadata_of(first)["request_id"] == UUID
    assert metadata_of(again) == metadata_of(first) | {"request_id": "4242"}
    assert decode(again).ok_response == decode(first).ok_response


@pytest.mark.parametrize("token", [access_token(), access_token(scope="other"), "a.b.c", None])
def test_every_part_of_an_answer_stands_in_it_once(token: str | None) -> None:
    """protobuf's own readers merge repeated fields; others keep the last, and must read the same."""
    rig = Rig()
    answer = rig.rules.renderer.render(rig.decide(token, "reading", x_request_id=UUID))

    said = decode(answer).dynamic_metadata

    assert said is not None
    assert {name: value.string_value for name, value in said.fields.items()} == metadata_of(answer)
    assert decode(answer) == decode(pb.CheckResponse.FromString(answer).SerializeToString())


def test_metadata_says_who_and_why_on_a_refusal() -> None:
    rig = Rig()
    answer = rig.rules.renderer.render(rig.decide(access_token(scope="other"), "reading"))

    said = metadata_of(answer)

    assert (said["decision"], said["reason"], said["policy"], said["issuer"]) == (
        "deny",
        "scope_insufficient",
        "reading",
        "cognito",
    )


def test_no_answer_repeats_what_a_client_sent() -> None:
    secret = "SENTBYCLIENT"
    message = request_bytes(
        path=f"/{secret}?q={secret}",
        id=secret,
        headers={"authorization": f"Bearer {secret}.{secret}.{secret}", "x-request-id": secret, "x": secret},
    )

    answer = Rig().rules.renderer.render(_decision(message, Rig()))

    assert secret.encode() not in answer


def test_comparison_of_a_candidate_does_not_change_the_answer() -> None:
    decision = Decision(Reason.DENIED)
    compared = Decision(Reason.DENIED, comparison=Comparison(Agreement.LOOSER, Reason.OK, ""))

    assert decode(RENDERER.render(decision)) == decode(RENDERER.render(compared))


# --- health


@pytest.mark.parametrize(
    ("message", "is_known"),
    [
        (b"", True),
        (b"\x0a\x00", True),
        (b"\x0a\x23envoy.service.auth.v3.Authorization", True),
        (b"\x0a\x05other", False),
        (b"\x0a\xff", False),
        (b"\xff\xff", False),
    ],
)
def test_health_is_known_of_the_server_and_of_its_service(message: bytes, is_known: bool) -> None:  # noqa: FBT001
    assert wire.names_service(message) is is_known
