"""Garbage collection and large pages, in processes with many objects."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from pathlib import Path

import pytest

from broker import keep_in_large_pages, long_lived_objects, no_collections, rare_collections
from broker.process_memory import GROWTH, YOUNG

_SETTINGS = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_PROGRAM = """
import asyncio
import sys
from pathlib import Path
from broker import keep_in_large_pages

def large_kb() -> int:
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("AnonHugePages:"))

agents = [[number] for number in range(600_000)]
before = large_kb()

async def keep_a_while() -> None:
    keeping = asyncio.create_task(keep_in_large_pages(int(sys.argv[1])))
    await asyncio.sleep(0)
    keeping.cancel()

asyncio.run(keep_a_while())
print(before, large_kb(), sum(agent[0] for agent in agents))
"""


def test_collections_are_rare_and_then_as_before() -> None:
    """Also if the context is entered again within itself, and if it ends with an error."""

    def fail() -> None:
        with rare_collections():
            with rare_collections():
                assert gc.get_threshold()[0] == YOUNG
            assert gc.get_threshold()[0] == YOUNG
            raise ZeroDivisionError

    before = gc.get_threshold()
    with pytest.raises(ZeroDivisionError):
        fail()
    assert gc.get_threshold() == before


def test_a_disabled_collector_stays_disabled() -> None:
    """A threshold of 0 means never."""
    before = gc.get_threshold()
    try:
        gc.set_threshold(0)
        with rare_collections():
            assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*before)


def test_existing_objects_are_left_out_until_the_outermost_context_ends() -> None:
    """A full collection of 10,000 houses' agents takes most of a second."""
    assert gc.get_freeze_count() == 0
    with long_lived_objects():
        frozen = gc.get_freeze_count()
        assert frozen > 10_000
        with long_lived_objects():
            pass
        assert gc.get_freeze_count() > 10_000
    assert gc.get_freeze_count() == 0


def test_objects_are_counted_again_only_after_memory_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python goes through all objects to count them, which would take most of the time of a small run."""
    counted: list[int] = []
    count = gc.get_freeze_count

    def recorded() -> int:
        counted.append(count())
        return counted[-1]

    with long_lived_objects():
        pass
    monkeypatch.setattr(gc, "get_freeze_count", recorded)
    for _ in range(3):
        with long_lived_objects():
            pass
    assert counted == [0, 0, 0]  # each time none was exempt before
    many: list[list[int]] = [[] for _ in range(sys.getallocatedblocks() // 8)]
    with long_lived_objects():
        pass
    assert counted[-1] > len(many)


def test_overlapping_contexts_restore_the_collector() -> None:
    """Two runs in one process: the first one to begin ends first."""
    before = gc.get_threshold()
    first, second = long_lived_objects(), long_lived_objects()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert gc.get_threshold()[0] >= YOUNG
    second.__exit__(None, None, None)
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_the_more_objects_exist_the_rarer_collections_are() -> None:
    """Each examines the new objects, of which hardly any are garbage during a run."""
    before = gc.get_threshold()
    many: list[list[int]] = [[] for _ in range(3 * YOUNG)]
    with rare_collections():
        with long_lived_objects():
            assert gc.get_threshold()[0] >= max(GROWTH * len(many), YOUNG + 1)
            with rare_collections():
                pass
            assert gc.get_threshold()[0] >= GROWTH * len(many)
        assert gc.get_threshold()[0] == YOUNG
    assert gc.get_threshold() == before


def test_new_objects_of_a_context_are_old_when_it_ends() -> None:
    """Otherwise they would all be examined when the usual threshold applies again."""
    with long_lived_objects():
        many: list[list[int]] = [[] for _ in range(2_000)]
        assert gc.get_count()[0] > len(many) // 2
    assert gc.get_count()[0] < len(many) // 2
    assert gc.get_freeze_count() == 0


def test_nothing_is_collected_until_the_last_context_ends() -> None:
    """Also if one ends with an error."""

    def fail() -> None:
        with no_collections():
            with no_collections():
                pass
            assert not gc.isenabled()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert gc.isenabled()


def test_a_collector_that_is_turned_off_stays_so() -> None:
    """The program may have its own reasons."""
    gc.disable()
    try:
        with no_collections():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.long
def test_garbage_of_many_contexts_does_not_add_up() -> None:
    """A process that runs a thousand neighbourhoods needs no more memory than for a few."""

    class Node:
        """Refers to itself, as agents and their tasks do."""

        def __init__(self) -> None:
            self.itself = self

    with long_lived_objects():
        pass
    for _ in range(40):
        with long_lived_objects():
            made = [Node() for _ in range(20_000)]
        del made
    assert sum(isinstance(found, Node) for found in gc.get_objects()) < 200_000


def _run(least_bytes: int) -> tuple[int, int, int]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(least_bytes)], capture_output=True, text=True, check=True
    )
    before, after, total = map(int, done.stdout.split())
    return before, after, total


@pytest.mark.skipif(
    not _SETTINGS.exists() or "[madvise]" not in _SETTINGS.read_text(),
    reason="this system has no large pages for programs that request them",
)
def test_memory_in_use_is_kept_in_large_pages() -> None:
    """Half of it at least: what is used of the 60 MB of objects, without the edges of the ranges."""
    before, after, total = _run(least_bytes=0)
    assert after - before > 30_000
    assert total == sum(range(600_000))


@pytest.mark.skipif(not _SETTINGS.exists(), reason="this system has no large pages")
def test_a_small_process_is_left_alone() -> None:
    """A household of its own gains nothing, and would take more memory."""
    before, after, _ = _run(least_bytes=1024**3)
    assert after == before


async def test_other_systems_need_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """There, nothing happens."""
    monkeypatch.setattr("broker.process_memory._PROCESS", tmp_path)
    keeping = asyncio.create_task(keep_in_large_pages(0))
    await asyncio.sleep(0)
    assert not keeping.done()
    keeping.cancel()
