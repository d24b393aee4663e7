"""Scenarios and their results: files, runs, results and metrics."""

from scenarios.appliances import APPLIANCES, Appliance
from scenarios.device_notes import overlap_notes
from scenarios.errors import Problem, ScenarioError, ScenarioWriteError
from scenarios.scenario import ProducerSeries, Scenario, Zone, planned_end_s

__all__ = [
    "APPLIANCES",
    "Appliance",
    "Problem",
    "ProducerSeries",
    "Scenario",
    "ScenarioError",
    "ScenarioWriteError",
    "Zone",
    "overlap_notes",
    "planned_end_s",
]
