"""No failure turns a deny into an allow: every sequence of events against userinfo, keys and revocations.

The model is one sentence: a verdict changes from deny to allow only when the source has just given a good answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from authz.core.issuers import UserinfoLocation
from authz.core.reasons import Reason
from authz.sources import answer_memory
from authz.sources.background import Background
from authz.sources.environment import Environment
from authz.sources.fetch_result import FetchFailed, FetchResult
from authz.sources.files import signature
from authz.sources.jwks import JwksSource
from authz.sources.key_documents import HttpsClient
from authz.sources.revocations_file import RevocationsFile
from authz.sources.userinfo_source import UserinfoSource
from tests.fakes.checks import COGNITO_KID, Rig, access_token
from tests.fakes.clock import FakeClock
from tests.fakes.keys import ec_key, jwk, jwks, rsa_key
from tests.fakes.keyserver import KeyServer, Mode
from tests.fakes.waiting import until
from tests.sources.conftest import MakeSource

GOOD = "good"
Step = tuple[str, float]


def require_no_loosening(before: bool, after: bool, event: str, told: object) -> None:  # noqa: FBT001 - two verdicts
    """The model. `event` is what the source answered last."""
    assert before or not after or event == GOOD, f"a deny became an allow without a good answer: {told}"


# --- userinfo

SUBJECT = "0a1b2c3d-user"
CLAIMS = json.dumps({"sub": SUBJECT, "department": "sales"}).encode()
OUTCOMES: dict[str, bytes | Exception] = {
    GOOD: CLAIMS,
    "refusal": FetchFailed(FetchResult.HTTP_STATUS, "401", status=401),
    "failure": FetchFailed(FetchResult.HTTP_STATUS, "500", status=500),
    "slow": TimeoutError(),
    "other subject": json.dumps({"sub": "mallory", "department": "sales"}).encode(),
}
POLICIES = {
    "optional": {"userinfo": {"required": False}},
    "required": {"userinfo": True},
    "required-sales": {"userinfo": True, "claims": {"@userinfo/department": "sales"}},
    "optional-sales": {"userinfo": {"required": False}, "claims": {"@userinfo/department": "sales"}},
}
GAPS = (31.0, 61.0)
"""Past the refresh, and past the end of the answer."""
TOKEN = access_token()


class Inline(Background):
    """Runs coroutines in the caller, so that a model can take thousands of steps."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._inline = loop

    def submit(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        self._inline.run_until_complete(coroutine)
        return Future()


class Asked:
    """A userinfo source whose network does what a test says, and a check after each event."""

    def __init__(self, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
        self.outcome: bytes | Exception = CLAIMS
        self.clock = FakeClock()
        self._background = Inline(loop)

        async def get(*_address: object, **_options: object) -> bytes:
            if isinstance(self.outcome, Exception):
                raise self.outcome
            return self.outcome

        monkeypatch.setattr(HttpsClient, "get", get)

    def begin(self) -> None:
        location = UserinfoLocation(uri="https://idp.example.com/userinfo")
        self.source = UserinfoSource(
            "cognito", location, self._background, log=lambda *_: None, environment=Environment(clock=self.clock)
        )
        cognito = {
            "profile": "cognito",
            "user_pool_id": "ap-northeast-1_AbCdEfGhI",
            "client_ids": ["5onexampleclientid"],
            "userinfo_uri": location.uri,
        }
        authz = {"issuers": {"cognito": cognito}, "policies": POLICIES}
        self.rig = Rig(authz, userinfo={"cognito": self.source})

    def verdict(self, policy: str) -> bool:
        return self.rig.reason(TOKEN, policy) is Reason.OK

    def run_all(self, policy: str) -> None:
        for steps in product(product(OUTCOMES, GAPS), repeat=3):
            self.run(policy, steps)

    def run(self, policy: str, steps: tuple[Step, ...]) -> None:
        """One life of a token. A check asks in the background; the next check sees the answer."""
        self.begin()
        last, allowed = "", True
        for event, gap in steps:
            self.outcome = OUTCOMES[event]
            self.clock.advance(gap)
            asked = sum(self.source.report().fetches.values())
            at_first = self.verdict(policy)
            require_no_loosening(allowed, at_first, "time", steps)
            if sum(self.source.report().fetches.values()) > asked and event in {GOOD, "refusal"}:
                last = event
            allowed = self.verdict(policy)
            require_no_loosening(at_first, allowed, event, steps)
            assert not allowed or last != "refusal", f"a deny became an allow: {steps}"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    loop = asyncio.new_event_loop()
    yield Asked(loop, monkeypatch)
    loop.close()


@pytest.mark.parametrize("policy", POLICIES)
def test_no_sequence_of_userinfo_events_turns_a_deny_into_an_allow(asked: Asked, policy: str) -> None:
    asked.run_all(policy)


def test_the_model_finds_a_planted_fault(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault that was here: a failed renewal replaced a refusal."""

    def keep(source: UserinfoSource, token: str, answer: Any) -> None:
        source._results[answer.result] += 1
        now = asked.clock.monotonic()
        source._answers.put(token, replace(answer, until=now + 60, renew_at=now + 30))

    monkeypatch.setattr(UserinfoSource, "_keep", keep)

    with pytest.raises(AssertionError, match="a deny became an allow"):
        asked.run_all("optional")


def test_failures_for_other_tokens_do_not_drop_a_refusal(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_memory, "MAX_ANSWERS", 8)
    asked.begin()
    asked.outcome = OUTCOMES["refusal"]
    asked.verdict("optional")
    asked.outcome = OUTCOMES["failure"]

    for number in range(50):
        asked.source.ask(f"token-{number}", SUBJECT)

    assert not asked.verdict("optional")
    assert len(asked.source) == 9


# --- keys

KEY, OTHER = jwk(rsa_key(0), COGNITO_KID), jwk(ec_key(0), "other")
FETCHES: dict[str, tuple[Mode, bytes]] = {
    GOOD: (Mode.SERVE, jwks(KEY, OTHER)),
    "refusal": (Mode.SERVE, jwks(OTHER)),
    "failure": (Mode.ERROR_500, b""),
    "unusable": (Mode.SERVE, b'{"keys":[]}'),
    "slow": (Mode.HANG, b""),
    "old": (Mode.ERROR_500, b""),
}
GAP, MAX_STALE = 301.0, 2000.0
"""Three failures do not make the keys old. The event `old` lasts longer than `max_stale`."""


def test_no_sequence_of_key_server_events_brings_a_removed_key_back_or_drops_a_good_one(
    make_source: MakeSource, clock: FakeClock, quick: Callable[..., Environment]
) -> None:
    environment = quick(deadline_seconds=0.05)
    with KeyServer(jwks(KEY)) as server:
        for events in product(FETCHES, repeat=3):
            server.mode, server.document = FETCHES[events[0]]
            source = make_source(
                environment=environment, jwks_uri=server.url, refresh_seconds=300, max_stale_seconds=MAX_STALE
            )
            source.start()
            allowed = False
            for number, event in enumerate(events, start=1):
                if number > 1:
                    server.mode, server.document = FETCHES[event]
                    clock.advance(MAX_STALE + 1 if event == "old" else GAP)
                until(partial(_has_fetched, source, number))
                now = source.current is not None and COGNITO_KID in source.current.keys
                require_no_loosening(allowed, now, event, events)
                if event not in {GOOD, "refusal"}:
                    assert now == (allowed and event != "old"), f"a failure changed the keys: {events}"
                allowed = now
            source.close()


def _has_fetched(source: JwksSource, times: int) -> bool:
    return sum(source.report().fetches.values()) >= times


# --- revocations

LISTS: dict[str, bytes | None] = {
    GOOD: b'{"revoked": []}',
    "refusal": json.dumps({"revoked": [{"sub": SUBJECT}]}).encode(),
    "missing": None,
    "cut short": b'{"revoked": [',
    "mistyped": b'{"revoked": [{"subb": "x"}]}',
}


@contextmanager
def _watched(path: Path, background: Background, clock: FakeClock) -> Iterator[RevocationsFile]:
    source = RevocationsFile(
        str(path), frozenset({"cognito"}), background, log=lambda *_: None, environment=Environment(clock=clock)
    )
    background.submit(source.start()).result(5)
    yield source
    source.close()


def test_no_sequence_of_list_files_lets_a_revoked_token_in(
    background: Background, clock: FakeClock, tmp_path: Path
) -> None:
    path = tmp_path / "revocations.json"
    for events in product(LISTS, repeat=3):
        _write(path, LISTS[events[0]])
        with _watched(path, background, clock) as source:
            rig = Rig(revocations=source)
            allowed = False
            for number, event in enumerate(events):
                if number:
                    _change(path, LISTS[event], source, clock)
                now = rig.reason(TOKEN) is Reason.OK
                require_no_loosening(allowed, now, event, events)
                if event not in {GOOD, "refusal"}:
                    assert now == allowed, f"a failure changed the list: {events}"
                allowed = now


def _write(path: Path, content: bytes | None) -> None:
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)


def _change(path: Path, content: bytes | None, source: RevocationsFile, clock: FakeClock) -> None:
    """Write another file and wait until it was read."""
    before, loads = signature(str(path)), sum(source.report().loads.values())
    _write(path, content)
    if signature(str(path)) != before:

        def is_read() -> bool:
            clock.advance(0.6)
            return sum(source.report().loads.values()) > loads

        until(is_read)
