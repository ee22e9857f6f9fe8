"""The Envoy configuration as the rules see it: the model of `authz.envoy`, and the policy of each route."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from authz.core.configuration import Configuration
from authz.core.policy import BUILT_IN, Access, Policy
from authz.core.policy_lookup import PolicyLookup
from authz.core.problems import ConfigurationError, Path, Problem
from authz.core.read_policy import References
from authz.core.reasons import Denied
from authz.envoy.attachments import Attachment
from authz.envoy.clusters import Cluster
from authz.envoy.document import YamlDocument
from authz.envoy.fields import Fields
from authz.envoy.http_filters import OAUTH2, HttpFilter
from authz.envoy.inline_policy import parse_inline_policy
from authz.envoy.listeners import ConnectionManager
from authz.envoy.resources import Resources
from authz.envoy.route_table import Route, RouteTarget
from authz.envoy.settings import AUTHZ_PATH, Settings, settings_of
from authz.tools.lint.assembled import MovedDocument
from authz.tools.lint.match import Match
from authz.tools.lint.ways_in import WaysIn, is_own, own_filters

if TYPE_CHECKING:
    from authz.tools.lint.computed_order import ComputedOrder

REDACTED = "[redacted]"
"""Envoy's admin page shows this instead of a context extension, because the field is marked as sensitive."""

StrengthOf = Callable[[object], int | None]

OFF, PUBLIC, OPTIONAL, ANY_TOKEN, DEMANDING, DENY = range(-1, 5)
"""How much a route requires, weakest first: from no check at all to no request at all."""


class LintRoute:
    """One route, and what ext_authz requires on each of its targets."""

    def __init__(self, route: Route, filters: tuple[HttpFilter, ...], strength: StrengthOf) -> None:
        self.fields = route.fields
        self.host = route.host.fields
        self.table = route.host.table.fields
        self.match = Match(route.fields.get("match"))
        self.answers_itself = route.answers_itself
        self.attachments = tuple(_attachment(each, filters) for each in route.targets)
        self.strength = _weakest(self.attachments, strength)
        """The weakest of its attachments. None if a policy is missing or wrong."""

    @property
    def only_policy(self) -> str | None:
        """The text of the policy of all its attachments. None if they differ. `public` if the check is off."""
        found = {"public" if each.off_at else each.policy for each in self.attachments}
        text = found.pop() if len(found) == 1 else None
        return text if isinstance(text, str) else None


class LintManager:
    """One HTTP connection manager, with the policy of each route."""

    def __init__(self, manager: ConnectionManager, own: frozenset[str], strength: StrengthOf) -> None:
        self.fields = manager.fields
        self.filters = manager.filters
        self.own = own_filters(manager.filters, own)
        """The ext_authz filters of this sidecar."""
        self.authz = self.own[0] if self.own else None
        self.every_filter = tuple(each for run in manager.runs for entry in run for each in entry.every())
        self.oauth2 = manager.filters_of(OAUTH2)
        self.tables = tuple(each.fields for each in manager.tables)
        self.levels = tuple(level for each in manager.tables for level in each.levels)
        self.is_complete = bool(manager.tables) and not any(each.discovery for each in self.every_filter)
        """Whether its routes and filters are in the file."""
        self._tables = manager.tables
        self._strength = strength

    @cached_property
    def hosts(self) -> tuple[tuple[LintRoute, ...], ...]:
        """The routes of each virtual host, in the order in which Envoy tries them."""
        return tuple(tuple(map(self._examined, host.routes)) for table in self._tables for host in table.hosts)

    def _examined(self, route: Route) -> LintRoute:
        return LintRoute(route, self.own, self._strength)

    @cached_property
    def routes(self) -> tuple[LintRoute, ...]:
        """The routes of all virtual hosts, also those in a `matcher` tree, whose order does not matter."""
        trees = (host.matcher_routes for table in self._tables for host in table.hosts)
        return (
            *(route for routes in self.hosts for route in routes),
            *(self._examined(route) for tree in trees for route in tree),
        )

    @cached_property
    def policies(self) -> tuple[tuple[str, Path], ...]:
        """Every text of `policy` on a route, with its path. Each path once."""
        attached = (each.extensions.get("policy") for route in self.routes for each in route.attachments)
        return tuple(dict.fromkeys(each for each in attached if each is not None and isinstance(each[0], str)))


def _attachment(target: RouteTarget, filters: tuple[HttpFilter, ...]) -> Attachment:
    """What the filter that runs for a target does there. The first filter counts if none runs."""
    found = [(each, target.attachment(each.name)) for each in filters]
    runs = (settings for each, settings in found if not (each.is_disabled and settings.set_at is None))
    return next(runs, found[0][1] if found else Attachment())


def _weakest(attachments: tuple[Attachment, ...], strength: StrengthOf) -> int | None:
    strengths = [OFF if each.off_at else strength(each.policy) for each in attachments]
    known = [each for each in strengths if each is not None]
    return min(known) if len(known) == len(strengths) else None


