"""The SQLite file in which a process keeps its journal, so that it can resume after a crash exactly where it was.

Write-ahead logging with `synchronous = FULL`: a commit is on disk before it returns, so it survives both the death of
the process and a power cut. A host that had answered a round and then forgot it could never catch up.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

from broker.errors import SsmicError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS identity (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rounds (
    step INTEGER PRIMARY KEY, grant_json BLOB NOT NULL, delivered_json BLOB NOT NULL, digest TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS state (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), json TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS progress (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), json TEXT NOT NULL);
"""


class JournalError(SsmicError):
    """The journal cannot be used: it belongs to another run, is damaged, or does not replay."""


class JournalFile:
    """One process's journal of one run; base of `ClockJournal` and `HostJournal`, which know what is in it."""

    def __init__(self, path: Path, identity: dict[str, str]) -> None:
        """Open a journal, or create it.

        Args:
            path: The file; missing folders are created.
            identity: What the journal belongs to: run, host, seed, scenario.

        Raises:
            JournalError: The file belongs to something else, or cannot be used.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(_SCHEMA)
            for key, value in identity.items():
                self._connection.execute("INSERT OR IGNORE INTO identity VALUES (?, ?)", (key, value))
            stored = dict(self._connection.execute("SELECT key, value FROM identity").fetchall())
        except (sqlite3.Error, OSError) as error:
            raise self._error(error) from error
        if stored != identity:
            differences = ", ".join(
                f"{key} {stored.get(key)!r}, not {identity.get(key)!r}"
                for key in sorted(stored.keys() | identity.keys())
                if stored.get(key) != identity.get(key)
            )
            self._connection.close()
            raise JournalError(
                f"journal {path} belongs to another run: {differences}; remove it or choose another journal"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def _save_state(self, state_json: str) -> None:
        """Store the process's current state, replacing the previous one.

        Raises:
            JournalError: The file cannot be written.
        """
        try:
            self._connection.execute("INSERT OR REPLACE INTO state VALUES (1, ?)", (state_json,))
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _load_state(self) -> str | None:
        """Return the state that was stored last; None if there is none."""
        row: tuple[str] | None = self._connection.execute("SELECT json FROM state").fetchone()
        return None if row is None else row[0]

    def _save_progress(self, progress_json: str, *, is_final: bool) -> None:
        """Store how far the process has come since its last state, replacing what was stored before.

        Args:
            progress_json: The progress.
            is_final: Whether to wait until it is on disk.

        Raises:
            JournalError: The file cannot be written.
        """
        try:
            if not is_final:
                self._connection.execute("PRAGMA synchronous = NORMAL")
            try:
                self._connection.execute("INSERT OR REPLACE INTO progress VALUES (1, ?)", (progress_json,))
            finally:
                if not is_final:
                    self._connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _load_progress(self) -> str | None:
        """Return the progress that was stored last; None if there is none."""
        row: tuple[str] | None = self._connection.execute("SELECT json FROM progress").fetchone()
        return None if row is None else row[0]

    def _error(self, cause: Exception) -> JournalError:
        return JournalError(f"journal {self.path}: {cause}")
