"""The configured issuers: identifiers, keys, algorithms, audiences and grants.

The unverified `iss` selects one of them by exact comparison. It has no other use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from authz.core.conditions import Conditions
from authz.core.profiles import Profile
from authz.core.reasons import Denied, Reason


@dataclass(frozen=True, slots=True)
class KeyLocation:
    """The location of an issuer's JWKS, and how long it may be used. Exactly one of the first three is set."""

    jwks_uri: str = ""
    jwks_file: str = ""
    discovery: str = ""
    """The issuer whose `/.well-known/openid-configuration` names the `jwks_uri` (OpenID Connect Discovery 1.0)."""
    fallbacks: tuple[str, ...] = ()
    """Further URLs of the key set beside `jwks_uri`: if one host does not deliver it, the next one is tried."""
    proxy: str = ""
    """The egress proxy: empty for none, `environment`, or the proxy's URL."""
    ca_file: str = ""
    """PEM certificates to trust instead of the system's."""
    bearer_token_file: str = ""
    """A file with the bearer token for the endpoint (Kubernetes). Read again for every fetch."""
    refresh_seconds: float = 300.0
    max_stale_seconds: float = 86_400.0


@dataclass(frozen=True, slots=True)
class UserinfoLocation:
    """The location of an issuer's userinfo endpoint. Exactly one of the first two is set."""

    uri: str = ""
    discovery: str = ""
    """The issuer whose discovery document names the `userinfo_endpoint`."""
    ca_file: str = ""
    """PEM certificates to trust instead of the system's."""
    proxy: str = ""
    """The egress proxy, as in KeyLocation."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Scopes for tokens that meet conditions, for issuers whose tokens do not carry them."""

    when: Conditions
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Issuer:
    """One configured issuer. The alias names it in policies, metrics and logs."""

    alias: str
    profile: Profile
    identifiers: frozenset[str]
    """Every accepted value of `iss`."""
    audiences: frozenset[str] | None
    """Accepted values of `aud`, None if the configuration says `any`."""
    client_ids: frozenset[str] | None
    """Accepted clients (Cognito's `client_id`, an ID token's `aud`), None if the configuration says `any`."""
    algorithms: frozenset[str]
    leeway_seconds: float
    keys: KeyLocation
    grants: tuple[Grant, ...] = ()
    userinfo: UserinfoLocation | None = None
    """None if it is not known. Policies cannot use userinfo then."""

    @property
    def primary_identifier(self) -> str:
        """The identifier to show to clients: the shortest, which for Cognito is the Region's own form."""
        return min(self.identifiers, key=lambda name: (len(name), name))


class Issuers:
    """The configured issuers, found by the `iss` of a token."""

    def __init__(self, issuers: Iterable[Issuer]) -> None:
        self.by_alias: Mapping[str, Issuer] = MappingProxyType({issuer.alias: issuer for issuer in issuers})
        self._by_name = {name: issuer for issuer in self.by_alias.values() for name in issuer.identifiers}

    def find(self, unverified_name: str) -> Issuer:
        """Return the issuer with this identifier. Raises Denied(ISSUER_UNKNOWN)."""
        issuer = self._by_name.get(unverified_name)
        if issuer is None:
            raise Denied(Reason.ISSUER_UNKNOWN, f"iss is {unverified_name!r:.200}")
        return issuer
