"""The ledger of a run in its results file: contracts with their history, written as they change, and read back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from agents import Contract, LedgerEntry, LedgerEvent, Share
from scenarios.results.schema import SHARE_TABLES, has_table

CURRENT = 0
"""In place of an event's number: the contract as it is now."""


class WrittenHistory(NamedTuple):
    """The history of a contract as the file has it."""

    history: tuple[LedgerEvent, ...]
    """In the order of events."""
    left_out: int = 0
    """Number of events after the first one that have been removed; the others keep their numbers."""

    def number(self, i: int) -> int:
        """Return the number of an event in the file.

        Args:
            i: Its index in the history.
        """
        return i + 1 + (self.left_out if i else 0)

    def kept_in(self, history: tuple[LedgerEvent, ...]) -> tuple[WrittenHistory, int]:
        """Return a newer history as the file will have it, and how many of its events the file has already.

        Args:
            history: The newer version: with further events, or without some behind the first one.
        """
        before = self.history
        if not before or not history or history[0] is not before[0]:
            return WrittenHistory(history), 0
        gone = next((n for n, event in enumerate(before[1:]) if event is history[1]), 0) if len(history) > 1 else 0
        known = before[1 + gone :]
        if len(known) >= len(history) or any(a is not b for a, b in zip(known, history[1:], strict=False)):
            return WrittenHistory(history), 0
        return WrittenHistory(history, self.left_out + gone), 1 + len(known)


def write_entries(
    connection: sqlite3.Connection, run: int, entries: Iterable[LedgerEntry], written: Mapping[str, WrittenHistory]
) -> dict[str, WrittenHistory]:
    """Write ledger entries, replacing earlier versions of them; of a history, only what the file does not have.

    Args:
        connection: Open for writing, within a transaction.
        run: Number of the run.
        entries: The ledger entries.
        written: By contract id, the history in the file, as this function returned it.

    Returns:
        The same for these entries, valid once the transaction has been committed.

    Raises:
        sqlite3.Error: The rows cannot be written.
    """
    newer: dict[str, WrittenHistory] = {}
    for entry in entries:
        contract = entry.contract
        key = (run, contract.contract_id)
        now, known = written.get(contract.contract_id, WrittenHistory(())).kept_in(entry.history)
        newer[contract.contract_id] = now
        _delete_events(connection, "history", key, now, known)
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
        later = [(now.number(i), entry.history[i]) for i in range(known, len(entry.history))]
        connection.executemany(
            "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(*key, n, e.at_s, e.what, e.start_s, e.reason) for n, e in later],
        )
        _write_shares(connection, run, entry, now, known)
    return newer


def _write_shares(
    connection: sqlite3.Connection, run: int, entry: LedgerEntry, written: WrittenHistory, known: int
) -> None:
    history = entry.history
    if not entry.contract.shares and not any(event.shares or event.producer for event in history):
        return  # a contract that has had shares once has them in its history for ever
    for table in SHARE_TABLES:
        connection.execute(table)
    key = (run, entry.contract.contract_id)
    _delete_events(connection, "shares", key, written, known)
    _delete_events(connection, "suppliers", key, written, known)
    connection.execute("DELETE FROM shares WHERE run = ? AND contract_id = ? AND n = ?", (*key, CURRENT))
    versions = {CURRENT: entry.contract.shares}
    versions |= {written.number(i): history[i].shares for i in range(known, len(history))}
    connection.executemany(
        "INSERT INTO shares VALUES (?, ?, ?, ?, ?, ?)",
        [
            (*key, n, share.producer, share.energy_wh, json.dumps(share.minutes_mwh, separators=(",", ":")))
            for n, shares in versions.items()
            for share in shares
        ],
    )
    named = [i for i in range(known, len(history)) if history[i].producer]
    connection.executemany(
        "INSERT INTO suppliers VALUES (?, ?, ?, ?)", [(*key, written.number(i), history[i].producer) for i in named]
    )


def _delete_events(
    connection: sqlite3.Connection, table: str, key: tuple[int, str], written: WrittenHistory, known: int
) -> None:
    """Delete the events that a contract's history no longer has: all of them, if none of the newer ones is known."""
    where = "run = ? AND contract_id = ? AND n BETWEEN ? AND ?"
    span = (2, 1 + written.left_out) if known else (1, 2**53)
    connection.execute(f"DELETE FROM {table} WHERE {where}", (*key, *span))  # noqa: S608 - our own names


def read_ledger(connection: sqlite3.Connection, run: int) -> tuple[LedgerEntry, ...]:
    """Return a run's contracts with their history, including cancelled ones, in the order of contract ids.

    Raises:
        ValueError: A row is not a valid contract or event.
        sqlite3.Error: The rows cannot be read.
    """
    events: dict[str, list[LedgerEvent]] = {}
    shares, suppliers = _read_shares(connection, run)
    columns = "contract_id, n, at_s, what, start_s, reason"
    rows: list[tuple[Any, ...]] = connection.execute(
        f"SELECT {columns} FROM history WHERE run = ? ORDER BY contract_id, n",  # noqa: S608 - made of constants only
        (run,),
    ).fetchall()
    for contract_id, n, at_s, what, start_s, reason in rows:
        event = LedgerEvent(
            at_s=at_s,
            what=what,
            start_s=start_s,
            reason=reason,
            producer=suppliers.get((contract_id, n), ""),
            shares=shares.get((contract_id, n), ()),
        )
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
                shares=shares.get((contract_id, CURRENT), ()),
            ),
            state=state,
            history=tuple(events.get(contract_id, ())),
        )
        for contract_id, job_id, producer, start_s, agreed_s, energy_wh, state in rows
    )


def _read_shares(
    connection: sqlite3.Connection, run: int
) -> tuple[dict[tuple[str, int], tuple[Share, ...]], dict[tuple[str, int], str]]:
    """Return a run's shares and changed suppliers, by contract id and number of the event."""
    if not has_table(connection, "shares"):
        return {}, {}
    shares: dict[tuple[str, int], tuple[Share, ...]] = {}
    query = "SELECT contract_id, n, producer, minutes_json FROM shares WHERE run = ? ORDER BY contract_id, n, producer"
    for contract_id, n, producer, minutes in connection.execute(query, (run,)).fetchall():
        share = Share(producer=producer, minutes_mwh=json.loads(minutes))
        shares[contract_id, n] = (*shares.get((contract_id, n), ()), share)
    query = "SELECT contract_id, n, producer FROM suppliers WHERE run = ?"
    rows = connection.execute(query, (run,)).fetchall()
    return shares, {(contract_id, n): producer for contract_id, n, producer in rows}
