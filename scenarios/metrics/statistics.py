"""Sample statistics of a figure over runs, and its paired differences: mean, deviation, 95 % confidence interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class SampleStatistics:
    """Statistics of one figure over runs."""

    runs: int
    """Number of runs that have the figure; runs in which it is None are excluded."""
    mean: float | None
    """None if no run has the figure."""
    standard_deviation: float | None
    """Sample standard deviation (n - 1); None for fewer than two runs."""
    low_95: float | None
    """Lower end of the 95 % confidence interval of the mean (Student's t); None for fewer than two runs."""
    high_95: float | None
    """Upper end of that interval."""
    minimum: float | None
    """Lowest value; None if no run has the figure, as the maximum."""
    maximum: float | None


def sample_statistics(values: Sequence[float | None]) -> SampleStatistics:
    """Return the statistics of a figure, given its value in each run; None values do not count."""
    known = [float(value) for value in values if value is not None]
    if not known:
        return SampleStatistics(0, None, None, None, None, None, None)
    mean, minimum, maximum = fmean(known), min(known), max(known)
    if len(known) == 1:
        return SampleStatistics(1, mean, None, None, None, minimum, maximum)
    deviation = stdev(known)
    half = t_quantile(len(known) - 1) * deviation / math.sqrt(len(known))
    return SampleStatistics(len(known), mean, deviation, mean - half, mean + half, minimum, maximum)


def statistics_by_figure(
    runs: Sequence[Mapping[str, float | None]], complete: Sequence[bool] | None = None
) -> dict[str, SampleStatistics]:
    """Return the statistics of each figure, in the order of the first run.

    Args:
        runs: The figures of each run, by name.
        complete: Which runs completed; None: all of them. Others do not count, as their figures cover a shorter time.
    """
    names = list(dict.fromkeys(name for run in runs for name in run))
    counted = [run for run, is_complete in zip(runs, complete or [True] * len(runs), strict=True) if is_complete]
    return {name: sample_statistics([run.get(name) for run in counted]) for name in names}


def paired_differences(
    reference: Mapping[int, Mapping[str, float | None]], other: Mapping[int, Mapping[str, float | None]], figure: str
) -> list[float | None]:
    """Return the differences of a figure for each seed that both have, in the reference's order.

    Args:
        reference: By seed, the figures of the reference's runs.
        other: The same of the runs that are compared with them.
        figure: Name of the figure.

    Returns:
        Other less reference; None if a run does not have the figure.
    """
    found: list[float | None] = []
    for seed, run in reference.items():
        if seed in other:
            before, after = run.get(figure), other[seed].get(figure)
            found.append(None if before is None or after is None else after - before)
    return found


def t_quantile(degrees_of_freedom: int) -> float:
    """Return the two-sided 95 % quantile of Student's t distribution (97.5 % of the distribution lies below it)."""
    from scipy.special import stdtrit  # noqa: PLC0415 - SciPy is heavy, and one run alone does not need it

    return float(stdtrit(degrees_of_freedom, (1 + CONFIDENCE) / 2))
