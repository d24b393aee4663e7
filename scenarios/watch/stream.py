"""The messages between agents, each as one line: the newest in memory, older ones in a temporary file."""

from __future__ import annotations

from collections.abc import Iterator

from scenarios.watch.archive import Archive, ArchiveError
from scenarios.watch.line import Line

KEPT_LINES = 1_000_000
"""Of one run; a results file has all."""
MOST_BYTES = 512 * 1024 * 1024
"""Of the temporary file; a million lines take about a third of it."""
IN_MEMORY = 4_000
_MOVED_AT_ONCE = 500
_READ_AT_ONCE = 1_000


class Stream:
    """The lines by their numbers, which count from 0 without a gap."""

    def __init__(self, kept: int = KEPT_LINES, most_bytes: int = MOST_BYTES) -> None:
        """Begin.

        Args:
            kept: How many of the newest lines.
            most_bytes: How large the temporary file may grow; beyond that it is begun anew.
        """
        self.total = 0
        """Lines there ever were."""
        self._kept = kept
        self._most_bytes = most_bytes
        self._newest: list[Line] = []
        self._archive: Archive | None = None

    @property
    def first(self) -> int:
        """Number of the oldest line that is kept."""
        archive = self._archive
        oldest = self.total - len(self._newest) if archive is None else archive.first
        return max(oldest, self.total - self._kept)

    @property
    def dropped(self) -> int:
        """Lines that are not kept any more."""
        return self.first

    def add(self, line: Line) -> None:
        """Keep a line; it is number `total`."""
        self._newest.append(line)
        self.total += 1
        if len(self._newest) >= IN_MEMORY + _MOVED_AT_ONCE:
            self._move(self._newest[:_MOVED_AT_ONCE])
            del self._newest[:_MOVED_AT_ONCE]

    def _move(self, lines: list[Line]) -> None:
        if self._kept <= IN_MEMORY:
            return
        try:
            if self._archive is None:
                self._archive = Archive(lines[0].number, self._most_bytes)
            self._archive.add(lines)
            self._archive.drop_before(self.total - self._kept)
        except ArchiveError:
            # No room: what was there is given up, and the room with it; the next lines begin anew.
            self.close()

    def get(self, number: int) -> Line:
        """Return a line that is kept."""
        index = number - (self.total - len(self._newest))
        if index >= 0 or self._archive is None:
            return self._newest[max(0, index)]
        return self._archive.get(max(number, self._archive.first))

    def between(self, begin: int, end: int) -> list[Line]:
        """Return the kept lines from one number to another, that one not included."""
        begin = max(begin, self.first)
        in_memory = self.total - len(self._newest)
        older = [] if self._archive is None or begin >= in_memory else self._archive.between(begin, min(end, in_memory))
        return [*older, *self._newest[max(0, begin - in_memory) : max(0, end - in_memory)]]

    def since(self, number: int) -> Iterator[Line]:
        """Return the kept lines from a number on."""
        begin = max(number, self.first)
        while begin < self.total:
            end = min(self.total, begin + _READ_AT_ONCE)
            yield from self.between(begin, end)
            begin = end

    def about(self, job_id: str, most: int) -> list[Line]:
        """Return the newest lines about a job, in their order.

        Args:
            job_id: Of the job.
            most: How many at most.
        """
        first = self.first
        newest = [line for line in self._newest if line.job_id == job_id and line.number >= first][-most:]
        if self._archive is None or len(newest) == most:
            return newest
        older = self._archive.about(job_id, most - len(newest))
        return [*(line for line in older if line.number >= first), *newest]

    def close(self) -> None:
        """Let go of all that is not in memory."""
        if self._archive is not None:
            self._archive.close()
            self._archive = None

    def __len__(self) -> int:
        return self.total - self.first
