"""Who supplies the houses' base loads, minute by minute: their own roofs first, then what neighbours have left.

Neighbours supply base loads only with production that is left after all contracts. In each minute, houses share it in
proportion to what they lack, and producers give it in proportion to what they have left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents import CumulativeSeries, FloatArray
from scenarios.metrics.minute_table import IntArray, MinuteTable
from scenarios.scenario import Scenario


@dataclass(frozen=True, slots=True)
class BaseLoadEnergy:
    """Energy of the houses' base loads in every minute. H houses, P producers, M minutes."""

    consumed_wh: MinuteTable
    """Base load of each house, shape (H, M)."""
    own_wh: MinuteTable
    """The part that its own producers served, shape (H, M)."""
    bought_wh: MinuteTable
    """The part that other houses' producers served, shape (H, M)."""
    given_wh: MinuteTable
    """Energy that each producer supplied to its own house's base load, Wh, shape (P, M)."""
    sold_wh: MinuteTable
    """Energy that each producer supplied to other houses' base loads, Wh, shape (P, M)."""


class RoofProduction:
    """Production by house."""

    def __init__(self, produced_wh: FloatArray, owner: IntArray, houses: int) -> None:
        """Begin with the production of each producer.

        Args:
            produced_wh: Wh, shape (P, M).
            owner: Index of each producer's house, ascending, shape (P,).
            houses: Number of houses.
        """
        self.produced_wh, self.owner = produced_wh, owner
        self._begins = np.searchsorted(owner, np.arange(houses + 1))

    def rows(self, begin: int, end: int) -> FloatArray:
        """Return the production of some houses, Wh, shape (end - begin, M)."""
        roof_wh = np.zeros((end - begin, self.produced_wh.shape[1]))
        some = slice(self._begins[begin], self._begins[end])
        np.add.at(roof_wh, self.owner[some] - begin, self.produced_wh[some])
        return roof_wh


class BaseLoadSupply:
    """The houses' base loads and who serves them, in blocks of houses or producers."""

    def __init__(self, scenario: Scenario, houses: Sequence[str], roofs: RoofProduction, edges_s: FloatArray) -> None:
        """Make them; nothing is computed yet.

        Args:
            scenario: The base loads.
            houses: House ids in the order of the rows.
            roofs: Production by house.
            edges_s: Edges of the minutes, UNIX seconds, shape (M + 1,).
        """
        self._loads: list[CumulativeSeries | None] = [scenario.base_loads.get(house) for house in houses]
        self._roofs, self._edges_s = roofs, edges_s
        self._delivered_wh = np.zeros((0, 0))
        minutes = len(edges_s) - 1
        self._bought_share: FloatArray = np.zeros(minutes)
        """The part of what they lack that others have left, in each minute, shape (M,)."""
        self._sold_share: FloatArray = np.zeros(minutes)
        """The part of what producers have left that they take, in each minute, shape (M,)."""

    def consumed(self, begin: int, end: int) -> FloatArray:
        """Return the base loads of some houses, Wh, shape (end - begin, M)."""
        consumed_wh = np.zeros((end - begin, len(self._edges_s) - 1))
        known: dict[int, FloatArray] = {}  # many houses of a generated neighbourhood have the same
        for row, load in enumerate(self._loads[begin:end]):
            if load is not None:
                if id(load) not in known:
                    known[id(load)] = load.energy_per_bin_wh(self._edges_s)
                consumed_wh[row] = known[id(load)]
        return consumed_wh

    def own(self, begin: int, end: int) -> FloatArray:
        """Return the part that the own producers of some houses served, Wh, shape (end - begin, M)."""
        return np.minimum(self.consumed(begin, end), self._roofs.rows(begin, end))

    def given(self, begin: int, end: int) -> FloatArray:
        """Return what some producers gave to their own houses, Wh, shape (end - begin, M)."""
        if begin == end:
            return np.zeros((0, len(self._edges_s) - 1))
        owner = self._roofs.owner[begin:end]
        first, last = int(owner[0]), int(owner[-1]) + 1
        roof_wh = self._roofs.rows(first, last)
        share = share_of(np.minimum(self.consumed(first, last), roof_wh), roof_wh)
        return np.asarray(self._roofs.produced_wh[begin:end] * share[owner - first], dtype=np.float64)

    def share_surplus(self, delivered_wh: FloatArray) -> None:
        """Serve the remaining base loads from the production left after all contracts.

        Args:
            delivered_wh: What each producer delivered under contracts, shape (P, M).
        """
        self._delivered_wh = delivered_wh
        houses, minutes = len(self._loads), len(self._edges_s) - 1
        lacking_wh = MinuteTable((houses, minutes), self._lacking).sum(axis=0)
        left_wh = MinuteTable(delivered_wh.shape, self._left).sum(axis=0)
        traded_wh = np.minimum(lacking_wh, left_wh)
        self._bought_share, self._sold_share = share_of(traded_wh, lacking_wh), share_of(traded_wh, left_wh)

    def bought(self, begin: int, end: int) -> FloatArray:
        """Return what other houses' producers gave to some houses, Wh, shape (end - begin, M)."""
        return self._lacking(begin, end) * self._bought_share

    def sold(self, begin: int, end: int) -> FloatArray:
        """Return what some producers gave to other houses, Wh, shape (end - begin, M)."""
        return self._left(begin, end) * self._sold_share

    def served(self, begin: int, end: int) -> FloatArray:
        """Return what all producers gave to some houses, Wh, shape (end - begin, M)."""
        consumed_wh = self.consumed(begin, end)
        own_wh = np.minimum(consumed_wh, self._roofs.rows(begin, end))
        return own_wh + (consumed_wh - own_wh) * self._bought_share

    def energy(self) -> BaseLoadEnergy:
        """Return all of it as tables."""
        of_houses, of_producers = (len(self._loads), len(self._edges_s) - 1), self._delivered_wh.shape
        return BaseLoadEnergy(
            MinuteTable(of_houses, self.consumed),
            MinuteTable(of_houses, self.own),
            MinuteTable(of_houses, self.bought),
            MinuteTable(of_producers, self.given),
            MinuteTable(of_producers, self.sold),
        )

    def _lacking(self, begin: int, end: int) -> FloatArray:
        consumed_wh = self.consumed(begin, end)
        return consumed_wh - np.minimum(consumed_wh, self._roofs.rows(begin, end))

    def _left(self, begin: int, end: int) -> FloatArray:
        available_wh = np.maximum(self._roofs.produced_wh[begin:end] - self.given(begin, end), 0.0)
        return available_wh - self._delivered_wh[begin:end]


def share_of(part_wh: FloatArray, whole_wh: FloatArray) -> FloatArray:
    """Return parts as shares from 0 to 1; 0 of nothing."""
    share = np.zeros_like(whole_wh)
    np.divide(part_wh, whole_wh, out=share, where=whole_wh > 0)
    return np.minimum(share, 1.0, out=share)
