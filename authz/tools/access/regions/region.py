"""The regions of one configuration: for every route, the requests that reach it, in Envoy's first-match order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from authz.core.problems import Path
from authz.envoy.fields import Fields
from authz.envoy.listeners import ConnectionManager, FilterChain, Listener
from authz.envoy.resources import Resources
from authz.envoy.route_table import Route, RouteTable
from authz.tools.access.regions.authority import authority_name
from authz.tools.access.regions.filter_forms import filter_forms
from authz.tools.access.regions.host_names import HostNames, host_names
from authz.tools.access.regions.intervals import Intervals
from authz.tools.access.regions.languages import TooMuchEffort
from authz.tools.access.regions.parts import HOST, PATH
from authz.tools.access.regions.path_cells import merged, path_cells
from authz.tools.access.regions.request_set import Box, Condition, RequestSet, conjunction, difference
from authz.tools.access.regions.request_target import target_name
from authz.tools.access.regions.route_checks import Kind, RouteCheck, filter_doubt, route_check
from authz.tools.access.regions.route_conditions import RouteCondition, route_condition
from authz.tools.access.regions.values import everything

_READING = (
    "normalize_path",
    "merge_slashes",
    "path_with_escaped_slashes_action",
    "strip_matching_host_port",
    "strip_any_host_port",
    "strip_trailing_host_dot",
    "path_normalization_options",
    "header_validation_config",
    "original_ip_detection_extensions",
    "early_header_mutation_extensions",
)
"""Settings that change the host, the path or a header before a route is chosen."""

_PARAMETERS = "ignore_path_parameters_in_path_matching"
_PORT = "ignore_port_in_host_matching"

MAX_CONDITIONS = 500
"""Disjoint conditions of one path. Each route with a header condition can double them."""


@dataclass(frozen=True, slots=True)
class RoutePlace:
    """Where a route is."""

    name: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Region:
    """The requests that reach one route."""

    requests: RequestSet
    route: RoutePlace
    attachment: RouteCheck
    undecided: str | None = None
    """Why it is not known that these requests reach the route, or that the check applies."""
    listener: str = ""
    """The address of the listener. It is the same listener in two configurations if this is equal."""
    entrance_group: str = ""
    """The listener with the matches of all its filter chains, and how it reads hosts and paths."""
    filters: tuple[str, ...] = ()
    """The HTTP filters that requests pass, as far as they matter."""


@dataclass(frozen=True, slots=True)
class _Entrance:
    name: str
    listener: str
    group: str
    doubt: str | None = None
    filters: tuple[str, ...] = ()

    def region(self, requests: RequestSet, route: RoutePlace, check: RouteCheck, doubt: str | None) -> Region:
        """The region of these requests, which come in here."""
        return Region(requests, route, check, doubt, self.listener, self.group, self.filters)

    def undecided(self, boxes: Iterable[Box], place: RoutePlace, why: str) -> Region:
        """A region of which the route, or the check, is not known."""
        return self.region(RequestSet(boxes), place, RouteCheck(Kind.UNDECIDED, reason=why), why)


def regions(resources: Resources) -> list[Region]:
    """Every region of a configuration, in the order of the file. Unreachable routes have none."""
    return [
        region for listener in resources.listeners if not listener.is_internal for region in _of(listener, resources)
    ]


def _of(listener: Listener, resources: Resources) -> Iterator[Region]:
    address = _text(listener.fields.get("address")) if listener.fields.get("address") else listener.name
    matches = sorted(_chain_match(each) for each in listener.chains)
    filters = listener.fields.raw("listener_filters")
    group = f"{address} {matches} {_text(filters)}"
    managers: dict[int, list[ConnectionManager]] = {id(each.chain): [] for each in listener.managers}
    for manager in listener.managers:
        managers[id(manager.chain)].append(manager)
    chains = dict.fromkeys((*listener.chains, *(each.chain for each in listener.managers)))
    for chain in chains:
        found = managers.get(id(chain), [])
        is_tls = "tls" if chain.fields.get("transport_socket") else "plain"
        name = f"{address} {_chain_match(chain)} {is_tls}"
        if len(found) != 1 or len(chain.network_filters) > 1:
            place = _place(chain.fields, "filter chain", resources)
            yield _undecided(
                _Entrance(name, address, group), place, "the filter chain is not one HTTP connection manager"
            )
            continue
        yield from _managed(found[0], _Entrance(name, address, group), resources)


def _managed(manager: ConnectionManager, entrance: _Entrance, resources: Resources) -> Iterator[Region]:
    reading = {key: manager.fields.raw(key) for key in _READING if manager.fields.raw(key)}
    table = manager.table
    reading |= {key: True for key in (_PARAMETERS, _PORT) if table and table.fields.raw(key) is True}
    group = f"{entrance.group} {_text(reading)}"
    entrance = replace(entrance, group=group, doubt=_doubt(manager), filters=filter_forms(manager.filters))
    why = _table_doubt(manager, table)
    if why is not None:
        yield _undecided(entrance, _place(manager.fields, "connection manager", resources), why)
        return
    ignores_port = table.fields.raw(_PORT) is True or manager.fields.raw("strip_any_host_port") is True
    by_host: dict[int, list[HostNames]] = {}
    for each in host_names(table, without_port=ignores_port):
        by_host.setdefault(id(each.virtual_host), []).append(each)
    for host in table.hosts:
        yield from _host_regions(by_host.get(id(host), []), manager, entrance, resources)


def _doubt(manager: ConnectionManager) -> str | None:
    if any(chain.filters and _text_of(chain.filters) != _text_of(manager.filters) for chain in manager.upgrade_chains):
        return "upgrades run through filters of their own"
    return filter_doubt(manager.filters)


def _text_of(filters: Iterable[object]) -> str:
    return _text([getattr(each, "fields").value for each in filters])  # noqa: B009


def _table_doubt(manager: ConnectionManager, table: RouteTable) -> str | None:
    if not table or manager.scoped_tables:
        return "its routes are not in route_config"
    unknown = [key for key in ("vhds", "vhost_header") if table.fields.raw(key)]
    return f"{unknown[0]} is not modelled" if unknown else None


def _undecided(entrance: _Entrance, place: RoutePlace, why: str) -> Region:
    return entrance.undecided([Box(entrance.name, everything(HOST).intervals, everything(PATH).intervals)], place, why)


def _host_regions(
    names: list[HostNames], manager: ConnectionManager, entrance: _Entrance, resources: Resources
) -> Iterator[Region]:
    if not names:
        return
    host = names[0].virtual_host
    if host.fields.get("matcher") or host.fields.raw("require_tls") not in (None, "NONE", 0):
        doubt = "the virtual host has a matcher tree, or redirects to TLS"
        boxes = [Box(entrance.name, each.intervals, everything(PATH).intervals, each.condition) for each in names]
        yield entrance.undecided(boxes, _place(host.fields, host.fields.text("name"), resources), doubt)
        return
    table = manager.table.fields
    views = (
        target_name(ignores_parameters=table.raw(_PARAMETERS) is True),
        authority_name(ignores_port=table.raw(_PORT) is True),
    )
    conditions = [route_condition(route.fields.get("match"), *views) for route in host.routes]
    cells = _first_matches(conditions)
    own = resources.own_clusters
    for index, route in enumerate(host.routes):
        boxes = [
            Box(entrance.name, each.intervals, path, conjunction(condition, each.condition))
            for each in names
            for condition, path in cells[index].items()
        ]
        requests = RequestSet(boxes)
        if requests:
            check = route_check(route, manager, own, resources)
            doubts = (entrance.doubt, *conditions[index].unknown[:1], requests.undecided, _overflow(cells[index]))
            why = next((each for each in doubts if each), check.reason if check.kind is Kind.UNDECIDED else None)
            yield entrance.region(requests, _route_place(route, resources), check, why)


_Cells = dict[Condition, Intervals]


def _overflow(cells: _Cells) -> str | None:
    return "too many overlapping conditions" if len(cells) > MAX_CONDITIONS else None


def _first_matches(conditions: list[RouteCondition]) -> list[_Cells]:
    """For each route, the conditions and paths of the requests that no earlier route takes."""
    found: list[dict[Condition, list[tuple[str, str]]]] = [{} for _ in conditions]
    for path, within, members in path_cells([(each.path, each.condition) for each in conditions]):
        left: list[Condition] = [within]
        for index in members:
            condition = conditions[index].condition
            for each in left:
                hit = conjunction(each, condition)
                if not _is_empty(path, hit):
                    found[index].setdefault(hit, []).extend(path)
            left = [rest for each in left for rest in difference(each, condition) if not _is_empty(path, rest)]
            if not left:
                break
    return list(map(merged, found))


def _is_empty(path: Intervals, condition: Condition) -> bool:
    try:
        return Box("", everything(HOST).intervals, path, condition).is_empty()
    except TooMuchEffort:
        return False


def _chain_match(chain: FilterChain) -> str:
    return _text(chain.fields.get("filter_chain_match").value)


def _text(value: object) -> str:
    if isinstance(value, Fields):
        value = value.value
    return json.dumps(value, sort_keys=True, default=str)


def _route_place(route: Route, resources: Resources) -> RoutePlace:
    match = {key: each for key, each in route.fields.get("match").value.items() if key != "headers"}
    return _place(route.fields, route.fields.text("name") or _text(match), resources)


def _place(fields: Fields, name: str, resources: Resources) -> RoutePlace:
    path: Path = fields.path
    location = resources.document.locate(path)
    return RoutePlace(name, location.file, location.line)
