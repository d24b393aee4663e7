"""A new prediction: which commitments stay, which move, which cannot be kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agents.linear_algebra import one_blas_thread
from agents.scheduling.problem import Commitment, Problem
from agents.scheduling.repair import Layout, make_room
from agents.scheduling.time_grid import Grid, first_feasible_s

MAX_REPAIR_LOOKS = 1000
"""At windows, before something is given up: a new forecast is rare, a broken promise dear."""


@dataclass(frozen=True, slots=True)
class Replanning:
    """What becomes of a producer's commitments."""

    starts_s: Mapping[str, int]
    """By job id, for every commitment that stands, running ones included; many as they were."""
    cancelled: Mapping[str, str]
    """Job ids that the sun no longer carries, with the reason, fit to be shown."""


@one_blas_thread()
def replan(problem: Problem) -> Replanning:
    """Fit a producer's commitments to its production as it is expected now.

    Running tasks stay as they are. Where all commitments still fit, nothing changes. Else unstarted ones move inside
    their windows, as few as the search needs; only when that fails are some given up, so that the energy of those
    that stand is the most found.

    Args:
        problem: The producer's state with its new production.
    """
    running = [c for c in problem.committed if c.start_s <= problem.now_s]
    unstarted = [c for c in problem.committed if c.start_s > problem.now_s]
    starts_s = {c.task.job_id: c.start_s for c in running}
    grid = Grid.of(problem)
    layout = Layout(grid, unstarted)
    if layout.repair(MAX_REPAIR_LOOKS):
        return Replanning(starts_s | layout.starts_s(), {})
    plans = [_give_up(grid, unstarted), *(_fill(grid, sorted(unstarted, key=order)) for order in _ORDERS)]
    kept_s = max(plans, key=lambda plan: _energy_wh(unstarted, plan))
    lost = {
        c.task.job_id: f"the new forecast has too little sun for its {c.task.load.energy_wh:.0f} Wh"
        for c in unstarted
        if c.task.job_id not in kept_s
    }
    return Replanning(starts_s | kept_s, lost)


_ORDERS: Sequence[Callable[[Commitment], float]] = (
    lambda c: -c.task.load.energy_wh,
    lambda c: c.task.latest_start_s - c.task.earliest_start_s,
    lambda c: c.task.load.duration_s / max(c.task.load.energy_wh, 1e-9),
    lambda _: 0.0,
)
"""In which order commitments are put back: most energy, least choice, strongest, first come."""


def _fill(grid: Grid, order: Sequence[Commitment]) -> dict[str, int]:
    """Return starts for as many commitments as fit, taken in that order: where it was, elsewhere, by moving others."""
    layout = Layout(grid)
    left_out: list[Commitment] = []
    for commitment in order:
        piece = layout.add(commitment.task, commitment.start_s)
        if layout.is_sound():
            continue
        layout.remove(piece)
        start_s = first_feasible_s(grid.candidates(commitment.task), layout.left_wh)
        if start_s is None:
            left_out.append(commitment)
        else:
            layout.add(commitment.task, start_s)
    return _taken_in(layout, left_out)


def _give_up(grid: Grid, unstarted: Sequence[Commitment]) -> dict[str, int]:
    """Return starts for as many commitments as fit: the smallest in the way is given up, until nothing is."""
    layout = Layout(grid, unstarted)
    left_out: list[Commitment] = []
    while not layout.is_sound():
        piece = min(layout.overdrawing(fixed=True), key=lambda piece: piece.task.load.energy_wh)
        layout.remove(piece)
        left_out.append(Commitment(piece.task, piece.start_s))
    return _taken_in(layout, sorted(left_out, key=lambda c: -c.task.load.energy_wh))


def _taken_in(layout: Layout, left_out: Sequence[Commitment]) -> dict[str, int]:
    """Return starts for the tasks of a sound layout and as many more as fit, where they fit or by moving others."""
    for commitment in left_out:
        start_s = first_feasible_s(layout.grid.candidates(commitment.task), layout.left_wh)
        if start_s is None:
            make_room(layout, commitment.task)
        else:
            layout.add(commitment.task, start_s)
    return layout.starts_s()


def _energy_wh(commitments: Sequence[Commitment], starts_s: Mapping[str, int]) -> float:
    return sum(c.task.load.energy_wh for c in commitments if c.task.job_id in starts_s)
