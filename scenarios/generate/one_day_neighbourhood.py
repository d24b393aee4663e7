"""Random neighbourhoods of one day, from a seed: consistent houses, roofs, jobs and weather, as bundled and for tests.

`ssmic generate` makes larger ones over several days (`scenarios.generate.generator`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from agents import Device, House, Job
from scenarios.generate.bundled_roofs import SITE, TARIFF, WeatherDay, actual_of, midnight_s, producer_of, utc_offset_s
from scenarios.generate.habits import HABITS, HEATING, Habit, draw_job
from scenarios.generate.rng import Rng
from scenarios.generate.solar import Roof
from scenarios.generate.weather import WEATHERS, draw_cloud_cover
from scenarios.scenario import Scenario

_STREETS = (
    "Ahornweg",
    "Birkenweg",
    "Erlenweg",
    "Fliederweg",
    "Ginsterweg",
    "Haselweg",
    "Kastanienweg",
    "Lindenweg",
    "Rosenweg",
    "Ulmenweg",
)
_HOUSES_A_STREET = 10
MOST_HOUSES = len(_STREETS) * _HOUSES_A_STREET
_COLD_MONTHS = (1, 2, 3, 4, 10, 11, 12)
_TRIES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourhoodSpec:
    """Specification of a neighbourhood."""

    name: str
    seed: int
    houses: int
    """From 1 to 100."""
    roofs: int
    """Number of houses with panels."""
    jobs: int
    """How many all houses have together."""
    demand_per_production: float
    """Energy of all jobs as a multiple of the actual production; the panels are scaled to fit."""
    date: date
    """The day, which begins at local midnight."""
    weather: str = "fair"
    """One of `WEATHERS`."""
    wait_factor: float = 1.0
    """Flexibility of starts as a multiple of the usual one; within 5 minutes and 8 hours in any case."""
    late_share: float = 0.1
    """Share of jobs that are registered only after their earliest start."""
    description: str = ""
    """Description for users; empty: none."""

    def __post_init__(self) -> None:
        """Raise `ValueError` for a specification that cannot be met."""
        if not 1 <= self.houses <= MOST_HOUSES:
            raise ValueError(f"from 1 to {MOST_HOUSES} houses, not {self.houses}")
        if not 1 <= self.roofs <= self.houses:
            raise ValueError(f"from 1 to {self.houses} roofs, not {self.roofs}")
        if self.jobs < 1 or self.demand_per_production <= 0 or self.wait_factor <= 0:
            raise ValueError("jobs, demand_per_production and wait_factor are positive")
        if self.weather not in WEATHERS:
            raise ValueError(f"weather is one of {', '.join(WEATHERS)}, not {self.weather!r}")


def neighbourhood(spec: NeighbourhoodSpec) -> Scenario:
    """Return the neighbourhood of a specification; the same seed always gives the same one."""
    day = WeatherDay(SITE, midnight_s(spec.date), draw_cloud_cover(spec.seed, WEATHERS[spec.weather]))
    names = _house_names(spec.houses)
    jobs = _jobs(spec, tuple(names), day)
    roofs = _roofs(spec, tuple(names), day, demand_wh=math.fsum(job.energy_wh for job in jobs))
    return Scenario(
        name=spec.name,
        description=spec.description,
        start_s=day.start_s,
        utc_offset_s=utc_offset_s(day.start_s),
        seed=spec.seed,
        houses=tuple(_house(house, name, jobs, roofs) for house, name in names.items()),
        jobs=tuple(sorted(jobs, key=lambda job: (job.registered_s, job.job_id))),
        producers={
            f"pv-{house}": producer_of(day, roof, delay_min=_cloud_delay_min(tuple(names).index(house)))
            for house, roof in roofs.items()
        },
        tariff=TARIFF,
    )


def scarce(seed: int) -> Scenario:
    """Return a random neighbourhood with scarce production: less than demand in most cases.

    It has 1 to 3 producers, 40 to 100 jobs, a demand of 0.7 to 1.5 times the production, and windows from minutes to
    8 hours.
    """
    rng = Rng(seed, "scarce")
    roofs = rng.integer(1, 3)
    return neighbourhood(
        NeighbourhoodSpec(
            name=f"scarce-{seed}",
            seed=seed,
            houses=rng.integer(6, 16),
            roofs=roofs,
            jobs=rng.integer(25 + 15 * roofs, 55 + 15 * roofs),
            # If no roof could supply even a dishwasher, there would be nothing to decide.
            demand_per_production=rng.uniform(0.72, 1.66 - 0.18 * roofs),
            date=date(2026, rng.integer(4, 9), rng.integer(1, 28)),
            weather=rng.pick(tuple(WEATHERS), (3, 2, 1)),
            wait_factor=rng.log_uniform(0.4, 1.5),
            late_share=rng.uniform(0.0, 0.2),
            description="A neighbourhood with too little sun for all.",
        )
    )


def _house_names(count: int) -> dict[str, str]:
    """Return names by id: street after street, numbers from 1."""
    names = {}
    for i in range(count):
        street, number = _STREETS[i // _HOUSES_A_STREET], i % _HOUSES_A_STREET + 1
        names[f"{street.removesuffix('weg').lower()}-{number}"] = f"{street} {number}"
    return names


def _jobs(spec: NeighbourhoodSpec, houses: tuple[str, ...], day: WeatherDay) -> list[Job]:
    """Draw house, habit and time of each job such that no device has two jobs at the same time."""
    rng = Rng(spec.seed, "jobs")
    habits = (*HABITS, HEATING) if spec.date.month in _COLD_MONTHS else HABITS
    weights = [habit.weight for habit in habits]
    jobs: dict[tuple[str, str], list[Job]] = {}
    for n in range(spec.jobs):
        for _ in range(_TRIES):
            # Every house has at least one job; the rest are distributed at random.
            house = houses[n] if n < len(houses) else rng.pick(houses)
            habit: Habit = rng.pick(habits, weights)
            before = jobs.setdefault((house, habit.device), [])
            job = draw_job(
                rng,
                habit,
                house,
                day.start_s,
                wait_factor=spec.wait_factor,
                late_share=spec.late_share,
            )
            if not any(_may_meet(job, other) for other in before):
                before.append(job)
                break
        else:
            raise ValueError(f"{spec.jobs} jobs are too many for {spec.houses} houses")
    return [job for runs in jobs.values() for job in _numbered(runs)]


def _numbered(runs: list[Job]) -> list[Job]:
    """Make the ids of a device's jobs unique by numbers in the order of the day."""
    in_order = sorted(runs, key=lambda job: job.earliest_start_s)
    ids = [f"{job.job_id}-{n}" for n, job in enumerate(in_order, start=1)]
    return [job.model_copy(update={"job_id": i, "source_id": i}) for i, job in zip(ids, in_order, strict=True)]


