"""Column generation: the lowest Lagrangian bound that can be found in a limited time.

The prices that prove the lowest bound are the duals of the linear program over all starts. Most starts never matter, so
each step solves the program over the columns found so far (the restricted master problem) and prices in the cheapest
start of every task (one correlation of prices and draw). Minutes share capacity rows in blocks, whose duals are their
prices, from coarse to fine; over coarse blocks this converges in milliseconds. Then the cuts that the solution violates
are added, until they no longer improve the bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import highspy
import numpy as np

from agents import FloatArray
from scenarios.optimum.cuts import DUAL_FEASIBLE_FUNCTIONS, CapacityCut
from scenarios.optimum.instance import Instance
from scenarios.optimum.lagrangian import DualPrices, LagrangianBound, StartColumn
from scenarios.optimum.starts import IntArray

PRIMAL, DUAL = 4, 1
"""HiGHS's simplex strategies. After new columns the basis stays primal feasible, after new rows dual feasible."""
VIOLATED = 1e-2
"""Least violation at which a cut is added."""
APART_BINS = 4
"""Violated cuts of one function closer together than this say much the same; only the worst of them is added."""
SMOOTHING = 0.5
"""Weight of the best known prices in the prices tried next; the master's own oscillate strongly at first."""
BLOCK_MINUTES = (30, 10)
"""Minutes that share a price, stage by stage. Blocks of 5 take ten times as long and lower the bound by a few per
mille."""
RELATIVE_GAP = 2e-4
"""Gap between the bound and the master's value, relative to the bound, at which a stage has converged."""
CUTS_PER_ROUND = 60
ROUNDS = 60


@dataclass(frozen=True)
class MasterSolution:
    """A solution of the linear program."""

    value_wh: float
    """Energy that the fractional plan delivers."""
    prices: DualPrices
    """Dual values of capacities and cuts."""
    profit: FloatArray
    """Dual value of each task, Wh, shape (tasks,)."""
    weights: FloatArray
    """Value of each column, 0 to 1, shape (columns,)."""


