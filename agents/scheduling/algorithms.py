"""From an algorithm's settings to the scheduler that they describe."""

from __future__ import annotations

from agents.scheduling.basin_hopping import BasinHopping
from agents.scheduling.coin_flip import fifty_fifty
from agents.scheduling.insertion import place_by_insertion
from agents.scheduling.milp import Exact
from agents.scheduling.problem import Scheduler
from agents.scheduling.settings import AlgorithmSettings


def scheduler_for(settings: AlgorithmSettings) -> Scheduler:
    """Return the scheduler that the settings describe; SciPy is imported at its first decision, if it needs it."""
    match settings.name:
        case "fifty_fifty":
            return fifty_fifty
        case "exact":
            return Exact(settings.node_limit)
        case "L-BFGS-B" | "SLSQP" | "TNC":
            return BasinHopping(settings.name, settings.penalty, settings.step_size, settings.tolerance)
        case _:
            return place_by_insertion


def is_heavy(settings: AlgorithmSettings) -> bool:
    """Say whether a decision takes so long that it belongs in a thread."""
    return settings.name not in {"fifty_fifty", "insertion"}
