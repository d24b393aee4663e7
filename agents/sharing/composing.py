"""Composing: from what producers offer to a job's start and shares, a pure function.

Every candidate start is compared by the preferences, one after the other: how much of the job is covered by sun, how
much of it by the household's own roof, what the rest costs, how many suppliers it takes, and how early it is. All
starts are compared at once with arrays; only what ties goes on to the next preference.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from agents.energy import FloatArray, LoadProfile
from agents.shares import MINUTE_S, IntArray, load_mwh
from agents.sharing.settings import Preference

Starts = tuple[tuple[int, int], ...]
NumberT = TypeVar("NumberT", np.int64, np.float64)
MAX_CELLS = 1 << 20
"""Starts times minutes compared at once; bounds the memory for a month-wide window."""


@dataclass(frozen=True, slots=True)
class Offers:
    """What producers would give to a job, its own shares included. P producers, M minutes."""

    first_minute: int
    """UNIX minute of the first column."""
    producers: tuple[str, ...]
    """Producer ids, sorted."""
    free_mwh: IntArray
    """mWh, not negative, shape (P, M)."""


@dataclass(frozen=True, slots=True)
class Composition:
    """A start, and what each producer gives."""

    start_s: int
    """UNIX seconds."""
    minutes_mwh: Mapping[str, IntArray]
    """By producer id, mWh in each minute from the one in which the job starts; producers that give nothing are left
    out."""
    covered_mwh: int
    """Energy of all shares together."""


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Starts at the same second of consecutive minutes."""

    first_s: int
    count: int
    first_minute: int
    load_mwh: IntArray


def compose(
    load: LoadProfile,
    starts: Starts,
    offers: Offers,
    preferences: Sequence[Preference],
    own: Collection[str] = (),
    grid_price: FloatArray | None = None,
) -> Composition:
    """Return the best start and shares.

    Args:
        load: The job's load profile.
        starts: Where its device is free: intervals of first and last start, UNIX seconds, ascending.
        offers: What producers would give; nothing outside of its minutes.
        preferences: In the order of importance; what ties on all of them starts as early as possible.
        own: Producers of the job's own household.
        grid_price: Price of grid energy in each minute of the offers, shape (M,); None: always the same.

    Returns:
        The composition; with no shares where nothing is offered.
    """
    own_rows = np.array([producer in own for producer in offers.producers], dtype=bool)
    total_mwh = offers.free_mwh.sum(axis=0)
    own_mwh = offers.free_mwh[own_rows].sum(axis=0)
    best: tuple[tuple[float, ...], int, IntArray] | None = None
    for some in _candidates(load, starts):
        rated = _best_of(some, offers, total_mwh, own_mwh, preferences, grid_price)
        if best is None or rated[0] > best[0] or (rated[0] == best[0] and rated[1] < best[1]):
            best = (*rated, some.load_mwh)
    assert best is not None  # noqa: S101 - there is at least one start
    _, start_s, needed_mwh = best
    minutes_mwh = allot(needed_mwh, offers, start_s, preferences, own)
    return Composition(start_s, minutes_mwh, int(sum(series.sum() for series in minutes_mwh.values())))


def allot(
    needed_mwh: IntArray, offers: Offers, start_s: int, preferences: Sequence[Preference], own: Collection[str]
) -> dict[str, IntArray]:
    """Return what each producer gives to a job that starts at a time: as much as is needed and offered.

    Producers of the own household come first if that is preferred; then those that give most, so that few are needed.

    Args:
        needed_mwh: What the job draws in each minute, mWh, shape (minutes,).
        offers: What producers would give.
        start_s: The job's start, UNIX seconds.
        preferences: In the order of importance.
        own: Producers of the job's own household.

    Returns:
        By producer id, mWh in each minute, shape (minutes,).
    """
    begin = start_s // MINUTE_S - offers.first_minute
    free_mwh = _cut(offers.free_mwh, begin, len(needed_mwh))
    left_mwh = needed_mwh.copy()
    remaining = list(range(len(offers.producers)))
    spare_mwh = free_mwh.sum(axis=1).tolist()
    given: dict[str, IntArray] = {}
    prefers_own = "own-roof" in preferences
    while remaining and left_mwh.any():
        gives = dict(zip(remaining, np.minimum(free_mwh[remaining], left_mwh).sum(axis=1).tolist(), strict=True))
        # Of those that give as much, the one with the most left: a forecast that is a little wrong harms it least.
        row = min(
            remaining,
            key=lambda row: (
                not (prefers_own and gives[row] and offers.producers[row] in own),
                -gives[row],
                -spare_mwh[row],
                offers.producers[row],
            ),
        )
        if not gives[row]:
            break
        remaining.remove(row)
        share_mwh = np.minimum(free_mwh[row], left_mwh)
        given[offers.producers[row]] = share_mwh
        left_mwh -= share_mwh
    return given


