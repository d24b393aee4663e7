"""Insertion, the default scheduler: the first feasible start; if there is none, unstarted tasks are moved.

Why the first feasible start: production that has passed is lost, while future production may still serve jobs that are
not known yet. On generated neighbourhoods with scarce production, this covered as much energy as starts selected by the
production that they leave around them (least, most, weighted by power or by time: all within 1 %, the noise level) and
3 % more than the latest start. For the same reason, after tasks had to be moved, all are moved as early as possible:
0.5 % more on thirty generated neighbourhoods. Rejecting small or uneven tasks to reserve the hours around noon lost
energy at every threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from agents.linear_algebra import one_blas_thread
from agents.scheduling.problem import Commitment, ProducerState, Rejection, Replanning, Schedule, Task
from agents.scheduling.repair import TentativeSchedule, insert_with_repair
from agents.scheduling.rescheduling import replan
from agents.scheduling.time_grid import Grid, Starts, explain_rejection, first_feasible_s

MAX_EVALUATIONS = 80
"""Limit on evaluations of task windows per decision by `rebuild`; an order that could exceed it is not tried."""
_ORDERS: tuple[Callable[[Task], float], ...] = (
    lambda task: task.latest_start_s,
    lambda task: task.latest_start_s - task.earliest_start_s,
    lambda task: -task.load.duration_s,
    lambda task: -float(task.load.per_minute_wh(0).max()),
)
"""Orders in which tasks are inserted: earliest deadline, narrowest window, longest duration, highest peak power."""


def rebuild(
    grid: Grid, unstarted: Sequence[Commitment], task: Task, max_evaluations: int = MAX_EVALUATIONS
) -> TentativeSchedule | None:
    """Schedule the new task and all unstarted ones from scratch by list scheduling, in several orders.

    Args:
        grid: The producer's time grid.
        unstarted: Commitments that have not started.
        task: The new task.
        max_evaluations: Limit on evaluations of task windows.

    Returns:
        A feasible schedule; None if no order leads to one.
    """
    tasks = [*(c.task for c in unstarted), task]
    groups: dict[str, tuple[Starts, ...]] = {}
    evaluations = 0
    failed: list[list[str]] = []
    """How orders began that led to no schedule, up to the task for which there was no room."""
    for order in _ORDERS:
        if evaluations + len(tasks) > max_evaluations:
            return None
        in_order = sorted(tasks, key=order)
        ids = [candidate.job_id for candidate in in_order]
        if (alike := next((begin for begin in failed if ids[: len(begin)] == begin), None)) is not None:
            evaluations += len(alike)
            continue
        tentative = TentativeSchedule(grid)
        for place, candidate in enumerate(in_order, start=1):
            evaluations += 1
            if candidate.job_id not in groups:
                groups[candidate.job_id] = grid.candidates(candidate)
            start_s = first_feasible_s(groups[candidate.job_id], tentative.left_wh)
            if start_s is None:
                failed.append(ids[:place])
                break
            tentative.add(candidate, start_s)
        else:
            return tentative
    return None


MAX_ADVANCE_EVALUATIONS = 30
"""Limit on evaluations of task windows per decision when tasks are moved earlier; more gained no energy."""


def place_by_insertion(state: ProducerState, task: Task) -> Schedule | Rejection:
    """Place a task at its first feasible start; if there is none, move unstarted tasks within their windows.

    Args:
        state: The producer's state.
        task: The new task.
    """
    grid = Grid.of(state, task)
    unstarted = [c for c in state.committed if c.start_s > state.now_s]
    tentative = TentativeSchedule(grid, unstarted)
    kept_s = {c.task.job_id: c.start_s for c in state.committed}
    groups = grid.candidates(task)
    start_s = first_feasible_s(groups, tentative.left_wh)
    if start_s is not None:
        return Schedule(kept_s | {task.job_id: start_s})
    if first_feasible_s(groups, grid.free_wh) is None:
        return explain_rejection(grid, tentative.left_wh, task)
    if not insert_with_repair(tentative, task):
        rebuilt = rebuild(grid, unstarted, task)
        if rebuilt is None:
            return explain_rejection(grid, tentative.left_wh, task)
        tentative = rebuilt
    tentative.advance(MAX_ADVANCE_EVALUATIONS)
    return Schedule(kept_s | tentative.starts_s())


def fit_beside(state: ProducerState, tasks: Sequence[Task]) -> list[bool]:
    """Return for each task whether `place_by_insertion` would accept it, without the plan that it would make.

    Args:
        state: The producer's state.
        tasks: Tasks that are tried one by one, each as if it were the only one.
    """
    if not tasks:
        return []
    grid = Grid.of(state, *tasks)
    unstarted = [c for c in state.committed if c.start_s > state.now_s]
    left_wh = TentativeSchedule(grid, unstarted).left_wh

    def fits(task: Task) -> bool:
        groups = grid.candidates(task)
        if first_feasible_s(groups, left_wh) is not None:
            return True
        if first_feasible_s(groups, grid.free_wh) is None:
            return False
        tentative = TentativeSchedule(grid, unstarted)
        return insert_with_repair(tentative, task) or rebuild(grid, unstarted, task) is not None

    return [fits(task) for task in tasks]


@dataclass(frozen=True, slots=True)
class Insertion:
    """The default scheduler; other schedulers derive from it and place new tasks in another way."""

    @property
    def is_heavy(self) -> bool:
        """See `Scheduler.is_heavy`."""
        return False

    @one_blas_thread()
    def place(self, state: ProducerState, task: Task, rng: Random) -> Schedule | Rejection:  # noqa: ARG002 - not random
        """See `Scheduler.place` for `state` and `task`; `rng` is unused."""
        return place_by_insertion(state, task)

    @one_blas_thread()
    def have_room(self, state: ProducerState, tasks: Sequence[Task]) -> list[bool]:
        """See `Scheduler.have_room`."""
        return fit_beside(state, tasks)

    def replan(self, state: ProducerState) -> Replanning:
        """See `Scheduler.replan`."""
        return replan(state)
