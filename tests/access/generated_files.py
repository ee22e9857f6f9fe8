"""Random Envoy files with policies: several hosts, overlapping routes, three kinds of issuers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

_EXTENSIONS = "type.googleapis.com/envoy.extensions.filters.http"
_MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
PER_ROUTE = f"{_EXTENSIONS}.ext_authz.v3.ExtAuthzPerRoute"
EXT_AUTHZ = "envoy.filters.http.ext_authz"

GROUPS = ("admins", "readers", "writers", "guests")
SCOPES = ("orders/read", "orders/write", "users/read")
CLIENTS = ("c1", "c2", "c3")
ACR = ("strong", "weak", "other")

Match = dict[str, Any]
Routes = list[tuple[Match, Any]]
"""Match, and policy: a name, a mapping for an inline policy, or one of the three below."""

DISABLED = "(disabled)"
"""The route disables the check."""
ANSWERED = "(answered)"
"""Envoy answers the requests of the route."""
INHERITED = "(inherited)"
"""The policy of the virtual host applies."""

ANYTHING: Match = {"prefix": "/"}


@dataclass
class Host:
    """One virtual host. Its routes are in areas: those of area 3 match only paths that begin with `/3/`."""

    name: str
    domains: list[str]
    routes: Routes
    policy: str | None = None
    """For routes without a policy of their own."""


@dataclass
class Plan:
    """The content of one file."""

    issuers: dict[str, Any]
    policies: dict[str, Any]
    hosts: list[Host]

    def text(self) -> str:
        """The Envoy file. JSON is YAML."""
        return json.dumps(bootstrap(self), indent=1)

    @property
    def authz(self) -> dict[str, Any]:
        """The sidecar's part of the file."""
        return {"issuers": self.issuers, "policies": self.policies}


def area_of(match: Match) -> str:
    """The area of a route: `/3/`, or `/` for a route of every path."""
    text = next((match[kind] for kind in ("prefix", "path", "path_separated_prefix") if kind in match), None)
    text = match["safe_regex"]["regex"] if text is None else text
    first = text.removeprefix("/").partition("/")[0]
    return f"/{first}/" if first else "/"


