"""Every way from a listener to a cluster, and whether this sidecar's ext_authz filter checks the requests on it.

    Listener > FilterChain > NetworkFilter > filters or upgrade filters > Route > cluster
                                                              internal listener < cluster > endpoint

A way that is not checked is a finding if it ends at an endpoint that a checked way reaches too. Internal redirects need
no step: Envoy runs all filters again for the new route. Internal listeners and aggregate clusters are followed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from authz.core.problems import Path
from authz.envoy.attachments import Attachment
from authz.envoy.clusters import Cluster
from authz.envoy.fields import Fields
from authz.envoy.http_filters import EXT_AUTHZ, HttpFilter, skipping
from authz.envoy.listeners import CONNECTION_MANAGER, ConnectionManager, FilterChain, Listener, NetworkFilter
from authz.envoy.resources import Resources
from authz.envoy.route_table import Route, RouteTarget

_CLUSTER_FIELDS = frozenset({"cluster", "cluster_name", "catch_all_cluster"})
_OPEN_ENDED = frozenset({"envoy.clusters.dynamic_forward_proxy", "envoy.clusters.original_dst"})


@dataclass(frozen=True, slots=True)
class Opening:
    """The reason why a way is not checked."""

    code: str
    """The rule that reports it. Empty if AUTHZ901 already reports the missing part."""
    path: Path
    reason: str
    is_unset: bool = False
    """Whether the filter is `disabled`, and the route does not switch it on."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way from outside to a cluster."""

    steps: tuple[object, ...]
    """The parts that a request passes, from the listener to the route."""
    cluster: str
    """The cluster at its end. Empty if the request or a plugin chooses it."""
    opening: Opening | None
    """None if ext_authz checks every request on it."""

    def __str__(self) -> str:
        """The way in words."""
        return " > ".join((*map(_word, self.steps), f"cluster {self.cluster or 'chosen by the request'}"))


def is_own(item: HttpFilter, own: frozenset[str]) -> bool:
    """Whether this sidecar serves the filter."""
    return item.kind == EXT_AUTHZ and item.service in own


def own_filters(run: Iterable[HttpFilter], own: frozenset[str]) -> tuple[HttpFilter, ...]:
    """The ext_authz filters of this sidecar in a list of filters, also inside of other filters."""
    return tuple(each for entry in run for each in entry.every() if is_own(each, own))


def opening_of(item: HttpFilter, attachment: Attachment, own: frozenset[str]) -> Opening | None:
    """Return the reason why a filter does not check every request of a route. None if it does."""
    if attachment.off_at is not None:
        return Opening("AUTHZ304", attachment.off_at, "ext_authz is switched off")
    if item.is_disabled and attachment.set_at is None:
        reason = "ext_authz is disabled and not switched on"
        return Opening("AUTHZ306", item.entry.where("disabled"), reason, is_unset=True)
    if attachment.service is not None:
        cluster = attachment.service.get("grpc_service", "envoy_grpc").text("cluster_name")
        if cluster not in own:
            return Opening("AUTHZ306", attachment.service.path, "the check goes to another service")
    matcher = skipping(attachment.wrapper) if attachment.wrapper is not None else None
    condition = matcher or (item.condition_at if attachment.wrapper is None or item.condition is None else None)
    if condition is not None:
        return Opening("AUTHZ305", condition.path, "ext_authz checks a part of the requests only")
    return None


