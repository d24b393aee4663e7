"""What a job needs of a producer, and whether the energy that producers have left in each slot of time covers it.

A slot has the energy that is left in its best minute. If at every start in its window a job draws more than that in
some slot, no scheduler can accept it (`agents.headroom`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agents.energy import IntArray, LoadProfile
from agents.scheduling import BIN_S, Task, first_covered

MARGIN_WH = 0.05
"""By how much a job may exceed the headroom, Wh: far more than what schedulers tolerate over all minutes of a run."""
MAX_CELLS = 1 << 17
"""Starts times slots compared at once."""
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class JobNeeds:
    """The needs of a job. Times in UNIX seconds."""

    begin_s: int
    """Its earliest possible start."""
    end_s: int
    """The end of its run from its latest possible start."""
    energy_wh: float
    peak_wh: float
    """Lower bound of its draw in its strongest minute, Wh."""
    load: LoadProfile | None = None
    """The load profile of its run; None: not known."""

    @classmethod
    def of(cls, task: Task, now_s: int) -> JobNeeds:
        """Return what a task needs from now on, UNIX seconds."""
        first_s, end_s = max(task.earliest_start_s, now_s), task.latest_start_s + task.load.duration_s
        return cls(first_s, end_s, task.load.energy_wh, task.load.least_peak_wh, task.load)

    @property
    def last_start_s(self) -> int:
        """Its latest possible start, if its load is known."""
        return self.end_s - (0 if self.load is None else self.load.duration_s)


def may_run_at(need: JobNeeds, from_s: int, slot_s: int, slots_wh: npt.NDArray[np.floating]) -> bool:
    """Return whether one producer has enough in the best minute of each slot; as `may_run`, in a third of the time.

    Args:
        need: The job's needs.
        from_s: Where the producer's slots begin, UNIX seconds.
        slot_s: Length of a slot, seconds.
        slots_wh: The best minute of each, Wh, shape (slots,).
    """
    if need.load is None or need.begin_s > need.last_start_s:
        return True
    needed_wh = need.load.least_needed_wh(slot_s, MARGIN_WH, slots_wh.dtype)
    (minutes, touched), slots = needed_wh.shape, len(slots_wh)
    before, after = -(touched + 1) * minutes, (slots + 1) * minutes - 1
    first = min(max((need.begin_s - from_s) // BIN_S, before), after)
    last = min(max((need.last_start_s - from_s) // BIN_S, before), after)
    begin, end = first // minutes, last // minutes + touched
    there_wh = slots_wh[max(begin, 0) : max(end, 0)]
    if len(there_wh) < end - begin:
        inside_wh, there_wh = there_wh, np.zeros(end - begin, dtype=slots_wh.dtype)
        there_wh[max(-begin, 0) : max(-begin, 0) + len(inside_wh)] = inside_wh
    if minutes == 1:
        return _is_covered(there_wh, needed_wh[0])
    return _is_covered_by_minute(there_wh, needed_wh, first % minutes, last % minutes)


def _is_covered(there_wh: npt.NDArray[np.floating], needed_wh: npt.NDArray[np.floating]) -> bool:
    """Return whether a producer covers a run of many slots at some start.

    Args:
        there_wh: The best minute of each slot, Wh, shape (starts + slots of a run - 1,).
        needed_wh: What the run draws in each slot, Wh, shape (slots of a run,).
    """
    peak, run = int(needed_wh.argmax()), len(needed_wh)
    fits = (there_wh[peak : peak + len(there_wh) - run + 1] >= needed_wh[peak, ...]).tobytes()
    return first_covered(there_wh, needed_wh, fits) >= 0


def _is_covered_by_minute(
    there_wh: npt.NDArray[np.floating], needed_wh: npt.NDArray[np.floating], first: int, last: int
) -> bool:
    """Return whether a producer covers a run at some start, if slots are longer than minutes.

    Args:
        there_wh: The best minute of each slot, Wh, shape (starts + slots of a run - 1,).
        needed_wh: What the run draws in each slot, Wh, shape (minutes of a slot, slots of a run): by the minute of the
            slot in which it starts.
        first: The first minute of its slot in which the first start is possible.
        last: The last one in which the last start is.
    """
    touched, step = needed_wh.shape[1], there_wh.itemsize
    starts = len(there_wh) - touched + 1
    there_wh = np.ascontiguousarray(there_wh)
    windows = np.ndarray((starts, touched), there_wh.dtype, there_wh, 0, (step, step))
    # What a run draws in a slot whatever the minute leaves few starts at which to compare minutes.
    begins = np.logical_and.reduce(windows >= np.minimum.reduce(needed_wh, axis=0), 1).nonzero()[0]

    def covers(some: IntArray) -> bool:
        covered = np.logical_and.reduce(windows[some][:, np.newaxis, :] >= needed_wh, axis=2)
        covered[some == 0, :first] = False
        covered[some == starts - 1, last + 1 :] = False
        return bool(np.logical_or.reduce(covered, axis=None))

    # A producer that has enough usually has it in the middle of these starts.
    middle, block = len(begins) // 2, max(1, MAX_CELLS // needed_wh.size)
    if len(begins) and covers(begins[middle : middle + 1]):
        return True
    return any(covers(begins[at : at + block]) for at in range(0, len(begins), block))


def may_run(need: JobNeeds, from_s: IntArray, slot_s: int, slots_wh: npt.NDArray[np.floating]) -> BoolArray:
    """Return which producers have enough in the best minute of each slot, for some start of a job.

    Args:
        need: The job's needs.
        from_s: Where each producer's slots begin, UNIX seconds, alike but for whole slots; shape (producers,).
        slot_s: Length of a slot, seconds.
        slots_wh: The best minute of each, Wh, shape (producers, slots).
    """
    if need.load is None or need.begin_s > need.last_start_s or not len(from_s):
        return np.ones(len(from_s), dtype=np.bool_)
    if len(from_s) == 1:
        return np.array([may_run_at(need, int(from_s[0]), slot_s, slots_wh[0])])
    needed_wh = need.load.least_needed_wh(slot_s, MARGIN_WH, slots_wh.dtype)
    minutes, touched = needed_wh.shape
    slots, begin_s, last_begin_s = slots_wh.shape[1], int(np.minimum.reduce(from_s)), int(np.maximum.reduce(from_s))
    # Before and after all slots nothing is produced: the starts of one slot there stand for all others.
    before = -(touched + 1) * minutes
    after = ((last_begin_s - begin_s) // slot_s + slots + 1) * minutes - 1
    first = min(max((need.begin_s - begin_s) // BIN_S, before), after)
    last = min(max((need.last_start_s - begin_s) // BIN_S, before), after)
    first_slot, last_slot = first // minutes, last // minutes
    starts, width = last_slot - first_slot + 1, last_slot - first_slot + touched
    there_wh = np.zeros((len(from_s), width), dtype=slots_wh.dtype)
    if begin_s == last_begin_s:
        begin, end = max(first_slot, 0), min(first_slot + width, slots)
        if begin < end:
            there_wh[:, begin - first_slot : end - first_slot] = slots_wh[:, begin:end]
    else:
        places = np.arange(first_slot, first_slot + width) - ((from_s - begin_s) // slot_s)[:, np.newaxis]
        is_inside = (places >= 0) & (places < slots)
        there_wh[is_inside] = slots_wh[is_inside.nonzero()[0], places[is_inside]]
    if minutes == 1:
        return _any_covered(there_wh, needed_wh[0], starts)
    is_possible = np.ones((starts, minutes), dtype=np.bool_)
    is_possible[0, : first % minutes] = False
    is_possible[-1, last % minutes + 1 :] = False
    return _any_covered_by_minute(there_wh, needed_wh, is_possible)


def _any_covered_by_minute(
    there_wh: npt.NDArray[np.floating], needed_wh: npt.NDArray[np.floating], is_possible: BoolArray
) -> BoolArray:
    """Return which producers cover a run at some start, if slots are longer than minutes.

    Args:
        there_wh: The best minute of each slot, Wh, shape (producers, starts + slots of a run - 1).
        needed_wh: What the run draws in each slot, Wh, shape (minutes of a slot, slots of a run): by the minute of the
            slot in which it starts.
        is_possible: Whether it may start in each minute, shape (starts, minutes of a slot).
    """
    starts, touched = len(is_possible), needed_wh.shape[1]
    # What a run draws in a slot whatever the minute leaves few starts at which to compare minutes.
    least_wh = np.minimum.reduce(needed_wh, axis=0)
    fits = np.ones((len(there_wh), starts), dtype=np.bool_)
    for slot, wh in enumerate(least_wh.tolist()):
        if wh > 0:
            fits &= there_wh[:, slot : slot + starts] >= wh
    run = np.arange(touched)

    def covered(some: IntArray, first: IntArray) -> BoolArray:
        windows_wh = there_wh[some[:, np.newaxis], first[:, np.newaxis] + run]
        covers = np.logical_and.reduce(windows_wh[:, np.newaxis, :] >= needed_wh, axis=2) & is_possible[first]
        found: BoolArray = np.logical_or.reduce(covers, axis=1)
        return found

    return _any_start(fits, covered, needed_wh.size)


def _any_covered(there_wh: npt.NDArray[np.floating], needed_wh: npt.NDArray[np.floating], starts: int) -> BoolArray:
    """Return which producers cover a run of many slots at some start.

    Args:
        there_wh: The best minute of each slot, Wh, shape (producers, starts + slots of a run - 1).
        needed_wh: What the run draws in each slot, Wh, shape (slots of a run,).
        starts: How many starts there are, a slot apart.
    """
    # The strongest slot, and the last one that draws half as much, leave few starts at which to compare all slots.
    peak = int(needed_wh.argmax())
    late = int((needed_wh >= needed_wh[peak] / 2).nonzero()[0][-1]) if needed_wh[peak] > 0 else peak
    fits = there_wh[:, peak : peak + starts] >= needed_wh[peak]
    fits &= there_wh[:, late : late + starts] >= needed_wh[late]
    run = np.arange(len(needed_wh))

    def covered(some: IntArray, first: IntArray) -> BoolArray:
        windows_wh = there_wh[some[:, np.newaxis], first[:, np.newaxis] + run]
        found: BoolArray = np.logical_and.reduce(windows_wh >= needed_wh, axis=1)
        return found

    return _any_start(fits, covered, len(needed_wh))


def _any_start(fits: BoolArray, covered: Callable[[IntArray, IntArray], BoolArray], cells: int) -> BoolArray:
    """Return which producers cover a run at some of the starts that are left.

    Args:
        fits: Which starts are left for each producer, shape (producers, starts).
        covered: Tells which pairs of a producer and one of its starts cover the run.
        cells: How many numbers are compared for each pair.
    """
    found = np.zeros(len(fits), dtype=np.bool_)
    producers, begins = fits.nonzero()
    if not len(producers):
        return found
    block = max(1, MAX_CELLS // cells)

    def compare(places: IntArray) -> None:
        for at in range(0, len(places), block):
            some = producers[places[at : at + block]]
            found[some[covered(some, begins[places[at : at + block]])]] = True

    # A producer that has enough usually has it in the middle of these starts.
    edges = producers.searchsorted(np.arange(len(fits) + 1))
    middles = ((edges[:-1] + edges[1:]) // 2)[edges[:-1] < edges[1:]]
    compare(middles)
    left = ~found[producers]
    left[middles] = False
    compare(left.nonzero()[0])
    return found
