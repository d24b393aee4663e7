"""The bound for shared supply: dual prices of the panels' minutes.

Let a Wh of production in minute t have the price p(t), 0 to 1. Any plan delivers in a minute at most p(t) times the
production plus 1 - p(t) times what its jobs can take, each of them at most its draw and at most the production. So for
any prices, the sum over minutes of p(t) * production(t), plus for each job the most that any start makes of the sum of
(1 - p(t)) * min(draw(t), production(t)), is an upper bound (Lagrangian relaxation). A single evaluation proves it. A
subgradient method looks for the prices that make it lowest.

No job takes more than the production of a minute. Whole jobs imply this, but the fractions of jobs that a linear
relaxation combines do not, so stating it lowers the bound on neighbourhoods where single loads exceed the production.

For the search for prices, the candidate starts of plans suffice. The proven bound covers every second: within a piece
of a window in which the draw of each minute is linear in the start (`scenarios.optimum.starts`), the sum is
concave in the start, and lies below its tangents at both ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from agents import FloatArray
from scenarios.optimum.shared_instance import SharedInstance, SharedTask, windows_of
from scenarios.optimum.starts import PieceFamily, StartGrid

STEPS = 4_000
"""Steps of the subgradient method at most."""
PATIENCE = 20
"""Steps without a lower bound after which steps become shorter, from the best prices on."""
SHORTER = 0.8
SHORTEST = 1e-4
"""If steps are shorter than this share of Polyak's, the method has converged."""
KEPT_ENTRIES = 16_000_000
"""Most energies (start and minute) that are kept between steps, 128 MB; those of further jobs are recomputed."""


@dataclass(frozen=True)
class PricedGrid:
    """A grid of starts, for pricing."""

    grid: StartGrid
    taken_wh: FloatArray | None
    """What each start can take at most, Wh, shape (starts, bins of the draw); None: to be computed when needed."""

    @classmethod
    def of(cls, grid: StartGrid, production_wh: FloatArray, *, keep: bool) -> PricedGrid:
        """Prepare the starts of `grid` for pricing with `production_wh`, Wh, shape (bins,); `keep`: cache energies."""
        return cls(grid, _taken_wh(grid, production_wh) if keep else None)

    def best(self, worth: FloatArray, production_wh: FloatArray) -> tuple[float, int]:
        """Return the most that any start makes, and the start's index.

        Args:
            worth: Worth of a Wh delivered in each bin, shape (bins,).
            production_wh: Production in each bin, Wh, shape (bins,).
        """
        grid = self.grid
        taken_wh = _taken_wh(grid, production_wh) if self.taken_wh is None else self.taken_wh
        made = np.einsum("ij,ij->i", windows_of(worth, grid.first_bin, grid.count, len(grid.draw_wh)), taken_wh)
        index = int(made.argmax())
        return float(made[index]), index


class SharedBound:
    """The bound as a function of the prices."""

    def __init__(self, instance: SharedInstance) -> None:
        """Prepare the pricing of all starts.

        Args:
            instance: The optimisation problem.
        """
        self._instance = instance
        self._production_wh = instance.production_wh
        self._grids: list[list[PricedGrid]] = []
        kept = 0
        for task in instance.tasks:
            entries = sum(grid.count * len(grid.draw_wh) for grid in task.start_grids)
            keep = kept + entries <= KEPT_ENTRIES
            kept += entries if keep else 0
            self._grids.append([PricedGrid.of(grid, self._production_wh, keep=keep) for grid in task.start_grids])

    def at_candidates(self, price: FloatArray) -> tuple[float, FloatArray]:
        """Return the bound for the candidate starts, Wh, and its subgradient.

        Args:
            price: Price of a Wh of sun in each bin, 0 to 1, shape (bins,).

        Returns:
            The bound, and production less what the jobs take at their best starts, Wh, shape (bins,).
        """
        worth = 1.0 - price
        bound_wh = float(price @ self._production_wh)
        left_wh = self._production_wh.copy()
        for grids in self._grids:
            (made, index), grid = max(
                ((priced.best(worth, self._production_wh), priced.grid) for priced in grids),
                key=lambda found: found[0][0],
            )
            bound_wh += made
            bins = slice(grid.first_bin + index, grid.first_bin + index + len(grid.draw_wh))
            left_wh[bins] -= np.minimum(grid.draw_wh, self._production_wh[bins])
        return bound_wh, left_wh

    def everywhere(self, price: FloatArray) -> float:
        """Return the bound for every second of the windows, Wh.

        Args:
            price: Price of a Wh of sun in each bin, 0 to 1, shape (bins,).
        """
        worth = 1.0 - price
        made = sum(self._most_made(task, worth) for task in self._instance.tasks)
        return float(price @ self._production_wh) + made

    def _most_made(self, task: SharedTask, worth: FloatArray) -> float:
        return max(_most_in(family, worth, self._production_wh) for family in task.piece_families)


def lower_prices(
    bound: SharedBound, price: FloatArray, known_wh: float, steps: int, stop: Callable[[float], bool]
) -> FloatArray:
    """Return the prices of the lowest bound that a subgradient method finds (Polyak's steps towards a known plan).

    Args:
        bound: The bound.
        price: Prices to begin with, 0 to 1, shape (bins,).
        known_wh: Delivered energy of the best known plan, Wh; no bound is lower.
        steps: Steps at most.
        stop: Called after each step with the lowest bound for the candidate starts, Wh; True ends the search.
    """
    best, best_wh = price, np.inf
    length, without = 1.0, 0
    for _ in range(steps):
        bound_wh, left_wh = bound.at_candidates(price)
        if bound_wh < best_wh - 1e-3:
            best, best_wh, without = price, bound_wh, 0
        else:
            without += 1
        square = float(left_wh @ left_wh)
        if without > PATIENCE:
            length, without, price = length * SHORTER, 0, best
        elif square > 0.0:
            price = np.clip(price - length * max(bound_wh - known_wh, 1.0) / square * left_wh, 0.0, 1.0)
        if square == 0.0 or length < SHORTEST or stop(best_wh):
            break
    return best


def _taken_wh(grid: StartGrid, production_wh: FloatArray) -> FloatArray:
    return np.minimum(windows_of(production_wh, grid.first_bin, grid.count, len(grid.draw_wh)), grid.draw_wh)


def _most_in(family: PieceFamily, worth: FloatArray, production_wh: FloatArray) -> float:
    """Return an upper bound on what any second of a family of pieces makes."""
    width = len(family.left_wh)
    sun_wh = windows_of(production_wh, family.first_bin, family.count, width)
    value = windows_of(worth, family.first_bin, family.count, width)
    rise_wh = family.right_wh - family.left_wh
    left = np.einsum("ij,ij->i", value, np.minimum(sun_wh, family.left_wh))
    right = np.einsum("ij,ij->i", value, np.minimum(sun_wh, family.right_wh))
    # Slopes over the whole piece, of the tangents at its first and at its last second.
    at_left = np.einsum("ij,ij->i", value, np.where(family.left_wh < sun_wh, rise_wh, 0.0))
    at_right = np.einsum("ij,ij->i", value, np.where(family.right_wh < sun_wh, rise_wh, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = (right - at_right - left) / (at_left - at_right)
    inside = (at_left > 0.0) & (at_right < 0.0) & np.isfinite(crossing)
    most = np.where(inside, left + at_left * np.clip(crossing, 0.0, 1.0), np.maximum(left, right))
    return float(most.max())