class WaysIn:
    """All ways into one Envoy configuration."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._own = resources.own_clusters
        self._internal = {each.name: each for each in resources.listeners if each.is_internal}

    @cached_property
    def all(self) -> tuple[Way, ...]:
        """Every way, in the order of the document."""
        return tuple(
            way
            for listener in self._resources.listeners
            if not listener.is_internal
            for way in self._from(listener, (), None)
        )

    @cached_property
    def protected(self) -> frozenset[str]:
        """The endpoints that a checked way reaches."""
        checked = dict.fromkeys(way.cluster for way in self.all if way.opening is None and way.cluster)
        return frozenset(each for name in checked for each in self.endpoints(name))

    @cached_property
    def around(self) -> tuple[Way, ...]:
        """The ways to a protected endpoint that are not checked."""
        return tuple(way for way in self.all if way.opening is not None and self._is_harmful(way))

    @cached_property
    def unprotected(self) -> tuple[Way, ...]:
        """The ways that are not checked and end elsewhere."""
        return tuple(way for way in self.all if way.opening is not None and not self._is_harmful(way))

    def _is_harmful(self, way: Way) -> bool:
        if not way.cluster:
            return bool(self.protected)
        return not self.protected.isdisjoint(self.endpoints(way.cluster))

    def endpoints(self, name: str) -> frozenset[str]:
        """The endpoints of a cluster as texts. Two clusters with one address lead to the same upstream."""
        if name not in self._endpoints:
            cluster = self._resources.clusters.get(name)
            self._endpoints[name] = frozenset(_endpoints(cluster)) | {f"cluster {name}"}
        return self._endpoints[name]

    @cached_property
    def _endpoints(self) -> dict[str, frozenset[str]]:
        return {}

    def _from(self, listener: Listener, before: tuple[object, ...], opening: Opening | None) -> Iterator[Way]:
        """The ways that begin at a listener. `before` is empty for requests from outside."""
        steps = (*before, listener)
        is_checked = bool(before) and opening is None
        for item in listener.fields.each("listener_filters"):
            yield from self._plain(item.get("typed_config"), (*steps, item), is_checked)
        for chain in listener.chains:
            for network in chain.network_filters:
                found = network.managers
                for manager in found:
                    yield from self._manager(manager, (*steps, chain, network), is_checked)
                if not found and network.kind != CONNECTION_MANAGER:
                    yield from self._plain(network.config, (*steps, chain, network), is_checked)
        for manager in listener.managers:
            if manager.chain not in listener.chains:
                yield from self._manager(manager, (*steps, manager.chain), is_checked)

    def _plain(self, config: Fields, steps: tuple[object, ...], is_checked: bool) -> Iterator[Way]:  # noqa: FBT001
        """The ways of a filter that is no connection manager, such as tcp_proxy: nothing checks them."""
        opening = None if is_checked else Opening("AUTHZ306", config.path, "no HTTP filter runs here")
        for name in dict.fromkeys(_named_clusters(config)):
            yield from self._to(name, steps, opening)

    def _manager(self, manager: ConnectionManager, steps: tuple[object, ...], is_checked: bool) -> Iterator[Way]:  # noqa: FBT001
        yield from self._run(manager, manager.filters, manager.fields, steps, is_checked)
        for upgrade in manager.upgrade_chains:
            if upgrade.filters:
                yield from self._run(manager, upgrade.filters, upgrade.fields, (*steps, upgrade), is_checked)

    def _run(
        self,
        manager: ConnectionManager,
        run: tuple[HttpFilter, ...],
        at: Fields,
        steps: tuple[object, ...],
        is_checked: bool,  # noqa: FBT001
    ) -> Iterator[Way]:
        """The ways of the requests that pass these filters of a connection manager. `at` is where the file has them."""
        filters = own_filters(run, self._own)
        none = Opening("AUTHZ306", at.path, "no ext_authz filter of this sidecar runs here")
        hidden = next((each for each in run if _may_hide(each)), None)
        if hidden is not None and not filters:
            none = Opening("", hidden.fields.path, "the filter that runs here is not in the file")
        for table in manager.tables:
            for route in table.routes:
                if not route.answers_itself:
                    yield from self._route(route, steps, filters, None if is_checked else none)

    def _route(
        self, route: Route, steps: tuple[object, ...], filters: tuple[HttpFilter, ...], none: Opening | None
    ) -> Iterator[Way]:
        passed = (*steps, route)
        mirrors = tuple(each.text("cluster") for each in route.mirrors)
        for target in route.targets:
            opening = self.judge(target, filters, none)
            for name in (target.cluster, *mirrors):
                if name or _chosen_by_request(route.fields.get("route"), target.fields):
                    yield from self._to(name, passed, opening)
                elif not name:
                    plugin = Opening("AUTHZ901", route.fields.path, "a plugin chooses the cluster")
                    yield Way(passed, "", plugin if opening is not None else None)

    def judge(self, target: RouteTarget, filters: tuple[HttpFilter, ...], none: Opening | None) -> Opening | None:
        """Return why no filter checks every request to a target. `none` is the answer without filters."""
        opening = none
        for item in filters if none is not None else ():
            opening = opening_of(item, target.attachment(item.name), self._own)
            if opening is None:
                return None
            if opening.is_unset:
                opening = replace(opening, path=target.levels[-1].path)
        return opening

    def _to(self, name: str, steps: tuple[object, ...], opening: Opening | None) -> Iterator[Way]:
        """The way to a cluster, and on from there if it leads to an internal listener."""
        leaves = self._leaves(name, frozenset())
        for leaf in leaves:
            cluster = self._resources.clusters.get(leaf)
            inner = [each for each in _internal_names(cluster) if each in self._internal]
            for listener in inner:
                if self._internal[listener] not in steps:
                    yield from self._from(self._internal[listener], (*steps, f"cluster {leaf}"), opening)
            if not inner:
                if opening is not None and cluster is not None and _is_open_ended(cluster):
                    yield Way(steps, leaf, Opening("AUTHZ901", cluster.fields.path, "the request chooses the endpoint"))
                else:
                    yield Way(steps, leaf, opening)

    def _leaves(self, name: str, seen: frozenset[str]) -> tuple[str, ...]:
        """The clusters behind an aggregate cluster, or the cluster itself."""
        cluster = self._resources.clusters.get(name)
        below = cluster.members if cluster is not None else ()
        if not below or name in seen:
            return (name,)
        return tuple(leaf for each in below for leaf in self._leaves(each, seen | {name}))


def _may_hide(item: HttpFilter) -> bool:
    """Whether the filter is discovered and nothing of it is in the file."""
    return bool(item.discovery) and not item.wrapped


def _chosen_by_request(action: Fields, target: Fields) -> bool:
    return any(each.raw("cluster_header") is not None for each in (action, target))


def _named_clusters(config: Fields) -> Iterator[str]:
    """The clusters that a network filter names, in any of Envoy's messages for that."""
    for each in config.inside():
        for key, value in each.value.items():
            if not isinstance(value, str):
                continue
            is_weighted = key == "name" and len(each.path) > 1 and each.path[-2] == "clusters"
            if key in _CLUSTER_FIELDS or is_weighted:
                yield value


