"""The shape of a load: mean powers, peak-to-average ratio, load factor."""

from __future__ import annotations

import numpy as np

from agents import FloatArray
from broker import SsmicError
from scenarios.metrics.settlement import MINUTE_S

HOUR_S = 3600


class IntervalError(SsmicError):
    """The interval is not a positive number of whole minutes."""


def mean_power_w(energy_wh: FloatArray, interval_s: int) -> FloatArray:
    """Return the mean power over each interval, W, shape (ceil(minutes / minutes per interval),).

    Args:
        energy_wh: Energy of each minute, Wh, shape (minutes,).
        interval_s: Length of an interval, seconds, whole minutes. Intervals count from the first minute; the last one
            is padded with zeros, because a settlement ends with the last job.

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
    """Return the peak-to-average ratio of mean powers.

    Args:
        energy_wh: Energy of each minute, Wh, shape (minutes,).
        interval_s: Interval over which powers are averaged, seconds, whole minutes.

    Returns:
        The highest mean power of an interval divided by the mean of all intervals; None if there is no energy.

    Raises:
        IntervalError: The interval is not a positive number of whole minutes.
    """
    power_w = mean_power_w(energy_wh, interval_s)
    mean_w = float(power_w.mean()) if len(power_w) else 0.0
    return float(power_w.max()) / mean_w if mean_w > 0 else None


def load_factor(energy_wh: FloatArray, interval_s: int) -> float | None:
    """Return the load factor: average over peak of the mean powers, 1 for a flat load.

    Args:
        energy_wh: Energy of each minute, Wh, shape (minutes,).
        interval_s: Interval over which powers are averaged, seconds, whole minutes.

    Returns:
        The load factor, 0 to 1; None if there is no energy.

    Raises:
        IntervalError: The interval is not a positive number of whole minutes.
    """
    ratio = peak_to_average(energy_wh, interval_s)
    return None if ratio is None else 1.0 / ratio
