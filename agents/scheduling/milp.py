"""Exact scheduling: a mixed-integer linear program, solved by HiGHS, over the new task and all unstarted ones.

Time-indexed formulation: one binary variable per task and start. Each task has exactly one start; in no minute do the
chosen starts draw more than is free. The objective is to use production as early as possible (energy times delay),
because production that has passed is lost, while future production may still serve jobs that are not known yet.

Effort is limited by counted work only: nodes of the search tree and nonzeros of the matrix. If all candidate starts
would exceed the limit on nonzeros, they are thinned out evenly; the starts found by `place_by_insertion` are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from typing_extensions import override

from agents.energy import FloatArray
from agents.scheduling.blas_threads import one_blas_thread
from agents.scheduling.insertion import Insertion, place_by_insertion
from agents.scheduling.problem import ProducerState, Rejection, Schedule, Task
from agents.scheduling.time_grid import BIN_S, SEARCH_TOLERANCE_WH, Grid, IntArray, StartGroup, explain_rejection, fits

MAX_ENTRIES = 6_000
"""Limit on nonzeros of the matrix: starts times the minutes that each touches."""
WH_PER_KWH = 1000.0
"""HiGHS has absolute tolerances of 1e-6. In Wh, it considers its own rounding errors worth repairing, which is slow and
writes to standard output; violations that it tolerates in kWh are caught by checking the schedule.
"""
THINNED_GAP = 0.02
"""Relative optimality gap when starts are thinned out; among all starts, the schedule is optimal."""


@dataclass(frozen=True, slots=True)
class Exact(Insertion):
    """The scheduler `exact`: a mixed-integer program with a node limit, solved by HiGHS."""

    node_limit: int
    """Limit on nodes of the search tree per decision."""

    @property
    @override
    def is_heavy(self) -> bool:
        return True

    @one_blas_thread()
    def place(self, state: ProducerState, task: Task, rng: Random) -> Schedule | Rejection:  # noqa: ARG002 - not random
        """See `Scheduler.place` (`state`, `task`, `rng`); never worse than `place_by_insertion`, at any node limit."""
        grid = Grid.of(state, task)
        running_s = {c.task.job_id: c.start_s for c in state.committed if c.start_s <= state.now_s}
        unstarted = [c for c in state.committed if c.start_s > state.now_s]
        tasks = [*(c.task for c in unstarted), task]
        known = place_by_insertion(state, task)
        keep_s = {c.task.job_id: c.start_s for c in unstarted} | dict(
            known.starts_s if isinstance(known, Schedule) else {}
        )
        program = _Program.of(grid, tasks, keep_s)
        found_s = program.solve(self.node_limit) if program is not None else None
        # The solver may return a slightly infeasible solution, so promises are checked.
        schedules = [] if found_s is None else [Schedule(running_s | found_s)]
        schedules = [schedule for schedule in schedules if fits(state, task, schedule.starts_s)]
        if isinstance(known, Schedule):
            schedules.append(known)
        if not schedules:
            return explain_rejection(grid, grid.remaining_beside(unstarted), task)
        return min(schedules, key=lambda schedule: delay_wh_s(tasks, schedule.starts_s, state.now_s))


def delay_wh_s(tasks: Sequence[Task], starts_s: Mapping[str, int], now_s: int) -> float:
    """Return the objective of a schedule: the sum of each task's energy times its delay, Wh s.

    Args:
        tasks: The tasks.
        starts_s: By job id, their starts, UNIX seconds.
        now_s: Delays count from here, UNIX seconds.
    """
    return sum(task.load.energy_wh * (starts_s[task.job_id] - now_s) for task in tasks)


@dataclass(frozen=True, slots=True)
class _Column:
    """Some starts of one task, each of which is a variable."""

    task: int
    """The task's index."""
    starts: StartGroup
    kept: IntArray
    """Which of the starts: minutes after the first one, shape (variables,)."""

    @property
    def starts_s(self) -> IntArray:
        return self.starts.first_s + self.kept * BIN_S


