"""A scenario as JSON that loses no digit, and the short hash by which processes and files know what is run."""

from __future__ import annotations

import hashlib

from pydantic import TypeAdapter

from scenarios.scenario import Scenario

SCENARIO: TypeAdapter[Scenario] = TypeAdapter(Scenario)
"""Turns a scenario into JSON and back."""


def fingerprint(scenario: Scenario, *chosen: object) -> str:
    """Return a hash of a scenario and of what else was chosen, by its `repr`."""
    return hashlib.sha256(SCENARIO.dump_json(scenario) + b"\0" + repr(chosen).encode()).hexdigest()[:32]
