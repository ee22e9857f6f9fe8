"""The handler of checks without a data plane: its immediate and late answers, and its observations."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from authz.core.decision import Decision
from authz.server.check_service import CheckService
from authz.server.engine import Call
from authz.server.pb import ext_authz_pb2 as pb
from authz.sources.background import Background
from tests.fakes.checks import NOW, Rig, check_request


class FakeCall:
    """A call whose client waits a while. Keeps the late answer. Implements authz.server.engine.Call."""

    def __init__(self, seconds: float = 5.0) -> None:
        self.seconds = seconds
        self.later: Future[bytes] = Future()

    def seconds_left(self) -> float:
        return self.seconds

    def reply(self, message: bytes) -> None:
        self.later.set_result(message)

    def traceparent(self) -> str:
        return ""


class Handler:
    """Asks the product's own handler, and keeps every decision that it observed."""

    def __init__(self, rig: Rig, background: Background) -> None:
        self.rig = rig
        self.decisions: list[Decision] = []
        self.check = CheckService(rig.rules, background, self._observe, clock=lambda: NOW)

    def ask(self, token: str | None = None, policy: str = "authenticated", call: FakeCall | None = None) -> Decision:
        """One check; an answer that comes later is waited for."""
        call = call or FakeCall()
        answer = self.check(check_request(token, policy), call)
        response = pb.CheckResponse.FromString(call.later.result(10) if answer is None else answer)
        decision = self.decisions[-1]
        assert response.dynamic_metadata.fields["reason"].string_value == decision.reason.row.label
        return decision

    def _observe(self, decision: Decision, _seconds: float, _call: Call) -> None:
        self.decisions.append(decision)


@contextmanager
def handling(rig: Rig) -> Iterator[Handler]:
    """A handler with the background that its waiting needs."""
    background = Background()
    try:
        yield Handler(rig, background)
    finally:
        background.stop()
