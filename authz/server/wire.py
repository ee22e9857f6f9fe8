"""Envoy's ext_authz messages and gRPC health, bytes on one side and our own values on the other.

The only file that knows protobuf (docs/adr/0002). Whatever is sent, `parse` gives a RequestView or Denied; whatever
is decided, `render` gives a CheckResponse that Envoy can only read one way: `ok_response` with status OK, or
`denied_response` with another status, never anything else (docs/adr/0004).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from google.protobuf.message import DecodeError

from authz.core.decision import Decision
from authz.core.forward import Forward
from authz.core.identity import Identity
from authz.core.policy import Policy
from authz.core.reasons import Denied, Reason, Row
from authz.core.request import RequestView
from authz.server.conversation import Answer, Question
from authz.server.pb import ext_authz_pb2 as pb
from authz.server.pb import health_pb2

_is_uuid = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}").fullmatch
_is_stream_id = re.compile(r"[0-9]{1,20}").fullmatch
_read = pb.CheckRequest.FromString
_OVERWRITE = pb.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
_STATUS_CODES = {400: 3, 401: 16, 403: 7, 500: 13, 503: 14}
"""google.rpc.Code for an HTTP status. Envoy only looks whether it is 0."""

MAX_ANSWERS = 8
"""Answers kept per identity: one client rarely meets more policies, and each costs some 500 bytes."""

MAX_FIELDS = 1024
MAX_FIELD_CHARACTERS = 128
"""Encoded metadata fields kept, and the longest value among them. Reasons, policies, issuers and clients come again;
what comes again stays. All of them together are under half a megabyte."""

MAX_ANSWERS_TO_STRANGERS = 1024
"""Answers kept that name nobody: one per reason, policy and issuer, less than a megabyte in all."""

RETRY_AFTER_SECONDS = 2
"""What a client is told to wait when keys or capacity are missing: about the time one fetch takes."""

SERVING = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING).SerializeToString()
NOT_SERVING = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.NOT_SERVING).SerializeToString()

_SERVICES = frozenset({"", "envoy.service.auth.v3.Authorization"})


def names_service(message: bytes) -> bool:
    """Whether a HealthCheckRequest asks about the server as a whole or about the service that is here."""
    try:
        return health_pb2.HealthCheckRequest.FromString(message).service in _SERVICES
    except DecodeError:
        return False


def parse(message: bytes) -> RequestView:
    """What Envoy says about one request. Raises Denied(REQUEST_MALFORMED) where it is no CheckRequest about HTTP."""
    try:
        attributes = _read(message).attributes
    except DecodeError as error:
        raise Denied(Reason.REQUEST_MALFORMED, "not a CheckRequest") from error
    http = attributes.request.http
    method, headers = http.method, http.headers
    # `encode_raw_headers` leaves `headers` empty and fills `header_map`; both are read, so that neither can hide one.
    raw = http.header_map.headers if http.HasField("header_map") else None
    if not method and not headers and raw is None:
        raise Denied(Reason.REQUEST_MALFORMED, "no HTTP attributes")
    return RequestView(
        policy=_text(attributes.context_extensions.get("policy", "")),
        authorization=_values(headers, raw, "authorization"),
        method=_text(method),
        path=_text(http.path),
        is_grpc=_first(headers, raw, "content-type").startswith("application/grpc"),
        request_id=_safe_id(_first(headers, raw, "x-request-id"), http),
    )


def _values(
    headers: Mapping[str, str | bytes], raw: Iterable[pb.HeaderValue] | None, name: str
) -> tuple[str | bytes, ...]:
    """Every value of a header, in either encoding."""
    value = headers.get(name)
    values = () if value is None else (value,)
    if raw is None:
        return values
    return (*values, *(header.value or _decoded(header.raw_value) for header in raw if header.key == name))


def _decoded(value: bytes) -> str | bytes:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value


def _text(value: str | bytes) -> str:
    """A string field; one that is not UTF-8 arrives as bytes and counts as empty."""
    return value if isinstance(value, str) else ""


def _first(headers: Mapping[str, str | bytes], raw: Iterable[pb.HeaderValue] | None, name: str) -> str:
    """The first value of a header, empty where there is none that is text."""
    value = headers.get(name, "") if raw is None else next(iter(_values(headers, raw, name)), "")
    return value if isinstance(value, str) else ""


def _safe_id(request_id: str, http: pb.AttributeContext.HttpRequest) -> str:
    """An id that can be repeated to the client: nothing but a UUID's or a number's characters."""
    if _is_uuid(request_id):
        return request_id
    stream_id = _text(http.id)
    return stream_id if _is_stream_id(stream_id) else ""


class Renderer:
    """Writes decisions for one configuration: its realm and its forwarded headers.

    Answers repeat, all but the request id in them. So an answer is written once, in pieces between which the id
    stands, and kept with the identity that it names, or here where it names none.
    """

    def __init__(self, realm: str, forward: Forward) -> None:
        self._realm = _quoted(realm)
        self._forward = forward
        self._to_strangers: dict[object, tuple[bytes, ...]] = {}

    def render(self, decision: Decision) -> bytes:
        """The CheckResponse for a decision."""
        request, identity = decision.request, decision.identity
        request_id, is_grpc = (request.request_id, request.is_grpc) if request is not None else ("", None)
        key = (decision.reason.row.label, decision.policy, decision.issuer, decision.text, is_grpc, len(request_id))
        answers = self._to_strangers if identity is None else identity.answers
        pieces = answers.get(key)
        if pieces is None:
            if len(answers) >= (MAX_ANSWERS_TO_STRANGERS if identity is None else MAX_ANSWERS):
                answers.clear()
            pieces = answers[key] = self._pieces(decision, "~" * len(request_id))
        return request_id.encode("ascii").join(pieces)

    def _pieces(self, decision: Decision, stand_in: str) -> tuple[bytes, ...]:
        """The answer, cut where an id as long as its stand-in belongs: at the end of the JSON body and of it all."""
        row, stands_in = decision.reason.row, stand_in.encode("ascii")
        known = {"reason": row.label, **_known(decision.identity, decision.policy)}
        end = _metadata({"request_id": stand_in}).removesuffix(stands_in)
        if row.outcome == "allow":
            headers = () if decision.identity is None else decision.identity.headers
            return self._forwarded(headers) + _metadata({"decision": "allow", **known}) + end, b""
        end = _metadata({"decision": "deny", **known, "issuer": decision.issuer}) + end
        if decision.request is not None and decision.request.is_grpc:
            return self._denied(decision, "text/plain", decision.text or row.text) + end, b""
        denied = self._denied(decision, "application/json", json.dumps(_body(decision, stand_in)) + "\n")
        before, _, after = denied.rpartition(stands_in) if stands_in else (denied, b"", b"")
        return before, after + end, b""

    def _forwarded(self, headers: tuple[tuple[str, str], ...]) -> bytes:
        """Verified values overwrite what the client sent; every other guarded header is removed."""
        response = pb.CheckResponse(status=pb.Status(code=0))
        ok = response.ok_response
        _overwrite(ok, headers)
        overwritten = {name for name, _value in headers}
        ok.headers_to_remove.extend([name for name in self._forward.guarded if name not in overwritten])
        return response.SerializeToString()

    def _denied(self, decision: Decision, content_type: str, body: str) -> bytes:
        row = decision.reason.row
        headers = [("cache-control", "no-store"), ("content-type", content_type)]
        if row.http_status == 401 or row.error:  # noqa: PLR2004 - RFC 9110 section 15.5.2 demands a challenge
            headers.append(("www-authenticate", self._challenge(decision, row, decision.text or row.text)))
        if row.http_status == 503:  # noqa: PLR2004
            headers.append(("retry-after", str(RETRY_AFTER_SECONDS)))
        response = pb.CheckResponse(status=pb.Status(code=_STATUS_CODES[row.http_status]))
        denied = response.denied_response
        denied.status.code, denied.body = row.http_status, body
        _overwrite(denied, headers)
        return response.SerializeToString()

    def _challenge(self, decision: Decision, row: Row, text: str) -> str:
        """RFC 6750 section 3, RFC 9470 section 3. Every value is ours or the operator's."""
        parts = [f"Bearer realm={self._realm}"]
        if row.error:
            parts += [f'error="{row.error}"', f'error_description="{text}"']
        policy = decision.policy
        if policy is not None and decision.reason is Reason.SCOPE_INSUFFICIENT and policy.scopes is not None:
            wanted = sorted(str(scope) for scope in policy.scopes.all_of | policy.scopes.any_of)
            if wanted:
                parts.append(f'scope="{" ".join(wanted)}"')
        if policy is not None and decision.reason is Reason.TOKEN_TOO_OLD and policy.max_age_seconds is not None:
            parts.append(f'max_age="{policy.max_age_seconds:.0f}"')
        return ", ".join(parts)


