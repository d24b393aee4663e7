"""Rolling-horizon planner: how well one could do without knowing the future.

Whenever a job is registered or a forecast is issued, it plans again, with the same search as the clairvoyant optimum
but with the jobs and forecasts known by then. Contracts stand: a job with a contract stays with its producer and may
move within its window until it starts; it loses its contract only if the newest forecast no longer covers it. A job
without a feasible start waits while its window lasts. The gap between this planner and the clairvoyant optimum is the
value of knowledge; the gap between a negotiation and this planner is the value of search.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from random import Random

import numpy as np

from agents import Job
from agents.scheduling import one_blas_thread
from scenarios.optimum.instance import Instance, OptimumTask, instance_of
from scenarios.optimum.large_neighbourhood_search import fill, improve, tightest
from scenarios.optimum.partial_schedule import PartialSchedule, Placement, PlacementOptions
from scenarios.optimum.starts import BIN_S
from scenarios.scenario import ProducerSeries, Scenario

ContractsByJob = dict[str, tuple[str, int]]
"""Producer and start by job id."""


@one_blas_thread()
def plan_rolling_horizon(
    scenario: Scenario, *, rounds: int = 100, end_s: int | None = None
) -> Mapping[str, tuple[str, int]]:
    """Return the contracts of a planner that knows at any time what the neighbourhood knows.

    Args:
        scenario: Neighbourhood, jobs and production.
        rounds: Search rounds at each event that leaves a job without a placement.
        end_s: End of the run, UNIX seconds; None: the scenario's own. Later jobs and forecasts are left out.

    Returns:
        Producer and start (UNIX seconds) by job id.
    """
    if end_s is None and scenario.days is not None:
        end_s = scenario.end_s(scenario.days)
    contracts: ContractsByJob = {}
    rng = Random(scenario.seed)
    for now_s in _event_times_s(scenario, end_s):
        known = [job for job in scenario.jobs if job.registered_s <= now_s]
        open_ = [job for job in known if job.job_id not in contracts or contracts[job.job_id][1] > now_s]
        open_ = [job for job in open_ if job.latest_start_s >= now_s]
        started = [job for job in known if job.job_id in contracts and contracts[job.job_id][1] <= now_s]
        standing = {job.job_id: contracts[job.job_id] for job in open_ if job.job_id in contracts}
        for job_id in standing:
            del contracts[job_id]
        contracts.update(
            _planned(_as_known(scenario, open_, started, contracts, now_s, standing), standing, rounds, rng)
        )
    return contracts


def _event_times_s(scenario: Scenario, end_s: int | None) -> Iterator[int]:
    """Yield the times of registrations and forecasts in order, UNIX seconds."""
    issued = {p.issued_s for producer in scenario.producers.values() for p in producer.predictions}
    times_s = {max(scenario.start_s, time_s) for time_s in issued | {job.registered_s for job in scenario.jobs}}
    return (time_s for time_s in sorted(times_s) if end_s is None or time_s <= end_s)


def _as_known(
    scenario: Scenario,
    open_: list[Job],
    started: list[Job],
    contracts: ContractsByJob,
    now_s: int,
    standing: ContractsByJob,
) -> Instance:
    """Return the optimisation problem as it is known at `now_s`, less what is running already."""
    forecasts = {
        producer: ProducerSeries(tuple(p for p in of.predictions if p.issued_s <= now_s))
        for producer, of in scenario.producers.items()
    }
    scene = replace(scenario, start_s=now_s, days=None, jobs=tuple(open_), producers=forecasts)
    busy: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for job in started:
        start_s = contracts[job.job_id][1]
        busy[job.agent].append((start_s, start_s + job.duration_s))
    extra_starts_s = {job: start_s for job, (_, start_s) in standing.items()}
    instance = instance_of(scene, extra_starts_s=extra_starts_s, busy=busy)
    edges_s = instance.start_s + BIN_S * np.arange(instance.bins + 1, dtype=np.float64)
    # By the newest forecast, not by the highest of all forecasts: a planner believes the newest.
    room_wh = instance.production_wh.copy()
    for job in started:
        producer, start_s = contracts[job.job_id]
        room_wh[instance.producers.index(producer)] -= job.load_profile.energy_per_bin_wh(edges_s - start_s)
    # A standing promise is worth more than any that could replace it.
    bonus_wh = sum(job.energy_wh for job in open_)
    tasks = tuple(_worth(task, bonus_wh if task.job_id in standing else 0.0) for task in instance.tasks)
    return replace(instance, production_wh=np.maximum(0.0, room_wh), tasks=tasks)


def _worth(task: OptimumTask, bonus_wh: float) -> OptimumTask:
    return replace(task, energy_wh=task.energy_wh + bonus_wh)


def _planned(instance: Instance, standing: ContractsByJob, rounds: int, rng: Random) -> ContractsByJob:
    """Return the best contracts found, starting from the standing ones."""
    options = PlacementOptions(instance)
    for i in list(options.placeable):
        task = instance.tasks[i]
        if task.job_id in standing:
            stays = instance.producers.index(standing[task.job_id][0])
            options.candidates[i] = [candidate for candidate in options.candidates[i] if candidate.producer == stays]
            if not options.candidates[i]:
                options.placeable.remove(i)
    schedule = PartialSchedule(options)
    for i in options.placeable:
        job_id = instance.tasks[i].job_id
        if job_id in standing and (placement := options.find(i, *standing[job_id])) and schedule.has_room(i, placement):
            schedule.insert(i, placement)
    fill(schedule, [i for i in options.placeable if i not in schedule.placed], tightest)
    left = rounds

    def stop(best: PartialSchedule) -> bool:
        nonlocal left
        left -= 1
        return left < 0 or len(best.placed) == len(options.placeable)

    best = improve([schedule], np.zeros_like(instance.production_wh), rng, stop=stop)
    return {instance.tasks[i].job_id: _contract(instance, placement) for i, placement in best.placed.items()}


def _contract(instance: Instance, placement: Placement) -> tuple[str, int]:
    return instance.producers[placement.producer], placement.start_s(instance)
