"""What the tests of key sources share: a background loop, and sources that are closed at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol

import pytest

from authz.core.issuers import KeyLocation
from authz.sources.background import Background
from authz.sources.environment import Environment
from authz.sources.jwks import JwksSource
from tests.fakes.clock import FakeClock

ALGORITHMS = frozenset({"RS256", "ES256", "EdDSA"})

Event = tuple[str, Mapping[str, object]]


class MakeSource(Protocol):
    def __call__(self, *, alias: str = ..., environment: Environment = ..., **location: Any) -> JwksSource: ...


@pytest.fixture
def background() -> Iterator[Background]:
    running = Background()
    yield running
    running.stop()


@pytest.fixture
def events() -> list[Event]:
    """The log, in order."""
    return []


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def still(clock: FakeClock) -> Environment:
    """Time is fixed except for real waiting on the network, at most half a second; no jitter."""
    return Environment(clock=clock, chance=lambda: 0.5, deadline_seconds=0.5)


@pytest.fixture
def make_source(background: Background, events: list[Event], still: Environment) -> Iterator[MakeSource]:
    made: list[JwksSource] = []

    def make(*, alias: str = "idp", environment: Environment = still, **location: Any) -> JwksSource:
        source = JwksSource(
            alias,
            KeyLocation(**{"distinct_kids": True, **location}),
            ALGORITHMS,
            background,
            log=lambda name, fields: events.append((name, fields)),
            environment=environment,
        )
        made.append(source)
        return source

    yield make
    for source in made:
        source.close()


@pytest.fixture
def quick(still: Environment) -> Callable[..., Environment]:
    """The still environment with parts replaced."""
    return lambda **parts: replace(still, **parts)
