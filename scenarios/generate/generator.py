"""Neighbourhoods of any size from a seed: households with devices and jobs over some days, roofs, and their weather."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo

import numpy as np

from agents import FloatArray
from scenarios.appliances import APPLIANCES
from scenarios.generate.habits import (
    CAR_PRESENT_H,
    CAR_PROGRAMMES,
    CAR_WEEKLY,
    COMMUTES,
    GERMANY,
    HABITS,
    HEAT_PUMP_DAILY_RUNS,
    HEATING,
    SIZES,
    USES,
    YEARLY_KWH,
    Habit,
    Use,
    background_hours,
    country_problem,
    is_day_off,
    season,
)
from scenarios.generate.rng import Rng
from scenarios.generate.solar import Site, clear_irradiance
from scenarios.generate.weather import ISSUE_HOURS, Roofs, Sun, cloud_delay_min, draw_sky
from scenarios.scenario import MOST_SEED

_MOST_HOUSES = 10_000
_MOST_DAYS = 366
FIRST_DATE, LAST_DATE = date(1970, 1, 2), date(9997, 12, 31)
"""Of the first day: scenarios begin after 1969 in every zone, and the last day's forecasts reach into the next."""
BASE_LOAD = "base_load"
"""Represents light, cooking, cooling and standby among the devices of a household."""
BASE_LOAD_STEP_S = 3600
_HABITS = {habit.device: habit for habit in (*HABITS, HEATING)}
_STEP_MIN = 5
_LEAST_WAIT_MIN = 5
_COLD_MONTHS = (1, 2, 3, 4, 10, 11, 12)
"""North of the tropics; south of them, half a year later."""
_TROPIC_DEG = 23.4
_BASE_LOAD_LEVELS_W = (60, 90, 120, 160, 200, 250, 300, 360, 430, 520)
"""Mean base loads; each household has the nearest one, so that few series serve all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorSpec:
    """Settings of a generated neighbourhood."""

    houses: int
    """From 1 to 10,000."""
    days: int = 1
    """From 1 to 366."""
    site: Site = field(default_factory=lambda: Site(50.1, 8.7))
    first_day: date = date(2026, 6, 22)
    zone: tzinfo = UTC
    """In which days begin and people live."""
    seed: int = 1
    weather: str = "mixed"
    """`clear`, `fair` or `changeable` on all days; `mixed`: it changes from day to day."""
    roofs: float = 0.4
    """Share of houses with panels."""
    cars: float = 0.25
    """Share of houses with an electric car."""
    heat_pumps: float = 0.2
    """Share of houses with a heat pump: hot water, and heating in the cold months."""
    flexibility: float = 1.0
    """How long households wait, as a multiple of the usual; 0: jobs start within five minutes."""
    country: str = GERMANY
    """Whose weekends and holidays apply; see `is_day_off`."""
    days_off: frozenset[date] = frozenset()
    """Holidays in addition to those of the country."""
    name: str = ""
    """Name of the scenario; empty: made from houses and seed."""
    sun: Sun = clear_irradiance
    """Model of the irradiance of a clear sky."""

    def __post_init__(self) -> None:
        """Raise `ValueError` with all problems of a specification that cannot be met."""
        checks = (
            (1 <= self.houses <= _MOST_HOUSES, f"houses: from 1 to {_MOST_HOUSES:,}, not {self.houses}"),
            (1 <= self.days <= _MOST_DAYS, f"days: from 1 to {_MOST_DAYS}, not {self.days}"),
            (abs(self.site.latitude_deg) <= 90, f"latitude: from -90 to 90, not {self.site.latitude_deg:g}"),
            (abs(self.site.longitude_deg) <= 180, f"longitude: from -180 to 180, not {self.site.longitude_deg:g}"),
            (
                FIRST_DATE <= self.first_day <= LAST_DATE,
                f"date: from {FIRST_DATE} to {LAST_DATE}, not {self.first_day}",
            ),
            (0 <= self.seed <= MOST_SEED, f"seed: a whole number from 0 to 2^63 - 1, not {self.seed}"),
            (0 <= self.flexibility <= 10, f"flexibility: from 0 to 10, not {self.flexibility:g}"),
            *(
                (0 <= share <= 1, f"{name}: a share from 0 to 1, not {share:g}")
                for name, share in (("roofs", self.roofs), ("cars", self.cars), ("heat pumps", self.heat_pumps))
            ),
        )
        problems = [what for holds, what in checks if not holds]
        if what := country_problem(self.country):
            problems.append(f"country: {what}")
        if FIRST_DATE <= self.first_day <= LAST_DATE and (what := self._midnight_problem()):
            problems.append(f"date: {what}")
        if problems:
            raise ValueError("; ".join(problems))

    def _midnight_problem(self) -> str:
        """Return what is wrong if the clock skips the midnight from which the file's times count; else ''."""
        begins = datetime.fromtimestamp(self.start_s, self.zone)
        if (begins.date(), begins.time()) == (self.first_day, time()):
            return ""
        skipped = "its clocks skip" if begins.date() != self.first_day else f"begins at {begins.time()}"
        return f"a day that begins at 00:00 in {self.zone} is expected, not {self.first_day}, which {skipped}"

    @property
    def start_s(self) -> int:
        """Midnight of the first day, UNIX seconds."""
        return self.midnight_s(0)

    def midnight_s(self, day: int) -> int:
        """Return midnight of a day in the zone, UNIX seconds."""
        return self.clock_s(day, 0)

    def clock_s(self, day: int, minutes: int) -> int:
        """Return when the zone's clock shows a time of a day, UNIX seconds; `minutes` are those after its midnight."""
        midnight = datetime.combine(self.first_day + timedelta(days=day), time())
        return int((midnight + timedelta(minutes=minutes)).replace(tzinfo=self.zone).timestamp())

    @property
    def is_southern(self) -> bool:
        """Whether it is winter in July, and the sun is in the north at noon."""
        return self.site.latitude_deg < 0

    def is_cold(self, day: date) -> bool:
        """Return whether houses are heated on a day; between the tropics they never are."""
        month = (day.month + 5) % 12 + 1 if self.is_southern else day.month
        return month in _COLD_MONTHS and abs(self.site.latitude_deg) > _TROPIC_DEG

    def season(self, day: date) -> float:
        """Return the background load of a day relative to the year's mean; in the tropics, all days are the same."""
        if abs(self.site.latitude_deg) <= _TROPIC_DEG:
            return 1.0
        return season(day, is_southern=self.is_southern)


