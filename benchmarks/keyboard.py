"""Presses keys in the application and measures until the screen shows what they did; for the scripts beside."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from textual import events

from tui.app import SsmicApp
from tui.widgets.table import VirtualTable

LIMIT_WALL_MS = 100
_LONGEST_WALL_S = 10.0


@dataclass(frozen=True, slots=True)
class KeyTime:
    """From a key to the screen: on the wall, and what of it this process had the processor for."""

    wall_ms: float
    cpu_ms: float


class Keyboard:
    """Keys, one after the other."""

    def __init__(self, app: SsmicApp) -> None:
        self._app = app
        self._drawn = 0
        draw = app._display  # noqa: SLF001 - the one place where all drawing passes

        def counted(*arguments: Any) -> None:  # noqa: ANN401 - as Textual has it
            draw(*arguments)
            self._drawn += 1

        app._display = counted  # type: ignore[method-assign]  # noqa: SLF001 - as above

    async def press(self, key: str, shows: Callable[[], object]) -> KeyTime:
        """Press a key; return what it took until its effect was visible and the screen was drawn after it.

        Args:
            key: Its name, or a letter.
            shows: Whether the effect is visible.
        """
        began_wall_s, began_cpu_s = time.perf_counter(), time.process_time()
        drawn = self._drawn
        self._app.post_message(events.Key(key, key if len(key) == 1 else None))
        while not (shows() and self._drawn > drawn):
            if time.perf_counter() - began_wall_s > _LONGEST_WALL_S:
                raise SystemExit(f"the key {key!r} was never answered")
            await asyncio.sleep(0.001)
        return KeyTime(1000 * (time.perf_counter() - began_wall_s), 1000 * (time.process_time() - began_cpu_s))

    async def move(self, table: VirtualTable[Any], key: str) -> KeyTime:
        """Move a table's cursor; what counts is the first picture after the move itself."""
        moved_at: list[int] = []
        put = table._put  # noqa: SLF001 - where every move passes

        def noted(index: int) -> None:
            put(index)
            moved_at.append(self._drawn)

        table._put = noted  # type: ignore[method-assign]  # noqa: SLF001 - as above
        try:
            return await self.press(key, lambda: moved_at and self._drawn > moved_at[0])
        finally:
            table._put = put  # type: ignore[method-assign]  # noqa: SLF001 - as above


def said(took: Sequence[KeyTime]) -> str:
    """Return figures as a line."""
    wall_ms = sorted(one.wall_ms for one in took)
    cpu_ms = sorted(one.cpu_ms for one in took)
    high = wall_ms[int(0.95 * (len(wall_ms) - 1))]
    wall = f"median {statistics.median(wall_ms):5.1f} ms, 95 % {high:5.1f} ms, most {wall_ms[-1]:5.1f} ms"
    return (
        f"{len(took):4} times, {wall}; of the processor {statistics.median(cpu_ms):5.1f} ms, most {cpu_ms[-1]:5.1f} ms"
    )


def ratio(took: Sequence[KeyTime], to: Sequence[KeyTime]) -> float:
    """Return how many times as long some keys took as others, by medians."""
    return statistics.median(one.wall_ms for one in took) / statistics.median(one.wall_ms for one in to)
