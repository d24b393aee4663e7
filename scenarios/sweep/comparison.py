"""A sweep as a comparison of simulations, one for each point, so that the same tables and figures show it."""

from __future__ import annotations

from collections.abc import Sequence

from broker import plural
from scenarios.metrics import statistics_by_figure
from scenarios.results import ResultsError, SimulationInfo
from scenarios.results.comparison import (
    ComparedSimulation,
    SimulationComparison,
    difference_between,
    ended_at_different_times,
)
from scenarios.sweep.results_file import MOST_PAIRED, SweepResults, pairs_of


def compared_points(results: SweepResults) -> SimulationComparison:
    """Return the comparison of the points that have a run that is done.

    Raises:
        ResultsError: There is no such point.
    """
    by_seed = results.figures_by_seed()
    numbers = [i for i, runs in enumerate(by_seed) if runs]
    if not numbers:
        raise ResultsError(f"{results.path}: has no finished run yet, so there is nothing to compare")
    points = [by_seed[i] for i in numbers]
    simulations = tuple(_compared(results, i) for i in numbers)
    pairs = pairs_of(len(numbers))
    return SimulationComparison(
        simulations,
        tuple(difference_between(points, reference, other) for reference, other in pairs),
        tuple(_warnings(results, simulations)),
        is_same_scenario=True,
    )


def _compared(results: SweepResults, index: int) -> ComparedSimulation:
    info = results.info
    by_seed = {seed: dict(figures) for seed, figures in sorted(results.figures_by_seed()[index].items())}
    chosen = dict(zip(info.keys, info.values[index], strict=True))
    failed = [row for row in results.rows if row.state == "failed" and results.point_of(row) == index + 1]
    about = SimulationInfo(
        scenario=info.scenario,
        algorithm=str(chosen.get("algorithm", info.points[index])),
        settings=chosen,
        broker="memory",
        hosts=None,
        seeds=info.seeds,
        versions=dict(info.versions),
        created_utc=info.created_utc,
    )
    excluded = tuple((results.seed_of(row), row.state) for row in failed)
    statistics = statistics_by_figure(list(by_seed.values()))
    return ComparedSimulation(results.path, about, info.points[index], by_seed, statistics, excluded)


def _warnings(results: SweepResults, simulations: Sequence[ComparedSimulation]) -> list[str]:
    info = results.info
    found = []
    missing = info.planned - len(results.rows)
    if missing:
        found.append(f"{missing} of {info.planned} runs are still missing.")
    found += [f"{one.label}: {len(one.excluded)} runs failed." for one in simulations if one.excluded]
    if len(info.seeds) == 1:
        found.append("With one seed there are no intervals; --seeds 20 gives some.")
    if alike := sum(one.is_alike for one in simulations):
        where = "" if alike == len(simulations) else f" at {alike} of {len(simulations)} points"
        found.append(
            f"All seeds gave the same figures{where}: the seed made no difference, and intervals have zero width."
        )
    found += _end_warnings(simulations)
    if len(simulations) > MOST_PAIRED:
        found.append(f"With more than {MOST_PAIRED} points, each is compared with the first one only.")
    return found


def _end_warnings(simulations: Sequence[ComparedSimulation]) -> list[str]:
    """Return a warning if runs of the same seed ended at different times and so differ in what no contract decides."""
    first, *others = simulations
    differ = [
        one.label
        for one in others
        if any(
            ended_at_different_times(first.by_seed[seed], of)
            for seed, of in one.by_seed.items()
            if seed in first.by_seed
        )
    ]
    if not differ:
        return []
    named = differ[0] if len(differ) == 1 else f"{differ[0]} and {plural(len(differ) - 1, 'other point')}"
    what = f"Runs of {named} ended at other times than those of {first.label}"
    why = "so their production or base load differs, and with it shares and bills"
    return [f"{what}, {why}: use --set days=N, with N so large that all jobs are over by then."]
