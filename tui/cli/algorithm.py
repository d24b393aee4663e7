"""An algorithm and its settings, from what was given on the command line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agents.scheduling.settings import ALGORITHMS, AlgorithmSettings
from scenarios.scenario import Scenario

_BY_FOLDED_NAME = {name.casefold(): name for name in ALGORITHMS}


def algorithm_settings(
    name: str | None,
    penalty: float | None = None,
    step_size: float | None = None,
    tolerance: float | None = None,
    node_limit: int | None = None,
) -> AlgorithmSettings:
    """Return the settings; what is None stays as it is by default, and names may be written in any case.

    Raises:
        SettingsError: something is not allowed; says all of it, and what is.
    """
    wanted: dict[str, Any] = {
        "name": None if name is None else _BY_FOLDED_NAME.get(name.casefold(), name),
        "penalty": penalty,
        "step_size": step_size,
        "tolerance": tolerance,
        "node_limit": node_limit,
    }
    return replace(AlgorithmSettings(), **{key: value for key, value in wanted.items() if value is not None})


def scenario_algorithm(
    scenario: Scenario,
    name: str | None,
    penalty: float | None = None,
    step_size: float | None = None,
    tolerance: float | None = None,
    node_limit: int | None = None,
) -> AlgorithmSettings:
    """Return the settings, of the scenario's algorithm where none is named.

    Raises:
        SettingsError: see `algorithm_settings`.
    """
    chosen = algorithm_settings(name, penalty, step_size, tolerance, node_limit)
    return chosen if name is not None else replace(chosen, name=scenario.algorithm)
