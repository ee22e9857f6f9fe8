"""Encode a decision as Envoy's CheckResponse: headers for the upstream, or a refusal for the client, and log metadata.

A response is always `ok_response` with status OK or `denied_response` with another status, so that Envoy cannot
interpret it in two ways (docs/adr/0004).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from weakref import ReferenceType, ref

from google.protobuf.struct_pb2 import Struct, Value

from authz.core.decision import Decision
from authz.core.forward import Forward
from authz.core.identity import Identity
from authz.core.metadata_fields import METADATA_FIELDS
from authz.core.policy import Policy
from authz.core.reasons import Outcome, Reason, Row
from authz.core.resource import Resource
from authz.server.pb import ext_authz_pb2 as pb

_OVERWRITE = pb.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
_STATUS_CODES = {400: 3, 401: 16, 403: 7, 500: 13, 503: 14}
"""google.rpc.Code by HTTP status. Envoy only checks whether it is 0."""

_OK = pb.CheckResponse(status=pb.Status(code=0)).SerializeToString()
_OK_RESPONSE = pb.CheckResponse.OK_RESPONSE_FIELD_NUMBER
_METADATA = pb.CheckResponse.DYNAMIC_METADATA_FIELD_NUMBER
_HEADERS = pb.OkHttpResponse.HEADERS_FIELD_NUMBER
_HEADER = pb.HeaderValueOption.HEADER_FIELD_NUMBER
_KEY, _VALUE = pb.HeaderValue.KEY_FIELD_NUMBER, pb.HeaderValue.VALUE_FIELD_NUMBER
_OVERWRITING = pb.HeaderValueOption(append_action=_OVERWRITE).SerializeToString()
_FIELDS, _STRING_VALUE = Struct.FIELDS_FIELD_NUMBER, Value.STRING_VALUE_FIELD_NUMBER
_MAP_KEY, _MAP_VALUE = 1, 2  # of an entry of any map

MAX_DECISION_FIELDS = 1024
"""The most cached decision fields: one per reason, policy and lengths. They take less than a megabyte."""

MAX_PREFIXES = 1024
"""The most cached prefixes: one per field number and length. The answer to a new token has two dozen."""

MAX_REMOVALS = 32
"""The most cached lists of headers to remove: one per set of forwarded claims that a token lacks. With the maximum of
forwarded headers, a list takes 10 kB."""

MAX_REFUSALS = 1024
"""The most cached refusals, excluding identity fields: one per reason, policy and length of request id. They take
less than a megabyte."""

RETRY_AFTER_SECONDS = 2
"""The Retry-After of a refusal without keys or capacity: about the time of one fetch."""

_EncodedIdentity = tuple[bytes, bytes, ReferenceType[Identity]]
"""The `ok_response` and the metadata fields of an identity, and the weak reference that removes the entry."""


class Renderer:
    """Encodes decisions for one configuration: its realm, its forwarded headers and its metadata fields.

    In protobuf, the entries of a list or a map are concatenated. So a response is joined from cached parts, and only
    the request id is new:

        OK response or refusal       | metadata                                                                |
        -----------------------------+-----------------+-----------------+-----------------+-------------------+
        status, headers to set,      | tag and length  | issuer, subject,| decision,       | request id        |
        headers to remove            | of the metadata | client          | reason, policy  |                   |
        ok_response (per identity)   | metadata_prefix | identity_fields | decision_fields | request_id        |

    A refusal replaces the first part. Its JSON body contains the request id as well.
    """

    def __init__(
        self,
        realm: str,
        forward: Forward,
        resource: Resource | None = None,
        metadata_fields: frozenset[str] = frozenset(METADATA_FIELDS),
    ) -> None:
        self._realm = _quoted(realm)
        self._metadata_url = "" if resource is None else resource.metadata_url
        self._guarded = forward.guarded
        self._anonymous_response = self._ok_response(())
        # By id. An entry goes when its identity does, so the token cache bounds their number and an id is never reused
        # for a stale entry. A WeakKeyDictionary does the same, but its lookup takes 0.3 us, 4 % of a check.
        self._encoded_identities: dict[int, _EncodedIdentity] = {}
        self._refusal = lru_cache(MAX_REFUSALS)(self._encode_refusal)
        self._metadata_fields = metadata_fields
        self._returns_request_id = "request_id" in metadata_fields
        self._decision_fields = lru_cache(MAX_DECISION_FIELDS)(self._encode_decision_fields)

    def render(self, decision: Decision) -> bytes:
        """Return the CheckResponse of a decision."""
        request, policy, identity, row = decision.request, decision.policy, decision.identity, decision.reason.row
        request_id = b"" if request is None else request.request_id.encode("ascii")
        if identity is None:
            response = self._anonymous_response
            identity_fields = b"" if row.outcome == "allow" else self._fields({"issuer": decision.issuer})
        else:
            encoded = self._encoded_identities.get(id(identity))
            response, identity_fields, _ = self._encode_identity(identity) if encoded is None else encoded
        policy_name = "" if policy is None else policy.name
        metadata_prefix, decision_fields = self._decision_fields(
            row.outcome, row.label, policy_name, len(identity_fields), len(request_id)
        )
        if row.outcome != "allow":
            body = _grpc_body if request is not None and request.is_grpc else _json_body
            response = request_id.join(self._refusal(decision.reason, policy, decision.text, body, len(request_id)))
        if not self._returns_request_id:
            request_id = b""
        return b"".join((response, metadata_prefix, identity_fields, decision_fields, request_id))

    def _encode_identity(self, identity: Identity) -> _EncodedIdentity:
        """Return the `ok_response` and the metadata fields of an identity, and cache them."""
        values = {"issuer": identity.issuer.alias, "subject": identity.subject, "client": identity.client}
        identity_fields = self._fields(values)
        key, entries = id(identity), self._encoded_identities
        reference = ref(identity, lambda _reference: entries.pop(key, None))
        encoded = entries[key] = self._ok_response(identity.headers), identity_fields, reference
        return encoded

    def _fields(self, values: Mapping[str, str]) -> bytes:
        """Encode those of the values that the configuration asks for."""
        return b"".join([_field(name, value) for name, value in values.items() if name in self._metadata_fields])

    def _encode_decision_fields(
        self, outcome: Outcome, reason: str, policy: str, identity_length: int, id_characters: int
    ) -> tuple[bytes, bytes]:
        """Encode the metadata prefix, and the metadata after the identity fields except for the request id."""
        fields = self._fields(
            {"decision": "allow" if outcome == "allow" else "deny", "reason": reason, "policy": policy}
        )
        if self._returns_request_id:
            placeholder = "~" * id_characters
            fields += _field("request_id", placeholder).removesuffix(placeholder.encode("ascii"))
        else:
            id_characters = 0
        length = identity_length + len(fields) + id_characters
        return (_length_prefix(_METADATA, length) if length else b""), fields

    def _ok_response(self, headers: tuple[tuple[str, str], ...]) -> bytes:
        """Verified values overwrite the client's headers. All other guarded headers are removed."""
        to_remove = _to_remove(self._guarded, tuple([name for name, _value in headers]))
        ok_response = b"".join([_header(name, value) for name, value in headers]) + to_remove
        return _OK + _delimited(_OK_RESPONSE, ok_response)

    def _encode_refusal(
        self, reason: Reason, policy: Policy | None, text: str, body: Body, id_characters: int
    ) -> tuple[bytes, ...]:
        """Return a refusal without metadata, split at the request id in the JSON body."""
        row, placeholder = reason.row, "~" * id_characters
        text = text or row.text
        denied = _denied(row, self._challenge(reason, policy, text), *body(row, text, placeholder))
        if not placeholder or body is _grpc_body:
            return (denied,)
        before, _, after = denied.rpartition(placeholder.encode("ascii"))
        return before, after

    def _challenge(self, reason: Reason, policy: Policy | None, text: str) -> str:
        """Return the challenge (RFC 6750 section 3, RFC 9470 section 3, RFC 9728 section 5.1).

        No value comes from the request.
        """
        parts = [f"Bearer realm={self._realm}"]
        if reason.row.error:
            parts += [f'error="{reason.row.error}"', f'error_description="{text}"']
        if policy is not None:
            parts += self._requirements(reason, policy)
        if self._metadata_url:
            parts.append(f'resource_metadata="{self._metadata_url}"')
        return ", ".join(parts)

    def _requirements(self, reason: Reason, policy: Policy) -> Iterator[str]:
        """The parameters that say what a better token needs. A step-up names both conditions, to be met at once."""
        is_asking = self._metadata_url and reason.row.http_status == 401  # noqa: PLR2004 - MCP clients ask for these
        if policy.scopes is not None and (reason is Reason.SCOPE_INSUFFICIENT or is_asking):
            wanted = sorted(str(scope) for scope in policy.scopes.all_of | policy.scopes.any_of)
            if wanted:
                yield f'scope="{" ".join(wanted)}"'
        if reason in {Reason.TOKEN_TOO_OLD, Reason.ACR_INSUFFICIENT}:
            if policy.max_age_seconds is not None:
                yield f'max_age="{policy.max_age_seconds:.0f}"'
            if policy.acr:
                yield f'acr_values="{" ".join(sorted(policy.acr))}"'


