"""Making room from scratch: all unstarted tasks and the new one put back one after the other, in a few orders.

It finds plans that moving one task after the other does not: on generated scarce neighbourhoods 1 to 2 % more energy.
It moves many tasks, so it comes last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agents.scheduling.grid import Grid, Starts, first_feasible_s
from agents.scheduling.moving import Layout
from agents.scheduling.problem import Commitment, Task

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
