"""Floods straight at a worker's socket: excess work is refused at once, and afterwards the worker is as before."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from authz.server.engine import MAX_IN_FLIGHT
from authz.server.methods import CHECK_METHOD
from authz.server.pb import ext_authz_pb2 as pb
from tests.fakes.checks import AUDIENCE, PARTNER, PARTNER_KEY, PARTNER_KID, check_request, partner_claims
from tests.fakes.keys import jwk, jwks, sign
from tests.fakes.sidecar import SECONDS, Sidecar, fresh_token, sidecar
from tests.fakes.waiting import until
from tests.faults import http2

MIB = 1024 * 1024


@contextmanager
def channels(one: Sidecar, count: int) -> Iterator[list[grpc.Channel]]:
    """Connections on which the server's settings have arrived."""
    with ExitStack() as stack:
        options = (("grpc.use_local_subchannel_pool", 1),)
        opened = [stack.enter_context(grpc.insecure_channel(one.addresses[0], options)) for _ in range(count)]
        for channel in opened:
            channel.unary_unary(CHECK_METHOD, None, None)(b"", timeout=SECONDS)
        yield opened


def rss(pid: int) -> int:
    """Resident bytes of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def outcome(future: Any) -> str:
    """The reason in the answer, or the name of the status that came instead."""
    error = future.exception(60)
    if error is not None:
        return str(future.code().name)
    return str(pb.CheckResponse.FromString(future.result()).dynamic_metadata.fields["reason"].string_value)


def has_written_all() -> bool:
    """Whether this process has come to rest: what its channels could write is written."""
    begin = time.process_time()
    time.sleep(0.1)
    return time.process_time() - begin < 0.01


class GoodCalls:
    """A client that sends valid calls the whole time, and the time of each answer."""

    def __init__(self, one: Sidecar) -> None:
        self._one = one
        self._token = fresh_token()
        self._stop = threading.Event()
        self.seconds: list[float] = []
        self.reasons: Counter[str] = Counter()

    @contextmanager
    def asking(self) -> Iterator[None]:
        thread = threading.Thread(target=self._ask, daemon=True)
        thread.start()
        until(lambda: self.seconds, SECONDS)
        try:
            yield
        finally:
            self._stop.set()
            thread.join(SECONDS)

    def _ask(self) -> None:
        with channels(self._one, 1) as (channel,):
            check = channel.unary_unary(CHECK_METHOD, None, None)
            while not self._stop.is_set():
                begin = time.monotonic()
                self.reasons[outcome(check.future(check_request(self._token, "reading"), timeout=SECONDS))] += 1
                self.seconds.append(time.monotonic() - begin)
                time.sleep(0.005)

    def said(self, what: str) -> str:
        slowest = max(self.seconds) * 1000
        return f"{what}: {len(self.seconds)} good calls, slowest {slowest:.0f} ms, {dict(self.reasons)}"


@pytest.mark.parametrize("engine", ["h2", "grpc"])
def test_ten_times_as_many_calls_as_fit_are_each_answered_and_the_next_is_served(engine: str) -> None:
    """How much of a flood arrives at once is luck: a divided flood is sent again."""
    with sidecar(1, "--engine", engine) as one, channels(one, 26) as opened:
        floods = [flood(one, opened, 10 * MAX_IN_FLIGHT)]
        # grpc.server takes calls up one by one, and the core holds the others.
        while engine == "h2" and floods[-1]["overloaded"] <= MAX_IN_FLIGHT and len(floods) < 3:
            floods.append(flood(one, opened, 10 * MAX_IN_FLIGHT))
        print(f"{engine}: {[dict(answers) for answers in floods]}")

        assert all(set(answers) <= {"public", "overloaded"} for answers in floods)
        assert all(answers.total() == 10 * MAX_IN_FLIGHT for answers in floods)
        if engine == "h2":
            assert floods[-1]["overloaded"] > MAX_IN_FLIGHT
        assert one.check(fresh_token()) == "ok"
        until(lambda: one.metrics()["authz_checks_in_flight"] == 0, SECONDS)


def flood(one: Sidecar, channels: list[grpc.Channel], wanted: int) -> Counter[str]:
    """The answers to `wanted` calls. The worker is stopped while they arrive, so that it finds them all at once:
    they are small enough for the windows of their connections (RFC 9113 section 6.9), and the client has written all
    of them before it goes on."""
    (worker,) = one.workers()
    message = check_request(None, "public")
    calls = [channel.unary_unary(CHECK_METHOD, None, None) for channel in channels]
    os.kill(worker, signal.SIGSTOP)
    futures = [calls[number % len(calls)].future(message, timeout=60) for number in range(wanted)]
    until(has_written_all, SECONDS)
    os.kill(worker, signal.SIGCONT)
    return Counter(map(outcome, futures))


@pytest.mark.parametrize(("engine", "most_mib"), [("h2", 64), ("grpc", 256)])
def test_rapid_resets_leave_good_calls_answered_and_memory_bounded(engine: str, most_mib: int) -> None:
    """CVE-2023-44487. A peer that overdoes it is sent away and comes again. grpcio keeps the calls of a burst longer,
    the more so on a busy machine."""
    resets, connections = 20_000, 0
    with sidecar(1, "--engine", engine) as one:
        (worker,) = one.workers()
        before, good = rss(worker), GoodCalls(one)
        with good.asking():
            sent = 0
            while sent < resets:
                connections += 1
                with http2.connect(one.addresses[0].removeprefix("unix:")) as connection, suppress(OSError):
                    for stream in range(1, 2001, 2):
                        connection.sendall(http2.begin(stream) + http2.reset(stream))
                        sent += 1
        until(lambda: one.metrics()["authz_checks_in_flight"] == 0, SECONDS)
        grown = (rss(worker) - before) / MIB
        print(good.said(f"{engine}: {sent} resets on {connections} connections, {grown:+.1f} MiB"))

        assert set(good.reasons) == {"ok"}
        assert max(good.seconds) < SECONDS
        assert grown < most_mib
        assert one.check(fresh_token()) == "ok"


@pytest.mark.parametrize("engine", ["h2", "grpc"])
def test_half_open_connections_and_calls_leave_good_calls_answered(engine: str) -> None:
    with sidecar(1, "--engine", engine) as one, ExitStack() as stack:
        (worker,) = one.workers()
        path, before, good = one.addresses[0].removeprefix("unix:"), rss(worker), GoodCalls(one)
        with good.asking():
            for number in range(500):
                connection = stack.enter_context(socket.socket(socket.AF_UNIX))
                connection.settimeout(SECONDS)
                connection.connect(path)
                connection.sendall(http2.PREFACE[: number % len(http2.PREFACE)])
            unfinished = stack.enter_context(http2.connect(path))
            unfinished.sendall(b"".join(http2.begin(stream) for stream in range(1, 201, 2)))
            if engine == "h2":
                began = time.monotonic()
                assert http2.ends_read(unfinished, 100) == 100
                took = time.monotonic() - began
            else:
                until(lambda: one.metrics()["authz_checks_in_flight"] >= 100, SECONDS)
                took = 0.0
        grown = (rss(worker) - before) / MIB
        print(good.said(f"{engine}: 500 half-open connections, 100 half-sent calls in {took:.1f} s, {grown:+.1f} MiB"))
        assert set(good.reasons) == {"ok"}
        assert max(good.seconds) < SECONDS
        assert grown < 64

        stack.close()
        until(lambda: one.metrics()["authz_checks_in_flight"] == 0, SECONDS)
        assert one.check(fresh_token()) == "ok"


def test_slow_writers_and_clients_that_do_not_read_leave_good_calls_answered() -> None:
    """grpc.server is left out: it keeps every answer that is not read, some 300 MiB of them here."""
    with sidecar(1) as one, ExitStack() as stack:
        (worker,) = one.workers()
        path, before, good = one.addresses[0].removeprefix("unix:"), rss(worker), GoodCalls(one)
        readers = [stack.enter_context(http2.connect(path)) for _ in range(8)]
        with good.asking():
            for reader in readers:
                reader.settimeout(0.1)
                with suppress(OSError):
                    for stream in range(1, 2001, 2):
                        time.sleep(0.0005)
                        reader.sendall(http2.whole(stream))
            writers = [stack.enter_context(http2.connect(path)) for _ in range(50)]
            for byte in http2.whole(1):
                for writer in writers:
                    writer.sendall(bytes((byte,)))
            answered = sum(http2.is_answered(writer) for writer in writers)
        grown = (rss(worker) - before) / MIB
        print(good.said(f"50 one byte at a time, 8 that do not read, {grown:+.1f} MiB"))
        assert answered == 50
        assert set(good.reasons) == {"ok"}
        assert grown < 64

        stack.close()
        until(lambda: one.metrics()["authz_checks_in_flight"] == 0, SECONDS)
        assert one.check(fresh_token()) == "ok"


def test_thirty_thousand_different_tokens_leave_the_memory_where_it_was() -> None:
    """What the worker keeps of tokens is bounded: after some thousands nothing more is added."""
    tokens, window = 30_000, 400
    with distinct_sidecar() as one, channels(one, 1) as (channel,):
        (worker,) = one.workers()
        check, answers = channel.unary_unary(CHECK_METHOD, None, None), Counter[str]()
        idle, settled = rss(worker), 0
        for begin in range(0, tokens, window):
            requests = [check_request(distinct_token(number), "any") for number in range(begin, begin + window)]
            answers.update(map(outcome, [check.future(request, timeout=SECONDS) for request in requests]))
            settled = settled or (rss(worker) if begin >= 10_000 else 0)
        grown, further = (rss(worker) - idle) / MIB, (rss(worker) - settled) / MIB
        print(f"{tokens} tokens: {grown:+.1f} MiB over idle, {further:+.1f} MiB of it after the first 10,000")

        assert answers == {"ok": tokens}
        assert grown < 32
        assert further < 8


@contextmanager
def distinct_sidecar() -> Iterator[Sidecar]:
    """One worker that trusts an issuer whose tokens are quick to sign."""
    with tempfile.TemporaryDirectory(prefix="authz-keys-", dir="/tmp") as name:
        directory = Path(name)
        (directory / "partner.json").write_bytes(jwks(jwk(PARTNER_KEY, PARTNER_KID)))
        issuers = {
            "partner": {
                "profile": "oidc",
                "issuer": PARTNER,
                "audiences": [AUDIENCE],
                "jwks_file": f"{directory}/partner.json",
            }
        }
        trust = {
            "node": {"cluster": "orders-api", "metadata": {"authz": {"issuers": issuers, "policies": {"any": {}}}}}
        }
        with sidecar(1, "--listen", f"unix:{directory}/authz-0.sock", configuration=trust) as one:
            yield replace(one, addresses=(f"unix:{directory}/authz-0.sock",))


def distinct_token(number: int) -> str:
    """A good token that no other number gives."""
    now = int(time.time())
    return sign(PARTNER_KEY, partner_claims(iat=now - 60, exp=now + 3600, jti=str(number)), kid=PARTNER_KID)
