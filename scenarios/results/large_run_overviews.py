"""Precomputed data in the file of a large run: figures of each household, and minutes in compact form.

A row for each minute of each house would take more space than everything else in such a file (100 million rows for
10,000 houses and three days), and settling all of them again takes gigabytes. So above `MOST_MINUTE_ROWS` these rows
are omitted, and the file contains the data of the screens instead: the figures of each household, the minutes of each
household and of all households together (compressed), and the delivery of each contract. All other data are settled
from the contracts, as in any other file.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
from pydantic import Field, TypeAdapter

from agents import FloatArray
from scenarios.metrics import Bill, ConsumptionBreakdown, MemberBill, Settlement
from scenarios.results.file_validation import MOST_RUN_S, decompressed
from scenarios.results.schema import has_table

MOST_MINUTE_ROWS: Final = 5_000_000
"""Rows of minutes of houses and producers that a run's results have at most; a run with more of them is large."""
MINUTE_S = 60

ShareDelivery = tuple[str, str, float, float, int, int]

OVERVIEW_TABLES = (
    """
CREATE TABLE IF NOT EXISTS overviews ( -- only of large runs: the minutes of all households together
  run     INTEGER PRIMARY KEY REFERENCES runs (run),
  first_s INTEGER NOT NULL, -- the first minute
  minutes BLOB NOT NULL     -- zlib, float64: produced, consumed and local Wh of each minute, one after the other
);
""",
    """
CREATE TABLE IF NOT EXISTS house_overviews ( -- only of large runs: what each household consumed, from where
  run         INTEGER NOT NULL REFERENCES runs (run),
  house_id    INTEGER NOT NULL REFERENCES houses (id),
  row_json    TEXT NOT NULL, -- energies and bill
  member_json TEXT,          -- the lines of the bill in an energy community
  minutes     BLOB NOT NULL, -- as in overviews, as float32
  PRIMARY KEY (run, house_id)
);
""",
    """
CREATE TABLE IF NOT EXISTS deliveries ( -- only of large runs: what producers gave to each standing contract
  run          INTEGER NOT NULL,
  contract_id  TEXT NOT NULL,
  delivered_wh REAL NOT NULL,
  PRIMARY KEY (run, contract_id)
) WITHOUT ROWID;
""",
)


SHARE_DELIVERIES_TABLE = """
CREATE TABLE IF NOT EXISTS share_deliveries ( -- only of large runs with shared supply: what each gave to a contract
  run           INTEGER NOT NULL,
  contract_id   TEXT NOT NULL,
  producer_id   INTEGER NOT NULL REFERENCES producers (id),
  contracted_wh REAL NOT NULL, -- energy that it was to give
  delivered_wh  REAL NOT NULL,
  first_s       INTEGER NOT NULL, -- the first minute in which it gives something
  last_s        INTEGER NOT NULL, -- the end of the last one
  PRIMARY KEY (run, contract_id, producer_id)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class HouseholdRow:
    """A household's row: the sources of its energy, its production, sales and bill."""

    house: str
    """Id of the house; of a sum, its title."""
    breakdown: Annotated[ConsumptionBreakdown, Field(alias="split")]
    """The alias is its name in files."""
    produced_wh: float
    """By the house's own panels."""
    sold_wh: float
    """Energy that they delivered to other houses."""
    bill: Bill | None
    """None without a tariff."""


@dataclass(frozen=True, slots=True)
class MinuteEnergies:
    """Energy of each minute, Wh, shape (M,) each."""

    first_s: int
    """Beginning of the first minute, UNIX seconds."""
    produced_wh: FloatArray
    """Actual production of all panels."""
    consumed_wh: FloatArray
    """Draw of all jobs and base loads."""
    local_wh: FloatArray
    """Consumption that producers served."""


_ROW = TypeAdapter(HouseholdRow)
_ROWS = TypeAdapter(tuple[HouseholdRow, ...])
_MEMBER = TypeAdapter(MemberBill)


def minute_rows(settled: Settlement) -> int:
    """Return the number of rows that a run's minutes take: those in which something was produced or consumed."""
    rows = int(np.count_nonzero(settled.produced_wh)) + settled.house_consumed_wh.count_nonzero()
    return rows if settled.base_load is None else rows + settled.base_load.consumed_wh.count_nonzero()


