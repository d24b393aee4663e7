"""Independent check of a plan: its rules and the energy that it delivers, computed from the scenario only."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise

import numpy as np

from agents import GRID, Contract, FloatArray, Job, Outlook, can_run_in_sequence
from scenarios.device_overlaps import jobs_without_room, overlapping, pending_run_of
from scenarios.scenario import ProducerSeries, Scenario

BIN_S = 60
TOLERANCE_WH = 1e-6
"""Tolerance of one bin, as for promises."""

SupplyPlan = Mapping[str, tuple[str, int]]
"""Producer and start (UNIX seconds) by job id; a job without an entry runs on grid power. With shared supply all jobs
have an entry, and the producer is empty."""


def plan_problems(
    scenario: Scenario, plan: SupplyPlan, *, end_s: int | None = None, together: Collection[str] = ()
) -> list[str]:
    """Return the rules that a plan breaks, in words; empty if it keeps them all.

    Every job starts within its window, not before it is registered, on an existing producer. No producer is asked for
    more in any minute than it could have promised: its actual production, or a forecast that it had. Jobs of one device
    follow one another and leave room for those on grid power to do so as well.

    Args:
        scenario: Neighbourhood, jobs and production.
        plan: The plan to check.
        end_s: End of the run, UNIX seconds; None: the scenario's own.
        together: Ids of jobs that may overlap others of their device, as jobs whose windows leave no other way always
            may.
    """
    jobs = {job.job_id: job for job in scenario.jobs}
    problems = []
    for job_id, (producer, start_s) in sorted(plan.items()):
        job = jobs.get(job_id)
        if job is None:
            problems.append(f"{job_id}: no such job")
        elif producer not in scenario.producers:
            problems.append(f"{job_id}: no such producer: {producer}")
        elif not max(job.earliest_start_s, job.registered_s, scenario.start_s) <= start_s <= job.latest_start_s:
            problems.append(f"{job_id}: start {start_s} is outside its window or before it is registered")
    if problems:
        return problems
    first_s, edges_s = _edges(scenario, plan, jobs)
    for producer, load_wh in _loads(plan, jobs, edges_s).items():
        known = scenario.producers[producer]
        over = load_wh > _promisable_wh(known, edges_s, _run_end_s(scenario, end_s)) + 2 * TOLERANCE_WH
        problems += [
            f"{producer}: more than it could promise at {first_s + BIN_S * int(t)}" for t in np.flatnonzero(over)
        ]
    return problems + _device_problems(scenario, plan, end_s, together)


def start_problems(
    scenario: Scenario,
    starts_s: Mapping[str, int],
    *,
    end_s: int | None = None,
    together: Collection[str] = (),
    given_starts_s: Mapping[str, Collection[int]] | None = None,
) -> list[str]:
    """Return the rules that a plan for shared supply breaks, in words; empty if it keeps them all.

    Every job that is registered before the run ends has a start: within its window and not before it is registered, or
    at once if its window is over by then. Jobs of one device follow one another.

    Args:
        scenario: Neighbourhood, jobs and production.
        starts_s: The plan: the start of each job, by job id, UNIX seconds.
        end_s: End of the run, UNIX seconds; None: the scenario's own.
        together: As in `plan_problems`.
        given_starts_s: Starts that are valid regardless of the window, because a run started the job then.
    """
    until_s = _run_end_s(scenario, end_s)
    known = {job.job_id: job for job in scenario.jobs if until_s is None or job.registered_s <= until_s}
    problems = [f"{job_id}: no such job" for job_id in sorted(starts_s.keys() - known.keys())]
    problems += [f"{job_id}: no start" for job_id in sorted(known.keys() - starts_s.keys())]
    outside = set()
    for job_id in sorted(known.keys() & starts_s.keys()):
        job, start_s = known[job_id], starts_s[job_id]
        first_s = max(job.earliest_start_s, job.registered_s, scenario.start_s)
        if not first_s <= start_s <= max(first_s, job.latest_start_s):
            outside.add(job_id)
            if start_s not in (given_starts_s or {}).get(job_id, ()):
                problems.append(f"{job_id}: start {start_s} is outside its window or before it is registered")
    if problems:
        return problems
    plan = {job_id: ("", start_s) for job_id, start_s in starts_s.items()}
    return _device_problems(scenario, plan, end_s, {*together, *outside})


def overlapping_jobs(scenario: Scenario, starts_s: Mapping[str, int]) -> frozenset[str]:
    """Return the jobs of a plan that start while another job of their device runs.

    Args:
        scenario: Neighbourhood and jobs.
        starts_s: Starts by job id, UNIX seconds.
    """
    jobs = {job.job_id: job for job in scenario.jobs}
    placed = [
        Contract(contract_id="", job_id=job_id, producer=GRID, start_s=start_s, agreed_s=0, energy_wh=0.0)
        for job_id, start_s in starts_s.items()
    ]
    return frozenset(later.job_id for _, later in overlapping(jobs, placed))


def _device_problems(scenario: Scenario, plan: SupplyPlan, end_s: int | None, together: Collection[str]) -> list[str]:
    end_s = _run_end_s(scenario, end_s)
    known = [job for job in scenario.jobs if end_s is None or job.registered_s <= end_s]
    free = {*together, *(job.job_id for job in jobs_without_room(known, scenario.start_s))}
    by_device: dict[str, list[Job]] = defaultdict(list)
    for job in known:
        if job.job_id not in free and max(job.registered_s, scenario.start_s) <= job.latest_start_s:
            by_device[job.agent].append(job)
    problems = []
    for device, jobs in by_device.items():
        placed = sorted((plan[job.job_id][1], job.job_id, job.duration_s) for job in jobs if job.job_id in plan)
        problems += [
            f"{after[1]}: starts while {before[1]} runs on the same device"
            for before, after in pairwise(placed)
            if after[0] < before[0] + before[2]
        ]
        others = [pending_run_of(job, scenario.start_s) for job in jobs if job.job_id not in plan]
        if not can_run_in_sequence(others, [(start_s, start_s + duration_s) for start_s, _, duration_s in placed]):
            problems.append(f"{device}: its jobs on grid power find no room beside those that are placed")
    return problems


def delivered_wh(scenario: Scenario, plan: SupplyPlan, *, end_s: int | None = None) -> float:
    """Return the energy that a plan delivers: in each minute and producer, the lesser of production and its jobs' draw.

    Args:
        scenario: Neighbourhood, jobs and production.
        plan: The plan.
        end_s: End of the run, UNIX seconds; None: the scenario's own. Forecasts issued later do not count.
    """
    jobs = {job.job_id: job for job in scenario.jobs}
    _, edges_s = _edges(scenario, plan, jobs)
    end = _run_end_s(scenario, end_s)
    return float(
        sum(
            np.minimum(load_wh, _production_wh(scenario.producers[producer], edges_s, end)).sum()
            for producer, load_wh in _loads(plan, jobs, edges_s).items()
        )
    )


def pooled_wh(scenario: Scenario, starts_s: Mapping[str, int], *, end_s: int | None = None) -> float:
    """Return the energy that a plan for shared supply delivers: in each minute, the lesser of all production and draw.

    Args:
        scenario: Neighbourhood, jobs and production.
        starts_s: The start of each job, by job id, UNIX seconds.
        end_s: End of the run, UNIX seconds; None: the scenario's own. Forecasts issued later do not count.
    """
    jobs = {job.job_id: job for job in scenario.jobs}
    plan = {job_id: ("", start_s) for job_id, start_s in starts_s.items()}
    _, edges_s = _edges(scenario, plan, jobs)
    end = _run_end_s(scenario, end_s)
    sun_wh = sum((_production_wh(of, edges_s, end) for of in scenario.producers.values()), np.zeros(len(edges_s) - 1))
    return float(sum(np.minimum(load_wh, sun_wh).sum() for load_wh in _loads(plan, jobs, edges_s).values()))


def _edges(scenario: Scenario, plan: SupplyPlan, jobs: Mapping[str, Job]) -> tuple[int, FloatArray]:
    first_s = scenario.start_s // BIN_S * BIN_S
    last_s = max((start_s + jobs[job_id].duration_s for job_id, (_, start_s) in plan.items()), default=first_s)
    bins = 1 + (last_s - first_s) // BIN_S
    return first_s, first_s + BIN_S * np.arange(bins + 1, dtype=np.float64)


def _loads(plan: SupplyPlan, jobs: Mapping[str, Job], edges_s: FloatArray) -> dict[str, FloatArray]:
    loads: dict[str, FloatArray] = defaultdict(lambda: np.zeros(len(edges_s) - 1))
    for job_id, (producer, start_s) in plan.items():
        loads[producer] = loads[producer] + jobs[job_id].load_profile.energy_per_bin_wh(edges_s - start_s)
    return loads


def _run_end_s(scenario: Scenario, end_s: int | None) -> int | None:
    if end_s is not None or scenario.days is None:
        return end_s
    return scenario.end_s(scenario.days)


def _stages(producer: ProducerSeries, end_s: int | None) -> Iterator[tuple[int, Outlook]]:
    """Yield the combined forecast after each time of issue; built up one by one, as a year has many."""
    known: Outlook | None = None
    for prediction in producer.predictions:
        if end_s is None or prediction.issued_s <= end_s:
            newer = prediction.production
            known = Outlook.of(newer) if known is None else known.continued_by(newer)
            yield prediction.issued_s, known


def _production_wh(producer: ProducerSeries, edges_s: FloatArray, end_s: int | None) -> FloatArray:
    if producer.actual is not None:
        return producer.actual.energy_per_bin_wh(edges_s)
    last = deque(_stages(producer, end_s), maxlen=1)
    return last[0][1].energy_per_bin_wh(edges_s) if last else np.zeros(len(edges_s) - 1)


def _promisable_wh(producer: ProducerSeries, edges_s: FloatArray, end_s: int | None) -> FloatArray:
    most_wh = _production_wh(producer, edges_s, end_s)
    for issued_s, outlook in _stages(producer, end_s):
        first = int(np.searchsorted(edges_s[1:], issued_s, side="right"))
        later_s = edges_s[first:]
        most_wh[first:] = np.maximum(most_wh[first:], outlook.energy_per_bin_wh(later_s))
    return most_wh
