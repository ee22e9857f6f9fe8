"""Listeners of an Envoy configuration, down to the HTTP filters and route tables of their connection managers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from authz.envoy.fields import Fields
from authz.envoy.http_filters import EXT_AUTHZ, HttpFilter
from authz.envoy.route_table import RouteTable

CONNECTION_MANAGER = "HttpConnectionManager"


_OVERRIDES = "typed_per_filter_config"


def _has_policy(entry: Fields) -> bool:
    settings = entry.get("config") if entry.kind == "FilterConfig" else entry
    return "policy" in settings.get("check_settings", "context_extensions").value


class UpgradeChain:
    """One entry of `upgrade_configs`: requests that upgrade, such as WebSocket, run through filters of their own."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self.upgrade_type = fields.text("upgrade_type")

    @cached_property
    def filters(self) -> tuple[HttpFilter, ...]:
        """Its HTTP filters. Empty means that Envoy runs the filters of the connection manager."""
        return tuple(map(HttpFilter, self.fields.each("filters")))


class ConnectionManager:
    """One HTTP connection manager."""

    def __init__(self, fields: Fields, chain: FilterChain) -> None:
        self.fields = fields
        self.chain = chain

    @cached_property
    def filters(self) -> tuple[HttpFilter, ...]:
        """Its `http_filters`, in the order in which a request passes them."""
        return tuple(map(HttpFilter, self.fields.each("http_filters")))

    @cached_property
    def upgrade_chains(self) -> tuple[UpgradeChain, ...]:
        """Its `upgrade_configs`."""
        return tuple(map(UpgradeChain, self.fields.each("upgrade_configs")))

    @cached_property
    def runs(self) -> tuple[tuple[HttpFilter, ...], ...]:
        """Every list of filters that a request can pass: the own one, and one for each upgrade that has filters."""
        return (self.filters, *(each.filters for each in self.upgrade_chains if each.filters))

    @cached_property
    def ext_authz(self) -> HttpFilter | None:
        """Its ext_authz filter that routes give a `policy`, or else its first one.

        Another ext_authz filter, such as one for OPA, can be in the same chain.
        """
        found = self.filters_of(EXT_AUTHZ)
        if len(found) <= 1:
            return found[0] if found else None
        return next((each for each in found if each.name in self.policy_filters), found[0])

    @cached_property
    def policy_filters(self) -> frozenset[str]:
        """The names of the filters for which a route, or a level above it, sets a `policy`."""
        overrides = (
            member for table in self.tables for level in table.levels for member in level.get(_OVERRIDES).members()
        )
        return frozenset(name for name, entry in overrides if _has_policy(entry))

    def filters_of(self, kind: str) -> tuple[HttpFilter, ...]:
        """Its HTTP filters with this message, such as `ExtAuthz`."""
        return tuple(each for each in self.filters if each.kind == kind)

    @cached_property
    def table(self) -> RouteTable:
        """Its inline `route_config`. Empty if the routes come from RDS or are scoped."""
        return RouteTable(self.fields.get("route_config"))

    @cached_property
    def tables(self) -> tuple[RouteTable, ...]:
        """Every route table that is in the document."""
        return ((self.table,) if self.table else ()) + self.scoped_tables

    @cached_property
    def scoped_tables(self) -> tuple[RouteTable, ...]:
        """The inline route tables of `scoped_routes`."""
        scopes = self.fields.get("scoped_routes", "scoped_route_configurations_list")
        tables = (each.get("route_configuration") for each in scopes.each("scoped_route_configurations"))
        return tuple(RouteTable(each) for each in tables if each)


class NetworkFilter:
    """One network filter of a filter chain."""

    def __init__(self, fields: Fields, chain: FilterChain) -> None:
        self.fields = fields
        self.name = fields.text("name")
        self.config = fields.get("typed_config") or fields.get("config_discovery", "default_config")
        self.kind = self.config.kind
        self._chain = chain

    @cached_property
    def managers(self) -> tuple[ConnectionManager, ...]:
        """The connection manager in its configuration, also inside of a filter that wraps it."""
        found = (each for each in self.config.inside() if each.kind == CONNECTION_MANAGER)
        return tuple(ConnectionManager(each, self._chain) for each in found)


class FilterChain:
    """One entry of `filter_chains`, the `default_filter_chain`, or the only chain of an API listener."""

    def __init__(self, fields: Fields, listener: Listener) -> None:
        self.fields = fields
        self.listener = listener

    @cached_property
    def server_names(self) -> tuple[str, ...]:
        """The TLS server names (SNI) that it accepts. Empty means every name."""
        names = self.fields.get("filter_chain_match").raw("server_names")
        return tuple(each for each in names if isinstance(each, str)) if isinstance(names, list) else ()

    def serves(self, host: str) -> bool:
        """Whether `server_names` contains this host, also through a wildcard such as `*.example.com`."""
        return any(host == name or (name.startswith("*.") and host.endswith(name[1:])) for name in self.server_names)

    @cached_property
    def network_filters(self) -> tuple[NetworkFilter, ...]:
        """Its `filters`."""
        return tuple(NetworkFilter(each, self) for each in self.fields.each("filters"))


class Listener:
    """One listener."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self.name = fields.text("name")
        self.port = fields.get("address", "socket_address").raw("port_value")
        self.is_internal = fields.raw("internal_listener") is not None
        """Whether only clusters of this Envoy lead to it."""

    @cached_property
    def chains(self) -> tuple[FilterChain, ...]:
        """Its filter chains. The default chain is the last one."""
        default = self.fields.get("default_filter_chain")
        found = (*self.fields.each("filter_chains"), *((default,) if default else ()))
        return tuple(FilterChain(each, self) for each in found)

    @cached_property
    def managers(self) -> tuple[ConnectionManager, ...]:
        """Every connection manager of the listener."""
        return tuple(self._managers())

    def _managers(self) -> Iterator[ConnectionManager]:
        for chain in self.chains:
            for network_filter in chain.network_filters:
                yield from network_filter.managers
        # Envoy Mobile and gRPC clients have no sockets: their connection manager is in `api_listener`.
        api = self.fields.get("api_listener", "api_listener")
        if api.kind == CONNECTION_MANAGER:
            yield ConnectionManager(api, FilterChain(self.fields.get("api_listener"), self))
