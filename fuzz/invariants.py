"""The invariants of the response to any message."""

from __future__ import annotations

import time

from envoy_data_plane.envoy.service.auth.v3 import CheckResponse

from authz.core.decision import Decision
from authz.core.reasons import Reason
from authz.server.check_service import CheckService
from authz.server.engine import Call
from authz.sources.background import Background
from fuzz import oracle, rig


class _NoCall:
    """A call that never waits: every key is present."""

    def seconds_left(self) -> float:
        return 1.0

    def reply(self, message: bytes) -> None:
        raise AssertionError(f"answered twice: {message!r}")

    def traceparent(self) -> str:
        return ""


_seen: list[Decision] = []


def _observe(decision: Decision, _seconds: float, _call: Call) -> None:
    _seen.append(decision)


_BACKGROUND = Background()
_BACKGROUND.stop()  # a check that waits gets no answer then, which is a finding; and whoever imports this has no thread
_CHECK = CheckService(rig.rules(), _BACKGROUND, _observe)


def _answer(message: bytes) -> bytes | None:
    _seen.clear()
    return _CHECK(message, _NoCall())


def require_sound_answer(message: bytes) -> None:
    """Never raises; one observation; an allow or a denial, nothing between; an allow only if the oracle agrees."""
    answer = rig.TOKEN_CEILING.holds(len(message), lambda: _answer(message))

    assert answer
    [decision] = _seen
    assert decision.reason is not Reason.INTERNAL_ERROR, decision.detail
    response = CheckResponse.parse(answer)
    if decision.reason.row.outcome == "allow":
        assert response.ok_response is not None
        assert response.denied_response is None
        assert response.status is not None
        assert response.status.code == 0
        assert oracle.allows(message, time.time()), "allowed here, and not by the oracle"
    else:
        assert response.denied_response is not None
        assert response.ok_response is None
        assert response.status is not None
        assert response.status.code != 0
        assert response.denied_response.status is not None
        assert response.denied_response.status.code >= 400  # noqa: PLR2004 - a refusal
