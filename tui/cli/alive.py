"""A sign of life for whoever supervises the process: a file that is touched as long as the event loop turns."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ALIVE_FILE = "SSMIC_ALIVE_FILE"
EVERY_WALL_S = 5.0


@contextmanager
def showing_life() -> Iterator[None]:
    """Touch the file that SSMIC_ALIVE_FILE names, if any, every few seconds for the time of the context."""
    name = os.environ.get(ALIVE_FILE)
    if not name:
        yield
        return
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle

    def show() -> None:
        nonlocal timer
        Path(name).touch()
        timer = loop.call_later(EVERY_WALL_S, show)

    show()
    try:
        yield
    finally:
        timer.cancel()
