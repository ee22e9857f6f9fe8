"""What the rules look at: the filter chains, routes and clusters of one Envoy configuration, and its policies.

Which policy a route has is worked out as Envoy works it out: context extensions are merged key by key from the route
table over the virtual host and the route to the weighted cluster, and everything else of the nearest override counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from authz.core.configuration import Configuration
from authz.core.policy import BUILT_IN, Access, Policy
from authz.core.policy_lookup import PolicyLookup
from authz.core.problems import ConfigurationError, Path, Problem
from authz.core.read_policy import References
from authz.core.reasons import Denied
from authz.envoy.document import Document
from authz.envoy.inline_policy import parse_inline_policy
from authz.envoy.settings import AUTHZ_PATH, Settings, settings_of
from authz.tools.lint.match import Match
from authz.tools.lint.view import View

REDACTED = "[redacted]"
"""What Envoy's admin page shows instead of a context extension: the field is marked as sensitive."""

OFF, PUBLIC, OPTIONAL, ANY_TOKEN, DEMANDING, DENY = range(-1, 5)
"""How much is asked of a request, the least first: no check at all, up to no request at all."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One entry of `http_filters`."""

    view: View

    @property
    def name(self) -> str:
        """The name that overrides must use."""
        return self.view.text("name")

    @property
    def config(self) -> View:
        """Its typed configuration."""
        return self.view.get("typed_config")

    @property
    def kind(self) -> str:
        """The message of its configuration, such as `ExtAuthz`."""
        return self.config.kind


@dataclass(frozen=True, slots=True)
class Attachment:
    """What ext_authz does on a route, or on one weighted cluster of it."""

    extensions: Mapping[str, tuple[Any, Path]] = field(default_factory=dict)
    """Merged context extensions with the place of each."""
    off_at: Path | None = None
    """Where the check is switched off."""

    @property
    def policy(self) -> Any:
        """The value of `policy`, None where there is none."""
        return self.extensions.get("policy", (None, ()))[0]


@dataclass(frozen=True, slots=True)
class Route:
    """One route of a virtual host, with every attachment it can lead to."""

    view: View
    host: View
    match: Match
    attachments: tuple[Attachment, ...]
    strength: int | None
    """The weakest of its attachments; None where a policy is missing or wrong."""

    @property
    def answers_itself(self) -> bool:
        """Whether Envoy answers, and no service."""
        return bool(self.view.get("redirect") or self.view.get("direct_response"))


class Manager:
    """One HTTP connection manager."""

    def __init__(self, view: View, policies: PolicyLookup) -> None:
        self.view = view
        self._policies = policies
        self.filters = tuple(map(Filter, view.each("http_filters")))
        self.authz = next((item for item in self.filters if item.kind == "ExtAuthz"), None)
        self.oauth2 = tuple(item for item in self.filters if item.kind == "OAuth2")
        self.table = view.get("route_config")

    @property
    def hosts(self) -> tuple[View, ...]:
        """Its virtual hosts."""
        return tuple(self.table.each("virtual_hosts"))

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """Every route, in the order of matching within its host."""
        return tuple(self._route(host, view) for host in self.hosts for view in host.each("routes"))

    @property
    def policies(self) -> tuple[tuple[str, Path], ...]:
        """Every text of `policy` that a route leads to, with its place, each place once."""
        attached = (each.extensions.get("policy") for route in self.routes for each in route.attachments)
        return tuple(dict.fromkeys(each for each in attached if each is not None and isinstance(each[0], str)))

    def levels(self) -> Iterator[View]:
        """Everything that can hold overrides."""
        yield self.table
        for host in self.hosts:
            yield host
            for route in host.each("routes"):
                yield route
                yield from route.get("route", "weighted_clusters").each("clusters")

    def _route(self, host: View, view: View) -> Route:
        weighted = tuple(view.get("route", "weighted_clusters").each("clusters"))
        own = (self.table, host, view)
        attachments = tuple(self._attach((*own, cluster)) for cluster in weighted) or (self._attach(own),)
        return Route(view, host, Match(view.get("match")), attachments, self._weakest(attachments))

    def _attach(self, levels: tuple[View, ...]) -> Attachment:
        extensions: dict[str, tuple[Any, Path]] = {}
        off_at: Path | None = None
        name = self.authz.name if self.authz is not None else ""
        for level in levels:
            entry = level.get("typed_per_filter_config", name)
            if not entry:
                continue
            override = entry.get("config") if entry.kind == "FilterConfig" else entry
            off = next((each.where("disabled") for each in (entry, override) if each.raw("disabled") is True), None)
            off_at = off
            settings = override.get("check_settings", "context_extensions")
            extensions |= {key: (value, (*settings.path, key)) for key, value in settings.value.items()}
        return Attachment(extensions, off_at)

    def _weakest(self, attachments: tuple[Attachment, ...]) -> int | None:
        strengths = [OFF if each.off_at else self.strength(each.policy) for each in attachments]
        known = [strength for strength in strengths if strength is not None]
        return min(known) if len(known) == len(strengths) else None

    def strength(self, policy: object) -> int | None:
        """How much a policy asks, None where it is none."""
        if not isinstance(policy, str):
            return None
        try:
            return strength_of(self._policies.find(policy))
        except Denied:
            return None


