"""Changes of routes that let requests meet another policy."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from tests.access.generated_files import (
    ANSWERED,
    ANYTHING,
    DISABLED,
    INHERITED,
    REGEXES,
    Host,
    Match,
    Plan,
    Routes,
    area_of,
)
from tests.access.planted_kind import Kinds, Plant

KINDS = Kinds()


def _is_last_of_area(routes: Routes, number: int) -> bool:
    """Whether no route after it can match the same requests, except the one for everything."""
    area = area_of(routes[number][0])
    return all(area_of(match) != area for match, _policy in routes[number + 1 :])


Change = Callable[[Match], Match | None]
"""Returns a match with more requests, None if there is none."""


def _on_route(change: Change) -> Plant:
    """Let the match of one route have more requests."""

    def plant(plan: Plan, random: Random) -> bool | None:
        places = [
            (host, number, changed)
            for host in plan.hosts
            for number, (match, policy) in enumerate(host.routes)
            if match != ANYTHING and policy != "deny" and (changed := change(match))
        ]
        if not places:
            return None
        host, number, changed = random.choice(places)
        host.routes[number] = (changed, host.routes[number][1])
        return _is_last_of_area(host.routes, number) and _leaves_the_rest(host)

    return plant


def _leaves_the_rest(host: Host) -> bool:
    """Whether requests of no other route of the host are refused."""
    last, policy = host.routes[-1]
    return last != ANYTHING or "deny" in {policy, host.policy if policy == INHERITED else policy}


def _shortened(match: Match) -> Match | None:
    return match | {"prefix": match["prefix"].removesuffix("area/")} if "prefix" in match else None


def _separated_to_prefix(match: Match) -> Match | None:
    if "path_separated_prefix" not in match:
        return None
    rest = {name: value for name, value in match.items() if name != "path_separated_prefix"}
    return {"prefix": match["path_separated_prefix"], **rest}


def _path_to_prefix(match: Match) -> Match | None:
    if "path" not in match:
        return None
    return {"prefix": match["path"], **{name: value for name, value in match.items() if name != "path"}}


def _regex_widened(match: Match) -> Match | None:
    if "safe_regex" not in match:
        return None
    number = area_of(match).strip("/")
    forms = [each.format(number) for each in REGEXES]
    return match | {"safe_regex": {"regex": forms[forms.index(match["safe_regex"]["regex"]) + 1]}}


def _case_ignored(match: Match) -> Match | None:
    return match | {"case_sensitive": False} if "safe_regex" not in match else None


def _without_header(name: str) -> Change:
    def change(match: Match) -> Match | None:
        kept = [each for each in match.get("headers", ()) if each["name"] != name]
        if len(kept) == len(match.get("headers", ())):
            return None
        rest = {key: value for key, value in match.items() if key != "headers"}
        return rest | ({"headers": kept} if kept else {})

    return change


def _more_of_header(name: str, accepted: dict[str, Any]) -> Change:
    """Replace an exact text of a header."""

    def change(match: Match) -> Match | None:
        headers = match.get("headers", ())
        widened = [
            {"name": name, **accepted} if each["name"] == name and "exact" in each.get("string_match", {}) else each
            for each in headers
        ]
        return match | {"headers": widened} if widened != list(headers) else None

    return change


def _without_query(match: Match) -> Match | None:
    if "query_parameters" not in match:
        return None
    return {key: value for key, value in match.items() if key != "query_parameters"}


def _any_query_value(match: Match) -> Match | None:
    if "query_parameters" not in match:
        return None
    return match | {"query_parameters": [{"name": "version", "present_match": True}]}


for _name, _change in (
    ("prefix shortened", _shortened),
    ("prefix without its separator", _separated_to_prefix),
    ("path became a prefix", _path_to_prefix),
    ("expression widened", _regex_widened),
    ("case ignored", _case_ignored),
    ("method removed from a matcher", _without_header(":method")),
    ("method added to a matcher", _more_of_header(":method", {"string_match": {"safe_regex": {"regex": "GET|POST"}}})),
    ("header removed from a matcher", _without_header("x-tenant")),
    ("more values of a header", _more_of_header("x-tenant", {"string_match": {"prefix": "a"}})),
    ("query removed from a matcher", _without_query),
    ("any value of a query parameter", _any_query_value),
):
    KINDS.named(_name)(_on_route(_change))


def _random_route(plan: Plan, random: Random) -> tuple[Host, int] | None:
    places = [
        (host, number)
        for host in plan.hosts
        for number, (match, policy) in enumerate(host.routes)
        if match != ANYTHING and policy != "deny"
    ]
    return random.choice(places) if places else None


def _with_policy(name: str) -> Plant:
    def plant(plan: Plan, random: Random) -> bool | None:
        place = _random_route(plan, random)
        if place is None:
            return None
        host, number = place
        host.routes[number] = (host.routes[number][0], name)
        return True

    return plant


KINDS.named("route became public")(_with_policy("public"))
KINDS.named("check disabled for a route")(_with_policy(DISABLED))
KINDS.named("route needs any token")(_with_policy("authenticated"))


@KINDS.named("route has another policy", is_mixed=True)
def _other_policy(plan: Plan, random: Random) -> bool | None:
    place = _random_route(plan, random)
    if place is None:
        return None
    host, number = place
    match, before = host.routes[number]
    host.routes[number] = (match, random.choice(sorted(set(plan.policies) - {before})))
    return False


@KINDS.named("route no longer answered by Envoy")
def _no_longer_answered(plan: Plan, random: Random) -> bool | None:
    places = [(host, index) for host in plan.hosts for index, route in enumerate(host.routes) if route[1] == ANSWERED]
    if not places:
        return None
    host, number = random.choice(places)
    host.routes[number] = (host.routes[number][0], random.choice(sorted(plan.policies)))
    return True


@KINDS.named("policy of the host widened")
def _host_policy(plan: Plan, random: Random) -> bool | None:
    hosts = [host for host in plan.hosts if host.policy == "deny"]
    if not hosts:
        return None
    random.choice(hosts).policy = random.choice((*sorted(plan.policies), "authenticated"))
    return True


@KINDS.named("rest not denied")
def _not_denied(plan: Plan, random: Random) -> bool | None:
    hosts = [host for host in plan.hosts if host.routes[-1] == (ANYTHING, "deny")]
    if not hosts:
        return None
    random.choice(hosts).routes[-1] = (dict(ANYTHING), random.choice(sorted(plan.policies)))
    return True


@KINDS.named("route added")
def _route_added(plan: Plan, random: Random) -> bool | None:
    host = random.choice(plan.hosts)
    host.routes.insert(0, ({"path": f"/new/{random.randrange(9)}"}, random.choice(sorted(plan.policies))))
    return _leaves_the_rest(host)


def _pairs_of_area(plan: Plan) -> list[tuple[Host, int]]:
    """The routes whose next route is in the same area."""
    return [
        (host, number)
        for host in plan.hosts
        for number in range(len(host.routes) - 1)
        if area_of(host.routes[number][0]) == area_of(host.routes[number + 1][0]) != "/"
    ]


@KINDS.named("narrow route deleted", is_mixed=True)
def _narrow_deleted(plan: Plan, random: Random) -> bool | None:
    places = _pairs_of_area(plan)
    if not places:
        return None
    host, number = random.choice(places)
    del host.routes[number]
    return False


@KINDS.named("broad route first", is_mixed=True)
def _swapped(plan: Plan, random: Random) -> bool | None:
    places = _pairs_of_area(plan)
    if not places:
        return None
    host, number = random.choice(places)
    host.routes[number : number + 2] = host.routes[number : number + 2][::-1]
    return False


@KINDS.named("rest before the routes", is_mixed=True)
def _rest_first(plan: Plan, random: Random) -> bool | None:
    hosts = [host for host in plan.hosts if host.routes[-1][0] == ANYTHING]
    if not hosts:
        return None
    host = random.choice(hosts)
    host.routes[-1] = (dict(ANYTHING), random.choice(sorted(plan.policies)))
    host.routes.insert(0, host.routes.pop())
    return False


def _domain(*names: str) -> Plant:
    def plant(plan: Plan, random: Random) -> bool | None:
        random.choice(plan.hosts).domains.append(random.choice(names))
        return all(host.name == "app" for host in plan.hosts)  # other hosts lose requests

    return plant


KINDS.named("domain added")(_domain("api3.example.com", "a.partner.example"))
KINDS.named("domain with any beginning added")(_domain("*.example.com", "*-api.example.com"))
KINDS.named("domain with any ending added")(_domain("api.*", "some.api.*"))


@KINDS.named("domain moved", is_mixed=True)
def _domain_moved(plan: Plan, random: Random) -> bool | None:
    if len(plan.hosts) < 2 or len(plan.hosts[0].domains) < 2:
        return None
    random.choice(plan.hosts[1:]).domains.append(plan.hosts[0].domains.pop())
    return False