def _quoted(text: str) -> str:
    """A quoted-string (RFC 9110 section 5.6.4). `node.cluster` can be any text, a header value cannot."""
    safe = "".join(character if " " <= character <= "~" else "?" for character in text)
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _body(decision: Decision, request_id: str) -> dict[str, str]:
    """What the client reads; the request id stands last."""
    row = decision.reason.row
    return {
        "error": row.error or row.label,
        "error_description": decision.text or row.text,
        "reason": row.label,
        "request_id": request_id,
    }


def _known(identity: Identity | None, policy: Policy | None) -> dict[str, str]:
    known = {"policy": policy.name if policy else ""}
    if identity is not None:
        known |= {"issuer": identity.issuer.alias, "subject": identity.subject, "client": identity.client}
    return known


def _overwrite(message: pb.OkHttpResponse | pb.DeniedHttpResponse, headers: Iterable[tuple[str, str]]) -> None:
    """Add headers that overwrite. Field by field: a message made from keywords takes five times as long."""
    for name, value in headers:
        option = message.headers.add()
        option.append_action = _OVERWRITE
        option.header.key, option.header.value = name, value


def _metadata(fields: Mapping[str, str]) -> bytes:
    """`dynamic_metadata`: encoded messages laid end to end are merged by a parser."""
    return b"".join(
        _kept_field(name, value) if len(value) <= MAX_FIELD_CHARACTERS else _field(name, value)
        for name, value in fields.items()
    )


