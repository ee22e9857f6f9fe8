"""What a fleet of sidecars asks of one issuer, by the simulation that docs/scale.md shows."""

from __future__ import annotations

import pytest

from authz.sources.environment import COOL_DOWN_SECONDS
from drills.fleet import REFRESH_SECONDS, fetches, main, rates, rows

_PODS = 2000
_HOUR = 3600.0


def _times(within: float, end: float, *, is_there: bool = True) -> list[float]:
    return list(fetches(_PODS, within, end, lambda _now: is_there))


def test_fleet_fetches_once_per_refresh_on_average() -> None:
    mean, _most = rates(_times(60.0, 3 * _HOUR), _HOUR, 3 * _HOUR)

    assert mean == pytest.approx(_PODS / REFRESH_SECONDS, rel=0.01)


def test_pods_that_start_together_are_spread_by_the_jitter_more_with_each_refresh() -> None:
    times = _times(1.0, 4 * _HOUR)
    peaks = [rates(times, begin, begin + REFRESH_SECONDS * 1.2)[1] for begin in (0, 200, _HOUR, 3 * _HOUR)]

    assert peaks[0] == _PODS
    assert sorted(peaks, reverse=True) == peaks
    assert peaks[-1] < _PODS / 50


def test_issuer_that_is_away_is_asked_by_each_pod_no_more_than_its_pauses_allow() -> None:
    without_keys, _most = rates(_times(60.0, _HOUR, is_there=False), _HOUR / 2, _HOUR)

    assert _PODS / REFRESH_SECONDS < without_keys < _PODS / COOL_DOWN_SECONDS / 2


def test_table_is_the_same_in_each_run() -> None:
    assert rows(500, 5) == rows(500, 5)


def test_command_prints_the_number_of_pods_that_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--pods", "50", "--tier", "2"]) == 0

    assert "50 pods start within a second" in capsys.readouterr().out


def test_fleet_of_no_pod_is_an_invalid_option() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--pods", "0"])

    assert ended.value.code == 2
