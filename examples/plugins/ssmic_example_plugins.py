"""Two plug-ins for ssmic: a scheduler of one's own, and a consumer with a strategy of its own."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from agents import Consumer, Job
from agents.scheduling import Insertion, ProducerState, Rejection, Schedule, Task


class Latest(Insertion):
    """Supplies a job as late as possible: of the starts at which the forecast covers it, it takes the last one."""

    def place(self, state: ProducerState, task: Task, rng: Random) -> Schedule | Rejection:
        """Place a job, see `Scheduler.place`; everything else is as in `insertion`."""
        for first_s, last_s in reversed(task.open_starts):
            for start_s in range(last_s, max(first_s, state.now_s) - 1, -600):
                window = Task.among(((start_s, start_s),), task.job_id, task.load)
                placed = super().place(state, window, rng)
                if isinstance(placed, Schedule):
                    return placed
        return super().place(state, task, rng)


class OwnHouseFirst(Consumer):
    """Asks the producers of its own house first."""

    def rank(self, job: Job, producers: Sequence[str]) -> Sequence[str]:
        """Return in which order a job asks, see `Consumer.rank`; here, the panels of house `adler` are `pv-adler`."""
        return sorted(producers, key=lambda producer: producer != f"pv-{job.house}")
