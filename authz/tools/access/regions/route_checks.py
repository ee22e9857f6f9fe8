"""The policy that the sidecar applies to the requests of a route, if its ext_authz filter checks them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from authz.envoy.fields import Fields
from authz.envoy.http_filters import EXT_AUTHZ, HttpFilter
from authz.envoy.listeners import ConnectionManager
from authz.envoy.resources import Resources
from authz.envoy.route_table import Route, RouteTarget
from authz.tools.lint.ways_in import opening_of, own_filters

_HARMLESS = frozenset(
    {
        EXT_AUTHZ,
        "JwtAuthentication",
        "AdaptiveConcurrency",
        "AdmissionControl",
        "ApiKeyAuth",
        "BandwidthLimit",
        "BasicAuth",
        "Buffer",
        "Compressor",
        "Cors",
        "CredentialInjector",
        "CsrfPolicy",
        "Decompressor",
        "HTTPFault",
        "HeaderMutation",
        "HealthCheck",
        "LocalRateLimit",
        "OAuth2",
        "RBAC",
        "RateLimit",
        "Router",
    }
)
"""Filters that can refuse or answer a request, or change headers, and keep its path and its route."""


class Kind(Enum):
    """What happens to the requests of a route."""

    POLICY = "checked against a policy"
    MISSING = "refused, because the route has no policy"
    OPEN = "forwarded without a check"
    ANSWERED = "answered by Envoy"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class RouteCheck:
    """What the sidecar does with the requests of a route."""

    kind: Kind
    policy: str | None = None
    """The text of `policy`: a name, or an inline policy. `PolicyLookup` reads it. Also set for some ANSWERED routes,
    because ext_authz checks a request before Envoy answers it."""
    reason: str = ""
    """Why it is UNDECIDED or OPEN."""


def route_check(route: Route, manager: ConnectionManager, own: frozenset[str], resources: Resources) -> RouteCheck:
    """The check of a route. UNDECIDED if its targets have different checks."""
    filters = own_filters(manager.filters, own)
    found = {_target_check(each, filters, own) for each in route.targets}
    if len(found) > 1:
        return RouteCheck(Kind.UNDECIDED, reason="its weighted clusters have different checks")
    (check,) = found
    if route.answers_itself and check.kind is not Kind.UNDECIDED:
        return RouteCheck(Kind.ANSWERED, check.policy)
    if any(_is_internal(each.cluster, resources) for each in route.targets):
        return RouteCheck(Kind.UNDECIDED, reason="its cluster leads to an internal listener")
    if "cluster_specifier_plugin" in route.fields.get("route").value:
        return RouteCheck(Kind.UNDECIDED, reason="a plugin chooses the cluster")
    return check


def _target_check(target: RouteTarget, filters: tuple[HttpFilter, ...], own: frozenset[str]) -> RouteCheck:
    openings = []
    effective = []
    for item in filters:
        attachment = target.attachment(item.name)
        opening = opening_of(item, attachment, own)
        if opening is None:
            effective.append(attachment)
        else:
            openings.append(opening)
    policies = {each.policy for each in effective if isinstance(each.policy, str)}
    if len(effective) > 1:
        return RouteCheck(Kind.UNDECIDED, reason="two ext_authz filters check it")
    if effective:
        is_named = effective[0].policy is not None
        if is_named and not policies:
            return RouteCheck(Kind.UNDECIDED, reason="its policy is not text")
        return RouteCheck(Kind.POLICY, policies.pop()) if is_named else RouteCheck(Kind.MISSING)
    partial = next((each for each in openings if not (each.code == "AUTHZ304" or each.is_unset)), None)
    if partial is not None:
        return RouteCheck(Kind.UNDECIDED, reason=partial.reason)
    reason = openings[0].reason if openings else "no ext_authz filter of this sidecar runs here"
    return RouteCheck(Kind.OPEN, reason=reason)


def _is_internal(name: str, resources: Resources) -> bool:
    cluster = resources.clusters.get(name)
    return cluster is not None and (
        bool(cluster.members) or any(each.get("envoy_internal_address") for each in cluster.addresses)
    )


def filter_doubt(filters: tuple[HttpFilter, ...]) -> str | None:
    """Why the filters of a chain make its routes undecided. None if they do not."""
    for item in filters:
        name = f"{item.name or item.kind:.60}"
        if item.config.raw("clear_route_cache") is True:
            return f"the filter {name} has clear_route_cache: another route can be chosen after it"
        if item.kind not in _HARMLESS:
            return f"the filter {name} can change the path or the route"
        if item.kind == "HeaderMutation" and any(_is_pseudo_header(each) for each in item.config.inside()):
            return f"the filter {name} changes the method, the host or the path"
    return None


def _is_pseudo_header(fields: Fields) -> bool:
    return any(isinstance(value, str) and value.startswith(":") for value in fields.value.values())
