"""Making room: a local search that moves unstarted tasks inside their windows.

While a minute is overdrawn, one of the tasks that draw in overdrawn minutes moves to where it lowers the overdraft
most; a task that moved rests for a while (tabu), so that the search leaves a dead end instead of circling in it.
Effort is counted in looks at a task's whole window.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from agents.energy import FloatArray
from agents.scheduling.problem import Commitment, Task
from agents.scheduling.time_grid import BIN_S, SEARCH_TOLERANCE_WH, Grid, Starts, first_feasible_s

MAX_LOOKS = 40
"""At windows, in one decision: about 1.5 ms; more found hardly more plans."""
MAX_LOOK_CELLS = 4_096
"""Starts times bins that a look compares: in long windows every second, third, ... start, then those around the best.
Comparing all found no more plans."""
REST = 5
"""For how many moves a task that moved stays."""


@dataclass(eq=False, slots=True)
class Piece:
    """A task that may be moved, and where it is now."""

    task: Task
    grid: Grid
    start_s: int
    first_bin: int
    load_wh: FloatArray
    """What it draws, from `first_bin` on."""
    rests_until: int = 0
    _groups: tuple[Starts, ...] | None = None

    @property
    def groups(self) -> tuple[Starts, ...]:
        """Where it may go."""
        if self._groups is None:
            self._groups = self.grid.candidates(self.task)
        return self._groups

    @property
    def bins(self) -> slice:
        """The bins that it touches."""
        return slice(self.first_bin, self.first_bin + len(self.load_wh))

    @property
    def is_movable(self) -> bool:
        """Whether it could start at any other time."""
        return self.task.has_choice(self.grid.now_s)


class Layout:
    """Tasks on a grid, some of them perhaps in each other's way. The search changes it in place."""

    def __init__(self, grid: Grid, commitments: Iterable[Commitment] = ()) -> None:
        self.grid = grid
        self.left_wh = grid.free_wh.copy()
        """What of the sun is left, Wh per bin; below zero where tasks overdraw it."""
        self.pieces: list[Piece] = []
        for commitment in commitments:
            self.add(commitment.task, commitment.start_s)

    def add(self, task: Task, start_s: int) -> Piece:
        """Put a task on the grid."""
        first_bin = (start_s - self.grid.first_s) // BIN_S
        piece = Piece(task, self.grid, start_s, first_bin, task.load.per_minute_wh(start_s % BIN_S))
        self.left_wh[piece.bins] -= piece.load_wh
        self.pieces.append(piece)
        return piece

    def remove(self, piece: Piece) -> None:
        """Take a task off the grid."""
        self.left_wh[piece.bins] += piece.load_wh
        self.pieces.remove(piece)

    def move(self, piece: Piece, start_s: int) -> None:
        """Put a task elsewhere."""
        self.left_wh[piece.bins] += piece.load_wh
        piece.start_s = start_s
        piece.first_bin = (start_s - self.grid.first_s) // BIN_S
        piece.load_wh = piece.task.load.per_minute_wh(start_s % BIN_S)
        self.left_wh[piece.bins] -= piece.load_wh

    def starts_s(self) -> dict[str, int]:
        """Return where all tasks are."""
        return {piece.task.job_id: piece.start_s for piece in self.pieces}

    def is_sound(self) -> bool:
        """Say whether no minute is overdrawn."""
        return bool((self.left_wh >= -SEARCH_TOLERANCE_WH).all())

    def repair(self, max_looks: int) -> bool:
        """Move tasks until no minute is overdrawn; say whether that came true within so many looks at windows."""
        looks = step = 0
        for piece in self.pieces:
            piece.rests_until = 0
        while not self.is_sound():
            step += 1
            in_the_way = self.overdrawing()
            if not in_the_way:
                return False
            best: tuple[float, int, Piece] | None = None
            # Where all of them rest, the one that has rested longest gets up.
            step = max(step, min(piece.rests_until for piece in in_the_way) + 1)
            for piece in in_the_way:
                if piece.rests_until >= step:
                    continue
                if looks >= max_looks:
                    return False
                looks += 1
                gain_wh, start_s = self.best_move(piece)
                if best is None or gain_wh > best[0]:
                    best = (gain_wh, start_s, piece)
            if best is None:
                return False
            _, start_s, piece = best
            self.move(piece, start_s)
            piece.rests_until = step + REST
        return True

    def advance(self, max_looks: int) -> None:
        """Move each task of a sound layout to the first start that fits, soonest first, until none can, or so often."""
        looks, moved = 0, True
        while moved:
            moved = False
            for piece in sorted(self.pieces, key=lambda piece: piece.start_s):
                if piece.start_s <= max(piece.task.earliest_start_s, self.grid.now_s):
                    continue
                if looks >= max_looks:
                    return
                looks += 1
                self.left_wh[piece.bins] += piece.load_wh
                start_s = first_feasible_s(piece.groups, self.left_wh)
                self.left_wh[piece.bins] -= piece.load_wh
                if start_s is not None and start_s < piece.start_s:
                    self.move(piece, start_s)
                    moved = True

    def overdrawing(self, *, fixed: bool = False) -> list[Piece]:
        """Return the tasks that draw in overdrawn minutes; those that cannot start at another time only if `fixed`."""
        overdrawn = self.left_wh < -SEARCH_TOLERANCE_WH
        chosen = np.flatnonzero(overdrawn)
        if not len(chosen):
            return []
        first, last = int(chosen[0]), int(chosen[-1])
        weights = overdrawn.astype(np.float64)
        # No load is below zero: what a task draws in overdrawn minutes adds up to zero only if it draws in none.
        return [
            piece
            for piece in self.pieces
            if piece.first_bin <= last
            and piece.first_bin + len(piece.load_wh) > first
            and piece.load_wh @ weights[piece.bins] > 0
            and (fixed or piece.is_movable)
        ]

    def best_move(self, piece: Piece) -> tuple[float, int]:
        """Return how much overdraft a task's best move takes away, Wh (below zero: adds), and where it goes."""
        bins = piece.bins
        self.left_wh[bins] += piece.load_wh
        here_wh = float(np.minimum(piece.load_wh, np.maximum(self.left_wh[bins], 0.0)).sum())
        covered_wh, start_s = best_covered(piece.groups, self.left_wh, besides_s=piece.start_s)
        self.left_wh[bins] -= piece.load_wh
        return covered_wh - here_wh, start_s


