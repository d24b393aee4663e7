"""Ctrl-C, SIGTERM and a closed terminal: the first signal ends a command gracefully, a second one immediately.

One signal is enough at any moment, and one that arrives several times in quick succession counts once: `timeout` sends
its signal to the process and to the process group, and a closed terminal is reported by the kernel and by the shell.
Running work is asked to stop; if it does not stop within a few seconds, the process ends anyway. Contracts are in the
results file as soon as they are agreed, so none of them is lost. The exit code is the shell's convention: 128 and the
signal's number.

Imports little: `tui.__main__` listens before anything else is imported.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

Result = TypeVar("Result")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
END_WALL_S = 4.5
"""Maximum time from a signal to the end of the process."""
REPEAT_WALL_S = 0.01
"""Time after which a lost interrupt is repeated: long enough for the callback that lost it to end."""
SAME_WALL_S = 0.25
"""Time after a signal in which further signals belong to it; nobody presses Ctrl-C twice so fast."""
AGAIN_WALL_S = 2.5
"""Time after a signal at which all remaining tasks are cancelled."""

_asked: list[int] = []
"""The signal received; empty: none yet."""
_asked_s = 0.0
"""When it was received, by the monotonic clock."""
_repeats = False
"""Whether the next signal repeats the one in `_asked`, whose KeyboardInterrupt was lost."""
_ask: Callable[[], None] | None = None
"""Stops the current work; None: by KeyboardInterrupt."""
_last: Callable[[], None] | None = None
"""Called before the process ends immediately."""


def exit_code() -> int:
    """Return the exit code after a signal: 130 for Ctrl-C, 143 for SIGTERM, 129 for a closed terminal."""
    return 128 + (_asked[0] if _asked else signal.SIGINT)


def signalled() -> bool:
    """Return whether a terminating signal was received."""
    return bool(_asked)


def is_interruption(error: BaseException) -> bool:
    """Return whether a signal caused an exception: KeyboardInterrupt itself, or what became of one.

    Python 3.11 turns any exception in `__set_name__`, which many classes call while they are imported, into a
    RuntimeError; C code may clear a KeyboardInterrupt and fail in another way, which leaves no trace of it. Therefore,
    if a signal raises (instead of asking the work to stop), exceptions after it are attributed to it.
    """
    if not signalled():
        return False
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, KeyboardInterrupt):
        seen = seen.__cause__ or seen.__context__
    return seen is not None or _ask is None


def settled() -> None:
    """Declare the signal the normal end of the command, so that its own exit code applies."""
    global _asked  # noqa: PLW0603 - as below
    _asked = []


@contextmanager
def stopping_on_signals(
    ask: Callable[[], None] | None = None, last: Callable[[], None] | None = None
) -> Iterator[None]:
    """Let a signal stop the work in the context.

    Args:
        ask: Stops the work; called between two instructions of the main thread. None: raise KeyboardInterrupt.
        last: Called, by any thread, before the process ends immediately.
    """
    global _ask, _last
    before = {number: signal.getsignal(number) for number in SIGNALS}
    is_first = not any(handler is _take for handler in before.values())
    above, _ask, _last = (_ask, _last), ask, last or _last
    hook_before = sys.unraisablehook
    if is_first:
        sys.unraisablehook = partial(_lose, otherwise=hook_before)
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:  # respect `nohup`, which ignores SIGHUP
            signal.signal(number, _take)
    try:
        yield
    finally:
        _ask, _last = above
        if is_first:
            settled()
            sys.unraisablehook = hook_before
        for number, handler in before.items():
            signal.signal(number, handler)


def _take(number: int, frame: FrameType | None) -> None:
    global _repeats, _asked_s  # noqa: PLW0603 - a signal handler has no other memory
    if _repeats:
        _repeats = False
    elif _asked:
        if time.monotonic() - _asked_s >= SAME_WALL_S:
            end_at_once()
        return
    else:
        _asked.append(number)
        _asked_s = time.monotonic()
        # Not `threading`: the interrupted code may hold its locks.
        _thread.start_new_thread(_end_late, (_asked,))
    if _ask is not None:
        _ask()
    elif frame is not None and frame.f_code is _lose.__code__:
        _thread.start_new_thread(_repeat, (_asked, _thread.get_ident()))  # raised there, it would be lost as well
    else:
        raise KeyboardInterrupt


def _lose(unraisable: sys.UnraisableHookArgs, otherwise: Callable[[sys.UnraisableHookArgs], Any]) -> None:
    """Repeat a signal whose KeyboardInterrupt was raised where Python ignores exceptions.

    That is so in callbacks of weak references, of which every import has one, and in `__del__`.
    """
    if unraisable.exc_type is KeyboardInterrupt and _asked:
        _thread.start_new_thread(_repeat, (_asked, _thread.get_ident()))
    else:
        otherwise(unraisable)


def _repeat(asked: list[int], main_thread: int) -> None:
    global _repeats  # noqa: PLW0603 - as above
    time.sleep(REPEAT_WALL_S)
    if _asked is asked:
        _repeats = True
        # To the main thread, and not to the process: it may wait in a system call.
        signal.pthread_kill(main_thread, asked[0])


def _end_late(asked: list[int]) -> None:
    time.sleep(END_WALL_S)
    if _asked is asked:
        os.write(2, b"ssmic: interrupted; what was still going on has been left behind\n")
        end_at_once()


def end_at_once() -> NoReturn:
    """End the process; worker processes and a private broker end when they notice."""
    if _last is not None:
        _last()
    leave(exit_code())


def leave(code: int) -> NoReturn:
    """End the process without unwinding; other threads may be writing files, of which no drafts are left."""
    # Not imported here: it may be in the middle of being imported, and then there are no drafts.
    remove_drafts = getattr(sys.modules.get("broker.file_writing"), "remove_drafts", None)
    if remove_drafts is not None:
        remove_drafts()
    os._exit(code)


def end_now() -> NoReturn:
    """End the process where nothing needs saving; an exception could be lost in a solver's callback."""
    os.write(2, b"\x1b[?25hssmic: interrupted\n" if os.isatty(2) else b"ssmic: interrupted\n")
    end_at_once()


def run_until_interrupted(main: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end, or cancel it on a signal and wait until it has cleaned up.

    Raises:
        KeyboardInterrupt: it was cancelled by a signal.
    """
    import asyncio

    from broker import new_loop
    from tui.heartbeat import heartbeat

    interrupted = False

    async def watched() -> Result | None:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        again: asyncio.TimerHandle | None = None

        def interrupt() -> None:
            nonlocal interrupted, again
            interrupted = True
            if task is not None:
                task.cancel()
            again = loop.call_later(AGAIN_WALL_S, cancel_all)

        def cancel_all() -> None:
            # An ending task group does not propagate a cancellation, and a task may have swallowed its own.
            for other in asyncio.all_tasks(loop):
                other.cancel()

        with stopping_on_signals(lambda: _soon(loop, interrupt)):
            try:
                with heartbeat():
                    return await main
            except asyncio.CancelledError:
                if interrupted:
                    return None
                raise
            finally:
                if again is not None:
                    again.cancel()

    # A new loop, not the thread's: the caller may have set one.
    with asyncio.Runner(loop_factory=new_loop) as runner:
        result = runner.run(watched())
    if interrupted:
        raise KeyboardInterrupt
    return result  # type: ignore[return-value]  # None stands for an interruption only


def _soon(loop: AbstractEventLoop, function: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(function)
