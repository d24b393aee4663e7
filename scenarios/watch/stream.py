"""The messages that agents sent to each other, each as one line; the newest are kept, the others counted."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote

KEPT_LINES = 50_000
"""Of the stream; the results file has all."""


@dataclass(frozen=True, slots=True)
class Line:
    """A message in short."""

    number: int
    """Counts what was seen, from 0."""
    time_s: int
    round: int
    sender: str
    seq: int
    to: str
    kind: str
    job_id: str
    """Empty where the message is about no job."""
    text: str
    """What it says, in a few words."""

    def involves(self, agent: str) -> bool:
        """Return whether an agent sent or got it."""
        return agent in (self.sender, self.to)

    def involves_house(self, house: str, producers: frozenset[str]) -> bool:
        """Return whether an agent of a house sent or got it; `producers` are the house's."""
        return any(agent in producers or house_of_consumer(agent) == house for agent in (self.sender, self.to))


def house_of_consumer(agent: str) -> str | None:
    """Return the house in a consumer's agent id; None for any other agent."""
    house, separator, _ = agent.partition("/")
    return unquote(house) if separator else None


class Stream:
    """The newest lines."""

    def __init__(self, kept: int = KEPT_LINES) -> None:
        self.total = 0
        """Lines there ever were."""
        self._lines: deque[Line] = deque(maxlen=kept)

    @property
    def dropped(self) -> int:
        """Lines that are not kept any more."""
        return self.total - len(self._lines)

    def add(self, line: Line) -> None:
        """Keep a line; it is number `total`."""
        self._lines.append(line)
        self.total += 1

    def since(self, number: int) -> Iterator[Line]:
        """Return the kept lines from a number on."""
        skip = max(0, number - self.dropped)
        if skip < len(self._lines) // 2:
            return islice(self._lines, skip, None)
        newest = list(islice(reversed(self._lines), max(0, len(self._lines) - skip)))
        return reversed(newest)

    def __len__(self) -> int:
        return len(self._lines)
