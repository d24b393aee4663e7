"""A run's ledger as rows: contracts, and what happened to each."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

from agents.ledger import LedgerEntry, LedgerEvent
from agents.model import Contract


def read_ledger(connection: sqlite3.Connection, run: int) -> tuple[LedgerEntry, ...]:
    """Return a run's contracts with their history, cancelled ones too, in the order of contract ids.

    Raises:
        ValueError: A row is no contract, or no event of one.
        sqlite3.Error: The rows cannot be read.
    """
    events: dict[str, list[LedgerEvent]] = {}
    columns = "contract_id, at_s, what, start_s, reason"
    rows: list[tuple[Any, ...]] = connection.execute(
        f"SELECT {columns} FROM history WHERE run = ? ORDER BY contract_id, n",  # noqa: S608 - made of constants only
        (run,),
    ).fetchall()
    for contract_id, at_s, what, start_s, reason in rows:
        event = LedgerEvent(at_s=at_s, what=what, start_s=start_s, reason=reason)
        events.setdefault(contract_id, []).append(event)
    columns = "contract_id, job_id, producer, start_s, agreed_s, energy_wh, state"
    rows = connection.execute(
        f"SELECT {columns} FROM contracts WHERE run = ? ORDER BY contract_id",  # noqa: S608 - made of constants only
        (run,),
    ).fetchall()
    return tuple(
        LedgerEntry(
            contract=Contract(
                contract_id=contract_id,
                job_id=job_id,
                producer=producer,
                start_s=start_s,
                agreed_s=agreed_s,
                energy_wh=energy_wh,
            ),
            state=state,
            history=tuple(events.get(contract_id, ())),
        )
        for contract_id, job_id, producer, start_s, agreed_s, energy_wh, state in rows
    )


def write_entries(connection: sqlite3.Connection, run: int, entries: Iterable[LedgerEntry]) -> None:
    """Write contracts as they stand, in place of what the file says of them.

    Raises:
        sqlite3.Error: The rows cannot be written.
    """
    for entry in entries:
        contract = entry.contract
        key = (run, contract.contract_id)
        connection.execute("DELETE FROM history WHERE run = ? AND contract_id = ?", key)
        connection.execute(
            "INSERT INTO contracts VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run, contract_id) DO UPDATE SET"
            " producer = excluded.producer, start_s = excluded.start_s, agreed_s = excluded.agreed_s,"
            " energy_wh = excluded.energy_wh, state = excluded.state",
            (
                *key,
                contract.job_id,
                contract.producer,
                contract.start_s,
                contract.agreed_s,
                contract.energy_wh,
                entry.state,
            ),
        )
        connection.executemany(
            "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(*key, n, e.at_s, e.what, e.start_s, e.reason) for n, e in enumerate(entry.history, start=1)],
        )
