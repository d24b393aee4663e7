"""The starts of a job in its window: single ones, as plans choose them, and all seconds as linear pieces, for bounds.

A grid has starts that lie whole minutes apart: the whole minutes of the window, and a few single seconds, each with its
draw by minute.

As a function of the start, the energy that a job draws in a minute bin has a kink only where a point of its load
profile crosses the edge of a minute. Between two neighbouring kinks it is linear, so the draws of all starts in such a
*piece* lie between those of its two ends, and so do their costs at any prices. Where an end draws more than a producer
could promise, the starts that do not are again an interval, and its two ends take the place of the piece's.

Pieces that lie whole minutes apart have the same draws, shifted by whole bins; together they are a *family*.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from agents import FloatArray, LoadProfile

BIN_S = 60
TOLERANCE_WH = 1e-6
"""By how much a promise may exceed the expected production of one bin, Wh; the same as the schedulers'."""

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class StartGrid:
    """Starts of a job that lie one minute apart, so that all of them draw the same, shifted by whole bins."""

    draw_wh: FloatArray
    """Energy in each bin from the start's own bin on, Wh, shape (bins,)."""
    offset_s: int
    """From the beginning of a bin to the start, 0 to 59."""
    first_bin: int
    """Bin of the first start, counted from the instance's start."""
    count: int
    """Number of starts."""

    def fits(self, room_wh: FloatArray, indices: IntArray) -> IntArray:
        """Return the starts at which no bin draws more than is left.

        Args:
            room_wh: Energy that is left in each bin of the instance, Wh, shape (bins,).
            indices: Starts to test, as indices into the grid, rising; at least one.

        Returns:
            Those of `indices` that fit.
        """
        low, high = int(indices[0]), int(indices[-1])
        bins = len(self.draw_wh)
        under = room_wh[self.first_bin + low : self.first_bin + high + bins] + TOLERANCE_WH
        # Most starts fail where the draw is highest. One running sum tests that; few are left for the full test.
        level_wh, begin, end = self._peak
        short = np.zeros(len(under) + 1, dtype=np.int32)
        (under < level_wh).cumsum(out=short[1:])
        left: IntArray = indices[short[indices + (end - low)] == short[indices + (begin - low)]]
        if not len(left):
            return left
        windows = np.ndarray((len(under) - bins + 1, bins), under.dtype, under, strides=2 * under.strides)[left - low]
        return np.asarray(left[(windows >= self.draw_wh).all(axis=1)], dtype=np.int64)

    @cached_property
    def indices(self) -> IntArray:
        """Indices of all starts, ascending from 0, shape (count,)."""
        return np.arange(self.count, dtype=np.int64)

    @cached_property
    def _peak(self) -> tuple[float, int, int]:
        """The highest draw, Wh, and the longest run of bins with it: its first bin and the bin after its last."""
        high = np.concatenate(([False], self.draw_wh >= self.draw_wh.max() - TOLERANCE_WH, [False]))
        begins, ends = np.flatnonzero(high[1:] & ~high[:-1]), np.flatnonzero(high[:-1] & ~high[1:])
        longest = int((ends - begins).argmax())
        return float(self.draw_wh.max()) - TOLERANCE_WH, int(begins[longest]), int(ends[longest])

    def cost(self, price: FloatArray) -> FloatArray:
        """Return what each start's draw costs.

        Args:
            price: Price per Wh in each bin of the instance, shape (bins,).

        Returns:
            Cost of each start, shape (count,).
        """
        under = price[self.first_bin : self.first_bin + self.count + len(self.draw_wh) - 1]
        return np.asarray(np.correlate(under, self.draw_wh, "valid"), dtype=np.float64)