def strength_of(policy: Policy) -> int:
    """How much a policy requires of a request."""
    if policy.access is Access.CLOSED:
        return DENY
    if policy.access is Access.OPEN:
        return PUBLIC
    if policy.optional:
        return OPTIONAL
    demands = (policy.scopes, policy.conditions.groups, policy.max_age_seconds, policy.acr or None)
    return DEMANDING if policy.conditions.claims or any(each is not None for each in demands) else ANY_TOKEN


class EnvoyConfig:
    """One Envoy configuration, as the rules see it."""

    def __init__(self, document: YamlDocument) -> None:
        self.document = document
        self.resources = Resources(document)
        self.root = self.resources.root
        self.clusters = self.resources.clusters
        self.own_clusters = self.resources.own_clusters
        self.ways = WaysIn(self.resources)
        self.refusals: tuple[Problem, ...] = ()
        self.settings: Settings | None = None
        try:
            self.settings = settings_of(self.resources, "", need_endpoints=bool(self.resources.listeners))
        except ConfigurationError as wrong:
            # The sidecar does not read a dump. It has a file of its own.
            self.refusals = () if self.lacks_policies else wrong.problems
        self._policies = PolicyLookup(
            self.configuration.references if self.configuration is not None else References(frozenset(), {}),
            parse_inline_policy,
        )
        self._strengths: dict[str, int | None] = {}
        self.managers = tuple(LintManager(each, self.own_clusters, self.strength) for each in self.resources.managers)

    @property
    def lacks_policies(self) -> bool:
        """Whether this is a dump, or a set of xDS files, without the sidecar's issuers and policies."""
        is_assembled = isinstance(self.document, MovedDocument) and self.document.is_assembled
        return is_assembled and not self.root.get("node", "metadata", "authz")

    def strength(self, policy: object) -> int | None:
        """How much a policy requires. None if it is not a valid policy."""
        if not isinstance(policy, str):
            return None
        if policy not in self._strengths:
            try:
                self._strengths[policy] = strength_of(self._policies.find(policy))
            except Denied:
                self._strengths[policy] = None
        return self._strengths[policy]

    @cached_property
    def computed_order(self) -> ComputedOrder:
        """Which routes take requests from others, and which policies admit more than others."""
        from authz.tools.lint.computed_order import ComputedOrder  # noqa: PLC0415 - slow to import

        return ComputedOrder(self.configuration, self._policies.find)

    @property
    def configuration(self) -> Configuration | None:
        """Issuers and policies. None if `serve` refuses them."""
        return self.settings.configuration if self.settings is not None else None

    @cached_property
    def is_partial(self) -> bool:
        """Whether some routes are not in the file, so that an unused name may be used there."""
        return (
            not self.managers or any(not manager.is_complete for manager in self.managers) or bool(self.hidden_policies)
        )

    @cached_property
    def hidden_policies(self) -> tuple[Path, ...]:
        """Paths of the policies that a dump redacts."""
        return tuple(path for manager in self.managers for text, path in manager.policies if text == REDACTED)

    @cached_property
    def named_policies(self) -> tuple[Policy, ...]:
        """The policies under `policies`."""
        known = self.configuration.policies if self.configuration is not None else {}
        return tuple(policy for name, policy in known.items() if name not in BUILT_IN)

    @cached_property
    def located_policies(self) -> tuple[tuple[Path, Policy], ...]:
        """Every named policy, and every other policy that a route uses, with its path."""
        return tuple(self._located_policies())

    def _located_policies(self) -> Iterator[tuple[Path, Policy]]:
        for policy in self.named_policies:
            yield (*AUTHZ_PATH, "policies", policy.name), policy
        named = {policy.name for policy in self.named_policies}
        for manager in self.managers:
            for text, path in manager.policies:
                if text not in named and self.strength(text) is not None:
                    yield path, self._policies.find(text)

    @cached_property
    def authz_filters(self) -> tuple[HttpFilter, ...]:
        """Every ext_authz filter of this sidecar, also those of upgrades and inside of other filters."""
        return tuple(
            item for manager in self.managers for item in manager.every_filter if is_own(item, self.own_clusters)
        )

    @cached_property
    def oauth2_filters(self) -> tuple[tuple[LintManager, HttpFilter, Fields], ...]:
        """Every OAuth2 filter with its connection manager and its inner `config`."""
        return tuple((manager, item, item.config.get("config")) for manager in self.managers for item in manager.oauth2)

    @cached_property
    def authz_clusters(self) -> tuple[Cluster, ...]:
        """The clusters of ext_authz filters that are in this file."""
        services = (item.config.get("grpc_service", "envoy_grpc") for item in self.authz_filters)
        names = dict.fromkeys(each.text("cluster_name") for each in services)
        return tuple(self.clusters[name] for name in names if name in self.clusters)
