"""Any payload and any header, really signed, as a hostile or broken issuer could: allowed only with the oracle."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from atheris import FuzzedDataProvider

from fuzz import rig
from fuzz.invariants import require_sound_answer

MAX_BYTES = 4_000
MAX_DEPTH = 3
SEEDS = [bytes(range(64)), b"\x00" * 64, b"\xff" * 64, b"0123456789abcdef" * 8]

_POLICIES = [*rig.CONFIGURATION["policies"], "authenticated", "public", "deny", "{scopes: orders/read, token_use: any}"]
_NAMES = ["iss", "sub", "aud", "exp", "nbf", "iat", "auth_time", "scope", "client_id", "token_use", "jti", "tier"]
_GROUPS = ["cognito:groups", "groups"]
_WORDS = ["orders/read", "orders/write", "staff", "readers", "client", "orders", "access", "id", "refresh", "gold", ""]


def one_input(data: bytes) -> None:
    choose = FuzzedDataProvider(data)
    issuer = choose.PickValueInList(list(rig.ALGORITHMS))
    claims = rig.good_claims(issuer)
    for _ in range(choose.ConsumeIntInRange(0, 4)):
        claims[choose.PickValueInList(_NAMES + _GROUPS)] = _value(choose, 0)
    if choose.ConsumeBool():
        claims.pop(choose.PickValueInList(list(claims)))
    header: dict[str, Any] = {"alg": rig.ALGORITHMS[issuer], "kid": rig.KEY_ID, "typ": "JWT"}
    if choose.ConsumeIntInRange(0, 3) == 0:
        header[choose.PickValueInList(["alg", "kid", "typ", "crit", "cty", "x"])] = _value(choose, 0)
    payload = json.dumps(claims).encode()
    if choose.ConsumeIntInRange(0, 7) == 0:
        payload = choose.ConsumeBytes(200)
    token = rig.sign(header, payload, issuer)
    require_sound_answer(rig.request(f"Bearer {token}", choose.PickValueInList(_POLICIES)))


def _value(choose: FuzzedDataProvider, depth: int) -> Any:
    """A JSON value: scalars of every type, words that mean something here, and a little nesting of them."""
    kinds: list[Callable[[], Any]] = [
        lambda: choose.ConsumeIntInRange(-(2**40), 2**40),
        choose.ConsumeFloat,
        lambda: choose.PickValueInList([True, False, None]),
        lambda: choose.ConsumeUnicode(12),
        lambda: choose.PickValueInList(_WORDS),
        lambda: choose.PickValueInList(_WORDS),
    ]
    if depth < MAX_DEPTH:
        kinds += [
            lambda: [_value(choose, depth + 1) for _ in range(choose.ConsumeIntInRange(0, 3))],
            lambda: {choose.PickValueInList(_WORDS): _value(choose, depth + 1)},
        ]
    return kinds[choose.ConsumeIntInRange(0, len(kinds) - 1)]()
