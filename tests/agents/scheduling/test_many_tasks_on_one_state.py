"""Many tasks are tried on one state: what they share is computed once, and each is decided as if it were the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from agents.energy import LoadProfile, Production
from agents.scheduling import insertion, time_grid
from agents.scheduling.compulsory_draw import CompulsoryDraw
from agents.scheduling.insertion import PreparedState, fit_beside, is_hopeless, place_by_insertion
from agents.scheduling.problem import Commitment, ProducerState, Rejection, Schedule, Task
from agents.scheduling.time_grid import Grid

NOW_S = 1_782_000_000
HOUR_S = 3600
LOADS = [
    LoadProfile(times_s=(0, 60 * minutes), cumulative_wh=(0.0, energy_wh))
    for minutes, energy_wh in ((20, 100.0), (45, 300.0), (70, 700.0), (95, 400.0))
]


def _task(random: Random, name: str, windows_s: Sequence[int]) -> Task:
    """Return a task with one of a few loads, which may start within one of these times."""
    first_s = NOW_S + random.choice([0, 0, 600, 2400])
    return Task(name, random.choice(LOADS), first_s, first_s + random.choice(windows_s))


def _crowded(random: Random) -> ProducerState:
    """Return a producer with three hours of sun that has accepted as many tasks as it had room for."""
    power_wh = np.repeat([random.choice([7.0, 10.0, 12.0, 17.0]) for _ in range(6)], 30)
    sun_wh = np.cumsum([0.0, *power_wh.tolist()])
    production = Production(
        times_s=tuple(NOW_S + 60 * i for i in range(181)), cumulative_wh=tuple(np.round(sun_wh, 3).tolist())
    )
    state = ProducerState(production, (), NOW_S - 1)
    for number in range(random.randrange(1, 6)):
        task = _task(random, f"standing-{number}", (1200, 3600, 6000))
        decision = place_by_insertion(state, task)
        if isinstance(decision, Schedule):
            tasks = [*(c.task for c in state.committed), task]
            committed = tuple(Commitment(t, decision.starts_s[t.job_id]) for t in tasks)
            state = ProducerState(production, committed, NOW_S - 1)
    return ProducerState(production, state.committed, NOW_S)


def _fresh(state: ProducerState) -> ProducerState:
    return ProducerState(state.production, state.committed, state.now_s)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_each_task_is_decided_as_on_a_state_of_its_own(seed: int) -> None:
    """Whatever was tried before, moved, and undone; also tasks that end later than all before."""
    random = Random(seed)
    state = _crowded(random)
    tasks = [_task(random, f"new-{number}", (0, 61, 600, 3000)) for number in range(12)]
    for task in tasks:
        assert place_by_insertion(state, task) == place_by_insertion(_fresh(state), task)
    assert fit_beside(state, tasks) == [isinstance(place_by_insertion(_fresh(state), t), Schedule) for t in tasks]


def test_no_task_is_proven_hopeless_that_the_search_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof changes no decision, and saves many searches that cannot succeed."""
    proven = rejected = placed = 0
    for seed in range(150):
        random = Random(seed)
        state = _crowded(random)
        for number in range(4):
            task = _task(random, f"new-{number}", (0, 61, 600, 3000))
            with monkeypatch.context() as without:
                without.setattr(insertion, "is_hopeless", lambda *_: False)
                searched = place_by_insertion(_fresh(state), task)
            is_proven = is_hopeless(PreparedState.of(state, task), task)
            assert not (is_proven and isinstance(searched, Schedule))
            assert place_by_insertion(_fresh(state), task) == searched
            proven += is_proven
            rejected += isinstance(searched, Rejection)
            placed += isinstance(searched, Schedule)
    assert proven > rejected / 3
    assert placed > 100


def test_proofs_on_one_state_do_not_influence_each_other() -> None:
    """Each task is judged as if it were the first, and what the promised tasks leave stays the same."""
    judged: list[bool] = []
    for seed in range(60):
        random = Random(seed)
        state = _crowded(random)
        tasks = [_task(random, f"new-{number}", (0, 61, 600, 3000)) for number in range(12)]
        grid = Grid.of(state, *tasks)
        promised = [commitment.task for commitment in state.committed if commitment.start_s > NOW_S]
        shared = CompulsoryDraw(grid.free_wh, promised, grid.first_s, NOW_S)
        left_wh = shared.left_wh.copy()
        for task in tasks:
            alone = CompulsoryDraw(grid.free_wh, promised, grid.first_s, NOW_S)
            assert shared.leaves_room_for(task) == alone.leaves_room_for(task)
            judged.append(alone.leaves_room_for(task))
        assert (shared.left_wh == left_wh).all()
    assert 100 < sum(judged) < len(judged) - 100


def test_a_state_is_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of tasks with the same load and starts only the first one is searched for."""
    searches = grids = 0
    search, grid_of = insertion.insert_with_repair, Grid.of.__func__  # type: ignore[attr-defined]  # the function that is bound

    def counted_search(*arguments: Any) -> bool:
        nonlocal searches
        searches += 1
        return search(*arguments)

    def counted_grid(*arguments: object) -> object:
        nonlocal grids
        grids += 1
        return grid_of(*arguments)

    monkeypatch.setattr(insertion, "is_hopeless", lambda *_: False)
    monkeypatch.setattr(insertion, "insert_with_repair", counted_search)
    monkeypatch.setattr(time_grid.Grid, "of", classmethod(counted_grid))
    production = Production(times_s=(NOW_S, NOW_S + 2 * HOUR_S), cumulative_wh=(0.0, 1200.0))
    standing = Commitment(Task("standing", LOADS[2], NOW_S + 60, NOW_S + HOUR_S), NOW_S + 60)
    state = ProducerState(production, (standing,), NOW_S)
    decisions = [place_by_insertion(state, Task(name, LOADS[2], NOW_S, NOW_S + HOUR_S)) for name in "abcd"]
    assert all(isinstance(decision, Rejection) for decision in decisions)
    assert (searches, grids) == (1, 1)
    other = place_by_insertion(state, Task("other", LOADS[2], NOW_S, NOW_S + HOUR_S + 60))
    assert isinstance(other, Rejection)
    assert (searches, grids) == (2, 2)


class _Foreign(PreparedState):
    """What a plug-in keeps on a state."""


def test_a_plugin_cannot_change_a_state_or_what_others_keep_on_it() -> None:
    """A plug-in is given the state that the producer decides on, whose fields are fixed."""
    random = Random(1)
    state, task = _crowded(random), _task(random, "new", [600])
    ours = PreparedState.of(state, task)
    theirs = state.keep(_Foreign(state, (task,)))

    assert state.kept(_Foreign) is theirs
    assert PreparedState.of(state, task) is ours
    public = [getattr(state, field.name) for field in fields(state) if not field.name.startswith("_")]
    assert not [value for value in public if isinstance(value, dict | list | set)]
