"""A deadline that is moved more often than it passes: while all answer in time, a wait sets no timer of its own."""

from __future__ import annotations

import asyncio


class Alarm:
    """Wakes one waiter when it is rung, or at a deadline."""

    def __init__(self) -> None:
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        """Goes off at the deadline, or at that of an earlier wait."""

    def ring(self) -> None:
        """Wake the waiter, if there is one."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self, until_wall_s: float) -> None:
        """Wait until it rings: at the deadline at the latest, possibly earlier for no reason.

        Args:
            until_wall_s: The deadline, loop time in seconds.
        """
        loop = asyncio.get_running_loop()
        if self._timer is None or self._timer.when() > until_wall_s:
            self.stop()
            self._timer = loop.call_at(until_wall_s, self._go_off)
        self._waiter = loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def stop(self) -> None:
        """Go off no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_off(self) -> None:
        self._timer = None
        self.ring()
