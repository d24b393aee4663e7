"""The problems of a scenario's file, for tests of what its author is told."""

from __future__ import annotations

from pathlib import Path

from scenarios.errors import Problem, ScenarioError
from scenarios.load import load_scenario


def problems_of(source: str | Path) -> list[Problem]:
    """Return all problems of the scenario that `source` names; empty if there are none."""
    try:
        load_scenario(source)
    except ScenarioError as error:
        return list(error.problems)
    return []
