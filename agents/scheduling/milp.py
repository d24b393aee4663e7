"""A mixed-integer program, solved by HiGHS: all unstarted tasks planned anew, together with the new one.

One binary variable for each task and start. Each task has exactly one start; in no minute do the chosen starts draw
more than is free. Of all such plans the one is sought that uses the sun soonest (energy times delay): sun that has
passed is lost, sun to come may still serve tasks that nobody knows yet.

Effort is bounded by work alone: nodes of the search tree, and entries of the matrix. Where all candidate starts of
all tasks would have more entries, starts are thinned out evenly; those of `place_by_insertion`'s plan stay in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from agents.energy import FloatArray
from agents.linear_algebra import one_blas_thread
from agents.scheduling.insertion import place_by_insertion
from agents.scheduling.problem import Plan, Problem, Refusal, Task
from agents.scheduling.time_grid import BIN_S, SEARCH_TOLERANCE_WH, Grid, IntArray, Starts, fits, no_room

MAX_ENTRIES = 6_000
"""Of the matrix: starts times the minutes that each touches."""
WH_PER_KWH = 1000.0
"""HiGHS takes a millionth of anything for nothing. In Wh it finds its own rounding worth a repair, which is slow and
writes to standard output; what it lets pass in kWh, the check of the plan does not."""
THINNED_GAP = 0.02
"""How far from the best of the thinned starts a plan may be, relatively; among all starts it is the best."""


@dataclass(frozen=True, slots=True)
class Exact:
    """The scheduler."""

    node_limit: int
    """How many nodes of the search tree one decision may look at."""

    @one_blas_thread()
    def __call__(self, problem: Problem, task: Task, rng: Random) -> Plan | Refusal:
        """Plan all unstarted tasks again; at the node limit, return the best plan found, insertion's among them."""
        grid = Grid.of(problem, task)
        running_s = {c.task.job_id: c.start_s for c in problem.committed if c.start_s <= problem.now_s}
        unstarted = [c for c in problem.committed if c.start_s > problem.now_s]
        tasks = [*(c.task for c in unstarted), task]
        known = place_by_insertion(problem, task, rng)
        keep_s = {c.task.job_id: c.start_s for c in unstarted} | dict(known.starts_s if isinstance(known, Plan) else {})
        program = _Program.of(grid, tasks, keep_s)
        found_s = program.solve(self.node_limit) if program is not None else None
        # Solvers err; what is promised is checked.
        plans = [] if found_s is None else [Plan(running_s | found_s)]
        plans = [plan for plan in plans if fits(problem, task, plan.starts_s)]
        if isinstance(known, Plan):
            plans.append(known)
        if not plans:
            return no_room(grid, grid.less(unstarted), task)
        return min(plans, key=lambda plan: delay_wh_s(tasks, plan.starts_s, problem.now_s))


def delay_wh_s(tasks: Sequence[Task], starts_s: Mapping[str, int], now_s: int) -> float:
    """Return what a plan is judged by: each task's energy times how long it has to wait for its start, Wh s."""
    return sum(task.load.energy_wh * (starts_s[task.job_id] - now_s) for task in tasks)


@dataclass(frozen=True, slots=True)
class _Column:
    """Some starts of one task: one variable each."""

    task: int
    """Its place among the tasks."""
    starts: Starts
    kept: IntArray
    """Which of the starts: minutes after the first."""

    @property
    def starts_s(self) -> IntArray:
        return self.starts.first_s + self.kept * BIN_S


