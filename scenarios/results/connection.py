"""Connections to a results file: opening it for reading or writing, its locks and transactions, and their errors."""

from __future__ import annotations

import os
import sqlite3
import struct
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

if sys.platform != "win32":
    import fcntl

from broker import SsmicError, atomic_write, missing_folders, writing_obstacle
from scenarios.results.file_validation import wrong_value
from scenarios.results.schema import APPLICATION_ID, NEWEST_FORMAT, SWEEP_ID


class ResultsError(SsmicError):
    """A results file cannot be created, written or read; the message names the file and the reason."""


class ResultsExistError(ResultsError):
    """The target exists already and is not overwritten unless requested."""


class ResultsWriteError(ResultsError):
    """Something cannot be written, through no fault of the results."""


class ResultsLockedError(ResultsError):
    """Another process has locked the file for readers, too."""


class ResultsUnreadableError(ResultsError):
    """The file cannot be read at present, through no fault of its content: the disk is full, for example."""


class SameSimulationError(ResultsError):
    """A simulation would be compared with itself."""


class UnknownWordError(ValueError):
    """A value is a word that this release does not know."""


class OutputFormatError(ResultsError):
    """Something cannot be written in the requested format, or the library that it needs is not installed."""


DAMAGE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What reading a damaged file may raise, besides errors of SQLite."""
_UNKNOWN = frozenset({"literal_error", "enum", "union_tag_invalid"})
"""Errors of pydantic about an unknown word, such as a kind of event."""
HEADER_BYTES = 100
"""Length of the header of an SQLite file."""
MAGIC = b"SQLite format 3\x00"
"""Its first bytes."""
READ_BUSY_WALL_S = 10.0
"""How long a reader waits for a process that has locked the file, wall-clock seconds."""


def damage_of(error: Exception) -> str:
    """Return what is wrong with a file according to an error of `DAMAGE`, without the reason.

    A word that this release does not know may be one of a newer release, because a new kind of event, for example,
    does not change the format.
    """
    if isinstance(error, UnknownWordError):
        return "is damaged, or was written by a newer ssmic"
    if isinstance(error, ValidationError) and any(problem["type"] in _UNKNOWN for problem in error.errors()):
        return "is damaged, or was written by a newer ssmic"
    return "is damaged"


def refuse_newer(path: Path, version: int, newest: int = NEWEST_FORMAT) -> None:
    """Refuse a file of a newer format; its tables may be others, which is no damage.

    Args:
        path: The file.
        version: Its format.
        newest: The newest format that this release knows.

    Raises:
        ResultsError: The format is newer.
    """
    if version > newest:
        raise ResultsError(
            f"{path}: was written by a newer ssmic (format {version}; this one reads up to {newest}): upgrade ssmic"
        )


def check_writable(path: Path) -> None:
    """Check that a file, which may exist, can be written; missing folders are no obstacle.

    Raises:
        ResultsWriteError: It is a folder, or no file can be written there.
    """
    if obstacle := writing_obstacle(path):
        raise ResultsWriteError(f"{path}: cannot be written: {obstacle}")


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Check that a file can be written without overwriting another one.

    Args:
        path: The file.
        overwrite: Whether an existing file may be overwritten.

    Raises:
        ResultsExistError: It exists and may not be overwritten.
        ResultsWriteError: See `check_writable`.
    """
    check_writable(path)
    if path.exists() and not overwrite:
        raise ResultsExistError(f"{path}: exists already; use --force to overwrite it")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a draft of a file made of results; missing folders are created, see `broker.atomic_write`.

    Raises:
        ResultsWriteError: The file cannot be written.
    """
    with whole_files() as draft_of:
        yield draft_of(path)


@contextmanager
def whole_files() -> Iterator[Callable[[Path], Path]]:
    """Yield a function that returns the draft of a file made of results; missing folders are created.

    All drafts take their places when the block ends, the last one first. If the block fails, for example because the
    disk is full, all files stay as they were, and folders that were created are removed.

    Raises:
        ResultsWriteError: A file cannot be written.
    """

    @contextmanager
    def begun(path: Path) -> Iterator[Path]:
        try:
            with missing_folders(path), atomic_write(path) as draft:
                yield draft
        except OSError as error:
            raise ResultsWriteError(f"{path}: cannot be written: {error.strerror or error}") from error

    with ExitStack() as drafts:
        yield lambda path: drafts.enter_context(begun(path))


def is_sweep_file(path: Path) -> bool:
    """Return whether a file holds a sweep's results, by its first bytes; False if it cannot be read."""
    try:
        if not path.is_file():  # opening a pipe would wait for its writer
            return False
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
    except OSError:
        return False
    return header.startswith(MAGIC) and header[68:72] == struct.pack(">I", SWEEP_ID)