def _endpoints(cluster: Cluster | None) -> Iterator[str]:
    if cluster is None:
        return
    for address in cluster.addresses:
        if address:
            yield json.dumps(address.value, sort_keys=True)
    service = cluster.fields.get("eds_cluster_config").text("service_name")
    if service:
        yield f"service {service}"


def _internal_names(cluster: Cluster | None) -> Iterator[str]:
    for address in cluster.addresses if cluster is not None else ():
        name = address.get("envoy_internal_address").text("server_listener_name")
        if name:
            yield name


def _is_open_ended(cluster: Cluster) -> bool:
    kind = cluster.fields.get("cluster_type").text("name")
    return kind in _OPEN_ENDED or cluster.fields.raw("type") == "ORIGINAL_DST"


def _word(step: object) -> str:
    """A part of a way in words."""
    if isinstance(step, Listener):
        return f"listener {step.name or step.port or 'without a name'}"
    if isinstance(step, FilterChain):
        return f"chain {step.fields.text('name') or step.fields.path[-1]}"
    if isinstance(step, NetworkFilter):
        return f"filter {step.name or step.kind}"
    if isinstance(step, Route):
        match = step.fields.get("match").value
        name = step.fields.text("name") or json.dumps({key: item for key, item in match.items() if key != "headers"})
        return f"route {name}"
    if isinstance(step, Fields):
        return f"filter {step.text('name')}"
    return str(step) if isinstance(step, str) else f"upgrade {getattr(step, 'upgrade_type', '')}"
