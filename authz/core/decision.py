"""The outcome of one check, with what was known of the request when it fell."""

from __future__ import annotations

from dataclasses import dataclass

from authz.core.candidate import Comparison
from authz.core.identity import Identity
from authz.core.policy import Policy
from authz.core.reasons import Reason
from authz.core.request import RequestView


@dataclass(frozen=True, slots=True)
class Decision:
    """Forward or refuse, and why. What was not reached is None or empty."""

    reason: Reason
    request: RequestView | None = None
    policy: Policy | None = None
    identity: Identity | None = None
    issuer: str = ""
    """Alias of the issuer that the token names: also known where the token is refused later on."""
    unverified_key_id: str = ""
    remembered: bool | None = None
    """Whether the token had been verified before; None where no token was looked at."""
    detail: str = ""
    """For the operator's log, never for the client."""
    text: str = ""
    """What the client reads."""
    comparison: Comparison | None = None
    """What the policy's candidate said; None where it has none or was not asked."""
