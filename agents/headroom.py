"""Headroom: a coarse view of uncommitted production, by which the manager leaves out producers that cannot serve a job.

A view is an upper bound. In any schedule, the jobs that must run within a stretch of time draw no more than the
producer produces there. So a producer cannot accept a job that needs more than they leave in some stretch that contains
all of its possible runs, or more power than any minute of the stretch has. This holds for all schedulers, because it
follows from what they promise, not from how they search.

The remaining energy may be scattered over minutes. So a view also has the best minute of each slot (a quarter of a
block): if at every start in its window a job draws more than the best minute of some slot, it cannot be accepted. If a
producer declines a job that its view does not rule out, and a fine view would, it publishes a fine view. The slots of a
fine view are minutes, less what jobs that may still move draw there in any case (`agents.scheduling.compulsory_draw`).

Stretches begin and end with blocks of whole hours. Everything is rounded in favour of asking: production up, promises
down, and a promise counts only where it has to run. Uncommitted production falls with promises and as time passes, so
an old view remains an upper bound. It rises with a new forecast, and when a promise ends or may move again; then the
producer publishes a new view in the same round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.energy import FloatArray, IntArray, LoadProfile
from agents.model import TimeS
from agents.scheduling import (
    BIN_S,
    MAX_COMPULSORY_TASKS,
    Commitment,
    CompulsoryDraw,
    ProducerState,
    Task,
    add,
    first_covered,
)

MIN_BLOCK_S = 3_600
"""Shortest block of a view, seconds."""
MAX_BLOCKS = 30
"""Blocks of a view; a longer forecast has longer blocks."""
SLOTS_A_BLOCK = 4
"""Slots of a block of a coarse view."""
FINE_SLOTS_A_BLOCK = 60
"""Slots of a block of a fine view: minutes, if a block has an hour."""
MARGIN_WH = 0.05
"""By how much a job may exceed the headroom, Wh: far more than what schedulers tolerate over all minutes of a run."""
MAX_CELLS = 1 << 17
"""Starts times slots compared at once."""
_DIGITS = 10.0
"""Views are in tenths of a watt-hour."""

BoolArray = npt.NDArray[np.bool_]
EnergyWh = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
_Energies = Annotated[tuple[EnergyWh, ...], Field(max_length=MAX_BLOCKS)]
_Peaks = Annotated[tuple[EnergyWh, ...], Field(max_length=MAX_BLOCKS * FINE_SLOTS_A_BLOCK)]
_Block = Annotated[int, Field(ge=0, le=MAX_BLOCKS)]


@dataclass(frozen=True, slots=True)
class Need:
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
    def of(cls, task: Task, now_s: int) -> Need:
        """Return what a task needs from now on, UNIX seconds."""
        first_s, end_s = max(task.earliest_start_s, now_s), task.latest_start_s + task.load.duration_s
        return cls(first_s, end_s, task.load.energy_wh, task.load.least_peak_wh, task.load)

    @property
    def last_start_s(self) -> int:
        """Its latest possible start, if its load is known."""
        return self.end_s - (0 if self.load is None else self.load.duration_s)


class View(BaseModel):
    """A producer's uncommitted production by block. Times in UNIX seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    from_s: TimeS
    """Begin of the first block."""
    block_s: Annotated[int, Field(ge=MIN_BLOCK_S, le=10**9)]
    """Length of a block, seconds. After the last one nothing is produced."""
    free_wh: _Energies = ()
    """Production in each block without what running and fixed jobs draw, Wh, shape (blocks,)."""
    peak_wh: _Peaks = ()
    """The same in the best minute of each slot, Wh, shape (blocks * slots of a block,)."""
    promised: Annotated[tuple[tuple[_Block, _Block, EnergyWh], ...], Field(max_length=MAX_BLOCKS**2)] = ()
    """The draw of jobs that may still move: the first block in which they may run, the block after the last one, Wh."""

    @model_validator(mode="after")
    def _has_peaks_of_each_block(self) -> Self:
        blocks, peaks = len(self.free_wh), len(self.peak_wh)
        slots = peaks // blocks if blocks else 1
        is_allowed = 1 <= slots <= SLOTS_A_BLOCK or slots == FINE_SLOTS_A_BLOCK
        if peaks != blocks * slots or not is_allowed or self.block_s % (slots * BIN_S):
            raise ValueError(
                f"{peaks} peaks for {blocks} blocks of {self.block_s} s: expected 1 to {SLOTS_A_BLOCK} or "
                f"{FINE_SLOTS_A_BLOCK} peaks for each block, whole minutes apart"
            )
        return self

    @property
    def slot_s(self) -> int:
        """Length of a slot, seconds."""
        return self.block_s * len(self.free_wh) // len(self.peak_wh) if self.peak_wh else self.block_s

    @property
    def is_fine(self) -> bool:
        """Whether its slots are shorter than those of a coarse view."""
        return len(self.peak_wh) > SLOTS_A_BLOCK * len(self.free_wh)

    @cached_property
    def bounds(self) -> Bounds:
        """The view in the form used for calculations."""
        return Bounds.of(self)


