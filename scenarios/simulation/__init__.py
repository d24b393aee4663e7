"""Simulations: one or more runs of the same scenario with different seeds, in one results file."""

from scenarios.scenario import planned_end_s
from scenarios.simulation.plan import BusKind, Plan, from_equal_scores
from scenarios.simulation.simulation import Simulation, open_simulation

__all__ = ["BusKind", "Plan", "Simulation", "from_equal_scores", "open_simulation", "planned_end_s"]
