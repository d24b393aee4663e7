"""Piecewise linear functions of the start over every second of a window, for bounds that hold for all of them.

As a function of the start, the energy that a job draws in a minute bin has a kink only where a point of its load
profile crosses the edge of a minute. Between two neighbouring kinks it is linear, so the draws of all starts in such a
*piece* lie between those of its two ends, and so do their costs at any prices. Where an end draws more than a producer
could promise, the starts that do not are again an interval, and its two ends take the place of the piece's.

Pieces that lie whole minutes apart have the same draws, shifted by whole bins; together they are a *family*.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from agents import FloatArray, LoadProfile
from scenarios.optimum.start_grid import BIN_S, TOLERANCE_WH, BoolArray, draw_from


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
