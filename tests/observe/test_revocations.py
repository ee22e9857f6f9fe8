"""What Prometheus reads of the revocation list, and which refusals it can lead to."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from authz.core.configuration import compile_configuration
from authz.observe.exposition import Exposition, Reloads, Totals
from authz.observe.labels import possible_checks
from authz.sources.fetch_result import FetchResult
from authz.sources.source_status import RevocationsStatus
from tests.fakes.checks import AUTHZ
from tests.fakes.status import worker_status


def _report(entries: int, last_success: float | None, **loads: int) -> RevocationsStatus:
    counts = {FetchResult.OK: 0, FetchResult.MALFORMED: 0} | {FetchResult(name): loads[name] for name in loads}
    return RevocationsStatus(last_success is not None, entries, last_success, counts)


def _registry(*reports: RevocationsStatus | None) -> tuple[CollectorRegistry, Exposition]:
    exposition, registry = Exposition(Totals(), Reloads()), CollectorRegistry()
    for slot, report in enumerate(reports):
        exposition.live[slot] = worker_status(revocations=report)
    registry.register(exposition)
    return registry, exposition


def test_worker_that_is_most_behind_is_shown() -> None:
    registry, _exposition = _registry(_report(3, 200.0, ok=2), _report(2, 100.0, ok=1))

    assert registry.get_sample_value("authz_revocations_entries") == 2
    assert registry.get_sample_value("authz_revocations_last_success_timestamp_seconds") == 100.0


def test_worker_that_never_read_a_list_shows_as_none_and_never() -> None:
    registry, _exposition = _registry(_report(3, 200.0), _report(0, None, malformed=1))

    assert registry.get_sample_value("authz_revocations_entries") == 0
    assert registry.get_sample_value("authz_revocations_last_success_timestamp_seconds") == 0


def test_readings_are_summed_over_workers_and_stay_when_one_is_gone() -> None:
    registry, exposition = _registry(_report(3, 200.0, ok=2), _report(3, 200.0, ok=1, malformed=4))

    exposition.retire(1)

    assert registry.get_sample_value("authz_revocations_loads_total", {"result": "ok"}) == 3
    assert registry.get_sample_value("authz_revocations_loads_total", {"result": "malformed"}) == 4


def test_without_a_list_there_is_nothing_to_show() -> None:
    registry, _exposition = _registry(None)

    assert registry.get_sample_value("authz_revocations_entries") is None
    assert registry.get_sample_value("authz_revocations_loads_total", {"result": "ok"}) is None


def test_refusals_of_a_list_can_occur_where_one_is_configured_and_the_policy_takes_the_issuer() -> None:
    reasons = {"token_revoked", "revocations_unavailable"}
    without = possible_checks(compile_configuration(AUTHZ))
    listed = possible_checks(compile_configuration({**AUTHZ, "revocations_file": "/r.json"}))

    assert not [labels for labels in without if labels[0] in reasons]
    assert {alias for reason, policy, alias in listed if reason in reasons and policy == "staff"} == {
        "cognito",
        "partner",
    }
    assert {alias for reason, policy, alias in listed if reason in reasons and policy == "cognito-only"} == {"cognito"}
    assert not [labels for labels in listed if labels[0] in reasons and labels[1] in {"deny", "public"}]
