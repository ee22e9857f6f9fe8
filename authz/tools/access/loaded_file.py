"""An Envoy file read for access questions: its regions, its compiled configuration, and the policy of each region."""

from __future__ import annotations

from dataclasses import dataclass

from authz.core.configuration import Configuration
from authz.core.policy import BUILT_IN, Policy
from authz.core.policy_lookup import PolicyLookup
from authz.core.reasons import Denied
from authz.envoy.document import read
from authz.envoy.inline_policy import parse_inline_policy
from authz.envoy.resources import Resources
from authz.envoy.settings import Settings, settings_of
from authz.tools.access.regions.region import Region, regions
from authz.tools.access.regions.route_checks import Kind

_CLOSED = BUILT_IN["deny"]
_OPEN = BUILT_IN["public"]


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """One file, or one side of a comparison."""

    file: str
    text: str
    resources: Resources
    settings: Settings
    regions: list[Region]
    lookup: PolicyLookup

    @property
    def configuration(self) -> Configuration:
        """The compiled configuration."""
        return self.settings.configuration

    def policy_of(self, region: Region | None) -> Policy:
        """The policy that decides who reaches the upstream through a region.

        `deny` if nobody does: no route matches, Envoy answers, or the policy is missing or wrong. `public` if nothing
        checks the request. Meaningless if the region is undecided.
        """
        if region is None or region.attachment.kind in {Kind.ANSWERED, Kind.MISSING}:
            return _CLOSED
        if region.attachment.kind is Kind.OPEN:
            return _OPEN
        try:
            return self.lookup.find(region.attachment.policy or "")
        except Denied:
            return _CLOSED


def load(text: str, file: str) -> LoadedFile:
    """Read a file. Raises ConfigurationError with every problem."""
    resources = Resources(read(text, file))
    settings = settings_of(resources, text, need_endpoints=False)
    lookup = PolicyLookup(settings.configuration.references, parse_inline_policy)
    return LoadedFile(file, text, resources, settings, regions(resources), lookup)


def doubt_about(region: Region | None) -> str:
    """Why it is not known who reaches a region. Empty if it is."""
    if region is None:
        return ""
    if region.undecided or region.attachment.kind is Kind.UNDECIDED:
        return region.undecided or region.attachment.reason
    return region.requests.undecided or ""
