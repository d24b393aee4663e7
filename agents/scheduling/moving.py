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
from agents.scheduling.grid import BIN_S, SEARCH_TOLERANCE_WH, Grid, Starts, footprint_wh
from agents.scheduling.problem import Commitment, Task

MAX_LOOKS = 60
"""At windows, in one decision: about 3 ms among 100 tasks with windows of hours."""
REST = 8
"""For how many moves a task that moved stays."""


@dataclass(slots=True, eq=False)
class Piece:
    """A task that may be moved, and where it is now."""

    task: Task
    groups: tuple[Starts, ...]
    """Where it may go."""
    start_s: int
    first_bin: int
    load_wh: FloatArray
    """What it draws, from `first_bin` on."""
    rests_until: int = 0

    @property
    def bins(self) -> slice:
        """The bins that it touches."""
        return slice(self.first_bin, self.first_bin + len(self.load_wh))


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
        piece = Piece(task, self.grid.candidates(task), 0, 0, np.empty(0))
        self._settle(piece, start_s)
        self.pieces.append(piece)
        return piece

    def remove(self, piece: Piece) -> None:
        """Take a task off the grid."""
        self.left_wh[piece.bins] += piece.load_wh
        self.pieces.remove(piece)

    def move(self, piece: Piece, start_s: int) -> None:
        """Put a task elsewhere."""
        self.left_wh[piece.bins] += piece.load_wh
        self._settle(piece, start_s)

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
        while True:
            overdrawn = self.left_wh < -SEARCH_TOLERANCE_WH
            if not overdrawn.any():
                return True
            step += 1
            best: tuple[float, int, Piece] | None = None
            for piece in self.pieces:
                if piece.rests_until >= step or not (piece.load_wh[overdrawn[piece.bins]] > 0).any():
                    continue
                if looks >= max_looks:
                    return False
                looks += 1
                bins = piece.bins
                self.left_wh[bins] += piece.load_wh
                here_wh = float(np.minimum(piece.load_wh, np.maximum(self.left_wh[bins], 0.0)).sum())
                covered_wh, start_s = best_covered(piece.groups, self.left_wh)
                self.left_wh[bins] -= piece.load_wh
                gain_wh = covered_wh - here_wh
                if start_s != piece.start_s and (best is None or gain_wh > best[0]):
                    best = (gain_wh, start_s, piece)
            if best is None:
                return False
            _, start_s, piece = best
            self.move(piece, start_s)
            piece.rests_until = step + REST

    def _settle(self, piece: Piece, start_s: int) -> None:
        piece.start_s = start_s
        piece.first_bin = (start_s - self.grid.first_s) // BIN_S
        piece.load_wh = footprint_wh(piece.task.load, start_s % BIN_S)
        self.left_wh[piece.bins] -= piece.load_wh


def make_room(
    grid: Grid, unstarted: Sequence[Commitment], task: Task, max_looks: int = MAX_LOOKS
) -> dict[str, int] | None:
    """Return starts for the new task and all unstarted ones that fit together, or None if the search found none."""
    groups = grid.candidates(task)
    if not groups:
        return None
    layout = Layout(grid, unstarted)
    _, start_s = best_covered(groups, layout.left_wh)
    layout.add(task, start_s)
    return layout.starts_s() if layout.repair(max_looks) else None


def best_covered(groups: Sequence[Starts], left_wh: FloatArray) -> tuple[float, int]:
    """Return the most of a task's energy that any start finds left, Wh, and the first such start.

    Args:
        groups: Where the task may go; at least one.
        left_wh: What the others leave, Wh per bin.
    """
    free_wh = np.maximum(left_wh, 0.0)
    best_wh, best_s = -1.0, 0
    for group in groups:
        covered_wh = np.minimum(group.windows(free_wh), group.load_wh).sum(axis=1)
        i = int(np.argmax(covered_wh))
        if covered_wh[i] > best_wh:
            best_wh, best_s = float(covered_wh[i]), group.first_s + i * BIN_S
    return best_wh, best_s
