"""Garbage collection waits for a pause between keys."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tui.shell.idle_collector import MOST_LOOKS, QUIET_WALL_S, IdleCollector


@pytest.fixture
def looks_at_all() -> Iterator[list[str]]:
    """Return a list that gets an entry with each full collection."""
    seen: list[str] = []

    def note(phase: str, about: dict[str, int]) -> None:
        if phase == "start" and about["generation"] == 2:
            seen.append("looked")

    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)


class Knot:
    """A reference cycle, which only the garbage collector can free."""

    def __init__(self, size: int) -> None:
        self.itself = self
        self.content: list[list[object]] = [[] for _ in range(size)]


@pytest.mark.long
def test_garbage_is_collected_once_in_every_pause_and_never_while_typing(looks_at_all: list[str]) -> None:
    """In the end Python's own collection is restored."""
    before = gc.get_threshold()
    collector = IdleCollector()
    collector.begin()
    try:
        looks_at_all.clear()
        for second in range(100):
            collector.key(second)
            kept = [Knot(2_000) for _ in range(30)]
            collector.tick(second + 0.5)
        del kept
        assert looks_at_all == []
        for second in range(100, 200):
            collector.tick(second)
        assert looks_at_all == ["looked"]
        collector.key(200)
        collector.tick(200 + QUIET_WALL_S)
        assert looks_at_all == ["looked"] * 2
        for _ in range(MOST_LOOKS):
            gc.collect(1)
        collector.key(300)
        collector.tick(300.1)
        assert looks_at_all == ["looked"] * 3
    finally:
        collector.end()
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
