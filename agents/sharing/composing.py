"""Composing: from what producers offer to a job's start and shares, a pure function.

Every candidate start is compared by the preferences, one after the other: how much of the job is covered by panels, how
much of it by the household's own roof, its total cost, the number of suppliers, and how early it is. All starts are
compared at once with arrays; only ties are compared by the next preference.

If `cheapest` comes before `covered`, energy that is dearer than grid power is left to others. If it comes before
`own-roof`, the cheaper of own roof and neighbours supplies each minute first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from agents.energy import FloatArray, IntArray, LoadProfile
from agents.model import Starts
from agents.shares import MINUTE_S, load_mwh
from agents.sharing.energy_prices import EnergyPrices
from agents.sharing.supply_settings import Preference, comes_first

NumberT = TypeVar("NumberT", np.int64, np.float64, np.bool_)
_MOST_MWH = np.iinfo(np.int64).max
MAX_CELLS = 1 << 20
"""Starts times minutes compared at once; bounds the memory for a month-wide window."""


@dataclass(frozen=True, slots=True)
class Offers:
    """What producers offer to a job, including its own shares. P producers, M minutes."""

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
class _Sources:
    """The energy that a job may take, own roof and neighbours each in total. M minutes; mWh, shape (M,)."""

    offers: Offers
    """Without energy that is dearer than grid power, if cost comes first."""
    own_rows: npt.NDArray[np.bool_]
    """Which of the producers are of the job's own household, shape (P,)."""
    prices: EnergyPrices | None
    """In whole millionths of EUR/kWh."""
    neighbours_first: npt.NDArray[np.bool_]
    """Minutes in which neighbours supply the job before its own roof does, shape (M,)."""
    own_mwh: IntArray
    neighbours_mwh: IntArray

    @classmethod
    def of(
        cls, offers: Offers, preferences: Sequence[Preference], own: Collection[str], prices: EnergyPrices | None
    ) -> _Sources:
        """Sort what is offered by the preferences."""
        own_rows = np.array([producer in own for producer in offers.producers], dtype=bool)
        neighbours_first = np.zeros(offers.free_mwh.shape[1], dtype=bool)
        if prices is not None:
            prices = prices.rounded()
            free_mwh = offers.free_mwh.copy()
            if comes_first("cheapest", "covered", preferences):
                free_mwh[np.ix_(~own_rows, prices.neighbour > prices.grid)] = 0
                if comes_first("cheapest", "own-roof", preferences):
                    free_mwh[np.ix_(own_rows, prices.own > prices.grid)] = 0
            if comes_first("cheapest", "own-roof", preferences):
                neighbours_first = prices.neighbour < prices.own
            offers = Offers(offers.first_minute, offers.producers, free_mwh)
        own_mwh = offers.free_mwh[own_rows].sum(axis=0)
        return cls(offers, own_rows, prices, neighbours_first, own_mwh, offers.free_mwh.sum(axis=0) - own_mwh)

    @property
    def total_mwh(self) -> IntArray:
        """Own roof and neighbours together."""
        return self.own_mwh + self.neighbours_mwh


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
    prices: EnergyPrices | None = None,
    *,
    evens_rounding: bool = True,
) -> Composition:
    """Return the best start and shares.

    Args:
        load: The job's load profile.
        starts: Where its device is free: intervals of first and last start, UNIX seconds, ascending.
        offers: The producers' offers; nothing outside their minutes.
        preferences: In the order of importance; what ties on all of them starts as early as possible.
        own: Producers of the job's own household.
        prices: In each minute of the offers, shape (M,); None: the grid always costs the same, and sun costs nothing.
        evens_rounding: Whether starts at which panels cover all of the job are equal, and so are those that cost the
            same. Otherwise the one at which its minutes round to more mWh counts as covered better, the one at which
            they round to fewer as cheaper, and either may be hours later.

    Returns:
        The composition; with no shares where nothing is offered.
    """
    sources = _Sources.of(offers, preferences, own, prices)
    candidates = _candidates(load, starts)
    most_mwh = min(int(some.load_mwh.sum()) for some in candidates) if evens_rounding else None
    best: tuple[tuple[float, ...], int, IntArray] | None = None
    for some in candidates:
        rated = _best_of(some, sources, preferences, most_mwh)
        if best is None or rated[0] > best[0] or (rated[0] == best[0] and rated[1] < best[1]):
            best = (*rated, some.load_mwh)
    assert best is not None  # noqa: S101 - there is at least one start
    _, start_s, needed_mwh = best
    minutes_mwh = _allot(needed_mwh, sources, start_s, preferences)
    return Composition(start_s, minutes_mwh, int(sum(series.sum() for series in minutes_mwh.values())))


