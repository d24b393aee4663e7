"""The pending actions of a lab, in the order of virtual time."""

from __future__ import annotations

import asyncio
import heapq
from array import array
from collections.abc import Awaitable, Callable
from itertools import count

from scenarios.lab.virtual_clock import VirtualClock

Action = Callable[[int], Awaitable[None] | None]
"""Is called with the virtual time at which it is due, also when that is past."""


class Agenda:
    """Does things when they are due, and measures how late it was."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.lags_wall_s = array("d")
        """How late each action was, wall-clock seconds."""
        self._heap: list[tuple[int, int, Action]] = []
        self._numbers = count()
        self._changed = asyncio.Event()
        self._ended = False

    def add(self, time_s: int, action: Action) -> None:
        """Have something done at a virtual time; what is overdue is done at once.

        Nothing is due before the lab's beginning: what was to happen earlier in the day happens then, and is not late.
        """
        time_s = max(time_s, self.clock.start_s)
        if not self._heap or time_s < self._heap[0][0]:
            self._changed.set()
        heapq.heappush(self._heap, (time_s, next(self._numbers), action))

    def end(self) -> None:
        """Stop: pending actions are not carried out."""
        self._ended = True
        self._changed.set()

    async def run(self) -> None:
        """Do everything when it is due, until `end` is called."""
        while not self._ended:
            self._changed.clear()
            due_s = self._heap[0][0] if self._heap else None
            now_s = self.clock.now_s()
            if due_s is None or due_s > now_s or self.clock.is_paused:
                await self.clock.wait_until(due_s if due_s is not None else now_s + 10**6, self._changed)
                continue
            _, _, action = heapq.heappop(self._heap)
            self.lags_wall_s.append(self.clock.lag_wall_s(due_s))
            doing = action(due_s)
            if doing is not None:
                await doing
            if len(self.lags_wall_s) % 64 == 0:
                await asyncio.sleep(0)  # let waiting messages take their turn
