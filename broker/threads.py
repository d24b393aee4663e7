"""Threads for calls that take long; a process that ends does not wait for them.

asyncio's own threads are joined when the event loop closes and again when the interpreter ends: one signal would then
end a run only when a solver, a name server or a firewall that answers nothing lets go of its thread.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Any, ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
ResultT = TypeVar("ResultT")


class UnawaitedThreads(ThreadPoolExecutor):
    """An executor for an event loop; `shutdown` lets idle threads end and waits for none.

    It is a `ThreadPoolExecutor` because asyncio takes nothing else, and uses nothing of it.
    """

    def __init__(self, most: int | None = None) -> None:
        """Make it; threads begin as they are needed.

        Args:
            most: How many threads there may be; None: as many as asyncio would have.
        """
        super().__init__(max_workers=1)
        self._most = most or min(32, (os.cpu_count() or 1) + 4)
        self._begun = 0
        self._idle = Semaphore(0)
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()

    def submit(
        self, fn: Callable[Parameters, ResultT], /, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Future[ResultT]:
        """Have a function called by a thread."""
        future: Future[ResultT] = Future()
        self._calls.put((future, partial(fn, *args, **kwargs)))
        if not self._idle.acquire(blocking=False) and self._begun < self._most:
            self._begun += 1
            Thread(target=self._work, name=f"ssmic-{self._begun}", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - as it is
        """Let idle threads end; a thread that still works is left to itself."""
        del wait, cancel_futures
        for _ in range(self._begun):
            self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            future, function = call
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function())
                except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the result
                    future.set_exception(error)
            del call, future, function  # or the result would live until the next call
            self._idle.release()


def new_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop that closes without waiting for its threads."""
    loop = asyncio.new_event_loop()
    loop.set_default_executor(UnawaitedThreads())
    return loop
