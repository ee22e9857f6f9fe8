"""Any bytes as the value of one Authorization header: nothing but a good token is allowed, and nothing raises."""

from __future__ import annotations

from fuzz import rig
from fuzz.invariants import require_sound_answer

MAX_BYTES = 20_000
SEEDS = [f"Bearer {rig.good_token(issuer)}".encode() for issuer in rig.ALGORITHMS] + [b"bearer a,Bearer b", b"Basic x"]

_FRAME = rig.request("", "read")


def one_input(data: bytes) -> None:
    require_sound_answer(rig.with_header(_FRAME, b"authorization", data))
