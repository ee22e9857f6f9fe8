from __future__ import annotations

import pytest

from authz.sources.schedule import next_delay


def _delay(failures: int, chance: float = 0.0, *, has_keys: bool = True, refresh: float = 300.0) -> float:
    return next_delay(
        failures=failures, refresh_seconds=refresh, cool_down_seconds=5.0, has_keys=has_keys, chance=chance
    )


def test_a_refresh_comes_up_to_a_tenth_early_or_late() -> None:
    assert [_delay(0, chance) for chance in (0.0, 0.5, 1.0)] == pytest.approx([270, 300, 330])


def test_after_failures_the_pause_doubles_from_the_cool_down_up_to_the_refresh_interval() -> None:
    assert [_delay(failures) for failures in (1, 2, 3, 6, 7, 100, 10**9)] == [5, 10, 20, 160, 270, 270, 270]


def test_a_retry_is_delayed_by_chance_so_that_sidecars_do_not_retry_in_step() -> None:
    assert _delay(2, 0.9) == pytest.approx(14.5)


def test_without_keys_a_retry_comes_within_half_a_minute() -> None:
    assert _delay(100, 0.99, has_keys=False) == 30


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_no_interval_is_shorter_than_the_cool_down(failures: int) -> None:
    assert _delay(failures, refresh=0.001) == 5
