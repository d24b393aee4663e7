"""The default: the best feasible start for the new task; where there is none, unstarted tasks make room."""

from __future__ import annotations

from random import Random

import numpy as np

from agents.energy import FloatArray
from agents.scheduling.grid import BIN_S, Grid
from agents.scheduling.moving import make_room
from agents.scheduling.problem import Plan, Problem, Refusal, Task
from agents.scheduling.refusals import no_room


def insertion(problem: Problem, task: Task, rng: Random) -> Plan | Refusal:  # noqa: ARG001 - it needs no chance
    """Place a task where it leaves the least sun unused around it, else move unstarted tasks inside their windows."""
    grid = Grid.of(problem, task)
    unstarted = [c for c in problem.committed if c.start_s > problem.now_s]
    remaining_wh = grid.less(unstarted)
    kept_s = {c.task.job_id: c.start_s for c in problem.committed}
    start_s = best_start_s(grid, remaining_wh, task)
    if start_s is not None:
        return Plan(kept_s | {task.job_id: start_s})
    moved_s = make_room(grid, unstarted, task)
    if moved_s is None:
        return no_room(grid, remaining_wh, task)
    return Plan(kept_s | moved_s)


def best_start_s(grid: Grid, remaining_wh: FloatArray, task: Task) -> int | None:
    """Return the feasible start with the least sun left around the task; of equals the earliest."""
    best: tuple[float, int] | None = None
    for group in grid.candidates(task):
        feasible = group.feasible(remaining_wh)
        if not feasible.any():
            continue
        total_wh = np.concatenate(([0.0], np.cumsum(np.maximum(remaining_wh, 0.0))))
        begin = group.first_bin + np.arange(group.count)
        left_wh = np.where(feasible, total_wh[begin + len(group.load_wh)] - total_wh[begin], np.inf)
        i = int(np.argmin(left_wh))
        found = (float(left_wh[i]), group.first_s + i * BIN_S)
        best = found if best is None else min(best, found)
    return None if best is None else best[1]
