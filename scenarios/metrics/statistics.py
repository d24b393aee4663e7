"""Figures over several runs: mean, standard deviation, and the interval that holds the mean with 95 % confidence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class SampleStatistics:
    """Of one figure over runs."""

    runs: int
    """How many of them have the figure; runs where it is None do not count."""
    mean: float | None
    """None where no run has the figure."""
    standard_deviation: float | None
    """Of a sample (n - 1); None for fewer than two runs."""
    low_95: float | None
    """Where the 95 % interval of the mean begins (Student's t); None for fewer than two runs."""
    high_95: float | None
    minimum: float | None
    maximum: float | None


def sample_statistics(values: Sequence[float | None]) -> SampleStatistics:
    """Return how a figure is spread over runs."""
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
    """Return how each figure is spread over runs, figures in the order of the first run.

    Args:
        runs: Each one's figures.
        complete: Which of them came to their end; None: all did. Figures of half a run are of another size, so they do
            not count.
    """
    names = list(dict.fromkeys(name for run in runs for name in run))
    counted = [run for run, is_complete in zip(runs, complete or [True] * len(runs), strict=True) if is_complete]
    return {name: sample_statistics([run.get(name) for run in counted]) for name in names}


def t_quantile(degrees_of_freedom: int) -> float:
    """Return Student's t that 97.5 % lie below: both sides together leave out 5 %."""
    from scipy.special import stdtrit  # noqa: PLC0415 - SciPy is heavy, and one run alone does not need it

    return float(stdtrit(degrees_of_freedom, (1 + CONFIDENCE) / 2))
