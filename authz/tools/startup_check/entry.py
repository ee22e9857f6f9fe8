"""One line of the report of `authz check`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from authz.core.problems import Problem

NETWORK, SOCKETS, ENVOY_FILES = "network", "sockets", "envoy-files"
PARTS = (NETWORK, SOCKETS, ENVOY_FILES)
"""The parts of the checks that can be skipped."""


class Level(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """`serve` works now, and something will fail later or for some tokens."""
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Entry:
    """The result of one check."""

    subject: str
    """What was checked, such as `issuer pool` or `socket unix:/run/authz/authz.sock`."""
    level: Level
    detail: str = ""
    """What was found. Empty if there is a problem."""
    problem: Problem | None = None
    """None if the level is OK."""
    seconds: float | None = None
    """How long the check took, for requests over the network."""
