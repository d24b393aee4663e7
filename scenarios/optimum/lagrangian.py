"""Lagrangian bound: any prices of production prove an upper bound on delivered energy.

Put a price on every Wh of every producer and minute, and on each capacity cut (`scenarios.optimum.cuts`). Production
sold at these prices earns a revenue; what a job's energy is worth beyond the cost of its cheapest start is its profit.
Revenue plus profits bound what any plan delivers (Lagrangian duality). This holds for any non-negative prices, so the
bound needs no trust in a solver, only this one evaluation.

Identical producers share one price: the linear program is symmetric in them, so nothing is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from agents import FloatArray
from scenarios.optimum.cuts import CapacityCut
from scenarios.optimum.instance import Instance
from scenarios.optimum.starts import TOLERANCE_WH, FeasiblePieces


@dataclass(frozen=True)
class DualPrices:
    """Lagrange multipliers of the capacity constraints and of the cuts."""

    by_bin: FloatArray
    """Price per Wh in each bin, shape (classes, bins)."""
    by_cut: FloatArray
    """Price of each cut's whole capacity, shape (cuts,); cuts found later have the price 0."""

    def interpolate(self, other: DualPrices, weight: float) -> DualPrices:
        """Return prices between these and others.

        Args:
            other: The other prices.
            weight: Weight of `other`, 0 to 1; 0 returns these.
        """
        cuts = max(len(self.by_cut), len(other.by_cut))
        mine = np.pad(self.by_cut, (0, cuts - len(self.by_cut)))
        others = np.pad(other.by_cut, (0, cuts - len(other.by_cut)))
        return DualPrices((1 - weight) * self.by_bin + weight * other.by_bin, (1 - weight) * mine + weight * others)


@dataclass(frozen=True)
class StartColumn:
    """A column of the linear program: one start of one task on one class of producers.

    Pricing returns only starts at an end of the feasible part of a linear piece, where a linear cost is lowest.
    """

    task: int
    """Index of the task in the instance."""
    class_: int
    """Index of the class of producers."""
    first_bin: int
    """Index of the minute in which it starts."""
    draw_wh: FloatArray
    """Draw of this start, Wh, bin by bin from `first_bin`."""
    least_wh: FloatArray
    """Least draw of any start of its piece, Wh, by bin. Coefficients in cuts use it, as they are not linear in the
    start."""

    @cached_property
    def key(self) -> tuple[int, int, int, bytes]:
        """Identity of the column, to recognise duplicates."""
        return self.task, self.class_, self.first_bin, self.draw_wh.tobytes()

    @property
    def bins(self) -> slice:
        """The bins in which it may draw."""
        return slice(self.first_bin, self.first_bin + len(self.draw_wh))

    def coefficient_in(self, cut: CapacityCut) -> float:
        """Return the column's coefficient in a cut; 0 if it does not draw in the cut's minute."""
        place = cut.bin_ - self.first_bin
        if cut.class_ != self.class_ or not 0 <= place < len(self.least_wh):
            return 0.0
        return float(cut.coefficients(self.least_wh[place : place + 1])[0])


class PricingRange:
    """Starts of one task in one family of pieces on one class of producers: the unit of pricing."""

    def __init__(self, task: int, class_: int, feasible: FeasiblePieces) -> None:
        """Make a range.

        Args:
            task: Index of the task.
            class_: Index of the class of producers.
            feasible: The family of pieces, within the limit of that class.
        """
        self.task = task
        self.class_ = class_
        self._open = feasible
        family = feasible.family
        self._least_wh = np.minimum(family.left_wh, family.right_wh)
        self._in_cuts: list[tuple[int, slice, FloatArray]] = []

    def add_cut(self, number: int, cut: CapacityCut) -> None:
        """Take a cut into account from now on, if a start of this range has a coefficient in it.

        Args:
            number: Index of the cut in `DualPrices.by_cut`.
            cut: The cut.
        """
        family = self._open.family
        first = max(0, cut.bin_ - family.first_bin - len(self._least_wh) + 1)
        last = min(family.count - 1, cut.bin_ - family.first_bin)
        if cut.class_ != self.class_ or first > last:
            return
        places = cut.bin_ - family.first_bin - np.arange(first, last + 1)
        coefficients = cut.coefficients(self._least_wh[places])
        if coefficients.any():
            self._in_cuts.append((number, slice(first, last + 1), coefficients))

    def cheapest(self, prices: DualPrices) -> tuple[float, StartColumn]:
        """Return the lowest cost of any start in the range, and that start's column."""
        surcharge = np.zeros(self._open.family.count)
        for number, pieces, coefficients in self._in_cuts:
            if number < len(prices.by_cut) and prices.by_cut[number] > 0.0:
                surcharge[pieces] += prices.by_cut[number] * coefficients
        cost, piece, second_s = self._open.cheapest(prices.by_bin[self.class_], surcharge)
        first_bin = self._open.family.first_bin + piece
        return cost, StartColumn(self.task, self.class_, first_bin, self._open.draw_wh(second_s), self._least_wh)


