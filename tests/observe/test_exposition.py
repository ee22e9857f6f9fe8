"""The Prometheus page from what workers report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from prometheus_client import CollectorRegistry

from authz.core.configuration import compile_configuration
from authz.core.decision import Decision
from authz.core.reasons import Reason
from authz.observe.exposition import Exposition, Reloads, Totals
from authz.observe.labels import possible_checks
from authz.observe.tally import DURATION_BOUNDS_SECONDS, Tally
from authz.observe.worker_status import WorkerStatus
from authz.server.messages import decode, encode
from authz.sources.fetch_result import FetchResult
from authz.sources.source_status import KeyInUse, KeyStatus
from tests.fakes.checks import AUTHZ, Rig, access_token
from tests.fakes.status import worker_status

KEYS = KeyStatus(
    alias="cognito",
    keys=(KeyInUse("a", ("RS256",), 50.0),),
    dropped=(),
    last_success=50.0,
    last_result=FetchResult.OK,
    fetches={FetchResult.OK: 2, FetchResult.TIMEOUT: 1},
    unknown_kids=3,
    stale=False,
)


def status(*decisions: Decision, seconds: float = 0.0001, **changes: Any) -> WorkerStatus:
    """A worker's status after it passed the control channel."""
    tally = Tally()
    for decision in decisions:
        tally.count(decision, seconds)
    received = decode(encode(worker_status(tally, **{"keys": {"cognito": KEYS}, **changes})))
    assert isinstance(received, WorkerStatus)
    return received


def page(exposition: Exposition) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(exposition)
    return registry


def test_workers_are_added_up_and_those_that_are_gone_stay() -> None:
    rig = Rig()
    allow = rig.decide(access_token(), "reading")
    exposition = Exposition(Totals(), Reloads())
    exposition.live = {0: status(allow, allow), 1: status(allow, in_flight=4)}
    exposition.retire(0)
    exposition.live[0] = status(allow, in_flight=1)
    registry = page(exposition)

    labels = {"outcome": "allow", "reason": "ok", "policy": "reading", "issuer": "cognito"}
    assert registry.get_sample_value("authz_checks_total", labels) == 4
    assert registry.get_sample_value("authz_checks_in_flight") == 5
    assert registry.get_sample_value("authz_workers") == 2
    assert registry.get_sample_value("authz_jwks_fetches_total", {"issuer": "cognito", "result": "ok"}) == 6
    assert registry.get_sample_value("authz_jwks_unknown_kid_total", {"issuer": "cognito"}) == 9
    assert registry.get_sample_value("authz_jwks_keys", {"issuer": "cognito"}) == 1


def test_worker_that_was_never_heard_of_retires_without_a_trace() -> None:
    exposition = Exposition(Totals(), Reloads())

    exposition.retire(7)

    assert page(exposition).get_sample_value("authz_workers") == 0


def test_worker_most_behind_is_the_one_that_is_shown() -> None:
    behind = {"cognito": replace(KEYS, keys=(), last_success=None)}
    exposition = Exposition(Totals(), Reloads())
    exposition.live = {0: status(), 1: status(keys=behind)}
    registry = page(exposition)

    assert registry.get_sample_value("authz_jwks_keys", {"issuer": "cognito"}) == 0
    assert registry.get_sample_value("authz_jwks_last_success_timestamp_seconds", {"issuer": "cognito"}) == 0


def test_durations_are_in_the_bucket_that_holds_them() -> None:
    exposition = Exposition(Totals(), Reloads())
    bounds = (0.0, *DURATION_BOUNDS_SECONDS)
    exposition.live = {number: status(Decision(Reason.DENIED), seconds=bound) for number, bound in enumerate(bounds)}
    exposition.live[99] = status(Decision(Reason.DENIED), seconds=60.0)
    registry = page(exposition)

    first, last = str(DURATION_BOUNDS_SECONDS[0]), str(DURATION_BOUNDS_SECONDS[-1])
    name = "authz_check_duration_seconds_bucket"
    assert registry.get_sample_value(name, {"le": first}) == 2
    assert registry.get_sample_value(name, {"le": last}) == len(bounds)
    assert registry.get_sample_value(name, {"le": "+Inf"}) == len(bounds) + 1
    assert registry.get_sample_value("authz_check_duration_seconds_count") == len(bounds) + 1


def test_every_combination_is_there_at_zero() -> None:
    configuration = compile_configuration(AUTHZ)
    possible = possible_checks(configuration)
    registry = page(Exposition(Totals(), Reloads(labels=tuple(possible))))
    outcomes = {reason.row.label: reason.row.outcome for reason in Reason}

    for reason, policy, issuer in possible:
        labels = {"outcome": outcomes[reason], "reason": reason, "policy": policy, "issuer": issuer}
        assert registry.get_sample_value("authz_checks_total", labels) == 0
    assert registry.get_sample_value("authz_config_reloads_total", {"result": "failure"}) == 0
    assert registry.get_sample_value("authz_token_cache_total", {"result": "hit"}) == 0


def test_engine_that_serves_is_named() -> None:
    exposition = Exposition(Totals(), Reloads())
    exposition.live = {0: status(), 1: status(engine="grpc"), 2: status(engine="")}

    samples = [sample for metric in exposition.collect() for sample in metric.samples if "build" in sample.name]

    assert [sample.labels["engine"] for sample in samples] == ["grpc+h2"]


def test_what_workers_ended_is_counted_by_cause_and_every_cause_is_there_from_the_start() -> None:
    totals = Totals()
    totals.add(status(peer_faults={"resets": 2}))
    totals.add(status(peer_faults={"resets": 1, "pings": 4}))
    registry = page(Exposition(totals, Reloads()))

    counts = [
        registry.get_sample_value("authz_peer_faults_total", {"cause": cause})
        for cause in ("resets", "pings", "internal")
    ]

    assert counts == [3, 4, 0]
