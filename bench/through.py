"""Requests through real Envoy: the cost of each way to protect a route."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from authz.server.pb import ext_authz_pb2 as pb
from bench.load import Latency, http_latency, http_load, measured
from bench.peers.build import PEERS, NotBuilt
from bench.place import Place
from bench.processes import Program
from bench.progress import Progress
from bench.proxies import envoy, ext_authz, jwt_and_rbac
from bench.results import Table
from bench.straight import LATENCY_ROUNDS, add_latencies, known_answer

NOTHING = "Envoy alone"
OWN = "Envoy's jwt_authn + rbac"
OWN_CACHED = "Envoy's jwt_authn + rbac, with its jwt cache"
KNOWN = "authz, known token"
KNOWN_BY_TWO = "authz with 2 workers, known token"
RETRYING = "authz, known token, with the retries of deploy/envoy.yaml"
NEW = "authz, every token new"
OWN_NEW = "Envoy's jwt_authn + rbac, every token new"
REFUSED = "authz, refused"
ECHO = "authz's engine, an echo of its answer"
BARE_ECHO = "authz's engine, an echo that allows and says nothing"
LATENCIES_OF = (
    NOTHING,
    OWN,
    KNOWN,
    OWN_CACHED,
    KNOWN_BY_TWO,
    RETRYING,
    *(peer.cached for peer in PEERS),
    *(peer.verifying for peer in PEERS),
)
CONNECTIONS = 32
JWT_CACHE_SIZE = 1000
BARE_ANSWER = pb.CheckResponse(status=pb.Status(code=0), ok_response=pb.OkHttpResponse()).SerializeToString()


@dataclass(frozen=True, slots=True)
class Subject:
    """One listener with one kind of traffic."""

    name: str
    servers: tuple[Program, ...]
    url: str
    script: Path | None = None
    """Arguments of wrk, if each request has a different token."""
    is_refused: bool = False


def throughput(place: Place, progress: Progress) -> Table:
    """As many requests as get through, then one at a time."""
    table = Table("envoy", "Through one Envoy worker thread, 32 connections; CPU time is Envoy's and authz's together")
    progress.step(f"signing {place.plan.new_tokens:,} tokens")
    assert place.tokens
    for round_number in range(place.plan.rounds):
        with subjects(place) as them:
            for subject in them:
                progress.step(f"through Envoy {round_number + 1}/{place.plan.rounds}: {subject.name}")
                table.row(subject.name).add(**measured(subject.servers, _sender(place, subject)).cells())
            for subject in them if round_number < LATENCY_ROUNDS else ():
                if subject.name in LATENCIES_OF:
                    progress.step(f"latency through Envoy {round_number + 1}: {subject.name}")
                    add_latencies(table.row(subject.name), _latency(place, subject))
    return table


def _latency(place: Place, subject: Subject) -> Callable[[int | None], Latency]:
    return lambda rate: http_latency(subject.url, place.token, place.plan.seconds, rate, place.folder)


def _sender(place: Place, subject: Subject) -> Callable[[], int]:
    header = f"authorization: Bearer {place.token}"
    seconds, script, is_refused = place.plan.seconds, subject.script, subject.is_refused
    return lambda: http_load(subject.url, [header], seconds, CONNECTIONS, script=script, is_refused=is_refused)


@contextlib.contextmanager
def subjects(place: Place) -> Iterator[list[Subject]]:
    """One Envoy and all that it asks, at once."""
    with contextlib.ExitStack() as stack:
        one = stack.enter_context(place.sidecar("one"))
        two = stack.enter_context(place.sidecar("two", workers=2))
        echo, echo_socket = stack.enter_context(place.echo(known_answer(place)))
        bare, bare_socket = stack.enter_context(place.echo(BARE_ANSWER, name="bare"))
        filters = {
            "nothing": [],
            "own": jwt_and_rbac(place.jwks, 0),
            "cached": jwt_and_rbac(place.jwks, JWT_CACHE_SIZE),
            "one": ext_authz("one"),
            "two": ext_authz("two"),
            "retrying": ext_authz("one", retries=True),
            "echo": ext_authz("echo"),
            "bare": ext_authz("bare"),
        }
        clusters = {"one": one.sockets, "two": two.sockets, "echo": (echo_socket,), "bare": (bare_socket,)}
        peers = _peers(place, stack)
        for _program, socket in peers.values():
            # Envoy sends the name of the cluster as :authority: hyper refuses one with blanks.
            filters[socket.stem], clusters[socket.stem] = ext_authz(socket.stem), (socket,)
        proxy, urls = stack.enter_context(envoy(place, filters, clusters))
        script = _script(place)
        yield [
            Subject(NOTHING, (proxy,), urls["nothing"]),
            Subject(OWN, (proxy,), urls["own"]),
            Subject(KNOWN, (proxy, one.program), urls["one"]),
            Subject(OWN_CACHED, (proxy,), urls["cached"]),
            Subject(KNOWN_BY_TWO, (proxy, two.program), urls["two"]),
            Subject(RETRYING, (proxy, one.program), urls["retrying"]),
            Subject(ECHO, (proxy, echo), urls["echo"]),
            Subject(BARE_ECHO, (proxy, bare), urls["bare"]),
            Subject(REFUSED, (proxy, one.program), urls["one"].replace("/orders/", "/write/"), is_refused=True),
            Subject(NEW, (proxy, one.program), urls["one"], script),
            Subject(OWN_NEW, (proxy,), urls["own"], script),
            *(Subject(name, (proxy, server), urls[socket.stem]) for name, (server, socket) in peers.items()),
        ]


def _peers(place: Place, stack: contextlib.ExitStack) -> dict[str, tuple[Program, Path]]:
    """Both modes of each peer that is built, by its row."""
    found = {}
    for peer in PEERS:
        with contextlib.suppress(NotBuilt):
            found[peer.cached] = stack.enter_context(place.peer(peer, has_cache=True))
            found[peer.verifying] = stack.enter_context(place.peer(peer, has_cache=False))
    return found


def _script(place: Place) -> Path:
    """Another token for each request; written out before the load starts, for Lua is slow at it."""
    tokens = place.folder / "tokens.txt"
    tokens.write_text("\n".join(place.tokens), encoding="ascii")
    script = place.folder / "tokens.lua"
    script.write_text(
        f"""
local requests, at = {{}}, 0
function init(args)
  for token in io.lines("{tokens}") do
    requests[#requests + 1] = wrk.format("GET", nil, {{ ["authorization"] = "Bearer " .. token }})
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
""",
        encoding="ascii",
    )
    return script
