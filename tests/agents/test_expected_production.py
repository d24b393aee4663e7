"""Forecasts that a producer corrects by what its own roof has produced."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, strategies as st

from agents.energy import Production
from agents.expected_production import FADE_S, LEAST_ERROR, READ_EVERY_S, ForecastCorrection

HOUR_S = 3600
NOON_S = 12 * HOUR_S
STEADY_W = [1000.0] * 12


def hourly(powers_w: Sequence[float], start_s: int = 6 * HOUR_S) -> Production:
    """Return a production of hourly powers."""
    times_s = tuple(start_s + HOUR_S * hour for hour in range(len(powers_w) + 1))
    return Production(times_s=times_s, cumulative_wh=(0.0, *np.cumsum(powers_w).tolist()))


def read(
    correction: ForecastCorrection, until_s: int, issued: dict[int, Production] | None = None
) -> list[tuple[int, Production]]:
    """Read the counter when it is due, and take forecasts when they are issued; return what is newly expected."""
    expected: list[tuple[int, Production]] = []
    coming = dict(sorted((issued or {}).items()))
    now_s: int | None = 0
    while now_s is not None and now_s <= until_s:
        corrected = correction.take_reading(now_s) if now_s % READ_EVERY_S == 0 else None
        if now_s in coming:
            expected.append((now_s, correction.take_forecast(now_s, coming.pop(now_s))))
        elif corrected is not None:
            expected.append((now_s, corrected))
        due_s = [time_s for time_s in (correction.next_reading_s(now_s), *coming) if time_s is not None]
        now_s = min(due_s, default=None)
    return expected


def power_w(production: Production, time_s: int) -> float:
    """Return the power expected in the minute after a time."""
    return float(production.energy_per_bin_wh([time_s, time_s + 60])[0]) * 60


def test_a_forecast_three_times_too_high_is_lowered_and_later_hours_less() -> None:
    """Two hours show it; the error is expected to be gone eight hours later."""
    correction = ForecastCorrection(hourly([333.0] * 12))
    first, (at_s, lowered) = read(correction, 8 * HOUR_S, {0: hourly(STEADY_W)})
    assert first[1] == hourly(STEADY_W)
    assert at_s == lowered.start_s == 8 * HOUR_S
    assert power_w(lowered, at_s) == pytest.approx(333, abs=20)
    assert power_w(lowered, at_s + FADE_S // 2) == pytest.approx(667, abs=20)
    assert power_w(lowered, at_s + FADE_S) == pytest.approx(1000)
    assert lowered.end_s == 18 * HOUR_S


def test_a_forecast_that_is_too_low_is_raised() -> None:
    """By twelve percent."""
    *_, (at_s, raised) = read(ForecastCorrection(hourly([1120.0] * 12)), NOON_S, {0: hourly(STEADY_W)})
    assert power_w(raised, at_s) == pytest.approx(1120, abs=20)


def test_ten_percent_less_are_corrected_as_ten_percent_more_are() -> None:
    """The least error that counts is the same in both directions."""
    for produced_w in (900.0, 1100.0):
        *_, (at_s, changed) = read(ForecastCorrection(hourly([produced_w] * 12)), NOON_S, {0: hourly(STEADY_W)})
        assert power_w(changed, at_s) == pytest.approx(produced_w, abs=20)


def test_small_errors_and_a_short_cloud_change_nothing() -> None:
    """So jobs do not move back and forth."""
    cloud = Production(
        times_s=(6 * HOUR_S, 11 * HOUR_S, 11 * HOUR_S + 600, 18 * HOUR_S), cumulative_wh=(0.0, 5000.0, 5050.0, 11_883.0)
    )
    for counter in (hourly([1090.0] * 12), hourly([910.0] * 12), cloud):
        assert len(read(ForecastCorrection(counter), 18 * HOUR_S, {0: hourly(STEADY_W)})) == 1


def test_of_two_hours_that_differ_in_the_same_direction_the_lesser_difference_counts() -> None:
    """Opposite differences cancel."""
    for before_w, last_w, expected_w in ((400.0, 800.0, 800), (1500.0, 1200.0, 1200), (400.0, 1500.0, 1000)):
        counter = hourly([1000.0] * 2 + [before_w, last_w] + [1000.0] * 8)
        expected = read(ForecastCorrection(counter), 10 * HOUR_S, {0: hourly(STEADY_W)})[-1][1]
        assert power_w(expected, 10 * HOUR_S) == pytest.approx(expected_w, abs=1000 * LEAST_ERROR)


def test_an_error_that_shrinks_is_followed_even_below_the_least_that_is_corrected() -> None:
    """The correction shrinks with it, instead of ending and beginning again."""
    counter = hourly([700.0] * 4 + [920.0] * 8)
    *_, (at_s, last) = read(ForecastCorrection(counter), NOON_S, {0: hourly(STEADY_W)})
    assert power_w(last, at_s) == pytest.approx(920, abs=20)


def test_when_production_is_as_forecast_again_the_forecast_counts_again() -> None:
    """Within the next hour."""
    *_, (at_s, last) = read(ForecastCorrection(hourly([400.0] * 4 + [1000.0] * 8)), 11 * HOUR_S, {0: hourly(STEADY_W)})
    assert at_s <= 11 * HOUR_S
    assert power_w(last, at_s) == pytest.approx(1000)


def test_a_new_forecast_that_knows_of_the_error_is_not_corrected_for_it_twice() -> None:
    """One that repeats the error is."""
    better, same = hourly([333.0] * 8, 10 * HOUR_S), hourly([1000.0] * 8, 10 * HOUR_S)
    for newer, expected_w in ((better, 333), (same, 333)):
        taken = read(ForecastCorrection(hourly([333.0] * 12)), 10 * HOUR_S, {0: hourly(STEADY_W), 10 * HOUR_S: newer})
        assert taken[-1][0] == 10 * HOUR_S
        assert power_w(taken[-1][1], 10 * HOUR_S) == pytest.approx(expected_w, abs=60)


def test_a_new_forecast_below_what_is_expected_is_not_raised_for_it() -> None:
    """It foresees more clouds than there were: the old error says nothing of it."""
    dark = hourly([200.0] * 8, 10 * HOUR_S)
    taken = read(ForecastCorrection(hourly([333.0] * 12)), 10 * HOUR_S, {0: hourly(STEADY_W), 10 * HOUR_S: dark})
    assert power_w(taken[-1][1], 10 * HOUR_S) == pytest.approx(200)


def test_production_is_compared_with_the_forecasts_of_its_time() -> None:
    """A new one every hour replaces none of what was forecast for the hours before."""
    issued = {hour * HOUR_S: hourly([1000.0] * (18 - hour), hour * HOUR_S) for hour in range(6, 12)}
    expected = read(ForecastCorrection(hourly([400.0] * 12)), NOON_S, issued)
    assert power_w(expected[-1][1], 11 * HOUR_S) == pytest.approx(400, abs=150)


@pytest.mark.parametrize(
    ("before_w", "last_w", "is_corrected"), [(100, 290, False), (100, 310, True), (40, 400, False), (60, 400, True)]
)
def test_at_dawn_the_difference_says_little_about_noon(before_w: int, last_w: int, *, is_corrected: bool) -> None:
    """In two hours a kilowatt is expected: the last hour must have 30 % of that, the one before 5 %."""
    forecast = hourly([before_w, last_w, 400.0, *[1000.0] * 9])
    counter = hourly([before_w / 2, last_w / 2, *[400.0] * 10])
    assert (len(read(ForecastCorrection(counter), 8 * HOUR_S, {0: forecast})) == 2) is is_corrected


@pytest.mark.parametrize(("produced_w", "expected_w"), [(9_000.0, 3_000.0), (0.0, 100.0)])
def test_a_counter_that_is_far_off_is_believed_in_part(produced_w: float, expected_w: float) -> None:
    """Threefold production at most, and a tenth at least."""
    *_, (at_s, changed) = read(ForecastCorrection(hourly([produced_w] * 12)), 8 * HOUR_S, {0: hourly(STEADY_W)})
    assert power_w(changed, at_s) == pytest.approx(expected_w, rel=0.2)


def test_what_was_produced_while_the_roof_was_not_there_is_not_compared() -> None:
    """It joins at noon."""
    correction = ForecastCorrection(hourly([0.0] * 6 + [1000.0] * 6))
    correction.take_forecast(0, hourly(STEADY_W))
    correction.start_over(NOON_S)
    readings = [correction.take_reading(time_s) for time_s in range(NOON_S, 18 * HOUR_S, READ_EVERY_S)]
    assert readings == [None] * 12


def test_the_counter_is_read_only_while_production_is_expected() -> None:
    """Nights need no timers."""
    correction = ForecastCorrection(hourly(STEADY_W))
    assert correction.next_reading_s(0) is None
    correction.take_forecast(0, hourly(STEADY_W))
    assert correction.next_reading_s(0) == 6 * HOUR_S + READ_EVERY_S
    assert correction.next_reading_s(NOON_S) == NOON_S + READ_EVERY_S
    assert correction.next_reading_s(18 * HOUR_S) is None


@given(
    powers_w=st.lists(st.floats(0, 3000), min_size=12, max_size=12),
    other_w=st.lists(st.floats(0, 3000), min_size=12, max_size=12),
    hours=st.integers(1, 11),
    issued_h=st.integers(7, 17),
)
def test_nothing_is_known_of_the_future(powers_w: list[float], other_w: list[float], hours: int, issued_h: int) -> None:
    """Two roofs that have produced the same so far expect the same, and at most three times the forecast."""
    until_s = (6 + hours) * HOUR_S
    issued = {0: hourly(STEADY_W), issued_h * HOUR_S: hourly([900.0] * (18 - issued_h), issued_h * HOUR_S)}
    one, other = (
        read(ForecastCorrection(hourly(series_w)), until_s, issued)
        for series_w in (powers_w, powers_w[:hours] + other_w[hours:])
    )
    assert one == other
    for _, production in one:
        assert production.energy_wh <= 3.0 * 12_000
