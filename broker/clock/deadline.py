"""When the clock gives up waiting."""

from __future__ import annotations

import asyncio


class Deadline:
    """The end of a wait, without the times in which the clock could receive nothing.

    After the first such time the wait starts again, because what is awaited may need time to come back as well. After
    further ones only their length is added: a clock that is often kept from listening must not wait for ever.
    """

    def __init__(self, limit_wall_s: float) -> None:
        """Begin to wait.

        Args:
            limit_wall_s: For how long, wall-clock seconds.
        """
        self._limit_wall_s = limit_wall_s
        self.at_wall_s = asyncio.get_running_loop().time() + limit_wall_s
        """The end of the wait, loop time."""
        self._has_begun_anew = False

    @property
    def is_over(self) -> bool:
        """Whether the wait is over."""
        return asyncio.get_running_loop().time() > self.at_wall_s

    def leave_out(self, away_wall_s: float) -> None:
        """Leave out a time in which the clock could receive nothing, which has just ended.

        Args:
            away_wall_s: Its length, wall-clock seconds.
        """
        if self._has_begun_anew:
            self.at_wall_s += away_wall_s
        else:
            self.at_wall_s = asyncio.get_running_loop().time() + self._limit_wall_s
            self._has_begun_anew = True
