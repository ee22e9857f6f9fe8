"""Pairs of files whose difference is known, and what a comparison of them gets wrong."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from authz.tools.access.loaded_file import LoadedFile, load
from authz.tools.access.region_changes import RegionChange, changes
from authz.tools.access.relation import Change
from tests.access import planted_in_issuers, planted_in_policies, planted_in_routes
from tests.access.generated_files import Plan, random_plan
from tests.access.independent_judge import Judges, Verdict
from tests.access.other_forms import in_other_form
from tests.access.planted_kind import Kind
from tests.access.regions.first_match import Request

KINDS: tuple[Kind, ...] = (*planted_in_policies.KINDS, *planted_in_issuers.KINDS, *planted_in_routes.KINDS)

MAX_PLANS = 1000
"""Files that are generated until a change of one kind applies and lets somebody in."""


@dataclass(frozen=True)
class Pair:
    """Two files, and a request and token that NEW admits and OLD refuses."""

    kind: str
    old: Plan
    new: Plan
    witness: Verdict
    is_pure: bool
    """Whether NEW refuses nothing that OLD admits."""


def planted(kind: Kind, seed: int, *, is_pure: bool = False) -> Pair:
    """A pair with a planted change of this kind. `is_pure`: only one that admits more and nothing less."""
    random = Random(f"{kind.name} {seed}")  # noqa: S311 - not a secret
    for _ in range(MAX_PLANS):
        old = random_plan(random)
        new = copy.deepcopy(old)
        admits_more_only = kind.plant(new, random)
        if admits_more_only is None or (is_pure and not admits_more_only):
            continue
        witness = Judges(old, new).witness()
        if witness is not None:
            return Pair(kind.name, old, new, witness, admits_more_only)
    raise AssertionError(f"{kind.name} lets nobody in")


def mixed(seed: int) -> tuple[Plan, Plan]:
    """Two files that differ in up to five planted changes, and half of them in form too, in either direction."""
    random = Random(seed)  # noqa: S311 - not a secret
    old = random_plan(random)
    new = copy.deepcopy(old)
    for kind in random.sample(KINDS, random.randrange(1, 6)):
        changed = copy.deepcopy(new)
        if kind.plant(changed, random) is not None:
            new = changed
    if random.random() < 0.5:
        new = in_other_form(new, "", random)
    return (old, new) if random.random() < 0.5 else (new, old)


@dataclass(frozen=True)
class Compared:
    """Both files, loaded and compared."""

    old: LoadedFile
    new: LoadedFile
    found: Sequence[RegionChange]


def compared(old: Plan, new: Plan) -> Compared:
    """Compare two files as `authz diff` does."""
    files = load(old.text(), "old"), load(new.text(), "new")
    return Compared(*files, list(changes(*files)))


def at(found: Sequence[RegionChange], request: Request) -> RegionChange | None:
    """The change of the region that contains the request."""
    return next((each for each in found if request.parts() in each.requests), None)


def wrong_in_widening(pair: Pair, result: Compared) -> Iterator[str]:
    """What is wrong in the comparison of a planted pair."""
    for request in _one_for_each_host(pair.witness):
        change = at(result.found, request)
        if change is None or not change.change.is_wider:
            yield f"missed: {request} with {pair.witness.token}"
    yield from _undecided(result)
    if pair.is_pure and any(each.relation.narrower is not None for each in result.found):
        yield "narrower, although NEW refuses nothing"


def _one_for_each_host(witness: Verdict) -> Iterable[Request]:
    return {each.host: each for each in witness.requests}.values()


def wrong_in_narrowing(pair: Pair, result: Compared) -> Iterator[str]:
    """What is wrong in the comparison of a pure planted pair, with NEW before OLD."""
    for request in _one_for_each_host(pair.witness):
        change = at(result.found, request)
        if change is None or change.relation.narrower is None:
            yield f"missed: {request} with {pair.witness.token}"
    yield from _undecided(result)
    yield from (f"wider: {each.requests.describe()}" for each in result.found if each.change.is_wider)


def wrong_in_other_form(result: Compared) -> Iterator[str]:
    """What is wrong in the comparison of a file with another form of itself."""
    for each in result.found:
        if each.change is not Change.EQUAL:
            yield f"{each.change.value}: {each.requests.describe()}: {each.old_policy} and {each.new_policy}"


def contradicted(result: Compared, verdicts: Iterable[Verdict]) -> Iterator[str]:
    """The verdicts of the independent judge that the comparison does not contain."""
    # The regions of two requests can differ, and those of two tokens cannot.
    first = {(each.policies, each.new): each for each in reversed(list(verdicts))}
    for (_policies, is_new), each in first.items():
        for request in each.requests:
            change = at(result.found, request)
            if change is None:
                yield f"no region: {request}"
            elif not (change.change.is_wider if is_new else change.relation.narrower or change.relation.undecided):
                yield f"{change.change.value}: {request} with {each.token}"


def _undecided(result: Compared) -> Iterator[str]:
    yield from (f"undecided: {each.relation.undecided}" for each in result.found if each.relation.undecided)