@dataclass(frozen=True, slots=True)
class DrawnJob:
    """One run of a device; times are seconds after the start."""

    id: str
    house: str
    device: str
    profile: str
    """Name of its load profile, a key of `GeneratedNeighbourhood.profiles`."""
    registered_s: int
    """When it becomes known."""
    earliest_s: int
    """Earliest start."""
    latest_s: int
    """Latest start."""


@dataclass(frozen=True, slots=True)
class DrawnRoof:
    """Panels, and where they are among the clouds."""

    tilt_deg: int
    """From the horizontal."""
    azimuth_deg: int
    """Clockwise from north."""
    peak_kw: float
    """Rated power."""
    delay_min: int
    """Minutes by which each cloud reaches it later than the first roof."""


@dataclass(frozen=True, slots=True)
class DrawnHouse:
    """A generated household."""

    id: str
    name: str
    persons: int
    devices: Mapping[str, str]
    """Names of its consumers, by id."""
    roof: DrawnRoof | None
    """None: it has no panels."""
    base_load_w: int
    """Mean base load over the year, a key of `GeneratedNeighbourhood.base_loads`."""
    jobs: tuple[DrawnJob, ...]
    """The jobs of all days."""


@dataclass(frozen=True, slots=True)
class GeneratedNeighbourhood:
    """A neighbourhood that was generated."""

    spec: GeneratorSpec
    houses: tuple[DrawnHouse, ...]
    """In the order of the file."""
    profiles: Mapping[str, tuple[int, tuple[float, ...]]]
    """Load profiles by name: length of a step in seconds, and mean power of each step, W."""
    base_loads: Mapping[int, tuple[float, ...]]
    """Base loads by their mean over the year: power of each hour of the run, W."""
    roofs: Roofs
    """Computes the production of any roof under this sky."""

    def producers(self) -> Iterator[tuple[DrawnHouse, DrawnRoof]]:
        """Yield the houses with panels."""
        return ((house, house.roof) for house in self.houses if house.roof is not None)

    def actual_w(self, roof: DrawnRoof) -> FloatArray:
        """Return what a roof gives, mean W of each quarter of an hour of the run."""
        return np.round(roof.peak_kw * self.roofs.actual_w(roof.tilt_deg, roof.azimuth_deg, roof.delay_min))

    def forecast_w(self, roof: DrawnRoof, day: int, hour: int) -> FloatArray:
        """Return a forecast, mean W of each quarter of an hour from its issue on.

        Args:
            roof: The roof.
            day: Day of issue, from 0 at the beginning of the run.
            hour: Hour of issue, in local time.
        """
        return np.round(roof.peak_kw * self.roofs.forecast_w(roof.tilt_deg, roof.azimuth_deg, day, hour))

    def issues(self) -> Iterator[tuple[int, int]]:
        """Yield day and hour of each forecast."""
        return ((day, hour) for day in range(self.spec.days) for hour in ISSUE_HOURS)

    def energy_wh(self, house: DrawnHouse) -> dict[str, float]:
        """Return the energy of a household's jobs, Wh, by device, and of its base load under `BASE_LOAD`."""
        run_s, power_w = self.spec.midnight_s(self.spec.days) - self.spec.start_s, self.base_loads[house.base_load_w]
        hours = (min(BASE_LOAD_STEP_S, run_s - BASE_LOAD_STEP_S * n) / 3600 for n in range(len(power_w)))
        found = {BASE_LOAD: sum(w * h for w, h in zip(power_w, hours, strict=True))}
        for job in house.jobs:
            step_s, power_w = self.profiles[job.profile]
            found[job.device] = found.get(job.device, 0.0) + sum(power_w) * step_s / 3600
        return found