def start_on_grid(
    load: LoadProfile,
    starts: Starts,
    first_minute: int,
    prices: EnergyPrices,
    *,
    late: bool,
    evens_rounding: bool = True,
) -> int:
    """Return the start at which a job costs least that takes all of its energy from the grid, UNIX seconds.

    Args:
        load: The job's load profile.
        starts: Where its device is free, as for `compose`.
        first_minute: UNIX minute of the first price.
        prices: In each minute in which the job could run.
        late: Whether to choose the last instead of the first start of equal cost.
        evens_rounding: As for `compose`.
    """
    nothing = Offers(first_minute, (), np.zeros((0, len(prices.grid)), dtype=np.int64))
    sources = _Sources.of(nothing, ("cheapest",), (), prices)
    candidates = _candidates(load, starts)
    most_mwh = min(int(some.load_mwh.sum()) for some in candidates) if evens_rounding else None
    found = []
    for some in candidates:
        costs = _cost(sources, some.first_minute - first_minute, np.arange(some.count), some.load_mwh, most_mwh)
        best = np.flatnonzero(costs == costs.min())
        found.append((float(costs.min()), some.first_s + int(best[-1 if late else 0]) * MINUTE_S))
    least = min(cost for cost, _ in found)
    equal = [start_s for cost, start_s in found if cost == least]
    return max(equal) if late else min(equal)


def cost_of(
    load: LoadProfile,
    start_s: int,
    minutes_mwh: Mapping[str, IntArray],
    own: Collection[str],
    first_minute: int,
    prices: EnergyPrices,
    energy_mwh: int | None = None,
) -> float:
    """Return what a job with these shares costs: a whole number of millionths of EUR/kWh times mWh.

    Args:
        load: The job's load profile.
        start_s: Its start, UNIX seconds.
        minutes_mwh: By producer id, mWh in each minute from the one in which the job starts.
        own: Producers of the job's own household.
        first_minute: UNIX minute of the first price.
        prices: In each minute in which the job runs.
        energy_mwh: What the job draws at any start; None: what its minutes add up to at this one, rounded to mWh.
    """
    micro, rest_mwh = prices.rounded(), load_mwh(load, start_s)
    too_much_mwh = 0 if energy_mwh is None else int(rest_mwh.sum()) - energy_mwh
    begin = start_s // MINUTE_S - first_minute
    given_mwh, paid = {True: 0, False: 0}, {True: 0.0, False: 0.0}
    for producer, series_mwh in minutes_mwh.items():
        is_own = producer in own
        price = micro.own if is_own else micro.neighbour
        paid[is_own] += float((_cut(price, begin, len(series_mwh)) * series_mwh).sum())
        given_mwh[is_own] += int(series_mwh.sum())
        rest_mwh[: len(series_mwh)] -= series_mwh
    rest_paid = float((_cut(micro.grid, begin, len(rest_mwh)) * rest_mwh).sum())
    parts = (int(rest_mwh.sum()), rest_paid), (given_mwh[False], paid[False]), (given_mwh[True], paid[True])
    rounding = _cost_of_rounding([(np.array([mwh]), np.array([cost])) for mwh, cost in parts], too_much_mwh)
    return sum(cost for _, cost in parts) - float(rounding[0])


