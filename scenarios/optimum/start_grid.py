"""Candidate starts: the whole minutes of a window and a few single seconds, each with its draw by minute."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

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