class RestrictedMaster:
    """The linear program over the columns found so far."""

    def __init__(self, pricing: LagrangianBound, minutes: int) -> None:
        """Make a master problem without columns.

        Args:
            pricing: The pricing of columns; provides tasks, production and limits.
            minutes: Number of neighbouring minutes that share a capacity row and thus a price.
        """
        self.columns: list[StartColumn] = []
        self._pricing = pricing
        self._known: set[tuple[int, int, int, bytes]] = set()
        self._tasks = len(pricing.worth_wh)
        self._rows = self._blocks(minutes)
        self._blocks_end = self._tasks + int(self._rows.max(initial=self._tasks - 1)) - self._tasks + 1
        self._solver = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy has no types
        for option, value in (("output_flag", False), ("threads", 1), ("presolve", "off")):
            self._solver.setOptionValue(option, value)
        self._strategy = PRIMAL
        capacity = np.bincount(
            self._rows[self._rows >= 0],
            (pricing.copies[:, None] * pricing.production_wh)[self._rows >= 0],
            minlength=self._blocks_end,
        )
        capacity[: self._tasks] = 1.0
        for limit in capacity:
            self._add_row(float(limit), [], [])
        over_wh = pricing.copies[:, None] * pricing.over_wh
        rows = np.unique(self._rows[(self._rows >= 0) & (over_wh > 0.0)])
        self._overs = len(rows)
        for row in rows:
            most_wh = float(over_wh[self._rows == row].sum())
            self._solver.addCol(1.0, 0.0, most_wh, 1, np.array([row], dtype=np.int32), np.array([-1.0]))
        for cut in pricing.cuts:
            self._add_row(float(pricing.copies[cut.class_]), [], [])

    def add(self, column: StartColumn) -> bool:
        """Add a column; return whether it was new."""
        if column.key in self._known:
            return False
        self._known.add(column.key)
        rows = self._rows[column.class_, column.bins]
        keep = (rows >= 0) & (column.draw_wh > 0.0)
        used, inverse = np.unique(rows[keep], return_inverse=True)
        cuts = [(self._blocks_end + k, count) for k, count in self._coefficients(column)]
        indices = np.array([column.task, *used, *(row for row, _ in cuts)], dtype=np.int32)
        energies_wh = np.bincount(inverse, column.draw_wh[keep], minlength=len(used))
        values = np.array([1.0, *energies_wh, *(count for _, count in cuts)])
        worth_wh = float(self._pricing.worth_wh[column.task])
        self._solver.addCol(-worth_wh, 0.0, highspy.kHighsInf, len(indices), indices, values)
        self.columns.append(column)
        return True

    def add_cut(self, cut: CapacityCut) -> None:
        """Add a cut to this program and to the pricing."""
        self._pricing.add_cut(cut)
        coefficients = [
            (self._overs + i, count) for i, c in enumerate(self.columns) if (count := c.coefficient_in(cut)) > 0.0
        ]
        copies = float(self._pricing.copies[cut.class_])
        self._add_row(copies, [i for i, _ in coefficients], [count for _, count in coefficients])
        self._strategy = DUAL

    def solve(self) -> MasterSolution:
        """Solve the program, from the previous basis where there is one."""
        self._solver.setOptionValue("simplex_strategy", self._strategy)
        self._strategy = PRIMAL
        self._solver.run()
        solution = self._solver.getSolution()
        dual = np.maximum(0.0, -np.array(solution.row_dual))
        by_bin = np.where(self._rows >= 0, dual[np.maximum(self._rows, 0)], 0.0)
        return MasterSolution(
            value_wh=-float(self._solver.getInfo().objective_function_value),
            prices=DualPrices(by_bin, dual[self._blocks_end :]),
            profit=dual[: self._tasks],
            weights=np.array(solution.col_value)[self._overs :],
        )

    def improving(self, found: list[StartColumn], solved: MasterSolution) -> list[StartColumn]:
        """Return the columns with positive reduced profit.

        Args:
            found: Candidate columns.
            solved: The solution that gives the prices and profits.
        """
        worth_wh = self._pricing.worth_wh
        return [
            column
            for column in found
            if worth_wh[column.task] - self._pricing.cost(column, solved.prices)
            > solved.profit[column.task] + 1e-7 * worth_wh[column.task]
        ]

    def violated_cuts(self, weights: FloatArray, most: int) -> list[CapacityCut]:
        """Return the cuts that a solution violates most, the worst first.

        Args:
            weights: Value of each column in the solution, shape (columns,).
            most: Number of cuts to return at most.
        """
        pricing = self._pricing
        used = [(column, weight) for column, weight in zip(self.columns, weights, strict=True) if weight > 1e-9]
        found: list[tuple[float, CapacityCut]] = []
        for function in DUAL_FEASIBLE_FUNCTIONS:
            full = np.zeros_like(pricing.limit_wh)
            for column, weight in used:
                limit_wh = pricing.limit_wh[column.class_, column.bins]
                full[column.class_, column.bins] += weight * function.coefficients(column.least_wh / limit_wh)
            excess = full - pricing.copies[:, None]
            while excess.max(initial=0.0) > VIOLATED:
                c, t = (int(i) for i in np.unravel_index(excess.argmax(), excess.shape))
                found.append((float(excess[c, t]), CapacityCut(c, t, float(pricing.limit_wh[c, t]), function)))
                excess[c, max(0, t - APART_BINS) : t + APART_BINS + 1] = 0.0
        known = set(pricing.cuts)
        found.sort(key=lambda pair: -pair[0])
        return [cut for _, cut in found if cut not in known][:most]

    def _coefficients(self, column: StartColumn) -> list[tuple[int, float]]:
        cuts = enumerate(self._pricing.cuts)
        return [(k, count) for k, cut in cuts if (count := column.coefficient_in(cut)) > 0.0]

    def _add_row(self, limit: float, indices: list[int], values: list[float]) -> None:
        self._solver.addRow(
            -highspy.kHighsInf,
            limit,
            len(indices),
            np.array(indices, dtype=np.int32),
            np.array(values, dtype=np.float64),
        )

    def _blocks(self, minutes: int) -> IntArray:
        """Return the row of each class and bin, after those of the tasks; -1 where production suffices for all."""
        pricing = self._pricing
        contended = pricing.peak_wh > pricing.copies[:, None] * pricing.production_wh
        classes, bins = contended.shape
        label = np.arange(classes)[:, None] * bins + np.arange(bins) // minutes
        rows = np.full(contended.shape, -1, dtype=np.int64)
        rows[contended] = self._tasks + np.unique(label[contended], return_inverse=True)[1]
        return rows


