"""Tokens at the border of what a policy admits: one that meets it, and every one that differs in a single property."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from authz.tools.access.sample_token import NOW, SampleToken
from tests.access.generated_files import ACR, GROUPS, SCOPES, Plan

_SCOPE_CLAIM = {"entra": "scp"}
_OTHER = "another"
_AGES = (1.0, -40.0, 61.0, 121.0, 301.0, 601.0, None)
_LATE = (-3600, 5, 15, 45, 120)
"""Seconds since `exp`, or until `nbf`: inside and outside of every leeway."""


@dataclass(frozen=True)
class Properties:
    """What a token of one issuer says."""

    alias: str
    profile: str
    iss: str
    client: str = "c1"
    audience: str | None = None
    scopes: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    claims: Mapping[str, Any] = field(default_factory=dict)
    """By their names in the configuration."""
    acr: str | None = None
    use: str = "access"
    age: float | None = 1.0
    expired_for: float = -3600
    starts_in: float | None = None
    is_bound: bool = False
    userinfo: Mapping[str, Any] | None = None
    is_refused: bool = False

    def token(self) -> SampleToken:
        """The claims as the issuer writes them."""
        claims: dict[str, Any] = {"iss": self.iss, "sub": "alice", "exp": NOW - self.expired_for}
        claims |= {"nbf": NOW + self.starts_in} if self.starts_in is not None else {}
        claims |= {"auth_time": NOW - self.age, "iat": NOW - 1} if self.age is not None else {}
        claims |= {"aud": self.audience} if self.audience is not None else {}
        claims |= {_SCOPE_CLAIM.get(self.profile, "scope"): " ".join(sorted(self.scopes))} if self.scopes else {}
        claims |= {"acr": self.acr} if self.acr is not None else {}
        claims |= {"cnf": {"jkt": "key"}} if self.is_bound else {}
        claims |= {"department": self.claims["department"]} if "department" in self.claims else {}
        claims |= {"address": {"country": self.claims["/address/country"]}} if "/address/country" in self.claims else {}
        typ = "jwt"
        if self.profile == "cognito":
            claims |= {"token_use": self.use, "cognito:groups": sorted(self.groups)}
            claims |= {"client_id": self.client} if self.use == "access" else {"aud": self.client}
        else:
            typ = "at+jwt" if self.use == "access" else "jwt"
            roles = {"roles": sorted(self.groups)}
            by_profile: dict[str, dict[str, Any]] = {"keycloak": {"realm_access": roles}, "entra": roles}
            claims |= by_profile.get(self.profile, {"groups": sorted(self.groups)})
        if self.profile == "entra":
            claims["tid"] = self.iss.removeprefix("https://login.microsoftonline.com/").removesuffix("/v2.0")
        answer = None if self.userinfo is None else {"sub": "alice", **self.userinfo}
        return SampleToken(claims, typ, answer, userinfo_refuses=self.is_refused)


def probe_tokens(plan: Plan, policy: str) -> Iterator[SampleToken | None]:
    """No token, then tokens around a policy of the file: a name, or the text of an inline policy."""
    yield None
    demands = json.loads(policy) if policy.startswith("{") else plan.policies.get(policy, {})
    for alias in plan.issuers:
        for iss in _identifiers(plan, alias):
            ideal = _ideal(plan, alias, iss, demands)
            yield ideal.token()
            for each in _different(ideal, plan):
                yield each.token()


def _identifiers(plan: Plan, alias: str) -> list[str]:
    issuer = plan.issuers[alias]
    if issuer["profile"] == "cognito":
        return [f"https://cognito-idp.ap-northeast-1.amazonaws.com/{issuer['user_pool_id']}"]
    if issuer["profile"] == "entra":
        tenants = issuer["tenants"] if isinstance(issuer["tenants"], list) else ["tenant-a", "tenant-z"]
        return [f"https://login.microsoftonline.com/{tenant}/v2.0" for tenant in tenants]
    return issuer["issuer"] if isinstance(issuer["issuer"], list) else [issuer["issuer"]]


def _ideal(plan: Plan, alias: str, iss: str, demands: Mapping[str, Any]) -> Properties:
    """A token that meets the policy, if any token of the issuer does."""
    issuer = plan.issuers[alias]
    audiences = issuer.get("audiences")
    audience = audiences[0] if isinstance(audiences, list) else None
    if issuer.get("require_audience"):
        audience = "c1"
    claims = {name: _values(demand, "any_of") for name, demand in demands.get("claims", {}).items()}
    answers = {name: values for name, values in claims.items() if name.startswith("@userinfo")}
    return Properties(
        alias,
        issuer["profile"],
        iss,
        audience=audience,
        scopes=frozenset(_values(demands.get("scopes", ()), "all_of")),
        groups=frozenset(_values(demands.get("groups", ()), "all_of")),
        claims={name: values for name, values in claims.items() if values and name not in answers},
        acr=demands["acr"][0] if "acr" in demands else None,
        userinfo={"email_verified": True} if "userinfo" in demands else None,
    )


def _values(demand: Any, bare: str) -> list[Any]:
    """The least set that meets a demand."""
    demand = demand if isinstance(demand, Mapping) else {bare: demand}
    return [*demand.get("all_of", ()), *list(demand.get("any_of", ()))[:1]]


def _different(ideal: Properties, plan: Plan) -> Iterator[Properties]:
    """Tokens that differ from the ideal one in one property."""
    for scope in (*SCOPES, _OTHER):
        yield from (replace(ideal, scopes=each) for each in (ideal.scopes ^ {scope}, frozenset({scope})))
    for group in (*GROUPS, _OTHER):
        yield from (replace(ideal, groups=each) for each in (ideal.groups ^ {group}, frozenset({group})))
    yield replace(ideal, scopes=frozenset())
    yield replace(ideal, groups=frozenset())
    yield from (replace(ideal, client=each) for each in ("c2", "c3", "c4"))
    yield from (replace(ideal, audience=each) for each in (None, "api", "api://orders", "other-api", "c1", "zzz"))
    yield from (replace(ideal, acr=each) for each in (None, *ACR))
    yield from (replace(ideal, use=each) for each in ("id", "other"))
    yield from (replace(ideal, age=each) for each in _AGES)
    yield from (replace(ideal, expired_for=each) for each in _LATE)
    yield from (replace(ideal, starts_in=each) for each in _LATE)
    yield replace(ideal, is_bound=True)
    yield replace(ideal, is_refused=True, userinfo=None)
    yield from (
        replace(ideal, userinfo=each) for each in (None, {}, {"email_verified": True}, {"email_verified": False})
    )
    for name, values in {"department": ("hr", "it", "sales", _OTHER), "/address/country": ("JP", 81, _OTHER)}.items():
        yield replace(ideal, claims={key: each for key, each in ideal.claims.items() if key != name})
        yield from (replace(ideal, claims={**ideal.claims, name: value}) for value in values)
    for grant in plan.issuers[ideal.alias].get("grants", ()):
        yield from _granted(ideal, grant)


def _granted(ideal: Properties, grant: Mapping[str, Any]) -> Iterator[Properties]:
    """Tokens that do not carry the scopes of a grant, and meet its condition."""
    without = replace(ideal, scopes=ideal.scopes - set(grant["scopes"]))
    for group in _values(grant["when"].get("groups", ()), "all_of") and GROUPS:
        yield replace(without, groups=ideal.groups | {group})
    for name, values in grant["when"].get("claims", {}).items():
        yield from (replace(without, claims={**ideal.claims, name: value}) for value in values)
