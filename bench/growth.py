"""The cost of a check by size: policies, policies written in routes, issuers, groups in a token."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from bench import traffic
from bench.load import LoadFailed, measured
from bench.place import POLICIES, Place, Sidecar
from bench.pool import AUDIENCE
from bench.progress import Progress
from bench.results import Table
from bench.streams import send_checks

MOST_INLINE = 1_000
"""authz remembers 1024 policies that are written in routes."""

MOST_ISSUERS = 1_000
MOST_GROUPS = 300
"""A token with more groups exceeds the limit of 16 KiB."""

DIFFERENT = 1_000
"""Policies that the messages of one turn name, one after the other."""


@dataclass(frozen=True, slots=True)
class Point:
    """One size of one thing."""

    what: str
    size: int
    authz: dict[str, Any]
    messages: list[bytes]

    @property
    def name(self) -> str:
        return f"{self.what}: {self.size:,}"


def costs(place: Place, progress: Progress) -> Table:
    """CPU time per check at each size; the smallest of its kind is measured in turns with it."""
    table = Table("growth", "CPU time of one check with a known token as things grow, straight gRPC")
    for what in (_policies, _inline, _issuers, _groups):
        points = what(place)
        with contextlib.ExitStack() as stack:
            running = [(point, stack.enter_context(_started(place, progress, point))) for point in points]
            for round_number in range(min(place.plan.rounds, 3)):
                for point, sidecar in running:
                    progress.step(f"growth {round_number + 1}: {point.name}")
                    table.row(point.name).add(**_cost(place, point, sidecar))
    return table


@contextlib.contextmanager
def _started(place: Place, progress: Progress, point: Point) -> Iterator[Sidecar]:
    progress.step(f"starting with {point.name}")
    with place.sidecar(f"{point.what.replace(' ', '-')}-{point.size}", point.authz) as sidecar:
        yield sidecar


def _cost(place: Place, point: Point, sidecar: Sidecar) -> dict[str, float]:
    def send() -> int:
        counts = send_checks(sidecar.sockets[0], cycle(point.messages), min(place.plan.seconds, 2))
        if counts.refused:
            raise LoadFailed(f"{point.name}: {counts.refused} good requests were refused")
        return counts.allowed

    return measured([sidecar.program], send).cells()


def _sizes(place: Place, most: int) -> list[int]:
    return sorted({min(size, most) for size in place.plan.sizes})


def _policies(place: Place) -> list[Point]:
    points = []
    for size in _sizes(place, 10_000):
        names = [f"policy-{number}" for number in range(size)]
        authz = place.authz(policies=dict.fromkeys(names, POLICIES["orders-read"]))
        points.append(Point("named policies", size, authz, _to(place, names)))
    return points


def _inline(place: Place) -> list[Point]:
    points = []
    for size in _sizes(place, MOST_INLINE):
        texts = [f"{{scopes: {{any_of: [orders/read, orders/other-{number}]}}}}" for number in range(size)]
        points.append(Point("policies in routes", size, place.authz(), _to(place, texts)))
    return points


def _issuers(place: Place) -> list[Point]:
    points = []
    for size in _sizes(place, MOST_ISSUERS):
        authz = place.authz()
        for number in range(size - 1):
            authz["issuers"][f"other-{number}"] = {
                "profile": "oidc",
                "issuer": f"https://idp-{number}.example.com",
                "audiences": [AUDIENCE],
                "jwks_file": str(place.jwks),
            }
        points.append(Point("issuers", size, authz, _to(place, ["orders-read"])))
    return points


def _groups(place: Place) -> list[Point]:
    points = []
    for size in _sizes(place, MOST_GROUPS):
        token = traffic.sign(place.key, traffic.claims(groups=size))
        authz = place.authz(policies={"staff": {"groups": {"any_of": ["staff"], "none_of": ["suspended"]}}})
        points.append(Point("groups in the token", size, authz, [traffic.check_request(token, "staff")]))
    return points


def _to(place: Place, policies: list[str]) -> list[bytes]:
    return [traffic.check_request(place.token, policy) for policy in policies[-DIFFERENT:]]
