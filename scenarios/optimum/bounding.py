"""A proven upper bound: prices for sunlight under which no assignment of the jobs can earn more.

Put a price on every minute of every producer's sun. Sold at these prices the sun earns so much; whatever a job's energy
is worth more than its cheapest start costs is its profit. Revenue and profits together bound what any plan delivers
(Lagrangian duality), for any prices at all: so the bound needs no trust in a solver, only this one evaluation. The best
prices are the duals of the linear program over all starts, found by column generation: most starts never matter, and
pricing one job on one producer is one correlation of its draw with the prices.

Alike producers share one price: the linear program is symmetric in them, so nothing is lost. Minutes share prices too:
first in blocks of a quarter of an hour and more, for which the best prices are found in a blink, then in finer ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import highspy
import numpy as np

from agents.energy import FloatArray
from scenarios.optimum.instance import Instance
from scenarios.optimum.ladders import TOLERANCE_WH, BoolArray, IntArray
from scenarios.optimum.stretches import Open

SMOOTHING = 0.5
"""Weight of the best prices known in the prices that are tried next; the master's own swing wildly at first."""
BLOCKS = (30, 10, 5)
"""Minutes that share a price, from one stage to the next. Finer ones cost a minute and gain less than 1 %."""
CLOSE_ENOUGH = 1e-4
"""Of the bound: the gap to the best that prices of a stage can prove at which the next stage begins."""


@dataclass(frozen=True)
class Offer:
    """What a job may draw from one class of producers."""

    task: int
    class_: int
    opens: tuple[Open, ...]


@dataclass(frozen=True)
class Column:
    """One start of one job on one class of producers."""

    task: int
    class_: int
    first_bin: int
    draw_wh: FloatArray


@dataclass(frozen=True)
class Bound:
    """An upper bound and the prices that prove it."""

    bound_wh: float
    price: FloatArray
    """Of a Wh in each bin, per class of producers, shape (classes, bins)."""


class Pricing:
    """The bound as a function of the prices."""

    def __init__(self, instance: Instance, limit_wh: FloatArray) -> None:
        """Begin; `limit_wh` is the most that each producer may be asked for, shape (producers, bins)."""
        members = [members[0] for members in instance.classes]
        self.copies = np.array([len(members) for members in instance.classes], dtype=np.float64)
        self.sun_wh = instance.sun_wh[members] + TOLERANCE_WH
        self.over_wh = np.maximum(0.0, limit_wh[members] - instance.sun_wh[members])
        self.over_wh[self.over_wh <= TOLERANCE_WH] = 0.0
        self.offers = [
            offer
            for i, task in enumerate(instance.tasks)
            for c, p in enumerate(members)
            if (offer := _offer(i, c, tuple(stretch.within(limit_wh[p]) for stretch in task.stretches)))
        ]
        self.worth_wh = np.array([task.energy_wh for task in instance.tasks], dtype=np.float64)

    def evaluate(self, price: FloatArray) -> tuple[float, list[tuple[float, Column]]]:
        """Return the bound that the prices prove, and each job's cheapest start on each class with its cost."""
        revenue = float(self.copies @ (price * self.sun_wh + np.maximum(0.0, price - 1.0) * self.over_wh).sum(axis=1))
        profit = np.zeros(len(self.worth_wh))
        columns = []
        for offer in self.offers:
            cost, column = _cheapest(offer, price[offer.class_])
            columns.append((cost, column))
            profit[offer.task] = max(profit[offer.task], self.worth_wh[offer.task] - cost)
        return revenue + float(profit.sum()), columns


def prove_bound(instance: Instance, limit_wh: FloatArray, stop: Callable[[float], bool]) -> Bound:
    """Return the lowest bound found.

    Args:
        instance: The program's data.
        limit_wh: The most that each producer may be asked for, shape (producers, bins): its sun, or more.
        stop: Asked with the bound after each step; true ends the search.
    """
    pricing = Pricing(instance, limit_wh)
    price = np.zeros_like(pricing.sun_wh)
    bound_wh, found = pricing.evaluate(price)
    best, columns = Bound(bound_wh, price), [column for _, column in found]
    for minutes in BLOCKS:
        master = Master(pricing, minutes)
        for column in columns:
            master.add(column)
        best = _converge(pricing, master, best, stop)
        columns = list(master.columns)
    return best


def _converge(pricing: Pricing, master: Master, best: Bound, stop: Callable[[float], bool]) -> Bound:
    """Return the lowest bound that the prices of a master prove, by column generation."""
    while not stop(best.bound_wh):
        value_wh, price, profit = master.solve()
        if best.bound_wh - value_wh <= CLOSE_ENOUGH * best.bound_wh:
            break
        added = 0
        # Where the smoothed prices teach the master nothing, its own do.
        for weight in (SMOOTHING, 0.0):
            tried = weight * best.price + (1.0 - weight) * price
            bound_wh, found = pricing.evaluate(tried)
            if bound_wh < best.bound_wh:
                best = Bound(bound_wh, tried)
            added = sum(master.add(column) for column in master.promising(found, price, profit))
            if added:
                break
        if not added:
            break
    return best


