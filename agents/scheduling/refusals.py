"""Why a task is refused, in words that a household understands."""

from __future__ import annotations

import numpy as np

from agents.energy import FloatArray
from agents.scheduling.grid import Grid
from agents.scheduling.problem import Refusal, Task


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
