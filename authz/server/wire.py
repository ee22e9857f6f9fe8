"""Encode and decode Envoy's ext_authz messages and the gRPC health messages.

Only this file and check_response.py know protobuf (docs/adr/0002). For any bytes, `parse` returns a RequestView or
raises Denied.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from authz.core.reasons import Denied, Reason
from authz.core.request import RequestView
from authz.server.conversation import Answer, Question
from authz.server.pb import ext_authz_pb2 as pb
from authz.server.pb import health_pb2

_is_uuid = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch
_is_stream_id = re.compile(r"[0-9]{1,20}").fullmatch
_read = pb.CheckRequest.FromString
_HEADERS = pb.AttributeContext.HttpRequest.HEADERS_FIELD_NUMBER

SERVING = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING).SerializeToString()
NOT_SERVING = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.NOT_SERVING).SerializeToString()

_SERVICES = frozenset({"", "envoy.service.auth.v3.Authorization"})


def names_service(message: bytes) -> bool:
    """Whether a HealthCheckRequest is for the whole server or for the served service."""
    try:
        return health_pb2.HealthCheckRequest.FromString(message).service in _SERVICES
    except DecodeError:
        return False


def parse(message: bytes) -> RequestView:
    """Parse a CheckRequest. Raises Denied(REQUEST_MALFORMED) if it is not valid or not about HTTP."""
    try:
        attributes = _read(message).attributes
    except DecodeError as error:
        raise Denied(Reason.REQUEST_MALFORMED, "not a CheckRequest") from error
    http = attributes.request.http
    method, headers = http.method, http.headers
    # With `encode_raw_headers`, Envoy fills `header_map` instead of `headers`. Read both, so that no header is hidden.
    if http.HasField("header_map"):
        raw = http.header_map.headers
        authorization = _values(headers, raw, "authorization")
        content_type = next(iter(_values(headers, raw, "content-type")), None)
        request_id = next(iter(_values(headers, raw, "x-request-id")), None)
    elif method or headers:
        value = headers.get("authorization")
        authorization = () if value is None else (value,)
        content_type, request_id = headers.get("content-type"), headers.get("x-request-id")
    else:
        raise Denied(Reason.REQUEST_MALFORMED, "no HTTP attributes")
    if not authorization:
        _require_no_hidden_header(http)
    policy, path = attributes.context_extensions.get("policy"), http.path
    # protobuf returns a string field that is not UTF-8 as bytes. It counts as empty.
    return RequestView(
        policy if isinstance(policy, str) else "",
        authorization,
        method if isinstance(method, str) else "",
        path if isinstance(path, str) else "",
        isinstance(content_type, str) and content_type.startswith("application/grpc"),
        request_id if isinstance(request_id, str) and _is_uuid(request_id) else _stream_id(http),
    )


def _require_no_hidden_header(http: pb.AttributeContext.HttpRequest) -> None:
    """Refuse a request whose credential may be in an entry of `headers` that protobuf did not read.

    An entry with a field of its own besides key and value is no entry to protobuf, only an unknown field. Envoy writes
    none, but a request with a token must not pass as one without. Raises Denied(REQUEST_MALFORMED).
    """
    unread = UnknownFieldSet(http)
    if any(unread[index].field_number == _HEADERS for index in range(len(unread))):
        raise Denied(Reason.REQUEST_MALFORMED, "a header that is not one key and one value")


def _values(headers: Mapping[str, str | bytes], raw: Iterable[pb.HeaderValue], name: str) -> tuple[str | bytes, ...]:
    """Return all values of a header from both encodings."""
    value = headers.get(name)
    values = () if value is None else (value,)
    return (*values, *(header.value or _decoded(header.raw_value) for header in raw if header.key == name))


def _decoded(value: bytes) -> str | bytes:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value


def _text(value: str | bytes) -> str:
    """Return a string field, empty if it is not UTF-8. protobuf returns it as bytes then."""
    return value if isinstance(value, str) else ""


def _stream_id(http: pb.AttributeContext.HttpRequest) -> str:
    """Return Envoy's stream id if it is a number. Like a UUID, it is safe in a response."""
    stream_id = _text(http.id)
    return stream_id if _is_stream_id(stream_id) else ""


def write_request(question: Question) -> bytes:
    """Encode the CheckRequest that Envoy would send, for commands that run without Envoy."""
    http = pb.AttributeContext.HttpRequest(
        method=question.method, path=question.path, headers={":method": question.method, **question.headers}
    )
    attributes = pb.AttributeContext(request=pb.AttributeContext.Request(http=http))
    if question.policy is not None:
        attributes.context_extensions["policy"] = question.policy
    return pb.CheckRequest(attributes=attributes).SerializeToString()


def read_answer(message: bytes) -> Answer:
    """Decode a CheckResponse as Envoy interprets it: it forwards the request only if the status code is 0."""
    response = pb.CheckResponse.FromString(message)
    is_forwarded = response.status.code == 0
    chosen = response.ok_response if is_forwarded else response.denied_response
    return Answer(
        is_forwarded=is_forwarded,
        status=200 if is_forwarded else response.denied_response.status.code,
        headers={_text(option.header.key): _text(option.header.value) for option in chosen.headers},
        removed=tuple(map(_text, response.ok_response.headers_to_remove)),
        body=_text(response.denied_response.body),
        metadata={name: value.string_value for name, value in response.dynamic_metadata.fields.items()},
    )
