"""Results of a sweep: statistics of each point over its seeds, and paired differences of points on the same seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from scenarios.metrics import sample_statistics

SummaryRow = tuple[int, str, int, float | None, float | None, float | None, float | None, float | None, float | None]
"""Point, figure, runs, mean, standard deviation, lower and upper end of the 95 % interval, minimum, maximum."""
PairRow = tuple[int, int, str, int, float | None, float | None, float | None]
"""Reference, point, figure, seeds, mean difference, lower and upper end of its 95 % interval."""
BySeed = Mapping[int, Mapping[str, float | None]]
"""Figures of a point's runs, by seed."""

MOST_PAIRED = 24
"""With more points than this, each one is compared with the first one only."""


def pairs_of(count: int) -> list[tuple[int, int]]:
    """Return the indexes of the points that are compared, the reference first."""
    if count > MOST_PAIRED:
        return [(0, other) for other in range(1, count)]
    return list(combinations(range(count), 2))


def summarize(points: Sequence[BySeed], figures: Sequence[str]) -> Iterator[SummaryRow]:
    """Yield the statistics of each figure of each point."""
    for number, by_seed in enumerate(points, start=1):
        for name in figures:
            of = sample_statistics([run.get(name) for run in by_seed.values()])
            spread = (of.standard_deviation, of.low_95, of.high_95, of.minimum, of.maximum)
            yield (number, name, of.runs, of.mean, *spread)


def pairwise(points: Sequence[BySeed], figures: Sequence[str]) -> Iterator[PairRow]:
    """Yield the differences of each figure between two points, on the seeds that both have."""
    for reference, other in pairs_of(len(points)):
        for name in figures:
            pairs = differences(points[reference], points[other], name)
            of = sample_statistics(pairs)
            yield (reference + 1, other + 1, name, of.runs, of.mean, of.low_95, of.high_95)


def differences(reference: BySeed, other: BySeed, figure: str) -> list[float | None]:
    """Return the differences of a figure, other less reference, for each seed that both have."""
    found: list[float | None] = []
    for seed, run in reference.items():
        if seed in other:
            before, after = run.get(figure), other[seed].get(figure)
            found.append(None if before is None or after is None else after - before)
    return found
