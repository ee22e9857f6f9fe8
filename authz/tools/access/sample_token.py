"""Verified claims of an imagined token, and the core's own judgement of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from authz.core.claims import Claims, require_types
from authz.core.configuration import Configuration
from authz.core.forward import Forward
from authz.core.identity import Identity, identify, with_userinfo
from authz.core.issuers import Issuer
from authz.core.keyset import KeySet
from authz.core.policy import Access, Policy, judge_claims, judge_token
from authz.core.reasons import Denied, Reason
from authz.core.token import JoseHeader, UnverifiedToken
from authz.core.userinfo import UserinfoMode

NOW = 1_800_000_000
"""The time of every imagined check. Only differences to it matter."""

_NOTHING_FORWARDED = Forward((), ())
_NO_KEYS = KeySet({})


@dataclass(frozen=True, slots=True)
class SampleToken:
    """A token whose signature is taken as valid."""

    claims: Mapping[str, Any]
    type: str = "jwt"
    """The `typ` of its header, lower case."""
    userinfo: Mapping[str, Any] | None = None
    """The userinfo response for it. None if there is none."""
    userinfo_refuses: bool = False
    """Whether the userinfo endpoint says that the token is revoked."""


def identity_of(token: SampleToken, issuer: Issuer, forward: Forward = _NOTHING_FORWARDED) -> Identity:
    """The identity of the token. Raises Denied."""
    require_types(token.claims)
    header = JoseHeader(min(issuer.algorithms), "", token.type)
    unverified = UnverifiedToken(header, token.claims["iss"], token.claims, b"", b"")
    # The only place outside of the verifier that makes `Claims`: no signature exists, and nothing is decided by them.
    return identify(unverified, Claims(token.claims), issuer, _NO_KEYS, forward)


def admits(configuration: Configuration, policy: Policy, token: SampleToken | None) -> bool:
    """Whether the sidecar's own functions admit the token under the policy. None is a request without a token."""
    if token is None or policy.access is not Access.TOKEN:
        return is_admitted(lambda: policy.decide_without_token())  # noqa: PLW0108 - one form for both calls
    return is_admitted(lambda: _judge(configuration, policy, token))


def is_admitted(check: Callable[[], object]) -> bool:
    """Whether a check of the core passes."""
    try:
        check()
    except Denied:
        return False
    return True


def _judge(configuration: Configuration, policy: Policy, token: SampleToken) -> None:
    """Follow `decide` in authz/core/check.py from the issuer on. Raises Denied."""
    issuer = policy.require_issuer(configuration.issuers.find(token.claims["iss"]))
    identity = identity_of(token, issuer, configuration.forward)
    judge_token(identity, policy, NOW, None)
    if policy.userinfo is not None:
        if token.userinfo_refuses:
            raise Denied(Reason.TOKEN_REVOKED)
        if token.userinfo is not None:
            identity = with_userinfo(identity, token.userinfo, configuration.forward)
        elif policy.userinfo is UserinfoMode.REQUIRED:
            raise Denied(Reason.USERINFO_UNAVAILABLE)
    judge_claims(identity, policy, NOW)
