"""The size of a run: everything, only the promised rows, or a smoke test of the scenarios."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of one run."""

    name: str
    minutes: float
    """About how long it takes on two cores."""
    rounds: int
    """Times that every subject of a comparison has its turn: A B C A B C, so that a noisy minute hits all. Each round
    restarts its processes: the memory layout of a process makes it faster or slower for its whole lifetime."""
    seconds: int
    """Of one turn."""
    new_tokens: int
    """Different RS256 tokens, sent in turn. More than authz remembers (3072), so that each is verified every time."""
    many_tokens: int
    """Different tokens for the memory row."""
    sizes: tuple[int, ...]
    """How many policies, inline policies and issuers the growth rows go through, as far as each allows."""
    starts: int
    builds_peers: bool
    """Whether the peers in other languages are built if they are not there yet. The first time takes minutes."""


FULL = Plan("full", 23, 5, 2, 8192, 1_000_000, (1, 10, 100, 1_000, 10_000), 7, builds_peers=True)
QUICK = Plan("quick", 5, 3, 1, 8192, 60_000, (1, 1_000), 3, builds_peers=True)
SMOKE = Plan("smoke", 1.5, 1, 1, 256, 1_000, (1, 10), 1, builds_peers=False)
