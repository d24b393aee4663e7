"""An appliance behind a plug is found waiting for its programme by its power."""

from __future__ import annotations

from agents.gateway.waiting_appliance import WaitingDetection, WaitingDetector

WAITING = WaitingDetection(above_w=0.5, below_w=5.0, for_s=60, within_s=8 * 3600)


def found(*readings: tuple[int, float | None], has_job: bool = False) -> list[int]:
    """Return the times at which an appliance is found waiting, given times in seconds and powers in W."""
    detector = WaitingDetector()
    return [now_s for now_s, power_w in readings if detector.waits(WAITING, power_w, now_s, has_job=has_job)]


def test_an_appliance_waits_once_it_has_drawn_little_for_long_enough() -> None:
    """Its display draws 2 W; a minute of that is long enough."""
    assert found((0, 2.0), (59, 2.0), (60, 2.0)) == [60]


def test_it_waits_once_until_it_is_switched_off() -> None:
    """The job that was asked for may be withdrawn; another one is asked for when the appliance is used again."""
    assert found((0, 2.0), (60, 2.0), (120, 2.0), (180, 2.0), (200, 0.0), (210, 2.0), (270, 2.0)) == [60, 270]


def test_a_programme_in_between_starts_the_time_again() -> None:
    """A machine that pauses for half a minute does not wait for its programme."""
    assert found((0, 2.0), (30, 2000.0), (60, 2.0), (119, 2.0), (120, 2.0)) == [120]


def test_an_appliance_with_a_job_waits_for_that_one() -> None:
    """No second job is asked for."""
    assert found((0, 2.0), (60, 2.0), has_job=True) == []


def test_nothing_is_found_where_the_power_is_not_known() -> None:
    """The time counts again once there is a reading."""
    assert found((0, 2.0), (60, None), (61, 2.0), (120, 2.0), (121, 2.0)) == [121]
