"""What a consumer without jobs takes: 10,000 houses have tens of thousands of them."""

from __future__ import annotations

import tracemalloc

from agents.consumer import Consumer


def test_a_consumer_takes_little_memory() -> None:
    """With more than 30 attributes, each object has a table of its own for their names, which takes 1.2 kB."""
    Consumer("c/first", (), patient=True)
    tracemalloc.start()
    consumers = [Consumer(f"c/{n}", (), patient=True) for n in range(500)]
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken / len(consumers) < 3_200
