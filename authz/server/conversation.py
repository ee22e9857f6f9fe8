"""Envoy's side of a check: the request it would send, and its action on the response.

For commands and tests that call the sidecar's code without Envoy. wire.py encodes and decodes the messages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Question:
    """One HTTP request for which Envoy sends a check."""

    policy: str | None
    """`policy` in the route's `context_extensions`, None if it is missing."""
    method: str = "GET"
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    """Request headers by lower-case name, including `authorization`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Envoy's action on a CheckResponse."""

    is_forwarded: bool
    status: int
    """The HTTP status for the client. 200 if the request is forwarded; the upstream then sets the real status."""
    headers: Mapping[str, str]
    """Response headers of a refusal, or request headers for the upstream if the request is forwarded."""
    removed: tuple[str, ...]
    """Request headers that Envoy removes before the upstream."""
    body: str
    metadata: Mapping[str, str]
    """Dynamic metadata for the access log."""

    @property
    def problem(self) -> Mapping[str, Any]:
        """The parsed body of a refusal, empty if it is not JSON."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}
