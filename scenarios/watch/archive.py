"""The older messages of a run, in a temporary file: memory is for what is looked at."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Sequence

from scenarios.watch.line import Line

_TABLES = """
CREATE TABLE line (
    number INTEGER PRIMARY KEY,
    time_s INTEGER, round INTEGER, sender TEXT, seq INTEGER, recipient TEXT, kind TEXT, job_id TEXT, text TEXT
);
CREATE INDEX about ON line (job_id) WHERE job_id <> '';
"""
_CACHE_KB = 8_000
_PAGE_BYTES = 4_096
_LINES_A_PAGE = 64
_KEPT_PAGES = 32


class ArchiveError(Exception):
    """The file cannot be written or read; what was in it is lost."""


class Archive:
    """Lines by number, without a gap; SQLite deletes the file when it is closed, however this process ends."""

    def __init__(self, first: int, most_bytes: int) -> None:
        """Make it, empty.

        Args:
            first: Number of the first line that will be added.
            most_bytes: How large the file may grow.

        Raises:
            ArchiveError: There is no place for a temporary file.
        """
        self.first = first
        self.end = first
        """Number of the line after the newest."""
        self._pages: OrderedDict[int, list[Line]] = OrderedDict()
        try:
            # Without a name it is a file where the system keeps temporary ones, once it outgrows the cache.
            self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = OFF")
            self._db.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
            self._db.execute(f"PRAGMA max_page_count = {max(16, most_bytes // _PAGE_BYTES)}")
            self._db.executescript(_TABLES)
        except sqlite3.Error as error:
            raise ArchiveError(str(error)) from error

    def add(self, lines: Sequence[Line]) -> None:
        """Add the lines that come next.

        Raises:
            ArchiveError: There is no room for them.
        """
        rows = ((n.number, n.time_s, n.round, n.sender, n.seq, n.to, n.kind, n.job_id, n.text) for n in lines)
        try:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT INTO line VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise ArchiveError(str(error)) from error
        self.end = lines[-1].number + 1

    def drop_before(self, number: int) -> None:
        """Forget the lines before one.

        Raises:
            ArchiveError: The file cannot be written.
        """
        if number > self.first:
            try:
                self._db.execute("DELETE FROM line WHERE number < ?", (number,))
            except sqlite3.Error as error:
                raise ArchiveError(str(error)) from error
            self.first = number

    def get(self, number: int) -> Line:
        """Return a line; its neighbours are at hand then, for who looks at one looks at them too."""
        page, offset = divmod(number, _LINES_A_PAGE)
        lines = self._pages.get(page)
        if lines is None or offset >= len(lines):
            begin = page * _LINES_A_PAGE
            first = max(begin, self.first)
            found = self.between(first, min(begin + _LINES_A_PAGE, self.end))
            lines = self._pages[page] = [found[0]] * (first - begin) + found
            if len(self._pages) > _KEPT_PAGES:
                self._pages.popitem(last=False)
        return lines[offset]

    def between(self, begin: int, end: int) -> list[Line]:
        """Return the lines from one number to another, that one not included."""
        rows = self._db.execute("SELECT * FROM line WHERE number >= ? AND number < ? ORDER BY number", (begin, end))
        return [Line(*row) for row in rows]

    def about(self, job_id: str, most: int) -> list[Line]:
        """Return the newest lines about a job, in their order."""
        rows = self._db.execute(
            "SELECT * FROM line WHERE job_id = ? AND job_id <> '' ORDER BY number DESC LIMIT ?", (job_id, most)
        )
        return [Line(*row) for row in rows][::-1]

    def close(self) -> None:
        """Delete the file."""
        self._db.close()
