"""Ways around ext_authz that a test plants into the clean file, each with the request that uses it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.lint.cases import CLEAN

Config = dict[str, Any]

TYPE = "type.googleapis.com/envoy"
AUTHZ = "envoy.filters.http.ext_authz"
PER_ROUTE = f"{TYPE}.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute"
FILTER_CONFIG = f"{TYPE}.config.route.v3.FilterConfig"
ROUTER = {
    "name": "envoy.filters.http.router",
    "typed_config": {"@type": f"{TYPE}.extensions.filters.http.router.v3.Router"},
}
MANAGER = f"{TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
SECOND_PORT = 8082
ORDERS = "/orders/1"


@dataclass(frozen=True, slots=True)
class Detour:
    """One way around the check."""

    name: str
    code: str
    """The finding that names it."""
    plant: Callable[[Config], None]
    port: int = 8080
    """The port of the file to which the request goes."""
    path: str = ORDERS
    headers: Mapping[str, str] = field(default_factory=dict)


def clean() -> Config:
    """The clean file as data."""
    data = yaml.safe_load(CLEAN)
    assert isinstance(data, dict)
    return data


def planted(detour: Detour) -> Config:
    """The clean file with one way around the check."""
    data = copy.deepcopy(clean())
    detour.plant(data)
    return data


def listener(data: Config) -> Config:
    return dict_of(data["static_resources"]["listeners"][0])


def dict_of(value: object) -> Config:
    assert isinstance(value, dict)
    return value


def manager(data: Config) -> Config:
    return dict_of(listener(data)["filter_chains"][0]["filters"][0]["typed_config"])


def host(data: Config) -> Config:
    return dict_of(manager(data)["route_config"]["virtual_hosts"][0])


def gate(data: Config) -> Config:
    """The entry of ext_authz in http_filters."""
    return dict_of(manager(data)["http_filters"][0])


def orders(data: Config) -> list[Config]:
    """The two routes of /orders."""
    return list(host(data)["routes"][1:3])


def override(**settings: object) -> Config:
    return {AUTHZ: {"@type": PER_ROUTE, **settings}}


def open_manager(route: Config, **more: object) -> Config:
    """A connection manager without ext_authz."""
    table = {"virtual_hosts": [{"name": "open", "domains": ["*"], "routes": [route]}]}
    config = {"@type": MANAGER, "stat_prefix": "open", "http_filters": [ROUTER], "route_config": table, **more}
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": config}


def to(cluster: str) -> Config:
    return {"match": {"prefix": "/"}, "route": {"cluster": cluster}}


def tcp(**target: object) -> Config:
    config = {"@type": f"{TYPE}.extensions.filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": "tcp", **target}
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": config}


def second_listener(data: Config, network_filter: Config) -> None:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": SECOND_PORT}}
    data["static_resources"]["listeners"].append(
        {"name": "second", "address": address, "filter_chains": [{"filters": [network_filter]}]}
    )


def add_cluster(data: Config, name: str, **more: object) -> None:
    data["static_resources"]["clusters"].append({"name": name, **more})


def same_endpoint(data: Config, name: str) -> Config:
    return {**copy.deepcopy(data["static_resources"]["clusters"][0]["load_assignment"]), "cluster_name": name}


def header_is(name: str, value: str, action: Config, kind: str = "exact") -> Config:
    """A matcher with one action for requests with a header."""
    header = {"@type": f"{TYPE}.type.matcher.v3.HttpRequestHeaderMatchInput", "header_name": name}
    predicate = {"single_predicate": {"input": {"name": "h", "typed_config": header}, "value_match": {kind: value}}}
    return {
        "matcher_list": {
            "matchers": [{"predicate": predicate, "on_match": {"action": {"name": "a", "typed_config": action}}}]
        }
    }


def _disable(data: Config, settings: Config) -> None:
    for route in orders(data):
        route["typed_per_filter_config"] = settings


def _default_chain(data: Config) -> None:
    listener(data)["filter_chains"][0]["filter_chain_match"] = {"destination_port": 1}
    listener(data)["default_filter_chain"] = {"filters": [open_manager(to("app"))]}


def _upgrade(data: Config) -> None:
    manager(data)["upgrade_configs"] = [{"upgrade_type": "websocket", "filters": [ROUTER]}]


def _matcher(data: Config, action: Config) -> None:
    del host(data)["routes"]
    host(data)["matcher"] = header_is(":path", "/orders", action, "prefix")


def _route_in_matcher(data: Config) -> None:
    off = {**to("app"), "@type": f"{TYPE}.config.route.v3.Route", "typed_per_filter_config": override(disabled=True)}
    _matcher(data, off)


def _list_in_matcher(data: Config) -> None:
    off = {**to("app"), "typed_per_filter_config": override(disabled=True)}
    _matcher(data, {"@type": f"{TYPE}.config.route.v3.RouteList", "routes": [off]})


def _kept_off(data: Config) -> None:
    """A FilterConfig without a message of ext_authz switches the filter on, and the host's `disabled` stays."""
    host(data)["typed_per_filter_config"] = override(disabled=True)
    _disable(data, {AUTHZ: {"@type": FILTER_CONFIG, "config": {}}})