def generate(spec: GeneratorSpec) -> GeneratedNeighbourhood:
    """Return a neighbourhood; the same specification gives the same one."""
    profiles: dict[str, tuple[int, tuple[float, ...]]] = {}
    sky = draw_sky(spec.site, spec.start_s, spec.days, spec.seed, spec.weather)
    width = len(str(spec.houses))
    houses = tuple(_house(spec, place, f"house-{place + 1:0{width}}", profiles) for place in range(spec.houses))
    base_loads = {level_w: _base_load(spec, level_w) for level_w in sorted({house.base_load_w for house in houses})}
    return GeneratedNeighbourhood(spec, houses, dict(sorted(profiles.items())), base_loads, Roofs(sky, spec.sun))


def _house(
    spec: GeneratorSpec, place: int, house: str, profiles: dict[str, tuple[int, tuple[float, ...]]]
) -> DrawnHouse:
    """Draw a household; it depends on its own number only, so more houses leave the first ones as they are."""
    rng = Rng(spec.seed, f"household {place}")
    persons = rng.pick([size for size, _ in SIZES], [weight for _, weight in SIZES])
    owned = [use for use in USES if rng.chance(_between(use.owned, persons))]
    has_car, has_heat_pump, has_roof = (rng.chance(share) for share in (spec.cars, spec.heat_pumps, spec.roofs))
    is_away = rng.chance(COMMUTES)
    yearly_kwh = YEARLY_KWH[persons] * math.exp(0.25 * rng.normal())
    shiftable_kwh = sum(_weekly(use, persons) * 52 * _mean_kwh(_HABITS[use.habit]) for use in owned)
    base_load_w = max(40.0, (yearly_kwh - shiftable_kwh) * 1000 / 8766)
    level_w = min(_BASE_LOAD_LEVELS_W, key=lambda one: abs(math.log(one / base_load_w)))
    draw = _Draw(spec, rng, house)
    jobs = draw.jobs
    for day in range(spec.days):
        at = spec.first_day + timedelta(days=day)
        is_off = is_day_off(at, spec.days_off, spec.country)
        for use in owned:
            share = (use.weekend if is_off else 1.0) * 7 / (5 + 2 * use.weekend)
            draw.habit(_HABITS[use.habit], day, _weekly(use, persons) / 7 * share)
        if has_heat_pump:
            draw.habit(_HABITS["hot-water"], day, 1.0 + 0.15 * persons)
            draw.habit(HEATING, day, HEAT_PUMP_DAILY_RUNS if spec.is_cold(at) else 0)
        if has_car:
            draw.car(day, is_away=is_away and not is_off)
    devices = {use.habit: _HABITS[use.habit].name for use in owned}
    devices |= {"car": "Car"} if has_car else {}
    devices |= {"hot-water": "Heat pump, hot water", HEATING.device: HEATING.name} if has_heat_pump else {}
    for profile in {job.profile for job in jobs} - profiles.keys():
        profiles[profile] = (60, tuple(float(power) for power in APPLIANCES[profile].power_w))
    roof = _roof(rng, place, spec) if has_roof else None
    name = f"House {place + 1}, {persons} {'person' if persons == 1 else 'persons'}"
    return DrawnHouse(house, name, persons, devices, roof, level_w, tuple(jobs))


def _between(ends: tuple[float, float], persons: int) -> float:
    return ends[0] + (ends[1] - ends[0]) * (persons - 1) / 4


def _weekly(use: Use, persons: int) -> float:
    base, each = use.weekly
    return base + each * persons


