"""Rows that a run gets when it ends: the energy of each minute, scores, and households that were lost or disagree."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat

import numpy as np

from agents import FloatArray
from scenarios.metrics import Settlement
from scenarios.results.rows import DroppedHost
from scenarios.results.schema import BASE_LOADS_TABLE, DISPUTES_TABLE, DROPPED_HOSTS_TABLE, SCORES_TABLE


def write_minutes(connection: sqlite3.Connection, run: int, settled: Settlement) -> None:
    """Write the energy of each minute, by producer and by house, within a transaction."""
    ids = dict(connection.execute("SELECT producer, id FROM producers"))
    for i, producer in enumerate(settled.producers):
        connection.executemany(
            "INSERT INTO production VALUES (?, ?, ?, ?, ?, ?)",
            _minute_rows(
                run, ids[producer], settled, (settled.produced_wh[i], settled.drawn_wh[i], settled.delivered_wh[i])
            ),
        )
    ids = dict(connection.execute("SELECT house, id FROM houses"))
    for i, house in enumerate(settled.houses):
        connection.executemany(
            "INSERT INTO consumption VALUES (?, ?, ?, ?, ?)",
            _minute_rows(run, ids[house], settled, (settled.house_consumed_wh[i], settled.house_delivered_wh[i])),
        )

    connection.execute(BASE_LOADS_TABLE)  # a resumed run may be in a file without this table
    base = settled.base_load
    if base is None:
        return
    for i, house in enumerate(settled.houses):
        columns = base.consumed_wh[i], base.own_wh[i], base.bought_wh[i]
        connection.executemany(
            "INSERT INTO base_loads VALUES (?, ?, ?, ?, ?, ?)", _minute_rows(run, ids[house], settled, columns)
        )


def _minute_rows(
    run: int, owner_id: int, settled: Settlement, columns: tuple[FloatArray, ...]
) -> Iterator[tuple[int | float, ...]]:
    """Return rows of run, owner, minute and columns for the minutes in which a column is not zero."""
    minutes = np.flatnonzero(np.any(np.stack(columns) != 0.0, axis=0))
    times_s = settled.times_s[minutes].tolist()
    values = [column[minutes].tolist() for column in columns]
    return zip(repeat(run), repeat(owner_id), times_s, *values, strict=False)


def write_scores(connection: sqlite3.Connection, run: int, scores: Mapping[str, tuple[int, int]]) -> None:
    """Write the score of each producer at the beginning and at the end, by id, within a transaction."""
    connection.execute(SCORES_TABLE)  # a resumed run may be in a file without this table
    ids = dict(connection.execute("SELECT producer, id FROM producers"))
    connection.executemany(
        "INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?)",
        [(run, ids[producer], *of) for producer, of in scores.items() if producer in ids],
    )


def write_dropped_hosts(connection: sqlite3.Connection, run: int, without: Sequence[DroppedHost]) -> None:
    """Write the hosts that a run ended without, within a transaction."""
    connection.execute(DROPPED_HOSTS_TABLE)  # as for scores
    connection.executemany(
        "INSERT OR REPLACE INTO dropped_hosts VALUES (?, ?, ?, ?)",
        [(run, dropped.host, dropped.why, dropped.is_quarantined) for dropped in without],
    )


def write_disputes(connection: sqlite3.Connection, run: int, disputes: Sequence[str]) -> None:
    """Write where households contradict the ledger or each other, within a transaction."""
    if not disputes:
        return
    connection.execute(DISPUTES_TABLE)
    connection.executemany(
        "INSERT OR REPLACE INTO disputes VALUES (?, ?, ?)",
        [(run, n, what) for n, what in enumerate(disputes, start=1)],
    )
