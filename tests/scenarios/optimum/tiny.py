"""Neighbourhoods small enough that every plan can be tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product

from hypothesis import strategies as st

from agents.energy import Prediction
from agents.model import Job
from scenarios.optimum.feasibility import delivered_wh, plan_problems
from scenarios.scenario import ProducerSeries, Scenario
from tests.scenarios.neighbourhoods import START_S, forecast, job, load, neighbourhood, sun

HOUR_S = 3600
DAY = sun((0, 0.0), (24 * HOUR_S, 24_000.0))
"""1 kW all day."""
WASH = load((0, 0.0), (HOUR_S, 900.0))
"""900 W for an hour."""


def street(producers: Mapping[str, ProducerSeries], *jobs: Job) -> Scenario:
    """Return a house with these producers, and jobs of its machine."""
    return neighbourhood({"1": producers}, jobs)


def at_hours(*hours: tuple[float, float]) -> tuple[Job, ...]:
    """Return washes with windows in hours since the start."""
    return tuple(
        job(f"wash-{i}", "1", WASH, (round(first * HOUR_S), round(last * HOUR_S)))
        for i, (first, last) in enumerate(hours)
    )


def every_second(jobs: Iterable[Job]) -> dict[str, list[int]]:
    """Return all starts of each job."""
    return {job.job_id: list(range(job.earliest_start_s, job.latest_start_s + 1)) for job in jobs}


@st.composite
def tiny(draw: st.DrawFn, window_s: int) -> Scenario:
    """Draw one or two producers and up to three jobs that rise and fall at any second, minutes long."""
    watts = draw(st.lists(st.integers(20, 200), min_size=1, max_size=2))
    producers = {}
    for i, watt in enumerate(watts):
        seam = draw(st.integers(60, 500))
        later_wh = draw(st.integers(5, 60))
        real = sun((0, 0.0), (seam, watt * seam / 3600), (900, watt * seam / 3600 + later_wh))
        hoped = sun((0, 0.0), (900, watt * draw(st.floats(0.5, 2.0)) / 4))
        first = Prediction(issued_s=START_S, production=hoped)
        producers[f"pv-{i}"] = ProducerSeries((first,), real) if draw(st.booleans()) else forecast(real)
    jobs = []
    for i in range(draw(st.integers(1, 3))):
        first_s, second_s = draw(st.integers(20, 90)), draw(st.integers(20, 90))
        wh = draw(st.integers(1, 8))
        profile = load((0, 0.0), (first_s, wh), (first_s + second_s, wh + draw(st.integers(0, 5))))
        opens_s = draw(st.integers(0, 200))
        jobs.append(job(f"job-{i}", "1", profile, (opens_s, opens_s + draw(st.integers(0, window_s)))))
    return street(producers, *jobs)


def best_by_force(scenario: Scenario, starts_s: Mapping[str, list[int]], *, carried: bool) -> float:
    """Return the most that any plan delivers, all of them tried: carried in full, or as it could be promised."""
    options = [
        [None, *((producer, s) for producer in scenario.producers for s in starts_s[job.job_id])]
        for job in scenario.jobs
    ]
    best_wh = 0.0
    for choice in product(*options):
        plan = {job.job_id: place for job, place in zip(scenario.jobs, choice, strict=True) if place is not None}
        energy_wh = sum(job.energy_wh for job in scenario.jobs if job.job_id in plan)
        if energy_wh <= best_wh or plan_problems(scenario, plan):
            continue
        real_wh = delivered_wh(scenario, plan)
        if not carried or real_wh > energy_wh - 1e-5:
            best_wh = max(best_wh, real_wh)
    return best_wh
