"""An algorithm and its settings, from what was given on the command line."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import typer

from agents.errors import SettingsError
from agents.scheduling.settings import ALGORITHMS, ALGORITHMS_WITH, AlgorithmSettings
from scenarios.scenario import Scenario
from tui.cli.options import given

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


def refuse_foreign_settings(ctx: typer.Context, *algorithms: str) -> None:
    """Refuse settings on the command line that belong to none of the algorithms that run.

    Those of the environment are for whatever runs there, and are left alone.

    Raises:
        SettingsError: there are some; names all of them, and the algorithms that they belong to.
    """
    foreign = [
        f"--{setting.replace('_', '-')} belongs to {_listed(owners)}, and {' and '.join(algorithms)} "
        f"{'has' if len(algorithms) == 1 else 'have'} no such setting"
        for setting, owners in ALGORITHMS_WITH.items()
        if given(ctx, setting) and not set(owners) & set(algorithms)
    ]
    if foreign:
        raise SettingsError(tuple(foreign))


def _listed(names: tuple[str, ...]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
