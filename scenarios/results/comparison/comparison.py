"""Compares simulations: means with 95 % intervals over seeds, and paired differences on the same seeds.

Only completed runs count, as the figures of an interrupted run cover only part of its time. Differences are paired: two
simulations of one scenario with the same seed faced the same random events, so the differences of the pairs say more
than the difference of the means.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from scenarios.metrics import DEFAULT_INTERVAL_S, Figure, SampleStatistics, paired_differences, sample_statistics
from scenarios.results.comparison.compared_simulation import (
    COMPARED_FIGURES,
    OF_SHARED_SUPPLY,
    ComparedSimulation,
    ReadSimulation,
    compared,
    labels_of,
    read_simulation,
    value_of,
    value_text,
    with_common_optima,
)
from scenarios.results.connection import SameSimulationError

_SETTINGS = {
    "days": "days",
    "patient": "waiting for a better offer",
    "promise": "when promises are firm",
    "forecast": "how forecasts are used",
    "prefer": "what consumers prefer",
}
"""Settings other than the algorithm and its own that change what is simulated."""
_GROW_WITH_TIME = ("produced_wh", "base_load_wh")
"""Energies that depend on when a run ends, but on no contract."""
_NOISE_WH = 1e-3
_MOST_SEEDS = 5
"""How many seeds a warning names."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Paired differences between two simulations, run by run on the same seeds."""

    reference: int
    """Index of the simulation that is subtracted (the reference)."""
    other: int
    """Index of the simulation that the reference is subtracted from."""
    seeds: tuple[int, ...]
    """Seeds that both have completed."""
    figures: Mapping[str, SampleStatistics]
    """Statistics of the differences over these seeds, by figure."""