class Master:
    """The linear program over the starts found so far."""

    def __init__(self, pricing: Pricing, minutes: int) -> None:
        """Begin without starts; `minutes` share a price."""
        self.columns: list[Column] = []
        self._pricing = pricing
        self._known: set[tuple[int, int, int, bytes]] = set()
        tasks = len(pricing.worth_wh)
        self._rows = _blocks(_contended(pricing), minutes, tasks)
        self._solver = highspy.Highs()  # type: ignore[no-untyped-call]
        self._solver.setOptionValue("output_flag", False)  # noqa: FBT003 - the solver's own interface
        self._solver.setOptionValue("threads", 1)
        self._solver.setOptionValue("presolve", "off")
        self._solver.setOptionValue("simplex_strategy", 4)  # primal: new columns leave the basis feasible
        mine = self._rows >= 0
        capacity_wh = np.bincount(self._rows[mine], (pricing.copies[:, None] * pricing.sun_wh)[mine])
        capacity_wh[:tasks] = 1.0
        nothing = np.array([], dtype=np.int32), np.array([], dtype=np.float64)
        for limit in capacity_wh if len(capacity_wh) else np.ones(tasks):
            self._solver.addRow(-highspy.kHighsInf, float(limit), 0, *nothing)
        over_wh = pricing.copies[:, None] * pricing.over_wh
        for row in np.unique(self._rows[mine & (over_wh > 0.0)]):
            most_wh = float(over_wh[self._rows == row].sum())
            self._solver.addCol(1.0, 0.0, most_wh, 1, np.array([row], dtype=np.int32), np.array([-1.0]))

    def add(self, column: Column) -> bool:
        """Add a column; return whether it was new."""
        key = (column.task, column.class_, column.first_bin, column.draw_wh.tobytes())
        if key in self._known:
            return False
        self._known.add(key)
        self.columns.append(column)
        rows = self._rows[column.class_, column.first_bin : column.first_bin + len(column.draw_wh)]
        keep = (rows >= 0) & (column.draw_wh > 0.0)
        used = np.unique(rows[keep])
        by_row_wh = np.bincount(rows[keep], column.draw_wh[keep])[used] if len(used) else used
        indices = np.concatenate(([column.task], used)).astype(np.int32)
        values = np.concatenate(([1.0], by_row_wh))
        worth_wh = float(self._pricing.worth_wh[column.task])
        self._solver.addCol(-worth_wh, 0.0, highspy.kHighsInf, len(indices), indices, values)
        return True

    def solve(self) -> tuple[float, FloatArray, FloatArray]:
        """Return the value, the price of sun by class and bin, and the profit of each task."""
        self._solver.run()
        dual = -np.array(self._solver.getSolution().row_dual)
        price = np.where(self._rows >= 0, np.maximum(0.0, dual)[np.maximum(self._rows, 0)], 0.0)
        value_wh = -self._solver.getInfo().objective_function_value
        return float(value_wh), price, np.maximum(0.0, dual[: len(self._pricing.worth_wh)])

    def promising(self, found: list[tuple[float, Column]], price: FloatArray, profit: FloatArray) -> list[Column]:
        """Return the columns that would raise the value at the master's own prices."""
        worth_wh = self._pricing.worth_wh
        return [
            column
            for _, column in found
            if worth_wh[column.task]
            - float(column.draw_wh @ price[column.class_, column.first_bin : column.first_bin + len(column.draw_wh)])
            > profit[column.task] + 1e-7 * worth_wh[column.task]
        ]


def _offer(task: int, class_: int, opens: tuple[Open, ...]) -> Offer | None:
    usable = tuple(open_ for open_ in opens if open_.mask.any())
    return Offer(task, class_, usable) if usable else None


def _cheapest(offer: Offer, price: FloatArray) -> tuple[float, Column]:
    """Return the cheapest start on a class, and what it costs."""
    (cost, piece, second_s), open_ = min(
        ((open_.cheapest(price), open_) for open_ in offer.opens), key=lambda found: found[0]
    )
    return cost, Column(offer.task, offer.class_, open_.stretch.first_bin + piece, open_.draw_wh(second_s))


def _contended(pricing: Pricing) -> BoolArray:
    """Return in which bins the jobs together can draw more than the sun gives, shape (classes, bins)."""
    demand_wh = np.zeros((len(pricing.worth_wh), *pricing.sun_wh.shape))
    for offer in pricing.offers:
        for open_ in offer.opens:
            stretch = open_.stretch
            bins = slice(stretch.first_bin, stretch.first_bin + stretch.count + len(stretch.left_wh) - 1)
            peak_wh = max(stretch.left_wh.max(), stretch.right_wh.max())
            demand = demand_wh[offer.task, offer.class_]
            demand[bins] = np.maximum(demand[bins], peak_wh)
    return np.asarray(demand_wh.sum(axis=0) > pricing.copies[:, None] * pricing.sun_wh, dtype=np.bool_)


def _blocks(contended: BoolArray, minutes: int, tasks: int) -> IntArray:
    """Return the master's row of each class and bin, after those of the tasks; -1 where nobody contends."""
    classes, bins = contended.shape
    label = np.arange(classes)[:, None] * bins + np.arange(bins) // minutes
    rows = np.full(contended.shape, -1, dtype=np.int64)
    rows[contended] = tasks + np.unique(label[contended], return_inverse=True)[1]
    return rows
