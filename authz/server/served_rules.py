"""The rules of one configuration as the sidecar serves them: with its parsers and its renderer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType

from authz.core.check import NoRevocations, RevocationSource, Rules
from authz.core.configuration import Configuration
from authz.core.key_lookup import KeyLookup
from authz.core.policy_lookup import PolicyLookup
from authz.core.token_cache import TokenCache
from authz.core.userinfo_lookup import AnswerSource, UserinfoLookup
from authz.envoy.inline_policy import parse_inline_policy
from authz.server import wire
from authz.server.check_response import Renderer


@dataclass(frozen=True, slots=True)
class ServedRules(Rules):
    """Rules and the renderer of their responses. A reload replaces both with one assignment."""

    renderer: Renderer

    @classmethod
    def of(
        cls,
        configuration: Configuration,
        realm: str,
        keys: KeyLookup,
        revocations: RevocationSource | None = None,
        userinfo: Mapping[str, AnswerSource] = MappingProxyType({}),
    ) -> ServedRules:
        """Build the rules of one configuration."""
        return cls(
            configuration=configuration,
            parse_request=wire.parse,
            policies=PolicyLookup(configuration.references, parse_inline_policy),
            keys=keys,
            token_cache=TokenCache(Lock()),
            revocations=revocations or NoRevocations(),
            userinfo=UserinfoLookup(userinfo, configuration.forward),
            renderer=Renderer(realm, configuration.forward, configuration.resource, configuration.metadata_fields),
        )
