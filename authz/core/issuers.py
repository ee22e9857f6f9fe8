"""The configured issuers: identifiers, keys, algorithms, audiences and grants.

The unverified `iss` selects one of them by exact comparison. It has no other use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from authz.core.claims import ClaimName
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
    distinct_kids: bool = False
    """Whether each key of the set needs a `kid` of its own."""


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


TENANT = "{tenantid}"
"""The placeholder for the tenant in an issuer and in `jwks_uri`, as in Microsoft's documents."""

is_tenant = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}").fullmatch
"""Whether the text can be a tenant id: a GUID or a name, without any character that has a meaning in a URL."""


def tenant_of(template: str, identifier: str) -> str:
    """Return the tenant in an `iss`, empty if it does not have the form of the template."""
    before, _, after = template.partition(TENANT)
    if not identifier.startswith(before) or not identifier.endswith(after):
        return ""
    tenant = identifier[len(before) : len(identifier) - len(after)]
    return tenant if is_tenant(tenant) else ""


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
    scope_claims: tuple[str, ...] = ()
    """Claims that hold the scopes. The first present claim counts."""
    groups_claim: ClaimName | None = None
    client_claims: tuple[str, ...] = ()
    """Claims that name the client. The first present claim counts."""
    require_audience: bool = False
    """Whether a token without `aud` is refused."""
    ignore_confirmation: bool = False
    """Whether tokens with `cnf` are accepted without a proof of possession."""
    templates: tuple[str, ...] = ()
    """Forms of `iss` with `{tenantid}`. If there are any, `tid` must name the same tenant as `iss`."""
    accepts_any_tenant: bool = False
    grants: tuple[Grant, ...] = ()
    userinfo: UserinfoLocation | None = None
    """None if it is not known. Policies cannot use userinfo then."""

    @property
    def primary_identifier(self) -> str:
        """The identifier to show to clients: the shortest, which for Cognito is the Region's own form.

        With `tenants: any`, it is a template.
        """
        return min(self.identifiers or self.templates, key=lambda name: (len(name), name))

    def require_kid(self, unverified_key_id: str) -> None:
        """Refuse a token without `kid` if all tokens of this kind have one. Raises Denied(TOKEN_MALFORMED)."""
        if not unverified_key_id and self.profile.has_distinct_kids:
            raise Denied(Reason.TOKEN_MALFORMED, f"kid is missing, and every {self.profile.name} token has one")


class Issuers:
    """The configured issuers, found by the `iss` of a token."""

    def __init__(self, issuers: Iterable[Issuer]) -> None:
        self.by_alias: Mapping[str, Issuer] = MappingProxyType({issuer.alias: issuer for issuer in issuers})
        self._by_name = {name: issuer for issuer in self.by_alias.values() for name in issuer.identifiers}
        self._by_template = [
            (form, issuer)
            for issuer in self.by_alias.values()
            if issuer.accepts_any_tenant
            for form in issuer.templates
        ]

    def find(self, unverified_name: str) -> Issuer:
        """Return the issuer with this identifier. Raises Denied(ISSUER_UNKNOWN)."""
        issuer = self._by_name.get(unverified_name)
        if issuer is not None:
            return issuer
        for template, templated in self._by_template:
            if tenant_of(template, unverified_name):
                return templated
        raise Denied(Reason.ISSUER_UNKNOWN, f"iss is {unverified_name!r:.200}")
