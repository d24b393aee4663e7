"""The SQLite file in which a process keeps its journal, so that it can resume after a crash exactly where it was.

The file uses write-ahead logging with `synchronous = FULL`: a commit is on disk before it returns, so it survives both
the death of the process and a power cut. A host that had answered a round and then forgot it could never catch up.

Everything written is chained by SHA-256 to what was written before, so that changed, removed or reordered rows are
noticed before anything is replayed. The chain has no key: it reveals damage and tampering with rows, but does not stop
a user who may write the file from rewriting all of it. Only its owner can read and write the file (0600).

A file belongs to a process with a certain setup: what the process was started with, part by part. Parts are separated
by blanks, each as `name:value`. A value that begins with `#` is a hash: it can only be compared. Processes of a run
compare their setups, and can say what differs (`setup_differences`).

A process with many journals commits them in threads: the file system combines simultaneous commits, and the event loop,
which has to keep the connections to the broker alive, is not blocked.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from filelock import FileLock, Timeout

from broker.errors import SsmicError
from broker.file_writing import FILE_MODE, atomic_write, inode_of, make_private, make_private_folder, writing_obstacle

_SCHEMA = """
BEGIN;
CREATE TABLE IF NOT EXISTS identity (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rounds (
    step INTEGER PRIMARY KEY, grant_json BLOB NOT NULL, delivered_json BLOB NOT NULL, digest TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS state (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), json TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS progress (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), json TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS chain (name TEXT PRIMARY KEY, count INTEGER NOT NULL, head TEXT NOT NULL);
COMMIT;
"""
PROTOCOL_KEY = "protocol"
"""Key of the version of the wire protocol in the identity of a run's journals."""
_RUN = "run"
"""Key of the run's id in it."""
ROUNDS, STATE, _PROGRESS = "rounds", "state", "progress"
"""Names of the chains: `rounds` grows; `state` and `progress` cover the one row that is replaced."""
_LAST_GRANT = "SELECT grant_json FROM rounds ORDER BY step DESC LIMIT 1"
_ROWS = "SELECT step, grant_json, delivered_json, digest FROM rounds ORDER BY step"
_HEADER_BYTES = 100
_PAGE_BYTES, _CHANGES, _PAGES, _LENGTH_IS_OF = slice(16, 18), slice(24, 28), slice(28, 32), slice(92, 96)
"""Parts of the header of an SQLite file: the size of a page, the number of changes, the number of pages, and of which
change the latter is."""
_NO_CHAIN = "a journal of an earlier release; finish the run with that release, or"
_OTHER_FORMAT = "is not in the format of this release: finish the run with the release that wrote it, or"
_DAMAGED = "was changed or cut after it was written, and cannot be used; restore it from a backup, or"
_REMEDY = "remove it and begin again under another run id"


class JournalError(SsmicError):
    """The journal cannot be used: it belongs to another run, is in use, is damaged, or does not replay."""


class JournalWriteError(JournalError):
    """The journal cannot be opened or written at present, for example because the disk is full."""


class JournalFile:
    """One process's journal of one run; base of `ClockJournal` and `HostJournal`, which define the content."""

    _BEGUN: ClassVar[str]
    """The chain that stays empty until the process takes part in the run."""

    def __init__(self, path: Path, identity: dict[str, str], threads: Executor | None = None) -> None:
        """Open a journal, or create it; until it is closed, no other process can open it.

        Args:
            path: The file; missing folders are created.
            identity: What the journal belongs to: run, host, and the parts of its setup (`broker.journal_file`).
            threads: Where rounds are committed, shared by the journals of a process; None: in the caller's thread.

        Raises:
            JournalError: The file belongs to something else, is in use, or cannot be used.
        """
        self.path = path
        self._threads = threads
        self._writing = threading.Lock()
        """Held from the begin of a transaction to its commit, which may be in another thread."""
        self._first = self._first_of(identity)
        """The chain of an empty journal with this identity."""
        self._lock = self._locked()
        try:
            self._connection = self._connected()
        except BaseException:
            self._lock.release()
            raise
        try:
            self._open(identity)
        except BaseException:
            self._close()
            raise
        self._inode = inode_of(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    @property
    def is_in_place(self) -> bool:
        """Whether the file is still where it was opened: a user may have removed or replaced it."""
        return inode_of(self.path) == self._inode

    def put_back(self) -> None:
        """Write the journal to its place again, after its file was removed; nothing that was stored is lost.

        Raises:
            JournalWriteError: It cannot be written; what is stored is kept as long as this process lives.
        """
        try:
            make_private_folder(self.path.parent)
            with suppress(OSError):
                self._lock.release()
            self._lock = self._locked()
            with self._writing:
                with atomic_write(self.path, mode=FILE_MODE) as draft:
                    with closing(sqlite3.connect(draft)) as copy:
                        self._connection.backup(copy)
                    # SQLite removes a log by its name: before the new file has one of that name.
                    self._connection.close()
                self._connection = self._connected()
        except (sqlite3.Error, OSError) as error:
            raise self._error(error) from error
        self._inode = inode_of(self.path)

    def _open(self, identity: dict[str, str]) -> None:
        """Create the tables if the file is new, and check what it belongs to.

        Raises:
            JournalError: See `__init__`.
        """
        try:
            self._connection.executescript(_SCHEMA)
            rows = self._connection.execute("SELECT key, value FROM identity").fetchall()
        except sqlite3.Error as error:
            raise self._error(error) from error
        if not all(isinstance(part, str) for row in rows for part in row):
            raise self._damaged("what it belongs to")
        stored: dict[str, str] = dict(rows)
        chains = self._chains()
        is_new = not stored and not chains
        is_unused = chains.get(self._BEGUN) == (0, self._first_of(stored)) and stored.get(_RUN) == identity.get(_RUN)
        if is_new or (is_unused and stored != identity):
            # An unused journal was left by a process that had other settings and never took part in the run.
            self._begin(identity)
            stored = identity
        found, own = stored.get(PROTOCOL_KEY, "unknown"), identity.get(PROTOCOL_KEY, "unknown")
        if found != own:
            # Whatever else differs may do so because of that.
            raise JournalError(
                f"journal {self.path} is of version {found} of the protocol, and this release has version {own}: "
                f"finish the run with the release that began it, or {_REMEDY}"
            )
        if stored != identity:
            differences = ", ".join(setup_differences(stored, identity))
            raise JournalError(
                f"journal {self.path} belongs to another run: {differences}. To resume its run, start with the "
                "settings it was begun with; for another run, choose another run id or journal folder"
            )
        if len(self._chains()) < 3:
            raise JournalError(f"journal {self.path}: {_NO_CHAIN} {_REMEDY}")

    def _connected(self) -> sqlite3.Connection:
        """Return a new connection to the file, which is created if missing.

        Raises:
            JournalError: It was cut, is not a journal, or cannot be opened.
        """
        try:
            self._check_length()
            make_private(self.path)
            connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
            except BaseException:
                connection.close()
                raise
        except (sqlite3.Error, OSError) as error:
            raise self._error(error) from error
        return connection

    def _check_length(self) -> None:
        """Check the length of the file; while its write-ahead log is not empty, that proves nothing.

        Raises:
            JournalError: The file was cut.
        """
        log = self.path.with_name(f"{self.path.name}-wal")
        if not self.path.is_file() or (log.exists() and log.stat().st_size):
            return
        with self.path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
        if 0 < len(header) < _HEADER_BYTES:
            raise self._damaged(f"{len(header)} bytes are left")
        if header[_CHANGES] != header[_LENGTH_IS_OF]:
            return  # the length in the header is out of date
        page_bytes = int.from_bytes(header[_PAGE_BYTES]) or 1
        page_bytes = 2**16 if page_bytes == 1 else page_bytes
        expected_bytes, actual_bytes = int.from_bytes(header[_PAGES]) * page_bytes, self.path.stat().st_size
        if actual_bytes < expected_bytes:
            raise self._damaged(f"{actual_bytes:,} of {expected_bytes:,} bytes are left")

    def _locked(self) -> FileLock:
        """Lock the journal by a separate file: closing the journal itself would release SQLite's locks."""
        beside = self.path.with_name(f"{self.path.name}.lock")
        lock = FileLock(beside, timeout=0, mode=FILE_MODE, thread_local=False)  # it may be opened in another thread
        try:
            make_private_folder(self.path.parent)
            lock.acquire()
        except Timeout:
            raise JournalError(f"journal {self.path}: another process uses it") from None
        except OSError as error:
            raise self._error(error) from error
        return lock

    def _close(self) -> None:
        with self._writing:
            self._connection.close()
        self._lock.release()

    def _save_state(self, state_json: str, *, waits_for_disk: bool = True) -> None:
        """Store the process's current state, replacing the previous one.

        Args:
            state_json: The state.
            waits_for_disk: Whether to wait until it is on disk; if not, it is on disk before later writes.

        Raises:
            JournalError: The file cannot be written.
        """
        with self._written(waits_for_disk=waits_for_disk):
            self._connection.execute("INSERT OR REPLACE INTO state VALUES (1, ?)", (state_json,))
            self._set_chain(STATE, 1, _link(self._first, state_json))

    def _load_state(self) -> str | None:
        """Return the state that was stored last; None if there is none.

        Raises:
            JournalError: The stored content was changed.
        """
        return self._load_row(STATE, "SELECT json FROM state", "its state")

    def _append_round(self, step: int, grant_json: bytes, delivered_json: bytes, digest: str) -> None:
        """Store a round behind the others.

        Raises:
            JournalError: The file cannot be written.
        """
        with self._written():
            self._insert_round(step, grant_json, delivered_json, digest)

    async def _append_round_in_thread(self, step: int, grant_json: bytes, delivered_json: bytes, digest: str) -> None:
        """Do the same, but wait for the disk in a thread, if there are threads for that.

        A caller that is cancelled meanwhile does not stop the commit.

        Raises:
            JournalError: The file cannot be written.
        """
        if self._threads is None:
            self._append_round(step, grant_json, delivered_json, digest)
            return
        try:
            with self._begun():
                self._insert_round(step, grant_json, delivered_json, digest)
            await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._threads, self._commit))
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _insert_round(self, step: int, grant_json: bytes, delivered_json: bytes, digest: str) -> None:
        count, head = self._chains()[ROUNDS]
        self._connection.execute("INSERT INTO rounds VALUES (?, ?, ?, ?)", (step, grant_json, delivered_json, digest))
        self._set_chain(ROUNDS, count + 1, _link(head, step, grant_json, delivered_json, digest))

    def _load_rounds(self) -> Iterator[tuple[bytes, bytes, str]]:
        """Yield grant, delivered messages and digest of each round, in order, after all of them have been checked.

        Raises:
            JournalError: The stored content was changed.
        """
        try:
            count, head = 0, self._first
            for row in self._connection.execute(_ROWS):
                count, head = count + 1, _link(head, *row)
            stored = self._chains()[ROUNDS]
            if (count, head) != stored:
                which = f"{count} rounds are left of {stored[0]}" if count != stored[0] else "its rounds"
                raise self._damaged(which)
            for _, grant_json, delivered_json, digest in self._connection.execute(_ROWS):
                yield grant_json, delivered_json, digest
        except sqlite3.Error as error:
            raise self._error(error) from error

    def _load_last_grant(self) -> bytes | None:
        """Return the grant of the last round, unchecked: `_load_rounds` checks all of them; None if there is none."""
        try:
            row: tuple[bytes] | None = self._connection.execute(_LAST_GRANT).fetchone()
        except sqlite3.Error as error:
            raise self._error(error) from error
        return None if row is None else row[0]

    @staticmethod
    def _first_of(identity: Mapping[str, str]) -> str:
        return _link("", *(part for item in sorted(identity.items()) for part in item))

    def _begin(self, identity: dict[str, str]) -> None:
        with self._written():
            for table in ("identity", ROUNDS, STATE, _PROGRESS):
                self._connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
            self._connection.executemany("INSERT INTO identity VALUES (?, ?)", identity.items())
            for name in (ROUNDS, STATE, _PROGRESS):
                self._set_chain(name, 0, self._first)

    def _chains(self) -> dict[str, tuple[int, str]]:
        """Return count and head of each chain, by name."""
        try:
            rows = self._connection.execute("SELECT name, count, head FROM chain").fetchall()
        except sqlite3.Error as error:
            raise self._error(error) from error
        return {name: (count, head) for name, count, head in rows}

    def _set_chain(self, name: str, count: int, head: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO chain VALUES (?, ?, ?)", (name, count, head))

    @contextmanager
    def _written(self, *, waits_for_disk: bool = True) -> Iterator[None]:
        """Write all that the context writes in one commit; wait for the disk once, or not at all."""
        try:
            if not waits_for_disk:
                self._connection.execute("PRAGMA synchronous = NORMAL")
            with self._begun():
                yield
            self._commit()
        except sqlite3.Error as error:
            raise self._error(error) from error
        finally:
            if not waits_for_disk:
                self._connection.execute("PRAGMA synchronous = FULL")

    @contextmanager
    def _begun(self) -> Iterator[None]:
        """Begin a transaction, which `_commit` ends; if the context raises, it is undone."""
        self._writing.acquire()
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
        except BaseException:
            self._writing.release()
            raise

    def _commit(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        finally:
            self._writing.release()

    def _damaged(self, which: str) -> JournalError:
        return JournalError(f"journal {self.path} {_DAMAGED} {_REMEDY} ({which})")

    def _unreadable(self, which: str) -> JournalError:
        return JournalError(f"journal {self.path}: {which} {_OTHER_FORMAT} {_REMEDY}")

    def _save_progress(self, progress_json: str, *, is_final: bool) -> None:
        """Store how far the process has come since its last state, replacing what was stored before.

        Args:
            progress_json: The progress.
            is_final: Whether to wait until it is on disk.

        Raises:
            JournalError: The file cannot be written.
        """
        with self._written(waits_for_disk=is_final):
            self._connection.execute("INSERT OR REPLACE INTO progress VALUES (1, ?)", (progress_json,))
            self._set_chain(_PROGRESS, 1, _link(self._first, progress_json))

    def _load_progress(self) -> str | None:
        """Return the progress that was stored last; None if there is none.

        Raises:
            JournalError: The stored content was changed.
        """
        return self._load_row(_PROGRESS, "SELECT json FROM progress", "its progress")

    def _load_row(self, chain: str, query: str, which: str) -> str | None:
        try:
            row: tuple[str] | None = self._connection.execute(query).fetchone()
        except sqlite3.Error as error:
            raise self._error(error) from error
        found = (0, self._first) if row is None else (1, _link(self._first, row[0]))
        if found != self._chains()[chain]:
            raise self._damaged(which)
        return None if row is None else row[0]

    def _error(self, cause: Exception) -> JournalError:
        if isinstance(cause, OSError | sqlite3.OperationalError):
            is_in_the_way = isinstance(cause, FileExistsError | NotADirectoryError | sqlite3.OperationalError)
            obstacle = writing_obstacle(self.path) if is_in_the_way else ""
            reason = obstacle or getattr(cause, "strerror", None) or cause
            return JournalWriteError(f"journal {self.path} cannot be written: {reason}")
        if isinstance(cause, sqlite3.DatabaseError):
            return self._damaged(str(cause))
        return JournalError(f"journal {self.path}: {cause}")


def _link(head: str, *parts: str | bytes | int) -> str:
    """Return the SHA-256 of a chain that ends with these parts, hexadecimal.

    Args:
        head: The chain before.
        parts: What is added; each is preceded by its type and length, so that none can pass for another.
    """
    digest = hashlib.sha256(head.encode())
    for part in parts:
        content = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogatepass")
        digest.update(f"{type(part).__name__}{len(content)}:".encode() + content)
    return digest.hexdigest()


def setup_parts(setup: str) -> dict[str, str]:
    """Return the parts of a setup: value by name."""
    parts = (part.partition(":") for part in setup.split())
    return {name: value for name, _, value in parts}


def setup_differences(found: Mapping[str, str], expected: Mapping[str, str]) -> tuple[str, ...]:
    """Return how two setups differ, one phrase for each part: `seed '1', not '2'`, or `other jobs`.

    Args:
        found: Value by name of the part.
        expected: The parts of the clock's setup, in the same form.
    """
    phrases = []
    for name in sorted(found.keys() | expected.keys()):
        is_hash = any(parts.get(name, "#").startswith("#") for parts in (found, expected))
        if found.get(name) != expected.get(name):
            phrases.append(f"other {name}" if is_hash else f"{name} {found.get(name)!r}, not {expected.get(name)!r}")
    return tuple(phrases)
