"""The shape of a day: mean power over intervals, its peak, and how far the peak stands above the mean."""

from __future__ import annotations

import numpy as np

from agents.energy import FloatArray
from broker.errors import SsmicError
from scenarios.accounting import MINUTE_S

HOUR_S = 3600


class IntervalError(SsmicError):
    """An interval that is not a positive number of whole minutes."""


def mean_power_w(energy_wh: FloatArray, interval_s: int) -> FloatArray:
    """Return the mean power over each interval, W, shape (ceil(minutes / interval),).

    Args:
        energy_wh: Energy of each minute, Wh, shape (minutes,).
        interval_s: Whole minutes, in seconds. Intervals count from the first minute; the last one is filled up with
            zeros, for the account ends when nothing runs any more.

    Raises:
        IntervalError: The interval is not a positive number of whole minutes.
    """
    if interval_s <= 0 or interval_s % MINUTE_S:
        raise IntervalError(f"an interval is a positive number of whole minutes (60 s, 900 s, ...), not {interval_s} s")
    width = interval_s // MINUTE_S
    intervals = -(-len(energy_wh) // width)
    padded_wh = np.zeros(intervals * width)
    padded_wh[: len(energy_wh)] = energy_wh
    summed_wh: FloatArray = padded_wh.reshape(intervals, width).sum(axis=1)
    return summed_wh * (HOUR_S / interval_s)


def peak_to_average(energy_wh: FloatArray, interval_s: int) -> float | None:
    """Return the highest mean power of an interval over the mean of all intervals; None where there is no energy."""
    power_w = mean_power_w(energy_wh, interval_s)
    mean_w = float(power_w.mean()) if len(power_w) else 0.0
    return float(power_w.max()) / mean_w if mean_w > 0 else None


def load_factor(energy_wh: FloatArray, interval_s: int) -> float | None:
    """Return the mean of all intervals over the highest one: 1 is flat; None where there is no energy."""
    ratio = peak_to_average(energy_wh, interval_s)
    return None if ratio is None else 1.0 / ratio
