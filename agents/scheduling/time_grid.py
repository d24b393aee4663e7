"""The time grid: one-minute bins of free production, candidate starts of tasks, and the feasibility of schedules.

A start is *covered* if enough is left in each minute, or slot, that its run touches. Also why no start of a task is
feasible, in words for users.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from agents.energy import FloatArray, LoadProfile, RequiredEnergy
from agents.scheduling.problem import Commitment, ProducerState, Rejection, Task

BIN_S = 60
"""Width of a bin, seconds."""
TOLERANCE_WH = 1e-6
"""By how much the loads of a minute may exceed production, Wh: allows for rounding only."""
SEARCH_TOLERANCE_WH = 0.9 * TOLERANCE_WH
"""The tolerance of schedulers: summing the same loads in another order still satisfies `TOLERANCE_WH`."""
MAX_WINDOW_CELLS = 1 << 20
"""Starts times bins compared at once; bounds the memory for a month-wide window."""

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
YES: Final = b"\1"
NO: Final = b"\0"
"""The bytes of arrays of truth values: searching these takes half the time of NumPy's searches."""
_Energies = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class StartGroup:
    """Candidate starts of one task at the same second of consecutive minutes, ascending."""

    first_s: int
    """The first start, UNIX seconds."""
    count: int
    """Number of starts, one minute apart."""
    first_bin: int
    """The bin that contains the first start; each following start is in the next bin."""
    load_wh: FloatArray
    """The task's energy per bin, Wh, shape (bins touched,)."""
    needed: RequiredEnergy
    """What must be left in each of them for a start."""

    def windows(self, series_wh: FloatArray) -> FloatArray:
        """Return a read-only view of a series over the grid for each start.

        Args:
            series_wh: Wh per bin, shape (bins,).

        Returns:
            Shape (count, bins touched): row i is what start i covers.
        """
        part = np.ascontiguousarray(series_wh[self.first_bin : self.first_bin + self.count + len(self.load_wh) - 1])
        # NumPy's `sliding_window_view` takes longer than everything done with the windows.
        shape, step = (self.count, len(self.load_wh)), part.itemsize
        return np.ndarray(shape, part.dtype, buffer=part, strides=(step, step))

    def feasible(self, remaining_wh: FloatArray) -> BoolArray:
        """Return which starts are feasible.

        Args:
            remaining_wh: Remaining production per bin, Wh, shape (bins,).

        Returns:
            Shape (count,).
        """
        windows = self.windows(remaining_wh)
        needed_wh = self.load_wh - SEARCH_TOLERANCE_WH
        # The peak minute rules out most starts if production is scarce; the rest is compared in blocks.
        peak = int(needed_wh.argmax())
        fits: BoolArray = windows[:, peak] >= needed_wh[peak]
        rows = np.flatnonzero(fits)
        block = max(1, MAX_WINDOW_CELLS // len(needed_wh))
        for begin in range(0, len(rows), block):
            some = rows[begin : begin + block]
            fits[some] = (windows[some] >= needed_wh).all(axis=1)
        return fits

    def first_feasible_s(self, remaining_wh: FloatArray) -> int | None:
        """Return the first feasible start, UNIX seconds; None if there is none.

        Args:
            remaining_wh: Remaining production per bin, Wh, shape (bins,).
        """
        needed_wh, count, first_bin = self.needed.wh, self.count, self.first_bin
        (peak, peak_wh), *others = self.needed.strong
        fits = remaining_wh[first_bin + peak : first_bin + peak + count] >= peak_wh
        for strong, strong_wh in others:
            fits &= remaining_wh[first_bin + strong : first_bin + strong + count] >= strong_wh
        start = first_covered(remaining_wh[first_bin:], needed_wh, fits.tobytes())
        return None if start < 0 else self.first_s + start * BIN_S


@dataclass(frozen=True, slots=True)
class Grid:
    """One-minute bins from the current minute to the end of everything that may run."""

    first_s: int
    """Begin of the first bin, UNIX seconds, a whole minute."""
    now_s: int
    free_wh: FloatArray
    """Production minus running tasks, Wh, shape (bins,); not below 0, although a new forecast may be lower than what
    already runs."""
    _known: dict[str, tuple[Task, tuple[StartGroup, ...]]] = field(default_factory=dict, compare=False, repr=False)
    """By job id, the candidate starts of tasks, as far as requested."""

    @classmethod
    def of(cls, state: ProducerState, *tasks: Task) -> Grid:
        """Build the grid for a producer's state and tasks that may be added."""
        first_s = state.now_s - state.now_s % BIN_S
        ends_s = [max(c.start_s, c.task.latest_start_s) + c.task.load.duration_s for c in state.committed]
        bins = cls._bins(first_s, [*ends_s, *(_end_s(task, state.now_s) for task in tasks)])
        edges_s = first_s + np.arange(bins + 1, dtype=np.float64) * BIN_S
        running_wh = np.zeros(bins)
        for commitment in state.committed:
            if commitment.start_s <= state.now_s:
                add(running_wh, first_s, commitment.task.load, commitment.start_s)
        free_wh = np.maximum(state.production.energy_per_bin_wh(edges_s) - running_wh, 0.0)
        return cls(first_s=first_s, now_s=state.now_s, free_wh=free_wh)

    @staticmethod
    def _bins(first_s: int, ends_s: Sequence[int]) -> int:
        return -(-(max([first_s, *ends_s]) - first_s) // BIN_S) + 1

    def holds(self, tasks: Sequence[Task]) -> bool:
        """Return whether it extends to the end of everything that tasks may run."""
        return self._bins(self.first_s, [_end_s(task, self.now_s) for task in tasks]) <= len(self.free_wh)

    def remaining_beside(self, commitments: Iterable[Commitment]) -> FloatArray:
        """Return `free_wh` minus the loads of unstarted commitments.

        Args:
            commitments: The commitments; those that have started are ignored.

        Returns:
            Wh, shape (bins,); negative where it is overdrawn.
        """
        return self.remaining_beside_starts((c.task, c.start_s) for c in commitments if c.start_s > self.now_s)

    def remaining_beside_starts(self, starts: Iterable[tuple[Task, int]]) -> FloatArray:
        """Return `free_wh` minus the loads of tasks.

        Args:
            starts: Tasks with their starts, UNIX seconds.

        Returns:
            Wh, shape (bins,); negative where it is overdrawn.
        """
        drawn_wh = np.zeros_like(self.free_wh)
        for task, start_s in starts:
            add(drawn_wh, self.first_s, task.load, start_s)
        return self.free_wh - drawn_wh

    def candidates(self, task: Task) -> tuple[StartGroup, ...]:
        """Return a task's candidate starts, ascending: the ends of each interval and all whole minutes between."""
        known = self._known.get(task.job_id)
        if known is not None and known[0] is task:
            return known[1]
        groups: list[StartGroup] = []
        for first_s, last_s in task.open_starts:
            groups += self._candidates(task, max(first_s, self.now_s), last_s)
        self._known[task.job_id] = task, tuple(groups)
        return self._known[task.job_id][1]

    def _candidates(self, task: Task, first_s: int, last_s: int) -> list[StartGroup]:
        if first_s > last_s:
            return []
        aligned_s = -(-first_s // BIN_S) * BIN_S
        count = (last_s - aligned_s) // BIN_S + 1
        groups = [self._starts(task, first_s, 1)] if first_s % BIN_S else []
        if count > 0:
            groups.append(self._starts(task, aligned_s, count))
        if last_s % BIN_S and last_s != first_s:
            groups.append(self._starts(task, last_s, 1))
        return groups

    def feasible_starts(self, remaining_wh: FloatArray, task: Task) -> IntArray:
        """Return the feasible candidate starts of a task.

        Args:
            remaining_wh: Remaining production per bin, Wh, shape (bins,).
            task: The task.

        Returns:
            UNIX seconds, ascending, shape (starts,).
        """
        found = [
            group.first_s + np.flatnonzero(group.feasible(remaining_wh)) * BIN_S for group in self.candidates(task)
        ]
        return np.concatenate(found).astype(np.int64) if found else np.empty(0, dtype=np.int64)

    def _starts(self, task: Task, first_s: int, count: int) -> StartGroup:
        first_bin = (first_s - self.first_s) // BIN_S
        second = first_s % BIN_S
        return StartGroup(
            first_s, count, first_bin, task.load.per_minute_wh(second), task.load.needed(second, SEARCH_TOLERANCE_WH)
        )


def _end_s(task: Task, now_s: int) -> int:
    return max(task.latest_start_s, now_s) + task.load.duration_s


def first_covered(there_wh: _Energies, needed_wh: _Energies, fits: bytes) -> int:
    """Return the first start at which a run is covered, as an index of `fits`; -1: there is none.

    If a minute has too little, later starts that need as much in it are not looked at.

    Args:
        there_wh: What is left in each minute from the first start on, Wh.
        needed_wh: What must be left in each minute of the run, Wh, shape (minutes,).
        fits: For each start, `YES` or `NO`; only those with `YES` are looked at.
    """
    run, start = len(needed_wh), fits.find(YES)
    while start >= 0:
        window_wh = there_wh[start : start + run]
        scarce = (window_wh >= needed_wh).tobytes().rfind(NO)
        if scarce < 0:
            break
        earlier = (needed_wh[:scarce] <= window_wh[scarce, ...]).tobytes().rfind(YES)
        start = fits.find(YES, start + scarce - earlier)
    return start


def last_covered(there_wh: _Energies, needed_wh: _Energies, fits: bytes) -> int:
    """Return the last start at which a run is covered, as an index of `fits`; -1: there is none.

    Args:
        there_wh: What is left in each minute from the first start on, Wh.
        needed_wh: What must be left in each minute of the run, Wh, shape (minutes,).
        fits: For each start, `YES` or `NO`; only those with `YES` are looked at.
    """
    run, start = len(needed_wh), fits.rfind(YES)
    while start >= 0:
        window_wh = there_wh[start : start + run]
        scarce = (window_wh >= needed_wh).tobytes().find(NO)
        if scarce < 0:
            break
        later = (needed_wh[scarce + 1 :] <= window_wh[scarce, ...]).tobytes().find(YES)
        earlier = later + 1 if later >= 0 else run - scarce
        start = fits.rfind(YES, 0, max(start - earlier + 1, 0))
    return start


def first_feasible_s(groups: Iterable[StartGroup], remaining_wh: FloatArray) -> int | None:
    """Return the first feasible start, UNIX seconds; None if there is none.

    Args:
        groups: Candidate starts, ascending, as returned by `Grid.candidates`.
        remaining_wh: Remaining production per bin, Wh, shape (bins,).
    """
    return next((s for group in groups if (s := group.first_feasible_s(remaining_wh)) is not None), None)


def explain_rejection(grid: Grid, remaining_wh: FloatArray, task: Task) -> Rejection:
    """Explain why a task without a feasible start is rejected.

    Args:
        grid: The producer's time grid.
        remaining_wh: Remaining production per bin, Wh, shape (bins,).
        task: The rejected task.
    """
    groups = grid.candidates(task)
    if not groups:
        return Rejection("its latest start has passed")
    needed_wh = task.load.energy_wh
    first_bin = min(group.first_bin for group in groups)
    end_bin = max(group.first_bin + group.count - 1 + len(group.load_wh) for group in groups)
    left_wh = float(np.maximum(remaining_wh[first_bin:end_bin], 0.0).sum())
    if left_wh < needed_wh:
        return Rejection(f"only {left_wh:.0f} Wh of production left in its window, {needed_wh:.0f} Wh needed")
    return Rejection(
        "no start in its window has enough production in every minute "
        f"({left_wh:.0f} Wh left, {needed_wh:.0f} Wh needed)"
    )


def add(drawn_wh: FloatArray, first_s: int, load: LoadProfile, start_s: int) -> None:
    """Add a load to a series of bins in place; energy outside of the bins is ignored.

    Args:
        drawn_wh: Energy per bin, Wh, shape (bins,).
        first_s: Begin of the first bin, UNIX seconds.
        load: The load.
        start_s: Start of the load, UNIX seconds.
    """
    load_wh = load.per_minute_wh(start_s % BIN_S)
    first_bin = (start_s - first_s) // BIN_S
    begin, end = max(first_bin, 0), min(first_bin + len(load_wh), len(drawn_wh))
    if begin < end:
        drawn_wh[begin:end] += load_wh[begin - first_bin : end - first_bin]


def fits(state: ProducerState, task: Task, starts_s: Mapping[str, int]) -> bool:
    """Return whether a schedule keeps every promise.

    Running commitments are unchanged; all other starts are allowed and not in the past; in no minute do unstarted tasks
    draw more than production minus running tasks, by more than `TOLERANCE_WH`.

    Args:
        state: The producer's state.
        task: The new task.
        starts_s: By job id, the start of the new task and of every commitment, UNIX seconds.
    """
    tasks = {c.task.job_id: c.task for c in state.committed} | {task.job_id: task}
    if starts_s.keys() != tasks.keys():
        return False
    unstarted = dict(starts_s)
    for commitment in state.committed:
        if commitment.start_s <= state.now_s and unstarted.pop(commitment.task.job_id) != commitment.start_s:
            return False
    for job_id, start_s in unstarted.items():
        if start_s < state.now_s or not tasks[job_id].can_start_at(start_s):
            return False
    left_wh = Grid.of(state, task).remaining_beside_starts(
        (tasks[job_id], start_s) for job_id, start_s in unstarted.items()
    )
    return bool((left_wh >= -TOLERANCE_WH).all())