@dataclass(frozen=True, slots=True)
class _Program:
    """Which starts of which tasks are to be chosen from."""

    grid: Grid
    tasks: Sequence[Task]
    columns: Sequence[_Column]
    gap: float
    """How far from the best a plan may be, relatively."""

    @classmethod
    def of(cls, grid: Grid, tasks: Sequence[Task], keep_s: Mapping[str, int]) -> _Program | None:
        """Collect the starts that may be part of a plan; None if there is a task that has none."""
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
        """Return the best plan that HiGHS finds within so many nodes, by job id; None if it finds none."""
        # SciPy takes a third of a second to import: whoever does not plan with it does not wait for it.
        from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415
        from scipy.sparse import csc_array  # noqa: PLC0415

        task_of = np.concatenate([np.full(len(c.kept), c.task) for c in self.columns])
        starts_s = np.concatenate([c.starts_s for c in self.columns])
        energy_wh = np.array([task.load.energy_wh for task in self.tasks])
        variables = np.arange(len(task_of))
        one_start = csc_array((np.ones(len(task_of)), (task_of, variables)), shape=(len(self.tasks), len(task_of)))
        minutes = self._contested()
        draws_wh = csc_array(self._draws(), shape=(len(self.grid.free_wh), len(task_of))).toarray()[minutes]
        # While no task starts, ends or changes its power, one minute limits as much as the next: the scarcest will do.
        alike = np.flatnonzero(np.append(True, (draws_wh[1:] != draws_wh[:-1]).any(axis=1)))[: len(minutes)]
        free_wh = np.minimum.reduceat(self.grid.free_wh[minutes], alike) if len(minutes) else np.empty(0)
        delay = energy_wh[task_of] * (starts_s - self.grid.now_s)
        scale = max(float(delay.max()), 1.0)
        with one_blas_thread():  # SciPy brings a BLAS of its own
            answer = milp(
                delay / scale,
                integrality=np.ones(len(task_of), dtype=np.int64),
                bounds=Bounds(0, 1),
                constraints=[
                    LinearConstraint(one_start, 1, 1),
                    LinearConstraint(csc_array(draws_wh[alike] / WH_PER_KWH), -np.inf, free_wh / WH_PER_KWH),
                ],
                # HiGHS's presolve has given wrong answers.
                options={"node_limit": node_limit, "mip_rel_gap": self.gap, "presolve": False},
            )
        if answer.x is None:
            return None
        chosen = {int(task_of[v]): int(starts_s[v]) for v in np.flatnonzero(answer.x > 0.5)}
        if len(chosen) < len(self.tasks):
            return None
        return {self.tasks[i].job_id: start_s for i, start_s in chosen.items()}

    def _contested(self) -> IntArray:
        """Return the bins in which the tasks could draw more than is free, if all met there."""
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
        """Return what each variable draws in each bin, as values, rows (bins) and columns (variables)."""
        values, bins, variables, first = [], [], [], 0
        for column in self.columns:
            load_wh = column.starts.load_wh
            touched = column.starts.first_bin + column.kept[:, np.newaxis] + np.arange(len(load_wh))
            values.append(np.tile(load_wh, len(column.kept)))
            bins.append(touched.ravel())
            variables.append(np.repeat(first + np.arange(len(column.kept)), len(load_wh)))
            first += len(column.kept)
        return np.concatenate(values), (np.concatenate(bins), np.concatenate(variables))


_Possible = list[list[tuple[Starts, IntArray]]]
"""For each task, the starts of each group that may be part of a plan: minutes after its first."""


def _possible(grid: Grid, tasks: Sequence[Task]) -> _Possible | None:
    """Rule out starts that cannot be part of any plan; None if a task is left without.

    A task that has a single start takes its sun from all others, which may leave another with a single start.
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


def _thinned(group: Starts, kept: IntArray, stride: int, keep_s: int | None) -> IntArray:
    """Return every `stride`-th of the starts, the last, and `keep_s` if it is one of them."""
    some = {*kept[::stride].tolist(), int(kept[-1])}
    if keep_s is not None and keep_s % BIN_S == group.first_s % BIN_S:
        some.update({(keep_s - group.first_s) // BIN_S} & set(kept.tolist()))
    return np.array(sorted(some), dtype=np.int64)
