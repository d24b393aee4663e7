"""A contract that changes very often costs little at each change, so that no member can slow down the clock by it."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from agents.manager.ledger import MAX_CHANGES, LedgerEntry, LedgerEvent, continued
from agents.model import Contract
from agents.shares import Share
from scenarios.results.ledger_rows import WrittenHistory, read_ledger, write_entries
from scenarios.results.schema import TABLES

CHANGES = 60
MOST_KEPT = 20


def amended(entry: LedgerEntry, n: int) -> LedgerEntry:
    """Return the entry after another change of its shares."""
    shares = tuple(Share(producer=f"pv-{k}", minutes_mwh=((60, 1_000 + n + k),)) for k in range(3))
    contract = entry.contract.model_copy(update={"shares": shares})
    event = LedgerEvent(at_s=n, what="amended", start_s=0, shares=shares, producer=f"pv-{n % 3}")
    history = (*entry.history[:1], *entry.history[1:][-MOST_KEPT:], event)
    return entry.model_copy(update={"contract": contract, "history": history})


def first() -> LedgerEntry:
    """Return a contract as it was agreed."""
    share = (Share(producer="pv-0", minutes_mwh=((60, 1_000),)),)
    contract = Contract(
        contract_id="j/1", job_id="j", producer="shared", start_s=0, agreed_s=0, energy_wh=60.0, shares=share
    )
    agreed = LedgerEvent(at_s=0, what="agreed", start_s=0, shares=share, producer="pv-0")
    return LedgerEntry(contract=contract, state="standing", history=(agreed,))


def test_a_change_writes_only_what_is_new() -> None:
    """However long the history is, also where its oldest changes are left out; what is read is the entry."""
    entry, written, rows = first(), dict[str, WrittenHistory](), list[int]()
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(TABLES)
        for n in range(CHANGES):
            before = connection.total_changes
            written |= write_entries(connection, 1, [entry], written)
            rows.append(connection.total_changes - before)
            assert read_ledger(connection, 1) == (entry,)
            entry = amended(entry, n)
    assert max(rows) < 20


def test_an_entry_that_was_not_written_by_this_process_is_replaced() -> None:
    """A clock was restarted; the rows that it finds are of an older version."""
    old = amended(first(), 1)
    new = amended(amended(first(), 2), 3)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(TABLES)
        for entry in (old, new, first()):
            write_entries(connection, 1, [entry], {})
            assert read_ledger(connection, 1) == (entry,)


def test_a_long_history_is_published_with_its_beginning_and_its_end() -> None:
    """As much of it as fits; most of it need not be encoded for that."""
    entry = first()
    for n in range(MAX_CHANGES + 10):
        event = LedgerEvent(at_s=n, what="amended", start_s=0, reason="x" * 200)
        entry = entry.model_copy(update={"history": continued(entry.history, event)})
    shorter = entry.shortened(20_000)
    assert len(shorter.model_dump_json()) <= 20_000 < len(entry.model_dump_json())
    assert shorter.history[0] is entry.history[0]
    assert shorter.history[1:] == entry.history[-len(shorter.history) + 1 :]
    assert entry.shortened(10**9) is entry
