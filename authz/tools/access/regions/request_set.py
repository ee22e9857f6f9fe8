"""Sets of requests: unions of disjoint boxes, each a product of the values of every part of a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from authz.tools.access.regions.authority import AuthorityCondition, authority_member
from authz.tools.access.regions.in_text import interval_words, value_words
from authz.tools.access.regions.intervals import Intervals, both, complement
from authz.tools.access.regions.languages import TooMuchEffort
from authz.tools.access.regions.parts import (
    AUTHORITIES,
    AUTHORITY,
    AUTHORITY_WITH_PORT,
    HOST,
    METHOD,
    PATH,
    TARGET,
    TARGET_WITH_PARAMETERS,
    TARGETS,
)
from authz.tools.access.regions.request_target import TargetCondition, target_member
from authz.tools.access.regions.values import ANY_TEXT, Values, everything, has, is_empty, member

_VIEWS = TARGETS | AUTHORITIES
"""Parts that are another reading of the path or the host."""

_BY_INTERVALS = frozenset({HOST, PATH})

Condition = tuple[tuple[str, Values], ...]
"""The parts with a condition, sorted by name. `host` and `path` have regular languages here, never intervals."""


@dataclass(frozen=True, slots=True)
class ExampleRequest:
    """One request of a set."""

    method: str
    scheme: str
    host: str
    path: str
    """With its query."""
    headers: Mapping[str, str]
    entrance: str = ""
    """The listener and filter chain that receive it."""


def is_separate(condition: Condition) -> bool:
    """Whether each of its parts can be chosen without regard to the others, to the host and to the path."""
    return not any(part in _BY_INTERVALS or part in _VIEWS for part, _values in condition)


def values_of(condition: Condition, part: str) -> Values:
    """The values that a condition allows for a part."""
    for name, values in condition:
        if name == part:
            return values
    return _unrestricted(part)


def _unrestricted(part: str) -> Values:
    return ANY_TEXT if part in _BY_INTERVALS else everything(part)


def conjunction(one: Condition, other: Condition) -> Condition:
    """Both conditions."""
    if not one or one == other:
        return other
    found = dict(one)
    for part, values in other:
        found[part] = found[part] & values if part in found else values
    return tuple(sorted(found.items(), key=lambda item: item[0]))


def difference(one: Condition, other: Condition) -> Iterator[Condition]:
    """Disjoint conditions that together are the first without the second."""
    inside = dict(one)
    for part, values in other:
        current = inside.get(part, _unrestricted(part))
        for outside in current.without(values):
            yield tuple(sorted({**inside, part: outside}.items(), key=lambda item: item[0]))
        inside[part] = current & values


@dataclass(frozen=True, slots=True)
class Box:
    """The requests of one entrance with certain hosts and paths that meet a condition."""

    entrance: str
    host: Intervals
    """Of reversed names: `*.example.com` is a prefix then."""
    path: Intervals
    condition: Condition = ()

    def part(self, name: str) -> Values:
        """The values of one part."""
        values = values_of(self.condition, name)
        ends = {HOST: self.host, PATH: self.path}.get(name)
        return values if ends is None else replace(values, intervals=both(ends, values.intervals))

    def is_empty(self) -> bool:
        """Whether no request is in it. Raises TooMuchEffort."""
        names = dict.fromkeys((HOST, PATH, *(name for name, _values in self.condition)))
        return (
            any(is_empty(name, self.part(name)) for name in names if name not in _VIEWS)
            or any(authority_member(each) is None for each in _authorities(self))
            or any(target_member(each, _query(self)) is None for each in _targets(self))
        )

    def __and__(self, other: Box) -> Box | None:
        """The requests in both. None if there is none for certain."""
        host, path = both(self.host, other.host), both(self.path, other.path)
        if self.entrance != other.entrance or not host or not path:
            return None
        return Box(self.entrance, host, path, conjunction(self.condition, other.condition))

    def __sub__(self, other: Box) -> Iterator[Box]:
        """Disjoint boxes that together are the first without the second."""
        common = self & other
        if common is None:
            yield self
            return
        outside = both(self.host, complement(other.host))
        if outside:
            yield replace(self, host=outside)
        outside = both(self.path, complement(other.path))
        if outside:
            yield replace(self, host=common.host, path=outside)
        for condition in difference(self.condition, other.condition):
            yield replace(common, condition=condition)


class RequestSet:
    """An immutable set of requests."""

    __slots__ = ("boxes", "undecided")

    def __init__(self, boxes: Iterable[Box]) -> None:
        kept = []
        self.undecided: str | None = None
        """Why some box may be empty or not. None if the set is exact."""
        for box in boxes:
            try:
                if not box.is_empty():
                    kept.append(box)
            except TooMuchEffort as error:
                self.undecided = str(error)
                kept.append(box)
        self.boxes = tuple(kept)
        """Disjoint, and not empty as far as is known."""

    def is_empty(self) -> bool:
        """Whether no request is in the set."""
        return not self.boxes

    def __bool__(self) -> bool:
        return bool(self.boxes)

    def __and__(self, other: RequestSet) -> RequestSet:
        """The requests in both sets."""
        pairs = (one & another for one in self.boxes for another in other.boxes)
        return RequestSet(box for box in pairs if box is not None)

    def __sub__(self, other: RequestSet) -> RequestSet:
        """The requests in the first set only."""
        left = list(self.boxes)
        for box in other.boxes:
            left = [piece for each in left for piece in each - box]
        return RequestSet(left)

    def __or__(self, other: RequestSet) -> RequestSet:
        """The requests in any of the sets."""
        return RequestSet((*self.boxes, *(other - self).boxes))

    def __contains__(self, request: Mapping[str, str | None]) -> bool:
        """Whether a request is in the set, given as its parts. Parts that are not named are absent."""
        return any(_has(box, request) for box in self.boxes)

    def example(self) -> ExampleRequest:
        """One request of the set, as short as possible. Raises ValueError if the set is empty or undecided."""
        for box in self.boxes:
            try:
                return _example(box)
            except (TooMuchEffort, ValueError):
                continue
        raise ValueError("no request is known to be in the set")

    def describe(self) -> str:
        """The set in words, one line for each box."""
        return "\n".join(map(_described, self.boxes)) or "no request"


def _targets(box: Box) -> list[TargetCondition]:
    """The condition on `:path` with that on the path. Empty if no matcher reads `:path`, two are impossible."""
    return [
        TargetCondition(box.part(PATH), values, name == TARGET_WITH_PARAMETERS)
        for name, values in box.condition
        if name in TARGETS
    ]


def _authorities(box: Box) -> list[AuthorityCondition]:
    """The condition on `:authority` with that on the host. Empty if no matcher reads `:authority`."""
    return [
        AuthorityCondition(box.part(HOST), values, name == AUTHORITY_WITH_PORT)
        for name, values in box.condition
        if name in AUTHORITIES
    ]


def _query(box: Box) -> str | None:
    """One query string that meets the conditions on parameters. None if there are none."""
    given = {name: box.part(name) for name, _values in box.condition if name.startswith("?")}
    pairs = [f"{name[1:]}={member(name, values) or ''}" for name, values in given.items() if not values.absent]
    return "&".join(pairs) if given else None


def _has(box: Box, request: Mapping[str, str | None]) -> bool:
    targets = _targets(box)
    names = dict.fromkeys((HOST, PATH, *(name for name, _values in box.condition)))
    parts = [name for name in names if name not in _VIEWS and not (targets and name == PATH)]
    target = request.get(TARGET) or request.get(PATH) or ""
    authority = request.get(AUTHORITY) or request.get(HOST) or ""
    return (
        request.get("entrance", box.entrance) == box.entrance
        and all(has(box.part(name), request.get(name)) for name in parts)
        and all(each.has(target) for each in targets)
        and all(each.has(authority) for each in _authorities(box))
    )


def _example(box: Box) -> ExampleRequest:
    present = {}
    names = dict.fromkeys((HOST, PATH, METHOD, *(name for name, _values in box.condition)))
    for part in (name for name in names if name not in _VIEWS):
        values = box.part(part)
        if not values.absent:
            present[part] = member(part, values) or ""
    host = present.pop(HOST)
    for authority in _authorities(box):
        host = authority_member(authority) or ""
    path, method = present.pop(PATH), present.pop(METHOD)
    scheme = present.pop(":scheme", "https" if "tls" in box.entrance else "http")
    query = "&".join(f"{name[1:]}={present.pop(name)}" for name in tuple(present) if name.startswith("?"))
    target = f"{path}?{query}" if query else path
    for each in _targets(box):
        target = target_member(each, _query(box)) or ""
        if not target.isascii():
            raise ValueError("every request of the set has bytes outside of ASCII in its query")
    return ExampleRequest(method, scheme, host[::-1], target, present, box.entrance)


def _described(box: Box) -> str:
    method = box.part(METHOD)
    words = [
        interval_words(METHOD, method.intervals, "any method") if not method.languages else value_words(METHOD, method),
        interval_words(HOST, box.host, "any host"),
        interval_words(PATH, box.path, "any path"),
    ]
    words += [value_words(name, values) for name, values in box.condition if name != METHOD]
    return " ".join(words)