def _allot(
    needed_mwh: IntArray, sources: _Sources, start_s: int, preferences: Sequence[Preference]
) -> dict[str, IntArray]:
    """Return what each producer gives to a job that starts at a time: as much as is needed and offered.

    Producers of the own household come first if that is preferred; then those that give most, so that few are needed.

    Args:
        needed_mwh: The job's draw in each minute, mWh, shape (minutes,).
        sources: The producers' offers.
        start_s: The job's start, UNIX seconds.
        preferences: In the order of importance.

    Returns:
        By producer id, mWh in each minute, shape (minutes,).
    """
    offers = sources.offers
    begin, minutes = start_s // MINUTE_S - offers.first_minute, len(needed_mwh)
    free_mwh, left_mwh = _cut(offers.free_mwh, begin, minutes), needed_mwh.copy()
    given: dict[str, IntArray] = {}
    if sources.prices is not None and comes_first("cheapest", "own-roof", preferences):
        # In each minute the cheaper ones first: own roof, neighbours, and own roof where neighbours are cheaper.
        own, neighbours = np.flatnonzero(sources.own_rows), np.flatnonzero(~sources.own_rows)
        own_first = ~_cut(sources.neighbours_first, begin, minutes)
        _take(given, offers.producers, own.tolist(), free_mwh * own_first, left_mwh)
        _take(given, offers.producers, neighbours.tolist(), free_mwh, left_mwh)
        _take(given, offers.producers, own.tolist(), free_mwh * ~own_first, left_mwh)
        return given
    everyone = list(range(len(offers.producers)))
    if "own-roof" in preferences:
        _take(given, offers.producers, [row for row in everyone if sources.own_rows[row]], free_mwh, left_mwh)
    _take(given, offers.producers, [row for row in everyone if offers.producers[row] not in given], free_mwh, left_mwh)
    return given


def _take(
    given: dict[str, IntArray], producers: Sequence[str], rows: list[int], free_mwh: IntArray, left_mwh: IntArray
) -> None:
    """Take the remaining demand from some producers, those that supply most first; changes `given` and `left_mwh`."""
    if not rows:
        return
    spare_mwh = free_mwh.sum(axis=1).tolist()
    # Of those that give as much, the one with the most left: a forecast that is a little wrong harms it least.
    rows = sorted((row for row in rows if spare_mwh[row]), key=lambda row: (-spare_mwh[row], producers[row]))
    some_mwh = free_mwh[rows]
    while rows and left_mwh.any():
        shares_mwh = np.minimum(some_mwh, left_mwh)
        gives_mwh = shares_mwh.sum(axis=1)
        best = int(gives_mwh.argmax())
        if not gives_mwh[best]:
            break
        share_mwh, producer = shares_mwh[best], producers[rows[best]]
        given[producer] = given[producer] + share_mwh if producer in given else share_mwh
        left_mwh -= share_mwh
        some_mwh[best] = 0


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
    some: _Candidates, sources: _Sources, preferences: Sequence[Preference], most_mwh: int | None
) -> tuple[tuple[float, ...], int]:
    """Return how good the best start of a group is, by each preference, and that start, UNIX seconds.

    Args:
        some: The starts.
        sources: What producers offer.
        preferences: In the order of importance.
        most_mwh: Energy that counts as covered, and is paid for, at most, mWh; None: all of it.
    """
    begin = some.first_minute - sources.offers.first_minute
    rows = np.arange(some.count)
    limit_mwh = _MOST_MWH if most_mwh is None else most_mwh
    rating: list[float] = []
    for preference in preferences:
        values: IntArray | FloatArray
        if preference == "covered":
            values = np.minimum(_covered(sources.total_mwh, begin, rows, some.load_mwh), limit_mwh)
        elif preference == "own-roof":
            values = np.minimum(_covered(sources.own_mwh, begin, rows, some.load_mwh), limit_mwh)
        elif preference == "cheapest":
            values = -_cost(sources, begin, rows, some.load_mwh, most_mwh)
        elif preference == "fewest":
            values = -_suppliers(sources, begin, rows, some.load_mwh, preferences)
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


