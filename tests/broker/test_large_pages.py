"""Processes with much memory use large pages, where the system has them."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from broker import keep_in_large_pages

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
    monkeypatch.setattr("broker.large_pages._PROCESS", tmp_path)
    keeping = asyncio.create_task(keep_in_large_pages(0))
    await asyncio.sleep(0)
    assert not keeping.done()
    keeping.cancel()
