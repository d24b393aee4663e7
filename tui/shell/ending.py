"""An end that nobody asked for on the screen: a signal, or a defect. The terminal is restored, nothing is lost."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Textual reads Ctrl+C as a key; an interrupt from elsewhere comes as a signal."""

Rescue = Callable[[], str | None]
"""Keeps what is in no file yet; says where, or None where there is nothing to keep."""


@contextmanager
def ended_by_signals(end: Callable[[signal.Signals], None], code: int) -> Iterator[None]:
    """Have a signal end the application as a key does; a second one ends the process at once.

    Args:
        end: Told the first signal, in the event loop.
        code: What the process ends with at the second.
    """
    loop = asyncio.get_running_loop()
    is_ending = False

    def told(number: signal.Signals) -> None:
        nonlocal is_ending
        if is_ending:
            os._exit(code)
        is_ending = True
        end(number)

    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]  # as `nohup` means it
    for number in heard:
        loop.add_signal_handler(number, told, number)
    try:
        yield
    finally:
        for number in heard:
            loop.remove_signal_handler(number)


def rescued(rescues: Iterable[Rescue]) -> list[str]:
    """Keep what can be kept; return where, a line each."""
    said = []
    for rescue in rescues:
        try:
            line = rescue()
        except Exception as error:  # noqa: BLE001 - the others shall have their turn, and the terminal its own
            line = f"Something could not be kept: {error}"
        if line is not None:
            said.append(line)
    return said
