"""Files of the same meaning in another form: policies, issuers, routes and hosts written differently."""

from __future__ import annotations

import copy
from collections.abc import Callable
from random import Random
from typing import Any

from tests.access.generated_files import ANYTHING, INHERITED, REGEXES, Host, Match, Plan, Routes, area_of

Form = Callable[[Plan, Random], None]
"""Changes the form of a plan, where it applies."""

FORMS: dict[str, Form] = {}


def _form(name: str) -> Callable[[Form], Form]:
    def named(form: Form) -> Form:
        FORMS[name] = form
        return form

    return named


def in_other_form(plan: Plan, name: str, random: Random) -> Plan:
    """The plan in this form, and with each other form with a chance of one third."""
    changed = copy.deepcopy(plan)
    for each, form in FORMS.items():
        if each == name or random.random() < 1 / 3:
            form(changed, random)
    return changed


def _on_routes(change: Callable[[Match, Any], Routes]) -> Form:
    """Replace every route but those for everything by one or more."""

    def form(plan: Plan, _random: Random) -> None:
        for host in plan.hosts:
            host.routes = [
                each
                for match, policy in host.routes
                for each in ([(match, policy)] if match == ANYTHING else change(match, policy))
            ]

    return form


def _without(match: Match, name: str) -> Match:
    return {key: value for key, value in match.items() if key != name}


# Routes and hosts. Those that read a match come before those that write it in another form.


@_form("routes of one method and of every method")
def _by_method(plan: Plan, random: Random) -> None:
    def change(match: Match, policy: Any) -> Routes:
        headers = match.get("headers", [])
        if any(each["name"] == ":method" for each in headers):
            return [(match, policy)]
        only = {"name": ":method", "string_match": {"exact": random.choice(("GET", "POST"))}}
        return [(match | {"headers": [*headers, only]}, policy), (match, policy)]

    _on_routes(change)(plan, random)


@_form("methods in a route each")
def _method_each(plan: Plan, random: Random) -> None:
    def change(match: Match, policy: Any) -> Routes:
        headers = match.get("headers", [])
        both = {"safe_regex": {"regex": "GET|HEAD"}}
        if not any(each.get("string_match") == both for each in headers):
            return [(match, policy)]
        return [
            (match | {"headers": [_exact(each, method, both) for each in headers]}, policy)
            for method in ("HEAD", "GET")
        ]

    _on_routes(change)(plan, random)


def _exact(header: dict[str, Any], method: str, both: dict[str, Any]) -> dict[str, Any]:
    return header | {"string_match": {"exact": method}} if header.get("string_match") == both else header


@_form("prefix split in two")
def _prefix_split(plan: Plan, random: Random) -> None:
    def change(match: Match, policy: Any) -> Routes:
        if "prefix" not in match:
            return [(match, policy)]
        return [(match | {"prefix": match["prefix"] + random.choice(("a", "x", "admin/"))}, policy), (match, policy)]

    _on_routes(change)(plan, random)


@_form("separated prefix split in path and prefix")
def _separated_split(plan: Plan, random: Random) -> None:
    def change(match: Match, policy: Any) -> Routes:
        path, rest = match.get("path_separated_prefix"), _without(match, "path_separated_prefix")
        if path is None:
            return [(match, policy)]
        return [({"path": path, **rest}, policy), ({"prefix": f"{path}/", **rest}, policy)]

    _on_routes(change)(plan, random)


_EQUIVALENT = {
    REGEXES[0]: "/{}/it(?:em)",
    REGEXES[1]: "/{0}/list|/{0}/item",
    REGEXES[2]: "/{0}/(?:item|list)|/{0}/(?:list|item)/[0-9][0-9]*",
}


@_form("expression rewritten")
def _regex_rewritten(plan: Plan, random: Random) -> None:
    def change(match: Match, policy: Any) -> Routes:
        number = area_of(match).strip("/")
        forms = {before.format(number): after.format(number) for before, after in _EQUIVALENT.items()}
        regex = match.get("safe_regex", {}).get("regex")
        return [(match | {"safe_regex": {"regex": forms[regex]}} if regex in forms else match, policy)]

    _on_routes(change)(plan, random)


@_form("path as an expression")
def _path_as_regex(plan: Plan, random: Random) -> None:
    def change(match: Match, policy: Any) -> Routes:
        if "path" not in match:
            return [(match, policy)]
        return [({"safe_regex": {"regex": match["path"]}, **_without(match, "path")}, policy)]

    _on_routes(change)(plan, random)


@_form("texts of headers and parameters as expressions")
def _texts_as_regexes(plan: Plan, random: Random) -> None:
    def rewritten(each: dict[str, Any]) -> dict[str, Any]:
        text = each.get("string_match", {}).get("exact")
        return each if text is None else each | {"string_match": {"safe_regex": {"regex": f"(?:{text})"}}}

    def change(match: Match, policy: Any) -> Routes:
        lists = {key: match[key] for key in ("headers", "query_parameters") if key in match}
        return [(match | {key: list(map(rewritten, reversed(each))) for key, each in lists.items()}, policy)]

    _on_routes(change)(plan, random)


