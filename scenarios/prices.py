"""Prices of energy that vary in time: time-of-use tables and series."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from agents import FloatArray
from broker.protocol import MAX_TIME_S
from scenarios.zone import Zone

DAY_MIN = 24 * 60
MAX_EUR_PER_KWH = 1e6
"""Largest price, either way: far more than any energy costs, and small enough for exact bills."""
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_QUARTER_S = 900
"""Clocks change by whole quarters of an hour, at whole quarters of an hour."""


@dataclass(frozen=True, slots=True)
class PriceBand:
    """A price at certain times of the clock."""

    days: tuple[int, ...]
    """Days of the week on which the band begins, 0 is Monday."""
    begin_min: int
    """First minute after local midnight, 0 to 1439."""
    end_min: int
    """First minute that no longer belongs to it, 1 to 1440; at or before `begin_min`: on the next day."""
    eur_per_kwh: float


@dataclass(frozen=True, slots=True)
class TimeOfUse:
    """A table of prices by day of the week and time of the clock in the scenario's zone."""

    bands: tuple[PriceBand, ...]
    """The first one that a time belongs to holds; together they cover the whole week."""

    def week(self) -> FloatArray:
        """Return the price of each minute of a week from Monday on, EUR/kWh, shape (10080,); NaN: no price."""
        prices = np.full(7 * DAY_MIN, np.nan)
        for band in reversed(self.bands):
            length = band.end_min - band.begin_min + (DAY_MIN if band.end_min <= band.begin_min else 0)
            for day in band.days:
                minutes = (day * DAY_MIN + band.begin_min + np.arange(length)) % (7 * DAY_MIN)
                prices[minutes] = band.eur_per_kwh
        return prices


@dataclass(frozen=True, slots=True)
class PriceSeries:
    """Prices that each hold from a time until the next one; the last one holds on."""

    times_s: tuple[int, ...]
    """UNIX seconds, strictly ascending, at least one."""
    eur_per_kwh: tuple[float, ...]
    """The price from each of these times on, shape as `times_s`."""


Price: TypeAlias = int | float | TimeOfUse | PriceSeries


def prices_at(price: Price, times_s: npt.NDArray[np.int64], zone: Zone) -> FloatArray:
    """Return a price at certain times.

    Args:
        price: A constant, a time-of-use table or a series. Before the first price of a series that one holds.
        times_s: UNIX seconds, shape (times,).
        zone: The scenario's zone, which a time-of-use table refers to.

    Returns:
        EUR/kWh, shape (times,).
    """
    if isinstance(price, TimeOfUse):
        return price.week()[_minute_of_week(times_s, zone)]
    if isinstance(price, PriceSeries):
        place = np.searchsorted(np.asarray(price.times_s, dtype=np.int64), times_s, side="right") - 1
        return np.asarray(price.eur_per_kwh, dtype=np.float64)[np.maximum(place, 0)]
    return np.full(len(times_s), float(price))


def price_problem(price: Price) -> str | None:
    """Return why a price from JSON cannot be used, although its types are right; None: it can."""
    values: tuple[float, ...]
    match price:
        case TimeOfUse(bands=bands):
            values = tuple(band.eur_per_kwh for band in bands)
            are_clocks = all(0 <= band.begin_min < DAY_MIN and 1 <= band.end_min <= DAY_MIN for band in bands)
            if not (are_clocks and all(0 <= day < len(WEEKDAYS) for band in bands for day in band.days)):
                return "time_of_use: minutes of a day, and days from 0 to 6, are expected"
            if np.isnan(price.week()).any():
                return "time_of_use: a price at each time of the week is expected"
        case PriceSeries(times_s=times_s, eur_per_kwh=values):
            if any(abs(time_s) > MAX_TIME_S for time_s in times_s):
                return f"prices: times up to {MAX_TIME_S:,} are expected"
            if not times_s or len(times_s) != len(values) or any(b <= a for a, b in pairwise(times_s)):
                return "prices: ascending times, each with a price, are expected"
        case _:
            values = (price,)
    wrong = next((value for value in values if not abs(value) <= MAX_EUR_PER_KWH), None)
    limits = f"from {-MAX_EUR_PER_KWH:,.0f} to {MAX_EUR_PER_KWH:,.0f}"
    return None if wrong is None else f"a price of {wrong:g} EUR/kWh; {limits} is expected"


def price_in_words(price: Price) -> str:
    """Return a price in ct/kWh: `30.0`, or `24.0 to 36.0` where it varies."""
    if isinstance(price, TimeOfUse):
        values = [band.eur_per_kwh for band in price.bands]
    else:
        values = list(price.eur_per_kwh) if isinstance(price, PriceSeries) else [float(price)]
    low, high = 100 * min(values), 100 * max(values)
    return f"{low:.1f}" if low == high else f"{low:.1f} to {high:.1f}"


def _minute_of_week(times_s: npt.NDArray[np.int64], zone: Zone) -> npt.NDArray[np.int64]:
    """Return the minute of the local week, from Monday 00:00, at each time."""
    quarters, place = np.unique(times_s // _QUARTER_S, return_inverse=True)
    starts = [zone.at(quarter * _QUARTER_S) for quarter in quarters.tolist()]
    local_min = np.asarray([(at.weekday() * 24 + at.hour) * 60 + at.minute for at in starts], dtype=np.int64)
    return (local_min[place] + times_s % _QUARTER_S // 60) % (7 * DAY_MIN)
