"""Shares: the energy that one producer supplies to one job, by the minute, in whole mWh.

Minutes are whole UNIX minutes, the bins of settlement. A share counts from the minute in which its job starts. Whole
numbers add up exactly: no milliwatt-hour is lost or given away twice, however often shares are split and joined. They
are sent and stored as runs of equal minutes, because production and consumption are constant for long stretches.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Annotated, Any, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from agents.energy import CumulativeSeries, IntArray, LoadProfile, Outlook

MINUTE_S = 60
MAX_MINUTES = 366 * 24 * 60 + 1
"""Longest share or offer: the longest load profile, wherever in a minute it starts."""
MAX_RUNS = 20_000
"""Runs in one share or offer, which keeps messages below the bus's `MAX_PAYLOAD_BYTES`."""
MAX_SHARES = 1_000
"""Shares of one contract."""
MAX_MINUTE_MWH = 10**15
"""Largest energy of one minute, mWh, as in scenarios."""


RunLength = tuple[
    Annotated[int, Field(ge=1, le=MAX_MINUTES, strict=True)],
    Annotated[int, Field(ge=0, le=MAX_MINUTE_MWH, strict=True)],
]
"""A number of minutes, and the energy of each of them, mWh."""


def _is_not_too_long(runs: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Return runs that can be written minute by minute: a short message may stand for years."""
    if runs and sum(next(zip(*runs, strict=True))) > MAX_MINUTES:
        raise ValueError(f"the runs have more than {MAX_MINUTES} minutes together")
    return runs


Runs = Annotated[tuple[RunLength, ...], Field(max_length=MAX_RUNS), AfterValidator(_is_not_too_long)]
"""Energy by the minute, run-length encoded; what follows the last run is zero."""


def packed(minutes_mwh: IntArray) -> tuple[tuple[int, int], ...]:
    """Return energy by the minute as runs, without zeros at the end.

    Args:
        minutes_mwh: mWh in each minute, shape (minutes,).
    """
    ends = (minutes_mwh[1:] != minutes_mwh[:-1]).nonzero()[0].tolist()
    values = minutes_mwh[ends].tolist()
    if len(minutes_mwh) and (last := int(minutes_mwh[-1])):
        ends.append(len(minutes_mwh) - 1)
        values.append(last)
    counts = [end - before for before, end in pairwise([-1, *ends])]
    return tuple(zip(counts, values, strict=True))


def unpacked(runs: Iterable[tuple[int, int]], minutes: int | None = None) -> IntArray:
    """Return energy by the minute.

    Args:
        runs: See `packed`.
        minutes: Length of the result, which is filled up with zeros, or cut off; None: the length of the runs.

    Returns:
        mWh in each minute, shape (minutes,).
    """
    counts, values = tuple(zip(*runs, strict=True)) or ((), ())
    series = np.repeat(np.array(values, dtype=np.int64), np.array(counts, dtype=np.int64))
    if minutes is None or len(series) == minutes:
        return series
    if len(series) > minutes:
        return series[:minutes]
    return np.concatenate([series, np.zeros(minutes - len(series), dtype=np.int64)])


def load_mwh(load: LoadProfile, start_s: int) -> IntArray:
    """Return what a job draws in each minute from the one in which it starts, rounded to whole mWh.

    Args:
        load: Its load profile.
        start_s: Its start, UNIX seconds; only the second within the minute counts.

    Returns:
        mWh, shape (minutes,).
    """
    return np.rint(load.per_minute_wh(start_s % MINUTE_S) * 1_000).astype(np.int64)


def produced_mwh(production: Outlook | CumulativeSeries, first_minute: int, minutes: int) -> IntArray:
    """Return what a panel is expected to produce in each minute, rounded to whole mWh.

    Args:
        production: The forecast.
        first_minute: The first minute, in UNIX minutes.
        minutes: Number of minutes.

    Returns:
        mWh, shape (minutes,).
    """
    edges_s = (first_minute + np.arange(minutes + 1, dtype=np.float64)) * MINUTE_S
    return np.rint(production.energy_per_bin_wh(edges_s) * 1_000).astype(np.int64)


def add_at(series_mwh: IntArray, more_mwh: IntArray, begin: int) -> None:
    """Add energy to a series in place; what lies outside of it is ignored.

    Args:
        series_mwh: The series, shape (minutes,).
        more_mwh: The energies to add, mWh, shape (any,).
        begin: Position of the first value in the series.
    """
    first, last = max(begin, 0), min(begin + len(more_mwh), len(series_mwh))
    if first < last:
        series_mwh[first:last] += more_mwh[first - begin : last - begin]


def is_same(series_mwh: IntArray, other_mwh: IntArray) -> bool:
    """Return whether `series_mwh` and `other_mwh`, each of shape (minutes,), are equal apart from trailing zeros."""
    both = min(len(series_mwh), len(other_mwh))
    rest = series_mwh[both:].any() or other_mwh[both:].any()
    return not rest and bool((series_mwh[:both] == other_mwh[:both]).all())


def giving_periods_s(runs: Iterable[tuple[int, int]], start_s: int) -> tuple[tuple[int, int], ...]:
    """Return the periods in which energy by the minute is not zero, as begin and end, UNIX seconds, whole minutes.

    Args:
        runs: See `packed`.
        start_s: A time in the first minute, UNIX seconds.
    """
    periods: list[tuple[int, int]] = []
    end_s = start_s // MINUTE_S * MINUTE_S
    for minutes, mwh in runs:
        begin_s, end_s = end_s, end_s + minutes * MINUTE_S
        if mwh and periods and periods[-1][1] == begin_s:
            periods[-1] = periods[-1][0], end_s
        elif mwh:
            periods.append((begin_s, end_s))
    return tuple(periods)


class Share(BaseModel):
    """A producer's part of a job's supply."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    producer: Annotated[str, Field(min_length=1, max_length=4_000)]
    """The producer's id."""
    minutes_mwh: Annotated[Runs, Field(min_length=1)]
    """Energy by the minute, from the minute in which the job starts, mWh, run-length encoded."""

    @model_validator(mode="after")
    def _is_canonical(self) -> Self:
        runs = self.minutes_mwh
        if not runs[-1][1] or any(one[1] == other[1] for one, other in pairwise(runs)):
            raise ValueError(f"the share of {self.producer!r} is not written as runs of different energies")
        return self

    @property
    def energy_wh(self) -> float:
        """Energy of all minutes of the share, Wh."""
        return sum(minutes * mwh for minutes, mwh in self.minutes_mwh) / 1_000

    def minutes(self, count: int | None = None) -> IntArray:
        """Return its energy by the minute, mWh, shape (count,); None: up to its last minute."""
        return unpacked(self.minutes_mwh, count)


def shares_of(minutes_mwh: Mapping[str, IntArray]) -> tuple[Share, ...]:
    """Return shares in the order of producers' ids, without empty ones.

    Args:
        minutes_mwh: By producer id, energy by the minute from the job's start, mWh.
    """
    runs = {producer: packed(series) for producer, series in sorted(minutes_mwh.items())}
    return tuple(Share(producer=producer, minutes_mwh=some) for producer, some in runs.items() if some)


def without_empty(data: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Return a serialised model without those of these keys whose value is empty."""
    return {key: value for key, value in data.items() if value or key not in keys}