def _quoted(text: str) -> str:
    """Return a quoted-string (RFC 9110 section 5.6.4). `node.cluster` can contain characters that a header must not."""
    safe = "".join(character if " " <= character <= "~" else "?" for character in text)
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'


Body = Callable[[Row, str, str], tuple[str, str]]
"""Returns content type and body of a refusal, from its row, its text and the request id."""


def _json_body(row: Row, text: str, request_id: str) -> tuple[str, str]:
    """Return the JSON body. The request id is last, so that the refusal can be split there."""
    body = {"error": row.error or row.label, "error_description": text, "reason": row.label, "request_id": request_id}
    return "application/json", json.dumps(body) + "\n"


def _grpc_body(_row: Row, text: str, _request_id: str) -> tuple[str, str]:
    """Return the body for a gRPC client. Envoy copies it to `grpc-message`."""
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
        denied.headers.add(header=pb.HeaderValue(key=name, value=value), append_action=_OVERWRITE)
    return response.SerializeToString()


def _header(name: str, value: str) -> bytes:
    """Encode one header for the upstream: an element of OkHttpResponse.headers."""
    header = _delimited(_KEY, name.encode()) + _delimited(_VALUE, value.encode())
    return _delimited(_HEADERS, _delimited(_HEADER, header) + _OVERWRITING)


@lru_cache(MAX_REMOVALS)
def _to_remove(guarded: tuple[str, ...], overwritten: tuple[str, ...]) -> bytes:
    """Encode OkHttpResponse.headers_to_remove."""
    return pb.OkHttpResponse(
        headers_to_remove=[name for name in guarded if name not in overwritten]
    ).SerializeToString()


def _field(name: str, value: str) -> bytes:
    """Encode one metadata field: an entry of Struct.fields."""
    text = _delimited(_STRING_VALUE, value.encode())
    return _delimited(_FIELDS, _delimited(_MAP_KEY, name.encode()) + _delimited(_MAP_VALUE, text))


def _delimited(number: int, content: bytes) -> bytes:
    """Encode a field of a message: a string, bytes or another message."""
    return _length_prefix(number, len(content)) + content


@lru_cache(MAX_PREFIXES)
def _length_prefix(number: int, length: int) -> bytes:
    """Encode the tag and length of an embedded message (protobuf encoding, "length-delimited records")."""
    prefix = bytearray((number << 3 | 2,))
    while length > 0x7F:  # noqa: PLR2004 - seven bits per byte; the eighth says that another byte follows
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix)
