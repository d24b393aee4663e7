"""Python's garbage collection, for processes with many objects that live as long as the process works.

A full collection examines every object. With the 45,000 agents of 10,000 houses it takes most of a second, and Python
starts one whenever the number of objects has grown by a quarter. A collection of young objects takes little time, but
Python starts one after each 700 new objects, and what it examines in a run nearly always lives on: a run leaves hardly
any cyclic garbage behind before it ends.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

YOUNG: Final = 50_000
"""Number of new objects after which the youngest generation is collected, at least."""
GROWTH: Final = 2.0
"""The same as a multiple of the number of objects that exist when a run begins, so that even a large run is rarely
examined: the cyclic garbage that it might leave would be collected once there are three times as many."""
_MIDDLE_OBJECTS, _OLD = 1_000_000, 50
"""Number of new objects after which the middle generation is collected, and number of its collections after which the
oldest one is."""
_LEAST_MIDDLE = 4
"""Minimum number of collections of the youngest generation per collection of the middle one."""
_RECOUNT = 16
"""Objects are counted again when the number of allocated blocks of memory has changed by this fraction: 1/16."""


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


class _Thresholds:
    """After how many new objects the youngest generation is collected: the highest number that a context wants."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._wanted: list[int] = []
        self._usual = gc.get_threshold()

    @contextmanager
    def wanted(self, young: int) -> Iterator[None]:
        """Collect the youngest generation after so many new objects, or later, for the duration of the context."""
        with self._lock:
            if not self._wanted:
                self._usual = gc.get_threshold()
            self._wanted.append(young)
            self._set()
        try:
            yield
        finally:
            with self._lock:
                self._wanted.remove(young)
                self._set()

    def _set(self) -> None:
        young = max(self._wanted, default=0)
        if 0 < self._usual[0] < young:
            gc.set_threshold(young, max(_LEAST_MIDDLE, _MIDDLE_OBJECTS // young), _OLD)
        else:
            gc.set_threshold(*self._usual)


_thresholds, _frozen, _paused = _Thresholds(), _Shared(), _Shared()


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collect rarely for the duration of the context; several may overlap.

    Cyclic garbage waits until some million objects have been created. Settings with which collections are even rarer,
    such as collection being turned off, are kept.
    """
    with _thresholds.wanted(YOUNG):
        yield


@contextmanager
def no_collections() -> Iterator[None]:
    """Collect nothing for the duration of the context, which creates few objects, or many that nearly all live on.

    Several contexts may overlap. A collector that is turned off stays so.
    """
    with _paused.wanted(_pause):
        yield


@contextmanager
def long_lived_objects() -> Iterator[None]:
    """Exempt all objects that exist now from collections, for the duration of the context, and collect rarely.

    The more objects exist, the rarer collections are. If several contexts overlap, the first one decides which objects
    are exempt. If the number of objects has grown by about a quarter since the last time, cyclic garbage is collected
    first. Python counts only objects that survive younger collections, and frozen objects skip those. So a process that
    runs one neighbourhood after another would never collect them by itself.
    """
    with _frozen.wanted(_freeze), _thresholds.wanted(max(YOUNG, int(GROWTH * _Objects.frozen))):
        yield


class _Objects:
    """How many objects there are, as far as it is known."""

    frozen = 0
    """How many are exempt from collections, within a sixteenth."""
    blocks = 0
    """How many blocks of memory were allocated when these were counted."""
    survivors = 0
    """How many were left after the last full collection of `long_lived_objects`."""


def _pause() -> Callable[[], None] | None:
    if not gc.isenabled():
        return None
    gc.disable()
    return gc.enable


def _freeze() -> Callable[[], None] | None:
    frozen = gc.get_freeze_count()
    if frozen:  # not by us
        _Objects.frozen, _Objects.blocks = frozen, 0
        return None
    _freeze_and_count()
    if not _Objects.survivors:
        _Objects.survivors = _Objects.frozen
    elif _Objects.frozen > _Objects.survivors * 5 // 4:
        gc.unfreeze()
        gc.collect()
        _freeze_and_count()
        _Objects.survivors = _Objects.frozen
    return _unfreeze


def _freeze_and_count() -> None:
    """Freeze all objects; count them if the last number may be wrong by now.

    To count them, Python goes through all: in a process with a million objects that takes longer than a small run. It
    knows nearly at once how many blocks of memory are allocated (0: it does not know).
    """
    gc.freeze()
    blocks = sys.getallocatedblocks()
    if not blocks or abs(blocks - _Objects.blocks) * _RECOUNT > _Objects.blocks:
        _Objects.frozen, _Objects.blocks = gc.get_freeze_count(), blocks


def _unfreeze() -> None:
    # All objects are old now: those of the run are not examined when the threshold falls again.
    gc.freeze()
    gc.unfreeze()
