"""The program's data: the real sun, what could be promised, and every start of every job, minute by minute.

Plans are searched for on whole minutes, the ends of each window and the starts of a given plan; bounds are proven over
every second of the windows (`piece_families`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from agents import Busy, FloatArray, Job, LoadProfile, Run
from scenarios.device_overlaps import jobs_without_room, run_of
from scenarios.metrics import real_production_wh
from scenarios.optimum.linear_pieces import PieceFamily, piece_families_of
from scenarios.optimum.start_grid import BIN_S, TOLERANCE_WH, StartGrid, start_grids_of
from scenarios.scenario import Producer, Scenario


@dataclass(frozen=True)
class OptimumTask:
    """A job as the program sees it."""

    job_id: str
    energy_wh: float
    start_grids: tuple[StartGrid, ...]
    """The starts that plans are made of."""
    piece_families: tuple[PieceFamily, ...]
    """All seconds of its window, for bounds."""
    load: LoadProfile
    run: Run
    """The job as its device sees it."""
    device: str
    """Whose jobs it follows: the id of its consumer; empty if it may run beside them."""


@dataclass(frozen=True)
class Instance:
    """All that the clairvoyant knows, on minute bins aligned to UNIX minutes."""

    start_s: int
    """Beginning of bin 0."""
    producers: tuple[str, ...]
    production_wh: FloatArray
    """What each panel really gives, shape (producers, bins)."""
    limit_wh: FloatArray
    """The most that a producer could promise: the sun, or a forecast that it had in time; shape (producers, bins)."""
    tasks: tuple[OptimumTask, ...]
    """The jobs that the run learns of, whether they fit anywhere or not."""
    busy: Mapping[str, Busy]
    """When devices are taken beside these jobs, UNIX seconds, by the id of their consumer."""

    @cached_property
    def bins(self) -> int:
        """How many minutes."""
        return int(self.production_wh.shape[1])

    @cached_property
    def classes(self) -> tuple[tuple[int, ...], ...]:
        """Indices of producers that are alike in sun and limit, together."""
        alike: dict[bytes, list[int]] = {}
        for p in range(len(self.producers)):
            alike.setdefault(self.production_wh[p].tobytes() + self.limit_wh[p].tobytes(), []).append(p)
        return tuple(tuple(members) for members in alike.values())

    @cached_property
    def forecasts_hold(self) -> bool:
        """Whether no forecast ever promised more than the sun kept."""
        return bool((self.limit_wh <= self.production_wh + TOLERANCE_WH).all())


def instance_of(
    scenario: Scenario,
    *,
    end_s: int | None = None,
    extra_starts_s: Mapping[str, int] | None = None,
    together: Collection[str] = (),
    busy: Mapping[str, Busy] | None = None,
) -> Instance:
    """Return the program's data for a scenario.

    Args:
        scenario: Neighbourhood, jobs and sun.
        end_s: End of the run; None: the scenario's own. Jobs registered later and forecasts issued later do not count.
        extra_starts_s: By job id, a start to consider beside the whole minutes, if it lies in the job's window.
        together: Jobs that may run at the same time as others of their device; those whose windows leave no other way
            may anyway.
        busy: When devices are taken beside the scenario's jobs, UNIX seconds, by the id of their consumer.
    """
    if end_s is None and scenario.days is not None:
        end_s = scenario.start_s + scenario.days * 86_400
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
    """Return the first second at which a job can start: in its window, known, and in the run."""
    return max(job.earliest_start_s, job.registered_s, run_start_s)


def _production_and_limit(producer: Producer, edges_s: FloatArray, end_s: int | None) -> tuple[FloatArray, FloatArray]:
    """Return real and promisable energy by bin, shape (bins,) each."""
    issued = [prediction for prediction in producer.predictions if end_s is None or prediction.issued_s <= end_s]
    last_s = max((prediction.issued_s for prediction in issued), default=0)
    production_wh = real_production_wh(Producer(tuple(issued), producer.actual), edges_s, last_s)
    limit_wh = production_wh.copy()
    for prediction in issued:
        known_wh = real_production_wh(Producer(tuple(issued)), edges_s, prediction.issued_s)
        # A job is promised before its minutes are over, so a forecast that came later promised none of them.
        limit_wh = np.where(edges_s[1:] > prediction.issued_s, np.maximum(limit_wh, known_wh), limit_wh)
    return production_wh, limit_wh


def _task(job: Job, run_start_s: int, begin_s: int, extra_start_s: int | None, device: str) -> OptimumTask:
    first_s, last_s = earliest_possible_s(job, run_start_s), job.latest_start_s
    if last_s < first_s:
        return OptimumTask(job.job_id, job.energy_wh, (), (), job.load_profile, run_of(job, run_start_s), device="")
    ends = {first_s, last_s}
    singles = ends if extra_start_s is None or not first_s <= extra_start_s <= last_s else ends | {extra_start_s}
    return OptimumTask(
        job_id=job.job_id,
        energy_wh=job.energy_wh,
        start_grids=start_grids_of(job.load_profile, begin_s, (first_s, last_s), singles),
        piece_families=piece_families_of(job.load_profile, begin_s, (first_s, last_s)),
        load=job.load_profile,
        run=run_of(job, run_start_s),
        device=device,
    )
