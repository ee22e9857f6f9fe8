"""How often a worker tells the supervisor how it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from authz.observe.worker_status import WorkerStatus
from authz.server.report_interval import REPORT_SECONDS, STARTING_REPORT_SECONDS, STARTING_SECONDS, report_interval
from tests.fakes.status import key_status as keys
from tests.fakes.status import revocations_status, worker_status

ALL = worker_status(keys={"cognito": keys(2), "partner": keys(1)}, revocations=revocations_status(read=True))
STARTING: dict[str, WorkerStatus] = {
    "no engine yet": replace(ALL, engine=""),
    "no keys of one issuer yet": replace(ALL, keys={"cognito": keys(2), "partner": keys(0)}),
    "no revocation list yet": replace(ALL, revocations=revocations_status(read=False)),
}


@pytest.mark.parametrize("status", STARTING.values(), ids=STARTING)
def test_a_worker_that_starts_reports_often_so_that_readiness_is_known_at_once(status: WorkerStatus) -> None:
    assert report_interval(status, 0.0) == report_interval(status, STARTING_SECONDS) == STARTING_REPORT_SECONDS


@pytest.mark.parametrize("status", [ALL, worker_status()], ids=["with everything", "without issuers"])
def test_a_worker_that_lacks_nothing_reports_every_second(status: WorkerStatus) -> None:
    assert report_interval(status, 0.0) == REPORT_SECONDS


def test_a_worker_whose_issuer_stays_unreachable_does_not_report_often_for_ever() -> None:
    for name in ("no keys of one issuer yet", "no revocation list yet"):
        assert report_interval(STARTING[name], STARTING_SECONDS + 0.1) == REPORT_SECONDS
