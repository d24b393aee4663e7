"""Log of the messages between agents, one line each: the newest in memory, older ones in a temporary SQLite file."""

from __future__ import annotations

import re
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from scenarios.monitor.plausibility import check_moment
from scenarios.zone import Zone

_MARK = re.compile("\ue000(-?[0-9]{1,12})\ue001")
"""A time within a text, between private-use characters. A stranger who sends them can make a time appear, nothing
more."""


class _Marked(Zone):
    """Writes a time as a mark, which `MessageSummary.said` replaces by a clock time."""

    def exact_clock(self, time_s: float) -> str:
        check_moment(time_s)
        return f"\ue000{int(time_s)}\ue001"


MARKED: Zone = _Marked()
"""Placeholder zone of stored texts, which are displayed later in a zone that may not be known yet."""


@dataclass(frozen=True, slots=True)
class MessageSummary:
    """One message in short form."""

    number: int
    """Running number of observed messages, from 0."""
    time_s: int
    """Virtual time of sending, UNIX seconds."""
    round: int
    """Round of that second in which it was sent."""
    sender: str
    """Agent id of the sender."""
    seq: int
    """The sender's sequence number."""
    to: str
    """Agent id of the recipient."""
    kind: str
    job_id: str
    """Empty if the message is not about a job."""
    text: str
    """Its content in a few words; times in it are marks, see `said`."""

    def said(self, zone: Zone) -> str:
        """Return the content in words.

        Args:
            zone: Display zone of times. A time includes its date if that differs from the date of the message, or of
                the time before it.
        """
        if "\ue000" not in self.text:
            return self.text
        day = zone.at(self.time_s).date()

        def written(mark: re.Match[str]) -> str:
            nonlocal day
            time_s, before = int(mark[1]), day
            day = zone.at(time_s).date()
            return zone.exact_clock(time_s) if day == before else zone.exact_moment(time_s)

        return _MARK.sub(written, self.text)

    def involves(self, agent: str) -> bool:
        """Return whether an agent sent or received the message."""
        return agent in (self.sender, self.to)

    def involves_house(self, house: str, producers: frozenset[str]) -> bool:
        """Return whether an agent of a house sent or received the message.

        Args:
            house: Id of the house.
            producers: Ids of the house's producers.
        """
        return any(agent in producers or house_of_consumer(agent) == house for agent in (self.sender, self.to))


def shown_agent(agent: str) -> str:
    """Return an agent's id in readable form: house and device in a consumer's id are percent-encoded."""
    house, separator, device = agent.partition("/")
    return f"{unquote(house)}/{unquote(device)}" if separator else agent


def house_of_consumer(agent: str) -> str | None:
    """Return the house of a consumer's agent id; None for any other agent."""
    house, separator, _ = agent.partition("/")
    return unquote(house) if separator else None


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
    """The temporary file cannot be written or read; its content is lost."""


