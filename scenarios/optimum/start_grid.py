"""Starts that plans are made of: whole minutes and a few single seconds, each with its draw by minute."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from agents import FloatArray, LoadProfile

BIN_S = 60
TOLERANCE_WH = 1e-6
"""Of one bin: how far a promise may exceed what is expected; that of the schedulers."""

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class StartGrid:
    """Starts of a job that lie a minute apart, so that all of them draw the same, shifted by whole bins."""

    draw_wh: FloatArray
    """Energy in each bin from the start's own on, shape (bins,)."""
    offset_s: int
    """From the beginning of the bin to the start, 0 to 59."""
    first_bin: int
    """Bin of the first start, counted from the instance's start."""
    count: int
    """How many starts."""

    def fits(self, room_wh: FloatArray, indices: IntArray) -> IntArray:
        """Return those of the rungs, given rising, at which no bin draws more than `room_wh`."""
        low, high = int(indices[0]), int(indices[-1])
        bins = len(self.draw_wh)
        under = room_wh[self.first_bin + low : self.first_bin + high + bins] + TOLERANCE_WH
        # Most rungs fail where the draw is highest: one running sum asks for that; few are left to be asked in full.
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
        """All of its starts."""
        return np.arange(self.count, dtype=np.int64)

    @cached_property
    def _peak(self) -> tuple[float, int, int]:
        """The highest draw, and the longest run of bins with it: from the first to before the last."""
        high = np.concatenate(([False], self.draw_wh >= self.draw_wh.max() - TOLERANCE_WH, [False]))
        begins, ends = np.flatnonzero(high[1:] & ~high[:-1]), np.flatnonzero(high[:-1] & ~high[1:])
        longest = int((ends - begins).argmax())
        return float(self.draw_wh.max()) - TOLERANCE_WH, int(begins[longest]), int(ends[longest])

    def cost(self, price: FloatArray) -> FloatArray:
        """Return what each start's draw costs at a price by bin and Wh, shape (count,)."""
        under = price[self.first_bin : self.first_bin + self.count + len(self.draw_wh) - 1]
        return np.asarray(np.correlate(under, self.draw_wh, "valid"), dtype=np.float64)


def start_grids_of(
    load: LoadProfile, begin_s: int, window_s: tuple[int, int], singles_s: Iterable[int]
) -> tuple[StartGrid, ...]:
    """Return the whole minutes of a window, and single starts in it, counted from `begin_s`, a whole minute."""
    start_grids = []
    first_bin, last_bin = -((begin_s - window_s[0]) // BIN_S), (window_s[1] - begin_s) // BIN_S
    if last_bin >= first_bin:
        start_grids.append(StartGrid(draw_from(load, 0), 0, first_bin, last_bin - first_bin + 1))
    for start_s in sorted(singles_s):
        single_bin, offset_s = divmod(start_s - begin_s, BIN_S)
        if offset_s:
            start_grids.append(StartGrid(draw_from(load, offset_s), offset_s, single_bin, 1))
    return tuple(start_grids)


def draw_from(load: LoadProfile, offset_s: int) -> FloatArray:
    """Return the load by bin when it starts `offset_s` after a bin's beginning, shape (bins,)."""
    bins = max(1, -(-(offset_s + load.duration_s) // BIN_S))
    return load.energy_per_bin_wh(BIN_S * np.arange(bins + 1, dtype=np.float64) - offset_s)