def _field(name: str, value: str) -> bytes:
    """One field of `dynamic_metadata`, as a CheckResponse of its own."""
    response = pb.CheckResponse()
    response.dynamic_metadata.fields[name].string_value = value
    return response.SerializeToString()


_kept_field = lru_cache(maxsize=MAX_FIELDS)(_field)


def write_request(question: Question) -> bytes:
    """The CheckRequest that Envoy would send: for whoever asks without an Envoy."""
    http = pb.AttributeContext.HttpRequest(
        method=question.method, path=question.path, headers={":method": question.method, **question.headers}
    )
    attributes = pb.AttributeContext(request=pb.AttributeContext.Request(http=http))
    if question.policy is not None:
        attributes.context_extensions["policy"] = question.policy
    return pb.CheckRequest(attributes=attributes).SerializeToString()


def read_answer(message: bytes) -> Answer:
    """What Envoy does with a CheckResponse: it forwards only where the status code is 0."""
    response = pb.CheckResponse.FromString(message)
    is_forwarded = response.status.code == 0
    said = response.ok_response if is_forwarded else response.denied_response
    return Answer(
        is_forwarded=is_forwarded,
        status=200 if is_forwarded else response.denied_response.status.code,
        headers={_text(option.header.key): _text(option.header.value) for option in said.headers},
        removed=tuple(map(_text, response.ok_response.headers_to_remove)),
        body=_text(response.denied_response.body),
        metadata={name: value.string_value for name, value in response.dynamic_metadata.fields.items()},
    )
