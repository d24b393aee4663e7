"""The default: the best feasible start for the new task; where there is none, unstarted tasks make room.

The best start is the first that fits: sun that has passed is lost, sun to come may still serve tasks that nobody
knows yet. On generated scarce neighbourhoods it covered as much as starts chosen by the sun that they leave around
them (least, most, weighted by its power or by how soon it comes: all within one per cent, the noise) and 3 % more than
the latest start. For the same reason, where tasks had to move all of them then go as soon as they can: half a per cent
more on thirty generated neighbourhoods. Declining small or uneven tasks to keep the noon free for others lost energy,
at any threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from agents.linear_algebra import one_blas_thread
from agents.scheduling.problem import Commitment, Plan, Problem, Refusal, Task
from agents.scheduling.repair import Layout, make_room
from agents.scheduling.time_grid import Grid, Starts, first_feasible_s, no_room

MAX_LOOKS = 80
"""At windows, in one decision: where so many tasks stand that one order takes more, it is not tried."""
_ORDERS: tuple[Callable[[Task], float], ...] = (
    lambda task: task.latest_start_s,
    lambda task: task.latest_start_s - task.earliest_start_s,
    lambda task: -task.load.duration_s,
    lambda task: -float(task.load.per_minute_wh(0).max()),
)
"""What must start soonest first; what has the least choice; what runs longest; what is strongest."""


def refill(grid: Grid, unstarted: Sequence[Commitment], task: Task, max_looks: int = MAX_LOOKS) -> Layout | None:
    """Return the new task and all unstarted ones where they fit together, or None if no order gave any."""
    tasks = [*(c.task for c in unstarted), task]
    groups: dict[str, tuple[Starts, ...]] = {}
    looks = 0
    for order in _ORDERS:
        if looks + len(tasks) > max_looks:
            return None
        layout = Layout(grid)
        for candidate in sorted(tasks, key=order):
            looks += 1
            if candidate.job_id not in groups:
                groups[candidate.job_id] = grid.candidates(candidate)
            start_s = first_feasible_s(groups[candidate.job_id], layout.left_wh)
            if start_s is None:
                break
            layout.add(candidate, start_s)
        else:
            return layout
    return None


MAX_ADVANCE_LOOKS = 30
"""At windows, in one decision; more found no more energy."""


@one_blas_thread()
def place_by_insertion(problem: Problem, task: Task, rng: Random) -> Plan | Refusal:  # noqa: ARG001 - it needs no chance
    """Place a task where it uses the sun soonest, else move unstarted tasks inside their windows."""
    grid = Grid.of(problem, task)
    unstarted = [c for c in problem.committed if c.start_s > problem.now_s]
    layout = Layout(grid, unstarted)
    kept_s = {c.task.job_id: c.start_s for c in problem.committed}
    groups = grid.candidates(task)
    start_s = first_feasible_s(groups, layout.left_wh)
    if start_s is not None:
        return Plan(kept_s | {task.job_id: start_s})
    if first_feasible_s(groups, grid.free_wh) is None:
        return no_room(grid, layout.left_wh, task)
    if not make_room(layout, task):
        refilled = refill(grid, unstarted, task)
        if refilled is None:
            return no_room(grid, layout.left_wh, task)
        layout = refilled
    layout.advance(MAX_ADVANCE_LOOKS)
    return Plan(kept_s | layout.starts_s())