def make_room(layout: Layout, task: Task, max_looks: int = MAX_LOOKS) -> bool:
    """Add a task to a sound layout and move others until all fit; say whether they do. If not, nothing changes.

    Args:
        layout: What stands.
        task: What no start carries as it is.
        max_looks: At windows.
    """
    grid = layout.grid
    groups = grid.candidates(task)
    fixed = Layout(grid, [Commitment(piece.task, piece.start_s) for piece in layout.pieces if not piece.is_movable])
    if first_feasible_s(groups, fixed.left_wh) is None:
        return False
    before_s = [piece.start_s for piece in layout.pieces]
    _, start_s = best_covered(groups, layout.left_wh)
    new = layout.add(task, start_s)
    if layout.repair(max_looks):
        return True
    layout.remove(new)
    for piece, start_s in zip(layout.pieces, before_s, strict=True):
        if piece.start_s != start_s:
            layout.move(piece, start_s)
    return False


def best_covered(groups: Sequence[Starts], left_wh: FloatArray, besides_s: int | None = None) -> tuple[float, int]:
    """Return the most of a task's energy that a start is found to be covered, Wh, and the first such start.

    Args:
        groups: Where the task may go; at least one start besides `besides_s`.
        left_wh: What the others leave, Wh per bin.
        besides_s: A start that does not count.
    """
    free_wh = np.maximum(left_wh, 0.0)
    best_wh, best_s = -1.0, 0
    for group in groups:
        besides = -1
        if besides_s is not None:
            minutes, second = divmod(besides_s - group.first_s, BIN_S)
            besides = minutes if second == 0 else -1
        covered_wh, place = _best_of(group, free_wh, besides)
        if covered_wh > best_wh:
            best_wh, best_s = covered_wh, group.first_s + place * BIN_S
    return best_wh, best_s


def _best_of(group: Starts, free_wh: FloatArray, besides: int) -> tuple[float, int]:
    """Return the most that any of a group's starts is covered, Wh, and its place; below zero if there is none."""
    load_wh = group.load_wh
    if group.count == 1:
        if besides == 0:
            return -2.0, 0
        return float(np.minimum(free_wh[group.first_bin : group.first_bin + len(load_wh)], load_wh).sum()), 0
    windows = group.windows(free_wh)
    stride = -(-group.count * len(load_wh) // MAX_LOOK_CELLS)
    if stride == 1:
        return _best_row(windows, load_wh, besides)
    _, coarse = _best_row(windows[::stride], load_wh, besides // stride if besides % stride == 0 else -1)
    first = max(0, (coarse - 1) * stride + 1)
    covered_wh, fine = _best_row(windows[first : (coarse + 1) * stride], load_wh, besides - first)
    return covered_wh, first + fine


def _best_row(windows: FloatArray, load_wh: FloatArray, besides: int) -> tuple[float, int]:
    covered_wh = np.minimum(windows, load_wh).sum(axis=1)
    if 0 <= besides < len(covered_wh):
        covered_wh[besides] = -2.0
    best = int(covered_wh.argmax())
    return float(covered_wh[best]), best