def _candidates(load: LoadProfile, starts: Starts) -> list[_Candidates]:
    """Return the ends of each interval and all whole minutes between, ascending."""
    groups: list[_Candidates] = []

    def add(first_s: int, count: int) -> None:
        groups.append(_Candidates(first_s, count, first_s // MINUTE_S, load_mwh(load, first_s)))

    for first_s, last_s in starts:
        aligned_s = -(-first_s // MINUTE_S) * MINUTE_S
        count = (last_s - aligned_s) // MINUTE_S + 1
        if first_s % MINUTE_S:
            add(first_s, 1)
        if count > 0:
            add(aligned_s, count)
        if last_s % MINUTE_S and last_s != first_s:
            add(last_s, 1)
    return groups


def _best_of(
    some: _Candidates,
    offers: Offers,
    total_mwh: IntArray,
    own_mwh: IntArray,
    preferences: Sequence[Preference],
    grid_price: FloatArray | None,
) -> tuple[tuple[float, ...], int]:
    """Return how good the best start of a group is, by each preference, and that start, UNIX seconds."""
    begin = some.first_minute - offers.first_minute
    rows = np.arange(some.count)
    rating: list[float] = []
    for preference in preferences:
        values: IntArray | FloatArray
        if preference == "covered":
            values = _covered(total_mwh, begin, rows, some.load_mwh)
        elif preference == "own-roof":
            values = _covered(own_mwh, begin, rows, some.load_mwh)
        elif preference == "cheapest":
            values = -_grid_cost(total_mwh, begin, rows, some.load_mwh, grid_price)
        elif preference == "fewest":
            values = -_suppliers(offers, begin, rows, some.load_mwh, preferences)
        else:
            values = -(some.first_s + rows * MINUTE_S)
        best = values.max()
        rating.append(float(best))
        rows = rows[values == best]
    return tuple(rating), some.first_s + int(rows[0]) * MINUTE_S


def _covered(free_mwh: IntArray, begin: int, rows: IntArray, needed_mwh: IntArray) -> IntArray:
    """Return how much of a job is covered at each start, mWh, shape (starts,)."""
    minutes = len(needed_mwh)
    part = _cut(free_mwh, begin, int(rows[-1]) + minutes)
    windows = np.lib.stride_tricks.sliding_window_view(part, minutes)
    covered = np.empty(len(rows), dtype=np.int64)
    block = max(1, MAX_CELLS // minutes)
    for first in range(0, len(rows), block):
        chosen = rows[first : first + block]
        covered[first : first + block] = np.minimum(windows[chosen], needed_mwh).sum(axis=1)
    return covered


def _grid_cost(
    free_mwh: IntArray, begin: int, rows: IntArray, needed_mwh: IntArray, grid_price: FloatArray | None
) -> FloatArray:
    """Return what the rest from the grid costs at each start, shape (starts,)."""
    minutes = len(needed_mwh)
    if grid_price is None:
        rest_mwh = needed_mwh.sum() - _covered(free_mwh, begin, rows, needed_mwh)
        return np.asarray(rest_mwh, dtype=np.float64)
    prices = _cut(grid_price, begin, int(rows[-1]) + minutes)
    part = _cut(free_mwh, begin, int(rows[-1]) + minutes)
    cost = np.empty(len(rows))
    for i, row in enumerate(rows.tolist()):
        rest = needed_mwh - np.minimum(part[row : row + minutes], needed_mwh)
        cost[i] = float(rest @ prices[row : row + minutes])
    return cost


def _suppliers(
    offers: Offers, begin: int, rows: IntArray, needed_mwh: IntArray, preferences: Sequence[Preference]
) -> IntArray:
    """Return how many producers supply the job at each start; counted for the first few of many equals."""
    counts = np.full(len(rows), len(offers.producers) + 1, dtype=np.int64)
    for i, row in enumerate(rows[:MAX_COUNTED].tolist()):
        start_s = (offers.first_minute + begin + row) * MINUTE_S
        counts[i] = len(allot(needed_mwh, offers, start_s, preferences, ()))
    return counts


MAX_COUNTED = 64
"""Equal starts whose suppliers are counted; of more, the earliest ones."""


def _cut(series: npt.NDArray[NumberT], begin: int, minutes: int) -> npt.NDArray[NumberT]:
    """Return some minutes of a series, or of each row, with zeros where it has none."""
    end = begin + minutes
    have = series.shape[-1]
    if begin >= 0 and end <= have:
        return series[..., begin:end]
    cut = np.zeros((*series.shape[:-1], minutes), dtype=series.dtype)
    first, last = max(begin, 0), min(end, have)
    if first < last:
        cut[..., first - begin : last - begin] = series[..., first:last]
    return cut
