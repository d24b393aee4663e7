"""Runs a scenario as separate processes: the clock's record, the part of one household, a Compose file."""

from scenarios.deployment.compose import ComposePlan, compose_text, place_of
from scenarios.deployment.household import UnknownHouseError, load_part
from scenarios.deployment.record import open_record

__all__ = [
    "ComposePlan",
    "UnknownHouseError",
    "compose_text",
    "load_part",
    "open_record",
    "place_of",
]