def open_for_reading(path: Path, tables: Collection[str] | None = None) -> sqlite3.Connection:
    """Open a results file, read-only.

    Args:
        path: The file.
        tables: The tables that will be read, whose values are checked; None: all.

    Raises:
        ResultsError: The file is missing, empty, truncated, not an SQLite file, not ours, or of a newer version.
    """
    header = _header(path)
    if not header.startswith(MAGIC):
        raise ResultsError(f"{path}: is not an ssmic results file (not an SQLite file)")
    application_id, version = struct.unpack(">I", header[68:72])[0], struct.unpack(">I", header[60:64])[0]
    if application_id == SWEEP_ID:
        raise ResultsError(
            f"{path}: holds a sweep; `ssmic results show` and `report` read it, in Python `ssmic.results.load_sweep`"
        )
    if application_id != APPLICATION_ID:
        raise ResultsError(f"{path}: is an SQLite file, but not an ssmic results file")
    refuse_newer(path, version)
    _check_length(path, header)
    with translate_read_errors(path):
        connection = _connect(path)
        try:
            problem = wrong_value(connection, tables)
        except BaseException:
            connection.close()
            raise
    if problem is not None:
        connection.close()
        raise ResultsError(f"{path}: is damaged: {problem}")
    return connection


@contextmanager
def translate_read_errors(path: Path) -> Iterator[None]:
    """Translate SQLite errors into a `ResultsError` that names the file."""
    try:
        yield
    except sqlite3.OperationalError as error:
        unreadable = ResultsUnreadableError if _is_of_disk(error) else ResultsError
        kind = ResultsLockedError if is_busy(error) else unreadable
        raise kind(f"{path}: cannot be read: {error}") from error
    except sqlite3.DatabaseError as error:
        raise ResultsError(f"{path}: is damaged: {error}") from error


def _header(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise ResultsError(f"{path}: is a folder; a results file is expected")
        if path.exists() and not path.is_file():  # opening a pipe would wait for its writer
            raise ResultsError(f"{path}: is a pipe, a device or a socket; a results file is expected")
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
    except FileNotFoundError:
        raise ResultsError(f"{path}: there is no such file") from None
    except OSError as error:
        raise ResultsUnreadableError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not header:
        raise ResultsError(f"{path}: is empty; a simulation is just beginning, or never began")
    if len(header) < HEADER_BYTES and MAGIC.startswith(header[: len(MAGIC)]):
        raise ResultsError(f"{path}: is damaged: truncated after {len(header)} bytes")
    return header


def _check_length(path: Path, header: bytes) -> None:
    """Raise for a truncated file. While its write-ahead log is not empty, the file's length says nothing."""
    if _log_bytes(path):
        return
    page_bytes = struct.unpack(">H", header[16:18])[0]
    page_bytes = 65536 if page_bytes == 1 else page_bytes
    expected_bytes = struct.unpack(">I", header[28:32])[0] * page_bytes
    actual_bytes = path.stat().st_size
    if actual_bytes < expected_bytes:
        raise ResultsError(f"{path}: is damaged: truncated after {actual_bytes} of {expected_bytes} bytes")


def _log_bytes(path: Path) -> int:
    """Return the size of the write-ahead log next to the file."""
    try:
        return _log_of(path).stat().st_size
    except FileNotFoundError:
        return 0


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


@contextmanager
def being_written(path: Path) -> Iterator[None]:
    """Show `has_writer` that runs are being written into a file until the block ends, also between two of them.

    Raises:
        ResultsWriteError: The file cannot be opened.
    """
    with translate_sqlite_errors(path):
        connection = open_for_writing(path)
    with closing(connection):  # while it is open, the log stays
        log = lock_log(path)
        try:
            yield
        finally:
            if log is not None:
                os.close(log)


def lock_log(path: Path) -> int | None:
    """Lock the write-ahead log next to the file, as a sign to `has_writer` that this process writes runs into the file.

    The lock ends with the process, however that ends. The file itself cannot have it: SQLite locks that, and would lose
    its locks when this process, or a reader's, closes another descriptor of it.

    Returns:
        A descriptor, to be closed once no more is written; None if the log cannot be locked.
    """
    try:
        log = os.open(_log_of(path), os.O_RDONLY)
    except OSError:
        return None
    if sys.platform != "win32":
        try:
            fcntl.flock(log, fcntl.LOCK_SH)  # together with processes that write other runs of the file
        except OSError:
            os.close(log)
            return None
    return log


_LOOKING = threading.Lock()


def has_writer(path: Path) -> bool | None:
    """Return whether a process that writes runs into the file is alive; None if that cannot be known.

    It cannot be known of a file of another user, nor on file systems that have no locks.
    """
    with _LOOKING:  # or else two threads that look at the same file take each other for its writer
        try:
            log = os.open(_log_of(path), os.O_RDONLY)
        except FileNotFoundError:
            return False
        except OSError:
            return None
        try:
            if sys.platform == "win32":
                return None
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return None
        finally:
            os.close(log)
        return False


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=READ_BUSY_WALL_S)
    try:
        connection.execute("SELECT 1 FROM meta").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        if ("unable to open" not in str(error) and "readonly" not in str(error)) or _log_bytes(path):
            raise
        # In a read-only folder SQLite cannot share the file with a writer; then there is no writer,
        # and the file is complete.
        connection = sqlite3.connect(f"{uri}&immutable=1", uri=True, isolation_level=None)
    except BaseException:
        connection.close()
        raise
    connection.row_factory = sqlite3.Row
    return connection