def strength_of(policy: Policy) -> int:
    """How much a policy asks of a request."""
    if policy.access is Access.CLOSED:
        return DENY
    if policy.access is Access.OPEN:
        return PUBLIC
    if policy.optional:
        return OPTIONAL
    demands = (policy.scopes, policy.conditions.groups, policy.max_age_seconds)
    return DEMANDING if policy.conditions.claims or any(each is not None for each in demands) else ANY_TOKEN


class EnvoyConfig:
    """One configuration under examination."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.root = View(document.data if isinstance(document.data, dict) else {}, ())
        self.refusals: tuple[Problem, ...] = ()
        self.settings: Settings | None = None
        resources = self.root.get("static_resources")
        self.listeners = tuple(resources.each("listeners"))
        self.clusters = {cluster.text("name"): cluster for cluster in resources.each("clusters")}
        try:
            self.settings = settings_of(document, "", need_endpoints=bool(self.listeners))
        except ConfigurationError as wrong:
            self.refusals = wrong.problems
        self._policies = PolicyLookup(
            self.configuration.references if self.configuration is not None else References(frozenset(), {}),
            parse_inline_policy,
        )
        everything = [view for listener in self.listeners for view in listener.inside()]
        self.managers = tuple(
            Manager(view, self._policies) for view in everything if view.kind == "HttpConnectionManager"
        )

    @property
    def configuration(self) -> Configuration | None:
        """Trust and policies, None where `serve` refuses them."""
        return self.settings.configuration if self.settings is not None else None

    @property
    def is_partial(self) -> bool:
        """Whether Envoy gets routes from elsewhere, so that what is not named here may be named there."""
        return not self.managers or any(not manager.table for manager in self.managers) or bool(self.hidden_policies)

    @property
    def hidden_policies(self) -> tuple[Path, ...]:
        """Where a dump does not show which policy a route has."""
        return tuple(path for manager in self.managers for text, path in manager.policies if text == REDACTED)

    @property
    def named_policies(self) -> tuple[Policy, ...]:
        """The policies under `policies`."""
        known = self.configuration.policies if self.configuration is not None else {}
        return tuple(policy for name, policy in known.items() if name not in BUILT_IN)

    @property
    def placed_policies(self) -> Iterator[tuple[Path, Policy]]:
        """Every policy that the operator wrote or named on a route, with the place to look at."""
        for policy in self.named_policies:
            yield (*AUTHZ_PATH, "policies", policy.name), policy
        named = {policy.name for policy in self.named_policies}
        for manager in self.managers:
            for text, path in manager.policies:
                if text not in named and manager.strength(text) is not None:
                    yield path, self._policies.find(text)

    @property
    def authz_filters(self) -> Iterator[tuple[Manager, Filter]]:
        """Every ext_authz filter with its connection manager."""
        return ((manager, item) for manager in self.managers for item in manager.filters if item.kind == "ExtAuthz")

    @property
    def oauth2_filters(self) -> Iterator[tuple[Manager, Filter, View]]:
        """Every OAuth2 filter with its connection manager and the `config` inside."""
        return ((manager, item, item.config.get("config")) for manager in self.managers for item in manager.oauth2)

    @property
    def authz_clusters(self) -> tuple[View, ...]:
        """The clusters that ext_authz filters ask, as far as they are in this file."""
        names = {
            item.config.get("grpc_service", "envoy_grpc").text("cluster_name"): 0 for _, item in self.authz_filters
        }
        return tuple(self.clusters[name] for name in names if name in self.clusters)
