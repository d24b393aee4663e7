"""PySSMic's optimisers as they were intended: SciPy's basin-hopping over the start times of unstarted tasks.

Each hop draws some starts at random and descends from there by `L-BFGS-B`, `SLSQP` or `TNC`, within the windows and not
before now (Wales and Doye, J. Phys. Chem. A 101, 1997). All unstarted tasks take part; if there are many, those that
compete most with the new one. The resulting start is promised to the second. If rounding leaves minutes overdrawn, the
schedule is repaired; an infeasible one is never returned. Effort is limited by counting hops and descent steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Literal

import numpy as np
from typing_extensions import override

from agents.energy import FloatArray
from agents.scheduling.blas_threads import one_blas_thread
from agents.scheduling.insertion import Insertion
from agents.scheduling.problem import Commitment, ProducerState, Rejection, Schedule, Task
from agents.scheduling.tabu_search import MAX_EVALUATIONS, TentativeSchedule, insert_with_repair
from agents.scheduling.time_grid import BIN_S, Grid, IntArray, explain_rejection, first_feasible_s

DAY_S = 86_400.0
HOUR_S = 3600.0
ROUND_WH = 1.0
"""Overdrafts of a minute below this are penalised quadratically, which makes the objective smooth, Wh."""


@dataclass(frozen=True, slots=True, eq=False)
class PenaltyObjective:
    """The objective over the delays of some tasks, in hours from `now_s`, so that gradients are powers.

    f(x) = penalty * sum over bins of h(L(x) - P) + sum over tasks of energy * x / 24 h, where L is the energy drawn per
    bin, P the free production and h a hinge that is quadratic below `ROUND_WH`.
    """

    free_wh: FloatArray
    """P: free production per bin, Wh, shape (bins,)."""
    offset_s: float
    """`now_s` relative to the begin of the first bin, seconds."""
    task_of: IntArray
    """The task that each breakpoint of power belongs to, shape (breakpoints,)."""
    bend_s: FloatArray
    """t: time of each breakpoint after its task's start, seconds, shape (breakpoints,)."""
    change_wh_per_s: FloatArray
    """d: change of power at each breakpoint, Wh/s, shape (breakpoints,)."""
    energy_wh: FloatArray
    """Energy of each task, Wh, shape (tasks,)."""
    penalty: float
    """Weight of each Wh of overdraft, relative to a Wh of demand delayed by a day."""
    step_s: float
    """Interval over which each start is averaged, seconds; below 1: not averaged."""

    @classmethod
    def of(cls, grid: Grid, tasks: Sequence[Task], penalty: float, step_s: float) -> PenaltyObjective:
        """Prepare the objective for some tasks.

        Args:
            grid: The producer's time grid, with the free production.
            tasks: The tasks whose starts are optimised.
            penalty: See the field.
            step_s: See the field.
        """
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
        """Return L, the energy drawn per bin, with each start averaged over `step_s`.

        Args:
            delays_h: Delay of each task from `now_s`, hours, shape (tasks,).

        Returns:
            Wh, shape (bins,).
        """
        moments_s = self._moments_s(delays_h)
        if self.step_s < 1.0:
            return np.diff(self._drawn_until_wh(moments_s, 1))
        half_s = self.step_s / 2
        before, after = self._drawn_until_wh(moments_s - half_s, 2), self._drawn_until_wh(moments_s + half_s, 2)
        return np.diff((before - after) / self.step_s)

    def __call__(self, delays_h: FloatArray) -> tuple[float, FloatArray]:
        """Return the objective, Wh, and its gradient, W, shape (tasks,).

        Args:
            delays_h: Delay of each task from `now_s`, hours, shape (tasks,).
        """
        over_wh = self.drawn_wh(delays_h) - self.free_wh
        part = np.clip(over_wh / ROUND_WH, 0.0, 1.0)
        hinge_wh = part * (over_wh - part * ROUND_WH / 2)
        delay_wh = self.energy_wh * (HOUR_S / DAY_S)
        value = self.penalty * float(hinge_wh.sum()) + float(delay_wh @ delays_h)
        # Delaying a breakpoint by ds removes d * ds from its bin. `part` is the hinge's slope in each bin.
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
        """Return tau, the time of each breakpoint after the begin of the first bin, seconds, shape (breakpoints,)."""
        return delays_h[self.task_of] * HOUR_S + self.bend_s + self.offset_s

    def _bins(self, moments_s: FloatArray) -> IntArray:
        return np.clip((moments_s // BIN_S).astype(np.int64), 0, len(self.free_wh) - 1)

    def _drawn_until_wh(self, moments_s: FloatArray, order: int) -> FloatArray:
        """Return sum_k d_k * max(0, e - tau_k)**order / order at every bin edge e, shape (bins + 1,).

        Moments of the breakpoints are accumulated per bin, relative to the bin's end, and carried from edge to edge:
        sums of large cancelling terms over a whole day would lose the precision that matters.
        """
        bins = np.floor(moments_s / BIN_S).astype(np.int64)
        # Averaging may reach before the first edge; breakpoints there precede the grid.
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
"""How many starts are optimised at once; others are fixed. The cost of a step of `SLSQP` grows with its cube."""
HOPS = 300
"""Hops after the first descent, times tasks (a step of `SLSQP` costs more with more tasks); from 2 to 8 hops."""
STEPS = 400
"""Steps of one descent, times tasks; from 3 to 12 steps."""
EVALUATIONS = 3
"""Evaluations of the objective per step; `SLSQP` has no such limit and needs fewer."""
GOOD_ENOUGH_WH = 0.1
"""Hopping stops once no minute is overdrawn by more, Wh: a smooth objective always leaves a little."""
REPLACED = 8
"""How many overdrawing tasks each hop moves."""


@dataclass(frozen=True, slots=True)
class BasinHopping(Insertion):
    """The schedulers `L-BFGS-B`, `SLSQP` and `TNC`."""

    method: Method
    penalty: float
    step_size_s: float
    tolerance: float

    @property
    @override
    def is_heavy(self) -> bool:
        return True

    @one_blas_thread()
    def place(self, state: ProducerState, task: Task, rng: Random) -> Schedule | Rejection:
        """See `Scheduler.place` for `state`, `task` and `rng`; tasks that need not move for the new one stay."""
        grid = Grid.of(state, task)
        unstarted = [c for c in state.committed if c.start_s > state.now_s]
        if first_feasible_s(grid.candidates(task), grid.free_wh) is None:
            return explain_rejection(grid, grid.remaining_beside(unstarted), task)
        competing, others = _select_tasks(grid, unstarted, task)
        guess = Commitment(task, rng.randint(max(task.earliest_start_s, state.now_s), task.latest_start_s))
        beside_others = replace(grid, free_wh=np.maximum(grid.remaining_beside(others), 0.0))
        delays_h = self.optimise(beside_others, [*competing, guess], rng)
        starts_s = {c.task.job_id: c.start_s for c in others}
        for c, delay_h in zip([*competing, guess], delays_h.tolist(), strict=True):
            wished_s = state.now_s + round(delay_h * HOUR_S)
            starts_s[c.task.job_id] = c.task.nearest_start_s(wished_s, state.now_s)
        repaired_s = _repaired(grid, unstarted, task, starts_s)
        if repaired_s is None:
            return explain_rejection(grid, grid.remaining_beside(unstarted), task)
        return Schedule({c.task.job_id: c.start_s for c in state.committed} | repaired_s)

    def optimise(self, grid: Grid, commitments: Sequence[Commitment], rng: Random) -> FloatArray:
        """Optimise the starts of some tasks.

        Args:
            grid: The producer's time grid, with the free production.
            commitments: The tasks, with their initial starts.
            rng: The source of randomness.

        Returns:
            The best delays found, hours from now, shape (tasks,).
        """
        # SciPy takes a third of a second to import, so it is imported only if it is used.
        from scipy.optimize import basinhopping  # noqa: PLC0415 - see above

        tasks = [c.task for c in commitments]
        objective = PenaltyObjective.of(grid, tasks, self.penalty, self.step_size_s)
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
        # The type stubs support neither objectives that also return their gradient nor `take_step` objects.
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

        with one_blas_thread():  # SciPy ships its own BLAS
            found = hopping(
                objective,
                start,
                niter=max(2, min(HOPS // len(tasks), 8)),
                T=1.0,
                take_step=hop,
                rng=hop.rng,
                callback=fits_well,
                minimizer_kwargs=slide,
            )
        return np.clip(np.asarray(found.x, dtype=np.float64), lowest, highest)


@dataclass(frozen=True, slots=True, eq=False)
class _Hop:
    """Draws one start at random, then moves some overdrawing tasks to where they are covered best.

    Hops that draw several starts at random hardly ever improve the result: a descent can repair one bad start, not
    three.
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
        tentative = TentativeSchedule(self.grid, map(Commitment, self.tasks, starts_s))
        place = {id(placed): i for i, placed in enumerate(tentative.placed_tasks)}
        for _ in range(REPLACED):
            overdrawing = tentative.overdrawing()
            if not overdrawing:
                break
            placed = overdrawing[int(self.rng.integers(len(overdrawing)))]
            _, start_s = tentative.best_move(placed)
            tentative.move(placed, start_s)
            i = place[id(placed)]
            delays_h[i] = (start_s - self.grid.now_s) / HOUR_S
        return np.clip(delays_h, self.lowest, self.highest)


def _select_tasks(
    grid: Grid, unstarted: Sequence[Commitment], task: Task
) -> tuple[Sequence[Commitment], Sequence[Commitment]]:
    """Return the commitments that compete most with the new task, and the others.

    Args:
        grid: The producer's time grid.
        unstarted: Commitments that have not started.
        task: The new task; at most `MAX_TASKS` with it are selected, those that draw most within its window.
    """
    if len(unstarted) < MAX_TASKS:
        return unstarted, ()
    ends_s = np.array([max(task.earliest_start_s, grid.now_s), task.latest_start_s + task.load.duration_s])
    there_wh = [float(np.ptp(c.task.load.energy_until_wh(ends_s - c.start_s))) for c in unstarted]
    nearest = set(sorted(range(len(unstarted)), key=lambda i: (-there_wh[i], i))[: MAX_TASKS - 1])
    return (
        [c for i, c in enumerate(unstarted) if i in nearest],
        [c for i, c in enumerate(unstarted) if i not in nearest],
    )


def _repaired(
    grid: Grid, unstarted: Sequence[Commitment], task: Task, starts_s: Mapping[str, int]
) -> dict[str, int] | None:
    """Return a feasible schedule near the optimised one; None if there is none.

    Args:
        grid: The producer's time grid.
        unstarted: Commitments that have not started.
        task: The new task.
        starts_s: By job id, the optimised starts of the unstarted tasks and the new one, UNIX seconds.
    """
    kept = TentativeSchedule(grid, unstarted)
    placed = kept.add(task, starts_s[task.job_id])
    if kept.is_feasible():
        return kept.starts_s()
    moved = TentativeSchedule(grid, [Commitment(c.task, starts_s[c.task.job_id]) for c in unstarted])
    moved.add(task, starts_s[task.job_id])
    if moved.is_feasible():
        return moved.starts_s()
    kept.remove(placed)
    feasible_s = grid.feasible_starts(kept.left_wh, task)
    if len(feasible_s):
        kept.add(task, int(feasible_s[np.argmin(np.abs(feasible_s - starts_s[task.job_id]))]))
        return kept.starts_s()
    if moved.repair(MAX_EVALUATIONS):
        return moved.starts_s()
    return kept.starts_s() if insert_with_repair(kept, task) else None
