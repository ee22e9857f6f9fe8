"""The request path in this process, without a server: for what its stages cost, and for the bytes of an answer."""

from __future__ import annotations

import time
from concurrent.futures import Future

from authz.core import keyset
from authz.core.configuration import compile_configuration
from authz.core.issuers import Issuer
from authz.core.keyset import KeySet
from authz.server.check import Rules, decide
from authz.server.keys import Keys
from bench import traffic
from bench.place import Place


class LoadedKeys:
    """A key source that has its keys and never fetches. Implements authz.server.keys.KeySource."""

    def __init__(self, issuer: Issuer, document: bytes) -> None:
        self.current: KeySet | None = keyset.parse(document, issuer.algorithms)

    def ask(self) -> Future[None] | None:
        return None


class Inside:
    """The rules that the measured sidecars run under."""

    def __init__(self, place: Place) -> None:
        self.configuration = compile_configuration(place.authz())
        documents = {"cognito": place.jwks, "partner": place.partner_jwks}
        sources = {
            alias: LoadedKeys(issuer, documents[alias].read_bytes())
            for alias, issuer in self.configuration.issuers.by_alias.items()
        }
        self.rules = Rules.of(self.configuration, "orders-api", Keys(sources))
        self.message = traffic.check_request(place.token)
        self.refused = traffic.check_request(place.token, "orders-write")
        self.forged = traffic.check_request(traffic.damaged(place.token))

    def answer(self) -> bytes:
        """What the sidecar answers to the known token."""
        return self.rules.renderer.render(decide(self.rules, self.message, time.time(), may_wait=False))
