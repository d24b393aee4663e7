"""The loads of GreenCharge's simulator: profiles in files of lines `UNIX-seconds cumulative-Wh`, and charging cars."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from pathlib import Path

from agents import LoadProfile
from broker import first_few, plural
from scenarios.errors import Problem, ScenarioError
from scenarios.files import cap_problems, check_inside, lines_of, problems_of_series, read_text
from scenarios.importers.xml_reader import Element
from scenarios.zone import DAY_S

_FALLS_OF_A_COUNTER = 0.05
"""A counter's values fall in no more than this share of its rows."""
_PERCENT, _MOST_PERCENT = ("soc", "targetSoc"), 100
_LEAST, _MOST = 1e-6, 1e9
"""Range of the other numbers, apart from 0."""
LEAST_WH_CAPACITY = 1000
"""From here on, a capacity is taken for Wh; the simulator's own examples have both `24` and `30000`."""


@dataclass(slots=True)
class EnergySeries:
    """A profile as its file has it."""

    times_s: tuple[int, ...]
    cumulative_wh: tuple[float, ...]

    @property
    def midnight_s(self) -> int:
        """Midnight (UTC) of the day on which it begins."""
        return self.times_s[0] // DAY_S * DAY_S

    def load_profile(self) -> LoadProfile:
        """Return it as a load profile that begins with its start."""
        first_s, first_wh = self.times_s[0], self.cumulative_wh[0]
        return LoadProfile(
            times_s=tuple(time_s - first_s for time_s in self.times_s),
            cumulative_wh=tuple(wh - first_wh for wh in self.cumulative_wh),
        )


@dataclass(slots=True)
class ProfileFiles:
    """The files of profiles, and those that the scenario takes."""

    folders: Sequence[Path]
    problems: list[Problem]
    notes: list[str]
    used: dict[str, LoadProfile] = field(default_factory=dict)
    _read: dict[str, EnergySeries | None] = field(default_factory=dict)

    def series(self, name: str) -> EnergySeries | None:
        """Return the content of a profile's file; None: it is missing, or has problems, which are reported."""
        if name not in self._read:
            self._read[name] = self._found(name)
        return self._read[name]

    def _found(self, name: str) -> EnergySeries | None:
        for folder in self.folders:
            path = folder / name
            if not name or Path(name).name != name or not path.is_file():
                continue
            try:
                check_inside(path, folder, str(path))
                return _read_series(path, self.notes)
            except ScenarioError as error:
                self.problems += error.problems
                return None
        return None


def _read_series(path: Path, notes: list[str]) -> EnergySeries:
    times_s: list[int] = []
    values: list[float] = []
    lines: list[int] = []
    problems: list[Problem] = []
    for number, text in enumerate(lines_of(read_text(path, str(path))), start=1):
        fields = [part for part in re.split(r"[\s,;]+", text.strip()) if part]
        if not fields:
            continue
        try:
            time_s, value = int(float(fields[0])), float(fields[1])
        except (ValueError, IndexError, OverflowError):
            what = f"'UNIX-seconds cumulative-Wh' is expected, not {text.strip()[:40]!r}"
            problems.append(Problem(f"{path}:{number}", what))
            continue
        lines.append(number)
        times_s.append(time_s)
        values.append(value)
    energies_wh = _cumulative(times_s, values, str(path), lines, notes)
    for index, what in problems_of_series(times_s, energies_wh, from_zero=False):
        problems.append(Problem(str(path) if index is None else f"{path}:{lines[index]}", what))
    if problems:
        raise ScenarioError(cap_problems(problems, str(path)))
    return EnergySeries(tuple(times_s), tuple(energies_wh))


def _cumulative(
    times_s: Sequence[int], values: Sequence[float], where: str, lines: Sequence[int], notes: list[str]
) -> list[float]:
    """Return values as cumulative Wh: those that fall often are W, and rare falls are resets of a counter."""
    falls = [i for i, (before, after) in enumerate(pairwise(values), start=1) if after < before]
    if not falls:
        return list(values)
    if len(falls) > len(values) * _FALLS_OF_A_COUNTER:
        fall = f"the values fall ({plural(len(falls), 'time')})"
        notes.append(f"{where}: {fall}, so they are taken as W and not as cumulative Wh")
        steps = [
            (after - before) * value / 3600 for (before, after), value in zip(pairwise(times_s), values, strict=False)
        ]
    else:
        shown = first_few(f"{where}:{lines[i]}" for i in falls)
        notes.append(f"the counter was reset; these steps count as 0 Wh: {shown}")
        steps = [max(0.0, after - before) for before, after in pairwise(values)]
    return list(accumulate(steps, initial=0.0))


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
