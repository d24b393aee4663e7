"""What a consumer without jobs takes: 10,000 houses have tens of thousands of them."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import partial

import pytest

from agents.consumer import Consumer
from agents.sharing import SharedConsumerSupply, SupplySettings


def whole(number: int) -> Consumer:
    """Return a consumer whose jobs have one supplier each."""
    return Consumer(f"c/{number}", (), patient=True)


def shared(number: int) -> Consumer:
    """Return a consumer whose jobs several producers supply."""
    return Consumer(f"c/{number}", (), patient=True, supply=partial(SharedConsumerSupply, settings=SupplySettings()))


@pytest.mark.parametrize("consumer", [whole, shared])
def test_a_consumer_takes_little_memory(consumer: Callable[[int], Consumer]) -> None:
    """With more than 30 attributes, each object has a table of its own for their names, which takes 1.2 kB."""
    consumer(0)
    tracemalloc.start()
    consumers = [consumer(number) for number in range(1, 501)]
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken / len(consumers) < 3_700
