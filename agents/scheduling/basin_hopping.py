"""PySSMic's optimisers as they were meant: SciPy's basin-hopping over the start times of unstarted tasks.

Each hop draws some starts anew and slides down from there by `L-BFGS-B`, `SLSQP` or `TNC`, inside windows and not
before now. All unstarted tasks take part; among many, those that are most in the new one's way. The start that comes
out is the one that is promised, to the second; what rounding leaves overdrawn is repaired, and a plan that is not sound
is never returned. Effort is counted: hops, and steps in each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Literal

import numpy as np

from agents.energy import FloatArray
from agents.linear_algebra import one_blas_thread
from agents.scheduling.problem import Commitment, Plan, Problem, Refusal, Task
from agents.scheduling.repair import MAX_LOOKS, Layout, make_room
from agents.scheduling.time_grid import BIN_S, Grid, IntArray, first_feasible_s, no_room

DAY_S = 86_400.0
HOUR_S = 3600.0
ROUND_WH = 1.0
"""Overdrafts of a minute below this count by their square."""


@dataclass(frozen=True, slots=True, eq=False)
class Overdraft:
    """The objective over the delays of some tasks, in hours after `now`, so that slopes are powers."""

    free_wh: FloatArray
    """P: what is free in each bin."""
    offset_s: float
    """When `now` is, after the first bin's begin."""
    task_of: IntArray
    """Of each bend: whose it is."""
    bend_s: FloatArray
    """t: of each bend, seconds after its load's start."""
    change_wh_per_s: FloatArray
    """d: of each bend, the change of power."""
    energy_wh: FloatArray
    """Of each task."""
    penalty: float
    step_s: float

    @classmethod
    def of(cls, grid: Grid, tasks: Sequence[Task], penalty: float, step_s: float) -> Overdraft:
        """Prepare the objective for these tasks beside what runs."""
        task_of, bends, changes = [], [], []
        for i, task in enumerate(tasks):
            times_s = task.load.times_array
            power = np.diff(task.load.cumulative_array) / np.diff(times_s)
            change = np.diff(np.concatenate(([0.0], power, [0.0])))
            real = np.flatnonzero(change)
            task_of.append(np.full(len(real), i))
            bends.append(times_s[real])
            changes.append(change[real])
        return cls(
            free_wh=grid.free_wh,
            offset_s=float(grid.now_s - grid.first_s),
            task_of=np.concatenate(task_of),
            bend_s=np.concatenate(bends),
            change_wh_per_s=np.concatenate(changes),
            energy_wh=np.array([task.load.energy_wh for task in tasks]),
            penalty=penalty,
            step_s=step_s,
        )

    def drawn_wh(self, delays_h: FloatArray) -> FloatArray:
        """Return L: what the loads draw in each bin, each start averaged over `step_s`, Wh."""
        moments_s = self._moments_s(delays_h)
        if self.step_s < 1.0:
            return np.diff(self._drawn_until_wh(moments_s, 1))
        half_s = self.step_s / 2
        before, after = self._drawn_until_wh(moments_s - half_s, 2), self._drawn_until_wh(moments_s + half_s, 2)
        return np.diff((before - after) / self.step_s)

    def __call__(self, delays_h: FloatArray) -> tuple[float, FloatArray]:
        """Return the objective, Wh, and its gradient, W, shape (tasks,)."""
        over_wh = self.drawn_wh(delays_h) - self.free_wh
        part = np.clip(over_wh / ROUND_WH, 0.0, 1.0)
        hinge_wh = part * (over_wh - part * ROUND_WH / 2)
        delay_wh = self.energy_wh * (HOUR_S / DAY_S)
        value = self.penalty * float(hinge_wh.sum()) + float(delay_wh @ delays_h)
        # Moving a bend later by ds takes d * ds out of its bin. `part` is the hinge's slope in each bin.
        moments_s = self._moments_s(delays_h)
        if self.step_s < 1.0:
            slope = part[self._bins(moments_s)]
        else:
            area = np.concatenate(([0.0], np.cumsum(part))) * BIN_S
            edges_s = np.arange(len(area)) * float(BIN_S)
            half_s = self.step_s / 2
            slope = (
                np.interp(moments_s + half_s, edges_s, area) - np.interp(moments_s - half_s, edges_s, area)
            ) / self.step_s
        pulls = np.bincount(self.task_of, self.change_wh_per_s * slope, minlength=len(self.energy_wh))
        return value, delay_wh - self.penalty * HOUR_S * pulls

    def _moments_s(self, delays_h: FloatArray) -> FloatArray:
        """Return tau: when each bend comes, seconds after the first bin's begin."""
        return delays_h[self.task_of] * HOUR_S + self.bend_s + self.offset_s

    def _bins(self, moments_s: FloatArray) -> IntArray:
        return np.clip((moments_s // BIN_S).astype(np.int64), 0, len(self.free_wh) - 1)

    def _drawn_until_wh(self, moments_s: FloatArray, order: int) -> FloatArray:
        """Return sum_k d_k * max(0, e - tau_k)**order / order at every edge e, shape (bins + 1,).

        Each bin gathers its bends' moments about its own end, and they are carried from edge to edge: sums over
        a whole day of large terms that cancel would lose what is looked for.
        """
        bins = np.floor(moments_s / BIN_S).astype(np.int64)
        # Averaging may reach before the first edge; what bends there has bent when the grid begins.
        first = int(bins.min(initial=0))
        count = len(self.free_wh) - first
        bins = np.minimum(bins - first, count - 1)
        rest_s = np.maximum((bins + first + 1) * float(BIN_S) - moments_s, 0.0)
        change = np.bincount(bins, self.change_wh_per_s, minlength=count)
        power = np.cumsum(change)
        ramp = np.bincount(bins, self.change_wh_per_s * rest_s, minlength=count)
        drawn = np.cumsum(ramp + BIN_S * (power - change))
        if order == 1:
            return np.concatenate(([0.0], drawn))[-first:]
        square = np.bincount(bins, self.change_wh_per_s * rest_s**2 / 2, minlength=count)
        before = np.concatenate(([0.0], drawn[:-1]))
        area = np.cumsum(square + BIN_S * before + (power - change) * (BIN_S**2 / 2))
        return np.concatenate(([0.0], area))[-first:]


Method = Literal["L-BFGS-B", "SLSQP", "TNC"]

MAX_TASKS = 32
"""Whose starts are optimised at once; the rest stand still. What a step of `SLSQP` costs grows by the cube of it."""
HOPS = 300
"""After the first slide, times tasks: a step of `SLSQP` costs more the more there are; from 2 to 8 hops."""
STEPS = 400
"""Of one slide, times tasks; from 3 to 12 steps."""
EVALUATIONS = 3
"""Of the objective, a step; `SLSQP` has no limit of its own and needs fewer."""
GOOD_ENOUGH_WH = 0.1
"""Hopping ends when no minute is overdrawn by more: where the objective is smooth, a little always is."""
REPLACED = 8
"""How many tasks that draw in overdrawn minutes a hop puts elsewhere."""


@dataclass(frozen=True, slots=True)
class BasinHopping:
    """The scheduler."""

    method: Method
    penalty: float
    step_size_s: float
    tolerance: float

    @one_blas_thread()
    def __call__(self, problem: Problem, task: Task, rng: Random) -> Plan | Refusal:
        """Optimise the starts of the new task and of those near it; those that need not move for it stay."""
        grid = Grid.of(problem, task)
        unstarted = [c for c in problem.committed if c.start_s > problem.now_s]
        if first_feasible_s(grid.candidates(task), grid.free_wh) is None:
            return no_room(grid, grid.less(unstarted), task)
        near, others = _split(grid, unstarted, task)
        guess = Commitment(task, rng.randint(max(task.earliest_start_s, problem.now_s), task.latest_start_s))
        beside_others = replace(grid, free_wh=np.maximum(grid.less(others), 0.0))
        delays_h = self.optimise(beside_others, [*near, guess], rng)
        starts_s = {c.task.job_id: c.start_s for c in others}
        for c, delay_h in zip([*near, guess], delays_h.tolist(), strict=True):
            wished_s = problem.now_s + round(delay_h * HOUR_S)
            starts_s[c.task.job_id] = c.task.nearest_start_s(wished_s, problem.now_s)
        plan_s = _sound(grid, unstarted, task, starts_s)
        if plan_s is None:
            return no_room(grid, grid.less(unstarted), task)
        return Plan({c.task.job_id: c.start_s for c in problem.committed} | plan_s)

    def optimise(self, grid: Grid, commitments: Sequence[Commitment], rng: Random) -> FloatArray:
        """Return the best delays after now that were found, hours, from those that the commitments have."""
        # SciPy takes a third of a second to import: whoever does not plan with it does not wait for it.
        from scipy.optimize import basinhopping  # noqa: PLC0415

        tasks = [c.task for c in commitments]
        objective = Overdraft.of(grid, tasks, self.penalty, self.step_size_s)
        lowest = np.array([max(t.earliest_start_s - grid.now_s, 0) / HOUR_S for t in tasks])
        highest = np.array([(t.latest_start_s - grid.now_s) / HOUR_S for t in tasks])
        start = np.array([(c.start_s - grid.now_s) / HOUR_S for c in commitments])
        hop = _Hop(grid, tasks, lowest, highest, np.random.default_rng(rng.getrandbits(64)))
        steps = max(3, min(STEPS // len(tasks), 12))
        options: dict[str, int] = {}
        if self.method != "TNC":
            options["maxiter"] = steps
        if self.method != "SLSQP":
            options["maxfun"] = steps * EVALUATIONS
        # The stubs know neither functions that return their gradient too nor steps that are objects.
        slide: Any = {
            "method": self.method,
            "jac": True,
            "bounds": np.column_stack((lowest, highest)),
            "tol": self.tolerance,
            "options": options,
        }
        hopping: Any = basinhopping

        def fits_well(x: FloatArray, _value: float, _accepted: bool) -> bool:  # noqa: FBT001 - as SciPy calls it
            return bool((objective.drawn_wh(x) <= grid.free_wh + GOOD_ENOUGH_WH).all())

        with one_blas_thread():  # SciPy brings a BLAS of its own
            found = hopping(
                objective,
                start,
                niter=max(2, min(HOPS // len(tasks), 8)),
                T=1.0,
                take_step=hop,
                rng=hop.rng,
                callback=lambda x, _value, _accepted: bool(
                    (objective.drawn_wh(x) <= grid.free_wh + GOOD_ENOUGH_WH).all()
                ),
                minimizer_kwargs=slide,
            )
        return np.clip(np.asarray(found.x, dtype=np.float64), lowest, highest)


@dataclass(frozen=True, slots=True, eq=False)
class _Hop:
    """Draws one start anew, then puts some of the tasks that overdraw where most of each is covered.

    Hops that draw several starts anew hardly ever land lower: the slide down mends one bad start, not three.
    """

    grid: Grid
    tasks: Sequence[Task]
    lowest: FloatArray
    highest: FloatArray
    rng: np.random.Generator

    def __call__(self, delays_h: FloatArray) -> FloatArray:
        delays_h = np.clip(delays_h, self.lowest, self.highest)
        one = int(self.rng.integers(len(delays_h)))
        delays_h[one] = self.rng.uniform(self.lowest[one], self.highest[one])
        starts_s = [self.grid.now_s + round(delay_h * HOUR_S) for delay_h in delays_h.tolist()]
        layout = Layout(self.grid, map(Commitment, self.tasks, starts_s))
        place = {id(piece): i for i, piece in enumerate(layout.pieces)}
        for _ in range(REPLACED):
            overdrawing = layout.overdrawing()
            if not overdrawing:
                break
            piece = overdrawing[int(self.rng.integers(len(overdrawing)))]
            _, start_s = layout.best_move(piece)
            layout.move(piece, start_s)
            i = place[id(piece)]
            delays_h[i] = (start_s - self.grid.now_s) / HOUR_S
        return np.clip(delays_h, self.lowest, self.highest)


def _split(
    grid: Grid, unstarted: Sequence[Commitment], task: Task
) -> tuple[Sequence[Commitment], Sequence[Commitment]]:
    """Return the commitments that draw most where a new task could, at most `MAX_TASKS` with it, and the others."""
    if len(unstarted) < MAX_TASKS:
        return unstarted, ()
    ends_s = np.array([max(task.earliest_start_s, grid.now_s), task.latest_start_s + task.load.duration_s])
    there_wh = [float(np.ptp(c.task.load.energy_until_wh(ends_s - c.start_s))) for c in unstarted]
    nearest = set(sorted(range(len(unstarted)), key=lambda i: (-there_wh[i], i))[: MAX_TASKS - 1])
    return (
        [c for i, c in enumerate(unstarted) if i in nearest],
        [c for i, c in enumerate(unstarted) if i not in nearest],
    )


def _sound(
    grid: Grid, unstarted: Sequence[Commitment], task: Task, starts_s: Mapping[str, int]
) -> dict[str, int] | None:
    """Return a plan that overdraws nothing and is near the optimised one, or None.

    Args:
        grid: The producer's grid.
        unstarted: What stands.
        task: The new task.
        starts_s: As optimised, of the unstarted tasks and the new one, by job id.
    """
    kept = Layout(grid, unstarted)
    piece = kept.add(task, starts_s[task.job_id])
    if kept.is_sound():
        return kept.starts_s()
    anew = Layout(grid, [Commitment(c.task, starts_s[c.task.job_id]) for c in unstarted])
    anew.add(task, starts_s[task.job_id])
    if anew.is_sound():
        return anew.starts_s()
    kept.remove(piece)
    feasible_s = grid.feasible_starts(kept.left_wh, task)
    if len(feasible_s):
        kept.add(task, int(feasible_s[np.argmin(np.abs(feasible_s - starts_s[task.job_id]))]))
        return kept.starts_s()
    if anew.repair(MAX_LOOKS):
        return anew.starts_s()
    return kept.starts_s() if make_room(kept, task) else None