def _mean_kwh(habit: Habit) -> float:
    weight = sum(share for _, share in habit.programmes)
    return sum(APPLIANCES[name].energy_wh * share for name, share in habit.programmes) / weight / 1000


def _roof(rng: Rng, place: int, spec: GeneratorSpec) -> DrawnRoof:
    faces_noon = rng.chance(0.55)
    azimuth_deg = 15 * (rng.integer(10, 14) if faces_noon else rng.integer(5, 19))
    if spec.is_southern:
        azimuth_deg = (180 - azimuth_deg) % 360
    # German roofs of recent years: half of them between 5 and 10 kWp (Marktstammdatenregister).
    peak_kw = round(min(25.0, max(2.0, 7.5 * math.exp(0.4 * rng.normal()))), 1)
    return DrawnRoof(5 * rng.integer(3, 9), azimuth_deg, peak_kw, cloud_delay_min(place, spec.houses))


def _base_load(spec: GeneratorSpec, level_w: int) -> tuple[float, ...]:
    """Return a base load by the hours of the run, mean W: the shape of a working day or a day off, more in winter."""
    hours = -(-(spec.midnight_s(spec.days) - spec.start_s) // 3600)  # a day has 23.5 or 24.5 of them on Lord Howe
    found = []
    for hour in range(hours):
        at = datetime.fromtimestamp(spec.start_s + 3600 * hour, spec.zone)
        shape = background_hours(is_off=is_day_off(at.date(), spec.days_off, spec.country))
        found.append(float(round(level_w * spec.season(date(at.year, at.month, 15)) * shape[at.hour])))
    return tuple(found)


class _Draw:
    """Draws the jobs of one household; a device is never asked to run twice at once."""

    def __init__(self, spec: GeneratorSpec, rng: Rng, house: str) -> None:
        self._spec = spec
        self._rng = rng
        self._house = house
        self.jobs: list[DrawnJob] = []
        self._busy_until_s: dict[str, int] = {}
        self._count: dict[str, int] = {}
        self._end_s = spec.midnight_s(spec.days) - spec.start_s

    def habit(self, habit: Habit, day: int, runs: float) -> None:
        """Draw the runs of a device on a day; `runs` is their mean number."""
        rng = self._rng
        for _ in range(math.floor(runs) + rng.chance(runs % 1.0)):
            profile = rng.pick([name for name, _ in habit.programmes], [weight for _, weight in habit.programmes])
            opens_min = rng.uniform(*rng.pick(habit.opens_h)) * 60
            wait_min = rng.log_uniform(*habit.waits_min)
            ahead_min = rng.uniform(*habit.ahead_min)
            self._add(habit.device, day, profile, opens_min, self._flexible(wait_min), ahead_min)

    def car(self, day: int, *, is_away: bool) -> None:
        """Draw the charge of a car, which waits until its departure at the latest."""
        rng = self._rng
        charges = rng.chance(CAR_WEEKLY / 7)
        profile = rng.pick([name for name, _ in CAR_PROGRAMMES], [weight for _, weight in CAR_PROGRAMMES])
        arrives_h, departs_h = CAR_PRESENT_H["over night" if is_away else "by day"]
        arrives_min, departs_min = 60 * rng.uniform(*arrives_h), 60 * rng.uniform(*departs_h)
        if charges:
            charge_min = len(APPLIANCES[profile].power_w)
            wait_min = max(0.0, departs_min - arrives_min - charge_min)
            self._add("car", day, profile, arrives_min, min(wait_min, self._flexible(wait_min)), 0)

    def _flexible(self, wait_min: float) -> float:
        return max(_LEAST_WAIT_MIN, wait_min * self._spec.flexibility)

    def _add(self, device: str, day: int, profile: str, opens_min: float, wait_min: float, ahead_min: float) -> None:
        step_s = _STEP_MIN * 60
        duration_s = 60 * len(APPLIANCES[profile].power_w)
        earliest_s = self._spec.clock_s(day, round(opens_min / _STEP_MIN) * _STEP_MIN) - self._spec.start_s
        earliest_s = max(earliest_s, self._busy_until_s.get(device, 0))
        latest_s = min(earliest_s + max(1, round(wait_min / _STEP_MIN)) * step_s, self._end_s - duration_s)
        if latest_s < earliest_s:
            return  # it would end after the run
        self._busy_until_s[device] = -(-(latest_s + duration_s) // step_s) * step_s
        registered_s = max(0, earliest_s - round(ahead_min) * 60)
        count = self._count[device] = self._count.get(device, 0) + 1
        job_id = f"{self._house}-{device}-{count}"
        self.jobs.append(DrawnJob(job_id, self._house, device, profile, registered_s, earliest_s, latest_s))
