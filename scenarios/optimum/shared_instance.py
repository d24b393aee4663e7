"""Data of the optimisation problem of shared supply: all panels together, and every start of every job, by minute.

With shared supply the panels cover a job together, minute by minute, and the grid supplies the rest. So it does not
matter which panel supplies what: a plan is a start for each job, and delivers in each minute the lesser of what all
panels produce and what all jobs draw.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from agents import FloatArray, Job, LoadProfile, PendingRun
from scenarios.device_overlaps import jobs_without_room, pending_run_of
from scenarios.metrics import most_supplied_wh, real_production_wh
from scenarios.optimum.starts import BIN_S, PieceFamily, StartGrid, piece_families_of, single_start, start_grids_of
from scenarios.scenario import Scenario


@dataclass(frozen=True)
class SharedTask:
    """A job in the optimisation problem of shared supply."""

    job_id: str
    energy_wh: float
    start_grids: tuple[StartGrid, ...]
    """The candidate starts of plans: whole minutes, the ends of the window, and given starts. There is at least one,
    because a job whose window is over when the run starts runs at once."""
    piece_families: tuple[PieceFamily, ...]
    """Every second of its window, for bounds."""
    load: LoadProfile
    """Its draw; times are seconds since its start."""
    run: PendingRun
    """The job as its device's calendar sees it."""
    device: str
    """Agent id of its consumer, whose tasks run one at a time; empty if the task may run at the same time as others."""

    @cached_property
    def starts(self) -> int:
        """Number of candidate starts."""
        return sum(grid.count for grid in self.start_grids)


@dataclass(frozen=True)
class SharedInstance:
    """Everything that the clairvoyant knows, in minute bins aligned to UNIX minutes."""

    start_s: int
    """Beginning of bin 0, UNIX seconds."""
    production_wh: FloatArray
    """Actual production of all panels together, Wh, shape (bins,)."""
    tasks: tuple[SharedTask, ...]
    """Jobs that are registered before the run ends."""

    @property
    def demand_wh(self) -> float:
        """Total draw of all jobs, Wh."""
        return sum(task.energy_wh for task in self.tasks)

    @property
    def possible_wh(self) -> float:
        """Upper bound on what panels can supply to jobs that may be interrupted (`possible_wh` of a run), Wh."""
        windows = (
            (
                min(grid.first_bin for grid in task.start_grids),
                max(grid.first_bin + grid.count - 1 + len(grid.draw_wh) for grid in task.start_grids),
                task.load,
            )
            for task in self.tasks
        )
        return min(self.demand_wh, most_supplied_wh(self.production_wh, windows))


def shared_instance_of(
    scenario: Scenario,
    *,
    end_s: int | None = None,
    given_starts_s: Mapping[str, Collection[int]] | None = None,
    together: Collection[str] = (),
) -> SharedInstance:
    """Return the optimisation problem of a scenario under shared supply.

    Args:
        scenario: Neighbourhood, jobs and production.
        end_s: End of the run, UNIX seconds; None: the scenario's own. Later jobs and forecasts are left out.
        given_starts_s: By job id, starts to consider besides the whole minutes, UNIX seconds.
        together: Ids of jobs that may run at the same time as others of their device. Jobs whose windows leave no
            other way always may.
    """
    if end_s is None and scenario.days is not None:
        end_s = scenario.end_s(scenario.days)
    given = given_starts_s or {}
    jobs = [job for job in scenario.jobs if end_s is None or job.registered_s <= end_s]
    begin_s = scenario.start_s // BIN_S * BIN_S
    free = {*together, *(job.job_id for job in jobs_without_room(jobs, scenario.start_s))}
    tasks = tuple(
        _task(job, scenario.start_s, begin_s, given.get(job.job_id, ()), is_free=job.job_id in free) for job in jobs
    )
    bins = 1 + max((_end_bin(task) for task in tasks), default=0)
    edges_s = begin_s + BIN_S * np.arange(bins + 1, dtype=np.float64)
    production_wh = np.zeros(bins)
    for _, producer in sorted(scenario.producers.items()):
        production_wh += real_production_wh(producer, edges_s, end_s)
    return SharedInstance(start_s=begin_s, production_wh=production_wh, tasks=tasks)


def windows_of(by_bin: FloatArray, first_bin: int, count: int, width: int) -> FloatArray:
    """Return a view of the bins under each of some starts that lie one bin apart.

    Args:
        by_bin: A value for each bin, shape (bins,).
        first_bin: Bin of the first start.
        count: Number of starts.
        width: Number of bins under each start.

    Returns:
        The values, shape (count, width).
    """
    return sliding_window_view(by_bin[first_bin : first_bin + count + width - 1], width)


def _end_bin(task: SharedTask) -> int:
    """Return the bin after the last one in which any start of a task can draw."""
    grids = (grid.first_bin + grid.count + len(grid.draw_wh) for grid in task.start_grids)
    families = (family.first_bin + family.count + len(family.left_wh) for family in task.piece_families)
    return max(*grids, *families)


def _task(job: Job, run_start_s: int, begin_s: int, given_s: Collection[int], *, is_free: bool) -> SharedTask:
    run = pending_run_of(job, run_start_s)
    is_late = run.latest_start_s < run.earliest_start_s
    first_s, last_s = run.earliest_start_s, max(run.earliest_start_s, run.latest_start_s)
    load, inside_s = job.load_profile, {start_s for start_s in given_s if first_s <= start_s <= last_s}
    # A run may have started a job after its window, because its household was away.
    outside_s = sorted(start_s for start_s in given_s if start_s > last_s)
    return SharedTask(
        job_id=job.job_id,
        energy_wh=job.energy_wh,
        start_grids=(
            *start_grids_of(load, begin_s, (first_s, last_s), {first_s, last_s, *inside_s}),
            *(single_start(load, begin_s, start_s) for start_s in outside_s),
        ),
        piece_families=(
            *piece_families_of(load, begin_s, (first_s, last_s)),
            *(family for start_s in outside_s for family in piece_families_of(load, begin_s, (start_s, start_s))),
        ),
        load=load,
        run=run,
        device="" if is_free or is_late or outside_s else job.agent,
    )
