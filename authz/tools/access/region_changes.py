"""The difference of two files: for every region of requests, who is admitted before and after."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from authz.tools.access.allow_comments import FORM, StaleComment, allow_comments
from authz.tools.access.loaded_file import LoadedFile, doubt_about
from authz.tools.access.regions.refinement import overlaps
from authz.tools.access.regions.region import Region
from authz.tools.access.regions.request_set import ExampleRequest, RequestSet
from authz.tools.access.relation import Change, PolicyComparison, Relation


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
    reasons = {each.about: each.reason for each in allow_comments(new.text) if each.reason}
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


def stale_comments(new: LoadedFile, found: Sequence[RegionChange]) -> Iterator[StaleComment]:
    """The comments of NEW that accept no widening and no undecided comparison. `found` is every change."""
    routes = {region.route.line for region in new.regions}
    used = {each.new.route.line for each in found if each.accepted and each.new is not None}
    for comment in allow_comments(new.text):
        if not comment.reason:
            yield StaleComment(comment.line, "it does not say what it allows and why", f"Write `{FORM}`.")
        elif comment.about not in routes:
            problem = f"no route that a request reaches begins at line {comment.about}"
            yield StaleComment(comment.line, problem, "Write it above a route's first line, or remove it.")
        elif comment.about not in used:
            yield StaleComment(comment.line, "nothing is wider or undecided at its route", "Remove it.")
