"""Command-line options to settings: algorithm, strategy, supply, negotiation.

Imported inside the commands, because its imports would slow down `--help`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import typer

from agents import AGENTS, SCHEDULERS, Promise, SettingsError, is_installed, load_plugin, make_consumer, plugin_name
from agents.ranking import ABOUT_RANKING, RANKINGS, NegotiationSettings, ranking_for
from agents.scheduling import ALGORITHMS, ALGORITHMS_WITH, AlgorithmSettings, algorithm_name, scheduler_for
from agents.sharing import SupplySettings
from broker import PluginError
from scenarios import Scenario, keys_without_effect, without_effect
from tui.cli.options import AlgorithmOptions, NegotiationOptions, SupplyOptions, chosen_options, given
from tui.safe_output import plugins_on_stderr


def algorithm_settings(name: str | None, options: AlgorithmOptions) -> AlgorithmSettings:
    """Return the settings of an algorithm.

    Args:
        name: Algorithm's name, case-insensitive; None: the default algorithm.
        options: Its settings.

    Raises:
        SettingsError: Values are invalid; the message lists all of them.
    """
    values = chosen_options(options)
    if name is not None:
        values["name"] = algorithm_name(name) or name
    return AlgorithmSettings(**values)


def algorithm_names(text: str | None) -> tuple[str | None, ...]:
    """Parse one or several algorithm names, separated by commas; a single None is the scenario's algorithm.

    Raises:
        SettingsError: A name is missing, or given twice.
    """
    if text is None:
        return (None,)
    names = tuple(algorithm_name(name.strip()) or name.strip() for name in text.split(","))
    if len(names) > 1:
        twice = sorted({name for name in names if names.count(name) > 1 and name})
        problems = [f"algorithm {name!r} is given twice" for name in twice]
        if "" in names:
            problems.append(f"{text!r}: a name is missing before or after a comma")
        if problems:
            raise SettingsError(tuple(problems))
    return names


def scenario_algorithms(
    scenario: Scenario, names: Sequence[str | None], options: AlgorithmOptions
) -> tuple[AlgorithmSettings, ...]:
    """Return the settings of each algorithm; of several, each takes those that apply to it.

    Args:
        scenario: Names the algorithm where `names` holds None.
        names: Algorithms, case-insensitive; None: the scenario's.
        options: Settings of all of them.

    Raises:
        SettingsError: See `scenario_algorithm`.
    """
    if len(names) == 1:
        return (scenario_algorithm(scenario, names[0], options),)
    foreign = {name: [setting for setting, owners in ALGORITHMS_WITH.items() if name not in owners] for name in names}
    return tuple(scenario_algorithm(scenario, name, replace(options, **dict.fromkeys(foreign[name]))) for name in names)


def scenario_algorithm(scenario: Scenario, name: str | None, options: AlgorithmOptions) -> AlgorithmSettings:
    """Return the settings of an algorithm; without a name, of the scenario's.

    Args:
        scenario: Names the algorithm if `name` is None.
        name: Algorithm's name, case-insensitive; None: the scenario's.
        options: Its settings.

    Raises:
        SettingsError: See `algorithm_settings`; or the algorithm's plug-in cannot be loaded.
    """
    chosen = algorithm_settings(name, options)
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


def supply_settings(scenario: Scenario, options: SupplyOptions) -> SupplySettings:
    """Return how jobs are supplied: as the scenario says, unless an option says otherwise.

    Raises:
        SettingsError: Values are invalid; the message lists all of them.
    """
    names: Any = None if options.prefer is None else tuple(name.strip() for name in options.prefer.split(","))
    return scenario.supplied(options.supply, names, options.forecast)


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
    options = [f"--{name.replace('_', '-')}" for name in keys_without_effect(supply) if given(ctx, name)]
    return (without_effect(options, supply),) if options else ()


def _listed(names: tuple[str, ...]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def with_promise(scenario: Scenario, promise: Promise | None) -> Scenario:
    """Return the scenario with the chosen promise; None: its own."""
    return scenario if promise is None else replace(scenario, promise=promise)


def negotiation_settings(options: NegotiationOptions) -> NegotiationSettings:
    """Return how jobs find a supplier.

    Raises:
        SettingsError: Values are invalid, or the ranking's plug-in cannot be loaded.
    """
    chosen = NegotiationSettings(**chosen_options(options))
    if chosen.ranking not in ABOUT_RANKING:
        with plugins_on_stderr():
            ranking_for(chosen.ranking)  # before the run, to see that its plug-in can be loaded
    return chosen
