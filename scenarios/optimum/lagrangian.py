"""A proven upper bound for any prices of sunlight.

Put a price on every minute of every producer's sun, and on the place in its crowded minutes (`crowding`). Sold at these
prices the sun earns so much; whatever a job's energy is worth more than its cheapest start costs is its profit. Revenue
and profits together bound what any plan delivers (Lagrangian duality), for any prices at all: so the bound needs no
trust in a solver, only this one evaluation.

Alike producers share one price: the linear program is symmetric in them, so nothing is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from agents import FloatArray
from scenarios.optimum.cuts import Crowd
from scenarios.optimum.instance import Instance
from scenarios.optimum.linear_pieces import Open
from scenarios.optimum.start_grid import TOLERANCE_WH


@dataclass(frozen=True)
class Prices:
    """What sun costs."""

    by_bin: FloatArray
    """Of a Wh in each bin, shape (classes, bins)."""
    by_crowd: FloatArray
    """Of a whole minute's place, shape (crowds,); crowds that were found later cost nothing."""

    def towards(self, other: Prices, weight: float) -> Prices:
        """Return prices between these and others: these with a weight of 0."""
        crowds = max(len(self.by_crowd), len(other.by_crowd))
        mine = np.pad(self.by_crowd, (0, crowds - len(self.by_crowd)))
        others = np.pad(other.by_crowd, (0, crowds - len(other.by_crowd)))
        return Prices((1 - weight) * self.by_bin + weight * other.by_bin, (1 - weight) * mine + weight * others)


@dataclass(frozen=True)
class Column:
    """One start of one job on one class of producers, or rather the end of a piece of a stretch."""

    task: int
    class_: int
    first_bin: int
    draw_wh: FloatArray
    """Of this very start, bin by bin."""
    least_wh: FloatArray
    """The least that any start of its piece draws, bin by bin; what it counts by in crowds, which bend everywhere."""

    @cached_property
    def key(self) -> tuple[int, int, int, bytes]:
        """What tells it from others."""
        return self.task, self.class_, self.first_bin, self.draw_wh.tobytes()

    @property
    def bins(self) -> slice:
        """The bins that it draws in."""
        return slice(self.first_bin, self.first_bin + len(self.draw_wh))

    def counts_in(self, crowd: Crowd) -> float:
        """Return what it counts in a crowd."""
        place = crowd.bin_ - self.first_bin
        if crowd.class_ != self.class_ or not 0 <= place < len(self.least_wh):
            return 0.0
        return float(crowd.counts(self.least_wh[place : place + 1])[0])


class Range:
    """One job's starts in one stretch on one class of producers."""

    def __init__(self, task: int, class_: int, open_: Open) -> None:
        self.task = task
        self.class_ = class_
        self._open = open_
        stretch = open_.stretch
        self._least_wh = np.minimum(stretch.left_wh, stretch.right_wh)
        self._in_crowds: list[tuple[int, slice, FloatArray]] = []

    def meet(self, number: int, crowd: Crowd) -> None:
        """Take a crowd into account from now on, if it can be met."""
        stretch = self._open.stretch
        first = max(0, crowd.bin_ - stretch.first_bin - len(self._least_wh) + 1)
        last = min(stretch.count - 1, crowd.bin_ - stretch.first_bin)
        if crowd.class_ != self.class_ or first > last:
            return
        places = crowd.bin_ - stretch.first_bin - np.arange(first, last + 1)
        counts = crowd.counts(self._least_wh[places])
        if counts.any():
            self._in_crowds.append((number, slice(first, last + 1), counts))

    def cheapest(self, prices: Prices) -> tuple[float, Column]:
        """Return the start that costs least, and what it costs."""
        surcharge = np.zeros(self._open.stretch.count)
        for number, pieces, counts in self._in_crowds:
            if number < len(prices.by_crowd) and prices.by_crowd[number] > 0.0:
                surcharge[pieces] += prices.by_crowd[number] * counts
        cost, piece, second_s = self._open.cheapest(prices.by_bin[self.class_], surcharge)
        first_bin = self._open.stretch.first_bin + piece
        return cost, Column(self.task, self.class_, first_bin, self._open.draw_wh(second_s), self._least_wh)


class Pricing:
    """The bound as a function of the prices."""

    def __init__(self, instance: Instance, limit_wh: FloatArray) -> None:
        """Begin; `limit_wh` is the most that each producer may be asked for, shape (producers, bins)."""
        members = [members[0] for members in instance.classes]
        self.copies = np.array([len(members) for members in instance.classes], dtype=np.float64)
        self.sun_wh = instance.sun_wh[members] + TOLERANCE_WH
        self.limit_wh = limit_wh[members] + TOLERANCE_WH
        self.over_wh = self.limit_wh - self.sun_wh
        self.over_wh[self.over_wh <= TOLERANCE_WH] = 0.0
        self.worth_wh = np.array([task.energy_wh for task in instance.tasks], dtype=np.float64)
        self.crowds: list[Crowd] = []
        opens = [
            (i, c, stretch.within(limit_wh[p]))
            for i, task in enumerate(instance.tasks)
            for c, p in enumerate(members)
            for stretch in task.stretches
        ]
        self.ranges = [Range(i, c, open_) for i, c, open_ in opens if open_.mask.any()]
        self.peak_wh = np.zeros_like(self.sun_wh)
        for i in range(len(instance.tasks)):
            self.peak_wh += _peaks([(c, open_) for j, c, open_ in opens if j == i], self.sun_wh.shape)

    def nothing(self) -> Prices:
        """Return prices of zero."""
        return Prices(np.zeros_like(self.sun_wh), np.zeros(len(self.crowds)))

    def meet(self, crowd: Crowd) -> None:
        """Take a crowd into account from now on."""
        for range_ in self.ranges:
            range_.meet(len(self.crowds), crowd)
        self.crowds.append(crowd)

    def evaluate(self, prices: Prices) -> tuple[float, list[Column]]:
        """Return the bound that the prices prove, and each job's cheapest start in each range."""
        by_bin = prices.by_bin
        revenue = float(self.copies @ (by_bin * self.sun_wh + np.maximum(0.0, by_bin - 1.0) * self.over_wh).sum(axis=1))
        revenue += sum(
            float(price * self.copies[crowd.class_]) for price, crowd in zip(prices.by_crowd, self.crowds, strict=False)
        )
        profit = np.zeros(len(self.worth_wh))
        columns = []
        for range_ in self.ranges:
            cost, column = range_.cheapest(prices)
            columns.append(column)
            profit[range_.task] = max(profit[range_.task], self.worth_wh[range_.task] - cost)
        return revenue + float(profit.sum()), columns

    def cost(self, column: Column, prices: Prices) -> float:
        """Return what a column costs."""
        by_bin = float(column.draw_wh @ prices.by_bin[column.class_, column.bins])
        priced = np.flatnonzero(prices.by_crowd > 0.0)
        return by_bin + sum(float(prices.by_crowd[k]) * column.counts_in(self.crowds[k]) for k in priced)


def _peaks(opens: list[tuple[int, Open]], shape: tuple[int, ...]) -> FloatArray:
    """Return the most that one job could draw in each bin, or more, shape (classes, bins)."""
    peak_wh = np.zeros(shape)
    for c, open_ in opens:
        stretch = open_.stretch
        if open_.mask.any():
            bins = slice(stretch.first_bin, stretch.first_bin + stretch.count + len(stretch.left_wh) - 1)
            most_wh = max(stretch.left_wh.max(), stretch.right_wh.max())
            peak_wh[c, bins] = np.maximum(peak_wh[c, bins], most_wh)
    return peak_wh
