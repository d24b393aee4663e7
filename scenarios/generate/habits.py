"""Households in Germany: their equipment, how often they use it, at what time of day and how flexibly.

The numbers are close to published statistics.

- Sizes of households: Destatis, Mikrozensus: 42 % of one person, 34 % of two, 12 % of three, 9 % of four, 3 % of five
  and more in 2018; 41 % of one person in 2022.
- Ownership: washing machine 96 %, refrigerator 100 % (Destatis, Laufende Wirtschaftsrechnungen 2019); dishwasher 73 %,
  tumble dryer 47 %, freezer 48 % (IT.NRW, Einkommens- und Verbrauchsstichprobe 2018, North Rhine-Westphalia); the
  larger the household, the more.
- Uses in a week are assumptions, held by tests to what they take: of a household's electricity, washing has 4.6 %,
  drying 5.9 %, dishes 4.9 %, cooling and freezing 14.7 % on average (EnergieAgentur.NRW, *Wo im Haushalt bleibt der
  Strom?* 2016, 522,000 households).
- Yearly energy: BDEW for 2020: 1,900 kWh for one person, 2,890 for two, 3,720 for three, 4,085 for four. Most are from
  70 to 140 % of it: for two persons in a flat, the *Stromspiegel 2017* calls 2,000 to 2,600 kWh average, less than
  1,300 low and more than 3,100 very high.
- Cars: 12,320 km in 2023 for all cars, 15,852 for electric, gas, hybrid and other ones (KBA, *Verkehr in Kilometern*);
  14,000 km at an assumed 18 kWh/100 km are about 7 kWh a day.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from types import MappingProxyType
from typing import Any

from agents import Job
from scenarios.appliances import APPLIANCES
from scenarios.generate.rng import Rng

GERMANY = "DE"
"""The country whose holidays are built in; those of others come from the package `holidays`."""
FloatRange = tuple[float, float]

LONGEST_WAIT_MIN = 8 * 60
SHORTEST_WAIT_MIN = 5
_LAST_START_H = 23
SIZES: tuple[tuple[int, float], ...] = ((1, 41), (2, 34), (3, 12), (4, 10), (5, 4))
"""Persons and per cent of households."""
YEARLY_KWH: Mapping[int, float] = MappingProxyType({1: 1900, 2: 2700, 3: 3500, 4: 4000, 5: 4800})
"""By persons: electricity without heating, hot water and cars."""


@dataclass(frozen=True, slots=True)
class Habit:
    """The use of a kind of device."""

    device: str
    """Id of the device in its house."""
    name: str
    """Its name for users."""
    weight: float
    """Relative frequency; in a neighbourhood, about this percentage of runs is of this kind."""
    programmes: tuple[tuple[str, float], ...]
    """Load profiles and their relative frequencies."""
    opens_h: tuple[FloatRange, ...]
    """Intervals of the day in which the earliest start lies, hours."""
    waits_min: FloatRange
    """Flexibility of the start, minutes, log-uniform. Below 5 minutes the device is a background load."""
    ahead_min: FloatRange = (0, 120)
    """How long before its earliest start a job is registered, minutes."""

    @property
    def is_background(self) -> bool:
        """Whether it starts automatically, at any second, and can hardly wait."""
        return self.waits_min[1] < SHORTEST_WAIT_MIN


HABITS: tuple[Habit, ...] = (
    Habit(
        "dishwasher",
        "Dishwasher",
        16,
        (("dishwasher-eco", 3), ("dishwasher-intensive", 1)),
        ((7.5, 10), (12.5, 14.5), (18, 19.5)),
        (60, 480),
    ),
    Habit("washing-machine", "Washing machine", 18, (("washing-40", 3), ("washing-60", 1)), ((6.5, 14),), (45, 420)),
    Habit(
        "tumble-dryer",
        "Tumble dryer",
        7,
        (("dryer-heat-pump", 3), ("dryer-condenser", 1)),
        ((9, 16),),
        (30, 300),
        (0, 60),
    ),
    Habit(
        "car",
        "Car",
        6,
        (("car-6a-4kwh", 3), ("car-16a-5kwh", 2), ("car-16a-10kwh", 1)),
        ((7, 10), (12, 15)),
        (60, 360),
        (0, 600),
    ),
    Habit("hot-water", "Heat pump, hot water", 12, (("hot-water", 1),), ((6, 9), (11, 14)), (120, 480), (60, 420)),
    Habit("pool-pump", "Pool pump", 3, (("pool-pump", 1),), ((8, 11),), (120, 360), (60, 600)),
    Habit("ebike", "Electric bicycle", 5, (("ebike-charge", 1),), ((8, 15),), (30, 360)),
    Habit("mower", "Robot mower", 4, (("mower-charge", 1),), ((9, 16),), (15, 180)),
    Habit("vacuum", "Robot vacuum cleaner", 4, (("vacuum-charge", 1),), ((8, 15),), (30, 360), (0, 10)),
    Habit("oven", "Oven", 7, (("oven", 1),), ((11, 12.5), (16.5, 18.5)), (5, 20), (5, 90)),
    Habit("kettle", "Kettle", 4, (("kettle", 1),), ((6.5, 10), (14.5, 17)), (5, 8), (0, 1)),
    Habit("fridge", "Refrigerator", 8, (("fridge-cycle", 1),), ((0, 23),), (1 / 3, 1 / 3), (0, 0)),
    Habit("freezer", "Freezer", 6, (("freezer-cycle", 1),), ((0, 23),), (1 / 3, 1), (0, 0)),
)
"""On a day without heating."""

HEATING = Habit(
    "heat-pump", "Heat pump, heating", 14, (("space-heating", 1),), ((5, 8), (10, 16)), (60, 300), (30, 300)
)
"""On a cold day, in addition to the others."""


def draw_job(rng: Rng, habit: Habit, house: str, start_s: int, *, wait_factor: float, late_share: float) -> Job:
    """Draw a random job of a device; its id is not unique yet.

    Args:
        rng: The random number generator.
        habit: How the device is used.
        house: Id of the house.
        start_s: Midnight at which the day starts, UNIX seconds.
        wait_factor: Flexibility of starts as a multiple of the usual one.
        late_share: Probability that the job is registered only after its earliest start.
    """
    profile = rng.pick([name for name, _ in habit.programmes], [weight for _, weight in habit.programmes])
    opens_s = round(rng.uniform(*rng.pick(habit.opens_h)) * 3600)
    wait_min = rng.log_uniform(*habit.waits_min)
    if habit.is_background:
        earliest_s = opens_s
        latest_s = earliest_s + round(wait_min * 60)
        registered_s = earliest_s
    else:
        earliest_s = opens_s // 300 * 300
        wait_min = min(LONGEST_WAIT_MIN, max(SHORTEST_WAIT_MIN, wait_min * wait_factor))
        latest_s = max(earliest_s, min(earliest_s + round(wait_min / 5) * 300, _LAST_START_H * 3600))
        registered_s = max(0, earliest_s - round(rng.uniform(*habit.ahead_min)) * 60)
        if rng.chance(late_share):
            registered_s = earliest_s + round(rng.uniform(0, (latest_s - earliest_s) / 3) / 60) * 60
    job_id = f"{house}-{habit.device}"
    return Job(
        job_id=job_id,
        source_id=job_id,
        house=house,
        device=habit.device,
        profile=profile,
        load_profile=APPLIANCES[profile].load_profile,
        registered_s=start_s + registered_s,
        earliest_start_s=start_s + earliest_s,
        latest_start_s=start_s + latest_s,
    )


@dataclass(frozen=True, slots=True)
class Use:
    """Ownership and use of a kind of device."""

    habit: str
    """Device of the habit in `scenarios.generate.habits`."""
    owned: tuple[float, float]
    """Share of households of one person, and of five, that have one."""
    weekly: tuple[float, float]
    """Runs in a week: of a household, and for each person more."""
    weekend: float
    """Runs on a day off, as a multiple of those on a working day."""


USES: tuple[Use, ...] = (
    Use("dishwasher", (0.6, 0.95), (1.5, 1.1), 1.2),
    Use("washing-machine", (0.93, 1.0), (0.5, 0.9), 1.5),
    Use("tumble-dryer", (0.25, 0.75), (0.25, 0.45), 1.4),
    Use("oven", (1.0, 1.0), (1.5, 0.6), 1.6),
    Use("ebike", (0.1, 0.25), (1.5, 0.2), 0.8),
    Use("vacuum", (0.1, 0.25), (4.0, 0.0), 1.0),
)
CAR_WEEKLY = 4.5
"""Charges in a week."""
COMMUTES = 0.6
"""Share of cars that are away on working days, and charge over night."""
CAR_PROGRAMMES: tuple[tuple[str, float], ...] = (
    ("car-6a-4kwh", 1),
    ("car-16a-5kwh", 3),
    ("car-16a-10kwh", 3),
    ("car-3x16a-15kwh", 1),
)
"""Load profiles of a charge and their relative frequencies."""
CAR_PRESENT_H: Mapping[str, tuple[FloatRange, FloatRange]] = MappingProxyType(
    {"over night": ((16.5, 20), (30, 32)), "by day": ((8, 11), (15, 20))}
)
"""Intervals in which a car arrives and departs, hours of the day; over night, it departs on the next day."""
HEAT_PUMP_DAILY_RUNS = 2

_HOURLY_WORKDAY = (
    *(0.55, 0.48, 0.45, 0.44, 0.45, 0.55, 0.9, 1.15, 1.0, 0.9, 0.88, 0.95),
    *(1.1, 1.0, 0.92, 0.92, 1.0, 1.25, 1.6, 1.85, 1.85, 1.6, 1.2, 0.8),
)
_HOURLY_OFF = (
    *(0.65, 0.55, 0.48, 0.45, 0.45, 0.46, 0.55, 0.8, 1.15, 1.4, 1.45, 1.5),
    *(1.6, 1.35, 1.15, 1.05, 1.1, 1.25, 1.5, 1.7, 1.7, 1.5, 1.2, 0.85),
)
"""Hours of the day relative to its mean, after the shape of the standard load profile H0 (VDEW, M-32/99)."""


def background_hours(*, is_off: bool) -> tuple[float, ...]:
    """Return the background load of each hour relative to the day's mean: light, cooking, cold, devices on standby."""
    hours = _HOURLY_OFF if is_off else _HOURLY_WORKDAY
    mean = sum(hours) / len(hours)
    return tuple(hour / mean for hour in hours)


