"""Requests that a change of routes can move from one route to another."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from tests.access.generated_files import Host, Match, Plan, area_of
from tests.access.regions.first_match import Request

_OTHER_HOST = "other.test"
_WORDS = (
    "area",
    "area/",
    "area/x",
    "areax",
    "AREA",
    "AREA/",
    "area/admin",
    "area/admin/x",
    "item",
    "item/7",
    "list",
    "detail",
    "",
)
_PATHS = ("/", "/elsewhere", *(f"/new/{number}" for number in range(9)))
_METHODS = ("GET", "HEAD", "POST")
_VERSIONS: tuple[dict[str, str], ...] = ({}, {"version": "1"}, {"version": "2"})
_HEADERS: tuple[dict[str, str], ...] = (
    *({}, {"x-tenant": "a"}, {"x-tenant": "ab"}),
    *({"x-narrow": "1"}, {"x-narrow": "1", "x-tenant": "a"}),
)


def probe_requests(old: Plan, new: Plan) -> Iterator[Request]:
    """Requests for each route of both files, and every form of request in the areas whose routes changed."""
    names = dict.fromkeys(name for plan in (old, new) for host in plan.hosts for name in _names(host))
    for path, name in product(_PATHS, (*names, _OTHER_HOST)):
        yield Request(name, "GET", path)
    for host, area, matches in _areas(old, new):
        for name, match, word in product(_names(host), matches, ("", "x")):
            yield _direct(name, match, word)
        if _is_changed(area, host, old, new):
            headers = _HEADERS if any("headers" in each for each in matches) else _HEADERS[:1]
            versions = _VERSIONS if any("query_parameters" in each for each in matches) else _VERSIONS[:1]
            for name, method, word, header, query in product(_names(host), _METHODS, _WORDS, headers, versions):
                yield Request(name, method, area + word, header, query)


def _names(host: Host) -> list[str]:
    """A name for each domain of a host."""
    return [_OTHER_HOST if each == "*" else each.replace("*", "some") for each in host.domains]


def _areas(old: Plan, new: Plan) -> Iterator[tuple[Host, str, list[Match]]]:
    """The matches of each area in both files, by host."""
    found: dict[tuple[str, str], list[Match]] = {}
    hosts: dict[str, Host] = {}
    for plan in (old, new):
        for host in plan.hosts:
            hosts[host.name] = host
            for match, _policy in host.routes:
                found.setdefault((host.name, area_of(match)), []).append(match)
    for (name, area), matches in found.items():
        yield hosts[name], area, matches


def _is_changed(area: str, host: Host, old: Plan, new: Plan) -> bool:
    before, after = (
        [route for each in plan.hosts if each.name == host.name for route in each.routes if area_of(route[0]) == area]
        for plan in (old, new)
    )
    return area != "/" and before != after


def _direct(host: str, match: Match, word: str) -> Request:
    """A request that a match accepts, unless its expression is for other paths."""
    text = next((match[kind] for kind in ("prefix", "path", "path_separated_prefix") if kind in match), "")
    if "prefix" in match:
        text += word
    elif "path_separated_prefix" in match:
        text += f"/{word}"
    headers = {each["name"]: each.get("string_match", {}).get("exact", "a") for each in match.get("headers", ())}
    method = headers.pop(":method", "POST")
    query = {each["name"]: "1" for each in match.get("query_parameters", ())}
    return Request(host, "GET" if method == "a" else method, text or f"{area_of(match)}item", headers, query)
