"""Why a task is refused, in words that a household understands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agents.energy import FloatArray, LoadProfile
from agents.scheduling.problem import Commitment, Problem, Refusal, Task

BIN_S = 60
TOLERANCE_WH = 1e-6
"""How much more than the panel gives the loads of a minute may draw: room for rounding, for nothing else."""
SEARCH_TOLERANCE_WH = 0.9 * TOLERANCE_WH
"""What schedulers use: sums of the same loads in another order still keep the promise."""
MAX_WINDOW_CELLS = 1 << 20
"""Starts times bins that are compared at once; bounds the memory that a month-wide window takes."""
FIRST_BLOCK = 16
"""Starts that are compared first, where the first that fits is looked for."""

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Starts:
    """Candidate starts of one task that fall at the same second of a minute, in rising order, a minute apart."""

    first_s: int
    count: int
    first_bin: int
    """The bin in which the first one lies; the next lies in the next."""
    load_wh: FloatArray
    """The task's footprint, shape (bins that it touches,)."""

    def windows(self, series_wh: FloatArray) -> FloatArray:
        """Return a view of a grid's series, shape (count, bins touched): row i is what start i meets. Do not write."""
        part = np.ascontiguousarray(series_wh[self.first_bin : self.first_bin + self.count + len(self.load_wh) - 1])
        # NumPy's own `sliding_window_view` takes longer than what is then done with the windows.
        shape, step = (self.count, len(self.load_wh)), part.itemsize
        return np.ndarray(shape, part.dtype, buffer=part, strides=(step, step))

    def feasible(self, remaining_wh: FloatArray) -> BoolArray:
        """Return which of the starts `remaining_wh` carries in every bin, shape (count,)."""
        windows = self.windows(remaining_wh)
        needed_wh = self.load_wh - SEARCH_TOLERANCE_WH
        # The strongest minute rules out most starts of a scarce day; the rest is compared in blocks.
        peak = int(needed_wh.argmax())
        fits: BoolArray = windows[:, peak] >= needed_wh[peak]
        rows = np.flatnonzero(fits)
        block = max(1, MAX_WINDOW_CELLS // len(needed_wh))
        for begin in range(0, len(rows), block):
            some = rows[begin : begin + block]
            fits[some] = (windows[some] >= needed_wh).all(axis=1)
        return fits

    def first_feasible_s(self, remaining_wh: FloatArray) -> int | None:
        """Return the first of the starts that `remaining_wh` carries in every bin, None if it carries none."""
        needed_wh = self.load_wh - SEARCH_TOLERANCE_WH
        if self.count == 1:
            there_wh = remaining_wh[self.first_bin : self.first_bin + len(needed_wh)]
            return self.first_s if (there_wh >= needed_wh).all() else None
        bins = len(needed_wh)
        peak = int(needed_wh.argmax())
        begin = self.first_bin + peak
        rows = np.flatnonzero(remaining_wh[begin : begin + self.count] >= needed_wh[peak])
        if not len(rows):
            return None
        windows = self.windows(remaining_wh)
        # Mostly one of the first will do: few are compared at first, then more at once.
        begin, block, most = 0, FIRST_BLOCK, max(1, MAX_WINDOW_CELLS // bins)
        while begin < len(rows):
            carried = np.flatnonzero((windows[rows[begin : begin + block]] >= needed_wh).all(axis=1))
            if len(carried):
                return self.first_s + int(rows[begin + carried[0]]) * BIN_S
            begin, block = begin + block, min(8 * block, most)
        return None


@dataclass(frozen=True, slots=True)
class Grid:
    """Minute bins from the present minute to the end of all that may run."""

    first_s: int
    """When bin 0 begins: a whole UNIX minute."""
    now_s: int
    free_wh: FloatArray
    """Production less running jobs, at least zero (a forecast may fall below what already runs), shape (bins,)."""

    @classmethod
    def of(cls, problem: Problem, *tasks: Task) -> Grid:
        """Lay the grid for a producer's state and tasks that may be added."""
        first_s = problem.now_s - problem.now_s % BIN_S
        ends_s = [max(c.start_s, c.task.latest_start_s) + c.task.load.duration_s for c in problem.committed]
        ends_s += [max(t.latest_start_s, problem.now_s) + t.load.duration_s for t in tasks]
        bins = -(-(max([first_s, *ends_s]) - first_s) // BIN_S) + 1
        edges_s = first_s + np.arange(bins + 1, dtype=np.float64) * BIN_S
        running_wh = np.zeros(bins)
        for commitment in problem.committed:
            if commitment.start_s <= problem.now_s:
                add(running_wh, first_s, commitment.task.load, commitment.start_s)
        free_wh = np.maximum(problem.production.energy_per_bin_wh(edges_s) - running_wh, 0.0)
        return cls(first_s=first_s, now_s=problem.now_s, free_wh=free_wh)

    def less(self, commitments: Iterable[Commitment]) -> FloatArray:
        """Return what of `free_wh` is left beside unstarted commitments, Wh; below zero where they draw too much."""
        return self.less_starts((c.task, c.start_s) for c in commitments if c.start_s > self.now_s)

    def less_starts(self, starts: Iterable[tuple[Task, int]]) -> FloatArray:
        """Return what of `free_wh` is left beside tasks that start then, Wh; below zero where they draw too much."""
        drawn_wh = np.zeros_like(self.free_wh)
        for task, start_s in starts:
            add(drawn_wh, self.first_s, task.load, start_s)
        return self.free_wh - drawn_wh

    def candidates(self, task: Task) -> tuple[Starts, ...]:
        """Return all starts worth trying, rising: whole minutes in what is left of each stretch, and its two ends."""
        groups: list[Starts] = []
        for first_s, last_s in task.open_starts:
            groups += self._candidates(task, max(first_s, self.now_s), last_s)
        return tuple(groups)

    def _candidates(self, task: Task, first_s: int, last_s: int) -> list[Starts]:
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
        """Return the candidate starts that `remaining_wh` carries, seconds, in rising order."""
        found = [
            group.first_s + np.flatnonzero(group.feasible(remaining_wh)) * BIN_S for group in self.candidates(task)
        ]
        return np.concatenate(found).astype(np.int64) if found else np.empty(0, dtype=np.int64)

    def _starts(self, task: Task, first_s: int, count: int) -> Starts:
        first_bin = (first_s - self.first_s) // BIN_S
        return Starts(first_s, count, first_bin, task.load.per_minute_wh(first_s % BIN_S))


def first_feasible_s(groups: Iterable[Starts], remaining_wh: FloatArray) -> int | None:
    """Return the first start that `remaining_wh` carries, None if there is none.

    Args:
        groups: Candidate starts in rising order, as `Grid.candidates` returns them.
        remaining_wh: What is left, Wh per bin.
    """
    return next((s for group in groups if (s := group.first_feasible_s(remaining_wh)) is not None), None)


def add(drawn_wh: FloatArray, first_s: int, load: LoadProfile, start_s: int) -> None:
    """Add what a load draws from `start_s` on to the bins that begin at `first_s`; what lies outside is left out."""
    load_wh = load.per_minute_wh(start_s % BIN_S)
    first_bin = (start_s - first_s) // BIN_S
    begin, end = max(first_bin, 0), min(first_bin + len(load_wh), len(drawn_wh))
    if begin < end:
        drawn_wh[begin:end] += load_wh[begin - first_bin : end - first_bin]


def fits(problem: Problem, task: Task, starts_s: Mapping[str, int]) -> bool:
    """Say whether a plan keeps every promise.

    Started commitments stay; every other start is one that its task may have, and not before now; in no minute do
    unstarted tasks draw more than production less what runs, by more than `TOLERANCE_WH`.

    Args:
        problem: The producer's state.
        task: The new task.
        starts_s: By job id, for the new task and every committed one.
    """
    tasks = {c.task.job_id: c.task for c in problem.committed} | {task.job_id: task}
    if starts_s.keys() != tasks.keys():
        return False
    unstarted = dict(starts_s)
    for commitment in problem.committed:
        if commitment.start_s <= problem.now_s and unstarted.pop(commitment.task.job_id) != commitment.start_s:
            return False
    for job_id, start_s in unstarted.items():
        if start_s < problem.now_s or not tasks[job_id].can_start_at(start_s):
            return False
    left_wh = Grid.of(problem, task).less_starts((tasks[job_id], start_s) for job_id, start_s in unstarted.items())
    return bool((left_wh >= -TOLERANCE_WH).all())


def no_room(grid: Grid, remaining_wh: FloatArray, task: Task) -> Refusal:
    """Explain a task that no candidate start carries.

    Args:
        grid: The producer's grid.
        remaining_wh: What is left beside all that stands, Wh per bin.
        task: What did not fit.
    """
    groups = grid.candidates(task)
    if not groups:
        return Refusal("its latest start is over")
    needed_wh = task.load.energy_wh
    first_bin = min(group.first_bin for group in groups)
    end_bin = max(group.first_bin + group.count - 1 + len(group.load_wh) for group in groups)
    left_wh = float(np.maximum(remaining_wh[first_bin:end_bin], 0.0).sum())
    if left_wh < needed_wh:
        return Refusal(f"only {left_wh:.0f} Wh of sun left in its time, it needs {needed_wh:.0f} Wh")
    return Refusal(
        f"no start in its window has enough sun in every minute ({left_wh:.0f} Wh left, {needed_wh:.0f} Wh needed)"
    )