def _may_meet(job: Job, other: Job) -> bool:
    """Return whether two jobs can overlap for some starts within their windows."""
    return (
        job.earliest_start_s < other.latest_start_s + other.duration_s
        and other.earliest_start_s < job.latest_start_s + job.duration_s
    )


def _roofs(spec: NeighbourhoodSpec, houses: tuple[str, ...], day: WeatherDay, *, demand_wh: float) -> dict[str, Roof]:
    """Draw roofs of different size and orientation, scaled so that demand is the specified multiple of production."""
    rng = Rng(spec.seed, "roofs")
    planes = {}
    for house in rng.sample(houses, spec.roofs):
        faces_south = rng.chance(0.5)
        azimuth_deg = rng.integer(150, 210) if faces_south else rng.integer(80, 280)
        planes[house] = Roof(tilt_deg=rng.integer(15, 45), azimuth_deg=azimuth_deg, peak_kw=rng.uniform(0.5, 1.5))
    production_wh = math.fsum(
        actual_of(day, roof, delay_min=_cloud_delay_min(houses.index(house))).energy_wh
        for house, roof in planes.items()
    )
    factor = demand_wh / (spec.demand_per_production * production_wh)
    return {
        house: Roof(roof.tilt_deg, roof.azimuth_deg, max(0.1, round(roof.peak_kw * factor, 2)))
        for house, roof in planes.items()
    }


def _cloud_delay_min(place: int) -> int:
    """Return the minutes by which clouds reach this house later than the first one; they pass three houses a minute."""
    return place // 3


def _house(house: str, name: str, jobs: list[Job], roofs: Mapping[str, Roof]) -> House:
    used = {job.device for job in jobs if job.house == house}
    devices = [
        Device(id=habit.device, house=house, type="consumer", name=habit.name, template=habit.device)
        for habit in (*HABITS, HEATING)
        if habit.device in used
    ]
    roof = roofs.get(house)
    if roof is not None:
        panels = f"Panels, {roof.peak_kw} kWp"
        devices.append(Device(id=f"pv-{house}", house=house, type="producer", name=panels, template="pv"))
    return House(id=house, name=name, devices=tuple(devices))
