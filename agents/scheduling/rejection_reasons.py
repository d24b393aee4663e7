"""Why a producer declines a job: the reason in words for users, with the energy that was left and needed."""

from __future__ import annotations

import numpy as np

from agents.energy import FloatArray
from agents.scheduling.problem import Rejection, Task
from agents.scheduling.time_grid import Grid


def explain_rejection(grid: Grid, remaining_wh: FloatArray, task: Task) -> Rejection:
    """Explain why a task without a feasible start is rejected.

    Args:
        grid: The producer's time grid.
        remaining_wh: Remaining production per bin, Wh, shape (bins,).
        task: The rejected task.
    """
    groups = grid.candidates(task)
    if not groups:
        return Rejection("its latest start has passed")
    needed_wh = task.load.energy_wh
    first_bin = min(group.first_bin for group in groups)
    end_bin = max(group.first_bin + group.count - 1 + len(group.load_wh) for group in groups)
    left_wh = float(np.maximum(remaining_wh[first_bin:end_bin], 0.0).sum())
    if left_wh < needed_wh:
        return Rejection(f"only {left_wh:.0f} Wh of production left in its window, {needed_wh:.0f} Wh needed")
    return Rejection(
        "no start in its window has enough production in every minute "
        f"({left_wh:.0f} Wh left, {needed_wh:.0f} Wh needed)"
    )
