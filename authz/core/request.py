"""One request as the policy check sees it: what Envoy says about it, nothing parsed from its path or body."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class RequestView:
    """The parts of Envoy's `AttributeContext.HttpRequest` that are read.

    Never changed. Not frozen, for every check makes one, and a frozen one takes four times as long to make.
    """

    policy: str
    """Envoy's `context_extensions.policy`: a name, or a whole policy as YAML text; empty where it is missing."""
    authorization: tuple[str | bytes, ...]
    """Every Authorization header value; bytes where it is not UTF-8."""
    method: str
    path: str
    """As Envoy sends it: raw, with the query. For log lines only, and there without the query."""
    is_grpc: bool
    request_id: str
    """An id that is safe to repeat: UUID-shaped `x-request-id`, else Envoy's stream id, else empty."""
