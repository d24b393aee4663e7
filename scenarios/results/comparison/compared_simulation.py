"""One simulation as it is compared: what is read of its results file, and its figures by seed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from agents.ranking import NegotiationSettings
from agents.scheduling import AlgorithmSettings
from scenarios.metrics import FIGURES, Figure, SampleStatistics, statistics_by_figure
from scenarios.results.connection import ResultsError
from scenarios.results.reader import ResultsReader
from scenarios.results.rows import RunInfo, SimulationInfo
from scenarios.scenario import SCENARIO

OF_BEST = "share_of_best"
OF_SHARED_BEST = "share_of_shared_best"
_OPTIMUM: Final = "optimum"
_SHARED_OPTIMUM: Final = "shared_optimum"
COMPARED_FIGURES: tuple[Figure, ...] = (
    *FIGURES,
    Figure(
        OF_BEST,
        "Share of the best plan",
        "share",
        "Delivered energy divided by that of the best plan known (--compare).",
    ),
    Figure(
        OF_SHARED_BEST,
        "Share of the shared optimum",
        "share",
        "Delivered energy divided by that of the best plan known with shared supply (--compare-supply shared).",
    ),
    Figure("negotiations", "Negotiations", "count", "How often a job asked for a supplier."),
    Figure("messages", "Messages", "count", "Messages sent between agents."),
)
"""Figures that simulations are compared by, in the order of the tables."""

_NOT_THE_NEIGHBOURHOOD = {"description", "seed", "algorithm", "promise", "forecast", "expectations", "faults"}


_CHOICES = ("supply", *(field.name for field in fields(NegotiationSettings)))
"""Settings that are compared on purpose: labels say them wherever they differ."""
_OTHERS = ("promise", "forecast", "prefer", "patient", "days")
"""Settings that labels say if those do not distinguish two simulations; warnings say them, too."""
_OF_ALGORITHMS = tuple(field.name for field in fields(AlgorithmSettings) if field.name != "name")
"""Settings of the algorithm, of which labels say the same."""
OF_SHARED_SUPPLY = frozenset({"forecast", "prefer"})
"""Settings that decide nothing with whole jobs."""
_UNSAID = {"supply": "whole", "promise": "early", **asdict(NegotiationSettings()), **asdict(AlgorithmSettings())}
"""What settings are if a results file does not say them."""


@dataclass(frozen=True, slots=True)
class ComparedSimulation:
    """One of the compared simulations."""

    path: Path
    """Its results file."""
    info: SimulationInfo
    label: str
    """Unique label: the algorithm, and what distinguishes it from another simulation of the same algorithm."""
    by_seed: Mapping[int, Mapping[str, float | None]]
    """Figures of each completed run, by seed."""
    figures: Mapping[str, SampleStatistics]
    """Statistics over these runs."""
    excluded: tuple[tuple[int, str], ...]
    """Seed and state of each run that started but did not complete."""
    short_label: str = ""
    """Only what distinguishes it from the others, for places with little room; empty: `label`."""

    @property
    def not_begun(self) -> int:
        """Number of planned runs that never started."""
        return len(self.info.seeds) - len(self.by_seed) - len(self.excluded)

    @property
    def is_alike(self) -> bool:
        """Whether several seeds gave the same figures, so that intervals over them have zero width."""
        return len(self.by_seed) > 1 and all(not of.standard_deviation for of in self.figures.values())


@dataclass(frozen=True)
class ReadSimulation:
    """What a results file says of a simulation."""

    path: Path
    info: SimulationInfo
    runs: tuple[RunInfo, ...]
    figures: dict[int, dict[str, float | None]]
    digest: str
    """Hash of the scenario, without anything in which runs may differ."""

    @cached_property
    def neighbourhood(self) -> str:
        """That scenario as JSON, which takes long for a large one."""
        with ResultsReader(self.path) as results:
            content = json.loads(SCENARIO.dump_json(results.scenario, exclude=_NOT_THE_NEIGHBOURHOOD))
        return json.dumps(content, sort_keys=True)

    def is_same_scenario(self, other: ReadSimulation) -> bool:
        """Return whether both simulated the same neighbourhood; files of other versions may describe it otherwise."""
        if self.digest == other.digest or self.info.scenario != other.info.scenario:
            return self.digest == other.digest
        return self.neighbourhood == other.neighbourhood


def read_simulation(path: Path, interval_s: int) -> ReadSimulation:
    """Read a simulation and the figures of its completed runs.

    Args:
        path: Its results file.
        interval_s: Interval over which powers are averaged, seconds, whole minutes.

    Raises:
        ResultsError: The file cannot be read, or none of its runs completed.
        IntervalError: The interval is not a positive number of whole minutes.
    """
    with ResultsReader(path) as results:
        runs = results.runs()
        done = [run for run in runs if run.state == "done"]
        if not done:
            what = f"has no finished run ({', '.join(run.state for run in runs)})" if runs else "has no run yet"
            raise ResultsError(f"{path}: {what}, so there is nothing to compare")
        figures = {run.seed: _figures(results, run, interval_s) for run in done}
        return ReadSimulation(path, results.info, runs, figures, results.scenario_digest(_NOT_THE_NEIGHBOURHOOD))


def _figures(results: ResultsReader, run: RunInfo, interval_s: int) -> dict[str, float | None]:
    known = {
        **results.kpis(run.run, interval_s).as_dict(),
        OF_BEST: run.share_of(_OPTIMUM),
        OF_SHARED_BEST: run.share_of(_SHARED_OPTIMUM),
        "negotiations": run.negotiations,
        "messages": run.messages,
    }
    return {figure.name: known.get(figure.name) for figure in COMPARED_FIGURES}


def with_common_optima(read: Sequence[ReadSimulation]) -> list[ReadSimulation]:
    """Return simulations with shares of the best plan that any of them knows for the same jobs and production.

    Each simulation has sought the optimum by itself, and a search that ran out of time found only a part of it: shares
    of different plans cannot be compared.
    """
    for name, figure in ((_OPTIMUM, OF_BEST), (_SHARED_OPTIMUM, OF_SHARED_BEST)):
        sought = [
            {run.seed: of for run in one.runs if run.seed in one.figures and (of := _identified(run, name))}
            for one in read
        ]
        best_wh: dict[str, float] = {}
        for optima in sought:
            for inputs, known_wh in optima.values():
                best_wh[inputs] = max(known_wh, best_wh.get(inputs, 0.0))
        read = [
            replace(one, figures=one.figures | _shares_of(one, optima, best_wh, figure))
            for one, optima in zip(read, sought, strict=True)
        ]
    return list(read)


def _identified(run: RunInfo, name: str) -> tuple[str, float] | None:
    """Return the hash of an optimum's inputs and its best plan, Wh; files of older versions have no hash."""
    optimum = run.comparison.get(name)
    if not isinstance(optimum, dict) or "inputs_sha256" not in optimum:
        return None
    return optimum["inputs_sha256"], optimum["best_wh"]


