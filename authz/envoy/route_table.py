"""Route tables of an Envoy configuration: virtual hosts, routes and the clusters that they lead to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from authz.envoy.attachments import Attachment, attach
from authz.envoy.fields import Fields


class RouteTarget:
    """One cluster that a route can lead to."""

    def __init__(self, fields: Fields, levels: tuple[Fields, ...], cluster: str) -> None:
        self.fields = fields
        """The weighted cluster, or the `route` action."""
        self.levels = levels
        """Every mapping that can attach filter settings, from the route table inwards."""
        self.cluster = cluster
        """Empty if a header or a plugin chooses the cluster."""
        self._attachments: dict[str, Attachment] = {}

    def attachment(self, filter_name: str) -> Attachment:
        """What the filter of this name does with requests to this cluster."""
        if filter_name not in self._attachments:
            self._attachments[filter_name] = attach(self.levels, filter_name)
        return self._attachments[filter_name]


class Route:
    """One route of a virtual host."""

    def __init__(self, fields: Fields, host: VirtualHost) -> None:
        self.fields = fields
        self.host = host

    @property
    def levels(self) -> tuple[Fields, ...]:
        """The route table, the virtual host and the route."""
        return (self.host.table.fields, self.host.fields, self.fields)

    @property
    def answers_itself(self) -> bool:
        """Whether Envoy answers with a redirect or a fixed response, without an upstream."""
        return any(self.fields.get(each) for each in ("redirect", "direct_response")) or (
            self.fields.raw("non_forwarding_action") is not None
        )

    @cached_property
    def targets(self) -> tuple[RouteTarget, ...]:
        """Its weighted clusters, or its only target. A route without an upstream has one target without a cluster."""
        action = self.fields.get("route")
        weighted = tuple(
            RouteTarget(each, (*self.levels, each), each.text("name"))
            for each in action.get("weighted_clusters").each("clusters")
        )
        return weighted or (RouteTarget(action, self.levels, action.text("cluster")),)

    @cached_property
    def mirrors(self) -> tuple[Fields, ...]:
        """Its `request_mirror_policies`. Each sends a copy of the request to another cluster."""
        holders = (self.fields.get("route"), self.host.fields, self.host.table.fields)
        # The innermost level that has the list replaces the others.
        for holder in holders:
            if holder.raw("request_mirror_policies"):
                return tuple(holder.each("request_mirror_policies"))
        return ()


class VirtualHost:
    """One entry of `virtual_hosts`."""

    def __init__(self, fields: Fields, table: RouteTable) -> None:
        self.fields = fields
        self.table = table

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """Its `routes`, in the order in which Envoy tries them."""
        return tuple(Route(each, self) for each in self.fields.each("routes"))

    @cached_property
    def every_route(self) -> tuple[Route, ...]:
        """The routes of the list and of the matcher tree."""
        return self.routes + self.matcher_routes

    @cached_property
    def matcher_routes(self) -> tuple[Route, ...]:
        """The routes in the actions of its `matcher` tree. Envoy ignores `routes` if there is a matcher."""
        return tuple(self._matcher_routes())

    def _matcher_routes(self) -> Iterator[Route]:
        for action in self.fields.get("matcher").inside():
            if action.kind == "Route":
                yield Route(action, self)
            elif action.kind == "RouteList":
                yield from (Route(each, self) for each in action.each("routes"))


class RouteTable:
    """One RouteConfiguration."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields

    def __bool__(self) -> bool:
        return bool(self.fields)

    @cached_property
    def hosts(self) -> tuple[VirtualHost, ...]:
        """Its virtual hosts."""
        return tuple(VirtualHost(each, self) for each in self.fields.each("virtual_hosts"))

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """The routes of every virtual host, also those in a `matcher` tree."""
        return tuple(route for host in self.hosts for route in host.every_route)

    @cached_property
    def levels(self) -> tuple[Fields, ...]:
        """Every mapping that can attach filter settings or change headers, each once."""
        return tuple(self._levels())

    def _levels(self) -> Iterator[Fields]:
        yield self.fields
        for host in self.hosts:
            yield host.fields
            for route in host.every_route:
                yield route.fields
                yield from route.fields.get("route", "weighted_clusters").each("clusters")
