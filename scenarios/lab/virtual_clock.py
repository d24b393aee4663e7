"""The lab's time, also as `faketime` takes it, and the pending actions in its order.

Virtual seconds follow the wall clock at a pace, because controllers from outside do too.
"""

from __future__ import annotations

import asyncio
import heapq
from array import array
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import count

from broker.clock import Pace, PaceError

Action = Callable[[int], Awaitable[None] | None]
"""Called with the virtual time at which it is due, even if that has passed."""


class VirtualClock:
    """Maps the wall clock to virtual time; may be paused, and change its pace."""

    def __init__(self, pace: Pace, start_s: int) -> None:
        """Create the clock, paused at `start_s`.

        Raises:
            PaceError: The pace is `max`, at which no program from outside can follow.
        """
        self.pace = pace
        self.start_s = start_s
        """When its time begins, UNIX seconds."""
        self._factor = factor_of(pace)
        self._anchor_s = float(start_s)
        self._anchor_wall_s = asyncio.get_running_loop().time()
        self._is_paused = True
        self._changed = asyncio.Event()

    @property
    def is_paused(self) -> bool:
        """Whether time is stopped."""
        return self._is_paused

    @property
    def has_begun(self) -> bool:
        """Whether time has passed, even if it is stopped now."""
        return self.exact_s() > self.start_s

    def exact_s(self) -> float:
        """Return the virtual time, UNIX seconds."""
        if self._is_paused:
            return self._anchor_s
        return self._anchor_s + (asyncio.get_running_loop().time() - self._anchor_wall_s) * self._factor

    def now_s(self) -> int:
        """Return the last whole virtual second."""
        return int(self.exact_s())

    def faketime(self) -> str:
        """Return the argument of `faketime -f` for a program that is started now; local time of this machine."""
        at = datetime.fromtimestamp(self.exact_s(), UTC).astimezone()
        return f"@{at:%Y-%m-%d %H:%M:%S} x{self._factor:g}"

    def set_paused(self, *, paused: bool) -> None:
        """Stop time, or continue it."""
        self._anchor_s, self._anchor_wall_s = self.exact_s(), asyncio.get_running_loop().time()
        self._is_paused = paused
        self._changed.set()

    def set_pace(self, pace: Pace) -> None:
        """Continue at another pace.

        Raises:
            PaceError: The pace is `max`.
        """
        factor = factor_of(pace)
        self._anchor_s, self._anchor_wall_s = self.exact_s(), asyncio.get_running_loop().time()
        self.pace, self._factor = pace, factor
        self._changed.set()

    def lag_wall_s(self, due_s: int) -> float:
        """Return for how long something has been overdue, wall-clock seconds."""
        return max(0.0, (self.exact_s() - due_s) / self._factor)

    async def wait_until(self, time_s: float | None, changed: asyncio.Event) -> None:
        """Wait until a virtual time, until the clock is changed, or until an event is set.

        Args:
            time_s: The time, UNIX seconds; None: it does not matter.
            changed: The event.
        """
        left_wall_s: float | None = None
        if time_s is not None and not self._is_paused:
            left_wall_s = max(0.0, (time_s - self.exact_s()) / self._factor)
        waiting = [asyncio.ensure_future(event.wait()) for event in (changed, self._changed)]
        try:
            await asyncio.wait(waiting, timeout=left_wall_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
            self._changed.clear()


def factor_of(pace: Pace) -> float:
    """Return how many virtual seconds pass in a second.

    Raises:
        PaceError: The pace is `max`, at which no program from outside can follow.
    """
    if pace.factor is None:
        raise PaceError("pace 'max': a lab follows the wall clock, so that controllers can; expected for example '60x'")
    return pace.factor


class Agenda:
    """Runs actions when they are due, and measures how late it was."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.lags_wall_s = array("d")
        """How late each action was, wall-clock seconds."""
        self._heap: list[tuple[int, int, Action]] = []
        self._numbers = count()
        self._changed = asyncio.Event()
        self._ended = False

    def add(self, time_s: int, action: Action) -> None:
        """Schedule an action for a virtual time; an overdue one runs at once.

        Nothing is due before the lab's beginning: what was planned for earlier happens then, and is not late.
        """
        time_s = max(time_s, self.clock.start_s)
        if not self._heap or time_s < self._heap[0][0]:
            self._changed.set()
        heapq.heappush(self._heap, (time_s, next(self._numbers), action))

    @property
    def has_ended(self) -> bool:
        """Whether `end` was called."""
        return self._ended

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
                await self.clock.wait_until(due_s, self._changed)
                continue
            _, _, action = heapq.heappop(self._heap)
            self.lags_wall_s.append(self.clock.lag_wall_s(due_s))
            doing = action(due_s)
            if doing is not None:
                await doing
            if len(self.lags_wall_s) % 64 == 0:
                await asyncio.sleep(0)  # let waiting messages take their turn
