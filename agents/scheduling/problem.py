"""What a scheduler is asked and what it answers. Schedulers are pure: this in, a plan or a refusal out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Protocol

from agents.energy import LoadProfile, Outlook, Production
from agents.sequencing import Starts, covers


@dataclass(frozen=True, slots=True)
class Task:
    """A job as a scheduler sees it."""

    job_id: str
    load: LoadProfile
    earliest_start_s: int
    latest_start_s: int
    starts: Starts = ()
    """The only starts that its device is free for, from the earliest to the latest; empty: all between them."""

    @classmethod
    def among(cls, starts: Starts, job_id: str, load: LoadProfile) -> Task:
        """Return a task that may start then and at no other time."""
        return cls(job_id, load, starts[0][0], starts[-1][1], starts if len(starts) > 1 else ())

    @property
    def open_starts(self) -> Starts:
        """When it may start: stretches from a first to a last second, both included, rising, apart."""
        return self.starts or ((self.earliest_start_s, self.latest_start_s),)

    def can_start_at(self, start_s: int) -> bool:
        """Say whether a start is among those that it may have."""
        return covers(self.open_starts, start_s)

    def has_choice(self, now_s: int) -> bool:
        """Say whether it may still start at more than one time."""
        left = [(max(first_s, now_s), last_s) for first_s, last_s in self.open_starts if last_s >= now_s]
        return len(left) > 1 or any(first_s < last_s for first_s, last_s in left)

    def nearest_start_s(self, start_s: int, now_s: int) -> int:
        """Return the start nearest to a wished one among those that are left; of two, the earlier."""
        left = [(max(first_s, now_s), last_s) for first_s, last_s in self.open_starts if last_s >= now_s]
        near_s = [min(max(start_s, first_s), last_s) for first_s, last_s in left]
        return min(near_s, key=lambda s: abs(s - start_s), default=start_s)


@dataclass(frozen=True, slots=True)
class Commitment:
    """A task that the producer has promised to supply."""

    task: Task
    start_s: int
    """As agreed. A task with `start_s <= now_s` runs, or has run, and stays where it is."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One producer's state at one moment."""

    production: Production | Outlook
    """What the panel is expected to give: the newest prediction for each moment."""
    committed: tuple[Commitment, ...]
    """All that has not ended before the present minute, in the order in which it was accepted; running ones fixed."""
    now_s: int
    """No start lies before it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A start for the new task and for every committed one. No minute draws more than the panel gives."""

    starts_s: Mapping[str, int]
    """By job id."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the task is not accepted, fit to be shown."""

    reason: str


class Scheduler(Protocol):
    """Decides whether and when a producer supplies a task."""

    def __call__(self, problem: Problem, task: Task, rng: Random) -> Plan | Refusal:
        """Place `task` beside what is committed; unstarted tasks may move inside their windows.

        The same arguments give the same answer: effort is limited by counted work, chance comes from `rng` alone.
        """
        ...
