"""Any bytes as a CheckRequest: one answer that Envoy can only read one way, and an allow only with the oracle."""

from __future__ import annotations

from fuzz import rig
from fuzz.invariants import require_sound_answer

MAX_BYTES = 8_000
_POLICIES = [*rig.CONFIGURATION["policies"], "authenticated", "public", "deny", "", "{scopes: orders/read}"]
SEEDS = [
    rig.request(f"Bearer {rig.good_token(issuer)}", policy) for issuer in rig.ALGORITHMS for policy in _POLICIES
] + [b""]


def one_input(data: bytes) -> None:
    require_sound_answer(data)