def start_grids_of(
    load: LoadProfile, begin_s: int, window_s: tuple[int, int], singles_s: Iterable[int]
) -> tuple[StartGrid, ...]:
    """Return the candidate starts of a job: whole minutes as one grid, and a grid for each single second.

    Args:
        load: The job's load profile.
        begin_s: Beginning of the instance's first bin, UNIX seconds, a whole minute.
        window_s: First and last start of the window, UNIX seconds.
        singles_s: Further starts to include, UNIX seconds; those on whole minutes are in the first grid already.
    """
    start_grids = []
    first_bin, last_bin = -((begin_s - window_s[0]) // BIN_S), (window_s[1] - begin_s) // BIN_S
    if last_bin >= first_bin:
        start_grids.append(StartGrid(draw_from(load, 0), 0, first_bin, last_bin - first_bin + 1))
    for start_s in sorted(singles_s):
        single_bin, offset_s = divmod(start_s - begin_s, BIN_S)
        if offset_s:
            start_grids.append(StartGrid(draw_from(load, offset_s), offset_s, single_bin, 1))
    return tuple(start_grids)


def single_start(load: LoadProfile, begin_s: int, start_s: int) -> StartGrid:
    """Return a grid of one start.

    Args:
        load: The job's load profile.
        begin_s: Beginning of the instance's first bin, UNIX seconds, a whole minute.
        start_s: The start, UNIX seconds.
    """
    bin_, offset_s = divmod(start_s - begin_s, BIN_S)
    return StartGrid(draw_from(load, offset_s), offset_s, bin_, 1)


def draw_from(load: LoadProfile, offset_s: int) -> FloatArray:
    """Return a load's energy by bin, Wh, shape (bins,), when it starts `offset_s` after the beginning of a bin."""
    bins = max(1, -(-(offset_s + load.duration_s) // BIN_S))
    return load.energy_per_bin_wh(BIN_S * np.arange(bins + 1, dtype=np.float64) - offset_s)


@dataclass(frozen=True)
class PieceFamily:
    """Congruent linear pieces of a window that lie one minute apart."""

    left_wh: FloatArray
    """Draw of a piece's first second in each bin, from that second's own bin on, Wh, shape (bins,)."""
    right_wh: FloatArray
    """Draw of a piece's last second in the same bins, Wh, shape (bins,)."""
    offset_s: int
    """From the beginning of a bin to the first second of a piece, 0 to 59."""
    length_s: int
    """From the first second of a piece to its last."""
    first_bin: int
    """Bin of the first piece, counted from the instance's start."""
    count: int
    """Number of pieces."""

    def within(self, limit_wh: FloatArray) -> FeasiblePieces:
        """Return the part of each piece in which no bin draws more than a limit.

        Args:
            limit_wh: The limit of each bin of the instance, Wh, shape (bins,).
        """
        under = self._under(limit_wh)
        rise = self.right_wh - self.left_wh
        windows = sliding_window_view(under, len(self.left_wh)) + TOLERANCE_WH
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = (windows - self.left_wh) / rise
        first = np.where(rise < 0, crossing, 0.0).max(axis=1, initial=0.0)
        last = np.where(rise > 0, crossing, 1.0).min(axis=1, initial=1.0)
        level = (windows >= self.left_wh)[:, rise == 0].all(axis=1)
        # Whole seconds only. The epsilon keeps a second that rounding would lose; it can only loosen a bound.
        first_s = np.ceil(first * self.length_s - 1e-6)
        last_s = np.floor(last * self.length_s + 1e-6)
        return FeasiblePieces(self, first_s, last_s, np.asarray(level & (first_s <= last_s), dtype=np.bool_))

    def costs(self, price: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the cost of the draws of each piece's first and last second.

        Args:
            price: Price per Wh in each bin of the instance, shape (bins,).

        Returns:
            Costs of the first seconds and of the last seconds, shape (pieces,) each.
        """
        under = self._under(price)
        left = np.asarray(np.correlate(under, self.left_wh, "valid"), dtype=np.float64)
        return left, np.asarray(np.correlate(under, self.right_wh, "valid"), dtype=np.float64)

    def _under(self, by_bin: FloatArray) -> FloatArray:
        return by_bin[self.first_bin : self.first_bin + self.count + len(self.left_wh) - 1]


@dataclass(frozen=True)
class FeasiblePieces:
    """The part of each piece of a family that a producer's limit leaves."""

    family: PieceFamily
    first_s: FloatArray
    """From a piece's first second to the first that fits, shape (pieces,)."""
    last_s: FloatArray
    """From a piece's first second to the last that fits, shape (pieces,)."""
    mask: BoolArray
    """Which pieces have a second that fits, shape (pieces,)."""

    def cheapest(self, price: FloatArray, surcharge: FloatArray) -> tuple[float, int, int]:
        """Return the lowest cost of any start that fits.

        Args:
            price: Price per Wh in each bin of the instance, shape (bins,).
            surcharge: Additional cost of each piece, shape (pieces,).

        Returns:
            The cost, the index of the piece, and the second within the piece.
        """
        left, right = self.family.costs(price)
        slope = (right - left) / max(1, self.family.length_s)
        left = left + surcharge
        at_first = np.where(self.mask, left + slope * self.first_s, np.inf)
        at_last = np.where(self.mask, left + slope * self.last_s, np.inf)
        low = np.minimum(at_first, at_last)
        piece = int(low.argmin())
        second_s = self.first_s[piece] if at_first[piece] <= at_last[piece] else self.last_s[piece]
        return float(low[piece]), piece, int(second_s)

    def draw_wh(self, second_s: int) -> FloatArray:
        """Return the draw of a start `second_s` into a piece, Wh, by bin, from the bin of the piece's first second."""
        share = second_s / max(1, self.family.length_s)
        return (1.0 - share) * self.family.left_wh + share * self.family.right_wh


def piece_families_of(load: LoadProfile, begin_s: int, window_s: tuple[int, int]) -> tuple[PieceFamily, ...]:
    """Return all seconds of a window as families of linear pieces.

    Args:
        load: The job's load profile.
        begin_s: Beginning of the instance's first bin, UNIX seconds, a whole minute.
        window_s: First and last start of the window, UNIX seconds.
    """
    first_s, last_s = window_s
    knots = {first_s, last_s}
    for bend_s in {(begin_s - time_s) % BIN_S for time_s in load.times_s}:
        knots.update(range(first_s + (bend_s - (first_s - begin_s)) % BIN_S, last_s, BIN_S))
    ordered = sorted(knots)
    pieces = list(pairwise(ordered)) if len(ordered) > 1 else [(first_s, first_s)]
    alike: dict[tuple[int, int], list[int]] = {}
    for left_s, right_s in pieces:
        bin_, offset_s = divmod(left_s - begin_s, BIN_S)
        alike.setdefault((offset_s, right_s - left_s), []).append(bin_)
    return tuple(
        PieceFamily(*_both_draws(load, offset_s, length_s), offset_s, length_s, bins[0], len(bins))
        for (offset_s, length_s), bins in alike.items()
    )


def _both_draws(load: LoadProfile, offset_s: int, length_s: int) -> tuple[FloatArray, FloatArray]:
    left_wh, right_wh = draw_from(load, offset_s), draw_from(load, offset_s + length_s)
    bins = max(len(left_wh), len(right_wh))
    return np.pad(left_wh, (0, bins - len(left_wh))), np.pad(right_wh, (0, bins - len(right_wh)))
