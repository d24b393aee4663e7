"""Cuts from dual feasible functions: how many large loads fit into one minute.

A linear program may run half of a 2 kW load under 1 kW of production; the whole load does not fit. A *capacity cut* is
an inequality that every integral plan satisfies and such fractional mixtures violate. For one minute of one producer
it gives each load a coefficient, computed from the share of the producer's limit that the load takes, such that the
coefficients of any loads that fit together sum to at most 1. Functions with this property are dual feasible functions,
known from bounds on bin packing (Fekete and Schepers, "New classes of fast lower bounds for bin packing problems",
Mathematical Programming 91 (2001) 11). The simplest one forbids two loads of more than half of the limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents import FloatArray

EPSILON = 1e-7
"""Tolerance on a share: this close to a step, a function takes its lower value, so rounding cannot invalidate a cut."""


@dataclass(frozen=True, slots=True)
class DualFeasibleFunction:
    """A dual feasible function; exactly one of `steps` and `edge` is non-zero."""

    steps: int = 0
    """k of the staircase function u(k): shares just above 1/(k+1) count as much as those just below 2/(k+1). 0: not
    used."""
    edge: float = 0.0
    """Shares below it count 0 and those above its complement count 1. 0: not used."""

    def coefficients(self, share: FloatArray) -> FloatArray:
        """Return the coefficients of loads that take the given shares of a limit.

        Args:
            share: Shares of the limit, from 0 to 1, any shape.

        Returns:
            Coefficients from 0 to 1, of the same shape; those of loads that fit together sum to at most 1.
        """
        if self.steps:
            scaled = (self.steps + 1) * share
            below = np.floor(scaled)
            return np.where(scaled - below <= EPSILON, np.minimum(share, below / self.steps), below / self.steps)
        return np.where(share > 1.0 - self.edge + EPSILON, 1.0, np.where(share < self.edge + EPSILON, 0.0, share))


DUAL_FEASIBLE_FUNCTIONS = (
    *(DualFeasibleFunction(steps=k) for k in (1, 2, 3, 4, 5)),
    *(DualFeasibleFunction(edge=edge) for edge in (0.1, 0.2, 0.3, 0.4)),
)


@dataclass(frozen=True, slots=True)
class CapacityCut:
    """A cut on one minute of one class of producers."""

    class_: int
    """Index of the class of producers."""
    bin_: int
    """Index of the minute."""
    limit_wh: float
    """Energy that each producer of the class may be asked for in that minute, Wh."""
    function: DualFeasibleFunction
    """Returns the coefficient of a load from its share of the limit."""

    def coefficients(self, draw_wh: FloatArray) -> FloatArray:
        """Return the coefficients of loads in this cut.

        Args:
            draw_wh: Energy that each load draws in the cut's minute, Wh, any shape.
        """
        return self.function.coefficients(draw_wh / self.limit_wh)
