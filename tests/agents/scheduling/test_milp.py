"""The mixed-integer program against all plans there are, tried one by one."""

from collections.abc import Callable
from itertools import product
from random import Random

import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st

from agents.energy import LoadProfile, Production
from agents.scheduling.insertion import place_by_insertion
from agents.scheduling.milp import Exact, delay_wh_s
from agents.scheduling.problem import Commitment, ProducerState, Rejection, Schedule, Task
from agents.scheduling.time_grid import Grid, fits

NOW_S = 1_782_000_017
SEEDS = (*range(20), 91, 102, 114, 134)
"""In the last four a task fits only if another moves, which is rare among so few."""


def crowded(seed: int) -> tuple[ProducerState, Task]:
    """Return one to three committed tasks and a new one, with windows of minutes, and sun for most of them."""
    rng = Random(seed)
    tasks = []
    for i in range(rng.randint(2, 4)):
        powers_w = [rng.choice([0, 300, 900, 1500]) for _ in range(rng.randint(1, 3))]
        times_s, cumulative_wh = [0], [0.0]
        for power_w in powers_w:
            times_s.append(times_s[-1] + rng.choice([60, 120, 90]))
            cumulative_wh.append(cumulative_wh[-1] + power_w * (times_s[-1] - times_s[-2]) / 3600)
        earliest_s = NOW_S + rng.randint(-60, 300)
        load = LoadProfile(times_s=tuple(times_s), cumulative_wh=tuple(cumulative_wh))
        width_s = rng.choice([0, 1, 20, 200, 400])
        tasks.append(Task(f"j{i}", load, earliest_s, max(earliest_s, NOW_S) + width_s))
    powers_w = [rng.choice([300, 1000, 1600]) for _ in range(15)]
    cumulative_wh = [0.0]
    for power_w in powers_w:
        cumulative_wh.append(cumulative_wh[-1] + power_w / 60)
    first_s = NOW_S - NOW_S % 60
    times = tuple(first_s + 60 * i for i in range(16))
    production = Production(times_s=times, cumulative_wh=tuple(cumulative_wh))
    committed: list[Commitment] = []
    for task in tasks[:-1]:
        answer = place_by_insertion(ProducerState(production, tuple(committed), NOW_S - 1), task)
        if isinstance(answer, Schedule):
            committed = [Commitment(t, answer.starts_s[t.job_id]) for t in [*(c.task for c in committed), task]]
    return ProducerState(production, tuple(committed), NOW_S), tasks[-1]


def best_by_trying_all(state: ProducerState, task: Task) -> float | None:
    """Return what the best of all plans is judged by, None if there is no plan."""
    grid = Grid.of(state, task)
    unstarted = [c.task for c in state.committed if c.start_s > state.now_s] + [task]
    running_s = {c.task.job_id: c.start_s for c in state.committed if c.start_s <= state.now_s}
    starts = [
        [group.first_s + 60 * i for group in grid.candidates(candidate) for i in range(group.count)]
        for candidate in unstarted
    ]
    found = [
        delay_wh_s(unstarted, plan_s, state.now_s)
        for combination in product(*starts)
        if fits(state, task, plan_s := running_s | {t.job_id: s for t, s in zip(unstarted, combination, strict=True)})
    ]
    return min(found, default=None)


def with_examples(test: Callable[[int], None]) -> Callable[[int], None]:
    """Try the seeds above in addition to those that hypothesis draws."""
    for seed in SEEDS:
        test = example(seed)(test)
    return test


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@with_examples
@given(st.integers(min_value=0, max_value=2**32))
def test_equals_brute_force(seed: int) -> None:
    """On up to four tasks it accepts whenever any plan exists, and its plan is a best one."""
    state, task = crowded(seed)
    best = best_by_trying_all(state, task)
    answer = Exact(node_limit=1000).place(state, task, Random(1))
    if best is None:
        assert isinstance(answer, Rejection)
    else:
        assert isinstance(answer, Schedule)
        unstarted = [c.task for c in state.committed if c.start_s > state.now_s] + [task]
        assert delay_wh_s(unstarted, answer.starts_s, state.now_s) == pytest.approx(best, rel=1e-6, abs=1e-6)


def test_cases_are_of_all_kinds() -> None:
    """The comparison above meets tasks that fit nowhere and tasks that fit only if others move."""
    kinds = set()
    for seed in SEEDS:
        state, task = crowded(seed)
        grid = Grid.of(state, task)
        fits_beside = len(grid.feasible_starts(grid.remaining_beside(state.committed), task)) > 0
        kinds.add((best_by_trying_all(state, task) is not None, fits_beside))
    assert kinds == {(True, True), (True, False), (False, False)}
