"""Large memory pages, for processes that hold the agents of thousands of households.

A processor caches the addresses of a few thousand pages of memory (in its translation lookaside buffer, TLB). With
pages of 4 KiB, they cover a few megabytes, and nearly every agent whose turn it is lies outside them. Linux can merge
512 adjacent pages into a huge page of 2 MiB, but many systems do so only where a program requests it, and Python does
not (see `/sys/kernel/mm/transparent_hugepage` and `madvise(2)`). On other systems, this module does nothing.
"""

from __future__ import annotations

import asyncio
import ctypes
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

LEAST_BYTES: Final = 256 * 1024**2
"""Processes with less memory in use gain too little to be noticed."""
_COLLAPSE = 25
"""`MADV_COLLAPSE` of `linux/mman.h`: merge the pages now. Linux before 6.1 does not know it, and merges them later."""
_LOOK_EVERY_WALL_S = 5.0
_SETTINGS = Path("/sys/kernel/mm/transparent_hugepage")
_PROCESS = Path("/proc/self")


async def keep_in_large_pages(least_bytes: int = LEAST_BYTES) -> NoReturn:
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
        if "[never]" in (_SETTINGS / "enabled").read_text():
            return
        page_bytes = int((_SETTINGS / "hpage_pmd_size").read_text())
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
