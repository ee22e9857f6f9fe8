"""The attributes of one HTTP request that Envoy sends for a check. Path and body are not parsed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class RequestView:
    """The fields of Envoy's `AttributeContext.HttpRequest` that a check reads.

    Never changed after construction. Not frozen, because every check creates one and a frozen dataclass takes four
    times as long to create.
    """

    policy: str
    """Envoy's `context_extensions.policy`: a name, or an inline policy as YAML. Empty if it is missing."""
    authorization: tuple[str | bytes, ...]
    """All values of the Authorization header. A value is bytes if it is not UTF-8."""
    method: str
    path: str
    """The raw path with query, as Envoy sends it. Only for log lines, which omit the query."""
    is_grpc: bool
    request_id: str
    """An id that is safe in a response: a UUID in `x-request-id`, or else Envoy's stream id, or else empty."""
