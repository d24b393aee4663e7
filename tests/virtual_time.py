"""An event loop whose time is virtual, for `asyncio.Runner`: waiting takes no time."""

from __future__ import annotations

import asyncio

import looptime


def new_virtual_loop() -> asyncio.AbstractEventLoop:
    """Return a loop that waits for its threads when it is closed.

    From Python 3.12 on, `asyncio.Runner` grants threads 300 s to end, which pass at once on virtual time.
    """
    loop = looptime.new_event_loop()
    join = loop.shutdown_default_executor

    async def shutdown_default_executor(timeout: float | None = None) -> None:  # noqa: ARG001, ASYNC109 - as asyncio calls it
        await join()

    loop.shutdown_default_executor = shutdown_default_executor  # type: ignore[method-assign]  # of this loop only
    return loop
