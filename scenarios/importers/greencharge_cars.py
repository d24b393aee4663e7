"""Computes what a car of GreenCharge's simulator draws in a charging session."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from agents import LoadProfile
from scenarios.errors import Problem
from scenarios.importers.xml_reader import Element

_PERCENT, _MOST_PERCENT = ("soc", "targetSoc"), 100
_LEAST, _MOST = 1e-6, 1e9
"""Range of the other numbers, apart from 0."""
LEAST_WH_CAPACITY = 1000
"""From here on, a capacity is taken for Wh; the simulator's own examples have both `24` and `30000`."""


def unit_wh(car: Element) -> int:
    """Return how many Wh its unit of energy has: capacities below 1000 are kWh."""
    try:
        return 1 if float(car.value("capacity") or 0) >= LEAST_WH_CAPACITY else 1000
    except ValueError:
        return 1


@dataclass(frozen=True, slots=True)
class Charge:
    """The load of a car in a session: full power up to a state of charge, and a share of it above."""

    energy_wh: float
    fast_wh: float
    """How much of it at full power."""
    power_w: float
    slow_w: float

    @property
    def is_any(self) -> bool:
        """Whether there is anything to charge."""
        return self.energy_wh > 0 and self.power_w > 0

    @property
    def why_none(self) -> str:
        """Why there is nothing to charge."""
        return "its power is 0" if self.energy_wh > 0 else "it has nothing to charge"

    def profile(self, stay_s: int) -> tuple[LoadProfile, bool]:
        """Return the load within a stay, and whether it reaches the target."""
        points = [(0.0, 0.0)]
        for energy_wh, power_w in ((self.fast_wh, self.power_w), (self.energy_wh - self.fast_wh, self.slow_w)):
            if energy_wh > 0:
                points.append((points[-1][0] + energy_wh * 3600 / power_w, points[-1][1] + energy_wh))
        whole = list({math.ceil(time_s): wh for time_s, wh in points}.items())  # of one second, the later point counts
        cut = [whole[0]]
        for (begin_s, begin_wh), (end_s, end_wh) in pairwise(whole):
            if end_s <= stay_s:
                cut.append((end_s, end_wh))
                continue
            if begin_s < stay_s:
                share = (stay_s - begin_s) / (end_s - begin_s)
                cut.append((stay_s, begin_wh + share * (end_wh - begin_wh)))
            break
        profile = LoadProfile(times_s=tuple(time_s for time_s, _ in cut), cumulative_wh=tuple(wh for _, wh in cut))
        return profile, cut[-1] == whole[-1]


def charge_of(car: Element, point: Element | None, entry: Element, problems: list[Problem]) -> Charge | None:
    """Return the load of a charging session; None after adding a problem.

    Args:
        car: The car, with its capacity and its highest powers.
        point: The charge point, which may limit the power; None: none is given.
        entry: The session, with the state of charge at its beginning and its end.
        problems: Receives the problems of these elements.
    """
    before = len(problems)
    capacity = _number(car, "capacity", problems)
    is_direct = point is not None and (point.value("ConnectorsType") or "").upper() == "DC"
    power = _number(car, "maxchpowcc" if is_direct else "maxchpowac", problems)
    begins, ends = _number(entry, "soc", problems), _number(entry, "targetSoc", problems)
    threshold, share = _number(car, "sbch", problems, 1.0), _number(car, "cheff", problems, 1.0)
    limit = 0.0 if point is None else _number(point, "peakLoad", problems, 0.0)
    if len(problems) > before:
        return None
    unit = unit_wh(car)
    threshold = 100 * threshold if threshold <= 1 else threshold
    share = share if 0 < share <= 1 else 1.0
    threshold = threshold if 0 < threshold <= 100 else 100.0
    power_w = unit * (min(power, limit) if limit > 0 else power)
    per_percent_wh = unit * capacity / 100
    fast_wh = max(0.0, min(ends, threshold) - begins) * per_percent_wh
    return Charge(max(0.0, ends - begins) * per_percent_wh, fast_wh, power_w, power_w * share)


def _number(element: Element, tag: str, problems: list[Problem], default: float | None = None) -> float:
    text = element.value(tag) if default is not None else element.required(tag, problems)
    if not text:
        return default or 0.0
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    most = _MOST_PERCENT if tag in _PERCENT else _MOST
    # Not even a charge at the smallest power overflows.
    if not (number == 0 or _LEAST <= number <= most):
        kind = "a state of charge in percent, from 0 to 100," if tag in _PERCENT else f"a number from 0 to {most:,.0f}"
        what = f"<{element.tag}>: {tag!r}: {kind} is expected, not {text[:40]!r}"
        problems.append(Problem(element.where, what))
        return 0.0
    return number
