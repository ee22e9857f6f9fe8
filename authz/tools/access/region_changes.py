"""The difference of two files: for every region of requests, who is admitted before and after."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from authz.tools.access.loaded_file import LoadedFile, doubt_about
from authz.tools.access.regions.refinement import overlaps
from authz.tools.access.regions.region import Region
from authz.tools.access.regions.request_set import ExampleRequest, RequestSet
from authz.tools.access.relation import Change, PolicyComparison, Relation

_ALLOWED = re.compile(r"(?:^|\s)#\s*authz-diff:\s*allow\s+wider\s+because\s+(?P<reason>\S.*\S)\s*$")


@dataclass(frozen=True, slots=True)
class RegionChange:
    """The requests that meet one route of OLD and one route of NEW, and how their admitted tokens change."""

    requests: RequestSet
    old: Region | None
    new: Region | None
    old_policy: str
    new_policy: str
    relation: Relation
    accepted: str = ""
    """The reason of the line in NEW that accepts a widening. Empty if there is none."""

    @property
    def change(self) -> Change:
        """One word for the result."""
        return self.relation.change

    @property
    def is_refused(self) -> bool:
        """Whether it is a widening that nobody accepted."""
        return self.change.is_wider and not self.accepted

    def example(self) -> ExampleRequest | None:
        """The simplest request. None if none can be written down."""
        try:
            return self.requests.example()
        except ValueError:
            return None


def changes(old: LoadedFile, new: LoadedFile) -> Iterator[RegionChange]:
    """Compare two files region by region. Regions that no route matches in both files are left out."""
    comparison = PolicyComparison(old.configuration, new.configuration)
    reasons = accepted_lines(new.text)
    for requests, before, after in overlaps(old.regions, new.regions):
        old_policy, new_policy = old.policy_of(before), new.policy_of(after)
        doubt = requests.undecided or doubt_about(before) or doubt_about(after)
        relation = Relation(None, None, doubt) if doubt else comparison.relation(old_policy, new_policy)
        names = _named(before, old_policy.name), _named(after, new_policy.name)
        reason = reasons.get(after.route.line, "") if after is not None and relation.change.is_wider else ""
        yield RegionChange(requests, before, after, *names, relation, reason)


def _named(region: Region | None, policy: str) -> str:
    if region is None:
        return "no route (404)"
    return policy if region.attachment.policy is not None else region.attachment.kind.value


def accepted_lines(text: str) -> dict[int, str]:
    """The reason of each `authz-diff: allow wider because REASON` comment, by the line of YAML that it is about."""
    found = {}
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        comment = _ALLOWED.search(line)
        if comment is not None:
            about = _next_content(lines, number) if line.lstrip().startswith("#") else number
            found[about] = comment["reason"]
    return found


def _next_content(lines: list[str], number: int) -> int:
    for following, line in enumerate(lines[number:], start=number + 1):
        if line.strip() and not line.lstrip().startswith("#"):
            return following
    return number
