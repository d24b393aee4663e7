"""Data of the optimisation problem: production, limits, and every start of every job, minute by minute.

Plans are searched for among whole minutes, the ends of each window and the starts of a given plan. Bounds are proven
over every second of the windows (`scenarios.optimum.starts`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from agents import Busy, FloatArray, Job, LoadProfile, PendingRun
from scenarios.base_load import net_of_base_loads
from scenarios.device_overlaps import jobs_without_room, pending_run_of
from scenarios.metrics import most_supplied_wh, real_production_wh
from scenarios.optimum.starts import BIN_S, TOLERANCE_WH, PieceFamily, StartGrid, piece_families_of, start_grids_of
from scenarios.scenario import ProducerSeries, Scenario


@dataclass(frozen=True)
class OptimumTask:
    """A job in the optimisation problem."""

    job_id: str
    energy_wh: float
    """The value of placing it; its energy unless a planner adds a bonus."""
    start_grids: tuple[StartGrid, ...]
    """The candidate starts of plans."""
    piece_families: tuple[PieceFamily, ...]
    """Every second of its window, for bounds."""
    load: LoadProfile
    """Its draw; times are seconds since its start."""
    run: PendingRun
    """The job as its device's calendar sees it."""
    device: str
    """Agent id of its consumer, whose tasks run one at a time; empty if the task may run at the same time as others."""


@dataclass(frozen=True)
class Instance:
    """Everything that the clairvoyant knows, on minute bins aligned to UNIX minutes."""

    start_s: int
    """Beginning of bin 0, UNIX seconds."""
    producers: tuple[str, ...]
    """Producer ids, in the order of the rows below."""
    production_wh: FloatArray
    """Actual production, Wh, shape (producers, bins)."""
    limit_wh: FloatArray
    """What a producer could promise at most, its production or a forecast it had in time, Wh, shape (producers,
    bins)."""
    tasks: tuple[OptimumTask, ...]
    """Jobs that are registered before the run ends, whether they fit anywhere or not."""
    busy: Mapping[str, Busy]
    """When devices are busy with other jobs, UNIX seconds, by the agent id of the consumer."""

    @cached_property
    def bins(self) -> int:
        """Number of one-minute bins that the instance covers."""
        return int(self.production_wh.shape[1])

    @cached_property
    def classes(self) -> tuple[tuple[int, ...], ...]:
        """Indices of producers, grouped by identical production and limit."""
        alike: dict[bytes, list[int]] = {}
        for p in range(len(self.producers)):
            alike.setdefault(self.production_wh[p].tobytes() + self.limit_wh[p].tobytes(), []).append(p)
        return tuple(tuple(members) for members in alike.values())

    @cached_property
    def possible_wh(self) -> float:
        """Upper bound on what panels can supply to jobs that may be interrupted (`possible_wh` of a run), Wh."""
        windows = []
        for task in self.tasks:
            first_s, last_s = sorted((task.run.earliest_start_s, task.run.latest_start_s))
            end_s = last_s + task.run.duration_s
            windows.append(((first_s - self.start_s) // BIN_S, -((self.start_s - end_s) // BIN_S), task.load))
        demand_wh = sum(task.energy_wh for task in self.tasks)
        return min(demand_wh, most_supplied_wh(self.production_wh.sum(axis=0), windows))

    @cached_property
    def forecasts_hold(self) -> bool:
        """Whether no forecast ever exceeded the actual production."""
        return bool((self.limit_wh <= self.production_wh + TOLERANCE_WH).all())


def instance_of(
    scenario: Scenario,
    *,
    end_s: int | None = None,
    extra_starts_s: Mapping[str, int] | None = None,
    together: Collection[str] = (),
    busy: Mapping[str, Busy] | None = None,
) -> Instance:
    """Return the optimisation problem of a scenario.

    Args:
        scenario: Neighbourhood, jobs and production.
        end_s: End of the run, UNIX seconds; None: the scenario's own. Later jobs and forecasts are left out.
        extra_starts_s: By job id, a start to consider in addition to whole minutes, if it is in the job's window.
        together: Ids of jobs that may run at the same time as others of their device. Jobs whose windows leave no other
            way always may.
        busy: When devices are busy with jobs outside the scenario, UNIX seconds, by the agent id of the consumer.
    """
    scenario = net_of_base_loads(scenario, end_s)
    if end_s is None and scenario.days is not None:
        end_s = scenario.end_s(scenario.days)
    jobs = [job for job in scenario.jobs if end_s is None or job.registered_s <= end_s]
    begin_s = scenario.start_s // BIN_S * BIN_S
    last_s = max((job.latest_start_s + job.duration_s for job in jobs), default=begin_s)
    bins = max(1, -((begin_s - last_s) // BIN_S) + 1)
    edges_s = begin_s + BIN_S * np.arange(bins + 1, dtype=np.float64)
    ids = tuple(sorted(scenario.producers))
    shape = (len(ids), bins)
    production_wh, limit_wh = np.zeros(shape), np.zeros(shape)
    for p, producer in enumerate(ids):
        production_wh[p], limit_wh[p] = _production_and_limit(scenario.producers[producer], edges_s, end_s)
    extra = extra_starts_s or {}
    free = {*together, *(job.job_id for job in jobs_without_room(jobs, scenario.start_s, busy))}
    tasks = tuple(
        _task(job, scenario.start_s, begin_s, extra.get(job.job_id), "" if job.job_id in free else job.agent)
        for job in jobs
    )
    return Instance(
        start_s=begin_s, producers=ids, production_wh=production_wh, limit_wh=limit_wh, tasks=tasks, busy=busy or {}
    )


def earliest_possible_s(job: Job, run_start_s: int) -> int:
    """Return the first second at which a job can start: in its window, registered, and within the run."""
    return max(job.earliest_start_s, job.registered_s, run_start_s)


def _production_and_limit(
    producer: ProducerSeries, edges_s: FloatArray, end_s: int | None
) -> tuple[FloatArray, FloatArray]:
    """Return actual production and promisable energy by bin, Wh, shape (bins,) each."""
    issued = [prediction for prediction in producer.predictions if end_s is None or prediction.issued_s <= end_s]
    last_s = max((prediction.issued_s for prediction in issued), default=0)
    production_wh = real_production_wh(ProducerSeries(tuple(issued), producer.actual), edges_s, last_s)
    limit_wh = production_wh.copy()
    for prediction in issued:
        known_wh = real_production_wh(ProducerSeries(tuple(issued)), edges_s, prediction.issued_s)
        # A job is promised before its minutes are over, so a forecast that came later promised none of them.
        limit_wh = np.where(edges_s[1:] > prediction.issued_s, np.maximum(limit_wh, known_wh), limit_wh)
    return production_wh, limit_wh


def _task(job: Job, run_start_s: int, begin_s: int, extra_start_s: int | None, device: str) -> OptimumTask:
    first_s, last_s = earliest_possible_s(job, run_start_s), job.latest_start_s
    if last_s < first_s:
        return OptimumTask(
            job.job_id, job.energy_wh, (), (), job.load_profile, pending_run_of(job, run_start_s), device=""
        )
    ends = {first_s, last_s}
    singles = ends if extra_start_s is None or not first_s <= extra_start_s <= last_s else ends | {extra_start_s}
    return OptimumTask(
        job_id=job.job_id,
        energy_wh=job.energy_wh,
        start_grids=start_grids_of(job.load_profile, begin_s, (first_s, last_s), singles),
        piece_families=piece_families_of(job.load_profile, begin_s, (first_s, last_s)),
        load=job.load_profile,
        run=pending_run_of(job, run_start_s),
        device=device,
    )
