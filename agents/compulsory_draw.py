"""Compulsory draw: what jobs that may still move draw in each minute, wherever they start.

A job that a producer has promised must start where the production of each minute covers it. In the evening hardly any
start is left: all of them draw in some of the same minutes, and no other job can have that energy. What is compulsory
for one job takes starts from the next, so this is repeated until nothing changes (timetable propagation, as in
constraint programming: Baptiste, Le Pape, Nuijten, Constraint-Based Scheduling, 2001). It holds for all schedules, and
still holds when time has passed or other jobs have been promised: that only takes starts away.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agents.energy import FloatArray, IntArray
from agents.scheduling import BIN_S, Task

MAX_TASKS = 6
"""With more jobs, each usually has so many starts left that hardly any draw is compulsory."""
MAX_ROUNDS = 4
"""How often all jobs are looked at; what is found until then holds."""
TOLERANCE_WH = 1e-3
"""By how much a load may exceed the production of a minute, Wh; far more than schedulers tolerate."""


def without_compulsory_draw(free_wh: FloatArray, tasks: Sequence[Task], begin_s: int, now_s: int) -> FloatArray:
    """Return the most that a further job can get in each minute.

    Args:
        free_wh: Production without what running and fixed jobs draw, Wh, shape (minutes,).
        tasks: Promised jobs that may still move.
        begin_s: Begin of the first minute, UNIX seconds.
        now_s: Virtual time, UNIX seconds: no job starts earlier.

    Returns:
        Wh, shape (minutes,); not negative.
    """
    left_wh = free_wh.copy()
    drawn = [(0, np.zeros(0)) for _ in tasks]
    known = [-1] * len(tasks)
    for _ in range(MAX_ROUNDS):
        has_changed = False
        for i, task in enumerate(tasks):
            first, drawn_wh = drawn[i]
            left_wh[first : first + len(drawn_wh)] += drawn_wh
            load_wh = task.load.least_peaks_wh(BIN_S)[0]
            starts = _possible_starts(left_wh, load_wh, task, begin_s, now_s)
            if len(starts) != known[i]:
                has_changed, known[i] = True, len(starts)
                drawn[i] = first, drawn_wh = _always_drawn(starts, load_wh, len(left_wh))
            left_wh[first : first + len(drawn_wh)] -= drawn_wh
        if not has_changed:
            break
    return np.maximum(left_wh, 0.0)


def _possible_starts(left_wh: FloatArray, load_wh: FloatArray, task: Task, begin_s: int, now_s: int) -> IntArray:
    """Return the minutes in which a job can start, ascending, by what is left in each minute."""
    first = (max(task.earliest_start_s, now_s) - begin_s) // BIN_S
    # Outside of the view nothing is produced: a run that reaches beyond it draws nothing there.
    last = min((task.latest_start_s - begin_s) // BIN_S, len(left_wh))
    if first > last:
        return np.zeros(0, dtype=np.int64)
    needed_wh = load_wh - TOLERANCE_WH
    minutes = len(needed_wh)
    padded_wh = np.zeros(last - first + minutes)
    inside_wh = left_wh[first : last + minutes]
    padded_wh[: len(inside_wh)] = inside_wh
    peak = int(needed_wh.argmax())
    starts = np.flatnonzero(padded_wh[peak : peak + last - first + 1] >= needed_wh[peak])
    windows = np.lib.stride_tricks.as_strided(padded_wh, (last - first + 1, minutes), padded_wh.strides * 2)
    fits = (windows[starts] >= needed_wh).all(axis=1)
    return np.asarray(starts[fits] + first, dtype=np.int64)


def _always_drawn(starts: IntArray, load_wh: FloatArray, minutes: int) -> tuple[int, FloatArray]:
    """Return what a run draws in each minute wherever it starts: the first of these minutes, and Wh in each."""
    if not len(starts) or starts[-1] - starts[0] >= len(load_wh):
        return 0, np.zeros(0)
    first = int(starts[-1])
    common = np.arange(first, min(int(starts[0]) + len(load_wh), minutes))
    return first, load_wh[common - starts[:, np.newaxis]].min(axis=0)
