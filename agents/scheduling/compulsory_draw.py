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
from agents.scheduling.time_grid import BIN_S, first_covered, last_covered

MAX_COMPULSORY_TASKS = 6
"""With more tasks, each usually has so many starts left that hardly any draw is compulsory."""
MAX_ROUNDS = 4
"""How many passes over all tasks are made; the result so far is valid after each pass."""
TOLERANCE_WH = 1e-3
"""By how much a load may exceed the production of a minute, Wh; far more than schedulers tolerate."""


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
        needed_wh = task.load.least_needed_wh(BIN_S, TOLERANCE_WH, load_wh.dtype)[0]
        first = (max(task.earliest_start_s, now_s) - begin_s) // BIN_S
        # Outside of the series nothing is produced: a run that reaches beyond it draws nothing there.
        last = min((task.latest_start_s - begin_s) // BIN_S, minutes)
        return cls(load_wh, needed_wh, int(needed_wh.argmax()), first, last, 0, _NOTHING)

    def copied(self) -> _Movable:
        """Return a copy that has taken no changes into account."""
        return _Movable(
            self.load_wh,
            self.needed_wh,
            self.peak,
            self.first,
            self.last,
            self.drawn_from,
            self.drawn_wh,
        )

    @property
    def end(self) -> int:
        """The minute after its last possible run."""
        return self.last + len(self.load_wh)


_NOTHING = np.zeros(0)
_NO_STARTS = np.zeros(0, dtype=np.int64)


class CompulsoryDraw:
    """What tasks draw in each minute wherever they start, and what they leave."""

    def __init__(self, free_wh: FloatArray, tasks: Iterable[Task], begin_s: int, now_s: int) -> None:
        """Compute it.

        Args:
            free_wh: Production without what running and fixed tasks draw, Wh, shape (minutes,).
            tasks: The tasks that may still move.
            begin_s: Begin of the first minute, UNIX seconds.
            now_s: Virtual time, UNIX seconds: no task starts earlier.
        """
        self._minutes, self._begin_s, self._now_s = len(free_wh), begin_s, now_s
        self._movable = [_Movable.of(task, begin_s, now_s, self._minutes) for task in tasks]
        self._left_wh = _extended(free_wh, self._movable)
        self.is_possible = _narrow(self._movable, self._movable, self._left_wh, [], self._minutes)
        """Whether each task may have a start; if not, there is no schedule of them all."""

    @property
    def left_wh(self) -> FloatArray:
        """The most that a further task can get in each minute, Wh, shape (minutes,); not negative."""
        return np.maximum(self._left_wh[: self._minutes], 0.0)

    def leaves_room_for(self, task: Task) -> bool:
        """Return whether there may be a schedule of all tasks and a further one; if not, it is certain.

        Only tasks that the further one may concern are looked at again. Many are tried on the same tasks.

        Args:
            task: The further task.
        """
        if not self.is_possible:
            return False
        new = _Movable.of(task, self._begin_s, self._now_s, self._minutes)
        left_wh = _extended(self._left_wh, [new])
        changes: list[_Change] = []
        if not _narrow([new], [new], left_wh, changes, self._minutes):
            return False
        if not changes:
            return True
        others = [other.copied() for other in self._movable]
        concerned = [other for other in others if _is_concerned(other, changes)]
        return _narrow([new, *others], concerned, left_wh, changes, self._minutes)


_Change = tuple[int, int, _Movable]
"""From and until which minute a task draws more than was known before."""


def _extended(left_wh: FloatArray, tasks: Sequence[_Movable]) -> FloatArray:
    """Return a copy of what is left in each minute that is long enough for all runs; nothing is produced later."""
    longer_wh = np.zeros(len(left_wh) + 1 + max((len(task.load_wh) for task in tasks), default=0))
    longer_wh[: len(left_wh)] = left_wh
    return longer_wh


def _narrow(
    tasks: Sequence[_Movable],
    waiting: Sequence[_Movable],
    left_wh: FloatArray,
    changes: list[_Change],
    minutes: int,
) -> bool:
    """Remove starts that tasks cannot have, and subtract what they draw in any case, until nothing changes.

    Args:
        tasks: The tasks; changed in place.
        waiting: Those of them to begin with.
        left_wh: What they leave, Wh, by the minute; changed in place.
        changes: What tasks draw more than the others have taken into account; extended.
        minutes: How many minutes have production.

    Returns:
        Whether each of them may have a start.
    """
    for _ in range(MAX_ROUNDS):
        for task in waiting:
            before_wh = task.drawn_wh
            left_wh[task.drawn_from : task.drawn_from + len(before_wh)] += before_wh
            starts = _possible_starts(left_wh, task)
            if starts is None:
                return False
            task.drawn_from, task.drawn_wh = _always_drawn(starts, task.load_wh, minutes)
            end = task.drawn_from + len(task.drawn_wh)
            left_wh[task.drawn_from : end] -= task.drawn_wh
            if len(task.drawn_wh) != len(before_wh) or (task.drawn_wh > before_wh).any():
                changes.append((task.drawn_from, end, task))
            task.seen = len(changes)
        waiting = [task for task in tasks if _is_concerned(task, changes)]
        if not waiting:
            break
    return True


def _is_concerned(task: _Movable, changes: Sequence[_Change]) -> bool:
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
    peak, there_wh = first + task.peak, left_wh[first:]
    fits = (left_wh[peak : peak + count] >= needed_wh[task.peak, ...]).tobytes()
    begin = first_covered(there_wh, needed_wh, fits)
    if begin < 0:
        return None
    end = last_covered(there_wh, needed_wh, fits)
    task.first, task.last = first + begin, first + end
    if end - begin >= len(needed_wh):
        return np.array([task.first, task.last])
    shape, step = (end - begin + 1, len(needed_wh)), left_wh.itemsize
    windows = np.ndarray(shape, left_wh.dtype, buffer=left_wh, offset=task.first * step, strides=(step, step))
    covered = np.logical_and.reduce(windows >= needed_wh, axis=1).nonzero()[0]
    return np.asarray(covered + task.first, dtype=np.int64)


def _always_drawn(starts: IntArray, load_wh: FloatArray, minutes: int) -> tuple[int, FloatArray]:
    """Return what a run draws in each minute wherever it starts: the first of these minutes, and Wh in each."""
    if not len(starts) or starts[-1] - starts[0] >= len(load_wh):
        return 0, _NOTHING
    first = int(starts[-1])
    common = np.arange(first, min(int(starts[0]) + len(load_wh), minutes))
    return first, load_wh[common - starts[:, np.newaxis]].min(axis=0)
