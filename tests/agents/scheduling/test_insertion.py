"""What fits is accepted, what does not is refused; unstarted tasks make room."""

from random import Random

import pytest

from agents.energy import LoadProfile, Production
from agents.scheduling.grid import Grid, fits
from agents.scheduling.problem import Commitment, Plan, Problem, Refusal, Task
from agents.scheduling.refilling import refill
from agents.scheduling.registry import scheduler_for
from agents.scheduling.settings import AlgorithmSettings

HOUR = 3600
FLAT = Production(times_s=(0, 4 * HOUR), cumulative_wh=(0.0, 4000.0))


def task(name: str, wh: float, lo: int, hi: int) -> Task:
    """Return an hour of even load."""
    return Task(name, LoadProfile(times_s=(0, HOUR), cumulative_wh=(0.0, wh)), lo, hi)


@pytest.mark.parametrize("name", ["insertion", "fifty_fifty"])
def test_accepts_only_what_fits(name: str) -> None:
    """Every plan fits; a load stronger than the sun is refused."""
    scheduler = scheduler_for(AlgorithmSettings(name=name))
    problem = Problem(FLAT, (), 17)
    new = task("a", 900.0, 5, 5 * HOUR + 7)
    plans = [p for p in (scheduler(problem, new, Random(i)) for i in range(20)) if isinstance(p, Plan)]
    assert plans
    assert all(fits(problem, new, p.starts_s) for p in plans)
    assert isinstance(scheduler(problem, task("b", 1001.0, 0, 4 * HOUR), Random(1)), Refusal)


def test_moves_what_stands_in_the_way() -> None:
    """A new task with a window of one second gets the time of one that can move."""
    stands = Commitment(task("a", 900.0, 0, 3 * HOUR), HOUR)
    new = task("b", 900.0, HOUR + 1, HOUR + 1)
    problem = Problem(FLAT, (stands,), 0)
    plan = scheduler_for(AlgorithmSettings())(problem, new, Random(1))
    assert isinstance(plan, Plan)
    assert fits(problem, new, plan.starts_s)


def test_refilling_gives_room_or_nothing() -> None:
    """Put back from scratch, all tasks fit together; where that is impossible or too much work, there is no plan."""
    stands = [Commitment(task("a", 900.0, 60, 3 * HOUR), HOUR), Commitment(task("b", 900.0, 60, 3 * HOUR), 2 * HOUR)]
    new = task("c", 900.0, HOUR + 60, HOUR + 60)
    problem = Problem(FLAT, tuple(stands), 0)
    starts_s = refill(Grid.of(problem, new), stands, new)
    assert starts_s is not None
    assert fits(problem, new, starts_s)
    assert refill(Grid.of(problem, new), stands, new, max_looks=2) is None
    impossible = task("d", 1100.0, 0, 3 * HOUR)
    assert refill(Grid.of(problem, impossible), stands, impossible) is None
