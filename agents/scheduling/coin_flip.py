"""Coin flip, PySSMic's simplest rule, as a baseline."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from agents.scheduling.insertion import Insertion
from agents.scheduling.problem import ProducerState, Rejection, Schedule, Task
from agents.scheduling.time_grid import Grid, explain_rejection


@dataclass(frozen=True, slots=True)
class CoinFlip(Insertion):
    """Accepts a task that fits beside all others with probability 1/2, at a random feasible start."""

    def place(self, state: ProducerState, task: Task, rng: Random) -> Schedule | Rejection:
        """See `Scheduler.place` for `state`, `task` and `rng`; commitments never move."""
        grid = Grid.of(state, task)
        remaining_wh = grid.remaining_beside(state.committed)
        starts_s = grid.feasible_starts(remaining_wh, task)
        if not len(starts_s):
            return explain_rejection(grid, remaining_wh, task)
        if rng.random() < 0.5:
            return Rejection("declined by chance")
        unchanged_s = {c.task.job_id: c.start_s for c in state.committed}
        return Schedule(unchanged_s | {task.job_id: int(rng.choice(starts_s.tolist()))})
