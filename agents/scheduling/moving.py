"""Making room: a local search that moves unstarted tasks inside their windows.

The new task is put where the least of it is uncovered. While a minute is overdrawn, one of the tasks that draw in
overdrawn minutes moves to where it lowers the overdraft most; a task that moved rests for a while (tabu), so that the
search leaves a dead end instead of circling in it. Effort is counted in looks at a task's whole window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from agents.energy import FloatArray
from agents.scheduling.grid import BIN_S, SEARCH_TOLERANCE_WH, Grid, Starts, footprint_wh
from agents.scheduling.problem import Commitment, Task

MAX_LOOKS = 60
"""At windows, in one search: about 3 ms among 100 tasks with windows of hours."""
REST = 8
"""For how many moves a task that moved stays."""


@dataclass(slots=True)
class _Piece:
    """A task that may be moved, and where it is now."""

    task: Task
    groups: tuple[Starts, ...]
    start_s: int = 0
    first_bin: int = 0
    load_wh: FloatArray = field(default_factory=lambda: np.empty(0))
    rests_until: int = 0

    def put(self, start_s: int, first_s: int) -> None:
        self.start_s = start_s
        self.first_bin = (start_s - first_s) // BIN_S
        self.load_wh = footprint_wh(self.task.load, start_s % BIN_S)

    def span(self) -> slice:
        return slice(self.first_bin, self.first_bin + len(self.load_wh))


def make_room(
    grid: Grid, remaining_wh: FloatArray, unstarted: Sequence[Commitment], task: Task
) -> dict[str, int] | None:
    """Return starts for the new task and all unstarted ones that fit together, or None if the search found none."""
    groups = grid.candidates(task)
    if not groups:
        return None
    newcomer = _Piece(task, groups)
    pieces = [_Piece(c.task, grid.candidates(c.task)) for c in unstarted]
    for piece, commitment in zip(pieces, unstarted, strict=True):
        piece.put(commitment.start_s, grid.first_s)
    left_wh = remaining_wh.copy()
    _, start_s = _best_move(newcomer, left_wh)
    newcomer.put(start_s, grid.first_s)
    pieces.append(newcomer)
    left_wh[newcomer.span()] -= newcomer.load_wh
    looks = 0
    step = 0
    while True:
        overdrawn = left_wh < -SEARCH_TOLERANCE_WH
        if not overdrawn.any():
            return {piece.task.job_id: piece.start_s for piece in pieces}
        step += 1
        best: tuple[float, int, _Piece] | None = None
        for piece in pieces:
            if piece.rests_until >= step or not (piece.load_wh[overdrawn[piece.span()]] > 0).any():
                continue
            if looks >= MAX_LOOKS:
                return None
            looks += 1
            span = piece.span()
            left_wh[span] += piece.load_wh
            covered_here_wh = float(np.minimum(piece.load_wh, np.maximum(left_wh[span], 0.0)).sum())
            covered_wh, start_s = _best_move(piece, left_wh)
            left_wh[span] -= piece.load_wh
            gain_wh = covered_wh - covered_here_wh
            if start_s != piece.start_s and (best is None or gain_wh > best[0]):
                best = (gain_wh, start_s, piece)
        if best is None:
            return None
        _, start_s, piece = best
        left_wh[piece.span()] += piece.load_wh
        piece.put(start_s, grid.first_s)
        left_wh[piece.span()] -= piece.load_wh
        piece.rests_until = step + REST


def _best_move(piece: _Piece, left_wh: FloatArray) -> tuple[float, int]:
    """Return the most of the task's energy that a start leaves covered, Wh, and the earliest such start."""
    free_wh = np.maximum(left_wh, 0.0)
    best: tuple[float, int] | None = None
    for group in piece.groups:
        covered_wh = np.minimum(group.windows(free_wh), group.load_wh).sum(axis=1)
        i = int(np.argmax(covered_wh))
        found = (float(covered_wh[i]), group.first_s + i * BIN_S)
        if best is None or found[0] > best[0]:
            best = found
    assert best is not None  # noqa: S101 - a task that has not started has starts left
    return best