def _shares_of(
    one: ReadSimulation, optima: Mapping[int, tuple[str, float]], best_wh: Mapping[str, float], figure: str
) -> dict[int, dict[str, float | None]]:
    """Return the figures, by seed, of the runs for which another simulation knows a better plan."""
    shares = {}
    for seed, (inputs, known_wh) in optima.items():
        delivered_wh = one.figures[seed]["delivered_wh"]
        if best_wh[inputs] > known_wh and delivered_wh is not None:
            shares[seed] = one.figures[seed] | {figure: delivered_wh / best_wh[inputs]}
    return shares


def compared(read: ReadSimulation, label: str, short_label: str) -> ComparedSimulation:
    """Return a simulation with the statistics of its figures, under a label."""
    excluded = tuple((run.seed, run.state) for run in read.runs if run.state != "done")
    statistics = statistics_by_figure(list(read.figures.values()))
    return ComparedSimulation(read.path, read.info, label, read.figures, statistics, excluded, short_label)


def value_of(info: SimulationInfo, setting: str) -> object:
    """Return a setting of a simulation, also if its results file does not say it; None: as the scenario says."""
    value = info.settings.get(setting, _UNSAID.get(setting))
    if setting == "forecast" and value is None and info.supply == "shared":
        return "issued"  # as it was before forecasts could be corrected, when results did not say so
    return value


def value_text(value: object) -> str:
    """Return the value of a setting in words."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " before ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return "as the scenario says" if value is None else str(value)


def labels_of(read: Sequence[ReadSimulation]) -> list[tuple[str, str]]:
    """Return the label and the short label of each simulation.

    Labels are the algorithms, and the settings that are compared on purpose. Where these are the same, they say the
    other settings, the scenario, the date or a number.
    """
    infos = [one.info for one in read]
    choices = _differing(infos, _CHOICES)
    settings = _differing(infos, (*_CHOICES, *_OTHERS, *_OF_ALGORITHMS))
    scenarios = [info.scenario for info in infos]
    both = [", ".join(filter(None, parts)) for parts in zip(scenarios, settings, strict=True)]
    minutes, seconds = ([info.created_utc[:end].replace("T", " ") for info in infos] for end in (16, 19))
    numbers = [str(n) for n in range(1, len(read) + 1)]
    algorithms = [info.algorithm for info in infos]
    for details in (choices, settings, scenarios, both, minutes, seconds, numbers):
        if len(set(zip(algorithms, details, strict=True))) == len(read):
            break
    is_one_algorithm = len(set(algorithms)) == 1
    return [
        (f"{algorithm} ({detail})", detail if is_one_algorithm else f"{algorithm}, {detail}")
        if detail
        else (algorithm, algorithm)
        for algorithm, detail in zip(algorithms, details, strict=True)
    ]


def _differing(infos: Sequence[SimulationInfo], settings: Sequence[str]) -> list[str]:
    """Return, for each simulation, those of some settings in which they differ; empty: in none."""
    found: list[list[str]] = [[] for _ in infos]
    for setting in settings:
        values = [value_text(value_of(info, setting)) for info in infos]
        decides = setting not in OF_SHARED_SUPPLY or all(info.supply == "shared" for info in infos)
        if decides and len(set(values)) > 1:
            for parts, value in zip(found, values, strict=True):
                parts.append(f"{setting.replace('_', ' ')} {value}")
    return [", ".join(parts) for parts in found]
