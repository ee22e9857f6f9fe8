"""Random Envoy files with policies, and pairs of them: with a planted widening, or equal in meaning."""

from __future__ import annotations

import copy
import json
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


@dataclass
class Plan:
    """The content of one file."""

    issuers: dict[str, Any]
    policies: dict[str, Any]
    routes: list[tuple[dict[str, Any], Any]]
    """Match, and policy: a name, or a mapping for an inline policy."""

    def text(self) -> str:
        """The Envoy file. JSON is YAML."""
        return json.dumps(bootstrap(self), indent=1)


def bootstrap(plan: Plan, port: int = 8080) -> dict[str, Any]:
    """One listener, one virtual host, ext_authz in front of the router."""
    routes = [_route(number, match, policy) for number, (match, policy) in enumerate(plan.routes)]
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
        "route_config": {"virtual_hosts": [{"name": "app", "domains": ["api.example.com"], "routes": routes}]},
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    return {
        "node": {
            "id": "n",
            "cluster": "c",
            "metadata": {"authz": {"issuers": plan.issuers, "policies": plan.policies}},
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


def _route(number: int, match: dict[str, Any], policy: Any) -> dict[str, Any]:
    text = policy if isinstance(policy, str) else json.dumps(policy)
    override = {"@type": PER_ROUTE, "check_settings": {"context_extensions": {"policy": text}}}
    return {
        "name": f"r{number}",
        "match": match,
        "route": {"cluster": "app"},
        "typed_per_filter_config": {EXT_AUTHZ: override},
    }


def random_plan(random: Random, routes: int = 6, policies: int = 4) -> Plan:
    """Routes on disjoint prefixes, then one for everything else that is denied."""
    issuers = {
        "pool": {
            "profile": "cognito",
            "user_pool_id": "ap-northeast-1_AbCdEfGhI",
            "client_ids": ["c1", "c2"],
            "grants": [{"when": {"groups": ["admins"]}, "scopes": ["orders/read", "orders/write"]}],
        },
        "realm": {"profile": "keycloak", "issuer": "https://id.example.com/realms/a", "audiences": ["api"]},
    }
    named = {f"p{number}": random_policy(random) for number in range(policies)}
    found: list[tuple[dict[str, Any], Any]] = []
    for number in range(routes):
        kind = random.choice(("prefix", "path", "path_separated_prefix"))
        match: dict[str, Any] = {kind: f"/{number}/area" + ("/" if kind == "prefix" else "")}
        if random.random() < 0.3:
            match["headers"] = [{"name": ":method", "string_match": {"exact": "GET"}}]
        found.append((match, random.choice(sorted(named))))
    found.append(({"prefix": "/"}, "deny"))
    return Plan(issuers, named, found)


def random_policy(random: Random) -> dict[str, Any]:
    """A policy that some token meets, and `authenticated` does not equal."""
    policy: dict[str, Any] = {"scopes": random.sample(SCOPES, random.choice((1, 2)))}
    if random.random() < 0.5:
        policy["groups"] = {random.choice(("any_of", "all_of")): random.sample(GROUPS, 2)}
    if random.random() < 0.4:
        policy["issuers"] = ["pool"]
    if random.random() < 0.3:
        policy["max_age"] = random.choice((60, 300))
    if random.random() < 0.3:
        policy["claims"] = {"department": {"none_of": ["sales"]}}
    return policy


def widened(plan: Plan, random: Random) -> tuple[str, Plan]:
    """The kind of a planted change that admits more, and the changed plan."""
    changed = copy.deepcopy(plan)
    number = random.randrange(len(plan.routes) - 1)
    match, name = changed.routes[number]
    policy = changed.policies[name]
    possible = ["public", "optional", "authenticated", "not denied", "route"]
    # The grant gives members of `admins` the scopes of orders: dropping one changes nothing for a policy of admins.
    is_for_admins = "admins" in policy.get("groups", {}).get("all_of", ())
    possible += ["scope dropped"] if len(policy["scopes"]) > 1 and not is_for_admins else []
    possible += ["groups dropped"] if "groups" in policy else []
    possible += ["older sign-in"] if "max_age" in policy else []
    possible += ["claims dropped"] if "claims" in policy else []
    possible += ["issuers dropped"] if "issuers" in policy else []
    kind = random.choice(possible)
    if kind in {"public", "authenticated"}:
        changed.routes[number] = (match, kind)
    elif kind == "optional":
        policy["optional"] = True
    elif kind == "not denied":
        changed.routes[-1] = ({"prefix": "/"}, name)
    elif kind == "route":
        changed.routes.insert(0, ({"path": f"/new/{random.randrange(9)}"}, name))
    elif kind == "scope dropped":
        policy["scopes"] = policy["scopes"][:1]
    elif kind == "older sign-in":
        policy["max_age"] *= 2
    else:
        del policy[kind.partition(" ")[0]]
    return kind, changed


def rewritten(plan: Plan, random: Random) -> Plan:
    """The same meaning in another form: renamed, inlined, split, reordered."""
    names = {name: f"renamed-{number}" for number, name in enumerate(sorted(plan.policies))}
    policies = {names[name]: _reordered(policy) for name, policy in plan.policies.items()}
    routes = []
    for match, policy in plan.routes[:-1]:
        name = names[policy]
        routes.append((match, policies[name] if random.random() < 0.3 else name))
    random.shuffle(routes)
    split = []
    for match, policy in routes:
        if "path_separated_prefix" in match:
            rest = {key: value for key, value in match.items() if key != "path_separated_prefix"}
            path = match["path_separated_prefix"]
            split += [({"path": path, **rest}, policy), ({"prefix": f"{path}/", **rest}, policy)]
        else:
            split.append((match, policy))
    return Plan(copy.deepcopy(plan.issuers), policies, [*split, plan.routes[-1]])


def _reordered(policy: dict[str, Any]) -> dict[str, Any]:
    changed = dict(reversed(policy.items()))
    changed["scopes"] = {"all_of": policy["scopes"][::-1]}
    if "issuers" not in policy:
        changed["issuers"] = ["realm", "pool"]
    return changed
