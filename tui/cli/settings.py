"""Command-line options to settings: algorithm, supply, negotiation, deployment.

Imported inside the commands, because its imports would slow down `--help`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import typer

from agents import AGENTS, SCHEDULERS, Promise, SettingsError, is_installed, load_plugin, make_consumer, plugin_name
from agents.ranking import ABOUT_RANKING, RANKINGS, NegotiationSettings, ranking_for
from agents.scheduling import ALGORITHMS, ALGORITHMS_WITH, AlgorithmSettings, known_algorithms, scheduler_for
from agents.sharing import ForecastUse, SupplyRule, SupplySettings
from broker import PluginError
from broker.clock import CatchUp, OnLoss, Pace
from broker.protocol import Timeouts
from scenarios import Scenario, without_effect
from scenarios.simulation import RunSettings
from tui.cli.options import given
from tui.safe_output import plugins_on_stderr

_NEGOTIATION = ("negotiation", "ask_at_once", "ranking")
_BY_FOLDED_NAME = {name.casefold(): name for name in known_algorithms()}


def algorithm_settings(
    name: str | None,
    penalty: float | None = None,
    step_size: float | None = None,
    tolerance: float | None = None,
    node_limit: int | None = None,
) -> AlgorithmSettings:
    """Return the algorithm's settings; None keeps a default, and names are case-insensitive.

    Args:
        name: Algorithm's name; None: the default algorithm.
        penalty: Penalty per Wh of demand above the forecast; None: the default.
        step_size: Step of the numerical gradient, s; None: the default.
        tolerance: Convergence tolerance of the local search; None: the default.
        node_limit: Search-tree nodes per decision of `exact`; None: the default.

    Raises:
        SettingsError: Values are invalid; the message lists all of them.
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
    """Parse one or several algorithm names, separated by commas; a single None is the scenario's algorithm.

    Raises:
        SettingsError: A name is missing, or given twice.
    """
    if text is None:
        return (None,)
    names = tuple(_BY_FOLDED_NAME.get(name.strip().casefold(), name.strip()) for name in text.split(","))
    if len(names) > 1:
        twice = sorted({name for name in names if names.count(name) > 1 and name})
        problems = [f"algorithm {name!r} is given twice" for name in twice]
        if "" in names:
            problems.append(f"{text!r}: a name is missing before or after a comma")
        if problems:
            raise SettingsError(tuple(problems))
    return names


