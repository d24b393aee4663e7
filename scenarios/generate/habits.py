"""Habits of households: programmes, time of day and flexibility of each kind of device."""

from __future__ import annotations

from dataclasses import dataclass

from agents import Job
from scenarios.appliances import APPLIANCES
from scenarios.generate.rng import Rng

Range = tuple[float, float]

LONGEST_WAIT_MIN = 8 * 60
SHORTEST_WAIT_MIN = 5
_LAST_START_H = 23


@dataclass(frozen=True, slots=True)
class Habit:
    """The use of a kind of device."""

    device: str
    name: str
    weight: float
    """Relative frequency; in a neighbourhood, about this percentage of runs is of this kind."""
    programmes: tuple[tuple[str, float], ...]
    """Load profiles and their relative frequencies."""
    opens_h: tuple[Range, ...]
    """Intervals of the day in which the earliest start lies, hours."""
    waits_min: Range
    """Flexibility of the start, minutes, log-uniform. Below 5 minutes the device is a background load."""
    ahead_min: Range = (0, 120)
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
