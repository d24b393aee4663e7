"""The cost of energy for a house, from its own roof, from other houses and from the grid, minute by minute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from agents.energy import FloatArray, IntArray
from agents.shares import MINUTE_S

_MICRO = 1_000_000
"""Prices are exact to a millionth of EUR/kWh, and costs are sums of whole numbers: equal costs compare as equal."""


@dataclass(frozen=True, slots=True)
class EnergyPrices:
    """Prices that a house pays or forgoes in each minute; M minutes, EUR/kWh, each of shape (M,)."""

    own: FloatArray
    """For energy from its own roof: the forgone feed-in."""
    neighbour: FloatArray
    """For energy of another house."""
    grid: FloatArray

    @property
    def are_constant(self) -> bool:
        """Whether none of them varies."""
        return not any(len(price) and np.ptp(price) for price in (self.own, self.neighbour, self.grid))

    def rounded(self) -> EnergyPrices:
        """Return the prices in whole millionths of EUR/kWh."""
        return EnergyPrices(*(np.rint(price * _MICRO) for price in (self.own, self.neighbour, self.grid)))


PricesOfMinutes = Callable[[IntArray, Mapping[str, float]], EnergyPrices]
"""Returns the prices at certain times, UNIX seconds, shape (M,); the mapping holds those prices of the tariff, by name,
that have been replaced since the run began, EUR/kWh."""


class PriceView:
    """The prices as one consumer knows them."""

    def __init__(self, prices: PricesOfMinutes | None) -> None:
        """Begin with the scenario's tariff; None: it has none."""
        self._prices = prices
        self._replaced: dict[str, float] = {}

    @property
    def are_known(self) -> bool:
        """Whether there is a tariff."""
        return self._prices is not None

    def replace(self, prices: Mapping[str, float]) -> None:
        """Let some prices of the tariff, EUR/kWh, hold instead from now on."""
        self._replaced |= prices

    def of_minutes(self, first_minute: int, minutes: int) -> EnergyPrices | None:
        """Return the prices of some minutes; None: there is no tariff.

        Args:
            first_minute: The first one, in UNIX minutes.
            minutes: How many.
        """
        if self._prices is None:
            return None
        return self._prices((first_minute + np.arange(minutes, dtype=np.int64)) * MINUTE_S, self._replaced)
