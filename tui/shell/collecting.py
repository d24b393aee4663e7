"""When Python looks for rubbish: a look at all there is takes longer than a key may, so it waits until nobody types."""

from __future__ import annotations

import gc

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
