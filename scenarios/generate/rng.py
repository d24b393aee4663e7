"""Random numbers that are the same on every machine and with every Python version.

Python guarantees the sequence of `Random.random` for a given seed, but not that of its other methods. So everything
here is derived only from that method.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Rng:
    """A random number generator for one purpose; draws for another purpose do not affect it."""

    def __init__(self, seed: int, purpose: str) -> None:
        self._random = Random(f"{seed}/{purpose}")

    def uniform(self, low: float, high: float) -> float:
        """Return a number from the uniform distribution between `low` and `high`."""
        return low + (high - low) * self._random.random()

    def integer(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included, with equal probability."""
        return low + int(self._random.random() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self._random.random() < probability

    def pick(self, items: Sequence[T], weights: Sequence[float] | None = None) -> T:
        """Return one of the items, with equal probability or in proportion to their weights."""
        if weights is None:
            return items[int(self._random.random() * len(items))]
        left = self._random.random() * math.fsum(weights)
        for item, weight in zip(items, weights, strict=True):
            left -= weight
            if left < 0:
                return item
        return items[-1]

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """Return `count` distinct items, in their original order."""
        left = list(range(len(items)))
        chosen = [left.pop(int(self._random.random() * len(left))) for _ in range(count)]
        return [items[i] for i in sorted(chosen)]

    def log_uniform(self, low: float, high: float) -> float:
        """Return a number from the log-uniform distribution between `low` and `high`."""
        return math.exp(self.uniform(math.log(low), math.log(high)))

    def exponential(self, mean: float) -> float:
        """Return a number from the exponential distribution with this mean."""
        return -mean * math.log(1.0 - self._random.random())

    def normal(self) -> float:
        """Return a number with mean 0 and standard deviation 1 (the sum of twelve uniform numbers, less 6)."""
        return math.fsum(self._random.random() for _ in range(12)) - 6.0
