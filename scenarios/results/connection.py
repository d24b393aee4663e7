"""Connections that write to a results file, and what is written to it outside a run."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scenarios.results.errors import ResultsError, ResultsWriteError
from scenarios.results.schema import SCHEMA_VERSION

BUSY_WALL_S = 60.0
"""How long a transaction waits for those of other processes."""


def record_comparison(path: Path, run: int, comparison: Mapping[str, Any]) -> None:
    """Keep beside a run what it was compared with: `{"optimum": {...}, ...}`, fit for JSON.

    Raises:
        ResultsError: The file cannot be written, or has no such run.
    """
    with said_plainly(path):
        connection = open_for_writing(path)
        try:
            changed = connection.execute(
                "UPDATE runs SET comparison_json = ? WHERE run = ?", (json.dumps(dict(comparison)), run)
            ).rowcount
        finally:
            connection.close()
    if not changed:
        raise ResultsError(f"{path}: has no run {run}")


def seal(path: Path) -> None:
    """Make a finished file one file again, fit to be copied and to be read where nothing can be written.

    Does nothing while somebody else has it open, for it is complete without this too.
    """
    with said_plainly(path):
        connection = open_for_writing(path, busy_wall_s=0.2)
        try:
            connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError:
            return
        finally:
            connection.close()


def open_for_writing(path: Path, busy_wall_s: float = BUSY_WALL_S) -> sqlite3.Connection:
    """Open an existing results file.

    Raises:
        sqlite3.Error: It cannot be opened.
        ResultsError: It is of another version.
    """
    uri = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=busy_wall_s)
    try:
        # In WAL mode NORMAL survives the death of a process; only a power cut may take the last transactions.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        _check_version(path, connection.execute("PRAGMA user_version").fetchone()[0])
    except BaseException:
        connection.close()
        raise
    return connection


def _check_version(path: Path, version: int) -> None:
    if version != SCHEMA_VERSION:
        raise ResultsError(f"{path}: its format is {version}, and this ssmic writes format {SCHEMA_VERSION}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Take the file's one right to write at once: a reader that turns into a writer could be refused it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


@contextmanager
def said_plainly(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into one that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise ResultsWriteError(f"{path}: cannot be written: {error}") from error


def now_utc() -> str:
    """Return the present moment of the wall clock, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