def _weighted(data: Config) -> None:
    for route in orders(data):
        target = {"name": "app", "weight": 1, "typed_per_filter_config": override(disabled=True)}
        route["route"] = {"weighted_clusters": {"clusters": [target]}}


def _setting(**settings: object) -> Callable[[Config], None]:
    return lambda data: gate(data)["typed_config"].update(settings)


def _off_by_default(data: Config) -> None:
    gate(data)["disabled"] = True
    for holder in (host(data), *orders(data)):
        del holder["typed_per_filter_config"]


def _skipped(data: Config) -> None:
    skip = {"@type": f"{TYPE}.extensions.filters.common.matcher.action.v3.SkipFilter"}
    gate(data)["typed_config"] = {
        "@type": f"{TYPE}.extensions.common.matching.v3.ExtensionWithMatcher",
        "extension_config": {"name": "inner", "typed_config": gate(data)["typed_config"]},
        "xds_matcher": header_is("x-fast", "yes", skip),
    }


def _skipped_by_the_route(data: Config) -> None:
    _skipped(data)
    skip = gate(data)["typed_config"].pop("xds_matcher")
    gate(data)["typed_config"]["xds_matcher"] = {}
    for route in orders(data):
        settings = {"@type": f"{TYPE}.extensions.common.matching.v3.ExtensionWithMatcherPerRoute", "xds_matcher": skip}
        route["typed_per_filter_config"] = {AUTHZ: settings}


def _composite(data: Config) -> None:
    _composed(data, typed_config={"name": "inner", "typed_config": gate(data)["typed_config"]})


def _composed_chain(data: Config) -> None:
    inner = {"name": "inner", "typed_config": gate(data)["typed_config"]}
    _composed(data, filter_chain={"typed_config": [inner]})


def _composed(data: Config, **executed: Config) -> None:
    """Run the filters only for requests with a header."""
    run = {"@type": f"{TYPE}.extensions.filters.http.composite.v3.ExecuteFilterAction", **executed}
    composite = {"@type": f"{TYPE}.extensions.filters.http.composite.v3.Composite"}
    gate(data)["typed_config"] = {
        "@type": f"{TYPE}.extensions.common.matching.v3.ExtensionWithMatcher",
        "extension_config": {"name": "composite", "typed_config": composite},
        "xds_matcher": header_is("x-checked", "yes", run),
    }


def _discovered(data: Config) -> None:
    config = {**gate(data)["typed_config"], "filter_enabled": {"default_value": {"numerator": 0}}}
    del gate(data)["typed_config"]
    gate(data)["config_discovery"] = {
        "config_source": {"path_config_source": {"path": "/dev/null"}, "resource_api_version": "V3"},
        "type_urls": [config["@type"]],
        "default_config": config,
        "apply_default_config_without_warming": True,
    }


def _mirror(data: Config) -> None:
    add_cluster(data, "site", load_assignment=dead_end("site"))
    route = {"match": {"prefix": "/"}, "route": {"cluster": "site", "request_mirror_policies": [{"cluster": "app"}]}}
    second_listener(data, open_manager(route))


def _host_mirror(data: Config) -> None:
    add_cluster(data, "site", load_assignment=dead_end("site"))
    second = open_manager(to("site"))
    mirrored = second["typed_config"]["route_config"]["virtual_hosts"][0]
    mirrored["request_mirror_policies"] = [{"cluster": "app"}]
    second_listener(data, second)


def dead_end(name: str) -> Config:
    address = {"socket_address": {"address": "127.0.0.1", "port_value": 9}}
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]}


def _aggregate(data: Config) -> None:
    config = {"@type": f"{TYPE}.extensions.clusters.aggregate.v3.ClusterConfig", "clusters": ["app"]}
    kind = {"name": "envoy.clusters.aggregate", "typed_config": config}
    add_cluster(data, "all", lb_policy="CLUSTER_PROVIDED", cluster_type=kind)
    second_listener(data, open_manager(to("all")))


