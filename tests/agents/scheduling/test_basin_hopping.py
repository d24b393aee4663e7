"""The objective of basin-hopping: exact in time, with a gradient that is one, and a search that uses it."""

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest

from agents.energy import LoadProfile, Production
from agents.scheduling.basin_hopping import BasinHopping, Method, PenaltyObjective
from agents.scheduling.problem import Commitment, ProducerState, Task
from agents.scheduling.settings import BASIN_HOPPING
from agents.scheduling.time_grid import Grid

NOW_S = 1_782_000_017
HOUR_S = 3600


def crowd(seed: int, count: int = 12) -> tuple[ProducerState, list[Commitment]]:
    """Return a producer at sunrise and tasks at random starts, with about as much demand as sun."""
    rng = Random(seed)
    commitments = []
    for i in range(count):
        cumulative_wh = np.cumsum([0.0, *(rng.choice([0.0, 40.0, 300.0, 700.0]) for _ in range(5))])
        times_s = np.cumsum([0, *(rng.randint(200, 1500) for _ in range(5))])
        load = LoadProfile(times_s=tuple(times_s.tolist()), cumulative_wh=tuple(cumulative_wh.tolist()))
        earliest_s = NOW_S + rng.randint(-1000, 5 * HOUR_S)
        latest_s = max(earliest_s, NOW_S) + rng.randint(600, 4 * HOUR_S)
        task = Task(f"j{i}", load, earliest_s, latest_s)
        commitments.append(Commitment(task, rng.randint(max(earliest_s, NOW_S), latest_s)))
    demand_wh = sum(c.task.load.energy_wh for c in commitments)
    hours_wh = np.cumsum([0.0, *(np.sin((np.arange(9) + 0.5) / 9 * np.pi) * demand_wh / 5)])
    times = tuple((NOW_S + np.arange(10) * HOUR_S).tolist())
    return ProducerState(Production(times_s=times, cumulative_wh=tuple(hours_wh.tolist())), (), NOW_S), commitments


def delays_h(commitments: Sequence[Commitment]) -> np.ndarray:
    """Return the starts as the objective takes them."""
    return np.array([(c.start_s - NOW_S) / HOUR_S for c in commitments])


def test_the_energy_drawn_is_exact() -> None:
    """Without averaging, the draw at whole-second starts equals the grid's, up to rounding."""
    state, commitments = crowd(1)
    grid = Grid.of(state, *(c.task for c in commitments))
    objective = PenaltyObjective.of(grid, [c.task for c in commitments], penalty=10.0, step_s=0.001)
    by_grid_wh = grid.free_wh - grid.remaining_beside_starts((c.task, c.start_s) for c in commitments)
    assert np.allclose(objective.drawn_wh(delays_h(commitments)), by_grid_wh, atol=1e-9)


@pytest.mark.parametrize("step_s", [0.0001, 1.0, 60.0, 600.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_gradient_is_the_slope(step_s: float, seed: int) -> None:
    """The gradient agrees with finite differences, with and without averaging, and is not zero."""
    state, commitments = crowd(seed)
    tasks = [c.task for c in commitments]
    objective = PenaltyObjective.of(Grid.of(state, *tasks), tasks, penalty=10.0, step_s=step_s)
    at = delays_h(commitments) + 1e-4
    _, gradient = objective(at)
    tiny = 1e-5
    slopes = [(objective(at + d)[0] - objective(at - d)[0]) / (2 * tiny) for d in np.eye(len(at)) * tiny]
    assert np.abs(gradient).max() > 100
    assert np.allclose(gradient, slopes, rtol=1e-3, atol=0.5)


@pytest.mark.parametrize("method", BASIN_HOPPING)
@pytest.mark.parametrize(("seed", "count"), [(4, 12), (5, 12), (6, 12), (7, 3), (8, 6), (9, 25), (10, 40)])
def test_finds_plans_as_good_as_300_draws(method: Method, seed: int, count: int) -> None:
    """From the same start, basin-hopping ends at least as low as the best of 300 random plans, of few tasks or many."""
    state, commitments = crowd(seed, count)
    tasks = [c.task for c in commitments]
    grid = Grid.of(state, *tasks)
    objective = PenaltyObjective.of(grid, tasks, penalty=100.0, step_s=60.0)
    found = BasinHopping(method, 100.0, 60.0, 0.01).optimise(grid, commitments, Random(1))
    draws = np.random.default_rng(seed)
    lowest = np.array([max(t.earliest_start_s - NOW_S, 0) / HOUR_S for t in tasks])
    highest = np.array([(t.latest_start_s - NOW_S) / HOUR_S for t in tasks])
    assert (found >= lowest).all()
    assert (found <= highest).all()
    best_drawn = min(objective(draws.uniform(lowest, highest))[0] for _ in range(300))
    assert objective(found)[0] <= best_drawn
    assert objective(found)[0] < objective(delays_h(commitments))[0]
