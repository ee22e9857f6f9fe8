"""Checks directly over a Unix socket: the sidecar against the bare gRPC server and a naive implementation."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path

from bench import echo as echo_server
from bench import traffic
from bench.inside import answer_to
from bench.load import Latency, LoadFailed, grpc_latency, grpc_load, measured
from bench.peers.build import PEERS, NotBuilt
from bench.place import FALLBACK_ENGINE, Place
from bench.processes import Program
from bench.progress import Progress
from bench.results import Row, Table
from bench.streams import send_checks

ECHO = "echo through the same engine"
KNOWN = "authz, known token"
NEW = "authz, every token new"
REFUSED = "authz, refused"
PUBLIC = "authz on grpc.server, known token"
PLAIN = "grpc.aio + jwt.decode"
PLAIN_NEW = "grpc.aio + jwt.decode, every token new"
LATENCY_ROUNDS = 3
PACE = 1000


@dataclass(frozen=True, slots=True)
class Subject:
    """One server with one kind of traffic."""

    name: str
    server: Program
    socket: Path
    frame: Path
    """The check to send, if it is always the same."""
    is_new: bool = False


def throughput(place: Place, progress: Progress) -> Table:
    """As many checks as each can answer: 2 connections with 16 streams each."""
    table = Table("straight", "Straight gRPC over a Unix socket, 2 connections x 16 streams, one worker")
    progress.step(f"signing {place.plan.new_tokens:,} tokens")
    assert place.messages
    for round_number in range(place.plan.rounds):
        with subjects(place) as them:
            for subject in them:
                progress.step(f"throughput {round_number + 1}/{place.plan.rounds}: {subject.name}")
                sample = measured([subject.server], _sender(place, subject))
                table.row(subject.name).add(**sample.cells())
            for subject in them if round_number < LATENCY_ROUNDS else ():
                if not subject.is_new:
                    progress.step(f"latency {round_number + 1}: {subject.name}")
                    add_latencies(table.row(subject.name), _latency(place, subject))
    return table


def steps(place: Place, progress: Progress) -> Table:
    """The same engine with ever more of a check behind it, in turns: what each part adds under load."""
    table = Table(
        "steps", "CPU time per call with ever more of a check behind the engine, straight gRPC, a known token"
    )
    answer = known_answer(place)
    for round_number in range(place.plan.rounds):
        with contextlib.ExitStack() as stack:
            servers = {step: stack.enter_context(place.echo(answer, step)) for step in echo_server.STEPS}
            whole = stack.enter_context(place.sidecar("steps"))
            servers["everything: the sidecar"] = (whole.program, whole.sockets[0])
            for name, (server, socket) in servers.items():
                progress.step(f"steps {round_number + 1}/{place.plan.rounds}: {name}")
                _count_step(place, table, name, server, socket)
    return table


def _count_step(place: Place, table: Table, name: str, server: Program, socket: Path) -> None:
    sample = measured([server], lambda: grpc_load(socket, place.known, place.plan.seconds))
    table.row(name).add(cpu_microseconds=sample.cpu_microseconds)


def add_latencies(row: Row, take: Callable[[int | None], Latency]) -> None:
    """One request at a time, then PACE of them a second."""
    for prefix, rate in (("alone", None), ("paced", PACE)):
        row.add(**{f"{prefix}_{name}": value for name, value in asdict(take(rate)).items()})


def _latency(place: Place, subject: Subject) -> Callable[[int | None], Latency]:
    return lambda rate: grpc_latency(subject.socket, subject.frame, place.plan.seconds, rate, place.folder)


def _sender(place: Place, subject: Subject) -> Callable[[], int]:
    seconds = place.plan.seconds
    return (
        (lambda: _send_new(place, subject))
        if subject.is_new
        else (lambda: grpc_load(subject.socket, subject.frame, seconds))
    )


def _send_new(place: Place, subject: Subject) -> int:
    counts = send_checks(subject.socket, cycle(place.messages), place.plan.seconds)
    if counts.refused:
        raise LoadFailed(f"{subject.name} refused {counts.refused} good tokens")
    return counts.allowed


def known_answer(place: Place) -> bytes:
    """What authz answers to the known token."""
    return answer_to(place.authz(), traffic.check_request(place.token))


@contextlib.contextmanager
def subjects(place: Place) -> Iterator[list[Subject]]:
    """Start all servers at once: idle servers use no CPU."""
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(place.sidecar("authz"))
        public = stack.enter_context(place.sidecar("fallback", engine=FALLBACK_ENGINE))
        plain, plain_socket = stack.enter_context(place.baseline())
        echo, echo_socket = stack.enter_context(place.echo(known_answer(place)))
        yield [
            Subject(ECHO, echo, echo_socket, place.known),
            Subject(KNOWN, ours.program, ours.sockets[0], place.known),
            Subject(PLAIN, plain, plain_socket, place.known),
            Subject(PUBLIC, public.program, public.sockets[0], place.known),
            Subject(REFUSED, ours.program, ours.sockets[0], place.refused),
            Subject(NEW, ours.program, ours.sockets[0], place.known, is_new=True),
            Subject(PLAIN_NEW, plain, plain_socket, place.known, is_new=True),
            *_peers(place, stack),
        ]


def _peers(place: Place, stack: contextlib.ExitStack) -> list[Subject]:
    """Both modes of each peer that is built."""
    found = []
    for peer in PEERS:
        with contextlib.suppress(NotBuilt):
            cached, cached_socket = stack.enter_context(place.peer(peer, has_cache=True))
            verifying, socket = stack.enter_context(place.peer(peer, has_cache=False))
            found += [
                Subject(peer.cached, cached, cached_socket, place.known),
                Subject(peer.verifying, verifying, socket, place.known),
                Subject(peer.new, verifying, socket, place.known, is_new=True),
            ]
    return found
