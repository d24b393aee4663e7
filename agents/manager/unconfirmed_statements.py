"""Statements of producers that await confirmation by the consumer of the job.

A ledger entry is made of what both parties of a contract state. What a producer has stated and the job's consumer has
not confirmed yet is kept here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

StatementT = TypeVar("StatementT")
MAX_UNCONFIRMED = 100
"""Statements of a producer on one job that are kept for its consumer to confirm; there are two or three in practice."""


@dataclass(frozen=True, slots=True)
class Unconfirmed(Generic[StatementT]):
    """The last statement of a producer about a job."""

    job_id: str
    producer: str
    said_s: int
    """When it was made, UNIX seconds."""
    statement: StatementT


class UnconfirmedStatements(Generic[StatementT]):
    """By job and producer, the statements that are unconfirmed, in the order in which they were made.

    Statements that are equal mean the same: a consumer confirms a statement by an equal one of its own.
    """

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], deque[tuple[int, StatementT]]] = {}
        """Each with its time, UNIX seconds."""

    def has_any(self, job_id: str, producer: str) -> bool:
        """Return whether a producer has made any about a job."""
        return (job_id, producer) in self._said

    def has(self, job_id: str, producer: str, statement: StatementT) -> bool:
        """Return whether a producer has made a statement about a job.

        Args:
            job_id: The job.
            producer: The producer.
            statement: What it would say.
        """
        return any(known == statement for _, known in self._said.get((job_id, producer), ()))

    def add(self, job_id: str, producer: str, said_s: int, statement: StatementT) -> None:
        """Add a statement, in place of the oldest one if there are `MAX_UNCONFIRMED`.

        The last one counts in any case, because it is what the producer means now: a consumer that has it promise and
        withdraw again and again must not be left with a promise.

        Args:
            job_id: The job.
            producer: The producer that makes it.
            said_s: The present virtual time, UNIX seconds.
            statement: What it says.
        """
        self._said.setdefault((job_id, producer), deque(maxlen=MAX_UNCONFIRMED)).append((said_s, statement))

    def confirm(self, job_id: str, producer: str, statement: StatementT) -> bool:
        """Remove a statement, and all earlier ones of the producer about the job; return False if it has not made it.

        Args:
            job_id: The job.
            producer: The producer.
            statement: What the consumer reports.
        """
        if not self.has(job_id, producer, statement):
            return False
        said = self._said[job_id, producer]
        while said.popleft()[1] != statement:
            pass
        if not said:
            del self._said[job_id, producer]
        return True

    def take(self, job_id: str, producer: str) -> StatementT | None:
        """Remove a producer's statements about a job; return the last one, or None if there is none."""
        said = self._said.pop((job_id, producer), None)
        return said[-1][1] if said else None

    def take_older(self, before_s: int) -> list[Unconfirmed[StatementT]]:
        """Remove all statements of a producer about a job if the oldest was made before a time, UNIX seconds.

        Returns:
            The last statement for each such job and producer, in the order of the first ones.
        """
        due = [key for key, said in self._said.items() if said[0][0] < before_s]
        return [Unconfirmed(*key, *self._said.pop(key)[-1]) for key in due]

    @property
    def first_s(self) -> int | None:
        """When the oldest one was made, UNIX seconds; None: there is none."""
        return min((said[0][0] for said in self._said.values()), default=None)

    def forget(self, producers: Collection[str]) -> None:
        """Remove all statements of these producers."""
        self._said = {key: said for key, said in self._said.items() if key[1] not in producers}
