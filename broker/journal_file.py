"""The SQLite file in which a process keeps its journal, so that it can resume after a crash exactly where it was.

Write-ahead logging with `synchronous = FULL`: a commit is on disk before it returns, so it survives both the death of
the process and a power cut. A host that had answered a round and then forgot it could never catch up.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from broker.atomic_file import atomic_write
from broker.errors import SsmicError
from broker.setup import setup_differences

_SCHEMA = """
CREATE TABLE IF NOT EXISTS identity (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rounds (
    step INTEGER PRIMARY KEY, grant_json BLOB NOT NULL, delivered_json BLOB NOT NULL, digest TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS state (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), json TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS progress (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), json TEXT NOT NULL);
"""


class JournalError(SsmicError):
    """The journal cannot be used: it belongs to another run, is in use, is damaged, or does not replay."""


class JournalWriteError(JournalError):
    """The journal cannot be opened or written at present, for example because the disk is full."""


class JournalFile:
    """One process's journal of one run; base of `ClockJournal` and `HostJournal`, which know what is in it."""

    def __init__(self, path: Path, identity: dict[str, str]) -> None:
        """Open a journal, or create it; until it is closed, no other process can open it.

        Args:
            path: The file; missing folders are created.
            identity: What the journal belongs to: run, host, and the parts of its setup (`broker.setup`).

        Raises:
            JournalError: The file belongs to something else, is in use, or cannot be used.
        """
        self.path = path
        self._lock = self._locked()
        try:
            self._connection = self._connected()
            self._connection.executescript(_SCHEMA)
            for key, value in identity.items():
                self._connection.execute("INSERT OR IGNORE INTO identity VALUES (?, ?)", (key, value))
            stored = dict(self._connection.execute("SELECT key, value FROM identity").fetchall())
        except (sqlite3.Error, OSError) as error:
            self._lock.release()
            raise self._error(error) from error
        if stored != identity:
            self._close()
            differences = ", ".join(setup_differences(stored, identity))
            raise JournalError(
                f"journal {path} belongs to another run: {differences}. To resume its run, start with what it was "
                "begun with; for another run, choose another run id or journal folder"
            )
        self._inode = self._inode_in_place()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    @property
    def is_in_place(self) -> bool:
        """Whether the file is still where it was opened: somebody may have removed or replaced it."""
        return self._inode_in_place() == self._inode

    def put_back(self) -> None:
        """Write the journal to its place again, after its file was removed; nothing that was stored is lost.

        Raises:
            JournalWriteError: It cannot be written; what is stored is kept as long as this process lives.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):
                self._lock.release()
            self._lock = self._locked()
            with atomic_write(self.path, mode=0o600) as draft:
                copy = sqlite3.connect(draft)
                self._connection.backup(copy)
                copy.close()
                # SQLite removes a log by its name: before the new file has one of that name.
                self._connection.close()
            self._connection = self._connected()
        except (sqlite3.Error, OSError) as error:
            raise self._error(error) from error
        self._inode = self._inode_in_place()

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _locked(self) -> FileLock:
        """Lock the journal, by a file beside it: closing the journal itself would give up the locks of SQLite."""
        lock = FileLock(self.path.with_name(f"{self.path.name}.lock"), timeout=0)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:
            raise JournalError(f"journal {self.path}: another process uses it; a run has one process of each") from None
        except OSError as error:
            raise self._error(error) from error
        return lock

    def _inode_in_place(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _close(self) -> None:
        self._connection.close()
        self._lock.release()

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
        if isinstance(cause, OSError | sqlite3.OperationalError):
            return JournalWriteError(f"journal {self.path} cannot be written: {cause}")
        return JournalError(f"journal {self.path}: {cause}")
