"""Application lifecycle: rescue on signals, garbage collection while idle, saved preferences."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
import termios
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import BaseModel, ConfigDict, ValidationError

from broker import atomic_write
from tui.signals import signals_heard

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
    with signals_heard(lambda: _soon(loop, end), lambda: _give_back(terminal)):
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


QUIET_WALL_S = 20.0
"""The user counts as idle after this long without a key."""
NEW = 5_000
"""Generation 0 threshold."""
MOST_LOOKS = 1_000
"""Young collections after which a full one runs even while the user types, to bound memory."""
_YOUNG = 5
_NEVER = 1_000_000_000


class IdleCollector:
    """Runs full garbage collections while the user is idle; one takes longer than a key press may."""

    def __init__(self) -> None:
        self._usual = gc.get_threshold()
        self._last_key_wall_s = 0.0
        self._is_done = True
        self._looks = 0

    def begin(self) -> None:
        """Take over; existing objects are frozen until the first pause."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(NEW, _YOUNG, _NEVER)
        self._looks = _looks()

    def end(self) -> None:
        """Restore Python's defaults."""
        gc.unfreeze()
        gc.set_threshold(*self._usual)

    def key(self, now_wall_s: float) -> None:
        """Note that a key came."""
        self._last_key_wall_s, self._is_done = now_wall_s, False

    def tick(self, now_wall_s: float) -> None:
        """Collect if the user is idle; called periodically."""
        is_quiet = not self._is_done and now_wall_s - self._last_key_wall_s >= QUIET_WALL_S
        if is_quiet or _looks() - self._looks >= MOST_LOOKS:
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            self._is_done, self._looks = True, _looks()


def _looks() -> int:
    middle: int = gc.get_stats()[1]["collections"]
    return middle


class Preferences(BaseModel):
    """Saved preferences; an unreadable file counts as none."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    theme: str = "ssmic-dark"


def preferences_file() -> Path:
    """Return where they are kept."""
    return platformdirs.user_config_path("ssmic") / "tui.json"


def load_preferences() -> Preferences:
    """Return the saved preferences, or the defaults."""
    try:
        return Preferences.model_validate_json(preferences_file().read_bytes())
    except (OSError, ValidationError):
        return Preferences()


def save_preferences(preferences: Preferences) -> None:
    """Save the preferences, ignoring write errors."""
    path = preferences_file()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as draft:
            draft.write_text(preferences.model_dump_json(indent=1) + "\n", encoding="utf-8")
