"""What each step of one check saw, for the decision and for `authz explain`."""

from __future__ import annotations

from dataclasses import dataclass

from authz.core.claims import Claims
from authz.core.identity import Identity
from authz.core.issuers import Issuer
from authz.core.keyset import Key, KeySet
from authz.core.policy import Policy
from authz.core.reasons import Denied
from authz.core.request import RequestView
from authz.core.token import UnverifiedToken


@dataclass(slots=True)
class CheckRecord:
    """The values of one check. A step fills its field when it passes, so the first empty field names the failed step.

    Mutable and with slots: every check makes one, and it takes the place of local variables.
    """

    request: RequestView | None = None
    policy: Policy | None = None
    credential: str | None = None
    unverified: UnverifiedToken | None = None
    issuer: Issuer | None = None
    key: Key | None = None
    key_set: KeySet | None = None
    claims: Claims | None = None
    identity: Identity | None = None
    """With userinfo claims after the userinfo step."""
    remembered: bool | None = None
    """Whether the token came from the token cache. None if the check needed no token."""
    userinfo_is_complete: bool = False
    """Whether the userinfo step passed."""
    denied: Denied | None = None
    """The refusal of the step that failed. None if nobody asked for the record."""
