"""Events as a chart marks them: repetitions that a chart cannot tell apart are one mark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

MARK_STEP_S: Final = 300
"""A day's chart has 288 steps: closer events with the same words are one mark."""


@dataclass(frozen=True, slots=True, order=True)
class EventMark:
    """An event, or several with the same words that follow each other closely."""

    at_s: float
    """Time of the first, UNIX seconds."""
    text: str
    """What takes place."""
    count: int = 1
    """Number of events."""

    def __str__(self) -> str:
        """What takes place, and how often if more than once."""
        return self.text if self.count == 1 else f"{self.text} ({self.count:,} times)"


class EventMarks:
    """The marks of events that are added in order of time."""

    def __init__(self, events: Iterable[tuple[float, str]] = (), *, most: int | None = None) -> None:
        """Make the marks.

        Args:
            events: UNIX seconds, in words.
            most: Marks that are kept, the newest; None: all.
        """
        self._marks: dict[tuple[int, str], EventMark] = {}
        self._most = most
        for at_s, text in events:
            self.add(at_s, text)

    def add(self, at_s: float, text: str) -> None:
        """Add an event: its time in UNIX seconds, and what takes place."""
        key = int(at_s // MARK_STEP_S), text
        before = self._marks.get(key)
        self._marks[key] = EventMark(at_s, text) if before is None else replace(before, count=before.count + 1)
        if self._most is not None and len(self._marks) > self._most:
            del self._marks[next(iter(self._marks))]

    def like(self, mark: EventMark) -> EventMark | None:
        """Return the mark of the same words and step; None if there is none."""
        return self._marks.get((int(mark.at_s // MARK_STEP_S), mark.text))

    def __iter__(self) -> Iterator[EventMark]:
        """Iterate over the marks in the order of their first events."""
        return iter(self._marks.values())
