"""The promises about speed and size, and whether a run kept them. All but the last three are ratios in one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench import resources, straight, through
from bench.results import Table

Tables = Mapping[str, Table]


@dataclass(frozen=True, slots=True)
class Promise:
    """One row."""

    text: str
    table: str
    measure: Callable[[Table], float]
    limit: float
    is_least: bool
    """Whether the limit is the least that is promised, else the most."""
    unit: str

    def measured(self, tables: Tables) -> float | None:
        """The number, None if its table was not measured."""
        table = tables.get(self.table)
        return None if table is None else self.measure(table)

    def kept(self, number: float) -> bool:
        """Whether a number keeps the promise."""
        return number >= self.limit if self.is_least else number <= self.limit


def _rate(of: str, to: str) -> Callable[[Table], float]:
    return lambda table: table.ratio("per_second", of, to)


PROMISES = (
    Promise(
        "checks/s, known token, straight: authz against `grpc.aio` with `jwt.decode`",
        "straight",
        _rate(straight.KNOWN, straight.PLAIN),
        5,
        is_least=True,
        unit="x",
    ),
    Promise(
        "the same, against the public `grpc.server` running authz's own handler",
        "straight",
        _rate(straight.KNOWN, straight.PUBLIC),
        2.5,
        is_least=True,
        unit="x",
    ),
    Promise(
        "CPU per check, known token, against a bare C-core echo through the same loop",
        "straight",
        lambda table: table.ratio("cpu_microseconds", straight.KNOWN, straight.ECHO),
        1.5,
        is_least=False,
        unit="x",
    ),
    Promise(
        "checks/s, every token new (RS256): authz against `grpc.aio` with `jwt.decode`",
        "straight",
        _rate(straight.NEW, straight.PLAIN_NEW),
        2,
        is_least=True,
        unit="x",
    ),
    Promise(
        "through Envoy, 32 connections: requests/s against Envoy's jwt_authn + rbac without its cache",
        "envoy",
        _rate(through.KNOWN, through.OWN),
        0.9,
        is_least=True,
        unit="x",
    ),
    Promise(
        "through Envoy, 1 connection: p99 against the same",
        "envoy",
        lambda table: table.ratio("alone_p99", through.KNOWN, through.OWN),
        3,
        is_least=False,
        unit="x",
    ),
    Promise(
        "resident memory of a worker after so many different tokens, over its idle size",
        "memory",
        lambda table: table.rows[-1].middle("resident_mib") - table.row(resources.IDLE).middle("resident_mib"),
        20,
        is_least=False,
        unit="MiB",
    ),
    Promise(
        "time from start to ready with a local key server",
        "start",
        lambda table: table.row(resources.READY).middle("seconds"),
        1.5,
        is_least=False,
        unit="s",
    ),
    Promise(
        "resident memory of an idle worker",
        "start",
        lambda table: table.row(resources.READY).middle("worker_mib"),
        64,
        is_least=False,
        unit="MiB",
    ),
)
