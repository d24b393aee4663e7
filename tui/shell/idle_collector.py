"""Runs full garbage collections while the user is idle, because one takes longer than a key press may take."""

from __future__ import annotations

import gc

QUIET_WALL_S = 20.0
"""The user counts as idle after this long without a key."""
NEW = 5_000
"""Generation 0 threshold."""
MOST_LOOKS = 1_000
"""Young collections after which a full one runs even while the user types, to bound memory."""
_YOUNG = 5
_NEVER = 1_000_000_000


class IdleCollector:
    """Runs full garbage collections while the user is idle, because one takes longer than a key press may take."""

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
