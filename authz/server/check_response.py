"""Envoy's CheckResponse from a decision: what the upstream is told, what the client reads, what the access log says.

Envoy can only read an answer one way: `ok_response` with status OK, or `denied_response` with another status, never
anything else (docs/adr/0004).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache

from google.protobuf.struct_pb2 import Struct

from authz.core.decision import Decision
from authz.core.forward import Forward
from authz.core.identity import Identity
from authz.core.policy import Policy
from authz.core.reasons import Outcome, Reason, Row
from authz.server.pb import ext_authz_pb2 as pb

_OVERWRITE = pb.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
_STATUS_CODES = {400: 3, 401: 16, 403: 7, 500: 13, 503: 14}
"""google.rpc.Code for an HTTP status. Envoy only looks whether it is 0."""

_OK = pb.CheckResponse(status=pb.Status(code=0)).SerializeToString()
_OK_RESPONSE = pb.CheckResponse.OK_RESPONSE_FIELD_NUMBER
_METADATA = pb.CheckResponse.DYNAMIC_METADATA_FIELD_NUMBER

MAX_FIELDS = 1024
MAX_FIELD_CHARACTERS = 128
"""Encoded headers, metadata fields and verdicts kept, so many of each, and the longest value among them. Reasons,
policies, issuers and clients come again; what comes again stays. All of them together are under two megabytes."""

MAX_REMOVALS = 32
"""Encoded lists of headers to take away: one for each set of forwarded claims that tokens lack. With the most headers
that can be forwarded, one is 10 kB."""

MAX_REFUSALS = 1024
"""Refusals kept, without whom they are about: one per reason, policy and length of request id. All of them together are
under a megabyte."""

RETRY_AFTER_SECONDS = 2
"""What a client is told to wait when keys or capacity are missing: about the time one fetch takes."""


class Renderer:
    """Writes decisions for one configuration: its realm and its forwarded headers.

    Inside an encoded message, the elements of a list or a map follow one another. So an answer is put together from
    parts: what it says of the identity is written once and kept with it, what it says of the rest repeats and is kept
    here, and only the request id is new.
    """

    def __init__(self, realm: str, forward: Forward) -> None:
        self._realm = _quoted(realm)
        self._guarded = forward.guarded
        self._told_of_nobody = self._forwarded(())
        self._refusal = lru_cache(MAX_REFUSALS)(self._write_refusal)

    def render(self, decision: Decision) -> bytes:
        """The CheckResponse for a decision."""
        request, policy, identity, row = decision.request, decision.policy, decision.identity, decision.reason.row
        request_id = b"" if request is None else request.request_id.encode("ascii")
        if identity is None:
            told, named = self._told_of_nobody, b"" if row.outcome == "allow" else _field("issuer", decision.issuer)
        else:
            told, named = identity.written[0] if identity.written else self._write(identity)
        policy_name = "" if policy is None else policy.name
        head, verdict = _verdict(row.outcome, row.label, policy_name, len(named), len(request_id))
        if row.outcome != "allow":
            body = _grpc_body if request is not None and request.is_grpc else _json_body
            told = request_id.join(self._refusal(decision.reason, policy, decision.text, body, len(request_id)))
        return b"".join((told, head, named, verdict, request_id))

    def _write(self, identity: Identity) -> tuple[bytes, bytes]:
        """What an answer that allows tells the upstream of the identity, and what any answer tells the log."""
        named = {"issuer": identity.issuer.alias, "subject": identity.subject, "client": identity.client}
        fields = b"".join([_field(name, value) for name, value in named.items()])
        identity.written.append((self._forwarded(identity.headers), fields))
        return identity.written[0]

    def _forwarded(self, headers: tuple[tuple[str, str], ...]) -> bytes:
        """Verified values overwrite what the client sent; every other guarded header is removed."""
        to_remove = _to_remove(self._guarded, tuple([name for name, _value in headers]))
        told = b"".join([_header(name, value) for name, value in headers]) + to_remove
        return _OK + _before(_OK_RESPONSE, len(told)) + told

    def _write_refusal(
        self, reason: Reason, policy: Policy | None, text: str, body: Body, id_characters: int
    ) -> tuple[bytes, ...]:
        """A refusal without metadata, cut where the JSON body holds the request id."""
        row, stand_in = reason.row, "~" * id_characters
        text = text or row.text
        denied = _denied(row, self._challenge(reason, policy, text), *body(row, text, stand_in))
        if not stand_in or body is _grpc_body:
            return (denied,)
        before, _, after = denied.rpartition(stand_in.encode("ascii"))
        return before, after

    def _challenge(self, reason: Reason, policy: Policy | None, text: str) -> str:
        """RFC 6750 section 3, RFC 9470 section 3. Every value is ours or the operator's."""
        parts = [f"Bearer realm={self._realm}"]
        if reason.row.error:
            parts += [f'error="{reason.row.error}"', f'error_description="{text}"']
        if policy is not None and reason is Reason.SCOPE_INSUFFICIENT and policy.scopes is not None:
            wanted = sorted(str(scope) for scope in policy.scopes.all_of | policy.scopes.any_of)
            if wanted:
                parts.append(f'scope="{" ".join(wanted)}"')
        if policy is not None and reason is Reason.TOKEN_TOO_OLD and policy.max_age_seconds is not None:
            parts.append(f'max_age="{policy.max_age_seconds:.0f}"')
        return ", ".join(parts)