def season(day: date, *, is_southern: bool = False) -> float:
    """Return the background load of a day relative to the year's mean: more light and cooking in winter.

    Args:
        day: The day.
        is_southern: Whether winter is in the middle of the year.
    """
    swing = 0.12 * math.cos(2 * math.pi * (day.timetuple().tm_yday - 15) / 365.25)
    return 1.0 - swing if is_southern else 1.0 + swing


def is_day_off(day: date, more: frozenset[date] = frozenset(), country: str = GERMANY) -> bool:
    """Return whether a day is a weekend or a holiday of a country, or one of `more`.

    Args:
        day: The day.
        more: Further days off.
        country: Its code, with a state where wanted, for which `country_problem` finds nothing: `NO`, `AU-NSW`.
    """
    if day in more:
        return True
    if country == GERMANY:
        return day.weekday() >= 5 or day in german_holidays(day.year)
    return not bool(_calendar(country).is_working_day(day))


def country_problem(country: str) -> str:
    """Return why the days off of a country are not known; empty if they are."""
    if country == GERMANY:
        return ""
    try:
        from holidays.utils import list_supported_countries  # noqa: PLC0415 - takes a while, and Germany does without
    except ImportError:
        return f"{country!r} needs the package holidays: pip install 'ssmic[holidays]'"
    known = list_supported_countries()
    code, _, state = country.partition("-")
    if code not in known or len(code) != 2:
        return f"there is no country {code!r} (expected an ISO code such as NO, or AU-NSW for a state)"
    if state and state not in known[code]:
        return f"there is no state {state!r} in {code}, which has {', '.join(known[code]) or 'none'}"
    return ""


@cache
def _calendar(country: str) -> Any:  # noqa: ANN401 - of a package that may be missing
    import holidays  # noqa: PLC0415 - as above

    code, _, state = country.partition("-")
    return holidays.country_holidays(code, subdiv=state or None)


@cache
def german_holidays(year: int) -> frozenset[date]:
    """Return the holidays of all German states."""
    easter = _easter(year)
    fixed = ((1, 1), (5, 1), (10, 3), (12, 25), (12, 26))
    return frozenset(
        {date(year, month, day) for month, day in fixed} | {easter + timedelta(days=n) for n in (-2, 1, 39, 50)}
    )


def _easter(year: int) -> date:
    """Return Easter Sunday by the algorithm of Meeus, Jones and Butcher."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (32 + 2 * e + 2 * i - h - k) % 7
    n = (a + 11 * h + 22 * m) // 451
    month, day = divmod(h + m - 7 * n + 114, 31)
    return date(year, month, day + 1)
