"""The Envoy YAML of these tests: every kind of issuer, and five routes, one for each kind of demand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from authz.tools.demo.proxy import Place
from tests.clients.directory import COMPANY, FEDERATION, Directory
from tests.fakes import workloads

ROUTES = {
    "/orders": "{scopes: {any_of: [orders/read, orders/admin]}, name: orders}",
    "/staff": "{groups: [staff], name: staff}",
    "/me": "authenticated",
    "/profile": "{token_use: id, name: profile}",
    "/deploy": "{scopes: [orders/deploy], name: deploy}",
}
"""Path and policy of the example routes, in the order of the matrix."""

MINTED_POOL = "us-gov-west-1_Minted"
"""A pool whose key the tests have, for tokens that no login gives out."""

_MORE_ROUTES = {"/partners": "partners-only", "/counted": "{scopes: [orders/read], name: counted}"}
"""For one test each."""


def authz(people: Directory, partners: Directory, provider: str, campus: str, keys: Path) -> dict[str, Any]:
    """`node.metadata.authz`. The keys of workload issuers are files in a folder, those of providers are discovered."""
    deploy = ["orders/deploy"]
    local = {"audiences": [workloads.AUDIENCE]}
    return {
        "issuers": {
            "people": _cognito(people)
            | {
                "grants": [
                    {"when": {"groups": {"any_of": ["order-readers"]}}, "scopes": ["orders/read"]},
                    {
                        "when": {"groups": {"any_of": [f"{people.pool_id}_{name}" for name in (FEDERATION, COMPANY)]}},
                        "scopes": ["orders/read"],
                    },
                ]
            },
            "partners": _cognito(partners),
            "minted": {
                "profile": "cognito",
                "user_pool_id": MINTED_POOL,
                "client_ids": ["app"],
                "audiences": ["https://orders.example.com"],
                "jwks_file": str(keys / "minted.json"),
            },
            "provider": {"profile": "oidc", "issuer": provider, "audiences": ["orders"]},
            "campus": {
                "profile": "oidc",
                "issuer": campus,
                "audiences": ["orders"],
                "grants": [{"when": {"groups": {"any_of": ["staff"]}}, "scopes": ["orders/read"]}],
            },
            "github": {
                "profile": "github-actions",
                "jwks_file": str(keys / "github.json"),
                "grants": [{"when": {"claims": {"repository_id": "4242", "ref": "refs/heads/main"}}, "scopes": deploy}],
            }
            | local,
            "gitlab": {
                "profile": "gitlab-ci",
                "jwks_file": str(keys / "gitlab.json"),
                "grants": [{"when": {"claims": {"project_id": "20", "ref_protected": "true"}}, "scopes": deploy}],
            }
            | local,
            "circleci": {
                "profile": "circleci",
                "issuer": workloads.CIRCLECI,
                "jwks_file": str(keys / "circleci.json"),
                "audiences": [workloads.CIRCLECI_ORGANIZATION],
                "grants": [
                    {
                        "when": {"claims": {"oidc.circleci.com/project-id": workloads.CIRCLECI_PROJECT}},
                        "scopes": deploy,
                    }
                ],
            },
            "cluster": {
                "profile": "kubernetes",
                "ca_file": str(keys / "ca.crt"),
                "bearer_token_file": str(keys / "token"),
                "grants": [{"when": {"claims": {"/kubernetes.io/namespace": "shop"}}, "scopes": deploy}],
            }
            | local,
        },
        "policies": {"partners-only": {"issuers": ["partners"]}},
    }


def _cognito(directory: Directory) -> dict[str, Any]:
    return {
        "profile": "cognito",
        "user_pool_id": directory.pool_id,
        "client_ids": [directory.app_client_id, directory.web.client_id, directory.batch.client_id],
        "jwks_uri": f"{directory.address}/{directory.pool_id}/.well-known/jwks.json",
    }


def bootstrap(place: Place, trust: dict[str, Any]) -> str:
    """The whole file, as JSON, which is YAML."""
    per_route = "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute"

    def policy(text: str) -> dict[str, Any]:
        settings = {"@type": per_route, "check_settings": {"context_extensions": {"policy": text}}}
        return {"envoy.filters.http.ext_authz": settings}

    def filter_(name: str, kind: str, **config: Any) -> dict[str, Any]:
        return {"name": name, "typed_config": {"@type": f"type.googleapis.com/{kind}", **config}}

    routes: list[dict[str, Any]] = [
        {"match": {"path": path}, "route": {"cluster": "app"}, "typed_per_filter_config": policy(text)}
        for path, text in (ROUTES | _MORE_ROUTES).items()
    ]
    host = {
        "name": "app",
        "domains": ["*"],
        "typed_per_filter_config": policy("deny"),
        "routes": [*routes, {"match": {"prefix": "/"}, "route": {"cluster": "app"}}],
    }
    ext_authz = filter_(
        "envoy.filters.http.ext_authz",
        "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        transport_api_version="V3",
        grpc_service={"envoy_grpc": {"cluster_name": "authz"}, "timeout": "5s"},
    )
    router = filter_("envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router")
    manager = filter_(
        "envoy.filters.network.http_connection_manager",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="ingress",
        http_filters=[ext_authz, router],
        route_config={"virtual_hosts": [host]},
    )
    http2 = filter_(
        "unused",
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config={"http2_protocol_options": {}},
    )["typed_config"]
    return json.dumps(
        {
            "node": {"id": "orders-api", "cluster": "orders-api", "metadata": {"authz": trust}},
            "admin": {"address": _port(place.admin_port)},
            "static_resources": {
                "listeners": [{"address": _port(place.port), "filter_chains": [{"filters": [manager]}]}],
                "clusters": [
                    _cluster("app", _port(place.upstream_port)),
                    _cluster("authz", {"pipe": {"path": f"{place.directory}/authz.sock"}})
                    | {
                        "typed_extension_protocol_options": {
                            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2
                        }
                    },
                ],
            },
        },
        indent=1,
    )


def _port(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _cluster(name: str, address: dict[str, Any]) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": address}}
    return {"name": name, "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}}
