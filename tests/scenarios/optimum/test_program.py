"""The mixed-integer program: against brute force at every refinement, and where prices prove nothing."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings

from scenarios.generate.neighbourhood import Plan, neighbourhood
from scenarios.optimum import clairvoyant_optimum, delivered_wh
from scenarios.optimum.instance import instance_of
from scenarios.optimum.packing import Menu, Packing
from scenarios.optimum.program import SAMPLES, Answer, answers
from scenarios.scenario import Scenario
from tests.scenarios.neighbourhoods import forecast
from tests.scenarios.optimum.tiny import DAY, at_hours, best_by_force, every_second, street, tiny


def all_answers(scenario: Scenario) -> list[Answer]:
    """Return what the programs say, from knowing no plan on."""
    instance = instance_of(scenario)
    nothing = Packing(Menu(instance))
    return list(answers(instance, instance.sun_wh, lambda: nothing, lambda: False, lambda: 60.0))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(tiny(window_s=12))
def test_no_start_at_any_second_beats_any_of_the_programs(scenario: Scenario) -> None:
    """Every second of two jobs, tried: no refinement bounds lower, and the finest says what is best."""
    few = street(dict(scenario.producers), *scenario.jobs[:2])
    best_wh = best_by_force(few, every_second(few.jobs), carried=True)
    said = all_answers(few)
    assert all(answer.solved for answer in said)
    assert all(answer.bound_wh >= best_wh for answer in said)
    # It may start jobs at parts of a second; none of these finds a place by that.
    assert said[-1].bound_wh <= best_wh + 0.02


def small(seed: int, jobs: int, roofs: int) -> Scenario:
    """Return a scarce neighbourhood."""
    plan = Plan(
        name="small",
        seed=seed,
        houses=6,
        roofs=roofs,
        jobs=jobs,
        demand_per_sun=1.0,
        date=date(2026, 6, 12),
        weather="fair",
    )
    return neighbourhood(plan)


@pytest.mark.parametrize("seed", [1, 4])
def test_small_neighbourhoods_are_solved(seed: int) -> None:
    """Scarce sun and fifteen jobs: the best plan is known to be the best."""
    scenario = small(seed, 15, 1)
    found = clairvoyant_optimum(scenario, time_limit_wall_s=600.0)
    assert found.proven
    assert found.carried_bound_wh == pytest.approx(found.best_wh, abs=0.05)
    assert delivered_wh(scenario, found.plan) == pytest.approx(found.best_wh)


def test_alike_producers_are_told_apart_by_the_jobs_they_serve() -> None:
    """Three washes of the same hour on two panels that carry one each: two are served, proven."""
    scenario = street({"pv-1": forecast(DAY), "pv-2": forecast(DAY)}, *at_hours((1, 1.1), (1.05, 1.1), (1, 1)))
    assert all_answers(scenario)[-1].bound_wh == pytest.approx(1800.0, abs=0.05)


def test_a_program_that_is_told_to_stop_still_bounds() -> None:
    """It ends at once; what it says is no less than what can be done."""
    scenario = small(2, 30, 2)
    instance = instance_of(scenario)
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 100

    nothing = Packing(Menu(instance))
    said = list(answers(instance, instance.sun_wh, lambda: nothing, stop, lambda: 600.0))
    assert len(said) <= len(SAMPLES)
    assert all(answer.bound_wh >= 11848.0 for answer in said)


def test_nothing_is_written_but_by_us(capfd: pytest.CaptureFixture[str]) -> None:
    """HiGHS likes to tell what it does; standard output is for JSON."""
    all_answers(small(4, 15, 1))
    assert capfd.readouterr() == ("", "")