@dataclass(frozen=True, eq=False)
class Uncommitted:
    """The content of a view, in arrays. Most views are only compared, and not published."""

    from_s: int
    block_s: int
    free_wh: FloatArray
    """See `View.free_wh`."""
    peak_wh: FloatArray
    """See `View.peak_wh`."""
    promised: tuple[tuple[int, int, float], ...]
    """See `View.promised`."""

    @property
    def slot_s(self) -> int:
        """Length of a slot, seconds."""
        return self.block_s * len(self.free_wh) // len(self.peak_wh) if len(self.peak_wh) else self.block_s

    @cached_property
    def bounds(self) -> Bounds:
        """The bounds of all stretches."""
        return Bounds.of(self)

    def may_serve(self, need: Need) -> bool:
        """Return whether the producer could accept a job; the same as by `bounds`, in less time for a few jobs."""
        blocks = len(self.free_wh)
        row, column = stretch(need, self.from_s, self.block_s, blocks)
        peak_wh, left_wh = 0.0, 0.0
        if row < column:
            slots = len(self.peak_wh) // blocks
            peak_wh = float(self.peak_wh[row * slots : column * slots].max())
        if peak_wh + MARGIN_WH < need.peak_wh:
            return False
        if not may_run_at(need, self.from_s, self.slot_s, self.peak_wh):
            return False
        if row < column:
            left_wh = float(np.minimum.reduce(self._left_wh[: row + 1, column:], axis=None))
        return left_wh + MARGIN_WH >= need.energy_wh

    @cached_property
    def _left_wh(self) -> FloatArray:
        """What jobs that must run within each stretch leave there, Wh; see `_left_within_wh`."""
        return _left_within_wh(self)

    def view(self) -> View:
        """Return it as it is published."""
        return View(
            from_s=self.from_s,
            block_s=self.block_s,
            free_wh=tuple(self.free_wh.tolist()),
            peak_wh=tuple(self.peak_wh.tolist()),
            promised=self.promised,
        )


