"""Opens a results file for reading only, also while a simulation writes it, and says plainly what is wrong with it."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scenarios.results.errors import ResultsError
from scenarios.results.schema import APPLICATION_ID, SCHEMA_VERSION

HEADER_BYTES = 100
MAGIC = b"SQLite format 3\x00"
BUSY_WALL_S = 10.0


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open a results file.

    Raises:
        ResultsError: It is missing, empty, truncated, no SQLite file, not ours, or of a newer version.
    """
    header = _header(path)
    if not header.startswith(MAGIC):
        raise ResultsError(f"{path}: is not a results file of ssmic (no SQLite file at all)")
    application_id, version = struct.unpack(">I", header[68:72])[0], struct.unpack(">I", header[60:64])[0]
    if application_id != APPLICATION_ID:
        raise ResultsError(f"{path}: is an SQLite file, but not one with results of ssmic")
    if version > SCHEMA_VERSION:
        raise ResultsError(
            f"{path}: was written by a newer ssmic "
            f"(format {version}; this one reads up to {SCHEMA_VERSION}): upgrade ssmic"
        )
    _check_length(path, header)
    with readable(path):
        return _connect(path)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into one that names the file."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise ResultsError(f"{path}: cannot be read: {error}") from error
    except sqlite3.DatabaseError as error:
        raise ResultsError(f"{path}: is damaged: {error}") from error


def _header(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise ResultsError(f"{path}: is a folder; a results file is expected")
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
    except FileNotFoundError:
        raise ResultsError(f"{path}: there is no such file") from None
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not header:
        raise ResultsError(f"{path}: is empty; a simulation is just beginning, or never began")
    if len(header) < HEADER_BYTES and MAGIC.startswith(header[: len(MAGIC)]):
        raise ResultsError(f"{path}: is damaged: it breaks off after {len(header)} bytes")
    return header


def _check_length(path: Path, header: bytes) -> None:
    """Find a file that breaks off; while something waits in the write-ahead log, its length says nothing."""
    if _log_bytes(path):
        return
    page_bytes = struct.unpack(">H", header[16:18])[0]
    page_bytes = 65536 if page_bytes == 1 else page_bytes
    expected_bytes = struct.unpack(">I", header[28:32])[0] * page_bytes
    actual_bytes = path.stat().st_size
    if actual_bytes < expected_bytes:
        raise ResultsError(f"{path}: is damaged: it breaks off after {actual_bytes} of {expected_bytes} bytes")


def _log_bytes(path: Path) -> int:
    """Return how much waits in the write-ahead log, beside the file."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size
    except FileNotFoundError:
        return 0


def _connect(path: Path) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_WALL_S)
    try:
        connection.execute("SELECT 1 FROM meta").fetchone()
    except sqlite3.OperationalError as error:
        connection.close()
        if ("unable to open" not in str(error) and "readonly" not in str(error)) or _log_bytes(path):
            raise
        # In a folder that cannot be written to, SQLite cannot share the file with a writer; then there is none,
        # and the file is all there is.
        connection = sqlite3.connect(f"{uri}&immutable=1", uri=True, isolation_level=None)
    except BaseException:
        connection.close()
        raise
    connection.row_factory = sqlite3.Row
    return connection
