"""Finding messages in a stream of any length: the newest first, a part at a time, so that keys have their turn."""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import overload

from scenarios.monitor.message_log import Line, Stream

_PART = 500
"""Messages that are looked at between two looks at the clock."""


class Found(Sequence[Line]):
    """What was found, by number; messages are fetched as they are looked at."""

    def __init__(self, stream: Stream, numbers: Sequence[int]) -> None:
        """Make it.

        Args:
            stream: Where the messages are.
            numbers: Theirs, ascending; what is added at their end later is not part of this.
        """
        self._stream = stream
        self._numbers = numbers
        self._size = len(numbers)

    def position(self, key: object) -> int | None:
        """Return where the message with a number is, or would be; None where there is none at all."""
        if not self._size or not isinstance(key, int):
            return None
        return min(bisect_left(self._numbers, key, 0, self._size), self._size - 1)

    @overload
    def __getitem__(self, index: int) -> Line: ...
    @overload
    def __getitem__(self, index: slice) -> list[Line]: ...
    def __getitem__(self, index: int | slice) -> Line | list[Line]:
        if isinstance(index, slice):
            return [self._stream.get(self._numbers[i]) for i in range(*index.indices(self._size))]
        if not -self._size <= index < self._size:
            raise IndexError(index)
        return self._stream.get(self._numbers[index % self._size])

    def __len__(self) -> int:
        return self._size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(Line.__eq__, self, other))

    # Equal to lists, and as little to be hashed.
    __hash__ = None  # type: ignore[assignment]


class Search:
    """One filter over one stream."""

    def __init__(self, stream: Stream, wanted: Callable[[Line], bool] | None) -> None:
        """Begin.

        Args:
            stream: What is searched.
            wanted: Says whether a message is; None: each of them.
        """
        self._stream = stream
        self._wanted = wanted
        self._numbers = array("I")
        self._next = stream.total
        """From here on nothing was looked at yet."""
        self._before = stream.total
        """Nor before this."""

    @property
    def is_done(self) -> bool:
        """Whether all that there was has been looked at."""
        return self._wanted is None or self._before <= self._stream.first

    def go_on(self, budget_wall_s: float) -> Found:
        """Look at what is new, and for so long at what is older; return what was found so far."""
        stream, wanted = self._stream, self._wanted
        if wanted is None:
            return Found(stream, range(stream.first, stream.total))
        until_wall_s = time.perf_counter() + budget_wall_s
        self._numbers.extend(line.number for line in stream.since(self._next) if wanted(line))
        self._next = stream.total
        parts: list[list[int]] = []
        while not self.is_done:
            begin = max(stream.first, self._before - _PART)
            parts.append([line.number for line in stream.between(begin, self._before) if wanted(line)])
            self._before = begin
            if time.perf_counter() >= until_wall_s:
                break
        if any(parts):
            self._numbers = array("I", [number for part in reversed(parts) for number in part]) + self._numbers
        gone = bisect_left(self._numbers, stream.first)
        if gone:
            self._numbers = self._numbers[gone:]
        return Found(stream, self._numbers)
