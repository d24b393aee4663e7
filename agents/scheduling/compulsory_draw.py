"""Compulsory draw: what tasks that may still move draw in each minute, wherever they start.

A task that a producer has promised must start where the production of each minute covers it. In the evening, few starts
are left, and all of them draw power in some of the same minutes; no other task can have that energy. The compulsory
draw of one task removes possible starts of others, so the computation is repeated until nothing changes (timetable
propagation, as in constraint programming: Baptiste, Le Pape, Nuijten, Constraint-Based Scheduling, 2001). The result
holds for all schedules. It still holds when time has passed or other tasks have been promised, because that only
removes starts. If a task has no start left, there is no schedule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from agents.energy import FloatArray, IntArray
from agents.scheduling.problem import Task
from agents.scheduling.time_grid import BIN_S

MAX_COMPULSORY_TASKS = 6
"""With more tasks, each usually has so many starts left that hardly any draw is compulsory."""
MAX_ROUNDS = 4
"""How many passes over all tasks are made; the result so far is valid after each pass."""
TOLERANCE_WH = 1e-3
"""By how much a load may exceed the production of a minute, Wh; far more than schedulers tolerate."""
FIRST_BLOCK = 16
"""Starts compared in the first block when searching for the first or last possible one; each further one is four times
as long."""


@dataclass(eq=False, slots=True)
class _Movable:
    """A task, and what is known of its starts. Times in minutes of the series."""

    load_wh: FloatArray
    """What a run draws in each minute, at least, Wh."""
    needed_wh: FloatArray
    """The same without the tolerance."""
    peak: int
    """The minute of its run in which it needs most."""
    first: int
    """First start that may be possible."""
    last: int
    """Last start that may be possible."""
    drawn_from: int
    """From which minute on it draws `drawn_wh` in any case."""
    drawn_wh: FloatArray
    seen: int = 0
    """How many changes of what other tasks draw it has taken into account."""

    @classmethod
    def of(cls, task: Task, begin_s: int, now_s: int, minutes: int) -> _Movable:
        """Return a task that may start from `now_s` on, with a series of `minutes` from `begin_s` on."""
        load_wh = task.load.least_peaks_wh(BIN_S)[0]
        needed_wh = load_wh - TOLERANCE_WH
        first = (max(task.earliest_start_s, now_s) - begin_s) // BIN_S
        # Outside of the series nothing is produced: a run that reaches beyond it draws nothing there.
        last = min((task.latest_start_s - begin_s) // BIN_S, minutes)
        return cls(load_wh, needed_wh, int(needed_wh.argmax()), first, last, 0, _NOTHING)

    @property
    def end(self) -> int:
        """The minute after its last possible run."""
        return self.last + len(self.load_wh)


_NOTHING = np.zeros(0)
_NO_STARTS = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Remaining:
    """The production that tasks leave at every possible start."""

    left_wh: FloatArray
    """The most that a further task can get in each minute, Wh, shape (minutes,); not negative."""
    is_possible: bool
    """Whether each task may have a start; if not, there is no schedule of them all."""


def without_compulsory_draw(free_wh: FloatArray, tasks: Iterable[Task], begin_s: int, now_s: int) -> Remaining:
    """Return what tasks leave in each minute wherever they start.

    Args:
        free_wh: Production without what running and fixed tasks draw, Wh, shape (minutes,).
        tasks: The tasks that may still move.
        begin_s: Begin of the first minute, UNIX seconds.
        now_s: Virtual time, UNIX seconds: no task starts earlier.
    """
    minutes = len(free_wh)
    movable = [_Movable.of(task, begin_s, now_s, minutes) for task in tasks]
    left_wh = np.zeros(minutes + 1 + max((len(task.load_wh) for task in movable), default=0))
    left_wh[:minutes] = free_wh
    changes: list[tuple[int, int, _Movable]] = []
    """From and until which minute a task draws more than was known before."""
    waiting: Sequence[_Movable] = movable
    for _ in range(MAX_ROUNDS):
        for task in waiting:
            before_wh = task.drawn_wh
            left_wh[task.drawn_from : task.drawn_from + len(before_wh)] += before_wh
            starts = _possible_starts(left_wh, task)
            if starts is None:
                return Remaining(np.maximum(left_wh[:minutes], 0.0), is_possible=False)
            task.drawn_from, task.drawn_wh = _always_drawn(starts, task.load_wh, minutes)
            end = task.drawn_from + len(task.drawn_wh)
            left_wh[task.drawn_from : end] -= task.drawn_wh
            if len(task.drawn_wh) != len(before_wh) or (task.drawn_wh > before_wh).any():
                changes.append((task.drawn_from, end, task))
            task.seen = len(changes)
        waiting = [task for task in movable if _is_concerned(task, changes)]
        if not waiting:
            break
    return Remaining(np.maximum(left_wh[:minutes], 0.0), is_possible=True)


def _is_concerned(task: _Movable, changes: Sequence[tuple[int, int, _Movable]]) -> bool:
    """Return whether another task draws more, since this one was looked at, where this one may run."""
    return any(
        other is not task and begin < task.end and task.first < end for begin, end, other in changes[task.seen :]
    )


def _possible_starts(left_wh: FloatArray, task: _Movable) -> IntArray | None:
    """Return the minutes in which a task can start, ascending, by what is left in each minute; None: there is none.

    If they are so far apart that nothing is drawn in any case, only the first and the last one.
    """
    first, needed_wh, count = task.first, task.needed_wh, task.last - task.first + 1
    if count <= 0:
        return _NO_STARTS
    peak = first + task.peak
    rows = (left_wh[peak : peak + count] >= needed_wh[task.peak]).nonzero()[0]
    shape, step = (count, len(needed_wh)), left_wh.itemsize
    windows = np.ndarray(shape, left_wh.dtype, buffer=left_wh, offset=first * step, strides=(step, step))
    begin = _first_covered(windows, rows, needed_wh)
    if begin is None:
        return None
    rows = rows[begin:]
    rows = rows[: len(rows) - (_first_covered(windows, rows[::-1], needed_wh) or 0)]
    task.first, task.last = first + int(rows[0]), first + int(rows[-1])
    if task.last - task.first >= len(needed_wh):
        return np.array([task.first, task.last])
    covered = np.logical_and.reduce(windows[rows] >= needed_wh, axis=1)
    return np.asarray(rows[covered] + first, dtype=np.int64)


def _first_covered(windows: FloatArray, rows: IntArray, needed_wh: FloatArray) -> int | None:
    """Return the place of the first of some rows in which each minute has enough; None: there is none."""
    begin, block = 0, FIRST_BLOCK
    while begin < len(rows):
        covered = np.logical_and.reduce(windows[rows[begin : begin + block]] >= needed_wh, axis=1).nonzero()[0]
        if len(covered):
            return begin + int(covered[0])
        begin, block = begin + block, 4 * block
    return None


def _always_drawn(starts: IntArray, load_wh: FloatArray, minutes: int) -> tuple[int, FloatArray]:
    """Return what a run draws in each minute wherever it starts: the first of these minutes, and Wh in each."""
    if not len(starts) or starts[-1] - starts[0] >= len(load_wh):
        return 0, _NOTHING
    first = int(starts[-1])
    common = np.arange(first, min(int(starts[0]) + len(load_wh), minutes))
    return first, load_wh[common - starts[:, np.newaxis]].min(axis=0)
