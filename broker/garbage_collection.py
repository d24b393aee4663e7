"""Python's garbage collection, for processes with many objects that live as long as the process works.

A full collection examines every object. With the 45,000 agents of 10,000 houses it takes most of a second, and Python
starts one whenever the number of objects has grown by a quarter. This takes a quarter of the processor time until such
a run has begun.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

YOUNG: Final = 50_000
"""Number of new objects after which the youngest generation is collected."""
_MIDDLE, _OLD = 20, 50
"""Number of collections of the next younger generation after which the middle and the oldest generation are
collected."""


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

    Cyclic garbage waits until some million objects have been created. Settings with which collections are even rarer,
    such as collection being turned off, are kept.
    """
    with _rare.wanted(_collect_rarely):
        yield


@contextmanager
def long_lived_objects() -> Iterator[None]:
    """Exempt all objects that exist now from collections, for the duration of the context, and collect rarely.

    If several contexts overlap, the first one decides. If the number of objects has grown by a quarter since the last
    time, cyclic garbage is collected first. Python counts only objects that survive younger collections, and frozen
    objects skip those. So a process that runs one neighbourhood after another would never collect them by itself.
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
