"""Selects the scheduler for an algorithm's settings."""

from __future__ import annotations

from agents.plugins import SCHEDULERS, load_plugin
from agents.scheduling.basin_hopping import BasinHopping
from agents.scheduling.coin_flip import CoinFlip
from agents.scheduling.insertion import Insertion
from agents.scheduling.milp import Exact
from agents.scheduling.problem import Scheduler
from agents.scheduling.push_out import LatePromises
from agents.scheduling.settings import ALGORITHMS, AlgorithmSettings


def scheduler_for(settings: AlgorithmSettings, *, pushes_out: bool = False) -> Scheduler:
    """Return the scheduler for an algorithm; those that need SciPy import it at their first decision.

    Args:
        settings: The algorithm and its settings.
        pushes_out: Whether tasks that have not started may be pushed out by others that use the production better.
    """
    base = _base(settings)
    return LatePromises(base) if pushes_out else base


def _base(settings: AlgorithmSettings) -> Scheduler:
    match settings.name:
        case "fifty_fifty":
            return CoinFlip()
        case "exact":
            return Exact(settings.node_limit)
        case "L-BFGS-B" | "SLSQP" | "TNC":
            return BasinHopping(settings.name, settings.penalty, settings.step_size, settings.tolerance)
        case name if name in ALGORITHMS:
            return Insertion()
        case name:
            made: Scheduler = load_plugin(SCHEDULERS, name)()
            return made
