"""The mixed-integer program: against brute force at every refinement, and where prices prove nothing."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings

from scenarios.generate.one_day_neighbourhood import NeighbourhoodSpec, neighbourhood
from scenarios.optimum.feasibility import delivered_wh
from scenarios.optimum.instance import instance_of
from scenarios.optimum.milp import SAMPLE_STEPS, MilpResult, aggregated_columns, solve_refined
from scenarios.optimum.optimum import clairvoyant_optimum
from scenarios.optimum.partial_schedule import PartialSchedule, Placement, PlacementOptions
from scenarios.scenario import Scenario
from tests.scenarios.neighbourhoods import START_S, forecast, job, load, sun
from tests.scenarios.optimum.tiny import DAY, HOUR_S, at_hours, best_by_force, every_second, street, tiny


def all_answers(scenario: Scenario) -> list[MilpResult]:
    """Return what the programs say, from knowing no plan on."""
    instance = instance_of(scenario)
    zero_prices = PartialSchedule(PlacementOptions(instance))
    return list(solve_refined(instance, instance.production_wh, lambda: zero_prices, lambda: False, lambda: 60.0))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(tiny(window_s=12))
def test_no_start_at_any_second_beats_any_of_the_programs(scenario: Scenario) -> None:
    """Every second of two jobs, tried: no refinement bounds lower, and the finest says what is best."""
    few = street(dict(scenario.producers), *scenario.jobs[:2])
    best_wh = best_by_force(few, every_second(few.jobs), carried=True)
    said = all_answers(few)
    assert all(result.solved for result in said)
    assert all(result.bound_wh >= best_wh for result in said)
    # It may start jobs at parts of a second; none of these finds a place by that.
    assert said[-1].bound_wh <= best_wh + 0.02


@settings(max_examples=25, deadline=None, derandomize=True)
@given(tiny(window_s=40))
def test_no_plan_that_runs_one_job_of_a_device_at_a_time_beats_a_program_that_asks_for_it(scenario: Scenario) -> None:
    """Every second of two jobs of one machine, tried; and it proves no more than the program that does not ask."""
    few = street(dict(list(scenario.producers.items())[:1]), *scenario.jobs[:2])
    best_wh = best_by_force(few, every_second(few.jobs), carried=True)
    instance = instance_of(few)
    zero_prices = PartialSchedule(PlacementOptions(instance))
    asked = list(
        solve_refined(
            instance, instance.production_wh, lambda: zero_prices, lambda: False, lambda: 60.0, exclusive_devices=True
        )
    )
    assert all(result.bound_wh >= best_wh for result in asked)
    assert asked[-1].bound_wh <= all_answers(few)[-1].bound_wh + 0.02


def small(seed: int, jobs: int, roofs: int) -> Scenario:
    """Return a scarce neighbourhood."""
    plan = NeighbourhoodSpec(
        name="small",
        seed=seed,
        houses=6,
        roofs=roofs,
        jobs=jobs,
        demand_per_production=1.0,
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


def test_equal_producers_are_distinguished_by_the_jobs_they_serve() -> None:
    """Three washes in the same hour on two panels that cover one each: two are served, proven."""
    scenario = street({"pv-1": forecast(DAY), "pv-2": forecast(DAY)}, *at_hours((1, 1.1), (1.05, 1.1), (1, 1)))
    assert all_answers(scenario)[-1].bound_wh == pytest.approx(1800.0, abs=0.05)


def test_a_stopped_program_still_gives_a_bound() -> None:
    """It ends immediately, and its bound is not below the optimum."""
    scenario = small(2, 30, 2)
    instance = instance_of(scenario)
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > 100

    zero_prices = PartialSchedule(PlacementOptions(instance))
    said = list(solve_refined(instance, instance.production_wh, lambda: zero_prices, stop, lambda: 600.0))
    assert len(said) <= len(SAMPLE_STEPS)
    assert all(result.bound_wh >= 11848.0 for result in said)


def test_the_solver_writes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """HiGHS logs to standard output by default, which is for JSON."""
    all_answers(small(4, 15, 1))
    assert capfd.readouterr() == ("", "")


NOON = forecast(sun((10 * HOUR_S, 0.0), (12 * HOUR_S, 2000.0)))
"""1 kW from ten to twelve."""


def test_two_hours_of_sun_carry_two_hours() -> None:
    """Three washes of an hour want them; and of two that must run in the same hour, one goes."""
    hours = street({"pv": NOON}, *at_hours((10, 11), (10, 11), (10, 11)))
    assert all_answers(hours)[-1].bound_wh == pytest.approx(1800.0, abs=0.05)
    same = street({"pv": NOON}, *at_hours((10, 10.5), (10.25, 10.5)))
    assert all_answers(same)[-1].bound_wh == pytest.approx(900.0, abs=0.05)


@pytest.mark.parametrize(("last_s", "best_wh"), [(29, 990.0), (30, 1980.0)])
def test_seconds_count(last_s: int, best_wh: float) -> None:
    """One job draws until half past a minute; another, a second too early, takes too much of that minute."""
    wash = load((0, 0.0), (HOUR_S, 990.0))
    before = job("before", "1", wash, (10 * HOUR_S + 30, 10 * HOUR_S + 30))
    after = [job(f"after-{i}", "1", wash, (11 * HOUR_S, 11 * HOUR_S + last_s)) for i in range(2)]
    producer = forecast(sun((10 * HOUR_S, 0.0), (13 * HOUR_S, 3000.0)))
    assert all_answers(street({"pv": producer}, before, *after))[-1].bound_wh == pytest.approx(best_wh, abs=0.05)


def test_a_cell_stands_for_real_seconds() -> None:
    """The first and the last of each, also where that is the next minute's first, draw what the job draws."""
    of = job("wash", "1", load((0, 0.0), (90, 20.0), (200, 30.0)), (10 * HOUR_S + 7, 10 * HOUR_S + 250))
    instance = instance_of(street({"pv": NOON}, of))
    columns = aggregated_columns(instance.tasks[0], instance.production_wh[0], np.arange(instance.bins), sloped=True)
    starts_s = set()
    for column in columns:
        for share in (0.0, 1.0):
            place = Placement(0, column.start_grid(share), 0)
            edges_s = START_S + 60 * np.arange(place.bins.start, place.bins.stop + 1, dtype=np.float64)
            start_s = place.start_s(instance)
            assert place.start_grid.draw_wh == pytest.approx(of.load_profile.energy_per_bin_wh(edges_s - start_s))
            starts_s.add(start_s - START_S - 10 * HOUR_S)
    assert {7, 60, 120, 240, 250} <= starts_s