def _internal(data: Config) -> None:
    inner = {"name": "inner", "internal_listener": {}, "filter_chains": [{"filters": [open_manager(to("app"))]}]}
    data["static_resources"]["listeners"].append(inner)
    extension = {"@type": f"{TYPE}.extensions.bootstrap.internal_listener.v3.InternalListener"}
    data["bootstrap_extensions"] = [{"name": "envoy.bootstrap.internal_listener", "typed_config": extension}]
    address = {"envoy_internal_address": {"server_listener_name": "inner"}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    add_cluster(data, "into", load_assignment={"cluster_name": "into", "endpoints": endpoints})
    second_listener(data, tcp(cluster="into"))


def _alias(data: Config) -> None:
    add_cluster(data, "alias", load_assignment=same_endpoint(data, "alias"))
    second_listener(data, open_manager(to("alias")))


def _other_service(data: Config) -> None:
    authz = copy.deepcopy(data["static_resources"]["clusters"][1])
    del authz["health_checks"]
    data["static_resources"]["clusters"].append({**authz, "name": "other", "load_assignment": dead_end("other")})
    gate(data)["typed_config"]["failure_mode_allow"] = True
    service = {"grpc_service": {"envoy_grpc": {"cluster_name": "other"}}}
    _disable(data, override(check_settings={"context_extensions": {"policy": "orders-read"}, **service}))


def _chosen(data: Config) -> None:
    second_listener(data, open_manager({"match": {"prefix": "/"}, "route": {"cluster_header": "x-to"}}))


def _scoped(data: Config) -> None:
    table = manager(data).pop("route_config")
    table["name"] = "scoped"
    for route in table["virtual_hosts"][0]["routes"][1:3]:
        route["typed_per_filter_config"] = override(disabled=True)
    fragment = {"header_value_extractor": {"name": "host", "index": 0}}
    scope = {"name": "one", "key": {"fragments": [{"string_key": "shop"}]}, "route_configuration": table}
    manager(data)["scoped_routes"] = {
        "name": "scopes",
        "scope_key_builder": {"fragments": [fragment]},
        "scoped_route_configurations_list": {"scoped_route_configurations": [scope]},
    }


DETOURS = (
    Detour("second listener", "AUTHZ306", lambda data: second_listener(data, open_manager(to("app"))), SECOND_PORT),
    Detour("default filter chain", "AUTHZ306", _default_chain),
    Detour("upgrade", "AUTHZ306", _upgrade, headers={"connection": "upgrade", "upgrade": "websocket"}),
    Detour("tcp proxy", "AUTHZ306", lambda data: second_listener(data, tcp(cluster="app")), SECOND_PORT),
    Detour(
        "weighted tcp proxy",
        "AUTHZ306",
        lambda data: second_listener(data, tcp(weighted_clusters={"clusters": [{"name": "app", "weight": 1}]})),
        SECOND_PORT,
    ),
    Detour("route in a matcher tree", "AUTHZ304", _route_in_matcher),
    Detour("route list in a matcher tree", "AUTHZ304", _list_in_matcher),
    Detour("route", "AUTHZ304", lambda data: _disable(data, override(disabled=True))),
    Detour(
        "filter config", "AUTHZ304", lambda data: _disable(data, {AUTHZ: {"@type": FILTER_CONFIG, "disabled": True}})
    ),
    Detour("host under an empty filter config", "AUTHZ304", _kept_off),
    Detour("weighted cluster", "AUTHZ304", _weighted),
    Detour("scoped routes", "AUTHZ304", _scoped, headers={"host": "shop"}),
    Detour("fraction", "AUTHZ305", _setting(filter_enabled={"default_value": {"numerator": 0}})),
    Detour(
        "metadata",
        "AUTHZ305",
        _setting(filter_enabled_metadata={"filter": "f", "path": [{"key": "k"}], "value": {"bool_match": True}}),
    ),
    Detour("shadow mode", "AUTHZ305", _setting(shadow_mode=True)),
    Detour("skipped by a matcher", "AUTHZ305", _skipped, headers={"x-fast": "yes"}),
    Detour("skipped by a matcher of the route", "AUTHZ305", _skipped_by_the_route, headers={"x-fast": "yes"}),
    Detour("composite", "AUTHZ305", _composite),
    Detour("chain of a composite", "AUTHZ305", _composed_chain),
    Detour("discovered filter's default", "AUTHZ305", _discovered),
    Detour("disabled and not switched on", "AUTHZ306", _off_by_default),
    Detour("mirror", "AUTHZ306", _mirror, SECOND_PORT),
    Detour("mirror of the host", "AUTHZ306", _host_mirror, SECOND_PORT),
    Detour("aggregate cluster", "AUTHZ306", _aggregate, SECOND_PORT),
    Detour("internal listener", "AUTHZ306", _internal, SECOND_PORT),
    Detour("second cluster with the same endpoint", "AUTHZ306", _alias, SECOND_PORT),
    Detour("other service on a route", "AUTHZ306", _other_service),
    Detour("cluster in a header", "AUTHZ306", _chosen, SECOND_PORT, headers={"x-to": "app"}),
)
