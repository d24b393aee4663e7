"""The event loop of our processes: it does not wait for its threads at the end, and seldom polls for events.

asyncio joins its own threads when the event loop closes and again when the interpreter exits: a signal would then end a
run only after a solver, a name lookup or an unresponsive firewall has released its thread.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Semaphore, Thread
from traceback import walk_tb
from typing import Any, ParamSpec, TypeVar

from typing_extensions import override

from broker.errors import SsmicError

Parameters = ParamSpec("Parameters")
ResultT = TypeVar("ResultT")


class UnawaitedThreads(ThreadPoolExecutor):
    """An executor for an event loop whose `shutdown` lets idle threads end and waits for none.

    It derives from `ThreadPoolExecutor` because asyncio accepts nothing else, and uses nothing of it.
    """

    def __init__(self) -> None:
        """Create an executor; threads start when they are needed, as many as asyncio's own executor has."""
        super().__init__(max_workers=1)
        self._most = min(32, (os.cpu_count() or 1) + 4)
        self._begun = 0
        self._idle = Semaphore(0)
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()

    def submit(
        self, fn: Callable[Parameters, ResultT], /, *args: Parameters.args, **kwargs: Parameters.kwargs
    ) -> Future[ResultT]:
        """Call a function in a thread."""
        future: Future[ResultT] = Future()
        self._calls.put((future, partial(fn, *args, **kwargs)))
        if not self._idle.acquire(blocking=False) and self._begun < self._most:
            self._begun += 1
            Thread(target=self._work, name=f"ssmic-{self._begun}", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - inherited signature
        """Let idle threads end; busy ones are abandoned."""
        del wait, cancel_futures
        for _ in range(self._begun):
            self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            future, function = call
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function())
                except BaseException as error:  # noqa: BLE001 - handed to the caller through the future
                    future.set_exception(error)
            del call, future, function  # or the result would be kept alive until the next call
            self._idle.release()


class RareSelector(selectors.DefaultSelector):
    """Asks the system for events only now and then while the loop has callbacks to run.

    A loop asks before each of its iterations, most of which in a run only continue what is going on already.
    """

    _MOST_PASSED = 8

    def __init__(self) -> None:
        super().__init__()
        self._passed = 0
        """How often in a row the system was not asked."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the events that have occurred; if `timeout` is 0, those that the system reported last."""
        if timeout is not None and timeout <= 0 and self._passed < self._MOST_PASSED:
            self._passed += 1
            return []
        self._passed = 0
        return super().select(timeout)


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that reads the same clock as asyncio's, but without a Python function around it.

    It does so in each of its iterations, and clock and hosts several times in each round.
    """

    time = staticmethod(time.monotonic)

    @override
    def run_forever(self) -> None:
        """Run until the loop is stopped.

        Raises:
            SsmicError: A task or callback that a plug-in has made called `sys.exit`: asyncio would end the process with
                that exit code, even 0, in the middle of a run.
        """
        try:
            super().run_forever()
        except SystemExit as ended:
            file, line = [(frame.f_code.co_filename, line) for frame, line in walk_tb(ended.__traceback__)][-1]
            raise SsmicError(
                f"a task or callback of a plug-in ended the run: SystemExit: {ended} ({Path(file).name}, line {line})"
            ) from ended


def new_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop that closes without waiting for its threads, and asks for events only as it needs to."""
    # On Windows only its own kind of loop can start processes.
    loop = asyncio.new_event_loop() if sys.platform == "win32" else _Loop(RareSelector())
    loop.set_default_executor(UnawaitedThreads())
    return loop
