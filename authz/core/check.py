"""One check, from the bytes of Envoy's request to a decision, in one straight line.

`decide` is the table of contents of the program: read it first. Waiting, rendering and unexpected exceptions belong to
`authz.server.check_service`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from authz.core import bearer, token
from authz.core.check_record import CheckRecord
from authz.core.configuration import Configuration
from authz.core.decision import Decision
from authz.core.identity import Identity, identify
from authz.core.key_lookup import KeyLookup
from authz.core.policy import judge_claims, judge_token
from authz.core.policy_lookup import PolicyLookup
from authz.core.reasons import Denied, Reason
from authz.core.request import RequestView
from authz.core.revocations import Revocations
from authz.core.token_cache import TokenCache
from authz.core.userinfo_lookup import UserinfoLookup
from authz.core.verifier import require_algorithm, verify


class RevocationSource(Protocol):
    """The source of the revocation list."""

    @property
    def current(self) -> Revocations | None:
        """The list in force, None if none is configured. Safe to read from any thread."""


class NoRevocations:
    """The source to use if no list is configured."""

    current = None


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything a check depends on. A reload makes new rules, and the cached tokens of the old ones go with them."""

    configuration: Configuration
    parse_request: Callable[[bytes], RequestView]
    """Reads Envoy's message. Raises Denied(REQUEST_MALFORMED). Passed in, so that the core knows no protobuf."""
    policies: PolicyLookup
    keys: KeyLookup
    token_cache: TokenCache
    revocations: RevocationSource
    userinfo: UserinfoLookup

    def cached_identity(self, credential: str, now: float) -> Identity | None:
        """Return the cached identity of a token, None if its key set is no longer in force."""
        identity = self.token_cache.get(credential, now)
        if identity is None or identity.key_set is not self.keys.current(identity.issuer.alias):
            return None
        return identity


def decide(
    rules: Rules,
    message: bytes,
    now: float,
    *,
    may_wait: bool,
    may_ask: bool = False,
    record: CheckRecord | None = None,
) -> Decision:
    """Make one check, top to bottom, and fill the record.

    Raises FetchPending if the check may wait for a key, UserinfoPending if it may ask the issuer and wait for the
    answer, and nothing else.
    """
    seen = CheckRecord() if record is None else record
    # Local variables beside the record: they are what mypy narrows, and reading one is cheaper than an attribute.
    try:
        request = seen.request = rules.parse_request(message)
        policy = seen.policy = rules.policies.find(request.policy)
        credential = seen.credential = bearer.find(request.authorization) if policy.reads_token else None
        if credential is None:
            return Decision(policy.decide_without_token(), request, policy)
        identity = rules.cached_identity(credential, now)
        remembered = seen.remembered = identity is not None
        if identity is None:
            unverified = seen.unverified = token.parse(
                bearer.require_b64token(credential, rules.configuration.max_token_bytes)
            )
            issuer = seen.issuer = rules.configuration.issuers.find(unverified.unverified_issuer)
            issuer.require_kid(unverified.header.key_id)
            policy.require_issuer(issuer)
            require_algorithm(unverified, issuer)
            header = unverified.header
            key, key_set = rules.keys.find(issuer, header.key_id, header.algorithm, may_wait=may_wait)
            seen.key, seen.key_set = key, key_set
            claims = seen.claims = verify(unverified, key)
            identity = identify(unverified, claims, issuer, key_set, rules.configuration.forward)
            rules.token_cache.put(credential, identity)
        seen.identity = identity
        judge_token(identity, policy, now, rules.revocations.current)
        if policy.userinfo is not None:
            identity = rules.userinfo.complete(identity, credential, policy.userinfo, may_wait=may_ask)
            seen.identity = identity
        seen.userinfo_is_complete = True
        judge_claims(identity, policy, now)
        return Decision(Reason.OK, request, policy, identity, identity.issuer.alias, "", remembered)
    except Denied as denied:
        # Not in a record of our own: exception, frame and record would be a reference cycle for the garbage collector.
        if record is not None:
            record.denied = denied
        return _refusal(seen, denied)


def _refusal(seen: CheckRecord, denied: Denied) -> Decision:
    """The decision of a check that a step refused."""
    issuer = seen.identity.issuer if seen.identity is not None else seen.issuer
    return Decision(
        denied.reason,
        seen.request,
        seen.policy,
        seen.identity,
        issuer=issuer.alias if issuer is not None else "",
        unverified_key_id=seen.unverified.header.key_id if seen.unverified is not None else "",
        remembered=seen.remembered,
        detail=denied.detail,
        text=denied.text,
    )
