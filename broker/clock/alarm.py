"""A deadline that is moved more often than it expires: while all answer in time, a wait sets no separate timer."""

from __future__ import annotations

import asyncio


class Alarm:
    """Wakes one waiter when it is rung, or at a deadline."""

    def __init__(self) -> None:
        self._waiter: asyncio.Future[bool] | None = None
        self._until_wall_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        """Goes off at the deadline, or at that of an earlier wait."""

    def ring(self) -> None:
        """Wake the waiter, if there is one."""
        self._wake(is_due=False)

    async def wait(self, until_wall_s: float) -> bool:
        """Wait until it is rung, at most until a deadline.

        Args:
            until_wall_s: The deadline, loop time in seconds.

        Returns:
            Whether the deadline was reached.
        """
        loop = asyncio.get_running_loop()
        self._until_wall_s = until_wall_s
        if self._timer is None or self._timer.when() > until_wall_s:
            self.stop()
            self._timer = loop.call_at(until_wall_s, self._go_off, until_wall_s)
        self._waiter = loop.create_future()
        try:
            return await self._waiter
        finally:
            self._waiter = None

    def stop(self) -> None:
        """Cancel the deadline, if one is set."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_off(self, at_wall_s: float) -> None:
        self._timer = None
        if at_wall_s >= self._until_wall_s:
            self._wake(is_due=True)
        elif self._waiter is not None:
            self._timer = asyncio.get_running_loop().call_at(self._until_wall_s, self._go_off, self._until_wall_s)

    def _wake(self, *, is_due: bool) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(is_due)