class MessageArchive:
    """Older messages by number, without gaps. SQLite deletes the file when it is closed, however the process ends."""

    def __init__(self, first: int, most_bytes: int) -> None:
        """Make an empty archive.

        Args:
            first: Number of the first message to be added.
            most_bytes: Maximum size of the file, bytes.

        Raises:
            ArchiveError: No temporary file can be made.
        """
        self.first = first
        self.end = first
        """Number after that of the newest message."""
        self._pages: OrderedDict[int, list[MessageSummary]] = OrderedDict()
        try:
            # Without a name it is a temporary file, created once it outgrows the cache.
            self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            try:
                self._db.execute("PRAGMA journal_mode = OFF")
                self._db.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
                self._db.execute(f"PRAGMA max_page_count = {max(16, most_bytes // _PAGE_BYTES)}")
                self._db.executescript(_TABLES)
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            raise ArchiveError(str(error)) from error

    def add(self, lines: Sequence[MessageSummary]) -> None:
        """Append messages.

        Raises:
            ArchiveError: The file is full or cannot be written.
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
        """Delete the messages before a number.

        Raises:
            ArchiveError: The file cannot be written.
        """
        if number > self.first:
            try:
                self._db.execute("DELETE FROM line WHERE number < ?", (number,))
            except sqlite3.Error as error:
                raise ArchiveError(str(error)) from error
            self.first = number

    def get(self, number: int) -> MessageSummary:
        """Return a message. A page of its neighbours is cached, as they are usually looked at next."""
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

    def between(self, begin: int, end: int) -> list[MessageSummary]:
        """Return the messages from number `begin` up to, but not including, `end`."""
        rows = self._db.execute("SELECT * FROM line WHERE number >= ? AND number < ? ORDER BY number", (begin, end))
        return [MessageSummary(*row) for row in rows]

    def about(self, job_id: str, most: int) -> list[MessageSummary]:
        """Return the newest messages about a job, oldest first; at most `most` of them."""
        rows = self._db.execute(
            "SELECT * FROM line WHERE job_id = ? AND job_id <> '' ORDER BY number DESC LIMIT ?", (job_id, most)
        )
        return [MessageSummary(*row) for row in rows][::-1]

    def close(self) -> None:
        """Close the file, which deletes it."""
        self._db.close()


KEPT_LINES = 1_000_000
"""Messages kept per run; a results file has all of them."""
MOST_BYTES = 512 * 1024 * 1024
"""Maximum size of the temporary file; a million messages take about a third of it."""
IN_MEMORY = 4_000
_MOVED_AT_ONCE = 500
_READ_AT_ONCE = 1_000


class MessageLog:
    """All observed messages by number, from 0 without gaps."""

    def __init__(self, kept: int = KEPT_LINES, most_bytes: int = MOST_BYTES) -> None:
        """Make an empty log.

        Args:
            kept: Number of newest messages to keep.
            most_bytes: Maximum size of the temporary file, bytes; when it is full, it is emptied.
        """
        self.total = 0
        """Number of messages observed so far."""
        self._kept = kept
        self._most_bytes = most_bytes
        self._newest: list[MessageSummary] = []
        self._archive: MessageArchive | None = None

    @property
    def first(self) -> int:
        """Number of the oldest message that is kept."""
        archive = self._archive
        oldest = self.total - len(self._newest) if archive is None else archive.first
        return max(oldest, self.total - self._kept)

    @property
    def dropped(self) -> int:
        """Number of messages that are no longer kept."""
        return self.first

    def add(self, line: MessageSummary) -> None:
        """Append a message, whose number must be `total`."""
        self._newest.append(line)
        self.total += 1
        if len(self._newest) >= IN_MEMORY + _MOVED_AT_ONCE:
            self._move(self._newest[:_MOVED_AT_ONCE])
            del self._newest[:_MOVED_AT_ONCE]

    def _move(self, lines: list[MessageSummary]) -> None:
        if self._kept <= IN_MEMORY:
            return
        try:
            if self._archive is None:
                self._archive = MessageArchive(lines[0].number, self._most_bytes)
            self._archive.add(lines)
            self._archive.drop_before(self.total - self._kept)
        except ArchiveError:
            # The file is full: drop it with its content; the next messages start a new one.
            self.close()

    def get(self, number: int) -> MessageSummary:
        """Return a message that is kept."""
        index = number - (self.total - len(self._newest))
        if index >= 0 or self._archive is None:
            return self._newest[max(0, index)]
        return self._archive.get(max(number, self._archive.first))

    def between(self, begin: int, end: int) -> list[MessageSummary]:
        """Return the kept messages from number `begin` up to, but not including, `end`."""
        begin = max(begin, self.first)
        in_memory = self.total - len(self._newest)
        older = [] if self._archive is None or begin >= in_memory else self._archive.between(begin, min(end, in_memory))
        return [*older, *self._newest[max(0, begin - in_memory) : max(0, end - in_memory)]]

    def since(self, number: int) -> Iterator[MessageSummary]:
        """Yield the kept messages from a number on."""
        begin = max(number, self.first)
        while begin < self.total:
            end = min(self.total, begin + _READ_AT_ONCE)
            yield from self.between(begin, end)
            begin = end

    def about(self, job_id: str, most: int) -> list[MessageSummary]:
        """Return the newest messages about a job, oldest first.

        Args:
            job_id: Id of the job.
            most: Number of messages at most.
        """
        first = self.first
        newest = [line for line in self._newest if line.job_id == job_id and line.number >= first][-most:]
        if self._archive is None or len(newest) == most:
            return newest
        older = self._archive.about(job_id, most - len(newest))
        return [*(line for line in older if line.number >= first), *newest]

    def close(self) -> None:
        """Discard everything that is not in memory."""
        if self._archive is not None:
            self._archive.close()
            self._archive = None

    def __len__(self) -> int:
        return self.total - self.first
