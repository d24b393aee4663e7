"""The ledger: its entries, their canonical form, by which runs can be compared, and statements that await confirmation.

An entry is made of what both parties of a contract state. What a producer has stated and the job's consumer has not
confirmed yet is kept apart (`UnconfirmedStatements`).
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from agents.model import SHARED, Contract
from agents.shares import MAX_SHARES, Share, without_empty

StatementT = TypeVar("StatementT")
MAX_CHANGES = 1_000
"""Maximum number of changes in the history of a contract; older ones are left out. So a device whose suppliers keep
moving its job does not fill the ledger, and loses no contract."""
MAX_UNCONFIRMED = 100
"""Statements of a producer on one job that its consumer has not confirmed yet; there are two or three in practice."""


class LedgerEvent(BaseModel):
    """An event in the life of a contract."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_s: int
    """Virtual time, UNIX seconds."""
    what: Literal["agreed", "amended", "cancelled", "lost", "started", "interrupted", "finished", "aborted"]
    """`lost`: the run continued without the household. The last four: what a real device did."""
    start_s: int
    """The start from then on, UNIX seconds."""
    reason: str = ""
    """Why the contract was cancelled or lost, or its outcome on a real device; `TOGETHER` if the job runs at the same
    time as another job of its device."""
    producer: str = ""
    """The supplier from then on, as in the contract; empty if the contract has always had the same one."""
    shares: Annotated[tuple[Share, ...], Field(max_length=MAX_SHARES)] = ()
    """The producers' shares from then on, as in the contract."""

    @model_serializer(mode="wrap")
    def _without_empty(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_empty(serialise(self), "producer", "shares")


class LedgerEntry(BaseModel):
    """A contract and its history."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contract: Contract
    """In its current, or last, version."""
    state: Literal["standing", "cancelled", "lost"]
    history: tuple[LedgerEvent, ...]
    """In chronological order, `agreed` first."""

    def suppliers_after(self, event: LedgerEvent) -> tuple[str, ...]:
        """Return the ids of all suppliers of the job after an event of the history, including `GRID`."""
        if event.shares:
            return self.contract.model_copy(update={"producer": SHARED, "shares": event.shares}).suppliers
        producer = event.producer or self.contract.producer
        return self.contract.suppliers if producer == SHARED else (producer,)

    def shortened(self, most_bytes: int) -> LedgerEntry:
        """Return the entry with as much of its history as fits into a message: the beginning and the latest events.

        Args:
            most_bytes: Maximum size as JSON; exceeded only if the contract with its latest event is larger.
        """
        beginning, later = self.history[:1], self.history[1:]
        left_bytes = most_bytes - _json_bytes(self.model_copy(update={"history": beginning}))
        kept = 0
        for event in reversed(later):  # the others, which may be many, are not encoded
            left_bytes -= _json_bytes(event) + 1
            if left_bytes < 0 and kept:
                break
            kept += 1
        if kept == len(later):
            return self
        return self.model_copy(update={"history": (*beginning, *later[len(later) - kept :])})


def continued(history: tuple[LedgerEvent, ...], event: LedgerEvent) -> tuple[LedgerEvent, ...]:
    """Return a contract's history with one more event, and without the oldest changes if there are too many.

    Args:
        history: In chronological order, `agreed` first.
        event: What happened now.
    """
    return (*history[:1], *history[max(1, len(history) - MAX_CHANGES + 1) :], event)


def _json_bytes(model: BaseModel) -> int:
    return len(model.model_dump_json().encode())


def canonical_bytes(entries: Iterable[LedgerEntry]) -> bytes:
    """Return the canonical form: one JSON line per entry, sorted by contract id, keys sorted, no spaces."""
    ordered = sorted(entries, key=lambda entry: entry.contract.contract_id)
    lines = (
        json.dumps(entry.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        for entry in ordered
    )
    return "".join(f"{line}\n" for line in lines).encode()


def ledger_sha256(entries: Iterable[LedgerEntry]) -> str:
    """Return the SHA-256 of the canonical form, hexadecimal: equal ledgers have equal hashes."""
    return hashlib.sha256(canonical_bytes(entries)).hexdigest()


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

    def add(self, job_id: str, producer: str, said_s: int, statement: StatementT) -> bool:
        """Add a statement; return False, and leave it out, if there are too many (`MAX_UNCONFIRMED`).

        Args:
            job_id: The job.
            producer: The producer that makes it.
            said_s: The present virtual time, UNIX seconds.
            statement: What it says.
        """
        said = self._said.setdefault((job_id, producer), deque())
        if len(said) >= MAX_UNCONFIRMED:
            return False
        said.append((said_s, statement))
        return True

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
