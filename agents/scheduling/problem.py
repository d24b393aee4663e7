"""What a scheduler is asked and what it answers. Schedulers are pure: this in, a plan or a refusal out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Protocol

from agents.energy import LoadProfile, Outlook, Production


@dataclass(frozen=True, slots=True)
class Task:
    """A job as a scheduler sees it."""

    job_id: str
    load: LoadProfile
    earliest_start_s: int
    latest_start_s: int


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