@dataclass(frozen=True, slots=True)
class _Program:
    """The mixed-integer program: which starts of which tasks may be chosen."""

    grid: Grid
    tasks: Sequence[Task]
    columns: Sequence[_Column]
    gap: float
    """Relative optimality gap at which the solver may stop."""

    @classmethod
    def of(cls, grid: Grid, tasks: Sequence[Task], keep_s: Mapping[str, int]) -> _Program | None:
        """Collect the starts that may be part of a schedule; None if a task has none."""
        possible = _possible(grid, tasks)
        if possible is None:
            return None
        entries = sum(len(kept) * len(group.load_wh) for groups in possible for group, kept in groups)
        stride = -(-entries // MAX_ENTRIES)
        columns = [
            _Column(i, group, _thinned(group, kept, stride, keep_s.get(task.job_id)))
            for i, (task, groups) in enumerate(zip(tasks, possible, strict=True))
            for group, kept in groups
        ]
        return cls(grid, tasks, columns, gap=0.0 if stride == 1 else THINNED_GAP)

    def solve(self, node_limit: int) -> dict[str, int] | None:
        """Return the best starts found within the node limit, by job id; None if none were found."""
        # SciPy takes a third of a second to import, so it is imported only if it is used.
        from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415 - as in basin_hopping
        from scipy.sparse import csc_array  # noqa: PLC0415 - as in basin_hopping

        task_of = np.concatenate([np.full(len(c.kept), c.task) for c in self.columns])
        starts_s = np.concatenate([c.starts_s for c in self.columns])
        energy_wh = np.array([task.load.energy_wh for task in self.tasks])
        variables = np.arange(len(task_of))
        one_start = csc_array((np.ones(len(task_of)), (task_of, variables)), shape=(len(self.tasks), len(task_of)))
        minutes = self._contested()
        draws_wh = csc_array(self._draws(), shape=(len(self.grid.free_wh), len(task_of))).toarray()[minutes]
        # Consecutive minutes with identical loads give identical rows: only the scarcest one is kept.
        alike = np.flatnonzero(np.append(True, (draws_wh[1:] != draws_wh[:-1]).any(axis=1)))[: len(minutes)]
        free_wh = np.minimum.reduceat(self.grid.free_wh[minutes], alike) if len(minutes) else np.empty(0)
        delay = energy_wh[task_of] * (starts_s - self.grid.now_s)
        scale = max(float(delay.max()), 1.0)
        answer = milp(
            delay / scale,
            integrality=np.ones(len(task_of), dtype=np.int64),
            bounds=Bounds(0, 1),
            constraints=[
                LinearConstraint(one_start, 1, 1),
                LinearConstraint(csc_array(draws_wh[alike] / WH_PER_KWH), -np.inf, free_wh / WH_PER_KWH),
            ],
            # HiGHS's presolve has returned wrong results.
            options={"node_limit": node_limit, "mip_rel_gap": self.gap, "presolve": False},
        )
        if answer.x is None:
            return None
        chosen = {int(task_of[v]): int(starts_s[v]) for v in np.flatnonzero(answer.x > 0.5)}
        if len(chosen) < len(self.tasks):
            return None
        return {self.tasks[i].job_id: start_s for i, start_s in chosen.items()}

    def _contested(self) -> IntArray:
        """Return the bins in which the tasks could draw more than is free."""
        most_wh = np.zeros_like(self.grid.free_wh)
        for i in range(len(self.tasks)):
            own_wh = np.zeros_like(most_wh)
            for column in self.columns:
                if column.task == i:
                    for j, load_wh in enumerate(column.starts.load_wh):
                        touched = column.starts.first_bin + column.kept + j
                        own_wh[touched] = np.maximum(own_wh[touched], load_wh)
            most_wh += own_wh
        return np.flatnonzero(most_wh > self.grid.free_wh + SEARCH_TOLERANCE_WH)

    def _draws(self) -> tuple[FloatArray, tuple[IntArray, IntArray]]:
        """Return the matrix of energy (Wh) per bin (row) and variable (column): values, (rows, columns)."""
        values, bins, variables, first = [], [], [], 0
        for column in self.columns:
            load_wh = column.starts.load_wh
            touched = column.starts.first_bin + column.kept[:, np.newaxis] + np.arange(len(load_wh))
            values.append(np.tile(load_wh, len(column.kept)))
            bins.append(touched.ravel())
            variables.append(np.repeat(first + np.arange(len(column.kept)), len(load_wh)))
            first += len(column.kept)
        return np.concatenate(values), (np.concatenate(bins), np.concatenate(variables))


_Possible = list[list[tuple[StartGroup, IntArray]]]
"""By task, the starts of each group that may be part of a schedule: minutes after the first one."""


def _possible(grid: Grid, tasks: Sequence[Task]) -> _Possible | None:
    """Exclude starts that cannot be part of any schedule; None if a task has none left.

    A task with a single start reserves its energy, which may leave other tasks with a single start.
    """
    free_wh = grid.free_wh.copy()
    possible: _Possible = [[(group, np.arange(group.count)) for group in grid.candidates(task)] for task in tasks]
    settled: set[int] = set()
    changed = True
    while changed:
        changed = False
        for i, groups in enumerate(possible):
            if i in settled:
                continue
            left = [(group, kept[group.feasible(free_wh)[kept]]) for group, kept in groups]
            possible[i] = [(group, kept) for group, kept in left if len(kept)]
            count = sum(len(kept) for _, kept in possible[i])
            if count == 0:
                return None
            if count == 1:
                group, kept = possible[i][0]
                first_bin = group.first_bin + int(kept[0])
                free_wh[first_bin : first_bin + len(group.load_wh)] -= group.load_wh
                settled.add(i)
                changed = True
    return possible


def _thinned(group: StartGroup, kept: IntArray, stride: int, keep_s: int | None) -> IntArray:
    """Return every `stride`-th start, the last one, and `keep_s` if it is among them."""
    some = {*kept[::stride].tolist(), int(kept[-1])}
    if keep_s is not None and keep_s % BIN_S == group.first_s % BIN_S:
        some.update({(keep_s - group.first_s) // BIN_S} & set(kept.tolist()))
    return np.array(sorted(some), dtype=np.int64)