class PublishedHeadroom:
    """The view of a producer that the manager has, and when it needs a newer one."""

    __slots__ = ("_of_this_round", "view")

    def __init__(self) -> None:
        """Begin with a manager that has no view."""
        self.view: View | None = None
        """As published last; None: the manager has none."""
        self._of_this_round: Uncommitted | None = None
        """The same as it was computed, if that was in this round."""

    def begin_round(self) -> None:
        """Expect refusals by other states: in one round, many jobs are declined by the same one."""
        self._of_this_round = None

    def retract(self) -> None:
        """Regard the manager as without a view: it forgets that of a producer that leaves."""
        self.view = None

    def renew(self, state: ProducerState) -> View | None:
        """Return the view to be published if more is left than the manager knows of; None: its view still holds.

        Args:
            state: The producer's state.
        """
        now = uncommitted_of(state, is_fine=self.view is not None and self.view.is_fine)
        return self._publish(now) if self.view is None or now.bounds.exceeds(self.view.bounds) else None

    def explain_refusal(self, state: ProducerState, task: Task) -> View | None:
        """Return the view to be published if it shows why a task was declined, and the manager's does not; else None.

        A coarse view is enough for most producers. One whose view has misled a job publishes a fine one.

        Args:
            state: The producer's state.
            task: The task.
        """
        if self.view is None:
            return None
        now = uncommitted_of(state, is_fine=True)
        if now is self._of_this_round:  # published when another job of the same round was declined
            return None
        need = Need.of(task, state.now_s)
        return self._publish(now) if not now.may_serve(need) and self.view.bounds.may_serve(need) else None

    def _publish(self, now: Uncommitted) -> View:
        self.view, self._of_this_round = now.view(), now
        return self.view


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most energy that a job can get within each stretch of blocks."""

    from_s: int
    block_s: int
    blocks: int
    energy_wh: FloatArray
    """Shape (blocks + 1, blocks + 1): row, the first block of the stretch; column, the one after its last."""
    peak_wh: FloatArray
    """In one minute; the same shape."""
    slot_s: int
    slots_wh: FloatArray
    """In the best minute of each slot, shape (slots,)."""

    @classmethod
    def of(cls, view: View | Uncommitted) -> Bounds:
        """Return the bounds of a view."""
        blocks = len(view.free_wh)
        left_wh = _left_within_wh(view)
        is_stretch = np.triu(np.ones((blocks + 1, blocks + 1), dtype=bool), k=1)
        left_wh[~is_stretch] = np.inf
        # A job that runs within a stretch also runs within each longer one around it.
        left_wh = np.minimum.accumulate(left_wh, axis=0)
        left_wh = np.minimum.accumulate(left_wh[:, ::-1], axis=1)[:, ::-1]
        left_wh[~is_stretch] = 0.0
        peak_wh = np.zeros((blocks + 1, blocks + 1))
        slots_wh = np.array(view.peak_wh, dtype=np.float64)
        if blocks:
            peak_wh[:, 1:] = slots_wh.reshape(blocks, -1).max(axis=1)
        peak_wh[~is_stretch] = 0.0
        peak_wh = np.maximum.accumulate(peak_wh, axis=1)
        return cls(view.from_s, view.block_s, blocks, left_wh, peak_wh, view.slot_s, slots_wh)

    def stretch(self, need: Need) -> tuple[int, int]:
        """Return the smallest stretch that holds all possible runs of a job, as row and column."""
        return stretch(need, self.from_s, self.block_s, self.blocks)

    def may_serve(self, need: Need) -> bool:
        """Return whether a producer with this view could accept a job."""
        at = self.stretch(need)
        if self.energy_wh[at] + MARGIN_WH < need.energy_wh or self.peak_wh[at] + MARGIN_WH < need.peak_wh:
            return False
        return may_run_at(need, self.from_s, self.slot_s, self.slots_wh)

    def exceeds(self, older: Bounds) -> bool:
        """Return whether anything is left, somewhere, that an older view does not show."""
        edges_s = self.from_s + self.block_s * np.arange(self.blocks + 1)
        rows = np.clip((edges_s - older.from_s) // older.block_s, 0, older.blocks)
        columns = np.clip(-(-(edges_s - older.from_s) // older.block_s), 0, older.blocks)
        if (self.energy_wh > older.energy_wh[np.ix_(rows, columns)] + 1e-6).any():
            return True
        begins_s = self.from_s + self.slot_s * np.arange(len(self.slots_wh))
        return bool((self.slots_wh > older.least_peaks_wh(begins_s, self.slot_s) + 1e-6).any())

    def least_peaks_wh(self, begins_s: IntArray, length_s: int) -> FloatArray:
        """Return the lowest peak of all slots that each of some stretches of time touches; 0 outside of the view.

        Args:
            begins_s: Where the stretches begin, UNIX seconds, shape (stretches,).
            length_s: How long they are, seconds.
        """
        slots_wh = np.append(self.slots_wh, 0.0)
        first, last = (begins_s - self.from_s) // self.slot_s, (begins_s + length_s - 1 - self.from_s) // self.slot_s
        outside = len(self.slots_wh)
        least_wh = np.full(len(begins_s), np.inf)
        for later in range(int((last - first).max(initial=0)) + 1):
            slots = np.minimum(first + later, last)
            least_wh = np.minimum(least_wh, slots_wh[np.where((slots < 0) | (slots >= outside), outside, slots)])
        return least_wh


def _left_within_wh(view: View | Uncommitted) -> FloatArray:
    """Return what movable jobs that must run within each stretch leave of it, Wh, shape (blocks + 1, blocks + 1).

    Rows and columns are those of `Bounds.energy_wh`; the values mean something only above the diagonal.
    """
    until_wh = np.concatenate([[0.0], np.cumsum(view.free_wh)])
    left_wh: FloatArray = until_wh[np.newaxis, :] - until_wh[:, np.newaxis]
    if view.promised:
        left_wh -= _within_wh(view.promised, len(view.free_wh))
    return left_wh


def _within_wh(promised: Iterable[tuple[int, int, float]], blocks: int) -> FloatArray:
    """Return what movable jobs draw that must run within each stretch, Wh, shape (blocks + 1, blocks + 1)."""
    within_wh = np.zeros((blocks + 1, blocks + 1))
    for first, end, energy_wh in promised:
        within_wh[min(first, blocks), min(end, blocks)] += energy_wh
    return np.cumsum(np.cumsum(within_wh[::-1], axis=0)[::-1], axis=1)


def stretch(need: Need, from_s: int, block_s: int, blocks: int) -> tuple[int, int]:
    """Return the smallest stretch of blocks that holds all possible runs of a job: its first block, and the one after.

    Args:
        need: The job's needs.
        from_s: Begin of the first block, UNIX seconds.
        block_s: Length of a block, seconds.
        blocks: How many there are.
    """
    row = min(max((need.begin_s - from_s) // block_s, 0), blocks)
    column = min(max(-(-(need.end_s - from_s) // block_s), 0), blocks)
    return row, column


def may_run_at(need: Need, from_s: int, slot_s: int, slots_wh: npt.NDArray[np.floating]) -> bool:
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


def may_run(need: Need, from_s: IntArray, slot_s: int, slots_wh: npt.NDArray[np.floating]) -> BoolArray:
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


def uncommitted_of(state: ProducerState, *, is_fine: bool = False) -> Uncommitted:
    """Return what a producer's view shows at present.

    Args:
        state: The producer's state.
        is_fine: Whether its slots are minutes, without what movable jobs draw in any case; ignored if there are so many
            of them that hardly any draw is compulsory.
    """
    known = state.kept(Uncommitted, is_fine)
    return state.keep(_uncommitted_of(state, is_fine=is_fine), is_fine) if known is None else known


def _uncommitted_of(state: ProducerState, *, is_fine: bool) -> Uncommitted:
    begin_s, end_s = state.now_s - state.now_s % BIN_S, state.production.end_s
    hours = max(0, -(-(end_s - begin_s) // MIN_BLOCK_S) + 1)
    block_s = MIN_BLOCK_S * max(1, -(-hours // MAX_BLOCKS))
    from_s = begin_s // block_s * block_s
    blocks = min(MAX_BLOCKS, max(0, -(-(end_s - from_s) // block_s)))
    if not blocks:
        return Uncommitted(from_s, block_s, np.zeros(0), np.zeros(0), ())
    fixed: list[Commitment] = []
    movable: list[Commitment] = []
    for commitment in state.committed:
        (fixed if _is_fixed(commitment, state.now_s) else movable).append(commitment)
    bins = (from_s + blocks * block_s - begin_s) // BIN_S
    drawn_wh = np.zeros(bins)
    for commitment in fixed:
        add(drawn_wh, begin_s, commitment.task.load, commitment.start_s)
    edges_s = begin_s + BIN_S * np.arange(bins + 1, dtype=np.float64)
    minutes_wh = np.zeros(blocks * block_s // BIN_S)
    minutes_wh[-bins:] = np.maximum(state.production.energy_per_bin_wh(edges_s) - drawn_wh, 0.0)
    by_block, left_wh, slots = minutes_wh.reshape(blocks, -1), minutes_wh, SLOTS_A_BLOCK
    if is_fine and len(movable) <= MAX_COMPULSORY_TASKS:
        left_wh = CompulsoryDraw(minutes_wh, [c.task for c in movable], from_s, state.now_s).left_wh
        slots = FINE_SLOTS_A_BLOCK
    peaks_wh = left_wh if slots * BIN_S == block_s else left_wh.reshape(blocks * slots, -1).max(axis=1)
    promised = _promised(movable, from_s, block_s, blocks)
    return Uncommitted(from_s, block_s, _up(by_block.sum(axis=1)), _up(peaks_wh), promised)


def coarse_slots_wh(slots_wh: FloatArray, blocks: int) -> FloatArray:
    """Return the best minute of each slot of a coarse view, Wh, from those of a fine one.

    Args:
        slots_wh: The best minute of each slot of the fine view, Wh, shape (slots,).
        blocks: Blocks of the view.
    """
    coarse_wh: FloatArray = slots_wh.reshape(blocks * SLOTS_A_BLOCK, -1).max(axis=1)
    return coarse_wh


def _is_fixed(commitment: Commitment, now_s: int) -> bool:
    return commitment.start_s <= now_s or not commitment.task.has_choice(now_s)


def _promised(
    movable: Iterable[Commitment], from_s: int, block_s: int, blocks: int
) -> tuple[tuple[int, int, float], ...]:
    """Return what movable jobs draw, by the stretch of blocks that holds all of their possible runs."""
    found: dict[tuple[int, int], float] = {}
    for commitment in movable:
        task = commitment.task
        first_s, last_s = task.open_starts[0][0], task.open_starts[-1][1]
        need = Need(first_s, last_s + task.load.duration_s, task.load.energy_wh, 0.0)
        at = stretch(need, from_s, block_s, blocks)
        found[at] = found.get(at, 0.0) + need.energy_wh
    return tuple((*at, float(np.floor(wh * _DIGITS) / _DIGITS)) for at, wh in sorted(found.items()))


def _up(energies_wh: FloatArray) -> FloatArray:
    return np.ceil(energies_wh * _DIGITS) / _DIGITS
