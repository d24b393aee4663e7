"""Starts that plans are made of: whole minutes and a few single seconds, each with its draw by minute."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from agents.energy import FloatArray, LoadProfile

BIN_S = 60
TOLERANCE_WH = 1e-6
"""Of one bin: how far a promise may exceed what is expected; that of the schedulers."""

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Ladder:
    """Starts of a job that lie a minute apart, so that all of them draw the same, shifted by whole bins."""

    draw_wh: FloatArray
    """Energy in each bin from the start's own on, shape (bins,)."""
    offset_s: int
    """From the beginning of the bin to the start, 0 to 59."""
    first_bin: int
    """Bin of the first start, counted from the instance's start."""
    count: int
    """How many starts."""

    def fits(self, room_wh: FloatArray, rungs: IntArray | None = None) -> BoolArray:
        """Return at which starts no bin draws more than `room_wh`, shape (count,) or that of `rungs`, which rise."""
        low, high = (0, self.count - 1) if rungs is None else (int(rungs[0]), int(rungs[-1]))
        bins = len(self.draw_wh)
        under = room_wh[self.first_bin + low : self.first_bin + high + bins] + TOLERANCE_WH
        # A run of equal draws is one question to running sums; most profiles are made of a few such runs.
        misses = np.zeros(high - low + 1, dtype=np.int64)
        for level_wh, runs in self._levels:
            short = np.concatenate(([0], np.cumsum(under < level_wh)))
            for begin, end in runs:
                misses += short[end : end + high - low + 1] - short[begin : begin + high - low + 1]
        fitting: BoolArray = misses == 0
        return fitting if rungs is None or len(rungs) == high - low + 1 else fitting[rungs - low]

    @cached_property
    def _levels(self) -> list[tuple[float, list[tuple[int, int]]]]:
        """Draws above nothing, each with the runs of bins that draw it."""
        edges = [0, *(np.flatnonzero(np.diff(self.draw_wh)) + 1).tolist(), len(self.draw_wh)]
        levels: dict[float, list[tuple[int, int]]] = {}
        for begin, end in pairwise(edges):
            if self.draw_wh[begin] > 0.0:
                levels.setdefault(float(self.draw_wh[begin]), []).append((begin, end))
        return list(levels.items())

    def cost(self, price: FloatArray) -> FloatArray:
        """Return what each start's draw costs at a price by bin and Wh, shape (count,)."""
        under = price[self.first_bin : self.first_bin + self.count + len(self.draw_wh) - 1]
        return np.asarray(np.correlate(under, self.draw_wh, "valid"), dtype=np.float64)


def ladders_of(
    load: LoadProfile, begin_s: int, window_s: tuple[int, int], singles_s: Iterable[int]
) -> tuple[Ladder, ...]:
    """Return the whole minutes of a window, and single starts in it, counted from `begin_s`, a whole minute."""
    ladders = []
    first_bin, last_bin = -((begin_s - window_s[0]) // BIN_S), (window_s[1] - begin_s) // BIN_S
    if last_bin >= first_bin:
        ladders.append(Ladder(_levelled(draw_from(load, 0)), 0, first_bin, last_bin - first_bin + 1))
    for start_s in sorted(singles_s):
        single_bin, offset_s = divmod(start_s - begin_s, BIN_S)
        if offset_s:
            ladders.append(Ladder(_levelled(draw_from(load, offset_s)), offset_s, single_bin, 1))
    return tuple(ladders)


def draw_from(load: LoadProfile, offset_s: int) -> FloatArray:
    """Return the load by bin when it starts `offset_s` after a bin's beginning, shape (bins,)."""
    bins = max(1, -(-(offset_s + load.duration_s) // BIN_S))
    return load.energy_per_bin_wh(BIN_S * np.arange(bins + 1, dtype=np.float64) - offset_s)


def _levelled(draw_wh: FloatArray) -> FloatArray:
    """Return draws without the rounding errors that tell equal ones apart: `fits` is as fast as they are few."""
    return np.round(draw_wh, 9)
