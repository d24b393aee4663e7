"""Mean powers, peak-to-average ratio and load factor; by hand on small cases, by properties on any."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from scenarios.metrics.peak_power import IntervalError, load_factor, mean_power_w, peak_to_average

energies = st.lists(st.just(0.0) | st.floats(1e-3, 1e5), min_size=1, max_size=200).map(np.array)


def test_peaks_are_mean_powers_over_the_interval() -> None:
    """60 Wh in one minute of an hour: 3600 W over a minute, 240 W over a quarter, 60 W over the hour."""
    hour_wh = np.zeros(60)
    hour_wh[7] = 60

    assert [mean_power_w(hour_wh, s).max() for s in (60, 900, 3600)] == [3600, 240, 60]
    assert [peak_to_average(hour_wh, s) for s in (60, 900, 3600)] == [60, 4, 1]
    assert load_factor(hour_wh, 900) == 0.25


def test_an_interval_that_does_not_fit_is_filled_up_with_nothing() -> None:
    """20 minutes of 1 Wh in quarters: 60 W, then 5 of 15 minutes: 20 W."""
    assert mean_power_w(np.ones(20), 900).tolist() == [60, 20]
    assert mean_power_w(np.ones(10), 7200).tolist() == [5]


@pytest.mark.parametrize("interval_s", [0, -60, 59, 90])
def test_an_interval_is_whole_minutes(interval_s: int) -> None:
    """Data have no finer resolution."""
    with pytest.raises(IntervalError, match=f"whole minutes.*not {interval_s} s"):
        mean_power_w(np.ones(10), interval_s)


@given(energies, st.integers(1, 300))
def test_powers_hold_the_energy_and_the_peak_is_above_the_mean(energy_wh: np.ndarray, width: int) -> None:
    """Over any interval."""
    power_w = mean_power_w(energy_wh, width * 60)
    ratio = peak_to_average(energy_wh, width * 60)

    assert power_w.sum() * width / 60 == pytest.approx(energy_wh.sum())
    assert ratio is None or ratio >= 1 - 1e-9
    assert (ratio is None) == (energy_wh.sum() == 0)