class LagrangianBound:
    """The bound as a function of the prices."""

    def __init__(self, instance: Instance, limit_wh: FloatArray) -> None:
        """Prepare the pricing of all starts.

        Args:
            instance: The optimisation problem.
            limit_wh: Energy that each producer may be asked for, Wh, shape (producers, bins); at least its production.
        """
        members = [members[0] for members in instance.classes]
        self.copies = np.array([len(members) for members in instance.classes], dtype=np.float64)
        self.production_wh = instance.production_wh[members] + TOLERANCE_WH
        self.limit_wh = limit_wh[members] + TOLERANCE_WH
        self.over_wh = self.limit_wh - self.production_wh
        self.over_wh[self.over_wh <= TOLERANCE_WH] = 0.0
        self.worth_wh = np.array([task.energy_wh for task in instance.tasks], dtype=np.float64)
        self.cuts: list[CapacityCut] = []
        feasible_families = [
            (i, c, family.within(limit_wh[p]))
            for i, task in enumerate(instance.tasks)
            for c, p in enumerate(members)
            for family in task.piece_families
        ]
        self.ranges = [PricingRange(i, c, feasible) for i, c, feasible in feasible_families if feasible.mask.any()]
        self.peak_wh = np.zeros_like(self.production_wh)
        for i in range(len(instance.tasks)):
            self.peak_wh += _peaks(
                [(c, feasible) for j, c, feasible in feasible_families if j == i], self.production_wh.shape
            )

    def zero_prices(self) -> DualPrices:
        """Return prices of zero, for the cuts known so far."""
        return DualPrices(np.zeros_like(self.production_wh), np.zeros(len(self.cuts)))

    def add_cut(self, cut: CapacityCut) -> None:
        """Take a cut into account from now on."""
        for range_ in self.ranges:
            range_.add_cut(len(self.cuts), cut)
        self.cuts.append(cut)

    def evaluate(self, prices: DualPrices) -> tuple[float, list[StartColumn]]:
        """Return the bound that prices prove, Wh, and the cheapest column of each range."""
        by_bin = prices.by_bin
        revenue = float(
            self.copies @ (by_bin * self.production_wh + np.maximum(0.0, by_bin - 1.0) * self.over_wh).sum(axis=1)
        )
        revenue += sum(
            float(price * self.copies[cut.class_]) for price, cut in zip(prices.by_cut, self.cuts, strict=False)
        )
        profit = np.zeros(len(self.worth_wh))
        columns = []
        for range_ in self.ranges:
            cost, column = range_.cheapest(prices)
            columns.append(column)
            profit[range_.task] = max(profit[range_.task], self.worth_wh[range_.task] - cost)
        return revenue + float(profit.sum()), columns

    def cost(self, column: StartColumn, prices: DualPrices) -> float:
        """Return the cost of a column at given prices, including cuts."""
        by_bin = float(column.draw_wh @ prices.by_bin[column.class_, column.bins])
        priced = np.flatnonzero(prices.by_cut > 0.0)
        return by_bin + sum(float(prices.by_cut[k]) * column.coefficient_in(self.cuts[k]) for k in priced)


def _peaks(feasible_families: list[tuple[int, FeasiblePieces]], shape: tuple[int, ...]) -> FloatArray:
    """Return an upper bound on one task's draw in each bin, Wh, shape (classes, bins)."""
    peak_wh = np.zeros(shape)
    for c, feasible in feasible_families:
        family = feasible.family
        if feasible.mask.any():
            bins = slice(family.first_bin, family.first_bin + family.count + len(family.left_wh) - 1)
            most_wh = max(family.left_wh.max(), family.right_wh.max())
            peak_wh[c, bins] = np.maximum(peak_wh[c, bins], most_wh)
    return peak_wh
