"""Python's garbage collection, for processes with many objects that live as long as the process works.

A full collection looks at every object. With the 45,000 agents of 10,000 houses it takes most of a second, and Python
starts one whenever a quarter has been added: a quarter of the processor time until such a run has begun.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

YOUNG: Final = 50_000
"""New objects after which the youngest are looked at."""
_MIDDLE, _OLD = 20, 50
"""Collections of the next younger generation before the middle and the oldest are looked at."""


class _Shared:
    """A setting of the process that several contexts want at the same time: the first one makes it, the last undoes."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self._undo: Callable[[], None] | None = None

    @contextmanager
    def wanted(self, make: Callable[[], Callable[[], None] | None]) -> Iterator[None]:
        """Keep a setting for the duration of the context; `make` sets it and returns how to undo it, None: no need."""
        with self._lock:
            self._count += 1
            if self._count == 1:
                self._undo = make()
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1
                if not self._count and self._undo is not None:
                    self._undo()


_rare, _frozen = _Shared(), _Shared()


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collect rarely for the duration of the context; several may overlap.

    Garbage that refers to itself waits until some million objects have been made. Rarer settings, such as
    collection being turned off, are kept.
    """
    with _rare.wanted(_collect_rarely):
        yield


@contextmanager
def long_lived_objects() -> Iterator[None]:
    """Leave all objects that exist now out of collections, for the duration of the context, and collect rarely.

    Of several that overlap, the first one decides. When a quarter has been added since the last time, garbage that
    refers to itself is collected first. Python counts only what survives younger collections, which frozen objects
    skip, so a process that runs one neighbourhood after the other would never do so by itself.
    """
    with _frozen.wanted(_freeze), rare_collections():
        yield


class _Survivors:
    """How many objects were left after the last full collection of `long_lived_objects`."""

    count = 0


def _collect_rarely() -> Callable[[], None] | None:
    before = gc.get_threshold()
    if not 0 < before[0] < YOUNG:
        return None
    gc.set_threshold(YOUNG, _MIDDLE, _OLD)
    return lambda: gc.set_threshold(*before)


def _freeze() -> Callable[[], None] | None:
    if gc.get_freeze_count():
        return None
    gc.freeze()
    count = gc.get_freeze_count()
    if not _Survivors.count:
        _Survivors.count = count
    elif count > _Survivors.count * 5 // 4:
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        _Survivors.count = gc.get_freeze_count()
    return gc.unfreeze
