"""Insertion accepts tasks that fit and refuses others; unstarted tasks make room."""

from random import Random

import numpy as np
import pytest

from agents.energy import FloatArray, LoadProfile, Production, RequiredEnergy
from agents.scheduling.algorithms import scheduler_for
from agents.scheduling.insertion import rebuild
from agents.scheduling.problem import Commitment, ProducerState, Rejection, Schedule, Task
from agents.scheduling.settings import AlgorithmSettings
from agents.scheduling.tabu_search import TentativeSchedule, best_covered, insert_with_repair
from agents.scheduling.time_grid import SEARCH_TOLERANCE_WH, Grid, StartGroup, first_feasible_s, fits

HOUR = 3600
FLAT = Production(times_s=(0, 4 * HOUR), cumulative_wh=(0.0, 4000.0))


def task(name: str, wh: float, lo: int, hi: int) -> Task:
    """Return an hour of even load."""
    return Task(name, LoadProfile(times_s=(0, HOUR), cumulative_wh=(0.0, wh)), lo, hi)


@pytest.mark.parametrize("name", ["insertion", "fifty_fifty"])
def test_accepts_only_what_fits(name: str) -> None:
    """Every schedule fits into the production; a load that exceeds the production is refused."""
    scheduler = scheduler_for(AlgorithmSettings(name=name))
    state = ProducerState(FLAT, (), 17)
    new = task("a", 900.0, 5, 5 * HOUR + 7)
    schedules = [p for p in (scheduler.place(state, new, Random(i)) for i in range(20)) if isinstance(p, Schedule)]
    assert schedules
    assert all(fits(state, new, p.starts_s) for p in schedules)
    assert isinstance(scheduler.place(state, task("b", 1001.0, 0, 4 * HOUR), Random(1)), Rejection)


def test_a_schedule_that_moves_a_task_in_the_second_of_its_start_breaks_a_promise() -> None:
    """Its device is switched on in that second; a second before, it may still move."""
    stands, new = Commitment(task("a", 100.0, 0, 3 * HOUR), HOUR), task("b", 100.0, 0, 3 * HOUR)
    starts_s = {"a": 2 * HOUR, "b": 2 * HOUR}
    assert fits(ProducerState(FLAT, (stands,), HOUR - 1), new, starts_s)
    assert not fits(ProducerState(FLAT, (stands,), HOUR), new, starts_s)


def test_moves_tasks_that_are_in_the_way() -> None:
    """A new task with a window of one second gets the time of one that can move."""
    stands = Commitment(task("a", 900.0, 0, 3 * HOUR), HOUR)
    new = task("b", 900.0, HOUR + 1, HOUR + 1)
    state = ProducerState(FLAT, (stands,), 0)
    schedule = scheduler_for(AlgorithmSettings()).place(state, new, Random(1))
    assert isinstance(schedule, Schedule)
    assert fits(state, new, schedule.starts_s)


def test_moved_tasks_leave_no_earlier_production_unused() -> None:
    """Two stand later than they need; when one has to move, both go as soon as they can."""
    stands = (Commitment(task("a", 900.0, 0, 3 * HOUR), HOUR), Commitment(task("b", 900.0, 60, 3 * HOUR), 3 * HOUR))
    new = task("c", 900.0, HOUR + 1, HOUR + 1)
    state = ProducerState(FLAT, stands, -1)
    schedule = scheduler_for(AlgorithmSettings()).place(state, new, Random(1))
    assert isinstance(schedule, Schedule)
    assert fits(state, new, schedule.starts_s)
    assert schedule.starts_s == {"a": 0, "b": 2 * HOUR, "c": HOUR + 1}


def test_refilling_gives_room_or_nothing() -> None:
    """Put back from scratch, all tasks fit together; where that is impossible or too much work, there is no plan."""
    stands = [Commitment(task("a", 900.0, 60, 3 * HOUR), HOUR), Commitment(task("b", 900.0, 60, 3 * HOUR), 2 * HOUR)]
    new = task("c", 900.0, HOUR + 60, HOUR + 60)
    state = ProducerState(FLAT, tuple(stands), 0)
    tentative = rebuild(Grid.of(state, new), stands, new)
    assert tentative is not None
    assert fits(state, new, tentative.starts_s())
    assert rebuild(Grid.of(state, new), stands, new, max_evaluations=2) is None
    impossible = task("d", 1100.0, 0, 3 * HOUR)
    assert rebuild(Grid.of(state, impossible), stands, impossible) is None


