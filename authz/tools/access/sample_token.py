"""Verified claims of an imagined token, and the core's own judgement of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

from authz.core.check import NoRevocations, Rules, decide
from authz.core.claims import Claims, require_types
from authz.core.configuration import Configuration
from authz.core.forward import Forward
from authz.core.identity import Identity, identify
from authz.core.issuers import Issuer
from authz.core.key_lookup import KeyLookup
from authz.core.keyset import KeySet
from authz.core.policy import Policy
from authz.core.policy_lookup import PolicyLookup
from authz.core.read_policy import References
from authz.core.reasons import Denied
from authz.core.request import RequestView
from authz.core.token import JoseHeader, UnverifiedToken
from authz.core.token_cache import TokenCache
from authz.core.userinfo_lookup import REFUSED, UserinfoAnswer, UserinfoLookup

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


def is_admitted(check: Callable[[], object]) -> bool:
    """Whether a check of the core passes."""
    try:
        check()
    except Denied:
        return False
    return True


def admits(configuration: Configuration, policy: Policy, token: SampleToken | None) -> bool:
    """Whether the sidecar admits the token under the policy. None is a request without a token.

    `decide` itself judges it, so no second copy of its steps can differ from it.
    """
    userinfo = dict.fromkeys(configuration.issuers.by_alias, _Userinfo(token))
    rules = _SampleRules(
        configuration=configuration,
        parse_request=lambda _message: _REQUEST if token is not None else _REQUEST_WITHOUT_TOKEN,
        policies=PolicyLookup(References(frozenset(), {_REQUEST.policy: policy}), parse_yaml=str),
        keys=KeyLookup({}),
        token_cache=TokenCache(nullcontext()),
        revocations=NoRevocations(),
        userinfo=UserinfoLookup(userinfo, configuration.forward),
        token=token,
    )
    return decide(rules, b"", NOW, may_wait=False).reason.row.outcome == "allow"


_REQUEST = RequestView("compared", ("Bearer sample",), "GET", "/", is_grpc=False, request_id="")
_REQUEST_WITHOUT_TOKEN = replace(_REQUEST, authorization=())


@dataclass(frozen=True, slots=True)
class _SampleRules(Rules):
    """Rules under which every credential is one token with a valid signature. `decide` then goes on after `verify`."""

    token: SampleToken | None

    def cached_identity(self, _credential: str, _now: float) -> Identity | None:
        """The identity of the token. Raises Denied."""
        if self.token is None:
            return None
        issuer = self.configuration.issuers.find(self.token.claims["iss"])
        return identity_of(self.token, issuer, self.configuration.forward)


class _Userinfo:
    """The userinfo response for a sample token. Implements authz.core.userinfo_lookup.AnswerSource."""

    def __init__(self, token: SampleToken | None) -> None:
        self._token = token

    def find(self, _token: str, _subject: str) -> UserinfoAnswer | None:
        """The response, a refusal, or None."""
        if self._token is None or (self._token.userinfo is None and not self._token.userinfo_refuses):
            return None
        return UserinfoAnswer(REFUSED if self._token.userinfo_refuses else "ok", self._token.userinfo)

    def ask(self, _token: str, _subject: str) -> None:
        """Return None: there is no request to wait for."""
