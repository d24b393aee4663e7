"""The ledger's entries and their canonical form: what the manager keeps and everybody can compare."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from agents.model import Contract


class LedgerEvent(BaseModel):
    """Something that happened to a contract."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at_s: int
    """Virtual time, UNIX seconds."""
    what: Literal["agreed", "amended", "cancelled", "lost"]
    """`lost`: the household stayed away, and the run went on without it."""
    start_s: int
    """The start from then on."""
    reason: str = ""
    """Why it was cancelled or lost; `TOGETHER` where the start meets another job of the same device."""


class LedgerEntry(BaseModel):
    """A contract and all that happened to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contract: Contract
    """As it stands, or as it last stood."""
    state: Literal["standing", "cancelled", "lost"]
    history: tuple[LedgerEvent, ...]
    """In the order in which it happened; `agreed` first."""


def canonical(entries: Iterable[LedgerEntry]) -> bytes:
    """Return the ledger's canonical form: one JSON line an entry, sorted by contract id, keys sorted, no spaces."""
    ordered = sorted(entries, key=lambda entry: entry.contract.contract_id)
    lines = (
        json.dumps(entry.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        for entry in ordered
    )
    return "".join(f"{line}\n" for line in lines).encode()


def ledger_sha256(entries: Iterable[LedgerEntry]) -> str:
    """Return the SHA-256 of the canonical form, in hexadecimal: equal ledgers, equal hash."""
    return hashlib.sha256(canonical(entries)).hexdigest()
