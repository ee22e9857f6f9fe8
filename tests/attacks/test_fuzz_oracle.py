"""The fuzzers' second opinion keeps up with the check: it agrees about every claim with a value of every type."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fuzz import oracle, rig
from fuzz.invariants import require_sound_answer

CLAIMS = (
    *("iss", "sub", "aud", "exp", "nbf", "iat", "auth_time", "scope", "scp", "client_id", "token_use", "jti", "tier"),
    *("cognito:groups", "groups"),
)
VALUES: tuple[Any, ...] = (
    *(0, -1, 1.5, 2_000_000_000, True, None, "", "x", "gold", "staff", "orders/read orders/write"),
    *([], ["staff"], ["readers", "x"], ["orders/write"], ["orders/read orders/write"], [1], [["staff"]]),
    *({}, {"staff": 1}, {"orders/write": {}}),
)
POLICIES = (
    *("read", "write", "cognito-only", "open", "authenticated", "{groups: staff}", "{groups: readers}"),
    *("{scopes: {none_of: x}}", "{scopes: orders/write}", "{claims: {tier: {none_of: gold}}, max_age: 1d}"),
)


@pytest.fixture(autouse=True)
def _untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig, "TOKEN_CEILING", rig.Ceiling(free_seconds=60, seconds_per_byte=0))


@pytest.mark.parametrize("issuer", [rig.POOL, rig.PARTNER])
@pytest.mark.parametrize("name", CLAIMS)
def test_whatever_type_a_claim_has_what_the_check_allows_the_oracle_allows(issuer: str, name: str) -> None:
    for value in VALUES:
        payload = json.dumps({**rig.good_claims(issuer), name: value}).encode()
        token = rig.sign({"alg": rig.ALGORITHMS[issuer], "kid": rig.KEY_ID}, payload, issuer)
        for policy in POLICIES:
            require_sound_answer(rig.request(f"Bearer {token}", policy))


def test_an_allow_that_the_oracle_does_not_share_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle, "allows", lambda _message, _now: False)

    with pytest.raises(AssertionError, match="not by the oracle"):
        require_sound_answer(rig.request(f"Bearer {rig.good_token(rig.POOL)}", "read"))
