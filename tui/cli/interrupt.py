"""Ctrl-C, SIGTERM and a closed terminal: the first ends all runs cleanly, the second at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tui.cli.alive import showing_life
from tui.cli.errors import INTERRUPTED

Result = TypeVar("Result")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_until_interrupted(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end, or cancel it on a signal and wait until it has cleaned up.

    Raises:
        KeyboardInterrupt: it was cancelled by a signal.
    """

    async def watched() -> Result:
        task = asyncio.current_task()
        interrupted = False

        def interrupt() -> None:
            nonlocal interrupted
            if interrupted:
                # Worker processes and a managed broker end when they find us gone.
                os._exit(INTERRUPTED)
            interrupted = True
            if task is not None:
                task.cancel()

        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` ignores SIGHUP, and means it
                loop.add_signal_handler(number, interrupt)
        try:
            with showing_life():
                return await main
        except asyncio.CancelledError:
            if interrupted:
                raise KeyboardInterrupt from None
            raise

    # A loop of our own, and not the thread's: whoever called us may have one set.
    with interrupted_by_signals(), asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(watched())


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Have SIGTERM and a closed terminal raise KeyboardInterrupt too, as Ctrl-C does."""
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
