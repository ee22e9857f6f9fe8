"""The promises about speed and size, and whether a run kept them. Speed is promised as ratios in one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench import resources, straight, through
from bench.peers.build import RUST
from bench.results import Table

Tables = Mapping[str, Table]


Measure = Callable[[Table], list[float]]


@dataclass(frozen=True, slots=True)
class Promise:
    """One row."""

    text: str
    table: str
    measure: Measure
    limit: float
    is_least: bool
    """Whether the limit is the least that is promised, else the most."""
    unit: str
    needs: str = ""
    """The row of a peer, which is missing if the peer could not be built."""

    def samples(self, tables: Tables) -> list[float]:
        """The number of each round, empty if it was not measured."""
        table = tables.get(self.table)
        return [] if table is None else self.measure(table)

    def kept(self, number: float) -> bool:
        """Whether a number keeps the promise."""
        return number >= self.limit if self.is_least else number <= self.limit


def _ratios(name: str, of: str, to: str) -> Measure:
    return lambda table: table.ratios(name, of, to)


def _growth(table: Table) -> list[float]:
    """What a worker has grown by after the most tokens."""
    idle = table.samples(resources.IDLE, "resident_mib")
    after = table.samples(table.rows[-1].subject, "resident_mib")
    return [last - first for last, first in zip(after, idle, strict=True)]


PROMISES = (
    Promise(
        "straight, known token: CPU per check, against a Rust tonic server with a verified-token cache",
        "straight",
        _ratios("cpu_microseconds", straight.KNOWN, RUST.cached),
        1.0,
        is_least=False,
        unit="x",
        needs=RUST.cached,
    ),
    Promise(
        "straight, every token new (RS256): CPU per check, against the Rust server verifying each time",
        "straight",
        _ratios("cpu_microseconds", straight.NEW, RUST.new),
        1.5,
        is_least=False,
        unit="x",
        needs=RUST.new,
    ),
    Promise(
        "through Envoy, 32 connections, known token: requests/s, against the Rust server with its cache",
        "envoy",
        _ratios("per_second", through.KNOWN, RUST.cached),
        1.0,
        is_least=True,
        unit="x",
        needs=RUST.cached,
    ),
    Promise(
        "through Envoy, 32 connections, as shipped: requests/s, against Envoy's jwt_authn + rbac",
        "envoy",
        _ratios("per_second", through.RETRYING, through.OWN),
        0.9,
        is_least=True,
        unit="x",
    ),
    Promise(
        "the same: CPU of Envoy and authz per request, against jwt_authn + rbac",
        "envoy",
        _ratios("cpu_microseconds", through.RETRYING, through.OWN),
        1.4,
        is_least=False,
        unit="x",
    ),
    Promise(
        "through Envoy, 1 connection: p99, against jwt_authn + rbac",
        "envoy",
        _ratios("alone_p99", through.KNOWN, through.OWN),
        1.6,
        is_least=False,
        unit="x",
    ),
    Promise(
        "resident memory of an idle worker",
        "start",
        lambda table: table.samples(resources.READY, "worker_mib"),
        45,
        is_least=False,
        unit="MiB",
    ),
    Promise(
        "resident memory of a worker after a million different tokens, over its idle size",
        "memory",
        _growth,
        20,
        is_least=False,
        unit="MiB",
    ),
    Promise(
        "start to ready with a local key server",
        "start",
        lambda table: table.samples(resources.READY, "seconds"),
        1,
        is_least=False,
        unit="s",
    ),
)
