"""The scheduling problem of one producer: its state, and the schedule or rejection that a scheduler returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol, TypeVar

from agents.energy import LoadProfile, Outlook, Production
from agents.model import Starts, covers

_Kept = TypeVar("_Kept")


@dataclass(frozen=True, slots=True)
class Task:
    """A job as a scheduler sees it. Times in UNIX seconds."""

    job_id: str
    load: LoadProfile
    earliest_start_s: int
    latest_start_s: int
    starts: Starts = ()
    """The only starts at which its device is free, within the window; empty: the whole window."""

    @classmethod
    def among(cls, starts: Starts, job_id: str, load: LoadProfile) -> Task:
        """Return a task that may start at these times only.

        Args:
            starts: Intervals of allowed starts, ascending.
            job_id: The job's id.
            load: The job's load.
        """
        return cls(job_id, load, starts[0][0], starts[-1][1], starts if len(starts) > 1 else ())

    @property
    def open_starts(self) -> Starts:
        """Allowed starts: intervals of a first and a last second, both inclusive, ascending and disjoint."""
        return self.starts or ((self.earliest_start_s, self.latest_start_s),)

    def can_start_at(self, start_s: int) -> bool:
        """Return whether a start is allowed."""
        return covers(self.open_starts, start_s)

    def has_choice(self, now_s: int) -> bool:
        """Return whether the task can still start at more than one time, from `now_s` on."""
        if not self.starts:
            return max(self.earliest_start_s, now_s) < self.latest_start_s
        left = [(max(first_s, now_s), last_s) for first_s, last_s in self.open_starts if last_s >= now_s]
        return len(left) > 1 or any(first_s < last_s for first_s, last_s in left)

    def nearest_start_s(self, start_s: int, now_s: int) -> int:
        """Return the allowed start nearest to a wished one; of two, the earlier one.

        Args:
            start_s: The wished start.
            now_s: Starts before it are no longer allowed.
        """
        left = [(max(first_s, now_s), last_s) for first_s, last_s in self.open_starts if last_s >= now_s]
        near_s = [min(max(start_s, first_s), last_s) for first_s, last_s in left]
        return min(near_s, key=lambda s: abs(s - start_s), default=start_s)


@dataclass(frozen=True, slots=True)
class Commitment:
    """A task that the producer has promised to supply."""

    task: Task
    start_s: int
    """The agreed start, UNIX seconds. A task with `start_s <= now_s` is running or has run, and must not move."""

    def may_start_at(self, start_s: int, now_s: int) -> bool:
        """Return whether a schedule that is made now, at `now_s`, may start it then. UNIX seconds."""
        if self.start_s <= now_s:
            return start_s == self.start_s
        return start_s >= now_s and self.task.can_start_at(start_s)


@dataclass(frozen=True, slots=True)
class ProducerState:
    """The state of a producer on which it decides."""

    production: Production | Outlook
    """Expected production: the latest forecast for each moment."""
    committed: tuple[Commitment, ...]
    """All commitments that had not ended before the current minute, in the order of acceptance."""
    now_s: int
    """Current time, UNIX seconds; no task can start earlier."""
    may_push: bool = False
    """Late promises only: whether the new task may push others out."""
    firm: frozenset[str] = frozenset()
    """Late promises only: ids of the jobs that can no longer be pushed out."""
    waiting: tuple[Task, ...] = ()
    """Late promises only: rejected tasks that wait for an opening."""
    _kept: dict[tuple[type, object], object] = field(default_factory=dict, init=False, compare=False, repr=False)

    def kept(self, kind: type[_Kept], variant: object = None) -> _Kept | None:
        """Return what was kept of a class; None: nothing yet."""
        return self._kept.get((kind, variant))  # type: ignore[return-value]  # `keep` stores it under its own class

    def keep(self, result: _Kept, variant: object = None) -> _Kept:
        """Keep a result that depends on this state only, because many tasks are tried on it one after another.

        A result is stored under its class, so a plug-in that keeps results of its own cannot replace those of others.

        Args:
            result: The result.
            variant: What tells results of one class apart.

        Returns:
            The result.
        """
        self._kept[type(result), variant] = result
        return result


@dataclass(frozen=True, slots=True)
class Schedule:
    """A start for the new task and for every commitment. In no minute do the loads exceed the expected production.

    With late promises, commitments that are pushed out have no start.
    """

    starts_s: Mapping[str, int]
    """By job id, UNIX seconds."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a task is rejected, fit for users."""

    reason: str


@dataclass(frozen=True, slots=True)
class Replanning:
    """The result of rescheduling a producer's commitments after its forecast has changed."""

    starts_s: Mapping[str, int]
    """By job id, the start of each commitment that is kept, running ones included, UNIX seconds; most are unchanged."""
    cancelled: Mapping[str, str]
    """By job id, why a commitment cannot be kept; fit for users."""


class Scheduler(Protocol):
    """Decides whether and when a producer supplies tasks.

    The same arguments always give the same result: effort is limited by counted work, never by time, and all randomness
    comes from `rng`.
    """

    @property
    def is_heavy(self) -> bool:
        """Whether `place` takes so long that it belongs in a thread."""
        ...

    def place(self, state: ProducerState, task: Task, rng: Random) -> Schedule | Rejection:
        """Schedule a new task in addition to the commitments; unstarted ones may move within their windows.

        Args:
            state: The producer's state.
            task: The new task.
            rng: The only source of randomness.

        Returns:
            A start for the new task and for every commitment, or why the task is rejected.
        """
        ...

    def have_room(self, state: ProducerState, tasks: Sequence[Task]) -> list[bool]:
        """Return for each rejected task whether to request it again; quick, and without randomness.

        Args:
            state: The producer's state.
            tasks: The tasks, each of which is tried as if it were the only one.
        """
        ...

    def replan(self, state: ProducerState) -> Replanning:
        """Fit the commitments to a new forecast; cancel those that it cannot supply.

        Args:
            state: The producer's state, with the new forecast.
        """
        ...
