"""The lowest bound that can be found in a limited time: column generation and crowds, over ever finer minutes.

The prices that prove the lowest bound are the duals of the linear program over all starts. Most starts never matter:
each step solves it over those found so far and asks for the cheapest start of every job at the prices found (one
correlation of prices and draw). Minutes share prices in blocks, for which the best prices are found in a blink. Then
the crowds that the solution overfills are added, until that gains no more.
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
"""Weight of the best prices known in the prices that are tried next; the master's own swing wildly at first."""
BLOCK_MINUTES = (30, 10)
"""Minutes that share a price, from one stage to the next; 5 cost ten times as long and gain a few per mille."""
RELATIVE_GAP = 2e-4
"""Of the bound: the gap to the best that prices of a stage can prove at which the next begins."""
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
        instance: The program's data.
        limit_wh: The most that each producer may be asked for, shape (producers, bins): its sun, or more.
        stop: Asked with the bound after each step; true ends the search.
    """
    all_wh = sum(task.energy_wh for task in instance.tasks)
    if stop(all_wh):
        # On a large neighbourhood even the first prices take a while.
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
    """The best bound so far, on the way down to it."""

    def __init__(self, pricing: LagrangianBound, best: Bound, stop: Callable[[float], bool]) -> None:
        self.best = best
        self._pricing = pricing
        self._stop = stop

    def begin(self, minutes: int, columns: list[StartColumn]) -> RestrictedMaster:
        """Return a master with these columns."""
        master = RestrictedMaster(self._pricing, minutes)
        for column in columns:
            master.add(column)
        return master

    def converge(self, master: RestrictedMaster) -> MasterSolution | None:
        """Add columns until the master's prices are nearly the best; return its last solution, None if told to stop."""
        while not self._stop(self.best.bound_wh):
            solved = master.solve()
            if self.best.bound_wh - solved.value_wh <= RELATIVE_GAP * self.best.bound_wh:
                return solved
            # Where the smoothed prices teach the master nothing, its own do.
            if not any(self._add_columns(master, solved, weight) for weight in (1.0 - SMOOTHING, 1.0)):
                return solved
        return None

    def _add_columns(self, master: RestrictedMaster, solved: MasterSolution, weight: float) -> bool:
        """Ask for the cheapest starts on the way to the master's prices; return whether any was new to it."""
        prices = self.best.prices.interpolate(solved.prices, weight)
        bound_wh, found = self._pricing.evaluate(prices)
        if bound_wh < self.best.bound_wh:
            self.best = Bound(bound_wh, prices)
        return sum(master.add(column) for column in master.improving(found, solved)) > 0