def bootstrap(plan: Plan, port: int = 8080) -> dict[str, Any]:
    """One listener, ext_authz in front of the router."""
    filters = [
        {
            "name": EXT_AUTHZ,
            "typed_config": {
                "@type": f"{_EXTENSIONS}.ext_authz.v3.ExtAuthz",
                "transport_api_version": "V3",
                "grpc_service": {"envoy_grpc": {"cluster_name": "authz"}, "timeout": "1s"},
            },
        },
        {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{_EXTENSIONS}.router.v3.Router"}},
    ]
    manager = {
        "@type": _MANAGER,
        "stat_prefix": "in",
        "http_filters": filters,
        "route_config": {"virtual_hosts": virtual_hosts(plan)},
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    return {
        "node": {
            "id": "n",
            "cluster": "c",
            "metadata": {"authz": plan.authz},
        },
        "static_resources": {
            "listeners": [{"name": "in", "address": address, "filter_chains": [chain]}],
            "clusters": [_cluster("app", {"socket_address": {"address": "127.0.0.1", "port_value": 9}}), _authz()],
        },
    }


def _authz() -> dict[str, Any]:
    options: dict[str, Any] = {"explicit_http_config": {"http2_protocol_options": {}}}
    options["@type"] = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    extension = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}
    return _cluster("authz", {"pipe": {"path": "/run/authz/a.sock"}}) | {"typed_extension_protocol_options": extension}


def _cluster(name: str, address: dict[str, Any]) -> dict[str, Any]:
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {"name": name, "load_assignment": {"cluster_name": name, "endpoints": endpoints}}


def virtual_hosts(plan: Plan) -> list[dict[str, Any]]:
    """The virtual hosts of the route table."""
    return [
        {
            "name": host.name,
            "domains": host.domains,
            "routes": [_route(f"{host.name}-{number}", *route) for number, route in enumerate(host.routes)],
            **(_per_route(host.policy) if host.policy is not None else {}),
        }
        for host in plan.hosts
    ]


def _route(name: str, match: Match, policy: Any) -> dict[str, Any]:
    action = {"direct_response": {"status": 200}} if policy == ANSWERED else {"route": {"cluster": "app"}}
    own = {} if policy in (ANSWERED, INHERITED) else _per_route(policy)
    return {"name": name, "match": match, **action, **own}


def _per_route(policy: Any) -> dict[str, Any]:
    check = {"check_settings": {"context_extensions": {"policy": policy_text(policy)}}}
    override = {"@type": PER_ROUTE, **({"disabled": True} if policy == DISABLED else check)}
    return {"typed_per_filter_config": {EXT_AUTHZ: override}}


def policy_text(policy: Any) -> str:
    """The text of `context_extensions.policy`."""
    return policy if isinstance(policy, str) else json.dumps(policy)


def random_plan(random: Random, routes: int = 8, policies: int = 4) -> Plan:
    """A file in which most policies can be met, and the last route of every host refuses the rest."""
    issuers = random_issuers(random)
    named = {f"p{number}": random_policy(random) for number in range(policies)}
    areas = _areas(random, sorted(named))
    own: Routes = []
    while len(own) < routes:
        own += next(areas)
    hosts = [Host("app", ["api.example.com", *random.choice(([], ["www.example.com"]))], own[:routes])]
    if random.random() < 0.6:
        hosts.append(Host("partners", ["*.partner.example", "partner.example"], next(areas)))
    if random.random() < 0.4:
        hosts.append(Host("rest", ["*"], next(areas)))
    for host in hosts:
        host.routes += [(dict(ANYTHING), "deny")] if random.random() < 0.8 else []
        if random.random() < 0.3:
            host.policy = "deny"
            host.routes = [(match, INHERITED if random.random() < 0.3 else policy) for match, policy in host.routes]
    return Plan(issuers, named, hosts)


def random_issuers(random: Random) -> dict[str, Any]:
    """A user pool, a realm, and a directory with tenants."""
    grants = [{"when": {"groups": ["admins"]}, "scopes": ["orders/read", "orders/write"]}]
    if random.random() < 0.5:
        grants.append({"when": {"claims": {"department": ["hr"]}}, "scopes": ["users/read"]})
    pool: dict[str, Any] = {
        "profile": "cognito",
        "user_pool_id": "ap-northeast-1_AbCdEfGhI",
        "client_ids": ["c1", "c2"],
        "grants": grants,
        "userinfo_uri": "https://auth.example.com/oauth2/userInfo",
    }
    if random.random() < 0.5:
        pool["require_audience"] = True
    realm = {"profile": "keycloak", "issuer": "https://id.example.com/realms/a", "audiences": ["api"]}
    directory = {"profile": "entra", "tenants": ["tenant-a", "tenant-b"], "audiences": ["api", "api://orders"]}
    return {"pool": pool, "realm": realm, "directory": directory}


def random_policy(random: Random) -> dict[str, Any]:
    """A policy that some token meets, and `authenticated` does not equal."""
    policy: dict[str, Any] = {"scopes": _demand(random, SCOPES, "all_of")}
    if random.random() < 0.5:
        policy["groups"] = _demand(random, GROUPS, random.choice(("any_of", "all_of")))
    if random.random() < 0.4:
        policy["issuers"] = random.sample(("pool", "realm", "directory"), random.choice((1, 2)))
    if random.random() < 0.3:
        policy["max_age"] = random.choice((60, 300))
    if random.random() < 0.3:
        policy["acr"] = list(ACR[: random.choice((1, 2))])
    claims = {"department": random.choice(({"none_of": ["sales"]}, ["hr", "it"])), "/address/country": ["JP", 81]}
    if random.random() < 0.4:
        policy["claims"] = dict(random.sample(sorted(claims.items()), random.choice((1, 2))))
    if random.random() < 0.3:
        policy |= _with_userinfo(random, policy)
    if random.random() < 0.2:
        policy["token_use"] = "access"
    return policy


def _demand(random: Random, values: tuple[str, ...], part: str) -> dict[str, list[str]]:
    """One or two values, and sometimes another one that is forbidden."""
    chosen = random.sample(values, random.choice((1, 2)))
    others = [each for each in values if each not in chosen]
    return {part: chosen, **({"none_of": others[:1]} if random.random() < 0.3 else {})}


def _with_userinfo(random: Random, policy: dict[str, Any]) -> dict[str, Any]:
    """The fields of a policy that asks for userinfo. The directory has no endpoint for it."""
    # A missing answer could meet a condition on groups, so a policy with one requires the answer.
    mode = True if "groups" in policy else random.choice((True, {"required": False}))
    claims = policy.get("claims", {}) | {"@userinfo/email_verified": [True]}
    return {
        "issuers": random.choice((["pool"], ["pool", "realm"])),
        "userinfo": mode,
        **random.choice(({}, {"claims": claims})),
    }


REGEXES = (
    "/{}/item",
    "/{}/(?:item|list)",
    "/{}/(?:item|list)(?:/[0-9]+)?",
    "/{}/[a-z]+(?:/[0-9]+)?",
)
"""Each matches everything that the one before it matches, and more."""


def _areas(random: Random, policies: list[str]) -> Iterator[Routes]:
    """The routes of one area after the other: a broad one, and sometimes a narrow one above it."""
    number = 0
    while True:
        matches = [_with_conditions(random, _broad(random, number))]
        if random.random() < 0.4:
            matches.insert(0, _narrow(matches[0], number))
        yield [(match, ANSWERED if random.random() < 0.05 else random.choice(policies)) for match in matches]
        number += 1


def _broad(random: Random, number: int) -> Match:
    kind = random.choice(("prefix", "path", "path_separated_prefix", "safe_regex"))
    if kind == "safe_regex":
        return {kind: {"regex": random.choice(REGEXES[:-1]).format(number)}}
    return {kind: f"/{number}/area" + ("/" if kind == "prefix" else "")}


def _narrow(broad: Match, number: int) -> Match:
    """A match inside of a broad one, with its conditions."""
    if "path" in broad:
        return broad | {"headers": [*broad.get("headers", ()), {"name": "x-narrow", "present_match": True}]}
    rest = {name: value for name, value in broad.items() if name in {"headers", "query_parameters"}}
    return {"path": f"/{number}/item" if "safe_regex" in broad else f"/{number}/area/admin", **rest}


def _with_conditions(random: Random, match: Match) -> Match:
    methods: tuple[dict[str, Any], ...] = ({"exact": "GET"}, {"safe_regex": {"regex": "GET|HEAD"}})
    headers: list[dict[str, Any]] = (
        [{"name": ":method", "string_match": random.choice(methods)}] if random.random() < 0.3 else []
    )
    if random.random() < 0.2:
        headers.append(
            {"name": "x-tenant", **random.choice(({"string_match": {"exact": "a"}}, {"present_match": True}))}
        )
    if headers:
        match["headers"] = headers
    if random.random() < 0.2:
        match["query_parameters"] = [{"name": "version", "string_match": {"exact": "1"}}]
    return match
