"""Column generation: the lowest Lagrangian bound that can be found in a limited time.

The prices that prove the lowest bound are the duals of the linear program over all starts. Most starts never matter, so
each step solves the program over the columns found so far and prices in the cheapest start of every task (one
correlation of prices and draw). Minutes share prices in blocks, from coarse to fine; over coarse blocks this converges
in milliseconds. Then the cuts that the solution violates are added, until they gain nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from agents import FloatArray
from scenarios.optimum.instance import Instance
from scenarios.optimum.lagrangian import LagrangianBound, Prices, StartColumn
from scenarios.optimum.restricted_master import MasterSolution, RestrictedMaster

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
class Bound:
    """An upper bound and the prices that prove it."""

    bound_wh: float
    prices: Prices


def prove_bound(instance: Instance, limit_wh: FloatArray, stop: Callable[[float], bool]) -> Bound:
    """Return the lowest bound found.

    Args:
        instance: The optimisation problem.
        limit_wh: Energy that each producer may be asked for, Wh, shape (producers, bins); at least its production.
        stop: Called with the bound (Wh) after each step; True ends the search.
    """
    all_wh = sum(task.energy_wh for task in instance.tasks)
    if stop(all_wh):
        # In a large neighbourhood even the first evaluation takes a while.
        return Bound(all_wh, Prices(np.zeros((len(instance.classes), instance.bins)), np.zeros(0)))
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
