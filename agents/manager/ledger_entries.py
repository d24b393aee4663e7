"""The ledger's entries, and their canonical form, by which runs can be compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from agents.model import SHARED, Contract
from agents.shares import MAX_SHARES, Share, without_empty

MAX_CHANGES = 1_000
"""Maximum number of changes in the history of a contract; older ones are left out. So a device whose suppliers keep
moving its job does not fill the ledger, and loses no contract."""


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
