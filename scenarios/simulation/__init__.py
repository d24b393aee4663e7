"""Runs a scenario, in one process or as a deployment's, once or many times, and records it."""

from scenarios.simulation.agents import Cast, homes_of
from scenarios.simulation.brokers import OpenBroker
from scenarios.simulation.invariants import ledger_problems
from scenarios.simulation.plan import Plan, from_equal_scores
from scenarios.simulation.recorded_run import Order, RunRecord, record_run
from scenarios.simulation.run import RunOutcome, run_hosts, run_scenario
from scenarios.simulation.scores import ScoresFile, ScoresFileError, ScoresWriteError, run_key
from scenarios.simulation.settings import CLOCK_JOURNAL, RunSettings, described
from scenarios.simulation.simulation import Simulation, open_simulation

__all__ = [
    "CLOCK_JOURNAL",
    "Cast",
    "OpenBroker",
    "Order",
    "Plan",
    "RunOutcome",
    "RunRecord",
    "RunSettings",
    "ScoresFile",
    "ScoresFileError",
    "ScoresWriteError",
    "Simulation",
    "described",
    "from_equal_scores",
    "homes_of",
    "ledger_problems",
    "open_simulation",
    "record_run",
    "run_hosts",
    "run_key",
    "run_scenario",
]
