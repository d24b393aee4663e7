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

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.energy import FloatArray, IntArray
from agents.job_needs import MARGIN_WH, JobNeeds, may_run_at
from agents.model import TimeS
from agents.scheduling import (
    BIN_S,
    MAX_COMPULSORY_TASKS,
    Commitment,
    CompulsoryDraw,
    ProducerState,
    Task,
    add,
)

MIN_BLOCK_S = 3_600
"""Shortest block of a view, seconds."""
MAX_BLOCKS = 30
"""Blocks of a view; a longer forecast has longer blocks."""
SLOTS_A_BLOCK = 4
"""Slots of a block of a coarse view."""
FINE_SLOTS_A_BLOCK = 60
"""Slots of a block of a fine view: minutes, if a block has an hour."""
_DIGITS = 10.0
"""Views are in tenths of a watt-hour."""

EnergyWh = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
_Energies = Annotated[tuple[EnergyWh, ...], Field(max_length=MAX_BLOCKS)]
_Peaks = Annotated[tuple[EnergyWh, ...], Field(max_length=MAX_BLOCKS * FINE_SLOTS_A_BLOCK)]
_Block = Annotated[int, Field(ge=0, le=MAX_BLOCKS)]


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

    def may_serve(self, need: JobNeeds) -> bool:
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
        """The view published last; None: the manager has none."""
        self._of_this_round: Uncommitted | None = None
        """The uncommitted production, if it was computed in this round."""

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
        need = JobNeeds.of(task, state.now_s)
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

    def stretch(self, need: JobNeeds) -> tuple[int, int]:
        """Return the smallest stretch that holds all possible runs of a job, as row and column."""
        return stretch(need, self.from_s, self.block_s, self.blocks)

    def may_serve(self, need: JobNeeds) -> bool:
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


def stretch(need: JobNeeds, from_s: int, block_s: int, blocks: int) -> tuple[int, int]:
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
        need = JobNeeds(first_s, last_s + task.load.duration_s, task.load.energy_wh, 0.0)
        at = stretch(need, from_s, block_s, blocks)
        found[at] = found.get(at, 0.0) + need.energy_wh
    return tuple((*at, float(np.floor(wh * _DIGITS) / _DIGITS)) for at, wh in sorted(found.items()))


def _up(energies_wh: FloatArray) -> FloatArray:
    return np.ceil(energies_wh * _DIGITS) / _DIGITS
