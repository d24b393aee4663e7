"""From options on the command line to settings: the algorithm, the access to a broker, a deployment.

Imported inside the commands: what it needs takes longer to import than `--help` may take.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer

from agents import SettingsError
from agents.scheduling import ALGORITHMS, ALGORITHMS_WITH, AlgorithmSettings
from broker.clock import OnLoss, Pace
from broker.protocol import Timeouts
from broker.transport import Access, AccessOptions, MqttBroker, access_to
from scenarios import Scenario
from scenarios.simulation import RunSettings
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


def algorithm_names(text: str | None) -> tuple[str | None, ...]:
    """Return the names of one or several algorithms, separated by commas; None alone stands for the scenario's.

    Raises:
        SettingsError: a name is missing, or is there twice.
    """
    if text is None:
        return (None,)
    names = tuple(_BY_FOLDED_NAME.get(name.strip().casefold(), name.strip()) for name in text.split(","))
    if len(names) > 1:
        twice = sorted({name for name in names if names.count(name) > 1 and name})
        problems = [f"algorithm {name!r} is there twice: name each once" for name in twice]
        if "" in names:
            problems.append(f"{text!r}: a name is missing before or after a comma")
        if problems:
            raise SettingsError(tuple(problems))
    return names


def scenario_algorithms(
    scenario: Scenario, names: Sequence[str | None], settings: Mapping[str, float | None]
) -> tuple[AlgorithmSettings, ...]:
    """Return the settings of each algorithm; of several, each takes the settings that belong to it.

    Raises:
        SettingsError: see `algorithm_settings`.
    """
    if len(names) == 1:
        return (scenario_algorithm(scenario, names[0], **settings),)  # type: ignore[arg-type]  # each has its type
    own = {name: {k: v for k, v in settings.items() if name in ALGORITHMS_WITH[k]} for name in names}
    return tuple(scenario_algorithm(scenario, name, **own[name]) for name in names)  # type: ignore[arg-type]  # as above


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


def chosen_access(broker: str | None, options: AccessOptions, *, on_command_line: bool) -> Access | None:
    """Return how to reach the broker that is wanted; None where the command is to start one of its own.

    Args:
        broker: A URL; None, `mosquitto` or `embedded` for one of our own.
        options: What else the command line says.
        on_command_line: Whether `broker` stands there, for all users of the machine to read.

    Raises:
        BrokerUrlError: see `broker.transport.endpoint.access_to`.
    """
    if broker in {None, "mosquitto", "embedded"}:
        if options.given:
            raise typer.BadParameter("goes with --broker URL only", param_hint=", ".join(options.given))
        return None
    access = access_to(broker, options, os.environ)
    if on_command_line and "@" in broker and access.url.password is not None and options.password_file is None:
        typer.echo(
            "ssmic: a password on the command line can be read by every user of this machine: "
            "better SSMIC_BROKER, or --user with --password-file",
            err=True,
        )
    return access


def deployment_settings(
    scenario: Scenario,
    run: str | None,
    seed: int | None,
    algorithm: AlgorithmSettings,
    *,
    impatient: bool,
    limit_wall_s: float,
    journal: Path,
    days: int | None = None,
    pace: Pace | None = None,
    on_loss: OnLoss = "wait",
) -> RunSettings:
    """Return how a deployed run goes; what is None is as the scenario says."""
    return RunSettings(
        run_id=scenario.name if run is None else run,
        seed=scenario.seed if seed is None else seed,
        algorithm=algorithm,
        patient=not impatient,
        patience=Timeouts(limit_wall_s=limit_wall_s),
        journals=journal,
        days=days,
        pace=pace or Pace(),
        on_loss=on_loss,
    )


def deployed_broker(
    broker: str,
    options: AccessOptions,
    *,
    lost_after_wall_s: float,
    on_command_line: bool,
) -> MqttBroker:
    """Return the broker that all processes of a run share.

    Raises:
        BrokerUrlError: see `broker.transport.endpoint.access_to`.
    """
    access = chosen_access(broker, options, on_command_line=on_command_line)
    if access is None:
        raise typer.BadParameter("expected the URL of a broker that all processes share", param_hint="--broker")
    return MqttBroker(access.url, tls=access.tls, lost_after_wall_s=lost_after_wall_s)
