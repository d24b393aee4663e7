"""Verdicts on a scenario's expectations, as a results file keeps them: JSON objects, by run."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scenarios.results.connection import open_for_writing, transaction, translate_sqlite_errors

_TABLE = """
CREATE TABLE IF NOT EXISTS expectations ( -- files without expectations have no table
  run          INTEGER NOT NULL REFERENCES runs (run),
  n            INTEGER NOT NULL, -- counts from 1
  verdict_json TEXT NOT NULL,
  PRIMARY KEY (run, n)
) WITHOUT ROWID;
"""


def record_verdicts(path: Path, run: int, verdicts: Sequence[dict[str, Any]]) -> None:
    """Keep the verdicts on a run, replacing earlier ones.

    Raises:
        ResultsError: The file cannot be written.
    """
    with translate_sqlite_errors(path):
        connection = open_for_writing(path)
        try:
            with transaction(connection):
                connection.execute(_TABLE)
                connection.execute("DELETE FROM expectations WHERE run = ?", (run,))
                connection.executemany(
                    "INSERT INTO expectations VALUES (?, ?, ?)",
                    [(run, n, json.dumps(verdict, ensure_ascii=False)) for n, verdict in enumerate(verdicts, start=1)],
                )
        finally:
            connection.close()


def read_verdicts(connection: sqlite3.Connection, run: int) -> tuple[dict[str, Any], ...]:
    """Return the verdicts on a run; empty if there are none.

    Raises:
        ValueError: A row is not JSON.
        sqlite3.Error: The rows cannot be read.
    """
    there = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'expectations'").fetchone()
    if there is None:
        return ()
    rows = connection.execute("SELECT verdict_json FROM expectations WHERE run = ? ORDER BY n", (run,)).fetchall()
    return tuple(json.loads(text) for (text,) in rows)