@_form("disjoint routes reordered")
def _routes_reordered(plan: Plan, random: Random) -> None:
    for host in plan.hosts:
        rest = [route for route in host.routes if route[0] == ANYTHING]
        areas: dict[str, Routes] = {}
        for route in host.routes[: len(host.routes) - len(rest)]:
            areas.setdefault(area_of(route[0]), []).append(route)
        shuffled = list(areas.values())
        random.shuffle(shuffled)
        host.routes = [*(route for area in shuffled for route in area), *rest]


@_form("the last route refuses, or there is none")
def _without_rest(plan: Plan, _random: Random) -> None:
    for host in plan.hosts:
        if host.routes[-1] == (ANYTHING, "deny"):
            host.routes.pop()
        elif host.routes[-1][0] != ANYTHING:
            host.routes.append((dict(ANYTHING), "deny"))


@_form("route that no request reaches")
def _unreachable(plan: Plan, _random: Random) -> None:
    for host in plan.hosts:
        if host.routes and host.routes[-1][0] == ANYTHING:
            host.routes.append(({"path": "/late"}, "public"))


@_form("host split in two")
def _host_split(plan: Plan, random: Random) -> None:
    for host in tuple(plan.hosts):
        if len(host.domains) > 1:
            moved = host.domains.pop(random.randrange(len(host.domains)))
            plan.hosts.append(Host(f"{host.name}-more", [moved], copy.deepcopy(host.routes), host.policy))


@_form("hosts and domains reordered")
def _hosts_reordered(plan: Plan, random: Random) -> None:
    random.shuffle(plan.hosts)
    for host in plan.hosts:
        host.domains = [each.upper() if random.random() < 0.2 else each for each in reversed(host.domains)]


@_form("policy of the host written at the routes")
def _at_the_routes(plan: Plan, _random: Random) -> None:
    for host in plan.hosts:
        if host.policy is not None:
            host.routes = [(match, host.policy if policy == INHERITED else policy) for match, policy in host.routes]
            host.policy = None


# Policies and issuers


@_form("scopes and groups in another form")
def _demands_rewritten(plan: Plan, _random: Random) -> None:
    for policy in plan.policies.values():
        for field in ("scopes", "groups"):
            demand = policy.get(field)
            if demand is None or isinstance(demand, list):
                continue
            for part in ("all_of", "any_of"):
                if len(demand.get(part, ())) == 1:
                    demand["any_of" if part == "all_of" else "all_of"] = demand.pop(part)
                    break
            if set(demand) == {"all_of"}:
                policy[field] = demand["all_of"][::-1]


@_form("every issuer listed")
def _issuers_listed(plan: Plan, _random: Random) -> None:
    for policy in plan.policies.values():
        policy.setdefault("issuers", sorted(plan.issuers))


@_form("usual token use written out")
def _use_written(plan: Plan, _random: Random) -> None:
    for policy in plan.policies.values():
        if policy.get("issuers") == ["pool"]:
            policy.setdefault("token_use", "access")


@_form("grants split and reordered")
def _grants_split(plan: Plan, _random: Random) -> None:
    for issuer in plan.issuers.values():
        if "grants" in issuer:
            issuer["grants"] = [
                {"scopes": [scope], "when": grant["when"]} for grant in issuer["grants"] for scope in grant["scopes"]
            ][::-1]


@_form("lists and fields reordered")
def _reordered(plan: Plan, random: Random) -> None:
    plan.issuers = {alias: _shuffled(each, random) for alias, each in reversed(plan.issuers.items())}
    plan.policies = {name: _shuffled(each, random) for name, each in reversed(plan.policies.items())}


def _shuffled(value: Any, random: Random) -> Any:
    if isinstance(value, dict):
        return {name: _shuffled(each, random) for name, each in reversed(value.items())}
    if isinstance(value, list) and not any(isinstance(each, dict) for each in value):
        return random.sample(value, len(value))
    return value


@_form("issuer renamed")
def _issuer_renamed(plan: Plan, _random: Random) -> None:
    plan.issuers = {"people" if alias == "pool" else alias: each for alias, each in plan.issuers.items()}
    for policy in plan.policies.values():
        if "issuers" in policy:
            policy["issuers"] = ["people" if alias == "pool" else alias for alias in policy["issuers"]]


@_form("policies renamed and written in the routes")
def _renamed(plan: Plan, random: Random) -> None:
    names = {name: f"renamed-{number}" for number, name in enumerate(sorted(plan.policies))}
    plan.policies = {names[name]: policy for name, policy in plan.policies.items()}
    for host in plan.hosts:
        host.policy = names.get(host.policy, host.policy) if host.policy is not None else None
        routes = [(match, names.get(policy, policy)) for match, policy in host.routes]
        host.routes = [
            (match, plan.policies[policy] if policy in plan.policies and random.random() < 0.4 else policy)
            for match, policy in routes
        ]


@_form("policy written at the host")
def _at_the_host(plan: Plan, random: Random) -> None:
    for host in plan.hosts:
        texts = {policy for _match, policy in host.routes if isinstance(policy, str)}
        own = sorted(texts & {*plan.policies, "deny"})
        if own and INHERITED not in texts:
            host.policy = random.choice(own)
            host.routes = [(match, INHERITED if policy == host.policy else policy) for match, policy in host.routes]