BUSY_WALL_S = 60.0
"""How long a transaction waits for those of other processes."""
_DEAF_WALL_S = 0.05
"""How long SQLite itself waits at most before a transaction; meanwhile Python hears no signal."""


def seal(path: Path) -> None:
    """Merge a finished file with its write-ahead log, so that it can be copied, and read from read-only media.

    Does nothing while another process has it open; the results are complete either way.
    """
    with translate_sqlite_errors(path):
        connection = open_for_writing(path, busy_wall_s=0.2)
        try:
            connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError:
            return
        finally:
            connection.close()


def open_for_writing(path: Path, busy_wall_s: float = BUSY_WALL_S) -> sqlite3.Connection:
    """Open an existing results file for writing.

    Args:
        path: The file.
        busy_wall_s: How long to wait for transactions of other processes, wall-clock seconds.

    Raises:
        sqlite3.Error: It cannot be opened.
        ResultsError: It is of a newer version.
    """
    uri = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=busy_wall_s)
    try:
        # In WAL mode NORMAL survives the death of a process; only a power cut may take the last transactions.
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        refuse_newer(path, connection.execute("PRAGMA user_version").fetchone()[0])
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, busy_wall_s: float = BUSY_WALL_S) -> Iterator[None]:
    """Take the write lock at the start: a reader that upgrades to a writer could be refused it.

    Args:
        connection: The file.
        busy_wall_s: How long to wait for the lock, wall-clock seconds; a signal ends the wait.

    Raises:
        sqlite3.OperationalError: Another process has the lock (`is_busy`), or the file cannot be written.
    """
    give_up_wall_s = time.monotonic() + busy_wall_s
    connection.execute(f"PRAGMA busy_timeout = {min(_DEAF_WALL_S, busy_wall_s) * 1000:.0f}")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                break
            except sqlite3.OperationalError as error:
                if not is_busy(error) or time.monotonic() >= give_up_wall_s:
                    raise
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_WALL_S * 1000:.0f}")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


@contextmanager
def translate_sqlite_errors(path: Path) -> Iterator[None]:
    """Translate SQLite errors into a `ResultsWriteError` that names the file."""
    try:
        yield
    except sqlite3.Error as error:
        raise ResultsWriteError(f"{path}: cannot be written: {error}") from error


def is_busy(error: sqlite3.Error) -> bool:
    """Return whether a transaction failed because another connection has locked the file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _is_of_disk(error: sqlite3.Error) -> bool:
    """Return whether the disk failed: reading needs space, too, for the index of the write-ahead log."""
    of_disk = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN}
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in of_disk


def now_utc() -> str:
    """Return the current wall-clock time, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