def _even_load(rng: Random) -> LoadProfile:
    return LoadProfile(times_s=(0, rng.choice([30, 150, 400])), cumulative_wh=(0.0, rng.choice([1.0, 5.0, 20.0])))


def _uneven_load(rng: Random) -> LoadProfile:
    """Return a load that draws nothing, little or much in each minute."""
    wh_by_minute = [rng.choice([0.0, 0.0, 2.0, 3.0, 12.0]) for _ in range(rng.choice([2, 5, 9]))]
    times_s = tuple(60 * i for i in range(len(wh_by_minute) + 1))
    return LoadProfile(times_s=times_s, cumulative_wh=tuple(np.cumsum([0.0, *wh_by_minute]).tolist()))


@pytest.mark.parametrize("seed", range(60))
def test_the_first_start_that_fits(seed: int) -> None:
    """The search finds it without trying all starts: in wide and narrow windows, at odd seconds, in a day of gaps."""
    rng = Random(seed)
    powers_w = [rng.choice([0, 200, 900]) for _ in range(12 * 60)]
    production = Production(
        times_s=tuple(60 * i for i in range(len(powers_w) + 1)),
        cumulative_wh=tuple(np.cumsum([0.0, *(power_w / 60 for power_w in powers_w)]).tolist()),
    )
    earliest_s = rng.randint(0, 3 * HOUR)
    load = rng.choice([_even_load, _uneven_load])(rng)
    new = Task("a", load, earliest_s, earliest_s + rng.choice([0, 1, 59, 600, 8 * HOUR]))
    grid = Grid.of(ProducerState(production, (), 7), new)
    found_s = first_feasible_s(grid.candidates(new), grid.free_wh)
    all_s = grid.feasible_starts(grid.free_wh, new)
    assert found_s == (int(all_s[0]) if len(all_s) else None)


@pytest.mark.parametrize("seed", range(20))
def test_the_start_at_which_most_is_covered(seed: int) -> None:
    """Each start is summed up to the last bit as if it were looked at alone, and nothing that is left changes."""
    rng = Random(seed)
    left_wh = np.array([rng.choice([-1.0, 0.0, 2.0, 7.0]) + rng.random() for _ in range(300)])
    group = StartGroup(600, rng.choice([1, 2, 40, 200]), 10, *_load_and_need(_uneven_load(rng)))
    before_wh = left_wh.copy()
    alone_wh = [
        float(np.minimum(np.maximum(left_wh[first : first + len(group.load_wh)], 0.0), group.load_wh).sum())
        for first in range(10, 10 + group.count)
    ]
    best = int(np.argmax(alone_wh))
    assert best_covered([group], left_wh) == (alone_wh[best], 600 + 60 * best)
    assert (left_wh == before_wh).all()


def _load_and_need(load: LoadProfile) -> tuple[FloatArray, RequiredEnergy]:
    return load.per_minute_wh(0), load.needed(0, SEARCH_TOLERANCE_WH)


def test_making_no_room_changes_nothing() -> None:
    """If the search ends without a schedule, every task keeps its start."""
    stands = [Commitment(task("a", 900.0, 60, 3 * HOUR), HOUR), Commitment(task("b", 900.0, 60, 3 * HOUR), 2 * HOUR)]
    tentative = TentativeSchedule(Grid.of(ProducerState(FLAT, tuple(stands), 0)), stands)
    before_wh = tentative.left_wh.copy()
    assert not insert_with_repair(tentative, task("c", 900.0, HOUR + 60, HOUR + 60), max_evaluations=1)
    assert tentative.starts_s() == {"a": HOUR, "b": 2 * HOUR}
    assert tentative.left_wh == pytest.approx(before_wh, abs=1e-9)


def test_moves_to_the_only_place_in_a_window_of_days() -> None:
    """Of 4,000 starts only one is covered, and the blocking task moves there."""
    far_s = 52 * HOUR
    sun = Production(
        times_s=(0, 60, 120, far_s, far_s + 60, 80 * HOUR), cumulative_wh=(0.0, 0.0, 40.0, 40.0, 80.0, 80.0)
    )
    minute = LoadProfile(times_s=(0, 60), cumulative_wh=(0.0, 30.0))
    stands = Commitment(Task("a", minute, 60, 70 * HOUR), 60)
    schedule = scheduler_for(AlgorithmSettings()).place(
        ProducerState(sun, (stands,), 0), Task("b", minute, 60, 60), Random(1)
    )
    assert isinstance(schedule, Schedule)
    assert schedule.starts_s == {"a": far_s, "b": 60}