def _quoted(text: str) -> str:
    """A quoted-string (RFC 9110 section 5.6.4). `node.cluster` can be any text, a header value cannot."""
    safe = "".join(character if " " <= character <= "~" else "?" for character in text)
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'


Body = Callable[[Row, str, str], tuple[str, str]]
"""Content type and body of a refusal, from its row, its text and the request id."""


def _json_body(row: Row, text: str, request_id: str) -> tuple[str, str]:
    """What the client reads; the request id stands last."""
    body = {"error": row.error or row.label, "error_description": text, "reason": row.label, "request_id": request_id}
    return "application/json", json.dumps(body) + "\n"


def _grpc_body(_row: Row, text: str, _request_id: str) -> tuple[str, str]:
    """Envoy makes it the `grpc-message`."""
    return "text/plain", text


def _denied(row: Row, challenge: str, content_type: str, body: str) -> bytes:
    headers = [("cache-control", "no-store"), ("content-type", content_type)]
    if row.http_status == 401 or row.error:  # noqa: PLR2004 - RFC 9110 section 15.5.2 demands a challenge
        headers.append(("www-authenticate", challenge))
    if row.http_status == 503:  # noqa: PLR2004
        headers.append(("retry-after", str(RETRY_AFTER_SECONDS)))
    response = pb.CheckResponse(status=pb.Status(code=_STATUS_CODES[row.http_status]))
    denied = response.denied_response
    denied.status.code, denied.body = row.http_status, body
    for name, value in headers:
        _overwrite(denied.headers.add(), name, value)
    return response.SerializeToString()


def _overwrite(option: pb.HeaderValueOption, name: str, value: str) -> None:
    """A header that takes the place of the client's. A message made from keywords takes five times as long."""
    option.append_action = _OVERWRITE
    option.header.key, option.header.value = name, value


def _kept(write: Callable[[str, str], bytes]) -> Callable[[str, str], bytes]:
    """The same for a name and a value, done once for what comes again."""
    kept = lru_cache(MAX_FIELDS)(write)
    return lambda name, value: kept(name, value) if len(value) <= MAX_FIELD_CHARACTERS else write(name, value)


@_kept
def _header(name: str, value: str) -> bytes:
    """One header for the upstream: an element of an OkHttpResponse's list."""
    ok = pb.OkHttpResponse()
    _overwrite(ok.headers.add(), name, value)
    return ok.SerializeToString()


@lru_cache(MAX_REMOVALS)
def _to_remove(guarded: tuple[str, ...], overwritten: tuple[str, ...]) -> bytes:
    """The headers that an OkHttpResponse takes away from the request."""
    return pb.OkHttpResponse(
        headers_to_remove=[name for name in guarded if name not in overwritten]
    ).SerializeToString()


@_kept
def _field(name: str, value: str) -> bytes:
    """One field of the metadata: an entry of a Struct's map."""
    fields = Struct()
    fields.fields[name].string_value = value
    return fields.SerializeToString()


@lru_cache(MAX_FIELDS)
def _verdict(outcome: Outcome, reason: str, policy: str, named: int, id_characters: int) -> tuple[bytes, bytes]:
    """What stands before and after so many bytes of metadata, up to a request id of that length: all but the id."""
    fields = {"decision": "allow" if outcome == "allow" else "deny", "reason": reason, "policy": policy}
    stand_in = "~" * id_characters
    request_id = _field("request_id", stand_in).removesuffix(stand_in.encode("ascii"))
    verdict = b"".join([_field(name, value) for name, value in fields.items()]) + request_id
    return _before(_METADATA, named + len(verdict) + id_characters), verdict


def _before(number: int, length: int) -> bytes:
    """What stands before an embedded message of that length (protobuf's encoding, "length-delimited records")."""
    head = bytearray((number << 3 | 2,))
    while length > 0x7F:  # noqa: PLR2004 - seven bits in each byte, and one that says whether another follows
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head)
