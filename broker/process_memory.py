"""The memory of processes with many objects that live as long as the process works: garbage collection, large pages.

A full garbage collection examines every object. With the 45,000 agents of 10,000 houses it takes most of a second, and
Python starts one whenever the number of objects has grown by a quarter. A collection of young objects takes little
time, but Python starts one after each 700 new objects, and what it examines in a run nearly always lives on: a run
leaves hardly any cyclic garbage behind before it ends.

A processor caches the addresses of a few thousand pages of memory (in its translation lookaside buffer, TLB). With
pages of 4 KiB, they cover a few megabytes, and nearly every agent whose turn it is lies outside them. Linux can merge
512 adjacent pages into a huge page of 2 MiB, but many systems do so only where a program requests it, and Python does
not (see `/sys/kernel/mm/transparent_hugepage` and `madvise(2)`). On other systems, nothing is done about pages.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import mmap
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final, NoReturn

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
LEAST_BYTES_FOR_LARGE_PAGES: Final = 256 * 1024**2
"""Processes with less memory in use gain too little from large pages to be noticed."""
_COLLAPSE = 25
"""`MADV_COLLAPSE` of `linux/mman.h`: merge the pages now. Linux before 6.1 does not know it, and merges them later."""
_LOOK_EVERY_WALL_S = 5.0
_LARGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage")
_PROCESS = Path("/proc/self")


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


async def keep_in_large_pages(least_bytes: int = LEAST_BYTES_FOR_LARGE_PAGES) -> NoReturn:
    """Let Linux keep the memory of this process in large pages, unless its administrator forbids it, until cancelled.

    What is in use now is merged immediately, which takes 0.2 to 4 s for each gigabyte, and again whenever the process
    has grown by a quarter. Without large pages, a process works as well, only slower.

    Args:
        least_bytes: How much memory a process uses at least, for this to be worthwhile.
    """
    merged_bytes = 0
    while True:
        used_bytes = _used_bytes()
        if used_bytes >= max(least_bytes, merged_bytes + merged_bytes // 4):
            _merge_pages()
            merged_bytes = used_bytes
        await asyncio.sleep(_LOOK_EVERY_WALL_S)


def _used_bytes() -> int:
    """Return how much memory the process uses; 0 on systems that do not say so."""
    try:
        return int((_PROCESS / "statm").read_text().split()[1]) * mmap.PAGESIZE
    except OSError:
        return 0


def _merge_pages() -> None:
    try:
        if "[never]" in (_LARGE_PAGES / "enabled").read_text():
            return
        page_bytes = int((_LARGE_PAGES / "hpage_pmd_size").read_text())
        ranges = tuple(_own_memory((_PROCESS / "maps").read_text(), page_bytes))
    except OSError:
        return  # another system, a kernel without large pages, or a sandbox that shows no settings
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for begin, size_bytes in ranges:
        madvise(begin, size_bytes, mmap.MADV_HUGEPAGE)
        madvise(begin, size_bytes, _COLLAPSE)


def _own_memory(maps: str, page_bytes: int) -> Iterator[tuple[int, int]]:
    """Return address and size of the parts of the writable memory without a file that whole large pages can hold.

    Args:
        maps: The content of `/proc/self/maps`; see `proc_pid_maps(5)`.
        page_bytes: The size of a large page.
    """
    for line in maps.splitlines():
        addresses, access, _, _, _, *name = line.split(maxsplit=5)
        if access == "rw-p" and (not name or name[0] == "[heap]"):
            first, end = (int(address, 16) for address in addresses.split("-"))
            begin = -(-first // page_bytes) * page_bytes
            size_bytes = (end - begin) // page_bytes * page_bytes
            if size_bytes > 0:
                yield begin, size_bytes
