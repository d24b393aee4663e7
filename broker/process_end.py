"""The end of a process: it waits for none of its threads, and its child processes end with it, even if it is killed.

asyncio joins its own threads when the event loop closes and again when the interpreter exits: a signal would then end a
run only after a solver, a name lookup or an unresponsive firewall has released its thread.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import shutil
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import Any, ParamSpec, TypeVar

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


def new_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop that closes without waiting for its threads, and asks for events only as it needs to."""
    # On Windows only its own kind of loop can start processes.
    loop = asyncio.new_event_loop() if sys.platform == "win32" else _Loop(RareSelector())
    loop.set_default_executor(UnawaitedThreads())
    return loop


def ending_with_this_process(command: Sequence[str]) -> list[str]:
    """Return a command whose process gets SIGTERM when the thread that starts it ends, as by a SIGKILL to this process.

    Where that is not possible, or the program is missing, the command is returned as it is. What the process has
    started itself gets no signal.

    Args:
        command: The program and its arguments.
    """
    # (`preexec_fn` would be unsafe, since there are threads.)
    guard = shutil.which("setpriv") if sys.platform == "linux" else None
    if guard is None or shutil.which(command[0]) is None:
        return list(command)
    return [guard, "--pdeathsig", "TERM", "--", *command]


def end_with_parent(grace_wall_s: float = 0.0) -> None:
    """Let this process, a child by `multiprocessing`, end when its parent has ended: a killed parent cannot ask it to.

    Args:
        grace_wall_s: How long it may still take to end in order, wall-clock seconds.
    """
    import multiprocessing  # noqa: PLC0415 - takes 10 ms, and only child processes need it

    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def end() -> None:
        parent.join()
        time.sleep(grace_wall_s)
        os._exit(1)

    threading.Thread(target=end, name="ssmic-parent", daemon=True).start()