def _cost(sources: _Sources, begin: int, rows: IntArray, needed_mwh: IntArray, most_mwh: int | None) -> FloatArray:
    """Return what the job costs at each start, shape (starts,); without prices, what the grid gives, mWh.

    Args:
        sources: What producers offer.
        begin: The minute of the first start, counted from that of the offers.
        rows: The starts, in minutes after that one, ascending.
        needed_mwh: The job's draw in each minute, mWh, shape (minutes,).
        most_mwh: See `_best_of`.
    """
    if sources.prices is None:
        drawn_mwh = int(needed_mwh.sum()) if most_mwh is None else most_mwh
        rest_mwh = np.maximum(drawn_mwh - _covered(sources.total_mwh, begin, rows, needed_mwh), 0)
        return np.asarray(rest_mwh, dtype=np.float64)
    prices, swapped = sources.prices, sources.neighbours_first
    minutes, last = len(needed_mwh), int(rows[-1]) + len(needed_mwh)
    too_much_mwh = 0 if most_mwh is None else int(needed_mwh.sum()) - most_mwh

    def windows(series: npt.NDArray[NumberT]) -> npt.NDArray[NumberT]:
        return np.lib.stride_tricks.sliding_window_view(_cut(series, begin, last), minutes)

    first_mwh = windows(np.where(swapped, sources.neighbours_mwh, sources.own_mwh))
    second_mwh = windows(np.where(swapped, sources.own_mwh, sources.neighbours_mwh))
    first_price = windows(np.where(swapped, prices.neighbour, prices.own))
    second_price = windows(np.where(swapped, prices.own, prices.neighbour))
    grid_price = windows(prices.grid)
    cost = np.empty(len(rows))
    block = max(1, MAX_CELLS // minutes)
    for at in range(0, len(rows), block):
        chosen = rows[at : at + block]
        first = np.minimum(first_mwh[chosen], needed_mwh)
        second = np.minimum(second_mwh[chosen], needed_mwh - first)
        rest = needed_mwh - first - second
        first_paid, second_paid = first * first_price[chosen], second * second_price[chosen]
        rest_paid = rest * grid_price[chosen]
        cost[at : at + block] = (first_paid + second_paid + rest_paid).sum(axis=1)
        if too_much_mwh:
            parts = (rest, rest_paid), (second, second_paid), (first, first_paid)
            sums = [(mwh.sum(axis=1), paid.sum(axis=1)) for mwh, paid in parts]
            cost[at : at + block] -= _cost_of_rounding(sums, too_much_mwh)
    return cost


def _cost_of_rounding(parts: Sequence[tuple[IntArray, FloatArray]], too_much_mwh: int) -> FloatArray:
    """Return what energy costs that a job only draws because its minutes are rounded to whole mWh, shape (starts,).

    Less of each source is taken, at the mean price that the job pays for it. Where prices are constant, this is exact:
    starts that cost the same but for the rounding then cost exactly the same.

    Args:
        parts: Energy, mWh, and its cost, by source, each of shape (starts,); the rounding is taken from the first ones.
        too_much_mwh: What the minutes of the job add up to more than at other starts; negative: less.
    """
    left = np.full(len(parts[0][0]), too_much_mwh, dtype=np.int64)
    cost = np.zeros(len(left))
    for mwh, paid in parts:
        taken = np.where(mwh > 0, np.minimum(left, mwh), 0)
        cost += np.rint(paid / np.maximum(mwh, 1) * taken)
        left -= taken
    return cost


def _suppliers(
    sources: _Sources, begin: int, rows: IntArray, needed_mwh: IntArray, preferences: Sequence[Preference]
) -> IntArray:
    """Return how many producers supply the job at each start; of starts that are covered alike, for those of a day."""
    offers = sources.offers
    counts = np.full(len(rows), len(offers.producers) + 1, dtype=np.int64)
    is_last = set(preferences[preferences.index("fewest") + 1 :]) <= {"earliest"}
    are_alike = comes_first("covered", "fewest", preferences)
    for i, row in enumerate(rows[: MAX_COUNTED if are_alike else None].tolist()):
        start_s = (offers.first_minute + begin + row) * MINUTE_S
        counts[i] = len(_allot(needed_mwh, sources, start_s, preferences))
        if counts[i] <= 1 and is_last:
            break  # none is better, and this is the earliest one
    return counts


MAX_COUNTED = 1_440
"""Starts that are covered alike whose suppliers are counted: those of a day; of more, the earliest ones."""


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
