"""Searches that cannot succeed end once they would repeat themselves, with the same answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from agents.energy import FloatArray, LoadProfile, Production
from agents.scheduling import insertion, repair
from agents.scheduling.insertion import rebuild
from agents.scheduling.problem import Commitment, ProducerState, Task
from agents.scheduling.repair import PlacedTask, TentativeSchedule, best_covered
from agents.scheduling.time_grid import Grid, StartGroup, first_feasible_s

NOW_S = 1_782_000_000
HOUR_S = 3600


def _task(name: str, minutes: int, energy_wh: float, window_s: int = 2 * HOUR_S) -> Task:
    load = LoadProfile(times_s=(0, 60 * minutes), cumulative_wh=(0.0, energy_wh))
    return Task(name, load, NOW_S, NOW_S + window_s)


def _grid(*tasks: Task) -> Grid:
    """Return two hours of 10 Wh a minute."""
    production = Production(times_s=(NOW_S, NOW_S + 2 * HOUR_S), cumulative_wh=(0.0, 1200.0))
    return Grid.of(ProducerState(production, (), NOW_S), *tasks)


def test_a_repair_that_moves_in_circles_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tasks of 70 minutes do not fit one after the other into two hours, however often they are moved."""
    moves, best_move = 0, TentativeSchedule.best_move_beyond

    def counted(self: TentativeSchedule, placed: PlacedTask, beyond_wh: float) -> tuple[float, int]:
        nonlocal moves
        moves += 1
        return best_move(self, placed, beyond_wh)

    monkeypatch.setattr(TentativeSchedule, "best_move_beyond", counted)
    tasks = [_task("one", 70, 700.0), _task("other", 70, 700.0)]
    tentative = TentativeSchedule(_grid(*tasks), [Commitment(task, NOW_S) for task in tasks])
    assert not tentative.repair(1_000)
    assert 0 < moves < 30


def test_starts_are_not_searched_for_a_task_that_can_gain_less_than_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """The large task moves to where it is covered whole; each small one lacks half as much and is not looked at."""
    searches = 0

    def counted(*arguments: Any, **more: Any) -> tuple[float, int]:
        nonlocal searches
        searches += 1
        return best_covered(*arguments, **more)

    monkeypatch.setattr(repair, "best_covered", counted)
    tasks = [_task("large", 50, 450.0), _task("small", 20, 40.0), _task("another small", 20, 40.0)]
    starts_s = [NOW_S, NOW_S, NOW_S + 20 * 60]
    tentative = TentativeSchedule(_grid(*tasks), map(Commitment, tasks, starts_s))
    assert tentative.repair(1_000)
    assert searches == 1


def test_orders_with_the_same_beginning_are_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first tasks leave no room for the next one, other orders that begin with them do not either."""
    looks = 0

    def counted(groups: Iterable[StartGroup], left_wh: FloatArray) -> int | None:
        nonlocal looks
        looks += 1
        return first_feasible_s(groups, left_wh)

    monkeypatch.setattr(insertion, "first_feasible_s", counted)
    stands = [Commitment(_task("long", 100, 1000.0, HOUR_S), NOW_S)]
    new = _task("longer", 110, 1100.0)
    grid = _grid(new, *(one.task for one in stands))
    assert rebuild(grid, stands, new) is None
    # The new one is first by duration only; by deadline, window and power the standing one is.
    assert looks == 4
