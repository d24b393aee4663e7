"""How the application ends: by a signal, with the terminal restored and unsaved work rescued."""

from __future__ import annotations

import asyncio
import os
import sys
import termios
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from tui.signals import stopping_on_signals

Rescue = Callable[[], str | None]
"""Saves unsaved work; returns the path, or None if there is none."""


@contextmanager
def ended_by_signals(end: Callable[[], None]) -> Iterator[None]:
    """Let a signal quit the application; a second one, or one without effect, ends the process.

    Textual reads Ctrl+C as a key; an interrupt from elsewhere is a signal. The terminal is restored.

    Args:
        end: Called in the event loop, at the first signal.
    """
    loop = asyncio.get_running_loop()
    terminal = _terminal()
    with stopping_on_signals(lambda: _soon(loop, end), lambda: _give_back(terminal)):
        yield


def _soon(loop: asyncio.AbstractEventLoop, end: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(end)


def _terminal() -> list[Any] | None:
    try:
        return termios.tcgetattr(sys.__stdin__.fileno()) if sys.__stdin__ is not None else None
    except (OSError, ValueError, termios.error):
        return None


def _give_back(terminal: list[Any] | None) -> None:
    """Restore the terminal: primary screen, mouse, cursor, line mode."""
    if terminal is not None and sys.__stdin__ is not None:
        os.write(2, b"\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[<u\x1b[?25h\x1b[?1049l")
        termios.tcsetattr(sys.__stdin__.fileno(), termios.TCSANOW, terminal)


def rescued(rescues: Iterable[Rescue]) -> list[str]:
    """Save all unsaved work possible; return where, one line each."""
    said = []
    for rescue in rescues:
        try:
            line = rescue()
        except Exception as error:  # noqa: BLE001 - the others must still run, and the terminal be restored
            line = f"Could not save unsaved work: {error}"
        if line is not None:
            said.append(line)
    return said
