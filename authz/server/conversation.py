"""Envoy's side of the conversation: the question it would ask, and what it does with the answer.

For commands and tests that ask the sidecar's own code without an Envoy. The bytes are written and read by wire.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Question:
    """One HTTP request that Envoy asks about."""

    policy: str | None
    """What the route's `context_extensions` say under `policy`; None where they say nothing."""
    method: str = "GET"
    path: str = "/"
    headers: Mapping[str, str] = field(default_factory=dict)
    """Request headers by lower-case name, `authorization` among them."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sidecar makes Envoy do."""

    is_forwarded: bool
    status: int
    """The client's HTTP status; 200 where the request is forwarded and the upstream decides."""
    headers: Mapping[str, str]
    """Headers of the refusal, or those set for the upstream where the request is forwarded."""
    removed: tuple[str, ...]
    """Request headers that do not reach the upstream."""
    body: str
    metadata: Mapping[str, str]
    """Dynamic metadata for the access log."""

    @property
    def problem(self) -> Mapping[str, Any]:
        """The body of a refusal as data; empty where it is not JSON."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}
