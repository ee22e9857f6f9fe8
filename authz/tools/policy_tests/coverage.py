"""The routes, policies and reasons that the tests of one configuration cover, and those not covered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from authz.core.configuration import Configuration
from authz.core.policy import BUILT_IN
from authz.core.reasons import Reason
from authz.tools.envoy_run.derived_bootstrap import RunRoute
from authz.tools.policy_tests.checks import Outcome

OUT_OF_REACH = frozenset(
    {
        Reason.OVERLOADED,
        Reason.KEYS_UNAVAILABLE,
        Reason.REVOCATIONS_UNAVAILABLE,
        Reason.INTERNAL_ERROR,
    }
)
"""Reasons that depend on the sidecar's environment. No policy test can cause them."""


OF_USERINFO = frozenset({Reason.TOKEN_REVOKED, Reason.USERINFO_UNAVAILABLE})
"""Reasons that a test can bring about only if a policy uses the issuer's userinfo endpoint."""


@dataclass(slots=True)
class Reached:
    """What the tests of one configuration have met so far."""

    configuration: Configuration
    reasons: set[str] = field(default_factory=set)
    forwarded: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    routes: tuple[RunRoute, ...] | None = None
    """None if no test went through Envoy."""
    met_routes: set[str] = field(default_factory=set)

    def note(self, met: Outcome) -> None:
        """Record the outcome of one test."""
        self.reasons.add(met.reason)
        (self.forwarded if met.is_allowed else self.refused).add(met.policy)

    def note_routes(self, routes: tuple[RunRoute, ...], met: set[str]) -> None:
        """Tests went through Envoy and met these routes."""
        self.routes = routes
        self.met_routes |= met

    def missing(self) -> Missing:
        """The parts that no test covers."""
        names = [name for name in self.configuration.policies if name not in BUILT_IN]
        asks_userinfo = any(policy.userinfo for policy in self.configuration.policies.values())
        out_of_reach = OUT_OF_REACH if asks_userinfo else OUT_OF_REACH | OF_USERINFO
        labels = [reason.row.label for reason in Reason if reason not in out_of_reach]
        routes = len(self.routes or ())
        return Missing(
            parts=2 * len(names) + routes,
            policies=tuple(name for name in names if name not in self.forwarded | self.refused),
            never_forwarded=tuple(name for name in names if name in self.refused - self.forwarded),
            never_refused=tuple(name for name in names if name in self.forwarded - self.refused),
            reasons=tuple(label for label in labels if label not in self.reasons),
            routes=None
            if self.routes is None
            else tuple(route for route in self.routes if route.name not in self.met_routes),
        )


@dataclass(frozen=True, slots=True)
class Missing:
    """The parts that no test covers."""

    parts: int
    """The parts that count for the coverage: each policy once forwarded and once refused, and with --envoy each route.
    """
    policies: tuple[str, ...]
    never_forwarded: tuple[str, ...]
    """Policies that refused every test: perhaps no token can satisfy them."""
    never_refused: tuple[str, ...]
    """Policies that allowed every test: perhaps they require nothing."""
    reasons: tuple[str, ...]
    routes: tuple[RunRoute, ...] | None
    """None if no test went through Envoy: then coverage is unknown."""

    @property
    def percent(self) -> float:
        """The coverage: the share of `parts` that tests reached."""
        left = 2 * len(self.policies) + len(self.never_forwarded) + len(self.never_refused) + len(self.routes or ())
        return 100 * (self.parts - left) / self.parts if self.parts else 100.0

    def data(self) -> dict[str, Any]:
        """Return the coverage as JSON."""
        routes = None if self.routes is None else [str(route.location) for route in self.routes]
        return {
            "percent": round(self.percent, 1),
            "policies": list(self.policies),
            "policies_never_forwarded": list(self.never_forwarded),
            "policies_never_refused": list(self.never_refused),
            "reasons": list(self.reasons),
            "routes": routes,
        }
