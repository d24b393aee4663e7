"""Runs a scenario in one process, once or many times, and records it."""

from scenarios.simulation.agents import Cast, homes_of
from scenarios.simulation.brokers import OpenBroker
from scenarios.simulation.invariants import ledger_problems
from scenarios.simulation.plan import Plan, from_equal_scores
from scenarios.simulation.recording import WireWatch
from scenarios.simulation.run import DAY_S, RunOutcome, outcome_of, promises_kept, telling_error, telling_how_it_ended
from scenarios.simulation.scores import ScoresFile, ScoresFileError, ScoresWriteError, run_key
from scenarios.simulation.simulation import Simulation, open_simulation

__all__ = [
    "DAY_S",
    "Cast",
    "OpenBroker",
    "Plan",
    "RunOutcome",
    "ScoresFile",
    "ScoresFileError",
    "ScoresWriteError",
    "Simulation",
    "WireWatch",
    "from_equal_scores",
    "homes_of",
    "ledger_problems",
    "open_simulation",
    "outcome_of",
    "promises_kept",
    "run_key",
    "telling_error",
    "telling_how_it_ended",
]