def scenario_algorithms(
    scenario: Scenario, names: Sequence[str | None], settings: Mapping[str, float | None]
) -> tuple[AlgorithmSettings, ...]:
    """Return the settings of each algorithm, which takes those that apply to it.

    Args:
        scenario: Names the algorithm where `names` holds None.
        names: Algorithms, case-insensitive; None: the scenario's.
        settings: Values by name of the setting, as for `algorithm_settings`.

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
    """Return the algorithm's settings; without a name, of the scenario's algorithm.

    Args:
        scenario: Names the algorithm if `name` is None.
        name: Algorithm's name, case-insensitive; None: the scenario's.
        penalty: Penalty per Wh of demand above the forecast; None: the default.
        step_size: Step of the numerical gradient, s; None: the default.
        tolerance: Convergence tolerance of the local search; None: the default.
        node_limit: Search-tree nodes per decision of `exact`; None: the default.

    Raises:
        SettingsError: See `algorithm_settings`; or the algorithm's plug-in cannot be loaded.
    """
    chosen = algorithm_settings(name, penalty, step_size, tolerance, node_limit)
    if name is None:
        chosen = replace(chosen, name=scenario.algorithm)
    for algorithm in (chosen, *scenario.switched_algorithms):
        if algorithm.name not in ALGORITHMS:
            with plugins_on_stderr():
                scheduler_for(algorithm)  # before the run, to see that its plug-in can be loaded
    return chosen


def plugins_without_effect(algorithms: Iterable[AlgorithmSettings], ranking: str) -> list[str]:
    """Return notes on plug-ins that are not used although their names are chosen: built-in ones have them."""
    chosen = [(SCHEDULERS, "algorithm", one.name) for one in algorithms if one.name in ALGORITHMS]
    if ranking in ABOUT_RANKING:
        chosen.append((RANKINGS, "ranking", ranking))
    return [
        f"{plugin_name(group, name)} is not used: a built-in {kind} has this name"
        for group, kind, name in chosen
        if is_installed(group, name)
    ]


def with_strategy(scenario: Scenario, strategy: str | None) -> Scenario:
    """Return a scenario whose consumers are made by a plug-in, which makes one to see that it can.

    Args:
        scenario: The scenario.
        strategy: Name of the plug-in; None: the scenario's.

    Raises:
        SettingsError: There is no such plug-in, it cannot be loaded, or it makes no consumer.
    """
    chosen = scenario if strategy is None else replace(scenario, strategy=strategy)
    with plugins_on_stderr():
        _try_strategies(chosen)
    return chosen


def _try_strategies(scenario: Scenario) -> None:
    """Make a consumer with each strategy of a scenario; see `with_strategy` for the errors."""
    for name in scenario.strategies:
        loaded = load_plugin(AGENTS, name)
        devices = (device for house in scenario.houses for device in house.devices if device.type != "producer")
        # As in the run: a plug-in may read the jobs of its device.
        for agent in (device.agent for device in islice(devices, 1)):
            jobs = [job for job in scenario.jobs if job.agent == agent]
            try:
                make_consumer(loaded, agent, jobs, patient=True, is_there=True)
            except PluginError as error:
                raise SettingsError((str(error),)) from error


def supply_settings(
    scenario: Scenario, supply: SupplyRule | None, prefer: str | None, forecast: ForecastUse | None
) -> SupplySettings:
    """Return how jobs are supplied; None keeps what the scenario says.

    Args:
        scenario: The scenario to run.
        supply: `whole` or `shared`.
        prefer: Preferences, separated by commas.
        forecast: `issued` or `corrected`.

    Raises:
        SettingsError: Values are invalid; the message lists all of them.
    """
    names: Any = None if prefer is None else tuple(name.strip() for name in prefer.split(","))
    return scenario.supplied(supply, names, forecast)


def refuse_foreign_settings(ctx: typer.Context, *algorithms: str) -> None:
    """Reject settings on the command line that apply to none of the algorithms.

    Settings from the environment are not checked: they are meant for all runs.

    Raises:
        SettingsError: There are some; lists them with the algorithms that they apply to.
    """
    foreign = [
        f"--{setting.replace('_', '-')} belongs to {_listed(owners)}, and {' and '.join(algorithms)} "
        f"{'has' if len(algorithms) == 1 else 'have'} no such setting"
        for setting, owners in ALGORITHMS_WITH.items()
        if given(ctx, setting) and not set(owners) & set(algorithms)
    ]
    if foreign:
        raise SettingsError(tuple(foreign))


def options_without_effect(ctx: typer.Context, supply: SupplySettings) -> tuple[str, ...]:
    """Return a note if options on the command line decide nothing under the rule by which jobs are supplied."""
    considered = ("algorithm", *ALGORITHMS_WITH, *_NEGOTIATION) if supply.is_shared else ("prefer", "forecast")
    options = [f"--{name.replace('_', '-')}" for name in considered if given(ctx, name)]
    return (without_effect(options, supply),) if options else ()


def _listed(names: tuple[str, ...]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def with_promise(scenario: Scenario, promise: Promise | None) -> Scenario:
    """Return the scenario with the chosen promise; None: its own."""
    return scenario if promise is None else replace(scenario, promise=promise)


def negotiation_settings(negotiation: str | None, ask_at_once: int | None, ranking: str | None) -> NegotiationSettings:
    """Return how jobs find a supplier; None takes the default.

    Args:
        negotiation: The producers that jobs ask.
        ask_at_once: How many at the same time.
        ranking: In which order.

    Raises:
        SettingsError: Values are invalid, or the ranking's plug-in cannot be loaded.
    """
    wanted = {"negotiation": negotiation, "ask_at_once": ask_at_once, "ranking": ranking}
    chosen = NegotiationSettings(**{key: value for key, value in wanted.items() if value is not None})  # type: ignore[arg-type]  # as above
    if chosen.ranking not in ABOUT_RANKING:
        with plugins_on_stderr():
            ranking_for(chosen.ranking)  # before the run, to see that its plug-in can be loaded
    return chosen


def deployment_settings(
    scenario: Scenario,
    run: str | None,
    seed: int | None,
    algorithm: AlgorithmSettings,
    supply: SupplySettings,
    *,
    negotiating: NegotiationSettings,
    impatient: bool,
    limit_wall_s: float,
    journal: Path,
    days: int | None = None,
    pace: Pace | None = None,
    catch_up: CatchUp | None = None,
    on_loss: OnLoss = "wait",
) -> RunSettings:
    """Return the settings of a deployed run; None takes the scenario's value.

    Args:
        scenario: The scenario to run.
        run: Run id; None: the scenario's name.
        seed: Seed; None: the scenario's.
        algorithm: Scheduling algorithm of the producers.
        supply: How jobs are supplied.
        negotiating: How jobs find a supplier.
        impatient: Whether a job that no producer can serve takes grid power at once.
        limit_wall_s: Seconds without contact before the run fails.
        journal: Folder of the journals.
        days: Days to run; None: as in the scenario.
        pace: Speed of virtual time; clock only.
        catch_up: How to make up for time in which a participant was away; clock only.
        on_loss: What to do when a household is lost; clock only.
    """
    return RunSettings(
        run_id=scenario.name if run is None else run,
        seed=scenario.seed if seed is None else seed,
        algorithm=algorithm,
        supply=supply,
        patient=not impatient,
        negotiating=negotiating,
        patience=Timeouts(limit_wall_s=limit_wall_s),
        journals=journal,
        days=days,
        pace=pace or Pace(),
        catch_up=catch_up or CatchUp(),
        on_loss=on_loss,
    )
