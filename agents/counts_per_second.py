"""Counts what other agents cause in one second of virtual time, so that none can keep an agent busy in it for ever."""

from __future__ import annotations

from collections.abc import Hashable


class CountsPerSecond:
    """How often each thing has happened in the present second; earlier seconds are forgotten."""

    __slots__ = ("_at_s", "_counts")

    def __init__(self) -> None:
        self._at_s: int | None = None
        self._counts: dict[Hashable, int] = {}

    def add(self, what: Hashable, now_s: int) -> int:
        """Count one more; return how many there have been in this second.

        Args:
            what: The thing.
            now_s: Virtual time, UNIX seconds.
        """
        if now_s != self._at_s:
            self._at_s, self._counts = now_s, {}
        self._counts[what] = self._counts.get(what, 0) + 1
        return self._counts[what]
