"""What the steps of one check have brought to light so far."""

from __future__ import annotations

from dataclasses import dataclass

from authz.core.claims import Claims
from authz.core.identity import Identity
from authz.core.issuers import Issuer
from authz.core.keyset import Key, KeySet
from authz.core.policy import Policy
from authz.core.request import RequestView
from authz.core.token import UnverifiedToken
from authz.server.check_service import Rules


@dataclass(slots=True)
class Evidence:
    """One check under way. A field is filled by the step of its name."""

    rules: Rules
    message: bytes
    now: float
    request: RequestView
    policy: Policy
    credential: str
    unverified: UnverifiedToken
    issuer: Issuer
    key: Key
    key_set: KeySet
    claims: Claims
    identity: Identity

    def __init__(self, rules: Rules, message: bytes, now: float) -> None:
        self.rules, self.message, self.now = rules, message, now
