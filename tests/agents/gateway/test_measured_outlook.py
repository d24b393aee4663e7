"""What a real roof promises while its meter shows less than was forecast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from agents.energy import Production
from agents.gateway.measured_outlook import EVERY_S, FADE_S, WINDOW_S, MeasuredOutlook

HOUR_S = 3600
NOON_S = 12 * HOUR_S


def forecast(powers_w: Sequence[float], start_s: int = 6 * HOUR_S) -> Production:
    """Return a forecast of hourly powers."""
    times_s = tuple(start_s + HOUR_S * hour for hour in range(len(powers_w) + 1))
    return Production(times_s=times_s, cumulative_wh=(0.0, *np.cumsum(powers_w).tolist()))


def measured(
    outlook: MeasuredOutlook, power_w: float, start_s: int, end_s: int, base_wh: float = 0.0
) -> list[Production]:
    """Have the meter read a constant power every minute; return what is newly promised."""
    promised = [
        outlook.take_reading(time_s, power_w, base_wh + power_w * (time_s - start_s) / HOUR_S)
        for time_s in range(start_s, end_s + 1, 60)
    ]
    return [production for production in promised if production is not None]


def power_w(production: Production, time_s: int) -> float:
    """Return the power promised in the minute before a time."""
    return float(production.energy_per_bin_wh([time_s - 60, time_s])[0]) * 60


@pytest.fixture
def outlook() -> MeasuredOutlook:
    """Return the outlook of a roof that expects 1 kW from 6 to 18 o'clock."""
    outlook = MeasuredOutlook()
    steady = forecast([1000] * 12)
    assert outlook.take_forecast(6 * HOUR_S, steady) == steady
    return outlook


def test_a_roof_that_produces_less_promises_less_and_is_back_at_its_forecast_later(outlook: MeasuredOutlook) -> None:
    """It gives 400 W of 1,000 W for a quarter of an hour."""
    (promised,) = measured(outlook, 400, NOON_S - WINDOW_S, NOON_S)
    assert promised.start_s == NOON_S
    assert power_w(promised, NOON_S + 60) == pytest.approx(400, abs=20)
    assert power_w(promised, NOON_S + FADE_S // 2) == pytest.approx(700, abs=20)
    assert power_w(promised, NOON_S + FADE_S + 60) == pytest.approx(1000)
    assert promised.end_s == 18 * HOUR_S


def test_when_the_sun_is_back_the_forecast_counts_again(outlook: MeasuredOutlook) -> None:
    """As soon as a quarter of an hour says so."""
    measured(outlook, 400, NOON_S - WINDOW_S, NOON_S)
    promised = measured(outlook, 1000, NOON_S + 60, NOON_S + 60 + WINDOW_S + EVERY_S, base_wh=100)[-1]
    assert power_w(promised, promised.start_s + 60) == pytest.approx(1000, abs=50)


def test_a_correction_lasts_as_long_as_the_clouds(outlook: MeasuredOutlook) -> None:
    """It is renewed before much of it has faded, but not with every reading."""
    promised = measured(outlook, 400, NOON_S - WINDOW_S, NOON_S + HOUR_S)
    assert 3 <= len(promised) <= 1 + HOUR_S // EVERY_S
    assert power_w(promised[-1], NOON_S + HOUR_S + 60) == pytest.approx(400, abs=60)


def test_a_forecast_that_foresees_the_clouds_is_not_lowered_further(outlook: MeasuredOutlook) -> None:
    """The measured level counts on, whatever was forecast before."""
    measured(outlook, 400, NOON_S - WINDOW_S, NOON_S)
    knowing, repeating = forecast([400] * 6, NOON_S), forecast([1000] * 6, NOON_S)
    assert outlook.take_forecast(NOON_S + 60, repeating).energy_wh < repeating.energy_wh - 500
    promised = outlook.take_forecast(NOON_S + 120, knowing)
    assert power_w(promised, NOON_S + 240) == pytest.approx(400, abs=20)


def test_a_roof_that_produces_more_promises_no_more(outlook: MeasuredOutlook) -> None:
    """It would not be reliable."""
    assert not measured(outlook, 2000, NOON_S - HOUR_S, NOON_S)


def test_dawn_says_nothing_about_noon() -> None:
    """A tenth of the hours to come is too little to conclude from."""
    outlook = MeasuredOutlook()
    outlook.take_forecast(0, forecast([10, 50, 2000, 4000]))
    assert not measured(outlook, 0, 6 * HOUR_S, 6 * HOUR_S + 3000)


def test_a_counter_with_coarse_steps_is_helped_by_the_power(outlook: MeasuredOutlook) -> None:
    """A meter that counts whole kWh says 0 for most of an hour."""
    assert not [
        promised
        for time_s in range(NOON_S - HOUR_S, NOON_S, 60)
        if (promised := outlook.take_reading(time_s, 990.0, 5000.0)) is not None
    ]


def test_readings_far_apart_say_nothing(outlook: MeasuredOutlook) -> None:
    """A device that was silent for hours may have produced at any time."""
    assert outlook.take_reading(NOON_S - 3 * HOUR_S, 1000.0, 0.0) is None
    assert outlook.take_reading(NOON_S, 0.0, 0.0) is None


def test_corrections_are_at_least_five_minutes_apart(outlook: MeasuredOutlook) -> None:
    """Each is a new forecast for the neighbourhood, however fast clouds grow."""
    begin_s, energy_wh, promised = NOON_S - WINDOW_S, 0.0, []
    for minute in range(45):
        produced_w = 1000.0 - 20 * minute
        promised.append(outlook.take_reading(begin_s + 60 * minute, produced_w, energy_wh))
        energy_wh += produced_w / 60
    at_s = [production.start_s for production in promised if production is not None]
    assert len(at_s) > 1
    assert min(np.diff(at_s)) >= 300


def test_readings_more_than_an_hour_apart_are_not_compared(outlook: MeasuredOutlook) -> None:
    """Clouds have changed in between."""
    assert outlook.take_reading(NOON_S - 3_660, 400, 0.0) is None
    assert outlook.take_reading(NOON_S, 400, 407.0) is None
    near = MeasuredOutlook()
    near.take_forecast(6 * HOUR_S, forecast([1000] * 12))
    near.take_reading(NOON_S - 3_600, 400, 0.0)
    assert near.take_reading(NOON_S, 400, 400.0) is not None


def test_at_dawn_a_difference_says_nothing_of_noon() -> None:
    """Of 90 W only half is produced, while a kilowatt is expected an hour later; of 110 W it counts."""
    for dawn_w, count in ((90, 0), (110, 1)):
        outlook = MeasuredOutlook()
        outlook.take_forecast(6 * HOUR_S, forecast([dawn_w, 1000, 1000]))
        assert len(measured(outlook, dawn_w / 2, 6 * HOUR_S, 6 * HOUR_S + WINDOW_S)) == count


def test_a_forecast_that_repeats_the_error_is_lowered_by_what_is_left_of_it(outlook: MeasuredOutlook) -> None:
    """The meter was read last an hour ago; then half of the difference has faded."""
    measured(outlook, 400, NOON_S - WINDOW_S, NOON_S)
    promised = outlook.take_forecast(NOON_S + HOUR_S, forecast([1000] * 5, NOON_S + HOUR_S))
    assert power_w(promised, NOON_S + HOUR_S + 60) == pytest.approx(700, abs=20)
