"""How many large loads go into one minute: what the energy of fractions of starts hides.

Half of a 2 kW load draws 1 kW, so a linear program runs it under 1 kW of sun; whole, it does not fit. A *crowd* is an
inequality that all whole plans keep and mixtures of halves break: in one minute of one producer, each load counts by a
function of the share of the sun that it takes, for which any loads that fit together count 1 at most (a dual feasible
function, as bounds on bin packing use them: Fekete and Schepers, "New classes of fast lower bounds for bin packing
problems", 2001). The simplest: no two loads of more than half of the sun.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents import FloatArray

EPSILON = 1e-7
"""Of a share: so close to a step a function takes its lower side; then rounding cannot make an inequality false."""


@dataclass(frozen=True, slots=True)
class DualFeasibleFunction:
    """One function of the share."""

    steps: int = 0
    """k: shares count in k-ths, those just above 1/(k+1) as much as those just below 2/(k+1); 0: not this kind."""
    edge: float = 0.0
    """Shares below it count nothing, those above its complement all; 0: not this kind."""

    def coefficients(self, share: FloatArray) -> FloatArray:
        """Return what loads count that take these shares of the sun, from 0 to 1."""
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
class Cut:
    """One minute of one class of producers, and the function by which loads count in it."""

    class_: int
    bin_: int
    limit_wh: float
    """What each of the producers may be asked for in that minute."""
    function: DualFeasibleFunction

    def coefficients(self, draw_wh: FloatArray) -> FloatArray:
        """Return what loads count that draw so much in that minute."""
        return self.function.coefficients(draw_wh / self.limit_wh)
