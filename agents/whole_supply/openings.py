"""Openings: which of the jobs that a producer has declined would be accepted now, and have not been informed of that.

A job is informed only once under the same conditions. It may be declined despite an opening, because its consumer holds
the device's other jobs while it asks, or because the scheduler is stricter than the trial. When these jobs are released
again, nothing has changed, so openings would repeat forever.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from agents.headroom import uncommitted_of
from agents.job_needs import JobNeeds
from agents.model import Starts
from agents.scheduling import ProducerState, Scheduler, Task
from agents.whole_supply.provisional_promises import Provisional


@dataclass(frozen=True, slots=True)
class OpeningConditions:
    """Everything that a waiting job's chance depends on, except the time, which only removes starts."""

    forecasts: int
    """How many the producer had adopted."""
    committed: frozenset[tuple[str, int, Starts]]
    """Id and start of each job that is supplied, and the starts to which it may move."""
    starts: Starts
    """When the waiting job's device is free for it."""


@dataclass(frozen=True, slots=True)
class DeclinedJob:
    """A job that was declined and waits, and the agent that represents it."""

    consumer: str
    task: Task
    last_opening: OpeningConditions | None = None
    """The conditions of the last opening that it was informed of; None: of none."""


class DeclinedJobs:
    """The jobs that a producer has declined and that wait for an opening, in the order in which they were declined."""

    __slots__ = ("_by_id",)

    def __init__(self) -> None:
        """Begin with no job."""
        self._by_id: dict[str, DeclinedJob] = {}

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What the jobs ask for."""
        return tuple(job.task for job in self._by_id.values())

    def add(self, consumer: str, task: Task) -> None:
        """Let a job wait, as the last one; its earlier opening still counts.

        Args:
            consumer: The agent that represents it.
            task: The job, with the starts for which its device is free.
        """
        before = self._by_id.pop(task.job_id, None)
        self._by_id[task.job_id] = DeclinedJob(consumer, task, None if before is None else before.last_opening)

    def remove(self, job_id: str) -> None:
        """Let a job wait no more, if it did."""
        self._by_id.pop(job_id, None)

    def withdraw(self, consumer: str, job_id: str) -> None:
        """Let a job wait no more, if it is the consumer's own."""
        if job_id in self._by_id and self._by_id[job_id].consumer == consumer:
            del self._by_id[job_id]

    def forget_consumers(self, consumers: Collection[str]) -> None:
        """Let no job of some consumers wait any more."""
        self._by_id = {job_id: job for job_id, job in self._by_id.items() if job.consumer not in consumers}

    def forget_late(self, now_s: int) -> None:
        """Forget the jobs whose latest start has passed; in that very second they can still start."""
        self._by_id = {job_id: job for job_id, job in self._by_id.items() if job.task.latest_start_s >= now_s}

    def clear(self) -> None:
        """Let no job wait any more."""
        self._by_id.clear()

    def was_told(self, job_id: str) -> bool:
        """Return whether a job waits and has received an opening."""
        job = self._by_id.get(job_id)
        return job is not None and job.last_opening is not None

    def take_openings(
        self, state: ProducerState, forecasts: int, scheduler: Scheduler, provisional: Provisional | None
    ) -> list[DeclinedJob]:
        """Return the jobs to be informed that they would be accepted now; each counts as informed.

        Args:
            state: The producer's state.
            forecasts: How many forecasts it has adopted.
            scheduler: Tests which jobs have room.
            provisional: The producer's late promises; None: its promises are early.
        """
        committed = frozenset((c.task.job_id, c.start_s, c.task.open_starts) for c in state.committed)
        # The trial takes long; what a view shows to be impossible needs none. (A view knows nothing of pushing out.)
        left = uncommitted_of(state, is_fine=True) if self._by_id and provisional is None else None
        tried: dict[str, OpeningConditions] = {}
        for job_id, job in self._by_id.items():
            conditions = OpeningConditions(forecasts, committed, job.task.open_starts)
            if conditions != job.last_opening and (left is None or left.may_serve(JobNeeds.of(job.task, state.now_s))):
                tried[job_id] = conditions
        have_room = scheduler.have_room(state, [self._by_id[job_id].task for job_id in tried])
        opened: list[DeclinedJob] = []
        for (job_id, conditions), has_room in zip(tried.items(), have_room, strict=True):
            if has_room and (provisional is None or provisional.may_open(job_id, state.now_s)):
                job = self._by_id[job_id] = replace(self._by_id[job_id], last_opening=conditions)
                opened.append(job)
        return opened
