"""A coin: PySSMic's simplest rule, kept to compare others with."""

from __future__ import annotations

from random import Random

from agents.scheduling.problem import Plan, Problem, Refusal, Task
from agents.scheduling.time_grid import Grid, no_room


def fifty_fifty(problem: Problem, task: Task, rng: Random) -> Plan | Refusal:
    """Accept a task that fits beside all others if a coin says so, at a random one of its feasible starts."""
    grid = Grid.of(problem, task)
    remaining_wh = grid.less(problem.committed)
    starts_s = grid.feasible_starts(remaining_wh, task)
    if not len(starts_s):
        return no_room(grid, remaining_wh, task)
    if rng.random() < 0.5:
        return Refusal("the coin said no")
    kept_s = {c.task.job_id: c.start_s for c in problem.committed}
    return Plan(kept_s | {task.job_id: int(rng.choice(starts_s.tolist()))})