def write_overview(
    connection: sqlite3.Connection,
    run: int,
    settled: Settlement,
    households: Iterable[HouseholdRow],
    members: Mapping[str, MemberBill],
) -> None:
    """Write what readers of a large run need.

    Args:
        connection: Open for writing, within a transaction.
        run: Number of the run.
        settled: Its settled energy.
        households: The figures of each household, in the scenario's order.
        members: The bills of an energy community, by house; empty without one.

    Raises:
        sqlite3.Error: The rows cannot be written.
    """
    for table in OVERVIEW_TABLES:
        connection.execute(table)
    everything = (settled.produced_wh.sum(axis=0), settled.consumed_wh, settled.local_wh)
    connection.execute(
        "INSERT OR REPLACE INTO overviews VALUES (?, ?, ?)",
        (run, settled.start_s, zlib.compress(np.stack(everything).astype("<f8").tobytes(), 1)),
    )
    ids = dict(connection.execute("SELECT house, id FROM houses"))
    for row, minutes in zip(households, _minutes_of_houses(settled), strict=True):
        member = members.get(row.house)
        connection.execute(
            "INSERT OR REPLACE INTO house_overviews VALUES (?, ?, ?, ?, ?)",
            (
                run,
                ids[row.house],
                _ROW.dump_json(row, by_alias=True).decode(),
                None if member is None else _MEMBER.dump_json(member).decode(),
                zlib.compress(minutes.astype("<f4").tobytes(), 1),
            ),
        )
    connection.executemany(
        "INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?)",
        (
            (run, contract.contract_id, delivered_wh)
            for contract, delivered_wh in zip(settled.contracts, settled.job_delivered_wh.tolist(), strict=True)
        ),
    )


def write_shares(connection: sqlite3.Connection, run: int, shares: Iterable[ShareDelivery]) -> None:
    """Write what each producer gave to the contracts that several supply.

    Args:
        connection: Open for writing, within a transaction.
        run: Number of the run.
        shares: Contract, producer, energy by the contract and delivered, Wh, and between which minutes, UNIX seconds.

    Raises:
        sqlite3.Error: The rows cannot be written.
    """
    connection.execute(SHARE_DELIVERIES_TABLE)
    ids = dict(connection.execute("SELECT producer, id FROM producers"))
    connection.executemany(
        "INSERT OR REPLACE INTO share_deliveries VALUES (?, ?, ?, ?, ?, ?, ?)",
        ((run, contract_id, ids[producer], *of) for contract_id, producer, *of in shares),
    )


def _minutes_of_houses(settled: Settlement) -> Iterator[FloatArray]:
    """Yield what each house produced and consumed, and what of it producers served, Wh, shape (3, M)."""
    tables = (settled.house_produced_wh, settled.house_consumed_wh, settled.house_delivered_wh)
    for blocks in zip(*(table.blocks() for table in tables), strict=True):
        yield from np.stack([block for _, block in blocks], axis=1)


def forget_overview(connection: sqlite3.Connection, run: int) -> None:
    """Remove the overview of a run that is resumed.

    Raises:
        sqlite3.Error: The rows cannot be removed.
    """
    if has_overview(connection, run):
        for table in ("overviews", "house_overviews", "deliveries"):
            connection.execute(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608 - our own three names
        connection.execute(SHARE_DELIVERIES_TABLE)  # a file without shares has no such table
        connection.execute("DELETE FROM share_deliveries WHERE run = ?", (run,))


def has_overview(connection: sqlite3.Connection, run: int) -> bool:
    """Return whether the file keeps an overview of a run.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    if not has_table(connection, "overviews"):
        return False
    return connection.execute("SELECT 1 FROM overviews WHERE run = ?", (run,)).fetchone() is not None


def read_minutes(connection: sqlite3.Connection, run: int, house: str | None) -> MinuteEnergies:
    """Return the minutes of a large `run`: of all households together, or of one `house`.

    Raises:
        ValueError: They are damaged.
        sqlite3.Error: They cannot be read.
    """
    first_s, blob = connection.execute("SELECT first_s, minutes FROM overviews WHERE run = ?", (run,)).fetchone()
    kind = "<f8"
    if house is not None:
        query = "SELECT minutes FROM house_overviews JOIN houses ON id = house_id WHERE run = ? AND house = ?"
        (blob,) = connection.execute(query, (run, house)).fetchone()
        kind = "<f4"
    try:
        content = decompressed(blob, 3 * np.dtype(kind).itemsize * MOST_RUN_S // MINUTE_S)
        columns = np.frombuffer(content, dtype=kind).astype(np.float64).reshape(3, -1)
    except ValueError as error:
        raise ValueError(f"the minutes of run {run} cannot be read: {error}") from error
    return MinuteEnergies(int(first_s), columns[0], columns[1], columns[2])


def read_households(connection: sqlite3.Connection, run: int) -> tuple[HouseholdRow, ...]:
    """Return the figures of all households of a large run, in the scenario's order.

    Raises:
        ValueError: They are damaged.
        sqlite3.Error: They cannot be read.
    """
    query = "SELECT row_json FROM house_overviews WHERE run = ? ORDER BY house_id"
    rows = [row for (row,) in (tuple(found) for found in connection.execute(query, (run,)))]
    return _ROWS.validate_json(f"[{','.join(rows)}]")


def read_household(connection: sqlite3.Connection, run: int, house: str) -> tuple[HouseholdRow, MemberBill | None]:
    """Return the figures of one household of a large run, and its bill in an energy community.

    Args:
        connection: An open results file.
        run: The run, counted from 1.
        house: Id of the house.

    Raises:
        ValueError: They are damaged.
        sqlite3.Error: They cannot be read.
    """
    query = "SELECT row_json, member_json FROM house_overviews JOIN houses ON id = house_id WHERE run = ? AND house = ?"
    row, member = connection.execute(query, (run, house)).fetchone()
    return _ROW.validate_json(row), None if member is None else _MEMBER.validate_json(member)
