"""Runs a scenario as separate processes: the clock, one household each, a Compose file."""

from scenarios.deployment.clock import run_clock
from scenarios.deployment.compose import ComposePlan, compose_text, place_of
from scenarios.deployment.household import UnknownHouseError, load_part, run_households
from scenarios.deployment.record import open_record
from scenarios.deployment.settings import DeploymentSettings

__all__ = [
    "ComposePlan",
    "DeploymentSettings",
    "UnknownHouseError",
    "compose_text",
    "load_part",
    "open_record",
    "place_of",
    "run_clock",
    "run_households",
]
