"""Rescheduling after a new forecast: which commitments stay, which move, and which are cancelled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from agents.scheduling.blas_threads import one_blas_thread
from agents.scheduling.problem import Commitment, ProducerState, Replanning
from agents.scheduling.tabu_search import TentativeSchedule, insert_with_repair
from agents.scheduling.time_grid import Grid, first_feasible_s

MAX_REPAIR_EVALUATIONS = 1000
"""Limit on evaluations of task windows before commitments are cancelled: forecasts are rare, broken promises costly."""


@one_blas_thread()
def replan(state: ProducerState) -> Replanning:
    """Fit a producer's commitments to a new forecast.

    Running tasks stay as they are. If all commitments still fit, nothing changes. Otherwise unstarted ones are moved
    within their windows, as few as the search needs. Only if that fails are some cancelled, such that the energy of the
    remaining ones is the highest found.

    Args:
        state: The producer's state with the new forecast.
    """
    running = [c for c in state.committed if c.start_s <= state.now_s]
    unstarted = [c for c in state.committed if c.start_s > state.now_s]
    starts_s = {c.task.job_id: c.start_s for c in running}
    grid = Grid.of(state)
    tentative = TentativeSchedule(grid, unstarted)
    if tentative.repair(MAX_REPAIR_EVALUATIONS):
        return Replanning(starts_s | tentative.starts_s(), {})
    schedules = [
        _drop_smallest(grid, unstarted),
        *(_fill_in_order(grid, sorted(unstarted, key=order)) for order in _ORDERS),
    ]
    kept_s = max(schedules, key=lambda schedule: _energy_wh(unstarted, schedule))
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
"""Orders in which commitments are inserted again: most energy, narrowest window, highest mean power, order of
acceptance."""


def _fill_in_order(grid: Grid, order: Sequence[Commitment]) -> dict[str, int]:
    """Return starts for as many commitments as fit, inserted in order: unchanged, elsewhere, or by moving others."""
    tentative = TentativeSchedule(grid)
    left_out: list[Commitment] = []
    for commitment in order:
        placed = tentative.add(commitment.task, commitment.start_s)
        if tentative.is_feasible():
            continue
        tentative.remove(placed)
        start_s = first_feasible_s(grid.candidates(commitment.task), tentative.left_wh)
        if start_s is None:
            left_out.append(commitment)
        else:
            tentative.add(commitment.task, start_s)
    return _insert_remaining(tentative, left_out)


def _drop_smallest(grid: Grid, unstarted: Sequence[Commitment]) -> dict[str, int]:
    """Return starts for as many commitments as fit, after dropping the smallest overdrawing ones."""
    tentative = TentativeSchedule(grid, unstarted)
    left_out: list[Commitment] = []
    while not tentative.is_feasible():
        placed = min(tentative.overdrawing(fixed=True), key=lambda placed: placed.task.load.energy_wh)
        tentative.remove(placed)
        left_out.append(Commitment(placed.task, placed.start_s))
    return _insert_remaining(tentative, sorted(left_out, key=lambda c: -c.task.load.energy_wh))


def _insert_remaining(tentative: TentativeSchedule, left_out: Sequence[Commitment]) -> dict[str, int]:
    """Return the starts of a feasible schedule and of as many left-out tasks as can be inserted."""
    for commitment in left_out:
        start_s = first_feasible_s(tentative.grid.candidates(commitment.task), tentative.left_wh)
        if start_s is None:
            insert_with_repair(tentative, commitment.task)
        else:
            tentative.add(commitment.task, start_s)
    return tentative.starts_s()


def _energy_wh(commitments: Sequence[Commitment], starts_s: Mapping[str, int]) -> float:
    return sum(c.task.load.energy_wh for c in commitments if c.task.job_id in starts_s)
