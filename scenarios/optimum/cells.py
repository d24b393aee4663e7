"""Starts that say the same: what the mixed-integer program chooses from.

The program looks at a sample of minutes only, so that all starts of a job that draw the same in these minutes are one
*cell*, and one variable: of its starts the least draw counts. A cell that draws no less than another anywhere is
dominated, and left out. What is left out or drawn too little can only make the program's optimum higher: it bounds
what any plan delivers, at every second of the windows, whatever the sample; and the fewer minutes, the fewer cells.

In the last program, over every minute, nothing is drawn too little: a cell is then one piece of a stretch, and its
draw moves on a line from that of its first second to that of its last.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.energy import FloatArray
from scenarios.optimum.instance import Task
from scenarios.optimum.ladders import BIN_S, BoolArray, IntArray, Ladder
from scenarios.optimum.stretches import Open

ROUNDED_WH = 1e-6
"""Draws are rounded down to this, so that those that differ by arithmetic only are one."""


@dataclass(frozen=True, eq=False)
class Cell:
    """Some starts of one task on one class of producers."""

    draw_wh: FloatArray
    """What is drawn in each sampled minute: by all of its starts, or by the first if it has a slope."""
    slope_wh: FloatArray | None
    """How much more the last start draws than the first, if that counts; shape (sampled minutes,)."""
    open_: Open
    piece: int
    """Of the stretch: the one that stands for the cell."""
    occupies: BoolArray
    """At the beginning of which sampled minutes the task runs, whichever of the cell's starts it has."""

    def share_at(self, draw_wh: FloatArray) -> float | None:
        """Return how far towards its last start it draws no more than this in any sampled minute; None if nowhere."""
        share = 0.0
        if self.slope_wh is not None:
            steepest = int(np.abs(self.slope_wh).argmax())
            share = float(np.clip((draw_wh - self.draw_wh)[steepest] / self.slope_wh[steepest], 0.0, 1.0))
        own_wh = self.draw_wh if self.slope_wh is None else self.draw_wh + share * self.slope_wh
        return share if (own_wh <= draw_wh + ROUNDED_WH).all() else None

    def ladder(self, share: float) -> Ladder:
        """Return the piece's whole second at this share of the way from its first to its last, as a start of a plan."""
        stretch = self.open_.stretch
        first_s, last_s = self.open_.first_s[self.piece], self.open_.last_s[self.piece]
        second_s = round(float(first_s + share * (last_s - first_s)))
        late, offset_s = divmod(stretch.offset_s + second_s, BIN_S)
        draw_wh = self.open_.draw_wh(second_s)[late:]
        return Ladder(draw_wh, offset_s, stretch.first_bin + self.piece + late, 1)


def cells_of(task: Task, limit_wh: FloatArray, minutes: IntArray, *, sloped: bool, tied: bool = False) -> list[Cell]:
    """Return the cells of a task on a producer, those that draw least first.

    Args:
        task: Which.
        limit_wh: The most that the producer may be asked for, by bin.
        minutes: The sample, rising: bins.
        sloped: Whether each piece is a cell of its own, with its slope.
        tied: Whether it counts when the task's device is taken; starts that take it at other times then differ.
    """
    duration_s = task.run.duration_s if tied else 0
    found = [
        _pieces(open_, minutes, duration_s, sloped=sloped)
        for stretch in task.stretches
        if (open_ := stretch.within(limit_wh)).mask.any()
    ]
    cells = [cell for pieces in found for cell in pieces]
    if sloped or not cells:
        return cells
    draws = np.array([np.concatenate((cell.draw_wh, cell.occupies)) for cell in cells])
    _, first = np.unique(draws, axis=0, return_index=True)
    rising = first[np.argsort(draws[first].sum(axis=1), kind="stable")]
    touched = np.flatnonzero(draws.any(axis=0))
    least = draws[np.ix_(rising, touched)]
    kept: list[int] = []
    for i in range(len(rising)):
        if not (least[kept] <= least[i]).all(axis=1).any():
            kept.append(i)
    return [cells[rising[i]] for i in kept]


def _pieces(open_: Open, minutes: IntArray, duration_s: int, *, sloped: bool) -> list[Cell]:
    stretch = open_.stretch
    pieces = np.flatnonzero(open_.mask)
    place = minutes[np.newaxis, :] - (stretch.first_bin + pieces)[:, np.newaxis]
    meets = (place >= 0) & (place < len(stretch.left_wh))
    place = np.where(meets, place, 0)
    left_wh, rise_wh = stretch.left_wh[place], (stretch.right_wh - stretch.left_wh)[place]
    length_s = max(1, stretch.length_s)
    first_wh = np.where(meets, left_wh + rise_wh * (open_.first_s[pieces] / length_s)[:, np.newaxis], 0.0)
    last_wh = np.where(meets, left_wh + rise_wh * (open_.last_s[pieces] / length_s)[:, np.newaxis], 0.0)
    begin_s = BIN_S * (stretch.first_bin + pieces) + stretch.offset_s
    at_s = BIN_S * minutes[np.newaxis, :]
    after_last = at_s >= (begin_s + open_.last_s[pieces])[:, np.newaxis]
    occupies = after_last & (at_s < (begin_s + open_.first_s[pieces] + duration_s)[:, np.newaxis])
    if sloped:
        slopes = last_wh - first_wh
        return [
            Cell(draw, slope if slope.any() else None, open_, int(piece), taken)
            for draw, slope, piece, taken in zip(first_wh, slopes, pieces, occupies, strict=True)
        ]
    least_wh = np.maximum(np.floor(np.minimum(first_wh, last_wh) / ROUNDED_WH) * ROUNDED_WH, 0.0)
    return [
        Cell(draw, None, open_, int(piece), taken)
        for draw, piece, taken in zip(least_wh, pieces, occupies, strict=True)
    ]
