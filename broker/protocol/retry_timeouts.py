"""Wall-clock timeouts and back-off: when to ask again, reconnect or give up. They never affect the outcome of a run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

LIMIT_WALL_S = 60.0
"""Default time to wait for a silent host before giving up on it."""


class Backoff:
    """The pause between retries: doubles with each unsuccessful one, up to a maximum."""

    def __init__(self, first_wall_s: float, max_wall_s: float) -> None:
        """Start with the shortest pause.

        Args:
            first_wall_s: The first pause, wall-clock seconds.
            max_wall_s: The longest pause, wall-clock seconds.
        """
        self.pause_wall_s = first_wall_s
        """The next pause, wall-clock seconds."""
        self._first_wall_s = first_wall_s
        self._max_wall_s = max_wall_s

    def double(self) -> None:
        """Double the next pause, up to the maximum."""
        self.pause_wall_s = min(2 * self.pause_wall_s, self._max_wall_s)

    def reset(self) -> None:
        """Return to the first pause."""
        self.pause_wall_s = self._first_wall_s

    async def wait(self, event: asyncio.Event) -> bool:
        """Wait until an event is set again, for at most one pause.

        Args:
            event: Is cleared first, so only what happens from now on counts.

        Returns:
            Whether the event was set in time. If not, it is time to retry, and the next pause is longer.
        """
        event.clear()
        try:
            async with asyncio.timeout(self.pause_wall_s):
                await event.wait()
        except TimeoutError:
            self.double()
            return False
        return True


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in wall-clock seconds."""

    resend_wall_s: float = 0.5
    """Request missing messages and answers again after this long; doubles up to `resend_most_wall_s`."""
    resend_most_wall_s: float = 5.0
    """Longest pause between two such requests."""
    limit_wall_s: float = LIMIT_WALL_S
    """The clock gives up on a host that has been silent for this long."""

    def backoff(self) -> Backoff:
        """Return a fresh back-off for requesting missing messages and answers."""
        return Backoff(self.resend_wall_s, self.resend_most_wall_s)


class Deadline:
    """The end of a wait that leaves out the times in which this process could receive nothing.

    After the first such time the wait starts again, because what is awaited may need time to come back as well. After
    further ones only their length is added: a process that is often kept from listening must not wait for ever.
    """

    def __init__(self, limit_wall_s: float) -> None:
        """Begin to wait.

        Args:
            limit_wall_s: For how long, wall-clock seconds.
        """
        self._limit_wall_s = limit_wall_s
        self.at_wall_s = asyncio.get_running_loop().time() + limit_wall_s
        """The end of the wait, loop time."""
        self._has_restarted = False

    @property
    def is_over(self) -> bool:
        """Whether the wait is over."""
        return asyncio.get_running_loop().time() > self.at_wall_s

    def leave_out(self, away_wall_s: float) -> None:
        """Leave out a time in which this process could receive nothing, and which has just ended.

        Args:
            away_wall_s: Its length, wall-clock seconds.
        """
        if self._has_restarted:
            self.at_wall_s += away_wall_s
        else:
            self.at_wall_s = asyncio.get_running_loop().time() + self._limit_wall_s
            self._has_restarted = True
