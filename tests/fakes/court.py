"""The deciding core on real tokens, without a server: what a policy of a configuration says about a token."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from authz.core import bearer, token
from authz.core.configuration import compile_configuration
from authz.core.identity import Identity, identify
from authz.core.keyset import parse
from authz.core.policy import judge
from authz.core.reasons import Denied
from authz.core.verifier import require_algorithm, verify


class Court:
    """Judges tokens under `node.metadata.authz`. `documents` holds the JWKS of each issuer, by alias."""

    def __init__(self, authz: Mapping[str, Any], documents: Mapping[str, bytes]) -> None:
        self.configuration = compile_configuration(authz)
        self._documents = documents

    def identity(self, text: str) -> Identity:
        """The verified token. Raises Denied."""
        unverified = token.parse(bearer.require_b64token(text))
        issuer = self.configuration.issuers.find(unverified.unverified_issuer)
        require_algorithm(unverified, issuer)
        key_set = parse(self._documents[issuer.alias], issuer.algorithms, distinct_kids=True)
        claims = verify(unverified, key_set.keys[unverified.header.key_id])
        return identify(unverified, claims, issuer, key_set, self.configuration.forward)

    def denied(self, text: str, policy: str) -> Denied | None:
        """The refusal, or None if the token is accepted."""
        try:
            judge(self.identity(text), self.configuration.policies[policy], time.time())
        except Denied as denied:
            return denied
        return None

    def reason(self, text: str, policy: str) -> str:
        """The reason's label; `ok` if the token is accepted."""
        denied = self.denied(text, policy)
        return denied.reason.row.label if denied else "ok"
