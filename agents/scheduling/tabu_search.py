"""Repair of an overdrawn schedule: a tabu search that moves unstarted tasks within their windows.

While any minute is overdrawn, one of the tasks that draw in overdrawn minutes is moved to where it reduces the
overdraft most. A moved task is tabu for a few moves, so that the search does not cycle (Glover, Tabu Search, Part I,
1989). Effort is limited by counting evaluations: each computes the coverage of a task at all starts in its window.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from agents.energy import FloatArray, RequiredEnergy
from agents.scheduling.problem import Commitment, Task
from agents.scheduling.time_grid import BIN_S, SEARCH_TOLERANCE_WH, BoolArray, Grid, StartGroup, first_feasible_s

MAX_EVALUATIONS = 40
"""Limit on evaluations per decision, about 1.5 ms; more found hardly any further schedules."""
MAX_EVALUATED_CELLS = 4_096
"""Limit on starts times bins per evaluation. In longer windows every second, third, ... start is evaluated, then those
around the best one; evaluating all found no further schedules.
"""
MAX_REPEATED_LOADS = 64
"""Number of loads whose energies are kept for each start, 32 kB each; those used last are kept."""
ROUNDING_WH = 1e-6
"""By how much sums of the same energies may differ, Wh."""
TABU_MOVES = 5
"""Number of moves for which a moved task is tabu."""
_NOTHING_WH = np.zeros(())
"""An array, because NumPy takes as long to convert a number as to compare a hundred."""


@dataclass(eq=False, slots=True)
class PlacedTask:
    """A task in a tentative schedule, at its current start."""

    task: Task
    grid: Grid
    start_s: int
    first_bin: int
    load_wh: FloatArray
    """Energy per bin from `first_bin` on, Wh, shape (bins touched,)."""
    tabu_until: int = 0
    _groups: tuple[StartGroup, ...] | None = None
    _is_movable: bool | None = None

    @property
    def groups(self) -> tuple[StartGroup, ...]:
        """Candidate starts."""
        if self._groups is None:
            self._groups = self.grid.candidates(self.task)
        return self._groups

    @property
    def bins(self) -> slice:
        """The bins in which it draws."""
        return slice(self.first_bin, self.first_bin + len(self.load_wh))

    @property
    def is_movable(self) -> bool:
        """Whether it can start at any other time."""
        if self._is_movable is None:
            self._is_movable = self.task.has_choice(self.grid.now_s)
        return self._is_movable


class TentativeSchedule:
    """Tasks on a time grid, possibly overdrawing it. Mutable: the search changes it in place."""

    def __init__(self, grid: Grid, commitments: Iterable[Commitment] = ()) -> None:
        self.grid = grid
        self.left_wh = grid.free_wh.copy()
        """Remaining production per bin, Wh, shape (bins,); negative where it is overdrawn."""
        self.placed_tasks: list[PlacedTask] = []
        for commitment in commitments:
            self.add(commitment.task, commitment.start_s)

    def add(self, task: Task, start_s: int) -> PlacedTask:
        """Add a task.

        Args:
            task: The task.
            start_s: Its start, UNIX seconds.
        """
        first_bin = (start_s - self.grid.first_s) // BIN_S
        placed = PlacedTask(task, self.grid, start_s, first_bin, task.load.per_minute_wh(start_s % BIN_S))
        self.left_wh[placed.bins] -= placed.load_wh
        self.placed_tasks.append(placed)
        return placed

    def remove(self, placed: PlacedTask) -> None:
        """Remove a task from the schedule, and release its production."""
        self.left_wh[placed.bins] += placed.load_wh
        self.placed_tasks.remove(placed)

    def move(self, placed: PlacedTask, start_s: int) -> None:
        """Move a task to another start, UNIX seconds."""
        self.left_wh[placed.bins] += placed.load_wh
        placed.start_s = start_s
        placed.first_bin = (start_s - self.grid.first_s) // BIN_S
        placed.load_wh = placed.task.load.per_minute_wh(start_s % BIN_S)
        self.left_wh[placed.bins] -= placed.load_wh

    def starts_s(self) -> dict[str, int]:
        """Return the start of each task by job id, UNIX seconds."""
        return {placed.task.job_id: placed.start_s for placed in self.placed_tasks}

    def is_feasible(self) -> bool:
        """Return whether no minute is overdrawn."""
        return bool(self.left_wh.min() >= -SEARCH_TOLERANCE_WH)

    def repair(self, max_evaluations: int) -> bool:
        """Move tasks until no minute is overdrawn.

        Args:
            max_evaluations: Limit on evaluations of task windows.

        Returns:
            Whether the schedule is feasible now. A search that comes to a schedule again, with the same tasks tabu for
            as long, would repeat itself until the limit; it ends there.
        """
        evaluations = step = 0
        seen: set[frozenset[tuple[PlacedTask, int, int]]] = set()
        moved: dict[PlacedTask, int] = {}
        """The start of each moved task before the search, UNIX seconds."""
        for placed in self.placed_tasks:
            placed.tabu_until = 0
        while True:
            overdrawn = self.left_wh < -SEARCH_TOLERANCE_WH
            chosen: list[int] = overdrawn.nonzero()[0].tolist()
            if not chosen:
                return True
            step += 1
            candidates = self._drawing(overdrawn, chosen)
            if not candidates:
                return False
            # If all of them are tabu, the one that has been for longest is released.
            free = [placed for placed in candidates if placed.tabu_until < step]
            if not free:
                step = min(placed.tabu_until for placed in candidates) + 1
                free = [placed for placed in candidates if placed.tabu_until < step]
            here = frozenset(
                (placed, placed.start_s, max(placed.tabu_until - step, -1))
                for placed, before_s in moved.items()
                if placed.start_s != before_s or placed.tabu_until >= step
            )
            if here in seen:
                return False
            seen.add(here)
            evaluations += len(free)
            if evaluations > max_evaluations:
                return False
            placed, start_s = self._best_of_moves(free)
            moved.setdefault(placed, placed.start_s)
            self.move(placed, start_s)
            placed.tabu_until = step + TABU_MOVES

    def advance(self, max_evaluations: int) -> None:
        """Move each task of a feasible schedule to its first feasible start, in order of start, until none can move.

        Args:
            max_evaluations: Limit on evaluations of task windows.
        """
        evaluations, moved = 0, True
        while moved:
            moved = False
            for placed in sorted(self.placed_tasks, key=lambda placed: placed.start_s):
                if placed.start_s <= max(placed.task.earliest_start_s, self.grid.now_s):
                    continue
                if evaluations >= max_evaluations:
                    return
                evaluations += 1
                self.left_wh[placed.bins] += placed.load_wh
                start_s = first_feasible_s(placed.groups, self.left_wh)
                self.left_wh[placed.bins] -= placed.load_wh
                if start_s is not None and start_s < placed.start_s:
                    self.move(placed, start_s)
                    moved = True

    def overdrawing(self, *, fixed: bool = False) -> list[PlacedTask]:
        """Return the tasks that draw in overdrawn minutes.

        Args:
            fixed: Whether to include tasks that cannot start at another time.
        """
        overdrawn = self.left_wh < -SEARCH_TOLERANCE_WH
        return self._drawing(overdrawn, overdrawn.nonzero()[0].tolist(), fixed=fixed)

    def _drawing(self, overdrawn: BoolArray, chosen: Sequence[int], *, fixed: bool = False) -> list[PlacedTask]:
        """Return the tasks that draw in overdrawn minutes, which `chosen` lists."""
        found: list[PlacedTask] = []
        if not chosen:
            return found
        last = chosen[-1]
        for placed in self.placed_tasks:
            begin, load_wh = placed.first_bin, placed.load_wh
            if begin > last or not (fixed or placed.is_movable):
                continue
            first = chosen[bisect_left(chosen, begin)]
            # Nearly all loads draw in each of their minutes, so the first overdrawn one usually shows it.
            if first < begin + len(load_wh) and (
                load_wh[first - begin] > 0 or load_wh[overdrawn[begin : begin + len(load_wh)]].any()
            ):
                found.append(placed)
        return found

    def _best_of_moves(self, candidates: Sequence[PlacedTask]) -> tuple[PlacedTask, int]:
        """Return the task whose best other start reduces the overdraft most, the first of several, and that start."""
        best, best_wh, best_s = candidates[0], float("-inf"), 0
        for placed in candidates:
            gain_wh, start_s = self.best_move_beyond(placed, best_wh)
            if gain_wh > best_wh:
                best, best_wh, best_s = placed, gain_wh, start_s
        return best, best_s

    def best_move(self, placed: PlacedTask) -> tuple[float, int]:
        """Find the best other start of a task.

        Args:
            placed: The task.

        Returns:
            By how much the move reduces the overdraft, Wh (negative: increases it), and the start, UNIX seconds.
        """
        return self.best_move_beyond(placed, float("-inf"))

    def best_move_beyond(self, placed: PlacedTask, beyond_wh: float) -> tuple[float, int]:
        """Find the best other start of a task, unless no start can be better than another task's.

        Args:
            placed: The task.
            beyond_wh: By how much the overdraft must be reduced, Wh. A task gains at most what is not covered here.

        Returns:
            As `best_move`; minus infinity and the present start if no start was searched for.
        """
        load_wh = placed.load_wh
        left_wh = self.left_wh[placed.first_bin : placed.first_bin + len(load_wh)]
        left_wh += load_wh
        here_wh = float(np.add.reduce(np.minimum(load_wh, np.maximum(left_wh, _NOTHING_WH))))
        covered_wh, start_s = float("-inf"), placed.start_s
        if placed.task.load.energy_wh - here_wh + ROUNDING_WH > beyond_wh:
            covered_wh, start_s = best_covered(placed.groups, self.left_wh, except_s=placed.start_s)
        # Also without a search: what is left would be rounded otherwise, and equally good moves chosen differently.
        left_wh -= load_wh
        return covered_wh - here_wh, start_s


def insert_with_repair(tentative: TentativeSchedule, task: Task, max_evaluations: int = MAX_EVALUATIONS) -> bool:
    """Add a task to a feasible schedule and move others until all fit; unchanged if that fails.

    Args:
        tentative: The schedule.
        task: The new task, which has no feasible start as the schedule is.
        max_evaluations: Limit on evaluations of task windows.

    Returns:
        Whether all fit.
    """
    grid = tentative.grid
    groups = grid.candidates(task)
    fixed = TentativeSchedule(
        grid, [Commitment(placed.task, placed.start_s) for placed in tentative.placed_tasks if not placed.is_movable]
    )
    if first_feasible_s(groups, fixed.left_wh) is None:
        return False
    before_s = [placed.start_s for placed in tentative.placed_tasks]
    _, start_s = best_covered(groups, tentative.left_wh)
    new = tentative.add(task, start_s)
    if tentative.repair(max_evaluations):
        return True
    tentative.remove(new)
    for placed, start_s in zip(tentative.placed_tasks, before_s, strict=True):
        if placed.start_s != start_s:
            tentative.move(placed, start_s)
    return False


def best_covered(groups: Sequence[StartGroup], left_wh: FloatArray, except_s: int | None = None) -> tuple[float, int]:
    """Find the start at which production covers most of a task's energy.

    Args:
        groups: Candidate starts; at least one besides `except_s`.
        left_wh: Remaining production without the task, Wh per bin, shape (bins,).
        except_s: A start to ignore, UNIX seconds; None: none.

    Returns:
        The covered energy, Wh, and the first start at which it is reached, UNIX seconds.
    """
    best_wh, best_s = -1.0, 0
    for group in groups:
        excluded = -1
        if except_s is not None:
            minutes, second = divmod(except_s - group.first_s, BIN_S)
            excluded = minutes if second == 0 else -1
        covered_wh, place = _best_of(group, left_wh, excluded)
        if covered_wh > best_wh:
            best_wh, best_s = covered_wh, group.first_s + place * BIN_S
    return best_wh, best_s


def _best_of(group: StartGroup, left_wh: FloatArray, excluded: int) -> tuple[float, int]:
    """Return the highest coverage of a group's starts, Wh, and its index; negative if there is no start."""
    load_wh, count = group.load_wh, group.count
    bins = len(load_wh)
    free_wh = np.maximum(left_wh[group.first_bin : group.first_bin + count + bins - 1], _NOTHING_WH)
    if count == 1:
        return -2.0 if excluded == 0 else float(np.add.reduce(np.minimum(free_wh, load_wh))), 0
    step = free_wh.itemsize
    windows = np.ndarray((count, bins), free_wh.dtype, free_wh, 0, (step, step))
    stride = -(-count * bins // MAX_EVALUATED_CELLS)
    if stride == 1:
        return _best_row(windows, group.needed, excluded)
    _, coarse = _best_row(windows[::stride], group.needed, excluded // stride if excluded % stride == 0 else -1)
    first = max(0, (coarse - 1) * stride + 1)
    covered_wh, fine = _best_row(windows[first : (coarse + 1) * stride], group.needed, excluded - first)
    return covered_wh, first + fine


def _best_row(windows: FloatArray, needed: RequiredEnergy, excluded: int) -> tuple[float, int]:
    repeated_wh = _repeated_wh(needed)
    if len(windows) <= len(repeated_wh):
        # Two arrays without gaps are compared in one pass, which with the copy takes half the time of a pass by row.
        there_wh = windows.copy()
        np.minimum(there_wh, repeated_wh[: len(windows)], out=there_wh)
    else:
        there_wh = np.minimum(windows, needed.load_wh)
    covered_wh: FloatArray = np.add.reduce(there_wh, 1)
    if 0 <= excluded < len(covered_wh):
        covered_wh[excluded] = -2.0
    best = int(covered_wh.argmax())
    return covered_wh.item(best), best


@lru_cache(maxsize=MAX_REPEATED_LOADS)
def _repeated_wh(needed: RequiredEnergy) -> FloatArray:
    """Return the energies of a run in each row of an evaluation, Wh, shape (rows, bins touched)."""
    rows = MAX_EVALUATED_CELLS // len(needed.load_wh) + 1
    return np.repeat(needed.load_wh[np.newaxis], rows, axis=0)
