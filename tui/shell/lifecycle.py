"""What the application remembers of its user from one time to the next. Never anything that changes a result."""

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
"""Keeps what is in no file yet; says where, or None where there is nothing to keep."""


@contextmanager
def ended_by_signals(end: Callable[[], None]) -> Iterator[None]:
    """Have a signal end the application as a key does; a second one, or one without effect, ends the process.

    Textual reads Ctrl+C as a key; an interrupt from elsewhere comes as a signal. The terminal is given back as it was.

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
    """Leave the second screen, let go of the mouse, show the cursor, and read lines again."""
    if terminal is not None and sys.__stdin__ is not None:
        os.write(2, b"\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[<u\x1b[?25h\x1b[?1049l")
        termios.tcsetattr(sys.__stdin__.fileno(), termios.TCSANOW, terminal)


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


QUIET_WALL_S = 20.0
"""Nobody types when no key came for so long."""
NEW = 5_000
"""Python looks at new objects when there are so many."""
MOST_LOOKS = 1_000
"""Looks at what is new; after so many all is looked at in any case, or memory would grow while somebody types on."""
_YOUNG = 5
_NEVER = 1_000_000_000


class Collector:
    """Looks at all objects once in every pause between keys; at new ones Python looks by itself, as ever."""

    def __init__(self) -> None:
        self._usual = gc.get_threshold()
        self._last_key_wall_s = 0.0
        self._is_done = True
        self._looks = 0

    def begin(self) -> None:
        """From now on; what is there already is not looked at any more until the first pause."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(NEW, _YOUNG, _NEVER)
        self._looks = _looks()

    def end(self) -> None:
        """Leave it to Python again."""
        gc.unfreeze()
        gc.set_threshold(*self._usual)

    def key(self, now_wall_s: float) -> None:
        """Note that a key came."""
        self._last_key_wall_s, self._is_done = now_wall_s, False

    def tick(self, now_wall_s: float) -> None:
        """Look if this is the moment; to be called now and then."""
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
    """Remembered choices; a file that cannot be read counts as none."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    theme: str = "ssmic-dark"


def preferences_file() -> Path:
    """Return where they are kept."""
    return platformdirs.user_config_path("ssmic") / "tui.json"


def load_preferences() -> Preferences:
    """Return what was remembered, or the defaults."""
    try:
        return Preferences.model_validate_json(preferences_file().read_bytes())
    except (OSError, ValidationError):
        return Preferences()


def save_preferences(preferences: Preferences) -> None:
    """Remember; where the disk does not let us, forget. Another ssmic never reads half a file."""
    path = preferences_file()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as draft:
            draft.write_text(preferences.model_dump_json(indent=1) + "\n", encoding="utf-8")
