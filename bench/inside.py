"""The request path without a server, to measure its steps and to build response bytes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from authz.core import keyset
from authz.core.check import decide
from authz.core.configuration import compile_configuration
from authz.core.issuers import Issuer
from authz.core.key_lookup import KeyLookup
from authz.core.keyset import KeySet
from authz.server.served_rules import ServedRules


class LoadedKeys:
    """A key source that has its keys and never fetches. Implements authz.core.key_lookup.KeySource."""

    def __init__(self, issuer: Issuer) -> None:
        document, distinct = Path(issuer.keys.jwks_file).read_bytes(), issuer.keys.distinct_kids
        self.current: KeySet | None = keyset.parse(document, issuer.algorithms, distinct_kids=distinct)

    def ask(self) -> Future[None] | None:
        return None


def rules_of(authz: Mapping[str, Any]) -> ServedRules:
    """The rules of a configuration whose issuers all have a `jwks_file`."""
    configuration = compile_configuration(authz)
    sources = {alias: LoadedKeys(issuer) for alias, issuer in configuration.issuers.by_alias.items()}
    return ServedRules.of(configuration, "orders-api", KeyLookup(sources))


def answer_to(authz: Mapping[str, Any], message: bytes) -> bytes:
    """The response of the sidecar."""
    rules = rules_of(authz)
    return rules.renderer.render(decide(rules, message, time.time(), may_wait=False))