@dataclass(frozen=True, slots=True)
class SimulationComparison:
    """The comparison of several simulations."""

    simulations: tuple[ComparedSimulation, ...]
    """In the order of the files."""
    differences: tuple[Difference, ...]
    """Differences between each two simulations of the same scenario with common seeds."""
    warnings: tuple[str, ...]
    """Limitations of the comparison, one sentence each."""
    is_same_scenario: bool
    """Whether all simulations are of one scenario; others are not paired."""

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Figures that at least one of the simulations has."""
        return tuple(f for f in COMPARED_FIGURES if any(self.statistics_of(i, f.name).runs for i in self.indexes))

    @property
    def indexes(self) -> range:
        """By which the methods below name a simulation; 0 is the reference."""
        return range(len(self.simulations))

    def statistics_of(self, index: int, figure: str) -> SampleStatistics:
        """Return the statistics of a figure in one simulation."""
        return self.simulations[index].figures.get(figure, _NOTHING)

    def difference(self, reference: int, other: int) -> Difference | None:
        """Return the paired difference of two simulations, reference first; None if there is none."""
        return next((d for d in self.differences if (d.reference, d.other) == (reference, other)), None)


_NOTHING = sample_statistics(())


def compare_simulations(paths: Sequence[Path], interval_s: int = DEFAULT_INTERVAL_S) -> SimulationComparison:
    """Read simulations and compare them; every later one is compared with each earlier one.

    Args:
        paths: Their results files.
        interval_s: Interval over which powers are averaged, seconds, whole minutes.

    Raises:
        SameSimulationError: A simulation appears twice.
        ResultsError: A file cannot be read, or none of its runs completed.
        IntervalError: The interval is not a positive number of whole minutes.
    """
    _check_files_differ(paths)
    read = [read_simulation(path, interval_s) for path in paths]
    for one, other in combinations(read, 2):
        # The run id is not sufficient: a deployment may reuse one.
        is_copy = one.info.created_utc == other.info.created_utc
        if is_copy and {run.run_id for run in one.runs} & {run.run_id for run in other.runs}:
            raise SameSimulationError(f"{one.path} and {other.path} hold the same simulation: choose different ones")
    labelled = zip(with_common_optima(read), labels_of(read), strict=True)
    simulations = tuple(compared(one, *labels) for one, labels in labelled)
    by_seed = [one.by_seed for one in simulations]
    differences = tuple(
        difference_between(by_seed, reference, other)
        for reference, other in combinations(range(len(read)), 2)
        if read[reference].is_same_scenario(read[other]) and not by_seed[reference].keys().isdisjoint(by_seed[other])
    )
    return SimulationComparison(
        simulations,
        differences,
        tuple(_warnings(read, simulations, {(of.reference, of.other): of.seeds for of in differences})),
        all(one.is_same_scenario(read[0]) for one in read),
    )


def comparison_json(comparison: SimulationComparison) -> dict[str, Any]:
    """Return a comparison as a JSON object: energies in Wh, shares from 0 to 1."""
    simulations = comparison.simulations
    return {
        "simulations": [
            {
                "label": one.label,
                "file": str(one.path),
                "scenario": one.info.scenario,
                "algorithm": one.info.algorithm,
                "settings": one.info.settings,
                "created": one.info.created_utc,
                "planned_runs": len(one.info.seeds),
                "seeds": list(one.by_seed),
                "excluded": [{"seed": seed, "state": state} for seed, state in one.excluded],
                "statistics": {name: asdict(of) for name, of in one.figures.items()},
            }
            for one in simulations
        ],
        "differences": [
            {
                "reference": simulations[of.reference].label,
                "simulation": simulations[of.other].label,
                "seeds": list(of.seeds),
                "statistics": {name: asdict(one) for name, one in of.figures.items()},
            }
            for of in comparison.differences
        ],
        "figures": {figure.name: {"label": figure.label, "unit": figure.unit} for figure in comparison.figures},
        "warnings": list(comparison.warnings),
    }


def _check_files_differ(paths: Sequence[Path]) -> None:
    seen: set[str] = set()
    for path in paths:
        itself = os.path.realpath(path)  # unlike `resolve`, it does not fail for a loop of links
        if itself in seen:
            raise SameSimulationError(f"{path} is named twice: a simulation cannot be compared with itself")
        seen.add(itself)


def difference_between(
    points: Sequence[Mapping[int, Mapping[str, float | None]]], reference: int, other: int
) -> Difference:
    """Return the paired differences between two of several simulations, or points of a sweep.

    Args:
        points: By seed, the figures of the runs of each.
        reference: Index of the one that is subtracted.
        other: Index of the one that it is subtracted from.
    """
    one, more = points[reference], points[other]
    seeds = tuple(seed for seed in one if seed in more)
    names = [figure.name for figure in COMPARED_FIGURES]
    figures = {name: sample_statistics(paired_differences(one, more, name)) for name in names}
    return Difference(reference, other, seeds, figures)


# What limits a comparison.


def _warnings(
    read: Sequence[ReadSimulation],
    simulations: Sequence[ComparedSimulation],
    paired_seeds: Mapping[tuple[int, int], Sequence[int]],
) -> list[str]:
    """Return the limitations of a comparison, one sentence each.

    Args:
        read: The simulations, as their files describe them.
        simulations: The same ones, with labels and figures.
        paired_seeds: By the indexes of two simulations, the seeds that both have completed, if there are any.
    """
    return [
        *_scenario_warnings(read, simulations),
        *_settings_warnings(simulations),
        *(_excluded_warning(one) for one in simulations if one.excluded or one.not_begun > 0),
        *(
            f"{one.label}: all {len(one.by_seed)} seeds gave the same figures, so its intervals have zero width."
            for one in simulations
            if one.is_alike
        ),
        *_seed_warnings(read, simulations, paired_seeds),
        *_end_warnings(read, simulations, paired_seeds),
    ]


def _scenario_warnings(read: Sequence[ReadSimulation], simulations: Sequence[ComparedSimulation]) -> list[str]:
    names = list(dict.fromkeys(one.info.scenario for one in read))
    if len(names) > 1:
        why = "energies and counts depend on the scenario, and there are no paired differences between them"
        return [f"The scenarios differ ({', '.join(names)}): compare shares and ratios only, for {why}."]
    first = simulations[0].label
    others = zip(read[1:], simulations[1:], strict=True)
    changed = [(one, other.label) for one, other in others if not one.is_same_scenario(read[0])]
    return [
        f'In the lab, jobs were interrupted or panels limited, which changed "{names[0]}": {first} and {label} are not '
        "paired by seed."
        if "lab" in {**read[0].info.settings, **one.info.settings}
        else f'The scenario "{names[0]}" was changed between {first} and {label}: they are not paired by seed.'
        for one, label in changed
    ]


def _settings_warnings(simulations: Sequence[ComparedSimulation]) -> list[str]:
    found = []
    for setting, what in _SETTINGS.items():
        values = [value_of(one.info, setting) for one in simulations]
        if setting in OF_SHARED_SUPPLY and None in values:
            continue  # whole jobs have no preferences and correct no forecasts, and the supply is compared on purpose
        if any(value != values[0] for value in values):
            said = ", ".join(
                f"{one.label}: {value_text(value)}" for one, value in zip(simulations, values, strict=True)
            )
            found.append(f"The runs differ in {what} ({said}).")
    scores = [_start_scores(one) for one in simulations]
    shared = set.intersection(*(set(of) for of in scores)) if scores else set()
    if any(of[seed] != scores[0][seed] for of in scores for seed in shared):
        found.append("The runs began with different producer scores.")
    return found


def _start_scores(one: ComparedSimulation) -> dict[int, dict[str, int]]:
    scores = one.info.settings.get("scores") or {}
    return {seed: scores.get(str(seed)) or {} for seed in one.by_seed}


def _excluded_warning(one: ComparedSimulation) -> str:
    parts = []
    if one.excluded:
        seeds = ", ".join(f"{seed} {state}" for seed, state in one.excluded)
        parts.append(f"{len(one.excluded)} unfinished (seed {seeds})")
    if one.not_begun > 0:
        parts.append(f"{one.not_begun} that did not begin")
    return f"{one.label}: {len(one.by_seed)} of {len(one.info.seeds)} runs count; excluded: {', '.join(parts)}."


def _seed_warnings(
    read: Sequence[ReadSimulation],
    simulations: Sequence[ComparedSimulation],
    paired_seeds: Mapping[tuple[int, int], Sequence[int]],
) -> list[str]:
    found = []
    for reference, other in combinations(range(len(read)), 2):
        if not read[reference].is_same_scenario(read[other]):
            continue
        one, more = simulations[reference], simulations[other]
        seeds = paired_seeds.get((reference, other))
        if seeds is None:
            found.append(f"{one.label} and {more.label} have no seed in common: there are no paired differences.")
        elif len(seeds) < max(len(one.by_seed), len(more.by_seed)):
            count = f"{len(seeds)} seed{'' if len(seeds) == 1 else 's'}"
            found.append(f"{one.label} and {more.label} have {count} in common: only these are paired.")
    return found


def _end_warnings(
    read: Sequence[ReadSimulation],
    simulations: Sequence[ComparedSimulation],
    paired_seeds: Mapping[tuple[int, int], Sequence[int]],
) -> list[str]:
    """Return which paired runs ended at different times and so differ in what their contracts do not decide."""
    ends_s = [{run.seed: run.end_s for run in one.runs if run.seed in one.figures} for one in read]
    found = []
    for (reference, other), seeds in paired_seeds.items():
        one, more = simulations[reference], simulations[other]
        differ = [
            seed
            for seed in seeds
            if (ends_s[reference][seed] != ends_s[other][seed] or _spans_differ(one.by_seed[seed], more.by_seed[seed]))
            and _differ_in_time(one.by_seed[seed], more.by_seed[seed])
        ]
        if differ:
            found.append(
                f"Runs of {one.label} and {more.label} ended at different times (seed "
                f"{', '.join(map(str, differ[:_MOST_SEEDS]))}{', ...' if len(differ) > _MOST_SEEDS else ''}), so their "
                "production or base load differs, and with it shares and bills: use --days N, with N so large that all "
                "jobs are over by then."
            )
    return found


def ended_at_different_times(one: Mapping[str, float | None], other: Mapping[str, float | None]) -> bool:
    """Return whether two runs cover different times, and for that reason differ in production or base load."""
    return _spans_differ(one, other) and _differ_in_time(one, other)


def _spans_differ(one: Mapping[str, float | None], other: Mapping[str, float | None]) -> bool:
    """Return whether the figures of two runs cover different times; False also if that cannot be known.

    A job that runs on at a run's end counts until its own end, so even runs of as many days may.
    """
    one_h, other_h = _span_h(one), _span_h(other)
    return one_h is not None and other_h is not None and not math.isclose(one_h, other_h, abs_tol=0.01)


def _span_h(figures: Mapping[str, float | None]) -> float | None:
    """Return how long a run was, in whole intervals: its energy by its mean power; None if it consumed nothing."""
    energy_wh, peak_w = figures["consumed_wh"], figures["peak_consumption_w"]
    peak_to_average = figures["consumption_peak_to_average"]
    return energy_wh * peak_to_average / peak_w if energy_wh and peak_to_average and peak_w else None


def _differ_in_time(one: Mapping[str, float | None], other: Mapping[str, float | None]) -> bool:
    """Return whether the figures of two runs differ in an energy that grows with time, whatever the contracts are."""
    energies = ((one[name], other[name]) for name in _GROW_WITH_TIME)
    return any(a is not None and b is not None and abs(a - b) > _NOISE_WH for a, b in energies)