@dataclass(frozen=True)
class Bound:
    """An upper bound and the prices that prove it."""

    bound_wh: float
    """No plan delivers more."""
    prices: DualPrices


def prove_bound(instance: Instance, limit_wh: FloatArray, stop: Callable[[float], bool]) -> Bound:
    """Return the lowest bound found.

    Args:
        instance: The optimisation problem.
        limit_wh: Energy that each producer may be asked for, Wh, shape (producers, bins); at least its production.
        stop: Called with the bound (Wh) after each step; True ends the search.
    """
    all_wh = sum((task.energy_wh for task in instance.tasks), start=0.0)
    if stop(all_wh) or not instance.tasks:
        # In a large neighbourhood even the first evaluation takes a while; without jobs there is nothing to price.
        return Bound(all_wh, DualPrices(np.zeros((len(instance.classes), instance.bins)), np.zeros(0)))
    pricing = LagrangianBound(instance, limit_wh)
    bound_wh, columns = pricing.evaluate(pricing.zero_prices())
    climb = _BoundSearch(pricing, Bound(bound_wh, pricing.zero_prices()), stop)
    for minutes in BLOCK_MINUTES:
        master = climb.begin(minutes, columns)
        solved = climb.converge(master)
        columns = master.columns
    for _ in range(ROUNDS):
        cuts = [] if solved is None else master.violated_cuts(solved.weights, CUTS_PER_ROUND)
        if not cuts:
            break
        for cut in cuts:
            master.add_cut(cut)
        solved = climb.converge(master)
    return climb.best


class _BoundSearch:
    """The lowest bound found so far."""

    def __init__(self, pricing: LagrangianBound, best: Bound, stop: Callable[[float], bool]) -> None:
        self.best = best
        self._pricing = pricing
        self._stop = stop

    def begin(self, minutes: int, columns: list[StartColumn]) -> RestrictedMaster:
        """Return a master problem with the given columns; `minutes` share a price."""
        master = RestrictedMaster(self._pricing, minutes)
        for column in columns:
            master.add(column)
        return master

    def converge(self, master: RestrictedMaster) -> MasterSolution | None:
        """Add columns until the master's prices are nearly optimal; return its last solution, None if stopped."""
        while not self._stop(self.best.bound_wh):
            solved = master.solve()
            if self.best.bound_wh - solved.value_wh <= RELATIVE_GAP * self.best.bound_wh:
                return solved
            # Where the smoothed prices yield no new column, the master's own do.
            if not any(self._add_columns(master, solved, weight) for weight in (1.0 - SMOOTHING, 1.0)):
                return solved
        return None

    def _add_columns(self, master: RestrictedMaster, solved: MasterSolution, weight: float) -> bool:
        """Price in columns; return whether any was new.

        Args:
            master: The master problem.
            solved: Its solution.
            weight: Weight of the master's prices against the best known ones.
        """
        prices = self.best.prices.interpolate(solved.prices, weight)
        bound_wh, found = self._pricing.evaluate(prices)
        if bound_wh < self.best.bound_wh:
            self.best = Bound(bound_wh, prices)
        return sum(master.add(column) for column in master.improving(found, solved)) > 0
